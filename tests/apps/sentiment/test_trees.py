"""The tree of a sentence: words, parser, phrases and their picture."""

import itertools
import re

import numpy as np
import pytest

from apps.sentiment.trees import views
from apps.sentiment.trees.model import SpanParser, TreeNetwork, best_tree, spans_of
from apps.sentiment.trees.predictor import TreePredictor, Vocabulary, ending_of
from apps.sentiment.trees.words import MAX_WORDS, locate_words, normalise, split_sentences
from shared.bundle import BundleError
from shared.errors import UserError


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It isn't bad, is it?", "It is n't bad , is it ?"),
        ("I can't, won't and cannot stop...", "I ca n't , wo n't and can not stop ..."),
        ("Mr. Hale's (late) cooks' tea", "Mr. Hale 's ( late ) cooks ' tea"),
        ("a well-made, 90-minute U.S. film", "a well-made , 90-minute U.S. film"),
        ("$3,000.50 for 2 and/or 3 -- so-so!!!", "$ 3,000.50 for 2 and/or 3 -- so-so !!!"),
        ("the '90s 😍 n't", "the '90s 😍 n't"),
    ],
)
def test_words_are_split_as_in_the_treebank(text, words):
    places = locate_words(text)
    assert [word for word, _, _ in places] == words.split()
    assert all(text[start:end] == word for word, start, end in places)


def test_words_are_normalised():
    assert [normalise(word) for word in ("Tea", "1990s", "O'CLOCK")] == ["tea", "0000s", "o'clock"]
    assert [ending_of(w) for w in ("Walking", "so", "1990s", "?")] == ["Aing", "aso", ".00s", ".?"]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ('He said "Stop." Then he left...', ['He said "Stop."', "Then he left..."]),
        ("Mr. J. Hale came. So did Dr. Ray.", ["Mr. J. Hale came.", "So did Dr. Ray."]),
        ("Well... perhaps. Or not", ["Well... perhaps.", "Or not"]),
        ("no mark", ["no mark"]),
        ("", []),
    ],
)
def test_a_text_is_split_into_sentences(text, sentences):
    assert split_sentences(text) == sentences


@pytest.mark.parametrize("text", ["a.b", "... ", "n't' ", "'s's's", "a-", "Mr.Mr. ", ".\"')]"])
def test_time_grows_with_the_text_only(growth, text):
    for function in (locate_words, split_sentences):
        assert growth(function, text * 40_000, text * 20_000) < 3


def all_trees(start, end):
    """Every binary tree over a span, as a set of the spans of its nodes of two words or more."""
    if end - start == 1:
        return [frozenset()]
    return [
        left | right | {(start, end)}
        for middle in range(start + 1, end)
        for left, right in itertools.product(all_trees(start, middle), all_trees(middle, end))
    ]


@pytest.mark.parametrize("words", range(1, 7))
def test_the_best_tree_is_that_of_an_exhaustive_search(words):
    scores = np.random.default_rng(words).normal(size=(words + 1, words + 1))
    expected = max(all_trees(0, words), key=lambda spans: sum(scores[span] for span in spans))
    tree = best_tree(scores)
    assert tree.shape == (words - 1, 2)
    spans = spans_of(tree)
    assert {tuple(span) for span in spans[words:].tolist()} == expected
    for node, (left, right) in enumerate(tree, start=words):
        assert max(left, right) < node
        assert spans[left, 1] == spans[right, 0]


WORDS = ["the", "a", "film", "tea", "is", "was", "not", "n't", "good", "bad", "dull"]
WORDS += ["and", "but", ",", "."]


@pytest.fixture(scope="module")
def predictor():
    """A predictor whose networks are as they were initialised."""
    vocabulary = Vocabulary(WORDS, ["aood", "abad", "athe"])
    network = TreeNetwork(vocabulary=len(WORDS) + 2, dimensions=6, units=5, seed=1)
    parser = SpanParser(vocabulary=10, dimensions=6, endings=5, units=4, hidden=3, seed=1)
    network.build()
    parser.build()
    return TreePredictor(network, parser, vocabulary, 0.5, {})


def test_phrases_cover_the_sentence(predictor):
    reading = predictor.read("The tea isn't good, but the film was.")
    assert " ".join(reading.words) == "The tea is n't good , but the film was ."
    assert reading.known == tuple(word.lower() in WORDS for word in reading.words)
    assert [phrase.text for phrase in reading.phrases[:11]] == list(reading.words)
    assert len(reading.phrases) == 21
    assert reading.phrases[-1].text == "The tea isn't good, but the film was."
    for phrase in reading.phrases:
        assert phrase.probabilities.sum() == pytest.approx(1, abs=1e-5)
        assert -1 <= phrase.sentiment <= 1
        parts = [reading.phrases[child] for child in phrase.children]
        if parts:
            assert [phrase.start, parts[0].end, phrase.end] == [
                parts[0].start,
                parts[1].start,
                parts[1].end,
            ]


