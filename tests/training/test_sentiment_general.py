import json
import lzma
import random
from dataclasses import asdict

import numpy as np
import pytest
from typer.testing import CliRunner

from apps.sentiment import suite
from apps.sentiment.model import SentimentNetwork
from apps.sentiment.predictor import Calibration, Predictor
from shared import bundle
from shared.text import WordPieceTokenizer, WordTokenizer
from training.datasets import counterfactual, tweets
from training.sentiment import general, mixture, recipe, sources, templates, vocabulary
from training.sentiment.__main__ import app
from training.sentiment.evaluate import calibration_error

GOOD, BAD = ["warm", "clever", "gripping"], ["hollow", "clumsy", "grating"]
PLAIN = ["the", "film", "has", "a", "plot", "and", "some", "actors"]
CLASSES = ("negative", "neutral", "positive")


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def sentence(rng, label):
    """A made-up sentence of a class, from 0 (negative) to 2."""
    words = rng.choices(PLAIN, k=6)
    words[rng.randrange(6)] = rng.choice((BAD, PLAIN, GOOD)[label])
    return " ".join(words)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """A folder with small made-up corpora in the form in which they are read."""
    folder, rng = tmp_path_factory.mktemp("corpora"), random.Random(0)
    reviews = {}
    for part, count in (("train", 60), ("test", 20), ("unsup", 30)):
        reviews[part] = [
            {"text": f"{part} {n} {sentence(rng, 2 * (n % 2))}", "label": n % 2, "movie": f"m{n}"}
            for n in range(count)
        ]
        write(folder / "sentiment" / f"imdb_{part}.jsonl.xz", reviews[part])
    pairs = []
    originals = [*reviews["train"][:20], reviews["test"][0]]
    for split, rows in (("train", originals), ("val", reviews["train"][20:24])):
        for number, row in enumerate(rows):
            edited = f"edited {row['text']}"
            for original, text, label in (
                (True, row["text"], row["label"]),
                (False, edited, 1 - row["label"]),
            ):
                pairs.append({"split": split, "pair": number, "original": original,
                              "text": text, "label": label})  # fmt: skip
    write(folder / "sentiment" / "imdb_counterfactual.jsonl.xz", pairs)
    trees = []
    for split, count in (("train", 12), ("val", 9), ("test", 9)):
        for n in range(count):
            word = (BAD, PLAIN, GOOD)[n % 3][0]
            tree = f"({2 * (n % 3)} (2 {split}{n}) ({2 * (n % 3)} {word}))"
            trees.append({"split": split, "tree": tree})
    write(folder / "sentiment" / "sst_trees.jsonl.xz", trees)
    for corpus in tweets.CORPORA:
        rows = [
            {"text": f"@me {corpus} {split} {n} {sentence(rng, n % 3)} http://t.co/x",
             "label": CLASSES[n % 3], "split": split}
            for split, count in (("train", 30), ("val", 9), ("test", 9))
            for n in range(count)
        ]  # fmt: skip
        if corpus != "semeval2017":
            rows = [{name: row[name] for name in ("text", "label")} for row in rows]
        if corpus == "sentiment140_50k":
            rows = [{"text": sentence(rng, 2 * (n % 2)), "label": n % 2} for n in range(40)]
        write(folder / "sentiment" / f"tweets_{corpus}.jsonl.xz", rows)
    paragraph = " ".join(PLAIN)
    articles = [{"title": "Film", "text": f"{paragraph} {n}"} for n in range(8)]
    write(folder / "words" / "wikipedia_part1.jsonl.xz", articles)
    return folder


@pytest.fixture(scope="module")
def mixed(corpora):
    return mixture.read(corpora)


def test_texts_that_are_scored_are_not_learned(corpora, mixed):
    training, validation = mixed
    learned = {example.text for examples in training.values() for example in examples}
    chosen_on = {example.text for examples in validation.values() for example in examples}
    scored = {e.text for examples in sources.read_tests(corpora).values() for e in examples}
    assert not learned & scored
    assert not learned & chosen_on
    originals = {text.removeprefix("edited ") for text in learned if text.startswith("edited ")}
    assert originals
    assert not originals & scored
    assert not originals & chosen_on


