"""From a series to its fan: quantiles of the price ahead, baselines, backtest and a look inside."""

from dataclasses import dataclass

import numpy as np

from apps.forecasting import baselines, scores
from apps.forecasting.features import HORIZONS, LEVELS, NAMES, WARM_UP, features, future_returns
from apps.forecasting.model import CELLS, ForecastNetwork
from apps.forecasting.series import MIN_PRICES, Series
from shared import bundle
from shared.compiled import Compiled
from shared.errors import UserError
from shared.plots import percent

FOLDER = bundle.MODELS / "forecasting"
WINDOW = 128  # days the network reads before each origin
BATCH = 256  # origins answered at once, one compiled graph
MIDDLE = scores.MIDDLE
STEPS = np.arange(1, HORIZONS + 1)
TITLES = {
    "naive": "Last price, volatility of the last year",
    "drift": "Drift of the last year",
    "seasonal": "Same weekday a week before",
    "ewma": "Last price, RiskMetrics volatility",
    "garch": "GARCH(1,1)",
}
PLAIN = {"naive": "the naive forecast’s", "ewma": "RiskMetrics’", "garch": "GARCH’s"}
QUICK = {name: getattr(baselines, name) for name in TITLES}


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
        actual: What came, `(horizon,)`, NaN where it is not known.
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
        return self.quantiles[:, MIDDLE]

    def interval(self, percent):
        """Lower and upper end of the central interval of 50, 80 or 90 %: two `(horizon,)`."""
        return scores.interval(self.quantiles, percent)

    def probability_up(self):
        """Chance that the price on the last day ahead is above the last known one."""
        return 1 - float(np.interp(self.last, self.quantiles[-1], self.levels, 0.0, 1.0))


