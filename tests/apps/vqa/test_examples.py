import pytest

from apps.vqa.examples import (
    ANY_PHOTO,
    FIRST,
    PAIRS,
    QUESTIONS,
    question_for,
    suggest_questions,
)
from apps.vqa.predictor import check_question
from shared.photos import EXAMPLES


def test_every_photo_has_questions_of_its_own():
    assert set(QUESTIONS) == set(EXAMPLES) and FIRST in EXAMPLES
    for texts in (*QUESTIONS.values(), ANY_PHOTO):
        assert len(set(texts)) >= 4
        assert [check_question(text) for text in texts] == list(texts)


def test_every_pair_is_of_two_photos():
    for text, one, other in PAIRS.values():
        assert one != other and {one, other} <= set(EXAMPLES)
        assert check_question(text) == text


@pytest.mark.parametrize(
    ("example", "question", "stays"),
    [
        ("bus", "Who drives it?", True),
        ("", "Who drives it?", True),
        ("bus", QUESTIONS["bus"][2], True),
        ("bus", QUESTIONS["lion"][0], False),
        ("", QUESTIONS["lion"][0], False),
        ("lion", ANY_PHOTO[0], False),
        ("lion", "  ", False),
    ],
)
def test_a_visitors_question_stays_when_the_photo_changes_and_ours_does_not(
    example, question, stays
):
    expected = question if stays else suggest_questions(example)[0]
    assert question_for(example, question) == expected
