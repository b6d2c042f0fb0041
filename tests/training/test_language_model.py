"""The language model: its windows, its carried states, its sampled softmax, its command."""

import json
import lzma
import math

import keras
import numpy as np
import pytest
import typer
from keras import ops

from shared import bundle
from shared.text import WordTokenizer
from training import loop
from training.language_model import data as corpora
from training.language_model import evaluate, fit, recipe, train
from training.language_model.data import END
from training.language_model.evaluate import cut_into_windows, perplexity
from training.language_model.model import LanguageModel
from training.language_model.recipe import Corpus, Recipe

NETWORK = {"dimensions": 8, "units": 12, "rows": 2, "dropout": 0.0}
RECIPE = Recipe(50, NETWORK, epochs=12, epochs_per_pass=2, learning_rate=2e-2)
LINES = ["the lamp is lit and the cat sleeps", "a dog barks at the lamp and the cat"] * 60


def small(**options):
    network = LanguageModel(
        **{"vocabulary": 40, "dimensions": 4, "units": 6, "rows": 3, "dropout": 0.0, "seed": 1}
        | options
    )
    network.build()
    network.compile(loss=None, optimizer="sgd")
    return network


def test_windows_contain_every_word_once():
    stream = np.arange(1, 402)
    windows = cut_into_windows(stream, 3)
    inputs = np.concatenate([inputs for inputs, _ in windows], axis=1)
    targets = np.concatenate([targets for _, targets in windows], axis=1)
    real = targets > 0
    assert all(each.shape == (3, recipe.WINDOW) for window in windows for each in window)
    np.testing.assert_array_equal(np.sort(targets[real]), stream[1:])
    np.testing.assert_array_equal(targets[real], inputs[real] + 1)
    # A row of a window goes on where it stopped in the one before.
    assert windows[1][0][0, 0] == windows[0][0][0, -1] + 1


def test_states_are_carried_from_batch_to_batch():
    network = small()
    words = np.random.default_rng(0).integers(1, 40, (3, 12))
    whole = np.asarray(network(words))
    network.reset_states()
    halves = np.concatenate([network(words[:, :7]), network(words[:, 7:])], axis=1)
    np.testing.assert_allclose(halves, whole, atol=1e-6)
    network.reset_states()
    assert not np.allclose(np.asarray(network(words[:, 7:])), whole[:, 7:], atol=1e-4)


def test_perplexity_by_hand_leaves_the_states_as_they_were():
    network = small()
    passages = [np.array([5, 9, END]), np.array([7, 5, 9, 8, END])]
    network(np.full((3, 2), 4))
    before = [np.asarray(state) for state in network.carried]
    value = perplexity(network, passages)
    np.testing.assert_array_equal(before[0], network.carried[0])
    network.reset_states()
    inputs, targets = cut_into_windows(np.concatenate(passages), 3)[0]
    chances = np.asarray(ops.softmax(network(inputs)))
    nats = [
        -math.log(chances[row, place, targets[row, place]])
        for row, place in zip(*np.nonzero(targets), strict=True)
    ]
    assert len(nats) == 7
    assert value == pytest.approx(math.exp(np.mean(nats)), rel=1e-4)


def test_the_perplexity_of_uniform_probabilities_is_the_size_of_the_vocabulary():
    words = np.random.default_rng(0).integers(1, 40, 300)
    network = small()
    network.embedding.embeddings.assign(np.zeros((40, 4)))
    assert perplexity(network, [words]) == pytest.approx(40, rel=1e-4)


def test_the_sampled_loss_comes_near_the_whole_one():
    rng = np.random.default_rng(0)
    read = ops.convert_to_tensor(rng.normal(size=(3, 20, 4)).astype("float32"))
    targets = rng.integers(1, 40, (3, 20))
    table, losses = rng.normal(size=(40, 4)), {}
    for samples in (0, 30, 20_000):
        network = small(samples=samples)
        network.embedding.embeddings.assign(table)
        losses[samples] = float(network.compute_loss(y=targets, y_pred=read, training=True))
    assert losses[20_000] == pytest.approx(losses[0], rel=0.01)
    assert abs(losses[30] - losses[0]) > abs(losses[20_000] - losses[0])


@pytest.mark.parametrize("option", ["dropout", "word_dropout", "weight_dropout"])
def test_every_kind_of_dropout_acts_in_training_only(option):
    words = np.random.default_rng(0).integers(1, 40, (3, 9))
    plain, dropped = small(), small(**{option: 0.5})
    bundle.set_weights(dropped, bundle.get_weights(plain))
    np.testing.assert_allclose(plain(words), dropped(words), atol=1e-6)
    for network in (plain, dropped):
        network.reset_states()
    read = [np.asarray(network(words, training=True)) for network in (plain, dropped)]
    assert not np.allclose(*read, atol=1e-4)


