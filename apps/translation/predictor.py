"""From English text to French: sentences, beams, what each word looked at, and how sure it is."""

import re
import threading
import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np
from keras import ops

from apps.translation import ALPHA, LONGEST, STRONGEST, WIDTH
from apps.translation.model import BEGIN, END, UNKNOWN, Translator
from shared import bundle
from shared.compiled import Compiled
from shared.decoding import beam, check_search, length_penalty
from shared.errors import UserError
from shared.text import SubwordTokenizer, choose_bucket, clean, pad

FOLDER = bundle.MODELS / "translation"
LENGTHS = (8, 16, 24, 48, 96)  # padded lengths in tokens, one compiled graph each
ROWS = (1, 16)  # sentences decoded together

# A full stop after these does not end a sentence.
_SHORT = r"(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bvs)(?<!\b[A-Z])(?<!\b[ap]\.m)"
_END = re.compile(rf"((?:[!?…]|{_SHORT}\.)[\"')\]]*)\s+(?=[\"'(\[]?[A-Z0-9])")
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+\.\S+")
_FRENCH = set(
    re.findall("[a-z]+", "le la les des est une dans pas que qui je vous nous il elle et")
)
_ENGLISH = set(re.findall("[a-z]+", "the a an is are was of to in and you he she it we they not"))

InputError = UserError  # the name by which the page still catches it


@dataclass(frozen=True)
class Hypothesis:
    """One translation of a sentence.

    Attributes:
        text: In French spacing.
        pieces: Its tokens as written, `▁` where a space precedes, the end token last.
        each: The probability of each token, `(tokens,)`.
        attention: What each looked at, `(tokens, source tokens)`; zeros without attention.
        score: Log-probability divided by the length penalty.
    """

    text: str
    pieces: tuple[str, ...]
    each: np.ndarray
    attention: np.ndarray
    score: float

    @property
    def log_probability(self):
        """Of all tokens together."""
        return float(np.log(np.maximum(self.each, 1e-30)).sum())


@dataclass(frozen=True)
class Sentence:
    """A sentence and its translations, the best first.

    Attributes:
        source: As read.
        pieces: Its tokens, the end token last.
        hypotheses: The distinct translations found, or one faithful copy.
        tree: What the beam weighed, arrays `(steps, 2 * width)`; see `shared.decoding.Beams`.
        copied: Whether there was nothing in it to translate.
        notes: Sentences the reader should know.
    """

    source: str
    pieces: tuple[str, ...]
    hypotheses: tuple[Hypothesis, ...]
    tree: dict | None
    copied: bool
    notes: tuple[str, ...]

    @property
    def text(self):
        """The best translation."""
        return self.hypotheses[0].text

    @property
    def confidence(self):
        """The geometric mean of the probabilities of its tokens."""
        return float(np.exp(np.log(np.maximum(self.hypotheses[0].each, 1e-9)).mean()))


@dataclass(frozen=True)
class Translation:
    """A text and its translation.

    Attributes:
        text: The French text, with the line breaks of the English one.
        lines: For every line, its `Sentence`s.
    """

    text: str
    lines: tuple[tuple[Sentence, ...], ...]

    @property
    def sentences(self):
        """Its sentences without the lines."""
        return tuple(each for line in self.lines for each in line)

    @property
    def confidence(self):
        """The geometric mean of the probabilities of all tokens; None if all was copied."""
        found = [each.hypotheses[0].each for each in self.sentences if not each.copied]
        if not found:
            return None
        return float(np.exp(np.log(np.maximum(np.concatenate(found), 1e-9)).mean()))


def check(text):
    """Refuse a text that is not English.

    Raises:
        InputError: if there is nothing in it that could be translated.
    """
    if not isinstance(text, str) or not text.strip():
        raise InputError("There is nothing to translate yet. Type a sentence in English.")
    if len(text) > LONGEST:
        raise InputError(
            f"This text has {len(text):,} characters; at most {LONGEST:,} are translated at once. "
            "Shorten it, or upload it as a file."
        )
    letters = [c for c in text if c.isalpha()]
    foreign = [c for c in letters if not unicodedata.name(c, "").startswith("LATIN")]
    if len(foreign) > len(letters) / 2:
        script = unicodedata.name(foreign[0], "another script").split()[0].capitalize()
        raise InputError(
            f"This text is mostly in another alphabet ({script}). The network translates from "
            "English: try an English sentence."
        )
    words = re.findall(r"[^\W\d_]+", text.lower())
    french, english = (sum(word in known for word in words) for known in (_FRENCH, _ENGLISH))
    if french > 1 and french > 2 * english:
        raise InputError("This looks like French already. Type English on this side.")


def preferred(hypotheses, steps=40):
    """Which hypothesis each length penalty prefers.

    Args:
        hypotheses: Of one sentence.
        steps: How finely to look from 0 to `STRONGEST`.

    Returns:
        List of (lowest penalty, highest penalty, number of the hypothesis), in order.
    """
    alphas = np.linspace(0, STRONGEST, steps + 1)
    scores = np.array([each.log_probability for each in hypotheses])
    lengths = np.array([len(each.pieces) for each in hypotheses])
    penalties = np.stack([np.asarray(length_penalty(lengths, alpha)) for alpha in alphas])
    best = np.argmax(scores / penalties, axis=1)
    starts = np.flatnonzero(np.append(True, best[1:] != best[:-1]))
    ends = np.append(starts[1:], len(best)) - 1
    return [
        (float(alphas[a]), float(alphas[b]), int(best[a]))
        for a, b in zip(starts, ends, strict=True)
    ]


def sentences_of(line):
    """A line cut into sentences; one without words stays as it is."""
    if not _to_translate(line):
        return [line.strip()] if line.strip() else []
    return _END.sub("\\1\n", clean(line)).split("\n")


