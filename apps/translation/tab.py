"""The page: English in, French out, and how the network found it."""

from pathlib import Path
from typing import Literal

import gradio as gr

from apps.translation import BEAM_WIDTH, LENGTH_PENALTY, MAX_CHARACTERS, memory, views
from apps.translation.dictionary import Dictionary
from apps.translation.examples import EXAMPLES
from apps.translation.views import NETWORKS
from shared import bundle, page, tables

TITLE = "Translation"
DESCRIPTION = (
    "English to French by an encoder, a decoder and attention; see where it looks for each word."
)
SHAPE = "many to many"
FOLDER = bundle.MODELS / "translation"
CHUNK = 16  # rows of a file between two reports of progress
ALIGN = (Path(__file__).parent / "align.js").read_text(encoding="utf-8")


def _models():
    """The predictor's module, imported on first use because it brings in TensorFlow."""
    from apps.translation import predictor

    return predictor


def build(tab, settings):
    """The page inside its `gr.Tab`."""
    card = bundle.read_card(FOLDER)
    page.html(views.STYLE)
    page.opening(
        "English into French",
        "One recurrent network reads your sentence in both directions; another writes the French "
        "token by token (a token is a word or a piece of one) and looks back at the English "
        "before each. See where it looks, what else it considered, and whether it has read your "
        "sentence before.",
    )
    with gr.Row(elem_classes="boxes"):
        text = gr.Textbox(
            EXAMPLES[0][1],
            label=f"English, up to {MAX_CHARACTERS:,} characters",
            lines=5,
            max_lines=14,
            min_width=300,
        )
        french = gr.Textbox(
            label="French",
            lines=5,
            max_lines=14,
            min_width=300,
            interactive=False,
            html_attributes=gr.InputHTMLAttributes(lang="fr"),
        )
    with gr.Row(elem_classes="controls"):
        button = gr.Button("Translate", variant="primary", min_width=120)
        # Rendered below, in the section that explains them.
        width = gr.Slider(1, 8, BEAM_WIDTH, step=1, label="Beam width", render=False)
        alpha = gr.Slider(0, 2.0, LENGTH_PENALTY, step=0.1, label="Length penalty", render=False)
        copy_button = gr.Button("Copy the French", min_width=150)
        page.link_button(tab, text=text, width=width, penalty=alpha)
    problem = page.html()
    samples = gr.Dataset(
        components=[text],
        samples=[[sample] for _, sample in EXAMPLES],
        sample_labels=[name for name, _ in EXAMPLES],
        label="Examples",
    )
    answer = gr.HTML(
        page.note("The network is being loaded. The first answer takes a few seconds."),
        js_on_load=ALIGN,
        apply_default_css=False,
        elem_classes="text",
    )
    asked, found = gr.State(), gr.State()  # the settings of the answer above, and its Translation
    which = gr.Dropdown([], label="Sentence shown below", visible=False)
    page.section(
        "Where each word looked",
        "Before it writes a token, the decoder weighs all that the encoder has read: these weights "
        "are its attention.",
    )
    weights = page.html(wide=True)
    page.section(
        "The search",
        "The likeliest next token need not begin the likeliest sentence. Beam search keeps several "
        "beginnings at once; the length penalty makes up for the probability that every further "
        "token costs. Both sliders change the translation above.",
    )
    with gr.Row(elem_classes="controls"):
        width.render()
        alpha.render()
    beam = page.html(wide=True)
    page.section(
        "With attention and without",
        "The same sentence by the other networks of the study, which are smaller and were trained "
        "for a quarter as long, and word for word by a dictionary.",
    )
    comparison = page.html(page.note("This appears after the first answer."))
    page.html(views.study(card))
    page.section(
        "Memorised or composed?",
        "Has the network seen this sentence in training, or parts of it?",
    )
    recalled = page.html(page.note("This appears after the first answer."))
    page.section(
        "Many sentences at once",
        f"A text file with one sentence per line, or a CSV with a column named text, up to "
        f"{settings.max_rows:,} rows and {settings.max_upload_mb} MB. You get it back in French.",
    )
    upload = gr.File(label="File", show_label=False, file_types=[".txt", ".csv"], height=120)
    progress = page.html()
    download = gr.DownloadButton("Download the French", visible=False)

    def respond(text, width, alpha):
        try:
            translation = _translate(text, width, alpha)
            reasons = _doubts(translation, card)
        except (_models().InputError, bundle.BundleError) as refusal:
            return page.error(refusal), *[gr.skip()] * 5
        sentences = translation.sentences
        chooser = gr.Dropdown(
            [(f"{n + 1}. {each.source[:70]}", n) for n, each in enumerate(sentences)],
            value=0,
            visible=len(sentences) > 1,
        )
        shown = views.answer(translation, reasons, card)
        return "", translation.text, shown, (text, width, alpha), translation, chooser

    def respond_to_sample(sample, width, alpha):
        return sample[0], *respond(sample[0], width, alpha)

    def restore(link):
        wanted = link.get("text", EXAMPLES[0][1])
        width = page.number_of_link(link.get("width"), int, 1, 8, BEAM_WIDTH)
        alpha = page.number_of_link(link.get("penalty"), float, 0, 2.0, LENGTH_PENALTY)
        yield wanted, width, alpha, *[gr.skip()] * len(said)
        yield *[gr.skip()] * 3, *respond(wanted, width, alpha)

    quiet = {**page.COMPUTE, "show_progress": "hidden"}
    said = [problem, french, answer, asked, found, which]
    gr.on(
        [button.click, text.submit, width.input, alpha.input],
        respond,
        [text, width, alpha],
        said,
        show_progress_on=answer,
        **{**page.COMPUTE, "show_progress": "minimal"},
    )
    copy = "(text) => { navigator.clipboard.writeText(text); }"
    copy_button.click(None, french, None, js=copy, api_visibility="private")
    samples.click(respond_to_sample, [samples, width, alpha], [text, *said], **quiet)
    page.when_opened(tab, restore, [text, width, alpha, *said], show_progress="hidden")
    for show, output in (
        (_look, weights),
        (_search, beam),
        (_comparing(card), comparison),
        (_recalling(card, settings), recalled),
    ):
        gr.on([asked.change, which.input], _guarded(show), [asked, found, which], output, **quiet)
    upload.upload(
        _translating(card, settings),
        upload,
        [progress, download],
        **{**page.BATCH, "show_progress": "hidden"},
    )
    _api(card, settings)


