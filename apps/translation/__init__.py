"""English to French: what the page states before any network is loaded."""

LONGEST = 5_000  # characters of a text
WIDTH, ALPHA = 4, 0.6  # beam width and exponent of the length penalty, chosen on validation pairs
WIDEST, STRONGEST = 8, 2.0  # the most that the page offers of each
