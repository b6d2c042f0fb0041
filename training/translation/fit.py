"""Fitting one translation network."""

import keras
import numpy as np

from apps.translation import copies
from apps.translation.model import UNKNOWN, Translator
from shared import bundle
from shared.text import SPECIAL, clean, pad
from training.loop import Batches, fit, smoothed_cross_entropy
from training.translation import recipe, variations


class TrainingPairs:
    """The pairs of a training run, which differ a little each time that they are read.

    Args:
        tokenizer: The `SubwordTokenizer`.
        pairs: List of `Pair`.

    Attributes:
        rows: The numbers of the pairs as often as a pass reads them.
    """

    def __init__(self, tokenizer, pairs):
        self.tokenizer = tokenizer

        def is_common(word):
            return tokenizer.number(f"▁{word}") is not None

        self.examples = [
            variations.make_example(pair.source, pair.targets[0], is_common) for pair in pairs
        ]
        self.rows = np.repeat(np.arange(len(pairs)), [_repeats(pair) for pair in pairs])

    def encode(self, rows, rng):
        """Sources and targets of rows as lists of token numbers, as they are read this time."""
        texts = [variations.vary(self.examples[row], rng) for row in rows]
        sources, targets = (list(side) for side in zip(*texts, strict=True))
        whole = self.tokenizer.encode(sources)
        split = self.tokenizer.encode(sources, recipe.SUBWORD_DROPOUT)
        is_split = rng.random(len(rows)) < 0.5
        sources = [
            second if choice else first
            for choice, first, second in zip(is_split, whole, split, strict=True)
        ]
        return sources, self.tokenizer.encode(targets)


def _repeats(pair):
    """How often a pass reads a pair."""
    if pair.domain == "multi30k":
        return recipe.MULTI30K_REPEATS
    if pair.domain == "phrases":
        return recipe.PHRASE_REPEATS
    if pair.domain == "words":
        return recipe.WORD_REPEATS
    is_short = len(pair.source.split()) <= recipe.SHORT_WORDS
    return recipe.SHORT_REPEATS if is_short else 1


def with_placeholders(arrays, tokenizer):
    """The weights of a network whose vocabulary had no placeholders, with rows for them.

    A placeholder begins near the mean of the tokens that it stands for, digits or names.
    """
    size = tokenizer.size - len(copies.ALL_PLACEHOLDERS)
    rng = np.random.default_rng(0)
    alike = {False: list("0123456789"), True: ["▁Tom", "▁Mary", "▁John", "▁Boston"]}
    alike = {
        is_name: [number for number in map(tokenizer.number, pieces) if number] or [UNKNOWN]
        for is_name, pieces in alike.items()
    }
    kinds = [kind for kind, group in copies.PLACEHOLDERS.items() for _ in group]
    extended = dict(arrays)
    for name, array in arrays.items():
        if len(array) != size:
            continue
        rows = [array[alike[kind in ("name", "address")]].mean(axis=0) for kind in kinds]
        new = np.array(rows) + (rng.normal(0, 0.05, (len(rows), *array.shape[1:])))
        extended[name] = np.concatenate([array, new]).astype("float32")
    return extended


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


def fit_network(options, data, folder, seed, epochs=None, verbose=1, start=None):
    """Fit a `Translator`.

    Args:
        options: Arguments of the network.
        data: Dict with `"training"`, `TrainingPairs`, and `"validation"`, as from `encode`.
        folder: Path of the checkpoints.
        seed: Integer.
        epochs: How many epochs, `EPOCHS_PER_PASS` to a pass over the pairs; the recipe's if None.
        verbose: As in `loop.fit`.
        start: Weights to continue from, as `bundle.load_arrays` gives them, or None.

    Returns:
        The network with its best weights and the record of `loop.fit`.
    """
    epochs = epochs or recipe.EPOCHS
    keras.utils.set_random_seed(seed)
    network = Translator(**options, seed=seed)
    network.build(((None, None), (None, None)))
    if start:
        bundle.set_weights(network, with_placeholders(start, data["training"].tokenizer))
    training = data["training"]
    learning_rate = recipe.CONTINUED_LEARNING_RATE if start else recipe.LEARNING_RATE

    def plan(epoch):
        rng = np.random.default_rng((seed, epoch // recipe.EPOCHS_PER_PASS))
        parts = np.array_split(rng.permutation(training.rows), recipe.EPOCHS_PER_PASS)
        part = epoch % recipe.EPOCHS_PER_PASS
        rng = np.random.default_rng((seed, epoch // recipe.EPOCHS_PER_PASS, part))
        sources, targets = training.encode(parts[part], rng)
        return sources, targets, make_buckets(_lengths(sources, targets), rng)

    def epoch_batches(epoch):
        sources, targets, batches = plan(epoch)
        return Batches(len(batches), lambda n: make_batch(sources, targets, *batches[n]))

    steps = len(plan(0)[2]) * epochs
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        steps - recipe.WARM_UP_BATCHES,
        warmup_target=learning_rate,
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
        "rate": learning_rate,
        "tokens": recipe.BATCH_TOKENS,
        "smoothing": recipe.LABEL_SMOOTHING,
        "examples": len(training.rows),
    }
    record = fit(network, epoch_batches, validate, folder, settings, epochs, epochs, verbose)
    if start:
        average_with_start(network, start)
    return network, record


def average_with_start(network, start):
    """Average the weights with those that the training started from.

    A network that was trained further so keeps more of what it knew (Wortsman et al. 2022, "Robust
    fine-tuning of zero-shot models"). The rows of tokens that the start did not have stay.

    Args:
        network: The network, whose weights are changed.
        start: Weights as `bundle.load_arrays` gives them.
    """
    for variable in network.weights:
        weight, first = np.asarray(variable).copy(), start[variable.path]
        known = slice(len(first))
        weight[known] = recipe.START_SHARE * first + (1 - recipe.START_SHARE) * weight[known]
        variable.assign(weight)


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
