"""CSV files of visitors: read with patience, written so that a spreadsheet runs nothing in them."""

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

WORKBOOK = b"PK\x03\x04"
# Where a spreadsheet may take what follows for a formula. Where numbers are written with a decimal
# comma it parts cells at semicolons.
FORMULA = re.compile(r"""(^(?= *[=+\-@\t\r\n])|[;\t\r\n][\s"]*(?=[=+\-@]))""")


class TableError(ValueError):
    """The file cannot be used; the message is a sentence for the page."""


@dataclass(frozen=True)
class Table:
    """A table of strings: the names of its columns, and rows of as many cells."""

    columns: list[str]
    rows: list[list[str]]

    def column(self, number):
        """The cells of a column."""
        return [row[number] for row in self.rows]


def read(path, max_rows):
    """The `Table` in a CSV file with a header, whatever its separator and encoding.

    Raises:
        TableError: if it is empty, not text, ragged or longer than `max_rows`.
    """
    content = _text(path)
    if not content.strip():
        raise TableError("This file is empty. It needs a header and at least one row.")
    separator = _separator(content)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator)
    rows = []
    try:
        header = next(row for row in reader if any(cell.strip() for cell in row))
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(rows) == max_rows:
                raise TableError(
                    f"This file has more than {max_rows:,} rows, the most that this site "
                    "answers at once. Split it into smaller files."
                )
            if len(header) == 1:  # texts whose commas nobody put in quotes
                row = [separator.join(row)]
            if len(row) > len(header):
                raise TableError(
                    f"Line {reader.line_num:,} has {len(row)} cells, the header has {len(header)}. "
                    f"A text that contains “{separator.strip() or 'tabs'}” needs quotes around it."
                )
            rows.append(row + [""] * (len(header) - len(row)))
    except csv.Error as problem:
        raise TableError(f"Line {reader.line_num:,} cannot be read: {problem}.") from problem
    if not rows:
        raise TableError("This file has a header but no rows.")
    names = [name.strip() or f"column {n}" for n, name in enumerate(header, 1)]
    return Table(names, rows)


def lines(path, max_rows):
    """The lines of a text file, empty ones too, whatever its encoding.

    Raises:
        TableError: if there are none, it is not text or longer than `max_rows`.
    """
    found = _text(path).splitlines()
    if not any(line.strip() for line in found):
        raise TableError("This file is empty. It needs at least one line.")
    if len(found) > max_rows:
        raise TableError(
            f"This file has more than {max_rows:,} lines, the most that this site answers at "
            "once. Split it into smaller files."
        )
    return found


def _text(path):
    try:
        raw = Path(path).read_bytes()
    except OSError as error:  # what stands for it may be a folder
        raise TableError("This file is no longer here. Upload it again.") from error
    if raw.startswith(WORKBOOK):
        raise TableError("This is a workbook or an archive, not a CSV. Save the sheet as CSV.")
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", errors="replace")
    controls = sum(raw[:4096].count(byte) for byte in range(32) if byte not in b"\t\n\r\f\x1b")
    if b"\0" in raw or controls > len(raw[:4096]) / 50:
        raise TableError("This file is not text, whatever its name says. Upload a CSV.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def _separator(content):
    header = content.lstrip().splitlines()[0]
    bare = "".join(header.split('"')[::2])  # without what stands in quotes
    return max((",", ";", "\t", "|"), key=bare.count)


def text_column(table, wanted="text"):
    """The place of the column named `wanted`, or else of the only column that holds text.

    Raises:
        TableError: if there is none, or more than one.
    """
    for number, name in enumerate(table.columns):
        if name.lower() == wanted:
            return number
    names = ", ".join(f"“{name}”" for name in table.columns)
    for kind in (_sentence, _word):
        found = [n for n in range(len(table.columns)) if _mostly(kind, table.column(n))]
        if len(found) == 1:
            return found[0]
        if found:
            raise TableError(
                f"More than one column holds text ({names}). Rename the one to be read to "
                f"“{wanted}”."
            )
    raise TableError(f"No column holds text ({names}). Rename the one to be read to “{wanted}”.")


def _sentence(cell):
    return _word(cell) and len(cell.split()) > 1


def _word(cell):
    return any(letter.isalpha() for letter in cell)


def _mostly(kind, cells):
    full = [cell for cell in cells if cell.strip()]
    return bool(full) and sum(map(kind, full)) > len(full) / 2


def write(path, columns, rows):
    """Write a CSV; strings that a spreadsheet would take for a formula get an apostrophe."""
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        file.write(text(columns, rows))


def text(columns, rows):
    """The same as a string."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow([_harmless(name) for name in columns])
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return file.getvalue()


def _harmless(cell):
    return FORMULA.sub(r"\1'", cell) if isinstance(cell, str) else cell
