"""The About page: every model beside its baseline, the cells, and what the site keeps."""

from markupsafe import Markup

from apps import APPLICATIONS, load_tab
from apps.about import views
from shared import bundle
from shared.site import components

TITLE = "About"
DESCRIPTION = (
    "Every model beside its baseline, how it was trained, and what the site keeps of what you type."
)
SHAPE = "under all of them"


def build(page, settings):
    """Build the page."""
    del page, settings
    components.page_title(
        "About Unrolled",
        "A place to use recurrent networks, to look inside them while they work, and to retrain "
        "them. Each stands beside the simple baseline that it has to beat.",
    )
    tables = [_read_scores(load_tab(name)) for name in APPLICATIONS]
    components.html(views.scores(tables) + views.training(read_cards()))
    components.html(views.cells() + views.guides() + views.retention())


def _read_scores(tab):
    """The table of one application; empty if it has none or its bundle is damaged."""
    try:
        return Markup(tab.scores()) if hasattr(tab, "scores") else Markup()
    except bundle.BundleError:
        return Markup()


def read_cards():
    """The cards of all bundles that can be read, in the order of their folders' names."""
    cards = []
    for folder in sorted(bundle.MODELS.glob("*/")):
        try:
            cards.append(bundle.read_card(folder))
        except bundle.BundleError:
            continue
    return cards
