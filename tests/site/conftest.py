"""The real site as a process, and a browser that watches what it does."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parent.parent.parent
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-gpu-compositing",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# What Gradio itself refuses, with a trace in its log, before any of our functions is called.
REFUSED = ("InvalidPathError", "failed validation", "receive enough input values")
PATIENCE = 60_000  # milliseconds: the first answer of a cell waits for its graph


@pytest.fixture(scope="session")
def site():
    """The address of the running site, one for all processes of a test run."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid.uuid4().hex)
    folder = Path(tempfile.gettempdir()) / f"unrolled-{run}"
    folder.mkdir(exist_ok=True)
    log, users, about = (folder / name for name in ("log.txt", "users.txt", "site.json"))
    with FileLock(folder / "lock"):
        count = int(users.read_text()) if users.exists() else 0
        if not count:
            about.write_text(json.dumps(_start(log)))
        users.write_text(str(count + 1))
    found = json.loads(about.read_text())
    yield found["address"]
    with FileLock(folder / "lock"):
        count = int(users.read_text()) - 1
        users.write_text(str(count))
        if not count:  # the last one puts out the light
            os.kill(found["process"], signal.SIGTERM)
            said = log.read_text()
            shutil.rmtree(folder)
            traces = said.split("Traceback (most recent call last)")[1:]
            ours = [trace for trace in traces if not any(why in trace for why in REFUSED)]
            assert ours == []


def _start(log):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Whatever the site fetches from outside must fail here, on a machine with a network too.
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1,localhost"}
    nowhere["XLA_FLAGS"] = ""  # the site runs as it is served
    settings = {"UNROLLED_PORT": str(port), "UNROLLED_MAX_ROWS": "300"}
    environment = {**os.environ, **nowhere, **settings}
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    address = f"http://127.0.0.1:{port}"
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=5):
                return {"address": address, "process": process.pid}
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.25)
    process.kill()
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
        if "AbortError" not in str(what):  # a page that is left ends its requests
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
