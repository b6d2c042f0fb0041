"""Language models to pretrain networks with: `python -m training.language_model train|evaluate`.

`train` fits a recurrent network that predicts the next word of film reviews (training and
unlabelled ones), Wikipedia, the Penn Treebank or a file of yours, and writes a bundle outside the
repository; the largest network of `training.sentiment` starts from that of the reviews. With
`--start` the weights come from another language model, whatever its vocabulary. `evaluate` prints
the perplexity on the validation and test parts or on a file; `evaluate --save` writes it into the
card.
"""

from training.command import make_app, run
from training.language_model.evaluate import evaluate
from training.language_model.train import train

app = make_app(__doc__, train, evaluate)

if __name__ == "__main__":
    run(app)
