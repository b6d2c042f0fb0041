"""The sections of the About page as HTML."""

from markupsafe import Markup

from shared import bundle
from shared.site import components
from shared.site.sessions import ANSWER_TTL_SECONDS, SESSION_TTL_SECONDS

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
        "An uploaded file is deleted from the disk once it has been read. A table of which "
        "something can still be chosen, such as another column, is deleted within an hour, and so "
        "are files to download.",
    ),
    (
        "Answers through the API",
        "An answer is deleted when it is fetched. One that nobody fetches is deleted after about "
        f"{ANSWER_TTL_SECONDS // 60} minutes.",
    ),
    (
        "Prices of a ticker",
        "The server looks up a ticker at Yahoo Finance and caches the prices on its disk, without "
        "a record of who asked. Copies older than seven days are deleted when anyone next opens "
        "the page of prices or asks for a ticker.",
    ),
    (
        "Logs and tracking",
        "Requests are not logged. The pages load nothing from other sites and do not track you.",
    ),
)


def scores(tables):
    """The tables of models and baselines of all applications.

    Args:
        tables: A list of `Markup`, one for each application.
    """
    text = (
        "Each row is one model. The scores are measured on data that neither the model nor its "
        "baseline was trained on. Bold: the best of each task."
    )
    return components.heading("The models and their baselines", text) + Markup().join(tables)


def training(cards):
    """How each model was trained.

    Args:
        cards: The cards of the bundles.
    """
    heading = components.heading("How each model was trained")
    return heading + Markup().join(map(card_summary, cards))


def card_summary(card):
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


def cells():
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


def guides():
    """The documents of the repository."""
    heading = components.heading(
        "Guides", "The source code of the site comes with these documents:"
    )
    item = Markup("<li><code>{}</code>: {}</li>")
    items = Markup().join(item.format(path, text) for path, text in GUIDES)
    return heading + Markup("<ul>{}</ul>").format(items)


def retention():
    """What the site keeps of a visitor's input, and for how long."""
    return components.heading("What the site keeps of your input") + components.table(
        ["What", "How long"], RETENTION
    )


def preview():
    """The accuracies of three tasks beside their baselines, for the home page."""
    cards = {name: bundle.read_card(bundle.MODELS / name) for name in ("sentiment", "vqa")}
    words = bundle.read_card(bundle.MODELS / "analogies")
    review, photo = (card["variants"] for card in cards.values())
    rows = [
        ("Reviews", review["pretrained"]["accuracy"], cards["sentiment"]["baseline"]["accuracy"]),
        ("Questions", photo["lstm"]["accuracy"], photo["bow"]["accuracy"]),
        ("Analogies", words["accuracy"], words["baseline"]["accuracy"]),
    ]
    return Markup(
        '<svg viewBox="0 0 266 150" width="266" height="150" role="img" '
        'aria-label="Correct answers in three tasks, model and baseline" font-size="13">{}</svg>'
    ).format(Markup().join(_pair_of_bars(n, *row) for n, row in enumerate(rows)))


def _pair_of_bars(row, name, accuracy, baseline):
    """The bar of a model, and a paler one of its baseline."""
    top = 50 * row
    return Markup(
        '<text x="0" y="{text_y}" style="fill:var(--ink)">{name}: {accuracy:.1f} %, baseline '
        "{baseline:.1f} %</text>"
        '<rect x="0" y="{model_y}" width="{model_width:.0f}" height="9" style="fill:var(--ink)"/>'
        '<rect x="0" y="{baseline_y}" width="{baseline_width:.0f}" height="9" '
        'style="fill:var(--ink-2);fill-opacity:0.5"/>'
    ).format(
        name=name,
        accuracy=100 * accuracy,
        baseline=100 * baseline,
        text_y=top + 16,
        model_y=top + 23,
        model_width=266 * accuracy,
        baseline_y=top + 34,
        baseline_width=266 * baseline,
    )
