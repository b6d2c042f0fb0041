"""Attention: for each query, a weighted mean of a memory."""

from abc import ABC, abstractmethod

import keras
import numpy as np
from keras import initializers, ops

from unrolled.layers.cells import as_positive_integer, shapes_agree


class _Weighting(keras.layers.Layer):
    """Base class of all attention layers: from scores to weights and a weighted mean.

    Args:
        dropout: Fraction of the weights to drop in training, between 0 and 1.
        seed: Seed of the dropout.
    """

    def __init__(self, dropout=0.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be in [0, 1). Received: dropout={dropout!r}")
        self.dropout = dropout
        self.seed = seed
        if dropout:
            self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def attend(self, scores, memory, mask=None, causal=False, training=False):
        """The context and the weights.

        Args:
            scores: Tensor `(batch, ..., queries, time)`.
            memory: Tensor `(batch, ..., time, features)`.
            mask: Boolean tensor `(batch, time)`, or None.
            causal: Whether query i may read the first i + 1 time steps alone.
            training: Whether dropout applies.
        """
        scores = ops.cast(scores, keras.backend.result_type(scores.dtype, "float32"))
        visible = None if mask is None else ops.expand_dims(ops.cast(mask, "bool"), -2)
        if causal:
            queries, time = ops.shape(scores)[-2:]
            triangle = ops.arange(queries)[:, None] >= ops.arange(time)[None, :]
            visible = triangle if visible is None else ops.logical_and(visible, triangle)
        if visible is not None:
            scores = ops.where(visible, scores, -1e9)
        weights = ops.softmax(scores, axis=-1)
        if visible is not None:
            weights = ops.where(visible, weights, ops.zeros_like(weights))
        if training and self.dropout:
            weights = keras.random.dropout(weights, self.dropout, seed=self.seed_generator)
        return ops.matmul(ops.cast(weights, memory.dtype), memory), weights

    def get_config(self):
        return {**super().get_config(), "dropout": self.dropout, "seed": self.seed}


class QueryAttention(_Weighting, ABC):
    """Base class of `AdditiveAttention` and `DotAttention`: what they are called with.

    A subclass defines `scores(query, keys)`, a tensor `(batch, queries, time)`. The softmax is
    computed in float32 at least, also in mixed precision.

    Args:
        kernel_initializer: Initializer of the weights.
        dropout: Fraction of the attention weights to drop in training, between 0 and 1.
        seed: Seed of the dropout.

    Call arguments, all but the first two by name:
        query: Tensor `(batch, queries, query features)`, such as the states of a decoder.
        memory: Tensor `(batch, time, memory features)`, such as the states of an encoder.
        memory_mask: Boolean tensor or list `(batch, time)`, False where the memory is padding. If
            None, the mask that a layer such as `Embedding(mask_zero=True)` attached to the memory.
        keys: Tensor `(batch, time, key features)` that the queries are compared with. If None,
            the memory, which is then both keys and values.
        causal: Whether query i reads the first i + 1 time steps of the memory alone.
        training: Whether dropout applies.

    Returns:
        The context `(batch, queries, memory features)`, and the attention weights
        `(batch, queries, time)`, in float32 at least. The weights are 0 at masked time steps and
        sum to 1; if all time steps are masked, weights and context are 0.

    Raises:
        ValueError: if an argument or a shape is wrong; the message names it.
    """

    def __init__(self, kernel_initializer="glorot_uniform", dropout=0.0, seed=None, **kwargs):
        super().__init__(dropout=dropout, seed=seed, **kwargs)
        self.kernel_initializer = initializers.get(kernel_initializer)

    @abstractmethod
    def scores(self, query, keys):
        """The scores of each time step for each query, before the softmax."""

    def call(self, query, memory, *, memory_mask=None, keys=None, causal=False, training=False):
        if isinstance(memory_mask, list | tuple):
            memory_mask = np.array(memory_mask)
        keys = memory if keys is None else keys
        self._check_shapes(query, memory, memory_mask, keys)
        return self.attend(self.scores(query, keys), memory, memory_mask, causal, training)

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
class AdditiveAttention(QueryAttention):
    """Additive attention: score = v · tanh(q W + k U + b) (Bahdanau, Cho & Bengio 2015).

    k is a key: a step of the memory, if no others are given.

    Args:
        units: Positive integer, the size of v, the hidden layer of the scoring network.
        **kwargs: The arguments of `QueryAttention`.

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
class DotAttention(QueryAttention):
    """Dot-product attention: score = q · k, or q W · k (Luong, Pham & Manning 2015).

    k is a key: a step of the memory, if no others are given.

    Args:
        general: Whether to learn the matrix W (Luong's "general" score). Without it ("dot"),
            queries and keys must have the same number of features.
        scaled: Whether to divide the scores by the square root of the number of key features,
            so that the softmax does not saturate in wide layers (Vaswani et al. 2017).
        **kwargs: The arguments of `QueryAttention`.

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


@keras.saving.register_keras_serializable("unrolled")
class Attention(_Weighting):
    """`keras.layers.Attention`: the arguments, the calls and the scores of Keras's layer.

    score = q · k, or v sum(tanh(q + k)) with `score_mode="concat"`, where v is learned. There is no
    matrix to learn; `DotAttention` and `AdditiveAttention` have one.

    Args:
        use_scale: Whether the scores, or q + k, are multiplied by a number that is learned.
        score_mode: `"dot"` or `"concat"`.
        dropout, seed: As for `DotAttention`.

    Call arguments:
        inputs: List of query `(batch, ..., queries, features)`, value
            `(batch, ..., time, features)` and, if it is not the value, key.
        mask: List of the boolean masks of query and value, or None. The context is 0 at masked
            queries.
        return_attention_scores: Whether to return the weights too.
        use_causal_mask: Whether query i reads the first i + 1 values alone.
        training: Whether dropout applies.

    Returns:
        The context `(batch, ..., queries, value features)`, with `return_attention_scores` a tuple
        of it and the weights `(batch, ..., queries, time)`.

    Raises:
        ValueError: if an argument is wrong; the message names it.

    Example:

    >>> tuple(Attention()([np.ones((2, 3, 4)), np.ones((2, 5, 4))]).shape)
    (2, 3, 4)
    """

    def __init__(self, use_scale=False, score_mode="dot", dropout=0.0, seed=None, **kwargs):
        super().__init__(dropout=dropout, seed=seed, **kwargs)
        if score_mode not in ("dot", "concat"):
            raise ValueError(
                "Invalid value for argument score_mode. Expected one of {'dot', 'concat'}. "
                f"Received: score_mode={score_mode!r}"
            )
        self.use_scale = use_scale
        self.score_mode = score_mode

    def build(self, input_shape):
        self._check(input_shape)
        self.scale = self.concat_score_weight = None
        if self.use_scale:
            self.scale = self.add_weight((), "ones", name="scale")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight")

    def _calculate_scores(self, query, key):
        """The scores `(batch, ..., queries, time)`; subclasses override it, as in Keras."""
        if self.score_mode == "dot":
            scores = ops.matmul(query, ops.swapaxes(key, -2, -1))
            return scores if self.scale is None else scores * self.scale
        total = ops.expand_dims(query, -2) + ops.expand_dims(key, -3)
        total = total if self.scale is None else total * self.scale
        return self.concat_score_weight * ops.sum(ops.tanh(total), axis=-1)

    def call(
        self,
        inputs,
        mask=None,
        training=False,
        return_attention_scores=False,
        use_causal_mask=False,
    ):
        self._check(inputs, mask)
        query, value, *key = inputs
        query_mask, value_mask = (mask[0], mask[1]) if mask else (None, None)
        scores = self._calculate_scores(query, key[0] if key else value)
        context, weights = self.attend(scores, value, value_mask, use_causal_mask, training)
        if query_mask is not None:
            read = ops.expand_dims(ops.cast(query_mask, "bool"), -1)
            context = ops.where(read, context, ops.zeros_like(context))
        weights = ops.cast(weights, self.compute_dtype)
        return (context, weights) if return_attention_scores else context

    def compute_mask(self, inputs, mask=None):
        self._check(inputs, mask)
        return None if mask is None or mask[0] is None else ops.convert_to_tensor(mask[0])

    def compute_output_shape(self, input_shape):
        return (*input_shape[0][:-1], input_shape[1][-1])

    def compute_output_spec(self, inputs, *arguments, return_attention_scores=False, **named):
        self._check(inputs)
        query, value = inputs[:2]
        shape = self.compute_output_shape([query.shape, value.shape])
        context = keras.KerasTensor(shape, self.compute_dtype)
        shape = (*query.shape[:-1], value.shape[-2])
        weights = keras.KerasTensor(shape, self.compute_dtype)
        return (context, weights) if return_attention_scores else context

    def _check(self, inputs, mask=None):
        """Refuse inputs or masks that are no lists of two or three."""
        name = type(self).__name__
        if not isinstance(inputs, list):
            raise ValueError(
                f"{name} layer must be called on a list, [query, value] or [query, value, key]. "
                f"Received: inputs={inputs}"
            )
        if mask is not None and not isinstance(mask, list):
            raise ValueError(f"{name} layer mask must be a list. Received: mask={mask}")
        for each in (inputs, mask):
            if each is not None and len(each) not in (2, 3):
                raise ValueError(
                    f"{name} layer takes lists of length 2 or 3. Received length: {len(each)}"
                )

    def get_config(self):
        return {
            **super().get_config(),
            "use_scale": self.use_scale,
            "score_mode": self.score_mode,
        }


@keras.saving.register_keras_serializable("unrolled")
class KerasAdditiveAttention(Attention):
    """`keras.layers.AdditiveAttention`: score = v · tanh(q + k), with a vector v to learn.

    `AdditiveAttention` is the layer with matrices, of Bahdanau, Cho & Bengio (2015).

    Args:
        use_scale: Whether there is a v; else the sum is not weighted.
        dropout: As for `Attention`.

    Call arguments and returns: as for `Attention`.

    Example:

    >>> tuple(KerasAdditiveAttention()([np.ones((2, 3, 4)), np.ones((2, 5, 4))]).shape)
    (2, 3, 4)
    """

    def __init__(self, use_scale=True, dropout=0.0, **kwargs):
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape):
        self._check(input_shape)
        self.scale = None
        if self.use_scale:
            self.scale = self.add_weight((input_shape[0][-1],), "glorot_uniform", name="scale")

    def _calculate_scores(self, query, key):
        hidden = ops.tanh(ops.expand_dims(query, -2) + ops.expand_dims(key, -3))
        return ops.sum(hidden if self.scale is None else hidden * self.scale, axis=-1)

    def get_config(self):
        config = super().get_config()
        del config["score_mode"]
        return config
