"""The network that starts from a language model: a fine-tuned teacher, distilled to a student."""

import json
import logging
import zlib
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from apps.sentiment.predictor import Predictor
from shared import bundle
from shared.text import WordTokenizer
from training.command import language_model_folder
from training.sentiment import fit, recipe
from training.sentiment.baseline import fit_bag
from training.sentiment.data import labels_of, reverse_texts
from training.sentiment.evaluate import fit_temperature

log = logging.getLogger(__name__)


class Encoder(NamedTuple):
    """What a network takes over from a language model.

    Attributes:
        options: Arguments of the `SentimentNetwork`.
        tokenizer: A `WordTokenizer`.
        weights: Dict from weight to array.
    """

    options: dict
    tokenizer: WordTokenizer
    weights: dict


def load_encoder(folder):
    """The `Encoder` of a bundle of `training.language_model`.

    Raises:
        BundleError: if there is none; the message says how to train one.
    """
    try:
        arrays = bundle.load_arrays(folder / "lstm.safetensors")
        network = bundle.read_card(folder)["variants"]["lstm"]["network"]
    except bundle.BundleError as error:
        raise bundle.BundleError(
            f"There is no language model in {folder}. Train one first: "
            "python -m training.language_model train"
        ) from error
    options = {name: network[name] for name in ("vocabulary", "dimensions", "units")}
    options |= {"cell": "lstm", "adversary": recipe.ADVERSARY}
    weights = {path.partition("/")[2]: array for path, array in arrays.items()}
    return Encoder(options, WordTokenizer.load(folder / "tokenizer.json"), weights)


def load_encoders(language_model=None, backward_model=None):
    """The encoders that read forwards and backwards, the second None where there is none.

    Args:
        language_model, backward_model: Paths of bundles. Without them the usual folders of
            `training.language_model` are used; the usual backward model only if both are None.

    Raises:
        BundleError: if there is no forward model, one of the paths has no model, or the two have
            different vocabularies.
    """
    forward, backward = load_encoder(language_model or language_model_folder("reviews")), None
    usual = language_model_folder("reviews-backward")
    if backward_model or (language_model is None and usual.exists()):
        backward = load_encoder(backward_model or usual)
        if backward.tokenizer.words != forward.tokenizer.words:
            raise bundle.BundleError(
                "The two language models know different words. Train both on the same text."
            )
    return forward, backward


def weights_checksum(networks):
    """A checksum of the weights of networks, in hexadecimal."""
    weights = [np.asarray(v) for network in networks for v in network.trainable_variables]
    return f"{zlib.crc32(b''.join(map(np.ndarray.tobytes, weights))):08x}"


def label_by_teachers(networks, tokenizer, encoded, training, validation, texts, file):
    """Soft labels for unlabelled texts, from networks and a bag of word triples together.

    The teachers' log-odds, each divided by its temperature, are added and calibrated again.

    Args:
        networks: Dict from name to `SentimentNetwork`; the one named `"backward"` reads each text
            from its end.
        tokenizer: Their `WordTokenizer`.
        encoded: List of word numbers, those of `texts`.
        training: List of reviews that the bag of words is fitted to.
        validation: List of reviews that temperatures are fitted to.
        texts: List of cleaned texts.
        file: Path where the labels are kept; they are read from it if it exists.

    Returns:
        Probabilities `(texts,)` that they are positive, float32; and a dict with the validation
        accuracy of each teacher and of all together.
    """
    from scipy.special import expit

    if file.exists():
        with np.load(file) as arrays:
            accuracy = {name: float(arrays[name]) for name in arrays.files if name != "labels"}
            return arrays["labels"], accuracy
    log.info("labelling %d texts with the networks and a bag of word triples", len(texts))
    bag = fit_bag(training, tokenizer, recipe.TEACHER_NGRAM_WORDS, min_reviews=2)
    reviews, truth = [review.text for review in validation], labels_of(validation)
    log_odds = {"bag": (_bag_log_odds(bag, reviews), _bag_log_odds(bag, texts))}
    numbers = tokenizer.encode(reviews)
    for name, network in networks.items():
        predictor, step = Predictor(network, tokenizer), -1 if name == "backward" else 1
        log_odds[name] = [
            predictor.log_odds([words[::step][: recipe.MAX_WORDS] for words in part])
            for part in (numbers, encoded)
        ]
    validation_sum, sum_, accuracy = 0, 0, {}
    for name, (own, others) in log_odds.items():
        temperature = fit_temperature(own, truth)
        validation_sum, sum_ = validation_sum + own / temperature, sum_ + others / temperature
        accuracy[name] = float(np.mean((own > 0) == (truth > 0)))
    accuracy["together"] = float(np.mean((validation_sum > 0) == (truth > 0)))
    log.info("validation accuracy of the teachers: %s", json.dumps(accuracy))
    labels = expit(sum_ / fit_temperature(validation_sum, truth)).astype("float32")
    np.savez(file, labels=labels, **accuracy)
    return labels, accuracy


