"""The tasks of the race: random sequences, and the loss of the best guess without memory.

The `make(rng, count, length)` of a task returns inputs `(count, length, features)`, targets
`(count, length)` and weights `(count, length)`; the loss is the weighted mean over the steps.
Targets are classes, or for a task with one output numbers, whose loss is the squared error.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SHORTEST, LONGEST = 10, 400  # time steps
COPY_KINDS, COPY_SYMBOLS = 4, 3  # kinds of symbols, and how many of them to remember
SUM_TOLERANCE = 0.1  # error of a sum below which it counts as right


@dataclass(frozen=True)
class Task:
    """A task of the race.

    Attributes:
        title: Its name on the page.
        about: A sentence on the input and the answer.
        baseline_about: The best guess without memory, in words.
        features: Number of input features.
        outputs: Number of classes, or 1 for a number.
        make: Function of a random generator, a count and a length; see the module's docstring.
        baseline: Function of the length that returns the loss of the best guess without memory.
        scored_steps: Function of the length that returns the slice of the time steps at which
            accuracy is measured.
    """

    title: str
    about: str
    baseline_about: str
    features: int
    outputs: int
    make: Callable
    baseline: Callable
    scored_steps: Callable


def _one_hot(numbers, kinds):
    return np.eye(kinds, dtype="float32")[numbers]


def _last(count, length, steps=1):
    weights = np.zeros((count, length), "float32")
    weights[:, -steps:] = 1
    return weights


def adding(rng, count, length):
    """Adds two marked numbers: numbers from 0 to 1, one of them marked in each half.

    Hochreiter & Schmidhuber (1997), in the form of Le, Jaitly & Hinton (2015).
    """
    inputs = np.zeros((count, length, 2), "float32")
    inputs[:, :, 0] = rng.uniform(size=(count, length))
    rows, half = np.arange(count), length // 2
    inputs[rows, rng.integers(0, half, count), 1] = 1
    inputs[rows, rng.integers(half, length, count), 1] = 1
    targets = np.zeros((count, length), "float32")
    targets[:, -1] = (inputs[..., 0] * inputs[..., 1]).sum(axis=1)
    return inputs, targets, _last(count, length)


def copy(rng, count, length):
    """Repeats symbols: three symbols, blanks, and at the end a marker for each symbol."""
    symbols = rng.integers(0, COPY_KINDS, (count, COPY_SYMBOLS))
    numbers = np.full((count, length), COPY_KINDS)  # blank
    numbers[:, :COPY_SYMBOLS] = symbols
    numbers[:, -COPY_SYMBOLS:] = COPY_KINDS + 1  # marker
    targets = np.zeros((count, length), "int32")
    targets[:, -COPY_SYMBOLS:] = symbols
    return _one_hot(numbers, COPY_KINDS + 2), targets, _last(count, length, COPY_SYMBOLS)


def order(rng, count, length):
    """Classifies the order of two marks, X or Y, among four other letters: XX, XY, YX or YY.

    Experiment 6a of Hochreiter & Schmidhuber (1997): one mark lies in the second tenth of the
    sequence and one in the sixth.
    """
    numbers = rng.integers(0, 4, (count, length))
    marks = rng.integers(0, 2, (count, 2))
    rows, tenth = np.arange(count), length / 10
    for n, first in enumerate((1, 5)):
        low, high = int(first * tenth), max(int((first + 1) * tenth), int(first * tenth) + 1)
        numbers[rows, rng.integers(low, high, count)] = 4 + marks[:, n]
    targets = np.zeros((count, length), "int32")
    targets[:, -1] = 2 * marks[:, 0] + marks[:, 1]
    return _one_hot(numbers, 6), targets, _last(count, length)


def parity(rng, count, length):
    """Says after every bit whether the number of ones so far is odd."""
    bits = rng.integers(0, 2, (count, length))
    inputs = (2.0 * bits[..., None] - 1).astype("float32")
    return inputs, np.cumsum(bits, axis=1).astype("int32") % 2, np.ones_like(inputs[..., 0])


LETTERS = "BTPSXVE"
# Reber's grammar (1967) is a machine that writes strings letter by letter: for each of its states,
# the letters that it may write next and the states to which they lead.
GRAMMAR = (
    {"B": 1},
    {"T": 2, "P": 3},
    {"S": 2, "X": 4},
    {"T": 3, "V": 5},
    {"X": 3, "S": 6},
    {"P": 4, "V": 6},
    {"E": 7},
    {},
)


def _ending_probabilities(steps):
    """The probability of ending after exactly n letters, from each state, `(steps + 1, states)`.

    A state with two letters writes either with a probability of one half.
    """
    ending = np.zeros((steps + 1, len(GRAMMAR)))
    ending[0, -1] = 1
    for n in range(1, steps + 1):
        for state, moves in enumerate(GRAMMAR):
            ending[n, state] = sum(ending[n - 1, to] for to in moves.values()) / max(len(moves), 1)
    return ending


def reber(rng, count, length):
    """Predicts the next letter of strings of the embedded Reber grammar, all of one length.

    A string is B, then T or P, then a string of Reber's grammar, then that T or P again, then E:
    only a network that remembers the second letter can predict the last but one (Fahlman 1991).
    """
    strings, _ = _strings(rng, count, length)
    weights = np.ones((count, length), "float32")
    weights[:, -1] = 0  # nothing follows the last letter
    targets = np.zeros((count, length), "int32")
    targets[:, :-1] = strings[:, 1:]
    return _one_hot(strings, len(LETTERS)), targets, weights


def _strings(rng, count, length):
    """Embedded Reber strings as indices in `LETTERS`, and −log of each letter's probability."""
    index = {letter: n for n, letter in enumerate(LETTERS)}
    strings = np.zeros((count, length), int)
    surprise = np.zeros((count, length))
    either = rng.integers(0, 2, count)
    branch = np.where(either, index["T"], index["P"])
    strings[:, 0], strings[:, 1], strings[:, -2], strings[:, -1] = 0, branch, branch, index["E"]
    surprise[:, 1] = np.log(2)
    ending = _ending_probabilities(length - 4)
    states = np.zeros(count, int)
    for t in range(2, length - 2):
        left = length - 3 - t  # letters after this one
        draw = rng.uniform(size=count)
        following = states.copy()
        for state, moves in enumerate(GRAMMAR):
            here = states == state
            if not here.any():
                continue
            probabilities = np.array([ending[left, to] for to in moves.values()])
            probabilities = probabilities / probabilities.sum()
            draws = (draw[here, None] > np.cumsum(probabilities)[:-1]).sum(axis=1)
            strings[here, t] = np.array([index[letter] for letter in moves])[draws]
            following[here] = np.array(list(moves.values()))[draws]
            surprise[here, t] = -np.log(probabilities[draws])
        states = following
    return strings, surprise


