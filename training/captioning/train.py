"""Captions for photographs: `python -m training.captioning train|evaluate`.

`train` fits the decoder on what the frozen image encoder sees, then both at a small rate, then the
decoder for what its captions score (self-critical training, Rennie et al. 2017), and writes
`models/captioning` with the encoder as fine-tuned. `evaluate` scores the shipped bundle on
Flickr8k's test photographs, or on your own.
"""

import json
import logging
import shutil
import time
import zlib
from collections import Counter
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import keras
import numpy as np
import typer

from apps.captioning import BEAM_WIDTH, LENGTH_PENALTY
from apps.captioning.model import BEGIN, END, PADDING, UNKNOWN
from apps.captioning.predictor import ENCODER_FILE, FOLDER, Predictor
from apps.captioning.scores import Cider, score_captions, split_words
from shared import bundle
from shared.text import WordTokenizer
from training.captioning import data as flickr8k
from training.captioning.data import Photo
from training.cards import old_card
from training.command import (
    AsJson,
    DataDir,
    Model,
    Output,
    WorkDir,
    checkpoint_dir,
    commit,
    data_folder,
    print_metrics,
)
from training.datasets.pictures import Pictures
from training.features import cached, on_grid, pixels, run_name, starting_encoder, weights_of

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)
log = logging.getLogger(__name__)

# One recipe; the encoder is fine-tuned with the first and stays so for the others.
VARIANTS = {"lstm": {}, "gru": {"cell": "gru"}, "rnn": {"cell": "rnn"}}
Variant = StrEnum("Variant", list(VARIANTS))
TOKENIZER = "tokenizer.json"
LEAST = 5  # times that a word must be seen
CAPTIONS, LENGTH = 5, 16  # read of each photograph, and words of each, the end among them
PHOTOS = 16  # of a batch
EPOCHS, RATE, WARM_UP = 14, 1e-3, 200
FINE_EPOCHS, FINE_RATE = 4, 1e-4
SCORED_EPOCHS, SCORED_RATE = 5, 5e-5
SMOOTHING = 0.1
WIDTHS = (1, BEAM_WIDTH, 5)  # of the beam, to be compared; 1 is greedy
# On TensorFlow and a CPU it takes four times as long as a plain graph, with an encoder or without.
XLA = keras.backend.backend() != "tensorflow"
SIDES = {"left", "right"}  # a mirrored photograph makes these words wrong

Input = Annotated[Path | None, typer.Option(help="Your own photographs: a folder or a tar.")]
Captions = Annotated[
    Path | None,
    typer.Option(help='Their captions: JSONL rows {"image", "captions"}; else the folder\'s own.'),
]


def read_rows(folder, captions=None):
    """Photographs with captions, of a JSONL file with rows `{"image": str, "captions": [str, …]}`.

    Args:
        folder: Path of a folder or tar of photographs.
        captions: Path of the file; the only `.jsonl` of the folder if None.

    Returns:
        List of `Photo`, and the `Pictures`.

    Raises:
        typer.BadParameter: if a file or a row is not as it should be; the message says where.
    """
    try:
        pictures = Pictures(folder)
    except FileNotFoundError as problem:
        raise typer.BadParameter(str(problem)) from problem
    if captions is None:
        files = sorted(folder.glob("*.jsonl")) if folder.is_dir() else []
        if len(files) != 1:
            raise typer.BadParameter(
                f"Name the file of captions with --captions: {folder} has {len(files)} of them."
            )
        captions = files[0]
    try:
        lines = captions.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{captions} cannot be read as UTF-8 text: {error}") from error
    photos = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            name, texts = row["image"], row["captions"]
            known = name in pictures
            usable = isinstance(texts, list) and texts and all(split_words(text) for text in texts)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise typer.BadParameter(
                f'{captions}, line {number}: expected {{"image": …, "captions": […]}}.'
            ) from error
        if not usable:
            raise typer.BadParameter(f"{captions}, line {number}: a caption has no words.")
        if not known:
            raise typer.BadParameter(f"{captions}, line {number}: {folder} has no {name}.")
        photos.append(Photo(name, tuple(texts)))
    if not photos:
        raise typer.BadParameter(f"{captions} has no rows.")
    return photos, pictures


