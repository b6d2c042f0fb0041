"""The section of a page that answers a file of many inputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import gradio as gr
from markupsafe import Markup

from shared import tables
from shared.errors import UserError
from shared.site import components, events
from shared.site.storage import discard
from shared.site.uploads import download_path

BYTE_ORDER_MARK = "\ufeff"  # without it, Excel takes a CSV for the system's old encoding
PREVIEW_ROWS, PREVIEW_CHARACTERS = 3, 120
TABLE_TYPES = [".csv", ".tsv", ".txt", ".jsonl", ".json"]


@dataclass(frozen=True)
class Chosen:
    """How the visitor wants a table to be read; None leaves it to its cells.

    Attributes:
        column: Number of the column of texts.
        has_header: Whether the first row names the columns.
    """

    column: int | None = None
    has_header: bool | None = None


@dataclass(frozen=True)
class Inputs:
    """The inputs of a file, and how it was understood.

    Attributes:
        items: What is answered, in the order of the file.
        summary: How the file was understood, as a sentence.
        heading: What the first inputs are called.
        names: The inputs as a visitor reads them; the items if None.
        columns: (name, number) of the columns of a table that hold texts.
        column: Number of the one that is read.
        has_header: Whether the first row names the columns; None where that is beyond doubt.
        table: The `tables.Table`, or None.
    """

    items: Sequence
    summary: str
    heading: str = "First lines"
    names: Sequence[str] | None = None
    columns: Sequence = ()
    column: int | None = None
    has_header: bool | None = None
    table: tables.Table | None = None


def read_table(path, max_rows, chosen=None, wanted="text"):
    """The `Inputs` in a table.

    Args:
        path: Of the file.
        max_rows: How many rows it may have.
        chosen: What the visitor chose, a `Chosen`, or None.
        wanted: Name of the column to read if there is such a one.

    Raises:
        UserError: if the file cannot be used or has no text.
    """
    chosen = chosen or Chosen()
    table = tables.read_apart(path, max_rows, chosen.has_header)
    numbers = tables.text_columns(table, wanted)
    if len(numbers) == 1 and table.has_header is None:  # else it is read again for another choice
        discard(path)
    column = chosen.column if chosen.column in numbers else numbers[0]
    return Inputs(
        table.column(column),
        table.summary,
        f"First rows of “{table.columns[column]}”",
        columns=[(table.columns[n], n) for n in sorted(numbers)],
        column=column,
        has_header=table.has_header,
        table=table,
    )


def read_lines(path, max_rows):
    """The `Inputs` in a text file: its lines."""
    lines = tables.lines_apart(path, max_rows)
    discard(path)
    return Inputs(lines, "1 line." if len(lines) == 1 else f"{len(lines):,} lines.")


@dataclass(frozen=True)
class BatchJob:
    """What to do with the inputs of a file.

    Attributes:
        inputs: The `Inputs`.
        answer: Function from a list of items to a list of results, one for each.
        summarize: Function from the list of all results so far to HTML.
        write: Function from the results to the name and the text of the file to download.
        unit: What is counted, such as `"reviews read"`.
        chunk_size: Number of inputs between two reports of progress.
    """

    inputs: Inputs
    answer: Callable
    summarize: Callable
    write: Callable
    unit: str = "rows answered"
    chunk_size: int = 64


def append_columns(table, names, file_name):
    """A `BatchJob.write` that adds columns with the results to the rows of a `tables.Table`."""

    def write(results):
        rows = [[*row, *result] for row, result in zip(table.rows, results, strict=False)]
        return file_name, tables.text([*table.columns, *names], rows)

    return write


class BatchSection:
    """An upload, how it was understood, a report of progress, a summary and a download.

    Args:
        title, text: Heading of the section, and what to upload.
        file_types: Extensions, such as `[".csv"]`.
        download_label: Text on the download button.
        file_label: For screen readers.
        options: For `gr.File`.
    """

    def __init__(self, title, text, file_types, download_label, file_label="CSV", **options):
        components.section(title, text)
        settings = {"show_label": False, "height": 120, **options}
        self.upload = gr.File(label=file_label, file_types=file_types, **settings)
        self.preview = components.html()
        with gr.Row(elem_classes="controls"):
            self.column = gr.Dropdown([], label="Column to read", visible=False)
            self.header = gr.Checkbox(label="The first row names the columns", visible=False)
        self.summary = components.html()
        self.download = gr.DownloadButton(download_label, visible=False)

    def answer_with(self, prepare, inputs=()):
        """Answer uploads with the `BatchJob` that `prepare(path, chosen, *inputs)` returns.

        `chosen` is a `Chosen`, or None for a new file. Another file or choice ends the run before.
        A `UserError` of `prepare` or of the job is shown as its sentence.
        """
        slot = gr.State(events.RunSlot())

        def run(slot, path, chosen, *values):
            token = slot.begin()
            try:
                if not path:
                    raise UserError("This file is no longer here. Upload it again.")
                yield from _run(prepare(path, chosen, *values), lambda: slot.owns(token))
            except UserError as problem:
                hidden = gr.update(visible=False)
                controls = [gr.skip() if chosen else hidden] * 2  # for another choice
                if not chosen:
                    for file in [path] if isinstance(path, str) else path or []:
                        discard(file)
                yield "", *controls, str(components.error(problem)), hidden

        def run_upload(slot, path, *values):
            yield from run(slot, path, None, *values)

        def run_choice(slot, path, column, has_header, *values):
            yield from run(slot, path, Chosen(column, has_header), *values)

        outputs = [self.preview, self.column, self.header, self.summary, self.download]
        choices = [self.column, self.header]
        options = {**events.BATCH, "show_progress": "hidden"}
        for triggers, start, first in (
            ([self.upload.upload], run_upload, []),
            ([each.input for each in choices], run_choice, choices),
        ):
            ended = gr.on(triggers, lambda slot: slot.stop(), slot, None, **events.IMMEDIATE)
            ended.then(start, [slot, self.upload, *first, *inputs], outputs, **options)


def _run(job, is_wanted):
    results, inputs = [], job.inputs
    total = len(inputs.items)
    column = gr.Dropdown(inputs.columns, value=inputs.column, visible=len(inputs.columns) > 1)
    header = gr.Checkbox(inputs.has_header, visible=inputs.has_header is not None)
    yield _draw_preview(inputs), column, header, gr.skip(), gr.DownloadButton(visible=False)
    for start in events.until_shutdown(range(0, total, job.chunk_size)):
        bar = str(components.progress_bar(start, total, job.unit))
        yield *[gr.skip()] * 3, bar, gr.skip()
        results += job.answer(inputs.items[start : start + job.chunk_size])
        if not is_wanted():
            return
    last = finish(Markup(job.summarize(results)), len(results), total, *job.write(results))
    yield *[gr.skip()] * 3, *last


def _draw_preview(inputs):
    """How a file was understood, and its first inputs."""
    names = inputs.items if inputs.names is None else inputs.names
    rows = [
        [name if len(name) <= PREVIEW_CHARACTERS else f"{name[:PREVIEW_CHARACTERS]}…"]
        for name in names[:PREVIEW_ROWS]
    ]
    table = components.table([inputs.heading], rows)
    return str(Markup('<p class="small">{}</p>{}').format(inputs.summary, table))


def finish(summary, done, total, name, content):
    """The last values of a batch: HTML, and an update of its `gr.DownloadButton`.

    If the site is shutting down, the HTML holds the file itself, which so outlives the process.

    Args:
        summary: HTML that sums up the results.
        done, total: Numbers of inputs.
        name, content: Of the file.

    Raises:
        gr.Error: if the disk is full.
    """
    if name.endswith(".csv"):
        content = BYTE_ORDER_MARK + content
    if done < total:
        message = Markup(
            '<p class="message error" role="alert">This site is being restarted: {:,} of {:,} were '
            'answered. <a download="{}" href="{}">Save them</a>, and upload the rest in a moment.'
            "</p>"
        ).format(done, total, name, f"data:text/plain;charset=utf-8,{quote(content)}")
        return str(message + (Markup(summary) if done else "")), gr.DownloadButton(visible=False)
    path = download_path(name)
    path.write_text(content, encoding="utf-8", newline="")
    return str(summary), gr.DownloadButton(value=str(path), visible=True)
