"""The drawings of the page: what each token looked at, and the tree of the beam search."""

from html import escape

import numpy as np

from shared import plots
from shared.plots import percent, signed

COLUMN, ROW = 108, 46  # pixels of a node of the tree
LONGEST = 60  # steps of a tree that are drawn
NEVER = -1e8  # log-probabilities below this are no hypotheses


def alignment(sentence, caption):
    """The attention weights: a row for each French token, a column for each English one."""
    best = sentence.hypotheses[0]
    english, french = _names(sentence.pieces), _names(best.pieces)
    rows = "".join(f"<b>{escape(name)}</b>" for name in french)
    columns = "".join(f"<b>{escape(name)}</b>" for name in english)
    strips = "".join(
        f'<i data-t="{escape(_looked(name, english, weights))}"></i>'
        for name, weights in zip(french, best.attention, strict=True)
    )
    picture = plots.picture(best.attention, "positive")
    said = f"Heat map of {len(french)} French tokens by the {len(english)} English ones they read."
    body = (
        '<div class="y-title">French, in the order written, by English, in the order read</div>'
        f'<div class="attended"><div class="rows">{rows}</div>'
        '<div class="scroll" tabindex="0" role="group" aria-label="scrolls sideways">'
        f'<div class="field" style="--n:{len(english)};--m:{len(french)}">'
        f'<img alt="{said}" src="{picture}"/><div class="strips">{strips}</div>'
        f'<div class="columns">{columns}</div></div></div></div>'
    )
    return plots.figure(body, caption, plots.scale_legend("weight 0", "", "1", "positive"))


def _names(pieces):
    bare = [piece.replace("▁", " ").strip() or "␣" for piece in pieces]
    return ["end" if name == "[END]" else name for name in bare]


def _looked(name, others, weights):
    return f"“{name}” looked at {_strongest(others, weights)}"


def _strongest(names, weights, most=3):
    """The names with the greatest weights and their shares, as a list in words."""
    order = [n for n in np.argsort(-np.asarray(weights), kind="stable")[:most] if weights[n] > 0.02]
    return (
        ", ".join(f"“{names[n]}” {percent(weights[n])}" for n in order) or "nothing in particular"
    )


def beam_tree(sentence, named, caption):
    """The search: every hypothesis that was kept or pruned at each step.

    Args:
        sentence: A `Sentence` with its tree.
        named: Function from a list of token numbers to their pieces.
        caption: The sentence below the figure.
    """
    parents, tokens, scores = (sentence.tree[name] for name in ("parent", "token", "score"))
    width = tokens.shape[1] // 2
    real = (tokens > 0) & (scores > NEVER)
    steps = min(int(np.flatnonzero(real[:, :width].any(axis=1)).max()) + 1, LONGEST)
    alive, best = _survivors(parents, tokens, scores, named, sentence.hypotheses[0].pieces, steps)
    nodes, edges = ['<i class="node alive best" style="grid-area:1/1">start</i>'], []
    for step in range(steps):
        names = _names(named(tokens[step]))
        for place in range(2 * width):
            if scores[step, place] <= NEVER or (place >= width and not tokens[step, place]):
                continue
            parent = int(parents[step, place]) if step else 0
            kind = "best" if (step, place) in best else ""
            kind += " alive" if (step, place) in alive else " pruned"
            kind += "" if tokens[step, place] else " wait"
            edges.append((kind, (step, parent), (step + 1, place)))
            if not tokens[step, place]:  # ended before, kept as it is
                continue
            before = scores[step - 1, parent] if step else 0.0
            score, own = float(scores[step, place]), float(scores[step, place] - before)
            said = (
                f"{names[place]}: log-probability {signed(own)}, with all before it "
                f"{signed(score)}{_fate(place, width, kind)}"
            )
            nodes.append(
                f'<i class="node {kind}" style="grid-area:{place + 1}/{step + 2}" '
                f'data-t="{escape(said)}">{escape(names[place])}'
                f"<small>{signed(score)}</small></i>"
            )
    wide, high = (steps + 1) * COLUMN, 2 * width * ROW
    # What matters most is drawn last, above the rest.
    edges.sort(key=lambda edge: ("alive" in edge[0], "best" in edge[0]))
    paths = "".join(_curve(*edge) for edge in edges)
    drawn = f'<svg viewBox="0 0 {wide} {high}">{paths}</svg>{"".join(nodes)}'
    body = (
        '<div class="scroll" tabindex="0" role="group" aria-label="scrolls sideways">'
        f'<div class="tree" role="img" aria-label="Tree of the beam search, {steps} steps, '
        f'{width} kept at each." style="--w:{COLUMN}px;--h:{ROW}px;'
        f'--n:{steps + 1};--m:{2 * width}">{drawn}</div></div>'
    )
    keys = [("the translation", "positive"), ("kept to the end", "lstm")]
    legend = plots.legend([*keys, ("pruned", "baseline", True)])
    return plots.figure(body, caption, legend)


def _survivors(parents, tokens, scores, named, pieces, steps):
    """The nodes that a hypothesis of the last step goes through, and those of the translation."""
    width = tokens.shape[1] // 2
    alive, best = set(), set()
    for last in range(width):
        if scores[steps - 1, last] <= NEVER:
            continue
        path, place = [], last
        for step in range(steps - 1, -1, -1):
            path.append((step, place))
            place = int(parents[step, place])
        alive.update(path)
        written = [int(tokens[node]) for node in reversed(path) if tokens[node]]
        if tuple(named(written)) == pieces[: len(written)]:
            best.update(path)
    return alive, best


def _fate(place, width, kind):
    if place >= width:
        return ", pruned at once"
    return "" if "alive" in kind else ", kept here and pruned later"


def _curve(kind, start, end):
    left = end[0] * COLUMN
    y1, y2 = (place * ROW + ROW / 2 for place in (start[1], end[1]))
    # It sets out behind its parent's node, however wide that is.
    begin, bend, middle = left - COLUMN + 12, left - 36, left - 16
    across = f"H{bend}C{middle} {y1} {middle} {y2} {left + 4} {y2}"
    through = f"H{left + 12}" if "wait" in kind else ""
    return f'<path class="{kind}" d="M{begin} {y1}{across}{through}"/>'


def by_length(series, caption):
    """BLEU by the length of the sentence.

    Args:
        series: List of (name, the card's `by_length`, name in `PALETTE`, whether dashed).
        caption: The sentence below the figure.
    """
    groups = list(dict.fromkeys(group["words"] for _, found, *_ in series for group in found))
    # The groups are five words wide, the last one open: each stands at the middle of its five.
    middles = {group: int(group.split("–")[0].rstrip("+")) + 2 for group in groups}
    groups.sort(key=middles.get)
    lines = []
    for name, found, shade, dashed in series:
        bleu = {group["words"]: group["bleu"] for group in found}
        values = [bleu.get(group, np.nan) for group in groups]
        lines.append(plots.Line(name, values, shade, dashed))
    readouts = [
        f"{group} words · "
        + " · ".join(
            f"{line.name} {line.values[n]:.1f}" for line in lines if np.isfinite(line.values[n])
        )
        for n, group in enumerate(groups)
    ]
    chart = plots.line_chart(
        lines,
        "English words in the sentence, in groups of five (21 and more at 23)",
        "BLEU",
        "Line chart of BLEU by the length of the sentence, a line for each network.",
        x=[middles[group] for group in groups],
        low=0,
        readouts=readouts,
    )
    legend = plots.legend([(name, shade, dashed) for name, _, shade, dashed in series])
    return plots.figure(chart, caption, legend)
