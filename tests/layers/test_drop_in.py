"""Layers of Keras's names, cells of Keras and lists of cells, weights from Keras and PyTorch."""

import importlib.util
import inspect
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers as theirs

import unrolled.layers as ours
from tests.layers.autodiff import BACKEND, assert_same, outputs_and_gradients, randomise

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(3, 5, 4)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 1, 0, 1, 1]], bool)
# Outputs before the first step that is read are zero in Keras on TensorFlow; elsewhere they differ.
if BACKEND != "tensorflow":
    MASK[2, 0] = True
STATES = [RNG.normal(size=(3, 6)).astype("float32") for _ in range(2)]
NAMES = ["SimpleRNN", "LSTM", "GRU"]


@pytest.mark.parametrize("name", [*NAMES, "RNN", "Bidirectional", "StackedRNNCells", "Attention"])
def test_the_arguments_are_those_of_keras(name):
    expected = inspect.signature(getattr(theirs, name)).parameters.values()
    received = inspect.signature(getattr(ours, name)).parameters.values()
    received = [each for each in received if each.name != "checkpoint_every"]  # only here
    assert [(p.name, p.default) for p in received] == [(p.name, p.default) for p in expected]


def pair(name, *arguments, build=True, **options):
    """Our layer and Keras's, with the same random weights."""
    layers = [getattr(module, name)(*arguments, **options) for module in (ours, theirs)]
    for layer in layers:
        layer.build(INPUTS.shape)
    layers[1].set_weights(randomise(layers[0]))
    return layers


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "options",
    [
        {"return_sequences": True, "return_state": True},
        {"go_backwards": True, "use_bias": False, "kernel_regularizer": "l2"},
    ],
)
def test_named_layers_equal_keras(name, options):
    """Masks before the first step that is read count too: there Keras's outputs are zero."""
    mine, reference = pair(name, 6, **options)
    states = STATES if name == "LSTM" else STATES[:1]
    assert_same(
        outputs_and_gradients(mine, INPUTS, states, mask=MASK),
        outputs_and_gradients(reference, INPUTS, states, mask=MASK),
    )
    assert set(reference.get_config()) <= set(mine.get_config())
    np.testing.assert_allclose(mine.losses, reference.losses, rtol=1e-6)
    copy = type(mine).from_config(mine.get_config())
    assert copy.get_config() == mine.get_config()


def test_use_cudnn_is_kept_as_in_keras():
    layer = ours.Bidirectional(ours.GRU(2, use_cudnn=False))
    assert layer.forward_layer.use_cudnn is layer.backward_layer.use_cudnn is False


@pytest.mark.parametrize("name", NAMES)
def test_dropout_draws_what_keras_draws(name):
    for rates in ({"dropout": 0.4}, {"dropout": 0.4, "recurrent_dropout": 0.3}):
        mine, reference = pair(name, 6, seed=3, **rates)
        np.testing.assert_allclose(
            mine(INPUTS, training=True), reference(INPUTS, training=True), atol=1e-5
        )


def test_a_forget_bias_left_to_its_initializer():
    for flag in (True, False):
        mine, reference = (
            module.LSTM(2, unit_forget_bias=flag, bias_initializer="ones", name="lstm")
            for module in (ours, theirs)
        )
        for layer in (mine, reference):
            layer.build((None, None, 3))
        np.testing.assert_array_equal(mine.get_weights()[2], reference.get_weights()[2])
        assert mine.unit_forget_bias is flag and mine.get_config()["unit_forget_bias"] is flag


def test_a_model_trains_to_the_same_numbers(tmp_path):
    """With the import changed alone; the padding is masked. The weights fit in files too."""

    def model(module):
        keras.utils.set_random_seed(1)
        network = keras.Sequential(
            [
                keras.Input((6,), dtype="int32"),
                theirs.Embedding(9, 4, mask_zero=True),
                module.Bidirectional(module.LSTM(3, return_sequences=True)),
                module.GRU(5, activity_regularizer="l2", name="gru"),
                theirs.Dense(1, name="dense"),
            ]
        )
        return network

    models = [model(ours), model(theirs)]
    models[0].set_weights(models[1].get_weights())
    words = np.array([[1, 2, 3, 4, 0, 0], [5, 6, 7, 8, 1, 2]])
    for each in models:
        each.compile("adam", "mse")
        each.fit(words, np.ones((2, 1)), epochs=2, verbose=0)
    for mine, reference in zip(*(each.get_weights() for each in models), strict=True):
        np.testing.assert_allclose(mine, reference, atol=1e-4)
    expected = models[1].predict(words, verbose=0)
    again = model(theirs)
    again.set_weights(models[1].get_weights())
    again.save_weights(tmp_path / "of_keras.weights.h5")
    again = model(ours)
    again.load_weights(tmp_path / "of_keras.weights.h5")
    np.testing.assert_allclose(again.predict(words, verbose=0), expected, atol=1e-5)


