"""What the page says and shows of a series: HTML, and Plotly figures as dicts."""

import math
import weakref
from dataclasses import replace
from html import escape

import numpy as np

from apps.forecasting import charts
from apps.forecasting.charts import price
from apps.forecasting.examples import EXAMPLES
from apps.forecasting.series import MIN_PRICES
from shared import page, plots, tables
from shared.plots import percent

CELLS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
HORIZON = 20
FANS = ("naive", "ewma", "garch")
SHORT = {"naive": "Last price (naive)", "ewma": "RiskMetrics", "garch": "GARCH(1,1)"}
FILES = {
    "us_long_1962_2017": "American shares, to 2017",
    "gspc_close_1927_2025": "S&P 500 index, to 2025",
    "sp500_2013_2018": "S&P 500 companies, to 2018",
    "recent_2016_2025": "25 large companies, to 2025",
}
MOST_KEPT = 64  # results of one series
DISCLAIMER = "Nothing here is financial advice."

# What a gate or state is, and what to see in its picture.
TRACES = {
    "forget": ("Forget gate", "Full colour: the unit keeps its memory. Blank: it lets go."),
    "input": ("Input gate", "Full colour: the unit writes this day into its memory."),
    "output": ("Output gate", "Full colour: the unit shows its memory to the rest of the network."),
    "update": ("Update gate", "Full colour: the unit keeps its state. Blank: it rewrites it."),
    "reset": ("Reset gate", "Blank: the unit ignores its past when it reads the day."),
    "candidate": ("Candidate", "What each unit would write on this day: blue up, orange down."),
    "cell": ("Cell state", "The memory: long horizontal streaks are units that remember."),
    "hidden": ("Hidden state", "What the fan is made of: blue is above zero, orange below."),
}


def models():
    """The predictor's module, imported on first use because it brings in TensorFlow."""
    from apps.forecasting import predictor

    return predictor


def unit_of(series):
    """What a step of a series is called."""
    spacing = float(np.median(np.diff(series.dates[-250:]).astype(int)))
    for longest, name in ((4, "day"), (10, "week"), (45, "month"), (120, "quarter"), (400, "year")):
        if spacing <= longest:
            return name
    return "step"


def steps(count, unit):
    return f"{count} {'trading ' if unit == 'day' else ''}{unit}{'s' if count > 1 else ''}"


def position(series, back):
    """Position of the day to start from, so many days before the last."""
    return max(len(series) - 1 - back, min(len(series), MIN_PRICES) - 1)


# What was computed of a series, for as long as somebody holds it: nobody's prices stay longer.
_kept = weakref.WeakKeyDictionary()


def _once(series, what, make):
    """What `make()` gives, made only the first time that `what` is asked of a series."""
    results = _kept.setdefault(series, {})
    if what not in results:
        if len(results) >= MOST_KEPT:
            results.clear()
        results[what] = make()
    return results[what]


def fans_from(series, at):
    """The baselines' fans from a position, over all horizons."""
    predictor = models().Predictor.load("lstm")
    return _once(series, ("fans", at), lambda: predictor.fans(series, HORIZON, at, FANS))


def backtest(cell, series, horizon, origins):
    """A `Backtest` of the network beside the baselines."""
    predictor = models().Predictor.load(cell)
    return _once(
        series,
        ("backtest", cell, horizon, origins),
        lambda: predictor.backtest(series, origins, horizon, FANS),
    )


