"""Plays and articles, by characters: `python -m training.characters train|evaluate`.

`train` fits the LSTM of the laboratory's lesson “Hands on the gates” and an n-gram baseline on
Tiny Shakespeare and openings of Wikipedia's articles, scores both on the last 5 % of each, looks
for units that follow something a reader can see, and writes `models/characters`. `evaluate`
scores the bundle, there or on a file.
"""

from training.characters.train import app
from training.command import run

if __name__ == "__main__":
    run(app)
