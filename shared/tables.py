"""Reads CSV of any dialect and JSON, and writes CSV in which no spreadsheet finds a formula."""

import codecs
import csv
import io
import json
import re
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from shared import limits, workers
from shared.errors import UserError

SEPARATORS = (",", ";", "\t", "|")
_NO_SEPARATOR = "\x1f"  # for a table of one column, whose texts may hold any of the others
_SEPARATOR_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_LINE_END = re.compile(r"\r\n|\r|\n")
_JSON = re.compile(r'\s{0,100}(?:\[\s{0,100})?\{\s{0,100}"[^"\n]{1,100}"\s{0,100}:')
_NUMBER = re.compile(r"[-+]?\d[\d.,:/-]*%?(?: \d[\d:]*)?")  # a date and a time too
_OBJECT_START = re.compile(r"[^\s,\[\]]")
_TEXT_NAMES = frozenset(
    ("text", "texts", "review", "reviews", "sentence", "sentences", "question", "questions")
    + ("comment", "comments", "content", "body", "message", "tweet", "post", "feedback")
)
_SENTENCE_ENDS = tuple('.!?…。！？"”')
# Characters that begin a formula, and runs before one. The pattern starts at the first character
# of a run only and never gives one back, so that its time is linear.
_FORMULA_STARTS = "=+\\-@＝＋－＠"
_BEFORE_FORMULA = re.compile(rf'(?<![\s";])[\s";]++(?=[{_FORMULA_STARTS}])')
_CELL_SEPARATORS = frozenset(";\t\r\n")  # semicolons part cells where numbers have decimal commas


@dataclass(frozen=True)
class Table:
    """A table of strings.

    Attributes:
        columns: The names of the columns.
        rows: Lists of as many cells.
        separator: The character between cells, or "" for a table of one column.
        encoding: Name of the encoding.
        has_header: Whether the names come from the file.
        notes: Sentences for the visitor about what had to be guessed.
    """

    columns: list[str]
    rows: list[list[str]]
    separator: str = ","
    encoding: str = "UTF-8"
    has_header: bool = True
    notes: list[str] = field(default_factory=list)

    def column(self, number):
        """The cells of a column."""
        return [row[number] for row in self.rows]

    @property
    def summary(self):
        """How the file was understood, as a sentence for the page."""
        names = ", ".join(f"“{name}”" for name in self.columns[:5])
        names += ", …" if len(self.columns) > 5 else ""
        parted = f", separated by {_SEPARATOR_NAMES[self.separator]}" if self.separator else ""
        columns = "1 column" if len(self.columns) == 1 else f"{len(self.columns)} columns"
        rows = "1 row" if len(self.rows) == 1 else f"{len(self.rows):,} rows"
        return " ".join([f"{rows} of {columns} ({names}){parted}.", *self.notes])


def read(path, max_rows):
    """The `Table` in a file: a CSV of any separator and encoding, JSON Lines or a JSON array.

    The first row of a CSV is the header unless its cells are like those below it: numbers above
    numbers, sentences above sentences, or a value that comes again. Rows that are shorter than the
    first are filled with empty cells.

    Raises:
        UserError: if it is empty, not text, ragged, longer than `max_rows` or larger than
            `shared.limits` allows.
    """
    content, encoding = _decode(path)
    if _JSON.match(content):
        return _read_json(content, encoding, max_rows)
    content, separator = _take_separator_line(content)
    separator = separator or _find_separator(content)
    rows = _split_rows(content, separator, max_rows) if content.strip() else []
    if not rows:
        raise UserError("This file is empty. It needs a header and at least one row.")
    has_header = _has_header(rows[0], rows[1:])
    if has_header and len(rows) == 1:
        raise UserError("This file has a header but no rows.")
    if len(rows) - has_header > max_rows:
        raise _too_many(max_rows, "rows")
    notes = []
    if has_header:
        header, *rows = rows
        columns = [name.strip() or f"column {n}" for n, name in enumerate(header, 1)]
    else:
        columns = [f"column {n}" for n in range(1, len(rows[0]) + 1)]
        columns = columns if len(columns) > 1 else ["text"]
        notes.append(
            "The file seems to have no header, so its first row was read as data. If that row "
            "names the columns, make the names shorter."
        )
    if encoding != "UTF-8":
        notes.append(f"Its encoding was taken to be {encoding}.")
    separator = "" if separator == _NO_SEPARATOR else separator
    return Table(columns, rows, separator, encoding, has_header, notes)


