"""What the race shows: HTML from its record."""

from html import escape

import numpy as np

from apps.cells import CELLS
from apps.cells.charts import draw_log_chart, format_power, line_readouts, savable_lines
from apps.cells.race.tasks import COPY_KINDS, LETTERS, TASKS
from shared import page, plots


def example(task, length, seed):
    """One sequence of a task, and what is asked about it."""
    inputs, targets, _ = TASKS[task].make(np.random.default_rng((seed, 1)), 1, length)
    letters, answer = _letters(task, inputs[0], targets[0])
    chart = plots.heat_map(
        inputs[0].T,
        letters,
        f"what comes in, {length} time steps from left to right",
        "One sequence of the task, a column for each time step.",
        row_height=max(12, 48 // inputs.shape[-1]),
    )
    baseline = TASKS[task].baseline(length)
    caption = (
        f"{TASKS[task].about} Here the answer is {answer}. "
        f"{TASKS[task].baseline_about.capitalize()} scores a loss of {baseline:.3f}."
    )
    return plots.figure(chart, caption)


def _letters(task, inputs, targets):
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
    """Who has solved the task, large, and how the others stand."""
    runners = list(race.runners.values())
    first = min(
        (runner for runner in runners if runner.solved is not None),
        key=lambda runner: runner.solved,
        default=None,
    )
    baseline = race.task.baseline(race.setting.length)
    if first is None:
        best = min(runners, key=lambda runner: runner.tests[-1])
        return page.answer(
            f"{best.tests[-1]:.3g}",
            f"is the lowest loss so far, by the {CELLS[best.cell]}",
            "",
            f"Step {race.done:,}. {race.task.baseline_about.capitalize()} scores {baseline:.3f}.",
        )
    others = [runner for runner in runners if runner is not first]
    said = "; ".join(f"{CELLS[runner.cell]} {_standing(runner, baseline)}" for runner in others)
    return page.answer(
        f"{first.solved:,}",
        f"training steps until the {CELLS[first.cell]} solved it",
        "",
        f"Step {race.done:,}. " + (f"The others: {said}." if said else "It runs alone."),
    )


def _standing(runner, baseline):
    if runner.solved is not None:
        return f"after {runner.solved:,}"
    if runner.diverged is not None:
        return f"diverged at step {runner.diverged:,}"
    return "no better than a guess" if runner.tests[-1] > 0.9 * baseline else "not yet"


def charts(race):
    """Loss, accuracy and gradients by lag."""
    return _losses(race) + f'<div class="pair">{_accuracies(race)}{_gradients(race)}</div>'


def _losses(race):
    baseline = race.task.baseline(race.setting.length)
    steps = _steps(race)
    lines = [
        plots.Line(CELLS[cell], _on(steps, runner, runner.tests), cell)
        for cell, runner in race.runners.items()
    ]
    lines.append(
        plots.Line("guess without memory", np.full(len(steps), baseline), "baseline", True)
    )
    caption = (
        f"The loss on {len(race.test[0])} sequences that no cell trains on. A cell that learned "
        "only what needs no memory stays on the grey line; the fall below it is the moment "
        "when it works the task out."
    )
    loss = "mean squared error" if race.task.outputs == 1 else "cross-entropy, nats"
    return draw_log_chart(lines, steps, ("training steps", loss), caption, "race-loss", height=280)


def _accuracies(race):
    steps = _steps(race)
    lines = [
        plots.Line(CELLS[cell], _on(steps, runner, runner.accuracies), cell)
        for cell, runner in race.runners.items()
    ]
    chart = plots.line_chart(
        lines,
        "training steps",
        "share of right answers",
        "Line chart of each cell’s accuracy over the training steps.",
        x=steps,
        low=0,
        high=1,
        form=plots.percent,
        readouts=line_readouts(lines, steps, "step", plots.percent),
    )
    right = "A sum off by less than 0.1 counts as right. " if race.task.outputs == 1 else ""
    caption = f"{right}Learning to remember is sudden: nothing for a long time, then all of it."
    return savable_lines(lines, steps, "step", chart, caption, "race-accuracy")


def _gradients(race):
    longest = max(len(runner.gradients[-1]) for runner in race.runners.values())
    lags = np.arange(longest)
    lines = [
        plots.Line(CELLS[cell], runner.gradients[-1], cell) for cell, runner in race.runners.items()
    ]
    caption = (
        "How much of the error at the last answer reaches the hidden state so many steps before, "
        "in the networks as they stand now. What the first steps need must come this far."
    )
    axes = "lag, time steps back", "|∂L/∂h|"
    return draw_log_chart(lines, lags, axes, caption, "race-gradients", height=220)


def _steps(race):
    return max((runner.steps for runner in race.runners.values()), key=len)


def _on(steps, runner, values):
    """A runner's record on the steps of the longest; NaN after it diverged."""
    found = np.full(len(steps), np.nan)
    found[: len(values)] = values
    return found


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


def rows(race):
    """The table of a race: what `COLUMNS` names, for each cell."""
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
    """What happened, in words, and the table."""
    said = [_story(race, runner) for runner in race.runners.values()]
    shown = [
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
    spent = sum(runner.seconds for runner in race.runners.values())
    steps = sum(runner.steps[-1] for runner in race.runners.values())
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in said)
    speed = (
        f'<p class="small">{steps:,} training steps of {race.setting.batch} sequences in '
        f"{spent:.1f} seconds of computing, two cells at a time.</p>"
        if spent
        else ""
    )
    return f"<ul>{items}</ul>{page.table(COLUMNS, shown, numbers=range(1, 8))}{speed}"


def _story(race, runner):
    name, setting = CELLS[runner.cell], race.setting
    baseline, loss = race.task.baseline(setting.length), runner.tests[-1]
    gradient = runner.gradients[-1]
    share = gradient[-1] / gradient[0] if gradient[0] > 0 else 0.0
    reach = f"{format_power(share)} of its error reaches the first step"
    if runner.diverged is not None:
        return (
            f"{name}: diverged at step {runner.diverged:,}. The loss became infinite or not a "
            "number: an exploding gradient, or steps too large, threw the weights away. It stands "
            "as it was before that; a smaller learning rate or a tighter clip helps."
        )
    if runner.solved is not None:
        return (
            f"{name}: solved after {runner.solved:,} steps. Its loss is {loss:.2g} where a guess "
            f"without memory scores {baseline:.3g}; {reach}."
        )
    if race.done == 0:
        return f"{name}: not trained yet; {reach}."
    if loss > 0.9 * baseline:
        why = (
            "far too little to learn from what stood there"
            if share < 1e-3
            else "so the error does get there, but it has not found the rule"
        )
        return f"{name}: no better than a guess after {race.done:,} steps. {reach}: {why}."
    return (
        f"{name}: better than a guess, a loss of {loss:.2g} against {baseline:.3g}, but not "
        f"solved after {race.done:,} steps; {reach}."
    )
