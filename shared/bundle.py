"""A trained model on disk: a folder with weights (safetensors), JSON and `card.json`.

Weights are stored as float16 or, where that costs no accuracy, as int8 or in four bits
(`shared.quantize`).
"""

import json
import threading
from functools import cache, wraps
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from shared import quantize
from shared.errors import UserError

MODELS = Path(__file__).parent.parent / "models"

# The keys that every card has; the metrics are each application's own.
CARD_KEYS = ("title", "date", "seed", "commit", "data", "test_set", "limits", "licence", "variants")


class BundleError(UserError):
    """A bundle is missing or damaged."""


class Card(dict):
    """A model card, or a part of one: a key that it lacks raises `BundleError`."""

    def __missing__(self, key):
        raise BundleError(f"A model card lacks {key}.")


class Arrays(dict):
    """The arrays of a file by name: a name that it lacks raises `BundleError`.

    Args:
        file: What the message calls the file.
        arrays: Dict from names to arrays.
    """

    def __init__(self, file, arrays):
        super().__init__(arrays)
        self.file = file

    def __missing__(self, name):
        raise BundleError(f"The weights {self.file} lack {name}.")


def save_arrays(path, arrays, int8=(), int4=(), options=None):
    """Write arrays to a safetensors file: floats as float16, integers as they are.

    Args:
        path: Path of the file; its folder is created.
        arrays: Dict from names to arrays.
        int8: Names of the arrays that are stored as int8, as by `quantize_int8`.
        int4: Names of the matrices that are stored in four bits, as by `quantize_int4`.
        options: A JSON object that `load_options` returns, or None.
    """
    stored = {}
    for name, array in arrays.items():
        if name in int8:
            codes, scale = quantize.quantize_int8(array)
            stored |= {f"{name}.int8": codes, f"{name}.scale": scale}
        elif name in int4:
            packed = quantize.quantize_int4(array)
            scale = quantize.row_scales(array, quantize.dequantize_int4(packed))
            stored |= {f"{name}.int4": packed["codes"], f"{name}.codebook": packed["levels"]}
            stored[f"{name}.scale"] = scale
        else:
            is_integer = np.asarray(array).dtype.kind in "iu"
            stored[name] = np.ascontiguousarray(array, None if is_integer else "float16")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(stored, path, {"options": json.dumps(options)} if options else None)


def load_options(path):
    """The options that `save_arrays` stored with the arrays, an empty dict if there are none.

    Raises:
        BundleError: if the file is missing or damaged.
    """
    try:
        with safe_open(path, "numpy") as file:
            return json.loads((file.metadata() or {}).get("options", "{}"))
    except Exception as error:  # as in `load_arrays`
        name = f"{path.parent.name}/{path.name}"
        raise BundleError(f"The weights {name} cannot be read.") from error


def load_arrays(path):
    """The `Arrays` of a file: integers as they are stored, everything else as float32.

    Raises:
        BundleError: if the file is missing or damaged.
    """
    file = f"{path.parent.name}/{path.name}"
    try:
        stored = load_file(path)
    except Exception as error:  # safetensors raises its own and the system's errors
        raise BundleError(f"The weights {file} cannot be read.") from error
    try:
        return Arrays(file, _decode(stored))
    except (KeyError, ValueError) as error:
        raise BundleError(f"The weights {file} are damaged: {error}.") from error


def _decode(stored):
    """The arrays that `save_arrays` stored, quantised ones as float32."""
    arrays = {}
    for name, array in stored.items():
        base, _, suffix = name.rpartition(".")
        if suffix == "int8":
            arrays[base] = quantize.dequantize_int8(array, stored[f"{base}.scale"])
        elif suffix == "int4":
            packed = {"codes": array, "levels": stored[f"{base}.codebook"]}
            rows = quantize.dequantize_int4(packed)
            arrays[base] = quantize.apply_row_scales(rows, stored[f"{base}.scale"])
        elif suffix in ("scale", "codebook"):
            if not {f"{base}.int8", f"{base}.int4"} & stored.keys():
                raise KeyError(base)
        else:
            arrays[name] = array if array.dtype.kind in "iu" else array.astype("float32")
    return arrays


def get_weights(model):
    """The weights of a built model as arrays by path, without the state of random generators."""
    return {path: np.asarray(variable) for path, variable in _variables(model).items()}


def set_weights(model, arrays):
    """Set the weights of a built model from arrays by path.

    Raises:
        BundleError: if a weight is missing or has another shape.
    """
    for path, variable in _variables(model).items():
        if path not in arrays or arrays[path].shape != tuple(variable.shape):
            raise BundleError(f"The weights do not fit the network {model.name}: {path}.")
        variable.assign(arrays[path])


def _variables(model):
    return {v.path: v for v in model.variables if not v.path.endswith("seed_generator_state")}


def load_bundle(folder, variant, network_class, *input_shapes):
    """A trained network of a bundle.

    Args:
        folder: Path of the bundle.
        variant: One of the card's variants; its weights are in `<variant>.safetensors`.
        network_class: Class of the network, called with the options in the card.
        input_shapes: Arguments of the network's `build`.

    Returns:
        The network, the variant's part of the card, and the whole card.

    Raises:
        BundleError: if there is no such variant, or its files are missing or damaged.
    """
    card = read_card(folder)
    if variant not in card["variants"]:
        raise BundleError(f"The bundle {folder.name} has no network {variant}.")
    details = card["variants"][variant]
    options = details["network"]
    arrays = load_arrays(folder / f"{variant}.safetensors")
    try:
        network = network_class(**options)
    except (TypeError, ValueError) as error:
        raise BundleError(f"The card of {folder.name} describes no network: {error}") from error
    network.build(*input_shapes)
    set_weights(network, arrays)
    return network, details, card


def load_once(function):
    """Decorator: call a function once for each set of arguments, even from several threads.

    `functools.cache` alone runs the function again in each thread that calls it before the first
    has returned.
    """
    lock, cached = threading.Lock(), cache(function)

    @wraps(function)
    def load(*args):
        with lock:
            return cached(*args)

    return load


def read_card(folder):
    """The `Card` in the `card.json` of a bundle.

    Raises:
        BundleError: if it is missing or damaged, or lacks one of `CARD_KEYS`.
    """
    try:
        text = (folder / "card.json").read_text(encoding="utf-8")
        card = json.loads(text, object_hook=Card)
        missing = [key for key in CARD_KEYS if key not in card or card[key] == {}]
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
