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
    looked = np.full((7, 7), 1 / 98)
    looked[0, 6] += 0.5
    whole = Reply(
        question="what colour <zork>",
        answers=ANSWERS,
        blank=(Answer("white", 0.4), *ANSWERS[:4]),
        kept=0.125,
        looked=0.3,
        attention=looked,
        words=WORDS,
        sure=True,
        notes=("It is <odd>.",),
    )
    return replace(whole, **changes)


def asked(cell="lstm", before=(), **changes):
    return views.Asked(cell, reply(**changes), before)


def seen(example="bus", ratio=1.5):
    return views.Seen(Photo(None, "data:x", ratio, example), None)


def test_the_answer_comes_with_five_probabilities_and_the_networks_scores():
    html = views.answer(seen(), asked("rnn"), CARD)
    assert '<p class="said">&lt;red&gt;</p>' in html
    assert "The RNN gives this a probability of 50\u202f%, among the 330 answers" in html
    assert re.findall(r"width:([\d.]+)%", html) == ["50.0", "20.0", "10.0", "5.0", "4.0"]
    assert "RNN + photo 43.0\u202f%" in html and "blind LSTM 38.0\u202f%" in html
    assert "It counts &lt;badly&gt;." in html and "It is &lt;odd&gt;." in html
    assert "does not hold your photo" not in html and "before:" not in html
    assert "does not hold your photo" in views.answer(seen(""), asked(), CARD)


def test_words_are_shaded_by_how_much_they_mattered():
    html = views.answer(seen(), asked(), CARD)
    shades = re.findall(r"--c:rgb\(var\(--(\w+)-rgb\)/(\d+)%\)", html)
    assert shades == [("positive", "10"), ("positive", "60"), ("negative", "20")]
    assert "“&lt;zork&gt;” −0.50, unknown" in html


def test_it_says_that_it_does_not_know_and_why():
    html = views.answer(seen(), asked(sure=False), CARD)
    assert '<p class="said">I don’t know</p>' in html
    assert "best guess is “&lt;red&gt;”, with a probability of 50\u202f%: below 20\u202f%" in html
    strange = tuple(replace(word, known=False) for word in WORDS)
    assert "knows too few of these words" in views.answer(
        seen(), asked(sure=False, words=strange), CARD
    )


def test_earlier_questions_about_the_photo_are_told():
    html = views.answer(seen(), asked(before=(("Is it <a> bus?", "Yes"),)), CARD)
    assert "before: Is it &lt;a&gt; bus? <b>Yes</b>" in html


def test_the_photo_is_veiled_where_nothing_was_looked_at():
    html = views.sight(seen(), asked())
    assert "most of it to the top right" in html and "“what colour &lt;zork&gt;”" in html
    assert html.count("<img") == 2


def test_the_meter_tells_the_photo_from_the_habit():
    html = views.habit(seen(), seen("lion"), asked(), reply(looked=0.75))
    assert re.findall(r"width:([\d.]+)%", html) == ["30.0", "75.0"]
    assert "photo greyed out, 30\u202f% of the probability moves" in html
    assert "The other 70\u202f% is the habit" in html
    assert "is then another; “&lt;red&gt;” goes from 50\u202f% to 12\u202f%" in html
    assert html.count('class="shot') == 3
    same = views.habit(seen(), seen(), asked(blank=ANSWERS), reply())
    assert "is then the same" in same


def test_the_habits_of_training_are_told():
    assert "was “no” (yes or no), “2” (number). So" in views.usual(CARD)
    assert "was “no”. So" in views.usual({**CARD, "habits": {"all": "no", "own": "x"}})


def test_a_pair_gets_two_answers_or_is_told_that_it_did_not():
    photos = seen().photo, seen("lion").photo
    html = views.pair("Is it <red>?", *photos, reply())
    assert "Is it &lt;red&gt;?" in html
    assert re.findall(r'class="word">([^<]+)<', html) == ["&lt;red&gt;", "white"]
    assert "Two answers to one question" in html and "30\u202f% of the probability" in html
    assert "The same answer to both" in views.pair("?", *photos, reply(blank=ANSWERS))


def test_networks_stand_side_by_side():
    replies = {"lstm": reply(), "bow": reply(), "blind": reply(answers=(Answer("white", 0.9),))}
    html = views.comparison(replies, CARD)
    for name in replies:
        assert f"<td>{views.NETWORKS[name][0]}</td>" in html
    assert re.search(r"<tr class=winner><td>LSTM", html) and html.count("winner") == 1
    assert "which sees no photo, says “white”, the one with it “&lt;red&gt;”" in html
    same = views.comparison({"lstm": reply(), "blind": reply()}, CARD)
    assert "says the same: “&lt;red&gt;” may be habit" in same


def test_the_scores_say_where_the_photo_does_not_help():
    html = views.scores(CARD)
    assert "Questions &lt;about&gt; photos" in html and "test &lt;questions&gt;" in html
    for name in ("LSTM + photo", "Blind LSTM", "Bag of words + photo", *views.OTHERS.values()):
        assert f"<td>{name}</td>" in html
    assert re.search(r"<tr class=winner><td>LSTM", html) and html.count("winner") == 1
    assert "Location" not in html  # the card has none
    text = re.sub("<[^>]+>", " ", views.verdict(CARD))
    assert "makes 7.0 points of difference in all, most for the type “object” (15.0 points)" in text
    kinds = "“yes or no” (0.0 points) and “number” (1.0 points) and “colour” (0.0 points)"
    assert f"It does not help with {kinds}" in text
    assert "which reads in no order, is 1.0 points behind" in text
    assert "870 questions got the same answer in 83.5\u202f% of cases" in text
    assert "95.5\u202f% have theirs among them" in text


@pytest.mark.parametrize(
    ("network", "accuracy", "sentence"),
    [
        ("blind", 0.46, "In all the photo does not help"),
        ("bow", 0.47, "2.0 points ahead"),
        ("bow", 0.45, "is right just as often"),
    ],
)
def test_a_baseline_that_wins_is_named(network, accuracy, sentence):
    variants = {**CARD["variants"], network: {**LSTM, "accuracy": accuracy}}
    assert sentence in views.verdict({**CARD, "variants": variants})


def test_questions_of_other_types_are_told_of_as_a_whole():
    scored = {name: {"accuracy": 0.1 * n, "accuracy_breed": 0.1 * n, "parameters": 1}
              for n, name in enumerate(("blind", "lstm"), 2)}  # fmt: skip
    assert "makes 10.0 points of difference in all." in views.verdict({**CARD, "variants": scored})


def test_a_bundle_with_few_networks_is_shown_too():
    card = {**CARD, "variants": {"lstm": LSTM}, "coverage": {"validation": 0.94}}
    assert "94.0\u202f% have theirs" in views.scores(card)
    assert "frequent answer to each type of question 30.0" in views.answer(seen(), asked(), card)
    assert "Blind" not in views.comparison({"lstm": reply()}, card)


def test_a_file_of_questions_is_summed_up():
    results = [("red", 0.5, ""), ("<2>", 0.1, "A guess."), ("", "", "No <question>.")]
    html = views.summary("a<b>", ["What?", "How <many>?", ""], results)
    assert "column “a&lt;b&gt;”: 2 of 3 answered, 1 of them with “I don’t know”" in html
    assert "row 3: No &lt;question&gt;." in html
    assert "How &lt;many&gt;?" in html and "&lt;2&gt;" in html and "50\u202f%" in html
