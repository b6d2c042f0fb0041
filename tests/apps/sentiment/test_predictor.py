"""The predictors of the shipped bundle."""

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from apps.sentiment import views
from apps.sentiment.predictor import MAX_WORDS, Baseline, Predictor, clean_review
from shared.bundle import BundleError
from shared.errors import UserError

PRAISE = "A wonderful film. The acting is superb and I loved every minute of it."
BLAME = "A dreadful film. The acting is terrible and I hated every minute of it."
MIXED = "The acting is superb, but the story is a boring and predictable waste of time."


@pytest.fixture(scope="module")
def lstm():
    return Predictor.load("lstm")


@pytest.fixture(scope="module")
def baseline():
    return Baseline.load()


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_every_cell_separates_praise_from_blame(cell):
    predictor = Predictor.load(cell)
    assert predictor.predict(PRAISE) > 0.8
    assert predictor.predict(BLAME) < 0.2


def test_the_baseline_separates_praise_from_blame_by_its_ngrams(baseline):
    assert baseline.predict(PRAISE) > 0.8
    assert baseline.predict(BLAME) < 0.2
    grams = baseline.ngrams(BLAME)
    assert abs(grams[0].weight) >= abs(grams[-1].weight)
    assert any("terrible" in gram.text and gram.weight < 0 for gram in grams[:5])


def test_a_reading_agrees_with_the_prediction_and_with_its_words(lstm):
    reading = lstm.read(MIXED)
    count = len(reading.words)
    assert reading.running.shape == reading.effects.shape == (count,)
    assert reading.probability == pytest.approx(reading.running[-1], abs=1e-6)
    assert reading.probability == pytest.approx(lstm.predict(MIXED), abs=1e-5)
    assert all(reading.text[w.start : w.end] == w.text for w in reading.words)


def test_words_have_their_places_in_what_was_typed(lstm):
    typed = "<p>A won\xadder\u200bful&nbsp;ﬁlm,\n\n\u202ereally &eacute;pique.</p>"
    reading = lstm.read(typed)
    assert reading.text == "A wonderful film, really épique."
    parts = ["A", "won\xadder\u200bful", "ﬁlm", ",", "really", "&eacute;pique", "."]
    assert [typed[start:end] for start, end in reading.places] == parts
    assert [word.text for word in reading.words][1:3] == ["wonderful", "film"]
    html = views.answer(reading, lstm.card)
    assert re.search(r'class="w"[^>]*“wonderful”[^>]*>won\u2060der\u2060ful<', html)
    assert "\u202e" not in html


@pytest.mark.parametrize(
    ("pasted", "plain"),
    [
        ("A wonder\u200cful fi\xadlm.", "A wonderful film."),
        ("\ufeffA won\u2060der\u200bful film.", "A wonderful film."),
        ("A terriﬁc, ﬁne and ﬂawless ﬁlm.", "A terrific, fine and flawless film."),
        ("I don\u02bct, don\uff07t, don\u2032t like it.", "I don't, don't, don't like it."),
        ("It\x92s awful. I donâ€™t like it.", "It's awful. I don't like it."),
        ("•\tGreat acting\r\n•\tFine music", "• Great acting • Fine music"),
        ("Ｔｈｉｓ　ｆｉｌｍ　ｉｓ　𝗴𝗿𝗲𝗮𝘁！", "This film is great!"),
        ("<style>p {}</style><p>It&amp;#39;s <b>great</b>.</p>", "It's great."),
        ("\u202bA superb film\u202c, \u200fand a joy.\u200f", "A superb film, and a joy."),
    ],
)
def test_a_pasted_text_is_read_as_the_plain_one(lstm, pasted, plain):
    assert lstm.predict(pasted) == lstm.predict(plain)


def test_attributions_add_up_to_the_log_odds(lstm):
    reading = lstm.read(PRAISE)
    log_odds = reading.baseline + reading.effects.sum() + reading.gap
    probability = 1 / (1 + np.exp(-log_odds / lstm.calibration.temperature))
    assert probability == pytest.approx(reading.probability, abs=1e-5)
    assert abs(reading.gap) < 0.15 * np.abs(reading.effects).sum()


def test_attributions_have_the_signs_of_their_words(lstm):
    reading = lstm.read(MIXED)
    effects = {w.text: e for w, e in zip(reading.words, reading.effects, strict=True)}
    assert effects["superb"] > 0
    assert effects["boring"] < 0
    assert effects["waste"] < 0


def test_the_running_probability_is_that_of_the_text_up_to_each_word(lstm):
    reading = lstm.read(MIXED)
    for number in (3, 7, len(reading.words) - 1):
        prefix = reading.text[: reading.words[number].end]
        assert reading.running[number] == pytest.approx(lstm.predict(prefix), abs=1e-5)


def test_a_network_of_three_classes_reads_as_it_predicts(general):
    reading = general.read("Not bad at all.")
    np.testing.assert_allclose(
        reading.classes, general.predict_classes([reading.text])[0], atol=1e-6
    )
    assert reading.classes.sum() == pytest.approx(1, abs=1e-6)
    assert reading.running_neutral[-1] == pytest.approx(reading.classes[1], abs=1e-6)
    negative, _, positive = reading.classes
    assert reading.probability == pytest.approx(positive / (negative + positive), abs=1e-5)


def test_a_list_gets_the_probabilities_of_its_texts_in_order(lstm):
    texts = [PRAISE, BLAME * 9, MIXED, "Fine.", BLAME, PRAISE * 30]
    together = lstm.predict(texts)
    np.testing.assert_allclose(together, [lstm.predict(text) for text in texts], atol=1e-4)


def test_an_empty_list_gives_an_empty_array(lstm, baseline):
    assert lstm.predict([]).shape == (0,)
    assert baseline.predict([]).shape == (0,)


