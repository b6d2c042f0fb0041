"""The sections that test how the models behave: texts that anybody can read, and bias."""

import gradio as gr

from apps.sentiment import suite
from apps.sentiment.behaviour import views
from shared.bundle import BundleError
from shared.site import components, events


def build(card, network):
    """Build both sections; the network is the one that is chosen at the top of the page."""
    _suite_section(card, network)
    if bias := views.bias(card):
        components.section(
            "Whom a sentence is about",
            "Twenty sentences, some kind, some unkind and some neither, were read with 32 names "
            "from eight regions and with twelve nationalities in the same place. Who it is should "
            "make no difference.",
        )
        components.html(bias)


def _suite_section(card, network):
    components.section(
        "A test you can read",
        f"{len(suite.read())} short texts and {len(suite.read_pairs())} pairs of texts, written "
        "for this page and sorted by what makes them hard. None of them was used to train or to "
        "choose a model; any reader would know the right answer.",
    )
    components.html(views.pass_rates(card))
    kinds = [(kind.capitalize(), kind) for kind in suite.kinds()]
    kind = components.choice(kinds, None, "Kind of text")
    shown = components.html(
        components.note("Choose a kind to see its texts with the answers of the models.")
    )
    options = {**events.COMPUTE, "show_progress": "minimal", "show_progress_on": shown}
    gr.on([kind.input, network.input], show_kind, [kind, network], shown, **options)


def show_kind(kind, network):
    """The texts or pairs of a kind with the answers of a network and of the bag of words."""
    from apps.sentiment.predictor import Baseline, Predictor  # imported on first use: slow

    if not kind:
        return gr.skip()
    try:
        models = [Predictor.load(network).predict_classes, Baseline.load().predict_classes]
    except BundleError as problem:
        return components.error(problem)
    if cases := [case for case in suite.read() if case.kind == kind]:
        texts = [case.text for case in cases]
        return views.cases(cases, *(predict(texts) for predict in models), network)
    pairs = [pair for pair in suite.read_pairs() if pair.kind == kind]
    texts = [pair.text for pair in pairs], [pair.changed for pair in pairs]
    answers = ([predict(some) for some in texts] for predict in models)
    return views.pairs(pairs, *answers, network)
