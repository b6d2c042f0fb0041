import errno
import json
import os
import signal
import socket
import threading
import time
from types import SimpleNamespace

import gradio as gr
import httpx
import numpy as np
import pytest
from gradio.state_holder import StateHolder
from starlette.testclient import TestClient

from shared import limits, settings
from shared.site import batch, components, events, gradio_patches, guard, server, sessions
from shared.site.pages import Page
from shared.site.storage import current_visitor

pytestmark = pytest.mark.slow

TIMEOUT_SECONDS = 300
PAGES = [
    Page("", "Home", "The home page.", None),
    Page("cells", "Cells", "The laboratory.", None),
    Page("cells-race", "The race", "A lesson.", None, section="cells"),
    Page("sentiment", "Sentiment", "Reviews.", None),
]
PATHS = [page.path for page in PAGES]


@pytest.fixture(scope="module")
def slow():
    """A small site whose events wait until they are let go, and the `threading.Event` for that.

    Only the word "short" is answered at once.
    """
    go = threading.Event()

    def wait(word: str) -> str:
        if word != "short":
            go.wait(TIMEOUT_SECONDS)
        return word.upper()

    def spell(word):
        done = []
        for letter in events.until_shutdown(word):
            yield str(components.progress_bar(len(done), len(word), "letters")), gr.skip()
            done.append(wait(letter))
        yield batch.finish("<p>Spelled.</p>", len(done), len(word), "word.txt", "".join(done))

    with gr.Blocks(analytics_enabled=False) as site:
        box, progress, download = gr.Textbox(), gr.HTML(), gr.DownloadButton()
        box.submit(wait, box, box, api_name="wait", **events.COMPUTE_QUEUE)
        options = {**events.BATCH, "api_visibility": "public"}
        box.change(spell, box, [progress, download], api_name="spell", **options)
    return site, go


@pytest.fixture
def serve(slow):
    """A function that serves the small site in a thread and returns server, thread and client."""
    clients = []

    def serve(**options):
        listener = socket.create_server(("127.0.0.1", 0))
        up = threading.Event()
        running = server.Server(slow[0], PAGES, settings.Settings(**options), up.set)
        thread = threading.Thread(target=running.run, args=([listener],))
        thread.start()
        assert up.wait(TIMEOUT_SECONDS)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        clients.append(httpx.Client(base_url=address, verify=False, timeout=TIMEOUT_SECONDS))
        return running, thread, clients[-1]

    slow[1].clear()
    yield serve
    slow[1].set()
    events.shutting_down.clear()
    for client in clients:
        client.close()


def ask(client, word, event="wait", visitor=None):
    headers = {"x-forwarded-for": visitor} if visitor else None
    return client.post(f"/gradio_api/call/{event}", json={"data": [word]}, headers=headers)


def test_an_answer_under_way_is_given_before_the_site_stops(serve, slow):
    running, thread, client = serve()
    event = ask(client, "word").json()["event_id"]
    running.handle_exit(signal.SIGTERM, None)
    late = ask(client, "late")
    assert late.status_code == 503
    assert "being restarted" in late.json()["detail"]
    assert int(late.headers["retry-after"]) > 0
    slow[1].set()
    assert '["WORD"]' in client.get(f"/gradio_api/call/wait/{event}").text
    thread.join(TIMEOUT_SECONDS)
    assert not thread.is_alive()


def test_a_batch_under_way_hands_down_what_it_has_before_the_site_stops(serve, slow):
    running, thread, client = serve()
    path = f"/gradio_api/call/spell/{ask(client, 'words', 'spell').json()['event_id']}"
    waiting = ask(client, "later", "spell").json()["event_id"]
    with client.stream("GET", path) as answer:
        said = answer.iter_lines()
        while "0 of 5 letters" not in next(said):
            pass
        running.handle_exit(signal.SIGTERM, None)
        slow[1].set()
        last = [line for line in said if line.startswith("data: [")][-1]
    shown, download = json.loads(last.removeprefix("data: "))
    assert "This site is being restarted: 1 of 5 were answered." in shown
    assert 'href="data:text/plain;charset=utf-8,W"' in shown and "Spelled." in shown
    assert download["visible"] is False
    late = client.get(f"/gradio_api/call/spell/{waiting}").text
    assert "0 of 5 were answered." in late and "Spelled." not in late
    thread.join(TIMEOUT_SECONDS)
    assert not thread.is_alive()


