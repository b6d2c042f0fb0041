"""How good vectors are: Google's analogy questions and people's judgements of similarity."""

from dataclasses import dataclass

import numpy as np

BATCH_SIZE = 512  # questions answered by one matrix product


@dataclass(frozen=True, eq=False)
class Section:
    """One section of the questions, answered.

    Attributes:
        name: Name of the section.
        questions: List of the `(a, b, c, d)` that the vocabulary covers.
        answers: Array of the rows of the words answered instead of `d`, one for each question.
        right: Array of booleans.
        count: Number of questions of the section, covered or not.
    """

    name: str
    questions: list
    answers: np.ndarray
    right: np.ndarray
    count: int

    @property
    def accuracy(self):
        """Share of the covered questions answered correctly; NaN if none is covered."""
        return float(self.right.mean()) if len(self.right) else float("nan")


def answer(vectors, sections):
    """Answer questions by 3CosAdd over the whole vocabulary, the words of the question excluded.

    Args:
        vectors: A `Vectors`.
        sections: Dict from section to a list of `(a, b, c, d)`.

    Returns:
        List of `Section`. A question with a word outside the vocabulary is skipped.
    """
    return [
        _section(vectors, name, questions, _answers(vectors, rows), rows)
        for name, questions, rows in _covered(vectors, sections)
    ]


def from_stored_answers(vectors, sections, answers):
    """The sections from stored answers instead of new ones.

    Args:
        vectors: A `Vectors`.
        sections: As for `answer`.
        answers: Array with the answered row for each covered question, in their order.

    Raises:
        ValueError: if there are more or fewer answers than covered questions.
    """
    covered = list(_covered(vectors, sections))
    ends = np.cumsum([len(rows) for _, _, rows in covered])
    if len(ends) == 0 or ends[-1] != len(answers):
        raise ValueError(f"`answers` must be one for each covered question, {ends[-1:]}.")
    parts = np.split(answers, ends[:-1])
    return [
        _section(vectors, name, questions, part, rows)
        for (name, questions, rows), part in zip(covered, parts, strict=True)
    ]


def total(sections):
    """Accuracy over the covered questions, the share covered, and the number of all questions."""
    covered = sum(len(section.right) for section in sections)
    count = sum(section.count for section in sections)
    right = sum(int(section.right.sum()) for section in sections)
    return right / max(covered, 1), covered / max(count, 1), count


def _covered(vectors, sections):
    index = vectors.index
    for name, questions in sections.items():
        rows = [[index.get(word, -1) for word in question] for question in questions]
        yield name, questions, np.array([row for row in rows if min(row) >= 0], int).reshape(-1, 4)


def _section(vectors, name, questions, answers, rows):
    covered = [tuple(vectors.words[row] for row in question) for question in rows]
    return Section(name, covered, answers, answers == rows[:, 3], len(questions))


def _answers(vectors, rows):
    matrix, answers = vectors.matrix, np.empty(len(rows), int)
    for start in range(0, len(rows), BATCH_SIZE):
        a, b, c = rows[start : start + BATCH_SIZE, :3].T
        scores = (matrix[b] - matrix[a] + matrix[c]) @ matrix.T  # (questions, words)
        scores[np.arange(len(a))[:, None], rows[start : start + BATCH_SIZE, :3]] = -np.inf
        answers[start : start + BATCH_SIZE] = scores.argmax(axis=1)
    return answers


def correlate_similarity(vectors, pairs):
    """Spearman's correlation of cosines with people's scores (Finkelstein et al. 2002).

    Args:
        vectors: A `Vectors`.
        pairs: List of `(word, word, score)`.

    Returns:
        The correlation, and the share of pairs that the vocabulary covers.
    """
    from scipy.stats import spearmanr

    covered = [row for row in pairs if row[0] in vectors and row[1] in vectors]
    if len(covered) < 3:
        return float("nan"), len(covered) / max(len(pairs), 1)
    cosines = [float(vectors[first] @ vectors[second]) for first, second, _ in covered]
    return float(spearmanr(cosines, [row[2] for row in covered])[0]), len(covered) / len(pairs)
