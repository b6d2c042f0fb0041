"""HTML of the page: a photo, a question, its answers, and what they depended on."""

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from apps.vqa import GRID_SIZE
from apps.vqa.examples import FIRST, suggest_questions
from shared import photos, plots
from shared.plots import chance, percent, signed
from shared.site import components

CELLS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
# The networks of the card: name, and what each reads of the photo.
NETWORKS = {
    "lstm": ("LSTM + photo", "49 squares, weighted by the question"),
    "gru": ("GRU + photo", "49 squares, weighted by the question"),
    "rnn": ("RNN + photo", "49 squares, weighted by the question"),
    "bow": ("Bag of words + photo", "their mean; ignores the order of words"),
    "blind": ("Blind LSTM", "nothing: the question alone"),
}
BASELINES = {
    "nearest": "Answer to the nearest training question",
    "majority": "The most frequent answer to each type of question",
}
QUESTION_TYPES = {
    "yes/no": "Yes or no",
    "object": "Object",
    "number": "Number",
    "color": "Colour",
    "location": "Location",
    "other": "Other",
}
NEGLIGIBLE_GAIN = 0.02  # the page calls a smaller difference in accuracy none
LOW_CONFIDENCE = "It does not know: this is its best guess."


@dataclass(frozen=True, eq=False)
class EncodedPhoto:
    """A photo and its features.

    Attributes:
        photo: A `Photo`.
        grid: Features from `Predictor.encode_photo`, `(49, components)`.
    """

    photo: photos.Photo
    grid: np.ndarray


@dataclass(frozen=True, eq=False)
class AnsweredQuestion:
    """A question about a photo with its reply.

    Attributes:
        cell: The variant that replied.
        reply: Its `Reply`.
        history: Earlier (question, answer) pairs about this photo, the latest last.
    """

    cell: str
    reply: object
    history: tuple[tuple[str, str], ...] = ()


def format_answer(reply):
    """The answer as the page shows it."""
    if not reply.is_confident:
        return "I don’t know"
    return reply.text[:1].upper() + reply.text[1:]


def describe_question(reply):
    """Sentences about a question that the network cannot read well, a list."""
    notes = []
    if reply.unknown_words:
        words = ", ".join(f"“{word}”" for word in reply.unknown_words)
        notes.append(f"The network does not know {words}.")
    if not reply.is_question:
        notes.append("This reads like a statement; a question gets a better answer.")
    return notes


def draw_view(encoded):
    """The photo that the question is about."""
    return Markup('<div class="view">{}</div>').format(photos.draw_photo(encoded.photo))


def draw_prompt():
    """Takes the place of the answer while no question has been answered."""
    return Markup('<div class="asked"><p class="sure">Ask a question about this photo.</p></div>')


def draw_answer(answered, card):
    """The answer, its probability, and the four answers after it."""
    reply = answered.reply
    parts = [
        Markup('<p class="said">{}</p>').format(format_answer(reply)),
        Markup('<p class="sure">{}</p>').format(_describe_confidence(answered, card)),
        *(components.note(note) for note in describe_question(reply)),
        _draw_bars("guesses", [(each.text, each.probability) for each in reply.answers], chance),
        _draw_history(answered.history),
    ]
    return Markup('<div class="asked">{}</div>').format(Markup().join(parts))


def draw_details(encoded, answered, card):
    """The words that led to the answer, and the scores of the network.

    Args:
        encoded: An `EncodedPhoto`.
        answered: An `AnsweredQuestion`.
        card: The bundle's card.
    """
    details, blind = card["variants"][answered.cell], card["variants"].get("blind")
    baseline = blind or card["baselines"]["majority"]
    score_line = components.score_line(
        {**card, "baseline": {"name": "blind LSTM" if blind else BASELINES["majority"]}},
        f"{CELLS[answered.cell]} + photo",
        percent(details["accuracy"], 1),
        percent(baseline["accuracy"], 1),
        details["parameters"],
        remark=card["limits"][0],
    )
    own = "" if encoded.photo.example else photos.OWN_PHOTO_NOTE
    return Markup().join([_draw_importance(answered.reply), own, score_line])


