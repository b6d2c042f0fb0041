"""How good the vectors are, as HTML: by section, by size of the text, beside the baseline."""

import numpy as np
from markupsafe import Markup

from apps.analogies.predictor import Predictor
from apps.analogies.stored import load_answers
from shared.plots import percent
from shared.site import components

MISTAKES_PER_PAGE = 15
SECTIONS = {
    "capital-common-countries": "Capitals of well-known countries",
    "capital-world": "Capitals of the world",
    "currency": "Currencies",
    "city-in-state": "Cities in their states",
    "family": "Family",
    "gram1-adjective-to-adverb": "Adjective to adverb",
    "gram2-opposite": "Opposites",
    "gram3-comparative": "Comparatives",
    "gram4-superlative": "Superlatives",
    "gram5-present-participle": "Participles",
    "gram6-nationality-adjective": "Nationalities",
    "gram7-past-tense": "Past tense",
    "gram8-plural": "Plurals of nouns",
    "gram9-plural-verbs": "Third person of verbs",
}


def format_count(count):
    """A count as people say it: 17,000,000 as `17 million`."""
    return f"{count / 1e6:.0f} million" if count >= 1e6 else f"{count:,}"


def draw_score_line(card):
    """The line on how good the vectors are, beside the baseline."""
    if not card:
        return components.note(
            "These are your own vectors, from the file that this site was started with."
        )
    baseline, (name, details) = card["baseline"], next(iter(card["variants"].items()))
    if baseline["accuracy"] > card["accuracy"]:
        remark = "The baseline is the better of the two."
    else:
        remark = (
            "The baseline counts which words stand near each other. A random guess would be "
            f"right once in {card['vocabulary']:,}."
        )
    return components.score_line(
        card,
        name,
        percent(card["accuracy"], 1),
        percent(baseline["accuracy"], 1),
        details["parameters"],
        remark=remark,
    )


def draw_accuracy(card):
    """A table of the accuracy by section, and a paragraph on the whole."""
    bar = Markup('<progress value="{:.3f}" max="1" aria-label="{}"></progress>')
    rows = [
        (
            SECTIONS.get(name, name),
            bar.format(row["accuracy"] or 0, SECTIONS.get(name, name)),
            percent(row["accuracy"] or 0, 1),
            f"{row['covered']:,} of {row['questions']:,}",
        )
        for name, row in card["sections"].items()
    ]
    table = components.table(("Section", "", "Right", "Questions covered"), rows, numbers=(2, 3))
    baseline = card["baseline"]
    summary = (
        f"In all, {percent(card['accuracy'], 1)} of {card['examples']:,} questions are answered "
        f"correctly: those whose four words are among the {card['vocabulary']:,} words known. "
        f"{card['skipped']:,} questions were skipped. Among the 30,000 most frequent words, which "
        f"cover {percent(card['covered_30k'])} of the questions, "
        f"{percent(card['accuracy_30k'], 1)} are correct. "
        f"{baseline['name']} on the same text: {percent(baseline['accuracy'], 1)}. "
        "Spearman’s correlation with people’s judgements of similarity (WordSim-353): "
        f"{card['spearman']:.2f}; {baseline['name']}: {baseline['spearman']:.2f}."
    )
    return Markup('<div class="sections">{}</div><p>{}</p>').format(table, summary)


