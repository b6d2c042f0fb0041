"""Times our recurrent layers beside `keras.layers` and, if it is installed, `torch.nn`.

`python -m benchmarks.layers [--quick] [--cells lstm,gru] [--json FILE]`. All candidates run in one
process, one call each in turn, so that whatever else the machine does affects them alike; the
figures are medians in milliseconds. "graph" is a plain `tf.function`, "jit" the same compiled by
XLA. The backward pass computes the gradients with respect to all weights. A ratio above 1 means
that ours is faster; "as called" compares the way the site calls its networks, compiled, with the
way Keras is commonly called, a plain graph.
"""

import json
import os
import platform
from typing import Annotated

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import tensorflow as tf
import typer

from benchmarks.timing import JsonFile, medians_in_turn
from unrolled.layers import GRUCell, LSTMCell, Recurrent, RNNCell

try:
    import torch
except ImportError:
    torch = None

app = typer.Typer(add_completion=False)

SHAPES = [(1, 100, 256), (1, 200, 128), (32, 100, 128), (64, 50, 512)]  # batch, time, units
CELLS = {
    "rnn": (RNNCell, keras.layers.SimpleRNN, "RNN"),
    "gru": (GRUCell, keras.layers.GRU, "GRU"),
    "lstm": (LSTMCell, keras.layers.LSTM, "LSTM"),
}
COLUMNS = ("keras graph", "keras jit", "ours graph", "ours jit", "torch")
RATIO_WIDTHS = {"graph": 10, "jit": 7, "as called": 11, "torch": 7}
TARGETS = {"graph": 0.95, "jit": 0.95, "as called": 2.5}  # ratios to reach in every row


def make_tensorflow_call(layer, inputs, backward, jit):
    """A function that runs a Keras layer, or the layer and its gradients, as one graph."""

    @tf.function(jit_compile=jit, autograph=False)
    def forward(inputs):
        return layer(inputs)

    @tf.function(jit_compile=jit, autograph=False)
    def forward_and_backward(inputs):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(inputs) ** 2)
        return tape.gradient(loss, layer.trainable_variables)

    run = forward_and_backward if backward else forward
    return lambda: run(inputs)


def make_torch_call(layer, inputs, backward):
    """A function that runs a torch layer, or the layer and its gradients."""

    def forward():
        with torch.no_grad():
            return layer(inputs)

    def forward_and_backward():
        layer.zero_grad()
        (layer(inputs)[0] ** 2).sum().backward()

    return forward_and_backward if backward else forward


def make_candidates(cell, shape, backward):
    """The functions to time, by column."""
    our_cell, keras_layer, torch_name = CELLS[cell]
    units = shape[-1]
    inputs = keras.random.normal(shape, seed=0)
    layers = {
        "keras": keras_layer(units, return_sequences=True),
        "ours": Recurrent(our_cell(units), return_sequences=True),
    }
    calls = {}
    for name, layer in layers.items():
        layer.build(shape)
        for mode in ("graph", "jit"):
            calls[f"{name} {mode}"] = make_tensorflow_call(layer, inputs, backward, mode == "jit")
    if torch:
        layer = getattr(torch.nn, torch_name)(units, units, batch_first=True)
        calls["torch"] = make_torch_call(layer, torch.tensor(inputs.numpy()), backward)
    return calls


def compute_ratios(times, batch, backward):
    """How many times faster ours is: by mode, as called, and against torch (ours at its best)."""
    ratios = {
        "graph": times["keras graph"] / times["ours graph"],
        "jit": times["keras jit"] / times["ours jit"],
    }
    if batch == 1 and not backward:
        ratios["as called"] = times["keras graph"] / times["ours jit"]
    if "torch" in times:
        ratios["torch"] = times["torch"] / min(times["ours graph"], times["ours jit"])
    return ratios


def measure_shape(cell, shape, backward, quick):
    """Time one row of the table, print it and return it as a dict."""
    batch, length, units = shape
    repeats = (9 if quick else 45) // (3 if batch == 64 else 1)
    times = medians_in_turn(make_candidates(cell, shape, backward), repeats)
    ratios = compute_ratios(times, batch, backward)
    label = f"{cell} B{batch} T{length} U{units} {'f+b' if backward else 'fwd'}"
    print(f"{label:22}" + "".join(f"{times.get(name, 0):12.1f}" for name in COLUMNS), end="")
    for name, width in RATIO_WIDTHS.items():
        print(f"{ratios[name]:{width}.2f}" if name in ratios else " " * width, end="")
    print(flush=True)
    keras.utils.clear_session()
    row = {"cell": cell, "batch": batch, "time": length, "units": units, "backward": backward}
    return {**row, "milliseconds": times, "ratios": ratios}


@app.command()
def main(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer repeats.")] = False,
    cells: Annotated[str, typer.Option(help="Which cells, separated by commas.")] = ",".join(CELLS),
    json_file: JsonFile = None,
):
    """Time the recurrent layers, forward and backward, at four shapes."""
    print("Milliseconds (medians), then how many times faster ours is")
    print(f"{'':22}" + "".join(f"{name:>12}" for name in COLUMNS), end="")
    print("".join(f"{name:>{width}}" for name, width in RATIO_WIDTHS.items()))
    rows = [
        measure_shape(cell, shape, backward, quick)
        for cell in cells.split(",")
        for shape in SHAPES
        for backward in (False, True)
    ]
    for name, target in TARGETS.items():
        lowest = min(row["ratios"][name] for row in rows if name in row["ratios"])
        verdict = "reaches" if lowest >= target else "misses"
        print(f"lowest ratio, {name}: {lowest:.2f} ({verdict} {target})")
    if json_file:
        versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
        versions["torch"] = torch.__version__ if torch else None
        machine = {"python": platform.python_version(), "cores": os.cpu_count()}
        figures = {"versions": versions, "machine": machine, "rows": rows}
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    app()
