"""Tweets with labels: SemEval-2017 task 4A, tweets to airlines, and tweets with emoticons.

All three are read from `sentiment/tweets_*.jsonl.xz`. Twitter's terms do not allow the texts to be
handed on, so there is no official address to download them from without registering.
"""

import json
import lzma
from pathlib import Path
from typing import NamedTuple

from shared.text import clean

CORPORA = ("semeval2017", "airline", "sentiment140_50k")
LABELS = ("negative", "neutral", "positive")


class Tweet(NamedTuple):
    """A tweet: cleaned text, label 0 (negative), 1 (neutral) or 2 (positive), and its split."""

    text: str
    label: int
    split: str


def read(data_dir, corpus):
    """The tweets of a corpus.

    Args:
        data_dir: Folder of corpora.
        corpus: `"semeval2017"` (Rosenthal, Farra & Nakov 2017; with splits), `"airline"` or
            `"sentiment140_50k"` (Go, Bhayani & Huang 2009), whose labels come from emoticons that
            were removed and are never neutral.

    Returns:
        List of `Tweet`. Where the corpus has no splits, each is `"train"`.

    Raises:
        ValueError: if there is no such corpus.
        FileNotFoundError: if it is not there.
    """
    if corpus not in CORPORA:
        raise ValueError(f"`corpus` must be one of {CORPORA}. Received: corpus={corpus!r}")
    path = Path(data_dir) / "sentiment" / f"tweets_{corpus}.jsonl.xz"
    if not path.exists():
        raise FileNotFoundError(
            f"There are no tweets in {path}. Put rows "
            '{"text": …, "label": "negative", "neutral" or "positive"} there.'
        )
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        rows = map(json.loads, lines)
        return [
            Tweet(clean(row["text"]), _label(row["label"]), row.get("split", "train"))
            for row in rows
        ]


def _label(label):
    return 2 * label if label in (0, 1) else LABELS.index(label)
