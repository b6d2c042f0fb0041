"""A recurrent network of one line, y(t) = w₁ (x(t) + w₂ y(t − 1)), and one of two units."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from apps.cells.graphs import compile_method
from apps.cells.listing import write_array, write_script
from unrolled.layers import Recurrent, RNNCell

GRID_SIDE = 64  # start points along each side of the plane
PLANE_LIMIT = 1.5  # the plane goes from −1.5 to 1.5
SETTLING_STEPS = 400
COMPARED_STEPS = 24  # the last steps, in which a path rests, alternates or moves on
REST_TOLERANCE = 3e-4  # a path that moves less than this is at rest
MERGE_DISTANCE = 0.1  # end points closer than this count as one


@dataclass(frozen=True)
class Response:
    """The output of the one-line network for a signal; both are arrays `(steps,)`."""

    w1: float
    w2: float
    signal: np.ndarray
    output: np.ndarray

    @property
    def growth(self):
        """The factor by which each step multiplies the past."""
        return self.w1 * self.w2

    @property
    def overflow(self):
        """The first step, counted from 0, outside the range of 32-bit numbers, or None."""
        bad = np.flatnonzero(~np.isfinite(self.output))
        return int(bad[0]) if bad.size else None


@dataclass(frozen=True)
class Plane:
    """The paths of h(t) = tanh(W h(t − 1)) from the points of a plane.

    Attributes:
        weights: W, `(2, 2)`.
        eigenvalues: Eigenvalues of W, complex `(2,)`.
        attractors: List of the sets of points at which paths end, each `(points, 2)`: one point
            of rest, two between which a path alternates, or the many points of a cycle.
        basins: `(GRID_SIDE, GRID_SIDE)`, for each start point the index of its attractor; rows
            go upwards, columns to the right.
        paths: Two paths `(2, steps + 1, 2)` from two nearby starts.
    """

    weights: np.ndarray
    eigenvalues: np.ndarray
    attractors: list
    basins: np.ndarray
    paths: np.ndarray

    @property
    def distances(self):
        """Distance between the two paths at every step, `(steps + 1,)`."""
        return np.linalg.norm(self.paths[0] - self.paths[1], axis=-1)


def make_impulse(steps):
    """A signal that is 1 at step 0 and 0 afterwards, `(steps,)`."""
    return np.eye(1, steps, dtype="float32")[0]


def make_sine(steps, period):
    """A sine wave `(steps,)` with a period in steps."""
    return np.sin(2 * np.pi * np.arange(steps) / period).astype("float32")


def respond(w1, w2, signal):
    """The `Response` to a signal `(steps,)`, from y(−1) = 0."""
    weights = [np.full((1, 1), w1), np.full((1, 1), w1 * w2), np.zeros(1)]
    output = _compile(1, "linear")(weights, signal[None, :, None], [np.zeros((1, 1))])
    return Response(w1, w2, signal, output[0, :, 0])


def follow_paths(weights, start, apart=0.05, steps=60):
    """The `Plane` of W.

    Args:
        weights: W, `(2, 2)`; `W[i, j]` is the weight from unit j to unit i.
        start: `(2,)`, the start of the first path.
        apart: Distance to the right at which the second path starts.
        steps: Length of the two paths.
    """
    weights = np.asarray(weights, float)

    def run(starts, steps):
        silence = np.zeros((len(starts), steps, 1))
        return _compile(2, "tanh")([np.zeros((1, 2)), weights.T, np.zeros(2)], silence, [starts])

    starts = np.array([start, np.add(start, (apart, 0))], "float32")
    paths = np.concatenate([starts[:, None], run(starts, steps)], axis=1)
    side = np.linspace(-PLANE_LIMIT, PLANE_LIMIT, GRID_SIDE)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2).astype("float32")
    attractors, basins = _find_attractors(run(grid, SETTLING_STEPS)[:, -COMPARED_STEPS:])
    eigenvalues = np.linalg.eigvals(weights).astype(complex)
    return Plane(weights, eigenvalues, attractors, basins.reshape(GRID_SIDE, GRID_SIDE), paths)


@cache
def _compile(units, activation):
    layer = Recurrent(RNNCell(units, activation=activation), return_sequences=True)
    return compile_method(layer, layer.call, features=1)


def _find_attractors(last):
    """Sorts paths by where they end: the list of attractors, and the index of each path's.

    Args:
        last: The last steps of each path, `(paths, steps, 2)`, an even number of steps.
    """
    near = np.abs(last[:, -1:] - last).max(axis=-1) < REST_TOLERANCE  # (paths, steps)
    resting = near.all(axis=1)
    alternating = ~resting & near[:, 1::2].all(axis=1)
    attractors, indices = [], np.full(len(last), -1)

    def collect(rows, points):
        for n in np.flatnonzero(rows):
            if indices[n] >= 0:
                continue
            same = rows & (np.abs(last[:, -1] - last[n, -1]).max(axis=-1) < MERGE_DISTANCE)
            if points == 2:
                same |= rows & (np.abs(last[:, -2] - last[n, -1]).max(axis=-1) < MERGE_DISTANCE)
            indices[same & (indices < 0)] = len(attractors)
            attractors.append(last[n, -points:])

    collect(resting, 1)
    collect(alternating, 2)
    if (indices < 0).any():
        indices[indices < 0] = len(attractors)
        attractors.append(last[~resting & ~alternating][:200].reshape(-1, 2))
    return attractors, indices


def write_response_listing(w1, w2, steps):
    """The code of the impulse response; its `output` is what the page draws."""
    return write_script(
        "import numpy as np\n\nfrom unrolled.layers import Recurrent, RNNCell",
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


def write_plane_listing(weights, start, apart=0.05, steps=60):
    """The code of the two paths; its `paths` is what the page draws."""
    return write_script(
        "import numpy as np\n\nfrom unrolled.layers import Recurrent, RNNCell",
        f"""
w = {write_array(weights)}
layer = Recurrent(RNNCell(2), return_sequences=True)
layer.build((None, None, 1))
layer.set_weights([np.zeros((1, 2)), w.T, np.zeros(2)])
print(np.linalg.eigvals(w))
""",
        f"""
starts = {write_array([start, np.add(start, (apart, 0))])}
silence = np.zeros((2, {steps}, 1), "float32")
paths = np.array(layer(silence, initial_state=starts))
print(paths)
""",
    )