def headline():
    """The score and the baseline's, for the home page."""
    card = bundle.read_card(FOLDER)
    bleu = card["variants"]["attention"]["bleu_multi30k"]
    return f"{bleu:.1f} BLEU", f"word for word {card['baseline']['bleu_multi30k']:.1f}"


def scores():
    """The networks beside their baseline, for the About page."""
    return views.scores(bundle.read_card(FOLDER))


def warm_up():
    """Load the main network and compile its graph for one short and one longer sentence."""
    predictor = _models().Predictor.load()
    for _, text in (EXAMPLES[0], EXAMPLES[5]):
        predictor.translate(text)


def _translate(text, width, alpha):
    models = _models()
    models.check_search(width, alpha)
    return models.Predictor.load().translate(text, width, alpha)


def _doubts(translation, card):
    """For each sentence the reasons not to trust it."""
    filter_, usual = memory.Memory.load(FOLDER), card["memory"]["usual_words"]
    return [
        views.warnings(each, filter_.overlap(each.source), usual) for each in translation.sentences
    ]


def _guarded(show):
    """The same for the sentence chosen, and a sentence where a bundle is damaged."""

    def guarded(asked, found, which):
        if not asked:
            return gr.skip()
        try:
            return show(found.sentences[which or 0], *asked[1:])
        except bundle.BundleError as problem:
            return page.error(problem)

    return guarded


def _look(sentence, width, alpha):
    return views.heat_map(sentence)


def _search(sentence, width, alpha):
    models = _models()
    named = models.Predictor.load().tokenizer.pieces
    return views.beam(sentence, named, models.best_by_length_penalty(sentence.hypotheses), alpha)


def _comparing(card):
    def compare(sentence, width, alpha):
        predictor = _models().Predictor
        others = {
            name: predictor.load(name).translate_sentences([sentence.source], width, alpha)[0]
            for name in NETWORKS
            if name in card["variants"] and name != "attention"
        }
        plain = Dictionary.load(FOLDER).translate(sentence.source)
        return views.comparison({"attention": sentence, **others}, plain, card)

    return compare


def _recalling(card, settings):
    def recall(sentence, width, alpha):
        filter_ = memory.Memory.load(FOLDER)
        corpus = memory.Corpus.load(settings.data, filter_)
        nearest = corpus.nearest(sentence.source) if corpus else None
        return views.training_overlap(sentence, filter_.overlap(sentence.source), nearest, card)

    return recall


