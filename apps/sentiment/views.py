"""HTML of the sentiment page: answers, comparisons of models, gates and tables."""

import numpy as np
from markupsafe import Markup

from apps.sentiment import suite
from apps.sentiment.wordings.difference import split_by_difference
from shared import plots
from shared.plots import chance, percent, signed
from shared.site import components

# The best first: the page opens with it.
NETWORKS = {
    "general": "General LSTM",
    "pretrained": "Pre-trained LSTM",
    "lstm": "LSTM",
    "gru": "GRU",
    "rnn": "RNN",
}
LABELS = ("negative", "neutral", "positive")
WORDS = {"negative": "negative", "neutral": "mixed or neutral", "positive": "positive"}
SHORT_TEXT_WORDS = 15  # below this, a text is unlike film reviews
SHORT_TEXT_CHARACTERS = 200  # up to this, the changed versions of a text are shown in full
STRONGEST_UNITS = 12  # units drawn unless the visitor asks for all
STRONGEST_NGRAMS = 8  # n-grams of the baseline that are drawn
BATCH_PREVIEW_ROWS, BATCH_PREVIEW_CHARACTERS = 5, 80
PREVIEW_REVIEW = (
    "The harbour is beautifully shot and the sisters are wonderful, but the plot is a dull, "
    "endless chase through a warehouse."
)

# Of each gate or state: its title, and what to see in its picture.
TRACES = {
    "forget": ("Forget gate", "Full colour: the unit keeps its memory. Blank: it erases it."),
    "input": ("Input gate", "Full colour: the unit writes what it reads here into its memory."),
    "output": ("Output gate", "Full colour: the unit shows its memory to the rest of the network."),
    "update": ("Update gate", "Full colour: the unit keeps its state. Blank: it rewrites it."),
    "reset": ("Reset gate", "Blank: the unit ignores its previous state when it reads the word."),
    "candidate": ("Candidate", "What each unit would write at this word: blue up, orange down."),
    "cell": ("Cell state", "The memory. Long horizontal streaks are units that remember."),
    "hidden": ("Hidden state", "The answer is computed from these: blue above zero, orange below."),
}
TRACES_OF = {
    "lstm": ("forget", "input", "output", "candidate", "cell", "hidden"),
    "gru": ("update", "reset", "candidate", "hidden"),
    "rnn": ("hidden",),
}

# Of each kind of rewrite: its title, and what was done, in which `{}` are the words concerned.
REWRITES = {
    "original": ("As written", ""),
    "negated": ("Negated", "“not” put before “{}”"),
    "negation removed": ("Negated", "“{}” before “{}” removed"),
    "halves swapped": ("Halves swapped", "the parts before and after “but” exchanged"),
    "shuffled": ("Shuffled", "all words in random order"),
}

# The steps of the study, from an untrained LSTM to the one that the page opens with.
STEPS = {
    "bag of words": "The baseline that any network has to beat.",
    "from scratch": "An LSTM with random initial weights.",
    "word vectors": "Starts with the word vectors of a language model.",
    "encoder, as it is": "Starts with the language model’s LSTM too. Neither is trained further: "
    "only the output layer learns.",
    "encoder, fine-tuned": "All layers are fine-tuned, unfrozen one after another.",
    "against an adversary": "In training, the word vectors of each review are perturbed slightly "
    "in the direction that raises the loss most (adversarial training).",
    "read from the end": "The same, with a language model that reads backwards. Of long reviews it "
    "learns from the last 400 words; the others learn from the first 400.",
    "both directions": "The calibrated log-odds of the last two models, added.",
    "… and a student": "One LSTM that reads forwards. It is trained on the labelled reviews and, "
    "on 50,000 unlabelled ones, on the predictions of both directions and of a bag of word triples "
    "(distillation). This is the pre-trained LSTM of this page, scored as it is stored.",
}


def networks(card):
    """The titles of the networks that a bundle has, by their names, the best first."""
    return {name: title for name, title in NETWORKS.items() if name in card["variants"]}


