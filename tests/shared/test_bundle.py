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


def test_packing_takes_half_a_byte_a_number():
    rows = np.random.default_rng(1).normal(size=(300, 40))
    packed = bundle.pack(rows)
    assert packed["codes"].shape == (300, 20)
    assert packed["codes"].dtype == np.uint8
    assert packed["levels"].shape == (16,)


def test_packed_rows_point_where_they_did():
    rows = np.random.default_rng(1).normal(size=(300, 40)) * np.linspace(0.1, 9, 300)[:, None]
    back = bundle.unpack(bundle.pack(rows))
    cosines = (back * rows).sum(1) / np.linalg.norm(back, axis=1) / np.linalg.norm(rows, axis=1)
    # Sixteen levels fitted to a Gaussian leave 0.0095 of its variance (Max 1960).
    assert 0.990 < cosines.mean() < 0.998
    assert cosines.min() > 0.97


def test_each_number_gets_the_nearest_level():
    rows = np.random.default_rng(2).normal(size=(50, 6))
    packed = bundle.pack(rows)
    scaled = rows / rows.std(axis=1, keepdims=True)
    levels = packed["levels"].astype("float32")
    nearest = levels[np.abs(scaled[..., None] - levels).argmin(axis=-1)]
    np.testing.assert_allclose(bundle.unpack(packed), nearest)


def test_an_odd_number_of_columns_cannot_be_packed():
    with pytest.raises(ValueError, match="even number"):
        bundle.pack(np.ones((3, 5)))


def test_four_bits_keep_lengths_and_rows_of_zeros(tmp_path):
    table = np.random.default_rng(3).normal(size=(200, 60)) * np.linspace(0.01, 9, 200)[:, None]
    table[7] = 0
    bundle.save_arrays(tmp_path / "w.safetensors", {"t": table}, packed=["t"])
    loaded = bundle.load_arrays(tmp_path / "w.safetensors")
    assert set(loaded) == {"t"}
    assert not loaded["t"][7].any()
    lengths = np.linalg.norm(table, axis=1)
    np.testing.assert_allclose(np.linalg.norm(loaded["t"], axis=1), lengths, rtol=0.02)
    assert (np.linalg.norm(loaded["t"] - table, axis=1) <= 0.2 * lengths).all()


def test_what_was_packed_is_packed_again_with_little_loss():
    once = bundle.unpack(bundle.pack(np.random.default_rng(4).normal(size=(2_000, 300))))
    again = bundle.unpack(bundle.pack(once))
    assert np.sqrt(np.mean((once - again) ** 2)) < 0.02  # a first packing loses five times that


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
