"""Compiled methods of recurrent layers that take the weights as an argument.

The weights are an input of the graph, so that one graph serves all visitors.
"""

import keras
import numpy as np
from keras import ops


def compile_method(layer, method, features, vectors=0):
    """Compiles a method of a recurrent layer as a function of weights, inputs and initial states.

    Args:
        layer: A recurrent layer; it is built here.
        method: `layer.call`, `layer.trace` or `layer.jacobians`, or a function that calls them.
            It takes `inputs`, `initial_state` and `vectors` further arguments.
        features: Number of input features.
        vectors: Number of further arguments, each of shape `(units,)`.

    Returns:
        A function of `weights` (as from `layer.get_weights()`), `inputs`
        `(batch, time, features)`, `initial_state` (a list of arrays `(batch, units)`) and the
        vectors. It returns numpy arrays, nested as the method's result. Batch and time may have
        any length without a new compilation.
    """
    layer.build((None, None, features))

    def run_stateless(weights, inputs, initial_state, *more):
        with keras.StatelessScope(state_mapping=list(zip(layer.weights, weights, strict=True))):
            return method(inputs, initial_state, *more)

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        signature = [
            [tf.TensorSpec(weight.shape) for weight in layer.weights],
            tf.TensorSpec((None, None, features)),
            [tf.TensorSpec((None, layer.cell.units)) for _ in layer.cell.state_names],
            *[tf.TensorSpec((layer.cell.units,))] * vectors,
        ]
        run_stateless = tf.function(run_stateless, input_signature=signature, autograph=False)

    def run(weights, inputs, initial_state, *more):
        arguments = keras.tree.map_structure(
            lambda array: ops.convert_to_tensor(np.asarray(array, "float32")),
            [list(weights), inputs, list(initial_state), *more],
        )
        return keras.tree.map_structure(ops.convert_to_numpy, run_stateless(*arguments))

    return run
