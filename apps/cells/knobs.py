"""Knobs that several lessons have."""

from apps.cells import CELLS
from shared.site.knobs import Knob

SEED = Knob("seed", "Seed", 0, 0, 1_000_000)
CELL = Knob("cell", "Cell", "rnn", choices=CELLS)
