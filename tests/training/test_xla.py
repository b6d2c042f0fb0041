"""Networks fitted with XLA, as their recipes do; the other tests of training use plain graphs."""

import keras
import numpy as np
import pytest

from apps.forecasting.features import NAMES
from apps.forecasting.model import ForecastNetwork
from apps.sentiment.model import CELLS, SentimentNetwork

TOKENS = np.array([[3, 5, 7, 2, 0, 0], [4, 4, 9, 8, 6, 1]], "int32")  # 0 is padding
LABELS = np.array([0.0, 1.0], "float32")
STEPS = 3


def fit_reviews(cell, xla):
    """The losses of a small network of reviews after each of a few steps."""
    keras.utils.set_random_seed(1)
    options = {"dropout": 0.0, "word_dropout": 0.0}
    network = SentimentNetwork(cell, vocabulary=10, dimensions=4, units=5, **options)
    network.build((None, None))
    network.compile(keras.optimizers.Adam(0.01), loss=None, jit_compile=xla)
    return [float(network.train_on_batch(TOKENS, LABELS)) for _ in range(STEPS)]


def fit_prices(cell, xla):
    """The losses of a small network of prices after each of a few steps."""
    keras.utils.set_random_seed(1)
    network = ForecastNetwork(cell, units=5, width=4, dropout=0.0)
    rows = np.random.default_rng(1).normal(size=(2, 9, len(NAMES))).astype("float32")
    target = np.zeros(np.shape(network(rows)), "float32")
    network.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=xla)
    return [float(network.train_on_batch(rows, target)) for _ in range(STEPS)]


@pytest.mark.parametrize("fit", [fit_reviews, fit_prices])
@pytest.mark.parametrize("cell", CELLS)
def test_xla_and_a_plain_graph_learn_the_same(fit, cell):
    compiled = fit(cell, xla=True)
    assert compiled[-1] < compiled[0]
    np.testing.assert_allclose(compiled, fit(cell, xla=False), rtol=1e-3)
