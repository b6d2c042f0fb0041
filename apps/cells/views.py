"""HTML of the laboratory as a whole."""

import numpy as np
from markupsafe import Markup

from apps.cells import CELLS
from apps.cells.charts import format_power
from shared import plots

PREVIEW_CELLS = ("rnn", "lstm", "gru")


def preview():
    """A small chart of the gradient in three cells by lag, for the home page's card."""
    from apps.cells.gradients import flow

    flows = [flow.measure(cell, flow.Setting()) for cell in PREVIEW_CELLS]
    logs = [np.log10(measured.norms[::4]) for measured in flows]
    low, high = min(log.min() for log in logs), max(log.max() for log in logs)
    lines = []
    for cell, log in zip(PREVIEW_CELLS, logs, strict=True):
        x = np.linspace(0, 200, len(log))
        y = 12 + 96 * (high - log) / (high - low)
        points = " ".join(f"{left:.0f},{top:.0f}" for left, top in zip(x, y, strict=True))
        lines.append(
            f'<polyline points="{points}" style="fill:none;stroke:{plots.colour(cell)};'
            f'stroke-width:2"/><text x="206" y="{y[-1] + 4:.0f}" style="font:13px var(--sans);'
            f'fill:var(--ink)">{CELLS[cell]}</text>'
        )
    rnn = flows[0].norms
    text = f"RNN after {len(rnn) - 1} steps: {format_power(rnn[-1])}"
    return Markup(
        '<svg viewBox="0 0 266 150" width="266" height="150" role="img" aria-label="The gradient '
        'in an RNN, an LSTM and a GRU over the time steps back">{}<text x="0" y="144" '
        'style="font:13px var(--sans);fill:var(--ink-2)">{}</text></svg>'
    ).format(Markup("".join(lines)), text)
