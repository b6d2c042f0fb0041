import asyncio
import errno
import json

import pytest
from starlette.applications import Starlette
from starlette.responses import FileResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from shared import limits
from shared.site import guard
from shared.site.storage import NO_ROOM, Storage
from tests import coroutines


async def take(request):
    return PlainTextResponse(str(len(await request.body())))


def client(address="198.51.100.7", **options):
    """A client of an application behind a guard; it answers with the length of what it got."""
    paths = ("/ask", "/gradio_api/upload", "/monitoring", "/gradio_api/proxy=http://a")
    inner = Starlette(routes=[Route(path, take, methods=["GET", "POST"]) for path in paths])
    return TestClient(
        guard.Guard(inner, **{"max_bytes": 2**20, **options}), client=(address, 50000)
    )


@pytest.fixture
def clock(monkeypatch):
    """Seconds on the guard's clock, to be set."""
    seconds = [1000.0]
    monkeypatch.setattr(guard.time, "monotonic", lambda: seconds[0])
    return seconds


def test_every_answer_has_the_headers():
    site = client(per_minute=1)
    site.post("/ask")
    for answer in (site.get("/ask"), site.get("/nowhere"), site.get("/monitoring"), site.post("/")):
        assert guard.build_headers().items() <= dict(answer.headers).items()


def test_a_file_that_is_written_anew_while_it_is_fetched_arrives_whole(tmp_path):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"as sent")
    before = photo.stat()
    photo.write_bytes(b"without what it said besides")

    async def fetch(request):
        return FileResponse(photo, stat_result=before)

    paths = ("/gradio_api/file=photo.jpg", "/photo.jpg")
    inner = Starlette(routes=[Route(path, fetch) for path in paths])
    served, plain = map(TestClient(guard.Guard(inner, 1)).get, paths)
    assert "content-length" not in served.headers  # a server refuses bytes beyond it
    assert served.content == photo.read_bytes()
    assert plain.headers["content-length"] == "7"


def test_a_page_may_load_from_its_own_site_alone_and_be_framed_by_a_space():
    policy = dict(
        part.split(" ", 1) for part in guard.build_headers()["content-security-policy"].split("; ")
    )
    assert policy.pop("frame-ancestors").split() == [
        "'self'",
        "https://huggingface.co",
        "https://*.hf.space",
    ]
    assert policy["default-src"] == "'self'"
    assert all("http" not in allowed and "*" not in allowed for allowed in policy.values())
    assert "camera=(self)" in guard.build_headers()["permissions-policy"]


