"""Answers to questions about photographs: `python -m training.vqa train|evaluate`.

`train` fits every network on the features of the image encoder of `training.captioning` (ImageNet's
if that was not trained), which stays as it is. Scores are measured on the validation questions and
written into `models/vqa`. `evaluate` scores the bundle and its baselines on the test questions or
on your own; `evaluate --save` writes these scores into the card.
"""

from training.command import make_app, run
from training.vqa.evaluate import evaluate
from training.vqa.train import train

app = make_app(__doc__, train, evaluate)

if __name__ == "__main__":
    run(app)
