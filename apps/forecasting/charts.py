"""The page's charts over time: prices, fans and intervals, one position for each session."""

import numpy as np

from apps.forecasting.scores import interval_ends
from shared import plots
from shared.plots import Axis, Band, Columns, Line, Points, signed
from shared.site.components import format_date

PAST = 120  # steps of the past that the fan chart shows
NAMES = {"naive": "naive", "garch": "GARCH"}


def price(value):
    """A price with as many digits as matter."""
    if not np.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 100 else f"{value:.2f}" if size >= 1 else f"{value:.3g}"


def draw_fan(series, at, forecast, fans, level, unit, past=PAST):
    """The price up to the day at position `at`, and what each model expects after it.

    Args:
        series: The `Series`.
        at: Position of the last day known.
        forecast: The network's `Forecast` from there.
        fans: Dict from the names of baselines to their `Forecast`s.
        level: Percentage of the interval, 10 to 90 in tens.
        unit: What a step is called, `day`.
        past: How many steps of the past to show.
    """
    start = max(0, at + 1 - past)
    shown = at + 1 - start
    name, shade = forecast.model.upper(), forecast.model
    dates = np.concatenate([series.dates[start : at + 1], forecast.dates])

    def ahead(values):
        return np.concatenate([np.full(shown - 1, np.nan), [forecast.last], values])

    low, high = interval_ends(forecast.quantiles, level)
    layers = [Band(ahead(low), ahead(high), shade, 0.13)]
    if level > 50:
        layers.append(Band(*map(ahead, interval_ends(forecast.quantiles, 50)), shade, 0.16))
    layers += [Line(f"{name} {level} %", ahead(end), shade, width=0.8) for end in (low, high)]
    for model, fan in fans.items():
        layers += [
            Line(NAMES[model], ahead(end), "baseline", model == "garch", 1.4)
            for end in interval_ends(fan.quantiles, level)
        ]
    layers += [
        Line("last price", ahead(np.full(len(low), forecast.last)), "baseline", width=1.2),
        Line(f"{name}, middle", ahead(forecast.median), shade, True),
        Line(
            "price",
            np.append(series.close[start : at + 1], np.full(len(low), np.nan)),
            "ink",
            width=1.6,
        ),
    ]
    if np.isfinite(forecast.actual).any():
        layers.append(Line("outcome", ahead(forecast.actual), "ink", width=1.6))
        layers.append(Points(ahead(forecast.actual)))
    readouts = [
        f"{format_date(str(day))} · {price(value)}"
        for day, value in zip(dates[:shown], series.close[start : at + 1], strict=True)
    ]
    readouts += _list_ranges(forecast, fans, level)
    title = f"{series.name}, closing price" if unit == "day" else series.name
    return _draw(
        layers,
        dates,
        f"{unit} · data: {series.source or 'your own'}",
        title,
        f"Line chart of {series.name} with the ranges that the models expect ahead.",
        readouts,
        340,
    )


def _list_ranges(forecast, fans, level):
    """For each day ahead, what each model expects and, where it is known, the outcome."""
    intervals = {forecast.model.upper(): interval_ends(forecast.quantiles, level)}
    intervals |= {NAMES[name]: interval_ends(fan.quantiles, level) for name, fan in fans.items()}
    for step, (day, actual) in enumerate(zip(forecast.dates, forecast.actual, strict=True)):
        parts = [
            f"{name} {price(low[step])} – {price(high[step])}"
            for name, (low, high) in intervals.items()
        ]
        if np.isfinite(actual):
            parts.append(f"outcome {price(actual)}")
        yield f"{format_date(str(day))} · {' · '.join(parts)}"


def draw_promises(backtest, level=80):
    """The intervals as they had been forecast a horizon before, and the prices that came."""
    low, high = interval_ends(backtest.fans[backtest.cell], level)
    missed = (backtest.actual < low) | (backtest.actual > high)
    layers = [
        Band(low, high, backtest.cell, 0.2),
        *(Line("range", end, backtest.cell, width=0.8) for end in (low, high)),
        Line("price", backtest.actual, "ink", width=1.6),
        Points(np.where(missed, backtest.actual, np.nan), "negative"),
    ]
    readouts = [
        f"{format_date(str(day))} · {price(value)}, forecast {price(a)} – {price(b)}"
        for day, value, a, b in zip(backtest.dates, backtest.actual, low, high, strict=True)
    ]
    description = f"Line chart of the prices and of the {level} % range forecast for each day."
    return _draw(layers, backtest.dates, "day of the outcome", backtest.name, description, readouts)


