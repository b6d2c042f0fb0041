"""Recurrent cells: one step of an RNN, an LSTM or a GRU, and that step's gradient, by hand.

A cell follows Keras's cell protocol (`call`, `state_size`, `get_initial_state`), so it also
runs inside `keras.layers.RNN`. For `Recurrent`, the step is cut where the time dependency
begins: `project` needs no state and serves all time steps in one product, `step` does the rest.

Back-propagation through time needs, at every step, only products that are linear in the
gradient of the new states. Their factors depend on nothing but the forward pass, so
`linearise` computes them for all time steps at once, `backstep` applies them step by step,
and `weight_gradients` sums over time in one product per weight.

In the code `d_hidden` is the gradient of the loss by `hidden`, and `delta` the one by the
pre-activations, the sums that enter the activation functions.
"""

from abc import ABC, abstractmethod

import keras
from keras import initializers, ops


def _summed_product(x, y):
    """Sum of the outer products of x and y over all leading axes: (..., n), (..., m) -> (n, m)."""
    x = ops.reshape(x, (-1, x.shape[-1]))
    y = ops.reshape(y, (-1, y.shape[-1]))
    return ops.matmul(ops.transpose(x), y)


def _summed(x):
    """Sum over all axes but the last: (..., n) -> (n,)."""
    return ops.sum(ops.reshape(x, (-1, x.shape[-1])), axis=0)


def _forced(value, name, force):
    """A value as computed or, where `force` has a number for it that is not NaN, that number."""
    if not force or name not in force:
        return value
    held = ops.cast(force[name], value.dtype)
    return ops.where(ops.isnan(held), value, held)


def _slope(gate):
    """Derivative of the sigmoid, from its value."""
    return gate * (1 - gate)


