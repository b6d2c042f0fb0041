"""The translation page: English in, French out, and how the network came to it."""

from pathlib import Path
from typing import Literal

import gradio as gr

from apps.translation import (
    BEAM_WIDTH,
    LENGTH_PENALTY,
    MAX_CHARACTERS,
    memory,
    views,
)
from apps.translation.dictionary import Dictionary
from apps.translation.examples import EXAMPLES
from shared import bundle
from shared.errors import UserError
from shared.limits import MAX_BEAM_WIDTH, MAX_LENGTH_PENALTY
from shared.site import components, events
from shared.site.api import publish
from shared.site.batch import (
    TABLE_TYPES,
    BatchJob,
    BatchSection,
    append_columns,
    read_lines,
    read_table,
)
from shared.site.knobs import Knob, read_link

TITLE = "Translation"
DESCRIPTION = (
    "An encoder, a decoder and attention translate English into French. See where the network "
    "looks before it writes each word."
)
SHAPE = "many to many"
FOLDER = bundle.MODELS / "translation"
ALIGN_SCRIPT = (Path(__file__).parent / "align.js").read_text(encoding="utf-8")
BATCH_CHUNK_SIZE = 16  # rows between two reports of progress
WIDTH = Knob("width", "Beam width", BEAM_WIDTH, 1, MAX_BEAM_WIDTH)
PENALTY = Knob("penalty", "Length penalty", LENGTH_PENALTY, 0, MAX_LENGTH_PENALTY, step=0.1)


def _predictors():
    """The predictor module, imported on first use because it brings in TensorFlow."""
    from apps.translation import predictor

    return predictor


def build(page, settings):
    """Build the page, section by section.

    The sections below the answer show one sentence of it. They read three components: `answered`,
    a `gr.State` of (translation, length penalty) or None; `chosen`, the number of the sentence; and
    they change when either does.
    """
    card = bundle.read_card(FOLDER)
    components.page_title(
        "English into French",
        "One recurrent network reads your sentence in both directions; another writes the French "
        "token by token (a token is a word or a piece of one) and looks back at the English "
        "before each. See where it looks, what else it considered, and whether it has read your "
        "sentence before.",
    )
    # The sliders are shown further down, in the section that explains them.
    width, penalty = WIDTH.slider(render=False), PENALTY.slider(render=False)
    answered, chosen = _answer_section(page, card, width, penalty)
    _attention_section(answered, chosen)
    _search_section(answered, chosen, width, penalty)
    _comparison_section(answered, chosen, width, card)
    _memory_section(answered, chosen, card, settings)
    _batch_section(card, settings)
    _publish_api(card, settings)


def _answer_section(page, card, width, penalty):
    """Input, examples and answer.

    Returns:
        The `gr.State` of the answer that is shown, and the choice of one of its sentences.
    """
    with gr.Row(elem_classes="boxes"):
        box = {"lines": 5, "max_lines": 14, "min_width": 300}
        label = f"English, up to {MAX_CHARACTERS:,} characters (Shift + Enter to translate)"
        text = gr.Textbox(EXAMPLES[0][1], label=label, **box)
        in_french = gr.InputHTMLAttributes(lang="fr")
        french = gr.Textbox(label="French", interactive=False, html_attributes=in_french, **box)
    with gr.Row(elem_classes="controls"):
        button = gr.Button("Translate", variant="primary", min_width=120)
        copy_button = gr.Button("Copy the French", min_width=150)
        page.link_button(text=text, width=width, penalty=penalty)
    problem = components.html()
    examples = components.examples([text], EXAMPLES)
    answer = components.html(components.LOADING, script=ALIGN_SCRIPT)
    answered = gr.State()
    chosen = gr.Dropdown([], label="Sentence shown below", visible=False)

    def answer_text(text, width, penalty):
        try:
            predictor = _predictors().Predictor.load()
            translation = predictor.translate(text, width, penalty)
            translation = predictor.with_forms(translation, width, penalty)
            warnings = _warnings(translation, card)
        except UserError as refusal:
            return components.error(refusal), "", "", None, gr.Dropdown(visible=False)
        sentences = translation.sentences
        choices = [(f"{n + 1}. {each.source[:70]}", n) for n, each in enumerate(sentences)]
        return (
            "",
            translation.text,
            views.answer(translation, warnings, card, Dictionary.load(FOLDER).translate),
            (translation, penalty),
            gr.Dropdown(choices, value=0, visible=len(sentences) > 1),
        )

    def answer_example(example, width, penalty):
        return example[0], *answer_text(example[0], width, penalty)

    def restore(link):
        english = link.get("text", EXAMPLES[0][1])
        search = read_link([WIDTH, PENALTY], link).values()
        yield english, *search, *[gr.skip()] * len(outputs)
        yield *[gr.skip()] * 3, *answer_text(english, *search)

    inputs, outputs = [text, width, penalty], [problem, french, answer, answered, chosen]
    options = {**events.COMPUTE, "show_progress": "minimal", "show_progress_on": answer}
    triggers = [button.click, text.submit, width.input, penalty.input]
    gr.on(triggers, answer_text, inputs, outputs, **options)
    copy = "(text) => { navigator.clipboard.writeText(text); }"
    copy_button.click(None, french, None, js=copy, api_visibility="private")
    examples.click(answer_example, [examples, width, penalty], [text, *outputs], **events.QUIET)
    page.on_open(restore, [*inputs, *outputs], show_progress="hidden")
    return answered, chosen


