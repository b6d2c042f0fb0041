"""The lessons on forecasting and the look inside the layer, as pieces of the page."""

import math

import numpy as np
from markupsafe import Markup

from apps.forecasting import charts
from apps.forecasting.charts import price
from apps.forecasting.views import CELLS, describe_steps, format_change, small_print
from shared import plots
from shared.plots import percent
from shared.site.components import equations, format_date, heading, source_code

# The title of a gate or state, and what to see in its picture.
TRACES = {
    "forget": ("Forget gate", "Full colour: the unit keeps its memory. Blank: it lets go."),
    "input": ("Input gate", "Full colour: the unit writes this day into its memory."),
    "output": ("Output gate", "Full colour: the unit shows its memory to the rest of the network."),
    "update": ("Update gate", "Full colour: the unit keeps its state. Blank: it rewrites it."),
    "reset": ("Reset gate", "Blank: the unit ignores its past when it reads the day."),
    "candidate": ("Candidate", "What each unit would write on this day: blue up, orange down."),
    "cell": ("Cell state", "The memory: long horizontal streaks are units that remember."),
    "hidden": ("Hidden state", "What the forecast is made of: blue is above zero, orange below."),
}
LEAKS = {
    "scaling": (
        "Scaling on all data",
        "The rule: “Below the mean of the data a price will rise, above it fall.” The "
        "mistake takes the mean of all data, the future included, in place of the mean of the "
        "days before.",
    ),
    "split": (
        "A random split",
        "The rule: the five most similar stretches of 20 days vote. The mistake draws the test "
        "days at random, so that their neighbours before and after lie in training, in place of a "
        "split by time.",
    ),
}


def draw_illusion(result, cell, line):
    """The figure of the one-step line (`hugging`) or of the `honest` forecast, and the lesson."""
    if line == "hugging":
        chart = charts.draw_hugging_line(result)
        legend = plots.legend(
            [
                ("price", "ink"),
                ("forecast of the day before", "negative"),
                ("yesterday’s price, no network at all", "baseline", True),
            ]
        )
    else:
        chart, name = charts.draw_honest_forecast(result, cell), CELLS[cell]
        keys = [("price", "ink"), (f"{name}, middle", cell, True)]
        legend = plots.legend(keys, [(f"{name} 80 %", 0.16), (f"{name} 50 %", 0.32)], cell)
    text = (
        "The line of one-day-ahead forecasts follows the price almost perfectly (correlation "
        f"{_format_correlation(result.level_correlation, 3)}), because it is yesterday’s price, "
        f"moved by {percent(result.mean_move, 2)} on average. Of the changes, which alone could "
        "earn anything, it knows next to nothing: correlation "
        f"{_format_correlation(result.change_correlation, 2)}. The forecast made on one day, for "
        f"{len(result.forecast.dates)} days, shows what is really known: a range, hardly a "
        "direction."
    )
    return plots.figure(chart, text, legend)


def draw_leaks(leaks):
    """What two mistakes in handling the data show, from a tuple of `Leak`s."""
    lesson = Markup(
        "<h3>{}</h3><p>{} <b>With the leak: right {} of the time. Honestly: {}.</b></p>"
    )
    return Markup().join(
        [
            heading(
                "How leaks deceive",
                "Two common mistakes let the future into the past. Each is shown with one simple "
                "rule that says up or down over 20 steps of this series, scored twice: as the "
                "mistake scores it, and honestly. Half is a coin toss.",
            ),
            *(
                lesson.format(*LEAKS[leak.mistake], percent(leak.with_leak), percent(leak.honest))
                for leak in leaks
            ),
            small_print(
                "A rule that seems to work often owes it to such a leak. The scores on this page "
                "come from networks that had seen no day of their tests."
            ),
        ]
    )


def draw_influence(result, step):
    """The figure of how much each past day widens the range, and the strongest in words."""
    strongest = int(np.argmax(np.abs(result.effects)))
    effect = math.expm1(result.effects[strongest])
    day = format_date(str(result.dates[strongest]))
    legend = plots.legend([("widens", "positive"), ("narrows", "negative"), ("move", "baseline")])
    caption = (
        f"Most of all: {day}, when the price moved "
        f"{format_change(math.exp(result.returns[strongest]))}: the 80 % range "
        f"{describe_steps(result.horizon, step)} ahead is {percent(abs(effect), 1)} "
        f"{'wider' if effect > 0 else 'narrower'} for it. Large moves, up or down, mostly widen "
        "the range, and recent ones widen it more; calm days narrow it."
    )
    return plots.figure(charts.draw_moves(result), caption, legend)


def list_traces(cell):
    """(title, name) of the gates and states of a cell."""
    names = {
        "lstm": ("forget", "input", "output", "candidate", "cell", "hidden"),
        "gru": ("update", "reset", "candidate", "hidden"),
        "rnn": ("hidden",),
    }[cell]
    return [(TRACES[name][0], name) for name in names]


def draw_trace(series, at, dates, trace, shown):
    """The heat map of a gate or state over the days before a position, below the price."""
    order = plots.similar_order(trace["hidden"].T)
    title, caption = TRACES[shown]
    is_gate = shown in plots.PALETTE
    if is_gate:
        legend = plots.scale_legend("0 closed", "", "1 open", shown)
    else:
        legend = plots.scale_legend("negative", "0", "positive")
    closes = series.close[at + 1 - len(dates) : at + 1]
    before = series.close[at - len(dates) : at]
    heat_map = plots.heat_map(
        trace[shown].T[order],
        [str(day) if n % 16 == 8 else "" for n, day in enumerate(dates)],
        f"{title.lower()}, {len(order)} units; above it the price",
        f"Heat map of the {title.lower()} of every unit on every day.",
        shade=shown if is_gate else None,
        readouts=[
            f"{format_date(str(day))} · {price(now)} · {format_change(now / then)}"
            for day, now, then in zip(dates, closes, before, strict=True)
        ],
        line=(closes - closes.min()) / max(float(np.ptp(closes)), 1e-12),
        row_height=max(2, 160 // len(order)),
    )
    return plots.figure(heat_map, caption, legend)


def draw_layer(name, cell):
    """The equations and the source of a cell."""
    return Markup().join(
        [
            equations(name),
            small_print(
                "x is what is known of the day, h the hidden state; a prime marks the day before, "
                "∘ the product unit by unit. This is the step that has just run, once per day; the "
                "products with x were computed for all days at once beforehand."
            ),
            source_code(type(cell).step),
        ]
    )


def _format_correlation(number, digits):
    """A number with a true minus, and no minus where it rounds to zero."""
    return f"{number:z.{digits}f}".replace("-", "−")