class Cell(keras.layers.Layer, ABC):
    """What RNN, LSTM and GRU cells share: weights, dropout and the cell protocol.

    A subclass names its pre-activations (`blocks`), its states (`states`), what `trace` shows
    (`internals`) and what the backward pass needs to know of a step besides the states
    (`saved`), and defines `step`, `linearise` and `backstep`.

    Args:
        units: Positive integer, the size of the hidden state.
        kernel_initializer: Initializer of the input weights `(features, blocks * units)`.
        recurrent_initializer: Initializer of the recurrent weights `(units, blocks * units)`.
        bias_initializer: Initializer of the bias.
        dropout: Fraction of the input features to drop, between 0 and 1.
        recurrent_dropout: Fraction of the hidden units to drop where the hidden state enters
            the recurrent product, between 0 and 1. In `Recurrent` one mask serves all time
            steps of a sequence (variational dropout, Gal & Ghahramani 2016); called step by
            step, as `keras.layers.RNN` does, a cell draws a new mask at each step.
        weight_dropout: Fraction of the recurrent weights to drop, between 0 and 1: in
            `Recurrent` the same for all steps and sequences of a batch (Merity et al. 2018).
        seed: Integer or None, the seed of the dropout masks.

    Call arguments:
        inputs: Tensor `(batch, features)`, one time step.
        states: List of tensors `(batch, units)`, the states after the step before.
        training: Boolean, whether dropout applies.

    Returns:
        The hidden state `(batch, units)` and the list of the new states.

    Raises:
        ValueError: if an argument is out of range; the message names it and its value.
    """

    blocks = ()
    states = ("hidden",)
    internals = ("hidden",)
    saved = ()

    def __init__(
        self,
        units,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        dropout=0.0,
        recurrent_dropout=0.0,
        weight_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not isinstance(units, int) or units < 1:
            raise ValueError(f"`units` must be a positive integer. Received: units={units!r}")
        rates = {
            "dropout": dropout,
            "recurrent_dropout": recurrent_dropout,
            "weight_dropout": weight_dropout,
        }
        for name, rate in rates.items():
            if not 0 <= rate < 1:
                raise ValueError(f"`{name}` must be in [0, 1). Received: {name}={rate!r}")
        self.units = units
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.weight_dropout = weight_dropout
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.state_size = [units] * len(self.states)
        self.output_size = units

    def build(self, input_shape):
        width = len(self.blocks) * self.units
        self.kernel = self.add_weight(
            shape=(input_shape[-1], width), initializer=self.kernel_initializer, name="kernel"
        )
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, width),
            initializer=self.recurrent_initializer,
            name="recurrent_kernel",
        )
        self.bias = self.add_weight(
            shape=self._bias_shape(), initializer=self._initial_bias, name="bias"
        )

    def _bias_shape(self):
        return (len(self.blocks) * self.units,)

    def _initial_bias(self, shape, dtype=None):
        return self.bias_initializer(shape, dtype=dtype)

    def get_initial_state(self, batch_size=None):
        """Zeros: a list with a tensor `(batch_size, units)` for each state."""
        return [ops.zeros((batch_size, self.units), dtype=self.compute_dtype) for _ in self.states]

    def recurrent_weights(self, training=False):
        """The weights that `step` needs, as a list of tensors."""
        kernel = self._tensor(self.recurrent_kernel)
        if training and self.weight_dropout:
            kernel = keras.random.dropout(kernel, self.weight_dropout, seed=self.seed_generator)
        return [kernel]

    def _tensor(self, weight):
        return ops.cast(weight, self.compute_dtype)

    def dropout_masks(self, batch_size, features, training):
        """Masks for inputs and hidden state, `(batch, features)` and `(batch, units)`, or None."""

        def mask(width, rate):
            if not training or rate == 0:
                return None
            ones = ops.ones((batch_size, width), dtype=self.compute_dtype)
            return keras.random.dropout(ones, rate, seed=self.seed_generator)

        return mask(features, self.dropout), mask(self.units, self.recurrent_dropout)

    def project(self, inputs):
        """The inputs' part of the pre-activations: (..., features) -> (..., blocks * units)."""
        return ops.matmul(inputs, self._tensor(self.kernel)) + self._tensor(self.bias)

    @abstractmethod
    def step(self, projected, states, weights, dropped=None, force=None):
        """One step forward.

        Args:
            projected: Tensor `(batch, blocks * units)` from `project`.
            states: List of tensors `(batch, units)`, the states before the step.
            weights: What `recurrent_weights` returned.
            dropped: Mask on the hidden state `(batch, units)`, or None.
            force: Dict from names in `internals` to what they are held at, as for
                `Recurrent.trace`, or None.

        Returns:
            The list of the new states, and a dict with all of `internals` and `saved`, each a
            tensor `(batch, units)`.
        """

    @abstractmethod
    def linearise(self, states, internals, weights, dropped=None):
        """What the backward pass multiplies by, at all steps at once.

        Args:
            states: List of the states before every step, each `(time, batch, units)`.
            internals: Dict with the new states and all of `saved`, each `(time, batch, units)`.
            weights, dropped: As for `step`.

        Returns:
            The factors, a list of tensors `(time, batch, n)`.
        """

    @abstractmethod
    def backstep(self, factors, gradients, transposed, dropped=None):
        """One step backward.

        Args:
            factors: What `linearise` returned, for this step.
            gradients: List of the gradients by each new state, `(batch, units)`.
            transposed: What `recurrent_weights` returned, each transposed.
            dropped: As for `step`.

        Returns:
            The list of the gradients by each state before the step, `(batch, units)`, and the
            gradient by the pre-activations, `(batch, blocks * units)`.
        """

    def weight_gradients(self, deltas, states, internals, dropped=None):
        """Gradients by each of `recurrent_weights`, summed over all steps.

        Args:
            deltas: Gradients by the pre-activations, `(time, batch, blocks * units)`.
            states, internals, dropped: As for `linearise`.

        Returns:
            A list of tensors, each of its weight's shape.
        """
        hidden = states[0] if dropped is None else states[0] * dropped
        return [_summed_product(hidden, deltas)]

    def call(self, inputs, states, training=False):
        self._check_shapes(inputs, states)
        input_mask, dropped = self.dropout_masks(ops.shape(inputs)[0], inputs.shape[-1], training)
        if input_mask is not None:
            inputs = inputs * input_mask
        new_states, _ = self.step(
            self.project(inputs), list(states), self.recurrent_weights(training), dropped
        )
        return new_states[0], new_states

    def _check_shapes(self, inputs, states):
        features = self.kernel.shape[0]
        if len(inputs.shape) != 2 or inputs.shape[1] != features:
            raise ValueError(
                f"`inputs` must have the shape (batch, {features}). "
                f"Received: inputs.shape={tuple(inputs.shape)}"
            )
        shapes = [tuple(state.shape) for state in states]
        if len(shapes) != len(self.states) or any(shape[1:] != (self.units,) for shape in shapes):
            raise ValueError(
                f"`states` must be {len(self.states)} tensor(s) of the shape "
                f"(batch, {self.units}). Received: shapes {shapes}"
            )

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": initializers.serialize(self.recurrent_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "weight_dropout": self.weight_dropout,
            "seed": self.seed,
        }


