"""English to French: constants that the page needs before any network is loaded."""

MAX_CHARACTERS = 5_000  # of a text
BEAM_WIDTH, LENGTH_PENALTY = 4, 0.6  # chosen on validation pairs
