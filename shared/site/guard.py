"""The middleware between the network and the site: headers, limits, and refusals."""

import asyncio
import errno
import ipaddress
import logging
import re
import time
from collections import Counter

from starlette.responses import JSONResponse, PlainTextResponse

from shared import limits
from shared.settings import FRAME_ANCESTORS

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
}


def build_headers(frame_ancestors=FRAME_ANCESTORS):
    """The headers of every answer, by name.

    Args:
        frame_ancestors: The sites that may show the pages in a frame, as the directive of the
            Content Security Policy has them.
    """
    policy = {**POLICY, "frame-ancestors": frame_ancestors}
    return {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "permissions-policy": "camera=(self), geolocation=(), microphone=(), payment=(), usb=()",
        # Links hold what was typed, which other sites must not learn.
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }


# What Gradio serves besides the site: tools for its developers, and a store of sessions on disk.
CLOSED_PATHS = (
    "/login",
    "/monitoring",
    "/pwa_icon",
    "/gradio_api/deep_link",
    "/gradio_api/openapi.json",
    "/gradio_api/dev/",
    "/gradio_api/process_recording",
    "/gradio_api/proxy=",
    "/gradio_api/undo-vibe-edit",
    "/gradio_api/vibe-",
)
FILE_PATH = "/gradio_api/file="  # where Gradio serves what was uploaded and what is downloaded
API_PATH = "/gradio_api/"
QUEUE_PATHS = ("/gradio_api/queue/join", "/gradio_api/call/")  # where questions join the queue
QUESTION_PATHS = (
    *QUEUE_PATHS,
    *(f"/gradio_api/{name}" for name in ("stream/", "run/", "api/", "mcp")),
)
EXTERNAL_FILE = re.compile(r"/gradio_api/file[=/]/*https?:", re.IGNORECASE)
HOST = re.compile(r"[A-Za-z0-9_.:\[\]-]{0,255}")
# Keys in the scope of a request; the last is set where its connection is one too many.
VISITOR, BODY_BYTES, CROWDED = "unrolled.visitor", "unrolled.body_bytes", "unrolled.crowded"
MINUTE_SECONDS = 60
_BRACKET = re.compile(rb"[\[\]{}]")
RESTARTING = "This site is being restarted. Try again in a moment."
NOT_FOUND = "There is nothing here."
ADDRESS_GIVEN = "An address cannot stand for a file: upload the file itself."
FAILED = "What was sent does not fit, or the site has a fault. Reload the page and try again."
JSON_ONLY = "A question must be sent as JSON. Only uploads are forms with files."
TOO_BUSY = "This site is busy: too many questions wait for an answer. Try again in a minute."
DISK_FULL = "The disk of this site is full. Try again later."
TOO_MANY_CONNECTIONS = (
    "This site has as many open connections as it can hold, or as many from your address. Close "
    "other pages of it, and try again in a minute."
)
TOO_MUCH_WAITS = (
    "Much of what came from your address still waits. Send this again when that is answered."
)
OTHER_SITE = "This site answers its own pages and programs, not the pages of other sites."
BROKEN_OFF = "What was sent broke off before its end. Send it again."


