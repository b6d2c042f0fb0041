"""The page: a photo in, a sentence out, and where the network attended for each word."""

import time
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import gradio as gr

from apps.captioning import (
    BEAM_WIDTH,
    LENGTH_PENALTY,
    MAX_BEAM_WIDTH,
    MAX_LENGTH_PENALTY,
    MAX_TEMPERATURE,
    MIN_TEMPERATURE,
    examples,
    files,
    views,
)
from shared import bundle, images, limits, photos, tables
from shared.errors import UserError
from shared.site import components
from shared.site.api import publish
from shared.site.batch import BatchJob, BatchSection, Inputs
from shared.site.events import COMPUTE, IMMEDIATE, IN_ORDER, QUIET
from shared.site.knobs import Knob
from shared.site.photo_input import PhotoInput
from shared.site.storage import discard
from shared.site.uploads import Photo as PhotoBox
from shared.site.uploads import sent_file

TITLE = "Captions"
DESCRIPTION = "A network describes a photo word by word; see where it looks before each word."
SHAPE = "one to many"
FOLDER = bundle.MODELS / "captioning"
WIDTH = Knob("width", "Beam width", BEAM_WIDTH, 1, MAX_BEAM_WIDTH)
PENALTY = Knob("penalty", "Length penalty", LENGTH_PENALTY, 0, MAX_LENGTH_PENALTY, step=0.1)
STEP = Knob("step", "Word", -1, -1, 99)  # of the attention figure; -1: the word with most use
TEMPERATURE = Knob("temperature", "Temperature", 1.0, MIN_TEMPERATURE, MAX_TEMPERATURE, step=0.1)
LOOK = Path(__file__).with_name("look.js").read_text(encoding="utf-8")
BATCH_SIZE = 10  # photos captioned together
# A webcam holds one of the places until its stream has computed for so many seconds.
WEBCAMS, WEBCAM_SECONDS = 2, 30
CAMERA = {"video": {"width": {"ideal": 640}, "height": {"ideal": 480}, "facingMode": "environment"}}

Cell = Literal["lstm", "gru", "rnn"]


class Search(NamedTuple):
    """How the answer on the page was made.

    Attributes:
        answer_id: Another number for every answer.
        cell, width, alpha: The variant, the beam width and the length penalty.
    """

    answer_id: int
    cell: str
    width: int
    alpha: float


def _predictors():
    """The predictor's module, imported on first use because it brings in TensorFlow."""
    from apps.captioning import predictor

    return predictor


def build(page, settings):
    """Build the page."""
    card = bundle.read_card(FOLDER)
    components.page_title(
        "A sentence for a photo",
        "A convolutional network turns your photo into a grid of 49 squares; a recurrent network "
        "writes a sentence and attends to the grid before each word. See where, and how much.",
    )
    section = _CaptionSection(page, card)
    captioned, search = section.captioned, section.search
    _build_replacement(captioned, search)
    _build_hiding(captioned, search)
    _build_search(section)
    _build_samples(captioned, search)
    if len(card["variants"]) > 1:
        _build_comparison(card, captioned, search)
    _build_references(captioned, search)
    components.section(
        "How good is it?",
        f"Measured on the {card['test_set']}: {card['examples']:,} photos that were kept out of "
        f"training. The image encoder adds {card['encoder']['parameters']:,} parameters.",
    )
    components.html(views.draw_scores(card) + views.PEOPLE_NOTE, wide=True)
    _build_webcam(section.options)
    _build_batch(settings, section.options)
    section.connect()
    publish(caption)
    publish(caption_batch, max_items=settings.max_rows)


