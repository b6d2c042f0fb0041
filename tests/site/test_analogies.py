import csv
import re

import pytest
from playwright.sync_api import expect

from apps.analogies.examples import made_up_text

HOME = "?tab=analogies"


def tab(page):
    return page.locator("#tab-analogies")


def answer(page):
    return tab(page).locator(".answer .number").first


def told(page, sentence):
    return tab(page).get_by_role("alert").filter(has_text=sentence)


def ask(page, a, b, c):
    for label, word in (("This word", a), ("is to", b), ("as this one is to …", c)):
        page.get_by_label(label, exact=True).fill(word)
    page.get_by_role("button", name="Solve").click()


ANSWERED = "#tab-analogies .answer .number"


@pytest.fixture(scope="module")
def page(open_once):
    return open_once(HOME, wait_for=ANSWERED)


def test_the_page_opens_with_an_analogy_answered_twice(page):
    expect(tab(page)).to_contain_text("He is to she as king is to")
    expect(tab(page).get_by_text("The three words left out", exact=True)).to_be_visible()
    expect(tab(page).get_by_text("All words allowed", exact=True)).to_be_visible()
    expect(tab(page).locator(".plane text")).to_have_count(5)
    expect(tab(page).get_by_text("million parameters")).to_be_visible()
    expect(tab(page).locator(".steps").first).to_contain_text("=")
    expect(tab(page).get_by_text("questions were answered wrongly")).to_be_visible()
    expect(tab(page).get_by_text(re.compile("^effect size, p"))).to_be_visible()


def test_typed_words_and_examples_are_answered(page):
    ask(page, "Germany", "BERLIN", "Fránce")
    expect(tab(page)).to_contain_text("Germany is to berlin as france is to paris")
    page.get_by_role("radio", name="3CosMul").check()
    expect(tab(page).locator(".answer .word").first).to_contain_text("score")
    page.get_by_role("button", name="Past tense").click()
    expect(tab(page)).to_contain_text("Go is to went as take is to took")
    expect(page.get_by_label("This word", exact=True)).to_have_value("go")


def test_what_cannot_be_asked_gets_a_sentence_and_stays(page):
    for words, sentence in (
        (("man", "", "king"), "The second word is missing"),
        (("king", "king", "king"), "The three words are the same"),
        (("man", "woman", "qeen"), "Nearest spellings:"),
    ):
        ask(page, *words)
        expect(tab(page).get_by_role("alert")).to_contain_text(sentence)
        expect(page.get_by_label("is to", exact=True)).to_have_value(words[1])
    ask(page, "man", "woman", "king")
    expect(tab(page).get_by_role("alert")).to_have_count(0)
    # Words are completed while one types.
    box = page.get_by_label("This word", exact=True)
    box.fill("")
    box.press_sequentially("quee")
    expect(page.locator('#known-words option[value="queen"]')).to_have_count(1)
    # The slider puts the question to less text.
    slider = tab(page).get_by_role("slider", name=re.compile("Words of text"))
    expect(tab(page).get_by_text("The ten best after 46 million words")).to_be_visible()
    slider.focus()
    slider.press("Home")
    expect(tab(page).get_by_text("The ten best after 1 million words")).to_be_visible()


def test_the_space_answers_sums_neighbours_likeness_odd_ones_and_paths(page):
    box = page.get_by_label("Words", exact=True)
    box.fill("king - man +")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(tab(page).get_by_role("alert")).to_contain_text("cannot be read at the end")
    page.get_by_role("radio", name="Nearest neighbours").check()
    expect(tab(page).get_by_text("Near “guitar”")).to_be_visible()
    page.get_by_role("radio", name="Similarity of two").check()
    expect(tab(page).get_by_text("Only identical words count.", exact=True)).to_be_visible()
    page.get_by_role("radio", name="Odd one out").check()
    expect(tab(page).locator(".steps").first).to_have_text("bicycle")
    page.get_by_role("radio", name="A path").check()
    expect(tab(page).locator(".steps").first).to_contain_text("computer")


