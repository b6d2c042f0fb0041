"""How far a gradient gets back through time: measured Jacobians, their products, and a bound."""

import inspect
from dataclasses import dataclass
from functools import cache

import numpy as np
from keras import ops

from apps.cells import code as written
from apps.cells.graphs import graph
from shared.layers import GRUCell, LSTMCell, Recurrent, RNNCell
from shared.layers.recurrent import back_through_time, unroll

SEQUENCES = 4  # over which gradients are averaged
OMEGA_RATE = 0.5  # of the descent on the regulariser


@dataclass(frozen=True)
class Setting:
    """What is measured.

    Attributes:
        length: Time steps.
        units: Of each layer.
        start: Of the recurrent weights, `"orthogonal"` or `"gaussian"`.
        radius: Spectral radius of every block of the recurrent weights.
        bias: Of the gate that keeps the past: forget gate, update gate.
        clip: Norm to which the gradient by the recurrent weights is clipped; 0 for none.
        omega: Steps of descent on the regulariser Ω, for the RNN.
        seed: Of weights, readout and inputs.
    """

    length: int = 100
    units: int = 32
    start: str = "orthogonal"
    radius: float = 1.0
    bias: float = 4.0
    clip: float = 0.0
    omega: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Flow:
    """How the gradient of the last step's loss flows back in one layer; arrays by lag, from 0.

    Where a state left the range of 32-bit numbers, there is no gradient: all arrays are NaN.

    Attributes:
        cell: `"rnn"`, `"irnn"`, `"lstm"` or `"gru"`.
        norms: |∂L/∂h| at every lag before clipping, the mean over sequences, `(length + 1,)`.
        memory: The same by the cell state, or None where there is none.
        largest: Largest singular value of the product of the Jacobians up to there, the most of
            all sequences, `(length + 1,)`.
        bound: (‖U‖ γ) to the power of the lag, with the largest slope γ = 1, for cells without
            gates; None for others.
        weight_norm: ‖U‖, the largest singular value of the recurrent weights' first block.
        gradient: Norm of the gradient of the loss by the recurrent weights, before clipping.
        factor: What clipping multiplies every gradient by, 1 without.
        broken: The first time step whose hidden state is infinite or no number, or None.
    """

    cell: str
    norms: np.ndarray
    memory: np.ndarray | None
    largest: np.ndarray
    bound: np.ndarray | None
    weight_norm: float
    gradient: float
    factor: float
    broken: int | None


@dataclass(frozen=True)
class Omega:
    """The regulariser before and after each step of descent, and the `Flow` where it is least."""

    values: np.ndarray
    flow: Flow


def make_cell(name, units):
    """The cell of a name."""
    if name == "lstm":
        return LSTMCell(units)
    if name == "gru":
        return GRUCell(units)
    return RNNCell(units, activation="relu" if name == "irnn" else "tanh")


def initial_weights(name, units, start, radius, bias, seed):
    """Input weights, recurrent weights and bias, every recurrent block of one spectral radius."""
    rng = np.random.default_rng(seed)
    blocks = {"rnn": 1, "irnn": 1, "gru": 3, "lstm": 4}[name]
    recurrent = []
    for _ in range(blocks):
        block = rng.normal(size=(units, units)) / np.sqrt(units)
        if start == "orthogonal":
            block = np.linalg.qr(block)[0]
        if name == "irnn":
            block = np.eye(units)
        recurrent.append(block * radius / max(abs(np.linalg.eigvals(block))))
    kernel = rng.normal(size=(1, blocks * units)) / np.sqrt(units)
    biases = np.zeros((2, 3 * units) if name == "gru" else blocks * units)
    if name == "lstm":
        biases[units : 2 * units] = bias  # input, forget, candidate, output
    if name == "gru":
        biases[0, :units] = bias  # update, reset, candidate
    return [kernel, np.concatenate(recurrent, axis=1), biases]


