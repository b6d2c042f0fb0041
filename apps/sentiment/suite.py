"""Short texts of our own that sentiment models get wrong, by what makes them hard."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Case:
    """A text, what makes it hard, and what any reader would say: 1 is positive, 0 negative."""

    kind: str
    text: str
    label: int


@cache
def read():
    """All cases, a tuple of `Case`; those of one kind follow each other."""
    with (Path(__file__).parent / "suite.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Case(row["kind"], row["text"], int(row["label"] == "positive"))
            for row in csv.DictReader(file)
        )


def kinds():
    """The kinds, in the order of the file."""
    return tuple(dict.fromkeys(case.kind for case in read()))


def accuracies(probabilities):
    """The share of right answers by kind.

    Args:
        probabilities: Array `(cases,)`: that each case of `read` is positive.

    Returns:
        Dict from kind to a fraction.
    """
    right = [(p >= 0.5) == case.label for p, case in zip(probabilities, read(), strict=True)]
    return {
        kind: float(
            np.mean([r for r, case in zip(right, read(), strict=True) if case.kind == kind])
        )
        for kind in kinds()
    }
