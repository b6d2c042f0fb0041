"""The events of the public API."""

from typing import Literal

from shared.site.api import publish

Method = Literal["3CosAdd", "3CosMul"]


class Api:
    """The events about the words of a `Predictor`, each a method.

    Args:
        predictor: The `Predictor`.
    """

    def __init__(self, predictor):
        self._predictor = predictor

    def publish(self):
        """Publish all events on the page that is being built."""
        for event in (
            self.analogy,
            self.calculate,
            self.neighbours,
            self.likeness,
            self.odd_one_out,
            self.path,
            self.association,
        ):
            publish(event)

    def analogy(self, a: str, b: str, c: str, method: Method = "3CosAdd") -> dict:
        """A is to b as c is to what?

        Args:
            a: The first word, such as man.
            b: The second, such as woman.
            c: The third, such as king.
            method: 3CosAdd or 3CosMul.

        Returns:
            words (as understood), best (word and score of the ten best, the three words excluded),
            honest (the ten best of all words), and notes.
        """
        result = self._predictor.analogy(a, b, c, method)
        return {
            "words": list(result.words),
            "best": _as_dicts(result.best),
            "honest": _as_dicts(result.unrestricted),
            "notes": list(result.notes),
        }

    def calculate(self, expression: str) -> list[dict]:
        """The words nearest to a sum of words.

        Args:
            expression: Words with + and - between them, such as berlin - germany + france.

        Returns:
            For each of the ten nearest words word and score, its cosine.
        """
        return _as_dicts(self._predictor.calculate(expression)[1])

    def neighbours(self, word: str) -> list[dict]:
        """The ten words nearest to a word or phrase.

        Args:
            word: In English.

        Returns:
            For each word and score, its cosine.
        """
        return _as_dicts(self._predictor.neighbours(word)[1])

    def likeness(self, first: str, second: str) -> dict:
        """How similar two words or two sentences are.

        Args:
            first: A word or a sentence.
            second: Another.

        Returns:
            cosine (of the word vectors), bag and tf_idf (of counts), and notes.
        """
        result = self._predictor.similarity(first, second)
        return {
            "cosine": round(result.cosine, 4),
            "bag": round(result.bag, 4),
            "tf_idf": round(result.tf_idf, 4),
            "notes": list(result.notes),
        }

    def odd_one_out(self, words: list[str]) -> list[dict]:
        """Words by how little they belong to the others.

        Args:
            words: Three or more.

        Returns:
            For each word and score, its cosine with the mean of all; the odd one first.
        """
        return _as_dicts(self._predictor.odd_one_out(words))

    def path(self, start: str, end: str) -> list[dict]:
        """A chain of near neighbours from one word to another.

        Args:
            start: The first word.
            end: The last.

        Returns:
            For each word of the chain word and score, its cosine with the one before it.
        """
        return _as_dicts(self._predictor.path(start, end))

    def association(
        self, first: list[str], second: list[str], attribute: list[str], contrary: list[str]
    ) -> dict:
        """Whether two groups of words lean towards different attributes (Caliskan et al. 2017).

        Args:
            first: Words of the first group.
            second: Words of the second group.
            attribute: Words of the first attribute.
            contrary: Words of the second attribute.

        Returns:
            effect (size, −2 to 2), p_value, exact, ways and missing.
        """
        result = self._predictor.association(first, second, attribute, contrary)
        return {
            "effect": round(result.effect, 4),
            "p_value": result.p_value,
            "exact": result.exact,
            "ways": result.ways,
            "missing": list(result.missing),
        }


def _as_dicts(words):
    return [{"word": scored.word, "score": round(scored.score, 4)} for scored in words]
