"""HTML of the page: a photo, its captions, and where the network attended for each word."""

import difflib
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from apps.captioning import GRID_SIZE
from apps.captioning.examples import FIRST, REFERENCES
from shared import photos, plots
from shared.plots import chance, percent, signed
from shared.site import components

CELLS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
BASELINES = {
    "nearest": "Caption of the nearest training photo",
    "common": "The most common caption",
    "human": "People, each against the others",
}
MEASURES = {"BLEU-1": "bleu1", "BLEU-2": "bleu2", "BLEU-3": "bleu3", "BLEU-4": "bleu4"}
EXAMPLES_NOTE = Markup(
    '<p class="small">The network was trained on photos of people and dogs outdoors, which we are '
    "not allowed to show. Expect mistakes on anything else, such as these examples.</p>"
)
PEOPLE_NOTE = Markup(
    '<p class="small">People are an upper bound, not a model. Each of them is scored against the '
    "other four references, everything else against all five, which favours the models a "
    "little.</p>"
)


@dataclass(frozen=True, eq=False)
class CaptionedPhoto:
    """A photo with its captions.

    Attributes:
        photo: A `Photo`.
        features: From `Predictor.encode`, `(1, 7, 7, features)`.
        description: Its `Description`.
    """

    photo: photos.Photo
    features: np.ndarray
    description: object

    @property
    def best(self):
        """The best caption."""
        return self.description.captions[0]


def small(content):
    """A paragraph in small type."""
    return Markup('<p class="small">{}</p>').format(content)


def format_probability(probability):
    """Format a probability that may be tiny: `12 %`, `0.31 %`, `1 in 4,200,000`."""
    if probability >= 1e-3:
        return percent(probability, 0 if probability >= 0.1 else 1 if probability >= 0.01 else 2)
    if probability < 1e-9:
        return "less than 1 in a billion"
    return f"1 in {float(f'{1 / probability:.2g}'):,.0f}"


def draw_view(captioned):
    """The photo that is captioned."""
    return Markup('<div class="view">{}</div>').format(photos.draw_photo(captioned.photo))


def draw_answer(captioned, cell):
    """The caption, and how likely it is.

    Args:
        captioned: A `CaptionedPhoto`.
        cell: The variant that wrote the caption.
    """
    best = captioned.best
    sentence = (
        f"The {CELLS[cell]} was {chance(best.mean_probability)} sure of each word on average. This "
        "was the likeliest of the sentences it tried (probability "
        f"{format_probability(best.probability)})."
    )
    cut_off = components.note("The caption did not end within the maximum length and was cut off.")
    return Markup(
        '<div class="captioned"><p class="said">{}</p><p class="sure">{}</p>{}</div>'
    ).format(best.text, sentence, "" if best.is_complete else cut_off)


def draw_details(captioned, card, cell):
    """The scores of the network."""
    details, people = card["variants"][cell], card["baselines"]["human"]
    people_score = f"People score {people['bleu4']:.1f}. " if people else ""
    score_line = components.score_line(
        {**card, "baseline": {"name": BASELINES["nearest"].lower()}},
        CELLS[cell],
        f"{details['bleu4']:.1f}",
        f"{card['baselines']['nearest']['bleu4']:.1f}",
        details["parameters"] + card["encoder"]["parameters"],
        measure="BLEU-4 (overlap with people’s captions, 0 to 100)",
        remark=people_score + card["limits"][0],
    )
    return ("" if captioned.photo.example else photos.OWN_PHOTO_NOTE) + score_line


