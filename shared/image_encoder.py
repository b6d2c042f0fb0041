"""Convolutional networks of inverted residuals, which encode photographs.

MobileNetV2 (Sandler et al. 2018) and EfficientNet-Lite0 (Tan & Le 2019, without squeeze and
excitation) differ in the sizes of their blocks and in the scale of the pixels alone.
"""

import json
import threading

import keras
import numpy as np
from keras import ops

from shared import bundle
from shared.compiled import Compiled, pad_rows
from shared.options import OptionsMixin
from shared.text import choose_bucket

BATCH_SIZES = (1, 10)  # a graph is built for each
SIZE = 224  # pixels on each side of an image
# Expansion, channels, repeats, first stride and kernel size of each group of blocks.
MOBILENET_V2 = {
    "blocks": (
        (1, 16, 1, 1, 3),
        (6, 24, 2, 2, 3),
        (6, 32, 3, 2, 3),
        (6, 64, 4, 2, 3),
        (6, 96, 3, 1, 3),
        (6, 160, 3, 2, 3),
        (6, 320, 1, 1, 3),
    ),
}
EFFICIENTNET_LITE0 = {
    "blocks": (
        (1, 16, 1, 1, 3),
        (6, 24, 2, 2, 3),
        (6, 40, 2, 2, 5),
        (6, 80, 3, 2, 3),
        (6, 112, 3, 1, 5),
        (6, 192, 4, 2, 5),
        (6, 320, 1, 1, 3),
    ),
    "pixel_mean": 127.0,
    "pixel_scale": 128.0,
}


@keras.saving.register_keras_serializable("unrolled")
class ImageEncoder(OptionsMixin, keras.Model):
    """Encodes an image as a grid of features.

    Batch normalisation is folded into the kernels and biases, for inference. For transfer learning
    the network is divided after its last reduction of the resolution: `bottom` runs up to there,
    and `top` runs on the grid of the features.

    Args:
        stem: Channels of the first convolution.
        blocks: Tuples of expansion, channels, repeats, first stride and the size of the kernels
            that filter each channel separately, which is 3 if it is left out.
        features: Channels of the last convolution.
        pixel_mean, pixel_scale: Subtracted from the pixels, and what they are then divided by.

    Call arguments:
        images: `(batch, height, width, 3)`, RGB from 0 to 255; height and width are 224 for the
            trained network.

    Returns:
        Features from 0 to 6, `(batch, height / 32, width / 32, features)`.
    """

    _encoders: dict[str, "ImageEncoder"] = {}
    _lock = threading.Lock()

    def __init__(
        self,
        stem=32,
        blocks=MOBILENET_V2["blocks"],
        features=1280,
        pixel_mean=127.5,
        pixel_scale=127.5,
        **kwargs,
    ):
        super().__init__(name=kwargs.pop("name", "image_encoder"), **kwargs)
        self.stem = keras.layers.Conv2D(stem, 3, 2, padding="same", activation="relu6", name="stem")
        self.blocks, input_channels = [], stem
        for expansion, channels, repeats, first, *kernel in blocks:
            for stride in [first] + [1] * (repeats - 1):
                sizes = input_channels, expansion, channels, stride, *kernel
                name = f"block_{len(self.blocks) + 1}"
                self.blocks.append(InvertedResidual(*sizes, name=name))
                input_channels = channels
        self.last = keras.layers.Conv2D(features, 1, activation="relu6", name="last")
        self.first_top_block = 1 + max(
            (n for n, block in enumerate(self.blocks) if block.options["stride"] > 1), default=-1
        )
        self._graph = Compiled(self, xla=False)

    def build(self, shape=None):
        self.stem.build((None, None, None, 3))
        input_channels = self.options["stem"]
        for block in self.blocks:
            block.build((None, None, None, input_channels))
            input_channels = block.options["channels"]
        self.last.build((None, None, None, input_channels))

    @property
    def convolutions(self):
        """All convolutions in the order of computation, as a list of layers."""
        return [self.stem, *(c for block in self.blocks for c in block.convolutions), self.last]

    @property
    def top_layers(self):
        """The layers of `top`."""
        return [*self.blocks[self.first_top_block :], self.last]

    def call(self, images):
        return self.top(self.bottom(images))

    def bottom(self, images):
        """`(batch, height, width, 3)` -> `(batch, height / 32, width / 32, channels)`."""
        pixels = ops.cast(images, self.compute_dtype)
        values = self.stem((pixels - self.options["pixel_mean"]) / self.options["pixel_scale"])
        for block in self.blocks[: self.first_top_block]:
            values = block(values)
        return values

    def top(self, values):
        """The features, from the result of `bottom`."""
        for layer in self.top_layers:
            values = layer(values)
        return values

    def encode(self, photos):
        """The features of photographs as an array, `(photos, height / 32, width / 32, features)`.

        Args:
            photos: List of arrays `(height, width, 3)`, as from `images.squash`.
        """
        features = []
        for start in range(0, len(photos), BATCH_SIZES[-1]):
            batch = np.stack(photos[start : start + BATCH_SIZES[-1]])
            padded = pad_rows(batch, choose_bucket(BATCH_SIZES, len(batch)))
            features.append(np.asarray(self._graph(padded))[: len(batch)])
        return np.concatenate(features)

    def freeze(self, top=True):
        """Exclude weights from training: all of them, or with `top=False` those of `bottom`."""
        self.trainable = not top
        if not top:
            for layer in (self.stem, *self.blocks[: self.first_top_block]):
                layer.trainable = False

    def set_kernels(self, pairs):
        """Set kernels and biases, a list with a pair of arrays for each convolution.

        Raises:
            ValueError: if the number of pairs or a shape is wrong.
        """
        if not self.built:
            self.build()
        for layer, pair in zip(self.convolutions, pairs, strict=True):
            layer.set_weights(pair)

    def save(self, path):
        """Write a safetensors file: the options, and kernels as int8 with a scale per channel."""
        arrays = bundle.get_weights(self)
        kernels = [name for name in arrays if name.endswith("kernel")]
        bundle.save_arrays(path, arrays, int8=kernels, options=self.options)

    @classmethod
    def load(cls, path, **options):
        """An encoder with the weights that `save` wrote.

        Args:
            path: Path of the file.
            **options: Arguments of the network, which take the place of those in the file.

        Raises:
            BundleError: if the file is missing, damaged or of another network.
        """
        encoder = cls(**{**bundle.load_options(path), **options})
        encoder.build()
        bundle.set_weights(encoder, bundle.load_arrays(path))
        return encoder

    @classmethod
    def load_shared(cls, path, **options):
        """As `load`, but all callers in the process share one encoder per file and options."""
        key = json.dumps([str(path), options], sort_keys=True)
        with cls._lock:
            if key not in cls._encoders:
                cls._encoders[key] = cls.load(path, **options)
            return cls._encoders[key]


