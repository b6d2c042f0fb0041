"""The words that texts mean, and the words nearest to a vector."""

import difflib
from functools import cached_property
from itertools import islice

import numpy as np

from apps.analogies import vector_files
from apps.analogies.results import ScoredWord
from shared.errors import UserError
from shared.text import plain_words

MAX_CHARACTERS = 60  # of a word or phrase


class Lookup:
    """Finds words among a set of vectors.

    Args:
        vectors: A `Vectors`.
    """

    def __init__(self, vectors):
        self.vectors = vectors

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
        words = self.split_words(text)
        if not words:
            raise UserError(
                f"There is no word in “{text.strip()}”. Only English words are known here."
            )
        return words

    def split_words(self, text):
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
        words = self.split_words(start) if isinstance(start, str) else []
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
        return self.rank(self.vectors.matrix @ np.asarray(vector, "float32"), count, excluded)

    def rank(self, scores, count, excluded=()):
        """The words with the highest of the scores `(words,)`, a tuple of `ScoredWord`."""
        size = min(len(scores), count + len(excluded))
        rows = np.argpartition(-scores, size - 1)[:size]
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        words = self.vectors.words
        ranked = (ScoredWord(words[n], float(scores[n])) for n in rows if words[n] not in excluded)
        return tuple(islice(ranked, count))


def _count_letters(words):
    """Counts of the letters a to z and of all other characters: int8 `(words, 27)`."""
    counts = np.zeros((len(words), 27), "int8")
    for row, word in zip(counts, words, strict=True):
        for letter in word:
            row[min(max(ord(letter) - 97, -1), 25)] += 1
    return counts


def strings_of(words):
    """The strings of a list; an empty list for anything else."""
    return [word for word in words if isinstance(word, str)] if isinstance(words, list) else []
