"""Translation of English text: sentences, beam search, attention and confidence."""

import re
import threading
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from keras import ops

from apps.translation import BEAM_WIDTH, LENGTH_PENALTY, MAX_CHARACTERS, copies, forms
from apps.translation.dictionary import Dictionary
from apps.translation.model import BEGIN, END, UNKNOWN, Translator
from apps.translation.quality import Quality
from apps.translation.reading import read
from shared import bundle
from shared.compiled import Compiled
from shared.errors import UserError
from shared.limits import MAX_LENGTH_PENALTY, check_search
from shared.text import SPECIAL, SubwordTokenizer, choose_bucket, clean, find_foreign_script, pad
from unrolled.decoding import (
    MIN_LOG_PROBABILITY,
    beam_search,
    constrained,
    length_penalty,
)

FOLDER = bundle.MODELS / "translation"
PADDED_LENGTHS = (8, 16, 24, 48, 96)  # in tokens; there is one compiled graph for each
BATCH_SIZES = (1, 16)

LEAST_LENGTH = 0.3  # tokens of a translation by tokens of its source; of training pairs 99.9 % have
MAX_FORMS = 3  # of a sentence, beside its translation
SPLIT_WORDS = 30  # a sentence with more words is split, where it can be

# A full stop after these does not end a sentence.
_ABBREVIATIONS = (
    r"Mr|Mrs|Ms|Dr|St|Prof|Sr|Jr|Gen|Col|Capt|Lt|Sgt|Rev|Hon|vs|etc|approx|dept|est|Inc|Ltd|Corp|Jan"
    r"|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec|Fig|Vol|pp|Ave|Blvd|Rd|e\.g|i\.e|[ap]\.m|U\.[SK]"
)
_ABBREVIATION = "".join(rf"(?<!\b{each})" for each in _ABBREVIATIONS.split("|")) + r"(?<!\b[A-Z])"
_SENTENCE_END = re.compile(rf"((?:[!?…]|{_ABBREVIATION}\.)[\"')\]]*)\s+(?=[\"'(\[¿¡]?[A-Z0-9])")
# Before an item of a list, or a message of a chat: `- `, `2. `, `[12/05/24, 18:03] Anna: `.
_LIST_MARK = re.compile(
    r"[ \t]*(?:[-*•–—▪◦‣>]|\(?\d{1,3}[.)]|[a-zA-Z]\))[ \t]+"
    r"|\u200e?\[?\d{1,4}[./-]\d{1,2}[./-]\d{1,4},? \d{1,2}:\d\d(?::\d\d)?(?:\s[AaPp]\.?[Mm]\.?)?"
    r"\]?(?: -)? [^:\n]{1,40}: |[ \t]+"
)
_WEB_ADDRESS = re.compile(r"(?:https?://|www\.)\S+")
_CLAUSE_END = re.compile(
    r"[,;:]\s+|\s+(?=(?:and|but|because|so|then|when|while|although|which|or|if)\s)", re.IGNORECASE
)
_FRENCH = {
    "le",
    "la",
    "les",
    "des",
    "est",
    "une",
    "dans",
    "pas",
    "que",
    "qui",
    "je",
    "vous",
    "nous",
    "il",
    "elle",
    "et",
}
_ENGLISH = {
    "the",
    "a",
    "an",
    "is",
    "are",
    "was",
    "of",
    "to",
    "in",
    "and",
    "you",
    "he",
    "she",
    "it",
    "we",
    "they",
    "not",
}


@dataclass(frozen=True)
class Hypothesis:
    """One translation of a sentence.

    Attributes:
        text: The French text, in French spacing.
        pieces: Its tokens, with `▁` where a space precedes and the end token last.
        probabilities: The probability of each token, `(tokens,)`.
        attention: Attention weights `(tokens, source tokens)`; zeros without attention.
        score: Log-probability divided by the length penalty.
    """

    text: str
    pieces: tuple[str, ...]
    probabilities: np.ndarray
    attention: np.ndarray
    score: float

    @property
    def log_probability(self):
        """Of all tokens together."""
        return float(np.log(np.maximum(self.probabilities, 1e-30)).sum())


