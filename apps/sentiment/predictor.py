"""From a review to an answer: probability, running sentiment, effects of the words, gates."""

import random
import re
import threading
import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np

from apps.sentiment.model import SentimentNetwork
from shared import bundle
from shared.compiled import Compiled
from shared.text import UNKNOWN, WordTokenizer, choose_bucket, clean, pad

FOLDER = bundle.MODELS / "sentiment"
LONGEST = 1024  # words read of one review
LENGTHS = (32, 64, 128, 288, 512, LONGEST)  # padded lengths (288: 230 words, their marks) and
ROWS = (1, 8, 64)  # batch sizes: one compiled graph for each pair


class InputError(ValueError):
    """The text cannot be answered; the message is a sentence for the page."""


@dataclass(frozen=True)
class Word:
    """A word or mark of a text: its characters, its place, whether the vocabulary has it."""

    text: str
    start: int
    end: int
    known: bool


@dataclass(frozen=True)
class Reading:
    """What a network made of a review.

    Attributes:
        text: The cleaned text that was read, and that the words' places refer to.
        words: The words read.
        network: Which of the bundle's networks answered.
        probability: That the review is positive, calibrated.
        running: The same after each word, `(words,)`.
        effects: Each word's share of the log-odds, `(words,)`: integrated gradients
            (Sundararajan, Taly & Yan 2017) from a text of the same length without content.
        baseline: The log-odds of that text without content.
        gap: What the effects leave unexplained of the log-odds, a number near 0.
        notes: Sentences the reader should know: cut, cleaned, few or unknown words.
    """

    text: str
    words: tuple[Word, ...]
    network: str
    probability: float
    running: np.ndarray
    effects: np.ndarray
    baseline: float
    gap: float
    notes: tuple[str, ...]


@dataclass(frozen=True)
class NGram:
    """A word or word pair that the baseline knows, and the log-odds it adds where it occurs."""

    text: str
    weight: float


@dataclass(frozen=True)
class Rewrite:
    """A small change to a review: what was done, the new text, and the probability of each."""

    name: str
    change: str
    text: str
    probability: float
    baseline_probability: float


def check(text):
    """The cleaned text, and notes on what cleaning did.

    Raises:
        InputError: if the text has nothing an English sentiment model could read.
    """
    if not isinstance(text, str) or not text.strip():
        raise InputError("There is nothing to read yet. Type or paste a review in English.")
    cleaned = clean(text)
    letters = [c for c in cleaned if c.isalpha()]
    if not letters:
        raise InputError("There are no words in this text. Type or paste a review in English.")
    foreign = [c for c in letters if not unicodedata.name(c, "").startswith("LATIN")]
    if len(foreign) > len(letters) / 2:
        script = unicodedata.name(foreign[0], "another script").split()[0].capitalize()
        raise InputError(
            f"This text is mostly in another alphabet ({script}). "
            "The network has only learned English: try an English review."
        )
    notes = []
    if re.search(r"<[a-zA-Z/!][^<>]*>", text):
        notes.append("HTML tags were removed before reading.")
    return cleaned, notes


