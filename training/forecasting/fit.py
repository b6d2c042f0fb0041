"""Fitting one network, and calibrating its intervals."""

from typing import NamedTuple

import keras
import numpy as np

from apps.forecasting import scores
from apps.forecasting.features import HORIZONS, NAMES, WARM_UP, features, future_returns
from apps.forecasting.model import ForecastNetwork, Pinball
from apps.forecasting.predictor import Predictor, windows
from shared.errors import UserError
from training.forecasting.recipe import RECIPE
from training.loop import Batches, fit

STEPS = np.arange(1, HORIZONS + 1)
MAX_TARGET = 10  # in trailing volatilities


class History(NamedTuple):
    """The training days of a series.

    Attributes:
        rows: Features `(days, features)`, with those of the day's range where it is known.
        close_rows: The same features from closing prices alone.
        targets: `(days, horizons)`, returns in trailing volatilities times the root of the horizon.
        days: How many days.
    """

    rows: np.ndarray
    close_rows: np.ndarray
    targets: np.ndarray
    days: int

    @classmethod
    def of(cls, series, days):
        """Of the first `days` days of a series; later days have no influence."""
        part = series.cut(0, days)
        computed = features(part.close, **part.ranges())
        close_rows = computed.rows if part.high is None else features(part.close).rows
        unit = computed.scale[:, None] * np.sqrt(STEPS)
        # The gradient depends only on which side of a quantile an outcome lies. Clipping splits and
        # misplaced decimal points keeps the loss readable and changes nothing else.
        targets = np.clip(future_returns(part.close) / unit, -MAX_TARGET, MAX_TARGET)
        return cls(computed.rows, close_rows, targets.astype("float32"), days)


def draw_windows(histories, count, seed):
    """Training windows in random order, from a random start in each series.

    Returns:
        List of at least `count` pairs of a history's number and the window's first day.

    Raises:
        UserError: if no series is long enough.
    """
    rng = np.random.default_rng(seed)
    step = RECIPE.window - RECIPE.unscored_days
    starts = []
    for number, history in enumerate(histories):
        start = WARM_UP + int(rng.integers(0, step))
        if history.days < 2 * RECIPE.window:
            start = WARM_UP
        end = history.days - HORIZONS - RECIPE.unscored_days
        starts += [(number, first) for first in range(start, end, step)]
    rng.shuffle(starts)
    if not starts:
        raise UserError("The series are too short to train on: 150 days before the validation.")
    while len(starts) < count:
        starts += starts
    return starts


def make_batch(histories, starts, rng):
    """A batch of windows.

    Args:
        histories: List of `History`.
        starts: Where the windows start, a list of pairs as from `draw_windows`.
        rng: A numpy random generator, which draws the windows that show closing prices only.

    Returns:
        Inputs `(batch, window, features)`, and targets `(batch, window / stride, horizons)`, NaN
        where there is no loss.
    """
    rows = np.zeros((len(starts), RECIPE.window, len(NAMES)), "float32")
    targets = np.full((len(starts), RECIPE.window, HORIZONS), np.nan, "float32")
    for place, (number, first) in enumerate(starts):
        history = histories[number]
        source = history.close_rows if rng.random() < RECIPE.close_only else history.rows
        part = source[first : first + RECIPE.window]
        rows[place, : len(part)] = part
        targets[place, : len(part)] = history.targets[first : first + RECIPE.window]
    targets[:, : RECIPE.unscored_days] = np.nan
    return rows, targets[:, :: RECIPE.stride]


