"""The site below a path of a proxy, in a frame of another site, and without a home folder."""

import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import gradio as gr
import httpx
import pytest
import uvicorn
from playwright.sync_api import expect
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, StreamingResponse
from starlette.routing import Route

from shared.settings import Settings
from shared.site import components, pages, server

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 300
PREFIX = "/school/unrolled"


def build_echo(page, settings):
    """A page that answers in capitals what its link says."""
    components.page_title(page.page.title, "A test.")
    box = gr.Textbox(label="Word")
    answer = gr.Textbox(label="Answer")
    box.submit(str.upper, box, answer)
    page.on_open(lambda link: (link.get("word", ""), link.get("word", "").upper()), [box, answer])


PAGES = [
    pages.Page("", "Home", "Home.", build_echo),
    pages.Page("echo", "Echo", "Echo.", build_echo),
]


@contextmanager
def running(make_server):
    """The address of a `uvicorn.Server` in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    one = make_server()
    thread = threading.Thread(target=one.run, args=([listener],))
    thread.start()
    while not one.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield address
    finally:  # else the thread would keep the process of a failed test alive
        one.should_exit = one.force_exit = True
        thread.join(TIMEOUT_SECONDS)


def small_site(own=PAGES, **options):
    """The address of a site of these pages with these settings, as a context."""
    settings = Settings(**options)
    return running(lambda: server.Server(pages.build_site(own, settings), own, settings))


def proxy(upstream):
    """A reverse proxy that serves `upstream` below `PREFIX`, which it strips, as nginx does."""

    async def forward(request):
        client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS)
        path = request.url.path.removeprefix(PREFIX) or "/"
        url = httpx.URL(f"{upstream}{path}", query=request.url.query.encode())
        headers = {**request.headers, "accept-encoding": "identity"}
        content = await request.body()
        sent = client.build_request(request.method, url, headers=headers, content=content)
        answer = await client.send(sent, stream=True, follow_redirects=False)
        names = ("content-type", "location", "content-security-policy")
        kept = {name: answer.headers[name] for name in names if name in answer.headers}
        return StreamingResponse(answer.aiter_raw(), answer.status_code, kept)

    app = Starlette(routes=[Route(f"{PREFIX}{{path:path}}", forward, methods=["GET", "POST"])])
    return uvicorn.Server(uvicorn.Config(app, log_level="error"))


@pytest.mark.parametrize("address", ["/echo?word=fine", "/?tab=echo&word=fine", "/echo/?word=fine"])
def test_the_site_works_below_a_path_of_a_proxy(browser, address):
    with (
        small_site(root_path=PREFIX) as upstream,
        running(lambda: proxy(upstream)) as outside,
    ):
        page = browser.new_page()
        page.set_default_timeout(1000 * TIMEOUT_SECONDS)
        page.goto(f"{outside}{PREFIX}{address}")
        expect(page.get_by_label("Answer")).to_have_value("FINE")
        page.get_by_label("Word").fill("other")
        page.get_by_label("Word").press("Enter")
        expect(page.get_by_label("Answer")).to_have_value("OTHER")
        page.get_by_role("navigation").get_by_role("link", name="Echo").click()
        expect(page).to_have_url(f"{outside}{PREFIX}/echo")
        page.close()


@pytest.mark.parametrize("allowed", [True, False])
def test_only_a_named_site_shows_the_pages_in_a_frame(browser, allowed):
    framed = {}

    def show_frame(request):
        return HTMLResponse(
            '<h1>School</h1><iframe src="{address}/echo?word=fine">'.format(**framed)
        )

    app = Starlette(routes=[Route("/", show_frame)])
    with (
        running(lambda: uvicorn.Server(uvicorn.Config(app, log_level="error"))) as school,
        small_site(frame_ancestors=school if allowed else "https://school.example") as address,
    ):
        framed["address"] = address
        page = browser.new_page()
        page.set_default_timeout(1000 * TIMEOUT_SECONDS)
        page.goto(school)
        answer = page.frame_locator("iframe").get_by_label("Answer")
        if allowed:
            expect(answer).to_have_value("FINE")
        else:
            expect(page.get_by_role("heading", name="School")).to_be_visible()
            assert [frame.url for frame in page.frames[1:]] == ["chrome-error://chromewebdata/"]
        page.close()


def test_the_site_starts_without_a_home_folder_that_can_be_written():
    environment = {**os.environ, "HOME": "/proc/nobody", "PYTHONDONTWRITEBYTECODE": "1"}
    code = (
        "import app; from shared import settings; from shared.site import server;"
        "options = settings.read(); app._prepare_process(options);"
        "server.Server(*app.build(options), options); app.warm_up(); print('started')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stdout.strip().endswith("started"), done.stderr[-2000:]
