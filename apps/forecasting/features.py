"""The input of the network: one row of features for each day, computed from its past.

Row t depends on the prices up to day t only. Returns are divided by a trailing volatility, and
the network's quantiles are multiplied by it.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

HORIZONS = 20  # trading days ahead, 1 … 20
LEVELS = tuple(round(0.05 * n, 2) for n in range(1, 20))  # 0.05 … 0.95
DECAY = 0.94  # of the exponentially weighted variance (RiskMetrics 1996)
WARM_UP = 20  # first days of a series, which are too few for a volatility
WINDOWS = (3, 5, 10, 22, 66, 250)  # days of the realised volatilities
NAMES = (
    "return",
    "size",
    *(f"volatility_{days}" for days in WINDOWS),
    *(f"range_{days}" for days in (1, 5, 22)),
    "has_range",
    "level",
    "trend_22",
    "trend_250",
)
MIN_VOLATILITY = 1e-6  # a day, of a price that does not move


class Features(NamedTuple):
    """Rows `(days, features)`, trailing volatility `(days,)` and log-returns `(days,)`."""

    rows: np.ndarray
    scale: np.ndarray
    returns: np.ndarray


def log_returns(close):
    """Daily log-returns `(days,)`; the first is 0."""
    return np.diff(np.log(close), prepend=np.log(close[0]))


def trailing_volatility(returns, decay=DECAY):
    """Exponentially weighted volatility a day, known at each day's close: `(days,)`.

    The first return is left out: it is the 0 that `log_returns` puts there.
    """
    squares = pd.Series(np.asarray(returns, float) ** 2)
    squares.iloc[0] = np.nan
    variance = squares.ewm(alpha=1 - decay, adjust=True, ignore_na=True).mean()
    return np.sqrt(variance.bfill(limit=1).fillna(0.0).to_numpy())


def rolling_mean(values, days):
    """Mean of the last `days` values, of fewer at the start: `(days,)`."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - days, 0)
    return np.maximum((total[ends] - total[starts]) / (ends - starts), 0.0)


def daily_variance(close, open=None, high=None, low=None):
    """An estimate of each day's variance, `(days,)`, and whether it comes from the day's range.

    Garman & Klass (1980) plus the squared overnight return; Parkinson (1980) without opening
    prices; the squared return where high or low is missing or makes no sense.
    """
    squares = log_returns(close) ** 2
    if high is None or low is None:
        return squares, np.zeros(len(close), bool)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.log(high / low)
        usable = (
            np.isfinite(spread) & (spread > 0) & (high >= close * 0.999) & (low <= close * 1.001)
        )
        variance = spread**2 / (4 * np.log(2))
        if open is not None:
            within = 0.5 * spread**2 - (2 * np.log(2) - 1) * np.log(close / open) ** 2
            overnight = np.log(open[1:] / close[:-1]) ** 2
            full = np.maximum(within, 0) + np.concatenate([[0.0], overnight])
            variance = np.where(np.isfinite(full), full, variance)
    return np.where(usable, variance, squares), usable


def features(close, open=None, high=None, low=None):
    """The `Features` of a series.

    Args:
        close: Array `(days,)` of positive closing prices, oldest first.
        open, high, low: Arrays `(days,)` or None.
    """
    close = np.asarray(close, float)
    returns = log_returns(close)
    squares = returns**2
    year = np.sqrt(rolling_mean(squares, 250))
    scale = np.maximum(np.maximum(trailing_volatility(returns), 0.1 * year), MIN_VOLATILITY)
    day_before = np.concatenate([[scale[0]], scale[:-1]])
    surprise = np.clip(returns / day_before, -20, 20)
    variance, usable = daily_variance(close, open, high, low)
    columns = [np.arcsinh(surprise), np.log(0.1 + np.abs(surprise))]
    columns += [_relative(squares, days, scale) for days in WINDOWS]
    columns += [_relative(variance, days, scale) for days in (1, 5, 22)]
    columns += [rolling_mean(usable, 22), np.log(scale)]
    logs = np.log(close)
    for days in (22, 250):
        before = np.concatenate([np.full(min(days, len(logs)), logs[0]), logs[:-days]])
        columns.append(np.clip((logs - before) / (scale * np.sqrt(days)), -8, 8))
    return Features(np.stack(columns, axis=1).astype("float32"), scale, returns)


def _relative(variances, days, scale):
    """Log of a realised volatility over the trailing one, between −3 and 3."""
    realised = np.sqrt(rolling_mean(variances, days))
    return np.log(np.clip(realised / scale, np.exp(-3), np.exp(3)))


def future_returns(close, horizons=HORIZONS):
    """Cumulative log-returns of the next days: `(days, horizons)`, NaN past the end."""
    logs = np.log(np.asarray(close, float))
    padded = np.concatenate([logs, np.full(horizons, np.nan)])
    ahead = np.lib.stride_tricks.sliding_window_view(padded[1:], horizons)
    return ahead[: len(logs)] - logs[:, None]
