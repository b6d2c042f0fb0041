"""Fitting a Keras model epoch by epoch: checkpoints, resuming, early stopping."""

import json
import logging
import time

import keras
import numpy as np
from keras import ops

log = logging.getLogger(__name__)

KEEP = 300  # seconds between two checkpoints within an epoch


def smoothed_cross_entropy(smoothing):
    """Mean cross-entropy per real token, with label smoothing (Szegedy et al. 2016).

    Args:
        smoothing: Share of the target's probability that is spread over all tokens.

    Returns:
        Function of targets `(..., time)`, 0 where there is none, and logits `(..., time, tokens)`
        that gives a scalar in nats.
    """

    def loss(targets, logits):
        targets = ops.cast(targets, "int32")  # some backends hand them over as floats
        real = ops.cast(ops.not_equal(targets, 0), logits.dtype)  # (batch, time)
        log_total = ops.logsumexp(logits, axis=-1)
        chosen = ops.take_along_axis(logits, ops.expand_dims(targets, -1), axis=-1)[..., 0]
        exact = log_total - chosen
        spread = log_total - ops.mean(logits, axis=-1)
        each = (1 - smoothing) * exact + smoothing * spread
        return ops.sum(each * real) / ops.maximum(ops.sum(real), 1)

    return loss


class Batches:
    """The batches of an epoch, made when they are asked for: what `train_on_batch` takes,
    `(inputs, targets)` or `(inputs, targets, weights)`.

    Args:
        count: How many batches there are.
        make: Function of a batch's number.
    """

    def __init__(self, count, make):
        self.count = count
        self.make = make

    def __len__(self):
        return self.count


class Layerwise(keras.optimizers.Adam):
    """Adam with a pace of its own for each layer: discriminative rates and gradual unfreezing.

    Source: Howard & Ruder 2018, sections 3.2 and 3.3.

    Args:
        learning_rate: A rate or schedule.
        paces: Dict from the name of a layer of the model to its share of the rate, and the step
            from which it is fitted at all.
        **kwargs: Of Adam.
    """

    def __init__(self, learning_rate, paces, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.paces = paces

    # Not `update_step`: TensorFlow hands that its own variables, which have no path.
    def _backend_update_step(self, gradients, variables, learning_rate):
        for gradient, variable in zip(gradients, variables, strict=True):
            share, first = self.paces[variable.path.split("/")[1]]
            rate = learning_rate * share * ops.cast(self.iterations >= first, "float32")
            super()._backend_update_step([gradient], [variable], rate)

    def get_config(self):
        return {**super().get_config(), "paces": self.paces}


def fit(model, epoch_batches, validate, folder, recipe, epochs, patience=2, verbose=1):
    """Fit a compiled, built model, keep the weights of its best epoch and resume where it stopped.

    After each epoch, and every `KEEP` seconds within one, the model with its optimizer and the
    record go to `folder`; a run with the same `recipe` starts from there, one with another recipe
    afresh.

    Args:
        model: A compiled and built Keras model, serialisable.
        epoch_batches: Function of an epoch's number that gives its `Batches`.
        validate: Function without arguments that gives a dict of figures; the model is best
            where `"score"` is highest.
        folder: Path of the checkpoints.
        recipe: What must be the same to resume, a JSON object.
        epochs: Most epochs to run.
        patience: Epochs without a better score before stopping.
        verbose: 1 for a progress bar, 2 for a line an epoch, 0 for neither.

    Returns:
        The record: `{"epochs": [figures of each], "best": number, "minutes": float}`. The
        model has the best weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Else its variables are made by the first step, which TensorFlow then traces twice.
    model.optimizer.build(model.trainable_variables)
    state_file, within_file = folder / "state.json", folder / "within.npz"
    record = {"recipe": recipe, "epochs": [], "best": None, "minutes": 0.0}
    first, spent = 0, 0.0  # batches of the epoch under way that are done, and their minutes
    # JSON turns tuples into lists, so recipes are compared as JSON.
    if state_file.exists():
        saved = json.loads(state_file.read_text())
        if saved["recipe"] == json.loads(json.dumps(recipe)):
            record, done = saved, len(saved["epochs"])
            if done:
                _load(folder / f"epoch{done % 2}.npz", _state(model))
            first, spent = _load_within(within_file, done, _state(model))
            log.info("resumed after epoch %d and batch %d from %s", done, first, folder)
        else:
            log.info("%s holds a run of another recipe: starting afresh", folder)
    if not record["epochs"] and not first:
        within_file.unlink(missing_ok=True)
        _write(state_file, record)
    while len(record["epochs"]) < epochs:
        number = len(record["epochs"])
        if record["best"] is not None and number - 1 - record["best"] >= patience:
            break
        start = time.perf_counter() - 60 * spent

        def keep(batch, number=number, start=start):
            minutes = (time.perf_counter() - start) / 60
            _save(within_file, _state(model), epoch=number, batch=batch, minutes=minutes)

        loss = _run_epoch(model, epoch_batches(number), verbose, first, keep)
        figures = {"loss": loss, **validate()}
        record["epochs"].append(figures)
        record["minutes"] += (time.perf_counter() - start) / 60
        first, spent = 0, 0.0
        log.info("epoch %d: %s", number + 1, json.dumps(figures))
        best = record["best"]
        if best is None or figures["score"] > record["epochs"][best]["score"]:
            record["best"] = number
            _save(folder / "best.npz", model.trainable_variables)
        # Two files in turn: a run killed while one is written still has the other.
        _save(folder / f"epoch{(number + 1) % 2}.npz", _state(model))
        _write(state_file, record)
        within_file.unlink(missing_ok=True)
    _load(folder / "best.npz", model.trainable_variables)
    return record


def _run_epoch(model, batches, verbose, first, keep):
    # Not model.fit: it settles on the shapes of the first batches, and lengths differ.
    model.reset_metrics()
    bar = keras.utils.Progbar(
        len(batches), verbose=verbose, unit_name="batch", stateful_metrics=["loss"]
    )
    loss, kept = float("nan"), time.monotonic()
    for number in range(first + 1, len(batches) + 1):
        batch = batches.make(number - 1)
        loss = float(model.train_on_batch(*batch, return_dict=True)["loss"])
        bar.update(number, values=[("loss", loss)], finalize=number == len(batches))
        if time.monotonic() - kept >= KEEP and number < len(batches):
            keep(number)
            kept = time.monotonic()
    return loss


def _state(model):
    return [*model.variables, *model.optimizer.variables]


def _write(path, record):
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=1))
    partial.replace(path)


def _save(path, variables, **more):
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, *[np.asarray(variable) for variable in variables], **more)
    partial.replace(path)


def _load_within(path, epoch, variables):
    """Batches of an epoch that are done, and minutes; 0 and 0 if none of that epoch were kept."""
    if not path.exists():
        return 0, 0.0
    with np.load(path) as arrays:
        if arrays["epoch"] != epoch:
            return 0, 0.0
        batch, minutes = int(arrays["batch"]), float(arrays["minutes"])
    _load(path, variables)
    return batch, minutes


def _load(path, variables):
    with np.load(path) as arrays:
        for number, variable in enumerate(variables):
            variable.assign(arrays[f"arr_{number}"])
