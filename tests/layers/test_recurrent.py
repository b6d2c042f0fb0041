"""Running cells over time: the same numbers and gradients as Keras, and what `trace` shows."""

import inspect

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.layers.autodiff import (
    BACKEND,
    VARIANTS,
    assert_same,
    make_cell,
    outputs_and_gradients,
    randomise,
)
from unrolled.layers import Bidirectional, Cell, GRUCell, LSTMCell, Recurrent, RNNCell, Stacked

pytestmark = pytest.mark.slow

BATCH, TIME, FEATURES, UNITS = 3, 6, 4, 5
RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(BATCH, TIME, FEATURES)).astype("float32")
MASK = np.arange(TIME) < np.array([[6], [3], [1]])  # right-padded
HOLES = np.array([[0, 1, 1, 0, 1, 0], [1, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0]], bool)
STATES = [RNG.normal(size=(BATCH, UNITS)).astype("float32") for _ in range(2)]

KERAS = {
    "rnn": (layers.SimpleRNN, {}),
    "lstm": (layers.LSTM, {}),
    "gru": (layers.GRU, {}),
    "gru reset before": (layers.GRU, {"reset_after": False}),
}


def keras_layer(variant, units=UNITS, **options):
    layer, fixed = KERAS[variant]
    return layer(units, **fixed, **options)


def ours(variant, units=UNITS, **options):
    return Recurrent(make_cell(variant, units), **options)


def same_weights(layer, reference, shape=INPUTS.shape):
    for each in (layer, reference):
        each.build(shape)
    layer.set_weights(randomise(reference))


def numbers(tensors):
    return [ops.convert_to_numpy(tensor) for tensor in keras.tree.flatten(tensors)]


@pytest.mark.parametrize("variant", KERAS)
@pytest.mark.parametrize("mask", [None, MASK, HOLES], ids=["whole", "padded", "holes"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"return_sequences": True, "return_state": True},
        {"return_sequences": True, "go_backwards": True},
    ],
    ids=["last", "sequences-and-state", "backwards"],
)
def test_outputs_and_gradients_equal_keras(variant, mask, options):
    layer, reference = ours(variant, **options), keras_layer(variant, **options)
    same_weights(layer, reference)
    assert [w.shape for w in layer.weights] == [w.shape for w in reference.weights]
    states = STATES[: len(layer.cell.state_names)] if options.get("return_state") else ()
    # Where no step has been live yet, Keras puts out zeros and we the initial state.
    assert_same(
        outputs_and_gradients(layer, INPUTS, states, only=mask, mask=mask),
        outputs_and_gradients(reference, INPUTS, states, only=mask, mask=mask),
    )


@pytest.mark.parametrize(
    "variant", ["irnn", "lstm", "lstm coupled peepholes", "gru", "gru reset before"]
)
def test_graph_and_compiled_equal_eager(variant):
    layer = ours(variant, return_sequences=True, return_state=True)
    layer.build(INPUTS.shape)
    randomise(layer)
    eager = outputs_and_gradients(layer, INPUTS, mask=MASK)
    for mode in ("graph", "jit"):
        assert_same(outputs_and_gradients(layer, INPUTS, mask=MASK, mode=mode), eager)


@pytest.mark.parametrize("shape", [(1, 1, 4), (1, 7, 4), (4, 1, 4), (2, 60, 4)])
def test_any_batch_and_length(shape):
    layer = ours("lstm", return_sequences=True)
    reference = keras_layer("lstm", return_sequences=True)
    same_weights(layer, reference)
    inputs = RNG.normal(size=shape).astype("float32")
    np.testing.assert_allclose(numbers(layer(inputs)), numbers(reference(inputs)), atol=1e-5)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow has unknown dimensions")
@pytest.mark.parametrize(
    ("variant", "masked"), [("rnn", True), ("lstm", True), ("lstm", False), ("gru", True)]
)
def test_unknown_batch_and_time(variant, masked):
    import tensorflow as tf

    layer = Stacked([Bidirectional(ours(variant, return_sequences=True)), ours(variant)])
    layer.build(INPUTS.shape)
    randomise(layer)
    specs = [tf.TensorSpec((None, None, FEATURES)), tf.TensorSpec((None, None), tf.bool)]

    @tf.function(input_signature=specs if masked else specs[:1])
    def run(inputs, mask=None):
        with tf.GradientTape() as tape:
            outputs = layer(inputs, mask=mask)
            assert outputs.shape == (None, UNITS)
            loss = tf.reduce_sum(tf.sin(outputs))
        return [outputs], tape.gradient(loss, [v.value for v in layer.trainable_variables])

    for batch, time in ((3, 6), (1, 1), (2, 4)):
        inputs, mask = INPUTS[:batch, :time], MASK[:batch, :time] if masked else None
        outputs, (_, *gradients) = outputs_and_gradients(layer, inputs, mask=mask)
        results = run(inputs, mask) if masked else run(inputs)
        assert_same([numbers(result) for result in results], (outputs, gradients))


@pytest.mark.parametrize(
    ("variant", "merge"),
    [*((variant, "concat") for variant in KERAS), ("gru", "sum"), ("rnn", "mul"), ("lstm", "ave")],
)
def test_bidirectional_equals_keras(variant, merge):
    options = {"return_sequences": merge != "sum", "return_state": merge == "concat"}
    layer = Bidirectional(ours(variant, **options), merge_mode=merge)
    reference = layers.Bidirectional(keras_layer(variant, **options), merge_mode=merge)
    same_weights(layer, reference)
    states = ()
    if merge == "concat":
        states = STATES[: len(layer.forward_layer.cell.state_names)] * 2
    # At masked steps Keras puts out zeros here, and we the state carried over.
    assert_same(
        outputs_and_gradients(layer, INPUTS, states, only=MASK, mask=MASK),
        outputs_and_gradients(reference, INPUTS, states, only=MASK, mask=MASK),
    )


@pytest.mark.parametrize("variant", KERAS)
def test_stack_equals_keras_layers_in_a_row(variant):
    def chain(make, both_ways):
        first = both_ways(make(variant, 5, return_sequences=True))
        return [first, make(variant, 4, return_sequences=True), make(variant, 3)]

    class Row(layers.Layer):
        def __init__(self):
            super().__init__()
            self.supports_masking = True
            self.row = chain(keras_layer, layers.Bidirectional)

        def build(self, shape):
            for layer in self.row:
                layer.build(shape)
                shape = layer.compute_output_shape(shape)

        def call(self, inputs, mask=None):
            for layer in self.row:
                inputs = layer(inputs, mask=mask)
            return inputs

    stack, reference = Stacked(chain(ours, Bidirectional)), Row()
    same_weights(stack, reference)
    assert_same(
        outputs_and_gradients(stack, INPUTS, mask=MASK),
        outputs_and_gradients(reference, INPUTS, mask=MASK),
    )