def answer(key, series, forecast, level, unit, fans, card):
    """The answer in large letters, what it means, what came if known, and the chart's legend."""
    low, high = (end[-1] for end in charts.ends(forecast, level))
    horizon, last = len(forecast.dates), forecast.last
    up = forecast.probability_up()
    sentence = (
        f"That is {_change(low / last)} to {_change(high / last)} from the last price, "
        f"{price(last)} on {page.long_date(str(forecast.origin))}. Of 100 such ranges about "
        f"{level} should hold the outcome. {_direction(up, card['variants'][forecast.model])}"
    )
    parts = [
        page.answer(
            f"{price(low)} – {price(high)}",
            f"in {steps(horizon, unit)}, {level} % sure",
            "",
            sentence,
        )
    ]
    parts += _outcome(forecast, level, unit)
    if key in EXAMPLES:
        parts.append(f'<p class="small">{escape(EXAMPLES[key].about)}</p>')
    else:
        parts.append(
            '<p class="small">These prices are kept for this browser tab alone, so a copied link '
            "leads to a built-in series.</p>"
        )
    parts += [page.note(sentence) for sentence in forecast.notes]
    name = CELLS[forecast.model]
    keys = [("price", "ink"), (f"{name}, middle of its range", forecast.model, True)]
    keys += [("naive: the last price", "baseline")]
    if "naive" in fans:
        keys[-1] = (f"naive: the last price and its {level} %", "baseline")
    if "garch" in fans:
        keys.append((f"GARCH {level} %", "baseline", True))
    bands = [(f"{name} {level} %", 0.16)] + ([(f"{name} 50 %", 0.32)] if level > 50 else [])
    parts.append(_legend(keys, bands, forecast.model))
    return "".join(parts)


def _outcome(forecast, level, unit):
    """The outcome after the origin, where it is known: a list of no or one note."""
    known = np.isfinite(forecast.actual)
    if not known.any():
        return []
    low, high = charts.ends(forecast, level)
    inside = int(((forecast.actual >= low) & (forecast.actual <= high))[known].sum())
    last = np.flatnonzero(known)[-1]
    held = "inside" if low[last] <= forecast.actual[last] <= high[last] else "outside"
    return [
        page.note(
            f"Outcome: {price(forecast.actual[last])} on "
            f"{page.long_date(str(forecast.dates[last]))}, {held} the range; "
            f"{inside} of {known.sum()} {unit}s lie inside."
        )
    ]


def _legend(keys, bands=(), shade="lstm"):
    """A legend of lines, and of bands as (name, opacity)."""
    areas = "".join(
        f'<span class="key"><i style="height:11px;background:color-mix(in srgb,'
        f'var(--{shade}) {100 * alpha:.0f}%,transparent)"></i>{escape(name)}</span>'
        for name, alpha in bands
    )
    lines = plots.legend(keys)
    return lines.replace("</div>", f"{areas}</div>")


def _change(ratio):
    change = ratio - 1
    return f"{'−' if change < 0 else '+'}{percent(abs(change), 1)}"


def _direction(up, details):
    """What the network says of the direction, and what that is worth."""
    share = percent(up)
    if abs(up - 0.5) < 0.1:
        sentence = f"Up or down is a coin toss: {share} for a rise."
    else:
        sentence = f"It leans {'up' if up > 0.5 else 'down'}, {share} for a rise."
    right, low = details["direction"], details["direction_low"]
    if right is None:
        return sentence
    told = f"{sentence} On the test its direction was right {percent(right, 1)} of the time"
    if low <= 0.5:
        return f"{told}, no better than a coin."
    return f"{told}, against {percent(details['always_up'], 1)} for always saying “up”."


def caption(forecast, level):
    """What to see in the fan chart."""
    caption = (
        f"Shaded: where the {CELLS[forecast.model]} expects the price, {level} % of the time and "
        "half of the time. The range widens roughly with the square root of time; its middle "
        "hardly leaves the last price, the naive forecast, which is the hardest to beat. GARCH is "
        "the standard statistical model of volatility. Drag to zoom, double-click to return."
    )
    return f'<figure class="fig after"><figcaption>{escape(caption)}</figcaption></figure>'


