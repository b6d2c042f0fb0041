"""The baseline: n-grams of characters."""

import numpy as np

from training.characters.recipe import NGRAM_ORDERS


class NGrams:
    """An n-gram model of characters: interpolated Kneser–Ney (Kneser & Ney 1995).

    Args:
        numbers: Integers `(characters,)`, the training text.
        size: Size of the alphabet, at most 256.
        order: Characters of an n-gram, the predicted one among them, at most 7.
    """

    def __init__(self, numbers, size, order):
        self.size = size
        self.levels = []
        keys = _keys(numbers, size, order)
        for length in range(order, 0, -1):
            keys, counts = np.unique(keys, return_counts=True)
            contexts, starts = np.unique(keys // size, return_index=True)
            totals = np.add.reduceat(counts, starts)
            kinds = np.diff(np.append(starts, len(keys)))
            once, twice = np.sum(counts == 1), np.sum(counts == 2)
            discount = once / (once + 2 * twice) if once else 0.5
            self.levels.append((length, keys, counts, contexts, totals, kinds, discount))
            # A shorter n-gram counts the different characters that it follows.
            keys = keys % size ** (length - 1)

    def nats(self, numbers):
        """Minus the log-probability of each of the integers `(characters,)`, given those before."""
        probability = np.full(len(numbers), 1 / self.size)
        for length, keys, counts, contexts, totals, kinds, discount in reversed(self.levels):
            ngrams = _keys(numbers, self.size, length)
            count = _look_up(ngrams, keys, counts)
            total = _look_up(ngrams // self.size, contexts, totals)
            kind = _look_up(ngrams // self.size, contexts, kinds)
            known = total > 0
            total = np.maximum(total, 1)
            # The first characters have no whole n-gram: the probability of a shorter one stays.
            lower = probability[length - 1 :]
            higher = np.maximum(count - discount, 0) / total + discount * kind / total * lower
            probability[length - 1 :] = np.where(known, higher, lower)
        return -np.log(probability)


def _keys(numbers, size, length):
    """Each run of `length` integers as one integer, `(characters - length + 1,)`."""
    numbers = np.asarray(numbers, np.int64)
    keys = np.zeros(max(len(numbers) - length + 1, 0), np.int64)
    for n in range(length):
        keys = keys * size + numbers[n : n + len(keys)]
    return keys


def _look_up(queries, keys, values):
    """The value of each query in sorted keys, 0 for one that is not there."""
    places = np.minimum(np.searchsorted(keys, queries), len(keys) - 1)
    return np.where(keys[places] == queries, values[places], 0)


def fit_baseline(training, validation, size):
    """The `NGrams` whose order is best on the validation part, and that order."""
    fitted = {order: NGrams(training, size, order) for order in NGRAM_ORDERS}
    order = min(fitted, key=lambda order: fitted[order].nats(validation).mean())
    return fitted[order], order
