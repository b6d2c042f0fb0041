"""How long an answer takes: ours beside `model.predict`, and a further question beside a new photo.

`python -m benchmarks.vqa [--json]`. Milliseconds, medians, warm. A reply is all that the page
shows: the answer, the same with the photo greyed out and without each word of the question.
`predict` is Keras's, once for the encoder and once for each of these readings, as a tutorial
would ask it. Both give the same answer. The photos are the page's examples.
"""

import itertools
import json
from typing import Annotated

import numpy as np
import typer

from benchmarks.forecasting import milliseconds
from shared import images
from shared.photos import EXAMPLES

app = typer.Typer(add_completion=False)

QUESTIONS = ["What is in the background?", "What color is the animal?", "How many are there?"]


def measure(repeats=30):
    """All timings, as a dict."""
    from apps.vqa.predictor import GREY_LEVEL, Predictor, tokenize_question

    predictor = Predictor.load()
    pixels = images.squash(images.read(EXAMPLES["temple"].path))
    shades = itertools.count()
    questions = itertools.cycle(QUESTIONS)

    def unseen():
        """The photo with one number changed, so that no features are kept of it."""
        shade = pixels.copy()
        shade[0, 0] = np.unravel_index(next(shades), (256, 256, 256))
        return shade

    def asked(photo):
        return predictor.reply(predictor.encode_photo(photo), next(questions))

    def predicted(photo, question):
        """The answer, and its probability without the photo and without each word."""
        embeddings, net = predictor.embeddings, predictor.network
        grids = [
            embeddings.project(predictor.encoder.predict(each[None], verbose=0))[0]
            for each in (photo, np.full_like(photo, GREY_LEVEL))
        ]
        numbers = tokenize_question(predictor.tokenizer, question)[0]
        readings = [(0, numbers), (1, numbers)]
        readings += [(0, np.delete(numbers, n)) for n in range(len(numbers))]
        found = []
        for grid, read in readings:
            words = np.zeros((1, 16), "int32")
            words[0, : len(read)] = read
            inputs = (grids[grid][None], embeddings.embed_words(words), words > 0)
            found.append(net.predict(inputs, verbose=0)[0])
        return predictor.answers[int(found[0].argmax())]

    grid = predictor.encode_photo(pixels)
    new = milliseconds(lambda: asked(unseen()), repeats)
    times = {
        "a photo and a question": new,
        "of it: the encoder": milliseconds(lambda: predictor.encode([unseen()]), repeats),
        "a further question": milliseconds(lambda: predictor.reply(grid, next(questions)), repeats),
        "a photo and a question, predict": milliseconds(
            lambda: predicted(pixels, next(questions)), 3
        ),
    }
    times["predict / ours"] = round(times["a photo and a question, predict"] / new, 1)
    times["the same answers"] = all(
        predicted(pixels, each) == predictor.reply(grid, each).text for each in QUESTIONS
    )
    return times


@app.command()
def main(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False):
    """Time an answer to a question about a photo."""
    times = measure()
    if as_json:
        print(json.dumps(times))
        return
    for name, value in times.items():
        print(f"{name:40}{value if isinstance(value, bool) else f'{value:.1f}':>10}")


if __name__ == "__main__":
    app()
