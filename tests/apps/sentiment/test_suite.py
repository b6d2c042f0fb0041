from collections import Counter

import numpy as np
import pytest

from apps.sentiment import suite
from apps.sentiment.suite import Case, Pair

NEGATIVE, NEUTRAL, POSITIVE = np.array([0.6, 0.3, 0.1]), np.array([0.3, 0.5, 0.2]), np.eye(3)[2]


def test_every_kind_has_distinct_texts_of_both_labels():
    cases = suite.read()
    counts = Counter(case.kind for case in cases)
    assert counts.pop("intensifiers") == counts.pop("questions") == 24
    assert min(counts.values()) >= 30 and sum(counts.values()) == 258
    for kind in suite.kinds()[:-2]:
        assert {case.label for case in cases if case.kind == kind} >= {"negative", "positive"}
    assert len({case.text for case in cases}) == len(cases)


def test_pairs_differ_and_half_of_the_directions_are_up():
    pairs = suite.read_pairs()
    assert Counter((pair.kind, pair.change) for pair in pairs) == {
        ("invariance", "same"): 40,
        ("direction", "lower"): 20,
        ("direction", "higher"): 20,
    }
    assert suite.kinds()[-2:] == ("invariance", "direction")
    assert all(pair.text != pair.changed for pair in pairs)
    assert len({pair.text for pair in pairs}) == len(pairs)


def truth(of=lambda case: case.label):
    """The probabilities of a model that answers each case as `of` says."""
    return np.array(
        [np.eye(3)[("negative", "neutral", "positive").index(of(c))] for c in suite.read()]
    )


def test_accuracies_are_counted_by_kind():
    assert set(suite.accuracies(truth()).values()) == {1.0}
    always_positive = suite.accuracies(truth(lambda case: "positive"))
    assert always_positive["sarcasm"] == pytest.approx(8 / 32)
    assert suite.accuracies(np.ones(len(suite.read()))) == always_positive


def test_neutral_texts_count_only_for_a_model_that_knows_neutral():
    always_neutral = suite.accuracies(np.tile([0.2, 0.5, 0.3], (len(suite.read()), 1)))
    assert always_neutral["questions"] == pytest.approx((8 + 8) / 24)  # 8 positive, 8 neutral
    assert suite.accuracies(np.ones(len(suite.read())))["questions"] == pytest.approx(8 / 16)


def test_right_answers_of_two_classes_are_counted_in_the_kinds_that_were_measured():
    counts = Counter(case.kind for case in suite.read() if case.label != "neutral")
    old = {kind: 0.5 for kind in counts if kind not in ("questions", "intensifiers")}
    assert suite.correct_cases(old) == (129, 258)
    assert suite.correct_cases({"questions": 1.0, "invariance": 1.0}) == (16, 16)


@pytest.mark.parametrize(
    ("label", "classes", "passes"),
    [
        ("negative", NEGATIVE, True),
        ("negative", POSITIVE, False),
        ("negative", NEUTRAL, True),  # it leans to negative
        ("positive", NEUTRAL, False),
        ("neutral", NEUTRAL, True),
        ("neutral", NEGATIVE, False),
    ],
)
def test_a_text_is_passed_by_the_rule_of_its_label(label, classes, passes):
    assert Case("kind", "text", label).passes(classes) == passes


@pytest.mark.parametrize(
    ("change", "before", "after", "passes"),
    [
        ("same", 0.80, 0.85, True),
        ("same", 0.80, 0.91, False),
        ("same", 0.48, 0.52, False),  # another label
        ("lower", 0.80, 0.79, True),
        ("lower", 0.80, 0.80, False),
        ("higher", 0.80, 0.81, True),
        ("higher", 0.80, 0.70, False),
    ],
)
def test_a_pair_is_passed_by_how_the_probability_moves(change, before, after, passes):
    pair = Pair("kind", change, "text", "changed")
    assert pair.passes(*suite.two_classes([before, after])) == passes


def test_pass_rates_cover_texts_and_pairs():
    rates = suite.pass_rates(lambda texts: suite.two_classes(np.full(len(texts), 0.7)))
    assert tuple(rates) == suite.kinds()
    assert rates["invariance"] == 1 and rates["direction"] == 0
