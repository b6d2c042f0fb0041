"""What the columns of a table are: by their cells, and by their names where a choice is left."""

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from apps.forecasting.reading.parsing import (
    EPOCH,
    TEXT,
    is_missing,
    looks_like_time,
    parse_dates,
    parse_numbers,
)

SAMPLE = 200  # rows from which a column is known
ROLES = {
    "date": "date|datetime|day|time|timestamp|datum|fecha|data|дата|日期|日付|날짜|tarih|"
    "observation_date|snapped_at",
    "adjusted": "adj close|adjclose|adj_close|adjusted close|adjusted_close|adj. close|adjusted",
    "close": "close|close/last|price|last|closing price|close price|value|nav|settle|schluss|"
    "schlusskurs|zuletzt|letzter|kurs|cierre|último|ultimo|precio|dernier|clôture|chiusura|prezzo|"
    "fechamento|preço|slot|slotkoers|laatste|zamkniecie|zamknięcie|закрытие|цена|收盘|收盘价|终值|"
    "終値|종가|şimdi|senast|lukk|siste|seneste",
    "open": "open|opening price|open price|eröffn|eröffnung|erster|apertura|ouverture|ouv|abertura|"
    "opening|otwarcie|открытие|откр|开盘|开盘价|始値|시가|açılış",
    "high": "high|max|high price|hoch|tageshoch|máximo|máx|plus haut|haut|massimo|máxima|hoog|"
    "najwyzszy|макс|高|最高|最高价|高値|고가|yüksek",
    "low": "low|min|low price|tief|tagestief|mínimo|mín|plus bas|bas|minimo|mínima|laag|najnizszy|"
    "мин|低|最低|最低价|安値|저가|düşük",
    "ticker": "ticker|symbol|name|instrument|isin|code|asset|stock|pair",
    "volume": "volume|vol|volumen|wolumen|volym|volumes|qty|quantity|turnover|trades|openint|"
    "open interest|umsatz|stück|market_cap|market cap|total_volume|change|change %|chg|returns|"
    "return|dividends|"
    "stock splits|dividend|earnings|cpi|объём|объем|成交量|出来高|거래량",
}
ROLE_OF_NAME = {name: role for role, names in ROLES.items() for name in names.split("|")}
RANKS = {name: rank for rank, name in enumerate(ROLE_OF_NAME)}  # of two names the better known
TIME_OF_DAY = re.compile(r"\d{1,2}[:.h]\d\d")
TICKER = re.compile(r"[A-Z0-9^][A-Z0-9\-=^]*")
SERIES_ROLES = ("adjusted", "close", "open", "high", "low")


@dataclass(frozen=True)
class Heading:
    """The heading of a column: the words above it, the role they name, and the ticker, if any."""

    label: str
    role: str | None = None
    ticker: str = ""


def role_of(name):
    """The role that a column's name stands for, or None."""
    return ROLE_OF_NAME.get(_known_name(name))


def rank_of(name):
    """How well known a column's name is among those of its role; smaller is better."""
    return RANKS.get(_known_name(name), len(RANKS))


def _known_name(name):
    name = name.strip(" <>[]\"'*").casefold()
    name = re.sub(r"^\d+\. ?", "", name)  # `4. close`
    plain = re.split(r"[(\[]", name, maxsplit=1)[0].strip(" .:\n\t")  # `Close (USD)`
    for form in (name, plain, plain.replace("_", " ")):
        if form in ROLE_OF_NAME:
            return form
    return ""


def split_heading(name):
    """(role, ticker) of names such as `AAPL.Close`, `Close_MSFT` and `('Close', 'AAPL')`."""
    if role := role_of(name):
        return role, ""
    parts = [part for part in re.split(r"[\s_.,:()'\"]+", name) if part]
    if len(parts) == 2:
        for word, ticker in (parts, parts[::-1]):
            if (role := role_of(word)) in SERIES_ROLES and TICKER.fullmatch(ticker):
                return role, ticker
    return None, ""


