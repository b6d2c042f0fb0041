"""Skip-gram and CBOW with negative sampling (Mikolov et al. 2013), and their training examples."""

import keras
import numpy as np
from keras import ops

from shared.options import OptionsMixin

ARCHITECTURES = {"skipgram": "Skip-gram", "cbow": "CBOW"}
PADDING = 0


@keras.saving.register_keras_serializable("unrolled")
class WordNetwork(OptionsMixin, keras.Model):
    """Scores candidate words by their dot product with the mean of the given words.

    Skip-gram is given the word in the middle and predicts a word near it; CBOW is given the words
    near it and predicts the one in the middle. Word 0 is padding.

    Args:
        vocabulary: Number of words, including the padding.
        dimensions: Of the vectors.
        seed: Integer, of the initial weights.

    Call arguments:
        inputs: Tuple of integer tensors: given words `(batch, width)`, padded with 0, and
            candidates `(batch, candidates)`, the true one and negative samples.

    Returns:
        Logits `(batch, candidates)`.

    Example:

    >>> network = WordNetwork(vocabulary=100, dimensions=16)
    >>> network((np.ones((2, 1), "int32"), np.ones((2, 6), "int32"))).shape
    TensorShape([2, 6])
    """

    def __init__(self, vocabulary, dimensions, seed=0, **kwargs):
        super().__init__(**kwargs)
        initializer = keras.initializers.RandomUniform(-0.5 / dimensions, 0.5 / dimensions, seed)
        self.words = keras.layers.Embedding(vocabulary, dimensions, initializer, name="words")
        # As in word2vec, output vectors start at zero: every candidate has the probability 0.5.
        self.contexts = keras.layers.Embedding(vocabulary, dimensions, "zeros", name="contexts")

    def build(self, input_shape=None):
        self.words.build()
        self.contexts.build()
        super().build(input_shape)

    def call(self, inputs):
        given, candidates = inputs
        mask = ops.cast(ops.not_equal(given, PADDING), "float32")[..., None]  # (batch, width, 1)
        total = ops.sum(self.words(given) * mask, axis=1)
        mean = total / ops.maximum(ops.sum(mask, axis=1), 1.0)  # (batch, dimensions)
        return ops.einsum("bd,bcd->bc", mean, self.contexts(candidates))


def negative_sampling_loss(labels, logits):
    """Cross-entropy of telling true candidates from negative samples, in nats.

    Args:
        labels: Tensor `(batch, candidates)`, 1 for true ones, 0 for samples.
        logits: Tensor of the same shape.

    Returns:
        Tensor `(batch,)`.
    """
    return ops.sum(ops.softplus(logits) - labels * logits, axis=-1)


def subsample(counts, sample):
    """Probability of each word to be kept; frequent ones are often skipped (Mikolov et al. 2013).

    Args:
        counts: Array `(vocabulary,)` with the number of occurrences of each word.
        sample: The share of the text above which words are skipped.

    Returns:
        Array `(vocabulary,)`.
    """
    share = np.maximum(counts, 1) / max(counts.sum(), 1)
    return np.minimum(1.0, np.sqrt(sample / share) + sample / share)


def find_contexts(tokens, window, rng):
    """The words near each word, in windows of a random size from 1 to `window`.

    Args:
        tokens: Array `(time,)` of word numbers, 0 between paragraphs, which windows do
            not cross.
        window: Largest number of words to each side.
        rng: A `numpy.random.Generator`.

    Returns:
        Array `(time, 2 * window)` of word numbers, 0 where there is none.
    """
    time = len(tokens)
    padded = np.pad(tokens, window)
    reach = rng.integers(1, window + 1, time)
    near = np.zeros((time, 2 * window), "int32")
    for side, step in ((0, -1), (window, 1)):
        is_open = tokens != PADDING
        for distance in range(1, window + 1):
            shifted = padded[window + step * distance : window + step * distance + time]
            is_open = is_open & (shifted != PADDING)
            near[:, side + distance - 1] = shifted * (is_open & (distance <= reach))
    return near


def make_examples(tokens, architecture, window, rng):
    """Training examples: given words, and the word to predict.

    Args:
        tokens, window, rng: As for `find_contexts`.
        architecture: `"skipgram"` or `"cbow"`.

    Returns:
        Arrays of word numbers: given `(examples, width)` and true `(examples,)`, shuffled.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(
            f"`architecture` must be one of {tuple(ARCHITECTURES)}. Received: {architecture!r}"
        )
    near = find_contexts(tokens, window, rng)
    if architecture == "cbow":
        rows = np.flatnonzero((tokens != PADDING) & (near != PADDING).any(axis=1))
        given, true = near[rows], tokens[rows]
    else:
        rows, columns = np.nonzero(near)
        given, true = tokens[rows, None], near[rows, columns]
    order = rng.permutation(len(true))
    return given[order], true[order]
