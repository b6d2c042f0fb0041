"""How long a caption takes: ours beside the usual loop, and ten photos at once beside ten alone.

`python -m benchmarks.captioning [--bundle FOLDER] [--json]`. Milliseconds, medians, warm. Ours is
an encoder's graph and one more from its features to the last word; `predict` calls Keras's
`model.predict` once for the encoder and once a word, as most tutorials do. Both write the same
words. The photos are the page's examples, from the packages that hold them.
"""

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from apps.captioning import BEAM_WIDTH
from apps.captioning.model import BEGIN
from benchmarks.decoding import per_token
from benchmarks.forecasting import milliseconds
from shared import images
from shared.photos import EXAMPLES

app = typer.Typer(add_completion=False)

MANY = 10


def measure(bundle=None, repeats=15):
    """All timings, as a dict."""
    from apps.captioning.predictor import Predictor

    predictor = Predictor.load(folder=bundle)
    paths = [example.path for example in EXAMPLES.values()]
    photos = (paths * MANY)[:MANY]
    one = paths[:1]
    pixels = [images.squash(images.read(photo)) for photo in photos]
    features = predictor.encode(pixels[:1])
    predictor.describe(one)
    predictor.describe(one, width=1)
    predictor.describe(photos)
    beam = f"one photo, beam {BEAM_WIDTH}"
    times = {
        beam: milliseconds(lambda: predictor.describe(one), repeats),
        "of it: reading the file": milliseconds(
            lambda: images.squash(images.read(one[0])), repeats
        ),
        "of it: the encoder": milliseconds(lambda: predictor.encode(pixels[:1]), repeats),
        "of it: the search": milliseconds(lambda: predictor.describe_features(features), repeats),
    }
    times["of it: the encoder's share, %"] = round(
        100 * times["of it: the encoder"] / times[beam], 1
    )
    times["one photo, greedy"] = milliseconds(lambda: predictor.describe(one, width=1), repeats)

    see, encode, step = _predicting(predictor)
    for width in (1, BEAM_WIDTH):
        run = partial(_loop, see, encode, step, predictor.words, pixels[0], width)
        # Without a length penalty, which the loop does not know.
        ours = partial(predictor.describe, one, width=width, alpha=0.0)
        key = f"one photo, {'greedy' if width == 1 else f'beam {width}'}, no penalty"
        mine, theirs = milliseconds(ours, repeats), milliseconds(run, 3)
        times |= {
            f"{key}, ours": mine,
            f"{key}, predict": theirs,
            f"{key}, predict / ours": round(theirs / mine, 1),
            f"{key}, the same words": run() == ours()[0].captions[0].words,
        }

    together = milliseconds(lambda: predictor.describe(photos), 5)
    alone = milliseconds(lambda: [predictor.describe([photo]) for photo in photos], 5)
    times[f"{MANY} photos at once"] = together
    times[f"{MANY} photos one by one"] = alone
    times[f"{MANY} photos one by one / at once"] = round(alone / together, 2)
    return times


def _loop(see, encode, step, words, pixels, width):
    """A photo's words by the usual loop."""
    tokens = per_token(encode, step, see(pixels[None]), width)[0]
    return tuple(words[token] for token in tokens[:-1])


def _predicting(predictor):
    """The encoder, `encode` and `step` by `model.predict`, as a tutorial writes them."""
    import keras

    network = predictor.network

    class Start(keras.Model):
        def call(self, features):
            return network.encode(features)

    class Next(keras.Model):
        def call(self, inputs):
            tokens, states, memory, mean = inputs
            found, states, _ = network.step(tokens, states, memory, mean)
            return found, states

    start, following = Start(), Next()

    def encode(features):
        memory, mean, states = start.predict(features, verbose=0)
        return memory, mean, [states]

    def step(tokens, states, memory, mean):
        inputs = (tokens, states[0], memory, mean)
        found, states = following.predict(inputs, batch_size=len(tokens), verbose=0)
        found[:, : BEGIN + 1] = -1e9  # what no caption contains
        return found, [states]

    return partial(predictor.encoder.predict, verbose=0), encode, step


@app.command()
def main(
    bundle: Annotated[Path | None, typer.Option(help="Folder of a bundle of your own.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
):
    """Time captions of one photo and of ten."""
    times = measure(bundle)
    if as_json:
        print(json.dumps(times))
        return
    for name, value in times.items():
        print(f"{name:52}{value if isinstance(value, bool) else f'{value:.1f}':>10}")


if __name__ == "__main__":
    app()
