"""Daily prices of a ticker from Yahoo Finance through `yfinance`, with a cache on disk."""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

# Yahoo answers only to what looks like a browser. TensorFlow brings a curl that cannot, and
# the first of the two that is loaded serves both: so this one comes before it.
import curl_cffi  # noqa: F401
import pandas as pd

from apps.forecasting.reader import read_prices
from shared.errors import UserError

CACHE_FRESH_HOURS = 12  # a younger copy is used instead of asking Yahoo again
CACHE_DAYS = 7  # older copies are deleted
TICKER = re.compile(r"[A-Z0-9^][A-Z0-9.\-=^]{0,14}")


def fetch_prices(ticker, folder=None, download=None, wait=1.0):
    """Ten years of adjusted daily prices of a ticker from Yahoo, cached on disk.

    A copy younger than `CACHE_FRESH_HOURS` is used instead of asking again. Copies older than
    `CACHE_DAYS` are deleted, and so are those that a wrong clock has dated in the future.
    Nothing is recorded of who asked, and a series does not say whether it was cached.

    Args:
        ticker: As Yahoo writes it, such as `AAPL`, `^GSPC` or `BTC-USD`.
        folder: Path of the cache; `prices` in the settings' data folder if None.
        download: Function of a ticker that gives a frame as yfinance does; yfinance's if None.
        wait: Seconds before the one retry.

    Returns:
        A `Series`. If Yahoo cannot be reached, that of an older copy, with a note.

    Raises:
        UserError: if there is neither an answer nor a copy; the message says which.
    """
    ticker = str(ticker or "").strip().upper()
    if not TICKER.fullmatch(ticker):
        raise UserError(
            f"“{ticker[:20]}” is not a ticker. Type one as Yahoo Finance does: AAPL, ^GSPC, "
            "BTC-USD."
        )
    folder = folder or _cache_folder()
    delete_expired(folder)
    path = folder / f"{re.sub('[^A-Z0-9.-]', '_', ticker)}.csv"
    cached = path.is_file()
    if cached and _age_hours(path) < CACHE_FRESH_HOURS:
        return _read_copy(path, ticker)
    try:
        frame = _download(ticker, download or _yahoo, wait)
    except UserError as error:
        if not cached:
            raise
        series = _read_copy(path, ticker)
        return replace(series, notes=(*series.notes, f"{error} These prices are an older copy."))
    frame = frame.rename(columns=str.lower)[["open", "high", "low", "close"]]
    frame.insert(0, "date", pd.DatetimeIndex(frame.index).strftime("%Y-%m-%d"))
    text = frame.to_csv(index=False)
    series = _named(read_prices(text, ticker)[0])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{time.time_ns()}.partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError:  # a disk that cannot be written only costs the next request
        pass
    return series


def delete_expired(folder=None):
    """Delete cached prices older than `CACHE_DAYS`, dated in the future, or that are links."""
    folder = folder or _cache_folder()
    with suppress(OSError):
        for path in [*folder.glob("*.csv"), *folder.glob("*.partial")]:
            with suppress(OSError):  # another process may be quicker
                if path.is_symlink() or not 0 <= _age_hours(path) <= 24 * CACHE_DAYS:
                    path.unlink()


def _cache_folder():
    from shared.settings import read

    return read().data / "prices"


def _age_hours(path):
    # File systems round times, by two seconds at most.
    return (time.time() + 2 - path.lstat().st_mtime) / 3600


def _read_copy(path, ticker):
    return _named(read_prices(path, ticker)[0])


def _named(series):
    return replace(series, source=f"Yahoo Finance, {series.dates[-1]}", reading=None)


def _yahoo(ticker):
    import yfinance

    return yfinance.Ticker(ticker).history(
        period="10y", interval="1d", auto_adjust=True, timeout=8, raise_errors=True
    )


def _download(ticker, download: Callable, wait):
    """The frame that `download` returns; it is called a second time if the first call fails.

    Raises:
        UserError: with a sentence for each kind of failure.
    """
    from yfinance import exceptions as yahoo

    for attempt in range(2):
        if attempt:
            time.sleep(wait)
        try:
            frame = download(ticker)
        except (yahoo.YFPricesMissingError, yahoo.YFTzMissingError, yahoo.YFTickerMissingError):
            raise UserError(
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
    raise UserError(problem)
