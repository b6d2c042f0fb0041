"""What the page shows of a photograph, a question and its answers: pictures and tables as HTML."""

from dataclasses import dataclass
from html import escape

import numpy as np

from apps.vqa import GRID_SIZE
from shared import page, photos, plots
from shared.plots import chance, percent, signed

CELLS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
# The networks of the card: name, and what each has of the photo.
NETWORKS = {
    "lstm": ("LSTM + photo", "49 squares, weighed by the question"),
    "gru": ("GRU + photo", "49 squares, weighed by the question"),
    "rnn": ("RNN + photo", "49 squares, weighed by the question"),
    "bow": ("Bag of words + photo", "their mean; the words in no order"),
    "blind": ("Blind LSTM", "nothing: the question alone"),
}
OTHERS = {
    "nearest": "Answer to the nearest training question",
    "majority": "The most frequent answer to each type of question",
}
TYPES = {
    "yes/no": "Yes or no",
    "object": "Object",
    "number": "Number",
    "color": "Colour",
    "location": "Location",
    "other": "Other",
}
NEAR = 0.02  # a difference in accuracy up to which the page speaks of none

STYLE = """<style>
.guesses{display:grid;gap:6px;margin:18px 0 4px}
.guesses div{display:grid;grid-template-columns:minmax(0,11em) 1fr 3.4em;gap:12px;
align-items:center;font-size:16px;line-height:1.3}
.guesses span{overflow-wrap:anywhere}
.guesses i{height:12px;background:var(--rule);border-radius:2px;overflow:hidden}
.guesses u{display:block;height:100%;background:var(--positive)}
.guesses em{font-style:normal;text-align:right;color:var(--ink-2);
font-variant-numeric:tabular-nums}
.asked .fig{margin-top:12px}
.text .before{font-size:14px;line-height:1.6;color:var(--ink-2);margin:10px 0}
.before b{font-weight:600;color:var(--ink)}
.sides{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,210px),1fr));
gap:20px 24px;margin:16px 0 8px;align-items:end}
.sides .shot{width:min(100%,calc(200px*var(--ratio)))}
.sides .grey{background:#7f7f7f}
.sides p{margin:0}
.sides .name{font-size:14px;color:var(--ink-2);margin:10px 0 2px}
.sides .word{font:600 22px/1.25 var(--serif);overflow-wrap:anywhere}
.shares{display:grid;gap:10px;margin:18px 0 4px}
.shares div{display:grid;grid-template-columns:minmax(0,11em) 1fr 3.4em;gap:12px;
align-items:center;font-size:15px;line-height:1.3}
.shares i{display:flex;height:14px;background:var(--baseline);border-radius:2px;overflow:hidden}
.shares u{background:var(--positive)}
.shares em{font-style:normal;text-align:right;font-variant-numeric:tabular-nums}
.asked .shot,.looked .shot{margin:0 auto}
#tab-vqa .row.controls .form{gap:12px 24px}
#tab-vqa .gr-accordion{margin-top:8px}
@media (max-width:560px){.guesses div,.shares div{grid-template-columns:minmax(0,7em) 1fr 3em;
gap:8px}
.sides{grid-template-columns:repeat(auto-fit,minmax(100px,1fr));gap:16px}}
</style>"""


@dataclass(frozen=True, eq=False)
class Seen:
    """A photograph with what the network sees of it.

    Attributes:
        photo: A `Photo`.
        grid: As from `Predictor.encode_photo`, `(49, components)`.
    """

    photo: photos.Photo
    grid: np.ndarray


@dataclass(frozen=True, eq=False)
class Asked:
    """A question about a photograph and what was answered.

    Attributes:
        cell: The variant that answered.
        reply: Its `Reply`.
        before: (question, answer) pairs of the same photograph, the latest last.
    """

    cell: str
    reply: object
    before: tuple[tuple[str, str], ...] = ()


def said(reply):
    """The answer as the page gives it."""
    return _capital(reply.text) if reply.sure else "I don’t know"


