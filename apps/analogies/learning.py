"""Word vectors from a small text, by the networks of `model.py`, with reports during training."""

import os
import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from apps.analogies.model import (
    PADDING,
    WordNetwork,
    make_examples,
    negative_sampling_loss,
    subsample,
)
from apps.analogies.vectors import Vectors
from shared.errors import UserError
from shared.text import plain_words

# Large batches train three times as fast, but short texts have too few examples for them.
BATCH_SIZE, LARGE_BATCH_SIZE = 1024, 4096
LARGE_TEXT_WORDS = 50_000
# Books have empty lines between paragraphs and break lines within them, on average fewer than this.
# In other texts every line is a paragraph.
MAX_LINES_PER_PARAGRAPH = 50
NEGATIVES, WINDOW, DIMENSIONS = 5, 5, 64
MAX_SECONDS, MAX_EPOCHS = 45, 40
MAX_VOCABULARY = 6_000  # larger ones slow every step down
MAX_BYTES = 4 * 2**20
# For Adagrad. CBOW divides each update among the words of the window, so its rate is higher.
LEARNING_RATES = {"skipgram": 0.1, "cbow": 0.2}


@dataclass(frozen=True, eq=False)
class Text:
    """A text as numbers.

    Attributes:
        words: The vocabulary; number 0 is padding, an empty word.
        counts: Array with the number of occurrences of each word.
        tokens: Array of word numbers, with 0 after each paragraph. Words outside the vocabulary are
            left out.
        paragraphs: List of the paragraphs, lists of words.
        min_count: Occurrences that a word needs to be in the vocabulary.
    """

    words: list[str]
    counts: np.ndarray
    tokens: np.ndarray
    paragraphs: list
    min_count: int


@dataclass(frozen=True, eq=False)
class Progress:
    """The state of a training run.

    Attributes:
        vectors: The current `Vectors`.
        losses: List of the mean loss per example between two reports, in nats.
        examples: Number of examples so far.
        epochs: Number of epochs so far, a fraction.
        seconds: Time since the first step.
        done: Whether training has ended.
    """

    vectors: Vectors
    losses: list
    examples: int
    epochs: float
    seconds: float
    done: bool


