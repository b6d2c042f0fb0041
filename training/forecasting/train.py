"""Training the forecasting networks, and writing their bundle."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from apps.forecasting import baselines, scores
from apps.forecasting.features import HORIZONS
from apps.forecasting.predictor import Predictor
from apps.forecasting.series import MIN_PRICES
from shared import bundle
from shared.errors import UserError
from training import cards
from training.command import AsJson, DataDir, Output, WorkDir
from training.forecasting.backtest import card_scores, score
from training.forecasting.data import Input, Split, Ticker, read_files, run_folder
from training.forecasting.fit import History, Origins, calibrate, draw_windows, fit_network
from training.forecasting.recipe import FAST_BASELINES, RECIPE, VALIDATION_STRIDE, Cell

log = logging.getLogger(__name__)

SCORED_ON = "validation days, every day an origin"


def train(
    data_dir: DataDir = None,
    input: Input = None,
    ticker: Ticker = None,
    cell: Annotated[list[Cell] | None, typer.Option(help="Only these cells (repeatable).")] = None,
    output: Output = None,
    work_dir: WorkDir = None,
    epochs: Annotated[int, typer.Option(min=1)] = RECIPE.epochs,
    batches: Annotated[int, typer.Option(min=1, help="Batches of an epoch.")] = RECIPE.batches,
    seed: int = 0,
    as_json: AsJson = False,
):
    """Train the networks and write the bundle, scored on the validation days.

    An interrupted run resumes from its last checkpoint.
    """
    log.info("reading the prices")
    files = read_files(data_dir, input, ticker)
    split = Split.of(files)
    official = not (input or ticker)
    output = output or (bundle.MODELS / "forecasting" if official else Path("forecasting-model"))
    work_dir = work_dir or run_folder(files, data_dir)
    every = [one for series in files.values() for one in series]
    least = MIN_PRICES + HORIZONS + RECIPE.unscored_days
    trained = [one for one in every if split.training_days(one) >= least]
    histories = [History.of(one, split.training_days(one)) for one in trained]
    past = [split.before_test(one) for one in every]
    stride = VALIDATION_STRIDE if official else 1
    try:
        # Each series starts at another day, so that the validation has every day of the market.
        places = [split.validation_origins(one, stride, n) for n, one in enumerate(past)]
        validation = Origins.of(past, places)
        draw_windows(histories, 1, 0)
    except UserError as error:
        raise typer.BadParameter(str(error)) from error
    log.info("%d series, %d validation origins; %s", len(histories), len(validation.rows), split)
    card = _new_card(output, seed, split, files, histories, validation, official)
    for name in FAST_BASELINES:
        loss = _validation_loss(name, validation, zip(past, places, strict=True))
        card["baselines"].setdefault(name, {})["validation_pinball"] = loss
    predictors = {}
    for name in cell or list(Cell):
        network, record = fit_network(
            name.value, histories, validation.loss, work_dir / name.value, seed, epochs, batches
        )
        cards.store_weights(network, output / f"{name.value}.safetensors")
        predictors[name.value], details = _calibrate(name.value, network, record, validation)
        cards.add_variant(output, card, name.value, details)
    _score(card, files, split, predictors, work_dir)
    cards.write(output, card)
    trained_now = {name: card["variants"][name] for name in predictors}
    cards.print_result(output, {"variants": trained_now}, "pinball", as_json)


def _validation_loss(name, validation, pairs):
    """The pinball loss of a baseline on the validation's origins."""
    forecast = getattr(baselines, name)
    quantiles = np.concatenate([forecast(one.close, at) for one, at in pairs if len(at)])
    loss = float(f"{scores.pinball(validation.actual, quantiles).mean():.6g}")
    log.info("validation pinball of %s: %.6f", name, loss)
    return loss


def _calibrate(name, network, record, validation):
    """The calibrated `Predictor` of a network, and what the card says of it."""
    raw = validation.quantiles(Predictor(network))
    calibration = calibrate(validation.actual, raw)
    predictor = Predictor(network, calibration)
    values = {}
    for suffix, quantiles in (
        ("", validation.quantiles(predictor)),
        ("_uncalibrated", raw),
    ):
        loss = scores.pinball(validation.actual, quantiles).mean()
        coverage = scores.covered(validation.actual, quantiles, 80).mean(axis=0)
        values[f"validation_pinball{suffix}"] = float(f"{loss:.6g}")
        values[f"validation_coverage_80{suffix}"] = [round(float(v), 3) for v in coverage]
    return predictor, cards.variant(
        network,
        record,
        f"python -m training.forecasting train --cell {name}",
        SCORED_ON,
        values,
        calibration=[round(float(factor), 4) for factor in calibration],
    )


def _score(card, files, split, predictors, work_dir):
    """Put the scores of networks and baselines on the validation days into the card."""
    # As the test is scored, with the validation in its place and nothing after it.
    validation = replace(split, tests=dict.fromkeys(files, split.validation))
    past = {
        file: [
            one for one in map(split.before_test, series) if len(validation.test_origins(one, file))
        ]
        for file, series in files.items()
    }
    past = {file: series for file, series in past.items() if series}
    networks, scores_by_baseline = card_scores(
        *score(past, validation, predictors, work_dir), list(predictors)
    )
    for name, values in networks.items():
        card["variants"][name] |= values
    for name, values in scores_by_baseline.items():
        card["baselines"].setdefault(name, {}).update(values)


def _new_card(output, seed, split, files, histories, validation, official):
    """A card with what all variants share, and what stands in `output` already."""
    return cards.new_card(
        output,
        "forecasting",
        "Price forecasting",
        seed,
        SCORED_ON,
        data="daily prices of 570 shares and an index, 1927 to 2025" if official else "own prices",
        horizons=HORIZONS,
        trained_until=str(split.validation - np.timedelta64(1, "D")),
        validated_until=str(split.cutoff - np.timedelta64(1, "D")),
        tests_from={name: str(start) for name, start in split.tests.items()},
        series={name: len(series) for name, series in files.items()},
        training_series=len(histories),
        training_days=int(sum(len(history.rows) for history in histories)),
        validation_origins=len(validation.rows),
        licence="Weights: Apache-2.0. Prices: not shipped.",
        limits=[
            "It says how far a price may move, and hardly which way. Not financial advice.",
            "It has learned from shares of large American companies that still exist, and one "
            "index, up to 2013: other markets, and breaks without a precedent, are guesses.",
            "It knows past prices only: no news, no earnings dates, no option prices.",
        ],
        baselines=cards.old_card(output).get("baselines", {}),
    )
