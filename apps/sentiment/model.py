"""The network: word vectors, a recurrent layer, pooling over time, log-odds after every word."""

import keras
from keras import ops

from shared.layers import GRUCell, LSTMCell, Recurrent, RNNCell

CELLS = {"rnn": RNNCell, "gru": GRUCell, "lstm": LSTMCell}


@keras.saving.register_keras_serializable("unrolled")
class SentimentNetwork(keras.Model):
    """Reads a review word by word and gives the log-odds that it is positive.

    The recurrent layer reads forwards only and the pooling (mean and maximum of the hidden
    states so far) looks only back, so the answer after each word is exactly the answer to the
    text up to there.

    Args:
        cell: `"rnn"`, `"gru"` or `"lstm"`.
        vocabulary: Number of words, padding (0) and unknown (1) among them.
        dimensions: Size of the word vectors.
        units: Size of the hidden state.
        dropout: Fraction dropped of the pooled features, and half of it of the word vectors.
        word_dropout: Fraction of the words that training replaces by the unknown word.
        adversary: In training each review's word vectors are moved by so much, in standard
            deviations of a vector's numbers, in the direction that raises the loss most
            (adversarial training, Miyato, Dai & Goodfellow 2017); 0 for not at all.
        seed: Integer or None.

    Call arguments:
        words: Integer tensor `(batch, time)`, padded with 0 on the right.

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
        self.options = {
            "cell": cell,
            "vocabulary": vocabulary,
            "dimensions": dimensions,
            "units": units,
            "dropout": dropout,
            "word_dropout": word_dropout,
            "adversary": adversary,
            "seed": seed,
        }
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

    def build(self, words_shape):
        self.embedding.build(words_shape)
        self.recurrent.build((*words_shape, self.options["dimensions"]))
        self.head.build((words_shape[0], 2 * self.options["units"]))

    def call(self, words, training=False):
        vectors, mask = self._vectors(words, training)
        return self.last_from_vectors(vectors, mask, training=training)

    def _vectors(self, words, training):
        mask = ops.not_equal(words, 0)  # (batch, time)
        if training and self.word_dropout > 0:
            dropped = keras.random.uniform(ops.shape(words), seed=self.seed_generator)
            words = ops.where(ops.logical_and(mask, dropped < self.word_dropout), 1, words)
        return self.embedding(words), mask

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if training and self.options["adversary"]:  # `y_pred` goes unused; compilers leave it out
            vectors, mask = self._vectors(x, training)
            moved = vectors + self.worst_move(vectors, mask, y)
            y_pred = self.last_from_vectors(moved, mask, training=True)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def worst_move(self, vectors, mask, labels):
        """The move of word vectors that raises the loss most, to first order.

        Args:
            vectors: `(batch, time, dimensions)`.
            mask: Boolean `(batch, time)`.
            labels: Probabilities `(batch,)` that a review is positive.

        Returns:
            `(batch, time, dimensions)`, for each review of the length `adversary` times the
            standard deviation of the batch's numbers. No gradient flows through it.
        """
        vectors = ops.stop_gradient(vectors)
        hidden, back = self.recurrent.vjp(vectors, mask=mask)
        real = ops.cast(ops.expand_dims(mask, -1), hidden.dtype)
        count = ops.maximum(ops.sum(real, axis=1), 1)  # (batch, 1)
        pooled = _pool(hidden, mask)
        highest = pooled[:, None, self.options["units"] :]
        # A masked step repeats the state before it, so several may hold the maximum.
        there = ops.cast(ops.equal(hidden, highest), hidden.dtype)
        labels = ops.cast(ops.reshape(labels, (-1, 1)), hidden.dtype)
        to_mean, to_highest = ops.split(
            (ops.sigmoid(self.head(pooled)) - labels) * self.head.kernel[:, 0], 2, axis=-1
        )  # (batch, units)
        d_hidden = ops.expand_dims(to_mean / count, 1) * real
        to_highest = to_highest / ops.sum(there, axis=1)
        found = back(d_hidden + ops.expand_dims(to_highest, 1) * there)
        scale = ops.sqrt(ops.sum(ops.square(vectors) * real) / (ops.sum(real) * vectors.shape[-1]))
        norm = ops.sqrt(ops.sum(ops.square(found), axis=(1, 2), keepdims=True))
        return ops.stop_gradient(
            self.options["adversary"] * scale * found / ops.maximum(norm, 1e-20)
        )

    def running(self, words):
        """Log-odds after every word: `(batch, time)` integers -> `(batch, time)`.

        At padding the answer stays what it was after the last word.
        """
        return self.running_from_vectors(self.embedding(words), ops.not_equal(words, 0))

    def running_from_vectors(self, vectors, mask):
        """The same from word vectors `(batch, time, dimensions)` and a mask `(batch, time)`."""
        return self.running_from_hidden(self.recurrent(vectors, mask=mask), mask)

    def running_from_hidden(self, hidden, mask):
        """The same from hidden states `(batch, time, units)`, such as those of held gates."""
        real = ops.cast(ops.expand_dims(mask, -1), hidden.dtype)
        mean = ops.cumsum(hidden * real, axis=1) / ops.maximum(ops.cumsum(real, axis=1), 1)
        return self.head(ops.concatenate([mean, _highest_so_far(hidden)], axis=-1))[..., 0]

    def last_from_vectors(self, vectors, mask, training=False):
        """Only the last of them, `(batch,)`: a smaller graph to differentiate."""
        hidden = self.recurrent(vectors, mask=mask, training=training)  # (batch, time, units)
        return self.head(self.dropout(_pool(hidden, mask), training=training))[:, 0]

    def get_config(self):
        return {**super().get_config(), **self.options}


def _pool(hidden, mask):
    """Mean and maximum over time: `(batch, time, units)` -> `(batch, 2 * units)`."""
    real = ops.cast(ops.expand_dims(mask, -1), hidden.dtype)
    mean = ops.sum(hidden * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1)
    # A masked step repeats the state before it, so the maximum needs no mask.
    return ops.concatenate([mean, ops.max(hidden, axis=1)], axis=-1)


def _highest_so_far(values):
    """Running maximum over the time axis of `(batch, time, units)`, doubling its reach each round.

    `ops.associative_scan` would say it in a line, but does not compile under XLA on TensorFlow.
    """
    reach = 1
    while reach < values.shape[1]:
        later = ops.maximum(values[:, reach:], values[:, :-reach])
        values = ops.concatenate([values[:, :reach], later], axis=1)
        reach *= 2
    return values
