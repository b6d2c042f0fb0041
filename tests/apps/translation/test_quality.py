import numpy as np
import pytest

from apps.translation.predictor import Hypothesis, Sentence
from apps.translation.quality import FEATURES, Quality, features


def make(french, probabilities, source="The big dog saw the garden.", attention=None):
    pieces = ("▁The", "▁big", "▁dog", "▁saw", "▁the", "▁garden", ".", "[END]")
    written = tuple(f"▁{n}" for n in range(len(probabilities)))
    if attention is None:
        attention = np.eye(len(written), len(pieces))
    best = Hypothesis(french, written, np.array(probabilities), attention, -0.2)
    return Sentence(source, pieces, (best,))


def test_the_features_are_those_worked_out_by_hand():
    sentence = make("Le chien voit chien.", [0.5, 0.25, 1.0, 1.0])
    values = dict(zip(FEATURES, features(sentence, {"garden"}), strict=True))
    assert values["lowest log-probability of a token"] == pytest.approx(np.log(0.25))
    assert values["mean log-probability of the tokens"] == pytest.approx(np.log(0.125) / 4)
    # Of the six words the diagonal attention reaches four.
    assert values["share of English words that were hardly attended to"] == pytest.approx(1 / 3)
    assert values["share of French words that are repeated"] == pytest.approx(1 / 3)
    assert values["difference of the lengths"] == pytest.approx(np.log(2))
    assert values["margin before the second translation"] == 1.0


def test_a_missing_figure_is_noticed():
    where = FEATURES.index("whether a figure or a name is missing")
    source = "It costs 45 euros."
    assert features(make("Ça coûte 45 euros.", [1.0], source), None)[where] == 0
    assert features(make("Ça coûte 54 euros.", [1.0], source), None)[where] == 1


def test_the_probability_is_the_logistic_function_of_the_weighted_features():
    weights = (-1.0, *[0.0] * (len(FEATURES) - 1))
    quality = Quality(weights, intercept=-1.0, threshold=0.5)
    sentence = make("Le chien.", [0.5, 1.0])
    assert quality.probability(sentence, None) == pytest.approx(1 / (1 + np.exp(1 - np.log(2))))
