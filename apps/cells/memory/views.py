"""What the lesson of attention shows: HTML from two trials."""

import numpy as np

from apps.cells.charts import draw_log_chart, format_power
from shared import page, plots

COLOURS = {"none": "rnn", "dot": "lstm", "additive": "lstm"}
NAMES = {
    "none": "without attention",
    "dot": "with dot attention",
    "additive": "with additive attention",
}
LETTERS = "abcdefgh"


def answer(trials, looks):
    """How much each recalls, large."""
    (plain, other), (mine, theirs) = trials, looks
    return page.answer(
        f"{plots.percent(mine.accuracy)} → {plots.percent(theirs.accuracy)}",
        "of the symbols said right",
        "",
        f"After {plain.done:,} training steps: without attention, then {NAMES[other.kind]}. A "
        f"guess is right in {plots.percent(1 / len(LETTERS), 1)} of cases. They have "
        f"{plain.parameters:,} and {other.parameters:,} parameters.",
    )


def losses(trials, guess):
    """Both training losses."""
    every = max(1, len(trials[0].losses) // 120)
    steps = range(every, len(trials[0].losses) + 1, every)
    lines = [
        plots.Line(
            NAMES[trial.kind],
            np.array([np.mean(trial.losses[step - every : step]) for step in steps]),
            COLOURS[trial.kind],
        )
        for trial in trials
    ]
    lines.append(plots.Line("guessing", np.full(len(steps), guess), "baseline", True))
    caption = (
        "Without attention the whole sequence has to fit into the last state; with it the answer "
        "may be looked up where it stood, and what has to be learned is where to look."
    )
    axes = "training steps", "cross-entropy, nats"
    return draw_log_chart(lines, list(steps), axes, caption, "memory-loss")


def weights(trial, look, symbols):
    """The attention of one sequence."""
    letters = [LETTERS[n] for n in symbols]
    asked = letters[::-1]
    strongest = look.weights.argmax(axis=1)
    chart = plots.heat_map(
        look.weights,
        letters,
        f"answers from the first (top) to the last: {' '.join(asked)}",
        "Heat map of the attention weights: a row for each answer, a column for each symbol read.",
        shade="positive",
        readouts=[
            f"symbol {n + 1}, “{letter}” · looked at most by answer "
            f"{int(look.weights[:, n].argmax()) + 1} (weight {look.weights[:, n].max():.2f})"
            for n, letter in enumerate(letters)
        ],
        row_height=max(8, 240 // len(letters)),
    )
    right = int(np.sum(strongest == np.arange(len(letters))[::-1]))
    caption = (
        f"{right} of {len(letters)} answers look most at the symbol that they have to say. Once "
        "that is learned the weights form a diagonal from bottom left to top right: the sequence "
        "read backwards."
    )
    figure = plots.figure(chart, caption, plots.scale_legend("weight 0", "", "1", "positive"))
    rows = [
        [n + 1, asked[n], *map(float, row)] for n, row in enumerate(np.asarray(look.weights, float))
    ]
    columns = ["answer", "symbol", *(f"{n + 1} {letter}" for n, letter in enumerate(letters))]
    return page.savable(figure, f"attention-{trial.kind}", columns, rows)


def gradients(trials, looks):
    """The gradient path with and without."""
    length = trials[0].length
    lines = [
        plots.Line(NAMES[trial.kind], look.gradients[::-1], COLOURS[trial.kind])
        for trial, look in zip(trials, looks, strict=True)
    ]
    first, second = (float(look.gradients[0]) for look in looks)
    caption = (
        "The error of the last answer, which asks for the first symbol, on its way back through "
        f"the reader. {_compared(first, second)} Attention is a way that does not lead through the "
        "steps between: it is two products long from wherever it looks."
    )
    axes = "lag, time steps back", "|∂L/∂h|"
    return draw_log_chart(lines, range(length), axes, caption, "memory-gradients")


def _compared(first, second):
    if first == 0 or second == 0:
        return (
            f"At the first symbol its gradient is {format_power(first)} without attention and "
            f"{format_power(second)} with it."
        )
    times = second / first
    if times >= 1:
        return f"At the first symbol it is {times:,.1f} times as long with attention."
    return (
        f"At the first symbol it is {1 / times:,.1f} times shorter with attention, because an "
        "error that has been learned away sends nothing back."
    )
