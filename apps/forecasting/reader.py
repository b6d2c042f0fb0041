"""Prices from a visitor's file: a CSV becomes one `Series` for each ticker in it.

Whatever is wrong with a file is either repaired and reported in the series' notes, or refused
with a `UserError`.
"""

import csv
import io
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from apps.forecasting.series import MIN_PRICES, Series
from shared.errors import UserError

MOST_ROWS = 2_000_000
COLUMNS = {
    "date": ("date", "datetime", "day", "time", "timestamp", "datum", "fecha"),
    "adjusted": ("adj close", "adjclose", "adj_close", "adjusted close", "adjusted_close"),
    "close": (
        "close",
        "close/last",
        "price",
        "last",
        "closing price",
        "value",
        "schluss",
        "cierre",
    ),
    "open": ("open", "opening price"),
    "high": ("high", "max"),
    "low": ("low", "min"),
    "ticker": ("ticker", "symbol", "name", "instrument"),
}
MISSING = {"", "-", "n/a", "na", "nan", "null", "none", ".", "#n/a"}
NOT_NUMERIC = r"[\s\u00a0'$€£¥]|USD|EUR|GBP"


# Said in the series' notes instead.
warnings.filterwarnings("ignore", "Length of header", pd.errors.ParserWarning)


def read_prices(source, name=None, least=MIN_PRICES):
    """The series of a CSV with a date, a closing price, and optionally open, high, low, ticker.

    Separators `, ; tab |`, decimal points and commas, ISO, European and American dates and
    files without a header are understood.

    Args:
        source: Path of a file (`.xz` and the like too), or its content as bytes or a string.
        name: Name of a series without a ticker; the file's if None.
        least: Fewest usable rows of a series; shorter ones are left out.

    Returns:
        List of `Series`, by ticker.

    Raises:
        UserError: if the file cannot be used.
    """
    if isinstance(source, Path):
        name = name or source.name.split(".")[0]
        if source.suffix in (".xz", ".gz", ".zip", ".bz2"):
            return _from_table(pd.read_csv(source, dtype=str, keep_default_na=False), name, least)
        try:
            source = source.read_bytes()
        except OSError as error:
            raise UserError(f"{source.name} cannot be read: {error.strerror}.") from error
    text = _decoded(source) if isinstance(source, bytes) else source
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise UserError("This file is empty. It needs the columns date and close.")
    if len(lines) > MOST_ROWS:
        raise UserError(
            f"This file has {len(lines):,} rows; at most {MOST_ROWS:,} are read at once."
        )
    if lines[0].lower().startswith("sep="):  # Excel's hint
        lines = lines[1:] or ["date,close"]
    if lines[0].startswith("Price,") and lines[1:] and lines[1].startswith("Ticker,"):
        lines = ["Date" + lines[0].removeprefix("Price"), *lines[3:]]  # yfinance's three headings
    separator = max(";\t|,", key=lambda mark: (lines[0].count(mark), mark == ","))
    if lines[0].count(separator) == 0:
        raise UserError(
            "This file has only one column. It needs a date and a closing price, "
            "separated by commas, semicolons or tabs."
        )
    first = [cell.strip().strip('"') for cell in lines[0].split(separator)]
    headless = _looks_like_date(first[0]) and any(map(_looks_like_number, first[1:]))
    try:
        cells = next(csv.reader(lines[1:2], delimiter=separator, skipinitialspace=True), [])
        table = pd.read_csv(
            io.StringIO("\n".join(lines)),
            sep=separator,
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
            header=None if headless else 0,
            index_col=False,  # not the first, where the first row has a column too many
            on_bad_lines="skip",
        )
    except (ValueError, csv.Error) as error:
        raise UserError(f"This file cannot be read as a CSV: {error}.") from error
    if headless:
        names = (
            ["date", "close"] if table.shape[1] == 2 else ["date", "open", "high", "low", "close"]
        )
        table = table.iloc[:, : len(names)]
        table.columns = names[: table.shape[1]]
    skipped = len(lines) - (not headless) - len(table)
    notes = [f"{_rows(skipped)} had too many columns and did not count."] if skipped > 0 else []
    # Rows may end in a separator; more than that may be a decimal comma.
    if not headless and any(cells[table.shape[1] :]):
        notes.append("The rows have more columns than headings; those beyond did not count.")
    return _from_table(table, name or "Your series", least, tuple(notes))


def _decoded(content):
    encodings = (
        ("utf-16",) if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252")
    )
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UserError("This file is not text. Save the table as CSV and try again.")


