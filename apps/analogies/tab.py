"""The page: words as points in space, what their directions mean, and how they are learned."""

import logging
from functools import partial, wraps
from pathlib import Path

import gradio as gr

from apps.analogies import files, score_views, stored, views, word_map
from apps.analogies.api import Api
from apps.analogies.examples import (
    ANALOGIES,
    AXES,
    BIASES,
    OWN_LIST,
    TOOL_EXAMPLES,
    make_sample_text,
)
from apps.analogies.lookup import MAX_CHARACTERS
from apps.analogies.predictor import METHODS, Predictor
from shared import bundle
from shared.bundle import BundleError
from shared.errors import UserError
from shared.site import components, events
from shared.site.events import QUIET
from shared.site.knobs import Knob, read_link
from shared.site.storage import discard
from shared.site.uploads import download_path

log = logging.getLogger("unrolled")

TITLE = "Words"
DESCRIPTION = (
    "Word vectors, the numbers that a network reads instead of letters: analogies, neighbours, "
    "maps and their prejudice."
)
SHAPE = "under all of them"
FOLDER = bundle.MODELS / "analogies"
METHOD = Knob("method", "Method", METHODS[0], choices={method: method for method in METHODS})
WORDS = [
    Knob(name, label, word, high=MAX_CHARACTERS)
    for name, label, word in zip(
        "abc", ("This word", "is to", "as this one is to …"), ANALOGIES[0][1:], strict=True
    )
]
TOOLS = {
    "sum": "Arithmetic",
    "near": "Nearest neighbours",
    "like": "Similarity of two",
    "odd": "Odd one out",
    "path": "A path",
}
WAITING = components.note("Your text is waiting its turn: the site learns from one at a time.")
COMPILING = components.note("Reading the text and compiling the network …")
WATCHED_WORDS = 6  # whose neighbours are shown while vectors are learned
ERRORS = (UserError, BundleError)
LEARNING = {"concurrency_id": "learning", "concurrency_limit": 1, "show_progress": "hidden"}
COMPLETE_SCRIPT = Path(__file__).with_name("complete.js").read_text(encoding="utf-8")
MAP_SCRIPT = Path(__file__).with_name("map.js").read_text(encoding="utf-8")


def _load_vectors(file):
    """The predictor of a file, and ""; that of the shipped vectors and a sentence, if it is bad."""
    try:
        return Predictor.load(file), ""
    except BundleError as error:
        if not file:
            raise
        # The page does not name what may be a path of this machine.
        log.warning("%s The page of the analogies serves the shipped vectors instead.", error)
        return Predictor.load(), (
            "The vectors that this site was started with cannot be used, as its log says. These "
            "are the shipped ones."
        )


def build(page, settings):
    """Build the page, section by section."""
    predictor, problem = _load_vectors(settings.vectors)
    card = predictor.card
    components.page_title(
        "The space of words",
        "King − he + she: a small network that only learned to guess which words stand near each "
        "other has put them into a space where directions mean something. It is not recurrent, "
        "but vectors such as these are what recurrent networks read. Ask it, and see the trick.",
    )
    for sentence in filter(None, (problem, predictor.vectors.note)):
        components.html(components.note(sentence))
    solved, opened = _analogy_section(page, predictor)
    if card and len(stored.load_sizes()) > 1:
        _sizes_section(solved)
    _tools_section(predictor, opened)
    _map_section(predictor, settings, opened)
    if card:
        _accuracy_section(card, opened)
    _bias_section(predictor, opened)
    _learning_section()
    Api(predictor).publish()


def _error_as_answer(fn):
    """An event handler that shows what is wrong with an input in place of its answer."""

    @wraps(fn)
    def handle(*values):
        try:
            return fn(*values)
        except ERRORS as error:
            return components.error(error)

    return handle


def _analogy_section(page, predictor):
    """Three words, examples and the answer.

    Returns:
        The `gr.State` of the question that is answered, (words, method) or None, and the event of
        the page being opened.
    """
    with gr.Row(elem_classes=["controls", "words-row"]):
        words = [_word_box(knob) for knob in WORDS]
        solve_button = gr.Button("Solve", variant="primary", min_width=110)
    with gr.Row(elem_classes="controls"):
        method = METHOD.choice()
        page.link_button(**dict(zip("abc", words, strict=True)), method=method)
    _offer_completions(predictor)
    problem = components.html()
    examples = components.examples(words, ANALOGIES)
    answer = components.html(components.note("The word vectors are being loaded."))
    solved = gr.State()
    inputs, outputs = [*words, method], [problem, answer, solved]

    def solve(*question):
        *words, method = question
        (other,) = set(METHODS) - {method}
        analogy, by_other = (predictor.analogy(*words, each) for each in (method, other))
        return views.draw_analogy(analogy, by_other, predictor.card), (analogy.words, method)

    solve = events.answer_or_error(solve, outputs)

    def restore(link):
        question = read_link([*WORDS, METHOD], link).values()
        yield *question, *[gr.skip()] * len(outputs)
        message, *answers = solve(*question)
        # There is no earlier answer that could stay.
        yield *[gr.skip()] * len(inputs), message, *(("", None) if message else answers)

    triggers = [solve_button.click, *(box.submit for box in words), method.input]
    gr.on(triggers, solve, inputs, outputs, **QUIET)
    examples.click(
        lambda example, method: (*example, *solve(*example, method)),
        [examples, method],
        [*words, *outputs],
        **QUIET,
    )
    return solved, page.on_open(restore, [*inputs, *outputs], show_progress="hidden")


