"""The word-embedding association test (Caliskan et al. 2017)."""

from itertools import combinations
from math import comb

import numpy as np

from apps.analogies.lookup import strings_of
from apps.analogies.results import Association, ScoredWord
from shared.errors import UserError

PERMUTATIONS = 20_000  # divisions of the words; if there are more, a sample is drawn


def measure_association(lookup, first, second, attribute, contrary, seed=0):
    """Test whether two groups of words lean towards different attributes: an `Association`.

    Args:
        lookup: A `Lookup`.
        first, second: Lists of words, the groups.
        attribute, contrary: Lists of words, the attributes.
        seed: Integer, of the sample that is drawn when there are too many divisions to count.

    Raises:
        UserError: if fewer than two words of a list are known.
    """
    lists, missing = [], []
    for name, words in (
        ("first group", first),
        ("second group", second),
        ("first attribute", attribute),
        ("second attribute", contrary),
    ):
        parts = (part for word in strings_of(words) for part in lookup.split_words(word))
        given = list(dict.fromkeys(parts))
        covered = [word for word in given if word in lookup.vectors]
        missing += [word for word in given if word not in lookup.vectors]
        if len(covered) < 2:
            raise UserError(f"The {name} needs two known words or more.")
        lists.append(covered)
    rows = [np.stack([lookup.vectors[word] for word in words]) for words in lists]
    groups = np.concatenate(rows[:2])
    scores = (groups @ rows[2].T).mean(axis=1) - (groups @ rows[3].T).mean(axis=1)
    size = len(lists[0])
    difference = scores[:size].mean() - scores[size:].mean()
    effect = float(difference / max(scores.std(ddof=1), 1e-12))
    p_value, exact, ways = _permutation(scores, size, seed)
    words = zip(lists[0] + lists[1], scores, strict=True)
    named = [ScoredWord(word, float(score)) for word, score in words]
    return Association(
        effect, p_value, exact, ways, tuple(named[:size]), tuple(named[size:]), tuple(missing)
    )


def _permutation(scores, size, seed):
    """One-sided permutation test of the difference of means.

    Returns:
        The p-value, whether all divisions were counted, and their number; otherwise a seeded sample
        was drawn.
    """
    count = len(scores)
    observed = scores[:size].sum()
    ways = comb(count, size)
    if ways <= PERMUTATIONS:
        rows = np.array(list(combinations(range(count), size)))
        sums = scores[rows].sum(axis=1)
        return float((sums >= observed - 1e-9).mean()), True, ways
    rng = np.random.default_rng(seed)
    rows = rng.permuted(np.tile(np.arange(count), (PERMUTATIONS, 1)), axis=1)[:, :size]
    sums = scores[rows].sum(axis=1)
    at_least = int((sums >= observed - 1e-9).sum())
    return (at_least + 1) / (PERMUTATIONS + 1), False, PERMUTATIONS
