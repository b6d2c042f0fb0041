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
_JSON = re.compile(
    r'\s{0,100}(?:\[\s{0,100}"|(?:\[\s{0,100})?\{\s{0,100}"[^"\n]{1,100}"\s{0,100}:)'
)
_OTHER_FORMATS = {
    re.compile(r'\s{0,100}+(?:\[\s{0,100}+\[|(?:\[\s{0,100}+)?\{\s{0,100}+(?:"|$))'): "JSON",
    re.compile(r"\s{0,100}<(?:!doctype|html|table|\?xml)", re.I): "a web page or XML",
    re.compile(r"\{\\rtf"): "a formatted document",
}
_SAMPLE_LINES, _SAMPLE_CHARACTERS = 100, 10_000  # from which the separator is known
_MAX_TITLES = 3  # lines above the header
_BAR = re.compile(r"(?<!\\)\|")  # between the cells of a drawn table
_NUMBER = re.compile(r"[-+]?\d[\d.,:/-]*%?(?: \d[\d:]*)?")  # a date and a time too
_JSON_VALUE = re.compile(r"[^\s,]")
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
        has_header: Whether the names are the file's first row; None where it has them elsewhere.
        notes: Sentences for the visitor about what had to be guessed.
    """

    columns: list[str]
    rows: list[list[str]]
    separator: str = ","
    encoding: str = "UTF-8"
    has_header: bool | None = True
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


def read(path, max_rows, has_header=None):
    """The `Table` in a file: a CSV of any separator and encoding, JSON Lines or JSON.

    The first row of a CSV is the header unless its cells are like those below it: numbers above
    numbers, sentences above sentences, or a value that comes again. Titles above it are left out.
    Rows that are shorter than the first are filled with empty cells.

    Args:
        path: Of the file.
        max_rows: How many rows it may have.
        has_header: Whether the first row of a CSV is the header; None if its cells are to tell.

    Raises:
        UserError: if it is empty, not text, ragged, longer than `max_rows` or larger than
            `shared.limits` allows.
    """
    content, encoding = _decode(path)
    if _JSON.match(content):
        return _read_json(content, encoding, max_rows)
    if kind := find_other_format(content):
        raise UserError(f"This file holds {kind}. Save its texts as a CSV, one row for each.")
    content, separator = _take_separator_line(content)
    if drawn := read_drawn_table(content):
        content, separator, has_header = drawn, "|", has_header is not False
    if not separator:
        content, separator = _find_separator(content)
    rows = _split_rows(content, separator, max_rows) if content.strip() else []
    if not rows:
        raise UserError("This file is empty. It needs a header and at least one row.")
    rows, notes = rows[_count_titles(rows) :], []
    if has_header is None and not (has_header := _has_header(rows[0], rows[1:])):
        notes.append("It seems to have no header: its first row was read as data.")
    if has_header and len(rows) == 1:
        raise UserError("This file has a header but no rows.")
    if len(rows) - has_header > max_rows:
        raise _too_many(max_rows, "rows")
    if has_header:
        header, *rows = rows
        columns = [name.strip() or f"column {n}" for n, name in enumerate(header, 1)]
    else:
        columns = [f"column {n}" for n in range(1, len(rows[0]) + 1)]
        columns = columns if len(columns) > 1 else ["text"]
    if encoding != "UTF-8":
        notes.append(f"Its encoding was taken to be {encoding}.")
    separator = "" if separator == _NO_SEPARATOR else separator
    return Table(columns, rows, separator, encoding, has_header, notes)


def find_other_format(content):
    """What a text that is no CSV holds, such as `"JSON"`, or None."""
    return next((kind for start, kind in _OTHER_FORMATS.items() if start.match(content)), None)


def _read_json(content, encoding, max_rows):
    """The `Table` of JSON objects, one after the other or in an array; a column for each field."""
    if sum(map(content.count, "[{,")) > limits.TABLE_CELLS:  # values take far more memory than text
        raise _too_many_cells()
    decoder, position, values = json.JSONDecoder(), 0, []
    try:
        while found := _JSON_VALUE.search(content, position):
            position = found.start()
            value, position = decoder.raw_decode(content, position)
            values.append(value)
        objects = _unwrap_json(values[0]) if len(values) == 1 else values
        if not all(isinstance(each, dict | str) for each in objects):
            raise ValueError
    except (ValueError, RecursionError) as error:
        line = content.count("\n", 0, position) + 1
        raise UserError(
            f'Line {line:,} cannot be read: expected an object such as {{"text": "…"}}.'
        ) from error
    if len(objects) > max_rows:
        raise _too_many(max_rows, "rows")
    objects = [each if isinstance(each, dict) else {"text": each} for each in objects]
    names = list(dict.fromkeys(name for each in objects for name in each))
    rows: list[list[str]] = []
    for number, each in enumerate(objects, 1):
        rows.append(_check_row([_to_text(each.get(name)) for name in names], number, rows))
    columns = [_to_text(name).strip() or f"column {n}" for n, name in enumerate(names, 1)]
    if not rows or not columns:
        raise UserError("This file is empty. It needs at least one row.")
    return Table(columns, rows, "", encoding, has_header=None)


def _unwrap_json(value):
    """The rows of a JSON value: an array, an array within an object, or an object of columns."""
    if not isinstance(value, dict):
        return value
    arrays = [part for part in value.values() if isinstance(part, list)]
    tables = [part for part in arrays if part and isinstance(part[0], dict)]
    if len(tables) == 1:
        return tables[0]
    columns = [
        list(part.values()) if isinstance(part, dict) else part
        for part in value.values()
        if isinstance(part, dict | list)
    ]
    if len(columns) == len(value) and len(set(map(len, columns))) == 1:
        return [dict(zip(value, row, strict=True)) for row in zip(*columns, strict=True)]
    return [value]


def _to_text(value):
    """A JSON value as a cell, without the halves of characters that JSON can name."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "" if value is None else text.encode("utf-8", "replace").decode()


