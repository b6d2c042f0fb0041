"""The page of lesson 3: how far a gradient gets back through time."""

from typing import Literal

import gradio as gr

from apps.cells.gradients import views
from apps.cells.knobs import KnobError, number, one_of, whole
from shared import page

TITLE = "Gradients"
LEAD = (
    "A network learns from its past only through a gradient that travels back step by step, and "
    "each step multiplies it by a matrix. Less than 1, and it vanishes; more, and it explodes."
)
STARTS = {"orthogonal": "Orthogonal", "gaussian": "Gaussian"}
DEFAULTS = {
    "cells": list(views.CELLS),
    "length": 100,
    "units": 32,
    "start": "orthogonal",
    "radius": 1.0,
    "bias": 4.0,
    "clip": 0.0,
    "omega": 0,
    "seed": 0,
}
TRIES = {
    "edge": ("On the edge", {}),
    "vanish": ("Vanish", {"radius": 0.7, "bias": 1.0}),
    "explode": ("Explode", {"radius": 2.0, "start": "gaussian", "length": 60}),
    "clip": (
        "Explode, clipped",
        {"cells": ["rnn", "lstm"], "radius": 2.0, "start": "gaussian", "length": 60, "clip": 1.0},
    ),
    "omega": ("Mended by Ω", {"cells": ["rnn"], "omega": 40}),
    "overflow": ("Overflow", {"radius": 1.5, "length": 300}),
}


def _flow():
    """The measurements, imported on first use because they bring in TensorFlow."""
    from apps.cells.gradients import flow

    return flow


def build(shell, settings):
    """The lesson inside its `gr.Tab`."""
    del settings
    tries = page.tries([(name, key) for key, (name, _) in TRIES.items()])
    answer = page.html()
    problem = page.html()
    knobs = {}
    with gr.Row(elem_classes="controls"):
        knobs["cells"] = gr.CheckboxGroup(
            [(name, cell) for cell, name in views.CELLS.items()],
            value=DEFAULTS["cells"],
            label="Cells",
            show_label=False,
            container=False,
        )
        knobs["start"] = page.choice(
            [(name, key) for key, name in STARTS.items()], "orthogonal", "Recurrent weights"
        )
    with gr.Row(elem_classes="controls"):
        knobs["radius"] = gr.Slider(
            0, 3, 1, step=0.05, label="Spectral radius of the recurrent weights", min_width=220
        )
        knobs["bias"] = gr.Slider(
            -2, 8, 4, step=0.5, label="Bias of the gate that keeps the past", min_width=220
        )
    with gr.Row(elem_classes="controls"):
        knobs["length"] = gr.Number(100, label="Time steps T", min_width=100)
        knobs["units"] = gr.Number(32, label="Units", min_width=100)
        knobs["clip"] = gr.Number(0, label="Clip at (0: off)", min_width=100)
        knobs["omega"] = gr.Number(0, label="Steps down Ω", min_width=100)
        knobs["seed"] = gr.Number(0, label="Seed", min_width=100)
    curves, story, products = page.html(wide=True), page.html(), page.html(wide=True)
    with gr.Row(elem_classes="controls"):
        page.link_button(shell, **knobs)
    page.html(
        '<p class="small">The loss is L = v · h(T), with v a fixed direction of length 1, so that '
        "each curve starts at 1. The inputs are random numbers. γ = 1 is the steepest slope of "
        "tanh and ReLU. A gate with bias b keeps 1 / (1 + e⁻ᵇ) of the past at each step: a bias of "
        "log T keeps it for T steps (Tallec &amp; Ollivier 2018). The IRNN starts from the "
        "identity times the radius (Le, Jaitly &amp; Hinton 2015). Clipping acts on |∂L/∂U|; it "
        "and Ω are those of Pascanu, Mikolov &amp; Bengio (2013); Ω is for the RNN.</p>"
    )
    with gr.Accordion("The code that just ran", open=False):
        code = page.html()
    shown = [problem, answer, curves, story, products, code]

    def measure(*values):
        try:
            return ["", *_measure(*values)]
        except KnobError as refusal:
            return [page.error(refusal), *[gr.skip()] * 5]

    def attempt(sample, taken):
        return [*{**DEFAULTS, **TRIES[sample[0]][1]}.values(), taken + 1]

    def restore(link):
        values = _read(link)
        said, *figures = measure(*values.values())
        if said:  # the link cannot be used: the first sight stands below the sentence
            _, *figures = measure(*DEFAULTS.values())
        return [*page.locked(link, **values), said, *figures]

    quiet = {
        **page.COMPUTE,
        "show_progress": "minimal",
        "show_progress_on": answer,
    }
    inputs = [knobs[name] for name in DEFAULTS]
    # An example moves the knobs and counts: only who reads the knobs draws, and does so last.
    taken = gr.State(0)
    tries.click(attempt, [tries, taken], [*inputs, taken], **quiet)
    gr.on([*page.edits(inputs), taken.change], measure, inputs, shown, **quiet)
    page.when_opened(shell, restore, [*inputs, *shown], **quiet)
    _api()


