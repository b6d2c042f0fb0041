import keras
import numpy as np
import pytest
from keras import ops

from apps.translation.model import BEGIN, CELLS, Translator

SMALL = {"vocabulary": 12, "dimensions": 6, "units": 8, "seed": 0}
SOURCE = np.array([[5, 6, 7, 3, 0], [8, 9, 3, 0, 0]], "int32")
TARGET = np.array([[BEGIN, 4, 5, 6], [BEGIN, 7, 8, 0]], "int32")


def built(**options):
    network = Translator(**{**SMALL, **options})
    network.build(((None, None), (None, None)))
    return network


def decoded(network, source, target):
    """Log-probabilities step by step, as decoding computes them."""
    memory, mask, states = network.encode(source)
    found, looked = [], []
    for step in range(target.shape[1]):
        log_probabilities, states, weights = network.step(target[:, step], states, memory, mask)
        found.append(np.asarray(log_probabilities))
        looked.append(np.asarray(weights))
    return np.stack(found, 1), np.stack(looked, 1)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_decoding_step_by_step_is_what_was_trained(cell, attention, layers):
    network = built(cell=cell, attention=attention, layers=layers)
    whole = np.asarray(ops.log_softmax(network((SOURCE, TARGET)), axis=-1))
    assert whole.shape == (2, 4, 12)
    steps, weights = decoded(network, SOURCE, TARGET)
    np.testing.assert_allclose(steps, whole, atol=1e-5)
    if attention:
        np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
        assert not weights[0, :, 4:].any()  # padding is not looked at
    else:
        assert not weights.any()


@pytest.mark.parametrize("attention", [True, False])
def test_rows_side_by_side_share_the_memory_of_their_sentence(attention):
    network = built(attention=attention)
    memory, mask, states = network.encode(SOURCE)
    tokens = np.array([4, 5, 6, 7, 8, 9], "int32")  # three for each of the two sentences
    repeated = [[ops.repeat(part, 3, axis=0) for part in layer] for layer in states]
    shared = network.step(tokens, repeated, memory, mask)
    own = network.step(tokens, repeated, ops.repeat(memory, 3, axis=0), ops.repeat(mask, 3, axis=0))
    assert shared[0].shape == (6, 12)
    assert shared[2].shape == (6, 5)
    for mine, theirs in zip(shared, own, strict=True):
        keras.tree.map_structure(
            lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), mine, theirs
        )


def test_padding_changes_nothing():
    network = built()
    longer = np.pad(SOURCE, [(0, 0), (0, 3)])
    np.testing.assert_allclose(network((longer, TARGET)), network((SOURCE, TARGET)), atol=1e-5)


def test_a_reversed_source_is_read_from_its_end():
    forwards, backwards = built(attention=False), built(attention=False, reverse=True)
    backwards.set_weights(forwards.get_weights())
    turned = np.array([[3, 7, 6, 5, 0], [3, 9, 8, 0, 0]], "int32")
    np.testing.assert_allclose(backwards((SOURCE, TARGET)), forwards((turned, TARGET)), atol=1e-5)
    assert np.abs(np.asarray(backwards((SOURCE, TARGET)) - forwards((SOURCE, TARGET)))).max() > 1e-3


def test_dropout_acts_in_training_only():
    network = built(dropout=0.5)
    still = np.asarray(network((SOURCE, TARGET)))
    np.testing.assert_array_equal(network((SOURCE, TARGET)), still)
    assert np.abs(np.asarray(network((SOURCE, TARGET), training=True)) - still).max() > 1e-3


def test_a_network_survives_its_configuration():
    network = built(cell="gru", layers=2, reverse=True)
    again = Translator.from_config(network.get_config())
    again.build(((None, None), (None, None)))
    again.set_weights(network.get_weights())
    np.testing.assert_array_equal(again((SOURCE, TARGET)), network((SOURCE, TARGET)))


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="`cell`.*'transformer'"):
        Translator(cell="transformer")
    with pytest.raises(ValueError, match="`units` must be even.*7"):
        Translator(units=7)


def test_a_training_step_lowers_the_loss():
    from training.loop import smoothed_cross_entropy

    keras.utils.set_random_seed(0)
    network = built(dropout=0.0)
    network.compile(keras.optimizers.Adam(1e-2), smoothed_cross_entropy(0.1))
    following = np.array([[4, 5, 6, 3], [7, 8, 3, 0]], "int32")
    losses = [float(network.train_on_batch((SOURCE, TARGET), following)) for _ in range(8)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
