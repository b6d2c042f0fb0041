"""What stands between the network and the site: headers, limits, and the last minute."""

import asyncio
import errno
import ipaddress
import logging
import re
import time
from collections import Counter

from starlette.responses import JSONResponse, PlainTextResponse

log = logging.getLogger("unrolled")

# Gradio's page writes its settings into scripts of its own and compiles the handlers of buttons,
# so scripts may stand in the page and be made from text; nothing may come from elsewhere.
POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'self' https://huggingface.co https://*.hf.space",
}
HEADERS = {
    "content-security-policy": "; ".join(f"{name} {what}" for name, what in POLICY.items()),
    "permissions-policy": "camera=(self), geolocation=(), microphone=(), payment=(), usb=()",
    # Links hold what was typed: other sites do not hear of it.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
# What Gradio answers besides the site: tools for its developers, and a store of sessions on disk.
CLOSED = (
    "/login",
    "/monitoring",
    "/gradio_api/deep_link",
    "/gradio_api/openapi.json",
    "/gradio_api/dev/",
    "/gradio_api/process_recording",
    "/gradio_api/proxy=",
    "/gradio_api/undo-vibe-edit",
    "/gradio_api/vibe-",
)
FILES = "/gradio_api/file="  # where Gradio serves what was uploaded and what is downloaded
ELSEWHERE = re.compile(r"/gradio_api/file[=/]/*https?:", re.IGNORECASE)
FILES_AT_ONCE = 10  # of the largest size that one upload may hold
SLACK = 2**20  # bytes of a request besides its content
ASKING = ("/gradio_api/queue/join", "/gradio_api/call/")  # where questions are taken
WAITING, OF_ONE = 256, 100  # most questions that wait for an answer, and of one visitor
MINUTE = 60  # seconds
BODY = 600  # seconds in which a request must have arrived
RESTART = "This site is being restarted. Try again in a moment."
NOTHING = "There is nothing here."
UPLOAD = "An address cannot stand for a file: upload the file itself."
FAULT = "What was sent does not fit, or the site has a fault. Reload the page and try again."
BUSY = "This site is busy: too many questions wait for an answer. Try again in a minute."
FULL = "The disk of this site is full. Try again later."
BROKEN = "What was sent broke off before its end. Send it again."


class Guard:
    """ASGI middleware around the whole site: https://asgi.readthedocs.io.

    Args:
        app: The ASGI application.
        max_bytes: Most bytes of a request, and of each file of an upload.
        per_minute: Most requests with a body that a visitor may send in a minute; 0 for any.
        proxies: How many reverse proxies stand before the site. Each adds the address that it
            was asked from to `X-Forwarded-For`, so the visitor's is that far from the end.
        waiting: Function that gives the scopes of the requests whose answers are due.

    Attributes:
        closing: Whether the site is about to stop: nothing new is begun.
    """

    def __init__(self, app, max_bytes, per_minute=0, proxies=0, waiting=tuple):
        self.app = app
        self.max_bytes = max_bytes
        self.per_minute = per_minute
        self.proxies = proxies
        self.waiting = waiting
        self.closing = False
        self._minute, self._sent = 0, Counter()

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                own = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                given = message.get("headers", [])
                # A photo is written anew while the browser fetches it: its length may change.
                if scope["path"].startswith(FILES) and message["status"] == 200:
                    given = [pair for pair in given if pair[0].lower() != b"content-length"]
                message = {**message, "headers": [*given, *own]}
            await send(message)

        answer = self._refusal(scope) or self.app
        most = self._most_bytes(scope["path"])
        await answer(scope, _at_most(most, receive), send_with_headers)

    def _refusal(self, scope):
        """The answer to a request that the site does not see, or None."""
        path = scope["path"]
        if path.startswith(CLOSED):
            return refuse(path, 404, NOTHING)
        if ELSEWHERE.match(path):  # Gradio would fetch it, and hand it on as if it were the site's
            return refuse(path, 404, UPLOAD)
        if scope["method"] != "POST":
            return None
        if self.closing:
            return refuse(path, 503, RESTART, 5)
        length = _header(scope, b"content-length") or "0"
        if length.isdigit() and int(length) > self._most_bytes(path):
            most = f"{self._most_bytes(path) // 2**20:,} MB"
            return refuse(
                path, 413, f"This is more than {most}, the most that this site accepts at once."
            )
        if self.per_minute and (wait := self._seconds_to_wait(self.visitor(scope))):
            many = f"More than {self.per_minute:,} requests in a minute came from your address."
            return refuse(path, 429, f"{many} Try again in {wait} seconds.", wait)
        if path.startswith(ASKING) and (waiting := self.waiting()):
            if len(waiting) >= WAITING:
                return refuse(path, 503, BUSY, MINUTE)
            own = self.visitor(scope)
            if sum(self.visitor(other) == own for other in waiting) >= OF_ONE:
                many = f"{OF_ONE} questions from your address wait for their answers."
                return refuse(path, 429, f"{many} Ask again when some have come.", 5)
        return None

    def _most_bytes(self, path):
        files = FILES_AT_ONCE if path.endswith("/upload") else 1
        return files * self.max_bytes + SLACK

    def _seconds_to_wait(self, visitor):
        minute, second = divmod(time.monotonic(), MINUTE)
        if minute != self._minute:  # forgets all visitors, so that it does not grow
            self._minute, self._sent = minute, Counter()
        self._sent[visitor] += 1
        return int(MINUTE - second) + 1 if self._sent[visitor] > self.per_minute else 0

    def visitor(self, scope):
        """Who asks: an address, of version 6 the network of a household (its first 64 bits)."""
        address = (scope.get("client") or ("",))[0]
        forwarded = _header(scope, b"x-forwarded-for")
        hops = [hop.strip() for hop in forwarded.split(",")] if forwarded else []
        if 0 < self.proxies <= len(hops):
            address = hops[-self.proxies]
        try:
            wide = ipaddress.ip_address(address).version == 6
        except ValueError:
            return address
        return str(ipaddress.ip_network(f"{address}/64", strict=False)) if wide else address


def refuse(path, status, sentence, retry_after=None):
    """An answer with a sentence, in the form in which Gradio's page shows it.

    Args:
        path: Of the request.
        status: Of the answer.
        sentence: What is wrong and what would work.
        retry_after: Seconds after which it may, or None.
    """
    headers = {"retry-after": str(retry_after)} if retry_after else None
    if path.endswith("/upload"):
        return PlainTextResponse(sentence, status, headers)
    return JSONResponse({"detail": sentence}, status, headers)


async def unknown(request, error):
    """The answer to a question to what is not there, for `exception_handlers`."""
    return refuse(request.url.path, 404, NOTHING)


async def broken_off(request, error):
    """The answer to who left while sending, or sent too much, for `exception_handlers`."""
    return refuse(request.url.path, 400, BROKEN)


async def no_form(request, error):
    """The answer to an upload that holds no file, for `exception_handlers`; others go on."""
    if not request.url.path.endswith("/upload"):
        raise error
    return refuse(request.url.path, 400, FAULT)


async def full_disk(request, error):
    """The answer where the disk has no room, for `exception_handlers`; other errors go on."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        raise error
    log.error("The disk is full.")
    return refuse(request.url.path, 507, FULL)


def _header(scope, name):
    """The values of a header joined by commas, or None."""
    found = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return ",".join(found) if found else None


def _at_most(most, receive):
    """The same `receive` that hangs up after so many bytes, whatever length was announced.

    It does so as well where the whole takes longer than `BODY` seconds.
    """
    left, more, end = most, True, time.monotonic() + BODY

    async def counted():
        nonlocal left, more
        if not more:  # what comes now is that the visitor leaves, however late
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), end - time.monotonic())
        except TimeoutError:
            return {"type": "http.disconnect"}
        more = message.get("more_body", False)
        left -= len(message.get("body", b""))
        return message if left >= 0 else {"type": "http.disconnect"}

    return counted
