"""Questions to word vectors: analogies, sums, neighbours, similarity, the odd one out."""

import re
from collections import Counter

import numpy as np

from apps.analogies import vector_files
from apps.analogies import vectors as store
from apps.analogies.association import measure_association
from apps.analogies.expression import Expression
from apps.analogies.lookup import Lookup, strings_of
from apps.analogies.paths import find_path
from apps.analogies.results import Analogy, ScoredWord, Similarity
from apps.analogies.vectors import FOLDER
from shared import bundle
from shared.errors import UserError

METHODS = ("3CosAdd", "3CosMul")
MAX_EXPRESSION_CHARACTERS = 300
MAX_ODD_WORDS = 30


class Predictor(Lookup):
    """Answers from a set of vectors.

    Args:
        vectors: A `Vectors`.
        card: The bundle's card, or None.
        paragraphs: Array with the number of paragraphs of the corpus that contain each word, and
            the number of all paragraphs. If None, frequencies are estimated from the words' ranks
            (Zipf's law).
    """

    def __init__(self, vectors, card=None, paragraphs=None):
        super().__init__(vectors)
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
        ranked = self.rank(scores, count + len(excluded))
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
            words = self.split_words(text[:5000]) if isinstance(text, str) else []
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
        for text in [word for word in strings_of(words) if word.strip()][:MAX_ODD_WORDS]:
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
        """See `paths.find_path`."""
        return find_path(self, start, end)

    def association(self, first, second, attribute, contrary, seed=0):
        """See `association.measure_association`."""
        return measure_association(self, first, second, attribute, contrary, seed)

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


def _bag_cosine(first, second, weight):
    one, two = (Counter(words) for words in (first, second))
    weights = {word: weight(word) for word in {*one, *two}}

    def product(left, right):
        return sum(left[word] * right[word] * weights[word] ** 2 for word in left)

    return float(product(one, two) / np.sqrt(product(one, one) * product(two, two)))


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
