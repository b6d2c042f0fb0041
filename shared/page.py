"""What all pages share: the theme, the head of the site, links, messages, cards, small tables."""

import base64
import inspect
import shutil
import textwrap
import threading
import time
import uuid
from contextlib import contextmanager, suppress
from datetime import date
from functools import wraps
from html import escape
from itertools import takewhile
from pathlib import Path
from urllib.parse import quote

import gradio as gr
from gradio.data_classes import ImageData
from gradio.utils import get_upload_folder, is_in_or_equal
from pydantic import ValidationError, validate_call

from shared import guard, photos, tables
from shared.plots import PALETTE

HERE = Path(__file__).parent
FAVICON = HERE / "favicon.svg"
CHOOSE = (HERE / "choose.js").read_text(encoding="utf-8")
OLD = 55 * 60  # seconds: with the minutes between two looks, within the hour
ROOM = 64 * 2**20  # bytes that the largest file for a visitor may need

# Events that compute with TensorFlow share two cores; batches wait for each other alone.
# What is asked before the answer to the same question has come is asked then: Gradio would drop it.
ASKED = {"trigger_mode": "always_last", "api_visibility": "private"}
COMPUTE = {"concurrency_id": "compute", "concurrency_limit": 2, **ASKED}
BATCH = {"concurrency_id": "batch", "concurrency_limit": 1, **ASKED}
# A click on a place counts by itself: what is asked later would know of the first place only.
IN_TURN = {"concurrency_id": "in turn", "concurrency_limit": 1, "trigger_mode": "multiple"}
closing = threading.Event()  # set once the site is told to stop

EQUATIONS = {
    "rnn": ("h = tanh(x W + h′ U + b)",),
    "lstm": (
        "i = σ(x Wᵢ + h′ Uᵢ + bᵢ)",
        "f = σ(x W_f + h′ U_f + b_f)",
        "o = σ(x Wₒ + h′ Uₒ + bₒ)",
        "g = tanh(x W_g + h′ U_g + b_g)",
        "c = f ∘ c′ + i ∘ g",
        "h = o ∘ tanh(c)",
    ),
    "gru": (
        "z = σ(x W_z + h′ U_z + b_z)",
        "r = σ(x W_r + h′ U_r + b_r)",
        "g = tanh(x W_g + b_g + r ∘ (h′ U_g + b′_g))",
        "h = z ∘ h′ + (1 − z) ∘ g",
    ),
    "peephole": (
        "i = σ(x Wᵢ + h′ Uᵢ + bᵢ + p_i ∘ c′)",
        "f = σ(x W_f + h′ U_f + b_f + p_f ∘ c′)",
        "g = tanh(x W_g + h′ U_g + b_g)",
        "c = f ∘ c′ + i ∘ g",
        "o = σ(x Wₒ + h′ Uₒ + bₒ + p_o ∘ c)",
        "h = o ∘ tanh(c)",
    ),
    "coupled": (
        "f = σ(x W_f + h′ U_f + b_f)",
        "i = 1 − f",
        "o = σ(x Wₒ + h′ Uₒ + bₒ)",
        "g = tanh(x W_g + h′ U_g + b_g)",
        "c = f ∘ c′ + i ∘ g",
        "h = o ∘ tanh(c)",
    ),
    "gru_before": (
        "z = σ(x W_z + h′ U_z + b_z)",
        "r = σ(x W_r + h′ U_r + b_r)",
        "g = tanh(x W_g + (r ∘ h′) U_g + b_g)",
        "h = z ∘ h′ + (1 − z) ∘ g",
    ),
}


