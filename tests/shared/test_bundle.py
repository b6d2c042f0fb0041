import random
import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from shared import bundle
from shared.options import OptionsMixin


def test_weights_survive_a_round_trip_within_their_precision(tmp_path):
    arrays = {"half": np.linspace(-1, 1, 7), "table": np.random.default_rng(0).normal(size=(5, 40))}
    bundle.save_arrays(tmp_path / "w.safetensors", arrays, int8=["table"])
    loaded = bundle.load_arrays(tmp_path / "w.safetensors")
    np.testing.assert_allclose(loaded["half"], arrays["half"], atol=1e-3)
    step = np.abs(arrays["table"]).max(axis=1, keepdims=True) / 127
    assert np.all(np.abs(loaded["table"] - arrays["table"]) <= 0.51 * step)
    assert set(loaded) == set(arrays)


def test_a_row_of_zeros_stays_zero(tmp_path):
    bundle.save_arrays(tmp_path / "w.safetensors", {"t": np.zeros((2, 3))}, int8=["t"])
    assert not bundle.load_arrays(tmp_path / "w.safetensors")["t"].any()


def test_four_bits_keep_lengths_and_rows_of_zeros(tmp_path):
    table = np.random.default_rng(3).normal(size=(200, 60)) * np.linspace(0.01, 9, 200)[:, None]
    table[7] = 0
    bundle.save_arrays(tmp_path / "w.safetensors", {"t": table}, int4=["t"])
    loaded = bundle.load_arrays(tmp_path / "w.safetensors")
    assert set(loaded) == {"t"}
    assert not loaded["t"][7].any()
    lengths = np.linalg.norm(table, axis=1)
    np.testing.assert_allclose(np.linalg.norm(loaded["t"], axis=1), lengths, rtol=0.02)
    assert (np.linalg.norm(loaded["t"] - table, axis=1) <= 0.2 * lengths).all()


def quantised_file(folder):
    """A file with an array of each kind of storage, and what `load_file` reads of it."""
    rng = np.random.default_rng(5)
    arrays = {name: rng.normal(size=(6, 8)) for name in ("half", "eight", "four")}
    bundle.save_arrays(folder / "w.safetensors", arrays, int8=["eight"], int4=["four"])
    return folder / "w.safetensors", load_file(folder / "w.safetensors")


@pytest.mark.parametrize("name", ["eight.scale", "four.scale", "four.codebook"])
@pytest.mark.parametrize(
    "damage",
    [None, lambda a: a[:-1], lambda a: np.tile(a, 2), lambda a: a[None], lambda a: a.astype(int)],
    ids=["missing", "shorter", "longer", "deeper", "integers"],
)
def test_damaged_scales_and_codebooks_raise_bundle_errors(tmp_path, name, damage):
    path, stored = quantised_file(tmp_path)
    part = stored.pop(name)
    if damage:
        stored[name] = damage(part)
    save_file(stored, path)
    with pytest.raises(bundle.BundleError, match="damaged"):
        bundle.load_arrays(path)


@pytest.mark.parametrize("name", ["eight.int8", "four.int4"])
@pytest.mark.parametrize("kind", [None, "float32", "int64"])
def test_damaged_codes_raise_bundle_errors(tmp_path, name, kind):
    path, stored = quantised_file(tmp_path)
    codes = stored.pop(name)
    if kind:
        stored[name] = codes.astype(kind)
    save_file(stored, path)
    with pytest.raises(bundle.BundleError, match="damaged"):
        bundle.load_arrays(path)


def test_truncated_and_overwritten_files_load_or_raise_bundle_errors(tmp_path):
    path, _ = quantised_file(tmp_path)
    content = path.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(bundle.BundleError):
            bundle.load_arrays(path)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    for _ in range(300):
        damaged = bytearray(content)
        for place in rng.integers(0, header, rng.integers(1, 4)):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            bundle.load_arrays(path)
        except bundle.BundleError:
            continue


def test_an_array_that_a_file_lacks_is_named(tmp_path):
    path, _ = quantised_file(tmp_path)
    with pytest.raises(bundle.BundleError, match=r"w.safetensors lack bits"):
        bundle.load_arrays(path)["bits"]


def test_missing_and_damaged_files_raise_bundle_errors(tmp_path):
    with pytest.raises(bundle.BundleError, match="nothing.safetensors cannot be read"):
        bundle.load_arrays(tmp_path / "nothing.safetensors")
    (tmp_path / "w.safetensors").write_bytes(b"not weights")
    with pytest.raises(bundle.BundleError, match="cannot be read"):
        bundle.load_arrays(tmp_path / "w.safetensors")
    (tmp_path / "card.json").write_text("{")
    with pytest.raises(bundle.BundleError, match=r"card.json cannot be read"):
        bundle.read_card(tmp_path)
    (tmp_path / "card.json").write_text('{"task": "sentiment", "title": "T"}')
    with pytest.raises(bundle.BundleError, match="lacks date, seed, commit"):
        bundle.read_card(tmp_path)


