"""How good quantile forecasts were: losses, coverage, direction, and tests of a difference.

Everywhere `actual` is `(origins, horizons)` log-returns, NaN where not yet known, and
`quantiles` is `(origins, horizons, levels)`.
"""

from statistics import NormalDist

import numpy as np

from apps.forecasting.features import LEVELS

MIDDLE = len(LEVELS) // 2
INTERVALS = (50, 80, 90)  # percent
# The share of probabilities that lie nearest to each level; the outermost ones cover the tails.
WEIGHTS = np.diff(np.concatenate([[0], (np.array(LEVELS[1:]) + np.array(LEVELS[:-1])) / 2, [1]]))


def interval_ends(quantiles, percent):
    """Lower and upper end of the central interval of 10 to 90 % in tens: two `(…)`.

    Args:
        quantiles: Array `(…, levels)`.
    """
    place = round((100 - percent) / 2 / 5) - 1
    return quantiles[..., place], quantiles[..., -1 - place]


def level_losses(actual, quantiles):
    """Pinball loss of each level: `(origins, horizons, levels)` (Koenker & Bassett 1978)."""
    error = actual[..., None] - quantiles
    levels = np.array(LEVELS)
    return np.maximum(levels * error, (levels - 1) * error)


def pinball(actual, quantiles):
    """Pinball loss, mean over the levels: `(origins, horizons)`."""
    return level_losses(actual, quantiles).mean(axis=-1)


def crps(actual, quantiles):
    """Continuous ranked probability score from the quantiles: `(origins, horizons)`.

    Twice the integral of the pinball loss over all levels (Gneiting & Raftery 2007), the tails
    beyond 0.05 and 0.95 taken at these levels' loss.
    """
    return 2 * level_losses(actual, quantiles) @ WEIGHTS


def covered(actual, quantiles, percent):
    """1 where the outcome lies in the interval, 0 where it does not, NaN where it is unknown."""
    low, high = interval_ends(quantiles, percent)
    inside = ((actual >= low) & (actual <= high)).astype(float)
    return np.where(np.isnan(actual), np.nan, inside)


def absolute_scaled_error(actual, quantiles, scale):
    """Error of the median over the naive forecast's in the past: `(origins, horizons)`.

    Its mean is the MASE (Hyndman & Koehler 2006), with the naive error of the same horizon.

    Args:
        scale: `(origins, horizons)` or `(horizons,)`, from `naive_scale`.
    """
    return np.abs(actual - quantiles[..., MIDDLE]) / scale


def naive_scale(close, horizons):
    """Mean absolute error of the last price in the past, in logs, by horizon: `(horizons,)`."""
    logs = np.log(close)
    return np.array(
        [
            np.abs(logs[h:] - logs[:-h]).mean() if len(logs) > h else np.nan
            for h in range(1, horizons + 1)
        ]
    )


def hits(actual, quantiles):
    """1 where the median's sign was right, 0 where wrong, NaN where either is zero or unknown."""
    median = quantiles[..., MIDDLE]
    undecided = np.isnan(actual) | (actual == 0) | (np.abs(median) < 1e-12)
    return np.where(undecided, np.nan, (np.sign(actual) == np.sign(median)).astype(float))


def long_run_variance(values, lags):
    """Variance of the mean of a serially dependent sequence (Newey & West 1987)."""
    deviations = np.asarray(values, float) - np.mean(values)
    count = len(deviations)
    total = deviations @ deviations / count
    for lag in range(1, min(lags, count - 1) + 1):
        weight = 1 - lag / (lags + 1)
        total += 2 * weight * (deviations[lag:] @ deviations[:-lag]) / count
    return max(total, 0.0) / count


