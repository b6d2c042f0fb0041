"""Fitting a Keras model epoch by epoch: checkpoints, resuming, early stopping."""

import json
import logging
import time
from dataclasses import asdict, dataclass

import keras
import numpy as np
from keras import ops

log = logging.getLogger(__name__)

STATE_FILE, PROGRESS_FILE = "state.json", "progress.npz"
CHECKPOINT_SECONDS = 300  # between two checkpoints within an epoch


def smoothed_cross_entropy(smoothing):
    """Mean cross-entropy per real token, with label smoothing (Szegedy et al. 2016).

    Args:
        smoothing: Share of the target's probability that is spread over all tokens.

    Returns:
        Function of targets `(..., time)`, 0 where there is none, and logits `(..., time, tokens)`
        that gives a scalar in nats.
    """

    def loss(targets, logits):
        targets = ops.cast(targets, "int32")  # some backends pass them as floats
        real = ops.cast(ops.not_equal(targets, 0), logits.dtype)  # (batch, time)
        log_total = ops.logsumexp(logits, axis=-1)
        chosen = ops.take_along_axis(logits, ops.expand_dims(targets, -1), axis=-1)[..., 0]
        exact = log_total - chosen
        spread = log_total - ops.mean(logits, axis=-1)
        each = (1 - smoothing) * exact + smoothing * spread
        return ops.sum(each * real) / ops.maximum(ops.sum(real), 1)

    return loss


def warmup_cosine(learning_rate, warm_up, batches):
    """A schedule that rises from 0 to a rate in the first batches, then falls to 0 as a cosine.

    Args:
        learning_rate: The highest rate.
        warm_up: Number of batches in which it rises.
        batches: Number of all batches.
    """
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, batches - warm_up), warmup_target=learning_rate, warmup_steps=warm_up
    )


class Batches:
    """The batches of an epoch, which are made one at a time.

    Args:
        count: How many batches there are.
        make: Function of a batch's number that returns the arguments of `train_on_batch`:
            `(inputs, targets)` or `(inputs, targets, weights)`.
    """

    def __init__(self, count, make):
        self.count = count
        self.make = make

    def __len__(self):
        return self.count