def answer(seen, asked, card):
    """The answer, large, the four after it, the words that led to it, and how good the network is.

    Args:
        seen: A `Seen`.
        asked: An `Asked`.
        card: The bundle's card.
    """
    reply, name = asked.reply, CELLS[asked.cell]
    first = f'<p class="said">{escape(said(reply))}</p><p class="sure">{_sure(asked, card)}</p>'
    details, blind = card["variants"][asked.cell], card["variants"].get("blind")
    baseline = blind or card["baselines"]["majority"]
    words = reply.words
    importance = plots.coloured_words(
        reply.question,
        [(word.start, word.end) for word in words],
        [word.importance for word in words],
        [
            f"“{word.text}” {signed(word.importance)}{'' if word.known else ', unknown'}"
            for word in words
        ],
    )
    return "".join(
        [
            f'<div class="asked">{photos.found(seen.photo, first)}',
            *map(page.note, reply.notes),
            _guesses(reply.answers),
            plots.figure(
                importance,
                "Shade: how much each word mattered, the fall of the answer’s log-probability when "
                "the network does not read it. Blue spoke for the answer, orange against it. Point "
                "at a word for its number.",
            ),
            _before(asked.before),
            "" if seen.photo.example else photos.OWN,
            page.card_line(
                {**card, "baseline": {"name": "blind LSTM" if blind else OTHERS["majority"]}},
                f"{name} + photo",
                percent(details["accuracy"], 1),
                percent(baseline["accuracy"], 1),
                details["parameters"],
                remark=card["limits"][0],
            ),
            "</div>",
        ]
    )


def _sure(asked, card):
    reply, name = asked.reply, CELLS[asked.cell]
    best = reply.answers[0]
    if reply.sure:
        count = card["answers"]
        return escape(
            f"The {name} gives this a probability of {chance(best.probability)}, among the {count} "
            "answers that it knows."
        )
    guess = f"Its best guess is “{best.text}”, with a probability of {chance(best.probability)}"
    if len(reply.unknown) * 2 >= len(reply.words):
        return escape(f"The {name} knows too few of these words. {guess}.")
    least = card["variants"][asked.cell]["threshold"]["probability"]
    return escape(f"{guess}: below {chance(least)} it is mostly wrong, so it does not say.")


def _guesses(answers):
    rows = "".join(
        f"<div><span>{escape(each.text)}</span>"
        f'<i aria-hidden="true"><u style="width:{100 * each.probability:.1f}%"></u></i>'
        f"<em>{chance(each.probability)}</em></div>"
        for each in answers
    )
    return f'<div class="guesses">{rows}</div>'


def _before(pairs):
    if not pairs:
        return ""
    told = " · ".join(f"{escape(question)} <b>{escape(text)}</b>" for question, text in pairs)
    return f'<p class="before">Asked about this photo before: {told}</p>'


def unasked(seen):
    """A photograph of which nothing has been asked yet."""
    text = '<p class="sure">The photo is here. Ask something about it.</p>'
    return f'<div class="asked">{photos.found(seen.photo, text)}</div>'


def sight(seen, asked):
    """Where the network looked for the question."""
    reply = asked.reply
    veiled = f'<img src="{photos.veil(reply.attention)}" alt=""/>'
    return plots.figure(
        f'<div class="looked">{photos.shot(seen.photo, veiled, named=False)}</div>',
        f"Bright: where the network looked for “{reply.question}”, the brightest place clear and "
        f"all else darkened. Here {photos.looked(reply.attention)}. A look spread over all "
        f"{GRID_SIZE**2} squares is a look at nothing in particular.",
    )


def usual(card):
    """What can be answered without looking: the most frequent answers in training."""
    habits = card["habits"]
    told = [
        f"“{habits[kind]}” ({name.lower()})"
        for kind, name in TYPES.items()
        if kind in habits and kind != "other"
    ]
    told = told or [f"“{habits['all']}”"]
    return (
        "Much can be guessed without looking. In training the most frequent answer was "
        f"{', '.join(told)}. So the same question is asked with the "
        "photo greyed out, and with another photo."
    )


