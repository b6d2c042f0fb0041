"""Figures as HTML and inline SVG: as wide as the page, in its font, in light and dark.

Every function returns a string in which all text of the caller's is escaped. Positions are
percentages, so that a figure fits any width with letters of one size. What the pointer finds in
a figure is shown at once in the figure's corner (`data-t` and style sheet, no script).
"""

import base64
import io
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL import Image

# Okabe & Ito's colours, each with one meaning on all pages: (light page, dark page). Gates with
# one role share a colour: forget and update keep the past, output and reset read from it.
PALETTE = {
    "positive": ("#0072B2", "#56B4E9"),
    "negative": ("#C77C00", "#E69F00"),
    "lstm": ("#1B1D21", "#F4F3EF"),
    "gru": ("#00855F", "#17B890"),
    "rnn": ("#B8568C", "#D98AB8"),
    "irnn": ("#2F93CF", "#56B4E9"),
    "baseline": ("#7A7D84", "#9A9DA5"),
    "forget": ("#D55E00", "#E8762B"),
    "update": ("#D55E00", "#E8762B"),
    "input": ("#2F93CF", "#56B4E9"),
    "output": ("#A69900", "#D9CC2E"),
    "reset": ("#A69900", "#D9CC2E"),
}
# What pictures are painted with: half transparent, so that both grounds carry them.
INKS = {name: light for name, (light, _) in PALETTE.items()} | {
    "negative": "#E69F00",
    "output": "#BFB000",
    "reset": "#BFB000",
}


def colour(name):
    """The CSS colour of a name in `PALETTE`, right in light and dark."""
    return f"var(--{name})"


def percent(fraction, digits=0):
    """`0.896` as `90 %`, the space a narrow one that does not break."""
    return f"{100 * fraction:z.{digits}f}\u202f%"


def chance(probability):
    """A probability in percent that never claims to be certain: `<1 %`, `42 %`, `>99 %`."""
    if probability < 0.01 or probability > 0.99:
        return "<1\u202f%" if probability < 0.5 else ">99\u202f%"
    return percent(probability)


def signed(number, digits=2):
    """A number with its sign, a true minus."""
    return f"{number:+.{digits}f}".replace("-", "−")


@dataclass(frozen=True)
class Line:
    """A line of a chart: its name, its values, a name in `PALETTE`, whether it is dashed."""

    name: str
    values: object
    colour: str = "lstm"
    dashed: bool = False


def figure(body, caption, legend=""):
    """A figure with its legend above it and a sentence below that says what to see."""
    return f'<figure class="fig">{legend}{body}<figcaption>{escape(caption)}</figcaption></figure>'


def legend(entries):
    """A legend from (name, name in `PALETTE`) or (name, name in `PALETTE`, dashed) tuples."""
    keys = "".join(
        f'<span class="key{" dashed" if any(dashed) else ""}">'
        f'<i style="background:{colour(shade)}"></i>{escape(name)}</span>'
        for name, shade, *dashed in entries
    )
    return f'<div class="legend">{keys}</div>'


def scale_legend(low, middle, high, shade=None):
    """A legend for shades: orange to blue, or from nothing to one colour of `PALETTE`."""
    if shade:
        ramp = f"transparent, {INKS[shade]}"
    else:
        ramp = f"{INKS['negative']}, transparent, {INKS['positive']}"
    names = "".join(f"<span>{escape(name)}</span>" for name in (low, middle, high) if name)
    ramp = f'<i class="ramp" style="background:linear-gradient(90deg,{ramp})"></i>'
    return f'<div class="legend scale">{ramp}<div>{names}</div></div>'


