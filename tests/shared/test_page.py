import os
import re
import time
from types import SimpleNamespace
from typing import Literal

import gradio as gr
import pytest

from shared import page
from shared.layers import LSTMCell


def test_a_table_escapes_its_cells_unless_told_not_to():
    html = page.table(["<a>"], [["<b>"], [page.Raw("<i></i>")]], winner=1)
    assert "&lt;a&gt;" in html
    assert "&lt;b&gt;" in html
    assert "<i></i>" in html
    assert html.index("class=winner") > html.index("&lt;b&gt;")


def test_messages_are_escaped():
    for make in (page.error, page.note):
        assert "<b>" not in make("<b>")


def test_choices_say_which_and_are_escaped():
    html = page.choices(["Is it?", 'A "<b>"'], "Try <these>")
    assert html.count("<button") == 2
    assert 'data-choice="A &quot;&lt;b&gt;&quot;"' in html
    assert 'aria-label="Try &lt;these&gt;"' in html and "<b>" not in html


def test_source_is_shown_as_it_stands():
    text = re.sub("<[^>]+>", "", page.source(LSTMCell.step))
    head = "def step(self, projected, states, weights, dropout_mask=None, force=None):"
    assert text.startswith(f"{head}\n    hidden")


def test_equations_have_subscripts():
    assert "W<sub>f</sub> + h′ U<sub>f</sub> + b<sub>f</sub>)" in page.equations("lstm")
    assert "b′<sub>g</sub>))" in page.equations("gru")


def test_dates_are_written_out():
    assert page.long_date("2026-11-21") == "21 November 2026"


def test_nothing_in_the_head_points_elsewhere():
    assert "http" not in page.head()


def test_a_link_hides_the_knobs_it_names_and_sets_them_all():
    updates = page.locked({"lock": "units,seed"}, text="1 2", units=3, seed=7)
    assert [update["value"] for update in updates] == ["1 2", 3, 7]
    assert [update["visible"] for update in updates] == [True, False, False]
    assert all(update["visible"] for update in page.locked({}, text="1 2", units=3))


def test_code_and_names_of_files_are_escaped():
    assert "<b>" not in page.code("x = '<b>'")
    saved = page.savable("<figure></figure>", 'a"b', ["n", "value"], [[1, 0.5], [2, "=1+1"]])
    assert "data:text/csv;charset=utf-8,n%2Cvalue%0D%0A1%2C0.5%0D%0A2%2C%27%3D1%2B1" in saved
    assert 'download="a&quot;b.csv"' in saved
    assert saved.count("unrolled.saveFigure(this") == 2


def test_tabs_within_a_page_have_addresses_of_two_parts():
    with (
        gr.Blocks(),
        gr.Tabs(elem_id="pages"),
        gr.Tab("Outer", id="cells") as outer,
        gr.Tabs(elem_id="lesson"),
        gr.Tab("Inner", id="race") as inner,
    ):
        page.link_button(inner, knob=gr.Number())
    assert page._address(outer) == {"tab": "cells"}
    assert page._address(inner) == {"tab": "cells", "lesson": "race"}


def test_an_upload_comes_as_its_path_whatever_is_in_it(tmp_path):
    path = tmp_path / "letter.jpg"
    path.write_bytes(b"This is a letter.")
    photo = page.Photo()
    payload = photo.data_model(path=str(path), orig_name="letter.jpg")
    assert photo.preprocess(payload) == str(path)
    assert photo.preprocess(None) is None
    assert photo.get_block_name() == "image"


def test_a_webcam_s_frame_comes_as_bytes_and_is_not_kept():
    photo = page.Photo(sources=["webcam"], streaming=True)
    frame = photo.data_model(url="data:image/jpeg;base64,aGVsbG8=")
    assert photo.preprocess(frame) == b"hello"
    assert "aGVsbG8" not in str(frame.model_dump())
    assert photo.preprocess(photo.data_model(url="data:image/jpeg;base64,a")) == b""


def test_only_what_was_sent_is_taken_for_a_file():
    path = str(page.download_path("photo.jpg"))
    assert page.sent_file(gr.FileData(path=path)) == path
    for other in ("/etc/hostname", "app.py", "", f"{path}/../../../app.py"):
        with pytest.raises(gr.Error, match="must be a file"):
            page.sent_file(gr.FileData(path=other))


def published(fn):
    """What the site calls for an event of the API."""
    with gr.Blocks() as site:
        page.api(fn)
    return next(iter(site.fns.values())).fn


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((3, [], 1, 1, "a"), "text must be text."),
        (("a", "b", 1, 1, "a"), "rows must be a list."),
        (("a", ["b", None], 1, 1, "a"), "rows, number 2, must be text."),
        (("a", [], "many", 1, "a"), "count must be a whole number."),
        (("a", [], 1.5, 1, "a"), "count must be a whole number."),
        (("a", [], 1, "wide", "a"), "size must be a number."),
        (("a", [], 1, 1, "c"), "kind must be a or b."),
        (("a", [], 1, 1, "a", {"name": "x"}), "photo must be a file; "),
        (("a", [], 1, 1, "a", "/etc/hostname"), "photo must be a file; "),
        ((), "text is missing."),
        (("a", [], 1, 1, "a", None, "more"), "more arguments"),
    ],
)
def test_an_argument_of_another_kind_gets_a_sentence(arguments, sentence):
    def event(
        text: str,
        rows: list[str],
        count: int,
        size: float,
        kind: Literal["a", "b"],
        photo: gr.FileData | None = None,
    ) -> dict:
        """An event."""
        return {"count": count}

    called = published(event)
    assert called("a", ["b"], 2, 1.5, "b") == {"count": 2}
    with pytest.raises(gr.Error) as refused:
        called(*arguments)
    assert refused.value.message.startswith(sentence) or sentence in refused.value.message


@pytest.mark.parametrize(
    ("text", "number"),
    [("3", 3), ("5", 5), ("99", 8), ("-2", 1), ("nonsense", 4), ("1.5", 4), ("", 4), (None, 4)],
)
def test_a_number_of_a_link_is_brought_into_its_range(text, number):
    assert page.number_of_link(text, int, 1, 8, 4) == number
    assert page.number_of_link("nan", float, 0, 2, 0.6) == 0.6
    assert page.number_of_link(None, float, 0, 2, 1.0) == 1.0


@pytest.fixture
def uploads(monkeypatch, tmp_path):
    """An empty folder of uploads."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path


def test_without_room_no_file_is_begun(uploads, monkeypatch):
    assert page.download_path("scores.csv").parent.is_dir()
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=page.ROOM - 1))
    with pytest.raises(gr.Error, match="disk of this site is full"):
        page.download_path("scores.csv")
    monkeypatch.setenv("GRADIO_TEMP_DIR", os.devnull)
    with pytest.raises(gr.Error, match="disk of this site is full"):
        page.download_path("scores.csv")


def test_what_a_visitor_sent_is_deleted_within_the_hour_whoever_took_it(uploads):
    ages = {"tmphalf": 3400, "tmpnew": 3000, "a1/photo.jpg": 9000, "b2/photo.jpg": 60, "c3": 9000}
    paths = [uploads / name for name in ages]
    for path in paths[:-1]:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
    paths[-1].mkdir()
    for path, age in zip(paths, ages.values(), strict=True):
        os.utime(path, (time.time() - age,) * 2)
    page.sweep()
    assert [path.exists() for path in paths] == [False, True, False, True, False]
    assert uploads.is_dir()
