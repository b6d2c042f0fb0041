import re
from statistics import NormalDist

import numpy as np
import pytest

from apps.forecasting import analysis, backtest_views, scores, views
from apps.forecasting.examples import simulated
from apps.forecasting.features import LEVELS
from shared import bundle

DAYS = np.array(["2024-01-01", "2024-01-02", "2024-01-03"], "datetime64[D]")


def flat(value, origins=1, horizons=1):
    return np.full((origins, horizons, len(LEVELS)), float(value))


def ladder(origins=1, horizons=1):
    """Quantiles equal to their levels."""
    return np.broadcast_to(np.array(LEVELS), (origins, horizons, len(LEVELS)))


def test_pinball_by_hand():
    # Outcome 0.5 on quantiles 0.05 … 0.95: mean of level × (0.5 − level) below, and so above.
    levels = np.array(LEVELS)
    by_hand = np.where(levels < 0.5, levels * (0.5 - levels), (1 - levels) * (levels - 0.5)).mean()
    assert scores.pinball(np.array([[0.5]]), ladder()).item() == pytest.approx(by_hand)
    assert scores.pinball(np.array([[1.0]]), flat(0)).item() == pytest.approx(0.5)


def test_crps_of_a_point_forecast_is_its_absolute_error():
    assert scores.WEIGHTS.sum() == pytest.approx(1)
    assert scores.crps(np.array([[3.0]]), flat(1)).item() == pytest.approx(2)


def test_crps_of_a_uniform_distribution_is_near_the_formula():
    # For the uniform distribution on 0 … 1 and an outcome of 0.5 it is 1/12.
    assert scores.crps(np.array([[0.5]]), ladder()).item() == pytest.approx(1 / 12, rel=0.02)


def test_coverage_by_hand():
    actual = np.array([[0.5, 0.08, 0.97, np.nan]])
    quantiles = ladder(1, 4)
    np.testing.assert_array_equal(scores.covered(actual, quantiles, 50), [[1, 0, 0, np.nan]])
    np.testing.assert_array_equal(scores.covered(actual, quantiles, 80), [[1, 0, 0, np.nan]])
    np.testing.assert_array_equal(scores.covered(actual, quantiles, 90), [[1, 1, 0, np.nan]])


def test_the_naive_forecast_on_its_own_past_has_a_mase_of_one():
    close = np.exp(np.cumsum(np.random.default_rng(0).standard_normal(50)))
    scale = scores.naive_scale(close, 1)
    actual = np.diff(np.log(close))[:, None]
    errors = scores.absolute_scaled_error(actual, flat(0, len(actual)), scale)
    assert errors.mean() == pytest.approx(1)


def test_hits_leave_out_what_has_no_direction():
    actual = np.array([[0.1], [-0.1], [0.0], [np.nan]])
    np.testing.assert_array_equal(scores.hits(actual, flat(1, 4))[:, 0], [1, 0, np.nan, np.nan])
    assert np.isnan(scores.hits(actual, flat(0, 4))).all()


def test_long_run_variance_by_hand():
    values = np.array([1.0, -1.0, 1.0, -1.0])
    assert scores.long_run_variance(values, 0) == pytest.approx(1 / 4)
    # One lag, weight 1/2: 1 + 2 · 1/2 · (−3/4) = 1/4, over 4.
    assert scores.long_run_variance(values, 1) == pytest.approx(1 / 16)


def test_diebold_mariano_by_hand():
    # Differences −1, −3, −2, −2: mean −2, variance 1/2, over 4: −2 / √(1/8).
    statistic, p_value = scores.diebold_mariano(np.zeros(4), np.array([1, 3, 2, 2]), 0)
    assert statistic == pytest.approx(-2 / np.sqrt(1 / 8))
    assert p_value == pytest.approx(1.54e-8, rel=0.01)
    assert scores.diebold_mariano(np.ones(4), np.ones(4), 2) == (0.0, 1.0)


def test_the_p_of_diebold_mariano_is_two_sided_and_described_so():
    losses, others = np.zeros(4), np.array([1, 3, 2, -2])
    (one, p_value), (other, same) = (
        scores.diebold_mariano(losses, others, 0),
        scores.diebold_mariano(others, losses, 0),
    )
    assert one == -other and p_value == same == pytest.approx(2 * NormalDist().cdf(one))
    card = bundle.read_card(bundle.MODELS / "forecasting")
    series = simulated("walk", 150)
    backtest = analysis.backtest("lstm", series, 5, 20)
    for html in (views.draw_model_scores(card), backtest_views.draw_backtest(backtest, "day")[2]):
        assert re.search("two-sided p-values? of", html)


def test_diebold_mariano_is_rarely_sure_of_equal_forecasts():
    random = np.random.default_rng(0)
    sure = [
        scores.diebold_mariano(random.random(200), random.random(200), 5)[1] < 0.05
        for _ in range(200)
    ]
    assert np.mean(sure) < 0.12


def test_a_tally_pools_series_and_counts_a_day_once():
    tally = scores.Tally(DAYS)
    tally.add(DAYS[:2], {"pinball": np.array([[1.0, 3.0], [5.0, np.nan]])})
    tally.add(DAYS[1:], {"pinball": np.array([[7.0, 9.0], [2.0, 2.0]])})
    np.testing.assert_allclose(tally.daily("pinball"), [2, 7, 2])
    np.testing.assert_allclose(tally.by_horizon("pinball"), [15 / 4, 14 / 3])
    assert tally.daily("pinball", slice(0, 1)).tolist() == [1, 6, 2]
    both = scores.Tally(DAYS)
    both.merge(tally)
    both.merge(tally)
    np.testing.assert_allclose(both.daily("pinball"), tally.daily("pinball"))


def test_a_summary_has_the_keys_that_json_promises():
    tally = scores.Tally(DAYS)
    actual = np.array([[0.3], [0.6], [0.9]])
    tally.add(DAYS, scores.measure(actual, ladder(3), np.ones(1)))
    summary = tally.summary(1)
    keys = {"pinball", "crps", "mase", "direction", "direction_low", "direction_high"}
    keys |= {"always_up"}
    keys |= {f"{kind}_{percent}" for kind in ("coverage", "width") for percent in (50, 80, 90)}
    assert set(summary) == keys
    assert summary["coverage_50"] == pytest.approx(2 / 3)
    assert summary["width_80"] == pytest.approx(0.8)
    assert summary["direction"] == summary["always_up"] == 1
