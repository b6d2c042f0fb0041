from collections import Counter

import numpy as np
import pytest

from apps.sentiment import suite


def test_every_kind_has_thirty_texts_of_both_labels_and_none_comes_twice():
    cases = suite.read()
    assert min(Counter(case.kind for case in cases).values()) >= 30
    assert {(case.kind, case.label) for case in cases} == {
        (kind, label) for kind in suite.kinds() for label in (0, 1)
    }
    assert len({case.text for case in cases}) == len(cases)


def test_accuracy_is_counted_by_kind():
    cases = suite.read()
    right = np.array([case.label for case in cases], float)
    assert set(suite.accuracies(right).values()) == {1.0}
    first = [case.kind == suite.kinds()[0] for case in cases]
    found = suite.accuracies(np.where(first, 1 - right, right))
    assert found.pop(suite.kinds()[0]) == 0
    assert set(found.values()) == {1.0}
    always = suite.accuracies(np.ones(len(cases)))  # then the share of positive texts is right
    assert always["sarcasm"] == pytest.approx(8 / 32)