def build_tokenizer(photos):
    """A `WordTokenizer` of the words seen `LEAST` times, the most frequent first."""
    counts = Counter(
        word for photo in photos for text in photo.captions for word in split_words(text)
    )
    least = LEAST if len(photos) > 1_000 else 1
    frequent = [word for word, count in counts.most_common() if count >= least]
    return WordTokenizer.build(["[BEGIN]", "[END]", *frequent])


def encode(tokenizer, photos):
    """What the network reads of captions and has to say.

    Returns:
        Two int32 arrays `(photos, captions, time)`: captions after the begin word, and with the
        end word after them. Both are cut to `LENGTH`; unknown words need not be said. Photographs
        with fewer captions than `CAPTIONS` repeat theirs.
    """
    target = np.full((len(photos), CAPTIONS, LENGTH), PADDING, "int32")
    following = target.copy()
    for row, photo in enumerate(photos):
        texts = [" ".join(split_words(text)) for text in photo.captions]
        for place, numbers in enumerate(tokenizer.encode(np.resize(texts, CAPTIONS))):
            whole = np.concatenate([[BEGIN], numbers, [END]])
            size = min(len(whole) - 1, LENGTH)
            target[row, place, :size] = whole[:-1][:size]
            following[row, place, :size] = whole[1:][:size]
    return target, np.where(following == UNKNOWN, PADDING, following)


def mirrorable(photos):
    """Whether a mirrored photograph has the same captions, for each: a boolean array."""
    return np.array(
        [not any(SIDES & set(split_words(text)) for text in photo.captions) for photo in photos]
    )


def trainee(encoder, captioner):
    """The network that is fitted: the encoder's top and the decoder."""

    class Sighted(keras.Model):
        def __init__(self):
            super().__init__(name="sighted")
            self.encoder, self.captioner = encoder, captioner

        def build(self, shapes=None):
            pass  # both are built

        def call(self, inputs, training=False):
            values, target = inputs
            return captioner((encoder.top(values), target), training=training)

    network = Sighted()
    network.build()
    return network


def fit_network(options, encoder, data, folder, seed, epochs, tuned=False, captioner=None):
    """Fit a `Captioner` to what people wrote, alone or with the top of its encoder.

    Args:
        options: Arguments of the network.
        encoder: An `ImageEncoder`; its top is fitted too if `tuned`.
        data: Dict with `"values"` (a list of arrays `(photos, 7, 7, n)`: the photographs, and
            mirrored), `"mirrorable"`, `"photos"`, `"target"`, `"following"`, `"tokenizer"`, and
            `"validation"`: photographs and their values.
        folder: Path of the checkpoints.
        seed: Integer.
        epochs: How many epochs.
        tuned: Whether this is the second stage: everything at the small rate.
        captioner: The network to go on with, in the second stage.

    Returns:
        The captioner with its best weights and the record of `loop.fit`.
    """
    from apps.captioning.model import Captioner
    from training.loop import smoothed_cross_entropy

    keras.utils.set_random_seed(seed)
    if captioner is None:
        captioner = Captioner(**options, seed=seed)
        captioner.build()
    network = trainee(encoder, captioner)
    network.compile(
        optimizer=_optimizer(data, epochs, FINE_RATE if tuned else RATE),
        loss=smoothed_cross_entropy(SMOOTHING),
        jit_compile=XLA,
    )

    def batch(rows, values, _):
        return (values.astype("float32"), data["target"][rows]), data["following"][rows]

    recipe = {"rate": FINE_RATE if tuned else RATE, "top": encoder.trainable}
    recipe |= {"smoothing": SMOOTHING, "length": LENGTH}
    predictor = Predictor(captioner, data["tokenizer"], encoder, {})
    record = _fit(network, predictor, data, batch, folder, recipe, (seed, int(tuned)), epochs)
    return captioner, record


