"""Answers to questions about photographs: `python -m training.vqa train|evaluate`.

`train` fits every network on what the image encoder of `training.captioning` sees (ImageNet's where
it has not been tuned yet), which stays as it is, and writes `models/vqa`. `evaluate` scores the
shipped bundle and its baselines on the test questions, or on your own.
"""

from training.command import run
from training.vqa.train import app

if __name__ == "__main__":
    run(app)
