"""The real site as a process, and a browser that watches what it does."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 60_000  # milliseconds: the first answer of a cell waits for its graph


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The address of the running site."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("site") / "log.txt"
    # Whatever the site fetches from outside must fail here, on a machine with a network too.
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1,localhost"}
    settings = {"UNROLLED_PORT": str(port), "UNROLLED_MAX_ROWS": "300"}
    environment = {**os.environ, **nowhere, **settings}
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, process, log)
        yield address
    finally:
        process.terminate()
        process.wait(10)
    assert "Traceback" not in log.read_text()


def _wait_for(address, process, log):
    for _ in range(240):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.25)
    pytest.fail(f"the site did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def browser(chromium):
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def contexts(browser):
    """Browser contexts by their options: one that has loaded the site once opens it faster."""
    return {}


@pytest.fixture
def open_page(browser, contexts, site):
    """A function that opens an address of the site and waits for the first answer.

    Whatever the test does, the console must stay free of errors and no other host be asked.
    """
    pages, complaints = [], []

    def complain(what):
        complaints.append(str(what))

    def watch_console(message):
        if message.type == "error":
            complain(message.text)

    def watch_requests(request):
        if not request.url.startswith((site, "data:", "blob:")):
            complain(f"asked {request.url}")

    def open_page(query="", wait_for=".answer .number", **options):
        options = {"viewport": {"width": 1280, "height": 900}, **options}
        if repr(options) not in contexts:
            contexts[repr(options)] = browser.new_context(**options)
        page = contexts[repr(options)].new_page()
        pages.append(page)
        page.on("console", watch_console)
        page.on("pageerror", complain)
        page.on("request", watch_requests)
        page.goto(f"{site}/{query}")
        page.wait_for_selector(wait_for, timeout=PATIENCE)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert complaints == []