@keras.saving.register_keras_serializable("unrolled")
class RNNCell(Cell):
    """The simple recurrent cell, h = f(x W + h' U + b) (Elman 1990).

    Args:
        units: Positive integer, the size of the hidden state.
        activation: `"tanh"`, `"relu"` or `"linear"`. With `activation="relu"` and
            `recurrent_initializer="identity"` this is the IRNN of Le, Jaitly & Hinton (2015);
            with `activation="linear"` a linear filter.
        **kwargs: The arguments of `Cell`.

    States: hidden. Trace: hidden. Weights, ordered as in `keras.layers.SimpleRNN`.

    Example:

    >>> layer = Recurrent(RNNCell(8))
    >>> tuple(layer(np.ones((2, 5, 3))).shape)
    (2, 8)
    """

    blocks = ("hidden",)

    def __init__(self, units, activation="tanh", **kwargs):
        super().__init__(units, **kwargs)
        if activation not in ("tanh", "relu", "linear"):
            raise ValueError(
                '`activation` must be "tanh", "relu" or "linear". '
                f"Received: activation={activation!r}"
            )
        self.activation = activation

    def step(self, projected, states, weights, dropped=None, force=None):
        hidden = states[0] if dropped is None else states[0] * dropped
        total = projected + ops.matmul(hidden, weights[0])  # (batch, units)
        hidden = _forced(keras.activations.get(self.activation)(total), "hidden", force)
        return [hidden], {"hidden": hidden}

    def linearise(self, states, internals, weights, dropped=None):
        hidden = internals["hidden"]
        if self.activation == "tanh":
            return [1 - hidden * hidden]
        if self.activation == "relu":
            return [ops.cast(hidden > 0, hidden.dtype)]
        return [ops.ones_like(hidden)]

    def backstep(self, factors, gradients, transposed, dropped=None):
        delta = gradients[0] * factors[0]  # (batch, units)
        back = ops.matmul(delta, transposed[0])
        return [back if dropped is None else back * dropped], delta

    def get_config(self):
        return {**super().get_config(), "activation": self.activation}