def _word_box(knob):
    return knob.text(lines=1, max_lines=1, min_width=130, elem_classes="word-box")


def _offer_completions(predictor):
    """The most frequent words that begin with what is typed, offered by the browser."""

    def complete(start):
        return predictor.complete(start)

    gr.HTML(
        "",
        html_template='<datalist id="known-words"></datalist>',
        js_on_load=COMPLETE_SCRIPT,
        server_functions=[complete],
        apply_default_css=False,
        elem_classes="text",
    )


def _sizes_section(solved):
    components.section(
        "The same question after less reading",
        "The more text the network has read, the more relations it has learned. Choose a size: "
        "the same three words, answered by vectors from less of the same text.",
    )
    sizes = [score_views.format_count(size) for size, _ in stored.load_sizes()]
    last = len(sizes) - 1
    size = components.choice([(name, n) for n, name in enumerate(sizes)], last, "Words of text")
    answers = components.html()

    @_error_as_answer
    def compare(solved, index):
        return views.draw_sizes(*solved, index) if solved else gr.skip()

    gr.on([solved.change, size.input], compare, [solved, size], answers, **QUIET)


def _tools_section(predictor, opened):
    components.section(
        "Ask the space",
        "Sums of words, neighbours, similarity, the one that does not belong, and a path from one "
        "word to another.",
    )
    tool = components.choice([(name, key) for key, name in TOOLS.items()], "sum", "What to ask")
    box = {"show_label": False, "max_lines": 1, "min_width": 240, "scale": 2}
    with gr.Row(elem_classes="controls"):
        first = gr.Textbox(TOOL_EXAMPLES["sum"][0], label="Words", **box)
        second = gr.Textbox("", label="Second", visible=False, **box)
        ask_button = gr.Button("Ask", min_width=90)
    answer = components.html()

    @_error_as_answer
    def ask(tool, first, second):
        if tool in ("like", "path"):
            draw = views.draw_similarity if tool == "like" else views.draw_path
            return draw(predictor, first, second)
        draw = {
            "sum": views.draw_sum,
            "near": views.draw_neighbours,
            "odd": views.draw_odd_one_out,
        }[tool]
        return draw(predictor, first)

    def choose_tool(tool):
        first, second = TOOL_EXAMPLES[tool]
        return first, gr.Textbox(value=second, visible=bool(second)), ask(tool, first, second)

    inputs = [tool, first, second]
    tool.input(choose_tool, tool, [first, second, answer], **QUIET)
    gr.on([ask_button.click, first.submit, second.submit], ask, inputs, answer, **QUIET)
    opened.then(ask, inputs, answer, **QUIET)


def _map_section(predictor, settings, opened):
    components.section(
        "The map",
        "Thousands of words in two or three dimensions. Drag to move, use the buttons (or Ctrl "
        "and the wheel) to zoom, click a word for its neighbours.",
    )
    view, search, axes_row, ends = _map_controls(predictor)
    canvas = gr.HTML(
        "",
        html_template=views.MAP_TEMPLATE,
        js_on_load=MAP_SCRIPT,
        apply_default_css=False,
        elem_classes=["text", "wide"],
        elem_id="word-map",
    )
    description = components.html()
    own, own_button, all_button, exports, download = _own_words_controls(settings)
    inputs, outputs = [view, search, own, *ends], [canvas, description]

    def find_points(view, search, own, left, right, low, high):
        axes = (left, right), (low, high)
        return word_map.draw_map(predictor, view, search, own or "", axes)

    def draw(view, search, own, *ends):
        try:
            points = find_points(view, search, own, *ends)
            neighbours = views.draw_neighbours(predictor, search) if search.strip() else ""
        except ERRORS as error:
            return gr.skip(), components.error(error)
        data = views.encode_map(points, f"{view} {own}")
        return data, views.describe_map(points, view) + neighbours

    def draw_neighbours(event: gr.EventData, view, search, *others):
        del search
        return event.word, *draw(view, event.word, *others)

    def draw_all(view, search, own, *ends):
        del own
        return "", *draw(view, search, "", *ends)

    def export(write, view, search, own, *ends):
        del search
        try:
            paths = write(predictor, find_points(view, "", own, *ends))
        except ERRORS as error:
            return gr.skip(), components.error(error)
        return gr.File(value=[str(path) for path in paths], visible=True), gr.skip()

    triggers = [view.input, search.submit, own_button.click, *(end.submit for end in ends)]
    gr.on(triggers, draw, inputs, outputs, **QUIET)
    view.input(lambda view: gr.Row(visible=view == "axes"), view, axes_row, **QUIET)
    opened.then(draw, inputs, outputs, **QUIET)
    canvas.click(draw_neighbours, inputs, [search, *outputs], **{**QUIET, **events.IN_ORDER})
    all_button.click(draw_all, inputs, [own, *outputs], **QUIET)
    for button, write in zip(exports, (_write_csv, _write_tsvs), strict=True):
        button.click(partial(export, write), inputs, [download, description], **QUIET)