def credit(cell, card):
    """The line that says how good the model is, beside its baselines."""
    details = card["variants"][cell]
    losses = {name: card["baselines"][name]["pinball"] for name in ("garch", "naive")}
    parts = [
        f"<b>{CELLS[cell]} {_loss(details['pinball'])}</b>",
        *(f"<b>{escape(SHORT[name])} {_loss(loss)}</b>" for name, loss in losses.items()),
        "pinball loss of the return in % (how far outcomes lie from the quantiles forecast), lower "
        f"is better, on the {escape(card['test_set'])}",
        f"{details['parameters']:,} parameters",
        f"trained {page.long_date(card['date'])}, seed {card['seed']}",
        DISCLAIMER,
    ]
    held = [100 * file["coverage_80"] for file in details.get("files", {}).values()]
    if held:
        parts.insert(
            -2, f"80 % intervals held {min(held):.0f} to {max(held):.0f} % of outcomes by file"
        )
    line = " · ".join(f"<span>{part}</span>" for part in parts)
    if min(losses.values()) < details["pinball"]:
        line += " A baseline is better than the network."
    return f'<p class="card">{line}</p>'


def _loss(pinball):
    return f"{100 * pinball:.3f}"


def as_table(series, cell, horizon, level, back):
    """The forecast as a table, and the path of a CSV with all its quantiles."""
    at = position(series, back)
    forecast = models().Predictor.load(cell).forecast(series, horizon, at)
    garch = shorter(fans_from(series, at)["garch"], horizon)
    columns = ["Day", f"{level} % from", "Middle", f"{level} % to", "GARCH from", "GARCH to"]
    values = [
        charts.ends(forecast, level)[0],
        forecast.median,
        charts.ends(forecast, level)[1],
        *charts.ends(garch, level),
    ]
    if np.isfinite(forecast.actual).any():
        columns.append("Outcome")
        values.append(forecast.actual)
    rows = [
        [str(day), *map(price, row)]
        for day, row in zip(forecast.dates, np.transpose(values), strict=True)
    ]
    target = page.download_path(f"forecast-{forecast.origin}.csv")
    tables.write(
        target,
        ["series", "model", "origin", "last", "date", *(f"q{q:.2f}" for q in forecast.levels)],
        [
            [series.name, cell, str(forecast.origin), forecast.last, str(day)]
            + [float(f"{value:.7g}") for value in quantiles]
            for day, quantiles in zip(forecast.dates, forecast.quantiles, strict=True)
        ],
    )
    lead = (
        f"From {forecast.last:,.6g} on {page.long_date(str(forecast.origin))}. The file holds all "
        "quantiles from 5 to 95 %."
    )
    html = f'<p class="small">{escape(lead)}</p>'
    html += page.table(columns, rows, numbers=range(1, len(columns)))
    return html, str(target)


def comparison(series, cell, horizon, level, back):
    """The three cells and the baselines on the same day: a table, and how their ranges grow."""
    at = position(series, back)
    predictors = {variant: models().Predictor.load(variant) for variant in CELLS}
    fans = {variant: one.forecast(series, horizon, at) for variant, one in predictors.items()}
    fans |= {name: shorter(fan, horizon) for name, fan in fans_from(series, at).items()}
    card = predictors[cell].card
    losses = {name: details["pinball"] for name, details in card["variants"].items()}
    losses |= {name: card["baselines"][name]["pinball"] for name in FANS}
    unit = unit_of(series)
    rows, widths = [], {}
    for name, fan in fans.items():
        low, high = charts.ends(fan, level)
        widths[name] = (high - low) / fan.last
        rows.append(
            [
                CELLS.get(name, SHORT.get(name)),
                f"{price(low[-1])} – {price(high[-1])}",
                percent(widths[name][-1], 1),
                percent(fan.probability_up()) if name in CELLS else "–",
                _loss(losses[name]),
            ]
        )
    names = list(fans)
    best = min(losses, key=losses.get)
    title = CELLS.get(best, SHORT.get(best))
    table = page.table(
        ["Model", f"{level} % range", "Its width", "Chance of a rise", "Loss on the test"],
        rows,
        numbers=(1, 2, 3, 4),
        winner=names.index(best),
    )
    chart = plots.line_chart(
        [
            *(plots.Line(CELLS[name], 100 * widths[name], name) for name in CELLS),
            plots.Line("naive", 100 * widths["naive"], "baseline"),
            plots.Line("GARCH", 100 * widths["garch"], "baseline", True),
        ],
        f"{unit}s ahead",
        f"width of the {level} % range, % of the last price",
        "Line chart of how the range of each model grows with the time ahead.",
        low=0,
        readouts=[
            f"{steps(n + 1, unit)} · "
            + " · ".join(
                f"{CELLS.get(name, SHORT.get(name))} {percent(width[n], 1)}"
                for name, width in widths.items()
                if name != "ewma"
            )
            for n in range(horizon)
        ],
    )
    keys = [(name, variant) for variant, name in CELLS.items()]
    keys += [("last price (naive)", "baseline"), ("GARCH", "baseline", True)]
    return (
        page.heading(
            "Three cells and three baselines",
            "The same days, read by the same network with each of the three cells, and by the "
            "simple models of volatility that a network has to beat.",
        )
        + table
        + f'<p class="small">In bold: the lowest pinball loss (of the return, in %) on the '
        f"{escape(card['test_set'])}: {escape(title)}.</p>"
        + plots.figure(
            chart,
            "The range of a random walk grows with the square root of time. A curve above the "
            "others expects rougher days; where the curves meet, the models agree.",
            plots.legend(keys),
        )
    )


