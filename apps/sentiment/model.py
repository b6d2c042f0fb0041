"""The sentiment network: embedding, recurrent layer, pooling over time, logits after every word."""

import keras
from keras import ops

from shared.options import OptionsMixin
from unrolled.layers import CELLS, Recurrent

NEGATIVE, NEUTRAL, POSITIVE = range(3)


@keras.saving.register_keras_serializable("unrolled")
class SentimentNetwork(OptionsMixin, keras.Model):
    """A recurrent classifier of texts: negative or positive, or neutral as a third class.

    The recurrent layer reads forwards and the pooling (mean and maximum of the hidden states so
    far, and with `pool_last` the last one) looks back only. The logits after each word are
    therefore exactly the logits of the text up to that word.

    A network with one class has one logit, the log-odds that a text is positive. One with three
    classes has a logit for each, and the log-odds are those of positive against negative.

    Args:
        cell: `"rnn"`, `"gru"` or `"lstm"`.
        vocabulary: Number of tokens, including padding (0) and the unknown word (1).
        dimensions: Size of the word vectors.
        units: Size of the hidden state.
        classes: 1 or 3.
        pool_last: Whether the classifier sees the last hidden state besides mean and maximum.
        dropout: Dropout rate of the pooled features; the word vectors get half of it.
        word_dropout: Fraction of the words that training replaces by the unknown word.
        adversary: Size of the adversarial perturbation of the word vectors in training, in
            standard deviations of a vector's components (Miyato, Dai & Goodfellow 2017); 0
            trains without perturbation.
        seed: Integer or None.

    Call arguments:
        tokens: Integer tensor `(batch, time)`, padded with 0 on the right.

    Returns:
        Logits `(batch, classes)` after the last word.
    """

    def __init__(
        self,
        cell="lstm",
        vocabulary=20_000,
        dimensions=100,
        units=128,
        classes=1,
        pool_last=False,
        dropout=0.5,
        word_dropout=0.15,
        adversary=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(name=kwargs.pop("name", "sentiment"), **kwargs)
        if cell not in CELLS:
            raise ValueError(f"`cell` must be one of {list(CELLS)}. Received: cell={cell!r}")
        if classes not in (1, 3):
            raise ValueError(f"`classes` must be 1 or 3. Received: classes={classes!r}")
        self.embedding = keras.layers.Embedding(vocabulary, dimensions, name="embedding")
        self.recurrent = Recurrent(
            CELLS[cell](units, dropout=dropout / 2, seed=seed, name="cell"),
            return_sequences=True,
            name="recurrent",
        )
        self.dropout = keras.layers.Dropout(dropout, seed=seed)
        self.head = keras.layers.Dense(classes, name="head")
        self.pools = 2 + pool_last
        self.word_dropout = word_dropout
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, tokens_shape):
        self.embedding.build(tokens_shape)
        self.recurrent.build((*tokens_shape, self.options["dimensions"]))
        self.head.build((tokens_shape[0], self.pools * self.options["units"]))

    def call(self, tokens, training=False):
        vectors, mask = self._embed(tokens, training)
        return self.logits_from_vectors(vectors, mask, training=training)

    def _embed(self, tokens, training):
        mask = ops.not_equal(tokens, 0)  # (batch, time)
        if training and self.word_dropout > 0:
            uniform = keras.random.uniform(ops.shape(tokens), seed=self.seed_generator)
            tokens = ops.where(ops.logical_and(mask, uniform < self.word_dropout), 1, tokens)
        return self.embedding(tokens), mask

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean cross-entropy, in nats.

        With one class, `y` `(batch,)` holds probabilities that a text is positive. With three
        classes, `y` `(batch, 4)` holds the probabilities of the classes and a flag: where it is 1
        the label says nothing about neutral texts, and only the other two classes are compared.
        """
        if training and self.options["adversary"]:  # the unused `y_pred` is pruned by the compiler
            vectors, mask = self._embed(x, training)
            perturbed = vectors + self.adversarial_perturbation(vectors, mask, y)
            y_pred = self.logits_from_vectors(perturbed, mask, training=True)
        if self.options["classes"] == 1:
            y = ops.cast(ops.reshape(y, (-1, 1)), y_pred.dtype)
            losses = ops.softplus(y_pred) - y * y_pred
        else:
            logits, targets = _compared(y_pred, y)
            losses = -ops.sum(targets * ops.log_softmax(logits), axis=-1, keepdims=True)
        weights = 1.0 if sample_weight is None else ops.reshape(sample_weight, (-1, 1))
        return ops.mean(losses * weights)

    def adversarial_perturbation(self, vectors, mask, labels):
        """The perturbation of the word vectors that raises the loss most, to first order.

        Args:
            vectors: `(batch, time, dimensions)`.
            mask: Boolean `(batch, time)`.
            labels: As for `compute_loss`.

        Returns:
            `(batch, time, dimensions)`. The norm for each review is `adversary` times the
            standard deviation of the components in the batch. No gradient flows through it.
        """
        vectors = ops.stop_gradient(vectors)
        hidden, vjp = self.recurrent.vjp(vectors, mask=mask)
        real = ops.cast(ops.expand_dims(mask, -1), hidden.dtype)
        count = ops.maximum(ops.sum(real, axis=1), 1)  # (batch, 1)
        pooled = self._pool(hidden, mask)
        d_mean, d_maximum, *d_last = ops.split(
            ops.matmul(self._d_logits(self.head(pooled), labels), ops.transpose(self.head.kernel)),
            self.pools,
            axis=-1,
        )  # (batch, units)
        maximum = ops.max(hidden, axis=1, keepdims=True)
        # A masked step repeats the state before it, so several steps may hold the maximum.
        is_maximum = ops.cast(ops.equal(hidden, maximum), hidden.dtype)
        d_hidden = ops.expand_dims(d_mean / count, 1) * real
        d_maximum = d_maximum / ops.sum(is_maximum, axis=1)
        d_hidden = d_hidden + ops.expand_dims(d_maximum, 1) * is_maximum
        if d_last:
            d_hidden = ops.concatenate(
                [d_hidden[:, :-1], d_hidden[:, -1:] + ops.expand_dims(d_last[0], 1)], axis=1
            )
        gradient = vjp(d_hidden)
        scale = ops.sqrt(ops.sum(ops.square(vectors) * real) / (ops.sum(real) * vectors.shape[-1]))
        norm = ops.sqrt(ops.sum(ops.square(gradient), axis=(1, 2), keepdims=True))
        return ops.stop_gradient(
            self.options["adversary"] * scale * gradient / ops.maximum(norm, 1e-20)
        )

    def _d_logits(self, logits, labels):
        """The gradient of each text's loss with respect to its logits `(batch, classes)`."""
        if self.options["classes"] == 1:
            return ops.sigmoid(logits) - ops.cast(ops.reshape(labels, (-1, 1)), logits.dtype)
        logits, targets = _compared(logits, labels)
        return ops.softmax(logits) - targets

    def log_odds(self, logits):
        """Log-odds of positive against negative: logits `(..., classes)` -> `(...)`."""
        if self.options["classes"] == 1:
            return logits[..., 0]
        return logits[..., POSITIVE] - logits[..., NEGATIVE]

    def running_logits(self, tokens):
        """Logits after every word: integers `(batch, time)` -> `(batch, time, classes)`.

        At padding, the logits stay those after the last word.
        """
        mask = ops.not_equal(tokens, 0)
        hidden = self.recurrent(self.embedding(tokens), mask=mask)
        return self.running_logits_from_hidden(hidden, mask)

    def running_logits_from_hidden(self, hidden, mask):
        """Logits after every word, from hidden states.

        Args:
            hidden: `(batch, time, units)`.
            mask: Boolean `(batch, time)`.

        Returns:
            `(batch, time, classes)`.
        """
        real = ops.cast(ops.expand_dims(mask, -1), hidden.dtype)
        mean = ops.cumsum(hidden * real, axis=1) / ops.maximum(ops.cumsum(real, axis=1), 1)
        pools = [mean, _running_maximum(hidden), hidden][: self.pools]
        return self.head(ops.concatenate(pools, axis=-1))

    def logits_from_vectors(self, vectors, mask, training=False):
        """Logits after the last word, from word vectors.

        Args:
            vectors: `(batch, time, dimensions)`.
            mask: Boolean `(batch, time)`.
            training: Whether dropout applies.

        Returns:
            `(batch, classes)`.
        """
        hidden = self.recurrent(vectors, mask=mask, training=training)  # (batch, time, units)
        return self.head(self.dropout(self._pool(hidden, mask), training=training))

    def unit_contributions(self, hidden):
        """What each unit adds to the log-odds after the last word of one unpadded text.

        The log-odds are a constant and the sum of these contributions: a unit's mean, maximum
        and, with `pool_last`, last value, each times its weight in the head.

        Args:
            hidden: Hidden states `(time, units)`.

        Returns:
            `(units,)`.
        """
        weights = ops.split(self.log_odds(self.head.kernel), self.pools)
        pools = [ops.mean(hidden, axis=0), ops.max(hidden, axis=0), hidden[-1]]
        return sum(pool * weight for pool, weight in zip(pools, weights, strict=False))

    def _pool(self, hidden, mask):
        """Pooling over time: `(batch, time, units)` -> `(batch, pools * units)`."""
        real = ops.cast(ops.expand_dims(mask, -1), hidden.dtype)
        mean = ops.sum(hidden * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1)
        # A masked step repeats the state before it, so maximum and last state need no mask.
        pools = [mean, ops.max(hidden, axis=1), hidden[:, -1]][: self.pools]
        return ops.concatenate(pools, axis=-1)


def _compared(logits, labels):
    """Logits `(batch, 3)`, very low where neutral is not compared, and targets `(batch, 3)`."""
    labels = ops.cast(labels, logits.dtype)
    neutral = ops.one_hot(NEUTRAL, 3, dtype=logits.dtype)
    return logits - 1e4 * labels[:, 3:] * neutral, labels[:, :3]


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
