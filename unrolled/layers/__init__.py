"""Recurrent layers with hand-written back-propagation through time, for Keras 3."""

from unrolled.layers.attention import (
    AdditiveAttention,
    Attention,
    DotAttention,
    KerasAdditiveAttention,
)
from unrolled.layers.cells import Cell, GRUCell, LSTMCell, RNNCell, TreeLSTMCell
from unrolled.layers.conv import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D, ConvLSTMCell
from unrolled.layers.drop_in import GRU, LSTM, SimpleRNN, from_keras, from_torch, to_keras
from unrolled.layers.gated import LayerNormLSTMCell, MultiplicativeLSTMCell, SLSTMCell
from unrolled.layers.linear import LinearCell, LRUCell, MinGRUCell, MinLSTMCell
from unrolled.layers.recurrent import RNN, Bidirectional, Recurrent, Stacked, StackedRNNCells
from unrolled.layers.recursive import Recursive, schedule

CELLS = {"rnn": RNNCell, "gru": GRUCell, "lstm": LSTMCell}

__all__ = [
    "CELLS",
    "GRU",
    "KerasAdditiveAttention",
    "LSTM",
    "LRUCell",
    "RNN",
    "AdditiveAttention",
    "Attention",
    "Bidirectional",
    "Cell",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "ConvLSTMCell",
    "DotAttention",
    "GRUCell",
    "LSTMCell",
    "LayerNormLSTMCell",
    "LinearCell",
    "MinGRUCell",
    "MinLSTMCell",
    "MultiplicativeLSTMCell",
    "RNNCell",
    "Recurrent",
    "Recursive",
    "SLSTMCell",
    "SimpleRNN",
    "Stacked",
    "StackedRNNCells",
    "TreeLSTMCell",
    "from_keras",
    "from_torch",
    "schedule",
    "to_keras",
]