def _describe_confidence(answered, card):
    reply, network = answered.reply, CELLS[answered.cell]
    best = reply.answers[0]
    if reply.is_confident:
        return (
            f"The {network} gives this answer a probability of {chance(best.probability)} among "
            "the answers of the kind that the question asks for."
        )
    guess = f"its best guess is “{best.text}” ({chance(best.probability)})."
    if 2 * len(reply.unknown_words) >= len(reply.words):
        return f"The {network} knows too few of these words; {guess}"
    threshold = card["variants"][answered.cell]["threshold"]["probability"]
    return f"Low confidence: {guess} Below {chance(threshold)} the {network} is mostly wrong."


def _draw_bars(css_class, rows, form):
    """A bar for each (name, fraction), with the fraction written by `form`."""
    bar = Markup(
        '<div><span>{}</span><i aria-hidden="true"><u style="width:{:.1f}%"></u></i><em>{}</em>'
        "</div>"
    )
    bars = Markup().join(bar.format(name, 100 * value, form(value)) for name, value in rows)
    return Markup('<div class="{}">{}</div>').format(css_class, bars)


def _draw_importance(reply):
    words = plots.coloured_words(
        reply.typed,
        reply.places,
        [word.importance for word in reply.words],
        [
            f"“{word.text}” {signed(word.importance)}{'' if word.is_known else ', unknown'}"
            for word in reply.words
        ],
    )
    return Markup(
        plots.figure(
            words,
            "Shade: how much the log-probability of the answer falls if the network does not read "
            "the word. Blue words support the answer, orange words speak against it. Point at a "
            "word for its number.",
        )
    )


def _draw_history(history):
    if not history:
        return ""
    pairs = Markup(" · ").join(Markup("{} <b>{}</b>").format(*pair) for pair in history)
    return Markup('<p class="before">Earlier questions about this photo: {}</p>').format(pairs)


def draw_attention(encoded, answered):
    """Where the network attended in the photo for the question."""
    reply = answered.reply
    overlay = Markup('<img src="{}" alt=""/>').format(photos.attention_overlay(reply.attention))
    photo = photos.draw_photo(encoded.photo, overlay, label_whole=True)
    return Markup(
        plots.figure(
            Markup('<div class="looked">{}</div>').format(photo),
            f"Bright: where the network attended for “{reply.question}”; the rest is darkened. "
            f"Here {photos.describe_attention(reply.attention)}. If the attention is spread over "
            f"all {GRID_SIZE**2} squares, the network looked at nothing in particular.",
        )
    )


def describe_prior(card):
    """How well one can guess without the photo: the most frequent answers in training."""
    habits = card["habits"]
    answers = [
        f"“{habits[kind]}” ({name.lower()})"
        for kind, name in QUESTION_TYPES.items()
        if kind in habits and kind != "other"
    ] or [f"“{habits['all']}”"]
    return (
        "Many answers can be guessed from the question alone. The most frequent answer in training "
        f"was {', '.join(answers)}. The same question is therefore asked again with the photo "
        "greyed out, and with another photo."
    )


def draw_photo_effect(encoded, other, answered, other_reply):
    """The same question with the photo greyed out and with another photo, and what that changes.

    Args:
        encoded, other: `EncodedPhoto`, of the photo and of the other one.
        answered: The `AnsweredQuestion` about the photo.
        other_reply: The `Reply` to the same question with the other photo as its reference.
    """
    reply = answered.reply
    best, greyed = reply.answers[0], reply.reference_answers[0]
    grey = Markup('<div class="shot grey" style="--ratio:{:.4f}"></div>')
    sides = (
        (photos.draw_photo(encoded.photo), "The photo", best),
        (grey.format(encoded.photo.ratio), "Greyed out", greyed),
        (photos.draw_photo(other.photo), "Another photo", other_reply.reference_answers[0]),
    )
    effects = [("Greyed out", reply.photo_effect), ("Another photo", other_reply.photo_effect)]
    likeliest = "is then the same" if greyed.text == best.text else f"is then “{greyed.text}”"
    caption = (
        f"With the photo greyed out, {percent(reply.photo_effect)} of the probability moves to "
        "other answers: that much of the answer comes from the photo. The other "
        f"{percent(1 - reply.photo_effect)} is the language prior, which the question alone "
        f"suggests. The likeliest answer {likeliest}; the probability of “{reply.text}” goes from "
        f"{chance(best.probability)} to {chance(reply.reference_probability)}."
    )
    legend = plots.legend(
        [("from the photo", "positive"), ("language prior: the same for any photo", "baseline")]
    )
    return _draw_sides(sides) + Markup(
        plots.figure(_draw_bars("shares", effects, percent), caption, legend)
    )


