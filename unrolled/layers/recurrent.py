"""Layers that run a cell over time: `Recurrent`, `Bidirectional` and `Stacked`.

Back-propagation through time is written by hand (see `cells.py`): the forward pass stores states
and gates, the backward pass makes one matrix product per step, and each weight's gradient is one
product over all steps. `benchmarks/layers.py` compares its speed with Keras's layers, which
differentiate the loop automatically.
"""

import inspect
import random

import keras
import numpy as np
from keras import ops
from keras.layers import StackedRNNCells

from unrolled.layers.cells import Cell, as_positive_integer, shapes_agree
from unrolled.layers.linear import LinearCell, run_linear
from unrolled.layers.scan import custom_gradient, scan


def _select(mask, new, old):
    """`new` where the step mask `(..., 1)` is true, else `old`; both may have more axes."""
    while len(mask.shape) < len(new.shape):
        mask = ops.expand_dims(mask, -1)
    return ops.where(ops.cast(mask, "bool"), new, old)


def forward_through_time(
    cell,
    projected,
    states,
    weights,
    step_mask=None,
    dropout_mask=None,
    force=None,
    unroll=False,
):
    """The forward pass: run a cell over time.

    Args:
        cell: A built `Cell`.
        projected: Tensor `(time, batch, n * units)`, from `cell.project`.
        states: List of initial states, each `(batch, units)`.
        weights: The list that `cell.recurrent_weights` returned.
        step_mask: Boolean tensor `(time, batch, 1)`, False where a step leaves the states as they
            are, or None.
        dropout_mask: Mask of the hidden state `(batch, units)`, a list of masks, or None.
        force: Values that gates or states are fixed at, as for `Recurrent.trace`, or None.
        unroll: As for `scan`.

    Returns:
        The list of the last states, and the history: a dict from the cell's `state_names` and
        `saved_names` to their values at every step, each `(time, batch, units)`.
    """
    names = [*cell.state_names, *cell.saved_names]

    def step(carry, items):
        states, values = cell.step(items[0], carry, weights, dropout_mask, force)
        if step_mask is not None:
            states = [_select(items[1], s, c) for s, c in zip(states, carry, strict=True)]
        return states, [*states, *(values[name] for name in cell.saved_names)]

    sequences = [projected] if step_mask is None else [projected, step_mask]
    last, history = scan(step, states, sequences, len(names), unroll=unroll)
    return last, dict(zip(names, history, strict=True))


def _previous_states(cell, history, states):
    """The states before every step, each `(time, batch, units)`, from the initial `states`."""
    return [
        ops.concatenate([ops.expand_dims(state, 0), history[name][:-1]], axis=0)
        for state, name in zip(states, cell.state_names, strict=True)
    ]


def backward_through_time(
    cell,
    d_sequence,
    d_last,
    history,
    states,
    weights,
    step_mask=None,
    dropout_mask=None,
    unroll=False,
):
    """The backward pass of `forward_through_time`.

    Args:
        cell, states, weights, step_mask, dropout_mask, unroll: As for `forward_through_time`.
        d_sequence: Gradient with respect to the hidden states, `(time, batch, units)`.
        d_last: List of the gradients with respect to each last state, `(batch, units)`.
        history: The dict that `forward_through_time` returned.

    Returns:
        The gradient with respect to `projected`, and the lists of the gradients with respect to
        `states` and to `weights`.
    """
    previous = _previous_states(cell, history, states)
    derivatives = cell.local_derivatives(previous, history, weights, dropout_mask)
    transposed_weights = [ops.transpose(weight) for weight in weights]

    def step(carry, items):
        d_hidden, *rest = items
        d_states = [carry[0] + d_hidden, *carry[1:]]
        d_previous, d_preactivations = cell.backward_step(
            rest[: len(derivatives)], d_states, transposed_weights, dropout_mask
        )
        if step_mask is not None:
            pairs = zip(d_previous, d_states, strict=True)
            d_previous = [_select(items[-1], new, old) for new, old in pairs]
        return d_previous, [d_preactivations]

    sequences = [d_sequence, *derivatives, *([] if step_mask is None else [step_mask])]
    d_states, (d_projected,) = scan(step, d_last, sequences, reverse=True, unroll=unroll)
    if step_mask is not None:
        d_projected = _select(step_mask, d_projected, ops.zeros_like(d_projected))
    d_weights = cell.weight_gradients(d_projected, previous, history, dropout_mask)
    return d_projected, d_states, d_weights