def test_a_batch_that_nothing_stops_is_a_file(serve, slow):
    running, thread, client = serve()
    slow[1].set()
    event = ask(client, "word", "spell").json()["event_id"]
    said = client.get(f"/gradio_api/call/spell/{event}").text.strip().rpartition("data: ")[2]
    shown, download = json.loads(said)
    assert shown == "<p>Spelled.</p>"
    response = client.get(f"/gradio_api/file={download['value']['path']}")
    assert response.text == "WORD"
    running.handle_exit(signal.SIGTERM, None)
    thread.join(TIMEOUT_SECONDS)


def test_an_answer_that_takes_too_long_does_not_hold_the_site(serve, monkeypatch):
    monkeypatch.setattr(server, "SHUTDOWN_SECONDS", 0.2)
    running, thread, client = serve()
    event = ask(client, "word").json()["event_id"]
    with client.stream("GET", "/gradio_api/heartbeat/someone") as open_page:
        next(open_page.iter_text())
        running.handle_exit(signal.SIGTERM, None)
        said = client.get(f"/gradio_api/call/wait/{event}").text
        assert said.startswith("event: error") and guard.RESTARTING in said
        thread.join(TIMEOUT_SECONDS)
        assert not thread.is_alive()


def test_a_call_leaves_neither_its_words_nor_a_copy_of_the_page_behind(serve, slow):
    running, thread, client = serve()
    slow[1].set()
    event = ask(client, "word").json()["event_id"]
    assert '["WORD"]' in client.get(f"/gradio_api/call/wait/{event}").text
    running.handle_exit(signal.SIGTERM, None)
    thread.join(TIMEOUT_SECONDS)
    sessions = slow[0].state_holder.session_data
    (kept,) = sessions.values()
    assert (kept.config_values, kept.state_data) == ({}, {})
    own = kept.blocks_config
    assert (own.blocks.maps[0], own.fns.maps[0]) == ({}, {})
    box = next(iter(own.blocks))
    own.blocks[box] = "changed for this visitor"
    assert slow[0].default_config.blocks[box] != own.blocks[box]


def test_calls_of_the_api_do_not_push_out_an_open_page(slow, monkeypatch):
    server.mount(slow[0], PAGES, settings.Settings())
    holder = StateHolder()
    holder.set_blocks(slow[0])
    monkeypatch.setattr(limits, "SESSIONS", 3)
    for name in ("first page", "second page"):
        holder[name].sizes[0] = 10
    for number in range(10):
        holder[f"call {number}"]
    assert list(holder.session_data) == ["first page", "second page", "call 9"]
    for name in ("third page", "fourth page"):
        holder[name].sizes[0] = 10
    assert list(holder.session_data) == ["second page", "third page", "fourth page"]


def test_a_session_counts_what_it_holds_for_its_visitor(slow):
    with gr.Blocks(analytics_enabled=False) as site:
        state, box = gr.State(), gr.Textbox()
    server.mount(site, PAGES, settings.Settings())
    holder = StateHolder()
    holder.set_blocks(site)
    token = current_visitor.set("198.51.100.7")
    session = holder["page"]
    current_visitor.reset(token)
    session[state._id], session[box._id] = np.zeros(1000), box
    assert session.visitor == "198.51.100.7"
    assert sum(session.sizes.values()) == 8000


def test_sessions_are_kept_while_their_pages_are_open_and_ten_minutes_longer(slow, monkeypatch):
    server.mount(slow[0], PAGES, settings.Settings())
    holder, clock = slow[0].state_holder, SimpleNamespace(monotonic=lambda: clock.now, now=100.0)
    monkeypatch.setattr(gradio_patches, "time", clock)
    for name in ("page", "call"):
        holder[name]
    clock.now += sessions.SESSION_TTL_SECONDS
    gradio_patches.drop_sessions(slow[0], {"page"})
    assert list(holder.session_data) == ["page"]
    clock.now += sessions.SESSION_TTL_SECONDS - 1
    gradio_patches.drop_sessions(slow[0], ())
    assert list(holder.session_data) == ["page"]
    clock.now += 1
    gradio_patches.drop_sessions(slow[0], ())
    assert not holder.session_data


