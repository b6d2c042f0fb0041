"""The page: words as points in space, what that space knows, and how it is learned."""

from pathlib import Path
from typing import Literal

import gradio as gr

from apps.analogies import views
from apps.analogies.examples import ANALOGIES, ASKED, AXES, BIASES, OWN_LIST, made_up_text
from apps.analogies.predictor import METHODS, Predictor
from shared import bundle, page
from shared.errors import UserError

TITLE = "Words"
DESCRIPTION = (
    "Word vectors: analogies, neighbours and maps; what every network here reads instead of "
    "letters."
)
SHAPE = "under all of them"
FIRST = ANALOGIES[0][1:]
TOOLS = (
    ("Arithmetic", "sum"),
    ("Nearest neighbours", "near"),
    ("Similarity of two", "like"),
    ("Odd one out", "odd"),
    ("A path", "path"),
)
WAITING = page.note("Your text is waiting its turn: one is learned at a time.")
COMPILING = page.note("Reading the text and compiling the network …")
WATCHED = 6  # words whose neighbours are shown while vectors are learned
COMPLETE = (Path(__file__).parent / "complete.js").read_text(encoding="utf-8")
MAP = (Path(__file__).parent / "map.js").read_text(encoding="utf-8")


def build(tab, settings):
    """The page inside its `gr.Tab`."""
    file = settings.vectors
    predictor = Predictor.load(file)
    card = predictor.card
    page.html(views.STYLE)
    page.opening(
        "The space of words",
        "King − he + she: a network that only ever guessed which words stand near each other has "
        "put them into a space where directions mean something. Ask it, and see the trick.",
    )
    with gr.Row(elem_classes=["controls", "words-row"]):
        a = _word_box(FIRST[0], "This word")
        b = _word_box(FIRST[1], "is to")
        c = _word_box(FIRST[2], "as this one is to …")
        solve_button = gr.Button("Solve", variant="primary", min_width=110)
    with gr.Row(elem_classes="controls"):
        method = page.choice(list(METHODS), METHODS[0], "Method")
        page.link_button(tab, a=a, b=b, c=c, method=method)
    # The words that begin with what is typed, offered by the browser.
    gr.HTML(
        "",
        html_template='<datalist id="known-words"></datalist>',
        js_on_load=COMPLETE,
        server_functions=[_completing(predictor)],
        apply_default_css=False,
        elem_classes="text",
    )
    problem = page.html()
    samples = gr.Dataset(
        components=[a, b, c],
        samples=[list(words) for _, *words in ANALOGIES],
        sample_labels=[name for name, *_ in ANALOGIES],
        label="Examples",
    )
    answer = page.html(page.note("The word vectors are being loaded."))
    asked = gr.State()
    if card and len(views.sizes()) > 1:
        page.section(
            "The same question after less reading",
            "The more text the network has read, the more of the relation it knows. Move the "
            "slider: the same three words, answered by vectors from less of the same text.",
        )
        size = gr.Slider(
            1,
            len(views.sizes()),
            len(views.sizes()),
            step=1,
            label="Words of text: " + ", ".join(views.number(one) for one, _ in views.sizes()),
        )
        sized = page.html()
    page.section(
        "Ask the space",
        "Sums of words, neighbours, similarity, the one that does not belong, and a path from one "
        "word to another.",
    )
    tool = page.choice(list(TOOLS), "sum", "What to ask")
    with gr.Row(elem_classes="controls"):
        one = gr.Textbox(
            ASKED["sum"][0], label="Words", show_label=False, max_lines=1, min_width=240, scale=2
        )
        two = gr.Textbox(
            "", label="Second", show_label=False, max_lines=1, min_width=240, scale=2, visible=False
        )
        ask_button = gr.Button("Ask", min_width=90)
    replied = page.html()
    page.section(
        "The map",
        "Thousands of words laid out flat (in two dimensions) or deep (in three). Drag to move, "
        "use the buttons (or Ctrl and the wheel) to zoom, click a word for its neighbours.",
    )
    with gr.Row(elem_classes="controls"):
        view = gr.Dropdown(
            [(name, key) for key, name in views.VIEWS.items()],
            value="tsne2" if card else "pca2",
            label="Layout",
            show_label=False,
            min_width=180,
        )
        search = gr.Textbox(
            label="Find a word", show_label=False, placeholder="Find a word", max_lines=1,
            min_width=180,
        )  # fmt: skip
    with gr.Row(elem_classes="controls", visible=False) as ends:
        left = _word_box(AXES[0][0], "Left")
        right = _word_box(AXES[0][1], "Right")
        low = _word_box(AXES[1][0], "Bottom")
        high = _word_box(AXES[1][1], "Top")
    drawn = gr.HTML(
        "",
        html_template=views.MAP_TEMPLATE,
        js_on_load=MAP,
        apply_default_css=False,
        elem_classes=["text", "wide"],
        elem_id="word-map",
    )
    mapped = page.html()
    with gr.Accordion("Your own words, and the map as files", open=False):
        own = gr.Textbox(
            label="Only these words, separated by commas", placeholder=OWN_LIST, lines=3,
            max_lines=8, max_length=settings.max_characters,
        )  # fmt: skip
        with gr.Row(elem_classes="controls"):
            own_button = gr.Button("Show these words", min_width=150)
            all_button = gr.Button("Show all words", min_width=150)
            csv_button = gr.Button("Make a CSV", min_width=120)
            tsv_button = gr.Button("Make TSVs", min_width=120)
        files = gr.File(label="Files", show_label=False, visible=False, interactive=False)
    if card:
        page.section(
            "How often it is right",
            "Google’s 19,544 questions in 14 sections, by 3CosAdd, with the three words left out.",
        )
        page.html(views.accuracy(card))
        with gr.Row(elem_classes="controls"):
            section = gr.Dropdown(
                [(views.SECTIONS.get(name, name), name) for name in card["sections"]],
                value=next(iter(card["sections"])),
                label="Section",
                show_label=False,
                min_width=260,
            )
            leaf = gr.Slider(1, 2, 1, step=1, label="Page of wrong answers", min_width=200)
        missed = page.html()
        with gr.Accordion("Size of the text, and other settings, compared", open=False):
            page.html(views.size_scores(card))
    page.section(
        "Bias, measured",
        "Vectors learn what people write, prejudice included. The association test asks whether "
        "two groups of words lean towards different attributes, and how often chance would do the "
        "same.",
    )
    bias = gr.Dropdown(
        [(one.name, key) for key, one in BIASES.items()],
        value="flowers",
        label="Test",
        show_label=False,
    )
    leaning = page.html()
    with gr.Accordion("The words of the test, for you to change", open=False):
        names, lists = views.bias_words("flowers")
        groups = [
            gr.Textbox(words, label=name, lines=2, max_lines=5, max_length=2000)
            for name, words in zip(names, lists, strict=True)
        ]
        with gr.Row(elem_classes="controls"):
            bias_button = gr.Button("Test these words", min_width=150)
    page.section(
        "Train your own",
        "Skip-gram (a word guesses its neighbours) or CBOW (the neighbours guess the word), "
        "written by hand in Keras, learns from your text while you watch: at most 4 MB, 6,000 "
        "different words and 45 seconds. Nothing is kept.",
    )
    text = gr.Textbox(
        label="Your text",
        placeholder="Paste a few pages or more, in English or another language written in the "
        "letters a to z",
        lines=5,
        max_lines=10,
    )
    with gr.Row(elem_classes="controls"):
        sample_button = gr.Button("A made-up text", min_width=150)
        upload = gr.UploadButton(
            "Upload a text", file_types=[".txt", ".md"], size="md", min_width=140
        )
        architecture = page.choice(
            [("Skip-gram", "skipgram"), ("CBOW", "cbow")], "skipgram", "Architecture"
        )
    with gr.Row(elem_classes="controls"):
        watch = gr.Textbox(
            label="Words to watch", show_label=False,
            placeholder="Words to watch (otherwise frequent ones)", max_lines=1, min_width=240,
        )  # fmt: skip
        learn_button = gr.Button("Learn", variant="primary", min_width=110)
        stop_button = gr.Button("Stop", min_width=90)
    learned = page.html()
    vectors_file = gr.DownloadButton("Download the vectors", visible=False)

    def solve(a, b, c, method):
        try:
            (other,) = set(METHODS) - {method}
            found, beside = (predictor.analogy(a, b, c, one) for one in (method, other))
        except UserError as refusal:
            return page.error(refusal), gr.skip(), gr.skip()
        return "", views.analogy(found, beside, card), (found.words, method)

    def solve_sample(sample, method):
        return *sample, *solve(*sample, method)

    def restore(link):
        words = [link.get(name, word) for name, word in zip("abc", FIRST, strict=True)]
        method = link.get("method")
        method = method if method in METHODS else METHODS[0]
        yield *words, method, *[gr.skip()] * 3
        refused, *shown = solve(*words, method)
        # Nothing was answered yet that could stay.
        yield *[gr.skip()] * 4, refused, *(("", None) if refused else shown)

    quiet = {**page.COMPUTE, "show_progress": "hidden"}
    said = [problem, answer, asked]
    gr.on(
        [solve_button.click, a.submit, b.submit, c.submit, method.input],
        solve,
        [a, b, c, method],
        said,
        **quiet,
    )
    samples.click(solve_sample, [samples, method], [a, b, c, *said], **quiet)
    opened = page.when_opened(tab, restore, [a, b, c, method, *said], show_progress="hidden")

    if card and len(views.sizes()) > 1:

        def compare(asked, place):
            if not asked:
                return gr.skip()
            try:
                return views.by_size(*asked, int(place) - 1)
            except (UserError, bundle.BundleError) as refusal:
                return page.error(refusal)

        gr.on(
            [asked.change, size.input],
            compare,
            [asked, size],
            sized,
            **quiet,
        )

    def ask(tool, one, two):
        shows = {
            "sum": lambda: views.calculate(predictor, one),
            "near": lambda: views.neighbours(predictor, one),
            "like": lambda: views.likeness(predictor, one, two),
            "odd": lambda: views.odd_one_out(predictor, one),
            "path": lambda: views.path(predictor, one, two),
        }
        try:
            return shows[tool]()
        except UserError as refusal:
            return page.error(refusal)

    def choose_tool(tool):
        one, two = ASKED[tool]
        both = tool in ("like", "path")
        return one, gr.Textbox(value=two, visible=both), ask(tool, one, two)

    tool.input(choose_tool, tool, [one, two, replied], **quiet)
    gr.on([ask_button.click, one.submit, two.submit], ask, [tool, one, two], replied, **quiet)
    opened.then(ask, [tool, one, two], replied, **quiet)

    def draw(view, search, own, left, right, low, high):
        axes = ((left, right), (low, high))
        try:
            data, sentence = views.map_data(predictor, view, search, own or "", axes)
            near = views.neighbours(predictor, search) if search.strip() else ""
        except (UserError, bundle.BundleError) as refusal:
            return gr.skip(), page.error(refusal)
        return data, f'<p class="small">{sentence}</p>{near}'

    picture = [view, search, own, left, right, low, high]
    gr.on(
        [
            view.input,
            search.submit,
            own_button.click,
            *(end.submit for end in (left, right, low, high)),
        ],
        draw,
        picture,
        [drawn, mapped],
        **quiet,
    )
    view.input(lambda view: gr.Row(visible=view == "axes"), view, ends, **quiet)
    opened.then(draw, picture, [drawn, mapped], **quiet)

    def clicked(event: gr.EventData, *picture):
        word = event.word
        view, _, *rest = picture
        return word, *draw(view, word, *rest)

    drawn.click(clicked, picture, [search, drawn, mapped], **{**quiet, **page.IN_TURN})
    all_button.click(
        lambda *picture: ("", *draw(*picture[:2], "", *picture[3:])),
        picture,
        [own, drawn, mapped],
        **quiet,
    )

    def export(kind):
        def make(*picture):
            axes = ((picture[3], picture[4]), (picture[5], picture[6]))
            try:
                paths = views.export(
                    predictor, kind, picture[0], picture[2] or "", axes, page.download_path
                )
            except UserError as refusal:
                return gr.skip(), page.error(refusal)
            return gr.File(value=paths, visible=True), gr.skip()

        return make

    csv_button.click(export("csv"), picture, [files, mapped], **quiet)
    tsv_button.click(export("tsv"), picture, [files, mapped], **quiet)

    if card:

        def browse(section, place):
            html, pages = views.wrong(section, place)
            place = min(int(place), pages)
            return html, gr.Slider(maximum=max(pages, 2), value=place, interactive=pages > 1)

        section.input(lambda name: browse(name, 1), section, [missed, leaf], **quiet)
        leaf.input(browse, [section, leaf], [missed, leaf], **quiet)
        opened.then(browse, [section, leaf], [missed, leaf], **quiet)

    def test(key, *words):
        names, _ = views.bias_words(key)
        try:
            lists = [text.split(",") for text in words]
            return views.association(predictor.association(*lists), names)
        except UserError as refusal:
            return page.error(refusal)

    def choose_bias(key):
        names, lists = views.bias_words(key)
        boxes = [
            gr.Textbox(value=words, label=name) for name, words in zip(names, lists, strict=True)
        ]
        return *boxes, test(key, *lists)

    bias.input(choose_bias, bias, [*groups, leaning], **quiet)
    bias_button.click(test, [bias, *groups], leaning, **quiet)
    opened.then(test, [bias, *groups], leaning, **quiet)

    seat = gr.State(page.Seat())
    page.begun(
        learn_button,
        seat,
        _learning,
        [text, architecture, watch],
        [learned, vectors_file],
        waiting=WAITING,
        concurrency_id="learning",
        concurrency_limit=1,
        show_progress="hidden",
    )

    def end(seat, shown):
        seat.stop()
        return page.note("Stopped.") if shown in (WAITING, COMPILING) else gr.skip()

    stop_button.click(end, [seat, learned], learned, queue=False, api_visibility="private")
    sample_button.click(made_up_text, None, text, **quiet)
    upload.upload(_uploaded, upload, [text, learned], **quiet)
    _api(predictor)


