"""Where prices come from: the user's CSV, or Yahoo through `yfinance` with a cache on disk.

It lies here and not under `training/datasets` because the page reads CSVs and tickers too;
`training.datasets.prices` reads the corpus with it. Everything that is wrong with a file is
either mended and said in the series' notes, or refused with a `PriceError`.
"""

import csv
import io
import re
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

# Yahoo answers only to what looks like a browser. TensorFlow brings a curl that cannot, and
# the first of the two that is loaded serves both: so this one comes before it.
import curl_cffi  # noqa: F401
import numpy as np
import pandas as pd

LEAST = 61  # closing prices that a forecast needs: 20 for a first volatility, 40 to read
MOST_ROWS = 2_000_000
FRESH_HOURS = 12
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
TICKER = re.compile(r"[A-Z0-9^][A-Z0-9.\-=^]{0,14}")


# Said in the series' notes instead.
warnings.filterwarnings("ignore", "Length of header", pd.errors.ParserWarning)


class PriceError(ValueError):
    """The prices cannot be used; the message is a sentence for the page."""


@dataclass(frozen=True, eq=False)
class Series:
    """Closing prices by date, oldest first, with the day's range where it is known.

    Attributes:
        name: Ticker or title.
        dates: Array `(days,)` of `datetime64[D]`, increasing.
        close: Array `(days,)` of positive floats.
        open, high, low: The same, NaN where missing, or None.
        source: Where it comes from, for the chart.
        notes: Sentences on what was mended or looks odd.
    """

    name: str
    dates: np.ndarray
    close: np.ndarray
    open: np.ndarray | None = None
    high: np.ndarray | None = None
    low: np.ndarray | None = None
    source: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self):
        return len(self.close)

    def cut(self, start, end):
        """The days from position `start` up to, not including, `end`."""
        parts = {
            key: None if (values := getattr(self, key)) is None else values[start:end]
            for key in ("dates", "close", "open", "high", "low")
        }
        return replace(self, **parts)

    def ranges(self):
        """`open`, `high` and `low` as a dict."""
        return {"open": self.open, "high": self.high, "low": self.low}


