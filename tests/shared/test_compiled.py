import threading

import keras
import numpy as np
from keras import ops

from shared.compiled import Compiled


def test_the_plain_answer_comes_first_and_the_compiled_one_agrees():
    shapes, done = [], threading.Event()

    def double(values):
        shapes.append(tuple(values.shape))  # runs when a graph is traced
        return ops.tanh(values) * 2

    compiled = Compiled(double)
    values = np.linspace(-1, 1, 6).astype("float32")
    np.testing.assert_allclose(compiled(values), 2 * np.tanh(values), rtol=1e-6)
    Compiled._worker.submit(done.set)
    assert done.wait(300)  # what was asked for before is compiled by now, other tests’ graphs too
    np.testing.assert_allclose(compiled(values), 2 * np.tanh(values), rtol=1e-6)
    if keras.backend.backend() == "tensorflow":
        assert shapes == [(6,), (6,)]  # once plain, once under XLA, never again
    np.testing.assert_allclose(compiled(values[:4]), 2 * np.tanh(values[:4]), rtol=1e-6)


def test_arrays_of_another_kind_get_a_graph_of_their_own():
    compiled = Compiled(lambda a, b: (a + b, a))
    total, first = compiled(np.ones((2, 3), "int32"), np.ones((1, 3), "int32"))
    np.testing.assert_array_equal(total, np.full((2, 3), 2))
    assert np.asarray(first).dtype == np.int32
    total, _ = compiled(np.ones((2, 3), "float32"), np.full((1, 3), 0.5, "float32"))
    np.testing.assert_allclose(total, np.full((2, 3), 1.5))
