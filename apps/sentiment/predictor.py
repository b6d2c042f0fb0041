"""Sentiment of reviews: from a text to probabilities, attributions, gates and minimal pairs."""

import random
import re
import threading
from dataclasses import dataclass
from functools import cache

import numpy as np

from apps.sentiment.model import NEUTRAL, SentimentNetwork
from apps.sentiment.suite import two_classes
from shared import bundle
from shared.compiled import Compiled
from shared.errors import UserError
from shared.text import (
    UNKNOWN,
    choose_bucket,
    clean,
    clean_with_places,
    find_foreign_script,
    pad,
    read_tokenizer,
)

FOLDER = bundle.MODELS / "sentiment"
MAX_WORDS = 1024  # of one review; further words are not read
# There is one compiled graph for each padded length and batch size. (A review of 230 words has
# some 288 tokens, since punctuation marks count.)
PADDED_LENGTHS = (32, 64, 128, 288, 512, MAX_WORDS)
BATCH_SIZES = (1, 8, 64)
GAUSS_LEGENDRE_NODES = 4  # of the integral in integrated gradients


@dataclass(frozen=True)
class Word:
    """A word or punctuation mark of a text.

    Attributes:
        text: Its characters.
        start, end: Where it stands in the text.
        known: Whether it, or all pieces that it is cut into, are in the vocabulary.
        last_token: Place of its last piece among the tokens that the network reads.
    """

    text: str
    start: int
    end: int
    known: bool
    last_token: int

    @property
    def is_mark(self):
        """Whether it has neither letters nor digits."""
        return not any(character.isalnum() for character in self.text)


@dataclass(frozen=True)
class Reading:
    """The prediction for a review, with its attributions.

    Attributes:
        text: The cleaned text. The positions of the words refer to it.
        typed: The text as it was typed, as `Places.shown` gives it.
        places: The (start, end) of each word in `typed`.
        words: The words that were read, at most `MAX_WORDS`.
        total_words: Number of words in the text, including those that were not read.
        had_html: Whether cleaning removed HTML tags.
        network: Which of the bundle's networks answered.
        classes: Calibrated probabilities of negative, neutral and positive, `(3,)`. Of a network
            with two classes the second one is 0.
        running: The probability of positive against negative after each word, `(words,)`.
        running_neutral: The probability of neutral after each word, `(words,)`.
        effects: Attribution of each word in log-odds, `(words,)`: integrated gradients
            (Sundararajan, Taly & Yan 2017) along the path from word vectors of zero.
        baseline: Log-odds for word vectors of zero, where the path starts.
        gap: Log-odds less baseline and effects. It is near 0, as the integral is approximated.
    """

    text: str
    typed: str
    places: tuple[tuple[int, int], ...]
    words: tuple[Word, ...]
    total_words: int
    had_html: bool
    network: str
    classes: np.ndarray
    running: np.ndarray
    running_neutral: np.ndarray
    effects: np.ndarray
    baseline: float
    gap: float

    @property
    def probability(self):
        """Calibrated probability of positive, if the text is either positive or negative."""
        return float(self.running[-1])


