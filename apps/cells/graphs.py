"""Methods of our layers as graphs that take the weights too, so that all visitors share one."""

import keras
import numpy as np
from keras import ops


def graph(layer, method, features, vectors=0):
    """A method of a recurrent layer as a function of weights, inputs and initial states.

    Args:
        layer: A `Recurrent`; it is built here.
        method: Of the layer: `layer.call`, `layer.trace` or `layer.jacobians`, or a function
            that calls them, of `inputs, initial_state`, and as many vectors more.
        features: Of the inputs.
        vectors: How many vectors, each `(units,)`, the method takes besides.

    Returns:
        A function of `weights` (as `layer.get_weights()`), `inputs` `(batch, time, features)`,
        `initial_state`, a list of arrays `(batch, units)`, and the vectors; it returns numpy
        arrays, nested as the method's. Batch and time may be any: one graph serves them all.
    """
    layer.build((None, None, features))

    def stateless(weights, inputs, initial_state, *more):
        with keras.StatelessScope(state_mapping=list(zip(layer.weights, weights, strict=True))):
            return method(inputs, initial_state, *more)

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        signature = [
            [tf.TensorSpec(weight.shape) for weight in layer.weights],
            tf.TensorSpec((None, None, features)),
            [tf.TensorSpec((None, layer.cell.units)) for _ in layer.cell.states],
            *[tf.TensorSpec((layer.cell.units,))] * vectors,
        ]
        stateless = tf.function(stateless, input_signature=signature, autograph=False)

    def run(weights, inputs, initial_state, *more):
        arguments = keras.tree.map_structure(
            lambda array: ops.convert_to_tensor(np.asarray(array, "float32")),
            [list(weights), inputs, list(initial_state), *more],
        )
        return keras.tree.map_structure(ops.convert_to_numpy, stateless(*arguments))

    return run
