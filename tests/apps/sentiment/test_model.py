import keras
import numpy as np
import pytest

from apps.sentiment.model import CELLS, SentimentNetwork

pytestmark = pytest.mark.slow

TOKENS = np.array([[3, 5, 7, 2, 0, 0], [4, 4, 9, 8, 6, 1]], "int32")


def build_network(cell="lstm", **options):
    keras.utils.set_random_seed(1)
    network = SentimentNetwork(cell, vocabulary=10, dimensions=4, units=5, **options)
    network.build((None, None))
    return network


@pytest.mark.parametrize("cell", CELLS)
def test_the_last_running_log_odds_are_the_log_odds_of_the_text(cell):
    network = build_network(cell)
    running = np.asarray(network.running_log_odds(TOKENS))
    assert running.shape == (2, 6)
    np.testing.assert_allclose(running[:, -1], np.asarray(network(TOKENS)), atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_running_log_odds_are_those_of_the_text_up_to_each_word(cell):
    network = build_network(cell)
    running = np.asarray(network.running_log_odds(TOKENS))[1]
    for count in range(1, 7):
        alone = float(network(TOKENS[1:, :count])[0])
        assert running[count - 1] == pytest.approx(alone, abs=1e-6)


def test_padding_does_not_change_the_log_odds():
    network = build_network()
    longer = np.pad(TOKENS, ((0, 0), (0, 9)))
    np.testing.assert_allclose(np.asarray(network(TOKENS)), np.asarray(network(longer)), atol=1e-6)
    running = np.asarray(network.running_log_odds(TOKENS))[0]
    np.testing.assert_allclose(running[4:], running[3], atol=1e-6)


def test_one_training_step_lowers_the_loss():
    network = build_network(dropout=0.0, word_dropout=0.0)
    network.compile(keras.optimizers.Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True))
    labels = np.array([0.0, 1.0], "float32")
    first = network.train_on_batch(TOKENS, labels)
    later = network.evaluate(TOKENS, labels, verbose=0)
    assert np.isfinite(first)
    assert later < first


def test_word_dropout_acts_in_training_only():
    network = build_network(dropout=0.0, word_dropout=0.9)
    plain = np.asarray(network(TOKENS))
    np.testing.assert_array_equal(plain, np.asarray(network(TOKENS, training=False)))
    assert np.abs(np.asarray(network(TOKENS, training=True)) - plain).max() > 1e-4


@pytest.mark.parametrize("cell", CELLS)
def test_the_adversarial_perturbation_raises_the_loss_more_than_random_ones_of_its_norm(cell):
    network = build_network(cell, adversary=0.05)
    vectors, mask = network.embedding(TOKENS), TOKENS > 0
    labels = np.array([0.0, 1.0], "float32")

    def losses(perturbation):
        log_odds = network.log_odds_from_vectors(vectors + perturbation, mask)
        return np.asarray(keras.ops.softplus(log_odds) - labels * log_odds)

    perturbation = np.asarray(network.adversarial_perturbation(vectors, mask, labels))
    components = np.asarray(vectors)[mask]
    norm = np.sqrt((perturbation**2).sum((1, 2)))
    np.testing.assert_allclose(norm, 0.05 * np.sqrt((components**2).mean()), rtol=1e-5)
    assert not perturbation[~mask].any()
    rng = np.random.default_rng(0)
    for _ in range(20):
        other = rng.normal(size=perturbation.shape) * mask[..., None]
        other *= (norm / np.sqrt((other**2).sum((1, 2))))[:, None, None]
        assert (losses(perturbation) > losses(other)).all()


def test_the_adversarial_perturbation_raises_the_loss_in_training_only():
    tokens, labels = TOKENS, np.array([0.0, 1.0], "float32")
    losses = {}
    for adversary in (0.0, 3.0):
        network = build_network(dropout=0.0, word_dropout=0.0, adversary=adversary)
        network.compile(
            keras.optimizers.SGD(0.0), keras.losses.BinaryCrossentropy(from_logits=True)
        )
        for length in (4, 5):  # after two lengths Keras traces a graph for any length
            network.train_on_batch(tokens[:, :length], labels)
        losses[adversary] = (
            network.train_on_batch(tokens, labels),
            network.test_on_batch(tokens, labels),
        )
    assert losses[3.0][0] > losses[0.0][0] + 1e-3
    assert losses[3.0][1] == pytest.approx(losses[0.0][1])


def test_dropout_acts_in_training_only():
    network = build_network(dropout=0.5, word_dropout=0.0)
    assert (
        np.abs(np.asarray(network(TOKENS, training=True)) - np.asarray(network(TOKENS))).max()
        > 1e-4
    )


def test_the_seed_determines_the_dropout():
    answers = [np.asarray(build_network(seed=seed)(TOKENS, training=True)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(answers[0], answers[1])
    assert np.abs(answers[0] - answers[2]).max() > 1e-4


def test_a_saved_network_gives_the_same_log_odds_when_loaded(tmp_path):
    network = build_network("gru")
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    np.testing.assert_allclose(np.asarray(network(TOKENS)), np.asarray(loaded(TOKENS)), atol=1e-6)


def test_an_unknown_cell_is_refused_by_name():
    with pytest.raises(ValueError, match="cell='transformer'"):
        SentimentNetwork("transformer")


def test_unit_contributions_add_up_to_the_log_odds():
    network = build_network("gru")
    network.head.bias.assign([0.5])
    mask = TOKENS[1:] > 0
    hidden = network.recurrent(network.embedding(TOKENS[1:]), mask=mask)[0]
    total = float(np.sum(network.unit_contributions(hidden)) + 0.5)
    assert total == pytest.approx(float(network(TOKENS[1:])[0]), abs=1e-6)
