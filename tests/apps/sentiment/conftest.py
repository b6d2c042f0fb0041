import pytest

from apps.sentiment.model import SentimentNetwork
from apps.sentiment.predictor import Calibration, Predictor
from shared.text import WordPieceTokenizer

TEXT = "not bad at all a good film but the food was awful and i loved it , . ? !"


@pytest.fixture(scope="session")
def general():
    """A small untrained network of three classes, in place of the one that the site ships with."""
    words = TEXT.split()
    network = SentimentNetwork(
        vocabulary=len(words) + 2, dimensions=8, units=6, classes=3, pool_last=True, seed=3
    )
    network.build((None, 4))
    calibration = Calibration(temperature=0.5, bias=-0.1, neutral_bias=0.4)
    return Predictor(network, WordPieceTokenizer.build(words), calibration, variant="general")
