"""HTML of the lesson on vanishing and exploding gradients, from its measurements."""

import numpy as np
from markupsafe import Markup

from apps.cells import CELLS
from apps.cells.charts import draw_log_chart, format_power
from shared import plots
from shared.site import components

VANISHED, EXPLODED = 1e-3, 1e3  # bounds of what a gradient of length 1 may become
CHART = {"limits": (-20, 20), "reference": 0, "height": 320}  # in powers of ten
CONSEQUENCES = {
    "vanished": "the end can no longer teach the network anything about the start",
    "exploded": "one training step along it would ruin the weights",
    "arrived": "the end can still teach the network about the start",
}


def outcome(flow):
    """What became of a gradient: `vanished`, `exploded`, `arrived` or `overflowed`."""
    left = flow.norms[-1]
    if flow.broken or not np.isfinite(left):
        return "overflowed"
    return "vanished" if left < VANISHED else "exploded" if left > EXPLODED else "arrived"


def answer(flows):
    """The gradient of the first cell at the first step, large, and the others' in words."""
    first, lag = flows[0], len(flows[0].norms) - 1
    others = ", ".join(f"{CELLS[flow.cell]} {format_power(flow.norms[-1])}" for flow in flows[1:])
    return components.answer(
        format_power(first.norms[-1]),
        f"{outcome(first)} in the {CELLS[first.cell]}",
        "",
        f"The length of a gradient that started with length 1, after {lag} time steps back."
        + (f" The others: {others}." if others else ""),
    )


def curves(flows, omega):
    """The gradients by lag, beside their bounds."""
    lines = [plots.Line(CELLS[flow.cell], flow.norms * flow.factor, flow.cell) for flow in flows]
    if omega:
        after = omega.flow
        lines.append(plots.Line("RNN after Ω", after.norms * after.factor, "rnn", True))
    for flow in flows:
        if flow.memory is not None:
            name = f"{CELLS[flow.cell]}, with respect to its cell state"
            lines.append(plots.Line(name, flow.memory * flow.factor, flow.cell, True))
    bounds, lags = _bounds(flows), range(len(flows[0].norms))
    caption = (
        "The further to the right, the further back in time. On a straight line down, each step "
        "keeps the same share of the gradient: it vanishes exponentially."
    )
    if bounds:
        caption += (
            " The grey dashed line is the bound (‖U‖γ)ᵏ for k steps back: ‖U‖ is the largest "
            "singular value of the recurrent weights and γ = 1 the steepest slope of the "
            "activation. No curve of that cell can rise above it."
        )
    if any(flow.factor < 1 for flow in flows):
        caption += " All curves are drawn after clipping."
    axes = "lag, time steps back", "|∂L/∂h|, mean over 4 sequences"
    return draw_log_chart(lines, lags, axes, caption, "gradients-by-lag", bounds, **CHART)


def products(flows, omega):
    """The largest singular value of the product of Jacobians, by lag."""
    lines = [plots.Line(CELLS[flow.cell], flow.largest, flow.cell) for flow in flows]
    if omega:
        lines.append(plots.Line("RNN after Ω", omega.flow.largest, "rnn", True))
    lags = range(len(flows[0].largest))
    caption = (
        "The gradient is the readout times a product of Jacobians, one for each step. The largest "
        "singular value of the product is the growth of the direction that grows most; the curves "
        "above follow a single direction."
    )
    axes = "lag, time steps back", "largest singular value of the product"
    bounds = _bounds(flows, clipped=False)
    return draw_log_chart(lines, lags, axes, caption, "jacobian-products", bounds, **CHART)


def _bounds(flows, clipped=True):
    """A line for every bound; cells with the same bound share one."""
    names, values = {}, {}
    for flow in flows:
        if flow.bound is not None:
            factor = flow.factor if clipped else 1
            key = (round(flow.weight_norm, 6), factor)
            names.setdefault(key, []).append(CELLS[flow.cell])
            values[key] = flow.bound * factor
    return [
        plots.Line(
            f"bound of the {' and '.join(names[key])}, ‖U‖γ = {key[0]:.3g}", line, "baseline", True
        )
        for key, line in values.items()
    ]


def story(flows, omega, clip):
    """What happened to the gradient in each cell, in words and in a table."""
    sentences = [_describe(flow) for flow in flows]
    sentences += _describe_clipping(flows, clip) if clip else []
    sentences += [_describe_omega(flows[0], omega)] if omega else []
    columns = ("Cell", "Left at the first step", "Largest singular value", "|∂L/∂U|", "Clipped to")
    rows = [
        [
            CELLS[flow.cell],
            format_power(flow.norms[-1]),
            format_power(flow.largest[-1]),
            format_power(flow.gradient),
            format_power(flow.gradient * flow.factor),
        ]
        for flow in flows
    ]
    items = Markup().join(Markup("<li>{}</li>").format(sentence) for sentence in sentences)
    table = components.table(columns, rows, numbers=(1, 2, 3, 4))
    return Markup("<ul>{}</ul>{}").format(items, table)


def _describe(flow):
    name, lag, left = CELLS[flow.cell], len(flow.norms) - 1, flow.norms[-1]
    if flow.broken:
        return (
            f"{name}: its hidden state overflowed the range of 32-bit numbers, about 10³⁸, at step "
            f"{flow.broken}. From there on, infinity minus infinity is not a number (NaN), and "
            "neither is the gradient, so there is no curve to draw. Training would end here."
        )
    if outcome(flow) == "overflowed":
        return (
            f"{name}: the gradient itself overflowed the range of 32-bit numbers. An optimiser "
            "that took this step would write infinity into every weight."
        )
    if left == 0:
        return (
            f"{name}: vanished completely. Either it fell below 10⁻⁴⁵, the smallest 32-bit number, "
            "or every unit was switched off."
        )
    return (
        f"{name}: {outcome(flow)}. Each step back multiplies it by {left ** (1 / lag):.3f} on "
        f"average; {CONSEQUENCES[outcome(flow)]}."
    )


def _describe_clipping(flows, clip):
    clipped = [flow for flow in flows if flow.factor < 1]
    if not clipped:
        return [f"No gradient was longer than {clip:g}, so clipping did nothing."]
    return [
        f"Clipping at {clip:g} scaled the gradient of the {CELLS[flow.cell]} by "
        f"{format_power(flow.factor)}. This is one factor for all lags: the whole curve moves "
        "down, and distant steps still count as little beside recent ones."
        for flow in clipped
    ]


def _describe_omega(first, omega):
    """A sentence on the descent on Ω; `first` is the `Flow` of the first cell."""
    before, after = omega.values[0], omega.values.min()
    change = f"from {before:.2g} to {after:.2g}"
    if first.cell != "rnn":
        return f"The regulariser Ω fell {change}."
    return (
        f"{len(omega.values) - 1} steps of descent on the regulariser Ω, which is 0 if every step "
        f"keeps the length of the gradient, lowered it {change}. The gradient at the first step of "
        f"the RNN went from {format_power(first.norms[-1])} to "
        f"{format_power(omega.flow.norms[-1])}."
    )
