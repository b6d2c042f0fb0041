import re
from dataclasses import replace

import numpy as np
import pytest

from apps.vqa import views
from apps.vqa.predictor import Answer, Reply, Word
from shared.photos import Photo

SCORES = {
    "accuracy": 0.45,
    "accuracy_yes/no": 0.6,
    "accuracy_object": 0.4,
    "accuracy_number": 0.3,
    "accuracy_color": 0.35,
}
LSTM = {
    **SCORES,
    "parameters": 1_500_000,
    "threshold": {"probability": 0.2},
    "consistency": {
        "questions": 870, "same": 0.8345, "accuracy": 0.45, "accuracy_rephrased": 0.43,
    },
}  # fmt: skip
CARD = {
    "title": "Questions <about> photos",
    "date": "2026-03-01",
    "seed": 7,
    "test_set": "test <questions>",
    "examples": 1000,
    "scoring": "the & whole",
    "limits": ["It counts <badly>."],
    "answers": 330,
    "coverage": {"validation": 0.94, "test": 0.955},
    "habits": {"all": "no", "yes/no": "no", "number": "2", "other": "left"},
    "baselines": {
        "majority": {**SCORES, "accuracy": 0.3},
        "nearest": {**SCORES, "accuracy": 0.35},
    },
    "variants": {
        "lstm": LSTM,
        "rnn": {**LSTM, "accuracy": 0.43},
        "blind": {**LSTM, "accuracy": 0.38, "accuracy_object": 0.25, "accuracy_number": 0.29},
        "bow": {**LSTM, "accuracy": 0.44},
    },
}
ANSWERS = tuple(
    Answer(*each)
    for each in (("<red>", 0.5), ("blue", 0.2), ("bus", 0.1), ("2", 0.05), ("no", 0.04))
)
WORDS = (
    Word("what", 0, 4, True, 0.25),
    Word("colour", 5, 11, True, 1.5),
    Word("<zork>", 12, 18, False, -0.5),
)


def reply(**changes):
    attention = np.full((7, 7), 1 / 98)
    attention[0, 6] += 0.5
    original = Reply(
        question="what colour <zork>",
        typed="what colour <zork>",
        places=tuple((word.start, word.end) for word in WORDS),
        answers=ANSWERS,
        reference_answers=(Answer("white", 0.4), *ANSWERS[:4]),
        reference_probability=0.125,
        photo_effect=0.3,
        attention=attention,
        words=WORDS,
        is_confident=True,
        is_question=False,
    )
    return replace(original, **changes)


def answered(cell="lstm", history=(), **changes):
    return views.AnsweredQuestion(cell, reply(**changes), history)


def encoded(example="bus", ratio=1.5):
    return views.EncodedPhoto(Photo(None, "data:x", ratio, example), None)


def plain(html):
    """The text of HTML, its tags and the text of its attributes left out."""
    return " ".join(re.sub("<[^>]+>", " ", html).split())


def bar_widths(html):
    return re.findall(r"width:([\d.]+)%", html)


def test_the_answer_comes_with_five_probabilities(texts):
    html = views.draw_answer(answered("rnn"), CARD)
    assert '<p class="said">&lt;red&gt;</p>' in html
    assert bar_widths(html) == ["50.0", "20.0", "10.0", "5.0", "4.0"]
    texts(plain(html))


def test_the_details_hold_the_scores_of_the_network_that_answered():
    html = views.draw_details(encoded(), answered("rnn"), CARD)
    assert "RNN + photo 43.0\u202f%" in html and "blind LSTM 38.0\u202f%" in html
    assert views.photos.OWN_PHOTO_NOTE not in html
    assert views.photos.OWN_PHOTO_NOTE in views.draw_details(encoded(""), answered(), CARD)


def test_words_are_shaded_by_their_importance():
    html = views.draw_details(encoded(), answered(), CARD)
    shades = re.findall(r"--c:rgb\(var\(--(\w+)-rgb\)/(\d+)%\)", html)
    assert shades == [("positive", "10"), ("positive", "60"), ("negative", "20")]
    assert "“&lt;zork&gt;” −0.50, unknown" in html


