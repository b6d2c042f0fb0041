"""The input of a photo, on a page of its own: pasted, and taken with the camera."""

import pytest
from playwright.sync_api import expect

from shared.site import components
from shared.site.pages import Page
from shared.site.photo_input import PhotoInput
from tests.site.test_embedding import TIMEOUT_SECONDS, small_site

PASTE = """async () => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 90;
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  await navigator.clipboard.write([new ClipboardItem({"image/png": blob})]);
}"""


def build(page, settings):
    """A page that shows the ratio of the width of a photo to its height."""
    photo, ratio = PhotoInput("lion"), components.html(elem_id="ratio")
    photo.on_choose(lambda load: [f"{load().ratio:.4f}"], [], [ratio])


@pytest.fixture
def page(browser):
    with small_site([Page("", "Photo", "A test.", build)]) as address:
        page = browser.new_page()
        page.set_default_timeout(1000 * TIMEOUT_SECONDS)
        page.goto(address)
        yield page
        page.close()


def test_a_photo_is_pasted(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(PASTE)
    page.get_by_role("button", name="Paste from clipboard").click()
    expect(page.locator("#ratio")).to_have_text("1.0000")


def test_a_photo_is_taken(page):
    page.get_by_role("button", name="Capture from camera").click()
    page.get_by_text("Click to Access Webcam").click()
    # Gradio takes no photo before the camera has sent one.
    page.wait_for_function("document.querySelector('video')?.videoWidth > 0", polling=100)
    page.get_by_role("button", name="capture photo").click()
    expect(page.locator("#ratio")).to_have_text("1.3333")
