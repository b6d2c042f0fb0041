import random
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from apps.analogies import predictor
from apps.analogies import vectors as store
from apps.analogies.vectors import Vectors
from shared import bundle
from tests.training.commands import refusal, run
from training.analogies import data, evaluate, fit, recipe
from training.analogies.__main__ import app
from training.analogies.ppmi import ppmi_svd

CAPITALS = [("oslo", "norway"), ("rome", "italy"), ("paris", "france"), ("cairo", "egypt")]
GRAMMAR = ["the", "of", "and", "in", "to", "is", "was", "by", "with", "from", "near", "that"]


def made_up(lines, seed=0):
    """Sentences about four countries: enough for vectors, not for good ones."""
    rng = random.Random(seed)
    rows = []
    for _ in range(lines):
        city, country = rng.choice(CAPITALS)
        words = [city, country, *rng.choices(GRAMMAR, k=9)]
        rng.shuffle(words)
        rows.append(" ".join(words))
    return "\n".join(rows)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("analogies")
    (folder / "mine.txt").write_text(made_up(400))
    command = ["train", "--input", folder / "mine.txt", "--output", folder / "out"]
    command += ["--work-dir", folder / "work", "--epochs", 2, "--dimensions", 8]
    return folder, run(app, *command)


def questions_file(folder):
    path = folder / "questions.txt"
    rows = [f"{a} {b} {c} {d}" for a, b in CAPITALS for c, d in CAPITALS if a != c]
    path.write_text(": capitals\n" + "\n".join([*rows, "oslo norway bern switzerland"]) + "\n")
    return path


def test_training_writes_a_bundle_that_loads(trained):
    folder, printed = trained
    vectors = store.load(folder / "out")
    assert set(vectors.words) == {*GRAMMAR, *(word for pair in CAPITALS for word in pair)}
    assert vectors.matrix.shape == (20, 8)
    card = bundle.read_card(folder / "out")
    assert card["vocabulary"] == 20
    assert card["variants"]["CBOW"]["parameters"] == 20 * 8
    assert card["variants"]["CBOW"]["validation_accuracy"] == printed["CBOW"]
    assert card["baseline"]["name"] == "PPMI + SVD"
    assert {path.suffix for path in (folder / "out").iterdir()} == {".json", ".safetensors"}


def test_test_scores_come_from_evaluate_alone(trained, tmp_path, monkeypatch):
    folder, _ = trained
    model = shutil.copytree(folder / "out", tmp_path / "out")
    before = bundle.read_card(model)
    assert "accuracy" not in before["variants"]["CBOW"] and "sections" not in before
    monkeypatch.setattr(predictor, "FOLDER", model)
    # The page serves the vectors without scores. What it loads must not stay in its cache.
    assert predictor._load.__wrapped__(None).card is None
    tests = data.read_questions(questions_file(folder)), [("oslo", "norway", 9.0), ("of", "by", 1)]
    monkeypatch.setattr(data, "official_tests", lambda: tests)
    metrics = run(app, "evaluate", "--save", "--model", model, "--work-dir", folder / "work")
    card = bundle.read_card(model)
    assert card["test_set"] == evaluate.TEST_SET
    assert card["variants"]["CBOW"]["accuracy"] == card["accuracy"] == metrics["accuracy"]
    assert card["sections"]["capitals"]["covered"] == card["examples"] == 12
    assert card["baseline"]["accuracy"] == metrics["baseline_ppmi_accuracy"]
    assert set(card["quantisation"]) > {"bits", "accuracy_float32"}
    assert len(bundle.load_arrays(model / "answers.safetensors")["answers"]) == 12


def test_evaluation_scores_a_questions_file_and_a_similarity_file(trained):
    folder, _ = trained
    pairs = folder / "pairs.tsv"
    pairs.write_text("oslo\tnorway\t9\nrome\titaly\t8\nthe\toslo\t1\nthe\tdragon\t2\n")
    command = ["evaluate", "--model", folder / "out", "--input", questions_file(folder)]
    metrics = run(app, *command, "--similarity", pairs)
    assert metrics["questions"] == 13
    assert metrics["covered"] == pytest.approx(12 / 13)
    assert metrics["skipped"] == 1
    assert metrics["pairs_covered"] == 0.75
    assert metrics["accuracy"] == metrics["accuracy_capitals"]
    assert metrics["baseline_random_accuracy"] == pytest.approx(1 / 17)
    assert {"accuracy_30k", "spearman", "vocabulary"} <= set(metrics)


