import gzip
import io
import os
import random
import secrets
import sys
import zipfile
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest

from apps.forecasting import reader
from apps.forecasting.reader import read_apart, read_file, read_prices
from apps.forecasting.series import Reading
from shared.errors import UserError

FUZZ = int(os.environ.get("UNROLLED_FUZZ", 60))
NOISE = np.random.default_rng(0).standard_normal(80)
DATES = pd.bdate_range("2024-01-01", periods=80)
PRICES = np.round(100 + np.arange(80) + 0.25, 2)
EXCEL_DAYS = (DATES - pd.Timestamp("1899-12-30")).days
DAYS = [f"{date:%Y-%m-%d}" for date in DATES]


def csv(dates=DATES, prices=PRICES, header="date,close", separator=",", form="%Y-%m-%d"):
    days = [date.strftime(form) for date in pd.DatetimeIndex(dates)]
    rows = [f"{day}{separator}{price}" for day, price in zip(days, prices, strict=True)]
    return "\n".join([header.replace(",", separator), *rows])


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


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
        csv().encode("utf-16-le"),
        csv().encode("utf-32"),
        gzip.compress(csv().encode()),
        zipped({"a.csv": csv(), "__MACOSX/._a.csv": "x", ".DS_Store": "y"}),
        csv(header="day of birth,close"),
        csv(form="%b %d, %Y", separator=";"),
        csv(form="%b %d, %Y"),
        csv(form="%d-%b-%y"),
        csv(form="%A, %d. %B %Y", separator=";"),
        csv(form="%Y年%m月%d日"),
        csv(form="%Y-%m-%d 00:00:00 UTC"),
        csv(form="%Y-%m-%dT23:30:00.000Z"),
        csv(form="%Y.%m.%d 00:00", separator="\t"),
        csv(form="%Y%m%d 170000", separator=";").replace("date;close\n", ""),
        csv(form="%s000"),
        csv(form="%s000000.25"),
        csv(form="%s000000000").replace("date,close\n", ""),
        csv(DATES[::-1], PRICES[::-1], header="observation_date,SP500"),
        "https://www.example.com\n" + csv(header="Unix Day,Kurs"),
        csv(prices=[f"{p} €" for p in PRICES]),
        csv(prices=[f"US$ {p}" for p in PRICES]),
        csv(prices=[f"Rs. {p}" for p in PRICES]),
        csv(prices=[f"({p})" for p in -PRICES]).replace("(-", "").replace(")", ""),
        csv(separator=" "),
        csv(separator=" | ").replace("\n", "\n--- | ---:\n", 1),
        "Prices\n\n" + csv(separator="|").replace("\n", "|\n|").replace("|\n", "|\n|---|---|\n", 1),
        "#".join(["", csv(header="<DATE>,<CLOSE>")])[1:],
        csv(header="year/month/day/close", form="%Y,%m,%d").replace("/", ","),
        csv(header="day/month/year/close", form="%d;%b;%Y", separator=";").replace("/", ";"),
        csv(form="%G-W%V-%u"),
        csv(form="'%Y-%m-%d'", header="'date','close'"),
        csv(form='="%Y-%m-%d"', prices=[f'="{p}"' for p in PRICES]),
        csv(form="%Y%m%d.0"),
        csv([], []) + "".join(f"\n{n},{p}" for n, p in zip(EXCEL_DAYS, PRICES, strict=True)),
        csv(header="日期,收盘价").encode("gb18030"),
        csv(header="日付,始値", form="%Y年%m月%d日").replace("始値", "終値").encode("shift_jis"),
        csv(header="날짜,종가").encode("cp949"),
        csv(header="日期,收盤價", form="%Y/%m/%d").encode("big5"),
        csv(header="дата,цена").encode("cp1251"),
        csv(header="Datum,Schluß").encode("cp1252"),
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


