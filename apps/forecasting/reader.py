"""Prices from a file: the series in a table that people or programs have written.

The steps: `files` gives the text, `_find_table` its rows and headings, `columns` says what each
column is, and `_clean` makes a `Series` of one column of dates and one of prices. Whatever is
wrong with a file is either repaired and reported in the series' notes, or refused with a
`UserError`. Every step takes time proportional to the size of the file.
"""

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apps.forecasting import columns
from apps.forecasting.files import MAX_BYTES, read_text
from apps.forecasting.parsing import FIRST_YEAR, LAST_YEAR, is_missing, parse_dates, parse_numbers
from apps.forecasting.series import MIN_PRICES, Reading, Series
from shared.errors import UserError

MAX_ROWS = 2_000_000
MAX_COLUMNS = 500
MAX_LINE = 20_000  # characters
SEPARATORS = (";", "\t", "|", ",", None)  # None: white space


@dataclass(frozen=True, eq=False)
class PriceFile:
    """The series of a file.

    Attributes:
        series: Tuple of `Series`: by ticker, or in the order of the columns.
        count: How many the file has, where only the first ones were read.
    """

    series: tuple[Series, ...]
    count: int


@dataclass(frozen=True, eq=False)
class _Table:
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


def read_prices(source, name=None, min_prices=MIN_PRICES):
    """The series of a file as a list; arguments and errors as for `read_file`."""
    return list(read_file(source, name, min_prices).series)


def read_file(
    source,
    name=None,
    min_prices=MIN_PRICES,
    column=None,
    max_series=None,
    max_rows=MAX_ROWS,
    max_bytes=MAX_BYTES,
):
    """The series of a table with dates, prices, and perhaps the day's range and tickers.

    Columns are known by their cells; their names decide where that leaves a choice.

    Args:
        source: Path of a file, or its content as bytes or a string.
        name: Name of a series without a ticker; the file's if None.
        min_prices: Fewest usable rows of a series; shorter ones are left out.
        column: Name of the column to take for the price, one of `Reading.choices`.
        max_series: The most series to read, or None.
        max_rows: The most rows of the file.
        max_bytes: The most bytes that an archive may hold unpacked.

    Returns:
        A `PriceFile`.

    Raises:
        UserError: if the file cannot be used.
    """
    if isinstance(source, Path):
        name = name or source.name.split(".")[0]
        try:
            source = source.read_bytes()
        except OSError as error:
            raise UserError(f"{source.name} cannot be read: {error.strerror}.") from error
    text = read_text(source, max_bytes) if isinstance(source, bytes) else source
    table = _find_table(text, max_rows)
    return _read_table(table, name or "Your series", min_prices, column, max_series)


# ---------------------------------------------------------------- the table in a text


def _find_table(text, max_rows):
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if (count := text.count("\n")) > 2 * max_rows:  # every second line may be blank
        raise UserError(f"This file has {count:,} lines; at most {max_rows:,} are read at once.")
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
        return [cell.strip() for cell in line.split(separator)]
    try:
        row = next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    except csv.Error as error:
        raise UserError(f"This file cannot be read as a CSV: {error}.") from error
    return [cell.strip().strip('"') for cell in row]


def _usual_width(rows):
    widths = Counter(map(len, rows))
    return max(widths, key=lambda width: (widths[width], width))


def _join_dates(rows, width):
    """Rows whose dates were cut at their own commas, as in `Dec 13, 2023`, put together again."""
    sample = columns.sample_rows([row for row in rows if len(row) == width])
    if width < 3 or columns.find_date_column(sample) is not None:
        return rows, width
    for n in range(width - 1):
        dates = parse_dates([f"{row[n]}, {row[n + 1]}" for row in sample])
        if dates.share > 0.8:
            break
    else:
        return rows, width
    return [
        [*row[:n], f"{row[n]}, {row[n + 1]}", *row[n + 2 :]] if len(row) == width else row
        for row in rows
    ], width - 1


def _split_headings(rows, width, separator):
    """The `_Table` in rows: without the lines above it and those of another length."""
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
            names = ", ".join(rows[0])
            raise UserError(f"This file has no date column. Its columns are: {names}.")
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
                f"{_rows(wrong)} have more cells than the others. Put quotes around cells that "
                "contain the separator."
            )
        notes.append(f"{_rows(wrong)} had too many columns and did not count.")
    usable = [(row + [""] * (width - len(row)))[:width] for row in usable]
    return _Table(separator, usable, headings, date_column, tuple(notes))


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


# ---------------------------------------------------------------- the series in a table


