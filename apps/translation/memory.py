"""How much of a sentence occurs in the training data, by a Bloom filter.

No training sentence is shipped. The filter (Bloom 1970) holds hashes of the English half of the
training data: every word, every run of four words, and every whole sentence. It recognises all of
them, and takes something else for one of them once in a few hundred times; the card of the bundle
has the exact rate. If the corpora are on this machine, in the folder that `UNROLLED_DATA` names,
the most similar training sentence itself can be found.
"""

import gzip
import hashlib
import lzma
import re
import zipfile
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache

import numpy as np

from shared import bundle
from shared.text import clean

FILTER_BITS, HASHES = 2**23, 8  # 1 MiB: 670,000 items at a false-positive rate of 1 in 400
RUN_WORDS = 4
CANDIDATES = 64  # sentences that are compared word by word
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


@dataclass(frozen=True)
class Overlap:
    """How much of a sentence occurs in the training data.

    Attributes:
        spans: The (start, end) of each word in the sentence.
        words: Whether each word occurs.
        sentence: Whether the whole sentence occurs, up to case and punctuation.
        share: Fraction of its runs of four words that occur; None below four words.
        longest: The words `(first, last + 1)` of the longest stretch in which every run of four
            words occurs, or None.
    """

    spans: tuple[tuple[int, int], ...]
    words: tuple[bool, ...]
    sentence: bool
    share: float | None
    longest: tuple[int, int] | None


class Memory:
    """The Bloom filter of the training sentences.

    Args:
        bits: Array `(bytes,)` of uint8, eight bits of the filter each.
    """

    def __init__(self, bits):
        self.bits = bits
        self.false_positives = float(np.unpackbits(bits).mean() ** HASHES)

    @classmethod
    def fit(cls, sentences, bits=FILTER_BITS):
        """The filter, of so many bits, of English sentences."""
        is_set = np.zeros(bits, bool)
        items = {item for text in sentences for item in _items(words_of(clean(text)))}
        is_set[_bit_positions(items, bits)] = True
        return cls(np.packbits(is_set))

    @classmethod
    @cache
    def load(cls, folder):
        """The filter of a bundle.

        Raises:
            BundleError: if it is missing or damaged.
        """
        arrays = bundle.load_arrays(folder / "memory.safetensors")
        if "bits" not in arrays:
            raise bundle.BundleError(f"{folder.name}/memory.safetensors cannot be read.")
        return cls(arrays["bits"])

    def save(self, folder):
        """Write the filter into the folder of a bundle."""
        bundle.save_arrays(folder / "memory.safetensors", {"bits": self.bits})

    def contains(self, items):
        """Whether each item of a list (see `_items`) is in the filter: `(items,)`."""
        positions = _bit_positions(items, 8 * len(self.bits))  # (items, hashes)
        bits = self.bits[positions >> 3] >> (7 - (positions & 7)).astype("uint8") & 1
        return np.all(bits, axis=1)

    def overlap(self, text):
        """The `Overlap` of a sentence with the training data."""
        matches = list(_WORD.finditer(text.lower()))
        words = [match.group() for match in matches]
        *occurs, sentence = self.contains(_items(words)).tolist()
        runs = occurs[len(words) :]
        return Overlap(
            spans=tuple(match.span() for match in matches),
            words=tuple(occurs[: len(words)]),
            sentence=bool(words) and sentence,
            share=float(np.mean(runs)) if runs else None,
            longest=_longest_stretch(runs),
        )


def _longest_stretch(runs):
    """The words (first, last + 1) of the longest sequence of runs that are all True, or None."""
    longest, start = None, 0
    for n, occurs in enumerate([*runs, False]):
        if occurs:
            continue
        stretch = (start, n + RUN_WORDS - 1)
        if n > start and (longest is None or stretch[1] - stretch[0] > longest[1] - longest[0]):
            longest = stretch
        start = n + 1
    return longest


class Corpus:
    """The training sentences, for a machine that has the corpora.

    Args:
        sentences: List of English sentences.
    """

    def __init__(self, sentences):
        self.sentences = sentences
        self._words = [words_of(text) for text in sentences]
        self._lengths = np.array([len(words) for words in self._words])
        self._sentences_with = {}  # word -> numbers of the sentences that have it
        for number, words in enumerate(self._words):
            for word in set(words):
                self._sentences_with.setdefault(word, []).append(number)

    @classmethod
    @cache
    def load(cls, data_dir, memory):
        """The training sentences of the corpora; None if the corpora are not there.

        Args:
            data_dir: Folder of the corpora.
            memory: The `Memory`, which decides which sentences were in training.
        """
        lines = list(dict.fromkeys(_read_lines(data_dir)))
        in_training = memory.contains([_whole(words_of(clean(line))) for line in lines])
        sentences = [line for line, known in zip(lines, in_training, strict=True) if known]
        return cls(sentences) if sentences else None

    def nearest(self, text):
        """The sentence most similar to a text, and the similarity, from 0 to 1.

        Similarity is twice the number of words that occur in both in the same order, divided by
        the words of both (Ratcliff & Metzener 1988, on words).
        """
        words = words_of(text)
        sharing = [number for word in set(words) for number in self._sentences_with.get(word, [])]
        common = np.bincount(np.array(sharing, int), minlength=len(self._words))
        upper_bound = 2 * common / np.maximum(self._lengths + len(words), 1)
        matcher = SequenceMatcher(autojunk=False)
        matcher.set_seq2(words)
        similarities = []
        for number in np.argsort(-upper_bound, kind="stable")[:CANDIDATES]:
            matcher.set_seq1(self._words[number])
            similarities.append((matcher.ratio(), -int(number)))
        similarity, number = max(similarities)  # the first of equally similar ones
        return self.sentences[-number], similarity


def words_of(text):
    """The words of a text in lower case, without punctuation."""
    return _WORD.findall(text.lower())


def _items(words):
    """What the filter holds of a sentence: its words, its runs of words, and its whole."""
    return [*words, *_runs(words), _whole(words)]


def _runs(words):
    return [" ".join(words[n : n + RUN_WORDS]) for n in range(len(words) - RUN_WORDS + 1)]


def _whole(words):
    return f"^{' '.join(words)}$"


def _bit_positions(items, bits):
    """The positions of the bits of each item, `(items, hashes)`, in a filter of so many bits."""
    digests = b"".join(hashlib.blake2b(item.encode(), digest_size=16).digest() for item in items)
    # Any number of hashes can be made of two (Kirsch & Mitzenmacher 2006).
    first, second = np.frombuffer(digests, "<u8").reshape(-1, 2).T[..., None]
    return ((first + np.arange(HASHES, dtype="u8") * (second | 1)) % bits).astype("int64")


def _read_lines(data_dir):
    """The English lines of the corpora in `data_dir`, as downloaded or repacked."""
    folder = data_dir / "translation"
    for path, column in (
        (folder / "multi30k_train.en.xz", 0),
        (folder / "tatoeba_en_fr.tsv.xz", 1),
        (data_dir / "train.en.gz", 0),
        (data_dir / "fra-eng.zip", 0),
    ):
        if not path.exists():
            continue
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as files:
                text = files.read("fra.txt")
        else:
            text = {".xz": lzma, ".gz": gzip}[path.suffix].decompress(path.read_bytes())
        for line in text.decode("utf-8").splitlines():
            yield line.split("\t")[column].strip()
