import numpy as np
import pytest
from scipy.stats import spearmanr

from apps.analogies import scores
from apps.analogies.vectors import Vectors


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(3)
    words = [f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(120)]
    rows = rng.normal(size=(120, 10))
    rows[60:] = rows[:60] + rng.normal(size=10) + 0.6 * rng.normal(size=(60, 10))
    return Vectors.of(words, rows)


@pytest.fixture(scope="module")
def questions(vectors):
    words = vectors.words
    pairs = [(words[n], words[n + 60]) for n in range(25)]
    rows = [(a, b, c, d) for a, b in pairs for c, d in pairs if a != c]
    return {
        "pairs": rows,
        "unknown": [("waa", "wab", "dragon", "wac"), ("wab", "waa", "wad", "wae")],
    }


def test_accuracy_is_gensims(vectors, questions, tmp_path):
    from gensim.models import KeyedVectors

    path = tmp_path / "questions.txt"
    path.write_text(
        "".join(
            f": {name}\n" + "".join(" ".join(row) + "\n" for row in rows)
            for name, rows in questions.items()
        )
    )
    keyed = KeyedVectors(vector_size=10)
    keyed.add_vectors(vectors.words, vectors.matrix)
    theirs, sections = keyed.evaluate_word_analogies(str(path), restrict_vocab=120)
    results = scores.answer(vectors, questions)
    accuracy, covered, count = scores.total(results)
    assert accuracy == pytest.approx(theirs)
    assert 0.1 < accuracy < 1
    assert int(results[0].right.sum()) == len(sections[0]["correct"])
    assert (count, covered) == (602, 601 / 602)


def test_the_words_of_a_question_are_never_its_answer(vectors, questions):
    for section in scores.answer(vectors, questions):
        for question, answer in zip(section.questions, section.answers, strict=True):
            assert vectors.words[answer] not in question[:3]


def test_a_smaller_vocabulary_covers_and_answers_less(vectors, questions):
    small = vectors.first(80)
    section = scores.answer(small, questions)[0]
    assert section.count == 600
    assert len(section.questions) == 20 * 19
    assert section.answers.max() < 80


def test_stored_answers_give_the_same_scores(vectors, questions):
    results = scores.answer(vectors, questions)
    answers = np.concatenate([section.answers for section in results])
    restored = scores.from_stored_answers(vectors, questions, answers)
    assert scores.total(restored) == scores.total(results)
    assert restored[0].questions == results[0].questions
    with pytest.raises(ValueError, match="one for each covered question"):
        scores.from_stored_answers(vectors, questions, answers[1:])


def test_similarity_is_scored_by_spearmans_correlation(vectors):
    pairs = [("waa", "wab", 9.0), ("waa", "wci", 7.5), ("wac", "wad", 1.0), ("wba", "wbb", 3.0)]
    cosines = [float(vectors[a] @ vectors[b]) for a, b, _ in pairs]
    correlation, covered = scores.correlate_similarity(vectors, [*pairs, ("waa", "dragon", 5.0)])
    assert correlation == pytest.approx(spearmanr(cosines, [9, 7.5, 1, 3])[0])
    assert covered == 0.8


def test_too_few_known_pairs_have_no_correlation(vectors):
    correlation, covered = scores.correlate_similarity(vectors, [("waa", "dragon", 5.0)])
    assert np.isnan(correlation) and covered == 0
