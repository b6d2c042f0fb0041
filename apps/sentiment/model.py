"""The sentiment network: embedding, recurrent layer, pooling over time, one logit per word."""

import keras
from keras import ops

from shared.layers import CELLS, Recurrent
from shared.options import OptionsMixin


@keras.saving.register_keras_serializable("unrolled")
class SentimentNetwork(OptionsMixin, keras.Model):
    """A recurrent classifier that gives the log-odds that a review is positive.

    The recurrent layer reads forwards and the pooling (mean and maximum of the hidden states so
    far) looks back only. The log-odds after each word are therefore exactly the log-odds of the
    text up to that word.

    Args:
        cell: `"rnn"`, `"gru"` or `"lstm"`.
        vocabulary: Number of tokens, including padding (0) and the unknown word (1).
        dimensions: Size of the word vectors.
        units: Size of the hidden state.
        dropout: Dropout rate of the pooled features; the word vectors get half of it.
        word_dropout: Fraction of the words that training replaces by the unknown word.
        adversary: Size of the adversarial perturbation of the word vectors in training, in
            standard deviations of a vector's components (Miyato, Dai & Goodfellow 2017); 0
            trains without perturbation.
        seed: Integer or None.

    Call arguments:
        tokens: Integer tensor `(batch, time)`, padded with 0 on the right.

    Returns:
        Log-odds `(batch,)` after the last word.
    """

    def __init__(
        self,
        cell="lstm",
        vocabulary=20_000,
        dimensions=100,
        units=128,
        dropout=0.5,
        word_dropout=0.15,
        adversary=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(name=kwargs.pop("name", "sentiment"), **kwargs)
        if cell not in CELLS:
            raise ValueError(f"`cell` must be one of {list(CELLS)}. Received: cell={cell!r}")
        self.embedding = keras.layers.Embedding(vocabulary, dimensions, name="embedding")
        self.recurrent = Recurrent(
            CELLS[cell](units, dropout=dropout / 2, seed=seed, name="cell"),
            return_sequences=True,
            name="recurrent",
        )
        self.dropout = keras.layers.Dropout(dropout, seed=seed)
        self.head = keras.layers.Dense(1, name="head")
        self.word_dropout = word_dropout
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, tokens_shape):
        self.embedding.build(tokens_shape)
        self.recurrent.build((*tokens_shape, self.options["dimensions"]))
        self.head.build((tokens_shape[0], 2 * self.options["units"]))

    def call(self, tokens, training=False):
        vectors, mask = self._embed(tokens, training)
        return self.log_odds_from_vectors(vectors, mask, training=training)

    def _embed(self, tokens, training):
        mask = ops.not_equal(tokens, 0)  # (batch, time)
        if training and self.word_dropout > 0:
            uniform = keras.random.uniform(ops.shape(tokens), seed=self.seed_generator)
            tokens = ops.where(ops.logical_and(mask, uniform < self.word_dropout), 1, tokens)
        return self.embedding(tokens), mask

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if training and self.options["adversary"]:  # the unused `y_pred` is pruned by the compiler
            vectors, mask = self._embed(x, training)
            perturbed = vectors + self.adversarial_perturbation(vectors, mask, y)
            y_pred = self.log_odds_from_vectors(perturbed, mask, training=True)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def adversarial_perturbation(self, vectors, mask, labels):
        """The perturbation of the word vectors that raises the loss most, to first order.

        Args:
            vectors: `(batch, time, dimensions)`.
            mask: Boolean `(batch, time)`.
            labels: Probabilities `(batch,)` that a review is positive.

        Returns:
            `(batch, time, dimensions)`. The norm for each review is `adversary` times the
            standard deviation of the components in the batch. No gradient flows through it.
        """
        vectors = ops.stop_gradient(vectors)
        hidden, vjp = self.recurrent.vjp(vectors, mask=mask)
        real = ops.cast(ops.expand_dims(mask, -1), hidden.dtype)
        count = ops.maximum(ops.sum(real, axis=1), 1)  # (batch, 1)
        pooled = _pool(hidden, mask)
        maximum = pooled[:, None, self.options["units"] :]
        # A masked step repeats the state before it, so several steps may hold the maximum.
        is_maximum = ops.cast(ops.equal(hidden, maximum), hidden.dtype)
        labels = ops.cast(ops.reshape(labels, (-1, 1)), hidden.dtype)
        d_mean, d_maximum = ops.split(
            (ops.sigmoid(self.head(pooled)) - labels) * self.head.kernel[:, 0], 2, axis=-1
        )  # (batch, units)
        d_hidden = ops.expand_dims(d_mean / count, 1) * real
        d_maximum = d_maximum / ops.sum(is_maximum, axis=1)
        gradient = vjp(d_hidden + ops.expand_dims(d_maximum, 1) * is_maximum)
        scale = ops.sqrt(ops.sum(ops.square(vectors) * real) / (ops.sum(real) * vectors.shape[-1]))
        norm = ops.sqrt(ops.sum(ops.square(gradient), axis=(1, 2), keepdims=True))
        return ops.stop_gradient(
            self.options["adversary"] * scale * gradient / ops.maximum(norm, 1e-20)
        )

    def running_log_odds(self, tokens):
        """Log-odds after every word: integers `(batch, time)` -> `(batch, time)`.

        At padding, the log-odds stay those after the last word.
        """
        mask = ops.not_equal(tokens, 0)
        hidden = self.recurrent(self.embedding(tokens), mask=mask)
        return self.running_log_odds_from_hidden(hidden, mask)

    def running_log_odds_from_hidden(self, hidden, mask):
        """Log-odds after every word, from hidden states.

        Args:
            hidden: `(batch, time, units)`.
            mask: Boolean `(batch, time)`.

        Returns:
            `(batch, time)`.
        """
        real = ops.cast(ops.expand_dims(mask, -1), hidden.dtype)
        mean = ops.cumsum(hidden * real, axis=1) / ops.maximum(ops.cumsum(real, axis=1), 1)
        return self.head(ops.concatenate([mean, _running_maximum(hidden)], axis=-1))[..., 0]

    def log_odds_from_vectors(self, vectors, mask, training=False):
        """Log-odds after the last word, from word vectors.

        Args:
            vectors: `(batch, time, dimensions)`.
            mask: Boolean `(batch, time)`.
            training: Whether dropout applies.

        Returns:
            `(batch,)`.
        """
        hidden = self.recurrent(vectors, mask=mask, training=training)  # (batch, time, units)
        return self.head(self.dropout(_pool(hidden, mask), training=training))[:, 0]

    def unit_contributions(self, hidden):
        """What each unit adds to the log-odds after the last word of one unpadded text.

        The log-odds are the head's bias and the sum of these contributions: a unit's mean and
        maximum over time, each times its weight in the head.

        Args:
            hidden: Hidden states `(time, units)`.

        Returns:
            `(units,)`.
        """
        mean, maximum = ops.split(self.head.kernel[:, 0], 2)
        return ops.mean(hidden, axis=0) * mean + ops.max(hidden, axis=0) * maximum


def _pool(hidden, mask):
    """Mean and maximum over time: `(batch, time, units)` -> `(batch, 2 * units)`."""
    real = ops.cast(ops.expand_dims(mask, -1), hidden.dtype)
    mean = ops.sum(hidden * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1)
    # A masked step repeats the state before it, so the maximum needs no mask.
    return ops.concatenate([mean, ops.max(hidden, axis=1)], axis=-1)


def _running_maximum(values):
    """Running maximum over the time axis of `(batch, time, units)`.

    Each pass of the loop doubles the distance that a maximum has travelled. (One call of
    `ops.associative_scan` would do, but XLA on TensorFlow does not compile it.)
    """
    distance = 1
    while distance < values.shape[1]:
        later = ops.maximum(values[:, distance:], values[:, :-distance])
        values = ops.concatenate([values[:, :distance], later], axis=1)
        distance *= 2
    return values
