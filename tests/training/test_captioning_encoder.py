import numpy as np
import pytest

from shared.image_encoder import ImageEncoder
from tests.training import photographs
from tests.training.commands import run
from training.captioning import data, encoder, recipe
from training.captioning.__main__ import app
from training.captioning.data import Photo
from training.datasets import coco

PHOTOS = [Photo("a", ("A red wall .", "a wall")), Photo("b", ("Two dogs", "a red dog"))]


def test_the_words_of_most_photographs_are_listed(monkeypatch):
    monkeypatch.setattr(recipe, "NAMED_WORDS", 2)
    assert sorted(encoder.list_words(PHOTOS)) == ["a", "red"]


def test_the_share_of_captions_that_have_a_word():
    shares = encoder.word_shares(PHOTOS, ["a", "red", "dogs", "cat"])
    np.testing.assert_array_equal(shares, [[1, 0.5, 0, 0], [0.5, 0.5, 0.5, 0]])


def test_the_loss_is_the_cross_entropy_of_each_word():
    shares = np.array([[0.5, 1.0], [0.0, 0.25]], "float32")
    logits = np.array([[2.0, -1.0], [0.5, 3.0]], "float32")
    chances = 1 / (1 + np.exp(-logits))
    each = -shares * np.log(chances) - (1 - shares) * np.log(1 - chances)
    np.testing.assert_allclose(encoder.word_loss(shares, logits), each.sum(axis=1).mean(), 1e-5)


@pytest.fixture
def corpora(tmp_path, monkeypatch):
    """Photographs of walls, some as Flickr8k's and some as COCO's."""

    def captions(image, colour):
        return [{"image": image, "captions": [f"A {colour} wall .", f"one {colour} wall"]}]

    photographs.draw(tmp_path, 48, "captions.jsonl", captions)
    photos, pictures = data.read_rows(tmp_path)
    coco_parts = {"train": photos[20:40], "val": photos[44:]}
    flickr_parts = {"train": photos[:20], "dev": photos[40:44]}
    monkeypatch.setattr(data, "read", lambda _, part: flickr_parts[part])
    monkeypatch.setattr(
        coco, "read_captions", lambda _, part: {p.name: p.captions for p in coco_parts[part]}
    )
    for module in (data, coco):
        monkeypatch.setattr(module, "pictures", lambda _: pictures)
    monkeypatch.setattr(encoder, "imagenet_encoder", photographs.tiny_encoder)
    monkeypatch.setattr(encoder, "BATCH_SIZE", 4)
    monkeypatch.setattr(recipe, "WARM_UP_BATCHES", 2)
    monkeypatch.setattr(recipe, "NAMING", (recipe.Stage(2, 3e-2), recipe.Stage(4, 1e-2)))
    return tmp_path


def test_the_top_of_the_encoder_learns_the_words_of_captions(corpora):
    file = corpora / "encoder.safetensors"
    metrics = run(app, "encoder", file, "--work-dir", corpora / "work")
    assert metrics["photographs"] == 40
    assert metrics["loss"] < metrics["loss_frozen"]
    tuned, before = ImageEncoder.load(file), photographs.tiny_encoder()
    stem, kept = (each.stem.get_weights()[0] for each in (before, tuned))
    assert np.abs(stem - kept).max() <= np.abs(stem).max() / 254 + 1e-6  # rounded to int8
    bias, fitted = (each.last.get_weights()[1] for each in (before, tuned))
    assert np.abs(bias - fitted).max() > 1e-3
    again = run(app, "encoder", file, "--work-dir", corpora / "work")
    assert again == metrics  # resumed
