import numpy as np
import pytest

from apps.forecasting import backtest_views
from apps.forecasting.examples import example, simulated
from apps.forecasting.features import HORIZONS, LEVELS, NAMES
from apps.forecasting.leakage import leakage
from apps.forecasting.model import ForecastNetwork
from apps.forecasting.predictor import (
    BASELINES,
    WINDOW,
    Predictor,
    default_origins,
)
from apps.forecasting.series import MIN_PRICES, future_dates
from shared import bundle
from shared.errors import UserError

pytestmark = pytest.mark.slow


def build(cell="lstm"):
    """A network with random weights, so that every day's features matter to the answer."""
    network = ForecastNetwork(cell, units=6, width=8, dropout=0.0, seed=0)
    network.build((None, None, len(NAMES)))
    rng = np.random.default_rng(0)
    network.head.kernel.assign(0.3 * rng.standard_normal(network.head.kernel.shape))
    return network


@pytest.fixture(scope="module")
def predictor():
    return Predictor(build())


@pytest.fixture(scope="module")
def series():
    return example("sp500").cut(-700, None)


def test_a_forecast_has_what_the_page_draws(predictor, series):
    forecast = predictor.forecast(series, 10)
    assert forecast.quantiles.shape == (10, len(LEVELS))
    assert (np.diff(forecast.quantiles, axis=1) >= 0).all()
    assert forecast.dates.shape == forecast.actual.shape == (10,)
    assert forecast.dates[0] > forecast.origin == series.dates[-1]
    assert np.isnan(forecast.actual).all()
    assert forecast.last == series.close[-1]
    low, high = forecast.interval(80)
    assert (low < forecast.median).all() and (forecast.median < high).all()
    assert 0 <= forecast.probability_up() <= 1


def test_the_horizon_acts(predictor, series):
    short, long = predictor.forecast(series, 3), predictor.forecast(series, 20)
    np.testing.assert_allclose(short.quantiles, long.quantiles[:3])
    for horizon in (0, 21):
        with pytest.raises(ValueError, match="horizon"):
            predictor.forecast(series, horizon)


def test_a_list_gives_what_each_alone_gives(predictor, series):
    other = simulated("garch", 300)
    both = predictor.forecast([series, other])
    alone = predictor.forecast(other)
    np.testing.assert_allclose(both[1].quantiles, alone.quantiles, rtol=1e-6)


def test_a_changed_or_shuffled_future_cannot_change_a_past_forecast(predictor, series):
    origin = 400
    before = predictor.forecast(series, origin=origin)
    close = series.close.copy()
    close[origin + 1 :] = np.random.default_rng(0).permutation(close[origin + 1 :]) * 2
    changed = series.__class__(series.name, series.dates, close, series.open, None, None)
    plain = series.__class__(series.name, series.dates, series.close, series.open, None, None)
    np.testing.assert_array_equal(
        predictor.forecast(changed, origin=origin).quantiles,
        predictor.forecast(plain, origin=origin).quantiles,
    )
    cut = predictor.forecast(series.cut(0, origin + 1))
    np.testing.assert_allclose(cut.quantiles, before.quantiles, rtol=1e-6)
    np.testing.assert_allclose(before.actual, series.close[origin + 1 : origin + 21])


def test_many_origins_at_once_equal_one_at_a_time(predictor, series):
    origins = np.array([MIN_PRICES - 1, 90, 300, 699])
    together = predictor.quantiles(series, origins)
    for place, origin in enumerate(origins):
        alone = predictor.quantiles(series, [origin])[0]
        np.testing.assert_allclose(together[place], alone, rtol=1e-4, atol=1e-6)


def test_closes_alone_are_enough(predictor, series):
    bare = series.__class__(series.name, series.dates, series.close)
    assert np.isfinite(predictor.forecast(bare).quantiles).all()


