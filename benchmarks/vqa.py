"""Times answers to questions about photos, beside `model.predict`.

`python -m benchmarks.vqa [--json]`. Median milliseconds, warm. A reply is everything that the page
shows: the answer, and the answers without the photo and without each word of the question.
`predict` calls Keras's `model.predict` once for the encoder and once for each of these readings, as
a tutorial would. Both give the same answer. The photos are the page's examples.
"""

import itertools

import numpy as np
import typer

from benchmarks.timing import AsJson, median_milliseconds, print_figures
from shared import images
from shared.photos import EXAMPLES

app = typer.Typer(add_completion=False)

QUESTIONS = ["What is in the background?", "What color is the animal?", "How many are there?"]


def answer_with_predict(predictor, photo, question):
    """The answer, computed with one `model.predict` for each reading."""
    from apps.vqa.predictor import GREY_LEVEL, tokenize_question

    embeddings, network = predictor.embeddings, predictor.network
    grids = [
        embeddings.project(predictor.encoder.predict(pixels[None], verbose=0))[0]
        for pixels in (photo, np.full_like(photo, GREY_LEVEL))
    ]
    tokens = tokenize_question(predictor.tokenizer, question)[0]
    readings = [(0, tokens), (1, tokens)]
    readings += [(0, np.delete(tokens, n)) for n in range(len(tokens))]
    probabilities = []
    for grid, reading in readings:
        words = np.zeros((1, 16), "int32")
        words[0, : len(reading)] = reading
        inputs = (grids[grid][None], embeddings.embed_words(words), words > 0)
        probabilities.append(network.predict(inputs, verbose=0)[0])
    return predictor.answers[int(probabilities[0].argmax())]


def measure(repeats=30):
    """All timings, as a dict."""
    from apps.vqa.predictor import Predictor

    predictor = Predictor.load()
    pixels = images.squash(images.read(EXAMPLES["temple"].path))
    shades = itertools.count()
    questions = itertools.cycle(QUESTIONS)

    def make_new_photo():
        """The photo with one pixel changed, so that its features are not cached."""
        photo = pixels.copy()
        photo[0, 0] = np.unravel_index(next(shades), (256, 256, 256))
        return photo

    def reply_to_new_photo():
        return predictor.reply(predictor.encode_photo(make_new_photo()), next(questions))

    grid = predictor.encode_photo(pixels)
    new_photo = median_milliseconds(reply_to_new_photo, repeats)
    times = {
        "a photo and a question": new_photo,
        "of it: the encoder": median_milliseconds(
            lambda: predictor.encode([make_new_photo()]), repeats
        ),
        "a further question": median_milliseconds(
            lambda: predictor.reply(grid, next(questions)), repeats
        ),
        "a photo and a question, predict": median_milliseconds(
            lambda: answer_with_predict(predictor, pixels, next(questions)), 3
        ),
    }
    times["predict / ours"] = round(times["a photo and a question, predict"] / new_photo, 1)
    times["the same answers"] = all(
        answer_with_predict(predictor, pixels, question) == predictor.reply(grid, question).text
        for question in QUESTIONS
    )
    return times


@app.command()
def main(as_json: AsJson = False):
    """Time an answer to a question about a photo."""
    print_figures(measure(), as_json)


if __name__ == "__main__":
    app()
