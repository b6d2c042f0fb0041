"""The translation network: a bidirectional encoder and a recurrent decoder with attention."""

import keras
from keras import ops

from shared.options import OptionsMixin
from unrolled.layers import CELLS, Bidirectional, Recurrent
from unrolled.layers.attention import DotAttention

PADDING, UNKNOWN, BEGIN, END = range(4)


@keras.saving.register_keras_serializable("unrolled")
class Translator(OptionsMixin, keras.Model):
    """Sequence to sequence (Sutskever, Vinyals & Le 2014) with attention (Luong et al. 2015).

    The layers of the encoder read the source in both directions. Their last states give, through
    dense layers (bridges), the initial states of the decoder. At each step, the hidden state h of
    the decoder attends to the outputs of the encoder, which gives a context c; the logits of the
    next token are computed from tanh(W [c; h]). Attention is not fed back into the decoder, so
    training runs the decoder over all steps first and attends in one matrix product. Source,
    target and output layer share one embedding matrix.

    Args:
        vocabulary: Number of tokens: padding (0), unknown (1), begin (2) and end (3) first.
        cell: `"rnn"`, `"gru"` or `"lstm"`.
        dimensions: Size of the token vectors.
        units: Size of the decoder's hidden state, even; each direction of the encoder has half.
        layers: Number of layers of the encoder, and of the decoder.
        attention: Whether the decoder attends. Without attention, its initial states are all
            that it gets of the source.
        reverse: Whether the source is reversed (as by Sutskever et al.).
        dropout: Dropout rate of the token vectors, between layers, and before the output layer.
        seed: Integer or None.

    Call arguments:
        inputs: Tuple of `source` `(batch, source time)` and `target` `(batch, target time)`,
            integers padded with 0 on the right; the target begins with the begin token.

    Returns:
        Logits of the next token after each token of the target,
        `(batch, target time, vocabulary)`.
    """

    def __init__(
        self,
        vocabulary=6_000,
        cell="lstm",
        dimensions=256,
        units=512,
        layers=1,
        attention=True,
        reverse=False,
        dropout=0.25,
        seed=None,
        **kwargs,
    ):
        super().__init__(name=kwargs.pop("name", "translator"), **kwargs)
        if cell not in CELLS:
            raise ValueError(f"`cell` must be one of {list(CELLS)}. Received: cell={cell!r}")
        if units % 2:
            raise ValueError(f"`units` must be even. Received: units={units}")
        self.embedding = keras.layers.Embedding(
            vocabulary, dimensions, keras.initializers.RandomNormal(0, 0.1, seed), name="embedding"
        )

        def recurrent(size, name):
            recurrent_cell = CELLS[cell](size, seed=seed, name="cell")
            return Recurrent(recurrent_cell, return_sequences=True, return_state=True, name=name)

        numbers = range(1, layers + 1)
        self.encoder = [
            Bidirectional(recurrent(units // 2, "reader"), name=f"encoder_{n}") for n in numbers
        ]
        self.decoder = [recurrent(units, f"decoder_{n}") for n in numbers]
        self.bridges = [
            [
                keras.layers.Dense(units, "tanh", name=f"bridge_{n}_{s}")
                for s in layer.cell.state_names
            ]
            for n, layer in zip(numbers, self.decoder, strict=True)
        ]
        self.attention = DotAttention(general=True, name="attention") if attention else None
        self.readout = keras.layers.Dense(dimensions, "tanh", name="readout")
        self.dropout = keras.layers.Dropout(dropout, seed=seed)

    def build(self, shapes):
        source, target = shapes
        self.embedding.build(source)
        units, input_size = self.options["units"], self.options["dimensions"]
        for encoder, decoder, bridges in zip(self.encoder, self.decoder, self.bridges, strict=True):
            encoder.build((*source, input_size))
            decoder.build((*target, input_size))
            for bridge in bridges:
                bridge.build((source[0], units))
            input_size = units
        if self.attention:
            self.attention.build((*target, units), (*source, units))
        self.readout.build((*target, units * (2 if self.attention else 1)))
        self.output_bias = self.add_weight(
            (self.options["vocabulary"],), "zeros", name="output_bias"
        )

    def call(self, inputs, training=False):
        source, target = inputs
        memory, mask, states = self.encode(source, training)
        hidden = self.dropout(self.embedding(target), training=training)
        for number, layer in enumerate(self.decoder):
            if number:
                hidden = self.dropout(hidden, training=training)
            hidden, *_ = layer(hidden, initial_state=states[number])  # (batch, time, units)
        return self._logits(hidden, memory, mask, training)[0]

    def encode(self, source, training=False):
        """Encode the source.

        Args:
            source: Integers `(batch, source time)`, padded with 0 on the right.
            training: Boolean, whether dropout applies.

        Returns:
            The memory that the decoder attends to, `(batch, source time, units)`; its mask
            `(batch, source time)`; and for each layer of the decoder the list of its initial
            states, `(batch, units)` each.
        """
        if self.options["reverse"]:
            source = _reverse(source)
        mask = ops.not_equal(source, PADDING)
        memory = self.dropout(self.embedding(source), training=training)
        states = []
        for number, layer in enumerate(self.encoder):
            if number:
                memory = self.dropout(memory, training=training)
            memory, *last = layer(memory, mask=mask)
            half = len(last) // 2  # the states of the forward direction come first
            both = [
                ops.concatenate(pair, axis=-1)
                for pair in zip(last[:half], last[half:], strict=True)
            ]  # (batch, units) each
            bridges = self.bridges[number]
            states.append([bridge(state) for bridge, state in zip(bridges, both, strict=True)])
        return memory, mask, states

    def step(self, tokens, states, memory, mask):
        """One step of decoding.

        Args:
            tokens: Integers `(rows,)`, the last token of each row. A sentence may have several
                rows, such as the lanes of a beam; they are adjacent.
            states: The states of the layers, for each row.
            memory, mask: From `encode`, for each sentence.

        Returns:
            Log-probabilities of the next token `(rows, vocabulary)`, the new states, and the
            attention weights `(rows, source time)`, zeros without attention.
        """
        hidden = self.embedding(tokens)  # (rows, dimensions)
        new_states = []
        for layer, previous in zip(self.decoder, states, strict=True):
            hidden, new = layer.cell(hidden, previous)
            new_states.append(new)
        # The rows of a sentence take the place of time steps, so that its memory is read once.
        hidden = ops.reshape(hidden, (ops.shape(memory)[0], -1, hidden.shape[-1]))
        logits, weights = self._logits(hidden, memory, mask)  # (batch, rows of each, …)
        logits, weights = (ops.reshape(x, (-1, ops.shape(x)[-1])) for x in (logits, weights))
        return ops.log_softmax(logits, axis=-1), new_states, weights

    def _logits(self, hidden, memory, mask, training=False):
        if self.attention:
            context, weights = self.attention(hidden, memory, memory_mask=mask)
            hidden = ops.concatenate([context, hidden], axis=-1)
        else:
            weights = ops.zeros((*ops.shape(hidden)[:2], ops.shape(memory)[1]))
        output = self.dropout(self.readout(hidden), training=training)  # (batch, time, dimensions)
        kernel = ops.transpose(ops.cast(self.embedding.embeddings, output.dtype))
        return ops.matmul(output, kernel) + ops.cast(self.output_bias, output.dtype), weights


def _reverse(source):
    """The tokens of each row in reverse order, the padding still on the right."""
    time = ops.shape(source)[1]
    lengths = ops.sum(ops.cast(ops.not_equal(source, PADDING), "int32"), axis=1, keepdims=True)
    positions = lengths - 1 - ops.arange(time, dtype="int32")[None]  # (batch, time)
    tokens = ops.take_along_axis(source, ops.maximum(positions, 0), axis=1)
    return ops.where(positions >= 0, tokens, PADDING)
