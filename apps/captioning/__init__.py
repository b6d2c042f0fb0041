"""Captions for photos: the limits that the page states before any network is loaded."""

BEAM_WIDTH, LENGTH_PENALTY = 3, 1.0  # the defaults, chosen on the validation photos
MAX_BEAM_WIDTH, MAX_LENGTH_PENALTY = 8, 2.0
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.1, 2.0
GRID_SIZE = 7  # cells along each side of the feature grid
