import csv
import re
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

LETTER = "The dog is sleeping.\n\nA woman is reading. She has a red hat!"


@pytest.fixture(scope="module")
def page(open_once):
    return open_once("translation")


def translate(page, text):
    page.get_by_label("English, up to 5,000 characters").fill(text)
    page.get_by_role("button", name="Translate", exact=True).click()


def french(page):
    return page.get_by_label("French", exact=True)


def test_the_page_opens_with_an_answer_whose_words_highlight_each_other(page):
    expect(french(page)).to_have_value(re.compile(r"\w+ \w+ .*\."))
    expect(page.locator(".tree .node.best").first).to_have_text("start")
    expect(page.locator(".hypotheses", has_text="LSTM, no attention")).to_be_visible()
    expect(page.locator(".overlap")).to_contain_text("A young woman in a red coat")
    pair = page.locator(".aligned")
    word = pair.locator(".f").nth(2)
    word.hover()
    expect(pair.locator(".e.lit").first).to_be_visible()
    expect(pair.locator(".looks")).to_contain_text(re.compile("looked at “.+” [0-9]+ %"))
    pair.locator(".f").first.focus()
    page.keyboard.press("ArrowRight")
    expect(pair.locator(".f").nth(1)).to_be_focused()
    expect(pair.locator(".f").nth(1)).to_have_class(re.compile(r"\bon\b"))
    pair.locator(".e").nth(2).click()  # the other way round
    expect(pair.locator(".f.lit").first).to_be_visible()
    expect(pair.locator(".looks")).to_contain_text("was looked at by")


def test_lines_are_kept_and_any_sentence_can_be_inspected(page):
    translate(page, LETTER)
    expect(french(page)).to_have_value(re.compile(r"^[^\n]+\n\n[^\n]+$"))
    expect(page.locator(".aligned")).to_have_count(3)
    expect(page.locator(".overlap")).to_have_text("The dog is sleeping.")
    page.get_by_label("Sentence shown below").click()
    page.get_by_role("option", name="3. She has a red hat!").click()
    expect(page.locator(".overlap")).to_have_text("She has a red hat!")
    expect(page.locator(".attended .columns")).to_contain_text("hat")


def test_the_sliders_change_the_search(page):
    expect(page.locator(".tree")).to_have_attribute("aria-label", re.compile("4 kept at each"))
    page.get_by_label("number input for Beam width").fill("2")
    page.get_by_label("number input for Beam width").press("Enter")
    expect(page.locator(".tree")).to_have_attribute("aria-label", re.compile("2 kept at each"))
    before = page.locator(".hypotheses.one small").first.text_content()
    page.get_by_label("number input for Length penalty").fill("0")
    page.get_by_label("number input for Length penalty").press("Enter")
    expect(page.locator(".hypotheses.one + p")).to_contain_text(re.compile(r"to the power 0\. "))
    assert page.locator(".hypotheses.one small").first.text_content() != before


def test_a_refused_text_leaves_no_answer_and_keeps_what_was_typed(page):
    for text, fragment in (
        ("", "nothing to translate"),
        ("Je suis dans le jardin et il est là.", "French already"),
        ("你好，世界。", "another alphabet"),
        ("a" * 10_000, "at most 5,000"),
    ):
        translate(page, text)
        expect(page.get_by_role("alert")).to_contain_text(fragment)
        expect(page.get_by_label("English, up to 5,000")).to_have_value(text)
        expect(french(page)).to_have_value("")
        for shown in (".answer", ".aligned", ".attended", ".tree", ".overlap"):
            expect(page.locator(shown)).to_have_count(0)


def test_odd_texts_are_copied_cleaned_or_carry_a_warning(page):
    for text in ("https://example.org/a?b=<c>", "?! …", "😀👍🏽"):
        translate(page, text)
        expect(french(page)).to_have_value(text)
        expect(page.locator(".answer").first).to_contain_text("copied")
        expect(page.get_by_role("alert")).to_have_count(0)
    translate(page, "Das kleine Mädchen wohnt bei ihrer Großmutter.")
    warning = page.locator(".message", has_text="do not trust the translation")
    expect(warning).to_be_visible()
    translate(page, "\u2003The\u00a0dog\u200b  is sleeping.")
    expect(page.locator(".aligned .english")).to_have_text("The dog is sleeping.")


def translate_file(page, upload, summary):
    """The path of the file that comes back for an upload, once the page shows the summary."""
    page.locator("input[type=file]").set_input_files(upload)
    expect(page.get_by_text(summary)).to_be_visible()
    with page.expect_download() as event:
        page.get_by_role("button", name="Download the French").click()
    return event.value.path()


def test_files_come_back_in_french_or_are_refused(page, tmp_path):
    text = tmp_path / "lines.txt"
    text.write_text("The dog is sleeping.\n\n你好\nhttps://a.org\n", encoding="utf-8")
    lines = (
        translate_file(page, text, "1 of 4 rows translated")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    assert len(lines) == 4
    assert lines[0] and lines[0] != "The dog is sleeping."
    assert lines[1:] == ["", "你好", "https://a.org"]
    page.get_by_label("Clear").click()  # the file before
    upload = tmp_path / "rows.csv"
    upload.write_text('id,text\n1,"A man, a dog."\n2,"=1+1 is two."\n', encoding="utf-8")
    path = translate_file(page, upload, "2 of 2 rows translated")
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["1", "2"]
    assert all(0 < float(row["confidence"]) <= 1 and row["french"] for row in rows)
    assert rows[1]["text"].startswith("'=")
    upload.write_bytes(b"")
    page.get_by_label("Clear").click()
    page.locator("input[type=file]").set_input_files(upload)
    expect(page.get_by_role("alert")).to_contain_text("This file is empty")


def test_a_link_restores_text_and_search_on_a_phone_too(open_page):
    query = f"translation?text={quote('The cat is black.')}&width=2&penalty=nonsense"
    page = open_page(query, wait_for=".aligned", color_scheme="dark")
    expect(page.locator(".aligned .english")).to_have_text("The cat is black.")
    expect(page.locator(".tree")).to_have_attribute("aria-label", re.compile("2 kept at each"))
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_url("**text=The+cat+is+black**width=2**penalty=0.6**")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_api_translates_and_refuses_with_sentences(api_client):
    translation = api_client.predict(
        "The dog is sleeping. 42!", 2, 1.0, "attention", api_name="/translate"
    )
    first, second = translation["sentences"]
    assert (first["english"], second["french"]) == ("The dog is sleeping.", "42!")
    assert first["french"] == first["alternatives"][0]["french"]
    assert translation["text"] == f"{first['french']} 42!"
    assert len(first["attention"]) == len(first["pieces"])
    assert all(len(row) == len(first["source_pieces"]) for row in first["attention"])
    rows = api_client.predict(["A cat.", "", "?!"], "attention", api_name="/translate_batch")
    assert rows[0]["confidence"] > 0 and rows[1]["french"] == "" and rows[2]["french"] == "?!"
    for arguments, fragment in (
        (("Hi.", 99, 1.0, "attention"), "beam width"),
        (("", 4, 1.0, "attention"), "nothing to translate"),
    ):
        with pytest.raises(Exception, match=fragment):
            api_client.predict(*arguments, api_name="/translate")
