import csv
import json
import re
import xml.etree.ElementTree as ElementTree

import pytest
from gradio_client.exceptions import AppError
from playwright.sync_api import expect

ANSWER = ".answer .number >> visible=true"
STEPPER = ".stepper >> visible=true"
STEPS = "Steps, 2 to 500"


def alert(page):
    return page.locator("[role=alert] >> visible=true")


def answer(page):
    return page.locator(".answer >> visible=true")


def curve(page, n=0):
    return page.locator(".chart >> visible=true").first.locator("path").nth(n)


def knob(page, label):
    return page.get_by_label(label, exact=True).locator("visible=true").first


def type_sequence(page, text):
    box = page.get_by_label("Numbers, or a short sentence")
    box.fill(text)
    box.press("Enter")


def set_number(page, label, value):
    knob(page, label).fill(str(value))
    knob(page, label).press("Tab")


# The path


def test_the_path_leads_from_lesson_to_lesson_and_fits_a_phone(open_page):
    page = open_page("cells", wait_for=STEPPER)
    lessons = page.get_by_role("navigation", name="Lessons")
    expect(lessons.get_by_role("link", name="1 Unrolled")).to_have_attribute("aria-current", "page")
    lessons.get_by_role("link", name="2 One line").click()
    expect(page).to_have_url(re.compile(r"/cells-scalar$"))
    expect(answer(page)).to_contain_text("dies out")
    page.get_by_role("button", name="w₁ = 1.1, w₂ = 1").click()
    expect(answer(page)).to_contain_text("blows up")
    page.go_back()
    expect(page.locator(STEPPER)).to_be_visible()
    page.go_forward()
    expect(answer(page)).to_contain_text("dies out")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    lessons.get_by_role("link", name="3 Gradients").click()
    expect(answer(page)).to_contain_text("vanished in the RNN")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    lessons.get_by_role("link", name="1 Unrolled").click()
    expect(page.locator(STEPPER)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


# Lesson 1


def step_of(page):
    return page.locator(STEPPER).get_attribute("data-n")


def test_steps_go_forward_and_back_with_buttons_and_keys(open_page):
    query = "cells?cell=rnn&text=1 2 3&lock=cell"
    page = open_page(query, wait_for=STEPPER)
    expect(page.get_by_role("radio", name="LSTM, peepholes")).to_have_count(0)
    expect(page.locator(".term >> visible=true")).to_have_count(1)  # the RNN's one equation
    stepper = page.locator(STEPPER)
    # Three time steps of one term, where the gradient starts, and three steps back.
    expect(stepper).to_have_attribute("data-count", "7")
    expect(page.get_by_role("heading", name="Time step 1 of 3")).to_be_visible()
    page.get_by_role("button", name="Step ›").click()
    expect(page.get_by_role("heading", name="Time step 2 of 3")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("heading", name="The gradient starts")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("heading", name="Back through time step 3")).to_be_visible()
    expect(page.locator(".matrix >> visible=true")).to_have_count(1)
    page.get_by_role("button", name="‹ Back").click()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("heading", name="Time step 3 of 3")).to_be_visible()
    assert step_of(page) == "2"
    page.keyboard.press("ArrowLeft")
    with page.expect_download() as event:
        page.locator(".save >> visible=true").get_by_text("SVG").click()
    drawing = event.value.path().read_text()
    assert "step 2" in drawing  # as it stands: no step of the way back is drawn
    assert "∂" not in drawing


def test_terms_are_lit_one_by_one_and_whole_time_steps_are_passed_at_once(open_page):
    page = open_page("cells?cell=lstm&text=1 2 3&step=1", wait_for=STEPPER)
    lit = page.locator(".term.lit >> visible=true")
    expect(lit).to_have_count(1)
    expect(lit).to_contain_text("f = σ(")
    expect(lit.locator("b")).to_contain_text(re.compile(r"\d\.\d\d"))
    expect(page.locator(".working >> visible=true")).to_contain_text("Now: the forget gate f")
    later = page.locator(".term >> visible=true").last.locator("b")
    expect(later).to_be_hidden()
    page.get_by_role("button", name="Step ›").click()
    expect(lit).to_contain_text("o = σ(")
    page.get_by_role("button", name="Next time step").click()
    assert step_of(page) == "6"
    page.keyboard.press("Shift+ArrowRight")
    assert step_of(page) == "12"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowLeft")
    assert step_of(page) == "12"


