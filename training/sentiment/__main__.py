"""Sentiment of film reviews: `python -m training.sentiment train|evaluate|study`.

`train` learns word vectors from all training and unlabelled reviews, fits the n-gram baseline and
the network with each cell by one recipe. If there is a language model (`python -m
training.language_model train`), a larger LSTM starts from it. Scores are measured on the
validation reviews and written into `models/sentiment`. `evaluate` scores the bundle on the
official test split or on a JSONL file; `evaluate --save` writes these scores into the card.
`study` compares the steps of pre-training.
"""

from training.command import make_app, run
from training.sentiment.evaluate import evaluate
from training.sentiment.study import study
from training.sentiment.train import train

app = make_app(__doc__, train, evaluate, study)

if __name__ == "__main__":
    run(app)
