"""What the page shows of a photograph and its captions: pictures, bars and tables as HTML."""

import difflib
from dataclasses import dataclass
from html import escape

import numpy as np

from apps.captioning import GRID_SIZE
from apps.captioning.examples import REFERENCES
from shared import page, photos, plots
from shared.plots import chance, percent, signed

CELLS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
OTHERS = {
    "nearest": "Caption of the nearest training photo",
    "common": "The most common caption",
    "human": "People, each against the others",
}
EXAMPLES_NOTE = (
    '<p class="small">The photos from which the network learned, people and dogs out of doors, may '
    "not be shown here. These examples show other things, and it sees people and dogs in them all "
    "the same. Try it on a photo of your own.</p>"
)
PEOPLE = (
    '<p class="small">People are the ceiling, not a model: each is scored against the other four '
    "references, all else against all five, which makes its BLEU look better beside theirs.</p>"
)
MEASURES = {"BLEU-1": "bleu1", "BLEU-2": "bleu2", "BLEU-3": "bleu3", "BLEU-4": "bleu4"}

STYLE = """<style>
.sight{display:grid;grid-template-columns:minmax(240px,max-content) minmax(300px,380px);
gap:16px 40px;align-items:start;justify-content:center}
.sight .moves{grid-column:1/-1;margin:0;max-width:none}
.looks{font-size:14px;line-height:1.5;color:var(--ink-2);min-height:42px;padding-top:8px;
width:0;min-width:100%}
.text .looks p{margin:0}
.steps .head,.text .steps button{display:grid;width:100%;
grid-template-columns:minmax(0,1fr) 108px 3.2em 3.2em;gap:10px;align-items:center}
.steps .head{font-size:13px;line-height:1.3;color:var(--ink-2);padding:0 8px 6px;
box-sizing:border-box;align-items:end;border-bottom:1px solid var(--rule)}
.text .steps button{padding:5px 8px;border:0;border-radius:4px;background:none;color:var(--ink);
text-align:left;cursor:pointer;font:400 18px/1.3 var(--serif);min-height:32px}
.text .steps button.lit{background:var(--hover);box-shadow:inset 3px 0 var(--positive)}
.steps button b{font-weight:400;overflow-wrap:anywhere}.steps button.lit b{font-weight:600}
.steps .end b{color:var(--ink-2);font-style:italic}
.steps i{height:10px;background:var(--rule);border-radius:2px;overflow:hidden}
.steps i u{display:block;height:100%;background:var(--positive)}
.steps :is(em,.head span:nth-child(n+3)){font:13px/1.3 var(--sans);color:var(--ink-2);
text-align:right;font-variant-numeric:tabular-nums}
.steps .head span:nth-child(2){grid-column:2/4}
.cover .cells{position:absolute;inset:0;display:grid;grid-template:repeat(7,1fr)/repeat(7,1fr)}
.text .cover button{border:0;padding:0;background:none;cursor:pointer;
box-shadow:inset 0 0 0 .5px rgb(255 255 255/38%),inset 0 0 0 1px rgb(0 0 0/14%)}
.text .cover button:hover{background:rgb(127 127 127/45%)}
.text .cover button[aria-pressed=true]{background:rgb(127 127 127)}
.text .cover button:focus-visible{outline:3px solid #fff;outline-offset:-3px;
box-shadow:inset 0 0 0 5px #1b1d21}
#tab-captioning .told{display:grid;gap:18px 32px;margin:16px 0;
grid-template-columns:repeat(auto-fit,minmax(min(100%,220px),1fr))}
#tab-captioning .told div{border-top:3px solid var(--tone,var(--rule));padding-top:8px;
overflow-wrap:anywhere}
#tab-captioning .told :is(b,small){display:block;font:14px/1.5 var(--sans);color:var(--ink-2)}
#tab-captioning .told b{font-weight:600;color:var(--ink)}
#tab-captioning .told span{font:400 19px/1.45 var(--serif)}
.told ins{text-decoration:underline 2px var(--positive);text-underline-offset:4px;
color:var(--positive-ink);font-weight:600}
.told del{color:var(--ink-2);text-decoration:line-through 1.5px}
.told u{text-decoration:none;font-weight:600;border:1.5px solid var(--ink-2);border-radius:5px;
padding:0 4px}
.text .walked{font:600 28px/1.25 var(--serif);min-height:70px;margin:8px 0 4px}
.text .people{font:400 17px/1.5 var(--serif)}
#tab-captioning .row.controls{align-items:end}
#tab-captioning .row.controls .form{gap:12px 24px}
#tab-captioning .scroll + .small{margin-top:10px}
@media (max-width:760px){.sight{grid-template-columns:minmax(0,1fr)}
.sight .shot{margin:0 auto;width:calc(360px*var(--ratio))}
.cover .shot{margin:0 auto}}
</style>"""