def test_a_reply_without_confidence_is_not_given_as_the_answer(texts):
    unknown = tuple(replace(word, is_known=False) for word in WORDS)
    for changes in ({}, {"words": unknown}):
        html = views.draw_answer(answered(is_confident=False, **changes), CARD)
        said, sure = re.findall(r'<p class="(?:said|sure)">(.*?)</p>', html)
        assert said == "I don’t know" and "&lt;red&gt;" in sure
        texts(sure)


def test_earlier_questions_about_the_photo_are_listed():
    html = views.draw_answer(answered(history=(("Is it <a> bus?", "Yes"),)), CARD)
    assert "Is it &lt;a&gt; bus? <b>Yes</b>" in html


def test_the_photo_is_darkened_where_there_is_no_attention(texts):
    html = views.draw_attention(encoded(), answered())
    assert html.count("<img") == 2
    texts(plain(html))


def test_the_photo_effect_is_drawn_beside_the_language_prior(texts):
    html = views.draw_photo_effect(encoded(), encoded("lion"), answered(), reply(photo_effect=0.75))
    assert bar_widths(html) == ["30.0", "75.0"]
    assert html.count('class="shot') == 3
    texts(plain(html))
    same = answered(reference_answers=ANSWERS)
    assert "is then the same" in views.draw_photo_effect(encoded(), encoded(), same, reply())


def test_the_most_frequent_answers_of_training_are_given(texts):
    texts(views.describe_prior(CARD))
    texts(views.describe_prior({**CARD, "habits": {"all": "no", "own": "x"}}))


def test_a_pair_with_two_answers_is_told_from_a_pair_with_one(texts):
    photos = encoded().photo, encoded("lion").photo
    html = views.draw_pair("Is it <red>?", *photos, reply())
    assert re.findall(r'class="word">([^<]+)<', html) == ["&lt;red&gt;", "white"]
    texts(plain(html))
    texts(plain(views.draw_pair("?", *photos, reply(reference_answers=ANSWERS))))


def test_networks_stand_side_by_side(texts):
    replies = {"lstm": reply(), "bow": reply(), "blind": reply(answers=(Answer("white", 0.9),))}
    html = views.draw_comparison(replies, CARD)
    assert re.search(r"<tr class=winner><td>LSTM", html) and html.count("winner") == 1
    texts(plain(html))
    same = views.draw_comparison({"lstm": reply(), "blind": reply()}, CARD)
    assert "also says “&lt;red&gt;”" in same


def test_the_scores_say_where_the_photo_helps_and_where_it_does_not(texts):
    html = views.draw_about(CARD)
    assert re.search(r"<tr class=winner><td>LSTM", html) and html.count("winner") == 1
    assert "Location" not in html  # the card has none
    texts(plain(html))


@pytest.mark.parametrize(("network", "accuracy"), [("blind", 0.46), ("bow", 0.47), ("bow", 0.45)])
def test_a_baseline_that_wins_is_named(network, accuracy, texts):
    variants = {**CARD["variants"], network: {**LSTM, "accuracy": accuracy}}
    texts(plain(views.describe_scores({**CARD, "variants": variants})))


def test_other_types_of_questions_are_described_as_a_whole():
    scored = {
        name: {"accuracy": 0.1 * n, "accuracy_breed": 0.1 * n, "parameters": 1}
        for n, name in enumerate(("blind", "lstm"), 2)
    }
    assert "adds 10.0 points of accuracy overall." in views.describe_scores(
        {**CARD, "variants": scored}
    )


def test_a_bundle_with_few_networks_is_shown_too():
    card = {**CARD, "variants": {"lstm": LSTM}, "coverage": {"validation": 0.94}}
    assert "94.0\u202f%" in views.draw_about(card)
    assert "type of question 30.0" in views.draw_details(encoded(), answered(), card)
    assert "Blind" not in views.draw_comparison({"lstm": reply()}, card)


def test_a_file_of_questions_is_summarised(texts):
    results = [("red", 0.5, ""), ("<2>", 0.1, "A guess."), ("", "", "No <question>.")]
    texts(plain(views.draw_batch_summary(["What?", "How <many>?", ""], results)))
