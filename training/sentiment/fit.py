"""Fitting one network to labelled reviews."""

import zlib

import keras
import numpy as np

from apps.sentiment.model import SentimentNetwork
from apps.sentiment.predictor import Predictor
from shared.text import pad
from training.loop import Batches, LayerwiseAdam, fit
from training.sentiment.recipe import MAX_WORDS

LENGTH_STEP = 80  # padded lengths are multiples of it, so that few shapes are compiled
LENGTH_NOISE = 40  # words by which the order of the lengths is perturbed from epoch to epoch


def fit_network(options, data, start, folder, seed, recipe, verbose=1):
    """Fit a `SentimentNetwork`.

    Args:
        options: Arguments of the network.
        data: Dict with `"training"` and `"validation"`: lists of word numbers, and labels.
        start: Dict from weights, such as `"embedding/embeddings"`, to arrays to start from.
        folder: Path of the checkpoints.
        seed: Integer: initial weights, dropout and order of the batches.
        recipe: A `Recipe`.
        verbose: As in `loop.fit`.

    Returns:
        The network with its best weights and the record of `loop.fit`.
    """
    keras.utils.set_random_seed(seed)
    sequences, labels = data["training"]
    sequences = [sequence[:MAX_WORDS] for sequence in sequences]
    network = SentimentNetwork(**options, seed=seed)
    network.build((None, None))
    for variable in network.trainable_variables:
        name = variable.path.partition("/")[2]
        if name in start:
            variable.assign(start[name])
    per_epoch = max(1, len(sequences) // recipe.batch_size) * recipe.repeats
    network.compile(
        optimizer=_optimizer(recipe, per_epoch),
        loss=None,
        jit_compile=True,
    )
    validation, truth = data["validation"]
    predictor = Predictor(network, None)

    def validate():
        log_odds = predictor.log_odds(validation)
        loss = np.logaddexp(0, np.where(truth > 0.5, -1, 1) * log_odds).mean()
        return {"score": float(np.mean((log_odds > 0) == (truth > 0.5))), "nll": float(loss)}

    start_bytes = b"".join(name.encode() + start[name].tobytes() for name in sorted(start))
    settings = {
        **network.options,
        "epochs": recipe.epochs,
        "batch": recipe.batch_size,
        "rate": recipe.learning_rate,
        "repeats": recipe.repeats,
        "layer_rates": recipe.layer_rates,
        "words": MAX_WORDS,
        "examples": len(sequences),
        "start": zlib.crc32(start_bytes),
    }
    batches = _batches(sequences, labels, seed, recipe)
    record = fit(
        network, batches, validate, folder, settings, recipe.epochs, recipe.epochs, verbose
    )
    return network, record


def _optimizer(recipe, batches_per_epoch):
    schedule = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate, batches_per_epoch * recipe.epochs
    )
    if not recipe.layer_rates:
        return keras.optimizers.Adam(schedule, clipnorm=1.0)
    layer_rates = {
        name: (multiplier, epoch * batches_per_epoch)
        for name, (multiplier, epoch) in recipe.layer_rates.items()
    }
    return LayerwiseAdam(schedule, layer_rates, clipnorm=1.0)


def _batches(sequences, labels, seed, recipe):
    """A function of an epoch's number that gives its `Batches`, reviews of similar length each."""
    lengths = np.array([len(sequence) for sequence in sequences])
    size = recipe.batch_size
    count = max(1, len(sequences) // size)

    def epoch_batches(epoch):
        rng, chunks = np.random.default_rng((seed, epoch)), []
        for _ in range(recipe.repeats):
            rows = rng.permutation(len(lengths))[: count * size]
            noise = rng.uniform(0, LENGTH_NOISE, len(rows))  # other reviews meet in each epoch
            rows = rows[np.argsort(lengths[rows] + noise, kind="stable")]
            chunks += [rows[n * size : (n + 1) * size] for n in range(count)]
        rng.shuffle(chunks)

        def make(n):
            rows = chunks[n]
            time_steps = -(-max(lengths[rows].max(), 1) // LENGTH_STEP) * LENGTH_STEP
            return pad([sequences[row] for row in rows], time_steps), labels[rows]

        return Batches(len(chunks), make)

    return epoch_batches
