"""The tree of a sentence on the sentiment page: pointer, keys, choice of the sentence."""

from urllib.parse import quote

from playwright.sync_api import expect

TEXT = "The film is not bad. I liked the music."


def test_phrases_are_reached_by_pointer_and_keys(open_page):
    page = open_page(f"sentiment?text={quote(TEXT)}")
    phrases, shown = page.locator(".tree .phrase"), page.locator(".phrase-detail q")
    expect(phrases).to_have_count(11)
    expect(shown).to_have_text("The film is not bad.")
    page.locator(".tree .word", has_text="bad").hover()
    expect(shown).to_have_text("bad")
    expect(page.locator(".tree .word.on")).to_have_text(["bad"])
    phrases.last.focus()
    expect(shown).to_have_text("The film is not bad.")
    page.keyboard.press("ArrowDown")
    left = shown.text_content()
    assert TEXT.startswith(left)
    page.keyboard.press("ArrowRight")
    assert TEXT.startswith(f"{left} {shown.text_content()}".replace(" .", "."))
    page.keyboard.press("ArrowUp")
    expect(shown).to_have_text("The film is not bad.")
    page.keyboard.press("ArrowUp")  # there is nothing above the sentence
    expect(shown).to_have_text("The film is not bad.")
    expect(page.locator(".tree .phrase[tabindex='0']")).to_have_count(1)


def test_another_sentence_and_an_example_can_be_chosen(open_page):
    page = open_page(f"sentiment?text={quote(TEXT)}")
    shown = page.locator(".phrase-detail q")
    expect(shown).to_have_text("The film is not bad.")
    page.get_by_label("Sentence of your review").click()
    page.get_by_role("option", name="I liked the music.").click()
    expect(shown).to_have_text("I liked the music.")
    page.get_by_role("button", name="Twice negated").click()
    expect(shown).to_contain_text("that I did not enjoy.")


def test_a_wide_tree_scrolls_in_its_box_on_a_phone(open_page):
    page = open_page(f"sentiment?text={quote('The long ' + 'and slow ' * 15 + 'film.')}")
    page.set_viewport_size({"width": 390, "height": 800})
    box = page.locator(".tree-box")
    expect(box.locator(".phrase")).to_have_count(67)
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
