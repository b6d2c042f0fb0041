"""Reading text: cleaning, word tokens with their positions in the text, and vocabularies."""

import functools
import html
import json
import re
import unicodedata
from array import array

import numpy as np
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from shared import limits
from shared.bundle import BundleError
from shared.errors import UserError

PADDING, UNKNOWN = 0, 1

# Words with their inner apostrophes, parts of hyphenated words, runs of . ! ? and single marks.
_TOKEN = r"[\p{L}\p{M}\p{N}]+(?:'[\p{L}\p{M}]+)*|\.{2,}|!{2,}|\?{2,}|[^\s\p{L}\p{M}\p{N}]"

# References to characters as HTML 5 has them, with or without a semicolon; and numeric ones with
# more digits than any character has, whose numbers Python would refuse.
_REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)")
_LONG_REFERENCE = re.compile(rf"&#[xX]?[0-9a-fA-F]{{{limits.ENTITY_DIGITS + 1},}};?")
_TAG = re.compile(
    r"<(?i:script|style)\b[^<>]{0,200}>[^<]*|<(?:/?[a-zA-Z][^<>]{0,200}|!--[^<>]{0,200})>"
)
# UTF-8 that a program has read as Windows-1252 or Latin-1: Â£ for £, Ã© for é, â€™ for ’.
# Letters before a quotation mark or dash are left as they are.
_BYTES = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
_MISREAD = re.compile(
    f"[ÂÃ][\x80-\xbf€‚ƒ„†‡ˆ‰Š‹ŒŽ˜™š›œžŸ]|â[€\x80][{_BYTES}]?|â[„\x84]¢|â[‚\x82]¬"
    f"|ï»¿|ð[Ÿ\x9f][{_BYTES}][{_BYTES}]"
)

# Control and private characters and lone surrogates, which stand where a space may have been.
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x90\x95-\x9f\ud800-\udfff\ue000-\uf8ff]")
_PICTURES = "\u2190-\u2328\u232b-\u2adb\u2add-\u2bff\U0001f000-\U0001faff"
_KEYCAPS = "0-9#*©®‼⁉™ℹ〰〽㊗㊙"  # what else a variation selector makes an emoji of
# What nobody sees: soft hyphens, joiners, zero-width and direction marks, variation selectors.
# The joiners and selectors that belong to emoji stay.
_INVISIBLE = re.compile(
    "[\xad\u034f\u061c\u180b-\u180f\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff\ufe00-\ufe0e]"
    f"|(?<![{_PICTURES}{_KEYCAPS}])\ufe0f"
    f"|(?<![{_PICTURES}])(?<![{_PICTURES}{_KEYCAPS}]\ufe0f)\u200d|\u200d(?![{_PICTURES}])"
)
_APOSTROPHES = "’‘‛‚´`ʹʻʼʽˈˊˋ′‵՚׳ߴߵꞌ᾽᾿῾\x91\x92"
_QUOTATION_MARKS = "“”„‟″‶〝〞〟ˮ״\x93\x94"
_STRAIGHT = str.maketrans(
    {**dict.fromkeys(_APOSTROPHES, "'"), **dict.fromkeys(_QUOTATION_MARKS, '"')}
)
_SPACES, _ENDS = re.compile(r"\s{2,}|[^\S ]"), re.compile(r"^ | \Z")
_ANGLES = re.compile("[&<]")
# A character with all those behind it that could be composed with it: none that is left out could.
_COMPOSED = re.compile(r"\S[\u0300-\u1fff\u20d0-\U0010ffff]*")
_PLAIN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_FOLDED_RANGES = (
    *((0x0132, 0x0133), (0x0149, 0x0149), (0x017F, 0x017F), (0x01C4, 0x01CC), (0x01F1, 0x01F3)),
    (0xFB00, 0xFDFF),  # ligatures and Arabic presentation forms
    (0xFE50, 0xFEFC),  # small and Arabic presentation forms
    (0xFF01, 0xFF9F),  # full and half width
    (0xFFA1, 0xFFEE),
    (0x1D400, 0x1D7FF),  # mathematical alphabets
)
_FOLDED = {
    code: folded
    for first, last in _FOLDED_RANGES
    for code in range(first, last + 1)
    if not any(map(str.isspace, folded := unicodedata.normalize("NFKC", chr(code))))
}
_FOLDABLE = re.compile(
    "[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in _FOLDED_RANGES) + "]"
)
_ACCENTS = re.compile("[\u0300-\u036f]")


