"""Fitting one network to questions about photographs."""

import zlib

import keras
import numpy as np

from apps.vqa.model import Answerer
from apps.vqa.predictor import LENGTH_BUCKETS
from shared.text import pad
from training.loop import Batches, fit, warmup_cosine
from training.vqa import recipe
from training.vqa.scores import scores
from training.vqa.vocabulary import answer_shares

LENGTH_NOISE = 3  # words by which the order of the lengths is perturbed from epoch to epoch


def fit_network(options, data, folder, seed, epochs, verbose=1):
    """Fit an `Answerer`.

    Args:
        options: Arguments of the network.
        data: A `parts.Data`.
        folder: Path of the checkpoints.
        seed: Integer.
        epochs: How many epochs.
        verbose: As in `loop.fit`.

    Returns:
        The network with its best weights and the record of `loop.fit`.
    """
    keras.utils.set_random_seed(seed)
    network = Answerer(**options, seed=seed)
    network.build()
    shares = answer_shares(data.training.questions, data.answers)
    usable = np.flatnonzero(shares.any(axis=1))
    size = min(recipe.BATCH_SIZE, len(usable))
    count = len(usable) // size
    rate = warmup_cosine(recipe.LEARNING_RATE, recipe.WARM_UP_BATCHES, count * epochs)
    network.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=recipe.WEIGHT_DECAY, clipnorm=1.0),
        loss=keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=recipe.LABEL_SMOOTHING
        ),
        jit_compile=keras.backend.backend() != "tensorflow",
    )
    predictor, validation = data.predictor(network), data.validation

    def validate():
        values = scores(validation.answer(predictor), validation.questions)
        return {"score": values["accuracy"], **values}

    settings = {
        **network.options,
        "epochs": epochs,
        "batch": recipe.BATCH_SIZE,
        "rate": recipe.LEARNING_RATE,
        "weight_decay": recipe.WEIGHT_DECAY,
        "smoothing": recipe.LABEL_SMOOTHING,
        "questions": len(usable),
        "words": len(data.embeddings.word_vectors),
        "embeddings": zlib.crc32(data.embeddings.components.tobytes()),
    }
    batches = _batches(network, data, shares, usable, size, seed)
    record = fit(network, batches, validate, folder, settings, epochs, epochs, verbose)
    return network, record


def _batches(network, data, shares, usable, size, seed):
    """A function of an epoch's number that gives its `Batches`, questions of similar length each.

    Args:
        network, data, seed: As in `fit_network`.
        shares: Targets, as from `answer_shares`.
        usable: The rows of questions that have a target.
        size: Questions of a batch.
    """
    part, count = data.training, len(usable) // size
    lengths = np.array([len(words) for words in part.words])

    def epoch_batches(epoch):
        rng = np.random.default_rng((seed, epoch))
        order = rng.permutation(usable)[: count * size]
        noise = rng.uniform(0, LENGTH_NOISE, len(order))  # other questions meet in each epoch
        order = order[np.argsort(lengths[order] + noise, kind="stable")]
        chunks = np.split(order, count)
        rng.shuffle(chunks)

        def make(n):
            rows = chunks[n]
            short, long = LENGTH_BUCKETS[:2]
            words = pad(
                [part.words[row] for row in rows], short if lengths[rows].max() <= short else long
            )
            grids = part.grids[part.photos[rows]].astype("float32")
            # Each branch of the network is fitted to the same targets.
            targets = np.repeat(shares[rows][:, None], network.branches, axis=1)
            return (grids, data.embeddings.embed_words(words), words > 0), targets

        return Batches(count, make)

    return epoch_batches
