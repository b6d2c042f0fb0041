"""The sentiment page: a text in, the prediction out, and how the network came to it."""

from typing import Literal

import gradio as gr

from apps.sentiment import views
from apps.sentiment.behaviour import tab as behaviour
from apps.sentiment.examples import EXAMPLES
from apps.sentiment.trees import tab as trees
from apps.sentiment.wordings import tab as wordings
from shared import bundle
from shared.errors import UserError
from shared.site import components, events
from shared.site.api import publish
from shared.site.batch import TABLE_TYPES, BatchJob, BatchSection, append_columns, read_table
from shared.site.knobs import Knob

TITLE = "Sentiment"
DESCRIPTION = (
    "A network reads a review, a sentence or a tweet word by word and says whether it is positive. "
    "See which words changed its mind."
)
SHAPE = "many to one"
FOLDER = bundle.MODELS / "sentiment"
STRONGEST, ALL = "strongest", "all"
BATCH_COLUMNS = ("probability", "label", *views.LABELS, "note")
COMPUTE = {**events.COMPUTE, "show_progress": "minimal"}


def _predictors():
    """The predictor module, imported on first use because it brings in TensorFlow."""
    from apps.sentiment import predictor

    return predictor


def build(page, settings):
    """Build the page, section by section; all read the answer in the `gr.State` of the first."""
    card = bundle.read_card(FOLDER)
    networks = views.networks(card)
    components.page_title(
        "How a network reads what you write",
        "Type a review, a sentence or a tweet in English. A recurrent network reads it word by "
        "word and says whether it is positive. Below the answer you can watch it make up its mind.",
    )
    network, answered = _answer_section(page, card, networks, settings)
    _comparison_section(answered, networks)
    _layer_section(answered)
    _rewrites_section(answered)
    trees.build(answered)
    wordings.build(network)
    behaviour.build(card, network)
    _pretraining_section(card)
    _batch_section(network, settings)
    with gr.Accordion("Equations and code of this layer", open=False):
        layer = components.html()
    answered.change(_for_answer(_show_layer), answered, layer, **COMPUTE)
    _publish_api(card, settings, tuple(networks))
    trees.publish_api(settings)


def _answer_section(page, card, networks, settings):
    """Input, examples and answer.

    Returns:
        The choice of the network, and the `gr.State` of the answer that is shown: (text, network),
        or None.
    """
    knob = Knob("cell", "Network", next(iter(networks)), choices=networks)
    label = "Your text (Shift + Enter to read it)"
    text = gr.Textbox(EXAMPLES[0][1], label=label, lines=4, max_lines=12)
    with gr.Row(elem_classes="controls"):
        network = knob.choice()
        read_button = gr.Button("Read", variant="primary", min_width=120)
        page.link_button(text=text, cell=network)
    problem = components.html()
    examples = components.examples([text], EXAMPLES)
    answer = components.html(components.LOADING)
    answered = gr.State()

    def read(text, network):
        try:
            reading = _read(text, network, settings)
        except UserError as refusal:
            return components.error(refusal), "", None
        return "", views.answer(reading, card), (reading.text, network)

    def read_example(example, network):
        return example[0], *read(example[0], network)

    def restore(link):
        opened, chosen = link.get("text", EXAMPLES[0][1]), knob.from_link(link.get("cell"))
        yield opened, chosen, *[gr.skip()] * len(outputs)
        yield gr.skip(), gr.skip(), *read(opened, chosen)

    outputs = [problem, answer, answered]
    options = {**COMPUTE, "show_progress_on": answer}
    triggers = [read_button.click, text.submit, network.input]
    gr.on(triggers, read, [text, network], outputs, **options)
    examples.click(read_example, [examples, network], [text, *outputs], **options)
    page.on_open(restore, [text, network, *outputs], show_progress="hidden")
    return network, answered


def _comparison_section(answered, networks):
    general = (
        "The general LSTM has learned from reviews, sentences and tweets; it knows three answers. "
        "The others know film reviews only, and two answers. "
    )
    pretraining = (
        "The pre-trained LSTM first read 50,000 unlabelled reviews and then learned from two "
        "larger models. The LSTM, the GRU and the RNN differ only in their cell."
    )
    components.section(
        "All networks and a baseline",
        f"The same text, read by every network. {general if 'general' in networks else ''}"
        f"{pretraining if 'pretrained' in networks else 'They differ only in their cell.'} The "
        "baseline adds up weights of words and word pairs and ignores their order.",
    )
    comparison = components.html(components.NO_ANSWER_YET)
    answered.change(_for_answer(_compare), answered, comparison, **COMPUTE)