def walk(count, start=600.0):
    """Prices that end far from where they began, as the cases of issue 22 have them."""
    return start * np.exp(0.01 * np.sin(np.arange(count)) - 0.002 * np.arange(count))


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (lambda p: f'"{p:,.2f}"', 1),
        (lambda p: f"{p:,.2f}".replace(",", "’"), 1),
        (lambda p: f"{p:,.2f}".replace(",", "\u202f"), 1),
        (lambda p: f"{p:,.2f}".translate(str.maketrans(",.", ".,")), 1),
        (lambda p: f"{p:,.2f}".translate(str.maketrans(",.", "\u00a0,")), 1),
        (lambda p: f"{100 * p:,.0f}".replace(",", "."), 100),
        (lambda p: f"₹{p // 1000:.0f},{p % 1000:06.2f}".replace("₹", "₹1,"), None),
    ],
)
def test_every_country_groups_its_digits(form, expected):
    prices = walk(140, 90_000.0)
    series = only(
        csv(pd.bdate_range("2023-06-01", periods=140), map(form, prices), "Datum;Kurs", ";")
    )
    if expected is None:  # a lakh is a hundred thousand
        np.testing.assert_allclose(series.close, 100_000 + np.round(prices, 2))
    else:
        np.testing.assert_allclose(series.close, np.round(expected * prices, 2), atol=1)


def test_october_may_have_lost_its_zero():
    months = [f"{y}.{m:02}".removesuffix("0") for y in range(1990, 2000) for m in range(1, 13)]
    series = only(
        "\n".join(["Date,Price", *(f"{m},{p}" for m, p in zip(months, walk(120), strict=True))])
    )
    assert len(series) == 120
    assert str(series.dates[9]) == "1990-10-01"


def test_the_price_among_several_numbers_without_a_heading_is_the_close():
    rows = [
        f"{day}000000,{p - 1},{p + 2},{p - 2},{p},908.2,{day + 86399}999999,30937869.6,41459"
        for day, p in zip(1_727_740_800 + 86_400 * np.arange(140), walk(140), strict=True)
    ]
    series = only("\n".join(rows))
    np.testing.assert_allclose(series.close, walk(140))
    np.testing.assert_allclose(series.high, walk(140) + 2)
    assert str(series.dates[0]) == "2024-10-01"
    assert (series.reading.column, series.reading.columns) == ("5", 9)


def test_columns_of_two_tickers_are_two_series():
    lines = ["Price,Close,Close,High,High", "Ticker,BBB,AAA,BBB,AAA", "Date,,,,"]
    lines += [f"{day},{p},{2 * p},{p + 1},{2 * p + 1}" for day, p in zip(DAYS, PRICES, strict=True)]
    first, second = read_prices("\n".join(lines))
    assert (first.name, second.name) == ("BBB", "AAA")
    np.testing.assert_allclose(second.close, 2 * PRICES)
    np.testing.assert_allclose(second.high, 2 * PRICES + 1)
    flat = "\n".join(["Date,AAA,BBB", *(line.rsplit(",", 2)[0] for line in lines[3:])])
    assert [series.name for series in read_prices(flat)] == ["AAA", "BBB"]


