"""What the page shows of a translation: text that lights up, tables and figures as HTML."""

from html import escape

import numpy as np

from apps.translation import charts
from shared import page
from shared.plots import chance, percent, signed

# The networks of the study: name in the tables, name in `PALETTE`, whether their line is dashed.
NETWORKS = {
    "attention": ("LSTM with attention", "lstm", False),
    "small": ("LSTM with attention, small", "input", False),
    "gru": ("GRU with attention", "gru", False),
    "rnn": ("RNN with attention", "rnn", False),
    "deep": ("Two layers of LSTM with attention", "output", False),
    "plain": ("LSTM, no attention", "lstm", True),
    "reversed": ("LSTM, no attention, source reversed", "baseline", True),
}
UNSURE_WORD = 0.35  # a chance below which a word is dotted

STYLE = """<style>
.aligned{margin:18px 0;font:400 20px/1.7 var(--serif)}
.aligned p{margin:0}.aligned .english{color:var(--ink-2);font-size:18px}
.aligned .looks{font:14px/1.5 var(--sans);color:var(--ink-2);min-height:21px}
.aligned :is(.e,.f){border-radius:4px;padding:1px 2px;margin:0 -2px;cursor:default}
.aligned .f{cursor:pointer}
.aligned .f.unsure{text-decoration:underline dotted var(--negative) 2px;text-underline-offset:5px}
.aligned .lit{background:rgb(var(--positive-rgb)/var(--s));color:var(--ink)}
.aligned .on{box-shadow:inset 0 -2px var(--ink)}
.aligned .f:focus-visible{outline:2px solid var(--ink);outline-offset:2px}
.attended{display:grid;grid-template-columns:auto minmax(0,1fr);max-width:760px;margin:4px auto 0}
.attended .rows{display:flex;flex-direction:column;padding-right:8px}
.attended .rows b{height:22px;font:13px/22px var(--sans);color:var(--ink-2);text-align:right}
.attended .field{display:grid;min-width:calc(var(--n)*20px);max-width:calc(var(--n)*56px)}
.attended img{grid-area:1/1;width:100%;max-width:none;height:calc(var(--m)*22px);margin:0;
image-rendering:pixelated;background:var(--surface);border-radius:0}
.attended .strips{grid-area:1/1;display:grid}.attended .strips i{display:block}
.attended .columns{grid-area:2/1;display:flex;padding:6px 0}
.attended .columns b{flex:1;min-width:0;display:flex;align-items:center;white-space:nowrap;
font:13px/1 var(--sans);color:var(--ink-2);writing-mode:vertical-rl}
.tree{display:grid;grid-template:repeat(var(--m),var(--h))/repeat(var(--n),var(--w));margin:0 auto;
width:calc(var(--n)*var(--w))}
.tree svg{grid-area:1/1/-1/-1;display:block;width:100%;height:100%}
.fig .tree path{stroke:var(--rule);stroke-width:1.5}
.fig .tree path.pruned{stroke:var(--baseline);stroke-dasharray:3 4;opacity:.55}
.fig .tree path.alive{stroke:var(--ink)}
.fig .tree path.best{stroke:var(--positive);stroke-width:3}
.fig .tree path.wait{stroke-dasharray:1 5;stroke-width:1.5}
.node{align-self:center;justify-self:start;margin-left:4px;max-width:calc(var(--w) - 16px);
box-sizing:border-box;display:flex;flex-direction:column;padding:1px 7px 3px;border-radius:6px;
border:1px solid var(--rule);background:var(--ground);font:15px/1.25 var(--sans);color:var(--ink);
white-space:nowrap;overflow:hidden}
.node small{font:11px/1.2 var(--sans);color:var(--ink-2);font-variant-numeric:tabular-nums}
.node.pruned{color:var(--ink-2);border-style:dashed;border-color:transparent}
.node.alive{border-color:var(--ink-2)}
.node.best{border:2px solid var(--positive);font-weight:600}
.told{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr));gap:18px 40px;
max-width:760px;margin:16px auto}
.told div{border-top:1px solid var(--rule);padding-top:8px;overflow-wrap:anywhere}
.told.one{grid-template-columns:1fr;gap:10px}
.told b,.told small{display:block;font:14px/1.5 var(--sans);color:var(--ink-2)}
.told b{font-weight:600;color:var(--ink)}
.told span{font:400 18px/1.5 var(--serif)}
.told .first span{font-weight:600}
.beneath,.told ~ .small{max-width:760px;margin-inline:auto}
.text .recalled{font:400 20px/1.8 var(--serif);margin:14px 0}
.recalled .seen{background:rgb(var(--positive-rgb)/22%);border-radius:4px;
padding:2px 3px;margin:0 -3px}
.recalled .new{text-decoration:underline dotted var(--negative) 2px;text-underline-offset:5px}
#tab-translation .row.boxes .form{gap:16px}
#tab-translation .row.controls .form{gap:12px 24px}
</style>"""