def theme():
    """Quiet ground, system fonts, one neutral accent."""
    sans = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Liberation Sans", "sans-serif"]
    mono = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]
    base = gr.themes.Base(
        primary_hue="zinc", secondary_hue="zinc", neutral_hue="zinc", font=sans, font_mono=mono
    )
    both = {
        "body_background_fill": "var(--ground)",
        "body_text_color": "var(--ink)",
        "body_text_color_subdued": "var(--ink-2)",
        "background_fill_primary": "var(--surface)",
        "background_fill_secondary": "var(--ground)",
        "block_background_fill": "transparent",
        "block_label_background_fill": "transparent",
        "block_label_text_color": "var(--ink-2)",
        "block_title_text_color": "var(--ink-2)",
        "border_color_primary": "var(--rule)",
        "border_color_accent": "var(--ink-2)",
        "input_background_fill": "var(--surface)",
        "input_border_color": "var(--rule)",
        "input_border_color_focus": "var(--ink-2)",
        "input_placeholder_color": "var(--ink-2)",
        "button_primary_background_fill": "var(--ink)",
        "button_primary_background_fill_hover": "var(--ink-2)",
        "button_primary_text_color": "var(--ground)",
        "button_secondary_background_fill": "transparent",
        "button_secondary_background_fill_hover": "var(--hover)",
        "button_secondary_text_color": "var(--ink)",
        "button_secondary_border_color": "var(--rule)",
        "checkbox_label_background_fill": "transparent",
        "checkbox_label_background_fill_hover": "var(--hover)",
        "checkbox_label_background_fill_selected": "var(--hover)",
        "checkbox_label_border_color": "var(--rule)",
        "checkbox_label_text_color_selected": "var(--ink)",
        "checkbox_background_color_selected": "var(--ink)",
        "checkbox_border_color_selected": "var(--ink)",
        "table_even_background_fill": "transparent",
        "table_odd_background_fill": "transparent",
    }
    return base.set(
        **both,
        **{f"{name}_dark": value for name, value in both.items()},
        block_border_width="0px",
        block_padding="0px",
        block_shadow="none",
        button_border_width="1px",
        input_border_width="1px",
        input_shadow="none",
        layout_gap="12px",
    )


def head():
    """Style sheet and script of all pages, in the page itself: nothing to fetch."""
    modes = [
        "".join(f"--{name}:{shades[mode]};" for name, shades in PALETTE.items()) for mode in (0, 1)
    ]
    colours = f":root{{{modes[0]}}}.dark{{{modes[1]}}}"
    style = (HERE / "page.css").read_text(encoding="utf-8")
    script = (HERE / "page.js").read_text(encoding="utf-8")
    return f"<style>{colours}{style}</style><script>{script}</script>"


def masthead():
    """The name of the site and the switch between light and dark."""
    return html(
        f'<div class="masthead"><a href="./">{FAVICON.read_text(encoding="utf-8")}Unrolled</a>'
        '<button type="button" onclick="unrolled.switchMode()">Light or dark</button></div>'
    )


def html(value="", wide=False, script=None, **options):
    """A piece of text or a figure in the page's own style.

    Args:
        value: Its HTML.
        wide: Whether it exceeds the column.
        script: JavaScript that lets its parts answer to pointer and keyboard.
        options: For `gr.HTML`.
    """
    return gr.HTML(
        value,
        apply_default_css=False,
        js_on_load=script,
        elem_classes=["text", "wide"] if wide else ["text"],
        **options,
    )


def choice(options, value, label):
    """A row of choices, `options` a list of (name, value); the label is for screen readers."""
    return gr.Radio(options, value=value, label=label, show_label=False, container=False)


def tries(options, label="Try"):
    """A row of buttons that set knobs, `options` a list of (name, key); a click gives `[key]`."""
    return gr.Dataset(
        components=[gr.Textbox(render=False)],
        samples=[[key] for _, key in options],
        sample_labels=[name for name, _ in options],
        label=label,
    )


def gallery():
    """The photographs to try; a click is an event whose `choice` is a key."""
    return html(photos.gallery(), script=CHOOSE)


