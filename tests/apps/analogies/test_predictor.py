from itertools import combinations

import numpy as np
import pytest

from apps.analogies.predictor import Predictor, parallelogram
from apps.analogies.vectors import Vectors
from shared.errors import UserError

# Royalty along the second axis, sex along the first, places along the third and fourth.
ROWS = {
    "man": [1.0, 0, 0, 0.1],
    "woman": [-1.0, 0, 0, 0.1],
    "king": [1.0, 1.5, 0, 0],
    "queen": [-1.0, 1.5, 0, 0],
    "france": [0, 0.1, 2.0, 0],
    "paris": [0, 0.1, 2.0, 1.0],
    "italy": [0.1, -0.1, 1.9, 0.1],
    "rome": [0.1, -0.1, 1.9, 1.1],
    "apple": [0, -2, 0, 0.3],
    "sao": [0, -1, 1, 1],
    "paulo": [0, -1, 1, 1.2],
}


@pytest.fixture(scope="module")
def predictor():
    return Predictor(Vectors.of(list(ROWS), list(ROWS.values())))


def unit(word):
    row = np.array(ROWS[word], float)
    return row / np.linalg.norm(row)


def test_the_analogy_is_the_word_nearest_to_the_sum(predictor):
    found = predictor.analogy("man", "woman", "king")
    target = unit("woman") - unit("man") + unit("king")
    target /= np.linalg.norm(target)
    scores = {word: float(unit(word) @ target) for word in ROWS}
    ranked = sorted(scores, key=scores.get, reverse=True)
    assert [one.word for one in found.honest] == ranked[:10]
    assert found.best[0].word == "queen"
    assert found.best[0].score == pytest.approx(scores["queen"], abs=1e-6)
    assert {"man", "woman", "king"}.isdisjoint(one.word for one in found.best)


def test_the_trick_is_seen_where_a_word_of_the_question_would_win():
    near = {"a": [1, 0, 0], "b": [1, 0.1, 0], "c": [0, 0, 1], "d": [0, 0.3, 1], "e": [0, 1, 0]}
    found = Predictor(Vectors.of(list(near), list(near.values()))).analogy("a", "b", "c")
    assert (found.best[0].word, found.honest[0].word, found.trick) == ("d", "c", True)


def test_three_cos_mul_multiplies_cosines_moved_to_the_positive(predictor):
    found = predictor.analogy("france", "paris", "italy", "3CosMul")
    a, b, c = unit("france"), unit("paris"), unit("italy")

    def score(word):
        moved = [(1 + unit(word) @ other) / 2 for other in (b, c, a)]
        return moved[0] * moved[1] / (moved[2] + 1e-3)

    assert found.best[0].word == "rome"
    assert found.best[0].score == pytest.approx(score("rome"), rel=1e-5)
    assert [one.word for one in found.honest[:3]] == sorted(ROWS, key=score, reverse=True)[:3]


def test_capitals_and_accents_do_not_matter(predictor):
    assert predictor.analogy(" Fránce ", "PARIS", "Italy").words == ("france", "paris", "italy")


def test_a_phrase_stands_for_the_mean_of_its_words(predictor):
    found = predictor.neighbours("São Paulo")
    assert found[0] == "sao paulo"
    assert {"sao", "paulo"}.isdisjoint(one.word for one in found[1])
    mean = unit("sao") + unit("paulo")
    best = max((w for w in ROWS if w not in ("sao", "paulo")), key=lambda w: unit(w) @ mean)
    assert found[1][0].word == best
    assert "mean of its 2 words" in predictor.analogy("man", "woman", "sao paulo").notes[0]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("man", "", "king"), "The second word is missing"),
        (("man", "woman", None), "The third word is missing"),
        (("king", "king", "king"), "The three words are the same"),
        (("man", "woman", "kingg"), "“kingg” is not among the 11 words.*Nearest spellings: king"),
        (("man", "woman", "12 345"), "There is no word in “12 345”"),
        (("man", "woman", "王"), "There is no word in"),
        (("x" * 61, "woman", "king"), "is too long"),
        (("man", "zzzzzzzz", "king"), "Nothing is spelt like it"),
    ],
)
def test_what_cannot_be_asked_gets_a_sentence(predictor, words, sentence):
    with pytest.raises(UserError, match=sentence):
        predictor.analogy(*words)


