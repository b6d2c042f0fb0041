"""The table in a text: separator, headings and rows of equal length."""

import csv
from collections import Counter
from dataclasses import dataclass

import numpy as np

from apps.forecasting.reading import columns
from apps.forecasting.reading.parsing import parse_dates, parse_numbers
from shared.errors import UserError
from shared.tables import find_other_format, read_drawn_table

MAX_COLUMNS = 500
MAX_LINE = 20_000  # characters
MAX_NAMES, MAX_NAME = 10, 30  # of columns in a message, and characters of each
_QUOTES = "\"'="  # around cells: ="2024-01-31" keeps Excel from reading a date
SEPARATORS = (";", "\t", "|", ",", None)  # None: white space


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of strings `(rows, width)`, the `Heading` of each column, and which holds the dates."""

    separator: str | None
    rows: list[list[str]]
    headings: list[columns.Heading]
    date_column: int
    notes: tuple[str, ...]

    def column(self, n):
        return [row[n] for row in self.rows]

    def label(self, n):
        return self.headings[n].label or f"{n + 1}"


def find_table(text, max_rows):
    """The `Table` in a text, whatever its separator and however many lines stand above it.

    Raises:
        UserError: if there is none, or if it is too large.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if kind := find_other_format(text):
        raise UserError(f"This file holds {kind}. Save the table as CSV and try again.")
    if (count := text.count("\n")) > 2 * max_rows:  # every second line may be blank
        raise UserError(f"This file has {count:,} lines; at most {max_rows:,} are read at once.")
    text = read_drawn_table(text) or text
    lines = [line for line in text.split("\n") if line.strip(" \t\x1a\0")]
    if not lines:
        raise UserError("This file is empty. It needs the columns date and close.")
    if len(lines) > max_rows:
        raise UserError(
            f"This file has {len(lines):,} rows; at most {max_rows:,} are read at once."
        )
    longest = max(range(len(lines)), key=lambda n: len(lines[n]))
    if len(lines[longest]) > MAX_LINE:
        raise UserError(f"Line {longest + 1:,} is too long for a table of prices.")
    separators = SEPARATORS
    if lines[0].lower().startswith("sep=") and len(lines) > 1:  # Excel's hint
        separators, lines = (lines[0][4:5] or "\t",), lines[1:]
    separator = _find_separator(columns.sample_rows(lines), separators)
    if separator and max(line.count(separator) for line in lines) > MAX_COLUMNS:
        raise UserError(f"A line of this file has more than {MAX_COLUMNS} cells.")
    rows = [_split(line, separator) for line in lines]
    width = _usual_width(rows)
    if width < 2:
        raise UserError(
            "This file has only one column. It needs a date and a closing price, "
            "separated by commas, semicolons or tabs."
        )
    rows, width = _join_dates(rows, width)
    return _split_headings(rows, width, separator)


def _find_separator(lines, separators):
    """The separator that leaves a column of dates beside one of numbers, or the most cells."""

    def suitability(separator):
        narrow = [line for line in lines if line.count(separator or " ") <= MAX_COLUMNS]
        rows = [_split(line, separator) for line in narrow]
        width = _usual_width(rows) if rows else 0
        if width < 2:
            return False, False, width
        rows = [row for row in rows if len(row) == width]
        date_column = columns.find_date_column(rows)
        numbers = any(
            n != date_column and parse_numbers(cells).share > 0.5
            for n, cells in enumerate(zip(*rows, strict=True))
        )
        return date_column is not None and numbers, separator is not None, width

    return max(separators, key=suitability)


def _split(line, separator):
    """The cells of a line. Quotes do not reach beyond it, so that none can swallow the file."""
    if separator is None:
        return line.replace('"', "").split()
    if '"' not in line:
        return [_unquote(cell) for cell in line.split(separator)]
    try:
        row = next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    except csv.Error as error:
        raise UserError(f"This file cannot be read as a CSV: {error}.") from error
    return [_unquote(cell) for cell in row]


def _unquote(cell):
    return cell.strip().strip(_QUOTES).strip()


def _usual_width(rows):
    widths = Counter(map(len, rows))
    return max(widths, key=lambda width: (widths[width], width))


def _join_dates(rows, width):
    """Rows whose dates stand in several columns put together again, with the new width.

    They were cut at their own commas, as in `Dec 13, 2023`, or are years, months and days.
    """
    sample = columns.sample_rows([row for row in rows if len(row) == width])
    if width < 3 or columns.find_date_column(sample) is not None:
        return rows, width
    for count, mark in ((3, "/"), (2, ", "), (2, "/")):
        for n in range(width - count + 1 if width > count else 0):
            end = n + count
            if parse_dates([mark.join(row[n:end]) for row in sample]).share > 0.8:
                return [
                    [*row[:n], mark.join(row[n:end]), *row[end:]] if len(row) == width else row
                    for row in rows
                ], width - count + 1
    return rows, width


def _split_headings(rows, width, separator):
    """The `Table` in rows: without the lines above it and those of another length."""
    sample = columns.sample_rows([row for row in rows if len(row) == width])
    date_column = columns.find_date_column(sample)
    if date_column is not None:
        # Again with the names, should there be several columns of dates.
        headings = columns.read_headings(
            rows[: _first_day(rows, width, date_column)], width, date_column
        )
        date_column = columns.find_date_column(sample, headings)
        first = _first_day(rows, width, date_column)
    else:
        named = [n for n, cell in enumerate(rows[0]) if columns.role_of(cell) == "date"]
        if not named:
            raise UserError(
                f"This file has no date column. Its columns are: {list_names(rows[0])}."
            )
        date_column, first = named[0], 1
    above, rows = rows[:first], rows[first:]
    width = max(width, date_column + 1)
    heading = max(above[-3:], key=len, default=None)
    if heading is not None and len(heading) < width:
        _refuse_extra_cells(rows, len(heading), width)
    headings = columns.read_headings(above, width, date_column)
    usable = [row for row in rows if not any(row[width:])]
    notes = []
    if len(usable) < len(rows):
        wrong = len(rows) - len(usable)
        if wrong > 1 + 0.02 * len(rows):
            raise UserError(
                f"{count_rows(wrong)} have more cells than the others. Put quotes around cells "
                "that contain the separator."
            )
        notes.append(f"{count_rows(wrong)} had too many columns and did not count.")
    usable = [(row + [""] * (width - len(row)))[:width] for row in usable]
    return Table(separator, usable, headings, date_column, tuple(notes))


def _first_day(rows, width, date_column):
    """The position of the first row with a date in the column of dates."""
    start = [row[date_column] if len(row) == width else "" for row in rows[:50]]
    known = ~np.isnat(parse_dates(start).values)
    return int(known.argmax()) if known.any() else 0


def _refuse_extra_cells(rows, named, width):
    """Refuse rows that all have more cells than there are headings, unless these are empty."""
    extra = next((row for row in rows if len(row) >= width and any(row[named:])), None)
    if extra is None:
        return
    cells = [n for n, cell in enumerate(extra) if cell]
    raise UserError(
        f"The rows have {width} cells but there are {named} headings: “{extra[cells[-1]][:20]}” is "
        "one too many. A date or a number that contains a comma needs quotes around it."
    )


def list_names(names):
    """The first names of columns, cut to a length that fits into a sentence."""
    shown = [name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}…" for name in names[:MAX_NAMES]]
    more = len(names) - MAX_NAMES
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def count_rows(count):
    """A number of rows in words: `1 row`, `2 rows`."""
    return f"{count:,} row" + ("s" if count != 1 else "")
