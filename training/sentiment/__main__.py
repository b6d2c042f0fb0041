"""Sentiment of texts: `python -m training.sentiment COMMAND`.

`train` learns word vectors from all training and unlabelled reviews, fits the n-gram baseline and
the network with each cell by one recipe. If there is a language model (`python -m
training.language_model train`), a larger LSTM starts from it. Scores are measured on the
validation reviews and written into `models/sentiment`. `evaluate` scores the bundle on the
official test split or on a JSONL file; `evaluate --save` writes these scores into the card.
`study` compares the steps of pre-training.

`general` trains the network for sentences, tweets and reviews, which starts from the LSTM of
reviews. `sources` scores all models on the test sets of each kind of text. `behaviour` scores them
on the short texts and pairs that the page shows, and measures what names and nationalities do;
with `--save` it writes both into the card.

`train-trees` trains the tree LSTM and the parser of sentences on the Stanford Sentiment Treebank
and writes `models/trees`; `evaluate-trees` scores them on its test split.
"""

from training.command import make_app, run
from training.sentiment.behaviour import behaviour
from training.sentiment.evaluate import evaluate
from training.sentiment.sources import sources
from training.sentiment.study import study
from training.sentiment.train import general, train
from training.sentiment.trees import evaluate_trees, train_trees

TREES = (train_trees, evaluate_trees)
app = make_app(__doc__, train, general, evaluate, sources, study, behaviour, *TREES)

if __name__ == "__main__":
    run(app)
