from itertools import count

import numpy as np
import pytest

from apps.analogies import learning
from apps.analogies.vectors import Vectors
from shared.errors import UserError

TOPICS, SIZE, GRAMMAR = 20, 12, ["the", "of", "and", "in", "to", "is"]
MARGIN = 0.08


def name(topic, word):
    return f"{chr(97 + topic)}{chr(97 + word)}x"


def made_up(sentences, seed=0):
    """Sentences of a topic each, words of others strewn in."""
    noise = np.random.default_rng(seed)
    lines = []
    for _ in range(sentences):
        topic = noise.integers(TOPICS)
        words = []
        for _ in range(6):
            strewn = noise.random() < 0.55
            words.append(GRAMMAR[noise.integers(6)])
            words.append(name(noise.integers(TOPICS) if strewn else topic, noise.integers(SIZE)))
        lines.append(" ".join(words))
    return lines


def neighbour_quality(vectors):
    """Share of each word's five nearest neighbours that are of its topic."""
    own = []
    for topic in range(TOPICS):
        group = {name(topic, word) for word in range(SIZE)}
        for word in group:
            cosines = vectors.matrix @ vectors[word]
            cosines[vectors.index[word]] = -1
            own += [vectors.words[row] in group for row in np.argsort(-cosines)[:5]]
    return np.mean(own)


@pytest.fixture(scope="module")
def lines():
    return made_up(1500)


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


def test_the_loss_falls_from_that_of_guessing(text):
    *_, last = learning.learn(text, dimensions=16, epochs=2, seconds=600, every=0.0)
    assert last.done
    # Six candidates, each at even odds.
    assert last.losses[0] == pytest.approx(6 * np.log(2), rel=1e-3)
    assert np.mean(last.losses[-5:]) < 0.8 * last.losses[0]
    assert last.epochs == 2


def test_it_reports_while_it_learns_and_stops_in_time(text, monkeypatch):
    clock = count()  # a hundredth of a second each time somebody looks at it
    monkeypatch.setattr(learning.time, "monotonic", lambda: next(clock) / 100)
    reports = list(learning.learn(text, dimensions=16, epochs=1000, seconds=3, every=0.2))
    assert len(reports) > 2
    assert [report.done for report in reports] == [False] * (len(reports) - 1) + [True]
    assert 3 <= reports[-1].seconds < 3.2
    assert reports[-1].examples > reports[0].examples


def test_a_seed_gives_the_same_vectors_again(text):
    options = {"dimensions": 8, "epochs": 1, "seconds": 600}
    first, again, other = (
        list(learning.learn(text, seed=seed, **options))[-1].vectors.matrix for seed in (0, 0, 1)
    )
    np.testing.assert_allclose(first, again, atol=1e-5)
    assert np.abs(first - other).max() > 0.01


def test_counting_finds_the_words_that_share_paragraphs():
    text = learning.prepare("\n".join([*made_up(40), "sun moon sky", "sun moon sky", "sun moon"]))
    found = learning.find_by_counting(text, ["sun"])
    assert [word for word, _ in found["sun"]] == ["moon", "sky"]
    assert found["sun"][0][1] > found["sun"][1][1] > 0


def test_lines_broken_anywhere_make_one_paragraph_and_others_one_each():
    lines = made_up(40)
    broken = "\n\n".join(line.replace(" ", "\n") for line in lines)
    assert learning.prepare(broken).paragraphs == [line.split() for line in lines]
    assert learning.prepare("\n".join(lines)).paragraphs == [line.split() for line in lines]


def test_a_long_text_teaches_the_words_that_stand_in_it_five_times():
    once = " ".join(made_up(2))
    short, long = (
        learning.prepare("\n".join([*made_up(lines), *["seldom word"] * 4, once]))
        for lines in (100, learning.LARGE_TEXT // 12)
    )
    assert (short.min_count, long.min_count) == (2, 5)
    assert "seldom" in short.words and "seldom" not in long.words


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "nothing to learn from"),
        (None, "nothing to learn from"),
        ("A few words are not enough.", "too short"),
        ("a b " * (learning.MOST_BYTES // 4 + 1), "too long"),
    ],
)
def test_a_text_that_cannot_be_learned_gets_a_sentence(text, sentence):
    with pytest.raises(UserError, match=sentence):
        learning.prepare(text)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "This file is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "not plain text"),
        (b"a" * (learning.MOST_BYTES + 1), "at most 4 MB"),
    ],
)
def test_a_file_that_cannot_be_read_gets_a_sentence(tmp_path, content, sentence):
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        learning.read_text(path)


def test_a_file_in_an_old_encoding_is_read(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_bytes("café".encode("cp1252"))
    assert learning.read_text(path) == "café"
