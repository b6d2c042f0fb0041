import numpy as np
import pytest

from apps.vqa.kinds import find_options, kind_of, select_answers

ANSWERS = ["yes", "no", "2", "many", "red", "dog"]


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("how many dogs are there", "number"),
        ("can you count how many dogs there are", "number"),
        ("in the garden are how many dogs", "number"),
        ("what is the number of dogs", "number"),
        ("what number is on the door", "thing"),
        ("what color is the dog", "colour"),
        ("what is the colour of the dog", "colour"),
        ("can you tell me which colour the dog is", "colour"),
        ("is this a dog", "yes/no"),
        ("isn't this a dog", "yes/no"),
        ("could this be a dog", "yes/no"),
        ("is there a cat or a dog", "yes/no"),
        ("are there cats or dogs", "yes/no"),
        ("are there more cats or dogs", "choice"),
        ("is this a cat or a dog", "choice"),
        ("what is on the floor", "thing"),
        ("the man in the door holds what", "thing"),
        ("where is the cat or dog", "thing"),
        ("do you know where this is", "thing"),
        ("tell me what this is", "thing"),
        ("the dog", None),
        ("", None),
    ],
)
def test_the_kind_of_answer(question, kind):
    assert kind_of(question.split()) == kind


@pytest.mark.parametrize(
    ("kind", "fitting"),
    [
        ("yes/no", ["yes", "no"]),
        ("number", ["2", "many"]),
        ("colour", ["red"]),
        ("thing", ["2", "many", "red", "dog"]),
        ("choice", ANSWERS),
        (None, ANSWERS),
    ],
)
def test_answers_of_the_kind_are_selected(kind, fitting):
    assert [ANSWERS[n] for n in np.flatnonzero(select_answers(kind, ANSWERS))] == fitting


def test_all_answers_are_selected_where_none_is_of_the_kind():
    assert select_answers("colour", ["yes", "no"]).all()


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("is this a cat or a dog", [("cat", "is this a cat"), ("dog", "is this a dog")]),
        ("is it day or night", [("day", "is it day"), ("night", "is it night")]),
        (
            "are these horses or cows in the field",
            [("horses", "are these horses"), ("cows", "are these cows in the field")],
        ),
        (
            "is it a tall tree or a house",
            [("tall tree", "is it a tall tree"), ("house", "is it a house")],
        ),
        ("is this or", []),
        ("is or that", []),
        ("is this a cat", []),
        ("what is on the cat or dog", []),
    ],
)
def test_each_option_is_asked_for_alone(question, options):
    words = question.split()
    found = [(name, " ".join(words[n] for n in places)) for name, places in find_options(words)]
    assert found == options
