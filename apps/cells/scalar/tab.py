"""The page of lesson 2: a recurrent network of one line, then of two units."""

import gradio as gr

from apps.cells.scalar import views
from shared.site import components
from shared.site.api import publish
from shared.site.events import QUIET, answer_or_error, set_inputs_on, user_edits
from shared.site.knobs import Knob, check_all, read_link
from shared.site.permalinks import locked

TITLE = "One line"
LEAD = (
    "The smallest recurrent network is one line. Whether it remembers, forgets or blows up is "
    "decided by a single number: the factor by which each step multiplies the past."
)
W1 = Knob("w1", "w₁", 0.9, -2, 2, step=0.01)
W2 = Knob("w2", "w₂", 1.0, -2, 2, step=0.01)
STEPS = Knob("steps", "Steps", 60, 2, 500)
PERIOD = Knob("period", "Period of the sine in steps", 20.0, 2, 500)
LINE_KNOBS = (W1, W2, STEPS, PERIOD)
WEIGHTS = tuple(
    Knob(
        f"w{row + 1}{column + 1}",
        f"W, from unit {column + 1} to unit {row + 1}",
        views.PRESETS["two"][1][row][column],
        -10,
        10,
        step=0.05,
    )
    for row in (0, 1)
    for column in (0, 1)
)
# The second path starts just beyond the border between two basins.
START = (
    Knob("x", "Start, unit 1", -0.02, -10, 10, step=0.01),
    Knob("y", "Start, unit 2", 0.6, -10, 10, step=0.01),
)
PLANE_KNOBS = (*WEIGHTS, *START)


def _network():
    """The computations, imported on first use because they bring in TensorFlow."""
    from apps.cells.scalar import network

    return network


def build(page, settings):
    """Builds the lesson on its page."""
    del settings
    line, line_presets, line_outputs = _build_line_section()
    plane, plane_presets, plane_outputs = _build_plane_section()
    with gr.Row(elem_classes="controls"):
        page.link_button(**line, **plane)
    with gr.Accordion("The code that just ran", open=False):
        line_outputs.append(components.html())
        plane_outputs.append(components.html())

    weights = [line["w1"], line["w2"]]
    chosen = set_inputs_on(
        line_presets.click, line_presets, lambda sample: [float(sample[0]), 1.0], weights, **QUIET
    )
    draw_line = answer_or_error(_draw_line, line_outputs)
    inputs = [*line.values()]
    gr.on([*user_edits(inputs), chosen], draw_line, inputs, line_outputs, **QUIET)

    weights = [plane[knob.name] for knob in WEIGHTS]
    chosen = set_inputs_on(
        plane_presets.click, plane_presets, lambda sample: _weights(sample[0]), weights, **QUIET
    )
    draw_plane = answer_or_error(_draw_plane, plane_outputs)
    inputs = [*plane.values()]
    gr.on([*user_edits(inputs), chosen], draw_plane, inputs, plane_outputs, **QUIET)

    def restore(link):
        values, plane_values = read_link(LINE_KNOBS, link), read_link(PLANE_KNOBS, link)
        return [
            *locked(link, **values, **plane_values),
            *draw_line(*values.values()),
            *draw_plane(*plane_values.values()),
        ]

    outputs = [*line.values(), *plane.values(), *line_outputs, *plane_outputs]
    page.on_open(restore, outputs, **QUIET)
    _publish_api()


def _build_line_section():
    """The network of one line: its inputs by name, its presets and its outputs."""
    presets = components.presets([(f"w₁ = {w1}, w₂ = 1", w1) for w1 in ("0.9", "1.0", "1.1")])
    with gr.Row(elem_classes="controls"):
        inputs = {
            knob.name: knob.slider(minimum=-1.5, maximum=1.5, min_width=220) for knob in (W1, W2)
        }
    with gr.Row(elem_classes="controls"):
        inputs["steps"] = STEPS.number(min_width=110)
        inputs["period"] = PERIOD.number(min_width=180)
    outputs = [components.html(wide=wide) for wide in (False, False, True, True)]
    return inputs, presets, outputs


def _build_plane_section():
    """The network of two units: its inputs by name, its presets and its outputs."""
    components.section(
        "Two units and an activation function",
        "The same loop with two numbers, h(t) = tanh(W h(t − 1)), and no input. Every point of the "
        "plane is a start; its colour shows where it ends. These ends are all that the network can "
        "remember for ever.",
    )
    presets = components.presets([(name, key) for key, (name, _) in views.PRESETS.items()])
    inputs = {}
    for row in (WEIGHTS[:2], WEIGHTS[2:]):
        with gr.Row(elem_classes="controls"):
            for knob in row:
                inputs[knob.name] = knob.slider(minimum=-2.5, maximum=2.5, min_width=220)
    with gr.Row(elem_classes="controls"):
        for knob in START:
            inputs[knob.name] = knob.slider(minimum=-1.5, maximum=1.5, min_width=220)
    return inputs, presets, [components.html(), components.html(wide=True)]


def _weights(preset):
    return [weight for row in views.PRESETS[preset][1] for weight in row]


def _draw_line(*values):
    """The answer, both responses and the code."""
    network, knobs = _network(), check_all(LINE_KNOBS, values)
    w1, w2, steps, period = knobs.values()
    impulse = network.respond(w1, w2, network.make_impulse(steps))
    sine = network.respond(w1, w2, network.make_sine(steps, period))
    code = components.code_block(network.write_response_listing(w1, w2, steps))
    return (
        views.growth(impulse),
        views.impulse(impulse),
        views.sine(sine, period),
        views.explanation(impulse) + code,
    )


def _draw_plane(*values):
    """The plane and the code."""
    network = _network()
    *weights, x, y = check_all(PLANE_KNOBS, values).values()
    weights = [weights[:2], weights[2:]]
    return (
        views.plane(network.follow_paths(weights, (x, y))),
        components.code_block(network.write_plane_listing(weights, (x, y))),
    )


def _publish_api():
    def cells_one_line(
        w1: W1.annotation = W1.default,
        w2: W2.annotation = W2.default,
        steps: STEPS.annotation = STEPS.default,
    ) -> dict:
        """The impulse response of y(t) = w1 (x(t) + w2 y(t - 1)).

        Args:
            w1: Weight of the sum, from -2 to 2.
            w2: Weight of the loop, from -2 to 2.
            steps: Number of steps, from 2 to 500.

        Returns:
            growth (w1 w2, the factor by which each step multiplies the past), output (y at every
            step, None from the step that overflows 32-bit numbers) and overflow (that step, or
            None).
        """
        network = _network()
        response = network.respond(w1, w2, network.make_impulse(steps))
        finite = [float(value) for value in response.output[: response.overflow]]
        output = finite + [None] * (len(response.output) - len(finite))
        return {"growth": response.growth, "output": output, "overflow": response.overflow}

    publish(cells_one_line)
