"""Results as pieces of the page: HTML, figures and sentences."""

import math

import numpy as np
from markupsafe import Markup

from apps.forecasting import charts
from apps.forecasting.charts import price
from apps.forecasting.scores import interval_ends
from apps.forecasting.series import name_step
from shared import plots
from shared.plots import percent
from shared.site.components import (
    answer,
    equations,
    format_date,
    heading,
    note,
    source_code,
    table,
)

CELLS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
BASELINES = {"naive": "Last price (naive)", "ewma": "RiskMetrics", "garch": "GARCH(1,1)"}
NAMES = {**CELLS, **BASELINES}
POSSESSIVES = {"naive": "the naive forecast’s", "ewma": "RiskMetrics’", "garch": "GARCH’s"}
FILES = {
    "us_long_1962_2017": "American shares, to 2017",
    "gspc_close_1927_2025": "S&P 500 index, to 2025",
    "sp500_2013_2018": "S&P 500 companies, to 2018",
    "recent_2016_2025": "25 large companies, to 2025",
}
DISCLAIMER = "Nothing here is financial advice."

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
        f"That is {_change(low / last)} to {_change(high / last)} from the last price, "
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
            _small(about or own),
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
        Markup("<b>{} {}</b>").format(NAMES[name], _loss(loss))
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
    return _small(lead) + table(columns, rows, numbers=range(1, len(columns)))


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
                _loss(losses[name]),
            ]
        )
    best = min(losses, key=losses.get)
    columns = ["Model", f"{level} % range", "Its width", "Chance of a rise", "Loss on the test"]
    lines = {name: (NAMES[name], name) for name in CELLS}
    lines |= {"naive": ("last price (naive)", "baseline"), "garch": ("GARCH", "baseline", True)}
    chart = plots.line_chart(
        [plots.Line(title, 100 * widths[name], *look) for name, (title, *look) in lines.items()],
        f"{step}s ahead",
        f"width of the {level} % range, % of the last price",
        "Line chart of how the range of each model grows with the time ahead.",
        low=0,
        readouts=_readouts(widths, lines, step, 1),
    )
    return Markup().join(
        [
            heading(
                "Three cells and three baselines",
                "The same days, read by the same network with each of the three cells, and by the "
                "simple models of volatility that a network has to beat.",
            ),
            table(columns, rows, numbers=(1, 2, 3, 4), winner=list(fans).index(best)),
            _small(
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


def _readouts(values, lines, step, digits=0):
    """For each step ahead the percentages of several models as text."""
    return [
        " · ".join(
            [describe_steps(n + 1, step)]
            + [f"{NAMES[name]} {percent(values[name][n], digits)}" for name in lines]
        )
        for n in range(len(next(iter(values.values()))))
    ]


# ---------------------------------------------------------------- the backtest


def draw_backtest(result, step):
    """A `Backtest`: its verdict, the figure of forecasts and outcomes, the table of scores."""
    name = CELLS[result.cell]
    ahead = describe_steps(result.horizon, step)
    verdict = Markup("<p>{}</p>").format(describe_backtest(result))
    verdict += Markup().join(map(note, result.notes))
    low, high = interval_ends(result.fans[result.cell], 80)
    missed = np.mean((result.actual < low) | (result.actual > high))
    legend = plots.legend(
        [("price", "ink"), ("price outside the range", "negative")],
        [(f"80 % range that the {name} forecast {ahead} earlier", 0.24)],
        result.cell,
    )
    caption = (
        f"What the {name} forecast {ahead} earlier, and what happened: {percent(missed)} of the "
        "days lie outside, where 20 % should. Misses come in groups, because neighbouring days "
        "share most of their future."
    )
    figure = plots.figure(charts.draw_promises(result), caption, legend)
    return verdict, figure, _draw_scores(result, step) + _draw_coverage(result, step)


def describe_backtest(result):
    """Sentences on a `Backtest`: the loss beside the baselines', the interval, the direction."""
    network, *others = result.scores
    metrics = network.metrics
    baselines = {score.name: score for score in others if score.name in POSSESSIVES}
    text = (
        f"Over {len(result.origins)} start days the network’s pinball loss is "
        f"{_loss(metrics['pinball'])}"
    )
    comparisons = []
    for name, score in baselines.items():
        change = metrics["pinball"] / score.metrics["pinball"] - 1
        doubt = "" if score.p_value < 0.05 else ", which may be chance"
        side = "lower" if change < 0 else "higher"
        comparisons.append(
            f"{percent(abs(change), 1)} {side} than {POSSESSIVES[name]} "
            f"(p = {score.p_value:.2g}{doubt})"
        )
    text += f": {'; '.join(comparisons)}. " if comparisons else ". "
    coverage = metrics["coverage_80"]
    width = "too narrow" if coverage < 0.77 else "too wide" if coverage > 0.83 else "about right"
    text += f"Its 80 % interval held {percent(coverage)} of the outcomes: {width}. "
    if np.isfinite(metrics["direction_low"]):
        text += _describe_hits(metrics)
    if "naive" in baselines:
        naive = baselines["naive"]
        is_better = metrics["mase"] < naive.metrics["mase"]
        is_sure = naive.point_p_value is not None and naive.point_p_value < 0.05
        beats = "beats" if is_sure else "does not reliably beat"
        text += f"As a point forecast it {beats if is_better else 'does not beat'} the last price."
    return text.strip()


def _describe_hits(metrics):
    low, high, up = (metrics[name] for name in ("direction_low", "direction_high", "always_up"))
    baseline = max(up, 1 - up)
    comparison = "more often than" if low > baseline else "which is no better than"
    return (
        f"It had the direction right {percent(metrics['direction'])} of the time (95 % interval "
        f"{percent(low)} to {percent(high)}), {comparison} always saying "
        f"“{'up' if up >= 0.5 else 'down'}” ({percent(baseline)}). "
    )


def _draw_scores(result, step):
    rows = []
    for score in result.scores:
        metrics = score.metrics
        rows.append(
            [
                NAMES[score.name],
                _loss(metrics["pinball"]),
                "–" if score.p_value is None else _p_value(score.p_value),
                percent(metrics["coverage_80"], 1),
                percent(metrics["width_80"], 1),
                f"{metrics['mase']:.3f}",
                _hits(metrics),
            ]
        )
    losses = [score.metrics["pinball"] for score in result.scores]
    columns = ["Model", "Loss", "p", "80 % held", "80 % width", "MASE", "Direction right"]
    first, last = (format_date(str(day)) for day in result.origins[[0, -1]])
    legend = (
        f"{len(result.origins)} start days, {first} to {last}, all horizons up to "
        f"{describe_steps(result.horizon, step)}. Loss: mean pinball loss of the return. p: "
        "two-sided p-value of a Diebold–Mariano test, the probability of a difference from the "
        "network at least this large, in either direction, if both were equally good. 80 % held: "
        "coverage of the 80 % interval. MASE: error of the middle, divided by the naive "
        "forecast’s before the test. Bold: the lowest loss."
    )
    scores = table(columns, rows, numbers=range(1, 7), winner=losses.index(min(losses)))
    return scores + _small(legend)


def _draw_coverage(result, step):
    coverage = result.coverage_by_horizon
    lines = {
        result.cell: (CELLS[result.cell], result.cell),
        "naive": ("last price (naive)", "baseline"),
        "garch": ("GARCH", "baseline", True),
    }
    chart = plots.line_chart(
        [plots.Line(title, coverage[name], *look) for name, (title, *look) in lines.items()],
        f"{step}s ahead",
        "share of outcomes inside the 80 % range",
        "Line chart of the coverage of the 80 % range by horizon.",
        low=min(0.6, *(float(np.nanmin(coverage[name])) for name in lines)),
        high=1,
        reference=0.8,
        form=percent,
        readouts=_readouts(coverage, lines, step),
    )
    return plots.figure(
        chart,
        "An honest 80 % range holds 80 % at every horizon: the nearer to the dotted line, the "
        "better. Below it a model is too sure of itself.",
        plots.legend(lines.values()),
    )


def _p_value(value):
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _hits(metrics):
    if not math.isfinite(metrics["direction"]):
        return "–"
    low, high = (100 * metrics[f"direction_{end}"] for end in ("low", "high"))
    return f"{percent(metrics['direction'])} ({low:.0f}–{high:.0f})"


# ---------------------------------------------------------------- lessons and the look inside


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
        f"{_signless(result.level_correlation, 3)}), because it is yesterday’s price, moved by "
        f"{percent(result.mean_move, 2)} on average. Of the changes, which alone could earn "
        "anything, it knows next to nothing: correlation "
        f"{_signless(result.change_correlation, 2)}. The forecast made on one day, for "
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
            _small(
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
        f"{_change(math.exp(result.returns[strongest]))}: the 80 % range "
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
            f"{format_date(str(day))} · {price(now)} · {_change(now / then)}"
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
            _small(
                "x is what is known of the day, h the hidden state; a prime marks the day before, "
                "∘ the product unit by unit. This is the step that has just run, once per day; the "
                "products with x were computed for all days at once beforehand."
            ),
            source_code(type(cell).step),
        ]
    )


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
            (name, _loss(details["pinball"]), percent(details["coverage_80"], 1), size, time)
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
                *(_p_value(details["p_values"][other]) for other in BASELINES),
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


def _small(text):
    return Markup('<p class="small">{}</p>').format(text)


def _change(ratio):
    change = ratio - 1
    return f"{'−' if change < 0 else '+'}{percent(abs(change), 1)}"


def _signless(number, digits):
    """A number with a true minus, and no minus where it rounds to zero."""
    return f"{number:z.{digits}f}".replace("-", "−")


def _loss(pinball):
    return percent(pinball, 3)