def test_whatever_a_card_lacks_is_named_in_a_sentence(tmp_path):
    bundle.write_card(
        tmp_path, dict.fromkeys(bundle.CARD_KEYS, 0) | {"variants": {"lstm": {"units": 3}}}
    )
    card = bundle.read_card(tmp_path)
    assert card["variants"]["lstm"]["units"] == 3
    assert (card["seed"], card.get("baseline")) == (0, None)
    for lacking in (lambda: card["baseline"], lambda: card["variants"]["lstm"]["accuracy"]):
        with pytest.raises(bundle.BundleError, match="lacks (baseline|accuracy)"):
            lacking()
    bundle.write_card(tmp_path, dict.fromkeys(bundle.CARD_KEYS, {}))
    with pytest.raises(bundle.BundleError, match="lacks title"):
        bundle.read_card(tmp_path)


def test_a_network_refuses_weights_of_another_shape():
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="head")])
    weights = bundle.get_weights(network)
    changed = {name: array + 1 for name, array in weights.items()}
    bundle.set_weights(network, changed)
    for name, array in bundle.get_weights(network).items():
        np.testing.assert_array_equal(array, changed[name])
    with pytest.raises(bundle.BundleError, match="do not fit"):
        bundle.set_weights(network, {name: array[:1] for name, array in weights.items()})


def test_whole_numbers_are_stored_as_they_are(tmp_path):
    numbers = np.array([0, 255, 70_000], "int32")
    arrays = {"numbers": numbers, "codes": numbers.astype("uint8")}
    bundle.save_arrays(tmp_path / "a.safetensors", arrays)
    loaded = bundle.load_arrays(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(loaded["numbers"], numbers)
    assert (loaded["numbers"].dtype, loaded["codes"].dtype) == (np.int32, np.uint8)


class Scaled(OptionsMixin, keras.Model):
    """A network small enough to save."""

    def __init__(self, units=2, **kwargs):
        super().__init__(name="scaled", **kwargs)
        self.head = keras.layers.Dense(units, name="head")

    def build(self, shape):
        self.head.build(shape)


def saved_bundle(folder):
    network = Scaled(3)
    network.build((None, 4))
    bundle.save_arrays(folder / "lstm.safetensors", bundle.get_weights(network))
    card = dict.fromkeys(bundle.CARD_KEYS, 0)
    card["variants"] = {"lstm": {"network": network.options}, "gru": {"network": {"width": 3}}}
    bundle.write_card(folder, card)
    return network


def test_a_bundle_is_loaded_with_its_weights_and_its_card(tmp_path):
    saved = bundle.get_weights(saved_bundle(tmp_path))
    network, details, card = bundle.load_bundle(tmp_path, "lstm", Scaled, (None, 4))
    for path, array in bundle.get_weights(network).items():
        np.testing.assert_allclose(array, saved[path], atol=1e-3)
    assert details is card["variants"]["lstm"]


def test_a_bundle_that_does_not_fit_its_network_raises_bundle_errors(tmp_path):
    saved_bundle(tmp_path)
    with pytest.raises(bundle.BundleError, match="no network transformer"):
        bundle.load_bundle(tmp_path, "transformer", Scaled, (None, 4))
    with pytest.raises(bundle.BundleError, match="gru.safetensors cannot be read"):
        bundle.load_bundle(tmp_path, "gru", Scaled, (None, 4))
    card = bundle.read_card(tmp_path)
    bundle.write_card(tmp_path, {**card, "variants": {**card["variants"], "empty": {"units": 1}}})
    with pytest.raises(bundle.BundleError, match="^A model card lacks network.$"):
        bundle.load_bundle(tmp_path, "empty", Scaled, (None, 4))
    bundle.write_card(tmp_path, card)
    (tmp_path / "lstm.safetensors").rename(tmp_path / "gru.safetensors")
    with pytest.raises(bundle.BundleError, match="width"):
        bundle.load_bundle(tmp_path, "gru", Scaled, (None, 4))


def test_what_is_loaded_once_is_loaded_once_by_many_threads():
    calls, gate = [], threading.Barrier(4)

    @bundle.load_once
    def load(name):
        calls.append(name)
        return object()

    def wait_and_load(name):
        gate.wait()
        return load(name)

    with ThreadPoolExecutor(4) as pool:
        loaded = list(pool.map(wait_and_load, "aabb"))
    assert sorted(calls) == ["a", "b"]
    assert loaded[0] is loaded[1] and loaded[2] is loaded[3]