class Predictor:
    """A trained network with one of the cells.

    Load with `Predictor.load(variant)`; safe to use from several threads.
    """

    _attributing = threading.Lock()  # one review at a time: the way back takes 50 MB

    def __init__(self, network, tokenizer, temperature, card, variant=None):
        self.network = network
        self.tokenizer = tokenizer
        self.temperature = temperature
        self.card = card
        self.cell = network.options["cell"]
        self.variant = variant or self.cell
        self._running = Compiled(network.running_log_odds)
        self._last = Compiled(network.call)
        self._attributed = Compiled(self._attribute)
        self._traced = Compiled(self._trace)

    @classmethod
    def load(cls, variant="lstm", folder=None):
        """A network of a bundle, read once per process.

        Args:
            variant: One of the card's variants, such as `"pretrained"` or `"gru"`.
            folder: Path of a bundle; the shipped one if None.

        Raises:
            BundleError: if there is no such variant, or its files are missing or damaged.
        """
        return _load(variant, folder or FOLDER)

    def predict(self, texts):
        """Probabilities that reviews are positive.

        Args:
            texts: One text, or a list of texts; each is cut to its first 1,024 words.

        Returns:
            A float for one text, an array `(texts,)` for a list, in its order. A text without
            a word is a coin toss, 0.5.
        """
        if isinstance(texts, str):
            return float(self.predict([texts])[0])
        return self.probabilities(self.tokenizer.encode([clean(text) for text in texts]))

    def probabilities(self, sequences):
        """Calibrated probabilities `(sequences,)` of lists of word numbers."""
        return self._probability(self.log_odds(sequences))

    def log_odds(self, sequences):
        """Uncalibrated log-odds `(sequences,)` of lists of word numbers, batched by length."""
        lengths = np.array([len(sequence) for sequence in sequences], int)
        results = np.zeros(len(sequences), "float32")
        order = np.argsort(lengths, kind="stable")
        order = order[lengths[order] > 0]
        for start in range(0, len(order), ROWS[-1]):
            rows = order[start : start + ROWS[-1]]
            time = choose_bucket(LENGTHS, lengths[rows[-1]])
            words = np.zeros((choose_bucket(ROWS, len(rows)), time), "int32")
            words[: len(rows)] = pad([sequences[row] for row in rows], time)
            # Of many, the answers on the way would be a third of the time.
            few = len(words) < ROWS[-1]
            answers = self._running(words)[:, -1] if few else self._last(words)
            results[rows] = np.asarray(answers)[: len(rows)]
        return results

    def read(self, text):
        """The `Reading` of one review.

        Raises:
            InputError: if there is nothing in it that the network could read.
        """
        text, notes = check(text)
        numbers, words, more = self._words(text)
        padded = pad([numbers], choose_bucket(LENGTHS, len(numbers)))
        count = len(numbers)
        running = np.asarray(self._running(padded))[0, :count]
        with self._attributing:
            effects, baseline = (np.asarray(value) for value in self._attributed(padded))
        effects = effects[:count]
        return Reading(
            text=text,
            words=words,
            network=self.variant,
            probability=float(self._probability(running[-1])),
            running=self._probability(running),
            effects=effects,
            baseline=float(baseline),
            gap=float(running[-1] - baseline - effects.sum()),
            notes=(*notes, *more),
        )

    def trace(self, text):
        """What the recurrent layer computed at each word.

        Returns:
            The words, and a dict from the names of gates and states (for an LSTM `input`,
            `forget`, `candidate`, `output`, `cell`, `hidden`) to arrays `(words, units)`.
        """
        text, _ = check(text)
        numbers, words, _ = self._words(text)
        traced = self._traced(pad([numbers], choose_bucket(LENGTHS, len(numbers))))
        return words, {name: np.asarray(v)[0, : len(numbers)] for name, v in traced.items()}

    def running(self, text):
        """The words of a text, and the probability after each: what `read` says, for less."""
        text, _ = check(text)
        numbers, words, _ = self._words(text)
        running = np.asarray(self._running(pad([numbers], choose_bucket(LENGTHS, len(numbers)))))
        return words, self._probability(running[0, : len(numbers)])

    def held(self, text, force, after=0):
        """The words of a text, and the probability after each with hands on the gates.

        Args:
            text: A review.
            force: What gates and states are held at, as for `Recurrent.trace`.
            after: Words that are read with hands off.
        """
        text, _ = check(text)
        numbers, words, _ = self._words(text)
        vectors = self.network.embedding(numbers[None])  # (1, words, dimensions)
        states, parts = None, []
        for part, hold in ((vectors[:, :after], None), (vectors[:, after:], force)):
            if part.shape[1]:
                traced = self.network.recurrent.trace(part, states, force=hold)
                states = [traced[name][:, -1] for name in self.network.recurrent.cell.states]
                parts.append(np.asarray(traced["hidden"]))
        hidden = np.concatenate(parts, axis=1)
        running = self.network.running_log_odds_from_hidden(hidden, np.ones(hidden.shape[:2], bool))
        return words, self._probability(np.asarray(running)[0])

    def rewrites(self, reading, baseline, seed=0):
        """Minimal pairs: small changes to a review, and what each does to both models.

        Args:
            reading: The `Reading` of the review.
            baseline: A `Baseline`, asked about the same texts.
            seed: Integer, the order of the shuffle.

        Returns:
            List of `Rewrite`, the original first.
        """
        texts = [("As written", "", reading.text)]
        texts += [rewrite for make in (_negate, _swap_halves) if (rewrite := make(reading))]
        shuffled = [word.text for word in reading.words]
        random.Random(seed).shuffle(shuffled)
        texts.append(("Shuffled", "all words in random order", " ".join(shuffled)))
        variants = [text for _, _, text in texts]
        scores = zip(texts, self.predict(variants), baseline.predict(variants), strict=True)
        return [Rewrite(*made, float(mine), float(other)) for made, mine, other in scores]

    def _words(self, text):
        numbers, places = self.tokenizer.locate(text)
        total = len(numbers)
        numbers, places = numbers[:LONGEST], places[:LONGEST]
        words = tuple(
            Word(text[start:end], start, end, bool(number != UNKNOWN))
            for number, (start, end) in zip(numbers, places, strict=True)
        )
        spoken = [word for word in words if any(c.isalnum() for c in word.text)]
        known = sum(word.known for word in spoken)
        if not known:
            raise InputError(
                "The network knows none of these words. It has learned the "
                f"{self.tokenizer.size:,} most frequent words of English film reviews."
            )
        notes = []
        if total > LONGEST:
            notes.append(f"Only the first {LONGEST:,} of {total:,} words were read.")
        if len(spoken) < 4:
            notes.append("This is very short: a few more words make the answer more reliable.")
        elif known < 0.7 * len(spoken):
            notes.append(
                f"The network knows only {known} of these {len(spoken)} words, "
                "so trust the answer less. It has learned English only."
            )
        return numbers, words, notes

    def _probability(self, log_odds):
        return 1 / (1 + np.exp(-log_odds / self.temperature))

    def _trace(self, words):
        return self.network.recurrent.trace(self.network.embedding(words))

    def _attribute(self, words):
        """Integrated gradients of words `(1, time)`: effects `(time,)`, and log-odds of none."""
        import tensorflow as tf  # the site runs on TensorFlow; keras has no gradient function

        nodes, weights = np.polynomial.legendre.leggauss(4)
        mask = tf.not_equal(words, 0)
        vectors = self.network.embedding(words)  # (1, time, dimensions)
        scales = np.append((nodes + 1) / 2, 0)  # the nodes of the path, and a text without content
        scaled = vectors * tf.constant(scales, "float32")[:, None, None]
        masks = tf.repeat(mask, len(scales), axis=0)
        with tf.GradientTape() as tape:
            tape.watch(scaled)
            ends = self.network.log_odds_from_vectors(scaled, masks)
        gradients = tape.gradient(ends, scaled)  # (nodes + 1, time, dimensions)
        weights = tf.constant(np.append(weights / 2, 0), "float32")
        average = tf.tensordot(weights, gradients, axes=1)
        return tf.reduce_sum(average * vectors[0], axis=-1), ends[-1]


