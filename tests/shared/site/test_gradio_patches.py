import asyncio
import re
from types import SimpleNamespace

import fastapi
import gradio
import pytest
from gradio import processing_utils, queueing
from gradio.data_classes import PredictBodyInternal
from starlette.testclient import TestClient

from shared import limits, settings
from shared.site import gradio_patches, guard, pages, server


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


@pytest.fixture(scope="module")
def client():
    own = [
        pages.Page("", "Home", "The home page.", build_page),
        pages.Page("one", "One & two", 'A "page".', build_page),
    ]
    options = settings.Settings()
    return TestClient(server.mount(pages.build_site(own, options), own, options))


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
        return asyncio.run(queue.push(body, request, None))[1]

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
    asyncio.run(queue.process_events(events, False, 0, events[0].fn))
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
