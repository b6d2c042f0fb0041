"""Training the sentiment networks and the baseline, and writing their bundle."""

import logging
import time
import zlib
from dataclasses import asdict, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from apps.sentiment import suite
from apps.sentiment.predictor import Calibration, Predictor
from shared import bundle
from shared.text import WordTokenizer
from training import cards
from training.command import (
    AsJson,
    DataDir,
    Output,
    WorkDir,
    checkpoint_dir,
    commit,
    data_folder,
    language_model_folder,
)
from training.datasets import imdb
from training.sentiment import recipe
from training.sentiment.baseline import fit_baseline, write_baseline
from training.sentiment.data import encode, read_rows
from training.sentiment.evaluate import Cell, Input, fit_temperature, scores
from training.sentiment.fit import fit_network
from training.sentiment.general import calibrate, fit_from_reviews
from training.sentiment.general import scores as general_scores
from training.sentiment.pretrained import fit_pretrained, load_encoder, load_encoders

log = logging.getLogger(__name__)

SCORED_ON = "validation split"

LanguageModel = Annotated[
    Path | None, typer.Option(help="Bundle of the language model that `pretrained` starts from.")
]
BackwardModel = Annotated[
    Path | None,
    typer.Option(help="Bundle of a language model that reads backwards, for a second teacher."),
]


def learn_vectors(texts, folder, seed):
    """Word vectors by skip-gram with negative sampling (Mikolov et al. 2013).

    Args:
        texts: List of cleaned texts.
        folder: Path where the vectors are kept; they are read from it if it has any.
        seed: Integer. With two workers gensim's order, and so the result, varies slightly.

    Returns:
        A `WordTokenizer` of the most frequent words, and their vectors as an array
        `(vocabulary, dimensions)` of standard deviation 0.5; padding and unknown are zero.
    """
    vectors_file, words_file = folder / "vectors.npy", folder / "tokenizer.json"
    if vectors_file.exists():
        return WordTokenizer.load(words_file), np.load(vectors_file)
    from gensim.models import Word2Vec

    splitter = WordTokenizer.build([])
    sentences = [splitter.split(text) for text in texts]
    log.info("learning word vectors from %d words", sum(map(len, sentences)))
    model = Word2Vec(
        sentences,
        vector_size=recipe.DIMENSIONS,
        window=8,
        sg=1,
        negative=8,
        sample=1e-4,
        epochs=3,
        min_count=2 if len(texts) < 5_000 else 10,
        max_final_vocab=recipe.VOCABULARY - 2,
        workers=2,
        seed=seed,
    )
    tokenizer = WordTokenizer.build(model.wv.index_to_key)
    vectors = np.zeros((tokenizer.size, recipe.DIMENSIONS), "float32")
    vectors[2:] = model.wv.vectors / (2 * model.wv.vectors.std())
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(words_file)
    np.save(vectors_file, vectors)
    return tokenizer, vectors


def train(
    data_dir: DataDir = None,
    input: Input = None,
    cell: Annotated[list[Cell] | None, typer.Option(help="Only these cells (repeatable).")] = None,
    output: Output = None,
    work_dir: WorkDir = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: the recipe's.")] = None,
    language_model: LanguageModel = None,
    backward_model: BackwardModel = None,
    seed: int = 0,
    as_json: AsJson = False,
):
    """Train the networks and write the bundle, scored on the validation reviews.

    An interrupted run resumes from its last checkpoint.
    """
    training, validation, unlabelled = _read(data_dir, input, seed)
    output = output or (Path("sentiment-model") if input else bundle.MODELS / "sentiment")
    texts = [*(review.text for review in training), *unlabelled]
    # A run is resumed only with the texts that it was started with.
    checksum = f"{zlib.crc32(chr(10).join(texts).encode()):08x}"
    work_dir = checkpoint_dir("sentiment", work_dir, data_dir) / checksum
    source = language_model or language_model_folder("reviews")
    cells = cell or list(Cell)
    if not cell and not source.exists():
        log.info("there is no language model in %s: the network `pretrained` is left out", source)
        cells.remove(Cell.pretrained)
    output.mkdir(parents=True, exist_ok=True)
    if cells == [Cell.pretrained]:  # which has its own words and vectors
        tokenizer = load_encoder(source).tokenizer
    else:
        tokenizer, vectors = learn_vectors(texts, work_dir / "vectors", seed)
        tokenizer.save(output / "tokenizer.json")
    start = time.perf_counter()
    weights, bias = fit_baseline(training, tokenizer)
    minutes = (time.perf_counter() - start) / 60
    if not (output / "tokenizer.json").exists():  # the baseline splits texts with it
        tokenizer.save(output / "tokenizer.json")
    card = _new_card(output, seed, training, validation, official=not input)
    card["baseline"] = write_baseline(output, tokenizer, weights, bias, validation, minutes)

    @cache
    def encoded(tokenizer):
        return encode(tokenizer, training=training, validation=validation)

    for name in cells:
        if name is Cell.pretrained:
            forward, backward = load_encoders(language_model, backward_model)
            tokenizer_of_cell = forward.tokenizer
            tokenizer_of_cell.save(output / f"{name}.tokenizer.json")
            data = encoded(tokenizer_of_cell)
            network, record = fit_pretrained(
                forward, data, training, validation, unlabelled, work_dir, seed, epochs, backward
            )
            fields = {"language_model": _describe_language_model(source)}
            if "teachers" in record:
                fields["teachers"] = record["teachers"]
                if backward:
                    folder = backward_model or language_model_folder("reviews-backward")
                    fields["backward_model"] = _describe_language_model(folder)
        else:
            tokenizer_of_cell, data, fields = tokenizer, encoded(tokenizer), {}
            options = {"cell": name.value, "vocabulary": len(vectors), "units": recipe.UNITS}
            options["dimensions"] = vectors.shape[1]
            settings = recipe.FROM_SCRATCH
            settings = replace(settings, epochs=epochs or settings.epochs)
            initial = {"embedding/embeddings": vectors}
            folder = work_dir / name.value
            network, record = fit_network(options, data, initial, folder, seed, settings)
        details = _write_variant(output, name.value, network, record, tokenizer_of_cell, data)
        cards.add_variant(output, card, name.value, {**details, **fields})
    cards.print_result(output, card, "accuracy", as_json)


