"""Training the character network and the n-gram baseline, and writing their bundle."""

import json
import logging
import time
import zlib
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from apps.cells.gates.predictor import FOLDER, Predictor, encode
from training import cards
from training.characters import data
from training.characters.data import Input, find_alphabet, read_texts
from training.characters.evaluate import (
    count_scored,
    loss_in_units,
    network_nats,
    ngram_nats,
    scores,
)
from training.characters.fit import fit_network
from training.characters.ngrams import fit_baseline
from training.characters.probes import probe_texts
from training.characters.recipe import RECIPE
from training.command import AsJson, DataDir, Output, WorkDir, checkpoint_dir

log = logging.getLogger(__name__)

SCORED_ON = "validation part of each text"


def train(
    data_dir: DataDir = None,
    input: Input = None,
    output: Output = None,
    work_dir: WorkDir = None,
    epochs: Annotated[int, typer.Option(min=1)] = RECIPE.epochs,
    seed: int = 0,
    as_json: AsJson = False,
):
    """Train the network and write the bundle, scored on the validation part of each text.

    An interrupted run resumes from its last checkpoint.
    """
    texts = read_texts(data_dir, input)
    output = output or (Path("characters-model") if input else FOLDER)
    parts = {name: data.split(text) for name, text in texts.items()}
    joined = ["".join(part) for part in zip(*parts.values(), strict=True)]
    alphabet = find_alphabet(joined[0])
    training, validation = (encode(part, alphabet) for part in joined[:2])
    # A run is resumed only with the text that it was started with.
    checksum = f"{zlib.crc32(''.join(joined).encode()):08x}"
    work_dir = checkpoint_dir("characters", work_dir, data_dir) / checksum
    start = time.perf_counter()
    ngrams, order = fit_baseline(training, validation, len(alphabet) + 1)
    minutes = (time.perf_counter() - start) / 60
    log.info("n-grams of order %d, %.1f minutes", order, minutes)
    network, record = fit_network(training, validation, alphabet, work_dir, seed, epochs)
    cards.store_weights(network, output / "lstm.safetensors")
    predictor = Predictor(network, alphabet, {})
    validations = {name: encode(part[1], alphabet) for name, part in parts.items()}
    card = _new_card(output, seed, official=not input)
    card |= {
        "examples": count_scored(validations),
        "training_examples": len(training),
        "validation_examples": len(validation),
        "alphabet": alphabet,
        # Units are chosen on one half of the validation part and scored on the other.
        "probes": probe_texts(
            predictor, seed, {name: _halves(part[1]) for name, part in parts.items()}
        ),
        "baseline": {
            "name": f"Kneser–Ney {order}-grams",
            "order": order,
            "minutes": round(minutes, 2),
            **scores(partial(ngram_nats, ngrams), validations),
        },
        "variants": {},
    }
    details = cards.variant(
        network,
        record,
        "python -m training.characters train",
        SCORED_ON,
        scores(partial(network_nats, predictor), validations),
        **loss_in_units(network_nats(predictor, validation), "validation_"),
    )
    cards.add_variant(output, card, "lstm", details)
    metrics = {name: details[name] for name in loss_in_units(0)}
    print(json.dumps({"output": str(output), **metrics}) if as_json else f"Written to {output}.")


def _halves(text):
    return text[: len(text) // 2], text[len(text) // 2 :]


def _new_card(output, seed, official):
    return cards.new_card(
        output,
        "characters",
        "Next character",
        seed,
        SCORED_ON,
        data="Tiny Shakespeare (Karpathy 2015) and openings of Wikipedia's articles"
        if official
        else "own text",
        measure="nats_per_character",
        lower_is_better=True,
        licence="Weights: Apache-2.0. Texts: public domain and CC BY-SA, not shipped.",
        limits=[
            "It has read plays of one author and the openings of articles, in lines of 72 "
            "characters, and writes like them, without their sense.",
            "Characters outside its alphabet are all the same unknown one to it.",
        ]
        if official
        else [],
    )
