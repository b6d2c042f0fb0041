"""Film reviews that people edited until they mean the opposite (Kaushik, Hovy & Lipton 2020)."""

import csv
import json
import lzma
from pathlib import Path
from typing import NamedTuple

from shared.text import clean
from training.datasets.download import fetch

URL = (
    "https://raw.githubusercontent.com/acmi-lab/counterfactually-augmented-data/master/sentiment/"
    "combined/paired/{split}_paired.tsv"
)
SPLITS = ("train", "dev")


class Pair(NamedTuple):
    """A review and its edited version, cleaned texts; `label` is that of the original, 0 or 1."""

    original: str
    edited: str
    label: int


def read(data_dir, split):
    """The pairs of a split.

    Args:
        data_dir: Folder of corpora.
        split: `"train"` or `"dev"`.

    Raises:
        ValueError: if there is no such split.
        FileNotFoundError: if the corpus is not there and cannot be downloaded.
    """
    if split not in SPLITS:
        raise ValueError(f"`split` must be one of {SPLITS}. Received: split={split!r}")
    repacked = Path(data_dir) / "sentiment" / "imdb_counterfactual.jsonl.xz"
    if repacked.exists():
        with lzma.open(repacked, "rt", encoding="utf-8") as lines:
            name = "val" if split == "dev" else split
            rows = [row for row in map(json.loads, lines) if row["split"] == name]
        return _pairs((row["pair"], row["original"], row["text"], row["label"]) for row in rows)
    # The official address has no checksum to compare with.
    path = fetch(URL.format(split=split), None, Path(data_dir) / f"counterfactual.{split}.tsv")
    with Path(path).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    first = set()
    return _pairs(
        (r["batch_id"], r["batch_id"] not in first and not first.add(r["batch_id"]), r["Text"],
         int(r["Sentiment"] == "Positive")) for r in rows
    )  # fmt: skip


def _pairs(rows):
    originals, edited = {}, {}
    for pair, original, text, label in rows:
        (originals if original else edited)[pair] = (clean(text), label)
    return [
        Pair(text, edited[pair][0], label)
        for pair, (text, label) in originals.items()
        if pair in edited
    ]
