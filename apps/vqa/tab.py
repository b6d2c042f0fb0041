"""The page: a photo and a question in, an answer out, and how much of it comes from the photo."""

from functools import partial
from typing import Literal

import gradio as gr

from apps.vqa import examples, views
from apps.vqa.examples import FIRST, PAIRS
from shared import bundle
from shared.errors import UserError
from shared.photos import Photo
from shared.plots import percent
from shared.site import components
from shared.site.api import publish
from shared.site.batch import TABLE_TYPES, BatchJob, BatchSection, append_columns, read_table
from shared.site.events import COMPUTE, IN_ORDER, QUIET
from shared.site.knobs import Knob
from shared.site.photo_input import PhotoInput
from shared.site.uploads import sent_file
from shared.text import clean

TITLE = "Ask a photo"
DESCRIPTION = (
    "Ask a question about a photo; see the five likeliest answers and where the network looks."
)
SHAPE = "image and sequence to one"
FOLDER = bundle.MODELS / "vqa"
OTHER_EXAMPLES = ("bus", "lion")  # the photo to compare with, until a visitor chooses another
HISTORY_LENGTH = 6  # earlier questions shown

Cell = Literal["lstm", "gru", "rnn"]


def _predictors():
    """The class of predictors, imported on first use because it brings in TensorFlow."""
    from apps.vqa.predictor import Predictor

    return Predictor


def build(page, settings):
    """Build the page."""
    card = bundle.read_card(FOLDER)
    components.page_title(
        "Ask about a photo",
        "A recurrent network reads your question, attends to the photo and picks one of "
        f"{card['answers']} answers. See where it looked, and how much of the answer it would give "
        "without looking.",
    )
    encoded, answered = gr.State(), gr.State()  # an EncodedPhoto and an AnsweredQuestion
    question = _QuestionSection(page, card, encoded, answered)
    opened = question.connect()
    _build_photo_effect(card, encoded, answered)
    _build_comparison(card, encoded, answered)
    _build_pairs(question.cell, opened)
    components.section(
        "How good is it?",
        f"Measured on {card['examples']:,} {card['test_set']}, about photos that the networks "
        "never saw.",
    )
    components.html(views.draw_scores(card), wide=True)
    components.html(views.describe_scores(card))
    _build_batch(settings, encoded, question.cell)
    publish(ask)
    publish(ask_batch, max_items=settings.max_rows)


class _QuestionSection:
    """Photo and question side by side with the answer; below them the details of the answer."""

    def __init__(self, page, card, encoded, answered):
        self.page, self.card, self.encoded, self.answered = page, card, encoded, answered
        cells = {key: name for key, name in views.CELLS.items() if key in card["variants"]}
        self.cell_knob = Knob("cell", "Cell", "lstm", choices=cells)
        with gr.Row(elem_classes=["wide", "photo-row"]):
            with gr.Column(min_width=0):
                self.view = components.html()
            with gr.Column(min_width=0):
                self.photo = PhotoInput(FIRST)
            with gr.Column(min_width=0):
                self._build_question()
        self.details = components.html()
        components.section(
            "Where it looked",
            "The question, read to its end, weights the 49 squares of the photo by attention. The "
            "attended features give one half of the answer; the words of the question in any "
            "order, with the mean of the whole photo, give the other half.",
        )
        self.attention = components.html()

    def _build_question(self):
        self.question = gr.Textbox(
            examples.suggest_questions(FIRST)[0],
            label="Your question, in English",
            placeholder="such as What is in the photo?",
            max_lines=3,
        )
        self.suggestions = components.html(_suggest(FIRST), script=components.SELECT_SCRIPT)
        with gr.Row(elem_classes="controls"):
            self.cell = self.cell_knob.choice()
            self.button = gr.Button("Ask", variant="primary", min_width=100)
            link = self.page.link_button(
                example=self.photo.example, question=self.question, cell=self.cell
            )
        self.photo.explain_link(link)
        self.problem = components.html()
        self.answer = components.html(components.LOADING)

    def connect(self):
        """Connect the events; returns the one of the opened page."""
        question, cell = self.question, self.cell
        outputs = [
            *(self.problem, self.view, self.answer, self.details, self.attention),
            *(self.suggestions, self.encoded, self.answered, self.photo.example),
        ]
        earlier = [self.encoded, self.answered]
        busy = {**COMPUTE, "show_progress": "minimal", "show_progress_on": self.answer}
        self.photo.on_choose(self._respond_to_photo, [question, cell], [question, *outputs], **busy)
        self.suggestions.click(
            self._respond_to_suggestion,
            [*earlier, cell],
            [question, *outputs],
            **{**busy, **IN_ORDER},
        )
        gr.on(
            [self.button.click, question.submit, cell.input],
            self._respond_to_question,
            [*earlier, question, cell],
            outputs,
            **busy,
        )
        return self.page.on_open(self._open, [cell, question, *outputs], show_progress="hidden")

    def _open(self, link):
        load = self.photo.loader(link.get("example"))
        cell = self.cell_knob.from_link(link.get("cell"))
        question = link.get("question") or examples.suggest_questions(load.args[0])[0]
        yield cell, question, *[gr.skip()] * 9
        yield gr.skip(), *self._respond_to_photo(load, question, cell)

    def _respond_to_photo(self, load, question, cell):
        try:
            encoded = _encode(load())
        except UserError as error:
            return gr.skip(), components.error(error), *[gr.skip()] * 8
        question = examples.question_for(encoded.photo.example, question)
        try:
            answered = views.AnsweredQuestion(cell, _reply(encoded, question, cell))
        except UserError as error:  # the photo is there for the next question
            answered = None
            problem, shown = components.error(error), (views.draw_prompt(), "", "")
        else:
            problem, shown = "", self._draw(encoded, answered)
        key = encoded.photo.example
        view = views.draw_view(encoded)
        return question, problem, view, *shown, _suggest(key), encoded, answered, key

    def _respond_to_question(self, encoded, answered, question, cell):
        """Another question about the same photo, or the same question to another network."""
        if encoded is None:
            return [gr.skip()] * 9
        history = answered.history if answered else ()
        if answered and answered.reply.question != clean(question):
            history += ((answered.reply.question, views.format_answer(answered.reply)),)
        try:
            reply = _reply(encoded, question, cell)
        except UserError as error:
            return components.error(error), *[gr.skip()] * 8
        answered = views.AnsweredQuestion(cell, reply, history[-HISTORY_LENGTH:])
        shown = self._draw(encoded, answered)
        return "", gr.skip(), *shown, gr.skip(), gr.skip(), answered, gr.skip()

    def _respond_to_suggestion(self, encoded, answered, cell, event: gr.EventData):
        question = str(event.choice)
        return question, *self._respond_to_question(encoded, answered, question, cell)

    def _draw(self, encoded, answered):
        return (
            views.draw_answer(answered, self.card),
            views.draw_details(encoded, answered, self.card),
            views.draw_attention(encoded, answered),
        )


