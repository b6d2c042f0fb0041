"""Results as pieces of the page: HTML, figures and sentences."""

import numpy as np
from markupsafe import Markup

from apps.forecasting import charts
from apps.forecasting.charts import price
from apps.forecasting.series import name_step
from shared import plots
from shared.plots import percent
from shared.site.components import (
    answer,
    format_date,
    heading,
    note,
    table,
)

CELLS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
BASELINES = {"naive": "Last price (naive)", "ewma": "RiskMetrics", "garch": "GARCH(1,1)"}
NAMES = {**CELLS, **BASELINES}
FILES = {
    "us_long_1962_2017": "American shares, to 2017",
    "gspc_close_1927_2025": "S&P 500 index, to 2025",
    "sp500_2013_2018": "S&P 500 companies, to 2018",
    "recent_2016_2025": "25 large companies, to 2025",
}
DISCLAIMER = "Nothing here is financial advice."

# ---------------------------------------------------------------- the forecast


def describe_reading(series):
    """What was read from a visitor's file, or an empty string for any other series."""
    reading = series.reading
    if reading is None:
        return ""
    step = name_step(series.dates)
    unit = {"day": "daily", "week": "weekly", "month": "monthly", "year": "yearly"}.get(step)
    kind = {"close": "closes", "adjusted": "adjusted closes"}.get(reading.role, "prices")
    first, last = (format_date(str(day)) for day in series.dates[[0, -1]])
    if first.split()[-1] == last.split()[-1]:
        first = first.rsplit(" ", 1)[0]
    return (
        f"{len(series):,} {unit + ' ' if unit else ''}{kind} of {series.name}, {first} to {last}, "
        f"{reading.order}; column {reading.column} of {reading.columns}. They begin with "
        f"{series.close[0]:,.7g} and end with {series.close[-1]:,.7g}."
    )


def describe_steps(count, step):
    """`20 trading days`, `1 week`."""
    return f"{count} {'trading ' if step == 'day' else ''}{step}{'s' if count > 1 else ''}"


def draw_answer(forecast, level, step, fans, card, about=None):
    """The answer in large letters, what it means, what came if known, and the chart's legend.

    Args:
        forecast: The network's `Forecast`.
        level: Percentage of the interval.
        step: What a step is called.
        fans: The baselines' `Forecast`s that are drawn, by name.
        card: The bundle's card.
        about: What to see in a built-in series; None for a visitor's own.
    """
    low, high = (end[-1] for end in forecast.interval(level))
    last = forecast.last
    sentence = (
        f"That is {format_change(low / last)} to {format_change(high / last)} from the last price, "
        f"{price(last)} on {format_date(str(forecast.origin))}. Of 100 such ranges about "
        f"{level} should hold the outcome. "
        f"{_describe_direction(forecast.probability_up(), card['variants'][forecast.model])}"
    )
    own = (
        "These prices are kept for this browser tab alone, so a copied link leads to a built-in "
        "series."
    )
    name = CELLS[forecast.model]
    keys = [("price", "ink"), (f"{name}, middle of its range", forecast.model, True)]
    with_naive = f" and its {level} %" if "naive" in fans else ""
    keys.append((f"naive: the last price{with_naive}", "baseline"))
    if "garch" in fans:
        keys.append((f"GARCH {level} %", "baseline", True))
    bands = [(f"{name} {level} %", 0.16)] + ([(f"{name} 50 %", 0.32)] if level > 50 else [])
    return Markup().join(
        [
            answer(
                f"{price(low)} – {price(high)}",
                f"in {describe_steps(len(forecast.dates), step)}, {level} % sure",
                "",
                sentence,
            ),
            *_describe_outcome(forecast, level, step),
            small_print(about or own),
            *map(note, forecast.notes),
            plots.legend(keys, bands, forecast.model),
        ]
    )


