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


@pytest.mark.parametrize("cell", CELLS)
def test_the_worst_move_raises_the_loss_more_than_any_other_of_its_length(cell):
    made = network(cell, adversary=0.05)
    vectors, mask = made.embedding(WORDS), WORDS > 0
    labels = np.array([0.0, 1.0], "float32")

    def losses(move):
        log_odds = made.last_from_vectors(vectors + move, mask)
        return np.asarray(keras.ops.softplus(log_odds) - labels * log_odds)

    move = np.asarray(made.worst_move(vectors, mask, labels))
    numbers = np.asarray(vectors)[mask]
    length = np.sqrt((move**2).sum((1, 2)))
    np.testing.assert_allclose(length, 0.05 * np.sqrt((numbers**2).mean()), rtol=1e-5)
    assert not move[~mask].any()
    noise = np.random.default_rng(0)
    for _ in range(20):
        other = noise.normal(size=move.shape) * mask[..., None]
        other *= (length / np.sqrt((other**2).sum((1, 2))))[:, None, None]
        assert (losses(move) > losses(other)).all()


def test_an_adversary_raises_the_loss_in_training_only():
    words, labels = WORDS, np.array([0.0, 1.0], "float32")
    seen = {}
    for adversary in (0.0, 3.0):
        made = network(dropout=0.0, word_dropout=0.0, adversary=adversary)
        made.compile(keras.optimizers.SGD(0.0), keras.losses.BinaryCrossentropy(from_logits=True))
        for length in (4, 5):  # a graph for any length is made after the second
            made.train_on_batch(words[:, :length], labels)
        seen[adversary] = made.train_on_batch(words, labels), made.test_on_batch(words, labels)
    assert seen[3.0][0] > seen[0.0][0] + 1e-3
    assert seen[3.0][1] == pytest.approx(seen[0.0][1])


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
