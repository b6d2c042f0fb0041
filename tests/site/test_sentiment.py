import csv
import re
from urllib.parse import quote

from playwright.sync_api import expect

from apps.sentiment import views
from apps.sentiment.tab import FOLDER
from shared.bundle import read_card

CARD = read_card(FOLDER)

REVIEW = "A warm, funny and beautiful film with superb acting. I loved every minute of it."
RANT = "An awful, boring mess. Terrible acting, a stupid plot, the worst film of the year."


def answer(page):
    return page.locator(".answer")


def box(page):
    return page.get_by_label("Your text")


def read(page, text):
    box(page).fill(text)
    page.get_by_role("button", name="Read", exact=True).click()


def words(page):
    return page.locator(".words").first


def test_every_section_shows_the_example_that_the_page_opens_with(open_page):
    page = open_page()
    expect(page).to_have_title("Sentiment · Unrolled")
    expect(answer(page)).to_contain_text(re.compile("positive|negative|neutral"))
    expect(words(page)).to_contain_text("Not bad at all")
    page.get_by_role("button", name="Film review", exact=True).click()
    expect(words(page)).to_contain_text("The harbour town is beautifully shot")
    running = page.locator("figure", has_text="Where a line jumps")
    expect(running.locator(".chart path")).to_have_count(len(CARD["variants"]))
    expect(page.get_by_text("accuracy on the official test split")).to_be_visible()
    word = page.locator(".w", has_text="wonderful")
    word.hover()
    readout = word.evaluate("word => getComputedStyle(word, '::after').content")
    assert re.search(r"wonderful.*[+−]\d\.\d\d · >?\d+.% positive so far", readout)
    page.get_by_role("radio", name="Sarcasm").check()
    expect(
        page.get_by_text(re.compile("Of these 32 texts the .* gets [0-9]+ wrong"))
    ).to_be_visible()
    expect(page.locator("td", has_text="I loved the part where it ended.")).to_be_visible()


def test_gates_and_states_follow_the_choices_and_the_network(open_page):
    page = open_page()
    picture = page.locator(".sheet img")
    expect(page.get_by_text("forget gate, the 12 units that")).to_be_visible()
    before = picture.get_attribute("src")
    page.get_by_role("radio", name="Cell state").check()
    expect(picture).not_to_have_attribute("src", before)
    page.get_by_role("radio", name="All units").check()
    expect(page.get_by_text(re.compile(r"cell state, \d+ units"))).to_be_visible()
    page.get_by_role("button", name="Equations and code of this layer").click()
    expect(page.locator("pre", has_text="def step(self, projected, states")).to_be_visible()
    page.get_by_role("radio", name="GRU").check()
    expect(answer(page)).to_contain_text("The GRU")
    expect(page.get_by_role("radio", name="Update gate")).to_be_checked()
    page.get_by_role("radio", name="RNN").check()
    expect(answer(page)).to_contain_text("The RNN")
    expect(page.get_by_role("radio", name="Hidden state")).to_be_checked()
    expect(page.get_by_role("radio", name="Update gate")).to_have_count(0)


def test_the_small_changes_are_listed(open_page):
    page = open_page()
    page.get_by_role("button", name="Film review", exact=True).click()
    expect(words(page)).to_contain_text("The harbour town is beautifully shot")
    page.get_by_role("button", name="Change this text").click()
    table = page.locator("table", has_text="What was done")
    for name in ("As written", "Negated", "Halves swapped", "Shuffled"):
        expect(table).to_contain_text(name)


def test_two_texts_and_all_texts_of_a_template_are_compared(open_page):
    page = open_page()
    page.get_by_label("First text").fill("A superb film.")
    page.get_by_label("Second text").fill("A dreadful film.")
    page.get_by_role("button", name="Compare").click()
    beside = page.locator(".beside")
    expect(beside.locator("mark")).to_have_text(["superb", "dreadful"])
    expect(beside.locator("b", has_text="negative")).to_have_count(1)
    template = page.get_by_label("Template")
    template.fill("I {really|} liked the {food|film")
    template.press("Shift+Enter")
    expect(page.get_by_role("alert")).to_contain_text("There is a { without a } after it")
    template.fill("I {really} liked the {food|film}.")
    page.get_by_role("button", name="Read all").click()
    table = page.locator("table", has=page.locator("mark", has_text="really"))
    expect(table.locator("tbody tr")).to_have_count(4)
    expect(table.locator("tbody td").first).to_have_text("I really liked the food.")
    page.get_by_role("radio", name="Direction").check()
    expect(
        page.get_by_text(re.compile("Of these 40 pairs the .* gets [0-9]+ wrong"))
    ).to_be_visible()


def test_a_refused_text_leaves_no_answer_and_keeps_what_was_typed(open_page):
    page = open_page()
    for text, fragment in (("   ", "nothing to read"), ("12 345 67", "no words")):
        read(page, text)
        expect(page.get_by_role("alert")).to_contain_text(fragment)
        expect(box(page)).to_have_value(text)
        expect(answer(page)).to_have_count(0)
        expect(page.locator(".sheet img")).to_have_count(0)
        expect(page.locator("figure", has_text="Where a line jumps")).to_have_count(0)
    read(page, REVIEW)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(answer(page)).to_contain_text("positive")
    expect(page.locator(".sheet img")).to_be_visible()


