"""`SimpleRNN`, `LSTM` and `GRU` with the arguments of their namesakes in `keras.layers`.

Each is a `Recurrent` of one cell. `from_keras`, `to_keras` and `from_torch` move weights.
"""

from typing import Any

import keras
import numpy as np

from unrolled.layers.cells import GRUCell, LSTMCell, RNNCell
from unrolled.layers.recurrent import Bidirectional, Recurrent, Stacked

# The arguments that concern the loop over time; the others are the cell's.
LOOP_ARGUMENTS = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll")


def _named(config, cell_arguments):
    """The config of a `Recurrent` as one of Keras's, the arguments of the cell among the others."""
    cell = config["cell"]["config"]
    cell = {**cell, "unit_forget_bias": cell.get("forget_bias") is not None}
    config = {name: value for name, value in config.items() if name != "cell"}
    return {**config, **{name: cell[name] for name in cell_arguments}}


def _of_the_cell(name):
    return property(lambda layer: getattr(layer.cell, name), doc=f"`{name}` of the cell.")


class NamedLayer(Recurrent):
    """Base class of the layers that take the arguments of a cell and those of the loop in one.

    Masks are as in Keras: `Bidirectional` makes the outputs zero at masked steps if the layer
    returns sequences, and outputs before the first step that is not masked are zero.
    """

    masks_as_keras = True
    cell_class: type
    cell_arguments: tuple[str, ...] = (
        *("units", "activation", "use_bias", "dropout", "recurrent_dropout", "seed"),
        *("kernel_initializer", "recurrent_initializer", "bias_initializer"),
        *("kernel_regularizer", "recurrent_regularizer", "bias_regularizer"),
        *("kernel_constraint", "recurrent_constraint", "bias_constraint"),
    )

    def __init__(self, arguments):
        """Make the cell and the layer from the `locals()` of the constructor of a subclass."""
        options = {**arguments["kwargs"]}
        if arguments["activity_regularizer"] is not None:
            options["activity_regularizer"] = arguments["activity_regularizer"]
        implementation = options.pop("implementation", 2)
        cell_options = {name: arguments[name] for name in self.cell_arguments}
        if "unit_forget_bias" in cell_options:
            cell_options["forget_bias"] = 1.0 if cell_options.pop("unit_forget_bias") else None
        if "recurrent_activation" in cell_options:  # several gates
            per_gate = implementation == 1 or arguments["recurrent_dropout"] != 0
            cell_options["dropout_per_gate"] = per_gate
        for name in ("dtype", "trainable"):
            if name in options:
                cell_options[name] = options[name]
        loop = {name: arguments[name] for name in LOOP_ARGUMENTS}
        super().__init__(self.cell_class(**cell_options), **loop, **options)

    units = _of_the_cell("units")
    activation = _of_the_cell("activation")
    use_bias = _of_the_cell("use_bias")
    dropout = _of_the_cell("dropout")
    recurrent_dropout = _of_the_cell("recurrent_dropout")
    seed = _of_the_cell("seed")
    kernel_initializer = _of_the_cell("kernel_initializer")
    recurrent_initializer = _of_the_cell("recurrent_initializer")
    bias_initializer = _of_the_cell("bias_initializer")
    kernel_regularizer = _of_the_cell("kernel_regularizer")
    recurrent_regularizer = _of_the_cell("recurrent_regularizer")
    bias_regularizer = _of_the_cell("bias_regularizer")
    kernel_constraint = _of_the_cell("kernel_constraint")
    recurrent_constraint = _of_the_cell("recurrent_constraint")
    bias_constraint = _of_the_cell("bias_constraint")

    def get_config(self):
        regularizer = keras.regularizers.serialize(self.activity_regularizer)
        config = _named(super().get_config(), self.cell_arguments)
        return {**config, "activity_regularizer": regularizer}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


