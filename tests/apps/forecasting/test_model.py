from statistics import NormalDist

import numpy as np
import pytest

from apps.forecasting.features import HORIZONS, LEVELS, NAMES, features, future_returns
from apps.forecasting.model import CELLS, ForecastNetwork, Pinball

pytestmark = pytest.mark.slow


def made(cell="gru", seed=0):
    network = ForecastNetwork(cell, units=6, width=8, dropout=0.0, seed=seed)
    network.build((None, None, len(NAMES)))
    return network


def wild(network, size=3.0, seed=0):
    """Give the last layer large random weights."""
    random = np.random.default_rng(seed)
    shape = network.head.kernel.shape
    network.head.kernel.assign(size * random.standard_normal(shape))
    network.head.bias.assign(size * random.standard_normal(shape[1]))
    return network


def walk(days=300, seed=0, spread=0.01):
    returns = spread * np.random.default_rng(seed).standard_normal(days)
    return 100 * np.exp(np.cumsum(returns))


@pytest.mark.parametrize("cell", CELLS)
def test_an_untrained_network_is_a_random_walk_with_normal_quantiles(cell):
    rows = np.random.default_rng(0).standard_normal((2, 7, len(NAMES))).astype("float32")
    quantiles = np.asarray(made(cell)(rows))
    assert quantiles.shape == (2, 7, HORIZONS, len(LEVELS))
    normal = [NormalDist().inv_cdf(level) for level in LEVELS]
    np.testing.assert_allclose(quantiles, np.broadcast_to(normal, quantiles.shape), atol=1e-4)


@pytest.mark.parametrize("size", [1.0, 30.0])
def test_quantiles_never_cross_whatever_the_weights_and_inputs(size):
    rows = 100 * np.random.default_rng(1).standard_normal((4, 20, len(NAMES))).astype("float32")
    quantiles = np.asarray(wild(made(), size)(rows))
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=-1) >= 0).all()


def test_the_answer_after_the_last_day_is_the_running_answer_there():
    network = wild(made())
    rows = np.random.default_rng(2).standard_normal((2, 9, len(NAMES))).astype("float32")
    mask = np.arange(9) < np.array([[9], [5]])
    running = np.asarray(network(rows))
    last = np.asarray(network.last(rows, mask))
    np.testing.assert_allclose(last, [running[0, 8], running[1, 4]], rtol=1e-4, atol=1e-4)


def test_every_thins_the_running_answer():
    network = wild(made())
    rows = np.random.default_rng(3).standard_normal((1, 9, len(NAMES))).astype("float32")
    full = np.asarray(network(rows))
    network.every = 4
    np.testing.assert_allclose(np.asarray(network(rows)), full[:, ::4], rtol=1e-5, atol=1e-5)


def test_pinball_is_the_number_worked_out_by_hand():
    prediction = np.zeros((1, 1, 2, len(LEVELS)), "float32")
    # Above by 1 costs the level, below by 1 one minus it; both average 0.5 over 0.05 … 0.95.
    loss = Pinball()(np.array([[[1.0, -1.0]]], "float32"), prediction)
    assert float(loss) == pytest.approx(0.5)
    # A day without a target does not count.
    loss = Pinball()(np.array([[[1.0, np.nan]]], "float32"), prediction)
    assert float(loss) == pytest.approx(0.5)


def test_an_unknown_cell_is_refused():
    with pytest.raises(ValueError, match="cell"):
        ForecastNetwork("transformer")


def test_config_round_trips():
    network = made()
    assert ForecastNetwork.from_config(network.get_config()).options == network.options


def test_features_use_no_future():
    close = walk()
    ranges = {"open": close * 0.999, "high": close * 1.01, "low": close * 0.99}
    whole = features(close, **ranges)
    for day in (25, 100, 250):
        changed = close.copy()
        changed[day + 1 :] = np.random.default_rng(5).permutation(close[day + 1 :]) * 3
        other = {name: values.copy() for name, values in ranges.items()}
        for values in other.values():
            values[day + 1 :] *= 7
        again = features(changed, **other)
        np.testing.assert_array_equal(whole.rows[: day + 1], again.rows[: day + 1])
        np.testing.assert_array_equal(whole.scale[: day + 1], again.scale[: day + 1])


def test_features_do_not_depend_on_the_unit_of_the_price():
    close = walk()
    cheap, dear = features(close), features(1000 * close)
    np.testing.assert_allclose(cheap.rows, dear.rows, atol=1e-4)


def test_features_are_finite_for_odd_prices():
    for close in (np.full(80, 5.0), np.array([1e-6, 1e6] * 40), walk(80, spread=1e-9)):
        made = features(close)
        assert np.isfinite(made.rows).all()
        assert (made.scale > 0).all()
    close = walk(80)
    holes = np.where(np.arange(80) % 3, close, np.nan)
    assert np.isfinite(features(close, holes, holes * 1.1, holes * 0.9).rows).all()


def test_trailing_volatility_is_the_weighted_mean_worked_out_by_hand():
    # Returns 0, 0.1, 0.2, the first not counted; weights 0.94 and 1.
    close = np.exp(np.cumsum([0.0, 0.1, 0.2]))
    scale = features(close).scale
    assert scale[1] == pytest.approx(0.1)
    assert scale[2] == pytest.approx(np.sqrt((0.94 * 0.01 + 0.04) / 1.94))


def test_future_returns_are_cumulative_and_unknown_past_the_end():
    ahead = future_returns(np.exp([0.0, 1.0, 3.0]), horizons=2)
    np.testing.assert_allclose(ahead, [[1, 3], [2, np.nan], [np.nan, np.nan]])