def read_headings(rows, width, date_column):
    """The `Heading` of each column from the rows above the first one with a date.

    `yfinance` writes up to three: one names the fields, one the tickers, one the dates.
    """
    rows = [
        (row + [""] * width)[:width] for row in rows if sum(map(bool, row)) > 1 or _is_date(row)
    ]
    rows = rows[-3:]
    if not rows:
        return [Heading("") for _ in range(width)]
    others = [n for n in range(width) if n != date_column]
    counts = [sum(split_heading(row[n])[0] is not None for n in others) for row in rows]
    full = [sum(bool(row[n]) for n in others) for row in rows]
    fields = max(range(len(rows)), key=lambda n: (counts[n], full[n], n))
    corner = {"", "ticker", "tickers", "symbol", "symbols", "price"}
    tickers = next(
        (
            row
            for n, row in enumerate(rows)
            if n != fields
            and full[n] > len(others) / 2
            and not counts[n]
            and row[date_column].casefold() in corner
        ),
        None,
    )
    headings = []
    for n in range(width):
        role, ticker = split_heading(rows[fields][n])
        if tickers:
            ticker = tickers[n]
        label = rows[fields][n].strip(" <>")
        repeated = sum(cell == rows[fields][n] for cell in rows[fields]) > 1
        headings.append(
            Heading(f"{label} {ticker}" if tickers and repeated else label, role, ticker)
        )
    return headings


def _is_date(row):
    return any(role_of(cell) == "date" for cell in row)


def sample_rows(rows):
    """At most `SAMPLE` rows, evenly spaced, the first and the last among them."""
    if len(rows) <= SAMPLE:
        return rows
    return [rows[n] for n in np.linspace(0, len(rows) - 1, SAMPLE).astype(int)]


def find_date_column(rows, headings=None):
    """The position of the column whose cells are dates, or None.

    Args:
        rows: Rows of equal length, a sample of them is enough.
        headings: List of `Heading`, to choose among several such columns.
    """
    choices = []
    for n, cells in enumerate(zip(*rows, strict=True)):
        dates = parse_dates(cells)
        full = 1 - sum(map(is_missing, cells)) / len(cells)
        if dates.share < 0.6 * max(full, 0.5):
            continue
        if dates.kind >= EPOCH and not looks_like_time(dates):
            continue
        still = len(np.unique(dates.values)) == 1 and len(cells) > 2
        named = headings is not None and headings[n].role == "date"
        choices.append((still, dates.kind > TEXT, not named, dates.kind, n))
    return min(choices)[-1] if choices else None


def find_numbers(rows, dates, skip):
    """The positions of the columns that can be prices, the surest only.

    Left out are percentages, volumes in thousands, clocks, numbers of rows, years and what
    never changes.

    Args:
        rows: A sample of rows of equal length.
        dates: Their dates, `datetime64[D]`.
        skip: Positions that are something else.
    """
    years = dates.astype("datetime64[Y]").astype(float) + 1970
    columns, weak = [], []
    for n, cells in enumerate(zip(*rows, strict=True)):
        if n in skip:
            continue
        numbers = parse_numbers(cells)
        if numbers.share < 0.5:
            continue
        clock = parse_dates(cells)
        is_clock = clock.kind == EPOCH and clock.share > 0.8 and looks_like_time(clock)
        known = numbers.values[np.isfinite(numbers.values)]
        steps = np.diff(known)
        is_count = len(known) > 2 and known[0] in (0, 1) and steps.min() > 0 and np.ptp(steps) <= 1
        is_year = np.mean(np.abs(numbers.values - years)[np.isfinite(numbers.values)] < 1.01) > 0.9
        is_still = len(known) > 2 and np.ptp(known) == 0
        (weak if numbers.scaled or is_still or is_clock or is_count or is_year else columns).append(
            n
        )
    return columns or weak


def find_cut_number(rows):
    """A number that was cut at its own comma, such as `1,234.50`, if all rows have one; or None."""
    for cells, others in pairwise(zip(*rows, strict=True)):
        cut = all(re.fullmatch(r"\d{1,3}", cell) for cell in cells) and all(
            re.fullmatch(r"\d{3}(\.\d*)?", cell) for cell in others
        )
        if cut and any("." in cell or cell[0] == "0" for cell in others):
            return f"{cells[0]},{others[0]}"
    return None


def find_ranges(rows, columns):
    """Roles of columns without names: four neighbours that are open, high, low and close."""
    values = {n: parse_numbers([row[n] for row in rows]).values for n in columns}
    for n in columns:
        if not all(n + more in values for more in range(4)):
            continue
        first, high, low, last = (values[n + more] for more in range(4))
        with np.errstate(invalid="ignore"):
            inside = (high >= np.maximum(first, last)) & (low <= np.minimum(first, last))
        if np.mean(inside & (low > 0)) > 0.95 and (high > low).any():
            return {"open": n, "high": n + 1, "low": n + 2, "close": n + 3}
    return {}
