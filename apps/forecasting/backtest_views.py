"""A backtest as pieces of the page: the verdict, forecasts beside outcomes, the scores."""

import math

import numpy as np
from markupsafe import Markup

from apps.forecasting import charts
from apps.forecasting.scores import interval_ends
from apps.forecasting.views import (
    CELLS,
    NAMES,
    describe_steps,
    format_loss,
    format_p_value,
    list_readouts,
    small_print,
)
from shared import plots
from shared.plots import percent
from shared.site.components import format_date, note, table

POSSESSIVES = {"naive": "the naive forecast’s", "ewma": "RiskMetrics’", "garch": "GARCH’s"}


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
        f"{format_loss(metrics['pinball'])}"
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
                format_loss(metrics["pinball"]),
                "–" if score.p_value is None else format_p_value(score.p_value),
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
    return scores + small_print(legend)


def _draw_coverage(result, step):
    coverage = result.coverage_by_horizon
    lines = {
        result.cell: (CELLS[result.cell], result.cell),
        "naive": ("last price (naive)", "baseline"),
        "garch": ("GARCH", "baseline", True),
    }
    lowest = min(0.6, *(float(np.nanmin(coverage[name])) for name in lines))
    chart = plots.chart(
        [plots.Line(title, coverage[name], *look) for name, (title, *look) in lines.items()],
        f"{step}s ahead",
        plots.Axis("share of outcomes inside the 80 % range", lowest, 1, form=percent),
        "Line chart of the coverage of the 80 % range by horizon.",
        reference=0.8,
        readouts=list_readouts(coverage, lines, step),
    )
    return plots.figure(
        chart,
        "An honest 80 % range holds 80 % at every horizon: the nearer to the dotted line, the "
        "better. Below it a model is too sure of itself.",
        plots.legend(lines.values()),
    )


def _hits(metrics):
    if not math.isfinite(metrics["direction"]):
        return "–"
    low, high = (100 * metrics[f"direction_{end}"] for end in ("low", "high"))
    return f"{percent(metrics['direction'])} ({low:.0f}–{high:.0f})"
