"""How the network is trained. All settings were chosen on the validation part."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Arguments of the `CharacterNetwork`, and how it is fitted.

    Attributes:
        dimensions, units, dropout: Arguments of the network.
        window: Characters of a training window.
        batch_size: Windows of a batch.
        epochs: Most epochs.
        patience: Epochs without a better validation loss before stopping.
        learning_rate: The highest, which falls to 0 as a cosine.
    """

    dimensions: int = 64
    units: int = 256
    dropout: float = 0.25
    window: int = 128
    batch_size: int = 64
    epochs: int = 10
    patience: int = 3
    learning_rate: float = 4e-3


RECIPE = Recipe()
MIN_CHARACTER_COUNT = 10  # in the training part; rarer characters are unknown ones
MIN_CHARACTERS = 5_000  # of a text of the user's
NGRAM_ORDERS = (4, 5, 6, 7)  # of the baseline, compared on the validation part
