"""The command of the character model: n-grams, labels, probes and a run from end to end."""

import lzma
from dataclasses import replace

import numpy as np
import pytest

from shared import bundle
from tests.training.commands import refusal, run
from training.characters import data as corpus
from training.characters import evaluate, fit, probes
from training.characters.__main__ import app
from training.characters.data import find_alphabet
from training.characters.ngrams import NGrams
from training.characters.recipe import RECIPE

PLAY = "ANNA:\nIs it late? The lamp, my friend, is low.\n\nOLD BEN:\nGo home; we: wait.\n"


def test_ngrams_by_hand():
    """Interpolated Kneser–Ney of order 2 on “abaabb”, a = 1 and b = 2, size 3."""
    model = NGrams([1, 2, 1, 1, 2, 2], 3, 2)
    # Pairs: ab 2, ba 1, aa 1, bb 1: three once, one twice, so D = 3 / (3 + 2) = 0.6.
    # Kinds of character before a: b, a; before b: a, b. None occurs once, so D = 0.5 there:
    # P(a) = P(b) = (2 - 0.5) / 4 + 0.5 * 2 / 4 / 3 = 0.4583333, unseen 0.0833333.
    lower = 1.5 / 4 + 0.25 / 3
    assert np.exp(-model.nats([2])) == pytest.approx([lower])
    # After a come b twice and a once: P(b | a) = (2 - 0.6) / 3 + 0.6 * 2 / 3 * P(b).
    assert np.exp(-model.nats([1, 2])[1]) == pytest.approx(1.4 / 3 + 0.4 * lower)
    assert np.exp(-model.nats([0, 1])[1]) == pytest.approx(lower)  # a context never seen


def test_ngrams_sum_to_one_after_any_context():
    rng = np.random.default_rng(0)
    model = NGrams(rng.integers(0, 5, 300), 5, 4)
    for context in rng.integers(0, 5, (10, 6)):
        total = sum(np.exp(-model.nats([*context, n])[-1]) for n in range(5))
        assert total == pytest.approx(1)


def test_every_character_but_the_first_is_scored_once_after_enough_others():
    numbers = np.arange(2_500) % 50
    inputs, targets, scored = evaluate.cut_into_rows(numbers)
    assert scored.sum() == 2_499
    np.testing.assert_array_equal(targets[scored], numbers[1:])
    np.testing.assert_array_equal(inputs[scored], numbers[:-1])
    assert not scored[1:, : evaluate.CONTEXT].any()


def test_labels_by_hand():
    named = "".join(c for c, label in zip(PLAY, probes.in_speaker_line(PLAY), strict=True) if label)
    assert named == "ANNA:OLD BEN:"
    assert probes.distance_from("ab cd", " ").tolist() == [1, 2, 0, 1, 2]
    question = probes.comes_next("So? Go. He", "?", ".?!")
    assert question.tolist() == [True] * 3 + [False] * 7
    text = 'He ("so") said "a\n\nb" and "c d".'
    inside = ["".join(np.array(list(text))[probes.in_marks(text, *pair)]) for pair in ('""', "()")]
    assert inside == ['so" and "', '"so")']  # a mark left open ends with its paragraph


def test_agreement_equals_counting():
    rng = np.random.default_rng(0)
    states, labels = rng.normal(size=(40, 3)), rng.integers(0, 2, 40) == 1
    from scipy.stats import rankdata, spearmanr

    ranks = rankdata(states, axis=0)
    higher = np.mean(states[labels][:, None] > states[~labels][None], axis=(0, 1))
    np.testing.assert_allclose(probes.agreement(ranks, labels), 2 * higher - 1)
    numbers = rng.integers(0, 9, 40)
    expected = [spearmanr(column, numbers).statistic for column in states.T]
    np.testing.assert_allclose(probes.agreement(ranks, numbers), expected)
    assert (probes.agreement(ranks, np.zeros(40, bool)) == 0).all()


def test_rare_characters_are_unknown():
    assert find_alphabet("ab" * 10 + "z" * 9) == "ab"


def test_the_corpus_is_read_in_both_forms(tmp_path, monkeypatch):
    (tmp_path / "language").mkdir()
    (tmp_path / "language" / "tiny_shakespeare.txt.xz").write_bytes(lzma.compress(PLAY.encode()))
    assert corpus.plays(tmp_path) == PLAY
    official = tmp_path / "official"
    official.mkdir()

    def fetched(url, sha256, path):
        assert url.startswith("https://raw.githubusercontent.com/karpathy/char-rnn/")
        path.write_text(PLAY, encoding="utf-8")
        return path

    monkeypatch.setattr(corpus, "fetch", fetched)
    assert corpus.plays(official) == PLAY
    parts = corpus.split("x" * 200)
    assert [len(part) for part in parts] == [180, 10, 10]


