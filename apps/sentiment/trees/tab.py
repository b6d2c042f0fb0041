"""The section of the sentiment page with the tree of a sentence, and its API event."""

from pathlib import Path

import gradio as gr

from apps.sentiment.trees import views
from shared import bundle
from shared.errors import UserError
from shared.site import components, events
from shared.site.api import publish

FOLDER = bundle.MODELS / "trees"
TREE_SCRIPT = Path(__file__).with_name("tree.js").read_text(encoding="utf-8")
EXAMPLES = (
    ("Negation", "This is not a bad film, and nobody should miss it."),
    ("Contrast", "The cast is wonderful and the music is lovely, but the plot is a dull mess."),
    ("Hedging", "It is hardly the funniest comedy of the year."),
    ("Twice negated", "There is nothing about this quiet little story that I did not enjoy."),
)


def _predictor():
    """The predictor, imported on first use because it brings in TensorFlow."""
    from apps.sentiment.trees.predictor import TreePredictor

    return TreePredictor.load()


def build(answered):
    """Build the section.

    Args:
        answered: The `gr.State` of the answer that is shown: (text, network), or None.
    """
    components.section(
        "The tree of a sentence",
        "A recursive network reads a sentence not from left to right but along its grammar: it "
        "joins two words into a phrase, two phrases into a larger one, and rates each of them.",
    )
    with gr.Row(elem_classes="controls"):
        chosen = gr.Dropdown([], label="Sentence of your review", visible=False)
    examples = components.presets(EXAMPLES)
    tree = components.html(components.NO_ANSWER_YET, wide=True, script=TREE_SCRIPT)
    components.html(views.score_line(bundle.read_card(FOLDER)))
    options = {**events.COMPUTE, "show_progress_on": tree}

    def open_answer(answered):
        if not answered:
            return gr.skip(), gr.skip()
        try:
            reading = _predictor().read(answered[0])
        except UserError as problem:
            return gr.Dropdown([], visible=False), components.error(problem)
        names = [(_shorten(text), n) for n, text in enumerate(reading.sentences)]
        return gr.Dropdown(names, value=0, visible=len(names) > 1), views.tree(reading)

    @components.explain_errors
    def open_sentence(answered, number):
        return views.tree(_predictor().read(answered[0], number)) if answered else gr.skip()

    @components.explain_errors
    def open_example(example):
        return views.tree(_predictor().read(example[0]))

    answered.change(open_answer, answered, [chosen, tree], **options)
    chosen.input(open_sentence, [answered, chosen], tree, **options)
    examples.click(open_example, examples, tree, **options)


def _shorten(text, most=40):
    return text if len(text) <= most else f"{text[:most].rstrip()}…"


def publish_api(settings):
    """Publish the event `sentiment_tree`."""

    def sentiment_tree(text: str, sentence: int = 1) -> dict:
        """The tree of a sentence and the sentiment of every phrase in it.

        Args:
            text: A sentence in English, or a text of several.
            sentence: Which sentence of the text, from 1.

        Returns:
            sentence, number of sentences, words, and phrases: a list with the words first and the
            whole sentence last. Each has its text, start and end (numbers of words), children
            (numbers of its two parts in the list), label and probabilities of the five classes
            from very negative to very positive.
        """
        if len(text) > settings.max_characters:
            raise UserError(
                f"This text has {len(text):,} characters; at most {settings.max_characters:,} "
                "are read."
            )
        reading = _predictor().read(text, sentence - 1)
        return {
            "sentence": reading.sentences[reading.chosen],
            "sentences": len(reading.sentences),
            "words": list(reading.words),
            "phrases": [
                {
                    "text": phrase.text,
                    "start": phrase.start,
                    "end": phrase.end,
                    "children": list(phrase.children),
                    "label": views.LABELS[phrase.label],
                    "probabilities": [round(float(value), 4) for value in phrase.probabilities],
                }
                for phrase in reading.phrases
            ],
        }

    publish(sentiment_tree)


def scores():
    """The tree LSTM beside its baseline, for the About page."""
    return views.scores(bundle.read_card(FOLDER))


def warm_up():
    """Load the networks and compile their graphs for both lengths."""
    for _, text in EXAMPLES[:2]:
        _predictor().read(text)