class SumCell(keras.layers.Layer):
    """A cell of Keras's protocol whose output is no state, with one state of another size."""

    state_size = 4
    output_size = 2

    def call(self, inputs, states):
        total = states[0] + inputs
        return total[:, :2] * total[:, -2:], [total]


CELLS = {
    "lstm": lambda module: theirs.LSTMCell(6),
    "dropout": lambda module: theirs.GRUCell(6, dropout=0.5, recurrent_dropout=0.5, seed=1),
    "sum": lambda module: SumCell(),
    "list": lambda module: [theirs.LSTMCell(6), module(), SumCellOf6(), theirs.SimpleRNNCell(3)],
}


class SumCellOf6(SumCell):
    state_size = 6


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("backwards", [False, True])
def test_cells_of_keras_and_lists_of_cells_run_here_as_there(cell, backwards):
    options = {"return_sequences": True, "return_state": True, "go_backwards": backwards}
    both = []
    for module, own in ((ours, lambda: ours.GRUCell(6)), (theirs, lambda: theirs.GRUCell(6))):
        layer = module.RNN(CELLS[cell](own), **options)
        layer.build(INPUTS.shape)
        randomise(layer)
        both.append(layer)
    mask = MASK
    if cell == "sum" and BACKEND != "tensorflow":
        mask = None  # there Keras takes the first state for an output
    arguments = {"mask": mask, "training": True}
    results = [outputs_and_gradients(layer, INPUTS, **arguments) for layer in both]
    assert_same(*results)
    shapes = [layer.compute_output_shape(INPUTS.shape) for layer in both]
    assert keras.tree.flatten(shapes[0]) == keras.tree.flatten(shapes[1])


def test_the_states_of_a_list_of_cells_continue_a_sequence():
    layer = ours.RNN([ours.LSTMCell(3), theirs.GRUCell(2)], return_state=True)
    whole, *last = layer(INPUTS)
    _, *states = layer(INPUTS[:, :2])
    again, *also = layer(INPUTS[:, 2:], initial_state=states)
    np.testing.assert_allclose(again, whole, atol=1e-6)
    assert [len(each) for each in also] == [len(each) for each in last] == [2, 1]
    stateful = ours.RNN(layer.cell, stateful=True)
    stateful(INPUTS[:, :2])
    np.testing.assert_allclose(stateful(INPUTS[:, 2:4]), layer(INPUTS[:, :4])[0], atol=1e-6)


def test_only_a_cell_of_ours_is_traced():
    with pytest.raises(ValueError, match="`trace`.*GRUCell"):
        ours.Recurrent(theirs.GRUCell(2)).trace(INPUTS)


@pytest.mark.parametrize("name", NAMES)
def test_layers_of_keras_and_back(name):
    layer = getattr(theirs, name)(6, return_sequences=True, dropout=0.2, bias_initializer="ones")
    expected = layer(INPUTS)
    mine = ours.from_keras(layer)
    np.testing.assert_allclose(mine(INPUTS), expected, atol=1e-5)
    back = ours.to_keras(mine)
    assert back.get_config() == layer.get_config()
    np.testing.assert_allclose(back(INPUTS), expected, atol=1e-6)
    assert not ours.from_keras(getattr(theirs, name)(6)).built


def test_a_bidirectional_of_keras_and_back():
    layer = theirs.Bidirectional(theirs.GRU(3, reset_after=False), merge_mode="sum")
    expected = layer(INPUTS)
    mine = ours.from_keras(layer)
    np.testing.assert_allclose(mine(INPUTS), expected, atol=1e-5)
    np.testing.assert_allclose(ours.to_keras(mine)(INPUTS), expected, atol=1e-5)