def choices(texts, label):
    """A row of buttons with texts, as a string; in `html(…, script=CHOOSE)` a click says which."""
    buttons = "".join(
        f'<button type="button" data-choice="{escape(text)}">{escape(text)}</button>'
        for text in texts
    )
    return f'<div class="choices" role="group" aria-label="{escape(label)}">{buttons}</div>'


def photo_box(label):
    """Where a visitor drops, pastes or takes a photograph; its value is as `Photo` says."""
    return Photo(
        sources=["upload", "clipboard", "webcam"],
        label=label,
        show_label=False,
        height=140,
        buttons=[],
        placeholder="Drop a photo here, or click to choose one",
        webcam_options=gr.WebcamOptions(mirror=False),
        alt_text="Your photo, while it is being read",
    )


def edits(components):
    """The triggers of a visitor's hand on components.

    Gradio passes over the first input that follows a value of ours, so that Enter and leaving a
    field count as well.
    """
    names = ("input", "submit", "blur")
    return [getattr(each, name) for each in components for name in names if hasattr(each, name)]


def opening(title, lead):
    """The title of a page and its first sentence."""
    return html(f'<h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p>')


def section(title, text=""):
    """The heading of a section and what it shows."""
    return html(heading(title, text))


def heading(title, text=""):
    """The same as a string."""
    return f"<h2>{escape(title)}</h2>" + (f"<p>{escape(text)}</p>" if text else "")


def error(sentence):
    """What is wrong with an input and what would work, read out by screen readers."""
    return f'<p class="message error" role="alert">{escape(str(sentence))}</p>'


def note(sentence):
    """Something the reader should know."""
    return f'<p class="message">{escape(sentence)}</p>'


def answer(number, word, tone, sentence):
    """The answer of a page, first and large.

    Args:
        number: The figure, such as `96 %`.
        word: What it stands for, such as `positive`.
        tone: `"positive"`, `"negative"` or `""`, the colour.
        sentence: What it means in plain language.
    """
    return (
        f'<div class="answer"><span class="number {tone}">{escape(number)}</span>'
        f'<div><span class="word {tone}">{escape(word)}</span><p>{escape(sentence)}</p></div></div>'
    )


def table(columns, rows, numbers=(), winner=None):
    """A table as a string; cells are escaped unless they are `Raw`.

    Args:
        columns: Names of the columns.
        rows: List of rows, lists of cells.
        numbers: Places of the columns that hold numbers.
        winner: Place of the row in bold, or None.
    """

    def line(tag, cells):
        return "".join(
            f"<{tag}{' class=number' if n in numbers else ''}>"
            f"{cell if isinstance(cell, Raw) else escape(str(cell))}</{tag}>"
            for n, cell in enumerate(cells)
        )

    body = "".join(
        f"<tr{' class=winner' if n == winner else ''}>{line('td', row)}</tr>"
        for n, row in enumerate(rows)
    )
    return (
        '<div class="scroll" tabindex="0" role="group" aria-label="table"><table>'
        f"<thead><tr>{line('th', columns)}</tr></thead><tbody>{body}</tbody></table></div>"
    )


class Raw(str):
    """HTML that `table` does not escape."""


def progress(done, total, what):
    """A progress bar with its numbers."""
    return (
        f'<p class="small">{done:,} of {total:,} {escape(what)}</p>'
        f'<progress value="{done}" max="{total}" aria-label="{escape(what)}"></progress>'
    )


def while_open(pieces):
    """The same pieces of a batch, up to where the site is told to stop."""
    return takewhile(lambda _: not closing.is_set(), pieces)