class Guard:
    """ASGI middleware around the whole site: https://asgi.readthedocs.io.

    Args:
        app: The ASGI application.
        max_bytes: Most bytes of a question, and of each file of an upload.
        per_minute: Most requests with a body that a visitor may send in a minute; 0 for any.
        proxies: How many reverse proxies stand before the site. Each adds the address that it
            received the request from to `X-Forwarded-For`, so the visitor's is that far from the
            end.
        waiting: Function that gives the scopes of the requests that wait for their answers.
        frame_ancestors: The sites that may show the pages in a frame.
        root_path: Path below which a proxy serves the site. Gradio answers below it as well if the
            proxy does not remove it.
        storage: The `Storage` of uploads; None if there is room for every one.

    Attributes:
        closing: Whether the site is about to stop and accepts nothing new.
    """

    def __init__(
        self, app, max_bytes, per_minute=0, proxies=0, waiting=tuple,
        frame_ancestors=FRAME_ANCESTORS, root_path="", storage=None,
    ):  # fmt: skip
        self.app = app
        self.max_bytes = max_bytes
        self.per_minute = per_minute
        self.proxies = proxies
        self.waiting = waiting
        self.root_path = root_path or ""
        self.storage = storage
        self.closing = False
        self._headers = [
            (name.encode(), value.encode())
            for name, value in build_headers(frame_ancestors).items()
        ]
        self._minute, self._request_counts = 0, Counter()
        self._arriving_bytes = Counter()  # of requests that are not in the queue yet, by visitor
        self._open_requests = Counter()  # whose answers have not ended, by visitor

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                headers = self._answer_headers(self._path(scope), message)
                message = {**message, "headers": headers}
            await send(message)

        visitor = self.visitor(scope)
        scope = {**scope, "headers": self._trusted_headers(scope), VISITOR: visitor}
        self._open_requests[visitor] += 1
        try:
            await self._answer(scope, receive, send_with_headers)
        finally:
            self._open_requests[visitor] -= 1
            self._open_requests += Counter()  # drops visitors of whom none is open

    async def _answer(self, scope, receive, send):
        receive = limit_body(self._max_bytes(self._path(scope)), receive)
        if refusal := self._refusal(scope):
            await refusal(scope, receive, send)
        elif scope["method"] != "POST":
            await self.app(scope, receive, send)
        elif self._path(scope).endswith("/upload"):
            await self._pass_on_upload(scope, receive, send)
        else:
            await self._pass_on(scope, receive, send)

    async def _pass_on_upload(self, scope, receive, send):
        """Hand on an upload if there is room for it on the disk."""
        visitor, expected = scope[VISITOR], self._announced_bytes(scope)
        if not self.storage:
            await self.app(scope, *answer_after_body(receive, send))
        elif sentence := self.storage.refuse(visitor, expected):
            await refuse(self._path(scope), 507, sentence)(scope, receive, send)
        else:
            with self.storage.arriving(visitor, expected):
                await self.app(scope, *answer_after_body(receive, send))

    async def _pass_on(self, scope, receive, send):
        """Hand on a request whose body is JSON, once all of it has come and was checked."""
        visitor, expected = self.visitor(scope), self._announced_bytes(scope)
        if refusal := self._refuse_waiting_bytes(scope, visitor, expected):
            await refusal(scope, receive, send)
            return
        self._arriving_bytes[visitor] += expected
        try:
            body = await read_body(receive)
            if body is None:  # the visitor left, sent too much or took too long
                await refuse(self._path(scope), 400, BROKEN_OFF)(scope, receive, send)
                return
            if sentence := check_json(body):
                await refuse(self._path(scope), 413, sentence)(scope, receive, send)
                return
            scope[BODY_BYTES] = len(body)
            await self.app(scope, replay(body, receive), send)
        finally:
            self._arriving_bytes[visitor] -= expected
            self._arriving_bytes += Counter()  # drops visitors of whom nothing arrives

    def _trusted_headers(self, scope):
        """The request's headers without those that could give the site another's name."""
        untrusted = (
            {b"x-gradio-server"} if self.proxies else {b"x-gradio-server", b"x-forwarded-host"}
        )
        return [pair for pair in scope["headers"] if pair[0].lower() not in untrusted]

    def _answer_headers(self, path, message):
        """The headers of an answer: the application's as far as they hold, and the site's."""
        headers = [
            (name, value)
            for name, value in message.get("headers", [])
            # Gradio lets any other site read answers with the credentials of its visitors.
            if not name.lower().startswith(b"access-control-")
        ]
        # A photo is written anew while the browser fetches it: its length may change.
        if path.startswith(FILE_PATH) and message["status"] == 200:
            headers = [pair for pair in headers if pair[0].lower() != b"content-length"]
        types = [value for name, value in headers if name.lower() == b"content-type"]
        if path.endswith("/config") or any(each.startswith(b"text/html") for each in types):
            # A page names the address that it was asked for, which anybody can forge.
            headers = [pair for pair in headers if pair[0].lower() != b"cache-control"]
            headers.append((b"cache-control", b"no-store"))
        return [*headers, *self._headers]

    def _refusal(self, scope):
        """The answer to a request that the site does not see, or None."""
        path = self._path(scope)
        too_many = self._open_requests[scope[VISITOR]] > limits.CONNECTIONS_PER_VISITOR
        if scope.get(CROWDED) or too_many:
            refusal = refuse(path, 503, TOO_MANY_CONNECTIONS, MINUTE_SECONDS)
            refusal.headers["connection"] = "close"
            return refusal
        if path.startswith(CLOSED_PATHS):
            return refuse(path, 404, NOT_FOUND)
        if EXTERNAL_FILE.match(path):  # Gradio would fetch it and serve it as if it were the site's
            return refuse(path, 404, ADDRESS_GIVEN)
        if not HOST.fullmatch(_header(scope, b"host") or ""):
            return refuse(path, 400, NOT_FOUND)
        if scope["method"] != "POST":
            return None
        if self.closing:
            return refuse(path, 503, RESTARTING, 5)
        if _header(scope, b"sec-fetch-site") == "cross-site":
            return refuse(path, 403, OTHER_SITE)
        is_form = (_header(scope, b"content-type") or "").lower().startswith("multipart/")
        if is_form and not path.endswith("/upload"):  # Gradio would write its files to the disk
            return refuse(path, 415, JSON_ONLY)
        most = self._max_bytes(path)
        if self._announced_bytes(scope) > most:
            size = f"{most // 2**20:,} MB" if most >= 2**20 else f"{most // 1024:,} kB"
            return refuse(
                path, 413, f"This is more than {size}, the most that this site accepts at once."
            )
        if self.per_minute and (wait := self._seconds_to_wait(self.visitor(scope))):
            many = f"More than {self.per_minute:,} requests in a minute came from your address."
            return refuse(path, 429, f"{many} Try again in {wait} seconds.", wait)
        if path.startswith(QUEUE_PATHS) and (waiting := self.waiting()):
            if len(waiting) >= limits.WAITING_QUESTIONS:
                return refuse(path, 503, TOO_BUSY, MINUTE_SECONDS)
            visitor, most = self.visitor(scope), limits.WAITING_QUESTIONS_PER_VISITOR
            if sum(self.visitor(other) == visitor for other in waiting) >= most:
                many = f"{most} questions from your address wait for their answers."
                return refuse(path, 429, f"{many} Ask again when some have come.", 5)
        return None

    def _refuse_waiting_bytes(self, scope, visitor, expected):
        """The answer to a request beyond the bytes that may arrive or wait at once, or None."""
        largest = self.max_bytes + limits.REQUEST_OVERHEAD_BYTES
        of_visitor, of_all = self._arriving_bytes[visitor], self._arriving_bytes.total()
        for other in self.waiting():
            size = other.get(BODY_BYTES, 0)
            of_all += size
            of_visitor += size if self.visitor(other) == visitor else 0
        if of_all + expected > max(limits.WAITING_BYTES, largest):
            return refuse(self._path(scope), 503, TOO_BUSY, MINUTE_SECONDS)
        if of_visitor + expected > max(limits.WAITING_BYTES_PER_VISITOR, largest):
            return refuse(self._path(scope), 429, TOO_MUCH_WAITS, 5)
        return None

    def _max_bytes(self, path):
        if path.endswith("/upload"):
            return limits.UPLOAD_FILES * self.max_bytes + limits.REQUEST_OVERHEAD_BYTES
        if path.startswith(API_PATH) and not path.startswith(QUESTION_PATHS):
            return limits.SMALL_REQUEST_BYTES
        return self.max_bytes + limits.REQUEST_OVERHEAD_BYTES

    def _path(self, scope):
        """The path of a request below `root_path`."""
        path = scope["path"]
        while self.root_path and path.startswith(f"{self.root_path}/"):
            path = path.removeprefix(self.root_path)
        return path

    def _announced_bytes(self, scope):
        """The length of a request's body; the most that it may have where it is not announced."""
        length = _header(scope, b"content-length") or ""
        if length.isascii() and length.isdigit():
            return int(length[:20])
        chunked = _header(scope, b"transfer-encoding") is not None
        return self._max_bytes(self._path(scope)) if chunked else 0

    def _seconds_to_wait(self, visitor):
        minute, second = divmod(time.monotonic(), MINUTE_SECONDS)
        if minute != self._minute:  # forgets all visitors, so that it does not grow
            self._minute, self._request_counts = minute, Counter()
        self._request_counts[visitor] += 1
        too_many = self._request_counts[visitor] > self.per_minute
        return int(MINUTE_SECONDS - second) + 1 if too_many else 0

    def visitor(self, scope):
        """The visitor's address; of version 6 its first 64 bits, the network of a household."""
        address = (scope.get("client") or ("",))[0]
        forwarded = _header(scope, b"x-forwarded-for")
        hops = forwarded.split(",") if forwarded else []
        if 0 < self.proxies <= len(hops):
            address = hops[-self.proxies]
        return normalize_address(address)


