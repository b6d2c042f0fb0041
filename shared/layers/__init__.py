"""Recurrent layers with hand-written back-propagation through time, for Keras 3."""

from shared.layers.attention import AdditiveAttention, DotAttention
from shared.layers.cells import Cell, GRUCell, LSTMCell, RNNCell, TreeLSTMCell
from shared.layers.recurrent import Bidirectional, Recurrent, Stacked
from shared.layers.recursive import Recursive, schedule

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
