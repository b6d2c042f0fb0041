"""Price forecasting: `python -m training.forecasting train|evaluate`.

`train` fits one network over all tickers with each cell under one recipe, calibrates it on the
validation days, scores everything once on the walk-forward test and writes
`models/forecasting`. `evaluate` scores the shipped bundle, or any CSV, beside the baselines.
"""

from training.command import run
from training.forecasting.train import app

if __name__ == "__main__":
    run(app)