def _bag_log_odds(bag, texts, chunk=5_000):
    counter, _, weights, bias = bag
    return np.concatenate(
        [
            np.asarray(counter.transform(texts[n : n + chunk]) @ weights + bias)
            for n in range(0, len(texts), chunk)
        ]
    )


def fit_pretrained(
    forward, encoded, training, validation, texts, folder, seed, epochs=None, backward=None
):
    """Fit the network that starts from a language model: first as teacher, then as student.

    The student learns the labelled reviews and the teachers' soft labels of unlabelled texts
    (Xie et al. 2020). Without unlabelled texts, the result is the teacher.

    Args:
        forward: The `Encoder` to start from.
        encoded: Dict from `"training"` and `"validation"` to word numbers and labels.
        training, validation: The lists of reviews of `encoded`.
        texts: List of cleaned texts without labels.
        folder: Path that holds a folder of checkpoints for each stage.
        seed: Integer.
        epochs: Epochs of each stage; the recipe's if None.
        backward: The `Encoder` of a model with the same words that reads from the end, for a
            second teacher, or None.

    Returns:
        The network with its best weights and the record, as from `loop.fit`, of all stages that
        lead to it, with the validation accuracy of the teachers as `"teachers"`.
    """
    teachers, stages = {}, []
    for name, encoder in (("forward", forward), ("backward", texts and backward)):
        if encoder:
            data = encoded if name == "forward" else reverse_texts(encoded)
            settings = _with_epochs(recipe.PRETRAINED, epochs)
            teachers[name], record = fit.fit_network(
                encoder.options, data, encoder.weights, folder / name, seed, settings
            )
            if name == "forward" and not texts:
                return teachers[name], record
            stages.append(record)
    # The names tell soft labels of other teachers, and students of other labels, apart.
    file = folder / f"teachers-{weights_checksum(teachers.values())}.npz"
    unlabelled = forward.tokenizer.encode(texts)
    soft_labels, accuracy = label_by_teachers(
        teachers, forward.tokenizer, unlabelled, training, validation, texts, file
    )
    sequences, labels = encoded["training"]
    # The end of a review is where the verdict stands.
    endings = [numbers[-recipe.MAX_WORDS :] for numbers in (*sequences, *unlabelled)]
    network, record = fit.fit_network(
        forward.options,
        {**encoded, "training": (endings, np.concatenate([labels, soft_labels]))},
        forward.weights,
        folder / f"student-{zlib.crc32(soft_labels.tobytes()):08x}",
        seed,
        _with_epochs(recipe.STUDENT, epochs),
    )
    epochs_before = [figures for stage in stages for figures in stage["epochs"]]
    return network, {
        "epochs": epochs_before + record["epochs"],
        "best": len(epochs_before) + record["best"],
        "minutes": sum(stage["minutes"] for stage in (*stages, record)),
        "teachers": accuracy,
    }


def _with_epochs(settings, epochs):
    return replace(settings, epochs=epochs) if epochs else settings