def _read_json(content, encoding, max_rows):
    """The `Table` of JSON objects, one after the other or in an array; a column for each field."""
    decoder, position = json.JSONDecoder(), 0
    names: dict[str, None] = {}
    cells: list[dict[str, str]] = []
    while found := _OBJECT_START.search(content, position):
        position = found.start()
        try:
            # At most so much at once: a list of a million lists takes far more memory than text.
            end = position + limits.TABLE_CELL_CHARACTERS
            value, size = decoder.raw_decode(content[position:end])
            cells.append({_to_text(name): _to_text(cell) for name, cell in value.items()})
        except (ValueError, AttributeError, RecursionError) as error:
            line = content.count("\n", 0, position) + 1
            raise UserError(
                f'Line {line:,} cannot be read: expected an object such as {{"text": "…"}} '
                f"of at most {limits.TABLE_CELL_CHARACTERS:,} characters."
            ) from error
        position += size
        names |= dict.fromkeys(cells[-1])
        if len(cells) > max_rows:
            raise _too_many(max_rows, "rows")
    rows: list[list[str]] = []
    for number, each in enumerate(cells, 1):
        rows.append(_check_row([each.get(name, "") for name in names], number, rows))
    columns = [name.strip() or f"column {n}" for n, name in enumerate(names, 1)]
    return Table(columns, rows, "", encoding)


def _to_text(value):
    """A JSON value as a cell, without the halves of characters that JSON can name."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "" if value is None else text.encode("utf-8", "replace").decode()


def read_apart(path, max_rows):
    """`read` in a child process with limits of memory and time: for what strangers send."""
    return Table(**workers.call(_read_fields, str(path), max_rows))


def _read_fields(path, max_rows):
    return vars(read(path, max_rows))


def lines_apart(path, max_rows):
    """`lines` in a child process with limits of memory and time: for what strangers send."""
    return workers.call(lines, str(path), max_rows)


def lines(path, max_rows):
    """The lines of a text file, empty ones too, whatever its encoding.

    Raises:
        UserError: if there are none, it is not text or longer than `max_rows`.
    """
    content, _ = _decode(path)
    if not content.strip():
        raise UserError("This file is empty. It needs at least one line.")
    split = _LINE_END.split(content.removesuffix("\n").removesuffix("\r"))
    if len(split) > max_rows:
        raise _too_many(max_rows, "lines")
    return split


def _decode(path):
    """The text of a file and the name of its encoding."""
    try:
        if Path(path).stat().st_size > limits.TABLE_BYTES:
            raise UserError(
                f"This file has more than {limits.TABLE_BYTES // limits.MIB} MB. Split it into "
                "smaller files."
            )
        raw = Path(path).read_bytes()
    except OSError as error:  # gone, or a folder in its place
        raise UserError("This file is no longer here. Upload it again.") from error
    if raw.startswith(_WORKBOOKS):
        raise UserError("This is a workbook or an archive, not a CSV. Save the sheet as CSV.")
    text, encoding = decode_text(raw)
    if sum(map(text.count, "\r\n")) > limits.TABLE_LINES:
        raise UserError(
            f"This file has more than {limits.TABLE_LINES:,} lines. Split it into smaller files."
        )
    return text, encoding


def decode_text(raw):
    """The text of an uploaded file's bytes, without a byte order mark, and its encoding's name.

    UTF-8, UTF-16 and UTF-32 are recognised, and whatever else is text is read as Windows-1252.

    Raises:
        UserError: if it is not text.
    """
    head = raw[:4096]
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return raw.decode("utf-32", errors="replace"), "UTF-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", errors="replace"), "UTF-16"
    for order, zeros, others in (("le", head[1::2], head[::2]), ("be", head[::2], head[1::2])):
        # In UTF-16 every second byte of Latin letters is zero.
        if len(head) >= 8 and zeros.count(0) > len(zeros) / 2 and not others.count(0):
            return raw.decode(f"utf-16-{order}", errors="replace"), "UTF-16"
    controls = sum(head.count(byte) for byte in range(32) if byte not in b"\t\n\r\f\x1b")
    if b"\0" in raw or controls > len(head) / 50:
        raise UserError("This file is not text, whatever its name says. Upload a CSV.")
    try:
        return raw.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError:
        text = raw.decode("utf-8-sig", errors="replace")
    damaged = text.count("\ufffd")
    if sum(letter > "\x7f" for letter in text[:100_000]) > 5 * damaged:
        return text, "UTF-8"  # a few damaged bytes among many that are right
    return raw.decode("cp1252", errors="replace"), "Windows-1252"


def _take_separator_line(content):
    """Content without Excel's first line `sep=;`, and the separator that it names or None."""
    hint = re.match(r'\s{0,100}"?sep=([^"\r\n])"?[;,\t|]{0,1000}(?:\r\n|\r|\n|$)', content, re.I)
    return (content[hint.end() :], hint[1]) if hint else (content, None)


