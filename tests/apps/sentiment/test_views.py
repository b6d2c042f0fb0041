import re

import numpy as np
import pytest

from apps.sentiment import suite, views
from apps.sentiment.predictor import NGram, Reading, Rewrite, Word

CARD = {
    "date": "2026-03-01",
    "seed": 7,
    "test_set": "test split",
    "examples": 100,
    "baseline": {"name": "NB", "accuracy": 0.91},
    "variants": {
        "lstm": {"accuracy": 0.9, "parameters": 1_234_567},
        "gru": {"accuracy": 0.92, "parameters": 1_000_000},
        "general": {"accuracy": 0.92, "parameters": 1_000_000, "network": {"classes": 3}},
    },
}
WORDS = (Word("<i>Fine", 0, 7, True, 0), Word("film", 8, 12, False, 1))
CURVES = {"lstm": np.array([0.4, 0.8]), "gru": np.array([0.3, 0.2])}


def make_reading(probability=0.8, network="lstm", words=WORDS, total_words=9, had_html=False):
    effects = np.linspace(-0.5, 1.25, len(words))
    running = np.linspace(0.4, probability, len(words))
    text = "<i>Fine film"
    classes = np.array([1 - probability, 0.0, probability])
    neutral = np.zeros(len(words))
    places = tuple((word.start, word.end) for word in words)
    return Reading(
        *(text, text, places, words, total_words, had_html, network, classes, running, neutral),
        *(effects, 0.0, 0.0),
    )


LONG = (*WORDS, *[Word("film", 8, 12, True, 2)] * 13)


def test_the_answer_has_number_words_notes_and_card():
    html = views.answer(make_reading(had_html=True), CARD)
    assert "80\u202f%" in html
    assert "“film” +1.25, unknown · 80\u202f% positive so far" in html
    assert "HTML tags were removed" in html
    assert "first 2 of 9 words" in html
    assert "trained 1 March 2026, seed 7" in html
    assert "&lt;i&gt;Fine" in html


def test_a_calibrated_probability_is_explained_for_long_reviews_only(texts):
    for probability, words in ((0.8, LONG), (0.004, LONG), (0.8, LONG[:-1])):
        html = views.answer(make_reading(probability, words=words), CARD)
        texts(re.search("</span><p>(.*?)</p>", html)[1])
    assert "99.6\u202f%" in views.answer(make_reading(0.004), CARD)


def test_of_three_classes_the_likeliest_is_the_answer(texts):
    neutral = make_reading(0.6, "general", words=WORDS, total_words=2)
    object.__setattr__(neutral, "classes", np.array([0.18, 0.55, 0.27]))
    object.__setattr__(neutral, "running_neutral", np.array([0.9, 0.55]))
    html = views.answer(neutral, CARD)
    assert re.search('class="number ">55\u202f%.*class="word ">mixed or neutral<', html)
    assert re.search(r"width:18.0%.*width:55.0%.*width:27.0%", html)
    assert "negative 18\u202f%" in html and "positive 27\u202f%" in html
    assert "60\u202f% positive so far, 55\u202f% mixed or neutral" in html
    texts(re.search("</span><p>(.*?)</p>", html)[1])
    assert 'class="shares"' not in views.answer(make_reading(), CARD)


@pytest.mark.parametrize(
    ("probabilities", "label"),
    [
        (0.5, "positive"),
        (0.49, "negative"),
        ([0.3, 0.4, 0.3], "neutral"),
        ([0.4, 0.2, 0.4], "positive"),
        ([0.5, 0.3, 0.2], "negative"),
    ],
)
def test_the_label_is_the_likeliest_class(probabilities, label):
    assert views.label(probabilities) == label


def test_a_comparison_gives_the_answer_of_each_network():
    curves = {"general": np.array([0.4, 0.8]), **CURVES}
    classes = {"general": np.array([0.1, 0.5, 0.4])}
    html = views.comparison("general", WORDS, curves, classes, 0.9, [], CARD)
    assert "<td>General LSTM</td><td>mixed or neutral</td>" in html
    assert "<td>GRU</td><td>negative</td>" in html
    assert "the general LSTM says mixed or neutral, the baseline positive" in html


def test_the_warning_about_short_texts_counts_those_answered_correctly():
    accuracies = dict.fromkeys(suite.kinds()[:8], 0.5)
    card = {"variants": {"lstm": {"suite": accuracies}, "gru": {}}}
    assert "got 129 right (50\u202f%)" in views.short_text_warning("lstm", card)
    assert "right" not in views.short_text_warning("gru", card)


