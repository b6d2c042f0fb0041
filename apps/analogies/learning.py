"""Word vectors from a small text, by the networks of `model.py`, watched while they learn."""

import os
import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from apps.analogies.model import PADDING, WordNetwork, examples, negative_sampling_loss, subsample
from apps.analogies.vectors import Vectors
from shared.errors import UserError
from shared.text import plain_words

# Examples a step. More at once are learned three times as quickly, but a short text has too few.
BATCH, LARGE_BATCH = 1024, 4096
LARGE_TEXT = 50_000  # words
# Books have an empty line between paragraphs, and lines broken anywhere: at most so many of them to
# a paragraph. In other texts a line is a paragraph.
WRAPPED = 50
NEGATIVES, WINDOW, DIMENSIONS = 5, 5, 64
SECONDS, LONGEST_EPOCHS = 45, 40
MOST_WORDS = 6_000  # of a vocabulary; more would slow each step down
MOST_BYTES = 4 * 2**20
# Of Adagrad, whose steps shrink for words that are met often. CBOW shares each among the words.
RATES = {"skipgram": 0.1, "cbow": 0.2}


@dataclass(frozen=True, eq=False)
class Text:
    """A text as numbers.

    Attributes:
        words: The vocabulary; number 0 is padding, an empty word.
        counts: Array of how often each stands in the text.
        tokens: Array of word numbers, 0 between paragraphs and for words outside the vocabulary
            the neighbours close up.
        paragraphs: List of the paragraphs, lists of words.
        min_count: How often a word must stand in the text to be learned.
    """

    words: list[str]
    counts: np.ndarray
    tokens: np.ndarray
    paragraphs: list
    min_count: int


