"""Recursive networks: a cell over the nodes of trees, many trees at once (`Recursive`).

A tree is an integer array `(words - 1, 2)`, as in `scipy.cluster.hierarchy.linkage`: its leaves,
the words, have the numbers 0 to words - 1, its inner nodes the next ones, and row k names the left
and the right child of inner node words + k. Children come before their parents, so the root is the
last node. A tree of one word is an array `(0, 2)`.

`schedule` lays the nodes of many trees out in steps of a fixed width. `Recursive` computes a step
at a time, as `Recurrent` does, with a backward pass written by hand.
"""

import heapq

import keras
import numpy as np
from keras import ops

from unrolled.layers.scan import custom_gradient, scan


def schedule(trees, width, steps=None):
    """Lay the nodes of trees out in steps, so that children are computed before their parents.

    A step takes the nodes that are farthest from their root among those that are ready, which
    needs the fewest steps possible (Hu 1961).

    Args:
        trees: List of integer arrays `(words - 1, 2)`.
        width: Most nodes of a step.
        steps: Number of steps to pad to, or None for as many as are needed, at least one.

    Returns:
        The argument `children` of `Recursive`, int32 `(steps, width, 2)`, and for each tree the
        rows of its nodes in what `Recursive` returns, an int32 array `(2 * words - 1,)`.

    Raises:
        ValueError: if an array is no tree, or the trees need more than `steps`.
    """
    leaf_total = sum(len(tree) + 1 for tree in trees)
    rows, parents, waiting, queue = [], [], [], []
    for number, tree in enumerate(trees):
        leaves, parent = len(tree) + 1, _parents(tree)
        depths = np.zeros(len(parent), int)
        for node in reversed(range(len(parent) - 1)):
            depths[node] = depths[parent[node]] + 1
        first = sum(len(earlier) + 1 for earlier in trees[:number])
        rows.append(np.full(len(parent), first, "int32"))
        rows[-1][:leaves] += np.arange(leaves, dtype="int32")
        parents.append(parent)
        waiting.append((np.reshape(tree, (-1, 2)) >= leaves).sum(axis=1))  # for inner children
        ready = (np.flatnonzero(waiting[-1] == 0) + leaves).tolist()
        queue += [(-depths[node], number, node) for node in ready]
    heapq.heapify(queue)
    table = []
    while queue or len(table) < (steps or 1):
        slots = np.arange(width, dtype="int32") + leaf_total + len(table) * width
        table.append(np.stack([slots, slots], axis=1))  # what pads a step reads itself alone
        step = [heapq.heappop(queue) for _ in range(min(width, len(queue)))]
        for slot, (depth, number, node) in enumerate(step):
            leaves, parent = len(trees[number]) + 1, parents[number][node]
            table[-1][slot] = rows[number][trees[number][node - leaves]]
            rows[number][node] = slots[slot]
            if parent >= 0:
                waiting[number][parent - leaves] -= 1
                if not waiting[number][parent - leaves]:
                    heapq.heappush(queue, (depth + 1, number, parent))
    if steps is not None and len(table) > steps:
        raise ValueError(f"The trees need {len(table)} steps. Received: steps={steps}")
    return np.stack(table), rows


def _parents(tree):
    """The parent of each node, -1 for the root.

    Raises:
        ValueError: if the array is no tree.
    """
    leaves = len(tree) + 1
    parents = np.full(2 * leaves - 1, -1)
    for node, children in enumerate(tree, start=leaves):
        for child in children:
            if not 0 <= child < node or parents[child] >= 0:
                raise ValueError(f"Each node needs one parent that comes later. Received: {tree}")
            parents[child] = node
    return parents