def test_the_page_says_when_the_baseline_is_better_and_only_then():
    assert "baseline is the better of the two" in views.answer(make_reading(), CARD)
    assert "baseline is the better of the two" not in views.answer(
        make_reading(network="gru"), CARD
    )


@pytest.mark.parametrize(("baseline", "disagree"), [(0.1, True), (0.9, False)])
def test_a_disagreement_with_the_baseline_is_reported(baseline, disagree):
    html = views.comparison("lstm", WORDS, CURVES, {}, baseline, [NGram("a <b>", -1.0)], CARD)
    assert ("They disagree: the LSTM says positive, the baseline negative." in html) == disagree
    assert "a &lt;b&gt;" in html


def test_the_lstm_from_scratch_is_dashed_beside_the_pretrained_one():
    assert list(views.networks(CARD)) == ["general", "lstm", "gru"]
    scratch = {"accuracy": 0.9}
    card = {**CARD, "variants": {"gru": scratch, "lstm": scratch, "pretrained": scratch}}
    assert list(views.networks(card)) == ["pretrained", "lstm", "gru"]
    curves = {"pretrained": np.array([0.5, 0.1]), **CURVES}
    html = views.comparison("pretrained", WORDS, curves, {}, 0.9, [], card)
    assert html.count("key dashed") == 1 and ">Pre-trained LSTM<" in html
    assert "the pre-trained LSTM says negative" in html
    assert "key dashed" not in views.comparison("lstm", WORDS, CURVES, {}, 0.1, [], CARD)


def test_confidence_is_put_into_words(texts):
    for share in (0.5, 0.7, 0.8, 0.95, 0.99):
        texts(views.confidence(share))


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_every_gate_and_state_can_be_drawn(cell):
    values = np.random.default_rng(0).random((2, 4))
    traced = dict.fromkeys(views.TRACES_OF[cell], values)
    for shown in traced:
        assert views.TRACES[shown][1] in views.inside(WORDS, traced, [0.4, 0.8], shown)
        html = views.inside(WORDS, traced, [0.4, 0.8], shown, units=np.array([2, 0]))
        assert "the 2 units that contributed most" in html


def test_rewrites_are_listed_with_the_change_in_points():
    rewrites = [
        Rewrite("original", "a not <b>", (), 0.8, 0.6),
        Rewrite("negation removed", "a fine", ("not", "<b>"), 0.3, 0.7),
    ]
    html = views.changes(rewrites, "lstm")
    assert "“not” before “&lt;b&gt;” removed<br>a <mark>fine</mark>" in html
    assert "30\u202f% (−50)" in html and "70\u202f% (+10)" in html


def test_the_study_draws_models_that_were_fitted_to_every_number_of_labels():
    rows = [
        ("encoder, fine-tuned", 100, [0.7]),
        ("from scratch", 100, [0.5, 0.52, 0.6]),
        ("from scratch", 5_000, [0.75]),
        ("word vectors", 5_000, [0.8]),
        ("encoder, fine-tuned", 5_000, [0.85]),
    ]
    study = [{"start": s, "labels": n, "draws": d, "accuracy": sum(d) / len(d)} for s, n, d in rows]
    study.append({"start": "… and a student", "labels": 5_000, "accuracy": 0.9})
    html = views.study({"study": study})
    assert html.count("<path") == 2
    assert "100 labels · encoder, fine-tuned 70.0\u202f% · from scratch 54.0\u202f%" in html
    assert "54.0\u202f% (50.0–60.0)" in html
    steps = html.partition("Step by step")[2]
    positions = [steps.index(text) for text in ("75.0", "80.0", "85.0", "90.0")]
    assert positions == sorted(positions) and "(" not in steps[: positions[0]]
    assert views.study({}) == ""


def test_training_minutes_include_those_of_the_language_models():
    details = {"accuracy": 0.9, "parameters": 7, "minutes": 3.0}
    language_models = {"language_model": {"minutes": 20.5}, "backward_model": {"minutes": 10.0}}
    card = {
        "title": "Reviews",
        "test_set": "test",
        "examples": 9,
        "variants": {"pretrained": {**details, **language_models}, "lstm": details},
        "baseline": {"name": "NB", "accuracy": 0.8, "ngrams": 5, "minutes": 0.5},
    }
    html = views.scores(card)
    assert "33.5" in html and "3.0" in html


def test_the_preview_is_a_small_picture_of_a_real_answer():
    html = views.preview()
    assert "beautifully</span>" in html
    assert "<path" in html
    assert len(html) < 5_000
