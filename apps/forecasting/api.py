"""The events of the public API."""

import math
from typing import Literal

from apps.forecasting import analysis, backtest_views
from apps.forecasting.examples import EXAMPLES, example
from apps.forecasting.knobs import CELL, HORIZON, MAX_UPLOAD_ROWS, ORIGINS, SERIES
from apps.forecasting.reader import read_apart
from shared.errors import UserError
from shared.site.api import publish
from shared.site.events import BACKTEST_QUEUE

Cell = Literal["lstm", "gru", "rnn"]


class Api:
    """The events, each a method.

    Args:
        max_megabytes: Most megabytes of a CSV.
    """

    def __init__(self, max_megabytes):
        self._max_megabytes = max_megabytes

    def publish(self):
        """Publish all events on the page that is being built."""
        publish(self.forecast)
        publish(self.backtest, **BACKTEST_QUEUE)

    def forecast(
        self,
        series: str = SERIES.default,
        horizon: HORIZON.annotation = HORIZON.default,
        cell: Cell = CELL.default,
    ) -> dict:
        """How far a price may go: quantiles of the price on each of the days ahead.

        Args:
            series: A CSV with the columns date and close (and optionally open, high, low), as
                text; or a built-in series: sp500, nasdaq, wti, vix, walk, garch, regimes,
                season, co2 or sunspots.
            horizon: Days ahead, from 1 to 20.
            cell: The network that answers: lstm, gru or rnn.

        Returns:
            name, cell, origin (the last day known), last (its price), dates, levels (of the
            quantiles), quantiles (for each date), naive and garch (the baselines' quantiles),
            probability_up, source and notes.
        """
        prices = _read_argument(series, self._max_megabytes)
        result = analysis.load_predictor(cell).forecast(prices, horizon)
        fans = analysis.forecast_baselines(prices, len(prices) - 1, horizon)
        return {
            "name": result.name,
            "cell": result.model,
            "origin": str(result.origin),
            "last": result.last,
            "dates": [str(day) for day in result.dates],
            "levels": list(result.levels),
            "quantiles": _round(result.quantiles),
            "naive": _round(fans["naive"].quantiles),
            "garch": _round(fans["garch"].quantiles),
            "probability_up": round(result.probability_up(), 4),
            "source": result.source,
            "notes": list(result.notes),
        }

    def backtest(
        self,
        series: str = SERIES.default,
        horizon: HORIZON.annotation = HORIZON.default,
        cell: Cell = CELL.default,
        origins: ORIGINS.annotation = ORIGINS.default,
    ) -> dict:
        """How good the forecasts would have been on the last days whose future is known.

        Args:
            series: A CSV as text, or the key of a built-in series, as for `forecast`.
            horizon: Days ahead, from 1 to 20; the scores are over all up to it.
            cell: The network: lstm, gru or rnn.
            origins: How many days to forecast from, 10 to 500.

        Returns:
            name, cell, horizon, verdict (in words), origins (the first and the last day),
            scores (for each model its metrics and the two-sided p-value of a difference from
            the network) and notes.
        """
        prices = _read_argument(series, self._max_megabytes)
        result = analysis.backtest(cell, prices, horizon, origins)
        return {
            "name": result.name,
            "cell": result.cell,
            "horizon": result.horizon,
            "verdict": backtest_views.describe_backtest(result),
            "origins": [str(day) for day in result.origins[[0, -1]]],
            "scores": [
                {
                    "model": score.name,
                    "p_value": score.p_value,
                    **{name: _finite(value) for name, value in score.metrics.items()},
                }
                for score in result.scores
            ],
            "notes": list(result.notes),
        }


def _read_argument(text, max_megabytes):
    """The series that a caller of the API names or sends.

    Raises:
        UserError: if it is neither the key of a built-in series nor one series as a CSV.
    """
    key = text.strip()
    if key in EXAMPLES:
        return example(key)
    if len(text) > max_megabytes * 2**20:
        raise UserError(f"At most {max_megabytes} MB of text is read at once.")
    if "\n" not in key:
        raise UserError(
            f"“{key[:30]}” is not a built-in series. Send a CSV with the columns date and close, "
            f"or one of: {', '.join(EXAMPLES)}."
        )
    prices = read_apart(text, max_series=1, max_rows=MAX_UPLOAD_ROWS)
    if prices.count > 1:
        raise UserError(f"This CSV has {prices.count} series; send one at a time.")
    return prices.series[0]


def _round(quantiles):
    return [[float(f"{value:.7g}") for value in row] for row in quantiles]


def _finite(value):
    return float(f"{value:.6g}") if math.isfinite(value) else None
