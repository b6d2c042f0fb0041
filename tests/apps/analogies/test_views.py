import json
import re
from pathlib import Path

import numpy as np
import pytest

from apps.analogies import views
from apps.analogies.examples import BIASES, made_up_text
from apps.analogies.learning import prepare
from apps.analogies.predictor import Predictor
from apps.analogies.vectors import Vectors, read_file
from shared.errors import UserError


@pytest.fixture(scope="module")
def predictor():
    noise = np.random.default_rng(0)
    words = [f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(200)]
    return Predictor(Vectors.of(words, noise.normal(size=(200, 12))))


def test_the_answer_says_when_the_trick_is_needed():
    rows = {"a": [1, 0, 0], "b": [1, 0.1, 0], "c": [0, 0, 1], "d": [0, 0.3, 1], "e": [0, 1, 0]}
    predictor = Predictor(Vectors.of(list(rows), list(rows.values())))
    found = predictor.analogy("a", "b", "c")
    html = views.analogy(found, predictor.analogy("a", "b", "c", "3CosMul"), None)
    assert "the answer would be “c” itself" in html
    assert "“d” is number 2" in html
    assert html.count('class="ranks"') == 3
    assert "The same by 3CosMul" in html


def test_the_study_says_whether_phrases_helped():
    row = {"words": 5_000_000, "model": "CBOW", "window": 8, "dimensions": 300, "negative": 9}
    row |= {"rate": 0.05, "epochs": 4, "minutes": 1.0, "phrases": False, "validation": 0.2}
    other = {**row, "epochs": 8, "validation": 0.9}
    said = [
        views._phrases([other, row, {**row, "phrases": True, "validation": value}])
        for value in (0.3, 0.1)
    ]
    assert "helped: 30.0" in said[0] and "did not help: 10.0" in said[1]
    assert all("20.0" in sentence for sentence in said)
    assert views._phrases([row, other]) == ""


def test_the_figure_has_all_words_within_its_frame(predictor):
    html = views.parallelogram(predictor.analogy("waa", "wab", "wac"))
    places = [float(number) for number in re.findall(r'c[xy]="([\d.]+)%"', html)]
    assert len(places) == 10
    assert min(places) >= 0 and max(places) <= 100


@pytest.mark.parametrize("view", ["pca2", "pca3", "axes"])
def test_a_map_has_a_place_for_every_word(predictor, view):
    axes = (("waa", "wab"), ("wac", "wad"))
    data, sentence = views.map_data(predictor, view, axes=axes)
    drawn = json.loads(data)
    assert len(drawn["words"]) == len(drawn["points"]) == len(drawn["clusters"]) == 200
    assert {len(point) for point in drawn["points"]} == {3 if view == "pca3" else 2}
    assert np.abs(drawn["points"]).max() == 1
    assert len(drawn["names"]) == len(set(drawn["clusters"]))
    assert sentence


def test_the_words_of_a_visitor_cannot_become_markup(predictor):
    axes = (("waa <я>", "wab"), ("wac", "wad"))
    _, description = views.map_data(predictor, "axes", axes=axes)
    assert "from waa &lt;я&gt; to wab" in description


def test_pca_shows_the_directions_of_most_difference(predictor):
    rows = predictor.vectors.matrix[:50]
    points, shown = views._principal(rows, 2)
    values = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False) ** 2
    assert shown == pytest.approx(values[:2].sum() / values.sum(), rel=1e-5)
    np.testing.assert_allclose((points**2).sum(axis=0), values[:2], rtol=1e-4)


def test_a_search_marks_the_word_and_its_neighbours(predictor):
    drawn = json.loads(views.map_data(predictor, "pca2", search="WAC")[0])
    marked = [drawn["words"][n] for n in drawn["found"]]
    assert marked[0] == "wac"
    assert marked[1:] == [one.word for one in predictor.neighbours("wac")[1]]


def test_own_words_make_a_map_of_their_own(predictor):
    drawn = json.loads(views.map_data(predictor, "pca2", own="waa, wab\nwac; wad, waa")[0])
    assert drawn["words"] == ["waa", "wab", "wac", "wad"]
    with pytest.raises(UserError, match="four different words"):
        views.map_data(predictor, "pca2", own="waa, wab")
    with pytest.raises(UserError, match="“dragon” is not among"):
        views.map_data(predictor, "pca2", own="waa, wab, wac, dragon")


def test_a_map_is_exported_for_other_tools(predictor, tmp_path):
    own, axes = "waa, wab, wac, wad", (("waa", "wab"), ("wac", "wad"))
    paths = views.export(predictor, "tsv", "pca2", own, axes, tmp_path.joinpath)
    vectors, words = (Path(path).read_text().splitlines() for path in paths)
    assert words == ["waa", "wab", "wac", "wad"]
    rows = np.array([[float(cell) for cell in line.split("\t")] for line in vectors])
    np.testing.assert_allclose(rows, predictor.vectors.matrix[:4], atol=1e-5)
    (path,) = views.export(predictor, "csv", "pca3", own, axes, tmp_path.joinpath)
    assert Path(path).read_text("utf-8-sig").splitlines()[0] == "word,x,y,z,cluster"


def test_learned_vectors_come_back_from_their_file(predictor, tmp_path):
    views.write_vectors(predictor.vectors, tmp_path / "mine.txt")
    again = read_file(tmp_path / "mine.txt")
    assert again.words == predictor.vectors.words
    np.testing.assert_allclose(again.matrix, predictor.vectors.matrix, atol=1e-4)


def test_the_made_up_text_is_enough_to_learn_from():
    text = prepare(made_up_text(400))
    assert views.watched(text, "", 4) == [word for word in text.words if len(word) > 4][:4]
    assert views.watched(text, "Dog, BAKER", 4) == ["dog", "baker"]
    with pytest.raises(UserError, match="“dragon” does not occur in this text.*2 times"):
        views.watched(text, "dragon", 4)


def test_a_bias_is_told_in_plain_words(predictor):
    words = predictor.vectors.words
    found = predictor.association(words[:8], words[8:16], words[16:24], words[24:32])
    html = views.association(found, ["Boats", "Cars", "Good", "Bad"])
    assert "Boats lean" in html and "than cars do" in html
    assert ("hardly comes about by chance" in html) == (found.p_value < 0.05)
    assert html.count("<em>") == 16


@pytest.mark.parametrize("key", BIASES)
def test_the_groups_of_a_test_share_no_word(key):
    _, lists = views.bias_words(key)
    groups = [{word.strip() for word in words.split(",")} for words in lists]
    assert not groups[0] & groups[1] and not groups[2] & groups[3]
    assert min(map(len, groups)) >= 7
