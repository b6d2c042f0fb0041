"""Price forecasting: `python -m training.forecasting train|evaluate`.

`train` fits one network over all tickers with each cell under one recipe, calibrates it on the
validation days, scores everything once on the walk-forward test and writes
`models/forecasting`. `evaluate` scores the shipped bundle, or any CSV, beside the baselines.
"""

import json
import logging
import time
import zlib
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer

from apps.forecasting import baselines, scores
from apps.forecasting.features import HORIZONS, NAMES, WARM_UP, features, future_returns
from apps.forecasting.reader import read_prices
from apps.forecasting.series import MIN_PRICES
from shared import bundle
from shared.errors import UserError
from training.cards import old_card
from training.command import (
    AsJson,
    DataDir,
    Model,
    Output,
    WorkDir,
    checkpoint_dir,
    commit,
    data_folder,
    print_metrics,
)
from training.forecasting import data as prices

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)
log = logging.getLogger(__name__)


class Cell(StrEnum):
    """The cells that the network comes with."""

    rnn = "rnn"
    gru = "gru"
    lstm = "lstm"


# The recipe, the same for every cell; chosen on the validation days only.
UNITS, WIDTH, DROPOUT = 32, 48, 0.1
LENGTH = 192  # days of a training window
SKIPPED = 40  # first days of it, on which the state is still empty: no loss
EVERY = 4  # days between two forecasts that count: their futures overlap anyway
BATCH, BATCHES, EPOCHS, RATE = 32, 45, 3, 3e-3
WITHOUT_RANGE = 0.3  # of the windows show closing prices only, as a user's file may

STEPS = np.arange(1, HORIZONS + 1)
QUICK = ("naive", "drift", "seasonal", "ewma")
SLOW = ("ets", "arima")
GARCH_REFIT = 40
SUBSET = 6  # series of each file, and every 50th origin, for ETS and ARIMA
RARELY = 50

Input = Annotated[
    Path | None,
    typer.Option(help="Your own prices: CSV with date, close, optional open, high, low, ticker."),
]
Ticker = Annotated[list[str] | None, typer.Option(help="From Yahoo instead (repeatable).")]


class History(NamedTuple):
    """What training sees of a series: rows with the day's range and without, targets, days."""

    rows: np.ndarray  # (days, features)
    plain: np.ndarray
    targets: np.ndarray  # (days, horizons), in trailing volatilities times the root of the horizon
    days: int


def history(series, days):
    """The `History` of the first `days` days of a series; nothing after them is looked at."""
    part = series.cut(0, days)
    made = features(part.close, **part.ranges())
    plain = made.rows if part.high is None else features(part.close).rows
    unit = made.scale[:, None] * np.sqrt(STEPS)
    # The gradient only asks on which side of a quantile an outcome lies. Cutting off splits and
    # misplaced decimal points keeps the loss readable and changes nothing else.
    targets = np.clip(future_returns(part.close) / unit, -10, 10).astype("float32")
    return History(made.rows, plain, targets, days)


def places_of(histories, batch, seed):
    """Training windows in random order, starting at random: lists of (history, first day)."""
    random = np.random.default_rng(seed)
    places = []
    for number, one in enumerate(histories):
        start = WARM_UP + int(random.integers(0, LENGTH - SKIPPED))
        if one.days < 2 * LENGTH:
            start = WARM_UP
        ends = one.days - HORIZONS - SKIPPED
        places += [(number, first) for first in range(start, ends, LENGTH - SKIPPED)]
    random.shuffle(places)
    if not places:
        raise UserError("The series are too short to train on: 150 days before the validation.")
    while len(places) < batch:
        places += places
    return places