def _layer_section(answered):
    components.section(
        "Inside the layer",
        "At every word, each unit of the layer computes gates and states. Every row is a unit, "
        "every column a word.",
    )
    shown = components.choice(_traces("lstm"), "forget", "Gate or state")
    strongest = f"The {views.STRONGEST_UNITS} units that contributed most"
    which = components.choice([(strongest, STRONGEST), ("All units", ALL)], STRONGEST, "Units")
    inside = components.html(wide=True)

    def show(answered, shown, which):
        if not answered:
            return gr.skip(), ""
        return _look_inside(*answered, shown, which)

    gr.on(
        [answered.change, shown.input, which.input],
        show,
        [answered, shown, which],
        [shown, inside],
        show_progress_on=inside,
        **COMPUTE,
    )


def _rewrites_section(answered):
    components.section(
        "Small changes",
        "What does the network rely on? We negate the key word, swap the halves around “but” and "
        "shuffle all words, then read each version again.",
    )
    button = gr.Button("Change this text", min_width=120)
    rewrites = components.html()

    def rewrite(answered):
        if answered:
            yield components.note("Reading the changed versions …")
        yield _for_answer(_rewrite)(answered)

    button.click(rewrite, answered, rewrites, **events.QUIET)
    answered.change(lambda: "", None, rewrites, **events.IMMEDIATE)


def _pretraining_section(card):
    if study := views.study(card):
        components.section(
            "Why read without labels first",
            "Reviews are plentiful; labels are scarce. What does a network gain from pre-training "
            "on unlabelled reviews?",
        )
        components.html(study)


def _batch_section(network, settings):
    section = BatchSection(
        "Many texts at once",
        f"A CSV or JSON Lines with a column named text, up to {settings.max_rows:,} rows and "
        f"{settings.max_upload_mb} MB. You get it back with a label and probabilities for each "
        "row.",
        file_types=TABLE_TYPES,
        download_label="Download the scores",
    )

    def prepare(path, chosen, network):
        rows = read_table(path, settings.max_rows, chosen)
        predictor = _predictors().Predictor.load(network)
        return BatchJob(
            rows,
            answer=lambda texts: _score_texts(predictor, texts),
            summarize=lambda results: views.summary(rows.items, results, network),
            write=append_columns(rows.table, BATCH_COLUMNS, "sentiment.csv"),
            unit="texts read",
        )

    section.answer_with(prepare, [network])


def headline():
    """The best network's accuracy and the baseline's, for the home page."""
    card = bundle.read_card(FOLDER)
    return views.headline(card)


def scores():
    """The models beside their baselines, for the About page."""
    return views.scores(bundle.read_card(FOLDER)) + trees.scores()


def warm_up():
    """Load the networks and compile the first one's graphs, the likeliest lengths first."""
    predictors = _predictors()
    predictors.Baseline.load()
    networks = views.networks(bundle.read_card(FOLDER))
    first, *_ = (predictors.Predictor.load(name) for name in networks)
    words = EXAMPLES[-1][1].split()
    for count in (20, 200, 75):
        text = " ".join(words[:count])
        first.running_probabilities(text)
        first.read(text)
        first.trace(text)
    trees.warm_up()


def _read(text, network, settings):
    """The `Reading` of a text by a network."""
    if isinstance(text, str) and len(text) > settings.max_characters:
        raise UserError(
            f"This text has {len(text):,} characters; at most {settings.max_characters:,} are "
            "read here. Shorten it, or upload it in a CSV."
        )
    return _predictors().Predictor.load(network).read(text)


def _for_answer(show):
    """An event handler that calls `show(text, network)` with the answer that is shown."""

    def handle(answered):
        if not answered:
            return components.NO_ANSWER_YET
        try:
            return show(*answered)
        except bundle.BundleError as problem:
            return components.error(problem)

    return handle


def _compare(text, network):
    predictors = _predictors()
    baseline = predictors.Baseline.load()
    card = predictors.Predictor.load(network).card
    networks = {name: predictors.Predictor.load(name) for name in views.networks(card)}
    results = {name: each.running_probabilities(text) for name, each in networks.items()}
    classes = {
        name: each.predict_classes([text])[0]
        for name, each in networks.items()
        if views.has_neutral(card, name)
    }
    return views.comparison(
        network,
        results[network][0],
        {name: running for name, (_, running) in results.items()},
        classes,
        baseline.predict(text),
        baseline.ngrams(text),
        card,
    )


