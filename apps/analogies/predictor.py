"""What the page asks of word vectors: analogies, sums, neighbours, likeness, paths, bias."""

import difflib
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from itertools import combinations
from math import comb

import numpy as np

from apps.analogies import vectors as store
from apps.analogies.vectors import FOLDER
from shared import bundle
from shared.errors import UserError
from shared.text import plain_words

METHODS = ("3CosAdd", "3CosMul")
MAX_CHARACTERS = 60  # characters of a word or phrase
STEPWISE, EXPANDED = 12, 250  # neighbours a path may step to, words it may look around from
PATH_WORDS = 30_000
LARGEST = 1_000  # factor in a sum
PERMUTATIONS = 20_000


@dataclass(frozen=True)
class ScoredWord:
    """A word and its cosine with what was asked, or its score."""

    word: str
    score: float


@dataclass(frozen=True, eq=False)
class Analogy:
    """The answer to: a is to b as c is to what?

    Attributes:
        words: The tuple `(a, b, c)` as understood.
        method: `"3CosAdd"` or `"3CosMul"`.
        best: Tuple of `ScoredWord`, the ten best with a, b and c excluded.
        honest: Tuple of `ScoredWord`, the ten best of all words.
        points: Array `(5, 2)`: a, b, c, the answer and b − a + c in the plane that fits the first
            four best.
        fit: Share of the four words' spread that the plane shows.
        notes: Sentences the reader should know.
    """

    words: tuple[str, str, str]
    method: str
    best: tuple[ScoredWord, ...]
    honest: tuple[ScoredWord, ...]
    points: np.ndarray
    fit: float
    notes: tuple[str, ...]

    @property
    def trick(self):
        """Whether a word of the question would win if it were not excluded."""
        return self.honest[0].word != self.best[0].word