def test_a_phrase_is_rated_by_its_own_words_alone(predictor):
    words = ["the", "film", "was", "not", "bad"]
    tree = np.array([[0, 1], [3, 4], [2, 6], [5, 7]])
    whole = predictor.probabilities(words, tree)
    part = predictor.probabilities(words[3:], np.array([[0, 1]]))
    np.testing.assert_allclose(whole[[3, 4, 6]], part, atol=1e-6)


def test_temperature_softens_the_probabilities(predictor):
    words, tree = ["good", "tea"], np.array([[0, 1]])
    hot = TreePredictor(predictor.network, predictor.parser, predictor.vocabulary, 5.0, {})
    sharp, soft = (each.probabilities(words, tree) for each in (predictor, hot))
    assert np.all(sharp.argmax(axis=1) == soft.argmax(axis=1))
    assert np.all(sharp.max(axis=1) > soft.max(axis=1))


def test_one_word_is_a_tree(predictor):
    reading = predictor.read("Good")
    assert [phrase.text for phrase in reading.phrases] == ["Good"]
    assert 'class="phrase"' in views.tree(reading)


def test_a_sentence_of_a_text_is_chosen(predictor):
    text = "The tea was bad. The film was good. 7!"
    assert predictor.read(text).sentences == ("The tea was bad.", "The film was good.")
    assert predictor.read(text, 1).phrases[-1].text == "The film was good."
    with pytest.raises(UserError, match="no sentence 3: choose one from 1 to 2"):
        predictor.read(text, 2)


@pytest.mark.parametrize("words", [15, 16, 17, MAX_WORDS, MAX_WORDS + 1, 400])
def test_a_long_sentence_is_cut(predictor, words):
    reading = predictor.read("tea " * words)
    assert reading.total_words == words
    assert len(reading.words) == min(words, MAX_WORDS)
    assert ("its tree ends after" in views.tree(reading)) == (words > MAX_WORDS)


@pytest.mark.parametrize("text", ["", " ", "?! 12", "это хороший фильм"])
def test_what_cannot_be_read_is_refused(predictor, text):
    with pytest.raises(UserError, match="English sentence|sentence in English"):
        predictor.read(text)


def test_the_picture_names_every_phrase(predictor):
    reading = predictor.read("The tea & cake was good.")
    html = str(views.tree(reading))
    assert html.count('class="phrase"') == len(reading.phrases)
    stops = re.findall(r'class="phrase" role="img" tabindex="0" aria-label="([^"]*)"', html)
    assert len(stops) == 1  # of the Tab key: the whole sentence
    assert stops[0].startswith("The tea &amp; cake was good.: ")
    assert "<b>was" not in html.replace("</b>", "")
    assert 'aria-label="tea: ' in html
    assert "All phrases as a table" in html
    assert "does not know" in html


def test_vocabulary_round_trip(predictor, tmp_path):
    path = tmp_path / "trees" / "vocabulary.json"
    path.parent.mkdir()
    predictor.vocabulary.save(path)
    copy = Vocabulary.load(path)
    words = ["Tea", "unheard", "GOOD"]
    assert copy.encode(words).tolist() == predictor.vocabulary.encode(words).tolist()
    assert copy.encode(words, 5).tolist() == [1, 1, 1]
    assert copy.encode_endings(["good", "tea"]).tolist() == [2, 1]
    path.write_text("{}")
    with pytest.raises(BundleError, match="trees/vocabulary.json cannot be read"):
        Vocabulary.load(path)


class TestShippedNetworks:
    """What the page's networks answer."""

    @pytest.fixture(scope="class")
    def shipped(self):
        return TreePredictor.load()

    @pytest.mark.parametrize(
        ("text", "sign"),
        [
            ("A wonderful film.", 1),
            ("It is a clever and moving story.", 1),
            ("A dull, lifeless mess.", -1),
            ("The worst film of the year.", -1),
        ],
    )
    def test_plain_sentences(self, shipped, text, sign):
        assert shipped.read(text).phrases[-1].sentiment * sign > 0.3

    def test_a_negation_lowers_a_positive_word(self, shipped):
        sentiments = [shipped.read(text).phrases[-1].sentiment for text in ("good", "not good")]
        assert sentiments[1] < 0 < sentiments[0]

    def test_the_parser_finds_plain_phrases(self, shipped):
        phrases = {phrase.text for phrase in shipped.read("The old cook made a good cup.").phrases}
        assert {"The old cook", "a good cup"} <= phrases
