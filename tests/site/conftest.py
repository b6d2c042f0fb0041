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
from contextlib import contextmanager
from functools import cache
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
    "--use-fake-device-for-media-stream",  # a webcam that shows a test card
    "--use-fake-ui-for-media-stream",  # and whose use nobody need allow
]
# A visitor who leaves while a stream begins: Gradio says 404 when it has already said 200.
LEFT = "Caught handled exception, but response already started"
LEAVING = "The page is being left."
TIMEOUT_MS = 300_000  # no test depends on the speed of the machine


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
    process = json.loads(about.read_text())
    yield process["address"]
    with FileLock(folder / "lock"):
        count = int(users.read_text()) - 1
        users.write_text(str(count))
        if not count:  # the last user stops the site
            os.kill(process["pid"], signal.SIGTERM)
            text = log.read_text()
            shutil.rmtree(folder)
            chained = "after:\n\nTraceback"
            traces = text.replace(chained, "").split("Traceback (most recent call last)")[1:]
            ours = [trace for trace in traces if LEFT not in trace]
            assert ours == []


def _start(log):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Whatever the site fetches from outside must fail here, on a machine with a network too.
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1,localhost"}
    nowhere["XLA_FLAGS"] = ""  # the site runs as it is served
    settings = {"UNROLLED_PORT": str(port), "UNROLLED_MAX_ROWS": "300"}
    settings["UNROLLED_PROXIES"] = "1"  # a test of many visitors says who each request is from
    environment = {**os.environ, **nowhere, **settings}
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    address = f"http://127.0.0.1:{port}"
    for _ in range(1200):  # five minutes
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=5):
                return {"address": address, "pid": process.pid}
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.25)
    process.kill()
    pytest.fail(f"the site did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def api_client(site):
    """A `gradio_client.Client` of the site that waits for minutes, not for httpx's five seconds."""
    from gradio_client import Client

    return Client(
        site, verbose=False, ssl_verify=False, httpx_kwargs={"timeout": TIMEOUT_MS / 1000}
    )


@pytest.fixture(scope="session")
def browser(chromium):
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def context(browser):
    """A function from options to a browser context: one that knows the site opens it faster."""
    return cache(lambda **options: browser.new_context(**options))


@contextmanager
def _watched(context, site):
    """A function that opens an address of the site and waits for the first answer.

    Whatever the tests do, the console must stay free of errors and no other host be asked.
    """
    pages, complaints, left = [], [], set()

    def complain(what):
        if "AbortError" not in str(what):  # Gradio ends its own requests so
            complaints.append(str(what))

    def watch_console(message):
        if message.text == LEAVING:
            left.add(message.page)
        # a page that is left loses the answers under way, and Gradio says so in one of two ways
        ways = ("Connection errored out", "Unexpected error")
        losing = message.page in left and any(way in message.text for way in ways)
        if message.type == "error" and not losing:
            complain(message.text)

    def watch_requests(request):
        if not request.url.startswith((site, "data:", "blob:")):
            complain(f"asked {request.url}")

    def open_page(address="sentiment", wait_for=".answer .number", script="", **options):
        page = context(**options).new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.set_viewport_size({"width": 1280, "height": 900})
        pages.append(page)
        page.add_init_script(f"addEventListener('beforeunload', () => console.log('{LEAVING}'))")
        page.add_init_script(script)
        page.on("console", watch_console)
        page.on("pageerror", complain)
        page.on("request", watch_requests)
        page.on("domcontentloaded", lambda page: left.discard(page))  # it takes no builtin
        page.goto(f"{site}/{address}")
        page.wait_for_selector(wait_for)
        return page

    yield open_page
    for page in pages:
        left.add(page)
        page.close()
    assert complaints == []


@pytest.fixture
def open_page(context, site):
    """`_watched` for one test."""
    with _watched(context, site) as function:
        yield function


@pytest.fixture(scope="module")
def open_once(context, site):
    """`_watched` for tests that share a page: opening one takes the browser seconds."""
    with _watched(context, site) as function:
        yield function