class _CaptionSection:
    """The photo beside its caption, the scores, and where the network attended."""

    def __init__(self, page, card):
        self.page, self.card = page, card
        cells = {key: name for key, name in views.CELLS.items() if key in card["variants"]}
        self.cell_knob = Knob("cell", "Cell", "lstm", choices=cells)
        self.captioned, self.search = gr.State(), gr.State()  # a CaptionedPhoto and a Search
        # Rendered by the section that explains them.
        self.width, self.alpha = WIDTH.slider(render=False), PENALTY.slider(render=False)
        with gr.Row(elem_classes=["wide", "photo-row"]):
            with gr.Column(min_width=0):
                self.view = components.html()
            with gr.Column(min_width=0):
                self.photo = PhotoInput(examples.FIRST)
            with gr.Column(min_width=0):
                self.problem = components.html()
                self.answer = components.html(components.LOADING)
                with gr.Row(elem_classes="controls"):
                    self.cell = self.cell_knob.choice(visible=len(cells) > 1)
                    link = page.link_button(
                        example=self.photo.example,
                        cell=self.cell,
                        width=self.width,
                        penalty=self.alpha,
                    )
                self.photo.explain_link(link)
                components.html(views.EXAMPLES_NOTE)
        self.options = [self.cell, self.width, self.alpha]
        self.details = components.html()
        components.section(
            "Where it looked",
            "Before each word the network attends to the 49 squares, and a gate (0–1) scales how "
            "much the attended region contributes.",
        )
        self.attention = components.html(wide=True, script=LOOK)
        self.beam = components.html(render=False)

    def connect(self):
        """Connect the events."""
        outputs = [
            *(self.problem, self.view, self.answer, self.details, self.attention, self.beam),
            *(self.captioned, self.search, self.photo.example),
        ]
        busy = {**COMPUTE, "show_progress": "minimal", "show_progress_on": self.answer}
        self.photo.on_choose(self._respond, self.options, outputs, **busy)
        gr.on(
            [component.input for component in self.options],
            self._respond_again,
            [self.captioned, *self.options],
            outputs,
            **busy,
        )
        self.page.on_open(self._open, [*self.options, *outputs], show_progress="hidden")

    def _open(self, link):
        options = [knob.from_link(link.get(knob.name)) for knob in (self.cell_knob, WIDTH, PENALTY)]
        step = STEP.from_link(link.get("step"))
        yield *options, *[gr.skip()] * 9
        answer = self._respond(self.photo.loader(link.get("example")), *options, step=step)
        yield *[gr.skip()] * len(options), *answer

    def _respond(self, load, cell, width, alpha, step=-1):
        def encode(predictor):
            photo = load()
            return views.CaptionedPhoto(photo, predictor.encode([photo.pixels]), None)

        return self._caption(encode, cell, width, alpha, step)

    def _respond_again(self, captioned, cell, width, alpha):
        """The same photo with another search."""
        if captioned is None:
            return [gr.skip()] * 9
        return self._caption(lambda _: captioned, cell, width, alpha)

    def _caption(self, encode, cell, width, alpha, step=-1):
        """All outputs, for the `CaptionedPhoto` that `encode(predictor)` returns."""
        try:
            _predictors().check_search(width, alpha)
            predictor = _predictors().Predictor.load(cell)
            captioned = encode(predictor)
            description = predictor.describe_features(captioned.features, width, alpha)[0]
        except UserError as error:
            return components.error(error), *[gr.skip()] * 8
        captioned = replace(captioned, description=description)
        return (
            "",
            views.draw_view(captioned),
            views.draw_answer(captioned, cell),
            views.draw_details(captioned, self.card, cell),
            views.draw_attention(captioned, None if step < 0 else step),
            views.draw_beam(captioned, alpha),
            captioned,
            Search(time.time_ns(), cell, width, alpha),
            captioned.photo.example,
        )


def _build_replacement(captioned, search):
    """The section that replaces one word."""
    components.section(
        "Change one word", "Replace a word and the network rewrites the rest of the sentence."
    )
    place = components.choice([], None, "Word to replace")
    with gr.Row(elem_classes="controls"):
        word = gr.Textbox(label="New word", placeholder="such as woman", max_lines=1, min_width=200)
        button = gr.Button("Continue from there", min_width=170)
    problem, comparison = components.html(), components.html()

    def reset(captioned):
        words = [(word, n) for n, word in enumerate(captioned.best.words)]
        return gr.Radio(words, value=min(1, len(words) - 1) if words else None), "", ""

    def respond(captioned, search, place, word):
        if not search:
            return gr.skip(), gr.skip()
        try:
            if place is None:
                raise UserError("Choose the word to replace first.")
            if not word.strip():
                raise UserError("There is no new word yet. Type one.")
            prefix = (*captioned.best.words[:place], *word.split())
            description = _describe(captioned.features, search, prefix=prefix)
        except UserError as error:
            return components.error(error), gr.skip()
        return "", views.draw_changed(captioned, description, place)

    search.change(reset, captioned, [place, problem, comparison], **IMMEDIATE)
    inputs, outputs = [captioned, search, place, word], [problem, comparison]
    gr.on([button.click, word.submit], respond, inputs, outputs, **QUIET)


def _build_hiding(captioned, search):
    """The section that hides squares of the photo."""
    components.section(
        "Hide a region",
        "Click squares of the photo, or reach them with Tab, the arrow keys and Enter: the network "
        "captions the rest, and the words that change are marked.",
    )
    squares = components.html(script=LOOK)
    comparison = components.html()

    def reset(captioned, search):
        return views.draw_squares(captioned, search.answer_id), ""

    search.change(reset, [captioned, search], [squares, comparison], **IMMEDIATE)
    squares.select(_hide_squares, [captioned, search], comparison, **{**QUIET, **IN_ORDER})


