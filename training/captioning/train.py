"""Training the captioners and the encoder, and writing their bundle."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from apps.captioning.predictor import ENCODER_FILE, FOLDER, Predictor
from apps.captioning.scores import score_captions
from shared import bundle
from training import cards
from training.captioning import data, recipe
from training.captioning.data import Captions, Input
from training.captioning.evaluate import (
    references_of,
    score_baselines,
    scores_by_width,
    write_captions,
)
from training.captioning.fit import Data, fit_network, fit_self_critical
from training.captioning.recipe import VARIANTS, Variant
from training.command import AsJson, DataDir, Output, WorkDir, checkpoint_dir, data_folder
from training.features import (
    encode_bottom,
    encode_top,
    mean_of_cells,
    run_checksum,
    starting_encoder,
    weights_bytes,
)

TOKENIZER_FILE = "tokenizer.json"
SCORED_ON = "validation photographs"


def train(
    data_dir: DataDir = None,
    input: Input = None,
    captions: Captions = None,
    variant: Annotated[list[Variant] | None, typer.Option(help="Only these (repeatable).")] = None,
    output: Output = None,
    work_dir: WorkDir = None,
    epochs: Annotated[int, typer.Option(min=1)] = recipe.FROZEN.epochs,
    fine_epochs: Annotated[
        int, typer.Option(min=1, help="With the top of the encoder.")
    ] = recipe.FINE_TUNING.epochs,
    scored_epochs: Annotated[
        int, typer.Option(min=1, help="On the scores of sampled captions.")
    ] = recipe.SELF_CRITICAL.epochs,
    seed: int = 0,
    as_json: AsJson = False,
):
    """Train the networks and write the bundle, scored on the validation photographs.

    An interrupted run resumes from its last checkpoint.
    """
    training, validation, pictures = _read(data_dir, input, captions, seed)
    work_dir = checkpoint_dir("captioning", work_dir, data_dir)
    output = output or (Path("captioning-model") if input else FOLDER)
    names = [name for name in VARIANTS if not variant or name in variant]
    if "lstm" not in names and not (output / ENCODER_FILE).exists():
        raise typer.BadParameter(f"{output} has no {ENCODER_FILE}: train the variant lstm first.")
    encoder = starting_encoder(None if input else data_folder(data_dir), FOLDER / ENCODER_FILE)
    content = weights_bytes(encoder) + f"{training} {validation}".encode()
    work_dir /= run_checksum(content, pictures, [photo.name for photo in (*training, *validation)])
    dataset = _prepare(training, validation, encoder, pictures, work_dir)
    card = _new_card(output, seed, training, validation, official=not input)
    stages = (
        replace(recipe.FROZEN, epochs=epochs),
        replace(recipe.FINE_TUNING, epochs=fine_epochs),
        replace(recipe.SELF_CRITICAL, epochs=scored_epochs),
    )
    original = encoder.get_weights()
    for name in names:
        encoder.set_weights(original)
        folder = work_dir / name
        captioner, records = _fit_stages(name, encoder, dataset, folder, output, seed, stages)
        if name == "lstm":
            card["encoder"] = _describe_encoder(encoder, folder, official=not input)
            card["baselines"] = _score_baselines(encoder, dataset)
            card["baselines_scored_on"] = SCORED_ON
        predictor = Predictor(captioner, dataset.tokenizer, encoder, {})
        dataset.tokenizer.save(folder / TOKENIZER_FILE)
        details = _write_variant(folder, name, predictor, records, dataset)
        publish(folder, output, card, name, details)
    cards.print_result(output, card, "bleu4", as_json)


def _read(data_dir, input, captions, seed):
    """Training and validation photographs, and the `Pictures`."""
    if not input:
        data_dir = data_folder(data_dir)
        training, validation = (data.read(data_dir, part) for part in ("train", "dev"))
        return training, validation, data.pictures(data_dir)
    photos, pictures = data.read_rows(input, captions)
    order = np.random.default_rng(seed).permutation(len(photos))
    size = max(1, len(photos) // 10)
    if len(photos) == size:
        raise typer.BadParameter("Training needs at least two photographs.")
    validation, training = ([photos[n] for n in part] for part in (order[:size], order[size:]))
    return training, validation, pictures


def _prepare(training, validation, encoder, pictures, work_dir):
    """The `Data` of photographs; what the encoder's bottom gives for them is kept in `work_dir`."""

    def values(name, photos, flip=False):
        names = [photo.name for photo in photos]
        return encode_bottom(encoder, pictures, names, work_dir / f"{name}.npy", flip)

    tokenizer = data.build_tokenizer(training)
    inputs, targets = data.encode_captions(tokenizer, training)
    return Data(
        [values("train", training), values("train_mirrored", training, flip=True)],
        data.can_be_mirrored(training),
        training,
        inputs,
        targets,
        tokenizer,
        (validation, values("validation", validation)),
    )


