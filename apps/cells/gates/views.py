"""What the lesson of the gates shows: HTML from readings with hands on the gates and without."""

from html import escape

import numpy as np

from shared import page, plots
from shared.plots import chance, percent

HELD = {
    "nothing": "nothing is held",
    "forget": "the forget gate held at {value:g}",
    "input": "the input gate held at {value:g}",
    "output": "the output gate held at {value:g}",
    "freeze": "the cell state frozen",
    "silence": "the hidden state silenced",
}
# What a probe asks of each character; and how the page says it.
FEATURES = {
    "quotation": "stands in double quotation marks",
    "bracket": "stands in brackets",
    "line of a page": "comes late in its line",
    "speaker": "stands in the line that names who speaks",
    "line of a play": "comes late in its line",
    "word position": "comes late in its word",
    "gap": "is a space or the end of a line",
    "vowel": "is a vowel",
    "capital": "is a capital letter",
    "comma": "follows a comma, within a part of a sentence",
    "question": "stands in a sentence that will end in a question mark",
}
MEANING = {
    ("forget", 0): "Every step wipes the memory: only the hidden state of the step before is left.",
    ("forget", 1): "Nothing is ever wiped: old notes pile up under the new ones.",
    ("input", 0): "Nothing new is written: the memory can only fade.",
    ("input", 1): "Everything is written, important or not.",
    ("output", 0): "The memory is kept but never shown: the network answers as if it knew nothing.",
    ("output", 1): "All of the memory is shown all the time, what should wait as well.",
    ("freeze", 0): "The memory stays what it was: the text goes by unnoticed.",
    ("silence", 0): "The units go on computing, but nobody hears them.",
}


def named(hold):
    """A hold in words."""
    where = "" if hold.what == "nothing" else " in all units"
    if hold.unit is not None and where:
        where = f" in unit {hold.unit}"
    return HELD[hold.what].format(value=hold.value) + where


def meaning(hold):
    """What a hold does, a sentence; empty where there is none to say."""
    return MEANING.get(
        (hold.what, hold.value if hold.what in ("forget", "input", "output") else 0), ""
    )


def characters_answer(free, held, hold):
    """How much worse the network guesses, large."""
    before, after = (float(np.exp(reading.surprisals.mean())) for reading in (free, held))
    if hold.what == "nothing":
        return page.answer(
            f"{before:.1f}",
            "characters to choose from",
            "",
            "On average the network is as unsure of what comes next in this text as of the roll of "
            "a fair die with so many sides. Hold a gate and watch it change.",
        )
    return page.answer(
        f"{before:.1f} → {after:.1f}",
        "characters to choose from",
        "",
        f"With {named(hold)}, the network is as unsure of the next character as of the roll of a "
        f"fair die with {after:.1f} sides; left alone, with {before:.1f}. {meaning(hold)}",
    )


def surprises(free, held, hold, after):
    """What each character costs, free and held."""
    lines = [plots.Line("left alone", free.surprisals, "lstm")]
    if hold.what != "nothing":
        lines.append(plots.Line(named(hold), held.surprisals, _shade(hold), True))
    names = [_visible(character) for character in free.text]
    readouts = [
        f"“{names[n + 1]}” after “{names[n]}” · "
        + " · ".join(f"{line.name} {chance(np.exp(-line.values[n]))}" for line in lines)
        for n in range(len(free.surprisals))
    ]
    chart = plots.line_chart(
        lines,
        "character",
        "surprise: −log of the probability it was given, nats",
        "Line chart of the surprise at each character.",
        x=range(2, len(free.text) + 1),
        low=0,
        readouts=readouts,
    )
    where = f" The hand is on from character {after + 1} on." if after else ""
    caption = (
        "High: the network did not see this character coming. Left alone it is surprised at the "
        f"first letters of words and rarely within them.{where if hold.what != 'nothing' else ''}"
    )
    legend = plots.legend([(line.name, line.colour, line.dashed) for line in lines])
    rows = [
        [n + 2, character, *(float(line.values[n]) for line in lines)]
        for n, character in enumerate(free.text[1:])
    ]
    columns = ["place", "character", *(line.name for line in lines)]
    return page.savable(plots.figure(chart, caption, legend), "surprise", columns, rows)


def _shade(hold):
    return hold.what if hold.what in ("forget", "input", "output") else "negative"


def following(free, held, hold):
    """The likeliest next characters, free and held, as a table."""
    theirs = dict(held.next_characters)
    names = [name for name, _ in free.next_characters]
    names += [name for name in theirs if name not in names]
    mine = dict(free.next_characters)

    def shown(share):
        return "–" if share is None else chance(share)

    columns = ["Next character", "Left alone"]
    rows = [[_visible(name), shown(mine.get(name))] for name in names]
    if hold.what != "nothing":
        columns.append("Held")
        rows = [[*row, shown(theirs.get(name))] for row, name in zip(rows, names, strict=True)]
    said = "Only the six likeliest of each are listed."
    return page.table(columns, rows, numbers=(1, 2)) + f'<p class="small">{said}</p>'


def written(free, held, hold):
    """Two continuations with the same random numbers."""
    parts = [f"<h3>Left alone</h3>{_play(free)}"]
    if hold.what != "nothing":
        title = escape(named(hold))
        parts.append(f"<h3>{title[0].upper()}{title[1:]}</h3>{_play(held)}")
    return "".join(parts) + (
        '<p class="small">Both continue your text with the same random numbers: they differ only '
        "by what the network makes of them.</p>"
    )


def _play(text):
    return f'<pre class="play">{escape(text)}</pre>'