def clean(text):
    """Text as a reader sees it, in one line of composed Unicode with straight quotation marks.

    In this order:

    1. UTF-8 that was read as Windows-1252 is read rightly (donâ€™t → don’t).
    2. Ligatures, full-width forms and mathematical alphabets become ordinary letters (ﬁ → fi,
       Ａ → A, 𝗮 → a).
    3. Soft hyphens, joiners and other characters that nobody sees are deleted, so that a word
       stays one word. Control characters and private ones become spaces.
    4. Of a run of combining marks the first 30 stay, and letters are composed with their marks
       (NFC). The limit keeps the time linear: normalising a long run takes quadratic time.
    5. Every apostrophe and quotation mark becomes ' or ".
    6. White space becomes single spaces.
    7. HTML entities become their characters; each tag, with what a script or a style sheet holds,
       becomes a space. What appears passes through 1 to 6 again, until nothing changes.

    Cleaning a cleaned text changes nothing. `clean_with_places` also tells where its characters
    stood.

    Raises:
        UserError: if the text is longer than `limits.TEXT_CHARACTERS`.
    """
    return _clean(text, re.Pattern.sub)


def clean_with_places(text):
    """The cleaned text, and the `Places` of its characters in the text as it was typed.

    Raises:
        UserError: as `clean`.
    """
    places = Places(text)
    return _clean(text, places.substitute), places


class Places:
    """Where the characters of a text stood before it was changed.

    Args:
        text: The text as it was typed.
    """

    def __init__(self, text):
        self._text = text
        self._starts, self._ends = array("i", range(len(text))), array("i", range(1, len(text) + 1))

    def substitute(self, pattern, replacement, text):
        """`pattern.sub(replacement, text)` of the text as changed so far."""
        parts, starts, ends, position = [], array("i"), array("i"), 0
        for match in pattern.finditer(text):
            start, end = match.span()
            new = replacement(match) if callable(replacement) else replacement
            if new == match[0]:
                continue
            parts += text[position:start], new
            starts += self._starts[position:start] + self._starts[start : start + 1] * len(new)
            ends += self._ends[position:start] + self._ends[end - 1 : end] * len(new)
            position = end
        self._starts, self._ends = starts + self._starts[position:], ends + self._ends[position:]
        return "".join([*parts, text[position:]])

    def find(self, start, end):
        """The (start, end) in the typed text of what stands there in the changed one."""
        return self._starts[start], self._ends[end - 1]

    @property
    def shown(self):
        """The typed text as a page can show it, each of its characters in its place.

        What nobody sees takes no room and turns no writing round: word joiners stand there.
        """
        text = _CONTROLS.sub(" ", self._text)
        if text.isascii():
            return text
        text = _INVISIBLE.sub("\u2060", text)
        return _mark_run().sub(lambda run: run[1].ljust(len(run[0]), "\u2060"), text)


def _clean(text, substitute):
    """`clean`, by a function `substitute(pattern, replacement, text)`."""
    if len(text) > limits.TEXT_CHARACTERS:
        raise UserError(
            f"A text has {len(text):,} characters; at most {limits.TEXT_CHARACTERS:,} are read. "
            "Split it into shorter ones."
        )
    text = _clean_characters(text, substitute)
    for _ in range(limits.ENTITY_LEVELS):
        if "&" not in text and "<" not in text and not _MISREAD.search(text):
            return text
        previous = text
        text = substitute(_LONG_REFERENCE, " ", text)
        text = substitute(_REFERENCE, lambda match: html.unescape(match[0]), text)
        text = _clean_characters(substitute(_TAG, " ", text), substitute)
        if text == previous:
            return text
    # Nobody writes entities within entities within entities.
    text = substitute(_MISREAD, " ", substitute(_ANGLES, " ", text))
    return _clean_characters(text, substitute)


