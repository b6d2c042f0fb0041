import re

from markupsafe import Markup

from shared.site import components
from unrolled.layers import LSTMCell


def test_a_table_escapes_its_cells_unless_told_not_to():
    html = components.table(["<a>"], [["<b>"], [Markup("<i></i>")]], winner=1)
    assert "&lt;a&gt;" in html
    assert "&lt;b&gt;" in html
    assert "<i></i>" in html
    assert html.index("class=winner") > html.index("&lt;b&gt;")


def test_messages_are_escaped():
    for make in (components.error, components.note):
        assert "<b>" not in make("<b>")


def test_choices_say_which_and_are_escaped():
    html = components.choice_buttons(["Is it?", 'A "<b>"'], "Try <these>")
    assert html.count("<button") == 2
    assert 'data-choice="A &#34;&lt;b&gt;&#34;"' in html
    assert 'aria-label="Try &lt;these&gt;"' in html and "<b>" not in html


def test_source_is_shown_as_it_stands():
    text = re.sub("<[^>]+>", "", components.source_code(LSTMCell.step))
    head = "def step(self, projected, states, weights, dropout_mask=None, force=None):"
    assert text.startswith(f"{head}\n    cell = states[1]\n")


def test_equations_have_subscripts():
    assert "W<sub>f</sub> + h′ U<sub>f</sub> + b<sub>f</sub>)" in components.equations("lstm")
    assert "b′<sub>g</sub>))" in components.equations("gru")


def test_dates_are_written_out():
    assert components.format_date("2026-11-21") == "21 November 2026"


def test_code_and_names_of_files_are_escaped():
    assert "<b>" not in components.code_block("x = '<b>'")
    saved = components.savable_figure(
        "<figure></figure>", 'a"b', ["n", "value"], [[1, 0.5], [2, "=1+1"]]
    )
    assert "data:text/csv;charset=utf-8,n%2Cvalue%0D%0A1%2C0.5%0D%0A2%2C%27%3D1%2B1" in saved
    assert 'download="a&#34;b.csv"' in saved
    assert saved.count("unrolled.saveFigure(this") == 2


def test_html_put_into_html_is_escaped_once():
    figure = components.savable_figure("<figure>a &lt; b</figure>", "a", ["n"], [[1]])
    assert "<figure>a &lt; b</figure>" in figure
    assert components.heading("Ifs & buts", "A <b>") == (
        '<h2 id="ifs-buts">Ifs &amp; buts</h2><p>A &lt;b&gt;</p>'
    )
