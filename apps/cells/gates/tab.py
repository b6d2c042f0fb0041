"""The page of lesson 5: hold the gates of a trained network, and look for what its units do."""

from typing import Literal

import gradio as gr

from apps.cells.gates import views
from apps.cells.knobs import KnobError, number, one_of, whole
from shared import bundle, page

TITLE = "Hands on the gates"
LEAD = (
    "Here are two trained LSTMs whose gates you may hold: what a gate is good for shows when it "
    "can no longer do it."
)
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
TEXTS = {"characters": PLAY, "sentiment": REVIEW}
EXAMPLES = {"play": PLAY, "article": ARTICLE}
LONGEST, WRITTEN = 600, 240
WHATS = {
    "nothing": "Nothing",
    "forget": "Forget gate",
    "input": "Input gate",
    "output": "Output gate",
    "freeze": "Freeze the memory",
    "silence": "Silence",
}


def _gates():
    """The computations, imported on first use because they bring in TensorFlow."""
    from apps.cells.gates import predictor

    return predictor


def _reviews():
    from apps.cells.gates import reviews

    return reviews


def build(shell, settings):
    """The lesson inside its `gr.Tab`."""
    del settings
    card = bundle.read_card(bundle.MODELS / "characters")
    units = card["variants"]["lstm"]["network"]["units"]
    model = page.choice(
        [("Writes, by characters", "characters"), ("Reads film reviews", "sentiment")],
        "characters",
        "Network",
    )
    text = gr.Textbox(PLAY, label="Text", lines=4, max_lines=10, max_length=LONGEST)
    tries = page.tries([("A play", "play"), ("An article", "article")])
    what = page.choice([(name, key) for key, name in WHATS.items()], "forget", "Hold")
    with gr.Row(elem_classes="controls"):
        value = gr.Slider(0, 1, 0, step=0.05, label="at", min_width=200)
        which = gr.Textbox("all", label="Units: all, or the number of one", min_width=180)
        after = gr.Number(0, label="After how many characters or words", min_width=180)
    with gr.Row(elem_classes="controls"):
        knobs = {
            "model": model,
            "text": text,
            "what": what,
            "value": value,
            "unit": which,
            "after": after,
        }
        page.link_button(shell, **knobs)
    problem = page.html()
    answer = page.html()
    chart = page.html(wide=True)
    follows = page.html()
    page.section(
        "What it writes then",
        "The network goes on where your text ends, once left alone and once with your hand on it.",
    )
    dice = gr.Number(0, label="Seed", min_width=120)
    play = page.html()
    page.section(
        "What does a unit do?",
        "Some units follow something that a reader can see too. They were found by probing: "
        "which unit’s cell state tells best whether a character has a property?",
    )
    best = {name: card["probes"][name]["units"][0]["unit"] for name in views.FEATURES}
    with gr.Row(elem_classes="controls"):
        follows_what = gr.Dropdown(
            [(f"{name[0].upper() + name[1:]}: unit {unit}", unit) for name, unit in best.items()],
            value=best["line of a page"],
            label="Found by probing",
            min_width=260,
        )
        shown = gr.Number(best["line of a page"], label=f"Unit, 0 to {units - 1}", min_width=120)
    refused = page.html()
    picture = page.html(wide=True)
    with gr.Accordion("What was looked for, and how surely it was found", open=False):
        page.html(views.probes(card))
    details = card["variants"]["lstm"]
    page.html(
        page.card_line(
            card,
            "LSTM",
            f"{details['nats_per_character']:.3f}",
            f"{card['baseline']['nats_per_character']:.3f}",
            details["parameters"],
            "nats a character (lower is better)",
            "The baseline is the better of the two."
            if card["baseline"]["nats_per_character"] < details["nats_per_character"]
            else "",
        )
    )
    with gr.Accordion("The code that just ran", open=False):
        code = page.html()

    held = [problem, answer, chart, follows, play, code]
    asked = [*knobs.values(), dice]

    def hold(*values):
        try:
            return ["", *_held(*values)]
        except (KnobError, bundle.BundleError) as refusal:
            return [page.error(refusal), *[gr.skip()] * 5]

    def look(model, text, unit):
        try:
            return "", _unit(ARTICLE if model == "sentiment" else text, unit)
        except (KnobError, bundle.BundleError) as refusal:
            return page.error(refusal), gr.skip()

    def show(model, text, unit):
        return [unit, *look(model, text, unit)]

    def restore(link):
        model = link.get("model") if link.get("model") in TEXTS else "characters"
        text = link.get("text", TEXTS[model])[:LONGEST]
        what = link.get("what") if link.get("what") in WHATS else "forget"
        numbers = [_number(link.get("value"), 0, 1), link.get("unit", "all")[:6]]
        after = int(_number(link.get("after"), 0, LONGEST))
        values = [model, text, what, *numbers, after]
        found = page.locked(link, **dict(zip(knobs, values, strict=True)))
        return [*found, *hold(*values, 0), look(model, text, best["line of a page"])[1]]

    quiet = {**page.COMPUTE, "show_progress": "hidden"}
    moved = [text.submit, text.blur, what.input, value.release, which.submit, which.blur]
    # An example moves the knobs and counts: only who reads the knobs draws, and does so last.
    taken = gr.State(0)
    model.input(lambda model, n: [TEXTS[model], n + 1], [model, taken], [text, taken], **quiet)
    tries.click(
        lambda sample, n: ["characters", EXAMPLES[sample[0]], n + 1],
        [tries, taken],
        [model, text, taken],
        **quiet,
    )
    gr.on([*moved, after.input, dice.input, taken.change], hold, asked, held, **quiet)
    looked = [model, text, shown]
    redrawn = [*page.edits([shown, text]), taken.change]
    gr.on(redrawn, look, looked, [refused, picture], **quiet)
    chosen = [model, text, follows_what]
    follows_what.input(show, chosen, [shown, refused, picture], **quiet)
    page.when_opened(shell, restore, [*knobs.values(), *held, picture], **quiet)
    _api()


