"""Whatever a predictor is given, it answers with sound numbers or refuses with a sentence.

The inputs are new in every run; `UNROLLED_FUZZ_SEED` repeats them. `UNROLLED_FUZZ=1000` gives each
predictor that many inputs; without it the test takes seconds.
"""

import io
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from PIL import Image

from shared import images
from shared.errors import UserError
from shared.photos import Photo

pytestmark = pytest.mark.slow

COUNT = int(os.environ.get("UNROLLED_FUZZ", 10))
WORDS = "the a film dog was not good Is what colour red two , . ? ! 'll café 3 -7 1e9 king".split()  # noqa: SIM905
SENTENCES = st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join)
TEXTS = st.one_of(
    SENTENCES,
    st.text(max_size=200),
    st.tuples(SENTENCES, st.text(max_size=20), SENTENCES).map("".join),
    st.sampled_from(
        [
            "",
            " \n",
            "\x00",
            "a" * 50_000,
            "no " * 5_000,
            "a" + "\u0301\u0323" * 20_000,
            "@" * 20_000,
            "👩‍👩‍👧" * 300,
            "\ud83d",
            "<b>",
        ]
    ),
)
CELLS = st.text("0123456789-.,;/e\n \tdateclose", max_size=12)
_SETTINGS = settings(
    max_examples=COUNT,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def search(test):
    """Decorator: draws inputs by the seed that the run prints."""
    return seed(int(os.environ["UNROLLED_FUZZ_SEED"]))(_SETTINGS(test))


def is_sentence(error):
    """Whether a refusal is a sentence that tells nothing of the machine."""
    sentence = str(error)
    return len(sentence.split()) > 3 and sentence[-1] in ".!?…”" and "site-packages" not in sentence


def test_reviews():
    from apps.sentiment import predictor

    network = predictor.Predictor.load()

    @search
    @given(TEXTS)
    def one(text):
        try:
            reading = network.read(text)
        except UserError as problem:
            assert is_sentence(problem)
            return
        assert 0 <= reading.probability <= 1
        assert len(reading.running) == len(reading.words) == len(reading.effects) > 0
        assert np.isfinite(reading.effects).all()

    one()


def test_sentences_to_translate():
    from apps.translation import predictor

    network = predictor.Predictor.load()

    @search
    @given(TEXTS, st.integers(1, 3))
    def one(text, width):
        try:
            translation = network.translate(text[:2_000], width)
        except UserError as problem:
            assert is_sentence(problem)
            return
        # None where there was nothing to translate, such as a number.
        assert translation.confidence is None or 0 <= translation.confidence <= 1

    one()


def test_questions():
    from apps.vqa import predictor

    network = predictor.Predictor.load()
    grid = network.encode_photo(Photo.from_example("bus").pixels)

    @search
    @given(TEXTS)
    def one(text):
        try:
            reply = network.reply(grid, text)
        except UserError as problem:
            assert is_sentence(problem)
            return
        assert 1.001 > sum(each.probability for each in reply.answers) > 0
        assert reply.attention.sum() == pytest.approx(1, abs=1e-3)
        assert [reply.question[word.start : word.end] for word in reply.words] == [
            word.text for word in reply.words
        ]

    one()


def files():
    """Photographs of any mode and shape, whole, cut short or with bytes changed."""

    @st.composite
    def draw(pick):
        mode = pick(st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"]))
        kind = pick(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF"]))
        size = pick(st.integers(1, 300)), pick(st.integers(1, 300))
        noise = np.random.default_rng(0).integers(0, 256, size[::-1], "uint8")
        deep = mode == "I;16"
        image = Image.fromarray(noise.astype("uint16") * 257 if deep else noise)
        image = image if deep else image.convert(mode)
        file = io.BytesIO()
        try:
            image.save(file, kind)
        except (OSError, ValueError, KeyError):  # a mode that this kind of file does not have
            image.convert("RGB").save(file, kind)
        data = bytearray(file.getvalue())
        for _ in range(pick(st.integers(0, 4))):
            data[pick(st.integers(0, len(data) - 1))] = pick(st.integers(0, 255))
        return bytes(data[: pick(st.one_of(st.just(len(data)), st.integers(0, len(data))))])

    return st.one_of(draw(), st.binary(max_size=100))


def test_photographs():
    from apps.captioning import predictor

    network = predictor.Predictor.load()

    @search
    @given(files())
    def one(data):
        try:
            pixels = images.squash(images.read(data))
        except UserError as problem:
            assert is_sentence(problem)
            return
        assert (pixels.shape, pixels.dtype) == ((224, 224, 3), np.uint8)
        (result,) = network.describe([pixels], width=1)
        assert result.text
        assert 0 < result.captions[0].probability <= 1

    one()


def test_prices():
    from apps.forecasting import predictor
    from apps.forecasting.reader import read_prices
    from shared.errors import UserError

    network = predictor.Predictor.load()
    price = st.one_of(st.floats(), st.integers(-5, 10**12), CELLS)

    @st.composite
    def tables(pick):
        start = np.datetime64("2020-01-01") + pick(st.integers(-20_000, 20_000))
        walk = np.random.default_rng(pick(st.integers(0, 99))).normal(0, 0.02, 300)
        rows = [f"{start + n},{p:.4g}" for n, p in enumerate(100 * np.exp(walk.cumsum()))]
        for _ in range(pick(st.integers(0, 5))):
            rows[pick(st.integers(0, 299))] = f"{pick(CELLS)},{pick(price)}"
        return "date,close\n" + "\n".join(rows[: pick(st.sampled_from([0, 1, 130, 300, 300, 300]))])

    @search
    @given(st.one_of(tables(), TEXTS))
    def one(text):
        try:
            (forecast,) = network.forecast(read_prices(text.encode("utf-8", "replace")))
        except UserError as problem:
            assert is_sentence(problem)
            return
        assert np.isfinite(forecast.median).all()

    one()


def test_words_and_sums():
    from apps.analogies.predictor import Predictor
    from shared.errors import UserError

    network = Predictor.load()
    sums = st.lists(st.sampled_from([*WORDS, "+", "-", "*", "2"]), max_size=9).map(" ".join)

    @search
    @given(st.one_of(sums, TEXTS), TEXTS, TEXTS)
    def one(text, second, third):
        for ask in (
            lambda: network.calculate(text),
            lambda: network.neighbours(text),
            lambda: network.similarity(text, second),
            lambda: network.analogy(text, second, third),
            lambda: network.odd_one_out(text.split()),
        ):
            try:
                ask()
            except UserError as problem:
                assert is_sentence(problem)

    one()


def test_sequences_of_the_laboratory():
    from apps.cells.unrolled import steps
    from shared.errors import UserError

    @search
    @given(st.one_of(TEXTS, CELLS), st.sampled_from(["rnn", "gru", "lstm"]))
    def one(text, cell):
        try:
            values = steps.read(text, cell, 3, 0)
        except UserError as problem:
            assert is_sentence(problem)
            return
        assert values

    one()
