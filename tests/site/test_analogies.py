import csv
import re

import pytest
from playwright.sync_api import expect

from apps.analogies.examples import make_sample_text

ADDRESS = "analogies"


def content(page):
    return page.locator("#page-analogies")


def error(page, sentence):
    return content(page).get_by_role("alert").filter(has_text=sentence)


def ask(page, a, b, c):
    for label, word in (("This word", a), ("is to", b), ("as this one is to …", c)):
        page.get_by_label(label, exact=True).fill(word)
    page.get_by_role("button", name="Solve").click()


ANSWERED = "#page-analogies .answer .number"


@pytest.fixture(scope="module")
def page(open_once):
    return open_once(ADDRESS, wait_for=ANSWERED)


def test_the_page_opens_with_an_analogy_answered_twice(page):
    expect(content(page)).to_contain_text("He is to she as king is to … The nearest word is queen.")
    expect(content(page).get_by_text("Without the three words", exact=True)).to_be_visible()
    expect(content(page).get_by_text("All words allowed", exact=True)).to_be_visible()
    expect(content(page).locator(".plane text")).to_have_count(5)
    expect(content(page).get_by_text("million parameters")).to_be_visible()
    expect(content(page).locator(".steps").first).to_contain_text("=")
    expect(content(page).get_by_text("questions were answered wrongly")).to_be_visible()
    expect(content(page).get_by_text(re.compile("^effect size, p"))).to_be_visible()


def test_typed_words_and_examples_are_answered(page):
    ask(page, "Germany", "BERLIN", "Fránce")
    expect(content(page)).to_contain_text(
        "Germany is to berlin as france is to … The nearest word is paris."
    )
    page.get_by_role("radio", name="3CosMul").check()
    expect(content(page).locator(".answer .word").first).to_contain_text("score")
    page.get_by_role("button", name="Past tense").click()
    expect(content(page)).to_contain_text(
        "Go is to went as take is to … The word with the highest score is took."
    )
    expect(page.get_by_label("This word", exact=True)).to_have_value("go")


def test_what_cannot_be_asked_gets_a_sentence_and_stays(page):
    for words, sentence in (
        (("man", "", "king"), "The second word is missing"),
        (("king", "king", "king"), "The three words are the same"),
        (("man", "woman", "qeen"), "Nearest spellings:"),
    ):
        ask(page, *words)
        expect(content(page).get_by_role("alert")).to_contain_text(sentence)
        expect(page.get_by_label("is to", exact=True)).to_have_value(words[1])
    ask(page, "man", "woman", "king")
    expect(content(page).get_by_role("alert")).to_have_count(0)


def test_words_are_completed_while_a_visitor_types(page):
    box = page.get_by_label("This word", exact=True)
    box.fill("")
    box.press_sequentially("quee")
    expect(page.locator('#known-words option[value="queen"]')).to_have_count(1)


def test_vectors_from_less_text_answer_the_same_question(page):
    expect(content(page).get_by_text("The five best after 46 million words")).to_be_visible()
    page.get_by_role("radio", name="1 million", exact=True).check()
    expect(content(page).get_by_text("The five best after 1 million words")).to_be_visible()


def test_the_space_answers_sums_neighbours_likeness_odd_ones_and_paths(page):
    box = page.get_by_label("Words", exact=True)
    box.fill("king - man +")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(content(page).get_by_role("alert")).to_contain_text("cannot be read at the end")
    page.get_by_role("radio", name="Nearest neighbours").check()
    expect(content(page).get_by_text("Near “guitar”")).to_be_visible()
    page.get_by_role("radio", name="Similarity of two").check()
    expect(content(page).get_by_text("Only identical words count.", exact=True)).to_be_visible()
    page.get_by_role("radio", name="Odd one out").check()
    expect(content(page).locator(".steps").first).to_have_text("bicycle")
    page.get_by_role("radio", name="A path").check()
    expect(content(page).locator(".steps").first).to_contain_text("computer")


