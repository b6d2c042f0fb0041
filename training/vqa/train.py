"""Training the networks that answer questions about photographs, and writing their bundle."""

import json
import shutil
import zlib
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from apps.analogies import vectors
from apps.vqa.embeddings import EMBEDDINGS_FILE, Embeddings
from apps.vqa.predictor import ENCODER_FILE, FOLDER, SHARED_ENCODER_PATH
from shared.image_encoder import EFFICIENTNET_LITE0
from training import cards
from training.command import AsJson, DataDir, Output, WorkDir, checkpoint_dir, data_folder
from training.datasets import coco
from training.features import (
    encode_bottom,
    encode_top,
    run_checksum,
    starting_encoder,
    weights_bytes,
)
from training.vqa import data, recipe
from training.vqa.baselines import (
    answer_by_nearest,
    answer_by_type,
    choose_weight,
    most_frequent_answers,
)
from training.vqa.data import Images, Input
from training.vqa.fit import fit_network
from training.vqa.parts import Data, Part, photos_of
from training.vqa.recipe import VARIANTS, Variant
from training.vqa.scores import consistency, fit_temperature, fit_threshold, scores
from training.vqa.vocabulary import (
    answer_shares,
    build_vocabulary,
    canonical,
    coverage,
    list_answers,
)

TOKENIZER_FILE, ANSWERS_FILE = "tokenizer.json", "answers.json"
SHARED_FILES = (TOKENIZER_FILE, ANSWERS_FILE, EMBEDDINGS_FILE)
SCORED_ON = "validation questions"


def train(
    data_dir: DataDir = None,
    input: Input = None,
    images: Images = None,
    variant: Annotated[list[Variant] | None, typer.Option(help="Only these (repeatable).")] = None,
    output: Output = None,
    work_dir: WorkDir = None,
    epochs: Annotated[int, typer.Option(min=1)] = recipe.EPOCHS,
    encoder_file: Annotated[
        Path | None,
        typer.Option(
            "--encoder",
            help="Weights of an image encoder (default: that of the bundle, or of the captions).",
        ),
    ] = None,
    seed: int = 0,
    as_json: AsJson = False,
):
    """Train the networks and write the bundle, scored on the validation questions.

    An interrupted run resumes from its last checkpoint.
    """
    training, validation, pictures = _read(data_dir, input, images, seed)
    answers = _choose_answers(training)
    output = output or (Path("vqa-model") if input else FOLDER)
    own = encoder_file or output / ENCODER_FILE
    file = own if own.exists() else SHARED_ENCODER_PATH
    starts_from_bundle = input or file.exists()
    encoder = starting_encoder(None if starts_from_bundle else data_folder(data_dir), file)
    tokenizer, table, question_words = build_vocabulary(training, vectors.load())
    content = "\n".join(f"{each}" for each in training).encode()
    fingerprint = f"{zlib.crc32(weights_bytes(encoder) + table.tobytes() + content):08x}"
    content = f"{fingerprint} {seed} {training} {validation}".encode()
    checksum = run_checksum(content, pictures, photos_of([*training, *validation]))
    work_dir = checkpoint_dir("vqa", work_dir, data_dir) / checksum
    folder = work_dir / "bundle"
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(folder / TOKENIZER_FILE)
    text = json.dumps(answers, ensure_ascii=False, indent=0)
    (folder / ANSWERS_FILE).write_text(text + "\n", encoding="utf-8")
    parts = {"training": training, "validation": validation}
    values = {
        name: encode_bottom(encoder, pictures, photos_of(questions), work_dir / f"{name}.npy")
        for name, questions in parts.items()
    }
    old, stored = cards.old_card(output), output / EMBEDDINGS_FILE
    if (old.get("fingerprint"), old.get("seed")) == (fingerprint, seed) and stored.exists():
        shutil.copy(stored, folder)  # fitted on another machine they would differ
    else:
        cells = _sample_cells(encoder, values["training"], seed)
        Embeddings.fit(table, cells, recipe.COMPONENTS).save(folder)
    embeddings = Embeddings.load(folder)  # networks are fitted on the embeddings as stored
    encoded = {}
    for name, questions in parts.items():
        grids = encode_top(encoder, values[name], embeddings.project).astype("float16")
        encoded[name] = Part.encode(questions, tokenizer, grids, photos_of(questions))
    dataset = Data(embeddings, tokenizer, answers, **encoded)
    origin = _encoder_origin(encoder, file)
    card = _new_card(output, fingerprint, seed, dataset, origin, official=not input)
    described = _describe_encoder(encoder, file, folder, output)
    card |= {"question_words": question_words, "encoder": described}
    card["baselines"] = _score_baselines(card["habits"], dataset)
    for name in [name for name in VARIANTS if not variant or name in variant]:
        options = {**VARIANTS[name], "answers": len(answers), "dimensions": table.shape[1]}
        options["components"] = embeddings.components.shape[1]
        network, record = fit_network(options, dataset, work_dir / name, seed, epochs)
        publish(folder, output, card, name, _write_variant(folder, name, network, record, dataset))
    cards.print_result(output, card, "accuracy", as_json)


