"""The page: a photograph and a question in, an answer out, and how much of it was looking."""

from typing import Literal

import gradio as gr

from apps.vqa import examples, views
from apps.vqa.examples import FIRST, PAIRS
from apps.vqa.views import CELLS
from shared import bundle, images, page, photos, tables
from shared.errors import UserError
from shared.photos import EXAMPLES
from shared.text import clean

TITLE = "Ask a photo"
DESCRIPTION = (
    "Ask a question about a photo; see the five likeliest answers and where the network looks."
)
SHAPE = "image and sequence to one"
FOLDER = bundle.MODELS / "vqa"
OTHER = "bus"  # what stands beside a photograph until another is chosen
EYES = "lstm"  # all variants see the same of a photograph: one of them looks for all
CHUNK = 256  # questions answered together, between two reports of progress
KEPT = 6  # earlier questions told


def _models():
    """The predictor's module, imported on first use because it brings in TensorFlow."""
    from apps.vqa import predictor

    return predictor


def build(tab, settings):
    """The page inside its `gr.Tab`."""
    card = bundle.read_card(FOLDER)
    variants = {name: CELLS[name] for name in CELLS if name in card["variants"]}
    page.html(views.STYLE)
    page.opening(
        "Ask about a photo",
        "A recurrent network reads your question, looks at the photo with it in mind and picks one "
        f"of {card['answers']} answers. See where it looked, and how much of the answer is no more "
        "than a habit of language.",
    )
    gallery = page.gallery()
    photo = page.photo_box("Your photo")
    example = gr.Textbox(FIRST, visible=False)
    question = gr.Textbox(
        examples.suggest_questions(FIRST)[0],
        label="Your question, in English",
        placeholder="such as What is in the photo?",
        max_lines=3,
    )
    suggested = page.html(_suggestions(FIRST), script=page.CHOOSE)
    with gr.Row(elem_classes="controls"):
        cell = page.choice([(name, key) for key, name in variants.items()], EYES, "Cell")
        ask_button = gr.Button("Ask", variant="primary", min_width=120)
        page.link_button(tab, example=example, question=question, cell=cell)
    problem = page.html()
    answer = page.html(
        page.note("The network is being loaded. The first answer takes a few seconds.")
    )
    seen, asked, other = gr.State(), gr.State(), gr.State()
    page.section(
        "Where it looked",
        "Attention: the question, read to its end, weighs the 49 squares of the photo. What it "
        "finds gives one half of the answer; the bag of the question's words beside the whole "
        "photo gives the other.",
    )
    sight = page.html()
    page.section("How much did it look?", views.describe_prior(card))
    habit = page.html(page.note("This appears after the first answer."))
    with gr.Accordion("Choose the other photo", open=False):
        other_gallery = page.gallery()
        other_photo = page.photo_box("Another photo")
        other_problem = page.html()
    page.section(
        "Side by side",
        "The same question to every network: those that look, one that is blind, and one that "
        "only adds up the words.",
    )
    comparison = page.html(page.note("This appears after the first answer."))
    page.section(
        "Pairs",
        "Two photos, one question: a network that looks has to give two answers. For a pair of "
        "your own, ask above and choose the other photo there.",
    )
    pairs = page.tries([(text, key) for key, (text, *_) in PAIRS.items()], "Question")
    pair_key = gr.State(next(iter(PAIRS)))
    pair = page.html()
    page.section(
        "How good is it?",
        f"Measured on {card['examples']:,} {card['test_set']}, about photos that the networks "
        "never saw.",
    )
    page.html(views.draw_scores(card), wide=True)
    page.html(views.describe_scores(card))
    page.section(
        "Many questions at once",
        f"A CSV with a column named question about the photo above, up to {settings.max_rows:,} "
        f"rows and {settings.max_upload_mb} MB. You get it back with an answer for each row.",
    )
    upload = gr.File(label="CSV", show_label=False, file_types=[".csv"], height=120)
    progress = page.html()
    download = gr.DownloadButton("Download the answers", visible=False)

    said = [problem, answer, sight, suggested, seen, asked, example]
    skipped = [gr.skip()] * len(said)

    def respond(now, text, cell, before=None):
        """All that follows from a photograph and a question; `before` is None for a new one."""
        key = now.photo.example
        try:
            reply = _reply(now, text, cell)
        except (UserError, bundle.BundleError) as why:
            if before is not None:
                return page.error(why), *skipped[1:]
            return page.error(why), views.draw_prompt(now), "", _suggestions(key), now, None, key
        answered = views.AnsweredQuestion(cell, reply, tuple(before or ())[-KEPT:])
        found = views.draw_answer(now, answered, card), views.draw_attention(now, answered)
        return "", *found, _suggestions(key), now, answered, key

    def respond_to_photo(path, text, cell):
        text = examples.question_for("", text)
        try:
            now = _see(photos.Photo.from_upload(path))
        except (images.ImageError, bundle.BundleError) as why:
            return None, gr.skip(), page.error(why), *skipped[1:]
        # The photo appears below; the box is free for the next.
        return None, text, *respond(now, text, cell)

    def respond_to_example(key, text, cell):
        try:
            now = _see(photos.Photo.from_example(key))
        except bundle.BundleError as why:
            return text, page.error(why), *skipped[1:]
        return text, *respond(now, text, cell)

    def chosen(text, cell, event: gr.EventData):
        key = _example(event)
        return respond_to_example(key, examples.question_for(key, text), cell)

    def again(seen, asked, text, cell):
        """A further question about the same photograph, or the same to another network."""
        if not seen:
            return skipped
        before = asked.history if asked else ()
        if asked and asked.reply.question != clean(text):
            before = *before, (asked.reply.question, views.format_answer(asked.reply))
        return respond(seen, text, cell, before)

    def take(seen, asked, cell, event: gr.EventData):
        text = str(event.choice)
        return text, *again(seen, asked, text, cell)

    def restore(link):
        key = link.get("example") if link.get("example") in EXAMPLES else FIRST
        variant = link.get("cell") if link.get("cell") in variants else EYES
        text = link.get("question") or examples.suggest_questions(key)[0]
        yield variant, text, *skipped
        _, *reply = respond_to_example(key, text, variant)
        yield gr.skip(), gr.skip(), *reply

    busy = {**page.COMPUTE, "show_progress": "minimal", "show_progress_on": answer}
    quiet = {**page.COMPUTE, "show_progress": "hidden"}
    photo.upload(respond_to_photo, [photo, question, cell], [photo, question, *said], **busy)
    gallery.click(chosen, [question, cell], [question, *said], **{**busy, **page.IN_TURN})
    suggested.click(take, [seen, asked, cell], [question, *said], **{**busy, **page.IN_TURN})
    gr.on(
        [ask_button.click, question.submit, cell.input],
        again,
        [seen, asked, question, cell],
        said,
        **busy,
    )
    opened = page.when_opened(tab, restore, [cell, question, *said], show_progress="hidden")
    opened.then(_pair, [pair_key, cell], pair, **quiet)
    gr.on([asked.change, other.change], _swap, [asked, seen, other], habit, **quiet)
    other_gallery.click(_choose_other, None, [other_problem, other], **{**quiet, **page.IN_TURN})
    other_photo.upload(_take_other, other_photo, [other_photo, other_problem, other], **quiet)
    asked.change(_comparing(card), [asked, seen], comparison, **quiet)
    pairs.click(lambda picked: picked[0], pairs, pair_key, **quiet)
    gr.on([pair_key.change, cell.input], _pair, [pair_key, cell], pair, **quiet)
    upload.upload(
        _answering(settings),
        [upload, seen, cell],
        [progress, download],
        **{**page.BATCH, "show_progress": "hidden"},
    )
    _api(settings)