@dataclass(frozen=True)
class Sentence:
    """A sentence and its translations, the best first.

    Attributes:
        source: The English sentence.
        pieces: Its tokens, the end token last.
        hypotheses: The distinct translations that the search found; one copy of the source if
            there was nothing to translate.
        tree: The nodes of the beam search, arrays `(steps, 2 * width)`, as in
            `unrolled.decoding.Beams`; None for a copy.
        copied: Whether there was nothing to translate.
        read_tokens: How many of its tokens were read: the first ones, if it was too long.
        unknown_characters: How many of its tokens are unknown.
        is_cut_off: Whether the translation reached the maximum length before it ended.
        copies: The French forms of what was copied, by their placeholders.
        risk: The estimated probability that the translation is poor; None if there is no estimate.
        is_doubtful: Whether the risk is above the threshold of the estimate.
        forms: Translations for another addressee or speaker: tu or vous, feminine or plural.
    """

    source: str
    pieces: tuple[str, ...]
    hypotheses: tuple[Hypothesis, ...]
    tree: dict | None = None
    copied: bool = False
    read_tokens: int | None = None
    unknown_characters: int = 0
    is_cut_off: bool = False
    copies: dict = field(default_factory=dict)
    risk: float | None = None
    is_doubtful: bool = False
    forms: tuple[str, ...] = ()

    @property
    def text(self):
        """The best translation."""
        return self.hypotheses[0].text

    @property
    def confidence(self):
        """The geometric mean of the probabilities of its tokens."""
        return _geometric_mean(self.hypotheses[0].probabilities)


@dataclass(frozen=True, eq=False)  # compared by identity, as arrays have no truth value
class Translation:
    """A text and its translation.

    Attributes:
        text: The French text, with the line breaks of the English one.
        lines: For every line a tuple of its `Sentence`s.
    """

    text: str
    lines: tuple[tuple[Sentence, ...], ...]

    @property
    def sentences(self):
        """The sentences of all lines."""
        return tuple(sentence for line in self.lines for sentence in line)

    @property
    def confidence(self):
        """The geometric mean of the probabilities of all tokens; None if all was copied."""
        translated = [each.hypotheses[0] for each in self.sentences if not each.copied]
        if not translated:
            return None
        return _geometric_mean(np.concatenate([each.probabilities for each in translated]))


def _geometric_mean(probabilities):
    return float(np.exp(np.log(np.maximum(probabilities, 1e-9)).mean()))


def check_text(text):
    """Refuse a text that cannot be translated.

    Raises:
        UserError: if it is empty, too long, in another script, or French.
    """
    if not isinstance(text, str) or not text.strip():
        raise UserError("There is nothing to translate yet. Type a sentence in English.")
    if len(text) > MAX_CHARACTERS:
        raise UserError(
            f"This text has {len(text):,} characters; at most {MAX_CHARACTERS:,} are translated at "
            "once. Shorten it, or upload it as a file."
        )
    text = clean(text)
    if script := find_foreign_script(text):
        raise UserError(
            f"This text is mostly in another alphabet ({script}). The network translates from "
            "English: try an English sentence."
        )
    words = re.findall(r"[^\W\d_]+", text.lower())
    french, english = (sum(word in common for word in words) for common in (_FRENCH, _ENGLISH))
    if french > 1 and french > 2 * english:
        raise UserError("This looks like French already. Type English on this side.")


def best_by_length_penalty(hypotheses, steps=40):
    """Which hypothesis has the best score at each length penalty.

    Args:
        hypotheses: Of one sentence.
        steps: Number of intervals between 0 and `MAX_LENGTH_PENALTY` at whose ends to compare.

    Returns:
        List of (lowest penalty, highest penalty, index of the hypothesis), by penalty.
    """
    alphas = np.linspace(0, MAX_LENGTH_PENALTY, steps + 1)
    log_probabilities = np.array([each.log_probability for each in hypotheses])
    lengths = np.array([len(each.pieces) for each in hypotheses])
    penalties = np.stack([np.asarray(length_penalty(lengths, alpha)) for alpha in alphas])
    best = np.argmax(log_probabilities / penalties, axis=1)
    starts = np.flatnonzero(np.append(True, best[1:] != best[:-1]))
    ends = np.append(starts[1:], len(best)) - 1
    return [
        (float(alphas[start]), float(alphas[end]), int(best[start]))
        for start, end in zip(starts, ends, strict=True)
    ]


def split_lines(text):
    """The lines of a text; those into which a sentence was cut, as in a PDF or a mail, are one.

    A line belongs to the one before if it begins with a small letter, and that one is the beginning
    of a sentence: a capital letter, three words or more, and no stop.
    """
    lines = []
    for line in text.split("\n"):
        if lines and line[:1].islower() and _is_cut(lines[-1]):
            lines[-1] = f"{lines[-1].rstrip()} {line}"
        else:
            lines.append(line)
    return lines