def test_more_than_the_limit_in_a_minute_gets_a_sentence_and_when_to_return(clock):
    site = client(per_minute=3)
    clock[0] = 60 * 20 + 45.5
    assert [site.post("/ask").status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = site.post("/ask")
    assert answer.json()["detail"].startswith("More than 3 requests in a minute")
    assert "Try again in 15 seconds." in answer.json()["detail"]
    assert answer.headers["retry-after"] == "15"
    assert site.get("/ask").status_code == 200
    clock[0] += 15
    assert site.post("/ask").status_code == 200


def test_each_visitor_has_a_limit_of_their_own(clock):
    site = guard.Guard(None, 1, per_minute=1)
    first, second = ({"client": (f"198.51.100.{n}", 1), "headers": []} for n in (1, 2))
    waits = [site._seconds_to_wait(site.visitor(scope)) for scope in (first, second, first)]
    assert waits[:2] == [0, 0] and waits[2] > 0


def test_without_a_limit_nobody_waits(clock):
    site = client()
    assert {site.post("/ask").status_code for _ in range(50)} == {200}


@pytest.mark.parametrize(
    ("proxies", "forwarded", "visitor"),
    [
        (0, ["203.0.113.9"], "10.0.0.1"),  # anybody can write this
        (1, ["192.0.2.66, 203.0.113.9"], "203.0.113.9"),
        (1, ["192.0.2.66", "203.0.113.9"], "203.0.113.9"),
        (2, ["192.0.2.66, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        (2, ["203.0.113.9"], "10.0.0.1"),
        (1, [], "10.0.0.1"),
        (1, ["2001:db8:1:2:aaaa::1"], "2001:db8:1:2::/64"),
        (1, ["unknown"], "unknown"),
        (1, ["203.0.113.9:4711"], "203.0.113.9"),
        (1, ["[2001:db8:1:2:aaaa::1]:4711"], "2001:db8:1:2::/64"),
        (1, ["fe80::1%eth0"], "fe80::/64"),
        (1, ["::ffff:203.0.113.9"], "203.0.113.9"),
    ],
)
def test_a_proxy_is_believed_where_the_settings_name_it(proxies, forwarded, visitor):
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    scope = {"client": ("10.0.0.1", 50000), "headers": headers}
    assert guard.Guard(None, 1, proxies=proxies).visitor(scope) == visitor


def test_visitors_of_version_4_are_told_apart_on_a_socket_of_version_6():
    scopes = [{"client": (f"::ffff:127.0.0.{n}", 1), "headers": []} for n in (2, 3)]
    assert [guard.Guard(None, 1).visitor(scope) for scope in scopes] == ["127.0.0.2", "127.0.0.3"]


def waits(count, address):
    """So many questions from an address, whose answers are due."""
    return [{"client": (address, 1), "headers": []}] * count


def test_one_visitor_does_not_take_the_whole_queue():
    paths = ("/gradio_api/queue/join", "/gradio_api/call/read")
    inner = Starlette(routes=[Route(path, take, methods=["POST"]) for path in paths])
    due = waits(limits.WAITING_QUESTIONS_PER_VISITOR, "198.51.100.7")
    site = guard.Guard(inner, 2**20, waiting=lambda: due)
    greedy, other = (TestClient(site, client=(f"198.51.100.{n}", 1)) for n in (7, 8))
    for path in paths:
        refused = greedy.post(path)
        assert refused.status_code == 429
        assert refused.json()["detail"].startswith("100 questions from your address wait")
        assert other.post(path).status_code == 200
    due.pop()
    assert greedy.post(paths[0]).status_code == 200
    due.extend(waits(limits.WAITING_QUESTIONS - len(due), "203.0.113.9"))
    refused = other.post(paths[0])
    assert (refused.status_code, refused.json()["detail"]) == (503, guard.TOO_BUSY)


def test_one_visitor_does_not_hold_open_all_streams(monkeypatch):
    monkeypatch.setattr(limits, "CONNECTIONS_PER_VISITOR", 2)

    async def test():
        go = asyncio.Event()

        async def stream(scope, receive, send):
            await go.wait()
            await PlainTextResponse("all of it")(scope, receive, send)

        site = guard.Guard(stream, 2**20, proxies=1)

        async def open_stream(visitor):
            said = []

            async def send(message):
                said.append(message.get("status") or message["body"].decode())

            headers = [(b"x-forwarded-for", visitor.encode())]
            scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
            await site(scope, None, send)
            return said

        streams = [asyncio.create_task(open_stream("203.0.113.1")) for _ in range(2)]
        await asyncio.sleep(0)
        status, sentence = await open_stream("203.0.113.1")
        assert status == 503 and guard.TOO_MANY_CONNECTIONS in sentence
        other = asyncio.create_task(open_stream("203.0.113.2"))
        await asyncio.sleep(0)
        go.set()
        assert await asyncio.gather(*streams, other) == [[200, "all of it"]] * 3
        assert await open_stream("203.0.113.1") == [200, "all of it"]
        assert not site._open_requests

    coroutines.run(test())


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=https://example.org/a.html",
        "/gradio_api/file=HTTP://example.org/a.html",
        "/gradio_api/file/https://example.org/a.html",
        "/gradio_api/file=/https:/example.org/a.html",
        "/gradio_api/file=%68ttps://example.org/a.html",
    ],
)
def test_no_address_is_fetched_for_anybody(path):
    inner = Starlette(routes=[Route("/{path:path}", take)])
    answer = TestClient(guard.Guard(inner, 1)).get(path)
    assert (answer.status_code, answer.json()["detail"]) == (404, guard.ADDRESS_GIVEN)


@pytest.mark.parametrize(("path", "most"), [("/ask", 2), ("/gradio_api/upload", 11)])
def test_a_request_that_is_too_long_is_refused_unread(path, most):
    site = client()
    assert site.post(path, content=b"0" * (most * 2**20)).status_code == 200
    answer = site.post(path, content=b"0" * (most * 2**20 + 1))
    assert answer.status_code == 413
    assert f"{most} MB" in answer.text


def test_an_upload_for_which_there_is_no_room_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(limits, "KEPT_BYTES_PER_VISITOR", 5)
    uploads = client(storage=Storage())
    assert uploads.post("/gradio_api/upload", content=b"12345").status_code == 200
    folder = Storage().make_folder("somebody")
    (folder / "a.zip").write_bytes(b"1")
    assert uploads.post("/gradio_api/upload", content=b"12345").status_code == 200
    monkeypatch.setattr(limits, "KEPT_BYTES", limits.LEAST_FILE_BYTES)
    refused = uploads.post("/gradio_api/upload", content=b"12345")
    assert (refused.status_code, refused.text) == (507, NO_ROOM)


def test_an_upload_is_answered_once_all_of_it_has_come():
    messages = [{"type": "http.request", "body": b"0", "more_body": left} for left in range(9)]
    left_at_answer = []

    async def refuse_at_once(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 413, "headers": []})

    async def receive():
        return messages.pop()

    async def send(message):
        left_at_answer.append(len(messages))

    scope = {
        "type": "http", "method": "POST", "path": "/gradio_api/upload",
        "headers": [(b"host", b"a.org")],
    }  # fmt: skip
    coroutines.run(guard.Guard(refuse_at_once, 100)(scope, receive, send))
    assert left_at_answer == [0]