def batch_ended(shown, done, total, name, content):
    """What a batch hands down: its page, and its file as an update of a `gr.DownloadButton`.

    If the site stopped it, the page holds the file itself: it outlives the site.

    Args:
        shown: HTML that sums up what was done.
        done, total: How many rows or files.
        name: Of the file.
        content: Its text.

    Raises:
        gr.Error: if the disk is full.
    """
    content = "\ufeff" + content if name.endswith(".csv") else content  # Excel asks for the mark
    if done < total:
        link = f"data:text/plain;charset=utf-8,{quote(content)}"
        sentence = (
            f"This site is being restarted: {done:,} of {total:,} were answered. "
            f'<a download="{escape(name)}" href="{escape(link)}">Save them</a>, and upload the '
            "rest in a moment."
        )
        message = f'<p class="message error" role="alert">{sentence}</p>'
        return message + (shown if done else ""), gr.DownloadButton(visible=False)
    target = download_path(name)
    target.write_text(content, encoding="utf-8", newline="")
    return shown, gr.DownloadButton(value=str(target), visible=True)


def card_line(
    card, name, score, baseline_score, parameters, measure="accuracy", remark="", trained=None
):
    """The line on every page that says how good the model is, beside its baseline.

    Args:
        card: The bundle's card.
        name: Of the model that answers, such as `LSTM`.
        score, baseline_score: On the card's test set, as written.
        parameters: How many numbers the model has learned.
        measure: What the scores are.
        remark: A sentence to add.
        trained: The day this model was trained, as ISO date, if it is not the card's.
    """
    parts = [
        f"<b>{escape(name)} {escape(score)}</b>",
        f"<b>{escape(card['baseline']['name'])} {escape(baseline_score)}</b>",
        f"{escape(measure)} on the {escape(card['test_set'])}, {card['examples']:,} examples",
        f"{parameters / 1e6:.1f} million parameters",
        f"trained {long_date(trained or card['date'])}, seed {card['seed']}",
    ]
    line = " · ".join(f"<span>{part}</span>" for part in parts)
    return f'<p class="card">{line}{". " + escape(remark) if remark else ""}</p>'


def long_date(iso):
    """`2026-11-21` as `21 November 2026`."""
    day = date.fromisoformat(iso[:10])
    return f"{day.day} {day:%B %Y}"


def equations(cell):
    """The equations of a cell in `EQUATIONS`; a prime marks the step before."""
    lines = "".join(f"<span>{subscripts(line)}</span>" for line in EQUATIONS[cell])
    return f'<div class="equations">{lines}</div>'


def subscripts(line):
    """A line of mathematics with its `_i` lowered, escaped."""
    for flat, low in (("ᵢ", "i"), ("ₒ", "o")):
        line = line.replace(flat, f"_{low}")
    words = (word.split("_") for word in escape(line).split(" "))
    return " ".join(
        f"{first}<sub>{rest[0][0]}</sub>{rest[0][1:]}" if rest else first for first, *rest in words
    )


def source(function):
    """The source of a function, as it runs."""
    return f"<pre><code>{escape(textwrap.dedent(inspect.getsource(function)))}</code></pre>"


def code(text):
    """Code that a button copies as it stands, as a string."""
    return (
        '<div class="code"><button type="button" onclick="unrolled.copyCode(this)">Copy</button>'
        f"<pre><code>{escape(text)}</code></pre></div>"
    )


def savable(figure, name, columns, rows):
    """A figure with a line below it that saves it as SVG and PNG, and its numbers as CSV.

    Args:
        figure: What `plots.figure` returned.
        name: Of the files, without an ending.
        columns, rows: The numbers, for `tables.text`.
    """
    buttons = "".join(
        f'<button type="button" onclick="unrolled.saveFigure(this, {escape(repr(name))}, '
        f"'{kind}')\">{kind.upper()}</button>"
        for kind in ("svg", "png")
    )
    link = f"data:text/csv;charset=utf-8,{quote(tables.text(columns, rows))}"
    return (
        f'<div class="savable">{figure}<p class="save">Save as {buttons}'
        f'<a download="{escape(name)}.csv" href="{escape(link)}">CSV</a></p></div>'
    )


