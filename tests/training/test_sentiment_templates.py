"""The grammar of labelled short texts."""

import re
from collections import Counter, defaultdict

import pytest

from training.sentiment import grammar
from training.sentiment.templates import LABELS, generate


@pytest.fixture(scope="module")
def texts():
    return generate(50_000, seed=0)


def test_the_seed_decides_the_texts():
    assert generate(200, seed=3) == generate(200, seed=3)
    assert generate(200, seed=3) != generate(200, seed=4)


def test_no_text_has_two_labels(texts):
    labels = defaultdict(set)
    for text, label, _ in texts:
        labels[text.lower().rstrip(".!")].add(label)
    assert not [text for text, found in labels.items() if len(found) > 1]


def test_every_kind_is_there_and_its_labels_are_balanced(texts):
    counts = Counter((kind, label) for _, label, kind in texts)
    assert {kind for kind, _ in counts} == set(grammar.KINDS)
    for kind in grammar.KINDS:
        labels = [label for label in LABELS if (kind, label) in counts]
        assert labels == list(LABELS) or (kind, labels) == ("sarcasm", ["negative", "positive"])
        shares = [counts[kind, label] for label in labels]
        assert max(shares) < 1.3 * min(shares), kind


@pytest.mark.parametrize("words", [grammar.NAMES, grammar.NATIONS], ids=["names", "nationalities"])
def test_the_label_does_not_depend_on_a_name(texts, words):
    counts = defaultdict(Counter)
    for text, label, _ in texts:
        for word in set(re.findall(r"\w+", text.title())).intersection(words):
            counts[word][label] += 1
    everyone = sum(counts.values(), Counter())
    for word in words:
        total = counts[word].total()
        assert total > 100, word
        for label in LABELS:
            share = everyone[label] / everyone.total()
            deviation = (share * (1 - share) / total) ** 0.5
            assert abs(counts[word][label] / total - share) < 4.5 * deviation, (word, label)


@pytest.mark.parametrize("word", ["good", "great", "bad", "awful", "not", "never", "nobody"])
def test_no_single_word_decides(texts, word):
    counts = Counter(label for text, label, _ in texts if word in text.lower().split())
    assert max(counts.values()) < 0.7 * counts.total()


def test_texts_are_finished_sentences(texts):
    assert not [text for text, _, _ in texts if not text.strip() or set("{}[]|") & set(text)]
