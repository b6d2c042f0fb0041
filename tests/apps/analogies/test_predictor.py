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
    analogy = predictor.analogy("man", "woman", "king")
    target = unit("woman") - unit("man") + unit("king")
    target /= np.linalg.norm(target)
    scores = {word: float(unit(word) @ target) for word in ROWS}
    ranked = sorted(scores, key=scores.get, reverse=True)
    assert [scored.word for scored in analogy.unrestricted] == ranked[:10]
    assert analogy.best[0].word == "queen"
    assert analogy.best[0].score == pytest.approx(scores["queen"], abs=1e-6)
    assert {"man", "woman", "king"}.isdisjoint(scored.word for scored in analogy.best)


def test_the_unrestricted_ranking_may_begin_with_a_word_of_the_question():
    near = {"a": [1, 0, 0], "b": [1, 0.1, 0], "c": [0, 0, 1], "d": [0, 0.3, 1], "e": [0, 1, 0]}
    analogy = Predictor(Vectors.of(list(near), list(near.values()))).analogy("a", "b", "c")
    assert (analogy.best[0].word, analogy.unrestricted[0].word) == ("d", "c")


def test_three_cos_mul_multiplies_cosines_moved_to_the_positive(predictor):
    analogy = predictor.analogy("france", "paris", "italy", "3CosMul")
    a, b, c = unit("france"), unit("paris"), unit("italy")

    def score(word):
        moved = [(1 + unit(word) @ other) / 2 for other in (b, c, a)]
        return moved[0] * moved[1] / (moved[2] + 1e-3)

    assert analogy.best[0].word == "rome"
    assert analogy.best[0].score == pytest.approx(score("rome"), rel=1e-5)
    ranked = sorted(ROWS, key=score, reverse=True)
    assert [scored.word for scored in analogy.unrestricted[:3]] == ranked[:3]


def test_capitals_and_accents_do_not_matter(predictor):
    assert predictor.analogy(" Fránce ", "PARIS", "Italy").words == ("france", "paris", "italy")


def test_a_phrase_stands_for_the_mean_of_its_words(predictor):
    result = predictor.neighbours("São Paulo")
    assert result[0] == "sao paulo"
    assert {"sao", "paulo"}.isdisjoint(scored.word for scored in result[1])
    mean = unit("sao") + unit("paulo")
    best = max((w for w in ROWS if w not in ("sao", "paulo")), key=lambda w: unit(w) @ mean)
    assert result[1][0].word == best
    assert "mean of its 2 words" in predictor.analogy("man", "woman", "sao paulo").notes[0]


@pytest.mark.parametrize(
    "words",
    [
        ("man", "", "king"),
        ("man", "woman", None),
        ("king", "king", "king"),
        ("man", "woman", "kingg"),
        ("man", "woman", "12 345"),
        ("man", "woman", "王"),
        ("x" * 61, "woman", "king"),
        ("man", "zzzzzzzz", "king"),
    ],
)
def test_an_analogy_that_cannot_be_answered_gets_a_sentence(predictor, words, texts):
    with pytest.raises(UserError) as error:
        predictor.analogy(*words)
    texts(str(error.value))


def test_an_unknown_method_is_refused(predictor, texts):
    with pytest.raises(UserError) as error:
        predictor.analogy("man", "woman", "king", "cosine")
    texts(str(error.value))


def test_two_equal_first_words_are_answered_with_a_note(predictor, texts):
    (note,) = predictor.analogy("man", "man", "king").notes
    texts(note)


@pytest.mark.parametrize(
    ("expression", "terms"),
    [
        ("paris - france + italy", {"paris": 1, "france": -1, "italy": 1}),
        ("paris−france+italy", {"paris": 1, "france": -1, "italy": 1}),
        ("-france + 2 * (paris - 0.5 king)", {"france": -1, "paris": 2, "king": -1}),
        ("2 king", {"king": 2}),
    ],
)
def test_a_sum_is_calculated(predictor, expression, terms):
    words, near, _ = predictor.calculate(expression)
    total = sum(weight * unit(word) for word, weight in terms.items())
    rest = [word for word in ROWS if word not in terms]
    best = max(rest, key=lambda word: unit(word) @ total)
    assert set(words) == set(terms)
    assert near[0].word == best
    assert near[0].score == pytest.approx(unit(best) @ total / np.linalg.norm(total), abs=1e-5)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "paris -",
        "paris + * italy",
        "(paris",
        "paris)",
        "paris + 3",
        "king - king",
        "king + quen",
        "9999999999 king",
        "0 * king",
        "=cmd()",
        pytest.param("king + " * 80 + "man", id="long"),
    ],
)
def test_a_sum_that_cannot_be_read_gets_a_sentence(predictor, expression, texts):
    with pytest.raises(UserError) as error:
        predictor.calculate(expression)
    texts(str(error.value))