def _find_separator(content):
    """The separator that the first line holds most of outside quotation marks."""
    first = _LINE_END.split(content.lstrip(), maxsplit=1)[0]
    bare = "".join(first.split('"')[::2])
    separator = max(SEPARATORS, key=bare.count)
    in_prose = first.rstrip().endswith(_SENTENCE_ENDS[:-2]) and bare.count(separator) == len(
        re.findall(re.escape(separator) + r"\s", bare)
    )
    return separator if bare.count(separator) and not in_prose else _NO_SEPARATOR


def _split_rows(content, separator, max_rows):
    """Rows of equally many cells, as lists of strings, without blank rows.

    Quotation marks are read as RFC 4180 has it. Where that makes one row of several lines although
    every line has as many separators as the first, or fails although no line has more, the program
    that wrote the file does not quote: its lines are split as they stand.
    """
    sizes = [line.count(separator) + 1 for _, line in _full_lines(content)]
    if sizes[0] > limits.TABLE_ROW_SEPARATORS:
        raise _too_many_columns()
    rows, problem = _read_quoted(content, separator, max_rows)
    swallowed = len(rows) < min(len(sizes), max_rows + 2)
    if (problem and max(sizes) == sizes[0]) or (swallowed and 1 < min(sizes) == max(sizes)):
        rows, problem = [], None
        for number, line in islice(_full_lines(content), max_rows + 2):
            rows.append(_check_row(list(map(_unquote, line.split(separator))), number, rows))
    if problem:
        raise UserError(problem)
    return rows


def _full_lines(content):
    """The lines that are not blank, with their numbers."""
    for number, line in enumerate(io.StringIO(content, newline=""), 1):
        if line.strip():
            yield number, line.rstrip("\r\n")


def _read_quoted(content, separator, max_rows):
    """Rows of a CSV with quotation marks, and a sentence that says where they end, or None."""
    separators = 0  # read since the last row ended

    def read_lines():
        nonlocal separators
        for line in io.StringIO(content, newline=""):
            separators += line.count(separator)
            if separators > limits.TABLE_ROW_SEPARATORS:
                raise csv.Error
            yield line

    reader = csv.reader(read_lines(), delimiter=separator, strict=True)
    rows, start = [], 1
    try:
        for row in reader:
            separators = 0
            if any(map(str.strip, row)):
                if rows and len(row) > len(rows[0]):
                    return rows, (
                        f"Line {start:,} has {len(row)} cells, the header has {len(rows[0])}. A "
                        f"text that contains {_SEPARATOR_NAMES.get(separator, 'these')} needs "
                        "quotation marks around it."
                    )
                rows.append(_check_row(row, start, rows))
            if len(rows) > max_rows + 1:
                break
            start = reader.line_num + 1
    except csv.Error:
        return rows, (
            f"Line {start:,} cannot be read: a quotation mark is not closed or not doubled, or the "
            "text is too long."
        )
    return rows, None


def _check_row(row, line, above):
    """The row, filled with empty cells to the width of the first.

    Raises:
        UserError: if there are too many cells or one is too long.
    """
    width = len(above[0]) if above else len(row)
    if width > limits.TABLE_COLUMNS:
        raise _too_many_columns()
    if width * len(above) > limits.TABLE_CELLS:
        raise UserError(
            f"This file has more than {limits.TABLE_CELLS:,} cells. Leave out columns, or split it "
            "into smaller files."
        )
    if any(len(cell) > limits.TABLE_CELL_CHARACTERS for cell in row):
        raise UserError(
            f"Line {line:,} cannot be read: it holds a text of more than "
            f"{limits.TABLE_CELL_CHARACTERS:,} characters. Make it shorter."
        )
    return row + [""] * (width - len(row))


