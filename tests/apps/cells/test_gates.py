"""Hands on the gates: held readings compared with numpy, continuations and listings."""

import numpy as np
import pytest

from apps.cells.gates import tab, views
from apps.cells.gates.holds import Hold
from apps.cells.gates.model import CharacterNetwork
from apps.cells.gates.predictor import Predictor, encode, write_listing
from apps.cells.gates.reviews import ReviewReader
from apps.cells.gates.reviews import write_listing as write_review_listing
from apps.sentiment.predictor import Predictor as SentimentPredictor
from shared import bundle
from shared.errors import UserError

pytestmark = pytest.mark.slow

ALPHABET = "\n abcdefg"
TEXT = "bad cab\nface a bee"


@pytest.fixture(scope="module")
def predictor():
    network = CharacterNetwork(len(ALPHABET) + 1, dimensions=3, units=4, seed=0)
    network.build((None, None))
    rng = np.random.default_rng(0)
    for variable in network.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return Predictor(network, ALPHABET, {"probes": {}})


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_numpy(predictor, text, hold=None, after=0):
    """Surprises of a text, and the cell states, by the LSTM's equations written out."""
    arrays = {v.path.split("/", 1)[-1]: np.asarray(v, float) for v in predictor.network.variables}

    def find(end):
        return next(array for path, array in arrays.items() if path.endswith(end))

    numbers = encode(text, ALPHABET)
    hidden = cell = np.zeros(4)
    surprise, cells = [], []
    for n, number in enumerate(numbers):
        x = find("embeddings")[number]
        total = x @ find("cell/kernel") + hidden @ find("recurrent_kernel") + find("cell/bias")
        i, f, g, o = np.split(total, 4)
        gates = {"input": sigmoid(i), "forget": sigmoid(f), "output": sigmoid(o)}
        held = slice(None) if hold is None or hold.unit is None else hold.unit
        acting = hold is not None and n >= after
        if acting and hold.what in gates:
            gates[hold.what][held] = hold.value
        if acting and hold.what == "freeze":
            gates["forget"][held], gates["input"][held] = 1, 0
        cell = gates["forget"] * cell + gates["input"] * np.tanh(g)
        hidden = gates["output"] * np.tanh(cell)
        if acting and hold.what == "silence":
            hidden[held] = 0
        logits = hidden @ find("head/kernel") + find("head/bias")
        if n + 1 < len(numbers):
            surprise.append(np.log(np.exp(logits).sum()) - logits[numbers[n + 1]])
        cells.append(cell)
    return np.array(surprise), np.array(cells)


@pytest.mark.parametrize("after", [0, 5])
@pytest.mark.parametrize(
    "hold",
    [
        Hold(),
        Hold("forget", 0.0),
        Hold("forget", 1.0, 2),
        Hold("input", 0.5),
        Hold("output", 1.0, 0),
        Hold("freeze", unit=1),
        Hold("silence", unit=3),
    ],
)
def test_a_held_reading_equals_numpy(predictor, hold, after):
    surprise, cells = by_numpy(predictor, TEXT, hold, after)
    reading = predictor.read(TEXT, hold, after)
    np.testing.assert_allclose(reading.surprisals, surprise, rtol=1e-3, atol=1e-4)
    held = predictor.trace(TEXT, hold, after)["cell"]
    np.testing.assert_allclose(held, cells, rtol=1e-3, atol=1e-4)


def test_every_hold_changes_the_reading(predictor):
    free = predictor.read(TEXT).surprisals.mean()
    for what in ("forget", "input", "output", "freeze", "silence"):
        assert predictor.read(TEXT, Hold(what)).surprisals.mean() != pytest.approx(free, abs=1e-4)


def test_a_text_longer_than_one_run_is_read_as_one(predictor):
    long = (TEXT * 80)[:1200]
    np.testing.assert_allclose(
        predictor.read(long).surprisals, by_numpy(predictor, long)[0], rtol=2e-3, atol=2e-4
    )


def test_each_written_character_is_the_likeliest_under_the_noise(predictor):
    reading = predictor.read(TEXT)
    written = predictor.write(reading, 12, temperature=0.7, seed=5)
    assert len(written) == 12
    assert set(written) <= set(ALPHABET)
    noise = 0.7 * np.random.default_rng(5).gumbel(size=(12, len(ALPHABET) + 1))
    text = TEXT
    for n, character in enumerate(written):
        logits = np.log([p for _, p in sorted(_all(predictor, text))])
        assert ALPHABET[int(np.argmax(logits + noise[n, 1:]))] == character
        text += character
    assert predictor.write(reading, 12, seed=5) == written
    assert predictor.write(reading, 12, seed=6) != written
    assert predictor.write(reading, 12, Hold("output", 0.0), seed=5) != written
    assert predictor.write(reading, 0) == ""


def _all(predictor, text):
    """(place, probability) of every character of the alphabet after a text."""
    numbers = encode(text, ALPHABET)
    logs = predictor.log_probabilities(numbers[None])[0, -1]
    return [(n, float(np.exp(logs[n + 1]))) for n in range(len(ALPHABET))]


def test_unknown_characters_are_read_as_unknown():
    assert encode("aéb", "ab").tolist() == [1, 0, 2]