@dataclass(frozen=True, eq=False)
class Progress:
    """What has been learned so far.

    Attributes:
        vectors: The `Vectors` now.
        losses: List of the mean loss per example over each stretch so far, in nats.
        examples: How many examples were seen.
        epochs: How often the text was read, a fraction.
        seconds: Since the start.
        done: Whether this is the end.
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
        UserError: if it is empty, too large or no text.
    """
    if not os.path.getsize(path):
        raise UserError("This file is empty. Choose another text.")
    if os.path.getsize(path) > MOST_BYTES:
        size = os.path.getsize(path) / 2**20
        raise UserError(
            f"This file has {size:.1f} MB; at most {MOST_BYTES // 2**20} MB are learned here. "
            "For more, run python -m training.analogies train --input FILE."
        )
    raw = Path(path).read_bytes()
    if b"\0" in raw or sum(byte < 9 for byte in raw[:4096]) > 10:
        raise UserError("This file is not plain text, whatever its name says.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def prepare(text):
    """The `Text` of a string: its words seen twice, or in a long one five times, or more.

    Raises:
        UserError: if there is too little of it.
    """
    if not isinstance(text, str) or not text.strip():
        raise UserError("There is nothing to learn from yet. Paste a text or upload a file.")
    if len(text) > MOST_BYTES:
        raise UserError(f"This text is too long: at most {MOST_BYTES:,} characters are read.")
    parts = re.split(r"\n\s*\n", text)
    if len(parts) - 1 < text.count("\n") / WRAPPED:
        parts = text.split("\n")
    paragraphs = [words for words in map(plain_words, parts) if words]
    counts = Counter(word for words in paragraphs for word in words)
    min_count = 5 if counts.total() >= LARGE_TEXT else 2
    words = ["", *(word for word, n in counts.most_common(MOST_WORDS) if n >= min_count)]
    if len(words) < 21:
        raise UserError(
            "This text is too short: at least 20 different words must occur in it twice or "
            "more. A few pages are a start; a book is better."
        )
    index = {word: n for n, word in enumerate(words)}
    tokens = [
        number
        for words_ in paragraphs
        for number in [*(index[word] for word in words_ if word in index), PADDING]
    ]
    seen = np.array([0, *(counts[word] for word in words[1:])])
    return Text(words, seen, np.array(tokens), paragraphs, min_count)


def learn(
    text,
    architecture="skipgram",
    dimensions=DIMENSIONS,
    window=WINDOW,
    negatives=NEGATIVES,
    epochs=LONGEST_EPOCHS,
    seconds=SECONDS,
    sample=1e-3,
    seed=0,
    every=1.0,
):
    """Learn vectors; a generator of `Progress`, the last of which is done.

    The vectors are reported without their mean (Mu & Viswanath 2018).

    Args:
        text: A `Text`.
        architecture: `"skipgram"` or `"cbow"`.
        dimensions: Of the vectors.
        window: The most words to each side.
        negatives: Random words for each true one, drawn by the power 0.75 of their counts.
        epochs: How often to read the text, at most.
        seconds: How long to learn, at most.
        sample: As for `subsample`.
        seed: Integer, of everything random.
        every: Seconds between two reports.
    """
    random = np.random.default_rng(seed)
    network = WordNetwork(len(text.words), dimensions, seed)
    network.build()
    rate = RATES[architecture]
    optimizer = keras.optimizers.Adagrad(rate, initial_accumulator_value=1e-8)
    network.compile(optimizer, negative_sampling_loss, jit_compile=True)
    size = LARGE_BATCH if len(text.tokens) >= LARGE_TEXT else BATCH
    labels = np.zeros((size, 1 + negatives), "float32")
    labels[:, 0] = 1
    keep = subsample(text.counts, sample)
    keep[PADDING] = 1
    drawn = np.cumsum(text.counts**0.75)
    drawn /= drawn[-1]
    losses, seen, read = [], 0, 0.0
    start = said = None  # the clock starts when the first step, compiled, is done

    def progress(done):
        matrix = np.asarray(network.words.embeddings)[1:]
        # What all vectors share, much of it early on, hides what tells them apart.
        vectors = Vectors.of(text.words[1:], matrix - matrix.mean(axis=0), "your text")
        return Progress(vectors, list(losses), seen, read, time.monotonic() - start, done)

    stretch = []
    for epoch in range(epochs):
        tokens = text.tokens[random.random(len(text.tokens)) < keep[text.tokens]]
        given, true = examples(tokens, architecture, window, random)
        if len(true) < size:  # the graph is compiled for one size: a short text is repeated
            repeats = -(-size // max(len(true), 1))
            given, true = np.tile(given, (repeats, 1)), np.tile(true, repeats)
        for begin in range(0, len(true) - size + 1, size):
            candidates = np.empty((size, 1 + negatives), "int32")
            candidates[:, 0] = true[begin : begin + size]
            candidates[:, 1:] = np.searchsorted(drawn, random.random((size, negatives)))
            batch = (given[begin : begin + size].astype("int32"), candidates)
            # The rate falls to nothing over the epochs, or over the time where that ends first.
            read = epoch + begin / len(true)
            passed = 0.0 if start is None else (time.monotonic() - start) / seconds
            optimizer.learning_rate = rate * max(1 - max(read / epochs, passed), 0.02)
            network.reset_metrics()
            stretch.append(float(network.train_on_batch(batch, labels)))
            seen += size
            if start is None:
                start = said = time.monotonic()
            if time.monotonic() - said >= every:
                losses.append(float(np.mean(stretch)))
                stretch, said = [], time.monotonic()
                yield progress(False)
            if passed >= 1:
                break
        else:
            read = epoch + 1.0
            continue
        break
    if stretch:
        losses.append(float(np.mean(stretch)))
    yield progress(True)


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
    """Neighbours by TF-IDF: words that stand in the same paragraphs, with scikit-learn.

    Args:
        text: A `Text`.
        words: List of words of its vocabulary.
        count: Of neighbours.

    Returns:
        Dict from word to a list of (word, cosine), those with a cosine above zero.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    counter = TfidfVectorizer(analyzer=lambda part: part, vocabulary=text.words[1:])
    columns = normalize(counter.fit_transform(text.paragraphs).T.tocsr())
    found = {}
    for word in words:
        row = text.words.index(word) - 1
        cosines = np.asarray((columns @ columns[row].T).todense()).ravel()
        cosines[row] = 0
        best = np.argsort(-cosines, kind="stable")[:count]
        found[word] = [(text.words[n + 1], float(cosines[n])) for n in best if cosines[n] > 0]
    return found
