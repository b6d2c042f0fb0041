"""Cells: numbers worked out by hand, Keras's cell protocol, options, errors."""

import doctest
import importlib
import inspect
import json
from math import exp, tanh

import keras
import numpy as np
import pytest
from keras import ops

import unrolled.layers
from tests.layers.autodiff import (
    VARIANTS,
    assert_same,
    make_cell,
    outputs_and_gradients,
    randomise,
)
from unrolled.layers import GRUCell, LSTMCell, Recurrent, RNNCell, TreeLSTMCell


@pytest.mark.parametrize(
    "module", ["cells", "recurrent", "recursive", "drop_in", "gated", "linear", "conv"]
)
def test_examples_in_the_docstrings(module):
    names = {**vars(unrolled.layers), "np": np}
    results = doctest.testmod(
        importlib.import_module(f"unrolled.layers.{module}"), extraglobs=names
    )
    assert results.attempted > 2
    assert results.failed == 0


def sigmoid(x):
    return 1 / (1 + exp(-x))


def one_step(cell, weights, inputs, *states):
    """The new states of a cell with the given weights, as flat lists of floats."""
    cell.build((None, len(inputs)))
    cell.set_weights([np.array(weight, "float32") for weight in weights])
    states = [np.array([state], "float32") for state in states]
    output, new = cell(np.array([inputs], "float32"), states)
    np.testing.assert_array_equal(ops.convert_to_numpy(output), ops.convert_to_numpy(new[0]))
    return [ops.convert_to_numpy(state)[0].tolist() for state in new]


# One unit, one input 1, hidden state 0.4, input weight 0.5, recurrent weight 0.25: without a
# bias every pre-activation is 0.5 + 0.4 * 0.25 = 0.6.


def test_rnn_by_hand():
    weights = ([[0.5, -0.5]], [[0.1, 0.2], [0.3, 0.4]], [0.1, -0.1])
    (hidden,) = one_step(RNNCell(2), weights, [1.0], [0.5, -1.0])
    # 0.5 + 0.5 * 0.1 - 1 * 0.3 + 0.1 = 0.35 and -0.5 + 0.5 * 0.2 - 1 * 0.4 - 0.1 = -0.9
    assert hidden == pytest.approx([tanh(0.35), tanh(-0.9)], abs=1e-6)
    (hidden,) = one_step(RNNCell(2, activation="relu"), weights, [1.0], [0.5, -1.0])
    assert hidden == pytest.approx([0.35, 0.0], abs=1e-6)
    (hidden,) = one_step(RNNCell(2, activation="linear"), weights, [1.0], [0.5, -1.0])
    assert hidden == pytest.approx([0.35, -0.9], abs=1e-6)


def test_lstm_by_hand():
    weights = ([[0.5] * 4], [[0.25] * 4], [0.0, 1.0, 0.0, 0.0])
    hidden, cell = one_step(LSTMCell(1), weights, [1.0], [0.4], [2.0])
    expected = sigmoid(1.6) * 2.0 + sigmoid(0.6) * tanh(0.6)
    assert expected == pytest.approx(2.0107854, abs=1e-6)
    assert cell == pytest.approx([expected], abs=1e-6)
    assert hidden == pytest.approx([sigmoid(0.6) * tanh(expected)], abs=1e-6)


def test_lstm_with_peepholes_by_hand():
    weights = ([[0.5] * 4], [[0.25] * 4], [0.0] * 4, [[0.1], [0.2], [0.3]])
    hidden, cell = one_step(LSTMCell(1, peepholes=True), weights, [1.0], [0.4], [2.0])
    # The input gate sees 0.1 * 2, the forget gate 0.2 * 2, the output gate 0.3 * new cell.
    expected = sigmoid(1.0) * 2.0 + sigmoid(0.8) * tanh(0.6)
    assert cell == pytest.approx([expected], abs=1e-6)
    assert hidden == pytest.approx([sigmoid(0.6 + 0.3 * expected) * tanh(expected)], abs=1e-6)