def _show_sentence(show, answered, chosen, output, *inputs, placeholder=components.NO_ANSWER_YET):
    """Show `show(sentence, penalty, *values of inputs)` whenever the sentence changes."""

    def handle(answer, number, *values):
        if not answer:
            return placeholder
        translation, penalty = answer
        try:
            return show(translation.sentences[number or 0], penalty, *values)
        except bundle.BundleError as problem:
            return components.error(problem)

    gr.on(
        [answered.change, chosen.input], handle, [answered, chosen, *inputs], output, **events.QUIET
    )


def _attention_section(answered, chosen):
    components.section(
        "Where each word looked",
        "Before it writes a token, the decoder weighs all that the encoder has read. These weights "
        "are its attention.",
    )
    picture = components.html(wide=True)

    def show(sentence, penalty):
        del penalty
        return views.heat_map(sentence)

    _show_sentence(show, answered, chosen, picture, placeholder="")


def _search_section(answered, chosen, width, penalty):
    components.section(
        "The search",
        "The likeliest next token need not begin the likeliest sentence. Beam search keeps several "
        "beginnings at once; the length penalty makes up for the probability that every further "
        "token costs. Both sliders change the translation above.",
    )
    with gr.Row(elem_classes="controls"):
        width.render()
        penalty.render()
    tree = components.html(wide=True)

    def show(sentence, penalty):
        predictors = _predictors()
        tokenizer = predictors.Predictor.load().tokenizer

        def pieces_of(numbers):
            return [sentence.copies.get(piece, piece) for piece in tokenizer.pieces(numbers)]

        best = predictors.best_by_length_penalty(sentence.hypotheses)
        return views.beam(sentence, pieces_of, best, penalty)

    _show_sentence(show, answered, chosen, tree, placeholder="")


def _comparison_section(answered, chosen, width, card):
    components.section(
        "With attention and without",
        "The same sentence by the other networks of the study, which are smaller and were trained "
        "for a quarter as long, and word for word by a dictionary.",
    )
    comparison = components.html(components.NO_ANSWER_YET)
    components.html(views.study(card))
    others = [name for name in views.NETWORKS if name in card["variants"] and name != "attention"]

    def show(sentence, penalty, width):
        load, source = _predictors().Predictor.load, sentence.source
        sentences = {"attention": sentence}
        for name in others:
            (sentences[name],) = load(name).translate_sentences([source], width, penalty)
        return views.comparison(sentences, Dictionary.load(FOLDER).translate(source), card)

    _show_sentence(show, answered, chosen, comparison, width)


def _memory_section(answered, chosen, card, settings):
    components.section(
        "Memorised or composed?",
        "Has the network seen this sentence in training, or parts of it?",
    )
    overlap = components.html(components.NO_ANSWER_YET)

    def show(sentence, penalty):
        del penalty
        training = memory.Memory.load(FOLDER)
        corpus = memory.Corpus.load(settings.data, training)
        nearest = corpus.nearest(sentence.source) if corpus else None
        return views.training_overlap(sentence, training.overlap(sentence.source), nearest, card)

    _show_sentence(show, answered, chosen, overlap)


