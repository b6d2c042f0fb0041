"""Limits of open connections: how many, of whom, and how long one may say nothing.

uvicorn limits how many requests it answers at once, but neither the connections that send no
request, nor those that send half of one, nor those that do not read their answer.
"""

from collections import Counter

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from shared import limits
from shared.site import guard

TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"connection: close\r\n\r\nThis request took too long to arrive. Send it again."
)


def limit_connections(has_proxies):
    """A class for `uvicorn.Config(http=…)`, which counts the connections of one server.

    Args:
        has_proxies: Whether visitors come through a proxy, whose own address then has no limit.
    """
    open_connections = Counter()  # by address

    class LimitedProtocol(H11Protocol):
        """A connection whose requests must arrive and whose answers must be read in time."""

        def connection_made(self, transport):
            super().connection_made(transport)
            self._timers = {}
            self._address = guard.normalize_address((self.client or ("",))[0])
            open_connections[self._address] += 1
            excess = open_connections.total() - limits.CONNECTIONS
            if not has_proxies:
                own = open_connections[self._address] - limits.CONNECTIONS_PER_VISITOR
                excess = max(excess, own)
            if excess > limits.REFUSED_CONNECTIONS:
                transport.abort()
            elif excess > 0:  # it gets a sentence once it has asked something
                self.app = _mark_as_crowded(self.app)
            self._start(self._end_request, limits.REQUEST_HEAD_SECONDS)

        def connection_lost(self, exc):
            super().connection_lost(exc)
            for end in list(self._timers):
                self._stop(end)
            open_connections[self._address] -= 1
            open_connections.__iadd__({})  # drops addresses without connections

        def data_received(self, data):
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:  # the head of a request has come
                self._stop(self._end_request)
            elif self._end_request not in self._timers:
                self._start(self._end_request, limits.REQUEST_HEAD_SECONDS)

        def pause_writing(self):
            super().pause_writing()
            self._start(self.transport.abort, limits.ANSWER_READING_SECONDS)

        def resume_writing(self):
            super().resume_writing()
            self._stop(self.transport.abort)

        def _start(self, end, seconds):
            self._timers[end] = self.loop.call_later(seconds, end)

        def _stop(self, end):
            if timer := self._timers.pop(end, None):
                timer.cancel()

        def _end_request(self):
            if self.conn.trailing_data[0] and not self.transport.is_closing():
                self.transport.write(TOO_SLOW)
            self.transport.close()

    return LimitedProtocol


def _mark_as_crowded(app):
    async def mark(scope, receive, send):
        await app({**scope, guard.CROWDED: True}, receive, send)

    return mark
