"""What the training commands share: options, logging, and errors as sentences."""

import json
import logging
import os
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from shared import settings
from shared.bundle import BundleError, read_card
from shared.images import ImageError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is imported

DataDir = Annotated[Path | None, typer.Option(help="Folder of corpora (default: UNROLLED_DATA).")]
Output = Annotated[Path | None, typer.Option(help="Folder of the bundle to write.")]
WorkDir = Annotated[Path | None, typer.Option(help="Folder of checkpoints.")]
Model = Annotated[Path | None, typer.Option(help="Folder of a bundle of your own.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object of metrics last.")]


def data_folder(chosen):
    """The folder of corpora: the one chosen on the command line, else the setting's."""
    return chosen or settings.read().data


def language_model_folder(corpus):
    """Where the language model of a corpus is kept: outside the repository, nothing ships it."""
    return settings.read().data / "language-models" / corpus


def old_card(folder):
    """The card of the bundle that stands in a folder, empty without one."""
    try:
        return read_card(folder)
    except BundleError:
        return {}


def print_metrics(metrics, as_json):
    """Print metrics, a dict, as one JSON object or a line each."""
    if as_json:
        print(json.dumps(metrics))
        return
    for name, value in metrics.items():
        print(f"{name:40}{value:.5f}" if isinstance(value, float) else f"{name:40}{value}")


def commit():
    """The commit that trains, for the card; None outside a repository."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() or None


def run(app):
    """Run a Typer application; what the user can mend ends with one sentence, not a stack trace."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        app()
    except (settings.SettingsError, BundleError, ImageError, FileNotFoundError) as problem:
        raise SystemExit(f"{problem}") from None
