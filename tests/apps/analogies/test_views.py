import json
import re

import numpy as np
import pytest

from apps.analogies import files, score_views, views, word_map
from apps.analogies.examples import BIASES, PREVIEW_ANALOGY, make_sample_text
from apps.analogies.learning import choose_words, prepare
from apps.analogies.predictor import Predictor
from apps.analogies.vector_files import read_file
from apps.analogies.vectors import Vectors
from shared.errors import UserError


@pytest.fixture(scope="module")
def predictor():
    rng = np.random.default_rng(0)
    words = [f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(200)]
    return Predictor(Vectors.of(words, rng.normal(size=(200, 12))))


def test_the_answer_says_when_the_question_has_to_be_excluded():
    rows = {"a": [1, 0, 0], "b": [1, 0.1, 0], "c": [0, 0, 1], "d": [0, 0.3, 1], "e": [0, 1, 0]}
    predictor = Predictor(Vectors.of(list(rows), list(rows.values())))
    analogies = [predictor.analogy("a", "b", "c", method) for method in ("3CosAdd", "3CosMul")]
    html = views.draw_analogy(*analogies, None)
    assert "the answer would be “c” itself" in html
    assert "“d” is number 2" in html
    assert html.count('class="ranks"') == 3
    assert html.index("<svg") < html.index('class="ranks"')
    assert "By 3CosMul" in html


@pytest.mark.parametrize(("method", "phrase"), [("3CosAdd", "nearest word"), ("3CosMul", "score")])
def test_the_answer_is_hedged_and_links_to_the_bias_test(predictor, method, phrase):
    analogy = predictor.analogy("waa", "wab", "wac", method)
    html = views.draw_analogy(analogy, analogy, None)
    assert "as wac is to …" in html
    assert phrase in html
    assert 'href="#bias-measured"' in html


def test_the_study_says_whether_phrases_helped():
    row = {"words": 5_000_000, "model": "CBOW", "window": 8, "dimensions": 300, "negative": 9}
    row |= {"rate": 0.05, "epochs": 4, "minutes": 1.0, "phrases": False, "validation": 0.2}
    other = {**row, "epochs": 8, "validation": 0.9}
    better, worse = (
        score_views.compare_phrases([other, row, {**row, "phrases": True, "validation": value}])
        for value in (0.3, 0.1)
    )
    assert " helped: 30.0" in better and "did not help: 10.0" in worse
    assert "20.0" in better and "20.0" in worse
    assert score_views.compare_phrases([row, other]) == ""


def test_the_parallelogram_has_all_words_within_its_frame(predictor):
    html = views.draw_parallelogram(predictor.analogy("waa", "wab", "wac"))
    places = [float(number) for number in re.findall(r'c[xy]="([\d.]+)%"', html)]
    assert len(places) == 10
    assert min(places) >= 0 and max(places) <= 100


@pytest.mark.parametrize("view", ["pca2", "pca3", "axes"])
def test_a_map_has_a_place_for_every_word(predictor, view):
    axes = (("waa", "wab"), ("wac", "wad"))
    points = word_map.draw_map(predictor, view, axes=axes)
    data = json.loads(views.encode_map(points, view))
    assert len(data["words"]) == len(data["points"]) == len(data["clusters"]) == 200
    assert {len(point) for point in data["points"]} == {3 if view == "pca3" else 2}
    assert np.abs(data["points"]).max() == 1
    assert len(data["clusterNames"]) == len(set(data["clusters"]))


def test_the_words_of_a_visitor_cannot_become_markup(predictor):
    axes = (("waa <я>", "wab"), ("wac", "wad"))
    points = word_map.draw_map(predictor, "axes", axes=axes)
    assert "from waa &lt;я&gt; to wab" in views.describe_map(points, "axes")
    assert "<" not in views.encode_map(points, "axes")


