"""Functions on tensors that answer at once, and faster once XLA has compiled them."""

import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np


class Compiled:
    """A function of arrays as a graph: a plain one until XLA has compiled it for their shapes.

    XLA halves the time of an answer but takes seconds to compile each shape; a single thread does
    that, one shape after another, while visitors get the plain graph's answers; where it cannot,
    the plain graph stays. On backends other than TensorFlow the function is called as it is.

    Args:
        function: Function of tensors that returns tensors.
        xla: Whether XLA compiles it at all. It makes convolutions on a CPU ten times slower.

    Call arguments:
        arrays: Numpy arrays; each set of shapes is a graph of its own.
    """

    _worker = ThreadPoolExecutor(1, "compile")
    _lock = threading.Lock()

    def __init__(self, function, xla=True):
        self._plain = self._fast = function
        self._xla = xla
        self._ready, self._asked = set(), set()
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            self._plain = tf.function(function, autograph=False)
            self._fast = tf.function(function, autograph=False, jit_compile=True)

    def __call__(self, *arrays):
        shapes = tuple((array.shape, array.dtype.str) for array in arrays)
        if not self._xla:
            return self._plain(*arrays)
        if shapes in self._ready:
            return self._fast(*arrays)
        with self._lock:
            first = shapes not in self._asked
            self._asked.add(shapes)
        if first:
            self._worker.submit(self._compile, shapes, arrays)
        return self._plain(*arrays)

    def _compile(self, shapes, arrays):
        self._fast(*arrays)
        self._ready.add(shapes)


def filled(rows, count):
    """An array of rows, the last repeated until there are `count`: few shapes, few graphs."""
    return np.concatenate([rows, np.repeat(rows[-1:], count - len(rows), axis=0)])
