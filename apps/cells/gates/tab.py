"""The page of lesson 5: hold the gates of a trained network, and see what its units do."""

import gradio as gr

from apps.cells.gates import views
from apps.cells.knobs import SEED
from shared import bundle
from shared.errors import UserError
from shared.site import components
from shared.site.api import publish
from shared.site.events import QUIET, answer_or_error, set_inputs_on, user_edits
from shared.site.knobs import Knob, read_link
from shared.site.permalinks import locked

TITLE = "Hands on the gates"
LEAD = "Hold a gate of a trained LSTM open or shut, and see what breaks."
PLAY = (
    "MARGARET:\nWhat, is the lamp not lit? The night is long,\nand I have walked, my lord, through "
    "wind and rain\nto bring you news that no one else would bring.\n\nFERRYMAN:\nThen speak. I"
)
ARTICLE = (
    'A "lantern" (from an old word for "light") is a lamp with walls of glass.\n'
    'Sailors called the one at the stern "the widow" (nobody knows why), and\n'
    "it was lit at dusk (in winter at noon) by the youngest of the crew.\n"
)
REVIEW = (
    "For an hour I hated it, the jokes are awful and the plot is a mess. But the last act is "
    "wonderful, and I left the cinema happy."
)
SAMPLES = {"characters": PLAY, "sentiment": REVIEW}  # the text that each network opens with
PRESETS = {"play": ("A play", PLAY), "article": ("An article", ARTICLE)}
MODEL = Knob(
    "model",
    "Network",
    "characters",
    choices={"characters": "Writes, by characters", "sentiment": "Reads film reviews"},
)
MAX_CHARACTERS = 600
TEXT = Knob("text", "Text", PLAY, 0, MAX_CHARACTERS)
WHAT = Knob(
    "what",
    "What is held",
    "forget",
    choices={
        "nothing": "Nothing",
        "forget": "Forget gate",
        "input": "Input gate",
        "output": "Output gate",
        "freeze": "Freeze the memory",
        "silence": "Silence",
    },
)
VALUE = Knob("value", "Value", 0.0, 0, 1, step=0.05)
UNIT = Knob("unit", "Unit (a number, or all)", "all", 0, 6)
AFTER = Knob("after", "Characters or words before the hold", 0, 0, MAX_CHARACTERS)
COUNT = Knob("count", "Characters to write", 100, 0, 500)  # of the API
KNOBS = (MODEL, TEXT, WHAT, VALUE, UNIT, AFTER)
WRITTEN_CHARACTERS = 240
CHARACTERS = bundle.MODELS / "characters"


def _characters():
    """The character network; imported on first use because it brings in TensorFlow."""
    from apps.cells.gates import predictor

    return predictor


def _reviews():
    """The reader of reviews; imported on first use because it brings in TensorFlow."""
    from apps.cells.gates import reviews

    return reviews


def build(page, settings):
    """Builds the lesson on its page."""
    del settings
    card = bundle.read_card(CHARACTERS)
    best_units = {name: card["probes"][name]["units"][0]["unit"] for name in views.FEATURES}
    first_unit = best_units["line of a page"]
    inputs, presets = _build_controls()
    with gr.Row(elem_classes="controls"):
        page.link_button(**inputs)
    results = [components.html(wide=n == 2) for n in range(4)]  # message, answer, chart, table
    seed, continuations = _build_writing_section()
    probe, unit, unit_results = _build_unit_section(card, best_units, first_unit)
    results += [continuations, _build_footer(card)]

    draw, draw_unit = answer_or_error(_draw, results), answer_or_error(_draw_unit, unit_results)

    def show_unit(model, text, unit):
        return [unit, *draw_unit(model, text, unit)]

    def restore(link):
        values = read_link(KNOBS, {"text": SAMPLES[MODEL.from_link(link.get("model"))], **link})
        model, text = values["model"], values["text"]
        return [
            *locked(link, **values),
            *draw(*values.values(), 0),
            *draw_unit(model, text, first_unit),
        ]

    values = [inputs[knob.name] for knob in KNOBS]
    model, text, what, value, which, after = values
    chosen = (
        set_inputs_on(model.input, model, lambda model: [SAMPLES[model]], [text], **QUIET),
        set_inputs_on(
            presets.click,
            presets,
            lambda sample: ["characters", PRESETS[sample[0]][1]],
            [model, text],
            **QUIET,
        ),
    )
    edits = [text.submit, text.blur, what.input, value.release, which.submit, which.blur]
    edits += [after.input, seed.input]
    gr.on([*edits, *chosen], draw, [*values, seed], results, **QUIET)
    gr.on(
        [*user_edits([unit, text]), *chosen], draw_unit, [model, text, unit], unit_results, **QUIET
    )
    probe.input(show_unit, [model, text, probe], [unit, *unit_results], **QUIET)
    page.on_open(restore, [*values, *results, *unit_results], **QUIET)
    _publish_api()