def test_pca_finds_the_directions_of_largest_variance(predictor):
    rows = predictor.vectors.matrix[:50]
    points, variance = word_map.project_pca(rows, 2)
    values = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False) ** 2
    assert variance == pytest.approx(values[:2].sum() / values.sum(), rel=1e-5)
    np.testing.assert_allclose((points**2).sum(axis=0), values[:2], rtol=1e-4)


def test_a_search_marks_the_word_and_its_neighbours(predictor):
    points = word_map.draw_map(predictor, "pca2", search="WAC")
    marked = [points.words[n] for n in points.marked]
    assert marked == ["wac", *(near.word for near in predictor.neighbours("wac")[1])]


def test_a_search_for_a_word_that_is_not_on_the_map_says_so(predictor):
    points = word_map.draw_map(predictor, "pca2", search="wba", own="waa, wab, wac, wad")
    assert points.absent == "wba"
    assert "“wba” is not among the 4 words" in views.describe_map(points, "pca2")


def test_own_words_make_a_map_of_their_own(predictor, texts):
    points = word_map.draw_map(predictor, "pca2", own="waa, wab\nwac; wad, waa")
    assert points.words == ["waa", "wab", "wac", "wad"]
    for own in ("waa, wab", "waa, wab, wac, dragon"):
        with pytest.raises(UserError) as error:
            word_map.draw_map(predictor, "pca2", own=own)
        texts(str(error.value))


def test_a_map_is_written_for_other_tools(predictor, tmp_path):
    own, csv_path = "waa, wab, wac, wad", tmp_path / "map.csv"
    files.write_map(word_map.draw_map(predictor, "pca3", own=own), csv_path)
    header, first, *others = csv_path.read_text("utf-8-sig").splitlines()
    assert header == "word,x,y,z,cluster"
    assert first.startswith("waa,") and len(others) == 3
    paths = tmp_path / "vectors.tsv", tmp_path / "words.tsv"
    files.write_projector(predictor.vectors.words[:4], predictor.vectors.matrix[:4], *paths)
    vectors, words = (path.read_text("utf-8").splitlines() for path in paths)
    assert words == ["waa", "wab", "wac", "wad"]
    rows = np.array([[float(cell) for cell in line.split("\t")] for line in vectors])
    np.testing.assert_allclose(rows, predictor.vectors.matrix[:4], atol=1e-5)


def test_learned_vectors_can_be_read_back_from_their_file(predictor, tmp_path):
    files.write_vectors(predictor.vectors, tmp_path / "mine.txt")
    vectors = read_file(tmp_path / "mine.txt")
    assert vectors.words == predictor.vectors.words
    np.testing.assert_allclose(vectors.matrix, predictor.vectors.matrix, atol=1e-4)


def test_the_sample_text_is_enough_to_learn_from(texts):
    text = prepare(make_sample_text(400))
    assert choose_words(text, "", 4) == [word for word in text.words if len(word) > 4][:4]
    assert choose_words(text, "Dog, BAKER", 4) == ["dog", "baker"]
    with pytest.raises(UserError) as error:
        choose_words(text, "dragon", 4)
    texts(str(error.value))


def test_a_bias_is_described_in_plain_words(predictor):
    words = predictor.vectors.words
    association = predictor.association(words[:8], words[8:16], words[16:24], words[24:32])
    html = views.draw_association(association, ["Boats", "Cars", "Good", "Bad"])
    assert "Boats lean" in html and "than cars do" in html
    assert ("unlikely to arise by chance" in html) == (association.p_value < 0.05)
    assert html.count("<em>") == 16


@pytest.mark.parametrize("key", BIASES)
def test_the_groups_of_a_bias_test_share_no_word(key):
    _, lists = views.list_bias_words(key)
    groups = [{word.strip() for word in words.split(",")} for words in lists]
    assert not groups[0] & groups[1] and not groups[2] & groups[3]
    assert min(map(len, groups)) >= 7


def test_the_preview_is_small_and_has_the_words_of_the_analogy():
    html = views.preview()
    assert len(html) < 5_000
    assert all(f">{word}<" in html for word in PREVIEW_ANALOGY)