def test_coupled_lstm_by_hand():
    weights = ([[0.5] * 3], [[0.25] * 3], [1.0, 0.0, 0.0])
    hidden, cell = one_step(LSTMCell(1, coupled=True), weights, [1.0], [0.4], [2.0])
    expected = sigmoid(1.6) * 2.0 + (1 - sigmoid(1.6)) * tanh(0.6)
    assert cell == pytest.approx([expected], abs=1e-6)
    assert hidden == pytest.approx([sigmoid(0.6) * tanh(expected)], abs=1e-6)


def test_gru_with_reset_before_the_product_by_hand():
    weights = ([[0.5, 1.5, 0.5]], [[0.25] * 3], [0.0] * 3)
    (hidden,) = one_step(GRUCell(1, reset_after=False), weights, [1.0], [0.4])
    candidate = tanh(0.5 + sigmoid(1.6) * 0.4 * 0.25)
    expected = sigmoid(0.6) * 0.4 + (1 - sigmoid(0.6)) * candidate
    assert hidden == pytest.approx([expected], abs=1e-6)


def test_gru_with_reset_after_the_product_by_hand():
    weights = ([[0.5, 1.5, 0.5]], [[0.25] * 3], [[0.0] * 3, [0.0, 0.0, 0.7]])
    (hidden,) = one_step(GRUCell(1), weights, [1.0], [0.4])
    candidate = tanh(0.5 + sigmoid(1.6) * (0.4 * 0.25 + 0.7))
    expected = sigmoid(0.6) * 0.4 + (1 - sigmoid(0.6)) * candidate
    assert hidden == pytest.approx([expected], abs=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_cell_inside_keras_rnn(variant):
    """Keras runs our cells, differentiates them by itself, and gets what `Recurrent` gets."""
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(3, 6, 4)).astype("float32")
    mask = np.array([[1] * 6, [1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]], bool)
    cell = make_cell(variant)
    ours = Recurrent(cell, return_sequences=True, return_state=True)
    keras_rnn = keras.layers.RNN(cell, return_sequences=True, return_state=True)
    ours.build(inputs.shape)
    keras_rnn.build(inputs.shape)
    randomise(cell)
    states = [rng.normal(size=(3, 5)).astype("float32") for _ in cell.state_names]
    assert_same(
        outputs_and_gradients(ours, inputs, states, mask=mask),
        outputs_and_gradients(keras_rnn, inputs, states, mask=mask),
    )


def test_cells_stack_inside_keras_rnn():
    cells = [LSTMCell(4), GRUCell(3)]
    outputs = keras.layers.RNN(cells)(np.ones((2, 5, 3), "float32"))
    assert tuple(outputs.shape) == (2, 3)


def test_initial_state_is_zero():
    first = LSTMCell(3).get_initial_state(batch_size=2)
    assert [state.shape for state in first] == [(2, 3)] * 2
    assert not any(np.any(ops.convert_to_numpy(state)) for state in first)


def test_irnn_starts_as_the_identity():
    """Without input, an IRNN as initialised keeps a positive hidden state for ever."""
    layer = Recurrent(make_cell("irnn", 3), return_sequences=True)
    hidden = np.array([[0.1, 0.5, 2.0]], "float32")
    outputs = layer(np.zeros((1, 50, 4), "float32"), initial_state=[hidden])
    np.testing.assert_allclose(
        ops.convert_to_numpy(outputs), np.repeat(hidden[:, None], 50, 1), rtol=1e-6
    )


def built(cell):
    cell.build((None, 4))
    return cell


def response(cell, training=False):
    """What a cell answers to a fixed input and state."""
    states = [np.full((2, cell.state_width), 0.3, "float32") for _ in cell.state_names]
    output, _ = cell(np.ones((2, 4), "float32"), states, training=training)
    return ops.convert_to_numpy(output)


def check_units(cell):
    assert response(cell(units=3)).shape == (2, 3)
    wide = built(cell(units=7))
    assert [weight.shape[0] for weight in wide.get_weights()[:2]] == [4, wide.state_width]


def check_initializer(weight, option):
    def check(cell):
        for value in (0.25, 0.5):
            initializer = keras.initializers.Constant(value)
            instance = built(cell(**{option: initializer}))
            values = np.unique(ops.convert_to_numpy(getattr(instance, weight)))
            assert value in values
            # Only the forget gate's bias has a start of its own.
            assert set(values) <= ({value, 1.0} if option == "bias_initializer" else {value})

    return check