def test_a_typed_review_changes_the_answer_and_its_link_leads_back(open_page):
    page = open_page()
    read(page, REVIEW)
    expect(answer(page)).to_contain_text("positive")
    expect(words(page)).to_have_text(REVIEW)
    read(page, RANT)
    expect(answer(page)).to_contain_text("negative")
    expect(words(page)).to_have_text(RANT)
    read(page, "I said 2 < 3 & <b>bold</b> “quotes” ${1+1} {{value}} in this lovely film")
    expect(words(page)).to_contain_text("${1+1} {{value}} in this lovely film")
    expect(page.locator(".words b")).to_have_count(0)
    page.get_by_role("button", name="Sarcastic").click()
    expect(words(page)).to_contain_text("Oh, brilliant, another superhero film")
    expect(box(page)).to_have_value(re.compile("^Oh, brilliant"))
    read(page, REVIEW)
    expect(words(page)).to_have_text(REVIEW)
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_url("**/sentiment?text=**")
    page.reload()
    expect(words(page)).to_have_text(REVIEW)


UNUSABLE = {
    b"": "This file is empty",
    b"id,score\n1,2\n3,4\n": "No column holds text",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(200): "This file is not text",
    b"text\n" + b"A lovely film.\n" * 301: "more than 300 rows",
}


def test_a_link_restores_text_and_cell_and_a_csv_is_scored_or_gets_a_sentence(open_page, tmp_path):
    upload = tmp_path / "reviews.csv"
    with upload.open("w", newline="") as file:
        rows = [["id", "text"], ["1", REVIEW], ["2", RANT], ["3", ""], ["4", f"=1+1 {REVIEW}"]]
        csv.writer(file).writerows(rows)
    page = open_page(f"sentiment?text={quote(RANT)}&cell=gru")
    expect(answer(page)).to_contain_text("The GRU")
    expect(words(page)).to_have_text(RANT)
    expect(box(page)).to_have_value(RANT)
    expect(page.get_by_role("radio", name="GRU")).to_be_checked()
    page.locator("input[type=file]").set_input_files(upload)
    expect(page.get_by_text("finds 2 of 3 texts positive")).to_be_visible()
    expect(page.get_by_text("4 rows of 2 columns (“id”, “text”)")).to_be_visible()
    expect(page.get_by_label("Column to read")).to_have_count(0)
    with page.expect_download() as event:
        page.get_by_role("button", name="Download the scores").click()
    with open(event.value.path(), newline="", encoding="utf-8-sig") as file:
        scored = list(csv.DictReader(file))
    assert [row["id"] for row in scored] == ["1", "2", "3", "4"]
    assert [row["label"] for row in scored] == ["positive", "negative", "", "positive"]
    assert float(scored[0]["probability"]) > 0.5 > float(scored[1]["probability"])
    for row in (scored[0], scored[1], scored[3]):
        shares = [float(row[name]) for name in ("negative", "neutral", "positive")]
        assert abs(sum(shares) - 1) < 1e-3
    assert "nothing to read" in scored[2]["note"]
    assert scored[3]["text"].startswith("'=")
    upload.write_text("review,summary\n" + f'"{RANT}",I loved every minute of it.\n' * 2)
    page.get_by_label("Clear").click()  # the file before
    page.locator("input[type=file]").set_input_files(upload)
    expect(page.get_by_text("finds 0 of 2 texts positive")).to_be_visible()
    column = page.get_by_label("Column to read")
    expect(column).to_have_value("review")
    column.click()
    page.get_by_role("option", name="summary").click()
    expect(page.get_by_text("First rows of “summary”")).to_be_visible()
    expect(page.get_by_text("finds 2 of 2 texts positive")).to_be_visible()
    for content, fragment in UNUSABLE.items():
        upload.write_bytes(content)
        page.get_by_label("Clear").click()  # the file before
        page.locator("input[type=file]").set_input_files(upload)
        expect(page.get_by_role("alert")).to_contain_text(fragment)


def test_the_page_can_be_used_by_keyboard_and_ignores_an_unknown_cell_in_a_link(open_page):
    page = open_page(f"sentiment?text={quote(REVIEW)}&cell=transformer")
    networks = list(views.networks(CARD))
    expect(answer(page)).to_contain_text(f"The {views.name_in_sentence(networks[0])}")
    box(page).fill(RANT)
    box(page).focus()
    page.keyboard.press("Shift+Enter")
    expect(words(page)).to_have_text(RANT)
    for _network in networks[: networks.index("gru") + 1]:
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(answer(page)).to_contain_text("The GRU")
    box(page).fill(REVIEW)
    for _ in range(len(networks) + 1):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Read"
    page.keyboard.press("Enter")
    expect(words(page)).to_have_text(REVIEW)


def test_the_theme_follows_the_system_and_can_be_switched_on_a_phone(open_page):
    page = open_page(color_scheme="dark")
    ground = "getComputedStyle(document.querySelector('.gradio-container')).backgroundColor"
    assert page.evaluate(ground) == "rgb(22, 23, 26)"
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator(".sheet img")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Switch between light and dark").click()
    assert page.evaluate(ground) == "rgb(251, 250, 247)"
    page.reload()
    page.wait_for_selector(".answer .number")
    assert page.evaluate(ground) == "rgb(251, 250, 247)"