def draw_attention(captioned, step=None):
    """Where the network attended for each word: one photo, to be stepped through.

    Args:
        captioned: A `CaptionedPhoto`.
        step: The word to begin with; the one with the largest gate if None.
    """
    best = captioned.best
    names = [*best.words, "end"][: len(best.word_probabilities)]
    step = int(np.argmax(best.gate)) if step is None else min(max(step, 0), len(names) - 1)
    overlays, rows, texts = zip(
        *(_draw_step(best, n, name) for n, name in enumerate(names)), strict=True
    )
    photo = photos.draw_photo(captioned.photo, Markup().join(overlays), label_whole=True)
    body = Markup(
        '<div class="stepper" data-count="{count}" data-n="{step}" data-stops="0">'
        '<div class="sight"><div class="moves">'
        '<button type="button" data-move="back">‹ Back</button>'
        '<button type="button" data-move="on">Next word ›</button>'
        '<input type="range" min="0" max="{last}" aria-label="Word"/>'
        '<span class="small">or use the arrow keys, or point at a word</span></div>'
        '<div>{photo}<div class="looks" aria-live="polite">{texts}</div></div>'
        '<div class="steps"><div class="head"><span>Word</span><span>Gate: use of the photo</span>'
        "<span>Chance</span></div>{rows}</div></div></div>"
    ).format(
        count=len(names),
        step=step,
        last=len(names) - 1,
        photo=photo,
        texts=Markup().join(texts),
        rows=Markup().join(rows),
    )
    return Markup(
        plots.figure(
            body,
            "Bright: where the network attended before it wrote the word; the rest is darkened. "
            "The gate scales how much the attended region contributes: names of things need the "
            "photo, while words such as “of” follow from the words before. “end” ends the "
            "sentence.",
        )
    )


def _draw_step(caption, n, name):
    """The overlay, the row and the text of word `n`."""
    attention, gate = caption.attention[n], float(caption.gate[n])
    overlay = Markup('<img data-show="{0} {0}" src="{1}" alt=""/>')
    row = Markup(
        '<button type="button" data-lit="{0} {0}" data-step="{0}"{1}><b>{2}</b>'
        '<i aria-hidden="true"><u style="width:{3:.0f}%"></u></i><em>{4}</em><em>{5}</em></button>'
    )
    text = Markup('<p data-show="{0} {0}">“{1}”: {2}; gate {3}.</p>')
    is_end = Markup(" class=end") if n == len(caption.words) else ""
    probability = chance(float(caption.word_probabilities[n]))
    return (
        overlay.format(n, photos.attention_overlay(attention)),
        row.format(n, is_end, name, 100 * gate, percent(gate), probability),
        text.format(n, name, photos.describe_attention(attention), percent(gate)),
    )