def _build_photo_effect(card, encoded, answered):
    """The section that asks again with the photo greyed out and with another photo."""
    components.section("How much did it look?", views.describe_prior(card))
    effect = components.html(components.NO_ANSWER_YET)
    other = gr.State()  # an EncodedPhoto, or None
    with gr.Accordion("Choose the other photo", open=False):
        photo = PhotoInput(FIRST, "Another photo")
        problem = components.html()

    def choose(load):
        try:
            return "", _encode(load())
        except UserError as error:
            return components.error(error), gr.skip()

    @components.explain_errors
    def compare(encoded, answered, other):
        if not answered:
            return ""
        if not other:
            keys = [key for key in OTHER_EXAMPLES if key != encoded.photo.example]
            other = _encode(Photo.from_example(keys[0]))
        reply = _reply(encoded, answered.reply.question, answered.cell, other)
        return views.draw_photo_effect(encoded, other, answered, reply)

    photo.on_choose(choose, [], [problem, other], **QUIET)
    gr.on([answered.change, other.change], compare, [encoded, answered, other], effect, **QUIET)


def _build_comparison(card, encoded, answered):
    """The section with the answers of all networks."""
    components.section(
        "Side by side",
        "The same question to every network: three that read it in order and see the photo, one "
        "that only adds up the words, and one that does not see the photo.",
    )
    comparison = components.html(components.NO_ANSWER_YET)

    @components.explain_errors
    def compare(encoded, answered):
        if not answered:
            return ""
        replies = {
            name: answered.reply
            if name == answered.cell
            else _reply(encoded, answered.reply.question, name)
            for name in views.NETWORKS
            if name in card["variants"]
        }
        return views.draw_comparison(replies, card)

    answered.change(compare, [encoded, answered], comparison, **QUIET)


def _build_pairs(cell, opened):
    """The section with pairs of photos for which the answers differ."""
    components.section(
        "Pairs",
        "Two photos and one question: a network that uses the photo has to give two answers. For a "
        "pair of your own, ask above and choose the other photo there.",
    )
    presets = components.presets([(text, key) for key, (text, *_) in PAIRS.items()], "Question")
    key = gr.State(next(iter(PAIRS)))
    pair = components.html()

    @components.explain_errors
    def answer(key, cell):
        question, *keys = PAIRS[key]
        one, other = (_encode(Photo.from_example(key)) for key in keys)
        reply = _reply(one, question, cell, other)
        return views.draw_pair(question, one.photo, other.photo, reply)

    opened.then(answer, [key, cell], pair, **QUIET)
    presets.click(lambda picked: picked[0], presets, key, **QUIET)
    gr.on([key.change, cell.input], answer, [key, cell], pair, **QUIET)