@dataclass(frozen=True)
class Score:
    """One model's row in a backtest.

    Attributes:
        name, title: Of the model; the network's name is its cell.
        metrics: Dict with `pinball`, `crps`, `mase`, `coverage_50/_80/_90`, `width_50/_80/_90`,
            `direction`, `direction_low`, `direction_high` (NaN where the forecast has none), and
            `always_up`, the share of outcomes above the last price.
        p_value: Two-sided p-value of the Diebold–Mariano test of its pinball loss against the
            network's; None for the network itself.
        point_p_value: That of the medians' absolute errors.
    """

    name: str
    title: str
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
        verdict: Sentences that say what the table says.
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
    verdict: str
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
        text: Sentences that say so.
    """

    dates: np.ndarray
    actual: np.ndarray
    one_step: np.ndarray
    shifted: np.ndarray
    forecast: Forecast
    level_correlation: float
    change_correlation: float
    text: str


@dataclass(frozen=True)
class Leak:
    """A mistake, the directional accuracy it pretends, and the honest one of the same rule."""

    name: str
    how: str
    pretended: float
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


def future_dates(dates, count):
    """The `count` sessions after the last date: `datetime64[D]`, in the rhythm of the series.

    A daily series goes on with the weekdays on which it trades, a monthly one with the same day
    of the month (the last one, if it ends with it), any other in steps of its usual length.
    """
    recent = dates[-250:]
    step = int(np.median(np.diff(recent).astype(int))) if len(recent) > 1 else 1
    if step <= 1:
        sessions = np.bincount(_weekday(recent), minlength=7)
        open_days = np.flatnonzero(sessions >= sessions.max() / 4)
        days = dates[-1] + np.arange(1, 7 * count + 1)
        return days[np.isin(_weekday(days), open_days)][:count]
    months = {28 <= step <= 31: 1, 89 <= step <= 92: 3}.get(True)
    if not months:
        return dates[-1] + step * np.arange(1, count + 1)
    last = dates[-1].astype("datetime64[M]")
    firsts = last + months * np.arange(1, count + 1)
    ends = (firsts + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
    if dates[-1] + 1 == (last + 1).astype("datetime64[D]"):
        return ends
    return np.minimum(
        firsts.astype("datetime64[D]") + (dates[-1] - last.astype("datetime64[D]")), ends
    )


def _weekday(dates):
    return (dates.astype(int) + 3) % 7  # 1970-01-01 was a Thursday; 0 is a Monday


def default_origins(length, count, horizon=HORIZONS):
    """Positions of the last `count` days that have a past to read and `horizon` days after them."""
    last = length - horizon
    return np.arange(max(MIN_PRICES - 1, last - count), last)


def windows(rows, origins):
    """The days that the network reads before each origin, padded on the right.

    Args:
        rows: Array `(days, features)`.
        origins: Positions in it.

    Returns:
        Array `(origins, WINDOW, features)` and a mask `(origins, WINDOW)`.
    """
    parts = np.zeros((len(origins), WINDOW, rows.shape[1]), "float32")
    mask = np.zeros((len(origins), WINDOW), bool)
    for place, origin in enumerate(origins):
        first = max(WARM_UP, origin + 1 - WINDOW)
        parts[place, : origin + 1 - first] = rows[first : origin + 1]
        mask[place, : origin + 1 - first] = True
    return parts, mask


class Predictor:
    """A trained network with one of the cells.

    Load with `Predictor.load(variant)`; safe to use from several threads.
    """

    def __init__(self, network, calibration=None, card=None):
        self.network = network
        self.cell = network.options["cell"]
        self.calibration = np.ones(HORIZONS) if calibration is None else np.asarray(calibration)
        self.card = card or {}
        self._last = Compiled(network.last)
        self._traced = Compiled(lambda rows: network.recurrent.trace(network.standardise(rows)))

    @classmethod
    def load(cls, variant="lstm", folder=None):
        """The network with a cell, read once per process.

        Args:
            variant: `"lstm"`, `"gru"` or `"rnn"`.
            folder: Path of a bundle; the shipped one if None.

        Raises:
            ValueError: if there is no such variant.
            BundleError: if its files are missing or damaged.
        """
        if variant not in CELLS:
            raise ValueError(f"`variant` must be one of {list(CELLS)}. Received: {variant!r}")
        return _load(variant, folder or FOLDER)

    def quantiles(self, series, origins):
        """Calibrated quantiles of the log-returns ahead.

        Args:
            series: A `Series`.
            origins: Positions in it; each forecast uses the days up to its origin only.

        Returns:
            Array `(origins, HORIZONS, levels)`.
        """
        made, origins = features(series.close, **series.ranges()), np.asarray(origins)
        return self.answer(*windows(made.rows, origins), made.scale[origins])

    def answer(self, rows, mask, scale):
        """The same from windows of features.

        Args:
            rows, mask: From `windows`.
            scale: Trailing volatility at each origin, `(origins,)`.
        """
        results = np.empty((len(rows), HORIZONS, len(LEVELS)))
        size = 1 if len(rows) == 1 else BATCH  # two compiled graphs
        for start in range(0, len(rows), size):
            part, known = rows[start : start + size], mask[start : start + size]
            if len(part) < size:
                missing = size - len(part)
                part = np.concatenate([part, np.repeat(part[:1], missing, axis=0)])
                known = np.concatenate([known, np.repeat(known[:1], missing, axis=0)])
            made = np.asarray(self._last(part, known))
            results[start : start + size] = made[: len(rows) - start]
        middle = results[..., MIDDLE : MIDDLE + 1]
        results = middle + (results - middle) * self.calibration[:, None]
        return results * (np.asarray(scale)[:, None] * np.sqrt(STEPS))[..., None]

    def forecast(self, series, horizon=HORIZONS, origin=None):
        """The fan of a series.

        Args:
            series: A `Series`, or a list of them.
            horizon: Days ahead, 1 … 20.
            origin: Position of the last day to know; negative from the end, the last if None.

        Returns:
            A `Forecast`, or a list in the order of the list given.

        Raises:
            UserError: if a series is too short before the origin.
        """
        if not isinstance(series, Series):
            return [self.forecast(one, horizon, origin) for one in series]
        at = _origin(series, origin)
        quantiles = self.quantiles(series, [at])[0]
        return _fan(series, at, quantiles, horizon, self.cell, self._notes(series, at))

    def fans(self, series, horizon=HORIZONS, origin=None, names=("naive", "ewma", "garch")):
        """The baselines' `Forecast`s from the same origin: a dict by name."""
        at = _origin(series, origin)
        return {
            name: _fan(series, at, QUICK[name](series.close, np.array([at]))[0], horizon, name, ())
            for name in names
        }

    def backtest(self, series, origins=250, horizon=HORIZONS, names=tuple(TITLES)):
        """Forecasts from each of the last days whose future is known, scored beside the baselines.

        Args:
            series: A `Series`.
            origins: How many days to start from, at most.
            horizon: Days ahead, 1 … 20.
            names: The baselines to run.

        Returns:
            A `Backtest`.

        Raises:
            UserError: if the series is too short.
        """
        horizon = _horizon(horizon)
        at = default_origins(len(series), origins, horizon)
        if len(at) < 10:
            raise UserError(
                f"{series.name} has {len(series)} prices; a backtest over {horizon} days needs "
                f"at least {MIN_PRICES + horizon + 9}."
            )
        made = {self.cell: self.quantiles(series, at)}
        made |= {name: QUICK[name](series.close, at) for name in names}
        actual = future_returns(series.close)[at]
        days = series.dates[at]
        part = slice(0, horizon)
        scale = np.maximum(scores.naive_scale(series.close[: at[0] + 1], HORIZONS), 1e-9)
        tallies = {}
        for name, quantiles in made.items():
            tallies[name] = scores.Tally(days)
            tallies[name].add(days, scores.measure(actual, quantiles, scale))
        mine = tallies[self.cell]

        def p_value(tally, name):
            daily = (one.daily(name, part) for one in (mine, tally))
            return None if tally is mine else scores.diebold_mariano(*daily, horizon)[1]

        rows = [
            Score(
                name,
                TITLES.get(name, f"{name.upper()} network"),
                tally.summary(horizon, part),
                p_value(tally, "pinball"),
                p_value(tally, "mase"),
            )
            for name, tally in tallies.items()
        ]
        start = series.close[at][:, None]
        notes = self._notes(series, at[0])
        if len(at) < origins:
            notes = (*notes, f"Only {len(at)} of {origins} start days have enough past and future.")
        return Backtest(
            name=series.name,
            cell=self.cell,
            horizon=horizon,
            scores=tuple(rows),
            verdict=verdict(rows, len(at)),
            origins=days,
            dates=series.dates[at + horizon],
            actual=series.close[at + horizon],
            fans={name: start * np.exp(q[:, horizon - 1]) for name, q in made.items()},
            pinball_by_horizon={
                name: tally.by_horizon("pinball")[part] for name, tally in tallies.items()
            },
            coverage_by_horizon={
                name: tally.by_horizon("coverage_80")[part] for name, tally in tallies.items()
            },
            notes=notes,
        )

    def one_step(self, series, days=120, horizon=HORIZONS):
        """The one-step illusion over the last `days` days: an `Illusion`."""
        horizon = _horizon(horizon)
        at = default_origins(len(series), days, 1)
        if len(at) < max(horizon, 10):
            raise UserError(f"{series.name} is too short: it needs {MIN_PRICES + horizon} prices.")
        medians = self.quantiles(series, at)[:, 0, MIDDLE]
        before, actual = series.close[at], series.close[at + 1]
        line = before * np.exp(medians)
        changes = np.log(actual / before)
        level, change = _correlation(line, actual), _correlation(medians, changes)
        text = (
            "The line of one-day-ahead forecasts follows the price almost perfectly (correlation "
            f"{level:.3f}), because it is yesterday’s price, moved by "
            f"{percent(np.abs(medians).mean(), 2)} on average. Of the changes, which alone could "
            f"earn anything, it knows next to nothing: correlation {change:.2f}. The forecast made "
            f"on one day, for {horizon} days, shows what is really known: a range, hardly a "
            "direction."
        )
        return Illusion(
            dates=series.dates[at + 1],
            actual=actual,
            one_step=line,
            shifted=before,
            forecast=self.forecast(series, horizon, len(series) - 1 - horizon),
            level_correlation=level,
            change_correlation=change,
            text=text,
        )

    def trace(self, series, origin=None):
        """What the recurrent layer computed on each day of its window.

        Returns:
            The dates `(days,)`, and a dict from the names of gates and states (for an LSTM
            `input`, `forget`, `candidate`, `output`, `cell`, `hidden`) to `(days, units)`.
        """
        at = _origin(series, origin)
        made = features(series.close, **series.ranges())
        rows, mask = windows(made.rows, [at])
        count = int(mask.sum())
        traced = {name: np.asarray(v)[0, :count] for name, v in self._traced(rows).items()}
        return series.dates[at + 1 - count : at + 1], traced

    def influence(self, series, horizon=HORIZONS, origin=None, days=60):
        """Which of the last days' moves mattered for the width of the interval: an `Influence`."""
        horizon = _horizon(horizon)
        at = _origin(series, origin)
        past = series.cut(max(0, at + 1 - WINDOW - 500), at + 1)
        days = min(days, len(past) - 1 - WARM_UP)
        places = np.arange(len(past) - days, len(past))
        made = [features(past.close, **past.ranges())]
        made += [features(**_stilled(past, place)) for place in places]
        widths = self._log_widths(made, len(past) - 1, horizon)
        return Influence(
            dates=past.dates[places],
            returns=np.diff(np.log(past.close))[places - 1],
            effects=widths[0] - widths[1:],
            horizon=horizon,
        )

    def _log_widths(self, made, origin, horizon):
        """Log of the 80 % interval's width of several versions of a series: `(versions,)`."""
        pairs = [windows(version.rows, [origin]) for version in made]
        scale = np.array([version.scale[origin] for version in made])
        rows, mask = (np.concatenate(part) for part in zip(*pairs, strict=True))
        quantiles = self.answer(rows, mask, scale)[:, horizon - 1]
        low, high = scores.interval(quantiles, 80)
        return np.log(high - low)

    def _notes(self, series, at):
        notes = list(series.notes)
        until = self.card.get("validated_until")
        if until and series.dates[at] <= np.datetime64(until):
            notes.append(
                f"The network was made with prices up to {until}: forecasts before that day may "
                "look better than they are."
            )
        if at + 1 < WARM_UP + WINDOW:
            notes.append(f"The network reads {WINDOW} days when it can; here it has fewer.")
        return tuple(notes)