def answer(translation, doubts, card):
    """How sure the network is, what speaks against trusting it, and the text that lights up.

    Args:
        translation: A `Translation`.
        doubts: For each of its sentences a list of reasons not to trust it.
        card: The bundle's card.
    """
    several = len(translation.sentences) > 1
    notes = []
    for number, (sentence, reasons) in enumerate(
        zip(translation.sentences, doubts, strict=True), 1
    ):
        for reason in (*reasons, *sentence.notes):
            notes.append(f"Sentence {number}: {reason}" if several else reason)
    shown = (
        notes if len(notes) <= 6 else [*notes[:5], f"And {len(notes) - 5} more remarks like these."]
    )
    details, baseline = card["variants"]["attention"], card["baseline"]
    return "".join(
        [
            _confidence(translation, any(doubts)),
            *map(page.note, shown),
            *(aligned(sentence) for sentence in translation.sentences if not sentence.copied),
            page.card_line(
                card,
                NETWORKS["attention"][0],
                f"{details['bleu']:.1f}",
                f"{baseline['bleu']:.1f}",
                details["parameters"],
                measure="BLEU (overlap with people’s translations, 0 to 100)",
            ),
        ]
    )


def _confidence(translation, doubted):
    value = translation.confidence
    if value is None:
        return page.answer("=", "copied", "", "There is nothing in this to translate.")
    meaning = (
        "The chance that the network gave each token it wrote, on (geometric) average. Dotted: "
        f"words below {percent(UNSURE_WORD)}."
    )
    if doubted:
        return page.answer(
            chance(value), "sure, but read this first", "negative",
            f"{meaning} There are reasons not to trust it here:",
        )  # fmt: skip
    return page.answer(chance(value), "sure of its tokens", "", meaning)


def aligned(sentence):
    """A sentence above its translation; words of one show the words of the other (`align.js`)."""
    best = sentence.hypotheses[0]
    english, french = words(sentence.pieces, sentence.source), words(best.pieces, best.text)
    weights = word_weights(best.attention, french, english)
    above = _marked(
        sentence.source,
        english,
        [f'<span class="e">{escape(sentence.source[a:b])}</span>' for a, b, _ in english],
    )
    marked = []
    for number, (start, end, tokens) in enumerate(french):
        word = best.text[start:end]
        sure = float(np.prod(best.each[list(tokens)]))
        shares = " ".join(str(round(100 * float(weight))) for weight in weights[number])
        marked.append(
            f'<span class="f{" unsure" if sure < UNSURE_WORD else ""}" role="button" '
            f'tabindex="{0 if not number else -1}" data-w="{shares}" data-p="{chance(sure)}">'
            f"{escape(word)}</span>"
        )
    return (
        f'<div class="aligned"><p class="english" lang="en">{above}</p>'
        f'<p lang="fr">{_marked(best.text, french, marked)}</p>'
        '<p class="looks" aria-live="polite">Point at a word, or step through the French with '
        "Tab and the arrow keys.</p></div>"
    )


def _marked(text, groups, spans):
    parts, at = [], 0
    for (start, end, _), span in zip(groups, spans, strict=True):
        parts += [escape(text[at:start]), span]
        at = end
    return "".join([*parts, escape(text[at:])])


def words(pieces, text):
    """The words that tokens make up, where they stand in the text.

    Args:
        pieces: Tokens, `▁` where a space precedes, the end token last.
        text: The text that they were decoded to.

    Returns:
        List of (start, end, numbers of the tokens); tokens that stand nowhere are left out.
    """
    groups, before = [], ""
    for number, piece in enumerate(pieces):
        bare = piece.removeprefix("▁")
        if piece == "[END]" or not bare:
            before = ""
            continue
        kind = _kind(piece, bare)
        joins = groups and kind == before and not piece.startswith("▁") and kind != "unknown"
        if joins and not groups[-1][0].endswith("'"):
            groups[-1][0] += bare
            groups[-1][1].append(number)
        else:
            groups.append([bare, [number]])
        before = kind
    found, at = [], 0
    for bare, numbers in groups:
        start = text.find(bare, at)
        if start >= 0:
            at = start + len(bare)
            found.append((start, at, tuple(numbers)))
    return found


def _kind(piece, bare):
    if piece == "[UNK]":
        return "unknown"
    return "word" if bare[0].isalpha() else "figure" if bare[0].isdigit() else "mark"


def word_weights(attention, rows, columns):
    """Attention between words `(rows, columns)`: the mean of a row's tokens, a column's sum."""
    joined = np.zeros((len(rows), len(columns)))
    for r, (_, _, written) in enumerate(rows):
        for c, (_, _, read) in enumerate(columns):
            joined[r, c] = attention[np.ix_(written, read)].mean(axis=0).sum()
    return joined