def normalize_address(text):
    """An address of version 4, or the first 64 bits of one of version 6, without a port.

    Addresses of version 4 that a socket of version 6 has mapped become what they were.
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text[:64]
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network(f"{address}/64", strict=False))


def check_json(body):
    """A sentence that says why a body holds too much to be parsed, or None.

    Lists and numbers take up to fifty times the memory of their text. They are counted outside
    strings, in linear time, before anything is parsed.
    """
    sentence = (
        f"This request holds more than {limits.JSON_VALUES:,} values, or lists within lists, the "
        "most that this site accepts at once."
    )
    if b"\0" in body:  # text of 16 or 32 bits, which JSON must not be
        return sentence
    body = body.replace(rb"\\", b"").replace(rb"\"", b"")
    if body.count(b'"') > 4 * limits.JSON_VALUES:
        return sentence
    structure = b"".join(body.split(b'"')[::2])
    if sum(map(structure.count, (b",", b"[", b"{", b"]", b"}"))) > limits.JSON_VALUES:
        return sentence
    depth = deepest = 0
    for bracket in _BRACKET.findall(structure):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return sentence if deepest > limits.JSON_DEPTH else None


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


async def answer_not_found(request, error):
    """Exception handler: the answer where the event or file does not exist."""
    return refuse(request.url.path, 404, NOT_FOUND)


async def answer_broken_off(request, error):
    """Exception handler: the answer where the visitor left while sending, or sent too much."""
    return refuse(request.url.path, 400, BROKEN_OFF)


async def answer_no_file(request, error):
    """Exception handler: the answer to an upload without a file; other errors are raised again."""
    if not request.url.path.endswith("/upload"):
        raise error
    return refuse(request.url.path, 400, FAILED)


async def answer_full_disk(request, error):
    """Exception handler: the answer where the disk is full; other errors are raised again."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        raise error
    log.error("The disk is full.")
    return refuse(request.url.path, 507, DISK_FULL)


