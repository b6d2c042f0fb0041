"""HTML of the lesson “Unrolled”: one drawing that a reader steps through.

Every part says from which step to which it is shown (`data-show`) or highlighted (`data-lit`). The
site's script moves from step to step without asking the server. The steps are the terms of every
time step in turn, then the gradient at the end, then one step for every time step backwards.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from markupsafe import Markup, escape

from shared import plots
from shared.equations import EQUATIONS
from shared.site import components

VARIANTS = {
    "rnn": "RNN",
    "lstm": "LSTM",
    "peephole": "LSTM, peepholes",
    "coupled": "LSTM, coupled gates",
    "gru": "GRU, reset after",
    "gru_before": "GRU, reset before",
}
COLOURS = {name: name.split("_")[0] for name in VARIANTS} | {"peephole": "lstm", "coupled": "lstm"}
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
MEANINGS = {
    "input": "the input gate i: how much of the candidate is written",
    "forget": "the forget gate f: how much of the memory is kept",
    "output": "the output gate o: how much of the memory is shown",
    "candidate": "the candidate g: what could be written",
    "cell": "the cell state c: the memory",
    "update": "the update gate z: how much of the old state is kept",
    "reset": "the reset gate r: how much of the old state the candidate uses",
    "hidden": "the hidden state h: the output of the step",
}
ACTIVATIONS = {"candidate": "tanh", "cell": "", "hidden": ""}  # all other terms: σ

COLUMN_WIDTH, BOX_WIDTH, LINE_HEIGHT, LEFT_MARGIN = 150, 62, 18, 96  # of the row of cells
LOOP_X, LOOP_WIDTH = 120, 110  # of the box in the folded cell
LAST_STEP = 9999  # shown until the end


@dataclass(frozen=True)
class _Wire:
    """A state that runs from cell to cell: its letter, its values, its part of the gradient."""

    name: str
    values: np.ndarray  # (time, units)
    gradients: np.ndarray  # (time + 1, units)

    def before(self, t):
        """Its value before time step t, from 0."""
        return self.values[t - 1] if t else np.zeros(self.values.shape[1])


class _Steps:
    """The numbers of the steps of a figure."""

    def __init__(self, result):
        self.time, self.terms = len(result.labels), len(result.terms[0])
        self.turn = self.time * self.terms  # the step at which the gradient starts back
        self.count = self.turn + 1 + self.time

    def first(self, t):
        """The first step of time step t, from 0."""
        return t * self.terms

    def last(self, t):
        """The last step of time step t, from 0."""
        return (t + 1) * self.terms - 1

    def back(self, t):
        """The step in which the gradient reaches the state before time step t."""
        return self.turn + self.time - t


def unrolled(result, step=0):
    """The figure of the lesson: controls, the folded cell, its equations, and the row of cells.

    Args:
        result: The `Unrolled`.
        step: The step to begin with.
    """
    steps = _Steps(result)
    stops = [steps.first(t) for t in range(steps.time)] + list(range(steps.turn, steps.count))
    caption = (
        "Left to right, each box is the same cell with the same weights, one time step later; "
        "the states that it passes on are written at the arrows. Then the gradient comes back from "
        "right to left, through one Jacobian for each box."
    )
    shade = COLOURS[result.variant]
    legend = plots.legend(
        [("forwards: states", shade), ("backwards: gradient of L, the sum of h", "negative")]
    )
    row = Markup(
        '<div class="scroll" tabindex="0" role="group" aria-label="scrolls sideways">{}</div>'
    ).format(_draw_row(result, steps))
    figure = plots.figure(row, caption, legend)
    return Markup(
        '<div class="stepper" data-count="{}" data-n="{}" data-stops="{}">{}'
        '<div class="beside"><div>{}</div><div>{}{}</div></div>{}</div>'
    ).format(
        steps.count,
        min(step, steps.count - 1),
        " ".join(map(str, stops)),
        _controls(steps.count),
        _draw_folded(result, steps),
        _forward_steps(result, steps),
        _backward_steps(result, steps),
        components.savable_figure(figure, "unrolled", *_table(result)),
    )


def format_number(value):
    """A number with two decimals and a true minus sign."""
    if not np.isfinite(value):
        return "–"
    if abs(value) >= 100:
        return f"{value:.0f}".replace("-", "−")
    return f"{value:z.2f}".replace("-", "−")


def _controls(count):
    button = Markup('<button type="button" data-move="{}">{}</button>')
    names = {"back": "‹ Back", "on": "Step ›", "after": "Next time step »"}
    return Markup(
        '<div class="moves">{}<input type="range" min="0" max="{}" aria-label="Step"/>'
        '<span class="small">or the arrow keys; with Shift, a whole time step</span></div>'
    ).format(Markup().join(button.format(*item) for item in names.items()), count - 1)


# Pieces of the drawings. `Markup(f"…")` holds numbers and names of ours only.


def _shown(first, last=LAST_STEP):
    return Markup(f'data-show="{first} {last}"')


def _text(x, y, content, classes="mid", attributes=""):
    return Markup(
        f'<text x="{x:g}" y="{y:g}" class="{classes}" {attributes}>{escape(content)}</text>'
    )


def _column(values, x, y, kind, attributes=""):
    """A vector written downwards; y is the foot of its last number."""
    top = y - LINE_HEIGHT * (len(values) - 1)
    lines = "".join(
        f'<text x="{x:.0f}" y="{top + LINE_HEIGHT * n:g}" class="mid {kind}">'
        f"{format_number(value)}</text>"
        for n, value in enumerate(values)
    )
    return Markup(f"<g {attributes}>{lines}</g>")


def _arrow(x1, y1, x2, y2, kind="", attributes=""):
    """A straight arrow, along one axis."""
    dx, dy = np.sign(x2 - x1), np.sign(y2 - y1)
    tip = (
        f"{x2},{y2} {x2 - 8 * dx - 4 * dy},{y2 - 8 * dy - 4 * dx} "
        f"{x2 - 8 * dx + 4 * dy},{y2 - 8 * dy + 4 * dx}"
    )
    return Markup(
        f'<g class="arrow {kind}" {attributes}><line x1="{x1}" y1="{y1}" x2="{x2 - 6 * dx}" '
        f'y2="{y2 - 6 * dy}"/><polygon points="{tip}"/></g>'
    )


def _vector(values):
    numbers = "".join(f"<i>{format_number(value)}</i>" for value in values)
    return Markup(f'<span class="vector">{numbers}</span>')


def _matrix(values):
    largest = max(float(np.abs(values).max()), 1e-9)
    cells = "".join(
        f'<i style="--c:rgb(var(--{"positive" if value >= 0 else "negative"}-rgb)/'
        f'{abs(value) / largest * 45:.0f}%)">{format_number(value)}</i>'
        for value in values.ravel()
    )
    return Markup(f'<span class="matrix" style="--n:{values.shape[1]}">{cells}</span>')


def _tone(name):
    return plots.colour(name) if name in plots.PALETTE else "var(--ink)"


def _wires(result):
    units = result.hidden.shape[1]
    wires = [_Wire("h", result.hidden, result.gradients[:, :units])]
    if result.cell is not None:
        wires.append(_Wire("c", result.cell, result.gradients[:, units:]))
    return wires


# The row of cells


def _draw_row(result, steps):
    """The cell unrolled over time as one SVG."""
    units, features = result.hidden.shape[1], result.inputs.shape[1]
    height_of_state = LINE_HEIGHT * units + 14
    top = 34
    levels = {"h": top + height_of_state}  # of the wires
    if result.cell is not None:
        levels = {"c": levels["h"], "h": levels["h"] + 2 * height_of_state + LINE_HEIGHT}
    bottom = levels["h"] + height_of_state + 2
    parts = [
        _draw_state(wire, t, levels[wire.name], steps)
        for t in range(steps.time + 1)
        for wire in _wires(result)
        if not (t == steps.time and wire.name == "c")
    ]
    parts += [_draw_box(result, t, top, bottom, steps) for t in range(steps.time)]
    end = LEFT_MARGIN + steps.time * COLUMN_WIDTH
    parts.append(_draw_loss(end + 18, levels["h"], result.hidden[-1].sum(), steps.turn))
    width, height = end + 48, bottom + 80 + LINE_HEIGHT * (features - 1)
    return Markup(
        '<svg class="row-of-cells" style="--shade:{0};min-width:{1}px" viewBox="0 0 {1} {2}" '
        'width="{1}" height="{2}" role="img" '
        'aria-label="The cell unrolled over {3} time steps.">{4}</svg>'
    ).format(plots.colour(COLOURS[result.variant]), width, height, steps.time, Markup().join(parts))


def _draw_state(wire, t, y, steps):
    """The arrows into box t with the state on the way there and the gradient on the way back."""
    right = LEFT_MARGIN + t * COLUMN_WIDTH
    left = right - (62 if t == 0 else COLUMN_WIDTH - BOX_WIDTH)
    middle, height = (left + right) / 2, LINE_HEIGHT * len(wire.before(t))
    ready = steps.last(t - 1) if t else 0
    subscript = Markup('{}<tspan dy="4" font-size="10">{}</tspan>').format(wire.name, t)
    back = _shown(steps.back(t))
    return Markup().join(
        [
            _arrow(left, y, right, y, attributes=_shown(ready, steps.back(t) - 1)),
            _arrow(right, y, left, y, "gradient", back),
            _column(wire.before(t), middle, y - 9, "state", _shown(ready)),
            _column(wire.gradients[t], middle, y + 4 + height, "gradient", back),
            _text(round(middle), y - 13 - height, subscript, "mid name", _shown(ready)),
        ]
    )


def _draw_box(result, t, top, bottom, steps):
    """The box of a time step with its input below it."""
    x, features = LEFT_MARGIN + t * COLUMN_WIDTH, result.inputs.shape[1]
    middle, foot = x + BOX_WIDTH / 2, bottom + 46 + LINE_HEIGHT * (features - 1)
    word = result.labels[t] if features > 1 else f"x at t = {t + 1}"
    word = word if len(word) <= 16 else f"{word[:15]}…"
    box = Markup(
        f'<g class="box" data-lit="{steps.first(t)} {steps.last(t)},{steps.back(t)} '
        f'{steps.back(t)}"><rect x="{x}" y="{top}" width="{BOX_WIDTH}" height="{bottom - top}" '
        'rx="8"/></g>'
    )
    return Markup().join(
        [
            box,
            _draw_letters(result.terms[t], steps.first(t), middle, top, bottom),
            _arrow(middle, bottom + 32, middle, bottom),
            _column(result.inputs[t], middle, foot, "state"),
            _text(middle, foot + 22, word, "mid name"),
            _text(middle, top - 12, f"step {t + 1}", "mid name"),
        ]
    )


def _draw_letters(terms, first, middle, top, bottom):
    """The letters of a box, each highlighted while its term is computed."""
    gap = min(24, (bottom - top - 16) / len(terms))
    start = (top + bottom) / 2 - gap * (len(terms) - 1) / 2
    return Markup().join(
        Markup(
            f'<text x="{middle}" y="{start + n * gap:.1f}" dy=".35em" class="mid chip" '
            f'data-lit="{first + n} {first + n}" style="--tone:{_tone(term.name)}">'
            f"{LETTERS[term.name]}</text>"
        )
        for n, term in enumerate(terms)
    )


def _draw_loss(x, y, loss, turn):
    label = _text(x, y + 38, format_number(loss), attributes=_shown(turn))
    return Markup(
        f'<g class="loss" data-lit="{turn} {turn}"><circle cx="{x}" cy="{y}" r="17"/>'
        f'<text x="{x}" y="{y}" dy=".35em" class="mid">L</text></g>{label}'
    )


# The folded cell


def _draw_folded(result, steps):
    """The cell with its loop, and the numbers of the current time step at its arrows."""
    wires = _wires(result)
    loop_height = LINE_HEIGHT * result.hidden.shape[1] + 26
    box_height, top = 62 + len(wires) * loop_height, 30 + (len(wires) - 1) * 30
    y = top + 20
    bottom, middle = y + box_height, LOOP_X + LOOP_WIDTH / 2
    parts = [
        Markup(
            f'<g class="box"><rect x="{LOOP_X}" y="{y}" width="{LOOP_WIDTH}" '
            f'height="{box_height}" rx="10"/></g>'
            f'<text x="{middle}" y="{y + box_height / 2}" dy=".35em" class="mid cell-name">'
            f"{VARIANTS[result.variant].split(',')[0]}</text>"
        ),
        _arrow(middle, bottom + 44, middle, bottom),
    ]
    for n, wire in enumerate(wires):
        level = bottom - 30 - n * loop_height
        parts.append(_draw_loop(level, top - 30 * n, 14 * n))
        parts.append(_draw_loop_values(result, wire, level, steps))
    features = result.inputs.shape[1]
    foot = bottom + 58 + LINE_HEIGHT * (features - 1)
    for t in range(steps.time):
        shown = _shown(steps.first(t), steps.last(t))
        parts.append(_column(result.inputs[t], middle, foot, "state", shown))
        parts.append(_text(middle, foot + 22, f"x = {result.labels[t][:20]}", "mid name", shown))
    width, height = LOOP_X + LOOP_WIDTH + 120, bottom + 90 + LINE_HEIGHT * (features - 1)
    return Markup(
        '<svg class="folded" style="--shade:{}" viewBox="0 -8 {} {}" role="img" '
        'aria-label="The cell folded: its outputs come back as inputs.">{}</svg>'
    ).format(plots.colour(COLOURS[result.variant]), width, height + 8, Markup().join(parts))


def _draw_loop(level, up, shift):
    """The line from the right side of the box around to its left side."""
    right, x = LOOP_X + LOOP_WIDTH, LOOP_X
    path = f"M{right} {level}H{right + 84 + shift}V{up}H{34 - shift}V{level}H{x - 6}"
    return Markup(
        f'<path class="loop" d="{path}"/><polygon class="tip" '
        f'points="{x},{level} {x - 8},{level - 4} {x - 8},{level + 4}"/>'
    )


def _draw_loop_values(result, wire, level, steps):
    """The states and gradients at both ends of a loop, step by step."""
    left, right = LOOP_X - 40, LOOP_X + LOOP_WIDTH + 42
    parts = []
    for t in range(steps.time):
        first, last = steps.first(t), steps.last(t)
        ready = first + [LETTERS[term.name] for term in result.terms[t]].index(wire.name)
        parts.append(_column(wire.before(t), left, level - 8, "state", _shown(first, last)))
        parts.append(_column(wire.values[t], right, level - 8, "state", _shown(ready, last)))
    for t in range(steps.time + 1):
        shown = _shown(steps.back(t), steps.back(t))
        parts.append(_column(wire.gradients[t], left, level - 8, "gradient", shown))
        if t < steps.time:
            parts.append(_column(wire.gradients[t + 1], right, level - 8, "gradient", shown))
    parts.append(_text(left, level + 18, f"{wire.name}′", "mid name"))
    parts.append(_text(right, level + 18, wire.name, "mid name"))
    return Markup().join(parts)


# The equations


def _forward_steps(result, steps):
    """The equations of each time step; each shows its value from the step that computes it."""
    blocks = []
    for t, terms in enumerate(result.terms):
        first, last = steps.first(t), steps.last(t)
        rows, workings = [], []
        for step, term, line in zip(
            range(first, last + 1), terms, EQUATIONS[result.variant], strict=True
        ):
            left, right = map(_format_formula, line.split(" = ", 1))
            rows.append(
                f'<div class="term" data-lit="{step} {step}" style="--tone:{_tone(term.name)}">'
                f"<span>{left} = {right}</span>"
                f"<b {_shown(step, last)}>{_vector(term.value)}</b></div>"
            )
            workings.append(f"<div {_shown(step, step)}>{_working(term)}</div>")
        blocks.append(
            f"<div {_shown(first, last)}><h3>Time step {t + 1} of {steps.time}</h3>"
            f'<div class="terms">{"".join(rows)}</div>'
            f'<div class="working" aria-live="polite">{"".join(workings)}</div></div>'
        )
    return Markup("".join(blocks))


def _working(term):
    """How the value of a term is computed, part by part."""
    lines = [(_format_formula(formula), value) for formula, value in term.parts]
    if len(term.parts) == 1:
        lines.append(("o ∘ tanh(c)" if term.name == "hidden" else "1 − f", term.value))
    else:
        activation = ACTIVATIONS.get(term.name, "σ")
        if term.name == "hidden" and term.parts[0][0] == "x W + b":
            activation = "tanh"
        if activation:
            lines.append(("their sum", sum(value for _, value in term.parts)))
        lines.append((f"{activation} of it" if activation else "their sum", term.value))
    rows = "".join(f"<div><span>{name}</span>{_vector(value)}</div>" for name, value in lines)
    return Markup(f'<p class="small">Now: {MEANINGS[term.name]}.</p>{rows}')


@cache
def _format_formula(formula):
    return components.format_subscripts(formula)


def _backward_steps(result, steps):
    """The gradient on its way back: its product of Jacobians, and the last factor."""
    has_cell = result.cell is not None
    start = Markup(
        "<div {}><h3>The gradient starts</h3><p>The loss is the sum of the last hidden state, "
        "L = {}. So its gradient with respect to each unit of h<sub>{}</sub> is 1{}. From here it "
        'goes back, one box at a time.</p><div class="product"><span>{}</span></div></div>'
    ).format(
        _shown(steps.turn, steps.turn),
        format_number(result.hidden[-1].sum()),
        steps.time,
        Markup(", with respect to the memory c<sub>{}</sub> itself 0").format(steps.time)
        if has_cell
        else "",
        _vector(result.gradients[-1]),
    )
    state = "(h, c)" if has_cell else "h"
    blocks = [_backward_step(result, t, state, steps) for t in reversed(range(steps.time))]
    return Markup().join([start, *blocks])


def _backward_step(result, t, state, steps):
    before, after = result.gradients[t], result.gradients[t + 1]
    ratio = np.linalg.norm(before) / max(np.linalg.norm(after), 1e-300)
    change = "stretched" if ratio > 1 else "shrank"
    factor = ratio if ratio > 1 else 1 / max(ratio, 1e-300)
    jacobian = Markup("J<sub>{}</sub>")
    return Markup(
        "<div {shown}><h3>Back through time step {n}</h3>"
        '<div class="equations"><span>∂L/∂{state}<sub>{t}</sub> = ∂L/∂{state}<sub>{time}</sub> '
        "{chain}</span></div>"
        '<div class="product"><span class="scroll">{after}</span><span class="scroll">×{matrix}'
        '</span><span class="scroll">={before}</span></div>'
        '<p class="small">J<sub>{n}</sub> is the derivative of each number of {state}<sub>{n}'
        "</sub> (rows) with respect to each of {state}<sub>{t}</sub> (columns). This step {change} "
        "the gradient by a factor of {factor:.2f}; its length is now {length:.3g}.</p></div>"
    ).format(
        shown=_shown(steps.back(t), steps.back(t)),
        n=t + 1,
        t=t,
        time=steps.time,
        state=state,
        chain=Markup(" ").join(jacobian.format(n) for n in range(steps.time, t, -1)),
        after=_vector(after),
        matrix=_matrix(result.jacobians[t]),
        before=_vector(before),
        change=change,
        factor=factor,
        length=np.linalg.norm(before),
    )


def _table(result):
    """The columns and rows of the CSV: all numbers of the figure."""
    columns = ["time step", "read", "what", "unit", "value"]
    rows = []
    for t, (label, terms) in enumerate(zip(result.labels, result.terms, strict=True), 1):
        vectors = [("x", result.inputs[t - 1])]
        vectors += [(LETTERS[term.name], term.value) for term in terms]
        rows += [
            [t, label, name, n, float(value)]
            for name, vector in vectors
            for n, value in enumerate(vector, 1)
        ]
    for t in range(len(result.gradients)):
        for wire in _wires(result):
            gradient = wire.gradients[t]
            rows += [[t, "", f"dL/d{wire.name}", n, float(v)] for n, v in enumerate(gradient, 1)]
    return columns, rows
