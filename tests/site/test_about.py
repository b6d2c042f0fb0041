import json
import re
from pathlib import Path

from playwright.sync_api import expect

MODELS = Path(__file__).parent.parent.parent / "models"
SLOW_LINE = """
const send = window.fetch;
window.fetch = async (request, options) => {
  const reply = await send(request, options);
  if (!String(request.url ?? request).includes("/queue/data?")) return reply;
  const late = new TransformStream({
    async transform(chunk, stream) {
      await new Promise((done) => setTimeout(done, 100));
      stream.enqueue(chunk);
    },
  });
  return new Response(reply.body.pipeThrough(late), reply);
};
"""


def test_every_bundle_stands_beside_its_baseline(open_page):
    page = open_page("?tab=about", wait_for="h1 >> visible=true")
    expect(page.get_by_role("heading", name="About Unrolled")).to_be_visible()
    for path in MODELS.glob("*/card.json"):
        card = json.loads(path.read_text(encoding="utf-8"))
        expect(page.get_by_role("heading", name=card["title"]).first).to_be_visible()
    for name, baseline in (("sentiment", "NB-weighted"), ("forecasting", "GARCH(1,1)")):
        card = json.loads((MODELS / name / "card.json").read_text(encoding="utf-8"))
        table = page.locator("table", has_text=baseline).first
        for variant in card["variants"]:
            expect(table).to_contain_text(variant.upper())
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_tab_has_its_address_and_its_title(open_page):
    page = open_page()
    page.locator("#tab-about-button").click()
    expect(page.get_by_role("heading", name="About Unrolled")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?tab=about$"))
    expect(page).to_have_title("About · Unrolled")
    page.locator("#tab-sentiment-button").click()
    expect(page.locator(".answer .number")).to_be_visible()


def test_answers_whose_stream_is_late_are_not_lost(open_page):
    page = open_page("?tab=translation", wait_for=".aligned", script=SLOW_LINE)
    for dog in ("The dog is sleeping.", "The dog is black.", "A dog is running."):
        page.get_by_label("English, up to 5,000 characters").fill(dog)
        page.get_by_role("button", name="Translate", exact=True).click()
        expect(page.locator(".aligned .english")).to_have_text(dog)


# The box holds what the link says, and the answer to it is not there yet.
RESTORED = """() => document.querySelector("#tab-sentiment textarea").value === "Fine film."
  && !document.querySelector(".answer .number")"""


def test_what_is_typed_before_the_first_answer_stays(open_page):
    page = open_page("?text=Fine+film.", wait_for="h1 >> visible=true", script=SLOW_LINE)
    page.wait_for_function(RESTORED, polling="raf")
    page.get_by_label("Your review").fill("My own words.")
    expect(page.locator(".answer .number")).to_be_visible()
    expect(page.locator(".words").first).to_have_text("Fine film.")
    expect(page.get_by_label("Your review")).to_have_value("My own words.")
