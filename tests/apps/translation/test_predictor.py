import numpy as np
import pytest

from apps.translation import LONGEST
from apps.translation.model import Translator
from apps.translation.predictor import (
    Hypothesis,
    InputError,
    Predictor,
    Sentence,
    Translation,
    check,
    french_spacing,
    preferred,
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


def test_many_texts_answer_as_each_alone_does(predictor):
    texts = ["The dog sleeps.\nMy cat eats!", "", "42", "The house. My fish."]
    together = predictor.translate_all(texts)
    assert [found.text.count("\n") for found in together] == [1, 0, 0, 0]
    assert [len(found.sentences) for found in together] == [2, 0, 1, 2]
    assert (together[1].text, together[1].confidence) == ("", None)
    assert (together[2].text, together[2].confidence) == ("42", None)
    alone = predictor.translate(texts[3])
    assert together[3].confidence == pytest.approx(alone.confidence, rel=1e-3)


def test_the_confidence_of_a_text_is_the_geometric_mean_of_all_its_tokens():
    def sentence(*chances, copied=False):
        best = Hypothesis("", ("x",) * len(chances), np.array(chances), np.zeros((1, 1)), 0.0)
        return Sentence("", (), (best,), None, copied, ())

    text = Translation("", ((sentence(0.5, 0.5), sentence(1.0, copied=True)), (sentence(0.108),)))
    assert text.confidence == pytest.approx(0.3)  # 0.5 * 0.5 * 0.108 is 0.3 to the third


def test_what_a_length_penalty_prefers_by_hand():
    def written(tokens, total):
        each = np.full(tokens, np.exp(total / tokens))
        return Hypothesis("", ("x",) * tokens, each, np.zeros((tokens, 1)), 0.0)

    # At a penalty of 0 the short one is likelier, −1.0 against −1.5. (5 + 7) / 6 = 2 and
    # (5 + 1) / 6 = 1, so that the long one wins once 1.5 / 2 ** a < 1, from a = 0.585.
    found = preferred((written(7, -1.5), written(1, -1.0)))
    assert [number for *_, number in found] == [1, 0]
    assert found[0][0] == 0.0 and found[1][1] == 2.0
    assert found[0][1] == pytest.approx(0.55) and found[1][0] == pytest.approx(0.6)
    assert preferred((written(3, -1.0),)) == [(0.0, 2.0, 0)]


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


@pytest.mark.parametrize(
    "text",
    [
        "?!",
        "42 + 1 = 43",
        "https://example.org/a?b=<c>&lt=1",
        "😀😀",
        "...",
        "user@example.org 👍🏽",
    ],
)
def test_what_has_no_words_is_copied(predictor, text):
    found = predictor.translate(text)
    assert found.text == text
    assert found.lines[0][0].copied


def test_unusual_spaces_and_invisible_characters_change_nothing(predictor):
    plain = predictor.translate("The dog sleeps in the house.")
    odd = predictor.translate("\u2003The\u00a0dog\u200b  sleeps\tin the\u202f house.\u2009")
    assert odd.text == plain.text
    assert odd.sentences[0].source == "The dog sleeps in the house."


def test_emoji_among_words_do_no_harm(predictor):
    found = predictor.translate("The dog 😀 sleeps 👩‍👩‍👧.")
    assert len(found.sentences) == 1
    assert not found.sentences[0].copied


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
