"""Recurrent cells: one time step of an RNN, an LSTM or a GRU, and its hand-written gradient.

A cell follows Keras's cell protocol (`call`, `state_size`, `get_initial_state`), so it also runs
inside `keras.layers.RNN`. For `Recurrent`, a step is split in two: `project` multiplies the inputs
of all time steps by the input weights in one product, and `step` computes what depends on the
states.

Back-propagation through time (BPTT) is split likewise. Everything that the backward pass
multiplies a gradient by is known after the forward pass, so `local_derivatives` computes it for
all time steps at once. `backward_step` applies it one step at a time, and `weight_gradients` sums
over time in one product per weight.

Notation: a pre-activation is a sum that enters an activation function, and `d_x` is the gradient
of the loss with respect to `x`.
"""

import operator
from abc import ABC, abstractmethod

import keras
from keras import activations, constraints, initializers, ops, regularizers


def as_positive_integer(value, name):
    """The value of an argument as an int, where it is an integer of Python, NumPy or a backend.

    Raises:
        ValueError: if it is no positive integer; the message names the argument and the value.
    """
    try:
        number = 0 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
    return number


def shapes_agree(shape, expected):
    """Whether two static shapes agree in every dimension that both of them know."""
    return len(shape) == len(expected) and all(
        a is None or b is None or a == b for a, b in zip(shape, expected, strict=True)
    )


def _sum_of_outer_products(x, y):
    """Sum of the outer products of x and y over all leading axes: (..., n), (..., m) -> (n, m)."""
    x = ops.reshape(x, (-1, x.shape[-1]))
    y = ops.reshape(y, (-1, y.shape[-1]))
    return ops.matmul(ops.transpose(x), y)


def _sum_over_leading_axes(x):
    """Sum over all axes but the last: (..., n) -> (n,)."""
    return ops.sum(ops.reshape(x, (-1, x.shape[-1])), axis=0)


def apply_force(value, name, force):
    """A value or, where `force` has a number for it that is not NaN, that number."""
    if not force or name not in force:
        return value
    forced = ops.cast(force[name], value.dtype)
    return ops.where(ops.isnan(forced), value, forced)


def apply_mask(value, mask):
    """A value times a dropout mask, or as it is without one."""
    return value if mask is None else value * mask


def _masked_product(x, mask, kernel):
    """The product of x times its dropout mask and a kernel.

    If the mask is a list, each of its masks is for one of the kernel's blocks of columns.
    """
    if not isinstance(mask, list):
        return ops.matmul(apply_mask(x, mask), kernel)
    blocks = ops.split(kernel, len(mask), axis=-1)
    products = [ops.matmul(x * each, block) for each, block in zip(mask, blocks, strict=True)]
    return ops.concatenate(products, axis=-1)


def _back_through_masked_product(d_product, mask, transposed_kernel):
    """The gradient with respect to x of `_masked_product`."""
    if not isinstance(mask, list):
        return apply_mask(ops.matmul(d_product, transposed_kernel), mask)
    d_blocks = ops.split(d_product, len(mask), axis=-1)
    blocks = ops.split(transposed_kernel, len(mask), axis=0)
    triples = zip(mask, d_blocks, blocks, strict=True)
    return sum(each * ops.matmul(d_block, block) for each, d_block, block in triples)


def _masked_outer_products(x, mask, d_product):
    """The gradient with respect to the kernel of `_masked_product`, over all leading axes."""
    if not isinstance(mask, list):
        return _sum_of_outer_products(apply_mask(x, mask), d_product)
    d_blocks = ops.split(d_product, len(mask), axis=-1)
    pairs = zip(mask, d_blocks, strict=True)
    return ops.concatenate([_sum_of_outer_products(x * each, d) for each, d in pairs], axis=-1)


# The derivative of an activation, from its value. Where one is missing, the backend differentiates.
DERIVATIVES = {
    activations.tanh: lambda y: 1 - y * y,
    activations.sigmoid: lambda y: y * (1 - y),
    activations.relu: lambda y: ops.cast(y > 0, y.dtype),
    activations.linear: ops.ones_like,
}


