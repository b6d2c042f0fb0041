import json
import random
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from apps.translation import copies
from apps.translation.memory import Memory
from apps.translation.model import Translator
from apps.translation.predictor import Predictor
from shared import bundle
from shared.text import SubwordTokenizer
from training.loop import smoothed_cross_entropy
from training.translation import evaluate, fit, phrases, quality, recipe, train, variations
from training.translation.__main__ import app
from training.translation.data import Pair, read

WORDS = {"dog": "chien", "cat": "chat", "boy": "garçon", "man": "homme"}
VERBS = {"sleeps": "dort", "eats": "mange", "runs": "court"}


def rows(count, seed=0):
    rng = random.Random(seed)
    lines = []
    for n in range(count):
        noun, verb = rng.choice(list(WORDS)), rng.choice(list(VERBS))
        lines.append(f"The {noun} {verb} {n}.\tLe {WORDS[noun]} {VERBS[verb]} {n}.")
    return lines


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("translation")
    (folder / "pairs.tsv").write_text("\n".join(rows(300)) + "\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "VOCABULARY", 90)
        patch.setattr(recipe, "WARM_UP_BATCHES", 4)
        patch.setattr(recipe, "BATCH_TOKENS", 256)
        # One length, so that one graph is compiled and not five.
        patch.setattr(recipe, "LENGTH_BUCKETS", (24,))
        patch.setattr("apps.translation.predictor.PADDED_LENGTHS", (24,))
        patch.setitem(recipe.VARIANTS, "attention", {"dimensions": 24, "units": 32})
        arguments = ["train", "--input", str(folder / "pairs.tsv"), "--variant", "attention"]
        arguments += ["--output", str(folder / "bundle"), "--work-dir", str(folder / "work")]
        result = CliRunner().invoke(app, [*arguments, "--epochs", "6", "--json"])
        assert result.exit_code == 0, result.output
    return folder, json.loads(result.output.strip().splitlines()[-1])


def test_training_writes_a_bundle_that_has_learned_something(trained):
    folder, metrics = trained
    card = bundle.read_card(folder / "bundle")
    assert metrics["attention"] == card["variants"]["attention"]["bleu"]
    record = json.loads(next(folder.glob("work/*/attention/state.json")).read_text())
    losses = [each["loss"] for each in record["epochs"]]
    assert losses[-1] < losses[0]
    found = Predictor.load("attention", folder / "bundle").translate("The dog eats 5.")
    assert found.lines[0][0].hypotheses
    groups = card["variants"]["attention"]["by_length"]
    assert [(group["words"], group["sentences"]) for group in groups] == [("1–5", 30)]
    assert groups[0]["bleu"] == card["variants"]["attention"]["bleu"]
    assert card["memory"] == {
        "sentences": 270, "usual_words": 4, "false_positives": card["memory"]["false_positives"],
    }  # fmt: skip
    assert 0 <= card["memory"]["false_positives"] < 1e-6
    assert Memory.load(folder / "bundle").overlap("the dog EATS 1?").words[:3] == (True,) * 3


def test_some_networks_of_the_study_are_measured_but_not_shipped(tmp_path, monkeypatch):
    (tmp_path / "pairs.tsv").write_text("\n".join(rows(40)) + "\n", encoding="utf-8")
    fitted = {}

    def fit_network(options, data, folder, seed, epochs, start):
        fitted[folder.name] = epochs
        return options, {}

    monkeypatch.setattr(train, "fit_network", fit_network)
    monkeypatch.setattr(
        train,
        "_write_variant",
        lambda folder, *rest: {"bleu": 1.0, "folder": folder.name, "scored_on": "pairs"},
    )
    train.train(
        input=tmp_path / "pairs.tsv", output=tmp_path / "bundle", work_dir=tmp_path / "work"
    )
    card = bundle.read_card(tmp_path / "bundle")
    assert set(card["study"]) == set(recipe.NOT_SHIPPED)
    assert {each["folder"] for each in card["variants"].values()} == {"bundle"}
    assert "bundle" not in {each["folder"] for each in card["study"].values()}
    # The study's networks share one budget.
    assert set(fitted) == set(recipe.VARIANTS)
    assert {fitted.pop("attention"), *fitted.values()} == {
        recipe.EPOCHS, recipe.STUDY_EPOCHS,
    }  # fmt: skip
    assert set(fitted.values()) == {recipe.STUDY_EPOCHS}


def test_scores_by_length_are_those_of_the_group():
    pairs = [
        Pair("One two three four five.", ("Un deux trois quatre cinq.",), "own"),
        Pair("Don't count to six, please?", ("Ne compte pas.",), "own"),
        Pair("This one here has six words.", ("Celle-ci a six mots.",), "own"),
        Pair(" ".join(["word"] * 30), (" ".join(["mot"] * 30),), "own"),
    ]
    written = ["Un deux trois quatre cinq.", "Faux.", "Celle-ci a six mots.", "Rien."]
    found = evaluate.scores_by_length(written, pairs)
    assert [(group["words"], group["sentences"]) for group in found] == [
        ("1–5", 2), ("6–10", 1), ("21+", 1),
    ]  # fmt: skip
    assert found[0]["bleu"] == evaluate.scores(written[:2], pairs[:2])["bleu"]
    assert found[0]["bleu"] < found[1]["bleu"] == 100
    assert found[2]["bleu"] == 0


def test_evaluate_prints_the_keys_of_the_contract(trained):
    folder, _ = trained
    command = ["evaluate", "--input", str(folder / "pairs.tsv"), "--model", str(folder / "bundle")]
    result = CliRunner().invoke(app, [*command, "--json"])
    assert result.exit_code == 0, result.output
    metrics = json.loads(result.output.strip().splitlines()[-1])
    keys = {"bleu", "chrf", "sentences", "sentences_per_second", "signature"}
    assert keys | {"baseline_dictionary_bleu"} <= set(metrics)
    assert metrics["sentences"] == 300
    assert metrics["baseline_dictionary_bleu"] > 50  # word for word is right here


def test_test_scores_come_from_evaluate_alone(trained, monkeypatch, tmp_path):
    folder, _ = trained
    shutil.copytree(folder / "bundle", tmp_path / "bundle")
    card = bundle.read_card(tmp_path / "bundle")
    assert (card["test_set"], card["examples"]) == ("validation pairs", 30)
    weights = tmp_path / "deep.safetensors"  # as if it had been trained as well
    shutil.copy(folder / "bundle" / "attention.safetensors", weights)
    card["study"]["deep"] = {**card["variants"]["attention"], "weights": weights.name, "bleu": 0}
    bundle.write_card(tmp_path / "bundle", card)
    (tmp_path / "test.tsv").write_text("\n".join(rows(20, seed=1)) + "\n", encoding="utf-8")
    command = ["evaluate", "--input", tmp_path / "test.tsv", "--model", tmp_path / "bundle"]
    command += ["--work-dir", tmp_path, "--save", "--json"]
    result = CliRunner().invoke(app, [str(word) for word in command])
    assert result.exit_code == 0, result.output
    metrics = json.loads(result.output.strip().splitlines()[-1])
    card = bundle.read_card(tmp_path / "bundle")
    assert (card["test_set"], card["examples"]) == ("test.tsv", 20)
    for details in (card["variants"]["attention"], card["study"]["deep"]):
        assert details["bleu"] == metrics["bleu"]
        assert sum(group["sentences"] for group in details["by_length"]) == 20
    assert card["baseline"]["bleu"] == metrics["baseline_dictionary_bleu"]


@pytest.mark.parametrize("line", ["no tab here", "English\t", "\tfrançais"])
def test_a_bad_row_is_named(tmp_path, line):
    file = tmp_path / "pairs.tsv"
    file.write_text(f"A dog.\tUn chien.\n{line}\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["evaluate", "--input", str(file)])
    assert result.exit_code == 2
    assert "line 2" in result.output


def test_several_references_count():
    pairs = [Pair("Hi.", ("Salut.", "Bonjour à toi."), "own"), Pair("Go.", ("Va.",), "own")]
    assert evaluate.scores(["Bonjour à toi.", "Va."], pairs)["bleu"] == 100
    assert evaluate.scores(["Bonjour à moi.", "Va."], pairs)["bleu"] < 100


def test_the_loss_has_label_smoothing_and_ignores_padding():
    logits = np.log(np.array([[[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]], "float32"))
    targets = np.array([[1, 0]], "int32")
    exact = smoothed_cross_entropy(0.0)(targets, logits)
    np.testing.assert_allclose(exact, -np.log(0.2), rtol=1e-5)
    spread = smoothed_cross_entropy(0.3)(targets, logits)
    expected = 0.7 * -np.log(0.2) + 0.3 * -np.log([0.7, 0.2, 0.1]).mean()
    np.testing.assert_allclose(spread, expected, rtol=1e-5)


def test_batches_hold_every_pair_once_and_few_shapes():
    lengths = np.random.default_rng(0).integers(2, 60, 5_000)
    found = fit.make_buckets(lengths, np.random.default_rng(1))
    rows_ = np.concatenate([rows for _, rows in found])
    assert sorted(rows_) == sorted(np.flatnonzero(lengths <= recipe.LENGTH_BUCKETS[-1]))
    for length, part in found:
        assert lengths[part].max() <= length
        assert len(part) <= recipe.BATCH_TOKENS // length


def test_both_corpora_are_read_with_their_references(tmp_path):
    import lzma

    folder = tmp_path / "translation"
    folder.mkdir()
    tatoeba = "test\tHi.\tSalut.\ntest\tHi.\tBonjour.\ntrain\tGo.\tVa.\n"
    (folder / "tatoeba_en_fr.tsv.xz").write_bytes(lzma.compress(tatoeba.encode()))
    for part in ("train", "val", "test_2016_flickr"):
        for language, line in (("en", "A dog."), ("fr", "Un chien.")):
            file = folder / f"multi30k_{part}.{language}.xz"
            file.write_bytes(lzma.compress(f"{line}\n{line}\n".encode()))
    test = read(tmp_path, "test")
    assert [pair.domain for pair in test] == ["multi30k", "multi30k", "tatoeba"]
    assert test[-1].targets == ("Salut.", "Bonjour.")
    assert [pair.source for pair in read(tmp_path, "train")] == ["A dog.", "A dog.", "Go."]
    with pytest.raises(ValueError, match="`part`"):
        read(tmp_path, "dev")


def test_training_continues_from_a_bundle_without_placeholders(trained):
    folder, _ = trained
    tokenizer = SubwordTokenizer.load(folder / "bundle" / "tokenizer.json")
    arrays = bundle.load_arrays(folder / "bundle" / "attention.safetensors")
    slots = len(copies.ALL_PLACEHOLDERS)
    old = {
        name: array[:-slots] if len(array) == tokenizer.size else array
        for name, array in arrays.items()
    }
    again = fit.with_placeholders(old, tokenizer)
    assert {name: array.shape for name, array in again.items()} == {
        name: array.shape for name, array in arrays.items()
    }
    for name, array in old.items():
        np.testing.assert_array_equal(again[name][: len(array)], array)


def test_a_network_trained_further_is_averaged_with_its_start():
    network = Translator(12, dimensions=4, units=8, seed=1)
    network.build(((None, None), (None, None)))
    trained = {weight.path: np.asarray(weight) for weight in network.weights}
    start = {
        path: np.zeros_like(array[:10] if len(array) == 12 else array)
        for path, array in trained.items()
    }
    fit.average_with_start(network, start)
    for weight in network.weights:
        rows, before = len(start[weight.path]), trained[weight.path]
        share = 1 - recipe.START_SHARE
        np.testing.assert_allclose(np.asarray(weight)[:rows], share * before[:rows], rtol=1e-6)
        np.testing.assert_array_equal(np.asarray(weight)[rows:], before[rows:])


def test_pairs_are_read_as_people_type_them():
    pairs = [
        Pair("Tom paid $12.50 at 3:15 pm.", ("Tom a payé 12,50 dollars à 15h15.",), "tatoeba"),
        Pair("A man sleeps on a bench in the park.", ("Un homme dort sur un banc.",), "multi30k"),
    ]
    tokenizer = SubwordTokenizer.train(
        [text for p in pairs for text in (p.source, *p.targets)] * 9, 150
    )
    tokenizer.add(copies.ALL_PLACEHOLDERS)
    training = fit.TrainingPairs(tokenizer, pairs)
    assert training.rows.tolist() == [0, *[1] * recipe.MULTI30K_REPEATS]
    rng = np.random.default_rng(0)
    seen = [variations.vary(training.examples[0], rng) for _ in range(400)]
    for source, target in seen:
        slots = set(copies.ALL_PLACEHOLDERS) & set(source)
        assert len(slots) in (2, 3)  # the price, the time and sometimes the name
        assert slots == set(copies.ALL_PLACEHOLDERS) & set(target)
    assert {source.endswith(".") for source, _ in seen} == {True, False}
    assert any(source.islower() for source, _ in seen)
    sources, targets = training.encode([0, 1, 1], rng)
    assert [len(side) for side in (sources, targets)] == [3, 3]


def test_a_typo_changes_one_place_of_one_word():
    rng = np.random.default_rng(0)
    for _ in range(50):
        typed = variations.with_typo("Some children were singing.", rng)
        assert abs(len(typed) - len("Some children were singing.")) <= 1
    assert variations.with_typo("I am.", rng) == "I am."


def test_phrases_agree_and_are_not_in_the_sets():
    found = dict(phrases.pairs())
    english = {phrases._key(text) for text in found}
    tested = {phrases._key(text) for text in phrases.tested_inputs()}
    assert len(tested) >= 690
    assert not english & tested
    noun = phrases._Noun("tree(trees)", "arbre", "m")
    old = ["old", "<vieux", "vieille", "vieux", "vieilles"]
    assert noun.with_adjective(old) == "vieil arbre"
    assert (noun.the(), noun.a(), noun.of(), noun.this()) == (
        "l'arbre", "un arbre", "d'arbre", "cet arbre",
    )  # fmt: skip
    road = phrases._Noun("road", "route", "f")
    assert road.with_adjective(old, plural=True) == "vieilles routes"
    numbers = dict(phrases._numbers())
    assert numbers["seventy-one"] == "soixante et onze"
    assert numbers["eighty-one"] == "quatre-vingt-un"
    assert numbers["ninety-seven"] == "quatre-vingt-dix-sept"


def test_the_quality_estimate_catches_what_its_features_tell():
    rng = np.random.default_rng(0)
    poor = rng.random(600) < 0.2
    values = rng.normal(size=(600, 3))
    values[:, 1] += 4 * poor
    details = quality.fit(values, poor)
    assert details["caught"] > 0.9
    assert details["false_alarms"] == pytest.approx(quality.FALSE_ALARMS, abs=0.01)
    weights = details["estimate"]["weights"]
    assert np.argmax(np.abs(weights)) == 1


def test_our_own_sets_are_scored(trained):
    folder, _ = trained
    predictor = Predictor.load("attention", folder / "bundle")
    share, wrong = evaluate.copied_inputs(predictor)
    assert share == pytest.approx(1 - len(wrong) / 300)
    assert evaluate._plain("Bonjour\u202f!") == evaluate._plain("bonjour")