def test_targets_say_what_is_known_of_the_class(mixed):
    training, _ = mixed
    assert {example.target for example in training["tweets"]} == set(mixture.CLASSES)
    assert {(e.target, e.polar) for e in training["emoticons"]} == {
        ((0.85, 0.0, 0.15), True),
        ((0.15, 0.0, 0.85), True),
    }
    assert [e.target.index(1.0) for e in training["sentences"][:3]] == [0, 1, 2]
    (taught,) = mixture.label_reviews(["text"], [0.25])
    np.testing.assert_array_equal(mixture.targets_of([taught]), [[0.75, 0, 0.25, 1]])


def test_an_epoch_has_as_many_examples_as_asked_and_others_than_the_next(mixed):
    training, _ = mixed
    counts = {"tweets": 70, "sentences": 5, "templates": 20}
    first, second = (mixture.sample_epoch(training, counts, epoch) for epoch in (0, 1))
    assert len(first) == 95
    assert first == mixture.sample_epoch(training, counts, 0)
    assert {e.text for e in first[75:]} != {e.text for e in second[75:]}
    whole = [e.text for e in training["tweets"]]
    assert all(sum(e.text == text for e in first) <= 3 for text in whole)


def test_templates_that_equal_a_text_of_the_suite_are_left_out(monkeypatch):
    case = suite.read()[0]
    texts = [(case.text.upper() + "!", "positive", "x"), ("A fine day.", "positive", "x")]
    monkeypatch.setattr(templates, "generate", lambda count, seed: texts)
    (example,) = mixture.sample_epoch({}, {"templates": 2}, 0)
    assert example.text == "A fine day."


def test_a_typo_changes_one_word_and_no_short_ones():
    rng = random.Random(0)
    text = "a quite wonderful film"
    changed = [mixture.add_typo(text, rng) for _ in range(200)]
    assert all(len(other.split()) == 4 for other in changed)
    assert all(
        sum(a != b for a, b in zip(text.split(), other.split(), strict=True)) <= 1
        for other in changed
    )
    assert len(set(changed)) > 30
    assert mixture.add_typo("an ox ate it", rng) == "an ox ate it"


def test_batches_hold_every_text_of_a_full_batch_once(monkeypatch):
    monkeypatch.setattr(general, "BATCH_ROWS", {4: 8, 16: 4})
    words = [f"w{n}" for n in range(50)]
    tokenizer = WordPieceTokenizer.build(words)
    rng = random.Random(0)
    texts = [" ".join(rng.choices(words, k=rng.choice([3, 12]))) for _ in range(60)]
    examples = [mixture.polar_example(text, n % 2) for n, text in enumerate(texts)]
    batches = general._batches(tokenizer, examples, 0)
    rows, labels = zip(*map(batches.make, range(len(batches))), strict=True)
    assert {row.shape for row in rows} <= {(8, 4), (4, 16)}
    assert all(len(row) == len(label) for row, label in zip(rows, labels, strict=True))
    seen = [tuple(row[row > 0]) for batch in rows for row in batch]
    encoded = [tuple(numbers) for numbers in tokenizer.encode(texts)]
    assert len(seen) > 50
    assert all(seen.count(numbers) <= encoded.count(numbers) for numbers in set(seen))