def _read_table(table, name, min_prices, column, max_series):
    dates = parse_dates(table.column(table.date_column))
    notes = (*table.notes, dates.note) if dates.note else table.notes
    ticker_column = _find_ticker_column(table, dates.values)
    roles_by_name, choices = _find_prices(table, dates.values, ticker_column, column)
    texts = {n: table.column(n) for roles in roles_by_name.values() for n in roles.values()}
    values, more = _parse_columns(texts, table.separator, dates.dotted)
    notes += more
    groups = {}
    if ticker_column is None:
        places = np.arange(len(table.rows))
        groups = {title or name: (places, roles) for title, roles in roles_by_name.items()}
    else:
        (roles,) = list(roles_by_name.values())[:1]
        groups = {
            ticker: (places, roles)
            for ticker, places in _rows_by_ticker(table.column(ticker_column), min_prices).items()
        }
    tickers = list(groups)
    series, problems = [], []
    for ticker in tickers[:max_series]:
        places, roles = groups[ticker]
        price = roles["adjusted"] if "adjusted" in roles else roles["close"]
        role = table.headings[price].role
        reading = Reading(
            table.label(price),
            len(table.headings),
            _order(dates.values[places]),
            role if role in ("close", "adjusted") else None,
            tuple(choices),
        )
        prices = {role: values[n][places] for role, n in roles.items()}
        cells = [texts[price][place] for place in places]
        try:
            series.append(
                _clean(ticker, dates.values[places], prices, cells, min_prices, notes, reading)
            )
        except UserError as error:
            problems.append(error)
    if not series:
        raise problems[0] if problems else UserError("This file has no rows with prices.")
    return PriceFile(tuple(series), len(tickers))


def _parse_columns(texts, separator, dotted_dates):
    """Columns of strings as numbers, with the decimal mark that the file shows: by position."""
    numbers = {n: parse_numbers(cells) for n, cells in texts.items()}
    marks = {each.decimal for each in numbers.values() if each.decimal}
    notes = ()
    if any(each.ambiguous for each in numbers.values()):
        # Who writes 31.12.2024 and parts cells at semicolons has a decimal comma.
        if marks == {","} or (not marks and dotted_dates and separator != ","):
            numbers = {n: parse_numbers(cells, ",") for n, cells in texts.items()}
        if not marks:
            notes = _describe_ambiguity(texts, numbers, separator)
    return {n: each.values for n, each in numbers.items()}, notes


def _describe_ambiguity(texts, numbers, separator):
    """A note on numbers such as `1.234` in a tuple, where nothing says what the mark is."""
    n = next(n for n, each in numbers.items() if each.ambiguous)
    cell, value = next(
        (cell, value)
        for cell, value in zip(texts[n], numbers[n].values, strict=True)
        if "." in cell or "," in cell
    )
    if separator == "," and "," not in cell:  # where commas part cells, a point is the decimal mark
        return ()
    return (f"“{cell[:20]}” could be read two ways; {value:,.10g} was taken.",)


def _find_ticker_column(table, dates):
    """The position of the column of tickers, or None.

    It is the one that is named so, or else a column of words that tells apart rows of one date.
    """
    named = [n for n, heading in enumerate(table.headings) if heading.role == "ticker"]
    if named:
        return named[0]
    known = dates[~np.isnat(dates)]
    if len(np.unique(known)) > 0.7 * len(known):
        return None
    for n in range(len(table.headings)):
        cells = table.column(n)
        words = set(cells)
        if (
            n != table.date_column
            and 1 < len(words) <= len(cells) / 2
            and parse_numbers(columns.sample_rows(cells)).share < 0.2
            and parse_dates(columns.sample_rows(cells)).share < 0.2
            and len(set(zip(cells, dates.tolist(), strict=True))) > 0.9 * len(cells)
        ):
            return n
    return None


def _rows_by_ticker(cells, min_prices):
    """Positions of the rows of each ticker that has enough of them; of the longest, if none has.

    The tickers are in the order of the alphabet.
    """
    names, places, counts = np.unique(np.array(cells), return_inverse=True, return_counts=True)
    order = np.argsort(places, kind="stable")
    parts = np.split(order, np.cumsum(counts)[:-1])
    enough = np.flatnonzero(counts >= min_prices)
    chosen = enough if len(enough) else [int(counts.argmax())] if len(names) else []
    return {str(names[n]) or "Your series": parts[n] for n in chosen}


