"""The perplexity of language models."""

import math
import time
from typing import Annotated

import numpy as np
import typer

from shared import bundle
from shared.text import WordTokenizer
from training import cards
from training.command import (
    AsJson,
    DataDir,
    Model,
    Save,
    data_folder,
    language_model_folder,
    print_metrics,
)
from training.language_model import recipe
from training.language_model.data import Input, read_corpus
from training.language_model.model import LanguageModel
from training.language_model.recipe import Corpus

Which = Annotated[Corpus, typer.Option(help="The text to read, and the recipe for --input.")]


def cut_into_windows(stream, rows):
    """A text cut for a network that carries its states from window to window.

    Args:
        stream: Integers `(words,)`.
        rows: How many places of the text are read side by side.

    Returns:
        List of (inputs, targets), int32 arrays `(rows, WINDOW)`; row n of a window continues row n
        of the one before. The last window is filled up with zeros.
    """
    length = -(-(len(stream) - 1) // rows)  # words of a row
    count = -(-length // recipe.WINDOW)
    inputs, targets = (np.zeros((rows, count * recipe.WINDOW), "int32") for _ in range(2))
    for row in range(rows):
        piece = stream[row * length : (row + 1) * length + 1]
        inputs[row, : max(len(piece) - 1, 0)] = piece[:-1]
        targets[row, : max(len(piece) - 1, 0)] = piece[1:]
    cuts = [slice(n * recipe.WINDOW, (n + 1) * recipe.WINDOW) for n in range(count)]
    return [(inputs[:, cut], targets[:, cut]) for cut in cuts]


def perplexity(network, passages):
    """exp of the mean loss per word; unknown words and ends of passages count as words.

    The network reads `rows` places of the text side by side, from states of zero. Its own states
    stay as they were.
    """
    carried = [np.asarray(state) for state in network.carried]
    network.reset_states()
    total, words = 0.0, 0
    for inputs, targets in cut_into_windows(np.concatenate(passages), len(carried[0])):
        count = int((targets > 0).sum())
        # Keras resets its metrics on each call: this is the loss of the batch alone.
        loss = network.test_on_batch(inputs, targets, return_dict=True)["loss"]
        total += float(loss) * count
        words += count
    for state, value in zip(network.carried, carried, strict=True):
        state.assign(value)
    return math.exp(total / words)


def evaluate(
    data_dir: DataDir = None,
    corpus: Which = Corpus.reviews,
    input: Input = None,
    model: Model = None,
    save: Save = False,
    as_json: AsJson = False,
):
    """Print the perplexity on the parts that the model was not trained on, or on a file."""
    model = model or language_model_folder(corpus.value)
    card, tokenizer = bundle.read_card(model), WordTokenizer.load(model / "tokenizer.json")
    network = LanguageModel(**card["variants"]["lstm"]["network"])
    network.build()
    bundle.set_weights(network, bundle.load_arrays(model / "lstm.safetensors"))
    network.compile(loss=None, jit_compile=True)
    _, parts = read_corpus(
        corpus.value, data_folder(data_dir), input, tokenizer, card.get("backward", False)
    )
    if input:
        parts = {"own": [passage for passages in parts.values() for passage in passages]}
    parts.pop("training", None)
    start = time.perf_counter()
    scores = {
        f"{part}_perplexity": perplexity(network, passages) for part, passages in parts.items()
    }
    if save:
        rounded = {name: round(value, 2) for name, value in scores.items()}
        cards.save_scores(model, " and ".join(parts), {"lstm": rounded})
    words = sum(len(passage) for passages in parts.values() for passage in passages)
    seconds = round(time.perf_counter() - start, 2)
    print_metrics({**scores, "words": words, "seconds": seconds}, as_json)