def test(series, cell, horizon, origins):
    """The backtest: its verdict, the figure of promises and outcomes, the table of scores."""
    result = backtest(cell, series, horizon, origins)
    unit, name = unit_of(series), CELLS[cell]
    first, last = (page.long_date(str(day)) for day in result.origins[[0, -1]])
    said = f"<p>{escape(result.verdict)}</p>"
    said += "".join(page.note(sentence) for sentence in result.notes)
    missed = np.mean(
        (result.actual < result.fans[cell][:, 1]) | (result.actual > result.fans[cell][:, -2])
    )
    keys = [("price", "ink"), ("price outside the range", "negative")]
    bands = [(f"80 % range of the {name}, {steps(horizon, unit)} before", 0.24)]
    said += _legend(keys, bands, cell)
    rows = []
    for score in result.scores:
        metrics = score.metrics
        rows.append(
            [
                CELLS.get(score.name, SHORT.get(score.name)),
                _loss(metrics["pinball"]),
                "–" if score.p_value is None else _chance(score.p_value),
                percent(metrics["coverage_80"], 1),
                percent(metrics["width_80"], 1),
                f"{metrics['mase']:.3f}",
                _directed(metrics),
            ]
        )
    losses = [score.metrics["pinball"] for score in result.scores]
    columns = ["Model", "Loss", "p", "80 % held", "80 % width", "MASE", "Direction right"]
    caption = (
        f"What the {name} had promised {steps(horizon, unit)} before each day, and the price that "
        f"came: {percent(missed)} of the days lie outside, where 20 % should. Misses come in "
        "groups, because neighbouring days share most of their future."
    )
    table = page.table(columns, rows, numbers=range(1, 7), winner=losses.index(min(losses)))
    shown = {cell: (cell, False), "naive": ("baseline", False), "garch": ("baseline", True)}
    coverage = result.coverage_by_horizon
    chart = plots.line_chart(
        [plots.Line(n, coverage[n], shade, dashed) for n, (shade, dashed) in shown.items()],
        f"{unit}s ahead",
        "share of outcomes inside the 80 % range",
        "Line chart of the coverage of the 80 % range by horizon.",
        low=min(0.6, *(float(np.nanmin(coverage[n])) for n in shown)),
        high=1,
        reference=0.8,
        form=percent,
        readouts=[
            f"{steps(n + 1, unit)} · "
            + " · ".join(f"{CELLS.get(m, SHORT.get(m))} {percent(coverage[m][n])}" for m in shown)
            for n in range(horizon)
        ],
    )
    return (
        said,
        charts.promised(result),
        f'<figure class="fig after"><figcaption>{escape(caption)}</figcaption></figure>'
        + table
        + f'<p class="small">{len(result.origins)} start days, {first} to {last}, all horizons up '
        f"to {steps(horizon, unit)}. Loss: mean pinball loss of the return, in %. p: "
        "two-sided p-value of a Diebold–Mariano test, the probability of a difference from the "
        "network at least this large, in either direction, if both were equally good. "
        "MASE: error of the middle, divided by the naive forecast’s before the test. In bold: the "
        "lowest loss.</p>"
        + plots.figure(
            chart,
            "An honest 80 % range holds 80 % at every horizon: the nearer to the dotted line, "
            "the better. Below it a model is too sure of itself.",
            plots.legend(
                [(name, cell), ("last price (naive)", "baseline"), ("GARCH", "baseline", True)]
            ),
        ),
    )


