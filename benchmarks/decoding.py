"""Times translations, beside loops in Python that call the network once per token.

`python -m benchmarks.decoding [--variant NAME] [--bundle FOLDER] [--data-dir DIR] [--json]`. Median
milliseconds, warm. Ours is one graph from the source tokens to the last target token; greedy search
is a beam of width 1. `predict` calls Keras's `model.predict` once per token, as most tutorials do,
with all hypotheses of a beam in one call. `predict, one by one` calls it once per hypothesis, as
many do. `step` calls a compiled step once per token. All write the same tokens.
"""

import time
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from apps.translation.model import BEGIN, END
from benchmarks.timing import AsJson, median_milliseconds, print_figures
from shared import compiled
from shared.text import choose_bucket, pad
from training.command import DataDir, data_folder

app = typer.Typer(add_completion=False)

TWELVE_WORDS = "A young woman in a red coat is walking through the park."
BATCH_SENTENCES = 256


def measure(variant="attention", bundle=None, data_dir=None, repeats=7):
    """All timings, as a dict."""
    from apps.translation.predictor import PADDED_LENGTHS, Predictor, make_search
    from training.translation import data as translation

    predictor = Predictor.load(variant, bundle)
    pairs = translation.read(data_folder(data_dir), "test")[:BATCH_SENTENCES]
    sentences = [pair.source for pair in pairs]
    times = {}
    for count, texts in ((1, [TWELVE_WORDS]), (len(sentences), sentences)):
        encoded = predictor.tokenizer.encode(texts)
        padded = pad(encoded, choose_bucket(PADDED_LENGTHS, max(map(len, encoded))))
        for width, name in ((1, "greedy"), (4, "beam 4")):
            key = f"{name}, {count} sentence{'s' * (count > 1)}"
            times |= _measure_search(predictor, make_search, padded, width, key, repeats)
    # From text to text, as the page translates.
    with compiled.compile_at_first_call():
        predictor.translate_sentences([TWELVE_WORDS])
        predictor.translate_sentences(sentences)
    compiled.wait_for_compilation()
    times["page, one sentence, beam 4"] = median_milliseconds(
        lambda: predictor.translate_sentences([TWELVE_WORDS]), 15
    )
    start = time.perf_counter()
    predictor.translate_sentences(sentences)
    seconds = time.perf_counter() - start
    times["page, sentences a second, beam 4"] = round(len(sentences) / seconds, 1)
    return times


def _measure_search(predictor, make_search, padded, width, key, repeats):
    """Times of one search by our graph and by each loop, as a dict with names after `key`."""
    few = len(padded) == 1
    network = predictor.network
    search = _compile(make_search(network, width, predictor.words, predictor.slots))
    ours = partial(_best_tokens, search, padded, np.zeros(len(predictor.words), "float32"))
    expected = ours()
    our_time = median_milliseconds(ours, repeats if few else 2)
    times = {f"{key}, ours": our_time}
    loops = {"predict": _make_predict_functions, "step": _make_compiled_functions}
    if few and width > 1:
        loops["predict, one by one"] = _make_single_row_functions
    for kind, make_functions in loops.items():
        encode, step = make_functions(network)
        run = partial(search_per_token, encode, step, padded, width)
        same = np.mean([a == b for a, b in zip(run(), expected, strict=True)])
        loop_time = median_milliseconds(run, 3 if few else 1)
        times[f"{key}, {kind}"] = loop_time
        times[f"{key}, {kind} / ours"] = round(loop_time / our_time, 1)
        times[f"{key}, {kind}, the same tokens, %"] = round(100 * float(same), 1)
    return times


