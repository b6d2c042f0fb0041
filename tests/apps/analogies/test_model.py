import keras
import numpy as np
import pytest
from keras import ops

from apps.analogies.model import (
    WordNetwork,
    find_contexts,
    make_examples,
    negative_sampling_loss,
    subsample,
)


def make_network():
    """A network of six words with fixed vectors of two dimensions."""
    network = WordNetwork(6, 2)
    network.build()
    network.words.embeddings.assign(np.arange(12.0).reshape(6, 2))
    network.contexts.embeddings.assign(np.eye(6, 2) + 0.5)
    return network


def test_skipgram_scores_by_dot_products():
    logits = make_network()((np.array([[2]]), np.array([[0, 1, 3]])))
    # Word 2 is (4, 5); the candidates are (1.5, 0.5), (0.5, 1.5) and (0.5, 0.5).
    np.testing.assert_allclose(ops.convert_to_numpy(logits), [[8.5, 9.5, 4.5]], rtol=1e-6)


def test_cbow_scores_the_mean_without_the_padding():
    network = make_network()
    padded = network((np.array([[1, 3, 0, 0]]), np.array([[1, 2]])))
    # Words 1 and 3 are (2, 3) and (6, 7): their mean (4, 5) is word 2.
    np.testing.assert_allclose(ops.convert_to_numpy(padded), [[9.5, 4.5]], rtol=1e-6)


def test_the_network_can_be_rebuilt_from_its_config():
    network = WordNetwork(9, 4, seed=3)
    rebuilt = WordNetwork.from_config(network.get_config())
    assert rebuilt.options == {"vocabulary": 9, "dimensions": 4, "seed": 3}


def test_one_step_lowers_the_loss():
    network = WordNetwork(20, 8)
    network.build()
    network.compile(keras.optimizers.SGD(8.0), negative_sampling_loss)
    given = np.arange(1, 17)[:, None]
    candidates = np.stack([np.arange(1, 17) % 19 + 1, np.full(16, 5)], axis=1)
    labels = np.tile([1.0, 0.0], (16, 1))
    losses = [float(network.train_on_batch((given, candidates), labels)) for _ in range(8)]
    assert losses[0] == pytest.approx(2 * np.log(2), rel=1e-5)
    network.reset_metrics()
    assert float(network.test_on_batch((given, candidates), labels)) < losses[0]


def test_the_loss_is_the_sum_of_binary_cross_entropies():
    labels, logits = np.array([[1.0, 0.0, 0.0]]), np.array([[2.0, -1.0, 0.5]])
    probabilities = 1 / (1 + np.exp(-logits[0]))
    by_hand = (
        -np.log(probabilities[0]) - np.log(1 - probabilities[1]) - np.log(1 - probabilities[2])
    )
    loss = ops.convert_to_numpy(negative_sampling_loss(labels, logits))
    np.testing.assert_allclose(loss, [by_hand], rtol=1e-5)


def test_windows_hold_the_neighbours_and_stop_at_paragraphs():
    tokens = np.array([1, 2, 3, 0, 4, 5])
    near = find_contexts(tokens, 1, np.random.default_rng(0))
    np.testing.assert_array_equal(near, [[0, 2], [1, 3], [2, 0], [0, 0], [0, 5], [4, 0]])


def test_window_sizes_are_uniform_from_one_to_the_largest():
    tokens = np.ones(6000, int)
    near = find_contexts(tokens, 4, np.random.default_rng(0))
    reach = (near[100:-100, :4] > 0).sum(axis=1)
    shares = np.bincount(reach, minlength=5)[1:] / len(reach)
    np.testing.assert_allclose(shares, 0.25, atol=0.03)
    # The nearest words are always in the window, the farthest a quarter of the time.
    assert (near[100:-100, 0] > 0).all()


def test_skipgram_has_an_example_for_every_pair_and_cbow_for_every_word():
    tokens = np.array([1, 2, 3, 0])
    given, true = make_examples(tokens, "skipgram", 1, np.random.default_rng(0))
    pairs = sorted(zip(given[:, 0].tolist(), true.tolist(), strict=True))
    assert pairs == [(1, 2), (2, 1), (2, 3), (3, 2)]
    given, true = make_examples(tokens, "cbow", 1, np.random.default_rng(0))
    rows = {int(word): sorted(row[row > 0].tolist()) for word, row in zip(true, given, strict=True)}
    assert rows == {1: [2], 2: [1, 3], 3: [2]}
    with pytest.raises(ValueError, match="architecture"):
        make_examples(tokens, "glove", 1, np.random.default_rng(0))


def test_frequent_words_are_subsampled():
    keep = subsample(np.array([100, 1, 899]), 1e-2)
    share = 0.899
    assert keep[2] == pytest.approx(np.sqrt(0.01 / share) + 0.01 / share)
    assert keep[1] == 1
    assert keep[2] < keep[0] < keep[1]
