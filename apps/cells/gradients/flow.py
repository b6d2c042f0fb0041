"""How far a gradient travels back through time: Jacobians, their products, and a bound."""

import inspect
from dataclasses import dataclass
from functools import cache

import numpy as np
from keras import ops

from apps.cells.chain_rule import gradients_by_lag
from apps.cells.graphs import compile_method
from apps.cells.listing import write_script
from unrolled.layers import GRUCell, LSTMCell, Recurrent, RNNCell
from unrolled.layers.recurrent import backward_through_time, forward_through_time

SEQUENCES = 4  # over which gradients are averaged
OMEGA_LEARNING_RATE = 0.5


@dataclass(frozen=True)
class Setting:
    """The setting of a measurement.

    Attributes:
        length: Number of time steps.
        units: Number of units of each layer.
        start: Initial recurrent weights, `"orthogonal"` or `"gaussian"`.
        radius: Spectral radius of every block of the recurrent weights, its largest |eigenvalue|.
        bias: Bias of the gate that keeps the past: the forget gate or the update gate.
        clip: Norm to which the gradient with respect to the recurrent weights is clipped, or 0.
        omega: Number of descent steps on the regulariser Ω; see `regularise`.
        seed: Seed of the weights, the readout and the inputs.
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
    """How the gradient of the last step's loss L flows back in one layer.

    Arrays are `(length + 1,)`, by lag: the number of time steps that the gradient has gone back.
    If a state overflows the range of 32-bit numbers, there is no gradient and they are NaN.

    Attributes:
        cell: `"rnn"`, `"irnn"`, `"lstm"` or `"gru"`.
        norms: |∂L/∂h| before clipping, the mean over sequences.
        memory: |∂L/∂c| with respect to the cell state, likewise, or None for cells without one.
        largest: Largest singular value of the product of the Jacobians, the maximum over
            sequences.
        bound: (‖U‖ γ) to the power of the lag, where γ = 1 is the largest slope of the
            activation; None for cells with gates.
        weight_norm: ‖U‖, the largest singular value of the first block of recurrent weights.
        gradient: Norm of ∂L/∂U, before clipping.
        factor: Factor by which clipping scales every gradient; 1 without clipping.
        broken: The first time step whose hidden state is not finite, or None.
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
    """The regulariser Ω at each step of the descent, and the `Flow` at its smallest value."""

    values: np.ndarray
    flow: Flow


def make_cell(name, units):
    """The cell of a name. An IRNN is an RNN of ReLUs that starts from the identity matrix."""
    if name == "lstm":
        return LSTMCell(units)
    if name == "gru":
        return GRUCell(units)
    return RNNCell(units, activation="relu" if name == "irnn" else "tanh")


def initial_weights(name, units, start, radius, bias, seed):
    """Input weights, recurrent weights (each block of the spectral radius `radius`) and biases."""
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


def inputs_and_readout(length, units, seed):
    """Random sequences `(SEQUENCES, length, 1)`, and a readout `(units,)` of length 1."""
    rng = np.random.default_rng([seed, 1])
    inputs = rng.normal(size=(SEQUENCES, length, 1)).astype("float32")
    readout = rng.normal(size=units)
    return inputs, (readout / np.linalg.norm(readout)).astype("float32")


def measure(name, setting, recurrent=None):
    """The `Flow` of one cell.

    Args:
        name: `"rnn"`, `"irnn"`, `"lstm"` or `"gru"`.
        setting: The `Setting`.
        recurrent: Recurrent weights to use instead of the initial ones, or None.
    """
    units = setting.units
    weights = initial_weights(
        name, units, setting.start, setting.radius, setting.bias, setting.seed
    )
    if recurrent is not None:
        weights[1] = recurrent
    inputs, readout = inputs_and_readout(setting.length, units, setting.seed)
    run, states = _compile(name, units)
    with np.errstate(over="ignore", invalid="ignore"):
        outputs = run(weights, inputs, [np.zeros((SEQUENCES, units))] * states, readout)
        by_lag = gradients_by_lag(outputs["jacobians"], readout).astype(float)
        weight_gradient = float(np.linalg.norm(outputs["gradient"].astype(float)))
        norms = np.linalg.norm(by_lag[..., :units], axis=-1).mean(axis=1)
        memory = np.linalg.norm(by_lag[..., units:], axis=-1).mean(axis=1) if states == 2 else None
        largest = _largest_singular_values(outputs["jacobians"])
    clipped = setting.clip and np.isfinite(weight_gradient)
    overflows = np.flatnonzero(~np.isfinite(outputs["hidden"]).all(axis=(0, 2)))
    if overflows.size:
        norms, largest = np.full_like(norms, np.nan), np.full_like(largest, np.nan)
    weight_norm = float(np.linalg.norm(np.asarray(weights[1])[:, :units], 2))
    gated = name not in ("rnn", "irnn")
    return Flow(
        cell=name,
        norms=norms,
        memory=memory,
        largest=largest,
        bound=None if gated else weight_norm ** np.arange(setting.length + 1.0),
        weight_norm=weight_norm,
        gradient=weight_gradient,
        factor=min(1.0, setting.clip / weight_gradient) if clipped else 1.0,
        broken=int(overflows[0]) + 1 if overflows.size else None,
    )


