"""Captions for photographs: what the page states before any network is loaded."""

WIDTH, ALPHA = 3, 1.0  # beam width and exponent of the length penalty, chosen on validation photos
WIDEST, STRONGEST = 8, 2.0  # the most that the page offers of each
COLDEST, HOTTEST = 0.1, 2.0  # temperatures of drawing
GRID = 7  # cells on each side of what the network looks at