def painted(page):
    return page.evaluate(
        """() => { const canvas = document.querySelector('.map-canvas');
        const seen = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        return seen.filter((value, n) => n % 4 === 3 && value > 0).length; }"""
    )


def test_the_map_is_drawn_searched_turned_and_clicked(page):
    canvas = page.locator(".map-canvas")
    canvas.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.map-data').textContent.length > 1000")
    page.wait_for_timeout(300)
    flat = painted(page)
    assert flat > 3000
    page.get_by_label("Find a word").fill("london")
    page.get_by_label("Find a word").press("Enter")
    expect(tab(page).get_by_text("Near “london”")).to_be_visible()
    page.get_by_role("button", name="zoom in").click()
    page.wait_for_timeout(300)
    assert painted(page) != flat
    # The middle of the search result after zooming may be anywhere: click the word pointed at.
    box = canvas.bounding_box()
    said = page.locator(".map-said")
    for across in range(20, 980, 24):
        page.mouse.move(box["x"] + across, box["y"] + 300)
        if text := said.inner_text():  # read before the click, after which the map moves
            page.mouse.click(box["x"] + across, box["y"] + 300)
            break
    word = text.split(" · ")[0]
    assert word
    expect(page.get_by_label("Find a word")).to_have_value(word)
    expect(tab(page).get_by_text(f"Near “{word}”")).to_be_visible()


def test_own_words_on_own_axes_are_exported(page):
    page.get_by_label("Layout").click()
    page.get_by_role("option", name="Your own axes").click()
    expect(tab(page).get_by_text("Left to right: from bad to good")).to_be_visible()
    page.get_by_role("button", name="Your own words, and the map").click()
    page.get_by_label("Only these words").fill("dog, cat, horse, mouse, elephant, =cow")
    page.get_by_role("button", name="Make a CSV").click()
    with page.expect_download() as event:
        tab(page).locator("a[download]").first.click()
    with open(event.value.path(), newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["word"] for row in rows] == ["dog", "cat", "horse", "mouse", "elephant", "cow"]
    assert all(-1 <= float(row["x"]) <= 1 for row in rows)


def test_wrong_answers_are_browsed_by_section(page):
    missed = tab(page).locator("p", has_text="questions were answered wrongly")
    first = missed.inner_text()
    page.get_by_label("Section").click()
    page.get_by_role("option", name="Family").click()
    expect(missed).not_to_have_text(first)  # a page turned before that is turned back
    expect(missed).to_contain_text("Page 1 of")
    before = missed.locator("xpath=following-sibling::div").inner_text()
    slider = tab(page).get_by_role("slider", name=re.compile("Page of wrong answers"))
    slider.focus()
    slider.press("ArrowRight")
    expect(missed).to_contain_text("Page 2 of")
    assert missed.locator("xpath=following-sibling::div").inner_text() != before


def test_bias_is_measured_and_its_words_can_be_changed(page):
    page.get_by_label("Test", exact=True).click()
    page.get_by_role("option", name="Men’s and women’s names").click()
    expect(tab(page)).to_contain_text("Men’s names lean")
    page.get_by_role("button", name="The words of the test").click()
    page.get_by_label("Men’s names", exact=True).fill("john")
    page.get_by_role("button", name="Test these words").click()
    expect(told(page, "first group needs two known words")).to_be_visible()


def send_long(page, folder):
    """A text that a quick machine is not done with before one looks."""
    file = folder / "long.txt"
    file.write_text(made_up_text(20_000), encoding="utf-8")
    tab(page).locator("input[type=file]").first.set_input_files(file)
    box = page.get_by_label("Your text").element_handle()
    page.wait_for_function("box => box.value.length > 500_000", arg=box)