def read_apart(path, max_rows, has_header=None):
    """`read` in a child process with limits of memory and time: for what strangers send."""
    return Table(**workers.call(_read_fields, str(path), max_rows, has_header))


def _read_fields(path, max_rows, has_header):
    return vars(read(path, max_rows, has_header))


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
    raw = raw.rstrip(b"\0\x1a")  # how old programs end a file
    head = raw[:4096]
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


def read_drawn_table(content):
    """The table in a text that Markdown, Org mode or a database draws with bars and a rule.

    Returns:
        A CSV with vertical bars, its rows in the lines in which they stood; None if there is no
        such table.

    Raises:
        UserError: if it has too many columns.
    """
    lines = _LINE_END.split(content)
    header = next(
        (n for n, (line, below) in enumerate(zip(lines[:_SAMPLE_LINES], lines[1:], strict=False))
         if "|" in line and _is_rule(below) and not _is_rule(line)), None
    )  # fmt: skip
    if header is None:
        return None
    file = io.StringIO(newline="")
    file.write("\n" * header)
    writer = csv.writer(file, delimiter="|", lineterminator="\n")
    for line in lines[header:]:
        if _is_rule(line):
            file.write("\n")
        elif "|" not in line:
            break
        elif line.count("|") > limits.TABLE_COLUMNS:
            raise _too_many_columns()
        else:
            cells = _BAR.split(line.strip().removeprefix("|"))
            cells = cells if cells[-1].strip() else cells[:-1]
            writer.writerow([cell.strip().replace("\\|", "|") for cell in cells])
    return file.getvalue()


def _is_rule(line):
    """Whether a line is the rule below a header: `|---|:-:|`, `---+---` or `+---+---+`."""
    return "--" in line and not line.strip("|+:- \t") and ("|" in line or "+" in line)


def _find_separator(content):
    """The content without titles above the table, and the separator of its cells.

    It is the separator of the first line that most lines have as often. Where that line has none,
    it is a title if the lines below it have one.
    """
    sample = list(islice(_full_lines(content), _SAMPLE_LINES))
    lines = [line[:_SAMPLE_CHARACTERS] for _, line in sample]
    for start, first in enumerate(lines[: _MAX_TITLES + 1]):
        bare = "".join(first.split('"')[::2])
        separators = [separator for separator in SEPARATORS if separator in bare]
        if not separators:
            continue
        rated = {each: _count_similar_rows(lines[start:], each) for each in separators}
        separator = max(separators, key=lambda each: (rated[each], bare.count(each)))
        spaced = len(re.findall(re.escape(separator) + r"\s", bare))
        if start == 0:
            in_prose = spaced == bare.count(separator) and first.endswith(_SENTENCE_ENDS[:-2])
            if not in_prose:
                return content, separator
        elif not spaced and rated[separator] >= 0.8:
            above = sample[start][0] - 1
            rest = _LINE_END.split(content, maxsplit=above)[-1]
            return "\n" * above + rest, separator  # so that lines keep their numbers
    return content, _NO_SEPARATOR


def _count_similar_rows(lines, separator):
    """Fraction of the rows below the first that have as many cells; 0 of fewer than two."""
    try:
        first, *widths = [len(row) for row in csv.reader(lines, delimiter=separator)]
    except csv.Error:  # a cell is too long
        return 0
    return widths.count(first) / len(widths) if len(widths) > 1 else 0


def _count_titles(rows):
    """How many rows above the header hold a title alone, which a spreadsheet has filled up."""
    filled = [[bool(cell.strip()) for cell in row] for row in rows[: _MAX_TITLES + 1]]
    header = next((n for n, row in enumerate(filled) if all(row)), 0)
    titles = all(row[0] and sum(row) == 1 for row in filled[:header])
    return header if titles and len(rows[0]) > 2 else 0


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
    if problem and '\\"' in content:  # MySQL writes a quotation mark so
        rows, problem = _read_quoted(content, separator, max_rows, escapechar="\\")
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


def _read_quoted(content, separator, max_rows, **dialect):
    """Rows of a CSV with quotation marks, and a sentence that says where they end, or None."""
    separators = 0  # read since the last row ended

    def read_lines():
        nonlocal separators
        for line in io.StringIO(content, newline=""):
            separators += line.count(separator)
            if separators > limits.TABLE_ROW_SEPARATORS:
                raise csv.Error
            yield line

    reader = csv.reader(read_lines(), delimiter=separator, strict=True, **dialect)
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
        raise _too_many_cells()
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


def _too_many_cells():
    return UserError(
        f"This file has more than {limits.TABLE_CELLS:,} cells. Leave out columns, or split it "
        "into smaller files."
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
    if table.has_header is False:
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
