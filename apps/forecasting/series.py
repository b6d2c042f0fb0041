"""A series of closing prices, as everything in this application reads it."""

from dataclasses import dataclass, replace

import numpy as np

MIN_PRICES = 61  # closing prices that a forecast needs: 20 for a first volatility, 40 to read


@dataclass(frozen=True, eq=False)
class Series:
    """Closing prices by date, oldest first, with the day's range where it is known.

    Attributes:
        name: Ticker or title.
        dates: Array `(days,)` of `datetime64[D]`, increasing.
        close: Array `(days,)` of positive floats.
        open, high, low: The same, NaN where missing, or None.
        source: Where it comes from, for the chart.
        notes: Sentences on what was mended or looks odd.
    """

    name: str
    dates: np.ndarray
    close: np.ndarray
    open: np.ndarray | None = None
    high: np.ndarray | None = None
    low: np.ndarray | None = None
    source: str = ""
    notes: tuple[str, ...] = ()

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
