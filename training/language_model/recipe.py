"""How the language models are trained. All settings were chosen on validation text."""

from dataclasses import dataclass, replace
from enum import StrEnum


@dataclass(frozen=True)
class Recipe:
    """How one language model is trained.

    Attributes:
        vocabulary: Number of words, at most.
        network: Arguments of the `LanguageModel` besides it.
        epochs: How many epochs; the model is validated after each.
        epochs_per_pass: Into how many epochs one reading of the text is cut.
        learning_rate: The highest, which falls to 0 as a cosine.
    """

    vocabulary: int
    network: dict
    epochs: int
    epochs_per_pass: int = 1
    learning_rate: float = 3e-3


_REVIEWS = Recipe(
    16_000,
    {"dimensions": 192, "units": 384, "samples": 1_000, "rows": 128, "dropout": 0.1},
    epochs=9,
    epochs_per_pass=3,
)
_PTB = Recipe(
    10_000,
    {
        "dimensions": 200,
        "units": 400,
        "samples": 2_000,
        "rows": 32,
        "dropout": 0.4,
        "word_dropout": 0.05,
        "weight_dropout": 0.3,
    },
    epochs=12,
)
RECIPES = {"reviews": _REVIEWS, "wikipedia": replace(_REVIEWS, epochs=3), "ptb": _PTB}
Corpus = StrEnum("Corpus", list(RECIPES))
WINDOW = 70  # words through which gradients travel back
WARM_UP_BATCHES = 300