def _is_cut(line):
    _, text = split_list_mark(line.rstrip())
    ends_within = text[-1:].isalnum() or text[-1:] == ","
    return text[:1].isupper() and ends_within and len(text.split(maxsplit=2)) > 2


def split_list_mark(line):
    """A line as what stands before its text, such as spaces or `2. `, and the rest."""
    match = _LIST_MARK.match(line)
    if not match or not _has_words(line[match.end() :]):
        return "", line
    return match.group(), line[match.end() :]


def split_sentences(line):
    """The sentences of a line; a line without words stays whole.

    A sentence of more than `SPLIT_WORDS` words is split between clauses as well.
    """
    if not _has_words(line):
        return [line.strip()] if line.strip() else []
    sentences = _SENTENCE_END.sub("\\1\n", copies.clean(line)).split("\n")
    return [part for sentence in sentences for part in _split_clauses(sentence)]


def _split_clauses(sentence):
    """A sentence in parts of at most `SPLIT_WORDS` words, as far as it has ends of clauses."""
    parts = [sentence]
    while True:
        longest = max(parts, key=lambda part: len(part.split()))
        words = len(longest.split())
        if words <= SPLIT_WORDS:
            return parts
        middle = len(longest) / 2
        ends = [
            match
            for match in _CLAUSE_END.finditer(longest)
            if min(len(longest[: match.end()].split()), len(longest[match.end() :].split())) > 3
        ]
        if not ends:
            return parts
        best = min(ends, key=lambda match: abs(match.end() - middle))
        place = parts.index(longest)
        parts[place : place + 1] = [longest[: best.end()].rstrip(), longest[best.end() :]]


def french_spacing(text):
    """Text with the narrow spaces that French sets before `? ! ;` and inside « », after NF Z 44."""
    text = re.sub(r"(?: |(?<![?!; ]))([?!;]++)(?=\s|$|[»\"')])", "\u202f\\1", text)
    text = re.sub(r" :(?=\s|$)", "\u00a0:", text)
    return re.sub(r"« ?", "«\u00a0", re.sub(r" ?»", "\u00a0»", text)).strip()