def batch_of(histories, places, random):
    """Inputs `(batch, LENGTH, features)` and targets `(batch, LENGTH / EVERY, horizons)`."""
    rows = np.zeros((len(places), LENGTH, len(NAMES)), "float32")
    targets = np.full((len(places), LENGTH, HORIZONS), np.nan, "float32")
    for place, (number, first) in enumerate(places):
        one = histories[number]
        source = one.plain if random.random() < WITHOUT_RANGE else one.rows
        part = source[first : first + LENGTH]
        rows[place, : len(part)] = part
        targets[place, : len(part)] = one.targets[first : first + LENGTH]
    targets[:, :SKIPPED] = np.nan
    return rows, targets[:, ::EVERY]


def fit_network(cell, histories, validate, folder, seed, epochs=EPOCHS, batches=BATCHES, verbose=1):
    """Fit the network with a cell.

    Args:
        cell: `"rnn"`, `"gru"` or `"lstm"`.
        histories: List of `History`.
        validate: Function of a `Predictor` that gives its loss on the validation days.
        folder: Path of the checkpoints.
        seed: Integer: initial weights, dropout and order of the windows.
        epochs, batches: How many epochs, of how many batches.
        verbose: As in `loop.fit`.

    Returns:
        The network with its best weights and the record of `loop.fit`.
    """
    import keras

    from apps.forecasting.model import ForecastNetwork, Pinball
    from apps.forecasting.predictor import Predictor
    from training.loop import Batches, fit

    keras.utils.set_random_seed(seed)
    network = ForecastNetwork(cell, units=UNITS, width=WIDTH, dropout=DROPOUT, seed=seed)
    network.build((None, None, len(NAMES)))
    seen = np.concatenate([one.rows[WARM_UP:] for one in histories])
    network.mean.assign(seen.mean(axis=0))
    network.spread.assign(seen.std(axis=0) + 1e-3)
    network.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(RATE, batches * epochs), clipnorm=1.0
        ),
        loss=Pinball(),
        jit_compile=True,
    )

    def epoch_batches(number):
        places = places_of(histories, BATCH, (seed, number))

        def make(n):
            first = n * BATCH % (len(places) - BATCH + 1)
            random = np.random.default_rng((seed, number, n))
            return batch_of(histories, places[first : first + BATCH], random)

        return Batches(batches, make)

    predictor = Predictor(network)

    def score():
        loss = validate(predictor)
        return {"score": -loss, "pinball": loss}

    network.every = EVERY
    recipe = {**network.options, "epochs": epochs, "batches": batches, "rate": RATE}
    recipe |= {"batch": BATCH, "length": LENGTH, "every": EVERY, "days": len(seen), "seed": seed}
    record = fit(network, epoch_batches, score, folder, recipe, epochs, epochs, verbose)
    network.every = 1
    return network, record


class Held(NamedTuple):
    """Origins that are held out: what the network reads, trailing volatility, outcomes."""

    rows: np.ndarray
    mask: np.ndarray
    scale: np.ndarray
    actual: np.ndarray

    @classmethod
    def of(cls, series, origins):
        """From series and the origins in each."""
        from apps.forecasting.predictor import windows

        parts = []
        for one, at in zip(series, origins, strict=True):
            if len(at):
                part = one.cut(0, at[-1] + HORIZONS + 1)
                made = features(part.close, **part.ranges())
                parts.append(
                    (*windows(made.rows, at), made.scale[at], future_returns(part.close)[at])
                )
        if not parts:
            raise UserError("The series are too short: no day has a past and a future to score.")
        return cls(*(np.concatenate(values) for values in zip(*parts, strict=True)))

    def loss(self, predictor):
        """A predictor's mean pinball loss, in units of the trailing volatility."""
        quantiles = predictor.answer(self.rows, self.mask, self.scale)
        unit = self.scale[:, None] * np.sqrt(STEPS)
        return float(scores.pinball(self.actual / unit, quantiles / unit[..., None]).mean())


