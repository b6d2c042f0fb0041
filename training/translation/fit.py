"""Fitting one translation network."""

import keras
import numpy as np

from apps.translation.model import Translator
from shared.text import SPECIAL, clean, pad
from training.loop import Batches, fit, smoothed_cross_entropy
from training.translation import recipe


def encode(tokenizer, pairs):
    """Sources and first references as lists of token numbers: dict from domain to both."""
    texts = {}
    for pair in pairs:
        sources, targets = texts.setdefault(pair.domain, ([], []))
        sources.append(clean(pair.source))
        targets.append(clean(pair.targets[0]))
    return {
        domain: tuple(tokenizer.encode(side) for side in sides) for domain, sides in texts.items()
    }


def make_buckets(lengths, rng):
    """Batches of about `BATCH_TOKENS` tokens, of pairs with similar lengths.

    Args:
        lengths: Array `(pairs,)`, tokens of the longer side.
        rng: A numpy random generator, or None to keep the order of the lengths.

    Returns:
        List of (padded length, array of rows), in random order. Pairs that are longer than the
        last bucket are left out.
    """
    batches, shorter = [], 0
    for length in recipe.LENGTH_BUCKETS:
        rows = np.flatnonzero((lengths > shorter) & (lengths <= length))
        if rng is not None:
            rng.shuffle(rows)
        size = recipe.BATCH_TOKENS // length
        batches += [(length, rows[start : start + size]) for start in range(0, len(rows), size)]
        shorter = length
    if rng is not None:
        rng.shuffle(batches)
    return batches


def make_batch(sources, targets, length, rows):
    """Inputs and targets of a batch: `((source, target), next token)`, `(rows, length)` each.

    Every batch of a padded length has as many rows, so that each length is compiled once; the
    last ones are filled up with padding.
    """
    size = recipe.BATCH_TOKENS // length
    source, target, following = (np.zeros((size, length), "int32") for _ in range(3))
    begin = [SPECIAL.index("[BEGIN]")]
    source[: len(rows)] = pad([sources[row] for row in rows], length)
    following[: len(rows)] = pad([targets[row] for row in rows], length)
    shifted = [np.concatenate([begin, targets[row][:-1]]) for row in rows]
    target[: len(rows)] = pad(shifted, length)
    return (source, target), following


def fit_network(options, data, folder, seed, epochs=None, verbose=1):
    """Fit a `Translator`.

    Args:
        options: Arguments of the network.
        data: Dict with `"training"` and `"validation"`, each as from `encode`.
        folder: Path of the checkpoints.
        seed: Integer.
        epochs: How many epochs, `EPOCHS_PER_PASS` to a pass over the pairs; the recipe's if None.
        verbose: As in `loop.fit`.

    Returns:
        The network with its best weights and the record of `loop.fit`.
    """
    epochs = epochs or recipe.EPOCHS
    keras.utils.set_random_seed(seed)
    network = Translator(**options, seed=seed)
    network.build(((None, None), (None, None)))
    sources, targets, repeats = [], [], []
    for domain, (domain_sources, domain_targets) in data["training"].items():
        sources += domain_sources
        targets += domain_targets
        count = recipe.MULTI30K_REPEATS if domain == "multi30k" else 1
        repeats += [count] * len(domain_sources)
    lengths = _lengths(sources, targets)
    pass_rows = np.repeat(np.arange(len(lengths)), repeats)
    pass_rows = pass_rows[lengths[pass_rows] <= recipe.LENGTH_BUCKETS[-1]]

    def plan(epoch):
        rng = np.random.default_rng((seed, epoch // recipe.EPOCHS_PER_PASS))
        parts = np.array_split(rng.permutation(pass_rows), recipe.EPOCHS_PER_PASS)
        part = parts[epoch % recipe.EPOCHS_PER_PASS]
        return [(length, part[rows]) for length, rows in make_buckets(lengths[part], rng)]

    def epoch_batches(epoch):
        batches = plan(epoch)
        return Batches(len(batches), lambda n: make_batch(sources, targets, *batches[n]))

    steps = len(plan(0)) * epochs
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        steps - recipe.WARM_UP_BATCHES,
        warmup_target=recipe.LEARNING_RATE,
        warmup_steps=recipe.WARM_UP_BATCHES,
    )
    network.compile(
        optimizer=keras.optimizers.Adam(rate, clipnorm=1.0),
        loss=smoothed_cross_entropy(recipe.LABEL_SMOOTHING),
        jit_compile=True,
    )

    def validate():
        losses = {
            domain: _mean_loss(network, *sides) for domain, sides in data["validation"].items()
        }
        return {"score": -sum(losses.values()) / len(losses), **losses}

    settings = {
        **network.options,
        "epochs": epochs,
        "epochs_per_pass": recipe.EPOCHS_PER_PASS,
        "rate": recipe.LEARNING_RATE,
        "tokens": recipe.BATCH_TOKENS,
        "smoothing": recipe.LABEL_SMOOTHING,
        "examples": len(pass_rows),
    }
    record = fit(network, epoch_batches, validate, folder, settings, epochs, epochs, verbose)
    return network, record


def _lengths(sources, targets):
    return np.array([max(len(s), len(t)) for s, t in zip(sources, targets, strict=True)])


def _mean_loss(network, sources, targets):
    """The mean cross-entropy of a token, in nats, without label smoothing."""
    cross_entropy = smoothed_cross_entropy(0.0)
    total, tokens = 0.0, 0
    for length, rows in make_buckets(_lengths(sources, targets), None):
        inputs, following = make_batch(sources, targets, length, rows)
        count = int((following > 0).sum())
        total += float(cross_entropy(following, network.predict_on_batch(inputs))) * count
        tokens += count
    return total / tokens
