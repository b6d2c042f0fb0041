"""Daily prices of a ticker from Yahoo Finance through `yfinance`, with a cache on disk."""

import re
import time
from collections.abc import Callable
from dataclasses import replace

# Yahoo answers only to what looks like a browser. TensorFlow brings a curl that cannot, and
# the first of the two that is loaded serves both: so this one comes before it.
import curl_cffi  # noqa: F401
import pandas as pd

from apps.forecasting.reader import read_prices
from shared.errors import UserError

FRESH_HOURS = 12
TICKER = re.compile(r"[A-Z0-9^][A-Z0-9.\-=^]{0,14}")


def fetch_prices(ticker, folder=None, hours=FRESH_HOURS, download=None, wait=1.0):
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
        UserError: if there is neither an answer nor a copy; the message says which.
    """
    ticker = str(ticker or "").strip().upper()
    if not TICKER.fullmatch(ticker):
        raise UserError(
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
    except UserError as error:
        if not path.exists():
            raise
        series = _stored(path, ticker)
        return replace(series, notes=(*series.notes, f"{error} These prices are an older copy."))
    frame = frame.rename(columns=str.lower)[["open", "high", "low", "close"]]
    frame.insert(0, "date", pd.DatetimeIndex(frame.index).strftime("%Y-%m-%d"))
    text = frame.to_csv(index=False)
    series = read_prices(text, ticker)[0]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{time.time_ns()}.partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError:  # a disk that cannot be written only costs the next request
        pass
    return replace(series, source=f"Yahoo Finance, {series.dates[-1]}")


def _stored(path, ticker):
    series = read_prices(path, ticker)[0]
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