@dataclass(frozen=True, eq=False)
class Likeness:
    """How alike two texts are.

    Attributes:
        texts: The two, as lists of words.
        cosine: Of their vectors, words weighted by rarity (Arora et al. 2017).
        bag: Cosine of their bags of words: counts.
        tf_idf: Cosine of their counts weighted by inverse document frequency.
        rank: Place of the second among the neighbours of the first; None unless both are words.
        notes: Sentences the reader should know.
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
        p_value: Share of the ways to divide the words into two groups with an effect at least as
            large.
        exact: Whether all ways were counted, not a sample of them.
        ways: How many were.
        first, second: Tuple of `ScoredWord` for the words of each group, the score its association
            with the first attribute rather than the second.
        missing: Words left out because the vocabulary does not have them.
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
        paragraphs: Array of how many paragraphs of the corpus each word stands in, and how many
            there are; without it the rank stands for the frequency (Zipf's law).
    """

    def __init__(self, vectors, card=None, paragraphs=None):
        self.vectors = vectors
        self.card = card
        if paragraphs is None:
            paragraphs = np.maximum(1, 1e6 / np.arange(10, len(vectors) + 10)), 1e6
        self.paragraphs, self.total = paragraphs

    @classmethod
    def load(cls, file=None):
        """The predictor of the shipped bundle or of a file of vectors, read once.

        Raises:
            BundleError: if it is missing or damaged.
        """
        return _load(file)

    def find(self, text, what="word"):
        """The word of the vocabulary that a text means, and its vector.

        Capitals and accents do not matter; a phrase whose words are known becomes their mean.

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
        note = f"“{phrase}” is not one word here: it stands for the mean of its {len(words)} words."
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
        words = plain_words(text)
        if not words:
            raise UserError(
                f"There is no word in “{text.strip()}”. Only English words in letters are known "
                "here."
            )
        return words

    def _unknown(self, word):
        near = self.spellings(word)
        hint = f" Nearest spellings: {', '.join(near)}." if near else " Nothing is spelt like it."
        return f"“{word}” is not among the {len(self.vectors):,} words known here.{hint}"

    def spellings(self, word, count=5):
        """Up to `count` words of the vocabulary that are spelt like a word, the likest first."""
        # Words whose letters differ much in number cannot be near, and are quick to leave out.
        letters = _letters([word])[0]
        apart = np.abs(self._letters - letters).sum(axis=1)
        likely = np.argsort(apart, kind="stable")[:400]
        candidates = [self.vectors.words[n] for n in likely]
        return difflib.get_close_matches(word, candidates, count, cutoff=0.7)

    @cached_property
    def _letters(self):
        return _letters(self.vectors.words)

    def complete(self, start, count=12):
        """The most frequent words that begin so."""
        words = plain_words(start) if isinstance(start, str) else []
        if len(words) != 1:
            return []
        found = (word for word in self.vectors.words if word.startswith(words[0]))
        return [word for word, _ in zip(found, range(count), strict=False)]

    def nearest(self, vector, count=10, without=()):
        """The words nearest to a vector by cosine: a tuple of `ScoredWord`."""
        return self._top(self.vectors.matrix @ np.asarray(vector, "float32"), count, without)

    def _top(self, scores, count, without=()):
        # A few more than asked for, so that those left out leave enough.
        most = min(len(scores), count + len(without))
        rows = np.argpartition(-scores, most - 1)[:most]
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        words = self.vectors.words
        found = (ScoredWord(words[n], float(scores[n])) for n in rows if words[n] not in without)
        return tuple(near for near, _ in zip(found, range(count), strict=False))

    def analogy(self, a, b, c, method="3CosAdd", count=10):
        """A is to b as c is to what?

        3CosAdd (Mikolov et al. 2013) takes the word nearest to b − a + c, 3CosMul (Levy &
        Goldberg 2014) the one with the greatest cos(b)·cos(c) / cos(a), cosines moved to 0…1.

        Returns:
            An `Analogy`.

        Raises:
            UserError: if a word is missing or unknown, or the three are the same.
        """
        if method not in METHODS:
            raise UserError(f"The method must be {' or '.join(METHODS)}. Received: {method}.")
        names = ("first word", "second word", "third word")
        found = [self.find(word, name) for word, name in zip((a, b, c), names, strict=True)]
        words = tuple(word for word, _, _ in found)
        if len(set(words)) == 1:
            raise UserError(
                "The three words are the same, so there is no relation to carry over: "
                f"{words[0]} − {words[0]} + {words[0]} is {words[0]}. Change one of them."
            )
        notes = [note for _, _, said in found for note in said]
        if words[0] == words[1]:
            notes.append("The first two words are the same: this asks for the third’s neighbours.")
        given = np.stack([vector for _, vector, _ in found])  # (3, dimensions)
        if method == "3CosAdd":
            target = given[1] - given[0] + given[2]
            scores = self.vectors.matrix @ (target / np.linalg.norm(target))
        else:
            cosines = self.vectors.matrix @ given.T  # (words, 3)
            moved = (1 + cosines) / 2
            scores = moved[:, 1] * moved[:, 2] / (moved[:, 0] + 1e-3)
        excluded = {part for word in words for part in (word, *word.split())}
        ranked = self._top(scores, count + len(excluded))
        best = tuple(one for one in ranked if one.word not in excluded)[:count]
        honest = ranked[:count]
        answer = self.vectors[best[0].word]
        points, fit = parallelogram(*given, answer)
        return Analogy(words, method, best, honest, points, fit, tuple(notes))

    def calculate(self, expression, count=10):
        """The words nearest to a sum such as `berlin - germany + 2 * france`.

        Returns:
            The tuple of words used, a tuple of `ScoredWord` without them, and notes.

        Raises:
            UserError: if the expression does not parse or a word is unknown.
        """
        text = expression if isinstance(expression, str) else ""
        if not text.strip():
            raise UserError("There is nothing to work out yet. Try “berlin - germany + france”.")
        if len(text) > 300:
            raise UserError("This expression is too long: at most 300 characters are read.")
        sums = _Sum(text, self)
        vector = sums.vector
        if np.linalg.norm(vector) < 1e-6:
            raise UserError("These words cancel each other out: nothing is left to search near.")
        near = self.nearest(vector / np.linalg.norm(vector), count, set(sums.words))
        return tuple(sums.words), near, tuple(sums.notes)

    def neighbours(self, word, count=10):
        """The word as understood and its nearest neighbours, a tuple of `ScoredWord`.

        Raises:
            UserError: if the word is missing or unknown.
        """
        word, vector, _ = self.find(word)
        return word, self.nearest(vector, count, {word, *word.split()})

    def likeness(self, first, second):
        """How alike two words or two sentences are: a `Likeness`.

        Raises:
            UserError: if one has no known words.
        """
        texts, vectors, notes = [], [], []
        for text, name in ((first, "first text"), (second, "second text")):
            words = plain_words(text[:5000]) if isinstance(text, str) else []
            if not words:
                raise UserError(f"The {name} has no words. Type a word or a sentence.")
            known = [word for word in words if word in self.vectors]
            if not known:
                raise UserError(self._unknown(words[0]))
            missing = sorted(set(words) - set(known))
            if missing:
                notes.append(f"Not known and left out: {', '.join(missing)}.")
            texts.append(tuple(known))
            vectors.append(self._mean(known))
        rank = None
        if len(texts[0]) == len(texts[1]) == 1 and texts[0] != texts[1]:
            cosines = self.vectors.matrix @ vectors[0]
            rank = int((cosines > vectors[0] @ vectors[1] + 1e-6).sum())
        return Likeness(
            tuple(texts),
            float(vectors[0] @ vectors[1]),
            _bag_cosine(*texts, lambda word: 1.0),
            _bag_cosine(*texts, self._rarity),
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

    def _rarity(self, word):
        """Inverse document frequency, as scikit-learn smooths it."""
        known = self.paragraphs[self.vectors.index[word]]
        return float(np.log((1 + self.total) / (1 + known)) + 1)

    def odd_one_out(self, words):
        """The word farthest from the mean of all, and each word's cosine with that mean.

        Args:
            words: A string with commas or spaces between the words, or a list.

        Returns:
            A tuple of `ScoredWord`, the odd one first.

        Raises:
            UserError: if there are fewer than three different words, or an unknown one.
        """
        if isinstance(words, str):
            words = re.split(r"[,;\n]+" if re.search(r"[,;\n]", words) else r"\s+", words.strip())
        found = {}
        for text in [word for word in _texts(words) if word.strip()][:30]:
            word, vector, _ = self.find(text)
            found[word] = vector
        if len(found) < 3:
            raise UserError(
                "The odd one out needs three different words or more, such as “breakfast, lunch, "
                "dinner, cereal”."
            )
        rows = np.stack(list(found.values()))
        mean = rows.mean(axis=0)
        cosines = rows @ mean / np.linalg.norm(mean)
        order = np.argsort(cosines)
        names = list(found)
        return tuple(ScoredWord(names[n], float(cosines[n])) for n in order)

    def path(self, start, end):
        """A chain of words from one to another, each among the nearest neighbours of the last.

        The search goes first where the next word is nearest to the end.

        Returns:
            A tuple of `ScoredWord`. The score is each word's cosine with the one before it, 1 for
            the first word.

        Raises:
            UserError: if a word is missing or unknown, both are the same, or none is found.
        """
        start, first, _ = self.find(start, "first word")
        end, last, _ = self.find(end, "second word")
        if start == end:
            raise UserError("Both words are the same: there is no path to find.")
        common = self.vectors.first(PATH_WORDS)
        # The end is met when it is a neighbour of a word, or the word one of its neighbours.
        home = set(np.argsort(-(common.matrix @ last))[: STEPWISE + 1])
        # Rows are words, −1 the start, which may be a phrase.
        before, expanded = {-1: None}, 0
        queue = [(0.0, -1)]
        while queue and expanded < EXPANDED:
            _, here = heappop(queue)
            expanded += 1
            vector = first if here < 0 else common.matrix[here]
            cosines = common.matrix @ vector
            rows = np.argpartition(-cosines, STEPWISE + 1)[: STEPWISE + 1]
            if here in home or any(common.words[row] == end for row in rows):
                return self._chain(start, end, before, here, common, first, last)
            for row in rows:
                if row not in before and common.words[row] != start:
                    before[row] = here
                    heappush(queue, (float(1 - common.matrix[row] @ last), int(row)))
        raise UserError(f"No path from “{start}” to “{end}” was found. Try other words.")

    def _chain(self, start, end, before, here, common, first, last):
        rows = []
        while here is not None and here >= 0:
            rows.append(here)
            here = before[here]
        names = [start, *(common.words[row] for row in reversed(rows))]
        vectors = [first, *(common.matrix[row] for row in reversed(rows))]
        if names[-1] != end:
            names.append(end)
            vectors.append(last)
        cosines = [1.0] + [float(one @ two) for one, two in zip(vectors, vectors[1:], strict=False)]
        return tuple(ScoredWord(name, cosine) for name, cosine in zip(names, cosines, strict=True))

    def project(self, rows, low, high):
        """Places of vectors on the line from one word to another: −1 at the first, 1 at the second.

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
        along = second - first
        return (rows - (first + second) / 2) @ along / (along @ along / 2)

    def association(self, first, second, attribute, contrary, seed=0):
        """Whether two groups of words lean to different attributes: an `Association`.

        Args:
            first, second: Lists of words, the groups.
            attribute, contrary: Lists of words, what they may lean to.
            seed: Integer, of the sample where there are too many ways to count.

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
            parts = (part for word in _texts(words) for part in plain_words(word))
            given = list(dict.fromkeys(parts))
            known = [word for word in given if word in self.vectors]
            missing += [word for word in given if word not in self.vectors]
            if len(known) < 2:
                raise UserError(f"The {name} needs two known words or more.")
            lists.append(known)
        rows = [np.stack([self.vectors[word] for word in words]) for words in lists]
        groups = np.concatenate(rows[:2])
        leaning = (groups @ rows[2].T).mean(axis=1) - (groups @ rows[3].T).mean(axis=1)
        size = len(lists[0])
        difference = leaning[:size].mean() - leaning[size:].mean()
        effect = float(difference / max(leaning.std(ddof=1), 1e-12))
        p_value, exact, ways = _permutation(leaning, size, seed)
        words = zip(lists[0] + lists[1], leaning, strict=True)
        named = [ScoredWord(word, float(score)) for word, score in words]
        return Association(
            effect, p_value, exact, ways, tuple(named[:size]), tuple(named[size:]), tuple(missing)
        )


class _Sum:
    """A parsed sum of words: its vector, the words in it, notes.

    `sum: [sign] term {sign term}`, `term: [number *] factor`, `factor: phrase or ( sum )`.
    """

    def __init__(self, text, predictor):
        self.predictor = predictor
        self.words, self.notes = [], []
        text = text.replace("−", "-").replace("–", "-").replace("×", "*")
        self.tokens = re.findall(r"[+\-*()]|\d+(?:\.\d+)?|[^\s+\-*()\d]+|\S", text)
        self.place = 0
        self.vector = self._sum()
        if self.place < len(self.tokens):
            raise self._error()

    def _next(self):
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def _error(self):
        found = f"“{self._next()}”" if self._next() else "the end"
        return UserError(
            f"This cannot be read at {found}. Write words with + and − between them, such as "
            "“berlin - germany + france” or “2 * (good - bad) + film”."
        )

    def _sum(self):
        total, sign = 0, 1
        if self._next() in ("+", "-"):
            sign = -1 if self._next() == "-" else 1
            self.place += 1
        while True:
            total = total + sign * self._term()
            if self._next() not in ("+", "-"):
                return total
            sign = -1 if self._next() == "-" else 1
            self.place += 1

    def _term(self):
        factor = 1.0
        if re.fullmatch(r"\d+(?:\.\d+)?", self._next()):
            factor = float(self._next())
            if factor > LARGEST:
                raise UserError(f"A factor may be at most {LARGEST:,}.")
            self.place += 1
            if self._next() == "*":
                self.place += 1
        return factor * self._factor()

    def _factor(self):
        if self._next() == "(":
            self.place += 1
            vector = self._sum()
            if self._next() != ")":
                raise self._error()
            self.place += 1
            return vector
        phrase = []
        while self._next() and self._next() not in "+-*()" and not self._next()[0].isdigit():
            phrase.append(self._next())
            self.place += 1
        if not phrase:
            raise self._error()
        word, vector, notes = self.predictor.find(" ".join(phrase))
        self.words += [word, *word.split()]
        self.notes += notes
        return vector


def parallelogram(a, b, c, answer):
    """Four words and b − a + c in the plane that fits the four best, by their principal axes.

    Args:
        a, b, c, answer: Vectors `(dimensions,)`.

    Returns:
        Points `(5, 2)` in the order a, b, c, answer, b − a + c, and the share of the four words'
        spread that the plane shows.
    """
    four = np.stack([a, b, c, answer]).astype("float64")
    middle = four.mean(axis=0)
    _, spread, axes = np.linalg.svd(four - middle, full_matrices=False)
    points = np.vstack([four, b - a + c]) - middle
    shown = float((spread[:2] ** 2).sum() / max((spread**2).sum(), 1e-12))
    return points @ axes[:2].T, shown


def _permutation(leaning, size, seed):
    """One-sided p-value of the difference of means: all divisions, or a seeded sample of them."""
    count = len(leaning)
    observed = leaning[:size].sum()
    ways = comb(count, size)
    if ways <= PERMUTATIONS:
        rows = np.array(list(combinations(range(count), size)))
        sums = leaning[rows].sum(axis=1)
        return float((sums >= observed - 1e-9).mean()), True, ways
    noise = np.random.default_rng(seed)
    rows = noise.permuted(np.tile(np.arange(count), (PERMUTATIONS, 1)), axis=1)[:, :size]
    sums = leaning[rows].sum(axis=1)
    at_least = int((sums >= observed - 1e-9).sum())
    return (at_least + 1) / (PERMUTATIONS + 1), False, PERMUTATIONS


def _bag_cosine(first, second, weight):
    one, two = (Counter(words) for words in (first, second))
    weights = {word: weight(word) for word in {*one, *two}}

    def product(left, right):
        return sum(left[word] * right[word] * weights[word] ** 2 for word in left)

    return float(product(one, two) / np.sqrt(product(one, one) * product(two, two)))


def _texts(words):
    """The texts of a list, whatever a program sent instead of one."""
    return [word for word in words if isinstance(word, str)] if isinstance(words, list) else []


def _letters(words):
    """How often each of 27 letters stands in each word: int8 `(words, 27)`."""
    counts = np.zeros((len(words), 27), "int8")
    for row, word in zip(counts, words, strict=True):
        for letter in word:
            row[min(max(ord(letter) - 97, -1), 25)] += 1
    return counts


@bundle.load_once
def _load(file):
    if file:
        return Predictor(store.read_file(file))
    vectors = store.load(FOLDER)
    extra = bundle.load_arrays(FOLDER / "counts.safetensors")
    paragraphs = extra["paragraphs"].astype("float64"), float(extra["total"][0])
    card = bundle.read_card(FOLDER)
    # Vectors that were trained but not evaluated yet are served like a file: without scores.
    return Predictor(vectors, card if "sections" in card else None, paragraphs)
