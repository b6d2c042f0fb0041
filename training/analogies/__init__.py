"""Word vectors and analogies: `python -m training.analogies train|evaluate|sizes|study`."""