def calibrate(actual, quantiles, smooth=5):
    """Factors for the distances from the median, one a horizon, that make 80 % hold 80 %.

    The 0.8 quantile of |outcome − median| over the half-width on that side (conformal
    prediction, Romano, Patterson & Candès 2019), averaged over neighbouring horizons.

    Returns:
        Array `(horizons,)`.
    """
    middle = quantiles[..., scores.MIDDLE]
    low, high = scores.interval(quantiles, 80)
    half = np.where(actual > middle, high - middle, middle - low)
    factors = np.quantile(np.abs(actual - middle) / half, 0.8, axis=0)
    padded = np.pad(factors, smooth // 2, mode="edge")
    return np.convolve(padded, np.ones(smooth) / smooth, mode="valid")


def garch_fits(file, series, origins, folder):
    """GARCH parameters of a file's series, kept in `folder` as they are found."""
    names = zlib.crc32(
        json.dumps([(one.name, len(one), str(one.dates[-1])) for one in series]).encode()
    )
    path = folder / f"garch_{file}_{names:08x}.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    start = time.monotonic()
    for number, (one, at) in enumerate(zip(series, origins, strict=True)):
        if one.name not in known and len(at):
            fits = baselines.garch_fits(one.close, at, GARCH_REFIT)
            known[one.name] = {str(place): value for place, value in fits.items()}
        if number == len(series) - 1 or time.monotonic() - start > 20:
            start = time.monotonic()
            folder.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(known))
            partial.replace(path)
            log.info("GARCH on %s: %d of %d series", file, number + 1, len(series))
    return {
        name: {int(place): value for place, value in fits.items()} for name, fits in known.items()
    }


def score(files, split, predictors, folder, slow=True):
    """Score networks and baselines from the same origins of the test.

    Args:
        files: Dict from name to list of `Series`.
        split: Their `Split`.
        predictors: Dict from cell to `Predictor`.
        folder: Path where GARCH's parameters are kept.
        slow: Whether to run ETS and ARIMA, on a subset.

    Returns:
        Dict from file to dict from model to `Tally`, and the same of the subset.
    """
    days = np.unique(np.concatenate([one.dates for series in files.values() for one in series]))
    days = days[days >= min(split.tests.values())]
    tallies, subset = {}, {}
    for file, series in files.items():
        origins = [split.test_origins(one, file) for one in series]
        fits = garch_fits(file, series, origins, folder)
        mine = tallies[file] = {}
        for one, at in zip(series, origins, strict=True):
            if not len(at):
                continue
            scale = np.maximum(scores.naive_scale(one.close[: at[0] + 1], HORIZONS), 1e-9)
            actual = future_returns(one.close)[at]
            made = {name: getattr(baselines, name)(one.close, at) for name in QUICK}
            made["garch"] = baselines.garch(one.close, at, GARCH_REFIT, fits[one.name])
            made |= {cell: network.quantiles(one, at) for cell, network in predictors.items()}
            for name, quantiles in made.items():
                tally = mine.setdefault(name, scores.Tally(days))
                tally.add(one.dates[at], scores.measure(actual, quantiles, scale))
        log.info("scored %s", file)
        if slow:
            subset[file] = _score_subset(file, series, split, predictors, days)
    return tallies, subset


def _score_subset(file, series, split, predictors, days):
    mine = {}
    chosen = np.linspace(0, len(series) - 1, min(SUBSET, len(series))).astype(int)
    for one in (series[number] for number in np.unique(chosen)):
        at = split.test_origins(one, file, RARELY)
        if not len(at):
            continue
        scale = np.maximum(scores.naive_scale(one.close[: at[0] + 1], HORIZONS), 1e-9)
        made = {name: getattr(baselines, name)(one.close, at) for name in SLOW}
        made |= {cell: network.quantiles(one, at) for cell, network in predictors.items()}
        for name, quantiles in made.items():
            tally = mine.setdefault(name, scores.Tally(days))
            values = scores.measure(future_returns(one.close)[at], quantiles, scale)
            tally.add(one.dates[at], values)
    return mine


def pooled(tallies):
    """One dict from model to `Tally` of all files'."""
    total = {}
    for file in tallies.values():
        for name, tally in file.items():
            if name not in total:
                total[name] = scores.Tally(tally.days)
            total[name].merge(tally)
    return total


