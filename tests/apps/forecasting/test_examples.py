import numpy as np
import pytest

from apps.forecasting.examples import EXAMPLES, example
from apps.forecasting.series import MIN_PRICES


@pytest.mark.parametrize("key", EXAMPLES)
def test_every_example_can_be_forecast(key):
    series = example(key)
    assert len(series) >= MIN_PRICES
    assert (series.close > 0).all()
    assert (np.diff(series.dates) > np.timedelta64(0)).all()
    assert series.source
