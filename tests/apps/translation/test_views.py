import re

import numpy as np
import pytest

from apps.translation import charts, views
from apps.translation.memory import Memory, Overlap
from apps.translation.predictor import Hypothesis, Sentence, Translation

ENGLISH = ("▁The", "▁bl", "ack", "▁dog", "!", "[END]")
FRENCH = ("▁Le", "▁chi", "en", "▁noir", "▁!", "[END]")
ATTENTION = np.array(
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
PIECES = ["[PAD]", "[UNK]", "[BEGIN]", "[END]", "▁Le", "▁La", "▁chien", "▁chat"]


def pieces_of(numbers):
    return [PIECES[int(number)] for number in numbers]


def make_sentence(
    source="The black dog!", probabilities=(0.9, 0.9, 0.9, 0.2, 0.9, 0.9), text=None, **facts
):
    french = "Le chien noir\u202f!" if text is None else text
    best = Hypothesis(french, FRENCH, np.array(probabilities), ATTENTION, -0.5)
    return Sentence(source, ENGLISH, (best,), **facts)


def make_translation(*sentences):
    return Translation(" ".join(sentence.text for sentence in sentences), (sentences,))


def make_search():
    """Width 2: “Le chien” wins; “La” is kept at first, “La chat” is pruned."""
    impossible = -1e9
    tree = {
        "token": np.array([[4, 5, 6, 7], [6, 7, 6, 7], [3, 3, 7, 7], [0, 0, 3, 3]]),
        "parent": np.array([[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 0, 1]]),
        "score": np.array(
            [
                [-0.1, -2.5, -4, -5],
                [-0.3, -1.9, -3, -4],
                [-0.4, -2.1, -5, -6],
                [-0.4, -2.1, impossible, impossible],
            ]
        ),
    }
    pieces = (("▁Le", "▁chien", "[END]"), ("▁Le", "▁chat", "[END]"))
    probabilities = (np.exp([-0.1, -0.2, -0.1]), np.exp([-0.1, -1.8, -0.2]))
    hypotheses = tuple(
        Hypothesis(text, p, probability, np.eye(3), -1.0)
        for text, p, probability in zip(("Le chien", "Le chat"), pieces, probabilities, strict=True)
    )
    return Sentence("The dog", ("▁The", "▁dog", "[END]"), hypotheses, tree)


def test_tokens_are_joined_to_words_with_their_places():
    text = "Le chien noir\u202f!"
    words = views.words(FRENCH, text)
    assert [(text[a:b], tokens) for a, b, tokens in words] == [
        ("Le", (0,)), ("chien", (1, 2)), ("noir", (3,)), ("!", (4,)),
    ]  # fmt: skip


def test_an_elision_a_number_and_an_unknown_token_are_separate_words():
    pieces = ("▁l'", "homme", "▁a", "▁2", "0", "▁", "[UNK]", "▁ans", ".", "[END]")
    text = "l'homme a 20 ☃ ans."
    words = [text[a:b] for a, b, _ in views.words(pieces, text)]
    assert words == ["l'", "homme", "a", "20", "ans", "."]


def test_attention_of_words_is_the_mean_of_rows_and_the_sum_of_columns():
    french, english = (
        views.words(FRENCH, make_sentence().text),
        views.words(ENGLISH, "The black dog!"),
    )
    np.testing.assert_allclose(
        views.word_weights(ATTENTION, french, english),
        [[0.9, 0, 0.1, 0], [0, 0.2, 0.8, 0], [0, 0.9, 0.1, 0], [0, 0, 0, 1]],
        atol=1e-9,
    )


def test_aligned_words_carry_their_weights_and_unlikely_ones_are_marked():
    html = views.aligned(make_sentence())
    assert re.findall(r'class="e">([^<]+)<', html) == ["The", "black", "dog", "!"]
    french = re.findall(r'class="f([^"]*)".*?data-w="([^"]+)" data-p="[^"]+">([^<]+)<', html)
    assert french[1] == ("", "0 20 80 0", "chien")
    assert french[2] == (" unsure", "0 90 10 0", "noir")
    assert html.count('tabindex="0"') == 1


def test_source_and_translation_are_escaped():
    text = "<b>dog</b> & cat"
    best = Hypothesis("<i>x", ("▁<", "i", ">", "x"), np.ones(4), np.ones((4, 1)), 0.0)
    html = views.aligned(Sentence(text, ("▁dog",), (best,)))
    assert "<b>" not in html and "<i>" not in html
    assert "&lt;b&gt;" in html


def test_the_answer_has_confidence_warnings_and_notes():
    translation = make_translation(make_sentence(unknown_characters=1))
    html = views.answer(translation, [["“dog” is <new>."]], CARD)
    assert "“dog” is &lt;new&gt;." in html
    assert "1 of its characters" in html
    assert "LSTM with attention 50.5" in html
    html = views.answer(make_translation(make_sentence(), make_sentence()), [[], ["Odd."]], CARD)
    assert "Sentence 2: Odd." in html
    html = views.answer(make_translation(*[make_sentence()] * 9), [["Odd."]] * 9, CARD)
    assert html.count("Odd.") == 5
    assert "4 more remarks" in html


def test_a_doubtful_translation_stands_beside_the_dictionarys_and_forms_are_named():
    doubtful = make_sentence(risk=0.62, is_doubtful=True, forms=("Les chiens noirs !",))
    reasons = views.warnings(doubtful, Overlap(((0, 3),), (True,), False, None, None), 20)
    html = views.answer(make_translation(doubtful), [reasons], CARD, lambda text: f"<{text}>")
    assert "&lt;The black dog!&gt;" in html and "Les chiens noirs !" in html
    assert any("probably poor" in reason for reason in reasons)
    sure = views.answer(make_translation(make_sentence(risk=0.1)), [[]], CARD, lambda text: "zzz")
    assert "zzz" not in sure


def test_words_are_found_where_capitals_differ():
    words = views.words(("▁Le", "▁chi", "en", "[END]"), "LE CHIEN")
    assert [(start, end) for start, end, _ in words] == [(0, 2), (3, 8)]


def test_the_confidence_is_put_into_words(texts):
    sure, unlikely_word = make_sentence(probabilities=(0.9,) * 6), make_sentence()
    unsure = make_sentence(probabilities=(0.3,) * 6)
    copied = make_sentence(text="42", copied=True)
    for sentence, reasons in (
        (sure, []),
        (unlikely_word, []),
        (sure, ["Odd."]),
        (unsure, ["Odd."]),
        (copied, []),
    ):
        html = views.answer(make_translation(sentence), [reasons], CARD)
        texts(re.sub("<[^>]+>", "|", html[: html.index("</p>")]))


def test_an_empty_translation_is_reported_wherever_it_is_shown(memory, texts):
    empty = make_sentence(text="")
    (reason,) = views.warnings(empty, memory.overlap("The old dog!"), usual_words=20)
    texts(reason)
    html = views.answer(make_translation(empty), [[reason]], CARD)
    assert "no translation" in html
    assert reason in html
    assert 'class="aligned"' not in html
    html = views.answer(make_translation(make_sentence(), empty), [[], [reason]], CARD)
    assert f"Sentence 2: {reason}" in html
    assert "(empty)" in views.comparison({"attention": empty}, "Le", CARD)


@pytest.fixture(scope="module")
def memory():
    training = ["The old dog sleeps under the kitchen table.", "A girl in a blue dress is dancing."]
    return Memory.fit(training, bits=2**14)


def test_warnings_say_what_is_unlike_the_training_data(memory, texts):
    for source, probability, usual_words in (
        ("The old zebra sleeps under the table.", 0.9, 20),
        ("Das ist ein Hund.", 0.9, 20),
        ("The old dog sleeps.", 0.9, 3),
        ("The old dog sleeps.", 0.14, 20),
    ):
        sentence = make_sentence(source, (probability,) * 6)
        (warning,) = views.warnings(sentence, memory.overlap(source), usual_words)
        texts(warning)


@pytest.mark.parametrize(
    ("source", "copied"),
    [
        ("The old dog sleeps under the kitchen table.", False),
        ("The old dog sleeps 12345.", False),
        ("https://a.org", True),
    ],
)
def test_known_sentences_numbers_and_copies_carry_no_warning(memory, source, copied):
    sentence = make_sentence(source, copied=copied)
    assert views.warnings(sentence, memory.overlap(source), usual_words=20) == []


def test_notes_say_what_was_not_read_or_written(texts):
    for facts in (
        {"read_tokens": 4},
        {"unknown_characters": 2},
        {"is_cut_off": True},
        {"copied": True},
    ):
        (note,) = views.notes(make_sentence(**facts))
        texts(note)
    assert views.notes(make_sentence(read_tokens=6)) == []


def test_the_heat_map_has_tokens_on_both_axes():
    html = charts.alignment(make_sentence(), "See <this>.")
    assert [html.count(f"<b>{name}</b>") for name in ("ack", "en", "end")] == [1, 1, 2]
    assert "“chi” looked at “dog” 80\u202f%, “bl” 10\u202f%, “ack” 10\u202f%" in html
    assert "See &lt;this&gt;." in html


def test_the_tree_marks_the_translation_and_the_pruned_hypotheses():
    html = charts.beam_tree(make_search(), pieces_of, "caption")
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


def test_the_translations_are_listed_with_their_scores():
    html = views.beam(make_search(), pieces_of, [(0.0, 0.5, 0), (0.55, 2.0, 1)], 1.0)
    assert html.index("Le chien</span>") < html.index("Le chat</span>")
    assert "−0.40" in html and "−2.10" in html
    assert "0 to 0.5, number 1; 0.55 to 2, number 2" in html
    assert "wins at every length penalty" in views.beam(
        make_search(), pieces_of, [(0.0, 2.0, 0)], 1.0
    )


def test_the_study_is_drawn_if_it_was_measured():
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


def test_the_comparison_has_every_network_and_the_dictionary():
    html = views.comparison(
        {"attention": make_sentence(), "plain": make_sentence()}, "Le noir <chien", CARD
    )
    assert "LSTM with attention" in html and "LSTM, no attention" in html
    assert "Le noir &lt;chien" in html
    assert "BLEU 50.5 · 5.2 million parameters" in html


SPANS = ((0, 3), (4, 9), (10, 13))


def test_memorised_and_composed_sentences_are_told_apart(texts):
    for overlap in (
        Overlap(SPANS, (True,) * 3, True, None, None),
        Overlap(SPANS, (True,) * 3, False, None, None),
        Overlap(SPANS, (True,) * 3, False, 0.0, None),
        Overlap(SPANS, (True,) * 3, False, 0.5, (0, 2)),
    ):
        html = views.training_overlap(make_sentence(), overlap, None, CARD)
        texts(re.sub("<[^>]+>", "|", html[: html.index("</p>")]))


def test_the_stretch_and_new_words_are_marked_and_the_nearest_sentence_is_quoted():
    overlap = Overlap(SPANS, (True, False, True), False, 0.5, (0, 2))
    html = views.training_overlap(make_sentence(), overlap, ("A <black> cat.", 0.5), CARD)
    assert '<span class="in-training">The <span class="new">black</span></span> dog!' in html
    assert "once in 400 times" in html
    assert "(50\u202f% of words" in html
    assert "A &lt;black&gt; cat." in html


def test_the_summary_of_a_file_counts_its_outcomes(texts):
    rows = [
        ("Salut.", 0.9, ""),
        ("你好", "", "Another alphabet."),
        ("", "", ""),
        ("Va.", 0.3, "Odd."),
        ("?!", "", ""),
    ]
    html = views.summary(rows)
    texts(re.sub("<[^>]+>", "", html[: html.index("</p>")]))


def test_the_scores_have_every_network_and_the_baseline():
    html = views.scores(CARD)
    assert html.count("<tr") == 4
    assert "<tr class=winner><td>LSTM with attention" in html
    assert "nrefs:1" in html


def test_the_preview_is_a_small_picture_of_a_real_answer():
    html = views.preview()
    for word in (">house<", ">maison<"):
        assert word in html
    assert len(html) < 5_000