@keras.saving.register_keras_serializable("unrolled")
class InvertedResidual(OptionsMixin, keras.layers.Layer):
    """Expand, filter each channel separately, project, and add the input.

    Args:
        input_channels: Channels of the input.
        expansion: Factor of the channels inside the block; with 1 there is no expansion.
        channels: Channels of the output.
        stride: Stride of the filters. The input is added if it is 1 and the channels agree.
        kernel_size: Height and width of the filters.
    """

    def __init__(self, input_channels, expansion, channels, stride, kernel_size=3, **kwargs):
        super().__init__(**kwargs)
        inner_channels = input_channels * expansion
        relu6 = {"activation": "relu6"}
        widen = keras.layers.Conv2D(inner_channels, 1, name="widen", **relu6)
        self.convolutions = [
            *([widen] if expansion > 1 else []),
            keras.layers.DepthwiseConv2D(
                kernel_size, stride, padding="same", name="filter", **relu6
            ),
            keras.layers.Conv2D(channels, 1, name="narrow"),
        ]
        self.residual = stride == 1 and channels == input_channels

    def build(self, shape):
        channels = shape[-1]
        for layer in self.convolutions:
            layer.build((None, None, None, channels))
            if layer.name != "filter":
                channels = layer.filters

    def call(self, values):
        inputs = values
        for layer in self.convolutions:
            values = layer(values)
        return inputs + values if self.residual else values


def read_npz_kernels(path):
    """Kernels and biases of an `.npz` file, stored as int8 with a scale per output channel.

    Args:
        path: Path of the file. Its `arch_json` lists the layers. The kernel of a layer is
            `<name>_q` times `<name>_scale`, its bias `<name>_bias`.

    Returns:
        List of pairs of float32 arrays, in order; the last is ImageNet's classifier.
    """
    pairs = []
    with np.load(path) as arrays:
        listed = json.loads(arrays["arch_json"].tobytes())
        for layer in listed["layers"] if isinstance(listed, dict) else listed:
            if layer["op"] not in ("conv", "dw"):
                continue
            scale = arrays[f"{layer['name']}_scale"]
            if layer["op"] == "dw":
                scale = scale[:, None]  # its kernels are (height, width, channels, 1)
            kernel = arrays[f"{layer['name']}_q"].astype("float32") * scale
            pairs.append((kernel, arrays[f"{layer['name']}_bias"].astype("float32")))
    return pairs


def fold_batch_normalization(network):
    """Kernels and biases of a `keras.applications.MobileNetV2`, batch normalisation folded in.

    Args:
        network: The network, without its classifier (`include_top=False`).

    Returns:
        List of pairs of float32 arrays, in order.
    """
    pairs = []
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
            (kernel,) = layer.get_weights()
        elif isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            scale = gamma / np.sqrt(variance + layer.epsilon)
            channel_scale = scale[:, None] if kernel.shape[-1] == 1 else scale
            pairs.append((kernel * channel_scale, beta - mean * scale))
    return pairs
