import keras
import numpy as np
import pytest
from keras import ops

from shared.compiled import FEW, OFTEN, Compiled, ahead, wait


def traced():
    """A compiled function, and the list of the shapes that it was traced with."""
    shapes = []

    def double(values):
        shapes.append(tuple(values.shape))  # runs when a graph is traced
        return ops.tanh(values) * 2

    return Compiled(double), shapes


def test_the_plain_answer_comes_first_and_the_compiled_one_agrees():
    compiled, shapes = traced()
    values = np.linspace(-1, 1, 6).astype("float32")
    for _ in range(OFTEN):
        np.testing.assert_allclose(compiled(values), 2 * np.tanh(values), rtol=1e-6)
    wait(300)
    np.testing.assert_allclose(compiled(values), 2 * np.tanh(values), rtol=1e-6)
    if keras.backend.backend() == "tensorflow":
        assert shapes == [(6,)]  # once for both graphs
    np.testing.assert_allclose(compiled(values[:4]), 2 * np.tanh(values[:4]), rtol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow has graphs")
def test_only_what_is_asked_often_or_ahead_of_time_is_compiled(monkeypatch):
    made = []
    monkeypatch.setattr(Compiled, "_compile", lambda self, shapes, arrays: made.append(arrays))
    compiled, _ = traced()
    values = np.zeros(6, "float32")
    for calls in range(1, OFTEN + 2):
        compiled(values)
        wait(300)
        assert len(made) == (calls >= OFTEN)
    with ahead():
        compiled(values[:3])
    wait(300)
    assert len(made) == 2
    compiled(values[:2])
    wait(300)
    assert len(made) == 2
    for rows in (FEW, FEW + 1):
        with ahead():
            compiled(np.zeros(rows, "float32"))
        wait(300)
        assert len(made) == 3


def test_arrays_of_another_kind_get_a_graph_of_their_own():
    compiled = Compiled(lambda a, b: (a + b, a))
    total, first = compiled(np.ones((2, 3), "int32"), np.ones((1, 3), "int32"))
    np.testing.assert_array_equal(total, np.full((2, 3), 2))
    assert np.asarray(first).dtype == np.int32
    total, _ = compiled(np.ones((2, 3), "float32"), np.full((1, 3), 0.5, "float32"))
    np.testing.assert_allclose(total, np.full((2, 3), 1.5))
