import os
import time

import numpy as np
import pandas as pd
import pytest
from yfinance import exceptions as yahoo

from apps.forecasting import tab
from apps.forecasting.examples import EXAMPLES, example
from apps.forecasting.reader import read_prices
from apps.forecasting.series import MIN_PRICES
from apps.forecasting.yahoo import fetch_prices
from shared.errors import UserError

DATES = pd.bdate_range("2024-01-01", periods=80)
PRICES = np.round(100 + np.arange(80) + 0.25, 2)


def csv(dates=DATES, prices=PRICES, header="date,close", separator=",", form="%Y-%m-%d"):
    days = [date.strftime(form) for date in pd.DatetimeIndex(dates)]
    rows = [f"{day}{separator}{price}" for day, price in zip(days, prices, strict=True)]
    return "\n".join([header.replace(",", separator), *rows])


def only(text):
    (series,) = read_prices(text)
    return series


def test_a_plain_file_is_read_as_it_is():
    series = only(csv())
    np.testing.assert_array_equal(series.close, PRICES)
    np.testing.assert_array_equal(series.dates, DATES.to_numpy().astype("datetime64[D]"))
    assert series.notes == ()
    assert series.high is None


@pytest.mark.parametrize(
    "text",
    [
        csv(header="Date,Adj Close"),
        csv(header="DATE,PRICE"),
        csv(header="timestamp,some name"),
        csv(separator=";"),
        csv(separator="\t"),
        csv(prices=[f"{p:.2f}".replace(".", ",") for p in PRICES], separator=";"),
        csv(prices=[f'"{p:.2f}"'.replace(".", ",") for p in PRICES]),
        csv(prices=[f"${p:.2f}" for p in PRICES]),
        csv(form="%d.%m.%Y", separator=";"),
        csv(form="%m/%d/%Y"),
        csv(form="%d/%m/%Y"),
        csv(form="%Y%m%d"),
        csv(form="%Y-%m-%d 16:00:00"),
        csv(form="%Y-%m-%dT16:00:00-05:00"),
        csv(form="%Y-%m-%d 00:00:00+00:00"),
        csv().replace("date,close\n", ""),
        csv()[:0] + "\ufeff" + csv(),
        csv().replace("\n", "\r\n"),
        "sep=;\n" + csv(separator=";"),
        csv(header="Price,Close").replace("Close\n", "Close\nTicker,AAPL\nDate,\n"),
        csv().encode("utf-16"),
        csv().encode("utf-8-sig"),
    ],
)
def test_other_ways_to_write_the_same_file(text):
    series = only(text)
    np.testing.assert_allclose(series.close, PRICES)
    np.testing.assert_array_equal(series.dates, DATES.to_numpy().astype("datetime64[D]"))


def test_thousands_separators():
    american = csv(prices=[f'"{1000 * p:,.2f}"' for p in PRICES])
    np.testing.assert_allclose(only(american).close, 1000 * PRICES)
    swap = str.maketrans(",.", ".,")
    german = csv(prices=[f"{1000 * p:,.2f}".translate(swap) for p in PRICES], separator=";")
    np.testing.assert_allclose(only(german).close, 1000 * PRICES)


def test_ambiguous_dates_are_said():
    dates = pd.to_datetime([f"{y}-{m:02}-{d:02}" for y in (2020, 2021) for m in range(1, 9)
                            for d in range(1, 9)])  # fmt: skip
    series = only(csv(dates, 100 + np.arange(len(dates)), form="%m/%d/%Y"))
    assert any("month/day/year" in note for note in series.notes)


def test_unsorted_and_repeated_dates():
    order = np.random.default_rng(0).permutation(80)
    text = csv(DATES[order], PRICES[order]) + f"\n{DATES[3]:%Y-%m-%d},999"
    series = only(text)
    assert (np.diff(series.dates) > np.timedelta64(0)).all()
    assert series.close[3] == 999
    assert any("order" in note for note in series.notes)
    assert any("repeated a date" in note for note in series.notes)


def test_newest_first_is_turned_round_without_a_word():
    series = only(csv(DATES[::-1], PRICES[::-1]))
    np.testing.assert_array_equal(series.close, PRICES)
    assert series.notes == ()


def test_missing_zero_negative_and_text_rows_are_left_out_and_said():
    prices = PRICES.astype(object)
    prices[[5, 6]], prices[10], prices[11], prices[12] = "", 0, -5, "holiday"
    prices[13] = "NaN"
    series = only(csv(prices=prices))
    assert len(series) == 74
    notes = " ".join(series.notes)
    assert "3 rows without a price" in notes
    assert "2 rows with a price of zero or below" in notes
    assert "holiday" in notes


def test_a_gap_is_said():
    dates = DATES[:40].append(DATES[40:] + pd.Timedelta(days=200))
    assert any("gap of 20" in note for note in only(csv(dates)).notes)


