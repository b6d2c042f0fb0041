"""A recurrent network of one line, y(t) = w₁ (x(t) + w₂ y(t − 1)), and one of two units."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from apps.cells import code as written
from apps.cells.graphs import graph
from shared.layers import Recurrent, RNNCell

GRID = 64  # starts along each side of the plane
REACH = 1.5  # the plane goes from −REACH to REACH
SETTLE = 400  # steps after which most starts have arrived where they stay
STILL = 3e-4  # what has moved less in the last steps is resting
SAME = 0.1  # two ends closer than this are one


@dataclass(frozen=True)
class Response:
    """What the network of one line makes of a signal, arrays `(steps,)`."""

    w1: float
    w2: float
    signal: np.ndarray
    output: np.ndarray

    @property
    def growth(self):
        """What a step multiplies the past by."""
        return self.w1 * self.w2

    @property
    def overflow(self):
        """The first step, counted from 0, outside the range of 32-bit numbers, or None."""
        bad = np.flatnonzero(~np.isfinite(self.output))
        return int(bad[0]) if bad.size else None


@dataclass(frozen=True)
class Plane:
    """h(t) = tanh(W h(t − 1)) from every start of a plane.

    Attributes:
        weights: W, `(2, 2)`.
        eigenvalues: Of W, complex `(2,)`.
        ends: List of the places where starts end, each `(points, 2)`: one point at rest, two
            that alternate, or the many of a cycle.
        basins: `(GRID, GRID)` of places in `ends`; rows upwards, columns to the right.
        paths: Two paths `(2, steps + 1, 2)` from two nearby starts.
    """

    weights: np.ndarray
    eigenvalues: np.ndarray
    ends: list
    basins: np.ndarray
    paths: np.ndarray

    @property
    def distances(self):
        """How far the two paths are apart at every step, `(steps + 1,)`."""
        return np.linalg.norm(self.paths[0] - self.paths[1], axis=-1)


def impulse(steps):
    """1 at step 0, then nothing."""
    return np.eye(1, steps, dtype="float32")[0]


def sine(steps, period):
    """A sine wave with a period in steps."""
    return np.sin(2 * np.pi * np.arange(steps) / period).astype("float32")


def respond(w1, w2, signal):
    """The `Response` to a signal `(steps,)`, from y(−1) = 0."""
    weights = [np.full((1, 1), w1), np.full((1, 1), w1 * w2), np.zeros(1)]
    output = _run(1, "linear")(weights, signal[None, :, None], [np.zeros((1, 1))])
    return Response(w1, w2, signal, output[0, :, 0])


def plane(weights, start, apart=0.05, steps=60):
    """The `Plane` of W.

    Args:
        weights: W, `(2, 2)`; unit i hears unit j through `W[i, j]`.
        start: `(2,)`, the start of the first path.
        apart: How far to the right of it the second starts.
        steps: Of the two paths.
    """
    weights = np.asarray(weights, float)

    def run(starts, steps):
        nothing = np.zeros((len(starts), steps, 1))
        return _run(2, "tanh")([np.zeros((1, 2)), weights.T, np.zeros(2)], nothing, [starts])

    starts = np.array([start, np.add(start, (apart, 0))], "float32")
    paths = np.concatenate([starts[:, None], run(starts, steps)], axis=1)
    side = np.linspace(-REACH, REACH, GRID)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2).astype("float32")
    ends, basins = _ends(run(grid, SETTLE)[:, -24:])
    eigenvalues = np.linalg.eigvals(weights).astype(complex)
    return Plane(weights, eigenvalues, ends, basins.reshape(GRID, GRID), paths)


@cache
def _run(units, activation):
    layer = Recurrent(RNNCell(units, activation=activation), return_sequences=True)
    return graph(layer, layer.call, features=1)


def _ends(last):
    """Sort starts by where they end: the list of ends, and each start's place in it.

    Args:
        last: The last steps of each start, `(starts, steps, 2)`, an even number of steps.
    """
    near = np.abs(last[:, -1:] - last).max(axis=-1) < STILL  # (starts, steps)
    resting = near.all(axis=1)
    alternating = ~resting & near[:, 1::2].all(axis=1)
    ends, places = [], np.full(len(last), -1)

    def collect(rows, points):
        for n in np.flatnonzero(rows):
            if places[n] >= 0:
                continue
            same = rows & (np.abs(last[:, -1] - last[n, -1]).max(axis=-1) < SAME)
            if points == 2:
                same |= rows & (np.abs(last[:, -2] - last[n, -1]).max(axis=-1) < SAME)
            places[same & (places < 0)] = len(ends)
            ends.append(last[n, -points:])

    collect(resting, 1)
    collect(alternating, 2)
    if (places < 0).any():
        places[places < 0] = len(ends)
        ends.append(last[~resting & ~alternating][:200].reshape(-1, 2))
    return ends, places


def response_code(w1, w2, steps):
    """The code of the impulse's response; `output` is what the page draws."""
    return written.script(
        "import numpy as np\n\nfrom shared.layers import Recurrent, RNNCell",
        f"w1, w2 = {w1}, {w2}",
        f"""
layer = Recurrent(RNNCell(1, activation="linear"), return_sequences=True)
layer.build((1, {steps}, 1))
# Input weight, recurrent weight, bias: y(t) = w1 * x(t) + w1 * w2 * y(t - 1)
layer.set_weights([np.full((1, 1), w1), np.full((1, 1), w1 * w2), np.zeros(1)])
""",
        f"""
impulse = np.eye(1, {steps}, dtype="float32")
output = np.array(layer(impulse[:, :, None]))[0, :, 0]
print(output)
""",
    )


def plane_code(weights, start, apart=0.05, steps=60):
    """The code of the two paths; `paths` is what the page draws."""
    return written.script(
        "import numpy as np\n\nfrom shared.layers import Recurrent, RNNCell",
        f"""
w = {written.array(weights)}
layer = Recurrent(RNNCell(2), return_sequences=True)
layer.build((None, None, 1))
layer.set_weights([np.zeros((1, 2)), w.T, np.zeros(2)])
print(np.linalg.eigvals(w))
""",
        f"""
starts = {written.array([start, np.add(start, (apart, 0))])}
nothing = np.zeros((2, {steps}, 1), "float32")
paths = np.array(layer(nothing, initial_state=starts))
print(paths)
""",
    )
