"""The tasks of the race: sequences made on the spot, and what a guess without memory scores.

A task's `make(rng, count, length)` returns inputs `(count, length, features)`, targets
`(count, length)` and weights `(count, length)`: the loss is the weighted mean over the steps.
Classes are whole numbers; with one output the target is a number and the loss its squared error.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

CELLS = {"rnn": "RNN", "irnn": "IRNN", "lstm": "LSTM", "gru": "GRU"}
SHORTEST, LONGEST = 10, 400
SYMBOLS, COPIED = 4, 3  # of the copy task: kinds of symbols, and how many to remember
RIGHT = 0.1  # a sum off by less counts as right


@dataclass(frozen=True)
class Task:
    """A task.

    Attributes:
        title: Its name on the page.
        about: A sentence: what comes in, what is asked.
        baseline_about: What the best guess without memory does.
        features: Of the input.
        outputs: Classes, or 1 for a number.
        make: Function of a random generator, a count and a length, as this module says.
        baseline: Function of the length: the loss of the best guess without memory.
        asked: Function of the length: the steps at which accuracy is counted, a slice.
    """

    title: str
    about: str
    baseline_about: str
    features: int
    outputs: int
    make: Callable
    baseline: Callable
    asked: Callable


def _one_hot(numbers, kinds):
    return np.eye(kinds, dtype="float32")[numbers]


def _last(count, length, steps=1):
    weights = np.zeros((count, length), "float32")
    weights[:, -steps:] = 1
    return weights


def adding(rng, count, length):
    """Numbers from 0 to 1 and a marker at two of them, one in each half: their sum.

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
    """Three symbols, blanks, and at the end a marker for each symbol to be said again in order."""
    symbols = rng.integers(0, SYMBOLS, (count, COPIED))
    numbers = np.full((count, length), SYMBOLS)  # blank
    numbers[:, :COPIED] = symbols
    numbers[:, -COPIED:] = SYMBOLS + 1  # marker
    targets = np.zeros((count, length), "int32")
    targets[:, -COPIED:] = symbols
    return _one_hot(numbers, SYMBOLS + 2), targets, _last(count, length, COPIED)


def order(rng, count, length):
    """X or Y at two places among four letters of no meaning: XX, XY, YX or YY.

    Hochreiter & Schmidhuber (1997), experiment 6a: the places lie in the second tenth of the
    sequence and in the sixth.
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
    """Zeros and ones: after every step, whether the ones so far are odd in number."""
    bits = rng.integers(0, 2, (count, length))
    inputs = (2.0 * bits[..., None] - 1).astype("float32")
    return inputs, np.cumsum(bits, axis=1).astype("int32") % 2, np.ones_like(inputs[..., 0])


LETTERS = "BTPSXVE"
# Reber's grammar (1967): from each state, the letters that may come and where they lead.
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


def _ways(steps):
    """The chance to end after exactly n more letters, from each state, `(steps + 1, states)`.

    A state with two letters takes either with a chance of one half.
    """
    found = np.zeros((steps + 1, len(GRAMMAR)))
    found[0, -1] = 1
    for n in range(1, steps + 1):
        for state, moves in enumerate(GRAMMAR):
            found[n, state] = sum(found[n - 1, to] for to in moves.values()) / max(len(moves), 1)
    return found


def reber(rng, count, length):
    """Strings of the embedded Reber grammar, of one length: after every letter, the next one.

    B, then T or P, then a string of Reber's grammar, then the same T or P again, then E: the
    last letter but one is known only to whoever remembers the second (Fahlman 1991).
    """
    strings, _ = _strings(rng, count, length)
    weights = np.ones((count, length), "float32")
    weights[:, -1] = 0  # nothing follows the last letter
    targets = np.zeros((count, length), "int32")
    targets[:, :-1] = strings[:, 1:]
    return _one_hot(strings, len(LETTERS)), targets, weights


def _strings(rng, count, length):
    """Embedded Reber strings as places in `LETTERS`, and −log of each letter's chance."""
    place = {letter: n for n, letter in enumerate(LETTERS)}
    strings = np.zeros((count, length), int)
    surprise = np.zeros((count, length))
    either = rng.integers(0, 2, count)
    branch = np.where(either, place["T"], place["P"])
    strings[:, 0], strings[:, 1], strings[:, -2], strings[:, -1] = 0, branch, branch, place["E"]
    surprise[:, 1] = np.log(2)
    ways = _ways(length - 4)
    states = np.zeros(count, int)
    for t in range(2, length - 2):
        left = length - 3 - t  # letters after this one
        draw = rng.uniform(size=count)
        following = states.copy()
        for state, moves in enumerate(GRAMMAR):
            here = states == state
            if not here.any():
                continue
            chances = np.array([ways[left, to] for to in moves.values()])
            chances = chances / chances.sum()
            picked = (draw[here, None] > np.cumsum(chances)[:-1]).sum(axis=1)
            strings[here, t] = np.array([place[letter] for letter in moves])[picked]
            following[here] = np.array(list(moves.values()))[picked]
            surprise[here, t] = -np.log(chances[picked])
        states = following
    return strings, surprise


def _reber_baseline(length):
    """The mean loss of a guess that knows the grammar and the length, but not the second letter."""
    _, surprise = _strings(np.random.default_rng(0), 4_096, length)
    surprise[:, -2] = np.log(2)
    return float(surprise[:, 1:].mean())


TASKS = {
    "adding": Task(
        "Adding",
        "Random numbers pass by, two of them with a mark. After the last one: the sum of the two.",
        "always answering the mean, which is 1,",
        2,
        1,
        adding,
        lambda length: 1 / 6,  # the variance of the sum of two uniform numbers
        lambda length: slice(length - 1, length),
    ),
    "copy": Task(
        "Copy",
        f"{COPIED} symbols of {SYMBOLS} kinds, then blanks; at the end the symbols again.",
        "guessing the symbols",
        SYMBOLS + 2,
        SYMBOLS,
        copy,
        lambda length: float(np.log(SYMBOLS)),
        lambda length: slice(length - COPIED, length),
    ),
    "order": Task(
        "Temporal order",
        "Letters pass by, two of them X or Y. After the last one: which of them, in which order.",
        "guessing one of the four orders",
        6,
        4,
        order,
        lambda length: float(np.log(4)),
        lambda length: slice(length - 1, length),
    ),
    "parity": Task(
        "Parity",
        "Zeros and ones pass by. After every one: was the number of ones so far odd?",
        "guessing",
        1,
        2,
        parity,
        lambda length: float(np.log(2)),
        lambda length: slice(length - 1, length),
    ),
    "reber": Task(
        "Reber grammar",
        "Strings of a grammar. After every letter: the next; the last but one repeats the second.",
        "knowing the grammar but guessing the last letter but one",
        len(LETTERS),
        len(LETTERS),
        reber,
        _reber_baseline,
        lambda length: slice(length - 3, length - 2),
    ),
}
