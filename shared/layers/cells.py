"""Recurrent cells: one step of an RNN, an LSTM or a GRU, and that step's gradient, by hand.

A cell follows Keras's cell protocol (`call`, `state_size`, `get_initial_state`), so it also
runs inside `keras.layers.RNN`. For `Recurrent`, the step is cut where the time dependency
begins: `project` needs no state and serves all time steps in one product, `step` does the rest.

Back-propagation through time needs, at every step, only products that are linear in the
gradient of the new states. Their factors depend on nothing but the forward pass, so
`linearise` computes them for all time steps at once, `backstep` applies them step by step,
and `weight_gradients` sums over time in one product per weight.
"""

import keras
from keras import initializers, ops


def _product(x, kernel):
    """`x @ kernel` over the last axis, as one two-dimensional product: (..., n) -> (..., m)."""
    return ops.tensordot(x, kernel, axes=1)


def _summed_product(x, y):
    """Sum of the outer products of x and y over all leading axes: (..., n), (..., m) -> (n, m)."""
    x = ops.reshape(x, (-1, x.shape[-1]))
    y = ops.reshape(y, (-1, y.shape[-1]))
    return ops.matmul(ops.transpose(x), y)


def _summed(x):
    """Sum over all axes but the last: (..., n) -> (n,)."""
    return ops.sum(ops.reshape(x, (-1, x.shape[-1])), axis=0)


def _slope(gate):
    """Derivative of the sigmoid, from its value."""
    return gate * (1 - gate)