def report(tallies, cell, lags=HORIZONS):
    """A model's scores, those of the baselines after `baseline_<name>_`, and the tests between.

    Args:
        tallies: Dict from model to `Tally`.
        cell: The network's name in it.
        lags: Days over which losses depend on each other.

    Returns:
        A flat dict; `baseline_<name>_p` is the Diebold–Mariano p-value against the network.
    """
    metrics = rounded(tallies[cell].summary(lags))
    metrics["origins"] = int(tallies[cell].counts["pinball"][:, 0].sum())
    mine = tallies[cell].daily("pinball")
    for name, tally in tallies.items():
        if name in list(Cell):
            continue
        theirs = tally.summary(lags)
        theirs.pop("always_up")  # the same for all
        metrics |= rounded({f"baseline_{name}_{key}": value for key, value in theirs.items()})
        _, p_value = scores.diebold_mariano(mine, tally.daily("pinball"), lags)
        metrics[f"baseline_{name}_p"] = float(f"{p_value:.3g}")
    return metrics


def rounded(values):
    """Numbers to six digits, and None for what is not known: fit for JSON."""
    return {k: float(f"{v:.6g}") if np.isfinite(v) else None for k, v in values.items()}


def by_horizon(tally):
    """Pinball loss, and coverage and width of the 80 % interval, at each horizon: lists."""
    names = ("pinball", "coverage_50", "coverage_80", "coverage_90", "width_80", "direction")
    return {
        name: [None if np.isnan(v) else float(f"{v:.5g}") for v in tally.by_horizon(name)]
        for name in names
    }


def _files(data_dir, input, ticker):
    """The files to work on; their name is `input` or `yahoo` where they are the user's.

    Raises:
        typer.BadParameter: if they cannot be had; the message says why.
    """
    try:
        if input:
            return {"input": read_prices(input)}
        if ticker:
            return {"yahoo": prices.from_yahoo(ticker)}
        return prices.read(data_folder(data_dir))
    except (UserError, FileNotFoundError) as error:
        raise typer.BadParameter(str(error)) from error


def _work_dir(files, data_dir):
    names = [(n, one.name, len(one), str(one.dates[-1])) for n, s in files.items() for one in s]
    fingerprint = f"{zlib.crc32(json.dumps(names).encode()):08x}"
    return checkpoint_dir("forecasting", data_dir=data_dir) / fingerprint


