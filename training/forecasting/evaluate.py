"""Scores of a bundle beside the baselines."""

import logging
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from apps.forecasting.features import HORIZONS
from apps.forecasting.predictor import Predictor
from apps.forecasting.series import MIN_PRICES
from shared import bundle
from shared.errors import UserError
from training import cards
from training.command import AsJson, DataDir, Model, Save, print_metrics
from training.forecasting.backtest import by_horizon, card_scores, pool, report, rounded, score
from training.forecasting.data import Input, Split, Ticker, read_files, run_folder
from training.forecasting.recipe import SLOW_BASELINES, Cell

log = logging.getLogger(__name__)

TEST_SET = "last two years of each file, walk-forward, every day an origin"


def evaluate(
    data_dir: DataDir = None,
    input: Input = None,
    ticker: Ticker = None,
    cell: Annotated[Cell, typer.Option(help="Which network.")] = Cell.lstm,
    model: Model = None,
    work_dir: Annotated[Path | None, typer.Option(help="Folder of GARCH's parameters.")] = None,
    slow: Annotated[bool, typer.Option(help="Run ETS and ARIMA too, on a subset.")] = False,
    save: Save = False,
    as_json: AsJson = False,
):
    """Score a bundle and the baselines on the official test, or on the last part of a file.

    With --save, all networks, and ETS and ARIMA as well.
    """
    start = time.perf_counter()
    files = read_files(data_dir, input, ticker)
    split = Split.of(files)
    model = model or bundle.MODELS / "forecasting"
    predictor = Predictor.load(cell.value, model)
    until = predictor.card.get("validated_until")
    if until and min(split.tests.values()) <= np.datetime64(until):
        log.warning("The network was made with prices up to %s: earlier origins flatter it.", until)
    cells = list(predictor.card["variants"]) if save else [cell.value]
    predictors = {name: Predictor.load(name, model) for name in cells}
    folder = work_dir or run_folder(files, data_dir)
    try:
        tallies, subset = score(files, split, predictors, folder, slow or save)
        total = pool(tallies)
        metrics = report(total, cell.value)
    except (UserError, KeyError) as error:
        raise typer.BadParameter(
            f"No day has {MIN_PRICES} prices before it and {HORIZONS} after it to score."
        ) from error
    if slow:
        totals = pool(subset)
        for name in SLOW_BASELINES:
            summary = totals[name].summary(1)
            metrics |= rounded({f"baseline_{name}_subset_{k}": v for k, v in summary.items()})
        summary = totals[cell.value].summary(1)
        metrics |= rounded({f"subset_{key}": value for key, value in summary.items()})
    if save:
        networks, baselines = card_scores(tallies, subset, cells)
        old = bundle.read_card(model)["baselines"]
        baselines = {name: old.get(name, {}) | values for name, values in baselines.items()}
        test_set = TEST_SET if not (input or ticker) else "last part of each series, walk-forward"
        cards.save_scores(model, test_set, networks, baselines=baselines)
    metrics["seconds"] = round(time.perf_counter() - start, 1)
    print_metrics(metrics, as_json)
    if not as_json:
        _print_horizons(total, cell.value)


def _print_horizons(tallies, cell):
    """Print the losses and the coverage at each horizon."""
    print("\nhorizon  pinball: network   naive    ewma   garch   coverage of 80 %: network  garch")
    models = [by_horizon(tallies[name]) for name in (cell, "naive", "ewma", "garch")]
    for h in range(HORIZONS):
        losses = "".join(f"{one['pinball'][h]:9.5f}" for one in models)
        coverage = models[0]["coverage_80"][h], models[3]["coverage_80"][h]
        print(f"{h + 1:7}         {losses}         {coverage[0]:14.3f} {coverage[1]:6.3f}")