def gradients_by_lag(jacobians, readout):
    """Gradients of the loss L = readout · h(T) by the states at every lag, `(lags, batch, n)`.

    Each is the one before it times one more Jacobian: the chain rule, one step at a time.
    """
    batch, steps, n, _ = jacobians.shape
    gradient = np.zeros((batch, 1, n), "float32")
    gradient[:, 0, : len(readout)] = readout  # the hidden state; the cell state comes after it
    found = [gradient]
    for t in reversed(range(steps)):
        gradient = gradient @ jacobians[:, t]
        found.append(gradient)
    return np.concatenate(found, axis=1).swapaxes(0, 1)


def inputs_and_readout(length, units, seed):
    """Random sequences `(SEQUENCES, length, 1)`, and a direction of length 1 to read out."""
    rng = np.random.default_rng([seed, 1])
    inputs = rng.normal(size=(SEQUENCES, length, 1)).astype("float32")
    readout = rng.normal(size=units)
    return inputs, (readout / np.linalg.norm(readout)).astype("float32")


def measure(name, setting, recurrent=None):
    """The `Flow` of one cell.

    Args:
        name: `"rnn"`, `"irnn"`, `"lstm"` or `"gru"`.
        setting: The `Setting`.
        recurrent: Other recurrent weights than the initial ones, or None.
    """
    weights = initial_weights(
        name, setting.units, setting.start, setting.radius, setting.bias, setting.seed
    )
    if recurrent is not None:
        weights[1] = recurrent
    units = setting.units
    inputs, readout = inputs_and_readout(setting.length, units, setting.seed)
    run, states = _graph(name, units)
    with np.errstate(over="ignore", invalid="ignore"):
        found = run(weights, inputs, [np.zeros((SEQUENCES, units))] * states, readout)
        by_lag = gradients_by_lag(found["jacobians"], readout).astype(float)
        gradient = float(np.linalg.norm(found["gradient"].astype(float)))
        norms = np.linalg.norm(by_lag[..., :units], axis=-1).mean(axis=1)
        memory = np.linalg.norm(by_lag[..., units:], axis=-1).mean(axis=1) if states == 2 else None
        largest = _largest(found["jacobians"])
    factor = min(1.0, setting.clip / gradient) if setting.clip and np.isfinite(gradient) else 1.0
    weight_norm = float(np.linalg.norm(np.asarray(weights[1])[:, :units], 2))
    bound = None
    if name in ("rnn", "irnn"):
        bound = weight_norm ** np.arange(setting.length + 1.0)
    bad = np.flatnonzero(~np.isfinite(found["hidden"]).all(axis=(0, 2)))
    if bad.size:
        norms, largest = np.full_like(norms, np.nan), np.full_like(largest, np.nan)
    return Flow(
        name,
        norms,
        memory,
        largest,
        bound,
        weight_norm,
        gradient,
        factor,
        int(bad[0]) + 1 if bad.size else None,
    )


def regularise(setting):
    """`Omega` of the RNN: gradient descent on Pascanu's regulariser alone.

    Ω is the mean over time of (‖∂L/∂h(k−1)‖ / ‖∂L/∂h(k)‖ − 1)²: it is small where a gradient
    keeps its length from step to step. As in section 3.3 of Pascanu, Mikolov & Bengio (2013) it
    is differentiated by the recurrent weights directly, the states and what arrives held fixed.
    """
    units = setting.units
    weights = initial_weights(
        "rnn", units, setting.start, setting.radius, setting.bias, setting.seed
    )
    inputs, readout = inputs_and_readout(setting.length, units, setting.seed)
    run, _ = _graph("rnn", units)
    values, tried = [], []
    for _ in range(setting.omega + 1):
        hidden = run(weights, inputs, [np.zeros((SEQUENCES, units))], readout)["hidden"]
        value, slope = omega(hidden.astype(float), np.asarray(weights[1], float), readout)
        values.append(value)
        tried.append(weights[1])
        weights[1] = weights[1] - OMEGA_RATE * slope
    return Omega(np.array(values), measure("rnn", setting, tried[int(np.argmin(values))]))


