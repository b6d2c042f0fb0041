import keras
import numpy as np
import pytest
from keras import ops

from shared.compiled import (
    CALLS_BEFORE_XLA,
    MAX_XLA_ROWS,
    Compiled,
    compile_at_first_call,
    wait_for_compilation,
)


def make_compiled():
    """A compiled function, and the list of the shapes that TensorFlow traced it with."""
    shapes = []

    def double(values):
        shapes.append(tuple(values.shape))  # runs when a graph is traced
        return ops.tanh(values) * 2

    return Compiled(double), shapes


def test_the_plain_and_the_compiled_graph_agree():
    compiled, shapes = make_compiled()
    values = np.linspace(-1, 1, 6).astype("float32")
    for _ in range(CALLS_BEFORE_XLA):
        np.testing.assert_allclose(compiled(values), 2 * np.tanh(values), rtol=1e-6)
    wait_for_compilation(300)
    np.testing.assert_allclose(compiled(values), 2 * np.tanh(values), rtol=1e-6)
    if keras.backend.backend() == "tensorflow":
        assert shapes == [(6,)]  # once for both graphs
    np.testing.assert_allclose(compiled(values[:4]), 2 * np.tanh(values[:4]), rtol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow has graphs")
def test_xla_compiles_shapes_called_often_or_while_warming_up(monkeypatch):
    compilations = []
    monkeypatch.setattr(Compiled, "_compile", lambda *arguments: compilations.append(arguments))
    compiled, _ = make_compiled()
    values = np.zeros(6, "float32")
    for calls in range(1, CALLS_BEFORE_XLA + 2):
        compiled(values)
        wait_for_compilation(300)
        assert len(compilations) == (calls >= CALLS_BEFORE_XLA)
    with compile_at_first_call():
        compiled(values[:3])
    wait_for_compilation(300)
    assert len(compilations) == 2
    compiled(values[:2])
    wait_for_compilation(300)
    assert len(compilations) == 2
    for rows in (MAX_XLA_ROWS, MAX_XLA_ROWS + 1):
        with compile_at_first_call():
            compiled(np.zeros(rows, "float32"))
        wait_for_compilation(300)
        assert len(compilations) == 3


def test_each_data_type_has_a_graph_of_its_own():
    compiled = Compiled(lambda a, b: (a + b, a))
    total, first = compiled(np.ones((2, 3), "int32"), np.ones((1, 3), "int32"))
    np.testing.assert_array_equal(total, np.full((2, 3), 2))
    assert np.asarray(first).dtype == np.int32
    total, _ = compiled(np.ones((2, 3), "float32"), np.full((1, 3), 0.5, "float32"))
    np.testing.assert_allclose(total, np.full((2, 3), 1.5))