def scores():
    """The lines of the About page: the network beside its baseline."""
    return views.scores(bundle.read_card(CHARACTERS))


def _build_controls():
    """The inputs by their names, and the presets."""
    inputs = {
        "model": MODEL.choice(),
        "text": TEXT.text(lines=4, max_lines=10),
    }
    presets = components.presets([(name, key) for key, (name, _) in PRESETS.items()])
    inputs["what"] = WHAT.choice(label="Hold")
    with gr.Row(elem_classes="controls"):
        inputs["value"] = VALUE.slider(label="Hold it at", min_width=200)
        inputs["unit"] = UNIT.text(max_length=None, min_width=180)
        inputs["after"] = AFTER.number(label=AFTER.label, min_width=180)
    return inputs, presets


def _build_writing_section():
    """The input of the seed, and the output of the continuations."""
    components.section(
        "What it writes then",
        "The network continues your text, once with free gates and once with the gate held.",
    )
    return SEED.number(label="Seed", min_width=120), components.html()


def _build_unit_section(card, best_units, first_unit):
    """The inputs of the probe and of the unit, and the outputs: message and figure."""
    components.section(
        "What does a unit do?",
        "Some units follow a property that a reader can see too. They were found by probing: the "
        "unit whose cell state tells best whether a character has the property.",
    )
    units = card["variants"]["lstm"]["network"]["units"]
    with gr.Row(elem_classes="controls"):
        probe = gr.Dropdown(
            [
                (f"{name[0].upper() + name[1:]}: unit {unit}", unit)
                for name, unit in best_units.items()
            ],
            value=first_unit,
            label="Found by probing",
            min_width=260,
        )
        unit = gr.Number(first_unit, label=f"Unit, 0 to {units - 1}", min_width=120)
    outputs = [components.html(), components.html(wide=True)]
    with gr.Accordion("The properties, and how well a unit follows each", open=False):
        components.html(views.probes(card))
    return probe, unit, outputs


def _build_footer(card):
    """The line of scores; returns the output of the code."""
    details, baseline = card["variants"]["lstm"], card["baseline"]
    score, baseline_score = details["nats_per_character"], baseline["nats_per_character"]
    components.html(
        components.score_line(
            card,
            "LSTM",
            f"{score:.3f}",
            f"{baseline_score:.3f}",
            details["parameters"],
            "nats per character (lower is better)",
            "The baseline is the better of the two." if baseline_score < score else "",
        )
    )
    with gr.Accordion("The code that just ran", open=False):
        return components.html()


def _make_hold(what, value, unit, units):
    """The `Hold` of what the knobs say, for a layer of so many units."""
    from apps.cells.gates.holds import Hold

    unit = str(unit).strip().lower()
    number = None if unit in ("", "all") else Knob("unit", "Unit", 0, 0, units - 1).check(unit)
    return Hold(WHAT.check(what), VALUE.check(value), number)


