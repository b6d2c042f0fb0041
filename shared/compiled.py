"""Functions on tensors that answer at once, and faster once XLA has compiled them."""

import ctypes
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import keras
import numpy as np

OFTEN = 3  # calls with the same shapes, after which they are worth compiling
FEW = 8  # rows: with 64 XLA gains a tenth of the time or two, and takes 60 to 180 MB
_thread = threading.local()


@contextmanager
def ahead():
    """What this thread asks for in here is compiled without having been asked for `OFTEN`."""
    _thread.ahead = True
    try:
        yield
    finally:
        _thread.ahead = False


def wait(seconds=None):
    """Wait until all that was worth compiling so far is compiled; at most so long."""
    Compiled._worker.submit(lambda: None).result(seconds)


def give_back():
    """Return freed memory to the system, which glibc keeps: 50 MB after each compilation."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)


class Compiled:
    """A function of arrays as a graph: a plain one until XLA has compiled it for their shapes.

    XLA halves the time of an answer but takes seconds and some 20 MB to compile each shape; a
    single thread does that with those asked for `OFTEN`, one after another, while visitors get the
    plain graph's answers; where it cannot, or of more than `FEW` rows, the plain graph stays. On
    backends other than TensorFlow the function is called as it is.

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
        self._ready, self._begun, self._asked = set(), set(), Counter()
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            self._plain = tf.function(function, autograph=False)
            self._fast = tf.function(self._plain, autograph=False, jit_compile=True)

    def __call__(self, *arrays):
        shapes = tuple((array.shape, array.dtype.str) for array in arrays)
        if not self._xla or len(arrays[0]) > FEW:
            return self._plain(*arrays)
        if shapes in self._ready:
            return self._fast(*arrays)
        with self._lock:
            self._asked[shapes] += OFTEN if getattr(_thread, "ahead", False) else 1
            due = shapes not in self._begun and self._asked[shapes] >= OFTEN
            if due:
                self._begun.add(shapes)
        if due:
            self._worker.submit(self._compile, shapes, arrays)
        return self._plain(*arrays)

    def _compile(self, shapes, arrays):
        self._fast(*arrays)
        self._ready.add(shapes)
        give_back()


def filled(rows, count):
    """An array of rows, the last repeated until there are `count`: few shapes, few graphs."""
    return np.concatenate([rows, np.repeat(rows[-1:], count - len(rows), axis=0)])