def search_per_token(encode, step, sources, width):
    """Beam search as a loop in Python: one call of the network per token, sorting in NumPy.

    Args:
        encode: Function of tokens `(rows, time)` that returns memory, mask and states.
        step: Function of last tokens, states, memory and mask that returns log-probabilities and
            states.
        sources: Integers `(rows, time)`.
        width: Hypotheses per row; 1 is greedy.

    Returns:
        List with a tuple for each row: its best tokens, including the end token.
    """
    rows = len(sources)
    memory, mask, states = encode(sources)
    row_of_hypothesis = np.repeat(np.arange(rows), width)
    memory, mask = np.asarray(memory)[row_of_hypothesis], np.asarray(mask)[row_of_hypothesis]
    states = [[np.asarray(part)[row_of_hypothesis] for part in layer] for layer in states]
    last = np.full(rows * width, BEGIN, "int32")
    scores = np.tile([0.0] + [-1e9] * (width - 1), (rows, 1))
    done, tokens = np.zeros((rows, width), bool), np.zeros((rows, width, 0), "int32")
    for _ in range(sources.shape[1] * 3 // 2 + 8):
        log_probabilities, states = step(last, states, memory, mask)
        log_probabilities = np.asarray(log_probabilities).reshape(rows, width, -1)
        vocabulary = log_probabilities.shape[-1]
        padding_only = np.full(vocabulary, -1e9)  # a finished hypothesis goes on with padding
        padding_only[0] = 0
        steps = np.where(done[..., None], padding_only, log_probabilities)
        total = (scores[..., None] + steps).reshape(rows, -1)
        best = np.argpartition(-total, width - 1, axis=1)[:, :width]
        scores = np.take_along_axis(total, best, axis=1)
        order = np.argsort(-scores, axis=1)
        best, scores = (np.take_along_axis(part, order, axis=1) for part in (best, scores))
        parents, token = best // vocabulary, (best % vocabulary).astype("int32")
        flat_parents = (np.arange(rows)[:, None] * width + parents).ravel()
        states = [[np.asarray(part)[flat_parents] for part in layer] for layer in states]
        tokens = np.take_along_axis(tokens, parents[..., None], axis=1)
        tokens = np.concatenate([tokens, token[..., None]], axis=2)
        done = np.take_along_axis(done, parents, axis=1) | (token == END)
        last = token.ravel()
        if done.all():
            break
    return [tuple(row[row > 0].tolist()) for row in tokens[:, 0]]


def _compile(function):
    import tensorflow as tf

    return tf.function(function, autograph=False, jit_compile=True)


def _best_tokens(search, padded, bias):
    """Each row's best tokens, as tuples."""
    result = search(padded, np.float32(0), bias)
    return [tuple(row[row > 0].tolist()) for row in np.asarray(result.sequences.tokens)[:, 0]]


def _make_predict_functions(network):
    """`encode` and `step` with `model.predict`, as a tutorial writes them."""
    import keras

    class Encoder(keras.Model):
        def call(self, source):
            return network.encode(source)

    class Decoder(keras.Model):
        def call(self, inputs):
            tokens, states, memory, mask = inputs
            log_probabilities, states, _ = network.step(tokens, states, memory, mask)
            return log_probabilities, states

    encoder, decoder = Encoder(), Decoder()
    return (
        lambda source: encoder.predict(source, batch_size=len(source), verbose=0),
        lambda *inputs: decoder.predict(inputs, batch_size=len(inputs[0]), verbose=0),
    )


def _make_single_row_functions(network):
    """`encode` and `step` with `model.predict`, where each hypothesis has a call of its own."""
    import keras

    encode, step = _make_predict_functions(network)

    def step_rows(*inputs):
        outputs = [
            step(*keras.tree.map_structure(lambda part, n=n: part[n : n + 1], inputs))
            for n in range(len(inputs[0]))
        ]
        return keras.tree.map_structure(lambda *rows: np.concatenate(rows), *outputs)

    return encode, step_rows


def _make_compiled_functions(network):
    """`encode` and `step` as graphs compiled by XLA."""

    def step(tokens, states, memory, mask):
        log_probabilities, states, _ = network.step(tokens, states, memory, mask)
        return log_probabilities, states

    return _compile(network.encode), _compile(step)


@app.command()
def main(
    variant: Annotated[str, typer.Option(help="Which network of the bundle.")] = "attention",
    bundle: Annotated[Path | None, typer.Option(help="Folder of a bundle of your own.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
):
    """Time greedy and beam search of one sentence and of 256."""
    print_figures(measure(variant, bundle, data_dir), as_json)


if __name__ == "__main__":
    app()