def _find_prices(table, dates, ticker_column, column):
    """What each series is made of: a dict from tickers to positions by role; and the choices."""
    if not table.rows:
        prices = [n for n, h in enumerate(table.headings) if h.role in ("close", "adjusted")]
        return {"": {"close": prices[0] if prices else 1 - table.date_column % 2}}, ()
    sample = columns.sample_rows(list(range(len(table.rows))))
    rows, skip = [table.rows[n] for n in sample], {table.date_column, ticker_column}
    numeric = columns.find_numbers(rows, dates[sample], skip)
    choices = {table.label(n): n for n in numeric}
    if column is not None:
        if column not in choices:
            raise UserError(f"This file has no column of numbers named “{column[:30]}”.")
        return {"": {"close": choices[column]}}, choices
    if by_ticker := _find_named_prices(table, numeric, skip):
        return by_ticker, choices
    plain = [n for n in numeric if table.headings[n].role is None] or [
        n for n in numeric if table.headings[n].role != "volume"
    ]
    if not plain:
        prices = [n for n in range(len(table.headings)) if n not in skip]
        if len(prices) == 1:  # of words, which are then quoted
            return {"": {"close": prices[0]}}, choices
        names = ", ".join(table.label(n) for n in range(len(table.headings)))
        raise UserError(f"No column of this file holds prices. Its columns are: {names}.")
    if any(heading.label for heading in table.headings):
        ranges = {
            h.role: n
            for n, h in enumerate(table.headings)
            if n in numeric and h.role in ("open", "high", "low")
        }
        if len(plain) == 1:
            extra = ranges if plain[0] not in ranges.values() else {}
            return {"": {**extra, "close": plain[0]}}, choices
        return {table.label(n): {"close": n} for n in plain}, choices
    if cut := columns.find_cut_number(rows):
        raise UserError(
            f"Numbers such as “{cut}” need quotes around them, as their commas part the cells."
        )
    return {"": columns.find_ranges(rows, plain) or {"close": plain[0]}}, choices


def _find_named_prices(table, numeric, skip):
    """The positions of columns whose names say what they are, by role: a dict from tickers."""
    by_ticker = {}
    ranked = sorted(range(len(table.headings)), key=lambda n: columns.rank_of(table.label(n)))
    for n in ranked:
        heading = table.headings[n]
        is_price = heading.role in ("close", "adjusted")
        if heading.role in columns.SERIES_ROLES and n not in skip and (is_price or n in numeric):
            by_ticker.setdefault(heading.ticker, {}).setdefault(heading.role, n)
    by_ticker = {
        ticker: roles
        for ticker, roles in by_ticker.items()
        if "close" in roles or "adjusted" in roles
    }
    if "" in by_ticker:  # `Prev Close` beside `Close` is no ticker
        return {"": by_ticker[""]}
    first = {ticker: min(roles.values()) for ticker, roles in by_ticker.items()}
    return {ticker: by_ticker[ticker] for ticker in sorted(first, key=first.get)}


def _order(dates):
    steps = np.diff(dates[~np.isnat(dates)]).astype(int)
    if (steps >= 0).all():
        return "oldest first"
    return "newest first" if (steps <= 0).all() else "in no order"


# ---------------------------------------------------------------- one series


def _clean(name, dates, prices, cells, min_prices, notes, reading):
    """A `Series` of one ticker's rows.

    Args:
        name: Of the series.
        dates: Array `(rows,)`, NaT where a row has none.
        prices: Dict from roles to arrays `(rows,)`, NaN where a row has none.
        cells: The cells of the price, to be quoted.
        min_prices: Fewest usable rows.
        notes: Sentences so far.
        reading: The `Reading`.

    Raises:
        UserError: if too little of it can be used.
    """
    notes, total = list(notes), len(dates)
    if "adjusted" in prices:
        adjusted = prices.pop("adjusted")
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = adjusted / prices.get("close", adjusted)
        prices = {role: values * ratio for role, values in prices.items()} | {"close": adjusted}
    use, more = _usable_rows(name, dates, prices["close"], cells)
    notes += more
    order, more = _in_order(dates[use])
    notes += more
    use = np.flatnonzero(use)[order]
    use, more = _without_still_weekends(use, dates, prices["close"])
    notes += more
    if len(use) < min_prices:
        raise UserError(
            f"{name} has {len(use):,} usable prices; a forecast needs at least {min_prices}, "
            f"about three months of trading days."
            + (f" The file has {total:,} rows." if total > len(use) else "")
        )
    dates, close = dates[use], prices["close"][use]
    _refuse_implausible(name, dates, close)
    ranges = {}
    for role in ("open", "high", "low"):
        if role in prices:
            values = prices[role][use]
            values = np.where(values > 0, values, np.nan)
            ranges[role] = values if np.isfinite(values).any() else None
    notes += _oddities(close, dates)
    return Series(name, dates, close, **ranges, notes=tuple(notes), reading=reading)


