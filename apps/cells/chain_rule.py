"""Gradients with respect to earlier states, from the Jacobians of the time steps."""

import numpy as np


def gradients_by_lag(jacobians, readout):
    """Gradients of the loss L = readout · h(T) with respect to the states at every lag.

    Each gradient is the one before it times one more Jacobian: the chain rule, step by step.

    Args:
        jacobians: Array `(batch, time, n, n)`, as from `jacobians` of a recurrent layer.
        readout: Array `(units,)`. The hidden state takes the first `units` of the n numbers.

    Returns:
        Array `(lags, batch, n)`; lag 0 is the last step.
    """
    batch, steps, n, _ = jacobians.shape
    gradient = np.zeros((batch, 1, n), "float32")
    gradient[:, 0, : len(readout)] = readout  # the hidden state; the cell state comes after it
    gradients = [gradient]
    for t in reversed(range(steps)):
        gradient = gradient @ jacobians[:, t]
        gradients.append(gradient)
    return np.concatenate(gradients, axis=1).swapaxes(0, 1)