def _unquote(cell):
    inner = cell.strip()
    if len(inner) > 1 and inner[0] == inner[-1] == '"' and '"' not in inner[1:-1].replace('""', ""):
        return inner[1:-1].replace('""', '"')
    return cell


def _has_header(first, rows):
    """Whether the first row names the columns, by its cells and those below it."""
    columns = [
        (name.strip(), [row[n].strip() for row in rows[:500] if row[n].strip()])
        for n, name in enumerate(first)
    ]
    numeric = [_share(_NUMBER.fullmatch, cells) > 0.9 for _, cells in columns]
    named = [bool(name) and not _NUMBER.fullmatch(name) for name, _ in columns]
    if any(map(lambda number, name: number and name, numeric, named)):
        return True
    if any(number and name and not is_name for (name, _), number, is_name
           in zip(columns, numeric, named, strict=True)):  # fmt: skip
        return False
    repeated = any(len(cells) > 1 and name in cells for name, cells in columns if name)
    if repeated and list(first) not in rows:
        return False
    return not any(_reads_like(name, cells) for name, cells in columns)


def _reads_like(name, cells):
    """Whether the first cell of a column is a text as those below it are."""
    if name.endswith("?"):  # surveys name their columns by questions
        return _share(lambda cell: cell.endswith("?"), cells) > 0.5 or not cells
    ends = name.endswith(_SENTENCE_ENDS) and _share(str.endswith, cells, _SENTENCE_ENDS) >= 0.5
    return ends or len(name.split()) >= 5 or (not cells and name.endswith(_SENTENCE_ENDS))


def _share(test, cells, *arguments):
    """The share of cells that pass a test; 0 of none."""
    return sum(bool(test(cell, *arguments)) for cell in cells) / len(cells) if cells else 0


def _too_many_columns():
    return UserError(
        f"This file has more than {limits.TABLE_COLUMNS:,} columns. Leave out those that are not "
        "needed."
    )


def _too_many(most, what):
    return UserError(
        f"This file has more than {most:,} {what}, the most that this site answers at once. Split "
        "it into smaller files."
    )


def text_columns(table, wanted="text"):
    """The numbers of the columns that hold text, the likeliest to be read first.

    That is the column named `wanted`, else one of sentences; among several one with a usual name,
    and then the one with the most text.

    Raises:
        UserError: if there is none.
    """

    def doubt(number):
        name, cells = table.columns[number].lower(), table.column(number)
        is_usual = not _TEXT_NAMES.isdisjoint(re.findall(r"[^\W\d_]+", name))
        size = sum(map(len, cells))
        return name != wanted, not _mostly(_is_sentence, cells), not is_usual, -size

    numbers = [
        n
        for n, name in enumerate(table.columns)
        if name.lower() == wanted or _mostly(_has_letters, table.column(n))
    ]
    if numbers:
        return sorted(numbers, key=doubt)
    names = ", ".join(f"“{name}”" for name in table.columns)
    rename = f"Rename the one to be read to “{wanted}”"
    if not table.has_header:
        rename = f"Add a header that names the one to be read “{wanted}”"
    raise UserError(f"No column holds text ({names}). {rename}.")


def _is_sentence(cell):
    return _has_letters(cell) and len(cell.split(maxsplit=1)) > 1


def _has_letters(cell):
    return any(map(str.isalpha, cell))


def _mostly(kind, cells):
    return _share(kind, [cell for cell in cells if cell.strip()]) > 0.5


def write(path, columns, rows):
    """Write a CSV; strings that a spreadsheet would take for a formula get an apostrophe."""
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        file.write(text(columns, rows))


def text(columns, rows):
    """The content of the CSV that `write` writes, as a string without a byte order mark."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow([_defuse(name) for name in columns])
    writer.writerows([_defuse(cell) for cell in row] for row in rows)
    return file.getvalue()


def _defuse(cell):
    """A cell with an apostrophe wherever a spreadsheet might see the beginning of a formula."""
    if not isinstance(cell, str):
        return cell
    start = cell.lstrip()
    spaces = cell[: len(cell) - len(start)]
    starts = start[:1] in tuple(_FORMULA_STARTS) or not _CELL_SEPARATORS.isdisjoint(spaces)
    defused = _BEFORE_FORMULA.sub(_end_with_apostrophe, cell)
    return f"'{defused}" if starts else defused


def _end_with_apostrophe(run):
    return run[0] if _CELL_SEPARATORS.isdisjoint(run[0]) else f"{run[0]}'"