@pytest.mark.parametrize("variant", KERAS)
def test_stateful_equals_keras(variant):
    layer, reference = ours(variant, stateful=True), keras_layer(variant, stateful=True)
    for each in (layer, reference):
        each.build(INPUTS.shape)
    weights = randomise(ours_built(variant))
    for each in (layer, reference):
        for variable, weight in zip(each.trainable_variables, weights, strict=True):
            variable.assign(weight)
    first, second = numbers(layer(INPUTS, mask=MASK)), numbers(layer(INPUTS))
    np.testing.assert_allclose(first, numbers(reference(INPUTS, mask=MASK)), atol=1e-5)
    np.testing.assert_allclose(second, numbers(reference(INPUTS)), atol=1e-5)
    assert not np.allclose(second, numbers(ours_with(weights, variant)(INPUTS)))
    layer.reset_state()
    np.testing.assert_array_equal(numbers(layer(INPUTS, mask=MASK)), first)


@pytest.mark.parametrize("wrap", [lambda x: x, Bidirectional, lambda x: Stacked([x])])
def test_a_stateful_layer_refuses_another_batch_size(wrap):
    layer = wrap(ours("gru", stateful=True))
    first = numbers(layer(INPUTS))
    for batch in (1, 2):
        with pytest.raises(ValueError, match=rf"batch size.* 3\..*\({batch}, 6, 4\)"):
            layer(INPUTS[:batch])
    layer.reset_state()
    np.testing.assert_array_equal(numbers(layer(INPUTS)), first)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        run = tf.function(layer, input_signature=[tf.TensorSpec((None, TIME, FEATURES))])
        assert run(INPUTS).shape == first[0].shape
        with pytest.raises(tf.errors.InvalidArgumentError):
            run(INPUTS[:1])


@pytest.mark.parametrize("wrap", [lambda x: x, Bidirectional, lambda x: Stacked([x])])
def test_carried_states_are_no_weights(wrap, tmp_path):
    one, other, stateless = (
        wrap(ours("lstm", stateful=stateful)) for stateful in (True, True, False)
    )
    one(INPUTS)
    assert any(np.any(value) for value in numbers([v.value for v in one.non_trainable_variables]))
    other.build((1, TIME, FEATURES))
    stateless.build(INPUTS.shape)
    for each in (other, stateless):
        each.set_weights(one.get_weights())
    one.reset_state()
    expected = numbers(one(INPUTS))[0]
    np.testing.assert_allclose(numbers(stateless(INPUTS))[0], expected, atol=1e-6)
    np.testing.assert_allclose(numbers(other(INPUTS[:1]))[0], expected[:1], atol=1e-6)


def test_a_compiled_model_carries_states():
    model = keras.Sequential([keras.Input((TIME, FEATURES), BATCH), ours("gru", stateful=True)])
    layer = model.layers[0]
    expected = [numbers(layer(INPUTS))[0], numbers(layer(INPUTS))[0]]
    layer.reset_state()
    for hidden in expected:
        predicted = model.predict(INPUTS, batch_size=BATCH, verbose=0)
        np.testing.assert_allclose(predicted, hidden, atol=1e-6)


def ours_built(variant):
    layer = ours(variant)
    layer.build(INPUTS.shape)
    return layer


def ours_with(weights, variant):
    layer = ours_built(variant)
    layer.set_weights(weights)
    return layer


def test_fully_masked_row_keeps_its_state_and_gets_no_gradient():
    layer = ours("lstm", return_state=True)
    layer.build(INPUTS.shape)
    randomise(layer)
    outputs, gradients = outputs_and_gradients(layer, INPUTS, STATES, mask=HOLES)
    _, *last = outputs
    for state, first in zip(last, STATES, strict=True):
        np.testing.assert_array_equal(state[2], first[2])
    assert np.any(gradients[0][:2])
    assert not np.any(gradients[0][~HOLES])


