"""The page: a photograph in, a sentence out, and where the network looked for each word."""

import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

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
from apps.captioning.examples import FIRST
from apps.captioning.views import CELLS
from shared import bundle, images, page, photos, tables
from shared.errors import UserError
from shared.photos import EXAMPLES
from shared.site import guard

TITLE = "Captions"
DESCRIPTION = "A network describes a photo word by word; see where it looks before each word."
SHAPE = "one to many"
FOLDER = bundle.MODELS / "captioning"
CHUNK = 10  # photographs captioned together, between two reports of progress
LOOK = (Path(__file__).parent / "look.js").read_text(encoding="utf-8")
# A walker holds a place until the stream has computed so long, then the next in line gets it.
WALKERS, TURN = 2, 30
CAMERA = {"video": {"width": {"ideal": 640}, "height": {"ideal": 480}, "facingMode": "environment"}}


def _models():
    """The predictor's module, imported on first use because it brings in TensorFlow."""
    from apps.captioning import predictor

    return predictor


def build(tab, settings):
    """The page inside its `gr.Tab`."""
    card = bundle.read_card(FOLDER)
    variants = {name: CELLS[name] for name in CELLS if name in card["variants"]}
    page.html(views.STYLE)
    page.opening(
        "A sentence for a photo",
        "A convolutional network reads your photo as a grid of 49 squares; a recurrent network "
        "writes a sentence, and before each word it looks at the grid again. See where, and how "
        "much.",
    )
    gallery = page.gallery()
    page.html(views.EXAMPLES_NOTE)
    photo = page.photo_box("Your photo")
    example = gr.Textbox(FIRST, visible=False)
    with gr.Row(elem_classes="controls"):
        cell = page.choice([(name, key) for key, name in variants.items()], "lstm", "Cell")
        cell.visible = len(variants) > 1
        # Rendered below, in the section that explains them.
        width = gr.Slider(1, MAX_BEAM_WIDTH, BEAM_WIDTH, step=1, label="Beam width", render=False)
        alpha = gr.Slider(
            0, MAX_LENGTH_PENALTY, LENGTH_PENALTY, step=0.1, label="Length penalty", render=False
        )
        page.link_button(tab, example=example, cell=cell, width=width, penalty=alpha)
    problem = page.html()
    answer = page.html(
        page.note("The network is being loaded. The first answer takes a few seconds.")
    )
    asked, seen = gr.State(), gr.State()  # the settings of the answer above, and its `Seen`
    page.section(
        "Where it looked",
        "Attention: before each word the network weighs the 49 squares, and a gate says how much "
        "of what it finds there counts.",
    )
    sight = page.html(wide=True, script=LOOK)
    page.section(
        "Change one word",
        "Put another word in place of one of these: all that comes after it is written anew.",
    )
    place = page.choice([], None, "Word to change")
    with gr.Row(elem_classes="controls"):
        word = gr.Textbox(label="New word", placeholder="such as woman", max_lines=1, min_width=200)
        change_button = gr.Button("Continue from there", min_width=170)
    refusal = page.html()
    changed = page.html()
    page.section(
        "Hide a region",
        "Click squares of the photo, or reach them with Tab, the arrow keys and Enter: the network "
        "captions the rest, and the words that change are marked.",
    )
    cover = page.html(script=LOOK)
    hidden = page.html()
    page.section(
        "The search",
        "The likeliest next word need not begin the likeliest sentence. Beam search keeps several "
        "beginnings at once; the length penalty makes up for the probability that every further "
        "word costs. Both sliders change the caption above.",
    )
    with gr.Row(elem_classes="controls"):
        width.render()
        alpha.render()
    found = page.html()
    page.section(
        "Drawn, not searched", "Five captions, each word drawn at random by its probability."
    )
    with gr.Row(elem_classes="controls"):
        temperature = gr.Slider(MIN_TEMPERATURE, MAX_TEMPERATURE, 1, step=0.1, label="Temperature")
        draw_button = gr.Button("Draw again", min_width=120)
    seed = gr.State(0)
    drawn = page.html()
    if len(variants) > 1:
        page.section("Cell by cell", "The same photo and the same recipe, another recurrent cell.")
        comparison = page.html(page.note("This appears after the first answer."))
    page.section("Beside what people write", "How good is this one sentence?")
    judged = page.html()
    page.section(
        "How good is it?",
        f"Measured on the {card['test_set']}: {card['examples']:,} photos that were kept out of "
        f"training. The image encoder adds {card['encoder']['parameters']:,} parameters.",
    )
    page.html(views.draw_scores(card) + views.PEOPLE_NOTE, wide=True)
    page.section(
        "Walk",
        "Let it talk while you walk: the webcam is captioned about once a second. A frame goes to "
        "this server, is captioned and dropped; frames that come while it is busy are dropped "
        "unseen. None is written to disk, none is kept.",
    )
    camera = page.Photo(
        sources=["webcam"],
        streaming=True,
        label="Webcam",
        show_label=False,
        height=320,
        buttons=[],
        webcam_options=gr.WebcamOptions(mirror=False, constraints=CAMERA),
    )
    walked = page.html()
    page.section(
        "Many photos at once",
        f"Several photos, or a zip of them: up to {settings.max_rows:,} photos, "
        f"{settings.max_upload_mb} MB per file and "
        f"{settings.max_upload_mb * guard.FILES_AT_ONCE:,} MB together. You get a CSV with a "
        "caption for each; what you sent is deleted after about an hour.",
    )
    upload = gr.File(
        label="Photos",
        show_label=False,
        file_count="multiple",
        file_types=["image", ".zip"],
        height=120,
    )
    progress = page.html()
    download = gr.DownloadButton("Download the captions", visible=False)

    options = [cell, width, alpha]
    said = [
        problem, answer, sight, cover, found, place, changed, refusal, hidden, asked, seen, example,
    ]  # fmt: skip

    def respond(look, cell, width, alpha, step=None):
        """All that follows from a photograph; `look` gives its `Seen` for a predictor."""
        try:
            models = _models()
            models.check_search(width, alpha)
            now = look(models.Predictor.load(cell), width, alpha)
        except (images.ImageError, UserError, bundle.BundleError) as why:
            return page.error(why), *[gr.skip()] * (len(said) - 1)
        number = time.time_ns()  # another one every time, so that what follows does follow
        words = [(word, n) for n, word in enumerate(now.best.words)]
        return (
            "",
            views.draw_answer(now, card, cell),
            views.draw_attention(now, step),
            views.draw_squares(now, number),
            views.draw_beam(now, alpha),
            gr.Radio(words, value=min(1, len(words) - 1) if words else None),
            "",
            "",
            "",
            (number, cell, width, alpha),
            now,
            now.photo.example,
        )

    def respond_to_photo(path, *options):
        def look(*search):
            return _see(photos.Photo.from_upload(path), *search)

        # The photo appears below; the box is free for the next.
        return None, *respond(look, *options)

    def respond_to_example(key, *options, step=None):
        return respond(
            lambda *search: _see(photos.Photo.from_example(key), *search), *options, step
        )

    def chosen(event: gr.EventData, *options):
        return respond_to_example(event.choice if event.choice in EXAMPLES else FIRST, *options)

    def again(seen, *options):
        return respond(lambda *search: _again(seen, *search), *options) if seen else skipped

    skipped = [gr.skip()] * len(said)

    def restore(link):
        key = link.get("example")
        options = (
            link.get("cell") if link.get("cell") in variants else "lstm",
            page.number_of_link(link.get("width"), int, 1, MAX_BEAM_WIDTH, BEAM_WIDTH),
            page.number_of_link(link.get("penalty"), float, 0, MAX_LENGTH_PENALTY, LENGTH_PENALTY),
        )
        step = page.number_of_link(link.get("step"), int, 0, 99, None)
        key = key if key in EXAMPLES else FIRST
        yield *options, *skipped
        yield *[gr.skip()] * len(options), *respond_to_example(key, *options, step=step)

    quiet = {**page.COMPUTE, "show_progress": "hidden"}
    busy = {**page.COMPUTE, "show_progress": "minimal", "show_progress_on": answer}
    photo.upload(respond_to_photo, [photo, *options], [photo, *said], **busy)
    gallery.click(chosen, options, said, **{**busy, **page.IN_TURN})
    gr.on(
        [cell.input, width.input, alpha.input],
        again,
        [seen, *options],
        said,
        **busy,
    )
    page.when_opened(tab, restore, [*options, *said], show_progress="hidden")
    gr.on(
        [change_button.click, word.submit],
        _change,
        [asked, seen, place, word],
        [refusal, changed],
        **quiet,
    )
    cover.select(_hide, [asked, seen], hidden, **{**quiet, **page.IN_TURN})
    asked.change(_draw, [asked, seen, temperature, seed], drawn, **quiet)
    temperature.input(_draw, [asked, seen, temperature, seed], drawn, **quiet)
    draw_button.click(lambda seed: seed + 1, seed, seed, **quiet).then(
        _draw, [asked, seen, temperature, seed], drawn, **quiet
    )
    if len(variants) > 1:
        asked.change(_comparing(variants, card), [asked, seen], comparison, **quiet)
    asked.change(_judge, seen, judged, queue=False, api_visibility="private")
    camera.stream(
        _walk,
        [camera, *options],
        walked,
        stream_every=1,
        time_limit=TURN,
        concurrency_id="walk",
        concurrency_limit=WALKERS,
        show_progress="hidden",
        api_visibility="private",
    )
    upload.upload(
        _captioning(settings),
        [upload, *options],
        [progress, download],
        **{**page.BATCH, "show_progress": "hidden"},
    )
    _api(settings, tuple(variants))


