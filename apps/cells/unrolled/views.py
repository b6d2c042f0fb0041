"""What the lesson of the unrolled cell shows: one drawing that a reader steps through.

Every part of it says from which step to which it is shown (`data-show`) or lit (`data-lit`); the
script of the site moves from step to step, so that a step asks nothing of the server. Steps are
the terms of every time step in turn, then the gradient at the end, then one for every time step
backwards.
"""

from html import escape

import numpy as np

from shared import page, plots

VARIANTS = {
    "rnn": "RNN",
    "lstm": "LSTM",
    "peephole": "LSTM, peepholes",
    "coupled": "LSTM, coupled gates",
    "gru": "GRU, reset after",
    "gru_before": "GRU, reset before",
}
COLOURS = {name: name.split("_")[0] for name in VARIANTS} | {"peephole": "lstm", "coupled": "lstm"}
NAMES = {
    "input": "the input gate i, how much of the candidate is written",
    "forget": "the forget gate f, how much of the memory is kept",
    "output": "the output gate o, how much of the memory is shown",
    "candidate": "the candidate g, what could be written",
    "cell": "the cell state c, the memory",
    "update": "the update gate z, how much of the old state is kept",
    "reset": "the reset gate r, how much of the old state the candidate sees",
    "hidden": "the hidden state h, what the step hands on",
}
SQUASHED = {"candidate": "tanh", "cell": "", "hidden": ""}  # else σ

COLUMN, BOX, LINE = 150, 62, 18  # widths of a time step and of its box, height of a number
LEFT = 96
FOREVER = 9999


def number(value):
    """A number with two decimals and a true minus."""
    if not np.isfinite(value):
        return "–"
    if abs(value) >= 100:
        return f"{value:.0f}".replace("-", "−")
    return f"{value:z.2f}".replace("-", "−")


def unrolled(result, step=0):
    """The lesson's figure: controls, the folded cell, its equations, and the row of all steps.

    Args:
        result: The `Unrolled`.
        step: The step to begin with.
    """
    time, terms = len(result.labels), len(result.terms[0])
    count = time * terms + 1 + time
    stops = [t * terms for t in range(time)] + list(range(time * terms, count))
    caption = (
        "Left to right, each box is the same cell with the same weights, one time step later; "
        "what it hands on is written at the arrow. Then the gradient comes back from right to "
        "left, through one Jacobian a box."
    )
    shade = COLOURS[result.variant]
    legend = plots.legend(
        [("forwards: states", shade), ("backwards: gradient of L, the sum of h", "negative")]
    )
    row = plots.figure(
        '<div class="scroll" tabindex="0" role="group" aria-label="scrolls sideways">'
        f"{_row(result)}</div>",
        caption,
        legend,
    )
    columns, rows = _table(result)
    return (
        f'<div class="stepper" data-count="{count}" data-n="{min(step, count - 1)}" '
        f'data-stops="{" ".join(map(str, stops))}">{_moves(count)}'
        f'<div class="beside"><div>{_folded(result)}</div><div>{_forwards(result)}'
        f"{_backwards(result)}</div></div>"
        f"{page.savable(row, 'unrolled', columns, rows)}</div>"
    )


def _moves(count):
    buttons = "".join(
        f'<button type="button" data-move="{how}">{name}</button>'
        for how, name in (("back", "‹ Back"), ("on", "Step ›"), ("after", "Next time step »"))
    )
    return (
        f'<div class="moves">{buttons}<input type="range" min="0" max="{count - 1}" '
        'aria-label="Step"/><span class="small">or the arrow keys; with Shift, a whole time '
        "step</span></div>"
    )


def _shown(first, last=FOREVER):
    return f'data-show="{first} {last}"'


def _stack(values, x, y, kind, attributes=""):
    """A vector written downwards, its last number's foot at y."""
    top = y - LINE * (len(values) - 1)
    lines = "".join(
        f'<text x="{x:.0f}" y="{top + LINE * n:.0f}" class="mid {kind}">{number(v)}</text>'
        for n, v in enumerate(values)
    )
    return f"<g {attributes}>{lines}</g>"


def _arrow(x1, y1, x2, y2, kind="", attributes=""):
    """A straight arrow, along one axis."""
    dx, dy = np.sign(x2 - x1), np.sign(y2 - y1)
    tip = (
        f"{x2},{y2} {x2 - 8 * dx - 4 * dy},{y2 - 8 * dy - 4 * dx} "
        f"{x2 - 8 * dx + 4 * dy},{y2 - 8 * dy + 4 * dx}"
    )
    return (
        f'<g class="arrow {kind}" {attributes}><line x1="{x1}" y1="{y1}" x2="{x2 - 6 * dx}" '
        f'y2="{y2 - 6 * dy}"/><polygon points="{tip}"/></g>'
    )


