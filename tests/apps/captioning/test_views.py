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


def caption(text="a dog runs", probabilities=(0.5, 0.4, 0.8, 0.9), is_complete=True):
    words = tuple(text.split())
    count = len(words) + is_complete
    attention = np.full((count, 7, 7), 1 / 98)
    attention[:, 6, 0] += 0.5  # half of it at the bottom left
    gate = np.linspace(0.2, 0.8, count)
    return Caption(words, np.resize(probabilities, count), attention, gate, -1.25, is_complete)


def captioned(*captions, example="running"):
    description = Description(captions or (caption(), caption("two <dogs>")), None)
    pixels = np.zeros((224, 224, 3), "uint8")
    return views.CaptionedPhoto(Photo(pixels, "data:x", 1.5, example), None, description)


def plain(html):
    """The text of HTML, its tags and the text of its attributes left out."""
    return " ".join(re.sub("<[^>]+>", " ", html).split())


def test_the_caption_comes_with_its_probability(texts):
    html = views.draw_answer(captioned(), "rnn")
    assert '<p class="said">A dog runs.</p>' in html
    # 0.5 × 0.4 × 0.8 × 0.9 = 0.144, whose fourth root is 0.616
    assert "62\u202f% sure" in html and "probability 14\u202f%" in html
    texts(plain(html))
    texts(plain(views.draw_answer(captioned(caption(is_complete=False)), "lstm")))


def test_the_details_hold_the_scores_of_the_network_that_wrote():
    html = views.draw_details(captioned(), CARD, "rnn")
    assert "RNN 19.5" in html and "nearest training photo 9.0" in html
    assert "5.2 million parameters" in html  # the encoder's too
    assert "People score 30.0. It counts &lt;badly&gt;." in html
    assert views.photos.OWN_PHOTO_NOTE not in html
    assert views.photos.OWN_PHOTO_NOTE in views.draw_details(captioned(example=""), CARD, "lstm")


def test_people_are_left_out_where_nobody_scored_them():
    card = {**CARD, "baselines": {**CARD["baselines"], "human": None}}
    assert "People" not in views.draw_details(captioned(), card, "lstm") + views.draw_scores(card)


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0.5, "50\u202f%"),
        (0.0312, "3.1\u202f%"),
        (0.00314, "0.31\u202f%"),
        (1 / 4_240_000, "1 in 4,200,000"),
        (1e-12, "less than 1 in a billion"),
        (0.0, "less than 1 in a billion"),
    ],
)
def test_small_probabilities_keep_two_digits(probability, text):
    assert views.format_probability(probability) == text


def test_each_word_has_an_overlay_a_gate_and_a_sentence():
    html = views.draw_attention(captioned())
    assert html.count('<img data-show="') == html.count('<p data-show="') == 4
    assert re.findall(r"<b>(\w+)</b>", html) == ["a", "dog", "runs", "end"]
    assert re.findall(r"width:(\d+)%", html) == ["20", "40", "60", "80"]
    assert "“dog”: half of the attention went to one of 49 squares" in html
    assert 'data-count="4" data-n="3"' in html  # the word with the largest gate
    assert 'data-n="1"' in views.draw_attention(captioned(), 1)
    assert 'data-n="3"' in views.draw_attention(captioned(), 99)


def test_a_grid_of_squares_covers_the_photo():
    html = views.draw_squares(captioned(), 5)
    assert re.findall(r'data-cell="(\d+)"', html) == [str(n) for n in range(49)]
    assert html.count('tabindex="0"') == 1
    assert 'aria-label="row 2, column 3"' in html
    assert html != views.draw_squares(captioned(), 6)


def test_words_that_differ_are_marked(texts):
    new = Description((caption("a black cat runs fast"),), None)
    html = views.draw_changed(captioned(), new, 1)
    assert "a <del>dog</del> runs" in html
    assert "a <u>black</u> <ins>cat</ins> runs <ins>fast</ins>" in html
    texts(plain(html))
    html = views.draw_hidden(captioned(), Description((caption("a cat runs"),), None), [3])
    assert "a <ins>cat</ins> runs" in html
    texts(plain(html))
    html = views.draw_hidden(captioned(), Description((caption(),), None), [3, 4])
    assert "<ins>" not in html and "<del>" not in html
    texts(plain(html))


def test_the_words_of_a_caption_are_escaped():
    html = views.draw_beam(captioned(), 1.0) + views.draw_attention(captioned(caption("<i> x")))
    html += views.draw_hidden(captioned(), Description((caption("<i>"),), None), [0])
    html += views.draw_comparison({"lstm": caption("<i>")}, CARD)
    assert "<i> x" not in html and "<i>.</" not in html and "<ins><i>" not in html
    assert "Two &lt;dogs&gt;." in html


def test_people_do_not_win_the_table(texts):
    html = views.draw_about(CARD)
    assert re.search(r"<tr class=winner><td>LSTM</td>", html) and html.count("winner") == 1
    texts(plain(html))


def test_only_examples_have_references():
    html = views.draw_references(captioned(), SCORES, {**SCORES, "cider": 1.25})
    assert "<li>A cheetah is running across dry ground.</li>" in html
    assert "<td class=number>0.50</td>" in html and "<td class=number>1.25</td>" in html
    assert "<li>" not in views.draw_references(captioned(example=""), None, None)


def test_several_photos_are_summarised(texts):
    rows = [["a.jpg", "A dog.", 0.002, ""], ["b/<c>.txt", "", "", "Not a photo."]]
    texts(plain(views.draw_batch_summary(rows)))
