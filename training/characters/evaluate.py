"""Scores of the character network and of the n-gram baseline."""

import time
from functools import partial

import numpy as np
import typer

from apps.cells.gates.predictor import FOLDER, Predictor, encode
from shared import bundle
from training import cards, rows
from training.characters import data
from training.characters.data import Input
from training.characters.ngrams import fit_baseline
from training.characters.probes import probe_texts
from training.command import AsJson, DataDir, Model, Save, data_folder, print_metrics

TEST_SET = "last 5 % of each text"
CONTEXT, SCORED = 200, 1_000  # characters read before, and scored in, each row of a test


def cut_into_rows(numbers):
    """A text cut for scoring: inputs, targets and where to score, `(rows, time)` each.

    Each row reads `CONTEXT` characters before those that it scores, so that no character but the
    first ones of the text is predicted without context.
    """
    starts = range(0, max(len(numbers) - 1, 1), SCORED)
    inputs = np.zeros((len(starts), CONTEXT + SCORED), "int32")
    targets, scored = np.zeros_like(inputs), np.zeros(inputs.shape, bool)
    for row, start in enumerate(starts):
        first = max(start - CONTEXT, 0)
        last = min(start + SCORED, len(numbers) - 1)
        inputs[row, : last - first] = numbers[first:last]
        targets[row, : last - first] = numbers[first + 1 : last + 1]
        scored[row, start - first : last - first] = True
    return inputs, targets, scored


def network_nats(predictor, numbers):
    """The network's mean negative log-probability of every character but the first, in nats."""
    inputs, targets, scored = cut_into_rows(numbers)
    log_probabilities = predictor.log_probabilities(inputs)
    rows, places = np.nonzero(scored)
    return float(-log_probabilities[rows, places, targets[rows, places]].mean())


def ngram_nats(ngrams, numbers):
    """The mean negative log-probability of `NGrams` for every character but the first, in nats."""
    return float(ngrams.nats(numbers)[1:].mean())


def scores(nats, texts, prefix=""):
    """The mean of `nats`, a function of a text, over all characters; and of each of many texts.

    Args:
        nats: Function of integers `(characters,)`.
        texts: Dict from name to integers.
        prefix: Put before the names.
    """
    by_text = {name: nats(numbers) for name, numbers in texts.items()}
    sizes = [len(numbers) - 1 for numbers in texts.values()]
    values = loss_in_units(np.average(list(by_text.values()), weights=sizes), prefix)
    for name, value in by_text.items() if len(by_text) > 1 else ():
        values |= loss_in_units(value, f"{prefix}{name}_")
    return values


def loss_in_units(nats, prefix=""):
    """A loss in nats and bits, under the names that `--json` prints."""
    return {
        f"{prefix}nats_per_character": float(nats),
        f"{prefix}bits_per_character": float(nats / np.log(2)),
    }


def count_scored(texts):
    """How many characters of a dict of texts are scored."""
    return sum(len(numbers) - 1 for numbers in texts.values())


def evaluate(
    data_dir: DataDir = None,
    input: Input = None,
    model: Model = None,
    save: Save = False,
    as_json: AsJson = False,
):
    """Score a bundle on the last 5 % of each text, or on a file."""
    predictor = Predictor.load(model)
    # Another bundle's baseline is fitted to the corpora only for its card.
    with_baseline = not model or (save and not input)
    corpora = data.read(data_folder(data_dir)) if with_baseline or not input else {}
    parts = {name: data.split(text) for name, text in corpora.items()}
    if input:
        texts = {"own": rows.read_text(input)}
        if len(texts["own"]) < 2:
            raise typer.BadParameter(f"{input} has fewer than two characters.")
    else:
        texts = {name: test for name, (_, _, test) in parts.items()}
    tests = {name: encode(text, predictor.alphabet) for name, text in texts.items()}
    start = time.perf_counter()
    network = scores(partial(network_nats, predictor), tests)
    seconds = time.perf_counter() - start
    metrics, baseline = dict(network), {}
    if with_baseline:
        training, validation = (
            encode("".join(part[n] for part in parts.values()), predictor.alphabet) for n in (0, 1)
        )
        ngrams, _ = fit_baseline(training, validation, len(predictor.alphabet) + 1)
        baseline = scores(partial(ngram_nats, ngrams), tests)
        metrics |= {f"baseline_ngrams_{name}": value for name, value in baseline.items()}
    metrics |= {"characters": count_scored(tests), "seconds": round(seconds, 2)}
    if save:
        folder = model or FOLDER
        card = bundle.read_card(folder)
        fields = {"examples": metrics["characters"]}
        if baseline:
            fields["baseline"] = card["baseline"] | baseline
        else:
            fields["baselines_scored_on"] = card.get("baselines_scored_on", card["test_set"])
        if not input:
            probed = {name: part[1:] for name, part in parts.items()}
            fields["probes"] = probe_texts(predictor, card["seed"], probed)
        cards.save_scores(folder, input.name if input else TEST_SET, {"lstm": network}, **fields)
    print_metrics(metrics, as_json)
