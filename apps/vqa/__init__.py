"""Questions about photos: the limits that the page states before any network is loaded."""

GRID_SIZE = 7  # cells along each side of the feature grid
TOP_ANSWERS = 5  # answers shown
MAX_CHARACTERS, MAX_WORDS = 500, 60  # of a question