def name_in_sentence(network):
    """The title of a network as it is written within a sentence."""
    title = NETWORKS[network]
    return title if title.isupper() else title[0].lower() + title[1:]


def has_neutral(card, network):
    """Whether a network has three classes; such a network has learned short texts too."""
    return card["variants"][network].get("network", {}).get("classes") == 3


def label(probabilities):
    """The likeliest label.

    Args:
        probabilities: Of negative, neutral and positive, `(3,)`, or of positive alone.
    """
    if np.ndim(probabilities) == 0:
        probabilities = suite.two_classes(probabilities)
    return max(reversed(LABELS), key=dict(zip(LABELS, probabilities, strict=True)).get)


def confidence(share):
    """A calibrated probability of at least one half, as the verb of a sentence."""
    for threshold, verb in (
        (0.98, "is almost certain"),
        (0.9, "is confident"),
        (0.75, "is fairly sure"),
        (0.6, "leans that way, but only slightly"),
    ):
        if share >= threshold:
            return verb
    return "is undecided"


def notes(reading):
    """What a reader of an answer should know about the text: a list of sentences."""
    sentences = []
    words = [word for word in reading.words if not word.is_mark]
    known = sum(word.known for word in words)
    if reading.had_html:
        sentences.append("HTML tags were removed before reading.")
    if len(reading.words) < reading.total_words:
        sentences.append(
            f"Only the first {len(reading.words):,} of {reading.total_words:,} words were read."
        )
    if len(words) >= 4 and known < 0.7 * len(words):
        sentences.append(
            f"The network knows only {known} of these {len(words)} words, "
            "so trust the answer less. It has learned English only."
        )
    return sentences


def is_short(reading):
    """Whether a text is much shorter than the reviews of the training data."""
    return sum(not word.is_mark for word in reading.words) < SHORT_TEXT_WORDS


def short_text_warning(network, card):
    """What to expect of a network on a short text: one sentence or two."""
    warning = "This text is short, and the network was trained on long film reviews."
    accuracies = card["variants"][network].get("suite")
    if not accuracies:
        return f"{warning} Trust the answer less."
    correct, total = suite.correct_cases(accuracies)
    return (
        f"{warning} Of our {total} short texts, chosen to be difficult, the "
        f"{name_in_sentence(network)} got {correct} right ({percent(correct / total)})."
    )


def answer(reading, card):
    """The answer with its meaning, the coloured words and the line of the model card."""
    details = card["variants"][reading.network]
    baseline_wins = card["baseline"]["accuracy"] > details["accuracy"]
    share, name = float(max(reading.classes)), label(reading.classes)
    three = has_neutral(card, reading.network)
    number = percent(min(share, 0.999), 1 if share > 0.99 else 0)
    score_line = components.score_line(
        card,
        NETWORKS[reading.network],
        percent(details["accuracy"], 1),
        percent(card["baseline"]["accuracy"], 1),
        details["parameters"],
        remark="The baseline is the better of the two." if baseline_wins else "",
        trained=details.get("date"),
    )
    return Markup().join(
        [
            components.answer(
                number,
                WORDS[name],
                "" if name == "neutral" else name,
                _meaning(reading, share, card),
            ),
            shares(reading.classes) if three else "",
            *map(components.note, notes(reading)),
            _coloured_words(reading, three),
            score_line,
        ]
    )


def _meaning(reading, share, card):
    """What the probability of an answer means, in plain language."""
    network, name = name_in_sentence(reading.network), WORDS[label(reading.classes)]
    three = has_neutral(card, reading.network)
    if is_short(reading) and not three:
        warning = short_text_warning(reading.network, card)
        return f"The {network} calls this text {name}. {warning}"
    count = f"about {100 * share:.0f}" if share < 0.995 else "more than 99"
    return (
        f"The {network} {confidence(share)}. Of 100 {'' if three else 'long film '}"
        f"{'texts' if three else 'reviews'} that it answers like this, {count} are {name}."
    )


