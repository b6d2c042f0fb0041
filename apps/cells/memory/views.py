"""HTML of the lesson on attention, from two training runs."""

import numpy as np

from apps.cells.charts import draw_log_chart, format_power
from shared import plots
from shared.site import components

COLOURS = {"none": "rnn", "dot": "lstm", "additive": "lstm"}
NAMES = {
    "none": "without attention",
    "dot": "with dot attention",
    "additive": "with additive attention",
}
LETTERS = "abcdefgh"
MAX_POINTS = 120  # of a line in the chart of the losses


def answer(runs, evaluations):
    """The accuracy without and with attention, large."""
    plain, other = runs
    without, with_attention = (plots.percent(result.accuracy) for result in evaluations)
    return components.answer(
        f"{without} → {with_attention}",
        "of the symbols right, without → with attention",
        "",
        f"After {plain.done:,} training steps, the network without attention repeats {without} of "
        f"the symbols correctly, the one {NAMES[other.kind]} {with_attention}. Guessing is right "
        f"in {plots.percent(1 / len(LETTERS), 1)} of cases. The networks have "
        f"{plain.parameters:,} and {other.parameters:,} parameters.",
    )


def losses(runs, guess):
    """The training losses of both networks; `guess` is the loss of guessing."""
    count = len(runs[0].losses)
    every = max(1, count // MAX_POINTS)
    steps = range(every, count + 1, every)
    lines = [
        plots.Line(
            NAMES[run.kind],
            np.array([np.mean(run.losses[step - every : step]) for step in steps]),
            COLOURS[run.kind],
        )
        for run in runs
    ]
    lines.append(plots.Line("guessing", np.full(len(steps), guess), "baseline", True))
    caption = (
        "Without attention, the whole sequence has to fit into the last state of the reader. With "
        "attention, the network can look up each symbol where it stood; it only has to learn where "
        "to look."
    )
    axes = "training steps", "cross-entropy, nats"
    return draw_log_chart(lines, list(steps), axes, caption, "memory-loss")


def weights(run, evaluation, symbols):
    """The attention weights of one sequence."""
    letters = [LETTERS[n] for n in symbols]
    targets = letters[::-1]
    table = np.asarray(evaluation.weights, float)  # (answers, time)
    readouts = [
        f"symbol {n + 1}, “{letter}” · most attention from answer {int(column.argmax()) + 1} "
        f"(weight {column.max():.2f})"
        for n, (letter, column) in enumerate(zip(letters, table.T, strict=True))
    ]
    chart = plots.heat_map(
        table,
        letters,
        f"answers from the first (top) to the last: {' '.join(targets)}",
        "Heat map of the attention weights: a row for each answer, a column for each symbol read.",
        shade="positive",
        readouts=readouts,
        row_height=max(8, 240 // len(letters)),
    )
    right = int(np.sum(table.argmax(axis=1) == np.arange(len(letters))[::-1]))
    caption = (
        f"{right} of {len(letters)} answers attend most to the symbol that they have to repeat. "
        "Once the network has learned this, the weights form a diagonal from bottom left to top "
        "right: the sequence read backwards."
    )
    figure = plots.figure(chart, caption, plots.scale_legend("weight 0", "", "1", "positive"))
    rows = [[n + 1, targets[n], *map(float, row)] for n, row in enumerate(table)]
    columns = ["answer", "symbol", *(f"{n + 1} {letter}" for n, letter in enumerate(letters))]
    return components.savable_figure(figure, f"attention-{run.kind}", columns, rows)


def gradients(runs, evaluations):
    """The gradient of the last answer by lag, without and with attention."""
    lines = [
        plots.Line(NAMES[run.kind], evaluation.gradients[::-1], COLOURS[run.kind])
        for run, evaluation in zip(runs, evaluations, strict=True)
    ]
    at_first = (float(evaluation.gradients[0]) for evaluation in evaluations)
    caption = (
        "The gradient of the last answer’s loss with respect to each hidden state of the reader. "
        f"The last answer is the first symbol. {_compare(*at_first)} Attention is a shortcut: it "
        "leads from the answer to every hidden state without the steps between."
    )
    axes = "lag, time steps back", "|∂L/∂h|"
    return draw_log_chart(lines, range(runs[0].length), axes, caption, "memory-gradients")


def _compare(without, with_attention):
    """A sentence on the gradients at the first symbol."""
    if without == 0 or with_attention == 0:
        return (
            f"At the first symbol it is {format_power(without)} without attention and "
            f"{format_power(with_attention)} with it."
        )
    ratio = with_attention / without
    if ratio >= 1:
        return f"At the first symbol it is {ratio:,.1f} times as long with attention."
    return (
        f"At the first symbol it is {1 / ratio:,.1f} times as long without attention, because a "
        "network that no longer makes errors has little gradient."
    )
