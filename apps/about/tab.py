"""The About page: every model beside its baseline, the cells, and what the site keeps."""

from markupsafe import Markup

from apps import APPLICATIONS, load_tab
from shared import bundle
from shared.site import components
from shared.site.gradio_patches import SESSION_TTL_SECONDS

TITLE = "About"
DESCRIPTION = (
    "Every model beside its baseline, how it was trained, and what the site keeps of what you type."
)
SHAPE = "under all of them"

CELLS = (
    ("rnn", "Simple recurrent network", "One state, rewritten at every step (Elman 1990)."),
    (
        "lstm",
        "Long short-term memory",
        "A memory cell that gates write to, keep and read out (Hochreiter & Schmidhuber 1997).",
    ),
    (
        "gru",
        "Gated recurrent unit",
        "One state; one gate keeps it, another hides it from the candidate (Cho et al. 2014).",
    ),
)
GUIDES = (
    ("docs/lessons.md", "six lessons on recurrent cells for a class, with questions and timings"),
    ("docs/results/", "a model card for each task, with data, recipe, ablations and limits"),
    ("docs/layers.md", "the recurrent layers: equations, shapes and differences to Keras"),
    ("docs/architecture.md", "where things are in the source code, and the terms used"),
    ("docs/deploy.md", "how to run a site of your own, also as a Hugging Face Space"),
)
RETENTION = (
    (
        "Texts and photos",
        "What you type and upload stays in the memory of the server while your page is open, and "
        f"is deleted about {SESSION_TTL_SECONDS // 60} minutes after you leave it.",
    ),
    (
        "Features of photos",
        "Ask a photo keeps the features of the last 64 photos in memory, to answer further "
        "questions faster. It does not keep the photos. A live camera is never written to disk.",
    ),
    (
        "Files",
        "Uploaded files, and files made from them, are deleted from the disk within an hour.",
    ),
    (
        "Answers through the API",
        "An answer is deleted when it is fetched. One that nobody fetches stays in memory until "
        "2,000 later calls have replaced it or the site restarts.",
    ),
    (
        "Prices of a ticker",
        "The server looks up a ticker at Yahoo Finance and caches the prices on its disk, without "
        "a record of who asked. Copies older than seven days are deleted when anyone next asks for "
        "a ticker.",
    ),
    (
        "Logs and tracking",
        "Requests are not logged. The pages load nothing from other sites and do not track you.",
    ),
)


def build(page, settings):
    """Build the page."""
    del page, settings
    components.page_title(
        "About Unrolled",
        "A place to use recurrent networks, to look inside them while they work, and to retrain "
        "them. Each stands beside the simple baseline that it has to beat.",
    )
    components.html(_draw_scores() + _draw_training())
    components.html(_draw_cells() + _draw_guides() + _draw_retention())


def _draw_scores():
    """The table of models and baselines of every application."""
    text = (
        "Each row is one model. The scores are measured on data that neither the model nor its "
        "baseline was trained on. Bold: the best of each task."
    )
    tables = Markup().join(_draw_application(load_tab(name)) for name in APPLICATIONS)
    return components.heading("The models and their baselines", text) + tables


def _draw_application(tab):
    """The table of one application, or nothing if it has none or its bundle is damaged."""
    try:
        return Markup(tab.scores()) if hasattr(tab, "scores") else Markup()
    except bundle.BundleError:
        return Markup()


def _draw_training():
    """How each model was trained, from the cards of the bundles."""
    heading = components.heading("How each model was trained")
    return heading + Markup().join(_draw_card(card) for card in _read_cards())


def _read_cards():
    """The cards of all bundles that can be read, in the order of their folders' names."""
    cards = []
    for folder in sorted(bundle.MODELS.glob("*/")):
        try:
            cards.append(bundle.read_card(folder))
        except bundle.BundleError:
            continue
    return cards


def _draw_card(card):
    """Data, date, licence, commands and limits of one bundle."""
    commands = dict.fromkeys(details["command"] for details in card["variants"].values())
    item = Markup("<li>{}</li>")
    return Markup(
        "<h3>{title}</h3><p>Trained on {data}; {date}, seed {seed}{commit}. {licence}</p>"
        "<pre><code>{commands}</code></pre><p>Limits:</p><ul>{limits}</ul>"
    ).format(
        title=card["title"],
        data=card["data"],
        date=components.format_date(card["date"]),
        seed=card["seed"],
        commit=f", commit {card['commit']}" if card["commit"] else "",
        licence=card["licence"],
        commands="\n".join(commands),
        limits=Markup().join(map(item.format, card["limits"])),
    )


def _draw_cells():
    """The equations of the three cells."""
    heading = components.heading(
        "The cells",
        "Every recurrent layer of this site is written by hand, forwards and backwards. x is the "
        "input of a step and h the hidden state; a prime marks the previous step.",
    )
    cell = Markup("<h3>{}</h3><p>{}</p>{}")
    return heading + Markup().join(
        cell.format(name, text, components.equations(key)) for key, name, text in CELLS
    )


def _draw_guides():
    """The documents of the repository."""
    heading = components.heading(
        "Guides", "The source code of the site comes with these documents:"
    )
    item = Markup("<li><code>{}</code>: {}</li>")
    items = Markup().join(item.format(path, text) for path, text in GUIDES)
    return heading + Markup("<ul>{}</ul>").format(items)


def _draw_retention():
    """What the site keeps of a visitor's input, and for how long."""
    return components.heading("What the site keeps of your input") + components.table(
        ["What", "How long"], RETENTION
    )
