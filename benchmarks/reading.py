"""Times what strangers send as it is read in a child process, beside reading it directly.

`python -m benchmarks.reading [--json]`. Median milliseconds; both kinds are timed in turn, so that
whatever else the machine does affects them alike. A photo is read from its file to pixels in RGB.
"""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import typer
from PIL import Image

from apps.forecasting import reader
from benchmarks.timing import AsJson, medians_in_turn, print_figures
from shared import images, tables

app = typer.Typer(add_completion=False)

ROWS = 1_000
PHOTOS = (
    ("jpeg", 640, 480),
    ("jpeg", 1024, 768),  # all of whose pixels travel between the processes
    ("jpeg", 4000, 3000),
    ("png", 1024, 768),
    ("webp", 1024, 768),
)


def measure(repeats=21):
    """All timings, as a dict."""
    times = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, direct, apart in _list_tasks(Path(folder)):
            medians = medians_in_turn({"direct": direct, "apart": apart}, repeats)
            times |= {f"{name}, {way}": round(value, 1) for way, value in medians.items()}
            times[f"{name}, difference"] = round(medians["apart"] - medians["direct"], 1)
    return times


def _list_tasks(folder):
    """(name, function that reads directly, function that reads in a child process) of each task."""
    for kind, width, height in PHOTOS:
        path = _draw_photo(width, height, folder / f"{width}.{kind}")
        name = f"{kind} of {width} × {height}"
        yield name, partial(images.read, path), partial(images.read_apart, path)
    table = folder / "table.csv"
    table.write_text("text,label\n" + "".join(f'"{"word " * 200}",{n}\n' for n in range(ROWS)))
    arguments = (table, ROWS)
    yield (
        f"table of {ROWS:,} reviews",
        partial(tables.read, *arguments),
        partial(tables.read_apart, *arguments),
    )
    days = np.arange(ROWS) + np.datetime64("2020-01-01")
    prices = "date,close\n" + "".join(f"{day},{100 + n % 7}\n" for n, day in enumerate(days))
    yield (
        f"{ROWS:,} prices",
        partial(reader.read_file, prices),
        partial(reader.read_apart, prices),
    )


def _draw_photo(width, height, path):
    """Write a made-up photo with few details, as most have; returns the path."""
    coarse = np.random.default_rng(0).integers(0, 256, (height // 40, width // 40, 3), "uint8")
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path)
    return path


@app.command()
def main(as_json: AsJson = False):
    """Time photos, a table and prices."""
    print_figures(measure(), as_json)


if __name__ == "__main__":
    app()