def _build_batch(settings, encoded, cell):
    """The section that answers a file of questions."""
    section = BatchSection(
        "Many questions at once",
        "A CSV or JSON Lines with a column named question about the photo above, up to "
        f"{settings.max_rows:,} rows and {settings.max_upload_mb} MB. You get it back with an "
        "answer for each row.",
        TABLE_TYPES,
        "Download the answers",
    )
    section.answer_with(partial(_prepare_batch, settings), [encoded, cell])


def _prepare_batch(settings, path, chosen, encoded, cell):
    questions = read_table(path, settings.max_rows, chosen, "question")
    if not encoded:
        raise UserError("There is no photo yet. Choose or upload one above.")
    return BatchJob(
        questions,
        partial(_answer_rows, _predictors().load(cell), encoded.grid),
        partial(views.draw_batch_summary, questions.items),
        append_columns(questions.table, ["answer", "probability", "note"], "answers.csv"),
        "questions answered",
        chunk_size=256,
    )


def headline():
    """The score and the baseline's, for the home page."""
    card = bundle.read_card(FOLDER)
    accuracy, baseline = (card["variants"][name]["accuracy"] for name in ("lstm", "blind"))
    return f"{percent(accuracy, 1)} of questions right", f"without the photo {percent(baseline, 1)}"


def scores():
    """The networks beside their baselines, for the About page."""
    return views.draw_about(bundle.read_card(FOLDER))


def warm_up():
    """Load the networks and compile the graphs that the first visitor needs."""
    encoded = _encode(Photo.from_example(FIRST))
    for name in bundle.read_card(FOLDER)["variants"]:
        _reply(encoded, examples.suggest_questions(FIRST)[0], name)


def _suggest(example):
    return components.choice_buttons(examples.suggest_questions(example), "Questions to try")


def _encode(photo):
    """The `EncodedPhoto` of a `Photo`; all variants read the same features."""
    return views.EncodedPhoto(photo, _predictors().load().encode_photo(photo.pixels))


def _reply(encoded, question, cell, other=None):
    """The `Reply` of a variant, with the photo greyed out or another one as its reference."""
    reference = other.grid if other else _predictors().load().encode_grey()
    return _predictors().load(cell).reply(encoded.grid, question, reference)


def _answer_rows(predictor, grid, questions):
    """(answer, probability, note) for each question; only a note if it cannot be answered."""
    rows = []
    for result in predictor.answer_each(grid, questions):
        if isinstance(result, UserError):
            rows.append(("", "", str(result)))
        else:
            answer, is_confident = result
            note = "" if is_confident else views.LOW_CONFIDENCE
            rows.append((answer.text, round(answer.probability, 4), note))
    return rows


def ask(photo: gr.FileData, question: str, cell: Cell = "lstm") -> dict:
    """An answer to a question about a photo, with where the network looked.

    Args:
        photo: A JPEG, PNG, WebP, GIF, BMP or TIFF; with gradio_client, handle_file(path).
        question: In English, at most 500 characters.
        cell: The network that answers: lstm, gru or rnn.

    Returns:
        answer, sure (False if it is better not relied on), probability, answers (the best
        five: text, probability), greyed (the best five with the photo greyed out), looked (the
        share of probability that moves to other answers when it is, 0 to 1), attention (the
        weights of the 7 by 7 grid, rows from the top), words (text, known, importance: how
        much the answer's log-probability falls without it) and notes.
    """
    reply = _reply(_encode(Photo.from_upload(sent_file(photo))), question, cell)
    return {
        "answer": reply.text,
        "sure": reply.is_confident,
        "probability": reply.answers[0].probability,
        "answers": [vars(each) for each in reply.answers],
        "greyed": [vars(each) for each in reply.reference_answers],
        "looked": reply.photo_effect,
        "attention": reply.attention.astype(float).round(4).tolist(),
        "words": [
            {"text": w.text, "known": w.is_known, "importance": round(w.importance, 4)}
            for w in reply.words
        ],
        "notes": views.describe_question(reply),
    }


def ask_batch(photo: gr.FileData, questions: list[str], cell: Cell = "lstm") -> list[dict]:
    """Answers to many questions about one photo.

    Args:
        photo: A file; with gradio_client, handle_file(path).
        questions: In English.
        cell: lstm, gru or rnn.

    Returns:
        For each question answer, probability and a note, which is "" if there is nothing to
        say; or only a note that says why it was not answered.
    """
    encoded = _encode(Photo.from_upload(sent_file(photo)))
    rows = _answer_rows(_predictors().load(cell), encoded.grid, questions)
    return [
        {"answer": text, "probability": value, "note": note} if text else {"note": note}
        for text, value, note in rows
    ]
