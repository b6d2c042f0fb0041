"""Helpers of the layer tests: gradients on each backend, cells with random weights."""

import keras
import numpy as np
from keras import ops

from unrolled.layers import GRUCell, LSTMCell, RNNCell

BACKEND = keras.backend.backend()
if BACKEND == "torch":
    import torch

VARIANTS = {
    "rnn": (RNNCell, {}),
    "rnn linear": (RNNCell, {"activation": "linear"}),
    "irnn": (RNNCell, {"activation": "relu", "recurrent_initializer": "identity"}),
    "lstm": (LSTMCell, {}),
    "lstm peepholes": (LSTMCell, {"peepholes": True}),
    "lstm coupled": (LSTMCell, {"coupled": True}),
    "lstm coupled peepholes": (LSTMCell, {"coupled": True, "peepholes": True}),
    "gru": (GRUCell, {}),
    "gru reset before": (GRUCell, {"reset_after": False}),
}


def make_cell(variant, units=5, **options):
    cell, fixed = VARIANTS[variant]
    return cell(units, **{**fixed, **options})


def randomise(layer, seed=0):
    """Set all weights of a built layer, biases too, to different random numbers; returns them."""
    rng = np.random.default_rng(seed)
    weights = [0.5 * rng.normal(size=w.shape).astype("float32") for w in layer.get_weights()]
    layer.set_weights(weights)
    return weights


def outputs_and_gradients(layer, inputs, states=(), mode="eager", only=None, **arguments):
    """Call a layer and differentiate a loss that treats each of its outputs differently.

    Args:
        layer: A built layer.
        inputs: Array `(batch, time, features)`.
        states: List of arrays, the initial states.
        mode: "eager", "graph" or "jit", on TensorFlow; JAX always compiles, PyTorch never.
        only: Mask `(batch, time)` or None; sequences of outputs are set to zero elsewhere.
        arguments: Further call arguments of the layer.

    Returns:
        Two lists of arrays: the outputs, and the gradients with respect to the inputs, the initial
        states and the trainable weights.
    """
    variables = layer.trainable_variables
    sources = [ops.convert_to_tensor(array) for array in (inputs, *states)]

    def call(function, sources):
        if len(sources) > 1:
            arguments["initial_state"] = list(sources[1:])
        outputs = keras.tree.flatten(function(sources[0], **arguments))
        if only is not None:
            outputs = [
                ops.where(only[..., None], x, 0.0) if len(x.shape) == 3 else x for x in outputs
            ]
        return outputs

    def loss(outputs):
        outputs = [ops.cast(output, "float32") for output in outputs]
        return sum(ops.sum(ops.sin(output + n)) for n, output in enumerate(outputs))

    if BACKEND == "tensorflow":
        import tensorflow as tf

        def run(*sources):
            with tf.GradientTape() as tape:
                tape.watch(sources)
                outputs = call(layer, sources)
                total = loss(outputs)
            by = [*sources, *(variable.value for variable in variables)]
            return outputs, tape.gradient(total, by)

        if mode != "eager":
            run = tf.function(run, jit_compile=mode == "jit", autograph=False)
        outputs, gradients = run(*sources)
    elif BACKEND == "torch":
        sources = [source.detach().requires_grad_() for source in sources]
        outputs = call(layer, sources)
        by = [*sources, *(variable.value for variable in variables)]
        gradients = torch.autograd.grad(loss(outputs), by)
    else:
        import jax

        def total(sources, weights):
            def stateless(*inputs, **kwargs):
                state = layer.non_trainable_variables
                return layer.stateless_call(weights, state, *inputs, **kwargs)[0]

            outputs = call(stateless, sources)
            return loss(outputs), outputs

        run = jax.jit(jax.value_and_grad(total, argnums=(0, 1), has_aux=True))
        (_, outputs), gradients = run(sources, [variable.value for variable in variables])
        gradients = keras.tree.flatten(gradients)
    return [ops.convert_to_numpy(x) for x in outputs], [ops.convert_to_numpy(x) for x in gradients]


def assert_same(results, others, tolerance=1e-5):
    """Two results of `outputs_and_gradients` agree, in number, shape and value."""
    for arrays, expected in zip(results, others, strict=True):
        assert [a.shape for a in arrays] == [e.shape for e in expected]
        for array, reference in zip(arrays, expected, strict=True):
            np.testing.assert_allclose(array, reference, rtol=tolerance, atol=tolerance)
