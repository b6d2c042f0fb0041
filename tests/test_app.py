import ctypes
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import gradio as gr
import httpx
import pytest
from gradio.state_holder import StateHolder
from starlette.testclient import TestClient
from typer.testing import CliRunner

import app
from shared import bundle, guard, page, settings

ROOT = Path(app.__file__).parent


@pytest.fixture(autouse=True)
def environment():
    """What the command sets for the process is taken back after a test."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_help_explains_every_setting():
    text = CliRunner().invoke(app.command, ["--help"]).output
    for row in settings.describe():
        assert f"{row.variable}  (default: {row.default})" in text
        assert row.text in text


def test_a_bad_setting_ends_with_a_sentence():
    result = CliRunner().invoke(app.command, env={"UNROLLED_PORT": "eighty"})
    assert result.exit_code == 2
    assert result.output.startswith("UNROLLED_PORT is 'eighty'")


def test_a_port_in_use_ends_with_a_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(app.command, env={"UNROLLED_PORT": port})
    assert result.exit_code == 1
    assert "is in use" in result.output and "UNROLLED_PORT" in result.output
    assert port in result.output


STARTED = """
import ast, inspect, sys
import app
from shared import settings

parsed, parse = [], ast.parse
ast.parse = lambda source, *more, **rest: parsed.append(str(source)) or parse(source, *more, **rest)
app.build(settings.read())
assert "keras" not in sys.modules, "the page waits for Keras"
assert not any("class Textbox" in source for source in parsed), "stubs were written"
assert inspect.getfile(app).endswith("app.py")
app._tabs = lambda: []
app.warm_up()
assert "keras" in sys.modules
assert not {"sklearn", "jax"} & set(sys.modules), "what Keras can do without was imported"
import sklearn, jax
"""


def test_the_site_imports_nothing_that_it_does_not_need():
    done = subprocess.run([sys.executable, "-c", STARTED], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


HEAPS = """
import ctypes, threading
import app

app.share_heaps()
together = threading.Barrier(8)

def take():
    together.wait()
    kept = [bytearray(50_000) for _ in range(50)]
    together.wait()

