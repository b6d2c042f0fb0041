import math

import numpy as np
import pytest

from apps.captioning.scores import Cider, bleu, rouge_l, score_captions, split_words


def split(*texts):
    return [text.split() for text in texts]


def test_words_are_compared_without_case_and_punctuation():
    words = split_words("A man's two-wheeled Bike , fast .")
    assert words == ["a", "man's", "two", "wheeled", "bike", "fast"]


def test_bleu_equals_a_hand_computed_value():
    # Of five words four occur in a reference, "the" counted once; of four pairs three do.
    written = split("the the dog runs fast")
    references = [split("the dog runs", "quick dog runs fast today")]
    assert bleu(written, references, 1) == pytest.approx(100 * 4 / 5)
    assert bleu(written, references, 2) == pytest.approx(100 * math.sqrt(4 / 5 * 3 / 4))
    # Four words where the reference has six: the brevity penalty.
    short = bleu(split("a quick dog runs"), [split("a quick dog runs fast today")], 1)
    assert short == pytest.approx(100 * math.exp(1 - 6 / 4))


def test_captions_may_have_different_numbers_of_references():
    written = split("a dog runs fast", "two men sit down")
    references = [split("a dog runs fast"), split("some men", "two men sit down")]
    assert bleu(written, references) == pytest.approx(100)


def test_cider_equals_a_hand_computed_value():
    # "dog" occurs in one of three references, "a" in all: only "dog" has a weight.
    references = [split("a dog"), split("a cat"), split("a man")]
    cider = Cider(references)
    perfect, common = cider.score_each(split("a dog", "a"), [split("a dog"), split("a cat")])
    assert perfect == pytest.approx(10 * (1 + 1) / 4)  # one and two words; none has three
    assert common == 0
    longer = cider.score_each([["a", "dog", "dog", "dog"]], [split("a dog")])[0]
    # Clipped at one dog, against a vector of three; no pair but "a dog"; two words too long.
    pair = 1 / math.sqrt(1 + 0)
    rare = math.log(3)
    pairs = rare**2 / (math.sqrt(rare**2 + (2 * rare) ** 2) * rare)  # "dog dog" twice, in none
    expected = 10 * (1 / 3 + pair * pairs) / 4 * math.exp(-4 / 72)
    assert longer == pytest.approx(expected)


# Computed once by pycocoevalcap 1.2, the code of the COCO captions challenge.
WRITTEN = [
    "a brown dog runs through the tall grass",
    "two men are sitting on a bench",
    "a girl in a red dress jumps into the pool",
    "a man rides a bike",
]
REFERENCES = [
    ["a brown dog is running in the grass", "the dog runs through tall green grass", "a dog plays"],
    ["two old men sit on a wooden bench", "men sitting on a bench in the park", "a bench"],
    ["a little girl jumps into a pool", "the girl in a red swimsuit leaps into the water",
     "a child jumps into the pool"],
    ["a boy does a trick on a skateboard", "a skater in the air above a ramp",
     "somebody at the skate park"],
]  # fmt: skip
CIDER = [2.11010958, 2.47390459, 2.8401397, 0.0]
ROUGE_L = [0.67477876, 0.85915493, 0.71877455, 0.29539952]
BLEU = [80.60134170, 62.43353081, 51.56347826, 38.55668796]


def test_all_scores_equal_those_of_the_reference_code():
    written = [text.split() for text in WRITTEN]
    references = [split(*texts) for texts in REFERENCES]
    np.testing.assert_allclose(Cider(references).score_each(written, references), CIDER, atol=1e-6)
    scores = [rouge_l(*pair) for pair in zip(written, references, strict=True)]
    np.testing.assert_allclose(scores, ROUGE_L, atol=1e-6)
    scores = [bleu(written, references, n) for n in range(1, 5)]
    np.testing.assert_allclose(scores, BLEU, atol=1e-4)


def test_scores_are_named_with_the_prefix():
    scores = score_captions(WRITTEN, REFERENCES, "validation_")
    names = ["bleu1", "bleu2", "bleu3", "bleu4", "cider", "rouge_l"]
    assert list(scores) == [f"validation_{name}" for name in names]
    assert scores["validation_bleu1"] > scores["validation_bleu4"] > 0
    assert scores["validation_cider"] == pytest.approx(np.mean(CIDER), abs=1e-4)
    assert score_captions([""] * 4, REFERENCES)["rouge_l"] == 0
