"""Figures as HTML and inline SVG: as wide as the page, in its font, in light and dark.

Every function returns `markupsafe.Markup`; text that is given to it as a plain string is escaped.
Positions are percentages, so that a figure fits any width with letters of one size. The text of
the place that the pointer is on appears in the figure's corner (`data-t` and the style sheet, no
script).
"""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
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
    """The CSS colour of a name in `PALETTE`, or of `"ink"`, that of text: in light and dark."""
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
    """A line of a chart.

    Attributes:
        name: What it shows.
        values: One number for each position; NaN leaves a gap there.
        colour: A name in `PALETTE`, or `"ink"`.
        dashed: Whether it is dashed.
        width: In pixels.
    """

    name: str
    values: Sequence[float]
    colour: str = "lstm"
    dashed: bool = False
    width: float = 2


@dataclass(frozen=True)
class Band:
    """The area between two lines of a chart, NaN outside it, in a colour of this opacity."""

    low: Sequence[float]
    high: Sequence[float]
    colour: str = "lstm"
    opacity: float = 0.16


@dataclass(frozen=True)
class Points:
    """Dots of a chart, NaN where there is none."""

    values: Sequence[float]
    colour: str = "ink"


@dataclass(frozen=True)
class Columns:
    """Vertical bars of a chart from zero, in one colour or in one for each sign."""

    values: Sequence[float]
    positive: str = "positive"
    negative: str = "negative"


@dataclass(frozen=True)
class Axis:
    """An axis of a chart.

    Attributes:
        title: What it shows, with the unit.
        low, high: Its ends; the data's if None.
        ticks: List of (position, text) to mark; round numbers if None.
        form: Function that writes a number on it.
    """

    title: str
    low: float | None = None
    high: float | None = None
    ticks: Sequence[tuple[float, str]] | None = None
    form: Callable[[float], str] = "{:g}".format


def figure(body, caption, legend=""):
    """A figure of HTML with its legend above it and a sentence below that says what to see."""
    return Markup('<figure class="fig">{}{}<figcaption>{}</figcaption></figure>').format(
        Markup(legend), Markup(body), caption
    )


def legend(entries, areas=(), shade="lstm"):
    """A legend of lines, and of the `Band`s in one colour.

    Args:
        entries: List of (name, colour) or (name, colour, dashed) tuples; colours as for `Line`.
        areas: List of (name, opacity) tuples.
        shade: The colour of the areas.
    """
    key = Markup('<span class="key{}"><i style="background:{}"></i>{}</span>')
    area = Markup(
        '<span class="key"><i style="height:11px;background:color-mix(in srgb,{} {:.0f}%,'
        'transparent)"></i>{}</span>'
    )
    keys = [
        key.format(" dashed" if any(dashed) else "", colour(name), text)
        for text, name, *dashed in entries
    ]
    keys += [area.format(colour(shade), 100 * opacity, text) for text, opacity in areas]
    return Markup('<div class="legend">{}</div>').format(Markup().join(keys))


def scale_legend(low, middle, high, shade=None):
    """A legend for shades: orange to blue, or from nothing to one colour of `PALETTE`."""
    if shade:
        ramp = f"transparent, {INKS[shade]}"
    else:
        ramp = f"{INKS['negative']}, transparent, {INKS['positive']}"
    names = (Markup("<span>{}</span>").format(name) for name in (low, middle, high) if name)
    return Markup(
        '<div class="legend scale"><i class="ramp" style="background:linear-gradient(90deg,{})">'
        "</i><div>{}</div></div>"
    ).format(ramp, Markup().join(names))