class Cell(keras.layers.Layer, ABC):
    """Base class of the recurrent cells: weights, dropout masks and the cell protocol.

    A subclass sets four tuples of names:

    - `preactivation_names`: the blocks of columns of the kernels, in order;
    - `state_names`: the states, the hidden state first;
    - `trace_names`: what `Recurrent.trace` returns, in the order of computation;
    - `saved_names`: what `local_derivatives` reads of a step besides the states.

    It defines `step`. That is enough: the backend then differentiates it. A gradient written by
    hand is faster, and `Recurrent.jacobians` and `Recurrent.vjp` need one: `local_derivatives` and
    `backward_step`, and `weight_gradients` where there are more weights than the recurrent
    kernel. `Recurrent` calls them in this order:

    1. forward, once: `project` for all time steps;
    2. forward, at each step: `step`;
    3. backward, once: `local_derivatives` for all time steps;
    4. backward, at each step from the last: `backward_step`;
    5. backward, once: `weight_gradients` for all time steps.

    Args:
        units: Positive integer, the size of the hidden state.
        kernel_initializer: Initializer of the input weights, `(features, n * units)` for n
            pre-activations.
        recurrent_initializer: Initializer of the recurrent weights `(units, n * units)`.
        bias_initializer: Initializer of the bias.
        use_bias: Whether there is a bias.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularizers of these weights,
            as in `keras.layers.LSTM`. Peepholes count as recurrent weights.
        kernel_constraint, recurrent_constraint, bias_constraint: Constraints likewise.
        dropout: Fraction of the input features to drop, between 0 and 1.
        recurrent_dropout: Fraction of the hidden units to drop where the hidden state enters
            the recurrent product, between 0 and 1. In `Recurrent` all gates and all time steps of
            a sequence share one mask (variational dropout, Gal & Ghahramani 2016). When the cell
            is called step by step, as in `keras.layers.RNN`, it draws a new mask at each step.
        weight_dropout: Fraction of the recurrent weights to drop, between 0 and 1. In `Recurrent`
            all time steps and sequences of a batch share one mask (Merity et al. 2018).
        seed: Integer or None, the seed of the dropout masks.

    Call arguments:
        inputs: Tensor `(batch, features)`, one time step.
        states: List of tensors `(batch, units)`, the states before the step.
        training: Boolean, whether dropout applies.

    Returns:
        The hidden state `(batch, units)` and the list of the new states.

    Raises:
        ValueError: if an argument is out of range; the message names it and its value.
    """

    preactivation_names: tuple[str, ...] = ("hidden",)
    state_names: tuple[str, ...] = ("hidden",)
    trace_names: tuple[str, ...] = ("hidden",)
    saved_names: tuple[str, ...] = ()
    forget_bias: float | None = None  # the initial one, of cells that have the argument
    dropout_per_gate = False
    rank = 0  # the number of axes of space between the batch and the features
    space: tuple[int, ...] = ()  # their sizes, in the inputs

    def __init__(
        self,
        units,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        use_bias=True,
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        weight_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        units = as_positive_integer(units, "units")
        seed = None if seed is None else operator.index(seed)
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
        self.use_bias = use_bias
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = float(dropout)
        self.recurrent_dropout = float(recurrent_dropout)
        self.weight_dropout = float(weight_dropout)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.state_size = [units] * len(self.state_names)
        self.output_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(
            shape=self._kernel_shape(input_shape[-1]),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        if self._recurrent_shape() is not None:
            self.recurrent_kernel = self.add_weight(
                shape=self._recurrent_shape(),
                initializer=self._initial_recurrent,
                regularizer=self.recurrent_regularizer,
                constraint=self.recurrent_constraint,
                name="recurrent_kernel",
            )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                shape=self._bias_shape(),
                initializer=self._initial_bias,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )

    @property
    def has_written_gradient(self):
        """Whether back-propagation uses `backward_step`, or the backend differentiates `step`."""
        functions = [getattr(self, name, None) for name in ("activation", "recurrent_activation")]
        known = all(function is None or function in DERIVATIVES for function in functions)
        return known and type(self).backward_step is not Cell.backward_step

    @property
    def state_width(self):
        """The size of each of the states that a step reads."""
        return self.units

    def state_shape(self, step_shape):
        """The shape of each state that a step reads, without the batch.

        Args:
            step_shape: The shape of the inputs of a step, without the batch.
        """
        return (self.state_width,)

    def _kernel_shape(self, features):
        return (features, len(self.preactivation_names) * self.units)

    def _recurrent_shape(self):
        return (self.units, len(self.preactivation_names) * self.units)

    def _bias_shape(self):
        return (len(self.preactivation_names) * self.units,)

    def _initial_recurrent(self, shape, dtype=None):
        return self.recurrent_initializer(shape, dtype=dtype)

    def _initial_bias(self, shape, dtype=None):
        bias = self.bias_initializer(shape, dtype=dtype)
        if self.forget_bias is None:
            return bias
        blocks = self.preactivation_names[::-1].index("forget") + 1  # not all have a bias
        forget = ops.full((self.units,), self.forget_bias, dtype=dtype)
        return ops.slice_update(bias, (shape[0] - blocks * self.units,), forget)

    def get_initial_state(self, batch_size=None):
        """Zeros: a list with a tensor `(batch_size, units)` for each state."""
        shape = (batch_size, self.state_width)
        return [ops.zeros(shape, dtype=self.compute_dtype) for _ in self.state_names]

    def recurrent_weights(self, training=False):
        """The weights that `step` needs, as a list of tensors."""
        kernel = self._tensor(self.recurrent_kernel)
        if training and self.weight_dropout:
            kernel = keras.random.dropout(kernel, self.weight_dropout, seed=self.seed_generator)
        return [kernel]

    def _tensor(self, weight):
        return ops.cast(weight, self.compute_dtype)

    def dropout_masks(self, batch_size, features, training):
        """Masks for the inputs `(batch, features)` and the hidden state `(batch, units)`, or None.

        Units that are not dropped are scaled up by 1 / (1 - rate). With `dropout_per_gate` they
        are lists with a mask for each of the `preactivation_names`.
        """

        def mask(width, rate):
            if not training or rate == 0:
                return None
            ones = ops.ones((batch_size, width), dtype=self.compute_dtype)
            masks = [
                keras.random.dropout(ones, rate, seed=self.seed_generator)
                for _ in (self.preactivation_names if self.dropout_per_gate else (None,))
            ]
            return masks if self.dropout_per_gate else masks[0]

        return mask(features, self.dropout), mask(self.state_width, self.recurrent_dropout)

    def project(self, inputs, dropout_mask=None):
        """The inputs' part of the n pre-activations: (..., features) -> (..., n * units)."""
        product = _masked_product(inputs, dropout_mask, self._tensor(self.kernel))
        return product + self._tensor(self.bias) if self.use_bias else product

    @abstractmethod
    def step(self, projected, states, weights, dropout_mask=None, force=None):
        """One step forward.

        Args:
            projected: Tensor `(batch, n * units)` from `project`.
            states: List of tensors `(batch, units)`, the states before the step.
            weights: The list that `recurrent_weights` returned.
            dropout_mask: Mask of the hidden state `(batch, units)`, a list with one for each of
                the n pre-activations, or None.
            force: Dict from some of `trace_names` to the values they are fixed at, as for
                `Recurrent.trace`, or None.

        Returns:
            The list of the new states, and a dict from all of `saved_names`, which with the
            states are all of `trace_names`, to tensors `(batch, units)`.
        """

    def local_derivatives(self, states, values, weights, dropout_mask=None):
        """What `backward_step` multiplies gradients by, for all time steps at once.

        Args:
            states: List of the states before every step, each `(time, batch, units)`.
            values: Dict from all of `state_names` and `saved_names` to their values after every
                step, `(time, batch, units)`.
            weights, dropout_mask: As for `step`.

        Returns:
            A list of tensors `(time, batch, n)`; what they are is up to the cell.
        """
        raise NotImplementedError

    def backward_step(self, derivatives, d_states, transposed_weights, dropout_mask=None):
        """One step backward.

        Args:
            derivatives: The list that `local_derivatives` returned, at this step.
            d_states: List of the gradients with respect to the new states, `(batch, units)`.
            transposed_weights: The list that `recurrent_weights` returned, each transposed.
            dropout_mask: As for `step`.

        Returns:
            The list of the gradients with respect to the states before the step, each
            `(batch, units)`, and the gradient with respect to the n pre-activations,
            `(batch, n * units)`.
        """
        raise NotImplementedError

    def weight_gradients(self, d_preactivations, states, values, dropout_mask=None):
        """Gradients with respect to each of `recurrent_weights`, summed over all time steps.

        Args:
            d_preactivations: Gradients with respect to the n pre-activations,
                `(time, batch, n * units)`.
            states, values, dropout_mask: As for `local_derivatives`.

        Returns:
            A list of tensors, each of its weight's shape.
        """
        return [_masked_outer_products(states[0], dropout_mask, d_preactivations)]

    def call(self, inputs, states, training=False):
        self._check_shapes(inputs, states)
        batch, features = ops.shape(inputs)[0], inputs.shape[-1]
        input_mask, dropout_mask = self.dropout_masks(batch, features, training)
        projected = self.project(inputs, input_mask)
        weights = self.recurrent_weights(training)
        new_states, _ = self.step(projected, list(states), weights, dropout_mask)
        return new_states[0], new_states

    def _check_shapes(self, inputs, states):
        step_shape = (*self.space, self.kernel.shape[-2])
        if not shapes_agree(inputs.shape[1:], step_shape):
            raise ValueError(
                f"`inputs` must have the shape (batch, {', '.join(map(str, step_shape))}). "
                f"Received: inputs.shape={tuple(inputs.shape)}"
            )
        shapes = [tuple(state.shape) for state in states]
        batch = inputs.shape[0]
        if len(shapes) != len(self.state_names) or not all(
            shapes_agree(shape, (batch, *self.state_shape(step_shape))) for shape in shapes
        ):
            sizes = ", ".join(map(str, self.state_shape(step_shape)))
            raise ValueError(
                f"`states` must be {len(self.state_names)} tensor(s) of the shape "
                f"(batch, {sizes}), of a batch of {batch}. Received: shapes {shapes}"
            )

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": initializers.serialize(self.recurrent_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "use_bias": self.use_bias,
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "recurrent_regularizer": regularizers.serialize(self.recurrent_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "recurrent_constraint": constraints.serialize(self.recurrent_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "weight_dropout": self.weight_dropout,
            "seed": self.seed,
        }


@keras.saving.register_keras_serializable("unrolled")
class RNNCell(Cell):
    """The simple recurrent cell: h = f(x W + h' U + b) (Elman 1990).

    Args:
        units: Positive integer, the size of the hidden state.
        activation: The function f: a name, as in `keras.activations`, or a function. With
            `"relu"` and `recurrent_initializer="identity"` the cell is the IRNN of Le, Jaitly &
            Hinton (2015), with `"linear"` it is a linear filter. The gradient of others than
            tanh, sigmoid, relu and linear is left to the backend.
        **kwargs: The arguments of `Cell`.

    States: hidden. Trace: hidden. Weights: kernel `(features, units)`, recurrent_kernel
    `(units, units)`, bias `(units,)`, as in `keras.layers.SimpleRNN`.

    Example:

    >>> layer = Recurrent(RNNCell(8))
    >>> tuple(layer(np.ones((2, 5, 3))).shape)
    (2, 8)
    """

    preactivation_names = ("hidden",)

    def __init__(self, units, activation="tanh", **kwargs):
        super().__init__(units, **kwargs)
        self.activation = activations.get(activation)

    def step(self, projected, states, weights, dropout_mask=None, force=None):
        hidden = apply_mask(states[0], dropout_mask)
        hidden = self.activation(projected + ops.matmul(hidden, weights[0]))  # (batch, units)
        hidden = apply_force(hidden, "hidden", force)
        return [hidden], {"hidden": hidden}

    def local_derivatives(self, states, values, weights, dropout_mask=None):
        return [DERIVATIVES[self.activation](values["hidden"])]

    def backward_step(self, derivatives, d_states, transposed_weights, dropout_mask=None):
        d_preactivation = d_states[0] * derivatives[0]  # (batch, units)
        d_previous = ops.matmul(d_preactivation, transposed_weights[0])
        return [apply_mask(d_previous, dropout_mask)], d_preactivation

    def get_config(self):
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


@keras.saving.register_keras_serializable("unrolled")
class LSTMCell(Cell):
    """The long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000).

    A prime marks the value of the step before, ∘ the element-wise product, σ the sigmoid.

    i = σ(x Wᵢ + h' Uᵢ + bᵢ), f = σ(x W_f + h' U_f + b_f), o = σ(x Wₒ + h' Uₒ + bₒ),
    g = tanh(x W_g + h' U_g + b_g), c = f ∘ c' + i ∘ g, h = o ∘ tanh(c).

    Args:
        units: Positive integer, the size of the hidden state and of the cell state.
        activation: The function of the candidate and of the cell state, tanh in the equations: a
            name, as in `keras.activations`, or a function. The gradient of others than tanh,
            sigmoid, relu and linear is left to the backend.
        recurrent_activation: The function of the gates, σ in the equations, likewise.
        forget_bias: Initial bias of the forget gate. With 1 the gate is open at the start of
            training (Jozefowicz, Zaremba & Sutskever 2015). None leaves it to `bias_initializer`.
        peepholes: Whether the gates also read the cell state through diagonal weights: i and f
            the state before the step, o the state after it (Gers & Schmidhuber 2000).
        coupled: Whether the input gate is tied to the forget gate, i = 1 − f (CIFG, Greff et al.
            2017).
        dropout_per_gate: Whether `dropout` and `recurrent_dropout` draw a mask for each gate and
            the candidate, as `keras.layers.LSTM` does if it has a `recurrent_dropout`, or one
            for all. Separate masks take n smaller products where one mask takes one.
        **kwargs: The arguments of `Cell`.

    States: hidden, cell. Trace: input, forget, candidate, output, cell, hidden. Weights: kernel
    `(features, 4 * units)`, recurrent_kernel `(units, 4 * units)` and bias `(4 * units,)`, as in
    `keras.layers.LSTM` in the order input, forget, candidate, output; then peephole_kernel
    `(3, units)` for input, forget and output. A coupled cell has no input block.

    Example:

    >>> layer = Recurrent(LSTMCell(8), return_sequences=True)
    >>> tuple(layer.trace(np.ones((2, 5, 3)))["forget"].shape)
    (2, 5, 8)
    """

    preactivation_names: tuple[str, ...] = ("input", "forget", "candidate", "output")
    state_names = ("hidden", "cell")
    trace_names = ("input", "forget", "candidate", "output", "cell", "hidden")
    saved_names = ("input", "forget", "candidate", "output")

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        forget_bias=1.0,
        peepholes=False,
        coupled=False,
        dropout_per_gate=False,
        **kwargs,
    ):
        super().__init__(units, **kwargs)
        self.activation = activations.get(activation)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.dropout_per_gate = dropout_per_gate
        self.forget_bias = None if forget_bias is None else float(forget_bias)
        self.peepholes = peepholes
        self.coupled = coupled
        if coupled:
            self.preactivation_names = self.preactivation_names[1:]

    def build(self, input_shape):
        super().build(input_shape)
        if self.peepholes:
            self.peephole_kernel = self.add_weight(
                shape=(len(self.preactivation_names) - 1, self.units),
                initializer=self.kernel_initializer,
                regularizer=self.recurrent_regularizer,
                constraint=self.recurrent_constraint,
                name="peephole_kernel",
            )

    def recurrent_weights(self, training=False):
        weights = super().recurrent_weights(training)
        return [*weights, self._tensor(self.peephole_kernel)] if self.peepholes else weights

    def step(self, projected, states, weights, dropout_mask=None, force=None):
        cell = states[1]
        total = projected + _masked_product(
            states[0], dropout_mask, weights[0]
        )  # (batch, n * units)
        *gates, candidate, output = ops.split(total, len(self.preactivation_names), axis=-1)
        if self.peepholes:
            gates = [gate + cell * weights[1][n] for n, gate in enumerate(gates)]
        forget = apply_force(self.recurrent_activation(gates[-1]), "forget", force)
        # The input gate.
        entry = 1 - forget if self.coupled else self.recurrent_activation(gates[0])
        entry = apply_force(entry, "input", force)
        candidate = apply_force(self.activation(candidate), "candidate", force)
        cell = apply_force(forget * cell + entry * candidate, "cell", force)
        if self.peepholes:
            output = output + cell * weights[1][-1]
        output = apply_force(self.recurrent_activation(output), "output", force)
        hidden = apply_force(output * self.activation(cell), "hidden", force)
        values = (entry, forget, candidate, output, cell, hidden)
        return [hidden, cell], dict(zip(self.trace_names, values, strict=True))

    def local_derivatives(self, states, values, weights, dropout_mask=None):
        """∂h/∂c, the derivatives of c and h with respect to the pre-activations, and ∂c/∂c'."""
        previous = states[1]
        entry, forget, candidate, output, cell, _ = (values[n] for n in self.trace_names)
        derivative = DERIVATIVES[self.activation]
        gate_derivative = DERIVATIVES[self.recurrent_activation]
        activated = self.activation(cell)
        dh_dc = output * derivative(activated)
        dh_do = activated * gate_derivative(output)
        dc_dg = entry * derivative(candidate)
        if self.coupled:
            dc_dgates = [(previous - candidate) * gate_derivative(forget)]
        else:
            dc_dgates = [candidate * gate_derivative(entry), previous * gate_derivative(forget)]
        dc_dprevious = forget
        if self.peepholes:
            dh_dc = dh_dc + dh_do * weights[1][-1]
            through_gates = sum(gate * weights[1][n] for n, gate in enumerate(dc_dgates))
            dc_dprevious = dc_dprevious + through_gates
        return [dh_dc, ops.concatenate([*dc_dgates, dc_dg, dh_do], axis=-1), dc_dprevious]

    def backward_step(self, derivatives, d_states, transposed_weights, dropout_mask=None):
        dh_dc, by_preactivations, dc_dprevious = derivatives
        d_hidden, d_cell = d_states
        d_cell = d_cell + d_hidden * dh_dc  # (batch, units)
        # All pre-activations act on the cell state, but the last, the output gate's, on h alone.
        repeated = [d_cell] * (len(self.preactivation_names) - 1)
        d_preactivations = ops.concatenate([*repeated, d_hidden], axis=-1) * by_preactivations
        d_previous = _back_through_masked_product(
            d_preactivations, dropout_mask, transposed_weights[0]
        )
        return [d_previous, d_cell * dc_dprevious], d_preactivations

    def weight_gradients(self, d_preactivations, states, values, dropout_mask=None):
        gradients = super().weight_gradients(d_preactivations, states, values, dropout_mask)
        if self.peepholes:
            blocks = ops.split(d_preactivations, len(self.preactivation_names), axis=-1)
            *d_gates, _, d_output = blocks
            products = [d_gate * states[1] for d_gate in d_gates] + [d_output * values["cell"]]
            gradients.append(ops.stack([_sum_over_leading_axes(each) for each in products]))
        return gradients

    def get_config(self):
        return {
            **super().get_config(),
            "activation": activations.serialize(self.activation),
            "recurrent_activation": activations.serialize(self.recurrent_activation),
            "forget_bias": self.forget_bias,
            "peepholes": self.peepholes,
            "coupled": self.coupled,
            "dropout_per_gate": self.dropout_per_gate,
        }


@keras.saving.register_keras_serializable("unrolled")
class TreeLSTMCell(Cell):
    """The binary tree LSTM: a step joins the states of two children (Tai, Socher & Manning 2015).

    Equations 9 to 14 of the paper for two children, l on the left and r on the right. As there,
    the two forget gates share the input weights and the bias, not the recurrent weights.

    i = σ(x Wᵢ + h_l Uᵢ_l + h_r Uᵢ_r + bᵢ), o = σ(x Wₒ + h_l Uₒ_l + h_r Uₒ_r + bₒ),
    f_l = σ(x W_f + h_l U_ll + h_r U_lr + b_f), f_r = σ(x W_f + h_l U_rl + h_r U_rr + b_f),
    g = tanh(x W_g + h_l U_g_l + h_r U_g_r + b_g),
    c = i ∘ g + f_l ∘ c_l + f_r ∘ c_r, h = o ∘ tanh(c).

    If one child is missing (its states are zero), this is a step of an `LSTMCell`. `Recursive`
    runs the cell over trees.

    Args:
        units: Positive integer, the size of the hidden state.
        forget_bias: Initial bias of the forget gates, as of `LSTMCell`.
        **kwargs: The arguments of `Cell`.

    States: hidden, cell. Those that a step reads are `(batch, 2 * units)`, the left child's
    first; those that it returns are `(batch, units)`. Trace: input, left_forget, right_forget,
    candidate, output, cell, hidden. Weights: kernel `(features, 4 * units)` and bias
    `(4 * units,)` as of `LSTMCell`; recurrent_kernel `(2 * units, 5 * units)` in the order input,
    left forget, right forget, candidate, output.

    Example:

    >>> cell = TreeLSTMCell(8)
    >>> output, states = cell(np.ones((2, 3)), cell.get_initial_state(batch_size=2))
    >>> tuple(output.shape)
    (2, 8)
    """

    preactivation_names = ("input", "forget", "candidate", "output")
    state_names = ("hidden", "cell")
    trace_names = (
        "input",
        "left_forget",
        "right_forget",
        "candidate",
        "output",
        "cell",
        "hidden",
    )
    saved_names = trace_names[:5]

    def __init__(self, units, forget_bias=1.0, **kwargs):
        super().__init__(units, **kwargs)
        self.forget_bias = float(forget_bias)

    @property
    def state_width(self):
        return 2 * self.units

    def _recurrent_shape(self):
        return (2 * self.units, 5 * self.units)

    def project(self, inputs, dropout_mask=None):
        """The inputs' part of the pre-activations: (..., features) -> (..., 5 * units)."""
        projected = super().project(inputs, dropout_mask)
        entry, forget, candidate, output = ops.split(projected, 4, axis=-1)
        return ops.concatenate([entry, forget, forget, candidate, output], axis=-1)

    def leaf(self, projected):
        """The hidden and the cell state of nodes without children, from their `project`."""
        entry, _, _, candidate, output = ops.split(projected, 5, axis=-1)
        cell = ops.sigmoid(entry) * ops.tanh(candidate)
        return [ops.sigmoid(output) * ops.tanh(cell), cell]

    def step(self, projected, states, weights, dropout_mask=None, force=None):
        hidden = apply_mask(states[0], dropout_mask)  # (batch, 2 * units)
        left_cell, right_cell = ops.split(states[1], 2, axis=-1)
        total = projected + ops.matmul(hidden, weights[0])  # (batch, 5 * units)
        entry, left, right, candidate, output = ops.split(total, 5, axis=-1)
        entry = apply_force(ops.sigmoid(entry), "input", force)
        left = apply_force(ops.sigmoid(left), "left_forget", force)
        right = apply_force(ops.sigmoid(right), "right_forget", force)
        candidate = apply_force(ops.tanh(candidate), "candidate", force)
        output = apply_force(ops.sigmoid(output), "output", force)
        cell = entry * candidate + left * left_cell + right * right_cell
        cell = apply_force(cell, "cell", force)
        hidden = apply_force(output * ops.tanh(cell), "hidden", force)
        values = (entry, left, right, candidate, output, cell, hidden)
        return [hidden, cell], dict(zip(self.trace_names, values, strict=True))

    def local_derivatives(self, states, values, weights, dropout_mask=None):
        """∂h/∂c, the derivatives of c and h with respect to the pre-activations, and ∂c/∂c'."""
        entry, left, right, candidate, output, cell, hidden = (values[n] for n in self.trace_names)
        dh_dc = output - hidden * ops.tanh(cell)
        entering = entry * candidate
        forget = ops.concatenate([left, right], axis=-1)
        by_preactivations = [
            entering * (1 - entry),
            states[1] * forget * (1 - forget),
            entry - entering * candidate,
            hidden * (1 - output),
        ]
        return [dh_dc, ops.concatenate(by_preactivations, axis=-1), forget]

    def backward_step(self, derivatives, d_states, transposed_weights, dropout_mask=None):
        dh_dc, by_preactivations, dc_dprevious = derivatives
        d_hidden, d_cell = d_states
        d_cell = d_cell + d_hidden * dh_dc  # (batch, units)
        # All pre-activations act on the cell state, but the last, the output gate's, on h alone.
        repeated = ops.concatenate([d_cell] * 4 + [d_hidden], axis=-1)
        d_preactivations = repeated * by_preactivations  # (batch, 5 * units)
        d_previous = ops.matmul(d_preactivations, transposed_weights[0])
        d_cells = ops.concatenate([d_cell, d_cell], axis=-1) * dc_dprevious
        return [apply_mask(d_previous, dropout_mask), d_cells], d_preactivations

    def get_config(self):
        return {**super().get_config(), "forget_bias": self.forget_bias}


@keras.saving.register_keras_serializable("unrolled")
class GRUCell(Cell):
    """The gated recurrent unit (Cho et al. 2014), in both of its forms.

    z = σ(x W_z + h' U_z + b_z), r = σ(x W_r + h' U_r + b_r), h = z ∘ h' + (1 − z) ∘ g, where
    g = tanh(x W_g + (r ∘ h') U_g + b_g)          with `reset_after=False`, the original form,
    g = tanh(x W_g + b_g + r ∘ (h' U_g + b'_g))   with `reset_after=True`, as in cuDNN.
    With `reset_after=True` z and r have a second bias too, added to the recurrent product.

    Args:
        units: Positive integer, the size of the hidden state.
        activation, recurrent_activation: The functions of the candidate and of the gates, as for
            `LSTMCell`.
        reset_after: Whether the reset gate is applied after the recurrent product, or before it.
        dropout_per_gate: As for `LSTMCell`.
        **kwargs: The arguments of `Cell`.

    States: hidden. Trace: update, reset, candidate, hidden. Weights: kernel
    `(features, 3 * units)`, recurrent_kernel `(units, 3 * units)` and bias, as in
    `keras.layers.GRU` in the order update, reset, candidate. The bias is `(3 * units,)`, or with
    `reset_after` `(2, 3 * units)`, whose second row is added to the recurrent product.

    Example:

    >>> cell = GRUCell(8)
    >>> output, states = cell(np.ones((2, 3)), cell.get_initial_state(batch_size=2))
    >>> tuple(output.shape)
    (2, 8)
    """

    preactivation_names = ("update", "reset", "candidate")
    trace_names = ("update", "reset", "candidate", "hidden")
    saved_names = ("update", "reset", "candidate", "inner")

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        reset_after=True,
        dropout_per_gate=False,
        **kwargs,
    ):
        super().__init__(units, **kwargs)
        self.activation = activations.get(activation)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.dropout_per_gate = dropout_per_gate
        self.reset_after = reset_after

    def _bias_shape(self):
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def project(self, inputs, dropout_mask=None):
        if not (self.use_bias and self.reset_after):
            return super().project(inputs, dropout_mask)
        product = _masked_product(inputs, dropout_mask, self._tensor(self.kernel))
        return product + self._tensor(self.bias)[0]

    def _split_mask(self, dropout_mask):
        """The masks of the hidden state on its way to the gates and to the candidate."""
        if isinstance(dropout_mask, list):
            return dropout_mask[:2], dropout_mask[2]
        return dropout_mask, dropout_mask

    def recurrent_weights(self, training=False):
        (kernel,) = super().recurrent_weights(training)
        if self.reset_after:
            bias = self._tensor(self.bias)[1] if self.use_bias else ops.zeros_like(kernel[0])
            return [kernel, bias]
        return [kernel[:, : 2 * self.units], kernel[:, 2 * self.units :]]

    def step(self, projected, states, weights, dropout_mask=None, force=None):
        previous = states[0]
        gate_mask, candidate_mask = self._split_mask(dropout_mask)
        update, reset, candidate = ops.split(projected, 3, axis=-1)  # (batch, units) each
        if self.reset_after:
            recurrent = _masked_product(previous, dropout_mask, weights[0])  # (batch, 3 * units)
            recurrent = recurrent + weights[1]
            to_update, to_reset, inner = ops.split(recurrent, 3, axis=-1)
        else:
            recurrent = _masked_product(previous, gate_mask, weights[0])  # (batch, 2 * units)
            to_update, to_reset = ops.split(recurrent, 2, axis=-1)
        update = apply_force(self.recurrent_activation(update + to_update), "update", force)
        reset = apply_force(self.recurrent_activation(reset + to_reset), "reset", force)
        if self.reset_after:
            candidate = self.activation(candidate + reset * inner)
        else:
            inner = reset * apply_mask(previous, candidate_mask)
            candidate = self.activation(candidate + ops.matmul(inner, weights[1]))
        candidate = apply_force(candidate, "candidate", force)
        hidden = apply_force(candidate + update * (previous - candidate), "hidden", force)
        traced = dict(zip(self.trace_names, (update, reset, candidate, hidden), strict=True))
        return [hidden], {**traced, "inner": inner}

    def local_derivatives(self, states, values, weights, dropout_mask=None):
        """Derivatives of h with respect to the pre-activations, and the gates on the way back."""
        previous = states[0]
        update, reset, candidate, inner = (values[name] for name in self.saved_names)
        gate_derivative = DERIVATIVES[self.recurrent_activation]
        dh_dz = (previous - candidate) * gate_derivative(update)
        dh_dg = (1 - update) * DERIVATIVES[self.activation](candidate)
        if self.reset_after:
            dh_dr = dh_dg * inner * gate_derivative(reset)
            by_preactivations = ops.concatenate([dh_dz, dh_dr, dh_dg], axis=-1)
            by_recurrent = ops.concatenate([dh_dz, dh_dr, dh_dg * reset], axis=-1)
            return [by_preactivations, by_recurrent, update]
        hidden = apply_mask(previous, self._split_mask(dropout_mask)[1])
        return [dh_dz, hidden * gate_derivative(reset), dh_dg, reset, update]

    def backward_step(self, derivatives, d_states, transposed_weights, dropout_mask=None):
        d_hidden = d_states[0]
        if self.reset_after:
            by_preactivations, by_recurrent, update = derivatives
            repeated = ops.concatenate([d_hidden] * 3, axis=-1)  # (batch, 3 * units)
            d_preactivations = repeated * by_preactivations
            d_previous = _back_through_masked_product(
                repeated * by_recurrent, dropout_mask, transposed_weights[0]
            )
        else:
            dh_dz, dinner_dr, dh_dg, reset, update = derivatives
            d_candidate = d_hidden * dh_dg  # (batch, units)
            d_inner = ops.matmul(d_candidate, transposed_weights[1])
            d_gates = ops.concatenate([d_hidden * dh_dz, d_inner * dinner_dr], axis=-1)
            gate_mask, candidate_mask = self._split_mask(dropout_mask)
            d_previous = _back_through_masked_product(d_gates, gate_mask, transposed_weights[0])
            d_previous = d_previous + apply_mask(d_inner * reset, candidate_mask)
            d_preactivations = ops.concatenate([d_gates, d_candidate], axis=-1)
        return [d_previous + d_hidden * update], d_preactivations

    def weight_gradients(self, d_preactivations, states, values, dropout_mask=None):
        d_gates = d_preactivations[..., : 2 * self.units]
        d_candidate = d_preactivations[..., 2 * self.units :]
        if self.reset_after:
            d_recurrent = ops.concatenate([d_gates, d_candidate * values["reset"]], axis=-1)
            return [
                _masked_outer_products(states[0], dropout_mask, d_recurrent),
                _sum_over_leading_axes(d_recurrent),
            ]
        return [
            _masked_outer_products(states[0], self._split_mask(dropout_mask)[0], d_gates),
            _sum_of_outer_products(values["inner"], d_candidate),
        ]

    def get_config(self):
        return {
            **super().get_config(),
            "activation": activations.serialize(self.activation),
            "recurrent_activation": activations.serialize(self.recurrent_activation),
            "reset_after": self.reset_after,
            "dropout_per_gate": self.dropout_per_gate,
        }