def _choose_answers(questions):
    """The closed list of answers.

    Raises:
        typer.BadParameter: if there is none that can be learned.
    """
    answers = list_answers(questions)
    if not answer_shares(questions, answers).any():
        raise typer.BadParameter(
            "No answer has words and occurs often enough to be learned: once, or "
            f"{recipe.MIN_COUNT} times if there are more than {recipe.SMALL_SET:,} questions."
        )
    return answers


def _read(data_dir, input, images, seed):
    """Training and validation questions, and the `Pictures`."""
    if images and not input:
        raise typer.BadParameter("Name the questions about these photographs with --input.")
    if input:
        questions, pictures = data.read_rows(input, images)
        training, validation = data.split_by_photo(questions, seed)
    else:
        data_dir = data_folder(data_dir)
        training, validation = (data.read(data_dir, part) for part in ("train", "val"))
        pictures = coco.pictures(data_dir)
    if not training or not validation:
        raise typer.BadParameter("Training needs questions about at least two photographs.")
    return training, validation, pictures


def _sample_cells(encoder, values, seed):
    """Cells of the photographs' grids drawn at random, `(cells, features)`."""
    rng = np.random.default_rng(seed)
    values = values[:: max(1, len(values) // recipe.PCA_PHOTOS)]
    count = -(-recipe.PCA_CELLS // len(values))  # of every photograph

    def sample(features):
        grids = features.reshape(len(features), -1, features.shape[-1])
        places = rng.permuted(np.tile(np.arange(grids.shape[1]), (len(grids), 1)), axis=1)
        return np.take_along_axis(grids, places[:, :count, None], axis=1)

    cells = encode_top(encoder, values, sample)
    return cells.reshape(-1, cells.shape[-1])


def publish(folder, output, card, name, details):
    """Copy a variant into the bundle; see `cards.publish`."""
    # The folder has an encoder only where the bundle of the captions has none.
    (output / ENCODER_FILE).unlink(missing_ok=True)
    files = (*SHARED_FILES, ENCODER_FILE, f"{name}.safetensors")
    cards.publish(folder, output, card, name, details, files, SHARED_FILES)


def _describe_encoder(encoder, file, folder, output):
    """What the card says of the encoder; it is stored unless it is that of the captions.

    Args:
        encoder: The `ImageEncoder`.
        file: Path of the file that it was loaded from; there is none if it is ImageNet's.
        folder: Path of the work folder.
        output: Path of the bundle.
    """
    own = folder / ENCODER_FILE
    own.unlink(missing_ok=True)
    if not file.exists():
        encoder.save(own)
    elif not _is_shared(file):
        shutil.copy(file, own)
    stored = own if own.exists() else SHARED_ENCODER_PATH
    return {
        "network": encoder.options,
        "parameters": encoder.count_params(),
        "file": f"{(output if stored == own else stored.parent).name}/{stored.name}",
        "crc32": zlib.crc32(stored.read_bytes()),
    }


def _encoder_origin(encoder, file):
    """A clause on where the encoder comes from."""
    blocks = tuple(map(tuple, encoder.options["blocks"]))  # lists, if read from a file
    is_lite = blocks == EFFICIENTNET_LITE0["blocks"]
    network = "EfficientNet-Lite0" if is_lite else "MobileNetV2"
    if not file.exists():
        return f"is {network}, Apache-2.0."
    whose = "is that of the captions: from" if _is_shared(file) else "comes from"
    return (
        f"{whose} {network}, Apache-2.0, fine-tuned on captions of Flickr8k"
        f"{' and COCO' if is_lite else ''}, for non-commercial research."
    )


def _is_shared(file):
    """Whether a file is the encoder of the captions."""
    shared = SHARED_ENCODER_PATH
    return shared.exists() and file.read_bytes() == shared.read_bytes()


def _score_baselines(frequent, dataset):
    embeddings, training, validation = dataset.embeddings, dataset.training, dataset.validation
    weight = choose_weight(embeddings, training, validation)
    (nearest,) = answer_by_nearest(embeddings, training, validation, [weight])
    questions = validation.questions
    return {
        "majority": scores(answer_by_type(frequent, questions), questions),
        "nearest": {"weight": round(weight, 2), **scores(nearest.tolist(), questions)},
    }


def _new_card(output, fingerprint, seed, dataset, origin, official):
    """A card with what all variants share."""
    training, validation = dataset.training.questions, dataset.validation.questions
    training_photos = len(dataset.training.grids)
    all_photos = training_photos + len(dataset.validation.grids)
    licence = (
        "Weights: Apache-2.0. Questions: CC BY 4.0, not shipped; photographs vary."
        if official
        else "Weights: Apache-2.0, and as your questions and photographs allow."
    )
    return cards.new_card(
        output,
        "vqa",
        "Questions about photos",
        seed,
        SCORED_ON,
        data=f"COCO-QA and VQA v2 questions about {all_photos:,} photographs for training and "
        "validation; not comparable with published splits"
        if official
        else "own",
        examples=len(validation),
        training_examples=len(training),
        validation_examples=len(validation),
        scoring="the whole answer must be right; lower case, no articles, numbers in figures",
        licence=f"{licence} The image encoder {origin}",
        limits=[
            f"It has seen {training_photos:,} photos with {len(training):,} questions; many of its "
            "answers come from the question alone.",
            "It counts badly, and cannot read.",
            "It chooses from a closed list of frequent answers.",
        ],
        fingerprint=fingerprint,
        words=dataset.tokenizer.size,
        answers=len(dataset.answers),
        coverage={
            "training": coverage(training, dataset.answers),
            "validation": coverage(validation, dataset.answers),
        },
        habits=most_frequent_answers(training),
    )


def _write_variant(folder, name, network, record, dataset):
    """Store a network and score it on the validation questions; returns its part of the card."""
    cards.store_weights(network, folder / f"{name}.safetensors", cards.tables_of(network))
    predictor, validation = dataset.predictor(network), dataset.validation
    questions = validation.questions
    targets = answer_shares(questions, dataset.answers)
    predictor.temperature = fit_temperature(validation.probabilities(predictor), targets)
    best = validation.best(predictor)
    answers = [each.text for each in best]
    correct = np.array(
        [canonical(a) == canonical(q.answer) for a, q in zip(answers, questions, strict=True)]
    )
    return cards.variant(
        network,
        record,
        f"python -m training.vqa train --variant {name}",
        SCORED_ON,
        scores(answers, questions),
        temperature=round(predictor.temperature, 4),
        threshold=fit_threshold(np.array([each.probability for each in best]), correct),
        **scores(answers, questions, "validation_"),
        consistency=consistency(predictor, validation),
    )
