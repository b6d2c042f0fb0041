"""Cells whose state depends on the state before linearly: minGRU, minLSTM and the LRU.

Their gates read the inputs alone. Each step is h = a ∘ h' + b with known a and b, so that all steps
can be computed at once by a parallel scan in O(log T) products (`linear_scan`).
"""

from abc import abstractmethod

import keras
import numpy as np
from keras import ops

from unrolled.layers.cells import Cell, apply_force
from unrolled.layers.scan import custom_gradient


class LinearCell(Cell):
    """Base class of the cells that are linear in their states.

    A subclass defines `coefficients` in place of `step`. `Recurrent` then computes all time steps
    by a parallel scan where their number is known, and one by one where it is not, in a trace and
    with `unroll=True`. Both give the same numbers, from any initial state.

    Args: those of `Cell`, without `recurrent_dropout` and `weight_dropout`, as no product with the
    state exists that they could apply to.
    """

    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        for name in ("recurrent_dropout", "weight_dropout"):
            if getattr(self, name):
                raise ValueError(
                    f"A {type(self).__name__} has no recurrent kernel to drop from. "
                    f"Received: {name}={getattr(self, name)}"
                )

    @abstractmethod
    def coefficients(self, projected, weights, force=None):
        """The numbers a and b of h = a ∘ h' + b.

        Args:
            projected: Tensor `(..., n * units)` from `project`, of one step or of many.
            weights, force: As for `step`.

        Returns:
            The lists a and b with a tensor `(..., units)` each, or two, the real and the imaginary
            part; and a dict from `saved_names` to their values.
        """

    def step(self, projected, states, weights, dropout_mask=None, force=None):
        factors, terms, values = self.coefficients(projected, weights, force)
        pairs = zip(multiply(factors, states), terms, strict=True)
        states = [product + term for product, term in pairs]
        pairs = zip(states, self.state_names, strict=True)
        return [apply_force(state, name, force) for state, name in pairs], values


def multiply(x, y):
    """The product of two numbers in parts: `[real]`, or `[real, imaginary]`."""
    if len(x) == 1:
        return [x[0] * y[0]]
    return [x[0] * y[0] - x[1] * y[1], x[0] * y[1] + x[1] * y[0]]


def conjugate(x):
    """The conjugate of a number in parts."""
    return [x[0], *(-part for part in x[1:])]


def linear_scan(factors, terms, reverse=False):
    """All states of h = a ∘ h' + b from a state of zero, in a number of products of O(log T).

    Args:
        factors, terms: The lists of the parts of a and b, tensors `(time, ...)`.
        reverse: Whether h' is the state after, not before.

    Returns:
        The parts of the states after every step, `(time, ...)`.
    """
    count = len(factors)

    def combine(first, second):
        """The step that does what one step and then another do."""
        factors = multiply(second[:count], first[:count])
        pairs = zip(multiply(second[:count], first[count:]), second[count:], strict=True)
        return [*factors, *(product + term for product, term in pairs)]

    return ops.associative_scan(combine, [*factors, *terms], reverse=reverse, axis=0)[count:]


def run_linear(cell, projected, states, step_mask, weights):
    """Run a linear cell over time by a scan; its gradient is a scan back in time.

    Let d be the gradient of a loss with respect to a state through the output of its own step, and
    g the one through all later steps too. With primes for the step after, g = d + a' ∘ g', ∂b = g,
    and ∂a = h ∘ g with the state h before the step. Complex a and h are conjugated.

    Args:
        cell: A built `LinearCell`.
        projected, states, step_mask, weights: As for `forward_through_time`.

    Returns:
        The states after every step, a list of tensors `(time, batch, units)`.
    """
    factors, terms, _ = cell.coefficients(projected, weights)
    if step_mask is not None:  # a masked step multiplies by 1 and adds 0
        step_mask = ops.cast(step_mask, "bool")
        ones = [1.0] + [0.0] * (len(factors) - 1)
        factors = [ops.where(step_mask, a, one) for a, one in zip(factors, ones, strict=True)]
        terms = [ops.where(step_mask, b, ops.zeros_like(b)) for b in terms]
    count = len(factors)

    @custom_gradient
    def run(*tensors):
        factors, terms, states = (list(tensors[n * count : (n + 1) * count]) for n in range(3))
        first = multiply(_first(factors), states)  # what the initial states add to the first step
        started = [
            ops.concatenate([part[:1] + ops.expand_dims(one, 0), part[1:]], axis=0)
            for part, one in zip(terms, first, strict=True)
        ]
        hidden = linear_scan(factors, started)

        def gradient(*upstream):
            backward = conjugate(factors)
            later = [
                ops.concatenate([part[1:], ops.zeros_like(part[:1])], axis=0) for part in backward
            ]
            d_terms = linear_scan(later, keras.tree.flatten(upstream), reverse=True)
            before = [
                ops.concatenate([ops.expand_dims(state, 0), part[:-1]], axis=0)
                for state, part in zip(states, hidden, strict=True)
            ]
            d_factors = multiply(conjugate(before), d_terms)
            return (*d_factors, *d_terms, *multiply(_first(backward), _first(d_terms)))

        return (tuple(hidden) if count > 1 else hidden[0]), gradient

    return keras.tree.flatten(run(*factors, *terms, *states))


def _first(parts):
    return [part[0] for part in parts]


class _GatedLinearCell(LinearCell):
    """Base class of `MinGRUCell` and `MinLSTMCell`: no weights but the kernel and the bias."""

    def _recurrent_shape(self):
        return None

    def recurrent_weights(self, training=False):
        return []