@app.command()
def train(
    data_dir: DataDir = None,
    input: Input = None,
    ticker: Ticker = None,
    cell: Annotated[list[Cell] | None, typer.Option(help="Only these cells (repeatable).")] = None,
    output: Output = None,
    work_dir: WorkDir = None,
    epochs: Annotated[int, typer.Option(min=1)] = EPOCHS,
    batches: Annotated[int, typer.Option(min=1, help="Batches of an epoch.")] = BATCHES,
    seed: int = 0,
    test: Annotated[bool, typer.Option(help="Score the test at the end.")] = True,
    as_json: AsJson = False,
):
    """Fit everything and write the bundle; a run that was stopped goes on from its checkpoints."""
    from apps.forecasting.predictor import Predictor

    log.info("reading the prices")
    files = _files(data_dir, input, ticker)
    split = prices.Split.of(files)
    official = not (input or ticker)
    output = output or (bundle.MODELS / "forecasting" if official else Path("forecasting-model"))
    work_dir = work_dir or _work_dir(files, data_dir)
    every = [one for series in files.values() for one in series]
    trained = [one for one in every if split.training_days(one) >= MIN_PRICES + HORIZONS + SKIPPED]
    histories = [history(one, split.training_days(one)) for one in trained]
    thin = 20 if official else 1
    known = [one.cut(0, int(np.searchsorted(one.dates, split.cutoff))) for one in every]
    try:
        # Thinned, but not on the same days for all: the validation sees every day of the market.
        origins = [split.validation_origins(one, thin, n) for n, one in enumerate(known)]
        held = Held.of(known, origins)
        places_of(histories, 1, 0)
    except UserError as error:
        raise typer.BadParameter(str(error)) from error
    log.info("%d series, %d validation origins; %s", len(histories), len(held.rows), split)

    card = _new_card(output, seed, split, files, histories, held, official)
    for name in QUICK:
        parts = [(one.close, at) for one, at in zip(known, origins, strict=True) if len(at)]
        made = np.concatenate([getattr(baselines, name)(close, at) for close, at in parts])
        loss = float(f"{scores.pinball(held.actual, made).mean():.6g}")
        card["baselines"].setdefault(name, {})["validation_pinball"] = loss
        log.info("validation pinball of %s: %.6f", name, loss)
    predictors = {}
    for name in cell or list(Cell):
        network, record = fit_network(
            name.value, histories, held.loss, work_dir / name.value, seed, epochs, batches
        )
        bundle.save_arrays(output / f"{name.value}.safetensors", bundle.weights_of(network))
        # Everything is measured on the weights as they were stored.
        bundle.set_weights(network, bundle.load_arrays(output / f"{name.value}.safetensors"))
        raw = Predictor(network).answer(held.rows, held.mask, held.scale)
        calibration = calibrate(held.actual, raw)
        predictors[name.value] = predictor = Predictor(network, calibration)
        made = predictor.answer(held.rows, held.mask, held.scale)
        coverage = [scores.covered(held.actual, q, 80).mean(axis=0) for q in (raw, made)]
        card["variants"][name.value] = {
            "network": network.options,
            "parameters": int(sum(np.prod(v.shape) for v in network.trainable_variables)),
            "calibration": [round(float(factor), 4) for factor in calibration],
            "validation_pinball": float(f"{scores.pinball(held.actual, made).mean():.6g}"),
            "validation_pinball_uncalibrated": float(
                f"{scores.pinball(held.actual, raw).mean():.6g}"
            ),
            "validation_coverage_80": [round(float(v), 3) for v in coverage[1]],
            "validation_coverage_80_uncalibrated": [round(float(v), 3) for v in coverage[0]],
            "epochs": len(record["epochs"]),
            "best_epoch": record["best"] + 1,
            "minutes": round(record["minutes"], 1),
            "command": f"python -m training.forecasting train --cell {name.value}",
        }
        log.info("%s: %s", name.value, json.dumps(card["variants"][name.value]))
        bundle.write_card(output, card)
    if test:
        _write_test(card, files, split, predictors, work_dir)
        bundle.write_card(output, card)
    metrics = {
        name: card["variants"][name].get("pinball", card["variants"][name]["validation_pinball"])
        for name in predictors
    }
    print(json.dumps({"output": str(output), **metrics}) if as_json else f"Written to {output}.")


def _new_card(output, seed, split, files, histories, held, official):
    """A card with what all variants share, and what stands in `output` already."""
    old = old_card(output)
    return {
        "task": "forecasting",
        "title": "Price forecasting",
        "date": date.today().isoformat(),
        "seed": seed,
        "commit": commit(),
        "data": "daily prices of 570 shares and an index, 1927 to 2025"
        if official
        else "own prices",
        "test_set": "last two years of each file, walk-forward, every day an origin",
        "horizons": HORIZONS,
        "trained_until": str(split.validation - np.timedelta64(1, "D")),
        "validated_until": str(split.cutoff - np.timedelta64(1, "D")),
        "tests_from": {name: str(start) for name, start in split.tests.items()},
        "series": {name: len(series) for name, series in files.items()},
        "training_series": len(histories),
        "training_days": int(sum(len(one.rows) for one in histories)),
        "validation_origins": len(held.rows),
        "licence": "Weights: Apache-2.0. Prices: not shipped.",
        "limits": [
            "It says how far a price may move, and hardly which way. Not financial advice.",
            "It has learned from shares of large American companies that still exist, and one "
            "index, up to 2013: other markets, and breaks without a precedent, are guesses.",
            "It knows past prices only: no news, no earnings dates, no option prices.",
        ],
        "variants": old.get("variants", {}),
        "baselines": old.get("baselines", {}),
    }