class Predictor:
    """A trained translator.

    Load with `Predictor.load(variant)`; safe to use from several threads.
    """

    _lock = threading.Lock()

    def __init__(self, network, tokenizer, card, known_words=None):
        """
        Args:
            network: A `Translator`.
            tokenizer: Its `SubwordTokenizer`.
            card: The network's part of the card of the bundle.
            known_words: The lower-cased English words that are not taken for names; None to take
                no word for a name.
        """
        self.network = network
        self.tokenizer = tokenizer
        self.card = card
        self.known_words = known_words
        self._quality = Quality(**card["quality"]["estimate"]) if "quality" in card else None
        size = network.options["vocabulary"]
        pieces = tokenizer.pieces(range(size))
        self.words = np.array([any(map(str.isalnum, piece)) for piece in pieces])
        self.slots = sum(piece in copies.ALL_PLACEHOLDERS for piece in pieces)
        self.words[size - self.slots :] = True
        self.words[: len(SPECIAL)] = False
        self.words[UNKNOWN] = True
        self._searches = {}  # compiled beam search by width

    @classmethod
    def load(cls, variant="attention", folder=None):
        """A network of a bundle, read once per process.

        Args:
            variant: One of the card's variants.
            folder: Path of a bundle; the shipped one if None.

        Raises:
            BundleError: if there is no such variant, or files are missing or damaged.
        """
        return _load(variant, folder or FOLDER)

    def translate(self, text, width=BEAM_WIDTH, alpha=LENGTH_PENALTY):
        """The `Translation` of a text of any number of lines and sentences.

        Args:
            text: English.
            width: Beam width.
            alpha: Exponent of the length penalty.

        Raises:
            UserError: if the text has nothing to translate, or the search is out of range.
        """
        check_text(text)
        check_search(width, alpha)
        return self.translate_all([text], width, alpha)[0]

    def with_forms(self, translation, width=BEAM_WIDTH, alpha=LENGTH_PENALTY):
        """A `Translation` whose sentences have their `forms`, up to `MAX_FORMS` each.

        The other form of address comes from a second search, without the words of the first; the
        forms of either that differ in agreement are among the translations found.
        """
        found = {}  # number of a sentence -> its translations in the other form of address
        for avoid in (forms.FORMAL, forms.FAMILIAR):
            rows = [
                (number, sentence)
                for number, sentence in enumerate(translation.sentences)
                if not sentence.copied and forms.avoid_address(sentence.text) == avoid
            ]
            sources = [sentence.source for _, sentence in rows]
            others = self.translate_sentences(sources, width, alpha, avoid) if rows else []
            for (number, sentence), other in zip(rows, others, strict=True):
                if forms.is_other_address(sentence.text, other.text):
                    found[number] = other.hypotheses
        sentences = iter(
            replace(sentence, forms=_forms(sentence, found.get(number, ())))
            for number, sentence in enumerate(translation.sentences)
        )
        lines = tuple(tuple(next(sentences) for _ in line) for line in translation.lines)
        return Translation(translation.text, lines)

    def translate_all(self, texts, width=BEAM_WIDTH, alpha=LENGTH_PENALTY):
        """`Translation`s of many texts, unchecked; arguments as for `translate`."""
        lines = [[split_list_mark(line) for line in split_lines(text)] for text in texts]
        split_texts = [[split_sentences(rest) for _, rest in marked] for marked in lines]
        sources = [sentence for split in split_texts for line in split for sentence in line]
        sentences = iter(self.translate_sentences(sources, width, alpha))
        translations = []
        for marked, split in zip(lines, split_texts, strict=True):
            translated = tuple(tuple(next(sentences) for _ in line) for line in split)
            text = "\n".join(
                mark + " ".join(sentence.text for sentence in line)
                for (mark, _), line in zip(marked, translated, strict=True)
            )
            translations.append(Translation(text, translated))
        return translations

    def translate_sentences(self, texts, width=BEAM_WIDTH, alpha=LENGTH_PENALTY, avoid=()):
        """`Sentence`s for a list of single sentences, in its order; batched by length.

        Args:
            texts: English sentences.
            width: Beam width.
            alpha: Exponent of the length penalty.
            avoid: Tokens, as in `Hypothesis.pieces`, that must not be written.
        """
        readings = [
            (number, reading)
            for number, text in enumerate(texts)
            if _has_words(text)
            for reading in read(text, self.tokenizer, self.slots > 0, self.known_words)
        ]
        sources = self.tokenizer.encode([reading.text for _, reading in readings])
        lengths = np.array([len(source) for source in sources], int)
        order = np.argsort(lengths, kind="stable")
        bias = np.zeros(len(self.words), "float32")
        bias[[number for number in map(self.tokenizer.number, avoid) if number]] = -1e4
        sentences = {}
        for start in range(0, len(order), BATCH_SIZES[-1]):
            rows = order[start : start + BATCH_SIZES[-1]]
            time = choose_bucket(PADDED_LENGTHS, lengths[rows[-1]])
            padded = np.zeros((choose_bucket(BATCH_SIZES, len(rows)), time), "int32")
            padded[: len(rows)] = pad([sources[row] for row in rows], time)
            beams = self._search(width)(padded, np.float32(alpha), bias)
            lanes = [np.asarray(array) for array in (*beams.sequences, beams.normalized_scores)]
            tree = {name: np.asarray(array) for name, array in beams.tree.items()}
            for place, row in enumerate(rows):
                number, reading = readings[row]
                sentence = self._make_sentence(
                    texts[number],
                    reading,
                    sources[row],
                    [array[place] for array in lanes],
                    {name: array[place] for name, array in tree.items()},
                    time,
                )
                other = sentences.get(number)
                if other is None or sentence.hypotheses[0].score > other.hypotheses[0].score:
                    sentences[number] = sentence
        return [sentences.get(n) or _copy(text) for n, text in enumerate(texts)]

    def _search(self, width):
        with self._lock:
            if width not in self._searches:
                self._searches[width] = Compiled(
                    make_search(self.network, width, self.words, self.slots)
                )
            return self._searches[width]

    def _make_sentence(self, text, reading, source, lanes, tree, max_tokens):
        """The `Sentence` of one row of a batch; `lanes` are its arrays of `Beams`, lanes first."""
        hypotheses = {}  # by tokens: the same tokens may end in several lanes
        pieces = tuple(reading.english.get(piece, piece) for piece in self.tokenizer.pieces(source))
        for tokens, length, score, log_probabilities, attention, normalised in zip(
            *lanes, strict=True
        ):
            numbers = tuple(int(token) for token in tokens[:length])
            if score < MIN_LOG_PROBABILITY / 10 or numbers in hypotheses:
                continue
            attention = attention[:length, : len(source)]
            hypotheses[numbers] = Hypothesis(
                text=reading.restore(self._decode(numbers, attention, pieces)),
                pieces=tuple(map(reading.restore_piece, self.tokenizer.pieces(numbers))),
                probabilities=np.exp(log_probabilities[:length]),
                attention=attention,
                score=float(normalised),
            )
        # One that says nothing or has not ended comes after the others.
        found = sorted(
            hypotheses.values(),
            key=lambda each: (not each.text.strip(), each.pieces[-1] != SPECIAL[END]),
        )
        sentence = Sentence(
            source=text,
            pieces=pieces,
            hypotheses=tuple(found),
            tree=tree,
            read_tokens=min(len(source), max_tokens),
            unknown_characters=int(np.sum(source == UNKNOWN)),
            is_cut_off=found[0].pieces[-1] != SPECIAL[END],
            copies=reading.french,
        )
        if self._quality is None:
            return sentence
        risk = self._quality.probability(sentence, self.known_words)
        return replace(sentence, risk=risk, is_doubtful=risk >= self._quality.threshold)

    def _decode(self, tokens, attention, source_pieces):
        """The text of tokens; an unknown one is the source's most attended (Luong et al. 2015)."""
        parts, run = [], []
        for token, weights in zip(tokens, attention, strict=True):
            if token == UNKNOWN and weights.any():
                parts += [self.tokenizer.decode(run), source_pieces[int(weights.argmax())]]
                run = []
            elif token != END:
                run.append(token)
        return french_spacing("".join([*parts, self.tokenizer.decode(run)]).replace("▁", " "))


