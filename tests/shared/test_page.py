import re

import gradio as gr

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


def test_source_is_shown_as_it_stands():
    text = re.sub("<[^>]+>", "", page.source(LSTMCell.step))
    head = "def step(self, projected, states, weights, dropped=None, force=None):"
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
