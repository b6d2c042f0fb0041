"""Captions for photographs: `python -m training.captioning train|evaluate`.

`train` fits the decoder on what the frozen image encoder sees, then both at a small rate, then the
decoder for what its captions score (self-critical training, Rennie et al. 2017), and writes
`models/captioning` with the encoder as fine-tuned. `evaluate` scores the shipped bundle on
Flickr8k's test photographs, or on your own.
"""

from training.captioning.train import app
from training.command import run

if __name__ == "__main__":
    run(app)
