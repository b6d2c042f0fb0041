"""Quantisation of weights: int8 with scales, and 4-bit codes that point into a codebook."""

import numpy as np

LEVEL_COUNT = 16  # values that four bits can tell apart


def quantize_int8(array):
    """Round an array to int8, with one scale per row or, for a convolution, per output channel.

    Args:
        array: Array of floats, at least one-dimensional. Arrays of four dimensions are kernels
            `(height, width, inputs, outputs)`, depthwise ones `(height, width, channels, 1)`.

    Returns:
        The codes, int8 of the array's shape, and the scales, float32 that broadcast to it.
    """
    axes: tuple[int, ...] = (-1,)
    if array.ndim >= 4:
        axes = (0, 1) if array.shape[-1] == 1 else (0, 1, 2)  # depthwise or not
    scale = np.maximum(np.abs(array).max(axis=axes, keepdims=True) / 127, 1e-8)
    return np.round(array / scale).astype("int8"), scale.astype("float32")


def dequantize_int8(codes, scale):
    """The float32 array that `quantize_int8` rounded.

    Raises:
        ValueError: if a data type or a shape is not one that `quantize_int8` returns.
    """
    _check("codes", codes, codes.dtype == np.int8)
    _check("scale", scale, scale.dtype.kind == "f" and _broadcasts(scale, codes.shape))
    return codes.astype("float32") * scale


def quantize_int4(matrix):
    """Codes of four bits per number: the nearest of 16 levels (Lloyd 1957, Max 1960).

    The rows are first divided by their standard deviations, so that they share the levels. The
    codes therefore keep a row's direction and not its length: `save_arrays` stores that beside.

    Args:
        matrix: Array `(rows, columns)` of floats with an even number of columns.

    Returns:
        Dict with `codes`, uint8 `(rows, columns / 2)`, two codes per byte, and `levels`, float16
        `(16,)`.

    Raises:
        ValueError: if the number of columns is odd.
    """
    from sklearn.cluster import KMeans

    if matrix.shape[1] % 2:
        raise ValueError(f"`matrix` must have an even number of columns. Received: {matrix.shape}")
    rows = matrix / np.maximum(matrix.std(axis=1, keepdims=True), 1e-12)
    sample = rows.ravel()[:: max(1, rows.size // 100_000), None]
    clusters = min(LEVEL_COUNT, len(np.unique(sample)))
    means = KMeans(clusters, n_init=5, random_state=0).fit(sample).cluster_centers_[:, 0]
    levels = np.sort(np.resize(np.sort(means), LEVEL_COUNT)).astype("float16")
    borders = (levels[1:] + levels[:-1]).astype("float32") / 2
    codes = np.searchsorted(borders, rows).astype("uint8")
    return {"codes": codes[:, ::2] << 4 | codes[:, 1::2], "levels": levels}


def dequantize_int4(packed):
    """The rows that `quantize_int4` encoded: float32 `(rows, columns)`, of unit deviation.

    Raises:
        ValueError: if a data type or a shape is not one that `quantize_int4` returns.
    """
    codes, levels = packed["codes"], np.asarray(packed["levels"])
    _check("codes", codes, codes.dtype == np.uint8 and codes.ndim == 2)
    _check("levels", levels, levels.dtype.kind == "f" and levels.shape == (LEVEL_COUNT,))
    levels = levels.astype("float32")
    pairs = np.stack([np.repeat(levels, LEVEL_COUNT), np.tile(levels, LEVEL_COUNT)], axis=1)
    # A pair of float32 is looked up as one complex64, four times as quickly.
    return pairs.view("complex64")[:, 0][codes].view("float32")


def row_scales(matrix, rows):
    """The factors `(rows, 1)` that bring decoded rows nearest to a matrix, by least squares."""
    return ((rows * matrix).sum(axis=1) / (rows * rows).sum(axis=1))[:, None].astype("float32")


def apply_row_scales(rows, scale):
    """Decoded rows times the factors of `row_scales`.

    Raises:
        ValueError: if the factors are not floats `(rows, 1)`.
    """
    _check("scale", scale, scale.dtype.kind == "f" and scale.shape == (len(rows), 1))
    return rows * scale


def _broadcasts(array, shape):
    return array.ndim == len(shape) and all(
        size in (1, whole) for size, whole in zip(array.shape, shape, strict=True)
    )


def _check(name, array, valid):
    if not valid:
        raise ValueError(f"`{name}` does not fit. Received: {array.dtype}, shape {array.shape}")
