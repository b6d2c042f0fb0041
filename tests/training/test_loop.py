"""A training run that is killed, in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np

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


def fit(folder):
    """A run of four epochs that learns y = 2 x, with noise; returns the model and the record."""
    dropout = keras.layers.Dropout(0.3, seed=1)  # where its noise stands is resumed too
    network = keras.Sequential([keras.Input((1,)), dropout, keras.layers.Dense(1, "linear", False)])
    network.layers[-1].kernel.assign(np.zeros((1, 1)))
    rate = keras.optimizers.schedules.CosineDecay(0.1, 3 * EPOCHS)
    network.compile(keras.optimizers.Adam(rate), "mse")
    x = np.linspace(-1, 1, 8)[:, None]

    def score():
        return {"score": float(network.layers[-1].kernel[0, 0])}

    def batches(epoch):
        return loop.Batches(3, lambda number: (x, 2 * x))

    return network, loop.fit(network, batches, score, folder, {}, EPOCHS, verbose=0)


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
    resumed, record = fit(tmp_path)
    assert "resumed after epoch 2 " in caplog.text
    whole, expected = fit(tmp_path / "whole")
    assert len(record["epochs"]) == EPOCHS
    np.testing.assert_allclose(
        [epoch["loss"] for epoch in record["epochs"]],
        [epoch["loss"] for epoch in expected["epochs"]],
        rtol=1e-4,
    )
    np.testing.assert_allclose(resumed.get_weights(), whole.get_weights(), rtol=1e-4)