@components.explain_errors
def _hide_squares(captioned, search, event: gr.EventData):
    if search and event.answer != str(search.answer_id):
        return gr.skip()  # a click on the photo of an earlier answer
    if not search or not event.cells:
        return ""
    predictor = _predictors().Predictor.load(search.cell)
    features = predictor.encode([captioned.photo.pixels], event.cells)
    description = _describe(features, search, hidden=event.cells)
    return views.draw_hidden(captioned, description, event.cells)


def _describe(features, search, **constraints):
    predictor = _predictors().Predictor.load(search.cell)
    return predictor.describe_features(features, search.width, search.alpha, **constraints)[0]


def _build_search(section):
    """The section with the options and the results of the beam search."""
    components.section(
        "The search",
        "The likeliest next word need not begin the likeliest sentence. Beam search keeps several "
        "beginnings at once; the length penalty makes up for the probability that every further "
        "word costs. Both sliders change the caption above.",
    )
    with gr.Row(elem_classes="controls"):
        section.width.render()
        section.alpha.render()
    section.beam.render()


def _build_samples(captioned, search):
    """The section with random captions."""
    components.section(
        "Random samples", "Five captions, each word drawn at random by its probability."
    )
    with gr.Row(elem_classes="controls"):
        temperature = TEMPERATURE.slider()
        button = gr.Button("Sample again", min_width=120)
    seed, samples = gr.State(0), components.html()

    @components.explain_errors
    def sample(captioned, search, temperature, seed):
        if not search:
            return gr.skip()
        predictor = _predictors().Predictor.load(search.cell)
        pixels = captioned.photo.pixels
        description = predictor.sample(pixels, temperature=temperature, seed=seed)
        return views.draw_samples(description, temperature)

    inputs = [captioned, search, temperature, seed]
    gr.on([search.change, temperature.input], sample, inputs, samples, **QUIET)
    more = button.click(lambda seed: seed + 1, seed, seed, **QUIET)
    more.then(sample, inputs, samples, **QUIET)


def _build_comparison(card, captioned, search):
    """The section with the captions of all cells."""
    components.section(
        "LSTM, GRU and RNN compared", "The same photo and recipe with another recurrent cell."
    )
    comparison = components.html(components.NO_ANSWER_YET)

    @components.explain_errors
    def compare(captioned, search):
        captions = {
            name: captioned.best
            if name == search.cell
            else _describe(captioned.features, search._replace(cell=name)).captions[0]
            for name in views.CELLS
            if name in card["variants"]
        }
        return views.draw_comparison(captions, card)

    search.change(compare, [captioned, search], comparison, **QUIET)


def _build_references(captioned, search):
    """The section that compares the caption with references."""
    components.section("Compared with people", "How good is this one sentence?")
    references = components.html()

    def compare(captioned):
        example = captioned.photo.example
        text = captioned.best.text
        scores = examples.score_example(text, example) if example else (None, None)
        return views.draw_references(captioned, *scores)

    search.change(compare, captioned, references, **IMMEDIATE)


def _build_webcam(options):
    """The section that captions a webcam."""
    components.section(
        "Live camera",
        "The webcam is captioned about once a second. A frame goes to this server, is captioned "
        "and dropped; frames that arrive meanwhile are skipped. No frame is stored.",
    )
    camera = PhotoBox(
        sources=["webcam"],
        streaming=True,
        label="Webcam",
        show_label=False,
        height=320,
        buttons=[],
        webcam_options=gr.WebcamOptions(mirror=False, constraints=CAMERA),
    )
    answer = components.html()

    @components.explain_errors
    def respond(frame, cell, width, alpha):
        if frame is None:
            return gr.skip()
        start = time.perf_counter()
        photo = images.read_apart(frame)
        description = _predictors().Predictor.load(cell).describe([photo], width, alpha)[0]
        milliseconds = 1000 * (time.perf_counter() - start)
        return views.draw_frame_caption(description.captions[0], milliseconds)

    camera.stream(
        respond,
        [camera, *options],
        answer,
        stream_every=1,
        time_limit=WEBCAM_SECONDS,
        concurrency_id="webcam",
        concurrency_limit=WEBCAMS,
        show_progress="hidden",
        api_visibility="private",
    )


def _build_batch(settings, options):
    """The section that captions many photos."""
    section = BatchSection(
        "Many photos at once",
        f"Several photos, or a zip of them: up to {settings.max_rows:,} photos, "
        f"{settings.max_upload_mb} MB per file and "
        f"{settings.max_upload_mb * limits.UPLOAD_FILES:,} MB together. You get a CSV with a "
        "caption for each; what you sent is deleted once it has been read.",
        ["image", ".zip"],
        "Download the captions",
        file_label="Photos",
        file_count="multiple",
    )
    section.answer_with(partial(_prepare_batch, settings), options)


