"""The page of lesson 4: cells train side by side while visitors watch."""

import math
import time

import gradio as gr

from apps.cells import CELLS as CELL_NAMES
from apps.cells.knobs import CELL, SEED
from apps.cells.race import views
from apps.cells.race.tasks import LONGEST, SHORTEST, TASKS
from shared import tables
from shared.errors import UserError
from shared.site import components
from shared.site.api import publish
from shared.site.events import (
    IMMEDIATE,
    QUIET,
    TRAINING_QUEUE,
    RunSlot,
    answer_or_error,
    start_on_click,
)
from shared.site.knobs import Knob, check_all, read_link
from shared.site.permalinks import locked
from shared.site.uploads import download_path

TITLE = "The race"
LEAD = (
    "Four cells learn the same task from the same sequences, live. The answer depends on something "
    "seen many steps earlier. A cell that cannot remember that long never finishes."
)
TASK = Knob("task", "Task", "adding", choices={key: task.title for key, task in TASKS.items()})
LENGTH = Knob("length", "Length", 50, SHORTEST, LONGEST)
CELLS = Knob("cells", "Cells", list(CELL_NAMES), choices=CELL_NAMES)
UNITS = Knob("units", "Units", 32, 2, 64)
MATCHED = Knob("matched", "Equal numbers of parameters: smaller cells get more units", False)
BATCH = Knob("batch", "Sequences per step", 32, 1, 128)
RATE = Knob("rate", "Learning rate", 0.01, 0, 1)
CLIP = Knob("clip", "Clip gradients at", 1.0, 0.001, 1000)
SPEED = Knob(
    "speed", "Training steps per update", 50, choices={n: str(n) for n in (1, 10, 50, 200)}
)
STEPS = Knob("steps", "Steps", 500, 1, 1000)  # of the API
SETTING_KNOBS = (TASK, LENGTH, CELLS, UNITS, MATCHED, BATCH, RATE, CLIP, SEED)
KNOBS = (*SETTING_KNOBS, SPEED)
MAX_SECONDS = 60  # of a run; then it pauses
MAX_UPDATES_PER_SECOND = 4
NO_RACE = "There is no race yet. Press Start."
STOPPED = "Stopped. “Start” begins a new race."
NOTE = (
    f'<p class="small">A race pauses after {MAX_SECONDS} seconds, or when every cell has solved '
    f"the task or diverged; “Continue” adds {MAX_SECONDS} seconds. Two races run at a time on this "
    "site, one of each visitor; others wait in a queue and show their place. Closing the page "
    "stops the race. An IRNN is an RNN of ReLUs that starts from the identity matrix. The Reber "
    "grammar is a small machine that writes strings of letters with random choices.</p>"
)


def _races():
    """The computations, imported on first use because they bring in TensorFlow."""
    from apps.cells.race import race

    return race


def build(page, settings):
    """Builds the lesson on its page."""
    del settings
    inputs, buttons = _build_controls()
    with gr.Row(elem_classes="controls"):
        page.link_button(**{knob.name: inputs[knob.name] for knob in KNOBS})
    outputs = [components.html(wide=n == 3) for n in range(5)]  # message, status, answer, …
    outputs.append(gr.DownloadButton("Download the results", visible=False))
    components.section("The task")
    example = components.html(wide=True)
    components.html(NOTE)
    with gr.Accordion("The code that just ran", open=False):
        outputs.append(components.html())
    _connect_buttons(inputs, buttons, outputs)

    message = outputs[0]
    shown = [message, example]
    show = answer_or_error(_draw_example, shown)
    described = [inputs[name] for name in ("task", "length", "seed")]
    gr.on([component.input for component in described], show, described, shown, **QUIET)

    def restore(link):
        values = read_link(KNOBS, link)
        return [
            *locked(link, **values),
            *show(values["task"], values["length"], values["seed"]),
        ]

    values = [inputs[knob.name] for knob in KNOBS]
    page.on_open(restore, [*values, *shown], show_progress="hidden")
    _publish_api()


def _build_controls():
    """The inputs and the buttons, by their names."""
    inputs, buttons = {"task": TASK.choice()}, {}
    with gr.Row(elem_classes="controls"):
        inputs["length"] = LENGTH.number(min_width=150)
        inputs["speed"] = SPEED.choice(
            label="Redraw every … steps", show_label=True, container=True, min_width=280
        )
    with gr.Row(elem_classes="controls"):
        buttons["start"] = gr.Button("Start", variant="primary", min_width=90)
        for name in ("Pause", "Continue", "One step", "Stop"):
            buttons[name.lower()] = gr.Button(name, min_width=90)
    with gr.Accordion("Cells, sizes and rates", open=False):
        inputs["cells"] = CELLS.choice(show_label=True, container=True)
        with gr.Row(elem_classes="controls"):
            inputs["units"] = UNITS.number(min_width=110)
            inputs["batch"] = BATCH.number(min_width=170)
            inputs["seed"] = SEED.number(label="Seed", min_width=90)
        with gr.Row(elem_classes="controls"):
            inputs["rate"] = RATE.number(min_width=140)
            inputs["clip"] = CLIP.number(min_width=190)
        inputs["matched"] = MATCHED.checkbox()
    return inputs, buttons


def _connect_buttons(inputs, buttons, outputs):
    """Starts, pauses, resumes and stops a visitor's race."""
    slot = gr.State(RunSlot())
    status = outputs[1]
    values = [inputs[knob.name] for knob in KNOBS]
    racing = {
        **TRAINING_QUEUE,
        "show_progress": "minimal",  # the place in the queue, over the status line
        "show_progress_on": status,
    }
    start_on_click(buttons["start"], slot, _begin, values, outputs, **racing)
    start_on_click(buttons["continue"], slot, _resume, [inputs["speed"]], outputs, **racing)
    start_on_click(buttons["one step"], slot, _advance_one_step, [], outputs, **racing)
    buttons["pause"].click(_pause, slot, status, **IMMEDIATE)
    buttons["stop"].click(_stop, slot, status, **IMMEDIATE)


