"""Scores of the captioners, of their baselines and of people."""

import time
from collections import Counter
from typing import Annotated

import numpy as np
import typer

from apps.captioning import BEAM_WIDTH, LENGTH_PENALTY
from apps.captioning.predictor import FOLDER, Predictor
from apps.captioning.scores import score_captions, split_words
from shared import bundle
from training import cards
from training.captioning import data
from training.captioning.data import Captions, Input
from training.captioning.recipe import Variant
from training.command import AsJson, DataDir, Model, Save, data_folder, print_metrics
from training.features import encode_photos, mean_of_cells

TEST_SET = "Flickr8k test, five references"
WIDTHS = (1, BEAM_WIDTH, 5)  # of the beam, which are compared; 1 is greedy


def references_of(photos):
    """People's captions of each photograph."""
    return [photo.captions for photo in photos]


def write_captions(predictor, features, width=BEAM_WIDTH, alpha=LENGTH_PENALTY):
    """The network's captions for features of photographs, a list of texts."""
    return [each.text for each in predictor.describe_features(features, width, alpha)]


def scores_by_width(predictor, features, photos):
    """Scores with the default beam width, and a list of those with each width."""
    scores = {
        width: score_captions(write_captions(predictor, features, width), references_of(photos))
        for width in WIDTHS
    }
    by_width = [{"width": width, **values} for width, values in scores.items()]
    return {**scores[BEAM_WIDTH], "by_width": by_width}


def score_baselines(training, training_features, photos, features):
    """Scores that a captioner must beat, and those of people.

    Args:
        training: List of `Photo`.
        training_features: Mean features of the training photographs, `(photos, channels)`.
        photos: List of `Photo` to score on.
        features: Their mean features.

    Returns:
        Dict by name, of dicts of scores: `nearest` (the first caption of the most similar training
        photograph, by the cosine of mean features), `common` and `human`.
    """
    training_units, units = (
        means / np.linalg.norm(means, axis=1, keepdims=True)
        for means in (training_features, features)
    )
    nearest = np.argmax(units @ training_units.T, axis=1)
    captions = [training[n].captions[0] for n in nearest]
    return {
        "nearest": score_captions(captions, references_of(photos)),
        "common": score_common(training, photos),
        "human": score_people(photos),
    }


def score_common(training, photos):
    """The scores of people's most frequent caption, written for every photograph."""
    texts = Counter(" ".join(split_words(text)) for photo in training for text in photo.captions)
    captions = [texts.most_common(1)[0][0]] * len(photos)
    return score_captions(captions, references_of(photos))


def score_people(photos):
    """The mean scores of each reference against the others: about the best that can be reached.

    Returns:
        Dict of scores, or None if a photograph has a single caption.
    """
    count = min(len(photo.captions) for photo in photos)
    if count < 2:
        return None
    scores = [
        score_captions(
            [photo.captions[n] for photo in photos],
            [photo.captions[:n] + photo.captions[n + 1 :] for photo in photos],
        )
        for n in range(count)
    ]
    return {name: round(float(np.mean([each[name] for each in scores])), 4) for name in scores[0]}


def evaluate(
    data_dir: DataDir = None,
    input: Input = None,
    captions: Captions = None,
    variant: Annotated[Variant, typer.Option(help="Which network.")] = Variant.lstm,
    model: Model = None,
    width: Annotated[int, typer.Option(min=1, help="Beam width; 1 is greedy.")] = BEAM_WIDTH,
    alpha: Annotated[float, typer.Option(min=0, help="Length penalty.")] = LENGTH_PENALTY,
    save: Save = False,
    as_json: AsJson = False,
):
    """Score a bundle on the official test photographs, or on your own. With --save, all networks.

    Saving on the official ones encodes the training photographs too, for the baselines.
    """
    model = model or FOLDER
    if input:
        photos, pictures = data.read_rows(input, captions)
        training, baselines = None, {"human": score_people(photos)}
    else:
        data_dir = data_folder(data_dir)
        photos, pictures = data.read(data_dir, "test"), data.pictures(data_dir)
        training = data.read(data_dir, "train")
        baselines = {"human": score_people(photos), "common": score_common(training, photos)}
    predictor = Predictor.load(str(variant), model)
    start = time.perf_counter()
    features = encode_photos(predictor, pictures, [photo.name for photo in photos])
    texts = write_captions(predictor, features, width, alpha)
    metrics = {
        **score_captions(texts, references_of(photos)),
        "images": len(photos),
        "seconds": round(time.perf_counter() - start, 1),
    }
    if save:
        test_set = input.name if input else TEST_SET
        if training:
            names = [photo.name for photo in training]
            means = encode_photos(predictor, pictures, names, mean_of_cells)
            baselines = score_baselines(training, means, photos, mean_of_cells(features))
        _save_scores(model, test_set, photos, features, baselines, is_complete=bool(training))
    card = bundle.read_card(model)
    if not input and card.get("baselines_scored_on", card["test_set"]) == TEST_SET:
        baselines["nearest"] = card["baselines"]["nearest"]
    for name, scores in baselines.items():
        metrics |= {f"baseline_{name}_{key}": value for key, value in (scores or {}).items()}
    print_metrics(metrics, as_json)


def _save_scores(model, test_set, photos, features, baselines, is_complete):
    """Score all networks and write the scores into the card.

    Args:
        model: Folder of the bundle.
        test_set: What the photographs are, in words.
        photos: List of `Photo`.
        features: Their features.
        baselines: The scores of baselines.
        is_complete: Whether they are those of all baselines. Otherwise the card keeps the others,
            and what they were scored on.
    """
    card = bundle.read_card(model)
    fields = {"baselines": baselines}
    if not is_complete:
        fields["baselines"] = card["baselines"] | baselines
        fields["baselines_scored_on"] = card.get("baselines_scored_on", card["test_set"])
    scores = {
        name: scores_by_width(Predictor.load(name, model), features, photos)
        for name in card["variants"]
    }
    cards.save_scores(model, test_set, scores, examples=len(photos), **fields)