def diebold_mariano(losses, others, lags):
    """Two-sided test that two forecasts have the same expected loss (Diebold & Mariano 1995).

    Args:
        losses, others: Arrays `(days,)` of the two forecasts' mean loss on each day.
        lags: Days over which the losses depend on each other: the longest horizon.

    Returns:
        The statistic, negative where the first is better, and the two-sided p-value: the
        probability of a difference at least this large, in either direction, between forecasts
        that are equally good.
    """
    difference = np.asarray(losses, float) - np.asarray(others, float)
    if len(difference) < 2:
        return 0.0, 1.0
    variance = long_run_variance(difference, lags)
    if variance <= 0:
        return 0.0, 1.0 if not difference.any() else 0.0
    statistic = float(difference.mean() / np.sqrt(variance))
    return statistic, float(2 * NormalDist().cdf(-abs(statistic)))


def measure(actual, quantiles, scale):
    """Every score of every forecast: a dict of arrays `(origins, horizons)`, NaN where unknown.

    Args:
        actual, quantiles: The outcomes and the forecasts.
        scale: From `naive_scale`.
    """
    known = ~np.isnan(actual)
    values = {
        "pinball": pinball(actual, quantiles),
        "crps": crps(actual, quantiles),
        "mase": absolute_scaled_error(actual, quantiles, scale),
        "direction": hits(actual, quantiles),
        # The accuracy of always saying “up”, which is more than half in a rising market.
        "always_up": np.where(known & (actual != 0), (actual > 0).astype(float), np.nan),
    }
    for percent in INTERVALS:
        low, high = interval_ends(quantiles, percent)
        values[f"coverage_{percent}"] = covered(actual, quantiles, percent)
        values[f"width_{percent}"] = np.where(known, high - low, np.nan)
    return values


class Tally:
    """Scores of one model, added up by day and horizon.

    Series move together, so a day with 500 of them counts as one observation, not 500, where
    chance is judged: in confidence intervals and tests.

    Args:
        days: Array of all dates that origins may have, increasing.
    """

    def __init__(self, days):
        self.days = days
        self.sums = {}
        self.counts = {}

    def add(self, days, values):
        """Add what `measure` gave for the origins of one series, on distinct `days`."""
        places = np.searchsorted(self.days, days)
        for name, numbers in values.items():
            shape = (len(self.days), numbers.shape[1])
            known = ~np.isnan(numbers)
            self.sums.setdefault(name, np.zeros(shape))[places] += np.where(known, numbers, 0)
            self.counts.setdefault(name, np.zeros(shape))[places] += known

    def merge(self, other):
        """Add another tally over the same days."""
        for name in other.sums:
            for mine, theirs in ((self.sums, other.sums), (self.counts, other.counts)):
                mine[name] = mine[name] + theirs[name] if name in mine else theirs[name].copy()

    def daily(self, name, horizons=slice(None)):
        """A score's mean on each day that has it: `(days,)`."""
        sums = self.sums[name][:, horizons].sum(axis=1)
        counts = self.counts[name][:, horizons].sum(axis=1)
        return sums[counts > 0] / counts[counts > 0]

    def by_horizon(self, name):
        """A score's mean at each horizon: `(horizons,)`."""
        counts = self.counts[name].sum(axis=0)
        return np.where(counts > 0, self.sums[name].sum(axis=0) / np.maximum(counts, 1), np.nan)

    def summary(self, lags, horizons=slice(None)):
        """The mean of every score, with the 95 % confidence interval of the direction.

        Args:
            lags: As in `diebold_mariano`.
            horizons: Slice of the horizons to score.
        """
        result = {}
        for name in self.sums:
            count = self.counts[name][:, horizons].sum()
            total = self.sums[name][:, horizons].sum()
            result[name] = float(total / count) if count else float("nan")
        daily = self.daily("direction", horizons)
        reach = 1.96 * np.sqrt(long_run_variance(daily, lags)) if len(daily) > 1 else np.nan
        result["direction_low"] = float(result["direction"] - reach)
        result["direction_high"] = float(result["direction"] + reach)
        return result