def _header(scope, name):
    """The values of a header joined by commas, or None."""
    values = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return ",".join(values) if values else None


def limit_body(max_bytes, receive):
    """`receive`, but hanging up after so many bytes, whatever length was announced.

    It hangs up as well where the body takes longer than `limits.REQUEST_SECONDS`.
    """
    remaining, more, end = max_bytes, True, time.monotonic() + limits.REQUEST_SECONDS

    async def receive_limited():
        nonlocal remaining, more
        if not more:  # the next message says that the visitor leaves, however late
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), end - time.monotonic())
        except TimeoutError:
            return {"type": "http.disconnect"}
        more = message.get("more_body", False)
        remaining -= len(message.get("body", b""))
        return message if remaining >= 0 else {"type": "http.disconnect"}

    return receive_limited


def answer_after_body(receive, send):
    """`receive` and `send` that hold an answer back until the whole body has come.

    The server closes the connection after an answer to half a body, and a client that is still
    sending then sees a broken connection instead of the sentence.
    """
    more = True

    async def receive_noting_the_end():
        nonlocal more
        message = await receive()
        more = message.get("more_body", False)
        return message

    async def send_after_body(message):
        while more:
            await receive_noting_the_end()
        await send(message)

    return receive_noting_the_end, send_after_body


async def read_body(receive):
    """The whole body of a request, or None if it breaks off."""
    parts = []
    while (message := await receive())["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)
    return None


def replay(body, receive):
    """A `receive` that hands over a body that was read, and then what comes next."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again():
        return messages.pop() if messages else await receive()

    return receive_again