def test_an_unknown_method_is_refused(predictor):
    with pytest.raises(UserError, match="3CosAdd or 3CosMul"):
        predictor.analogy("man", "woman", "king", "cosine")


def test_the_same_first_words_are_answered_with_a_note(predictor):
    assert "third’s neighbours" in predictor.analogy("man", "man", "king").notes[0]


@pytest.mark.parametrize(
    ("expression", "terms"),
    [
        ("paris - france + italy", {"paris": 1, "france": -1, "italy": 1}),
        ("paris−france+italy", {"paris": 1, "france": -1, "italy": 1}),
        ("-france + 2 * (paris - 0.5 king)", {"france": -1, "paris": 2, "king": -1}),
        ("2 king", {"king": 2}),
    ],
)
def test_a_sum_is_worked_out(predictor, expression, terms):
    words, near, _ = predictor.calculate(expression)
    total = sum(weight * unit(word) for word, weight in terms.items())
    rest = [word for word in ROWS if word not in terms]
    best = max(rest, key=lambda word: unit(word) @ total)
    assert set(words) == set(terms)
    assert near[0].word == best
    assert near[0].score == pytest.approx(unit(best) @ total / np.linalg.norm(total), abs=1e-5)


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("", "nothing to work out"),
        ("paris -", "cannot be read at the end"),
        ("paris + * italy", r"cannot be read at “\*”"),
        ("(paris", "cannot be read at the end"),
        ("paris)", r"cannot be read at “\)”"),
        ("paris + 3", "cannot be read at the end"),
        ("king - king", "cancel each other out"),
        ("king + quen", "“quen” is not among"),
        ("9999999999 king", "at most"),
        ("0 * king", "cancel each other out"),
        ("=cmd()", "“cmd” is not among"),
        ("king + " * 80 + "man", "too long"),
    ],
)
def test_a_sum_that_does_not_parse_gets_a_sentence(predictor, expression, sentence):
    with pytest.raises(UserError, match=sentence):
        predictor.calculate(expression)


def test_likeness_of_sentences_is_that_of_their_means(predictor):
    found = predictor.likeness("The king, man!", "a queen")
    assert found.texts == (("king", "man"), ("queen",))
    assert found.bag == 0 and found.tf_idf == 0
    assert found.cosine != 0
    assert "the" in found.notes[0]
    same = predictor.likeness("king man", "man king")
    assert same.cosine == pytest.approx(1, abs=1e-6)
    assert same.bag == pytest.approx(1) and same.tf_idf == pytest.approx(1)
    assert type(same.bag) is type(same.tf_idf) is float  # a numpy number would be sent as text


def test_tf_idf_is_scikit_learns():
    from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

    texts = ["king man man", "king queen", "apple paris", "man paris", "man rome"]
    counts = CountVectorizer().fit(texts)
    words = list(counts.get_feature_names_out())
    seen = np.asarray((counts.transform(texts) > 0).sum(axis=0)).ravel()
    rows = TfidfTransformer(norm="l2").fit_transform(counts.transform(texts)).toarray()
    vectors = Vectors.of(words, [ROWS[word] for word in words])
    found = Predictor(vectors, None, (seen.astype(float), 5.0)).likeness(texts[0], texts[1])
    assert found.tf_idf == pytest.approx(rows[0] @ rows[1], rel=1e-6)
    assert found.bag == pytest.approx(1 / np.sqrt(5 * 2), rel=1e-6)


def test_the_rank_of_a_neighbour_counts_from_one(predictor):
    order = sorted((w for w in ROWS if w != "paris"), key=lambda w: -(unit(w) @ unit("paris")))
    assert predictor.likeness("paris", order[0]).rank == 1
    assert predictor.likeness("paris", order[3]).rank == 4
    assert predictor.likeness("paris", "france italy").rank is None


def test_the_odd_one_is_farthest_from_the_mean(predictor):
    found = predictor.odd_one_out("paris, france, italy, rome, queen")
    assert found[0].word == "queen"
    assert [one.score for one in found] == sorted(one.score for one in found)
    assert predictor.odd_one_out(["paris", "rome", "apple"])[0].word == "apple"
    for words in ("paris, Paris, rome", [], [1, 2, 3], None, 7):
        with pytest.raises(UserError, match="three different words"):
            predictor.odd_one_out(words)