def test_a_request_of_no_announced_length_ends_at_the_limit():
    chunk = b"0" * 2**19

    async def read():
        async def endless():
            return {"type": "http.request", "body": chunk, "more_body": True}

        read, receive = 0, guard.limit_body(3 * len(chunk), endless)
        while (message := await receive())["type"] == "http.request":
            read += len(message["body"])
        return read

    assert coroutines.run(read()) == 3 * len(chunk)


@pytest.mark.parametrize("ended", [False, True])
def test_a_request_that_does_not_end_is_hung_up(monkeypatch, ended):
    monkeypatch.setattr(limits, "REQUEST_SECONDS", 0.05)

    async def read():
        messages = [{"type": "http.request", "body": b"0", "more_body": not ended}]

        async def receive():
            if messages:
                return messages.pop()
            await asyncio.sleep(0.2)
            return {"type": "http.disconnect", "by": "the visitor"}

        receive = guard.limit_body(100, receive)
        return [await receive(), await receive()]

    first, second = coroutines.run(read())
    assert first["body"] == b"0"
    assert second == {"type": "http.disconnect", **({"by": "the visitor"} if ended else {})}


@pytest.mark.parametrize("path", ["/monitoring", "/gradio_api/proxy=http://a"])
def test_what_the_site_does_not_need_is_not_there(path):
    assert client().get(path).status_code == 404


@pytest.mark.parametrize(("number", "status"), [(errno.ENOSPC, 507), (errno.EIO, 500)])
def test_a_full_disk_gets_a_sentence_and_other_errors_go_on(number, status):
    async def write(request):
        raise OSError(number, "reason", "/secret/path")

    inner = Starlette(
        routes=[Route("/ask", write)], exception_handlers={OSError: guard.answer_full_disk}
    )
    answer = TestClient(inner, raise_server_exceptions=False).get("/ask")
    assert answer.status_code == status
    assert ("disk of this site is full" in answer.text) == (status == 507)
    assert "secret" not in answer.text