def _heights(result):
    """Where the arrows of cell state and hidden state run, and where the box begins and ends."""
    units = result.hidden.shape[1]
    need = LINE * units + 14
    top = 34
    at_cell = top + need if result.cell is not None else None
    at_hidden = top + need if at_cell is None else at_cell + 2 * need + LINE
    return at_cell, at_hidden, top, at_hidden + need + 2


def _row(result):
    """The cell unrolled over time as one SVG."""
    time, terms = len(result.labels), len(result.terms[0])
    units, features = result.hidden.shape[1], result.inputs.shape[1]
    at_cell, at_hidden, top, bottom = _heights(result)
    shade = COLOURS[result.variant]
    turn = time * terms  # the step at which the gradient starts back
    wires = [("h", result.hidden, at_hidden, 0)]
    if at_cell is not None:
        wires.append(("c", result.cell, at_cell, units))
    parts = []
    for t in range(time + 1):
        right = LEFT + t * COLUMN  # where the arrow out of step t − 1 ends: at box t
        left = right - (COLUMN - BOX)
        done = 0 if t == 0 else t * terms - 1
        back = turn + time - t
        for name, values, y, offset in wires:
            if t == time and name == "c":
                continue
            state = values[t - 1] if t else np.zeros(units)
            begin = right - 62 if t == 0 else left
            parts.append(_arrow(begin, y, right, y, attributes=_shown(done, back - 1)))
            parts.append(_arrow(right, y, begin, y, "gradient", _shown(back)))
            middle = (begin + right) / 2
            parts.append(_stack(state, middle, y - 9, "state", _shown(done)))
            gradient = result.gradients[t][offset : offset + units]
            parts.append(_stack(gradient, middle, y + 4 + LINE * units, "gradient", _shown(back)))
            parts.append(
                f'<text x="{middle:.0f}" y="{y - 13 - LINE * units:.0f}" class="mid name" '
                f'{_shown(done)}>{name}<tspan dy="4" font-size="10">{t}</tspan></text>'
            )
    for t in range(time):
        x = LEFT + t * COLUMN
        middle = x + BOX / 2
        lit = f"{t * terms} {(t + 1) * terms - 1},{turn + time - t} {turn + time - t}"
        parts.append(
            f'<g class="box" data-lit="{lit}"><rect x="{x}" y="{top}" width="{BOX}" '
            f'height="{bottom - top}" rx="8"/></g>'
        )
        parts.append(_chips(result.terms[t], t, middle, top, bottom))
        parts.append(_arrow(middle, bottom + 32, middle, bottom))
        foot = bottom + 46 + LINE * (features - 1)
        parts.append(_stack(result.inputs[t], middle, foot, "state"))
        word = result.labels[t] if features > 1 else f"x at t = {t + 1}"
        word = word if len(word) <= 16 else f"{word[:15]}…"
        parts.append(f'<text x="{middle}" y="{foot + 22}" class="mid name">{escape(word)}</text>')
        parts.append(f'<text x="{middle}" y="{top - 12}" class="mid name">step {t + 1}</text>')
    end = LEFT + time * COLUMN
    parts.append(
        f'<g class="loss" data-lit="{turn} {turn}">'
        f'<circle cx="{end + 18}" cy="{at_hidden}" r="17"/>'
        f'<text x="{end + 18}" y="{at_hidden}" dy=".35em" class="mid">L</text></g>'
        f'<text x="{end + 18}" y="{at_hidden + 38}" class="mid" {_shown(turn)}>'
        f"{number(result.hidden[-1].sum())}</text>"
    )
    width, height = end + 48, bottom + 80 + LINE * (features - 1)
    return (
        f'<svg class="row-of-cells" style="--shade:{plots.colour(shade)};min-width:{width}px" '
        f'viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="The cell unrolled over {time} time steps.">{"".join(parts)}</svg>'
    )


LETTERS = {
    "input": "i",
    "forget": "f",
    "output": "o",
    "candidate": "g",
    "cell": "c",
    "update": "z",
    "reset": "r",
    "hidden": "h",
}


def _chips(terms, t, middle, top, bottom):
    """The letters of a box, each lit while it is computed."""
    first = t * len(terms)
    gap = min(24, (bottom - top - 16) / len(terms))
    start = (top + bottom) / 2 - gap * (len(terms) - 1) / 2
    return "".join(
        f'<text x="{middle}" y="{start + n * gap:.1f}" dy=".35em" class="mid chip" '
        f'data-lit="{first + n} {first + n}" style="--tone:{_tone(term.name)}">'
        f"{LETTERS[term.name]}</text>"
        for n, term in enumerate(terms)
    )


