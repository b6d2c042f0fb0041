"""Questions about photographs: what the page states before any network is loaded."""

GRID_SIZE = 7  # cells on each side of what the network looks at
BEST = 5  # answers told
CHARACTERS, WORDS = 500, 60  # the most of a question