@dataclass(frozen=True)
class Seen:
    """A photograph with what was made of it.

    Attributes:
        photo: A `Photo`.
        features: As from `Predictor.features`, `(1, 7, 7, features)`.
        description: The `Description` in question.
    """

    photo: photos.Photo
    features: np.ndarray
    description: object

    @property
    def best(self):
        """The caption in question."""
        return self.description.captions[0]


def answer(seen, card, cell, width):
    """The caption, large, how likely it is, and how good the network is.

    Args:
        seen: A `Seen`.
        card: The bundle's card.
        cell: Name of the variant that wrote it.
        width: The beam's.
    """
    best = seen.best
    details, nearest = card["variants"][cell], card["baselines"]["nearest"]
    cut = (
        ""
        if best.ended
        else page.note("The caption had not ended after the most words allowed and was cut off.")
    )
    own = "" if seen.photo.example else photos.OWN
    people = card["baselines"]["human"]
    remark = f"People score {people['bleu4']:.1f}. " if people else ""
    sentence = (
        f'<p class="said">{escape(best.text)}</p><p class="sure">On (geometric) average the '
        f"{CELLS[cell]} was {chance(_each(best))} sure of each word. Among all that it could "
        f"write, this very sentence has a probability of {small(best.probability)}: the best that "
        f"a beam of width {width} found.</p>"
    )
    return (
        f'<div class="captioned">{photos.found(seen.photo, sentence)}{cut}{own}'
        + page.card_line(
            {**card, "baseline": {"name": OTHERS["nearest"].lower()}},
            CELLS[cell],
            f"{details['bleu4']:.1f}",
            f"{nearest['bleu4']:.1f}",
            details["parameters"] + card["encoder"]["parameters"],
            measure="BLEU-4 (overlap with people’s captions, 0 to 100)",
            remark=remark + card["limits"][0],
        )
        + "</div>"
    )


def _each(caption):
    """The chance of a word, a geometric mean."""
    return float(np.exp(caption.log_probability / len(caption.each)))


def small(probability):
    """A probability that may be small: `12 %`, `0.31 %`, `1 in 4,200,000`."""
    if probability >= 1e-3:
        return percent(probability, 0 if probability >= 0.1 else 1 if probability >= 0.01 else 2)
    if probability < 1e-9:
        return "under 1 in a billion"
    return f"1 in {float(f'{1 / probability:.2g}'):,.0f}"


def sight(seen, step=None):
    """Where the network looked for each word: one photograph, stepped through.

    Args:
        seen: A `Seen`.
        step: The word to begin with; the one that looked most if None.
    """
    best = seen.best
    names = [*best.words, "end"][: len(best.each)]
    step = int(np.argmax(best.gate)) if step is None else min(max(step, 0), len(names) - 1)
    veils, rows, said = [], [], []
    for n, name in enumerate(names):
        here = f'"{n} {n}"'
        weights, gate, sure = best.attention[n], float(best.gate[n]), float(best.each[n])
        ended = n == len(best.words)
        veils.append(f'<img data-show={here} src="{photos.veil(weights)}" alt=""/>')
        rows.append(
            f'<button type="button" data-lit={here} data-step="{n}"'
            f"{' class=end' if ended else ''}><b>{escape(name)}</b>"
            f'<i aria-hidden="true"><u style="width:{100 * gate:.0f}%"></u></i>'
            f"<em>{percent(gate)}</em><em>{chance(sure)}</em></button>"
        )
        look = f"“{name}”: {photos.looked(weights)}; gate {percent(gate)}."
        said.append(f"<p data-show={here}>{escape(look)}</p>")
    buttons = "".join(
        f'<button type="button" data-move="{how}">{text}</button>'
        for how, text in (("back", "‹ Back"), ("on", "Next word ›"))
    )
    photo = photos.shot(seen.photo, "".join(veils), named=False)
    body = (
        f'<div class="stepper" data-count="{len(names)}" data-n="{step}" data-stops="0">'
        f'<div class="sight"><div class="moves">{buttons}<input type="range" min="0" '
        f'max="{len(names) - 1}" aria-label="Word"/><span class="small">or the arrow keys, or '
        f'point at a word</span></div><div>{photo}<div class="looks" aria-live="polite">'
        f'{"".join(said)}</div></div><div class="steps"><div class="head"><span>Word</span>'
        f"<span>Gate: how much it looked</span><span>Chance</span></div>{''.join(rows)}</div>"
        "</div></div>"
    )
    return plots.figure(
        body,
        "Bright: where the network looked before it wrote the word, the brightest place clear and "
        "all else darkened. The gate says how much of what it saw there counted: names of things "
        "need the photo, words such as “of” follow from the words before. “end” ends the sentence.",
    )