def _prepare_batch(settings, paths, _, cell, width, alpha):
    batch = _read_batch(settings, paths, cell, width, alpha)
    entries, predictor = next(batch)  # from here on, the files are deleted when `batch` is
    names = [name for name, *_ in entries]
    return BatchJob(
        Inputs(
            entries, "1 photo." if len(names) == 1 else f"{len(names):,} photos.", "First", names
        ),
        lambda chunk: _caption_rows(predictor, islice(batch, len(chunk)), width, alpha),
        views.draw_batch_summary,
        lambda rows: (
            "captions.csv",
            tables.text(["file", "caption", "probability", "note"], rows),
        ),
        "photos captioned",
        BATCH_SIZE,
    )


def _read_batch(settings, paths, cell, width, alpha):
    """Yield the entries of the files and a predictor, then (name, content, problem) of each entry.

    In the end all files are deleted: archives, and those that nobody read.
    """
    try:
        entries = files.list_photos_apart(paths, settings.max_rows)
        _predictors().check_search(width, alpha)
        yield entries, _predictors().Predictor.load(cell)
        yield from files.read_photos(entries, settings.max_upload_mb * 2**20)
    finally:
        for path in paths:
            discard(path)


def headline():
    """The score and the baseline's, for the home page."""
    card = bundle.read_card(FOLDER)
    cider, baseline = card["variants"]["lstm"]["cider"], card["baselines"]["nearest"]["cider"]
    return f"CIDEr {cider:.2f}", f"nearest photo’s caption {baseline:.2f}"


def scores():
    """The networks beside their baselines, for the About page."""
    return views.draw_about(bundle.read_card(FOLDER))


def warm_up():
    """Load the networks, compile the first visitor's graph, and start a reader of photos."""
    variants = bundle.read_card(FOLDER)["variants"]
    first, *_ = (_predictors().Predictor.load(cell) for cell in variants)
    first.describe([images.read_apart(photos.EXAMPLES[examples.FIRST].path)])


def _caption_rows(predictor, entries, width, alpha):
    """[name, caption, probability, note] for each (name, content, problem)."""
    rows, pixels = [], []
    for name, content, problem in entries:
        try:
            if not problem:
                pixels.append(images.squash(photos.open_upload(content)))
            rows.append([name, "", "", problem])
        except UserError as error:
            rows.append([name, "", "", str(error)])
    readable = [row for row in rows if not row[3]]
    if readable:
        descriptions = predictor.describe_features(predictor.encode(pixels), width, alpha)
        for row, description in zip(readable, descriptions, strict=True):
            row[1:3] = description.text, float(f"{description.captions[0].probability:.4g}")
    return rows


def caption(
    photo: gr.FileData,
    width: int = BEAM_WIDTH,
    penalty: float = LENGTH_PENALTY,
    cell: Cell = "lstm",
) -> dict:
    """A sentence for a photo, with where the network looked for each word.

    Args:
        photo: A JPEG, PNG, WebP, GIF, BMP or TIFF; with gradio_client, handle_file(path).
        width: Beam width, 1 (greedy) to 8.
        penalty: Exponent of the length penalty, 0 to 2.
        cell: The recurrent cell of the network that writes.

    Returns:
        caption, probability (of this very sentence), words, each (the probability of each word
        and of the end), gate (how much the attended region contributed to each), attention
        (for each the weights of the 7 by 7 grid, rows from the top), ended (False if the
        caption was cut off) and alternatives (caption, log_probability, score; the best first).
    """
    predictor = _predictors().Predictor.load(cell)
    image = photos.open_upload(sent_file(photo))
    description = predictor.describe([image], width, penalty)[0]
    best = description.captions[0]
    return {
        "caption": best.text,
        "probability": best.probability,
        "words": list(best.words),
        "each": best.word_probabilities.astype(float).round(4).tolist(),
        "gate": best.gate.astype(float).round(4).tolist(),
        "attention": best.attention.astype(float).round(4).tolist(),
        "ended": best.is_complete,
        "alternatives": [
            {"caption": e.text, "log_probability": e.log_probability, "score": e.score}
            for e in description.captions
        ],
    }


def caption_batch(photos: list[gr.FileData], cell: Cell = "lstm") -> list[dict]:
    """A sentence for each of many photos.

    Args:
        photos: Files; with gradio_client, a list of handle_file(path).
        cell: The recurrent cell of the network that writes.

    Returns:
        For each photo caption and probability, or a note that says why it was not read.
    """
    predictor = _predictors().Predictor.load(cell)
    entries, rows = iter([("", sent_file(photo), "") for photo in photos]), []
    while chunk := list(islice(entries, BATCH_SIZE)):
        rows += _caption_rows(predictor, chunk, BEAM_WIDTH, LENGTH_PENALTY)
    return [
        {"note": note} if note else {"caption": text, "probability": probability}
        for _, text, probability, note in rows
    ]
