"""What the lesson of vanishing and exploding gradients shows: HTML from its measurements."""

from html import escape

import numpy as np

from shared import page, plots

CELLS = {"rnn": "RNN", "irnn": "IRNN", "lstm": "LSTM", "gru": "GRU"}
VANISHED, EXPLODED = 1e-3, 1e3  # what is left of a gradient of 1, and is called so
DEEPEST = 20  # powers of ten that a chart shows at most, up and down
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power(number):
    """`2.4 × 10⁻⁵`, or `0.19` where that is short."""
    if not np.isfinite(number):
        return "not a number"
    if 1e3 <= abs(number) < 1e5:
        return f"{number:,.0f}"
    if number == 0 or 1e-2 <= abs(number) < 1e3:
        return f"{number:.3g}"
    digits, exponent = f"{number:.1e}".split("e")
    return f"{digits} × 10{str(int(exponent)).translate(RAISED)}"


def happened(flow):
    """`vanished`, `exploded`, `arrived`, or `overflowed`: what became of a gradient."""
    left = flow.norms[-1]
    if flow.broken or not np.isfinite(left):
        return "overflowed"
    return "vanished" if left < VANISHED else "exploded" if left > EXPLODED else "arrived"


def answer(flows):
    """What is left of the first cell's gradient, large, and of the others' in words."""
    first, lag = flows[0], len(flows[0].norms) - 1
    others = ", ".join(f"{CELLS[flow.cell]} {power(flow.norms[-1])}" for flow in flows[1:])
    return page.answer(
        power(first.norms[-1]),
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
    bounds = _bounds(flows)
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
    return _chart(
        lines + bounds, "|∂L/∂h|, mean over 4 sequences", caption, "gradients-by-lag", "Gradients"
    )


def products(flows, omega):
    """The largest singular value of the product of Jacobians, by how many there are."""
    lines = [plots.Line(CELLS[flow.cell], flow.largest, flow.cell) for flow in flows]
    if omega:
        lines.append(plots.Line("RNN after Ω", omega.flow.largest, "rnn", True))
    caption = (
        "The gradient is the readout times a product of Jacobians, one for each step. Its largest "
        "singular value is the most that any direction can have grown; the curves above are one "
        "direction."
    )
    return _chart(
        lines + _bounds(flows, clipped=False),
        "largest singular value of the product of Jacobians",
        caption,
        "jacobian-products",
        "Singular values",
    )


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


def _chart(lines, y_title, caption, name, what):
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [np.log10(np.asarray(line.values, float)) for line in lines]
    measured = [log for line, log in zip(lines, logs, strict=True) if line.colour != "baseline"]
    finite = np.concatenate([log[np.isfinite(log)] for log in measured])
    low = max(np.floor(finite.min(initial=0)), -DEEPEST) - 0.3
    high = min(np.ceil(finite.max(initial=0)), DEEPEST) + 0.3
    step = max(1, round((high - low) / 5))
    shown = [np.where((log >= low) & (log <= high), log, np.nan) for log in logs]
    lags = range(len(logs[0]))
    chart = plots.line_chart(
        [
            plots.Line(line.name, log, line.colour, line.dashed)
            for line, log in zip(lines, shown, strict=True)
        ],
        "lag, time steps back",
        f"{y_title}, powers of ten",
        f"{what} over the lag.",
        x=lags,
        low=low,
        high=high,
        reference=0,
        form=lambda value: f"10{str(round(value)).translate(RAISED)}",
        levels=range(int(np.ceil(low / step)) * step, int(high) + 1, step),
        readouts=[
            f"lag {lag} · " + " · ".join(f"{line.name} {power(line.values[lag])}" for line in lines)
            for lag in lags
        ],
        height=320,
    )
    legend = plots.legend([(line.name, line.colour, line.dashed) for line in lines])
    rows = [[lag, *(float(line.values[lag]) for line in lines)] for lag in lags]
    columns = ["lag", *(line.name for line in lines)]
    return page.savable(plots.figure(chart, caption, legend), name, columns, rows)


def story(flows, omega, clip):
    """What happened to each cell, in words and in a table."""
    said = []
    for flow in flows:
        said += _said(flow)
    if clip:
        clipped = [flow for flow in flows if flow.factor < 1]
        said += [
            f"Clipping at {clip:g} multiplied the {CELLS[flow.cell]}’s gradient by "
            f"{power(flow.factor)}. It is one factor for all lags: the curve sinks as a whole, "
            "and far steps count as little beside near ones as before."
            for flow in clipped
        ]
        if not clipped:
            said.append(f"No gradient was longer than {clip:g}, so clipping did nothing.")
    if omega:
        before, after = omega.values[0], omega.values.min()
        said.append(
            f"{len(omega.values) - 1} steps down the regulariser Ω took it from {before:.2g} to "
            f"{after:.2g}: what reaches the RNN’s first step went from "
            f"{power(flows[0].norms[-1])} to "
            f"{power(omega.flow.norms[-1])}."
            if flows[0].cell == "rnn"
            else f"Ω fell from {before:.2g} to {after:.2g}."
        )
    columns = ("Cell", "Left at the first step", "Largest singular value", "|∂L/∂U|", "Clipped to")
    rows = [
        [
            CELLS[flow.cell],
            power(flow.norms[-1]),
            power(flow.largest[-1]),
            power(flow.gradient),
            power(flow.gradient * flow.factor),
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