def _read(data_dir, input, seed):
    """Training and validation reviews, and unlabelled texts.

    Raises:
        typer.BadParameter: if one of the labels is missing in one of the parts.
    """
    unlabelled = []
    if input:
        reviews = read_rows(input)
    else:
        log.info("reading the reviews")
        reviews = imdb.read(data_folder(data_dir), "train")
        unlabelled = [review.text for review in imdb.read(data_folder(data_dir), "unsup")]
    training, validation = imdb.split_by_movie(reviews, 0.1, seed)
    if min(len({review.label for review in part}) for part in (training, validation)) < 2:
        raise typer.BadParameter("Training and validation need reviews of both labels.")
    return training, validation, unlabelled


def _describe_language_model(folder):
    card = bundle.read_card(folder)
    return {"words": card["training_words"], **card["variants"]["lstm"]}


def _new_card(output, seed, training, validation, official):
    """A card with what all variants share."""
    return cards.new_card(
        output,
        "sentiment",
        "Movie-review sentiment",
        seed,
        SCORED_ON,
        data="Large Movie Review Dataset (Maas et al. 2011)" if official else "own reviews",
        examples=len(validation),
        training_examples=len(training),
        validation_examples=len(validation),
        licence="Weights: Apache-2.0. Reviews: not shipped; cite Maas et al. 2011.",
        limits=[
            "It has read English film reviews only: other topics and languages are guesses.",
            "Irony, comparisons with other films and retold plots mislead it.",
            "It knows words, not facts; a name can carry the mood of the reviews it stood in.",
        ],
        study=cards.old_card(output).get("study", []),
    )


def general(
    data_dir: DataDir = None,
    output: Output = None,
    work_dir: WorkDir = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: the recipe's.")] = None,
    seed: int = 0,
    as_json: AsJson = False,
):
    """Train the network for any short text, from the bundle's network of film reviews."""
    output = output or bundle.MODELS / "sentiment"
    folder = data_folder(data_dir)
    work_dir = checkpoint_dir("sentiment", work_dir, data_dir) / "general"
    network, tokenizer, record, examples = fit_from_reviews(output, folder, work_dir, seed, epochs)
    card = bundle.read_card(output)
    for details in card["variants"].values():
        details.setdefault("scored_on", card["test_set"])
    details = write_general(output, network, tokenizer, record, examples)
    cards.add_variant(output, card, "general", details)
    cards.print_result(output, card, "accuracy", as_json)


def write_general(output, network, tokenizer, record, examples):
    """Store the general network and score it on validation texts; returns its part of the card.

    Args:
        output: Path of the bundle.
        network, tokenizer, record, examples: As `fit_from_reviews` returns them.
    """
    tokenizer.save(output / "general.tokenizer.json")
    table = network.embedding.embeddings.path
    cards.store_weights(
        network, output / "general.safetensors", _large_weights(network) - {table}, {table}
    )
    predictor = Predictor(network, tokenizer)
    sequences = {
        source: tokenizer.encode([example.text for example in some])
        for source, some in examples.items()
    }
    lengths = {source: np.array(list(map(len, some))) for source, some in sequences.items()}
    logits = {source: predictor.logits(some) for source, some in sequences.items()}
    predictor.calibration = calibrate(logits, lengths, examples)
    reviews = examples["reviews"]
    labels = np.array([example.target[-1] for example in reviews], "float32")
    return {
        **cards.variant(
            network,
            record,
            "python -m training.sentiment general",
            "validation texts",
            scores(predictor.probabilities(sequences["reviews"]), labels),
            calibration=asdict(predictor.calibration),
            validation=general_scores(logits, examples),
            validation_float32=record.get("average", record["epochs"][record["best"]]),
            suite=suite.accuracies(predictor.predict([case.text for case in suite.read()])),
        ),
        "date": date.today().isoformat(),
        "commit": commit(),
    }


def _large_weights(network):
    """The paths of the weights that are stored as int8."""
    return {
        path
        for path, array in bundle.get_weights(network).items()
        if array.size > recipe.MIN_QUANTISED_SIZE
    }


def _write_variant(output, name, network, record, tokenizer, data):
    """Store a network and score it on the validation reviews; returns what the card says of it."""
    table = network.embedding.embeddings.path
    int4 = {table} if name == Cell.pretrained else set()
    path = output / f"{name}.safetensors"
    cards.store_weights(network, path, {table, *_large_weights(network)} - int4, int4)
    predictor = Predictor(network, tokenizer)
    sequences, labels = data["validation"]
    temperature = fit_temperature(predictor.log_odds(sequences), labels)
    predictor.calibration = Calibration(temperature)
    probabilities = predictor.probabilities(sequences)
    return {
        **cards.variant(
            network,
            record,
            f"python -m training.sentiment train --cell {name}",
            SCORED_ON,
            scores(probabilities, labels),
            calibration={"temperature": temperature},
            validation_accuracy_float32=record["epochs"][record["best"]]["score"],
            **scores(probabilities, labels, "validation_"),
            suite=suite.accuracies(predictor.predict([case.text for case in suite.read()])),
        ),
        "date": date.today().isoformat(),
        "commit": commit(),
    }
