"""The tree LSTM: numbers worked out by hand, gradients, and many trees at once."""

from math import tanh

import keras
import numpy as np
import pytest
from keras import ops

from tests.layers.autodiff import assert_same, outputs_and_gradients, randomise
from tests.layers.test_cells import sigmoid
from unrolled.layers import LSTMCell, Recursive, TreeLSTMCell, schedule

# ((a (b c)) (d e)), (a b), a, and (((a b) c) d)
TREES = [
    np.array([[1, 2], [0, 5], [3, 4], [6, 7]]),
    np.array([[0, 1]]),
    np.zeros((0, 2), int),
    np.array([[0, 1], [4, 2], [5, 3]]),
]
LEAVES = sum(len(tree) + 1 for tree in TREES)


def array(tensor):
    return ops.convert_to_numpy(tensor)


def test_a_step_by_hand():
    cell = TreeLSTMCell(1)
    cell.build((None, 1))
    recurrent = [[0.1, 0.2, 0.3, 0.4, 0.5], [0.2, 0.4, 0.6, 0.8, 1.0]]
    cell.set_weights([np.full((1, 4), 0.5), np.array(recurrent), np.array([0.0, 1.0, 0.0, 0.0])])
    hidden, states = cell(np.ones((1, 1)), [np.array([[0.4, -0.2]]), np.array([[2.0, -3.0]])])
    # The left child adds 0.04, 0.08, 0.12, 0.16, 0.2, the right one takes the same away.
    expected = sigmoid(0.5) * tanh(0.5) + sigmoid(1.5) * 2.0 + sigmoid(1.5) * -3.0
    assert array(states[1]) == pytest.approx(expected, abs=1e-6)
    assert array(hidden) == pytest.approx(sigmoid(0.5) * tanh(expected), abs=1e-6)
    hidden, states = cell(np.ones((1, 1)), [np.array([[0.4, 0.1]]), np.array([[2.0, -3.0]])])
    # Together 0.06, 0.12, 0.18, 0.24 and 0.3.
    expected = sigmoid(0.56) * tanh(0.74) + sigmoid(1.62) * 2.0 + sigmoid(1.68) * -3.0
    assert array(states[1]) == pytest.approx(expected, abs=1e-6)
    assert array(hidden) == pytest.approx(sigmoid(0.8) * tanh(expected), abs=1e-6)


@pytest.mark.parametrize("side", [0, 1])
def test_with_one_child_it_is_a_step_of_an_lstm(side):
    tree_cell, cell = TreeLSTMCell(3), LSTMCell(3)
    for each in (tree_cell, cell):
        each.build((None, 4))
    kernel, recurrent, bias = randomise(tree_cell)
    blocks = np.split(recurrent[3 * side : 3 * side + 3], 5, axis=1)
    recurrent = np.concatenate([blocks[0], blocks[1 + side], blocks[3], blocks[4]], axis=1)
    cell.set_weights([kernel, recurrent, bias])
    rng = np.random.default_rng(1)
    inputs, *states = (rng.normal(size=(2, n)).astype("float32") for n in (4, 3, 3))
    empty = np.zeros((2, 3), "float32")
    both = [np.concatenate([empty, s] if side else [s, empty], axis=1) for s in states]
    for ours, theirs in zip(tree_cell(inputs, both)[1], cell(inputs, states)[1], strict=True):
        np.testing.assert_allclose(array(ours), array(theirs), atol=1e-6)


def test_a_leaf_is_a_step_from_states_of_zero():
    cell = TreeLSTMCell(3)
    cell.build((None, 4))
    randomise(cell)
    inputs = np.random.default_rng(1).normal(size=(2, 4)).astype("float32")
    states = cell.leaf(cell.project(inputs))
    for leaf, step in zip(states, cell(inputs, cell.get_initial_state(2))[1], strict=True):
        np.testing.assert_allclose(array(leaf), array(step), atol=1e-6)


class OneByOne(keras.layers.Layer):
    """Calls the cell for each node of each tree, and leaves the gradient to the backend."""

    def __init__(self, cell, trees, rows, size):
        super().__init__()
        self.cell, self.trees, self.rows, self.size = cell, trees, rows, size

    def build(self, shape):
        self.cell.build(shape)

    def call(self, inputs, children, training=False):
        hidden = [ops.zeros(self.cell.units)] * self.size
        first = 0
        for tree, rows in zip(self.trees, self.rows, strict=True):
            leaves = len(tree) + 1
            states = []
            for leaf in range(first, first + leaves):
                states.append(self.cell(inputs[leaf : leaf + 1], self.cell.get_initial_state(1))[1])
            for left, right in tree:
                pairs = zip(states[left], states[right], strict=True)
                both = [ops.concatenate(pair, axis=-1) for pair in pairs]
                states.append(self.cell(ops.zeros_like(inputs[:1]), both)[1])
            for row, state in zip(rows, states, strict=True):
                hidden[row] = state[0][0]
            first += leaves
        return ops.stack(hidden)


