"""Fair turns: which of the questions that wait in a queue is answered next.

Turns go round between visitors, and between the pages of a visitor, by the seconds that their
questions take: start-time fair queueing (Goyal, Vin and Cheng 1997). A long question costs more
turns than a short one. No question is interrupted, so the last of several places is kept for
visitors who have nothing under way, and the last of three or more for short questions.
"""

from dataclasses import dataclass

from shared import limits

BYTES_PER_SECOND = 1_000  # expected of a question
RUNS = {"batch": "batches", "backtest": "backtests", "training": "trainings", "learning": "texts"}


@dataclass(frozen=True, eq=False)
class Question:
    """A question as the turns see it.

    Attributes:
        visitor: The visitor's address.
        page: The session of the page; None of a call without one.
        queue: The name of the queue in which it waits.
        size: Bytes of the request and of the page's link.
    """

    visitor: str
    page: str | None = None
    queue: str = "compute"
    size: int = 0

    @property
    def expected_seconds(self):
        """What it is charged until it is known how long it took."""
        return max(self.size, 1) / BYTES_PER_SECOND

    @property
    def is_long(self):
        """Whether it may take seconds."""
        return self.size > limits.LONG_QUESTION_BYTES


def refuse(question, pending):
    """Why a question cannot wait as well, as a sentence, or None.

    Args:
        question: The question.
        pending: All questions that wait or are under way.
    """
    own = [other for other in pending if other.visitor == question.visitor]
    of_page = [other for other in own if other.page == question.page]
    in_queue = [other for other in own if other.queue == question.queue]
    if question.queue in RUNS and len(in_queue) >= limits.WAITING_RUNS_PER_VISITOR:
        return (
            f"{len(in_queue)} {RUNS[question.queue]} from your address are under way or wait for "
            "their turn. Send this one when the first is done."
        )
    long = sum(other.is_long for other in own)
    if question.is_long and long >= limits.WAITING_LONG_QUESTIONS_PER_VISITOR:
        return f"{long} long questions from your address wait. Ask again when one is answered."
    if len(of_page) >= limits.WAITING_QUESTIONS_PER_PAGE:
        return f"{len(of_page)} of your questions wait. Ask again when some are answered."
    return None


class Turns:
    """The turns of one queue."""

    def __init__(self):
        self._visitors = _Shares()
        self._pages = {}  # the shares of a visitor's pages, by visitor

    def choose(self, waiting, under_way, places):
        """The question that begins now, or None.

        Args:
            waiting: Questions in the order in which they came.
            under_way: Questions that have begun and not ended.
            places: How many may be under way at once; None for any number.
        """
        free = None if places is None else places - len(under_way)
        if free is not None and free < 1:
            return None
        if free == 1 and places > 1:
            busy = {question.visitor for question in under_way}
            waiting = [
                question
                for question in waiting
                if question.visitor not in busy and not (question.is_long and places > 2)
            ]
        return min(waiting, key=self._turn, default=None)

    def _turn(self, question):
        pages = self._pages.get(question.visitor) or _Shares()
        return self._visitors.begin(question.visitor), pages.begin(question.page)

    def start(self, question):
        """Record that a question begins; it is charged the seconds expected of it."""
        pages = self._pages.setdefault(question.visitor, _Shares())
        for shares, owner in ((self._visitors, question.visitor), (pages, question.page)):
            shares.clock = shares.begin(owner)
        self._charge(question, question.expected_seconds)

    def end(self, question, seconds):
        """Record that a question that has begun took so many seconds."""
        self._charge(question, seconds - question.expected_seconds)

    def _charge(self, question, seconds):
        self._visitors.charge(question.visitor, seconds)
        if pages := self._pages.get(question.visitor):
            pages.charge(question.page, seconds)
        self._pages = {
            visitor: pages
            for visitor, pages in self._pages.items()
            if visitor in self._visitors.used
        }


class _Shares:
    """The seconds that visitors, or the pages of one, have used of a queue.

    Attributes:
        clock: When the last question began, in the seconds of who asked it. Whoever has not asked
            for a while begins there, so that nobody saves up turns.
        used: For all who are ahead of the clock, how far they are.
    """

    def __init__(self):
        self.clock, self.used = 0.0, {}

    def begin(self, owner):
        """When the next question of an owner begins: who is first has the next turn."""
        return max(self.clock, self.used.get(owner, 0))

    def charge(self, owner, seconds):
        self.used[owner] = self.begin(owner) + seconds
        self.used = {owner: used for owner, used in self.used.items() if used > self.clock}
