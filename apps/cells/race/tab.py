"""The page of lesson 4: cells train side by side while one watches."""

import math
import time

import gradio as gr

from apps.cells import CELLS
from apps.cells.knobs import KnobError, number, one_of, whole
from apps.cells.race import views
from apps.cells.race.tasks import LONGEST, SHORTEST, TASKS
from shared import page, tables

TITLE = "The race"
LEAD = (
    "Four cells learn the same task from the same sequences, live. What is asked at the end lies "
    "far back: whoever cannot carry it that far, or cannot learn to, does not finish."
)
SECONDS = 60  # of one run, then it waits
PICTURES = 4  # a second, at most
PAUSED = "paused"  # the turn of nobody, in a race that can go on
KNOBS = {
    "task": "adding",
    "length": 50,
    "cells": ["rnn", "irnn", "lstm", "gru"],
    "units": 32,
    "matched": False,
    "batch": 32,
    "rate": 0.01,
    "clip": 1.0,
    "seed": 0,
    "speed": 50,
}


def _races():
    """The computations, imported on first use because they bring in TensorFlow."""
    from apps.cells.race import race

    return race


def build(shell, settings):
    """The lesson inside its `gr.Tab`."""
    del settings
    task = page.choice([(task.title, key) for key, task in TASKS.items()], "adding", "Task")
    with gr.Row(elem_classes="controls"):
        length = gr.Number(50, label=f"Length, {SHORTEST} to {LONGEST} steps", min_width=150)
        speed = gr.Radio(
            [("1", 1), ("10", 10), ("50", 50), ("200", 200)],
            value=50,
            label="Training steps between two updates",
            min_width=280,
        )
    with gr.Row(elem_classes="controls"):
        start = gr.Button("Start", variant="primary", min_width=90)
        pause = gr.Button("Pause", min_width=90)
        go = gr.Button("Go on", min_width=90)
        step = gr.Button("One step", min_width=90)
        stop = gr.Button("Stop", min_width=90)
    with gr.Accordion("Cells, sizes and rates", open=False):
        cells = gr.CheckboxGroup(
            [(name, cell) for cell, name in CELLS.items()], value=KNOBS["cells"], label="Cells"
        )
        with gr.Row(elem_classes="controls"):
            units = gr.Number(32, label="Units, 2 to 64", min_width=110)
            batch = gr.Number(32, label="Sequences per step, 1 to 128", min_width=170)
            seed = gr.Number(0, label="Seed", min_width=90)
        with gr.Row(elem_classes="controls"):
            rate = gr.Number(0.01, label="Learning rate, 0 to 1", min_width=140)
            clip = gr.Number(1.0, label="Clip gradients at, 0.001 to 1,000", min_width=190)
        matched = gr.Checkbox(
            False, label="Equal numbers of parameters: smaller cells get more units"
        )
    knobs = {
        "task": task,
        "length": length,
        "cells": cells,
        "units": units,
        "matched": matched,
        "batch": batch,
        "rate": rate,
        "clip": clip,
        "seed": seed,
        "speed": speed,
    }
    with gr.Row(elem_classes="controls"):
        page.link_button(shell, **knobs)
    problem = page.html()
    seat = gr.State(page.Seat())
    status, answer = page.html(), page.html()
    figures = page.html(wide=True)
    results = page.html()
    download = gr.DownloadButton("Download the results", visible=False)
    page.section("What they are asked")
    shown = page.html(wide=True)
    page.html(
        f'<p class="small">A run pauses by itself after {SECONDS} seconds, or when every cell has '
        f"solved the task or diverged; “Go on” adds another {SECONDS}. Two races run at a time on "
        "this site; a third waits in a queue, and its place is shown. Closing the page stops the "
        "race.</p>"
    )
    with gr.Accordion("The code that just ran", open=False):
        code = page.html()

    values = list(knobs.values())
    outputs = [problem, status, answer, figures, results, download, code]

    def begin(seat, *values):
        if seat.stopped:
            return
        try:
            setting, speed = _setting(*values)
            race = _races().Race(setting)
        except KnobError as refusal:
            seat.turn = PAUSED
            yield [page.error(refusal), *[gr.skip()] * 6]
            return
        turn = seat.begin(race)
        for name in race.prepare():
            yield ["", page.note(f"Compiling the {name} for this task …"), *[gr.skip()] * 5]
            if seat.stopped:
                yield ["", page.note(_STOPPED), *[gr.skip()] * 5]
                return
        yield from _run(seat, race, turn, speed)

    def go_on(seat, speed):
        if seat.held is None:
            yield [page.error(_NONE), *[gr.skip()] * 6]
            return
        yield from _run(seat, seat.held, seat.begin(seat.held), speed)

    def one_step(seat):
        race = seat.held
        if race is None:
            return [page.error(_NONE), *[gr.skip()] * 6]
        seat.turn = PAUSED
        race.advance(1)
        return _picture(race, f"Paused at step {race.done:,}.", ended=True)

    def halt(seat):
        if seat.held is None:
            return gr.skip()
        seat.turn = PAUSED
        return page.note(f"Paused at step {seat.held.done:,}.")

    def end(seat):
        had = seat.held is not None
        seat.stop()
        return page.note(_STOPPED) if had else gr.skip()

    def show(task, length, seed):
        try:
            length = whole("The length", length, SHORTEST, LONGEST)
            seed = whole("The seed", seed, 0, 10**6)
            return "", views.example(one_of("The task", task, TASKS), length, seed)
        except KnobError as refusal:
            return page.error(refusal), gr.skip()

    def restore(link):
        found = {name: _from_link(name, link.get(name), value) for name, value in KNOBS.items()}
        return [*page.locked(link, **found), *show(found["task"], found["length"], found["seed"])]

    # The queue's place shows over the status line; what is drawn stays as it is.
    racing = {
        "concurrency_id": "race",
        "concurrency_limit": 2,
        "show_progress": "minimal",
        "show_progress_on": status,
        "api_visibility": "private",
    }
    at_any_time = {**racing, "trigger_mode": "multiple"}
    quick = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    page.begun(start, seat, begin, values, outputs, **racing)
    go.click(go_on, [seat, speed], outputs, **at_any_time)
    step.click(one_step, seat, outputs, **at_any_time)
    pause.click(halt, seat, status, **quick)
    stop.click(end, seat, status, **quick)
    quiet = {**page.COMPUTE, "show_progress": "hidden"}
    gr.on(
        [task.input, length.input, seed.input],
        show,
        [task, length, seed],
        [problem, shown],
        **quiet,
    )
    page.when_opened(shell, restore, [*values, problem, shown], show_progress="hidden")
    _api()


