"""The home page as HTML: two paths, and a card for each application."""

from markupsafe import Markup

LEAD = (
    "Unrolled is a site of recurrent networks that you can use, look inside and retrain. Every "
    "answer shows what the network computed at each step, next to the simple baseline that it has "
    "to beat."
)

# The shapes of sequence problems, after Karpathy (2015): for each the steps that have an input and
# the steps that have an output.
SHAPES = {
    "many to one": ((0, 1, 2), (2,)),
    "one to many": ((0,), (0, 1, 2)),
    "many to many": ((0, 1, 2), (2, 3, 4)),
    "image and sequence to one": ((0, 1, 2), (2,)),
    "under all of them": ((), ()),
}
EXPLANATIONS = {
    "many to one": "A sequence comes in, one answer comes out at the end.",
    "one to many": "One input, and the network writes a sequence.",
    "many to many": "A sequence comes in, and another one comes out.",
    "image and sequence to one": "A photo and a sequence of words lead to one answer.",
    "under all of them": "The parts that all of these networks are made of.",
}

# (address, title, what happens there, minutes: those of docs/lessons.md for its lessons)
LEARNING_PATH = (
    ("cells", "Unroll a cell", "Every number of an RNN, LSTM or GRU, step by step", 8),
    ("cells-scalar", "One line", "Why a loop remembers, forgets or blows up", 6),
    ("cells-gradients", "Gradients", "How far an error travels back in time", 8),
    ("cells-race", "The race", "Four cells learn the same task while you watch", 8),
    ("sentiment", "A trained network", "Watch an LSTM change its mind word by word", 5),
    ("cells-memory", "Attention", "What a network gains by looking back", 7),
)
OWN_DATA_PATH = (
    ("sentiment#many-texts-at-once", "Answer a file", "A CSV of texts in, a CSV of answers out"),
    ("forecasting", "Forecast your prices", "A CSV of dates and prices, with a backtest"),
    ("analogies", "Train word vectors", "On a text of your own, while you watch"),
    (
        "about#how-each-model-was-trained",
        "Retrain a model",
        "One command on your own labelled data",
    ),
)


def paths():
    """Two lists of links: for those who come to learn, and for those who bring data."""
    step = Markup(
        '<li><a href="./{}">{}</a> <span>{}</span><span class="minutes">{} min</span></li>'
    )
    task = Markup('<li><a href="./{}">{}</a> <span>{}</span></li>')
    total = sum(minutes for *_, minutes in LEARNING_PATH)
    return Markup(
        '<div class="paths"><section><h2 id="learn">Start here to learn</h2><p>Six steps from a '
        "single cell to attention, about {} minutes.</p><ol>{}</ol></section><section>"
        '<h2 id="data">Start here with your own data</h2><p>Everything also works as an API '
        "and from the command line.</p><ul>{}</ul></section></div>"
    ).format(
        total,
        Markup().join(step.format(*row) for row in LEARNING_PATH),
        Markup().join(task.format(*row) for row in OWN_DATA_PATH),
    )


def group(shape, cards):
    """The applications of one shape, below its diagram."""
    return Markup(
        '<section class="shape"><div class="shape-name">{}<h2 id="{}">{}</h2><p>{}</p>'
        '</div><div class="cards">{}</div></section>'
    ).format(
        diagram(*SHAPES[shape]),
        shape.replace(" ", "-"),
        shape.capitalize(),
        EXPLANATIONS[shape],
        Markup().join(cards),
    )


def card(path, title, description, preview, headline):
    """One application: title, sentence, picture of a real answer, score and baseline.

    Args:
        path: Address of its page.
        title, description: From its tab.
        preview: HTML of the picture, or an empty string.
        headline: (score, baseline's score) as texts, or an empty tuple.
    """
    score = Markup("")
    if headline:
        score = Markup('<p class="score"><b>{}</b><span>{}</span></p>').format(*headline)
    picture = Markup('<div class="preview" aria-hidden="true">{}</div>').format(Markup(preview))
    return Markup(
        '<article class="application"><h3><a href="./{}">{}</a></h3><p>{}</p>{}{}</article>'
    ).format(path, title, description, picture if preview else "", score)


def diagram(inputs, outputs):
    """The classic drawing of an unrolled network: inputs below, states, outputs above.

    Args:
        inputs, outputs: The steps that have one.
    """
    if not inputs:
        return _loop()
    steps = max((*inputs, *outputs)) + 1
    box = Markup('<rect x="{}" y="{}" width="14" height="14" rx="2" class="{}"/>')
    line = Markup('<path d="M{} {}L{} {}" marker-end="url(#arrow)"/>')
    parts = []
    for step in range(steps):
        x = 4 + 26 * step
        parts.append(box.format(x, 29, "state"))
        if step + 1 < steps:
            parts.append(line.format(x + 15, 36, x + 24, 36))
        if step in inputs:
            parts += [box.format(x, 54, "input"), line.format(x + 7, 53, x + 7, 45)]
        if step in outputs:
            parts += [box.format(x, 4, "output"), line.format(x + 7, 28, x + 7, 20)]
    return _svg(26 * steps - 4, Markup().join(parts))


def _loop():
    """The drawing of a single cell whose output comes back as its input."""
    parts = Markup(
        '<rect x="14" y="29" width="14" height="14" rx="2" class="state"/>'
        '<path d="M28 33C44 24 44 48 29 40" marker-end="url(#arrow)"/>'
        '<rect x="14" y="54" width="14" height="14" rx="2" class="input"/>'
        '<rect x="14" y="4" width="14" height="14" rx="2" class="output"/>'
        '<path d="M21 53L21 45" marker-end="url(#arrow)"/>'
        '<path d="M21 28L21 20" marker-end="url(#arrow)"/>'
    )
    return _svg(52, parts)


def _svg(width, parts):
    return Markup(
        '<svg class="diagram" width="{0}" height="72" viewBox="0 0 {0} 72" aria-hidden="true">'
        '<defs><marker id="arrow" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="5" '
        'markerHeight="5" orient="auto"><path d="M0 0L6 3L0 6z" class="head"/></marker></defs>'
        "{1}</svg>"
    ).format(width, parts)
