"""What of a sentence stood in training, told by a Bloom filter: no training sentence is shipped.

The filter (Bloom 1970) holds hashes of the training half's English: every word, every run of four
words, and every whole sentence. It never misses one of them; something that did not stand there
passes for seen once in a few hundred times, and the bundle's card states how often exactly. With
the corpora at hand (in the folder that `UNROLLED_DATA` names) the nearest sentence itself is found.
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
from shared.plots import percent
from shared.text import clean

BITS, HASHES, RUN = 2**23, 8, 4  # a mebibyte holds the hashes of 670,000 items at 1 error in 400
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
CANDIDATES = 64  # sentences that are compared word by word
# A mean probability of the tokens below which half of the validation translations were poor (less
# than 40 chrF): there the reader is warned.
UNSURE = 0.55


@dataclass(frozen=True)
class Recall:
    """How much of a sentence stood in training.

    Attributes:
        spans: The (start, end) of each word in the sentence.
        known: Whether each word stood in any training sentence.
        exact: Whether the whole sentence did, but for case and punctuation.
        share: The fraction of its runs of four words that did; None below four words.
        longest: The words `(first, after the last)` of the longest stretch in which every run
            of four words did, or None.
    """

    spans: tuple[tuple[int, int], ...]
    known: tuple[bool, ...]
    exact: bool
    share: float | None
    longest: tuple[int, int] | None


class Memory:
    """The filter of the training sentences.

    Args:
        bits: Array `(bytes,)` of whole numbers 0 to 255, eight bits of the filter each.
    """

    def __init__(self, bits):
        self.bits = bits
        full = np.unpackbits(bits).mean()
        # How often something that was never put in is taken for seen.
        self.false_positives = float(full**HASHES)

    @classmethod
    def fit(cls, sentences, bits=BITS):
        """The filter of English sentences."""
        filled = np.zeros(bits, bool)
        items = {item for text in sentences for item in _items(words_of(clean(text)))}
        filled[_places(items, bits)] = True
        return cls(np.packbits(filled))

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
        bundle.save_arrays(folder / "memory.safetensors", {"bits": self.bits})

    def holds(self, items):
        """Whether each of a list of items, as `_items` makes them, was put in: an array."""
        places = _places(items, 8 * len(self.bits))  # (items, hashes)
        return np.all(self.bits[places >> 3] >> (7 - (places & 7)).astype("uint8") & 1, axis=1)

    def recall(self, text):
        """The `Recall` of a sentence."""
        found = list(_WORD.finditer(text.lower()))
        words = [match.group() for match in found]
        held = self.holds(_items(words)).tolist()
        seen = held[len(words) : -1]
        longest, start = None, None
        for n, run in enumerate([*seen, False]):
            if run and start is None:
                start = n
            elif not run and start is not None:
                stretch = (start, n + RUN - 1)
                if longest is None or stretch[1] - stretch[0] > longest[1] - longest[0]:
                    longest = stretch
                start = None
        return Recall(
            spans=tuple(match.span() for match in found),
            known=tuple(held[: len(words)]),
            exact=bool(words) and held[-1],
            share=float(np.mean(seen)) if seen else None,
            longest=longest,
        )


class Corpus:
    """The training sentences themselves, where they lie on this machine.

    Args:
        sentences: List of English sentences.
    """

    def __init__(self, sentences):
        self.sentences = sentences
        self._words = [words_of(text) for text in sentences]
        self._lengths = np.array([len(words) for words in self._words])
        self._places = {}  # for each word the sentences that have it
        for number, words in enumerate(self._words):
            for word in set(words):
                self._places.setdefault(word, []).append(number)

    @classmethod
    @cache
    def load(cls, data_dir, memory):
        """The sentences below `data_dir` that stood in training; None if the corpora are not there.

        Args:
            data_dir: Folder of the corpora.
            memory: The `Memory` that says which sentences these are.
        """
        lines = list(dict.fromkeys(_lines(data_dir)))
        held = memory.holds([_whole(words_of(clean(line))) for line in lines])
        sentences = [line for line, known in zip(lines, held, strict=True) if known]
        return cls(sentences) if sentences else None

    def nearest(self, text):
        """The sentence nearest to a text, and their likeness from 0 to 1.

        Likeness is twice the words that stand in both in one order, divided by the words of
        both (Ratcliff & Metzener 1988, on words).
        """
        words = words_of(text)
        having = [number for word in set(words) for number in self._places.get(word, [])]
        common = np.bincount(np.array(having, int), minlength=len(self._words))
        bound = 2 * common / np.maximum(self._lengths + len(words), 1)
        best = np.argsort(-bound, kind="stable")[:CANDIDATES]
        matcher = SequenceMatcher(autojunk=False)
        matcher.set_seq2(words)
        found = []
        for number in best:
            matcher.set_seq1(self._words[number])
            found.append((matcher.ratio(), -int(number)))
        likeness, number = max(found)
        return self.sentences[-number], likeness


def words_of(text):
    """The words of a text in lower case, without punctuation."""
    return _WORD.findall(text.lower())


def doubts(sentence, recall, usual):
    """Why a translation may be wrong: a list of sentences for the reader, the gravest first.

    Args:
        sentence: A `Sentence`.
        recall: Its `Recall`.
        usual: The length in words that one training sentence in a thousand exceeds.
    """
    if sentence.copied:
        return []
    found = []
    count = len(recall.known)
    strangers = list(
        dict.fromkeys(
            sentence.source[start:end]
            for (start, end), known in zip(recall.spans, recall.known, strict=True)
            if not known and not sentence.source[start:end].isdigit()
        )
    )
    named = ", ".join(f"“{word}”" for word in strangers[:4]) + (" …" if len(strangers) > 4 else "")
    if len(strangers) > 1 and len(strangers) > count / 3:
        found.append(
            f"{len(strangers)} of its {count} words are in no training sentence ({named}). If "
            "this is English at all, it is far from anything the network has read: do not trust "
            "the translation."
        )
    elif strangers:
        found.append(
            f"No training sentence contains {named}: such words are spelt from pieces, and often "
            "wrongly."
        )
    if count > usual:
        found.append(
            f"It has {count} words; of 1,000 training sentences 999 have at most {usual}. The "
            "network has hardly practised such lengths: shorter sentences are safer."
        )
    if sentence.confidence < UNSURE:
        found.append(
            f"The network itself is unsure: a token had a chance of {percent(sentence.confidence)} "
            "on average."
        )
    return found


def _items(words):
    return [*words, *_runs(words), _whole(words)]


def _runs(words):
    return [" ".join(words[n : n + RUN]) for n in range(len(words) - RUN + 1)]


def _whole(words):
    return f"^{' '.join(words)}$"


def _places(items, bits):
    """Where each item sets its bits, `(items, hashes)`."""
    digests = b"".join(hashlib.blake2b(item.encode(), digest_size=16).digest() for item in items)
    # Two hashes make as many as are needed (Kirsch & Mitzenmacher 2006).
    first, second = np.frombuffer(digests, "<u8").reshape(-1, 2).T[..., None]
    return ((first + np.arange(HASHES, dtype="u8") * (second | 1)) % bits).astype("int64")


def _lines(data_dir):
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
