"""HTML of the lesson on gates, from readings with held gates and without."""

import numpy as np
from markupsafe import Markup, escape

from shared import plots
from shared.plots import chance, percent
from shared.site import components

HOLDS = {
    "nothing": "nothing is held",
    "forget": "the forget gate held at {value:g}",
    "input": "the input gate held at {value:g}",
    "output": "the output gate held at {value:g}",
    "freeze": "the cell state frozen",
    "silence": "the hidden state silenced",
}
EFFECTS = {
    ("forget", 0): "Every step wipes the memory: only the previous hidden state is left.",
    ("forget", 1): "The memory is never wiped: old notes pile up under the new ones.",
    ("input", 0): "Nothing new is written: the memory can only fade.",
    ("input", 1): "Everything is written, important or not.",
    ("output", 0): "The memory is kept but never shown: the network answers as if it knew nothing.",
    ("output", 1): "The whole memory is shown at every step, even what should wait.",
    ("freeze", 0): "The memory does not change: the text passes by unnoticed.",
    ("silence", 0): "The units go on computing, but no other unit receives their output.",
}
# The property of a character that each probe looks for, as the page says it.
FEATURES = {
    "quotation": "stands in double quotation marks",
    "bracket": "stands in brackets",
    "line of a page": "comes late in its line of an article",
    "speaker": "stands in the line that names the speaker",
    "line of a play": "comes late in its line of a play",
    "word position": "comes late in its word",
    "gap": "is a space or the end of a line",
    "vowel": "is a vowel",
    "capital": "is a capital letter",
    "comma": "follows a comma within its clause",
    "question": "stands in a sentence that will end in a question mark",
}


def describe_hold(hold):
    """A hold in words."""
    words = HOLDS[hold.what].format(value=hold.value)
    if hold.what == "nothing":
        return words
    return f"{words} in {'all units' if hold.unit is None else f'unit {hold.unit}'}"


def describe_effect(hold):
    """A sentence on the effect of a hold, or an empty string."""
    has_value = hold.what in ("forget", "input", "output")
    return EFFECTS.get((hold.what, hold.value if has_value else 0), "")


def characters_answer(free, held, hold):
    """How uncertain the network is of the next character, large, free and held."""
    before, after = (float(np.exp(reading.surprisals.mean())) for reading in (free, held))
    if hold.what == "nothing":
        return components.answer(
            f"{before:.1f}",
            "characters to choose from",
            "",
            "On average, the network is as uncertain of the next character of this text as of the "
            "roll of a fair die with so many sides. Hold a gate and watch this number change.",
        )
    return components.answer(
        f"{before:.1f} → {after:.1f}",
        "characters to choose from",
        "",
        f"With {describe_hold(hold)}, the network is as uncertain of the next character as of the "
        f"roll of a fair die with {after:.1f} sides; with free gates, {before:.1f}. "
        f"{describe_effect(hold)}",
    )


def surprisals(free, held, hold, after):
    """The surprisal of each character, free and held."""
    lines = _pair(free.surprisals, held.surprisals, hold)
    names = [_visible(character) for character in free.text]
    readouts = [
        f"“{names[n + 1]}” after “{names[n]}” · "
        + " · ".join(f"{line.name} {chance(np.exp(-line.values[n]))}" for line in lines)
        for n in range(len(free.surprisals))
    ]
    chart = plots.chart(
        lines,
        "character",
        plots.Axis("surprisal: −log of its probability, nats", low=0),
        "Line chart of the surprisal of each character.",
        x=range(2, len(free.text) + 1),
        readouts=readouts,
    )
    caption = (
        "A high value means that the network did not expect this character. With free gates, the "
        "first letters of words surprise it, the others rarely do."
        f"{_describe_start(hold, after, 'character')}"
    )
    rows = [
        [n + 2, character, *(float(line.values[n]) for line in lines)]
        for n, character in enumerate(free.text[1:])
    ]
    return _savable_pair(chart, caption, lines, "surprise", "character", rows)