def _write_test(card, files, split, predictors, work_dir):
    """Score the test and put the figures into the card."""
    tallies, subset = score(files, split, predictors, work_dir)
    total, part = pooled(tallies), pooled(subset)
    for name in predictors:
        metrics = report(total, name)
        mine = {key: value for key, value in metrics.items() if not key.startswith("baseline_")}
        tests = {key: metrics[f"baseline_{key}_p"] for key in (*QUICK, "garch")}
        card["variants"][name] |= mine
        card["variants"][name] |= {
            "p_values": tests,
            "by_horizon": by_horizon(total[name]),
            "files": {
                file: {
                    **rounded(models[name].summary(HORIZONS)),
                    "coverage_80_by_horizon": by_horizon(models[name])["coverage_80"],
                    "p_values": {
                        key: report(models, name)[f"baseline_{key}_p"] for key in (*QUICK, "garch")
                    },
                }
                for file, models in tallies.items()
            },
            "subset": rounded(part[name].summary(1)),
        }
    for name in (*QUICK, "garch"):
        card["baselines"].setdefault(name, {})
        card["baselines"][name] |= {
            **rounded(total[name].summary(HORIZONS)),
            "by_horizon": by_horizon(total[name]),
            "files": {
                file: rounded(models[name].summary(HORIZONS)) for file, models in tallies.items()
            },
        }
    for name in SLOW:
        card["baselines"][name] = {"subset": rounded(part[name].summary(1))}


@app.command()
def evaluate(
    data_dir: DataDir = None,
    input: Input = None,
    ticker: Ticker = None,
    cell: Annotated[Cell, typer.Option(help="Which network.")] = Cell.lstm,
    model: Model = None,
    work_dir: Annotated[Path | None, typer.Option(help="Folder of GARCH's parameters.")] = None,
    slow: Annotated[bool, typer.Option(help="Run ETS and ARIMA too, on a subset.")] = False,
    as_json: AsJson = False,
):
    """Score the shipped bundle and the baselines on the official test, or on a file's last part."""
    from apps.forecasting.predictor import Predictor

    start = time.perf_counter()
    files = _files(data_dir, input, ticker)
    split = prices.Split.of(files)
    predictor = Predictor.load(cell.value, model)
    until = predictor.card.get("validated_until")
    if until and min(split.tests.values()) <= np.datetime64(until):
        log.warning("The network was made with prices up to %s: earlier origins flatter it.", until)
    try:
        tallies, subset = score(
            files, split, {cell.value: predictor}, work_dir or _work_dir(files, data_dir), slow
        )
        total = pooled(tallies)
        metrics = report(total, cell.value)
    except (UserError, KeyError) as error:
        raise typer.BadParameter(
            f"No day has {MIN_PRICES} prices before it and {HORIZONS} after it to score."
        ) from error
    for name in SLOW if slow else ():
        theirs = pooled(subset)[name].summary(1)
        metrics |= rounded({f"baseline_{name}_subset_{key}": v for key, v in theirs.items()})
    if slow:
        mine = pooled(subset)[cell.value].summary(1)
        metrics |= rounded({f"subset_{key}": value for key, value in mine.items()})
    metrics["seconds"] = round(time.perf_counter() - start, 1)
    print_metrics(metrics, as_json)
    if as_json:
        return
    print("\nhorizon  pinball: network   naive    ewma   garch   coverage of 80 %: network  garch")
    models = [by_horizon(total[name]) for name in (cell.value, "naive", "ewma", "garch")]
    for h in range(HORIZONS):
        losses = "".join(f"{one['pinball'][h]:9.5f}" for one in models)
        cover = models[0]["coverage_80"][h], models[3]["coverage_80"][h]
        print(f"{h + 1:7}         {losses}         {cover[0]:14.3f} {cover[1]:6.3f}")
