"""Language models to start other networks from: `python -m training.language_model train|evaluate`.

`train` fits a recurrent network to say the next word, on film reviews (training and unlabelled
ones), Wikipedia, the Penn Treebank or a file of yours, and writes a bundle outside the repository;
`training.sentiment` starts its largest network from the one of the reviews. With `--start` it goes
on from another language model, whatever words that one knows. `evaluate` gives the perplexity.
"""

from training.command import run
from training.language_model.train import app

if __name__ == "__main__":
    run(app)
