import base64
import html
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from shared import plots

HOSTILE = "<script>alert(\"1\")</script> & 'x'"


def chart(values, *axis, **options):
    axis = plots.Axis("y", *axis)
    return plots.chart([plots.Line("a", values)], "x", axis, "A chart.", **options)


def painted(address):
    data = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA")).astype(int)


def test_a_line_starts_left_and_reaches_its_heights():
    drawn = chart([0, 1, 0.5], 0, 1)
    assert 'd="M0.00 100.00L50.00 0.00L100.00 50.00"' in drawn


def test_a_missing_value_leaves_a_gap():
    assert 'd="M0.00 100.00M100.00 0.00"' in chart([0, np.nan, 1])


@pytest.mark.parametrize("values", [[0.5], [2, 2, 2], [np.nan, np.nan]])
def test_odd_data_is_still_a_chart(values):
    ElementTree.fromstring(chart(values, readouts=["?"] * len(values)))


@pytest.mark.parametrize(
    ("low", "high", "about", "expected"),
    [
        (0, 1, 4, [0, 0.25, 0.5, 0.75, 1]),
        (-3, 3, 4, [-2, 0, 2]),
        (1, 230, 3, [100, 200]),
        (5, 5, 4, [5]),
    ],
)
def test_ticks_are_round(low, high, about, expected):
    assert plots.ticks(low, high, about) == expected


@pytest.mark.parametrize(
    ("probability", "written"),
    [(0.0, "<1\u202f%"), (0.42, "42\u202f%"), (0.9999, ">99\u202f%")],
)
def test_a_probability_never_claims_to_be_certain(probability, written):
    assert plots.chance(probability) == written


def test_signed_values_are_painted_orange_and_blue():
    pixels = painted(plots.picture([[-2.0, 0.0, 2.0, 1.0]]))[0]
    assert tuple(pixels[0]) == (230, 159, 0, 255)
    assert pixels[1, 3] == 0
    assert tuple(pixels[2]) == (0, 114, 178, 255)
    assert 120 < pixels[3, 3] < 135


def test_a_gate_is_painted_in_its_colour():
    pixels = painted(plots.picture([[0.0, 1.0, 7.0]], "forget"))[0]
    assert pixels[0, 3] == 0
    assert tuple(pixels[1]) == tuple(pixels[2]) == (213, 94, 0, 255)


def test_a_long_review_is_a_small_heat_map():
    gates = np.random.default_rng(0).random((128, 230))
    drawn = plots.heat_map(gates, ["word"] * 230, "units", "A heat map.", shade="forget")
    assert len(drawn) < 80_000
    assert drawn.count("<i ") == 230


def test_similar_rows_become_neighbours():
    time = np.linspace(0, 6, 50)
    kinds = [np.sin(time), np.cos(time), -np.sin(time)]
    rows = np.array([kinds[n % 3] + 0.01 * n for n in range(9)])
    order = [n % 3 for n in plots.similar_order(rows)]
    changes = sum(a != b for a, b in zip(order, order[1:], strict=False))
    assert changes <= 3


def test_every_word_keeps_its_place_in_the_text():
    text = "Not good, but fine. And the rest"
    spans = [(0, 3), (4, 8), (8, 9), (10, 13), (14, 18), (18, 19)]
    drawn = plots.coloured_words(text, spans, [-1, 0.5, 0, 0, 0.2, 0], list("abcdef"), [0.4] * 6)
    assert re.sub(r"<[^>]+>", "", drawn) == text
    assert drawn.count('class="g"') == 4  # marks stay with their words


def test_what_stands_between_words_has_no_shade():
    text = "<p>Not<br>good</p>"
    drawn = plots.coloured_words(text, [(3, 6), (10, 14)], [-1, 0.5], ["a", "b"])
    assert html.unescape(re.sub(r"<[^>]+>", "", drawn)) == text
    shaded = re.findall(r'<span class="w"[^>]*>([^<]*)</span>', drawn)
    assert shaded == ["Not", "good"]


@pytest.mark.parametrize(
    "drawn",
    [
        plots.figure("", HOSTILE),
        plots.legend([(HOSTILE, "lstm")], [(HOSTILE, 0.2)]),
        plots.scale_legend(HOSTILE, HOSTILE, HOSTILE),
        plots.chart([plots.Line("a", [1, 2])], HOSTILE, HOSTILE, HOSTILE, readouts=[HOSTILE] * 2),
        plots.heat_map(np.eye(2), [HOSTILE] * 2, HOSTILE, HOSTILE, readouts=[HOSTILE] * 2),
        plots.bars([(HOSTILE, 1.0)], HOSTILE),
        plots.coloured_words(HOSTILE, [(0, 8), (8, 20)], [1, -1], [HOSTILE] * 2),
    ],
)
def test_text_stays_text(drawn):
    assert "<script" not in drawn
    ElementTree.fromstring(f"<div>{drawn.replace('<wbr>', '')}</div>")


def test_every_colour_has_a_light_and_a_dark_shade():
    for shades in plots.PALETTE.values():
        assert len(shades) == 2
        assert all(re.fullmatch("#[0-9A-F]{6}", shade) for shade in shades)


def test_layers_are_drawn_in_order_and_only_where_they_have_values():
    x, nothing = plots.Axis("x"), [np.nan] * 3
    layers = [
        plots.Band([np.nan, 0, 0], [np.nan, 1, 2], "gru"),
        plots.Line("a", [0, 1, 2], "ink", width=1),
        plots.Points([np.nan, 1, np.nan], "negative"),
    ]
    drawn = plots.chart(layers, x, plots.Axis("y", 0, 2), "A chart.")
    ElementTree.fromstring(drawn)
    assert 'd="M50.00 50.00L100.00 0.00L100.00 100.00L50.00 100.00Z"' in drawn
    assert drawn.index("--gru") < drawn.index("--ink") < drawn.index("--negative")
    assert drawn.count("<circle") == 1
    empty = plots.chart([plots.Band(nothing, nothing), plots.Points(nothing)], x, x, "Empty.")
    assert "<path" not in empty and "<circle" not in empty


def test_columns_grow_from_zero_in_the_colour_of_their_sign():
    drawn = plots.chart(
        [plots.Columns([2, -1])], plots.Axis("x"), plots.Axis("y", -2, 2), "A chart."
    )
    bars = re.findall(r'y="([\d.]+)%" width="[\d.]+%" height="([\d.]+)%" style="fill:(.*?)"', drawn)
    assert bars == [
        ("0.00", "50.00", "var(--positive)"),
        ("50.00", "25.00", "var(--negative)"),
    ]


def test_the_horizontal_axis_is_marked_where_asked():
    axis = plots.Axis("x", ticks=[(1, "first"), (2, "second")])
    drawn = plots.chart([plots.Line("a", [0, 1, 2])], axis, plots.Axis("y"), "A chart.")
    assert re.findall(r'<text x="([\d.]+)%"[^>]*class="mid">(\w+)', drawn) == [
        ("0.00", "first"),
        ("50.00", "second"),
    ]


def test_the_vertical_axis_is_marked_where_asked():
    drawn = chart([0, 4], 0, 4, [(1, "level 1"), (3, "level 3")])
    assert re.findall("level (\\d)", drawn) == ["1", "3"]
    assert 'y1="75.00%"' in drawn and 'y1="25.00%"' in drawn
