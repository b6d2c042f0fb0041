"""Builds the site and launches it: `python app.py`."""

import asyncio
import ctypes
import importlib
import inspect
import logging
import os
import socket
import sys
import tempfile
import threading
import time
from collections import ChainMap
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from apps import APPLICATIONS
from shared import guard, settings
from shared.bundle import BundleError

log = logging.getLogger("unrolled")
LEFT = 600  # seconds that what a page holds of a visitor outlives his leaving
SESSIONS = 400  # of visitors that are held at once; of a photo a session holds half a megabyte
LAST_ANSWERS = 3  # seconds that the site waits for the answers under way before it stops
command = typer.Typer(add_completion=False, rich_markup_mode=None)


def build(options):
    """The site as a `gr.Blocks`: one tab for each application."""
    with no_stubs():
        import gradio as gr

    from shared import page

    with gr.Blocks(title="Unrolled", analytics_enabled=False, delete_cache=(300, 3000)) as site:
        page.masthead()
        with gr.Tabs(elem_id="pages") as tabs:
            for name, tab in _tabs():
                with gr.Tab(tab.TITLE, id=name, elem_id=f"tab-{name}") as shell:
                    try:
                        tab.build(shell, options)
                    except BundleError as problem:
                        page.html(page.error(f"This page cannot be used. {problem}"))

        def go_to_tab(request: gr.Request):
            wanted = request.query_params.get("tab")
            return gr.Tabs(selected=wanted) if wanted in APPLICATIONS else gr.skip()

        site.load(go_to_tab, None, tabs, queue=False, api_visibility="private")
    return site


@contextmanager
def no_stubs():
    """Gradio imported in here writes no type stubs for editors.

    It parses the source of every component for them, whenever it is imported, which takes as long
    as all the rest; components whose file it cannot find are left out.
    """
    found = inspect.getfile

    def absent(what):
        raise OSError("no stubs")

    inspect.getfile = absent
    try:
        yield
    finally:
        inspect.getfile = found


@contextmanager
def hidden(*names):
    """Modules that this thread cannot import in here."""
    thread = threading.get_ident()

    class Finder:
        @staticmethod
        def find_spec(wanted, *_):
            if wanted in names and threading.get_ident() == thread:
                raise ModuleNotFoundError(name=wanted)

    sys.meta_path.insert(0, Finder)
    try:
        yield
    finally:
        sys.meta_path.remove(Finder)


def share_heaps():
    """Lets threads share two heaps: with one for each, what one frees is of no use to others."""
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(-8, 2)  # M_ARENA_MAX


def keep_no_configurations():
    """Lets Gradio's sessions hold no copy of every component, its configuration and its value.

    Gradio makes them for each visitor and each call of the API, the last two for links that this
    site does not have: 1 MB and 100 ms each, and what the visitor typed, kept for up to 10,000
    sessions. Here a session holds the components that were changed for it alone.
    """
    from gradio.state_holder import SessionState, StateHolder

    begin = SessionState.__init__

    def begin_empty(self, blocks):
        begin(self, SimpleNamespace(default_config=blocks.default_config, blocks=()))
        self.blocks_config.blocks = ChainMap({}, blocks.default_config.blocks)
        self.blocks_config.fns = ChainMap({}, blocks.default_config.fns)
        self.STATE_TTL_WHEN_CLOSED = LEFT

    SessionState.__init__ = begin_empty
    SessionState._update_config = SessionState._update_value_in_config = lambda *_: None

    def make_room(self, session):
        with self.lock:
            if session in self.session_data:
                self.session_data.move_to_end(session)
            if len(self.session_data) > self.capacity:
                *others, _ = list(self.session_data)
                # Calls of the API hold nothing: they go first.
                empty = (key for key in others if not self.session_data[key].state_data)
                oldest = next(empty, others[0])
                del self.session_data[oldest]
                self.time_last_used.pop(oldest, None)

    StateHolder.update = make_room


def fetch_nothing():
    """Lets Gradio fetch no address: it would, where a visitor sends one in place of a file."""
    import gradio as gr
    from gradio import processing_utils

    async def refuse(*_, **__):
        raise gr.Error(guard.UPLOAD, print_exception=False)

    processing_utils.async_ssrf_protected_get = refuse
    processing_utils.async_ssrf_protected_download = refuse


def say_that_it_failed():
    """Lets Gradio answer with a sentence what fails before our code: it would with nothing."""
    from gradio import queueing

    payload = queueing.error_payload

    def with_sentence(error, show_error):
        found = payload(error, show_error)
        return found if found["error"] else {**found, "error": guard.FAULT, "visible": True}

    queueing.error_payload = with_sentence


def mounted(site, options):
    """The site as an ASGI application."""
    import gradio as gr
    from gradio.route_utils import FnIndexInferError
    from starlette.requests import ClientDisconnect

    from shared import page

    keep_no_configurations()
    fetch_nothing()
    say_that_it_failed()
    # `Guard` knows how many wait, and whose they are; around the queue there is no way.
    site.queue(default_concurrency_limit=4, api_open=False)
    site.state_session_capacity = SESSIONS
    # Else Gradio takes the site for one that is being built, which may read any file.
    site.has_launched = True
    handlers = {
        OSError: guard.full_disk,
        ClientDisconnect: guard.broken_off,
        **dict.fromkeys((KeyError, FnIndexInferError), guard.unknown),
        **dict.fromkeys((TypeError, UnicodeDecodeError), guard.no_form),
    }
    return gr.mount_gradio_app(
        FastAPI(openapi_url=None),
        site,
        path="/",
        app_kwargs={"openapi_url": None, "exception_handlers": handlers},
        theme=page.theme(),
        head=page.head(),
        favicon_path=page.FAVICON,
        footer_links=["api", "gradio"],
        max_file_size=options.max_upload_mb * 2**20,
        allowed_paths=[],
        show_error=False,
        ssr_mode=False,
        run_history=False,
        pwa=False,
    )


