"""Functions of arrays that run as a plain graph at first, and faster once XLA has compiled them."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar

import keras
import numpy as np

from shared.memory import trim_memory

CALLS_BEFORE_XLA = 3  # with the same shapes
MAX_XLA_ROWS = 8  # with 64 rows XLA saves 10 to 20 % of the time and takes 60 to 180 MB
_calls_before_xla = ContextVar("calls_before_xla", default=CALLS_BEFORE_XLA)


@contextmanager
def compile_at_first_call():
    """Within this context, XLA compiles what this thread calls at the first call.

    It is meant for warming up.
    """
    token = _calls_before_xla.set(1)
    try:
        yield
    finally:
        _calls_before_xla.reset(token)


def wait_for_compilation(timeout_seconds=None):
    """Wait until all compilations that have been scheduled are done.

    Raises:
        TimeoutError: if it takes longer than `timeout_seconds`.
    """
    Compiled._worker.submit(lambda: None).result(timeout_seconds)


class Compiled:
    """A function of arrays as a graph: a plain one until XLA has compiled it for their shapes.

    XLA halves the time of a call but takes seconds and about 20 MB to compile it for each set of
    shapes. Shapes that were called `CALLS_BEFORE_XLA` times are compiled by a single background
    thread, one after another, while callers get the plain graph's results. The plain graph stays
    where XLA cannot compile the function, and for more than `MAX_XLA_ROWS` rows. On backends other
    than TensorFlow the function is called as it is.

    Args:
        function: Function of tensors that returns tensors.
        xla: Whether XLA compiles the function at all. XLA makes convolutions on a CPU ten times
            slower.

    Call arguments:
        arrays: Numpy arrays; each set of shapes and data types has a graph of its own.
    """

    _worker = ThreadPoolExecutor(1, "compile")
    _lock = threading.Lock()

    def __init__(self, function, xla=True):
        self._plain = self._fast = function
        self._xla = xla
        self._calls, self._submitted, self._compiled = Counter(), set(), set()
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            self._plain = tf.function(function, autograph=False)
            self._fast = tf.function(self._plain, autograph=False, jit_compile=True)

    def __call__(self, *arrays):
        shapes = tuple((array.shape, array.dtype.str) for array in arrays)
        if not self._xla or len(arrays[0]) > MAX_XLA_ROWS:
            return self._plain(*arrays)
        if shapes in self._compiled:
            return self._fast(*arrays)
        with self._lock:
            self._calls[shapes] += 1
            due = self._calls[shapes] >= _calls_before_xla.get() and shapes not in self._submitted
            if due:
                self._submitted.add(shapes)
        if due:
            self._worker.submit(self._compile, shapes, arrays)
        return self._plain(*arrays)

    def _compile(self, shapes, arrays):
        self._fast(*arrays)
        self._compiled.add(shapes)
        trim_memory()


def pad_rows(rows, count):
    """An array with its last row repeated until there are `count`: few shapes, few graphs."""
    return np.concatenate([rows, np.repeat(rows[-1:], count - len(rows), axis=0)])