def _describe_outcome(forecast, level, step):
    """The outcome after the origin, where it is known: a list of one note or none."""
    known = np.isfinite(forecast.actual)
    if not known.any():
        return []
    low, high = forecast.interval(level)
    inside = (forecast.actual >= low) & (forecast.actual <= high)
    last = np.flatnonzero(known)[-1]
    return [
        note(
            f"Outcome: {price(forecast.actual[last])} on "
            f"{format_date(str(forecast.dates[last]))}, {'inside' if inside[last] else 'outside'} "
            f"the range; {inside[known].sum()} of {known.sum()} {step}s lie inside."
        )
    ]


def _describe_direction(up, details):
    """What the network says of the direction, and what that is worth."""
    share = percent(up)
    if abs(up - 0.5) < 0.1:
        sentence = f"Up or down is a coin toss: {share} for a rise."
    else:
        sentence = f"It leans {'up' if up > 0.5 else 'down'}, {share} for a rise."
    accuracy, low = details["direction"], details["direction_low"]
    if accuracy is None:
        return sentence
    sentence += f" On the test its direction was right {percent(accuracy, 1)} of the time"
    if low <= 0.5:
        return f"{sentence}, no better than a coin."
    return f"{sentence}, against {percent(details['always_up'], 1)} for always saying “up”."


def draw_fan(series, at, forecast, fans, level, step, past):
    """The fan chart with the sentence that says what to see in it; arguments as in `charts`."""
    caption = (
        f"Shaded: where the {CELLS[forecast.model]} expects the price, {level} % of the time and "
        "half of the time. The range widens roughly with the square root of time; its middle "
        "hardly leaves the last price, which is the naive forecast and the hardest to beat. GARCH "
        "is the standard statistical model of volatility."
    )
    chart = charts.draw_fan(series, at, forecast, fans, level, step, past)
    return plots.figure(chart, caption)


def draw_credit(cell, card):
    """The line that says how good the model is, beside its baselines."""
    details = card["variants"][cell]
    losses = {name: card["baselines"][name]["pinball"] for name in ("garch", "naive")}
    parts = [
        Markup("<b>{} {}</b>").format(NAMES[name], format_loss(loss))
        for name, loss in {cell: details["pinball"], **losses}.items()
    ]
    parts += [
        "pinball loss of the return (how far outcomes lie from the quantiles forecast), lower is "
        f"better, on the {card['test_set']}",
        f"{details['parameters']:,} parameters",
    ]
    coverage = [100 * file["coverage_80"] for file in details.get("files", {}).values()]
    if coverage:
        parts.append(
            f"coverage of the 80 % interval from {min(coverage):.0f} to {max(coverage):.0f} %, "
            "depending on the file"
        )
    parts += [f"trained {format_date(card['date'])}, seed {card['seed']}", DISCLAIMER]
    line = Markup(" · ").join(Markup("<span>{}</span>").format(part) for part in parts)
    beaten = min(losses.values()) < details["pinball"]
    remark = " A baseline is better than the network." if beaten else ""
    return Markup('<p class="card">{}{}</p>').format(line, remark)


def draw_table(forecast, garch, level):
    """The forecast as a table beside GARCH's."""
    columns = ["Day", f"{level} % from", "Middle", f"{level} % to", "GARCH from", "GARCH to"]
    low, high = forecast.interval(level)
    values = [low, forecast.median, high, *garch.interval(level)]
    if np.isfinite(forecast.actual).any():
        columns.append("Outcome")
        values.append(forecast.actual)
    rows = [
        [str(day), *map(price, row)]
        for day, row in zip(forecast.dates, np.transpose(values), strict=True)
    ]
    lead = (
        f"From {forecast.last:,.6g} on {format_date(str(forecast.origin))}. The file holds all "
        "quantiles from 5 to 95 %."
    )
    return small_print(lead) + table(columns, rows, numbers=range(1, len(columns)))