@dataclass(frozen=True)
class Calibration:
    """What turns logits into calibrated probabilities (Guo et al. 2017).

    A text is neutral or not, and positive or negative if it is not; each of the two log-odds is
    divided by a temperature that depends on the length of the text, and shifted.

    Attributes:
        temperature: Divides the log-odds of positive against negative of a text of one token.
        length_exponent: The temperature grows as this power of the number of tokens.
        bias: Added to the log-odds after the division.
        neutral_temperature, neutral_length_exponent, neutral_bias: The same for the log-odds of
            neutral against the other two classes.
    """

    temperature: float = 1.0
    length_exponent: float = 0.0
    bias: float = 0.0
    neutral_temperature: float = 1.0
    neutral_length_exponent: float = 0.0
    neutral_bias: float = 0.0

    def log_odds(self, log_odds, lengths):
        """Calibrated log-odds of positive against negative, an array like `log_odds`."""
        return log_odds / _power(self.temperature, lengths, self.length_exponent) + self.bias

    def probabilities(self, logits, lengths):
        """Probabilities of negative, neutral and positive.

        Args:
            logits: `(..., 1)` or `(..., 3)`.
            lengths: Numbers of tokens `(...)`.

        Returns:
            `(..., 3)`.
        """
        if logits.shape[-1] == 1:
            return two_classes(_sigmoid(self.log_odds(logits[..., 0], lengths)))
        positive = _sigmoid(self.log_odds(logits[..., 2] - logits[..., 0], lengths))
        temperature = _power(self.neutral_temperature, lengths, self.neutral_length_exponent)
        neutral = _sigmoid(neutral_log_odds(logits) / temperature + self.neutral_bias)
        polar = two_classes(positive) * (1 - neutral[..., None])
        return polar + neutral[..., None] * np.eye(3, dtype=polar.dtype)[NEUTRAL]


def neutral_log_odds(logits):
    """Log-odds `(...)` of neutral against the other two classes, from logits `(..., 3)`."""
    return logits[..., NEUTRAL] - np.logaddexp(logits[..., 0], logits[..., 2])


def _power(temperature, lengths, exponent):
    return temperature * np.maximum(lengths, 1).astype("float32") ** exponent


@dataclass(frozen=True)
class NGram:
    """A word or word pair of the baseline, and the log-odds that it adds where it occurs."""

    text: str
    weight: float


@dataclass(frozen=True)
class Rewrite:
    """A changed version of a review.

    Attributes:
        kind: `"original"`, `"negated"`, `"negation removed"`, `"halves swapped"` or `"shuffled"`.
        text: The new text.
        changed: The words concerned: the negated one, or the removed negation and the word after
            it.
        probability: That the new text is positive.
        baseline_probability: The same by the baseline.
    """

    kind: str
    text: str
    changed: tuple[str, ...]
    probability: float
    baseline_probability: float


def clean_review(text):
    """The text as the networks read it: cleaned, on one line.

    Raises:
        UserError: if the text has no words, or most of its letters are not Latin.
    """
    if not isinstance(text, str) or not text.strip():
        raise UserError("There is nothing to read yet. Type or paste a text in English.")
    cleaned = clean(text)
    if not any(character.isalpha() for character in cleaned):
        raise UserError("There are no words in this text. Type or paste a text in English.")
    if script := find_foreign_script(cleaned):
        raise UserError(
            f"This text is mostly in another alphabet ({script}). "
            "The network has only learned English: try an English text."
        )
    return cleaned