def test_calibration_widens_around_the_median(series):
    network = build()
    plain = Predictor(network).quantiles(series, [600])[0]
    wide = Predictor(network, np.full(HORIZONS, 1.5)).quantiles(series, [600])[0]
    middle = plain[:, len(LEVELS) // 2 : len(LEVELS) // 2 + 1]
    np.testing.assert_allclose(wide - middle, 1.5 * (plain - middle), rtol=1e-5, atol=1e-9)


def test_short_series_are_refused_with_the_number_that_is_needed(predictor, series):
    with pytest.raises(UserError, match=f"at least {MIN_PRICES}"):
        predictor.forecast(series.cut(0, 10))
    with pytest.raises(UserError, match=f"at least {MIN_PRICES}"):
        predictor.forecast(series, origin=30)
    with pytest.raises(UserError, match="backtest"):
        predictor.backtest(series.cut(0, 70))
    with pytest.raises(UserError, match="200"):
        leakage(series.cut(0, 100))
    assert len(predictor.forecast(series.cut(0, MIN_PRICES)).notes) == 1


def test_baseline_fans_start_from_the_same_origin(predictor, series):
    fans = predictor.fans(series, 5, names=tuple(BASELINES))
    assert set(fans) == set(BASELINES)
    for name, fan in fans.items():
        assert fan.model == name
        assert fan.origin == series.dates[-1]
        assert fan.quantiles.shape == (5, len(LEVELS))


def test_a_backtest_scores_every_model_on_the_same_origins(predictor, series):
    backtest = predictor.backtest(series, 40, 10)
    assert [score.name for score in backtest.scores] == ["lstm", *BASELINES]
    assert backtest.origins.shape == backtest.dates.shape == backtest.actual.shape == (40,)
    np.testing.assert_array_equal(backtest.actual, series.close[-40:])
    assert (backtest.dates > backtest.origins).all()
    for score in backtest.scores:
        assert np.isfinite(score.metrics["pinball"])
        assert 0 <= score.metrics["coverage_80"] <= 1
        assert backtest.fans[score.name].shape == (40, len(LEVELS))
        assert backtest.pinball_by_horizon[score.name].shape == (10,)
        mean = backtest.pinball_by_horizon[score.name].mean()
        assert score.metrics["pinball"] == pytest.approx(mean)
    assert backtest.scores[0].p_value is None
    assert np.isnan(next(s for s in backtest.scores if s.name == "naive").metrics["direction"])
    verdict = backtest_views.describe_backtest(backtest)
    for word in ("pinball", "naive", "GARCH", "80 %", "point forecast"):
        assert word in verdict


def test_backtests_react_to_their_knobs(predictor, series):
    few = predictor.backtest(series, 20, 5, names=("naive",))
    many = predictor.backtest(series, 60, 5, names=("naive", "ewma"))
    assert (len(few.origins), len(many.origins)) == (20, 60)
    assert (len(few.scores), len(many.scores)) == (2, 3)
    assert any("Only" in note for note in predictor.backtest(series, 5000, 5, ("naive",)).notes)


def test_the_one_step_line_hugs_the_price_and_is_yesterdays(predictor, series):
    illusion = predictor.one_step(series, 100, 10)
    assert illusion.dates.shape == illusion.actual.shape == illusion.one_step.shape == (100,)
    np.testing.assert_array_equal(illusion.shifted[1:], illusion.actual[:-1])
    assert illusion.level_correlation > 0.8 > abs(illusion.change_correlation)
    assert illusion.forecast.quantiles.shape == (10, len(LEVELS))
    np.testing.assert_array_equal(illusion.forecast.actual, series.close[-10:])


def test_leaks_show_skill_on_a_random_walk():
    scaling, split = leakage(simulated("walk", 1500))
    assert scaling.with_leak > 0.55
    assert split.with_leak > 0.65
    for leak in (scaling, split):
        assert leak.with_leak > leak.honest + 0.05


def test_traces_show_every_day_of_the_window(predictor, series):
    dates, traced = predictor.trace(series)
    assert dates.shape == (WINDOW,)
    assert dates[-1] == series.dates[-1]
    assert set(traced) == {"input", "forget", "candidate", "output", "cell", "hidden"}
    assert all(values.shape == (WINDOW, 6) for values in traced.values())


def test_a_large_move_yesterday_matters_more_than_a_small_one_long_ago(series):
    shocked = series.close.copy()
    shocked[-1] *= 0.9
    network = ForecastNetwork("gru", units=4, width=4, seed=0)
    network.build((None, None, len(NAMES)))
    bare = series.__class__("shock", series.dates, shocked)
    influence = Predictor(network).influence(bare, 5, days=30)
    assert influence.effects.shape == influence.dates.shape == (30,)
    assert influence.returns[-1] == pytest.approx(np.log(shocked[-1] / shocked[-2]))
    assert influence.effects.argmax() == 29
    assert influence.effects[-1] > 0.1


def days(first, last, *weekdays):
    dates = np.arange(first, last, dtype="datetime64[D]")
    return dates[np.isin((dates.astype(int) + 3) % 7, weekdays)]  # 0 is a Monday


def months(first, last):
    return np.arange(first, last, dtype="datetime64[M]").astype("datetime64[D]")


@pytest.mark.parametrize(
    ("dates", "count", "expected"),
    [
        (days("2024-01-01", "2024-06-01", 0, 1, 2, 3, 4), 2, "2024-06-04"),
        (days("2024-01-01", "2024-06-01", *range(7)), 1, "2024-06-01"),
        (days("2023-01-01", "2023-10-27", 6, 0, 1, 2, 3), 20, "2023-11-23"),
        (days("2024-01-01", "2024-06-03", 0), 2, "2024-06-10"),
        (months("2020-01", "2024-02"), 2, "2024-03-01"),
        (months("2020-02", "2024-02") - 1, 1, "2024-01-31"),
    ],
    ids=["weekdays", "every day", "Sunday to Thursday", "Mondays", "months", "ends of months"],
)
def test_the_sessions_ahead_follow_the_rhythm_of_the_series(dates, count, expected):
    assert str(future_dates(dates, count)[-1]) == expected


def test_one_session_on_a_holiday_does_not_open_the_weekend():
    dates = np.append(days("2024-01-01", "2024-06-01", 0, 1, 2, 3, 4), np.datetime64("2024-06-01"))
    assert str(future_dates(dates, 1)[0]) == "2024-06-03"


def test_default_origins_have_a_future():
    at = default_origins(200, 50, 20)
    assert (at[0], at[-1], len(at)) == (130, 179, 50)
    assert default_origins(90, 50, 20)[0] == MIN_PRICES - 1


def test_a_bundle_gives_back_what_was_saved(tmp_path, series):
    network = build("gru")
    bundle.save_arrays(tmp_path / "gru.safetensors", bundle.get_weights(network))
    details = {"network": network.options, "calibration": [1.1] * HORIZONS}
    card = dict.fromkeys(bundle.CARD_KEYS, "") | {"variants": {"gru": details}}
    bundle.write_card(tmp_path, {**card, "validated_until": "2018-06-01"})
    loaded = Predictor.load("gru", tmp_path)
    assert loaded is Predictor.load("gru", tmp_path)
    direct = Predictor(network, [1.1] * HORIZONS).quantiles(series, [500])
    np.testing.assert_allclose(loaded.quantiles(series, [500]), direct, rtol=2e-2, atol=1e-4)
    assert any("2018-06-01" in note for note in loaded.forecast(series, origin=300).notes)
    with pytest.raises(bundle.BundleError, match="lstm"):
        Predictor.load("lstm", tmp_path)
    with pytest.raises(ValueError, match="variant"):
        Predictor.load("transformer", tmp_path)
