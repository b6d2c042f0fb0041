"""Scores of networks and baselines, forecast from the same days."""

import json
import logging
import time
import zlib

import numpy as np

from apps.forecasting import baselines, scores
from apps.forecasting.features import HORIZONS, future_returns
from training.forecasting import recipe
from training.forecasting.recipe import FAST_BASELINES, GARCH_REFIT_DAYS, SLOW_BASELINES

log = logging.getLogger(__name__)

SAVE_SECONDS = 20  # between two saves of GARCH's parameters


def fit_garch(file, series, origins, folder):
    """GARCH parameters of a file's series, saved in `folder` while they are fitted.

    Args:
        file: Name of the file.
        series: List of `Series`.
        origins: Positions from which each is forecast.
        folder: Path.

    Returns:
        Dict from a series' name to a dict from position to parameters.
    """
    description = [(one.name, len(one), str(one.dates[-1])) for one in series]
    path = folder / f"garch_{file}_{zlib.crc32(json.dumps(description).encode()):08x}.json"
    fitted = json.loads(path.read_text()) if path.exists() else {}
    saved = time.monotonic()
    for number, (one, at) in enumerate(zip(series, origins, strict=True)):
        if one.name not in fitted and len(at):
            fits = baselines.garch_fits(one.close, at, GARCH_REFIT_DAYS)
            fitted[one.name] = {str(place): value for place, value in fits.items()}
        if number == len(series) - 1 or time.monotonic() - saved > SAVE_SECONDS:
            saved = time.monotonic()
            folder.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(fitted))
            partial.replace(path)
            log.info("GARCH on %s: %d of %d series", file, number + 1, len(series))
    return {
        name: {int(place): value for place, value in fits.items()} for name, fits in fitted.items()
    }


def score(files, split, predictors, folder, slow=True):
    """Score networks and baselines on the test days of a split.

    Args:
        files: Dict from name to list of `Series`.
        split: Their `Split`.
        predictors: Dict from cell to `Predictor`.
        folder: Path where GARCH's parameters are saved.
        slow: Whether to score ETS and ARIMA too, on a subset.

    Returns:
        Dict from file to dict from model to `Tally`; and the same of the subset.
    """
    days = np.unique(np.concatenate([one.dates for series in files.values() for one in series]))
    days = days[days >= min(split.tests.values())]
    tallies, subset = {}, {}
    for file, series in files.items():
        origins = [split.test_origins(one, file) for one in series]
        garch = fit_garch(file, series, origins, folder)

        def forecast(one, at, garch=garch):
            quantiles = {name: getattr(baselines, name)(one.close, at) for name in FAST_BASELINES}
            fits = garch[one.name]
            quantiles["garch"] = baselines.garch(one.close, at, GARCH_REFIT_DAYS, fits)
            return quantiles

        tallies[file] = _score_series(zip(series, origins, strict=True), forecast, predictors, days)
        log.info("scored %s", file)
        if slow:
            subset[file] = _score_subset(file, series, split, predictors, days)
    return tallies, subset


def _score_subset(file, series, split, predictors, days):
    """The `Tally`s of the slow baselines and the networks, on some series and origins of a file."""

    def forecast(one, at):
        return {name: getattr(baselines, name)(one.close, at) for name in SLOW_BASELINES}

    count = min(recipe.SUBSET_SERIES, len(series))
    numbers = np.unique(np.linspace(0, len(series) - 1, count).astype(int))
    pairs = [
        (series[n], split.test_origins(series[n], file, recipe.SUBSET_STRIDE)) for n in numbers
    ]
    return _score_series(pairs, forecast, predictors, days)


def _score_series(pairs, forecast, predictors, days):
    """Dict from model to its `Tally` over pairs of series and origins."""
    tallies = {}
    for one, at in pairs:
        if not len(at):
            continue
        scale = np.maximum(scores.naive_scale(one.close[: at[0] + 1], HORIZONS), 1e-9)
        actual = future_returns(one.close)[at]
        quantiles = forecast(one, at)
        quantiles |= {cell: network.quantiles(one, at) for cell, network in predictors.items()}
        for name, values in quantiles.items():
            tally = tallies.setdefault(name, scores.Tally(days))
            tally.add(one.dates[at], scores.measure(actual, values, scale))
    return tallies


def pool(tallies):
    """One dict from model to the `Tally` of all files."""
    total = {}
    for file in tallies.values():
        for name, tally in file.items():
            if name not in total:
                total[name] = scores.Tally(tally.days)
            total[name].merge(tally)
    return total


def report(tallies, cell, lags=HORIZONS):
    """A network's scores, those of the baselines, and the tests of their difference.

    Args:
        tallies: Dict from model to `Tally`.
        cell: The network's name in it.
        lags: Days over which losses depend on each other.

    Returns:
        A flat dict, with baselines after `baseline_<name>_`; `baseline_<name>_p` is the p-value of
        Diebold and Mariano against the network.
    """
    metrics = rounded(tallies[cell].summary(lags))
    metrics["origins"] = int(tallies[cell].counts["pinball"][:, 0].sum())
    losses = tallies[cell].daily("pinball")
    for name, tally in tallies.items():
        if name in list(recipe.Cell):
            continue
        summary = tally.summary(lags)
        summary.pop("always_up")  # the same for all
        metrics |= rounded({f"baseline_{name}_{key}": value for key, value in summary.items()})
        _, p_value = scores.diebold_mariano(losses, tally.daily("pinball"), lags)
        metrics[f"baseline_{name}_p"] = float(f"{p_value:.3g}")
    return metrics


def rounded(values):
    """Numbers with six digits, and None for what is not finite: fit for JSON."""
    return {k: float(f"{v:.6g}") if np.isfinite(v) else None for k, v in values.items()}


def by_horizon(tally):
    """Pinball loss, coverage, width of the 80 % interval and direction at each horizon: lists."""
    names = ("pinball", "coverage_50", "coverage_80", "coverage_90", "width_80", "direction")
    return {
        name: [None if np.isnan(v) else float(f"{v:.5g}") for v in tally.by_horizon(name)]
        for name in names
    }


def card_scores(tallies, subset, cells):
    """What the card says of the networks and the baselines.

    Args:
        tallies, subset: As from `score`.
        cells: Names of the networks.

    Returns:
        Dict from network to its scores, and dict from baseline to its scores.
    """
    total, slow = pool(tallies), pool(subset)
    compared = (*FAST_BASELINES, "garch")

    def p_values(metrics):
        return {name: metrics[f"baseline_{name}_p"] for name in compared}

    networks = {}
    for cell in cells:
        metrics = report(total, cell)
        networks[cell] = {
            **{key: value for key, value in metrics.items() if not key.startswith("baseline_")},
            "p_values": p_values(metrics),
            "by_horizon": by_horizon(total[cell]),
            "files": {
                file: {
                    **rounded(models[cell].summary(HORIZONS)),
                    "coverage_80_by_horizon": by_horizon(models[cell])["coverage_80"],
                    "p_values": p_values(report(models, cell)),
                }
                for file, models in tallies.items()
            },
            "subset": rounded(slow[cell].summary(1)),
        }
    scores_by_baseline = {
        name: {
            **rounded(total[name].summary(HORIZONS)),
            "by_horizon": by_horizon(total[name]),
            "files": {
                file: rounded(models[name].summary(HORIZONS)) for file, models in tallies.items()
            },
        }
        for name in compared
    }
    for name in SLOW_BASELINES:
        scores_by_baseline[name] = {"subset": rounded(slow[name].summary(1))}
    return networks, scores_by_baseline