def _check_text(text):
    if not isinstance(text, str) or len(text) < 2:
        raise UserError("There is nothing to read yet. Type at least two characters.")
    return TEXT.check(text)


def _draw(model, text, what, value, unit, after, seed):
    """Answer, chart, next characters, continuations and code."""
    text, after, seed = _check_text(text), AFTER.check(after), SEED.check(seed)
    draw = _draw_review if MODEL.check(model) == "sentiment" else _draw_characters
    return draw(text, (what, value, unit), after, seed)


def _draw_review(text, hold, after, seed):
    reviews = _reviews()
    reader = reviews.ReviewReader.load()
    hold = _make_hold(*hold, reader.units)
    words, free = reader.read(text)
    after = min(after, len(words) - 1)
    _, held = reader.read(text, hold, after)
    answer, chart = views.sentiment(words, free, held, hold, after)
    note = components.note("Only the network that reads characters can write. Choose it above.")
    return answer, chart, "", note, components.code_block(reviews.write_listing(text, hold, after))


def _draw_characters(text, hold, after, seed):
    characters = _characters()
    predictor = characters.Predictor.load()
    hold = _make_hold(*hold, predictor.units)
    after = min(after, len(text) - 1)
    free, held = predictor.read(text), predictor.read(text, hold, after)
    return (
        views.characters_answer(free, held, hold),
        views.surprisals(free, held, hold, after),
        views.next_characters(free, held, hold),
        views.continuations(
            predictor.write(free, WRITTEN_CHARACTERS, seed=seed),
            predictor.write(held, WRITTEN_CHARACTERS, hold, seed=seed),
            hold,
        ),
        components.code_block(characters.write_listing(text, hold, after)),
    )


def _draw_unit(model, text, unit):
    """The cell state of a unit on a text and on what the network writes after it."""
    predictor = _characters().Predictor.load()
    number = Knob("unit", "Unit", 0, 0, predictor.units - 1).check(unit)
    text = _check_text(ARTICLE if model == "sentiment" else text)
    continuation = predictor.write(predictor.read(text), 2 * WRITTEN_CHARACTERS, seed=1)
    texts = [("Your text", text), ("The network’s continuation", continuation)]
    states = predictor.trace(text + continuation)["cell"][:, number]
    cut = len(text)
    return [views.unit(number, texts, [states[:cut], states[cut:]], predictor.card["probes"])]


def _publish_api():
    def cells_hold(
        text: str,
        what: WHAT.annotation = WHAT.default,
        value: VALUE.annotation = VALUE.default,
        unit: str = "all",
        after: int = 0,
        count: COUNT.annotation = COUNT.default,
        seed: SEED.annotation = 0,
    ) -> dict:
        """Read a text with the character LSTM while one of its gates is held.

        Args:
            text: From 2 to 600 characters.
            what: The gate that is held; freeze holds the cell state; silence the hidden state.
            value: The value at which the gate is held, from 0 to 1.
            unit: all, or the number of one unit.
            after: Number of characters that are read before the hold begins.
            count: Characters to write, from 0 to 500.
            seed: Seed of the random numbers.

        Returns:
            nats (mean surprisal per character) and held_nats, following and held_following (the
            likeliest next characters with their probabilities), written and held_written.
        """
        predictor, text = _characters().Predictor.load(), _check_text(text)
        hold = _make_hold(what, value, unit, predictor.units)
        after = Knob("after", "after", 0, 0, len(text) - 1).check(after)
        free, held = predictor.read(text), predictor.read(text, hold, after)
        return {
            "nats": float(free.surprisals.mean()),
            "held_nats": float(held.surprisals.mean()),
            "following": dict(free.next_characters),
            "held_following": dict(held.next_characters),
            "written": predictor.write(free, count, seed=seed),
            "held_written": predictor.write(held, count, hold, seed=seed),
        }

    publish(cells_hold)