def test_an_open_page_keeps_its_session(serve):
    running, thread, client = serve()
    with client.stream("GET", "/gradio_api/heartbeat/page") as stream:
        pieces = stream.iter_text()  # closing it would close the stream
        assert "ALIVE" in next(pieces)
        assert running.visits.open == {"page": 1}
    client.get("/")
    while running.visits.open:  # until the server knows that the page was left
        time.sleep(0.01)
    running.handle_exit(signal.SIGTERM, None)
    thread.join(TIMEOUT_SECONDS)


def test_no_statistics_are_kept_of_answers(serve, slow):
    running, thread, client = serve()
    slow[1].set()
    event = ask(client, "word").json()["event_id"]
    assert "WORD" in client.get(f"/gradio_api/call/wait/{event}").text
    assert not slow[0]._queue.event_analytics
    running.handle_exit(signal.SIGTERM, None)
    thread.join(TIMEOUT_SECONDS)


def test_an_answer_that_nobody_fetches_is_forgotten(serve, slow):
    running, thread, client = serve()
    slow[1].set()
    fetched, left = (ask(client, "word").json()["event_id"] for _ in range(2))
    assert "WORD" in client.get(f"/gradio_api/call/wait/{fetched}").text
    while (left, True) not in (answers := gradio_patches.list_answers(slow[0])):
        time.sleep(0.01)  # until the second answer is there
    ages = sessions.Ages()
    assert not ages.select(answers, sessions.ANSWER_TTL_SECONDS)
    gradio_patches.drop_answers(slow[0], ages.select(answers, 0))
    assert not gradio_patches.list_answers(slow[0])
    answer = client.get(f"/gradio_api/call/wait/{left}")
    assert (answer.status_code, answer.json()) == (404, {"detail": sessions.NO_ANSWER})
    running.handle_exit(signal.SIGTERM, None)
    thread.join(TIMEOUT_SECONDS)


@pytest.mark.parametrize("path", ["queue/join", "component_server"])
def test_the_name_of_a_session_is_short(slow, path):
    client = TestClient(server.mount(slow[0], PAGES, settings.Settings()))
    name = "x" * (limits.SESSION_NAME_CHARACTERS + 1)
    numbers = {"fn_index": 0, "component_id": 0, "fn_name": "wait"}
    body = {"data": ["word"], "session_hash": name, **numbers}
    answer = client.post(f"/gradio_api/{path}", json=body)
    assert (answer.status_code, answer.json()) == (404, {"detail": guard.NOT_FOUND})
    assert name not in slow[0].state_holder.session_data
    assert name not in slow[0]._queue.pending_event_ids_session


def test_one_visitor_cannot_take_the_whole_queue(serve, slow, monkeypatch):
    monkeypatch.setattr(limits, "WAITING_QUESTIONS_PER_VISITOR", 3)
    running, thread, client = serve()
    requests = [ask(client, "word") for _ in range(5)]
    assert [answer.status_code for answer in requests] == [200, 200, 200, 429, 429]
    slow[1].set()
    for answer in requests[:3]:
        assert "WORD" in client.get(f"/gradio_api/call/wait/{answer.json()['event_id']}").text
    assert ask(client, "word").status_code == 200
    assert client.post("/gradio_api/run/wait", json={"data": ["word"]}).status_code == 404
    running.handle_exit(signal.SIGTERM, None)
    thread.join(TIMEOUT_SECONDS)


def test_a_short_question_does_not_wait_for_the_long_ones_of_others(serve, slow):
    running, thread, client = serve(proxies=1)
    long = "long " * 1_000
    greedy = [ask(client, long, visitor=f"203.0.113.{n}") for n in (1, 1, 1, 1, 1, 2, 2, 3)]
    assert [answer.status_code for answer in greedy] == [200] * 4 + [429] + [200] * 3
    assert "4 long questions from your address" in greedy[4].json()["detail"]
    for _ in range(3):
        event = ask(client, "short", visitor="203.0.113.9").json()["event_id"]
        assert "SHORT" in client.get(f"/gradio_api/call/wait/{event}").text
    assert not slow[1].is_set()
    slow[1].set()
    event = greedy[3].json()["event_id"]
    assert "LONG" in client.get(f"/gradio_api/call/wait/{event}").text
    running.handle_exit(signal.SIGTERM, None)
    thread.join(TIMEOUT_SECONDS)


