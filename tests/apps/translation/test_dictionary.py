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


def test_expectation_maximisation_finds_the_pairs():
    learned = Dictionary.fit(PAIRS, rounds=20, least=1)
    expected = {"the": "la", "house": "maison", "blue": "bleue", "flower": "fleur", "a": "une"}
    assert learned.entries == expected
    assert learned.translate("A blue house, the flower: unknown") == (
        "Une bleue maison, la fleur : unknown"
    )


def test_one_round_by_hand():
    # Two pairs, each English word starts with equal chances: t(y|b) = (1/2 + 1) / (1/2 + 1/2 + 1).
    learned = Dictionary.fit([("a b", "x y"), ("b", "y")], rounds=1, least=1)
    assert learned.entries["b"] == "y"


def test_rare_words_are_left_out():
    assert "blue" not in Dictionary.fit(PAIRS, least=3).entries


def test_a_dictionary_survives_the_disk(tmp_path):
    Dictionary({"été": "x", "a": "œ"}).save(tmp_path)
    assert Dictionary.load(tmp_path).entries == {"été": "x", "a": "œ"}
    with pytest.raises(bundle.BundleError, match=r"dictionary.json cannot be read"):
        Dictionary.load(tmp_path / "nowhere")