def _chance(p_value):
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _directed(metrics):
    if not math.isfinite(metrics["direction"]):
        return "–"
    low, high = (100 * metrics[f"direction_{end}"] for end in ("low", "high"))
    return f"{percent(metrics['direction'])} ({low:.0f}–{high:.0f})"


def illusion(series, cell, line):
    """The figure of the one-step line (`hugging`) or of the `honest` forecast, and the lesson."""
    result = models().Predictor.load(cell).one_step(series, horizon=HORIZON)
    if line == "hugging":
        figure = charts.hugging(result)
        keys = [("price", "ink"), ("forecast of the day before", "negative")]
        legend = plots.legend([*keys, ("yesterday’s price, no network at all", "baseline", True)])
    else:
        figure = charts.honest(result, cell)
        name = CELLS[cell]
        keys = [("price", "ink"), (f"{name}, middle", cell, True)]
        legend = _legend(keys, [(f"{name} 80 %", 0.16), (f"{name} 50 %", 0.32)], cell)
    return figure, f'<figure class="fig after">{legend}</figure><p>{escape(result.text)}</p>'


def leaks(series, cell):
    """What two mistakes in handling the data would have pretended."""
    del cell
    parts = [
        f"<h3>{escape(leak.name)}</h3><p>{escape(leak.how)} <b>With the leak: right "
        f"{percent(leak.pretended)} of the time. Honestly: {percent(leak.honest)}.</b></p>"
        for leak in models().leakage(series)
    ]
    return (
        page.heading(
            "How leaks deceive",
            "Two common mistakes let the future into the past. Each is shown with one simple rule "
            "that says up or down over 20 steps of this series, scored twice: as the mistake "
            "scores it, and honestly. Half is a coin toss.",
        )
        + "".join(parts)
        + '<p class="small">A rule that seems to work often owes it to such a leak. The scores on '
        "this page come from networks that had seen no day of their tests.</p>"
    )


def mattered(series, cell, back, horizon):
    """The figure of how much each past day widens the range, and the strongest in words."""
    predictor = models().Predictor.load(cell)
    result = predictor.influence(series, horizon, position(series, back))
    most = int(np.argmax(np.abs(result.effects)))
    effect = math.expm1(result.effects[most])
    day = page.long_date(str(result.dates[most]))
    legend = plots.legend([("widens", "positive"), ("narrows", "negative"), ("move", "baseline")])
    caption = (
        f"Most of all: {day}, when the price moved {_change(math.exp(result.returns[most]))}: "
        f"the 80 % range {steps(horizon, unit_of(series))} ahead is {percent(abs(effect), 1)} "
        f"{'wider' if effect > 0 else 'narrower'} for it. Large moves, up or down, mostly widen "
        "the range, and recent ones widen it more; calm days narrow it."
    )
    return (
        charts.moves(result),
        f'<figure class="fig after">{legend}<figcaption>{escape(caption)}</figcaption></figure>',
    )


def trace_choices(cell):
    """(title, name) of the gates and states of a cell."""
    names = {
        "lstm": ("forget", "input", "output", "candidate", "cell", "hidden"),
        "gru": ("update", "reset", "candidate", "hidden"),
        "rnn": ("hidden",),
    }[cell]
    return [(TRACES[name][0], name) for name in names]


