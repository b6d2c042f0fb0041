"""Words and their vectors: in memory, in the bundle, and in files of other tools."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from shared import bundle, quantize
from shared.text import plain_words

FOLDER = bundle.MODELS / "analogies"


@dataclass(frozen=True, eq=False)
class Vectors:
    """A vocabulary, the most frequent words first, and its vectors.

    Attributes:
        words: List of words.
        matrix: Array `(words, dimensions)` of rows of length 1.
        name: Their name on the page.
    """

    words: list[str]
    matrix: np.ndarray
    name: str = ""

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
    def of(cls, words, matrix, name=""):
        """`Vectors` from rows of any length."""
        matrix = np.asarray(matrix, "float32")
        lengths = np.sqrt(np.einsum("nd,nd->n", matrix, matrix))[:, None]
        return cls(list(words), matrix / np.maximum(lengths, 1e-12), name)

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


def read_file(path, max_words=400_000):
    """The `Vectors` of a file: word2vec `.bin` or `.txt`, GloVe's `.txt`, or gensim's `.kv`.

    Words are put into lower case and lose their accents. Of words that are equal afterwards the
    first, the most frequent, is kept. A `.kv` file contains a pickle, which can run code: read only
    files that you trust.

    Args:
        path: The file, `.gz` or not.
        max_words: Number of words to keep, the first of the file.

    Raises:
        BundleError: if it cannot be read.
    """
    from gensim.models import KeyedVectors

    path = Path(path)
    if not path.is_file():
        raise bundle.BundleError(f"There is no file {path}.")
    kind = path.name.lower().removesuffix(".gz")
    try:
        if kind.endswith(".kv"):
            loaded = KeyedVectors.load(str(path), mmap="r")
        else:
            binary = kind.endswith(".bin")
            header = binary or _has_header(path)
            loaded = KeyedVectors.load_word2vec_format(
                str(path),
                binary=binary,
                no_header=not header,
                limit=max_words,
                unicode_errors="ignore",
            )
    except Exception as error:  # gensim documents none
        raise bundle.BundleError(
            f"{path.name} cannot be read as vectors: word2vec .bin or .txt, GloVe .txt, gensim .kv."
        ) from error
    rows = {}
    for row, word in enumerate(loaded.index_to_key[:max_words]):
        parts = plain_words(word.replace("_", " "))
        if parts:
            rows.setdefault(" ".join(parts), row)
    if len(rows) < 4:
        raise bundle.BundleError(f"{path.name} has fewer than four words.")
    return Vectors.of(list(rows), loaded.vectors[list(rows.values())], path.name)


def _has_header(path):
    import gzip

    open_file = gzip.open if path.suffix == ".gz" else open
    with open_file(path, "rt", encoding="utf-8", errors="ignore") as file:
        cells = file.readline().split()
    return len(cells) == 2 and all(cell.isdigit() for cell in cells)
