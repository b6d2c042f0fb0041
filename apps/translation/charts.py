"""Drawings of the translation page: attention, the tree of the beam search, BLEU by length."""

import numpy as np
from markupsafe import Markup

from shared import plots
from shared.plots import percent, signed

NODE_WIDTH, NODE_HEIGHT = 108, 46  # pixels, of a node of the tree
MAX_STEPS = 60  # of a tree that is drawn
MIN_LOG_PROBABILITY = -1e8  # what is below stands for no hypothesis
STRONGEST_SOURCES, SMALLEST_SHARE = 3, 0.02  # tokens that a readout names


def alignment(sentence, caption):
    """The attention weights: a row for each French token, a column for each English one."""
    best = sentence.hypotheses[0]
    english, french = _labels(sentence.pieces), _labels(best.pieces)
    label, strip = Markup("<b>{}</b>"), Markup('<i data-t="{}"></i>')
    body = Markup(
        '<div class="y-title">French, in the order written, by English, in the order read</div>'
        '<div class="attended"><div class="rows">{rows}</div>'
        '<div class="scroll" tabindex="0" role="group" aria-label="scrolls sideways">'
        '<div class="field" style="--n:{width};--m:{height}">'
        '<img alt="Heat map of {height} French tokens by the {width} English ones that they '
        'attend to." src="{picture}"/><div class="strips">{strips}</div>'
        '<div class="columns">{columns}</div></div></div></div>'
    ).format(
        rows=Markup().join(map(label.format, french)),
        columns=Markup().join(map(label.format, english)),
        strips=Markup().join(
            strip.format(f"“{name}” looked at {_name_strongest(english, weights)}")
            for name, weights in zip(french, best.attention, strict=True)
        ),
        picture=plots.picture(best.attention, "positive"),
        width=len(english),
        height=len(french),
    )
    return plots.figure(body, caption, plots.scale_legend("weight 0", "", "1", "positive"))


def _labels(pieces):
    """Tokens as they are written in the figures."""
    texts = [piece.replace("▁", " ").strip() or "␣" for piece in pieces]
    return ["end" if text == "[END]" else text for text in texts]


def _name_strongest(names, weights):
    """The names with the greatest weights and their shares, as a list in words."""
    order = np.argsort(-np.asarray(weights), kind="stable")[:STRONGEST_SOURCES]
    shares = [f"“{names[n]}” {percent(weights[n])}" for n in order if weights[n] > SMALLEST_SHARE]
    return ", ".join(shares) or "nothing in particular"


def beam_tree(sentence, pieces_of, caption):
    """The beam search: every hypothesis that was kept or pruned at each step.

    Args:
        sentence: A `Sentence` with its tree.
        pieces_of: Function from a list of token numbers to their pieces.
        caption: The sentence below the figure.
    """
    parents, tokens, scores = (sentence.tree[name] for name in ("parent", "token", "score"))
    width = tokens.shape[1] // 2
    is_real = (tokens > 0) & (scores > MIN_LOG_PROBABILITY)
    steps = min(int(np.flatnonzero(is_real[:, :width].any(axis=1)).max()) + 1, MAX_STEPS)
    alive, best = _surviving_nodes(sentence, pieces_of, width, steps)
    root = '<i class="node alive best" style="grid-area:1/1">start</i>'
    nodes, edges = [Markup(root)], []
    for step in range(steps):
        labels = _labels(pieces_of(tokens[step]))
        for place in range(2 * width):
            has_ended = not tokens[step, place]
            if scores[step, place] <= MIN_LOG_PROBABILITY or (place >= width and has_ended):
                continue
            parent = int(parents[step, place]) if step else 0
            kind = "best" if (step, place) in best else ""
            kind += " alive" if (step, place) in alive else " pruned"
            kind += " wait" if has_ended else ""
            edges.append((kind, (step, parent), (step + 1, place)))
            if not has_ended:
                previous = scores[step - 1, parent] if step else 0.0
                fate = _fate(place, width, kind)
                nodes.append(
                    _node(labels[place], step, place, kind, scores[step, place], previous, fate)
                )
    body = Markup(
        '<div class="scroll" tabindex="0" role="group" aria-label="scrolls sideways">'
        '<div class="tree" role="img" aria-label="Tree of the beam search, {steps} steps, '
        '{width} kept at each." style="--w:{node_width}px;--h:{node_height}px;'
        '--n:{columns};--m:{rows}">{edges}{nodes}</div></div>'
    ).format(
        steps=steps,
        width=width,
        node_width=NODE_WIDTH,
        node_height=NODE_HEIGHT,
        columns=steps + 1,
        rows=2 * width,
        edges=_draw_edges(edges, steps + 1, 2 * width),
        nodes=Markup().join(nodes),
    )
    entries = [("the translation", "positive"), ("kept to the end", "lstm")]
    legend = plots.legend([*entries, ("pruned", "baseline", True)])
    return plots.figure(body, caption, legend)


