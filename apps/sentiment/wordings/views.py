"""HTML of different wordings: two texts side by side, and all texts of a template."""

from markupsafe import Markup

from apps.sentiment import suite, views
from apps.sentiment.wordings.difference import split_by_difference
from shared import plots
from shared.plots import chance, signed
from shared.site import components


def side_by_side(readings, three):
    """Two texts beside each other: the words that differ marked, and both answers.

    Args:
        readings: Both `Reading`s.
        three: Whether the network has three classes.
    """
    column = Markup("<div><p>{}</p><b>{}</b>{}</div>")
    first, second = readings
    texts = split_by_difference(first.text, second.text)
    columns = Markup().join(
        column.format(
            views.marked(pieces),
            views.answer_cell(reading.classes),
            views.shares(reading.classes) if three else plots.meter(reading.probability),
        )
        for pieces, reading in zip(texts, readings, strict=True)
    )
    return Markup('<div class="beside">{}</div>').format(columns) + components.note(
        _moved(first, second)
    )


def _moved(first, second):
    """How far apart the answers to two texts are, as a sentence."""
    if first.text == second.text:
        return "The two texts are the same."
    points = signed(100 * (second.probability - first.probability), 0)
    answers = [views.WORDS[views.label(reading.classes)] for reading in (first, second)]
    answers = "Both get the same answer" if answers[0] == answers[1] else "The answers differ"
    return (
        f"{answers}. From the first text to the second, the probability of positive against "
        f"negative moves by {points} points."
    )


def all_texts(texts, classes, three):
    """All texts of a template, in its order, with their answers.

    Args:
        texts: Of each text its pieces, as from `template.expand`.
        classes: The probabilities of the classes of each text, `(texts, 3)`.
        three: Whether the network has three classes.
    """
    rows = [
        [
            views.marked(pieces),
            views.answer_cell(each),
            views.share_bar(each) if three else plots.meter(each[2]),
            chance(suite.positive_share(each)),
        ]
        for pieces, each in zip(texts, classes, strict=True)
    ]
    columns = ["Text", "Answer", "Negative to positive", "Positive"]
    return components.table(columns, rows, numbers=[3]) + views.small(
        "“Positive” is the probability of positive against negative. What the texts do not have "
        "in common is marked."
    )
