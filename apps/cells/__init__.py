"""The laboratory of cells."""

CELLS = {"rnn": "RNN", "irnn": "IRNN", "lstm": "LSTM", "gru": "GRU"}  # IRNN: see `make_cell`
