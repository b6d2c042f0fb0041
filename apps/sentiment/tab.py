"""The page: a review in, the answer out, and how the network came to it."""

from typing import Literal

import gradio as gr

from apps.sentiment import suite, views
from apps.sentiment.examples import EXAMPLES
from shared import bundle, page, tables

TITLE = "Sentiment"
DESCRIPTION = (
    "A network reads a film review word by word and says whether it is positive; see which words "
    "moved it."
)
SHAPE = "many to one"
CHUNK = 64  # reviews of a batch between two reports of progress


def _models():
    """The predictor's module, imported on first use because it brings in TensorFlow."""
    from apps.sentiment import predictor

    return predictor


def build(tab, settings):
    """The page inside its `gr.Tab`."""
    card = bundle.read_card(bundle.MODELS / "sentiment")
    networks = views.networks(card)
    first = next(iter(networks))
    page.opening(
        "How a network reads a review",
        "Type a film review in English. A recurrent network reads it word by word and says "
        "whether it is positive. Below the answer you can watch it make up its mind.",
    )
    text = gr.Textbox(EXAMPLES[0][1], label="Your review", lines=4, max_lines=12)
    with gr.Row(elem_classes="controls"):
        cell = page.choice([(title, name) for name, title in networks.items()], first, "Network")
        read_button = gr.Button("Read", variant="primary", min_width=120)
        page.link_button(tab, text=text, cell=cell)
    problem = page.html()
    examples = gr.Dataset(
        components=[text],
        samples=[[review] for _, review in EXAMPLES],
        sample_labels=[name for name, _ in EXAMPLES],
        label="Examples",
    )
    answer = page.html(
        page.note("The network is being loaded. The first answer takes a few seconds.")
    )
    asked = gr.State()  # the text and the network of the answer above
    learned = (
        "The first has learned from reviews without labels too: the language, then what a teacher "
        "says of them; the others "
    ) * ("pretrained" in networks)
    page.section(
        "All networks and a baseline",
        f"The same text, read by every network. {learned or 'They '}are one recipe with three "
        "cells. The baseline only adds up the weights of words and word pairs, in no order.",
    )
    comparison = page.html(page.note("This appears after the first answer."))
    page.section(
        "Inside the layer",
        "At every word, each of the layer’s units computes gates and states. Every row is a unit, "
        "every column a word; units that behave alike stand side by side.",
    )
    shown = page.choice(_traces("lstm"), "forget", "Gate or state")
    inside = page.html(wide=True)
    page.section(
        "Small changes",
        "What does it listen to? The key word negated, the halves around “but” swapped, all words "
        "shuffled: almost the same words, read by both models.",
    )
    change_button = gr.Button("Change this review", min_width=120)
    changes = page.html()
    page.section(
        "What sentiment models get wrong",
        f"{len(suite.read())} short texts written for this page, sorted by what makes them hard. "
        "None of them was used to train or to choose a model; any reader would know the right "
        "answer.",
    )
    page.html(views.suite_table(card))
    kind = page.choice([(name.capitalize(), name) for name in suite.kinds()], None, "Kind of text")
    cases = page.html(page.note("Choose a kind to see its texts with the answers of both models."))
    if learning := views.study(card):
        page.section(
            "Why read without labels first",
            "Reviews are many, labelled ones few. What does a network gain from learning the "
            "language on the others first?",
        )
        page.html(learning)
    page.section(
        "Many reviews at once",
        f"A CSV with a column named text, up to {settings.max_rows:,} rows and "
        f"{settings.max_upload_mb} MB. You get it back with a probability for each row.",
    )
    upload = gr.File(label="CSV", show_label=False, file_types=[".csv"], height=120)
    scores = page.html()
    download = gr.DownloadButton("Download the scores", visible=False)
    with gr.Accordion("The equations and the source code of the layer that answered", open=False):
        layer = page.html()

    def read(text, cell):
        try:
            reading = _read(text, cell, settings)
        except (_models().InputError, bundle.BundleError) as refusal:
            return page.error(refusal), gr.skip(), gr.skip()
        return "", views.answer(reading, card), (reading.text, cell)

    def read_sample(sample, cell):
        return sample[0], *read(sample[0], cell)

    def restore(link):
        review, variant = link.get("text", EXAMPLES[0][1]), link.get("cell")
        variant = variant if variant in networks else first
        yield review, variant, *[gr.skip()] * len(said)
        yield gr.skip(), gr.skip(), *read(review, variant)

    seen = {**page.COMPUTE, "show_progress": "minimal"}
    unseen = {**page.COMPUTE, "show_progress": "hidden"}
    said = [problem, answer, asked]
    gr.on(
        [read_button.click, text.submit, cell.input],
        read,
        [text, cell],
        said,
        show_progress_on=answer,
        **seen,
    )
    examples.click(read_sample, [examples, cell], [text, *said], show_progress_on=answer, **seen)
    page.when_opened(tab, restore, [text, cell, *said], show_progress="hidden")
    asked.change(_guarded(_compare), asked, comparison, **seen)
    asked.change(_look_inside, [asked, shown], [shown, inside], show_progress_on=inside, **seen)
    asked.change(_guarded(_show_layer), asked, layer, **unseen)
    asked.change(lambda: "", None, changes, queue=False, api_visibility="private")
    shown.input(_look_inside, [asked, shown], [shown, inside], show_progress_on=inside, **seen)
    change_button.click(_guarded(_change), asked, changes, **seen)
    gr.on([kind.input, cell.input], _cases, [kind, cell], cases, show_progress_on=cases, **seen)
    batch = {**page.BATCH, "show_progress": "hidden"}
    upload.upload(_scoring(settings), [upload, cell], [scores, download], **batch)
    _api(settings, tuple(networks))