class LayerwiseAdam(keras.optimizers.Adam):
    """Adam with discriminative learning rates and gradual unfreezing.

    Source: Howard & Ruder 2018, sections 3.2 and 3.3.

    Args:
        learning_rate: A rate or schedule.
        layer_rates: Dict from the name of a layer of the model to its learning-rate multiplier and
            the step from which it is trained.
        **kwargs: Of Adam.
    """

    def __init__(self, learning_rate, layer_rates, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.layer_rates = layer_rates

    # A private hook of Keras 3.15. `update_step` will not do: TensorFlow hands that its own
    # variables, which have no path.
    def _backend_update_step(self, gradients, variables, learning_rate):
        for gradient, variable in zip(gradients, variables, strict=True):
            multiplier, first_step = self.layer_rates[variable.path.split("/")[1]]
            trained = ops.cast(self.iterations >= first_step, "float32")
            rate = learning_rate * multiplier * trained
            super()._backend_update_step([gradient], [variable], rate)

    def get_config(self):
        return {**super().get_config(), "layer_rates": self.layer_rates}


@dataclass
class Progress:
    """How far an epoch has come.

    Attributes:
        batches: Batches trained on so far.
        rows: Rows in them.
        loss_total: Sum of their losses, each times its rows.
        minutes: Time that they took, as of the last checkpoint.
    """

    batches: int = 0
    rows: int = 0
    loss_total: float = 0.0
    minutes: float = 0.0

    def add(self, loss, rows):
        """Count one more batch."""
        self.batches += 1
        self.rows += rows
        self.loss_total += loss * rows


def fit(model, epoch_batches, validate, folder, recipe, epochs, patience=2, verbose=1):
    """Fit a compiled, built model, keep the weights of its best epoch and resume where it stopped.

    After each epoch, and every `CHECKPOINT_SECONDS` within one, the model, its optimizer and the
    record are saved in `folder`. A run with the same `recipe` resumes from there; a run with
    another recipe starts afresh.

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
        The record: `{"epochs": [figures of each], "best": number, "minutes": float}`, where the
        figures of an epoch are those of `validate` and `"loss"`, the mean over the epoch's
        batches weighted by their rows. The model has the best weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Otherwise the first step makes its variables, and TensorFlow traces that step twice.
    model.optimizer.build(model.trainable_variables)
    state_file, progress_file = folder / STATE_FILE, folder / PROGRESS_FILE
    record, progress = _resume(model, folder, recipe)
    while len(record["epochs"]) < epochs:
        number = len(record["epochs"])
        if record["best"] is not None and number - 1 - record["best"] >= patience:
            break
        start = time.perf_counter() - 60 * progress.minutes

        def checkpoint(progress, number=number, start=start):
            progress.minutes = (time.perf_counter() - start) / 60
            _save(progress_file, _state(model), epoch=number, **asdict(progress))

        loss = _run_epoch(model, epoch_batches(number), verbose, progress, checkpoint)
        figures = {"loss": loss, **validate()}
        record["epochs"].append(figures)
        record["minutes"] += (time.perf_counter() - start) / 60
        progress = Progress()
        log.info("epoch %d: %s", number + 1, json.dumps(figures))
        best = record["best"]
        if best is None or figures["score"] > record["epochs"][best]["score"]:
            record["best"] = number
            _save(folder / "best.npz", model.trainable_variables)
        # Two files in turn: a run killed while one is written still has the other.
        _save(folder / f"epoch{(number + 1) % 2}.npz", _state(model))
        _write(state_file, record)
        progress_file.unlink(missing_ok=True)
    _load(folder / "best.npz", model.trainable_variables)
    return record


def _resume(model, folder, recipe):
    """The record of the run in a folder and the `Progress` of the epoch under way, or new ones.

    The model gets the weights of the last checkpoint.
    """
    state_file, progress_file = folder / STATE_FILE, folder / PROGRESS_FILE
    record = {"recipe": recipe, "epochs": [], "best": None, "minutes": 0.0}
    progress = Progress()
    # JSON turns tuples into lists, so recipes are compared as JSON.
    if state_file.exists():
        saved = json.loads(state_file.read_text())
        if saved["recipe"] == json.loads(json.dumps(recipe)):
            record, done = saved, len(saved["epochs"])
            if done:
                _load(folder / f"epoch{done % 2}.npz", _state(model))
            progress = _load_progress(progress_file, done, _state(model))
            log.info("resumed after epoch %d and batch %d from %s", done, progress.batches, folder)
        else:
            log.info("%s holds a run of another recipe: starting afresh", folder)
    if not record["epochs"] and not progress.batches:
        progress_file.unlink(missing_ok=True)
        _write(state_file, record)
    return record, progress


def _run_epoch(model, batches, verbose, progress, checkpoint):
    """Train on the batches that `progress` lacks; returns the mean loss, weighted by rows."""
    # Not model.fit: it settles on the shapes of the first batches, and lengths differ.
    bar = keras.utils.Progbar(len(batches), verbose=verbose, unit_name="batch")
    if progress.batches:
        bar.update(progress.batches, finalize=False)
    saved = time.monotonic()
    for number in range(progress.batches, len(batches)):
        batch = batches.make(number)
        # Keras resets its metrics on each call: this is the loss of the batch alone.
        loss = float(model.train_on_batch(*batch, return_dict=True)["loss"])
        progress.add(loss, rows=len(batch[1]))
        last = progress.batches == len(batches)
        bar.update(progress.batches, values=[("loss", loss)], finalize=last)
        if time.monotonic() - saved >= CHECKPOINT_SECONDS and not last:
            checkpoint(progress)
            saved = time.monotonic()
    return progress.loss_total / max(progress.rows, 1)


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


def _load_progress(path, epoch, variables):
    """The `Progress` of an epoch as it was last saved; a new one if none of that epoch was."""
    if not path.exists():
        return Progress()
    with np.load(path) as arrays:
        if arrays["epoch"] != epoch:
            return Progress()
        progress = Progress(**{name: arrays[name].item() for name in asdict(Progress())})
    _load(path, variables)
    return progress


def _load(path, variables):
    with np.load(path) as arrays:
        for number, variable in enumerate(variables):
            variable.assign(arrays[f"arr_{number}"])
