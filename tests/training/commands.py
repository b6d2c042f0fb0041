"""Running the training commands in tests."""

import json

from typer.testing import CliRunner


def run(app, *arguments):
    """The metrics that a command prints with `--json`."""
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert result.exit_code == 0, f"{result.exception!r} {result.output}"
    return json.loads(result.stdout.strip().splitlines()[-1])


def refusal(app, *arguments, folder=""):
    """The sentence with which a command refuses its arguments; `folder` becomes FOLDER in it."""
    error = CliRunner().invoke(app, [*map(str, arguments)], standalone_mode=False).exception
    assert error is not None
    return str(error).replace(str(folder), "FOLDER") if folder else str(error)
