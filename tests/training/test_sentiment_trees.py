"""Training on trees, with sentences made up here."""

import json
import lzma
import random

import numpy as np
import pytest
from typer.testing import CliRunner

from apps.sentiment.trees.predictor import TreePredictor, Vocabulary
from shared import bundle
from training.datasets import sst
from training.sentiment import trees
from training.sentiment.__main__ import app

GOOD, BAD, PLAIN = ["good", "warm", "fine"], ["bad", "cold", "dull"], ["tea", "film", "cake"]


def example(chance):
    """`((the film) (was (not bad)))` with its labels: a negation turns the sentiment over."""
    positive, negated = chance.random() < 0.5, chance.random() < 0.5
    word = chance.choice(GOOD if positive else BAD)
    label = 4 if positive else 0
    phrase = f"({label} {word})"
    if negated:
        label = 4 - label
        phrase = f"({label} (2 not) {phrase})"
    subject = f"(2 (2 the) (2 {chance.choice(PLAIN)}))"
    return f"({label} {subject} ({label} (2 was) {phrase}))"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "sentiment").mkdir()
    chance = random.Random(0)
    counts = {"train": 200, "val": 40, "test": 40}
    with lzma.open(folder / "sentiment" / "sst_trees.jsonl.xz", "wt") as file:
        for split, count in counts.items():
            for _ in range(count):
                file.write(json.dumps({"split": split, "tree": example(chance)}) + "\n")
    return folder


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return json.loads(result.output.splitlines()[-1])


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    """A bundle from the real command, with small networks."""
    folder = tmp_path_factory.mktemp("bundle")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trees, "BATCH_SIZE", 16)
        patch.setattr(trees, "WIDTH", 16)
        patch.setattr(trees, "LEARNING_RATE", 2e-2)
        patch.setattr(trees, "VOCABULARY", 200)
        patch.setattr(trees, "PARSER_VOCABULARY", 200)
        patch.setattr(trees, "TREE_OPTIONS", {"units": 8, "dropout": 0.1})
        arguments = ["--data-dir", corpus, "--output", folder, "--work-dir", folder / "work"]
        run("train-trees", *arguments, "--epochs", 10, "--json")
    return folder


def test_training_learns_negation_and_brackets(trained):
    card = bundle.read_card(trained)
    network, parser = card["variants"]["tree"], card["variants"]["parser"]
    assert network["validation_accuracy"] > 0.95
    assert network["validation_accuracy_nodes"] > 0.95
    assert card["baseline"]["accuracy"] <= network["validation_accuracy"]
    assert parser["validation_bracket_f1"] > 0.95
    assert network["scored_on"] == "development split"


def test_evaluation_writes_the_test_scores_into_the_card(trained, corpus):
    metrics = run("evaluate-trees", "--data-dir", corpus, "--model", trained, "--save", "--json")
    assert metrics["examples"] == 40
    card = bundle.read_card(trained)
    assert card["test_set"] == "test split"
    assert card["variants"]["tree"]["accuracy"] == metrics["accuracy"] > 0.95
    assert card["variants"]["parser"]["bracket_f1"] == metrics["bracket_f1"] > 0.95
    assert 0 <= metrics["ece"] <= 1


def test_the_bundle_reads_other_sentences(trained):
    predictor = TreePredictor.load(trained)
    for text, sign in (("The tea was not bad", 1), ("The cake was dull", -1)):
        assert predictor.read(text).phrases[-1].sentiment * sign > 0.3


def test_a_bundle_with_another_vocabulary_is_refused(trained, tmp_path):
    for name in ("card.json", "tree.safetensors", "parser.safetensors"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    Vocabulary(["tea"], []).save(tmp_path / "vocabulary.json")
    with pytest.raises(bundle.BundleError, match="does not fit"):
        TreePredictor.load(tmp_path)


SENTENCE = trees.to_sentence(sst.parse("(3 (2 (2 The) (2 tea)) (3 (3 (2 was) (4 good)) (2 .)))"))


def test_a_tree_becomes_arrays():
    assert SENTENCE.words == ["The", "tea", "was", "good", "."]
    assert SENTENCE.tree.tolist() == [[2, 3], [5, 4], [0, 1], [7, 6]]
    assert SENTENCE.labels.tolist() == [2, 2, 2, 4, 2, 3, 3, 2, 3]


def test_labels_stand_in_the_rows_of_their_nodes():
    vocabulary = Vocabulary(["the", "tea", "was", "good", "."], [])
    single = trees.to_sentence(sst.parse("(4 good)"))
    inputs, labels, weights, rows = trees.tree_batch([SENTENCE, single], vocabulary, width=2)
    assert inputs["words"].tolist() == [2, 3, 4, 5, 6, 5]
    for sentence, places in zip([SENTENCE, single], rows, strict=True):
        assert labels[places].tolist() == sentence.labels.tolist()
        assert np.all(weights[places] > 0)
    assert np.count_nonzero(weights) == 10
    assert weights.mean() == pytest.approx(1)


def test_the_parser_learns_the_spans_of_two_words_and_more():
    inputs, targets, weights = trees.parser_batch([SENTENCE], Vocabulary(["tea"], ["aood"]), 6)
    assert inputs["words"].tolist() == [[1, 2, 1, 1, 1, 0]]
    assert inputs["endings"].tolist() == [[1, 1, 1, 2, 1, 0]]
    phrases = {tuple(span) for span in np.argwhere(targets[0, :, :, 0]).tolist()}
    assert phrases == {(0, 2), (2, 4), (2, 5), (0, 5)}
    counted = {tuple(span) for span in np.argwhere(weights[0]).tolist()}
    assert counted == {(0, 2), (0, 3), (0, 4), (1, 3), (1, 4), (1, 5), (2, 4), (2, 5), (3, 5)}


def test_bracket_f1_leaves_out_the_whole_sentence():
    assert trees.bracket_f1([SENTENCE.tree], [SENTENCE]) == 1
    right = trees.right_branching(SENTENCE)
    assert right.tolist() == [[2, 3], [1, 5], [0, 6], [7, 4]]
    assert trees.bracket_f1([right], [SENTENCE]) == pytest.approx(1 / 3)


def test_scores_of_sentences():
    labels = [0, 1, 2, 4]
    sentences = [trees.Sentence(["x"], np.zeros((0, 2), int), np.array([n])) for n in labels]
    guesses = np.full((4, 5), 0.1)
    guesses[[0, 1, 2, 3], [0, 0, 2, 1]] = 0.6
    found = trees.class_scores([np.log(row)[None] for row in guesses], sentences)
    assert found["accuracy"] == 0.5
    assert found["accuracy_binary"] == pytest.approx(2 / 3)


def test_vectors_of_compounds_are_means_of_their_parts():
    words, vectors = trees.make_vocabulary(
        [SENTENCE, SENTENCE, SENTENCE._replace(words=["tea-film"])]
    )
    rows = dict(zip(words, vectors, strict=True))
    assert words[:5] == ["the", "tea", "was", "good", "."]
    assert "tea-film" in rows
    np.testing.assert_allclose(rows["tea-film"], (rows["tea"] + rows["film"]) / 2, atol=1e-3)
    assert vectors.std() == pytest.approx(1, abs=0.01)