def shares(probabilities):
    """A bar of three parts, and below it the probabilities of the three classes, `(3,)`."""
    text = Markup("<span><i class={}></i>{} {}</span>")
    texts = (
        text.format(name, WORDS[name], chance(value))
        for name, value in zip(LABELS, probabilities, strict=True)
    )
    return Markup('<div class="shares">{}<p>{}</p></div>').format(
        share_bar(probabilities), Markup(" ").join(texts)
    )


def share_bar(probabilities):
    """A bar of three parts: the probabilities of the three classes, `(3,)`."""
    part = Markup('<b class="{}" style="width:{:.1f}%"></b>')
    parts = (
        part.format(name, 100 * value) for name, value in zip(LABELS, probabilities, strict=True)
    )
    return Markup('<span class="share-bar" aria-hidden="true">{}</span>').format(
        Markup().join(parts)
    )


def marked(pieces):
    """A text in pieces, (words, whether they are marked)."""
    mark = Markup("<mark>{}</mark>")
    return Markup().join(mark.format(words) if is_marked else words for words, is_marked in pieces)


def answer_cell(classes):
    """An answer in a table: the likeliest label, and the probability of it."""
    return f"{WORDS[label(classes)]} {chance(max(classes))}"


def _coloured_words(reading, three):
    """The text, each word shaded by its effect, above the running probability."""
    readouts = [
        f"“{word.text}” {signed(effect)}{'' if word.known else ', unknown'} · "
        f"{chance(running)} positive so far"
        + (f", {chance(neutral)} mixed or neutral" if three else "")
        for word, effect, running, neutral in zip(
            reading.words, reading.effects, reading.running, reading.running_neutral, strict=True
        )
    ]
    return plots.figure(
        plots.coloured_words(
            reading.typed, reading.places, reading.effects, readouts, reading.running
        ),
        "Shade: how much each word pushed the answer towards positive (blue) or negative (orange), "
        "in log-odds by integrated gradients. Beneath the words: the probability that the text up "
        "to there is positive rather than negative, blue above the 50 % line and orange below it. "
        "Point at a word to see its numbers.",
    )


def comparison(network, words, curves, classes, baseline, ngrams, card):
    """All networks and the baseline on one text.

    Args:
        network: The one that gave the answer above.
        words: The words read.
        curves: Dict from network to its running probability `(words,)`.
        classes: Dict from each network of three classes to its probabilities `(3,)`.
        baseline: The baseline's probability.
        ngrams: Its n-grams in the text, the strongest first.
        card: The bundle's card.
    """
    answers = {NETWORKS[name]: float(curve[-1]) for name, curve in curves.items()}
    scores = {NETWORKS[name]: card["variants"][name]["accuracy"] for name in curves}
    labels = {name: label(value) for name, value in answers.items()}
    labels |= {NETWORKS[name]: label(values) for name, values in classes.items()}
    answers[card["baseline"]["name"]], baseline_label = baseline, label(baseline)
    labels[card["baseline"]["name"]] = baseline_label
    scores[card["baseline"]["name"]] = card["baseline"]["accuracy"]
    rows = [
        [name, WORDS[labels[name]], plots.meter(value), chance(value), percent(scores[name], 1)]
        for name, value in answers.items()
    ]
    columns = ["Model", "Answer", "Negative to positive", "Positive", "Accuracy"]
    best = list(scores).index(max(scores, key=scores.get))
    parts = [
        components.table(columns, rows, numbers=(3, 4), winner=best),
        small("Bold: the most accurate on the {}.", card["test_set"]),
        _running_chart(words, curves),
    ]
    network_label = labels[NETWORKS[network]]
    if network_label != baseline_label:
        says = WORDS[network_label]
        sentence = (
            f"They disagree: the {name_in_sentence(network)} says {says}, the baseline "
            f"{baseline_label}."
        )
        parts.insert(0, components.note(sentence))
    if ngrams:
        parts.append(_ngram_bars(ngrams[:STRONGEST_NGRAMS]))
    return Markup().join(parts)


