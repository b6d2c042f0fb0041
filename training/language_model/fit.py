"""Fitting a language model, from scratch or from another one."""

import time
import zlib
from dataclasses import asdict

import keras
import numpy as np

from shared import bundle
from shared.text import WordTokenizer
from training.language_model import recipe as settings
from training.language_model.data import END
from training.language_model.evaluate import cut_into_windows, perplexity
from training.language_model.model import LanguageModel
from training.loop import Batches, fit, warmup_cosine


def transfer_weights(folder, network, backward=False):
    """The weights of a language model, for another one with another vocabulary.

    Args:
        folder: Path of its bundle.
        network: Arguments of the other one, which must have the same sizes.
        backward: Whether the other one reads from the end.

    Returns:
        Function of the other one's `WordTokenizer` that gives a dict from weight to array. A word
        that both models know keeps its vector and bias; another one has the mean of the vectors
        (Howard & Ruder 2018) and the lowest bias.

    Raises:
        BundleError: if there is no such bundle, its sizes differ, or it reads the other way.
    """
    arrays, card = bundle.load_arrays(folder / "lstm.safetensors"), bundle.read_card(folder)
    for size in ("dimensions", "units"):
        if (own := card["variants"]["lstm"]["network"][size]) != network[size]:
            raise bundle.BundleError(
                f"The language model in {folder} has {own} {size}, not {network[size]}."
            )
    if card.get("backward", False) != backward:
        directions = ("forwards", "from the end")
        raise bundle.BundleError(
            f"The language model in {folder} reads {directions[not backward]}, the new one would "
            f"read {directions[backward]}."
        )
    vocabulary = WordTokenizer.load(folder / "tokenizer.json").words
    places = {word: number for number, word in enumerate(vocabulary)}

    def weights(tokenizer):
        rows = np.array([places.get(word, -1) for word in tokenizer.words])
        weights = {path: array for path, array in arrays.items() if "/carried_" not in path}
        for path, default in (("embedding/embeddings", np.mean), ("output_bias", np.min)):
            table = weights[f"language_model/{path}"]
            row = default(table[END + 1 :], axis=0, keepdims=True)
            weights[f"language_model/{path}"] = np.concatenate([table, row])[rows]
        return weights

    return weights


def fit_network(recipe, data, size, folder, seed, shuffle=True, start=None, verbose=1):
    """Fit a `LanguageModel`, or resume an interrupted run.

    Args:
        recipe: A `Recipe`.
        data: Dict with `"training"` and `"validation"`, lists of passages.
        size: Of the vocabulary.
        folder: Path of the checkpoints.
        seed: Integer.
        shuffle: Whether the order of the passages changes in each pass.
        start: Dict from weight to array to start from, or None.
        verbose: As in `loop.fit`.

    Returns:
        The network with its best weights and the record of `loop.fit`, which has perplexity and
        words per second of each epoch.
    """
    keras.utils.set_random_seed(seed)
    network = LanguageModel(vocabulary=size, seed=seed, **recipe.network)
    network.build()
    for variable in network.trainable_variables if start else ():
        variable.assign(start[variable.path])
    words = sum(map(len, data["training"]))
    _compile(network, recipe, words)
    epoch_start = {}

    def epoch_batches(epoch):
        windows = _windows_of_epoch(recipe, data["training"], seed if shuffle else None, epoch)
        epoch_start.update(time=time.perf_counter(), words=0)

        def make(n):  # a resumed epoch does not start with the first batch
            epoch_start["words"] += windows[n][0].size
            return windows[n]

        return Batches(len(windows), make)

    def validate():
        speed = epoch_start["words"] / (time.perf_counter() - epoch_start["time"])
        value = perplexity(network, data["validation"])
        return {"score": -value, "perplexity": value, "words_per_second": round(speed)}

    run_settings = {
        **asdict(recipe),
        "vocabulary": size,
        "words": words,
        "seed": seed,
        "time": settings.WINDOW,
    }
    if start:
        run_settings["start"] = zlib.crc32(
            b"".join(start[path].tobytes() for path in sorted(start))
        )
    epochs = recipe.epochs
    record = fit(network, epoch_batches, validate, folder, run_settings, epochs, epochs, verbose)
    return network, record


def _compile(network, recipe, words):
    windows = -(-words // (recipe.network["rows"] * settings.WINDOW))  # of a pass
    batches = max(1, windows // recipe.epochs_per_pass) * recipe.epochs
    rate = warmup_cosine(recipe.learning_rate, settings.WARM_UP_BATCHES, batches)
    # XLA on a CPU draws a mask of a million weights in 0.4 s, TensorFlow itself in 7 ms.
    plain = keras.backend.backend() == "tensorflow" and recipe.network.get("weight_dropout")
    network.compile(
        optimizer=keras.optimizers.Adam(rate, clipnorm=1.0), loss=None, jit_compile=not plain
    )


def _windows_of_epoch(recipe, passages, seed, epoch):
    """The windows of an epoch's part of a pass; passages are shuffled unless `seed` is None."""
    order = np.arange(len(passages))
    number, part = divmod(epoch, recipe.epochs_per_pass)
    if seed is not None:
        order = np.random.default_rng((seed, number)).permutation(order)
    stream = np.concatenate([passages[n] for n in order])
    windows = cut_into_windows(stream, recipe.network["rows"])
    places = np.array_split(np.arange(len(windows)), recipe.epochs_per_pass)[part]
    return [windows[n] for n in places]
