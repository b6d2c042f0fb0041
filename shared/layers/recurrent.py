"""Running a cell over time: `Recurrent`, `Bidirectional` and `Stacked`.

Back-propagation through time is written out (see `cells.py`): the forward pass keeps states and
gates, the backward pass makes one product per step, and each weight's gradient is one product
over all steps. Differentiating the loop automatically takes up to three times as long;
`benchmarks/layers.py` measures it against Keras, which does so.
"""

import keras
from keras import ops

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf


def scan(step, carry, sequences, results=1, reverse=False):
    """Fold `step(carry, items) -> (carry, results)` over the first axis of `sequences`.

    Args:
        step: Function of a list of tensors and a list of one item per sequence, returning the
            new carry and a list of results.
        carry: List of tensors, all of one dtype.
        sequences: List of tensors `(time, ...)`.
        results: Integer, how many results a step returns, all of the carry's dtype.
        reverse: Walk from the last item to the first; results stay at their item's place.

    Returns:
        The last carry, and a list of the stacked results, each `(time, ...)`.
    """
    if keras.backend.backend() != "tensorflow":
        return ops.scan(step, carry, sequences, reverse=reverse)
    # keras.ops.scan on TensorFlow accepts only results shaped like the carry, and is slower.
    time = sequences[0].shape[0] or tf.shape(sequences[0])[0]

    def place(index):
        return time - 1 - index if reverse else index

    def read(index):
        return [sequence[place(index)] for sequence in sequences]

    def body(index, items, carry, stacks):
        carry, new = step(carry, items)
        stacks = [stack.write(place(index), n) for stack, n in zip(stacks, new, strict=True)]
        # The next step's items travel in the loop. XLA would otherwise fuse the reading with the
        # arithmetic into scalar code, which takes twice as long.
        return index + 1, read(tf.minimum(index + 1, time - 1)), carry, stacks

    stacks = [tf.TensorArray(carry[0].dtype, time) for _ in range(results)]
    start = (tf.constant(0), read(0), carry, stacks)
    _, _, carry, stacks = tf.while_loop(lambda index, *_: index < time, body, start)
    return carry, [stack.stack() for stack in stacks]


def unroll(cell, projected, states, weights, keep=None, dropped=None, force=None):
    """The forward pass: run a cell over time.

    Args:
        cell: A built `Cell`.
        projected: Tensor `(time, batch, blocks * units)`, from `cell.project`.
        states: List of initial states, each `(batch, units)`.
        weights: What `cell.recurrent_weights` returned.
        keep: Boolean mask `(time, batch, 1)` or None; where False the states are carried over.
        dropped: Mask on the hidden state `(batch, units)` or None.
        force: What the cell's internals are held at, as for `Recurrent.trace`, or None.

    Returns:
        The list of the last states, and a dict with the states after every step and all that
        the cell saves, each `(time, batch, units)`.
    """
    names = [*cell.states, *cell.saved]

    def step(carry, items):
        new, internals = cell.step(items[0], carry, weights, dropped, force)
        if keep is not None:
            new = [ops.where(items[1], n, c) for n, c in zip(new, carry, strict=True)]
        return new, [*new, *(internals[name] for name in cell.saved)]

    sequences = [projected] if keep is None else [projected, keep]
    last, history = scan(step, states, sequences, len(names))
    return last, dict(zip(names, history, strict=True))


def _states_before(cell, history, states):
    """The states before every step, each `(time, batch, units)`; arguments as for `unroll`."""
    return [
        ops.concatenate([ops.expand_dims(state, 0), history[name][:-1]], axis=0)
        for state, name in zip(states, cell.states, strict=True)
    ]


