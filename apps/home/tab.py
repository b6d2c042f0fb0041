"""The home page: every application, grouped by the shape of its problem."""

import re
from pathlib import Path

from apps import APPLICATIONS, load_tab
from apps.home import views
from shared import images, photos
from shared.bundle import BundleError
from shared.site import components

TITLE = "Home"
THUMBNAIL_PIXELS = 240
DESCRIPTION = (
    "Use, inspect and retrain recurrent neural networks: sentiment, translation, captions, "
    "questions about photos, prices, word vectors and a laboratory of cells."
)


def build(page, settings):
    """Build the page."""
    del page, settings
    components.page_title("Recurrent neural networks at work", views.LEAD)
    components.html(views.paths())
    for shape, names in _by_shape().items():
        cards = [_card(name, load_tab(name)) for name in names]
        components.html(views.group(shape, cards), wide=True)


def _by_shape():
    """The names of the applications by the shape of their problem."""
    groups = {shape: [] for shape in views.SHAPES}
    for name in APPLICATIONS:
        groups[load_tab(name).SHAPE].append(name)
    return {shape: names for shape, names in groups.items() if names}


def _card(name, tab):
    preview = Path(tab.__file__).with_name("preview.html")
    try:
        headline = tab.headline() if hasattr(tab, "headline") else ()
    except BundleError:  # the application's own page says what is wrong
        headline = ()
    picture = preview.read_text(encoding="utf-8") if preview.exists() else ""
    picture = re.sub(r"{photo:(\w+)}", _thumbnail, picture)
    return views.card(name, tab.TITLE, tab.DESCRIPTION, picture, headline)


def _thumbnail(match):
    """The data URL of an example photo, for a preview that names it as `{photo:KEY}`."""
    return photos.to_data_url(images.read(photos.EXAMPLES[match[1]].path), THUMBNAIL_PIXELS)
