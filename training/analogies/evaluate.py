"""Scores of word vectors on analogy questions and judgements of similarity."""

import logging
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from apps.analogies import scores, vector_files
from apps.analogies import vectors as store
from apps.analogies.vectors import Vectors
from shared import bundle
from training import cards
from training.analogies import data
from training.analogies.data import Corpus
from training.analogies.fit import learn_part
from training.analogies.recipe import SMALL_VOCABULARY
from training.command import AsJson, DataDir, Model, Save, WorkDir, checkpoint_dir, print_metrics

log = logging.getLogger(__name__)

TEST_SET = "Google questions that its vocabulary covers"


def measure(vectors, questions, pairs):
    """Scores of vectors, under the names that `--json` prints.

    Args:
        vectors: A `Vectors`.
        questions: Dict from section to questions.
        pairs: List of `(word, word, score)`.

    Returns:
        Dict of figures, and the list of `Section` with the whole vocabulary.
    """
    sections = scores.answer(vectors, questions)
    accuracy, covered, count = scores.total(sections)
    small = vectors.first(SMALL_VOCABULARY)
    accuracy_30k, covered_30k, _ = scores.total(scores.answer(small, questions))
    spearman, pairs_covered = scores.correlate_similarity(vectors, pairs)
    return {
        "accuracy": accuracy,
        "accuracy_30k": accuracy_30k,
        "covered": covered,
        "covered_30k": covered_30k,
        "skipped": count - sum(len(section.right) for section in sections),
        "questions": count,
        "vocabulary": len(vectors),
        "spearman": spearman,
        "pairs_covered": pairs_covered,
    }, sections


def evaluate(
    data_dir: DataDir = None,
    input: Annotated[Path | None, typer.Option(help="Questions in Google's format.")] = None,
    similarity: Annotated[
        Path | None, typer.Option(help="Pairs with people's scores: word, word, score a line.")
    ] = None,
    model: Model = None,
    file: Annotated[Path | None, typer.Option("--vectors", help="A file of vectors.")] = None,
    work_dir: WorkDir = None,
    save: Save = False,
    as_json: AsJson = False,
):
    """Score a bundle, or a file of vectors, on Google's questions or on a file.

    With --save, also what training kept among its checkpoints: the vectors before they were packed,
    those from less text, and the counting baseline's.
    """
    if save and (file or input or similarity):
        raise typer.BadParameter("--save is for a bundle and the official questions.")
    model = model or store.FOLDER
    vectors = vector_files.read_file(file) if file else store.load(model)
    questions, pairs = data.official_tests()
    questions = data.read_questions(input) if input else questions
    pairs = data.read_similarity(similarity) if similarity else pairs
    metrics, sections = measure(vectors, questions, pairs)
    if save:
        _save(model, checkpoint_dir("analogies", work_dir, data_dir), metrics, sections)
    metrics["baseline_random_accuracy"] = 1 / (len(vectors) - 3)
    row = {} if file else cards.old_card(model).get("baseline", {})
    if "accuracy" in row and not input and not similarity:
        # The counting baseline's vectors are not shipped: these are the scores in the card.
        keys = ("accuracy", "accuracy_30k", "spearman")
        metrics |= {f"baseline_ppmi_{key}": row[key] for key in keys}
    for section in sections:
        if len(section.right):
            metrics[f"accuracy_{section.name}"] = section.accuracy
    print_metrics(metrics, as_json)


def _save(folder, checkpoints, metrics, sections):
    """Put the scores of a bundle's vectors, and of those among the checkpoints, into the card."""
    answers = np.concatenate([section.answers for section in sections]).astype("int32")
    bundle.save_arrays(folder / "answers.safetensors", {"answers": answers})
    card = bundle.read_card(folder)
    (name,) = card["variants"]
    fields = {
        **metrics,
        "examples": sum(len(section.right) for section in sections),
        "sections": {
            section.name: {
                "accuracy": section.accuracy if len(section.right) else None,
                "covered": len(section.right),
                "questions": section.count,
            }
            for section in sections
        },
        "random": {"accuracy": 1 / (metrics["vocabulary"] - 3)},
    }
    work_dir = checkpoints / card.get("checkpoints", "")
    if (work_dir / "ppmi.npy").exists():
        fields |= _measure_checkpoints(card, work_dir, store.load(folder).words)
    else:
        log.info("no checkpoints of this bundle in %s: only its vectors are scored", checkpoints)
    cards.save_scores(folder, TEST_SET, {name: {"accuracy": metrics["accuracy"]}}, **fields)


def _measure_checkpoints(card, work_dir, vocabulary):
    """Entries of the card about vectors that are not in the bundle."""
    tests = data.official_tests()
    full, _ = measure(Vectors.of(vocabulary, np.load(work_dir / "vectors.npy")), *tests)
    baseline, _ = measure(Vectors.of(vocabulary, np.load(work_dir / "ppmi.npy")), *tests)
    corpus, sizes = Corpus.read(work_dir / "corpus.txt"), []
    for row in card["sizes"]:
        words, matrix, _ = learn_part(corpus, work_dir, card["seed"], row["words"], row["epochs"])
        metrics, _ = measure(Vectors.of(words, matrix), *tests)
        sizes.append({**row, **metrics})
    return {
        "quantisation": {
            "bits": 4,
            **{f"{key}_float32": full[key] for key in ("accuracy", "accuracy_30k", "spearman")},
        },
        "baseline": card["baseline"] | baseline,
        "sizes": sizes,
    }
