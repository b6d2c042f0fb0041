import json
import re
from pathlib import Path

from playwright.sync_api import expect

from apps import APPLICATIONS, load_tab
from apps.sentiment.views import NETWORKS

MODELS = Path(__file__).parent.parent.parent / "models"
# The news that the stream of answers ends arrives three seconds late.
SLOW_LINE = """
const send = window.fetch;
window.fetch = async (request, options) => {
  const reply = await send(request, options);
  if (!String(request.url ?? request).includes("/queue/data?")) return reply;
  const late = new TransformStream({
    async transform(chunk, stream) {
      if (new TextDecoder().decode(chunk).includes("close_stream"))
        await new Promise((done) => setTimeout(done, 3000));
      stream.enqueue(chunk);
    },
  });
  return new Response(reply.body.pipeThrough(late), reply);
};
"""


def test_every_bundle_stands_beside_its_baseline(open_page):
    page = open_page("about", wait_for="h1 >> visible=true")
    expect(page.get_by_role("heading", name="About Unrolled")).to_be_visible()
    for path in MODELS.glob("*/card.json"):
        card = json.loads(path.read_text(encoding="utf-8"))
        expect(page.get_by_role("heading", name=card["title"]).first).to_be_visible()
    for name, baseline in (("sentiment", "NB-weighted"), ("forecasting", "GARCH(1,1)")):
        card = json.loads((MODELS / name / "card.json").read_text(encoding="utf-8"))
        table = page.locator("table", has_text=baseline).first
        for variant in card["variants"]:
            title = re.compile(NETWORKS.get(variant, variant), re.I)
            expect(table).to_contain_text(title)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_back_and_forward_move_between_the_pages(open_page):
    page = open_page("", wait_for="h1 >> visible=true")
    expect(page).to_have_title("Unrolled: recurrent networks at work")
    navigation = page.get_by_role("navigation", name="Applications")
    navigation.get_by_role("link", name="About").click()
    expect(page).to_have_title("About · Unrolled")
    expect(page).to_have_url(re.compile("/about$"))
    expect(navigation.get_by_role("link", name="About")).to_have_attribute("aria-current", "page")
    navigation.get_by_role("link", name="Sentiment").click()
    expect(page.locator(".answer .number")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="About Unrolled")).to_be_visible()
    page.go_back()
    expect(page).to_have_title("Unrolled: recurrent networks at work")
    page.go_forward()
    expect(page.get_by_role("heading", name="About Unrolled")).to_be_visible()


def test_the_home_page_shows_every_application_with_its_score_and_fits_a_phone(open_page):
    page = open_page("", wait_for="h1 >> visible=true")
    for name in APPLICATIONS:
        tab = load_tab(name)
        card = page.locator(".application", has=page.get_by_role("link", name=tab.TITLE))
        expect(card).to_be_visible()
        for text in tab.headline() if hasattr(tab, "headline") else ():
            expect(card).to_contain_text(text)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(".application").get_by_role("link", name="Words").click()
    expect(page).to_have_url(re.compile("/analogies$"))
    link = page.get_by_role("navigation", name="Applications").get_by_role("link", name="Words")
    expect(link).to_be_in_viewport(ratio=0.9)


def test_what_is_asked_while_the_stream_ends_is_answered(open_page):
    page = open_page(script=SLOW_LINE)
    for review in ("A fine film.", "A dull film.", "A fine, dull film."):
        page.get_by_label("Your text").fill(review)
        page.get_by_role("button", name="Read", exact=True).click()
        expect(page.locator(".words").first).to_have_text(review)


# Lets what the link says reach the page, and holds all that follows until the test says `go`.
HELD_LINE = """
const send = window.fetch, typed = new Promise((done) => { window.go = done; });
let text = "", answered = false;
window.fetch = async (request, options) => {
  const reply = await send(request, options);
  if (!String(request.url ?? request).includes("/queue/data?")) return reply;
  const messages = new TransformStream({
    async transform(chunk, stream) {
      const parts = (text + chunk).split("\\n\\n");
      text = parts.pop();
      for (const part of parts) {
        if (answered) await typed;
        stream.enqueue(`${part}\\n\\n`);
        answered ||= part.includes("Fine film.");
      }
    },
  });
  const decoded = reply.body.pipeThrough(new TextDecoderStream()).pipeThrough(messages);
  return new Response(decoded.pipeThrough(new TextEncoderStream()), reply);
};
"""


def test_what_is_typed_before_the_first_answer_stays(open_page):
    page = open_page("sentiment?text=Fine+film.", wait_for="h1 >> visible=true", script=HELD_LINE)
    review = page.get_by_label("Your text")
    expect(review).to_have_value("Fine film.")
    assert page.locator(".answer .number").count() == 0
    review.fill("My own words.")
    page.evaluate("go()")
    expect(page.locator(".answer .number")).to_be_visible()
    expect(page.locator(".words").first).to_have_text("Fine film.")
    expect(review).to_have_value("My own words.")