def read_text(path):
    """The text of an uploaded file.

    Raises:
        UserError: if it is not there, empty, too large or no text.
    """
    try:
        size = os.path.getsize(path or "")
        raw = Path(path).read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise UserError("This file is no longer here. Upload it again.") from error
    if not size:
        raise UserError("This file is empty. Choose another text.")
    if size > MAX_BYTES:
        raise UserError(
            f"This file has {size / 2**20:.1f} MB; at most {MAX_BYTES // 2**20} MB are accepted "
            "here. For more, run python -m training.analogies train --input FILE."
        )
    if b"\0" in raw or sum(byte < 9 for byte in raw[:4096]) > 10:
        raise UserError("This file is not plain text. Choose a .txt file.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def prepare(text):
    """The `Text` of a string.

    Its vocabulary has the words that occur at least twice, or five times in a long text.

    Raises:
        UserError: if it is too short or too long.
    """
    if not isinstance(text, str) or not text.strip():
        raise UserError("There is nothing to learn from yet. Paste a text or upload a file.")
    if len(text) > MAX_BYTES:
        raise UserError(f"This text is too long: at most {MAX_BYTES:,} characters are read.")
    parts = re.split(r"\n\s*\n", text)
    if len(parts) - 1 < text.count("\n") / MAX_LINES_PER_PARAGRAPH:
        parts = text.split("\n")
    paragraphs = [words for words in map(plain_words, parts) if words]
    counts = Counter(word for words in paragraphs for word in words)
    min_count = 5 if counts.total() >= LARGE_TEXT_WORDS else 2
    words = ["", *(word for word, n in counts.most_common(MAX_VOCABULARY) if n >= min_count)]
    if len(words) < 21:
        raise UserError(
            "This text is too short: at least 20 different words must occur in it at least twice. "
            "A few pages are enough to begin; a book is better."
        )
    index = {word: n for n, word in enumerate(words)}
    tokens = [
        number
        for paragraph in paragraphs
        for number in [*(index[word] for word in paragraph if word in index), PADDING]
    ]
    word_counts = np.array([0, *(counts[word] for word in words[1:])])
    return Text(words, word_counts, np.array(tokens), paragraphs, min_count)


def learn(
    text,
    architecture="skipgram",
    dimensions=DIMENSIONS,
    window=WINDOW,
    negatives=NEGATIVES,
    epochs=MAX_EPOCHS,
    seconds=MAX_SECONDS,
    sample=1e-3,
    seed=0,
    report_seconds=1.0,
):
    """Train vectors: a generator of `Progress`, the last of which is done.

    The mean of all vectors is subtracted from them (Mu & Viswanath 2018).

    Args:
        text: A `Text`.
        architecture: `"skipgram"` or `"cbow"`.
        dimensions: Of the vectors.
        window: Largest number of context words to each side.
        negatives: Negative samples per true word, drawn in proportion to count ** 0.75.
        epochs: Largest number of epochs.
        seconds: Longest time.
        sample: As for `subsample`.
        seed: Integer, of all random numbers.
        report_seconds: Time between two reports.
    """
    rng = np.random.default_rng(seed)
    rate = LEARNING_RATES[architecture]
    network = _build_network(len(text.words), dimensions, rate, seed)
    size = LARGE_BATCH_SIZE if len(text.tokens) >= LARGE_TEXT_WORDS else BATCH_SIZE
    labels = np.zeros((size, 1 + negatives), "float32")
    labels[:, 0] = 1
    losses, example_count, epochs_done = [], 0, 0.0
    start = reported = None  # the clock starts after the first step, which is compiled

    def progress(done):
        matrix = np.asarray(network.words.embeddings)[1:]
        vectors = Vectors.of(text.words[1:], matrix - matrix.mean(axis=0), "your text")
        seconds = time.monotonic() - start
        return Progress(vectors, list(losses), example_count, epochs_done, seconds, done)

    recent = []  # losses since the last report
    batches = _draw_batches(text, architecture, window, negatives, epochs, sample, size, rng)
    for epochs_done, batch in batches:
        # The rate decays over the epochs, or over the time where that ends first.
        time_used = 0.0 if start is None else (time.monotonic() - start) / seconds
        network.optimizer.learning_rate = rate * max(1 - max(epochs_done / epochs, time_used), 0.02)
        recent.append(float(network.train_on_batch(batch, labels)))
        example_count += size
        if start is None:
            start = reported = time.monotonic()
        if time.monotonic() - reported >= report_seconds:
            losses.append(float(np.mean(recent)))
            recent, reported = [], time.monotonic()
            yield progress(False)
        if time_used >= 1:
            break
    else:
        epochs_done = float(epochs)
    if recent:
        losses.append(float(np.mean(recent)))
    yield progress(True)


def _build_network(words, dimensions, rate, seed):
    """A compiled `WordNetwork` of so many words."""
    network = WordNetwork(words, dimensions, seed)
    network.build()
    optimizer = keras.optimizers.Adagrad(rate, initial_accumulator_value=1e-8)
    network.compile(optimizer, negative_sampling_loss, jit_compile=True)
    return network


def _draw_batches(text, architecture, window, negatives, epochs, sample, size, rng):
    """Batches of `size` examples, with the epochs before each.

    Yields:
        The number of epochs so far, a fraction, and the inputs of `WordNetwork`.
    """
    keep = subsample(text.counts, sample)
    keep[PADDING] = 1
    cumulative = np.cumsum(text.counts**0.75)
    cumulative /= cumulative[-1]
    for epoch in range(epochs):
        tokens = text.tokens[rng.random(len(text.tokens)) < keep[text.tokens]]
        given, true = make_examples(tokens, architecture, window, rng)
        if len(true) < size:  # the graph is compiled for one size: a short text is repeated
            repeats = -(-size // max(len(true), 1))
            given, true = np.tile(given, (repeats, 1)), np.tile(true, repeats)
        for begin in range(0, len(true) - size + 1, size):
            candidates = np.empty((size, 1 + negatives), "int32")
            candidates[:, 0] = true[begin : begin + size]
            candidates[:, 1:] = np.searchsorted(cumulative, rng.random((size, negatives)))
            inputs = given[begin : begin + size].astype("int32"), candidates
            yield epoch + begin / len(true), inputs


def choose_words(text, typed, count):
    """The words whose neighbours are watched: those typed, or else frequent ones.

    Args:
        text: A `Text`.
        typed: Words separated by anything but letters; may be empty.
        count: The most words.

    Raises:
        UserError: if a typed word is not in the vocabulary of the text.
    """
    vocabulary = set(text.words[1:])
    words = list(dict.fromkeys(plain_words(typed or "")))[:count]
    for word in words:
        if word not in vocabulary:
            raise UserError(
                f"“{word}” does not occur in this text often enough: at least {text.min_count} "
                "times are needed."
            )
    # The most frequent words are grammar; longer ones say what the text is about.
    return words or [word for word in text.words[1:] if len(word) > 4][:count]


def find_by_counting(text, words, count=8):
    """Neighbours by TF-IDF, words that occur in the same paragraphs; with scikit-learn.

    Args:
        text: A `Text`.
        words: List of words of its vocabulary.
        count: Largest number of neighbours of a word.

    Returns:
        Dict from word to a list of (word, cosine), those with a cosine above zero.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    counter = TfidfVectorizer(analyzer=lambda words: words, vocabulary=text.words[1:])
    columns = normalize(counter.fit_transform(text.paragraphs).T.tocsr())
    neighbours = {}
    for word in words:
        row = text.words.index(word) - 1
        cosines = np.asarray((columns @ columns[row].T).todense()).ravel()
        cosines[row] = 0
        best = np.argsort(-cosines, kind="stable")[:count]
        neighbours[word] = [(text.words[n + 1], float(cosines[n])) for n in best if cosines[n] > 0]
    return neighbours