@keras.saving.register_keras_serializable("unrolled")
class MinGRUCell(_GatedLinearCell):
    """The minimal gated recurrent unit (Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024).

    z = σ(x W_z + b_z), g = x W_g + b_g, h = (1 − z) ∘ h' + z ∘ g.

    Section 3.1 of the paper. The candidate g has no activation, and neither gate nor candidate
    reads the state before.

    Args: those of `LinearCell`.

    States: hidden. Trace: update, candidate, hidden. Weights: kernel `(features, 2 * units)` and
    bias `(2 * units,)` in the order update, candidate.

    Example:

    >>> layer = Recurrent(MinGRUCell(8), return_sequences=True)
    >>> tuple(layer(np.ones((2, 5, 3))).shape)
    (2, 5, 8)
    """

    preactivation_names = ("update", "candidate")
    trace_names = ("update", "candidate", "hidden")
    saved_names = ("update", "candidate")

    def coefficients(self, projected, weights, force=None):
        update, candidate = ops.split(projected, 2, axis=-1)
        update = apply_force(ops.sigmoid(update), "update", force)
        candidate = apply_force(candidate, "candidate", force)
        values = {"update": update, "candidate": candidate}
        return [1 - update], [update * candidate], values


@keras.saving.register_keras_serializable("unrolled")
class MinLSTMCell(_GatedLinearCell):
    """The minimal LSTM (Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024).

    i = σ(x Wᵢ + bᵢ), f = σ(x W_f + b_f), g = x W_g + b_g,
    h = f / (f + i) ∘ h' + i / (f + i) ∘ g.

    Section 3.2 of the paper: the two gates are divided by their sum, so that the scale of the state
    does not depend on the number of steps. There is no output gate.

    Args: those of `LinearCell`.

    States: hidden. Trace: input and forget (divided by their sum), candidate, hidden. Weights:
    kernel `(features, 3 * units)` and bias `(3 * units,)` in the order input, forget, candidate.

    Example:

    >>> layer = Recurrent(MinLSTMCell(8))
    >>> tuple(layer(np.ones((2, 5, 3))).shape)
    (2, 8)
    """

    preactivation_names = ("input", "forget", "candidate")
    trace_names = ("input", "forget", "candidate", "hidden")
    saved_names = ("input", "forget", "candidate")

    def coefficients(self, projected, weights, force=None):
        entry, forget, candidate = ops.split(projected, 3, axis=-1)
        # σ(f) / (σ(f) + σ(i)) is the sigmoid of the difference of their logarithms.
        difference = ops.log_sigmoid(forget) - ops.log_sigmoid(entry)
        forget = apply_force(ops.sigmoid(difference), "forget", force)
        entry = apply_force(ops.sigmoid(-difference), "input", force)
        candidate = apply_force(candidate, "candidate", force)
        values = {"input": entry, "forget": forget, "candidate": candidate}
        return [forget], [entry * candidate], values


@keras.saving.register_keras_serializable("unrolled")
class LRUCell(LinearCell):
    """The linear recurrent unit (Orvieto et al. 2023): a complex number turns and shrinks.

    s = λ ∘ s' + γ ∘ (x B + b), |λ| = exp(−exp(ν)), arg λ = exp(θ), γ = √(1 − |λ|²) at the start.

    s is complex. The output is its real part; the matrix that the paper multiplies s by, and its
    skip connection, are a `Dense` layer after this one. ν, θ and log γ are learned.

    Args:
        units: Positive integer, the number of complex states.
        radius: The smallest and the largest |λ| at the start, 0 < smallest < largest < 1.
        phase: The largest arg λ at the start, in radians.
        **kwargs: The arguments of `LinearCell`.

    States: hidden (the real part), imaginary. Trace: hidden, imaginary. Weights: kernel
    `(features, 2 * units)` and bias `(2 * units,)`, the real and the imaginary part of B and b;
    recurrent_kernel `(3, units)`: ν, θ and log γ.

    Example:

    >>> layer = Recurrent(LRUCell(8), return_sequences=True)
    >>> tuple(layer(np.ones((2, 5, 3))).shape)
    (2, 5, 8)
    """

    preactivation_names = ("hidden", "imaginary")
    state_names = ("hidden", "imaginary")
    trace_names = ("hidden", "imaginary")
    saved_names = ()

    def __init__(self, units, radius=(0.4, 0.99), phase=0.3, **kwargs):
        super().__init__(units, **kwargs)
        self.radius = tuple(radius)
        self.phase = float(phase)

    def _initial_recurrent(self, shape, dtype=None):
        """|λ| is uniform on a ring, arg λ on an arc, γ keeps the state's variance."""
        rng = np.random.default_rng(self.seed)
        smallest, largest = self.radius
        square = rng.uniform(smallest**2, largest**2, self.units)
        phase = rng.uniform(1e-3, self.phase, self.units)
        rows = [np.log(-0.5 * np.log(square)), np.log(phase), 0.5 * np.log(1 - square)]
        return ops.convert_to_tensor(np.stack(rows), dtype=dtype)

    def _recurrent_shape(self):
        return (3, self.units)

    def coefficients(self, projected, weights, force=None):
        modulus, phase, scale = ops.unstack(weights[0], 3, axis=0)
        modulus, phase = ops.exp(-ops.exp(modulus)), ops.exp(phase)
        parts = ops.split(projected, 2, axis=-1)
        terms = [ops.exp(scale) * part for part in parts]
        ones = ops.ones_like(parts[0])
        return [modulus * ops.cos(phase) * ones, modulus * ops.sin(phase) * ones], terms, {}

    def get_config(self):
        return {**super().get_config(), "radius": self.radius, "phase": self.phase}
