"""Connections that are too many, say nothing, or do not read are ended; the others are served."""

import asyncio
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from shared import limits
from shared.site import connections, guard
from tests import coroutines

TIMEOUT_SECONDS = 300
REQUEST = b"GET /%b HTTP/1.1\r\nhost: site\r\n\r\n"


@asynccontextmanager
async def serve(has_proxies=False, **options):
    """A function that connects to a small site behind a guard."""
    large = b"0" * 2**26

    async def answer(request):
        return PlainTextResponse(large if request.url.path == "/large" else "fine")

    app = Starlette(routes=[Route("/{path:path}", answer)])
    config = uvicorn.Config(
        guard.Guard(app, 2**20, proxies=int(has_proxies)),
        port=0,
        http=connections.limit_connections(has_proxies),
        ws="none",
        log_level="warning",
        **options,
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    port = server.servers[0].sockets[0].getsockname()[1]
    opened = []

    async def connect():
        opened.append(await asyncio.open_connection("127.0.0.1", port))
        return opened[-1]

    yield connect
    for _, writer in opened:
        writer.close()
    server.force_exit = True
    await server.shutdown()


def run(test):
    coroutines.run(asyncio.wait_for(test(), TIMEOUT_SECONDS))


async def ask(connection, path=b""):
    """The head and the body of an answer, without ending the connection."""
    reader, writer = connection
    writer.write(REQUEST % path)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length"))
    return head.decode(), (await reader.readexactly(int(length.split()[1]))).decode()


@pytest.mark.parametrize("limit", ["CONNECTIONS", "CONNECTIONS_PER_VISITOR"])
def test_one_connection_too_many_gets_a_sentence(monkeypatch, limit):
    monkeypatch.setattr(limits, limit, 2)
    monkeypatch.setattr(limits, "REFUSED_CONNECTIONS", 1)

    async def test():
        async with serve() as connect:
            first, second, third, fourth = [await connect() for _ in range(4)]
            head, body = await ask(third)
            assert head.startswith("HTTP/1.1 503") and "connection: close" in head
            assert guard.TOO_MANY_CONNECTIONS in body and "content-security-policy" in head
            assert await third[0].read() == b""  # ended
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await ask(fourth)
            for connection in (first, second):
                assert (await ask(connection))[1] == "fine"
            first[1].close()
            while "503" in (await ask(await connect()))[0]:  # until the site has noticed
                await asyncio.sleep(0.01)

    run(test)


def test_the_connections_of_a_proxy_are_those_of_many_visitors(monkeypatch):
    monkeypatch.setattr(limits, "CONNECTIONS_PER_VISITOR", 1)

    async def test():
        async with serve(has_proxies=True) as connect:
            for connection in [await connect() for _ in range(4)]:
                assert (await ask(connection))[1] == "fine"

    run(test)


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nhost: si"])
def test_a_request_that_does_not_arrive_is_ended(monkeypatch, sent):
    monkeypatch.setattr(limits, "REQUEST_HEAD_SECONDS", 0.2)

    async def test():
        async with serve() as connect:
            reader, writer = await connect()
            writer.write(sent)
            other = await connect()
            assert (await ask(other))[1] == "fine"
            said = (await reader.read()).decode()
            assert said.startswith("HTTP/1.1 408") == bool(sent)
            assert said.endswith("Send it again.") == bool(sent)
            await asyncio.sleep(0.5)
            assert (await ask(other))[1] == "fine"  # an answered connection may wait
            other[1].write(sent or b"GET")
            assert b"408" in await other[0].read()

    run(test)


def test_a_trickle_of_headers_does_not_hold_a_connection(monkeypatch):
    monkeypatch.setattr(limits, "REQUEST_HEAD_SECONDS", 0.2)

    async def test():
        async with serve() as connect:
            reader, writer = await connect()
            writer.write(b"GET / HTTP/1.1\r\nx: ")
            reading = asyncio.create_task(reader.read())
            while not reading.done():
                writer.write(b"a")
                await asyncio.sleep(0.01)
            assert b"408" in reading.result()

    run(test)


def test_an_answer_that_is_not_read_is_ended(monkeypatch):
    monkeypatch.setattr(limits, "ANSWER_READING_SECONDS", 0.2)

    async def test():
        async with serve() as connect:
            reader, writer = await connect()
            reader._transport.pause_reading()
            writer.write(REQUEST % b"large")
            await asyncio.sleep(1)
            reader._transport.resume_reading()
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(2**26)
            assert (await ask(await connect()))[1] == "fine"

    run(test)


def test_an_answer_that_is_read_slowly_arrives(monkeypatch):
    monkeypatch.setattr(limits, "REQUEST_HEAD_SECONDS", 0.2)

    async def test():
        async with serve() as connect:
            reader, writer = await connect()
            reader._transport.pause_reading()
            writer.write(REQUEST % b"large")
            await asyncio.sleep(0.5)
            reader._transport.resume_reading()
            await reader.readuntil(b"\r\n\r\n")
            assert len(await reader.readexactly(2**26)) == 2**26

    run(test)


def test_a_request_with_too_much_in_its_head_is_refused():
    async def test():
        options = {"h11_max_incomplete_event_size": limits.REQUEST_HEAD_BYTES}
        async with serve(**options) as connect:
            reader, writer = await connect()
            writer.write(b"GET / HTTP/1.1\r\nx: " + b"a" * 2 * limits.REQUEST_HEAD_BYTES)
            assert (await reader.read()).startswith(b"HTTP/1.1 400")

    run(test)
