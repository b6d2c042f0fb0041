from itertools import count

import numpy as np
import pytest

from apps.analogies import learning
from apps.analogies.vectors import Vectors
from shared.errors import UserError

pytestmark = pytest.mark.slow

TOPICS, SIZE, GRAMMAR = 20, 12, ["the", "of", "and", "in", "to", "is"]
MARGIN = 0.08


def name(topic, word):
    return f"{chr(97 + topic)}{chr(97 + word)}x"


def make_sentences(sentences, seed=0):
    """Sentences with words of one topic each, mixed with words of other topics."""
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(sentences):
        topic = rng.integers(TOPICS)
        words = []
        for _ in range(6):
            is_other = rng.random() < 0.55
            words.append(GRAMMAR[rng.integers(6)])
            words.append(name(rng.integers(TOPICS) if is_other else topic, rng.integers(SIZE)))
        lines.append(" ".join(words))
    return lines


def neighbour_quality(vectors):
    """Share of each word's five nearest neighbours that are of its topic."""
    matches = []
    for topic in range(TOPICS):
        group = {name(topic, word) for word in range(SIZE)}
        for word in group:
            cosines = vectors.matrix @ vectors[word]
            cosines[vectors.index[word]] = -1
            matches += [vectors.words[row] in group for row in np.argsort(-cosines)[:5]]
    return np.mean(matches)


@pytest.fixture(scope="module")
def lines():
    return make_sentences(1500)


@pytest.fixture(scope="module")
def text(lines):
    return learning.prepare("\n".join(lines))


@pytest.mark.parametrize(("architecture", "sg", "epochs"), [("skipgram", 1, 15), ("cbow", 0, 30)])
def test_neighbours_are_as_good_as_gensims(lines, text, architecture, sg, epochs):
    from gensim.models import Word2Vec

    options = {"vector_size": 32, "window": 5, "negative": 5, "sample": 1e-3, "seed": 1}
    theirs = Word2Vec(
        [line.split() for line in lines], sg=sg, epochs=epochs, workers=1, min_count=2,
        alpha=0.05, **options,
    )  # fmt: skip
    *_, ours = learning.learn(text, architecture, dimensions=32, epochs=epochs, seconds=600)
    centred = theirs.wv.vectors - theirs.wv.vectors.mean(axis=0)  # as ours are
    reference = neighbour_quality(Vectors.of(theirs.wv.index_to_key, centred))
    quality = neighbour_quality(ours.vectors)
    chance = (SIZE - 1) / (TOPICS * SIZE + len(GRAMMAR) - 1)
    assert quality > 5 * chance
    assert quality > reference - MARGIN


def test_the_loss_starts_at_that_of_guessing_and_falls(text):
    *_, last = learning.learn(text, dimensions=16, epochs=2, seconds=600, report_seconds=0.0)
    assert last.done
    # Six candidates, each with a probability of 0.5.
    assert last.losses[0] == pytest.approx(6 * np.log(2), rel=1e-3)
    assert np.mean(last.losses[-5:]) < 0.8 * last.losses[0]
    assert last.epochs == 2


def test_training_reports_its_progress_and_stops_in_time(text, monkeypatch):
    clock = count()  # every call takes a hundredth of a second
    monkeypatch.setattr(learning.time, "monotonic", lambda: next(clock) / 100)
    reports = list(learning.learn(text, dimensions=16, epochs=1000, seconds=3, report_seconds=0.2))
    assert len(reports) > 2
    assert [report.done for report in reports] == [False] * (len(reports) - 1) + [True]
    assert 3 <= reports[-1].seconds < 3.2
    assert reports[-1].examples > reports[0].examples


def test_a_seed_gives_the_same_vectors_again(text):
    options = {"dimensions": 8, "epochs": 1, "seconds": 600}
    first, second, other = (
        list(learning.learn(text, seed=seed, **options))[-1].vectors.matrix for seed in (0, 0, 1)
    )
    np.testing.assert_allclose(first, second, atol=1e-5)
    assert np.abs(first - other).max() > 0.01


def test_counting_finds_the_words_that_share_paragraphs():
    text = learning.prepare(
        "\n".join([*make_sentences(40), "sun moon sky", "sun moon sky", "sun moon"])
    )
    (first, high), (second, low) = learning.find_by_counting(text, ["sun"])["sun"]
    assert (first, second) == ("moon", "sky")
    assert high > low > 0


def test_paragraphs_end_at_empty_lines_in_books_and_at_every_line_in_other_texts():
    lines = make_sentences(40)
    book = "\n\n".join(line.replace(" ", "\n") for line in lines)
    assert learning.prepare(book).paragraphs == [line.split() for line in lines]
    assert learning.prepare("\n".join(lines)).paragraphs == [line.split() for line in lines]


def test_the_vocabulary_of_a_long_text_has_words_that_occur_five_times():
    once = " ".join(make_sentences(2))
    short, long = (
        learning.prepare("\n".join([*make_sentences(lines), *["rare word"] * 4, once]))
        for lines in (100, learning.LARGE_TEXT_WORDS // 12)
    )
    assert (short.min_count, long.min_count) == (2, 5)
    assert "rare" in short.words and "rare" not in long.words


@pytest.mark.parametrize(
    "text",
    ["", None, "A few words are not enough.", "a b " * (learning.MAX_BYTES // 4 + 1)],
    ids=["empty", "none", "short", "long"],
)
def test_a_text_that_cannot_be_learned_gets_a_sentence(text, texts):
    with pytest.raises(UserError) as error:
        learning.prepare(text)
    texts(str(error.value))


@pytest.mark.parametrize(
    "content",
    [b"", b"\x89PNG\r\n\x1a\n\0\0\0", b"a" * (learning.MAX_BYTES + 1)],
    ids=["empty", "picture", "large"],
)
def test_a_file_that_cannot_be_read_gets_a_sentence(tmp_path, content, texts):
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        learning.read_text(path)
    texts(str(error.value))


def test_a_file_in_an_old_encoding_is_read(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_bytes("café".encode("cp1252"))
    assert learning.read_text(path) == "café"