def test_a_path_goes_through_neighbours():
    angles = np.linspace(0, np.pi * 0.9, 40)
    words = [f"word{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(40)]
    circle = Vectors.of(words, np.stack([np.cos(angles), np.sin(angles)], axis=1))
    found = Predictor(circle).path(words[0], words[-1])
    assert found[0].word == words[0] and found[-1].word == words[-1]
    assert len(found) > 2
    rows = [circle[one.word] for one in found]
    for near, one, two in zip(found[1:], rows, rows[1:], strict=False):
        assert near.score == pytest.approx(float(one @ two), abs=1e-5)
        assert near.score > 0.3


def test_a_path_needs_two_words(predictor):
    with pytest.raises(UserError, match="Both words are the same"):
        predictor.path("king", "King")


def test_an_axis_runs_from_minus_one_to_one(predictor):
    rows = np.stack([predictor.vectors["man"], predictor.vectors["woman"]])
    np.testing.assert_allclose(predictor.project(rows, "man", "woman"), [-1, 1], atol=1e-6)
    with pytest.raises(UserError, match="two different ends"):
        predictor.project(rows, "man", "Man")


def test_a_perfect_parallelogram_closes_in_its_plane():
    a, b, c = np.array([1.0, 0, 0]), np.array([1.0, 1, 0]), np.array([0, 0.0, 2])
    points, fit = parallelogram(a, b, c, b - a + c)
    assert fit == pytest.approx(1)
    np.testing.assert_allclose(points[3], points[4], atol=1e-9)
    np.testing.assert_allclose(points[1] - points[0], points[3] - points[2], atol=1e-9)
    assert np.linalg.norm(points[1] - points[0]) == pytest.approx(1)


def test_association_is_the_papers_statistic(predictor):
    groups = (["king", "man"], ["queen", "woman"])
    attributes = (["paris", "apple"], ["rome", "italy"])
    found = predictor.association(*groups, *attributes)

    def lean(word):
        near, far = ([unit(word) @ unit(other) for other in part] for part in attributes)
        return np.mean(near) - np.mean(far)

    leaning = np.array([lean(word) for word in groups[0] + groups[1]])
    effect = (leaning[:2].mean() - leaning[2:].mean()) / leaning.std(ddof=1)
    assert found.effect == pytest.approx(effect, rel=1e-4)
    ways = [leaning[list(rows)].sum() for rows in combinations(range(4), 2)]
    assert found.ways == 6 and found.exact
    assert found.p_value == pytest.approx(np.mean([w >= leaning[:2].sum() - 1e-9 for w in ways]))


def test_two_clear_groups_are_told_apart_and_two_like_ones_are_not():
    noise = np.random.default_rng(0)
    rows = noise.normal(size=(44, 20)) * 0.3
    rows[:12, 0] += 1  # the first group and the first attribute lie that way
    rows[24:34, 0] += 1
    words = [f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(44)]
    made = Predictor(Vectors.of(words, rows))
    found = made.association(words[:12], words[12:24], words[24:34], words[34:])
    assert not found.exact
    assert found.effect > 1 and found.p_value < 0.001
    again = made.association(words[:12], words[12:24], words[24:34], words[34:])
    assert again.p_value == found.p_value
    mixed = made.association(words[:24:2], words[1:24:2], words[24:34], words[34:])
    assert abs(mixed.effect) < 1 and mixed.p_value > 0.02


def test_words_that_a_test_does_not_know_are_named(predictor):
    found = predictor.association(
        ["king", "man", "dragon"], ["queen", "woman"], ["paris", "apple"], ["rome", "italy"]
    )
    assert found.missing == ("dragon",)
    with pytest.raises(UserError, match="first group needs two known words"):
        predictor.association([1, 2], None, 3, {})
    with pytest.raises(UserError, match="second group needs two known words"):
        predictor.association(["king", "man"], ["dragon"], ["paris", "apple"], ["rome", "italy"])


def test_completion_offers_the_most_frequent_first(predictor):
    assert predictor.complete("P") == ["paris", "paulo"]
    assert predictor.complete("") == predictor.complete("two words") == []