def _map_controls(predictor):
    """The layout, the search, the row of the ends of the axes, and the list of the ends."""
    options = {"show_label": False, "min_width": 180}
    with gr.Row(elem_classes="controls"):
        view = gr.Dropdown(
            [(name, key) for key, name in word_map.VIEWS.items()],
            value="tsne2" if predictor.card else "pca2",
            label="Layout",
            **options,
        )
        search = gr.Textbox(label="Find a word", placeholder="Find a word", max_lines=1, **options)
    ends = [
        Knob(name.lower(), name, word, high=MAX_CHARACTERS)
        for name, word in zip(("Left", "Right", "Bottom", "Top"), sum(AXES, ()), strict=True)
    ]
    with gr.Row(elem_classes="controls", visible=False) as axes_row:
        ends = [_word_box(end) for end in ends]
    return view, search, axes_row, ends


def _own_words_controls(settings):
    """The box of own words, the buttons to show these or all, those to export, and the files."""
    with gr.Accordion("Your own words, and the map as files", open=False):
        own = gr.Textbox(
            label="Only these words, separated by commas",
            placeholder=OWN_LIST,
            lines=3,
            max_lines=8,
            max_length=settings.max_characters,
        )
        with gr.Row(elem_classes="controls"):
            own_button = gr.Button("Show these words", min_width=150)
            all_button = gr.Button("Show all words", min_width=150)
            exports = [gr.Button(name, min_width=120) for name in ("Make a CSV", "Make TSVs")]
        download = gr.File(label="Files", show_label=False, visible=False, interactive=False)
    return own, own_button, all_button, exports, download


def _write_csv(predictor, points):
    del predictor
    path = download_path("map.csv")
    files.write_map(points, path)
    return [path]


def _write_tsvs(predictor, points):
    paths = [download_path(name) for name in ("vectors.tsv", "words.tsv")]
    matrix = [predictor.find(word)[1] for word in points.words]
    files.write_projector(points.words, matrix, *paths)
    return paths


def _accuracy_section(card, opened):
    components.section(
        "How often it is right",
        "Google’s 19,544 questions in 14 sections, answered by 3CosAdd without the three words of "
        "the question.",
    )
    components.html(score_views.draw_accuracy(card))
    with gr.Row(elem_classes="controls"):
        section = gr.Dropdown(
            [(score_views.SECTIONS.get(name, name), name) for name in card["sections"]],
            value=next(iter(card["sections"])),
            label="Section",
            show_label=False,
            min_width=260,
        )
        number = gr.Slider(1, 2, 1, step=1, label="Page of wrong answers", min_width=200)
    mistakes = components.html()
    with gr.Accordion("Size of the text, and other settings, compared", open=False):
        components.html(score_views.draw_size_scores(card))

    def browse(section, number):
        html, pages = score_views.draw_mistakes(section, number)
        value = min(int(number), pages)
        return html, gr.Slider(maximum=max(pages, 2), value=value, interactive=pages > 1)

    inputs, outputs = [section, number], [mistakes, number]
    section.input(lambda section: browse(section, 1), section, outputs, **QUIET)
    number.input(browse, inputs, outputs, **QUIET)
    opened.then(browse, inputs, outputs, **QUIET)


