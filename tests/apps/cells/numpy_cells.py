"""The cells once more, written in numpy from their papers, to check the laboratory's numbers."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step(variant, weights, x, states):
    """One step in float64: the list of the new states, and the gates by their names."""
    w, u, b, *peepholes = (np.asarray(weight, float) for weight in weights)
    h, *memory = states
    n = len(h)
    if variant in ("rnn", "irnn", "linear"):
        total = x @ w + h @ u + b
        return [
            {"rnn": np.tanh, "irnn": lambda z: z * (z > 0), "linear": lambda z: z}[variant](total)
        ], {}
    if variant.startswith("gru"):
        if variant == "gru":
            b, inner = b
            back = h @ u + inner
        else:
            back = h @ u
        ahead = x @ w + b
        z = sigmoid(ahead[:n] + back[:n])
        r = sigmoid(ahead[n : 2 * n] + back[n : 2 * n])
        late = r * back[2 * n :] if variant == "gru" else (r * h) @ u[:, 2 * n :]
        g = np.tanh(ahead[2 * n :] + late)
        return [z * h + (1 - z) * g], {"update": z, "reset": r, "candidate": g}
    (c,) = memory
    total = x @ w + h @ u + b
    parts = [total[k * n : (k + 1) * n] for k in range(len(total) // n)]
    if variant == "coupled":
        f = sigmoid(parts[0])
        i, g, o = 1 - f, np.tanh(parts[1]), parts[2]
    else:
        p = peepholes[0] if peepholes else np.zeros((3, n))
        i, f = sigmoid(parts[0] + p[0] * c), sigmoid(parts[1] + p[1] * c)
        g, o = np.tanh(parts[2]), parts[3]
    c = f * c + i * g
    o = sigmoid(o + (p[2] * c if variant != "coupled" else 0))
    return [o * np.tanh(c), c], {"input": i, "forget": f, "candidate": g, "output": o}


def run(variant, weights, inputs, states):
    """All states after every step, side by side `(time, n)`, and the gates of every step."""
    rows, gates = [], []
    for x in np.asarray(inputs, float):
        states, made = step(variant, weights, x, states)
        rows.append(np.concatenate(states))
        gates.append(made)
    return np.array(rows), gates


def gradient(function, at, nudge=1e-6):
    """Central finite differences of a number by a vector."""
    at = np.asarray(at, float)
    slopes = np.zeros_like(at)
    for n in range(at.size):
        moved = np.zeros_like(at)
        moved.flat[n] = nudge
        slopes.flat[n] = (function(at + moved) - function(at - moved)) / (2 * nudge)
    return slopes
