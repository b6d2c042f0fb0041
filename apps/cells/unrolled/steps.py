"""Every number of a small recurrent layer on a short sequence, forwards and backwards."""

import re
import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np

from apps.cells.graphs import compile_method
from apps.cells.listing import write_array, write_script
from shared.errors import UserError
from unrolled.layers import GRUCell, LSTMCell, Recurrent, RNNCell

MAX_STEPS = 12
MAX_NUMBER = 1000  # in the sequence
WORD_FEATURES = 2
# A peephole is a weight from the cell state to a gate (Gers & Schmidhuber 2000). Coupled gates
# forget as much as they write: i = 1 − f.
VARIANTS = {
    "rnn": (RNNCell, {}),
    "lstm": (LSTMCell, {}),
    "peephole": (LSTMCell, {"peepholes": True}),
    "coupled": (LSTMCell, {"coupled": True}),
    "gru": (GRUCell, {}),
    "gru_before": (GRUCell, {"reset_after": False}),
}


@dataclass(frozen=True)
class Term:
    """One line of a cell's equations at one time step.

    Attributes:
        name: Name of its result: a gate, `"candidate"`, `"cell"` or `"hidden"`.
        parts: Its summands, a tuple of (formula, vector `(units,)`).
        value: The result, `(units,)`.
    """

    name: str
    parts: tuple
    value: np.ndarray


@dataclass(frozen=True)
class Unrolled:
    """The numbers of a layer on a sequence, forwards and backwards.

    The loss L is the sum of the last hidden state. The n numbers of a state are the hidden state
    and, in an LSTM, the cell state.

    Attributes:
        variant: A key of `VARIANTS`.
        labels: The number or word of each time step, as typed.
        inputs: Input vectors `(time, features)`.
        terms: For each time step its `Term`s, in the order of `page.EQUATIONS`.
        hidden, cell: States after each step, `(time, units)`; `cell` is None for an RNN or GRU.
        jacobians: Jacobian of the state after each step with respect to the one before it,
            `(time, n, n)`.
        gradients: Gradient of L with respect to the state after 0, 1, 2 … steps, `(time + 1, n)`.
        weights: As from `layer.get_weights()`.
    """

    variant: str
    labels: tuple
    inputs: np.ndarray
    terms: tuple
    hidden: np.ndarray
    cell: np.ndarray | None
    jacobians: np.ndarray
    gradients: np.ndarray
    weights: tuple


def parse(text):
    """Splits a text of numbers or of words into labels and vectors `(time, features)`.

    The vector of a word is drawn from a generator seeded with the word, in tenths from −1 to 1, so
    that a word always has the same vector.

    Raises:
        UserError: if the text is empty, too long or mixes numbers and words.
    """
    tokens = re.findall(r"[^\s,;]+", text) if isinstance(text, str) else []
    if not tokens:
        raise UserError(
            "There is nothing to read yet. Type some numbers, such as 1 0 −0.5, or a sentence."
        )
    if len(tokens) > MAX_STEPS:
        raise UserError(
            f"This has {len(tokens):,} time steps; at most {MAX_STEPS} can be drawn. Shorten it."
        )
    numbers = [_number(token) for token in tokens]
    if sum(number is not None for number in numbers) * 2 < len(tokens):
        words = [re.sub(r"\W", "", token.lower()) for token in tokens]
        return tuple(tokens), np.array([_vector(word) for word in words], "float32")
    for token, number in zip(tokens, numbers, strict=True):
        if number is None:
            raise UserError(f"“{token[:40]}” is not a number. Type only numbers, or only words.")
        if not abs(number) <= MAX_NUMBER:
            raise UserError(
                f"“{token[:40]}” cannot be used: numbers must lie between −{MAX_NUMBER:,} and "
                f"{MAX_NUMBER:,}."
            )
    return tuple(tokens), np.array(numbers, "float32")[:, None]


def _number(token):
    try:
        return float(token.replace("−", "-"))
    except ValueError:
        return None


def _vector(word):
    rng = np.random.default_rng(zlib.crc32(word.encode()))
    return rng.integers(-10, 11, WORD_FEATURES) / 10


def initial_weights(variant, units, features, seed):
    """Random weights in tenths, to be checked by hand; the bias of a forget gate gets 1 more."""
    rng = np.random.default_rng(seed)
    layer = _layer(variant, units, features)
    weights = [np.round(0.7 * rng.normal(size=w.shape), 1) for w in layer.get_weights()]
    names = layer.cell.preactivation_names
    if "forget" in names:
        start = names.index("forget") * units
        weights[2][start : start + units] += 1
    return tuple((weight + 0.0).astype("float32") for weight in weights)


def read(text, variant, units, seed):
    """Reads a text with a layer of random weights.

    Args:
        text: Numbers or words, as for `parse`.
        variant: A key of `VARIANTS`.
        units: Number of units.
        seed: Seed of the weights.

    Returns:
        An `Unrolled`.

    Raises:
        UserError: as `parse`.
    """
    labels, inputs = parse(text)
    features = inputs.shape[1]
    weights = initial_weights(variant, units, features, seed)
    states = len(_layer(variant, units, features).cell.state_names)
    start = [np.zeros((1, units))] * states
    outputs = _compile(variant, units, features)(weights, inputs[None], start)
    traced = {name: values[0] for name, values in outputs["trace"].items()}
    jacobians = outputs["jacobians"][0]
    gradient = np.concatenate([np.ones(units), np.zeros(units * (states - 1))])
    gradients = [gradient]
    for jacobian in jacobians[::-1]:
        gradients.append(gradients[-1] @ jacobian)
    return Unrolled(
        variant,
        labels,
        inputs,
        _terms(variant, outputs["projected"][0], traced, weights),
        traced["hidden"],
        traced.get("cell"),
        jacobians,
        np.stack(gradients[::-1]),
        weights,
    )