def list_quantiles(forecast):
    """The columns and rows of a CSV with all quantiles of a forecast."""
    columns = ["series", "model", "origin", "last", "date"]
    columns += [f"q{level:.2f}" for level in forecast.levels]
    start = [forecast.name, forecast.model, str(forecast.origin), forecast.last]
    rows = [
        [*start, str(day), *(float(f"{value:.7g}") for value in quantiles)]
        for day, quantiles in zip(forecast.dates, forecast.quantiles, strict=True)
    ]
    return columns, rows


def draw_comparison(fans, level, step, card):
    """Networks and baselines on the same day: a table, and how their ranges grow.

    Args:
        fans: Dict from names in `NAMES` to `Forecast`s.
        level: Percentage of the interval.
        step: What a step is called.
        card: The bundle's card.
    """
    models = {**card["variants"], **card["baselines"]}
    losses = {name: models[name]["pinball"] for name in fans}
    rows, widths = [], {}
    for name, fan in fans.items():
        low, high = fan.interval(level)
        widths[name] = (high - low) / fan.last
        rows.append(
            [
                NAMES[name],
                f"{price(low[-1])} – {price(high[-1])}",
                percent(widths[name][-1], 1),
                percent(fan.probability_up()) if name in CELLS else "–",
                format_loss(losses[name]),
            ]
        )
    best = min(losses, key=losses.get)
    columns = ["Model", f"{level} % range", "Its width", "Chance of a rise", "Loss on the test"]
    lines = {name: (NAMES[name], name) for name in CELLS}
    lines |= {"naive": ("last price (naive)", "baseline"), "garch": ("GARCH", "baseline", True)}
    chart = plots.chart(
        [plots.Line(title, 100 * widths[name], *look) for name, (title, *look) in lines.items()],
        f"{step}s ahead",
        plots.Axis(f"width of the {level} % range, % of the last price", low=0),
        "Line chart of how the range of each model grows with the time ahead.",
        readouts=list_readouts(widths, lines, step, 1),
    )
    return Markup().join(
        [
            heading(
                "Three cells and three baselines",
                "The same days, read by the same network with each of the three cells, and by the "
                "simple models of volatility that a network has to beat.",
            ),
            table(columns, rows, numbers=(1, 2, 3, 4), winner=list(fans).index(best)),
            small_print(
                "Bold: the lowest pinball loss of the return over the last two years of each file, "
                f"with a forecast from every day ({NAMES[best]})."
            ),
            plots.figure(
                chart,
                "The range of a random walk grows with the square root of time. A curve above the "
                "others expects rougher days; where the curves meet, the models agree.",
                plots.legend(lines.values()),
            ),
        ]
    )


def list_readouts(values, lines, step, digits=0):
    """For each step ahead the percentages of several models as text."""
    return [
        " · ".join(
            [describe_steps(n + 1, step)]
            + [f"{NAMES[name]} {percent(values[name][n], digits)}" for name in lines]
        )
        for n in range(len(next(iter(values.values()))))
    ]


# ---------------------------------------------------------------- other pages


def draw_model_scores(card):
    """The tables of the networks beside the baselines, and by file, for the About page."""
    rows = [
        (name.upper(), details, f"{details['parameters']:,}", f"{details['minutes']:.1f}")
        for name, details in card["variants"].items()
    ]
    rows += [(name, card["baselines"][key], "–", "–") for key, name in BASELINES.items()]
    losses = [details["pinball"] for _, details, _, _ in rows]
    models = table(
        ("Model", "Pinball loss", "80 % held", "Parameters", "Training, minutes"),
        [
            (name, format_loss(details["pinball"]), percent(details["coverage_80"], 1), size, time)
            for name, details, size, time in rows
        ],
        numbers=(1, 2, 3, 4),
        winner=losses.index(min(losses)),
    )
    lead = Markup(
        "<h3>{}</h3><p>Scored on the {}, {:,} forecasts. Pinball loss of the return: lower is "
        "better. “80 % held” is the coverage of the 80 % interval: how often the price stayed "
        "within it.</p>"
    )
    origins = card["variants"]["lstm"]["origins"]
    return lead.format(card["title"], card["test_set"], origins) + models + _draw_files(card)


