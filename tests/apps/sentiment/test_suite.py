from collections import Counter

import numpy as np
import pytest

from apps.sentiment import suite


def test_every_kind_has_thirty_distinct_texts_of_both_labels():
    cases = suite.read()
    assert min(Counter(case.kind for case in cases).values()) >= 30
    assert {(case.kind, case.label) for case in cases} == {
        (kind, label) for kind in suite.kinds() for label in (0, 1)
    }
    assert len({case.text for case in cases}) == len(cases)


def test_accuracies_are_counted_by_kind():
    cases = suite.read()
    labels = np.array([case.label for case in cases], float)
    assert set(suite.accuracies(labels).values()) == {1.0}
    of_first_kind = [case.kind == suite.kinds()[0] for case in cases]
    accuracies = suite.accuracies(np.where(of_first_kind, 1 - labels, labels))
    assert suite.correct_cases(accuracies) == len(cases) - sum(of_first_kind)
    assert accuracies.pop(suite.kinds()[0]) == 0
    assert set(accuracies.values()) == {1.0}
    always_positive = suite.accuracies(np.ones(len(cases)))
    assert always_positive["sarcasm"] == pytest.approx(8 / 32)