def chart(layers, x_axis, y_axis, description, x=None, reference=None, readouts=None, height=220):
    """Layers over a common horizontal axis, drawn in their order.

    Args:
        layers: List of `Line`, `Band`, `Points` and `Columns` with a value for each position.
        x_axis, y_axis: Each an `Axis`, or its title; the horizontal one always ends with the
            positions.
        description: A sentence for those who do not see the figure.
        x: Positions on the horizontal axis, increasing; 1, 2, 3 … if None.
        reference: Value of a dashed horizontal line, or None.
        readouts: For each position, the text shown while the pointer is there.
        height: Of the plot, in pixels.
    """
    x_axis, y_axis = (Axis(each) if isinstance(each, str) else each for each in (x_axis, y_axis))
    values = [np.asarray(part, float) for layer in layers for part in _values_of(layer)]
    x = np.arange(1, len(values[0]) + 1) if x is None else np.asarray(x, float)
    finite = np.concatenate([part[np.isfinite(part)] for part in values] + [np.zeros(0)])
    low = (finite.min() if finite.size else 0) if y_axis.low is None else y_axis.low
    high = (finite.max() if finite.size else 1) if y_axis.high is None else y_axis.high
    high = high if high > low else low + 1
    span = max(float(x[-1] - x[0]), 1e-9)

    def right(positions):  # in percent of the plot
        return (
            (np.asarray(positions, float) - x[0]) / span * 100 if len(x) > 1 else np.full(1, 50.0)
        )

    def down(heights):
        return 100 - (np.clip(np.asarray(heights, float), low, high) - low) / (high - low) * 100

    y_ticks = y_axis.ticks or [(tick, y_axis.form(tick)) for tick in ticks(low, high, 4)]
    x_ticks = x_axis.ticks or [(tick, x_axis.form(tick)) for tick in ticks(x[0], x[-1], 6)]
    grid = Markup(
        '<line class="grid" x2="100%" y1="{0:.2f}%" y2="{0:.2f}%"/>'
        '<text x="-8" y="{0:.2f}%" dy=".35em" class="end">{1}</text>'
    )
    name = Markup('<text x="{:.2f}%" y="100%" dy="1.6em" class="mid">{}</text>')
    parts = [grid.format(100 - (at - low) / (high - low) * 100, text) for at, text in y_ticks]
    if reference is not None:
        line = Markup('<line class="reference" x2="100%" y1="{0:.2f}%" y2="{0:.2f}%"/>')
        parts.append(line.format(100 - (reference - low) / (high - low) * 100))
    parts += [name.format(right([at])[0], text) for at, text in x_ticks]
    parts += [_draw_layer(layer, right(x), down) for layer in layers]
    place = Markup('<i data-t="{}"></i>')
    return Markup(
        '<div class="chart" role="img" aria-label="{}"><div class="y-title">{}</div>'
        '<svg class="plot" style="height:{}px">{}</svg><div class="hits">{}</div>'
        '<div class="x-title">{}</div></div>'
    ).format(
        description,
        y_axis.title,
        height + 46,
        Markup().join(parts),
        Markup().join(place.format(text) for text in readouts or ()),
        x_axis.title,
    )


def _values_of(layer):
    return (layer.low, layer.high) if isinstance(layer, Band) else (layer.values,)


def _draw_layer(layer, across, down):
    """A layer as SVG, from the positions `(n,)` and a function of heights, both in percent."""
    shape = Markup('<svg viewBox="0 0 100 100" preserveAspectRatio="none">{}</svg>')
    if isinstance(layer, Band):
        known = np.isfinite(layer.low) & np.isfinite(layer.high)
        edges = [
            np.concatenate([part[known], other[known][::-1]])
            for part, other in ((across, across), (down(layer.high), down(layer.low)))
        ]
        style = f"fill:{colour(layer.colour)};fill-opacity:{layer.opacity};stroke:none"
        path = Markup('<path d="{}Z" style="{}"/>').format(_path(*edges), style)
        return shape.format(path) if known.any() else Markup()
    heights = down(layer.values)
    if isinstance(layer, Points):
        dot = Markup('<circle cx="{:.2f}%" cy="{:.2f}%" r="3" style="fill:{}"/>')
        dots = zip(across, heights, strict=True)
        return Markup().join(
            dot.format(left, top, colour(layer.colour)) for left, top in dots if np.isfinite(top)
        )
    if isinstance(layer, Columns):
        return _draw_columns(layer, across, heights, float(down(0)))
    dashes = Markup(' stroke-dasharray="5 4"') if layer.dashed else ""
    width = "" if layer.width == 2 else f";stroke-width:{layer.width:g}"
    path = Markup('<path d="{}"{} style="stroke:{}{}"/>')
    return shape.format(path.format(_path(across, heights), dashes, colour(layer.colour), width))