def _reber_baseline(length):
    """The mean loss of a guess that knows the grammar and the length but not the second letter."""
    _, surprise = _strings(np.random.default_rng(0), 4_096, length)
    surprise[:, -2] = np.log(2)
    return float(surprise[:, 1:].mean())


TASKS = {
    "adding": Task(
        "Adding",
        "Two of the numbers are marked. After the last number, the network must give their sum.",
        "always the mean, 1",
        2,
        1,
        adding,
        lambda length: 1 / 6,  # the variance of the sum of two uniform numbers
        lambda length: slice(length - 1, length),
    ),
    "copy": Task(
        "Copy",
        f"The network reads {COPY_SYMBOLS} symbols, then blanks, and must repeat the symbols.",
        "random symbols",
        COPY_KINDS + 2,
        COPY_KINDS,
        copy,
        lambda length: float(np.log(COPY_KINDS)),
        lambda length: slice(length - COPY_SYMBOLS, length),
    ),
    "order": Task(
        "Temporal order",
        "Two of the letters are X or Y. After the last letter, the network must give their order.",
        "one of the four orders at random",
        6,
        4,
        order,
        lambda length: float(np.log(4)),
        lambda length: slice(length - 1, length),
    ),
    "parity": Task(
        "Parity",
        "After every zero or one, the network must say whether the ones so far are odd in number.",
        "a coin toss",
        1,
        2,
        parity,
        lambda length: float(np.log(2)),
        lambda length: slice(length - 1, length),
    ),
    "reber": Task(
        "Reber grammar",
        "A small machine writes the letters, with random choices. After every letter, the network "
        "must predict the next one; the last but one always repeats the second.",
        "knowing the grammar, with the last letter but one at random",
        len(LETTERS),
        len(LETTERS),
        reber,
        _reber_baseline,
        lambda length: slice(length - 3, length - 2),
    ),
}
