"""The laboratory of cells: a path of lessons, each a small application of its own."""

from importlib import import_module

import gradio as gr

from shared import page
from shared.bundle import BundleError

TITLE = "Cells"
LESSONS = ("unrolled", "scalar", "gradients", "race", "gates", "memory")


def build(tab, settings):
    """The page inside its `gr.Tab`: a row of lessons, and the one chosen below it."""
    page.opening(
        "Inside a recurrent cell",
        "Why a loop of a few numbers can remember, why it forgets or blows up, and what gates do "
        "about it. Everything here is computed while you watch, by the same layers that the "
        "other pages use.",
    )
    lessons = _lessons()
    first = next(iter(lessons))
    chosen = page.choice(
        [(f"{n} {lesson.TITLE}", name) for n, (name, lesson) in enumerate(lessons.items(), 1)],
        first,
        "Lesson",
    )
    with gr.Tabs(elem_id="lesson", selected=first, elem_classes=["wide"]) as tabs:
        for name, lesson in lessons.items():
            with gr.Tab(lesson.TITLE, id=name, elem_id=f"lesson-{name}") as shell:
                page.section(lesson.TITLE, lesson.LEAD)
                try:
                    lesson.build(shell, settings)
                except BundleError as problem:
                    page.html(page.error(f"This lesson cannot be used. {problem}"))
    page.html(
        '<p class="small">To give a class one lesson with some of its controls hidden, copy its '
        "link and add <code>&amp;lock=</code> and the names of those controls as they stand in the "
        "link, separated by commas: <code>&amp;lock=units,seed</code>.</p>"
    )

    quick = {"queue": False, "show_progress": "hidden"}
    chosen.input(
        lambda name: gr.Tabs(selected=name),
        chosen,
        tabs,
        js=f"(lesson) => {{ unrolled.visit({{ tab: {tab.id!r}, lesson }}); return lesson }}",
        api_visibility="private",
        **quick,
    )

    def open_lesson(link):
        name = link.get("lesson")
        name = name if name in lessons else first
        return name, gr.Tabs(selected=name)

    page.when_opened(tab, open_lesson, [chosen, tabs], **quick)


def scores():
    """The models of the lessons beside their baselines, for the About page."""
    lessons = _lessons().values()
    return "".join(lesson.scores() for lesson in lessons if hasattr(lesson, "scores"))


def _lessons():
    """Each lesson's tab by its name, in the order of the path."""
    return {name: import_module(f"apps.cells.{name}.tab") for name in LESSONS}
