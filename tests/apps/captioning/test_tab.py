import io
import zipfile
from dataclasses import replace

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from apps.captioning import tab
from apps.captioning.predictor import Caption, Description
from shared import bundle, settings
from shared.errors import UserError
from shared.site.pages import Page, build_site


class Predictor:
    """Captions every photo with its amount of red."""

    def encode(self, pixels):
        return np.array([photo[..., 0].mean() for photo in pixels])

    def describe_features(self, features, width, alpha):
        caption = Caption(("red",), np.array([0.25, 0.5]), None, None, -1.0, True)
        return [
            Description((replace(caption, words=(f"{value:.0f}",)),), None) for value in features
        ]


def photo(red, **options):
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (red, 0, 0)).save(file, options.pop("kind", "PNG"), **options)
    return file.getvalue()


def test_rows_keep_their_order_and_say_what_could_not_be_read():
    entries = [
        ("a", photo(10), ""),
        ("b", b"no photo", ""),
        ("c", None, "It is locked."),
        ("d", photo(200), ""),
    ]
    a, b, c, d = tab._caption_rows(Predictor(), entries, 3, 1.0)
    assert a == ["a", "10.", 0.125, ""] and d == ["d", "200.", 0.125, ""]
    assert b[:3] == ["b", "", ""] and "not a photo" in b[3]
    assert c == ["c", "", "", "It is locked."]
    assert tab._caption_rows(Predictor(), entries[1:3], 3, 1.0) == [b, c]


@pytest.fixture
def prepare(monkeypatch):
    """A function that prepares the batch of some paths."""
    monkeypatch.setattr(tab._predictors().Predictor, "load", lambda cell: Predictor())
    return lambda paths, width=3, alpha=1.0: tab._prepare_batch(
        settings.read(), list(map(str, paths)), None, "lstm", width, alpha
    )


def test_nothing_of_a_batch_stays_on_disk(prepare, tmp_path):
    sent = {"a.jpg": photo(10, kind="JPEG", comment=b"my garden"), "b.jpg": b"my garden"}
    for name, data in sent.items():
        (tmp_path / name).write_bytes(data)
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("c.jpg", sent["a.jpg"])
    job = prepare([tmp_path / name for name in (*sent, "c.zip")])
    rows = job.answer(job.inputs.items[:2])
    assert [file.name for file in tmp_path.iterdir()] == ["c.zip"]
    rows += job.answer(job.inputs.items[2:])
    name, content = job.write(rows)
    lines = content.splitlines()
    assert name == "captions.csv"
    assert [line.partition(",")[0] for line in lines] == ["file", "a.jpg", "b.jpg", "c.jpg"]
    del job
    assert not list(tmp_path.iterdir())


def test_a_batch_that_is_refused_or_abandoned_leaves_no_file(prepare, tmp_path):
    paths = [tmp_path / name for name in ("a.jpg", "b.zip")]
    for path in paths:
        path.write_bytes(photo(10))
    for sentence in ("b.zip is not a zip", "b.zip is no longer here"):
        with pytest.raises(UserError, match=sentence):
            prepare(paths)
        assert not list(tmp_path.iterdir())
    paths[0].write_bytes(photo(10))
    job = prepare(paths[:1])
    del job
    assert not list(tmp_path.iterdir())


def test_a_folder_among_the_files_is_no_photo(prepare, tmp_path):
    job = prepare([tmp_path])
    assert "no longer here" in job.answer(job.inputs.items)[0][3]


@pytest.mark.parametrize(("width", "alpha"), [(2.5, 1.0), (3, 9.0)])
def test_a_batch_with_an_impossible_search_gets_a_sentence(prepare, tmp_path, width, alpha, texts):
    (tmp_path / "a.png").write_bytes(photo(10))
    with pytest.raises(UserError) as error:
        prepare([tmp_path / "a.png"], width, alpha)
    texts(error.value)
    assert not list(tmp_path.iterdir())


def test_squares_of_an_earlier_photo_are_not_hidden_in_this_one():
    search = tab.Search(1234567890123456789, "lstm", 3, 1.0)
    before = gr.EventData(None, {"answer": "1234567890123456700", "cells": []})
    now = gr.EventData(None, {"answer": str(search.answer_id), "cells": []})
    assert tab._hide_squares(None, search, before) == gr.skip()
    assert tab._hide_squares(None, search, now) == ""


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
    assert ("RNN compared" in text) == (len(variants) > 1)
    (event,) = [each.fn for each in site.fns.values() if each.api_name == "caption"]
    with pytest.raises(gr.Error, match="has no network gru"):
        event({"path": "x"}, 3, 1.0, "gru")
