"""Everything that reaches into Gradio's internals, for one version of Gradio.

A new version of Gradio makes `tests/shared/site/test_gradio_patches.py` fail; it names what to look
at. A docstring links the upstream issue where we know of one.

The script of the page, `static/site.js`, holds one more: it wraps `window.fetch`, because Gradio's
client loses an event that is sent while the server's stream of answers is closing. `site.css` hides
Gradio's own navigation, which `gr.Navbar(visible=False)` leaves on the page:
https://github.com/gradio-app/gradio/issues/12532.
"""

import inspect
import math
import random
import re
import shutil
import time
from collections import ChainMap, defaultdict
from contextlib import contextmanager
from types import SimpleNamespace

from shared import limits
from shared.logs import log_error
from shared.site import guard, sessions, turns
from shared.site.storage import current_visitor, storage

GRADIO_VERSION = "6.31.0"
MAX_TRACKED_UPLOADS = 200  # whose progress pages can show
TOO_LONG = "the name of a session is too long"

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
    from gradio.queueing import Queue
    from gradio.state_holder import SessionState, StateHolder

    original = SessionState.__init__
    original_set_item, original_push = SessionState.__setitem__, Queue.push

    def init(self, blocks):
        original(self, SimpleNamespace(default_config=blocks.default_config, blocks=()))
        self.blocks_config.blocks = ChainMap({}, blocks.default_config.blocks)
        self.blocks_config.fns = ChainMap({}, blocks.default_config.fns)
        self.STATE_TTL_WHEN_CLOSED = math.inf  # by a clock that jumps; see `drop_sessions`
        self.visitor, self.used, self.sizes = current_visitor.get(), time.monotonic(), {}

    def set_item(self, key, value):
        original_set_item(self, key, value)
        if key in self.state_data:
            self.sizes[key] = sessions.count_bytes(value)

    def update(self, name):
        """Mark a session as used, and evict others if there are too many or they hold too much."""
        if len(name) > limits.SESSION_NAME_CHARACTERS:
            del self.session_data[name]
            raise KeyError(TOO_LONG)
        with self.lock:
            self.session_data[name].used = time.monotonic()
            self.session_data.move_to_end(name)
            held = {
                key: (each.visitor, sum(each.sizes.values()))
                for key, each in self.session_data.items()
            }
            while evicted := sessions.choose_evicted(held, name):
                del held[evicted], self.session_data[evicted]
                self.time_last_used.pop(evicted, None)

    async def push(self, body, *arguments, **options):
        if len(body.session_hash or "") > limits.SESSION_NAME_CHARACTERS:
            raise KeyError(TOO_LONG)
        return await original_push(self, body, *arguments, **options)

    SessionState.__init__, SessionState.__setitem__ = init, set_item
    SessionState._update_config = SessionState._update_value_in_config = lambda *_: None
    StateHolder.update, Queue.push = update, push


def patch_remote_files():
    """Refuse to fetch the address that a visitor sends in place of a file, as Gradio would."""
    import gradio as gr
    from gradio import processing_utils

    async def refuse(*_, **__):
        raise gr.Error(guard.ADDRESS_GIVEN, print_exception=False)

    processing_utils.async_ssrf_protected_get = refuse
    processing_utils.async_ssrf_protected_download = refuse


def patch_uploads():
    """Give each upload a folder of its own, which is deleted if the upload breaks off.

    Gradio stores equal files once, so that who deletes one after reading it deletes it for
    everybody who has sent the same. Of an upload that breaks off, what has come stays; and so does
    the progress of an upload that no page watches.
    """
    from gradio import routes

    original = getattr(routes.upload_fn, "original", routes.upload_fn)

    async def upload_fn(request, upload_dir, *arguments, **options):
        folder = storage.make_folder(request.scope.get(guard.VISITOR, ""))
        progress = routes.file_upload_statuses
        for tracked in (progress._statuses, progress._signals):
            while len(tracked) > MAX_TRACKED_UPLOADS:
                tracked.pop(next(iter(tracked)), None)
        try:
            return await original(request, folder, *arguments, **options)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    upload_fn.original = original
    routes.upload_fn = upload_fn


def patch_file_component():
    """Take the path of an upload as it is; Gradio also makes an empty file that nobody deletes."""
    import gradio as gr

    def process(self, file):
        types = self.file_types
        if types and not client_utils.is_valid_file(file.path, types):
            raise gr.Error(f"This file must be one of: {', '.join(types)}.", print_exception=False)
        return file.path

    from gradio_client import utils as client_utils

    for component in (gr.File, gr.UploadButton):
        component._process_single_file = process


def patch_calls():
    """Let `storage.current_visitor` say for whom a function is called."""
    from gradio import route_utils

    original = getattr(route_utils.call_process_api, "original", route_utils.call_process_api)

    async def call_process_api(app, body, *arguments, **options):
        scope = body.request.scope if body.request else {}
        current_visitor.set(scope.get(guard.VISITOR, ""))
        return await original(app, body, *arguments, **options)

    call_process_api.original = original
    route_utils.call_process_api = call_process_api


def patch_log():
    """Log errors without their messages, in which Gradio and others quote what visitors sent."""
    from gradio import queueing, route_utils, routes

    for module in (queueing, route_utils, routes):
        module.traceback = SimpleNamespace(print_exc=log_error)


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
    patch_uploads()
    patch_file_component()
    patch_calls()
    patch_log()
    patch_error_payload()
    patch_page_template(metadata)


def mark_as_launched(site):
    """Tell Gradio that the site is served.

    A `gr.Blocks` that was mounted counts as being built, and its events may then read any file.
    """
    site.has_launched = True


def keep_no_statistics(site):
    """Let Gradio record no event.

    It keeps the last 10,000 with the names of their sessions, and sums up all of them after every
    answer, for a page that this site does not have.
    """
    site._queue.ANALYTICS_MAX_EVENTS = 0


def forget_files(site):
    """Empty the lists of files that were sent and served, which Gradio keeps to delete them.

    `storage` deletes them; the lists would only grow.
    """
    for files in site.temp_file_sets:
        files.clear()


def drop_sessions(site, open_sessions):
    """Forget the sessions of pages that were left some time ago, and of callers of the API.

    Args:
        site: The `gr.Blocks`.
        open_sessions: Names of the sessions whose pages are open.
    """
    now, holder = time.monotonic(), site.state_holder
    with holder.lock:
        for name, session in list(holder.session_data.items()):
            if name in open_sessions:
                session.used = now
            elif now - session.used >= sessions.SESSION_TTL_SECONDS:
                del holder.session_data[name]
                holder.time_last_used.pop(name, None)


def list_answers(site):
    """(session, whether there are messages for it) of all for which nothing is being computed."""
    queue = site._queue
    asking = {event.session_hash for event in queue.event_ids_to_events.values()}
    messages = queue.pending_messages_per_session
    names = {*messages, *queue.pending_event_ids_session} - asking
    return [(name, name in messages and not messages[name].empty()) for name in names]


def has_answer(site, event_id):
    """Whether an event waits for its turn or is being computed, or its answer for being fetched."""
    queue = site._queue
    waiting = queue.pending_event_ids_session.values()
    return event_id in queue.event_ids_to_events or any(event_id in each for each in waiting)


def drop_answers(site, answers):
    """Forget answers that nobody has fetched, as from `list_answers`."""
    for name, _ in answers:
        site._queue.pending_messages_per_session.pop(name, None)
        site._queue.pending_event_ids_session.pop(name, None)


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