_NONE = "There is no race yet. Press Start."
_STOPPED = "Stopped. “Start” begins a new race."


def _setting(task, length, cells, units, matched, batch, rate, clip, seed, speed=1):
    """The knobs as a `Setting`, and the training steps of a picture."""
    cells = [cell for cell in CELLS if cell in (cells or ())]
    if not cells:
        raise KnobError("Choose at least one cell.")
    rate = number("The learning rate", rate, 0, 1)
    if rate == 0:
        raise KnobError("With a learning rate of 0 nothing is learned. Choose a larger one.")
    setting = _races().Setting(
        one_of("The task", task, TASKS),
        whole("The length", length, SHORTEST, LONGEST),
        tuple(cells),
        whole("The number of units", units, 2, 64),
        bool(matched),
        whole("The number of sequences", batch, 1, 128),
        rate,
        number("The clip", clip, 0.001, 1000),
        whole("The seed", seed, 0, 10**6),
    )
    return setting, whole("The speed", speed, 1, 200)


def _run(seat, race, turn, speed):
    """Pictures of a race until it is over, paused or out of time, or another run takes over."""
    start = time.monotonic()
    while seat.turn is turn:
        drawn = time.monotonic()
        if race.over():
            said = "Over: every cell has solved the task or diverged."
        elif drawn - start > SECONDS:
            said = f"Paused at step {race.done:,} after {SECONDS} seconds. “Go on” adds as many."
        else:
            yield _picture(race, f"Step {race.done:,}.")
            race.advance(speed)
            time.sleep(max(0, 1 / PICTURES - (time.monotonic() - drawn)))
            continue
        yield _picture(race, said, ended=True)
        return
    if seat.turn is PAUSED:
        said = f"Paused at step {race.done:,}."
    elif seat.stopped:
        said = _STOPPED
    else:
        return
    # What was refused meanwhile, or ended the run, keeps its sentence.
    yield [gr.skip(), *_picture(race, said, ended=True)[1:]]


def _picture(race, said, ended=False):
    shown = [
        "",
        page.note(said),
        views.answer(race),
        views.charts(race),
        views.results(race),
    ]
    if not ended:
        return [*shown, gr.DownloadButton(visible=False), gr.skip()]
    target = page.download_path("race.csv")
    tables.write(target, views.COLUMNS, views.rows(race))
    code = page.code(_races().code(race.setting, max(1, race.done)))
    return [*shown, gr.DownloadButton(value=str(target), visible=True), code]


def _from_link(name, text, otherwise):
    """A knob's value in a link; one that cannot be used is ignored."""
    if text is None:
        return otherwise
    if name == "task":
        return text if text in TASKS else otherwise
    if name == "cells":
        return [cell for cell in CELLS if cell in text.split(",")] or otherwise
    if name == "matched":
        return text == "true"
    try:
        value = number("", text, 0, 1e6)
    except KnobError:
        return otherwise
    if name == "speed" and value not in (1, 10, 50, 200):
        return otherwise
    return value if name in ("rate", "clip") else int(value)


def _api():
    def cells_race(
        task: str = "adding",
        cell: str = "lstm",
        length: int = 50,
        steps: int = 500,
        units: int = 32,
        rate: float = 0.01,
        clip: float = 1.0,
        seed: int = 0,
    ) -> dict:
        """Train one cell on one of the race's tasks.

        Args:
            task: adding, copy, order, parity or reber.
            cell: rnn, irnn, lstm or gru.
            length: Time steps, from 10 to 400.
            steps: Training steps of 32 sequences, from 1 to 1,000; it ends after 60 seconds.
            units: From 2 to 64.
            rate: Adam's learning rate.
            clip: Largest norm of the gradient.
            seed: Of initial weights and data.

        Returns:
            steps, loss and accuracy (on 256 other sequences), baseline (the loss of a guess
            without memory), parameters, solved and diverged (the step, or None), and gradients
            (by lag).
        """
        with page.refusals(KnobError):
            one_of("cell", cell, CELLS)
            steps = whole("The number of steps", steps, 1, 1_000)
            setting, _ = _setting(task, length, [cell], units, False, 32, rate, clip, seed)
            race = _races().Race(setting)
        for _ in race.prepare():
            pass
        start = time.monotonic()
        while race.done < steps and not race.over() and time.monotonic() - start < SECONDS:
            race.advance(min(50, steps - race.done))
        runner = race.runners[cell]
        return {
            "steps": race.done,
            "loss": runner.tests[-1],
            "accuracy": runner.accuracies[-1],
            "baseline": race.task.baseline(setting.length),
            "parameters": runner.parameters,
            "solved": runner.solved,
            "diverged": runner.diverged,
            "gradients": [v if math.isfinite(v) else None for v in runner.gradients[-1].tolist()],
        }

    page.api(cells_race, concurrency_id="race", concurrency_limit=2)
