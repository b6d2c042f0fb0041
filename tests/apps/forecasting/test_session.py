import numpy as np
import pytest

from apps.forecasting import session
from apps.forecasting.series import Series
from apps.forecasting.session import OwnSeries
from shared.errors import UserError


def series(name, rows):
    dates = np.datetime64("1900-01-01") + np.arange(rows)
    return Series(name, dates, np.arange(1.0, rows + 1))  # 16 bytes a row


@pytest.fixture(autouse=True)
def a_small_limit(monkeypatch):
    monkeypatch.setattr(session, "MAX_SESSION_BYTES", 4000)


def test_the_newest_series_stay_and_the_oldest_go_where_they_exceed_the_limit():
    own = OwnSeries()
    for name in "ABC":
        own, key = own.add([series(name, 100)])
    assert [one.name for one in own.series.values()] == ["C", "B"]
    assert own.find(key).name == "C"
    assert own.nbytes <= 4000
    with pytest.raises(UserError, match="no longer here"):
        own.find("own-0-A")


def test_what_exceeds_the_limit_alone_is_refused():
    with pytest.raises(UserError, match="Upload fewer rows"):
        OwnSeries().add([series("A", 1000)])


def test_a_file_is_kept_to_be_read_again_as_long_as_there_is_room():
    own, key = OwnSeries().add([series("A", 50), series("B", 50)], b"date,close" * 100)
    assert own.read_file(key) == b"date,close" * 100
    assert own.nbytes < 2000  # once for both
    large = np.random.default_rng(0).bytes(3900)
    own, key = own.add([series("C", 50)], large)
    assert own.read_file(key) is None
    assert own.find(key).name == "C"