def test_validation_scores_by_hand():
    examples = {
        "pairs": [mixture.polar_example("", n) for n in (0, 1, 1, 0)],
        "tweets": [mixture.Example("", mixture.CLASSES[n]) for n in (0, 0, 1, 2)],
    }
    logits = {
        "pairs": np.array([[1, 9, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]], "float32"),
        "tweets": np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0.5]], "float32"),
    }
    scores = general.scores(logits, examples)
    assert scores["pairs"] == 0.5
    assert scores["pairs_polar"] == 0.75
    assert scores["tweets"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert scores["tweets_polar"] == 1
    assert scores["score"] == pytest.approx(np.mean([0.5, 0.5]))


def test_calibration_finds_a_temperature_that_grows_with_length():
    rng = np.random.default_rng(0)
    lengths = rng.choice([4, 256], 6_000)
    logits = rng.normal(0, 2, (6_000, 3))
    truth = [rng.choice(3, p=p) for p in np.exp(logits) / np.exp(logits).sum(1, keepdims=True)]
    examples = {"tweets": [mixture.Example("", mixture.CLASSES[n]) for n in truth]}
    stretched = (logits * 0.5 * lengths[:, None] ** 0.25).astype("float32")
    fitted = general.calibrate({"tweets": stretched}, {"tweets": lengths}, examples)
    assert fitted.temperature == pytest.approx(0.5, rel=0.15)
    assert fitted.length_exponent == pytest.approx(0.25, abs=0.04)
    assert fitted.neutral_temperature == pytest.approx(0.5, rel=0.2)
    assert fitted.neutral_length_exponent == pytest.approx(0.25, abs=0.06)
    assert abs(fitted.bias) < 0.1


def test_labels_that_are_wrong_in_known_shares_do_not_dull_the_answer():
    rng = np.random.default_rng(0)
    lengths = rng.choice([4, 256], 20_000)
    log_odds = rng.normal(0, 2, 20_000).astype("float32")
    sharpened = log_odds * (4 / 3) * (lengths / 4) ** -0.25
    positive = rng.random(20_000) < 1 / (1 + np.exp(-sharpened))
    label = positive ^ (rng.random(20_000) < 0.3)
    examples = [mixture.Example("", (0.3, 0, 0.7) if p else (0.7, 0, 0.3), True) for p in label]
    logits = np.stack([np.zeros_like(log_odds), np.zeros_like(log_odds), log_odds], axis=1)
    fitted = general.calibrate(
        {"emoticons": logits}, {"emoticons": lengths}, {"emoticons": examples}
    )
    probabilities = 1 / (1 + np.exp(-fitted.log_odds(log_odds, lengths)))
    confidence = np.maximum(probabilities, 1 - probabilities)
    assert calibration_error(confidence, (log_odds > 0) == positive) < 0.02


def test_calibrated_probabilities_by_hand():
    calibration = Calibration(2.0, 0.5, -1.0, 4.0, -0.5, 0.3)
    logits, lengths = np.array([[1.0, 2.0, 9.0]]), np.array([4])
    positive = 1 / (1 + np.exp(-(8 / 4 - 1)))
    neutral = 1 / (1 + np.exp(-((2 - np.log(np.exp(1) + np.exp(9))) / 2 + 0.3)))
    np.testing.assert_allclose(
        calibration.probabilities(logits, lengths)[0],
        [(1 - neutral) * (1 - positive), neutral, (1 - neutral) * positive],
        rtol=1e-6,
    )
    assert calibration.log_odds(np.array([8.0]), lengths)[0] == pytest.approx(8 / 4 - 1)
    two = Calibration(2.0).probabilities(np.array([[0.0]]), np.array([9]))
    np.testing.assert_allclose(two, [[0.5, 0, 0.5]])


def test_known_words_keep_their_vectors_and_others_get_similar_ones(monkeypatch):
    monkeypatch.setattr(vocabulary, "RIDGE", 1e-3)  # the usual one is for thousands of words
    rng = random.Random(0)
    groups = {"a": [f"good{n}" for n in range(8)], "b": [f"bad{n}" for n in range(8)]}
    texts = [" ".join(rng.choices(groups[name], k=12)) for name in "ab" for _ in range(3_000)]
    tokenizer = WordPieceTokenizer.build([*groups["a"], *groups["b"]])
    old_words = ["[PAD]", "[UNK]", *groups["a"][:-1], *groups["b"][:-1]]
    old = np.array([[0, 0]] * 2 + [[1, 0]] * 7 + [[0, 1]] * 7, "float32")
    vectors = vocabulary.extend_vectors(tokenizer, texts, old_words, old, seed=0)
    places = {word: n for n, word in enumerate(tokenizer.words)}
    np.testing.assert_array_equal(vectors[places["good3"]], [1, 0])
    assert vectors[places["good7"]].argmax() == 0
    assert vectors[places["bad7"]].argmax() == 1


def test_scores_of_a_test_set_by_hand():
    examples = [mixture.Example("", mixture.CLASSES[n]) for n in (0, 1, 2, 2)]
    three = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8], [0.5, 0.3, 0.2]])
    scores = sources.score(three, examples, "tweets")
    assert scores["accuracy"] == pytest.approx(2 / 3)
    assert scores["macro_recall"] == pytest.approx((1 + 1 + 0.5) / 3)
    two = np.array([[0.4, 0, 0.6], [0.5, 0, 0.5], [0.1, 0, 0.9], [0.1, 0, 0.9]])
    assert "macro_recall" not in sources.score(two, examples, "tweets")
    pairs = [mixture.polar_example("", n) for n in (0, 1, 1, 0)]
    scores = sources.score(two[[2, 2, 2, 0]], pairs, "pairs")
    assert scores["both"] == 0


