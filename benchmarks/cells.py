"""Times the laboratory of cells beside other ways to compute the same numbers.

`python -m benchmarks.cells [--quick] [--only unrolled,gradients,race] [--json FILE]`. Everything is
run in one process, the candidates in turn, so that other work on the machine affects them alike.
The figures are median milliseconds, warm.

unrolled: all numbers of a sequence, and one step of the visitor in a browser (if there is one).
gradients: the curves of four cells over 100 time steps, with everything that the page draws, beside
    `tf.GradientTape` over Keras's own cells stepped in Python, with one tape for all lags and with
    one tape per lag. Those two compute the curves alone, without Jacobians and singular values.
race: ten training steps of each of four cells at batch 32, 50 time steps and 32 units, as the race
    runs them, two cells at a time, beside `keras.layers` with `train_on_batch`. The total number of
    steps per second is 40,000 divided by the milliseconds.
"""

import json
import os
import platform
import shutil
import statistics
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
import typer

from apps.cells.gradients import flow
from apps.cells.gradients.views import CELLS
from apps.cells.race.race import MAX_STEPS_PER_CALL, Race, Setting
from apps.cells.unrolled import steps
from apps.cells.unrolled.views import unrolled as draw_unrolled
from benchmarks.timing import JsonFile, medians_in_turn
from shared.site import theme

app = typer.Typer(add_completion=False)

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def measure_unrolled(repeats):
    """Times of reading and drawing a sequence of 12 numbers, and of a step through it."""
    text = "1 0 -0.5 2 0 0 1 1 0 -1 0 3"
    times = medians_in_turn(
        {
            "read and draw, 12 steps, LSTM": lambda: draw_unrolled(steps.read(text, "lstm", 2, 0)),
            "read and draw, 12 steps, GRU": lambda: draw_unrolled(steps.read(text, "gru", 2, 0)),
        },
        repeats,
    )
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser:
        html = draw_unrolled(steps.read(text, "lstm", 4, 0))
        times["a step in the browser, 12 steps, LSTM of 4 units"] = _measure_browser_step(
            browser, html, repeats
        )
    return times


def _measure_browser_step(executable, html, repeats):
    """Median milliseconds from a click on the stepper to the new layout."""
    from playwright.sync_api import sync_playwright

    measure = """repeats => {
        const stepper = document.querySelector(".stepper"), times = [];
        const button = stepper.querySelector("[data-move=on]");
        for (let n = 0; n < repeats; n++) {
            const start = performance.now();
            button.click();
            stepper.getBoundingClientRect();
            times.push(performance.now() - start);
        }
        return times;
    }"""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        head = theme.build_head()
        tab.set_content(f"<html><head>{head}</head><body class=text>{html}</body></html>")
        times = tab.evaluate(measure, 4 * repeats)
        browser.close()
    return statistics.median(times)


