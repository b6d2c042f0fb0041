import json
import random
import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner

from apps.sentiment import views
from apps.sentiment.predictor import Baseline, Predictor
from shared import bundle
from shared.text import WordTokenizer
from training.datasets import imdb
from training.language_model import recipe as language_model
from training.language_model.train import train as train_language_model
from training.sentiment import evaluate, fit, pretrained, recipe
from training.sentiment.__main__ import app
from training.sentiment.data import labels_of

GOOD = ["wonderful", "moving", "splendid", "warm", "clever", "gripping"]
BAD = ["dreadful", "tedious", "wooden", "clumsy", "hollow", "grating"]
PLAIN = ["the", "film", "has", "a", "plot", "and", "some", "actors", "who", "speak", "now", "then"]


def reviews(count, seed):
    """Made-up reviews that praise or blame by their adjectives."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        words = chance.choices(PLAIN, k=chance.randint(6, 18))
        for _ in range(3):
            words.insert(chance.randrange(len(words)), chance.choice((BAD, GOOD)[number % 2]))
        rows.append({"text": " ".join(words) + ".", "label": number % 2})
    return rows


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A bundle fitted to made-up reviews by the real command, small and in seconds."""
    folder = tmp_path_factory.mktemp("sentiment")
    rows = write(folder / "rows.jsonl", reviews(600, seed=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "UNITS", 12)
        patch.setattr(recipe, "DIMENSIONS", 12)
        patch.setattr(recipe, "FROM_SCRATCH", recipe.Recipe(batch_size=16, learning_rate=1e-2))
        arguments = ["--output", folder / "bundle", "--work-dir", folder / "work", "--epochs", "3"]
        result = run("train", "--input", rows, "--cell", "gru", "--json", *arguments)
    assert result.exit_code == 0, result.output
    return folder


def test_own_reviews_are_learned_and_scored_by_the_commands(trained):
    fresh = write(trained / "fresh.jsonl", reviews(80, seed=2))
    result = run(
        "evaluate", "--input", fresh, "--cell", "gru", "--model", trained / "bundle", "--json"
    )
    assert result.exit_code == 0, result.output
    metrics = json.loads(result.stdout.strip().splitlines()[-1])
    assert metrics["accuracy"] > 0.95
    assert metrics["baseline_nbsvm_accuracy"] > 0.95
    assert metrics["examples"] == 80
    assert {"ece", "seconds", "baseline_nbsvm_ece"} <= set(metrics)


def test_training_never_reads_the_test_reviews_and_evaluate_saves_their_scores(
    trained, tmp_path, monkeypatch
):
    shutil.copytree(trained / "bundle", tmp_path / "bundle")
    rows = {
        "train": reviews(200, seed=1),
        "test": reviews(80, seed=2),
        "unsup": reviews(20, seed=3),
    }
    read = []

    def read_part(data_dir, part):
        read.append(part)
        return [imdb.Review(r["text"], r["label"], str(n)) for n, r in enumerate(rows[part])]

    monkeypatch.setattr(imdb, "read", read_part)
    monkeypatch.setattr(recipe, "UNITS", 4)
    monkeypatch.setattr(recipe, "DIMENSIONS", 4)
    arguments = ["--output", tmp_path / "bundle", "--work-dir", tmp_path / "work"]
    result = run("train", "--cell", "rnn", "--epochs", "1", *arguments)
    assert result.exit_code == 0, result.output
    assert read == ["train", "unsup"]
    card = bundle.read_card(tmp_path / "bundle")
    assert set(card["variants"]) == {"gru", "rnn"}
    assert card["test_set"] == "validation split"
    arguments = ["--model", tmp_path / "bundle", "--json"]
    result = run("evaluate", "--save", "--cell", "rnn", *arguments)
    metrics = json.loads(result.stdout.strip().splitlines()[-1])
    card = bundle.read_card(tmp_path / "bundle")
    assert card["variants"]["rnn"]["accuracy"] == metrics["accuracy"]
    assert card["baseline"]["accuracy"] == metrics["baseline_nbsvm_accuracy"]
    assert card["examples"] == 80
    assert card["test_set"] == "validation split (gru), official test split (rnn, baselines)"
    assert run("evaluate", "--save", *arguments).exit_code == 0
    card = bundle.read_card(tmp_path / "bundle")
    assert card["test_set"] == "official test split"
    assert card["duplicates"] == {"within_test": 0, "test_in_training": 0}


def test_swapped_labels_give_the_opposite_accuracy(trained):
    rows = [{**row, "label": 1 - row["label"]} for row in reviews(80, seed=2)]
    swapped = write(trained / "swapped.jsonl", rows)
    result = run("evaluate", "--input", swapped, "--model", trained / "bundle", "--json")
    metrics = json.loads(result.stdout.strip().splitlines()[-1])
    assert metrics["accuracy"] < 0.05
    assert metrics["network"] == "gru"  # the bundle has no other


def test_the_card_says_what_was_done(trained):
    card = bundle.read_card(trained / "bundle")
    variant = card["variants"]["gru"]
    assert variant["parameters"] > 0
    assert variant["accuracy"] > 0.9
    assert card["examples"] + card["training_examples"] == 600
    assert card["baseline"]["ngrams"] > 10


def test_a_bundle_gives_the_answers_that_were_measured(trained):
    rows = [imdb.Review(r["text"], r["label"], "") for r in reviews(40, seed=5)]
    predictor = Predictor.load("gru", trained / "bundle")
    together = predictor.predict([row.text for row in rows])
    alone = [predictor.predict(row.text) for row in rows]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    baseline = Baseline.load(trained / "bundle")
    assert baseline.predict(rows[1].text) > 0.5 > baseline.predict(rows[0].text)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """The bundle of a tiny language model."""
    folder = tmp_path_factory.mktemp("language-model")
    lines = folder / "lines.txt"
    lines.write_text("\n".join(row["text"] for row in reviews(60, seed=4)), encoding="utf-8")
    small = language_model.Recipe(
        60, {"dimensions": 6, "units": 8, "rows": 2}, epochs=1, learning_rate=1e-2
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(language_model.RECIPES, "reviews", small)
        arguments = {"data_dir": folder, "input": lines}
        train_language_model(**arguments, output=folder / "lm", work_dir=folder / "work")
    return folder / "lm"


def test_a_network_starts_from_a_language_model(trained, learned, tmp_path, monkeypatch):
    layer_rates = {"head": (1, 0), "recurrent": (0, 0), "embedding": (1, 9)}
    settings = replace(recipe.PRETRAINED, layer_rates=layer_rates)
    monkeypatch.setattr(recipe, "PRETRAINED", settings)
    monkeypatch.setattr(recipe, "MIN_QUANTISED_SIZE", 100)
    arguments = ["--cell", "pretrained", "--epochs", "1", "--language-model", learned]
    arguments += ["--output", tmp_path / "bundle", "--work-dir", tmp_path]
    result = run("train", "--input", trained / "rows.jsonl", *arguments)
    assert result.exit_code == 0, result.output
    card = bundle.read_card(tmp_path / "bundle")["variants"]["pretrained"]
    assert card["language_model"]["validation_perplexity"] > 1
    stored = load_file(tmp_path / "bundle" / "pretrained.safetensors")
    assert stored["sentiment/recurrent/cell/recurrent_kernel.int8"].shape == (8, 32)
    assert stored["sentiment/embedding/embeddings.int4"].shape[1] == 3  # two a byte
    assert stored["sentiment/head/kernel"].dtype == "float16"  # too small to be worth it
    began = bundle.load_arrays(learned / "lstm.safetensors")
    taken = bundle.load_arrays(tmp_path / "bundle" / "pretrained.safetensors")
    # Layers with a rate of 0, or before their epoch, are as the language model left them.
    for name in ("embedding/embeddings", "recurrent/cell/recurrent_kernel"):
        before, after = began[f"language_model/{name}"], taken[f"sentiment/{name}"]
        # Kernels are rounded to int8, word vectors to four bits.
        np.testing.assert_allclose(before, after, atol=5e-3 if "cell" in name else 0.02)
    predictor = Predictor.load("pretrained", tmp_path / "bundle")
    assert predictor.tokenizer.words[:3] == ["[PAD]", "[UNK]", "[END]"]
    assert 0 < predictor.predict("A wonderful film.") < 1


def test_a_student_learns_the_soft_labels_of_its_teachers(tmp_path, monkeypatch):
    rows = [imdb.Review(r["text"], r["label"], "") for r in reviews(240, seed=6)]
    training, validation, unlabelled = rows[:60], rows[60:120], rows[120:]
    for n in range(0, 60, 7):  # so that it is not right about all: else it would be all but sure
        validation[n] = replace(validation[n], label=1 - validation[n].label)
    texts, truth = [row.text for row in unlabelled], labels_of(unlabelled)
    tokenizer = WordTokenizer.build(sorted({w for r in rows for w in r.text.split()}))
    encoded = {
        name: (tokenizer.encode([row.text for row in part]), labels_of(part))
        for name, part in (("training", training), ("validation", validation))
    }
    options = {"cell": "lstm", "vocabulary": tokenizer.size, "dimensions": 8, "units": 8}
    seen = []
    fit_network = fit.fit_network

    def spy(options, data, start, folder, *rest, **named):
        network, record = fit_network(options, data, start, folder, *rest, verbose=0)
        seen.append((folder.name, data["training"], start.get("head/kernel")))
        return network, record

    monkeypatch.setattr(fit, "fit_network", spy)
    learned = pretrained.Encoder(options, tokenizer, {})
    arguments = (learned, encoded, training, validation)
    _, record = pretrained.fit_pretrained(*arguments, texts, tmp_path, 0, epochs=2)
    assert [name.partition("-")[0] for name, *_ in seen] == ["forward", "student"]
    assert set(record["teachers"]) == {"bag", "forward", "together"}
    name = seen[1][0]
    assert [len(labels) for _, (_, labels), _ in seen] == [60, 180]
    told = seen[1][1][1][60:]
    assert np.mean((told > 0.5) == truth) > 0.95
    assert ((told > 0.01) & (told < 0.99)).mean() > 0.9  # how sure, not only what
    assert seen[1][2] is None  # it starts where the teacher did
    assert len(record["epochs"]) == 4
    assert record["best"] in (2, 3)
    (file,) = tmp_path.glob("teachers-*.npz")
    np.savez(file, labels=1 - told, bag=0.5)  # the labels are computed only once
    del seen[:]
    _, record = pretrained.fit_pretrained(*arguments, texts, tmp_path, 0, epochs=2)
    assert record["teachers"] == {"bag": 0.5}
    np.testing.assert_array_equal(seen[1][1][1][60:], 1 - told)
    assert seen[1][0] != name  # what learned other answers is not resumed
    del seen[:]
    _, record = pretrained.fit_pretrained(*arguments, [], tmp_path, 0, 2, learned)
    assert [name for name, *_ in seen] == ["forward"]
    del seen[:]
    _, record = pretrained.fit_pretrained(
        *arguments, texts, tmp_path, 0, epochs=2, backward=learned
    )
    assert [name.partition("-")[0] for name, *_ in seen] == ["forward", "backward", "student"]
    for ahead, turned in zip(seen[0][1][0], seen[1][1][0], strict=True):
        assert ahead.tolist() == turned[::-1].tolist()
    assert set(record["teachers"]) == {"bag", "forward", "backward", "together"}
    assert len(record["epochs"]) == 6 and record["best"] in (4, 5)


def test_the_study_writes_every_step_and_the_learning_curve_into_the_card(
    trained, learned, tmp_path, monkeypatch
):
    parts = {
        part: [imdb.Review(r["text"], r["label"], str(n)) for n, r in enumerate(rows)]
        for part, rows in (("train", reviews(200, seed=7)), ("test", reviews(60, seed=8)))
    }
    monkeypatch.setattr(imdb, "read", lambda data_dir, part: parts[part])
    monkeypatch.setattr(recipe, "DRAWS_BY_LABELS", {40: 2})
    monkeypatch.setattr(recipe, "MIN_STUDY_BATCHES", 12)
    # No result depends on the order of the steps.
    monkeypatch.setattr(recipe, "STEPS", dict(reversed(recipe.STEPS.items())))
    fitting, seen = fit.fit_network, []

    def noted(options, data, *more):
        seen.append([tuple(numbers) for numbers in data["training"][0]])
        return fitting(options, data, *more)

    monkeypatch.setattr(fit, "fit_network", noted)
    shutil.copytree(trained / "bundle", tmp_path / "bundle")
    card = bundle.read_card(tmp_path / "bundle")
    as_if = {**card["variants"]["gru"], "teachers": {"backward": 0.9}}
    card["variants"]["pretrained"] = as_if
    bundle.write_card(tmp_path / "bundle", card)
    arguments = ["--language-model", learned, "--backward-model", learned]
    arguments += ["--output", tmp_path / "bundle"]
    arguments += ["--data-dir", tmp_path, "--work-dir", tmp_path / "work", "--json"]
    result = run("study", *arguments)
    assert result.exit_code == 0, result.output
    found = bundle.read_card(tmp_path / "bundle")["study"]
    assert found == json.loads(result.stdout.strip().splitlines()[-1])
    every = {row["start"]: row for row in found if row["labels"] == 180}
    directions = ["read from the end", "both directions"]
    assert list(every) == ["bag of words", *recipe.STEPS, *directions, "… and a student"]
    few = {row["start"]: row for row in found if row["labels"] == 40}
    assert list(few) == ["bag of words", *recipe.FEW_LABEL_STEPS]
    assert every["bag of words"]["accuracy"] > 0.95
    for row in found[:-1]:
        assert len(row["draws"]) == (2 if row["labels"] == 40 else 1)
        assert row["accuracy"] == pytest.approx(np.mean(row["draws"]))
    assert set(every) <= set(views.STEPS)

    # Both directions: the log-odds of the two networks, each divided by its temperature.
    def log_odds_of(name):
        (file,) = (tmp_path / "work" / "study" / f"180-{name}").glob("log-odds-*.npz")
        return np.load(file)

    _, validation = imdb.split_by_movie(parts["train"], 0.1, 0)
    directions = [log_odds_of("against-an-adversary"), log_odds_of("read-from-the-end")]
    both = sum(
        each["test"] / evaluate.fit_temperature(each["validation"], labels_of(validation))
        for each in directions
    )
    expected = np.mean((both > 0) == (labels_of(parts["test"]) > 0))
    assert every["both directions"]["accuracy"] == pytest.approx(expected)

    # What each was fitted to, and how.
    def settings_of(name):
        return json.loads((tmp_path / "work/study" / name / "state.json").read_text())["recipe"]

    few, adversary = settings_of("40-encoder-fine-tuned-1"), settings_of("180-against-an-adversary")
    assert (few["epochs"], few["repeats"], few["batch"]) == (3, 2, 16)  # 2 batches: 12 steps
    assert few["rate"] == adversary["rate"] == recipe.PRETRAINED.learning_rate / 2
    assert (few["adversary"], adversary["adversary"]) == (0, recipe.ADVERSARY)
    for name in ("from-scratch", "word-vectors"):
        assert settings_of(f"180-{name}")["epochs"] == 8
        assert settings_of(f"180-{name}")["rate"] == recipe.FROM_SCRATCH.learning_rate / 2
    drawn = [rows for rows in seen if len(rows) == 40]
    assert len(drawn) == 4 and drawn[0] == drawn[1] and drawn[2] == drawn[3]
    assert drawn[0] != drawn[2]
    # A second run fits and scores nothing again, and finds the same.
    files = sorted((tmp_path / "work").rglob("*.npz"))
    times = [file.stat().st_mtime_ns for file in files]
    result = run("study", *arguments)
    assert json.loads(result.stdout.strip().splitlines()[-1]) == found
    assert sorted((tmp_path / "work").rglob("*.npz")) == files
    assert [file.stat().st_mtime_ns for file in files] == times


def test_language_models_with_different_vocabularies_are_refused(learned, tmp_path, texts):
    assert pretrained.load_encoders(learned, None)[1] is None
    shutil.copytree(learned, tmp_path / "other")
    WordTokenizer.build(["[END]", "lamp"]).save(tmp_path / "other" / "tokenizer.json")
    with pytest.raises(bundle.BundleError) as error:
        pretrained.load_encoders(learned, tmp_path / "other")
    texts(error.value)


def test_without_a_language_model_the_command_says_how_to_fit_one(trained, tmp_path):
    rows, nowhere = trained / "rows.jsonl", tmp_path / "nowhere"
    arguments = ("--language-model", nowhere, "--output", tmp_path, "--work-dir", tmp_path)
    with pytest.raises(bundle.BundleError, match="python -m training.language_model train"):
        pretrained.load_encoder(nowhere)
    result = run("train", "--input", rows, "--cell", "pretrained", *arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, bundle.BundleError)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "has no rows"),
        ('{"text": "fine"}\n', "line 1: expected"),
        ('{"text": "fine", "label": 1}\nnot json\n', "line 2: expected"),
        ('{"text": 3, "label": 1}\n', "must be a string"),
        ('{"text": "fine", "label": 7}\n', "`label` 0 or 1"),
    ],
)
def test_bad_rows_are_refused_with_their_line(tmp_path, content, sentence):
    (tmp_path / "rows.jsonl").write_text(content)
    result = run("evaluate", "--input", tmp_path / "rows.jsonl")
    assert result.exit_code == 2
    assert sentence in " ".join(result.output.replace("│", " ").split())


