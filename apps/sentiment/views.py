"""What the page shows of an answer: readings, comparisons and gates as HTML."""

from html import escape

import numpy as np

from shared import page, plots
from shared.plots import chance, percent, signed

# The best first: the page opens with it.
NETWORKS = {"pretrained": "Pre-trained LSTM", "lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}

# What a gate or state is, and what to see in its picture.
TRACES = {
    "forget": ("Forget gate", "Full colour: the unit keeps its memory. Blank: it lets go."),
    "input": ("Input gate", "Full colour: the unit writes what it reads here into its memory."),
    "output": ("Output gate", "Full colour: the unit shows its memory to the rest of the network."),
    "update": ("Update gate", "Full colour: the unit keeps its state. Blank: it rewrites it."),
    "reset": ("Reset gate", "Blank: the unit ignores its past when it reads the word."),
    "candidate": ("Candidate", "What each unit would write at this word: blue up, orange down."),
    "cell": ("Cell state", "The memory: long horizontal streaks are units that remember."),
    "hidden": ("Hidden state", "What the answer is made of: blue is above zero, orange below."),
}
TRACES_OF = {
    "lstm": ("forget", "input", "output", "candidate", "cell", "hidden"),
    "gru": ("update", "reset", "candidate", "hidden"),
    "rnn": ("hidden",),
}

# The steps from an LSTM that knows nothing to the one the page opens with.
STEPS = {
    "bag of words": "What any network has to beat.",
    "from scratch": "An LSTM that takes nothing over: every weight starts at random.",
    "word vectors": "It begins with the language model’s word vectors.",
    "encoder, as it is": "And with its LSTM, neither of them changed: only the answer that is "
    "pooled from it is learned.",
    "encoder, fine-tuned": "And all of it is fitted to the labels, layer after layer.",
    "against an adversary": "And while it learns, each review’s word vectors are moved a little in "
    "the direction that misleads it most.",
    "read from the end": "The same with a language model that reads from the end; of long reviews "
    "it learns from the last 400 words, the others from the first.",
    "both directions": "The calibrated log-odds of the last two, added.",
    "… and a student": "One LSTM that reads forwards and learns the labelled reviews and, of "
    "50,000 without a label, what both directions and a bag of word triples say: the one on this "
    "page, measured as it is stored.",
}


def networks(card):
    """The titles of the networks that a bundle has, by their names, the best first."""
    return {name: title for name, title in NETWORKS.items() if name in card["variants"]}


def _named(network):
    """A network's title within a sentence."""
    return NETWORKS[network].replace("Pre", "pre")


def label(probability):
    return "positive" if probability >= 0.5 else "negative"


def confidence(share):
    """How sure a calibrated probability of at least one half is, in words."""
    for least, words in ((0.98, "all but certain"), (0.9, "confident"), (0.75, "fairly sure")):
        if share >= least:
            return words
    return "leaning that way, no more" if share >= 0.6 else "undecided"


def answer(reading, card):
    """The answer, the words that led to it and the model card line."""
    name, said = NETWORKS[reading.network], label(reading.probability)
    share = max(reading.probability, 1 - reading.probability)
    many = f"about {100 * share:.0f}" if share < 0.995 else "more than 99"
    words = plots.coloured_words(
        reading.text,
        [(word.start, word.end) for word in reading.words],
        reading.effects,
        [
            f"“{word.text}” {signed(effect)}{'' if word.known else ', unknown'} · "
            f"{chance(running)} positive so far"
            for word, effect, running in zip(
                reading.words, reading.effects, reading.running, strict=True
            )
        ],
        reading.running,
    )
    caption = (
        "Shade: how much each word pushed the answer, by the method of integrated gradients, in "
        "log-odds (0: not at all); orange towards negative, blue towards positive. Beneath the "
        "words: how positive the text was up to there; blue above the 50 % line, orange below it. "
        "Point at a word for its numbers."
    )
    details = card["variants"][reading.network]
    beaten = card["baseline"]["accuracy"] > details["accuracy"]
    return "".join(
        [
            page.answer(
                percent(min(share, 0.999), 1 if share > 0.99 else 0),
                said,
                said,
                f"The {_named(reading.network)} is {confidence(share)}. Of 100 reviews it answers "
                f"like this, {many} are {said}.",
            ),
            *map(page.note, reading.notes),
            plots.figure(words, caption),
            page.card_line(
                card,
                name,
                percent(details["accuracy"], 1),
                percent(card["baseline"]["accuracy"], 1),
                details["parameters"],
                remark="The baseline is the better of the two." if beaten else "",
                trained=details.get("date"),
            ),
        ]
    )


def comparison(network, words, curves, baseline, ngrams, card):
    """All networks and the baseline on one text.

    Args:
        network: The one that gave the answer above.
        words: The words read.
        curves: Dict from network to its running probability `(words,)`.
        baseline: The baseline's probability.
        ngrams: Its n-grams in the text, the strongest first.
        card: The bundle's card.
    """
    answers = {NETWORKS[name]: float(curve[-1]) for name, curve in curves.items()}
    scores = {NETWORKS[name]: card["variants"][name]["accuracy"] for name in curves}
    answers[card["baseline"]["name"]] = baseline
    scores[card["baseline"]["name"]] = card["baseline"]["accuracy"]
    rows = [
        [
            name,
            label(value),
            page.Raw(plots.meter(value)),
            chance(value),
            percent(scores[name], 1),
        ]
        for name, value in answers.items()
    ]
    parts = []
    mine, theirs = label(answers[NETWORKS[network]]), label(baseline)
    if mine != theirs:
        parts.append(
            page.note(f"They disagree: the {_named(network)} says {mine}, the baseline {theirs}.")
        )
    columns = ["Model", "Answer", "Negative to positive", "Positive", "Accuracy"]
    best = list(scores).index(max(scores, key=scores.get))
    parts.append(page.table(columns, rows, numbers=(3, 4), winner=best))
    parts.append(f'<p class="small">In bold: the most accurate on the {card["test_set"]}.</p>')
    parts.append(_running(words, curves))
    if ngrams:
        bars = plots.bars(
            [(gram.text, gram.weight) for gram in ngrams[:8]],
            "The strongest words and word pairs of the baseline.",
        )
        caption = (
            "The words and word pairs of this text that weigh most in the baseline, in log-odds. "
            "It has no idea where in the text they stand."
        )
        parts.append(plots.figure(bars, caption))
    return "".join(parts)


def _running(words, curves):
    # The colour is the cell's; dashed is the LSTM from scratch beside the one that is not.
    looks = {name: (name, False) for name in curves}
    if "pretrained" in curves:
        looks |= {"pretrained": ("lstm", False), "lstm": ("lstm", True)}
    chart = plots.line_chart(
        [plots.Line(NETWORKS[name], curve, *looks[name]) for name, curve in curves.items()],
        "words read",
        "probability that the review is positive",
        "Line chart of the running sentiment of the networks.",
        low=0,
        high=1,
        reference=0.5,
        form=percent,
        readouts=[
            " · ".join(
                [f"“{word.text}”"]
                + [f"{NETWORKS[name]} {chance(curve[n])}" for name, curve in curves.items()]
            )
            for n, word in enumerate(words)
        ],
    )
    caption = (
        "Where the lines jump, a network changed its mind; where they part, the networks read the "
        "same words differently."
    )
    key = plots.legend([(NETWORKS[name], *look) for name, look in looks.items()])
    return plots.figure(chart, caption, key)


def inside(words, traced, running, shown):
    """A gate or state of all units at every word, `shown` one of `traced`."""
    order = plots.similar_order(traced["hidden"].T)
    title, caption = TRACES[shown]
    gate = shown in plots.PALETTE
    if gate:
        legend = plots.scale_legend("0 closed", "", "1 open", shown)
    else:
        legend = plots.scale_legend("negative", "0", "positive")
    chart = plots.heat_map(
        traced[shown].T[order],
        [word.text for word in words],
        f"{title.lower()}, {len(order)} units; above it the running sentiment, dotted: 50 %",
        f"Heat map of the {title.lower()} of every unit at every word.",
        shade=shown if gate else None,
        line=running,
        row_height=2 if len(order) <= 200 else 1,  # so that it fits on a screen
    )
    return plots.figure(chart, caption, legend)


def changes(rewrites, network):
    """What each small change to a review did to both models."""
    first = rewrites[0]

    def moved(probability, before, rewrite):
        points = "" if rewrite is first else f" ({signed(100 * (probability - before), 0)})"
        return chance(probability) + points

    rows = [
        [
            rewrite.name,
            rewrite.change,
            page.Raw(plots.meter(rewrite.probability)),
            moved(rewrite.probability, first.probability, rewrite),
            moved(rewrite.baseline_probability, first.baseline_probability, rewrite),
        ]
        for rewrite in rewrites
    ]
    columns = ["Text", "What was done", "Negative to positive", NETWORKS[network], "Baseline"]
    return page.table(columns, rows, numbers=(3, 4)) + (
        '<p class="small">Probability that the review is positive, and by how many points it '
        "moved. A model that does not move when the words are shuffled does not read their "
        "order.</p>"
    )


def suite(card):
    """Accuracy of all models on the hard texts, by kind."""
    models = {title: card["variants"][name]["suite"] for name, title in networks(card).items()}
    models[card["baseline"]["name"]] = card["baseline"]["suite"]
    rows = [
        [kind.capitalize(), *(percent(found[kind]) for found in models.values())]
        for kind in card["baseline"]["suite"]
    ]
    return page.table(["Kind", *models], rows, numbers=range(1, len(models) + 1)) + (
        f'<p class="small">Share of right answers; tossing a coin gets {percent(0.5)}.</p>'
    )


def learning(card):
    """How few labels a network needs with and without a language learned before.

    Each row of the card's study has `start`, `labels` and `accuracy`, the mean of its `draws`;
    what was fitted to all numbers of labels is drawn, what to all labels is told step by step.
    A card without a study gives an empty string.
    """
    found = {}
    for row in card.get("study", []):
        found.setdefault(row["start"], {})[row["labels"]] = row
    if not found:
        return ""
    counts = sorted({count for curve in found.values() for count in curve})
    drawn = {name: curve for name, curve in found.items() if len(curve) == len(counts)}
    looks = {"bag of words": ("baseline", False), "from scratch": ("lstm", True)}
    looks = {name: looks.get(name, ("lstm", False)) for name in drawn}
    accuracies = {name: [curve[n]["accuracy"] for n in counts] for name, curve in drawn.items()}
    readouts = [
        f"{count:,} labels · "
        + " · ".join(f"{name} {percent(some[n], 1)}" for name, some in accuracies.items())
        for n, count in enumerate(counts)
    ]
    chart = plots.line_chart(
        [plots.Line(name, some, *looks[name]) for name, some in accuracies.items()],
        "labelled reviews that it learned from (logarithmic)",
        "accuracy on the official test reviews",
        "Line chart of accuracy by number of labels.",
        x=np.log10(counts),
        form=percent,
        readouts=readouts,
        names=[f"{count:,}" for count in counts],
    )
    key = plots.legend([(name, *look) for name, look in looks.items()])
    caption = (
        "The same LSTM twice, and the bag of words. The gap between the solid and the dashed line "
        "is mostly what the LSTM gained from first reading reviews without labels, predicting "
        "each next word. 100 and 1,000 labels were drawn three times: the mean, and in the table "
        "the range. The best of a network’s epochs was chosen on 500 further labelled reviews."
    )
    rows = [[name, *(_ranged(curve[n]) for n in counts)] for name, curve in drawn.items()]
    columns = ["Start", *(f"{count:,} labels" for count in counts)]
    numbers = range(1, len(columns))
    steps = [
        [row["start"], percent(row["accuracy"], 1), STEPS.get(row["start"], "")]
        for row in card["study"]
        if row["labels"] == counts[-1]
    ]
    return (
        plots.figure(chart, caption, key)
        + page.table(columns, rows, numbers)
        + "<h3>Step by step, with all labels</h3>"
        "<p>Each was fitted once: differences of less than half a point may be chance.</p>"
        + page.table(["Step", "Accuracy", "What is new"], steps, [1])
    )


def _ranged(row):
    """A mean, and where it is one of several draws, the lowest and the highest."""
    draws, text = row.get("draws", ()), percent(row["accuracy"], 1)
    if len(draws) < 2:
        return text
    return f"{text} ({100 * min(draws):.1f}–{100 * max(draws):.1f})"


def cases(chosen, mine, theirs, network):
    """Hard texts of one kind with the answers of a network and of the baseline.

    Args:
        chosen: List of `suite.Case`.
        mine, theirs: Arrays `(cases,)`, the probability that each is positive.
        network: Which.
    """
    rows = [
        [
            case.text,
            label(case.label),
            *(f"{'✓' if (value >= 0.5) == case.label else '✗'} {chance(value)}" for value in both),
        ]
        for case, *both in zip(chosen, mine, theirs, strict=True)
    ]
    wrong = [
        sum((v >= 0.5) != c.label for v, c in zip(p, chosen, strict=True)) for p in (mine, theirs)
    ]
    said = (
        f"Of these {len(chosen)} texts the {_named(network)} gets {wrong[0]} wrong, the baseline "
        f"{wrong[1]}."
    )
    columns = ["Text", "Right answer", NETWORKS[network], "Baseline"]
    key = "The numbers: the probability that each model gives to the text being positive."
    return page.note(said) + page.table(columns, rows, (2, 3)) + f'<p class="small">{key}</p>'


def layer(cell, step):
    """The equations of a cell and the source of its step."""
    text = (
        "x is the word’s vector, h the hidden state; a prime marks the step before, ∘ the product "
        "unit by unit. This is the step that has just run, once per word; the products with x "
        "were computed for all words at once beforehand."
    )
    return f'{page.equations(cell)}<p class="small">{text}</p>{page.source(step)}'


def summary(column, texts, results, network):
    """What a batch came to; `results` are (probability, label, note), one for each text."""
    read = [result for result in results if not result[2]]
    positive = sum(said == "positive" for _, said, _ in read)
    sentence = (
        f"The {_named(network)} read column “{column}”: {positive:,} of {len(read):,} reviews "
        "are positive."
    )
    if len(read) < len(results):
        sentence += f" {len(results) - len(read):,} could not be read; the file says why."
    rows = [
        [text if len(text) < 80 else f"{text[:80]}…", said, chance(value) if said else note]
        for text, (value, said, note) in list(zip(texts, results, strict=True))[:5]
    ]
    return page.note(sentence) + page.table(["First rows", "Answer", "Positive"], rows)


def _minutes(details):
    """Of training, those of the language models that a network starts from among them."""
    models = (details.get(name, {}) for name in ("language_model", "backward_model"))
    return details["minutes"] + sum(model.get("minutes", 0) for model in models)


def scores(card):
    """The table of the networks beside the baseline, for the About page."""
    rows = [
        (NETWORKS[name], details["accuracy"], details["parameters"], _minutes(details))
        for name, details in card["variants"].items()
    ]
    baseline = card["baseline"]
    rows.append((baseline["name"], baseline["accuracy"], baseline["ngrams"], baseline["minutes"]))
    table = page.table(
        ("Model", "Accuracy", "Parameters", "Training, minutes"),
        [(name, percent(score, 1), f"{size:,}", f"{time:.1f}") for name, score, size, time in rows],
        numbers=(1, 2, 3),
        winner=max(range(len(rows)), key=lambda n: rows[n][1]),
    )
    return (
        f"<h3>{escape(card['title'])}</h3>"
        f"<p>Scored on the {escape(card['test_set'])}, {card['examples']:,} examples.</p>{table}"
    )