def small(text, *values):
    """A paragraph in small letters; `values` stand for the `{}` in it."""
    return Markup(f'<p class="small">{text}</p>').format(*values)


def _ngram_bars(ngrams):
    bars = plots.bars(
        [(ngram.text, ngram.weight) for ngram in ngrams],
        "The strongest words and word pairs of the baseline.",
    )
    return plots.figure(
        bars,
        "The words and word pairs of this text that weigh most in the baseline, in log-odds. "
        "The baseline does not know where in the text they stand.",
    )


def _running_chart(words, curves):
    """The running probability of each network."""
    # A line has the colour of its cell; the LSTM from scratch is dashed beside the pre-trained one.
    styles = {name: ("forget" if name == "general" else name, False) for name in curves}
    if "pretrained" in curves:
        styles |= {"pretrained": ("lstm", False), "lstm": ("lstm", True)}
    chart = plots.chart(
        [plots.Line(NETWORKS[name], curve, *styles[name]) for name, curve in curves.items()],
        "words read",
        plots.Axis("probability of positive against negative", 0, 1, form=percent),
        "Line chart of the running sentiment of the networks.",
        reference=0.5,
        readouts=[
            " · ".join(
                [f"“{word.text}”"]
                + [f"{NETWORKS[name]} {chance(curve[n])}" for name, curve in curves.items()]
            )
            for n, word in enumerate(words)
        ],
    )
    caption = (
        "Where a line jumps, that network changed its mind. Where the lines part, the networks "
        "read the same words differently."
    )
    legend = plots.legend([(NETWORKS[name], *style) for name, style in styles.items()])
    return plots.figure(chart, caption, legend)


def inside(words, traced, running, shown, units=None):
    """A gate or state of the units at every word.

    Args:
        words: The words read.
        traced: Dict from gates and states to arrays `(words, units)`.
        running: The running probability `(words,)`.
        shown: Which gate or state, one of `traced`.
        units: Numbers of the units to draw, in order; all units, similar ones side by side, if
            None.
    """
    order = plots.similar_order(traced["hidden"].T) if units is None else units
    title, caption = TRACES[shown]
    is_gate = shown in plots.PALETTE
    if is_gate:
        legend = plots.scale_legend("0 closed", "", "1 open", shown)
    else:
        legend = plots.scale_legend("negative", "0", "positive")
    if units is None:
        rows, row_height = f"{len(order)} units", 2 if len(order) <= 200 else 1
    else:
        rows, row_height = f"the {len(order)} units that contributed most to the answer", 16
    chart = plots.heat_map(
        traced[shown].T[order],
        [word.text for word in words],
        f"{title.lower()}, {rows}; above it the running sentiment, dotted: 50 %",
        f"Heat map of the {title.lower()} of {rows} at every word.",
        shade=shown if is_gate else None,
        line=running,
        row_height=row_height,
    )
    return plots.figure(chart, caption, legend)


def changes(rewrites, network):
    """How much each small change to a review moved the predictions of both models."""
    original = rewrites[0]

    def moved(probability, before, rewrite):
        points = "" if rewrite is original else f" ({signed(100 * (probability - before), 0)})"
        return chance(probability) + points

    rows = []
    for rewrite in rewrites:
        title, change = REWRITES[rewrite.kind]
        done = change.format(*rewrite.changed)
        if rewrite is not original and len(rewrite.text) <= SHORT_TEXT_CHARACTERS:
            _, pieces = split_by_difference(original.text, rewrite.text)
            done = Markup("{}<br>{}").format(done, marked(pieces))
        rows.append(
            [
                title,
                done,
                plots.meter(rewrite.probability),
                moved(rewrite.probability, original.probability, rewrite),
                moved(rewrite.baseline_probability, original.baseline_probability, rewrite),
            ]
        )
    columns = ["Text", "What was done", "Negative to positive", NETWORKS[network], "Baseline"]
    return components.table(columns, rows, numbers=(3, 4)) + small(
        "Probability that the text is positive, and by how many points it moved. A model that "
        "does not move when the words are shuffled ignores their order."
    )


