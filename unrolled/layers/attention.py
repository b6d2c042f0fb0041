"""Attention: for each query, a weighted mean of a memory."""

from abc import ABC, abstractmethod

import keras
import numpy as np
from keras import initializers, ops

from unrolled.layers.cells import as_positive_integer, shapes_agree


class Attention(keras.layers.Layer, ABC):
    """Base class of the attention layers: mask, softmax and weighted mean.

    A subclass defines `scores(query, keys)`, a tensor `(batch, queries, time)`. The softmax is
    computed in float32 at least, also in mixed precision.

    Args:
        kernel_initializer: Initializer of the weights.

    Call arguments, `memory_mask` and `keys` by name:
        query: Tensor `(batch, queries, query features)`, such as the states of a decoder.
        memory: Tensor `(batch, time, memory features)`, such as the states of an encoder.
        memory_mask: Boolean tensor or list `(batch, time)`, False where the memory is padding. If
            None, the mask that a layer such as `Embedding(mask_zero=True)` attached to the memory.
        keys: Tensor `(batch, time, key features)` that the queries are compared with. If None,
            the memory, which is then both keys and values.

    Returns:
        The context `(batch, queries, memory features)`, and the attention weights
        `(batch, queries, time)`, in float32 at least. The weights are 0 at masked time steps and
        sum to 1; if all time steps are masked, weights and context are 0.

    Raises:
        ValueError: if an argument or a shape is wrong; the message names it.
    """

    def __init__(self, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.supports_masking = True

    @abstractmethod
    def scores(self, query, keys):
        """The scores of each time step for each query, before the softmax."""

    def call(self, query, memory, *, memory_mask=None, keys=None):
        if isinstance(memory_mask, list | tuple):
            memory_mask = np.array(memory_mask)
        keys = memory if keys is None else keys
        self._check_shapes(query, memory, memory_mask, keys)
        scores = self.scores(query, keys)  # (batch, queries, time)
        scores = ops.cast(scores, keras.backend.result_type(scores.dtype, "float32"))
        if memory_mask is None:
            weights = ops.softmax(scores, axis=-1)
        else:
            mask = ops.expand_dims(ops.cast(memory_mask, "bool"), 1)  # (batch, 1, time)
            weights = ops.softmax(ops.where(mask, scores, -1e9), axis=-1)
            weights = ops.where(mask, weights, ops.zeros_like(weights))
        return ops.matmul(ops.cast(weights, memory.dtype), memory), weights

    def compute_mask(self, query, previous_mask=None):
        """The context has the query's steps, and so its mask; the weights have none."""
        return previous_mask, None

    def _weight(self, name, rows, columns):
        return self.add_weight((rows, columns), self.kernel_initializer, name=name)

    def _check_shapes(self, query, memory, mask, keys):
        for name, tensor in (("query", query), ("memory", memory), ("keys", keys)):
            if len(tensor.shape) != 3:
                raise ValueError(
                    f"`{name}` must have the shape (batch, steps, features). "
                    f"Received: {name}.shape={tuple(tensor.shape)}"
                )
        expected = tuple(memory.shape[:2])
        if not shapes_agree(keys.shape[:2], expected):
            raise ValueError(
                f"`keys` must have the batch and time of `memory`, {expected}. "
                f"Received: keys.shape={tuple(keys.shape)}"
            )
        if mask is None:
            return
        shape = tuple(mask.shape)
        if not shapes_agree(shape, expected):
            raise ValueError(
                f"`memory_mask` must have the shape (batch, time) = {expected}. "
                f"Received: memory_mask.shape={shape}"
            )

    def get_config(self):
        return {
            **super().get_config(),
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
        }


@keras.saving.register_keras_serializable("unrolled")
class AdditiveAttention(Attention):
    """Additive attention: score = v · tanh(q W + k U + b) (Bahdanau, Cho & Bengio 2015).

    k is a key: a step of the memory, if no others are given.

    Args:
        units: Positive integer, the size of v, the hidden layer of the scoring network.
        **kwargs: The arguments of `Attention`.

    Weights: query_kernel `(query features, units)`, memory_kernel `(key features, units)`,
    bias `(units,)`, score_kernel `(units, 1)`.

    Example:

    >>> context, weights = AdditiveAttention(8)(np.ones((2, 1, 3)), np.ones((2, 5, 4)))
    >>> tuple(context.shape), tuple(weights.shape)
    ((2, 1, 4), (2, 1, 5))
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = as_positive_integer(units, "units")

    def build(self, query_shape, memory_shape, keys_shape=None):
        features = (keys_shape or memory_shape)[-1]
        self.query_kernel = self._weight("query_kernel", query_shape[-1], self.units)
        self.memory_kernel = self._weight("memory_kernel", features, self.units)
        self.bias = self.add_weight((self.units,), "zeros", name="bias")
        self.score_kernel = self._weight("score_kernel", self.units, 1)

    def scores(self, query, keys):
        query = ops.matmul(query, self.query_kernel)  # (batch, queries, units)
        keys = ops.matmul(keys, self.memory_kernel) + self.bias  # (batch, time, units)
        hidden = ops.tanh(ops.expand_dims(query, 2) + ops.expand_dims(keys, 1))
        return ops.squeeze(ops.matmul(hidden, self.score_kernel), -1)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("unrolled")
class DotAttention(Attention):
    """Dot-product attention: score = q · k, or q W · k (Luong, Pham & Manning 2015).

    k is a key: a step of the memory, if no others are given.

    Args:
        general: Whether to learn the matrix W (Luong's "general" score). Without it ("dot"),
            queries and keys must have the same number of features.
        scaled: Whether to divide the scores by the square root of the number of key features,
            so that the softmax does not saturate in wide layers (Vaswani et al. 2017).
        **kwargs: The arguments of `Attention`.

    Weights: kernel `(query features, key features)` with `general`, else none.

    Example:

    >>> context, weights = DotAttention(general=True)(np.ones((2, 1, 3)), np.ones((2, 5, 4)))
    >>> tuple(context.shape), tuple(weights.shape)
    ((2, 1, 4), (2, 1, 5))
    """

    def __init__(self, general=False, scaled=True, **kwargs):
        super().__init__(**kwargs)
        self.general = general
        self.scaled = scaled

    def build(self, query_shape, memory_shape, keys_shape=None):
        features = (keys_shape or memory_shape)[-1]
        if self.general:
            self.kernel = self._weight("kernel", query_shape[-1], features)
        elif query_shape[-1] != features:
            raise ValueError(
                "`query` and `keys` (by default the memory) must have the same number of features "
                f"unless `general=True`. Received: {query_shape[-1]} and {features}"
            )

    def scores(self, query, keys):
        if self.general:
            query = ops.matmul(query, self.kernel)
        if self.scaled:
            query = query * keys.shape[-1] ** -0.5
        return ops.matmul(query, ops.transpose(keys, (0, 2, 1)))

    def get_config(self):
        return {**super().get_config(), "general": self.general, "scaled": self.scaled}