def check_dropout(option):
    def check(cell):
        instance = built(cell(**{option: 0.5}))
        randomise(instance)
        plain = response(instance)
        assert np.array_equal(plain, response(instance))
        assert not np.array_equal(plain, response(instance, training=True))

    return check


def check_seed(cell):
    instances = [built(cell(seed=seed, dropout=0.5)) for seed in (1, 1, 2)]
    for each in instances:
        randomise(each)
    first, same, other = (response(each, training=True) for each in instances)
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def check_use_bias(cell):
    with_bias, without = (built(cell(use_bias=value)) for value in (True, False))
    kernels = randomise(without)
    assert len(kernels) == len(with_bias.get_weights()) - 1
    with_bias.set_weights([*kernels, np.zeros(with_bias.get_weights()[2].shape)])
    np.testing.assert_allclose(response(without), response(with_bias), atol=1e-6)


def check_regularizer(weight, option):
    def check(cell):
        instance = built(cell(**{option: keras.regularizers.L2(0.5)}))
        randomise(instance)
        expected = 0.5 * np.sum(ops.convert_to_numpy(getattr(instance, weight)) ** 2)
        np.testing.assert_allclose([float(loss) for loss in instance.losses], [expected], rtol=1e-5)

    return check


def check_constraint(weight, option):
    def check(cell):
        instance = built(cell(**{option: keras.constraints.NonNeg()}))
        randomise(instance)
        optimizer = keras.optimizers.SGD(0.0)
        variables = instance.trainable_variables
        optimizer.apply([ops.zeros_like(variable) for variable in variables], variables)
        for variable in variables:
            negative = np.any(ops.convert_to_numpy(variable) < 0)
            assert negative == (variable is not getattr(instance, weight))

    return check


def check_recurrent_activation(cell):
    instances = [built(cell(recurrent_activation=f)) for f in ("sigmoid", ops.sigmoid, "linear")]
    for each in instances:
        randomise(each)
    usual, function, other = (response(each) for each in instances)
    np.testing.assert_array_equal(usual, function)
    assert not np.allclose(usual, other)


def check_gated_activation(cell):
    instances = [built(cell(activation=f)) for f in ("tanh", ops.tanh, "softsign")]
    for each in instances:
        randomise(each)
    usual, function, other = (response(each) for each in instances)
    np.testing.assert_array_equal(usual, function)
    assert not np.allclose(usual, other)


def check_activation(cell):
    instances = [built(cell(activation=name)) for name in ("tanh", "relu", "linear")]
    for each in instances:
        randomise(each)
    squashed, rectified, plain = (response(each) for each in instances)
    np.testing.assert_allclose(squashed, np.tanh(plain), atol=1e-6)
    np.testing.assert_allclose(rectified, plain.clip(0), atol=1e-6)


def check_forget_bias(cell):
    for value in (1.0, 2.5):
        bias = built(cell(units=2, forget_bias=value)).get_weights()[2]
        assert bias.tolist() == [0, 0, value, value, 0, 0, 0, 0]


def test_forget_bias_of_a_coupled_cell():
    bias = built(LSTMCell(units=2, forget_bias=2.5, coupled=True)).get_weights()[2]
    assert bias.tolist() == [2.5, 2.5, 0, 0, 0, 0]


def check_lstm_option(option, shapes):
    def check(cell):
        plain, changed = built(cell(units=2)), built(cell(units=2, **{option: True}))
        assert [weight.shape for weight in changed.get_weights()] == shapes
        randomise(plain)
        randomise(changed)
        assert not np.allclose(response(plain), response(changed))

    return check


def check_reset_after(cell):
    after, before = (built(cell(units=2, reset_after=value)) for value in (True, False))
    assert after.get_weights()[2].shape == (2, 6)
    assert before.get_weights()[2].shape == (6,)
    kernel, recurrent, bias = randomise(after)
    bias[1] = 0
    after.set_weights([kernel, recurrent, bias])
    before.set_weights([kernel, recurrent, bias[0]])
    assert not np.allclose(response(after), response(before))


