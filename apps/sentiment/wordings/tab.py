"""The sections in which visitors compare wordings: two texts, and all texts of a template."""

import gradio as gr

from apps.sentiment import views as page_views
from apps.sentiment.wordings import template, views
from shared.errors import UserError
from shared.site import components, events
from shared.site.knobs import Knob

MAX_CHARACTERS = 2_000  # of each of two texts that are compared word by word
FIRST = "I thought the concert would be dull, but it was not."
SECOND = "I thought the concert would be great, but it was not."
TEMPLATE = Knob(
    "template",
    "The template",
    "I {don't} think the {food|film} was {good|awful}.",
    high=1_000,
)
COMPUTE = {**events.COMPUTE, "show_progress": "minimal"}


def build(network):
    """Build both sections; the network is the one that is chosen at the top of the page."""
    _two_texts_section(network)
    _template_section(network)


def _two_texts_section(network):
    components.section(
        "Two texts side by side",
        "Change one word and see what becomes of the answer. Both texts are read by the network "
        "that is chosen at the top; the words that differ are marked.",
    )
    with gr.Row(elem_classes="boxes"):
        first = gr.Textbox(FIRST, label="First text", lines=2, max_lines=8)
        second = gr.Textbox(SECOND, label="Second text", lines=2, max_lines=8)
    button = gr.Button("Compare", min_width=120)
    result = components.html()

    @components.explain_errors
    def compare(first, second, network):
        predictor = _load(network)
        readings = []
        for name, text in (("first", first), ("second", second)):
            if len(text) > MAX_CHARACTERS:
                raise UserError(
                    f"The {name} text has {len(text):,} characters; at most {MAX_CHARACTERS:,} "
                    "are compared."
                )
            readings.append(predictor.read(text))
        return views.side_by_side(readings, _has_neutral(predictor))

    triggers = [button.click, first.submit, second.submit]
    gr.on(triggers, compare, [first, second, network], result, **COMPUTE)


def _template_section(network):
    components.section(
        "Your own templates",
        "Write alternatives in braces: {food|film} stands for one word or the other, and {don't} "
        f"for a text with and one without it. All texts, at most {template.MAX_TEXTS}, are read at "
        "once.",
    )
    text = TEMPLATE.text(label="Template (Shift + Enter to read it)", lines=2, max_lines=6)
    button = gr.Button("Read all", min_width=120)
    result = components.html(wide=True)

    @components.explain_errors
    def read_all(text, network):
        parts = template.parse(TEMPLATE.check(text))
        predictor = _load(network)
        classes = predictor.predict_classes(
            [template.join(each) for each in template.expand(parts)]
        )
        return views.all_texts(template.expand(parts), classes, _has_neutral(predictor))

    gr.on([button.click, text.submit], read_all, [text, network], result, **COMPUTE)


def texts_of(text):
    """The texts that a template stands for.

    Raises:
        UserError: if the template cannot be used.
    """
    parts = template.parse(TEMPLATE.check(text))
    return [template.join(pieces) for pieces in template.expand(parts)]


def _load(network):
    from apps.sentiment.predictor import Predictor  # imported on first use: slow

    return Predictor.load(network)


def _has_neutral(predictor):
    return page_views.has_neutral(predictor.card, predictor.variant)
