"""Serves the site: mounts it behind the guard, warms it up, and stops without losing answers."""

import asyncio
import logging
import sys
import threading
import time
from contextlib import contextmanager
from urllib.parse import urlencode

import uvicorn
from fastapi import FastAPI, Request
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, RedirectResponse

from shared import limits
from shared.bundle import BundleError
from shared.logs import log_loop_error
from shared.memory import trim_memory
from shared.site import connections, gradio_patches, guard, sessions
from shared.site.storage import storage

log = logging.getLogger("unrolled")
SHUTDOWN_SECONDS = 3  # how long a stopping site waits for the answers under way
SWEEP_INTERVAL_SECONDS = 60
OTHER_FILES = 1_000  # that the process opens besides connections
COMPRESSION_LEVEL = 5
SMALLEST_COMPRESSED_BYTES = 10_000


def mount(site, pages, settings):
    """The site as an ASGI application.

    Args:
        site: The `gr.Blocks` that `pages.build_site` returned.
        pages: Its list of `Page`.
        settings: The settings.
    """
    import gradio as gr
    from gradio.route_utils import FnIndexInferError
    from starlette.requests import ClientDisconnect

    from shared.site import theme
    from shared.site.pages import browser_title

    metadata = {
        page.path: {
            "path": page.path,
            "title": browser_title(page),
            "description": page.description,
        }
        for page in pages
    }
    gradio_patches.patch_all(metadata)
    # `Guard` limits how many requests wait, and of whom; nothing may go around the queue.
    site.queue(default_concurrency_limit=4, api_open=False)
    gradio_patches.take_fair_turns(site)
    gradio_patches.mark_as_launched(site)
    gradio_patches.keep_no_statistics(site)
    handlers = {
        OSError: guard.answer_full_disk,
        ClientDisconnect: guard.answer_broken_off,
        **dict.fromkeys((KeyError, FnIndexInferError), guard.answer_not_found),
        **dict.fromkeys((TypeError, UnicodeDecodeError), guard.answer_no_file),
    }
    parent = FastAPI(openapi_url=None)

    @parent.get("/preview.png", include_in_schema=False)
    def preview():
        return FileResponse(theme.STATIC / "preview.png")

    return gr.mount_gradio_app(
        parent,
        site,
        path="/",
        app_kwargs={"openapi_url": None, "exception_handlers": handlers},
        root_path=settings.root_path,
        theme=theme.build_theme(),
        head=theme.build_head(),
        favicon_path=theme.FAVICON,
        footer_links=["api", "gradio"],
        max_file_size=settings.max_upload_mb * 2**20,
        allowed_paths=[],
        show_error=False,
        ssr_mode=False,
        run_history=False,
        pwa=False,
        mcp_server=True,
    )


class OldLinks:
    """ASGI middleware that redirects addresses of earlier versions to the current pages.

    Until version 1.0 the site was one page: `/?tab=cells&lesson=race&units=32`. A final slash goes
    too. The answers are relative, so that they hold below any path of a proxy.

    Args:
        app: The ASGI application.
        paths: The paths of all pages.
    """

    def __init__(self, app, paths):
        self.app, self.paths = app, set(paths) - {""}

    async def __call__(self, scope, receive, send):
        target = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        target = target and self._target(scope)
        answer = RedirectResponse(target, 301) if target else self.app
        await answer(scope, receive, send)

    def _target(self, scope):
        """Where a request is redirected to, or None."""
        request = Request(scope)
        path = scope["path"].removeprefix(scope.get("root_path", "")).removeprefix("/")
        query = dict(request.query_params)
        if path.endswith("/") and path.rstrip("/") in self.paths:
            page, up = path.rstrip("/"), "../"
        elif path == "":
            page, up = query.pop("tab", ""), "./"
        else:
            page, up = path, "./"
        lesson = f"{page}-{query['lesson']}" if "lesson" in query else ""
        if query.pop("lesson", None) is not None and lesson in self.paths:
            page = lesson
        if page == path or page not in self.paths:
            return None
        return f"{up}{page}{'?' if query else ''}{urlencode(query)}"