def test_a_column_named_by_its_ticker_gives_the_series_its_name():
    lines = ["<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>"]
    lines += [
        f"ABC.US,D,{day.replace('-', '')},000000,{p},{p + 1},{p - 1},{p},12"
        for day, p in zip(DAYS, PRICES, strict=True)
    ]
    series = only("\n".join(lines))
    assert series.name == "ABC.US"
    np.testing.assert_allclose(series.close, PRICES)
    assert series.reading == Reading(
        "CLOSE", 9, "oldest first", "close", ("OPEN", "HIGH", "LOW", "CLOSE")
    )


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        (
            "open_time,open,high,low,close,volume,close_time",
            "{epoch}000,{p},{p},{p},{p},9,{epoch}999",
            1,
        ),
        ("Date,Open,High,Low,Last,Close", "{day},1{p},1{p},1{p},1{p},{p}", 1),
        ("Date,PREV. CLOSE,close,vwap", "{day},1{p},{p},1{p}", 1),
        ("Gmt time,Open,High,Low,Close,Volume", "{dmy} 00:00:00.000 GMT+0200,{p},{p},{p},{p},9", 1),
        ("Date,Symbol,Open,Close", "{day} 04-PM,BTC,1{p},{p}", 1),
        ("time,price,last_updated", "{day}+00:00,{p},{epoch}", 1),
        ("timeOpen;name;close;timestamp", '"{day}T00:00:00Z";"2781";{p};"{day}T23:59:59.999Z"', 1),
        (",Date,Price", "{n},{day},{p}", 1),
        (",Open,Close", "{day} 00:00:00-04:00,1{p},{p}", 1),
        ("Date,P,CPI,Date Fraction", "{day},{p},9.{n},2024.{n}", 1),
        ("day;value", "{dmy};{n1}.{n2}", 1000),
    ],
)
def test_the_price_is_found_among_other_columns(header, row, expected):
    rows = [
        row.format(
            day=day,
            p=price,
            n=n,
            n1=price // 1000 + 100,
            n2=f"{n:03}",
            dmy=f"{date:%d.%m.%Y}",
            epoch=int(date.timestamp()),
        )
        for n, (day, date, price) in enumerate(zip(DAYS, DATES, PRICES, strict=True))
    ]
    (series,) = read_prices("\n".join([header, *rows]).replace(".0.", "."))
    if expected == 1:
        np.testing.assert_allclose(series.close, PRICES)
    else:
        assert (series.close > 90_000).all()
    assert str(series.dates[0]) == DAYS[0]


def test_another_column_can_be_chosen():
    lines = [f"{day},{p},{3 * p}" for day, p in zip(DAYS, PRICES, strict=True)]
    text = "\n".join(["Date,Close,Index", *lines])
    assert only(text).reading.choices == ("Close", "Index")
    (series,) = read_file(text, column="Index").series
    np.testing.assert_allclose(series.close, 3 * PRICES)
    with pytest.raises(UserError, match="Colour"):
        read_file(text, column="Colour")


def test_only_the_first_tickers_are_cleaned_and_short_ones_not_at_all(monkeypatch):
    cleaned = []
    clean = reader.clean
    monkeypatch.setattr(reader, "clean", lambda *a: cleaned.append(a[0]) or clean(*a))
    lines = ["ticker,date,close"]
    lines += [f"S{n},2024-01-01,1" for n in range(3000)]
    for ticker in "ABCD":
        lines += [f"{ticker},{day},{price}" for day, price in zip(DAYS, PRICES, strict=True)]
    prices = read_file("\n".join(lines), max_series=2)
    assert prices.count == 4
    assert [series.name for series in prices.series] == cleaned == ["A", "B"]


def test_several_tickers_and_the_range_of_the_day():
    rows = ["Ticker,Date,Open,High,Low,Close,Volume"]
    for ticker in ("B", "A"):
        for date, price in zip(DATES, PRICES, strict=True):
            rows.append(f"{ticker},{date:%Y-%m-%d},{price - 1},{price + 1},{price - 2},{price},10")
    rows.append("C,2024-01-01,1,1,1,1,1")  # too short: left out
    first, second = read_prices("\n".join(rows))
    assert (first.name, second.name) == ("A", "B")
    np.testing.assert_allclose(first.high, PRICES + 1)


def test_the_last_price_of_a_day_counts_where_its_time_has_a_column():
    rows = ["Date,Time,Open,Close"]
    for day, price in zip(DAYS, PRICES, strict=True):
        rows += [f"{day},{9 + n:02}:30,7,{price - 3 + n}" for n in range(4)]
    for text in ("\n".join(rows), "\n".join([rows[0], *rows[:0:-1]])):
        series = only(text)
        np.testing.assert_allclose(series.close, PRICES)
        assert "repeated a date" in " ".join(series.notes)


