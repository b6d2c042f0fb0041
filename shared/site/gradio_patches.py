"""Everything that reaches into Gradio's internals, for one version of Gradio.

A new version of Gradio makes `tests/shared/site/test_gradio_patches.py` fail; it names what to look
at. A docstring links the upstream issue where we know of one.

The script of the page, `static/site.js`, holds one more: it wraps `window.fetch`, because Gradio's
client loses an event that is sent while the server's stream of answers is closing. `site.css` hides
Gradio's own navigation, which `gr.Navbar(visible=False)` leaves on the page:
https://github.com/gradio-app/gradio/issues/12532.
"""

import inspect
import random
import re
import time
from collections import ChainMap, defaultdict
from contextlib import contextmanager
from types import SimpleNamespace

from shared.site import guard, turns

GRADIO_VERSION = "6.31.0"
SESSION_TTL_SECONDS = 600  # how long the state of a page that was left is kept
MAX_SESSIONS = 400  # one with a photo holds half a megabyte

METADATA = """\
{% set path = config.get("current_page", "") %}
{% set meta = page_metadata[path] %}
{% set _ = config.update({"title": meta.title, "page": {path: config["page"][path]}}) %}
{% set preview = config["root"] ~ "/preview.png" %}
<title>{{ meta.title }}</title>
<meta name="description" content="{{ meta.description }}" />
<meta property="og:type" content="website" />
<meta property="og:site_name" content="Unrolled" />
<meta property="og:title" content="{{ meta.title }}" />
<meta property="og:description" content="{{ meta.description }}" />
<meta property="og:url" content="{{ config["root"] }}/{{ meta.path }}" />
<meta property="og:image" content="{{ preview }}" />
<meta name="twitter:card" content="summary_large_image" />
"""


@contextmanager
def without_type_stubs():
    """Gradio, imported within this context, writes no type stubs for editors.

    At import it parses the source of every component to write them, which takes half of the time:
    2.5 s of CPU instead of 1.3 s. It skips components whose source file it cannot find. See
    https://github.com/gradio-app/gradio/pull/11394.
    """
    getfile = inspect.getfile

    def raise_error(_):
        raise OSError("no source files while Gradio is imported")

    inspect.getfile = raise_error
    try:
        yield
    finally:
        inspect.getfile = getfile


def patch_session_state():
    """Let a session hold only the components that were changed for it.

    Gradio copies every component, its configuration and its value for each visitor and each call of
    the API, for deep links and reloads that this site does not have. It keeps the copies, with what
    the visitor typed, of up to 10,000 sessions. That is 53 ms and 1,055 kB a session; with this
    patch it is 0.03 ms and 0.6 kB. See https://github.com/gradio-app/gradio/issues/11602.
    """
    from gradio.state_holder import SessionState, StateHolder

    original = SessionState.__init__

    def init(self, blocks):
        original(self, SimpleNamespace(default_config=blocks.default_config, blocks=()))
        self.blocks_config.blocks = ChainMap({}, blocks.default_config.blocks)
        self.blocks_config.fns = ChainMap({}, blocks.default_config.fns)
        self.STATE_TTL_WHEN_CLOSED = SESSION_TTL_SECONDS

    SessionState.__init__ = init
    SessionState._update_config = SessionState._update_value_in_config = lambda *_: None

    def update(self, session_id):
        """Mark a session as used; if there are too many, evict one, first those without state."""
        with self.lock:
            if session_id in self.session_data:
                self.session_data.move_to_end(session_id)
            if len(self.session_data) > self.capacity:
                *others, _ = list(self.session_data)
                stateless = (key for key in others if not self.session_data[key].state_data)
                evicted = next(stateless, others[0])
                del self.session_data[evicted]
                self.time_last_used.pop(evicted, None)

    StateHolder.update = update


def patch_remote_files():
    """Refuse to fetch the address that a visitor sends in place of a file, as Gradio would."""
    import gradio as gr
    from gradio import processing_utils

    async def refuse(*_, **__):
        raise gr.Error(guard.ADDRESS_GIVEN, print_exception=False)

    processing_utils.async_ssrf_protected_get = refuse
    processing_utils.async_ssrf_protected_download = refuse


def patch_error_payload():
    """Answer with a sentence when an event fails before our code runs; Gradio's answer is empty."""
    from gradio import queueing

    original = queueing.error_payload

    def error_payload(error, show_error):
        payload = original(error, show_error)
        if payload["error"]:
            return payload
        return {**payload, "error": guard.FAILED, "visible": True}

    queueing.error_payload = error_payload


