"""Baselines without a network: the most frequent answer, and the nearest training question."""

from collections import Counter, defaultdict

import numpy as np

from training.vqa.scores import scores
from training.vqa.vocabulary import canonical

QUESTION_WEIGHTS = np.linspace(0, 1, 11)  # of the question's similarity against the photograph's


def most_frequent_answers(questions):
    """The most frequent answer to each type of question, and to all under `"all"`."""
    counts = defaultdict(Counter)
    for each in questions:
        counts[each.kind][canonical(each.answer)] += 1
        counts["all"][canonical(each.answer)] += 1
    return {kind: count.most_common(1)[0][0] for kind, count in counts.items()}


def answer_by_type(frequent, questions):
    """The answers to questions from what `most_frequent_answers` gives."""
    return [frequent.get(each.kind, frequent["all"]) for each in questions]


def choose_weight(embeddings, training, validation):
    """The weight of the question for `answer_by_nearest`, chosen on validation questions."""
    answers = answer_by_nearest(embeddings, training, validation, QUESTION_WEIGHTS)
    accuracy = [scores(each, validation.questions)["accuracy"] for each in answers]
    return float(QUESTION_WEIGHTS[int(np.argmax(accuracy))])


def answer_by_nearest(embeddings, training, part, weights):
    """The answer to the most similar training question about a similar photograph.

    Similar by the cosine of mean word vectors, and that of mean cells of the grids.

    Args:
        embeddings: `Embeddings`.
        training, part: `Part`s; the questions of the second are answered.
        weights: Weights of the question against the photograph, between 0 and 1.

    Returns:
        Array of answers `(weights, questions)`.
    """
    training_words, training_photos = _unit_vectors(embeddings, training)
    training_answers = np.array([each.answer for each in training.questions])
    words, photos = _unit_vectors(embeddings, part)
    nearest = []
    for n in range(0, len(words), 500):
        rows = slice(n, n + 500)
        by_question = words[rows] @ training_words.T
        by_photo = photos[rows] @ training_photos.T
        nearest.append([(w * by_question + (1 - w) * by_photo).argmax(axis=1) for w in weights])
    return training_answers[np.concatenate(nearest, axis=1)]


def _unit_vectors(embeddings, part):
    """Questions and photographs as rows of length 1."""
    words = np.stack(
        [embeddings.embed_words(words).sum(axis=0) + np.float32(1e-6) for words in part.words]
    )
    photos = part.grids.astype("float32").mean(axis=1)[part.photos]
    return [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (words, photos)]