PAINTED = """(previous) => { const canvas = document.querySelector('.map-canvas');
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    const painted = pixels.filter((value, n) => n % 4 === 3 && value > 0).length;
    return painted > 3000 && painted !== previous && painted; }"""


def wait_until_painted(page, previous=None):
    """Wait for a map other than the one with so many painted pixels; returns their number."""
    return page.wait_for_function(PAINTED, arg=previous).json_value()


def test_the_map_is_drawn_searched_turned_and_clicked(page):
    canvas = page.locator(".map-canvas")
    canvas.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.map-data').textContent.length > 1000")
    painted = wait_until_painted(page)
    page.get_by_label("Find a word").fill("london")
    page.get_by_label("Find a word").press("Enter")
    expect(content(page).get_by_text("Near “london”")).to_be_visible()
    painted = wait_until_painted(page, painted)
    page.get_by_role("button", name="zoom in").click()
    wait_until_painted(page, painted)
    # Any word may lie anywhere: move along a line until the pointer is on one, and click it.
    box = canvas.bounding_box()
    status = page.locator(".map-status")
    for across in range(20, 980, 24):
        page.mouse.move(box["x"] + across, box["y"] + 300)
        if text := status.inner_text():  # read before the click, after which the map moves
            page.mouse.click(box["x"] + across, box["y"] + 300)
            break
    word = text.split(" · ")[0]
    assert word
    expect(page.get_by_label("Find a word")).to_have_value(word)
    expect(content(page).get_by_text(f"Near “{word}”")).to_be_visible()


def test_own_words_on_own_axes_are_exported(page):
    page.get_by_label("Layout").click()
    page.get_by_role("option", name="Your own axes").click()
    expect(content(page).get_by_text("Left to right: from bad to good")).to_be_visible()
    page.get_by_role("button", name="Your own words, and the map").click()
    page.get_by_label("Only these words").fill("dog, cat, horse, mouse, elephant, =cow")
    page.get_by_role("button", name="Make a CSV").click()
    with page.expect_download() as event:
        content(page).locator("a[download]").first.click()
    with open(event.value.path(), newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["word"] for row in rows] == ["dog", "cat", "horse", "mouse", "elephant", "cow"]
    assert all(-1 <= float(row["x"]) <= 1 for row in rows)


def test_wrong_answers_are_browsed_by_section(page):
    missed = content(page).locator("p", has_text="questions were answered wrongly")
    first = missed.inner_text()
    page.get_by_label("Section").click()
    page.get_by_role("option", name="Family").click()
    expect(missed).not_to_have_text(first)  # a page turned before that is turned back
    expect(missed).to_contain_text("Page 1 of")
    before = missed.locator("xpath=following-sibling::div").inner_text()
    slider = content(page).get_by_role("slider", name=re.compile("Page of wrong answers"))
    slider.focus()
    slider.press("ArrowRight")
    expect(missed).to_contain_text("Page 2 of")
    assert missed.locator("xpath=following-sibling::div").inner_text() != before


def test_bias_is_measured_and_its_words_can_be_changed(page):
    page.get_by_label("Test", exact=True).click()
    page.get_by_role("option", name="Men’s and women’s names").click()
    expect(content(page)).to_contain_text("Men’s names lean")
    names = page.get_by_label("Men’s names", exact=True)
    if not names.is_visible():  # the page is shared, and a test that is run again finds it open
        page.get_by_role("button", name="Change the words of the test").click()
    expect(names).to_have_value(re.compile(", "))
    names.fill("john")
    page.get_by_role("button", name="Test these words").click()
    expect(error(page, "first group needs two known words")).to_be_visible()


def send_long(page, folder):
    """Upload a text that takes even a fast machine longer to learn than a test takes to look."""
    file = folder / "long.txt"
    file.write_text(make_sample_text(20_000), encoding="utf-8")
    content(page).locator("input[type=file]").first.set_input_files(file)
    box = page.get_by_label("Your text").element_handle()
    page.wait_for_function("box => box.value.length > 500_000", arg=box)


