import numpy as np
import pandas as pd
import pytest

from apps.forecasting.features import HORIZONS
from apps.forecasting.series import Series
from training.forecasting import data as prices


def series(name, start, end):
    dates = pd.bdate_range(start, end).to_numpy().astype("datetime64[D]")
    return Series(name, dates, np.linspace(10, 20, len(dates)))


@pytest.fixture
def files():
    return {
        "old": [series("A", "2000-01-03", "2015-12-31"), series("B", "2010-01-04", "2015-12-31")],
        "new": [series("A", "2008-01-02", "2024-12-31")],
    }


def test_no_day_of_any_test_is_trained_or_validated_on(files):
    split = prices.Split.of(files)
    assert split.tests == {"old": np.datetime64("2014-01-01"), "new": np.datetime64("2023-01-01")}
    assert split.cutoff == np.datetime64("2014-01-01")
    assert split.validation == np.datetime64("2012-01-01")
    for name, all_series in files.items():
        for one in all_series:
            days = split.training_days(one)
            assert (one.dates[:days] < split.validation).all()
            valid = split.validation_origins(one)
            assert one.dates[valid[0]] >= split.validation
            assert one.dates[valid[-1] + HORIZONS] < split.cutoff
            test = split.test_origins(one, name)
            assert one.dates[test[0]] >= split.tests[name]
            assert test[-1] + HORIZONS == len(one) - 1


def test_a_short_file_is_tested_on_its_last_third():
    split = prices.Split.of({"input": [series("A", "2022-01-03", "2024-12-31")]})
    assert split.tests["input"] == np.datetime64("2024-01-03")
    assert np.datetime64("2023-01-01") < split.validation < split.cutoff


def test_the_repacked_and_the_published_files_are_read(tmp_path):
    dates = pd.bdate_range("2020-01-01", periods=70)
    rows = [f"{d:%Y-%m-%d},1,3,1,{2 + n % 2},100" for n, d in enumerate(dates)]
    folder = tmp_path / "forecasting"
    folder.mkdir()
    table = "\n".join(["ticker,date,open,high,low,close,volume", *(f"X,{row}" for row in rows)])
    pd.read_csv(pd.io.common.StringIO(table)).to_csv(
        folder / "recent_2016_2025.csv.xz", index=False
    )
    named = "\n".join(["date,open,high,low,close,volume,Name", *(f"{row},Y" for row in rows)])
    (tmp_path / "all_stocks_5yr.csv").write_text(named)
    (tmp_path / "Stocks").mkdir()
    stock = "\n".join(["Date,Open,High,Low,Close,Volume,OpenInt", *(f"{row},0" for row in rows)])
    (tmp_path / "Stocks" / "aa.us.txt").write_text(stock)
    names = ("recent_2016_2025", "sp500_2013_2018", "us_long_1962_2017")
    files = prices.read(tmp_path, names)
    assert [files[name][0].name for name in names] == ["X", "Y", "AA"]
    assert all(files[name][0].close.tolist() == [2.0, 3.0] * 35 for name in names)
    with pytest.raises(FileNotFoundError, match="gspc_close_1927_2025.csv.xz.*Put it there"):
        prices.read(tmp_path)


def test_tickers_come_from_the_cache(tmp_path):
    dates = pd.bdate_range("2020-01-01", periods=70)
    text = "\n".join(["date,close", *(f"{d:%Y-%m-%d},{5 + n % 2}" for n, d in enumerate(dates))])
    (tmp_path / "AAPL.csv").write_text(text)
    (one,) = prices.from_yahoo(["AAPL"], tmp_path)
    assert one.name == "AAPL" and len(one) == 70