def fit_network(cell, histories, validate, folder, seed, epochs=None, batches=None, verbose=1):
    """Fit the network with a cell.

    Args:
        cell: `"rnn"`, `"gru"` or `"lstm"`.
        histories: List of `History`.
        validate: Function of a `Predictor` that gives its loss on the validation days.
        folder: Path of the checkpoints.
        seed: Integer: initial weights, dropout and order of the windows.
        epochs, batches: How many epochs, of how many batches; the recipe's if None.
        verbose: As in `loop.fit`.

    Returns:
        The network with its best weights and the record of `loop.fit`.
    """
    epochs, batches = epochs or RECIPE.epochs, batches or RECIPE.batches
    keras.utils.set_random_seed(seed)
    network = ForecastNetwork(
        cell, units=RECIPE.units, width=RECIPE.width, dropout=RECIPE.dropout, seed=seed
    )
    network.build((None, None, len(NAMES)))
    rows = np.concatenate([history.rows[WARM_UP:] for history in histories])
    network.mean.assign(rows.mean(axis=0))
    network.spread.assign(rows.std(axis=0) + 1e-3)
    schedule = keras.optimizers.schedules.CosineDecay(RECIPE.learning_rate, batches * epochs)
    network.compile(
        optimizer=keras.optimizers.Adam(schedule, clipnorm=1.0), loss=Pinball(), jit_compile=True
    )
    predictor = Predictor(network)

    def score():
        loss = validate(predictor)
        return {"score": -loss, "pinball": loss}

    network.every = RECIPE.stride
    settings = {
        **network.options,
        "epochs": epochs,
        "batches": batches,
        "rate": RECIPE.learning_rate,
        "batch": RECIPE.batch_size,
        "length": RECIPE.window,
        "every": RECIPE.stride,
        "days": len(rows),
        "seed": seed,
    }
    epoch_batches = _batches(histories, batches, seed)
    record = fit(network, epoch_batches, score, folder, settings, epochs, epochs, verbose)
    network.every = 1
    return network, record


def _batches(histories, count, seed):
    """A function of an epoch's number that gives its `Batches`, `count` of them."""
    size = RECIPE.batch_size

    def epoch_batches(epoch):
        starts = draw_windows(histories, size, (seed, epoch))

        def make(n):
            first = n * size % (len(starts) - size + 1)
            rng = np.random.default_rng((seed, epoch, n))
            return make_batch(histories, starts[first : first + size], rng)

        return Batches(count, make)

    return epoch_batches


class Origins(NamedTuple):
    """Days from which networks forecast, with the outcomes.

    Attributes:
        rows, mask: What the network reads, as from `predictor.windows`.
        scale: Trailing volatility `(origins,)`.
        actual: Returns `(origins, horizons)`.
    """

    rows: np.ndarray
    mask: np.ndarray
    scale: np.ndarray
    actual: np.ndarray

    @classmethod
    def of(cls, series, origins):
        """From a list of series and the positions of the origins in each.

        Raises:
            UserError: if there are no origins.
        """
        parts = []
        for one, at in zip(series, origins, strict=True):
            if len(at):
                part = one.cut(0, at[-1] + HORIZONS + 1)
                computed = features(part.close, **part.ranges())
                actual = future_returns(part.close)[at]
                parts.append((*windows(computed.rows, at), computed.scale[at], actual))
        if not parts:
            raise UserError("The series are too short: no day has a past and a future to score.")
        return cls(*(np.concatenate(values) for values in zip(*parts, strict=True)))

    def quantiles(self, predictor):
        """A predictor's quantiles `(origins, horizons, levels)`."""
        return predictor.answer(self.rows, self.mask, self.scale)

    def loss(self, predictor):
        """A predictor's mean pinball loss, in units of the trailing volatility."""
        unit = self.scale[:, None] * np.sqrt(STEPS)
        quantiles = self.quantiles(predictor) / unit[..., None]
        return float(scores.pinball(self.actual / unit, quantiles).mean())


def calibrate(actual, quantiles, smooth=5):
    """Factors for the distances from the median with which 80 % intervals have 80 % coverage.

    For each horizon the 0.8 quantile of |outcome − median| over the half-width on that side
    (conformal prediction, Romano, Patterson & Candès 2019), averaged over neighbouring horizons.

    Args:
        actual: Returns `(origins, horizons)`.
        quantiles: Array `(origins, horizons, levels)`.
        smooth: How many horizons are averaged.

    Returns:
        Array `(horizons,)`.
    """
    middle = quantiles[..., scores.MIDDLE]
    low, high = scores.interval_ends(quantiles, 80)
    half = np.where(actual > middle, high - middle, middle - low)
    factors = np.quantile(np.abs(actual - middle) / half, 0.8, axis=0)
    padded = np.pad(factors, smooth // 2, mode="edge")
    return np.convolve(padded, np.ones(smooth) / smooth, mode="valid")