def headline():
    """The score and the baseline's, for the home page."""
    card = bundle.read_card(FOLDER)
    cider = card["variants"]["lstm"]["cider"]
    return (
        f"CIDEr {cider:.2f}",
        f"nearest photo’s caption {card['baselines']['nearest']['cider']:.2f}",
    )


def scores():
    """The networks beside their baselines, for the About page."""
    return views.draw_about(bundle.read_card(FOLDER))


def warm_up():
    """Load the networks, and compile the graph that the first visitor needs."""
    models = _models()
    first, *_ = (models.Predictor.load(cell) for cell in bundle.read_card(FOLDER)["variants"])
    first.describe([EXAMPLES[FIRST].path])


def _see(photo, predictor, width, alpha):
    """The `Seen` of a `Photo`."""
    features = predictor.encode([photo.pixels])
    return views.CaptionedPhoto(
        photo, features, predictor.describe_features(features, width, alpha)[0]
    )


def _again(seen, predictor, width, alpha):
    """The same photograph with other settings."""
    return replace(seen, description=predictor.describe_features(seen.features, width, alpha)[0])


def _change(asked, seen, place, word):
    if not asked:
        return gr.skip(), gr.skip()
    models, (_, cell, width, alpha) = _models(), asked
    try:
        if place is None:
            raise UserError("Choose the word to change first.")
        if not word.strip():
            raise UserError("There is no new word yet. Type one.")
        prefix = (*seen.best.words[:place], *word.split())
        found = models.Predictor.load(cell).describe_features(seen.features, width, alpha, prefix)
    except (UserError, bundle.BundleError) as why:
        return page.error(why), gr.skip()
    return "", views.draw_changed(seen, found[0], place)