class Server(uvicorn.Server):
    """The site at an address; told to stop, it begins nothing new and gives the answers under way.

    Args:
        site: What `build` returned.
        options: The settings.
        up: Function that is called, in a thread, once the page is up; or None.
    """

    def __init__(self, site, options, up=None):
        self.site, self.up, self.mounted = site, up, mounted(site, options)
        limits = options.max_upload_mb * 2**20, options.requests_per_minute, options.proxies
        # Gradio itself compresses its scripts, but not the page, which is larger than all of them.
        self.guard = guard.Guard(GZipMiddleware(self.mounted, 10_000, 5), *limits, self.waiting)
        config = uvicorn.Config(
            self.guard,
            log_level="warning",
            server_header=False,
            proxy_headers=False,  # `Guard` reads them, where the settings say so
            timeout_graceful_shutdown=1,
            timeout_keep_alive=75,  # longer than proxies and scripts keep an idle connection
        )
        super().__init__(config)

    def waiting(self):
        """The ASGI scopes of the requests whose answers are due."""
        events = list(self.site._queue.event_ids_to_events.values())
        return [event.request.scope for event in events]

    def handle_exit(self, sig, frame):
        from shared import page

        self.guard.closing = True
        page.closing.set()
        super().handle_exit(sig, frame)

    async def startup(self, sockets=None):
        await super().startup(sockets)
        if self.up:
            threading.Thread(target=self.up, daemon=True).start()

    async def shutdown(self, sockets=None):
        import gradio as gr
        from gradio.server_messages import ProcessCompletedMessage
        from gradio.utils import error_payload

        end = time.monotonic() + LAST_ANSWERS
        queue = self.site._queue
        undelivered = queue.pending_event_ids_session
        while any(undelivered.values()) and time.monotonic() < end and not self.force_exit:
            await asyncio.sleep(0.05)
        refusal = error_payload(gr.Error(guard.RESTART), False)
        for event in list(queue.event_ids_to_events.values()):
            queue.send_message(event, ProcessCompletedMessage(output=refusal, success=False))
        self.mounted.routes[-1].app.stop_event.set()  # open pages let go
        await super().shutdown(sockets)


def warm_up():
    """Load and compile what the first visitors will need, while the page is already up."""
    # Where they are installed, Keras and TensorFlow load them: two seconds, 60 and 100 MB.
    with hidden("sklearn", "jax"):
        import keras  # noqa: F401

    from shared.compiled import compile_at_first_call

    for _, tab in _tabs():
        if hasattr(tab, "warm_up"):
            try:
                with compile_at_first_call():
                    tab.warm_up()
            except BundleError as problem:
                log.warning(problem)


def _tabs():
    return [(name, importlib.import_module(f"apps.{name}.tab")) for name in APPLICATIONS]


def _help():
    lines = ["Start the site. Settings are read from the environment:", "", "\b"]
    for row in settings.describe():
        lines += [f"{row.variable}  (default: {row.default})", f"    {row.text}"]
    return "\n".join(lines)


@command.command(help=_help())
def main(
    vectors: Annotated[Path | None, typer.Option(help="File of your own word vectors.")] = None,
):
    if vectors:
        os.environ[settings.variable("vectors")] = str(vectors)
    try:
        options = settings.read()
    except settings.SettingsError as problem:
        typer.echo(problem, err=True)
        raise typer.Exit(2) from None
    logging.basicConfig(format="%(levelname)s %(message)s")
    log.setLevel(options.log_level.upper())
    # TensorFlow warns of every text length that is compiled for the first time.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(_own_folder())

    share_heaps()
    try:
        listener = _listener(options)
    except OSError:
        sentence = (
            f"{options.host}:{options.port} is in use or cannot be listened on: set UNROLLED_PORT "
            "to another port."
        )
        typer.echo(sentence, err=True)
        raise typer.Exit(1) from None

    def up():
        log.info("Unrolled is at http://%s:%s; Ctrl+C stops it.", options.host, options.port)
        warm_up()
        # Both import what takes seconds, which must not keep the page from coming up.
        from shared import page
        from shared.compiled import trim_memory

        while True:
            page.sweep()
            trim_memory()
            time.sleep(60)

    with suppress(KeyboardInterrupt):
        Server(build(options), options, up).run([listener])


def _own_folder():
    """Where uploads go: no other program's files are there, which `page.sweep` would delete."""
    above = os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir()
    folder = Path(above) / f"unrolled-{getattr(os, 'getuid', int)()}"
    with suppress(OSError):  # a full disk gets its sentence when somebody uploads
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _listener(options):
    """A socket at the address of the settings, taken before the seconds that imports need."""
    listener = socket.socket(socket.AF_INET6 if ":" in options.host else socket.AF_INET)
    if os.name == "posix":  # a site that has just stopped may start again
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((options.host, options.port))
    except OSError:
        listener.close()
        raise
    return listener


if __name__ == "__main__":
    command()