def line_chart(
    lines,
    x_title,
    y_title,
    description,
    x=None,
    low=None,
    high=None,
    reference=None,
    form=None,
    readouts=None,
    height=220,
    levels=None,
    names=None,
):
    """Lines over a common horizontal axis.

    Args:
        lines: List of `Line`, all of one length; NaN leaves a gap at its place.
        x_title, y_title: What the axes show, with the unit.
        description: A sentence for those who do not see the figure.
        x: Positions on the horizontal axis, increasing; 1, 2, 3 … if None.
        low, high: Ends of the vertical axis; the data's if None.
        reference: Value of a dashed horizontal line, or None.
        form: Function that writes a value of the vertical axis.
        readouts: For each position, the text shown while the pointer is there.
        height: Of the plot, in pixels.
        levels: Values of the vertical axis to mark; round ones if None.
        names: Of the positions, written beneath them instead of round numbers, or None.
    """
    values = [np.asarray(line.values, float) for line in lines]
    x = np.arange(1, len(values[0]) + 1) if x is None else np.asarray(x, float)
    finite = np.concatenate([v[np.isfinite(v)] for v in values] + [np.zeros(0)])
    low = (finite.min() if finite.size else 0) if low is None else low
    high = (finite.max() if finite.size else 1) if high is None else high
    high = high if high > low else low + 1
    span = max(float(x[-1] - x[0]), 1e-9)
    across = (x - x[0]) / span * 100 if len(x) > 1 else np.full(1, 50.0)
    form = form or (lambda value: f"{value:g}")

    def up(value):
        return 100 - (value - low) / (high - low) * 100

    parts = []
    for tick in ticks(low, high, 4) if levels is None else levels:
        parts.append(
            f'<line class="grid" x2="100%" y1="{up(tick):.2f}%" y2="{up(tick):.2f}%"/>'
            f'<text x="-8" y="{up(tick):.2f}%" dy=".35em" class="end">{escape(form(tick))}</text>'
        )
    if reference is not None:
        level = f'y1="{up(reference):.2f}%" y2="{up(reference):.2f}%"'
        parts.append(f'<line class="reference" x2="100%" {level}/>')
    marks = [(tick, f"{tick:g}") for tick in ticks(x[0], x[-1], 6)]
    for tick, name in marks if names is None else zip(x, names, strict=True):
        place = (tick - x[0]) / span * 100 if len(x) > 1 else 50
        parts.append(
            f'<text x="{place:.2f}%" y="100%" dy="1.6em" class="mid">{escape(name)}</text>'
        )
    parts.append('<svg viewBox="0 0 100 100" preserveAspectRatio="none">')
    for line, column in zip(lines, values, strict=True):
        dashed = ' stroke-dasharray="5 4"' if line.dashed else ""
        parts.append(
            f'<path d="{_path(across, up(np.clip(column, low, high)))}"{dashed} '
            f'style="stroke:{colour(line.colour)}"/>'
        )
    parts.append("</svg>")
    hits = "".join(f'<i data-t="{escape(text)}"></i>' for text in readouts or ())
    return (
        f'<div class="chart" role="img" aria-label="{escape(description)}">'
        f'<div class="y-title">{escape(y_title)}</div>'
        f'<svg class="plot" style="height:{height + 46}px">{"".join(parts)}</svg>'
        f'<div class="hits">{hits}</div><div class="x-title">{escape(x_title)}</div></div>'
    )


def _path(across, down):
    pieces, pen = [], "M"
    for left, top in zip(across, down, strict=True):
        if np.isfinite(top):
            pieces.append(f"{pen}{left:.2f} {top:.2f}")
            pen = "L"
        else:
            pen = "M"
    return "".join(pieces)


def ticks(low, high, about):
    """Round numbers from low to high, about as many as asked for."""
    if high <= low:
        return [low]
    rough = (high - low) / about
    step = 10.0 ** np.floor(np.log10(rough))
    step *= next(factor for factor in (1, 2, 2.5, 5, 10) if factor * step >= rough * 0.999)
    first = np.ceil(low / step - 1e-9) * step
    return [float(round(tick, 10)) + 0.0 for tick in np.arange(first, high + step * 1e-6, step)]


def heat_map(
    matrix,
    columns,
    row_title,
    description,
    shade=None,
    limit=None,
    readouts=None,
    line=None,
    row_height=2,
):
    """A matrix as a picture over a row of words, which scrolls where it is too wide.

    Args:
        matrix: Array `(rows, columns)`.
        columns: The word under each column.
        row_title: What the rows are.
        description: A sentence for those who do not see the figure.
        shade: Name in `PALETTE`: 0 is blank, `limit` full. None for signed values: negative
            orange, 0 blank, positive blue.
        limit: The value painted in full; 1 with a shade, else the magnitude that one entry in a
            hundred exceeds, if None.
        readouts: For each column, the text shown while the pointer is there.
        line: Fractions `(columns,)` drawn as a line above the picture, or None.
        row_height: Of a row of the matrix, in pixels.
    """
    matrix = np.asarray(matrix, float)
    names = "".join(
        f'<i data-t="{escape(text)}"><b>{escape(word)}</b></i>'
        for word, text in zip(columns, readouts or columns, strict=True)
    )
    above = ""
    if line is not None:
        across = (np.arange(len(columns)) + 0.5) / max(len(columns), 1) * 100
        above = (
            '<svg class="above" viewBox="0 0 100 100" preserveAspectRatio="none">'
            '<line class="reference" x2="100" y1="50" y2="50"/>'
            f'<path d="{_path(across, 100 * (1 - np.asarray(line, float)))}"/></svg>'
        )
    longest = max(map(len, columns), default=0)
    room = f"--names:{min(20 + 7 * longest, 84)}px"
    upright = ";text-orientation:upright" if longest == 1 else ""
    return (
        f'<div class="heat"><div class="y-title">{escape(row_title)}</div>'
        '<div class="scroll" tabindex="0" role="group" aria-label="scrolls sideways">'
        f'<div class="sheet" style="--n:{len(columns)};{room}{upright}">{above}'
        f'<img alt="{escape(description)}" src="{picture(matrix, shade, limit)}" '
        f'style="height:{matrix.shape[0] * row_height}px"/><div class="names">{names}</div>'
        "</div></div></div>"
    )