def _usable_rows(name, dates, close, cells):
    """Which rows have a date and a positive price, and notes on the others."""
    notes, total = [], len(dates)
    dated = ~np.isnat(dates)
    if total and not dated.any():
        raise UserError(f"{name}: no date in the date column can be read. Try 2024-01-31.")
    if not dated.all():
        notes.append(f"{_rows((~dated).sum())} without a readable date did not count.")
    years = (
        np.where(dated, dates, np.datetime64("2000-01-01")).astype("datetime64[Y]").astype(int)
        + 1970
    )
    strange = (years < FIRST_YEAR) | (years > LAST_YEAR)
    if strange.sum() > 0.1 * total:
        raise UserError(
            f"{name}: {_rows(strange.sum())} would be of years such as {years[strange][0]}. Prices "
            f"from {FIRST_YEAR} to {LAST_YEAR} are read; write the dates like 2024-01-31."
        )
    if strange.any():
        notes.append(f"{_rows(strange.sum())} of years such as {years[strange][0]} did not count.")
    use = dated & ~strange
    missing = use & ~np.isfinite(close)
    if missing.any():
        words = [cells[n] for n in np.flatnonzero(missing) if not is_missing(cells[n])]
        if words:
            what = f"text instead of a price (“{words[0].strip()[:20]}”)"
            if len(words) > total / 2:
                raise UserError(f"{name}: the price column holds {what} in {_rows(len(words))}.")
            notes.append(f"{_rows(len(words))} with {what} did not count.")
        if len(words) < missing.sum():
            notes.append(f"{_rows(missing.sum() - len(words))} without a price did not count.")
    use &= ~missing
    wrong = use & ~(close > 0)
    if wrong.any():
        if wrong.sum() > 0.1 * use.sum():
            raise UserError(
                f"{name}: {_rows(wrong.sum())} of {use.sum():,} have a price of zero or below. "
                "Returns need positive prices; if these are returns or differences, give the "
                "prices."
            )
        notes.append(f"{_rows(wrong.sum())} with a price of zero or below did not count.")
    return use & ~wrong, notes


def _in_order(dates):
    """Positions of the rows by date, the last one of each day, and notes."""
    notes = []
    steps = np.diff(dates).astype(int)
    order = np.arange(len(dates))
    if (steps < 0).any():
        if (steps <= 0).all():
            order = order[::-1]
        else:
            notes.append("The rows were not in the order of their dates; they are now.")
            order = np.argsort(dates, kind="stable")
    last = np.append(np.diff(dates[order]).astype(int) != 0, True)[: len(order)]
    if not last.all():
        notes.append(f"{_rows((~last).sum())} repeated a date; the last one of each day counts.")
    return order[last], notes


def _without_still_weekends(use, dates, close):
    """Leave weekend rows out where the price never moves on them: filled in, not traded."""
    weekend = (dates[use].astype(int) + 3) % 7 >= 5
    if not weekend.any() or weekend.mean() > 0.5:
        return use, []
    moved = np.diff(close[use], prepend=close[use][0])[weekend] != 0
    if moved.mean() > 0.2:
        return use, []
    note = f"{_rows(weekend.sum())} on weekends repeated Friday’s price and did not count."
    return use[~weekend], [note]


def _refuse_implausible(name, dates, close):
    if np.ptp(close) == 0:
        raise UserError(f"{name}: the price is {close[0]:g} on every day. Is it the right column?")
    years = dates.astype("datetime64[Y]").astype(int) + 1970
    if np.mean(close == years) > 0.9:
        raise UserError(
            f"{name}: the prices are the years of their dates. A date that contains a comma needs "
            "quotes around it."
        )


def _oddities(close, dates):
    notes = []
    jumps = np.diff(np.log(close))
    for place in np.flatnonzero(np.abs(jumps) > np.log(1.7)):
        ratio = np.exp(abs(jumps[place]))
        whole = round(ratio)
        if abs(np.log(ratio / whole)) < 0.06 or abs(np.log(ratio / 1.5)) < 0.03:
            notes.append(
                f"On {dates[place + 1]} the price jumps by a factor of {ratio:.3g}, like an "
                "unadjusted split: split-adjusted prices would give a better forecast."
            )
            break
    steps = np.diff(dates).astype(int)
    if steps.size and steps.max() > max(10, 6 * np.median(steps)):
        notes.append(f"There is a gap of {steps.max()} days after {dates[steps.argmax()]}.")
    if len(close) > 1 and np.mean(jumps == 0) > 0.5:
        notes.append("The price stands still on more than half of the days.")
    return notes


def _rows(count):
    return f"{count:,} row" + ("s" if count != 1 else "")
