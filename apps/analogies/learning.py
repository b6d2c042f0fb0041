"""Word vectors from a small text, by the networks of `model.py`, watched while they learn."""

import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from apps.analogies.model import PADDING, WordNetwork, examples, negative_sampling_loss, subsample
from apps.analogies.vectors import Vectors, VectorsError
from shared.text import plain_words

BATCH = 1024
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
    """

    words: list[str]
    counts: np.ndarray
    tokens: np.ndarray
    paragraphs: list


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
        VectorsError: if it is too large or no text.
    """
    if os.path.getsize(path) > MOST_BYTES:
        size = os.path.getsize(path) / 2**20
        raise VectorsError(
            f"This file has {size:.1f} MB; at most {MOST_BYTES // 2**20} MB are learned here. "
            "For more, python -m training.analogies train --input FILE."
        )
    raw = Path(path).read_bytes()
    if b"\0" in raw or sum(byte < 9 for byte in raw[:4096]) > 10:
        raise VectorsError("This file is not plain text, whatever its name says.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def prepare(text, least=2):
    """The `Text` of a string, its words seen `least` times or more.

    Raises:
        VectorsError: if there is too little of it.
    """
    if not isinstance(text, str) or not text.strip():
        raise VectorsError("There is nothing to learn from yet. Paste a text or upload a file.")
    if len(text) > MOST_BYTES:
        raise VectorsError(f"This text is too long: at most {MOST_BYTES:,} characters are read.")
    paragraphs = [words for words in map(plain_words, text.split("\n")) if words]
    counts = Counter(word for words in paragraphs for word in words)
    words = ["", *(word for word, n in counts.most_common(MOST_WORDS) if n >= least)]
    if len(words) < 21:
        raise VectorsError(
            "This text is too short: at least 20 different words that stand in it twice or more "
            "are needed. A few pages make a start, a book is better."
        )
    index = {word: n for n, word in enumerate(words)}
    tokens = [
        number
        for words_ in paragraphs
        for number in [*(index[word] for word in words_ if word in index), PADDING]
    ]
    return Text(
        words, np.array([0, *(counts[word] for word in words[1:])]), np.array(tokens), paragraphs
    )


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
    network.compile(
        keras.optimizers.Adagrad(rate, initial_accumulator_value=1e-8), negative_sampling_loss
    )
    labels = np.zeros((BATCH, 1 + negatives), "float32")
    labels[:, 0] = 1
    keep = subsample(text.counts, sample)
    keep[PADDING] = 1
    drawn = np.cumsum(text.counts**0.75)
    drawn /= drawn[-1]
    losses, seen, read = [], 0, 0.0
    start = said = time.monotonic()

    def progress(done):
        matrix = np.asarray(network.words.embeddings)[1:]
        vectors = Vectors.of(text.words[1:], matrix, "your text")
        return Progress(vectors, list(losses), seen, read, time.monotonic() - start, done)

    stretch = []
    for epoch in range(epochs):
        tokens = text.tokens[random.random(len(text.tokens)) < keep[text.tokens]]
        given, true = examples(tokens, architecture, window, random)
        if len(true) < BATCH:  # the graph is compiled for one size: a short text is repeated
            repeats = -(-BATCH // max(len(true), 1))
            given, true = np.tile(given, (repeats, 1)), np.tile(true, repeats)
        for begin in range(0, len(true) - BATCH + 1, BATCH):
            candidates = np.empty((BATCH, 1 + negatives), "int32")
            candidates[:, 0] = true[begin : begin + BATCH]
            candidates[:, 1:] = np.searchsorted(drawn, random.random((BATCH, negatives)))
            batch = (given[begin : begin + BATCH].astype("int32"), candidates)
            # The rate falls to nothing over the epochs, or over the time where that ends first.
            read = epoch + begin / len(true)
            passed = (time.monotonic() - start) / seconds
            network.optimizer.learning_rate = rate * max(1 - max(read / epochs, passed), 0.02)
            network.reset_metrics()
            stretch.append(float(network.train_on_batch(batch, labels)))
            seen += BATCH
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


def by_counting(text, words, count=8):
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
