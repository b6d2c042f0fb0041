"""Reads vectors from the files of other tools: word2vec, GloVe, fastText, ConceptNet, gensim."""

import gzip
import re
import unicodedata
from collections import Counter
from itertools import chain, islice
from pathlib import Path

import numpy as np

from apps.analogies.vectors import Vectors
from shared.bundle import BundleError
from shared.text import plain_words

MAX_WORDS = 400_000
MIN_WORDS = 4  # the three of a question, and an answer
MAX_DIMENSIONS = 10_000
SAMPLE_LINES = 100  # from which the separator and the number of dimensions are inferred
SEPARATORS = (re.compile(r"[ \t]+"), re.compile(r","), re.compile(r";"))
LANGUAGE = re.compile(r"^/c/([a-z]{2,3})/")  # ConceptNet
# A part of speech behind the word: those of Universal Dependencies and the commonest of Penn.
TAG = re.compile(
    r"[_|](ADJ|ADP|ADV|AUX|CCONJ|CONJ|DET|INTJ|NOUN|NUM|PART|PRON|PROPN|PUNCT|SCONJ|SYM|VERB"
    r"|NNPS|NNP|NNS|NN|VB[DGNPZ]?|JJ[RS]?|RB[RS]?)$"
)
KINDS = "word2vec .bin or .txt, GloVe .txt, fastText .vec, gensim .kv or .model"


def read_file(path, max_words=MAX_WORDS):
    """The `Vectors` of a file.

    Words are put into lower case and lose their accents, language prefixes and part-of-speech tags.
    Of words that are equal afterwards the first, the most frequent, is kept. A `.kv` or `.model`
    file contains a pickle, which can run code: read only files that you trust.

    Args:
        path: The file; text and `.bin` files may be packed as `.gz`.
        max_words: Number of words to keep, the first of the file.

    Raises:
        BundleError: if it cannot be read; the message names the line where there is one.
    """
    path = Path(path)
    if not path.is_file():
        raise BundleError(f"There is no file {path}.")
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    read = {".kv": _read_gensim, ".model": _read_gensim, ".bin": _read_binary}
    try:
        words, matrix, note = read.get(suffix, _read_text)(path, max_words)
    except BundleError:
        raise
    except Exception as error:  # a pickle can raise anything
        raise BundleError(f"{path.name} cannot be read as vectors: {KINDS}.") from error
    rows = _normalize(words)
    if len(rows) < MIN_WORDS:
        raise BundleError(f"{path.name} has fewer than four words.")
    matrix = np.asarray(matrix, "float32")[list(rows.values())]
    if not np.isfinite(matrix).all():
        raise BundleError(f"{path.name} holds numbers that are not finite.")
    return Vectors.of(list(rows), matrix, path.name, note)


def split_words(text):
    """The words of a text in any alphabet, in lower case."""
    return re.findall(r"[^\W\d_]+", unicodedata.normalize("NFKC", text).lower())


def _normalize(words):
    """Dict from the words in the form that visitors type to the first row of each."""
    languages = [match[1] if (match := LANGUAGE.match(word)) else "" for word in words]
    has_english = "en" in languages
    rows = {}
    for row, (word, language) in enumerate(zip(words, languages, strict=True)):
        if has_english and language not in ("en", ""):
            continue
        word = TAG.sub("", LANGUAGE.sub("", word)).replace("_", " ")
        parts = plain_words(word) or [part for part in split_words(word) if not part.isascii()]
        if parts:
            rows.setdefault(" ".join(parts), row)
    return rows


def _read_gensim(path, max_words):
    from gensim.utils import SaveLoad

    loaded = SaveLoad.load(str(path), mmap="r")
    vectors = getattr(loaded, "wv", loaded)  # a whole model holds its vectors as `wv`
    return vectors.index_to_key[:max_words], vectors.vectors[:max_words], ""


def _open(path):
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")


def _read_binary(path, max_words):
    """The format of word2vec: a header, then for each word its bytes, a space and float32s."""
    words, rows = [], []
    with _open(path) as file:
        header = _parse_header(file.readline(100).decode("utf-8", "ignore").split())
        if header is None:
            raise BundleError(
                f"{path.name} does not begin with the numbers of words and dimensions."
            )
        count, dimensions = header
        data = file.read(min(count, max_words) * (dimensions * 4 + 300))
    position = 0
    while len(words) < min(count, max_words):
        space = data.find(b" ", position)
        row = data[space + 1 : space + 1 + 4 * dimensions]
        if space < 0 or len(row) < 4 * dimensions:
            break
        words.append(data[position:space].lstrip(b"\n").decode("utf-8", "ignore"))
        rows.append(np.frombuffer(row, "<f4"))
        position = space + 1 + 4 * dimensions
    matrix = np.array(rows).reshape(len(rows), dimensions)
    return words, matrix, _note_count(path, header, words, max_words)


def _read_text(path, max_words):
    """A line for each word: the word, which may contain spaces, and its numbers."""
    with _open(path) as file:
        decoded = (line.decode("utf-8-sig", "ignore").strip("\r\n \t") for line in file)
        lines = ((number, line) for number, line in enumerate(decoded, 1) if line)
        sample = list(islice(lines, SAMPLE_LINES))
        if not sample:
            raise BundleError(f"{path.name} is empty.")
        header = _parse_header(SEPARATORS[0].split(sample[0][1]))
        sample = sample[1:] if header else sample
        separator, dimensions = _infer_format(line for _, line in sample)
        dimensions = header[1] if header else dimensions
        if dimensions < 1:
            raise BundleError(
                f"{path.name}, line 1: there are no numbers behind a word. Accepted are {KINDS}."
            )
        words, rows = [], []
        for number, line in islice(chain(sample, lines), max_words):
            cells = separator.split(line)
            row = _parse_numbers(cells[-dimensions:])
            if row is None or len(row) < dimensions:
                raise BundleError(
                    f"{path.name}, line {number}: expected a word and {dimensions:,} numbers."
                )
            words.append(" ".join(cell.strip() for cell in cells[:-dimensions]))
            rows.append(row)
    return words, np.array(rows), _note_count(path, header, words, max_words)


def _parse_header(cells):
    """The number of words and of dimensions, or None."""
    if len(cells) != 2 or not all(cell.isascii() and cell.isdigit() for cell in cells):
        return None
    count, dimensions = map(int, cells)
    return (count, dimensions) if 1 <= dimensions <= MAX_DIMENSIONS else None


def _infer_format(lines):
    """The separator that gives the most numbers, and the number of them in most lines."""
    lines = list(lines)
    best = SEPARATORS[0], 0
    for separator in SEPARATORS:
        counts = Counter(_count_numbers(separator.split(line)) for line in lines)
        dimensions = counts.most_common(1)[0][0] if counts else 0
        if dimensions > best[1]:
            best = separator, dimensions
    return best


def _count_numbers(cells):
    """How many cells at the end of a line are numbers; the first cell is a word."""
    count = 0
    while count < len(cells) - 1 and _parse_numbers([cells[-1 - count]]) is not None:
        count += 1
    return count


def _parse_numbers(cells):
    try:
        with np.errstate(over="ignore"):
            row = np.array([float(cell) for cell in cells], "float32")
    except ValueError:
        return None
    return row if np.isfinite(row).all() else None


def _note_count(path, header, words, max_words):
    """A sentence if the header of a file states another number of words than it has."""
    if header is None or min(header[0], max_words) == len(words):
        return ""
    return f"{path.name} states {header[0]:,} words but holds {len(words):,}; these are used."