def leakage(series, days=500, horizon=HORIZONS):
    """What two common mistakes would have pretended on this series: a tuple of `Leak`.

    Both rules forecast the sign of the return `horizon` days ahead; only the handling of the
    data differs between the two figures.

    Raises:
        UserError: if the series is too short.
    """
    logs = np.log(series.close[-(days + 250 + horizon) :])
    if len(logs) < 200:
        raise UserError(f"{series.name} has {len(logs)} prices; this demonstration needs 200.")
    ahead = logs[horizon:] - logs[:-horizon]  # of every day with a future
    start = min(250, len(ahead) // 2)
    outcome = np.sign(ahead[start:])
    now = logs[start : len(ahead)]
    everything = np.sign(logs[start:].mean() - now)
    trailing = np.array([logs[t - start : t + 1].mean() for t in range(start, len(ahead))])
    paths = np.lib.stride_tricks.sliding_window_view(logs, 20)[: len(ahead) - 19]
    future = ahead[19:]
    random = np.random.default_rng(0).permutation(len(paths))
    third = len(paths) // 3
    later = np.arange(len(paths) - third, len(paths))
    earlier = np.arange(len(paths) - third - horizon - 20)  # with a gap: no day on both sides
    return (
        Leak(
            "Scaling on all data",
            "“Below the mean of the data it will rise, above it will fall.” With the mean of "
            "all data, the future’s too, against the mean of the days before.",
            float(np.mean(everything == outcome)),
            float(np.mean(np.sign(trailing - now) == outcome)),
        ),
        Leak(
            "A random split",
            "The five most similar stretches of 20 days vote. Test days drawn at random, whose "
            "neighbours before and after lie in training, against a split by time.",
            _nearest(paths, future, random[third:], random[:third]),
            _nearest(paths, future, earlier, later),
        ),
    )


def verdict(rows, origins):
    """Sentences on a backtest, from its rows of `Score`, the network's first."""
    network, *others = rows
    mine = network.metrics
    against = {row.name: row for row in others if row.name in PLAIN}
    parts = []
    for name, row in against.items():
        change = mine["pinball"] / row.metrics["pinball"] - 1
        chance = "" if row.p_value < 0.05 else ", which may be chance"
        size = f"{percent(abs(change), 1)} {'lower' if change < 0 else 'higher'} than {PLAIN[name]}"
        parts.append(f"{size} (p = {row.p_value:.2g}{chance})")
    text = f"Over {origins} start days the network’s pinball loss is {mine['pinball']:.5f}"
    text += f": {'; '.join(parts)}. " if parts else ". "
    cover = mine["coverage_80"]
    width = "about right" if 0.77 <= cover <= 0.83 else "too narrow" if cover < 0.8 else "too wide"
    text += f"Its 80 % interval held {percent(cover)} of the outcomes: {width}. "
    low, high = mine["direction_low"], mine["direction_high"]
    if np.isfinite(low):
        easy = max(mine["always_up"], 1 - mine["always_up"])
        known = "more often than" if low > easy else "which is no better than"
        always = "up" if mine["always_up"] >= 0.5 else "down"
        range95 = f"95 % interval {percent(low)} to {percent(high)}"
        share = f"{percent(mine['direction'])} of the time ({range95})"
        text += (
            f"It had the direction right {share}, {known} always saying “{always}” "
            f"({percent(easy)}). "
        )
    if "naive" in against:
        naive = against["naive"]
        better = mine["mase"] < naive.metrics["mase"]
        sure = naive.point_p_value is not None and naive.point_p_value < 0.05
        known = (
            "beats" if better and sure else "does not reliably beat" if better else "does not beat"
        )
        text += f"As a point forecast it {known} the last price."
    return text.strip()


def _horizon(horizon):
    if not 1 <= int(horizon) <= HORIZONS:
        raise ValueError(f"`horizon` must be from 1 to {HORIZONS}. Received: horizon={horizon!r}")
    return int(horizon)


def _origin(series, origin):
    """An origin as a position from the start.

    Raises:
        UserError: if too few prices lie before it.
    """
    at = len(series) - 1 if origin is None else int(origin)
    at += len(series) if at < 0 else 0
    if not MIN_PRICES - 1 <= at < len(series):
        raise UserError(
            f"{series.name} has {max(0, min(at + 1, len(series)))} prices up to that day; a "
            f"forecast needs at least {MIN_PRICES}."
        )
    return at


def _fan(series, at, returns, horizon, model, notes):
    """A `Forecast` from quantiles of log-returns `(HORIZONS, levels)`."""
    horizon = _horizon(horizon)
    known = series.dates[at + 1 : at + 1 + horizon]
    ahead = future_dates(series.dates[: at + 1 + len(known)], horizon - len(known))
    dates = np.concatenate([known, ahead])
    actual = np.full(horizon, np.nan)
    actual[: len(known)] = series.close[at + 1 : at + 1 + horizon]
    last = float(series.close[at])
    return Forecast(
        name=series.name,
        model=model,
        origin=series.dates[at],
        last=last,
        dates=dates,
        levels=LEVELS,
        quantiles=last * np.exp(returns[:horizon]),
        actual=actual,
        source=series.source,
        notes=notes,
    )


def _stilled(series, place):
    """The prices had the day at `place` not moved: all after it are scaled by what it moved."""
    factor = series.close[place] / series.close[place - 1]
    prices = {"close": series.close, **series.ranges()}
    changed = {}
    for key, values in prices.items():
        if values is None:
            continue
        values = values.astype(float)
        values[place:] /= factor
        values[place] = series.close[place - 1]
        changed[key] = values
    return changed


def _nearest(paths, future, training, test, count=5):
    """How often the mean future of the nearest training paths has the right sign."""
    distances = ((paths[test][:, None] - paths[training][None]) ** 2).sum(axis=-1)
    nearest = np.argpartition(distances, count, axis=1)[:, :count]
    return float(np.mean(np.sign(future[training][nearest].mean(axis=1)) == np.sign(future[test])))


def _correlation(first, second):
    if np.std(first) == 0 or np.std(second) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


@bundle.load_once
def _load(variant, folder):
    shape = (None, None, len(NAMES))
    network, details, card = bundle.load_bundle(folder, variant, ForecastNetwork, shape)
    return Predictor(network, details["calibration"], card)