def test_months_and_years_may_stand_in_columns_of_their_own():
    months = [f"{p},{y},{m}" for (y, m), p in zip(
        ((y, m) for y in range(2000, 2010) for m in range(1, 13)), walk(120), strict=True)
    ]  # fmt: skip
    series = only("\n".join(["Price,Year,Month", *months]))
    assert (len(series), str(series.dates[9])) == (120, "2000-10-01")


def test_adjusted_prices_move_the_range_with_them():
    rows = ["Date,High,Low,Close,Adj Close"]
    rows += [
        f"{d:%Y-%m-%d},{p + 2},{p - 2},{p},{p / 2}" for d, p in zip(DATES, PRICES, strict=True)
    ]
    series = only("\n".join(rows))
    np.testing.assert_allclose(series.close, PRICES / 2)
    np.testing.assert_allclose(series.high, (PRICES + 2) / 2)


def test_rows_may_end_in_a_separator():
    lines = csv().splitlines()
    ended = "\n".join([lines[0], *(f"{line}," for line in lines[1:])])
    np.testing.assert_array_equal(only(ended).close, PRICES)
    assert only(ended).notes == ()
    quoted = "\n".join([f"{lines[0]},volume", *(f'{line},"1,000"' for line in lines[1:])])
    assert only(quoted).notes == ()


