import keras
import numpy as np
import pytest
from keras import ops

from apps.translation.model import BEGIN, CELLS, Translator

pytestmark = pytest.mark.slow

SMALL = {"vocabulary": 12, "dimensions": 6, "units": 8, "seed": 0}
SOURCE = np.array([[5, 6, 7, 3, 0], [8, 9, 3, 0, 0]], "int32")
TARGET = np.array([[BEGIN, 4, 5, 6], [BEGIN, 7, 8, 0]], "int32")


def build_network(**options):
    network = Translator(**{**SMALL, **options})
    network.build(((None, None), (None, None)))
    return network


def decode_step_by_step(network, source, target):
    """Log-probabilities `(batch, time, vocabulary)` and attention `(batch, time, source time)`."""
    memory, mask, states = network.encode(source)
    log_probabilities, attention = [], []
    for step in range(target.shape[1]):
        logs, states, weights = network.step(target[:, step], states, memory, mask)
        log_probabilities.append(np.asarray(logs))
        attention.append(np.asarray(weights))
    return np.stack(log_probabilities, 1), np.stack(attention, 1)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_decoding_step_by_step_gives_the_logits_of_training(cell, attention, layers):
    network = build_network(cell=cell, attention=attention, layers=layers)
    whole = np.asarray(ops.log_softmax(network((SOURCE, TARGET)), axis=-1))
    assert whole.shape == (2, 4, 12)
    steps, weights = decode_step_by_step(network, SOURCE, TARGET)
    np.testing.assert_allclose(steps, whole, atol=1e-5)
    if attention:
        np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
        assert not weights[0, :, 4:].any()  # padding gets no attention
    else:
        assert not weights.any()


@pytest.mark.parametrize("attention", [True, False])
def test_adjacent_rows_share_the_memory_of_their_sentence(attention):
    network = build_network(attention=attention)
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


def test_padding_does_not_change_the_logits():
    network = build_network()
    longer = np.pad(SOURCE, [(0, 0), (0, 3)])
    np.testing.assert_allclose(network((longer, TARGET)), network((SOURCE, TARGET)), atol=1e-5)


def test_reverse_reads_the_source_from_its_end():
    forwards, backwards = (
        build_network(attention=False),
        build_network(attention=False, reverse=True),
    )
    backwards.set_weights(forwards.get_weights())
    turned = np.array([[3, 7, 6, 5, 0], [3, 9, 8, 0, 0]], "int32")
    np.testing.assert_allclose(backwards((SOURCE, TARGET)), forwards((turned, TARGET)), atol=1e-5)
    assert np.abs(np.asarray(backwards((SOURCE, TARGET)) - forwards((SOURCE, TARGET)))).max() > 1e-3


def test_dropout_acts_in_training_only():
    network = build_network(dropout=0.5)
    still = np.asarray(network((SOURCE, TARGET)))
    np.testing.assert_array_equal(network((SOURCE, TARGET)), still)
    assert np.abs(np.asarray(network((SOURCE, TARGET), training=True)) - still).max() > 1e-3


def test_a_network_can_be_rebuilt_from_its_config():
    network = build_network(cell="gru", layers=2, reverse=True)
    again = Translator.from_config(network.get_config())
    again.build(((None, None), (None, None)))
    again.set_weights(network.get_weights())
    np.testing.assert_array_equal(again((SOURCE, TARGET)), network((SOURCE, TARGET)))


def test_invalid_arguments_are_named():
    with pytest.raises(ValueError, match="`cell`.*'transformer'"):
        Translator(cell="transformer")
    with pytest.raises(ValueError, match="`units` must be even.*7"):
        Translator(units=7)


def test_a_training_step_lowers_the_loss():
    from training.loop import smoothed_cross_entropy

    keras.utils.set_random_seed(0)
    network = build_network(dropout=0.0)
    network.compile(keras.optimizers.Adam(1e-2), smoothed_cross_entropy(0.1))
    following = np.array([[4, 5, 6, 3], [7, 8, 3, 0]], "int32")
    losses = [float(network.train_on_batch((SOURCE, TARGET), following)) for _ in range(8)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