def study(card):
    """What pre-training on unlabelled reviews is worth; an empty string if it was not measured.

    Each row of the card's study has `start`, `labels`, `draws` and their mean, `accuracy`. Models
    that were fitted to every number of labels are drawn; those that were fitted to all labels are
    listed step by step.
    """
    rows_by_start = {}
    for row in card.get("study", []):
        rows_by_start.setdefault(row["start"], {})[row["labels"]] = row
    if not rows_by_start:
        return ""
    counts = sorted({count for rows in rows_by_start.values() for count in rows})
    curves = {start: rows for start, rows in rows_by_start.items() if len(rows) == len(counts)}
    table = components.table(
        ["Start", *(f"{count:,} labels" for count in counts)],
        [[start, *(_accuracy_range(rows[n]) for n in counts)] for start, rows in curves.items()],
        numbers=range(1, len(counts) + 1),
    )
    steps = components.table(
        ["Step", "Accuracy", "What is new"],
        [
            [row["start"], percent(row["accuracy"], 1), STEPS.get(row["start"], "")]
            for row in card["study"]
            if row["labels"] == counts[-1]
        ],
        numbers=[1],
    )
    heading = Markup(
        "<h3>Step by step, with all labels</h3><p>Each model was trained once: differences of less "
        "than half a point may be chance.</p>"
    )
    return _learning_curves(curves, counts) + table + heading + steps


def _learning_curves(curves, counts):
    """Accuracy by number of labels: `curves` has a dict from count to the study's row by start."""
    styles = {"bag of words": ("baseline", False), "from scratch": ("lstm", True)}
    styles = {start: styles.get(start, ("lstm", False)) for start in curves}
    accuracies = {start: [rows[n]["accuracy"] for n in counts] for start, rows in curves.items()}
    positions = np.log10(counts)
    names = [(at, f"{count:,}") for at, count in zip(positions, counts, strict=True)]
    chart = plots.chart(
        [plots.Line(start, values, *styles[start]) for start, values in accuracies.items()],
        plots.Axis("labelled reviews in training (logarithmic)", ticks=names),
        plots.Axis("accuracy on the official test reviews", form=percent),
        "Line chart of accuracy by number of labels.",
        x=positions,
        readouts=[
            f"{count:,} labels · "
            + " · ".join(f"{start} {percent(values[n], 1)}" for start, values in accuracies.items())
            for n, count in enumerate(counts)
        ],
    )
    return plots.figure(
        chart,
        "The same LSTM twice, and the bag of words. The gap between the solid and the dashed line "
        "is mostly what the LSTM gained from pre-training as a language model on unlabelled "
        "reviews. The points at 100 and 1,000 labels are means of three draws of the training "
        "reviews; the table has their range. The best epoch of each network was chosen on 500 "
        "further labelled reviews.",
        plots.legend([(start, *style) for start, style in styles.items()]),
    )


def _accuracy_range(row):
    """The mean accuracy of a row of the study and, of several draws, the lowest and the highest."""
    draws, mean = row.get("draws", ()), percent(row["accuracy"], 1)
    if len(draws) < 2:
        return mean
    return f"{mean} ({100 * min(draws):.1f}–{100 * max(draws):.1f})"


def layer(cell, step):
    """The equations of a cell and the source of its step."""
    explanation = small(
        "x is the word’s vector and h the hidden state; a prime marks the previous step, ∘ the "
        "product unit by unit. The code is the step that has just run, once per word. The products "
        "with x were computed for all words at once before the first step."
    )
    return components.equations(cell) + explanation + components.source_code(step)