def test_similarity_of_sentences_is_that_of_their_means(predictor):
    similarity = predictor.similarity("The king, man!", "a queen")
    assert similarity.texts == (("king", "man"), ("queen",))
    assert similarity.bag == 0 and similarity.tf_idf == 0
    assert similarity.cosine != 0
    assert "the" in similarity.notes[0]
    same = predictor.similarity("king man", "man king")
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
    similarity = Predictor(vectors, None, (seen.astype(float), 5.0)).similarity(texts[0], texts[1])
    assert similarity.tf_idf == pytest.approx(rows[0] @ rows[1], rel=1e-6)
    assert similarity.bag == pytest.approx(1 / np.sqrt(5 * 2), rel=1e-6)


def test_the_rank_of_a_neighbour_counts_from_one(predictor):
    order = sorted((w for w in ROWS if w != "paris"), key=lambda w: -(unit(w) @ unit("paris")))
    assert predictor.similarity("paris", order[0]).rank == 1
    assert predictor.similarity("paris", order[3]).rank == 4
    assert predictor.similarity("paris", "france italy").rank is None


def test_the_odd_one_is_farthest_from_the_mean(predictor):
    ranked = predictor.odd_one_out("paris, france, italy, rome, queen")
    assert ranked[0].word == "queen"
    assert [scored.score for scored in ranked] == sorted(scored.score for scored in ranked)
    assert predictor.odd_one_out(["paris", "rome", "apple"])[0].word == "apple"
    for words in ("paris, Paris, rome", [], [1, 2, 3], None, 7):
        with pytest.raises(UserError, match="three different"):
            predictor.odd_one_out(words)


def test_a_path_goes_through_neighbours():
    angles = np.linspace(0, np.pi * 0.9, 40)
    words = [f"word{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(40)]
    circle = Vectors.of(words, np.stack([np.cos(angles), np.sin(angles)], axis=1))
    path = Predictor(circle).path(words[0], words[-1])
    assert path[0].word == words[0] and path[-1].word == words[-1]
    assert len(path) > 2
    rows = [circle[one.word] for one in path]
    for near, one, two in zip(path[1:], rows, rows[1:], strict=False):
        assert near.score == pytest.approx(float(one @ two), abs=1e-5)
        assert near.score > 0.3


def test_a_path_needs_two_words(predictor, texts):
    with pytest.raises(UserError) as error:
        predictor.path("king", "King")
    texts(str(error.value))


def test_an_axis_runs_from_minus_one_to_one(predictor, texts):
    rows = np.stack([predictor.vectors["man"], predictor.vectors["woman"]])
    np.testing.assert_allclose(predictor.project(rows, "man", "woman"), [-1, 1], atol=1e-6)
    with pytest.raises(UserError) as error:
        predictor.project(rows, "man", "Man")
    texts(str(error.value))


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
    association = predictor.association(*groups, *attributes)

    def score(word):
        near, far = ([unit(word) @ unit(other) for other in part] for part in attributes)
        return np.mean(near) - np.mean(far)

    scores = np.array([score(word) for word in groups[0] + groups[1]])
    effect = (scores[:2].mean() - scores[2:].mean()) / scores.std(ddof=1)
    assert association.effect == pytest.approx(effect, rel=1e-4)
    ways = [scores[list(rows)].sum() for rows in combinations(range(4), 2)]
    assert association.ways == 6 and association.exact
    assert association.p_value == pytest.approx(
        np.mean([w >= scores[:2].sum() - 1e-9 for w in ways])
    )


def test_different_groups_have_a_small_p_value_and_mixed_ones_do_not():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(44, 20)) * 0.3
    rows[:12, 0] += 1  # the first group and the first attribute lie that way
    rows[24:34, 0] += 1
    words = [f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(44)]
    predictor = Predictor(Vectors.of(words, rows))
    association = predictor.association(words[:12], words[12:24], words[24:34], words[34:])
    assert not association.exact
    assert association.effect > 1 and association.p_value < 0.001
    again = predictor.association(words[:12], words[12:24], words[24:34], words[34:])
    assert again.p_value == association.p_value
    mixed = predictor.association(words[:24:2], words[1:24:2], words[24:34], words[34:])
    assert abs(mixed.effect) < 1 and mixed.p_value > 0.02


def test_unknown_words_of_an_association_test_are_named(predictor):
    association = predictor.association(
        ["king", "man", "dragon"], ["queen", "woman"], ["paris", "apple"], ["rome", "italy"]
    )
    assert association.missing == ("dragon",)
    with pytest.raises(UserError, match="first group"):
        predictor.association([1, 2], None, 3, {})
    with pytest.raises(UserError, match="second group"):
        predictor.association(["king", "man"], ["dragon"], ["paris", "apple"], ["rome", "italy"])


def test_completion_offers_the_most_frequent_first(predictor):
    assert predictor.complete("P") == ["paris", "paulo"]
    assert predictor.complete("") == predictor.complete("two words") == []
