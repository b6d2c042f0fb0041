"""The page of lesson 6: the same task with and without attention."""

import time

import gradio as gr
import numpy as np

from apps.cells.knobs import KnobError, one_of, whole
from apps.cells.memory import views
from shared import page

TITLE = "Attention as memory"
LEAD = (
    "Symbols come in, one after the other, and are to be said again from the last to the first. "
    "One network has only its state to remember them by; the other may look back."
)
LENGTH, STEPS, SECONDS = 12, 300, 60
SHORTEST, LONGEST = 4, 30
CHUNK = 50
STOPPED = page.note("Stopped.")


def _recall():
    """The computations, imported on first use because they bring in TensorFlow."""
    from apps.cells.memory import recall

    return recall


def build(shell, settings):
    """The lesson inside its `gr.Tab`."""
    del settings
    kind = page.choice(
        [("Dot attention", "dot"), ("Additive attention", "additive")], "dot", "Kind"
    )
    with gr.Row(elem_classes="controls"):
        length = gr.Number(LENGTH, label=f"Symbols, {SHORTEST} to {LONGEST}", min_width=130)
        steps = gr.Number(STEPS, label="Training steps, 50 to 1,000", min_width=150)
        seed = gr.Number(0, label="Seed", min_width=90)
    knobs = {"kind": kind, "length": length, "steps": steps, "seed": seed}
    with gr.Row(elem_classes="controls"):
        start = gr.Button("Train both", variant="primary", min_width=120)
        stop = gr.Button("Stop", min_width=90)
        page.link_button(shell, **knobs)
    problem, status = page.html(), page.html()
    answer = page.html(
        page.note("Nothing is trained yet. “Train both” takes a few seconds and draws as it goes.")
    )
    loss, weights, gradients = page.html(wide=True), page.html(wide=True), page.html(wide=True)
    page.html(
        f'<p class="small">Training ends after {SECONDS} seconds at the latest. Two trials or '
        "races run at a time on this site; a third waits in a queue, and its place is shown. "
        "Closing the page stops the work.</p>"
    )
    with gr.Accordion("The code that just ran", open=False):
        code = page.html()
    outputs = [problem, status, answer, loss, weights, gradients, code]

    seat = gr.State(page.Seat())

    def train(seat, *values):
        if seat.stopped:
            return
        try:
            kind, length, steps, seed = _checked(*values)
        except KnobError as refusal:
            yield [page.error(refusal), *[gr.skip()] * 6]
            return
        recall, turn, begun = _recall(), seat.begin(), time.monotonic()
        trials = [recall.TrainingRun(name, length, seed) for name in ("none", kind)]
        yield ["", page.note("Compiling both networks …"), *[gr.skip()] * 5]
        while trials[0].done < steps and time.monotonic() - begun < SECONDS:
            for trial in trials:
                trial.advance(min(CHUNK, steps - trial.done))
            if seat.turn is not turn:
                if seat.stopped:  # the picture before may have come after Stop's own word
                    yield ["", STOPPED, *[gr.skip()] * 5]
                return
            yield [*_shown(trials), gr.skip()]
        listing = page.code(recall.code(kind, length, seed, trials[1].done))
        yield [*_shown(trials), listing]

    def restore(link):
        found = {"kind": link.get("kind") if link.get("kind") in views.NAMES else "dot"}
        for name, low, high, value in (
            ("length", SHORTEST, LONGEST, LENGTH),
            ("steps", 50, 1000, STEPS),
            ("seed", 0, 10**6, 0),
        ):
            try:
                found[name] = whole("", link.get(name, value), low, high)
            except KnobError:
                found[name] = value
        return page.locked(link, **found)

    page.begun(
        start,
        seat,
        train,
        [*knobs.values()],
        outputs,
        concurrency_id="race",
        concurrency_limit=2,
        show_progress="minimal",
        show_progress_on=status,
    )

    def end(seat):
        seat.stop()
        return STOPPED

    stop.click(end, seat, status, queue=False, api_visibility="private")
    page.when_opened(shell, restore, [*knobs.values()], show_progress="hidden")
    _api()


def _checked(kind, length, steps, seed):
    steps = whole("The number of training steps", steps, 50, 1000)
    return (
        one_of("The kind", kind, ("dot", "additive")),
        whole("The number of symbols", length, SHORTEST, LONGEST),
        -(-steps // 10) * 10,
        whole("The seed", seed, 0, 10**6),
    )


def _shown(trials):
    looks = [trial.evaluate() for trial in trials]
    symbols = trials[1].test[0][0].argmax(axis=-1)
    return [
        "",
        page.note(f"Step {trials[0].done:,}."),
        views.answer(trials, looks),
        views.losses(trials, np.log(_recall().SYMBOLS)),
        views.weights(trials[1], looks[1], symbols),
        views.gradients(trials, looks),
    ]


def _api():
    def cells_recall(kind: str = "dot", length: int = 12, steps: int = 300, seed: int = 0) -> dict:
        """Say symbols in reverse order, with attention or without.

        Args:
            kind: none, dot or additive.
            length: Symbols, from 4 to 30.
            steps: Training steps of 32 sequences, from 50 to 1,000; it ends after 60 seconds.
            seed: Of weights and data.

        Returns:
            steps, accuracy (on 128 other sequences), loss (in nats), parameters, gradients (of
            the last answer's loss with respect to the reader's hidden states) and weights
            (of one sequence, a row for each answer; None without attention).
        """
        with page.refusals(KnobError):
            one_of("kind", kind, views.NAMES)
            _, length, steps, seed = _checked("dot", length, steps, seed)
        trial, start = _recall().TrainingRun(kind, length, seed), time.monotonic()
        while trial.done < steps and time.monotonic() - start < SECONDS:
            trial.advance(min(CHUNK, steps - trial.done))
        look = trial.evaluate()
        return {
            "steps": trial.done,
            "accuracy": look.accuracy,
            "loss": look.loss,
            "parameters": trial.parameters,
            "gradients": [float(value) for value in look.gradients],
            "weights": None if look.weights is None else look.weights.astype(float).tolist(),
        }

    page.api(cells_recall, concurrency_id="race", concurrency_limit=2)
