"""The laboratory of cells: a path of lessons, each a page of its own."""

from importlib import import_module

from markupsafe import Markup

from shared.bundle import BundleError
from shared.site import components
from shared.site.pages import Page

TITLE = "Cells"
DESCRIPTION = (
    "Step through an RNN, an LSTM and a GRU number by number; see gradients vanish, race the "
    "cells, hold a gate."
)
SHAPE = "under all of them"
LESSONS = ("unrolled", "scalar", "gradients", "race", "gates", "memory")


def pages():
    """A `Page` for each lesson; the first is that of the laboratory."""
    return [
        Page(
            address(name),
            lesson.TITLE if n else TITLE,
            lesson.LEAD if n else DESCRIPTION,
            _builder(name, lesson),
            section=address(LESSONS[0]) if n else "",
        )
        for n, (name, lesson) in enumerate(_lessons().items())
    ]


def address(name):
    """The path of a lesson's page."""
    return "cells" if name == LESSONS[0] else f"cells-{name}"


def scores():
    """The models of the lessons beside their baselines, for the About page."""
    lessons = _lessons().values()
    return Markup().join(lesson.scores() for lesson in lessons if hasattr(lesson, "scores"))


def _builder(name, lesson):
    def build(page, settings):
        components.html(_navigation(name))
        components.page_title(lesson.TITLE, lesson.LEAD)
        try:
            lesson.build(page, settings)
        except BundleError as problem:
            components.html(components.error(f"This lesson cannot be used. {problem}"))
        components.html(
            '<p class="small">To give a class this lesson with some of its controls hidden, copy '
            "its link and add <code>&amp;lock=</code> and the names of those controls as they "
            "stand in the link, separated by commas: <code>&amp;lock=units,seed</code>.</p>"
        )

    return build


def _navigation(current):
    """Links to all lessons."""
    item = Markup('<li><a href="./{}"{}>{} {}</a></li>')
    mark = Markup(' aria-current="page"')
    items = Markup().join(
        item.format(address(name), mark if name == current else "", n, lesson.TITLE)
        for n, (name, lesson) in enumerate(_lessons().items(), 1)
    )
    return Markup('<nav class="lessons" aria-label="Lessons"><ol>{}</ol></nav>').format(items)


def _lessons():
    """Each lesson's module by its name, in the order of the path."""
    return {name: import_module(f"apps.cells.{name}.tab") for name in LESSONS}