def _fit_stages(name, encoder, dataset, folder, output, seed, stages):
    """Fit a variant in three stages; the encoder gets the weights that the bundle will have.

    Returns:
        The captioner, and the records of the stages by name.
    """
    options = {"vocabulary": dataset.tokenizer.size, **VARIANTS[name]}
    options["features"] = encoder.options["features"]
    encoder.freeze()
    frozen, fine_tuning, self_critical = stages
    captioner, first = fit_network(options, encoder, dataset, folder, seed, frozen)
    if name == "lstm":
        encoder.freeze(top=False)
    else:
        _load_encoder(encoder, output)
    captioner, second = fit_network(
        options, encoder, dataset, folder / "fine", seed, fine_tuning, captioner
    )
    if name == "lstm":
        encoder.save(folder / ENCODER_FILE)
        _load_encoder(encoder, folder)  # all that follows uses the weights as stored
    third = fit_self_critical(captioner, encoder, dataset, folder / "scored", seed, self_critical)
    return captioner, {"frozen": first, "tuned": second, "scored": third}


def _load_encoder(encoder, folder):
    bundle.set_weights(encoder, bundle.load_arrays(folder / ENCODER_FILE))


def publish(folder, output, card, name, details):
    """Copy a variant into the bundle; see `cards.publish`."""
    # The variant with which the encoder was fine-tuned has its weights in the folder too.
    files = (TOKENIZER_FILE, ENCODER_FILE, f"{name}.safetensors")
    cards.publish(folder, output, card, name, details, files, (TOKENIZER_FILE, ENCODER_FILE))


def _describe_encoder(encoder, folder, official):
    return {
        "network": encoder.options,
        "parameters": encoder.count_params(),
        "bytes": (folder / ENCODER_FILE).stat().st_size,
        "origin": "MobileNetV2 1.0 224 (Sandler et al. 2018) trained on ImageNet by Google, "
        "Apache-2.0; its top fine-tuned "
        + ("here on Flickr8k" if official else "on Flickr8k, then on own photographs"),
    }


def _score_baselines(encoder, dataset):
    photos, values = dataset.validation
    training_means, means = (
        encode_top(encoder, part, mean_of_cells) for part in (dataset.values[0], values)
    )
    return score_baselines(dataset.photos, training_means, photos, means)


def _new_card(output, seed, training, validation, official):
    """A card with what all variants share, and what stands in `output` already."""
    old = cards.old_card(output)
    if official:
        licence = (
            "Weights: for non-commercial research, as Flickr8k's photographs are. The image "
            "encoder comes from MobileNetV2, Apache-2.0."
        )
        subjects = (
            "It has seen 6,000 photos of people and dogs outdoors, and calls most other subjects a "
            "person or a dog."
        )
        words = (
            "Its vocabulary is the words that people used at least five times in those captions."
        )
    else:
        licence = (
            "Weights: for non-commercial research at most, for the image encoder, which comes from "
            "MobileNetV2, Apache-2.0, was fine-tuned on Flickr8k; and as your photographs allow."
        )
        subjects = f"It has seen {len(training):,} photos, and describes others as if like them."
        words = "Its vocabulary is the words of their captions."
    limits = [
        subjects,
        "It counts badly, and guesses colours and genders that it cannot see.",
        words,
    ]
    return cards.new_card(
        output,
        "captioning",
        "Captions for photos",
        seed,
        SCORED_ON,
        data="Flickr8k, official split" if official else "own",
        examples=len(validation),
        training_examples=len(training),
        validation_examples=len(validation),
        scoring="lower case, no punctuation; BLEU by sacrebleu, CIDEr-D and ROUGE-L as in the "
        "COCO captions challenge",
        licence=licence,
        limits=limits,
        encoder=old.get("encoder"),
        baselines=old.get("baselines"),
        baselines_scored_on=old.get("baselines_scored_on", old.get("test_set", SCORED_ON)),
    )


def _write_variant(folder, name, predictor, records, dataset):
    """Store a network and score it on the validation photographs; returns its part of the card."""
    path = folder / f"{name}.safetensors"
    cards.store_weights(predictor.network, path, cards.tables_of(predictor.network))
    photos, values = dataset.validation
    features = encode_top(predictor.encoder, values)
    captions = write_captions(predictor, features)
    stages = {
        stage: {
            "epochs": len(record["epochs"]),
            "validation_greedy_cider": max(each["cider"] for each in record["epochs"]),
        }
        for stage, record in records.items()
    }
    return cards.variant(
        predictor.network,
        {"minutes": sum(record["minutes"] for record in records.values())},
        f"python -m training.captioning train --variant {name}",
        SCORED_ON,
        scores_by_width(predictor, features, photos),
        **score_captions(captions, references_of(photos), "validation_"),
        stages=stages,
    )