def check_dropout_per_gate(cell):
    masks = [
        cell(dropout=0.5, dropout_per_gate=value).dropout_masks(2, 3, True)[0]
        for value in (False, True)
    ]
    assert masks[0].shape == (2, 3)
    assert len(masks[1]) == len(cell().preactivation_names)
    instances = [
        built(cell(recurrent_dropout=0.5, dropout_per_gate=value, seed=1))
        for value in (False, True)
    ]
    for each in instances:
        randomise(each)
    assert not np.allclose(*(response(each, training=True) for each in instances))


SHARED_OPTIONS = {
    "units": check_units,
    "kernel_initializer": check_initializer("kernel", "kernel_initializer"),
    "recurrent_initializer": check_initializer("recurrent_kernel", "recurrent_initializer"),
    "bias_initializer": check_initializer("bias", "bias_initializer"),
    "use_bias": check_use_bias,
    "kernel_regularizer": check_regularizer("kernel", "kernel_regularizer"),
    "recurrent_regularizer": check_regularizer("recurrent_kernel", "recurrent_regularizer"),
    "bias_regularizer": check_regularizer("bias", "bias_regularizer"),
    "kernel_constraint": check_constraint("kernel", "kernel_constraint"),
    "recurrent_constraint": check_constraint("recurrent_kernel", "recurrent_constraint"),
    "bias_constraint": check_constraint("bias", "bias_constraint"),
    "dropout": check_dropout("dropout"),
    "recurrent_dropout": check_dropout("recurrent_dropout"),
    "weight_dropout": check_dropout("weight_dropout"),
    "seed": check_seed,
}
GATED_OPTIONS = {
    **SHARED_OPTIONS,
    "activation": check_gated_activation,
    "recurrent_activation": check_recurrent_activation,
    "dropout_per_gate": check_dropout_per_gate,
}
OPTIONS = {
    RNNCell: {**SHARED_OPTIONS, "activation": check_activation},
    LSTMCell: {
        **GATED_OPTIONS,
        "forget_bias": check_forget_bias,
        "peepholes": check_lstm_option("peepholes", [(4, 8), (2, 8), (8,), (3, 2)]),
        "coupled": check_lstm_option("coupled", [(4, 6), (2, 6), (6,)]),
    },
    GRUCell: {**GATED_OPTIONS, "reset_after": check_reset_after},
    TreeLSTMCell: {**SHARED_OPTIONS, "forget_bias": check_forget_bias},
}


@pytest.mark.parametrize(
    ("cell", "option"), [(cell, option) for cell, checks in OPTIONS.items() for option in checks]
)
def test_option_has_its_effect(cell, option):
    OPTIONS[cell][option](lambda units=5, **options: cell(units, **options))


@pytest.mark.parametrize("cell", OPTIONS)
def test_every_option_is_tested_and_in_the_config(cell):
    arguments = set()
    for base in cell.__mro__[:2]:
        arguments |= set(inspect.signature(base).parameters) - {"kwargs"}
    assert arguments == set(OPTIONS[cell])
    assert arguments <= set(cell(3).get_config())


ANOTHER = {
    "units": 3,
    "kernel_initializer": "he_normal",
    "recurrent_initializer": "identity",
    "bias_initializer": "ones",
    "use_bias": False,
    "kernel_regularizer": keras.regularizers.L1(0.1),
    "recurrent_regularizer": keras.regularizers.L2(0.1),
    "bias_regularizer": keras.regularizers.L1L2(0.1, 0.2),
    "kernel_constraint": keras.constraints.MaxNorm(2),
    "recurrent_constraint": keras.constraints.NonNeg(),
    "bias_constraint": keras.constraints.UnitNorm(),
    "dropout": 0.25,
    "recurrent_dropout": 0.5,
    "weight_dropout": 0.75,
    "seed": 7,
    "activation": keras.activations.relu,
    "recurrent_activation": keras.activations.hard_sigmoid,
    "forget_bias": 2.0,
    "peepholes": True,
    "coupled": True,
    "reset_after": False,
    "dropout_per_gate": True,
}


