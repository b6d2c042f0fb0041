"""Skip-gram and CBOW with negative sampling (Mikolov et al. 2013), and what they learn from."""

import keras
import numpy as np
from keras import ops

from shared.options import OptionsMixin

ARCHITECTURES = {"skipgram": "Skip-gram", "cbow": "CBOW"}
PADDING = 0


@keras.saving.register_keras_serializable("unrolled")
class WordNetwork(OptionsMixin, keras.Model):
    """Which of these words stood there? A dot product of what is given and each candidate.

    Skip-gram is given the word in the middle and guesses a word near it; CBOW is given the words
    near, as their mean, and guesses the one in the middle. Word 0 is padding.

    Args:
        vocabulary: Number of words, the padding among them.
        dimensions: Of the vectors.
        seed: Integer, of the initial weights.

    Call arguments:
        inputs: Tuple of whole numbers: given words `(batch, width)`, padded with 0, and candidates
            `(batch, candidates)`, the true one and negative samples.

    Returns:
        Logits `(batch, candidates)`.

    Example:

    >>> network = WordNetwork(vocabulary=100, dimensions=16)
    >>> network((np.ones((2, 1), "int32"), np.ones((2, 6), "int32"))).shape
    TensorShape([2, 6])
    """

    def __init__(self, vocabulary, dimensions, seed=0, **kwargs):
        super().__init__(**kwargs)
        start = keras.initializers.RandomUniform(-0.5 / dimensions, 0.5 / dimensions, seed)
        self.words = keras.layers.Embedding(vocabulary, dimensions, start, name="words")
        # The outputs start at zero, as word2vec's do: every candidate is as likely as not.
        self.contexts = keras.layers.Embedding(vocabulary, dimensions, "zeros", name="contexts")

    def build(self, input_shape=None):
        self.words.build()
        self.contexts.build()
        super().build(input_shape)

    def call(self, inputs):
        given, candidates = inputs
        known = ops.cast(ops.not_equal(given, PADDING), "float32")[..., None]  # (batch, width, 1)
        total = ops.sum(self.words(given) * known, axis=1)
        mean = total / ops.maximum(ops.sum(known, axis=1), 1.0)  # (batch, dimensions)
        return ops.einsum("bd,bcd->bc", mean, self.contexts(candidates))


def negative_sampling_loss(labels, logits):
    """What telling the true candidates from the negative samples costs, in nats.

    Args:
        labels: Tensor `(batch, candidates)`, 1 for true ones, 0 for samples.
        logits: Tensor of the same shape.

    Returns:
        Tensor `(batch,)`.
    """
    return ops.sum(ops.softplus(logits) - labels * logits, axis=-1)


def subsample(counts, sample):
    """The chance of each word to stay: frequent ones are skipped at random (Mikolov et al. 2013).

    Args:
        counts: Array `(vocabulary,)` of how often each word stands in the text.
        sample: The share of the text above which a word is thinned out.
    """
    share = np.maximum(counts, 1) / max(counts.sum(), 1)
    return np.minimum(1.0, np.sqrt(sample / share) + sample / share)


def contexts(tokens, window, random):
    """The words near each word, within a window drawn anew from 1 to `window` for each.

    Args:
        tokens: Array `(time,)` of word numbers, 0 between paragraphs, where no window reaches over.
        window: The most words to each side.
        random: A `numpy.random.Generator`.

    Returns:
        Array `(time, 2 * window)` of word numbers, 0 where there is none.
    """
    time = len(tokens)
    padded = np.pad(tokens, window)
    reach = random.integers(1, window + 1, time)
    near = np.zeros((time, 2 * window), "int32")
    for side, step in ((0, -1), (window, 1)):
        open_ = tokens != PADDING
        for distance in range(1, window + 1):
            found = padded[window + step * distance : window + step * distance + time]
            open_ = open_ & (found != PADDING)
            near[:, side + distance - 1] = found * (open_ & (distance <= reach))
    return near


def examples(tokens, architecture, window, random):
    """What the network is given and what it must guess.

    Args:
        tokens, window, random: As for `contexts`.
        architecture: `"skipgram"` or `"cbow"`.

    Returns:
        Arrays of word numbers: given `(examples, width)` and true `(examples,)`, shuffled.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(
            f"`architecture` must be one of {tuple(ARCHITECTURES)}. Received: {architecture!r}"
        )
    near = contexts(tokens, window, random)
    if architecture == "cbow":
        rows = np.flatnonzero((tokens != PADDING) & (near != PADDING).any(axis=1))
        given, true = near[rows], tokens[rows]
    else:
        rows, columns = np.nonzero(near)
        given, true = tokens[rows, None], near[rows, columns]
    order = random.permutation(len(true))
    return given[order], true[order]
