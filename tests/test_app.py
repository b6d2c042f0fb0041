import errno
import json
import os
import signal
import socket
import threading

import gradio as gr
import httpx
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

import app
from shared import bundle, guard, settings


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


def test_a_missing_bundle_disables_its_page_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(bundle, "MODELS", tmp_path)
    site = json.dumps(app.build(settings.read()).get_config_file(), default=str)
    assert "This page cannot be used. The model card sentiment/card.json cannot be read." in site
    assert "About Unrolled" in site


@pytest.fixture(scope="module")
def slow():
    """A small site whose one event waits until it is let go, and the `threading.Event` for that."""
    go = threading.Event()

    def wait(word: str) -> str:
        go.wait(60)
        return word.upper()

    with gr.Blocks(analytics_enabled=False) as site:
        gr.api(wait, api_name="wait")
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
    for client in clients:
        client.close()


def ask(client, word):
    return client.post("/gradio_api/call/wait", json={"data": [word]})


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


def test_an_answer_that_takes_too_long_does_not_hold_the_site(serve, monkeypatch):
    monkeypatch.setattr(app, "LAST_ANSWERS", 0.2)
    server, thread, client = serve()
    ask(client, "word")
    with client.stream("GET", "/gradio_api/heartbeat/someone") as open_page:
        next(open_page.iter_text())
        server.handle_exit(signal.SIGTERM, None)
        thread.join(20)
        assert not thread.is_alive()


def test_the_server_does_not_say_what_it_is(serve):
    server, thread, client = serve()
    answer = client.get("/")
    assert answer.status_code == 200
    assert guard.HEADERS.items() <= dict(answer.headers).items()
    assert not {"server", "x-powered-by"} & set(answer.headers)
    for path in ("/docs", "/openapi.json", "/monitoring", "/gradio_api/deep_link?session_hash=a"):
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
