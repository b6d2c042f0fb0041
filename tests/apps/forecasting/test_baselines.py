import numpy as np
import pytest
from arch import arch_model

from apps.forecasting import baselines
from apps.forecasting.examples import simulated
from apps.forecasting.features import HORIZONS, LEVELS

NAMES = ("naive", "drift", "seasonal", "ewma", "garch")


@pytest.fixture(scope="module")
def close():
    return simulated("garch", 700).close


@pytest.mark.parametrize("name", NAMES)
def test_a_baseline_sees_no_future(name, close):
    baseline = getattr(baselines, name)
    origins = np.array([300, 305, 340])
    before = baseline(close, origins)
    changed = close.copy()
    changed[341:] = changed[341:][::-1] * 2
    np.testing.assert_array_equal(baseline(changed, origins), before)
    assert before.shape == (3, HORIZONS, len(LEVELS))
    assert (np.diff(before, axis=-1) > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_baseline_copes_with_a_price_that_stands_still(name):
    quantiles = getattr(baselines, name)(np.full(150, 7.0), np.array([100, 140]))
    assert np.isfinite(quantiles).all()


def test_the_widths_of_naive_intervals_by_hand():
    close = np.exp(np.cumsum(np.where(np.arange(400) % 2, 0.01, -0.01)))
    quantiles = baselines.naive(close, np.array([399]))[0]
    half = quantiles[:, LEVELS.index(0.95)]
    np.testing.assert_allclose(half, 1.6449 * 0.01 * np.sqrt(np.arange(1, 21)), rtol=1e-3)


def test_the_seasonal_forecast_repeats_the_week():
    close = np.tile([1.0, 2.0, 3.0, 4.0, 5.0], 30)
    middle = baselines.seasonal(close, np.array([149]))[0, :, len(LEVELS) // 2]
    np.testing.assert_allclose(5 * np.exp(middle[:6]), [1, 2, 3, 4, 5, 1])


def test_the_drift_is_the_mean_return_of_a_year():
    close = np.exp(0.001 * np.arange(400))
    middle = baselines.drift(close, np.array([399]))[0, :, len(LEVELS) // 2]
    np.testing.assert_allclose(middle, 0.001 * np.arange(1, 21))


def test_the_garch_filter_and_path_are_those_of_arch(close):
    returns = 100 * np.diff(np.log(close))
    model = arch_model(returns, mean="Zero", vol="GARCH", p=1, q=1, rescale=False)
    parameters = np.array([0.05, 0.09, 0.88])
    fixed = model.fix(parameters)
    start = fixed.conditional_volatility[0] ** 2
    past = (start - 0.05) / (0.09 + 0.88)
    mine = baselines.garch_filter(returns, *parameters, past)
    np.testing.assert_allclose(np.sqrt(mine[:-1]), fixed.conditional_volatility, rtol=1e-6)
    ahead = fixed.forecast(horizon=HORIZONS).variance.to_numpy()[-1]
    np.testing.assert_allclose(baselines.garch_path(mine[-1:], *parameters)[0], ahead, rtol=1e-6)


def test_garch_finds_the_parameters_that_made_the_series():
    close = simulated("garch", 3000).close
    constant, alpha, beta, _ = baselines.fit_garch(np.diff(np.log(close)))
    assert alpha == pytest.approx(0.10, abs=0.04)
    assert beta == pytest.approx(0.88, abs=0.06)
    assert constant / (1 - alpha - beta) == pytest.approx(1e-4, rel=0.5)


def test_rolling_garch_between_refits_equals_a_filter_with_the_old_parameters(close):
    fits = baselines.garch_fits(close, [400, 405], refit=20)
    assert list(fits) == [400]
    both = baselines.garch(close, np.array([400, 405]), fits=fits)
    later = baselines.garch(close, np.array([405]), fits=fits)
    np.testing.assert_allclose(both[1], later[0], rtol=1e-9)


def test_short_series_fall_back_on_riskmetrics(close):
    origins = np.array([80])
    np.testing.assert_array_equal(baselines.garch(close, origins), baselines.ewma(close, origins))


@pytest.mark.parametrize("name", ["ets", "arima"])
def test_statsmodels_baselines_give_ordered_quantiles_near_the_last_price(name, close):
    quantiles = getattr(baselines, name)(close, np.array([300]))
    assert quantiles.shape == (1, HORIZONS, len(LEVELS))
    assert (np.diff(quantiles, axis=-1) > 0).all()
    assert np.abs(quantiles).max() < 1