def test_evaluation_reads_a_file_of_vectors(tmp_path):
    rows = {"oslo": [1, 0, 1], "norway": [1, 0, 0], "rome": [0, 1, 1], "italy": [0, 1, 0.1]}
    path = tmp_path / "mine.txt"
    path.write_text("".join(f"{w} {' '.join(map(str, row))}\n" for w, row in rows.items()))
    questions = tmp_path / "questions.txt"
    questions.write_text(": capitals\nOslo Norway Rome Italy\n")
    assert run(app, "evaluate", "--vectors", path, "--input", questions)["accuracy"] == 1


def test_a_file_without_questions_is_refused(trained, tmp_path, texts):
    folder, _ = trained
    path = tmp_path / "questions.txt"
    path.write_text("one two three\n")
    command = ["evaluate", "--model", folder / "out", "--input", path]
    texts(refusal(app, *command, folder=tmp_path))


@pytest.mark.parametrize("content", ["too few words", "\n\n"])
def test_too_little_text_is_refused(tmp_path, content, texts):
    (tmp_path / "mine.txt").write_text(content)
    command = ["train", "--input", tmp_path / "mine.txt", "--work-dir", tmp_path]
    texts(refusal(app, *command, "--output", tmp_path / "out"))


def test_an_interrupted_run_resumes_after_its_last_epoch(tmp_path):
    corpus = data.write_corpus(
        [line.split() for line in made_up(60).split("\n")], tmp_path / "corpus.txt", 0
    )
    options = {"workers": 1, "vector_size": 6, "sg": 1, "min_count": 1}
    words, whole, _ = fit.learn(corpus, tmp_path / "whole", 0, 3, **options)
    _, first, _ = fit.learn(corpus, tmp_path / "part", 0, 1, **options)
    with np.load(tmp_path / "part" / "checkpoint.npz") as arrays:
        assert int(arrays["done"]) == 1
        np.testing.assert_array_equal(arrays["vectors"], first)
    again, resumed, _ = fit.learn(corpus, tmp_path / "part", 0, 3, **options)
    assert again == words
    assert np.abs(resumed - first).max() > 0
    _, done, _ = fit.learn(corpus, tmp_path / "whole", 0, 3, **options)
    np.testing.assert_array_equal(done, whole)


def test_the_first_words_of_a_corpus_are_a_corpus(tmp_path):
    corpus = data.write_corpus([["a", "b", "c"]] * 5 + [["d"]], tmp_path / "corpus.txt", 0)
    part = corpus.first(7)
    assert corpus.size == 16 and 4 <= part.size <= 7
    assert part.path.read_text() == corpus.path.read_text()[: len(part.path.read_text())]


def test_words_that_belong_together_are_joined(tmp_path):
    # Words that meet by chance are as many as in a text: their pairs are the measure.
    others = [[f"{a}{b}{c}" for c in "klmnopqrst"] for a in "abcdefghij" for b in "uvwxyz"]
    lines = [*([*row, "new", "york"] for row in others[:40]), *others]
    corpus = data.write_corpus(lines, tmp_path / "corpus.txt", 0)
    joined = data.with_phrases(corpus)
    assert joined.counts["new_york"] == 40 and "york" not in joined.counts
    assert joined.size == corpus.size - 40 and joined.lines == corpus.lines


def test_the_study_learns_only_the_rows_that_its_card_lacks(tmp_path, monkeypatch):
    corpus = data.write_corpus(
        [line.split() for line in made_up(400).split("\n")], tmp_path / "corpus.txt", 0
    )
    monkeypatch.setattr(data, "read_corpus", lambda *_: (corpus, tmp_path))
    small = {"vector_size": 6, "min_count": 1}
    rows = ((2000, 1, small), (2000, 1, {**small, "phrases": True}))
    learned = []
    learn = fit.learn
    monkeypatch.setattr(fit, "learn", lambda *a, **o: learned.append(a) or learn(*a, **o))
    monkeypatch.setattr(recipe, "STUDY", rows[:1])
    bundle.write_card(tmp_path / "out", dict.fromkeys(bundle.CARD_KEYS, "mine"))
    command = ["study", "--output", str(tmp_path / "out")]
    for expected in (1, 1):
        assert CliRunner().invoke(app, command).exit_code == 0
        assert len(learned) == expected
    monkeypatch.setattr(recipe, "STUDY", rows)
    assert CliRunner().invoke(app, command).exit_code == 0
    assert len(learned) == 2
    card = bundle.read_card(tmp_path / "out")
    assert [row["phrases"] for row in card["study"]] == [False, True]
    assert card["title"] == "mine" and card["study"][0]["dimensions"] == 6


