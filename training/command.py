"""What the training commands share: options, logging, and errors as sentences."""

import json
import logging
import os
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from shared import settings
from shared.errors import UserError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is imported

DataDir = Annotated[Path | None, typer.Option(help="Folder of corpora (default: UNROLLED_DATA).")]
Output = Annotated[Path | None, typer.Option(help="Folder of the bundle to write.")]
WorkDir = Annotated[
    Path | None, typer.Option(help="Folder of checkpoints (default: in the data folder).")
]
Model = Annotated[Path | None, typer.Option(help="Folder of a bundle of your own.")]
Save = Annotated[
    bool, typer.Option("--save", help="Write the scores into the bundle's card as its test scores.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object of metrics last.")]


# What the user can mend: `run` prints the message alone.
USER_ERRORS = (UserError, FileNotFoundError)


def data_folder(chosen):
    """The folder of corpora: the one chosen on the command line, or else that of the settings."""
    return chosen or settings.read().data


def checkpoint_dir(task, work_dir=None, data_dir=None):
    """The folder of a task's checkpoints, which is created if it does not exist.

    Args:
        task: Name of the application.
        work_dir: The folder chosen with `--work-dir`, or None.
        data_dir: The folder of corpora chosen with `--data-dir`, or None; without `work_dir` the
            checkpoints lie in it, under `checkpoints/<task>`.

    Raises:
        UserError: if nothing can be written there.
    """
    folder = work_dir or data_folder(data_dir) / "checkpoints" / task
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"No checkpoint can be written to {folder} ({error.strerror}): name another folder "
            "with --work-dir."
        ) from error
    return folder


def language_model_folder(corpus):
    """The folder of the language model of a corpus: in the data folder, as it is not shipped."""
    return settings.read().data / "language-models" / corpus


def print_metrics(metrics, as_json):
    """Print metrics, a dict, as one JSON object or a line each."""
    if as_json:
        print(json.dumps(metrics))
        return
    for name, value in metrics.items():
        print(f"{name:40}{value:.5f}" if isinstance(value, float) else f"{name:40}{value}")


def commit():
    """The commit of the code that trains, for the card; None outside a repository."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() or None


def make_app(doc, *commands):
    """A Typer application with commands.

    Args:
        doc: Its help text.
        *commands: Functions, named as the commands.
    """
    app = typer.Typer(help=doc, pretty_exceptions_enable=False)
    for command in commands:
        app.command()(command)
    return app


def run(app):
    """Run a Typer application; what the user can mend ends it with a sentence, not a traceback."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        app()
    except USER_ERRORS as error:
        raise SystemExit(str(error)) from None
