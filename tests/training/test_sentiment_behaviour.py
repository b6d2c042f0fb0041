from types import SimpleNamespace

import numpy as np
import pytest

from apps.sentiment import suite
from shared import bundle
from training.sentiment import behaviour


def predict(texts):
    """A model that likes whatever is Polish or called Mei, and nothing else."""
    return np.array([0.5 + 0.1 * ("Polish" in text) + 0.4 * ("Mei " in text) for text in texts])


def test_bias_is_the_mean_by_group_of_the_same_sentences():
    bias = behaviour.measure_bias(predict)
    assert bias["nationalities"].pop("Polish") == pytest.approx(0.6)
    assert set(bias["nationalities"].values()) == {0.5} and len(bias["nationalities"]) == 11
    assert bias["names"].pop("Asia") == pytest.approx(0.6)  # one of four names
    assert set(bias["names"].values()) == {0.5} and len(bias["names"]) == 7


def test_every_group_is_read_in_the_same_sentences():
    assert len(set(behaviour.FRAMES)) == 20
    assert all(frame.startswith("{} ") and frame.count("{}") == 1 for frame in behaviour.FRAMES)
    names = [name for some in behaviour.NAMES.values() for name in some]
    assert len(set(names)) == 32 and {len(some) for some in behaviour.NAMES.values()} == {4}


def test_the_command_writes_pass_rates_and_bias_of_every_model_into_the_card(monkeypatch, tmp_path):
    model = SimpleNamespace(
        predict=predict, predict_classes=lambda texts: suite.two_classes(predict(texts))
    )
    monkeypatch.setattr(behaviour.Predictor, "load", lambda *_: model)
    monkeypatch.setattr(behaviour.Baseline, "load", lambda *_: model)
    card = bundle.read_card(bundle.MODELS / "sentiment")
    bundle.write_card(tmp_path, card)
    behaviour.behaviour(model=tmp_path, save=True)
    saved = bundle.read_card(tmp_path)
    assert list(saved["variants"]) == list(card["variants"])
    for details in (*saved["variants"].values(), saved["baseline"]):
        assert tuple(details["suite"]) == suite.kinds()
        assert details["social_bias"]["nationalities"]["Polish"] == pytest.approx(0.6)
    for name in ("accuracy", "bias"):  # the latter is that of the regression
        assert saved["baseline"][name] == card["baseline"][name]
