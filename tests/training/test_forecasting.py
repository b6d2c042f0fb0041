import json

import numpy as np
import pytest
from typer.testing import CliRunner

from apps.forecasting.examples import simulated
from apps.forecasting.features import HORIZONS, NAMES
from apps.forecasting.model import ForecastNetwork, Pinball
from apps.forecasting.predictor import Predictor
from shared import bundle
from training.forecasting import train as forecasting


def write(path, days=700, count=3):
    rows = ["ticker,date,close"]
    for number in range(count):
        made = simulated("garch", days, seed=number)
        pairs = zip(made.dates, made.close, strict=True)
        rows += [f"T{number},{date},{close:.4f}" for date, close in pairs]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def run(*arguments):
    return CliRunner().invoke(forecasting.app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A bundle fitted to made-up prices by the real command, small and in seconds."""
    folder = tmp_path_factory.mktemp("forecasting")
    write(folder / "prices.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forecasting, "UNITS", 6)
        patch.setattr(forecasting, "WIDTH", 8)
        patch.setattr(forecasting, "BATCH", 4)
        patch.setattr(forecasting, "RARELY", 100)
        patch.setattr(forecasting, "SUBSET", 1)
        patch.setattr(forecasting, "LENGTH", 96)
        result = run(
            "train",
            *("--input", folder / "prices.csv"),
            *("--output", folder / "bundle"),
            *("--work-dir", folder / "work"),
            *("--cell", "gru", "--epochs", 2, "--batches", 2, "--json"),
        )
    assert result.exit_code == 0, result.output
    return folder, result


def test_train_writes_a_bundle_that_answers(trained):
    folder, result = trained
    assert json.loads(result.stdout.splitlines()[-1])["gru"] > 0
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


def test_a_stopped_run_resumes(trained):
    folder, _ = trained
    state = json.loads((folder / "work/gru/state.json").read_text())
    assert len(state["epochs"]) == 2
    assert state["recipe"]["cell"] == "gru"


def test_evaluate_prints_the_promised_keys(trained):
    folder, _ = trained
    result = run(
        *("evaluate", "--input", folder / "prices.csv", "--model", folder / "bundle"),
        *("--work-dir", folder / "work", "--cell", "gru", "--json"),
    )
    assert result.exit_code == 0, result.output
    metrics = json.loads(result.stdout.splitlines()[-1])
    promised = ["pinball", "crps", "mase", "coverage_50", "coverage_80", "coverage_90", "direction"]
    for name in ("naive", "drift", "seasonal", "ewma", "garch"):
        assert all(f"baseline_{name}_{key}" in metrics for key in promised)
        assert 0 <= metrics[f"baseline_{name}_p"] <= 1
    assert {*promised, "origins", "seconds"} <= set(metrics)
    assert metrics["baseline_naive_direction"] is None
    details = bundle.read_card(folder / "bundle")["variants"]["gru"]
    assert metrics["pinball"] == pytest.approx(details["pinball"], rel=1e-4)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("date,close\n2024-01-01,5\n", "at least 61"),
        ("a,b\n1,2\n", "date column"),
        ("", "empty"),
    ],
)
def test_unusable_files_are_refused(tmp_path, text, why):
    path = tmp_path / "prices.csv"
    path.write_text(text)
    for command in ("train", "evaluate"):
        result = run(command, "--input", path)
        assert result.exit_code == 2
        assert why in " ".join(result.output.replace("│", " ").split())


def test_a_missing_corpus_says_which_file_to_put_where(tmp_path):
    result = run("train", "--data-dir", tmp_path)
    assert result.exit_code == 2
    assert "us_long_1962_2017.csv.xz" in result.output


def test_one_step_of_training_lowers_the_loss():
    import keras

    made = simulated("garch", 600)
    histories = [forecasting.history(made, 600)]
    places = forecasting.places_of(histories, 4, 0)
    rows, targets = forecasting.batch_of(histories, places[:4], np.random.default_rng(0))
    network = ForecastNetwork("rnn", units=4, width=4, dropout=0.0, seed=0)
    network.build((None, None, len(NAMES)))
    network.every = forecasting.EVERY
    network.compile(optimizer=keras.optimizers.SGD(0.05), loss=Pinball())
    first = float(network.train_on_batch(rows, targets))
    second = float(network.train_on_batch(rows, targets))
    assert np.isfinite(first) and second < first


def test_training_sees_nothing_after_its_last_day():
    made = simulated("garch", 500)
    before = forecasting.history(made, 300)
    close = made.close.copy()
    close[300:] = close[300:][::-1] * 5
    after = forecasting.history(made.__class__("x", made.dates, close), 300)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    # A day whose future reaches past the end has no target there.
    assert np.isnan(before.targets[-1]).all()
    assert np.isnan(before.targets[-HORIZONS:, -1]).all()
    assert not np.isnan(before.targets[:-HORIZONS]).any()


def test_first_days_of_a_window_have_no_loss():
    histories = [forecasting.history(simulated("walk", 400), 400)]
    places = forecasting.places_of(histories, 2, 1)
    assert all(first >= 20 for _, first in places)
    rows, targets = forecasting.batch_of(histories, places[:2], np.random.default_rng(0))
    assert rows.shape == (2, forecasting.LENGTH, len(NAMES))
    assert targets.shape == (2, forecasting.LENGTH // forecasting.EVERY, HORIZONS)
    assert np.isnan(targets[:, : forecasting.SKIPPED // forecasting.EVERY]).all()


def test_calibration_makes_80_percent_hold_80_percent():
    from apps.forecasting import scores
    from apps.forecasting.baselines import normal_quantiles

    random = np.random.default_rng(0)
    actual = 2 * random.standard_normal((5000, 6))
    quantiles = normal_quantiles(np.zeros((5000, 6)), np.ones((5000, 6)))
    factors = forecasting.calibrate(actual, quantiles)
    np.testing.assert_allclose(factors, 2, rtol=0.05)
    coverage = scores.covered(actual, quantiles * factors[:, None], 80).mean(axis=0)
    np.testing.assert_allclose(coverage, 0.8, atol=0.02)
