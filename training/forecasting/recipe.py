"""How the networks are trained. All settings were chosen on the validation days."""

from dataclasses import dataclass
from enum import StrEnum


class Cell(StrEnum):
    """The cells that the network comes with."""

    rnn = "rnn"
    gru = "gru"
    lstm = "lstm"


@dataclass(frozen=True)
class Recipe:
    """The recipe of every cell.

    Attributes:
        units, width, dropout: Arguments of the `ForecastNetwork`.
        window: Days of a training window.
        unscored_days: Days at its start without a loss, while the state of the network fills.
        stride: Days between two forecasts with a loss: the futures of neighbours overlap.
        close_only: Share of the windows that show closing prices only, as a user's file may.
        batch_size, batches, epochs, learning_rate: Windows of a batch, batches of an epoch, epochs,
            and the highest rate, which falls to 0 as a cosine.
    """

    units: int = 32
    width: int = 48
    dropout: float = 0.1
    window: int = 192
    unscored_days: int = 40
    stride: int = 4
    close_only: float = 0.3
    batch_size: int = 32
    batches: int = 45
    epochs: int = 3
    learning_rate: float = 3e-3


RECIPE = Recipe()

FAST_BASELINES = ("naive", "drift", "seasonal", "ewma")
GARCH_REFIT_DAYS = 40
# ETS and ARIMA are slow: they are scored on some series of each file, and on every 50th origin.
SLOW_BASELINES = ("ets", "arima")
SUBSET_SERIES, SUBSET_STRIDE = 6, 50
VALIDATION_STRIDE = 20  # days between the validation's origins of a series of the corpus