class Server(uvicorn.Server):
    """The site at an address. When it is stopped, it delivers the answers under way first.

    Args:
        site: The `gr.Blocks` that `pages.build_site` returned.
        pages: Its list of `Page`.
        settings: The settings.
        on_start: Function that is called, in a thread, once the site answers; or None.
    """

    def __init__(self, site, pages, settings, on_start=None):
        self.site, self.on_start = site, on_start
        self.mounted = mount(site, pages, settings)
        # Gradio compresses its scripts, but not the page, which is larger than all of them.
        compressed = GZipMiddleware(self.mounted, SMALLEST_COMPRESSED_BYTES, COMPRESSION_LEVEL)
        self.visits = sessions.Visits(
            compressed, lambda event: gradio_patches.has_answer(site, event)
        )
        self.guard = guard.Guard(
            OldLinks(self.visits, [page.path for page in pages]),
            settings.max_upload_mb * 2**20,
            settings.requests_per_minute,
            settings.proxies,
            lambda: gradio_patches.waiting_requests(site),
            settings.frame_ancestors,
            settings.root_path,
            storage,
        )
        config = uvicorn.Config(
            self.guard,
            log_config=None,
            log_level="warning",
            server_header=False,
            proxy_headers=False,  # `Guard` reads them, where the settings say so
            timeout_graceful_shutdown=1,
            timeout_keep_alive=75,  # longer than proxies and scripts keep an idle connection
            http=connections.limit_connections(settings.proxies > 0),
            ws="none",
            h11_max_incomplete_event_size=limits.REQUEST_HEAD_BYTES,
        )
        super().__init__(config)

    def handle_exit(self, sig, frame):
        from shared.site import events

        self.guard.closing = True
        events.shutting_down.set()
        super().handle_exit(sig, frame)

    async def startup(self, sockets=None):
        await super().startup(sockets)
        asyncio.get_running_loop().set_exception_handler(log_loop_error)
        self._sweeping = asyncio.create_task(self._sweep_for_ever())
        if self.on_start:
            threading.Thread(target=self.on_start, daemon=True).start()

    async def _sweep_for_ever(self):
        """Every minute, delete what is kept of visitors no longer, and return freed memory."""
        ages = sessions.Ages()
        while True:
            gradio_patches.forget_files(self.site)
            gradio_patches.drop_sessions(self.site, self.visits.open)
            unfetched = ages.select(
                gradio_patches.list_answers(self.site), sessions.ANSWER_TTL_SECONDS
            )
            gradio_patches.drop_answers(self.site, unfetched)
            await asyncio.to_thread(storage.sweep)
            await asyncio.to_thread(trim_memory)
            await asyncio.sleep(SWEEP_INTERVAL_SECONDS)

    async def shutdown(self, sockets=None):
        end = time.monotonic() + SHUTDOWN_SECONDS
        while (
            gradio_patches.has_undelivered_answers(self.site)
            and time.monotonic() < end
            and not self.force_exit
        ):
            await asyncio.sleep(0.05)
        gradio_patches.refuse_waiting(self.site, guard.RESTARTING)
        gradio_patches.close_streams(self.mounted)
        self._sweeping.cancel()
        await super().shutdown(sockets)
        storage.clear()


def warm_up(functions):
    """Import Keras and call each function, which loads and compiles what first visitors need."""
    with without_modules("sklearn", "jax"):
        import keras  # noqa: F401

    from shared.compiled import compile_at_first_call

    for function in functions:
        try:
            with compile_at_first_call():
                function()
        except BundleError as problem:
            log.warning(problem)


@contextmanager
def without_modules(*names):
    """Within this context, this thread cannot import some modules.

    Keras and TensorFlow import scikit-learn and JAX where they are installed, and use them for
    nothing on this site: 3.5 s of CPU and 694 MB at import with them, 2.4 s and 531 MB without.
    """
    thread = threading.get_ident()

    class Finder:
        @staticmethod
        def find_spec(name, *_):
            if name in names and threading.get_ident() == thread:
                raise ModuleNotFoundError(name=name)

    sys.meta_path.insert(0, Finder)
    try:
        yield
    finally:
        sys.meta_path.remove(Finder)


def allow_connections():
    """Let the process have a file for each connection; macOS allows 256 unless it is asked."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.CONNECTIONS + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