class Predictor:
    """A trained network with one of the cells.

    Load with `Predictor.load(variant)`; safe to use from several threads.
    """

    _attribution_lock = threading.Lock()  # one review at a time: the gradient takes 50 MB

    def __init__(self, network, tokenizer, calibration=None, card=None, variant=None):
        self.network = network
        self.tokenizer = tokenizer
        self.calibration = calibration or Calibration()
        self.card = card
        self.cell = network.options["cell"]
        self.variant = variant or self.cell
        self._running_logits = Compiled(network.running_logits)
        self._final_logits = Compiled(network.call)
        self._integrated_gradients = Compiled(self._integrate_gradients)
        self._layer_trace = Compiled(self._trace_layer)

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
            texts: One text, or a list of texts; of each, the first `MAX_WORDS` words are read.

        Returns:
            A float for one text, an array `(texts,)` for a list, in its order. A text without
            words gets 0.5.
        """
        if isinstance(texts, str):
            return float(self.predict([texts])[0])
        return self.probabilities(self.tokenizer.encode([clean(text) for text in texts]))

    def predict_classes(self, texts):
        """Probabilities `(texts, 3)` that texts are negative, neutral (or mixed) and positive.

        A network with two classes gives 0 for neutral. A text without words gets `predict`'s 0.5.
        """
        sequences = self.tokenizer.encode([clean(text) for text in texts])
        return self.calibration.probabilities(self.logits(sequences), _lengths(sequences))

    def probabilities(self, sequences):
        """Calibrated probabilities `(sequences,)` of positive against negative."""
        log_odds = self.calibration.log_odds(self.log_odds(sequences), _lengths(sequences))
        return np.where(_lengths(sequences) > 0, _sigmoid(log_odds), 0.5)

    def log_odds(self, sequences):
        """Uncalibrated log-odds `(sequences,)` of lists of token numbers."""
        return self.network.log_odds(self.logits(sequences))

    def logits(self, sequences):
        """Uncalibrated logits `(sequences, classes)` of token numbers, batched by length."""
        lengths = _lengths(sequences)
        results = np.zeros((len(sequences), self.network.options["classes"]), "float32")
        order = np.argsort(lengths, kind="stable")
        order = order[lengths[order] > 0]
        for start in range(0, len(order), BATCH_SIZES[-1]):
            rows = order[start : start + BATCH_SIZES[-1]]
            time = choose_bucket(PADDED_LENGTHS, lengths[rows[-1]])
            tokens = np.zeros((choose_bucket(BATCH_SIZES, len(rows)), time), "int32")
            tokens[: len(rows)] = pad([sequences[row] for row in rows], time)
            if len(tokens) < BATCH_SIZES[-1]:
                # The graph of the running logits is compiled anyway, for `read`.
                logits = self._running_logits(tokens)[:, -1]
            else:  # the running logits would be a third of the time
                logits = self._final_logits(tokens)
            results[rows] = np.asarray(logits)[: len(rows)]
        return results

    def read(self, text):
        """The `Reading` of one review.

        Raises:
            UserError: if it has nothing that the network can read.
        """
        cleaned = clean_review(text)
        _, places = clean_with_places(text)
        tokens, words, total_words = self._tokenize(cleaned)
        ends = np.array([word.last_token for word in words])
        running_logits = np.asarray(self._running_logits(tokens))[0, ends]
        running = self.network.log_odds(running_logits)
        classes = self.calibration.probabilities(running_logits, ends + 1)
        with self._attribution_lock:
            effects, baseline = map(np.asarray, self._integrated_gradients(tokens))
        effects = np.add.reduceat(effects[: ends[-1] + 1], np.append(0, ends[:-1] + 1))
        return Reading(
            text=cleaned,
            typed=places.shown,
            places=tuple(places.find(word.start, word.end) for word in words),
            words=words,
            total_words=total_words,
            had_html=bool(re.search(r"<[a-zA-Z/!][^<>]*>", text)),
            network=self.variant,
            classes=classes[-1],
            running=_sigmoid(self.calibration.log_odds(running, ends + 1)),
            running_neutral=classes[:, 1],
            effects=effects,
            baseline=float(baseline),
            gap=float(running[-1] - baseline - effects.sum()),
        )

    def trace(self, text):
        """The gates and states of the recurrent layer at each word.

        Returns:
            The words, and a dict from the names of gates and states (for an LSTM `input`,
            `forget`, `candidate`, `output`, `cell`, `hidden`) to arrays `(words, units)`.
        """
        tokens, words, _ = self._tokenize(clean_review(text))
        values = self._layer_trace(tokens)
        ends = [word.last_token for word in words]
        return words, {name: np.asarray(array)[0, ends] for name, array in values.items()}

    def strongest_units(self, hidden, count):
        """The units that contribute most to the log-odds of a text, the strongest first.

        Args:
            hidden: Hidden states `(words, units)`, as from `trace`.
            count: How many.

        Returns:
            Array `(count,)` of unit numbers.
        """
        contributions = np.asarray(self.network.unit_contributions(hidden))
        return np.argsort(-np.abs(contributions), kind="stable")[:count]

    def running_probabilities(self, text, force=None, after=0):
        """The words of a text, and the probability after each, `(words,)`.

        Args:
            text: A review.
            force: Values at which gates and states are held, as for `Recurrent.trace`; None
                holds none.
            after: Number of words that are read before `force` applies.

        Raises:
            UserError: if the text has nothing that the network can read.
        """
        tokens, words, _ = self._tokenize(clean_review(text))
        ends = np.array([word.last_token for word in words])
        if force is None:
            logits = self._running_logits(tokens)
        else:
            first = words[after - 1].last_token + 1 if after else 0
            logits = self._forced_logits(tokens[:, : ends[-1] + 1], force, first)
        log_odds = self.network.log_odds(np.asarray(logits)[0, ends])
        return words, _sigmoid(self.calibration.log_odds(log_odds, ends + 1))

    def _forced_logits(self, tokens, force, after):
        """Logits after each of the tokens `(1, time)`, gates and states held after some."""
        layer, states, parts = self.network.recurrent, None, []
        vectors = self.network.embedding(tokens)  # (1, time, dimensions)
        for part, forced in ((vectors[:, :after], None), (vectors[:, after:], force)):
            if part.shape[1]:
                values = layer.trace(part, states, force=forced)
                states = [values[name][:, -1] for name in layer.cell.state_names]
                parts.append(np.asarray(values["hidden"]))
        hidden = np.concatenate(parts, axis=1)
        return self.network.running_logits_from_hidden(hidden, np.ones(hidden.shape[:2], bool))

    def rewrites(self, reading, baseline, seed=0):
        """Minimal pairs: changed versions of a review, scored by the network and the baseline.

        Args:
            reading: The `Reading` of the review.
            baseline: A `Baseline`.
            seed: Integer that determines the order of the shuffled words.

        Returns:
            List of `Rewrite`, the original first.
        """
        shuffled = [word.text for word in reading.words]
        random.Random(seed).shuffle(shuffled)
        versions = [
            ("original", reading.text, ()),
            _negate(reading),
            _swap_halves(reading),
            ("shuffled", " ".join(shuffled), ()),
        ]
        versions = [version for version in versions if version]
        texts = [text for _, text, _ in versions]
        scores = zip(self.predict(texts), baseline.predict(texts), strict=True)
        return [
            Rewrite(*version, float(probability), float(baseline_probability))
            for version, (probability, baseline_probability) in zip(versions, scores, strict=True)
        ]

    def _tokenize(self, text):
        """Padded tokens `(1, time)` of a cleaned text, its `Word`s, and how many it has in all."""
        numbers, spans, last_tokens = self.tokenizer.locate(text)
        total_words = len(spans)
        words, first = [], 0
        for (start, end), last in zip(spans, last_tokens, strict=True):
            if last >= MAX_WORDS:
                break
            known = UNKNOWN not in numbers[first : last + 1]
            words.append(Word(text[start:end], start, end, known, int(last)))
            first = last + 1
        if not any(word.known and not word.is_mark for word in words):
            raise UserError(
                "The network knows none of these words. It has learned "
                f"{self.tokenizer.size:,} English words and pieces of words."
            )
        numbers = numbers[:first]
        return pad([numbers], choose_bucket(PADDED_LENGTHS, first)), tuple(words), total_words

    def _trace_layer(self, tokens):
        return self.network.recurrent.trace(self.network.embedding(tokens))

    def _integrate_gradients(self, tokens):
        """Attributions `(time,)` of tokens `(1, time)`, and the log-odds of zero vectors."""
        import tensorflow as tf  # the site runs on TensorFlow; keras has no gradient function

        nodes, weights = np.polynomial.legendre.leggauss(GAUSS_LEGENDRE_NODES)
        mask = tf.not_equal(tokens, 0)
        vectors = self.network.embedding(tokens)  # (1, time, dimensions)
        scales = np.append((nodes + 1) / 2, 0)  # the last one gives the baseline
        scaled = vectors * tf.constant(scales, "float32")[:, None, None]
        masks = tf.repeat(mask, len(scales), axis=0)
        with tf.GradientTape() as tape:
            tape.watch(scaled)
            log_odds = self.network.log_odds(self.network.logits_from_vectors(scaled, masks))
        gradients = tape.gradient(log_odds, scaled)  # (nodes + 1, time, dimensions)
        weights = tf.constant(np.append(weights / 2, 0), "float32")
        average = tf.tensordot(weights, gradients, axes=1)
        return tf.reduce_sum(average * vectors[0], axis=-1), log_odds[-1]


@bundle.load_once
def _load(variant, folder):
    network, details, card = bundle.load_bundle(folder, variant, SentimentNetwork, (None, None))
    # A network that started from a language model has the vocabulary of that model.
    own = folder / f"{variant}.tokenizer.json"
    tokenizer = _tokenizer(own if own.exists() else folder / "tokenizer.json")
    calibration = Calibration(**details["calibration"])
    return Predictor(network, tokenizer, calibration, card, variant)


@cache
def _tokenizer(path):
    return read_tokenizer(path)


def _lengths(sequences):
    return np.array([len(sequence) for sequence in sequences], int)


def _sigmoid(log_odds):
    return np.exp(-np.logaddexp(0, -log_odds))


class Baseline:
    """Logistic regression on words and word pairs, weighted as in NB-SVM (Wang & Manning 2012).

    Args:
        weights: Dict from n-gram, its words joined by a space, to its weight in log-odds.
        bias: Log-odds of a text without any of them.
        temperature: Divides the log-odds, so that the probabilities are calibrated.
        tokenizer: A `WordTokenizer`.
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
        """Probabilities that texts are positive: a float for a text, `(texts,)` for a list."""
        if isinstance(texts, str):
            return float(self.predict([texts])[0])
        totals = [sum(ngram.weight for ngram in self.ngrams(text)) for text in texts]
        return 1 / (1 + np.exp(-(np.array(totals) + self.bias) / self.temperature))

    def predict_classes(self, texts):
        """Probabilities `(texts, 3)` of negative, neutral (always 0) and positive."""
        return two_classes(self.predict(texts))

    def ngrams(self, text):
        """The n-grams of a text that have a weight, the strongest first: a list of `NGram`."""
        texts = ngrams_of(self.tokenizer.split(clean(text)))
        ngrams = [NGram(text, self.weights[text]) for text in texts if text in self.weights]
        return sorted(ngrams, key=lambda ngram: -abs(ngram.weight))


