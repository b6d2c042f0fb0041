"""Pieces of a page: Gradio components in the site's style, and HTML built from results.

HTML is `markupsafe.Markup`: what is put into it with `format`, `join` or `+` is escaped.
"""

import inspect
import textwrap
from datetime import date
from functools import wraps
from urllib.parse import quote

import gradio as gr
from markupsafe import Markup, escape

from shared import photos, tables
from shared.equations import EQUATIONS
from shared.errors import UserError
from shared.site.theme import STATIC

SELECT_SCRIPT = (STATIC / "choose.js").read_text(encoding="utf-8")


def html(value="", wide=False, script=None, **options):
    """A `gr.HTML` for text or a figure.

    Args:
        value: Its HTML.
        wide: Whether it may exceed the column of text.
        script: JavaScript that makes its parts respond to pointer and keyboard.
        options: For `gr.HTML`.
    """
    return gr.HTML(
        str(value),
        apply_default_css=False,
        js_on_load=script,
        elem_classes=["text", "wide"] if wide else ["text"],
        **options,
    )


def choice(options, value, label):
    """A row of choices, `options` a list of (name, value); the label is for screen readers."""
    return gr.Radio(options, value=value, label=label, show_label=False, container=False)


def presets(options, label="Try"):
    """A row of buttons that set inputs, `options` a list of (name, key); a click gives `[key]`."""
    return examples([gr.Textbox(render=False)], options, label)


def examples(inputs, options, label="Examples"):
    """A row of buttons, each with values of `inputs`; `options` is a list of (name, *values)."""
    return gr.Dataset(
        components=inputs,
        samples=[list(values) for _, *values in options],
        sample_labels=[name for name, *_ in options],
        samples_per_page=len(options),
        label=label,
    )


def photo_gallery():
    """The example photos; a click is an event whose `choice` is a key."""
    return html(photos.gallery(), script=SELECT_SCRIPT)


def choice_buttons(texts, label):
    """A row of buttons as HTML; in `html(…, script=SELECT_SCRIPT)` a click gives the text."""
    button = Markup('<button type="button" data-choice="{0}">{0}</button>')
    buttons = Markup().join(button.format(text) for text in texts)
    group = '<div class="choices" role="group" aria-label="{}">{}</div>'
    return Markup(group).format(label, buttons)


def page_title(title, lead):
    """The title of a page and the sentence below it."""
    return html(Markup('<h1>{}</h1><p class="lead">{}</p>').format(title, lead))


def section(title, text=""):
    """The heading of a section and a paragraph on what it shows."""
    return html(heading(title, text))


def heading(title, text=""):
    """The HTML of `section`; the heading has an id made of its words, for links to it."""
    anchor = "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())
    paragraph = Markup("<p>{}</p>").format(text) if text else ""
    return Markup('<h2 id="{}">{}</h2>{}').format(anchor, title, paragraph)


def error(sentence):
    """What is wrong with an input and what would work; screen readers read it out."""
    return Markup('<p class="message error" role="alert">{}</p>').format(str(sentence))


def explain_errors(handler):
    """Decorator of an event handler with one output: a refusal is shown there as its sentence."""

    @wraps(handler)
    def explained(*values):
        try:
            return handler(*values)
        except UserError as problem:
            return error(problem)

    return explained


def note(sentence):
    """Something the reader should know."""
    return Markup('<p class="message">{}</p>').format(sentence)


# What stands in the place of answers until the first one comes.
LOADING = note("The network is being loaded. The first answer takes a few seconds.")
NO_ANSWER_YET = note("This appears with the answer above.")


def answer(number, word, tone, sentence):
    """The answer of a page, first and large.

    Args:
        number: The figure, such as `96 %`.
        word: What the figure stands for, such as `positive`.
        tone: The colour: `"positive"`, `"negative"` or `""`.
        sentence: What it means in plain language.
    """
    return Markup(
        '<div class="answer"><span class="number {tone}">{number}</span>'
        '<div><span class="word {tone}">{word}</span><p>{sentence}</p></div></div>'
    ).format(number=number, word=word, tone=tone, sentence=sentence)


