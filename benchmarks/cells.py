"""Times the laboratory of cells beside other ways to the same numbers.

    python -m benchmarks.cells [--quick] [--only unrolled,gradients,race] [--json FILE]

Everything runs in one process, the candidates in turn, so that whatever else the machine does hits
them alike; the figures are medians, in milliseconds, warm.

unrolled: all numbers of a sequence, and one step of the reader in a browser (if there is one).
gradients: the curves of four cells over 100 time steps, everything that the page draws, beside
    `tf.GradientTape` over Keras's own cells stepped in Python, one tape for all lags, and beside
    one tape per lag; those two find the curves alone, without Jacobians and singular values.
race: ten training steps of each of four cells at batch 32, 50 time steps, 32 units, as the race
    runs them, two cells at a time, beside `keras.layers` with `train_on_batch`. The steps a second
    in sum are 40,000 over the milliseconds.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
from concurrent.futures import ThreadPoolExecutor
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from apps.cells.gradients import flow
from apps.cells.gradients.views import CELLS
from apps.cells.race import race as races
from apps.cells.unrolled import steps
from apps.cells.unrolled.views import unrolled as figure
from benchmarks.layers import medians
from shared import page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def unrolled(repeats):
    """A sequence of 12 numbers read and drawn, and a step through it."""
    text = "1 0 -0.5 2 0 0 1 1 0 -1 0 3"
    times = medians(
        {
            "read and draw, 12 steps, LSTM": lambda: figure(steps.read(text, "lstm", 2, 0)),
            "read and draw, 12 steps, GRU": lambda: figure(steps.read(text, "gru", 2, 0)),
        },
        repeats,
    )
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser:
        drawn = figure(steps.read(text, "lstm", 4, 0))
        times["a step in the browser, 12 steps, LSTM of 4 units"] = _step(browser, drawn, repeats)
    return times


def _step(browser, drawn, repeats):
    """Median milliseconds from a click to the new layout."""
    from playwright.sync_api import sync_playwright

    measure = """repeats => {
        const stepper = document.querySelector(".stepper"), found = [];
        const button = stepper.querySelector("[data-move=on]");
        for (let n = 0; n < repeats; n++) {
            const start = performance.now();
            button.click();
            stepper.getBoundingClientRect();
            found.push(performance.now() - start);
        }
        return found;
    }"""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        tab = running.new_page(viewport={"width": 1280, "height": 900})
        tab.set_content(f"<html><head>{page.head()}</head><body class=text>{drawn}</body></html>")
        found = tab.evaluate(measure, 4 * repeats)
        running.close()
    return statistics.median(found)


def gradients(repeats):
    """The curves of four cells at the page's first sight, beside automatic differentiation."""
    setting = flow.Setting()
    tapes = {name: _keras_cell(name, setting) for name in CELLS}
    inputs, readout = flow.inputs_and_readout(setting.length, setting.units, setting.seed)
    calls = {
        "ours, with Jacobians and singular values": lambda: [
            flow.measure(name, setting) for name in CELLS
        ],
        "one tape for all lags": lambda: [
            one_tape(cell, inputs, readout) for cell in tapes.values()
        ],
    }
    times = medians(calls, max(repeats // 5, 3))
    slow = {
        "one tape per lag, 3 of the 101 lags": lambda: [
            tape_per_lag(cell, inputs, readout) for cell in tapes.values()
        ]
    }
    times |= medians(slow, 1)
    for name, cell in tapes.items():
        np.testing.assert_allclose(
            one_tape(cell, inputs, readout), flow.measure(name, setting).norms, rtol=1e-2, atol=1e-6
        )
    return times


def _keras_cell(name, setting):
    """Keras's own cell with the same weights."""
    cells = {"lstm": keras.layers.LSTMCell, "gru": keras.layers.GRUCell}
    options = {} if name in cells else {"activation": "relu" if name == "irnn" else "tanh"}
    cell = cells.get(name, keras.layers.SimpleRNNCell)(setting.units, **options)
    cell.build((None, 1))
    values = (setting.units, setting.start, setting.radius, setting.bias, setting.seed)
    cell.set_weights(flow.initial_weights(name, *values))
    return cell


def _forward(cell, inputs, states):
    """The states after every step, the first ones before them."""
    kept = [states]
    for x in np.swapaxes(inputs, 0, 1):
        _, states = cell(tf.constant(x), states)
        kept.append(list(states))
    return kept


def one_tape(cell, inputs, readout):
    """|∂L/∂h| at every lag from one recording of all steps."""
    states = cell.get_initial_state(batch_size=len(inputs))
    with tf.GradientTape() as tape:
        tape.watch(states)
        kept = _forward(cell, inputs, list(states))
        loss = tf.reduce_sum(kept[-1][0] * readout)
    found = tape.gradient(loss, [each[0] for each in kept])
    return np.linalg.norm(np.stack(found[::-1]), axis=-1).mean(axis=1)


def tape_per_lag(cell, inputs, readout):
    """The same for every fiftieth lag alone, from one recording each, of the steps after it."""
    kept = _forward(cell, inputs, cell.get_initial_state(batch_size=len(inputs)))
    found = []
    for lag in range(0, len(kept), 50):
        states = kept[len(kept) - 1 - lag]
        with tf.GradientTape() as tape:
            tape.watch(states)
            last = _forward(cell, inputs[:, len(kept) - 1 - lag :], states)[-1]
            loss = tf.reduce_sum(last[0] * readout)
        found.append(tape.gradient(loss, states[0]))
    return np.linalg.norm(np.stack(found), axis=-1).mean(axis=1)


def race(repeats):
    """Ten steps of the race for all cells, and the same networks of `keras.layers`."""
    ours = races.Race(races.Setting())
    for _ in ours.prepare():
        pass
    theirs = {name: _keras_network(name) for name in ours.runners}
    runners = list(ours.runners.values())

    def step():
        batches = ours.batches(0, races.MAX_STEPS_PER_CALL)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(partial(ours.train, batches), runners))

    def keras_step():
        for inputs, targets, scored in zip(*ours.batches(0, races.MAX_STEPS_PER_CALL), strict=True):
            for network in theirs.values():
                network.train_on_batch(inputs, targets[..., None], sample_weight=scored)

    return medians(
        {"ten steps of four cells": step, "keras.layers, train_on_batch": keras_step}, repeats
    )


def _keras_network(name):
    """Keras's own layers with the race's sizes, compiled as Keras does by itself."""
    layers = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
    options = {} if name in layers else {"activation": "relu" if name == "irnn" else "tanh"}
    recurrent = layers.get(name, keras.layers.SimpleRNN)(32, return_sequences=True, **options)
    network = keras.Sequential([keras.Input((50, 2)), recurrent, keras.layers.Dense(1)])
    network.compile(optimizer=keras.optimizers.Adam(0.01, global_clipnorm=1.0), loss="mse")
    return network


# Each a function of how many repeats, returning milliseconds by the candidates' names.
PARTS = {"unrolled": unrolled, "gradients": gradients, "race": race}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures to FILE")
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    parser.add_argument("--only", default=",".join(PARTS), help="default: %(default)s")
    options = parser.parse_args()

    found = {}
    for name in options.only.split(","):
        found[name] = PARTS[name](7 if options.quick else 25)
        print(name)
        for candidate, milliseconds in found[name].items():
            print(f"  {candidate:52}{milliseconds:10.1f} ms", flush=True)
    if options.json:
        versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
        machine = {"python": platform.python_version(), "cores": os.cpu_count()}
        with open(options.json, "w") as file:
            json.dump({"versions": versions, "machine": machine, "parts": found}, file, indent=2)


if __name__ == "__main__":
    main()