@bundle.load_once
def _load(variant, folder):
    network, details, card = bundle.load_bundle(folder, variant, SentimentNetwork, (None, None))
    # A network that started from a language model has that one's words.
    own = folder / f"{variant}.tokenizer.json"
    words = _tokenizer(own if own.exists() else folder / "tokenizer.json")
    return Predictor(network, words, details["temperature"], card, variant)


@cache
def _tokenizer(path):
    return WordTokenizer.load(path)


class Baseline:
    """NB-SVM's log-linear relative (Wang & Manning 2012): a weight for each word and word pair.

    Args:
        weights: Dict from n-gram, its words joined by a space, to its weight in log-odds.
        bias: Log-odds of a text without any of them.
        temperature: Divides the log-odds, so that probabilities are calibrated.
    """

    def __init__(self, weights, bias, temperature, tokenizer):
        self.weights = weights
        self.bias = bias
        self.temperature = temperature
        self.tokenizer = tokenizer

    @classmethod
    @cache
    def load(cls, folder=None):
        """The baseline of a bundle, the shipped one if None, read once per process.

        Raises:
            BundleError: if its files are missing or damaged.
        """
        folder = folder or FOLDER
        values = bundle.load_arrays(folder / "baseline.safetensors")["weights"].tolist()
        try:
            lines = (folder / "baseline.txt").read_text(encoding="utf-8").splitlines()
            weights = dict(zip(lines, values, strict=True))
        except (OSError, ValueError) as error:
            raise bundle.BundleError(f"The n-grams of {folder.name} cannot be read.") from error
        details = bundle.read_card(folder)["baseline"]
        return cls(
            weights, details["bias"], details["temperature"], _tokenizer(folder / "tokenizer.json")
        )

    def predict(self, texts):
        """Probabilities that reviews are positive: a float for a text, `(texts,)` for a list."""
        if isinstance(texts, str):
            return float(self.predict([texts])[0])
        totals = [sum(gram.weight for gram in self.ngrams(text)) for text in texts]
        return 1 / (1 + np.exp(-(np.array(totals) + self.bias) / self.temperature))

    def ngrams(self, text):
        """The known n-grams of a text, the strongest first: a list of `NGram`."""
        found = ngrams_of(self.tokenizer.split(clean(text)))
        known = [NGram(text, self.weights[text]) for text in found if text in self.weights]
        return sorted(known, key=lambda gram: -abs(gram.weight))


def ngrams_of(words, longest=2):
    """The distinct runs of up to `longest` words in a list, words first, then pairs and so on."""
    runs = (zip(*(words[n:] for n in range(size)), strict=False) for size in range(1, longest + 1))
    return list(dict.fromkeys(" ".join(run) for some in runs for run in some))


def _negate(reading):
    """Negate the word with the strongest effect, or take its negation away."""
    words = reading.words
    usable = [n for n, w in enumerate(words) if w.known and w.text.isalpha() and len(w.text) > 3]
    if not usable:
        return None
    key = max(usable, key=lambda n: abs(reading.effects[n]))
    word = words[key]
    if key and words[key - 1].text.lower() in ("not", "never", "no"):
        text = reading.text[: words[key - 1].start] + reading.text[word.start :]
        return "Negated", f"“{words[key - 1].text}” before “{word.text}” removed", text
    text = f"{reading.text[: word.start]}not {reading.text[word.start :]}"
    return "Negated", f"“not” put before “{word.text}”", text


def _swap_halves(reading):
    """Exchange what stands before and after the first “but” of a sentence."""
    for sentence in re.finditer(r"[^.!?]+", reading.text):
        halves = re.split(r",?\s+but\s+", sentence.group().strip(), maxsplit=1, flags=re.I)
        if len(halves) == 2 and all(halves):
            swapped = f"{halves[1]}, but {halves[0]}"
            start = sentence.start() + len(sentence.group()) - len(sentence.group().lstrip())
            end = start + len(sentence.group().strip())
            text = reading.text[:start] + swapped + reading.text[end:]
            return "Halves swapped", "what stood before and after “but” swapped", text
    return None
