import re

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
    assert text.startswith("def step(self, projected, states, weights, dropped=None):\n    hidden")


def test_equations_have_subscripts():
    assert "W<sub>f</sub> + h′ U<sub>f</sub> + b<sub>f</sub>)" in page.equations("lstm")
    assert "b′<sub>g</sub>))" in page.equations("gru")


def test_dates_are_written_out():
    assert page.long_date("2026-11-21") == "21 November 2026"


def test_nothing_in_the_head_points_elsewhere():
    assert "http" not in page.head()