def _draw_sides(sides):
    """(HTML of a photo, its name, the best `Answer`) side by side."""
    side = Markup(
        '<div>{}<p class="name">{}</p><p class="word">{}</p><p class="small">{}</p></div>'
    )
    columns = Markup().join(
        side.format(photo, name, best.text, chance(best.probability)) for photo, name, best in sides
    )
    return Markup('<div class="sides">{}</div>').format(columns)


def draw_pair(question, one, other, reply):
    """One question about two photos.

    Args:
        question: The question.
        one, other: `Photo`s.
        reply: The `Reply` about the first, with the other as its reference.
    """
    bests = reply.answers[0], reply.reference_answers[0]
    pairs = zip((one, other), bests, strict=True)
    sides = _draw_sides([(photos.draw_photo(photo), "", best) for photo, best in pairs])
    if bests[0].text == bests[1].text:
        verdict = "Both photos get the same answer: the network does not tell them apart here."
    else:
        verdict = "The answers differ, which only the photos can have caused."
    moved = f"{percent(reply.photo_effect)} of the probability moves with the photo."
    return Markup('<h3>{}</h3>{}<p class="small">{} {}</p>').format(question, sides, verdict, moved)


def draw_comparison(replies, card):
    """One question answered by all networks of the bundle.

    Args:
        replies: Dict from the variant to its `Reply`.
        card: The bundle's card.
    """
    accuracy = [card["variants"][name]["accuracy"] for name in replies]
    rows = [
        (
            NETWORKS[name][0],
            reply.text,
            chance(reply.answers[0].probability),
            percent(reply.photo_effect),
            percent(score, 1),
            NETWORKS[name][1],
        )
        for (name, reply), score in zip(replies.items(), accuracy, strict=True)
    ]
    table = components.table(
        ("Network", "Answer", "Probability", "Photo’s share", "Accuracy", "Reads of the photo"),
        rows,
        numbers=(2, 3, 4),
        winner=int(np.argmax(accuracy)),
    )
    note = (
        "Photo’s share: the probability that moves to other answers when the photo is greyed out. "
        "In bold: the network with the highest accuracy on the test set."
    )
    if {"blind", "lstm"} <= set(replies):
        blind, lstm = replies["blind"].text, replies["lstm"].text
        both = f"also says “{blind}”: the answer may come from the question alone"
        note = (
            "The blind LSTM, which sees no photo, "
            f"{both if blind == lstm else f'says “{blind}”; the LSTM that sees it says “{lstm}”'}. "
            f"{note}"
        )
    return Markup('{}<p class="small">{}</p>').format(table, note)


def draw_batch_summary(questions, results):
    """Summarise a file of questions; `results` has an (answer, probability, note) for each."""
    answered = sum(bool(text) for text, _, _ in results)
    unsure = sum(bool(text and note) for text, _, note in results)
    summary = f"{answered:,} of {len(results):,} questions answered"
    summary += f", {unsure:,} of them with low confidence." if unsure else "."
    failures = [(n, note) for n, (text, _, note) in enumerate(results, 1) if not text]
    if failures:
        summary += " The first that was not, in row {:,}: {}".format(*failures[0])
    rows = [
        (question[:80], text, chance(probability) if text else "", note[:120])
        for question, (text, probability, note) in zip(questions[:5], results[:5], strict=True)
    ]
    columns = ("First questions", "Answer", "Probability", "Note")
    return components.note(summary) + components.table(columns, rows, numbers=(2,))


def draw_scores(card):
    """The scores of the networks and of the baselines, overall and by type of question."""
    models = [
        (NETWORKS[key][0], card["variants"][key]) for key in NETWORKS if key in card["variants"]
    ]
    models += [(name, card["baselines"][key]) for key, name in BASELINES.items()]
    kinds = [kind for kind in QUESTION_TYPES if f"accuracy_{kind}" in models[0][1]]
    rows = [
        (
            name,
            percent(scores["accuracy"], 1),
            *(percent(scores[f"accuracy_{kind}"], 1) for kind in kinds),
            f"{scores['parameters']:,}" if "parameters" in scores else "",
        )
        for name, scores in models
    ]
    columns = ("Model", "All", *(QUESTION_TYPES[kind] for kind in kinds), "Parameters")
    winner = int(np.argmax([scores["accuracy"] for _, scores in models]))
    return components.table(columns, rows, numbers=range(1, len(columns)), winner=winner)


