import numpy as np
import pytest

from apps.translation.model import Translator
from apps.translation.predictor import (
    LONGEST,
    InputError,
    Predictor,
    check,
    french_spacing,
    sentences_of,
)
from shared.text import SubwordTokenizer

TEXTS = ["the dog sleeps in the house.", "le chien dort dans la maison.", "my cat eats fish!"] * 3


@pytest.fixture(scope="module")
def predictor():
    tokenizer = SubwordTokenizer.train(TEXTS, 80)
    network = Translator(tokenizer.size, dimensions=8, units=16, seed=1)
    network.build(((None, None), (None, None)))
    return Predictor(network, tokenizer, {})


def test_lines_and_sentences_stay_where_they_were(predictor):
    found = predictor.translate("The dog sleeps. The cat eats!\n\nMy house.")
    assert [len(line) for line in found.lines] == [2, 0, 1]
    assert [each.source for each in found.lines[0]] == ["The dog sleeps.", "The cat eats!"]
    assert found.text.count("\n") == 2
    assert found.text.split("\n")[1] == ""
    assert found.text.split("\n")[2] == found.lines[2][0].text


def test_a_batch_answers_as_one_sentence_alone_does(predictor, monkeypatch):
    # The most tokens written go by the padded length, and an untrained network ends nowhere else.
    monkeypatch.setattr("apps.translation.predictor.LENGTHS", (24,))
    texts = ["the dog sleeps.", "my cat eats fish in the house!", "fish", "the cat in the house."]
    together = predictor.sentences(texts)
    for text, found in zip(texts, together, strict=True):
        alone = predictor.sentences([text])[0]
        assert found.text == alone.text
        assert found.pieces == alone.pieces
        np.testing.assert_allclose(found.confidence, alone.confidence, rtol=1e-3)


def test_hypotheses_are_distinct_ordered_and_whole(predictor):
    found = predictor.sentences(["the dog eats my cat."], width=4)[0]
    scores = [each.score for each in found.hypotheses]
    assert len(scores) > 1
    assert scores == sorted(scores, reverse=True)
    assert len({each.pieces for each in found.hypotheses}) == len(scores)
    for each in found.hypotheses:
        assert each.attention.shape == (len(each.pieces), len(found.pieces))
        np.testing.assert_allclose(each.attention.sum(axis=1), 1, atol=1e-4)
        assert np.all((each.each > 0) & (each.each <= 1))


def test_width_and_length_penalty_act(predictor):
    text = ["the dog sleeps in my house."]
    narrow, wide = (predictor.sentences(text, width=width)[0] for width in (1, 6))
    assert wide.hypotheses[0].score >= narrow.hypotheses[0].score
    assert len(wide.hypotheses) > len(narrow.hypotheses)
    short, long = (predictor.sentences(text, alpha=alpha)[0] for alpha in (0.0, 5.0))
    assert len(long.hypotheses[0].pieces) >= len(short.hypotheses[0].pieces)
    assert long.hypotheses[0].score != short.hypotheses[0].score


@pytest.mark.parametrize("text", ["?!", "42 + 1 = 43", "https://example.org/a?b=c", "😀😀", "..."])
def test_what_has_no_words_is_copied(predictor, text):
    found = predictor.translate(text)
    assert found.text == text
    assert found.lines[0][0].copied


def test_unknown_characters_are_noted(predictor):
    found = predictor.sentences(["the dog ☃ sleeps."])[0]
    assert any("1 of its characters" in note for note in found.notes)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "nothing to translate"),
        (" \n\t", "nothing to translate"),
        ("你好世界", "another alphabet"),
        ("Bonjour, je suis dans le jardin et il est là.", "French already"),
        ("a" * (LONGEST + 1), "at most 5,000"),
    ],
)
def test_what_cannot_be_translated_gets_a_sentence(text, sentence):
    with pytest.raises(InputError, match=sentence):
        check(text)


def test_english_is_not_taken_for_french():
    check("He is a grand chef, and the menu was a surprise to the maître d'.")


def test_sentences_end_where_they_end():
    text = (
        "Mr. Smith came at 5 p.m. He said “Hi.” Then… What? J. S. Bach wrote it! see www.a.org. 3.5"
    )
    assert sentences_of(text) == [
        'Mr. Smith came at 5 p.m. He said "Hi."',
        "Then…",
        "What?",
        "J. S. Bach wrote it! see www.a.org.",
        "3.5",
    ]


def test_french_spacing_is_narrow_before_high_marks():
    assert french_spacing("Est-ce vrai ? Oui ! ") == "Est-ce vrai\u202f? Oui\u202f!"
    assert (
        french_spacing("« Bien » : dit-il ; 12:30")
        == "«\u00a0Bien\u00a0»\u00a0: dit-il\u202f; 12:30"
    )
    assert french_spacing("sans espace?") == "sans espace\u202f?"
