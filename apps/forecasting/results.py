"""What a `Predictor` answers with."""

from dataclasses import dataclass

import numpy as np

from apps.forecasting import scores


@dataclass(frozen=True, eq=False)
class Forecast:
    """A fan of prices from one origin.

    Attributes:
        name: The series.
        model: `"lstm"`, `"gru"`, `"rnn"`, or a baseline's name.
        origin: The last day known, `datetime64[D]`.
        last: Its closing price.
        dates: Array `(horizon,)` of the days ahead; where the series goes on, its own.
        levels: Tuple of the quantiles' levels, 0.05 … 0.95.
        quantiles: Prices `(horizon, levels)`.
        actual: The prices that followed, `(horizon,)`, NaN where they are not known.
        source: Where the series comes from.
        notes: Sentences the reader should know.
    """

    name: str
    model: str
    origin: np.datetime64
    last: float
    dates: np.ndarray
    levels: tuple[float, ...]
    quantiles: np.ndarray
    actual: np.ndarray
    source: str
    notes: tuple[str, ...]

    @property
    def median(self):
        """The middle of the fan, `(horizon,)`."""
        return self.quantiles[:, scores.MIDDLE]

    def interval(self, percent):
        """Lower and upper end of the central interval, 10 to 90 % in tens: two `(horizon,)`."""
        return scores.interval_ends(self.quantiles, percent)

    def probability_up(self):
        """Chance that the price on the last day ahead is above the last known one."""
        return 1 - float(np.interp(self.last, self.quantiles[-1], self.levels, 0.0, 1.0))


@dataclass(frozen=True)
class Score:
    """One model's row in a backtest.

    Attributes:
        name: Of the model; the network's is its cell.
        metrics: Dict with `pinball`, `crps`, `mase`, `coverage_50/_80/_90`, `width_50/_80/_90`,
            `direction`, `direction_low`, `direction_high` (NaN where the forecast has none), and
            `always_up`, the share of outcomes above the last price.
        p_value: Two-sided p-value of the Diebold–Mariano test of its pinball loss against the
            network's; None for the network itself.
        point_p_value: That of the medians' absolute errors.
    """

    name: str
    metrics: dict
    p_value: float | None
    point_p_value: float | None = None


@dataclass(frozen=True, eq=False)
class Backtest:
    """What each model would have forecast, day after day, and how that came out.

    Attributes:
        name: The series.
        cell: The network's cell.
        horizon: Days ahead; scores are over all horizons up to it.
        scores: Tuple of `Score`, the network first.
        origins: Array `(origins,)` of dates.
        dates: Array `(origins,)`, the day `horizon` days after each origin.
        actual: Closing prices on these, `(origins,)`.
        fans: Dict from model to price quantiles at `horizon`, `(origins, levels)`.
        pinball_by_horizon: Dict from model to `(horizon,)`.
        coverage_by_horizon: Dict from model to the coverage of the 80 % interval, `(horizon,)`.
        notes: Sentences the reader should know.
    """

    name: str
    cell: str
    horizon: int
    scores: tuple[Score, ...]
    origins: np.ndarray
    dates: np.ndarray
    actual: np.ndarray
    fans: dict
    pinball_by_horizon: dict
    coverage_by_horizon: dict
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Illusion:
    """The one-step line that hugs the price, beside a forecast made on one day.

    Attributes:
        dates, actual: Days shown and their prices, `(days,)`.
        one_step: Each day's median as forecast the day before, `(days,)`.
        shifted: Yesterday's price, `(days,)`: the same line, without a network.
        forecast: The `Forecast` from one origin, `horizon` days before the end.
        level_correlation: Of the one-step line with the price: near 1, and meaningless.
        change_correlation: Of the changes it forecasts with the changes that came: near 0.
        mean_move: Mean size of the log-returns that it forecasts.
    """

    dates: np.ndarray
    actual: np.ndarray
    one_step: np.ndarray
    shifted: np.ndarray
    forecast: Forecast
    level_correlation: float
    change_correlation: float
    mean_move: float


@dataclass(frozen=True)
class Leak:
    """The directional accuracy of a rule, as a mistake measures it and as it is.

    Attributes:
        mistake: `"scaling"` or `"split"`.
        with_leak: The accuracy that the mistake shows.
        honest: The accuracy of the same rule without it.
    """

    mistake: str
    with_leak: float
    honest: float


@dataclass(frozen=True, eq=False)
class Influence:
    """How much each of the last days' moves widens the interval.

    Attributes:
        dates, returns: The days and their log-returns, `(days,)`.
        effects: Log of the 80 % interval's width at the horizon as it is, over what it would be
            had the price stood still that day, `(days,)`: 0.1 is about 10 % wider.
        horizon: Days ahead.
    """

    dates: np.ndarray
    returns: np.ndarray
    effects: np.ndarray
    horizon: int