@keras.saving.register_keras_serializable("unrolled")
class LSTMCell(Cell):
    """The long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000).

    i = σ(x Wᵢ + h' Uᵢ + bᵢ), f = σ(x W_f + h' U_f + b_f), o = σ(x Wₒ + h' Uₒ + bₒ),
    g = tanh(x W_g + h' U_g + b_g), c = f ∘ c' + i ∘ g, h = o ∘ tanh(c).

    Args:
        units: Positive integer, the size of the hidden state and of the cell state.
        forget_bias: Initial bias of the forget gate; 1 keeps the memory open at the start of
            training (Jozefowicz, Zaremba & Sutskever 2015).
        peepholes: Let the gates see the cell state: i and f the one before the step, o the one
            after it, through diagonal weights (Gers & Schmidhuber 2000).
        coupled: Tie the input gate to the forget gate, i = 1 − f (CIFG, Greff et al. 2017).
        **kwargs: The arguments of `Cell`.

    States: hidden, cell. Trace: input, forget, candidate, output, cell, hidden. Weights ordered
    as in `keras.layers.LSTM` (input, forget, candidate, output), then the peepholes
    `(3, units)`; a coupled cell has no input block.

    Example:

    >>> layer = Recurrent(LSTMCell(8), return_sequences=True)
    >>> tuple(layer.trace(np.ones((2, 5, 3)))["forget"].shape)
    (2, 5, 8)
    """

    states = ("hidden", "cell")
    internals = ("input", "forget", "candidate", "output", "cell", "hidden")
    saved = ("input", "forget", "candidate", "output")

    def __init__(self, units, forget_bias=1.0, peepholes=False, coupled=False, **kwargs):
        super().__init__(units, **kwargs)
        self.forget_bias = forget_bias
        self.peepholes = peepholes
        self.coupled = coupled

    @property
    def blocks(self):
        gates = ("forget", "candidate", "output")
        return gates if self.coupled else ("input", *gates)

    def build(self, input_shape):
        super().build(input_shape)
        if self.peepholes:
            self.peephole_kernel = self.add_weight(
                shape=(len(self.blocks) - 1, self.units),
                initializer=self.kernel_initializer,
                name="peephole_kernel",
            )

    def _initial_bias(self, shape, dtype=None):
        bias = self.bias_initializer(shape, dtype=dtype)
        forget = self.blocks.index("forget")
        return ops.slice_update(
            bias, (forget * self.units,), ops.full((self.units,), self.forget_bias, dtype=dtype)
        )

    def recurrent_weights(self, training=False):
        weights = super().recurrent_weights(training)
        return [*weights, self._tensor(self.peephole_kernel)] if self.peepholes else weights

    def step(self, projected, states, weights, dropped=None, force=None):
        hidden, cell = states
        if dropped is not None:
            hidden = hidden * dropped
        total = projected + ops.matmul(hidden, weights[0])  # (batch, blocks * units)
        *gates, candidate, output = ops.split(total, len(self.blocks), axis=-1)
        if self.peepholes:
            gates = [gate + cell * weights[1][n] for n, gate in enumerate(gates)]
        forget = _forced(ops.sigmoid(gates[-1]), "forget", force)
        entry = 1 - forget if self.coupled else ops.sigmoid(gates[0])
        entry = _forced(entry, "input", force)
        candidate = _forced(ops.tanh(candidate), "candidate", force)
        cell = _forced(forget * cell + entry * candidate, "cell", force)
        if self.peepholes:
            output = output + cell * weights[1][-1]
        output = _forced(ops.sigmoid(output), "output", force)
        hidden = _forced(output * ops.tanh(cell), "hidden", force)
        values = (entry, forget, candidate, output, cell, hidden)
        return [hidden, cell], dict(zip(self.internals, values, strict=True))

    def linearise(self, states, internals, weights, dropped=None):
        entry, forget, candidate, output, cell, hidden = (internals[n] for n in self.internals)
        to_cell = output - hidden * ops.tanh(cell)  # of d_hidden, on its way to d_cell
        to_output = hidden * (1 - output)
        entering = entry * candidate
        to_candidate = entry - entering * candidate
        if self.coupled:
            to_gates = [(states[1] - candidate) * _slope(forget)]
        else:
            to_gates = [entering * (1 - entry), states[1] * _slope(forget)]
        carry = forget
        if self.peepholes:
            to_cell = to_cell + to_output * weights[1][-1]
            carry = carry + sum(gate * weights[1][n] for n, gate in enumerate(to_gates))
        return [to_cell, ops.concatenate([*to_gates, to_candidate, to_output], axis=-1), carry]

    def backstep(self, factors, gradients, transposed, dropped=None):
        to_cell, to_total, carry = factors
        d_hidden, d_cell = gradients
        d_cell = d_cell + d_hidden * to_cell  # (batch, units)
        repeated = [d_cell] * (len(self.blocks) - 1)
        delta = ops.concatenate([*repeated, d_hidden], axis=-1) * to_total
        back = ops.matmul(delta, transposed[0])
        return [back if dropped is None else back * dropped, d_cell * carry], delta

    def weight_gradients(self, deltas, states, internals, dropped=None):
        gradients = super().weight_gradients(deltas, states, internals, dropped)
        if self.peepholes:
            *gates, _, output = ops.split(deltas, len(self.blocks), axis=-1)
            seen = [gate * states[1] for gate in gates] + [output * internals["cell"]]
            gradients.append(ops.stack([_summed(product) for product in seen]))
        return gradients

    def get_config(self):
        return {
            **super().get_config(),
            "forget_bias": self.forget_bias,
            "peepholes": self.peepholes,
            "coupled": self.coupled,
        }


