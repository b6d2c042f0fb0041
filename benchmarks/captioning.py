"""Times captions, beside a loop with `model.predict`, and ten photos at once beside one by one.

`python -m benchmarks.captioning [--bundle FOLDER] [--json]`. Median milliseconds, warm. Ours is one
graph for the encoder and one from its features to the last word; `predict` calls Keras's
`model.predict` once for the encoder and once per word, as most tutorials do. Both write the same
words. The photos are the page's examples, which come from installed packages.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from apps.captioning import BEAM_WIDTH
from apps.captioning.model import BEGIN
from benchmarks.decoding import search_per_token
from benchmarks.timing import AsJson, median_milliseconds, print_figures
from shared import images
from shared.photos import EXAMPLES

app = typer.Typer(add_completion=False)

BATCH_PHOTOS = 10


def measure(bundle=None, repeats=15):
    """All timings, as a dict."""
    from apps.captioning.predictor import Predictor

    predictor = Predictor.load(folder=bundle)
    paths = [example.path for example in EXAMPLES.values()]
    photos = (paths * BATCH_PHOTOS)[:BATCH_PHOTOS]
    first = paths[:1]
    pixels = [images.squash(images.read(photo)) for photo in photos]
    features = predictor.encode(pixels[:1])
    predictor.describe(first)
    predictor.describe(first, width=1)
    predictor.describe(photos)
    beam = f"one photo, beam {BEAM_WIDTH}"
    times = {
        beam: median_milliseconds(lambda: predictor.describe(first), repeats),
        "of it: reading the file": median_milliseconds(
            lambda: images.squash(images.read(first[0])), repeats
        ),
        "of it: the encoder": median_milliseconds(lambda: predictor.encode(pixels[:1]), repeats),
        "of it: the search": median_milliseconds(
            lambda: predictor.describe_features(features), repeats
        ),
    }
    times["of it: the encoder's share, %"] = round(
        100 * times["of it: the encoder"] / times[beam], 1
    )
    times["one photo, greedy"] = median_milliseconds(
        lambda: predictor.describe(first, width=1), repeats
    )

    encode_photo, start, step = _make_predict_functions(predictor)
    for width in (1, BEAM_WIDTH):
        with_predict = partial(
            _caption_per_token, encode_photo, start, step, predictor.words, pixels[0], width
        )
        # Without a length penalty, which the loop does not have.
        ours = partial(predictor.describe, first, width=width, alpha=0.0)
        key = f"one photo, {'greedy' if width == 1 else f'beam {width}'}, no penalty"
        our_time, predict_time = (
            median_milliseconds(ours, repeats),
            median_milliseconds(with_predict, 3),
        )
        times |= {
            f"{key}, ours": our_time,
            f"{key}, predict": predict_time,
            f"{key}, predict / ours": round(predict_time / our_time, 1),
            f"{key}, the same words": with_predict() == ours()[0].captions[0].words,
        }

    together = median_milliseconds(lambda: predictor.describe(photos), 5)
    alone = median_milliseconds(lambda: [predictor.describe([photo]) for photo in photos], 5)
    times[f"{BATCH_PHOTOS} photos at once"] = together
    times[f"{BATCH_PHOTOS} photos one by one"] = alone
    times[f"{BATCH_PHOTOS} photos one by one / at once"] = round(alone / together, 2)
    return times


def _caption_per_token(encode_photo, start, step, words, pixels, width):
    """The words of a photo's caption, with a call of the network for each token."""
    tokens = search_per_token(start, step, encode_photo(pixels[None]), width)[0]
    return tuple(words[token] for token in tokens[:-1])


def _make_predict_functions(predictor):
    """`encode_photo`, `start` and `step` with `model.predict`, as a tutorial writes them."""
    import keras

    network = predictor.network

    class Start(keras.Model):
        def call(self, features):
            return network.encode(features)

    class Step(keras.Model):
        def call(self, inputs):
            tokens, states, memory, mean = inputs
            log_probabilities, states, _ = network.step(tokens, states, memory, mean)
            return log_probabilities, states

    start_model, step_model = Start(), Step()

    def start(features):
        memory, mean, states = start_model.predict(features, verbose=0)
        return memory, mean, [states]

    def step(tokens, states, memory, mean):
        inputs = (tokens, states[0], memory, mean)
        scores, states = step_model.predict(inputs, batch_size=len(tokens), verbose=0)
        scores[:, : BEGIN + 1] = -1e9  # special tokens that no caption contains
        return scores, [states]

    return partial(predictor.encoder.predict, verbose=0), start, step


@app.command()
def main(
    bundle: Annotated[Path | None, typer.Option(help="Folder of a bundle of your own.")] = None,
    as_json: AsJson = False,
):
    """Time captions of one photo and of ten."""
    print_figures(measure(bundle), as_json)


if __name__ == "__main__":
    app()
