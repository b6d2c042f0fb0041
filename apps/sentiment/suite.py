"""Short texts of our own that sentiment models get wrong, grouped by what makes them hard."""

import csv
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Case:
    """A text, what makes it hard, and its label: 1 is positive, 0 negative."""

    kind: str
    text: str
    label: int


@cache
def read():
    """All cases, a tuple of `Case`, grouped by kind."""
    with (Path(__file__).parent / "suite.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Case(row["kind"], row["text"], int(row["label"] == "positive"))
            for row in csv.DictReader(file)
        )


def kinds():
    """The kinds, in the order of the file."""
    return tuple(dict.fromkeys(case.kind for case in read()))


def accuracies(probabilities):
    """Accuracy by kind.

    Args:
        probabilities: Array `(cases,)`: that each case of `read` is positive.

    Returns:
        Dict from kind to a fraction.
    """
    correct = [(p >= 0.5) == case.label for p, case in zip(probabilities, read(), strict=True)]
    return {
        kind: float(
            np.mean([c for c, case in zip(correct, read(), strict=True) if case.kind == kind])
        )
        for kind in kinds()
    }


def correct_cases(accuracies):
    """How many of all cases are answered correctly, from the accuracy by kind."""
    counts = Counter(case.kind for case in read())
    return sum(round(accuracy * counts[kind]) for kind, accuracy in accuracies.items())
