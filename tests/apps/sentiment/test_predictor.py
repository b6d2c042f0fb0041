"""On the shipped bundle: what the page relies on."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from apps.sentiment.predictor import LONGEST, Baseline, InputError, Predictor, check
from shared.bundle import BundleError

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
def test_every_cell_tells_praise_from_blame(cell):
    predictor = Predictor.load(cell)
    assert predictor.predict(PRAISE) > 0.8
    assert predictor.predict(BLAME) < 0.2


def test_baseline_tells_praise_from_blame_and_says_why(baseline):
    assert baseline.predict(PRAISE) > 0.8
    assert baseline.predict(BLAME) < 0.2
    grams = baseline.ngrams(BLAME)
    assert abs(grams[0].weight) >= abs(grams[-1].weight)
    assert any("terrible" in gram.text and gram.weight < 0 for gram in grams[:5])


def test_reading_is_consistent(lstm):
    reading = lstm.read(MIXED)
    count = len(reading.words)
    assert reading.running.shape == reading.effects.shape == (count,)
    assert reading.probability == pytest.approx(reading.running[-1], abs=1e-6)
    assert reading.probability == pytest.approx(lstm.predict(MIXED), abs=1e-5)
    assert all(reading.text[w.start : w.end] == w.text for w in reading.words)


def test_effects_add_up_to_the_answer(lstm):
    reading = lstm.read(PRAISE)
    log_odds = reading.baseline + reading.effects.sum() + reading.gap
    probability = 1 / (1 + np.exp(-log_odds / lstm.temperature))
    assert probability == pytest.approx(reading.probability, abs=1e-5)
    assert abs(reading.gap) < 0.15 * np.abs(reading.effects).sum()


def test_words_pull_the_way_they_should(lstm):
    reading = lstm.read(MIXED)
    effects = {w.text: e for w, e in zip(reading.words, reading.effects, strict=True)}
    assert effects["superb"] > 0
    assert effects["boring"] < 0
    assert effects["waste"] < 0


def test_running_answer_is_the_answer_to_the_text_so_far(lstm):
    reading = lstm.read(MIXED)
    for number in (3, 7, len(reading.words) - 1):
        prefix = reading.text[: reading.words[number].end]
        assert reading.running[number] == pytest.approx(lstm.predict(prefix), abs=1e-5)


def test_a_list_is_answered_in_its_order_and_as_one_by_one(lstm):
    texts = [PRAISE, BLAME * 9, MIXED, "Fine.", BLAME, PRAISE * 30]
    together = lstm.predict(texts)
    np.testing.assert_allclose(together, [lstm.predict(text) for text in texts], atol=1e-4)


def test_an_empty_list_gives_an_empty_answer(lstm, baseline):
    assert lstm.predict([]).shape == (0,)
    assert baseline.predict([]).shape == (0,)


def test_a_text_without_words_in_a_list_is_a_coin_toss(lstm):
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


def test_minimal_pairs_change_what_they_say(lstm, baseline):
    pairs = {pair.name: pair for pair in lstm.rewrites(lstm.read(MIXED), baseline)}
    assert set(pairs) == {"As written", "Negated", "Halves swapped", "Shuffled"}
    assert pairs["Halves swapped"].text.startswith("the story is a boring")
    assert "but The acting is superb" in pairs["Halves swapped"].text
    assert "not " in pairs["Negated"].text
    assert sorted(pairs["Shuffled"].text.split()) == sorted(
        word.text for word in lstm.read(MIXED).words
    )
    assert pairs["As written"].probability == pytest.approx(lstm.predict(MIXED), abs=1e-4)


def test_a_negation_is_taken_away_again(lstm, baseline):
    reading = lstm.read("This is not terrible.")
    negated = next(p for p in lstm.rewrites(reading, baseline) if p.name == "Negated")
    assert negated.text == "This is terrible."


def test_the_seed_of_the_shuffle_acts(lstm, baseline):
    reading = lstm.read(MIXED)
    texts = {lstm.rewrites(reading, baseline, seed=seed)[-1].text for seed in (0, 0, 1)}
    assert len(texts) == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "nothing to read"),
        (" \n\t ", "nothing to read"),
        ("\x00\x07", "no words"),
        ("!!! ... 12/10", "no words"),
        ("😀😀😀", "no words"),
        ("<br/><p></p>", "no words"),
        ("Это очень хороший фильм", "Cyrillic"),
        ("这部电影非常好看", "another alphabet"),
        ("xqzzt vrrmpf wqxxj", "knows none of these words"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(lstm, text, sentence):
    with pytest.raises(InputError, match=sentence):
        lstm.read(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Good.", "very short"),
        ("<b>A wonderful</b> and clever film", "HTML tags"),
        ("wonderful xqzzt vrrmpf wqxxj zzkt plim", "knows only 1 of these 6 words"),
        ("good film " * 2000, f"first {LONGEST:,} of 4,000 words"),
    ],
)
def test_what_was_read_with_reserve_says_so(lstm, text, sentence):
    notes = " ".join(lstm.read(text).notes)
    assert sentence in notes


def test_twenty_thousand_words_are_answered_on_their_beginning(lstm):
    reading = lstm.read(f"{PRAISE} " * 1400)
    assert len(reading.words) == LONGEST
    assert reading.probability > 0.5


def test_markup_and_control_characters_do_not_reach_the_network(lstm):
    marked = PRAISE.replace(". ", ".<br /><br />").replace(" film", "\x07film\x00")
    assert lstm.predict(marked) == pytest.approx(lstm.predict(PRAISE), abs=1e-5)
    assert check("<i>fine</i> film")[0] == "fine film"


def test_threads_do_not_disturb_each_other(lstm):
    texts = [PRAISE, BLAME, MIXED, PRAISE + BLAME] * 4
    alone = [lstm.read(text).probability for text in texts]
    with ThreadPoolExecutor(8) as pool:
        together = [reading.probability for reading in pool.map(lstm.read, texts)]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_load_gives_the_same_object_again_and_refuses_unknown_cells():
    assert Predictor.load("lstm") is Predictor.load("lstm")
    with pytest.raises(BundleError, match="transformer"):
        Predictor.load("transformer")


def test_a_missing_bundle_gives_a_sentence(tmp_path):
    with pytest.raises(BundleError, match="cannot be read"):
        Predictor.load("lstm", tmp_path)
    with pytest.raises(BundleError, match="cannot be read"):
        Baseline.load(tmp_path)
