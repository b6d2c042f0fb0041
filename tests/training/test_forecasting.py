import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from apps.forecasting.examples import simulated
from apps.forecasting.features import HORIZONS, NAMES
from apps.forecasting.model import ForecastNetwork, Pinball
from apps.forecasting.predictor import Predictor
from shared import bundle
from tests.training.commands import refusal, run
from training.forecasting import fit, recipe
from training.forecasting.__main__ import app
from training.forecasting.data import Split, read_files


def write(path, days=700, count=3):
    rows = ["ticker,date,close"]
    for number in range(count):
        made = simulated("garch", days, seed=number)
        pairs = zip(made.dates, made.close, strict=True)
        rows += [f"T{number},{date},{close:.4f}" for date, close in pairs]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A bundle fitted to made-up prices by the real command, small and in seconds."""
    folder = tmp_path_factory.mktemp("forecasting")
    write(folder / "prices.csv")
    with pytest.MonkeyPatch.context() as patch:
        small = replace(recipe.RECIPE, units=6, width=8, batch_size=4, window=96)
        patch.setattr(fit, "RECIPE", small)
        patch.setattr(recipe, "SUBSET_STRIDE", 100)
        patch.setattr(recipe, "SUBSET_SERIES", 1)
        arguments = ["train", "--input", folder / "prices.csv", "--output", folder / "bundle"]
        arguments += ["--work-dir", folder / "work", "--cell", "gru"]
        metrics = run(app, *arguments, "--epochs", 2, "--batches", 2)
    return folder, metrics


def evaluate(folder, *more):
    """The metrics of the command for the network that `trained` fits."""
    arguments = ["evaluate", "--input", folder / "prices.csv", "--work-dir", folder / "work"]
    return run(app, *arguments, "--cell", "gru", *more)


def test_train_writes_a_bundle_that_answers(trained):
    folder, metrics = trained
    assert metrics["gru"] > 0
    card = bundle.read_card(folder / "bundle")
    details = card["variants"]["gru"]
    for key in ("pinball", "crps", "mase", "coverage_50", "coverage_80", "coverage_90", "origins"):
        assert np.isfinite(details[key])
    assert len(details["by_horizon"]["coverage_80"]) == HORIZONS
    assert set(details["p_values"]) == {"naive", "drift", "seasonal", "ewma", "garch"}
    assert card["baselines"]["garch"]["pinball"] > 0
    assert card["baselines"]["arima"]["subset"]["pinball"] > 0
    forecast = Predictor.load("gru", folder / "bundle").forecast(simulated("garch", 200))
    assert (np.diff(forecast.quantiles, axis=1) >= 0).all()


def test_test_scores_come_from_evaluate_alone(trained, tmp_path):
    folder, _ = trained
    model = shutil.copytree(folder / "bundle", tmp_path / "bundle")
    card = bundle.read_card(model)
    assert card["test_set"] == "validation days, every day an origin"
    before = card["variants"]["gru"]
    (series, *_) = read_files(None, folder / "prices.csv", None)["input"]
    split = Split.of({"input": [series]})
    origins = split.validation_origins(split.before_test(series))
    assert before["origins"] == 3 * len(origins) > 0
    metrics = evaluate(folder, "--model", model, "--save")
    card = bundle.read_card(model)
    details = card["variants"]["gru"]
    assert details["pinball"] == metrics["pinball"] != before["pinball"]
    assert details["origins"] == metrics["origins"]
    assert card["baselines"]["garch"]["pinball"] == metrics["baseline_garch_pinball"]
    assert "validation_pinball" in card["baselines"]["naive"]
    assert card["test_set"] == "last part of each series, walk-forward"


def test_the_state_of_a_run_is_saved(trained):
    folder, _ = trained
    state = json.loads((folder / "work/gru/state.json").read_text())
    assert len(state["epochs"]) == 2
    assert state["recipe"]["cell"] == "gru"


def test_evaluate_prints_the_promised_keys(trained):
    folder, _ = trained
    metrics = evaluate(folder, "--model", folder / "bundle")
    promised = ["pinball", "crps", "mase", "coverage_50", "coverage_80", "coverage_90", "direction"]
    for name in ("naive", "drift", "seasonal", "ewma", "garch"):
        assert all(f"baseline_{name}_{key}" in metrics for key in promised)
        assert 0 <= metrics[f"baseline_{name}_p"] <= 1
    assert {*promised, "origins", "seconds"} <= set(metrics)
    assert metrics["baseline_naive_direction"] is None


@pytest.mark.parametrize("text", ["date,close\n2024-01-01,5\n", "a,b\n1,2\n", ""])
def test_unusable_files_are_refused(tmp_path, text, texts):
    path = tmp_path / "prices.csv"
    path.write_text(text)
    for command in ("train", "evaluate"):
        texts(refusal(app, command, "--input", path, folder=tmp_path))


def test_a_missing_corpus_says_which_file_to_put_where(tmp_path, texts):
    texts(refusal(app, "train", "--data-dir", tmp_path, folder=tmp_path))


def test_one_step_of_training_lowers_the_loss():
    import keras

    made = simulated("garch", 600)
    histories = [fit.History.of(made, 600)]
    places = fit.draw_windows(histories, 4, 0)
    rows, targets = fit.make_batch(histories, places[:4], np.random.default_rng(0))
    network = ForecastNetwork("rnn", units=4, width=4, dropout=0.0, seed=0)
    network.build((None, None, len(NAMES)))
    network.every = fit.RECIPE.stride
    network.compile(optimizer=keras.optimizers.SGD(0.05), loss=Pinball())
    first = float(network.train_on_batch(rows, targets))
    second = float(network.train_on_batch(rows, targets))
    assert np.isfinite(first) and second < first


def test_training_sees_nothing_after_its_last_day():
    made = simulated("garch", 500)
    before = fit.History.of(made, 300)
    close = made.close.copy()
    close[300:] = close[300:][::-1] * 5
    after = fit.History.of(made.__class__("x", made.dates, close), 300)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    # A day whose future reaches past the end has no target there.
    assert np.isnan(before.targets[-1]).all()
    assert np.isnan(before.targets[-HORIZONS:, -1]).all()
    assert not np.isnan(before.targets[:-HORIZONS]).any()


def test_first_days_of_a_window_have_no_loss():
    histories = [fit.History.of(simulated("walk", 400), 400)]
    places = fit.draw_windows(histories, 2, 1)
    assert all(first >= 20 for _, first in places)
    rows, targets = fit.make_batch(histories, places[:2], np.random.default_rng(0))
    assert rows.shape == (2, fit.RECIPE.window, len(NAMES))
    assert targets.shape == (2, fit.RECIPE.window // fit.RECIPE.stride, HORIZONS)
    assert np.isnan(targets[:, : fit.RECIPE.unscored_days // fit.RECIPE.stride]).all()


def test_calibrated_80_percent_intervals_have_80_percent_coverage():
    from apps.forecasting import scores
    from apps.forecasting.baselines import normal_quantiles

    rng = np.random.default_rng(0)
    actual = 2 * rng.standard_normal((5000, 6))
    quantiles = normal_quantiles(np.zeros((5000, 6)), np.ones((5000, 6)))
    factors = fit.calibrate(actual, quantiles)
    np.testing.assert_allclose(factors, 2, rtol=0.05)
    coverage = scores.covered(actual, quantiles * factors[:, None], 80).mean(axis=0)
    np.testing.assert_allclose(coverage, 0.8, atol=0.02)
