import json

import keras
import numpy as np
import pytest
from scipy.signal import correlate

from shared.bundle import BundleError
from shared.image_encoder import (
    EFFICIENTNET_LITE0,
    ImageEncoder,
    fold_batch_normalization,
    read_npz_kernels,
)

TINY = {"stem": 3, "blocks": ((1, 4, 1, 1), (2, 4, 2, 2), (3, 5, 2, 1)), "features": 6}
# A block with kernels of 5 by 5, and the scale of the pixels of EfficientNet-Lite.
WIDE = {
    "stem": 3,
    "blocks": ((1, 4, 1, 1, 3), (2, 4, 2, 2, 5), (3, 5, 2, 1, 3)),
    "features": 6,
    "pixel_mean": 127.0,
    "pixel_scale": 128.0,
}
# The sizes of keras.applications.MobileNetV2 with alpha=0.35.
NARROW = {
    "stem": 16,
    "blocks": (
        (1, 8, 1, 1), (6, 8, 2, 2), (6, 16, 3, 2), (6, 24, 4, 2), (6, 32, 3, 1), (6, 56, 3, 2),
        (6, 112, 1, 1),
    ),
}  # fmt: skip


def random_pairs(encoder, seed=0):
    rng = np.random.default_rng(seed)
    shapes = [[w.shape for w in layer.get_weights()] for layer in encoder.convolutions]
    return [
        (rng.normal(0, 0.5, kernel).astype("float32"), rng.normal(0, 1, bias).astype("float32"))
        for kernel, bias in shapes
    ]


@pytest.fixture(scope="module")
def tiny():
    encoder = ImageEncoder(**TINY)
    encoder.build()
    encoder.set_kernels(random_pairs(encoder))
    return encoder


def photos(size=(12, 9), count=2):
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (count, *size, 3)).astype("uint8")


