"""The page about the site: every model beside its baseline, made from the models' cards."""

from html import escape

from apps import APPLICATIONS, load_tab
from shared import bundle, page

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


def build(tab, settings):
    """The page inside its `gr.Tab`."""
    del tab, settings
    page.opening(
        "About Unrolled",
        "A place to use recurrent networks, look inside them while they work, and retrain them, "
        "each beside the simple baseline it has to beat.",
    )
    tabs = [load_tab(name) for name in APPLICATIONS]
    page.html(
        page.heading(
            "The models and their baselines",
            "Each row is one model of this site. The scores are measured on data that neither "
            "the model nor its baseline has seen in training. Parameters are the numbers that a "
            "model has learned. In bold: the best of its task.",
        )
        + "".join(map(_scores, tabs))
        + page.heading("How each was trained")
        + "".join(map(_training, _cards()))
    )
    page.html(
        page.heading(
            "The cells",
            "Every recurrent layer of this site is written out by hand, forwards and backwards. "
            "x is the input of a step, h the hidden state; a prime marks the step before.",
        )
        + "".join(
            f"<h3>{escape(name)}</h3><p>{escape(what)}</p>{page.equations(cell)}"
            for cell, name, what in CELLS
        )
        + page.heading(
            "What is kept of what you type",
            "Nothing. Texts and photos are forgotten within ten minutes of your leaving the page, "
            "those sent to the API with the answer; of photos only the pixels are read, and no "
            "frame of a webcam is written to disk. Uploaded files and files made from them are "
            "deleted within the hour. The page loads nothing from anywhere "
            "else and tracks nobody; a ticker that you ask for is looked up at Yahoo Finance by "
            "the server.",
        )
    )


def _scores(tab):
    """The table of a page's models, or nothing where it has none or its bundle is damaged."""
    try:
        return tab.scores() if hasattr(tab, "scores") else ""
    except bundle.BundleError:
        return ""


def _cards():
    """The readable cards of all bundles, in the order of their folders' names."""
    found = []
    for folder in sorted(bundle.MODELS.glob("*/")):
        try:
            found.append(bundle.read_card(folder))
        except bundle.BundleError:
            continue
    return found


def _training(card):
    limits = "".join(f"<li>{escape(limit)}</li>" for limit in card["limits"])
    commands = "\n".join(details["command"] for details in card["variants"].values())
    code = f", from commit {escape(card['commit'])}" if card["commit"] else ""
    return (
        f"<h3>{escape(card['title'])}</h3><p>Learned from {escape(card['data'])}. "
        f"Trained on {page.long_date(card['date'])} with seed {card['seed']}{code}. "
        f"{escape(card['licence'])}</p>"
        f"<pre><code>{escape(commands)}</code></pre><p>Its limits:</p><ul>{limits}</ul>"
    )