def echo(paths=("/gradio_api/call/read",), **options):
    """A client of an application that answers with the headers of the request, as JSON."""

    async def answer(request):
        await request.body()
        sent = request.headers.get("x-answer", "text/html")
        headers = {"content-type": sent, "cache-control": "max-age=60"}
        headers["access-control-allow-origin"] = request.headers.get("origin", "*")
        headers["access-control-allow-credentials"] = "true"
        return PlainTextResponse(json.dumps(dict(request.headers)), headers=headers)

    inner = Starlette(routes=[Route(path, answer, methods=["GET", "POST"]) for path in paths])
    return TestClient(guard.Guard(inner, **{"max_bytes": 2**20, **options}))


@pytest.mark.parametrize(("proxies", "kept"), [(0, set()), (1, {"x-forwarded-host"})])
def test_nobody_gives_the_site_another_s_name(proxies, kept):
    names = {"x-forwarded-host": "evil.example", "x-gradio-server": "http://evil.example"}
    site = echo(("/",), proxies=proxies)
    assert names.keys() & site.get("/", headers=names).json().keys() == kept
    assert site.get("/", headers={"host": 'a"><script>'}).status_code == 400
    assert site.get("/", headers={"host": "[2001:db8::1]:7860"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "kind", "stored"),
    [
        ("/", "text/html; charset=utf-8", "no-store"),
        ("/sentiment", "text/html", "no-store"),
        ("/config", "application/json", "no-store"),
        ("/static/site.js", "text/javascript", "max-age=60"),
    ],
)
def test_pages_are_not_stored_by_caches(path, kind, stored):
    answer = echo((path,)).get(path, headers={"x-answer": kind})
    assert answer.headers.get_list("cache-control") == [stored]


