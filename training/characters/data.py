"""Two texts to read letter by letter: plays, and the openings of encyclopaedia articles.

The plays are Tiny Shakespeare, 1.1 million characters in the public domain (Karpathy 2015): the
official `input.txt`, or the same text repacked as `language/tiny_shakespeare.txt.xz`. The
articles are Wikipedia's, read by `training/datasets/words.py`; they have what plays lack: double
quotation marks, brackets, and lines that end where the page does.
"""

import lzma
import re
import textwrap
from pathlib import Path

from training.datasets import words
from training.datasets.download import fetch

URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
ARTICLES = 1_700_000  # characters of articles
WIDTH = 72  # of their lines
PARAGRAPHS, SHORTEST = 2, 200  # taken of an article at most, and characters of one at least
# Typographic marks as keyboards write them, so that each has many examples.
_PLAIN = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "\u00a0": " "})


def read(data_dir):
    """The texts: dict with `"plays"` and `"articles"`.

    Args:
        data_dir: Folder of corpora.

    Raises:
        FileNotFoundError: if a corpus is not there and cannot be downloaded.
    """
    return {"plays": plays(data_dir), "articles": articles(data_dir)}


def plays(data_dir):
    """The whole of Tiny Shakespeare; arguments and errors as for `read`."""
    data_dir = Path(data_dir)
    repacked = data_dir / "language" / "tiny_shakespeare.txt.xz"
    if repacked.exists():
        return lzma.decompress(repacked.read_bytes()).decode("utf-8")
    return fetch(URL, SHA256, data_dir / "tinyshakespeare.txt").read_text(encoding="utf-8")


def articles(data_dir, size=ARTICLES):
    """The first paragraphs of articles in ASCII, in lines of `WIDTH`, a blank line after each.

    Args:
        data_dir: Folder of corpora.
        size: Characters after which no further article is begun.

    Raises:
        FileNotFoundError: as of `words.articles`.
    """
    parts, count = [], 0
    for text in words.articles(data_dir):
        paragraphs = (re.sub(r"\s+", " ", p.translate(_PLAIN)).strip() for p in text.split("\n"))
        fitting = [p for p in paragraphs if len(p) >= SHORTEST and p.isascii()]
        for paragraph in fitting[:PARAGRAPHS]:
            parts.append(textwrap.fill(paragraph, WIDTH) + "\n\n")
            count += len(parts[-1])
        if count >= size:
            break
    return "".join(parts)


def split(text):
    """Training, validation and test: the first 90 % of a text, the next 5 % and the last 5 %."""
    first, second = len(text) * 90 // 100, len(text) * 95 // 100
    return text[:first], text[first:second], text[second:]
