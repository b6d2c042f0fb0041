"""The convolutional LSTM: `ConvLSTMCell`, and `ConvLSTM1D`, `ConvLSTM2D` and `ConvLSTM3D`."""

import keras
from keras import activations, ops

from unrolled.layers.cells import Cell, LSTMCell, apply_force, apply_mask, as_positive_integer
from unrolled.layers.recurrent import Recurrent


def _as_tuple(value, rank, name):
    """An integer for each axis of space, from one for all or from a list of them."""
    values = tuple(value) if isinstance(value, list | tuple) else (value,) * rank
    if len(values) != rank:
        raise ValueError(f"`{name}` must have {rank} integers. Received: {name}={value!r}")
    return tuple(as_positive_integer(each, name) for each in values)


@keras.saving.register_keras_serializable("unrolled")
class ConvLSTMCell(Cell):
    """The LSTM whose products are convolutions (Shi et al. 2015), without peepholes, as in Keras.

    i = σ(x * Wᵢ + h' * Uᵢ + bᵢ), f = σ(x * W_f + h' * U_f + b_f), o = σ(x * Wₒ + h' * Uₒ + bₒ),
    g = tanh(x * W_g + h' * U_g + b_g), c = f ∘ c' + i ∘ g, h = o ∘ tanh(c).

    * is a convolution over space. That of h' keeps its size (padding with zeros, a stride of 1).

    Args:
        rank: Number of axes of space: 1, 2 or 3.
        filters: Positive integer, the number of feature maps of the states.
        kernel_size: Positive integer, or one for each axis of space.
        strides, padding, dilation_rate: Of the convolution of the inputs, as in
            `keras.layers.Conv2D`. `padding` is `"valid"` or `"same"`.
        forget_bias: Initial bias of the forget gate, as of `LSTMCell`.
        activation, recurrent_activation: As of `LSTMCell`.
        **kwargs: The arguments of `Cell`, without `weight_dropout`. Dropout draws one mask for all
            gates.

    States: hidden, cell. Trace: input, forget, candidate, output, cell, hidden. All have the shape
    `(batch, ..., filters)`; inputs are `(batch, ..., features)`, the features last. Weights:
    kernel `(*kernel_size, features, 4 * filters)`, recurrent_kernel
    `(*kernel_size, filters, 4 * filters)` and bias `(4 * filters,)`, as in
    `keras.layers.ConvLSTM2D` in the order input, forget, candidate, output.

    Example:

    >>> layer = Recurrent(ConvLSTMCell(2, 8, kernel_size=3, padding="same"))
    >>> tuple(layer(np.ones((2, 5, 6, 6, 3))).shape)
    (2, 6, 6, 8)
    """

    preactivation_names = LSTMCell.preactivation_names
    state_names = LSTMCell.state_names
    trace_names = LSTMCell.trace_names
    saved_names = LSTMCell.saved_names

    def __init__(
        self,
        rank,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        dilation_rate=1,
        activation="tanh",
        recurrent_activation="sigmoid",
        forget_bias=1.0,
        **kwargs,
    ):
        super().__init__(filters, **kwargs)
        if self.weight_dropout:
            raise ValueError("A ConvLSTMCell has no `weight_dropout`.")
        if str(padding).lower() not in ("valid", "same"):
            raise ValueError(f'`padding` must be "valid" or "same". Received: padding={padding!r}')
        self.rank = rank
        self.filters = self.units
        self.kernel_size = _as_tuple(kernel_size, rank, "kernel_size")
        self.strides = _as_tuple(strides, rank, "strides")
        self.padding = padding.lower()
        self.dilation_rate = _as_tuple(dilation_rate, rank, "dilation_rate")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                "Specifying `strides > 1` is not compatible with `dilation_rate > 1`. Received: "
                f"strides={self.strides}, dilation_rate={self.dilation_rate}"
            )
        self.activation = activations.get(activation)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.forget_bias = None if forget_bias is None else float(forget_bias)

    def build(self, input_shape):
        self.space = tuple(input_shape[1:-1])
        if None in self.space:
            raise ValueError(f"The sizes of the space must be known. Received: {input_shape}")
        super().build(input_shape)

    def _kernel_shape(self, features):
        return (*self.kernel_size, features, 4 * self.filters)

    def _recurrent_shape(self):
        return self._kernel_shape(self.filters)

    def state_shape(self, step_shape):
        sizes = zip(
            step_shape[:-1], self.kernel_size, self.strides, self.dilation_rate, strict=True
        )
        return (*(self._outputs(*each) for each in sizes), self.filters)

    def _outputs(self, size, kernel_size, stride, dilation):
        """The size of the output of the inputs' convolution along one axis."""
        if size is None:
            return None
        if self.padding == "valid":
            size -= (kernel_size - 1) * dilation
        return -(-size // stride)

    def get_initial_state(self, batch_size=None):
        """Zeros: a list with a tensor `(batch_size, ..., filters)` for each state."""
        shape = (batch_size, *self.state_shape((*self.space, None)))
        return [ops.zeros(shape, dtype=self.compute_dtype) for _ in self.state_names]

    def dropout_masks(self, batch_size, features, training):
        """Masks for the inputs and the hidden state, over their space too, or None."""
        if not training:
            return None, None
        shapes = (*self.space, features), self.state_shape((*self.space, features))
        return tuple(
            keras.random.dropout(
                ops.ones((batch_size, *shape), dtype=self.compute_dtype),
                rate,
                seed=self.seed_generator,
            )
            if rate
            else None
            for shape, rate in zip(shapes, (self.dropout, self.recurrent_dropout), strict=True)
        )

    def project(self, inputs, dropout_mask=None):
        """The inputs' part of the pre-activations: (..., features) -> (..., 4 * filters)."""
        inputs = apply_mask(inputs, dropout_mask)
        leading, axes = ops.shape(inputs)[: -self.rank - 1], inputs.shape[-self.rank - 1 :]
        product = ops.conv(
            ops.reshape(inputs, (-1, *axes)),
            self._tensor(self.kernel),
            strides=self.strides,
            padding=self.padding,
            data_format="channels_last",
            dilation_rate=self.dilation_rate,
        )
        product = ops.reshape(product, (*leading, *product.shape[1:]))
        return product + self._tensor(self.bias) if self.use_bias else product

    def step(self, projected, states, weights, dropout_mask=None, force=None):
        hidden = apply_mask(states[0], dropout_mask)
        product = ops.conv(hidden, weights[0], padding="same", data_format="channels_last")
        entry, forget, candidate, output = ops.split(projected + product, 4, axis=-1)
        entry = apply_force(self.recurrent_activation(entry), "input", force)
        forget = apply_force(self.recurrent_activation(forget), "forget", force)
        candidate = apply_force(self.activation(candidate), "candidate", force)
        output = apply_force(self.recurrent_activation(output), "output", force)
        cell = apply_force(forget * states[1] + entry * candidate, "cell", force)
        hidden = apply_force(output * self.activation(cell), "hidden", force)
        values = (entry, forget, candidate, output, cell, hidden)
        return [hidden, cell], dict(zip(self.trace_names, values, strict=True))

    def get_config(self):
        config = super().get_config()
        del config["units"]
        return {
            **config,
            "rank": self.rank,
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
            "activation": activations.serialize(self.activation),
            "recurrent_activation": activations.serialize(self.recurrent_activation),
            "forget_bias": self.forget_bias,
        }


LOOP_ARGUMENTS = (
    *("return_sequences", "return_state", "go_backwards", "stateful", "unroll"),
    *("zero_output_for_mask", "name", "dtype", "trainable", "activity_regularizer"),
)


class _ConvLSTM(Recurrent):
    """Base class of the layers of one `ConvLSTMCell`, whose arguments theirs are.

    Args:
        filters, kernel_size, ...: The arguments of `ConvLSTMCell` but `rank`, and
            `unit_forget_bias` as in Keras: whether the bias of the forget gate starts at 1.
        return_sequences, ...: The arguments of `Recurrent` but the cell.
        data_format: `"channels_last"` or None.
    """

    masks_as_keras = True
    rank: int

    def __init__(self, filters, kernel_size, strides=1, padding="valid", **kwargs):
        if kwargs.pop("data_format", None) not in (None, "channels_last"):
            raise ValueError("`data_format` must be channels_last: the features are the last axis.")
        loop = {name: kwargs.pop(name) for name in LOOP_ARGUMENTS if name in kwargs}
        if "unit_forget_bias" in kwargs:
            kwargs["forget_bias"] = 1.0 if kwargs.pop("unit_forget_bias") else None
        if "dtype" in loop:
            kwargs["dtype"] = loop["dtype"]
        cell = ConvLSTMCell(self.rank, filters, kernel_size, strides, padding, **kwargs)
        super().__init__(cell, **loop)

    def get_config(self):
        config = super().get_config()
        cell = config.pop("cell")["config"]
        del config["checkpoint_every"]
        own = {name: value for name, value in cell.items() if name not in (*config, "rank")}
        return {**config, **own}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


@keras.saving.register_keras_serializable("unrolled")
class ConvLSTM1D(_ConvLSTM):
    """A convolutional LSTM over sequences of rows, `(batch, time, row, features)`.

    Args: those of `ConvLSTMCell` but the rank, and of `Recurrent` but the cell.
    """

    rank = 1


@keras.saving.register_keras_serializable("unrolled")
class ConvLSTM2D(_ConvLSTM):
    """A convolutional LSTM over films, `(batch, time, rows, columns, features)`.

    Args: those of `ConvLSTMCell` but the rank, and of `Recurrent` but the cell.

    Example:

    >>> tuple(ConvLSTM2D(8, 3, return_sequences=True)(np.ones((2, 5, 6, 6, 3))).shape)
    (2, 5, 4, 4, 8)
    """

    rank = 2


@keras.saving.register_keras_serializable("unrolled")
class ConvLSTM3D(_ConvLSTM):
    """A convolutional LSTM over sequences of volumes.

    Args: those of `ConvLSTMCell` but the rank, and of `Recurrent` but the cell.
    """

    rank = 3