def test_cell_and_text_change_the_figure_but_a_sequence_that_cannot_be_read_does_not(open_page):
    page = open_page("cells?text=1 x 2", wait_for=STEPPER)
    expect(alert(page)).to_have_count(1)  # the link's text cannot be read: the example's is
    expect(page.locator(STEPPER)).to_have_attribute("data-count", str(4 * 6 + 1 + 4))
    type_sequence(page, "5 6 7 8")
    expect(alert(page)).to_have_count(0)
    page.get_by_role("radio", name="GRU, reset before").check()
    expect(page.locator(STEPPER)).to_have_attribute("data-count", str(4 * 4 + 1 + 4))
    type_sequence(page, "the cat sat")
    count = str(3 * 4 + 1 + 3)
    expect(page.locator(STEPPER)).to_have_attribute("data-count", count)
    expect(page.locator(".row-of-cells")).to_contain_text("cat")
    for text, sentence in (
        ("", "nothing to read"),
        ("1 2 three", "“three” is not a number"),
        ("1 NaN", "“NaN” cannot be used"),
        ("1 " * 40, "at most 12"),
    ):
        type_sequence(page, text)
        expect(alert(page)).to_contain_text(sentence)
        expect(page.locator(STEPPER)).to_have_attribute("data-count", count)
    type_sequence(page, "1 2")
    expect(alert(page)).to_have_count(0)


def test_the_copied_link_restores_the_step_and_the_listing_runs(open_page):
    page = open_page("cells?cell=gru&text=1 -2&units=3&lock=units", wait_for=STEPPER)
    expect(page.get_by_label("Units")).to_have_count(0)
    for _ in range(3):
        page.get_by_role("button", name="Step ›").click()
    page.get_by_role("button", name="Copy link").locator("visible=true").click()
    page.wait_for_url("**step=3**")
    page.reload()
    page.wait_for_selector(STEPPER)
    expect(page.locator(STEPPER)).to_have_attribute("data-n", "3")
    expect(page.get_by_role("radio", name="GRU, reset after")).to_be_checked()
    expect(page.get_by_label("Numbers, or a short sentence")).to_have_value("1 -2")
    expect(page.locator(".term.lit >> visible=true")).to_contain_text("h = z")
    page.get_by_role("button", name="The code that just ran").locator("visible=true").click()
    code = page.locator(".code code >> visible=true")
    expect(code).to_contain_text("layer = Recurrent(GRUCell(3), return_sequences=True)")
    names = {}
    exec(code.inner_text(), names)
    drawn = page.locator(".row-of-cells").inner_html()
    for value in names["trace"]["hidden"].ravel():
        assert f"{value:z.2f}".replace("-", "−") in drawn


# Lesson 2


def test_sliders_presets_and_steps_change_the_figures_but_an_unusable_number_does_not(open_page):
    page = open_page("cells-scalar?steps=1000000", wait_for=ANSWER)
    expect(knob(page, STEPS)).to_have_value("500")  # the nearest that is possible
    before = curve(page, 1).get_attribute("d")
    for steps, sentence in ((0, "from 2 to 500, not 0"), (1_000_000, "not 1,000,000")):
        set_number(page, STEPS, steps)
        expect(alert(page)).to_contain_text(sentence)
        expect(curve(page, 1)).to_have_attribute("d", before)
    set_number(page, STEPS, 50)
    expect(alert(page)).to_have_count(0)
    page.get_by_role("button", name="w₁ = 1.1, w₂ = 1").click()
    expect(answer(page)).to_contain_text("1.10")
    expect(answer(page)).to_contain_text("blows up")
    expect(curve(page, 1)).not_to_have_attribute("d", before)
    page.get_by_role("button", name="w₁ = 1.0, w₂ = 1").click()
    expect(answer(page)).to_contain_text("stays")
    expect(page.get_by_text("Starts end at 2 places")).to_be_visible()
    circles = page.locator(".square .value")
    before = circles.last.get_attribute("cx")
    page.get_by_role("button", name="Forgets").click()
    expect(page.get_by_text("All starts end at one place")).to_be_visible()
    assert circles.last.get_attribute("cx") != before


def test_a_link_restores_the_line_and_the_plane_and_an_overflow_is_explained(open_page):
    page = open_page(
        "cells-scalar?w1=-0.5&w2=1.5&steps=300&w11=0.5&w12=0&w21=0&w22=0.5&lock=steps",
        wait_for=ANSWER,
    )
    expect(answer(page)).to_contain_text("changes sign")
    expect(page.get_by_text("All starts end at one place")).to_be_visible()
    expect(page.get_by_label(STEPS, exact=True)).to_have_count(0)
    set_number(page, "number input for w₁", 1.5)
    expect(page.get_by_text("overflowed the range of 32 bits").first).to_be_visible()


# Lesson 3


def test_presets_show_overflow_regulariser_and_clipping(open_page):
    page = open_page("cells-gradients?length=1000000", wait_for=ANSWER)
    expect(knob(page, "Time steps T")).to_have_value("400")  # the nearest that is possible
    page.get_by_role("button", name="Overflow").click()
    expect(page.get_by_text("IRNN: its hidden state overflowed")).to_be_visible()
    page.get_by_role("button", name="Repaired by Ω").click()
    expect(page.get_by_text("steps of descent on the regulariser Ω")).to_be_visible()
    page.get_by_role("button", name="Explode, clipped").click()
    expect(page.get_by_text("one factor for all lags").first).to_be_visible()


