"""Reading text: cleaning, word tokens with their places in the text, and vocabularies."""

import html
import re
import unicodedata

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from shared.bundle import BundleError

PADDING, UNKNOWN = 0, 1

# Words with inner apostrophes and hyphens kept apart, runs of . ! ? as one mark, others singly.
_TOKEN = r"[\p{L}\p{M}\p{N}]+(?:'[\p{L}\p{M}]+)*|\.{2,}|!{2,}|\?{2,}|[^\s\p{L}\p{M}\p{N}]"
_TAG = re.compile(r"<(?:/?[a-zA-Z][^<>]{0,200}|!--[^<>]{0,200})>")
# Control, direction and private characters, lone surrogates; not the joiner that emoji need.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ud800-\udfff\ue000-\uf8ff]"
)
_PLAIN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_MARKS = re.compile("[\u0300-\u036f]")
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "´": "'", "`": "'", "“": '"', "”": '"'})


def clean(text):
    """Text without HTML tags, entities and control characters, in composed Unicode, one line.

    Typographic apostrophes and quotation marks become straight ones, so that don’t is don't.
    """
    text = html.unescape(_TAG.sub(" ", text)).translate(_APOSTROPHES)
    text = _INVISIBLE.sub(" ", unicodedata.normalize("NFC", text))
    return " ".join(text.split())


class _Stored:
    """A thin wrapper around `tokenizers.Tokenizer`, stored as its JSON."""

    def __init__(self, tokenizer):
        self._tokenizer = tokenizer
        self.size = tokenizer.get_vocab_size()

    @classmethod
    def load(cls, path):
        """The tokeniser of a file.

        Raises:
            BundleError: if it is missing or damaged.
        """
        try:
            return cls(Tokenizer.from_file(str(path)))
        except Exception as error:  # tokenizers raises bare Exceptions
            raise BundleError(f"{path.parent.name}/{path.name} cannot be read.") from error

    def save(self, path):
        self._tokenizer.save(str(path), pretty=False)


class WordTokenizer(_Stored):
    """Words and punctuation marks, lower-cased, numbered by frequency: 0 pads, 1 is unknown."""

    @classmethod
    def build(cls, words):
        """A tokenizer for a list of words, the most frequent first."""
        vocabulary = {word: n for n, word in enumerate(["[PAD]", "[UNK]", *words])}
        tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.Lowercase()
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_TOKEN), "removed", invert=True)
        return cls(tokenizer)

    @property
    def words(self):
        """The vocabulary as a list, by number."""
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=False)
        return sorted(vocabulary, key=vocabulary.get)

    def split(self, text):
        """The words of a text as training sees them, in or out of the vocabulary."""
        pieces = self._tokenizer.pre_tokenizer.pre_tokenize_str(text.lower())
        return [word for word, _ in pieces]

    def encode(self, texts):
        """Numbers of the words of each text: a list of int32 arrays."""
        encodings = self._tokenizer.encode_batch(list(texts))
        return [np.array(encoding.ids, "int32") for encoding in encodings]

    def locate(self, text):
        """Numbers and places: an int32 array, and the (start, end) of each word in the text."""
        encoding = self._tokenizer.encode(text)
        return np.array(encoding.ids, "int32"), encoding.offsets


# A word with the space before it and an elision's apostrophe, a figure, or a run of marks.
_PIECE = r"▁?[\p{L}\p{M}]+'?|▁?\p{N}|▁?[^\p{L}\p{M}\p{N}▁]+|▁"
SPECIAL = ("[PAD]", "[UNK]", "[BEGIN]", "[END]")


class SubwordTokenizer(_Stored):
    """Byte-pair encoding (Sennrich, Haddow & Birch 2016) that keeps case and spaces.

    0 pads, 1 is unknown, 2 begins and 3 ends a sentence. `decode` gives back the text that was
    encoded, with one space where there were several.
    """

    @classmethod
    def train(cls, texts, size):
        """A tokenizer with at most `size` tokens, merged by frequency in an iterable of texts."""
        tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Metaspace(split=False),
                pre_tokenizers.Split(Regex(_PIECE), "isolated"),
            ]
        )
        tokenizer.decoder = decoders.Metaspace()
        trainer = trainers.BpeTrainer(
            vocab_size=size, special_tokens=list(SPECIAL), min_frequency=2, show_progress=False
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer)

    def encode(self, texts):
        """Numbers of the tokens of each text, the end token last: a list of int32 arrays."""
        encodings = self._tokenizer.encode_batch([" ".join(text.split()) for text in texts])
        end = SPECIAL.index("[END]")
        return [np.array([*encoding.ids, end], "int32") for encoding in encodings]

    def pieces(self, numbers):
        """The tokens as they are written, `▁` where a space precedes: a list of strings."""
        return [self._tokenizer.id_to_token(int(number)) for number in numbers]

    def decode(self, numbers):
        """The text of a sequence of numbers, without the special tokens."""
        return self._tokenizer.decode([int(number) for number in numbers])


def pad(sequences, length):
    """An int32 array `(batch, length)`, each sequence cut or padded on the right with zeros."""
    padded = np.full((len(sequences), length), PADDING, "int32")
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence[:length]
    return padded


def choose_bucket(sizes, needed):
    """The smallest of the ascending sizes that is at least `needed`, else the largest.

    Padding to few sizes keeps the number of compiled graphs small.
    """
    return next((size for size in sizes if size >= needed), sizes[-1])


def plain_words(text):
    """The words of a text in letters a to z: lower case, no accents, no figures, no possessive 's.

    `São Paulo’s 3 well-known cafés` gives `sao paulo well known cafes`; don't stays one word, and
    words in other alphabets are left out.
    """
    text = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES)).lower()
    words = _PLAIN.findall(_MARKS.sub("", text))
    return [word for word in (word.removesuffix("'s") for word in words) if word.isascii()]
