"""The page about the site: every model beside its baseline, made from the models' cards."""

from html import escape

from shared import bundle, page
from shared.plots import percent

TITLE = "About"

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
        "A place to use recurrent networks, look inside them while they work, and train them "
        "again, each beside the plain baseline it has to beat.",
    )
    cards = _cards()
    page.html(
        page.heading(
            "The models and their baselines",
            "Each row is one model of this site. The scores are measured on data that neither "
            "the model nor its baseline has seen in training. In bold: the best of its task.",
        )
        + "".join(_scores(card) for card in cards)
        + page.heading("How each was trained")
        + "".join(_training(card) for card in cards)
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
            "Nothing. Texts are answered and forgotten. Uploaded files and the files made from "
            "them are deleted after about an hour. The page loads nothing from anywhere else and "
            "counts nobody.",
        )
    )


def _cards():
    """The readable cards of all bundles, in the order of their folders' names."""
    found = []
    for folder in sorted(bundle.MODELS.glob("*/")):
        try:
            found.append(bundle.read_card(folder))
        except bundle.BundleError:
            continue
    return found


def _scores(card):
    if "baseline" not in card:
        return _losses(card)
    baseline, measure = card["baseline"], card.get("measure", "accuracy")
    rows = [
        (name.upper(), details[measure], details["parameters"], details["minutes"])
        for name, details in card["variants"].items()
    ]
    size = baseline.get("ngrams", baseline.get("parameters", 0))
    rows.append((baseline["name"], baseline[measure], size, baseline["minutes"]))
    table = page.table(
        ("Model", measure.capitalize(), "Learned numbers", "Training, minutes"),
        [(name, percent(score, 1), f"{size:,}", f"{time:g}") for name, score, size, time in rows],
        numbers=(1, 2, 3),
        winner=max(range(len(rows)), key=lambda n: rows[n][1]),
    )
    return (
        f"<h3>{escape(card['title'])}</h3>"
        f"<p>Scored on the {escape(card['test_set'])}, {card['examples']:,} examples.</p>{table}"
    )


def _losses(card):
    """The same for forecasts: the lower loss is the better, and nothing is learned but a fit."""
    rows = [
        (name.upper(), details, f"{details['parameters']:,}", f"{details['minutes']:g}")
        for name, details in card["variants"].items()
    ]
    rows += [
        (name, card["baselines"][key], "–", "–")
        for key, name in (
            ("naive", "Last price (naive)"),
            ("ewma", "RiskMetrics"),
            ("garch", "GARCH(1,1)"),
        )
    ]
    losses = [scores["pinball"] for _, scores, _, _ in rows]
    table = page.table(
        ("Model", "Pinball loss, %", "80 % held", "Learned numbers", "Training, minutes"),
        [
            (name, f"{100 * scores['pinball']:.3f}", percent(scores["coverage_80"], 1), size, time)
            for name, scores, size, time in rows
        ],
        numbers=(1, 2, 3, 4),
        winner=losses.index(min(losses)),
    )
    return (
        f"<h3>{escape(card['title'])}</h3><p>Scored on the {escape(card['test_set'])}. "
        f"A loss: less is better.</p>{table}"
    )


def _training(card):
    limits = "".join(f"<li>{escape(limit)}</li>" for limit in card["limits"])
    commands = "\n".join(details["command"] for details in card["variants"].values())
    return (
        f"<h3>{escape(card['title'])}</h3><p>Learned from {escape(card['data'])}. "
        f"Trained on {page.long_date(card['date'])} with seed {card['seed']}, from commit "
        f"{escape(card['commit'][:12])}. {escape(card['licence'])}</p>"
        f"<pre><code>{escape(commands)}</code></pre><p>Its limits:</p><ul>{limits}</ul>"
    )
