import keras
import numpy as np
import pytest

from shared import bundle


def test_weights_survive_a_round_trip_within_their_precision(tmp_path):
    arrays = {"half": np.linspace(-1, 1, 7), "table": np.random.default_rng(0).normal(size=(5, 40))}
    bundle.save_arrays(tmp_path / "w.safetensors", arrays, quantised=["table"])
    loaded = bundle.load_arrays(tmp_path / "w.safetensors")
    np.testing.assert_allclose(loaded["half"], arrays["half"], atol=1e-3)
    step = np.abs(arrays["table"]).max(axis=1, keepdims=True) / 127
    assert np.all(np.abs(loaded["table"] - arrays["table"]) <= 0.51 * step)
    assert set(loaded) == set(arrays)


def test_a_row_of_zeros_stays_zero(tmp_path):
    bundle.save_arrays(tmp_path / "w.safetensors", {"t": np.zeros((2, 3))}, quantised=["t"])
    assert not bundle.load_arrays(tmp_path / "w.safetensors")["t"].any()


def test_missing_and_damaged_files_give_a_sentence(tmp_path):
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
        tmp_path, dict.fromkeys(bundle.CARD, 0) | {"variants": {"lstm": {"units": 3}}}
    )
    card = bundle.read_card(tmp_path)
    assert card["variants"]["lstm"]["units"] == 3
    assert (card["seed"], card.get("baseline")) == (0, None)
    for lacking in (lambda: card["baseline"], lambda: card["variants"]["lstm"]["accuracy"]):
        with pytest.raises(bundle.BundleError, match="lacks (baseline|accuracy)"):
            lacking()
    bundle.write_card(tmp_path, dict.fromkeys(bundle.CARD, {}))
    with pytest.raises(bundle.BundleError, match="lacks title"):
        bundle.read_card(tmp_path)


def test_a_network_refuses_weights_of_another_shape():
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="head")])
    weights = bundle.weights_of(network)
    changed = {name: array + 1 for name, array in weights.items()}
    bundle.set_weights(network, changed)
    for name, array in bundle.weights_of(network).items():
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