def read_csv(source, name=None, least=LEAST):
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
        PriceError: if the file cannot be used.
    """
    if isinstance(source, Path):
        name = name or source.name.split(".")[0]
        if source.suffix in (".xz", ".gz", ".zip", ".bz2"):
            return _from_table(pd.read_csv(source, dtype=str, keep_default_na=False), name, least)
        try:
            source = source.read_bytes()
        except OSError as error:
            raise PriceError(f"{source.name} cannot be read: {error.strerror}.") from error
    text = _decoded(source) if isinstance(source, bytes) else source
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise PriceError("This file is empty. It needs the columns date and close.")
    if len(lines) > MOST_ROWS:
        raise PriceError(
            f"This file has {len(lines):,} rows; at most {MOST_ROWS:,} are read at once."
        )
    if lines[0].lower().startswith("sep="):  # Excel's hint
        lines = lines[1:] or ["date,close"]
    if lines[0].startswith("Price,") and lines[1:] and lines[1].startswith("Ticker,"):
        lines = ["Date" + lines[0].removeprefix("Price"), *lines[3:]]  # yfinance's three headings
    separator = max(";\t|,", key=lambda mark: (lines[0].count(mark), mark == ","))
    if lines[0].count(separator) == 0:
        raise PriceError(
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
        raise PriceError(f"This file cannot be read as a CSV: {error}.") from error
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
    raise PriceError("This file is not text. Save the table as CSV and try again.")


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
        raise PriceError(f"This file has no date column. The columns found are: {columns}.")
    if "close" not in found and "adjusted" not in found:
        numeric = [
            column
            for column in table.columns
            if column not in found.values() and _numbers(table[column]).notna().mean() > 0.5
        ]
        if len(numeric) != 1:
            raise PriceError(
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
        except PriceError as error:
            short[str(ticker)] = error
    if not series:
        raise next(iter(short.values()), PriceError("This file has no rows."))
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
        PriceError: if too little of it can be used.
    """
    notes, total = list(notes), len(frame)
    undated = int(frame["date"].isna().sum())
    frame = frame[frame["date"].notna()]
    if undated:
        notes.append(f"{_rows(undated)} without a readable date did not count.")
    if total and not len(frame):
        raise PriceError(f"{name}: no date in the date column can be read. Try 2024-01-31.")
    bad = frame["close"].isna()
    if bad.any():
        texts = frame.loc[bad, "text"].astype(str).str.strip()
        words = texts[~texts.str.lower().isin(MISSING)]
        if len(words):
            what = f"text instead of a price (“{words.iloc[0][:20]}”)"
            if len(words) > total / 2:
                raise PriceError(f"{name}: the price column holds {what} in {_rows(len(words))}.")
            notes.append(f"{_rows(len(words))} with {what} did not count.")
        if len(words) < bad.sum():
            notes.append(f"{_rows(int(bad.sum()) - len(words))} without a price did not count.")
        frame = frame[~bad]
    usable = (frame["close"] > 0) & np.isfinite(frame["close"])
    wrong = int((~usable).sum())
    if wrong:
        if wrong > 0.1 * len(frame):
            raise PriceError(
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
        raise PriceError(
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


def fetch(ticker, folder=None, hours=FRESH_HOURS, download=None, wait=1.0):
    """Ten years of adjusted daily prices of a ticker from Yahoo, kept on disk.

    Args:
        ticker: As Yahoo writes it, such as `AAPL`, `^GSPC` or `BTC-USD`.
        folder: Path of the cache; `prices` in the settings' data folder if None.
        hours: How old a copy may be to be taken instead.
        download: Function of a ticker that gives a frame as yfinance does; yfinance's if None.
        wait: Seconds before the one retry.

    Returns:
        A `Series`. If Yahoo cannot be reached, the copy on disk however old, with a note.

    Raises:
        PriceError: if there is neither an answer nor a copy; the message says which.
    """
    ticker = str(ticker or "").strip().upper()
    if not TICKER.fullmatch(ticker):
        raise PriceError(
            f"“{ticker[:20]}” is not a ticker. Type one as Yahoo Finance does: AAPL, ^GSPC, "
            "BTC-USD."
        )
    if folder is None:
        from shared.settings import read

        folder = read().data / "prices"
    path = folder / f"{re.sub('[^A-Z0-9.-]', '_', ticker)}.csv"
    if path.exists() and time.time() - path.stat().st_mtime < 3600 * hours:
        return _stored(path, ticker)
    try:
        frame = _downloaded(ticker, download or _yahoo, wait)
    except PriceError as error:
        if not path.exists():
            raise
        series = _stored(path, ticker)
        return replace(series, notes=(*series.notes, f"{error} These prices are an older copy."))
    frame = frame.rename(columns=str.lower)[["open", "high", "low", "close"]]
    frame.insert(0, "date", pd.DatetimeIndex(frame.index).strftime("%Y-%m-%d"))
    text = frame.to_csv(index=False)
    series = read_csv(text, ticker)[0]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{time.time_ns()}.partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError:  # a disk that cannot be written only costs the next request
        pass
    return replace(series, source=f"Yahoo Finance, {series.dates[-1]}")


def _stored(path, ticker):
    series = read_csv(path, ticker)[0]
    day = time.strftime("%Y-%m-%d", time.localtime(path.stat().st_mtime))
    return replace(series, source=f"Yahoo Finance, stored on {day}")


def _yahoo(ticker):
    import yfinance

    return yfinance.Ticker(ticker).history(
        period="10y", interval="1d", auto_adjust=True, timeout=8, raise_errors=True
    )


def _downloaded(ticker, download: Callable, wait):
    """What `download` gives, asked again once if it fails.

    Raises:
        PriceError: with a sentence for each kind of failure.
    """
    from yfinance import exceptions as yahoo

    for attempt in range(2):
        if attempt:
            time.sleep(wait)
        try:
            frame = download(ticker)
        except (yahoo.YFPricesMissingError, yahoo.YFTzMissingError, yahoo.YFTickerMissingError):
            raise PriceError(
                f"Yahoo Finance has no prices of {ticker}. Check the spelling, or upload a CSV."
            ) from None
        except yahoo.YFRateLimitError:
            problem = (
                "Yahoo Finance limits the requests from this address. Try again later, or upload "
                "a CSV."
            )
        except Exception:  # requests, curl and yfinance raise many kinds of their own
            problem = (
                "Yahoo Finance cannot be reached from here. Upload a CSV, or choose a built-in "
                "series."
            )
        else:
            if frame is not None and len(frame) and "Close" in frame:
                return frame
            problem = (
                f"Yahoo Finance sent no prices of {ticker}. Check the spelling, or upload a CSV."
            )
    raise PriceError(problem)
