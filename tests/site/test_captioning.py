import csv
import io
import json
import re
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

CARD = Path(__file__).parent.parent.parent / "models" / "captioning" / "card.json"
VARIANTS = list(json.loads(CARD.read_text(encoding="utf-8"))["variants"])
OPENED = ".captioned >> visible=true"


def said(page):
    return page.locator(".said")


def photo(page):
    return page.locator(".view img")


def picture(kind="PNG", **options):
    image = Image.new("RGB", (80, 60), (20, 120, 220))
    image.paste((240, 240, 240), (0, 30, 80, 60))
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def bomb():
    """A PNG of a few bytes that says it is enormous."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def send(page, name, data):
    kind = "image/png" if name.endswith("png") else "image/jpeg"
    box = page.locator(".page input[type=file]").first
    box.set_input_files({"name": name, "mimeType": kind, "buffer": data})


def set_number(page, label, value):
    field = page.get_by_label(f"number input for {label}")
    field.fill(value)
    field.press("Enter")


def test_an_example_is_captioned_and_every_knob_acts(open_page):
    page = open_page("captioning", wait_for=OPENED)
    expect(said(page)).to_have_text(re.compile(r"^[A-Z].*\.$"))
    expect(page.locator(".people li")).to_have_count(5)
    expect(page.get_by_role("cell", name="People, each against the others")).to_be_visible()
    expect(page.locator(".page .card")).to_contain_text("BLEU-4")

    # The words are stepped through by pointer, buttons and keyboard.
    words, lit = page.locator(".steps button"), page.locator(".steps button.lit")
    veil = page.locator(".sight .shot img[data-show]:not(.off)")
    words.nth(0).hover()
    expect(lit).to_have_attribute("data-step", "0")
    expect(page.locator(".looks p:not(.off)")).to_contain_text("half of the attention went to")
    before = veil.get_attribute("src")
    page.get_by_role("button", name="Next word ›").click()
    expect(lit).to_have_attribute("data-step", "1")
    expect(veil).not_to_have_attribute("src", before)
    page.locator(".page h1").click()
    page.keyboard.press("ArrowRight")
    expect(lit).to_have_attribute("data-step", "2")
    words.nth(1).focus()
    expect(lit).to_have_attribute("data-step", "1")

    # Another example, other cells where there are, another search.
    before = photo(page).get_attribute("src")
    page.get_by_role("button", name="Temple").click()
    expect(page.locator(".people")).to_contain_text("A Chinese temple stands above a lake.")
    expect(photo(page)).not_to_have_attribute("src", before)
    expect(page.get_by_role("heading", name="LSTM, GRU and RNN compared")).to_have_count(
        int(len(VARIANTS) > 1)
    )
    expect(page.get_by_role("radio", name="LSTM")).to_have_count(int(len(VARIANTS) > 1))
    for name in map(str.upper, VARIANTS[1:]):
        expect(page.locator(".told b", has_text=name)).to_be_visible()
        page.get_by_role("radio", name=name).check()
        expect(page.locator(".sure")).to_contain_text(f"The {name} was")
    beams = page.locator("table", has_text="Log-probability").locator("tbody tr")
    before = beams.count()
    set_number(page, "Beam width", "8")
    expect(beams.nth(before)).to_be_visible()
    set_number(page, "Length penalty", "0.5")
    expect(page.get_by_text("to the power 0.5")).to_be_visible()

    # A word is changed.
    box = page.get_by_label("New word")
    box.fill("woman")
    page.get_by_role("button", name="Continue from there").click()
    expect(page.locator(".told u")).to_have_text("woman")
    expect(page.get_by_text(re.compile("of [0-9]+ words (is|are) new"))).to_be_visible()
    box.fill("xylophone")
    box.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("does not know the word “xylophone”")
    expect(box).to_have_value("xylophone")

    # A region is hidden by pointer and keyboard.
    cells = page.locator(".cover button")
    cells.nth(24).click()
    expect(cells.nth(24)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("Without one square")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(cells.nth(25)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Without 2 squares")).to_be_visible()
    for n in (24, 25):
        cells.nth(n).click()
    expect(page.get_by_text(re.compile("^Without"))).to_have_count(0)

    # Captions are sampled at a temperature.
    table = page.locator("table", has_text="Sample")
    before = table.text_content()
    page.get_by_role("button", name="Sample again").click()
    expect(table).not_to_have_text(before)
    set_number(page, "Temperature", "0.1")
    expect(page.get_by_text("Temperature 0.1:")).to_be_visible()


def test_photos_are_captioned_and_what_is_none_gets_a_sentence(open_page, tmp_path):
    page = open_page("captioning", wait_for=OPENED)
    exif = Image.Exif()
    exif[0x0112] = 6  # on its side
    before = photo(page).get_attribute("src")
    send(page, "mine.jpg", picture("JPEG", exif=exif))
    expect(page.get_by_text("Your photo is not in the link")).to_have_count(1)
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("Your photo is not in the link")).to_have_count(2)
    expect(photo(page)).not_to_have_attribute("src", before)
    expect(page.locator(".sight .shot")).to_have_attribute("style", re.compile("0.7500"))
    expect(page.get_by_text("Only the examples have references")).to_be_visible()
    before = photo(page).get_attribute("src")
    more = [Image.new("RGB", (80, 60))]
    send(page, "moving.gif", picture("GIF", save_all=True, append_images=more))
    expect(photo(page)).not_to_have_attribute("src", before)
    for name, data, sentence in (
        ("letter.jpg", b"This is a letter.", "not a photo that can be read"),
        ("bomb.png", bomb(), "50 million pixels"),
    ):
        before = said(page).text_content()
        send(page, name, data)
        expect(page.get_by_role("alert"), name).to_contain_text(sentence)
        expect(said(page), name).to_have_text(before)
    send(page, "good.png", picture())
    expect(page.get_by_role("alert")).to_have_count(0)

    # Many at once come back as a CSV.
    upload = tmp_path / "photos.zip"
    with zipfile.ZipFile(upload, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("holiday/2024/=sea.png", picture())
        archive.writestr("../../notes.txt", "No photo.")
        archive.writestr("zeros.png", bytes(21 * 2**20))
        archive.writestr("__MACOSX/._sea.png", b"x")
    single = tmp_path / "one.jpg"
    single.write_bytes(picture("JPEG"))
    page.locator(".page input[type=file]").last.set_input_files([upload, single])
    expect(page.get_by_text("2 of 4 photos captioned")).to_be_visible()
    with page.expect_download() as event:
        page.get_by_role("button", name="Download the captions").click()
    with open(event.value.path(), newline="", encoding="utf-8-sig") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"holiday/2024/=sea.png", "../../notes.txt", "zeros.png", "one.jpg"}
    assert rows["one.jpg"]["caption"].endswith(".") and float(rows["one.jpg"]["probability"]) >= 0
    assert "not a photo" in rows["../../notes.txt"]["note"]
    assert "more than 20 MB" in rows["zeros.png"]["note"]
    upload.write_bytes(b"PK\x03\x04 and nothing more")
    page.get_by_label("Clear").last.click()
    page.locator(".page input[type=file]").last.set_input_files([upload])
    expect(page.get_by_role("alert")).to_contain_text("not a zip that can be read")


def test_a_link_restores_an_example_on_a_phone_and_the_webcam_is_captioned_there(open_page):
    query = "captioning?example=flower&cell=unicorn&width=5&penalty=nonsense&step=1"
    page = open_page(query, wait_for=OPENED, color_scheme="dark")
    expect(page.locator(".people")).to_contain_text("An orange flower")
    expect(page.locator(".sure")).to_contain_text("The LSTM was")
    expect(page.get_by_label("number input for Beam width")).to_have_value("5")
    expect(page.locator(".steps button.lit")).to_have_attribute("data-step", "1")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_text("Click to Access Webcam").click()
    page.get_by_role("button", name="capture photo").click()
    expect(page.locator(".walked")).to_have_text(re.compile(r"^[A-Z].*\.$"))
    expect(page.get_by_text(re.compile("per word · [0-9]+ ms"))).to_be_visible()
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_url("**example=flower**cell=lstm**width=5**penalty=1**")


def test_the_api_captions_files_and_nothing_else(api_client, tmp_path):
    from gradio_client import handle_file

    (tmp_path / "sea.png").write_bytes(picture())
    (tmp_path / "letter.jpg").write_bytes(b"This is a letter.")
    good, bad = (handle_file(tmp_path / name) for name in ("sea.png", "letter.jpg"))
    found = api_client.predict(good, 3, 1.0, VARIANTS[-1], api_name="/caption")
    count = len(found["words"]) + found["ended"]
    assert len(found["gate"]) == len(found["each"]) == len(found["attention"]) == count
    assert found["caption"] == found["alternatives"][0]["caption"]
    for row in found["attention"]:
        assert sum(map(sum, row)) == pytest.approx(1, abs=0.01)
    rows = api_client.predict([good, bad], "lstm", api_name="/caption_batch")
    assert rows[0]["caption"].endswith(".") and "not a photo" in rows[1]["note"]
    for arguments, sentence in (
        ((bad, 3, 1.0, "lstm"), "not a photo"),
        ((good, 99, 1.0, "lstm"), "beam width"),
        ((good, 3, 1.0, "transformer"), "cell must be lstm"),
        (({"path": "/etc/hostname"}, 3, 1.0, "lstm"), "hoto must be a file"),
        ((None, 3, 1.0, "lstm"), "hoto must be a file"),
    ):
        with pytest.raises(Exception, match=sentence):
            api_client.predict(*arguments, api_name="/caption")