def _looks_like_date(text):
    return bool(re.fullmatch(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*|\d{8}", text))


def _looks_like_number(text):
    return bool(re.fullmatch(r"[-+]?[\d.,]+", text))


def _rows(count):
    return f"{count:,} row" + ("s" if count != 1 else "")


def _from_table(table, name, least, notes=()):
    """The series of a table of strings."""
    headings = {str(column).strip().lower(): column for column in table.columns}
    found = {}
    for role, aliases in COLUMNS.items():
        match = next((headings[alias] for alias in aliases if alias in headings), None)
        if match is not None:
            found[role] = match
    columns = ", ".join(str(column) for column in table.columns)
    if "date" not in found:
        raise UserError(f"This file has no date column. The columns found are: {columns}.")
    if "close" not in found and "adjusted" not in found:
        numeric = [
            column
            for column in table.columns
            if column not in found.values() and _numbers(table[column]).notna().mean() > 0.5
        ]
        if len(numeric) != 1:
            raise UserError(
                f"This file has no column named close or price. The columns found are: {columns}."
            )
        found["close"] = numeric[0]
    dates, more = _dates(table[found["date"]])
    notes = (*notes, *more)
    frame = pd.DataFrame({"date": dates})
    raw = {}
    for role in ("adjusted", "close", "open", "high", "low"):
        if role in found:
            raw[role] = table[found[role]]
            frame[role] = _numbers(raw[role])
    if "adjusted" in frame:
        if "close" in frame:
            ratio = frame["adjusted"] / frame["close"]
            for role in ("open", "high", "low"):
                if role in frame:
                    frame[role] *= ratio
        frame["close"] = frame["adjusted"]
        raw["close"] = raw["adjusted"]
    frame["text"] = raw["close"]
    if "ticker" not in found:
        return [_clean(frame, name, least, notes)]
    frame["ticker"] = table[found["ticker"]].str.strip()
    series, short = [], {}
    for ticker, part in frame.groupby("ticker", sort=True):
        try:
            series.append(_clean(part, str(ticker), least, notes))
        except UserError as error:
            short[str(ticker)] = error
    if not series:
        raise next(iter(short.values()), UserError("This file has no rows."))
    return series


def _numbers(texts):
    """Numbers of a column of strings, NaN where there is none."""
    quick = pd.to_numeric(texts, errors="coerce").astype(float)
    odd = texts[quick.isna()].str.strip()
    odd = odd[~odd.str.lower().isin(MISSING)]
    if not len(odd):
        return quick
    odd = odd.str.replace(NOT_NUMERIC, "", regex=True)
    points, commas = odd.str.rfind("."), odd.str.rfind(",")
    both = (points >= 0) & (commas >= 0)
    if both.any():
        decimal_comma = bool((commas > points)[both].mean() > 0.5)
    else:
        thousands = odd[commas >= 0].str.fullmatch(r"[-+]?\d{1,3}(,\d{3})+")
        decimal_comma = bool((commas >= 0).any() and not thousands.all())
    if decimal_comma:
        clean = texts.str.replace(NOT_NUMERIC, "", regex=True).str.replace(".", "", regex=False)
        clean = clean.str.replace(",", ".", regex=False)
        return pd.to_numeric(clean, errors="coerce").astype(float)
    repaired = pd.to_numeric(odd.str.replace(",", "", regex=False), errors="coerce")
    return quick.fillna(repaired.astype(float))


def _dates(texts):
    """Dates of a column of strings, NaT where there is none, and a note if they can be two days."""
    plain = pd.to_datetime(texts, format="%Y-%m-%d", errors="coerce")
    if plain.notna().mean() > 0.9:  # nearly always, and a hundred times as fast
        return plain.astype("datetime64[us]"), ()
    texts = texts.str.strip()
    if texts.str.fullmatch(r"\d{10}|\d{13}").mean() > 0.9:
        unit = "s" if texts.str.len().mode()[0] == 10 else "ms"
        numbers = pd.to_numeric(texts, errors="coerce")
        return pd.to_datetime(numbers, unit=unit, errors="coerce").dt.normalize(), ()
    parts = texts.str.extract(r"^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})(?!\d)").dropna()
    if len(parts) < len(texts) / 2:
        # The offset of a time zone says nothing about the trading day: leave it out.
        plain = texts.str.replace(
            r"(\d{2}:\d{2}(:\d{2})?(\.\d+)?)\s*(Z|[+-]\d{2}:?\d{2})$", r"\1", regex=True
        )
        parsed = pd.to_datetime(plain, errors="coerce", format="mixed")
        return parsed.astype("datetime64[us]").dt.normalize(), ()
    first, second = parts[0].astype(int), parts[1].astype(int)
    notes = ()
    if (first > 12).any():
        day, month = first, second
    elif (second > 12).any():
        day, month = second, first
    elif texts.str.contains(".", regex=False).mean() > 0.5:
        day, month = first, second
    else:
        day, month = second, first
        notes = ("The dates could be read two ways; month/day/year was taken.",)
    year = parts[2].astype(int)
    year = year.where(year > 99, year.map(lambda y: 1900 + y if y > 68 else 2000 + y))
    pieces = pd.DataFrame({"year": year, "month": month, "day": day})
    return pd.to_datetime(pieces, errors="coerce").reindex(texts.index), notes


def _clean(frame, name, least, notes=()):
    """A `Series` of a frame with `date`, `close`, perhaps `open`, `high`, `low`, and `text`.

    Raises:
        UserError: if too little of it can be used.
    """
    notes, total = list(notes), len(frame)
    undated = int(frame["date"].isna().sum())
    frame = frame[frame["date"].notna()]
    if undated:
        notes.append(f"{_rows(undated)} without a readable date did not count.")
    if total and not len(frame):
        raise UserError(f"{name}: no date in the date column can be read. Try 2024-01-31.")
    bad = frame["close"].isna()
    if bad.any():
        texts = frame.loc[bad, "text"].astype(str).str.strip()
        words = texts[~texts.str.lower().isin(MISSING)]
        if len(words):
            what = f"text instead of a price (“{words.iloc[0][:20]}”)"
            if len(words) > total / 2:
                raise UserError(f"{name}: the price column holds {what} in {_rows(len(words))}.")
            notes.append(f"{_rows(len(words))} with {what} did not count.")
        if len(words) < bad.sum():
            notes.append(f"{_rows(int(bad.sum()) - len(words))} without a price did not count.")
        frame = frame[~bad]
    usable = (frame["close"] > 0) & np.isfinite(frame["close"])
    wrong = int((~usable).sum())
    if wrong:
        if wrong > 0.1 * len(frame):
            raise UserError(
                f"{name}: {_rows(wrong)} of {len(frame):,} have a price of zero or below. Returns "
                "need positive prices; if these are returns or differences, give the prices."
            )
        notes.append(f"{_rows(wrong)} with a price of zero or below did not count.")
        frame = frame[usable]
    if not frame["date"].is_monotonic_increasing:
        if not frame["date"].is_monotonic_decreasing:
            notes.append("The rows were not in the order of their dates; they are now.")
        else:
            frame = frame.iloc[::-1]
        frame = frame.sort_values("date", kind="stable")
    twice = frame["date"].duplicated(keep="last")
    if twice.any():
        notes.append(f"{_rows(int(twice.sum()))} repeated a date; the last one of each day counts.")
        frame = frame[~twice]
    frame, more = _without_still_weekends(frame)
    notes += more
    if len(frame) < least:
        raise UserError(
            f"{name} has {len(frame):,} usable prices; a forecast needs at least {least}, "
            "about three months of trading days."
        )
    close = frame["close"].to_numpy(float)
    dates = frame["date"].to_numpy().astype("datetime64[D]")
    notes += _oddities(close, dates)
    ranges = {}
    for role in ("open", "high", "low"):
        if role in frame:
            values = frame[role].where(frame[role] > 0).to_numpy(float)
            ranges[role] = values if np.isfinite(values).any() else None
    return Series(name, dates, close, **ranges, notes=tuple(notes))


def _without_still_weekends(frame):
    """Leave weekend rows out where the price never moves on them: filled in, not traded."""
    weekend = frame["date"].dt.day_of_week >= 5
    if not weekend.any() or weekend.mean() > 0.5:
        return frame, []
    moved = frame["close"].diff().fillna(0)[weekend] != 0
    if moved.mean() > 0.2:
        return frame, []
    note = f"{_rows(int(weekend.sum()))} on weekends repeated Friday’s price and did not count."
    return frame[~weekend], [note]


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
    if (spacing := np.diff(dates).astype(int)).size:
        usual, longest = np.median(spacing), int(spacing.max())
        if longest > max(10, 6 * usual):
            after = dates[int(spacing.argmax())]
            notes.append(f"There is a gap of {longest} days after {after}.")
    if len(close) > 1 and np.mean(jumps == 0) > 0.5:
        notes.append("The price stands still on more than half of the days.")
    return notes
