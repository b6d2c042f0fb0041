"""The page of lesson 1: a cell unrolled over a short sequence, forwards and backwards."""

import gradio as gr

from apps.cells.knobs import SEED
from apps.cells.unrolled import views
from shared.site import components
from shared.site.api import publish
from shared.site.events import QUIET, answer_or_error, user_edits
from shared.site.knobs import Knob, check_all, read_link
from shared.site.permalinks import locked

TITLE = "Unrolled"
LEAD = (
    "A recurrent cell is a loop: its output at one time step is part of its input at the next. "
    "Unrolled over time, the loop is a deep network with the same weights in every layer. Here is "
    "every number in it."
)
TEXT = Knob("text", "Numbers, or a short sentence", "1 0 −0.5 0", high=2000)
CELL = Knob("cell", "Cell", "lstm", choices=views.VARIANTS)
UNITS = Knob("units", "Units", 2, choices={2: "2", 3: "3", 4: "4"})
STEP = Knob("step", "Step", 0, 0, 1000)  # of a link only
KNOBS = (TEXT, CELL, UNITS, SEED)
NOTE = (
    '<p class="small">The weights are random tenths, drawn with the seed, so that every number '
    "can be checked by hand; the bias of an LSTM’s forget gate is 1 higher. A word becomes two "
    "random numbers, drawn with a seed made of its letters, so that it always has the same two: "
    "they are not trained. Peepholes are weights from the cell state to the gates; coupled gates "
    "forget as much as they write.</p>"
)


def _steps():
    """The computations, imported on first use because they bring in TensorFlow."""
    from apps.cells.unrolled import steps

    return steps


def build(page, settings):
    """Builds the lesson on its page."""
    del settings
    inputs = _build_controls()
    message, figure = components.html(), components.html(wide=True)
    with gr.Row(elem_classes="controls"):
        page.link_button(**inputs)
    components.html(NOTE)
    with gr.Accordion("The code that just ran", open=False):
        code = components.html()
    outputs = [message, figure, code]
    draw = answer_or_error(_draw, outputs)

    def restore(link):
        values = read_link(KNOBS, link)
        error, *figures = draw(*values.values(), STEP.from_link(link.get("step")))
        if error:  # the first sight stands below it
            _, *figures = draw(*read_link(KNOBS, {}).values())
        return [*locked(link, **values), error, *figures]

    components_in_order = [inputs[knob.name] for knob in KNOBS]
    gr.on(user_edits(components_in_order), draw, components_in_order, outputs, **QUIET)
    page.on_open(restore, [*components_in_order, *outputs], **QUIET)
    _publish_api()


def _build_controls():
    """The inputs by their names."""
    cell = CELL.choice()
    with gr.Row(elem_classes="controls"):
        text = TEXT.text(max_lines=1, scale=2, min_width=220)
        units = UNITS.choice(show_label=True, container=True, min_width=200)
        seed = SEED.number(label="Seed", min_width=140)
    return {"text": text, "cell": cell, "units": units, "seed": seed}


def _draw(text, cell, units, seed, step=0):
    """The figure and the code."""
    result = _read(text, cell, units, seed)
    return views.unrolled(result, step), components.code_block(_steps().write_listing(result))


def _read(*values):
    options = check_all(KNOBS, values)
    return _steps().read(options["text"], options["cell"], options["units"], options["seed"])


def _publish_api():
    def cells_unrolled(
        text: str,
        cell: CELL.annotation = "lstm",
        units: UNITS.annotation = 2,
        seed: SEED.annotation = 0,
    ) -> dict:
        """Every number of a small recurrent layer on a short sequence, forwards and backwards.

        Args:
            text: Up to 12 numbers, or up to 12 words.
            cell: rnn, lstm, peephole, coupled, gru (reset after) or gru_before.
            units: 2, 3 or 4.
            seed: Seed of the weights.

        Returns:
            steps (for each time step the value of each term of the equations), jacobians (of
            each state with respect to the one before), gradients (of the sum of the last
            hidden state, with respect to the states after 0, 1, 2 … steps) and weights.
        """
        result = _read(text, cell, units, seed)
        return {
            "steps": [
                {term.name: [float(v) for v in term.value] for term in terms}
                for terms in result.terms
            ],
            "jacobians": result.jacobians.tolist(),
            "gradients": result.gradients.tolist(),
            "weights": [weight.tolist() for weight in result.weights],
        }

    publish(cells_unrolled)
