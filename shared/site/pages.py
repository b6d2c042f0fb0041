"""Pages with addresses of their own: navigation, titles, link previews, and the page builder."""

from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from markupsafe import Markup

from shared.bundle import BundleError
from shared.site import components, permalinks
from shared.site.theme import FAVICON


@dataclass(frozen=True)
class Page:
    """A page of the site with an address of its own.

    Attributes:
        path: Its address below the site's root; empty for the home page.
        title: Its name in the navigation and in the browser's title.
        description: One sentence for search engines and link previews.
        build: Function of a `PageBuilder` and the settings that makes the components.
        section: Path under which the navigation marks it as current, if not its own.
        stylesheet: A CSS file for this page, besides `site.css`; or None.
    """

    path: str
    title: str
    description: str
    build: object
    section: str = ""
    stylesheet: Path | None = None


class PageBuilder:
    """What the `build` of a tab gets: the page that it fills.

    Attributes:
        site: The `gr.Blocks` of the whole site.
        page: The `Page`.
    """

    def __init__(self, site, page):
        self.site, self.page = site, page

    def on_open(self, fn, outputs, **options):
        """See `permalinks.on_open`."""
        return permalinks.on_open(self.site, fn, outputs, **options)

    def link_button(self, **inputs):
        """See `permalinks.link_button`."""
        return permalinks.link_button(**inputs)


def build_site(pages, settings):
    """The site as a `gr.Blocks` with one route for each page.

    Args:
        pages: List of `Page`, the home page first.
        settings: The settings, for every `build`.
    """
    site = gr.Blocks(title="Unrolled", analytics_enabled=False)
    for page in pages:
        if page.path:  # the home page is there from the start
            site.route(page.title, page.path)
    # Leaving the context of a route takes 130 ms, for Gradio then makes the configuration of all
    # pages; so the pages are filled in a single context.
    with site:
        for page in pages:
            site.current_page = page.path
            components.html(masthead(pages, page) + _styles(page))
            with gr.Column(elem_id=f"page-{page.path or 'home'}", elem_classes="page"):
                try:
                    page.build(PageBuilder(site, page), settings)
                except BundleError as problem:
                    components.html(components.error(f"This page cannot be used. {problem}"))
    return site


def _styles(page):
    if page.stylesheet is None:
        return ""
    return Markup("<style>{}</style>").format(Markup(page.stylesheet.read_text("utf-8")))


def browser_title(page):
    """The title of a page in the browser."""
    return f"{page.title} · Unrolled" if page.path else "Unrolled: recurrent networks at work"


def masthead(pages, current):
    """The name of the site, the switch between light and dark, and a link to every page.

    Args:
        pages: All pages; those with a `section` of their own are reached from that page.
        current: The page on which it stands.
    """
    item = Markup('<li><a href="./{}"{}>{}</a></li>')
    mark = Markup(' aria-current="page"')
    links = Markup().join(
        item.format(page.path, mark if page.path == section_of(current) else "", page.title)
        for page in pages
        if page.path and not page.section
    )
    return Markup(
        '<a class="skip" href="#content">Skip to the content</a>'
        '<header class="masthead"><a class="home" href="./"{}>{}Unrolled</a>'
        '<button type="button" onclick="unrolled.switchMode()" aria-label="Switch between light '
        'and dark">Theme</button></header>'
        '<nav class="pages" aria-label="Applications"><ul>{}</ul></nav><span id="content"></span>'
    ).format("" if current.path else mark, Markup(FAVICON.read_text("utf-8")), links)


def section_of(page):
    """The path that the navigation marks as current on a page."""
    return page.section or page.path
