"""HTML of the lesson on the one-line network, from its results."""

import base64
import io
import math

import numpy as np
from markupsafe import Markup
from PIL import Image

from shared import plots
from shared.site import components

PLANE_LIMIT = 1.5  # as in `network.PLANE_LIMIT`
PLANE_SIZE = 440  # pixels
BASIN_COLOURS = ("positive", "negative", "output", "input", "rnn", "gru")  # by attractor
PRESETS = {
    "forget": ("Forgets", ((0.7, 0.0), (0.0, 0.5))),
    "two": ("Two memories", ((1.6, 0.0), (0.4, 0.6))),
    "four": ("Four memories", ((1.6, 0.0), (0.0, 1.6))),
    "flip": ("Flips", ((-1.5, 0.0), (0.4, 0.5))),
    "circle": ("Goes round", ((1.1, -0.7), (0.7, 1.1))),
}


def growth(response):
    """The factor of a step, large, what it does to an impulse, and the closed form."""
    number = f"{response.growth:.2f}".replace("-", "−")
    word, sentence = _describe_growth(response.growth)
    closed_form = Markup(
        '<div class="equations"><span>y(t) = w<sub>1</sub> (x(t) + w<sub>2</sub> y(t − 1))'
        "</span><span>an impulse, t steps later: w<sub>1</sub> (w<sub>1</sub> w<sub>2</sub>)"
        "<sup>t</sup> = {:g} · {:.4g}<sup>t</sup></span></div>"
    ).format(response.w1, response.growth)
    sentence = f"{sentence} This factor is w₁ w₂."
    return components.answer(number, word, "", sentence) + closed_form


def _describe_growth(growth):
    """A word and a sentence for the factor of a step."""
    factor = abs(growth)
    flips = " and changes sign at every step" if growth < 0 else ""
    if factor == 0:
        return "forgets at once", "A step passes nothing on to the next."
    if math.isclose(factor, 1, abs_tol=5e-4):
        return "stays", f"A step passes on all of its input{flips}: the impulse never ends."
    if factor < 1:
        half_life = _count_steps(math.log(0.5) / math.log(factor))
        share = plots.percent(factor, 1)
        return "dies out", (
            f"A step keeps {share} of its input{flips}: half of the impulse is gone after "
            f"{half_life}."
        )
    doubling = _count_steps(math.log(2) / math.log(factor))
    return "blows up", (
        f"A step multiplies its input by {factor:.3g}{flips}: the impulse doubles every {doubling}."
    )


def _count_steps(number):
    return f"{number:.1f} steps" if number < 10 else f"{number:,.0f} steps"


def impulse(response):
    """The response to one impulse."""
    caption = (
        "The input is a single 1 at step 0 and 0 afterwards. All later output comes from the loop."
    )
    if response.overflow is not None:
        caption = _describe_overflow(response)
    return _response(response, "impulse", caption)


def sine(response, period):
    """The response to a sine wave, and the amplitude at which it settles."""
    wave = f"The input is a wave with a period of {period:g} steps."
    if response.overflow is not None:
        caption = _describe_overflow(response)
    elif abs(response.growth) < 0.9995:
        amplitude = abs(response.w1 / (1 - response.growth * np.exp(-2j * np.pi / period)))
        caption = (
            f"{wave} The loop adds it to what is left of the waves before, until each step loses "
            f"as much as it gains: the output settles at an amplitude of {amplitude:.2f}, which is "
            "|w₁ / (1 − w₁w₂ exp(−iω))|."
        )
    else:
        caption = f"{wave} The loop loses nothing of it, so the output never settles."
    return _response(response, "sine", caption)


def _describe_overflow(response):
    return (
        f"At step {response.overflow} the number overflowed the range of 32 bits, about 10³⁸, and "
        "became infinite, as in any loop that explodes. Nothing is drawn from there on."
    )


def _response(response, name, caption):
    output = np.where(np.isfinite(response.output), response.output, np.nan).astype(float)
    lines = [
        plots.Line("input x", response.signal, "baseline", True),
        plots.Line("output y", output, "rnn"),
    ]
    steps = range(len(output))
    chart = plots.chart(
        lines,
        "step t",
        plots.Axis("y(t)", form=format_short),
        f"The response to the {name}.",
        x=steps,
        reference=0,
        readouts=[
            f"step {t} · x {plots.signed(x)} · y {format_short(y)}"
            for t, x, y in zip(steps, response.signal, output, strict=True)
        ],
        height=200,
    )
    legend = plots.legend([(line.name, line.colour, line.dashed) for line in lines])
    rows = [[t, float(x), float(y)] for t, x, y in zip(steps, response.signal, output, strict=True)]
    figure = plots.figure(chart, caption, legend)
    return components.savable_figure(figure, f"one-line-{name}", ["step", "x", "y"], rows)


def format_short(number):
    """A number in a few characters, whatever its size."""
    if not np.isfinite(number):
        return "–"
    size = abs(number)
    return f"{number:.3g}" if size == 0 or 1e-3 <= size < 1e5 else f"{number:.1e}"


def plane(result):
    """The plane with its basins and both paths, and the eigenvalues beside it."""
    count, distances = len(result.attractors), result.distances
    basins = (
        "All starts end at one place"
        if count == 1
        else f"Starts end at {count} places, shown by colour: what the network can remember"
    )
    caption = (
        f"{basins}. The two paths start {distances[0]:.2f} apart; after {len(distances) - 1} steps "
        f"they are {distances[-1]:.2g} apart."
    )
    columns = ["step", "first x", "first y", "second x", "second y"]
    rows = [[t, *map(float, pair.ravel())] for t, pair in enumerate(result.paths.swapaxes(0, 1))]
    figure = plots.figure(_draw_plane(result), caption, _plane_legend(result))
    return Markup('<div class="pair">{}{}</div>').format(
        components.savable_figure(figure, "two-units-plane", columns, rows),
        _eigenvalues(result.eigenvalues),
    )