def test_a_run_learns_and_an_interrupted_one_resumes(tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "WINDOW", 12)
    monkeypatch.setattr(recipe, "WARM_UP_BATCHES", 10)
    tokenizer, data = corpus(tmp_path)
    _, record = fit.fit_network(RECIPE, data, tokenizer.size, tmp_path / "whole", 0, verbose=0)
    perplexities = [epoch["perplexity"] for epoch in record["epochs"]]
    assert perplexities[-1] < 0.6 * perplexities[0]

    running, started = loop._run_epoch, []

    def stopping(*arguments):
        started.append(1)
        if len(started) == 4:
            raise KeyboardInterrupt
        return running(*arguments)

    monkeypatch.setattr(loop, "_run_epoch", stopping)
    with pytest.raises(KeyboardInterrupt):
        fit.fit_network(RECIPE, data, tokenizer.size, tmp_path / "cut", 0, verbose=0)
    _, again = fit.fit_network(RECIPE, data, tokenizer.size, tmp_path / "cut", 0, verbose=0)
    assert len(started) == 4 + 9
    resumed = [epoch["perplexity"] for epoch in again["epochs"]]
    np.testing.assert_allclose(resumed, perplexities, rtol=1e-3)


def corpus(folder):
    file = folder / "text.txt"
    file.write_text("\n".join(LINES), encoding="utf-8")
    return corpora.read_corpus("reviews", None, file)


def test_unknown_words_and_ends(tmp_path):
    tokenizer, data = corpus(tmp_path)
    assert tokenizer.words[:4] == ["[PAD]", "[UNK]", "[END]", "the"]
    assert (len(data["training"]), len(data["validation"])) == (108, 12)
    assert all(passage[-1] == END for part in data.values() for passage in part)
    (numbers,) = corpora.encode_words(tokenizer, [["the", "zebra"]])
    assert numbers.tolist() == [3, 1, END]