def heat_map(sentence):
    """Which token looked where."""
    if sentence.copied:
        return page.note("This was copied: nothing was looked at.")
    return charts.alignment(
        sentence,
        "Row by row: where each French token came from. A straight diagonal is a word-for-word "
        "translation; where it bends or crosses, French puts its words in another order. “end” is "
        "the token that ends a sentence.",
    )


def beam(sentence, named, preferred, alpha):
    """The tree of the search and the translations it found.

    Args:
        sentence: A `Sentence`.
        named: Function from token numbers to their pieces.
        preferred: What `predictor.preferred` says of its hypotheses.
        alpha: The length penalty in force.
    """
    if sentence.copied:
        return page.note("This was copied: nothing was searched.")
    tree = charts.beam_tree(
        sentence,
        named,
        "From left to right, one token per step; from top to bottom, the likeliest first. Under "
        "each node: the log-probability of all tokens up to it. At every step as many hypotheses "
        "go on as the beam is wide and the rest are pruned; one that was ahead may fall behind.",
    )
    found = [
        _told(
            each.text,
            f"{len(each.pieces)} tokens · log-probability {signed(each.log_probability)} · "
            f"score {signed(each.score)}",
            first=not number,
        )
        for number, each in enumerate(sentence.hypotheses)
    ]
    return (
        f'{tree}<div class="beneath">{page.heading("The translations found")}</div>'
        f'<div class="told one">{"".join(found)}</div>{_ranges(preferred, alpha)}'
    )


def _told(french, figures, name="", first=False):
    """A translation and its figures."""
    above = f"<b>{escape(name)}</b>" if name else ""
    return (
        f'<div{" class=first" if first else ""}>{above}<span lang="fr">{escape(french)}</span>'
        f"<small>{escape(figures)}</small></div>"
    )


def _ranges(preferred, alpha):
    """Which translation wins at which length penalty, in a sentence."""
    penalty = f"Score: log-probability ÷ ((5 + tokens) ÷ 6) to the power {alpha:g}. "
    if len(preferred) == 1:
        text = "The same translation wins at every length penalty from 0 to 2."
    else:
        text = "By length penalty: " + "; ".join(
            f"{low:.2g} to {high:.2g}, number {number + 1}" for low, high, number in preferred
        )
        text += ". A higher length penalty favours longer translations."
    return f'<p class="small beneath">{escape(penalty + text)}</p>'


def comparison(sentences, plain, card):
    """One sentence through the networks of the study, and how the study came out.

    Args:
        sentences: Dict from the network's name to its `Sentence`.
        plain: The dictionary's translation.
        card: The bundle's card.
    """
    told = []
    for name, sentence in sentences.items():
        details = card["variants"][name]
        sure = "" if sentence.copied else f"{chance(sentence.confidence)} sure · "
        size = f"{details['parameters'] / 1e6:.1f} million parameters"
        figures = f"{sure}BLEU {details['bleu']:.1f} · {size}"
        told.append(_told(sentence.text, figures, NETWORKS[name][0], first=name == "attention"))
    baseline = card["baseline"]
    name = baseline["name"][:1].upper() + baseline["name"][1:]
    told.append(_told(plain, f"BLEU {baseline['bleu']:.1f}", name))
    return (
        f'<div class="told">{"".join(told)}</div><p class="small">BLEU on the '
        f"{escape(card['test_set'])}. The networks differ in size: compare those of the same "
        "size.</p>"
    )


def study(card):
    """BLEU by length of the networks in the card, or a sentence where it was not measured."""
    measured = {**card["variants"], **card.get("study", {})}
    series = [
        (name, measured[key]["by_length"], shade, dashed)
        for key, (name, shade, dashed) in NETWORKS.items()
        if measured.get(key, {}).get("by_length")
    ]
    if not series:
        return page.note("This bundle does not say how its networks score by length.")
    return charts.by_length(
        series,
        f"{_gain(card)}Without attention everything about a sentence has to fit into one "
        "state; reading the source backwards (Sutskever et al. 2014) brings its beginning nearer "
        "to the first words to write. Short and long sentences are of different kinds: compare "
        "the lines, not the heights along one line.",
    )


def _gain(card):
    """What attention gains among the shortest and the longest sentences, in a sentence."""
    mine, plain = (
        {each["words"]: each["bleu"] for each in card["variants"].get(key, {}).get("by_length", ())}
        for key in ("small", "plain")
    )
    shared = [words for words in mine if words in plain]
    if len(shared) < 2:
        return ""
    short, long = (f"{signed(mine[one] - plain[one], 1)}" for one in (shared[0], shared[-1]))
    return (
        f"With attention instead of none: {short} BLEU in sentences of {shared[0]} words, {long} "
        f"in those of {shared[-1]}. "
    )