def back_through_time(cell, d_sequence, d_last, history, states, weights, keep=None, dropped=None):
    """The backward pass of `unroll`.

    Args:
        cell, states, weights, keep, dropped: As for `unroll`.
        d_sequence: Gradient by the hidden states after every step, `(time, batch, units)`.
        d_last: List of the gradients by each last state, `(batch, units)`.
        history: The dict that `unroll` returned.

    Returns:
        The gradient by `projected`, and the lists of those by `states` and by `weights`.
    """
    before = _states_before(cell, history, states)
    factors = cell.linearise(before, history, weights, dropped)
    transposed = [ops.transpose(weight) for weight in weights]

    def step(carry, items):
        d_hidden, *rest = items
        gradients = [carry[0] + d_hidden, *carry[1:]]
        new, delta = cell.backstep(rest[: len(factors)], gradients, transposed, dropped)
        if keep is not None:
            new = [ops.where(items[-1], n, g) for n, g in zip(new, gradients, strict=True)]
        return new, [delta]

    sequences = [d_sequence, *factors] if keep is None else [d_sequence, *factors, keep]
    d_states, (deltas,) = scan(step, d_last, sequences, reverse=True)
    if keep is not None:
        deltas = ops.where(keep, deltas, ops.zeros_like(deltas))
    return deltas, d_states, cell.weight_gradients(deltas, before, history, dropped)


def run_cell(cell, projected, states, keep=None, dropped=None, training=False):
    """`unroll` with `back_through_time` as its gradient.

    Args:
        cell, projected, states, keep, dropped: As for `unroll`.
        training: Whether the recurrent weights are dropped too.

    Returns:
        The hidden states after every step, `(time, batch, units)`, and the list of the last
        states, each `(batch, units)`.
    """
    count = len(states)

    @ops.custom_gradient
    def run(projected, *tensors):
        states, weights = list(tensors[:count]), list(tensors[count:])
        last, history = unroll(cell, projected, states, weights, keep, dropped)

        def gradient(*upstream):
            d_sequence, *d_last = keras.tree.flatten(upstream)
            d_projected, d_states, d_weights = back_through_time(
                cell, d_sequence, d_last, history, states, weights, keep, dropped
            )
            return (d_projected, *d_states, *d_weights)

        return (history["hidden"], *last), gradient

    hidden, *last = run(projected, *states, *cell.recurrent_weights(training))
    return hidden, last