def convolve(values, kernel, bias, stride=1, depthwise=False):
    """A convolution with TensorFlow's `same` padding, by scipy; `(height, width, channels)`."""
    size = kernel.shape[0]
    pads = []
    for length in values.shape[:2]:
        total = max((-(-length // stride) - 1) * stride + size - length, 0)
        pads.append((total // 2, total - total // 2))
    padded = np.pad(values, [*pads, (0, 0)]).astype("float64")

    def one(plane, filter_):
        return correlate(plane, filter_, "valid")[::stride, ::stride]

    if depthwise:
        features = [one(padded[..., n], kernel[..., n, 0]) for n in range(padded.shape[-1])]
    else:
        features = [
            sum(one(padded[..., n], kernel[..., n, out]) for n in range(padded.shape[-1]))
            for out in range(kernel.shape[-1])
        ]
    return np.stack(features, -1) + bias


def relu6(values):
    return np.clip(values, 0, 6)


def by_scipy(image, encoder):
    pairs = iter(random_pairs(encoder))
    values = relu6(convolve(image, *next(pairs), stride=2))
    for expansion, channels, repeats, first, *_ in encoder.options["blocks"]:
        for stride in [first] + [1] * (repeats - 1):
            inside = relu6(convolve(values, *next(pairs))) if expansion > 1 else values
            inside = relu6(convolve(inside, *next(pairs), stride=stride, depthwise=True))
            narrow = convolve(inside, *next(pairs))
            same = stride == 1 and channels == values.shape[-1]
            values = values + narrow if same else narrow
    return relu6(convolve(values, *next(pairs)))


@pytest.mark.parametrize("options", [TINY, WIDE])
def test_features_equal_convolutions_by_scipy(options):
    encoder = ImageEncoder(**options)
    encoder.build()
    encoder.set_kernels(random_pairs(encoder))
    images = photos()
    mean, scale = (127, 128) if options is WIDE else (127.5, 127.5)
    expected = [by_scipy((image - np.float64(mean)) / scale, encoder) for image in images]
    np.testing.assert_allclose(encoder(images), expected, rtol=1e-3, atol=1e-3)


def test_lite0_has_the_published_number_of_weights():
    encoder = ImageEncoder(**EFFICIENTNET_LITE0)
    encoder.build()
    classifier = (1280 + 1) * 1000
    assert encoder.count_params() + classifier == 4_631_000  # batch normalisation folded in


def test_features_equal_those_of_keras_applications():
    size = 71  # its halves are even and odd, which pad differently
    theirs = keras.applications.MobileNetV2((size, size, 3), 0.35, False, None)
    rng = np.random.default_rng(2)
    for layer in theirs.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.get_weights()[0].shape
            layer.set_weights(
                [rng.uniform(0.5, 2, shape), rng.normal(0, 1, shape), rng.normal(0, 1, shape),
                 rng.uniform(0.5, 2, shape)]
            )  # fmt: skip
    ours = ImageEncoder(**NARROW)
    ours.set_kernels(fold_batch_normalization(theirs))
    images = photos((size, size))
    expected = np.asarray(theirs(images / np.float32(127.5) - 1))
    features = np.asarray(ours(images))
    assert features.shape == (2, -(-size // 32), -(-size // 32), 1280)
    assert expected.std() > 0.1
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-3)


def test_the_top_begins_after_the_last_reduction_of_the_resolution(tiny):
    images = photos((16, 16))
    below = np.asarray(tiny.bottom(images))
    assert below.shape == (2, 4, 4, 4)
    np.testing.assert_array_equal(tiny.top(below), tiny(images))
    assert [layer.name for layer in tiny.top_layers] == ["block_3", "block_4", "block_5", "last"]


def test_freezing_leaves_the_top_or_nothing_trainable():
    encoder = ImageEncoder(**TINY)
    encoder.build()
    encoder.freeze()
    assert not encoder.trainable_variables
    encoder.freeze(top=False)
    tuned = {variable.path.split("/")[1] for variable in encoder.trainable_variables}
    assert tuned == {layer.name for layer in encoder.top_layers}


def test_stored_kernels_are_a_quarter_of_the_size_and_close(tiny, tmp_path):
    tiny.save(tmp_path / "encoder.safetensors")
    again = ImageEncoder.load(tmp_path / "encoder.safetensors", **TINY)
    for pair, layer in zip(random_pairs(tiny), again.convolutions, strict=True):
        axes = (0, 1) if layer.name == "filter" else (0, 1, 2)
        step = np.abs(pair[0]).max(axis=axes, keepdims=True) / 127
        assert np.all(np.abs(layer.get_weights()[0] - pair[0]) <= 0.51 * step)
    exact, stored = np.asarray(tiny(photos())), np.asarray(again(photos()))
    assert 0 < np.abs(stored - exact).max() < 0.5
    assert ImageEncoder.load(tmp_path / "encoder.safetensors").options == {
        **again.options,
        "blocks": [list(block) for block in TINY["blocks"]],
    }
    with pytest.raises(BundleError, match="do not fit"):
        ImageEncoder.load(tmp_path / "encoder.safetensors", **{**TINY, "features": 7})


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_encoder_file_is_read(tmp_path, wrapped):

    rng = np.random.default_rng(3)
    layers = [
        {"name": "a", "op": "conv"}, {"name": "b", "op": "dw"}, {"name": "sum", "op": "add"},
    ]  # fmt: skip
    arrays = {
        "a_q": rng.integers(-127, 128, (3, 3, 3, 2)).astype("int8"),
        "a_scale": np.array([0.5, 2], "float32"),
        "a_bias": np.array([1, -1], "float32"),
        "b_q": rng.integers(-127, 128, (3, 3, 2, 1)).astype("int8"),
        "b_scale": np.array([3, 0.25], "float32"),
        "b_bias": np.zeros(2, "float32"),
    }
    described = {"name": "Some network", "layers": layers} if wrapped else layers
    listed = np.frombuffer(json.dumps(described).encode(), "uint8")
    np.savez(tmp_path / "e.npz", arch_json=listed, **arrays)
    (kernel, bias), (depthwise, _) = read_npz_kernels(tmp_path / "e.npz")
    np.testing.assert_array_equal(kernel[..., 1], arrays["a_q"][..., 1] * 2.0)
    np.testing.assert_array_equal(depthwise[..., 1, 0], arrays["b_q"][..., 1, 0] * 0.25)
    np.testing.assert_array_equal(bias, [1, -1])


def test_an_encoder_is_made_again_from_its_config(tiny):
    again = ImageEncoder.from_config(tiny.get_config())
    again.build()
    again.set_weights(tiny.get_weights())
    np.testing.assert_array_equal(again(photos()), tiny(photos()))


def test_kernels_of_another_shape_are_refused(tiny):
    with pytest.raises(ValueError):
        ImageEncoder(**TINY).set_kernels(random_pairs(tiny)[:-1])
