"""Running English text: Wikipedia, and the reviews of `training/datasets/imdb.py`.

Wikipedia is read from `words/wikipedia_part1.jsonl.xz` (rows `{"title", "text"}`), or from a part
of the official dump as it is downloaded, `words/enwiki-*-pages-articles*.xml*.bz2`.
"""

import json
import lzma
from pathlib import Path

from shared.text import plain_words
from training.datasets import imdb

DUMPS = "https://dumps.wikimedia.org/enwiki/latest/"
MIN_PARAGRAPH_WORDS = 5  # shorter ones are headings


def wikipedia(data_dir):
    """The paragraphs of Wikipedia, each a list of words; errors as of `articles`."""
    for text in articles(data_dir):
        for paragraph in text.split("\n"):
            words = plain_words(paragraph)
            if len(words) >= MIN_PARAGRAPH_WORDS:
                yield words


def articles(data_dir):
    """The texts of Wikipedia's articles.

    Raises:
        FileNotFoundError: if the corpus is not there; the message says which file to put where.
    """
    folder = Path(data_dir) / "words"
    repacked = folder / "wikipedia_part1.jsonl.xz"
    dumps = sorted(folder.glob("enwiki-*-pages-articles*.xml*.bz2"))
    if not repacked.exists() and not dumps:
        # Wikipedia keeps a dump for a few months only, so no address would stay valid.
        raise FileNotFoundError(
            f"There is no Wikipedia in {folder}: download enwiki-latest-pages-articles1.xml-*.bz2 "
            f"from {DUMPS} into that folder, as it is."
        )
    yield from _repacked(repacked) if repacked.exists() else _official(dumps)


def _repacked(path):
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["text"]


def _official(paths):
    import bz2

    from gensim.corpora.wikicorpus import extract_pages, filter_wiki

    for path in paths:
        with bz2.open(path) as dump:
            for _, text, _ in extract_pages(dump, filter_namespaces=("0",)):
                if not text.lstrip().lower().startswith("#redirect"):
                    yield filter_wiki(text)


def reviews(data_dir):
    """The training and unlabelled film reviews, each a list of words; never the test reviews."""
    for part in ("train", "unsup"):
        for review in imdb.read(data_dir, part):
            yield plain_words(review.text)
