"""Scores of the sentiment networks and the baseline."""

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from apps.sentiment import suite
from apps.sentiment.predictor import Baseline, Predictor
from shared import bundle
from training import cards
from training.command import AsJson, DataDir, Model, Save, data_folder, print_metrics
from training.datasets import imdb
from training.sentiment.data import labels_of, read_rows


class Cell(StrEnum):
    """The networks of reviews: one with each cell, and one that starts from a language model."""

    rnn = "rnn"
    gru = "gru"
    lstm = "lstm"
    pretrained = "pretrained"


BEST_FIRST = ("general", "pretrained")
Input = Annotated[Path | None, typer.Option(help='Your own reviews: JSONL rows {"text", "label"}.')]


def calibration_error(confidence, correct, bins=15):
    """Mean gap between confidence and accuracy over equal bins of confidence (Guo et al. 2017).

    Args:
        confidence: Array `(examples,)`, the probability of the class that was predicted.
        correct: Boolean array `(examples,)`, whether it was right.
        bins: How many bins.

    Returns:
        A float between 0 and 1.
    """
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(correct[places == b].mean() - confidence[places == b].mean()) * np.mean(places == b)
        for b in np.unique(places)
    ]
    return float(np.sum(gaps))


def fit_temperature(log_odds, labels):
    """The temperature that log-odds are divided by to fit the labels best (Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar

    signs = np.where(labels > 0.5, 1, -1)

    def loss(log_temperature):
        return np.logaddexp(0, -signs * log_odds / np.exp(log_temperature)).mean()

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def scores(probabilities, labels, prefix=""):
    """Accuracy and calibration error, under the names that `--json` prints."""
    correct = (probabilities > 0.5) == (labels > 0.5)
    ece = calibration_error(np.maximum(probabilities, 1 - probabilities), correct)
    return {f"{prefix}accuracy": float(np.mean(correct)), f"{prefix}ece": ece}


def evaluate(
    data_dir: DataDir = None,
    input: Input = None,
    cell: Annotated[str | None, typer.Option(help="Default: the best of the bundle.")] = None,
    model: Model = None,
    save: Save = False,
    as_json: AsJson = False,
):
    """Score a bundle on the official test split, or on a file."""
    model = model or bundle.MODELS / "sentiment"
    reviews = read_rows(input) if input else imdb.read(data_folder(data_dir), "test")
    texts, labels = [review.text for review in reviews], labels_of(reviews)
    variants = bundle.read_card(model)["variants"]
    best = next((name for name in BEST_FIRST if name in variants), next(iter(variants)))
    predictor = Predictor.load(cell or best, model)
    start = time.perf_counter()
    probabilities = predictor.predict(texts)
    seconds = time.perf_counter() - start
    baseline = scores(Baseline.load(model).predict(texts), labels)
    metrics = {
        "network": predictor.variant,
        **scores(probabilities, labels),
        **{f"baseline_nbsvm_{name}": value for name, value in baseline.items()},
        "examples": len(reviews),
        "seconds": round(seconds, 2),
    }
    fields = {}
    if not input:
        training = imdb.read(data_folder(data_dir), "train")
        training_texts = {review.text for review in training}
        unique = np.array([text not in training_texts for text in texts])
        metrics["accuracy_without_overlap"] = scores(probabilities[unique], labels[unique])[
            "accuracy"
        ]
        metrics["suite"] = suite.accuracies(predictor.predict([c.text for c in suite.read()]))
        fields["duplicates"] = {
            "within_test": imdb.duplicates(reviews),
            "test_in_training": imdb.duplicates(reviews, training),
        }
    if save:
        others = [name for name in variants if not cell and name != predictor.variant]
        scores_by_variant = {predictor.variant: scores(probabilities, labels)} | {
            name: scores(Predictor.load(name, model).predict(texts), labels) for name in others
        }
        fields["baseline"] = bundle.read_card(model)["baseline"] | baseline
        test_set = input.name if input else "official test split"
        fields["examples"] = len(reviews)
        cards.save_scores(model, test_set, scores_by_variant, **fields)
    print_metrics(metrics, as_json)