def omega(hidden, recurrent, readout):
    """Ω and its gradient by the recurrent weights, for h = tanh(…) `(batch, time, units)`."""
    batch, steps, units = hidden.shape
    gradient = np.tile(readout.astype(float), (batch, 1))
    value, slope = 0.0, np.zeros_like(recurrent)
    for t in reversed(range(steps)):
        delta = gradient * (1 - hidden[:, t] ** 2)  # (batch, units)
        before = delta @ recurrent.T
        length = np.maximum(np.linalg.norm(before, axis=1, keepdims=True), 1e-12)
        ratio = length / np.linalg.norm(gradient, axis=1, keepdims=True)
        value += ((ratio - 1) ** 2).sum()
        slope += 2 * (before * (ratio - 1) * ratio / length**2).T @ delta
        gradient = before / length  # Ω asks for the direction alone
    return float(value / (batch * steps)), slope / (batch * steps)


def _largest(jacobians):
    """Largest singular value of the products of the last Jacobians, by how many they are."""
    batch, steps, n, _ = jacobians.shape
    product = np.tile(np.eye(n), (batch, 1, 1))
    products = [product]
    for t in reversed(range(steps)):
        product = product @ jacobians[:, t].astype(float)
        products.append(product)
    products = np.stack(products)  # (lags, batch, n, n)
    found = np.full(products.shape[:2], np.nan)
    finite = np.isfinite(products).all(axis=(2, 3))
    found[finite] = np.linalg.svd(products[finite], compute_uv=False)[:, 0]
    return found.max(axis=1)


@cache
def _graph(name, units):
    """The compiled measurements of a cell, and how many states it has."""
    layer = Recurrent(make_cell(name, units))
    cell = layer.cell

    def run(inputs, initial_state, readout):
        projected = ops.transpose(cell.project(inputs), (1, 0, 2))  # (time, batch, blocks · units)
        weights = cell.recurrent_weights()
        last, history = unroll(cell, projected, initial_state, weights)
        share = ops.broadcast_to(readout / SEQUENCES, ops.shape(last[0]))
        d_last = [share, *(ops.zeros_like(state) for state in last[1:])]
        nothing = ops.zeros_like(history["hidden"])
        _, _, d_weights = back_through_time(cell, nothing, d_last, history, initial_state, weights)
        return {
            "jacobians": layer.jacobians(inputs, initial_state),
            "hidden": ops.transpose(history["hidden"], (1, 0, 2)),
            "gradient": d_weights[0],
        }

    return graph(layer, run, features=1, vectors=1), len(cell.states)


def code(names, setting):
    """The code that measures the curves; `norms` holds them by the cells' names."""
    values = (setting.units, setting.start, setting.radius, setting.bias, setting.seed)
    functions = (make_cell, initial_weights, inputs_and_readout, gradients_by_lag)
    return written.script(
        "import numpy as np\n\nfrom shared.layers import GRUCell, LSTMCell, Recurrent, RNNCell",
        f"SEQUENCES = {SEQUENCES}\n\n",
        "\n\n\n".join(inspect.getsource(function).strip() for function in functions) + "\n\n",
        f"""
inputs, readout = inputs_and_readout({setting.length}, {setting.units}, {setting.seed})
norms = {{}}
for name in {tuple(names)!r}:
    layer = Recurrent(make_cell(name, {setting.units}))
    layer.build((None, None, 1))
    layer.set_weights(initial_weights(name, {", ".join(map(repr, values))}))
    jacobians = np.array(layer.jacobians(inputs))  # (batch, time, states, states)
    gradients = gradients_by_lag(jacobians, readout)[..., :{setting.units}]
    norms[name] = np.linalg.norm(gradients, axis=-1).mean(axis=1)
    print(name, norms[name][::10])
""",
    )
