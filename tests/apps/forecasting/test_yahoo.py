"""Prices of a ticker: what is asked of Yahoo, cached and deleted."""

import os
import time

import numpy as np
import pandas as pd
import pytest
from yfinance import exceptions as yahoo

from apps.forecasting import tab
from apps.forecasting.session import OwnSeries
from apps.forecasting.yahoo import CACHE_DAYS, CACHE_FRESH_HOURS, fetch_prices
from shared.errors import UserError

DATES = pd.bdate_range("2024-01-01", periods=80)
PRICES = np.round(100 + np.arange(80) + 0.25, 2)


def frame(days=80):
    """Shaped like what yfinance gives."""
    index = pd.DatetimeIndex(DATES[:days], name="Date").tz_localize("America/New_York")
    close = PRICES[:days]
    columns = {"Open": close, "High": close + 1, "Low": close - 1, "Close": close, "Volume": 1}
    return pd.DataFrame(columns, index=index)


class Server:
    """Answers like yfinance, from a list of frames and errors, and counts the questions."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, ticker):
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_ticker_is_asked_for_once_and_then_read_from_disk(tmp_path):
    server = Server(frame())
    first = fetch_prices("aapl", tmp_path, download=server)
    again = fetch_prices("AAPL", tmp_path, download=server)
    assert server.asked == 1
    np.testing.assert_allclose(first.close, PRICES)
    np.testing.assert_allclose(again.high, PRICES + 1)
    assert first.name == "AAPL"
    # Nobody can tell from a series that somebody else has asked for it.
    assert first.source == again.source == "Yahoo Finance, 2024-04-19"


def age(path, hours):
    then = time.time() - 3600 * hours
    os.utime(path, (then, then))


@pytest.mark.parametrize(
    ("hours", "is_asked_again"),
    [(CACHE_FRESH_HOURS - 1, False), (CACHE_FRESH_HOURS + 1, True), (-24, True)],
)
def test_a_copy_is_used_while_it_is_fresh_and_never_if_it_is_of_the_future(
    tmp_path, hours, is_asked_again
):
    server = Server(frame(), frame())
    fetch_prices("AAPL", tmp_path, download=server)
    age(next(tmp_path.glob("*.csv")), hours)
    fetch_prices("AAPL", tmp_path, download=server)
    assert server.asked == 1 + is_asked_again


def test_old_copies_of_every_ticker_are_deleted_and_no_link_is_followed(tmp_path):
    folder = tmp_path / "prices"
    for ticker in ("OLD", "YOUNG", "FUTURE"):
        fetch_prices(ticker, folder, download=Server(frame()))
    age(folder / "OLD.csv", 24 * CACHE_DAYS + 1)
    age(folder / "YOUNG.csv", 24 * CACHE_DAYS - 1)
    age(folder / "FUTURE.csv", -100)
    (folder / "AAPL.1.partial").touch()
    age(folder / "AAPL.1.partial", 24 * CACHE_DAYS + 1)
    elsewhere = tmp_path / "elsewhere.csv"
    elsewhere.write_text("date,close")
    (folder / "LINK.csv").symlink_to(elsewhere)
    fetch_prices("NEW", folder, download=Server(frame()))
    assert sorted(path.name for path in folder.iterdir()) == ["NEW.csv", "YOUNG.csv"]
    assert elsewhere.exists()


def test_an_older_copy_is_renewed_and_used_when_yahoo_fails(tmp_path):
    fetch_prices("AAPL", tmp_path, download=Server(frame(70)))
    (path,) = tmp_path.glob("*.csv")
    old = time.time() - 100 * 3600
    os.utime(path, (old, old))
    broken = Server(yahoo.YFRateLimitError(), yahoo.YFRateLimitError())
    stale = fetch_prices("AAPL", tmp_path, download=broken, wait=0)
    assert len(stale) == 70
    assert any("older copy" in note for note in stale.notes)
    assert len(fetch_prices("AAPL", tmp_path, download=Server(frame(80)))) == 80


def test_one_retry(tmp_path):
    server = Server(ConnectionError("reset"), frame())
    assert len(fetch_prices("MSFT", tmp_path, download=server, wait=0)) == 80
    assert server.asked == 2


@pytest.mark.parametrize(
    ("answers", "why", "asked"),
    [
        ([yahoo.YFRateLimitError()] * 2, "limits", 2),
        ([ConnectionError("no route")] * 2, "cannot be reached", 2),
        ([TimeoutError()] * 2, "cannot be reached", 2),
        ([yahoo.YFPricesMissingError("XYZ", "")], "has no prices of XYZ", 1),
        ([yahoo.YFTzMissingError("XYZ")], "has no prices of XYZ", 1),
        ([pd.DataFrame()] * 2, "no prices of XYZ", 2),
        ([frame(10)], "10 usable prices", 1),
    ],
)
def test_yahoos_refusals_are_sentences(tmp_path, answers, why, asked):
    server = Server(*answers)
    with pytest.raises(UserError, match=why):
        fetch_prices("XYZ", tmp_path, download=server, wait=0)
    assert server.asked == asked
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ticker", ["", "../../etc/passwd", "A B", "x" * 40, None, "AAPL;rm"])
def test_what_is_no_ticker_is_not_asked_for(tmp_path, ticker):
    server = Server()
    with pytest.raises(UserError, match="not a ticker"):
        fetch_prices(ticker, tmp_path, download=server)
    assert server.asked == 0


def test_the_page_says_whom_it_asks_before_it_does():
    asking, *_ = next(tab._fetch(" zzzz9 ", OwnSeries()))
    assert "Asking Yahoo Finance for ZZZZ9" in asking
