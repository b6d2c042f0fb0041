"""How the networks are trained. All settings were chosen on the validation questions."""

from enum import StrEnum

# The last two are baselines: without the photograph, and without the order of the words.
VARIANTS = {
    "lstm": {},
    "gru": {"reader": "gru"},
    "rnn": {"reader": "rnn"},
    "blind": {"image": False},
    "bow": {"reader": "bow"},
}
Variant = StrEnum("Variant", list(VARIANTS))

# An answer joins the list, and a word without a vector the vocabulary, if it occurs this often.
MIN_COUNT, SMALL_SET = 3, 1_000  # with at most `SMALL_SET` questions, once is enough
EXTRA_WORDS = 8_000  # frequent words of the language that no training question contains
COMPONENTS = 256  # principal components of a cell of the grid
PCA_PHOTOS, PCA_CELLS = 1_000, 20_000  # sample that the components are fitted to
BATCH_SIZE, EPOCHS, LEARNING_RATE, WARM_UP_BATCHES = 128, 10, 2e-3, 100
WEIGHT_DECAY, LABEL_SMOOTHING = 0.02, 0.1
MIN_ACCURACY = 0.25  # the network abstains below a confidence where fewer answers are right