def draw_hugging_line(illusion):
    """The line of one-step forecasts over the price."""
    layers = [
        Line("the day before", illusion.shifted, "baseline", True, 1.6),
        Line("price", illusion.actual, "ink", width=1.6),
        Line("one-step forecast", illusion.one_step, "negative"),
    ]
    readouts = [
        f"{format_date(str(day))} · price {price(a)} · forecast the day before {price(b)}"
        for day, a, b in zip(illusion.dates, illusion.actual, illusion.one_step, strict=True)
    ]
    description = "Line chart of the price and of its forecasts one day ahead."
    return _draw(layers, illusion.dates, "day", "closing price", description, readouts)


def draw_honest_forecast(illusion, cell):
    """The days of the illusion, forecast from one of them for all the rest."""
    forecast = illusion.forecast
    before = len(illusion.dates) - len(forecast.dates) - 1

    def ahead(values):
        return np.concatenate([np.full(before, np.nan), [forecast.last], values])

    layers = [
        *(
            Band(*map(ahead, interval_ends(forecast.quantiles, level)), cell, opacity)
            for level, opacity in ((80, 0.13), (50, 0.16))
        ),
        *(
            Line("80 %", ahead(end), cell, width=0.8)
            for end in interval_ends(forecast.quantiles, 80)
        ),
        Line("middle", ahead(forecast.median), cell, True),
        Line("price", illusion.actual, "ink", width=1.6),
    ]
    readouts = [
        f"{format_date(str(day))} · price {price(value)}"
        for day, value in zip(illusion.dates, illusion.actual, strict=True)
    ]
    description = "Line chart of the price and of a forecast made on one day."
    return _draw(layers, illusion.dates, "day", "closing price", description, readouts)


def draw_moves(influence):
    """Each day's move, and by how much it widens or narrows the interval ahead."""
    effects = 100 * np.expm1(influence.effects)
    returns = 100 * np.expm1(influence.returns)
    readouts = [
        f"{format_date(str(day))} · move of the price {signed(change, 1)} % · effect on the "
        f"width {signed(effect, 1)} %"
        for day, change, effect in zip(influence.dates, returns, effects, strict=True)
    ]
    moves = _draw(
        [Columns(returns, "baseline", "baseline")],
        influence.dates,
        "",
        "move of the day, %",
        "Bar chart of the price’s move on each day.",
        readouts,
        90,
    )
    return moves + _draw(
        [Columns(effects)],
        influence.dates,
        "day",
        "effect on the width, %",
        "Bar chart of how much each day widens or narrows the range ahead.",
        readouts,
        160,
    )


def _draw(layers, dates, x_title, y_title, description, readouts, height=240):
    """A chart over dates: a position for each, so that no day without trading is drawn."""
    return plots.chart(
        layers,
        Axis(x_title, ticks=date_ticks(dates)),
        Axis(y_title, form=_tick),
        description,
        np.arange(len(dates)),
        readouts=readouts,
        height=height,
    )


def _tick(value):
    return f"{value / 1e6:g} M" if abs(value) >= 1e6 else f"{value:,.6g}".replace("-", "−")


def date_ticks(dates):
    """Three to five beginnings of years, quarters or months: a list of (position, text).

    They lie at least a fifth of the axis apart, so that their texts fit on a phone.
    """
    months = dates.astype("datetime64[M]").astype(int)
    years = months // 12
    groups = [years // 50, years // 20, years // 10, years // 5, years, months // 6, months // 3]
    for group in (*groups, months):
        first = np.flatnonzero(np.diff(group) != 0) + 1
        if len(first) > (1 if group is months else 2):
            form = _year if group[-1] <= years[-1] and len(np.unique(years)) > 3 else _month
            return [(n, form(dates[n])) for n in _far_apart(first, len(dates))]
    places = np.arange(0, len(dates), max(len(dates) // 4, 1))
    return [(n, format_date(str(dates[n])).rsplit(" ", 1)[0]) for n in places]


def _far_apart(places, count):
    chosen = []
    for place in places:
        if not chosen or place - chosen[-1] >= count / 5:
            chosen.append(place)
    return chosen


def _year(date):
    return str(date)[:4]


def _month(date):
    _, month, year = format_date(str(date)).split()
    return f"{month[:3]} {year}"