def _clean_characters(text, substitute):
    """Steps 1 to 6 of `clean`."""
    if not text.isascii():
        text = substitute(_MISREAD, _read_again, text)
        text = substitute(_FOLDABLE, lambda match: _FOLDED.get(ord(match[0]), match[0]), text)
        text = substitute(_INVISIBLE, "", text)
    text = substitute(_CONTROLS, " ", text)
    if not text.isascii():
        text = substitute(_mark_run(), lambda run: run[1], text)
        if not unicodedata.is_normalized("NFC", text):
            text = substitute(_COMPOSED, lambda run: unicodedata.normalize("NFC", run[0]), text)
    text = substitute(_SPACES, " ", text.translate(_STRAIGHT))
    return substitute(_ENDS, "", text)


def _read_again(match):
    """What misread bytes stand for; a quotation mark, whose last byte is often lost, for `â€`."""
    raw = b"".join(
        each.encode("latin-1" if each < "\u0100" else "cp1252") for each in match.group()
    )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return '"' if len(raw) == 2 else match.group()


def find_foreign_script(text):
    """The script of most letters of a text, such as `Cyrillic`; None if that is Latin."""
    letters = [character for character in text if character.isalpha()]
    foreign = [letter for letter in letters if not unicodedata.name(letter, "").startswith("LATIN")]
    if len(foreign) <= len(letters) / 2:
        return None
    name = unicodedata.name(foreign[0], "another script").split()[0]
    return name if name == "CJK" else name.capitalize()


def limit_marks(text):
    """Text without what follows the first 30 combining marks of a run."""
    return text if text.isascii() else _mark_run().sub(r"\1", text)


@functools.cache
def _mark_run():
    """The pattern of a run of combining marks that is too long, its beginning as a group."""
    # Three Tibetan vowel signs count as letters but fall apart into marks.
    marks = "".join(chr(code) for code in range(0x300, 0x1F000) if unicodedata.combining(chr(code)))
    return re.compile(
        f"([{marks}\u0f73\u0f75\u0f81]{{{limits.COMBINING_MARKS}}})[{marks}\u0f73\u0f75\u0f81]+"
    )


class _SavedTokenizer:
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


class WordTokenizer(_SavedTokenizer):
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
        """Where the words of a text stand.

        Returns:
            Token numbers, an int32 array; the (start, end) of each word in the text; and the place
            of each word's last token among the numbers.
        """
        encoding = self._tokenizer.encode(text)
        return np.array(encoding.ids, "int32"), encoding.offsets, range(len(encoding.ids))


_LINK = r"(?:https?://|www\.)\S*[^\s.,;:!?)\]\"']"
_MENTION = r"(?<![\p{L}\p{N}])@[\p{L}\p{N}_]+"
_REPLACED = re.compile(rf"{_LINK}|(?<![^\W_])@\w+")
_REPEATED = r"([\p{L}!?])(?=\1\1)"  # all but two of a run