def cover(seen, asked):
    """The photograph under a grid of cells to hide; `asked` changes whenever it starts afresh."""
    cells = "".join(
        f'<button type="button" aria-pressed="false" data-cell="{n}" '
        f'tabindex="{-1 if n else 0}" '
        f'aria-label="row {n // GRID_SIZE + 1}, column {n % GRID_SIZE + 1}">'
        "</button>"
        for n in range(GRID_SIZE**2)
    )
    grid = (
        '<div class="cells" role="group" aria-label="Squares to hide; arrow keys lead from one to '
        f'the next">{cells}</div>'
    )
    photo = photos.shot(seen.photo, grid)
    return f'<div class="cover" data-asked="{escape(str(asked))}">{photo}</div>'


def hidden(seen, found, cells):
    """What is said with a part of the photograph hidden, beside what was said of the whole."""
    many = f"{len(cells)} squares" if len(cells) > 1 else "one square"
    return _pair(
        ("The whole photo", seen.best),
        (f"Without {many}", found.captions[0]),
        "Grey squares are painted over before the encoder sees the photo, and attention is barred "
        "from them.",
    )


def changed(seen, found, place):
    """What is said after a word was changed, beside what was said before."""
    return _pair(
        ("As written", seen.best),
        ("With the word changed", found.captions[0]),
        "Framed: your word. The network takes it as its own and continues from there, looking "
        "again at every step.",
        place,
    )


