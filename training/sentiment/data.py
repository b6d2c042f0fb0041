"""Film reviews with labels: files of the user's own, and what networks read of reviews."""

import numpy as np

from shared.errors import UserError
from shared.text import clean
from training.datasets.imdb import Review
from training.rows import read_json_lines


def read_rows(path):
    """Reviews of a JSONL file with rows `{"text": str, "label": 0 or 1}`.

    Raises:
        typer.BadParameter: if the file or a row cannot be used; the message names the line.
    """
    return read_json_lines(path, _review, '{"text": …, "label": 0 or 1}')


def _review(number, row):
    text, label = row["text"], row["label"]
    if not isinstance(text, str) or label not in (0, 1):
        raise UserError("`text` must be a string and `label` 0 or 1.")
    return Review(clean(text), int(label), str(row.get("movie", number)))


def labels_of(reviews):
    """Labels as a float array `(reviews,)`."""
    return np.array([review.label for review in reviews], "float32")


def encode(tokenizer, **parts):
    """Reviews as word numbers.

    Args:
        tokenizer: A `WordTokenizer`.
        **parts: Lists of reviews.

    Returns:
        Dict from part to lists of word numbers, and labels `(reviews,)`.
    """
    return {
        name: (tokenizer.encode([review.text for review in reviews]), labels_of(reviews))
        for name, reviews in parts.items()
    }


def reverse_texts(encoded):
    """Encoded reviews, by part, with the words of each in reverse order."""
    return {
        part: ([numbers[::-1] for numbers in sequences], labels)
        for part, (sequences, labels) in encoded.items()
    }