def test_a_text_without_words_in_a_list_gets_one_half(lstm):
    assert lstm.predict(["", PRAISE])[0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("lstm", {"input", "forget", "candidate", "output", "cell", "hidden"}),
        ("gru", {"update", "reset", "candidate", "hidden"}),
        ("rnn", {"hidden"}),
    ],
)
def test_trace_has_every_gate_at_every_word(cell, names):
    predictor = Predictor.load(cell)
    words, traced = predictor.trace(PRAISE)
    assert set(traced) == names
    units = predictor.network.options["units"]
    assert all(values.shape == (len(words), units) for values in traced.values())
    gates = names & {"input", "forget", "output", "update", "reset"}
    assert all(traced[name].min() >= 0 and traced[name].max() <= 1 for name in gates)


def test_each_rewrite_makes_its_change(lstm, baseline):
    rewrites = {rewrite.kind: rewrite for rewrite in lstm.rewrites(lstm.read(MIXED), baseline)}
    assert list(rewrites) == ["original", "negated", "halves swapped", "shuffled"]
    assert rewrites["halves swapped"].text.startswith("the story is a boring")
    assert "but The acting is superb" in rewrites["halves swapped"].text
    (word,) = rewrites["negated"].changed
    assert f"not {word}" in rewrites["negated"].text
    assert sorted(rewrites["shuffled"].text.split()) == sorted(
        word.text for word in lstm.read(MIXED).words
    )
    assert rewrites["original"].probability == pytest.approx(lstm.predict(MIXED), abs=1e-4)


def test_a_word_that_is_negated_already_loses_its_negation(lstm, baseline):
    rewrites = lstm.rewrites(lstm.read("This is not terrible."), baseline)
    removed = next(rewrite for rewrite in rewrites if rewrite.kind == "negation removed")
    assert (removed.text, removed.changed) == ("This is terrible.", ("not", "terrible"))


def test_the_strongest_units_come_first_and_explain_the_log_odds(lstm):
    words, traced = lstm.trace(MIXED)
    contributions = np.asarray(lstm.network.unit_contributions(traced["hidden"]))
    units = lstm.strongest_units(traced["hidden"], 5)
    np.testing.assert_array_equal(units, np.argsort(-np.abs(contributions), kind="stable")[:5])
    bias = float(np.asarray(lstm.network.head.bias)[0])
    probability = 1 / (1 + np.exp(-(contributions.sum() + bias) / lstm.calibration.temperature))
    assert probability == pytest.approx(lstm.predict(MIXED), abs=1e-4)


def test_held_gates_change_the_probabilities_of_the_words_after_them_only(lstm):
    closed = {"input": np.zeros(lstm.network.recurrent.cell.units, "float32")}
    words, free = lstm.running_probabilities(MIXED)
    _, forced = lstm.running_probabilities(MIXED, closed, after=5)
    assert len(forced) == len(words)
    np.testing.assert_allclose(forced[:5], free[:5], atol=1e-5)
    assert np.abs(forced[5:] - free[5:]).max() > 0.01


def test_the_seed_determines_the_shuffle(lstm, baseline):
    reading = lstm.read(MIXED)
    texts = {lstm.rewrites(reading, baseline, seed=seed)[-1].text for seed in (0, 0, 1)}
    assert len(texts) == 2


def test_a_text_that_cannot_be_read_is_refused_with_a_sentence(lstm, texts):
    for text in (
        "",
        " \n\t ",
        "\x00\x07",
        "!!! ... 12/10",
        "😀😀😀",
        "<br/><p></p>",
        "Это очень хороший фильм",
        "这部电影非常好看",
        "xqzzt vrrmpf wqxxj",
    ):
        with pytest.raises(UserError) as error:
            lstm.read(text)
        texts(error.value)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("<b>A wonderful</b> and clever film", "HTML"),
        ("wonderful xqzzt vrrmpf wqxxj zzkt plim", "only 1 of these 6 words"),
        ("good film " * 2000, f"first {MAX_WORDS:,} of 4,000 words"),
        ("A wonderful film.", ""),
    ],
)
def test_notes_name_what_limits_a_reading(lstm, text, fragment):
    notes = views.notes(lstm.read(text))
    assert len(notes) == bool(fragment)
    assert fragment in " ".join(notes)


def test_of_twenty_thousand_words_the_first_are_read(lstm):
    reading = lstm.read(f"{PRAISE} " * 1400)
    assert len(reading.words) == MAX_WORDS
    assert reading.probability > 0.5


def test_tags_and_control_characters_do_not_reach_the_network(lstm):
    marked = PRAISE.replace(". ", ".<br /><br />").replace(" film", "\x07film\x00")
    assert lstm.predict(marked) == pytest.approx(lstm.predict(PRAISE), abs=1e-5)
    assert clean_review("<i>fine</i> film") == "fine film"


def test_threads_get_the_answers_of_a_single_thread(lstm):
    texts = [PRAISE, BLAME, MIXED, PRAISE + BLAME] * 4
    alone = [lstm.read(text).probability for text in texts]
    with ThreadPoolExecutor(8) as pool:
        together = [reading.probability for reading in pool.map(lstm.read, texts)]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_load_caches_networks_and_refuses_unknown_ones():
    assert Predictor.load("lstm") is Predictor.load("lstm")
    with pytest.raises(BundleError, match="transformer"):
        Predictor.load("transformer")


def test_a_missing_bundle_raises_a_bundle_error(tmp_path):
    with pytest.raises(BundleError, match="cannot be read"):
        Predictor.load("lstm", tmp_path)
    with pytest.raises(BundleError, match="cannot be read"):
        Baseline.load(tmp_path)