threads = [threading.Thread(target=take) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_stats"), reason="only glibc has heaps")
def test_threads_share_two_heaps():
    done = subprocess.run([sys.executable, "-c", HEAPS], cwd=ROOT, capture_output=True, text=True)
    assert 1 <= done.stderr.count("Arena ") <= 2, done.stderr


def test_what_is_asked_before_the_answer_before_has_come_is_not_dropped():
    events = app.build(settings.read()).get_config_file()["dependencies"]
    waiting = [event for event in events if event["queue"] is not False and event["targets"]]
    modes = Counter(event["trigger_mode"] for event in waiting if event["backend_fn"])
    assert set(modes) == {"always_last", "multiple"}, modes
    assert modes["always_last"] > 50


def test_a_missing_bundle_disables_its_page_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(bundle, "MODELS", tmp_path)
    site = json.dumps(app.build(settings.read()).get_config_file(), default=str)
    assert "This page cannot be used. The model card sentiment/card.json cannot be read." in site
    assert "About Unrolled" in site


@pytest.fixture(scope="module")
def slow():
    """A small site whose events wait until they are let go, and the `threading.Event` for that."""
    go = threading.Event()

    def wait(word: str) -> str:
        go.wait(60)
        return word.upper()

    def spell(word):
        done = []
        for letter in page.while_open(word):
            yield page.progress(len(done), len(word), "letters"), gr.skip()
            done.append(wait(letter))
        yield page.batch_ended("<p>Spelled.</p>", len(done), len(word), "word.txt", "".join(done))

    with gr.Blocks(analytics_enabled=False) as site:
        box, progress, download = gr.Textbox(), gr.HTML(), gr.DownloadButton()
        box.submit(wait, box, box, api_name="wait")
        batch = {**page.BATCH, "api_visibility": "public"}
        box.change(spell, box, [progress, download], api_name="spell", **batch)
    return site, go


@pytest.fixture
def serve(slow):
    """A function that serves the small site in a thread and returns server, thread and client."""
    clients = []

    def serve():
        server = app.Server(slow[0], settings.Settings())
        listener = socket.create_server(("127.0.0.1", 0))
        up = threading.Event()
        server.up = up.set
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        assert up.wait(30)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        clients.append(httpx.Client(base_url=address, verify=False, timeout=30))
        return server, thread, clients[-1]

    slow[1].clear()
    yield serve
    slow[1].set()
    page.closing.clear()
    for client in clients:
        client.close()


def ask(client, word, event="wait"):
    return client.post(f"/gradio_api/call/{event}", json={"data": [word]})


def test_an_answer_under_way_is_given_before_the_site_stops(serve, slow):
    server, thread, client = serve()
    event = ask(client, "word").json()["event_id"]
    server.handle_exit(signal.SIGTERM, None)
    late = ask(client, "late")
    assert late.status_code == 503
    assert "being restarted" in late.json()["detail"]
    assert int(late.headers["retry-after"]) > 0
    slow[1].set()
    assert '["WORD"]' in client.get(f"/gradio_api/call/wait/{event}").text
    thread.join(20)
    assert not thread.is_alive()


def test_a_batch_under_way_hands_down_what_it_has_before_the_site_stops(serve, slow):
    server, thread, client = serve()
    path = f"/gradio_api/call/spell/{ask(client, 'words', 'spell').json()['event_id']}"
    waiting = ask(client, "later", "spell").json()["event_id"]
    with client.stream("GET", path) as answer:
        said = answer.iter_lines()
        while "0 of 5 letters" not in next(said):
            pass
        server.handle_exit(signal.SIGTERM, None)
        slow[1].set()
        last = [line for line in said if line.startswith("data: [")][-1]
    shown, download = json.loads(last.removeprefix("data: "))
    assert "This site is being restarted: 1 of 5 were answered." in shown
    assert 'href="data:text/plain;charset=utf-8,W"' in shown and "Spelled." in shown
    assert download["visible"] is False
    late = client.get(f"/gradio_api/call/spell/{waiting}").text
    assert "0 of 5 were answered." in late and "Spelled." not in late
    thread.join(20)
    assert not thread.is_alive()


def test_a_batch_that_nothing_stops_is_a_file(serve, slow):
    server, thread, client = serve()
    slow[1].set()
    event = ask(client, "word", "spell").json()["event_id"]
    said = client.get(f"/gradio_api/call/spell/{event}").text.strip().rpartition("data: ")[2]
    shown, download = json.loads(said)
    assert shown == "<p>Spelled.</p>"
    found = client.get(f"/gradio_api/file={download['value']['path']}")
    assert found.text == "WORD"
    server.handle_exit(signal.SIGTERM, None)
    thread.join(20)


def test_an_answer_that_takes_too_long_does_not_hold_the_site(serve, monkeypatch):
    monkeypatch.setattr(app, "LAST_ANSWERS", 0.2)
    server, thread, client = serve()
    event = ask(client, "word").json()["event_id"]
    with client.stream("GET", "/gradio_api/heartbeat/someone") as open_page:
        next(open_page.iter_text())
        server.handle_exit(signal.SIGTERM, None)
        said = client.get(f"/gradio_api/call/wait/{event}").text
        assert said.startswith("event: error") and guard.RESTART in said
        thread.join(20)
        assert not thread.is_alive()


def test_a_call_leaves_neither_its_words_nor_a_copy_of_the_page_behind(serve, slow):
    server, thread, client = serve()
    slow[1].set()
    event = ask(client, "word").json()["event_id"]
    assert '["WORD"]' in client.get(f"/gradio_api/call/wait/{event}").text
    server.handle_exit(signal.SIGTERM, None)
    thread.join(20)
    sessions = slow[0].state_holder.session_data
    (kept,) = sessions.values()
    assert (kept.config_values, kept.state_data) == ({}, {})
    own = kept.blocks_config
    assert (own.blocks.maps[0], own.fns.maps[0]) == ({}, {})
    box = next(iter(own.blocks))
    own.blocks[box] = "changed for this visitor"
    assert slow[0].default_config.blocks[box] != own.blocks[box]


def test_calls_of_the_api_do_not_push_out_an_open_page(slow, monkeypatch):
    app.mounted(slow[0], settings.Settings())
    holder = StateHolder()
    holder.set_blocks(slow[0])
    monkeypatch.setattr(holder, "capacity", 3)
    for name in ("first page", "second page"):
        holder[name].state_data[0] = "typed"
    for number in range(10):
        holder[f"call {number}"]
    assert list(holder.session_data) == ["first page", "second page", "call 9"]
    for name in ("third page", "fourth page"):
        holder[name].state_data[0] = "typed"
    assert list(holder.session_data) == ["second page", "third page", "fourth page"]
    assert holder["third page"].STATE_TTL_WHEN_CLOSED == app.LEFT


def test_one_visitor_cannot_take_the_whole_queue(serve, slow, monkeypatch):
    monkeypatch.setattr(guard, "OF_ONE", 3)
    server, thread, client = serve()
    asked = [ask(client, "word") for _ in range(5)]
    assert [answer.status_code for answer in asked] == [200, 200, 200, 429, 429]
    slow[1].set()
    for answer in asked[:3]:
        assert "WORD" in client.get(f"/gradio_api/call/wait/{answer.json()['event_id']}").text
    assert ask(client, "word").status_code == 200
    assert client.post("/gradio_api/run/wait", json={"data": ["word"]}).status_code == 404
    server.handle_exit(signal.SIGTERM, None)
    thread.join(20)


def test_the_server_does_not_say_what_it_is(serve):
    server, thread, client = serve()
    answer = client.get("/")
    assert answer.status_code == 200
    assert guard.HEADERS.items() <= dict(answer.headers).items()
    assert not {"server", "x-powered-by"} & set(answer.headers)
    for path in (
        "/docs",
        "/openapi.json",
        "/gradio_api/openapi.json",
        "/monitoring",
        "/gradio_api/deep_link?session_hash=a",
    ):
        assert client.get(path).status_code == 404, path
    server.handle_exit(signal.SIGTERM, None)
    thread.join(20)


def test_an_upload_to_a_full_disk_gets_a_sentence(slow, monkeypatch):
    def no_room(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/gradio/a")

    monkeypatch.setattr("gradio.route_utils.NamedTemporaryFile", no_room)
    client = TestClient(app.mounted(slow[0], settings.Settings()))
    answer = client.post("/gradio_api/upload", files={"files": ("rows.csv", b"a,b")})
    assert (answer.status_code, answer.text) == (507, guard.FULL)


FORM = {"content-type": "multipart/form-data; boundary=x"}
TEXT = b'--x\r\nContent-Disposition: form-data; name="files"\r\n\r\n%s\r\n--x--\r\n'


@pytest.mark.parametrize("content", [TEXT % b"no file", TEXT % b"\xff\xfe"])
def test_an_upload_of_no_file_gets_a_sentence(slow, content):
    client = TestClient(app.mounted(slow[0], settings.Settings()))
    answer = client.post("/gradio_api/upload", content=content, headers=FORM)
    assert (answer.status_code, answer.text) == (400, guard.FAULT)


def test_who_leaves_while_sending_leaves_no_trace_in_the_log(serve, capfd, monkeypatch):
    begun = threading.Event()
    look = guard.Guard._refusal
    monkeypatch.setattr(guard.Guard, "_refusal", lambda *given: begun.set() or look(*given))
    server, thread, client = serve()
    with socket.create_connection((client.base_url.host, client.base_url.port)) as visitor:
        headers = {"host": "site", "content-length": "1000", **FORM}
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        visitor.sendall(f"POST /gradio_api/upload HTTP/1.1\r\n{''.join(lines)}\r\n".encode())
        assert begun.wait(10)
    server.handle_exit(signal.SIGTERM, None)
    thread.join(20)
    assert "Traceback" not in capfd.readouterr().err