def recalled(sentence, recall, nearest, card):
    """What of a sentence stood in training, and the nearest training sentence where it is known.

    Args:
        sentence: A `Sentence`.
        recall: Its `Recall`.
        nearest: (training sentence, likeness), or None where the corpora are not at hand.
        card: The bundle's card.
    """
    details = card["memory"]
    if not recall.spans:
        return page.note("There are no words in this.")
    source, first, last = sentence.source, *(recall.longest or (0, 0))
    parts, at = [], 0
    for number, ((start, end), known) in enumerate(zip(recall.spans, recall.known, strict=True)):
        word = escape(source[start:end])
        parts += [
            escape(source[at:start]),
            '<span class="seen">' if number == first and last else "",
            word if known else f'<span class="new">{word}</span>',
            "</span>" if number == last - 1 else "",
        ]
        at = end
    text = f'<p class="recalled" lang="en">{"".join(parts)}{escape(source[at:])}</p>'
    rate = details["false_positives"]
    unit = f"once in {round(1 / rate):,} times" if rate else "practically never"
    small = (
        "Shaded: the longest stretch in which every run of four words was seen in training. "
        f"Dotted: words seen in none of its {details['sentences']:,} sentences. No training "
        "sentence is shipped, only hashes of words, of runs of four words and of whole sentences, "
        f"in a Bloom filter, which mistakes something new for something seen, {unit}."
    )
    answer = page.answer(*_memory_verdict(recall))
    near = ""
    if nearest:
        line, likeness = nearest
        near = (
            f"<p>Nearest training sentence, {percent(likeness)} alike in words and order: "
            f'<q lang="en">{escape(line)}</q></p>'
        )
    return f'{answer}{text}{near}<p class="small">{small}</p>'


def _memory_verdict(recall):
    if recall.exact:
        return (
            "100\u202f%",
            "seen",
            "",
            "This very sentence was seen in training: its translation may be memorised.",
        )
    if recall.share is None:
        return "New", "composed", "", "This sentence as a whole was not seen in training."
    stretch = recall.longest[1] - recall.longest[0] if recall.longest else 0
    longest = (
        f"The longest stretch that was seen has {stretch} of its {len(recall.spans)} words."
        if stretch
        else "No run of four words in it was seen."
    )
    return (
        percent(recall.share),
        "of its runs of four words seen",
        "",
        f"This sentence was not seen in training: the translation is composed. {longest}",
    )


def summary(results):
    """What a file came to; `results` are (French, confidence, note), one for each row."""
    done = [each for each in results if each[1] != ""]
    refused = [each for each in results if each[1] == "" and each[2]]
    copied = sum(each[1] == "" and not each[2] and bool(each[0].strip()) for each in results)
    sentence = f"{len(done):,} of {len(results):,} rows translated."
    if copied:
        sentence += f" {copied:,} held no words and were copied."
    if refused:
        sentence += f" {len(refused):,} were left as they are; the first because: {refused[0][2]}"
    unsure = sum(bool(each[2]) for each in done)
    if unsure:
        sentence += f" {unsure:,} carry a warning."
    rows = [[french[:120], sure and chance(sure), note] for french, sure, note in results[:5]]
    return page.note(sentence) + page.table(["First rows", "Sure", "Note"], rows, numbers=(1,))


def scores(card):
    """The table of the networks beside the baseline, for the About page."""
    measured = {**card["variants"], **card.get("study", {})}
    rows = [(name, measured[key]) for key, (name, *_) in NETWORKS.items() if key in measured]
    rows.append((card["baseline"]["name"], card["baseline"]))
    measures = [
        (title, key)
        for title, key in (
            ("BLEU", "bleu"),
            ("Multi30k", "bleu_multi30k"),
            ("Tatoeba", "bleu_tatoeba"),
            ("chrF", "chrf"),
        )
        if any(key in details for _, details in rows)
    ]
    table = page.table(
        ("Model", *(title for title, _ in measures), "Parameters", "Training, minutes"),
        [
            (
                name,
                *(f"{details[key]:.1f}" if key in details else "" for _, key in measures),
                f"{details.get('parameters', details.get('words', 0)):,}",
                f"{details['minutes']:.1f}" if "minutes" in details else "",
            )
            for name, details in rows
        ],
        numbers=tuple(range(1, len(measures) + 3)),
        winner=max(range(len(rows)), key=lambda n: rows[n][1]["bleu"]),
    )
    return (
        f"<h3>{escape(card['title'])}</h3>"
        f"<p>Scored on the {escape(card['test_set'])}, {card['examples']:,} sentences; BLEU and "
        f"chrF by sacrebleu ({escape(card['signature'])}).</p>{table}"
    )
