"""The network: a recurrent decoder that attends to a grid of photo features."""

import keras
from keras import ops

from shared.options import OptionsMixin
from unrolled.layers import CELLS, Recurrent
from unrolled.layers.attention import DotAttention

PADDING, UNKNOWN, BEGIN, END = range(4)


@keras.saving.register_keras_serializable("unrolled")
class Captioner(OptionsMixin, keras.Model):
    """Show, attend and tell (Xu et al. 2015), with attention after the recurrence (Lu et al. 2017).

    A projection of the mean of the grid initialises the states and is added to the vector of every
    input word. Each hidden state h attends to the grid, which gives a context c; a gate
    b = sigmoid(w . h) scales it, and the next word is predicted from tanh(W [b c; h]). The context
    is not fed back, so that training runs the recurrence over all steps first and computes the
    attention of all steps in one product. Input and softmax share the word vectors.

    Args:
        vocabulary: Number of words, of which the first four are padding, unknown, begin and end.
        cell: `"rnn"`, `"gru"` or `"lstm"`.
        dimensions: Size of the word vectors.
        units: Size of the hidden state.
        features: Number of features of a cell of the grid.
        coverage: Weight of the doubly stochastic penalty (Xu et al. 2015, section 4.2.1), which
            draws the attention to a cell, summed over a caption, towards 1 in training.
        dropout: Dropout rate of the word vectors, the grid, the hidden states and the readout.
        seed: Integer or None.

    Call arguments:
        inputs: Tuple of `features` `(photos, height, width, features)` and `target` `(photos,
            captions, time)`, token ids from the begin token on, padded with 0 on the right. Every
            photo has the same number of captions.

    Returns:
        Logits of the word after each word of the target, `(photos, captions, time, vocabulary)`.
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
        self.grid_projection = keras.layers.Dense(units, "relu", name="see")
        self.mean_projection = keras.layers.Dense(dimensions, name="glance")
        inner = CELLS[cell](units, seed=seed, name="cell")
        self.recurrent = Recurrent(inner, return_sequences=True, name="decoder")
        self.state_projections = [
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
        self.grid_projection.build((None, None, features))
        self.mean_projection.build((None, features))
        self.recurrent.build((None, None, dimensions))
        for projection in self.state_projections:
            projection.build((None, dimensions))
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

        def per_caption(values):  # (photos, ...) -> (photos * captions, ...)
            return ops.repeat(values, captions, axis=0)

        words = self.embedding(ops.reshape(target, (-1, time)))
        inputs = self.dropout(words + per_caption(mean)[:, None], training=training)
        hidden = self.recurrent(inputs, initial_state=[per_caption(state) for state in states])
        # All words of a photo's captions attend to its grid at once.
        hidden = ops.reshape(hidden, (photos, captions * time, units))
        logits, weights, _ = self._logits(hidden, memory, None, training)
        if training and self.options["coverage"]:
            live = ops.cast(ops.not_equal(target, PADDING), weights.dtype)[..., None]
            # (photos, captions, cells)
            coverage = ops.sum(ops.reshape(weights, (photos, captions, time, -1)) * live, axis=2)
            self.add_loss(self.options["coverage"] * ops.mean((1 - coverage) ** 2))
        return ops.reshape(logits, (photos, captions, time, -1))

    def encode(self, features, mask=None, training=False):
        """Compute what the decoder starts from.

        Args:
            features: `(batch, height, width, features)`.
            mask: Boolean `(batch, height * width)`, False for hidden cells, or None.
            training: Whether dropout applies.

        Returns:
            The grid `(batch, height * width, units)`, the projected mean that is added to every
            word `(batch, dimensions)`, and the list of the initial states, each `(batch, units)`.
        """
        grid = ops.reshape(features, (ops.shape(features)[0], -1, self.options["features"]))
        if mask is None:
            mean = ops.mean(grid, axis=1)  # (batch, features)
        else:
            live = ops.cast(mask, grid.dtype)[..., None]
            mean = ops.sum(grid * live, axis=1) / ops.maximum(ops.sum(live, axis=1), 1)
        mean = self.dropout(mean, training=training)
        memory = self.grid_projection(self.dropout(grid, training=training))
        mean = self.mean_projection(mean)  # (batch, dimensions)
        return memory, mean, [project(mean) for project in self.state_projections]

    def step(self, tokens, states, memory, mean, mask=None):
        """One step of decoding.

        Args:
            tokens: Token ids `(batch,)`, the words written last.
            states, memory, mean: From `encode`.
            mask: As for `encode`.

        Returns:
            Log-probabilities of the next word `(batch, vocabulary)`, the new states, and the
            attention weights with the gate as last column, `(batch, height * width + 1)`.
        """
        hidden, states = self.recurrent.cell(self.embedding(tokens) + mean, states)
        logits, weights, gate = self._logits(hidden[:, None], memory, mask)
        weights = ops.concatenate([weights, ops.cast(gate, weights.dtype)], axis=-1)
        return ops.log_softmax(logits[:, 0], axis=-1), states, weights[:, 0]

    def _logits(self, hidden, memory, mask, training=False):
        hidden = self.dropout(hidden, training=training)
        context, weights = self.attention(hidden, memory, memory_mask=mask)
        gate = self.gate(hidden)  # (batch, time, 1)
        output = self.readout(ops.concatenate([gate * context, hidden], axis=-1))
        output = self.dropout(output, training=training)  # (batch, time, dimensions)
        vectors = ops.transpose(ops.cast(self.embedding.embeddings, output.dtype))
        logits = ops.matmul(output, vectors) + ops.cast(self.output_bias, output.dtype)
        return logits, weights, gate
