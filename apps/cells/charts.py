"""Charts that several lessons draw: lines on a logarithmic axis."""

import numpy as np

from shared import plots
from shared.site import components

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def format_power(number):
    """A number as text: `2.4 × 10⁻⁵`, or `0.19` if that is short."""
    if not np.isfinite(number):
        return "not a number"
    if 1e3 <= abs(number) < 1e5:
        return f"{number:,.0f}"
    if number == 0 or 1e-2 <= abs(number) < 1e3:
        return f"{number:.3g}"
    digits, exponent = f"{number:.1e}".split("e")
    return f"{digits} × {_power_of_ten(int(exponent))}"


def draw_log_chart(
    lines, x, axes, caption, name, bounds=(), limits=(-12, 6), reference=None, **options
):
    """A line chart over powers of ten, with a legend and files to save.

    Args:
        lines: List of `plots.Line`.
        x: Whole numbers, the place of each value.
        axes: Titles of the axes, (x, y); up to a comma, the x title names the CSV column too.
        caption: What to see in it.
        name: Of the files, without an ending.
        bounds: Further lines, which do not stretch the y axis.
        limits: Smallest and largest power of ten that the y axis may show.
        reference: Power of ten of a reference line, or None.
        options: For `plots.chart`.
    """
    x_title, y_title = axes
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [np.log10(np.asarray(line.values, float)) for line in [*lines, *bounds]]
    finite = np.concatenate([log[np.isfinite(log)] for log in logs[: len(lines)]])
    low = max(np.floor(finite.min(initial=0)), limits[0])
    least = low + 1 if reference is None else reference
    high = min(max(np.ceil(finite.max(initial=least)), least), limits[1])
    margin = 0 if reference is None else 0.3
    low, high = low - margin, high + margin
    tick = max(1, round((high - low) / 5))
    powers = range(int(np.ceil(low / tick)) * tick, int(high) + 1, tick)
    powers = [(power, _power_of_ten(power)) for power in powers]
    lines = [*lines, *bounds]
    column = x_title.split(",")[0]
    chart = plots.chart(
        [
            plots.Line(
                line.name,
                np.where((log >= low) & (log <= high), log, np.nan),
                line.colour,
                line.dashed,
            )
            for line, log in zip(lines, logs, strict=True)
        ],
        x_title,
        plots.Axis(y_title, low, high, powers),
        f"Line chart of {y_title} over {x_title}.",
        x=x,
        reference=reference,
        readouts=line_readouts(lines, x, column.removesuffix("s"), format_power),
        **options,
    )
    return savable_lines(lines, x, column, chart, caption, name)


def line_readouts(lines, x, word, form):
    """What a chart says at each place: the place, and the value of every line there."""
    return [
        f"{word} {place:,} · "
        + " · ".join(
            f"{line.name} {form(line.values[n])}" for line in lines if np.isfinite(line.values[n])
        )
        for n, place in enumerate(x)
    ]


def savable_lines(lines, x, column, chart, caption, name):
    """A chart of lines with its caption, its legend and files to save."""
    legend = plots.legend([(line.name, line.colour, line.dashed) for line in lines])
    rows = [[int(place), *(float(line.values[n]) for line in lines)] for n, place in enumerate(x)]
    figure = plots.figure(chart, caption, legend)
    return components.savable_figure(figure, name, [column, *(line.name for line in lines)], rows)


def _power_of_ten(exponent):
    return f"10{str(exponent).translate(SUPERSCRIPTS)}"
