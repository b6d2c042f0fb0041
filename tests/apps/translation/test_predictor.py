import numpy as np
import pytest

from apps.translation import MAX_CHARACTERS, copies, views
from apps.translation.model import Translator
from apps.translation.predictor import (
    SPLIT_WORDS,
    Hypothesis,
    Predictor,
    Sentence,
    Translation,
    best_by_length_penalty,
    check_text,
    french_spacing,
    split_lines,
    split_list_mark,
    split_sentences,
)
from shared.errors import UserError
from shared.text import SubwordTokenizer

pytestmark = pytest.mark.slow

TEXTS = ["the dog sleeps in the house.", "le chien dort dans la maison.", "my cat eats fish!"] * 3


@pytest.fixture(scope="module")
def predictor():
    tokenizer = SubwordTokenizer.train(TEXTS, 80)
    network = Translator(tokenizer.size, dimensions=8, units=16, seed=1)
    network.build(((None, None), (None, None)))
    return Predictor(network, tokenizer, {})


@pytest.fixture(scope="module")
def copying_predictor():
    """An untrained network that knows the placeholders."""
    tokenizer = SubwordTokenizer.train(TEXTS, 80)
    tokenizer.add(copies.ALL_PLACEHOLDERS)
    network = Translator(tokenizer.size, dimensions=8, units=16, seed=2)
    network.build(((None, None), (None, None)))
    return Predictor(network, tokenizer, {}, {"the", "dog", "in", "house", "my", "cat", "eats"})


@pytest.mark.parametrize("width", [1, 3, 8])
def test_no_translation_is_empty_or_goes_round_in_circles(predictor, width):
    for sentence in predictor.translate_sentences(["dog", "fish!", "the house.", "CAT"], width):
        assert any(map(str.isalpha, sentence.text))
        pieces = sentence.hypotheses[0].pieces
        assert not any(len(set(pieces[n : n + 4])) == 1 for n in range(len(pieces) - 3))


def test_everything_that_is_copied_stands_in_the_translation_once(copying_predictor):
    text = "My dog eats 12.50 fish at 9:30, Wojciech: https://example.org/?a=1&lt=2 😀"
    for width in (1, 4):
        (sentence,) = copying_predictor.translate(text, width).sentences
        for form in (
            "12,50",
            "9\u00a0h\u00a030",
            "Wojciech",
            "https://example.org/?a=1&lt=2",
            "😀",
        ):
            assert sentence.text.count(form) == 1
        # The page shows what was copied in place of the placeholders, with its attention.
        assert "12.50" in sentence.pieces
        assert "12,50" in sentence.hypotheses[0].pieces
        assert not set("".join((*sentence.pieces, sentence.text))) & set(copies.ALL_PLACEHOLDERS)


def test_a_text_in_capitals_is_translated_as_in_small_letters(copying_predictor):
    small = copying_predictor.translate("The dog eats my cat in the house.")
    capitals = copying_predictor.translate("THE DOG EATS MY CAT IN THE HOUSE.")
    assert capitals.text == small.text.upper()


def test_list_marks_and_indentation_stay(predictor):
    text = "My list:\n- the dog\n  2. the cat\n(3) my house\n* fish"
    lines = predictor.translate(text).text.split("\n")
    assert [line[:3] for line in lines[1:3]] == ["- " + lines[1][2], "  2"]
    assert lines[3].startswith("(3) ") and lines[4].startswith("* ")


def test_a_sentence_that_a_program_has_cut_into_lines_is_one():
    cut = "The dog is sleeping in\nthe old house,\nand eats.\n- My cat and my\ndog eat."
    assert split_lines(cut) == [
        "The dog is sleeping in the old house, and eats.",
        "- My cat and my dog eat.",
    ]
    for text in (
        "milk\neggs\nold bread",
        "My list\nmilk\neggs",
        "The dog sleeps.\nit eats",
        "A\n\nb",
    ):
        assert split_lines(text) == text.split("\n")


@pytest.mark.parametrize(
    "header",
    [
        "[12/05/2024, 18:03:11] Anna: ",
        "\u200e[12.05.24, 18:03] Anna B.: ",
        "5/12/24, 6:03 PM - Anna: ",
        "5/12/24, 6:03\u202fPM - Anna: ",
    ],
)
def test_the_header_of_a_chat_message_stays(header):
    assert split_list_mark(f"{header}The dog: it sleeps.") == (header, "The dog: it sleeps.")


def test_other_alphabets_of_the_same_letters_are_read():
    for text in ("Ｔｈｅ　ｄｏｇ．", "𝗧𝗵𝗲 𝗱𝗼𝗴."):
        check_text(text)
        assert split_sentences(text) == ["The dog."]