def headline():
    """The score and the baseline's, for the home page."""
    card = bundle.read_card(bundle.MODELS / "analogies")
    return (
        f"{card['accuracy']:.1%} of analogies right",
        f"PPMI + SVD {card['baseline']['accuracy']:.1%}",
    )


def scores():
    """The shipped vectors beside their baseline, for the About page."""
    return views.about(bundle.read_card(bundle.MODELS / "analogies"))


def warm_up():
    """Load what the sections below the answer need."""
    views.warm_up()


def _word_box(value, label):
    return gr.Textbox(
        value, label=label, lines=1, max_lines=1, min_width=130, elem_classes="word-box"
    )


def _completing(predictor):
    def complete(start):
        """The most frequent words that begin so."""
        return predictor.complete(start)

    return complete


def _uploaded(path):
    from apps.analogies.learning import read_text

    try:
        return read_text(path), ""
    except UserError as refusal:
        return gr.skip(), page.error(refusal)


def _learning(seat, text, architecture, watch):
    """Learn while the visitor looks on; Gradio closes the generator when they leave."""
    from apps.analogies import learning
    from apps.analogies.model import ARCHITECTURES

    if seat.stopped:
        return
    name, turn = ARCHITECTURES[architecture], seat.begin()
    yield COMPILING, gr.DownloadButton(visible=False)
    try:
        prepared = learning.prepare(text)
        counted = learning.by_counting(prepared, views.watched(prepared, watch, WATCHED), 5)
    except UserError as refusal:
        yield page.error(refusal), gr.skip()
        return
    for progress in learning.learn(prepared, architecture):
        if seat.turn is not turn:
            return
        download = gr.skip()
        if progress.done:
            path = page.download_path("vectors.txt")
            views.write_vectors(progress.vectors, path)
            download = gr.DownloadButton(value=str(path), visible=True)
        yield views.learning(progress, counted, name), download