def _batch_section(card, settings):
    section = BatchSection(
        "Many sentences at once",
        "A text file with one sentence per line, or a CSV or JSON Lines with a column named text, "
        f"up to {settings.max_rows:,} rows and {settings.max_upload_mb} MB. You get it back in "
        "French.",
        file_types=TABLE_TYPES,
        download_label="Download the French",
        file_label="File",
    )

    def prepare(path, chosen):
        if Path(path).suffix.lower() == ".txt":
            sentences, write = read_lines(path, settings.max_rows), _write_lines
        else:
            sentences = read_table(path, settings.max_rows, chosen)
            names = ("french", "confidence", "note")
            write = append_columns(sentences.table, names, "french.csv")
        _predictors().Predictor.load()
        return BatchJob(
            sentences,
            answer=lambda texts: _translate_rows(texts, "attention", card),
            summarize=views.summary,
            write=write,
            unit="rows translated",
            chunk_size=BATCH_CHUNK_SIZE,
        )

    section.answer_with(prepare)


def _write_lines(results):
    return "french.txt", "".join(f"{french}\n" for french, *_ in results)


def headline():
    """The network's score and the baseline's, for the home page."""
    card = bundle.read_card(FOLDER)
    bleu = card["variants"]["attention"]["bleu_multi30k"]
    return f"{bleu:.1f} BLEU", f"word for word {card['baseline']['bleu_multi30k']:.1f}"


def scores():
    """The networks beside their baseline, for the About page."""
    return views.scores(bundle.read_card(FOLDER))


def warm_up():
    """Load the main network and compile its graph for one short and one longer sentence."""
    predictor = _predictors().Predictor.load()
    for _, text in (EXAMPLES[0], EXAMPLES[5]):
        predictor.translate(text)


def _warnings(translation, card):
    """For each sentence the list of reasons not to trust its translation."""
    training, usual_words = memory.Memory.load(FOLDER), card["memory"]["usual_words"]
    return [
        views.warnings(sentence, training.overlap(sentence.source), usual_words)
        for sentence in translation.sentences
    ]


def _translate_rows(texts, network, card):
    """(French, confidence, note) for each text; one that cannot be translated stays as it is."""
    predictors = _predictors()
    results, accepted = [], []
    for number, text in enumerate(texts):
        try:
            predictors.check_text(text)
            accepted.append(number)
            results.append(None)
        except UserError as refusal:
            results.append((text, "", str(refusal) if text.strip() else ""))
    predictor = predictors.Predictor.load(network)
    translations = predictor.translate_all([texts[number] for number in accepted])
    for number, translation in zip(accepted, translations, strict=True):
        confidence = translation.confidence
        results[number] = (
            translation.text,
            "" if confidence is None else round(confidence, 4),
            " ".join(reason for reasons in _warnings(translation, card) for reason in reasons),
        )
    return results


def _publish_api(card, settings):
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
            (reasons not to trust it), risk (the estimated probability that it is poor, None where
            there is no estimate), word_for_word (the dictionary's translation of a doubtful one,
            else None), forms (for another addressee or speaker, as tu or vous), pieces and
            source_pieces (the tokens), attention (a row for each of pieces) and alternatives
            (french, log_probability, score; the best first).
        """
        predictor = _predictors().Predictor.load(network)
        translation = predictor.translate(text, width, penalty)
        translation = predictor.with_forms(translation, width, penalty)
        warnings = _warnings(translation, card)
        return {
            "text": translation.text,
            "confidence": translation.confidence,
            "sentences": [
                _to_dict(sentence, reasons)
                for sentence, reasons in zip(translation.sentences, warnings, strict=True)
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
        return [
            {"french": french, "confidence": None if confidence == "" else confidence, "note": note}
            for french, confidence, note in _translate_rows(texts, network, card)
        ]

    publish(translate)
    publish(translate_batch, max_items=settings.max_rows)


def _to_dict(sentence, warnings):
    """A sentence as the API returns it."""
    best = sentence.hypotheses[0]
    return {
        "english": sentence.source,
        "french": sentence.text,
        "confidence": None if sentence.copied else sentence.confidence,
        "notes": [*warnings, *views.notes(sentence)],
        "risk": sentence.risk,
        "word_for_word": Dictionary.load(FOLDER).translate(sentence.source)
        if sentence.is_doubtful
        else None,
        "forms": list(sentence.forms),
        "pieces": list(best.pieces),
        "source_pieces": list(sentence.pieces),
        "attention": best.attention.astype(float).round(4).tolist(),
        "alternatives": [
            {
                "french": hypothesis.text,
                "log_probability": hypothesis.log_probability,
                "score": hypothesis.score,
            }
            for hypothesis in sentence.hypotheses
        ],
    }