def measure_gradients(repeats):
    """Times of the curves of four cells, beside those by automatic differentiation."""
    setting = flow.Setting()
    keras_cells = {name: _make_keras_cell(name, setting) for name in CELLS}
    inputs, readout = flow.inputs_and_readout(setting.length, setting.units, setting.seed)
    candidates = {
        "ours, with Jacobians and singular values": lambda: [
            flow.measure(name, setting) for name in CELLS
        ],
        "one tape for all lags": lambda: [
            gradient_norms(cell, inputs, readout) for cell in keras_cells.values()
        ],
    }
    times = medians_in_turn(candidates, max(repeats // 5, 3))
    slow_candidates = {
        "one tape per lag, 3 of the 101 lags": lambda: [
            gradient_norms_by_lag(cell, inputs, readout) for cell in keras_cells.values()
        ]
    }
    times |= medians_in_turn(slow_candidates, 1)
    for name, cell in keras_cells.items():
        np.testing.assert_allclose(
            gradient_norms(cell, inputs, readout),
            flow.measure(name, setting).norms,
            rtol=1e-2,
            atol=1e-6,
        )
    return times


def _make_keras_cell(name, setting):
    """Keras's own cell with the weights of our cell."""
    cells = {"lstm": keras.layers.LSTMCell, "gru": keras.layers.GRUCell}
    options = {} if name in cells else {"activation": "relu" if name == "irnn" else "tanh"}
    cell = cells.get(name, keras.layers.SimpleRNNCell)(setting.units, **options)
    cell.build((None, 1))
    values = (setting.units, setting.start, setting.radius, setting.bias, setting.seed)
    cell.set_weights(flow.initial_weights(name, *values))
    return cell


def _forward(cell, inputs, states):
    """A list with the initial states and the states after every step."""
    states_by_step = [states]
    for x in np.swapaxes(inputs, 0, 1):
        _, states = cell(tf.constant(x), states)
        states_by_step.append(list(states))
    return states_by_step


def gradient_norms(cell, inputs, readout):
    """|∂L/∂h| at every lag, from one tape over all steps."""
    states = cell.get_initial_state(batch_size=len(inputs))
    with tf.GradientTape() as tape:
        tape.watch(states)
        states_by_step = _forward(cell, inputs, list(states))
        loss = tf.reduce_sum(states_by_step[-1][0] * readout)
    gradients = tape.gradient(loss, [states[0] for states in states_by_step])
    return np.linalg.norm(np.stack(gradients[::-1]), axis=-1).mean(axis=1)


def gradient_norms_by_lag(cell, inputs, readout):
    """|∂L/∂h| at every fiftieth lag, each from a tape of its own over the steps after it."""
    states_by_step = _forward(cell, inputs, cell.get_initial_state(batch_size=len(inputs)))
    steps = len(states_by_step) - 1
    gradients = []
    for lag in range(0, steps + 1, 50):
        states = states_by_step[steps - lag]
        with tf.GradientTape() as tape:
            tape.watch(states)
            last = _forward(cell, inputs[:, steps - lag :], states)[-1]
            loss = tf.reduce_sum(last[0] * readout)
        gradients.append(tape.gradient(loss, states[0]))
    return np.linalg.norm(np.stack(gradients), axis=-1).mean(axis=1)


def measure_race(repeats):
    """Times of ten steps of the race for all cells, and of the same networks of `keras.layers`."""
    race = Race(Setting())
    for _ in race.prepare():
        pass
    keras_networks = {name: _make_keras_network(name) for name in race.runners}
    runners = list(race.runners.values())

    def train_ours():
        batches = race.batches(0, MAX_STEPS_PER_CALL)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(partial(race.train, batches), runners))

    def train_keras():
        for inputs, targets, weights in zip(*race.batches(0, MAX_STEPS_PER_CALL), strict=True):
            for network in keras_networks.values():
                network.train_on_batch(inputs, targets[..., None], sample_weight=weights)

    return medians_in_turn(
        {"ten steps of four cells": train_ours, "keras.layers, train_on_batch": train_keras},
        repeats,
    )


def _make_keras_network(name):
    """Keras's own layers with the race's sizes, compiled with Keras's defaults."""
    layers = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
    options = {} if name in layers else {"activation": "relu" if name == "irnn" else "tanh"}
    recurrent = layers.get(name, keras.layers.SimpleRNN)(32, return_sequences=True, **options)
    network = keras.Sequential([keras.Input((50, 2)), recurrent, keras.layers.Dense(1)])
    network.compile(optimizer=keras.optimizers.Adam(0.01, global_clipnorm=1.0), loss="mse")
    return network


# Functions of the number of repeats that return milliseconds by the candidates' names.
PARTS = {"unrolled": measure_unrolled, "gradients": measure_gradients, "race": measure_race}


@app.command()
def main(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer repeats.")] = False,
    only: Annotated[str, typer.Option(help="Which parts, separated by commas.")] = ",".join(PARTS),
    json_file: JsonFile = None,
):
    """Time the computations of the laboratory's lessons."""
    parts = {}
    for name in only.split(","):
        parts[name] = PARTS[name](7 if quick else 25)
        print(name)
        for candidate, milliseconds in parts[name].items():
            print(f"  {candidate:52}{milliseconds:10.1f} ms", flush=True)
    if json_file:
        versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
        machine = {"python": platform.python_version(), "cores": os.cpu_count()}
        figures = {"versions": versions, "machine": machine, "parts": parts}
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    app()
