"""The page of lesson 2: a recurrent network of one line, then of two units."""

import gradio as gr

from apps.cells.knobs import KnobError, number, whole
from apps.cells.scalar import views
from shared import page

TITLE = "One line"
LEAD = (
    "The smallest recurrent network is one line. Whether it remembers, forgets or blows up is "
    "decided by a single number: how much a step multiplies the past."
)
W1, W2, STEPS, PERIOD = 0.9, 1.0, 60, 20
START = (-0.02, 0.6)  # a second path starts beyond the border of two basins


def _network():
    """The computations, imported on first use because they bring in TensorFlow."""
    from apps.cells.scalar import network

    return network


def build(shell, settings):
    """The lesson inside its `gr.Tab`."""
    del settings
    near = page.tries([(f"w₁ = {value}, w₂ = 1", value) for value in ("0.9", "1.0", "1.1")])
    with gr.Row(elem_classes="controls"):
        w1 = gr.Slider(-1.5, 1.5, W1, step=0.01, label="w₁", min_width=220)
        w2 = gr.Slider(-1.5, 1.5, W2, step=0.01, label="w₂", min_width=220)
    with gr.Row(elem_classes="controls"):
        steps = gr.Number(STEPS, label="Steps", min_width=110)
        period = gr.Number(PERIOD, label="Period of the sine, steps", min_width=180)
    problem = page.html()
    growth, impulse, sine = page.html(), page.html(wide=True), page.html(wide=True)
    page.section(
        "Two units and a squashing function",
        "The same loop with two numbers, h(t) = tanh(W h(t − 1)), and nothing coming in. Every "
        "point of the plane is a start; its colour says where it ends. Those ends are all that "
        "the network can remember for ever.",
    )
    preset = page.tries([(name, key) for key, (name, _) in views.PRESETS.items()])
    entries = {}
    first = views.PRESETS["two"][1]
    for row in (0, 1):
        with gr.Row(elem_classes="controls"):
            for column in (0, 1):
                entries[f"w{row + 1}{column + 1}"] = gr.Slider(
                    -2.5,
                    2.5,
                    first[row][column],
                    step=0.05,
                    label=f"W, unit {row + 1} hears unit {column + 1}",
                    min_width=220,
                )
    with gr.Row(elem_classes="controls"):
        x = gr.Slider(-1.5, 1.5, START[0], step=0.01, label="Start, unit 1", min_width=220)
        y = gr.Slider(-1.5, 1.5, START[1], step=0.01, label="Start, unit 2", min_width=220)
    refused = page.html()
    plane = page.html(wide=True)
    one = {"w1": w1, "w2": w2, "steps": steps, "period": period}
    two = {**entries, "x": x, "y": y}
    with gr.Row(elem_classes="controls"):
        page.link_button(shell, **one, **two)
    with gr.Accordion("The code that just ran", open=False):
        codes = page.html(), page.html()

    def respond(*values):
        try:
            return ["", *_respond(*values)]
        except KnobError as refusal:
            return [page.error(refusal), *[gr.skip()] * 4]

    def cross(*values):
        try:
            return ["", *_cross(*values)]
        except KnobError as refusal:
            return [page.error(refusal), *[gr.skip()] * 2]

    def restore(link):
        flat = {f"w{r + 1}{c + 1}": first[r][c] for r in (0, 1) for c in (0, 1)}
        knobs, shown = {}, []
        for show, defaults in (
            (respond, {"w1": W1, "w2": W2, "steps": STEPS, "period": PERIOD}),
            (cross, {**flat, "x": START[0], "y": START[1]}),
        ):
            values = _values(link, defaults)
            said, *figures = show(*values.values())
            if said:  # the link cannot be used: the first sight stands below the sentence
                _, *figures = show(*defaults.values())
            knobs |= values
            shown += [said, *figures]
        return [*page.locked(link, **knobs), *shown]

    quiet = {**page.COMPUTE, "show_progress": "hidden"}
    line, pair = [problem, growth, impulse, sine, codes[0]], [refused, plane, codes[1]]
    # An example moves the knobs and counts: only who reads the knobs draws, and does so last.
    taken, chosen = gr.State(0), gr.State(0)
    near.click(
        lambda sample, n: [float(sample[0]), 1.0, n + 1], [near, taken], [w1, w2, taken], **quiet
    )
    preset.click(
        lambda sample, n: [*_flat(sample[0]), n + 1],
        [preset, chosen],
        [*entries.values(), chosen],
        **quiet,
    )
    gr.on([*page.edits(one.values()), taken.change], respond, [*one.values()], line, **quiet)
    gr.on([*page.edits(two.values()), chosen.change], cross, [*two.values()], pair, **quiet)
    page.when_opened(shell, restore, [*one.values(), *two.values(), *line, *pair], **quiet)
    _api()


def _values(link, defaults):
    """The knobs' values in a link; one that is no number is ignored."""
    return {name: _number(link.get(name), value) for name, value in defaults.items()}


def _number(text, otherwise):
    try:
        return number("", text, -1e6, 1e6)
    except KnobError:
        return otherwise


def _flat(key):
    return [value for row in views.PRESETS[key][1] for value in row]


def _respond(w1, w2, steps, period):
    network = _network()
    w1, w2 = number("w₁", w1, -2, 2), number("w₂", w2, -2, 2)
    steps = whole("The number of steps", steps, 2, 500)
    period = number("The period", period, 2, 500)
    impulse = network.respond(w1, w2, network.impulse(steps))
    sine = network.respond(w1, w2, network.sine(steps, period))
    return (
        views.growth(impulse),
        views.impulse(impulse),
        views.sine(sine, period),
        views.explained(impulse) + page.code(network.response_code(w1, w2, steps)),
    )


def _cross(*values):
    network = _network()
    *weights, x, y = (number("A weight or a start", value, -10, 10) for value in values)
    weights = [weights[:2], weights[2:]]
    return (
        views.plane(network.plane(weights, (x, y))),
        page.code(network.plane_code(weights, (x, y))),
    )


def _api():
    def cells_one_line(w1: float = W1, w2: float = W2, steps: int = STEPS) -> dict:
        """The impulse response of y(t) = w1 (x(t) + w2 y(t - 1)).

        Args:
            w1: Weight of the sum, from -2 to 2.
            w2: Weight of the loop, from -2 to 2.
            steps: How many, from 2 to 500.

        Returns:
            growth (w1 w2, what a step multiplies the past by), output (y at every step, None
            from where it left the range of 32-bit numbers) and overflow (that step, or None).
        """
        network = _network()
        with page.refusals(KnobError):
            response = network.respond(
                number("w1", w1, -2, 2),
                number("w2", w2, -2, 2),
                network.impulse(whole("The number of steps", steps, 2, 500)),
            )
        blown = response.overflow
        output = [float(value) for value in response.output[:blown]]
        output += [None] * (len(response.output) - len(output))
        return {"growth": response.growth, "output": output, "overflow": blown}

    page.api(cells_one_line, concurrency_id="compute", concurrency_limit=2)