def _bias_section(predictor, opened):
    components.section(
        "Bias, measured",
        "Vectors learn what people write, prejudice included. The association test asks whether "
        "two groups of words lean towards different attributes, and how often chance alone would "
        "produce such a difference.",
    )
    bias = gr.Dropdown(
        [(test.name, key) for key, test in BIASES.items()],
        value="flowers",
        label="Test",
        show_label=False,
    )
    answer = components.html()
    with gr.Accordion("Change the words of the test", open=False):
        groups = [
            gr.Textbox(words, label=name, lines=2, max_lines=5, max_length=2000)
            for name, words in zip(*views.list_bias_words("flowers"), strict=True)
        ]
        with gr.Row(elem_classes="controls"):
            button = gr.Button("Test these words", min_width=150)

    @_error_as_answer
    def test(key, *words):
        names, _ = views.list_bias_words(key)
        association = predictor.association(*(text.split(",") for text in words))
        return views.draw_association(association, names)

    def choose(key):
        names, lists = views.list_bias_words(key)
        boxes = [
            gr.Textbox(value=words, label=name) for name, words in zip(names, lists, strict=True)
        ]
        return *boxes, test(key, *lists)

    bias.input(choose, bias, [*groups, answer], **QUIET)
    button.click(test, [bias, *groups], answer, **QUIET)
    opened.then(test, [bias, *groups], answer, **QUIET)


def _learning_section():
    components.section(
        "Train your own",
        "Skip-gram (a word predicts its neighbours) or CBOW (the neighbours predict the word), "
        "written in Keras, learns from your text while you watch: at most 4 MB, 6,000 different "
        "words and 45 seconds. Nothing is stored.",
    )
    text = gr.Textbox(
        label="Your text",
        placeholder="Paste a few pages or more, in English or another language written in the "
        "letters a to z",
        lines=5,
        max_lines=10,
    )
    with gr.Row(elem_classes="controls"):
        sample_button = gr.Button("Use a sample text", min_width=150)
        upload = gr.UploadButton(
            "Upload a text", file_types=[".txt", ".md"], size="md", min_width=140
        )
        architecture = components.choice(
            [("Skip-gram", "skipgram"), ("CBOW", "cbow")], "skipgram", "Architecture"
        )
    with gr.Row(elem_classes="controls"):
        watch = gr.Textbox(
            label="Words to watch",
            show_label=False,
            placeholder="Words to watch (otherwise frequent ones)",
            max_lines=1,
            min_width=240,
        )
        learn_button = gr.Button("Learn", variant="primary", min_width=110)
        stop_button = gr.Button("Stop", min_width=90)
    progress = components.html()
    download = gr.DownloadButton("Download the vectors", visible=False)
    slot = gr.State(events.RunSlot())

    def stop(slot, shown):
        slot.stop()
        return components.note("Stopped.") if shown in (WAITING, COMPILING) else gr.skip()

    inputs, outputs = [text, architecture, watch], [progress, download]
    events.start_on_click(learn_button, slot, _learn, inputs, outputs, WAITING, **LEARNING)
    stop_button.click(stop, [slot, progress], progress, queue=False, api_visibility="private")
    sample_button.click(make_sample_text, None, text, **QUIET)
    upload.upload(_read_upload, upload, [text, progress], **QUIET)


def _read_upload(path):
    from apps.analogies.learning import read_text

    try:
        return read_text(path), ""
    except UserError as error:
        return gr.skip(), components.error(error)
    finally:
        discard(path or "")


def _learn(slot, text, architecture, watch):
    """Learn while the visitor watches; Gradio closes the generator when they leave."""
    from apps.analogies import learning  # on first use: it brings in TensorFlow
    from apps.analogies.model import ARCHITECTURES

    if slot.stopped:
        return
    token = slot.begin()
    yield COMPILING, gr.DownloadButton(visible=False)
    try:
        corpus = learning.prepare(text)
        watched = learning.choose_words(corpus, watch, WATCHED_WORDS)
    except UserError as error:
        yield components.error(error), gr.skip()
        return
    by_counting = learning.find_by_counting(corpus, watched, 5)
    for progress in learning.learn(corpus, architecture):
        if not slot.owns(token):
            return
        download = gr.skip()
        if progress.done:
            path = download_path("vectors.txt")
            files.write_vectors(progress.vectors, path)
            download = gr.DownloadButton(value=str(path), visible=True)
        yield views.draw_learning(progress, by_counting, ARCHITECTURES[architecture]), download


def headline():
    """The score and the baseline's, for the home page."""
    card = bundle.read_card(FOLDER)
    return (
        f"{card['accuracy']:.1%} of analogies right",
        f"PPMI + SVD {card['baseline']['accuracy']:.1%}",
    )


def scores():
    """The shipped vectors beside their baseline, for the About page."""
    return score_views.draw_about(bundle.read_card(FOLDER))


def warm_up():
    """Load what the sections below the answer need."""
    if Predictor.load().card:
        stored.load_sizes()
        stored.load_answers()
        word_map.load_map()