def inside(series, cell, back, shown):
    """The heat map of a gate or state over the window."""
    at = position(series, back)
    predictor = models().Predictor.load(cell)
    dates, traced = _once(series, ("trace", cell, at), lambda: predictor.trace(series, at))
    order = plots.similar_order(traced["hidden"].T)
    title, told = TRACES[shown]
    gate = shown in plots.PALETTE
    legend = (
        plots.scale_legend("0 closed", "", "1 open", shown)
        if gate
        else plots.scale_legend("negative", "0", "positive")
    )
    closes = series.close[at + 1 - len(dates) : at + 1]
    before = series.close[at - len(dates) : at]
    height = (closes - closes.min()) / max(float(np.ptp(closes)), 1e-12)
    chart = plots.heat_map(
        traced[shown].T[order],
        [str(day) if n % 16 == 8 else "" for n, day in enumerate(dates)],
        f"{title.lower()}, {len(order)} units; above it the price",
        f"Heat map of the {title.lower()} of every unit on every day.",
        shade=shown if gate else None,
        readouts=[
            f"{page.long_date(str(day))} · {price(now)} · {_change(now / then)}"
            for day, now, then in zip(dates, closes, before, strict=True)
        ],
        line=height,
        row_height=max(2, 160 // len(order)),
    )
    return plots.figure(chart, told, legend)


def layer(series, variant):
    """The equations and the source of a cell."""
    del series
    cell = models().Predictor.load(variant).network.recurrent.cell
    return (
        page.equations(variant)
        + '<p class="small">x is what is known of the day, h the hidden state; a prime marks the '
        "day before, ∘ the product unit by unit. This is the step that has just run, once per "
        "day; the products with x were computed for all days at once beforehand.</p>"
        + page.source(type(cell).step)
    )


def shorter(forecast, horizon):
    """The same forecast for fewer steps."""
    return replace(
        forecast,
        dates=forecast.dates[:horizon],
        quantiles=forecast.quantiles[:horizon],
        actual=forecast.actual[:horizon],
    )


def scores(card):
    """The tables of the networks beside the baselines, and by file, for the About page."""
    rows = [
        (name.upper(), details, f"{details['parameters']:,}", f"{details['minutes']:.1f}")
        for name, details in card["variants"].items()
    ]
    rows += [(name, card["baselines"][key], "–", "–") for key, name in SHORT.items()]
    losses = [details["pinball"] for _, details, _, _ in rows]
    models = page.table(
        ("Model", "Pinball loss", "80 % held", "Parameters", "Training, minutes"),
        [
            (name, _loss(details["pinball"]), percent(details["coverage_80"], 1), size, time)
            for name, details, size, time in rows
        ],
        numbers=(1, 2, 3, 4),
        winner=losses.index(min(losses)),
    )
    return (
        f"<h3>{escape(card['title'])}</h3><p>Scored on the {escape(card['test_set'])}, "
        f"{card['variants']['lstm']['origins']:,} forecasts. Pinball loss: lower is better. “80 % "
        f"held” is how often the price stayed within the 80 % interval.</p>{models}{_by_file(card)}"
    )


def _by_file(card):
    """How the LSTM's intervals held on each file of prices, by horizon, and the p-values."""
    rows = []
    for name, details in card["variants"]["lstm"]["files"].items():
        held = details["coverage_80_by_horizon"]
        chances = (_chance(details["p_values"][other]) for other in ("naive", "ewma", "garch"))
        rows.append(
            (
                FILES.get(name, name),
                percent(details["coverage_80"], 1),
                f"{percent(min(held), 1)} to {percent(max(held), 1)}",
                *chances,
            )
        )
    low = min(rows, key=lambda row: float(row[1].split()[0]))
    return (
        "<p>The LSTM by file of prices, with the two-sided p-values of Diebold–Mariano tests of "
        "its loss against each baseline’s.</p>"
        + page.table(
            ("Prices", "80 % held", "By horizon", "Naive", "RiskMetrics", "GARCH"),
            rows,
            numbers=(1, 2, 3, 4, 5),
        )
        + f"<p>It held least on {escape(low[0])}: {low[1]}, so its intervals were "
        + f"{'too narrow' if float(low[1].split()[0]) < 77 else 'about right'} there.</p>"
    )