class Cell(keras.layers.Layer):
    """What RNN, LSTM and GRU cells share: weights, dropout and the cell protocol.

    A subclass names its pre-activations (`blocks`), its states (`states`) and what `trace`
    shows (`internals`), and defines `step`, `linearise`, `backstep` and `weight_gradients`.

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

    def __init__(
        self,
        units,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not isinstance(units, int) or units < 1:
            raise ValueError(f"`units` must be a positive integer. Received: units={units!r}")
        for name, rate in (("dropout", dropout), ("recurrent_dropout", recurrent_dropout)):
            if not 0 <= rate < 1:
                raise ValueError(f"`{name}` must be in [0, 1). Received: {name}={rate!r}")
        self.units = units
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
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

    def recurrent_weights(self):
        """The tensors that `step` needs besides the states, as a list."""
        return [ops.copy(self.recurrent_kernel)]

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
        return _product(inputs, self.kernel) + self.bias

    def step(self, projected, states, weights, dropped=None):
        """One step, or many independent ones: every leading shape will do.

        Args:
            projected: Tensor `(..., blocks * units)` from `project`.
            states: List of tensors `(..., units)`, the states before the step.
            weights: What `recurrent_weights` returned.
            dropped: Mask on the hidden state `(batch, units)`, or None.

        Returns:
            The list of the new states and a dict of internals, each `(..., units)`.
        """
        raise NotImplementedError

    def linearise(self, states, new_states, internals, weights, dropped=None):
        """The factors of the gradient at every step: a list of tensors `(..., n)`."""
        raise NotImplementedError

    def backstep(self, factors, gradients, weights, dropped=None):
        """Carry the gradient over one step, back in time.

        Args:
            factors: What `linearise` returned, for this step.
            gradients: List of `(batch, units)`: of the loss by each new state.

        Returns:
            The gradients by the states before the step, and the gradient by the
            pre-activations `(batch, blocks * units)`.
        """
        raise NotImplementedError

    def weight_gradients(self, deltas, states, new_states, internals, dropped=None):
        """Gradients by each of `recurrent_weights`, summed over all steps: a list of tensors."""
        hidden = states[0] if dropped is None else states[0] * dropped
        return [_summed_product(hidden, deltas)]

    def call(self, inputs, states, training=False):
        input_mask, dropped = self.dropout_masks(ops.shape(inputs)[0], inputs.shape[-1], training)
        if input_mask is not None:
            inputs = inputs * input_mask
        new_states, _ = self.step(
            self.project(inputs), list(states), self.recurrent_weights(), dropped
        )
        return new_states[0], new_states

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": initializers.serialize(self.recurrent_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "seed": self.seed,
        }


@keras.saving.register_keras_serializable("unrolled")
class RNNCell(Cell):
    """The simple recurrent cell, h = f(x W + h' U + b) (Elman 1990).

    Args:
        units: Positive integer, the size of the hidden state.
        activation: `"tanh"` or `"relu"`. With `activation="relu"` and
            `recurrent_initializer="identity"` this is the IRNN of Le, Jaitly & Hinton (2015).
        **kwargs: The arguments of `Cell`.

    States: hidden. Trace: hidden. Weights, ordered as in `keras.layers.SimpleRNN`.

    Example:

    >>> layer = Recurrent(RNNCell(8))
    >>> layer(np.ones((2, 5, 3))).shape
    (2, 8)
    """

    blocks = ("hidden",)
    internals = ("hidden",)

    def __init__(self, units, activation="tanh", **kwargs):
        super().__init__(units, **kwargs)
        if activation not in ("tanh", "relu"):
            raise ValueError(
                f'`activation` must be "tanh" or "relu". Received: activation={activation!r}'
            )
        self.activation = activation

    def step(self, projected, states, weights, dropped=None):
        hidden = states[0] if dropped is None else states[0] * dropped
        total = projected + _product(hidden, weights[0])
        hidden = ops.tanh(total) if self.activation == "tanh" else ops.relu(total)
        return [hidden], {"hidden": hidden}

    def linearise(self, states, new_states, internals, weights, dropped=None):
        hidden = new_states[0]
        if self.activation == "tanh":
            return [1 - hidden * hidden]
        return [ops.cast(hidden > 0, hidden.dtype)]

    def backstep(self, factors, gradients, weights, dropped=None):
        delta = gradients[0] * factors[0]
        back = ops.matmul(delta, ops.transpose(weights[0]))
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
    """

    states = ("hidden", "cell")
    internals = ("input", "forget", "candidate", "output", "cell", "hidden")

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

    def recurrent_weights(self):
        weights = super().recurrent_weights()
        return [*weights, ops.copy(self.peephole_kernel)] if self.peepholes else weights

    def step(self, projected, states, weights, dropped=None):
        hidden, cell = states
        if dropped is not None:
            hidden = hidden * dropped
        total = projected + _product(hidden, weights[0])  # (..., blocks * units)
        *gates, candidate, output = ops.split(total, len(self.blocks), axis=-1)
        if self.peepholes:
            gates = [gate + cell * weights[1][n] for n, gate in enumerate(gates)]
        forget = ops.sigmoid(gates[-1])
        entry = 1 - forget if self.coupled else ops.sigmoid(gates[0])
        candidate = ops.tanh(candidate)
        cell = forget * cell + entry * candidate
        if self.peepholes:
            output = output + cell * weights[1][-1]
        output = ops.sigmoid(output)
        hidden = output * ops.tanh(cell)
        values = (entry, forget, candidate, output, cell, hidden)
        return [hidden, cell], dict(zip(self.internals, values, strict=True))

    def linearise(self, states, new_states, internals, weights, dropped=None):
        entry, forget, candidate, output, cell, _ = (internals[name] for name in self.internals)
        squashed = ops.tanh(cell)
        to_output = squashed * _slope(output)
        to_cell = output * (1 - squashed * squashed)
        to_candidate = entry * (1 - candidate * candidate)
        if self.coupled:
            to_gates = [(states[1] - candidate) * _slope(forget)]
        else:
            to_gates = [candidate * _slope(entry), states[1] * _slope(forget)]
        carry = forget
        if self.peepholes:
            to_cell = to_cell + to_output * weights[1][-1]
            carry = carry + sum(gate * weights[1][n] for n, gate in enumerate(to_gates))
        return [to_cell, ops.concatenate([*to_gates, to_candidate], axis=-1), to_output, carry]

    def backstep(self, factors, gradients, weights, dropped=None):
        to_cell, from_cell, to_output, carry = factors
        d_hidden, d_cell = gradients
        d_cell = d_cell + d_hidden * to_cell
        repeated = ops.concatenate([d_cell] * (len(self.blocks) - 1), axis=-1)
        delta = ops.concatenate([repeated * from_cell, d_hidden * to_output], axis=-1)
        back = ops.matmul(delta, ops.transpose(weights[0]))
        return [back if dropped is None else back * dropped, d_cell * carry], delta

    def weight_gradients(self, deltas, states, new_states, internals, dropped=None):
        gradients = super().weight_gradients(deltas, states, new_states, internals, dropped)
        if self.peepholes:
            *gates, _, output = ops.split(deltas, len(self.blocks), axis=-1)
            seen = [gate * states[1] for gate in gates] + [output * new_states[1]]
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
    """

    blocks = ("update", "reset", "candidate")
    internals = ("update", "reset", "candidate", "hidden")

    def __init__(self, units, reset_after=True, **kwargs):
        super().__init__(units, **kwargs)
        self.reset_after = reset_after

    def _bias_shape(self):
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def project(self, inputs):
        bias = self.bias[0] if self.reset_after else self.bias
        return _product(inputs, self.kernel) + bias

    def recurrent_weights(self):
        weights = super().recurrent_weights()
        return [*weights, ops.copy(self.bias)[1]] if self.reset_after else weights

    def step(self, projected, states, weights, dropped=None):
        before = states[0]
        hidden = before if dropped is None else before * dropped
        units = self.units
        if self.reset_after:
            recurrent = _product(hidden, weights[0]) + weights[1]  # (..., 3 * units)
            gates = ops.sigmoid(projected[..., : 2 * units] + recurrent[..., : 2 * units])
            update, reset = ops.split(gates, 2, axis=-1)
            inner = recurrent[..., 2 * units :]
            candidate = ops.tanh(projected[..., 2 * units :] + reset * inner)
        else:
            kernel = weights[0]
            gates = projected[..., : 2 * units] + _product(hidden, kernel[:, : 2 * units])
            update, reset = ops.split(ops.sigmoid(gates), 2, axis=-1)
            inner = reset * hidden
            candidate = projected[..., 2 * units :] + _product(inner, kernel[:, 2 * units :])
            candidate = ops.tanh(candidate)
        hidden = update * before + (1 - update) * candidate
        values = (update, reset, candidate, hidden)
        internals = dict(zip(self.internals, values, strict=True))
        return [hidden], {**internals, "inner": inner}

    def linearise(self, states, new_states, internals, weights, dropped=None):
        before = states[0]
        update, reset, candidate = (internals[name] for name in self.blocks)
        to_update = (before - candidate) * _slope(update)
        to_candidate = (1 - update) * (1 - candidate * candidate)
        if self.reset_after:
            to_reset = to_candidate * internals["inner"] * _slope(reset)
            factors = ops.concatenate([to_update, to_reset, to_candidate], axis=-1)
            return [factors, reset, update]
        hidden = before if dropped is None else before * dropped
        return [to_update, hidden * _slope(reset), to_candidate, reset, update]

    def backstep(self, factors, gradients, weights, dropped=None):
        d_hidden = gradients[0]
        if self.reset_after:
            to_total, reset, update = factors
            delta = ops.concatenate([d_hidden] * 3, axis=-1) * to_total
            back = ops.matmul(self._past_reset(delta, reset), ops.transpose(weights[0]))
        else:
            to_update, to_reset, to_candidate, reset, update = factors
            kernel = weights[0]
            d_candidate = d_hidden * to_candidate
            d_inner = ops.matmul(d_candidate, ops.transpose(kernel[:, 2 * self.units :]))
            d_gates = ops.concatenate([d_hidden * to_update, d_inner * to_reset], axis=-1)
            back = ops.matmul(d_gates, ops.transpose(kernel[:, : 2 * self.units]))
            back = back + d_inner * reset
            delta = ops.concatenate([d_gates, d_candidate], axis=-1)
        back = back if dropped is None else back * dropped
        return [back + d_hidden * update], delta

    def weight_gradients(self, deltas, states, new_states, internals, dropped=None):
        units = self.units
        hidden = states[0] if dropped is None else states[0] * dropped
        if self.reset_after:
            recurrent = self._past_reset(deltas, internals["reset"])
            return [_summed_product(hidden, recurrent), _summed(recurrent)]
        to_gates = _summed_product(hidden, deltas[..., : 2 * units])
        to_candidate = _summed_product(internals["inner"], deltas[..., 2 * units :])
        return [ops.concatenate([to_gates, to_candidate], axis=-1)]

    def _past_reset(self, delta, reset):
        """From the gradient by the pre-activations to the one by the recurrent product."""
        gates, candidate = delta[..., : 2 * self.units], delta[..., 2 * self.units :]
        return ops.concatenate([gates, candidate * reset], axis=-1)

    def get_config(self):
        return {**super().get_config(), "reset_after": self.reset_after}