@keras.saving.register_keras_serializable("unrolled")
class Recurrent(keras.layers.Layer):
    """Runs a cell over the time steps of a batch of sequences.

    The cell's input products of all steps are computed at once, before the loop. Masks are
    right-padded as from `Embedding(mask_zero=True)`, though any pattern works: a masked step
    carries the states over, and its output is the hidden state carried. (Keras puts out zeros
    before the first live step, and in `keras.layers.Bidirectional` at every masked step.)

    Args:
        cell: A `Cell`: `RNNCell`, `LSTMCell` or `GRUCell`.
        return_sequences: Return the hidden state after every step, or only the last one.
        return_state: Return the last states as well.
        go_backwards: Read the sequence from its end; outputs come in the order of reading.
        stateful: Start each batch from the last states of the batch before. Needs a fixed batch
            size; `reset_state` sets the states to zero.

    Call arguments:
        inputs: Tensor `(batch, time, features)`.
        initial_state: Tensor or list of tensors `(batch, units)`, one per state of the cell.
        mask: Boolean tensor `(batch, time)`, True where a step counts.
        training: Boolean, whether dropout applies.

    Returns:
        `(batch, time, units)` with `return_sequences`, else `(batch, units)`; with
        `return_state` a tuple of this and every last state, each `(batch, units)`.

    Raises:
        ValueError: if a shape does not fit; the message names the argument and the shape.

    Example:

    >>> layer = Recurrent(LSTMCell(8), return_sequences=True)
    >>> tuple(layer(np.ones((2, 5, 3))).shape)
    (2, 5, 8)
    """

    def __init__(
        self,
        cell,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not hasattr(cell, "backstep"):
            raise ValueError(f"`cell` must be a shared.layers Cell. Received: cell={cell!r}")
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.supports_masking = True
        self._carried = None

    def build(self, inputs_shape, initial_state_shape=None):
        if len(inputs_shape) != 3:
            raise ValueError(
                "`inputs` must have the shape (batch, time, features). "
                f"Received: inputs.shape={tuple(inputs_shape)}"
            )
        if not self.cell.built:
            self.cell.build((inputs_shape[0], inputs_shape[2]))
        if self.stateful:
            if inputs_shape[0] is None:
                raise ValueError(
                    "`stateful=True` needs a fixed batch size. "
                    f"Received: inputs.shape={tuple(inputs_shape)}"
                )
            self._carried = [
                self.add_weight(
                    shape=(inputs_shape[0], self.cell.units),
                    initializer="zeros",
                    trainable=False,
                    name=f"carried_{name}",
                )
                for name in self.cell.states
            ]

    def call(self, inputs, initial_state=None, mask=None, training=False):
        projected, states, keep, dropped = self._prepare(inputs, initial_state, mask, training)
        hidden, last = run_cell(self.cell, projected, states, keep, dropped, training)
        if self._carried:
            for variable, state in zip(self._carried, last, strict=True):
                variable.assign(ops.cast(state, variable.dtype))
        outputs = ops.transpose(hidden, (1, 0, 2)) if self.return_sequences else last[0]
        return (outputs, *last) if self.return_state else outputs

    def trace(self, inputs, initial_state=None, mask=None, force=None):
        """Everything the cell computes at every step, without dropout.

        Args:
            inputs, initial_state, mask: As in a call.
            force: Dict from names in `cell.internals` to the values they are held at, whatever
                the cell computes: a number, or an array `(units,)` or `(batch, units)` in which
                NaN leaves a unit free. `{"forget": 1}` holds every forget gate open; a hidden
                state of 0 silences a unit; a forget gate of 1 with an input gate of 0 freezes
                an LSTM's cell.

        Returns:
            Dict from the names in `cell.internals` (gates, candidate, cell and hidden state)
            to tensors `(batch, time, units)`, in the order of the inputs' time steps. At masked
            steps the states are those carried over.

        Raises:
            ValueError: if `force` names what the cell does not compute.
        """
        if not self.built:
            self.build(inputs.shape)
        if unknown := set(force or ()) - set(self.cell.internals):
            raise ValueError(
                f"`force` may name {list(self.cell.internals)}. Received: {sorted(unknown)}"
            )
        projected, states, keep, _ = self._prepare(inputs, initial_state, mask)
        weights = self.cell.recurrent_weights()
        _, history = unroll(self.cell, projected, states, weights, keep, force=force)
        traced = {}
        for name in self.cell.internals:
            values = ops.transpose(history[name], (1, 0, 2))  # (batch, time, units)
            traced[name] = ops.flip(values, axis=1) if self.go_backwards else values
        return traced

    def jacobians(self, inputs, initial_state=None, mask=None):
        """How the states after each step depend on those before it, without dropout.

        A gradient travels back through time as a row vector times one of these matrices after
        the other (Pascanu, Mikolov & Bengio 2013). They come from the cell's own backward step,
        applied at all time steps at once to the unit vectors.

        Args:
            inputs, initial_state, mask: As in a call.

        Returns:
            Tensor `(batch, time, n, n)`, in the order of the inputs' time steps, where n is the
            number of states times `units`: entry i, j is the derivative of number i of the
            states after the step by number j of those before it, the cell's states one after
            the other as in `cell.states`. At masked steps it is the identity.
        """
        if not self.built:
            self.build(inputs.shape)
        cell = self.cell
        projected, states, keep, _ = self._prepare(inputs, initial_state, mask)
        weights = cell.recurrent_weights()
        _, history = unroll(cell, projected, states, weights, keep)
        factors = cell.linearise(_states_before(cell, history, states), history, weights)
        size = len(cell.states) * cell.units
        time, batch, _ = ops.shape(projected)
        rows = ops.broadcast_to(ops.eye(size, dtype=cell.compute_dtype), (time, batch, size, size))
        back, _ = cell.backstep(
            [ops.expand_dims(factor, 2) for factor in factors],
            ops.split(rows, len(cell.states), axis=-1),  # (time, batch, size, units) each
            [ops.transpose(weight) for weight in weights],
        )
        found = ops.concatenate(back, axis=-1)
        if keep is not None:
            found = ops.where(ops.expand_dims(keep, -1), found, rows)
        found = ops.transpose(found, (1, 0, 2, 3))  # (batch, time, size, size)
        return ops.flip(found, axis=1) if self.go_backwards else found

    def vjp(self, inputs, initial_state=None, mask=None):
        """Hidden states, and the way back from their gradient to the inputs', without dropout.

        The way back is the written-out back-propagation through time, made of the same operations
        as the way forward: it works on every backend, within a training step too.

        Args:
            inputs, initial_state, mask: As in a call.

        Returns:
            The hidden states after every step `(batch, time, units)`, in the order of reading,
            and a function from a loss's gradient by them, of the same shape, to its gradient by
            the inputs `(batch, time, features)`.
        """
        if not self.built:
            self.build(inputs.shape)
        cell = self.cell
        projected, states, keep, _ = self._prepare(inputs, initial_state, mask)
        weights = cell.recurrent_weights()
        last, history = unroll(cell, projected, states, weights, keep)

        def back(d_hidden):
            d_sequence = ops.transpose(ops.cast(d_hidden, cell.compute_dtype), (1, 0, 2))
            d_last = [ops.zeros_like(state) for state in last]
            d_projected, _, _ = back_through_time(
                cell, d_sequence, d_last, history, states, weights, keep
            )
            found = ops.matmul(d_projected, ops.transpose(cell._tensor(cell.kernel)))
            found = ops.transpose(found, (1, 0, 2))  # (batch, time, features)
            return ops.flip(found, axis=1) if self.go_backwards else found

        return ops.transpose(history["hidden"], (1, 0, 2)), back

    def _prepare(self, inputs, initial_state, mask, training=False):
        """What `unroll` needs: projected inputs, first states, `keep` and `dropped`."""
        inputs = ops.cast(inputs, self.cell.compute_dtype)
        self._check_shapes(inputs, initial_state, mask)
        batch, _, features = inputs.shape
        batch = ops.shape(inputs)[0] if batch is None else batch
        states = self._start(batch, initial_state)
        sequence = ops.transpose(inputs, (1, 0, 2))  # (time, batch, features)
        keep = None
        if mask is not None:
            keep = ops.expand_dims(ops.transpose(ops.cast(mask, "bool")), -1)  # (time, batch, 1)
        if self.go_backwards:
            sequence = ops.flip(sequence, axis=0)
            keep = None if keep is None else ops.flip(keep, axis=0)
        input_mask, dropped = self.cell.dropout_masks(batch, features, training)
        if input_mask is not None:
            sequence = sequence * input_mask
        projected = self.cell.project(sequence)  # (time, batch, blocks * units)
        return projected, states, keep, dropped

    def _start(self, batch, initial_state):
        states = self._carried if initial_state is None else keras.tree.flatten(initial_state)
        if states is None:
            return self.cell.get_initial_state(batch)
        return [ops.cast(state, self.cell.compute_dtype) for state in states]

    def _check_shapes(self, inputs, initial_state, mask):
        features = self.cell.kernel.shape[0]
        if len(inputs.shape) != 3 or inputs.shape[2] != features:
            raise ValueError(
                f"`inputs` must have the shape (batch, time, {features}). "
                f"Received: inputs.shape={tuple(inputs.shape)}"
            )
        batch, time, _ = inputs.shape
        if time == 0:
            raise ValueError(
                "`inputs` must have at least one time step. "
                f"Received: inputs.shape={tuple(inputs.shape)}"
            )
        if mask is not None and not _fits(mask.shape, (batch, time)):
            raise ValueError(
                f"`mask` must have the shape (batch, time) = {(batch, time)}. "
                f"Received: mask.shape={tuple(mask.shape)}"
            )
        if initial_state is None:
            return
        shapes = [tuple(state.shape) for state in keras.tree.flatten(initial_state)]
        expected = (batch, self.cell.units)
        if len(shapes) != len(self.cell.states) or not all(_fits(s, expected) for s in shapes):
            raise ValueError(
                f"`initial_state` must have {len(self.cell.states)} tensor(s) of the shape "
                f"(batch, units) = {expected}. Received: shapes {shapes}"
            )

    def reset_state(self):
        """Set the states that `stateful` carries from batch to batch to zero."""
        for variable in self._carried or ():
            variable.assign(ops.zeros(variable.shape, variable.dtype))

    def compute_output_shape(self, inputs_shape, initial_state_shape=None):
        batch, time, _ = inputs_shape
        state = (batch, self.cell.units)
        outputs = (batch, time, self.cell.units) if self.return_sequences else state
        return (outputs, *[state for _ in self.cell.states]) if self.return_state else outputs

    def compute_mask(self, inputs, mask=None):
        mask = keras.tree.flatten(mask)[0] if mask is not None else None
        outputs = mask if self.return_sequences else None
        return (outputs, *[None for _ in self.cell.states]) if self.return_state else outputs

    def get_config(self):
        return {
            **super().get_config(),
            "cell": keras.saving.serialize_keras_object(self.cell),
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
        }

    @classmethod
    def from_config(cls, config):
        cell = keras.saving.deserialize_keras_object(config["cell"])
        return cls(**{**config, "cell": cell})


def _fits(shape, expected):
    """Whether a static shape agrees with another, where both are known."""
    return len(shape) == len(expected) and all(
        a is None or b is None or a == b for a, b in zip(shape, expected, strict=True)
    )


MERGES = {
    "concat": lambda forward, backward: ops.concatenate([forward, backward], axis=-1),
    "sum": lambda forward, backward: forward + backward,
    "mul": lambda forward, backward: forward * backward,
    "ave": lambda forward, backward: (forward + backward) / 2,
}


@keras.saving.register_keras_serializable("unrolled")
class Bidirectional(keras.layers.Layer):
    """A layer that reads the sequence forwards and a copy that reads it backwards.

    Args:
        layer: A `Recurrent`, the forward reader; the backward one is made from its
            configuration, with weights of its own (Schuster & Paliwal 1997).
        merge: How the two outputs are joined: `"concat"`, `"sum"`, `"mul"` or `"ave"`.

    Call arguments:
        inputs, mask, training: As for `Recurrent`.
        initial_state: List of the forward reader's states, then the backward one's.

    Returns:
        As `Recurrent`, outputs aligned with the inputs' time steps, of `2 * units` features
        with `merge="concat"`; with `return_state` the forward states, then the backward ones.

    Raises:
        ValueError: if `layer` or `merge` is none of these; the message names it.

    Example:

    >>> layer = Bidirectional(Recurrent(GRUCell(8), return_sequences=True))
    >>> tuple(layer(np.ones((2, 5, 3))).shape)
    (2, 5, 16)
    """

    def __init__(self, layer, merge="concat", **kwargs):
        super().__init__(**kwargs)
        if not isinstance(layer, Recurrent):
            raise ValueError(f"`layer` must be a Recurrent. Received: layer={layer!r}")
        if merge not in MERGES:
            raise ValueError(f"`merge` must be one of {list(MERGES)}. Received: merge={merge!r}")
        self.forward = layer
        config = layer.get_config()
        config.update(name=f"backward_{layer.name}", go_backwards=not layer.go_backwards)
        self.backward = Recurrent.from_config(config)
        self.merge = merge
        self.supports_masking = True

    def build(self, inputs_shape, initial_state_shape=None):
        for reader in (self.forward, self.backward):
            if not reader.built:
                reader.build(inputs_shape)

    def call(self, inputs, initial_state=None, mask=None, training=False):
        starts = self._starts(initial_state)
        results = [
            reader(inputs, initial_state=start, mask=mask, training=training)
            for reader, start in zip((self.forward, self.backward), starts, strict=True)
        ]
        if not self.forward.return_state:
            return self._merged(*results)
        (forward, *states), (backward, *others) = results
        return (self._merged(forward, backward), *states, *others)

    def _starts(self, initial_state):
        """Each reader's part of the initial state."""
        if initial_state is None:
            return None, None
        states = keras.tree.flatten(initial_state)
        half = len(self.forward.cell.states)
        return states[:half], states[half:]

    def _merged(self, forward, backward):
        if self.forward.return_sequences:
            backward = ops.flip(backward, axis=1)
        return MERGES[self.merge](forward, backward)

    def trace(self, inputs, initial_state=None, mask=None):
        """Each reader's trace, as in `Recurrent`: `{"forward": {...}, "backward": {...}}`."""
        starts = self._starts(initial_state)
        return {
            "forward": self.forward.trace(inputs, starts[0], mask),
            "backward": self.backward.trace(inputs, starts[1], mask),
        }

    def reset_state(self):
        """Set the carried states of both readers to zero."""
        self.forward.reset_state()
        self.backward.reset_state()

    def compute_output_shape(self, inputs_shape, initial_state_shape=None):
        shape = self.forward.compute_output_shape(inputs_shape)
        outputs, *states = shape if self.forward.return_state else (shape,)
        width = outputs[-1] * (2 if self.merge == "concat" else 1)
        outputs = (*outputs[:-1], width)
        return (outputs, *states, *states) if self.forward.return_state else outputs

    def compute_mask(self, inputs, mask=None):
        masks = self.forward.compute_mask(inputs, mask)
        return (*masks, *masks[1:]) if self.forward.return_state else masks

    def get_config(self):
        layer = keras.saving.serialize_keras_object(self.forward)
        return {**super().get_config(), "layer": layer, "merge": self.merge}

    @classmethod
    def from_config(cls, config):
        layer = keras.saving.deserialize_keras_object(config["layer"])
        return cls(**{**config, "layer": layer})


@keras.saving.register_keras_serializable("unrolled")
class Stacked(keras.layers.Layer):
    """Any number of recurrent layers, each reading the outputs of the one below.

    Args:
        layers: List of `Recurrent` or `Bidirectional`; all but the last need
            `return_sequences=True`. What the last one returns, the stack returns.

    Call arguments:
        inputs, mask, training: As for `Recurrent`.
        initial_state: List with the initial state of each layer, or None.

    Raises:
        ValueError: if `layers` or `initial_state` does not fit; the message names it.

    Example:

    >>> layer = Stacked([Recurrent(GRUCell(8), return_sequences=True), Recurrent(GRUCell(4))])
    >>> tuple(layer(np.ones((2, 5, 3))).shape)
    (2, 4)
    """

    def __init__(self, layers, **kwargs):
        super().__init__(**kwargs)
        if not layers or not all(isinstance(each, Recurrent | Bidirectional) for each in layers):
            raise ValueError(
                f"`layers` must be a list of Recurrent or Bidirectional. Received: layers={layers}"
            )
        for layer in layers[:-1]:
            reader = layer.forward if isinstance(layer, Bidirectional) else layer
            if not reader.return_sequences or reader.return_state:
                raise ValueError(
                    "All `layers` but the last need return_sequences=True and "
                    f"return_state=False. Received: {layer.name} with return_sequences="
                    f"{reader.return_sequences}, return_state={reader.return_state}"
                )
        self.layers = list(layers)
        self.supports_masking = True

    def build(self, inputs_shape, initial_state_shape=None):
        for layer in self.layers:
            if not layer.built:
                layer.build(inputs_shape)
            inputs_shape = layer.compute_output_shape(inputs_shape)

    def call(self, inputs, initial_state=None, mask=None, training=False):
        starts = self._starts(initial_state)
        for layer, start in zip(self.layers, starts, strict=True):
            inputs = layer(inputs, initial_state=start, mask=mask, training=training)
        return inputs

    def _starts(self, initial_state):
        """Each layer's initial state."""
        if initial_state is None:
            return [None] * len(self.layers)
        if len(initial_state) != len(self.layers):
            raise ValueError(
                f"`initial_state` must be a list with the states of each of {len(self.layers)} "
                f"layer(s). Received: a list of {len(initial_state)}"
            )
        return initial_state

    def trace(self, inputs, initial_state=None, mask=None):
        """List of each layer's trace, from the lowest layer to the highest."""
        starts = self._starts(initial_state)
        traces = []
        for layer, start in zip(self.layers, starts, strict=True):
            traces.append(layer.trace(inputs, start, mask))
            inputs = layer(inputs, initial_state=start, mask=mask)
        return traces

    def reset_state(self):
        """Set the carried states of all layers to zero."""
        for layer in self.layers:
            layer.reset_state()

    def compute_output_shape(self, inputs_shape, initial_state_shape=None):
        for layer in self.layers:
            inputs_shape = layer.compute_output_shape(inputs_shape)
        return inputs_shape

    def compute_mask(self, inputs, mask=None):
        return self.layers[-1].compute_mask(inputs, mask)

    def get_config(self):
        layers = [keras.saving.serialize_keras_object(layer) for layer in self.layers]
        return {**super().get_config(), "layers": layers}

    @classmethod
    def from_config(cls, config):
        layers = [keras.saving.deserialize_keras_object(layer) for layer in config["layers"]]
        return cls(**{**config, "layers": layers})