class WordPieceTokenizer(_SavedTokenizer):
    """Lower-cased words and marks; words outside the vocabulary are cut into pieces.

    The longest piece that fits comes first (Schuster & Nakajima 2012), those after it are written
    with `##`: `unwatchably` may become `un ##watch ##ably`. Links and names after @ become one
    token each, and of a letter, ! or ? repeated three times or more two stay. 0 pads; 1 stands for
    a word with a character that never occurred.
    """

    @classmethod
    def train(cls, counts, words, pieces):
        """A tokenizer with the most frequent words, and pieces for the others.

        Args:
            counts: `Counter` of words as `split` gives them.
            words: How many whole words, at most.
            pieces: How many pieces, at most, with the single characters.
        """
        frequent = [word for word, _ in counts.most_common(words)]
        trainer = trainers.WordPieceTrainer(vocab_size=pieces, show_progress=False, min_frequency=3)
        others = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        rest = (word for word, count in counts.most_common()[words:] for _ in range(min(count, 20)))
        others.train_from_iterator(rest, trainer)
        trained = others.get_vocab()
        # Hashtags are words without spaces between them.
        endings = [f"##{word}" for word in frequent[: words // 10] if len(word) >= 4]
        pieces = sorted(trained, key=lambda piece: trained[piece])
        return cls.build(list(dict.fromkeys([*frequent, *pieces, *endings])))

    @classmethod
    def build(cls, vocabulary):
        """A tokenizer for a list of words and pieces."""
        numbers = {piece: n for n, piece in enumerate(["[PAD]", "[UNK]", *vocabulary])}
        tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.Sequence(
            [
                normalizers.Lowercase(),
                normalizers.Replace(Regex(_LINK), "http"),
                normalizers.Replace(Regex(_MENTION), "@"),
                normalizers.Replace(Regex(_REPEATED), ""),
            ]
        )
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_TOKEN), "removed", invert=True)
        return cls(tokenizer)

    @property
    def words(self):
        """The vocabulary as a list, by number."""
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=False)
        return sorted(vocabulary, key=vocabulary.get)

    def split(self, text):
        """The words of a text before they are cut into pieces."""
        text = self._tokenizer.normalizer.normalize_str(text)
        return [word for word, _ in self._tokenizer.pre_tokenizer.pre_tokenize_str(text)]

    def encode(self, texts):
        """Numbers of the tokens of each text: a list of int32 arrays."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        return [np.array(encoding.ids, "int32") for encoding in encodings]

    def locate(self, text):
        """As `WordTokenizer.locate`."""
        encoding = self._tokenizer.encode(text)
        words = np.array(encoding.word_ids)
        last = np.flatnonzero(np.append(words[1:] != words[:-1], True)) if len(words) else []
        # Of what was replaced by one token, the tokenizer knows the last character only.
        replaced = {m.end(): m.start() for m in _REPLACED.finditer(text)}
        spans, first = [], 0
        for token in map(int, last):
            previous = spans[-1][1] if spans else 0
            start, end = encoding.offsets[first][0], encoding.offsets[token][1]
            start = replaced.get(end, start)
            while text[start : start + 1] == text[start - 1 : start] and start > previous:
                start -= 1  # what was left out of a run of characters
            spans.append((start, end))
            first = token + 1
        return np.array(encoding.ids, "int32"), spans, last


def read_tokenizer(path):
    """The `WordTokenizer` or `WordPieceTokenizer` of a file.

    Raises:
        BundleError: if it is missing or damaged.
    """
    tokenizer = WordTokenizer.load(path)
    if isinstance(tokenizer._tokenizer.model, models.WordPiece):
        return WordPieceTokenizer(tokenizer._tokenizer)
    return tokenizer


# A word with the space before it and an elision's apostrophe, a figure, or a run of marks.
_PIECE = r"▁?[\p{L}\p{M}]+'?|▁?\p{N}|▁?[^\p{L}\p{M}\p{N}▁]+|▁"
SPECIAL = ("[PAD]", "[UNK]", "[BEGIN]", "[END]")


class SubwordTokenizer(_SavedTokenizer):
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

    def add(self, characters):
        """Make each of some characters a token of its own, the last ones of the vocabulary."""
        # A space is put before a text, and not before what follows one of these characters.
        parts = json.loads(self._tokenizer.to_str())
        for part in parts["pre_tokenizer"]["pretokenizers"]:
            if part["type"] == "Metaspace":
                part["prepend_scheme"] = "first"
        self._tokenizer = Tokenizer.from_str(json.dumps(parts))
        self._tokenizer.add_tokens([AddedToken(each, normalized=False) for each in characters])
        self.size = self._tokenizer.get_vocab_size()

    def number(self, piece):
        """The number of a token; None if there is no such token."""
        return self._tokenizer.token_to_id(piece)

    def encode(self, texts, dropout=None):
        """Numbers of the tokens of each text, the end token last: a list of int32 arrays.

        Args:
            texts: Texts.
            dropout: Share of the merges that are left out at random, or None.
        """
        lines = [" ".join(text.split()) for text in texts]
        if dropout:
            self._tokenizer.model.dropout = dropout
        encodings = self._tokenizer.encode_batch(lines)
        if dropout:
            self._tokenizer.model.dropout = None
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
    """The words of a text in letters a to z: cleaned, in lower case, without accents or figures.

    The possessive 's is left out, other contractions stay one word, and words in other alphabets
    are left out: `São Paulo’s 3 well-known cafés don’t` gives `sao paulo well known cafes don't`.
    """
    text = unicodedata.normalize("NFKD", clean(text)).lower()
    words = _PLAIN.findall(_ACCENTS.sub("", text))
    return [word for word in (word.removesuffix("'s") for word in words) if word.isascii()]