def _surviving_nodes(sentence, pieces_of, width, steps):
    """The nodes (step, place) on the way to a hypothesis of the last step, and to the translation.

    Returns:
        Two sets.
    """
    parents, tokens, scores = (sentence.tree[name] for name in ("parent", "token", "score"))
    pieces = sentence.hypotheses[0].pieces
    alive, best = set(), set()
    for last in range(width):
        if scores[steps - 1, last] <= MIN_LOG_PROBABILITY:
            continue
        path, place = [], last
        for step in range(steps - 1, -1, -1):
            path.append((step, place))
            place = int(parents[step, place])
        alive.update(path)
        written = [int(tokens[node]) for node in reversed(path) if tokens[node]]
        if tuple(pieces_of(written)) == pieces[: len(written)]:
            best.update(path)
    return alive, best


def _node(label, step, place, kind, score, previous, fate):
    """The HTML of a node; `score` and `previous` are log-probabilities of all tokens up to it."""
    return Markup(
        '<i class="node {}" style="grid-area:{}/{}" data-t="{}">{}<small>{}</small></i>'
    ).format(
        kind,
        place + 1,
        step + 2,
        f"{label}: log-probability {signed(float(score - previous))}, with all before it "
        f"{signed(float(score))}{fate}",
        label,
        signed(float(score)),
    )


def _fate(place, width, kind):
    """What became of a node, if it was pruned."""
    if place >= width:
        return ", pruned at once"
    return "" if "alive" in kind else ", kept here and pruned later"


def _draw_edges(edges, columns, rows):
    """An SVG of the edges (kind, start node, end node), the more important ones on top."""
    edges = sorted(edges, key=lambda edge: ("alive" in edge[0], "best" in edge[0]))
    return Markup('<svg viewBox="0 0 {} {}">{}</svg>').format(
        columns * NODE_WIDTH, rows * NODE_HEIGHT, Markup().join(_curve(*edge) for edge in edges)
    )


def _curve(kind, start, end):
    left = end[0] * NODE_WIDTH
    y1, y2 = (place * NODE_HEIGHT + NODE_HEIGHT / 2 for place in (start[1], end[1]))
    # The edge begins behind the node of its parent, whatever the width of that node.
    begin, bend, middle = left - NODE_WIDTH + 12, left - 36, left - 16
    across = f"H{bend}C{middle} {y1} {middle} {y2} {left + 4} {y2}"
    through = f"H{left + 12}" if "wait" in kind else ""
    return Markup('<path class="{}" d="M{} {}{}{}"/>').format(kind, begin, y1, across, through)


def bleu_by_length(series, caption):
    """BLEU by the length of the sentence.

    Args:
        series: List of (name, the card's `by_length`, name in `PALETTE`, whether dashed).
        caption: The sentence below the figure.
    """
    groups = list(
        dict.fromkeys(group["words"] for _, by_length, *_ in series for group in by_length)
    )
    # Groups are five words wide, the last one is open. Each is drawn in the middle of its five.
    middles = {group: int(group.split("–")[0].rstrip("+")) + 2 for group in groups}
    groups.sort(key=middles.get)
    lines = []
    for name, by_length, shade, dashed in series:
        bleu = {group["words"]: group["bleu"] for group in by_length}
        values = [bleu.get(group, np.nan) for group in groups]
        lines.append(plots.Line(name, values, shade, dashed))
    readouts = [
        f"{group} words · "
        + " · ".join(
            f"{line.name} {line.values[n]:.1f}" for line in lines if np.isfinite(line.values[n])
        )
        for n, group in enumerate(groups)
    ]
    chart = plots.chart(
        lines,
        "English words in the sentence, in groups of five (21 and more at 23)",
        plots.Axis("BLEU", low=0),
        "Line chart of BLEU by the length of the sentence, a line for each network.",
        x=[middles[group] for group in groups],
        readouts=readouts,
    )
    legend = plots.legend([(name, shade, dashed) for name, _, shade, dashed in series])
    return plots.figure(chart, caption, legend)