def draw_squares(captioned, answer_id):
    """The photo under a grid of squares to hide.

    Args:
        captioned: A `CaptionedPhoto`.
        answer_id: Identifies the answer: clicks on the squares of an earlier answer are ignored.
    """
    square = Markup(
        '<button type="button" aria-pressed="false" data-cell="{}" tabindex="{}" '
        'aria-label="row {}, column {}"></button>'
    )
    squares = Markup().join(
        square.format(n, -1 if n else 0, n // GRID_SIZE + 1, n % GRID_SIZE + 1)
        for n in range(GRID_SIZE**2)
    )
    grid = Markup(
        '<div class="cells" role="group" aria-label="Squares to hide; move between them with the '
        'arrow keys">{}</div>'
    ).format(squares)
    return Markup('<div class="cover" data-answer="{}">{}</div>').format(
        answer_id, photos.draw_photo(captioned.photo, grid)
    )


def draw_hidden(captioned, description, cells):
    """The caption with some squares hidden, compared with that of the whole photo."""
    squares = f"{len(cells)} squares" if len(cells) > 1 else "one square"
    return _draw_change(
        ("The whole photo", captioned.best),
        (f"Without {squares}", description.captions[0]),
        "Hidden squares are painted grey before the encoder reads the photo, and excluded from the "
        "attention.",
    )


def draw_changed(captioned, description, place):
    """The caption after the word at `place` was replaced, compared with the original."""
    return _draw_change(
        ("As written", captioned.best),
        ("With the word replaced", description.captions[0]),
        "Framed: your word. The network continues from it, and attends to the photo again at every "
        "step.",
        place,
    )


def _draw_change(before, after, note, place=None):
    """Two (name, caption) with the words that differ marked, and their number."""
    (first, old), (second, new) = before, after
    removed, added, unchanged = [], [], 0
    matcher = difflib.SequenceMatcher(None, old.words, new.words, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        is_equal = kind == "equal"
        unchanged += (b - a) * is_equal
        if a < b:
            words = " ".join(old.words[a:b])
            removed.append(escape(words) if is_equal else Markup("<del>{}</del>").format(words))
        for n in range(c, d):
            tag = "<u>{}</u>" if n == place else "{}" if is_equal else "<ins>{}</ins>"
            added.append(Markup(tag).format(new.words[n]))
    count = len(new.words) - unchanged
    verdict = f"{count} of {len(new.words)} words {'is' if count == 1 else 'are'} new."
    if old.words == new.words:
        verdict = "The words are the same."
    captions = Markup().join(
        _draw_caption(name, Markup(" ").join(words), _format_odds(caption))
        for name, words, caption in ((first, removed, old), (second, added, new))
    )
    return Markup('<div class="told">{}</div>{}').format(captions, small(f"{verdict} {note}"))


def _format_odds(caption):
    return f"probability {format_probability(caption.probability)}"


def _draw_caption(name, text, figures, colour=""):
    """A caption with a name above it and figures below."""
    style = Markup(' style="--tone:{}"').format(plots.colour(colour)) if colour else ""
    block = Markup("<div{}><b>{}</b><span>{}</span><small>{}</small></div>")
    return block.format(style, name, text, figures)


def draw_beam(captioned, alpha):
    """The captions that the beam search found, the best first."""
    rows = [
        (
            caption.text,
            format_probability(caption.probability),
            signed(caption.log_probability),
            signed(caption.score),
        )
        for caption in captioned.description.captions
    ]
    columns = ("Caption", "Probability", "Log-probability", "Score")
    table = components.table(columns, rows, numbers=(1, 2, 3), winner=0)
    note = (
        f"Score: log-probability ÷ ((5 + words) ÷ 6) to the power {alpha:g}, where the end counts "
        "as a word. A higher length penalty favours longer captions. No caption may repeat a word "
        "at once, or a pair of words."
    )
    return table + small(note)


def draw_samples(description, temperature):
    """Captions sampled from the network's distribution."""
    captions = description.captions
    rows = [(caption.text, format_probability(caption.probability)) for caption in captions]
    note = (
        f"Temperature {temperature:g}: below 1 likely words become likelier, above 1 unlikely "
        "words get more of a chance."
    )
    if len(rows) < 5:
        note += f" {len(rows)} of the five samples differ."
    return components.table(("Sample", "Probability"), rows, numbers=(1,)) + small(note)


def draw_comparison(captions, card):
    """One photo captioned by the networks with each cell.

    Args:
        captions: Dict from the variant to its best `Caption`.
        card: The bundle's card.
    """
    blocks = []
    for name, caption in captions.items():
        details = card["variants"][name]
        figures = (
            f"{chance(caption.mean_probability)} per word · BLEU-4 {details['bleu4']:.1f} · CIDEr "
            f"{details['cider']:.2f} · {details['parameters'] / 1e6:.1f} million parameters"
        )
        blocks.append(_draw_caption(CELLS[name], caption.text, figures, name))
    note = (
        f"BLEU-4 and CIDEr on the {card['test_set']}. All networks use one encoder, which was "
        "fine-tuned with the LSTM."
    )
    return Markup('<div class="told">{}</div>{}').format(Markup().join(blocks), small(note))


def draw_references(captioned, scores, people):
    """The references of an example, and the caption's scores beside theirs.

    Args:
        captioned: A `CaptionedPhoto`; a visitor's own photo has no references.
        scores, people: From `examples.score_example`, or None.
    """
    if not captioned.photo.example:
        return components.note("Only the examples have references. Choose one of them above.")
    references = REFERENCES[captioned.photo.example]
    lines = Markup().join(Markup("<li>{}</li>").format(line) for line in references)
    names = ("This caption", scores), ("Each reference against the others", people)
    table = components.table(
        ("Compared with these references", *MEASURES, "ROUGE-L, %", "CIDEr-D"),
        [(name, *_format_scores(values)) for name, values in names],
        numbers=range(1, 7),
    )
    note = (
        "We wrote these references in the style of Flickr8k; the photos come with Gradio and "
        "scikit-learn. All scores count shared words, higher is better, and a wrong sentence can "
        "score well. The second row shows how well the references agree. One sentence is not a "
        "test set: BLEU-4 is 0 unless four words in a row occur in a reference."
    )
    return Markup('<ul class="people">{}</ul>{}{}').format(lines, table, small(note))


def _format_scores(scores):
    values = [f"{scores[key]:.1f}" for key in MEASURES.values()]
    return [*values, f"{100 * scores['rouge_l']:.1f}", f"{scores['cider']:.2f}"]


def draw_frame_caption(caption, milliseconds):
    """The caption of a webcam's frame."""
    figures = f"{chance(caption.mean_probability)} per word · {milliseconds:.0f} ms"
    return Markup('<p class="walked">{}</p>{}').format(caption.text, small(figures))


def draw_batch_summary(results):
    """Summarise several photos; `results` are (name, caption, probability, note)."""
    failures = [result for result in results if result[3]]
    sentence = f"{len(results) - len(failures):,} of {len(results):,} photos captioned."
    if failures:
        name, *_, note = failures[0]
        sentence += f" {len(failures):,} could not be read; the first, {name[-60:]}: {note}"
    rows = [
        (name[-60:], text, format_probability(probability) if text else "", note[:120])
        for name, text, probability, note in results[:5]
    ]
    columns = ("First photos", "Caption", "Probability", "Note")
    return components.note(sentence) + components.table(columns, rows, numbers=(2,))


def draw_scores(card):
    """The scores of the networks, of the baselines and of people."""
    models = [(CELLS[key], details) for key, details in card["variants"].items()]
    baselines = [(name, card["baselines"].get(key)) for key, name in BASELINES.items()]
    models += [(name, details) for name, details in baselines if details]
    rows = [
        (
            name,
            *_format_scores(details),
            f"{details['parameters']:,}" if "parameters" in details else "",
            f"{details['minutes']:.1f}" if "minutes" in details else "",
        )
        for name, details in models
    ]
    # People are an upper bound and do not win.
    bleu4 = [-1 if name == BASELINES["human"] else details["bleu4"] for name, details in models]
    columns = ("Captions by", *MEASURES, "ROUGE-L, %", "CIDEr-D", "Parameters", "Training, minutes")
    winner = int(np.argmax(bleu4))
    return components.table(columns, rows, numbers=range(1, len(columns)), winner=winner)


def draw_about(card):
    """The scores with their heading, for the About page."""
    return Markup(
        "<h3>{}</h3><p>Scored on the {}, {:,} photos, by beam search; {}. The image encoder adds "
        "{:,} parameters: {}.</p>{}{}"
    ).format(
        card["title"],
        card["test_set"],
        card["examples"],
        card["scoring"],
        card["encoder"]["parameters"],
        card["encoder"]["origin"],
        draw_scores(card),
        PEOPLE_NOTE,
    )


def preview():
    """A photo, its caption and the gate of each word for the home page, from the shipped LSTM."""
    from apps.captioning.predictor import Predictor  # on first use: it brings in TensorFlow

    example = photos.EXAMPLES[FIRST]
    best = Predictor.load().describe([example.path])[0].captions[0]
    word = Markup(
        '<span style="display:inline-block">{}'
        '<i style="display:block;height:4px;width:{:.0f}%;background:var(--positive)"></i></span>'
    )
    words = Markup(" ").join(
        word.format(*pair) for pair in zip(best.words, 100 * best.gate, strict=False)
    )
    return Markup(
        '<div style="display:flex;gap:14px;align-items:center;color:var(--ink)">'
        '<img src="{}" alt="{}" style="width:96px;height:120px;object-fit:cover;border-radius:6px;'
        'margin:0"/><div style="flex:1;min-width:0">'
        '<div style="font:600 18px/1.5 var(--serif)">{}</div>'
        '<div style="font-size:12px;color:var(--ink-2);margin-top:6px">Bars: use of the photo for '
        "each word. It was trained on people and dogs.</div></div></div>"
    ).format(f"{{photo:{FIRST}}}", example.description, words)