def test_long_sentences_without_stops_are_split_between_clauses():
    text = " and ".join(["the dog sleeps in the old house"] * 9) + "."
    parts = split_sentences(text)
    assert " ".join(parts) == text
    assert len(parts) > 1
    assert all(3 < len(part.split()) <= SPLIT_WORDS for part in parts)
    assert split_sentences("word " * 60) == ["word " * 59 + "word"]


def test_other_forms_are_offered_beside_the_translation(predictor, monkeypatch):
    def hypothesis(text):
        return Hypothesis(text, ("x",), np.ones(1), np.ones((1, 1)), 0.0)

    avoided = []

    def translate_sentences(texts, width, alpha, avoid):
        avoided.append(avoid)
        found = ("Vous êtes prêts ?", "Vous êtes prête ?", "Êtes-vous là ?")
        return [Sentence(texts[0], (), tuple(map(hypothesis, found)))]

    monkeypatch.setattr(predictor, "translate_sentences", translate_sentences)
    sentence = Sentence("Are you ready?", (), (hypothesis("Tu es prêt ?"),))
    found = predictor.with_forms(Translation(sentence.text, ((sentence,),)))
    assert found.sentences[0].forms == ("Vous êtes prêts ?", "Vous êtes prête ?")
    assert "▁tu" in avoided[0]
    nobody = Sentence("It rains.", (), (hypothesis("Il pleut."),))
    assert predictor.with_forms(Translation("", ((nobody,),))).sentences[0].forms == ()
    assert len(avoided) == 1


def test_a_risky_translation_is_doubtful(predictor):
    estimate = {"weights": [0.0] * 9, "intercept": 0.0, "threshold": 0.4}
    judged = Predictor(predictor.network, predictor.tokenizer, {"quality": {"estimate": estimate}})
    (sentence,) = judged.translate("the dog sleeps.").sentences
    assert (sentence.risk, sentence.is_doubtful) == (0.5, True)
    (sentence,) = predictor.translate("the dog sleeps.").sentences
    assert (sentence.risk, sentence.is_doubtful) == (None, False)


def test_a_translation_keeps_lines_and_sentences(predictor):
    translation = predictor.translate("The dog sleeps. The cat eats!\n\nMy house.")
    assert [len(line) for line in translation.lines] == [2, 0, 1]
    sources = [sentence.source for sentence in translation.lines[0]]
    assert sources == ["The dog sleeps.", "The cat eats!"]
    _, empty, last = translation.text.split("\n")
    assert (empty, last) == ("", translation.lines[2][0].text)


def test_a_sentence_is_translated_in_a_batch_as_it_is_alone(predictor, monkeypatch):
    # An untrained network stops at the greatest length only, which depends on the padded length.
    monkeypatch.setattr("apps.translation.predictor.PADDED_LENGTHS", (24,))
    texts = ["the dog sleeps.", "my cat eats fish in the house!", "fish", "the cat in the house."]
    together = predictor.translate_sentences(texts)
    for text, sentence in zip(texts, together, strict=True):
        alone = predictor.translate_sentences([text])[0]
        assert sentence.text == alone.text
        assert sentence.pieces == alone.pieces
        np.testing.assert_allclose(sentence.confidence, alone.confidence, rtol=1e-3)


def test_a_text_is_translated_among_many_as_it_is_alone(predictor):
    texts = ["The dog sleeps.\nMy cat eats!", "", "42", "The house. My fish."]
    together = predictor.translate_all(texts)
    assert [translation.text.count("\n") for translation in together] == [1, 0, 0, 0]
    assert [len(translation.sentences) for translation in together] == [2, 0, 1, 2]
    assert (together[1].text, together[1].confidence) == ("", None)
    assert (together[2].text, together[2].confidence) == ("42", None)
    alone = predictor.translate(texts[3])
    assert together[3].confidence == pytest.approx(alone.confidence, rel=1e-3)


def test_the_confidence_of_a_text_is_the_geometric_mean_of_all_its_tokens():
    def sentence(*probabilities, copied=False):
        pieces = ("x",) * len(probabilities)
        best = Hypothesis("", pieces, np.array(probabilities), np.zeros((1, 1)), 0.0)
        return Sentence("", (), (best,), copied=copied)

    text = Translation("", ((sentence(0.5, 0.5), sentence(1.0, copied=True)), (sentence(0.108),)))
    assert text.confidence == pytest.approx(0.3)  # 0.5 * 0.5 * 0.108 is 0.3 to the third