def headline():
    """The score and the baseline's, for the home page."""
    card = bundle.read_card(FOLDER)
    accuracy, baseline = card["variants"]["lstm"]["accuracy"], card["baselines"]["majority"]
    return f"{accuracy:.1%} of answers right", f"most frequent answer {baseline['accuracy']:.1%}"


def scores():
    """The networks beside their baselines, for the About page."""
    return views.draw_about(bundle.read_card(FOLDER))


def warm_up():
    """Load the networks and compile the graphs that the first visitor needs."""
    now = _see(photos.Photo.from_example(FIRST))
    for name in bundle.read_card(FOLDER)["variants"]:
        _reply(now, examples.suggest_questions(FIRST)[0], name)


def _suggestions(example):
    return page.choices(examples.suggest_questions(example), "Questions to try")


def _example(event):
    return event.choice if event.choice in EXAMPLES else FIRST


def _see(photo):
    """The `Seen` of a `Photo`."""
    return views.EncodedPhoto(photo, _models().Predictor.load(EYES).encode_photo(photo.pixels))


def _reply(seen, question, cell, other=None):
    """The `Reply` of a variant, compared with a photograph greyed out or with another `Seen`."""
    predictor = _models().Predictor
    beside = other.grid if other else predictor.load(EYES).encode_grey()
    return predictor.load(cell).reply(seen.grid, question, beside)


def _choose_other(event: gr.EventData):
    try:
        return "", _see(photos.Photo.from_example(_example(event)))
    except bundle.BundleError as why:
        return page.error(why), gr.skip()


def _take_other(path):
    try:
        return None, "", _see(photos.Photo.from_upload(path))
    except (images.ImageError, bundle.BundleError) as why:
        return None, page.error(why), gr.skip()


