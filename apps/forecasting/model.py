"""The network: a recurrent layer over daily features, quantiles of the returns ahead."""

from statistics import NormalDist

import keras
import numpy as np
from keras import ops

from apps.forecasting.features import HORIZONS, LEVELS, NAMES
from shared.options import OptionsMixin
from unrolled.layers import CELLS, Recurrent

MIDDLE = len(LEVELS) // 2
# Distances between neighbouring quantiles of the standard normal distribution.
GAPS = np.diff([NormalDist().inv_cdf(level) for level in LEVELS]).astype("float32")


@keras.saving.register_keras_serializable("unrolled")
class ForecastNetwork(OptionsMixin, keras.Model):
    """Reads a series day by day and gives quantiles of the log-return 1 … 20 days ahead.

    The quantiles are in units of the trailing volatility times the square root of the horizon.
    They are the median plus and minus cumulative sums of positive steps, so they cannot cross.
    Those of an untrained network are the quantiles of the standard normal distribution, which
    makes it a random walk with the trailing volatility.

    Args:
        cell: `"rnn"`, `"gru"` or `"lstm"`.
        units: Size of the hidden state.
        width: Size of the layer between hidden state and quantiles.
        dropout: Dropout rate of the input features and of that layer.
        seed: Integer or None.

    Call arguments:
        rows: Tensor `(batch, time, features)`, from `features.features`.
        mask: Boolean `(batch, time)`, False for padding, or None.

    Returns:
        Quantiles after every day: `(batch, time, horizons, levels)`.
    """

    def __init__(self, cell="lstm", units=48, width=48, dropout=0.1, seed=None, **kwargs):
        super().__init__(name=kwargs.pop("name", "forecast"), **kwargs)
        if cell not in CELLS:
            raise ValueError(f"`cell` must be one of {list(CELLS)}. Received: cell={cell!r}")
        self.recurrent = Recurrent(
            CELLS[cell](units, dropout=dropout, seed=seed, name="cell"),
            return_sequences=True,
            name="recurrent",
        )
        self.mix = keras.layers.Dense(width, activation="gelu", name="mix")
        self.dropout = keras.layers.Dropout(dropout, seed=seed)
        # Training sets a stride: the futures of neighbouring days overlap.
        self.every = 1
        self.head = keras.layers.Dense(
            HORIZONS * len(LEVELS), kernel_initializer="zeros", name="head"
        )

    def build(self, rows_shape):
        count = len(NAMES)
        # Mean and spread of the features over the training days, set before training.
        self.mean = self.add_weight(shape=(count,), trainable=False, name="mean")
        self.spread = self.add_weight(
            shape=(count,), initializer="ones", trainable=False, name="spread"
        )
        self.recurrent.build((*rows_shape[:2], count))
        self.mix.build((None, self.options["units"] + count))
        self.head.build((None, self.options["width"]))

    def standardise(self, rows):
        """Features minus their mean over their spread, within ±5: the same shape."""
        return ops.clip((rows - self.mean) / self.spread, -5.0, 5.0)

    def call(self, rows, mask=None, training=False):
        rows = self.standardise(rows)
        hidden = self.recurrent(rows, mask=mask, training=training)  # (batch, time, units)
        return self._quantiles(hidden[:, :: self.every], rows[:, :: self.every], training)

    def last(self, rows, mask):
        """Quantiles after the last day that is not padding: `(batch, horizons, levels)`."""
        rows = self.standardise(rows)
        hidden = self.recurrent(rows, mask=mask)[:, -1]  # masked days carry the state over
        place = ops.sum(ops.cast(mask, "int32"), axis=1) - 1
        newest = ops.take_along_axis(rows, place[:, None, None], axis=1)[:, 0]
        return self._quantiles(hidden, newest)

    def _quantiles(self, hidden, rows, training=False):
        mixed = self.mix(ops.concatenate([hidden, rows], axis=-1))
        raw = self.head(self.dropout(mixed, training=training))
        raw = ops.reshape(raw, (*ops.shape(raw)[:-1], HORIZONS, len(LEVELS)))
        median = raw[..., MIDDLE : MIDDLE + 1]
        # softplus(x + log(e − 1)) is 1 at 0.
        up = GAPS[MIDDLE:] * ops.softplus(raw[..., MIDDLE + 1 :] + 0.5413249)
        down = GAPS[:MIDDLE] * ops.softplus(raw[..., :MIDDLE] + 0.5413249)
        above = median + ops.cumsum(up, axis=-1)
        below = median - ops.flip(ops.cumsum(ops.flip(down, axis=-1), axis=-1), axis=-1)
        return ops.concatenate([below, median, above], axis=-1)


@keras.saving.register_keras_serializable("unrolled")
class Pinball(keras.losses.Loss):
    """Mean pinball loss of quantiles over the days that have a target.

    Call arguments:
        y_true: `(…, horizons)`, NaN where the future is not known.
        y_pred: `(…, horizons, levels)`.
    """

    def call(self, y_true, y_pred):
        known = ops.logical_not(ops.isnan(y_true))
        error = ops.where(known, y_true, 0.0)[..., None] - y_pred
        levels = np.array(LEVELS, "float32")
        losses = ops.mean(ops.maximum(levels * error, (levels - 1) * error), axis=-1)
        weights = ops.cast(known, losses.dtype)
        return ops.sum(losses * weights) / ops.maximum(ops.sum(weights), 1.0)