def draw_mistakes(section_name, page):
    """One page of the questions of a section that were answered wrongly.

    Args:
        section_name: Google's name of the section.
        page: Number of the page, from 1; the nearest page that exists is shown.

    Returns:
        HTML, and the number of pages.
    """
    section = next(each for each in load_answers() if each.name == section_name)
    mistakes = np.flatnonzero(~section.right)
    pages = max(1, -(-len(mistakes) // MISTAKES_PER_PAGE))
    page = min(max(int(page), 1), pages)
    words = Predictor.load().vectors.words
    rows = []
    for n in mistakes[(page - 1) * MISTAKES_PER_PAGE : page * MISTAKES_PER_PAGE]:
        a, b, c, d = section.questions[n]
        rows.append((f"{a} : {b} = {c}\u00a0:\u00a0?", d, words[section.answers[n]]))
    sentence = f"{len(mistakes):,} of {len(section.right):,} questions were answered wrongly."
    if not rows:
        return Markup("<p>{}</p>").format(sentence), pages
    table = components.table(("Question", "Right answer", "Answer given"), rows)
    return Markup("<p>{} Page {} of {}.</p>{}").format(sentence, page, pages, table), pages


def draw_size_scores(card):
    """How accuracy grows with the text, and with other settings: tables of the card."""
    rows = [*card["sizes"], {**card, "words": card["corpus_words"]}]
    columns = (
        "Words of text", "Dimensions", "Epochs", "Questions right", "Questions covered",
        "WordSim-353",
    )  # fmt: skip
    table = components.table(
        columns,
        [
            (
                format_count(row["words"]),
                row["dimensions"],
                row["epochs"],
                percent(row["accuracy_30k"], 1),
                percent(row["covered_30k"]),
                f"{row['spearman']:.2f}",
            )
            for row in rows
        ],
        numbers=(1, 2, 3, 4, 5),
        winner=len(rows) - 1,
    )
    caption = Markup('<p class="small">{}</p>').format(
        "Google’s questions whose words are among the 30,000 most frequent of each text, answered "
        "by 3CosAdd; Spearman’s correlation with people’s judgements of similarity. The vectors "
        "from less text have fewer dimensions and were trained for more epochs."
    )
    return table + caption + (_draw_study(card["study"]) if card["study"] else "")


def _draw_study(study):
    """The table of other settings."""
    table = components.table(
        ("Model", "Phrases", "Window", "Dimensions", "Negatives", "Rate", "Epochs", "Right"),
        [
            (
                row["model"],
                "joined" if row["phrases"] else "–",
                row["window"],
                row["dimensions"],
                row["negative"],
                row["rate"],
                row["epochs"],
                percent(row["validation"], 1),
            )
            for row in study
        ],
        numbers=(2, 3, 4, 5, 6, 7),
        winner=int(np.argmax([row["validation"] for row in study])),
    )
    return table + Markup('<p class="small">{}{}</p>').format(
        f"Other settings, trained on {format_count(study[0]['words'])} words and scored "
        "on validation questions of our own, none of which is among Google’s. The architecture was "
        "chosen by these scores. Differences below two points are within the noise of so few "
        "questions.",
        compare_phrases(study),
    )


def compare_phrases(study):
    """A sentence on what joining phrases changed: the row with phrases beside its twin without."""
    measured = ("minutes", "validation", "phrases")
    by_setting = {
        (row["phrases"], *(value for key, value in row.items() if key not in measured)): row
        for row in study
    }
    for (joined, *setting), row in by_setting.items():
        plain = by_setting.get((False, *setting))
        if joined and plain:
            helped = "helped" if row["validation"] > plain["validation"] else "did not help"
            return (
                f" Joining phrases into one word, such as new_york, {helped}: "
                f"{percent(row['validation'], 1)} instead of {percent(plain['validation'], 1)}."
            )
    return ""


def draw_about(card):
    """The table of the vectors beside the baseline, for the About page."""
    rows = [
        (f"{name}, {card['dimensions']} dimensions", card, card["minutes"])
        for name in card["variants"]
    ]
    baseline = card["baseline"]
    rows.append((baseline["name"], baseline, baseline["minutes"]))
    table = components.table(
        ("Vectors", "30,000 words", "50,000 words", "WordSim-353", "Training, minutes"),
        [
            (
                name,
                percent(scored["accuracy_30k"], 1),
                percent(scored["accuracy"], 1),
                f"{scored['spearman']:.2f}",
                f"{minutes:.1f}",
            )
            for name, scored, minutes in rows
        ],
        numbers=(1, 2, 3, 4),
        winner=max(range(len(rows)), key=lambda n: rows[n][1]["accuracy"]),
    )
    return Markup("<h3>{}</h3><p>{}</p>{}").format(
        card["title"],
        "Accuracy on those of Google’s questions that the 30,000 or 50,000 most frequent words "
        f"cover ({percent(card['covered'])} of {card['questions']:,}), and rank correlation with "
        "people’s judgements of similarity.",
        table,
    )
