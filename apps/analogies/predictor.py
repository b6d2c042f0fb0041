"""Questions to word vectors: analogies, sums, neighbours, similarity, paths, association tests."""

import difflib
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from itertools import combinations, islice
from math import comb

import numpy as np

from apps.analogies import vector_files
from apps.analogies import vectors as store
from apps.analogies.expression import Expression
from apps.analogies.vectors import FOLDER
from shared import bundle
from shared.errors import UserError
from shared.text import plain_words

METHODS = ("3CosAdd", "3CosMul")
MAX_CHARACTERS = 60  # of a word or phrase
MAX_EXPRESSION_CHARACTERS = 300
MAX_ODD_WORDS = 30
PATH_WORDS = 30_000  # the most frequent words, through which paths go
PATH_NEIGHBOURS = 12  # to which a path may step from a word
PATH_EXPANSIONS = 250  # words whose neighbours are searched before giving up
PERMUTATIONS = 20_000


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


class Predictor:
    """Answers from a set of vectors.

    Args:
        vectors: A `Vectors`.
        card: The bundle's card, or None.
        paragraphs: Array with the number of paragraphs of the corpus that contain each word, and
            the number of all paragraphs. If None, frequencies are estimated from the words' ranks
            (Zipf's law).
    """

    def __init__(self, vectors, card=None, paragraphs=None):
        self.vectors = vectors
        self.card = card
        if paragraphs is None:
            paragraphs = np.maximum(1, 1e6 / np.arange(10, len(vectors) + 10)), 1e6
        self.paragraphs, self.total = paragraphs

    @classmethod
    def load(cls, file=None):
        """The predictor of the shipped bundle or of a file of vectors; loaded once.

        Raises:
            BundleError: if it is missing or damaged.
        """
        return _load(file)

    def find(self, text, what="word"):
        """Find the word or phrase that a text means, and its vector.

        Capitals and accents do not matter. A phrase that is not in the vocabulary becomes the mean
        of its words.

        Args:
            text: The word or phrase.
            what: Its name in error messages.

        Returns:
            The word or phrase, its vector of length 1 and a list of notes.

        Raises:
            UserError: if the text is empty, too long or has unknown words.
        """
        words = self._words(text, what)
        phrase = " ".join(words)
        if phrase in self.vectors:
            return phrase, self.vectors[phrase], []
        for word in words:
            if word not in self.vectors:
                raise UserError(self._unknown(word))
        mean = np.mean([self.vectors[word] for word in words], axis=0)
        note = f"“{phrase}” is not one word here, so the mean of its {len(words)} words is used."
        return phrase, mean / np.linalg.norm(mean), [note]

    def _words(self, text, what):
        text = text if isinstance(text, str) else ""
        if not text.strip():
            raise UserError(f"The {what} is missing. Type one, such as “king”.")
        if len(text) > MAX_CHARACTERS:
            raise UserError(
                f"“{text[:20]}…” is too long: the {what} may have at most {MAX_CHARACTERS} "
                "characters."
            )
        words = self._split_words(text)
        if not words:
            raise UserError(
                f"There is no word in “{text.strip()}”. Only English words are known here."
            )
        return words

    def _split_words(self, text):
        """The words of a text, in other alphabets only if the vocabulary has such words."""
        words = plain_words(text)
        return vector_files.split_words(text) if not words and self._has_other_alphabets else words

    @cached_property
    def _has_other_alphabets(self):
        return not all(map(str.isascii, self.vectors.words))

    def _unknown(self, word):
        near = self.spellings(word)
        hint = f" Nearest spellings: {', '.join(near)}." if near else " No word is spelt like it."
        return f"“{word}” is not among the {len(self.vectors):,} words known here.{hint}"

    def spellings(self, word, count=5):
        """Up to `count` known words that are spelt like a word, the most similar first."""
        # Letter counts are compared quickly; only the nearest words are compared in full.
        distances = np.abs(self._letter_counts - _count_letters([word])[0]).sum(axis=1)
        nearest = np.argsort(distances, kind="stable")[:400]
        candidates = [self.vectors.words[n] for n in nearest]
        return difflib.get_close_matches(word, candidates, count, cutoff=0.7)

    @cached_property
    def _letter_counts(self):
        return _count_letters(self.vectors.words)

    def complete(self, start, count=12):
        """Up to `count` words that begin with a text, the most frequent first."""
        words = self._split_words(start) if isinstance(start, str) else []
        if len(words) != 1:
            return []
        matches = (word for word in self.vectors.words if word.startswith(words[0]))
        return list(islice(matches, count))

    def nearest(self, vector, count=10, excluded=()):
        """The words nearest to a vector by cosine.

        Args:
            vector: Array `(dimensions,)` of length 1.
            count: Number of words.
            excluded: Collection of words to leave out.

        Returns:
            A tuple of `ScoredWord`, the nearest first.
        """
        return self._top(self.vectors.matrix @ np.asarray(vector, "float32"), count, excluded)

    def _top(self, scores, count, excluded=()):
        size = min(len(scores), count + len(excluded))
        rows = np.argpartition(-scores, size - 1)[:size]
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        words = self.vectors.words
        ranked = (ScoredWord(words[n], float(scores[n])) for n in rows if words[n] not in excluded)
        return tuple(islice(ranked, count))

    def analogy(self, a, b, c, method="3CosAdd", count=10):
        """A is to b as c is to what?

        3CosAdd (Mikolov et al. 2013) takes the word nearest to b − a + c, 3CosMul (Levy &
        Goldberg 2014) the one with the greatest cos(b)·cos(c) / cos(a), with cosines moved to the
        range from 0 to 1.

        Returns:
            An `Analogy`.

        Raises:
            UserError: if a word is missing or unknown, or the three are the same.
        """
        if method not in METHODS:
            raise UserError(f"The method must be {' or '.join(METHODS)}. Received: {method}.")
        names = ("first word", "second word", "third word")
        matches = [self.find(word, name) for word, name in zip((a, b, c), names, strict=True)]
        words = tuple(word for word, _, _ in matches)
        if len(set(words)) == 1:
            raise UserError(
                "The three words are the same, so there is no relation to apply: "
                f"{words[0]} − {words[0]} + {words[0]} is {words[0]}. Change one of them."
            )
        notes = [note for _, _, word_notes in matches for note in word_notes]
        if words[0] == words[1]:
            notes.append(
                "The first two words are the same, so these are the third word’s neighbours."
            )
        given = np.stack([vector for _, vector, _ in matches])  # (3, dimensions)
        if method == "3CosAdd":
            target = given[1] - given[0] + given[2]
            scores = self.vectors.matrix @ (target / np.linalg.norm(target))
        else:
            cosines = self.vectors.matrix @ given.T  # (words, 3)
            moved = (1 + cosines) / 2
            scores = moved[:, 1] * moved[:, 2] / (moved[:, 0] + 1e-3)
        excluded = {part for word in words for part in (word, *word.split())}
        ranked = self._top(scores, count + len(excluded))
        best = tuple(scored for scored in ranked if scored.word not in excluded)[:count]
        answer = self.vectors[best[0].word]
        points, fit = parallelogram(*given, answer)
        return Analogy(words, method, best, ranked[:count], points, fit, tuple(notes))

    def calculate(self, expression, count=10):
        """The words nearest to a sum such as `berlin - germany + 2 * france`.

        Returns:
            The tuple of words used, a tuple of `ScoredWord` without them, and notes.

        Raises:
            UserError: if the expression does not parse or a word is unknown.
        """
        text = expression if isinstance(expression, str) else ""
        if not text.strip():
            raise UserError("There is nothing to calculate yet. Try “berlin - germany + france”.")
        if len(text) > MAX_EXPRESSION_CHARACTERS:
            raise UserError(
                "This expression is too long: it may have at most "
                f"{MAX_EXPRESSION_CHARACTERS} characters."
            )
        parsed = Expression(text, self.find)
        vector = parsed.vector
        if np.linalg.norm(vector) < 1e-6:
            raise UserError(
                "These words cancel each other out: the sum has no direction. Change one of them."
            )
        near = self.nearest(vector / np.linalg.norm(vector), count, set(parsed.words))
        return tuple(parsed.words), near, tuple(parsed.notes)

    def neighbours(self, word, count=10):
        """The word in the form of the vocabulary, and its neighbours as a tuple of `ScoredWord`.

        Raises:
            UserError: if the word is missing or unknown.
        """
        word, vector, _ = self.find(word)
        return word, self.nearest(vector, count, {word, *word.split()})

    def similarity(self, first, second):
        """The `Similarity` of two words or two sentences.

        Raises:
            UserError: if one has no known words.
        """
        texts, vectors, notes = [], [], []
        for text, name in ((first, "first text"), (second, "second text")):
            words = self._split_words(text[:5000]) if isinstance(text, str) else []
            if not words:
                raise UserError(f"The {name} has no words. Type a word or a sentence.")
            covered = [word for word in words if word in self.vectors]
            if not covered:
                raise UserError(self._unknown(words[0]))
            missing = sorted(set(words) - set(covered))
            if missing:
                notes.append(f"Unknown words that were left out: {', '.join(missing)}.")
            texts.append(tuple(covered))
            vectors.append(self._mean(covered))
        rank = None
        if len(texts[0]) == len(texts[1]) == 1 and texts[0] != texts[1]:
            cosines = self.vectors.matrix @ vectors[0]
            rank = int((cosines > vectors[0] @ vectors[1] + 1e-6).sum())
        return Similarity(
            tuple(texts),
            float(vectors[0] @ vectors[1]),
            _bag_cosine(*texts, lambda word: 1.0),
            _bag_cosine(*texts, self._inverse_document_frequency),
            rank,
            tuple(notes),
        )

    def _mean(self, words):
        """The mean of words weighted by 0.001 / (0.001 + frequency), of length 1."""
        frequencies = self.paragraphs / self.paragraphs.sum()
        weights = [1e-3 / (1e-3 + frequencies[self.vectors.index[word]]) for word in words]
        rows = np.stack([self.vectors[word] for word in words])
        mean = np.asarray(weights, "float32") @ rows
        return mean / max(float(np.linalg.norm(mean)), 1e-9)

    def _inverse_document_frequency(self, word):
        """Inverse document frequency, smoothed as in scikit-learn."""
        count = self.paragraphs[self.vectors.index[word]]
        return float(np.log((1 + self.total) / (1 + count)) + 1)

    def odd_one_out(self, words):
        """Rank words by their cosine with the mean of all.

        Args:
            words: A string with commas or spaces between the words, or a list.

        Returns:
            A tuple of `ScoredWord`, the word that fits least first.

        Raises:
            UserError: if there are fewer than three different words, or an unknown one.
        """
        if isinstance(words, str):
            words = re.split(r"[,;\n]+" if re.search(r"[,;\n]", words) else r"\s+", words.strip())
        vectors = {}
        for text in [word for word in _texts(words) if word.strip()][:MAX_ODD_WORDS]:
            word, vector, _ = self.find(text)
            vectors[word] = vector
        if len(vectors) < 3:
            raise UserError(
                "The odd one out needs three different words or more, such as “breakfast, lunch, "
                "dinner, cereal”."
            )
        rows = np.stack(list(vectors.values()))
        mean = rows.mean(axis=0)
        cosines = rows @ mean / np.linalg.norm(mean)
        order = np.argsort(cosines)
        names = list(vectors)
        return tuple(ScoredWord(names[n], float(cosines[n])) for n in order)

    def path(self, start, end):
        """A chain of words in which each is a near neighbour of the one before or after it.

        A best-first search, which expands the word that is nearest to the end.

        Returns:
            A tuple of `ScoredWord`. The score is each word's cosine with the one before it, 1 for
            the first word.

        Raises:
            UserError: if a word is missing or unknown, both are the same, or there is no path.
        """
        start, first, _ = self.find(start, "first word")
        end, last, _ = self.find(end, "second word")
        if start == end:
            raise UserError("Both words are the same: there is no path to find.")
        common = self.vectors.first(PATH_WORDS)
        # The search ends at a word that has the end as a neighbour, or is a neighbour of the end.
        end_rows = set(np.argsort(-(common.matrix @ last))[: PATH_NEIGHBOURS + 1])
        # Row −1 is the start, which may be a phrase.
        previous, expansions = {-1: None}, 0
        queue = [(0.0, -1)]
        while queue and expansions < PATH_EXPANSIONS:
            _, row = heappop(queue)
            expansions += 1
            vector = first if row < 0 else common.matrix[row]
            cosines = common.matrix @ vector
            neighbours = np.argpartition(-cosines, PATH_NEIGHBOURS + 1)[: PATH_NEIGHBOURS + 1]
            if row in end_rows or any(common.words[n] == end for n in neighbours):
                return self._chain(start, end, previous, row, common, first, last)
            for n in neighbours:
                if n not in previous and common.words[n] != start:
                    previous[n] = row
                    heappush(queue, (float(1 - common.matrix[n] @ last), int(n)))
        raise UserError(f"There is no short path from “{start}” to “{end}”. Try other words.")

    def _chain(self, start, end, previous, row, common, first, last):
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

    def project(self, rows, low, high):
        """Project vectors onto the line from one word to another: −1 at the first, 1 at the second.

        Args:
            rows: Array `(words, dimensions)`.
            low, high: The words at the ends.

        Returns:
            Array `(words,)`.

        Raises:
            UserError: if an end is missing or unknown, or both are the same.
        """
        low, first, _ = self.find(low, "left end of an axis")
        high, second, _ = self.find(high, "right end of an axis")
        if low == high:
            raise UserError(f"An axis needs two different ends, not “{low}” twice.")
        direction = second - first
        return (rows - (first + second) / 2) @ direction / (direction @ direction / 2)

    def association(self, first, second, attribute, contrary, seed=0):
        """Test whether two groups of words lean towards different attributes: an `Association`.

        Args:
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
            parts = (part for word in _texts(words) for part in self._split_words(word))
            given = list(dict.fromkeys(parts))
            covered = [word for word in given if word in self.vectors]
            missing += [word for word in given if word not in self.vectors]
            if len(covered) < 2:
                raise UserError(f"The {name} needs two known words or more.")
            lists.append(covered)
        rows = [np.stack([self.vectors[word] for word in words]) for words in lists]
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


def parallelogram(a, b, c, answer):
    """Project four words and b − a + c onto the plane that fits the four words best, by PCA.

    Args:
        a, b, c, answer: Vectors `(dimensions,)`.

    Returns:
        Points `(5, 2)` in the order a, b, c, answer, b − a + c, and the share of the four words'
        variance that the plane shows.
    """
    four = np.stack([a, b, c, answer]).astype("float64")
    middle = four.mean(axis=0)
    _, singular_values, axes = np.linalg.svd(four - middle, full_matrices=False)
    points = np.vstack([four, b - a + c]) - middle
    variances = singular_values**2
    return points @ axes[:2].T, float(variances[:2].sum() / max(variances.sum(), 1e-12))


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


def _bag_cosine(first, second, weight):
    one, two = (Counter(words) for words in (first, second))
    weights = {word: weight(word) for word in {*one, *two}}

    def product(left, right):
        return sum(left[word] * right[word] * weights[word] ** 2 for word in left)

    return float(product(one, two) / np.sqrt(product(one, one) * product(two, two)))


def _texts(words):
    """The strings of a list; an empty list for anything else."""
    return [word for word in words if isinstance(word, str)] if isinstance(words, list) else []


def _count_letters(words):
    """Counts of the letters a to z and of all other characters: int8 `(words, 27)`."""
    counts = np.zeros((len(words), 27), "int8")
    for row, word in zip(counts, words, strict=True):
        for letter in word:
            row[min(max(ord(letter) - 97, -1), 25)] += 1
    return counts


@bundle.load_once
def _load(file):
    if file:
        return Predictor(vector_files.read_file(file))
    vectors = store.load(FOLDER)
    extra = bundle.load_arrays(FOLDER / "counts.safetensors")
    paragraphs = extra["paragraphs"].astype("float64"), float(extra["total"][0])
    card = bundle.read_card(FOLDER)
    # Vectors that are trained but not yet evaluated are served without scores, like a file.
    return Predictor(vectors, card if "sections" in card else None, paragraphs)