def _read(link):
    """The knobs' values in a link; what is missing or unreadable is as on first sight."""
    values = dict(DEFAULTS)
    for name in values:
        if name in ("cells", "start") or name not in link:
            continue
        try:
            values[name] = number("", link[name], -1e9, 1e9)
        except KnobError:
            continue
    cells = [cell for cell in views.CELLS if cell in link.get("cells", "").split(",")]
    values["cells"] = cells or DEFAULTS["cells"]
    values["start"] = link["start"] if link.get("start") in STARTS else DEFAULTS["start"]
    return values


def _checked(cells, length, units, start, radius, bias, clip, omega, seed):
    """The cells and the `Setting` of what the knobs say."""
    cells = [cell for cell in views.CELLS if cell in (cells or ())]
    if not cells:
        raise KnobError("Choose at least one cell.")
    setting = _flow().Setting(
        length=whole("The number of time steps", length, 1, 400),
        units=whole("The number of units", units, 1, 32),
        start=one_of("The start of the recurrent weights", start, STARTS),
        radius=number("The spectral radius", radius, 0, 10),
        bias=number("The bias", bias, -20, 20),
        clip=number("The norm to clip at", clip, 0, 1e6),
        omega=whole("The number of steps down Ω", omega, 0, 50),
        seed=whole("The seed", seed, 0, 1e6),
    )
    return cells, setting


def _measure(*values):
    cells, setting = _checked(*values)
    flow = _flow()
    flows = [flow.measure(cell, setting) for cell in cells]
    omega = flow.regularise(setting) if setting.omega and "rnn" in cells else None
    return (
        views.answer(flows),
        views.curves(flows, omega),
        views.story(flows, omega, setting.clip),
        views.products(flows, omega),
        page.code(flow.code(cells, setting)),
    )


def _api():
    def cells_gradients(
        cell: Literal["rnn", "irnn", "lstm", "gru"] = "rnn",
        length: int = 100,
        units: int = 32,
        start: Literal["orthogonal", "gaussian"] = "orthogonal",
        radius: float = 1.0,
        bias: float = 4.0,
        seed: int = 0,
    ) -> dict:
        """How much of a gradient is left at every lag, measured in a layer of random weights.

        Args:
            cell: rnn, irnn, lstm or gru.
            length: Time steps, from 1 to 400.
            units: Of the layer, from 1 to 32.
            start: Of the recurrent weights: orthogonal or gaussian.
            radius: Their spectral radius, from 0 to 10.
            bias: Of the forget or update gate.
            seed: Of weights and inputs.

        Returns:
            norms (by lag, from 0), largest (singular values of the products of Jacobians),
            bound (or None), gradient (norm of the gradient with respect to the recurrent weights)
            and broken (the first step whose state overflowed, or None). What is not a number is
            None.
        """
        with page.refusals(KnobError):
            one_of("cell", cell, views.CELLS)
            values = ([cell], length, units, start, radius, bias, 0, 0, seed)
            found = _flow().measure(cell, _checked(*values)[1])
        return {
            "norms": _numbers(found.norms),
            "largest": _numbers(found.largest),
            "bound": None if found.bound is None else _numbers(found.bound),
            "gradient": _numbers([found.gradient])[0],
            "broken": found.broken,
        }

    page.api(cells_gradients, concurrency_id="compute", concurrency_limit=2)


def _numbers(values):
    """Numbers for JSON, which has no infinity."""
    return [float(value) if abs(value) < float("inf") else None for value in values]
