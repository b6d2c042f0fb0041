import io
import zipfile
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from apps.captioning import tab
from apps.captioning.predictor import Caption, Description
from shared import bundle, settings
from shared.site.pages import Page, build_site


class Predictor:
    """Says of every photo how red it is."""

    def encode(self, pixels):
        return np.array([photo[..., 0].mean() for photo in pixels])

    def describe_features(self, features, width, alpha):
        caption = Caption(("red",), np.array([0.25, 0.5]), None, None, -1.0, True)
        return [
            Description((Caption((f"{value:.0f}",), *list(vars(caption).values())[1:]),), None)
            for value in features
        ]


def photo(red, **options):
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (red, 0, 0)).save(file, options.pop("kind", "PNG"), **options)
    return file.getvalue()


def test_rows_keep_their_order_and_say_what_could_not_be_read():
    items = [
        ("a", photo(10), ""),
        ("b", b"no photo", ""),
        ("c", None, "It is locked."),
        ("d", photo(200), ""),
    ]
    a, b, c, d = tab._rows(Predictor(), items, 3, 1.0)
    assert a == ["a", "10.", 0.125, ""] and d == ["d", "200.", 0.125, ""]
    assert b[:3] == ["b", "", ""] and "not a photo" in b[3]
    assert c == ["c", "", "", "It is locked."]
    assert tab._rows(Predictor(), items[1:3], 3, 1.0) == [b, c]


@pytest.fixture
def batch(monkeypatch, tmp_path):
    """The batch of the page, with what it wrote in `captions.csv`."""
    monkeypatch.setattr(tab._models().Predictor, "load", lambda cell: Predictor())
    monkeypatch.setattr("shared.site.batch.download_path", lambda name: tmp_path / name)
    return tab._captioning(settings.read())


def test_of_what_a_batch_was_sent_only_the_pixels_stay(batch, tmp_path):
    sent = {"a.jpg": photo(10, kind="JPEG", comment=b"my garden"), "b.jpg": b"my garden"}
    for name, data in sent.items():
        (tmp_path / name).write_bytes(data)
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("c.jpg", sent["a.jpg"])
    paths = [str(tmp_path / name) for name in (*sent, "c.zip")]
    list(batch(paths, "lstm", 3, 1.0))
    rows = (tmp_path / "captions.csv").read_text(encoding="utf-8-sig").splitlines()
    assert [row.partition(",")[0] for row in rows] == ["file", "a.jpg", "b.jpg", "c.jpg"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.jpg", "captions.csv"]
    assert b"my garden" not in (tmp_path / "a.jpg").read_bytes()


def test_a_batch_that_is_left_or_refused_leaves_no_file(batch, tmp_path):
    paths = [str(tmp_path / name) for name in ("a.jpg", "b.zip")]
    for path in paths:
        Path(path).write_bytes(photo(10))
    assert "b.zip is not a zip" in list(batch(paths, "lstm", 3, 1.0))[-1][0]
    assert not list(tmp_path.iterdir())
    assert "b.zip is no longer here" in list(batch(paths, "lstm", 3, 1.0))[-1][0]
    Path(paths[0]).write_bytes(photo(10))
    run = batch(paths[:1], "lstm", 3, 1.0)
    next(run)
    run.close()
    assert not list(tmp_path.iterdir())
    folder = tmp_path / "d.jpg"
    folder.mkdir()
    assert "no longer here" in list(batch([str(folder)], "lstm", 3, 1.0))[-1][0]


def test_squares_of_the_photo_before_are_not_hidden_in_this_one():
    asked = 1234567890123456789, "lstm", 3, 1.0
    before = gr.EventData(None, {"asked": "1234567890123456700", "cells": []})
    now = gr.EventData(None, {"asked": str(asked[0]), "cells": []})
    assert tab._hide(asked, None, before) == gr.skip()
    assert tab._hide(asked, None, now) == ""


@pytest.mark.parametrize(
    ("width", "alpha", "sentence"), [(2.5, 1.0, "The beam width"), (3, 9.0, "The length penalty")]
)
def test_a_batch_by_an_impossible_search_gets_a_sentence(batch, tmp_path, width, alpha, sentence):
    (tmp_path / "a.png").write_bytes(photo(10))
    ((said, _),) = batch([str(tmp_path / "a.png")], "lstm", width, alpha)
    assert sentence in said


@pytest.mark.parametrize("variants", [("lstm",), ("lstm", "rnn")])
def test_the_page_offers_the_cells_that_are_there(monkeypatch, tmp_path, variants):
    scores = {"bleu1": 60.0, "bleu2": 40.0, "bleu3": 30.0, "bleu4": 20.0, "cider": 0.5}
    card = {
        "test_set": "photos",
        "examples": 9,
        "baselines": {},
        "encoder": {"parameters": 1},
        "variants": {name: {**scores, "rouge_l": 0.4} for name in variants},
    }
    monkeypatch.setattr(bundle, "read_card", lambda folder: card)
    page = Page("captioning", tab.TITLE, tab.DESCRIPTION, tab.build)
    site = build_site([page], settings.read())
    shown = {each.label: each for each in site.blocks.values() if isinstance(each, gr.Radio)}
    assert shown["Cell"].visible == (len(variants) > 1)
    assert [key for _, key in shown["Cell"].choices] == list(variants)
    text = " ".join(str(each.value) for each in site.blocks.values() if isinstance(each, gr.HTML))
    assert "20 MB per file and 200 MB together" in text
    assert ("Cell by cell" in text) == (len(variants) > 1)
    (event,) = [each.fn for each in site.fns.values() if each.api_name == "caption"]
    with pytest.raises(gr.Error, match=f"cell must be {' or '.join(variants)}"):
        event({"path": "x"}, 3, 1.0, "gru")
