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


THREE_CLASSES = {"classes": 3, "pool_last": True}
OPTIONS = [{}, THREE_CLASSES]
# Probabilities of negative, neutral and positive, and whether neutral is left out.
TARGETS = np.array([[0.9, 0.1, 0.0, 0.0], [0.2, 0.0, 0.8, 1.0]], "float32")


def labels_for(network):
    return TARGETS if network.options["classes"] == 3 else np.array([0.0, 1.0], "float32")


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("cell", CELLS)
def test_the_last_running_logits_are_the_logits_of_the_text(cell, options):
    network = build_network(cell, **options)
    running = np.asarray(network.running_logits(TOKENS))
    assert running.shape == (2, 6, options.get("classes", 1))
    np.testing.assert_allclose(running[:, -1], np.asarray(network(TOKENS)), atol=1e-6)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("cell", CELLS)
def test_running_logits_are_those_of_the_text_up_to_each_word(cell, options):
    network = build_network(cell, **options)
    running = np.asarray(network.running_logits(TOKENS))[1]
    for count in range(1, 7):
        alone = np.asarray(network(TOKENS[1:, :count])[0])
        np.testing.assert_allclose(running[count - 1], alone, atol=1e-6)


@pytest.mark.parametrize("options", OPTIONS)
def test_padding_does_not_change_the_logits(options):
    network = build_network(**options)
    longer = np.pad(TOKENS, ((0, 0), (0, 9)))
    np.testing.assert_allclose(np.asarray(network(TOKENS)), np.asarray(network(longer)), atol=1e-6)
    running = np.asarray(network.running_logits(TOKENS))[0]
    np.testing.assert_allclose(running[4:], [running[3]] * 2, atol=1e-6)


def test_the_loss_of_two_classes_is_binary_cross_entropy():
    network, labels = build_network(), np.array([0.25, 1.0], "float32")
    expected = keras.losses.BinaryCrossentropy(from_logits=True)(labels[:, None], network(TOKENS))
    loss = network.compute_loss(TOKENS, labels, network(TOKENS), training=False)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_the_loss_of_three_classes_leaves_neutral_out_where_the_label_does():
    network = build_network(**THREE_CLASSES)
    logits = np.array([[1.0, 2.0, -1.0], [0.5, 7.0, 1.5]], "float32")
    first = logits[0] - np.log(np.exp(logits[0]).sum())
    second = logits[1, [0, 2]] - np.log(np.exp(logits[1, [0, 2]]).sum())
    expected = -(0.9 * first[0] + 0.1 * first[1] + 0.2 * second[0] + 0.8 * second[1]) / 2
    loss = network.compute_loss(TOKENS, TARGETS, logits, training=False)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("options", OPTIONS)
def test_one_training_step_lowers_the_loss(options):
    network = build_network(dropout=0.0, word_dropout=0.0, **options)
    network.compile(keras.optimizers.Adam(0.01), loss=None)
    labels = labels_for(network)
    first = network.train_on_batch(TOKENS, labels)
    later = network.evaluate(TOKENS, labels, verbose=0)
    assert np.isfinite(first)
    assert later < first


def test_word_dropout_acts_in_training_only():
    network = build_network(dropout=0.0, word_dropout=0.9)
    plain = np.asarray(network(TOKENS))
    np.testing.assert_array_equal(plain, np.asarray(network(TOKENS, training=False)))
    assert np.abs(np.asarray(network(TOKENS, training=True)) - plain).max() > 1e-4


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("cell", CELLS)
def test_the_adversarial_perturbation_raises_the_loss_more_than_random_ones_of_its_norm(
    cell, options
):
    network = build_network(cell, adversary=0.05, **options)
    vectors, mask = network.embedding(TOKENS), TOKENS > 0
    labels = labels_for(network)

    def losses(perturbation):
        logits = network.logits_from_vectors(vectors + perturbation, mask)
        return np.array(
            [
                float(network.compute_loss(None, labels[n : n + 1], logits[n : n + 1], None, False))
                for n in range(2)
            ]
        )

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
        network.compile(keras.optimizers.SGD(0.0), loss=None)
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


def test_numbers_of_classes_other_than_one_and_three_are_refused():
    with pytest.raises(ValueError, match="classes=2"):
        SentimentNetwork(classes=2)


def test_log_odds_of_three_classes_compare_positive_with_negative():
    network = build_network(**THREE_CLASSES)
    assert network.log_odds(np.array([1.0, 9.0, 4.0])) == 3.0


@pytest.mark.parametrize("options", OPTIONS)
def test_unit_contributions_add_up_to_the_log_odds(options):
    network = build_network("gru", **options)
    network.head.bias.assign([0.5] * options.get("classes", 1))
    bias = 0.0 if options else 0.5
    mask = TOKENS[1:] > 0
    hidden = network.recurrent(network.embedding(TOKENS[1:]), mask=mask)[0]
    total = float(np.sum(network.unit_contributions(hidden)) + bias)
    log_odds = network.log_odds(network(TOKENS[1:]))
    assert total == pytest.approx(float(log_odds[0]), abs=1e-6)