def _tone(name):
    return plots.colour(name) if name in plots.PALETTE else "var(--ink)"


def _folded(result):
    """The cell with its loop, and the numbers of the current time step at its arrows."""
    time, terms = len(result.labels), len(result.terms[0])
    units, turn = result.hidden.shape[1], time * terms
    wires = [("h", result.hidden, 0)]
    if result.cell is not None:
        wires.append(("c", result.cell, units))
    tall = LINE * units
    inner, box = 62 + len(wires) * (tall + 26), 110  # heights and widths of the loops
    top = 30 + (len(wires) - 1) * 30
    x, y = 120, top + 20
    right, bottom = x + box, y + inner
    parts = [
        f'<g class="box"><rect x="{x}" y="{y}" width="{box}" height="{inner}" rx="10"/></g>'
        f'<text x="{x + box / 2}" y="{y + inner / 2}" dy=".35em" class="mid cell-name">'
        f"{escape(VARIANTS[result.variant].split(',')[0])}</text>",
        _arrow(x + box / 2, bottom + 44, x + box / 2, bottom),
    ]
    for n, (name, values, offset) in enumerate(wires):
        at = bottom - 30 - n * (tall + 26)
        out, up = right + 84 + 14 * n, top - 30 * n
        back = 34 - 14 * n
        loop = f"M{right} {at}H{out}V{up}H{back}V{at}H{x - 6}"
        parts.append(
            f'<path class="loop" d="{loop}"/>'
            f'<polygon class="tip" points="{x},{at} {x - 8},{at - 4} {x - 8},{at + 4}"/>'
        )
        for t in range(time):
            now = (t * terms, (t + 1) * terms - 1)
            before = values[t - 1] if t else np.zeros(units)
            parts.append(_stack(before, x - 40, at - 8, "state", _shown(*now)))
            place = [LETTERS[term.name] for term in result.terms[t]].index(name)
            parts.append(
                _stack(values[t], right + 42, at - 8, "state", _shown(now[0] + place, now[1]))
            )
        for t in range(time + 1):
            step = turn + time - t
            here = result.gradients[t][offset : offset + units]
            parts.append(_stack(here, x - 40, at - 8, "gradient", _shown(step, step)))
            if t < time:
                above = result.gradients[t + 1][offset : offset + units]
                parts.append(_stack(above, right + 42, at - 8, "gradient", _shown(step, step)))
        parts.append(f'<text x="{x - 40}" y="{at + 18}" class="mid name">{name}′</text>')
        parts.append(f'<text x="{right + 42}" y="{at + 18}" class="mid name">{name}</text>')
    features = result.inputs.shape[1]
    for t in range(time):
        foot = bottom + 58 + LINE * (features - 1)
        shown = (t * terms, (t + 1) * terms - 1)
        parts.append(_stack(result.inputs[t], x + box / 2, foot, "state", _shown(*shown)))
        parts.append(
            f'<text x="{x + box / 2}" y="{foot + 22}" class="mid name" {_shown(*shown)}>'
            f"x = {escape(result.labels[t][:20])}</text>"
        )
    width, height = right + 120, bottom + 90 + LINE * (features - 1)
    shade = plots.colour(COLOURS[result.variant])
    return (
        f'<svg class="folded" style="--shade:{shade}" viewBox="0 -8 {width} {height + 8}" '
        f'role="img" aria-label="The cell folded: its outputs come back as inputs.">'
        f"{''.join(parts)}</svg>"
    )


def _forwards(result):
    """The equations of each time step, each lit at its turn, with its value from then on."""
    time, count = len(result.labels), len(result.terms[0])
    lines = page.EQUATIONS[result.variant]
    blocks = []
    for t, terms in enumerate(result.terms):
        first = t * count
        rows, said = [], []
        for n, (term, line) in enumerate(zip(terms, lines, strict=True)):
            step = first + n
            left, right = line.split(" = ", 1)
            rows.append(
                f'<div class="term" data-lit="{step} {step}" style="--tone:{_tone(term.name)}">'
                f"<span>{page.subscripts(left)} = {page.subscripts(right)}</span>"
                f"<b {_shown(step, first + count - 1)}>{_vector(term.value)}</b></div>"
            )
            said.append(f"<div {_shown(step, step)}>{_working(term, t, time)}</div>")
        blocks.append(
            f"<div {_shown(first, first + count - 1)}><h3>Time step {t + 1} of {time}</h3>"
            f'<div class="terms">{"".join(rows)}</div>'
            f'<div class="working" aria-live="polite">{"".join(said)}</div></div>'
        )
    return "".join(blocks)


