"""The image encoder to start from, and its features of photographs."""

import logging
import zlib
from functools import cache
from pathlib import Path

import keras
import numpy as np

from shared import images
from shared.compiled import Compiled
from shared.errors import UserError
from shared.image_encoder import (
    EFFICIENTNET_LITE0,
    MOBILENET_V2,
    ImageEncoder,
    fold_batch_normalization,
    read_npz_kernels,
)

log = logging.getLogger(__name__)

BATCH_SIZE = 32
PHOTOS_AT_ONCE = 50  # encoded together
LITE0 = Path("vision") / "efficientnet_lite0_224_int8.npz"
MOBILENET = Path("vision") / "mobilenet_v2_1.0_224_tf2_int8.npz"


def imagenet_encoder(data_dir, prefer_lite=False):
    """The encoder as trained on ImageNet: of a file in the folder of corpora, or downloaded.

    Args:
        data_dir: Path of a folder, or None.
        prefer_lite: Whether to choose EfficientNet-Lite0 over MobileNetV2 if its file is there.
    """
    wanted = {LITE0: EFFICIENTNET_LITE0} if prefer_lite else {}
    for file, options in (wanted | {MOBILENET: MOBILENET_V2}).items():
        if data_dir is not None and (data_dir / file).exists():
            encoder = ImageEncoder(**options)
            encoder.set_kernels(read_npz_kernels(data_dir / file)[:-1])
            return encoder
    encoder = ImageEncoder(**MOBILENET_V2)
    encoder.set_kernels(fold_batch_normalization(keras.applications.MobileNetV2(include_top=False)))
    return encoder


def starting_encoder(data_dir, file):
    """The encoder to start from: ImageNet's, or for the user's photographs that of a bundle.

    Args:
        data_dir: Folder of corpora with the encoder's file, or None.
        file: Path of a bundle's encoder, which is used if `data_dir` is None.
    """
    if data_dir is None and file.exists():
        return ImageEncoder.load(file)
    return imagenet_encoder(data_dir)


def read_pixels(pictures, name):
    """The pixels of one of `Pictures`, as networks read them.

    Raises:
        UserError: if it cannot be read; the message names it.
    """
    data = _read_bytes(pictures, name)
    try:
        return images.squash(images.read(data))
    except UserError as error:
        raise UserError(f"{name}: {error}") from error


def encode_photos(predictor, pictures, names, reduce=np.asarray):
    """What is kept of the features that a predictor's `encode` gives for photographs.

    Args:
        predictor: A predictor with an image encoder.
        pictures: `Pictures`.
        names: List of their names.
        reduce: Function of features `(photographs, …)` that returns what is kept of them.

    Raises:
        UserError: if a photograph cannot be read; the message names it.
    """
    return np.concatenate(
        [
            reduce(predictor.encode([read_pixels(pictures, name) for name in batch]))
            for batch in _batches(names)
        ]
    )


def _batches(items):
    return [items[n : n + PHOTOS_AT_ONCE] for n in range(0, len(items), PHOTOS_AT_ONCE)]


def run_checksum(content, pictures, names):
    """A checksum, in hexadecimal, of all that a run depends on.

    Args:
        content: Bytes of all that features and networks are made from, except the photographs.
        pictures: `Pictures`; photographs of the same name may differ.
        names: The photographs that are used.

    Raises:
        UserError: if one cannot be read; the message names it.
    """
    checksum = zlib.crc32(content)
    for name in sorted(set(names)):
        checksum = zlib.crc32(_read_bytes(pictures, name), checksum)
    return f"{checksum:08x}"


def _read_bytes(pictures, name):
    try:
        return pictures[name]
    except (UserError, KeyError) as error:
        raise UserError(f"{name}: {error}") from error


def weights_bytes(*networks):
    """The weights of built networks as bytes, for checksums."""
    return b"".join(array.tobytes() for each in networks for array in each.get_weights())


def encode_bottom(encoder, pictures, names, file, flip=False):
    """What the frozen bottom of an encoder gives for photographs, kept in a file.

    Args:
        encoder: A built `ImageEncoder`.
        pictures: `Pictures`.
        names: List of their names.
        file: Path of a `.npy` file. If it exists, it is read; one that an interrupted run left
            is completed.
        flip: Whether to mirror every photograph, left for right.

    Returns:
        Float16 array `(photographs, height / 32, width / 32, channels)`.

    Raises:
        UserError: if a photograph cannot be read; the message names it.
    """
    if file.exists():
        return np.load(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    bottom = Compiled(encoder.bottom, xla=False)
    partial, count_file = file.with_suffix(".partial.npy"), file.with_suffix(".count")
    start = int(count_file.read_text()) if count_file.exists() else 0
    log.info("encoding %d photographs for %s", len(names) - start, file.name)
    values = np.lib.format.open_memmap(partial, "r+") if start else None
    bar = keras.utils.Progbar(len(names), unit_name="photo")
    for first in range(start, len(names), BATCH_SIZE):
        batch = names[first : first + BATCH_SIZE]
        pixels = np.stack([read_pixels(pictures, name) for name in batch])
        encoded = np.asarray(bottom(pixels[:, :, ::-1] if flip else pixels))
        if values is None:
            shape = (len(names), *encoded.shape[1:])
            values = np.lib.format.open_memmap(partial, "w+", "float16", shape)
        values[first : first + len(batch)] = encoded
        values.flush()
        count_file.write_text(str(first + len(batch)))
        bar.update(first + len(batch))
    del values
    partial.replace(file)
    count_file.unlink()
    return np.load(file)


@cache
def _compiled_top(encoder):
    return Compiled(encoder.top, xla=False)


def encode_top(encoder, values, reduce=np.asarray):
    """What is kept of the encoder's features, float32, for what `encode_bottom` returned.

    Args:
        encoder: A built `ImageEncoder`.
        values: Array `(photographs, …)`.
        reduce: As for `encode_photos`.
    """
    top = _compiled_top(encoder)
    return np.concatenate(
        [reduce(np.asarray(top(batch.astype("float32")))) for batch in _batches(values)]
    )


def mean_of_cells(features):
    """The mean of a grid of features, `(photographs, height, width, n)` to `(photographs, n)`."""
    return features.mean(axis=(1, 2))