def test_vectors_are_learned_from_a_text_while_a_visitor_watches(page, tmp_path):
    page.get_by_label("Your text").fill("")  # what a first try of this test has left
    page.get_by_role("button", name="Learn", exact=True).click()
    expect(error(page, "nothing to learn from")).to_be_visible()
    page.get_by_role("button", name="Use a sample text").click()
    expect(page.get_by_label("Your text")).to_have_value(re.compile("the"))
    send_long(page, tmp_path)
    page.get_by_label("Words to watch").fill("dog, baker")
    page.get_by_role("button", name="Learn", exact=True).click()
    # A browser that is busy for half a minute sees the end only.
    expect(content(page).get_by_text(re.compile("Learning:|Done:"))).to_be_visible()
    expect(content(page).get_by_text("Done:")).to_be_visible()
    row = content(page).locator("tr", has_text="wolf").first
    expect(row).to_contain_text("dog")
    with page.expect_download() as event:
        page.get_by_role("button", name="Download the vectors").click()
    with open(event.value.path(), encoding="utf-8") as file:
        words, dimensions = map(int, file.readline().split())
        assert words > 50 and len(file.readline().split()) == dimensions + 1


# Presses Stop when a run says that it learns, and sets `finished` if it is done all the same. This
# happens in the page, since a run could end between two commands of the test.
STOP_AND_WATCH = """() => {
    window.stopped = window.finished = false;
    const page = document.querySelector('#page-analogies');
    const buttons = [...page.querySelectorAll('button')];
    const stop = buttons.find(button => button.textContent.trim() == 'Stop');
    new MutationObserver(() => {
        if (!window.stopped && page.textContent.includes('Learning:')) {
            window.stopped = true;
            stop.click();
        }
        window.finished ||= window.stopped && page.textContent.includes('Done:');
    }).observe(page, { childList: true, subtree: true, characterData: true });
}"""


def test_learning_stops_when_asked(page, tmp_path):
    send_long(page, tmp_path)
    page.evaluate(STOP_AND_WATCH)
    page.get_by_role("button", name="Learn", exact=True).click()
    page.wait_for_function("window.stopped")
    # Runs wait for each other: this one answers once the stopped one has left its place.
    page.get_by_label("Your text").fill("")
    page.get_by_role("button", name="Learn", exact=True).click()
    expect(error(page, "nothing to learn from")).to_be_visible()
    assert not page.evaluate("window.finished")


def test_a_file_that_cannot_be_learned_gets_a_sentence(page, tmp_path):
    for name, data, sentence in (
        ("picture", b"\x89PNG\r\n\x1a\n\0\0", "not plain text"),
        ("long", b"word " * 1_000_000, "at most 4 MB"),
    ):
        upload = tmp_path / f"{name}.txt"
        upload.write_bytes(data)
        content(page).locator("input[type=file]").first.set_input_files(upload)
        expect(error(page, sentence)).to_be_visible()


def test_a_link_restores_the_question(open_page):
    page = open_page(f"{ADDRESS}?a=big&b=bigger&c=cold&method=3CosMul", wait_for=ANSWERED)
    expect(content(page)).to_contain_text("Big is to bigger as cold is to …")
    expect(page.get_by_role("radio", name="3CosMul")).to_be_checked()
    expect(page.get_by_label("is to", exact=True)).to_have_value("bigger")


def test_the_api_answers_and_refuses(api_client):
    from gradio_client.exceptions import AppError

    client = api_client
    analogy = client.predict(a="germany", b="berlin", c="france", api_name="/analogy")
    assert analogy["best"][0]["word"] == "paris"
    assert len(analogy["honest"]) == 10
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
    query = f"{ADDRESS}?a=kingg&b=%3Cb%3Eshe&c=king"
    page = open_page(query, wait_for="#page-analogies [role=alert]", color_scheme="dark")
    expect(content(page).get_by_role("alert")).to_contain_text("Nearest spellings: king")
    expect(content(page).get_by_text("The word vectors are being loaded.")).to_have_count(0)
    expect(page.get_by_label("is to", exact=True)).to_have_value("<b>she")
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.documentElement.scrollWidth <= 390")
