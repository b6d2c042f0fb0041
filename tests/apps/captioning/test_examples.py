import pytest

from apps.captioning.examples import FIRST, REFERENCES, score_example
from apps.captioning.scores import split_words
from shared.photos import EXAMPLES


def test_every_example_has_five_captions():
    assert set(REFERENCES) == set(EXAMPLES) and FIRST in EXAMPLES
    for lines in REFERENCES.values():
        assert len({" ".join(split_words(line)) for line in lines}) == 5


def test_a_reference_scores_in_full_against_itself_and_above_people():
    scores, people = score_example(REFERENCES["lion"][0].upper(), "lion")
    assert [scores[f"bleu{n}"] for n in range(1, 5)] == pytest.approx([100] * 4)
    assert scores["rouge_l"] == 1
    assert scores["cider"] > people["cider"] > 0
    assert 0 < people["bleu1"] < 100


def test_words_of_a_caption_count_as_in_bleu_1():
    # “an orange flower” occurs in a reference, “dog” in none: 3 of 4 words. The closest references
    # have 8 words, so the brevity penalty is exp(1 - 8 / 4).
    scores, _ = score_example("An orange flower dog.", "flower")
    assert scores["bleu1"] == pytest.approx(75 * 2.718281828**-1, abs=0.01)


def test_words_that_describe_every_example_weigh_less():
    common, _ = score_example("A the in with.", "bus")
    rare, _ = score_example("A cartoon bus.", "bus")
    assert rare["cider"] > 5 * common["cider"]
