"""HTML of the race, from its record."""

import numpy as np
from markupsafe import Markup

from apps.cells import CELLS
from apps.cells.charts import draw_log_chart, format_power, line_readouts, savable_lines
from apps.cells.race.tasks import COPY_KINDS, LETTERS, TASKS
from shared import plots
from shared.site import components

COLUMNS = (
    "Cell",
    "Units",
    "Parameters",
    "Steps",
    "Loss",
    "Right answers",
    "Solved after",
    "Seconds",
)
NOT_LEARNED = 0.9  # share of the baseline's loss above which a cell is no better than a guess


def example(task, length, seed):
    """One sequence of a task and its answer."""
    inputs, targets, _ = TASKS[task].make(np.random.default_rng((seed, 1)), 1, length)
    letters, answer = _name_steps(task, inputs[0], targets[0])
    chart = plots.heat_map(
        inputs[0].T,
        letters,
        f"input, {length} time steps from left to right",
        "One sequence of the task, a column for each time step.",
        row_height=max(12, 48 // inputs.shape[-1]),
    )
    caption = (
        f"{TASKS[task].about} Here the answer is {answer}. The best guess without memory "
        f"({TASKS[task].baseline_about}) has a loss of {TASKS[task].baseline(length):.3f}."
    )
    return plots.figure(chart, caption)


def _name_steps(task, inputs, targets):
    """The name of each time step, and the answer in words."""
    if task == "adding":
        marked = inputs[inputs[:, 1] == 1, 0]
        total = " + ".join(f"{value:.2f}" for value in marked)
        return [f"{value:.2f}" for value in inputs[:, 0]], f"{total} = {marked.sum():.2f}"
    if task == "parity":
        ones = int((inputs[:, 0] > 0).sum())
        answer = f"“{'odd' if ones % 2 else 'even'}” after the last of {ones} ones"
        return ["1" if bit > 0 else "0" for bit in inputs[:, 0]], answer
    names = {"copy": "abcd–?", "order": "abcdXY", "reber": LETTERS}[task]
    letters = [names[n] for n in inputs.argmax(axis=-1)]
    if task == "copy":
        answer = " ".join(name for name in letters if name in names[:COPY_KINDS])
    elif task == "order":
        answer = " then ".join("XY"[n] for n in divmod(int(targets[-1]), 2))
    else:
        answer = f"{letters[-2]} before the final E, because the second letter is {letters[1]}"
    return letters, answer


def answer(race):
    """The first cell that solved the task, large, and how the others stand."""
    runners = list(race.runners.values())
    solvers = [runner for runner in runners if runner.solved is not None]
    baseline = race.task.baseline(race.setting.length)
    if not solvers:
        best = min(runners, key=lambda runner: runner.tests[-1])
        return components.answer(
            f"{best.tests[-1]:.3g}",
            f"is the lowest loss so far, by the {CELLS[best.cell]}",
            "",
            f"Step {race.done:,}. The best guess without memory ({race.task.baseline_about}) "
            f"has a loss of {baseline:.3f}.",
        )
    first = min(solvers, key=lambda runner: runner.solved)
    others = "; ".join(
        f"{CELLS[runner.cell]} {_standing(runner, baseline)}"
        for runner in runners
        if runner is not first
    )
    return components.answer(
        f"{first.solved:,}",
        f"training steps until the {CELLS[first.cell]} solved it",
        "",
        f"Step {race.done:,}. " + (f"The others: {others}." if others else "It runs alone."),
    )


def _standing(runner, baseline):
    if runner.solved is not None:
        return f"after {runner.solved:,}"
    if runner.diverged is not None:
        return f"diverged at step {runner.diverged:,}"
    return "no better than a guess" if runner.tests[-1] > NOT_LEARNED * baseline else "not yet"


def charts(race):
    """Loss, accuracy and gradients by lag."""
    pair = Markup('<div class="pair">{}{}</div>').format(_accuracies(race), _gradients(race))
    return _losses(race) + pair


def _losses(race):
    baseline = race.task.baseline(race.setting.length)
    steps = _steps(race)
    lines = _lines(race, steps, "tests")
    guess = np.full(len(steps), baseline)
    lines.append(plots.Line("guess without memory", guess, "baseline", True))
    caption = (
        f"The loss on {len(race.test[0])} test sequences. A cell that has learned only what needs "
        "no memory stays on the grey line; it falls below once the cell uses its memory."
    )
    loss = "mean squared error" if race.task.outputs == 1 else "cross-entropy, nats"
    axes = "training steps", loss
    return draw_log_chart(lines, steps, axes, caption, "race-loss", height=280)


def _accuracies(race):
    steps = _steps(race)
    lines = _lines(race, steps, "accuracies")
    chart = plots.chart(
        lines,
        "training steps",
        plots.Axis("share of right answers", 0, 1, form=plots.percent),
        "Line chart of each cell’s accuracy over the training steps.",
        x=steps,
        readouts=line_readouts(lines, steps, "step", plots.percent),
    )
    right = "A sum within 0.1 counts as right. " if race.task.outputs == 1 else ""
    caption = f"{right}Cells often learn to remember suddenly, after a long time without progress."
    return savable_lines(lines, steps, "step", chart, caption, "race-accuracy")


def _gradients(race):
    lines = [
        plots.Line(CELLS[cell], runner.gradients[-1], cell) for cell, runner in race.runners.items()
    ]
    lags = np.arange(max(len(line.values) for line in lines))
    caption = (
        "The gradient of the last answer’s loss with respect to the hidden state so many steps "
        "earlier, in the networks as they are now. To learn from the first steps, a network needs "
        "a gradient there."
    )
    axes = "lag, time steps back", "|∂L/∂h|"
    return draw_log_chart(lines, lags, axes, caption, "race-gradients", height=220)


def _steps(race):
    """The training steps of the longest record."""
    return max((runner.steps for runner in race.runners.values()), key=len)


def _lines(race, steps, record):
    """A line for each cell with its record of this name; NaN after it has diverged."""
    lines = []
    for cell, runner in race.runners.items():
        values = np.full(len(steps), np.nan)
        values[: len(runner.steps)] = getattr(runner, record)
        lines.append(plots.Line(CELLS[cell], values, cell))
    return lines


def rows(race):
    """The rows of the table of results; `COLUMNS` names its columns."""
    return [
        [
            CELLS[cell],
            runner.units,
            runner.parameters,
            runner.diverged or race.done,
            float(f"{runner.tests[-1]:.4g}"),
            round(runner.accuracies[-1], 4),
            runner.solved if runner.solved is not None else "",
            round(runner.seconds, 1),
        ]
        for cell, runner in race.runners.items()
    ]


def results(race):
    """The result of each cell, in words and in a table."""
    table = [
        [
            name,
            units,
            f"{parameters:,}",
            f"{steps:,}",
            f"{loss:.3g}",
            plots.percent(right, 1),
            f"{solved:,}" if solved != "" else "–",
            f"{seconds:.1f}",
        ]
        for name, units, parameters, steps, loss, right, solved, seconds in rows(race)
    ]
    item = Markup("<li>{}</li>")
    return Markup("<ul>{}</ul>{}{}").format(
        Markup().join(item.format(_story(race, runner)) for runner in race.runners.values()),
        components.table(COLUMNS, table, numbers=range(1, 8)),
        _speed(race),
    )


def _speed(race):
    seconds = sum(runner.seconds for runner in race.runners.values())
    steps = sum(runner.steps[-1] for runner in race.runners.values())
    if not seconds:
        return ""
    return Markup(
        '<p class="small">{:,} training steps of {} sequences in {:.1f} seconds of computing, two '
        "cells at a time.</p>"
    ).format(steps, race.setting.batch, seconds)


def _story(race, runner):
    name, length = CELLS[runner.cell], race.setting.length
    baseline, loss = race.task.baseline(length), runner.tests[-1]
    gradient = runner.gradients[-1]
    share = gradient[-1] / gradient[0] if gradient[0] > 0 else 0.0
    reach = f"{format_power(share)} of its gradient reaches the first step"
    if runner.diverged is not None:
        return (
            f"{name}: diverged at step {runner.diverged:,}. The loss became infinite or not a "
            "number, because of an exploding gradient or too large steps. The results are those "
            "before it; a smaller learning rate or a tighter clip helps."
        )
    if runner.solved is not None:
        return (
            f"{name}: solved after {runner.solved:,} steps. Its loss is {loss:.2g}; a guess "
            f"without memory has {baseline:.3g}; {reach}."
        )
    if race.done == 0:
        return f"{name}: not trained yet; {reach}."
    if loss > NOT_LEARNED * baseline:
        why = (
            "too little to learn anything from that step"
            if share < 1e-3
            else "enough to learn from that step, but it has not found the rule"
        )
        return f"{name}: no better than a guess after {race.done:,} steps. {reach}: {why}."
    return (
        f"{name}: better than a guess, a loss of {loss:.2g} against {baseline:.3g}, but not "
        f"solved after {race.done:,} steps; {reach}."
    )