def _swap(asked, seen, other):
    if not asked:
        return ""
    try:
        if not other:
            beside = OTHER if seen.photo.example != OTHER else FIRST
            other = _see(photos.Photo.from_example(beside))
        swapped = _reply(seen, asked.reply.question, asked.cell, other)
    except bundle.BundleError as why:
        return page.error(why)
    return views.draw_photo_effect(seen, other, asked, swapped)


def _comparing(card):
    def compare(asked, seen):
        if not asked:
            return ""
        replies = {}
        try:
            for name in views.NETWORKS:
                if name in card["variants"]:
                    mine = name == asked.cell
                    replies[name] = (
                        asked.reply if mine else _reply(seen, asked.reply.question, name)
                    )
        except bundle.BundleError as why:
            return page.error(why)
        return views.draw_comparison(replies, card)

    return compare


def _pair(key, cell):
    question, *keys = PAIRS[key]
    try:
        one, other = (_see(photos.Photo.from_example(key)) for key in keys)
        reply = _reply(one, question, cell, other)
    except bundle.BundleError as why:
        return page.error(why)
    return views.draw_pair(question, one.photo, other.photo, reply)


def _answering(settings):
    def answer(path, seen, cell):
        try:
            table = tables.read(path, settings.max_rows)
            column = tables.text_column(table, "question")
            if not seen:
                raise images.ImageError("There is no photo yet. Choose or upload one above.")
            predictor = _models().Predictor.load(cell)
        except (tables.TableError, images.ImageError, bundle.BundleError) as why:
            yield page.error(why), gr.DownloadButton(visible=False)
            return
        questions, results = table.column(column), []
        for start in page.while_open(range(0, len(questions), CHUNK)):
            yield page.progress(start, len(questions), "questions answered"), gr.skip()
            results += _rows(predictor, seen.grid, questions[start : start + CHUNK])
        done = len(results)
        shown = views.draw_batch_summary(table.columns[column], questions[:done], results)
        columns = [*table.columns, "answer", "probability", "note"]
        rows = [row + list(r) for row, r in zip(table.rows[:done], results, strict=True)]
        content = tables.text(columns, rows)
        yield page.batch_ended(shown, done, len(questions), "answers.csv", content)

    return answer


def _rows(predictor, grid, questions):
    """(answer, probability, note) for each question; one that cannot be read has only a note."""
    return [
        ("", "", str(result))
        if isinstance(result, UserError)
        else (
            result[0].text,
            round(result[0].probability, 4),
            "" if result[1] else views.LOW_CONFIDENCE,
        )
        for result in predictor.answer_each(grid, questions)
    ]


def _api(settings):
    cells = Literal["lstm", "gru", "rnn"]

    def ask(photo: gr.FileData, question: str, cell: cells = "lstm") -> dict:
        """An answer to a question about a photo, with where the network looked.

        Args:
            photo: A JPEG, PNG, WebP, GIF, BMP or TIFF; with gradio_client, handle_file(path).
            question: In English, at most 500 characters.
            cell: The network that answers: lstm, gru or rnn.

        Returns:
            answer, sure (False where it had better say that it does not know), probability,
            answers (the best five: text, probability), greyed (the best five with the photo
            greyed out), looked (the share of probability that moves when it is, 0 to 1),
            attention (the weights of the 7 by 7 grid, rows from the top), words (text, known,
            importance: the fall of the answer's log-probability without it) and notes.
        """
        with page.refusals(images.ImageError, UserError, bundle.BundleError):
            seen = _see(photos.Photo.from_upload(page.sent_file(photo)))
            reply = _reply(seen, question, cell)
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

    def ask_batch(photo: gr.FileData, questions: list[str], cell: cells = "lstm") -> list[dict]:
        """An answer to each of many questions about one photo.

        Args:
            photo: A file; with gradio_client, handle_file(path).
            questions: In English.
            cell: lstm, gru or rnn.

        Returns:
            For each question answer, probability and a note, "" where there is nothing to say; or
            only a note that says why it was not answered.
        """
        models = _models()
        with page.refusals(images.ImageError, UserError, bundle.BundleError):
            if len(questions) > settings.max_rows:
                most = f"At most {settings.max_rows:,} questions are answered at once."
                raise UserError(most)
            seen = _see(photos.Photo.from_upload(page.sent_file(photo)))
            rows = _rows(models.Predictor.load(cell), seen.grid, questions)
        return [
            {"answer": text, "probability": sure, "note": note} if text else {"note": note}
            for text, sure, note in rows
        ]

    page.api(ask, concurrency_id="compute", concurrency_limit=2)
    page.api(ask_batch, concurrency_id="batch", concurrency_limit=1)
