"""Plays and articles, by characters: `python -m training.characters train|evaluate`.

`train` fits the LSTM of the laboratory's lesson “Hands on the gates” and an n-gram baseline on
Tiny Shakespeare and the openings of Wikipedia's articles, and looks for units that follow
something that a reader can see. Scores are measured on the validation part of each text and written
into `models/characters`. `evaluate` scores the bundle on the last 5 % of each text or on a file;
`evaluate --save` writes these scores into the card.
"""

from training.characters.evaluate import evaluate
from training.characters.train import train
from training.command import make_app, run

app = make_app(__doc__, train, evaluate)

if __name__ == "__main__":
    run(app)
