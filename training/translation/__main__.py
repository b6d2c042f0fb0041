"""English–French translation: `python -m training.translation train|quality|evaluate`.

`train` learns subword units and a dictionary, and trains the networks on the pairs of Tatoeba and
Multi30k together. Scores are measured on the validation pairs and written into
`models/translation`. `quality` fits the estimate of the main network's quality on the validation
pairs. `evaluate` scores the bundle on the two test sets or on a TSV file;
`evaluate --save` writes these scores into the card.
"""

from training.command import make_app, run
from training.translation.evaluate import evaluate
from training.translation.quality import quality
from training.translation.train import train

app = make_app(__doc__, train, quality, evaluate)

if __name__ == "__main__":
    run(app)
