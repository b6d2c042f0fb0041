import re

import numpy as np
import pytest

from apps.captioning import views
from apps.captioning.predictor import Caption, Description
from shared.photos import Photo

SCORES = {"bleu1": 60.0, "bleu2": 40.0, "bleu3": 30.0, "bleu4": 22.0, "cider": 0.5, "rouge_l": 0.45}
CARD = {
    "title": "Captions <for> photos",
    "date": "2026-03-01",
    "seed": 7,
    "test_set": "test <photos>",
    "examples": 100,
    "scoring": "BLEU & others",
    "limits": ["It counts <badly>."],
    "encoder": {"parameters": 2_223_872, "origin": "MobileNetV2 & more"},
    "baselines": {
        "nearest": {**SCORES, "bleu4": 9.0},
        "common": {**SCORES, "bleu4": 5.0},
        "human": {**SCORES, "bleu4": 30.0},
    },
    "variants": {
        "lstm": {**SCORES, "parameters": 5_000_000, "minutes": 30.5},
        "rnn": {**SCORES, "bleu4": 19.5, "parameters": 3_000_000, "minutes": 20.0},
    },
}


def caption(text="a dog runs", each=(0.5, 0.4, 0.8, 0.9), ended=True):
    words = tuple(text.split())
    count = len(words) + ended
    looked = np.full((count, 7, 7), 1 / 98)
    looked[:, 6, 0] += 0.5  # half of it at the bottom left
    gate = np.linspace(0.2, 0.8, count)
    return Caption(words, np.resize(each, count), looked, gate, -1.25, ended)


def seen(*captions, example="running"):
    found = Description(captions or (caption(), caption("two <dogs>")), None)
    pixels = np.zeros((224, 224, 3), "uint8")
    return views.Seen(Photo(pixels, "data:x", 1.5, example), None, found)


def test_the_caption_comes_with_its_probability_and_the_networks_scores():
    html = views.answer(seen(), CARD, "rnn", 3)
    assert '<p class="said">A dog runs.</p>' in html
    # 0.5 × 0.4 × 0.8 × 0.9 = 0.144, whose fourth root is 0.616
    assert "62\u202f% sure of each word" in html
    assert "probability of 14\u202f%: the best that a beam of width 3 found" in html
    assert "RNN 19.5" in html and "nearest training photo 9.0" in html
    assert "5.2 million parameters" in html  # the encoder's too
    assert "People score 30.0. It counts &lt;badly&gt;." in html
    assert "does not hold your photo" not in html and "cut off" not in html
    own = views.answer(seen(caption(ended=False), example=""), CARD, "lstm", 3)
    assert "does not hold your photo" in own and "cut off" in own
    alone = {**CARD, "baselines": {**CARD["baselines"], "human": None}}
    assert "People" not in views.answer(seen(), alone, "lstm", 3) + views.table(alone)


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0.5, "50\u202f%"),
        (0.0312, "3.1\u202f%"),
        (0.00314, "0.31\u202f%"),
        (1 / 4_240_000, "1 in 4,200,000"),
        (1e-12, "under 1 in a billion"),
        (0.0, "under 1 in a billion"),
    ],
)
def test_small_probabilities_keep_two_digits(probability, text):
    assert views.small(probability) == text


def test_each_word_has_a_veil_a_gate_and_a_sentence():
    html = views.sight(seen())
    assert html.count('<img data-show="') == html.count('<p data-show="') == 4
    assert re.findall(r"<b>(\w+)</b>", html) == ["a", "dog", "runs", "end"]
    assert re.findall(r"width:(\d+)%", html) == ["20", "40", "60", "80"]
    assert "“dog”: half of the attention went to one of 49 squares" in html
    assert 'data-count="4" data-n="3"' in html  # where the gate is widest
    assert 'data-n="1"' in views.sight(seen(), 1)
    assert 'data-n="3"' in views.sight(seen(), 99)


def test_a_grid_of_cells_lies_on_the_photo():
    html = views.cover(seen(), 5)
    assert re.findall(r'data-cell="(\d+)"', html) == [str(n) for n in range(49)]
    assert html.count('tabindex="0"') == 1
    assert 'aria-label="row 2, column 3"' in html
    assert html != views.cover(seen(), 6)


def test_what_differs_is_marked():
    now = Description((caption("a black cat runs fast"),), None)
    html = views.changed(seen(), now, 1)
    assert "a <del>dog</del> runs" in html
    assert "a <u>black</u> <ins>cat</ins> runs <ins>fast</ins>" in html
    assert "3 of 5 words are new" in html
    html = views.hidden(seen(), Description((caption("a cat runs"),), None), [3])
    assert "a <ins>cat</ins> runs" in html and "Without one square" in html
    assert "1 of 3 words is new" in html
    same = views.hidden(seen(), Description((caption(),), None), [3, 4])
    assert "The same words" in same and "Without 2 squares" in same and "<ins>" not in same


def test_what_a_network_writes_is_escaped():
    html = views.found(seen(), 1.0) + views.sight(seen(caption("<i> x")))
    html += views.hidden(seen(), Description((caption("<i>"),), None), [0])
    html += views.comparison({"lstm": caption("<i>")}, CARD)
    assert "<i> x" not in html and "<i>.</" not in html and "<ins><i>" not in html
    assert "Two &lt;dogs&gt;." in html


def test_the_table_has_baselines_and_people_who_win_nothing():
    html = views.scores(CARD)
    assert "Captions &lt;for&gt; photos" in html
    for name in ("LSTM", "RNN", *views.OTHERS.values()):
        assert f"<td>{name}</td>" in html
    assert re.search(r"<tr class=winner><td>LSTM</td>", html)
    assert html.count("winner") == 1


def test_references_are_shown_for_examples_only():
    html = views.judged(seen(), SCORES, {**SCORES, "cider": 1.25})
    assert "<li>A cheetah is running across dry ground.</li>" in html
    assert "<td class=number>0.50</td>" in html and "<td class=number>1.25</td>" in html
    assert "Choose an example" in views.judged(seen(example=""), None, None)


def test_many_photos_are_summed_up():
    rows = [["a.jpg", "A dog.", 0.002, ""], ["b/<c>.txt", "", "", "Not a photo."]]
    html = views.summary(rows)
    assert "1 of 2 photos captioned. 1 could not be read; the first, b/&lt;c&gt;.txt: Not" in html
    assert "0.20\u202f%" in html