def _pair(free, held, hold):
    """The lines of the free and, if anything is held, of the held network."""
    lines = [plots.Line("free", free, "lstm")]
    if hold.what != "nothing":
        colour = hold.what if hold.what in ("forget", "input", "output") else "negative"
        lines.append(plots.Line(describe_hold(hold), held, colour, True))
    return lines


def _describe_start(hold, after, unit):
    if hold.what == "nothing" or not after:
        return ""
    return f" The hold begins at {unit} {after + 1}."


def _savable_pair(chart, caption, lines, name, item, rows):
    legend = plots.legend([(line.name, line.colour, line.dashed) for line in lines])
    columns = ["place", item, *(line.name for line in lines)]
    return components.savable_figure(plots.figure(chart, caption, legend), name, columns, rows)


def next_characters(free, held, hold):
    """The likeliest next characters, free and held, as a table."""
    free_shares, held_shares = dict(free.next_characters), dict(held.next_characters)
    columns, shares = ["Next character", "Free"], [free_shares]
    if hold.what != "nothing":
        columns.append("Held")
        shares.append(held_shares)
    rows = [
        [_visible(name), *(chance(each[name]) if name in each else "–" for each in shares)]
        for name in free_shares | held_shares
    ]
    return components.table(columns, rows, numbers=(1, 2)) + Markup(
        '<p class="small">Only the six likeliest characters of each are listed.</p>'
    )


def continuations(free, held, hold):
    """Two continuations of a text, sampled with the same random numbers."""
    titles = {"Free": free}
    if hold.what != "nothing":
        name = describe_hold(hold)
        titles[name[0].upper() + name[1:]] = held
    part = Markup('<h3>{}</h3><pre class="play">{}</pre>')
    return Markup().join(part.format(*item) for item in titles.items()) + Markup(
        '<p class="small">Both are sampled with the same random numbers, so they differ only '
        "through the network’s predictions.</p>"
    )


def sentiment(words, free, held, hold, after):
    """The answer on a review and the chart of its running sentiment, free and held."""
    lines = _pair(free, held, hold)
    chart = plots.chart(
        lines,
        "words read",
        plots.Axis("probability that the review is positive", 0, 1, form=percent),
        "Line chart of the running sentiment, free and held.",
        reference=0.5,
        readouts=[
            f"“{word}” · " + " · ".join(f"{line.name} {chance(line.values[n])}" for line in lines)
            for n, word in enumerate(words)
        ],
    )
    caption = (
        "Where the two lines part, the network needed what is held."
        f"{_describe_start(hold, after, 'word')}"
    )
    rows = [
        [n + 1, word, *(float(line.values[n]) for line in lines)] for n, word in enumerate(words)
    ]
    number, sentence = chance(free[-1]), "Nothing is held: the Sentiment page gives this answer."
    if hold.what != "nothing":
        number = f"{number} → {chance(held[-1])}"
        sentence = f"With {describe_hold(hold)}. {describe_effect(hold)}"
    tone = "positive" if held[-1] >= 0.5 else "negative"
    figure = _savable_pair(chart, caption, lines, "held-sentiment", "word", rows)
    return components.answer(number, "positive", tone, sentence), figure


def unit(number, texts, states, probes):
    """The cell state of a unit over texts.

    Args:
        number: The unit.
        texts: List of (name, text).
        states: For each text an array of the unit's cell state at each character.
        probes: The probes of the model card.
    """
    limit = max(float(np.quantile(np.abs(np.concatenate(states)), 0.98)), 1e-6)
    legend = plots.scale_legend(f"−{limit:.1f}", "cell state 0", f"{limit:.1f}")
    caption = f"{describe_unit(number, probes)} Point at a character for its number."
    body = Markup().join(
        Markup("<h3>{}</h3>{}").format(name, color_text(text, values, limit))
        for (name, text), values in zip(texts, states, strict=True)
    )
    rows = [
        [name, n + 1, character, float(value)]
        for (name, text), values in zip(texts, states, strict=True)
        for n, (character, value) in enumerate(zip(text, values, strict=True))
    ]
    columns = ["text", "place", "character", "state"]
    figure = plots.figure(body, caption, legend)
    return components.savable_figure(figure, f"unit-{number}", columns, rows)