def describe_scores(card):
    """Paragraphs on where the photo helps, on rephrased questions, and on the closed list."""
    coverage = card["coverage"].get("test", card["coverage"]["validation"])
    sentences = [
        *_describe_gains(card["variants"]),
        *_describe_rephrasing(card["variants"].get("lstm", {}).get("consistency")),
        f"The networks choose among {card['answers']:,} answers, which include the right one for "
        f"{percent(coverage, 1)} of the scored questions: no network can exceed that accuracy.",
    ]
    return Markup().join(Markup("<p>{}</p>").format(sentence) for sentence in sentences)


def _describe_gains(variants):
    """What the photo and the order of the words add, overall and by type of question."""
    if not {"lstm", "blind"} <= set(variants):
        return
    lstm, blind = variants["lstm"], variants["blind"]
    gain = lstm["accuracy"] - blind["accuracy"]
    gains = {
        name.lower(): lstm[f"accuracy_{kind}"] - blind[f"accuracy_{kind}"]
        for kind, name in QUESTION_TYPES.items()
        if f"accuracy_{kind}" in lstm
    }
    if gain <= NEGLIGIBLE_GAIN:
        yield "Overall the photo does not help: the blind LSTM is right about as often."
    elif gains:  # a visitor's own questions may be of other types
        best = max(gains, key=gains.get)
        most = f"most for the type “{best}” ({_points(gains[best])})"
        yield f"The photo adds {_points(gain)} of accuracy overall, {most}."
    else:
        yield f"The photo adds {_points(gain)} of accuracy overall."
    useless = [f"“{name}” ({_points(x)})" for name, x in gains.items() if x <= NEGLIGIBLE_GAIN]
    if useless:
        yield (
            f"It does not help with {', '.join(useless)}: the network answers these from the "
            "question alone."
        )
    if "bow" in variants:
        lead = variants["bow"]["accuracy"] - lstm["accuracy"]
        difference = f"{_points(abs(lead))} {'more' if lead > 0 else 'less'} accurate"
        if not round(100 * abs(lead), 1):
            difference = "equally accurate"
        yield f"The bag of words with the photo, which ignores the order of words, is {difference}."


def _describe_rephrasing(consistency):
    """How the LSTM answers the test questions in other words."""
    if consistency:
        before, after = consistency["accuracy"], consistency["accuracy_rephrased"]
        change = "fell" if after < before else "rose" if after > before else "stayed"
        yield (
            f"Rephrasing {consistency['questions']:,} questions left "
            f"{percent(consistency['same'], 1)} of the answers unchanged; accuracy {change} from "
            f"{percent(before, 1)} to {percent(after, 1)}."
        )


def _points(difference):
    """A difference of two accuracies in percentage points, with a true minus."""
    return f"{100 * difference:z.1f} points".replace("-", "−")


def draw_about(card):
    """The scores with their heading, for the About page."""
    return Markup("<h3>{}</h3><p>Scored on the {}, {:,} of them; {}.</p>{}{}").format(
        card["title"],
        card["test_set"],
        card["examples"],
        card["scoring"],
        draw_scores(card),
        describe_scores(card),
    )


def preview():
    """A photo, a question and its answers for the home page, from the shipped LSTM."""
    from apps.vqa.predictor import Predictor  # imported on first use: it brings in TensorFlow

    question = suggest_questions(FIRST)[0]
    reply = Predictor.load().answer(photos.EXAMPLES[FIRST].path, question)
    bar = Markup(
        '<div style="display:flex;gap:8px;align-items:center;font-size:12px">'
        '<span style="width:4em">{}</span><i style="flex:1;height:8px;background:var(--rule)">'
        '<i style="display:block;height:100%;width:{:.0f}%;background:var(--positive)"></i></i>'
        '<span style="width:3em;text-align:right">{}</span></div>'
    )
    bars = Markup().join(
        bar.format(each.text, 100 * each.probability, chance(each.probability))
        for each in reply.answers[:3]
    )
    return Markup(
        '<div style="display:flex;gap:14px;align-items:center;color:var(--ink)">'
        '<img src="{}" alt="{}" style="width:96px;height:120px;object-fit:cover;border-radius:6px;'
        'margin:0"/><div style="flex:1;min-width:0"><div style="font-size:13px;color:var(--ink-2)">'
        '{}</div><div style="font:600 24px/1.3 var(--serif)">{}</div>{}</div></div>'
    ).format(
        f"{{photo:{FIRST}}}",
        photos.EXAMPLES[FIRST].description,
        question,
        format_answer(reply),
        bars,
    )
