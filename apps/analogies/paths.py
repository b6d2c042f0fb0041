"""Paths from one word to another through near neighbours."""

from heapq import heappop, heappush

import numpy as np

from apps.analogies.results import ScoredWord
from shared.errors import UserError

COMMON_WORDS = 30_000  # the most frequent words, through which paths go
NEIGHBOURS = 12  # to which a path may step from a word
MAX_EXPANSIONS = 250  # words whose neighbours are searched before giving up


def find_path(lookup, start, end):
    """A chain of words in which each is a near neighbour of the one before or after it.

    A best-first search, which expands the word that is nearest to the end.

    Args:
        lookup: A `Lookup`.
        start, end: The words.

    Returns:
        A tuple of `ScoredWord`. The score is each word's cosine with the one before it, 1 for
        the first word.

    Raises:
        UserError: if a word is missing or unknown, both are the same, or there is no path.
    """
    start, first, _ = lookup.find(start, "first word")
    end, last, _ = lookup.find(end, "second word")
    if start == end:
        raise UserError("Both words are the same: there is no path to find.")
    common = lookup.vectors.first(COMMON_WORDS)
    # The search ends at a word that has the end as a neighbour, or is a neighbour of the end.
    end_rows = set(np.argsort(-(common.matrix @ last))[: NEIGHBOURS + 1])
    # Row −1 is the start, which may be a phrase.
    previous, expansions = {-1: None}, 0
    queue = [(0.0, -1)]
    while queue and expansions < MAX_EXPANSIONS:
        _, row = heappop(queue)
        expansions += 1
        vector = first if row < 0 else common.matrix[row]
        cosines = common.matrix @ vector
        neighbours = np.argpartition(-cosines, NEIGHBOURS + 1)[: NEIGHBOURS + 1]
        if row in end_rows or any(common.words[n] == end for n in neighbours):
            return _chain(start, end, previous, row, common, first, last)
        for n in neighbours:
            if n not in previous and common.words[n] != start:
                previous[n] = row
                heappush(queue, (float(1 - common.matrix[n] @ last), int(n)))
    raise UserError(f"There is no short path from “{start}” to “{end}”. Try other words.")


def _chain(start, end, previous, row, common, first, last):
    """The path that ends at a row, and the end of the search, with their cosines."""
    rows = []
    while row is not None and row >= 0:
        rows.append(row)
        row = previous[row]
    names = [start, *(common.words[row] for row in reversed(rows))]
    vectors = [first, *(common.matrix[row] for row in reversed(rows))]
    if names[-1] != end:
        names.append(end)
        vectors.append(last)
    cosines = [1.0] + [float(one @ two) for one, two in zip(vectors, vectors[1:], strict=False)]
    return tuple(ScoredWord(name, cosine) for name, cosine in zip(names, cosines, strict=True))