@pytest.mark.parametrize("cell", OPTIONS)
def test_config_round_trip(cell):
    options = {option: ANOTHER[option] for option in OPTIONS[cell]}
    instance = cell(**options, name="tested", dtype="float64")
    copy = cell.from_config(instance.get_config())
    assert copy.get_config() == instance.get_config()
    for option, value in options.items():
        if not option.endswith(("initializer", "regularizer", "constraint")):
            assert getattr(copy, option) == value
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(instance))
    assert type(again) is cell
    assert again.get_config() == instance.get_config()


@pytest.mark.parametrize("cell", OPTIONS)
def test_numbers_of_numpy_are_numbers(cell):
    options = {"dropout": np.float32(0.25), "weight_dropout": np.float64(0.5), "seed": np.int64(3)}
    instance = cell(np.int64(4), **options)
    assert (instance.units, instance.seed) == (4, 3)
    assert json.loads(json.dumps(instance.get_config())) == instance.get_config()
    assert cell.from_config(instance.get_config()).units == 4


def step(cell, shape, *states):
    return cell(np.ones(shape, "float32"), [np.ones(state, "float32") for state in states])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RNNCell(0), r"`units`.*units=0"),
        (lambda: RNNCell(2.5), r"`units`.*units=2\.5"),
        (lambda: GRUCell(True), r"`units`.*units=True"),
        (lambda: TreeLSTMCell("4"), r"`units`.*units='4'"),
        (lambda: RNNCell(2, activation="no function"), r"activation.*no function"),
        (lambda: LSTMCell(2, dropout=1.0), r"`dropout`.*dropout=1\.0"),
        (lambda: GRUCell(2, recurrent_dropout=-0.1), r"`recurrent_dropout`.*=-0\.1"),
        (lambda: RNNCell(2, weight_dropout=1), r"`weight_dropout`.*=1"),
        (lambda: step(built(GRUCell(2)), (2, 3), (2, 2)), r"`inputs`.*\(batch, 4\).*\(2, 3\)"),
        (lambda: step(GRUCell(2), (2, 5, 4), (2, 2)), r"`inputs`.*\(2, 5, 4\)"),
        (lambda: step(LSTMCell(2), (2, 4), (2, 2)), r"`states`.*2 tensor.*\[\(2, 2\)\]"),
        (lambda: step(GRUCell(2), (2, 4), (2, 3)), r"`states`.*\(batch, 2\).*\[\(2, 3\)\]"),
    ],
)
def test_bad_argument_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("variant", "policy"),
    [
        ("rnn", "mixed_bfloat16"),
        ("irnn", "mixed_float16"),
        ("lstm", "mixed_float16"),
        ("lstm coupled peepholes", "mixed_bfloat16"),
        ("gru", "mixed_float16"),
        ("gru reset before", "mixed_bfloat16"),
    ],
)
def test_mixed_precision(variant, policy):
    """Half precision inside and out, weights and their gradients in full precision."""
    half = policy.removeprefix("mixed_")
    inputs = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    layers = [
        Recurrent(make_cell(variant, dtype=dtype), return_sequences=True, dtype=dtype)
        for dtype in (policy, "float32")
    ]
    for layer in layers:
        layer.build(inputs.shape)
        randomise(layer)
    mixed, full = layers
    assert {variable.dtype for variable in mixed.trainable_variables} == {"float32"}
    outputs, gradients = outputs_and_gradients(mixed, inputs)
    assert outputs[0].dtype.name == half
    exact, exact_gradients = outputs_and_gradients(full, inputs)
    tolerance = 0.01 if half == "float16" else 0.08
    np.testing.assert_allclose(outputs[0].astype("float32"), exact[0], atol=tolerance)
    for gradient, expected in zip(gradients[1:], exact_gradients[1:], strict=True):
        assert gradient.dtype == np.float32
        np.testing.assert_allclose(gradient, expected, atol=tolerance * np.abs(expected).max() * 2)


@pytest.fixture
def bfloat16_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.usefixtures("bfloat16_policy")
def test_global_policy_reaches_output_states_and_trace():
    layer = Recurrent(LSTMCell(3), return_state=True)
    inputs = np.ones((1, 2, 3), "float32")
    tensors = [*layer(inputs), *layer.trace(inputs).values()]
    assert {keras.backend.standardize_dtype(tensor.dtype) for tensor in tensors} == {"bfloat16"}
