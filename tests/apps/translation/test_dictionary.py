import pytest

from apps.translation.dictionary import Dictionary
from shared import bundle

PAIRS = [
    ("the house", "la maison"),
    ("the blue house", "la maison bleue"),
    ("the flower", "la fleur"),
    ("a blue flower", "une fleur bleue"),
    ("a house", "une maison"),
]


def test_expectation_maximisation_learns_the_translations():
    dictionary = Dictionary.fit(PAIRS, iterations=20, min_count=1)
    expected = {"the": "la", "house": "maison", "blue": "bleue", "flower": "fleur", "a": "une"}
    assert dictionary.entries == expected
    assert dictionary.translate("A blue house, the flower: unknown") == (
        "Une bleue maison, la fleur : unknown"
    )


def test_one_iteration_is_that_computed_by_hand():
    # At first all t(f | e) are equal. After one iteration, t(y|b) = (1/2 + 1) / (1/2 + 1/2 + 1).
    dictionary = Dictionary.fit([("a b", "x y"), ("b", "y")], iterations=1, min_count=1)
    assert dictionary.entries["b"] == "y"


def test_rare_words_are_left_out():
    assert "blue" not in Dictionary.fit(PAIRS, min_count=3).entries


def test_a_saved_dictionary_is_loaded_unchanged(tmp_path):
    Dictionary({"été": "x", "a": "œ"}).save(tmp_path)
    assert Dictionary.load(tmp_path).entries == {"été": "x", "a": "œ"}
    with pytest.raises(bundle.BundleError, match=r"dictionary.json cannot be read"):
        Dictionary.load(tmp_path / "nowhere")
