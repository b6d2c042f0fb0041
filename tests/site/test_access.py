"""Every page and every lesson as axe-core sees it: WCAG 2.1 A and AA, without motion.

Pages alternate between light and dark; `UNROLLED_AXE=1` checks each in both.
"""

import os

import pytest
from axe_playwright_python.base import AXE_SCRIPT

from apps import APPLICATIONS
from apps.cells.tab import LESSONS, address

TIMEOUT_MS = 300_000
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
VIOLATIONS = """(rules) => axe.run(document, { runOnly: rules, resultTypes: ["violations"] }).then(
  (found) => found.violations.map((rule) => [rule.id, ...rule.nodes.map((node) => node.html)]))"""


def find_violations(page, number):
    """The violations that axe reports, by mode; the number decides between light and dark."""
    violations = {}
    for dark in (False, True) if os.environ.get("UNROLLED_AXE") else (number % 2 == 1,):
        page.evaluate("(dark) => document.body.classList.toggle('dark', dark)", dark)
        violations["dark" if dark else "light"] = page.evaluate(VIOLATIONS, RULES)
    return {mode: rules for mode, rules in violations.items() if rules}


ADDRESSES = ["", *APPLICATIONS, *map(address, LESSONS[1:])]


@pytest.mark.parametrize("path", ADDRESSES)
def test_axe_finds_nothing_on(path, open_page):
    page = open_page(path, wait_for="h1 >> visible=true", reduced_motion="reduce")
    page.set_default_timeout(TIMEOUT_MS)
    assert page.evaluate(MOVING) == 0
    page.locator(f"#page-{path or 'home'}").evaluate(SETTLED)
    page.evaluate(AXE_SCRIPT)
    assert find_violations(page, ADDRESSES.index(path)) == {}
