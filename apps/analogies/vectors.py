"""Words and their vectors, in memory and in the bundle."""

import json
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from shared import bundle, quantize

FOLDER = bundle.MODELS / "analogies"


@dataclass(frozen=True, eq=False)
class Vectors:
    """A vocabulary, the most frequent words first, and its vectors.

    Attributes:
        words: List of words.
        matrix: Array `(words, dimensions)` of rows of length 1.
        name: Their name on the page.
        note: A sentence on what was odd in their file, or an empty string.
    """

    words: list[str]
    matrix: np.ndarray
    name: str = ""
    note: str = ""

    @cached_property
    def index(self):
        """Dict from a word to its row."""
        return {word: n for n, word in enumerate(self.words)}

    def __len__(self):
        return len(self.words)

    def __contains__(self, word):
        return word in self.index

    def __getitem__(self, word):
        return self.matrix[self.index[word]]

    @classmethod
    def of(cls, words, matrix, name="", note=""):
        """`Vectors` from rows of any length."""
        matrix = np.asarray(matrix, "float32")
        lengths = np.sqrt(np.einsum("nd,nd->n", matrix, matrix))[:, None]
        return cls(list(words), matrix / np.maximum(lengths, 1e-12), name, note)

    def first(self, count):
        """The `Vectors` of the most frequent words."""
        return Vectors(self.words[:count], self.matrix[:count], self.name)


def save(folder, words, matrix):
    """Write a bundle's words and vectors."""
    folder.mkdir(parents=True, exist_ok=True)
    bundle.save_arrays(folder / "vectors.safetensors", quantize.quantize_int4(matrix))
    text = json.dumps(list(words), ensure_ascii=False, separators=(",", ":"))
    (folder / "words.json").write_text(text + "\n", encoding="utf-8")


def load(folder=FOLDER):
    """The `Vectors` of a bundle.

    Raises:
        BundleError: if it is missing or damaged.
    """
    arrays = bundle.load_arrays(folder / "vectors.safetensors")
    packed = {name: arrays[name] for name in ("codes", "levels")}
    try:
        matrix = quantize.dequantize_int4(packed)
    except ValueError as error:
        raise bundle.BundleError(f"The weights {arrays.file} are damaged: {error}.") from error
    try:
        words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise bundle.BundleError(f"{folder.name}/words.json cannot be read.") from error
    if len(words) != len(matrix):
        raise bundle.BundleError(
            f"The vocabulary of {folder.name} has {len(words):,} words, but there are "
            f"{len(matrix):,} vectors."
        )
    return Vectors.of(words, matrix, "these vectors")
