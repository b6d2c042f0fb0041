"""Reading the files that users train on: text of any encoding, and JSON Lines."""

import json

import typer

from shared import tables
from shared.errors import UserError


def read_text(path):
    """The text of a file, its lines ended by `\\n`.

    Raises:
        typer.BadParameter: if it cannot be read or is not text.
    """
    try:
        text, _ = tables.decode_text(path.read_bytes())
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}.") from error
    except UserError as error:
        raise typer.BadParameter(f"{path} is not a text file.") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def numbered_lines(path):
    """The lines of a file that are not blank, each with its number; errors as for `read_text`."""
    lines = read_text(path).split("\n")
    return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def read_json_lines(path, parse, expected):
    """The rows of a JSON Lines file.

    Args:
        path: Of the file.
        parse: Function of a line's number and its JSON value that returns the row. It raises
            `UserError` where a value cannot be used; any other error means that the line has
            another form.
        expected: That form, for the message.

    Raises:
        typer.BadParameter: if the file or a line cannot be used; the message names the line.
    """
    rows = []
    for number, line in numbered_lines(path):
        try:
            rows.append(parse(number, json.loads(line)))
        except UserError as error:
            raise typer.BadParameter(f"{path}, line {number}: {error}") from error
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise typer.BadParameter(f"{path}, line {number}: expected {expected}.") from error
    if not rows:
        raise typer.BadParameter(f"{path} has no rows.")
    return rows