REFUSED = {
    "nothing": "",
    "no rows": "date,close\n",
    "ten rows": csv(DATES[:10], PRICES[:10]),
    "one column": "a\n1\n2",
    "a long line": "date,close\n2024-01-01," + "1" * 200_000,
    "decimal commas": "\n".join(["date,close", *(f"{day},100,25" for day in DAYS)]),
    "grouped by commas": "\n".join(
        f"{day},{1000 * price:,.2f}" for day, price in zip(DAYS, PRICES, strict=True)
    ),
    "no numbers": "\n".join(["day,colour,shape", *(f"{day},red,round" for day in DAYS)]),
    "words": csv(prices=["n/k"] * 80),
    "negative": csv(prices=-PRICES),
    "returns": csv(prices=NOISE),
    "words for dates": csv().replace("2024-", "yesterday "),
    "the year 1": csv().replace("2024-", "0001-"),
    "a constant": csv(prices=[7] * 80),
    "years for prices": csv(
        pd.date_range("1900-01-01", periods=80, freq="YS"), np.arange(1900, 1980)
    ),
    "bytes": b"\x00\x01\x02\x9d\x81" * 50,
    "a cut gzip": gzip.compress(csv().encode())[:-20],
    "a cut zip": zipped({"a.csv": csv()})[:-20],
    "two files": zipped({"a.csv": csv(), "b.csv": csv()}),
    "a workbook": zipped({"[Content_Types].xml": "<xml/>"}),
    "json": '{"prices": [[1704067200000, 42.5], [1704153600000, 43.25]]}',
    "json rows": '[\n{"date": "2024-01-01", "close": 42.5},\n{"date": "2024-01-02", "close": 43}]',
    "a web page": "<html><body><table><tr><td>2024-01-01</td><td>42,5</td></tr></table></html>",
    "many names": "\n".join(
        [",".join(f"{n} {'long' * 20}" for n in range(30)), *["red," * 29] * 9]
    ),
    "packed bytes": gzip.compress(b"\x00\x01\x02\x9d\x81" * 50),
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_used_is_refused_with_a_sentence(content, texts):
    with pytest.raises(UserError) as error:
        read_prices(content)
    texts(str(error.value))


def test_a_file_may_have_only_so_many_rows_and_cells():
    with pytest.raises(UserError, match="81 rows; at most 80"):
        read_file(csv(), max_rows=80)
    with pytest.raises(UserError, match="5,081 lines; at most 80"):
        read_file("\n" * 5_000 + csv() + "\n", max_rows=80)
    with pytest.raises(UserError, match="more than 500 cells"):
        read_file("\n".join([csv(), "," * 15_000]))


def test_an_archive_may_hold_only_so_much():
    bomb = gzip.compress(bytes(3 * 2**20))
    with pytest.raises(UserError, match="more than 2 MB"):
        read_file(bomb, max_bytes=2 * 2**20)


def test_twice_the_rows_take_twice_the_work():
    def count_calls(text):
        calls = 0

        def profile(*_):
            nonlocal calls
            calls += 1

        sys.setprofile(profile)
        try:
            read_prices(text)
        finally:
            sys.setprofile(None)
        return calls

    def table(count):
        dates = np.datetime64("1900-01-01") + np.arange(count)
        rows = [f"{date},“{100 + n % 50},5 €" for n, date in enumerate(dates.tolist())]
        return "\n".join(["Datum;Schluss", *rows]).replace(",“", ";")

    assert count_calls(table(8_000)) < 2.5 * count_calls(table(4_000))


GOOD = [
    csv(),
    csv(prices=[f"{p:.2f}".replace(".", ",") for p in PRICES], separator=";", form="%d.%m.%Y"),
    csv(form="%s000").replace("date,close\n", ""),
    csv(form="%b %d, %Y"),
]


def test_damaged_files_are_read_or_refused_and_nothing_else():
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    pieces = [
        b",",
        b";",
        b".",
        b"\n",
        b"-",
        b"0",
        b'"',
        b"2024",
        b"\t",
        b"",
        b"|",
        b"\0",
        b"9" * 300,
    ]
    for _ in range(FUZZ):
        content = rng.choice(GOOD).encode()
        for _ in range(rng.randint(1, 3)):
            cut = sorted(rng.randint(0, len(content)) for _ in range(2))
            lines = content.split(b"\n")
            content = rng.choice(
                [
                    lambda c=content, cut=cut: c[: cut[1]],
                    lambda c=content, cut=cut: c[: cut[0]] + c[cut[1] :],
                    lambda lines=lines: b"\n".join(rng.sample(lines, len(lines))),
                    lambda lines=lines: b"\n".join(b",".join(x.split(b",")[::-1]) for x in lines),
                    lambda c=content: c.replace(rng.choice(pieces[:8]), rng.choice(pieces)),
                    lambda c=content, cut=cut: c[: cut[0]] + rng.randbytes(9) + c[cut[0] :],
                    lambda c=content: c.decode("utf-8", "replace").encode("utf-16"),
                    lambda c=content: gzip.compress(c),
                ]
            )()
        with suppress(UserError):
            for series in read_prices(content):
                assert (series.close > 0).all()
                assert (np.diff(series.dates) > np.timedelta64(0)).all()


def test_a_file_on_disk_gives_its_name(tmp_path):
    path = tmp_path / "acme.csv"
    path.write_text(csv())
    assert read_prices(path)[0].name == "acme"
    with pytest.raises(UserError, match="cannot be read"):
        read_prices(tmp_path / "missing.csv")


def test_prices_are_read_in_a_child_process_as_here():
    rows = [f"2024-{n // 28 + 1:02}-{n % 28 + 1:02},{n + 1},{2 * n + 5}.5" for n in range(100)]
    text = "\n".join(["date,low,close", *rows])
    for source in (text, text.encode()):
        here, apart = (read(source, "mine", max_series=5) for read in (read_file, read_apart))
        assert apart.count == here.count == 1
        (one,), (other,) = here.series, apart.series
        for name, value in vars(one).items():
            if isinstance(value, np.ndarray):
                np.testing.assert_array_equal(value, getattr(other, name))
                assert value.dtype == getattr(other, name).dtype
            else:
                assert value == getattr(other, name)
    with pytest.raises(UserError, match="no column of numbers"):
        read_apart(text, column="volume")
