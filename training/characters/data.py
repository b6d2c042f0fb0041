"""Two texts to learn by characters: plays, and the openings of encyclopaedia articles.

The plays are Tiny Shakespeare, 1.1 million characters in the public domain (Karpathy 2015): the
official `input.txt`, or the same text repacked as `language/tiny_shakespeare.txt.xz`. The
articles are Wikipedia's, read by `training/datasets/words.py`; they have what plays lack: double
quotation marks, brackets, and lines that end where the page does.
"""

import lzma
import re
import textwrap
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from training import rows
from training.characters.recipe import MIN_CHARACTER_COUNT, MIN_CHARACTERS
from training.command import data_folder
from training.datasets import words
from training.datasets.download import fetch

Input = Annotated[Path | None, typer.Option(help="Your own text.")]

URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
ARTICLE_CHARACTERS = 1_700_000
LINE_WIDTH = 72
MAX_PARAGRAPHS, MIN_PARAGRAPH_CHARACTERS = 2, 200  # of an article
# Typographic marks are replaced by plain ones, so that each has many examples.
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


def articles(data_dir, size=ARTICLE_CHARACTERS):
    """The first paragraphs of articles in ASCII, in lines of `LINE_WIDTH`, a blank line after each.

    Args:
        data_dir: Folder of corpora.
        size: Characters after which no more articles are read.

    Raises:
        FileNotFoundError: as of `words.articles`.
    """
    parts, count = [], 0
    for text in words.articles(data_dir):
        paragraphs = (re.sub(r"\s+", " ", p.translate(_PLAIN)).strip() for p in text.split("\n"))
        usable = [p for p in paragraphs if len(p) >= MIN_PARAGRAPH_CHARACTERS and p.isascii()]
        for paragraph in usable[:MAX_PARAGRAPHS]:
            parts.append(textwrap.fill(paragraph, LINE_WIDTH) + "\n\n")
            count += len(parts[-1])
        if count >= size:
            break
    return "".join(parts)


def split(text):
    """Training, validation and test: the first 90 % of a text, the next 5 % and the last 5 %."""
    first, second = len(text) * 90 // 100, len(text) * 95 // 100
    return text[:first], text[first:second], text[second:]


def read_texts(data_dir, input):
    """The texts to learn from by name: those of `read`, or the user's own as `"own"`.

    Raises:
        typer.BadParameter: if the user's text is too short.
    """
    if not input:
        return read(data_folder(data_dir))
    text = rows.read_text(input)
    if len(text) < MIN_CHARACTERS:
        raise typer.BadParameter(
            f"{input} has {len(text):,} characters; at least {MIN_CHARACTERS:,} are needed."
        )
    return {"own": text}


def find_alphabet(text):
    """The characters that occur often enough in a text to be learned, at most 255, sorted."""
    counts = Counter(text).most_common(255)
    return "".join(sorted(character for character, n in counts if n >= MIN_CHARACTER_COUNT))
