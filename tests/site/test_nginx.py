"""nginx with the configuration of docs/deploy.md before two processes, as it is served in public.

The ports are replaced, and the limits that a test would have to wait for are made small.
"""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import gradio as gr
import httpx
import pytest

from shared.settings import Settings
from shared.site import guard, pages, server
from tests.site.test_embedding import running

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 300
CONFIGURATION, BELOW_A_PATH = re.findall(
    r"```nginx\n(.*?)```", (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8"), re.DOTALL
)
WRAPPER = """\
daemon off;
pid nginx.pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
access_log off;
client_body_temp_path body;
proxy_temp_path proxy;
fastcgi_temp_path fastcgi;
uwsgi_temp_path uwsgi;
scgi_temp_path scgi;
{}
}}
"""

pytestmark = [
    pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed"),
    pytest.mark.skipif(
        sys.platform != "linux", reason="only Linux has the addresses 127.0.0.2, .3 and so on"
    ),
]


@contextmanager
def small_site(name, go, **options):
    """The address of a process of the site that says its name and who asks it."""

    def who(request: gr.Request) -> list:
        return [name, request.request.scope[guard.VISITOR]]

    def count(word: str):
        yield f"{word} 1"
        go.wait(TIMEOUT_SECONDS)
        yield f"{word} 2"

    def build(page, settings):
        gr.api(who, api_name="who")
        box = gr.Textbox()
        box.submit(count, box, box, api_name="count")

    own = [pages.Page("", "Home", "Home.", build)]
    settings = Settings(proxies=1, **options)
    with running(lambda: server.Server(pages.build_site(own, settings), own, settings)) as address:
        yield address


@contextmanager
def nginx(folder, upstream, changes=()):
    """The port on which nginx serves two processes with the documented configuration.

    Args:
        folder: An empty folder.
        upstream: The addresses of the processes.
        changes: Pairs of a text in the configuration and what takes its place.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    text = CONFIGURATION
    first, second = (address.rpartition(":")[2] for address in upstream)
    ports = [("listen 80;", f"listen {port};"), ("7860", first), ("7861", second)]
    for old, new in [*ports, *changes]:
        assert old in text, old
        text = text.replace(old, new)
    file = folder / "nginx.conf"
    file.write_text(WRAPPER.format(text), encoding="utf-8")
    command = ["nginx", "-p", str(folder), "-c", str(file), "-e", "stderr"]
    subprocess.run([*command, "-t"], check=True)
    process = subprocess.Popen(command)
    try:
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.01)
        assert process.poll() is None
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(TIMEOUT_SECONDS)


@pytest.fixture(scope="module")
def two():
    """The addresses of two processes, and the `threading.Event` for which `count` waits."""
    go = threading.Event()
    with ExitStack() as stack:
        yield [stack.enter_context(small_site(name, go)) for name in "ab"], go
        go.set()


def client(port, source="127.0.0.1", path=""):
    """A client that comes from an address of this machine."""
    transport = httpx.HTTPTransport(local_address=source)
    address = f"http://127.0.0.1:{port}{path}"
    return httpx.Client(base_url=address, transport=transport, timeout=TIMEOUT_SECONDS)


def ask(http, event, *arguments, headers=None):
    begun = http.post(f"/gradio_api/call/{event}", json={"data": arguments}, headers=headers)
    begun.raise_for_status()
    path = f"/gradio_api/call/{event}/{begun.json()['event_id']}"
    text = http.get(path).text
    return json.loads(text.strip().rpartition("data: ")[2])[0]


def test_each_address_stays_with_one_process_which_knows_it(two, tmp_path):
    with nginx(tmp_path, two[0]) as port:
        processes = set()
        for number in range(2, 12):
            source = f"127.0.0.{number}"
            with client(port, source) as http:
                said = [
                    ask(http, "who", headers={"x-forwarded-for": forged})
                    for forged in ("203.0.113.9", "127.0.0.1")
                ]
            (name,) = {name for name, _ in said}
            assert {visitor for _, visitor in said} == {source}
            processes.add(name)
        assert processes == {"a", "b"}


def test_answers_come_in_pieces_and_pages_name_the_address_that_was_asked(two, tmp_path):
    upstream, go = two
    with nginx(tmp_path, upstream) as port, client(port) as http:
        page = http.get("/", headers={"host": "unrolled.example.org:8080"})
        assert '"root":"http://unrolled.example.org:8080"' in page.text
        assert guard.build_headers().items() <= dict(page.headers).items()
        go.clear()
        event = http.post("/gradio_api/call/count", json={"data": ["word"]}).json()["event_id"]
        with http.stream("GET", f"/gradio_api/call/count/{event}") as answer:
            lines = answer.iter_lines()
            while "word 1" not in next(lines):
                pass
            assert not go.is_set()  # the second piece is not even made
            go.set()
            while "word 2" not in next(lines):
                pass


def test_an_upload_beyond_the_limit_and_too_many_connections_get_a_sentence(two, tmp_path):
    changes = [("unrolled_connections 300", "unrolled_connections 3"), ("201m", "1m")]
    with nginx(tmp_path, two[0], changes) as port, ExitStack() as stack:
        http = stack.enter_context(client(port, "127.0.0.2"))
        pages_open = []
        for number in range(3):
            path = f"/gradio_api/heartbeat/page{number}"
            pages_open.append(stack.enter_context(http.stream("GET", path)).iter_text())
            assert "ALIVE" in next(pages_open[-1])
        refused = http.get("/")
        assert refused.status_code == 429
        assert refused.json()["detail"].startswith("Too much comes from your address")
        with client(port, "127.0.0.3") as other:
            assert other.get("/").status_code == 200
            files = {"files": ("a.csv", b"0" * 2**21)}
            assert other.post("/gradio_api/upload", files=files).status_code == 413


def test_too_many_requests_at_once_get_a_sentence(two, tmp_path):
    changes = [("rate=100r/s", "rate=1r/m"), ("burst=2000", "burst=5")]
    with nginx(tmp_path, two[0], changes) as port, client(port) as http:
        statuses = []
        while 429 not in statuses:
            statuses.append(http.get("/preview.png").status_code)
        assert statuses[:6] == [200] * 6


@pytest.mark.parametrize(
    ("sent", "change"),
    [
        (b"", "client_header_timeout 20s"),
        (b"GET / HTTP/1.1\r\nhost: si", "client_header_timeout 20s"),
        (
            b"POST /gradio_api/upload HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n1234",
            "client_body_timeout 30s",
        ),
    ],
)
def test_a_request_that_does_not_arrive_is_ended(two, tmp_path, sent, change):
    short = f"{change.split()[0]} 200ms"
    with (
        nginx(tmp_path, two[0], [(change, short)]) as port,
        socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS) as half,
        suppress(ConnectionError),  # nginx may have closed the connection already
    ):
        half.sendall(sent)
        while half.recv(2**16):
            pass  # until nginx closes it


def test_a_process_that_is_gone_gets_a_sentence(tmp_path):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with nginx(tmp_path, [address, address]) as port, client(port) as http:
            answer = http.get("/")
            assert (answer.status_code, answer.json()["detail"]) == (502, guard.RESTARTING)


def test_the_site_works_below_a_path(tmp_path):
    go = threading.Event()
    go.set()
    with ExitStack() as stack:
        upstream = [
            stack.enter_context(small_site(name, go, root_path="/unrolled")) for name in "ab"
        ]
        whole = re.search(r"    location / \{.*?\}\n", CONFIGURATION, re.DOTALL)[0]
        port = stack.enter_context(nginx(tmp_path, upstream, [(whole, BELOW_A_PATH)]))
        http = stack.enter_context(client(port, path="/unrolled"))
        assert f'"root":"http://127.0.0.1:{port}/unrolled"' in http.get("/").text
        assert ask(http, "count", "word") == "word 2"