def habit(seen, other, asked, swapped):
    """The same question without the photograph and with another, and how much that changes.

    Args:
        seen, other: `Seen`, of the photograph and of the other.
        asked: An `Asked` about the first.
        swapped: The `Reply` to the same, compared with the other.
    """
    reply = asked.reply
    grey = f'<div class="shot grey" style="--ratio:{seen.photo.ratio:.4f}"></div>'
    sides = "".join(
        _side(picture, name, best)
        for picture, name, best in (
            (photos.shot(seen.photo), "The photo", reply.answers[0]),
            (grey, "Greyed out", reply.blank[0]),
            (photos.shot(other.photo), "Another photo", swapped.blank[0]),
        )
    )
    shares = _shares([("Greyed out", reply.looked), ("Another photo", swapped.looked)])
    same = "the same" if reply.blank[0].text == reply.text else "another"
    sentence = (
        f"With the photo greyed out, {percent(reply.looked)} of the probability moves to other "
        "answers: so much of the answer comes from the photo. The other "
        f"{percent(1 - reply.looked)} is the habit of language, what the question alone suggests. "
        f"The likeliest answer is then {same}; “{reply.text}” goes from "
        f"{chance(reply.answers[0].probability)} to {chance(reply.kept)}."
    )
    return f'<div class="sides">{sides}</div>' + plots.figure(
        shares,
        sentence,
        plots.legend(
            [("from the photo", "positive"), ("habit: stays whatever it sees", "baseline")]
        ),
    )


def _side(picture, name, best):
    return (
        f'<div>{picture}<p class="name">{escape(name)}</p><p class="word">{escape(best.text)}</p>'
        f'<p class="small">{chance(best.probability)}</p></div>'
    )


def _shares(rows):
    body = "".join(
        f'<div><span>{escape(name)}</span><i aria-hidden="true">'
        f'<u style="width:{100 * share:.1f}%"></u></i><em>{percent(share)}</em></div>'
        for name, share in rows
    )
    return f'<div class="shares">{body}</div>'


def pair(question, one, other, reply):
    """One question about two photographs.

    Args:
        question: What is asked.
        one, other: `Photo`s.
        reply: The `Reply` about the first, compared with the other.
    """
    sides = "".join(
        _side(photos.shot(photo), "", best)
        for photo, best in ((one, reply.answers[0]), (other, reply.blank[0]))
    )
    moved = f"{percent(reply.looked)} of the probability moves with the photo."
    if reply.text == reply.blank[0].text:
        verdict = f"The same answer to both: it does not tell them apart here. {moved}"
    else:
        verdict = f"Two answers to one question: the difference can only come from looking. {moved}"
    return (
        f'<h3>{escape(question)}</h3><div class="sides">{sides}</div>'
        f'<p class="small">{escape(verdict)}</p>'
    )


def comparison(replies, card):
    """One question through all networks of the bundle.

    Args:
        replies: Dict from the variant to its `Reply`.
        card: The bundle's card.
    """
    rows = [
        (
            NETWORKS[name][0],
            reply.text,
            chance(reply.answers[0].probability),
            percent(reply.looked),
            percent(card["variants"][name]["accuracy"], 1),
            NETWORKS[name][1],
        )
        for name, reply in replies.items()
    ]
    scores = [card["variants"][name]["accuracy"] for name in replies]
    table = page.table(
        ("Network", "Answer", "Probability", "Looked", "Accuracy", "Sees of the photo"),
        rows,
        numbers=(2, 3, 4),
        winner=int(np.argmax(scores)),
    )
    return f'{table}<p class="small">{escape(_agreement(replies))}</p>'


def _agreement(replies):
    ends = (
        "Looked: the probability that moves when the photo is greyed out. In bold: the network "
        "that is right most often on the test set."
    )
    if "blind" not in replies or "lstm" not in replies:
        return ends
    blind, lstm = replies["blind"].text, replies["lstm"].text
    if blind == lstm:
        return f"The blind LSTM, which sees no photo, says the same: “{blind}” may be habit. {ends}"
    return f"The blind LSTM, which sees no photo, says “{blind}”, the one with it “{lstm}”. {ends}"


def summary(column, questions, results):
    """What a file of questions came to.

    Args:
        column: Name of the column that was read.
        questions: List of strings.
        results: For each (answer, probability, note).
    """
    answered = [result for result in results if result[0]]
    unsure = sum(bool(note) for _, _, note in answered)
    parts = [f"Read from the column “{column}”: {len(answered):,} of {len(results):,} answered"]
    parts.append(f", {unsure:,} of them with “I don’t know” beside the guess." if unsure else ".")
    refused = next((n for n, result in enumerate(results) if not result[0]), None)
    if refused is not None:
        parts.append(f" The first that was not, row {refused + 1:,}: {results[refused][2]}")
    rows = [
        (question[:80], text, chance(sure) if text else "", note[:120])
        for question, (text, sure, note) in zip(questions[:5], results[:5], strict=True)
    ]
    columns = ("First questions", "Answer", "Probability", "Note")
    return page.note("".join(parts)) + page.table(columns, rows, numbers=(2,))


