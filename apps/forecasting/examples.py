"""The built-in series: simulated ones, or those of installed packages, which may be shown."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from apps.forecasting.series import Series


@dataclass(frozen=True)
class Example:
    """A built-in series: its key, title, what to see in it, and whether it was measured."""

    key: str
    title: str
    about: str
    real: bool
    make: Callable[[], Series]


SIMULATED = {
    "walk": "Random walk",
    "garch": "GARCH(1,1)",
    "regimes": "Two regimes",
    "season": "Trend and season",
}


def simulated(kind, days=1500, seed=7):
    """A simulated price, so that the best possible forecast is known.

    Args:
        kind: `"walk"`, `"garch"`, `"regimes"` or `"season"`.
        days: How many.
        seed: Integer.

    Returns:
        A `Series` on weekdays up to the end of 2024, starting at 100.
    """
    rng = np.random.default_rng(seed)
    shocks = rng.standard_normal(days)
    if kind == "walk":
        returns = 0.01 * shocks
    elif kind == "garch":
        returns, variance = np.empty(days), 1e-4
        for day in range(days):
            returns[day] = np.sqrt(variance) * shocks[day]
            variance = 2e-6 + 0.10 * returns[day] ** 2 + 0.88 * variance
    elif kind == "regimes":
        rough = np.cumsum(rng.random(days) < 1 / 120) % 2
        returns = np.where(rough, 0.025, 0.007) * shocks
    elif kind == "season":
        time = np.arange(days)
        levels = 0.0004 * time + 0.08 * np.sin(2 * np.pi * time / 60) + 0.004 * shocks
        returns = np.diff(levels, prepend=levels[0])
    else:
        raise ValueError(f"`kind` must be walk, garch, regimes or season. Received: {kind!r}")
    dates = pd.bdate_range(end="2024-12-31", periods=days).to_numpy().astype("datetime64[D]")
    close = 100 * np.exp(np.cumsum(returns))
    return Series(SIMULATED[kind], dates, close, source=f"simulated, seed {seed}")


def _from_arch(name, title):
    from importlib import import_module

    frame = import_module(f"arch.data.{name}").load()
    frame.columns = [column.lower() for column in frame.columns]
    if "close" not in frame:
        frame = frame.rename(columns={frame.columns[0]: "close"})
    frame = frame[frame["close"] > 0]
    ranges = {
        key: frame[key].to_numpy(float) if key in frame else None for key in ("open", "high", "low")
    }
    dates = frame.index.to_numpy().astype("datetime64[D]")
    source = f"arch.data, {dates[0]} to {dates[-1]}"
    return Series(title, dates, frame["close"].to_numpy(float), **ranges, source=source)


def _from_statsmodels(name):
    from importlib import import_module

    data = import_module(f"statsmodels.datasets.{name}").load_pandas().data
    if name == "co2":
        values = data["co2"].dropna()
        dates = values.index.to_numpy().astype("datetime64[D]")
        note = "Weekly readings, not a price: a step ahead is a week."
        return Series(
            "CO₂, Mauna Loa (ppm)",
            dates,
            values.to_numpy(float),
            source="statsmodels.datasets, 1958 to 2001",
            notes=(note,),
        )
    years = data["YEAR"].astype(int).to_numpy()
    dates = (years - 1970).astype("datetime64[Y]").astype("datetime64[D]")
    note = "Yearly numbers plus 10, as logarithms need positive values: a step ahead is a year."
    return Series(
        "Sunspots (number + 10)",
        dates,
        data["SUNACTIVITY"].to_numpy(float) + 10,
        source="statsmodels.datasets, 1700 to 2008",
        notes=(note,),
    )


EXAMPLES = {
    example.key: example
    for example in (
        Example(
            "sp500",
            "S&P 500, 1999–2018",
            "The index over two crises: volatility comes in clusters, direction does not.",
            True,
            lambda: _from_arch("sp500", "S&P 500"),
        ),
        Example(
            "nasdaq",
            "NASDAQ Composite, 1999–2018",
            "The dot-com fall and the long rise after it.",
            True,
            lambda: _from_arch("nasdaq", "NASDAQ Composite"),
        ),
        Example(
            "wti",
            "Oil, WTI, 1986–2019",
            "A commodity: the network has learned from shares alone.",
            True,
            lambda: _from_arch("wti", "Oil, WTI (US$ a barrel)"),
        ),
        Example(
            "vix",
            "VIX, 2014–2019",
            "An index of volatility itself: it jumps up and falls back, which no share does.",
            True,
            lambda: _from_arch("vix", "VIX"),
        ),
        Example(
            "walk",
            "Random walk (simulated)",
            "The truth: nothing can be forecast, and the fan should grow with the square root.",
            False,
            lambda: simulated("walk"),
        ),
        Example(
            "garch",
            "GARCH (simulated)",
            "The truth: a GARCH(1,1), so the GARCH fan is the best there can be.",
            False,
            lambda: simulated("garch"),
        ),
        Example(
            "regimes",
            "Two regimes (simulated)",
            "The truth: calm and rough stretches of about 120 days, without a warning.",
            False,
            lambda: simulated("regimes"),
        ),
        Example(
            "season",
            "Trend and season (simulated)",
            "The truth: a cycle of 60 days that could be forecast; shares have none.",
            False,
            lambda: simulated("season"),
        ),
        Example(
            "co2",
            "CO₂ at Mauna Loa, weekly",
            "Not a price: trend and season, which a model of share prices does not know.",
            True,
            lambda: _from_statsmodels("co2"),
        ),
        Example(
            "sunspots",
            "Sunspots, yearly",
            "Not a price: a cycle of eleven years, far from anything the network has seen.",
            True,
            lambda: _from_statsmodels("sunspots"),
        ),
    )
}


@cache
def example(key):
    """A built-in `Series` by its key in `EXAMPLES`, built at the first call.

    Raises:
        ValueError: if there is none of that key.
    """
    if key not in EXAMPLES:
        raise ValueError(f"`key` must be one of {list(EXAMPLES)}. Received: key={key!r}")
    return EXAMPLES[key].make()
