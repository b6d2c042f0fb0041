"""Times our recurrent layers beside `keras.layers` and, if it is installed, `torch.nn`.

    python -m benchmarks.layers [--quick] [--cells lstm,gru] [--json FILE]

All candidates run in one process, one call each in turn, so that whatever else the machine does
hits them alike; the figures are medians, in milliseconds. "graph" is a plain `tf.function`,
"jit" the same compiled by XLA. Backward means the gradients by all weights. A ratio above 1 says
that ours is faster; "as called" compares the way the site calls its networks, compiled, with
the way Keras is commonly called, a plain graph.
"""

import argparse
import json
import os
import platform
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import tensorflow as tf

from shared.layers import GRUCell, LSTMCell, Recurrent, RNNCell

try:
    import torch
except ImportError:
    torch = None

SHAPES = [(1, 100, 256), (1, 200, 128), (32, 100, 128), (64, 50, 512)]  # batch, time, units
CELLS = {
    "rnn": (RNNCell, keras.layers.SimpleRNN, "RNN"),
    "gru": (GRUCell, keras.layers.GRU, "GRU"),
    "lstm": (LSTMCell, keras.layers.LSTM, "LSTM"),
}
COLUMNS = ("keras graph", "keras jit", "ours graph", "ours jit", "torch")


def tensorflow_call(layer, inputs, backward, jit):
    """A compiled call of a Keras layer, or of it and its gradients."""

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


def torch_call(layer, inputs, backward):
    """A call of a torch layer, or of it and its gradients."""

    def forward():
        with torch.no_grad():
            return layer(inputs)

    def forward_and_backward():
        layer.zero_grad()
        (layer(inputs)[0] ** 2).sum().backward()

    return forward_and_backward if backward else forward


def candidates(cell, shape, backward):
    """The calls to time, by column."""
    own, reference, torch_name = CELLS[cell]
    units = shape[-1]
    inputs = keras.random.normal(shape, seed=0)
    layers = {
        "keras": reference(units, return_sequences=True),
        "ours": Recurrent(own(units), return_sequences=True),
    }
    calls = {}
    for name, layer in layers.items():
        layer.build(shape)
        for mode in ("graph", "jit"):
            calls[f"{name} {mode}"] = tensorflow_call(layer, inputs, backward, mode == "jit")
    if torch:
        layer = getattr(torch.nn, torch_name)(units, units, batch_first=True)
        calls["torch"] = torch_call(layer, torch.tensor(inputs.numpy()), backward)
    return calls


def medians(calls, repeats):
    """Median milliseconds of each call, run in turn."""
    for call in calls.values():  # compiles
        call()
        call()
    seconds = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: 1000 * statistics.median(values) for name, values in seconds.items()}


def ratios(times, batch, backward):
    """How many times faster ours is: by mode, as called, and against torch (ours at its best)."""
    found = {
        "graph": times["keras graph"] / times["ours graph"],
        "jit": times["keras jit"] / times["ours jit"],
    }
    if batch == 1 and not backward:
        found["as called"] = times["keras graph"] / times["ours jit"]
    if "torch" in times:
        found["torch"] = times["torch"] / min(times["ours graph"], times["ours jit"])
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures to FILE")
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    parser.add_argument("--cells", default=",".join(CELLS), help="default: %(default)s")
    options = parser.parse_args()

    rows = []
    print("Milliseconds (medians), then how many times faster ours is")
    print(f"{'':22}" + "".join(f"{name:>12}" for name in COLUMNS), end="")
    print(f"{'graph':>10}{'jit':>7}{'as called':>11}{'torch':>7}")
    for cell in options.cells.split(","):
        for batch, length, units in SHAPES:
            for backward in (False, True):
                repeats = (9 if options.quick else 45) // (3 if batch == 64 else 1)
                times = medians(candidates(cell, (batch, length, units), backward), repeats)
                found = ratios(times, batch, backward)
                label = f"{cell} B{batch} T{length} U{units} {'f+b' if backward else 'fwd'}"
                print(f"{label:22}" + "".join(f"{times.get(n, 0):12.1f}" for n in COLUMNS), end="")
                widths = {"graph": 10, "jit": 7, "as called": 11, "torch": 7}
                for name, width in widths.items():
                    print(f"{found[name]:{width}.2f}" if name in found else " " * width, end="")
                print(flush=True)
                row = {"cell": cell, "batch": batch, "time": length, "units": units}
                rows.append({**row, "backward": backward, "milliseconds": times, "ratios": found})
                keras.utils.clear_session()
    for name, goal in (("graph", 0.95), ("jit", 0.95), ("as called", 2.5)):
        least = min(row["ratios"][name] for row in rows if name in row["ratios"])
        print(f"least {name}: {least:.2f} ({'reached' if least >= goal else 'short of'} {goal})")
    if options.json:
        versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
        versions["torch"] = torch.__version__ if torch else None
        machine = {"python": platform.python_version(), "cores": os.cpu_count()}
        with open(options.json, "w") as file:
            json.dump({"versions": versions, "machine": machine, "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()