def patch_page_template(metadata):
    """Give each page its own title, description and link preview in place of Gradio's.

    The page also gets the layout of itself alone; Gradio sends those of all pages with each.

    Args:
        metadata: Dict from the path of a page to a dict with `path`, `title` and `description`.
    """
    from gradio import routes
    from jinja2 import ChoiceLoader, DictLoader

    environment = routes.templates.env
    name = "frontend/index.html"
    original = getattr(environment.loader, "original", environment.loader)
    template, *_ = original.get_source(environment, name)
    for tag in (r'meta\s+(property="og:|name="twitter:)', 'link rel="manifest"'):
        template = re.sub(rf"\s*<{tag}[^>]*>", "", template)
    charset = '<meta charset="utf-8" />'
    template = template.replace(charset, f"{charset}{METADATA}", 1)
    environment.loader = ChoiceLoader([DictLoader({name: template}), original])
    environment.loader.original = original
    environment.cache.clear()
    environment.globals["page_metadata"] = metadata


def patch_all(metadata):
    """Apply the patches that a served site needs."""
    patch_session_state()
    patch_remote_files()
    patch_error_payload()
    patch_page_template(metadata)


def mark_as_launched(site):
    """Tell Gradio that the site is served.

    A `gr.Blocks` that was mounted counts as being built, and its events may then read any file.
    """
    site.has_launched = True
    site.state_session_capacity = MAX_SESSIONS


def take_fair_turns(site):
    """Answer questions in fair turns, where Gradio answers them in the order in which they come.

    There, one visitor who sends 100 long questions holds up everybody for a quarter of an hour. The
    three methods let an event into the queue, choose the next one and run it.
    """
    from fastapi import HTTPException
    from gradio.queueing import Queue

    class FairQueue(Queue):
        async def push(self, body, request, username):
            function = self.blocks.fns.get(body.fn_index)
            if function is not None:
                asked = _make_question(request, body.session_hash, function.concurrency_id)
                pending = map(_question_of, list(self.event_ids_to_events.values()))
                if sentence := turns.refuse(asked, list(pending)):
                    raise HTTPException(429, sentence, {"retry-after": "5"})
            return await super().push(body, request, username)

        def get_events(self):
            under_way = [event for events in self.active_jobs for event in events or ()]
            names = list(self.event_queue_per_concurrency_id)
            for name in random.sample(names, len(names)):
                queue = self.event_queue_per_concurrency_id[name]
                questions = {_question_of(event): event for event in queue.queue}
                of_queue = [
                    _question_of(event) for event in under_way if event.concurrency_id == name
                ]
                chosen = self.turns[name].choose(questions, of_queue, queue.concurrency_limit)
                if chosen:
                    queue.queue.remove(questions[chosen])
                    self.turns[name].start(chosen)
                    return [questions[chosen]], False, name
            return None

        async def process_events(self, events, *arguments):
            start, (event,) = time.monotonic(), events
            try:
                await super().process_events(events, *arguments)
            finally:
                seconds = time.monotonic() - start
                self.turns[event.concurrency_id].end(_question_of(event), seconds)

    site._queue.__class__ = FairQueue
    site._queue.turns = defaultdict(turns.Turns)


def _question_of(event):
    """The `turns.Question` of an event in the queue."""
    if not hasattr(event, "question"):
        page = None if event.session_hash == event._id else event.session_hash
        event.question = _make_question(event.request, page, event.concurrency_id)
    return event.question


def _make_question(request, page, queue):
    scope = request.scope
    size = scope.get(guard.BODY_BYTES, 0) + len(scope["query_string"])
    return turns.Question(scope.get(guard.VISITOR, ""), page, queue, size)


def waiting_requests(site):
    """The ASGI scopes of the requests that wait for an answer."""
    return [event.request.scope for event in list(site._queue.event_ids_to_events.values())]


def has_undelivered_answers(site):
    """Whether a visitor still waits for an answer."""
    return any(site._queue.pending_event_ids_session.values())


def refuse_waiting(site, sentence):
    """Answer every event in the queue with a sentence."""
    import gradio as gr
    from gradio.server_messages import ProcessCompletedMessage
    from gradio.utils import error_payload

    refusal = error_payload(gr.Error(sentence), False)
    for event in list(site._queue.event_ids_to_events.values()):
        site._queue.send_message(event, ProcessCompletedMessage(output=refusal, success=False))


def close_streams(app):
    """End the streams that open pages hold, so that the server can stop.

    Args:
        app: The FastAPI application that `gr.mount_gradio_app` returned.
    """
    app.routes[-1].app.stop_event.set()
