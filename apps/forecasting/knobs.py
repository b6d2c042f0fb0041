"""What visitors can set on the page, in its links and in the API; and how much they may send."""

from apps.forecasting import analysis
from apps.forecasting.examples import EXAMPLES
from apps.forecasting.views import CELLS
from shared.site.knobs import Knob

SERIES = Knob(
    "series", "Series", "sp500", choices={key: each.title for key, each in EXAMPLES.items()}
)
CELL = Knob("cell", "Cell", "lstm", choices=CELLS)
HORIZON = Knob("horizon", "Days ahead", analysis.HORIZON, 1, 20)
LEVEL = Knob("level", "Interval, %", 80, 10, 90, step=10)
BACK = Knob("back", "Go back, days", 0, 0, 250)
PAST = Knob("past", "Days shown", 120, choices={60: "60 days", 120: "120", 250: "250", 750: "750"})
ORIGINS = Knob("origins", "Start days", 250, 10, 500)
MAX_UPLOAD_ROWS = 300_000  # of a visitor's file
