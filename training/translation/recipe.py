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
CONTINUED_LEARNING_RATE = 6e-4  # of a run that starts from a trained network
START_SHARE = 0.25  # of the weights that such a run started from, in the average that is stored
LEARNING_RATE, WARM_UP_BATCHES, LABEL_SMOOTHING = 2e-3, 400, 0.1
MULTI30K_REPEATS = 2  # how often a pass reads the pairs of Multi30k; those of Tatoeba once
PHRASE_REPEATS = 2  # of each of `phrases`
WORD_REPEATS, MIN_WORD_COUNT = 3, 5  # of single words, and how often each occurs in the pairs
SHORT_WORDS, SHORT_REPEATS = 4, 2  # of Tatoeba's pairs of at most so many English words
NAMES_SET_ASIDE, NO_STOP, NO_CAPITALS, TYPOS = 0.25, 0.08, 0.05, 0.05  # shares of what is read
SUBWORD_DROPOUT = 0.1  # of the merges, in half of what is read
LENGTH_BUCKETS = (8, 12, 16, 24, 48)  # padded lengths, one compiled graph each
BATCH_TOKENS = 1536  # on each side of a batch
WORD_GROUPS = (1, 6, 11, 16, 21)  # least words of the groups of sentences that are compared
MAX_SCORED_PAIRS = 1_000  # of the validation pairs
