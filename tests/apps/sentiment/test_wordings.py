import pytest

from apps.sentiment.wordings import template
from apps.sentiment.wordings.difference import split_by_difference
from apps.sentiment.wordings.tab import texts_of
from apps.sentiment.wordings.views import all_texts, side_by_side
from shared.errors import UserError


def test_a_template_makes_all_combinations_in_its_order():
    assert texts_of("I {don't} like the {food|film}") == [
        "I don't like the food",
        "I don't like the film",
        "I like the food",
        "I like the film",
    ]
    assert texts_of("Just | a text") == ["Just | a text"]
    assert texts_of("{not |}good{| at all}") == [
        "not good",
        "not good at all",
        "good",
        "good at all",
    ]
    assert len(texts_of("{a|b}" * 6)) == template.MAX_TEXTS


def test_options_are_told_from_the_words_around_them():
    (first, _) = template.expand(template.parse("a {b} c"))
    assert first == [("a ", False), ("b", True), (" c", False)]


def test_a_template_that_cannot_be_used_is_refused_with_a_sentence(texts):
    for text in ("a {b", "a } b", "a {b}} c", "a {b {c} d}", "a {} b", "a {|} b", "{a|b}" * 7):
        with pytest.raises(UserError) as refusal:
            texts_of(text)
        texts(refusal.value)
    with pytest.raises(UserError, match="at most 1,000 characters"):
        texts_of("a" * 1_001)


def test_words_that_differ_are_marked_in_both_texts():
    first, second = split_by_difference("I didn't like it.", "I really like it!")
    assert first == [("I ", False), ("didn't", True), (" like it", False), (".", True)]
    assert second == [("I ", False), ("really", True), (" like it", False), ("!", True)]
    assert split_by_difference("same", "same") == ([("same", False)], [("same", False)])


def test_two_texts_stand_side_by_side_with_both_answers(general):
    readings = [general.read(text) for text in ("a good & film", "a bad & film")]
    html = side_by_side(readings, three=True)
    assert "a <mark>good</mark> &amp; film" in html and "a <mark>bad</mark> &amp; film" in html
    assert html.count("share-bar") == 2 and "points" in html
    assert "The two texts are the same." in side_by_side(readings[:1] * 2, three=False)


def test_all_texts_of_a_template_are_listed_with_their_answers(general):
    pieces = template.expand(template.parse("a {good|bad} <film>"))
    classes = general.predict_classes([template.join(each) for each in pieces])
    html = all_texts(pieces, classes, three=True)
    assert html.index("a <mark>good</mark> &lt;film&gt;") < html.index("a <mark>bad</mark>")
    assert html.count("share-bar") == 2