def test_the_best_hypothesis_by_length_penalty_is_that_computed_by_hand():
    def hypothesis(tokens, log_probability):
        probabilities = np.full(tokens, np.exp(log_probability / tokens))
        return Hypothesis("", ("x",) * tokens, probabilities, np.zeros((tokens, 1)), 0.0)

    # At a penalty of 0 the short one is likelier, −1.0 against −1.5. (5 + 7) / 6 = 2 and
    # (5 + 1) / 6 = 1, so that the long one wins once 1.5 / 2 ** a < 1, from a = 0.585.
    ranges = best_by_length_penalty((hypothesis(7, -1.5), hypothesis(1, -1.0)))
    assert ranges == [(0.0, pytest.approx(0.55), 1), (pytest.approx(0.6), 2.0, 0)]
    assert best_by_length_penalty((hypothesis(3, -1.0),)) == [(0.0, 2.0, 0)]


def test_hypotheses_are_distinct_and_ordered_by_score(predictor):
    sentence = predictor.translate_sentences(["the dog eats my cat."], width=4)[0]
    scores = [hypothesis.score for hypothesis in sentence.hypotheses]
    assert scores == sorted(scores, reverse=True)
    assert len({hypothesis.pieces for hypothesis in sentence.hypotheses}) == len(scores) > 1
    for hypothesis in sentence.hypotheses:
        count = len(hypothesis.pieces)
        assert hypothesis.attention.shape == (count, len(sentence.pieces))
        assert hypothesis.probabilities.shape == (count,)
        assert np.all((hypothesis.probabilities > 0) & (hypothesis.probabilities <= 1))


def test_a_wider_beam_scores_higher_and_a_length_penalty_lengthens(predictor):
    text = ["the dog sleeps in my house."]
    narrow, wide = (predictor.translate_sentences(text, width=width)[0] for width in (1, 6))
    assert wide.hypotheses[0].score >= narrow.hypotheses[0].score
    assert len(wide.hypotheses) > len(narrow.hypotheses)
    short, long = (predictor.translate_sentences(text, alpha=alpha)[0] for alpha in (0.0, 5.0))
    assert len(long.hypotheses[0].pieces) >= len(short.hypotheses[0].pieces)
    assert long.hypotheses[0].score != short.hypotheses[0].score


@pytest.mark.parametrize(
    "text",
    [
        "?!",
        "42 + 1 = 43",
        "https://example.org/a?b=c&lt=1",
        "😀😀",
        "...",
        "user@example.org 👍🏽",
    ],
)
def test_a_text_without_words_is_copied(predictor, text):
    translation = predictor.translate(text)
    assert translation.text == text
    assert translation.sentences[0].copied
    assert "copied" in views.notes(translation.sentences[0])[0]


def test_unusual_spaces_and_invisible_characters_do_not_change_a_translation(predictor):
    plain = predictor.translate("The dog sleeps in the house.")
    odd = predictor.translate("\u2003The\u00a0dog\u200b  sleeps\tin the\u202f house.\u2009")
    assert odd.text == plain.text
    assert odd.sentences[0].source == "The dog sleeps in the house."


def test_a_sentence_with_emoji_is_one_sentence(predictor):
    (sentence,) = predictor.translate("The dog 😀 sleeps 👩‍👩‍👧.").sentences
    assert not sentence.copied


def test_unknown_characters_and_unread_tokens_are_counted(predictor, monkeypatch):
    usual, odd = predictor.translate_sentences(["the dog sleeps.", "the dog ☃ sleeps."])
    assert odd.unknown_characters == usual.unknown_characters + 1
    monkeypatch.setattr("apps.translation.predictor.PADDED_LENGTHS", (4,))
    sentence = predictor.translate_sentences(["the dog sleeps in the house."])[0]
    assert sentence.read_tokens == 4 < len(sentence.pieces)


def test_a_text_that_cannot_be_translated_is_refused_with_a_sentence(texts):
    for text in (
        "",
        " \n\t",
        "你好世界",
        "Bonjour, je suis dans le jardin et il est là.",
        "a" * (MAX_CHARACTERS + 1),
    ):
        with pytest.raises(UserError) as error:
            check_text(text)
        texts(error.value)


def test_english_is_not_taken_for_french():
    check_text("He is a grand chef, and the menu was a surprise to the maître d'.")


def test_abbreviations_and_numbers_do_not_end_a_sentence():
    text = (
        "Mr. Smith came at 5 p.m. He said “Hi.” Then… What? J. S. Bach wrote it! see www.a.org. 3.5"
    )
    assert split_sentences(text) == [
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
