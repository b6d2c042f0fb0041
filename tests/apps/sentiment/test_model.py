import keras
import numpy as np
import pytest

from apps.sentiment.model import CELLS, SentimentNetwork

WORDS = np.array([[3, 5, 7, 2, 0, 0], [4, 4, 9, 8, 6, 1]], "int32")


def network(cell="lstm", **options):
    keras.utils.set_random_seed(1)
    made = SentimentNetwork(cell, vocabulary=10, dimensions=4, units=5, **options)
    made.build((None, None))
    return made


@pytest.mark.parametrize("cell", CELLS)
def test_running_answer_ends_where_the_answer_is(cell):
    made = network(cell)
    running = np.asarray(made.running(WORDS))
    assert running.shape == (2, 6)
    np.testing.assert_allclose(running[:, -1], np.asarray(made(WORDS)), atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_answer_after_each_word_is_the_answer_to_the_text_so_far(cell):
    made = network(cell)
    running = np.asarray(made.running(WORDS))[1]
    for count in range(1, 7):
        alone = float(made(WORDS[1:, :count])[0])
        assert running[count - 1] == pytest.approx(alone, abs=1e-6)


def test_padding_changes_nothing():
    made = network()
    longer = np.pad(WORDS, ((0, 0), (0, 9)))
    np.testing.assert_allclose(np.asarray(made(WORDS)), np.asarray(made(longer)), atol=1e-6)
    running = np.asarray(made.running(WORDS))[0]
    np.testing.assert_allclose(running[4:], running[3], atol=1e-6)


def test_one_training_step_lowers_the_loss():
    made = network(dropout=0.0, word_dropout=0.0)
    made.compile(keras.optimizers.Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True))
    labels = np.array([0.0, 1.0], "float32")
    first = made.train_on_batch(WORDS, labels)
    later = made.evaluate(WORDS, labels, verbose=0)
    assert np.isfinite(first)
    assert later < first


def test_word_dropout_acts_in_training_only():
    made = network(dropout=0.0, word_dropout=0.9)
    plain = np.asarray(made(WORDS))
    np.testing.assert_array_equal(plain, np.asarray(made(WORDS, training=False)))
    assert np.abs(np.asarray(made(WORDS, training=True)) - plain).max() > 1e-4


def test_dropout_acts_in_training_only():
    made = network(dropout=0.5, word_dropout=0.0)
    assert np.abs(np.asarray(made(WORDS, training=True)) - np.asarray(made(WORDS))).max() > 1e-4


def test_the_seed_decides_what_is_dropped():
    answers = [np.asarray(network(seed=seed)(WORDS, training=True)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(answers[0], answers[1])
    assert np.abs(answers[0] - answers[2]).max() > 1e-4


def test_network_survives_a_round_trip(tmp_path):
    made = network("gru")
    made.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    np.testing.assert_allclose(np.asarray(made(WORDS)), np.asarray(loaded(WORDS)), atol=1e-6)


def test_unknown_cell_is_refused():
    with pytest.raises(ValueError, match="cell='transformer'"):
        SentimentNetwork("transformer")