def table(card):
    """The scores of the networks and of the baselines, in all and by type of question."""
    rows = [
        (NETWORKS[key][0], card["variants"][key]) for key in NETWORKS if key in card["variants"]
    ]
    rows += [(OTHERS[key], card["baselines"][key]) for key in OTHERS]
    kinds = [kind for kind in TYPES if f"accuracy_{kind}" in rows[0][1]]
    return page.table(
        ("Model", "All", *(TYPES[kind] for kind in kinds), "Parameters"),
        [
            (
                name,
                percent(scores["accuracy"], 1),
                *(percent(scores[f"accuracy_{kind}"], 1) for kind in kinds),
                f"{scores['parameters']:,}" if "parameters" in scores else "",
            )
            for name, scores in rows
        ],
        numbers=range(1, len(kinds) + 3),
        winner=int(np.argmax([scores["accuracy"] for _, scores in rows])),
    )


def verdict(card):
    """In plain sentences: where the photo helps, how the answers hold, what cannot be right."""
    sentences = [*_help(card), *_consistency(card["variants"].get("lstm", {}))]
    sentences.append(
        f"It can only choose among {card['answers']:,} answers. Of the questions scored, "
        f"{percent(_covered(card), 1)} have theirs among them, the most that could be right."
    )
    return "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)


def _help(card):
    """What the photo adds to the LSTM, type by type."""
    if not {"lstm", "blind"} <= set(card["variants"]):
        return []
    lstm, blind = card["variants"]["lstm"], card["variants"]["blind"]
    gains = {
        name: lstm[f"accuracy_{kind}"] - blind[f"accuracy_{kind}"]
        for kind, name in TYPES.items()
        if f"accuracy_{kind}" in lstm
    }
    gain = lstm["accuracy"] - blind["accuracy"]
    best = max(gains, key=gains.get, default=None)  # questions of one's own may have other types
    most = f", most for the type “{best.lower()}” ({_points(gains[best])})" if best else ""
    told = [
        f"The photo makes {_points(gain)} of difference in all{most}."
        if gain > NEAR
        else "In all the photo does not help: the blind LSTM is right about as often."
    ]
    useless = [
        f"“{name.lower()}” ({_points(value)})" for name, value in gains.items() if value <= NEAR
    ]
    if useless:
        told.append(f"It does not help with {' and '.join(useless)}: there the answers are habit.")
    bag = card["variants"].get("bow")
    if bag:
        lead = lstm["accuracy"] - bag["accuracy"]
        told.append(
            f"The bag of words with the photo, which reads in no order, is {_points(abs(lead))} "
            f"{'behind' if lead > 0 else 'ahead'}."
            if round(100 * abs(lead), 1)
            else "The bag of words with the photo, which reads in no order, is right just as often."
        )
    return told


def _consistency(details):
    found = details.get("consistency")
    if not found:
        return []
    return [
        f"Asked again in other words, {found['questions']:,} questions got the same answer in "
        f"{percent(found['same'], 1)} of cases; {percent(found['accuracy'], 1)} of the answers "
        f"were right before, {percent(found['accuracy_rephrased'], 1)} after."
    ]


def _points(difference):
    """A difference of two accuracies: `+3.2 points`, the sign left out where it is positive."""
    number = f"{100 * difference:z.1f}".replace("-", "−")
    return f"{number} points"


def _covered(card):
    found = card["coverage"]
    return found.get("test", found["validation"])


def scores(card):
    """The table with its heading, for the About page."""
    return (
        f"<h3>{escape(card['title'])}</h3><p>Scored on the {escape(card['test_set'])}, "
        f"{card['examples']:,} of them; {escape(card['scoring'])}.</p>{table(card)}{verdict(card)}"
    )


def _capital(text):
    return text[:1].upper() + text[1:]