def _traces(cell):
    return [(views.TRACES[name][0], name) for name in views.TRACES_OF[cell]]


def _look_inside(text, network, shown, which):
    """The choice of gates and states of a network, and the picture of one of them."""
    predictor = _predictors().Predictor.load(network)
    words, traced = predictor.trace(text)
    _, running = predictor.running_probabilities(text)
    shown = shown if shown in traced else views.TRACES_OF[predictor.cell][0]
    units = None
    if which == STRONGEST:
        units = predictor.strongest_units(traced["hidden"], views.STRONGEST_UNITS)
    picture = views.inside(words, traced, running, shown, units)
    return gr.Radio(_traces(predictor.cell), value=shown), picture


def _rewrite(text, network):
    predictors = _predictors()
    predictor = predictors.Predictor.load(network)
    rewrites = predictor.rewrites(predictor.read(text), predictors.Baseline.load())
    return views.changes(rewrites, network)


def _show_layer(text, network):
    del text
    predictor = _predictors().Predictor.load(network)
    return views.layer(predictor.cell, type(predictor.network.recurrent.cell).step)


def _score_texts(predictor, texts):
    """`BATCH_COLUMNS` of each text; a text that cannot be read has only a note."""
    notes = []
    for text in texts:
        try:
            _predictors().clean_review(text)
            notes.append("")
        except UserError as refusal:
            notes.append(str(refusal))
    results = []
    for classes, note in zip(predictor.predict_classes(texts), notes, strict=True):
        negative, neutral, positive = (round(float(value), 4) for value in classes)
        probability = round(float(classes[2] / (classes[0] + classes[2])), 4)
        if note:
            results.append(("", "", "", "", "", note))
        else:
            results.append((probability, views.label(classes), negative, neutral, positive, ""))
    return results


def _publish_api(card, settings, networks):
    names, first = Literal[networks], networks[0]

    def sentiment(text: str, cell: names = first) -> dict:
        """Whether a review, a sentence or a tweet is positive, and how the network read it.

        Args:
            text: The text, in English, such as a review.
            cell: The network that reads it: general (an LSTM for any text), or one for film
                reviews: pretrained (an LSTM), lstm, gru or rnn.

        Returns:
            probability of positive against negative, classes (probabilities of negative, neutral
            or mixed, and positive; only the general network gives neutral), label (the likeliest
            class), cell, words, effects (each word's share of the log-odds), running (the
            probability after each word), and notes.
        """
        reading = _read(text, cell, settings)
        notes = views.notes(reading)
        if views.is_short(reading) and not views.has_neutral(card, cell):
            notes.append(views.short_text_warning(cell, card))
        return {
            "probability": reading.probability,
            "classes": dict(zip(views.LABELS, map(float, reading.classes), strict=True)),
            "label": views.label(reading.classes),
            "cell": cell,
            "words": [word.text for word in reading.words],
            "effects": [round(float(effect), 4) for effect in reading.effects],
            "running": [round(float(value), 4) for value in reading.running],
            "notes": notes,
        }

    def sentiment_batch(texts: list[str], cell: names = first) -> list[dict]:
        """Whether each of many reviews, sentences or tweets is positive.

        Args:
            texts: The texts, in English.
            cell: The network that reads them, as for `sentiment`.

        Returns:
            For each text probability (of positive against negative), label, and the probabilities
            negative, neutral and positive; or a note that says why it was not read.
        """
        results = _score_texts(_predictors().Predictor.load(cell), texts)
        return [
            {"note": note} if note else dict(zip(BATCH_COLUMNS, values, strict=False))
            for *values, note in results
        ]

    def sentiment_templates(template: str, cell: names = first) -> list[dict]:
        """Whether each of the texts that a template stands for is positive.

        Args:
            template: A text with alternatives in braces: {food|film} stands for one or the other,
                {don't} for a text with and one without it. At most 64 texts.
            cell: The network that reads them, as for `sentiment`.

        Returns:
            For each text, in the order of the template, text and what `sentiment_batch` gives.
        """
        texts = wordings.texts_of(template)
        return [
            {"text": text, **result}
            for text, result in zip(texts, sentiment_batch(texts, cell), strict=True)
        ]

    publish(sentiment)
    publish(sentiment_batch, max_items=settings.max_rows)
    publish(sentiment_templates)
