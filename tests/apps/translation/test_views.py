import re

import numpy as np
import pytest

from apps.translation import charts, views
from apps.translation.memory import Recall
from apps.translation.predictor import Hypothesis, Sentence, Translation

ENGLISH = ("▁The", "▁bl", "ack", "▁dog", "!", "[END]")
FRENCH = ("▁Le", "▁chi", "en", "▁noir", "▁!", "[END]")
LOOKED = np.array(
    [
        [0.9, 0.0, 0.0, 0.1, 0.0, 0.0],
        [0.0, 0.1, 0.1, 0.8, 0.0, 0.0],
        [0.0, 0.0, 0.2, 0.8, 0.0, 0.0],
        [0.0, 0.5, 0.4, 0.1, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
    ]
)
CARD = {
    "title": "English to French",
    "date": "2026-03-01",
    "seed": 7,
    "test_set": "test <pairs>",
    "examples": 100,
    "signature": "nrefs:1",
    "memory": {"sentences": 1000, "usual_words": 26, "false_positives": 0.0025},
    "baseline": {"name": "word for word", "words": 9, "bleu": 20.0},
    "variants": {
        "attention": {"bleu": 50.5, "chrf": 70.0, "parameters": 5_200_000, "minutes": 3.5},
        "plain": {"bleu": 30.0, "chrf": 50.0, "parameters": 1_700_000, "minutes": 2.0},
    },
}
NAMES = ["[PAD]", "[UNK]", "[BEGIN]", "[END]", "▁Le", "▁La", "▁chien", "▁chat"]


def named(numbers):
    return [NAMES[int(number)] for number in numbers]


def sentence(notes=(), chances=(0.9, 0.9, 0.9, 0.2, 0.9, 0.9)):
    best = Hypothesis("Le chien noir\u202f!", FRENCH, np.array(chances), LOOKED, -0.5)
    return Sentence("The black dog!", ENGLISH, (best,), None, False, tuple(notes))


def searched():
    """Width 2: “Le chien” wins; “La” is kept at first, “La chat” is pruned."""
    never = -1e9
    tree = {
        "token": np.array([[4, 5, 6, 7], [6, 7, 6, 7], [3, 3, 7, 7], [0, 0, 3, 3]]),
        "parent": np.array([[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 0, 1]]),
        "score": np.array(
            [
                [-0.1, -2.5, -4, -5],
                [-0.3, -1.9, -3, -4],
                [-0.4, -2.1, -5, -6],
                [-0.4, -2.1, never, never],
            ]
        ),
    }
    pieces = (("▁Le", "▁chien", "[END]"), ("▁Le", "▁chat", "[END]"))
    each = (np.exp([-0.1, -0.2, -0.1]), np.exp([-0.1, -1.8, -0.2]))
    found = tuple(
        Hypothesis(text, p, e, np.eye(3), -1.0)
        for text, p, e in zip(("Le chien", "Le chat"), pieces, each, strict=True)
    )
    return Sentence("The dog", ("▁The", "▁dog", "[END]"), found, tree, False, ())


def test_tokens_become_words_where_they_stand():
    text = "Le chien noir\u202f!"
    found = views.words(FRENCH, text)
    assert [(text[a:b], tokens) for a, b, tokens in found] == [
        ("Le", (0,)), ("chien", (1, 2)), ("noir", (3,)), ("!", (4,)),
    ]  # fmt: skip


def test_an_elision_a_figure_and_an_unknown_token_are_words_of_their_own():
    pieces = ("▁l'", "homme", "▁a", "▁2", "0", "▁", "[UNK]", "▁ans", ".", "[END]")
    text = "l'homme a 20 ☃ ans."
    words = [text[a:b] for a, b, _ in views.words(pieces, text)]
    assert words == ["l'", "homme", "a", "20", "ans", "."]


def test_attention_of_words_is_the_mean_of_rows_and_the_sum_of_columns():
    french, english = views.words(FRENCH, sentence().text), views.words(ENGLISH, "The black dog!")
    found = views.word_weights(LOOKED, french, english)
    np.testing.assert_allclose(
        found,
        [[0.9, 0, 0.1, 0], [0, 0.2, 0.8, 0], [0, 0.9, 0.1, 0], [0, 0, 0, 1]],
        atol=1e-9,
    )


def test_the_text_carries_its_weights_and_marks_what_is_unsure():
    html = views.aligned(sentence())
    assert re.findall(r'class="e">([^<]+)<', html) == ["The", "black", "dog", "!"]
    french = re.findall(r'class="f([^"]*)".*?data-w="([^"]+)" data-p="[^"]+">([^<]+)<', html)
    assert french[1] == ("", "0 20 80 0", "chien")
    assert french[2] == (" unsure", "0 90 10 0", "noir")
    assert html.count('tabindex="0"') == 1


def test_what_is_typed_is_escaped():
    text = "<b>dog</b> & cat"
    best = Hypothesis("<i>x", ("▁<", "i", ">", "x"), np.ones(4), np.ones((4, 1)), 0.0)
    html = views.aligned(Sentence(text, ("▁dog",), (best,), None, False, ()))
    assert "<b>" not in html and "<i>" not in html
    assert "&lt;b&gt;" in html


def test_the_answer_says_how_sure_and_what_speaks_against_it():
    one = Translation("Le chien noir\u202f!", ((sentence(("A note.",)),),))
    assert "sure of its tokens" in views.answer(one, [[]], CARD)
    html = views.answer(one, [["“dog” is <new>."]], CARD)
    assert "sure, but read this first" in html
    assert "“dog” is &lt;new&gt;." in html
    assert "A note." in html
    assert "LSTM with attention 50.5" in html
    two = Translation("", ((sentence(), sentence()),))
    assert "Sentence 2: Odd." in views.answer(two, [[], ["Odd."]], CARD)


def test_the_heat_map_names_both_axes():
    html = charts.alignment(sentence(), "See <this>.")
    assert [html.count(f"<b>{name}</b>") for name in ("ack", "en", "end")] == [1, 1, 2]
    assert "“chi” looked at “dog” 80\u202f%, “bl” 10\u202f%, “ack” 10\u202f%" in html
    assert "See &lt;this&gt;." in html


def test_the_tree_shows_the_winner_the_kept_and_the_pruned():
    html = charts.beam_tree(searched(), named, "caption")
    nodes = re.findall(r'<i class="node ([^"]*)"[^>]*>([^<]+)<', html)
    kinds = {}
    for kind, name in nodes:
        kinds.setdefault(tuple(kind.split()), []).append(name)
    assert kinds[("best", "alive")] == ["Le", "chien", "end"]
    assert kinds[("alive",)] == ["chat", "end"]
    # Two beginnings and two continuations pruned at once at each of the three steps, and "La".
    assert kinds[("pruned",)] == ["La", "chien", "chat", "chien", "chat", "chat", "chat"]
    assert "kept here and pruned later" in html
    assert "chien: log-probability −0.20, with all before it −0.30" in html
    # A path for every node but the beginning, and no step after all have ended.
    assert html.count("<path") == len(nodes) - 1
    assert "3 steps" in html


def test_the_translations_found_stand_with_their_scores():
    html = views.beam(searched(), named, [(0.0, 0.5, 0), (0.55, 2.0, 1)], 1.0)
    assert html.index("Le chien</span>") < html.index("Le chat</span>")
    assert "−0.40" in html and "−2.10" in html
    assert "0 to 0.5, number 1; 0.55 to 2, number 2" in html
    assert "wins at every length penalty" in views.beam(searched(), named, [(0.0, 2.0, 0)], 1.0)


def test_the_study_is_drawn_where_it_was_measured():
    assert "does not say how its networks score by length" in views.study(CARD)
    groups = [
        {"words": "1–5", "bleu": 40.0, "sentences": 5},
        {"words": "21+", "bleu": 9.5, "sentences": 2},
    ]
    details = {**CARD["variants"]["plain"], "by_length": groups}
    html = views.study({**CARD, "variants": {"plain": details}})
    assert "21+ words · LSTM, no attention 9.5" in html
    assert html.count("<path") == 1
    better = [
        {**each, "bleu": each["bleu"] + gain} for each, gain in zip(groups, (2, 12.5), strict=True)
    ]
    html = views.study({**CARD, "variants": {"small": {"by_length": better}, "plain": details}})
    assert "+2.0 BLEU in sentences of 1–5 words, +12.5 in those of 21+." in html


def test_the_networks_stand_side_by_side():
    html = views.comparison({"attention": sentence(), "plain": sentence()}, "Le noir <chien", CARD)
    assert "LSTM with attention" in html and "LSTM, no attention" in html
    assert "Le noir &lt;chien" in html
    assert "BLEU 50.5 · 5.2 million parameters" in html


@pytest.mark.parametrize(
    ("recall", "said"),
    [
        (Recall(((0, 3), (4, 9), (10, 13)), (True,) * 3, True, None, None), "This very sentence"),
        (Recall(((0, 3), (4, 9), (10, 13)), (True,) * 3, False, None, None), "as a whole was not"),
        (Recall(((0, 3), (4, 9), (10, 13)), (True,) * 3, False, 0.0, None), "No run of four words"),
        (Recall(((0, 3), (4, 9), (10, 13)), (True,) * 3, False, 0.5, (0, 2)), "has 2 of its 3"),
    ],
)
def test_memory_is_told_from_composition(recall, said):
    assert said in views.recalled(sentence(), recall, None, CARD)


def test_the_stretch_and_new_words_are_marked_and_the_nearest_quoted():
    recall = Recall(((0, 3), (4, 9), (10, 13)), (True, False, True), False, 0.5, (0, 2))
    html = views.recalled(sentence(), recall, ("A <black> cat.", 0.5), CARD)
    assert '<span class="seen">The <span class="new">black</span></span> dog!' in html
    assert "once in 400 times" in html
    assert "50\u202f% alike in words and order" in html
    assert "A &lt;black&gt; cat." in html


def test_a_file_is_summed_up():
    rows = [
        ("Salut.", 0.9, ""),
        ("你好", "", "Another alphabet."),
        ("", "", ""),
        ("Va.", 0.3, "Odd."),
        ("?!", "", ""),
    ]
    html = views.summary(rows)
    assert "2 of 5 rows translated. 1 held no words and were copied. 1 were left" in html
    assert "the first because: Another alphabet." in html
    assert "1 carry a warning" in html


def test_about_shows_every_network_and_the_baseline():
    html = views.scores(CARD)
    assert html.count("<tr") == 4
    assert "<tr class=winner><td>LSTM with attention" in html
    assert "nrefs:1" in html