def test_vectors_are_learned_from_a_text_while_one_watches(page, tmp_path):
    page.get_by_role("button", name="Learn", exact=True).click()
    expect(told(page, "nothing to learn from")).to_be_visible()
    page.get_by_role("button", name="A made-up text").click()
    expect(page.get_by_label("Your text")).to_have_value(re.compile("the"))
    send_long(page, tmp_path)
    page.get_by_label("Words to watch").fill("dog, baker")
    page.get_by_role("button", name="Learn", exact=True).click()
    expect(tab(page).get_by_text("Learning:")).to_be_visible()
    expect(tab(page).get_by_text("Done:")).to_be_visible()
    row = tab(page).locator("tr", has_text="wolf").first
    expect(row).to_contain_text("dog")
    with page.expect_download() as event:
        page.get_by_role("button", name="Download the vectors").click()
    with open(event.value.path(), encoding="utf-8") as file:
        words, dimensions = map(int, file.readline().split())
        assert words > 50 and len(file.readline().split()) == dimensions + 1


def test_learning_stops_when_asked(page, tmp_path):
    send_long(page, tmp_path)
    page.get_by_role("button", name="Learn", exact=True).click()
    expect(tab(page).get_by_text("Learning:")).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.wait_for_timeout(3000)
    shown = tab(page).locator("p", has_text="examples, the text read").inner_text()
    page.wait_for_timeout(3000)
    assert tab(page).locator("p", has_text="examples, the text read").inner_text() == shown


def test_a_file_that_cannot_be_learned_gets_a_sentence(page, tmp_path):
    for name, content, sentence in (
        ("picture", b"\x89PNG\r\n\x1a\n\0\0", "not plain text"),
        ("long", b"word " * 1_000_000, "at most 4 MB"),
    ):
        upload = tmp_path / f"{name}.txt"
        upload.write_bytes(content)
        tab(page).locator("input[type=file]").first.set_input_files(upload)
        expect(told(page, sentence)).to_be_visible()


def test_a_link_restores_the_question(open_page):
    page = open_page(f"{HOME}&a=big&b=bigger&c=cold&method=3CosMul", wait_for=ANSWERED)
    expect(tab(page)).to_contain_text("Big is to bigger as cold is to")
    expect(page.get_by_role("radio", name="3CosMul")).to_be_checked()
    expect(page.get_by_label("is to", exact=True)).to_have_value("bigger")


def test_the_api_answers_and_refuses(site):
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    client = Client(site, verbose=False)
    found = client.predict(a="germany", b="berlin", c="france", api_name="/analogy")
    assert found["best"][0]["word"] == "paris"
    assert len(found["honest"]) == 10
    near = client.predict(word="guitar", api_name="/neighbours")
    assert len(near) == 10 and near[0]["score"] <= 1
    with pytest.raises(AppError, match="Nearest spellings"):
        client.predict(word="guitarr", api_name="/neighbours")
    with pytest.raises(AppError, match="cannot be read"):
        client.predict(expression="king -", api_name="/calculate")
    likeness = client.predict(first="a king", second="a queen", api_name="/likeness")
    assert all(isinstance(likeness[key], float) for key in ("cosine", "bag", "tf_idf"))
    with pytest.raises(AppError, match="three different words"):
        client.predict(words=["king", "king", "queen"], api_name="/odd_one_out")
    with pytest.raises(AppError, match="words, number 1, must be text"):
        client.predict(words=[1, 2, 3], api_name="/odd_one_out")


def test_a_link_with_an_unknown_word_gets_a_sentence_on_a_phone_too(open_page):
    query = f"{HOME}&a=kingg&b=%3Cb%3Eshe&c=king"
    page = open_page(query, wait_for="#tab-analogies [role=alert]", color_scheme="dark")
    expect(tab(page).get_by_role("alert")).to_contain_text("Nearest spellings: king")
    expect(tab(page).get_by_text("The word vectors are being loaded.")).to_have_count(0)
    expect(page.get_by_label("is to", exact=True)).to_have_value("<b>she")
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
