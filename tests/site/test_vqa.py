import csv
import io
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

FIRST = ".asked .said >> visible=true"


@pytest.fixture(scope="module")
def page(open_once):
    return open_once("vqa", wait_for=FIRST)


def picture(kind="PNG", size=(80, 60), **options):
    image = Image.new("RGB", size, (20, 120, 220))
    image.paste((240, 240, 240), (0, size[1] // 2, *size))
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def send(page, name, data, box=0):
    kind = "image/png" if name.endswith("png") else "image/jpeg"
    field = page.locator(".page input[type=file]").nth(box)
    field.set_input_files({"name": name, "mimeType": kind, "buffer": data})


def ask(page, text):
    box = page.get_by_label("Your question, in English")
    box.fill(text)
    box.press("Enter")
    return box


def test_an_example_is_answered_and_more_questions_are_asked_about_it(page):
    expect(page.locator(".guesses div")).to_have_count(5)
    expect(page.locator(".words .w")).not_to_have_count(0)
    expect(page.locator(".looked img")).to_have_count(2)
    expect(page.locator(".shares div")).to_have_count(2)
    expect(page.get_by_text("of the probability moves to other answers")).to_be_visible()
    expect(page.get_by_role("cell", name="Blind LSTM", exact=True)).to_have_count(2)
    expect(page.get_by_text("In bold: the network")).to_be_visible()
    expect(page.locator(".sides .word")).to_have_count(5)
    expect(page.locator(".card")).to_contain_text("accuracy on the test")
    expect(page.get_by_text("of the answers unchanged")).to_be_visible()
    pair = page.locator("h3", has_text="What color is it?")
    expect(pair).to_be_visible()
    page.get_by_role("button", name="Is it night?").last.click()
    expect(page.locator("h3", has_text="Is it night?")).to_be_visible()

    # Further questions, another cell and another photo.
    shown = page.locator(".view img")
    before = shown.get_attribute("src")
    page.get_by_role("button", name="Is this a zoo?").click()
    expect(page.locator(".before")).to_contain_text("What color is the animal?")
    question = "How many  boats are there?"  # with a space too many
    box = ask(page, question)
    expect(page.locator(".before")).to_contain_text("Is this a zoo?")
    expect(page.locator(".words")).to_have_text("How many boats are there?")
    expect(shown).to_have_attribute("src", before)
    page.get_by_role("radio", name="GRU").check()
    expect(page.locator(".card")).to_contain_text("GRU + photo")
    expect(page.locator(".before")).not_to_contain_text("boats")
    temples = page.get_by_role("button", name="Temple")
    page.get_by_role("button", name="Choose the other photo").click()
    expect(temples).to_have_count(2)  # else the last is still that of the photo to ask about
    temples.last.click()
    expect(page.locator(".sides img").nth(1)).to_have_attribute("alt", re.compile("temple"))
    send(page, "other.png", picture(), box=1)
    expect(page.locator(".sides img").nth(1)).to_have_attribute("alt", "Your photo.")
    page.get_by_role("button", name="Temple").first.click()
    expect(page.get_by_role("button", name="Are there trees?")).to_be_visible()
    expect(box).to_have_value(question)
    expect(page.locator(".before")).to_have_count(0)
    expect(shown).not_to_have_attribute("src", before)


def test_a_question_that_cannot_be_answered_gets_a_sentence_and_stays_in_its_box(page):
    before = page.locator(".said").text_content()
    for text, sentence in (
        ("", "no question yet"),
        ("???", "no words"),
        ("Что это такое?", "only learned English"),
        ("Welche Farbe hat das Dach?", "occur in the training questions"),
        ("is " * 150, "maximum is 60"),
        ("is this a tower " * 125, "maximum is 500"),
    ):
        box = ask(page, text)
        expect(page.get_by_role("alert")).to_contain_text(sentence)
        expect(box).to_have_value(text)
        expect(page.locator(".said")).to_have_text(before)
    ask(page, "the color of this")
    expect(page.get_by_text("reads like a statement")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    ask(page, "What is in the photo?")
    expect(page.locator(".words")).to_have_text("What is in the photo?")

    # So does a file that is no photo; a photo is asked the question that stands there.
    send(page, "letter.jpg", b"This is a letter.")
    expect(page.get_by_role("alert")).to_contain_text("not a photo that can be read")
    exif = Image.Exif()
    exif[0x0112] = 6  # on its side
    send(page, "mine.jpg", picture("JPEG", exif=exif))
    expect(page.get_by_text("Your photo is not in the link")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator(".looked .shot")).to_have_attribute("style", re.compile("0.7500"))
    expect(page.get_by_label("Your question, in English")).to_have_value("What is in the photo?")
    page.get_by_role("button", name="What color is it?").first.click()
    expect(page.locator(".before")).to_contain_text("What is in the photo?")
    # A photo that comes with a question that cannot be answered is there for the next.
    ask(page, "Что это такое?")
    expect(page.get_by_role("alert")).to_contain_text("only learned English")
    send(page, "good.png", picture(size=(60, 60)))
    expect(page.get_by_text("Ask a question about this photo.")).to_be_visible()
    expect(page.locator(".words")).to_have_count(0)
    ask(page, "What color is it?")
    expect(page.locator(".looked .shot")).to_have_attribute("style", re.compile("1.0000"))


def test_many_questions_come_back_as_a_csv(page, tmp_path):
    upload = tmp_path / "questions.csv"
    rows = ["1,What color is it?", "2,", "3,Что это такое?", *["4,=Is it night?"] * 100]
    upload.write_text("\n".join(["id,question", *rows]), encoding="utf-8")
    page.locator(".page input[type=file]").last.set_input_files(upload)
    expect(page.get_by_text("101 of 103 questions answered")).to_be_visible()
    with page.expect_download() as event:
        page.get_by_role("button", name="Download the answers").click()
    with open(event.value.path(), newline="", encoding="utf-8-sig") as file:
        found = list(csv.DictReader(file))
    assert [row["id"] for row in found] == ["1", "2", "3", *["4"] * 100]
    assert found[0]["answer"] and 0 < float(found[0]["probability"]) < 1
    assert "no question yet" in found[1]["note"] and "only learned English" in found[2]["note"]
    assert found[3]["question"] == "'=Is it night?" and found[3]["answer"]


def test_a_link_restores_an_example_its_question_and_cell(open_page):
    query = "vqa?example=bus&question=Is%20this%20a%20train%3F&cell=rnn"
    page = open_page(query, wait_for=FIRST)
    expect(page.locator(".view img")).to_have_attribute("alt", re.compile("a red bus"))
    expect(page.locator(".words")).to_have_text("Is this a train?")
    expect(page.locator(".card")).to_contain_text("RNN + photo")
    page.get_by_role("button", name="Flower").first.click()
    expect(page.locator(".view img")).to_have_attribute("alt", re.compile("flower"))
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_url("**example=flower**question=Is+this+a+train%3F**cell=rnn**")


def test_a_phone_needs_no_sideways_scrolling_and_an_odd_link_leads_to_the_first(open_page):
    query = "vqa?example=unicorn&cell=x"
    page = open_page(query, wait_for=FIRST, color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator(".words")).to_have_text("What color is the animal?")
    expect(page.locator(".sides").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_api_answers_about_files_and_nothing_else(api_client, tmp_path):
    from gradio_client import handle_file

    (tmp_path / "sea.png").write_bytes(picture())
    (tmp_path / "letter.jpg").write_bytes(b"This is a letter.")
    good, bad = (handle_file(tmp_path / name) for name in ("sea.png", "letter.jpg"))
    found = api_client.predict(good, "What color is it?", "gru", api_name="/ask")
    assert found["answer"] == found["answers"][0]["text"] and len(found["answers"]) == 5
    assert found["probability"] == found["answers"][0]["probability"]
    assert sum(map(sum, found["attention"])) == pytest.approx(1, abs=0.01)
    assert [word["text"] for word in found["words"]] == ["What", "color", "is", "it"]
    assert 0 <= found["looked"] <= 1 and isinstance(found["sure"], bool)
    questions = ["What color is it?", ""]
    rows = api_client.predict(good, questions, "gru", api_name="/ask_batch")
    assert rows[0]["answer"] == found["answer"] and "no question" in rows[1]["note"]
    for arguments, sentence in (
        ((bad, "What is it?", "lstm"), "not a photo"),
        ((good, " ", "lstm"), "no question yet"),
        ((good, "Quelle est cette chose étrange ?", "lstm"), "only learned English"),
        ((good, "is " * 500, "lstm"), "maximum is 500"),
        ((good, "What is it?", "transformer"), "lstm, gru or rnn"),
        (({"path": "/etc/hostname"}, "What is it?", "lstm"), "must be a file"),
        ((None, "What is it?", "lstm"), "must be a file"),
    ):
        with pytest.raises(Exception, match=sentence):
            api_client.predict(*arguments, api_name="/ask")
