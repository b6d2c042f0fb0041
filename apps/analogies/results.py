"""What the answers to questions about words hold."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ScoredWord:
    """A word and its score, mostly a cosine."""

    word: str
    score: float


@dataclass(frozen=True, eq=False)
class Analogy:
    """The answer to: a is to b as c is to what?

    Attributes:
        words: The tuple `(a, b, c)` in the form of the vocabulary.
        method: `"3CosAdd"` or `"3CosMul"`.
        best: Tuple of `ScoredWord`, the ten best with a, b and c excluded.
        unrestricted: Tuple of `ScoredWord`, the ten best of all words.
        points: Array `(5, 2)`: a, b, c, the answer and b − a + c in the plane that fits the first
            four best.
        fit: Share of the four words' variance that the plane shows.
        notes: Tuple of sentences for the page.
    """

    words: tuple[str, str, str]
    method: str
    best: tuple[ScoredWord, ...]
    unrestricted: tuple[ScoredWord, ...]
    points: np.ndarray
    fit: float
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Similarity:
    """How similar two texts are.

    Attributes:
        texts: The two, as tuples of known words.
        cosine: Of their mean vectors, words weighted by rarity (Arora et al. 2017).
        bag: Cosine of their bags of words: counts.
        tf_idf: Cosine of their counts weighted by inverse document frequency.
        rank: Rank of the second among the neighbours of the first; None unless both are words.
        notes: Tuple of sentences for the page.
    """

    texts: tuple[tuple[str, ...], tuple[str, ...]]
    cosine: float
    bag: float
    tf_idf: float
    rank: int | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Association:
    """A word-embedding association test (Caliskan et al. 2017).

    Attributes:
        effect: Effect size d: difference of the two groups' mean association, in standard
            deviations; between −2 and 2.
        p_value: Share of the divisions of the words into two groups with an effect at least as
            large.
        exact: Whether all divisions were counted, not a sample of them.
        ways: Number of divisions that were counted.
        first, second: Tuples of `ScoredWord` for the words of each group. The score is the word's
            association with the first attribute rather than the second.
        missing: Tuple of words left out because the vocabulary does not have them.
    """

    effect: float
    p_value: float
    exact: bool
    ways: int
    first: tuple[ScoredWord, ...]
    second: tuple[ScoredWord, ...]
    missing: tuple[str, ...]
