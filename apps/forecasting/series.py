"""A series of closing prices, as everything in this application reads it."""

from dataclasses import dataclass, replace

import numpy as np

MIN_PRICES = 61  # closing prices that a forecast needs: 20 for a first volatility, 40 to read


@dataclass(frozen=True)
class Reading:
    """How a series was read from a file, for the visitor to check.

    Attributes:
        column: Name of the column of prices, or its number where there are no headings.
        columns: How many columns the file has.
        order: `"oldest first"`, `"newest first"` or `"in no order"`.
        role: `"close"`, `"adjusted"`, or None where the column's name says neither.
        choices: Names of the columns of numbers, which can be read instead.
    """

    column: str
    columns: int
    order: str
    role: str | None
    choices: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Series:
    """Closing prices by date, oldest first, with the day's range where it is known.

    Attributes:
        name: Ticker or title.
        dates: Array `(days,)` of `datetime64[D]`, increasing.
        close: Array `(days,)` of positive floats.
        open, high, low: The day's other prices `(days,)`, NaN where missing, or None.
        source: Where it comes from, for the chart.
        notes: Sentences on what was repaired or looks odd.
        reading: How it was read from a file; None if it was not.
    """

    name: str
    dates: np.ndarray
    close: np.ndarray
    open: np.ndarray | None = None
    high: np.ndarray | None = None
    low: np.ndarray | None = None
    source: str = ""
    notes: tuple[str, ...] = ()
    reading: Reading | None = None

    @property
    def nbytes(self):
        """Bytes that its arrays take."""
        arrays = (self.dates, self.close, *self.ranges().values())
        return sum(array.nbytes for array in arrays if array is not None)

    def __len__(self):
        return len(self.close)

    def cut(self, start, end):
        """The days from position `start` up to, not including, `end`."""
        parts = {
            key: None if (values := getattr(self, key)) is None else values[start:end]
            for key in ("dates", "close", "open", "high", "low")
        }
        return replace(self, **parts)

    def ranges(self):
        """`open`, `high` and `low` as a dict."""
        return {"open": self.open, "high": self.high, "low": self.low}


def future_dates(dates, count):
    """The `count` sessions after the last date: `datetime64[D]`, in the rhythm of the series.

    A daily series goes on with the weekdays on which it trades, a monthly one with the same day
    of the month (the last one, if it ends with it), any other in steps of its usual length.
    """
    recent = dates[-250:]
    step = int(np.median(np.diff(recent).astype(int))) if len(recent) > 1 else 1
    if step <= 1:
        sessions = np.bincount(_weekday(recent), minlength=7)
        open_days = np.flatnonzero(sessions >= sessions.max() / 4)
        days = dates[-1] + np.arange(1, 7 * count + 1)
        return days[np.isin(_weekday(days), open_days)][:count]
    months = {28 <= step <= 31: 1, 89 <= step <= 92: 3}.get(True)
    if not months:
        return dates[-1] + step * np.arange(1, count + 1)
    last = dates[-1].astype("datetime64[M]")
    firsts = last + months * np.arange(1, count + 1)
    ends = (firsts + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
    if dates[-1] + 1 == (last + 1).astype("datetime64[D]"):
        return ends
    return np.minimum(
        firsts.astype("datetime64[D]") + (dates[-1] - last.astype("datetime64[D]")), ends
    )


def _weekday(dates):
    return (dates.astype(int) + 3) % 7  # 1970-01-01 was a Thursday; 0 is a Monday


def name_step(dates):
    """What a step of a series is called: `"day"`, `"week"` … `"year"`, or `"step"`."""
    days = float(np.median(np.diff(dates[-250:]).astype(int)))
    names = ((4, "day"), (10, "week"), (45, "month"), (120, "quarter"), (400, "year"))
    return next((name for longest, name in names if days <= longest), "step")