def regularise(setting):
    """The `Omega` of the RNN: gradient descent on Pascanu's regulariser Ω alone.

    Ω is the mean over time of (‖∂L/∂h(k−1)‖ / ‖∂L/∂h(k)‖ − 1)², which is small if the gradient
    keeps its norm from step to step. As in section 3.3 of Pascanu, Mikolov & Bengio (2013), it is
    differentiated with respect to the recurrent weights only; the states and the gradients that
    arrive from later steps are constants.
    """
    units = setting.units
    weights = initial_weights(
        "rnn", units, setting.start, setting.radius, setting.bias, setting.seed
    )
    inputs, readout = inputs_and_readout(setting.length, units, setting.seed)
    run, _ = _compile("rnn", units)
    values, candidates = [], []
    for _ in range(setting.omega + 1):
        hidden = run(weights, inputs, [np.zeros((SEQUENCES, units))], readout)["hidden"]
        value, slope = omega(hidden.astype(float), np.asarray(weights[1], float), readout)
        values.append(value)
        candidates.append(weights[1])
        weights[1] = weights[1] - OMEGA_LEARNING_RATE * slope
    return Omega(np.array(values), measure("rnn", setting, candidates[int(np.argmin(values))]))


def omega(hidden, recurrent, readout):
    """Ω of a tanh RNN, and its gradient with respect to the recurrent weights.

    Args:
        hidden: Hidden states `(batch, time, units)`.
        recurrent: Recurrent weights `(units, units)`.
        readout: ∂L/∂h of the last step, `(units,)`.
    """
    batch, steps, units = hidden.shape
    gradient = np.tile(readout.astype(float), (batch, 1))
    value, slope = 0.0, np.zeros_like(recurrent)
    for t in reversed(range(steps)):
        delta = gradient * (1 - hidden[:, t] ** 2)  # (batch, units)
        before = delta @ recurrent.T
        norm = np.maximum(np.linalg.norm(before, axis=1, keepdims=True), 1e-12)
        ratio = norm / np.linalg.norm(gradient, axis=1, keepdims=True)
        value += ((ratio - 1) ** 2).sum()
        slope += 2 * (before * (ratio - 1) * ratio / norm**2).T @ delta
        gradient = before / norm  # Ω depends on its direction only
    return float(value / (batch * steps)), slope / (batch * steps)


def _largest_singular_values(jacobians):
    """The largest singular value of the product of the last Jacobians, by their number."""
    batch, steps, n, _ = jacobians.shape
    product = np.tile(np.eye(n), (batch, 1, 1))
    products = [product]
    for t in reversed(range(steps)):
        product = product @ jacobians[:, t].astype(float)
        products.append(product)
    products = np.stack(products)  # (lags, batch, n, n)
    largest = np.full(products.shape[:2], np.nan)
    finite = np.isfinite(products).all(axis=(2, 3))
    largest[finite] = np.linalg.svd(products[finite], compute_uv=False)[:, 0]
    return largest.max(axis=1)


@cache
def _compile(name, units):
    """The compiled measurements of a cell, and its number of states."""
    layer = Recurrent(make_cell(name, units))
    cell = layer.cell

    def run(inputs, initial_state, readout):
        projected = ops.transpose(cell.project(inputs), (1, 0, 2))  # (time, batch, blocks · units)
        weights = cell.recurrent_weights()
        last, history = forward_through_time(cell, projected, initial_state, weights)
        share = ops.broadcast_to(readout / SEQUENCES, ops.shape(last[0]))
        d_last = [share, *(ops.zeros_like(state) for state in last[1:])]
        d_hidden = ops.zeros_like(history["hidden"])
        _, _, d_weights = backward_through_time(
            cell, d_hidden, d_last, history, initial_state, weights
        )
        return {
            "jacobians": layer.jacobians(inputs, initial_state),
            "hidden": ops.transpose(history["hidden"], (1, 0, 2)),
            "gradient": d_weights[0],
        }

    return compile_method(layer, run, features=1, vectors=1), len(cell.state_names)


def write_listing(names, setting):
    """The code that measures the curves; its `norms` holds them by the names of the cells."""
    values = (setting.units, setting.start, setting.radius, setting.bias, setting.seed)
    functions = (make_cell, initial_weights, inputs_and_readout, gradients_by_lag)
    return write_script(
        "import numpy as np\n\nfrom unrolled.layers import GRUCell, LSTMCell, Recurrent, RNNCell",
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
