"""What the benchmarks share: median times, and the options that print or save figures."""

import json
import time
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")]


def median_milliseconds(function, repeats):
    """The median time of `function()` in milliseconds, after one call to warm up."""
    function()
    return round(_median_times({"": function}, repeats)[""], 1)


def medians_in_turn(functions, repeats):
    """The median milliseconds of several functions, called in turn after two warm-up calls each.

    Whatever else the machine does then affects all of them alike.

    Args:
        functions: Dict of name to function without arguments.
        repeats: How often each is timed.

    Returns:
        Dict of name to milliseconds.
    """
    for function in functions.values():
        function()
        function()
    return _median_times(functions, repeats)


def _median_times(functions, repeats):
    seconds = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return {name: 1000 * median(values) for name, values in seconds.items()}


def print_figures(figures, as_json):
    """Print a dict of figures as one JSON object, or one figure per line."""
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:52}{value!s:>10}")
