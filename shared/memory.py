"""What the process does with glibc's heaps, so that freed memory goes back to the system."""

import ctypes
import sys


def share_heaps():
    """Let all threads share two heaps of glibc, so that one can use what another has freed."""
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(-8, 2)  # M_ARENA_MAX


def trim_memory():
    """Return freed memory to the system. glibc keeps it otherwise, 50 MB after each compilation."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)
