import asyncio
import errno
import re
from pathlib import Path
from types import SimpleNamespace

import fastapi
import gradio
import pytest
from gradio import processing_utils, queueing, routes
from gradio.data_classes import PredictBodyInternal
from starlette.testclient import TestClient

from shared import limits, settings
from shared.site import gradio_patches, guard, pages, server, storage
from tests import coroutines


def test_the_patches_were_written_for_this_version_of_gradio():
    assert gradio.__version__ == gradio_patches.GRADIO_VERSION, (
        "Gradio has another version. Compare each function of shared/site/gradio_patches.py with "
        "the new state_holder.py (SessionState.__init__, StateHolder.update), queueing.py "
        "(error_payload, event_ids_to_events, pending_event_ids_session; of Queue: push, "
        "get_events, process_events, active_jobs), processing_utils.py "
        "(async_ssrf_protected_*), blocks.py (has_launched, route) and "
        "templates/frontend/index.html; compare `window.fetch` in shared/site/static/site.js with "
        "the client's stream of answers, and `.nav-holder` in site.css. Then set GRADIO_VERSION."
    )


def build_page(page, settings):
    gradio.HTML(f"<h1>{page.page.title}</h1>")


OWN = [
    pages.Page("", "Home", "The home page.", build_page),
    pages.Page("one", "One & two", 'A "page".', build_page),
]


@pytest.fixture(scope="module")
def site():
    return pages.build_site(OWN, settings.Settings())


@pytest.fixture(scope="module")
def client(site):
    return TestClient(server.mount(site, OWN, settings.Settings()))