def test_the_server_does_not_say_what_it_is(serve):
    running, thread, client = serve()
    answer = client.get("/")
    assert answer.status_code == 200
    assert guard.build_headers().items() <= dict(answer.headers).items()
    assert not {"server", "x-powered-by"} & set(answer.headers)
    for path in (
        "/docs",
        "/openapi.json",
        "/gradio_api/openapi.json",
        "/monitoring",
        "/gradio_api/deep_link?session_hash=a",
    ):
        assert client.get(path).status_code == 404, path
    running.handle_exit(signal.SIGTERM, None)
    thread.join(TIMEOUT_SECONDS)


def test_an_upload_to_a_full_disk_gets_a_sentence(slow, monkeypatch):
    def no_room(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/gradio/a")

    monkeypatch.setattr("gradio.route_utils.NamedTemporaryFile", no_room)
    client = TestClient(server.mount(slow[0], PAGES, settings.Settings()))
    answer = client.post("/gradio_api/upload", files={"files": ("rows.csv", b"a,b")})
    assert (answer.status_code, answer.text) == (507, guard.DISK_FULL)


FORM = {"content-type": "multipart/form-data; boundary=x"}
TEXT = b'--x\r\nContent-Disposition: form-data; name="files"\r\n\r\n%s\r\n--x--\r\n'


@pytest.mark.parametrize("content", [TEXT % b"no file", TEXT % b"\xff\xfe"])
def test_an_upload_of_no_file_gets_a_sentence(slow, content):
    client = TestClient(server.mount(slow[0], PAGES, settings.Settings()))
    answer = client.post("/gradio_api/upload", content=content, headers=FORM)
    assert (answer.status_code, answer.text) == (400, guard.FAILED)


def test_who_leaves_while_sending_leaves_no_trace_in_the_log(serve, capfd, monkeypatch):
    begun = threading.Event()
    look = guard.Guard._refusal
    monkeypatch.setattr(guard.Guard, "_refusal", lambda *given: begun.set() or look(*given))
    running, thread, client = serve()
    with socket.create_connection((client.base_url.host, client.base_url.port)) as visitor:
        headers = {"host": "site", "content-length": "1000", **FORM}
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        visitor.sendall(f"POST /gradio_api/upload HTTP/1.1\r\n{''.join(lines)}\r\n".encode())
        assert begun.wait(TIMEOUT_SECONDS)
    running.handle_exit(signal.SIGTERM, None)
    thread.join(TIMEOUT_SECONDS)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("/?tab=sentiment", "./sentiment"),
        ("/?tab=sentiment&text=a+%26+b", "./sentiment?text=a+%26+b"),
        ("/?tab=cells&lesson=race&units=32&lock=units", "./cells-race?units=32&lock=units"),
        ("/cells?lesson=race&units=32", "./cells-race?units=32"),
        ("/?tab=cells&lesson=quantum&units=3", "./cells?units=3"),
        ("/sentiment/?text=fine", "../sentiment?text=fine"),
    ],
)
def test_a_former_address_leads_to_the_page_with_its_state(slow, address, target):
    client = TestClient(server.OldLinks(server.mount(slow[0], PAGES, settings.Settings()), PATHS))
    answer = client.get(address, follow_redirects=False)
    assert (answer.status_code, answer.headers.get("location")) == (301, target)


@pytest.mark.parametrize("address", ["/", "/?tab=nothing", "/?text=fine", "/config"])
def test_other_addresses_are_not_redirected(slow, address):
    client = TestClient(server.OldLinks(server.mount(slow[0], PAGES, settings.Settings()), PATHS))
    assert client.get(address, follow_redirects=False).status_code == 200


@pytest.mark.skipif(os.name != "posix", reason="Windows has no limit of open files")
@pytest.mark.parametrize("allowed", [256, 1_000_000])
def test_there_is_a_file_for_each_connection(monkeypatch, allowed):
    import resource

    changed = [allowed]
    monkeypatch.setattr(resource, "getrlimit", lambda _: (allowed, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: changed.append(pair[0]))
    server.allow_connections()
    assert changed[-1] > limits.CONNECTIONS
    assert (len(changed) > 1) == (allowed < limits.CONNECTIONS)