def describe_unit(number, probes):
    """A sentence on the properties that a unit follows, according to the probes."""
    phrases = {}
    for name, probe in probes.items():
        measure = "AUC" if probe["kind"] == "auc" else "correlation"
        for entry in probe["units"]:
            if entry["unit"] == number:
                verb = "falls" if entry["falls"] else "rises"
                phrase = f"{FEATURES[name]} ({measure} {entry['score']:.2f})"
                phrases.setdefault(verb, []).append(phrase)
    if not phrases:
        return f"Unit {number} follows none of the properties that were probed."
    clauses = (
        f"{verb} where a character {' and where it '.join(parts)}"
        for verb, parts in phrases.items()
    )
    return f"Unit {number} {'; it '.join(clauses)}."


def color_text(text, values, limit):
    """A text with each character shaded by a signed number, fully at `limit`."""
    pieces = []  # with `escape`, ten times as fast as a `format` for each character
    for character, value in zip(text, values, strict=True):
        tone = "positive" if value >= 0 else "negative"
        share = min(round(abs(float(value)) / limit * 70), 70)
        mark = "↵" if character == "\n" else ""
        pieces.append(
            f'<i style="background:rgb(var(--{tone}-rgb)/{share}%)" '
            f'data-t="“{escape(_visible(character))}” {plots.signed(value)}">'
            f"{mark}{escape(character)}</i>"
        )
    return Markup(f'<div class="characters">{"".join(pieces)}</div>')


def probes(card):
    """The properties that were looked for, and how well the best unit follows each."""
    rows = []
    for name, feature in FEATURES.items():
        probe = card["probes"][name]
        best = probe["units"][0]
        scores = best["score"], probe["untrained"], probe["chance"]
        texts = [f"{score:z.2f}".replace("-", "−") for score in scores]
        rows.append([name, f"A character {feature}", best["unit"], *texts])
    columns = ["Probe", "Asks whether", "Best unit", "Score", "Untrained", "By chance"]
    return components.table(columns, rows, numbers=(2, 3, 4, 5)) + Markup(
        '<p class="small">Units are chosen on the validation text and scored on the test text. The '
        "score is an AUC for yes-or-no properties (0.5 is chance) and a rank correlation for "
        "positions (0 is chance). Untrained: the best unit of the same network with random "
        "weights, chosen in the same way. By chance: the best unit for labels that were shifted "
        "along the text. Quotation marks, brackets and the lines of a page were looked for in "
        "articles, the others in plays.</p>"
    )


def scores(card):
    """The table of the network beside its baseline, for the About page."""
    details, baseline = card["variants"]["lstm"], card["baseline"]
    rows = [
        ("LSTM", details, f"{details['parameters']:,}"),
        (baseline["name"], baseline, "counts"),
    ]
    keys = [f"{part}nats_per_character" for part in ("plays_", "articles_", "")]
    table = components.table(
        ("Model", "Plays", "Articles", "Both", "Parameters", "Training, minutes"),
        [
            [name, *(f"{row[key]:.3f}" for key in keys), size, f"{row['minutes']:g}"]
            for name, row, size in rows
        ],
        numbers=(1, 2, 3, 4, 5),
        winner=min((0, 1), key=lambda n: rows[n][1]["nats_per_character"]),
    )
    return Markup(
        "<h3>{}</h3><p>Scored on the {}, {:,} characters, by the mean surprisal per character in "
        "nats (−log of its probability); lower is better.</p>{}"
    ).format(card["title"], card["test_set"], card["examples"], table)


def _visible(character):
    return {"\n": "↵", " ": "␣"}.get(character, character)
