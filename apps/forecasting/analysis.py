"""What the page asks of a series, each computed once and for as long as the series is in use."""

import threading
import weakref
from dataclasses import replace

from apps.forecasting.series import MIN_PRICES

HORIZON = 20
FANS = ("naive", "ewma", "garch")
MAX_RESULTS = 64  # of one series

# Results by series. The keys are weak: a visitor's prices stay no longer than their session.
_results = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def load_predictor(cell):
    """The shipped `Predictor` with a cell; the module is imported late as it brings TensorFlow."""
    from apps.forecasting.predictor import Predictor

    return Predictor.load(cell)


def find_position(series, back):
    """The position of the day to start from, `back` days before the last."""
    return max(len(series) - 1 - back, min(len(series), MIN_PRICES) - 1)


def forecast(cell, series, horizon, at):
    """The network's `Forecast` from a position."""
    return _once(
        series,
        ("forecast", cell, horizon, at),
        lambda: load_predictor(cell).forecast(series, horizon, at),
    )


def forecast_baselines(series, at, horizon=HORIZON, names=FANS):
    """The baselines' `Forecast`s from a position: a dict by name."""
    fans = _once(
        series, ("fans", at), lambda: load_predictor("lstm").fans(series, HORIZON, at, FANS)
    )
    return {name: _shorten(fans[name], horizon) for name in names}


def backtest(cell, series, horizon, origins):
    """A `Backtest` of the network beside the baselines."""
    return _once(
        series,
        ("backtest", cell, horizon, origins),
        lambda: load_predictor(cell).backtest(series, origins, horizon, FANS),
    )


def one_step(cell, series):
    """The `Illusion` of one-step forecasts."""
    return _once(
        series, ("one step", cell), lambda: load_predictor(cell).one_step(series, horizon=HORIZON)
    )


def influence(cell, series, horizon, at):
    """The `Influence` of the days before a position."""
    return load_predictor(cell).influence(series, horizon, at)


def trace(cell, series, at):
    """The dates before a position, and what the layer computed on them."""
    return _once(series, ("trace", cell, at), lambda: load_predictor(cell).trace(series, at))


def _once(series, key, compute):
    """The result of `compute()`, from the cache if it has been computed for the series before."""
    with _lock:
        results = _results.setdefault(series, {})
        if key in results:
            return results[key]
    result = compute()
    with _lock:
        if len(results) >= MAX_RESULTS:
            results.clear()
        results[key] = result
    return result


def _shorten(fan, horizon):
    """A `Forecast` of fewer steps."""
    parts = ("dates", "quantiles", "actual")
    return replace(fan, **{part: getattr(fan, part)[:horizon] for part in parts})