@cache
def _layer(variant, units, features):
    cell, options = VARIANTS[variant]
    layer = Recurrent(cell(units, **options), return_sequences=True)
    layer.build((None, None, features))
    return layer


@cache
def _compile(variant, units, features):
    layer = _layer(variant, units, features)

    def run(inputs, initial_state):
        return {
            "projected": layer.cell.project(inputs),
            "trace": layer.trace(inputs, initial_state),
            "jacobians": layer.jacobians(inputs, initial_state),
        }

    return compile_method(layer, run, features)


def _terms(variant, projected, traced, weights):
    """The `Term`s of every time step, in the order of the equations."""
    cell_terms = {"rnn": _rnn_terms, "gru": _gru_terms, "gru_before": _gru_terms}
    make = cell_terms.get(variant, _lstm_terms)
    units = traced["hidden"].shape[1]
    steps = []
    for t in range(len(projected)):
        now = {name: values[t] for name, values in traced.items()}
        before = {
            name: traced[name][t - 1] if t else np.zeros(units, "float32")
            for name in ("hidden", "cell")
            if name in traced
        }
        steps.append(tuple(make(variant, projected[t], now, before, weights)))
    return tuple(steps)


def _rnn_terms(variant, projected, now, before, weights):
    parts = (("x W + b", projected), ("h′ U", before["hidden"] @ weights[1]))
    yield Term("hidden", parts, now["hidden"])


def _lstm_terms(variant, projected, now, before, weights):
    names = ("forget", "candidate", "output")
    names = names if variant == "coupled" else ("input", *names)
    entering = np.split(projected, len(names))
    recurrent = np.split(before["hidden"] @ weights[1], len(names))
    letter = {"input": "i", "forget": "f", "candidate": "g", "output": "o"}

    def gate(name):
        n, sign = names.index(name), letter[name]
        parts = [(f"x W_{sign} + b_{sign}", entering[n]), (f"h′ U_{sign}", recurrent[n])]
        if variant == "peephole" and name != "candidate":
            state, letter_of = (now["cell"], "c") if name == "output" else (before["cell"], "c′")
            row = {"input": 0, "forget": 1, "output": 2}[name]
            parts.append((f"p_{sign} ∘ {letter_of}", weights[3][row] * state))
        return Term(name, tuple(parts), now[name])

    cell = Term(
        "cell",
        (
            ("f ∘ c′", now["forget"] * before["cell"]),
            ("i ∘ g", now["input"] * now["candidate"]),
        ),
        now["cell"],
    )
    order = {
        "lstm": ("input", "forget", "output", "candidate", cell),
        "peephole": ("input", "forget", "candidate", cell, "output"),
        "coupled": ("forget", "input", "output", "candidate", cell),
    }[variant]
    for item in order:
        if item is cell:
            yield cell
        elif variant == "coupled" and item == "input":
            yield Term("input", (("f", now["forget"]),), now["input"])
        else:
            yield gate(item)
    yield Term("hidden", (("tanh(c)", np.tanh(now["cell"])),), now["hidden"])


def _gru_terms(variant, projected, now, before, weights):
    kernel, after = weights[1], variant == "gru"
    entering = np.split(projected, 3)
    recurrent = before["hidden"] @ kernel
    inner = np.split(recurrent + weights[2][1] if after else recurrent, 3)
    dash = " + b′" if after else ""
    for n, (name, sign) in enumerate((("update", "z"), ("reset", "r"))):
        parts = ((f"x W_{sign} + b_{sign}", entering[n]), (f"h′ U_{sign}{dash}", inner[n]))
        yield Term(name, parts, now[name])
    if after:
        product = ("r ∘ (h′ U_g + b′)", now["reset"] * inner[2])
    else:
        units = len(now["hidden"])
        hidden = now["reset"] * before["hidden"]
        product = ("(r ∘ h′) U_g", hidden @ kernel[:, 2 * units :])
    yield Term("candidate", (("x W_g + b_g", entering[2]), product), now["candidate"])
    yield Term(
        "hidden",
        (
            ("z ∘ h′", now["update"] * before["hidden"]),
            ("(1 − z) ∘ g", (1 - now["update"]) * now["candidate"]),
        ),
        now["hidden"],
    )


def write_listing(result):
    """The code of a layer; its `trace` and `gradients` hold the numbers of the page."""
    cell, options = VARIANTS[result.variant]
    units = result.hidden.shape[1]
    arguments = "".join(f", {name}={value}" for name, value in options.items())
    names = ", ".join(sorted((cell.__name__, "Recurrent"), key=str.lower))
    weights = ",\n".join(f"    {write_array(weight)}" for weight in result.weights)
    return write_script(
        f"import numpy as np\n\nfrom unrolled.layers import {names}",
        f"inputs = {write_array(result.inputs[None])}  # {' '.join(result.labels)}",
        f"""
layer = Recurrent({cell.__name__}({units}{arguments}), return_sequences=True)
layer.build(inputs.shape)
layer.set_weights([
{weights},
])
""",
        f"""
trace = {{name: np.array(values)[0] for name, values in layer.trace(inputs).items()}}
for name, values in trace.items():
    print(name, values, sep="\\n")

# Back through time: L is the sum of the last hidden state; each step multiplies by one Jacobian
jacobians = np.array(layer.jacobians(inputs))[0]
gradient = np.zeros(jacobians.shape[-1])
gradient[:{units}] = 1
gradients = [gradient]
for jacobian in jacobians[::-1]:
    gradients.append(gradients[-1] @ jacobian)
print(np.stack(gradients))
""",
    )
