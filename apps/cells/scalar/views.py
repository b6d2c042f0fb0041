"""What the lesson of the one-line network shows: HTML from its results."""

import base64
import io
import math
from html import escape

import numpy as np
from PIL import Image

from shared import page, plots

REACH = 1.5  # of the plane, as in `network.REACH`
BASINS = ("positive", "negative", "output", "input", "rnn", "gru")  # colours of the ends, by place
PRESETS = {
    "forget": ("Forgets", ((0.7, 0.0), (0.0, 0.5))),
    "two": ("Two memories", ((1.6, 0.0), (0.4, 0.6))),
    "four": ("Four memories", ((1.6, 0.0), (0.0, 1.6))),
    "flip": ("Flips", ((-1.5, 0.0), (0.4, 0.5))),
    "circle": ("Goes round", ((1.1, -0.7), (0.7, 1.1))),
}


def growth(response):
    """The answer: the factor of a step, what it does to an impulse, and the closed form."""
    factor = abs(response.growth)
    flips = " and changes sign at every step" if response.growth < 0 else ""
    if factor == 0:
        word, sentence = "forgets at once", "Nothing is passed on from one step to the next."
    elif math.isclose(factor, 1, abs_tol=5e-4):
        word = "stays"
        sentence = f"A step passes on exactly what it got{flips}: the impulse never ends."
    elif factor < 1:
        word = "dies out"
        sentence = (
            f"A step keeps {plots.percent(factor, 1)} of what it got{flips}: half of the impulse "
            f"is gone after {_steps(math.log(0.5) / math.log(factor))}."
        )
    else:
        word = "blows up"
        sentence = (
            f"A step multiplies what it got by {factor:.3g}{flips}: the impulse doubles every "
            f"{_steps(math.log(2) / math.log(factor))}."
        )
    closed = (
        '<div class="equations"><span>y(t) = w<sub>1</sub> (x(t) + w<sub>2</sub> y(t − 1))'
        "</span><span>an impulse, t steps later: w<sub>1</sub> (w<sub>1</sub> w<sub>2</sub>)"
        f"<sup>t</sup> = {response.w1:g} · {response.growth:.4g}<sup>t</sup></span></div>"
    )
    number = f"{response.growth:.2f}".replace("-", "−")
    return page.answer(number, word, "", f"{sentence} This factor is w₁ w₂.") + closed


def _steps(number):
    return f"{number:.1f} steps" if number < 10 else f"{number:,.0f} steps"


def impulse(response):
    """The response to one impulse."""
    caption = (
        "A single 1 comes in at step 0, then nothing: what you see afterwards is the loop alone."
    )
    if response.overflow is not None:
        caption = _blown(response)
    return _response(response, "impulse", caption)


def sine(response, period):
    """The response to a sine wave, and the amplitude it settles at."""
    turn = 1 - response.growth * np.exp(-2j * np.pi / period)
    if response.overflow is not None:
        caption = _blown(response)
    elif abs(response.growth) < 0.9995:
        caption = (
            f"A wave with a period of {period:g} steps keeps coming in. The loop adds each wave to "
            "what is left of those before, until as much is lost as comes in: an amplitude of "
            f"{abs(response.w1 / turn):.2f}, which is |w₁ / (1 − w₁w₂ exp(−iω))|."
        )
    else:
        caption = (
            f"A wave with a period of {period:g} steps keeps coming in. The loop loses nothing of "
            "it, so there is no amplitude at which it settles."
        )
    return _response(response, "sine", caption)


def _blown(response):
    return (
        f"At step {response.overflow} the number left the range of 32 bits, about 10³⁸, and "
        "became infinite: this is what an exploding loop ends in. Nothing is drawn from there on."
    )


def _response(response, name, caption):
    output = np.where(np.isfinite(response.output), response.output, np.nan).astype(float)
    lines = [
        plots.Line("what comes in, x", response.signal, "baseline", True),
        plots.Line("what comes out, y", output, "rnn"),
    ]
    steps = range(len(output))
    chart = plots.line_chart(
        lines,
        "step t",
        "y(t)",
        f"The response to the {name}.",
        x=steps,
        reference=0,
        form=short,
        readouts=[
            f"step {t} · x {plots.signed(x)} · y {short(y)}"
            for t, x, y in zip(steps, response.signal, output, strict=True)
        ],
        height=200,
    )
    legend = plots.legend([(line.name, line.colour, line.dashed) for line in lines])
    rows = [[t, float(x), float(y)] for t, x, y in zip(steps, response.signal, output, strict=True)]
    figure = plots.figure(chart, caption, legend)
    return page.savable(figure, f"one-line-{name}", ["step", "x", "y"], rows)


def short(number):
    """A number in few signs, whatever its size."""
    if not np.isfinite(number):
        return "–"
    size = abs(number)
    return f"{number:.3g}" if size == 0 or 1e-3 <= size < 1e5 else f"{number:.1e}"