@keras.saving.register_keras_serializable("unrolled")
class SimpleRNN(NamedLayer):
    """`keras.layers.SimpleRNN`: a `Recurrent` of an `RNNCell`.

    Args: those of `keras.layers.SimpleRNN`, with the same meaning and defaults.

    Example:

    >>> tuple(SimpleRNN(8, return_sequences=True)(np.ones((2, 5, 3))).shape)
    (2, 5, 8)
    """

    cell_class = RNNCell

    def __init__(
        self,
        units,
        activation="tanh",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        seed=None,
        **kwargs,
    ):
        super().__init__(locals())


class _GatedLayer(NamedLayer):
    """Base class of `LSTM` and `GRU`: `use_cudnn` is kept, without effect."""

    cell_arguments = (*NamedLayer.cell_arguments, "recurrent_activation")
    recurrent_activation = _of_the_cell("recurrent_activation")

    def __init__(self, arguments):
        super().__init__(arguments)
        self.use_cudnn = arguments["use_cudnn"]


@keras.saving.register_keras_serializable("unrolled")
class LSTM(_GatedLayer):
    """`keras.layers.LSTM`: a `Recurrent` of an `LSTMCell`.

    Args: those of `keras.layers.LSTM`, with the same meaning and defaults; `use_cudnn` has no
    effect.

    Example:

    >>> tuple(LSTM(8)(np.ones((2, 5, 3))).shape)
    (2, 8)
    """

    cell_class = LSTMCell
    cell_arguments = (*_GatedLayer.cell_arguments, "unit_forget_bias")

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        unit_forget_bias=True,
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        use_cudnn="auto",
        **kwargs,
    ):
        super().__init__(locals())

    @property
    def unit_forget_bias(self):
        """Whether the bias of the forget gate starts at 1."""
        return self.cell.forget_bias is not None


@keras.saving.register_keras_serializable("unrolled")
class GRU(_GatedLayer):
    """`keras.layers.GRU`: a `Recurrent` of a `GRUCell`.

    Args: those of `keras.layers.GRU`, with the same meaning and defaults; `use_cudnn` has no
    effect.

    Example:

    >>> tuple(GRU(8)(np.ones((2, 5, 3))).shape)
    (2, 8)
    """

    cell_class = GRUCell
    cell_arguments = (*_GatedLayer.cell_arguments, "reset_after")
    reset_after = _of_the_cell("reset_after")

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        reset_after=True,
        use_cudnn="auto",
        **kwargs,
    ):
        super().__init__(locals())


KERAS_LAYERS: dict[type[NamedLayer], Any] = {
    SimpleRNN: keras.layers.SimpleRNN,
    LSTM: keras.layers.LSTM,
    GRU: keras.layers.GRU,
}


def _with_weights(layer, source):
    """A layer with the weights of another one of the same shapes, if that one has any."""
    if source.built:
        batch = tuple(source.states[0].shape)[0] if source.stateful else None
        layer.build((batch, None, source.cell.kernel.shape[0]))
        layer.set_weights(source.get_weights())
    return layer


def from_keras(layer):
    """Our layer with the arguments and the weights of one of Keras.

    Args:
        layer: A `SimpleRNN`, `LSTM`, `GRU` or `Bidirectional` of `keras.layers`.

    Raises:
        ValueError: if it is another layer.
    """
    if isinstance(layer, keras.layers.Bidirectional):
        forward, backward = from_keras(layer.forward_layer), from_keras(layer.backward_layer)
        both = Bidirectional(forward, layer.merge_mode, backward_layer=backward, name=layer.name)
        both.built = layer.built
        return both
    for ours, theirs in KERAS_LAYERS.items():
        if isinstance(layer, theirs):
            return _with_weights(ours.from_config(layer.get_config()), layer)
    raise ValueError(
        "`layer` must be a SimpleRNN, LSTM, GRU or Bidirectional of keras.layers. "
        f"Received: layer={layer!r}"
    )