def _hide(asked, seen, event: gr.EventData):
    if asked and event.asked != str(asked[0]):
        return gr.skip()  # clicked on the photo before
    if not asked or not event.cells:
        return ""
    models, (_, cell, width, alpha) = _models(), asked
    try:
        predictor = models.Predictor.load(cell)
        features = predictor.encode([seen.photo.pixels], event.cells)
        found = predictor.describe_features(features, width, alpha, hidden=event.cells)
    except (UserError, bundle.BundleError) as why:
        return page.error(why)
    return views.draw_hidden(seen, found[0], event.cells)


def _draw(asked, seen, temperature, seed):
    if not asked:
        return gr.skip()
    models = _models()
    try:
        predictor = models.Predictor.load(asked[1])
        found = predictor.sample(seen.photo.pixels, temperature=temperature, seed=seed)
    except (UserError, bundle.BundleError) as why:
        return page.error(why)
    return views.draw_samples(found, temperature)


def _comparing(variants, card):
    def compare(asked, seen):
        if not asked:
            return gr.skip()
        _, cell, width, alpha = asked
        predictor = _models().Predictor
        captions = {}
        try:
            for name in variants:
                if name == cell:
                    captions[name] = seen.best
                else:
                    other = predictor.load(name)
                    found = other.describe_features(seen.features, width, alpha)
                    captions[name] = found[0].captions[0]
        except bundle.BundleError as why:
            return page.error(why)
        return views.draw_comparison(captions, card)

    return compare


def _judge(seen):
    if not seen:
        return gr.skip()
    example = seen.photo.example
    marks = examples.score_example(seen.best.text, example) if example else (None, None)
    return views.draw_references(seen, *marks)


def _walk(frame, cell, width, alpha):
    if frame is None:
        return gr.skip()
    models, start = _models(), time.perf_counter()
    try:
        found = models.Predictor.load(cell).describe([frame], width, alpha)
    except (images.ImageError, UserError, bundle.BundleError) as why:
        return page.error(why)
    return views.draw_frame_caption(found[0].captions[0], 1000 * (time.perf_counter() - start))


