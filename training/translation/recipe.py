"""How the networks are trained. All settings were chosen on the validation pairs."""

from enum import StrEnum

# The main network, and the small ones of the study, which share data, size and budget.
_SMALL = {"dimensions": 128, "units": 256}
VARIANTS = {
    "attention": {},
    "small": _SMALL,
    "gru": {**_SMALL, "cell": "gru"},
    "rnn": {**_SMALL, "cell": "rnn"},
    "deep": {**_SMALL, "layers": 2},
    "plain": {**_SMALL, "attention": False},
    "reversed": {**_SMALL, "attention": False, "reverse": True},
}
Variant = StrEnum("Variant", list(VARIANTS))
NOT_SHIPPED = ("rnn", "deep")  # in the card's tables only

VOCABULARY = 6_000
EPOCHS_PER_PASS = 4  # an epoch is a quarter of a pass over the pairs
EPOCHS, STUDY_EPOCHS = 32, 8
LEARNING_RATE, WARM_UP_BATCHES, LABEL_SMOOTHING = 2e-3, 400, 0.1
MULTI30K_REPEATS = 2  # how often a pass reads the pairs of Multi30k; those of Tatoeba once
LENGTH_BUCKETS = (8, 12, 16, 24, 48)  # padded lengths, one compiled graph each
BATCH_TOKENS = 1536  # on each side of a batch
WORD_GROUPS = (1, 6, 11, 16, 21)  # least words of the groups of sentences that are compared
MAX_SCORED_PAIRS = 1_000  # of the validation pairs