def plane(result):
    """The plane with its basins and both paths, and the eigenvalues beside it."""
    ends = len(result.attractors)
    basins = (
        "All starts end at one place"
        if ends == 1
        else f"Starts end at {ends} places, by colour: what the network can remember"
    )
    apart = result.distances
    caption = (
        f"{basins}. The two lines start {apart[0]:.2f} apart; after {len(apart) - 1} steps they "
        f"are {apart[-1]:.2g} apart."
    )
    largest = max(abs(result.eigenvalues))
    verdict = (
        "Inside the circle a direction shrinks"
        if largest < 1
        else "Outside the circle a direction grows until tanh holds it"
    )
    circle = (
        f"The eigenvalues of W, largest magnitude {largest:.2f}. {verdict}; off the horizontal "
        "axis it turns as well."
    )
    columns = ["step", "first x", "first y", "second x", "second y"]
    rows = [[t, *map(float, pair.ravel())] for t, pair in enumerate(result.paths.swapaxes(0, 1))]
    values = [[n, value.real, value.imag] for n, value in enumerate(result.eigenvalues, 1)]
    left = plots.figure(_plane(result), caption, _plane_legend(result))
    right = plots.figure(_circle(result.eigenvalues), circle)
    return (
        f'<div class="pair">{page.savable(left, "two-units-plane", columns, rows)}'
        f"{page.savable(right, 'two-units-eigenvalues', ['n', 'real', 'imaginary'], values)}</div>"
    )


def _plane_legend(result):
    entries = []
    for place, points in enumerate(result.attractors[: len(BASINS)]):
        where = ", ".join(plots.signed(value, 1) for value in points[-1])
        said = {1: f"rests at ({where})", 2: "alternates between two points"}
        entries.append((said.get(len(points), "goes round, or still moves"), BASINS[place]))
    return plots.legend(entries)


SIZE = 440


def _square(reach, body, description, names):
    """A square drawing over the plane from −reach to reach, with its axes."""

    def place(value):
        return (value + reach) / (2 * reach) * SIZE

    marks = "".join(
        f'<text x="{place(tick):.1f}" y="{SIZE + 18}" class="mid">{short(tick)}</text>'
        f'<text x="-8" y="{place(-tick):.1f}" dy=".35em" class="end">{short(tick)}</text>'
        for tick in plots.ticks(-reach, reach, 4)
    )
    zero = place(0)
    axes = (
        f'<line class="grid" x1="0" x2="{SIZE}" y1="{zero}" y2="{zero}"/>'
        f'<line class="grid" y1="0" y2="{SIZE}" x1="{zero}" x2="{zero}"/>'
        f'<rect width="{SIZE}" height="{SIZE}" class="frame"/>'
    )
    across, up = names
    return (
        f'<svg class="square" viewBox="-44 -26 {SIZE + 52} {SIZE + 68}" role="img" '
        f'aria-label="{escape(description)}">{axes}{body(place)}{marks}'
        f'<text x="{SIZE}" y="{SIZE + 38}" class="end">{escape(across)}</text>'
        f'<text x="-36" y="-12">{escape(up)}</text></svg>'
    )


def _plane(result):
    def body(place):
        parts = [
            f'<image href="{_picture(result.basins)}" width="{SIZE}" height="{SIZE}" '
            'preserveAspectRatio="none"/>'
        ]
        for path, dash in zip(result.paths, ("", ' stroke-dasharray="4 4"'), strict=True):
            points = [(place(x), place(-y)) for x, y in np.clip(path, -REACH, REACH)]
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            parts.append(f'<polyline points="{line}"{dash}/>')
            dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in points[1:])
            parts.append(f'{dots}<circle cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="6"/>')
        for points in result.attractors:
            if len(points) <= 2:
                parts += [
                    f'<circle class="end-point" cx="{place(x):.1f}" cy="{place(-y):.1f}" r="9"/>'
                    for x, y in points
                ]
        return "".join(parts)

    return _square(
        REACH, body, "Where each start of the plane ends, and two paths.", ("unit 1", "unit 2")
    )


def _circle(eigenvalues):
    reach = max(1.5, 1.15 * max(abs(eigenvalues)))

    def body(place):
        radius = place(1) - place(0)
        dots = "".join(
            f'<circle class="value" cx="{place(v.real):.1f}" cy="{place(-v.imag):.1f}" r="8"/>'
            for v in eigenvalues
        )
        return f'<circle class="unit" cx="{place(0)}" cy="{place(0)}" r="{radius:.1f}"/>{dots}'

    said = " and ".join(f"{v.real:.2f}{v.imag:+.2f}i" for v in eigenvalues)
    return _square(reach, body, f"Eigenvalues {said}.", ("real part", "imaginary part"))


def _picture(basins):
    """The basins as a PNG data address, half transparent colours for both grounds."""
    inks = [plots.INKS[name] for name in BASINS]
    colours = np.array([[int(ink[n : n + 2], 16) for n in (1, 3, 5)] + [96] for ink in inks])
    pixels = colours[basins[::-1] % len(inks)].astype("uint8")
    buffer = io.BytesIO()
    Image.fromarray(pixels, "RGBA").resize((256, 256), Image.Resampling.NEAREST).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def explained(response):
    """What is behind the first figure, for the folded section."""
    return (
        "<p>This is the recurrent layer of all pages with one unit and no squashing function: its "
        f"input weight is w₁ = {response.w1:g}, its recurrent weight w₁ w₂ = "
        f"{response.growth:.4g}.</p>"
    )
