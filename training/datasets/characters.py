"""Tiny Shakespeare: 1.1 million characters of the plays, in the public domain (Karpathy 2015).

Reads the official `input.txt`, or the same text repacked as `language/tiny_shakespeare.txt.xz`.
"""

import lzma
from pathlib import Path

from training.datasets.download import fetch

URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"


def read(data_dir):
    """The whole text.

    Args:
        data_dir: Folder of corpora.

    Raises:
        FileNotFoundError: if the corpus is not there and cannot be downloaded.
    """
    data_dir = Path(data_dir)
    repacked = data_dir / "language" / "tiny_shakespeare.txt.xz"
    if repacked.exists():
        return lzma.decompress(repacked.read_bytes()).decode("utf-8")
    return fetch(URL, SHA256, data_dir / "tinyshakespeare.txt").read_text(encoding="utf-8")


def split(text):
    """Training, validation and test: the first 90 % of a text, the next 5 % and the last 5 %."""
    first, second = len(text) * 90 // 100, len(text) * 95 // 100
    return text[:first], text[first:second], text[second:]
