import numpy as np

from apps.sentiment import suite, views
from apps.sentiment.behaviour import tab
from apps.sentiment.behaviour import views as behaviour_views
from apps.sentiment.predictor import Predictor
from apps.sentiment.suite import Case, Pair

THREE = np.array([[0.1, 0.2, 0.7], [0.3, 0.5, 0.2], [0.1, 0.8, 0.1]])
TWO = suite.two_classes([0.2, 0.1, 0.9])
CASES = [
    Case("typos", "Teh <b>best</b>", "positive"),
    Case("typos", "Borring", "negative"),
    Case("typos", "A flim", "neutral"),
]


def test_pass_rates_of_all_models_stand_in_one_table_also_those_not_measured():
    card = {
        "baseline": {"name": "NB", "suite": {"names": 0.25, "typos": 0.875}},
        "variants": {name: {"suite": {"names": 0.125}} for name in views.NETWORKS},
    }
    html = behaviour_views.pass_rates(card)
    assert [html.index(kind.capitalize()) for kind in suite.kinds()] == sorted(
        html.index(kind.capitalize()) for kind in suite.kinds()
    )
    assert html.count("12\u202f%") == len(views.NETWORKS)
    assert "25\u202f%" in html and "88\u202f%" in html
    assert html.count("–") > 10 * len(views.NETWORKS)


def test_texts_of_a_kind_are_marked_one_by_one():
    html = behaviour_views.cases(CASES, THREE, TWO, "general")
    assert "the general LSTM gets 0 wrong, the bag of words 1" in html
    assert "1 of them are neutral" in html
    assert "✓ positive 70\u202f%" in html and "✗ negative 80\u202f%" in html
    assert "✓ mixed or neutral 50\u202f%, rather negative" in html
    assert "– positive 90\u202f%" in html  # two classes cannot be right
    assert "Teh &lt;b&gt;best" in html


def test_pairs_of_a_kind_show_what_differs_and_how_the_probability_moves():
    chosen = [Pair("direction", "lower", "The <i>room</i>.", "The <i>room</i>, alas.")]
    html = behaviour_views.pairs(chosen, (THREE[:1], THREE[1:2]), (TWO[:1], TWO[2:]), "general")
    assert "gets 0 wrong, the bag of words 1" in html
    assert "become lower" in html
    assert "✓ 88\u202f% → 40\u202f%" in html and "✗ 20\u202f% → 90\u202f%" in html
    assert "The &lt;i&gt;room&lt;/i&gt;<mark>, alas</mark>." in html


def test_bias_is_the_spread_of_means_and_is_left_out_unless_measured(texts):
    means = {
        "names": {"Asia": 0.5, "Africa": 0.52},
        "nationalities": {"Polish": 0.4, "French": 0.5},
    }
    card = {"variants": {"lstm": {"social_bias": means}, "gru": {}}, "baseline": {"bias": 0.3}}
    html = behaviour_views.bias(card)
    assert "2.0 points" in html and "10.0 points" in html
    assert "Polish 40.0\u202f%, French 50.0\u202f%" in html
    texts(behaviour_views._widest({"LSTM": means}))
    assert behaviour_views.bias({**card, "variants": {"gru": {}}}) == ""


def test_every_kind_can_be_opened_with_three_classes_and_the_bag(general, monkeypatch):
    monkeypatch.setattr(Predictor, "load", lambda name: general)
    for kind in suite.kinds():
        assert "the bag of words" in tab.show_kind(kind, "general")