def headline():
    """The score and the baseline's, for the home page."""
    card = bundle.read_card(bundle.MODELS / "sentiment")
    best = next(iter(views.networks(card)))
    accuracy, baseline = card["variants"][best]["accuracy"], card["baseline"]["accuracy"]
    return f"{accuracy:.1%} of reviews right", f"bag of words {baseline:.1%}"


def scores():
    """The models beside their baselines, for the About page."""
    return views.scores(bundle.read_card(bundle.MODELS / "sentiment"))


def warm_up():
    """Load the networks and compile the first one's graphs, the likeliest lengths first."""
    models = _models()
    models.Baseline.load()
    networks = views.networks(bundle.read_card(models.FOLDER))
    first, *_ = (models.Predictor.load(name) for name in networks)
    long = EXAMPLES[-1][1].split()
    for words in (200, 75):
        review = " ".join(long[:words])
        first.running_probabilities(review)
        first.read(review)
        first.trace(review)


def _read(text, cell, settings):
    models = _models()
    if isinstance(text, str) and len(text) > settings.max_characters:
        raise models.InputError(
            f"This text has {len(text):,} characters; at most {settings.max_characters:,} are "
            "read here. Shorten it, or upload it in a CSV."
        )
    return models.Predictor.load(cell).read(text)


def _guarded(show):
    """The same with a sentence where a bundle is damaged, and nothing before the first answer."""

    def guarded(asked):
        try:
            return show(*asked) if asked else ""
        except bundle.BundleError as problem:
            return page.error(problem)

    return guarded


def _compare(text, cell):
    models = _models()
    baseline = models.Baseline.load()
    card = models.Predictor.load(cell).card
    runs = {
        name: models.Predictor.load(name).running_probabilities(text)
        for name in views.networks(card)
    }
    return views.comparison(
        cell,
        runs[cell][0],
        {name: running for name, (_, running) in runs.items()},
        baseline.predict(text),
        baseline.ngrams(text),
        card,
    )


def _cases(kind, cell):
    if not kind:
        return gr.skip()
    chosen = [case for case in suite.read() if case.kind == kind]
    texts = [case.text for case in chosen]
    try:
        mine = _models().Predictor.load(cell).predict(texts)
        return views.cases(chosen, mine, _models().Baseline.load().predict(texts), cell)
    except bundle.BundleError as problem:
        return page.error(problem)