def ngrams_of(words, longest=2):
    """The distinct runs of up to `longest` words in a list, words first, then pairs and so on."""
    runs = (zip(*(words[n:] for n in range(size)), strict=False) for size in range(1, longest + 1))
    return list(dict.fromkeys(" ".join(run) for some in runs for run in some))


def _negate(reading):
    """The review with “not” before the word of the strongest effect, or without its negation.

    Returns:
        `kind`, `text` and `changed` of a `Rewrite`; None if no word can be negated.
    """
    words = reading.words
    candidates = [
        n
        for n, word in enumerate(words)
        if word.known and word.text.isalpha() and len(word.text) > 3
    ]
    if not candidates:
        return None
    strongest = max(candidates, key=lambda n: abs(reading.effects[n]))
    word, previous = words[strongest], words[strongest - 1] if strongest else None
    if previous and previous.text.lower() in ("not", "never", "no"):
        text = reading.text[: previous.start] + reading.text[word.start :]
        return "negation removed", text, (previous.text, word.text)
    text = f"{reading.text[: word.start]}not {reading.text[word.start :]}"
    return "negated", text, (word.text,)


def _swap_halves(reading):
    """The review with the parts before and after the first “but” of a sentence exchanged.

    Returns:
        `kind`, `text` and `changed` of a `Rewrite`; None if there is no such sentence.
    """
    for match in re.finditer(r"[^.!?]+", reading.text):
        sentence = match.group().strip()
        halves = re.split(r",? but ", sentence, maxsplit=1, flags=re.I)
        if len(halves) == 2 and all(halves):
            start = match.start() + match.group().index(sentence)
            before, after = reading.text[:start], reading.text[start + len(sentence) :]
            return "halves swapped", f"{before}{halves[1]}, but {halves[0]}{after}", ()
    return None