def test_a_split_is_said():
    prices = np.where(np.arange(80) < 50, 100.0, 25.0) + np.arange(80) * 0.01
    assert any("split" in note for note in only(csv(prices=prices)).notes)


def test_weekends_that_only_repeat_friday_are_left_out_and_others_are_kept():
    days = pd.date_range("2024-01-01", periods=120)
    friday = pd.Series(np.arange(120) + 100.0).where(days.day_of_week < 5).ffill()
    series = only(csv(days, friday))
    assert len(series) == (days.day_of_week < 5).sum()
    assert any("weekends" in note for note in series.notes)
    assert len(only(csv(days, np.arange(120) + 100.0))) == 120


def test_several_tickers_and_the_range_of_the_day():
    rows = ["Ticker,Date,Open,High,Low,Close,Volume"]
    for ticker in ("B", "A"):
        for date, price in zip(DATES, PRICES, strict=True):
            rows.append(f"{ticker},{date:%Y-%m-%d},{price - 1},{price + 1},{price - 2},{price},10")
    rows.append("C,2024-01-01,1,1,1,1,1")  # too short: left out
    first, second = read_prices("\n".join(rows))
    assert (first.name, second.name) == ("A", "B")
    np.testing.assert_allclose(first.high, PRICES + 1)


def test_adjusted_prices_move_the_range_with_them():
    rows = ["Date,High,Low,Close,Adj Close"]
    rows += [
        f"{d:%Y-%m-%d},{p + 2},{p - 2},{p},{p / 2}" for d, p in zip(DATES, PRICES, strict=True)
    ]
    series = only("\n".join(rows))
    np.testing.assert_allclose(series.close, PRICES / 2)
    np.testing.assert_allclose(series.high, (PRICES + 2) / 2)


@pytest.mark.filterwarnings("ignore:Length of header")  # as the module does; pytest starts afresh
def test_rows_that_end_in_a_separator_are_read_and_columns_without_a_heading_are_told():
    lines = csv().splitlines()
    ended = "\n".join([lines[0], *(f"{line}," for line in lines[1:])])
    np.testing.assert_array_equal(only(ended).close, only(csv()).close)
    assert only(ended).notes == only(csv()).notes
    decimal = only(ended.replace(",\n", ",5\n"))
    assert "more columns than headings" in decimal.notes[0]
    quoted = "\n".join([f"{lines[0]},volume", *(f'{line},"1,000"' for line in lines[1:])])
    assert only(quoted).notes == only(csv()).notes


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("date,close\n", "at least 61"),
        (csv(DATES[:10], PRICES[:10]), rf"10 usable prices.*at least {MIN_PRICES}"),
        ("a\n1\n2", "one column"),
        ("date,close\n2024-01-01," + "1" * 200_000, "cannot be read as a CSV"),
        (csv(header="day of birth,close"), "no date column"),
        ("date,a,b\n" + "\n".join(f"{d:%Y-%m-%d},1,2" for d in DATES), "no column named close"),
        (csv(prices=["n/k"] * 80), "text instead of a price"),
        (csv(prices=-PRICES), "zero or below"),
        (csv(prices=np.random.default_rng(0).standard_normal(80)), "zero or below"),
        (csv().replace("2024-", "yesterday "), "date"),
        (b"\x00\x01\x02\x9d\x81" * 50, "not text|one column|empty"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_sentence(text, why):
    with pytest.raises(UserError, match=why) as caught:
        read_prices(text)
    assert "Traceback" not in str(caught.value)


def test_200_000_rows_are_read_in_a_few_seconds():
    dates = np.datetime64("1500-01-01") + np.arange(200_000)
    rows = [f"{date},{100 + n % 50}.5" for n, date in enumerate(dates.tolist())]
    start = time.perf_counter()
    series = only("\n".join(["date,close", *rows]))
    assert len(series) == 200_000
    assert time.perf_counter() - start < 20


def test_a_file_on_disk_gives_its_name(tmp_path):
    path = tmp_path / "acme.csv"
    path.write_text(csv())
    assert read_prices(path)[0].name == "acme"
    with pytest.raises(UserError, match="cannot be read"):
        read_prices(tmp_path / "missing.csv")


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
    assert "Yahoo" in first.source and "stored" in again.source


def test_an_expired_copy_is_renewed_and_used_when_yahoo_fails(tmp_path):
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


@pytest.mark.parametrize("key", EXAMPLES)
def test_every_example_can_be_forecast(key):
    series = example(key)
    assert len(series) >= MIN_PRICES
    assert (series.close > 0).all()
    assert (np.diff(series.dates) > np.timedelta64(0)).all()
    assert series.source


def test_the_page_says_whom_it_asks_before_it_does():
    asking, *_ = next(tab._fetched(" zzzz9 ", {}))
    assert "Asking Yahoo Finance for ZZZZ9" in asking
