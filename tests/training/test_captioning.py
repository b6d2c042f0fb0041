import json
import shutil

import numpy as np
import pytest
from PIL import Image

from apps.captioning.model import BEGIN, END, Captioner
from apps.captioning.predictor import Predictor
from apps.captioning.scores import score_captions
from shared import bundle
from shared.errors import UserError
from shared.text import WordTokenizer
from tests.training import photographs
from tests.training.commands import refusal, run
from tests.training.photographs import COLOURS, publish_texts, read_files, tiny_encoder
from training.captioning import data as corpus
from training.captioning import evaluate, fit, recipe
from training.captioning import train as command
from training.captioning.__main__ import app
from training.captioning.data import Photo
from training.datasets.pictures import Pictures
from training.features import encode_bottom, run_checksum


def draw(folder, count):
    """Photographs of one colour, and what people might say of them."""

    def captions(image, colour):
        texts = [f"A {colour} wall .", f"a {colour} wall", f"One {colour} wall ."]
        return [{"image": image, "captions": texts}]

    photographs.draw(folder, count, "captions.jsonl", captions)


def train(photos, output, work, *more):
    """A tiny run of the command; what it says last."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "starting_encoder", tiny_encoder)
        patch.setattr(evaluate, "WIDTHS", (1, 3))
        patch.setattr(recipe, "WARM_UP_BATCHES", 2)
        patch.setattr(recipe, "PHOTOS_PER_BATCH", 2)
        patch.setattr(recipe, "MAX_WORDS", 6)
        patch.setattr(recipe, "FROZEN", recipe.Stage(6, 3e-2))
        patch.setattr(recipe, "FINE_TUNING", recipe.Stage(1, 2e-3))
        patch.setattr(recipe, "SELF_CRITICAL", recipe.Stage(1, 1e-3))
        small = {"dimensions": 16, "units": 32, "dropout": 0.0, "coverage": 0.0}
        for name in ("lstm", "gru"):
            patch.setitem(recipe.VARIANTS, name, {**small, "cell": name})
        arguments = ["train", "--input", photos, "--output", output, "--work-dir", work]
        return run(app, *arguments, "--fine-epochs", 1, "--scored-epochs", 1, *more)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("captioning")
    (folder / "photos").mkdir()
    draw(folder / "photos", 60)
    more = "--variant", "lstm", "--epochs", "6"
    return folder, train(folder / "photos", folder / "bundle", folder / "work", *more)


def test_training_writes_a_bundle_that_tells_colours_apart(trained):
    folder, metrics = trained
    card = bundle.read_card(folder / "bundle")
    assert metrics["lstm"] == card["variants"]["lstm"]["bleu4"]
    record = json.loads(next(folder.glob("work/*/lstm/state.json")).read_text())
    losses = [each["loss"] for each in record["epochs"]]
    assert losses[-1] < losses[0]
    predictor = Predictor.load("lstm", folder / "bundle")
    for colour, pixels in COLOURS.items():
        photo = np.full((50, 50, 3), pixels, "uint8")
        assert colour in predictor.describe([photo])[0].captions[0].words
    assert card["baselines"]["nearest"]["bleu1"] > card["baselines"]["common"]["bleu1"]
    assert [each["width"] for each in card["variants"]["lstm"]["by_width"]] == [1, 3]


def test_a_run_resumes_unless_an_earlier_stage_changed(trained, tmp_path, caplog):
    folder, metrics = trained
    shutil.copytree(folder / "work", tmp_path / "work")
    caplog.set_level("INFO")
    again = folder / "photos", tmp_path / "bundle", tmp_path / "work", "--variant", "lstm"
    assert train(*again, "--epochs", "6")["lstm"] == metrics["lstm"]
    assert caplog.text.count("resumed after") == 3
    caplog.clear()
    train(*again, "--epochs", "1")
    assert caplog.text.count("another recipe") == 3


def test_variants_trained_with_another_encoder_or_vocabulary_are_removed(tmp_path):
    def publish(run, name, encoder, words):
        files = {f"{name}.safetensors": name, command.TOKENIZER_FILE: words}
        files |= {command.ENCODER_FILE: encoder} if encoder else {}
        return publish_texts(command.publish, tmp_path / run, tmp_path / "bundle", name, files)

    assert publish("1", "lstm", "encoder", "words") == ["lstm"]
    assert publish("2", "gru", None, "words") == ["lstm", "gru"]
    assert publish("3", "lstm", "encoder", "words") == ["lstm", "gru"]
    assert publish("4", "gru", None, "other words") == ["gru"]
    assert publish("5", "rnn", None, "other words") == ["gru", "rnn"]
    assert publish("6", "lstm", "other encoder", "other words") == ["lstm"]


def test_a_bundle_stays_as_it_is_until_a_variant_is_fitted(trained, tmp_path, monkeypatch):
    shutil.copytree(trained[0] / "bundle", tmp_path / "bundle")
    (tmp_path / "bundle" / command.TOKENIZER_FILE).write_text("those of another run")
    before = read_files(tmp_path / "bundle")

    def stop(*_):
        raise SystemExit("stopped before the last stage")

    monkeypatch.setattr(command, "fit_self_critical", stop)
    again = trained[0] / "photos", tmp_path / "bundle", trained[0] / "work", "--variant", "lstm"
    with pytest.raises(AssertionError, match="stopped before the last stage"):
        train(*again, "--epochs", "6")
    assert read_files(tmp_path / "bundle") == before


def test_captions_that_score_more_than_the_others_become_likelier(tmp_path):
    """Two sentences, one of which people write: drawn captions alone must bring it forward."""
    captioner = Captioner(6, dimensions=8, units=8, features=4, dropout=0.3, coverage=0, seed=0)
    captioner.build()
    encoder = tiny_encoder()
    tokenizer = WordTokenizer.build(["[BEGIN]", "[END]", "red", "wall"])
    photos = [Photo(str(n), ("A red wall",)) for n in range(8)] + [Photo("9", ("snow",))] * 8
    references = [photo.captions for photo in photos]
    ones = np.ones((16, 2, 2, 4), "float16")
    data = fit.Data(
        values=[ones],
        mirrorable=np.ones(16, bool),
        photos=photos,
        inputs=np.zeros((16, 5, 3), "int32"),
        targets=np.zeros((16, 5, 3), "int32"),
        tokenizer=tokenizer,
        validation=(photos, ones),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "encode_top", lambda _, values: values.astype("float32"))
        patch.setattr("apps.captioning.predictor.GRID_SIZE", 2)
        patch.setattr(recipe, "WARM_UP_BATCHES", 1)
        patch.setattr(recipe, "PHOTOS_PER_BATCH", 4)
        untrained = Predictor(captioner, tokenizer, encoder, {})
        before = score_captions(
            evaluate.write_captions(untrained, np.ones((16, 2, 2, 4)), 1), references
        )
        record = fit.fit_self_critical(captioner, encoder, data, tmp_path, 0, recipe.Stage(6, 3e-2))
    assert record["epochs"][-1]["cider"] > 0.5 > before["cider"]


def test_other_cells_need_the_tuned_encoder(trained, tmp_path, texts):
    arguments = ["train", "--input", trained[0] / "photos", "--output", tmp_path]
    texts(refusal(app, *arguments, "--variant", "rnn", folder=tmp_path))


def test_the_top_of_the_encoder_is_tuned_and_the_rest_stays(trained):
    folder, _ = trained
    before = tiny_encoder()
    after = Predictor.load("lstm", folder / "bundle").encoder

    stem, kept = (encoder.stem.get_weights()[0] for encoder in (before, after))
    assert np.abs(stem - kept).max() <= np.abs(stem).max() / 254 + 1e-6  # rounded to int8
    bias, tuned = (encoder.last.get_weights()[1] for encoder in (before, after))
    assert np.abs(bias - tuned).max() > 1e-3


def test_evaluate_prints_the_keys_of_the_contract(trained):
    folder, _ = trained
    metrics = run(app, "evaluate", "--input", folder / "photos", "--model", folder / "bundle")
    keys = {"bleu1", "bleu2", "bleu3", "bleu4", "cider", "rouge_l", "images", "seconds"}
    assert keys | {"baseline_human_bleu1", "baseline_human_cider"} <= set(metrics)
    assert metrics["images"] == 60
    assert metrics["bleu1"] > 50


def test_test_scores_come_from_evaluate_alone(trained, tmp_path, monkeypatch):
    shutil.copytree(trained[0] / "bundle", tmp_path / "bundle")
    draw(tmp_path, 8)
    photos, pictures = corpus.read_rows(tmp_path)
    monkeypatch.setattr(corpus, "read", lambda _, part: photos)
    monkeypatch.setattr(corpus, "pictures", lambda _: pictures)
    before = bundle.read_card(tmp_path / "bundle")
    assert (before["test_set"], before["examples"]) == ("validation photographs", 6)
    metrics = run(app, "evaluate", "--save", "--model", tmp_path / "bundle")
    card = bundle.read_card(tmp_path / "bundle")
    assert (card["test_set"], card["examples"]) == (evaluate.TEST_SET, 8)
    assert card["variants"]["lstm"]["cider"] == metrics["cider"]
    assert card["baselines"]["nearest"]["bleu1"] == metrics["baseline_nearest_bleu1"]


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        '{"image": "0.png"}',
        '{"image": "0.png", "captions": []}',
        '{"image": "0.png", "captions": ["..."]}',
        '{"image": "0.png", "captions": "A wall"}',
        '{"image": "9.png", "captions": ["A wall"]}',
        '{"image": ["0.png"], "captions": ["A wall"]}',
    ],
)
def test_a_bad_row_is_named(tmp_path, line, texts):
    draw(tmp_path, 1)
    with open(tmp_path / "captions.jsonl", "a", encoding="utf-8") as file:
        file.write(line + "\n")
    texts(refusal(app, "evaluate", "--input", tmp_path, folder=tmp_path))


@pytest.mark.parametrize("name", ["train", "evaluate"])
def test_a_damaged_photo_is_named(trained, tmp_path, monkeypatch, name, texts):
    draw(tmp_path, 3)
    for n in range(3):
        (tmp_path / f"{n}.png").write_bytes(b"no photo")
    monkeypatch.setattr(command, "starting_encoder", tiny_encoder)
    places = {
        "train": ["--output", tmp_path / "bundle", "--work-dir", tmp_path / "work"],
        "evaluate": ["--model", trained[0] / "bundle"],
    }
    texts(refusal(app, name, "--input", tmp_path, *places[name]))


def test_the_card_describes_the_training_photographs(trained):
    card = bundle.read_card(trained[0] / "bundle")
    assert "then on own photographs" in card["encoder"]["origin"]
    assert "54 photos" in card["limits"][0]
    assert "your photographs" in card["licence"]
    shipped, some = bundle.read_card(command.FOLDER), [Photo("a", ("a dog",))]
    official = command._new_card(command.FOLDER, 0, some, some, official=True)
    assert [official[key] for key in ("limits", "licence", "encoder")] == [
        shipped[key] for key in ("limits", "licence", "encoder")
    ]


def test_captions_are_cut_and_padded_and_unknown_words_are_no_targets(monkeypatch):
    monkeypatch.setattr(recipe, "MAX_WORDS", 4)
    photos = [Photo("a", ("A red dog runs fast .", "Xylophones sit.")), Photo("b", ("A red dog",))]
    tokenizer = WordTokenizer.build(["[BEGIN]", "[END]", "a", "red", "dog", "sit"])
    target, following = corpus.encode_captions(tokenizer, photos)
    assert target.shape == following.shape == (2, 5, 4)
    a, red, dog, sit = 4, 5, 6, 7
    np.testing.assert_array_equal(target[0, 0], [BEGIN, a, red, dog])
    np.testing.assert_array_equal(following[0, 0], [a, red, dog, 0])  # "runs" is unknown
    np.testing.assert_array_equal(target[0, 1], [BEGIN, 1, sit, 0])
    np.testing.assert_array_equal(following[0, 1], [0, sit, END, 0])
    np.testing.assert_array_equal(target[0, 2], target[0, 0])
    np.testing.assert_array_equal(following[1], [[a, red, dog, END]] * 5)


def test_rare_words_are_left_out_of_a_large_vocabulary():
    photos = [Photo("a", ("a dog",))] * 1_001 + [Photo("b", ("a zebra",))] * 4
    assert corpus.build_tokenizer(photos).words[2:] == ["[BEGIN]", "[END]", "a", "dog"]
    assert "zebra" in corpus.build_tokenizer(photos[-4:]).words


def test_left_and_right_are_not_mirrored():
    photos = [Photo("a", ("A dog .", "Dog on the Left .")), Photo("b", ("A man left-handed",)),
              Photo("c", ("A bright dog",))]  # fmt: skip
    assert corpus.can_be_mirrored(photos).tolist() == [False, False, True]


def test_people_are_scored_against_each_other():
    same = [Photo("a", ("a red dog runs", "a red dog runs")), Photo("b", ("two men", "two men"))]
    assert evaluate.score_people(same)["bleu1"] == 100
    assert evaluate.score_people([Photo("a", ("alone",))]) is None
    differ = [Photo("a", ("a red dog runs", "snow falls")), Photo("b", ("two men", "two men"))]
    assert evaluate.score_people(differ)["bleu1"] < 50


def test_the_most_common_caption_is_written_for_every_photo():
    training = [Photo("a", ("A dog .", "a cat")), Photo("b", ("a dog", "a bird"))]
    scores = evaluate.score_common(training, [Photo("c", ("a dog",)), Photo("d", ("a man",))])
    assert scores["bleu1"] == 75


def test_the_checksum_of_a_run_depends_on_its_photographs():
    made = ((b"a", {"1": b"x", "2": b"y"}), (b"b", {"1": b"x", "2": b"y"}), (b"a", {"1": b"z"}))
    assert len({run_checksum(made_from, photos, photos) for made_from, photos in made}) == 3
    assert run_checksum(*made[0], ["2", "1", "1"]) == run_checksum(*made[0], ["1", "2"])
    with pytest.raises(UserError, match="3.png"):
        run_checksum(*made[0], ["3.png"])


def test_other_photographs_of_the_same_names_are_another_run(trained, tmp_path, monkeypatch):
    def stop(*given):
        raise ValueError(f"features in {given[3].parent}.")

    monkeypatch.setattr(command, "encode_bottom", stop)
    photos = shutil.copytree(trained[0] / "photos", tmp_path / "photos")
    (known,) = (trained[0] / "work").iterdir()
    with pytest.raises(AssertionError, match=f"features in {known}."):
        train(photos, tmp_path / "bundle", known.parent, "--variant", "lstm")
    Image.new("RGB", (40, 30)).save(photos / "0.png")
    with pytest.raises(AssertionError, match=f"features in {known.parent}") as error:
        train(photos, tmp_path / "bundle", known.parent, "--variant", "lstm")
    assert known.name not in str(error.value)


def test_encoding_resumes_where_it_was_interrupted(tmp_path, monkeypatch):
    draw(tmp_path, 5)
    pictures, names = Pictures(tmp_path), [f"{n}.png" for n in range(5)]
    encoder = tiny_encoder()
    monkeypatch.setattr("training.features.BATCH_SIZE", 2)
    whole = encode_bottom(encoder, pictures, names, tmp_path / "whole.npy")
    assert whole.shape == (5, 7, 7, 12)
    assert whole.dtype == np.float16
    read = []

    class Failing(dict):
        def __getitem__(self, name):
            read.append(name)
            if name == "3.png" and len(read) < 5:
                raise KeyError(name)
            return pictures[name]

    with pytest.raises(UserError, match="3.png"):
        encode_bottom(encoder, Failing(), names, tmp_path / "some.npy")
    again = encode_bottom(encoder, Failing(), names, tmp_path / "some.npy")
    assert read == ["0.png", "1.png", "2.png", "3.png", "2.png", "3.png", "4.png"]
    np.testing.assert_array_equal(again, whole)
    assert encode_bottom(encoder, None, None, tmp_path / "some.npy").shape == whole.shape
    mirrored = encode_bottom(encoder, pictures, names, tmp_path / "mirrored.npy", flip=True)
    assert mirrored.shape == whole.shape
