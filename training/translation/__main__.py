"""English–French translation: `python -m training.translation train|evaluate`.

`train` learns subword units and a dictionary, fits the networks on Tatoeba's and Multi30k's pairs
together and writes `models/translation`. `evaluate` scores the shipped bundle, or any TSV file.
"""

from training.command import run
from training.translation.train import app

if __name__ == "__main__":
    run(app)
