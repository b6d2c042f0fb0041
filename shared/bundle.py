"""A trained model on disk: a folder with weights (safetensors), JSON and `card.json`.

Weights are stored as float16, or where that costs no accuracy as int8, or at four bits, with one
scale per row.
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

MODELS = Path(__file__).parent.parent / "models"
LEVELS = 16  # of a number at four bits

# What every card says; the scores are each application's own.
CARD = ("title", "date", "seed", "commit", "data", "test_set", "limits", "licence", "variants")


class BundleError(Exception):
    """A bundle is missing or damaged; the message is a sentence for the page."""


class Card(dict):
    """A model card, or a part of one: what it lacks is a `BundleError`, not a `KeyError`."""

    def __missing__(self, key):
        raise BundleError(f"A model card lacks {key}.")


def save_arrays(path, arrays, quantised=(), packed=()):
    """Write named arrays as float16, those of `quantised` as int8, those of `packed` at four bits.

    Tables get a scale per row, kernels of convolutions one per output channel. Arrays of whole
    numbers are stored as they are.
    """
    stored = {}
    for name, array in arrays.items():
        if name in quantised:
            scale = np.maximum(np.abs(array).max(axis=_scaled(array), keepdims=True) / 127, 1e-8)
            stored[f"{name}.int8"] = np.round(array / scale).astype("int8")
            stored[f"{name}.scale"] = scale.astype("float32")
        elif name in packed:
            small = pack(array)
            rows = unpack(small)
            scale = (rows * array).sum(axis=1) / (rows * rows).sum(axis=1)  # least squares
            stored |= {f"{name}.int4": small["codes"], f"{name}.codebook": small["levels"]}
            stored[f"{name}.scale"] = scale[:, None].astype("float32")
        else:
            whole = np.asarray(array).dtype.kind in "iu"
            stored[name] = np.ascontiguousarray(array, None if whole else "float16")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(stored, path)


def _scaled(array):
    """The axes that share a scale."""
    if array.ndim < 4:
        return -1
    return (0, 1) if array.shape[-1] == 1 else (0, 1, 2)  # depthwise or not


def pack(matrix):
    """Rows at four bits a number: the index of the nearest of 16 levels (Lloyd 1957, Max 1960).

    Each row is first brought to a standard deviation of 1. Its length is not kept: cosines do not
    depend on it, and `save_arrays` stores it beside.

    Args:
        matrix: Array `(rows, dimensions)`, an even number of dimensions.

    Returns:
        Dict with `codes`, uint8 `(rows, dimensions / 2)`, two a byte, and `levels`, `(16,)`.
    """
    from sklearn.cluster import KMeans

    if matrix.shape[1] % 2:
        raise ValueError(f"`matrix` must have an even number of columns. Received: {matrix.shape}")
    rows = matrix / np.maximum(matrix.std(axis=1, keepdims=True), 1e-12)
    sample = rows.ravel()[:: max(1, rows.size // 100_000), None]
    found = KMeans(min(LEVELS, len(np.unique(sample))), n_init=5, random_state=0).fit(sample)
    levels = np.resize(np.sort(found.cluster_centers_[:, 0]), LEVELS)
    levels = np.sort(levels).astype("float16")
    codes = np.searchsorted((levels[1:] + levels[:-1]).astype("float32") / 2, rows).astype("uint8")
    return {"codes": codes[:, ::2] << 4 | codes[:, 1::2], "levels": levels}


def unpack(packed):
    """The rows of `pack`, an array `(rows, dimensions)` of float32."""
    codes, levels = packed["codes"], np.asarray(packed["levels"], "float32")
    pairs = np.stack([np.repeat(levels, LEVELS), np.tile(levels, LEVELS)], axis=1)  # (256, 2)
    # A pair of float32 is looked up as one complex64, four times as quickly.
    return pairs.view("complex64")[:, 0][codes].view("float32")


def load_arrays(path):
    """The arrays of a file by name, as float32 where they are not whole numbers.

    Raises:
        BundleError: if the file is missing or damaged.
    """
    try:
        stored = load_file(path)
    except Exception as error:  # safetensors raises its own and the system's errors
        raise BundleError(f"The weights {path.parent.name}/{path.name} cannot be read.") from error
    arrays = {}
    for name, array in stored.items():
        if name.endswith(".int8"):
            name = name.removesuffix(".int8")
            arrays[name] = array.astype("float32") * stored[f"{name}.scale"]
        elif name.endswith(".int4"):
            name = name.removesuffix(".int4")
            rows = unpack({"codes": array, "levels": stored[f"{name}.codebook"]})
            arrays[name] = rows * stored[f"{name}.scale"]
        elif not name.endswith((".scale", ".codebook")):
            arrays[name] = array if array.dtype.kind in "iu" else array.astype("float32")
    return arrays


def weights_of(model):
    """A built model's weights as arrays by path, without the state of random generators."""
    return {path: np.asarray(variable) for path, variable in _variables(model).items()}


def set_weights(model, arrays):
    """Give a built model the weights of `arrays`, by path.

    Raises:
        BundleError: if a weight is missing or has another shape.
    """
    for path, variable in _variables(model).items():
        if path not in arrays or arrays[path].shape != tuple(variable.shape):
            raise BundleError(f"The weights do not fit the network {model.name}: {path}.")
        variable.assign(arrays[path])


def _variables(model):
    return {v.path: v for v in model.variables if not v.path.endswith("seed_generator_state")}


def read_card(folder):
    """The `Card` in the `card.json` of a bundle.

    Raises:
        BundleError: if it is missing or damaged, or lacks what every card says.
    """
    try:
        text = (folder / "card.json").read_text(encoding="utf-8")
        card = json.loads(text, object_hook=Card)
        missing = [key for key in CARD if key not in card or card[key] == {}]
    except (OSError, ValueError, TypeError) as error:
        raise BundleError(f"The model card {folder.name}/card.json cannot be read.") from error
    if missing:
        raise BundleError(f"The model card {folder.name}/card.json lacks {', '.join(missing)}.")
    return card


def write_card(folder, card):
    """Write `card.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(card, indent=2, ensure_ascii=False)
    (folder / "card.json").write_text(text + "\n", encoding="utf-8")