def table(columns, rows, numbers=(), winner=None):
    """A table.

    Args:
        columns: Names of the columns.
        rows: List of rows, lists of cells.
        numbers: Indices of the columns that hold numbers.
        winner: Index of the row in bold, or None.
    """

    def line(tag, cells):
        cell = Markup("<{0}{1}>{2}</{0}>")
        number = Markup(" class=number")
        return Markup().join(
            cell.format(tag, number if n in numbers else "", value) for n, value in enumerate(cells)
        )

    body = Markup().join(
        Markup("<tr{}>{}</tr>").format(
            Markup(" class=winner") if n == winner else "", line("td", row)
        )
        for n, row in enumerate(rows)
    )
    return Markup(
        '<div class="scroll" tabindex="0" role="group" aria-label="table"><table>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(line("th", columns), body)


def progress_bar(done, total, unit):
    """A progress bar with its numbers, such as “3 of 10 reviews read”."""
    return Markup(
        '<p class="small">{0:,} of {1:,} {2}</p>'
        '<progress value="{0}" max="{1}" aria-label="{2}"></progress>'
    ).format(done, total, unit)


def score_line(
    card, name, score, baseline_score, parameters, measure="accuracy", remark="", trained=None
):
    """The line on every page that says how good the model is, beside its baseline.

    Args:
        card: The bundle's card.
        name: The model that answers, such as `LSTM`.
        score, baseline_score: On the card's test set, formatted.
        parameters: Number of parameters of the model.
        measure: What the scores are.
        remark: A sentence to add.
        trained: ISO date of the training of this model, if it is not the card's.
    """
    parts = [
        Markup("<b>{} {}</b>").format(name, score),
        Markup("<b>{} {}</b>").format(card["baseline"]["name"], baseline_score),
        f"{measure} on the {card['test_set']}, {card['examples']:,} examples",
        f"{parameters / 1e6:.1f} million parameters",
        f"trained {format_date(trained or card['date'])}, seed {card['seed']}",
    ]
    line = Markup(" · ").join(Markup("<span>{}</span>").format(part) for part in parts)
    return Markup('<p class="card">{}{}</p>').format(line, f". {remark}" if remark else "")


def format_date(iso):
    """`2026-11-21` as `21 November 2026`."""
    day = date.fromisoformat(iso[:10])
    return f"{day.day} {day:%B %Y}"


def equations(cell):
    """The equations of a cell of `shared.equations`; a prime marks the previous step."""
    line = Markup("<span>{}</span>")
    lines = Markup().join(line.format(format_subscripts(text)) for text in EQUATIONS[cell])
    return Markup('<div class="equations">{}</div>').format(lines)


def format_subscripts(line):
    """A line of mathematics in which `_i` is a subscript."""
    for letter, name in (("ᵢ", "i"), ("ₒ", "o")):
        line = line.replace(letter, f"_{name}")
    words = (word.split("_") for word in line.split(" "))
    return Markup(" ").join(
        Markup("{}<sub>{}</sub>{}").format(base, rest[0][0], rest[0][1:]) if rest else escape(base)
        for base, *rest in words
    )


def source_code(function):
    """The source code of a function."""
    source = textwrap.dedent(inspect.getsource(function))
    return Markup("<pre><code>{}</code></pre>").format(source)


def code_block(text):
    """Code with a button that copies it."""
    return Markup(
        '<div class="code"><button type="button" onclick="unrolled.copyCode(this)">Copy</button>'
        "<pre><code>{}</code></pre></div>"
    ).format(text)


def savable_figure(figure, name, columns, rows):
    """A figure with a line below it that saves it as SVG or PNG, and its numbers as CSV.

    Args:
        figure: HTML from `plots.figure`.
        name: Name of the files, without extension.
        columns, rows: The numbers, for `tables.text`.
    """
    save = Markup(
        '<button type="button" onclick="unrolled.saveFigure(this, {}, \'{}\')">{}</button>'
    )
    buttons = Markup().join(save.format(repr(name), kind, kind.upper()) for kind in ("svg", "png"))
    link = f"data:text/csv;charset=utf-8,{quote(tables.text(columns, rows))}"
    return Markup(
        '<div class="savable">{}<p class="save">Save as {}'
        '<a download="{}.csv" href="{}">CSV</a></p></div>'
    ).format(Markup(figure), buttons, name, link)