class Used(keras.layers.Layer):
    """A layer's rows that are nodes; what pads the steps is set to zero."""

    def __init__(self, layer, rows, **kwargs):
        super().__init__(**kwargs)
        self.layer, self.rows = layer, np.concatenate(rows)

    def build(self, shape):
        self.layer.build(shape)

    def call(self, inputs, children, training=False):
        hidden = self.layer(inputs, children, training=training)
        used = np.isin(np.arange(hidden.shape[0]), self.rows)
        return ops.where(used[:, None], hidden, 0)


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("mode", ["eager", "graph", "jit"])
def test_many_trees_at_once_equal_one_by_one(width, mode):
    """Outputs, and gradients with respect to the inputs and the weights."""
    children, rows = schedule(TREES, width, steps=10)
    inputs = np.random.default_rng(0).normal(size=(LEAVES, 4)).astype("float32")
    ours = Used(Recursive(TreeLSTMCell(3)), rows)
    theirs = Used(OneByOne(TreeLSTMCell(3), TREES, rows, LEAVES + 10 * width), rows)
    for layer in (ours, theirs):
        layer.build(inputs.shape)
        randomise(layer)
    assert_same(
        outputs_and_gradients(ours, inputs, mode=mode, children=children),
        outputs_and_gradients(theirs, inputs, children=children),
    )


def test_gradients_under_dropout_equal_finite_differences():
    children, rows = schedule(TREES, 3)
    inputs = np.random.default_rng(0).normal(size=(LEAVES, 4))
    cell = TreeLSTMCell(3, dropout=0.3, recurrent_dropout=0.4, weight_dropout=0.2, dtype="float64")
    layer = Used(Recursive(cell, dtype="float64"), rows, dtype="float64")
    layer.build(inputs.shape)
    weights = randomise(layer)

    def restart():
        cell.seed_generator.state.assign(np.array([7, 0]))

    def loss(weights):
        restart()
        layer.set_weights(weights)
        return float(np.sum(np.sin(array(layer(inputs, children, training=True)))))

    restart()
    _, gradients = outputs_and_gradients(layer, inputs, children=children, training=True)
    rng = np.random.default_rng(3)
    for number, gradient in enumerate(gradients[1:]):
        direction = rng.normal(size=gradient.shape)
        moved = [
            loss([w + step * direction if n == number else w for n, w in enumerate(weights)])
            for step in (1e-4, -1e-4)
        ]
        assert (moved[0] - moved[1]) / 2e-4 == pytest.approx(np.sum(gradient * direction), rel=1e-4)


@pytest.mark.parametrize("width", [1, 2, 3, 100])
def test_children_are_computed_before_their_parents(width):
    rng = np.random.default_rng(width)
    trees = []
    for words in (1, 2, 9, 30):
        roots, merges = list(range(words)), []
        while len(roots) > 1:
            n = int(rng.integers(len(roots) - 1))
            merges.append(roots[n : n + 2])
            roots[n : n + 2] = [words + len(merges) - 1]
        trees.append(np.array(merges, int).reshape(-1, 2))
    children, rows = schedule(trees, width)
    leaves = sum(len(tree) + 1 for tree in trees)
    assert sorted(np.concatenate(rows)[: leaves + 38]) == sorted(set(np.concatenate(rows)))
    slots = children.reshape(-1, 2)
    for tree, places in zip(trees, rows, strict=True):
        for node, pair in enumerate(tree, start=len(tree) + 1):
            slot = places[node] - leaves
            assert slots[slot].tolist() == places[pair].tolist()
            for child in places[pair]:
                assert child < leaves or (child - leaves) // width < slot // width


def test_few_steps_are_needed():
    """As many as the deepest tree is high, where the width allows it."""
    deep = np.array([[0, 1], *([9 + n, 2 + n] for n in range(7))])
    flat = [np.array([[0, 1]])] * 7
    children, _ = schedule([*flat, deep], 2)
    assert len(children) == 8


@pytest.mark.parametrize(
    "tree", [[[0, 0]], [[0, 2]], [[0, 1], [0, 2]], [[-1, 1]], [[0, 3], [1, 2]]]
)
def test_what_is_no_tree_is_refused(tree):
    with pytest.raises(ValueError, match="one parent"):
        schedule([np.array(tree)], 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Recursive(LSTMCell(2)), "`cell`.*TreeLSTMCell"),
        (lambda: Recursive(TreeLSTMCell(2))(np.ones((1, 2, 3)), np.zeros((1, 1, 2))), "`inputs`"),
        (lambda: Recursive(TreeLSTMCell(2))(np.ones((2, 3)), np.zeros((1, 2))), "`children`"),
        (lambda: schedule(TREES, 1, steps=3), "need 8 steps.*steps=3"),
    ],
)
def test_bad_argument_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_config_round_trip():
    layer = Recursive(TreeLSTMCell(3, dropout=0.2, forget_bias=0.5), name="tested")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert copy.get_config() == layer.get_config()
    assert copy.cell.forget_bias == 0.5


def test_dtype_of_the_outputs_is_what_the_layer_announces():
    children, _ = schedule([np.array([[0, 1]])], width=1)
    words = np.ones((2, 3), "float32")
    for options, expected in (({"dtype": "float32"}, "float32"), ({}, "float16")):
        layer = Recursive(TreeLSTMCell(4, dtype="float16"), **options)
        hidden = layer(words, children)
        assert keras.backend.standardize_dtype(hidden.dtype) == layer.compute_dtype == expected
