"""Loops over time on each backend, and functions with a gradient of their own."""

import keras
from keras import ops

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
elif keras.backend.backend() == "torch":
    import torch

    class _CustomGradient(torch.autograd.Function):
        """Runs a function as `custom_gradient` describes it, and keeps its gradient function."""

        @staticmethod
        def forward(context, function, *tensors):
            outputs, context.gradient = function(*tensors)
            # The gradient function holds the outputs. Returning others avoids a reference cycle.
            return tuple(output.detach() for output in keras.tree.flatten(outputs))

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(context, *upstream):
            return (None, *context.gradient(*upstream))


def custom_gradient(function):
    """`keras.ops.custom_gradient`, on PyTorch for functions of several outputs too.

    Args:
        function: Function of tensors that returns a tensor, or a tuple of tensors, and a function
            from the gradients with respect to these to a tuple of the gradients with respect to
            the arguments.

    Returns:
        The function without its gradient; automatic differentiation calls the latter. While
        PyTorch traces or compiles, it differentiates the function itself.
    """
    if keras.backend.backend() != "torch":
        return ops.custom_gradient(function)

    def run(*tensors):
        if torch.jit.is_tracing() or torch.compiler.is_compiling():
            return function(*tensors)[0]
        outputs = _CustomGradient.apply(function, *tensors)
        return outputs if len(outputs) > 1 else outputs[0]

    return run


def scan(step, carry, sequences, result_count=1, reverse=False, unroll=False):
    """Fold `step(carry, items) -> (carry, results)` over the first axis of `sequences`.

    Args:
        step: Function of a list of tensors and a list of one item per sequence. It returns the
            new carry and a list of results.
        carry: List of tensors, all of one dtype.
        sequences: List of tensors `(time, ...)`.
        result_count: Integer, how many results a step returns, all of the carry's dtype.
        reverse: Go from the last item to the first; each result stays at its item's position.
        unroll: Whether the loop is written out; the number of items must be known.

    Returns:
        The last carry, and a list of the stacked results, each `(time, ...)`.
    """
    if unroll:
        indices = range(sequences[0].shape[0])
        results = {}
        for index in reversed(indices) if reverse else indices:
            carry, results[index] = step(carry, [sequence[index] for sequence in sequences])
        columns = zip(*(results[index] for index in indices), strict=True)
        return carry, [ops.stack(column) for column in columns]
    if keras.backend.backend() != "tensorflow":
        return ops.scan(step, carry, sequences, reverse=reverse)
    # keras.ops.scan on TensorFlow accepts only results shaped like the carry, and is slower.
    time = sequences[0].shape[0] or tf.shape(sequences[0])[0]

    def position(index):
        return time - 1 - index if reverse else index

    def read(index):
        return [sequence[position(index)] for sequence in sequences]

    def body(index, items, carry, stacks):
        carry, results = step(carry, items)
        stacks = [s.write(position(index), r) for s, r in zip(stacks, results, strict=True)]
        # The next step's items are loop variables. XLA would otherwise fuse the reading with the
        # arithmetic into scalar code, which takes twice as long.
        return index + 1, read(tf.minimum(index + 1, time - 1)), carry, stacks

    stacks = [tf.TensorArray(carry[0].dtype, time) for _ in range(result_count)]
    start = (tf.constant(0), read(0), carry, stacks)
    # XLA differentiates only loops with a bound.
    _, _, carry, stacks = tf.while_loop(
        lambda index, *_: index < time, body, start, maximum_iterations=time
    )
    return carry, [stack.stack() for stack in stacks]
