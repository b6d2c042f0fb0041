"""Price forecasting: `python -m training.forecasting train|evaluate`.

`train` fits one network to all tickers, with each cell by one recipe, and calibrates it on the
validation days. Scores are measured there, beside the baselines', and written into
`models/forecasting`. `evaluate` scores the bundle on the walk-forward test or on any CSV;
`evaluate --save` writes these scores into the card.
"""

from training.command import make_app, run
from training.forecasting.evaluate import evaluate
from training.forecasting.train import train

app = make_app(__doc__, train, evaluate)

if __name__ == "__main__":
    run(app)