def test_an_unusable_number_keeps_the_curves_and_figures_can_be_saved(open_page):
    page = open_page("cells-gradients?units=8&length=25", wait_for=ANSWER)
    legend = page.locator(".legend >> visible=true").first
    expect(legend).to_contain_text("bound of the RNN and IRNN")
    page.get_by_role("checkbox", name="IRNN", exact=True).uncheck()
    expect(legend).to_contain_text("bound of the RNN,")
    expect(legend).to_contain_text("LSTM, with respect to its cell state")
    before = curve(page).get_attribute("d")
    for label, value, sentence in (
        ("Units", 2.5, "whole number from 1 to 32, not 2.5"),
        ("Units", 8, ""),
        ("Time steps T", 1_000_000, "from 1 to 400, not 1,000,000"),
        ("Time steps T", 0, "from 1 to 400, not 0"),
        ("Time steps T", "", "from 1 to 400."),
    ):
        set_number(page, label, value)
        if sentence:
            expect(alert(page)).to_contain_text(sentence)
        else:
            expect(alert(page)).to_have_count(0)
        expect(curve(page)).to_have_attribute("d", before)
    set_number(page, "Time steps T", 25)
    expect(alert(page)).to_have_count(0)
    saved = {}
    for kind in ("SVG", "PNG", "CSV"):
        with page.expect_download() as event:
            page.locator(".save >> visible=true").first.get_by_text(kind).click()
        assert event.value.suggested_filename == f"gradients-by-lag.{kind.lower()}"
        saved[kind] = event.value.path()
    drawing = ElementTree.parse(saved["SVG"]).getroot()
    text = " ".join(element.text or "" for element in drawing.iter() if element.text)
    assert "lag, time steps back" in text
    assert "var(" not in saved["SVG"].read_text()
    assert saved["PNG"].read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(saved["CSV"].open(encoding="utf-8")))
    assert [row["lag"] for row in rows] == [str(lag) for lag in range(26)]
    assert float(rows[0]["RNN"]) == pytest.approx(1, abs=1e-5)
    set_number(page, "number input for Spectral radius of the recurrent weights", 0.5)
    expect(curve(page)).not_to_have_attribute("d", before)
    expect(answer(page)).to_contain_text("vanished")
    page.get_by_role("checkbox", name="RNN", exact=True).uncheck()
    expect(legend).not_to_contain_text("bound")


def test_a_link_restores_the_measurement(open_page):
    page = open_page(
        "cells-gradients?cells=lstm,gru&start=gaussian&length=25&units=8&clip=0.001"
        "&lock=seed,omega",
        wait_for=ANSWER,
    )
    expect(answer(page)).to_contain_text("in the LSTM")
    expect(answer(page)).to_contain_text("25 time steps")
    expect(page.get_by_role("radio", name="Gaussian")).to_be_checked()
    expect(page.get_by_role("checkbox", name="RNN", exact=True)).not_to_be_checked()
    expect(page.get_by_text("Clipping at 0.001 scaled")).to_have_count(2)
    expect(page.get_by_label("Seed", exact=True).locator("visible=true")).to_have_count(0)


# The API


def test_the_lessons_answer_programs(api_client):
    unrolled = api_client.predict("1 -2", "gru", 2, 0, api_name="/cells_unrolled")
    assert len(unrolled["steps"]) == 2
    assert set(unrolled["steps"][0]) == {"update", "reset", "candidate", "hidden"}
    line = api_client.predict(2, 2, 100, api_name="/cells_one_line")
    assert line["overflow"] == 64
    assert line["output"][:3] == pytest.approx([2, 8, 32])
    assert line["output"][64] is None
    flow = api_client.predict("rnn", 10, 4, api_name="/cells_gradients")
    assert len(flow["norms"]) == 11
    assert flow["norms"][0] == pytest.approx(1, abs=1e-5)
    json.dumps([unrolled, line, flow], allow_nan=False)


@pytest.mark.parametrize(
    ("arguments", "api_name", "sentence"),
    [
        (("1 2 x",), "/cells_unrolled", "“x” is not a number"),
        (("1 2", "cnn"), "/cells_unrolled", "Cell must be one of rnn, lstm"),
        ((0.9, 1.0, 10**6), "/cells_one_line", "whole number from 2 to 500"),
        (("rnn", 0), "/cells_gradients", "whole number from 1 to 400"),
    ],
)
def test_unusable_arguments_are_refused_with_a_sentence(api_client, arguments, api_name, sentence):
    with pytest.raises(AppError, match=sentence):
        api_client.predict(*arguments, api_name=api_name)