def test_articles_begin_in_lines_of_a_page(tmp_path, monkeypatch):
    paragraph = "A “lamp” – a light in a box – is lit when the sun goes down. " * 5
    texts = [f"Lamp\n\n{paragraph}\n{paragraph}\n{paragraph}", f"Naïve\n{'é' * 300}", paragraph]
    monkeypatch.setattr(corpus.words, "articles", lambda folder: iter(texts))
    first, second, rest = corpus.articles(tmp_path, size=10).split("\n\n")
    assert first == second
    assert not rest
    assert first.replace("\n", " ") == paragraph.strip().translate(corpus._PLAIN)
    assert max(len(line) for line in first.split("\n")) <= corpus.LINE_WIDTH
    assert '"lamp" - a' in first
    assert corpus.articles(tmp_path, size=2_000).count("\n\n") == 3  # none of the foreign one


@pytest.mark.parametrize("content", [b"too short", b"\x00\x01\x02"])
def test_a_file_that_cannot_be_used_gets_a_sentence(tmp_path, content, texts):
    (tmp_path / "mine.txt").write_bytes(content)
    texts(refusal(app, "train", "--input", tmp_path / "mine.txt", folder=tmp_path))


def test_own_text_is_learned_resumed_and_scored(tmp_path, monkeypatch):
    """A tiny run of the command: it learns, resumes, and what it wrote is scored by evaluate."""
    small = {"units": 8, "dimensions": 4, "batch_size": 8, "window": 32, "learning_rate": 0.02}
    monkeypatch.setattr(fit, "RECIPE", replace(RECIPE, **small))
    path, model = tmp_path / "mine.txt", tmp_path / "model"
    path.write_text(PLAY * 120, encoding="utf-8")
    train = ["train", "--input", path, "--output", model, "--work-dir", tmp_path / "work"]
    train += ["--epochs", 2]
    first = run(app, *train)
    card = bundle.read_card(model)
    assert card["variants"]["lstm"]["nats_per_character"] < np.log(len(card["alphabet"]) + 1)
    assert set(card["probes"]) == {*probes.FEATURES["plays"], *probes.FEATURES["articles"]}
    again = run(app, *train)
    assert again["nats_per_character"] == pytest.approx(first["nats_per_character"], abs=1e-6)
    # Training scored the validation part, and `evaluate --save` scores another text.
    _, validation, test = corpus.split(PLAY * 120)
    (tmp_path / "validation.txt").write_text(validation, encoding="utf-8")
    scored = run(app, "evaluate", "--input", tmp_path / "validation.txt", "--model", model)
    assert scored["nats_per_character"] == pytest.approx(first["nats_per_character"], abs=1e-6)
    assert scored["characters"] == card["examples"]
    assert card["test_set"] == "validation part of each text"
    (tmp_path / "test.txt").write_text(test, encoding="utf-8")
    scored = run(app, "evaluate", "--input", tmp_path / "test.txt", "--model", model, "--save")
    card = bundle.read_card(model)
    assert card["variants"]["lstm"]["nats_per_character"] == scored["nats_per_character"]
    assert card["test_set"] == "test.txt (lstm), validation part of each text (baselines)"


def test_the_official_texts_are_tested_with_their_baseline_and_probes(tmp_path, monkeypatch):
    texts = {"plays": PLAY * 120, "articles": 'A "lamp" (of oil) is a light.\n\n' * 300}
    monkeypatch.setattr(corpus, "read", lambda _: texts)
    small = {"units": 8, "dimensions": 4, "batch_size": 8, "window": 32}
    monkeypatch.setattr(fit, "RECIPE", replace(RECIPE, **small))
    model = tmp_path / "model"
    arguments = ["--output", model, "--work-dir", tmp_path / "work", "--epochs", 1]
    run(app, "train", *arguments)
    before = bundle.read_card(model)
    metrics = run(app, "evaluate", "--save", "--model", model)
    card = bundle.read_card(model)
    assert card["test_set"] == evaluate.TEST_SET
    assert card["baseline"]["nats_per_character"] == metrics["baseline_ngrams_nats_per_character"]
    assert card["variants"]["lstm"]["plays_nats_per_character"] > 0
    assert set(card["probes"]) == set(before["probes"])
    assert card["probes"] != before["probes"]
