"""How long a translation takes: ours beside loops in Python that ask the network token by token.

`python -m benchmarks.decoding [--variant NAME] [--bundle FOLDER] [--data-dir DIR] [--json]`.
Milliseconds, medians, warm. Ours is one graph from the source's tokens to the last token written,
and greedy a beam of one; `predict` calls Keras's `model.predict` once a token, as most tutorials
do, with all hypotheses of a beam in one call; `predict, one by one` calls it for each hypothesis,
as many do; `step` calls a compiled step once a token. All write the same tokens.
"""

import json
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from apps.translation.model import BEGIN, END
from benchmarks.forecasting import milliseconds
from shared import compiled
from shared.text import choose_bucket, pad
from training.command import DataDir, data_folder

app = typer.Typer(add_completion=False)

TEXT = "A young woman in a red coat is walking through the park."  # twelve words
SENTENCES = 256


def measure(variant="attention", bundle=None, data_dir=None, repeats=7):
    """All timings, as a dict."""
    from apps.translation.predictor import PADDED_LENGTHS, Predictor, make_search
    from training.translation import data as translation

    predictor = Predictor.load(variant, bundle)
    pairs = translation.read(data_folder(data_dir), "test")[:SENTENCES]
    many = [pair.source for pair in pairs]
    times = {}
    for count, texts in ((1, [TEXT]), (len(many), many)):
        encoded = predictor.tokenizer.encode(texts)
        padded = pad(encoded, choose_bucket(PADDED_LENGTHS, max(map(len, encoded))))
        rounds = repeats if count == 1 else 2
        for width, name in ((1, "greedy"), (4, "beam 4")):
            ours = partial(_tokens, _compiled(make_search(predictor.network, width)), padded)
            written = ours()
            key = f"{name}, {count} sentence{'s' * (count > 1)}"
            mine = milliseconds(ours, rounds)
            times[f"{key}, ours"] = mine
            kinds = {"predict": _predicting, "step": _stepping}
            if count == 1 and width > 1:
                kinds["predict, one by one"] = _one_by_one
            for kind, make in kinds.items():
                encode, step = make(predictor.network)
                run = partial(per_token, encode, step, padded, width)
                same = np.mean([a == b for a, b in zip(run(), written, strict=True)])
                theirs = milliseconds(run, 3 if count == 1 else 1)
                times[f"{key}, {kind}"] = theirs
                times[f"{key}, {kind} / ours"] = round(theirs / mine, 1)
                times[f"{key}, {kind}, the same tokens, %"] = round(100 * float(same), 1)
    # The whole way, from text to text.
    with compiled.compile_at_first_call():
        predictor.translate_sentences([TEXT])
        predictor.translate_sentences(many)
    compiled.wait_for_compilation()
    times["page, one sentence, beam 4"] = milliseconds(
        lambda: predictor.translate_sentences([TEXT]), 15
    )
    start = time.perf_counter()
    predictor.translate_sentences(many)
    times["page, sentences a second, beam 4"] = round(len(many) / (time.perf_counter() - start), 1)
    return times


def per_token(encode, step, sources, width):
    """The usual loop: a call of the network for each token, hypotheses sorted in numpy.

    Args:
        encode: Function of tokens `(rows, time)` that gives memory, mask and states.
        step: Function of last tokens, states, memory and mask that gives log-probabilities
            and states.
        sources: Integers `(rows, time)`.
        width: Hypotheses kept for each row; 1 is greedy.

    Returns:
        List of each row's best tokens, a tuple, the end token included.
    """
    rows = len(sources)
    memory, mask, states = encode(sources)
    lanes = np.repeat(np.arange(rows), width)
    memory, mask = np.asarray(memory)[lanes], np.asarray(mask)[lanes]
    states = [[np.asarray(part)[lanes] for part in layer] for layer in states]
    last = np.full(rows * width, BEGIN, "int32")
    scores = np.tile([0.0] + [-1e9] * (width - 1), (rows, 1))
    done, written = np.zeros((rows, width), bool), np.zeros((rows, width, 0), "int32")
    for _ in range(sources.shape[1] * 3 // 2 + 8):
        found, states = step(last, states, memory, mask)
        found = np.asarray(found).reshape(rows, width, -1)
        vocabulary = found.shape[-1]
        kept = np.full(vocabulary, -1e9)
        kept[0] = 0
        total = (scores[..., None] + np.where(done[..., None], kept, found)).reshape(rows, -1)
        best = np.argpartition(-total, width - 1, axis=1)[:, :width]
        scores = np.take_along_axis(total, best, axis=1)
        order = np.argsort(-scores, axis=1)
        best, scores = (np.take_along_axis(part, order, axis=1) for part in (best, scores))
        parents, token = best // vocabulary, (best % vocabulary).astype("int32")
        places = (np.arange(rows)[:, None] * width + parents).ravel()
        states = [[np.asarray(part)[places] for part in layer] for layer in states]
        written = np.take_along_axis(written, parents[..., None], axis=1)
        written = np.concatenate([written, token[..., None]], axis=2)
        done = np.take_along_axis(done, parents, axis=1) | (token == END)
        last = token.ravel()
        if done.all():
            break
    return [tuple(row[row > 0].tolist()) for row in written[:, 0]]


def _compiled(function):
    import tensorflow as tf

    return tf.function(function, autograph=False, jit_compile=True)


def _tokens(search, padded):
    """Each row's best tokens, as tuples."""
    found = search(padded, np.float32(0))
    return [tuple(row[row > 0].tolist()) for row in np.asarray(found.sequences.tokens)[:, 0]]


def _predicting(network):
    """`encode` and `step` by `model.predict`, as a tutorial writes them."""
    import keras

    class Encoder(keras.Model):
        def call(self, source):
            return network.encode(source)

    class Decoder(keras.Model):
        def call(self, inputs):
            tokens, states, memory, mask = inputs
            found, states, _ = network.step(tokens, states, memory, mask)
            return found, states

    encoder, decoder = Encoder(), Decoder()
    return (
        lambda source: encoder.predict(source, batch_size=len(source), verbose=0),
        lambda *inputs: decoder.predict(inputs, batch_size=len(inputs[0]), verbose=0),
    )


def _one_by_one(network):
    """The same with a call for each hypothesis."""
    import keras

    encode, step = _predicting(network)

    def each(*inputs):
        parts = [
            step(*keras.tree.map_structure(lambda part, n=n: part[n : n + 1], inputs))
            for n in range(len(inputs[0]))
        ]
        return keras.tree.map_structure(lambda *some: np.concatenate(some), *parts)

    return encode, each


def _stepping(network):
    """`encode` and `step` as graphs compiled by XLA."""

    def step(tokens, states, memory, mask):
        found, states, _ = network.step(tokens, states, memory, mask)
        return found, states

    return _compiled(network.encode), _compiled(step)


@app.command()
def main(
    variant: Annotated[str, typer.Option(help="Which network of the bundle.")] = "attention",
    bundle: Annotated[Path | None, typer.Option(help="Folder of a bundle of your own.")] = None,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
):
    """Time greedy and beam search of one sentence and of 256."""
    times = measure(variant, bundle, data_dir)
    if as_json:
        print(json.dumps(times))
        return
    for name, value in times.items():
        print(f"{name:52}{value:10.1f}")


if __name__ == "__main__":
    app()
