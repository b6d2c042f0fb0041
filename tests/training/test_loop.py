"""A training run that is killed, in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from training import loop

EPOCHS = 4
KILLED = """
import time
from pathlib import Path
import numpy as np
from training import loop
from tests.training.test_loop import fit

save = np.savez

def half(path, *arrays):
    save(path, *arrays)
    if path.name.startswith("epoch1") and Path("epoch0.npz").exists():
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        Path("writing").touch()
        time.sleep(600)

np.savez = half
fit(Path())
"""


def fit(folder, stop_at=None):
    """A run of four epochs that learns a line, with noise: the model, the record, the batches made.

    It breaks off at batch `stop_at`, a pair of an epoch and a number.
    """
    dropout = keras.layers.Dropout(0.3, seed=1)  # where its noise stands is resumed too
    network = keras.Sequential([keras.Input((1,)), dropout, keras.layers.Dense(1, "linear", False)])
    network.layers[-1].kernel.assign(np.zeros((1, 1)))
    rate = keras.optimizers.schedules.CosineDecay(0.1, 3 * EPOCHS)
    network.compile(keras.optimizers.Adam(rate), "mse")
    x, made = np.linspace(-1, 1, 8)[:, None], []

    def score():
        return {"score": float(network.layers[-1].kernel[0, 0])}

    def batches(epoch):
        def make(number):
            if (epoch, number) == stop_at:
                raise KeyboardInterrupt
            made.append((epoch, number))
            return x, (2 + number) * x

        return loop.Batches(3, make)

    record = loop.fit(network, batches, score, folder, {}, EPOCHS, verbose=0)
    return network, record, made


def test_a_run_killed_while_it_writes_a_checkpoint_loses_one_epoch(tmp_path, caplog):
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    child = subprocess.Popen([sys.executable, "-c", KILLED], cwd=tmp_path, env=environment)
    while not (tmp_path / "writing").exists():  # of the third epoch, after two that are whole
        assert child.poll() is None
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    caplog.set_level("INFO")
    resumed, record, _ = fit(tmp_path)
    assert "resumed after epoch 2 and batch 0 " in caplog.text
    whole, expected, _ = fit(tmp_path / "whole")
    assert len(record["epochs"]) == EPOCHS
    np.testing.assert_allclose(
        [epoch["loss"] for epoch in record["epochs"]],
        [epoch["loss"] for epoch in expected["epochs"]],
        rtol=1e-4,
    )
    np.testing.assert_allclose(resumed.get_weights(), whole.get_weights(), rtol=1e-4)


@pytest.mark.parametrize("stop_at", [(0, 2), (2, 1)])
def test_a_run_resumes_at_the_batch_where_it_was_interrupted(tmp_path, monkeypatch, stop_at):
    whole, expected, every = fit(tmp_path / "whole")
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)  # a checkpoint after every batch
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "run", stop_at)
    resumed, record, made = fit(tmp_path / "run")
    assert made == every[every.index(stop_at) :]
    np.testing.assert_allclose(resumed.get_weights(), whole.get_weights(), rtol=1e-4)
    assert [epoch["score"] for epoch in record["epochs"]] == pytest.approx(
        [epoch["score"] for epoch in expected["epochs"]], rel=1e-4
    )
    assert record["minutes"] > 0
    assert not (tmp_path / "run" / "progress.npz").exists()


def test_a_checkpoint_within_an_epoch_serves_its_own_recipe_and_epoch_only(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, (1, 2))
    kept = (tmp_path / "progress.npz").read_bytes()
    _, _, made = fit(tmp_path)
    assert made[0] == (1, 2)
    (tmp_path / "progress.npz").write_bytes(kept)  # as if its removal had been lost
    _, record, made = fit(tmp_path)
    assert (made, len(record["epochs"])) == ([], EPOCHS)
    (tmp_path / "progress.npz").write_bytes(kept)
    state = (tmp_path / "state.json").read_text()
    (tmp_path / "state.json").write_text(state.replace('"recipe": {}', '"recipe": {"units": 3}'))
    _, _, made = fit(tmp_path)
    assert made[0] == (0, 0)
    assert not (tmp_path / "progress.npz").exists()


@pytest.mark.parametrize("interrupted", [False, True])
def test_the_loss_of_an_epoch_is_the_mean_of_its_batches_weighted_by_rows(
    tmp_path, monkeypatch, interrupted
):
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    network.layers[0].kernel.assign(np.zeros((1, 1)))
    network.compile(keras.optimizers.SGD(0.0), "mse")  # its answer is always 0
    targets = [np.full((3, 1), 10.0), np.zeros((1, 1))]  # losses of 100 and 0
    interruptions = [1] if interrupted else []

    def make(number):
        if number in interruptions:
            interruptions.clear()
            raise KeyboardInterrupt
        return np.ones_like(targets[number]), targets[number]

    def fit():
        return loop.fit(
            network, lambda _: loop.Batches(2, make), lambda: {"score": 0}, tmp_path, {}, 1,
            verbose=0,
        )  # fmt: skip

    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    if interrupted:
        with pytest.raises(KeyboardInterrupt):
            fit()
    assert fit()["epochs"][0]["loss"] == pytest.approx(75.0)