def _draw_columns(layer, across, heights, zero):
    width = 75 / max(len(across), 1)
    bar = Markup('<rect x="{:.2f}%" y="{:.2f}%" width="{:.2f}%" height="{:.2f}%" style="fill:{}"/>')
    return Markup().join(
        bar.format(
            left * (1 - width / 100),
            min(top, zero),
            width,
            abs(top - zero),
            colour(layer.positive if value >= 0 else layer.negative),
        )
        for left, top, value in zip(across, heights, layer.values, strict=True)
        if np.isfinite(value)
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
    name = Markup('<i data-t="{}"><b>{}</b></i>')
    words = zip(readouts or columns, columns, strict=True)
    names = Markup().join(name.format(text, word) for text, word in words)
    above = ""
    if line is not None:
        across = (np.arange(len(columns)) + 0.5) / max(len(columns), 1) * 100
        above = Markup(
            '<svg class="above" viewBox="0 0 100 100" preserveAspectRatio="none">'
            '<line class="reference" x2="100" y1="50" y2="50"/><path d="{}"/></svg>'
        ).format(_path(across, 100 * (1 - np.asarray(line, float))))
    longest = max(map(len, columns), default=0)
    room = f"--names:{min(20 + 7 * longest, 84)}px"
    upright = ";text-orientation:upright" if longest == 1 else ""
    return Markup(
        '<div class="heat"><div class="y-title">{}</div>'
        '<div class="scroll" tabindex="0" role="group" aria-label="scrolls sideways">'
        '<div class="sheet" style="--n:{};{}">{}<img alt="{}" src="{}" style="height:{}px"/>'
        '<div class="names">{}</div></div></div></div>'
    ).format(
        row_title,
        len(columns),
        room + upright,
        above,
        description,
        picture(matrix, shade, limit),
        matrix.shape[0] * row_height,
        names,
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
    row = Markup(
        '<div class="{}"><span>{}</span><i><b style="width:{:.1f}%"></b></i><em>{}</em></div>'
    )
    rows = (
        row.format(
            "positive" if value >= 0 else "negative", name, 50 * abs(value) / longest, form(value)
        )
        for name, value in items
    )
    return Markup('<div class="bars" role="img" aria-label="{}">{}</div>').format(
        description, Markup().join(rows)
    )


def meter(fraction):
    """A bar from 0 to 100 % with a notch in the middle, blue from there, orange below it."""
    tone = "positive" if fraction >= 0.5 else "negative"
    return Markup(
        '<span class="meter {}" aria-hidden="true">'
        '<b style="left:{:.1f}%;width:{:.1f}%"></b></span>'
    ).format(tone, 100 * min(fraction, 0.5), 100 * abs(fraction - 0.5))


def coloured_words(text, spans, effects, readouts, running=None):
    """A text with each word shaded by its effect and, beneath it, a running value.

    Args:
        text: The text.
        spans: For each word its (start, end) in the text, in order; what else it holds is paler.
        effects: For each word a signed number; the strongest gets the strongest shade.
        readouts: For each word, the text shown while the pointer is on it.
        running: For each word a fraction, drawn beneath the words as an area from the 50 %
            line, or None.
    """
    effects = np.asarray(effects, float)
    strongest = max(float(np.abs(effects).max(initial=0)), 0.25)
    shades = np.rint(np.abs(effects) / strongest * 60).astype(int)
    heights = None if running is None else 96 - 92 * np.asarray(running, float)
    strip = "" if running is None else Markup("<i></i>")
    word = Markup('<span class="w" style="{}" data-t="{}">{}{}</span>')
    rest = Markup('<span class="rest">{}</span>')
    groups, before = [], 50.0
    for n, (start, end) in enumerate(spans):
        following = spans[n + 1][0] if n + 1 < len(spans) else end
        tone = "positive" if effects[n] >= 0 else "negative"
        style = f"--c:rgb(var(--{tone}-rgb)/{shades[n]}%)"
        if heights is not None:
            style += f";--a:{before:.0f}%;--b:{heights[n]:.0f}%"
            before = heights[n]
        gap = text[end:following]
        space = " " if gap.isspace() else ""
        piece = word.format(style, readouts[n], text[start:end] + space, strip)
        piece += rest.format(gap) if gap.strip() else ""
        if n and spans[n - 1][1] == start:
            groups[-1] += piece
        else:
            groups.append(piece)
    group = Markup('<span class="g">{}</span>')
    body = Markup("<wbr>").join(map(group.format, groups))
    before, after = (text[: spans[0][0]], text[spans[-1][1] :]) if spans else (text, "")
    parts = [rest.format(before) if before else "", body, rest.format(after) if after else ""]
    return Markup('<div class="words">{}</div>').format(Markup().join(parts))