@keras.saving.register_keras_serializable("unrolled")
class GRUCell(Cell):
    """The gated recurrent unit (Cho et al. 2014), in both conventions.

    z = σ(x W_z + h' U_z + b_z), r = σ(x W_r + h' U_r + b_r), h = z ∘ h' + (1 − z) ∘ g, where
    g = tanh(x W_g + (r ∘ h') U_g + b_g)          with `reset_after=False`, the original, and
    g = tanh(x W_g + b_g + r ∘ (h' U_g + b'_g))   with `reset_after=True`, as in cuDNN.

    Args:
        units: Positive integer, the size of the hidden state.
        reset_after: Whether the reset gate acts after the recurrent product or before it.
        **kwargs: The arguments of `Cell`.

    States: hidden. Trace: update, reset, candidate, hidden. Weights ordered as in
    `keras.layers.GRU` (update, reset, candidate); with `reset_after` the bias is
    `(2, 3 * units)`, its second row added to the recurrent product.

    Example:

    >>> cell = GRUCell(8)
    >>> output, states = cell(np.ones((2, 3)), cell.get_initial_state(batch_size=2))
    >>> tuple(output.shape)
    (2, 8)
    """

    blocks = ("update", "reset", "candidate")
    internals = ("update", "reset", "candidate", "hidden")
    saved = ("update", "reset", "candidate", "inner")

    def __init__(self, units, reset_after=True, **kwargs):
        super().__init__(units, **kwargs)
        self.reset_after = reset_after

    def _bias_shape(self):
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def project(self, inputs):
        bias = self._tensor(self.bias)
        bias = bias[0] if self.reset_after else bias
        return ops.matmul(inputs, self._tensor(self.kernel)) + bias

    def recurrent_weights(self, training=False):
        (kernel,) = super().recurrent_weights(training)
        if self.reset_after:
            return [kernel, self._tensor(self.bias)[1]]
        return [kernel[:, : 2 * self.units], kernel[:, 2 * self.units :]]

    def step(self, projected, states, weights, dropped=None, force=None):
        before = states[0]
        hidden = before if dropped is None else before * dropped
        update, reset, candidate = ops.split(projected, 3, axis=-1)  # (batch, units) each
        if self.reset_after:
            recurrent = ops.matmul(hidden, weights[0]) + weights[1]  # (batch, 3 * units)
            to_update, to_reset, inner = ops.split(recurrent, 3, axis=-1)
        else:
            recurrent = ops.matmul(hidden, weights[0])  # (batch, 2 * units)
            to_update, to_reset = ops.split(recurrent, 2, axis=-1)
        update = _forced(ops.sigmoid(update + to_update), "update", force)
        reset = _forced(ops.sigmoid(reset + to_reset), "reset", force)
        if self.reset_after:
            candidate = ops.tanh(candidate + reset * inner)
        else:
            inner = reset * hidden
            candidate = ops.tanh(candidate + ops.matmul(inner, weights[1]))
        candidate = _forced(candidate, "candidate", force)
        hidden = _forced(candidate + update * (before - candidate), "hidden", force)
        values = (update, reset, candidate, hidden)
        internals = dict(zip(self.internals, values, strict=True))
        return [hidden], {**internals, "inner": inner}

    def linearise(self, states, internals, weights, dropped=None):
        before = states[0]
        update, reset, candidate, inner = (internals[name] for name in self.saved)
        to_update = (before - candidate) * _slope(update)
        to_candidate = (1 - update) * (1 - candidate * candidate)
        if self.reset_after:
            to_reset = to_candidate * inner * _slope(reset)
            to_total = [to_update, to_reset, to_candidate]
            to_recurrent = [to_update, to_reset, to_candidate * reset]
            return [ops.concatenate(f, axis=-1) for f in (to_total, to_recurrent)] + [update]
        hidden = before if dropped is None else before * dropped
        return [to_update, hidden * _slope(reset), to_candidate, reset, update]

    def backstep(self, factors, gradients, transposed, dropped=None):
        d_hidden = gradients[0]
        if self.reset_after:
            to_total, to_recurrent, update = factors
            repeated = ops.concatenate([d_hidden] * 3, axis=-1)  # (batch, 3 * units)
            delta = repeated * to_total
            back = ops.matmul(repeated * to_recurrent, transposed[0])
        else:
            to_update, to_reset, to_candidate, reset, update = factors
            d_candidate = d_hidden * to_candidate  # (batch, units)
            d_inner = ops.matmul(d_candidate, transposed[1])
            d_gates = ops.concatenate([d_hidden * to_update, d_inner * to_reset], axis=-1)
            back = ops.matmul(d_gates, transposed[0]) + d_inner * reset
            delta = ops.concatenate([d_gates, d_candidate], axis=-1)
        back = back if dropped is None else back * dropped
        return [back + d_hidden * update], delta

    def weight_gradients(self, deltas, states, internals, dropped=None):
        hidden = states[0] if dropped is None else states[0] * dropped
        gates, candidate = deltas[..., : 2 * self.units], deltas[..., 2 * self.units :]
        if self.reset_after:
            recurrent = ops.concatenate([gates, candidate * internals["reset"]], axis=-1)
            return [_summed_product(hidden, recurrent), _summed(recurrent)]
        return [_summed_product(hidden, gates), _summed_product(internals["inner"], candidate)]

    def get_config(self):
        return {**super().get_config(), "reset_after": self.reset_after}
