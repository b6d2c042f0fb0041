"""Lessons 4 to 6 in a browser: the race, hands on the gates, attention as memory."""

import csv
import math
import re
import time

from playwright.sync_api import expect

from apps.cells.race import race, tab
from shared.site.pages import Page
from tests.site.test_embedding import TIMEOUT_SECONDS, small_site

FIRST = {
    "race": ".sheet img >> visible=true",
    "gates": ".answer .number >> visible=true",
    "memory": "button:has-text('Train both') >> visible=true",
}


MAX_UPDATES = 60  # of a race whose page was closed, until the server knows
IDLE_SECONDS = 5  # without an update, of which there are up to four in a second


def lesson(open_page, query):
    """The page of a lesson with its first figure."""
    return open_page(f"cells-{query}", wait_for=FIRST[query.split("?")[0]])


def status(page, pattern):
    """The line that reports the progress of a run."""
    return page.locator(".message:visible", has_text=re.compile(pattern))


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def test_a_race_can_be_paused_stepped_resumed_stopped_and_downloaded(open_page):
    page = lesson(open_page, "race?length=10&units=4&cells=rnn&task=parity&speed=10&rate=0.00001")
    press(page, "Start")
    expect(status(page, r"^Step [1-9]")).to_be_visible()
    press(page, "Pause")
    paused = status(page, r"^Paused at step ")
    expect(page.get_by_role("button", name="Download the results")).to_be_visible()
    expect(paused).to_be_visible()
    at = int(re.search(r"[\d,]+", paused.inner_text())[0].replace(",", ""))
    press(page, "One step")
    expect(status(page, f"Paused at step {at + 1:,}.")).to_be_visible()
    with page.expect_download() as event:
        press(page, "Download the results")
    with open(event.value.path(), newline="", encoding="utf-8-sig") as file:
        (row,) = csv.DictReader(file)
    assert (row["Cell"], row["Units"], row["Steps"]) == ("RNN", "4", str(at + 1))
    press(page, "Continue")
    expect(status(page, r"^Step [\d,]+\.")).to_be_visible()
    press(page, "Stop")
    expect(status(page, "^Stopped")).to_be_visible()
    press(page, "Continue")
    expect(page.get_by_role("alert").first).to_contain_text("There is no race yet")


def test_buttons_pressed_while_a_run_ends_take_effect(open_page):
    # At such a learning rate no cell solves the task, and no run ends by itself.
    page = lesson(open_page, "race?length=10&units=4&cells=rnn&task=parity&speed=10&rate=0.00001")
    press(page, "Start")
    for ending, ended, beginning in (
        ("Stop", "^Stopped", "Start"),
        ("Pause", "^Paused", "Continue"),
        ("Pause", "^Paused", "Start"),
    ):
        expect(status(page, "^Step [1-9]")).to_be_visible()
        press(page, ending)
        expect(status(page, ended)).to_be_visible()
        press(page, beginning)
    expect(status(page, "^Step [1-9]")).to_be_visible()
    # A refused start ends the run, whose last update leaves the error message in place.
    page.get_by_label("Length, 10 to 400").fill("0")
    press(page, "Start")
    expect(status(page, "^Paused")).to_be_visible()
    expect(page.get_by_role("alert").first).to_contain_text("from 10 to 400, not ")


def test_closing_the_page_stops_the_race(browser, monkeypatch):
    """Updates are counted where the race runs, on a site of its own where it never pauses."""
    updates = []
    advance = race.Race.advance
    monkeypatch.setattr(race.Race, "advance", lambda *args: (updates.append(1), advance(*args)))
    monkeypatch.setattr(tab, "MAX_SECONDS", math.inf)
    own = [Page(path, tab.TITLE, "A lesson.", tab.build) for path in ("", "cells-race")]
    with small_site(own) as address:
        page = browser.new_page()
        page.set_default_timeout(1000 * TIMEOUT_SECONDS)
        page.goto(f"{address}/cells-race?length=10&units=4&cells=rnn&task=parity&rate=0.00001")
        press(page, "Start")
        expect(status(page, r"^Step [1-9]")).to_be_visible()
        page.close()
        before, count = len(updates), -1
        while count < len(updates) < before + MAX_UPDATES:
            count = len(updates)
            time.sleep(IDLE_SECONDS)
        assert len(updates) < before + MAX_UPDATES


def test_a_link_restores_the_race_and_an_unusable_length_is_refused(open_page):
    page = lesson(open_page, "race?task=copy&length=33&speed=200")
    box = page.get_by_label("Length, 10 to 400")
    expect(box).to_have_value("33")
    expect(page.get_by_role("radio", name="Copy")).to_be_checked()
    expect(page.get_by_text("The network reads 3 symbols, then blanks")).to_be_visible()
    for length in ("0", "1000000"):
        box.fill(length)
        press(page, "Start")
        expect(page.get_by_role("alert").first).to_contain_text("from 10 to 400, not ")
        expect(box).to_have_value(length)


def test_holding_a_gate_changes_answer_and_text(open_page):
    page = lesson(open_page, "gates")
    answer = page.locator(".answer:visible .number")
    expect(answer).to_contain_text("→")
    page.get_by_role("radio", name="Nothing").check()
    expect(answer).not_to_contain_text("→")
    expect(page.locator(".play:visible")).to_have_count(1)
    page.get_by_role("radio", name="Freeze the memory").check()
    expect(page.locator(".play:visible")).to_have_count(2)
    expect(page.get_by_role("heading", name="The cell state frozen in all units")).to_be_visible()
    # Another unit colours the text differently.
    letters = page.locator(".characters").first.locator("i")
    before = letters.nth(3).get_attribute("style")
    page.get_by_label("Unit, 0 to 255").fill("9")
    page.keyboard.press("Enter")
    expect(letters.nth(3)).not_to_have_attribute("style", before)
    expect(page.get_by_text(re.compile("^Unit 9 "))).to_be_visible()


def test_the_gates_of_the_review_reader_can_be_held(open_page):
    page = lesson(open_page, "gates?model=sentiment&what=output&value=0")
    expect(page.locator(".answer:visible .word")).to_have_text("positive")
    expect(page.get_by_text("With the output gate held at 0 in all units.")).to_be_visible()


def test_networks_with_and_without_attention_are_trained(open_page):
    page = lesson(open_page, "memory?length=5&steps=50&kind=additive")
    expect(page.get_by_label("Symbols, 4 to 30")).to_have_value("5")
    press(page, "Train both")
    expect(status(page, "^Step 50")).to_be_visible()
    expect(page.locator(".sheet img:visible")).to_be_visible()
    expect(page.get_by_text("with additive attention").first).to_be_visible()
