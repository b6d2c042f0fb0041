"""Recurrent layers written by hand on `keras.ops`."""

from shared.layers.attention import AdditiveAttention, DotAttention
from shared.layers.cells import Cell, GRUCell, LSTMCell, RNNCell
from shared.layers.recurrent import Bidirectional, Recurrent, Stacked

__all__ = [
    "AdditiveAttention",
    "Bidirectional",
    "Cell",
    "DotAttention",
    "GRUCell",
    "LSTMCell",
    "RNNCell",
    "Recurrent",
    "Stacked",
]
