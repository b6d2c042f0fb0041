"""Daily prices for training and testing: four files, split by time at one date for all of them.

They are read from `forecasting/<name>.csv.xz`, or from the files of their publishers in the data
folder: `all_stocks_5yr.csv` (Kaggle, “S&P 500 stock data”) and `Stocks/*.us.txt`
(Kaggle, “Huge Stock Market Dataset”), which need an account there and so are not downloaded.
CSVs and Yahoo are read by `apps.forecasting.reader`, which the page needs as well.
"""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from apps.forecasting.features import HORIZONS
from apps.forecasting.reader import read_prices
from apps.forecasting.series import MIN_PRICES
from apps.forecasting.yahoo import fetch_prices
from shared.errors import UserError
from training.command import checkpoint_dir, data_folder

Input = Annotated[
    Path | None,
    typer.Option(help="Your own prices: CSV with date, close, optional open, high, low, ticker."),
]
Ticker = Annotated[list[str] | None, typer.Option(help="From Yahoo instead (repeatable).")]

FILES = ("us_long_1962_2017", "gspc_close_1927_2025", "sp500_2013_2018", "recent_2016_2025")
LONG_TICKERS = (
    "AA ADI AEP AIG APA AVP BAX BCR BK C CAT CLX CSX DE DUK EIX EXC GD GLW HAL HPQ IFF JCP KO "
    "LMT MAT MMM MRO NI NUE PBI PEP PKI RDC SLB TGT UNP WEC WHR WY"
)
TEST_YEARS = 2  # also of the validation before it
DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Split:
    """The dates that separate training, validation and test.

    Attributes:
        validation: The first date after training, `datetime64[D]`.
        cutoff: The first date after validation.
        tests: Dict from file to the first date of its test.
    """

    validation: np.datetime64
    cutoff: np.datetime64
    tests: dict

    @classmethod
    def of(cls, files):
        """The split of files of series: a dict from name to list of `Series`.

        Each file's test is its last two years, or its last third if it has fewer than four.
        Shares fall and rise together, so a day in one file tells of that day in every other;
        and a ticker can be in two files. Therefore one cutoff serves all: training and
        validation end where the earliest test begins, and no later day of any file is used.
        The validation is two years too, or the last quarter of what is left.
        """
        tests, firsts = {}, []
        for name, series in files.items():
            first = min(one.dates[0] for one in series)
            last = max(one.dates[-1] for one in series)
            start = _years_before(last, TEST_YEARS)
            if first > _years_before(last, 2 * TEST_YEARS):
                start = last - (last - first) // 3
            tests[name] = start + DAY
            firsts.append(first)
        cutoff = min(tests.values())
        quarter = cutoff - (cutoff - min(firsts)) // 4
        return cls(max(_years_before(cutoff, TEST_YEARS), quarter), cutoff, tests)

    def training_days(self, series):
        """How many days of a series are for training."""
        return int(np.searchsorted(series.dates, self.validation))

    def before_test(self, series):
        """The days of a series before the cutoff."""
        return series.cut(0, int(np.searchsorted(series.dates, self.cutoff)))

    def validation_origins(self, series, every=1, offset=0):
        """Positions of the validation's origins; their futures end before the cutoff."""
        start = max(self.training_days(series), MIN_PRICES - 1) + offset % every
        return np.arange(start, np.searchsorted(series.dates, self.cutoff) - HORIZONS, every)

    def test_origins(self, series, file, every=1):
        """Positions of the test's origins, those whose future is known."""
        start = max(int(np.searchsorted(series.dates, self.tests[file])), MIN_PRICES - 1)
        return np.arange(start, len(series) - HORIZONS, every)


def _years_before(date, years):
    month = date.astype("datetime64[M]")
    day = (date - month.astype("datetime64[D]")).astype(int)
    return (month - 12 * years).astype("datetime64[D]") + day


def read(data_dir, files=FILES):
    """The files of the corpus: a dict from name to list of `Series`, short ones left out.

    Raises:
        FileNotFoundError: if a file is missing; the message says where it belongs.
    """
    data_dir = Path(data_dir)
    return {name: _read_file(data_dir, name) for name in files}


def _read_file(data_dir, name):
    path = data_dir / "forecasting" / f"{name}.csv.xz"
    if path.exists():
        return read_prices(path)
    if name == "sp500_2013_2018" and (data_dir / "all_stocks_5yr.csv").exists():
        return read_prices(data_dir / "all_stocks_5yr.csv")
    if name == "us_long_1962_2017" and (data_dir / "Stocks").is_dir():
        paths = {
            ticker: data_dir / "Stocks" / f"{ticker.lower()}.us.txt"
            for ticker in LONG_TICKERS.split()
        }
        return [read_prices(file, ticker)[0] for ticker, file in paths.items() if file.exists()]
    raise FileNotFoundError(
        f"{name}.csv.xz is not in {data_dir / 'forecasting'}. Put it there (columns ticker, date, "
        "open, high, low, close, volume), or train on your own file with --input, or on tickers "
        "from Yahoo with --ticker."
    )


def from_yahoo(tickers, folder=None):
    """Series of tickers from Yahoo, by the cache on disk.

    Raises:
        UserError: if one of them cannot be had.
    """
    return [fetch_prices(ticker, folder) for ticker in tickers]


def read_files(data_dir, input, ticker):
    """The corpus, or the user's prices under the name `input` or `yahoo`; else as for `read`.

    Args:
        data_dir, input, ticker: As on the command line.

    Raises:
        typer.BadParameter: if there are none that can be used; the message says why.
    """
    try:
        if input:
            return {"input": read_prices(input)}
        if ticker:
            return {"yahoo": from_yahoo(ticker)}
        return read(data_folder(data_dir))
    except (UserError, FileNotFoundError) as error:
        raise typer.BadParameter(str(error)) from error


def run_folder(files, data_dir):
    """The folder of checkpoints for a dict from name to list of `Series`."""
    names = [(n, one.name, len(one), str(one.dates[-1])) for n, s in files.items() for one in s]
    return checkpoint_dir("forecasting", data_dir=data_dir) / (
        f"{zlib.crc32(json.dumps(names).encode()):08x}"
    )
