"""The page of lesson 6: the same task with and without attention."""

import time

import gradio as gr
import numpy as np

from apps.cells.knobs import SEED
from apps.cells.memory import views
from shared.errors import UserError
from shared.site import components
from shared.site.api import publish
from shared.site.events import IMMEDIATE, TRAINING_QUEUE, RunSlot, start_on_click
from shared.site.knobs import Knob, check_all, read_link
from shared.site.permalinks import locked

TITLE = "Attention as memory"
LEAD = (
    "The network reads a few symbols and must repeat them backwards. One network has only its "
    "state to remember them by; the other may look back."
)
ATTENTIONS = {"dot": "Dot attention", "additive": "Additive attention"}
KIND = Knob("kind", "Kind of attention", "dot", choices=ATTENTIONS)
LENGTH = Knob("length", "Symbols", 12, 4, 30)
STEPS = Knob("steps", "Training steps", 300, 50, 1000)
KNOBS = (KIND, LENGTH, STEPS, SEED)
MAX_SECONDS = 60  # of a run
STEPS_PER_UPDATE = 50  # of the figures
STEP_MULTIPLE = 10  # the compiled graph takes ten training steps at once
STOPPED = components.note("Stopped.")
NOTE = (
    f'<p class="small">Training ends after {MAX_SECONDS} seconds at the latest. Two trainings or '
    "races run at a time on this site, one of each visitor; others wait in a queue and show their "
    "place. Closing the page stops the training.</p>"
)


def _recall():
    """The computations, imported on first use because they bring in TensorFlow."""
    from apps.cells.memory import recall

    return recall


def build(page, settings):
    """Builds the lesson on its page."""
    del settings
    inputs = {"kind": KIND.choice()}
    with gr.Row(elem_classes="controls"):
        inputs["length"] = LENGTH.number(min_width=130)
        inputs["steps"] = STEPS.number(min_width=150)
        inputs["seed"] = SEED.number(label="Seed", min_width=90)
    with gr.Row(elem_classes="controls"):
        start = gr.Button("Train both", variant="primary", min_width=120)
        stop = gr.Button("Stop", min_width=90)
        page.link_button(**inputs)
    message, status = components.html(), components.html()
    answer = components.html(
        components.note(
            "Nothing is trained yet. “Train both” takes a few seconds and draws as it goes."
        )
    )
    figures = [components.html(wide=True) for _ in range(3)]
    components.html(NOTE)
    with gr.Accordion("The code that just ran", open=False):
        code = components.html()
    outputs = [message, status, answer, *figures, code]

    slot = gr.State(RunSlot())
    progress = {"show_progress": "minimal", "show_progress_on": status}
    start_on_click(start, slot, _train, [*inputs.values()], outputs, **TRAINING_QUEUE, **progress)

    def end(slot):
        slot.stop()
        return STOPPED

    stop.click(end, slot, status, **IMMEDIATE)
    page.on_open(
        lambda link: locked(link, **read_link(KNOBS, link)),
        [*inputs.values()],
        show_progress="hidden",
    )
    _publish_api()


def _train(slot, *values):
    """Trains both networks and yields the outputs of the page as it goes."""
    if slot.stopped:
        return
    try:
        kind, length, steps, seed = check_all(KNOBS, values).values()
    except UserError as error:
        yield [components.error(error), *[gr.skip()] * 6]
        return
    recall, token, start = _recall(), slot.begin(), time.monotonic()
    steps = _round_up(steps)
    runs = [recall.TrainingRun(name, length, seed) for name in ("none", kind)]
    yield ["", components.note("Compiling both networks …"), *[gr.skip()] * 5]
    while runs[0].done < steps and time.monotonic() - start < MAX_SECONDS:
        for run in runs:
            run.advance(min(STEPS_PER_UPDATE, steps - run.done))
        if not slot.owns(token):
            if slot.stopped:  # an update may have replaced the note of the Stop button
                yield [gr.skip(), STOPPED, *[gr.skip()] * 5]
            return
        yield [*_draw(runs), gr.skip()]
    code = components.code_block(recall.write_listing(kind, length, seed, runs[1].done))
    yield [*_draw(runs), code]


def _round_up(steps):
    return -(-steps // STEP_MULTIPLE) * STEP_MULTIPLE


def _draw(runs):
    """All outputs but the code; an error message that came up meanwhile stays."""
    evaluations = [run.evaluate() for run in runs]
    symbols = runs[1].test[0][0].argmax(axis=-1)
    return [
        gr.skip(),
        components.note(f"Step {runs[0].done:,}."),
        views.answer(runs, evaluations),
        views.losses(runs, np.log(_recall().SYMBOLS)),
        views.weights(runs[1], evaluations[1], symbols),
        views.gradients(runs, evaluations),
    ]


def _publish_api():
    kinds = Knob("kind", "Kind of attention", "dot", choices={"none": "None", **ATTENTIONS})

    def cells_recall(
        kind: kinds.annotation = "dot",
        length: LENGTH.annotation = LENGTH.default,
        steps: STEPS.annotation = STEPS.default,
        seed: SEED.annotation = 0,
    ) -> dict:
        """Repeat symbols in reverse order, with attention or without.

        Args:
            kind: none, dot or additive.
            length: Symbols, from 4 to 30.
            steps: Training steps of 32 sequences, from 50 to 1,000; it ends after 60 seconds.
            seed: Seed of weights and data.

        Returns:
            steps, accuracy (on 128 other sequences), loss (in nats), parameters, gradients (of
            the last answer's loss with respect to the reader's hidden states) and weights
            (of one sequence, a row for each answer; None without attention).
        """
        run, start = _recall().TrainingRun(kind, length, seed), time.monotonic()
        steps = _round_up(steps)
        while run.done < steps and time.monotonic() - start < MAX_SECONDS:
            run.advance(min(STEPS_PER_UPDATE, steps - run.done))
        evaluation = run.evaluate()
        weights = evaluation.weights
        return {
            "steps": run.done,
            "accuracy": evaluation.accuracy,
            "loss": evaluation.loss,
            "parameters": run.parameters,
            "gradients": [float(value) for value in evaluation.gradients],
            "weights": None if weights is None else weights.astype(float).tolist(),
        }

    publish(cells_recall, **TRAINING_QUEUE)