def picture(matrix, shade=None, limit=None):
    """A matrix as a PNG data address, a pixel an entry; arguments as for `heat_map`."""
    matrix = np.nan_to_num(np.asarray(matrix, float))
    if limit is None:
        limit = 1.0 if shade or not matrix.size else max(np.quantile(np.abs(matrix), 0.99), 1e-9)
    levels = np.rint(np.clip(matrix / limit, 0 if shade else -1, 1) * 127).astype("int16") + 128
    image = Image.fromarray(levels.astype("uint8"), "P")
    low, high = _rgb(INKS["negative"]), _rgb(INKS[shade or "positive"])
    image.putpalette([part for level in range(256) for part in (low if level < 128 else high)])
    alpha = bytes(min(round(abs(level - 128) / 127 * 255), 255) for level in range(256))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=alpha, compress_level=6)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _rgb(ink):
    return tuple(int(ink[n : n + 2], 16) for n in (1, 3, 5))


def similar_order(rows):
    """An order of the rows of a matrix `(rows, columns)` that puts similar ones side by side.

    By the angle of each row in the plane of the first two principal components.
    """
    centred = np.asarray(rows, float) - np.mean(rows, axis=1, keepdims=True)
    weights, axes = np.linalg.eigh(centred @ centred.T)  # quicker than a decomposition of rows
    plane = axes[:, -2:] * np.sqrt(np.maximum(weights[-2:], 0))
    return np.argsort(np.arctan2(plane[:, 0], plane[:, -1]))


def bars(items, description, form=signed):
    """Horizontal bars from a line in the middle: negative to the left, positive to the right.

    Args:
        items: List of (name, value).
        description: A sentence for those who do not see the figure.
        form: Function that writes a value.
    """
    longest = max((abs(value) for _, value in items), default=0) or 1
    rows = "".join(
        f'<div class="{"positive" if value >= 0 else "negative"}"><span>{escape(name)}</span>'
        f'<i><b style="width:{50 * abs(value) / longest:.1f}%"></b></i>'
        f"<em>{escape(form(value))}</em></div>"
        for name, value in items
    )
    return f'<div class="bars" role="img" aria-label="{escape(description)}">{rows}</div>'


def meter(fraction):
    """A bar from 0 to 100 % with a notch in the middle, blue from there, orange below it."""
    tone = "positive" if fraction >= 0.5 else "negative"
    left, width = 100 * min(fraction, 0.5), 100 * abs(fraction - 0.5)
    return (
        f'<span class="meter {tone}" aria-hidden="true">'
        f'<b style="left:{left:.1f}%;width:{width:.1f}%"></b></span>'
    )


def coloured_words(text, spans, effects, readouts, running=None):
    """A text with each word shaded by its effect and, beneath it, a running value.

    Args:
        text: The text.
        spans: For each word its (start, end) in the text, in order; what follows is paler.
        effects: For each word a signed number; the strongest gets the strongest shade.
        readouts: For each word, the text shown while the pointer is on it.
        running: For each word a fraction, drawn beneath the words as an area from the 50 %
            line, or None.
    """
    effects = np.asarray(effects, float)
    strongest = max(float(np.abs(effects).max(initial=0)), 0.25)
    shades = np.rint(np.abs(effects) / strongest * 60).astype(int)
    heights = None if running is None else 96 - 92 * np.asarray(running, float)
    strip = "" if running is None else "<i></i>"
    groups, before = [], 50.0
    for n, (start, end) in enumerate(spans):
        following = spans[n + 1][0] if n + 1 < len(spans) else end
        tone = "positive" if effects[n] >= 0 else "negative"
        style = f"--c:rgb(var(--{tone}-rgb)/{shades[n]}%)"
        if heights is not None:
            style += f";--a:{before:.0f}%;--b:{heights[n]:.0f}%"
            before = heights[n]
        word = (
            f'<span class="w" style="{style}" data-t="{escape(readouts[n])}">'
            f"{escape(text[start:following])}{strip}</span>"
        )
        if n and spans[n - 1][1] == start:
            groups[-1] += word
        else:
            groups.append(word)
    body = "<wbr>".join(f'<span class="g">{group}</span>' for group in groups)
    rest = text[spans[-1][1] :] if spans else text
    return f'<div class="words">{body}<span class="rest">{escape(rest)}</span></div>'
