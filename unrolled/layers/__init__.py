"""Recurrent layers with hand-written back-propagation through time, for Keras 3."""

from unrolled.layers.attention import AdditiveAttention, DotAttention
from unrolled.layers.cells import Cell, GRUCell, LSTMCell, RNNCell, TreeLSTMCell
from unrolled.layers.recurrent import Bidirectional, Recurrent, Stacked
from unrolled.layers.recursive import Recursive, schedule

CELLS = {"rnn": RNNCell, "gru": GRUCell, "lstm": LSTMCell}

__all__ = [
    "CELLS",
    "AdditiveAttention",
    "Bidirectional",
    "Cell",
    "DotAttention",
    "GRUCell",
    "LSTMCell",
    "RNNCell",
    "Recurrent",
    "Recursive",
    "Stacked",
    "TreeLSTMCell",
    "schedule",
]
