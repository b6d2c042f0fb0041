"""Short texts of our own that test what sentiment models get wrong, grouped by kind.

The texts of `suite.csv` have a label. The pairs of `pairs.csv` have none: a change that should not
matter must not change the answer (invariance), and one that should must move it the right way
(direction), after the checklist of Ribeiro et al. (2020).
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

NEUTRAL_CLASS = 1  # of negative, neutral, positive
INVARIANCE_TOLERANCE = 0.1  # how far the probability may move if the change should not matter


@dataclass(frozen=True)
class Case:
    """A text, what makes it hard, and its label: `"negative"`, `"neutral"` or `"positive"`."""

    kind: str
    text: str
    label: str

    def passes(self, classes):
        """Whether probabilities of the classes `(3,)` are right.

        A positive or negative text needs more of its label than of the opposite one, so that
        models with two and three classes can be compared. A neutral text needs most of neutral.
        """
        if self.label == "neutral":
            return int(np.argmax(classes)) == NEUTRAL_CLASS
        return bool(classes[2] >= classes[0]) == (self.label == "positive")


@dataclass(frozen=True)
class Pair:
    """A text before and after a change.

    Attributes:
        kind: `"invariance"` or `"direction"`.
        change: What the probability must do: `"same"`, `"lower"` or `"higher"`.
        text, changed: The two texts.
    """

    kind: str
    change: str
    text: str
    changed: str

    def passes(self, before, after):
        """Whether the probabilities of the classes `(3,)` of both texts are as they must be."""
        low, high = positive_share(before), positive_share(after)
        if self.change == "same":
            moved = abs(high - low)
            return bool(np.argmax(before) == np.argmax(after)) and moved < INVARIANCE_TOLERANCE
        return bool(high < low) if self.change == "lower" else bool(high > low)


@cache
def read():
    """All texts with a label, a tuple of `Case`, grouped by kind."""
    return tuple(Case(**row) for row in _rows("suite.csv"))


@cache
def read_pairs():
    """All pairs, a tuple of `Pair`, grouped by kind."""
    return tuple(Pair(**row) for row in _rows("pairs.csv"))


def _rows(name):
    with (Path(__file__).parent / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def kinds():
    """The kinds of texts and then of pairs, in the order of the files."""
    return tuple(dict.fromkeys(each.kind for each in (*read(), *read_pairs())))


def two_classes(probabilities):
    """Probabilities of positive `(...)` as those of negative, neutral and positive `(..., 3)`."""
    positive = np.asarray(probabilities, float)
    return np.stack([1 - positive, np.zeros_like(positive), positive], axis=-1)


def positive_share(classes):
    """The probability of positive against negative, of probabilities of the classes `(..., 3)`."""
    return classes[..., 2] / np.maximum(classes[..., 0] + classes[..., 2], 1e-9)


def accuracies(probabilities):
    """The share of right answers by kind of text.

    Args:
        probabilities: Of the classes of each case of `read`, `(cases, 3)`, or that each is
            positive, `(cases,)`. Neutral texts count only for a model that knows neutral.

    Returns:
        Dict from kind to a fraction.
    """
    if np.ndim(probabilities) == 1:
        probabilities = two_classes(probabilities)
    knows_neutral = bool(np.any(probabilities[:, NEUTRAL_CLASS]))
    passed = {}
    for case, classes in zip(read(), probabilities, strict=True):
        if case.label != "neutral" or knows_neutral:
            passed.setdefault(case.kind, []).append(case.passes(classes))
    return {kind: float(np.mean(values)) for kind, values in passed.items()}


def pass_rates(predict_classes):
    """The share of tests that a model passes, by kind of text and of pair.

    Args:
        predict_classes: Function from a list of texts to the probabilities of their classes,
            `(texts, 3)`.

    Returns:
        Dict from each of `kinds()` to a fraction.
    """
    rates = accuracies(predict_classes([case.text for case in read()]))
    pairs = read_pairs()
    before = predict_classes([pair.text for pair in pairs])
    after = predict_classes([pair.changed for pair in pairs])
    passed = {}
    for pair, *classes in zip(pairs, before, after, strict=True):
        passed.setdefault(pair.kind, []).append(pair.passes(*classes))
    return rates | {kind: float(np.mean(values)) for kind, values in passed.items()}


def correct_cases(accuracies):
    """How many texts a model of two classes gets right, and of how many, from `accuracies`."""
    counts = {}
    for case in read():
        if case.label != "neutral" and case.kind in accuracies:
            counts[case.kind] = counts.get(case.kind, 0) + 1
    correct = sum(round(accuracies[kind] * count) for kind, count in counts.items())
    return correct, sum(counts.values())
