import json
import re
from pathlib import Path

from playwright.sync_api import expect

MODELS = Path(__file__).parent.parent.parent / "models"


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
