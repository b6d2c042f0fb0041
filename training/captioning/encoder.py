"""Fine-tuning the top of the image encoder to name the words of captions (Fang et al. 2015)."""

from collections import ChainMap, Counter
from pathlib import Path
from typing import Annotated

import keras
import numpy as np
import typer
from keras import ops

from apps.captioning.scores import split_words
from training.captioning import data, recipe
from training.captioning.data import Photo
from training.command import AsJson, DataDir, WorkDir, checkpoint_dir, data_folder, print_metrics
from training.datasets import coco
from training.features import encode_bottom, imagenet_encoder, run_checksum, weights_bytes
from training.loop import Batches, fit, warmup_cosine

BATCH_SIZE = 32


def encoder(
    output: Annotated[Path, typer.Argument(help="File of the encoder to write, .safetensors.")],
    data_dir: DataDir = None,
    work_dir: WorkDir = None,
    seed: int = 0,
    as_json: AsJson = False,
):
    """Fine-tune the top of ImageNet's encoder on the words of captions of Flickr8k and COCO.

    It never sees a photograph of the validation or the test of either. The other stages of
    `train`, and `training.vqa train --encoder`, can start from the file that is written.
    An interrupted run resumes from its last checkpoint.
    """
    data_dir = data_folder(data_dir)
    parts = {
        "train": [*data.read(data_dir, "train"), *_read_coco(data_dir, "train")],
        "validation": [*data.read(data_dir, "dev"), *_read_coco(data_dir, "val")],
    }
    names = {part: [photo.name for photo in photos] for part, photos in parts.items()}
    pictures = ChainMap(data.pictures(data_dir), coco.pictures(data_dir))
    network = imagenet_encoder(data_dir, prefer_lite=True)
    content = weights_bytes(network) + f"{parts}".encode()
    checksum = run_checksum(content, pictures, [*names["train"], *names["validation"]])
    work_dir = checkpoint_dir("captioning", work_dir, data_dir) / checksum

    def values(part, file, flip=False):
        return encode_bottom(network, pictures, names[part], work_dir / file, flip)

    views = [values("train", "train.npy"), values("train", "train_mirrored.npy", flip=True)]
    validation = parts["validation"], values("validation", "validation.npy")
    record = fit_words(network, views, parts["train"], validation, work_dir, seed)
    network.save(output)
    losses = {"loss_frozen": -record[0]["score"], "loss": -record[1]["score"]}
    print_metrics({"file": str(output), "photographs": len(parts["train"]), **losses}, as_json)


def _read_coco(data_dir, part):
    captions = coco.read_captions(data_dir, part)
    return [Photo(name, texts) for name, texts in captions.items()]


def list_words(photos):
    """The words that stand in the captions of most photographs, a list."""
    counts = Counter(word for photo in photos for word in set().union(*_split(photo)))
    return [word for word, _ in counts.most_common(recipe.NAMED_WORDS)]


def word_shares(photos, words):
    """The share of each photograph's captions that have each word, float16 `(photos, words)`."""
    place = {word: n for n, word in enumerate(words)}
    shares = np.zeros((len(photos), len(words)), "float16")
    for row, photo in zip(shares, photos, strict=True):
        for caption in _split(photo):
            for word in caption & place.keys():
                row[place[word]] += 1 / len(photo.captions)
    return shares


def _split(photo):
    return [set(split_words(text)) for text in photo.captions]


@keras.saving.register_keras_serializable("unrolled")
class WordNamer(keras.Model):
    """The encoder's top, and a layer that gives the logit of each word for the mean of its grid.

    Args:
        encoder: A built `ImageEncoder`.
        words: Number of words.
        dropout: Dropout rate of the mean.
        seed: Integer or None.
    """

    def __init__(self, encoder, words, dropout=0.3, seed=None):
        super().__init__(name="word_namer")
        self.encoder = encoder
        self.dropout = keras.layers.Dropout(dropout, seed=seed)
        self.output_layer = keras.layers.Dense(words, name="words")
        self.output_layer.build((None, encoder.options["features"]))
        self.built = True

    def call(self, values, training=False):
        mean = ops.mean(self.encoder.top(values), axis=(1, 2))
        return self.output_layer(self.dropout(mean, training=training))


def word_loss(shares, logits):
    """The cross-entropy of all words of a photograph in nats, the mean over the photographs."""
    return ops.mean(
        ops.sum(ops.softplus(logits) - ops.cast(shares, logits.dtype) * logits, axis=-1)
    )


def fit_words(encoder, views, photos, validation, folder, seed):
    """Fit the top of an encoder to the words of captions: first the new layer alone, then both.

    Args:
        encoder: A built `ImageEncoder`, which has the best weights afterwards.
        views: List of what its bottom gives for the photographs, and for the mirrored ones.
        photos: List of `Photo`.
        validation: List of `Photo`, and what the encoder's bottom gives for them.
        folder: Path of the checkpoints.
        seed: Integer.

    Returns:
        The figures of the best epoch of both stages; the score is the loss with its sign changed.
    """
    keras.utils.set_random_seed(seed)
    words = list_words(photos)
    namer = WordNamer(encoder, len(words), seed=seed)
    shares, expected = word_shares(photos, words), word_shares(validation[0], words)
    base = np.clip(shares.mean(axis=0, dtype="float64"), 1e-5, 1 - 1e-5)
    namer.output_layer.bias.assign(np.log(base / (1 - base)))
    size = min(BATCH_SIZE, len(photos))
    count = len(photos) // size

    def validate():
        values = validation[1]
        starts = range(0, len(values), BATCH_SIZE)
        logits = [namer(values[n : n + BATCH_SIZE].astype("float32")) for n in starts]
        loss = word_loss(expected.astype("float32"), np.concatenate(logits))
        return {"score": -float(loss)}

    best = []
    for number, stage in enumerate(recipe.NAMING):
        encoder.freeze(top=number == 0)
        rate = warmup_cosine(stage.learning_rate, recipe.WARM_UP_BATCHES, count * stage.epochs)
        namer.compile(
            optimizer=keras.optimizers.AdamW(rate, weight_decay=0.01, clipnorm=1.0),
            loss=word_loss,
            jit_compile=keras.backend.backend() != "tensorflow",
        )

        def epoch_batches(epoch, number=number):
            rng = np.random.default_rng((seed, number, epoch))
            order = rng.permutation(len(photos))[: count * size]
            mirrored = rng.integers(0, len(views), len(order))

            def make(n):
                part = slice(n * size, (n + 1) * size)
                pairs = zip(mirrored[part], order[part], strict=True)
                values = np.stack([views[view][row] for view, row in pairs])
                return values.astype("float32"), shares[order[part]].astype("float32")

            return Batches(count, make)

        settings = {
            "rate": stage.learning_rate,
            "epochs": stage.epochs,
            "words": len(words),
            "stage": number,
        }
        path = folder / f"words{number}"
        record = fit(namer, epoch_batches, validate, path, settings, stage.epochs, stage.epochs)
        best.append(record["epochs"][record["best"]])
    return best
