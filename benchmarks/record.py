"""All benchmarks beside the last recorded run: `python -m benchmarks.record [NAME …] [--save]`.

Printed is each figure, the recorded one, and how many times as large it is. The record is
`benchmarks/recorded.json`; a figure means something only beside those of the same machine.
"""

import json
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

RECORD = Path(__file__).parent / "recorded.json"
# Whether the figures are written to a file that `--json` names, or printed.
TO_FILE = {
    "layers": True,
    "forecasting": False,
    "cells": True,
    "analogies": False,
    "site": True,
    "decoding": False,
    "captioning": False,
    "vqa": False,
}


def measure(name):
    """Run a benchmark; returns its figures as `flat` gives them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figures.json"
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json"]
        if TO_FILE[name]:
            subprocess.run([*command, path], check=True)
            figures = json.loads(path.read_text())
            figures.pop("machine", None)
            return flat(figures)
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        return flat(json.loads(said.strip().splitlines()[-1]))


def flat(figures, name=""):
    """The measured numbers within nested dicts and lists, by their paths.

    Measured are floats, and whole numbers of a dict; an item of a list is named by all that it
    says of itself, such as its shape, which is measured by nobody.
    """
    if isinstance(figures, dict):
        found = {}
        for key, value in figures.items():
            if not isinstance(value, (str, bool, type(None))):
                found |= flat(value, f"{name} {key}".strip())
        return found
    if isinstance(figures, list):
        found = {}
        for item in figures:
            said = {key: value for key, value in item.items() if isinstance(value, (str, int))}
            label = " ".join(f"{key}={value}" for key, value in said.items())
            rest = {key: value for key, value in item.items() if key not in said}
            found |= flat(rest, f"{name} {label}")
        return found
    return {name: round(float(figures), 4)}


def comparison(now, recorded):
    """A line for each figure that stands in `now`, with the ratio where both are known."""
    for name, value in now.items():
        before = recorded.get(name)
        beside = f"{before:12.4g}{value / before:8.2f} ×" if before else f"{'new':>12}"
        yield f"{name:76}{value:12.4g}{beside}"


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Which; all without a name.")] = None,
    save: Annotated[bool, typer.Option(help="Make this run the record.")] = False,
):
    record = json.loads(RECORD.read_text())
    for name in names or TO_FILE:
        now = measure(name)
        recorded = record.get(name, {"date": "never", "figures": {}})
        print(f"\n{name}: now, recorded {recorded['date']}, ratio")
        print("\n".join(comparison(now, recorded["figures"])), flush=True)
        if save:
            record[name] = {"date": date.today().isoformat(), "figures": now}
            RECORD.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