def sentiment(words, free, held, hold, after):
    """The running sentiment, free and held."""
    before, now = float(free[-1]), float(held[-1])
    lines = [plots.Line("left alone", free, "lstm")]
    if hold.what != "nothing":
        lines.append(plots.Line(named(hold), held, _shade(hold), True))
    chart = plots.line_chart(
        lines,
        "words read",
        "probability that the review is positive",
        "Line chart of the running sentiment, free and held.",
        low=0,
        high=1,
        reference=0.5,
        form=percent,
        readouts=[
            f"“{word}” · " + " · ".join(f"{line.name} {chance(line.values[n])}" for line in lines)
            for n, word in enumerate(words)
        ],
    )
    where = f" The hand is on from word {after + 1} on." if after else ""
    caption = f"Where the two lines part, the held gate was needed.{where}"
    legend = plots.legend([(line.name, line.colour, line.dashed) for line in lines])
    rows = [
        [n + 1, word, *(float(line.values[n]) for line in lines)] for n, word in enumerate(words)
    ]
    columns = ["place", "word", *(line.name for line in lines)]
    tone = "positive" if now >= 0.5 else "negative"
    if hold.what == "nothing":
        number, sentence = (
            chance(before),
            "Nothing is held: this is the answer of the Sentiment page.",
        )
    else:
        number = f"{chance(before)} → {chance(now)}"
        sentence = f"With {named(hold)}. {meaning(hold)}"
    return page.answer(number, "positive", tone, sentence), page.savable(
        plots.figure(chart, caption, legend), "held-sentiment", columns, rows
    )


def unit(number, parts, states, probes):
    """A unit's cell state over texts: `parts` their (name, text), `states` an array of each."""
    said = found(number, probes)
    limit = max(float(np.quantile(np.abs(np.concatenate(states)), 0.98)), 1e-6)
    legend = plots.scale_legend(f"−{limit:.1f}", "cell state 0", f"{limit:.1f}")
    caption = f"{said} Point at a character for its number."
    body = "".join(
        f"<h3>{name}</h3>{coloured(text, values, limit)}"
        for (name, text), values in zip(parts, states, strict=True)
    )
    rows = [
        [name, n + 1, character, float(value)]
        for (name, letters), values in zip(parts, states, strict=True)
        for n, (character, value) in enumerate(zip(letters, values, strict=True))
    ]
    figure = plots.figure(body, caption, legend)
    return page.savable(figure, f"unit-{number}", ["text", "place", "character", "state"], rows)


def found(number, probes):
    """What the probes found out about a unit, a sentence."""
    parts = []
    for name, probe in probes.items():
        for entry in probe["units"]:
            if entry["unit"] == number:
                way = "falls" if entry["falls"] else "rises"
                measure = "AUC" if probe["kind"] == "auc" else "correlation"
                parts.append(
                    f"{way} where a character {FEATURES[name]} ({measure} {entry['score']:.2f})"
                )
    if not parts:
        return f"Unit {number} is not one of those that the probes found."
    return f"Unit {number} {'; it '.join(parts)}."


def coloured(text, values, limit):
    """A text with each character shaded by a signed number, full at `limit`."""
    pieces = []
    for character, value in zip(text, values, strict=True):
        tone = "positive" if value >= 0 else "negative"
        share = min(round(abs(float(value)) / limit * 70), 70)
        shown = f"{'↵' if character == chr(10) else ''}{escape(character)}"
        pieces.append(
            f'<i style="background:rgb(var(--{tone}-rgb)/{share}%)" '
            f'data-t="“{escape(_visible(character))}” {plots.signed(value)}">{shown}</i>'
        )
    return f'<div class="characters">{"".join(pieces)}</div>'


def probes(card):
    """What was looked for, and how well the best unit follows it."""
    rows = []
    for name in FEATURES:
        probe = card["probes"][name]
        best = probe["units"][0]
        scores = best["score"], probe["untrained"], probe["chance"]
        found = [f"{score:z.2f}".replace("-", "−") for score in scores]
        rows.append([name, f"A character {FEATURES[name]}", best["unit"], *found])
    columns = ["Probe", "Asks whether", "Best unit", "Score", "Untrained", "By luck"]
    return page.table(columns, rows, numbers=(2, 3, 4, 5)) + (
        '<p class="small">Units are chosen on the validation text and scored on the test text. The '
        "score is an AUC (0.5 is luck) for yes and no, a rank correlation (0 is luck) for the "
        "positions. Untrained: the best unit of the same network with random weights, chosen "
        "the same way; what it scores is no merit of the training. By luck: the best unit for "
        "labels shifted along the text. Quotation marks, brackets and the lines of a page were "
        "looked for in articles, the others in plays.</p>"
    )


def scores(card):
    """The table of the network beside its baseline, for the About page."""
    details, baseline = card["variants"]["lstm"], card["baseline"]
    rows = [
        ("LSTM", details, f"{details['parameters']:,}"),
        (baseline["name"], baseline, "counts"),
    ]
    keys = [f"{part}nats_per_character" for part in ("plays_", "articles_", "")]
    table = page.table(
        ("Model", "Plays", "Articles", "Both", "Parameters", "Training, minutes"),
        [
            [name, *(f"{row[key]:.3f}" for key in keys), size, f"{row['minutes']:g}"]
            for name, row, size in rows
        ],
        numbers=(1, 2, 3, 4, 5),
        winner=min((0, 1), key=lambda n: rows[n][1]["nats_per_character"]),
    )
    return (
        f"<h3>{escape(card['title'])}</h3><p>Scored on the {escape(card['test_set'])}, "
        f"{card['examples']:,} characters, by the mean surprise at a character in nats (−log of "
        f"its probability); lower is better.</p>{table}"
    )


def _visible(character):
    return {"\n": "↵", " ": "␣"}.get(character, character)
