"""Translation of English text: sentences, beam search, attention and confidence."""

import re
import threading
from dataclasses import dataclass
from functools import cache

import numpy as np
from keras import ops

from apps.translation import BEAM_WIDTH, LENGTH_PENALTY, MAX_CHARACTERS
from apps.translation.model import BEGIN, END, UNKNOWN, Translator
from shared import bundle
from shared.compiled import Compiled
from shared.decoding import (
    MAX_LENGTH_PENALTY,
    MIN_LOG_PROBABILITY,
    beam_search,
    check_search,
    length_penalty,
)
from shared.errors import UserError
from shared.text import SubwordTokenizer, choose_bucket, clean, find_foreign_script, pad

FOLDER = bundle.MODELS / "translation"
PADDED_LENGTHS = (8, 16, 24, 48, 96)  # in tokens; there is one compiled graph for each
BATCH_SIZES = (1, 16)

# A full stop after these does not end a sentence.
_ABBREVIATION = r"(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bvs)(?<!\b[A-Z])(?<!\b[ap]\.m)"
_SENTENCE_END = re.compile(rf"((?:[!?…]|{_ABBREVIATION}\.)[\"')\]]*)\s+(?=[\"'(\[]?[A-Z0-9])")
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|(?<!\S)[^\s@]+@[^\s@.]+\.\S+")
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
            `shared.decoding.Beams`; None for a copy.
        copied: Whether there was nothing to translate.
        read_tokens: How many of its tokens were read: the first ones, if it was too long.
        unknown_characters: How many of its tokens are unknown.
        is_cut_off: Whether the translation reached the maximum length before it ended.
    """

    source: str
    pieces: tuple[str, ...]
    hypotheses: tuple[Hypothesis, ...]
    tree: dict | None = None
    copied: bool = False
    read_tokens: int | None = None
    unknown_characters: int = 0
    is_cut_off: bool = False

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


def split_sentences(line):
    """The sentences of a line; a line without words stays whole."""
    if not _has_words(line):
        return [line.strip()] if line.strip() else []
    return _SENTENCE_END.sub("\\1\n", clean(line)).split("\n")


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

    def __init__(self, network, tokenizer, card):
        self.network = network
        self.tokenizer = tokenizer
        self.card = card
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

    def translate_all(self, texts, width=BEAM_WIDTH, alpha=LENGTH_PENALTY):
        """`Translation`s of many texts, unchecked; arguments as for `translate`."""
        split_texts = [[split_sentences(line) for line in text.split("\n")] for text in texts]
        sources = [sentence for lines in split_texts for line in lines for sentence in line]
        sentences = iter(self.translate_sentences(sources, width, alpha))
        translations = []
        for lines in split_texts:
            translated = tuple(tuple(next(sentences) for _ in line) for line in lines)
            text = "\n".join(" ".join(sentence.text for sentence in line) for line in translated)
            translations.append(Translation(text, translated))
        return translations

    def translate_sentences(self, texts, width=BEAM_WIDTH, alpha=LENGTH_PENALTY):
        """`Sentence`s for a list of single sentences, in its order; batched by length."""
        sources = self.tokenizer.encode([clean(text) for text in texts])
        lengths = np.array([len(source) for source in sources], int)
        order = [n for n in np.argsort(lengths, kind="stable") if _has_words(texts[n])]
        sentences = {}
        for start in range(0, len(order), BATCH_SIZES[-1]):
            rows = order[start : start + BATCH_SIZES[-1]]
            time = choose_bucket(PADDED_LENGTHS, lengths[rows[-1]])
            padded = np.zeros((choose_bucket(BATCH_SIZES, len(rows)), time), "int32")
            padded[: len(rows)] = pad([sources[row] for row in rows], time)
            beams = self._search(width)(padded, np.float32(alpha))
            lanes = [np.asarray(array) for array in (*beams.sequences, beams.normalized_scores)]
            tree = {name: np.asarray(array) for name, array in beams.tree.items()}
            for place, row in enumerate(rows):
                sentences[row] = self._make_sentence(
                    texts[row],
                    sources[row],
                    [array[place] for array in lanes],
                    {name: array[place] for name, array in tree.items()},
                    time,
                )
        return [sentences.get(n) or _copy(text) for n, text in enumerate(texts)]

    def _search(self, width):
        with self._lock:
            if width not in self._searches:
                self._searches[width] = Compiled(make_search(self.network, width))
            return self._searches[width]

    def _make_sentence(self, text, source, lanes, tree, max_tokens):
        """The `Sentence` of one row of a batch; `lanes` are its arrays of `Beams`, lanes first."""
        hypotheses = {}  # by tokens: the same tokens may end in several lanes
        pieces = tuple(self.tokenizer.pieces(source))
        for tokens, length, score, log_probabilities, attention, normalised in zip(
            *lanes, strict=True
        ):
            numbers = tuple(int(token) for token in tokens[:length])
            if score < MIN_LOG_PROBABILITY / 10 or numbers in hypotheses:
                continue
            attention = attention[:length, : len(source)]
            hypotheses[numbers] = Hypothesis(
                text=self._decode(numbers, attention, pieces),
                pieces=tuple(self.tokenizer.pieces(numbers)),
                probabilities=np.exp(log_probabilities[:length]),
                attention=attention,
                score=float(normalised),
            )
        return Sentence(
            source=text,
            pieces=pieces,
            hypotheses=tuple(hypotheses.values()),
            tree=tree,
            read_tokens=min(len(source), max_tokens),
            unknown_characters=int(np.sum(source == UNKNOWN)),
            is_cut_off=bool(lanes[0][0].all()),
        )

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


def make_search(network, width):
    """A function of padded sources `(rows, time)` and a length penalty that returns `Beams`."""

    def search(source, alpha):
        memory, mask, states = network.encode(source)

        def step(tokens, states):
            return network.step(tokens, states, memory, mask)

        begin = ops.full((source.shape[0],), BEGIN, "int32")
        max_steps = source.shape[1] * 3 // 2 + 8
        return beam_search(step, states, begin, END, max_steps, width, alpha)

    return search


def _has_words(text):
    """Whether there is a letter outside web and mail addresses."""
    return any(character.isalpha() for character in _ADDRESS.sub("", text))


def _copy(text):
    """A sentence in which there is nothing to translate."""
    hypothesis = Hypothesis(text, (text,), np.ones(1), np.ones((1, 1)), 0.0)
    return Sentence(text, (text,), (hypothesis,), copied=True)


@bundle.load_once
def _load(variant, folder):
    shapes = ((None, None), (None, None))
    network, _, card = bundle.load_bundle(folder, variant, Translator, shapes)
    return Predictor(network, _tokenizer(folder), card)


@cache
def _tokenizer(folder):
    return SubwordTokenizer.load(folder / "tokenizer.json")
