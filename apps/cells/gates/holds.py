"""Holding the gates of an LSTM: from a time step on, chosen gates or states keep a fixed value."""

from dataclasses import dataclass

import keras
import numpy as np

MAX_STEPS_PER_RUN = 1_000  # of the layer; its last states start the next run


@dataclass(frozen=True)
class Hold:
    """What is held, and at which value.

    Attributes:
        what: `"forget"`, `"input"` or `"output"`: that gate is held at `value`. `"freeze"`: the
            cell state does not change (forget gate 1, input gate 0). `"silence"`: the hidden
            state is 0. `"nothing"`: nothing is held.
        value: Value of the gate, from 0 to 1.
        unit: The unit that is held, or None for all.
    """

    what: str = "nothing"
    value: float = 0.0
    unit: int | None = None

    def values(self):
        """The held values by the names of gates and states, as `Recurrent.trace` knows them."""
        held = {"nothing": {}, "freeze": {"forget": 1, "input": 0}, "silence": {"hidden": 0}}
        return held.get(self.what, {self.what: self.value})

    def force(self, units):
        """The argument `force` of `Recurrent.trace`: arrays `(units,)`, NaN for free units."""
        rows = {name: np.full(units, np.nan, "float32") for name in self.values()}
        for name, value in self.values().items():
            rows[name][slice(None) if self.unit is None else self.unit] = value
        return rows


class HeldReader:
    """A trained LSTM behind an embedding, which reads with held gates.

    Args:
        embedding: A `keras.layers.Embedding`.
        layer: A `Recurrent` with an `LSTMCell`.
    """

    def __init__(self, embedding, layer):
        self.embedding, self.layer, self.cell = embedding, layer, layer.cell
        states = [((1, self.cell.units), "float32")] * len(self.cell.state_names)
        table = ((len(self.cell.trace_names), self.cell.units), "float32")
        self._trace = compile_graph(self._trace_layer, ((1, None), "int32"), states, table)

    def trace(self, numbers, hold=None, after=0):
        """Everything that the layer computes while it reads.

        Args:
            numbers: Integers `(time,)`, at least one.
            hold: A `Hold`, or None.
            after: Number of time steps before the hold begins.

        Returns:
            Dict from the names of gates and states to arrays `(time, units)`.
        """
        states = [np.zeros((1, self.cell.units), "float32") for _ in self.cell.state_names]
        count, parts = len(numbers), []
        cuts = sorted({*range(0, count, MAX_STEPS_PER_RUN), min(after, count), count})
        for start, end in zip(cuts, cuts[1:], strict=False):
            table = self.table(hold if start >= after else None)
            traced = self._trace(numbers[None, start:end], states, table)
            traced = {name: np.asarray(values) for name, values in traced.items()}
            states = [traced[name][:, -1] for name in self.cell.state_names]
            parts.append(traced)
        return {name: np.concatenate([part[name][0] for part in parts]) for name in parts[0]}

    def table(self, hold):
        """A hold as one array `(internals, units)`, so that one graph serves all holds."""
        force = hold.force(self.cell.units) if hold else {}
        free = np.full(self.cell.units, np.nan, "float32")
        return np.stack([force.get(name, free) for name in self.cell.trace_names])

    def force(self, table):
        """The argument `force` of the layer's methods, from a `table`."""
        return {name: table[n] for n, name in enumerate(self.cell.trace_names)}

    def _trace_layer(self, numbers, states, table):
        vectors = self.embedding(numbers)  # (1, time, dimensions)
        return self.layer.trace(vectors, states, force=self.force(table))


def compile_graph(function, *shapes):
    """Compiles a function as one graph, for arguments of these (shape, dtype), or lists of them."""
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    signature = [
        [tf.TensorSpec(*each) for each in shape]
        if isinstance(shape, list)
        else tf.TensorSpec(*shape)
        for shape in shapes
    ]
    return tf.function(function, autograph=False, input_signature=signature)