def run_cell(
    cell, projected, states, step_mask=None, dropout_mask=None, training=False, unroll=False
):
    """`forward_through_time` with `backward_through_time` as its gradient, if the cell has one.

    Args:
        cell, projected, states, step_mask, dropout_mask, unroll: As for `forward_through_time`.
        training: Whether `weight_dropout` applies to the recurrent weights.

    Returns:
        The hidden states after every step, `(time, batch, units)`, and the list of the last
        states, each `(batch, units)`.
    """
    count = len(states)
    if isinstance(cell, LinearCell) and projected.shape[0] is not None and not unroll:
        hidden = run_linear(cell, projected, states, step_mask, cell.recurrent_weights(training))
        return hidden[0], [part[-1] for part in hidden]
    if not cell.has_written_gradient:
        weights = cell.recurrent_weights(training)
        last, history = forward_through_time(
            cell, projected, states, weights, step_mask, dropout_mask, unroll=unroll
        )
        return history["hidden"], last

    @custom_gradient
    def run(projected, *tensors):
        states, weights = list(tensors[:count]), list(tensors[count:])
        last, history = forward_through_time(
            cell, projected, states, weights, step_mask, dropout_mask, unroll=unroll
        )

        def gradient(*upstream):
            d_sequence, *d_last = keras.tree.flatten(upstream)
            d_projected, d_states, d_weights = backward_through_time(
                cell, d_sequence, d_last, history, states, weights, step_mask, dropout_mask, unroll
            )
            return (d_projected, *d_states, *d_weights)

        return (history["hidden"], *last), gradient

    hidden, *last = run(projected, *states, *cell.recurrent_weights(training))
    return hidden, last