def _captioning(settings):
    largest = settings.max_upload_mb * 2**20

    def run(paths, cell, width, alpha):
        models = _models()
        unread, results, some = set(paths or []), [], []  # archives stay unread
        try:
            items = files.list_photos(paths or [], settings.max_rows)
            models.check_search(width, alpha)
            predictor = models.Predictor.load(cell)
            yield page.progress(0, len(items), "photos captioned"), gr.DownloadButton(visible=False)
            for number, item in enumerate(page.while_open(files.read_photos(items, largest)), 1):
                some.append(item)
                if len(some) == CHUNK or number == len(items):
                    results += _rows(predictor, some, width, alpha)
                    unread.difference_update(content for _, content, _ in some)
                    some = []
                    yield page.progress(number, len(items), "photos captioned"), gr.skip()
            shown, done = views.draw_batch_summary(results), len(results)
            content = tables.text(["file", "caption", "probability", "note"], results)
            yield page.batch_ended(shown, done, len(items), "captions.csv", content)
        except (files.FilesError, UserError, bundle.BundleError) as why:
            yield page.error(why), gr.DownloadButton(visible=False)
        finally:  # of what was read only the pixels are left
            for path in unread:
                with suppress(OSError):  # gone already, or a folder
                    Path(path).unlink()

    return run


def _rows(predictor, items, width, alpha):
    """(name, caption, probability, note) for each (name, content, problem)."""
    rows, pixels = [], []
    for name, content, problem in items:
        try:
            if not problem:
                pixels.append(images.squash(photos.open_upload(content)))
            rows.append([name, "", "", problem])
        except images.ImageError as why:
            rows.append([name, "", "", str(why)])
    readable = [row for row in rows if not row[3]]
    if readable:
        features = predictor.encode(pixels)
        found = predictor.describe_features(features, width, alpha)
        for row, each in zip(readable, found, strict=True):
            row[1:3] = each.text, float(f"{each.captions[0].probability:.4g}")
    return rows


def _api(settings, variants):
    cells = Literal[variants]

    def caption(
        photo: gr.FileData,
        width: int = BEAM_WIDTH,
        penalty: float = LENGTH_PENALTY,
        cell: cells = "lstm",
    ) -> dict:
        """A sentence for a photo, with where the network looked for each word.

        Args:
            photo: A JPEG, PNG, WebP, GIF, BMP or TIFF; with gradio_client, handle_file(path).
            width: Beam width, 1 (greedy) to 8.
            penalty: Exponent of the length penalty, 0 to 2.
            cell: The recurrent cell of the network that writes.

        Returns:
            caption, probability (of this very sentence), words, each (the probability of each
            word, and of the end), gate (how much of what was seen counted for each), attention
            (for each the weights of the 7 by 7 grid, rows from the top), ended (False if it was
            cut off) and alternatives (caption, log_probability, score; the best first).
        """
        models = _models()
        with page.refusals(images.ImageError, UserError, bundle.BundleError):
            picture = photos.open_upload(page.sent_file(photo))
            models.check_search(width, penalty)
            found = models.Predictor.load(cell).describe([picture], width, penalty)[0]
        best = found.captions[0]
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
                for e in found.captions
            ],
        }

    def caption_batch(photos: list[gr.FileData], cell: cells = "lstm") -> list[dict]:
        """A sentence for each of many photos.

        Args:
            photos: Files; with gradio_client, a list of handle_file(path).
            cell: The recurrent cell of the network that writes.

        Returns:
            For each photo caption and probability, or a note that says why it was not read.
        """
        models = _models()
        with page.refusals(UserError, bundle.BundleError):
            if len(photos) > settings.max_rows:
                most = f"At most {settings.max_rows:,} photos are captioned at once."
                raise UserError(most)
            paths = [page.sent_file(photo) for photo in photos]
            predictor, rows = models.Predictor.load(cell), []
            for start in range(0, len(paths), CHUNK):
                some = [("", path, "") for path in paths[start : start + CHUNK]]
                rows += _rows(predictor, some, BEAM_WIDTH, LENGTH_PENALTY)
        return [
            {"note": note} if note else {"caption": text, "probability": sure}
            for _, text, sure, note in rows
        ]

    page.api(caption, concurrency_id="compute", concurrency_limit=2)
    page.api(caption_batch, concurrency_id="batch", concurrency_limit=1)
