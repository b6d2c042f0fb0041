"""The page of lesson 1: a cell unrolled over a short sequence, forwards and backwards."""

from typing import Literal

import gradio as gr

from apps.cells.knobs import KnobError, one_of, whole
from apps.cells.unrolled import views
from shared import page

TITLE = "Unrolled"
LEAD = (
    "A recurrent cell is a loop: what it computes at one time step comes back as its input at the "
    "next. Unroll the loop, and it is a deep network with the same weights in every layer. Here "
    "is every number in it."
)
DEFAULTS = {"text": "1 0 −0.5 0", "cell": "lstm", "units": 2, "seed": 0}


def _steps():
    """The computations, imported on first use because they bring in TensorFlow."""
    from apps.cells.unrolled import steps

    return steps


def build(shell, settings):
    """The lesson inside its `gr.Tab`."""
    del settings
    cell = page.choice([(name, key) for key, name in views.VARIANTS.items()], "lstm", "Cell")
    with gr.Row(elem_classes="controls"):
        text = gr.Textbox(
            DEFAULTS["text"],
            label="Numbers, or a short sentence",
            max_lines=1,
            max_length=2000,
            scale=2,
            min_width=220,
        )
        units = gr.Radio([2, 3, 4], value=2, label="Units", min_width=200)
        seed = gr.Number(0, label="Seed", min_width=140)
    problem = page.html()
    figure = page.html(wide=True)
    with gr.Row(elem_classes="controls"):
        page.link_button(shell, text=text, cell=cell, units=units, seed=seed)
    page.html(
        '<p class="small">The weights are random tenths, drawn with the seed, so that every number '
        "can be checked by hand; an LSTM’s forget gate has 1 added to its bias. A word becomes two "
        "numbers drawn from a generator seeded by its letters, the same at every visit: they are "
        "not trained.</p>"
    )
    with gr.Accordion("The code that just ran", open=False):
        code = page.html()
    shown = [problem, figure, code]

    def restore(link):
        values = _values(link)
        said, *figures = _shown(*values.values(), link.get("step"))
        if said:  # the link cannot be used: the first sight stands below the sentence
            _, *figures = _shown(*DEFAULTS.values())
        return [*page.locked(link, **values), said, *figures]

    quiet = {**page.COMPUTE, "show_progress": "hidden"}
    inputs = [text, cell, units, seed]
    gr.on(page.edits(inputs), _shown, inputs, shown, **quiet)
    page.when_opened(shell, restore, [*inputs, *shown], **quiet)
    _api()


def _values(link):
    """The knobs' values in a link; what cannot be read is as on first sight."""
    values = dict(DEFAULTS)
    values["text"] = link.get("text", DEFAULTS["text"])
    if link.get("cell") in views.VARIANTS:
        values["cell"] = link["cell"]
    for name, low, high in (("units", 2, 4), ("seed", 0, 1e6)):
        try:
            values[name] = whole("", link.get(name), low, high)
        except KnobError:
            continue
    return values


def _read(text, cell, units, seed):
    steps = _steps()
    return steps.read(
        text,
        one_of("The cell", cell, steps.VARIANTS),
        whole("The number of units", units, 2, 4),
        whole("The seed", seed, 0, 1e6),
    )


def _shown(text, cell, units, seed, step=None):
    """What is wrong, the figure and the code."""
    try:
        result = _read(text, cell, units, seed)
    except KnobError as refusal:
        return [page.error(refusal), gr.skip(), gr.skip()]
    try:
        step = whole("", step, 0, 1000)
    except KnobError:
        step = 0
    return ["", views.unrolled(result, step), page.code(_steps().code(result))]


def _api():
    cells = Literal["rnn", "lstm", "peephole", "coupled", "gru", "gru_before"]

    def cells_unrolled(text: str, cell: cells = "lstm", units: int = 2, seed: int = 0) -> dict:
        """Every number of a small recurrent layer on a short sequence, forwards and backwards.

        Args:
            text: Up to 12 numbers, or up to 12 words.
            cell: rnn, lstm, peephole, coupled, gru (reset after) or gru_before.
            units: 2, 3 or 4.
            seed: Of the weights.

        Returns:
            steps (for each time step what each term of the equations came to), jacobians (of
            the states with respect to those before), gradients (of the sum of the last
            hidden state, with respect to the states after 0, 1, 2 … steps) and weights.
        """
        with page.refusals(KnobError):
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

    page.api(cells_unrolled, concurrency_id="compute", concurrency_limit=2)