def run_tree(cell, projected, leaf_states, children, dropout_mask=None, training=False):
    """Run a cell over the inner nodes of scheduled trees; its gradient is written by hand.

    Args:
        cell: A built `TreeLSTMCell`.
        projected: Tensor `(1, n * units)`: the pre-activations of a node without input.
        leaf_states: List of the states of all leaves, each `(leaves, units)`.
        children: Integer tensor `(steps, width, 2)` of `schedule`.
        dropout_mask: Mask of the children's hidden states `(steps, width, 2 * units)`, or None.
        training: Whether `weight_dropout` applies to the recurrent weights.

    Returns:
        The hidden states of all leaves and slots, `(leaves + steps * width, units)`.
    """
    units, count = cell.units, len(leaf_states)
    leaves = ops.shape(leaf_states[0])[0]
    steps, width = ops.shape(children)[0], ops.shape(children)[1]
    slots = ops.reshape(ops.arange(steps * width), (steps, width)) + leaves
    masks = [] if dropout_mask is None else [dropout_mask]

    def read(buffers, children):
        """The states of the children `(..., 2)` of nodes, each `(..., 2 * units)`."""
        shape = (*ops.shape(children)[:-1], 2 * units)
        return [ops.reshape(ops.take(buffer, children, axis=0), shape) for buffer in buffers]

    def write(buffers, rows, values):
        rows = ops.expand_dims(rows, -1)
        pairs = zip(buffers, values, strict=True)
        return [ops.scatter_update(buffer, rows, value) for buffer, value in pairs]

    @custom_gradient
    def run(projected, weight, *leaf_states):
        empty = ops.zeros((steps * width, units), dtype=leaf_states[0].dtype)
        buffers = [ops.concatenate([states, empty], axis=0) for states in leaf_states]

        def forward(buffers, items):
            children, slots, *mask = items
            states, values = cell.step(projected, read(buffers, children), [weight], *mask)
            return write(buffers, slots, states), [values[name] for name in cell.saved_names]

        buffers, saved = scan(forward, buffers, [children, slots, *masks], len(cell.saved_names))

        def gradient(*upstream):
            (d_hidden,) = keras.tree.flatten(upstream)
            previous = read(buffers, children)
            after = [ops.take(buffer, slots, axis=0) for buffer in buffers]
            values = dict(zip(cell.state_names, after, strict=True))
            values |= dict(zip(cell.saved_names, saved, strict=True))
            derivatives = cell.local_derivatives(previous, values, [weight], *masks)
            transposed = [ops.transpose(weight)]
            d_buffers = [d_hidden, *(ops.zeros_like(d_hidden) for _ in range(count - 1))]

            def backward(d_buffers, items):
                children, slots, *rest = items
                d_states = [ops.take(buffer, slots, axis=0) for buffer in d_buffers]
                d_children, d_preactivations = cell.backward_step(
                    rest[: len(derivatives)], d_states, transposed, *rest[len(derivatives) :]
                )
                # No two nodes of a step share a child.
                pairs = zip(read(d_buffers, children), d_children, strict=True)
                sums = [ops.reshape(old + new, (-1, units)) for old, new in pairs]
                d_buffers = write(d_buffers, ops.reshape(children, (-1,)), sums)
                return d_buffers, [d_preactivations]

            sequences = [children, slots, *derivatives, *masks]
            d_buffers, (d_total,) = scan(backward, d_buffers, sequences, reverse=True)
            (d_weight,) = cell.weight_gradients(d_total, previous, values, *masks)
            d_projected = ops.sum(d_total, axis=(0, 1))[None]
            return (d_projected, d_weight, *(buffer[:leaves] for buffer in d_buffers))

        return buffers[0], gradient

    return run(projected, *cell.recurrent_weights(training), *leaf_states)


@keras.saving.register_keras_serializable("unrolled")
class Recursive(keras.layers.Layer):
    """Runs a cell over the nodes of trees, from the leaves to the roots.

    Only leaves have inputs, as in constituency trees. The trees of a batch are computed together,
    a step of `schedule` at a time.

    Args:
        cell: A `TreeLSTMCell`. Its `recurrent_dropout` draws a mask for each node.
        **kwargs: The arguments of `keras.layers.Layer`. `dtype` is what the outputs are cast to,
            by default the cell's.

    Call arguments:
        inputs: Tensor `(leaves, features)`, the leaves of one tree after those of the other.
        children: Integer tensor `(steps, width, 2)` of `schedule`.
        training: Boolean, whether dropout applies.

    Returns:
        The hidden states of all nodes, `(leaves + steps * width, units)`: those of the leaves, then
        those of the steps' slots. `schedule` says which rows are the nodes of which tree; slots
        that pad a step hold nothing of use, and no loss may depend on them.

    Raises:
        ValueError: if a shape is wrong; the message names the argument and its shape.

    Example:

    >>> trees = [np.array([[0, 1], [3, 2]]), np.array([[0, 1]])]  # ((a b) c) and (d e)
    >>> children, rows = schedule(trees, width=2)
    >>> hidden = Recursive(TreeLSTMCell(8))(np.ones((5, 3)), children)
    >>> tuple(hidden[rows[0][-1]].shape)  # of the first root
    (8,)
    """

    def __init__(self, cell, **kwargs):
        if not hasattr(cell, "leaf"):
            raise ValueError(f"`cell` must be a TreeLSTMCell. Received: cell={cell!r}")
        super().__init__(**{"dtype": cell.dtype_policy, **kwargs})
        self.cell = cell

    def build(self, inputs_shape, children_shape=None):
        if not self.cell.built:
            self.cell.build(inputs_shape)

    def call(self, inputs, children, training=False):
        for name, tensor, dimensions in (("inputs", inputs, 2), ("children", children, 3)):
            if len(tensor.shape) != dimensions:
                raise ValueError(
                    f"`{name}` must have {dimensions} dimensions. "
                    f"Received: {name}.shape={tuple(tensor.shape)}"
                )
        cell, features = self.cell, inputs.shape[-1]
        inputs = ops.cast(inputs, cell.compute_dtype)
        input_mask, _ = cell.dropout_masks(ops.shape(inputs)[0], features, training)
        steps, width = ops.shape(children)[0], ops.shape(children)[1]
        _, mask = cell.dropout_masks(steps * width, features, training)
        if mask is not None:
            mask = ops.reshape(mask, (steps, width, cell.state_width))
        leaf_states = cell.leaf(cell.project(inputs, input_mask))
        nothing = cell.project(ops.zeros((1, features), dtype=cell.compute_dtype))
        hidden = run_tree(cell, nothing, leaf_states, children, mask, training)
        return ops.cast(hidden, self.compute_dtype)

    def compute_output_shape(self, inputs_shape, children_shape):
        return (None, self.cell.units)

    def get_config(self):
        return {**super().get_config(), "cell": keras.saving.serialize_keras_object(self.cell)}

    @classmethod
    def from_config(cls, config):
        cell = keras.saving.deserialize_keras_object(config["cell"])
        return cls(**{**config, "cell": cell})
