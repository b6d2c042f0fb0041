"""From a series to a forecast: quantiles of the price ahead, backtest and a look inside."""

import numpy as np

from apps.forecasting import baselines, scores
from apps.forecasting.features import HORIZONS, LEVELS, NAMES, WARM_UP, features, future_returns
from apps.forecasting.model import CELLS, ForecastNetwork
from apps.forecasting.results import Backtest, Forecast, Illusion, Influence, Score
from apps.forecasting.series import MIN_PRICES, Series, future_dates
from shared import bundle
from shared.compiled import Compiled
from shared.errors import UserError

FOLDER = bundle.MODELS / "forecasting"
WINDOW = 128  # days the network reads before each origin
BATCH_SIZE = 256  # origins answered at once, one compiled graph
MIDDLE = scores.MIDDLE
STEPS = np.arange(1, HORIZONS + 1)
BASELINES = {
    name: getattr(baselines, name) for name in ("naive", "drift", "seasonal", "ewma", "garch")
}


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
        inputs, origins = features(series.close, **series.ranges()), np.asarray(origins)
        return self.answer(*windows(inputs.rows, origins), inputs.scale[origins])

    def answer(self, rows, mask, scale):
        """Calibrated quantiles of the log-returns ahead, from windows of features.

        Args:
            rows, mask: From `windows`.
            scale: Trailing volatility at each origin, `(origins,)`.

        Returns:
            Array `(origins, HORIZONS, levels)`.
        """
        results = np.empty((len(rows), HORIZONS, len(LEVELS)))
        size = 1 if len(rows) == 1 else BATCH_SIZE  # two compiled graphs
        for start in range(0, len(rows), size):
            part, part_mask = rows[start : start + size], mask[start : start + size]
            if len(part) < size:
                padding = size - len(part)
                part = np.concatenate([part, np.repeat(part[:1], padding, axis=0)])
                part_mask = np.concatenate([part_mask, np.repeat(part_mask[:1], padding, axis=0)])
            outputs = np.asarray(self._last(part, part_mask))
            results[start : start + size] = outputs[: len(rows) - start]
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
            name: _fan(
                series, at, BASELINES[name](series.close, np.array([at]))[0], horizon, name, ()
            )
            for name in names
        }

    def backtest(self, series, origins=250, horizon=HORIZONS, names=tuple(BASELINES)):
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
        quantiles = {self.cell: self.quantiles(series, at)}
        quantiles |= {name: BASELINES[name](series.close, at) for name in names}
        days, part = series.dates[at], slice(0, horizon)
        tallies = _tally(series, at, quantiles)
        start = series.close[at][:, None]
        notes = self._notes(series, at[0])
        if len(at) < origins:
            notes = (*notes, f"Only {len(at)} of {origins} start days have enough past and future.")
        return Backtest(
            name=series.name,
            cell=self.cell,
            horizon=horizon,
            scores=_compare(tallies, self.cell, horizon),
            origins=days,
            dates=series.dates[at + horizon],
            actual=series.close[at + horizon],
            fans={name: start * np.exp(q[:, horizon - 1]) for name, q in quantiles.items()},
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
        return Illusion(
            dates=series.dates[at + 1],
            actual=actual,
            one_step=line,
            shifted=before,
            forecast=self.forecast(series, horizon, len(series) - 1 - horizon),
            level_correlation=level,
            change_correlation=change,
            mean_move=float(np.abs(medians).mean()),
        )

    def trace(self, series, origin=None):
        """What the recurrent layer computed on each day of its window.

        Returns:
            The dates `(days,)`, and a dict from the names of gates and states (for an LSTM
            `input`, `forget`, `candidate`, `output`, `cell`, `hidden`) to `(days, units)`.
        """
        at = _origin(series, origin)
        rows, mask = windows(features(series.close, **series.ranges()).rows, [at])
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
        versions = [features(past.close, **past.ranges())]
        versions += [features(**_without_move(past, place)) for place in places]
        widths = self._log_widths(versions, len(past) - 1, horizon)
        return Influence(
            dates=past.dates[places],
            returns=np.diff(np.log(past.close))[places - 1],
            effects=widths[0] - widths[1:],
            horizon=horizon,
        )

    def _log_widths(self, versions, origin, horizon):
        """Log of the 80 % interval's width of several versions of a series: `(versions,)`."""
        pairs = [windows(version.rows, [origin]) for version in versions]
        scale = np.array([version.scale[origin] for version in versions])
        rows, mask = (np.concatenate(part) for part in zip(*pairs, strict=True))
        quantiles = self.answer(rows, mask, scale)[:, horizon - 1]
        low, high = scores.interval_ends(quantiles, 80)
        return np.log(high - low)

    def _notes(self, series, at):
        notes = list(series.notes)
        until = self.card.get("validated_until")
        if until and series.dates[at] <= np.datetime64(until):
            notes.append(
                f"The network was trained with prices up to {until}: forecasts before that day may "
                "look better than they are."
            )
        if at + 1 < WARM_UP + WINDOW:
            notes.append(
                f"The network reads up to {WINDOW} days before each start day; before "
                f"{series.dates[at]}, the first one here, there are only {at + 1 - WARM_UP}."
            )
        return tuple(notes)


def _tally(series, at, quantiles):
    """A `Tally` of each model's quantiles of the returns after the positions `at`, by name."""
    actual = future_returns(series.close)[at]
    scale = np.maximum(scores.naive_scale(series.close[: at[0] + 1], HORIZONS), 1e-9)
    tallies = {}
    for name, values in quantiles.items():
        tallies[name] = scores.Tally(series.dates[at])
        tallies[name].add(series.dates[at], scores.measure(actual, values, scale))
    return tallies


def _compare(tallies, cell, horizon):
    """A `Score` for each tally, tested against the network's."""
    part = slice(0, horizon)

    def p_value(name, score):
        if name == cell:
            return None
        losses = (tallies[model].daily(score, part) for model in (cell, name))
        return scores.diebold_mariano(*losses, horizon)[1]

    return tuple(
        Score(name, tally.summary(horizon, part), p_value(name, "pinball"), p_value(name, "mase"))
        for name, tally in tallies.items()
    )


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
    after = series.dates[at + 1 : at + 1 + horizon]
    ahead = future_dates(series.dates[: at + 1 + len(after)], horizon - len(after))
    dates = np.concatenate([after, ahead])
    actual = np.full(horizon, np.nan)
    actual[: len(after)] = series.close[at + 1 : at + 1 + horizon]
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


def _without_move(series, place):
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


def _correlation(first, second):
    if np.std(first) == 0 or np.std(second) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


@bundle.load_once
def _load(variant, folder):
    shape = (None, None, len(NAMES))
    network, details, card = bundle.load_bundle(folder, variant, ForecastNetwork, shape)
    return Predictor(network, details["calibration"], card)
