"""Files as well-known programs and sites export them, rebuilt with numbers of our own.

Each test reads one kind of file whole: which series, how many days, and the first and last price.
"""

import gzip
import io
import zipfile

import numpy as np
import pandas as pd
import pytest

from apps.forecasting.reader import read_prices
from shared.errors import UserError

COUNT = 130
WEEKDAYS = pd.bdate_range("2024-03-04", periods=COUNT)
EVERY_DAY = pd.date_range("2024-10-06", periods=COUNT)
CLOSES = 400 * np.exp(np.random.default_rng(3).normal(0, 0.01, COUNT).cumsum())


def lines(*rows, end="\n"):
    return end.join(rows) + end


def days(template, dates=WEEKDAYS, closes=CLOSES, newest_first=False, **forms):
    """A line for each day; in the template `{o} {h} {l} {c}` are the prices, `{day:…}` the date."""
    rows = []
    for n, (day, close) in enumerate(zip(dates, closes, strict=True)):
        prices = {"o": close * 0.99, "h": close * 1.02, "l": close * 0.97, "c": close}
        prices = {key: forms.get("price", "{:.2f}".format)(value) for key, value in prices.items()}
        epoch = int(day.timestamp())
        rows.append(template.format(day=day, n=n, epoch=epoch, v=9_000 + n, **prices))
    return rows[::-1] if newest_first else rows


def german(value):
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


def lakh(value):
    return f"{int(value) // 100_000},{int(value) // 1000 % 100:02},{int(value) % 1000:03}"


def klines():
    row = "{{epoch}}{0},{{o}},{{h}},{{l}},{{c}},{{v}},{{epoch}}{0},1.5,{{n}},1.5,1.5,0"
    old, new = row.format("000"), row.format("000000")
    parts = slice(None, 80), slice(80, None)
    return lines(*(each for template, part in zip((old, new), parts, strict=True)
                   for each in days(template, EVERY_DAY[part], CLOSES[part])))  # fmt: skip


