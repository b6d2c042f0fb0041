"""Compares benchmarks with the last recorded run: `python -m benchmarks.record [NAME …] [--save]`.

Each figure is printed with the recorded one and their ratio. The record is
`benchmarks/recorded.json`; compare figures of the same machine only.
"""

import json
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)

RECORD = Path(__file__).parent / "recorded.json"
BENCHMARKS = (
    "layers", "forecasting", "cells", "analogies", "site", "pages", "decoding", "captioning", "vqa",
    "reading",
)  # fmt: skip
# `--json` of these takes a file; that of the others prints.
WITH_JSON_FILE = {"layers", "cells", "site", "pages"}


def measure(name):
    """Run a benchmark in a process of its own; returns its figures as `flatten` gives them."""
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json"]
    if name in WITH_JSON_FILE:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "figures.json"
            subprocess.run([*command, path], check=True)
            figures = json.loads(path.read_text(encoding="utf-8"))
    else:
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        figures = json.loads(output.strip().splitlines()[-1])
    figures.pop("machine", None)
    return flatten(figures)


def flatten(figures, name=""):
    """The measured numbers in nested dicts and lists, by their paths.

    Floats are measured, and so are whole numbers in a dict. A dict in a list is named by its own
    strings and whole numbers, such as its shape, which are not measured.

    Example:

    >>> flatten({"rows": [{"cell": "gru", "ms": 0.25}]})
    {'rows cell=gru ms': 0.25}
    """
    if isinstance(figures, dict):
        result = {}
        for key, value in figures.items():
            if not isinstance(value, (str, bool, type(None))):
                result |= flatten(value, f"{name} {key}".strip())
        return result
    if isinstance(figures, list):
        result = {}
        for row in figures:
            label = {key: value for key, value in row.items() if isinstance(value, (str, int))}
            path = " ".join([name, *(f"{key}={value}" for key, value in label.items())])
            result |= flatten({k: v for k, v in row.items() if k not in label}, path)
        return result
    return {name: round(float(figures), 4)}


def compare(figures, recorded):
    """A line for each figure, with the recorded one and the ratio where there is one."""
    for name, value in figures.items():
        before = recorded.get(name)
        comparison = f"{before:12.4g}{value / before:8.2f} ×" if before else f"{'new':>12}"
        yield f"{name:76}{value:12.4g}{comparison}"


@app.command()
def main(
    names: Annotated[list[str] | None, typer.Argument(help="Which; default: all.")] = None,
    save: Annotated[bool, typer.Option(help="Make this run the record.")] = False,
):
    """Run benchmarks and compare them with the last recorded run."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    for name in names or BENCHMARKS:
        figures = measure(name)
        recorded = record.get(name, {"date": "never", "figures": {}})
        print(f"\n{name}: now, recorded {recorded['date']}, ratio")
        print("\n".join(compare(figures, recorded["figures"])), flush=True)
        if save:
            record[name] = {"date": date.today().isoformat(), "figures": figures}
            RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    app()