@pytest.fixture
def upload_folder(monkeypatch, tmp_path):
    """An empty folder of uploads."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("path", "title", "description"),
    [
        ("/", "Unrolled: recurrent networks at work", "The home page."),
        ("/one", "One &amp; two · Unrolled", "A &#34;page&#34;."),
    ],
)
def test_a_page_has_its_own_title_and_link_preview(client, path, title, description):
    html = client.get(path).text
    assert re.findall("<title>(.*?)</title>", html) == [title]
    metadata = dict(re.findall('<meta (?:property|name)="(.*?)" content="(.*?)"', html))
    assert metadata["og:title"] == title
    assert metadata["og:description"] == metadata["description"] == description
    assert metadata["og:url"].endswith(path)
    assert "gradio-app" not in html.split("<body")[0].replace("gradio-app {", "")
    assert client.get("/preview.png").headers["content-type"] == "image/png"
    assert metadata["og:image"].endswith("/preview.png")


def test_an_error_without_a_sentence_gets_one(client):
    payload = queueing.error_payload(ValueError("secret"), False)
    assert payload["error"] == guard.FAILED and payload["visible"]


SECRET = "a secret that a visitor typed"


@pytest.mark.parametrize(
    ("body", "logged"),
    [
        ({"data": [SECRET]}, "An event was refused: ValueError in validate_inputs"),
        ({"data": [SECRET, SECRET]}, "ValueError"),
        ({"data": [[SECRET], {SECRET: 1}]}, "ValueError"),
    ],
)
def test_the_log_says_what_failed_without_the_visitor_s_words(body, logged, caplog, capfd):
    def add(one, other):
        return int(one + other)

    with gradio.Blocks(analytics_enabled=False) as site:
        boxes = gradio.Textbox(), gradio.Textbox()
        boxes[0].change(add, boxes, boxes[0], api_name="add", queue=False)
    caplog.set_level("INFO", "unrolled")
    client = TestClient(server.mount(site, OWN, settings.Settings()))
    assert client.post("/gradio_api/run/add", json=body).status_code == 500
    written = caplog.text + "".join(capfd.readouterr())
    assert logged in written and SECRET not in written
    assert ("in add" in written) == (len(body["data"]) == 2)


def upload(client, content):
    answer = client.post("/gradio_api/upload", files={"files": ("class.zip", content)})
    return Path(answer.json()[0])


def test_equal_uploads_of_two_visitors_are_two_files(client, upload_folder):
    first, second = (upload(client, b"the same") for _ in range(2))
    assert first != second and first.name == second.name == "class.zip"
    storage.discard(first)
    assert second.read_bytes() == b"the same"


def test_an_upload_that_fails_leaves_nothing(client, upload_folder, monkeypatch):
    def end(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    assert client.post("/gradio_api/upload", content=b"no form").status_code == 400
    monkeypatch.setattr("gradio.route_utils.GradioUploadFile.write", end)
    files = {"files": ("class.zip", b"content")}
    assert client.post("/gradio_api/upload", files=files).status_code == 507
    assert not list(upload_folder.iterdir())


@pytest.mark.parametrize("component", [gradio.File, gradio.UploadButton])
def test_taking_an_upload_leaves_no_further_file(client, upload_folder, component):
    path = upload(client, b"text")
    taken = component(file_types=[".zip"]).preprocess(gradio.FileData(path=str(path)))
    assert taken == str(path)
    assert [file for file in upload_folder.rglob("*") if file.is_file()] == [path]
    with pytest.raises(gradio.Error, match=r"This file must be one of: \.csv\."):
        component(file_types=[".csv"]).preprocess(gradio.FileData(path=str(path)))


def test_the_lists_of_what_was_sent_do_not_grow(client, upload_folder, site):
    for n in range(gradio_patches.MAX_TRACKED_UPLOADS + 10):
        client.post(f"/gradio_api/upload?upload_id={n}", files={"files": ("a", b"x")})
    tracked = routes.file_upload_statuses
    for kept in (tracked._statuses, tracked._signals):
        assert len(kept) <= gradio_patches.MAX_TRACKED_UPLOADS + 1
    assert site.upload_file_set
    gradio_patches.forget_files(site)
    assert not any(site.temp_file_sets)


@pytest.mark.parametrize("name", ["async_ssrf_protected_get", "async_ssrf_protected_download"])
def test_no_address_is_fetched(client, name):
    fetching = getattr(processing_utils, name)("https://example.org/a.png")
    with pytest.raises(gradio.Error) as refused:
        fetching.send(None)
    assert refused.value.message == guard.ADDRESS_GIVEN


@pytest.fixture
def queue():
    """The queue of a small site, in which nothing is answered, and a function that asks."""
    with gradio.Blocks(analytics_enabled=False) as site:
        box = gradio.Textbox()
        box.submit(str.upper, box, box, concurrency_id="compute", concurrency_limit=3)
        box.change(str.lower, box, box, concurrency_id="batch", concurrency_limit=2)
    site.queue()
    gradio_patches.take_fair_turns(site)
    queue = site._queue
    queue.active_jobs = [None] * 10

    def ask(visitor, fn_index=0, page=None, size=100, link=""):
        scope = {guard.VISITOR: visitor, guard.BODY_BYTES: size, "query_string": link.encode()}
        request = fastapi.Request({"type": "http", "headers": [], **scope})
        options = {"fn_index": fn_index, "session_hash": page, "request": request}
        body = PredictBodyInternal(data=["word"], **options)
        return coroutines.run(queue.push(body, request, None))[1]

    def begin():
        begun = queue.get_events()
        if begun is None:
            return None
        (event,), batch, name = begun
        assert not batch and name == event.concurrency_id
        queue.active_jobs[queue.active_jobs.index(None)] = [event]
        return event._id

    return queue, ask, begin


def test_turns_in_the_queue_go_round_between_visitors(queue):
    queue, ask, begin = queue
    greedy = [ask("greedy", page="page", size=5_000) for _ in range(4)]
    short = ask("other")
    assert [begin(), begin(), begin()] == [greedy[0], short, None]
    queue.active_jobs = [None] * 10
    later = ask("other")
    assert [begin(), begin(), begin()] == [later, greedy[1], None]


def test_batches_wait_for_those_of_the_same_visitor_and_not_for_questions(queue):
    _, ask, begin = queue
    first, second = (ask("greedy", fn_index=1) for _ in range(2))
    assert [begin(), begin()] == [first, None]
    other, question = ask("other", fn_index=1), ask("greedy")
    assert {begin(), begin()} == {other, question}
    assert begin() is None


def test_a_visitor_is_charged_the_seconds_that_a_question_takes(queue, monkeypatch):
    queue, ask, begin = queue
    clock = iter((100.0, 130.0))
    monkeypatch.setattr(gradio_patches, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(queueing.Queue, "process_events", lambda *_: asyncio.sleep(0))
    ask("slow")
    begin()
    (events,) = filter(None, queue.active_jobs)
    coroutines.run(queue.process_events(events, False, 0, events[0].fn))
    assert queue.turns["compute"]._visitors.used == {"slow": pytest.approx(30)}


def test_the_text_in_a_link_makes_a_question_long_as_well(queue):
    queue, ask, _ = queue
    ask("visitor", page="page", link=f"text={'a' * limits.LONG_QUESTION_BYTES}")
    (event,) = queue.event_ids_to_events.values()
    assert gradio_patches._question_of(event).is_long


def test_more_than_a_few_questions_of_a_page_get_a_sentence(queue):
    queue, ask, _ = queue
    for _ in range(limits.WAITING_QUESTIONS_PER_PAGE):
        ask("visitor", page="page")
    with pytest.raises(fastapi.HTTPException) as refused:
        ask("visitor", page="page")
    assert refused.value.status_code == 429 and "of your questions wait" in refused.value.detail
    assert ask("visitor", page="other page")
