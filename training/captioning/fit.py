"""Fitting a captioner in three stages: alone, with its encoder, and on its captions' scores."""

import zlib
from dataclasses import dataclass

import keras
import numpy as np

from apps.captioning.model import BEGIN, END, PADDING, Captioner
from apps.captioning.predictor import Predictor
from apps.captioning.scores import Cider, score_captions, split_words
from shared.text import WordTokenizer
from training.captioning import recipe
from training.captioning.data import Photo
from training.captioning.evaluate import references_of, write_captions
from training.features import encode_top, weights_bytes
from training.loop import Batches, fit, smoothed_cross_entropy, warmup_cosine

# With TensorFlow on a CPU, XLA takes four times as long as a plain graph for these networks.
XLA = keras.backend.backend() != "tensorflow"


@dataclass(frozen=True)
class Data:
    """What captioners are fitted to.

    Attributes:
        values: List of arrays `(photos, 7, 7, n)` from `features.encode_bottom`: of the
            photographs, and of the mirrored ones if there are any.
        mirrorable: Boolean array `(photos,)`.
        photos: List of `Photo`.
        inputs, targets: As from `data.encode_captions`.
        tokenizer: A `WordTokenizer`.
        validation: List of `Photo`, and their values.
    """

    values: list[np.ndarray]
    mirrorable: np.ndarray
    photos: list[Photo]
    inputs: np.ndarray
    targets: np.ndarray
    tokenizer: WordTokenizer
    validation: tuple[list[Photo], np.ndarray]

    @property
    def batches(self):
        """How many batches an epoch has."""
        return max(1, len(self.photos) // recipe.PHOTOS_PER_BATCH)


def join(encoder, captioner):
    """The network that is fitted: the encoder's top and the decoder."""

    class EncoderDecoder(keras.Model):
        def __init__(self):
            super().__init__(name="encoder_decoder")
            self.encoder, self.captioner = encoder, captioner

        def build(self, shapes=None):
            pass  # both are built

        def call(self, inputs, training=False):
            values, words = inputs
            return captioner((encoder.top(values), words), training=training)

    network = EncoderDecoder()
    network.build()
    return network


def fit_network(options, encoder, data, folder, seed, stage, captioner=None):
    """Fit a `Captioner` to people's captions.

    Args:
        options: Arguments of the network.
        encoder: An `ImageEncoder`; its top is fitted as well unless it is frozen.
        data: A `Data`.
        folder: Path of the checkpoints.
        seed: Integer.
        stage: A `Stage`.
        captioner: The network to continue with, in the second stage.

    Returns:
        The captioner with its best weights and the record of `loop.fit`.
    """
    keras.utils.set_random_seed(seed)
    second = captioner is not None
    if not second:
        captioner = Captioner(**options, seed=seed)
        captioner.build()
    network = join(encoder, captioner)
    network.compile(
        optimizer=_optimizer(data, stage),
        loss=smoothed_cross_entropy(recipe.LABEL_SMOOTHING),
        jit_compile=XLA,
    )

    def batch(rows, values, _):
        return (values.astype("float32"), data.inputs[rows]), data.targets[rows]

    settings = {
        "rate": stage.learning_rate,
        "top": encoder.trainable,
        "smoothing": recipe.LABEL_SMOOTHING,
        "length": recipe.MAX_WORDS,
    }
    predictor = Predictor(captioner, data.tokenizer, encoder, {})
    record = _fit(
        network, predictor, data, batch, folder, settings, (seed, int(second)), stage.epochs
    )
    return captioner, record


def fit_self_critical(captioner, encoder, data, folder, seed, stage):
    """Fit a `Captioner` to the scores of its own captions, the last stage.

    Captions are sampled from the network. Those with more CIDEr-D than the others of their
    photograph become likelier, the rest less likely (Rennie et al. 2017; with the mean of the
    others as the baseline: Luo 2020).

    Args:
        captioner: The network to continue with.
        encoder, data, folder, seed, stage: As for `fit_network`; the encoder is not changed.

    Returns:
        The record of `loop.fit`; the captioner has its best weights.
    """
    # Captions are sampled without dropout, so their gradient must not have it either.
    captioner.dropout.rate = 0.0
    captioner.compile(
        optimizer=_optimizer(data, stage),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=XLA,
    )
    predictor = Predictor(captioner, data.tokenizer, encoder, {})
    count = recipe.CAPTIONS_PER_PHOTO
    words = np.array(data.tokenizer.words)
    references = [
        [[*split_words(text), words[END]] for text in photo.captions] for photo in data.photos
    ]
    cider = Cider(references)

    def batch(rows, values, number):
        features = encode_top(encoder, values)
        sampled, *_ = predictor.sample_features(np.repeat(features, count, axis=0), seed=number)
        # The end is scored like a word: a caption must not stop in the middle.
        captions = [words[numbers[numbers != PADDING]].tolist() for numbers in sampled]
        own = [references[row] for row in rows for _ in range(count)]
        score = cider.score_each(captions, own).reshape(len(rows), count)
        others = (score.sum(axis=1, keepdims=True) - score) / (count - 1)
        targets = sampled.reshape(len(rows), count, -1)
        inputs = np.concatenate([np.full_like(targets[..., :1], BEGIN), targets], axis=-1)
        weights = (score - others)[..., None] * (targets != PADDING)
        return (features, inputs[..., :-1]), targets, weights.astype("float32")

    settings = {"rate": stage.learning_rate, "drawn": count}
    return _fit(captioner, predictor, data, batch, folder, settings, (seed, 2), stage.epochs)


def _optimizer(data, stage):
    batches = data.batches * stage.epochs
    schedule = warmup_cosine(stage.learning_rate, recipe.WARM_UP_BATCHES, batches)
    return keras.optimizers.Adam(schedule, clipnorm=1.0)


def _fit(network, predictor, data, batch, folder, settings, seed, epochs):
    """`loop.fit`, with half of the photographs mirrored; the score is CIDEr-D of greedy captions.

    Args:
        network: What is fitted, compiled.
        predictor: Of the captioner in it.
        data, folder, epochs: As for `fit_network`.
        batch: Function of the photographs' rows, their values and a number that no other batch
            has, which returns what `train_on_batch` takes.
        settings: What must be the same to resume, besides the network.
        seed: Tuple of integers.
    """
    views, count, size = data.values, data.batches, recipe.PHOTOS_PER_BATCH

    def epoch_batches(epoch):
        rng = np.random.default_rng((*seed, epoch))
        order = np.resize(rng.permutation(len(data.photos)), count * size)
        mirrored = rng.random(len(order)) < 0.5 * (len(views) - 1)
        mirrored &= data.mirrorable[order]

        def make(n):
            rows = order[n * size : (n + 1) * size]
            pairs = zip(rows, mirrored[n * size : (n + 1) * size], strict=True)
            values = np.stack([views[int(mirror)][row] for row, mirror in pairs])
            return batch(rows, values, epoch * count + n)

        return Batches(count, make)

    photos, values = data.validation

    def validate():
        captions = write_captions(predictor, encode_top(predictor.encoder, values), 1)
        scores = score_captions(captions, references_of(photos))
        return {"score": scores["cider"], **scores}

    settings = {
        **predictor.network.options,
        "epochs": epochs,
        "photos": size,
        **settings,
        # A stage starts from the weights of the one before.
        "start": zlib.crc32(weights_bytes(predictor.network, predictor.encoder)),
    }
    return fit(network, epoch_batches, validate, folder, settings, epochs, patience=epochs)