def when_opened(tab, fn, outputs, **options):
    """Call `fn(state)` when a tab is first seen, on arrival or later; returns the event.

    Args:
        tab: The page's `gr.Tab`.
        fn: Takes a dict, what the link that led to this page holds (empty without one), and
            returns a value for each of `outputs`. It may yield twice: what the visitor can change,
            and then, when he may have begun to, the answer with that left out.
        outputs: List of components.
        options: For the event.
    """
    seen, pages = gr.State(False), tab.parent
    level = list(_address(tab))[-1]

    def opened(seen, request: gr.Request):
        wanted = request.query_params.get(level)
        if seen or (wanted != tab.id and wanted in {other.id for other in pages.children}):
            yield [gr.skip()] * (len(outputs) + 1)
            return
        found = fn(dict(request.query_params) if wanted in (None, tab.id) else {})
        for values in found if inspect.isgenerator(found) else [found]:
            yield [True, *values]

    return tab.select(opened, seen, [seen, *outputs], **{**COMPUTE, **options})


def locked(link, **values):
    """Values for the knobs of a page, in order; those that the link's `lock` names are hidden.

    Args:
        link: The dict that `when_opened` hands over; `lock` holds names with commas.
        values: The knobs' values by their names in the link.
    """
    hidden = link.get("lock", "").split(",")
    return [gr.update(value=value, visible=name not in hidden) for name, value in values.items()]


def number_of_link(value, kind, low, high, default):
    """A number that a link holds as text, brought into its range; the default where it is none.

    Args:
        value: A string, or None where the link does not name it.
        kind: `int` or `float`.
    """
    try:
        number = kind(value)
    except (TypeError, ValueError):
        return default
    return min(max(number, low), high) if number == number else default  # not a number: NaN


def _address(tab):
    """What a link to a tab holds: `{"tab": "cells"}`, within it `{…, "lesson": "race"}`.

    The tabs within a page are named by the `elem_id` of their `gr.Tabs`.
    """
    outer = tab.parent.parent
    if isinstance(outer, gr.Tab):
        return {**_address(outer), tab.parent.elem_id: tab.id}
    return {"tab": tab.id}


class Seat:
    """What a visitor trains: one run at a time, the one begun last. The value of a `gr.State`.

    A run looks at every step whether it still has the turn, and ends if not. Gradio's own way
    would end it some time after the button says so, and drop what is begun until then.

    Attributes:
        held: What is trained, or None.
        turn: Stands for the run under way; anything else ends it.
        stopped: Whether nothing was asked for since the visitor stopped.
    """

    def __init__(self):
        self.held, self.turn, self.stopped = None, None, True

    def begin(self, held=None):
        """Take the turn from any other run; returns it."""
        self.held, self.turn = held, object()
        return self.turn

    def stop(self):
        """End the run under way, and those that wait in the queue before they begin."""
        self.held, self.turn, self.stopped = None, None, True


def begun(button, seat, fn, inputs, outputs, waiting=None, **options):
    """Let a button begin a run, `fn(seat, *inputs)`, whatever another one is about.

    Args:
        button: The `gr.Button`.
        seat: The `gr.State` of a `Seat`.
        fn: Generator function; it ends at once where the seat says `stopped`.
        inputs, outputs: Lists of components.
        waiting: What the first of the outputs shows until it begins, or None.
        options: For the event.
    """

    def ask(seat):
        seat.stopped = False
        return gr.skip() if waiting is None else waiting

    direct = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    asked = button.click(ask, seat, outputs[0], **direct, trigger_mode="multiple")
    many = {**options, "trigger_mode": "multiple", "api_visibility": "private"}
    return asked.then(fn, [seat, *inputs], outputs, **many)


def link_button(tab, **state):
    """A button that copies a link to this page with the state of some components.

    Args:
        tab: The page's `gr.Tab`.
        state: Components by their names in the link, as `when_opened` hands them back.
    """
    button = gr.Button("Copy link", size="md", min_width=120)
    copy = f"(...values) => unrolled.copyLink({_address(tab)}, {list(state)}, values)"
    copied = button.click(None, list(state.values()), button, js=copy, api_visibility="private")
    wait = "async () => { await new Promise((done) => setTimeout(done, 2000)); return 'Copy link' }"
    copied.then(None, None, button, js=wait, api_visibility="private")
    return button


