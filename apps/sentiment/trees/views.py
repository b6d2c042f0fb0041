"""HTML of the tree of a sentence: every phrase in the colour of its sentiment."""

import numpy as np
from markupsafe import Markup

from apps.sentiment.trees.words import MAX_WORDS
from shared import plots
from shared.plots import percent
from shared.site import components

LABELS = ("very negative", "negative", "neutral", "positive", "very positive")
SIGNS = ("−−", "−", "0", "+", "++")
RADIUS, LEVEL_HEIGHT, MARGIN = 12, 34, 14  # pixels
LETTER_WIDTH, MIN_WORD_WIDTH = 8, 34


def tree(reading):
    """The tree of a sentence, its phrases to point at, and the probabilities of one of them.

    Args:
        reading: A `TreeReading`.
    """
    root = reading.phrases[-1]
    picture = Markup(
        '<div class="scroll tree-box" tabindex="0" role="region" aria-label="Tree of the sentence">'
        "{}</div>{}"
    ).format(_picture(reading), _detail(root))
    caption = (
        "Each circle is a phrase and joins the two below it; at the bottom are the words, at the "
        "top is the sentence. Point at a phrase, or move with the arrow keys, to see how the tree "
        "LSTM rates it: watch where a word such as “not” or “but” turns the colour over."
    )
    legend = plots.scale_legend("−− very negative", "0 neutral", "++ very positive")
    figure = plots.figure(picture, caption, legend)
    return Markup().join([*_notes(reading), figure, _as_text(reading)])


def _notes(reading):
    if reading.total_words > len(reading.words):
        yield components.note(
            f"The sentence has {reading.total_words} words; its tree ends after {MAX_WORDS}."
        )
    unknown = [word for word, known in zip(reading.words, reading.known, strict=True) if not known]
    if unknown:
        listed = ", ".join(f"“{word}”" for word in dict.fromkeys(unknown))
        yield components.note(f"The tree LSTM does not know {listed}: it reads the rest.")


def _picture(reading):
    """The tree as SVG, its size in pixels, so that it scrolls where it does not fit."""
    phrases, count = reading.phrases, len(reading.words)
    widths = [max(MIN_WORD_WIDTH, LETTER_WIDTH * len(word) + 12) for word in reading.words]
    edges = MARGIN + np.concatenate([[0], np.cumsum(widths)])
    across, levels = list((edges[:-1] + edges[1:]) / 2), [0] * count
    for phrase in phrases[count:]:
        across.append(sum(across[child] for child in phrase.children) / 2)
        levels.append(1 + max(levels[child] for child in phrase.children))
    height = MARGIN + 2 * RADIUS + LEVEL_HEIGHT * levels[-1]
    down = [height - RADIUS - LEVEL_HEIGHT * level for level in levels]
    parents = {child: n for n, phrase in enumerate(phrases) for child in phrase.children}
    line = Markup('<path class="branch" d="M{:.1f} {:.1f}V{:.1f}H{:.1f}" data-n="{}"/>')
    lines = [  # upright and level, so that none crosses another
        line.format(across[child], down[child], down[parent], across[parent], child)
        for child, parent in parents.items()
    ]
    word = Markup('<text class="word" x="{:.1f}" y="{}" data-n="{}">{}</text>')
    words = [word.format(across[n], height + 20, n, text) for n, text in enumerate(reading.words)]
    node = Markup(
        '<g class="phrase" role="img" tabindex="{}" aria-label="{}" data-n="{}" data-up="{}" '
        'data-down="{}" data-span="{} {}" data-p="{}" data-text="{}">'
        '<circle cx="{:.1f}" cy="{:.1f}" r="{}" style="fill:{}"/>'
        '<text x="{:.1f}" y="{:.1f}" dy=".35em">{}</text></g>'
    )
    nodes = [
        node.format(
            0 if n == len(phrases) - 1 else -1,
            f"{phrase.text}: {LABELS[phrase.label]}, {percent(phrase.probabilities.max())}",
            n,
            parents.get(n, ""),
            " ".join(map(str, phrase.children)),
            phrase.start,
            phrase.end,
            " ".join(f"{100 * value:.0f}" for value in phrase.probabilities),
            phrase.text,
            across[n],
            down[n],
            RADIUS,
            _fill(phrase.label),
            across[n],
            down[n],
            SIGNS[phrase.label],
        )
        for n, phrase in enumerate(phrases)
    ]
    return Markup(
        '<svg class="tree" role="group" aria-label="{}" width="{:.0f}" height="{}">{}</svg>'
    ).format(
        f"Tree with {len(phrases)} phrases. The whole sentence is {LABELS[phrases[-1].label]}.",
        edges[-1] + MARGIN,
        height + 30,
        Markup().join([*lines, *words, *nodes]),
    )


def _fill(label):
    """The colour of a class: orange, the ground's, blue."""
    tone = "positive" if label >= 2 else "negative"
    share = 45 * abs(label - 2)
    return f"color-mix(in srgb, rgb(var(--{tone}-rgb)) {share}%, var(--ground))"


def _detail(phrase):
    """The phrase that is pointed at and its five probabilities, which the page's script fills."""
    row = Markup(
        '<div class="class-row"><span>{}</span><i><b style="width:{:.0f}%"></b></i>'
        "<em>{}</em></div>"
    )
    rows = [
        row.format(label, 100 * value, percent(value))
        for label, value in zip(LABELS, phrase.probabilities, strict=True)
    ]
    return Markup('<div class="phrase-detail"><p><q>{}</q></p>{}</div>').format(
        phrase.text, Markup().join(rows)
    )


def _as_text(reading):
    rows = [
        [phrase.text, LABELS[phrase.label], *(percent(value) for value in phrase.probabilities)]
        for phrase in reversed(reading.phrases)
    ]
    table = components.table(["Phrase", "Rating", *SIGNS], rows, numbers=range(2, 7))
    return Markup("<details><summary>All phrases as a table</summary>{}</details>").format(table)


def score_line(card):
    """What the networks of the section were measured at, a sentence."""
    network, parser = card["variants"]["tree"], card["variants"]["parser"]
    return Markup('<p class="small">{}</p>').format(
        f"On the {card['test_set']} of the Stanford Sentiment Treebank the tree LSTM rates "
        f"{percent(network['accuracy'], 1)} of the sentences in five classes as people did (naive "
        f"Bayes {percent(card['baseline']['accuracy'], 1)}) and "
        f"{percent(network['accuracy_binary'], 1)} in two. There the trees were given. For what "
        "you type a small parser finds the tree, trained on the same sentences: "
        f"{percent(parser['bracket_f1'], 1)} of its brackets are those of the treebank "
        f"(always branching to the right: {percent(parser['baseline_bracket_f1'], 1)})."
    )


def scores(card):
    """The table of the tree LSTM beside the baseline, for the About page."""
    network, baseline = card["variants"]["tree"], card["baseline"]
    rows = [
        ("Tree LSTM", network["accuracy"], network["accuracy_binary"]),
        (baseline["name"].capitalize(), baseline["accuracy"], baseline["accuracy_binary"]),
    ]
    table = components.table(
        ("Model", "Five classes", "Two classes"),
        [(name, *(percent(value, 1) for value in values)) for name, *values in rows],
        numbers=(1, 2),
        winner=max(range(len(rows)), key=lambda n: rows[n][1]),
    )
    text = f"Accuracy on the {card['test_set']}, {card['examples']:,} sentences; trees are given."
    return Markup("<h3>{}</h3><p>{}</p>{}").format(card["title"], text, table)
