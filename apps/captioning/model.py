"""The network: a recurrent decoder that looks at a grid of a photograph's features."""

import keras
from keras import ops

from shared.layers import GRUCell, LSTMCell, Recurrent, RNNCell
from shared.layers.attention import DotAttention
from shared.options import OptionsMixin

CELLS = {"rnn": RNNCell, "gru": GRUCell, "lstm": LSTMCell}
PADDING, UNKNOWN, BEGIN, END = range(4)


@keras.saving.register_keras_serializable("unrolled")
class Captioner(OptionsMixin, keras.Model):
    """Show, attend and tell (Xu et al. 2015), attending after the recurrence (Lu et al. 2017).

    The mean of the grid, narrowed, starts the states and is added to every word read. Each hidden
    state h asks the grid for a context c, a gate b = sigmoid(w . h) says how much of it counts, and
    the next word comes from tanh(W [b c; h]). As nothing of it is fed back, training runs the
    recurrence over all steps first and attends in one product. Word vectors serve input and
    softmax.

    Args:
        vocabulary: Number of words: padding (0), unknown (1), begin (2) and end (3) first.
        cell: `"rnn"`, `"gru"` or `"lstm"`.
        dimensions: Size of the word vectors.
        units: Size of the hidden state.
        features: Of each cell of the grid.
        coverage: Weight of the doubly stochastic penalty (Xu et al. 2015, section 4.2.1) in
            training: the attention that a cell gets over a whole caption should be 1.
        dropout: Fraction dropped of the word vectors, the grid, the hidden states and the readout.
        seed: Integer or None.

    Call arguments:
        inputs: Tuple of `features` `(photos, height, width, features)` and `target` `(photos,
            captions, time)`, integers padded with 0 on the right after the begin token: as many
            captions of every photo.

    Returns:
        Logits of the word after each of the target's, `(photos, captions, time, vocabulary)`.
    """

    def __init__(
        self,
        vocabulary=2_500,
        cell="lstm",
        dimensions=256,
        units=512,
        features=1280,
        coverage=0.5,
        dropout=0.4,
        seed=None,
        **kwargs,
    ):
        super().__init__(name=kwargs.pop("name", "captioner"), **kwargs)
        if cell not in CELLS:
            raise ValueError(f"`cell` must be one of {list(CELLS)}. Received: cell={cell!r}")
        self.embedding = keras.layers.Embedding(
            vocabulary, dimensions, keras.initializers.RandomNormal(0, 0.1, seed), name="embedding"
        )
        self.see = keras.layers.Dense(units, "relu", name="see")
        self.glance = keras.layers.Dense(dimensions, name="glance")
        inner = CELLS[cell](units, seed=seed, name="cell")
        self.recurrent = Recurrent(inner, return_sequences=True, name="decoder")
        self.bridges = [
            keras.layers.Dense(units, "tanh", name=f"bridge_{state}") for state in inner.state_names
        ]
        self.attention = DotAttention(general=True, name="attention")
        self.gate = keras.layers.Dense(1, "sigmoid", name="gate")
        self.readout = keras.layers.Dense(dimensions, "tanh", name="readout")
        self.dropout = keras.layers.Dropout(dropout, seed=seed)

    def build(self, shapes=None):
        units, dimensions = self.options["units"], self.options["dimensions"]
        features = self.options["features"]
        self.embedding.build((None, None))
        self.see.build((None, None, features))
        self.glance.build((None, features))
        self.recurrent.build((None, None, dimensions))
        for bridge in self.bridges:
            bridge.build((None, dimensions))
        self.attention.build((None, None, units), (None, None, units))
        self.gate.build((None, None, units))
        self.readout.build((None, None, 2 * units))
        self.output_bias = self.add_weight(
            (self.options["vocabulary"],), "zeros", name="output_bias"
        )

    def call(self, inputs, training=False):
        features, target = inputs
        photos, captions, time = target.shape
        photos = ops.shape(target)[0] if photos is None else photos
        units = self.options["units"]
        memory, mean, states = self.encode(features, training=training)

        def each(values):  # once for every caption of its photo
            return ops.repeat(values, captions, axis=0)

        words = self.embedding(ops.reshape(target, (-1, time)))
        read = self.dropout(words + each(mean)[:, None], training=training)
        hidden = self.recurrent(read, initial_state=[each(state) for state in states])
        # All words of a photo's captions ask its grid at once.
        hidden = ops.reshape(hidden, (photos, captions * time, units))
        logits, weights, _ = self._logits(hidden, memory, None, training)
        if training and self.options["coverage"]:
            live = ops.cast(ops.not_equal(target, PADDING), weights.dtype)[..., None]
            looked = ops.sum(
                ops.reshape(weights, (photos, captions, time, -1)) * live, axis=2
            )  # (photos, captions, cells)
            self.add_loss(self.options["coverage"] * ops.mean((1 - looked) ** 2))
        return ops.reshape(logits, (photos, captions, time, -1))

    def encode(self, features, mask=None, training=False):
        """What the decoder starts from.

        Args:
            features: `(batch, height, width, features)`.
            mask: Boolean `(batch, height * width)`, False for cells it must not see, or None.
            training: Boolean, whether dropout applies.

        Returns:
            The grid `(batch, height * width, units)`, what is added to every word `(batch,
            dimensions)`, and the list of the first states, each `(batch, units)`.
        """
        grid = ops.reshape(features, (ops.shape(features)[0], -1, self.options["features"]))
        if mask is None:
            mean = ops.mean(grid, axis=1)  # (batch, features)
        else:
            live = ops.cast(mask, grid.dtype)[..., None]
            mean = ops.sum(grid * live, axis=1) / ops.maximum(ops.sum(live, axis=1), 1)
        mean = self.dropout(mean, training=training)
        memory = self.see(self.dropout(grid, training=training))
        mean = self.glance(mean)  # (batch, dimensions)
        return memory, mean, [bridge(mean) for bridge in self.bridges]

    def step(self, tokens, states, memory, mean, mask=None):
        """One step of decoding.

        Args:
            tokens: Integers `(batch,)`, the word written last.
            states, memory, mean: As from `encode`.
            mask: As for `encode`.

        Returns:
            Log-probabilities of the next word `(batch, vocabulary)`, the new states, and `(batch,
            height * width + 1)`: the attention weights, and the gate last.
        """
        hidden, states = self.recurrent.cell(self.embedding(tokens) + mean, states)
        logits, weights, gate = self._logits(hidden[:, None], memory, mask)
        looked = ops.concatenate([weights, ops.cast(gate, weights.dtype)], axis=-1)
        return ops.log_softmax(logits[:, 0], axis=-1), states, looked[:, 0]

    def _logits(self, hidden, memory, mask, training=False):
        hidden = self.dropout(hidden, training=training)
        context, weights = self.attention(hidden, memory, mask)
        gate = self.gate(hidden)  # (batch, time, 1)
        read = self.readout(ops.concatenate([gate * context, hidden], axis=-1))
        read = self.dropout(read, training=training)  # (batch, time, dimensions)
        table = ops.transpose(ops.cast(self.embedding.embeddings, read.dtype))
        logits = ops.matmul(read, table) + ops.cast(self.output_bias, read.dtype)
        return logits, weights, gate
