"""What the process keeps in memory for visitors: for how long, how much, and of whom.

A session is what Gradio holds for an open page, or for one that was just left.
"""

import dataclasses
import re
import sys
import time
from collections import Counter

import numpy as np

from shared import limits
from shared.site import guard

HEARTBEAT_PATH = "/gradio_api/heartbeat/"  # which a page keeps open, followed by its session
ANSWER_PATH = re.compile(r".*/gradio_api/call/[^/]*/([^/]+)")
SESSION_TTL_SECONDS = 600  # how long the session of a page that was left is kept
ANSWER_TTL_SECONDS = 300  # how long an answer waits for whoever asked through the API
NO_ANSWER = (
    "There is no such answer. It was fetched already, or was not fetched within "
    f"{ANSWER_TTL_SECONDS // 60} minutes: ask again."
)


class Visits:
    """ASGI middleware that knows which pages are open and which answers there are.

    Args:
        app: The ASGI application.
        has_answer: Function that says whether there is, or will be, an answer of an event's name.

    Attributes:
        open: How many connections pages keep open, by session.
    """

    def __init__(self, app, has_answer):
        self.app, self.has_answer, self.open = app, has_answer, Counter()

    async def __call__(self, scope, receive, send):
        path = scope.get("path", "")
        _, is_heartbeat, session = path.partition(HEARTBEAT_PATH)
        match = ANSWER_PATH.fullmatch(path)
        if match and scope["method"] == "GET" and not self.has_answer(match[1]):
            await guard.refuse(path, 404, NO_ANSWER)(scope, receive, send)
        elif is_heartbeat:
            self.open[session] += 1
            try:
                await self.app(scope, receive, send)
            finally:
                self.open[session] -= 1
                self.open += Counter()  # drops those that are closed
        else:
            await self.app(scope, receive, send)


class Ages:
    """For how long something has been the case, as far as regular looks at it can tell."""

    def __init__(self):
        self._since = {}

    def select(self, names, seconds):
        """Those of the names that were given at every look for so many seconds."""
        now = time.monotonic()
        self._since = {name: self._since.get(name, now) for name in names}
        return [name for name, since in self._since.items() if now - since >= seconds]


def choose_evicted(sessions, current):
    """The session that has to go, or None if those that there are may stay.

    Of too many sessions one goes that holds nothing, or else the one that was not used for longest
    of the visitor who has most; where they hold too many bytes, of the visitor who holds most.

    Args:
        sessions: Dict from the name of each session to its visitor and its bytes, in the order of
            their last use.
        current: Name of the session that has just been used, which stays.
    """
    counts, sizes = Counter(), Counter()
    for visitor, size in sessions.values():
        counts[visitor] += 1
        sizes[visitor] += size
    others = {name: each for name, each in sessions.items() if name != current}
    if len(sessions) > limits.SESSIONS:
        empty = [name for name, (_, size) in others.items() if not size]
        return empty[0] if empty else _first_of_largest(others, counts)
    if sizes.total() > limits.SESSION_BYTES:
        return _first_of_largest(others, sizes)
    visitor = sessions[current][0] if current in sessions else None
    if sizes[visitor] > limits.SESSION_BYTES_PER_VISITOR:
        return next((name for name, (whose, _) in others.items() if whose == visitor), None)
    return None


def _first_of_largest(sessions, shares):
    """The first session of the visitor whose share is largest."""
    largest = max((shares[visitor] for visitor, _ in sessions.values()), default=None)
    return next((name for name, (who, _) in sessions.items() if shares[who] == largest), None)


def count_bytes(value):
    """About how many bytes a value of a session takes: arrays, texts, and what contains them."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, dict):
        parts = [*value, *value.values()]
    elif isinstance(value, (list, tuple, set, frozenset)):
        parts = value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = [getattr(value, each.name) for each in dataclasses.fields(value)]
    else:
        return sys.getsizeof(value)
    return sys.getsizeof(value) + sum(map(count_bytes, parts))