def test_one_label_only_is_refused(tmp_path, texts):
    rows = [{"text": f"fine film {n}", "label": 1} for n in range(40)]
    arguments = ["train", "--input", write(tmp_path / "rows.jsonl", rows), "--output", tmp_path]
    result = CliRunner().invoke(app, list(map(str, arguments)), standalone_mode=False)
    texts(result.exception)


def test_calibration_error_by_hand():
    # Confidence 0.8 twice, right once: a gap of 0.3. Confidence 0.6 twice, right twice: 0.4.
    probabilities = np.array([0.8, 0.2, 0.6, 0.4])
    labels = np.array([1, 1, 1, 0])
    assert evaluate.scores(probabilities, labels)["ece"] == pytest.approx(0.35)


def test_calibration_error_of_certain_and_right_answers_is_zero():
    assert evaluate.scores(np.array([1.0, 0.0]), np.array([1, 0]))["ece"] == 0


def test_temperature_undoes_a_known_scaling():
    noise = np.random.default_rng(0)
    log_odds = noise.normal(0, 2, 20_000)
    labels = (noise.uniform(size=20_000) < 1 / (1 + np.exp(-log_odds))).astype("float32")
    assert evaluate.fit_temperature(3 * log_odds, labels) == pytest.approx(3, rel=0.05)
