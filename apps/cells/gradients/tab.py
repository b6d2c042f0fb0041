"""The page of lesson 3: how far a gradient travels back through time."""

import gradio as gr

from apps.cells import CELLS as CELL_NAMES
from apps.cells.gradients import views
from apps.cells.knobs import CELL, SEED
from shared.site import components
from shared.site.api import publish
from shared.site.events import COMPUTE, answer_or_error, set_inputs_on, user_edits
from shared.site.knobs import Knob, check_all, read_link
from shared.site.permalinks import locked

TITLE = "Gradients"
LEAD = (
    "A network learns from its past through a gradient that travels back step by step, and each "
    "step multiplies it by a matrix. If that shrinks it, the gradient vanishes; if it stretches "
    "it, the gradient explodes."
)
CELLS = Knob("cells", "Cells", list(CELL_NAMES), choices=CELL_NAMES)
START = Knob(
    "start",
    "Recurrent weights",
    "orthogonal",
    choices={"orthogonal": "Orthogonal", "gaussian": "Gaussian"},
)
RADIUS = Knob("radius", "Spectral radius of the recurrent weights", 1.0, 0, 10, step=0.05)
BIAS = Knob("bias", "Bias of the gate that keeps the past", 4.0, -20, 20, step=0.5)
LENGTH = Knob("length", "Time steps T", 100, 1, 400)
UNITS = Knob("units", "Units", 32, 1, 32)
CLIP = Knob("clip", "Clipping norm (0: off)", 0.0, 0, 1_000_000)
OMEGA = Knob("omega", "Descent steps on Ω", 0, 0, 50)
KNOBS = (CELLS, LENGTH, UNITS, START, RADIUS, BIAS, CLIP, OMEGA, SEED)
PRESETS = {
    "edge": ("On the edge", {}),
    "vanish": ("Vanish", {"radius": 0.7, "bias": 1.0}),
    "explode": ("Explode", {"radius": 2.0, "start": "gaussian", "length": 60}),
    "clip": (
        "Explode, clipped",
        {"cells": ["rnn", "lstm"], "radius": 2.0, "start": "gaussian", "length": 60, "clip": 1.0},
    ),
    "omega": ("Repaired by Ω", {"cells": ["rnn"], "omega": 40}),
    "overflow": ("Overflow", {"radius": 1.5, "length": 300}),
}
NOTE = (
    '<p class="small">The loss is L = v · h(T) with a fixed direction v of length 1, so that each '
    "curve starts at 1. The inputs are random numbers. The spectral radius of a matrix is the "
    "magnitude of its largest eigenvalue. An IRNN is an RNN of ReLUs that starts from the identity "
    "matrix, here times the radius (Le, Jaitly &amp; Hinton 2015). A gate with bias b keeps "
    "1 / (1 + e⁻ᵇ) of the past at each step: a bias of log T keeps it for T steps (Tallec &amp; "
    "Ollivier 2018). Clipping acts on |∂L/∂U|, the gradient with respect to the recurrent weights. "
    "Ω is a regulariser for the RNN that is 0 if every step keeps the length of the gradient; "
    "gradient descent on Ω alone repairs the weights. Both are those of Pascanu, Mikolov &amp; "
    "Bengio (2013).</p>"
)


def _flow():
    """The measurements, imported on first use because they bring in TensorFlow."""
    from apps.cells.gradients import flow

    return flow


def build(page, settings):
    """Builds the lesson on its page."""
    del settings
    presets = components.presets([(name, key) for key, (name, _) in PRESETS.items()])
    answer, message = components.html(), components.html()
    controls = _build_controls()
    curves, story = components.html(wide=True), components.html()
    products = components.html(wide=True)
    with gr.Row(elem_classes="controls"):
        page.link_button(**controls)
    components.html(NOTE)
    with gr.Accordion("The code that just ran", open=False):
        code = components.html()
    inputs = [controls[knob.name] for knob in KNOBS]
    outputs = [message, answer, curves, story, products, code]
    draw = answer_or_error(_draw, outputs)

    def restore(link):
        values = read_link(KNOBS, link)
        return [*locked(link, **values), *draw(*values.values())]

    quiet = {**COMPUTE, "show_progress": "minimal", "show_progress_on": answer}
    chosen = set_inputs_on(
        presets.click, presets, lambda sample: _preset_values(sample[0]), inputs, **quiet
    )
    gr.on([*user_edits(inputs), chosen], draw, inputs, outputs, **quiet)
    page.on_open(restore, [*inputs, *outputs], **quiet)
    _publish_api()


def _build_controls():
    """The inputs by their names."""
    controls = {}
    with gr.Row(elem_classes="controls"):
        controls["cells"], controls["start"] = CELLS.choice(), START.choice()
    with gr.Row(elem_classes="controls"):
        controls["radius"] = RADIUS.slider(maximum=3, min_width=220)
        controls["bias"] = BIAS.slider(minimum=-2, maximum=8, min_width=220)
    with gr.Row(elem_classes="controls"):
        for knob in (LENGTH, UNITS, CLIP, OMEGA, SEED):
            controls[knob.name] = knob.number(label=knob.label, min_width=100)
    return controls


def _preset_values(key):
    defaults = {knob.name: knob.default for knob in KNOBS}
    return [*{**defaults, **PRESETS[key][1]}.values()]


def _draw(*values):
    """The answer, the curves, the story, the products of Jacobians and the code."""
    options = check_all(KNOBS, values)
    cells = options.pop("cells")
    flow = _flow()
    setting = flow.Setting(**options)
    flows = [flow.measure(cell, setting) for cell in cells]
    omega = flow.regularise(setting) if setting.omega and "rnn" in cells else None
    return (
        views.answer(flows),
        views.curves(flows, omega),
        views.story(flows, omega, setting.clip),
        views.products(flows, omega),
        components.code_block(flow.write_listing(cells, setting)),
    )


def _publish_api():
    def cells_gradients(
        cell: CELL.annotation = "rnn",
        length: LENGTH.annotation = LENGTH.default,
        units: UNITS.annotation = UNITS.default,
        start: START.annotation = START.default,
        radius: RADIUS.annotation = RADIUS.default,
        bias: BIAS.annotation = BIAS.default,
        seed: SEED.annotation = 0,
    ) -> dict:
        """The length of a gradient at every lag, measured in a layer of random weights.

        Args:
            cell: rnn, irnn, lstm or gru.
            length: Time steps, from 1 to 400.
            units: Units of the layer, from 1 to 32.
            start: Initial recurrent weights: orthogonal or gaussian.
            radius: Their spectral radius, from 0 to 10.
            bias: Bias of the forget or update gate, from -20 to 20.
            seed: Seed of weights and inputs.

        Returns:
            norms (by lag, from 0), largest (singular values of the products of Jacobians),
            bound (or None), gradient (norm of the gradient with respect to the recurrent weights)
            and broken (the first step whose state overflowed, or None). Numbers that are not
            finite are None.
        """
        setting = _flow().Setting(length, units, start, radius, bias, seed=seed)
        flow = _flow().measure(cell, setting)
        return {
            "norms": _finite(flow.norms),
            "largest": _finite(flow.largest),
            "bound": None if flow.bound is None else _finite(flow.bound),
            "gradient": _finite([flow.gradient])[0],
            "broken": flow.broken,
        }

    publish(cells_gradients)


def _finite(values):
    """Numbers for JSON, which has no infinity."""
    return [float(value) if abs(value) < float("inf") else None for value in values]
