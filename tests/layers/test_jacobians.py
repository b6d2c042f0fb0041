"""`Recurrent.jacobians`: against finite differences, automatic differentiation and by hand."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.layers.autodiff import BACKEND, VARIANTS, make_cell, randomise
from unrolled.layers import LSTMCell, Recurrent, RNNCell

BATCH, TIME, FEATURES, UNITS = 2, 4, 3, 3


def layer_and_start(variant, **options):
    """A built layer of the variant in float64, inputs and initial states."""
    rng = np.random.default_rng(3)
    layer = Recurrent(make_cell(variant, UNITS, dtype="float64"), dtype="float64", **options)
    inputs = rng.normal(size=(BATCH, TIME, FEATURES))
    layer.build(inputs.shape)
    randomise(layer)
    return layer, inputs, [rng.normal(size=(BATCH, UNITS)) for _ in layer.cell.state_names]


def states_after(layer, inputs, states):
    """The cell's states after one step, side by side, `(batch, n)`."""
    _, new = layer.cell(ops.convert_to_tensor(inputs), [ops.convert_to_tensor(s) for s in states])
    return np.concatenate([ops.convert_to_numpy(state) for state in new], axis=-1)


needs_float64 = pytest.mark.skipif(BACKEND != "tensorflow", reason="JAX computes in float32")


@needs_float64
@pytest.mark.parametrize("variant", VARIANTS)
def test_jacobians_equal_finite_differences(variant):
    layer, inputs, states = layer_and_start(variant)
    jacobians = ops.convert_to_numpy(layer.jacobians(inputs, states))
    size = len(states) * UNITS
    assert jacobians.shape == (BATCH, TIME, size, size)
    nudge = 1e-6
    for t in range(TIME):
        flat = np.concatenate(states, axis=-1)
        for n in range(size):
            moved = np.zeros_like(flat)
            moved[:, n] = nudge
            up, down = (
                states_after(layer, inputs[:, t], np.split(flat + sign * moved, len(states), -1))
                for sign in (1, -1)
            )
            np.testing.assert_allclose(jacobians[:, t, :, n], (up - down) / (2 * nudge), atol=1e-8)
        states = np.split(states_after(layer, inputs[:, t], states), len(states), axis=-1)


@needs_float64
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_product_of_jacobians_equals_automatic_differentiation(variant):
    import tensorflow as tf

    layer, inputs, states = layer_and_start(variant)
    starts = [tf.constant(state) for state in states]
    keras_rnn = keras.layers.RNN(layer.cell, dtype="float64")
    with tf.GradientTape() as tape:
        tape.watch(starts)
        loss = tf.reduce_sum(keras_rnn(tf.constant(inputs), initial_state=starts))
    expected = np.concatenate(tape.gradient(loss, starts), axis=-1)
    gradient = np.zeros((BATCH, 1, len(states) * UNITS))
    gradient[..., :UNITS] = 1
    for jacobian in ops.convert_to_numpy(layer.jacobians(inputs, states)).swapaxes(0, 1)[::-1]:
        gradient = gradient @ jacobian
    np.testing.assert_allclose(gradient[:, 0], expected, rtol=1e-9, atol=1e-12)


def test_the_jacobian_of_an_rnn_by_hand():
    layer = Recurrent(RNNCell(1))
    layer.build((1, 2, 1))
    layer.set_weights([np.array([[1.0]]), np.array([[0.5]]), np.zeros(1)])
    inputs = np.array([[[0.3], [-0.2]]], "float32")
    first = np.tanh(0.3)
    second = np.tanh(-0.2 + 0.5 * first)
    expected = [[0.5 * (1 - first**2)], [0.5 * (1 - second**2)]]
    np.testing.assert_allclose(layer.jacobians(inputs)[0, :, 0], expected, rtol=1e-6)


def test_an_open_forget_gate_keeps_the_cell_state():
    layer = Recurrent(LSTMCell(2))
    inputs = np.ones((1, 3, 1), "float32")
    layer.build(inputs.shape)
    weights = [np.zeros(weight.shape) for weight in layer.get_weights()]
    weights[2][2:4] = 50  # the forget gate
    layer.set_weights(weights)
    jacobians = ops.convert_to_numpy(layer.jacobians(inputs))
    np.testing.assert_allclose(jacobians[0, :, 2:, 2:], np.tile(np.eye(2), (3, 1, 1)), atol=1e-6)


def test_the_jacobian_of_a_masked_step_is_the_identity():
    layer, inputs, states = layer_and_start("gru")
    mask = np.array([[1, 0, 1, 1], [1, 1, 0, 0]], bool)
    jacobians = ops.convert_to_numpy(layer.jacobians(inputs, states, mask))
    plain = ops.convert_to_numpy(layer.jacobians(inputs, states))
    for row, step in np.argwhere(~mask):
        np.testing.assert_array_equal(jacobians[row, step], np.eye(UNITS))
    np.testing.assert_allclose(jacobians[:, 0], plain[:, 0], rtol=1e-6)
    assert not np.allclose(jacobians[0, 2], plain[0, 2], atol=1e-3)


def test_jacobians_are_in_the_order_of_the_inputs_when_reading_backwards():
    forwards, inputs, states = layer_and_start("lstm")
    backwards = Recurrent(forwards.cell, go_backwards=True)
    np.testing.assert_allclose(
        backwards.jacobians(inputs[:, ::-1], states),
        ops.flip(forwards.jacobians(inputs, states), axis=1),
        rtol=1e-6,
    )