def test_the_likeliest_next_characters_come_first(predictor):
    following = predictor.read(TEXT).next_characters
    shares = [share for _, share in following]
    assert shares == sorted(shares, reverse=True)
    assert dict(following)[following[0][0]] == pytest.approx(
        max(p for _, p in _all(predictor, TEXT))
    )


@pytest.mark.parametrize("hold", [Hold("forget", 0.25), Hold("freeze", unit=3), Hold("silence")])
def test_the_listing_computes_the_same_surprisals(predictor, hold, monkeypatch, capsys):
    monkeypatch.setattr(Predictor, "load", lambda *folder: predictor)
    names = {}
    exec(write_listing(TEXT, hold, 4), names)
    expected = predictor.read(TEXT, hold, 4).surprisals
    np.testing.assert_allclose(names["surprisals"], expected, rtol=1e-4, atol=1e-5)
    assert "nats per character" in capsys.readouterr().out


@pytest.mark.parametrize("hold", [Hold("output", 0.0), Hold("freeze", unit=7)])
def test_the_listing_for_reviews_computes_the_same_probabilities(hold, capsys):
    names = {}
    exec(write_review_listing(tab.REVIEW, hold, 3), names)
    words, expected = ReviewReader.load().read(tab.REVIEW, hold, 3)
    np.testing.assert_allclose(names["probabilities"], expected, rtol=1e-6)
    assert "wonderful" in words
    assert "wonderful" in capsys.readouterr().out


def test_reviews_are_read_as_on_the_sentiment_page():
    words, probabilities = ReviewReader.load().read(tab.REVIEW)
    places, expected = SentimentPredictor.load("lstm").running_probabilities(tab.REVIEW)
    assert words == [place.text for place in places]
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)


@pytest.mark.parametrize("after", [0, 4])
def test_a_hold_acts_only_on_the_words_after_its_beginning(after):
    _, free = ReviewReader.load().read(tab.REVIEW)
    _, held = ReviewReader.load().read(tab.REVIEW, Hold("output", 0.0), after)
    np.testing.assert_allclose(held[:after], free[:after], atol=1e-6)
    assert abs(held[-1] - free[-1]) > 0.01


def test_reviews_without_a_known_word_are_refused(texts):
    with pytest.raises(UserError) as error:
        ReviewReader.load().read("ωμέγα ψάρι")
    texts(error.value)


def test_unusable_settings_are_refused(texts):
    for setting in (
        ("forget", float("nan"), "all"),
        ("forget", 2, "all"),
        ("forget", 0, "400"),
        ("forget", 0, "none"),
        ("doors", 0, "all"),
    ):
        with pytest.raises(UserError) as error:
            tab._make_hold(*setting, units=256)
        texts(error.value)


def test_texts_that_cannot_be_read_are_refused(texts):
    for text in ("", None, "a" * 601):
        with pytest.raises(UserError) as error:
            tab._check_text(text)
        texts(error.value)


def test_a_unit_s_properties_are_named_once_each(texts):
    entry = {"unit": 86, "falls": False, "score": 0.91}
    falling = {"unit": 86, "falls": True, "score": 0.8}
    probes = {
        "line of a page": {"kind": "correlation", "units": [entry]},
        "line of a play": {"kind": "correlation", "units": [{**entry, "score": 0.97}]},
        "vowel": {"kind": "auc", "units": [falling]},
    }
    texts(views.describe_unit(86, probes))
    texts(views.describe_unit(87, probes))


def test_characters_of_the_text_are_escaped():
    shown = views.color_text("<b>&\n", [1.0, -1.0, 0.5, 0.0, 2.0], 1.0)
    assert "<b>" not in shown
    assert "&lt;" in shown
    assert shown.count("<i ") == 5


def test_held_gates_make_the_shipped_network_worse():
    predictor = Predictor.load()
    free = predictor.read(tab.PLAY).surprisals.mean()
    assert free < 2.3
    assert predictor.read(tab.PLAY, Hold("output", 0.0)).surprisals.mean() > free + 0.5
    assert predictor.read(tab.PLAY, Hold("forget", 0.0)).surprisals.mean() > free + 0.2
    weights = bundle.MODELS / "characters" / "lstm.safetensors"
    assert weights.stat().st_size < 1.5e6


def test_probed_units_follow_their_property_in_new_texts():
    predictor = Predictor.load()
    play = tab.PLAY + " know no more.\n\nMARGARET:\nGo then, and take this ring."
    marked = {"speaker": (play, speakers), "quotation": (tab.ARTICLE, quoted)}
    for name, (text, label) in marked.items():
        entry = predictor.card["probes"][name]["units"][0]
        states = predictor.trace(text)["cell"][:, entry["unit"]] * (-1 if entry["falls"] else 1)
        inside = label(text)
        auc = np.mean(states[inside][:, None] > states[~inside][None])
        assert auc > 0.8


def speakers(text):
    inside = np.zeros(len(text), bool)
    for name in ("MARGARET:", "FERRYMAN:"):
        start = text.find(name)
        while start >= 0:
            inside[start : start + len(name)] = True
            start = text.find(name, start + 1)
    return inside


def quoted(text):
    return np.cumsum([character == '"' for character in text]) % 2 == 1
