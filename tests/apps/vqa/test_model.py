import keras
import numpy as np
import pytest

from apps.vqa.model import CELLS, READERS, Answerer
from shared.bundle import get_weights

pytestmark = pytest.mark.slow

ANSWERS = 5


def inputs(batch=3, time=4, seed=0):
    rng = np.random.default_rng(seed)
    grid = rng.normal(0, 1, (batch, 6, 7)).astype("float32")
    vectors = rng.normal(0, 1, (batch, time, 8)).astype("float32")
    mask = np.arange(time) < np.array([[time], [2], [1]])[:batch]
    return grid, vectors, mask


def built(seed=1, **options):
    keras.utils.set_random_seed(seed)  # dense layers too: an unlucky draw leaves every unit at zero
    sizes = {"dimensions": 8, "components": 7, "narrow": 6, "units": 5, "hidden": 9}
    network = Answerer(ANSWERS, seed=seed, **{**sizes, **options})
    network.build()
    return network


def softmax(logits):
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def test_both_branches_equal_a_numpy_implementation():
    network = built(reader="rnn")
    w = {path.removeprefix("answerer/"): a for path, a in get_weights(network).items()}
    grid, vectors, mask = inputs()
    logits, weights = (
        np.asarray(part) for part in network.predict_with_attention((grid, vectors, mask))
    )
    for row in range(3):
        q = np.zeros(5)
        for vector in vectors[row][mask[row]]:
            x = np.tanh(vector @ w["narrow/kernel"] + w["narrow/bias"])
            before = x @ w["reader/cell/kernel"] + q @ w["reader/cell/recurrent_kernel"]
            q = np.tanh(before + w["reader/cell/bias"])
        scores = grid[row] @ (q @ w["attention/kernel"]) / np.sqrt(7)
        attention = np.exp(scores) / np.exp(scores).sum()
        photo = np.concatenate([attention @ grid[row], grid[row].mean(axis=0)])
        question = np.maximum(q @ w["ask/kernel"] + w["ask/bias"], 0)
        product = question * np.maximum(photo @ w["look/kernel"] + w["look/bias"], 0)
        np.testing.assert_allclose(weights[row], attention, atol=1e-5)
        first = np.concatenate([question, product]) @ w["answer/kernel"] + w["answer/bias"]
        words = np.tanh(vectors[row][mask[row]] @ w["narrow/kernel"] + w["narrow/bias"])
        bag = np.concatenate([words.sum(axis=0), grid[row].mean(axis=0)])
        second = bag @ w["bag/kernel"] + w["bag/bias"]
        mean = np.sqrt(softmax(first) * softmax(second))
        np.testing.assert_allclose(softmax(logits[row]), mean / mean.sum(), atol=1e-5)


def test_in_training_each_branch_has_logits_of_its_own():
    batch = inputs()
    network = built(word_dropout=0.0, dropout=0.0)
    branches = np.asarray(network(batch, training=True))
    assert branches.shape == (3, network.branches, ANSWERS) == (3, 2, ANSWERS)
    means = np.mean([np.log(softmax(branches[:, n])) for n in range(2)], axis=0)
    np.testing.assert_allclose(network(batch), means, atol=1e-5)
    assert built(reader="bow").branches == 1


def test_the_bag_of_words_equals_a_numpy_implementation():
    network = built(reader="bow")
    w = {path.removeprefix("answerer/"): a for path, a in get_weights(network).items()}
    grid, vectors, mask = inputs()
    words = np.tanh(vectors @ w["narrow/kernel"] + w["narrow/bias"]) * mask[..., None]
    bag = np.concatenate([words.sum(axis=1), grid.mean(axis=1)], axis=-1)
    expected = softmax(bag @ w["bag/kernel"] + w["bag/bias"])
    logits, weights = network.predict_with_attention((grid, vectors, mask))
    np.testing.assert_allclose(softmax(np.asarray(logits)), expected, atol=1e-5)
    np.testing.assert_allclose(weights, 1 / 6, atol=1e-6)


@pytest.mark.parametrize("reader", READERS)
def test_padding_and_batch_size_do_not_change_the_logits(reader):
    network = built(reader=reader)
    grid, vectors, mask = inputs()
    together = np.asarray(network((grid, vectors, mask)))
    other = np.where(mask[..., None], vectors, 9.0).astype("float32")
    np.testing.assert_allclose(network((grid, other, mask)), together, atol=1e-5)
    alone = network((grid[1:2], vectors[1:2, :2], mask[1:2, :2]))
    np.testing.assert_allclose(np.asarray(alone)[0], together[1], atol=1e-5)


@pytest.mark.parametrize(("options", "sees"), [({}, True), ({"reader": "bow"}, True),
                                               ({"image": False}, False)])  # fmt: skip
def test_only_a_network_without_the_photo_ignores_it(options, sees):
    network = built(**options)
    grid, vectors, mask = inputs()
    moved = np.abs(
        np.asarray(network((grid, vectors, mask))) - np.asarray(network((-grid, vectors, mask)))
    )
    assert (moved.max() > 1e-3) == sees


def test_the_order_of_words_matters_to_all_but_the_bag():
    grid, vectors, mask = inputs(batch=1)
    for reader in READERS:
        network = built(reader=reader)
        one, other = (network((grid, v, mask)) for v in (vectors, vectors[:, ::-1]))
        assert (np.abs(np.asarray(one) - np.asarray(other)).max() > 1e-4) == (reader in CELLS)


def toy(count=64):
    """Two questions about two kinds of photos; the answer depends on both."""
    rng = np.random.default_rng(0)
    kind, question = rng.integers(0, 2, (2, count))
    grid = rng.normal(0, 0.3, (count, 6, 7))
    grid[np.arange(count), rng.integers(0, 6, count), 0] += np.where(kind, 4, -4)
    vectors = np.repeat(np.eye(8)[question][:, None], 3, axis=1)
    answers = np.eye(ANSWERS)[2 * question + kind]
    mask = np.ones((count, 3), "bool")
    return (grid.astype("float32"), vectors.astype("float32"), mask), answers.astype("float32")


@pytest.mark.parametrize(("image", "least", "most"), [(True, 0.95, 1.0), (False, 0.3, 0.75)])
def test_only_a_network_with_the_photo_learns_what_depends_on_it(image, least, most):
    keras.utils.set_random_seed(0)
    network = built(reader="gru", image=image, hidden=16, dropout=0.0, word_dropout=0.0)
    network.compile(
        keras.optimizers.Adam(2e-2), keras.losses.CategoricalCrossentropy(from_logits=True)
    )
    batch, answers = toy()
    targets = np.repeat(answers[:, None], network.branches, axis=1)
    losses = [float(network.train_on_batch(batch, targets)) for _ in range(80)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    right = np.asarray(network(batch)).argmax(axis=1) == answers.argmax(axis=1)
    assert least <= right.mean() <= most


def test_dropout_acts_in_training_only():
    network = built(dropout=0.5)
    np.testing.assert_array_equal(network(inputs()), network(inputs()))
    one, other = (np.asarray(network(inputs(), training=True)) for _ in range(2))
    assert np.abs(one - other).max() > 1e-3


def test_a_network_is_restored_from_its_config():
    network = built(reader="gru")
    again = Answerer.from_config(network.get_config())
    again.build()
    again.set_weights(network.get_weights())
    np.testing.assert_array_equal(again(inputs()), network(inputs()))


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="`reader`.*'transformer'"):
        Answerer(reader="transformer")