class WithDropout(layers.Layer):
    """Runs a cell with given dropout masks, step by step; the backend differentiates."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def build(self, shape):
        if not self.cell.built:
            self.cell.build((shape[0], shape[2]))

    def call(self, inputs):
        input_mask, dropped = self.cell.dropout_masks(None, None, True)
        states = self.cell.get_initial_state(BATCH)
        outputs = []
        for time in range(TIME):
            projected = self.cell.project(inputs[:, time], input_mask)
            weights = self.cell.recurrent_weights(training=True)
            states, _ = self.cell.step(projected, states, weights, dropped)
            outputs.append(states[0])
        return ops.stack(outputs, axis=1)


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_under_dropout_equal_automatic_ones(variant, monkeypatch):
    cell = make_cell(variant, dropout=0.5, recurrent_dropout=0.5)
    masks = [2.0 * RNG.integers(0, 2, size=(BATCH, n)).astype("float32") for n in (FEATURES, UNITS)]
    masks = [ops.convert_to_tensor(mask) for mask in masks]
    monkeypatch.setattr(cell, "dropout_masks", lambda *_: masks)
    layer, reference = Recurrent(cell, return_sequences=True), WithDropout(cell)
    for each in (layer, reference):
        each.build(INPUTS.shape)
    randomise(cell)
    assert_same(
        outputs_and_gradients(layer, INPUTS, training=True),
        outputs_and_gradients(reference, INPUTS),
    )


PER_GATE = ["lstm", "lstm coupled peepholes", "gru", "gru reset before"]


@pytest.mark.parametrize("variant", PER_GATE)
def test_gradients_under_dropout_per_gate_equal_automatic_ones(variant, monkeypatch):
    cell = make_cell(variant, dropout=0.5, recurrent_dropout=0.5, dropout_per_gate=True)
    drawn = cell.dropout_masks(BATCH, FEATURES, True)
    assert [len(masks) for masks in drawn] == [len(cell.preactivation_names)] * 2
    assert not np.array_equal(*numbers(drawn[1][:2]))
    monkeypatch.setattr(cell, "dropout_masks", lambda *_: drawn)
    layer, reference = Recurrent(cell, return_sequences=True), WithDropout(cell)
    for each in (layer, reference):
        each.build(INPUTS.shape)
    randomise(cell)
    results = outputs_and_gradients(layer, INPUTS, training=True)
    assert_same(results, outputs_and_gradients(reference, INPUTS))
    monkeypatch.setattr(cell, "dropout_masks", lambda *_: [masks[0] for masks in drawn])
    assert not np.allclose(results[0], outputs_and_gradients(layer, INPUTS, training=True)[0])


@pytest.mark.parametrize("variant", ["lstm", "gru", "gru reset before"])
def test_dropout_per_gate_equals_keras(variant, monkeypatch):
    """Both get the same masks, one for each gate and for the candidate."""
    options = {"dropout": 0.5, "recurrent_dropout": 0.5}
    layer = Recurrent(make_cell(variant, dropout_per_gate=True, **options))
    reference = keras_layer(variant, **options)
    same_weights(layer, reference)
    inputs, hidden = drawn = layer.cell.dropout_masks(BATCH, FEATURES, True)
    monkeypatch.setattr(layer.cell, "dropout_masks", lambda *_: drawn)
    monkeypatch.setattr(reference.cell, "get_dropout_mask", lambda _: inputs)
    monkeypatch.setattr(reference.cell, "get_recurrent_dropout_mask", lambda _: hidden)
    outputs = numbers(layer(INPUTS, training=True))
    np.testing.assert_allclose(outputs, numbers(reference(INPUTS, training=True)), atol=1e-5)
    assert not np.allclose(outputs, numbers(reference(INPUTS)))


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_under_weight_dropout_equal_automatic_ones(variant, monkeypatch):
    """One mask on the recurrent kernel for all steps, and the gradient is that of the kernel."""
    cell = make_cell(variant, weight_dropout=0.5)
    layer, reference = Recurrent(cell, return_sequences=True), WithDropout(cell)
    for each in (layer, reference):
        each.build(INPUTS.shape)
    randomise(cell)
    mask = 2.0 * RNG.integers(0, 2, size=tuple(cell.recurrent_kernel.shape)).astype("float32")
    mask = ops.convert_to_tensor(mask)
    whole = outputs_and_gradients(layer, INPUTS)[0]
    monkeypatch.setattr(keras.random, "dropout", lambda kernel, *_, **__: kernel * mask)
    ones = [ops.ones((BATCH, n)) for n in (FEATURES, UNITS)]
    monkeypatch.setattr(cell, "dropout_masks", lambda *_: ones)
    dropped = outputs_and_gradients(layer, INPUTS, training=True)
    assert_same(dropped, outputs_and_gradients(reference, INPUTS))
    assert not np.allclose(dropped[0], whole)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("backwards", [False, True])
def test_vjp_equals_the_automatic_gradient_of_the_inputs(variant, backwards):
    layer = ours(variant, return_sequences=True, go_backwards=backwards)
    layer.build(INPUTS.shape)
    randomise(layer)
    states = STATES[: len(layer.cell.state_names)]
    outputs, gradients = outputs_and_gradients(layer, INPUTS, states, mask=HOLES)
    hidden, back = layer.vjp(INPUTS, states, HOLES)
    np.testing.assert_allclose(numbers(hidden)[0], outputs[0], atol=1e-6)
    np.testing.assert_allclose(numbers(back(ops.cos(hidden)))[0], gradients[0], atol=1e-5)


@pytest.mark.skipif(BACKEND == "jax", reason="JAX computes in single precision")
@pytest.mark.parametrize("variant", ["irnn", "lstm coupled peepholes", "gru", "gru reset before"])
def test_gradients_equal_finite_differences(variant):
    """Independent of all automatic differentiation, in double precision."""
    cell = make_cell(variant, 2, dtype="float64")
    layer = Recurrent(cell, return_sequences=True, dtype="float64")
    inputs, mask = INPUTS[:2, :3, :2].astype("float64"), MASK[:2, :3]
    layer.build(inputs.shape)
    randomise(layer)

    def loss():
        return float(np.sum(np.sin(numbers(layer(inputs, mask=mask))[0])))

    _, (_, *gradients) = outputs_and_gradients(layer, inputs, mask=mask)
    for variable, gradient in zip(layer.trainable_variables, gradients, strict=True):
        value = ops.convert_to_numpy(variable)
        for _ in range(3):
            direction = RNG.normal(size=value.shape)
            losses = []
            for nudge in (1e-5, -1e-5):
                variable.assign(value + nudge * direction)
                losses.append(loss())
            variable.assign(value)
            slope = (losses[0] - losses[1]) / 2e-5
            assert np.sum(gradient * direction) == pytest.approx(slope, abs=1e-7)


def test_one_dropout_mask_serves_all_steps():
    """A linear cell that passes its state on: a dropped unit stays at zero, the others double."""
    cell = RNNCell(
        64, activation="relu", recurrent_initializer="identity", recurrent_dropout=0.5, seed=1
    )
    layer = Recurrent(cell, return_sequences=True)
    ones = [np.ones((2, 64), "float32")]
    outputs = numbers(layer(np.zeros((2, 4, 3), "float32"), initial_state=ones, training=True))[0]
    for step in range(4):
        assert set(np.unique(outputs[:, step])) == {0.0, 2.0 ** (step + 1)}
        np.testing.assert_array_equal(outputs[:, step] == 0, outputs[:, 0] == 0)
    assert not np.array_equal(outputs[0], outputs[1])


def test_input_dropout_drops_the_same_features_at_all_steps():
    cell = RNNCell(
        16, "relu", kernel_initializer="identity", recurrent_initializer="zeros", dropout=0.5
    )
    layer = Recurrent(cell, return_sequences=True)
    inputs = np.ones((2, 5, 16), "float32")
    np.testing.assert_array_equal(numbers(layer(inputs))[0], inputs)
    outputs = numbers(layer(inputs, training=True))[0]
    assert set(np.unique(outputs)) == {0.0, 2.0}
    np.testing.assert_array_equal(outputs, np.repeat(outputs[:, :1], 5, 1))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_trace(cell, weights, inputs, mask=None, backwards=False):
    """What `trace` should show, computed with NumPy, one sequence and one step at a time."""
    kernel, recurrent, bias, *peepholes = (np.asarray(weight, "float64") for weight in weights)
    batch, time, _ = inputs.shape
    names = cell.preactivation_names
    traced = {name: np.zeros((batch, time, cell.units)) for name in cell.trace_names}

    def cut(total):
        return dict(zip(names, np.split(total, len(names)), strict=True))

    def rnn(x, hidden, _):
        total = x @ kernel + hidden @ recurrent + bias
        activations = {"tanh": np.tanh(total), "relu": np.maximum(total, 0), "linear": total}
        return {"hidden": activations[cell.activation.__name__]}

    def lstm(x, hidden, memory):
        total = cut(x @ kernel + hidden @ recurrent + bias)
        weights = list(peepholes[0]) if peepholes else [0.0] * 3
        peephole = {"output": weights.pop(), "forget": weights.pop()}
        forget = sigmoid(total["forget"] + peephole["forget"] * memory)
        entry = 1 - forget if cell.coupled else sigmoid(total["input"] + weights.pop() * memory)
        candidate = np.tanh(total["candidate"])
        memory = forget * memory + entry * candidate
        output = sigmoid(total["output"] + peephole["output"] * memory)
        values = (entry, forget, candidate, output, memory, output * np.tanh(memory))
        return dict(zip(cell.trace_names, values, strict=True))

    def gru(x, hidden, _):
        inner = bias if cell.reset_after else [bias, np.zeros_like(bias)]
        from_input, kernels = cut(x @ kernel + inner[0]), cut_columns(recurrent)
        biases = cut(inner[1])
        product = {name: hidden @ kernels[name] + biases[name] for name in names}
        update = sigmoid(from_input["update"] + product["update"])
        reset = sigmoid(from_input["reset"] + product["reset"])
        if cell.reset_after:
            inner = reset * product["candidate"]
        else:
            inner = (reset * hidden) @ kernels["candidate"]
        candidate = np.tanh(from_input["candidate"] + inner)
        hidden = update * hidden + (1 - update) * candidate
        return {"update": update, "reset": reset, "candidate": candidate, "hidden": hidden}

    def cut_columns(matrix):
        return dict(zip(names, np.split(matrix, len(names), axis=1), strict=True))

    step = {RNNCell: rnn, LSTMCell: lstm, GRUCell: gru}[type(cell)]
    for row in range(batch):
        states = {"hidden": np.zeros(cell.units), "cell": np.zeros(cell.units)}
        for place in range(time)[:: -1 if backwards else 1]:
            values = step(inputs[row, place].astype("float64"), states["hidden"], states["cell"])
            if mask is not None and not mask[row, place]:
                values.update(states)
            states.update({name: values[name] for name in cell.state_names})
            for name in cell.trace_names:
                traced[name][row, place] = values[name]
    return traced


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("backwards", [False, True])
def test_trace_equals_numpy(variant, backwards):
    layer = ours(variant, go_backwards=backwards, return_sequences=True)
    layer.build(INPUTS.shape)
    weights = randomise(layer)
    for mask in (None, MASK):
        traced = layer.trace(INPUTS, mask=mask)
        expected = numpy_trace(layer.cell, weights, INPUTS, mask, backwards)
        assert list(traced) == list(layer.cell.trace_names) == list(expected)
        for name, values in traced.items():
            assert tuple(values.shape) == (BATCH, TIME, UNITS)
            np.testing.assert_allclose(ops.convert_to_numpy(values), expected[name], atol=1e-5)
        outputs = numbers(layer(INPUTS, mask=mask))[0]
        hidden = ops.convert_to_numpy(traced["hidden"])
        np.testing.assert_allclose(outputs, hidden[:, :: -1 if backwards else 1], atol=1e-6)


def dtypes(tensors):
    return [keras.backend.standardize_dtype(x.dtype) for x in keras.tree.flatten(tensors)]


@pytest.mark.parametrize("wrap", ["recurrent", "bidirectional", "stacked"])
def test_dtype_of_the_outputs_is_what_the_layer_announces(wrap):
    def make(cell_dtype, **options):
        cell = LSTMCell(3, dtype=cell_dtype)
        layer = Recurrent(cell, return_state=True, return_sequences=True)
        return {
            "recurrent": lambda: Recurrent(cell, return_state=True, **options),
            "bidirectional": lambda: Bidirectional(layer, **options),
            "stacked": lambda: Stacked([layer], **options),
        }[wrap]()

    for layer, expected in (
        (make("float32", dtype="float16"), "float16"),
        (make("float16", dtype="float32"), "float32"),
        (make("float16"), "float16"),
        (make("float32"), "float32"),
    ):
        announced = layer(keras.Input((TIME, FEATURES)))
        assert set(dtypes(layer(INPUTS))) == set(dtypes(announced)) == {expected}
        again = type(layer).from_config(layer.get_config())
        assert again.compute_dtype == expected


def test_a_mask_may_be_a_list():
    below = ours("gru", return_sequences=True, go_backwards=True)
    for layer in (
        ours("gru", return_sequences=True),
        Bidirectional(ours("gru", return_sequences=True)),
        Stacked([below, ours("lstm", return_state=True)]),
    ):
        expected = numbers(layer(INPUTS, mask=HOLES))
        for one, other in zip(numbers(layer(INPUTS, mask=HOLES.tolist())), expected, strict=True):
            np.testing.assert_array_equal(one, other)
        one, other = (numbers(layer.trace(INPUTS, mask=m))[0] for m in (HOLES, HOLES.tolist()))
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match=r"`mask`.*\(3, 4\)"):
        ours("gru")(INPUTS, mask=MASK[:, :4].tolist())


def test_trace_names():
    names = {variant: list(make_cell(variant).trace_names) for variant in ("rnn", "lstm", "gru")}
    assert names == {
        "rnn": ["hidden"],
        "lstm": ["input", "forget", "candidate", "output", "cell", "hidden"],
        "gru": ["update", "reset", "candidate", "hidden"],
    }


def test_trace_carries_masked_states():
    layer = ours("lstm")
    traced = {name: ops.convert_to_numpy(v) for name, v in layer.trace(INPUTS, mask=MASK).items()}
    for name in ("hidden", "cell"):
        np.testing.assert_array_equal(traced[name][1, 3:], np.repeat(traced[name][1, 2:3], 3, 0))
        np.testing.assert_array_equal(traced[name][2, 1:], np.repeat(traced[name][2, :1], 5, 0))


def test_trace_starts_from_the_initial_state_and_applies_no_dropout():
    layer = Recurrent(LSTMCell(UNITS, dropout=0.5, recurrent_dropout=0.5), return_sequences=True)
    traced = layer.trace(INPUTS, initial_state=STATES)
    outputs = layer(INPUTS, initial_state=STATES)
    np.testing.assert_allclose(numbers(traced["hidden"]), numbers(outputs), atol=1e-6)
    assert not np.allclose(numbers(traced["hidden"]), numbers(layer.trace(INPUTS)["hidden"]))


@pytest.mark.parametrize("middle", [None, "reader", "bidirectional"])
def test_the_mask_above_a_backward_reader_is_in_the_order_of_its_outputs(middle):
    between = {
        None: [],
        "reader": [ours("rnn", 4, return_sequences=True, go_backwards=True)],
        "bidirectional": [Bidirectional(ours("rnn", 4, return_sequences=True, go_backwards=True))],
    }[middle]
    below = ours("gru", 4, return_sequences=True, go_backwards=True)
    stack = Stacked([below, *between, ours("gru", 3, return_sequences=True)])
    together = numbers(stack(INPUTS, mask=MASK))[0]
    traced = numbers(stack.trace(INPUTS, mask=MASK)[-1]["hidden"])[0]
    np.testing.assert_allclose(traced, together, atol=1e-6)
    mask = numbers(stack.compute_mask(None, MASK))[0]
    np.testing.assert_array_equal(mask, MASK if middle == "reader" else MASK[:, ::-1])
    inputs = ops.convert_to_tensor(INPUTS)
    for row, length in enumerate(MASK.sum(axis=1)):  # each alone, without padding
        alone = numbers(stack(inputs[row : row + 1, :length]))[0]
        np.testing.assert_allclose(together[row][mask[row]], alone[0], atol=1e-6)
    if middle is None:  # the mask travels with the outputs, too
        model = keras.Sequential([layers.Masking(), below, stack.layers[-1]])
        hidden = numbers(model(np.where(MASK[..., None], INPUTS, 0)))[0]
        np.testing.assert_allclose(hidden[mask], together[mask], atol=1e-6)


@pytest.mark.parametrize("sequences", [False, True])
def test_bidirectional_of_a_backward_reader_is_in_the_order_of_the_inputs(sequences):
    options = {"return_sequences": sequences}
    both = Bidirectional(ours("gru", go_backwards=True, **options))
    usual = Bidirectional(ours("gru", **options))
    for each in (both, usual):
        each.build(INPUTS.shape)
    weights = randomise(usual)
    both.set_weights(weights[3:] + weights[:3])
    backward, forward = np.split(numbers(both(INPUTS, mask=MASK))[0], 2, axis=-1)
    expected = numbers(usual(INPUTS, mask=MASK))[0]
    np.testing.assert_allclose(np.concatenate([forward, backward], -1), expected, atol=1e-6)
    traced = numbers(both.trace(INPUTS, mask=MASK)["forward"]["hidden"])[0]
    if sequences:
        np.testing.assert_allclose(traced, backward, atol=1e-6)


def test_trace_of_both_directions_and_of_a_stack():
    both = Bidirectional(ours("gru", return_sequences=True))
    stack = Stacked([both, ours("lstm", 3)])
    below, above = stack.trace(INPUTS, mask=MASK)
    outputs = numbers(both(INPUTS, mask=MASK))[0]
    np.testing.assert_allclose(below["forward"]["hidden"], outputs[..., :UNITS], atol=1e-6)
    np.testing.assert_allclose(below["backward"]["hidden"], outputs[..., UNITS:], atol=1e-6)
    hidden = ops.convert_to_numpy(above["hidden"])
    np.testing.assert_allclose(hidden[:, -1], numbers(stack(INPUTS, mask=MASK))[0], atol=1e-6)


def network(recurrent):
    words = keras.Input((None,), dtype="int32")
    embedded = layers.Embedding(11, FEATURES, mask_zero=True)(words)
    return keras.Model(words, layers.Dense(2)(recurrent(embedded)))


WORDS = np.array([[3, 1, 4, 1, 5, 9], [2, 6, 5, 0, 0, 0], [3, 0, 0, 0, 0, 0]])


def every_layer():
    """One of each, no option at its default, all seeds set."""
    cell = LSTMCell(4, peepholes=True, coupled=True, forget_bias=2.0, dropout=0.1, seed=3)
    return {
        "recurrent": Recurrent(cell, go_backwards=True, zero_output_for_mask=True),
        "bidirectional": Bidirectional(Recurrent(GRUCell(4, reset_after=False)), merge_mode="ave"),
        "stacked": Stacked(
            [
                Bidirectional(
                    Recurrent(RNNCell(3, "relu"), return_sequences=True), merge_mode="sum"
                ),
                Recurrent(GRUCell(4)),
            ]
        ),
    }


@pytest.mark.parametrize("variant", KERAS)
def test_functional_model_passes_the_mask_on(variant):
    model = network(Stacked([ours(variant, return_sequences=True), ours(variant)]))
    reference = keras.Sequential(
        [
            layers.Embedding(11, FEATURES, mask_zero=True),
            keras_layer(variant, return_sequences=True),
            keras_layer(variant),
            layers.Dense(2),
        ]
    )
    reference.build((None, None))
    assert model.output_shape == (None, 2)
    model.set_weights(randomise(reference))
    np.testing.assert_allclose(numbers(model(WORDS)), numbers(reference(WORDS)), atol=1e-5)
    alone = numbers(model(WORDS[1:2, :3]))[0]
    np.testing.assert_allclose(numbers(model(WORDS))[0][1:2], alone, atol=1e-6)


def test_masking_layer_before():
    """The mask is computed from the inputs that the gradient is taken by."""
    model, reference = (
        keras.Sequential([keras.Input((TIME, FEATURES)), layers.Masking(), layer])
        for layer in (ours("lstm"), keras_layer("lstm"))
    )
    model.set_weights(randomise(reference))
    inputs = np.where(MASK[..., None], INPUTS, 0)
    assert_same(outputs_and_gradients(model, inputs), outputs_and_gradients(reference, inputs))


@pytest.mark.parametrize("name", every_layer())
def test_saved_model_gives_the_same_outputs(name, tmp_path):
    model = network(every_layer()[name])
    randomise(model)
    answer = numbers(model(WORDS))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numbers(loaded(WORDS)), answer, atol=1e-6)
    np.savez(tmp_path / "weights.npz", *model.get_weights())
    fresh = network(every_layer()[name])
    with np.load(tmp_path / "weights.npz") as arrays:
        fresh.set_weights([arrays[key] for key in arrays.files])
    np.testing.assert_allclose(numbers(fresh(WORDS)), answer, atol=1e-6)


@pytest.mark.parametrize("name", every_layer())
def test_config_round_trip(name):
    layer = every_layer()[name]
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(copy) is type(layer)
    assert copy.get_config() == layer.get_config()
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()
    arguments = set(inspect.signature(type(layer)).parameters) - {"kwargs", "weights"}
    assert arguments <= set(layer.get_config())
    for each in (layer, copy):
        each.build(INPUTS.shape)
    copy.set_weights(randomise(layer))
    np.testing.assert_allclose(numbers(copy(INPUTS)), numbers(layer(INPUTS)), atol=1e-6)


def test_model_fits():
    model = network(Bidirectional(ours("lstm", return_sequences=False)))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(WORDS, np.array([0, 1, 1]), epochs=5, verbose=0).history["loss"]
    assert np.all(np.isfinite(history))
    assert history[-1] < history[0]


@pytest.mark.skipif(BACKEND != "torch", reason="tests PyTorch's tracer")
def test_a_traced_layer_computes_what_the_layer_computes():
    import torch

    layer = ours_built("lstm")
    traced = torch.jit.trace(layer, torch.tensor(INPUTS), check_trace=False)
    other = torch.tensor(INPUTS[::-1].copy())
    np.testing.assert_allclose(numbers(traced(other)), numbers(layer(other)), atol=1e-6)


def check_cell():
    assert Recurrent(RNNCell(2))(INPUTS).shape == (BATCH, 2)
    assert Recurrent(LSTMCell(7))(INPUTS).shape == (BATCH, 7)


def check_return_sequences():
    layer = ours("gru")
    last = numbers(layer(INPUTS))[0]
    layer.return_sequences = True
    sequence = numbers(layer(INPUTS))[0]
    assert (last.shape, sequence.shape) == ((BATCH, UNITS), (BATCH, TIME, UNITS))
    np.testing.assert_array_equal(sequence[:, -1], last)


def check_return_state():
    output, hidden, cell = numbers(ours("lstm", return_state=True)(INPUTS))
    np.testing.assert_array_equal(output, hidden)
    assert cell.shape == (BATCH, UNITS)
    assert not np.allclose(hidden, cell)


def check_go_backwards():
    layer = ours("gru", return_sequences=True)
    mirrored = numbers(layer(INPUTS[:, ::-1]))[0]
    layer.go_backwards = True
    np.testing.assert_allclose(numbers(layer(INPUTS))[0], mirrored, atol=1e-6)


def check_stateful():
    layer = ours("gru", stateful=True)
    first, second = numbers(layer(INPUTS)), numbers(layer(INPUTS))
    assert not np.allclose(first, second)
    layer.reset_state()
    np.testing.assert_array_equal(numbers(layer(INPUTS)), first)


def check_zero_output_for_mask():
    for backwards in (False, True):
        options = {"return_sequences": True, "return_state": True, "go_backwards": backwards}
        layer = ours("lstm", zero_output_for_mask=True, **options)
        reference = keras_layer("lstm", zero_output_for_mask=True, **options)
        same_weights(layer, reference)
        outputs = numbers(layer(INPUTS, mask=MASK))
        assert not np.any(outputs[0][~MASK[:, ::-1] if backwards else ~MASK])
        for one, other in zip(outputs, numbers(reference(INPUTS, mask=MASK)), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
    last, reference = (make("gru", zero_output_for_mask=True) for make in (ours, keras_layer))
    same_weights(last, reference)
    assert_same(
        outputs_and_gradients(last, INPUTS, mask=MASK),
        outputs_and_gradients(reference, INPUTS, mask=MASK),
    )
    both = Bidirectional(ours("gru", return_sequences=True, zero_output_for_mask=True))
    reference = layers.Bidirectional(keras_layer("gru", return_sequences=True))
    same_weights(both, reference)
    assert_same(
        outputs_and_gradients(both, INPUTS, mask=MASK),
        outputs_and_gradients(reference, INPUTS, mask=MASK),
    )


def check_unroll():
    for variant in ("lstm", "gru reset before"):
        layer = ours(variant, return_sequences=True, return_state=True, go_backwards=True)
        layer.build(INPUTS.shape)
        randomise(layer)
        states = STATES[: len(layer.cell.state_names)]
        looped = outputs_and_gradients(layer, INPUTS, states, mask=HOLES)
        layer.unroll = True
        assert_same(outputs_and_gradients(layer, INPUTS, states, mask=HOLES), looped)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        def loops(unroll):
            layer = ours("gru", unroll=unroll)
            layer.build(INPUTS.shape)
            graph = tf.function(layer, autograph=False).get_concrete_function(INPUTS).graph
            return [op.type for op in graph.get_operations() if "While" in op.type]

        assert loops(False)
        assert not loops(True)
        run = tf.function(ours("gru", unroll=True))
        with pytest.raises(ValueError, match="`unroll=True` needs a known number"):
            run.get_concrete_function(tf.TensorSpec((3, None, 4)))


def check_checkpoint_every():
    """The same numbers and gradients, whether a segment is short, left over, or one for all."""
    for variant in ("lstm peepholes", "gru"):
        plain = ours(variant, return_sequences=True, return_state=True)
        plain.build(INPUTS.shape)
        weights = randomise(plain)
        states = STATES[: len(plain.cell.state_names)]
        for mask in (None, HOLES):
            expected = outputs_and_gradients(plain, INPUTS, states, mask=mask)
            for every in (2, 4, 10):
                layer = Recurrent.from_config({**plain.get_config(), "checkpoint_every": every})
                layer.build(INPUTS.shape)
                layer.set_weights(weights)
                for mode in ("eager", "graph") if every == 4 else ("eager",):
                    results = outputs_and_gradients(layer, INPUTS, states, mode, mask=mask)
                    assert_same(results, expected)


def check_layer():
    assert Bidirectional(ours("gru", 2))(INPUTS).shape == (BATCH, 4)
    assert Bidirectional(ours("gru", 3, return_sequences=True))(INPUTS).shape == (BATCH, TIME, 6)


def check_merge_mode():
    shapes = {mode: Bidirectional(ours("gru"), mode)(INPUTS).shape[-1] for mode in MERGED}
    assert shapes == {"concat": 2 * UNITS, "sum": UNITS, "mul": UNITS, "ave": UNITS}
    layer = Bidirectional(ours("gru"))
    concatenated = numbers(layer(INPUTS))[0]
    for mode, expected in MERGED.items():
        layer.merge_mode = mode
        forward, backward = concatenated[:, :UNITS], concatenated[:, UNITS:]
        np.testing.assert_allclose(
            numbers(layer(INPUTS))[0], expected(forward, backward), atol=1e-6
        )


@pytest.mark.parametrize("state", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
def test_both_outputs_unmerged_equal_keras(sequences, state):
    options = {"return_sequences": sequences, "return_state": state}
    layer = Bidirectional(ours("lstm", **options), merge_mode=None)
    reference = layers.Bidirectional(keras_layer("lstm", **options), merge_mode=None)
    same_weights(layer, reference)
    assert_same(
        outputs_and_gradients(layer, INPUTS, only=MASK, mask=MASK),
        outputs_and_gradients(reference, INPUTS, only=MASK, mask=MASK),
    )
    results = layer(INPUTS, mask=MASK)
    assert [tuple(x.shape) for x in results] == list(layer.compute_output_shape(INPUTS.shape))
    announced = layer(keras.Input((TIME, FEATURES), BATCH))
    assert [tuple(x.shape) for x in announced] == [tuple(x.shape) for x in results]
    masks = layer.compute_mask(INPUTS, MASK)
    assert len(masks) == len(results)
    assert [mask is not None for mask in masks[:2]] == [sequences] * 2
    stack = Stacked([ours("rnn", FEATURES, return_sequences=True), layer])
    assert len(stack(INPUTS)) == len(results)


MERGED = {
    "concat": lambda a, b: np.concatenate([a, b], -1),
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
}


def check_weights():
    layer = Bidirectional(ours("rnn"))
    layer.build(INPUTS.shape)
    weights = randomise(layer)
    again = Bidirectional(ours("rnn"), weights=weights)
    np.testing.assert_allclose(numbers(again(INPUTS)), numbers(layer(INPUTS)), atol=1e-6)


def check_backward_layer():
    backward = ours("gru", units=2, go_backwards=True, return_sequences=True)
    layer = Bidirectional(ours("rnn", return_sequences=True), backward_layer=backward)
    forward, flipped = np.split(numbers(layer(INPUTS))[0], [UNITS], axis=-1)
    np.testing.assert_allclose(flipped[:, ::-1], numbers(backward(INPUTS))[0], atol=1e-6)
    copy = Bidirectional.from_config(layer.get_config())
    assert copy.backward_layer.cell.units == 2
    assert layer.compute_output_shape(INPUTS.shape) == (BATCH, TIME, UNITS + 2)


def check_layers():
    one = Stacked([ours("rnn", 2)])
    two = Stacked([ours("rnn", 2, return_sequences=True), ours("gru", 3)])
    assert (one(INPUTS).shape, two(INPUTS).shape) == ((BATCH, 2), (BATCH, 3))
    assert len(two.trace(INPUTS)) == 2


OPTIONS = {
    Recurrent: {
        "cell": check_cell,
        "return_sequences": check_return_sequences,
        "return_state": check_return_state,
        "go_backwards": check_go_backwards,
        "stateful": check_stateful,
        "zero_output_for_mask": check_zero_output_for_mask,
        "unroll": check_unroll,
        "checkpoint_every": check_checkpoint_every,
    },
    Bidirectional: {
        "layer": check_layer,
        "merge_mode": check_merge_mode,
        "weights": check_weights,
        "backward_layer": check_backward_layer,
    },
    Stacked: {"layers": check_layers},
}


@pytest.mark.parametrize(
    ("layer", "option"), [(layer, option) for layer, checks in OPTIONS.items() for option in checks]
)
def test_option_has_its_effect(layer, option):
    OPTIONS[layer][option]()


@pytest.mark.parametrize("layer", OPTIONS)
def test_every_option_is_tested(layer):
    assert set(inspect.signature(layer).parameters) - {"kwargs"} == set(OPTIONS[layer])


def test_both_directions_drop_different_units():
    options = {"dropout": 0.5, "recurrent_dropout": 0.5, "weight_dropout": 0.5, "seed": 1}
    layer, same = (Bidirectional(Recurrent(GRUCell(64, **options))) for _ in range(2))
    forward, backward = (each.cell for each in layer._directions)
    for cell in (forward, backward):
        cell.build((None, 64))
    masks = [cell.dropout_masks(2, 64, True) for cell in (forward, backward)]
    for one, other in zip(*masks, strict=True):
        assert not np.array_equal(*numbers([one, other]))
    assert forward.seed == 1
    assert backward.seed == same.backward_layer.cell.seed
    assert Bidirectional.from_config(layer.get_config()).backward_layer.cell.seed == backward.seed


class StepCell(Cell):
    """A cell of one method: an LSTM without an output gate, whose gradient the backend finds."""

    preactivation_names = ("forget", "candidate")
    state_names = ("hidden", "cell")
    trace_names = ("forget", "hidden", "cell")
    saved_names = ("forget",)

    def step(self, projected, states, weights, dropout_mask=None, force=None):
        total = projected + ops.matmul(states[0], weights[0])
        forget, candidate = ops.split(total, 2, axis=-1)
        forget = ops.sigmoid(forget)
        cell = forget * states[1] + (1 - forget) * candidate
        return [ops.tanh(cell), cell], {"forget": forget}


class ThreeLineCell(Cell):
    def step(self, projected, states, weights, dropout_mask=None, force=None):
        hidden = ops.tanh(projected + ops.matmul(states[0], weights[0]))
        return [hidden], {}


@pytest.mark.parametrize("mode", ["eager", "jit"])
@pytest.mark.parametrize("cell", [StepCell, ThreeLineCell])
def test_a_cell_with_a_step_alone_learns(cell, mode):
    options = {"return_sequences": True, "return_state": True}
    layer = Recurrent(cell(UNITS), **options)
    if cell is ThreeLineCell:
        reference = ours("rnn", **options)
    else:
        reference = layers.RNN(layer.cell, **options)
    for each in (layer, reference):
        each.build(INPUTS.shape)
    reference.set_weights(randomise(layer))
    states = STATES[: len(layer.cell.state_names)]
    results = outputs_and_gradients(layer, INPUTS, states, mode, only=MASK, mask=MASK)
    assert_same(results, outputs_and_gradients(reference, INPUTS, states, only=MASK, mask=MASK))
    traced = layer.trace(INPUTS, states, MASK)
    assert list(traced) == list(cell.trace_names)
    for method in (layer.jacobians, layer.vjp):
        with pytest.raises(ValueError, match="gradient is written by hand"):
            method(INPUTS)


def softsign(x):
    return x / (1 + ops.abs(x))


@pytest.mark.parametrize("variant", KERAS)
@pytest.mark.parametrize(
    "options",
    [
        {"use_bias": False},
        {"activation": "relu", "recurrent_activation": "sigmoid"},
        {"activation": "sigmoid", "recurrent_activation": "tanh"},
        {"activation": "softsign", "recurrent_activation": "hard_sigmoid"},  # not by hand
        {"activation": softsign, "recurrent_activation": "linear", "use_bias": False},
    ],
    ids=["no bias", "relu", "sigmoid", "softsign", "function"],
)
def test_options_of_the_cells_equal_keras(variant, options):
    if variant == "rnn":
        options = {name: value for name, value in options.items() if "recurrent" not in name}
    layer = Recurrent(make_cell(variant, **options), return_sequences=True)
    reference = keras_layer(variant, return_sequences=True, **options)
    same_weights(layer, reference)
    assert layer.cell.has_written_gradient == (
        options.get("activation") not in ("softsign", softsign)
    )
    assert_same(
        outputs_and_gradients(layer, INPUTS, only=MASK, mask=MASK),
        outputs_and_gradients(reference, INPUTS, only=MASK, mask=MASK),
    )


def test_regularizers_and_constraints_train_as_in_keras():
    options = {
        "kernel_regularizer": "l1",
        "recurrent_regularizer": keras.regularizers.L2(0.1),
        "bias_regularizer": "l2",
        "kernel_constraint": "non_neg",
        "recurrent_constraint": keras.constraints.MaxNorm(1.0),
        "bias_constraint": keras.constraints.UnitNorm(),
    }
    ends = []
    for layer in (Recurrent(LSTMCell(UNITS, **options)), layers.LSTM(UNITS, **options)):
        model = keras.Sequential([keras.Input((TIME, FEATURES)), layer])
        randomise(model)
        model.compile(keras.optimizers.SGD(0.1), "mse")
        loss = model.fit(INPUTS, STATES[0], epochs=3, shuffle=False, verbose=0).history["loss"]
        ends.append([np.array(loss), *model.get_weights()])
    for one, other in zip(*ends, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_stateful_bidirectional_and_stack_reset():
    layer = Stacked(
        [
            Bidirectional(ours("gru", return_sequences=True, stateful=True)),
            ours("lstm", stateful=True),
        ]
    )
    first, second = numbers(layer(INPUTS)), numbers(layer(INPUTS))
    assert not np.allclose(first, second)
    layer.reset_state()
    np.testing.assert_array_equal(numbers(layer(INPUTS)), first)


def test_last_states_continue_a_sequence():
    """Reading in two halves, the states handed over, is reading at once; for a stack too."""
    whole = Stacked([ours("lstm", return_sequences=True), ours("gru", return_state=True)])
    lower, upper = whole.layers
    at_once = numbers(whole(INPUTS))
    lower.return_state = True
    below, *low = lower(INPUTS[:, :4])
    _, *up = upper(below)
    lower.return_state = False
    rest = whole(INPUTS[:, 4:], initial_state=[low, up])
    np.testing.assert_allclose(numbers(rest)[0], at_once[0], atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ours("rnn")(INPUTS[0]), r"`inputs`.*\(6, 4\)"),
        (lambda: ours("rnn")(INPUTS[:, :0]), r"`inputs`.*\(3, 0, 4\)"),
        (lambda: ours_built("lstm")(INPUTS[..., :3]), r"`inputs`.*time, 4\).*\(3, 6, 3\)"),
        (lambda: ours("gru")(INPUTS, mask=MASK[:, :4]), r"`mask`.*\(3, 6\).*\(3, 4\)"),
        (lambda: ours("gru")(INPUTS, mask=MASK[..., None]), r"`mask`.*\(3, 6, 1\)"),
        (lambda: ours("lstm")(INPUTS, STATES[:1]), r"`initial_state`.*2 tensor.*\[\(3, 5\)\]"),
        (
            lambda: ours("gru")(INPUTS, [STATES[0][:, :4]]),
            r"`initial_state`.*\(3, 5\).*\[\(3, 4\)\]",
        ),
        (
            lambda: Stacked([ours("gru")])(INPUTS, initial_state=[STATES[:1]] * 2),
            r"`initial_state`.*1 layer.*2",
        ),
        (
            lambda: ours("gru", stateful=True).build((None, 6, 4)),
            r"`stateful=True`.*\(None, 6, 4\)",
        ),
        (
            lambda: ours_built("gru").cell(INPUTS[:, 0], [STATES[0][:1]]),
            r"`states`.*batch of 3.*\[\(1, 5\)\]",
        ),
        (lambda: ours_built("lstm").trace(INPUTS[..., :3]), r"`inputs`.*\(3, 6, 3\)"),
        (lambda: Recurrent(layers.Dense(3)), r"`cell`.*Dense"),
        (lambda: Bidirectional(layers.Dense(3)), r"`layer`.*Dense"),
        (lambda: Bidirectional(ours("rnn"), backward_layer=ours("rnn")), r"`go_backwards`"),
        (
            lambda: Bidirectional(
                ours("rnn"), backward_layer=ours("rnn", return_state=True, go_backwards=True)
            ),
            r"`return_state`",
        ),
        (lambda: Bidirectional(ours("rnn"), merge_mode="max"), r"`merge_mode`.*'max'"),
        (
            lambda: Stacked(
                [Bidirectional(ours("rnn", return_sequences=True), merge_mode=None), ours("rnn")]
            ),
            r"`layers`.*merge_mode=None",
        ),
        (lambda: Stacked([]), r"`layers`.*\[\]"),
        (lambda: Stacked([ours("rnn"), ours("rnn")]), r"`layers`.*return_sequences=True"),
    ],
)
def test_wrong_arguments_are_named_with_their_values(call, message):
    with pytest.raises(ValueError, match=message):
        call()