def zipped(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return file.getvalue()


MT5 = "{day:%Y.%m.%d}\t00:00:00\t{o}\t{h}\t{l}\t{c}\t{v}\t0\t0"
FILES = {  # content, days, and what a price is multiplied by
    "Investing.com, dates with commas": (
        lines(
            "Date,Price,Open,High,Low,Vol.,Change %",
            *days('{day:%b %d, %Y},{c},{o},{h},{l},"12.5M","0.1%"', newest_first=True),
        ),
        WEEKDAYS,
        1,
    ),
    "Investing.com in German": (
        "\ufeff"
        + lines(
            '"Datum","Zuletzt","Eröffn.","Hoch","Tief","Vol.","+/- %"',
            *days(
                '"{day:%d.%m.%Y}","{c}","{o}","{h}","{l}","1,5K","0,10%"',
                closes=30 * CLOSES,
                newest_first=True,
                price=german,
            ),
        ),
        WEEKDAYS,
        30,
    ),
    "Binance, microseconds since 2025": (klines(), EVERY_DAY, 1),
    "CryptoDataDownload": (
        lines(
            "https://www.example.com/",
            "unix,date,symbol,open,high,low,close,Volume BTC,Volume USD",
            *days(
                "{epoch}000,{day:%Y-%m-%d} 00:00:00,BTC/USD,{o},{h},{l},{c},1.25,{v}",
                EVERY_DAY,
                newest_first=True,
            ),
        ),
        EVERY_DAY,
        1,
    ),
    "CoinGecko": (
        lines(
            "snapped_at,price,market_cap,total_volume",
            *days("{day:%Y-%m-%d} 00:00:00 UTC,{c},9{v}00,{v}.5", EVERY_DAY),
        ),
        EVERY_DAY,
        1,
    ),
    "Stooq": (
        lines(
            "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
            *days("XYZ.US,D,{day:%Y%m%d},000000,{o},{h},{l},{c},{v},0"),
            end="\r\n",
        ),
        WEEKDAYS,
        1,
    ),
    "MetaTrader 5": (
        lines(
            "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>",
            *days(MT5),
            end="\r\n",
        ).encode("utf-16"),
        WEEKDAYS,
        1,
    ),
    "pandas": (
        lines(
            ",Open,High,Low,Close,Volume",
            *days("{day:%Y-%m-%d} 00:00:00-04:00,{o},{h},{l},{c},{v}"),
        ),
        WEEKDAYS,
        1,
    ),
    "Indian grouping": (
        lines(
            '"Date ","OPEN ","close "',
            *days('"{day:%d-%b-%Y}","₹ {o}","₹ {c}"', closes=700 * CLOSES, price=lakh),
        ),
        WEEKDAYS,
        700,
    ),
    "points for thousands": (
        lines("Fecha;Cierre", *days("{day:%d/%m/%Y};{c}", closes=4000 * CLOSES,
                                    price=lambda value: f"{value:,.0f}".replace(",", "."))),
        WEEKDAYS,
        4000,
    ),
    "Swiss apostrophes": (
        lines("Datum;Kurs", *days("{day:%d.%m.%Y};{c}", closes=40 * CLOSES,
                                  price=lambda value: f"{value:,.2f}".replace(",", "’"))),
        WEEKDAYS,
        40,
    ),
    "HistData": (
        lines(*days("{day:%Y%m%d} 170000;{o};{h};{l};{c};0")),
        WEEKDAYS,
        1,
    ),
    "a zip made on a Mac": (
        zipped({
            "prices.csv": lines("date,close", *days("{day:%Y-%m-%d},{c}")),
            "__MACOSX/._prices.csv": "\0\5\x16\7",
        }),
        WEEKDAYS,
        1,
    ),
    "a gzip in German style": (
        gzip.compress(
            lines("Datum;Schluss", *days("{day:%d.%m.%Y};{c}", price=german)).encode("cp1252")
        ),
        WEEKDAYS,
        1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_prices_have_their_days_and_values(name):
    content, dates, factor = FILES[name]
    (series,) = read_prices(content)
    np.testing.assert_array_equal(series.dates, dates.to_numpy().astype("datetime64[D]"))
    within = 0.006 if factor < 500 else 1
    np.testing.assert_allclose(series.close, factor * CLOSES, atol=within)


def test_days_without_a_price_are_left_out_of_a_file_of_fred_s():
    rows = days("{day:%Y-%m-%d},{c}")
    rows[0], rows[50] = rows[0].split(",")[0] + ",", rows[50].split(",")[0] + ",."
    (series,) = read_prices(lines("observation_date,SP500", *rows))
    assert len(series) == COUNT - 2
    assert (series.close[0], series.close[-1]) == tuple(np.round(CLOSES[[1, -1]], 2))
    assert series.reading.column == "SP500"
    assert "2 rows" in " ".join(series.notes)


def test_both_tickers_of_a_file_of_yfinance_s_are_read():
    rows = days("{day:%Y-%m-%d},{c},1{c},{h},1{h},{v},{v}")
    headings = (
        "Price,Close,Close,High,High,Volume,Volume",
        "Ticker,ABC,XYZ,ABC,XYZ,ABC,XYZ",
        "Date,,,,,,",
    )
    first, second = read_prices(lines(*headings, *rows))
    assert (first.name, second.name) == ("ABC", "XYZ")
    np.testing.assert_allclose(first.close, np.round(CLOSES, 2))
    np.testing.assert_allclose(second.close, np.round(CLOSES, 2) + 1000)


def test_october_is_not_january_in_a_file_of_shiller_s():
    months = [f"{year}.{month:02}".rstrip("0") for year in range(2010, 2021)
              for month in range(1, 13)]  # fmt: skip
    prices = np.round(np.linspace(1000, 3000, len(months)), 2)
    rows = [f"{month},{price},99.{n}" for n, (month, price) in enumerate(zip(months, prices))]  # noqa: B905
    (series,) = read_prices(lines("Date,P,CPI", *rows))
    np.testing.assert_array_equal(series.close, prices)
    assert str(series.dates[9])[:7] == "2010-10"


def test_a_gzip_that_was_cut_short_gets_a_sentence():
    whole = gzip.compress(lines("date,close", *days("{day:%Y-%m-%d},{c}")).encode())
    with pytest.raises(UserError, match="damaged or was cut short"):
        read_prices(whole[: len(whole) * 2 // 3])