def test_sizes_replaces_the_smaller_vectors_only(trained, monkeypatch):
    folder, _ = trained
    (work,) = (path for path in (folder / "work").iterdir() if path.is_dir())
    corpus = data.Corpus.read(work / "corpus.txt")
    monkeypatch.setattr(data, "read_corpus", lambda *_: (corpus, work))
    monkeypatch.setattr(recipe, "SIZES", {2000: 2})
    small = {"vector_size": 6, "min_count": 1}
    monkeypatch.setattr(recipe, "SIZES_RECIPE", small)
    monkeypatch.setattr(fit, "SIZES_RECIPE", small)
    before = {path.name: path.read_bytes() for path in (folder / "out").iterdir()}
    result = CliRunner().invoke(app, ["sizes", "--output", str(folder / "out")])
    assert result.exit_code == 0, result.output
    after = {path.name: path.read_bytes() for path in (folder / "out").iterdir()}
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"sizes.safetensors", "card.json"}
    arrays = bundle.load_arrays(folder / "out" / "sizes.safetensors")
    assert set(arrays) == {f"2000.{part}" for part in ("codes", "levels", "words")}
    (row,) = bundle.read_card(folder / "out")["sizes"]
    assert (row["words"], row["epochs"], row["dimensions"]) == (2000, 2, 6)


def test_words_with_similar_contexts_get_similar_ppmi_vectors(tmp_path):
    rng = random.Random(0)
    groups = [[f"{c}{d}x" for d in "abcdef"] for c in "mnop"]
    lines = [rng.choices(rng.choice(groups), k=8) for _ in range(400)]
    corpus = data.write_corpus(lines, tmp_path / "corpus.txt", 0)
    words = [word for group in groups for word in group]
    vectors = Vectors.of(words, ppmi_svd(corpus, words, dimensions=4))
    for word in words:
        nearest = words[np.argsort(-(vectors.matrix @ vectors[word]))[1]]
        assert nearest[0] == word[0]


def test_pairs_are_counted_within_the_window_and_the_paragraph(tmp_path, monkeypatch):
    counted = []

    def keep(matrix, *args, **options):
        counted.append(matrix.toarray())
        size = matrix.shape[0]
        return np.eye(size), np.ones(size), np.eye(size)

    monkeypatch.setattr("sklearn.utils.extmath.randomized_svd", keep)
    lines = [["a", "b", "z", "c"]] * 3 + [["c"], ["a"]]
    corpus = data.write_corpus(lines, tmp_path / "corpus.txt", 0)
    ppmi_svd(corpus, ["a", "b", "c"], window=2)
    information = counted[0]
    # a and b meet three times, b and c too over the unknown z; a and c never do.
    assert information[0, 1] > 0 and information[1, 2] > 0
    assert information[0, 2] == 0
    columns = 2 * 3**0.75 + 6**0.75
    np.testing.assert_allclose(information[0, 1], np.log(3 * columns / 3 / 6**0.75), rtol=1e-5)


def test_validation_and_test_questions_share_no_pair():
    official, _ = data.official_tests()
    pairs = {pair for rows in official.values() for q in rows for pair in (q[:2], q[2:])}
    own = data.validation_questions()
    assert sum(map(len, own.values())) > 3000
    assert not pairs & {pair for rows in own.values() for q in rows for pair in (q[:2], q[2:])}


def test_the_official_questions_are_all_there():
    questions, pairs = data.official_tests()
    assert sum(map(len, questions.values())) == 19_544
    assert len(questions) == 14 and len(pairs) == 353


def test_the_strongest_direction_is_removed():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(200, 6)) + 4
    matrix[:, 0] += 9 * rng.normal(size=200)
    assert fit.remove_directions(matrix, None) is matrix
    centred = fit.remove_directions(matrix, 0)
    np.testing.assert_allclose(centred.mean(axis=0), 0, atol=1e-5)
    finished = fit.remove_directions(matrix, 1)
    assert finished[:, 0].std() < 0.3 < 5 < centred[:, 0].std()


def test_fewer_dimensions_keep_most_of_the_variance():
    matrix = np.random.default_rng(0).normal(size=(50, 6)) * [9, 9, 1, 0.1, 0.1, 0.1]
    reduced = fit.reduce_dimensions(matrix, 3)
    np.testing.assert_allclose(reduced @ reduced.T, matrix @ matrix.T, atol=2)
    assert fit.reduce_dimensions(matrix, 6) is matrix