def scores():
    """The lines of the page about the site: the network beside its baseline."""
    return views.scores(bundle.read_card(bundle.MODELS / "characters"))


def _number(text, low, high):
    try:
        return number("", text, low, high)
    except KnobError:
        return low


def _hold(what, value, unit, units):
    one_of("What is held", what, WHATS)
    chosen = str(unit).strip().lower()
    chosen = None if chosen in ("", "all") else whole("The unit", chosen, 0, units - 1)
    from apps.cells.gates.holds import Hold

    return Hold(what, number("The gate", value, 0, 1), chosen)


def _checked(text):
    if not isinstance(text, str) or len(text) < 2:
        raise KnobError("There is nothing to read yet. Type at least two characters.")
    if len(text) > LONGEST:
        raise KnobError(f"This text has {len(text):,} characters; at most {LONGEST} are read here.")
    return text


def _held(model, text, what, value, unit, after, dice):
    """Answer, chart, next characters, continuations and code."""
    gates = _gates()
    if one_of("The network", model, TEXTS) == "sentiment":
        reader = _reviews().ReviewReader.load()
        hold = _hold(what, value, unit, reader.units)
        after = whole("The number of words", after, 0, LONGEST)
        words, free = reader.read(_checked(text))
        after = min(after, len(words) - 1)
        _, held = reader.read(text, hold, after)
        answer, chart = views.sentiment(words, free, held, hold, after)
        nothing = page.note("Only the network that reads characters can write. Choose it above.")
        return answer, chart, "", nothing, page.code(_reviews().code(text, hold, after))
    predictor = gates.Predictor.load()
    text = _checked(text)
    hold = _hold(what, value, unit, predictor.network.recurrent.cell.units)
    after = min(whole("The number of characters", after, 0, LONGEST), len(text) - 1)
    dice = whole("The seed", dice, 0, 10**6)
    free, held = predictor.read(text), predictor.read(text, hold, after)
    play = views.written(
        predictor.write(free, WRITTEN, seed=dice),
        predictor.write(held, WRITTEN, hold, seed=dice),
        hold,
    )
    return (
        views.characters_answer(free, held, hold),
        views.surprises(free, held, hold, after),
        views.following(free, held, hold),
        play,
        page.code(gates.code(text, hold, after)),
    )


def _unit(text, unit):
    predictor = _gates().Predictor.load()
    number = whole("The unit", unit, 0, predictor.network.recurrent.cell.units - 1)
    text = _checked(text)
    drawn = predictor.write(predictor.read(text), 2 * WRITTEN, seed=1)
    parts = [("Your text", text), ("What the network wrote after it", drawn)]
    states = predictor.trace(text + drawn)["cell"][:, number]
    cut = len(text)
    return views.unit(number, parts, [states[:cut], states[cut:]], predictor.card["probes"])


def _api():
    def cells_hold(
        text: str,
        what: Literal["nothing", "forget", "input", "output", "freeze", "silence"] = "forget",
        value: float = 0.0,
        unit: str = "all",
        after: int = 0,
        count: int = 100,
        seed: int = 0,
    ) -> dict:
        """Read a text with the character LSTM while one of its gates is held.

        Args:
            text: From 2 to 600 characters.
            what: The gate that is held; freeze the cell state; silence the hidden state.
            value: What the gate is held at, from 0 to 1.
            unit: all, or the number of one unit.
            after: Characters that are read before the hand is put on.
            count: Characters to write, from 0 to 500.
            seed: Of the random numbers.

        Returns:
            nats (mean surprise a character) and held_nats, following and held_following (the
            likeliest next characters with their probabilities), written and held_written.
        """
        with page.refusals(KnobError, bundle.BundleError):
            predictor = _gates().Predictor.load()
            text = _checked(text)
            hold = _hold(what, value, unit, predictor.network.recurrent.cell.units)
            after = whole("after", after, 0, len(text) - 1)
            count, seed = whole("count", count, 0, 500), whole("seed", seed, 0, 10**6)
            free, held = predictor.read(text), predictor.read(text, hold, after)
            return {
                "nats": float(free.surprisals.mean()),
                "held_nats": float(held.surprisals.mean()),
                "following": dict(free.next_characters),
                "held_following": dict(held.next_characters),
                "written": predictor.write(free, count, seed=seed),
                "held_written": predictor.write(held, count, hold, seed=seed),
            }

    page.api(cells_hold, concurrency_id="compute", concurrency_limit=2)