def test_unknown_parts_are_refused(tmp_path):
    with pytest.raises(ValueError, match="split='test'"):
        counterfactual.read(tmp_path, "test")
    with pytest.raises(ValueError, match="corpus='news'"):
        tweets.read(tmp_path, "news")
    with pytest.raises(FileNotFoundError, match="There are no tweets"):
        tweets.read(tmp_path, "airline")


def test_the_official_file_of_pairs_is_read(tmp_path):
    rows = ["Sentiment\tText\tbatch_id", "Negative\tDull.\t4", "Positive\tBright.\t4"]
    (tmp_path / "counterfactual.train.tsv").write_text("\n".join(rows), encoding="utf-8")
    assert counterfactual.read(tmp_path, "train") == [("Dull.", "Bright.", 0)]


@pytest.fixture(scope="module")
def trained(corpora, tmp_path_factory):
    """A bundle with a tiny network of reviews, and the general network that starts from it."""
    folder = tmp_path_factory.mktemp("general") / "bundle"
    folder.mkdir()
    tokenizer = WordTokenizer.build([*PLAIN, *GOOD, *BAD])
    network = SentimentNetwork("lstm", tokenizer.size, 6, 8)
    network.build((None, None))
    bundle.save_arrays(folder / "pretrained.safetensors", bundle.get_weights(network))
    tokenizer.save(folder / "pretrained.tokenizer.json")
    variant = {"network": network.options, "calibration": {"temperature": 1.0}}
    variant |= {"accuracy": 0.5, "parameters": 1}
    fields = dict.fromkeys(("task", "title", "commit", "data", "licence"), "made up")
    card = {**fields, "date": "2026-11-30", "seed": 0, "limits": [], "test_set": "validation",
            "variants": {"pretrained": variant}}  # fmt: skip
    bundle.write_card(folder, card)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(general, "BATCH_ROWS", {8: 8, 24: 8})
        patch.setattr(recipe, "GENERAL_WORDS", 12)
        patch.setattr(recipe, "GENERAL_PIECES", 60)
        counts = {"reviews": 40, "tweets": 60, "sentences": 30, "pairs": 20, "unlabelled": 10}
        patch.setattr(recipe, "GENERAL", recipe.General(counts, 8, learning_rate=0.03))
        patch.setattr(recipe, "MIN_QUANTISED_SIZE", 100)
        arguments = ["--data-dir", corpora, "--output", folder, "--work-dir", folder.parent / "w"]
        result = CliRunner().invoke(app, ["general", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return folder


def test_the_general_network_learns_three_classes_and_is_stored(trained):
    variant = bundle.read_card(trained)["variants"]["general"]
    assert variant["network"]["classes"] == 3
    assert variant["validation"]["tweets"] > 0.5
    assert variant["calibration"].keys() == asdict(Calibration()).keys()
    predictor = Predictor.load("general", trained)
    probabilities = predictor.predict_classes(["the film has gripping plot", "", "a plot"])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    reading = predictor.read("The plot is sooo CLEVER and warm")
    assert reading.classes.shape == (3,)
    assert len(reading.words) == len(reading.effects) == len(reading.running_neutral) == 7
    assert reading.classes.sum() == pytest.approx(1, abs=1e-5)
    single = predictor.predict_classes(["The plot is sooo CLEVER and warm"])[0]
    np.testing.assert_allclose(single, reading.classes, atol=1e-4)


def test_all_models_are_scored_on_all_test_sets(trained, corpora, monkeypatch):
    monkeypatch.setattr(sources, "mixture_counts", lambda training: {"tweets": 30, "pairs": 20})
    arguments = ["--data-dir", corpora, "--model", trained, "--save", "--json"]
    result = CliRunner().invoke(app, ["sources", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    scores = bundle.read_card(trained)["sources"]
    assert set(scores) == {"pretrained", "general", sources.BAG}
    assert set(scores["general"]) >= {"reviews", "sentences", "tweets", "pairs"}
    assert {"macro_recall", "accuracy", "ece"} <= set(scores["general"]["tweets"])
    assert 0 <= scores["general"]["pairs"]["both"] <= scores["general"]["pairs"]["accuracy"]
