"""Further gated cells: the LSTM with layer normalisation, the multiplicative LSTM and the sLSTM.

The backend differentiates them.
"""

import keras
from keras import ops

from unrolled.layers.cells import Cell, LSTMCell, apply_force, apply_mask

INITIAL_STABILISER = -1e4  # finite, so that the difference of two is defined


def _normalise(x, epsilon):
    """x with mean 0 and variance 1 over its features."""
    centred = x - ops.mean(x, axis=-1, keepdims=True)
    variance = ops.mean(centred * centred, axis=-1, keepdims=True)
    return centred * ops.rsqrt(variance + epsilon)


@keras.saving.register_keras_serializable("unrolled")
class LayerNormLSTMCell(Cell):
    """The LSTM with layer normalisation (Ba, Kiros & Hinton 2016, equations 20 to 22).

    LN(v) is v with mean 0 and variance 1 over its features.

    (i, f, g, o) = α₁ ∘ LN(h' U) + α₂ ∘ LN(x W) + b,
    c = σ(f) ∘ c' + σ(i) ∘ tanh(g), h = σ(o) ∘ tanh(α₃ ∘ LN(c) + β).

    As in the paper, the first two are normalised over all four blocks together. Its two biases β₁
    and β₂ and the bias of the gates are one sum, b.

    Args:
        units: Positive integer, the size of the hidden state and of the cell state.
        forget_bias: Initial bias of the forget gate, as of `LSTMCell`.
        epsilon: Added to the variance, so that it is never 0.
        **kwargs: The arguments of `Cell`.

    States: hidden, cell. Trace: input, forget, candidate, output, cell, hidden. Weights: kernel,
    recurrent_kernel and bias as of `LSTMCell`; gain `(2, 4 * units)` (α₁ and α₂), cell_gain
    `(units,)` and cell_bias `(units,)`.

    Example:

    >>> tuple(Recurrent(LayerNormLSTMCell(8))(np.ones((2, 5, 3))).shape)
    (2, 8)
    """

    preactivation_names = LSTMCell.preactivation_names
    state_names = LSTMCell.state_names
    trace_names = LSTMCell.trace_names
    saved_names = LSTMCell.saved_names

    def __init__(self, units, forget_bias=1.0, epsilon=1e-5, **kwargs):
        super().__init__(units, **kwargs)
        self.forget_bias = float(forget_bias)
        self.epsilon = float(epsilon)

    def build(self, input_shape):
        super().build(input_shape)
        self.gain = self.add_weight((2, 4 * self.units), "ones", name="gain")
        self.cell_gain = self.add_weight((self.units,), "ones", name="cell_gain")
        self.cell_bias = self.add_weight((self.units,), "zeros", name="cell_bias")

    def project(self, inputs, dropout_mask=None):
        product = ops.matmul(apply_mask(inputs, dropout_mask), self._tensor(self.kernel))
        product = _normalise(product, self.epsilon) * self._tensor(self.gain)[1]
        return product + self._tensor(self.bias) if self.use_bias else product

    def recurrent_weights(self, training=False):
        further = (self.gain, self.cell_gain, self.cell_bias)
        return [*super().recurrent_weights(training), *map(self._tensor, further)]

    def step(self, projected, states, weights, dropout_mask=None, force=None):
        kernel, gain, cell_gain, cell_bias = weights
        product = ops.matmul(apply_mask(states[0], dropout_mask), kernel)
        total = projected + _normalise(product, self.epsilon) * gain[0]  # (batch, 4 * units)
        entry, forget, candidate, output = ops.split(total, 4, axis=-1)
        entry = apply_force(ops.sigmoid(entry), "input", force)
        forget = apply_force(ops.sigmoid(forget), "forget", force)
        candidate = apply_force(ops.tanh(candidate), "candidate", force)
        output = apply_force(ops.sigmoid(output), "output", force)
        cell = apply_force(forget * states[1] + entry * candidate, "cell", force)
        normalised = _normalise(cell, self.epsilon) * cell_gain + cell_bias
        hidden = apply_force(output * ops.tanh(normalised), "hidden", force)
        values = (entry, forget, candidate, output, cell, hidden)
        return [hidden, cell], dict(zip(self.trace_names, values, strict=True))

    def get_config(self):
        config = {"forget_bias": self.forget_bias, "epsilon": self.epsilon}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("unrolled")