def french_spacing(text):
    """Text with the narrow spaces that French sets before `? ! ;` and inside « », after NF Z 44."""
    text = re.sub(r" ?([?!;]+)(?=\s|$|[»\"')])", "\u202f\\1", text)
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
        self._decoders = {}

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

    def translate(self, text, width=WIDTH, alpha=ALPHA):
        """The `Translation` of a text of any number of lines and sentences.

        Args:
            text: English.
            width: Beam width.
            alpha: Exponent of the length penalty.

        Raises:
            UserError: if the text has nothing to translate, or the search is out of range.
        """
        check(text)
        check_search(width, alpha)
        return self.translate_all([text], width, alpha)[0]

    def translate_all(self, texts, width=WIDTH, alpha=ALPHA):
        """`Translation`s of many texts, unchecked; arguments as for `translate`."""
        lines = [[sentences_of(line) for line in text.split("\n")] for text in texts]
        flat = [each for text in lines for line in text for each in line]
        found = iter(self.sentences(flat, width, alpha))
        done = []
        for text in lines:
            french = tuple(tuple(next(found) for _ in line) for line in text)
            written = "\n".join(" ".join(each.text for each in line) for line in french)
            done.append(Translation(written, french))
        return done

    def sentences(self, texts, width=WIDTH, alpha=ALPHA):
        """`Sentence`s for a list of single sentences, batched by length, in its order."""
        sources = self.tokenizer.encode([clean(text) for text in texts])
        found = {}
        lengths = np.array([len(source) for source in sources], int)
        wanted = [n for n in np.argsort(lengths, kind="stable") if _to_translate(texts[n])]
        for start in range(0, len(wanted), ROWS[-1]):
            rows = wanted[start : start + ROWS[-1]]
            time = choose_bucket(LENGTHS, lengths[rows[-1]])
            padded = np.zeros((choose_bucket(ROWS, len(rows)), time), "int32")
            padded[: len(rows)] = pad([sources[row] for row in rows], time)
            result = self._decoder(width)(padded, np.float32(alpha))
            beams = [np.asarray(part) for part in (*result.written, result.normalised)]
            tree = {name: np.asarray(values) for name, values in result.tree.items()}
            for place, row in enumerate(rows):
                lanes = [part[place] for part in beams]
                branches = {name: values[place] for name, values in tree.items()}
                found[row] = self._sentence(texts[row], sources[row], lanes, branches, time)
        return [found.get(n) or _copy(text) for n, text in enumerate(texts)]

    def _decoder(self, width):
        with self._lock:
            if width not in self._decoders:
                self._decoders[width] = Compiled(search(self.network, width))
            return self._decoders[width]

    def _sentence(self, text, source, lanes, tree, longest):
        hypotheses, seen = [], set()
        pieces = self.tokenizer.pieces(source)
        for tokens, length, score, each, weights, normalised in zip(*lanes, strict=True):
            numbers = tuple(int(token) for token in tokens[:length])
            if score < -1e8 or numbers in seen:
                continue
            seen.add(numbers)
            weights = weights[:length, : len(source)]
            hypotheses.append(
                Hypothesis(
                    text=self._written(numbers, weights, pieces),
                    pieces=tuple(self.tokenizer.pieces(numbers)),
                    each=np.exp(each[:length]),
                    attention=weights,
                    score=float(normalised),
                )
            )
        notes = []
        if len(source) > longest:
            notes.append(f"This sentence is too long: only its first {longest} tokens were read.")
        unknown = int(np.sum(source == UNKNOWN))
        if unknown:
            notes.append(
                f"{unknown} of its characters {'is' if unknown == 1 else 'are'} in no training "
                "sentence: unknown characters are copied where the network asks for them."
            )
        if lanes[0][0].all():
            notes.append(
                "The translation was cut off: it had not ended after the most tokens allowed."
            )
        return Sentence(text, tuple(pieces), tuple(hypotheses), tree, False, tuple(notes))

    def _written(self, numbers, weights, pieces):
        """The text of tokens; an unknown one is the source's most attended (Luong et al. 2015)."""
        parts, held = [], []
        for number, looked in zip(numbers, weights, strict=True):
            if number == UNKNOWN and looked.any():
                parts += [self.tokenizer.decode(held), pieces[int(looked.argmax())]]
                held = []
            elif number != END:
                held.append(number)
        return french_spacing("".join([*parts, self.tokenizer.decode(held)]).replace("▁", " "))


def search(network, width):
    """A function of padded sources `(rows, time)` and a length penalty that gives `Beams`."""

    def find(source, alpha):
        memory, mask, states = network.encode(source)

        def step(tokens, states):
            return network.step(tokens, states, memory, mask)

        begin = ops.full((source.shape[0],), BEGIN, "int32")
        steps = source.shape[1] * 3 // 2 + 8
        return beam(step, states, begin, END, steps, width, alpha)

    return find


def _to_translate(text):
    """Whether there is a word in it that is not an address."""
    return any(c.isalpha() for c in _ADDRESS.sub("", text))


def _copy(text):
    hypothesis = Hypothesis(text, (text,), np.ones(1), np.ones((1, 1)), 0.0)
    note = "There are no words in this to translate: it is copied."
    return Sentence(text, (text,), (hypothesis,), None, True, (note,))


@bundle.load_once
def _load(variant, folder):
    shapes = ((None, None), (None, None))
    network, _, card = bundle.load_bundle(folder, variant, Translator, shapes)
    return Predictor(network, _tokenizer(folder), card)


@cache
def _tokenizer(folder):
    return SubwordTokenizer.load(folder / "tokenizer.json")