def summary(texts, results, network):
    """The outcome of a batch.

    Args:
        texts: Of all rows.
        results: (probability, label, negative, neutral, positive, note) for each of the first
            rows.
        network: Which network answered.
    """
    labels = [name for _, name, *_, note in results if not note]
    neutral = labels.count("neutral")
    sentence = (
        f"The {name_in_sentence(network)} finds {labels.count('positive'):,} of {len(labels):,} "
        f"texts positive{f' and {neutral:,} mixed or neutral' if neutral else ''}."
    )
    if len(labels) < len(results):
        unread = len(results) - len(labels)
        sentence += f" {unread:,} could not be read; the file says why."
    preview = list(zip(texts, results, strict=False))[:BATCH_PREVIEW_ROWS]
    most = BATCH_PREVIEW_CHARACTERS
    rows = [
        [
            text if len(text) < most else f"{text[:most]}…",
            WORDS.get(name, ""),
            chance(probability) if name else note,
        ]
        for text, (probability, name, *_, note) in preview
    ]
    return components.note(sentence) + components.table(["First rows", "Answer", "Positive"], rows)


def _training_minutes(details):
    """Minutes of training, including the language models that a network starts from."""
    models = (details.get(name, {}) for name in ("language_model", "backward_model"))
    return details["minutes"] + sum(model.get("minutes", 0) for model in models)


def headline(card):
    """The accuracy of the network that the page opens with and the baseline's, as texts."""
    first = next(iter(networks(card)))
    accuracy, baseline = card["variants"][first]["accuracy"], card["baseline"]["accuracy"]
    return f"{percent(accuracy, 1)} right", f"bag of words {percent(baseline, 1)}"


def scores(card):
    """The table of the networks beside the baseline, for the About page."""
    rows = [
        (NETWORKS[name], details["accuracy"], details["parameters"], _training_minutes(details))
        for name, details in card["variants"].items()
    ]
    baseline = card["baseline"]
    rows.append((baseline["name"], baseline["accuracy"], baseline["ngrams"], baseline["minutes"]))
    table = components.table(
        ("Model", "Accuracy", "Parameters", "Training, minutes"),
        [
            (name, percent(accuracy, 1), f"{size:,}", f"{minutes:.1f}")
            for name, accuracy, size, minutes in rows
        ],
        numbers=(1, 2, 3),
        winner=max(range(len(rows)), key=lambda n: rows[n][1]),
    )
    return Markup("<h3>{}</h3><p>Scored on the {}, {:,} examples.</p>{}").format(
        card["title"], card["test_set"], card["examples"], table
    )


def preview():
    """A picture of an answer for the home page: shaded words above the running probability."""
    from apps.sentiment.predictor import Predictor  # on first use: it brings in TensorFlow

    reading = Predictor.load("general").read(PREVIEW_REVIEW)
    strongest = float(np.abs(reading.effects).max())
    word = Markup('<span style="background:rgb(var(--{}-rgb)/{}%)">{}</span>')
    words = [
        word.format(
            "positive" if effect >= 0 else "negative",
            round(60 * abs(float(effect)) / strongest),
            reading.text[each.start : each.end],
        )
        for each, effect in zip(reading.words, reading.effects, strict=True)
    ]
    return Markup(
        '<p style="font:15px/1.5 var(--serif);color:var(--ink);margin:0">{}</p>'
        '<svg viewBox="0 0 266 56" style="display:block;width:100%;margin-top:10px">'
        '<path d="M0 28H266" style="stroke:var(--ink-2);stroke-dasharray:2 4"/>'
        '<path d="{}" style="fill:none;stroke:var(--lstm);stroke-width:2"/></svg>'
    ).format(_join_words(reading, words), _preview_curve(reading.running))


def _join_words(reading, words):
    """The words with the spaces that the text has between them."""
    gaps = [
        reading.text[before.end : after.start]
        for before, after in zip(reading.words, reading.words[1:], strict=False)
    ]
    return Markup().join(part for pair in zip(words, [*gaps, ""], strict=True) for part in pair)


def _preview_curve(running):
    """The path of probabilities in a box of 266 by 56."""
    across = np.linspace(2, 264, len(running))
    return "M" + "L".join(
        f"{x:.0f} {2 + 52 * (1 - value):.1f}" for x, value in zip(across, running, strict=True)
    )