def _api(predictor):
    def analogy(a: str, b: str, c: str, method: Literal["3CosAdd", "3CosMul"] = "3CosAdd") -> dict:
        """A is to b as c is to what?

        Args:
            a: The first word, such as man.
            b: The second, such as woman.
            c: The third, such as king.
            method: 3CosAdd or 3CosMul.

        Returns:
            words (as understood), best (word and score, the three words excluded), honest (the
            same of all words), and notes.
        """
        with page.refusals(UserError):
            found = predictor.analogy(a, b, c, method)
        return {
            "words": list(found.words),
            "best": _plain(found.best),
            "honest": _plain(found.honest),
            "notes": list(found.notes),
        }

    def calculate(expression: str) -> list[dict]:
        """The words nearest to a sum of words.

        Args:
            expression: Words with + and - between them, such as berlin - germany + france.

        Returns:
            For each of the ten nearest words word and score, its cosine.
        """
        with page.refusals(UserError):
            return _plain(predictor.calculate(expression)[1])

    def neighbours(word: str) -> list[dict]:
        """The ten words nearest to a word or phrase.

        Args:
            word: In English.

        Returns:
            For each word and score, its cosine.
        """
        with page.refusals(UserError):
            return _plain(predictor.neighbours(word)[1])

    def likeness(first: str, second: str) -> dict:
        """How alike two words or two sentences are.

        Args:
            first: A word or a sentence.
            second: Another.

        Returns:
            cosine (of the word vectors), bag and tf_idf (of counts), and notes.
        """
        with page.refusals(UserError):
            found = predictor.likeness(first, second)
        return {
            "cosine": round(found.cosine, 4),
            "bag": round(found.bag, 4),
            "tf_idf": round(found.tf_idf, 4),
            "notes": list(found.notes),
        }

    def odd_one_out(words: list[str]) -> list[dict]:
        """Words by how little they belong to the others.

        Args:
            words: Three or more.

        Returns:
            For each word and score, its cosine with the mean of all; the odd one first.
        """
        with page.refusals(UserError):
            return _plain(predictor.odd_one_out(words))

    def path(start: str, end: str) -> list[dict]:
        """A chain of near neighbours from one word to another.

        Args:
            start: The first word.
            end: The last.

        Returns:
            For each word of the chain word and score, its cosine with the one before it.
        """
        with page.refusals(UserError):
            return _plain(predictor.path(start, end))

    def association(
        first: list[str], second: list[str], attribute: list[str], contrary: list[str]
    ) -> dict:
        """Whether two groups of words lean towards different attributes (Caliskan et al. 2017).

        Args:
            first: Words of the first group.
            second: Words of the second group.
            attribute: Words of the first attribute.
            contrary: Words of the second attribute.

        Returns:
            effect (size, −2 to 2), p_value, exact, ways and missing.
        """
        with page.refusals(UserError):
            found = predictor.association(first, second, attribute, contrary)
        return {
            "effect": round(found.effect, 4),
            "p_value": found.p_value,
            "exact": found.exact,
            "ways": found.ways,
            "missing": list(found.missing),
        }

    for event in (analogy, calculate, neighbours, likeness, odd_one_out, path, association):
        page.api(event, concurrency_id="compute", concurrency_limit=2)


def _plain(near):
    return [{"word": one.word, "score": round(one.score, 4)} for one in near]
