"""Learning the word vectors, and writing their bundle."""

import logging
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from apps.analogies import scores
from apps.analogies import vectors as store
from shared import bundle, quantize
from training import cards
from training.analogies import recipe as settings
from training.analogies.data import (
    Input,
    count_paragraphs,
    read_corpus,
    validation_questions,
)
from training.analogies.fit import (
    checksum,
    choose_directions,
    draw_map,
    learn,
    learn_part,
    remove_directions,
)
from training.analogies.ppmi import ppmi_svd
from training.analogies.recipe import (
    EPOCHS,
    MAP_WORDS,
    MODELS,
    RECIPE,
    SMALL_VOCABULARY,
    VOCABULARY,
)
from training.command import AsJson, DataDir, Output, WorkDir

log = logging.getLogger(__name__)

SCORED_ON = "validation questions of our own"
SHORT_TEXT_WORDS = 2_000_000


def train(
    data_dir: DataDir = None,
    input: Input = None,
    output: Output = None,
    work_dir: WorkDir = None,
    epochs: Annotated[int, typer.Option(min=1)] = EPOCHS,
    dimensions: Annotated[int, typer.Option(min=2)] = RECIPE["vector_size"],
    seed: int = 0,
    as_json: AsJson = False,
):
    """Learn the vectors and write the bundle, scored on validation questions.

    An interrupted run resumes after its last epoch.
    """
    if dimensions % 2:
        raise typer.BadParameter("--dimensions must be even: two numbers share a byte.")
    corpus, work_dir = read_corpus(data_dir, input, work_dir, seed)
    recipe = {**RECIPE, "vector_size": dimensions, "min_count": _choose_min_count(corpus)}
    output = output or (Path("analogies-model") if input else store.FOLDER)
    folder = work_dir / f"main-{epochs}-{checksum(recipe)}"
    vocabulary, matrix, minutes = learn(corpus, folder, seed, epochs, **recipe)
    vocabulary, matrix = vocabulary[:VOCABULARY], matrix[:VOCABULARY]
    directions, accuracy = choose_directions(vocabulary, matrix)
    log.info("validation accuracy by directions removed: %s", accuracy)
    matrix = remove_directions(matrix, directions)
    store.save(output, vocabulary, matrix)
    np.save(work_dir / "vectors.npy", matrix)  # `evaluate --save` scores them unpacked
    arrays = {
        "paragraphs": count_paragraphs(corpus, vocabulary),
        "total": np.array([corpus.lines], "int32"),
    }
    bundle.save_arrays(output / "counts.safetensors", arrays)
    vectors = store.load(output)
    # The map is drawn in a process of its own, while the smaller vectors are learned.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        drawing = pool.submit(draw_map, vectors, min(MAP_WORDS, len(vectors)), seed)
        sizes = write_sizes(corpus, vocabulary, work_dir, output, seed)
        baseline = _count_baseline(corpus, vocabulary, work_dir, seed)
        bundle.save_arrays(output / "map.safetensors", drawing.result())
    sections = scores.answer(vectors.first(SMALL_VOCABULARY), validation_questions())
    card = _new_card(output, corpus, seed, official=not input)
    card |= {
        "examples": sum(len(section.right) for section in sections),
        "recipe": recipe,
        "epochs": epochs,
        "minutes": round(minutes, 1),
        "variants": {},
        "dimensions": int(matrix.shape[1]),
        "vocabulary": len(vocabulary),
        "directions_removed": directions,
        "baseline": baseline,
        "sizes": sizes,
        "checkpoints": work_dir.name,
    }
    details = {
        "validation_accuracy": scores.total(sections)[0],
        "parameters": int(matrix.size),
        "scored_on": SCORED_ON,
        "minutes": round(minutes, 1),
        "command": "python -m training.analogies train",
    }
    cards.add_variant(output, card, MODELS[recipe["sg"]], details)
    cards.print_result(output, card, "validation_accuracy", as_json)


def _choose_min_count(corpus):
    """How often a word must occur to get a vector: less often in a short text.

    Raises:
        typer.BadParameter: if too few words occur as often.
    """
    min_count = 2 if corpus.size < SHORT_TEXT_WORDS else RECIPE["min_count"]
    frequent = sum(count >= min_count for count in corpus.counts.values())
    if frequent < settings.MIN_VOCABULARY:
        raise typer.BadParameter(
            f"This text is too short: at least {settings.MIN_VOCABULARY} different words must "
            f"occur in it {min_count} times."
        )
    return min_count


def write_sizes(corpus, vocabulary, work_dir, output, seed):
    """Learn smaller vectors from the first words of the corpus, for the page to compare.

    Returns:
        A row of the card for each size.
    """
    index = {word: n for n, word in enumerate(vocabulary)}
    arrays, rows = {}, []
    for size, epochs in settings.SIZES.items():
        if size >= corpus.size:
            continue
        words, matrix, minutes = learn_part(corpus, work_dir, seed, size, epochs)
        shared = [n for n, word in enumerate(words) if word in index]
        shared = shared[: settings.SIZES_VOCABULARY]
        packed = quantize.quantize_int4(matrix[shared])
        arrays |= {f"{size}.{key}": value for key, value in packed.items()}
        arrays[f"{size}.words"] = np.array([index[words[n]] for n in shared], "uint16")
        row = {"words": size, "epochs": epochs, "minutes": round(minutes, 1)}
        rows.append({**row, "dimensions": settings.SIZES_RECIPE["vector_size"]})
    if arrays:
        bundle.save_arrays(output / "sizes.safetensors", arrays)
    return rows


def _count_baseline(corpus, vocabulary, work_dir, seed):
    """Keep the counting baseline's vectors in the work folder; returns its row of the card."""
    start = time.perf_counter()
    matrix = ppmi_svd(corpus, vocabulary, seed=seed)
    np.save(work_dir / "ppmi.npy", matrix)
    minutes = round((time.perf_counter() - start) / 60, 1)
    return {"name": "PPMI + SVD", "minutes": minutes, "parameters": int(matrix.size)}


def _new_card(output, corpus, seed, official):
    return cards.new_card(
        output,
        "analogies",
        "Word analogies",
        seed,
        SCORED_ON,
        data="a part of English Wikipedia, and IMDb reviews" if official else "own text",
        corpus_words=corpus.size,
        licence="Weights: Apache-2.0. Texts: not shipped.",
        limits=[
            "One vector a word: bank the shore and bank the business share it.",
            "They repeat the prejudices of their texts, and this page measures some.",
            "Rare words have poor vectors; words outside the vocabulary have none.",
        ],
        study=cards.old_card(output).get("study", []),
    )