def _working(term, t, time):
    """How a term's value comes about, part by part."""
    rows = "".join(
        f"<div><span>{page.subscripts(formula)}</span>{_vector(value)}</div>"
        for formula, value in term.parts
    )
    name = NAMES[term.name]
    if len(term.parts) == 1 and term.name == "hidden":
        last = f"<div><span>o ∘ tanh(c)</span>{_vector(term.value)}</div>"
    elif len(term.parts) == 1:
        last = f"<div><span>1 − f</span>{_vector(term.value)}</div>"
    else:
        total = sum(value for _, value in term.parts)
        squash = SQUASHED.get(term.name, "σ")
        plain = term.name == "hidden" and term.parts[0][0] == "x W + b"
        squash = "tanh" if plain else squash
        last = (
            f"<div><span>their sum</span>{_vector(total)}</div>"
            f"<div><span>{squash} of it</span>{_vector(term.value)}</div>"
            if squash
            else f"<div><span>their sum</span>{_vector(term.value)}</div>"
        )
    return f'<p class="small">Now: {escape(name)}.</p>{rows}{last}'


def _vector(values):
    return (
        '<span class="vector">' + "".join(f"<i>{number(value)}</i>" for value in values) + "</span>"
    )


def _backwards(result):
    """The gradient on its way back: which product of Jacobians it is, and the last factor."""
    time, terms = len(result.labels), len(result.terms[0])
    turn = time * terms
    state = "h" if result.cell is None else "(h, c)"
    blocks = [
        f"<div {_shown(turn, turn)}><h3>The gradient starts</h3><p>The loss is the sum of the last "
        f"hidden state, L = {number(result.hidden[-1].sum())}. So its gradient with respect to "
        f"each unit of h<sub>{time}</sub> is 1"
        + (
            ""
            if result.cell is None
            else f", with respect to the memory c<sub>{time}</sub> itself 0"
        )
        + ". From here it goes back, one box at a time.</p>"
        f'<div class="product"><span>{_vector(result.gradients[time])}</span></div></div>'
    ]
    for t in reversed(range(time)):
        step = turn + time - t
        chain = " ".join(f"J<sub>{n}</sub>" for n in range(time, t, -1))
        before, after = result.gradients[t], result.gradients[t + 1]
        shrunk = np.linalg.norm(before) / max(np.linalg.norm(after), 1e-300)
        word = "longer" if shrunk > 1 else "shorter"
        factor = shrunk if shrunk > 1 else 1 / max(shrunk, 1e-300)
        blocks.append(
            f"<div {_shown(step, step)}><h3>Back through time step {t + 1}</h3>"
            f'<div class="equations"><span>∂L/∂{state}<sub>{t}</sub> = ∂L/∂{state}<sub>{time}'
            f"</sub> {chain}</span></div>"
            f'<div class="product"><span class="scroll">{_vector(after)}</span>'
            f'<span class="scroll">×{_matrix(result.jacobians[t])}</span>'
            f'<span class="scroll">={_vector(before)}</span></div>'
            f'<p class="small">J<sub>{t + 1}</sub> says how each number of {state}<sub>{t + 1}'
            f"</sub> (rows) answers to each of {state}<sub>{t}</sub> (columns). This step made the "
            f"gradient {factor:.2f} times {word}; its length is now "
            f"{np.linalg.norm(before):.3g}.</p></div>"
        )
    return "".join(blocks)


def _matrix(values):
    largest = max(float(np.abs(values).max()), 1e-9)
    cells = "".join(
        f'<i style="--c:rgb(var(--{"positive" if v >= 0 else "negative"}-rgb)/'
        f'{abs(v) / largest * 45:.0f}%)">{number(v)}</i>'
        for v in values.ravel()
    )
    return f'<span class="matrix" style="--n:{values.shape[1]}">{cells}</span>'


def _table(result):
    """All numbers of the figure, for the CSV."""
    columns = ["time step", "read", "what", "unit", "value"]
    rows = []
    for t, (label, terms) in enumerate(zip(result.labels, result.terms, strict=True), 1):
        for n, value in enumerate(result.inputs[t - 1], 1):
            rows.append([t, label, "x", n, float(value)])
        for term in terms:
            for n, value in enumerate(term.value, 1):
                rows.append([t, label, LETTERS[term.name], n, float(value)])
    units = result.hidden.shape[1]
    for t, gradient in enumerate(result.gradients):
        for n, value in enumerate(gradient):
            name = "dL/dh" if n < units else "dL/dc"
            rows.append([t, "", name, n % units + 1, float(value)])
    return columns, rows
