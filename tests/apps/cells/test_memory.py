"""Attention as memory: the task, its training compared with Keras, and its gradients."""

import keras
import numpy as np
import pytest

from apps.cells.memory import recall
from apps.cells.memory.recall import Recaller, TrainingRun

pytestmark = pytest.mark.slow

LENGTH = 5


@pytest.fixture(scope="module", params=["none", "dot", "additive"])
def trial(request):
    trial = TrainingRun(request.param, LENGTH, 2)
    trial.advance(10)
    return trial


def network_of(trial):
    network = Recaller(trial.kind, seed=trial.seed)
    network.build((None, None, recall.SYMBOLS))
    network.set_weights([np.asarray(weight) for weight in trial.weights])
    return network


def test_targets_are_the_reversed_symbols():
    symbols, targets = recall.make_batch(np.random.default_rng(0), 20, 7)
    np.testing.assert_array_equal(targets, symbols.argmax(axis=-1)[:, ::-1])
    assert symbols.shape == (20, 7, recall.SYMBOLS)


def test_training_equals_keras(trial, capsys):
    """The listing trains the network with Keras's own loop."""
    names = {}
    exec(recall.write_listing(trial.kind, LENGTH, 2, 10), names)
    np.testing.assert_allclose(trial.losses, names["losses"], rtol=2e-3)
    assert capsys.readouterr().out


def test_loss_and_accuracy_equal_numpy(trial):
    symbols, targets = trial.test
    logits = np.asarray(network_of(trial)(symbols), float)
    logs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    evaluation = trial.evaluate()
    expected = -np.take_along_axis(logs, targets[..., None], axis=-1).mean()
    assert evaluation.loss == pytest.approx(expected, rel=1e-4)
    assert evaluation.accuracy == pytest.approx(np.mean(logs.argmax(axis=-1) == targets), abs=1e-6)
    assert (evaluation.weights is None) == (trial.kind == "none")
    if evaluation.weights is not None:
        np.testing.assert_allclose(evaluation.weights.sum(axis=-1), 1, atol=1e-5)


def test_gradients_equal_finite_differences(trial):
    """One number of one hidden state of the reader is changed before it reads on."""
    network = network_of(trial)
    symbols, targets = (part[:1] for part in trial.test)

    def loss(place, unit, change):
        states, memory = None, []
        for t in range(LENGTH):
            traced = network.reader.trace(symbols[:, t : t + 1], states)
            hidden = np.array(traced["hidden"][:, 0])
            if t == place:
                hidden[0, unit] += change
            memory.append(hidden)
            states = [hidden, np.array(traced["cell"][:, 0])]
        logits, _ = network.answer(np.stack(memory, axis=1), states)
        logits = np.asarray(logits, float)[0, -1]
        return np.log(np.exp(logits).sum()) - logits[targets[0, -1]]

    def losses_of(logits, targets):
        return keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True)

    gradients = recall.last_answer_gradients(network, symbols, targets, losses_of)
    for place, unit in ((0, 0), (2, 5), (LENGTH - 1, 9)):
        slope = (loss(place, unit, 1e-2) - loss(place, unit, -1e-2)) / 2e-2
        assert float(gradients[0, place, unit]) == pytest.approx(slope, abs=2e-3)


def test_attention_lengthens_the_gradient_at_the_first_symbol():
    """Even in untrained networks, at the first of 30 symbols."""
    plain, looking = (TrainingRun(kind, 30, 0).evaluate() for kind in ("none", "dot"))
    assert looking.gradients[0] > 3 * plain.gradients[0]
