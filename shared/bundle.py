"""A trained model on disk: a folder with weights (safetensors), JSON and `card.json`.

Weights are stored as float16, or as int8 with one scale per row where that costs no accuracy.
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

MODELS = Path(__file__).parent.parent / "models"

# What every card says; the scores are each application's own.
CARD = ("title", "date", "seed", "commit", "data", "test_set", "limits", "licence", "variants")


class BundleError(Exception):
    """A bundle is missing or damaged; the message is a sentence for the page."""


class Card(dict):
    """A model card, or a part of one: what it lacks is a `BundleError`, not a `KeyError`."""

    def __missing__(self, key):
        raise BundleError(f"A model card lacks {key}.")


def save_arrays(path, arrays, quantised=()):
    """Write named arrays as float16, those named in `quantised` as int8.

    Tables get a scale per row, kernels of convolutions one per output channel. Arrays of whole
    numbers are stored as they are.
    """
    stored = {}
    for name, array in arrays.items():
        if name in quantised:
            scale = np.maximum(np.abs(array).max(axis=_scaled(array), keepdims=True) / 127, 1e-8)
            stored[f"{name}.int8"] = np.round(array / scale).astype("int8")
            stored[f"{name}.scale"] = scale.astype("float32")
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
        elif not name.endswith(".scale"):
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
