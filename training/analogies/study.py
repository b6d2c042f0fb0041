"""Vectors of other corpus sizes and other settings, compared."""

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from apps.analogies import scores
from apps.analogies import vectors as store
from apps.analogies.vectors import Vectors
from shared import bundle
from training import cards
from training.analogies import data, fit
from training.analogies import recipe as settings
from training.analogies.evaluate import measure
from training.analogies.train import write_sizes
from training.command import DataDir, WorkDir

log = logging.getLogger(__name__)

OutputBundle = Annotated[Path, typer.Option(help="Bundle whose card gets the table.")]


def sizes(
    data_dir: DataDir = None,
    output: OutputBundle = store.FOLDER,
    work_dir: WorkDir = None,
    seed: int = 0,
):
    """Learn the vectors from less text, for the page's slider; the rest of the bundle stays.

    They are scored on Google's questions.
    """
    corpus, work_dir = data.read_corpus(data_dir, None, work_dir, seed)
    rows = write_sizes(corpus, store.load(output).words, work_dir, output, seed)
    for row in rows:
        words, matrix, _ = fit.learn_part(corpus, work_dir, seed, row["words"], row["epochs"])
        row |= measure(Vectors.of(words, matrix), *data.official_tests())[0]
        log.info("%s", json.dumps(row))
    bundle.write_card(output, {**cards.old_card(output), "sizes": rows})


def study(
    data_dir: DataDir = None,
    output: OutputBundle = store.FOLDER,
    work_dir: WorkDir = None,
    workers: Annotated[int, typer.Option(min=1)] = 2,
    seed: int = 0,
):
    """Compare architectures, windows and dimensions on a part of the corpus, a row at a time.

    They are scored on the validation questions.
    """
    corpus, work_dir = data.read_corpus(data_dir, None, work_dir, seed)
    questions = data.validation_questions()
    # A row that is in the card is not learned again: only its random numbers would differ.
    measured = {_settings(row): row for row in cards.old_card(output).get("study", [])}
    rows = []
    for size, epochs, changes in settings.STUDY:
        recipe = {**settings.RECIPE, "phrases": False, **changes}
        row = {
            "words": size,
            "model": settings.MODELS[recipe["sg"]],
            "window": recipe["window"],
            "dimensions": recipe["vector_size"],
            "negative": recipe["negative"],
            "rate": recipe["alpha"],
            "epochs": epochs,
            "phrases": recipe["phrases"],
        }
        if _settings(row) in measured:
            row = {**measured[_settings(row)], **row}
        else:
            row |= _measure(corpus.first(size), work_dir, seed, epochs, workers, recipe, questions)
            log.info("%s", json.dumps(row))
        rows.append(row)
        bundle.write_card(output, {**cards.old_card(output), "study": rows})


def _measure(corpus, work_dir, seed, epochs, workers, recipe, questions):
    """Learn by one row's recipe: how many minutes it took, and the accuracy on the questions."""
    name = f"study-{corpus.path.stem}-{epochs}-{fit.checksum(recipe)}"
    phrases = recipe.pop("phrases")
    corpus = data.with_phrases(corpus) if phrases else corpus
    words, matrix, minutes = fit.learn(corpus, work_dir / name, seed, epochs, workers, **recipe)
    vectors = Vectors.of(words, matrix).first(settings.SMALL_VOCABULARY)
    accuracy = scores.total(scores.answer(vectors, questions))[0]
    return {"minutes": round(minutes, 1), "validation": accuracy}


def _settings(row):
    """The entries of a row that tell it from others."""
    measured = ("minutes", "validation")
    return tuple(sorted((key, value) for key, value in row.items() if key not in measured))
