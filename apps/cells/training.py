"""Training steps in one compiled graph, for the lessons that train while visitors watch.

The graph is a function of the weights and of Adam's moments, so that one graph serves every
visitor and a run can be paused after any step.
"""

import keras
from keras import ops

MAX_STEPS_PER_CALL = 10


def use_weights(variables, weights):
    """A context in which variables have the given values."""
    return keras.StatelessScope(list(zip(variables, weights, strict=True)))


def apply_adam(weights, moments, gradients, step, learning_rate, clip_norm):
    """One step of Adam (Kingma & Ba 2015).

    Args:
        weights, gradients: Lists of tensors.
        moments: The first moments of all weights, then the second moments.
        step: Number of this step, from 1.
        learning_rate: Of Adam.
        clip_norm: Largest norm of all gradients together; longer ones are scaled down to it.

    Returns:
        The new weights and the new moments.
    """
    norm = ops.sqrt(sum(ops.sum(ops.square(gradient)) for gradient in gradients))
    scale = clip_norm / ops.maximum(norm, clip_norm)
    rate = learning_rate * ops.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    means, squares, new_weights = [], [], []
    pairs = zip(moments[: len(weights)], moments[len(weights) :], strict=True)
    for weight, gradient, (mean, square) in zip(weights, gradients, pairs, strict=True):
        gradient = gradient * scale
        means.append(0.9 * mean + 0.1 * gradient)
        squares.append(0.999 * square + 0.001 * ops.square(gradient))
        new_weights.append(weight - rate * means[-1] / (ops.sqrt(squares[-1]) + 1e-7))
    return new_weights, [*means, *squares]


def train_steps(variables, loss, weights, moments, count, done, learning_rate, clip_norm):
    """Takes several steps of Adam in one graph.

    Args:
        variables: Trainable variables of a network.
        loss: Function of the number of a step, from 0, that returns its loss, a scalar tensor.
        weights: List of the variables' values.
        moments: Adam's moments, as for `apply_adam`.
        count: Integer, number of steps, at most `MAX_STEPS_PER_CALL`.
        done: Float, number of steps taken before.
        learning_rate, clip_norm: As for `apply_adam`.

    Returns:
        The new weights, the new moments and the losses `(MAX_STEPS_PER_CALL,)`, which are 0 from
        `count` on.
    """
    import tensorflow as tf  # the site runs on TensorFlow; Keras has no gradient function

    def body(n, weights, moments, losses):
        with tf.GradientTape() as tape, use_weights(variables, weights):
            tape.watch(weights)
            value = loss(n)
        gradients = tape.gradient(value, weights)
        step = done + ops.cast(n, "float32") + 1
        weights, moments = apply_adam(weights, moments, gradients, step, learning_rate, clip_norm)
        return n + 1, weights, moments, tf.tensor_scatter_nd_update(losses, [[n]], [value])

    start = (tf.constant(0), list(weights), list(moments), tf.zeros(MAX_STEPS_PER_CALL))
    return tf.while_loop(lambda n, *_: n < count, body, start)[1:]
