"""Fitting the character network."""

import keras
import numpy as np

from apps.cells.gates.model import CharacterNetwork
from apps.cells.gates.predictor import Predictor
from training.characters.evaluate import network_nats
from training.characters.recipe import RECIPE
from training.loop import Batches, fit


def fit_network(training, validation, alphabet, folder, seed, epochs=None, verbose=1):
    """Fit a `CharacterNetwork`.

    Args:
        training, validation: Arrays of integers.
        alphabet: The characters that they stand for, from 1 on.
        folder: Path of the checkpoints.
        seed: Integer: initial weights, dropout and the places of the windows.
        epochs: Most epochs; the recipe's if None.
        verbose: As in `loop.fit`.

    Returns:
        The network with its best weights and the record of `loop.fit`.
    """
    epochs = epochs or RECIPE.epochs
    window, size = RECIPE.window, RECIPE.batch_size
    keras.utils.set_random_seed(seed)
    network = CharacterNetwork(
        len(alphabet) + 1, RECIPE.dimensions, RECIPE.units, RECIPE.dropout, seed
    )
    network.build((None, None))
    per_epoch = max(1, len(training) // (window * size))
    schedule = keras.optimizers.schedules.CosineDecay(RECIPE.learning_rate, per_epoch * epochs)
    network.compile(
        optimizer=keras.optimizers.Adam(schedule, clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        # On a CPU XLA takes six times as long for this network.
        jit_compile=keras.backend.backend() == "jax",
    )

    predictor = Predictor(network, alphabet, {})

    def validate():
        return {"score": -network_nats(predictor, validation)}

    settings = {
        **network.options,
        "epochs": epochs,
        "batch": size,
        "rate": RECIPE.learning_rate,
        "time": window,
        "characters": len(training),
    }
    batches = _batches(training, per_epoch, seed)
    record = fit(network, batches, validate, folder, settings, epochs, RECIPE.patience, verbose)
    return network, record


def _batches(training, per_epoch, seed):
    """A function of an epoch's number that gives its `Batches`, as many as `per_epoch`.

    The windows lie side by side, from a start that differs each epoch, and come in random order.
    """
    window, size = RECIPE.window, RECIPE.batch_size

    def epoch_batches(epoch):
        rng = np.random.default_rng((seed, epoch))
        spare = len(training) - 1 - per_epoch * size * window
        first = int(rng.integers(0, max(spare, 0) + 1))
        starts = first + window * rng.permutation(per_epoch * size)
        starts = np.minimum(starts, len(training) - 1 - window)

        def make(n):
            rows = starts[n * size : (n + 1) * size, None] + np.arange(window + 1)
            windows = training[rows]
            return windows[:, :-1], windows[:, 1:]

        return Batches(per_epoch, make)

    return epoch_batches
