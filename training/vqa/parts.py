"""Questions and photographs as networks read them."""

from dataclasses import dataclass

import numpy as np

from apps.vqa.embeddings import Embeddings
from apps.vqa.predictor import Predictor, tokenize_question
from shared.text import WordTokenizer
from training.vqa.data import Question


def photos_of(questions):
    """The names of the photographs that questions are about, in order."""
    return sorted({each.image for each in questions})


@dataclass(frozen=True)
class Part:
    """Encoded questions and photographs.

    Attributes:
        questions: List of `Question`.
        words: List of arrays of word numbers, one for each question.
        grids: Array `(photos, cells, components)`.
        photos: Array `(questions,)`, the row of `grids` that each question is about.
    """

    questions: list[Question]
    words: list[np.ndarray]
    grids: np.ndarray
    photos: np.ndarray

    @classmethod
    def encode(cls, questions, tokenizer, grids, names):
        """Of questions, and of the grids of photographs with these names."""
        place = {name: n for n, name in enumerate(names)}
        words = [tokenize_question(tokenizer, each.text)[0] for each in questions]
        return cls(questions, words, grids, np.array([place[each.image] for each in questions]))

    def probabilities(self, predictor):
        """A predictor's probabilities `(questions, answers)`, of answers of any kind."""
        grids = self.grids[self.photos].astype("float32")
        return predictor.probabilities(grids, self.words)[0]

    def best(self, predictor):
        """A predictor's most probable `Answer`s, a list."""
        grids = self.grids[self.photos].astype("float32")
        readings = [predictor.read(each.text) for each in self.questions]
        return [each.best[0] for each in predictor.distributions(grids, readings)]

    def answer(self, predictor):
        """The texts of the most probable answers, a list."""
        return [each.text for each in self.best(predictor)]


@dataclass(frozen=True)
class Data:
    """What networks are fitted to."""

    embeddings: Embeddings
    tokenizer: WordTokenizer
    answers: list[str]
    training: Part
    validation: Part

    def predictor(self, network):
        """A `Predictor` of a network."""
        return Predictor(network, self.embeddings, self.tokenizer, self.answers, None, {})
