"""The cells of `gated.py` and `linear.py`: numbers from independent NumPy, gradients, options."""

import keras
import numpy as np
import pytest

from tests.layers.autodiff import BACKEND, assert_same, outputs_and_gradients, randomise
from unrolled.layers import (
    LayerNormLSTMCell,
    LRUCell,
    MinGRUCell,
    MinLSTMCell,
    MultiplicativeLSTMCell,
    Recurrent,
    SLSTMCell,
)

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(2, 5, 2)).astype("float32")
MASK = np.array([[0, 1, 1, 0, 1], [1, 1, 0, 0, 0]], bool)
UNITS = 3
STATES = [RNG.normal(size=(2, UNITS)).astype("float32") for _ in range(4)]
STATES[2] = np.abs(STATES[2]) + 1  # the normaliser of the sLSTM


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def layer_norm(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def lstm(total, cell):
    i, f, g, o = np.split(total, 4, axis=-1)
    return sigmoid(o), sigmoid(f) * cell + sigmoid(i) * np.tanh(g)


def layer_norm_lstm(x, states, kernel, recurrent, bias, gain, cell_gain, cell_bias):
    total = gain[0] * layer_norm(states[0] @ recurrent) + gain[1] * layer_norm(x @ kernel) + bias
    output, cell = lstm(total, states[1])
    return [output * np.tanh(cell_gain * layer_norm(cell) + cell_bias), cell]


def multiplicative_lstm(x, states, kernel, recurrent, bias):
    product = x @ kernel
    factor = product[:, :UNITS] * (states[0] @ recurrent[:, :UNITS])
    output, cell = lstm(product[:, UNITS:] + factor @ recurrent[:, UNITS:] + bias, states[1])
    return [output * np.tanh(cell), cell]


def slstm(x, states, kernel, recurrent, bias, exponential=False):
    """With c and n multiplied by exp(m), which the stabiliser must not change."""
    hidden, cell, normaliser, before = states
    i, f, g, o = np.split(x @ kernel + hidden @ recurrent + bias, 4, axis=-1)
    forget = np.exp(f) if exponential else sigmoid(f)
    cell = forget * cell * np.exp(before) + np.exp(i) * np.tanh(g)
    normaliser = forget * normaliser * np.exp(before) + np.exp(i)
    after = np.maximum(np.log(forget) + before, i)
    scaled = [cell * np.exp(-after), normaliser * np.exp(-after)]
    return [sigmoid(o) * cell / normaliser, *scaled, after]


def min_gru(x, states, kernel, bias):
    z, g = np.split(x @ kernel + bias, 2, axis=-1)
    return [(1 - sigmoid(z)) * states[0] + sigmoid(z) * g]


def min_lstm(x, states, kernel, bias):
    i, f, g = np.split(x @ kernel + bias, 3, axis=-1)
    i, f = sigmoid(i), sigmoid(f)
    return [f / (f + i) * states[0] + i / (f + i) * g]


def lru(x, states, kernel, recurrent, bias):
    eigenvalue = np.exp(-np.exp(recurrent[0]) + 1j * np.exp(recurrent[1]))
    re, im = np.split(x @ kernel + bias, 2, axis=-1)
    new = eigenvalue * (states[0] + 1j * states[1]) + np.exp(recurrent[2]) * (re + 1j * im)
    return [new.real, new.imag]


CELLS = {
    "layer norm": (LayerNormLSTMCell, {}, layer_norm_lstm),
    "multiplicative": (MultiplicativeLSTMCell, {}, multiplicative_lstm),
    "slstm": (SLSTMCell, {}, slstm),
    "slstm exponential": (
        SLSTMCell,
        {"exponential_forget": True},
        lambda *arguments: slstm(*arguments, exponential=True),
    ),
    "min gru": (MinGRUCell, {}, min_gru),
    "min lstm": (MinLSTMCell, {}, min_lstm),
    "lru": (LRUCell, {}, lru),
}
LINEAR = ["min gru", "min lstm", "lru"]


def built(name, shape=INPUTS.shape, **options):
    cell, fixed, _ = CELLS[name]
    layer = Recurrent(cell(UNITS, **fixed), return_sequences=True, return_state=True, **options)
    layer.build(shape)
    return layer, randomise(layer)


def states_of(layer):
    return STATES[: len(layer.cell.state_names)]


@pytest.mark.parametrize("name", CELLS)
def test_outputs_and_trace_equal_numpy(name):
    layer, weights = built(name)
    states = states_of(layer)
    outputs, *last = layer(INPUTS, initial_state=states, mask=MASK)
    traced = layer.trace(INPUTS, states, MASK)
    assert list(traced) == list(layer.cell.trace_names)
    for t in range(INPUTS.shape[1]):
        after = CELLS[name][2](INPUTS[:, t], states, *weights)
        keep = MASK[:, t, None]
        states = [np.where(keep, new, old) for new, old in zip(after, states, strict=True)]
        np.testing.assert_allclose(outputs[:, t], states[0], rtol=1e-4, atol=1e-5)
        for state, expected in zip(layer.cell.state_names, states, strict=True):
            np.testing.assert_allclose(traced[state][:, t], expected, rtol=1e-4, atol=1e-5)
    for state, expected in zip(last, states, strict=True):
        np.testing.assert_allclose(state, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CELLS)
def test_a_loop_of_keras_gives_the_same_numbers_and_gradients(name):
    """Step by step; the linear cells scan here, with a gradient of their own."""
    layer, _ = built(name)
    reference = keras.layers.RNN(layer.cell, return_sequences=True, return_state=True)
    reference.build(INPUTS.shape)
    mask = MASK | (np.arange(5) == 0)  # before the first step that is read Keras returns zeros
    assert_same(
        outputs_and_gradients(layer, INPUTS, states_of(layer), mask=mask),
        outputs_and_gradients(reference, INPUTS, states_of(layer), mask=mask),
    )


@pytest.mark.skipif(BACKEND == "jax", reason="JAX computes in single precision")
@pytest.mark.parametrize("name", CELLS)
def test_gradients_equal_finite_differences(name):
    cell, fixed, _ = CELLS[name]
    layer = Recurrent(cell(2, **fixed, dtype="float64"))
    inputs = INPUTS[:, :3].astype("float64")
    layer.build(inputs.shape)
    randomise(layer)

    def loss():
        return float(keras.ops.sum(keras.ops.sin(layer(inputs))))

    _, (_, *gradients) = outputs_and_gradients(layer, inputs)
    for variable, gradient in zip(layer.trainable_variables, gradients, strict=True):
        values = np.array(keras.ops.convert_to_numpy(variable))
        index = np.unravel_index(np.argmax(np.abs(gradient)), values.shape)
        losses = []
        for change in (1e-5, -1e-5):
            moved = values.copy()
            moved[index] += change
            variable.assign(moved)
            losses.append(loss())
        variable.assign(values)
        assert gradient[index] == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("scale", [1, 1000])
def test_the_scan_equals_the_steps_at_any_length_and_from_any_state(name, scale):
    inputs = np.random.default_rng(1).normal(size=(2, 37, 2)).astype("float32")
    layer, weights = built(name, inputs.shape)
    written_out, _ = built(name, inputs.shape, unroll=True)
    written_out.set_weights(weights)
    states = [scale * state for state in states_of(layer)]
    results = [each(inputs, initial_state=states) for each in (layer, written_out)]
    for scanned, stepped in zip(*results, strict=True):
        np.testing.assert_allclose(scanned, stepped, rtol=1e-5, atol=1e-5 * scale)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow has unknown dimensions")
def test_a_number_of_steps_known_only_at_run_time():
    import tensorflow as tf

    layer, _ = built("min lstm")
    call = tf.function(layer, input_signature=[tf.TensorSpec([None, None, 2])], autograph=False)
    np.testing.assert_allclose(call(INPUTS)[0], layer(INPUTS)[0], atol=1e-6)


def test_the_stabiliser_keeps_the_slstm_from_overflowing():
    layer, _ = built("slstm")
    kernel, *rest = layer.get_weights()
    layer.set_weights([1000 * kernel, *rest])
    outputs = keras.ops.convert_to_numpy(layer(INPUTS)[0])
    assert np.all(np.abs(outputs) <= 1)
    traced = layer.trace(INPUTS)
    assert np.min(keras.ops.convert_to_numpy(traced["normaliser"])) >= 1


def test_a_stateful_slstm_starts_again_with_its_stabiliser():
    layer, _ = built("slstm", stateful=True)
    first = layer(INPUTS)[0]
    assert not np.allclose(layer(INPUTS)[0], first)
    layer.reset_state()
    np.testing.assert_allclose(layer(INPUTS)[0], first)


def test_an_lru_starts_in_its_ring():
    layer = Recurrent(LRUCell(50, radius=(0.5, 0.9), phase=1.0, seed=1))
    layer.build((None, None, 2))
    nu, theta, log_gamma = layer.get_weights()[1]
    modulus = np.exp(-np.exp(nu))
    assert 0.5 < modulus.min() < 0.6 and 0.8 < modulus.max() < 0.9
    assert np.exp(theta).min() > 0 and 0.8 < np.exp(theta).max() < 1
    np.testing.assert_allclose(np.exp(log_gamma), np.sqrt(1 - modulus**2), rtol=1e-4)


@pytest.mark.parametrize("name", CELLS)
def test_config_dropout_bias_and_force(name):
    cell, fixed, _ = CELLS[name]
    layer = Recurrent(cell(UNITS, **fixed, dropout=0.5, use_bias=False, seed=1))
    layer.build(INPUTS.shape)
    copy = Recurrent.from_config(layer.get_config())
    copy.build(INPUTS.shape)
    assert copy.get_config() == layer.get_config()
    copy.set_weights(layer.get_weights())
    np.testing.assert_allclose(copy(INPUTS), layer(INPUTS), atol=1e-6)
    assert not any(variable.name == "bias" for variable in layer.variables)
    assert not np.allclose(layer(INPUTS, training=True), layer(INPUTS))
    for forced in layer.cell.trace_names:
        traced = layer.trace(INPUTS, force={forced: 0.25})
        np.testing.assert_allclose(traced[forced], np.full((2, 5, UNITS), 0.25))


@pytest.mark.parametrize("option", ["recurrent_dropout", "weight_dropout"])
def test_linear_cells_refuse_dropout_of_a_product_that_they_lack(option):
    with pytest.raises(ValueError, match=f"MinGRUCell.*{option}=0.5"):
        MinGRUCell(2, **{option: 0.5})