@contextmanager
def refusals(*errors):
    """In an API event: these errors reach the caller as their sentences, without a trace."""
    try:
        yield
    except errors as problem:
        raise gr.Error(str(problem), print_exception=False) from None


KINDS = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "list": "a list",
    "dict": "an object",
    "model": "a file; with gradio_client, handle_file(path)",
}


def api(fn, **options):
    """Publish a function as an API event; arguments that do not fit its types get a sentence.

    Args:
        fn: Function with type hints, the arguments of the event by name, and a docstring.
        options: For `gr.api`.
    """
    checked = validate_call(fn)

    @wraps(fn)
    def event(*arguments):
        try:
            return checked(*arguments)
        except ValidationError as problem:
            raise gr.Error(_misfit(problem.errors()[0], fn), print_exception=False) from None

    gr.api(event, api_name=fn.__name__, **options)


def _misfit(found, fn):
    """What is wrong with an argument, from an error of pydantic's."""
    if found["type"] == "unexpected_positional_argument":
        return "There are more arguments than this event has."
    place, *inner = found["loc"]
    name = list(inspect.signature(fn).parameters)[place] if isinstance(place, int) else place
    if found["type"] == "missing_argument":
        return f"{name} is missing."
    item = f", number {inner[0] + 1}," if inner and isinstance(inner[0], int) else ""
    kind = "model" if inner and isinstance(inner[-1], str) else found["type"].split("_")[0]
    if kind == "literal":
        wanted = found["ctx"]["expected"].replace("'", "")
    else:
        wanted = KINDS.get(kind, "of another kind")
    return f"{name}{item} must be {wanted}."


def download_path(name):
    """Where to write a file for the visitor to fetch: it is deleted within the hour.

    Raises:
        gr.Error: if the disk is full.
    """
    folder = Path(get_upload_folder()) / uuid.uuid4().hex
    try:
        folder.mkdir(parents=True)
        full = shutil.disk_usage(folder).free < ROOM
    except OSError:
        full = True
    if full:
        raise gr.Error(guard.FULL, print_exception=False)
    return folder / name


def sweep():
    """Delete what was uploaded or made for a visitor nearly an hour ago.

    Gradio deletes what its own process has seen arrive: neither what a killed one left nor uploads
    that broke off.
    """
    for path in sorted(Path(get_upload_folder()).rglob("*"), reverse=True):  # files before folders
        with suppress(OSError):  # another may be quicker; a folder may be in use
            if time.time() - path.lstat().st_mtime > OLD:
                path.rmdir() if path.is_dir() else path.unlink()


class _Frame(ImageData):
    def model_dump(self, **options):
        """All but a webcam's frame: Gradio keeps this of the last value for a session."""
        found = super().model_dump(**options)
        if (found.get("url") or "").startswith("data:"):
            found["url"] = None
        return found


class Photo(gr.Image):
    """A photo as it came: the path of an upload, or the bytes of a webcam's frame.

    `gr.Image` opens the file before any event does, and fails with a trace where it is no photo.
    """

    data_model = _Frame
    is_template = True  # in the browser it is a `gr.Image`

    def preprocess(self, payload):
        if payload is None:
            return None
        if (payload.url or "").startswith("data:image/") and not payload.path:
            try:
                return base64.b64decode(payload.url.partition(",")[2])
            except ValueError:
                return b""
        return payload.path


def sent_file(value):
    """The path of a file that the caller of an API event sent, a `gr.FileData`.

    Raises:
        gr.Error: if it is anything else, such as a file of this machine.
    """
    path = value.path
    if not path or not is_in_or_equal(path, get_upload_folder()):
        raise gr.Error(f"A photo must be {KINDS['model']}.", print_exception=False)
    return path