def _forms(sentence, others):
    """The other forms of a `Sentence`; `others` are its translations with the other address."""
    found = [others[0].text] if others else []
    for first, *rest in filter(None, (sentence.hypotheses, others)):
        found += [each.text for each in rest if forms.differ_in_agreement(first.text, each.text)]
    return tuple(dict.fromkeys(found))[:MAX_FORMS]


def make_search(network, width, words, slots):
    """A function of padded sources `(rows, time)`, a length penalty and a bias that gives `Beams`.

    Args:
        network: A `Translator`.
        width: Beam width.
        words: Booleans `(vocabulary,)`, which tokens are words, parts of words or placeholders.
        slots: Number of placeholders, the last tokens of the vocabulary.
    """
    vocabulary = len(words)

    def search(source, alpha, bias):
        memory, mask, states = network.encode(source)

        def step(tokens, states):
            return network.step(tokens, states, memory, mask)

        begin = ops.full((source.shape[0],), BEGIN, "int32")
        max_steps = source.shape[1] * 3 // 2 + 8
        length = ops.sum(ops.cast(ops.not_equal(source, 0), "float32"), axis=1) - 1
        placeholders = ops.arange(vocabulary - slots, vocabulary, dtype="int32")
        required = ops.any(ops.equal(source[:, :, None], placeholders), axis=1)
        limited, states = constrained(
            step, states, END, max_steps, words, ops.floor(LEAST_LENGTH * length), required, bias
        )
        return beam_search(limited, states, begin, END, max_steps, width, alpha)

    return search


def _has_words(text):
    """Whether there is a letter outside web and mail addresses."""
    return any(character.isalpha() for character in _without_copies(text))


def _without_copies(text):
    text = _WEB_ADDRESS.sub("", text)
    for each in reversed(copies.find(text)):
        if each.kind == "address":
            text = text[: each.start] + text[each.end :]
    return text


def _copy(text):
    """A sentence in which there is nothing to translate."""
    hypothesis = Hypothesis(text, (text,), np.ones(1), np.ones((1, 1)), 0.0)
    return Sentence(text, (text,), (hypothesis,), copied=True)


@bundle.load_once
def _load(variant, folder):
    shapes = ((None, None), (None, None))
    network, details, _ = bundle.load_bundle(folder, variant, Translator, shapes)
    return Predictor(network, _tokenizer(folder), details, Dictionary.load(folder).entries)


@cache
def _tokenizer(folder):
    return SubwordTokenizer.load(folder / "tokenizer.json")
