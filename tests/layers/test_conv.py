"""The convolutional LSTM: the numbers and gradients of Keras's, its space, its options."""

import keras
import numpy as np
import pytest

from tests.layers.autodiff import BACKEND, assert_same, outputs_and_gradients, randomise
from unrolled.layers import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D, ConvLSTMCell, Recurrent

RNG = np.random.default_rng(0)
LAYERS = {1: ConvLSTM1D, 2: ConvLSTM2D, 3: ConvLSTM3D}
SPACE = (5, 4, 3)
FILM = RNG.normal(size=(2, 3, 5, 4, 2)).astype("float32")
MASK = np.array([[1, 1, 0], [1, 0, 1]], bool)


@pytest.mark.parametrize(
    ("rank", "options"),
    [
        (1, {"strides": 2, "return_state": True, "unit_forget_bias": False}),
        (2, {"padding": "same", "return_sequences": True, "use_bias": False}),
        (2, {"dilation_rate": (2, 1), "go_backwards": True, "activation": "softsign"}),
        (3, {"kernel_size": (2, 3, 1)}),
    ],
)
def test_outputs_and_gradients_equal_keras(rank, options):
    inputs = RNG.normal(size=(2, 3, *SPACE[:rank], 2)).astype("float32")
    options = {"kernel_size": 2, **options}
    mine = LAYERS[rank](3, **options)
    reference = getattr(keras.layers, f"ConvLSTM{rank}D")(3, **options)
    for layer in (mine, reference):
        layer.build(inputs.shape)
    reference.set_weights(randomise(mine))
    mask = MASK if BACKEND == "tensorflow" else None  # Keras's layer takes none elsewhere
    assert_same(
        outputs_and_gradients(mine, inputs, mask=mask),
        outputs_and_gradients(reference, inputs, mask=mask),
    )
    expected = keras.tree.flatten(reference.compute_output_shape(inputs.shape))
    assert keras.tree.flatten(mine.compute_output_shape(inputs.shape)) == expected
    copy = type(mine).from_config(mine.get_config())
    assert copy.get_config() == mine.get_config()


def test_the_cell_inside_keras_rnn_and_its_trace():
    layer = Recurrent(ConvLSTMCell(2, 3, 2, padding="same"), return_sequences=True)
    layer.build(FILM.shape)
    weights = randomise(layer)
    traced = layer.trace(FILM, force={"forget": 1})
    assert list(traced) == list(layer.cell.trace_names)
    assert traced["cell"].shape == (2, 3, 5, 4, 3)
    added = traced["input"] * traced["candidate"]
    np.testing.assert_allclose(traced["cell"], np.cumsum(added, axis=1), atol=1e-5)
    states = [RNG.normal(size=(2, 5, 4, 3)).astype("float32") for _ in range(2)]
    expected = layer(FILM[:, :1], initial_state=states)[:, 0]
    output, _ = layer.cell(FILM[:, 0], states)
    np.testing.assert_allclose(output, expected, atol=1e-6)
    assert [weight.shape for weight in weights] == [(2, 2, 2, 12), (2, 2, 3, 12), (12,)]


def test_one_dropout_mask_serves_all_steps():
    layer = ConvLSTM2D(3, 2, dropout=0.5, recurrent_dropout=0.5, return_sequences=True, seed=1)
    still = np.ones((1, 3, 5, 4, 2), "float32")
    layer.build(still.shape)
    first, second = (keras.ops.convert_to_numpy(layer(still, training=True)) for _ in range(2))
    assert not np.allclose(first, second)
    inputs, hidden = layer.cell.dropout_masks(1, 2, training=True)
    assert (inputs.shape, hidden.shape) == ((1, 5, 4, 2), (1, 4, 3, 3))
    assert set(np.unique(inputs)) == set(np.unique(hidden)) == {0, 2}


def test_a_saved_stateful_model(tmp_path):
    model = keras.Sequential(
        [
            keras.Input(batch_shape=FILM.shape),
            ConvLSTM2D(2, 2, return_sequences=True),
            ConvLSTM2D(1, 2, stateful=True),
        ]
    )
    first = model(FILM)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(FILM), first, atol=1e-6)
    assert not np.allclose(again(FILM), first)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: ConvLSTM2D(2, (1, 2, 3)), "`kernel_size` must have 2 integers"),
        (lambda: ConvLSTM2D(2, 0), "`kernel_size` must be a positive"),
        (lambda: ConvLSTM2D(2, 1, padding="causal"), "`padding`"),
        (lambda: ConvLSTM2D(2, 2, strides=2, dilation_rate=2), "`strides > 1` is not compatible"),
        (lambda: ConvLSTM2D(2, 2, data_format="channels_first"), "`data_format`"),
        (lambda: ConvLSTM2D(2, 2, weight_dropout=0.5), "`weight_dropout`"),
        (lambda: ConvLSTM1D(2, 2)(FILM), "batch, time, space, features"),
        (lambda: ConvLSTM2D(2, 2)(keras.Input((3, None, 4, 2))), "space must be known"),
    ],
)
def test_wrong_arguments_are_named(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
