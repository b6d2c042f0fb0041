"""How good vectors are: Google's analogy questions and people's judgements of likeness."""

from dataclasses import dataclass

import numpy as np

BATCH = 512  # questions answered by one matrix product


@dataclass(frozen=True, eq=False)
class Section:
    """One section of the questions, answered.

    Attributes:
        name: The section's.
        questions: List of the `(a, b, c, d)` that the vocabulary covers.
        answers: Array of the rows of the words answered instead of `d`, one for each question.
        right: Array of booleans.
        asked: How many questions the section has, covered or not.
    """

    name: str
    questions: list
    answers: np.ndarray
    right: np.ndarray
    asked: int

    @property
    def accuracy(self):
        """The share of the covered questions answered rightly; NaN where none is covered."""
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


def recall(vectors, sections, answers):
    """The same from answers given before, in the order of the covered questions.

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
    """Accuracy over all covered questions, the share covered, and how many questions there are."""
    covered = sum(len(section.right) for section in sections)
    asked = sum(section.asked for section in sections)
    right = sum(int(section.right.sum()) for section in sections)
    return right / max(covered, 1), covered / max(asked, 1), asked


def _covered(vectors, sections):
    index = vectors.index
    for name, questions in sections.items():
        rows = [[index.get(word, -1) for word in question] for question in questions]
        yield name, questions, np.array([row for row in rows if min(row) >= 0], int).reshape(-1, 4)


def _section(vectors, name, questions, answers, rows):
    known = [tuple(vectors.words[row] for row in question) for question in rows]
    return Section(name, known, answers, answers == rows[:, 3], len(questions))


def _answers(vectors, rows):
    matrix, answers = vectors.matrix, np.empty(len(rows), int)
    for start in range(0, len(rows), BATCH):
        a, b, c = rows[start : start + BATCH, :3].T
        scores = (matrix[b] - matrix[a] + matrix[c]) @ matrix.T  # (questions, words)
        scores[np.arange(len(a))[:, None], rows[start : start + BATCH, :3]] = -np.inf
        answers[start : start + BATCH] = scores.argmax(axis=1)
    return answers


def likeness(vectors, pairs):
    """Spearman's correlation of cosines with people's scores (Finkelstein et al. 2002).

    Args:
        vectors: A `Vectors`.
        pairs: List of `(word, word, score)`.

    Returns:
        The correlation, and the share of pairs that the vocabulary covers.
    """
    from scipy.stats import spearmanr

    known = [row for row in pairs if row[0] in vectors and row[1] in vectors]
    if len(known) < 3:
        return float("nan"), len(known) / max(len(pairs), 1)
    cosines = [float(vectors[first] @ vectors[second]) for first, second, _ in known]
    return float(spearmanr(cosines, [row[2] for row in known])[0]), len(known) / len(pairs)
