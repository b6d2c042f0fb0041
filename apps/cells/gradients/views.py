"""What the lesson of vanishing and exploding gradients shows: HTML from its measurements."""

from html import escape

import numpy as np

from apps.cells import CELLS
from apps.cells.charts import draw_log_chart, format_power
from shared import page, plots

VANISHED, EXPLODED = 1e-3, 1e3  # what is left of a gradient of 1, and is called so
CHART = {"limits": (-20, 20), "reference": 0, "height": 320}  # in powers of ten


def happened(flow):
    """`vanished`, `exploded`, `arrived`, or `overflowed`: what became of a gradient."""
    left = flow.norms[-1]
    if flow.broken or not np.isfinite(left):
        return "overflowed"
    return "vanished" if left < VANISHED else "exploded" if left > EXPLODED else "arrived"


def answer(flows):
    """What is left of the first cell's gradient, large, and of the others' in words."""
    first, lag = flows[0], len(flows[0].norms) - 1
    others = ", ".join(f"{CELLS[flow.cell]} {format_power(flow.norms[-1])}" for flow in flows[1:])
    return page.answer(
        format_power(first.norms[-1]),
        f"{happened(first)} in the {CELLS[first.cell]}",
        "",
        f"This is what is left of a gradient of length 1 after it has gone back {lag} time steps."
        + (f" The others: {others}." if others else ""),
    )


def curves(flows, omega):
    """The gradients by lag, with the bound beside them."""
    lines = [plots.Line(CELLS[flow.cell], flow.norms * flow.factor, flow.cell) for flow in flows]
    if omega:
        after = omega.flow
        lines.append(plots.Line("RNN after Ω", after.norms * after.factor, "rnn", True))
    for flow in flows:
        if flow.memory is not None:
            name, values = f"{CELLS[flow.cell]}, by its cell state", flow.memory * flow.factor
            lines.append(plots.Line(name, values, flow.cell, True))
    bounds, lags = _bounds(flows), range(len(flows[0].norms))
    caption = (
        "The further back, the further right. A straight line down means that each step takes "
        "the same share: the gradient vanishes exponentially."
    )
    if bounds:
        caption += (
            " The grey dashes are the bound (‖U‖γ) to the power of the lag: no curve of that cell "
            "can lie above it."
        )
    if any(flow.factor < 1 for flow in flows):
        caption += " All is drawn as clipping leaves it."
    axes = "lag, time steps back", "|∂L/∂h|, mean over 4 sequences"
    return draw_log_chart(lines, lags, axes, caption, "gradients-by-lag", bounds, **CHART)


def products(flows, omega):
    """The largest singular value of the product of Jacobians, by how many there are."""
    lines = [plots.Line(CELLS[flow.cell], flow.largest, flow.cell) for flow in flows]
    if omega:
        lines.append(plots.Line("RNN after Ω", omega.flow.largest, "rnn", True))
    lags = range(len(flows[0].largest))
    caption = (
        "The gradient is the readout times a product of Jacobians, one for each step. Its largest "
        "singular value is the most that any direction can have grown; the curves above are one "
        "direction."
    )
    axes = "lag, time steps back", "largest singular value of the product"
    bounds = _bounds(flows, clipped=False)
    return draw_log_chart(lines, lags, axes, caption, "jacobian-products", bounds, **CHART)


def _bounds(flows, clipped=True):
    """A line for every bound; cells of the same bound share one."""
    named, lines = {}, {}
    for flow in flows:
        if flow.bound is not None:
            factor = flow.factor if clipped else 1
            key = (round(flow.weight_norm, 6), factor)
            named.setdefault(key, []).append(CELLS[flow.cell])
            lines[key] = flow.bound * factor
    return [
        plots.Line(
            f"bound of the {' and '.join(named[key])}, ‖U‖γ = {key[0]:.3g}", line, "baseline", True
        )
        for key, line in lines.items()
    ]


def story(flows, omega, clip):
    """What happened to each cell, in words and in a table."""
    said = []
    for flow in flows:
        said += _said(flow)
    if clip:
        clipped = [flow for flow in flows if flow.factor < 1]
        said += [
            f"Clipping at {clip:g} scaled the gradient of the {CELLS[flow.cell]} by "
            f"{format_power(flow.factor)}. This is one factor for all lags: the whole curve moves "
            "down, and distant steps still count as little beside recent ones."
            for flow in clipped
        ]
        if not clipped:
            said.append(f"No gradient was longer than {clip:g}, so clipping did nothing.")
    if omega:
        before, after = omega.values[0], omega.values.min()
        said.append(
            f"{len(omega.values) - 1} steps down the regulariser Ω took it from {before:.2g} to "
            f"{after:.2g}: what reaches the RNN’s first step went from "
            f"{format_power(flows[0].norms[-1])} to "
            f"{format_power(omega.flow.norms[-1])}."
            if flows[0].cell == "rnn"
            else f"Ω fell from {before:.2g} to {after:.2g}."
        )
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
    sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in said)
    return f"<ul>{sentences}</ul>{page.table(columns, rows, numbers=(1, 2, 3, 4))}"


def _said(flow):
    name, lag = CELLS[flow.cell], len(flow.norms) - 1
    what = happened(flow)
    if flow.broken:
        return [
            f"{name}: its hidden state left the range of 32-bit numbers, about 10³⁸, at step "
            f"{flow.broken}. From there on infinity minus infinity is not a number (NaN), nor is "
            "the gradient, and there is no curve to draw. Training would end here."
        ]
    if what == "overflowed":
        return [
            f"{name}: the gradient itself grew past the range of 32-bit numbers. An optimiser that "
            "took this step would write infinity into every weight."
        ]
    left = flow.norms[-1]
    if left == 0:
        return [
            f"{name}: vanished completely. It fell below 10⁻⁴⁵, the smallest 32-bit number, or all "
            "units were switched off."
        ]
    factor = left ** (1 / lag)
    end = {
        "vanished": "what happened at the start can no longer be learned from the end",
        "exploded": "one training step along it would throw the weights away",
        "arrived": "the start can still be learned from the end",
    }[what]
    return [f"{name}: {what}. Each step back multiplies it by {factor:.3f} on average; {end}."]