def _draw_files(card):
    """How the LSTM's intervals held on each file of prices, by horizon, and the p-values."""
    files = card["variants"]["lstm"]["files"]
    rows = []
    for name, details in files.items():
        coverage = details["coverage_80_by_horizon"]
        rows.append(
            (
                FILES.get(name, name),
                percent(details["coverage_80"], 1),
                f"{percent(min(coverage), 1)} to {percent(max(coverage), 1)}",
                *(format_p_value(details["p_values"][other]) for other in BASELINES),
            )
        )
    worst = min(files, key=lambda name: files[name]["coverage_80"])
    coverage = files[worst]["coverage_80"]
    width = "too narrow" if coverage < 0.77 else "about right"
    columns = ("Prices", "80 % held", "By horizon", "Naive", "RiskMetrics", "GARCH")
    return Markup(
        "<p>The LSTM by file of prices, with the two-sided p-values of Diebold–Mariano tests of "
        "its loss against each baseline’s.</p>{}<p>Its coverage was lowest on {}: {}, so its "
        "intervals were {} there.</p>"
    ).format(
        table(columns, rows, numbers=(1, 2, 3, 4, 5)),
        FILES.get(worst, worst),
        percent(coverage, 1),
        width,
    )


def preview():
    """A small fan chart of the S&P 500 for the home page, from the shipped network."""
    from apps.forecasting import analysis
    from apps.forecasting.examples import example

    series = example("sp500")
    at = int(np.searchsorted(series.dates, np.datetime64("2018-04-02")))
    forecast = analysis.forecast("lstm", series, 20, at)
    past, count = series.close[at - 39 : at + 1], 60
    low, high = forecast.interval(90)
    drawn = np.concatenate([past, low, high, forecast.actual])
    bottom, top = drawn.min(), drawn.max()

    def path(values, first):
        x = 266 * (first + np.arange(len(values))) / (count - 1)
        y = 10 + 110 * (top - values) / (top - bottom)
        return " ".join(f"{left:.0f},{up:.0f}" for left, up in zip(x, y, strict=True))

    shapes = []
    for level, opacity in ((90, 0.14), (50, 0.22)):
        ends = [np.append(forecast.last, end) for end in forecast.interval(level)]
        points = f"{path(ends[0], 39)} {' '.join(reversed(path(ends[1], 39).split()))}"
        shapes.append(
            f'<polygon points="{points}" style="fill:var(--lstm);fill-opacity:{opacity}"/>'
        )
    for values, first, width in (
        (past, 0, 1.6),
        (np.append(forecast.last, forecast.actual), 39, 1),
    ):
        shapes.append(
            f'<polyline points="{path(values, first)}" style="fill:none;stroke:var(--ink);'
            f'stroke-width:{width}"/>'
        )
    text = f"S&P 500, April 2018: {price(low[-1])} – {price(high[-1])}"
    return Markup(
        '<svg viewBox="0 0 266 150" width="266" height="150" role="img" aria-label="A forecast of '
        'the S&amp;P 500 as a fan">{}<text x="0" y="144" style="font:13px var(--sans);'
        'fill:var(--ink-2)">{}</text></svg>'
    ).format(Markup("".join(shapes)), text)


# ---------------------------------------------------------------- small pieces


def small_print(text):
    """A paragraph in small letters."""
    return Markup('<p class="small">{}</p>').format(text)


def format_change(ratio):
    """A ratio of prices as a change, `+1.5 %`."""
    change = ratio - 1
    return f"{'−' if change < 0 else '+'}{percent(abs(change), 1)}"


def format_loss(pinball):
    """A pinball loss of log-returns in percent, on every part of the site."""
    return percent(pinball, 3)


def format_p_value(value):
    """A p-value with three digits."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
