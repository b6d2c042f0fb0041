"""How leaks deceive: two common mistakes that let the future into the past, and what they show."""

import numpy as np

from apps.forecasting.features import HORIZONS
from apps.forecasting.results import Leak
from shared.errors import UserError


def leakage(series, days=500, horizon=HORIZONS):
    """The accuracy that two common mistakes show on a series: a tuple of two `Leak`s.

    Both rules forecast the sign of the return `horizon` days ahead; only the handling of the
    data differs between the two figures.

    Raises:
        UserError: if the series is too short.
    """
    logs = np.log(series.close[-(days + 250 + horizon) :])
    if len(logs) < 200:
        raise UserError(f"{series.name} has {len(logs)} prices; this demonstration needs 200.")
    ahead = logs[horizon:] - logs[:-horizon]  # of every day with a future
    start = min(250, len(ahead) // 2)
    outcome = np.sign(ahead[start:])
    now = logs[start : len(ahead)]
    everything = np.sign(logs[start:].mean() - now)
    trailing = np.array([logs[t - start : t + 1].mean() for t in range(start, len(ahead))])
    paths = np.lib.stride_tricks.sliding_window_view(logs, 20)[: len(ahead) - 19]
    future = ahead[19:]
    shuffled = np.random.default_rng(0).permutation(len(paths))
    third = len(paths) // 3
    later = np.arange(len(paths) - third, len(paths))
    earlier = np.arange(len(paths) - third - horizon - 20)  # with a gap: no day on both sides
    return (
        Leak(
            "scaling",
            float(np.mean(everything == outcome)),
            float(np.mean(np.sign(trailing - now) == outcome)),
        ),
        Leak(
            "split",
            _vote_accuracy(paths, future, shuffled[third:], shuffled[:third]),
            _vote_accuracy(paths, future, earlier, later),
        ),
    )


def _vote_accuracy(paths, future, training, test, count=5):
    """How often the mean future of the nearest training paths has the right sign."""
    distances = ((paths[test][:, None] - paths[training][None]) ** 2).sum(axis=-1)
    nearest = np.argpartition(distances, count, axis=1)[:, :count]
    return float(np.mean(np.sign(future[training][nearest].mean(axis=1)) == np.sign(future[test])))
