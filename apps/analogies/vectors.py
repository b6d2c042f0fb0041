"""Words and their vectors: on disk at four bits a number, in memory, from other people's files."""

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
        name: What they are, for the page.
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
        """The same from rows of any length."""
        matrix = np.asarray(matrix, "float32")
        lengths = np.sqrt(np.einsum("nd,nd->n", matrix, matrix))[:, None]
        return cls(list(words), matrix / np.maximum(lengths, 1e-12), name)

    def first(self, count):
        """The most frequent words alone."""
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


def read_file(path, most=400_000):
    """The `Vectors` of a file: word2vec `.bin` or `.txt`, GloVe's `.txt`, or gensim's `.kv`.

    Words are brought to the form the page asks for, lower case without accents; of words that then
    are the same the most frequent, the first, is kept. A `.kv` holds a pickle: read only your own.

    Args:
        path: The file, `.gz` or not.
        most: Words to read, the first of the file; `.kv` files are read whole.

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
                str(path), binary=binary, no_header=not header, limit=most, unicode_errors="ignore"
            )
    except Exception as error:  # gensim raises what its parsers happen to meet
        raise bundle.BundleError(
            f"{path.name} cannot be read as vectors: word2vec .bin or .txt, GloVe .txt, gensim .kv."
        ) from error
    rows = {}
    for row, word in enumerate(loaded.index_to_key[:most]):
        parts = plain_words(word.replace("_", " "))
        if parts:
            rows.setdefault(" ".join(parts), row)
    if len(rows) < 4:
        raise bundle.BundleError(f"{path.name} has fewer than four words.")
    return Vectors.of(list(rows), loaded.vectors[list(rows.values())], path.name)


def _has_header(path):
    import gzip

    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", errors="ignore") as file:
        cells = file.readline().split()
    return len(cells) == 2 and all(cell.isdigit() for cell in cells)
