"""Every page and every lesson as axe-core sees it: WCAG 2.1 A and AA, without motion.

They take turns in light and dark, which share their styles; `UNROLLED_AXE=1` checks each in both.
"""

import os

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import expect

from apps import APPLICATIONS
from apps.cells.tab import LESSONS

PATIENCE = 120_000  # milliseconds: a page that draws its first figures hears no clicks
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
# Nothing is awaited, and nothing has been drawn within a page for a second.
SETTLED = """(page) => new Promise((done) => {
  let timer, patience = 60;
  const awaited = () => page.querySelector(".pending") || /being loaded/.test(page.innerText);
  const look = () => patience-- && awaited() ? wait() : done();
  const wait = () => { clearTimeout(timer); timer = setTimeout(look, 1000); };
  new MutationObserver(wait).observe(page, { childList: true, subtree: true });
  wait();
})"""
MOVING = """() => [...document.querySelectorAll("*")].filter((part) => {
  const style = getComputedStyle(part);
  return style.animationName !== "none" || parseFloat(style.transitionDuration) > 0;
}).length"""
COMPLAINTS = """(rules) => axe.run(document, { runOnly: rules, resultTypes: ["violations"] }).then(
  (found) => found.violations.map((rule) => [rule.id, ...rule.nodes.map((node) => node.html)]))"""


def complaints(page, number):
    """What axe says of the page as it stands; the turn decides between light and dark."""
    found = {}
    for dark in (False, True) if os.environ.get("UNROLLED_AXE") else (number % 2 == 1,):
        page.evaluate("(dark) => document.body.classList.toggle('dark', dark)", dark)
        found["dark" if dark else "light"] = page.evaluate(COMPLAINTS, RULES)
    return {mode: what for mode, what in found.items() if what}


def test_no_page_leaves_anybody_out(open_page):
    page = open_page(wait_for="h1 >> visible=true", reduced_motion="reduce")
    page.set_default_timeout(PATIENCE)
    assert page.evaluate(MOVING) == 0
    page.evaluate(AXE_SCRIPT)
    for number, name in enumerate(APPLICATIONS):
        page.locator(f"#tab-{name}-button").click()
        expect(page.locator(f"#tab-{name} h1")).to_be_visible()
        page.locator(f"#tab-{name}").evaluate(SETTLED)
        assert complaints(page, number) == {}, name


def test_no_lesson_leaves_anybody_out(open_page):
    page = open_page("?tab=cells", "#tab-cells h1 >> visible=true", reduced_motion="reduce")
    page.set_default_timeout(PATIENCE)
    page.evaluate(AXE_SCRIPT)
    for number, name in enumerate(LESSONS[1:]):  # the first is seen above
        page.locator(f"#tab-cells input[value={name}]").check()
        lesson = page.locator(f"#lesson-{name}")
        expect(lesson.locator("h2").first).to_be_visible()
        lesson.evaluate(SETTLED)
        assert complaints(page, number) == {}, name