def _translating(card, settings):
    def run(path):
        table = None
        try:
            if Path(path).suffix.lower() == ".csv":
                table = tables.read(path, settings.max_rows)
                texts = table.column(tables.text_column(table))
            else:
                texts = tables.lines(path, settings.max_rows)
            _models().Predictor.load()
        except (tables.TableError, bundle.BundleError) as problem:
            yield page.error(problem), gr.DownloadButton(visible=False)
            return
        results = []
        for start in page.while_open(range(0, len(texts), CHUNK)):
            yield page.progress(start, len(texts), "rows translated"), gr.skip()
            results += _rows(texts[start : start + CHUNK], "attention", card)
        done = len(results)
        if table:
            columns = [*table.columns, "french", "confidence", "note"]
            rows = [row + list(r) for row, r in zip(table.rows[:done], results, strict=True)]
            name, content = "french.csv", tables.text(columns, rows)
        else:
            name, content = "french.txt", "".join(f"{row[0]}\n" for row in results)
        yield page.batch_ended(views.summary(results), done, len(texts), name, content)

    return run


def _rows(texts, network, card):
    """(French, confidence, note) for each text; one that cannot be translated stays as it is."""
    models = _models()
    results, wanted = [], []
    for number, text in enumerate(texts):
        try:
            models.check_text(text)
            wanted.append(number)
            results.append(None)
        except models.InputError as refusal:
            results.append((text, "", str(refusal) if text.strip() else ""))
    found = models.Predictor.load(network).translate_all([texts[number] for number in wanted])
    for number, translation in zip(wanted, found, strict=True):
        reasons = [reason for each in _doubts(translation, card) for reason in each]
        sure = translation.confidence
        results[number] = (
            translation.text,
            "" if sure is None else round(sure, 4),
            " ".join(reasons),
        )
    return results


def _api(card, settings):
    networks = Literal[tuple(card["variants"])]

    def translate(
        text: str,
        width: int = BEAM_WIDTH,
        penalty: float = LENGTH_PENALTY,
        network: networks = "attention",
    ) -> dict:
        """English into French, sentence by sentence, with the attention and the alternatives.

        Args:
            text: English, up to 5,000 characters; line breaks are kept.
            width: Beam width, 1 (nearly greedy) to 8.
            penalty: Exponent of the length penalty, 0 to 2.
            network: attention (the main one), or a small one: small (LSTM with attention), gru
                (GRU with attention), plain (LSTM, no attention), reversed (no attention, the
                source read from its end).

        Returns:
            text (the French), confidence (geometric mean of the tokens' probabilities, None
            where all was copied) and sentences: for each english, french, confidence, notes
            (reasons not to trust it), pieces and source_pieces (the tokens), attention (a row
            for each of pieces) and alternatives (french, log_probability, score; the best first).
        """
        models = _models()
        with page.refusals(models.InputError, bundle.BundleError):
            models.check_search(width, penalty)
            found = models.Predictor.load(network).translate(text, width, penalty)
            reasons = _doubts(found, card)
        return {
            "text": found.text,
            "confidence": found.confidence,
            "sentences": [
                _plain(each, notes) for each, notes in zip(found.sentences, reasons, strict=True)
            ],
        }

    def translate_batch(texts: list[str], network: networks = "attention") -> list[dict]:
        """Many English texts into French.

        Args:
            texts: The texts, in English.
            network: As for `translate`.

        Returns:
            For each text french, confidence (None where it was copied) and note, which says
            why it was not translated or should not be trusted.
        """
        models = _models()
        with page.refusals(models.InputError, bundle.BundleError):
            if len(texts) > settings.max_rows:
                most = f"At most {settings.max_rows:,} texts are translated at once."
                raise models.InputError(most)
            rows = _rows(texts, network, card)
        return [
            {"french": french, "confidence": None if sure == "" else sure, "note": note}
            for french, sure, note in rows
        ]

    page.api(translate, concurrency_id="compute", concurrency_limit=2)
    page.api(translate_batch, concurrency_id="batch", concurrency_limit=1)


def _plain(sentence, notes):
    best = sentence.hypotheses[0]
    return {
        "english": sentence.source,
        "french": sentence.text,
        "confidence": None if sentence.copied else sentence.confidence,
        "notes": [*notes, *views.notes(sentence)],
        "pieces": list(best.pieces),
        "source_pieces": list(sentence.pieces),
        "attention": best.attention.astype(float).round(4).tolist(),
        "alternatives": [
            {
                "french": each.text,
                "log_probability": float(each.log_probability),
                "score": each.score,
            }
            for each in sentence.hypotheses
        ],
    }