def fit_scored(captioner, encoder, data, folder, seed, epochs):
    """Fit a `Captioner` to what its own captions score, the last stage.

    Captions are drawn from the network; those with more CIDEr-D than the others of their
    photograph become likelier, the rest less likely (Rennie et al. 2017; the mean of the others
    as the measure: Luo 2020).

    Args:
        captioner: The network to go on with.
        encoder, data, folder, seed, epochs: As for `fit_network`; the encoder is left alone.

    Returns:
        The record of `loop.fit`; the captioner has its best weights.
    """
    # What is drawn without dropout must not be judged with it.
    captioner.dropout.rate = 0.0
    captioner.compile(
        optimizer=_optimizer(data, epochs, SCORED_RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=XLA,
    )
    predictor = Predictor(captioner, data["tokenizer"], encoder, {})
    words = np.array(data["tokenizer"].words)
    references = [
        [[*split_words(text), words[END]] for text in photo.captions] for photo in data["photos"]
    ]
    cider = Cider(references)

    def batch(rows, values, number):
        features = on_grid(encoder, values)
        drawn, *_ = predictor.sample_features(np.repeat(features, CAPTIONS, axis=0), seed=number)
        # The end is scored like a word: a caption must not stop in the middle.
        written = [words[numbers[numbers != PADDING]].tolist() for numbers in drawn]
        own = [references[row] for row in rows for _ in range(CAPTIONS)]
        score = cider.score_each(written, own).reshape(len(rows), CAPTIONS)
        others = (score.sum(axis=1, keepdims=True) - score) / (CAPTIONS - 1)
        following = drawn.reshape(len(rows), CAPTIONS, -1)
        target = np.concatenate([np.full_like(following[..., :1], BEGIN), following], axis=-1)
        weights = (score - others)[..., None] * (following != PADDING)
        return (features, target[..., :-1]), following, weights.astype("float32")

    recipe = {"rate": SCORED_RATE, "drawn": CAPTIONS}
    return _fit(captioner, predictor, data, batch, folder, recipe, (seed, 2), epochs)


def _batches(data):
    return max(1, len(data["target"]) // PHOTOS)


def _optimizer(data, epochs, rate):
    steps = max(1, _batches(data) * epochs - WARM_UP)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=rate, warmup_steps=WARM_UP
    )
    return keras.optimizers.Adam(schedule, clipnorm=1.0)


def _fit(network, predictor, data, batch, folder, recipe, seed, epochs):
    """`loop.fit` with some photographs mirrored, and the greedy captions' CIDEr-D as the score.

    Args:
        network: What is fitted, compiled.
        predictor: Of the captioner in it.
        data, folder, epochs: As for `fit_network`.
        batch: Function of the photographs' rows, their values and a number that is the batch's
            own, which returns what `train_on_batch` takes.
        recipe: What must be the same to resume, besides the network.
        seed: Tuple of integers.
    """
    from training.loop import Batches, fit

    views, count = data["values"], _batches(data)

    def epoch_batches(number):
        noise = np.random.default_rng((*seed, number))
        order = np.resize(noise.permutation(len(data["target"])), count * PHOTOS)
        mirrored = noise.random(len(order)) < 0.5 * (len(views) - 1)
        mirrored &= data["mirrorable"][order]

        def make(n):
            rows = order[n * PHOTOS : (n + 1) * PHOTOS]
            turned = mirrored[n * PHOTOS : (n + 1) * PHOTOS]
            pairs = zip(rows, turned, strict=True)
            values = np.stack([views[int(turn)][row] for row, turn in pairs])
            return batch(rows, values, number * count + n)

        return Batches(count, make)

    photos, values = data["validation"]

    def validate():
        features = on_grid(predictor.encoder, values)
        found = score_captions(_written(predictor, features, 1), _references(photos))
        return {"score": found["cider"], **found}

    noted = {**predictor.network.options, "epochs": epochs, "photos": PHOTOS, **recipe}
    # A stage goes on from the one before, which may have been another.
    noted["start"] = zlib.crc32(weights_of(predictor.network, predictor.encoder))
    return fit(network, epoch_batches, validate, folder, noted, epochs, patience=epochs)


@app.command()
def train(
    data_dir: DataDir = None,
    input: Input = None,
    captions: Captions = None,
    variant: Annotated[list[Variant] | None, typer.Option(help="Only these (repeatable).")] = None,
    output: Output = None,
    work_dir: WorkDir = None,
    epochs: Annotated[int, typer.Option(min=1)] = EPOCHS,
    fine_epochs: Annotated[int, typer.Option(min=1)] = FINE_EPOCHS,
    scored_epochs: Annotated[int, typer.Option(min=1)] = SCORED_EPOCHS,
    seed: int = 0,
    as_json: AsJson = False,
):
    """Fit the networks and write the bundle; a run that was stopped goes on."""
    if input:
        photos, pictures = read_rows(input, captions)
        order = np.random.default_rng(seed).permutation(len(photos))
        cut = max(1, len(photos) // 10)
        validation, training = ([photos[n] for n in part] for part in (order[:cut], order[cut:]))
        test, data_dir = None, None
        output = output or Path("captioning-model")
    else:
        data_dir = data_folder(data_dir)
        training, validation, test = (flickr8k.read(data_dir, part) for part in flickr8k.PARTS)
        pictures = flickr8k.pictures(data_dir)
        output = output or FOLDER
    if not training:
        raise typer.BadParameter("Training needs at least two photographs.")
    names = [name for name in VARIANTS if not variant or name in variant]
    if "lstm" not in names and not (output / ENCODER_FILE).exists():
        raise typer.BadParameter(f"{output} has no {ENCODER_FILE}: train the variant lstm first.")
    encoder = starting_encoder(data_dir, FOLDER / ENCODER_FILE)
    every = [*training, *validation, *(test or ())]
    made_from = weights_of(encoder) + f"{training} {validation} {test}".encode()
    work_dir = checkpoint_dir("captioning", work_dir, data_dir)
    work_dir /= run_name(made_from, pictures, [photo.name for photo in every])

    def values(part, photos, flip=False):
        return cached(encoder, pictures, [p.name for p in photos], work_dir / f"{part}.npy", flip)

    tokenizer = build_tokenizer(training)
    target, following = encode(tokenizer, training)
    data = {
        "values": [values("train", training), values("train_mirrored", training, flip=True)],
        "mirrorable": mirrorable(training),
        "photos": training,
        "target": target,
        "following": following,
        "tokenizer": tokenizer,
        "validation": (validation, values("validation", validation)),
    }
    scored = (test, values("test", test)) if test else data["validation"]
    card = _new_card(output, seed, training, validation, test)
    bottom = encoder.get_weights()
    for name in names:
        options = {"vocabulary": tokenizer.size, **VARIANTS[name]}
        options["features"] = encoder.options["features"]
        encoder.set_weights(bottom)
        encoder.freeze()
        folder = work_dir / name
        captioner, first = fit_network(options, encoder, data, folder, seed, epochs)
        if name == "lstm":
            encoder.freeze(top=False)
        else:
            _take_over(encoder, output)
        captioner, second = fit_network(
            options, encoder, data, folder / "fine", seed, fine_epochs, True, captioner
        )
        if name == "lstm":
            encoder.save(folder / ENCODER_FILE)
            _take_over(encoder, folder)  # all that follows sees through the weights as stored
            card["encoder"] = _of_encoder(encoder, folder, test is not None)
            card["baselines"] = baselines(training, encoder, data["values"][0], *scored)
        third = fit_scored(captioner, encoder, data, folder / "scored", seed, scored_epochs)
        predictor = Predictor(captioner, tokenizer, encoder, {})
        records = {"frozen": first, "tuned": second, "scored": third}
        tokenizer.save(folder / TOKENIZER)
        details = _write_variant(folder, name, predictor, records, data, scored)
        _publish(output, card, name, details, folder)
    metrics = {name: details["bleu4"] for name, details in card["variants"].items()}
    print(json.dumps({"output": str(output), **metrics}) if as_json else f"Written to {output}.")


def _publish(output, card, name, details, folder):
    """Put a variant from its folder into the bundle, without those that do not fit any more.

    Only now, so that a run that stops earlier leaves the bundle as it was.
    """
    before = _fingerprint(output)
    output.mkdir(parents=True, exist_ok=True)
    for file in (folder / TOKENIZER, *folder.glob("*.safetensors")):  # the encoder's if tuned
        shutil.copy(file, output)
    if _fingerprint(output) != before:
        card["variants"] = {}
    card["variants"][name] = details
    bundle.write_card(output, card)


def _fingerprint(folder):
    """Of the encoder and the words that all variants of a bundle share; None without them."""
    encoder, words = folder / ENCODER_FILE, folder / TOKENIZER
    if not (encoder.exists() and words.exists()):
        return None
    return zlib.crc32(encoder.read_bytes() + words.read_text(encoding="utf-8").encode())


def _take_over(encoder, folder):
    """Give the encoder the weights of a bundle's."""
    bundle.set_weights(encoder, bundle.load_arrays(folder / ENCODER_FILE))


def _of_encoder(encoder, folder, official):
    return {
        "network": encoder.options,
        "parameters": encoder.count_params(),
        "bytes": (folder / ENCODER_FILE).stat().st_size,
        "origin": "MobileNetV2 1.0 224 (Sandler et al. 2018) trained on ImageNet by Google, "
        "Apache-2.0; its top fine-tuned "
        + ("here on Flickr8k" if official else "on Flickr8k, then on own photographs"),
    }


def _references(photos):
    return [photo.captions for photo in photos]


def _written(predictor, features, width=BEAM_WIDTH, alpha=LENGTH_PENALTY):
    return [each.text for each in predictor.describe_features(features, width, alpha)]


def baselines(training, encoder, values, photos, scored):
    """What a captioner must beat, and how well people do.

    Args:
        training: List of `Photo`.
        encoder: An `ImageEncoder`.
        values: Of the training photographs, as from `features.cached`.
        photos: List of `Photo` to score on.
        scored: Their values.

    Returns:
        Dict by name, of dicts of scores: `nearest` (the first caption of the most similar training
        photograph, by the cosine of mean features), `common` and `human`.
    """

    def directions(values):
        means = on_grid(encoder, values).mean(axis=(1, 2))
        return means / np.linalg.norm(means, axis=1, keepdims=True)

    known = np.concatenate([directions(values[n : n + 500]) for n in range(0, len(values), 500)])
    nearest = np.argmax(directions(scored) @ known.T, axis=1)
    written = [training[n].captions[0] for n in nearest]
    return {
        "nearest": score_captions(written, _references(photos)),
        "common": common(training, photos),
        "human": human(photos),
    }


def common(training, photos):
    """The scores of the caption that people wrote most often, whatever the photograph."""
    texts = Counter(" ".join(split_words(text)) for photo in training for text in photo.captions)
    return score_captions([texts.most_common(1)[0][0]] * len(photos), _references(photos))


def human(photos):
    """How each reference scores against the others, on average: about as well as can be.

    Returns:
        Dict of scores, or None if a photograph has one caption only.
    """
    count = min(len(photo.captions) for photo in photos)
    if count < 2:
        return None
    found = [
        score_captions(
            [photo.captions[n] for photo in photos],
            [photo.captions[:n] + photo.captions[n + 1 :] for photo in photos],
        )
        for n in range(count)
    ]
    return {name: round(float(np.mean([each[name] for each in found])), 4) for name in found[0]}


def _new_card(output, seed, training, validation, test):
    """A card with what all variants share, and what stands in `output` already."""
    old = old_card(output)
    official = test is not None
    if official:
        licence = (
            "Weights: for non-commercial research, as Flickr8k's photographs are. The image "
            "encoder comes from MobileNetV2, Apache-2.0."
        )
        seen = (
            "It has seen 6,000 photographs of people and dogs out of doors; of much else it says "
            "that it is a person or a dog."
        )
        words = "It knows only words that people used five times in those captions."
    else:
        licence = (
            "Weights: for non-commercial research at most, for the image encoder, which comes from "
            "MobileNetV2, Apache-2.0, was fine-tuned on Flickr8k; and as your photographs allow."
        )
        seen = f"It has seen {len(training):,} photographs; of others it says what fits those."
        words = "It knows only the words of their captions."
    return {
        "task": "captioning",
        "title": "Captions for photos",
        "date": date.today().isoformat(),
        "seed": seed,
        "commit": commit(),
        "data": "Flickr8k, official split" if official else "own",
        "test_set": "Flickr8k test, five references" if official else "validation photographs",
        "examples": len(test if official else validation),
        "training_examples": len(training),
        "validation_examples": len(validation),
        "scoring": "lower case, no punctuation; BLEU by sacrebleu, CIDEr-D and ROUGE-L as in the "
        "COCO captions challenge",
        "licence": licence,
        "limits": [
            seen,
            "It counts badly, and guesses colours and sexes that it cannot see.",
            words,
        ],
        "encoder": old.get("encoder"),
        "baselines": old.get("baselines"),
        "variants": old.get("variants", {}),
    }


def _write_variant(output, name, predictor, records, data, scored):
    arrays = bundle.weights_of(predictor.network)
    tables = [path for path, array in arrays.items() if array.ndim == 2]
    bundle.save_arrays(output / f"{name}.safetensors", arrays, int8=tables)
    # Everything is measured on the weights as they were stored.
    bundle.set_weights(predictor.network, bundle.load_arrays(output / f"{name}.safetensors"))
    held, values = data["validation"]
    held_features = on_grid(predictor.encoder, values)
    photos, values = scored
    features = on_grid(predictor.encoder, values)
    searches = {
        width: score_captions(_written(predictor, features, width), _references(photos))
        for width in WIDTHS
    }
    details = {
        "network": predictor.network.options,
        "parameters": predictor.network.count_params(),
        **score_captions(_written(predictor, held_features), _references(held), "validation_"),
        **searches[BEAM_WIDTH],
        "by_width": [{"width": width, **found} for width, found in searches.items()],
        "stages": {
            stage: {
                "epochs": len(record["epochs"]),
                "validation_greedy_cider": max(each["cider"] for each in record["epochs"]),
            }
            for stage, record in records.items()
        },
        "minutes": round(sum(record["minutes"] for record in records.values()), 1),
        "command": f"python -m training.captioning train --variant {name}",
    }
    log.info("%s: %s", name, json.dumps(details))
    return details


@app.command()
def evaluate(
    data_dir: DataDir = None,
    input: Input = None,
    captions: Captions = None,
    variant: Annotated[Variant, typer.Option(help="Which network.")] = Variant.lstm,
    model: Model = None,
    width: Annotated[int, typer.Option(min=1, help="Beam width; 1 is greedy.")] = BEAM_WIDTH,
    alpha: Annotated[float, typer.Option(min=0, help="Length penalty.")] = LENGTH_PENALTY,
    as_json: AsJson = False,
):
    """Score the shipped bundle on the official test photographs, or on your own."""
    if input:
        photos, pictures = read_rows(input, captions)
        others = {"human": human(photos)}
    else:
        data_dir = data_folder(data_dir)
        photos, pictures = flickr8k.read(data_dir, "test"), flickr8k.pictures(data_dir)
        others = {"human": human(photos)}
        others["common"] = common(flickr8k.read(data_dir, "train"), photos)
    predictor = Predictor.load(str(variant), model)
    if not input:
        others["nearest"] = predictor.card["baselines"]["nearest"]
    start = time.perf_counter()
    written = []
    for first in range(0, len(photos), 50):
        some = [pixels(pictures, photo.name) for photo in photos[first : first + 50]]
        written += _written(predictor, predictor.encode(some), width, alpha)
    seconds = time.perf_counter() - start
    metrics = {
        **score_captions(written, _references(photos)),
        "images": len(photos),
        "seconds": round(seconds, 1),
    }
    for name, found in others.items():
        metrics |= {f"baseline_{name}_{key}": value for key, value in (found or {}).items()}
    print_metrics(metrics, as_json)