def test_a_recurrent_becomes_a_layer_of_keras():
    layer = ours.Recurrent(ours.LSTMCell(3, recurrent_activation="tanh"), go_backwards=True)
    expected = layer(INPUTS)
    np.testing.assert_allclose(ours.to_keras(layer)(INPUTS), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("convert", "layer", "sentence"),
    [
        (ours.to_keras, ours.Recurrent(ours.LSTMCell(2, peepholes=True)), "`peepholes`"),
        (ours.to_keras, ours.Recurrent(ours.GRUCell(2, weight_dropout=0.5)), "`weight_dropout`"),
        (ours.to_keras, ours.Recurrent(ours.GRUCell(2, recurrent_dropout=0.5)), "per_gate=True"),
        (ours.to_keras, theirs.Dense(2), "`layer`.*Dense"),
        (ours.from_keras, theirs.Dense(2), "`layer`.*Dense"),
        (ours.from_torch, SimpleNamespace(proj_size=3), "proj_size=3"),
    ],
)
def test_what_cannot_be_converted_is_named(convert, layer, sentence):
    with pytest.raises(ValueError, match=sentence):
        convert(layer)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def torch_reference(module, inputs):
    """The outputs of PyTorch's layers, from the equations of its documentation."""
    state, size = module.state_dict(), module.hidden_size
    for number in range(module.num_layers):
        directions = []
        for end in ("", "_reverse")[: 1 + module.bidirectional]:
            names = [f"{name}_l{number}{end}" for name in ("weight_ih", "weight_hh")]
            w, u = (state[name] for name in names)
            biases = [f"bias_{name}_l{number}{end}" for name in ("ih", "hh")]
            b, d = (state.get(name, np.zeros(len(w), "float32")) for name in biases)
            h = c = np.zeros((len(inputs), size), "float32")
            outputs = {}
            steps = range(inputs.shape[1])
            for t in reversed(steps) if end else steps:
                x, r = inputs[:, t] @ w.T + b, h @ u.T + d
                if module.mode == "RNN_RELU":
                    h = np.maximum(x + r, 0)
                elif module.mode == "LSTM":
                    i, f, g, o = np.split(x + r, 4, axis=1)
                    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                    h = sigmoid(o) * np.tanh(c)
                else:
                    (xr, xz, xn), (hr, hz, hn) = np.split(x, 3, axis=1), np.split(r, 3, axis=1)
                    z, n = sigmoid(xz + hz), np.tanh(xn + sigmoid(xr + hr) * hn)
                    h = (1 - z) * n + z * h
                outputs[t] = h
            directions.append(np.stack([outputs[t] for t in steps], axis=1))
        inputs = np.concatenate(directions, axis=-1)
    return inputs


class TorchLike(SimpleNamespace):
    """Says of itself what a recurrent module of PyTorch says."""

    def state_dict(self):
        rng = np.random.default_rng(5)
        rows = {"R": 1, "L": 4, "G": 3}[self.mode[0]] * self.hidden_size
        state = {}
        for number in range(self.num_layers):
            features = self.hidden_size * (1 + self.bidirectional) if number else 4
            for end in ("", "_reverse")[: 1 + self.bidirectional]:
                shapes = {"weight_ih": (rows, features), "weight_hh": (rows, self.hidden_size)}
                if self.bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                for name, shape in shapes.items():
                    array = rng.normal(size=shape).astype("float32")
                    state[f"{name}_l{number}{end}"] = array
        return state


@pytest.mark.parametrize(
    ("mode", "layers", "bidirectional", "bias"),
    [("RNN_RELU", 1, False, True), ("LSTM", 2, True, True), ("GRU", 2, False, True)]
    + [("GRU", 1, True, False)],
)
def test_weights_of_pytorch(mode, layers, bidirectional, bias):
    module = TorchLike(
        mode=mode, hidden_size=3, num_layers=layers, bidirectional=bidirectional, bias=bias
    )
    layer = ours.from_torch(module)
    expected = torch_reference(module, INPUTS)
    np.testing.assert_allclose(layer(INPUTS), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_modules_of_pytorch():
    import torch

    for kind in (torch.nn.RNN, torch.nn.LSTM, torch.nn.GRU):
        module = kind(4, 3, num_layers=2, bidirectional=True, batch_first=True)
        expected = module(torch.tensor(INPUTS))[0].detach().numpy()
        layer = ours.from_torch(module)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(INPUTS)), expected, atol=1e-5)