def test_backward_reads_each_passage_from_its_end(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(recipe.RECIPES, "reviews", RECIPE)
    monkeypatch.setattr(recipe, "WINDOW", 12)
    monkeypatch.setattr(recipe, "WARM_UP_BATCHES", 10)
    words, ahead = corpus(tmp_path)
    file, output = tmp_path / "text.txt", tmp_path / "bundle"
    _, turned = corpora.read_corpus("reviews", None, file, words, backward=True)
    for one, other in zip(ahead["training"], turned["training"], strict=True):
        assert one[:-1].tolist() == other[-2::-1].tolist() and other[-1] == END
    options = {"data_dir": tmp_path, "input": file, "as_json": True}
    options["corpus"] = Corpus.reviews
    train.train(**options, output=output, work_dir=tmp_path / "w", epochs=12, backward=True)
    command = bundle.read_card(output)["variants"]["lstm"]["command"]
    assert command.endswith("--corpus reviews --backward --epochs 12")
    perplexities = []
    for backward in (True, False):  # what the card says is how it reads
        card = bundle.read_card(output)
        bundle.write_card(output, {**card, "backward": backward})
        evaluate.evaluate(**options, model=output)
        perplexities.append(json.loads(capsys.readouterr().out.splitlines()[-1])["own_perplexity"])
    assert perplexities[0] < 0.8 * perplexities[1]


def test_train_and_evaluate_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(recipe.RECIPES, "reviews", RECIPE)
    corpus(tmp_path)
    options = {"data_dir": tmp_path, "input": tmp_path / "text.txt", "as_json": True}
    output = tmp_path / "bundle"
    train.train(**options, corpus=Corpus.reviews, output=output, work_dir=tmp_path / "w", epochs=4)
    trained = json.loads(capsys.readouterr().out.splitlines()[-1])
    card = bundle.read_card(output)
    assert card["variants"]["lstm"]["network"]["units"] == 12
    evaluate.evaluate(**options, corpus=Corpus.reviews, model=output)
    metrics = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 1 < metrics["own_perplexity"] < 50
    assert metrics["own_perplexity"] == pytest.approx(trained["validation_perplexity"], rel=0.3)


def test_training_starts_from_another_language_model(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(recipe.RECIPES, "reviews", RECIPE)
    monkeypatch.setattr(recipe, "WINDOW", 12)
    monkeypatch.setattr(recipe, "WARM_UP_BATCHES", 10)
    corpus(tmp_path)
    options = {"data_dir": tmp_path, "corpus": Corpus.reviews, "as_json": True}
    train.train(
        **options, input=tmp_path / "text.txt", output=tmp_path / "a", work_dir=tmp_path / "w"
    )
    words = WordTokenizer.load(tmp_path / "a" / "tokenizer.json").words
    before = bundle.load_arrays(tmp_path / "a" / "lstm.safetensors")
    other = corpora.build_tokenizer([["zebra", "cat", "zebra", "lamp"]], 50)
    weights = fit.transfer_weights(tmp_path / "a", NETWORK)(other)
    assert other.words[3:] == ["zebra", "cat", "lamp"]
    for path, otherwise in (("embedding/embeddings", np.mean), ("output_bias", np.min)):
        old, new = before[f"language_model/{path}"], weights[f"language_model/{path}"]
        assert len(new) == other.size
        np.testing.assert_array_equal(new[[0, 1, 2]], old[[0, 1, 2]])
        np.testing.assert_array_equal(new[4:], old[[words.index("cat"), words.index("lamp")]])
        np.testing.assert_allclose(new[3], otherwise(old[3:], axis=0), rtol=1e-5)
    assert not any("carried" in path for path in weights)

    # From there two readings of a text that is much the same bring more than from nothing.
    text = tmp_path / "more.txt"
    text.write_text("\n".join([*LINES, "a zebra barks at the lamp"]), encoding="utf-8")
    perplexities = []
    for name, start in (("alone", None), ("on", tmp_path / "a")):
        capsys.readouterr()
        train.train(
            **options, input=text, output=tmp_path / name, epochs=2,
            start=start,
        )  # fmt: skip
        result = json.loads(capsys.readouterr().out.splitlines()[-1])
        perplexities.append(result["validation_perplexity"])
    assert perplexities[1] < 0.7 * perplexities[0]
    details = bundle.read_card(tmp_path / "on")["variants"]["lstm"]
    assert details["command"].endswith("--epochs 2 --start a")
    assert details["start"]["data"] == "text.txt" and details["start"]["training_words"] > 800
    with pytest.raises(bundle.BundleError, match="has 12 units, not 13"):
        fit.transfer_weights(tmp_path / "a", {**NETWORK, "units": 13})
    with pytest.raises(bundle.BundleError, match="reads forwards, the new one would read from"):
        fit.transfer_weights(tmp_path / "a", NETWORK, backward=True)


def test_wikipedia_is_read_by_paragraph(tmp_path):
    folder = tmp_path / "words"
    folder.mkdir()
    texts = ["A heading\nThe lamp, it is said, was lit.", *["The cat sleeps under a lamp."] * 199]
    rows = "\n".join(json.dumps({"title": "x", "text": text}) for text in texts)
    (folder / "wikipedia_part1.jsonl.xz").write_bytes(lzma.compress(rows.encode()))
    tokenizer, data = corpora.read_corpus("wikipedia", tmp_path)
    assert (len(data["training"]), len(data["validation"])) == (198, 2)
    names = [tokenizer.words[number] for number in data["training"][0]]
    assert names[:3] == ["the", "lamp", ","] and names[-1] == "[END]"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"one\ntwo\n", "at least 10"), (b"\x89PNG\r\n\x1a\n\0\0\xff", "is not a text file")],
)
def test_a_file_that_cannot_be_used_gets_a_sentence(tmp_path, content, sentence):
    (tmp_path / "bad.txt").write_bytes(content)
    with pytest.raises(typer.BadParameter, match=sentence):
        corpora.read_lines(tmp_path / "bad.txt")


def test_the_penn_treebank_is_read_in_both_forms(tmp_path, monkeypatch):
    text = " a lamp <unk> \n\n N dogs \n"
    (tmp_path / "language").mkdir()
    for part in corpora.PTB_PARTS:
        (tmp_path / "language" / f"ptb.{part}.txt.xz").write_bytes(lzma.compress(text.encode()))
    assert corpora.read_ptb(tmp_path, "valid") == [["a", "lamp", "<unk>"], ["N", "dogs"]]
    tokenizer, data = corpora.read_corpus("ptb", tmp_path)
    assert list(data) == ["training", "validation", "test"]
    assert data["test"][0].tolist()[2:] == [1, END]
    assert "N" in tokenizer.words

    def fetched(url, sha256, path):
        assert url.endswith("ptb.test.txt")
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
        return path

    monkeypatch.setattr(corpora, "fetch", fetched)
    assert corpora.read_ptb(tmp_path / "official", "test") == [
        ["a", "lamp", "<unk>"],
        ["N", "dogs"],
    ]
    with pytest.raises(ValueError, match="part='dev'"):
        corpora.read_ptb(tmp_path, "dev")


def test_the_network_is_rebuilt_from_its_config():
    network = small(samples=7)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(network))
    assert again.options == network.options
