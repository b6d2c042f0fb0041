"""The network: a bidirectional encoder, and a recurrent decoder that looks back at it."""

import keras
from keras import ops

from shared.layers import Bidirectional, GRUCell, LSTMCell, Recurrent, RNNCell
from shared.layers.attention import DotAttention
from shared.options import OptionsMixin

CELLS = {"rnn": RNNCell, "gru": GRUCell, "lstm": LSTMCell}
PADDING, UNKNOWN, BEGIN, END = range(4)


@keras.saving.register_keras_serializable("unrolled")
class Translator(OptionsMixin, keras.Model):
    """Sequence to sequence (Sutskever, Vinyals & Le 2014) with attention (Luong et al. 2015).

    The encoder's layers read the sentence in both directions; the first states of the decoder
    are made from their last ones. Each hidden state h of the decoder asks for a context c, the
    attention's mean of the encoder's states, and the next token comes from tanh(W [c; h]). As
    no attention is fed back into the decoder, training runs it over all steps first and
    attends in one product. Token vectors serve the source, the target and the softmax.

    Args:
        vocabulary: Number of tokens: padding (0), unknown (1), begin (2) and end (3) first.
        cell: `"rnn"`, `"gru"` or `"lstm"`.
        dimensions: Size of the token vectors.
        units: Size of the decoder's hidden state, even; each direction of the encoder has half.
        layers: Number of layers of the encoder, and of the decoder.
        attention: Whether the decoder attends; without it, all that it knows of the sentence
            are its first states.
        reverse: Read the source from its end (the reversed source of Sutskever et al.).
        dropout: Fraction dropped of the token vectors, between layers, and before the softmax.
        seed: Integer or None.

    Call arguments:
        inputs: Tuple of `source` `(batch, source time)` and `target` `(batch, target time)`,
            integers padded with 0 on the right; the target begins with the begin token.

    Returns:
        Logits of the next token after each of the target's, `(batch, target time, vocabulary)`.
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

        def recurrent(width, name):
            inner = CELLS[cell](width, seed=seed, name="cell")
            return Recurrent(inner, return_sequences=True, return_state=True, name=name)

        numbers = range(1, layers + 1)
        self.encoder = [
            Bidirectional(recurrent(units // 2, "reader"), name=f"encoder_{n}") for n in numbers
        ]
        self.decoder = [recurrent(units, f"decoder_{n}") for n in numbers]
        self.bridges = [
            [
                keras.layers.Dense(units, "tanh", name=f"bridge_{n}_{s}")
                for s in reader.cell.state_names
            ]
            for n, reader in zip(numbers, self.decoder, strict=True)
        ]
        self.attention = DotAttention(general=True, name="attention") if attention else None
        self.readout = keras.layers.Dense(dimensions, "tanh", name="readout")
        self.dropout = keras.layers.Dropout(dropout, seed=seed)

    def build(self, shapes):
        source, target = shapes
        self.embedding.build(source)
        below = self.options["dimensions"]
        units = self.options["units"]
        for reader, writer, bridges in zip(self.encoder, self.decoder, self.bridges, strict=True):
            reader.build((*source, below))
            writer.build((*target, below))
            for bridge in bridges:
                bridge.build((source[0], units))
            below = units
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
        for number, writer in enumerate(self.decoder):
            if number:
                hidden = self.dropout(hidden, training=training)
            hidden, *_ = writer(hidden, initial_state=states[number])  # (batch, time, units)
        return self._logits(hidden, memory, mask, training)[0]

    def encode(self, source, training=False):
        """What the decoder starts from.

        Args:
            source: Integers `(batch, source time)`, padded with 0 on the right.
            training: Boolean, whether dropout applies.

        Returns:
            The encoder's states `(batch, source time, units)`, the mask `(batch, source time)`,
            and the list of each decoder layer's first states, each `(batch, units)`.
        """
        if self.options["reverse"]:
            source = _reversed(source)
        mask = ops.not_equal(source, PADDING)
        memory = self.dropout(self.embedding(source), training=training)
        states = []
        for number, reader in enumerate(self.encoder):
            if number:
                memory = self.dropout(memory, training=training)
            memory, *last = reader(memory, mask=mask)
            kinds = len(last) // 2
            joined = [
                ops.concatenate([last[n], last[kinds + n]], axis=-1) for n in range(kinds)
            ]  # (batch, units) each
            bridges = self.bridges[number]
            states.append([bridge(state) for bridge, state in zip(bridges, joined, strict=True)])
        return memory, mask, states

    def step(self, tokens, states, memory, mask):
        """One step of decoding.

        Args:
            tokens: Integers `(rows,)`, the token written last; where several rows write for one
            sentence, they stand side by side.
            states: As from `encode`, for each row.
            memory, mask: As from `encode`, for each sentence.

        Returns:
            Log-probabilities of the next token `(rows, vocabulary)`, the new states, and the
            attention weights `(rows, source time)`, zeros without attention.
        """
        hidden = self.embedding(tokens)  # (batch, dimensions)
        after = []
        for writer, before in zip(self.decoder, states, strict=True):
            hidden, new = writer.cell(hidden, before)
            after.append(new)
        # The rows of a sentence attend as time steps do: its memory is read once for all.
        hidden = ops.reshape(hidden, (ops.shape(memory)[0], -1, hidden.shape[-1]))
        logits, weights = self._logits(hidden, memory, mask)  # (batch, rows of each, …)
        logits, weights = (ops.reshape(p, (-1, ops.shape(p)[-1])) for p in (logits, weights))
        return ops.log_softmax(logits, axis=-1), after, weights

    def _logits(self, hidden, memory, mask, training=False):
        if self.attention:
            context, weights = self.attention(hidden, memory, mask)
            hidden = ops.concatenate([context, hidden], axis=-1)
        else:
            weights = ops.zeros((*ops.shape(hidden)[:2], ops.shape(memory)[1]))
        read = self.dropout(self.readout(hidden), training=training)  # (batch, time, dimensions)
        table = ops.transpose(ops.cast(self.embedding.embeddings, read.dtype))
        return ops.matmul(read, table) + ops.cast(self.output_bias, read.dtype), weights


def _reversed(source):
    """The tokens of each row from the last to the first, the padding still on the right."""
    time = ops.shape(source)[1]
    lengths = ops.sum(ops.cast(ops.not_equal(source, PADDING), "int32"), axis=1, keepdims=True)
    places = lengths - 1 - ops.arange(time, dtype="int32")[None]  # (batch, time)
    turned = ops.take_along_axis(source, ops.maximum(places, 0), axis=1)
    return ops.where(places >= 0, turned, PADDING)