def _pair(before, after, caption, place=None):
    """Two captions, with what differs marked, and how much that is."""
    (first, old), (second, new) = before, after
    removed, added = [], []
    matcher = difflib.SequenceMatcher(None, old.words, new.words, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        gone = " ".join(map(escape, old.words[a:b]))
        removed += [gone if kind == "equal" else f"<del>{gone}</del>"] if gone else []
        for n in range(c, d):
            word = escape(new.words[n])
            if n == place:
                added.append(f"<u>{word}</u>")
            else:
                added.append(word if kind == "equal" else f"<ins>{word}</ins>")
    kept = sum(block.size for block in matcher.get_matching_blocks())
    count = len(new.words) - kept
    if old.words == new.words:
        verdict = "The same words."
    else:
        verdict = f"{count} of {len(new.words)} words {'is' if count == 1 else 'are'} new."
    told = "".join(
        _told(name, page.Raw(" ".join(words)), f"probability {small(each.probability)}")
        for name, words, each in ((first, removed, old), (second, added, new))
    )
    return f'<div class="told">{told}</div><p class="small">{escape(f"{verdict} {caption}")}</p>'


def _told(name, text, figures, tone=""):
    """A caption with a name above it and figures below."""
    text = text if isinstance(text, page.Raw) else escape(text)
    style = f' style="--tone:{plots.colour(tone)}"' if tone else ""
    above, below = f"<b>{escape(name)}</b>", f"<small>{escape(figures)}</small>"
    return f"<div{style}>{above}<span>{text}</span>{below}</div>"


def found(seen, alpha):
    """The captions that the search found, the best first."""
    rows = [
        (each.text, small(each.probability), signed(each.log_probability), signed(each.score))
        for each in seen.description.captions
    ]
    table = page.table(
        ("Caption", "Probability", "Its logarithm", "Score"), rows, numbers=(1, 2, 3), winner=0
    )
    return (
        f'{table}<p class="small">Score: the logarithm ÷ ((5 + words) ÷ 6) to the power '
        f"{alpha:g}, the end counted as a word. A higher length penalty favours longer "
        "captions.</p>"
    )


def drawn(description, temperature):
    """Captions drawn from the distribution."""
    rows = [(each.text, small(each.probability)) for each in description.captions]
    count = len(rows)
    again = f" Of five drawn, {count} differ." if count < 5 else ""
    return (
        page.table(("Drawn", "Probability"), rows, numbers=(1,))
        + f'<p class="small">Temperature {temperature:g}: below 1 likely words become likelier, '
        f"above 1 unlikely ones get more of a chance.{again}</p>"
    )


def comparison(captions, card):
    """One photograph through the networks with each cell.

    Args:
        captions: Dict from the variant to its best `Caption`.
        card: The bundle's card.
    """
    told = []
    for name, caption in captions.items():
        details = card["variants"][name]
        figures = (
            f"{chance(_each(caption))} a word · BLEU-4 {details['bleu4']:.1f} · CIDEr "
            f"{details['cider']:.2f} · {details['parameters'] / 1e6:.1f} million parameters"
        )
        told.append(_told(CELLS[name], caption.text, figures, name))
    return (
        f'<div class="told">{"".join(told)}</div><p class="small">BLEU-4 and CIDEr on the '
        f"{escape(card['test_set'])}. One encoder, fine-tuned with the LSTM, serves all.</p>"
    )


def judged(seen, mine, people):
    """An example's references and the caption's scores beside those of people.

    Args:
        seen: A `Seen`; for a visitor's own photograph there is nothing to compare with.
        mine, people: As from `examples.judged`, or None.
    """
    if not seen.photo.example:
        return page.note(
            "This compares captions of the examples with what we wrote of them. Choose an example."
        )
    lines = "".join(f"<li>{escape(line)}</li>" for line in REFERENCES[seen.photo.example])
    names = [*MEASURES, "ROUGE-L, %", "CIDEr-D"]

    def row(name, scores):
        values = [f"{scores[key]:.1f}" for key in MEASURES.values()]
        return (name, *values, f"{100 * scores['rouge_l']:.1f}", f"{scores['cider']:.2f}")

    table = page.table(
        ("Beside these references", *names),
        [row("This caption", mine), row("Each of them beside the others", people)],
        numbers=range(1, 7),
    )
    return (
        f'<ul class="people">{lines}</ul>{table}<p class="small">We wrote these references, in the '
        "manner of Flickr8k; the photos come with Gradio and scikit-learn. All these scores count "
        "shared words, so that a sentence may be wrong and score well; higher is better. The "
        "second row says how well the references agree, each scored against the other four. One "
        "sentence is no test set: BLEU-4 is 0 unless four words in a row stand in a reference.</p>"
    )


def walked(caption, milliseconds):
    """The caption of a webcam's frame."""
    return (
        f'<p class="walked">{escape(caption.text)}</p><p class="small">{chance(_each(caption))} a '
        f"word · {milliseconds:.0f} ms</p>"
    )


def summary(results):
    """What several photographs came to; `results` are (name, caption, probability, note)."""
    refused = [each for each in results if each[3]]
    sentence = f"{len(results) - len(refused):,} of {len(results):,} photos captioned."
    if refused:
        name, *_, note = refused[0]
        sentence += f" {len(refused):,} could not be read; the first, {name[-60:]}: {note}"
    rows = [
        (name[-60:], text, small(sure) if text else "", note[:120])
        for name, text, sure, note in results[:5]
    ]
    columns = ("First photos", "Caption", "Probability", "Note")
    return page.note(sentence) + page.table(columns, rows, numbers=(2,))


def table(card):
    """The scores of the networks, of the baselines and of people."""
    rows = [(CELLS[key], details) for key, details in card["variants"].items()]
    for key, name in OTHERS.items():
        if card["baselines"].get(key):
            rows.append((name, card["baselines"][key]))
    # People are the ceiling and win nothing.
    best = [details["bleu4"] if name != OTHERS["human"] else -1 for name, details in rows]
    return page.table(
        ("Who writes", *MEASURES, "ROUGE-L, %", "CIDEr-D", "Parameters", "Training, minutes"),
        [
            (
                name,
                *(f"{details[key]:.1f}" for key in MEASURES.values()),
                f"{100 * details['rouge_l']:.1f}",
                f"{details['cider']:.2f}",
                f"{details['parameters']:,}" if "parameters" in details else "",
                f"{details['minutes']:.1f}" if "minutes" in details else "",
            )
            for name, details in rows
        ],
        numbers=range(1, 9),
        winner=int(np.argmax(best)),
    )


def scores(card):
    """The table with its heading, for the About page."""
    return (
        f"<h3>{escape(card['title'])}</h3><p>Scored on the {escape(card['test_set'])}, "
        f"{card['examples']:,} photos, by beam search; {escape(card['scoring'])}. The image "
        f"encoder adds {card['encoder']['parameters']:,} parameters: "
        f"{escape(card['encoder']['origin'])}.</p>{table(card)}{PEOPLE}"
    )