def _message(sentence):
    """The outputs with an error message."""
    return [components.error(sentence), *[gr.skip()] * 6]


def _status(sentence):
    """The outputs with a status."""
    return ["", components.note(sentence), *[gr.skip()] * 5]


def _begin(slot, *values):
    """Starts a new race and yields the outputs as it goes."""
    if slot.stopped:
        return
    try:
        setting, speed = _check(*values)
        race = _races().Race(setting)
    except UserError as error:
        slot.pause()
        yield _refuse(error, slot.subject)
        return
    token = slot.begin(race)
    for name in race.prepare():
        yield _status(f"Compiling the {name} for this task …")
        if not slot.owns(token):
            if slot.stopped:
                yield _status(STOPPED)
            return
    yield from _run(slot, race, token, speed)


def _refuse(error, race):
    """The outputs with an error message, and with the race that the refused one has ended."""
    if race is None or race.over():
        return _message(error)
    shown = _draw(race, f"Paused at step {race.done:,}.", ended=True)
    return [components.error(error), *shown[1:]]


def _resume(slot, speed):
    if slot.subject is None:
        yield _message(NO_RACE)
        return
    yield from _run(slot, slot.subject, slot.begin(slot.subject), speed)


def _advance_one_step(slot):
    race = slot.subject
    if race is None:
        return _message(NO_RACE)
    slot.pause()
    race.advance(1)
    return ["", *_draw(race, f"Paused at step {race.done:,}.", ended=True)[1:]]


def _pause(slot):
    if slot.subject is None:
        return gr.skip()
    slot.pause()
    return components.note(f"Paused at step {slot.subject.done:,}.")


def _stop(slot):
    had_race = slot.subject is not None
    slot.stop()
    return components.note(STOPPED) if had_race else gr.skip()


def _run(slot, race, token, speed):
    """Advances a race and yields the outputs until it ends or another run takes the slot.

    Only the first update clears the message: an error that comes up meanwhile must stay.
    """
    yield ["", *[gr.skip()] * 6]
    start = time.monotonic()
    while slot.owns(token):
        drawn = time.monotonic()
        if race.over():
            yield _draw(race, "Over: every cell has solved the task or diverged.", ended=True)
            return
        if drawn - start > MAX_SECONDS:
            yield _draw(
                race,
                f"Paused after one minute (step {race.done:,}). Press “Continue” for another "
                "minute.",
                ended=True,
            )
            return
        yield _draw(race, f"Step {race.done:,}.")
        race.advance(speed)
        time.sleep(max(0, 1 / MAX_UPDATES_PER_SECOND - (time.monotonic() - drawn)))
    if slot.paused or slot.stopped:
        sentence = f"Paused at step {race.done:,}." if slot.paused else STOPPED
        yield _draw(race, sentence, ended=True)


def _draw(race, sentence, ended=False):
    """All outputs but the message; the download and the code only once a run has ended."""
    shown = [
        gr.skip(),
        components.note(sentence),
        views.answer(race),
        views.charts(race),
        views.results(race),
    ]
    if not ended:
        return [*shown, gr.DownloadButton(visible=False), gr.skip()]
    path = download_path("race.csv")
    tables.write(path, views.COLUMNS, views.rows(race))
    code = components.code_block(_races().write_listing(race.setting, max(1, race.done)))
    return [*shown, gr.DownloadButton(value=str(path), visible=True), code]


def _draw_example(task, length, seed):
    options = check_all((TASK, LENGTH, SEED), (task, length, seed))
    return [views.example(options["task"], options["length"], options["seed"])]


def _check(*values):
    """The `Setting`, and the training steps between two updates."""
    options = check_all(KNOBS, values)
    speed = options.pop("speed")
    return _make_setting(**options), speed


def _make_setting(cells, rate, **options):
    if rate == 0:
        raise UserError("A learning rate of 0 learns nothing. Choose a larger one.")
    return _races().Setting(cells=tuple(cells), rate=rate, **options)


def _publish_api():
    def cells_race(
        task: TASK.annotation = TASK.default,
        cell: CELL.annotation = "lstm",
        length: LENGTH.annotation = LENGTH.default,
        steps: STEPS.annotation = STEPS.default,
        units: UNITS.annotation = UNITS.default,
        rate: RATE.annotation = RATE.default,
        clip: CLIP.annotation = CLIP.default,
        seed: SEED.annotation = 0,
    ) -> dict:
        """Train one cell on one of the race's tasks.

        Args:
            task: adding, copy, order, parity or reber.
            cell: rnn, irnn, lstm or gru.
            length: Time steps, from 10 to 400.
            steps: Training steps of 32 sequences, from 1 to 1,000; it ends after 60 seconds.
            units: Units of the cell, from 2 to 64.
            rate: Adam's learning rate, above 0 and at most 1.
            clip: Largest norm of the gradient, from 0.001 to 1,000.
            seed: Seed of initial weights and data.

        Returns:
            steps, loss and accuracy (on 256 other sequences), baseline (the loss of a guess
            without memory), parameters, solved and diverged (the step, or None), and gradients
            (by lag).
        """
        setting = _make_setting(
            [cell], rate, task=task, length=length, units=units, clip=clip, seed=seed
        )
        race = _races().Race(setting)
        for _ in race.prepare():
            pass
        start = time.monotonic()
        while race.done < steps and not race.over() and time.monotonic() - start < MAX_SECONDS:
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

    publish(cells_race, **TRAINING_QUEUE)