def _eigenvalues(eigenvalues):
    """The eigenvalues of W beside the unit circle."""
    largest = max(abs(eigenvalues))
    verdict = (
        "All lie inside the unit circle: every direction shrinks"
        if largest < 1
        else "Outside the unit circle a direction grows until tanh limits it"
    )
    caption = (
        f"The eigenvalues of W; the largest has magnitude {largest:.2f}. {verdict}. A pair off the "
        "horizontal axis also rotates the state."
    )
    rows = [[n, value.real, value.imag] for n, value in enumerate(eigenvalues, 1)]
    figure = plots.figure(_draw_circle(eigenvalues), caption)
    return components.savable_figure(
        figure, "two-units-eigenvalues", ["n", "real", "imaginary"], rows
    )


def _plane_legend(result):
    entries = []
    pairs = zip(result.attractors, BASIN_COLOURS, strict=False)
    for points, colour in pairs:
        place = ", ".join(plots.signed(value, 1) for value in points[-1])
        names = {1: f"rests at ({place})", 2: "alternates between two points"}
        entries.append((names.get(len(points), "goes round, or still moves"), colour))
    return plots.legend(entries)


# Drawings. `Markup(f"…")` holds numbers and names of ours only.


def _draw_square(limit, draw, description, names):
    """A square drawing of the plane from −limit to limit with its axes.

    Args:
        limit: Half of the side, in units of the plane.
        draw: Function that returns the SVG of the content, given a function that converts a
            coordinate of the plane to pixels.
        description: A sentence for those who do not see the figure.
        names: Titles of the horizontal and the vertical axis.
    """

    def place(value):
        return (value + limit) / (2 * limit) * PLANE_SIZE

    marks = "".join(
        f'<text x="{place(tick):.1f}" y="{PLANE_SIZE + 18}" class="mid">{format_short(tick)}</text>'
        f'<text x="-8" y="{place(-tick):.1f}" dy=".35em" class="end">{format_short(tick)}</text>'
        for tick in plots.ticks(-limit, limit, 4)
    )
    zero, size, (across, up) = place(0), PLANE_SIZE, names
    return Markup(
        f'<svg class="square" viewBox="-44 -26 {size + 52} {size + 68}" role="img" '
        f'aria-label="{description}">'
        f'<line class="grid" x1="0" x2="{size}" y1="{zero}" y2="{zero}"/>'
        f'<line class="grid" y1="0" y2="{size}" x1="{zero}" x2="{zero}"/>'
        f'<rect width="{size}" height="{size}" class="frame"/>{draw(place)}{marks}'
        f'<text x="{size}" y="{size + 38}" class="end">{across}</text>'
        f'<text x="-36" y="-12">{up}</text></svg>'
    )


def _draw_plane(result):
    def draw(place):
        parts = [
            f'<image href="{_basin_image(result.basins)}" width="{PLANE_SIZE}" '
            f'height="{PLANE_SIZE}" preserveAspectRatio="none"/>'
        ]
        for path, dash in zip(result.paths, ("", ' stroke-dasharray="4 4"'), strict=True):
            points = [(place(x), place(-y)) for x, y in np.clip(path, -PLANE_LIMIT, PLANE_LIMIT)]
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            parts.append(f'<polyline points="{line}"{dash}/>')
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in points[1:]]
            parts.append(f'<circle cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="6"/>')
        parts += [
            f'<circle class="end-point" cx="{place(x):.1f}" cy="{place(-y):.1f}" r="9"/>'
            for points in result.attractors
            if len(points) <= 2
            for x, y in points
        ]
        return "".join(parts)

    description = "The place where each start of the plane ends, and two paths."
    return _draw_square(PLANE_LIMIT, draw, description, ("unit 1", "unit 2"))


def _draw_circle(eigenvalues):
    def draw(place):
        radius = place(1) - place(0)
        dots = "".join(
            f'<circle class="value" cx="{place(v.real):.1f}" cy="{place(-v.imag):.1f}" r="8"/>'
            for v in eigenvalues
        )
        return f'<circle class="unit" cx="{place(0)}" cy="{place(0)}" r="{radius:.1f}"/>{dots}'

    values = " and ".join(f"{v.real:.2f}{v.imag:+.2f}i" for v in eigenvalues)
    limit = max(1.5, 1.15 * max(abs(eigenvalues)))
    return _draw_square(limit, draw, f"Eigenvalues {values}.", ("real part", "imaginary part"))


def _basin_image(basins):
    """The basins as the data URL of a PNG, in half transparent colours for light and dark."""
    inks = [plots.INKS[name] for name in BASIN_COLOURS]
    colours = np.array([[int(ink[n : n + 2], 16) for n in (1, 3, 5)] + [96] for ink in inks])
    pixels = colours[basins[::-1] % len(inks)].astype("uint8")
    buffer = io.BytesIO()
    Image.fromarray(pixels, "RGBA").resize((256, 256), Image.Resampling.NEAREST).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def explanation(response):
    """The layer behind the first figure, for the folded section."""
    return Markup(
        "<p>This is the recurrent layer of all pages, with one unit and no activation function: "
        "its input weight is w₁ = {:g}, its recurrent weight w₁ w₂ = {:.4g}.</p>"
    ).format(response.w1, response.growth)
