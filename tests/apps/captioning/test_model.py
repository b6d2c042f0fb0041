import keras
import numpy as np
import pytest
from keras import ops

from apps.captioning.model import CELLS, Captioner

pytestmark = pytest.mark.slow

VOCABULARY = 11
TARGET = np.array([[[2, 5, 6, 7], [2, 8, 0, 0]], [[2, 9, 5, 0], [2, 10, 4, 6]]], "int32")


def features(photos=2, side=3, seed=0):
    return np.random.default_rng(seed).uniform(0, 3, (photos, side, side, 5)).astype("float32")


def built(seed=1, **options):
    options = {"dimensions": 6, "units": 8, "features": 5, "dropout": 0.0, **options}
    network = Captioner(VOCABULARY, seed=seed, **options)
    network.build()
    return network


def steps(network, grid, tokens):
    """Logits, attention and gates by `step`, one caption: `(time, ...)` each."""
    memory, mean, states = network.encode(grid[None])
    outputs = []
    for token in tokens:
        log_probabilities, states, weights = network.step(
            np.array([token], "int32"), states, memory, mean
        )
        outputs.append((np.asarray(log_probabilities)[0], np.asarray(weights)[0]))
    return [np.stack(part) for part in zip(*outputs, strict=True)]


@pytest.mark.parametrize("cell", CELLS)
def test_decoding_step_by_step_equals_all_steps_at_once(cell):
    network = built(cell=cell)
    logits = np.asarray(ops.log_softmax(network((features(), TARGET)), axis=-1))
    assert logits.shape == (2, 2, 4, VOCABULARY)
    for photo in range(2):
        for caption in range(2):
            alone, weights = steps(network, features()[photo], TARGET[photo, caption])
            np.testing.assert_allclose(logits[photo, caption], alone, atol=1e-5)
            assert weights.shape == (4, 3 * 3 + 1)
            np.testing.assert_allclose(weights[:, :-1].sum(axis=1), 1, atol=1e-5)
            assert np.all((weights[:, -1] > 0) & (weights[:, -1] < 1))


def test_the_next_word_equals_a_numpy_implementation():
    network = built(cell="rnn")
    w = {path.removeprefix("captioner/"): a for path, a in named(network).items()}
    grid = features()[0].reshape(-1, 5)
    memory = np.maximum(grid @ w["see/kernel"] + w["see/bias"], 0)  # (cells, units)
    mean = grid.mean(axis=0) @ w["glance/kernel"] + w["glance/bias"]
    h = np.tanh(mean @ w["bridge_hidden/kernel"] + w["bridge_hidden/bias"])
    for token in (2, 5):
        x = w["embedding/embeddings"][token] + mean
        h = np.tanh(
            x @ w["decoder/cell/kernel"]
            + w["decoder/cell/bias"]
            + h @ w["decoder/cell/recurrent_kernel"]
        )
    scores = memory @ (h @ w["attention/kernel"]) / np.sqrt(8)
    weights = np.exp(scores) / np.exp(scores).sum()
    gate = 1 / (1 + np.exp(-(h @ w["gate/kernel"] + w["gate/bias"])))
    context = np.concatenate([gate * (weights @ memory), h])
    read = np.tanh(context @ w["readout/kernel"] + w["readout/bias"])
    logits = read @ w["embedding/embeddings"].T + w["output_bias"]
    outputs = np.asarray(network((features(), TARGET)))[0, 0, 1]
    np.testing.assert_allclose(outputs, logits, atol=1e-5)


def named(network):
    from shared.bundle import get_weights

    return get_weights(network)


def test_hidden_cells_get_no_attention_and_change_nothing():
    network = built()
    mask = np.array([[True] * 4 + [False] * 5])
    other = features()
    other[0].reshape(-1, 5)[4:] += 1
    outputs = []
    for grid in (features()[:1], other[:1]):
        memory, mean, states = network.encode(grid, mask)
        outputs.append(network.step(np.array([2], "int32"), states, memory, mean, mask))
    np.testing.assert_allclose(outputs[0][0], outputs[1][0], atol=1e-6)
    weights = np.asarray(outputs[0][2])[0]
    assert not weights[4:9].any()
    np.testing.assert_allclose(weights[:4].sum(), 1, atol=1e-5)
    memory, mean, states = network.encode(features()[:1], np.zeros((1, 9), "bool"))
    nothing = network.step(np.array([2], "int32"), states, memory, mean, np.zeros((1, 9), "bool"))[
        0
    ]
    assert np.isfinite(np.asarray(nothing)).all()


def test_the_photo_changes_the_logits():
    network = built()
    one, other = (np.asarray(network((features(seed=n), TARGET))) for n in (0, 5))
    assert np.abs(one - other).max() > 1e-2


def test_uneven_attention_is_penalised_in_training_only():
    network = built(coverage=2.0)
    network((features(), TARGET))
    assert not network.losses
    network((features(), TARGET), training=True)
    (penalty,) = network.losses
    expected = []
    for photo in range(2):
        for caption in TARGET[photo]:
            weights = steps(network, features()[photo], caption)[1][:, :-1]
            expected.append((1 - weights[caption > 0].sum(axis=0)) ** 2)
    np.testing.assert_allclose(penalty, 2.0 * np.mean(expected), rtol=1e-4)


def test_dropout_acts_in_training_only():
    network = built(dropout=0.5)
    still = np.asarray(network((features(), TARGET)))
    np.testing.assert_array_equal(network((features(), TARGET)), still)
    assert np.abs(np.asarray(network((features(), TARGET), training=True)) - still).max() > 1e-3


def test_a_network_is_restored_from_its_config():
    network = built(cell="gru")
    again = Captioner.from_config(network.get_config())
    again.build()
    again.set_weights(network.get_weights())
    np.testing.assert_array_equal(again((features(), TARGET)), network((features(), TARGET)))


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="`cell`.*'transformer'"):
        Captioner(cell="transformer")


def test_training_steps_lower_the_loss():
    from training.loop import smoothed_cross_entropy

    keras.utils.set_random_seed(0)
    network = built()
    network.compile(keras.optimizers.Adam(1e-2), smoothed_cross_entropy(0.1))
    following = np.array([[[5, 6, 7, 3], [8, 3, 0, 0]], [[9, 5, 3, 0], [10, 4, 6, 3]]], "int32")
    losses = [float(network.train_on_batch((features(), TARGET), following)) for _ in range(8)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
