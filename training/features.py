"""The image encoder to start from, and what its frozen part makes of photographs, kept on disk."""

import logging
import zlib
from functools import cache
from pathlib import Path

import keras
import numpy as np

from shared import images
from shared.compiled import Compiled
from shared.image_encoder import ImageEncoder, fold, read_npz

log = logging.getLogger(__name__)

BATCH = 32
MOBILENET = Path("vision") / "mobilenet_v2_1.0_224_tf2_int8.npz"


def starting_encoder(data_dir, output):
    """The encoder to start from: ImageNet's, or that of a bundle for photographs of one's own.

    Args:
        data_dir: Folder of corpora with the encoder's file, or None.
        output: Path of a bundle's encoder, taken if there is no folder of corpora.
    """
    if data_dir is None and output.exists():
        return ImageEncoder.load(output)
    encoder = ImageEncoder()
    if data_dir is not None and (data_dir / MOBILENET).exists():
        encoder.set_kernels(read_npz(data_dir / MOBILENET)[:-1])
    else:
        encoder.set_kernels(fold(keras.applications.MobileNetV2(include_top=False)))
    return encoder


def pixels(pictures, name):
    """What networks see of one of `Pictures`.

    Raises:
        ImageError: if it cannot be read; the message names it.
    """
    data = _bytes_of(pictures, name)
    try:
        return images.squash(images.read(data))
    except images.ImageError as problem:
        raise images.ImageError(f"{name}: {problem}") from problem


def run_name(made_from, pictures, names):
    """What tells a run from others: a checksum, in hexadecimal.

    Args:
        made_from: Bytes of all that features and networks are made from besides photographs.
        pictures: `Pictures`; one of the same name may be another.
        names: Those that are used.

    Raises:
        ImageError: if one cannot be read; the message names it.
    """
    found = zlib.crc32(made_from)
    for name in sorted(set(names)):
        found = zlib.crc32(_bytes_of(pictures, name), found)
    return f"{found:08x}"


def _bytes_of(pictures, name):
    try:
        return pictures[name]
    except (images.ImageError, KeyError) as problem:
        raise images.ImageError(f"{name}: {problem}") from problem


def weights_of(*networks):
    """The weights of built networks as bytes, by which a run is known."""
    return b"".join(array.tobytes() for each in networks for array in each.get_weights())


def cached(encoder, pictures, names, file, flip=False):
    """What `encoder.bottom` makes of photographs; what is on disk is not computed again.

    Args:
        encoder: A built `ImageEncoder`.
        pictures: `Pictures`.
        names: List of their names.
        file: Path of a `.npy` file; one that another run began is completed.
        flip: Mirror every photograph, left for right.

    Returns:
        Float16 array `(photographs, height / 32, width / 32, channels)`.

    Raises:
        ImageError: if a photograph cannot be read; the message names it.
    """
    if file.exists():
        return np.load(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    bottom = Compiled(encoder.bottom, xla=False)
    partial, count = file.with_suffix(".partial.npy"), file.with_suffix(".count")
    start = int(count.read_text()) if count.exists() else 0
    log.info("features of %d photographs for %s", len(names) - start, file.name)
    found = None
    if start:
        found = np.lib.format.open_memmap(partial, "r+")
    bar = keras.utils.Progbar(len(names), unit_name="photo")
    for first in range(start, len(names), BATCH):
        some = names[first : first + BATCH]
        seen = np.stack([pixels(pictures, name) for name in some])
        values = np.asarray(bottom(seen[:, :, ::-1] if flip else seen))
        if found is None:
            shape = (len(names), *values.shape[1:])
            found = np.lib.format.open_memmap(partial, "w+", "float16", shape)
        found[first : first + len(some)] = values
        found.flush()
        count.write_text(str(first + len(some)))
        bar.update(first + len(some))
    del found
    partial.replace(file)
    count.unlink()
    return np.load(file)


@cache
def _top(encoder):
    return Compiled(encoder.top, xla=False)


def on_grid(encoder, values):
    """The encoder's features of what `features.cached` returned, float32."""
    batches = range(0, len(values), 50)
    found = [_top(encoder)(values[n : n + 50].astype("float32")) for n in batches]
    return np.concatenate([np.asarray(each) for each in found])