def _traces(cell):
    return [(views.TRACES[name][0], name) for name in views.TRACES_OF[cell]]


def _look_inside(asked, shown):
    if not asked:
        return gr.skip(), gr.skip()
    text, cell = asked
    predictor = _models().Predictor.load(cell)
    words, traced = predictor.trace(text)
    shown = shown if shown in traced else views.TRACES_OF[predictor.cell][0]
    _, running = predictor.running_probabilities(text)
    return gr.Radio(_traces(predictor.cell), value=shown), views.inside(
        words, traced, running, shown
    )


def _change(text, cell):
    models = _models()
    predictor = models.Predictor.load(cell)
    rewrites = predictor.rewrites(predictor.read(text), models.Baseline.load())
    return views.changes(rewrites, cell)


def _show_layer(text, cell):
    del text
    predictor = _models().Predictor.load(cell)
    return views.layer(predictor.cell, type(predictor.network.recurrent.cell).step)


def _scoring(settings):
    def score(path, cell):
        try:
            table = tables.read(path, settings.max_rows)
            column = tables.text_column(table)
            predictor = _models().Predictor.load(cell)
        except (tables.TableError, bundle.BundleError) as problem:
            yield page.error(problem), gr.DownloadButton(visible=False)
            return
        texts, results = table.column(column), []
        for start in page.while_open(range(0, len(texts), CHUNK)):
            yield page.progress(start, len(texts), "reviews read"), gr.skip()
            results += _score(predictor, texts[start : start + CHUNK])
        done = len(results)
        shown = views.summary(table.columns[column], texts[:done], results, cell)
        columns = [*table.columns, "probability", "label", "note"]
        rows = [row + list(r) for row, r in zip(table.rows[:done], results, strict=True)]
        content = tables.text(columns, rows)
        yield page.batch_ended(shown, done, len(texts), "sentiment.csv", content)

    return score


def _score(predictor, texts):
    """(probability, label, note) for each text; a text that cannot be read has only a note."""
    models = _models()
    notes = []
    for text in texts:
        try:
            models.clean_review(text)
            notes.append("")
        except models.InputError as problem:
            notes.append(str(problem))
    return [
        ("", "", note) if note else (round(float(value), 4), views.label(value), "")
        for value, note in zip(predictor.predict(texts), notes, strict=True)
    ]


def _api(settings, networks):
    names, first = Literal[networks], networks[0]

    def sentiment(text: str, cell: names = first) -> dict:
        """Whether a film review is positive, and how the network read it.

        Args:
            text: The review, in English.
            cell: The network that reads it: pretrained (an LSTM), lstm, gru or rnn.

        Returns:
            probability that it is positive, label, cell, words, effects (each word's share of
            the log-odds), running (the probability after each word), and notes.
        """
        with page.refusals(_models().InputError, bundle.BundleError):
            reading = _read(text, cell, settings)
        return {
            "probability": reading.probability,
            "label": views.label(reading.probability),
            "cell": cell,
            "words": [word.text for word in reading.words],
            "effects": [round(float(effect), 4) for effect in reading.effects],
            "running": [round(float(value), 4) for value in reading.running],
            "notes": views.notes(reading),
        }

    def sentiment_batch(texts: list[str], cell: names = first) -> list[dict]:
        """Whether each of many film reviews is positive.

        Args:
            texts: The reviews, in English.
            cell: The network that reads them: pretrained (an LSTM), lstm, gru or rnn.

        Returns:
            For each review probability and label, or a note that says why it was not read.
        """
        with page.refusals(_models().InputError, bundle.BundleError):
            if len(texts) > settings.max_rows:
                most = f"At most {settings.max_rows:,} texts are answered at once."
                raise _models().InputError(most)
            scored = _score(_models().Predictor.load(cell), texts)
        return [
            {"note": note} if note else {"probability": value, "label": said}
            for value, said, note in scored
        ]

    page.api(sentiment, concurrency_id="compute", concurrency_limit=2)
    page.api(sentiment_batch, concurrency_id="batch", concurrency_limit=1)
