"""How the networks are trained. All settings were chosen on the validation photographs."""

from dataclasses import dataclass
from enum import StrEnum

# The encoder is fine-tuned with the first and stays so for the others.
VARIANTS = {"lstm": {}, "gru": {"cell": "gru"}, "rnn": {"cell": "rnn"}}
Variant = StrEnum("Variant", list(VARIANTS))

MIN_WORD_COUNT = 5
CAPTIONS_PER_PHOTO = 5
MAX_WORDS = 16  # of a caption, with the end word
PHOTOS_PER_BATCH = 16
WARM_UP_BATCHES, LABEL_SMOOTHING = 200, 0.1
NAMED_WORDS = 1_000  # that the encoder learns to name


@dataclass(frozen=True)
class Stage:
    """A stage of training: how many epochs, and the highest learning rate."""

    epochs: int
    learning_rate: float


NAMING = (Stage(1, 3e-3), Stage(4, 3e-4))  # the encoder: a new layer alone, then its top as well
FROZEN = Stage(14, 1e-3)  # the decoder alone
FINE_TUNING = Stage(4, 1e-4)  # the top of the encoder as well
SELF_CRITICAL = Stage(5, 5e-5)  # the decoder, on the scores of captions that it samples