def test_other_sites_neither_read_answers_nor_ask_questions():
    site, path = echo(), "/gradio_api/call/read"
    answer = site.post(path, json={}, headers={"origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert site.post(path, json={}, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert site.post(path, json={}, headers={"sec-fetch-site": "same-origin"}).status_code == 200


@pytest.mark.parametrize("path", ["/gradio_api/component_server", "/gradio_api/call/read"])
def test_only_uploads_are_forms_with_files(path):
    site, upload = echo((path, "/gradio_api/upload")), "/gradio_api/upload"
    files = {"file": ("a.png", b"x" * 100)}
    answer = site.post(path, files=files)
    assert (answer.status_code, answer.json()) == (415, {"detail": guard.JSON_ONLY})
    assert site.post(path, json={}).status_code == site.post(upload, files=files).status_code == 200


def test_the_sites_that_may_frame_the_pages_can_be_set():
    answer = echo(("/",), frame_ancestors="'self' https://school.example").get("/")
    policy = answer.headers["content-security-policy"]
    assert policy.endswith("; frame-ancestors 'self' https://school.example")


def test_requests_that_hold_no_question_are_small():
    paths = (
        "/gradio_api/component_server",
        "/gradio_api/cancel",
        "/gradio_api/call/read",
        "/gradio_api/stream/id",
    )  # of a live camera
    site = echo(paths)
    small = b'{"data": "' + b"x" * (limits.SMALL_REQUEST_BYTES - 12) + b'"}'
    for path in paths[:2]:
        assert site.post(path, content=small).status_code == 200
        answer = site.post(path, content=small + b" ")
        assert answer.status_code == 413 and "64 kB" in answer.text
    for path in paths[2:]:
        assert site.post(path, content=small + b" ").status_code == 200


NESTED = b"[" * (limits.JSON_DEPTH + 1) + b"]" * (limits.JSON_DEPTH + 1)


@pytest.mark.parametrize(
    ("body", "accepted"),
    [
        (b'{"data": ["%s", "lstm"]}' % (b"[[,{" * 100_000), True),
        (b'{"data": ["%s"]}' % (b'\\"[,]' * 100_000), True),
        (b'{"data": ["%s"]}' % (rb"\\" * 100_000), True),
        (b'{"data": [[%s"a"]]}' % (b'"a", ' * 10_000), True),
        (b'{"data": [[%s[]]]}' % (b"[]," * limits.JSON_VALUES), False),
        (b'{"data": [%s1]}' % (b"1," * limits.JSON_VALUES), False),
        (b'{"data": [["\\\\", %s1]]}' % (b"1," * limits.JSON_VALUES), False),
        (b'{"data": [%s1]}' % (b'"\\"",' * limits.JSON_VALUES), False),
        (b'"' * 1_000_000, False),
        (NESTED, False),
        (NESTED[1:-1], True),
        ('["[],[],"]'.encode("utf-16-le"), False),
    ],
)
def test_what_would_grow_when_it_is_parsed_is_refused_before(body, accepted):
    answer = echo().post("/gradio_api/call/read", content=body)
    assert answer.status_code == (200 if accepted else 413)
    if not accepted:
        assert "more than 20,000 values" in answer.json()["detail"]


@pytest.mark.parametrize("piece", [b'"', b"[", b"]", b'\\"', b"\\", b'"a",', b"x"])
def test_checking_a_request_takes_linear_time(piece, growth):
    count = 20 * 2**20 // len(piece)
    large, small = (b'["' + piece * many for many in (count, count // 2))
    assert growth(guard.check_json, large, small) < 2.5


def test_what_waits_has_a_limit_in_bytes_for_each_visitor_and_in_all(monkeypatch):
    monkeypatch.setattr(limits, "WAITING_BYTES_PER_VISITOR", 3 * 2**20)
    monkeypatch.setattr(limits, "WAITING_BYTES", 5 * 2**20)
    due, path = [], "/gradio_api/call/read"

    async def join(request):
        due.append(request.scope)
        return PlainTextResponse(str(len(await request.body())))

    inner = Starlette(routes=[Route(path, join, methods=["POST"])])
    site = guard.Guard(inner, 2**20, waiting=lambda: due)
    first, second, third = (TestClient(site, client=(f"198.51.100.{n}", 1)) for n in (1, 2, 3))
    megabyte = b'"' + b"x" * (2**20 - 2) + b'"'
    statuses = [first.post(path, content=megabyte).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    statuses = [second.post(path, content=megabyte).status_code for _ in range(3)]
    assert statuses == [200, 200, 503]
    assert third.post(path, content=megabyte).status_code == 503
    due.clear()
    assert third.post(path, content=megabyte).text == str(2**20)
    assert not site._arriving_bytes


def test_what_arrives_counts_before_it_is_there(monkeypatch):
    monkeypatch.setattr(limits, "WAITING_BYTES_PER_VISITOR", 2**20)
    sent = []

    async def ask():
        never = asyncio.Event()
        site = guard.Guard(None, 2**19)
        scope = {
            "type": "http", "method": "POST", "path": "/gradio_api/call/read",
            "client": ("198.51.100.7", 1), "headers": [(b"content-length", b"900000")],
        }  # fmt: skip

        async def send(message):
            sent.append(message)

        slow = asyncio.create_task(site(scope, never.wait, send))
        await asyncio.sleep(0)
        await asyncio.wait_for(site(scope, never.wait, send), 60)
        slow.cancel()

    coroutines.run(ask())
    assert sent[0]["status"] == 429


@pytest.mark.parametrize("prefix", ["/unrolled", "/unrolled/unrolled"])
def test_a_path_below_the_root_path_is_guarded_too(prefix):
    paths = [f"{prefix}/monitoring", f"{prefix}/gradio_api/cancel"]
    site = echo(paths, root_path="/unrolled")
    assert site.get(paths[0]).status_code == 404
    assert site.post(paths[1], content=b" " * (limits.SMALL_REQUEST_BYTES + 1)).status_code == 413
