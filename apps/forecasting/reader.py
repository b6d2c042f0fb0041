"""Prices from a file: the series in a table that people or programs have written.

The steps, in the package `reading`: `files` gives the text, `table` its rows and headings,
`columns` says what each column is (by its cells, as `parsing` reads them), and `cleaning` makes a
`Series` of one column of dates and one of prices. Whatever is wrong with a file is either repaired
and reported in the series' notes, or refused with a `UserError`. Every step takes time
proportional to the size of the file.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apps.forecasting.reading import columns
from apps.forecasting.reading.cleaning import clean
from apps.forecasting.reading.files import MAX_BYTES, read_text
from apps.forecasting.reading.parsing import parse_dates, parse_numbers
from apps.forecasting.reading.table import find_table, list_names
from apps.forecasting.series import MIN_PRICES, Reading, Series
from shared import workers
from shared.errors import UserError

MAX_ROWS = 2_000_000


@dataclass(frozen=True, eq=False)
class PriceFile:
    """The series of a file.

    Attributes:
        series: Tuple of `Series`: by ticker, or in the order of the columns.
        count: How many the file has, where only the first ones were read.
    """

    series: tuple[Series, ...]
    count: int


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
    table = find_table(text, max_rows)
    return _read_table(table, name or "Your series", min_prices, column, max_series)


def read_apart(
    source, name=None, column=None, max_series=None, max_rows=MAX_ROWS, max_bytes=MAX_BYTES
):
    """`read_file` in a child process with limits of memory and time: for what strangers send."""
    limits = (column, max_series, max_rows, max_bytes)
    count, *packed = workers.call(_read_packed, source, name, *limits)
    return PriceFile(tuple(map(_unpack, packed)), count)


def _read_packed(source, name, *limits):
    file = read_file(source, name, MIN_PRICES, *limits)
    return [file.count, *map(_pack, file.series)]


def _pack(series):
    """A series as values of JSON and bytes."""
    fields = {
        key: value.tobytes() if isinstance(value, np.ndarray) else value
        for key, value in vars(series).items()
    }
    return {**fields, "reading": vars(series.reading)}


def _unpack(fields):
    """The series of `_pack`."""
    dates, notes, reading = (fields.pop(key) for key in ("dates", "notes", "reading"))
    prices = {
        key: np.frombuffer(value) if isinstance(value, bytes) else value
        for key, value in fields.items()
    }
    reading = Reading(**{**reading, "choices": tuple(reading["choices"])})
    dates = np.frombuffer(dates, "datetime64[D]")
    return Series(dates=dates, notes=tuple(notes), reading=reading, **prices)


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
                clean(ticker, dates.values[places], prices, cells, min_prices, notes, reading)
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
            and not any(map(columns.TIME_OF_DAY.match, columns.sample_rows(cells)))
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
        names = list_names([table.label(n) for n in range(len(table.headings))])
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
