"""Scores of a bundle and its baselines."""

import time
from typing import Annotated

import typer

from apps.vqa.predictor import FOLDER, Predictor
from training import cards
from training.command import AsJson, DataDir, Model, Save, data_folder, print_metrics
from training.datasets import coco
from training.features import encode_photos
from training.vqa import data
from training.vqa.baselines import answer_by_nearest, answer_by_type
from training.vqa.data import Images, Input
from training.vqa.parts import Part, photos_of
from training.vqa.recipe import Variant
from training.vqa.scores import consistency, scores
from training.vqa.vocabulary import coverage

TEST_SET = "test questions of COCO-QA and VQA v2, split by photo"


def evaluate(
    data_dir: DataDir = None,
    input: Input = None,
    images: Images = None,
    variant: Annotated[Variant, typer.Option(help="Which network.")] = Variant.lstm,
    model: Model = None,
    save: Save = False,
    as_json: AsJson = False,
):
    """Score a bundle and its baselines on the test questions, or on your own.

    With --save, all networks. On the test questions this encodes the training photographs too.
    """
    model = model or FOLDER
    if images and not input:
        raise typer.BadParameter("Name the questions about these photographs with --input.")
    if input:
        questions, pictures = data.read_rows(input, images)
    else:
        data_dir = data_folder(data_dir)
        questions, pictures = data.read(data_dir, "test"), coco.pictures(data_dir)
    if not questions:
        raise typer.BadParameter(f"{data_dir} has no test questions.")
    predictor = Predictor.load(str(variant), model)
    card = predictor.card
    start = time.perf_counter()
    part = _encode(predictor, questions, pictures)
    answers = part.answer(predictor)
    seconds = time.perf_counter() - start
    majority = scores(answer_by_type(card["habits"], questions), questions)
    metrics = {
        **scores(answers, questions),
        "questions": len(questions),
        "seconds": round(seconds, 1),
        **{f"baseline_majority_{key}": value for key, value in majority.items()},
    }
    for name in ("blind", "bow"):
        if name in card["variants"] and name != variant:
            answers = part.answer(Predictor.load(name, model))
            metrics |= scores(answers, questions, f"baseline_{name}_")
    baselines = {**card["baselines"], "majority": majority}
    if save:
        fields = {"baselines": baselines}
        if input:  # without the training questions there is no nearest one
            fields["baselines_scored_on"] = card.get("baselines_scored_on", card["test_set"])
        else:
            baselines["nearest"] = _score_nearest(predictor, data_dir, pictures, part)
            fields["coverage"] = card["coverage"] | {"test": coverage(questions, predictor.answers)}
        fields["examples"] = len(questions)
        scores_by_variant = {name: _score_variant(name, model, part) for name in card["variants"]}
        test_set = input.name if input else TEST_SET
        cards.save_scores(model, test_set, scores_by_variant, **fields)
    # The card has the score of the nearest question, but for the questions of one test alone.
    if majority == card["baselines"]["majority"] or (save and not input):
        nearest = baselines["nearest"]
        metrics |= {f"baseline_nearest_{key}": nearest[key] for key in nearest if key != "weight"}
    print_metrics(metrics, as_json)


def _encode(predictor, questions, pictures):
    """Questions and their photographs as a `Part`."""
    photos = photos_of(questions)
    grids = encode_photos(predictor, pictures, photos)
    return Part.encode(questions, predictor.tokenizer, grids, photos)


def _score_variant(name, model, part):
    predictor = Predictor.load(name, model)
    values = scores(part.answer(predictor), part.questions)
    return {**values, "consistency": consistency(predictor, part)}


def _score_nearest(predictor, data_dir, pictures, part):
    """The scores of the nearest training question, with the weight that training chose."""
    weight = predictor.card["baselines"]["nearest"]["weight"]
    training = _encode(predictor, data.read(data_dir, "train"), pictures)
    (answers,) = answer_by_nearest(predictor.embeddings, training, part, [weight])
    return {"weight": weight, **scores(answers.tolist(), part.questions)}