def run_in_segments(cell, sequence, states, length, step_mask, input_mask, dropout_mask):
    """`run_cell`, project included, in segments that the backward pass computes again.

    Between the passes it keeps the states at the start of each segment alone: the memory for T
    steps grows with T / length + length (Chen et al. 2016), but for inputs and outputs.

    Args:
        cell, states, step_mask, dropout_mask: As for `run_cell`.
        sequence: Tensor `(time, batch, features)`; the number of time steps must be known.
        length: Number of time steps of a segment.
        input_mask: Mask of the inputs, as `cell.project` takes it.

    Returns:
        As `run_cell`.
    """
    sequence = ops.cast(sequence, cell.compute_dtype)
    variables = cell.trainable_variables + cell.non_trainable_variables
    values = [ops.copy(variable) for variable in variables]  # no variables, which count twice
    count = len(states)

    def compute(sequence, *tensors):
        states, tensors = tensors[:count], tensors[count:]
        values, further = tensors[: len(variables)], tensors[len(variables) :]
        with keras.StatelessScope(list(zip(variables, values, strict=True))):
            projected = cell.project(sequence, input_mask)
            mask = further[0] if further else None
            if keras.backend.backend() != "jax":
                hidden, last = run_cell(cell, projected, list(states), mask, dropout_mask)
                return (hidden, *last)
            # JAX lets no gradient of our own read a mask within `remat`, and differentiates itself.
            weights = cell.recurrent_weights()
            last, history = forward_through_time(
                cell, projected, list(states), weights, mask, dropout_mask
            )
        return (history["hidden"], *last)

    segment = keras.remat(compute)

    def step(states, items):
        hidden, *last = segment(items[0], *states, *values, *items[1:])
        return last, [hidden]

    sequences = [sequence]
    if step_mask is not None:  # as numbers, because arguments of `remat` are differentiated by
        sequences.append(ops.cast(step_mask, sequence.dtype))
    time = sequence.shape[0]
    whole = time - time % length
    outputs = []
    if whole:
        items = [
            ops.reshape(each[:whole], (whole // length, length, *ops.shape(each)[1:]))
            for each in sequences
        ]
        states, (hidden,) = scan(step, states, items)
        outputs.append(ops.reshape(hidden, (whole, *ops.shape(hidden)[2:])))
    if whole < time:
        states, (hidden,) = step(states, [each[whole:] for each in sequences])
        outputs.append(hidden)
    return ops.concatenate(outputs, axis=0), states


def run_any_cell(cell, sequence, states, step_mask=None, training=False, unroll=False):
    """Run a cell that is no `Cell`, such as one of Keras, over time; the backend differentiates it.

    Args:
        cell: An object of Keras's cell protocol: `cell(inputs, states)` returns the output and the
            new states. `state_size` is the size of its state, or a list of sizes.
        sequence: Tensor `(time, batch, ...)`, what the cell reads.
        states: Nest of initial states.
        step_mask, training, unroll: As for `run_cell`.

    Returns:
        The outputs after every step, `(time, batch, ...)`, and the flat list of the last states. A
        masked step repeats the output of the step before; before the first step it is zero.
    """
    options = (
        {"training": training} if "training" in inspect.signature(cell.call).parameters else {}
    )
    flat = keras.tree.flatten(states)
    if hasattr(cell, "get_dropout_mask"):  # Keras's cells keep their masks for all steps.
        cell.get_dropout_mask(sequence[0])
        cell.get_recurrent_dropout_mask(flat[0])

    def step(carry, items):
        before = keras.tree.pack_sequence_as(states, carry[1:])
        output, after = cell(items[0], before, **options)
        after = [output, *keras.tree.flatten(after)]
        if step_mask is not None:
            after = [_select(items[1], new, old) for new, old in zip(after, carry, strict=True)]
        return after, after[:1]

    output = ops.zeros((ops.shape(sequence)[1], _output_size(cell)), dtype=flat[0].dtype)
    sequences = [sequence] if step_mask is None else [sequence, step_mask]
    (_, *last), (outputs,) = scan(step, [output, *flat], sequences, unroll=unroll)
    if hasattr(cell, "reset_dropout_mask"):
        cell.reset_dropout_mask()
        cell.reset_recurrent_dropout_mask()
    return outputs, last


def _output_size(cell):
    """The number of features that a cell returns, by default the size of its first state."""
    size = getattr(cell, "output_size", None)
    return keras.tree.flatten(cell.state_size)[0] if size is None else size


def _initial_states(cell, batch):
    """The states that a cell starts from, a tensor or a nest of tensors."""
    if hasattr(cell, "get_initial_state"):
        return cell.get_initial_state(batch_size=batch)
    dtype = getattr(cell, "compute_dtype", None)
    return keras.tree.map_structure(lambda n: ops.zeros((batch, n), dtype=dtype), cell.state_size)


def _state_shapes(cell, batch, step_shape):
    """The shapes of `_initial_states`, where a step of the inputs has `step_shape`."""
    if isinstance(cell, Cell):
        return [(batch, *cell.state_shape(step_shape)) for _ in cell.state_names]
    sizes = [cell.state_size] if isinstance(cell.state_size, int) else cell.state_size
    return [_state_shape(size, batch) for size in sizes]


def _state_shape(size, batch):
    return (batch, size) if isinstance(size, int) else [_state_shape(each, batch) for each in size]


class _CarriedStates:
    """Holds the variables of a stateful layer where Keras does not count them as weights."""

    def __init__(self):
        self.variables = []


@keras.saving.register_keras_serializable("unrolled")
class Recurrent(keras.layers.Layer):
    """Runs a cell over the time steps of a batch of sequences.

    The input products of all time steps are computed at once, before the loop. A masked step
    leaves the states as they are, and its output is the hidden state before it; any pattern of
    masked steps works. (Keras returns zeros before the first step that is not masked and, in
    `keras.layers.Bidirectional`, at every masked step.)

    Args:
        cell: A `Cell`: `RNNCell`, `LSTMCell`, `GRUCell` or one of your own; another cell of Keras's
            protocol, such as `keras.layers.LSTMCell`; or a list of cells, each of which reads the
            outputs of the one before. The initial and the last states are then a list for each.
        return_sequences: Whether to return the hidden state after every step, or only the last.
        return_state: Whether to return the last states as well.
        go_backwards: Whether to read the sequence from its end; the outputs are then in the order
            of reading, the last time step first.
        stateful: Whether each batch starts from the last states of the previous batch. The batch
            size must be fixed; `reset_state` sets the states to zero. The carried states are in
            `states` and in `variables`, not in `weights`.
        unroll: Whether the loop over time is written out, which takes longer to compile. The number
            of time steps must be known.
        zero_output_for_mask: Whether the output at a masked step is zero; the states stay as they
            are.
        checkpoint_every: Number of time steps, or None. With a number, the layer keeps only every
            so many states for the backward pass and computes the others again: less memory over
            long sequences, for the time of another forward pass. About the square root of the
            number of time steps needs the least. That number must be known.
        **kwargs: The arguments of `keras.layers.Layer`. `dtype` is what the outputs are cast to,
            by default the cell's. The cell computes in its own.

    Call arguments:
        inputs: Tensor `(batch, time, features)`.
        initial_state: Tensor or list of tensors `(batch, units)`, one per state of the cell.
        mask: Boolean tensor or list `(batch, time)`, False at padding.
        training: Boolean, whether dropout applies.

    Returns:
        `(batch, time, units)` with `return_sequences`, else `(batch, units)`; with
        `return_state` a tuple of this and every last state, each `(batch, units)`.

    Raises:
        ValueError: if a shape is wrong; the message names the argument and its shape.

    Example:

    >>> layer = Recurrent(LSTMCell(8), return_sequences=True)
    >>> tuple(layer(np.ones((2, 5, 3))).shape)
    (2, 5, 8)
    """

    masks_as_keras = False

    def __init__(
        self,
        cell,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        zero_output_for_mask=False,
        checkpoint_every=None,
        **kwargs,
    ):
        if isinstance(cell, list | tuple):
            cell = StackedRNNCells(cell)
        if not (hasattr(cell, "call") and hasattr(cell, "state_size")):
            raise ValueError(
                "`cell` must have `call` and `state_size`, as recurrent cells do, or be a list of "
                f"such cells. Received: cell={cell!r}"
            )
        super().__init__(**{"dtype": getattr(cell, "dtype_policy", None), **kwargs})
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.zero_output_for_mask = zero_output_for_mask
        self.unroll = unroll
        self.checkpoint_every = None
        if checkpoint_every is not None:
            self.checkpoint_every = as_positive_integer(checkpoint_every, "checkpoint_every")
            if not all(isinstance(each, Cell) and not each.weight_dropout for each in self._cells):
                raise ValueError(
                    "`checkpoint_every` needs cells of this package without `weight_dropout`. "
                    f"Received: cell={cell!r}"
                )
        self.supports_masking = True
        self._carried = _CarriedStates()

    @property
    def states(self):
        """The variables that carry the states of a stateful layer, in the order of the cell."""
        return self._carried.variables

    @property
    def variables(self):
        return [*super().variables, *self.states]

    @property
    def _cells(self):
        """The cells, each of which reads the outputs of the one before."""
        return self.cell.cells if isinstance(self.cell, StackedRNNCells) else [self.cell]

    def get_initial_state(self, batch_size):
        """The states of a batch before its first step, as the cell gives them."""
        states = [_initial_states(cell, batch_size) for cell in self._cells]
        if isinstance(self.cell, StackedRNNCells):
            return states
        return states[0] if keras.tree.is_nested(states[0]) else states

    def build(self, inputs_shape, initial_state_shape=None):
        first = self._cells[0]
        if isinstance(first, Cell) and len(inputs_shape) != 3 + first.rank:
            space = "space, " * first.rank
            raise ValueError(
                f"`inputs` must have the shape (batch, time, {space}features). "
                f"Received: inputs.shape={tuple(inputs_shape)}"
            )
        if isinstance(self.cell, keras.layers.Layer) and not self.cell.built:
            self.cell.build((inputs_shape[0], *inputs_shape[2:]))
            self.cell.built = True
        if self.stateful:
            if inputs_shape[0] is None:
                raise ValueError(
                    "`stateful=True` needs a fixed batch size. "
                    f"Received: inputs.shape={tuple(inputs_shape)}"
                )
            with keras.name_scope(self.name, caller=self):
                self._carried.variables = [
                    keras.Variable(
                        state,
                        dtype=keras.backend.standardize_dtype(state.dtype),
                        trainable=False,
                        autocast=False,
                        name=f"carried_state_{number}",
                    )
                    for number, state in enumerate(
                        keras.tree.flatten(self.get_initial_state(inputs_shape[0]))
                    )
                ]

    def call(self, inputs, initial_state=None, mask=None, training=False):
        hidden, structure, step_mask = self._read(inputs, initial_state, mask)
        states = structure if isinstance(self.cell, StackedRNNCells) else [structure]
        last = []
        for cell, before in zip(self._cells, states, strict=True):
            if self.checkpoint_every and hidden.shape[0] > self.checkpoint_every:
                masks = cell.dropout_masks(ops.shape(hidden)[1], hidden.shape[-1], training)
                hidden, after = run_in_segments(
                    cell, hidden, list(before), self.checkpoint_every, step_mask, *masks
                )
            elif isinstance(cell, Cell):
                projected, dropout_mask = self._project(cell, hidden, training)
                hidden, after = run_cell(
                    cell, projected, list(before), step_mask, dropout_mask, training, self.unroll
                )
            else:
                before = before if keras.tree.is_nested(before) else [before]
                hidden, after = run_any_cell(cell, hidden, before, step_mask, training, self.unroll)
            last += after
        for variable, state in zip(self.states, last, strict=False):  # none if not stateful
            variable.assign(state)
        if step_mask is not None and self.zero_output_for_mask:
            hidden = _select(step_mask, hidden, ops.zeros_like(hidden))
        elif step_mask is not None and self.masks_as_keras:
            begun = ops.cumsum(ops.cast(step_mask, "int32"), axis=0) > 0
            hidden = _select(begun, hidden, ops.zeros_like(hidden))
        outputs = ops.swapaxes(hidden, 0, 1) if self.return_sequences else hidden[-1]
        if self.return_state:
            outputs = (outputs, *keras.tree.pack_sequence_as(structure, last))
        return _cast(outputs, self.compute_dtype)

    def trace(self, inputs, initial_state=None, mask=None, force=None):
        """All gates, candidates and states at every time step, without dropout.

        Args:
            inputs, initial_state, mask: As in a call.
            force: Dict from some of `cell.trace_names` to values that replace what the cell
                computes: a number, or an array `(units,)` or `(batch, units)` in which NaN leaves
                a unit as computed. `{"forget": 1}` keeps every forget gate open, a hidden state
                of 0 silences a unit, and a forget gate of 1 with an input gate of 0 freezes an
                LSTM's cell state.

        Returns:
            Dict from each of `cell.trace_names` to a tensor `(batch, time, units)`, in the order
            of the inputs' time steps. At masked steps the states are those of the step before.

        Raises:
            ValueError: if `force` has a key that is not in `cell.trace_names`.
        """
        if not isinstance(self.cell, Cell):
            raise ValueError(f"`trace` needs a `Cell`. Received: cell={self.cell!r}")
        if not self.built:
            self.build(inputs.shape)
        if unknown := set(force or ()) - set(self.cell.trace_names):
            raise ValueError(
                f"`force` may name {list(self.cell.trace_names)}. Received: {sorted(unknown)}"
            )
        projected, states, step_mask = self._prepare(inputs, initial_state, mask)
        weights = self.cell.recurrent_weights()
        _, history = forward_through_time(
            self.cell, projected, states, weights, step_mask, force=force
        )
        traced = {}
        for name in self.cell.trace_names:
            values = ops.swapaxes(history[name], 0, 1)  # (batch, time, units)
            traced[name] = ops.flip(values, axis=1) if self.go_backwards else values
        return traced

    def jacobians(self, inputs, initial_state=None, mask=None):
        """The Jacobian of the states after each step with respect to those before it.

        Back-propagation through time multiplies a row vector by one of these matrices after the
        other (Pascanu, Mikolov & Bengio 2013). They are computed by the cell's own backward step,
        applied to the unit vectors at all time steps at once. No dropout applies.

        Args:
            inputs, initial_state, mask: As in a call.

        Returns:
            Tensor `(batch, time, n, n)`, in the order of the inputs' time steps, where n is the
            number of states times `units`. Entry i, j is the derivative of component i of the
            states after the step with respect to component j of those before it; the states are
            concatenated in the order of `cell.state_names`. At masked steps it is the identity.
        """
        if not self.built:
            self.build(inputs.shape)
        cell = self.cell
        self._check_gradient()
        projected, states, step_mask = self._prepare(inputs, initial_state, mask)
        weights = cell.recurrent_weights()
        _, history = forward_through_time(cell, projected, states, weights, step_mask)
        previous = _previous_states(cell, history, states)
        derivatives = cell.local_derivatives(previous, history, weights)
        size = len(cell.state_names) * cell.units
        time, batch, _ = ops.shape(projected)
        rows = ops.broadcast_to(ops.eye(size, dtype=cell.compute_dtype), (time, batch, size, size))
        d_previous, _ = cell.backward_step(
            [ops.expand_dims(derivative, 2) for derivative in derivatives],
            ops.split(rows, len(cell.state_names), axis=-1),  # (time, batch, size, units) each
            [ops.transpose(weight) for weight in weights],
        )
        jacobians = ops.concatenate(d_previous, axis=-1)
        if step_mask is not None:
            jacobians = ops.where(ops.expand_dims(step_mask, -1), jacobians, rows)
        jacobians = ops.transpose(jacobians, (1, 0, 2, 3))  # (batch, time, size, size)
        return ops.flip(jacobians, axis=1) if self.go_backwards else jacobians

    def vjp(self, inputs, initial_state=None, mask=None):
        """The hidden states and their vector-Jacobian product with respect to the inputs.

        The product is computed by the hand-written back-propagation through time, without a
        gradient tape, so it can be part of a training step. No dropout applies.

        Args:
            inputs, initial_state, mask: As in a call.

        Returns:
            The hidden states after every step `(batch, time, units)`, in the order of reading,
            and a function from the gradient of a loss with respect to them, of the same shape, to
            its gradient with respect to the inputs, `(batch, time, features)`.
        """
        if not self.built:
            self.build(inputs.shape)
        cell = self.cell
        self._check_gradient()
        projected, states, step_mask = self._prepare(inputs, initial_state, mask)
        weights = cell.recurrent_weights()
        last, history = forward_through_time(cell, projected, states, weights, step_mask)

        def backward(d_hidden):
            d_sequence = ops.transpose(ops.cast(d_hidden, cell.compute_dtype), (1, 0, 2))
            d_last = [ops.zeros_like(state) for state in last]
            d_projected, _, _ = backward_through_time(
                cell, d_sequence, d_last, history, states, weights, step_mask
            )
            d_inputs = ops.matmul(d_projected, ops.transpose(cell._tensor(cell.kernel)))
            d_inputs = ops.transpose(d_inputs, (1, 0, 2))  # (batch, time, features)
            return ops.flip(d_inputs, axis=1) if self.go_backwards else d_inputs

        return ops.transpose(history["hidden"], (1, 0, 2)), backward

    def _prepare(self, inputs, initial_state, mask):
        """Projected inputs, initial states and step mask of a forward pass without dropout."""
        sequence, states, step_mask = self._read(inputs, initial_state, mask)
        return self._project(self.cell, sequence)[0], states, step_mask

    def _project(self, cell, sequence, training=False):
        """The inputs' part of a cell's pre-activations, and the mask of its hidden state."""
        sequence = ops.cast(sequence, cell.compute_dtype)
        batch, features = ops.shape(sequence)[1], sequence.shape[-1]
        input_mask, dropout_mask = cell.dropout_masks(batch, features, training)
        return cell.project(sequence, input_mask), dropout_mask  # (time, batch, n * units)

    def _read(self, inputs, initial_state, mask):
        """The inputs in the order of reading `(time, batch, ...)`, the states and the step mask."""
        inputs = ops.cast(inputs, self._dtype_of_cell())
        mask = _as_array(mask)
        self._check_shapes(inputs, initial_state, mask)
        if self.states and inputs.shape[0] is None:  # only in a graph of TensorFlow
            rest = [None] * (len(inputs.shape) - 1)
            import tensorflow as tf

            inputs = tf.ensure_shape(inputs, (self.states[0].shape[0], *rest))
        batch = ops.shape(inputs)[0]
        states = self._states_to_start_from(batch, initial_state)
        sequence = ops.swapaxes(inputs, 0, 1)
        step_mask = None
        if mask is not None:
            step_mask = ops.transpose(ops.cast(mask, "bool"))[..., None]  # (time, batch, 1)
        if self.go_backwards:
            sequence = ops.flip(sequence, axis=0)
            step_mask = None if step_mask is None else ops.flip(step_mask, axis=0)
        return sequence, states, step_mask

    def _dtype_of_cell(self):
        return getattr(self._cells[0], "compute_dtype", self.compute_dtype)

    def _check_gradient(self):
        if not getattr(self.cell, "has_written_gradient", False):
            raise ValueError(
                "`jacobians` and `vjp` need a cell whose gradient is written by hand. "
                f"Received: cell={self.cell!r}"
            )

    def _states_to_start_from(self, batch, initial_state):
        zeros = self.get_initial_state(batch)
        states = self.states if initial_state is None else keras.tree.flatten(initial_state)
        if not states:
            return zeros
        dtypes = [state.dtype for state in keras.tree.flatten(zeros)]
        states = [ops.cast(state, dtype) for state, dtype in zip(states, dtypes, strict=True)]
        return keras.tree.pack_sequence_as(zeros, states)

    def _check_shapes(self, inputs, initial_state, mask):
        first = self._cells[0]
        batch, time, *step_shape = inputs.shape
        if isinstance(first, Cell):
            expected = (*first.space, first.kernel.shape[-2])
            if not shapes_agree(step_shape, expected):
                raise ValueError(
                    f"`inputs` must have the shape (batch, time, {', '.join(map(str, expected))}). "
                    f"Received: inputs.shape={tuple(inputs.shape)}"
                )
        if self.checkpoint_every and time is None:
            raise ValueError(
                "`checkpoint_every` needs a known number of time steps. "
                f"Received: inputs.shape={tuple(inputs.shape)}"
            )
        if self.unroll and time is None:
            raise ValueError(
                "`unroll=True` needs a known number of time steps. "
                f"Received: inputs.shape={tuple(inputs.shape)}"
            )
        if time == 0:
            raise ValueError(
                "`inputs` must have at least one time step. "
                f"Received: inputs.shape={tuple(inputs.shape)}"
            )
        if self.states and not shapes_agree((batch,), self.states[0].shape[:1]):
            raise ValueError(
                "`inputs` of this stateful layer must have the batch size that it was built for, "
                f"{self.states[0].shape[0]}. Received: inputs.shape={tuple(inputs.shape)}"
            )
        if mask is not None and not shapes_agree(mask.shape, (batch, time)):
            raise ValueError(
                f"`mask` must have the shape (batch, time) = {(batch, time)}. "
                f"Received: mask.shape={tuple(mask.shape)}"
            )
        if initial_state is None:
            return
        shapes = [tuple(state.shape) for state in keras.tree.flatten(initial_state)]
        needed = [shape for cell in self._cells for shape in _state_shapes(cell, batch, step_shape)]
        if len(shapes) != len(needed) or not all(map(shapes_agree, shapes, needed)):
            raise ValueError(
                f"`initial_state` must have {len(needed)} tensor(s) of the shapes {needed}. "
                f"Received: shapes {shapes}"
            )

    def reset_state(self):
        """Set the states that a stateful layer carries to those of a first batch."""
        if self.states:
            states = keras.tree.flatten(self.get_initial_state(self.states[0].shape[0]))
            for variable, state in zip(self.states, states, strict=True):
                variable.assign(state)

    def compute_output_shape(self, inputs_shape, initial_state_shape=None):
        batch, time, *step_shape = inputs_shape
        shape = (_output_size(self.cell),)
        if isinstance(self.cell, Cell):
            shape = self.cell.state_shape(step_shape)
        outputs = (batch, time, *shape) if self.return_sequences else (batch, *shape)
        states = _state_shapes(self.cell, batch, step_shape)
        return (outputs, *states) if self.return_state else outputs

    def compute_mask(self, inputs, mask=None):
        """The mask of the outputs, in their order."""
        outputs = _as_array(mask) if self.return_sequences else None
        if outputs is not None and self.go_backwards:
            outputs = ops.flip(outputs, axis=1)
        sizes = self.cell.state_size
        states = [None for _ in ([sizes] if isinstance(sizes, int) else sizes)]
        return (outputs, *states) if self.return_state else outputs

    def get_config(self):
        return {
            **super().get_config(),
            "cell": keras.saving.serialize_keras_object(self.cell),
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "unroll": self.unroll,
            "zero_output_for_mask": self.zero_output_for_mask,
            "checkpoint_every": self.checkpoint_every,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        cell = keras.saving.deserialize_keras_object(config["cell"], custom_objects)
        return cls(**{**config, "cell": cell})


RNN = Recurrent


def _as_array(mask):
    """A mask that may be given as a list."""
    return np.array(mask) if isinstance(mask, list | tuple) else mask


def _cast(tensors, dtype):
    return keras.tree.map_structure(lambda tensor: ops.cast(tensor, dtype), tensors)


MERGE_MODES = {
    "concat": lambda forward, backward: ops.concatenate([forward, backward], axis=-1),
    "sum": lambda forward, backward: forward + backward,
    "mul": lambda forward, backward: forward * backward,
    "ave": lambda forward, backward: (forward + backward) / 2,
}


def _opposite(layer):
    """A new layer of the same config, but for the direction and the seed."""
    wrapped = keras.saving.serialize_keras_object(layer)
    config = wrapped["config"]
    config.update(name=f"backward_{layer.name}", go_backwards=not layer.go_backwards)
    cell = config["cell"]["config"] if "cell" in config else config
    if cell.get("seed") is not None:  # another one, so that the masks differ
        cell["seed"] = random.Random(cell["seed"]).randrange(2**31)
    opposite = keras.saving.deserialize_keras_object(wrapped)
    if hasattr(layer, "use_cudnn"):  # is not part of a config
        opposite.use_cudnn = layer.use_cudnn
    return opposite


@keras.saving.register_keras_serializable("unrolled")
class Bidirectional(keras.layers.Layer):
    """Reads a sequence in both directions (Schuster & Paliwal 1997).

    Args:
        layer: A `Recurrent` or a recurrent layer of Keras, the forward layer.
        merge_mode: How the two outputs are combined: `"concat"`, `"sum"`, `"mul"` or `"ave"`; or
            None, to return them as two.
        weights: The weights that the two layers start from, a list as of `get_weights`.
        backward_layer: The other layer, which reads in the opposite direction. If None, it is made
            from the config of the first, with weights of its own. From the seed of the cell it
            makes another one, so that the two drop different units.
        **kwargs: As for `Recurrent`; `dtype` is the layer's by default.

    Call arguments:
        inputs, mask, training: As for `Recurrent`.
        initial_state: List of the forward layer's states, then the backward layer's.

    Returns:
        As `Recurrent`, with outputs in the order of the inputs' time steps, of `2 * units`
        features with `merge_mode="concat"`; with `merge_mode=None` a tuple of the forward and the
        backward layer's outputs; with `return_state` the last states of the forward
        layer, then those of the backward layer.

    Raises:
        ValueError: if `layer` or `merge_mode` is not one of these; the message names it.

    Example:

    >>> layer = Bidirectional(Recurrent(GRUCell(8), return_sequences=True))
    >>> tuple(layer(np.ones((2, 5, 3))).shape)
    (2, 5, 16)
    """

    def __init__(self, layer, merge_mode="concat", weights=None, backward_layer=None, **kwargs):
        for name, each in (("layer", layer), ("backward_layer", backward_layer or layer)):
            if not hasattr(each, "go_backwards"):
                raise ValueError(f"`{name}` must be a recurrent layer. Received: {name}={each!r}")
        super().__init__(**{"dtype": layer.dtype_policy, **kwargs})
        if merge_mode is not None and merge_mode not in MERGE_MODES:
            raise ValueError(
                f"`merge_mode` must be one of {list(MERGE_MODES)} or None. "
                f"Received: merge_mode={merge_mode!r}"
            )
        self.forward_layer = layer
        self.backward_layer = backward_layer or _opposite(layer)
        for name in ("return_sequences", "return_state", "stateful"):
            if getattr(layer, name) != getattr(self.backward_layer, name):
                raise ValueError(f"`layer` and `backward_layer` must have the same `{name}`.")
        if layer.go_backwards == self.backward_layer.go_backwards:
            raise ValueError("`layer` and `backward_layer` must differ in `go_backwards`.")
        for each in self._directions:
            if getattr(each, "masks_as_keras", True):
                each.zero_output_for_mask = each.return_sequences
        self.initial_weights = weights
        self.merge_mode = merge_mode
        self.supports_masking = True

    @property
    def _directions(self):
        return self.forward_layer, self.backward_layer

    def build(self, inputs_shape, initial_state_shape=None):
        for layer in self._directions:
            if not layer.built:
                layer.build(inputs_shape)
        if self.initial_weights is not None:
            self.set_weights(self.initial_weights)

    def call(self, inputs, initial_state=None, mask=None, training=False):
        initial_states = self._split_states(initial_state)
        results = [
            layer(inputs, initial_state=states, mask=mask, training=training)
            for layer, states in zip(self._directions, initial_states, strict=True)
        ]
        states = []
        if self.forward_layer.return_state:
            states = [state for _, *states in results for state in states]
            results = [outputs for outputs, *_ in results]
        return _cast(self._with_states(self._merge(*results), states), self.compute_dtype)

    def _with_states(self, outputs, states):
        """What the layer returns of its outputs, its states or of what is known of each."""
        if self.merge_mode is None:
            return (*outputs, *states)
        return (outputs, *states) if states else outputs

    def _split_states(self, initial_state):
        """The initial states of the forward and of the backward layer."""
        if initial_state is None:
            return None, None
        states = keras.tree.flatten(initial_state)
        half = len(states) // 2
        return states[:half], states[half:]

    def _merge(self, *outputs):
        in_order = [
            ops.flip(each, axis=1) if layer.return_sequences and layer.go_backwards else each
            for layer, each in zip(self._directions, outputs, strict=True)
        ]
        return in_order if self.merge_mode is None else MERGE_MODES[self.merge_mode](*in_order)

    def trace(self, inputs, initial_state=None, mask=None):
        """The trace of each layer, as by `Recurrent`: `{"forward": {...}, "backward": {...}}`."""
        forward_states, backward_states = self._split_states(initial_state)
        return {
            "forward": self.forward_layer.trace(inputs, forward_states, mask),
            "backward": self.backward_layer.trace(inputs, backward_states, mask),
        }

    def reset_state(self):
        """Set the carried states of both layers to zero."""
        for layer in self._directions:
            layer.reset_state()

    def compute_output_shape(self, inputs_shape, initial_state_shape=None):
        shapes = [layer.compute_output_shape(inputs_shape) for layer in self._directions]
        states = []
        if self.forward_layer.return_state:
            states = [state for _, *states in shapes for state in states]
            shapes = [outputs for outputs, *_ in shapes]
        forward, backward = shapes
        merged = forward
        if self.merge_mode == "concat":
            merged = (*forward[:-1], forward[-1] + backward[-1])
        return self._with_states(shapes if self.merge_mode is None else merged, states)

    def compute_mask(self, inputs, mask=None):
        outputs = _as_array(mask) if self.forward_layer.return_sequences else None
        if self.merge_mode is None:
            outputs = [outputs, outputs]
        states = []
        if self.forward_layer.return_state:
            states = [
                None for layer in self._directions for _ in layer.compute_mask(None, mask)[1:]
            ]
        return self._with_states(outputs, states)

    def get_config(self):
        forward, backward = map(keras.saving.serialize_keras_object, self._directions)
        config = {"layer": forward, "backward_layer": backward, "merge_mode": self.merge_mode}
        return {**super().get_config(), **config}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        layers = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in ("layer", "backward_layer")
            if name in config
        }
        return cls(**{**config, **layers})


@keras.saving.register_keras_serializable("unrolled")
class Stacked(keras.layers.Layer):
    """A stack of recurrent layers, each of which reads the outputs of the layer below.

    Args:
        layers: List of `Recurrent` or `Bidirectional`, the lowest first; all but the last need
            `return_sequences=True`. The stack returns the outputs of the last.
        **kwargs: As for `Recurrent`; `dtype` is the last layer's by default.

    Call arguments:
        inputs, mask, training: As for `Recurrent`.
        initial_state: List with the initial state of each layer, or None.

    Raises:
        ValueError: if `layers` or `initial_state` is wrong; the message names it.

    Example:

    >>> layer = Stacked([Recurrent(GRUCell(8), return_sequences=True), Recurrent(GRUCell(4))])
    >>> tuple(layer(np.ones((2, 5, 3))).shape)
    (2, 4)
    """

    def __init__(self, layers, **kwargs):
        if not layers or not all(isinstance(each, Recurrent | Bidirectional) for each in layers):
            raise ValueError(
                f"`layers` must be a list of Recurrent or Bidirectional. Received: layers={layers}"
            )
        for layer in layers[:-1]:
            inner = layer.forward_layer if isinstance(layer, Bidirectional) else layer
            if getattr(layer, "merge_mode", "concat") is None:
                raise ValueError(
                    "Only the last of `layers` may have merge_mode=None. Received: "
                    f"{layer.name} with merge_mode=None"
                )
            if not inner.return_sequences or inner.return_state:
                raise ValueError(
                    "All `layers` but the last need return_sequences=True and "
                    f"return_state=False. Received: {layer.name} with return_sequences="
                    f"{inner.return_sequences}, return_state={inner.return_state}"
                )
        super().__init__(**{"dtype": layers[-1].dtype_policy, **kwargs})
        self.layers = list(layers)
        self.supports_masking = True

    def build(self, inputs_shape, initial_state_shape=None):
        for layer in self.layers:
            if not layer.built:
                layer.build(inputs_shape)
            inputs_shape = layer.compute_output_shape(inputs_shape)

    def call(self, inputs, initial_state=None, mask=None, training=False):
        initial_states = self._split_states(initial_state)
        for layer, states in zip(self.layers, initial_states, strict=True):
            inputs = layer(inputs, initial_state=states, mask=mask, training=training)
            mask = layer.compute_mask(None, mask)
        return _cast(inputs, self.compute_dtype)

    def _split_states(self, initial_state):
        """The initial states of each layer."""
        if initial_state is None:
            return [None] * len(self.layers)
        if len(initial_state) != len(self.layers):
            raise ValueError(
                f"`initial_state` must be a list with the states of each of {len(self.layers)} "
                f"layer(s). Received: a list of {len(initial_state)}"
            )
        return initial_state

    def trace(self, inputs, initial_state=None, mask=None):
        """List of the traces of all layers, the lowest first, each in the order of its inputs."""
        initial_states = self._split_states(initial_state)
        traces = []
        for layer, states in zip(self.layers, initial_states, strict=True):
            traces.append(layer.trace(inputs, states, mask))
            inputs = layer(inputs, initial_state=states, mask=mask)
            mask = layer.compute_mask(None, mask)
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
        for layer in self.layers:
            mask = layer.compute_mask(None, mask)
        return mask

    def get_config(self):
        layers = [keras.saving.serialize_keras_object(layer) for layer in self.layers]
        return {**super().get_config(), "layers": layers}

    @classmethod
    def from_config(cls, config):
        layers = [keras.saving.deserialize_keras_object(layer) for layer in config["layers"]]
        return cls(**{**config, "layers": layers})