def to_keras(layer):
    """The layer of Keras with the arguments and the weights of one of ours.

    Args:
        layer: A `SimpleRNN`, `LSTM` or `GRU`, a `Recurrent` of such a cell, or a `Bidirectional`.

    Raises:
        ValueError: if Keras has no such layer, as for peepholes; the message names the option.
    """
    if isinstance(layer, Bidirectional):
        both = keras.layers.Bidirectional(
            to_keras(layer.forward_layer),
            layer.merge_mode,
            backward_layer=to_keras(layer.backward_layer),
            name=layer.name,
        )
        if layer.built:
            both.build((None, None, layer.forward_layer.cell.kernel.shape[0]))
            both.set_weights(layer.get_weights())
        return both
    cell = getattr(layer, "cell", None)
    for ours, theirs in KERAS_LAYERS.items():
        if type(cell) is ours.cell_class:
            _check_keras_has(cell)
            config = layer.get_config()
            if "cell" in config:
                config = _named(config, ours.cell_arguments)
            config.pop("checkpoint_every")  # how it is computed, not what
            return _with_weights(theirs.from_config(config), layer)
    raise ValueError(
        f"`layer` must have an RNNCell, LSTMCell or GRUCell. Received: layer={layer!r}"
    )


def _check_keras_has(cell):
    """Refuse a cell with an option that Keras lacks."""
    for name in ("peepholes", "coupled", "weight_dropout"):
        if getattr(cell, name, False):
            raise ValueError(f"Keras has no `{name}`. Received: {name}={getattr(cell, name)}")
    several_gates = len(cell.preactivation_names) > 1
    if several_gates and cell.recurrent_dropout and not cell.dropout_per_gate:
        raise ValueError(
            "The `recurrent_dropout` of Keras drops other units for each gate: "
            "give the cell dropout_per_gate=True."
        )


def from_torch(module, return_sequences=True, return_state=False):
    """Our layer with the weights of an `nn.RNN`, `nn.LSTM` or `nn.GRU` of PyTorch.

    The two biases of PyTorch are added, but in the candidate of a GRU; the gates of a GRU change
    places. `dropout` between the layers is not taken over.

    Args:
        module: The module. Whatever its `batch_first`, our layers take `(batch, time, features)`.
        return_sequences, return_state: As for `Recurrent`, of the last layer.

    Returns:
        A `SimpleRNN`, `LSTM` or `GRU`, or a `Bidirectional` of it; with several layers a `Stacked`.

    Raises:
        ValueError: if the module has a projection.
    """
    if getattr(module, "proj_size", 0):
        raise ValueError(f"A projection is not supported. Received: proj_size={module.proj_size}")
    kind = module.mode.partition("_")[0]  # "RNN_TANH", "RNN_RELU", "LSTM" or "GRU"
    named = {"RNN": SimpleRNN, "LSTM": LSTM, "GRU": GRU}[kind]
    options = {"units": module.hidden_size, "use_bias": module.bias}
    if kind == "RNN":
        options["activation"] = module.mode.partition("_")[2].lower()
    state = {name: np.array(value) for name, value in module.state_dict().items()}
    layers = []
    for number in range(module.num_layers):
        last = number == module.num_layers - 1
        loop = {"return_sequences": return_sequences or not last}
        layer = named(**options, **loop, return_state=return_state and last)
        if module.bidirectional:
            layer = Bidirectional(layer)
        suffixes = ("", "_reverse") if module.bidirectional else ("",)
        weights = [_weights_from_torch(kind, state, f"l{number}{end}") for end in suffixes]
        layer.build((None, None, weights[0][0].shape[0]))
        layer.set_weights([array for arrays in weights for array in arrays])
        layers.append(layer)
    return layers[0] if len(layers) == 1 else Stacked(layers)


def _weights_from_torch(kind, state, suffix):
    """The kernel, recurrent kernel and bias of one layer and direction."""

    def read(name):
        rows = state[f"{name}_{suffix}"]
        if kind == "GRU":  # reset, update and candidate there; update, reset and candidate here
            reset, update, candidate = np.split(rows, 3)
            rows = np.concatenate([update, reset, candidate])
        return rows

    weights = [read("weight_ih").T, read("weight_hh").T]
    if f"bias_ih_{suffix}" not in state:
        return weights
    biases = read("bias_ih"), read("bias_hh")
    return [*weights, np.stack(biases) if kind == "GRU" else sum(biases)]