class MultiplicativeLSTMCell(Cell):
    """The multiplicative LSTM: each input has its own transition (Krause et al. 2016).

    m = (x W_m) ∘ (h' U_m), i = σ(x Wᵢ + m Uᵢ + bᵢ), f = σ(x W_f + m U_f + b_f),
    o = σ(x Wₒ + m Uₒ + bₒ), g = tanh(x W_g + m U_g + b_g), c = f ∘ c' + i ∘ g, h = o ∘ tanh(c).

    Args:
        units: Positive integer, the size of the hidden state, of the cell state and of m.
        forget_bias: Initial bias of the forget gate, as of `LSTMCell`.
        **kwargs: The arguments of `Cell`.

    States: hidden, cell. Trace: factor (m), input, forget, candidate, output, cell, hidden.
    Weights: kernel `(features, 5 * units)` in the order m, input, forget, candidate, output;
    recurrent_kernel `(units, 5 * units)` in the same order, of which the first block multiplies h'
    and the others m; bias `(4 * units,)`.

    Example:

    >>> tuple(Recurrent(MultiplicativeLSTMCell(8))(np.ones((2, 5, 3))).shape)
    (2, 8)
    """

    preactivation_names = ("factor", *LSTMCell.preactivation_names)
    state_names = LSTMCell.state_names
    trace_names = ("factor", *LSTMCell.trace_names)
    saved_names = ("factor", *LSTMCell.saved_names)

    def __init__(self, units, forget_bias=1.0, **kwargs):
        super().__init__(units, **kwargs)
        self.forget_bias = float(forget_bias)

    def _bias_shape(self):
        return (4 * self.units,)

    def project(self, inputs, dropout_mask=None):
        product = ops.matmul(apply_mask(inputs, dropout_mask), self._tensor(self.kernel))
        if not self.use_bias:
            return product
        bias = self._tensor(self.bias)
        return product + ops.concatenate([ops.zeros_like(bias[: self.units]), bias])

    def step(self, projected, states, weights, dropout_mask=None, force=None):
        hidden = apply_mask(states[0], dropout_mask)
        factor = projected[..., : self.units] * ops.matmul(hidden, weights[0][:, : self.units])
        factor = apply_force(factor, "factor", force)
        total = projected[..., self.units :] + ops.matmul(factor, weights[0][:, self.units :])
        entry, forget, candidate, output = ops.split(total, 4, axis=-1)
        entry = apply_force(ops.sigmoid(entry), "input", force)
        forget = apply_force(ops.sigmoid(forget), "forget", force)
        candidate = apply_force(ops.tanh(candidate), "candidate", force)
        output = apply_force(ops.sigmoid(output), "output", force)
        cell = apply_force(forget * states[1] + entry * candidate, "cell", force)
        hidden = apply_force(output * ops.tanh(cell), "hidden", force)
        values = (factor, entry, forget, candidate, output, cell, hidden)
        return [hidden, cell], dict(zip(self.trace_names, values, strict=True))

    def get_config(self):
        return {**super().get_config(), "forget_bias": self.forget_bias}


@keras.saving.register_keras_serializable("unrolled")
class SLSTMCell(Cell):
    """The sLSTM of the xLSTM, with exponential gates (Beck et al. 2024, equations 8 to 17).

    (ĩ, f̃, g̃, õ) = x W + h' U + b, m = max(log f + m', ĩ), i = exp(ĩ − m), f = exp(log f + m' − m),
    c = f ∘ c' + i ∘ tanh(g̃), n = f ∘ n' + i, h = σ(õ) ∘ c / n.

    log f is log σ(f̃), or f̃ with `exponential_forget=True`. The stabiliser m changes none of the
    numbers, as c and n are both divided by exp(m); it keeps them from overflowing. At the start it
    is the logarithm of nearly nothing, so that n is at least 1. One head: U is a full matrix.

    Args:
        units: Positive integer, the size of the hidden state and of each other state.
        exponential_forget: Whether the forget gate is an exponential too, not a sigmoid.
        **kwargs: The arguments of `Cell`.

    States: hidden, cell, normaliser (n), stabiliser (m). Trace: input and forget (i and f),
    candidate, output, cell, normaliser, stabiliser, hidden. Weights: kernel, recurrent_kernel and
    bias in the shapes and the order of `LSTMCell`.

    Example:

    >>> tuple(Recurrent(SLSTMCell(8))(np.ones((2, 5, 3))).shape)
    (2, 8)
    """

    preactivation_names = LSTMCell.preactivation_names
    state_names = ("hidden", "cell", "normaliser", "stabiliser")
    trace_names = (*LSTMCell.preactivation_names, "cell", "normaliser", "stabiliser", "hidden")
    saved_names = LSTMCell.preactivation_names

    def __init__(self, units, exponential_forget=False, **kwargs):
        super().__init__(units, **kwargs)
        self.exponential_forget = exponential_forget

    def get_initial_state(self, batch_size=None):
        """Zeros, but for the stabiliser."""
        *zeros, stabiliser = super().get_initial_state(batch_size)
        return [*zeros, stabiliser + INITIAL_STABILISER]

    def step(self, projected, states, weights, dropout_mask=None, force=None):
        previous, cell, normaliser, stabiliser = states
        total = projected + ops.matmul(apply_mask(previous, dropout_mask), weights[0])
        entry, forget, candidate, output = ops.split(total, 4, axis=-1)  # (batch, units) each
        kept = (forget if self.exponential_forget else ops.log_sigmoid(forget)) + stabiliser
        stabiliser = apply_force(ops.maximum(kept, entry), "stabiliser", force)
        forget = apply_force(ops.exp(kept - stabiliser), "forget", force)
        entry = apply_force(ops.exp(entry - stabiliser), "input", force)
        candidate = apply_force(ops.tanh(candidate), "candidate", force)
        output = apply_force(ops.sigmoid(output), "output", force)
        cell = apply_force(forget * cell + entry * candidate, "cell", force)
        normaliser = apply_force(forget * normaliser + entry, "normaliser", force)
        hidden = apply_force(output * cell / normaliser, "hidden", force)
        values = (entry, forget, candidate, output, cell, normaliser, stabiliser, hidden)
        traced = dict(zip(self.trace_names, values, strict=True))
        return [hidden, cell, normaliser, stabiliser], traced

    def get_config(self):
        return {**super().get_config(), "exponential_forget": self.exponential_forget}
