"""The section of a page that answers a file of many inputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import gradio as gr
from markupsafe import Markup

from shared import tables
from shared.errors import UserError
from shared.site import components, events
from shared.site.uploads import download_path

BYTE_ORDER_MARK = "\ufeff"  # without it, Excel takes a CSV for the system's old encoding


@dataclass(frozen=True)
class BatchJob:
    """What to do with the inputs of a file.

    Attributes:
        items: The inputs, in the order of the file.
        answer: Function from a list of inputs to a list of results, one for each.
        summarize: Function from the list of all results so far to HTML.
        write: Function from the results to the name and the text of the file to download.
        unit: What is counted, such as `"reviews read"`.
        chunk_size: Number of inputs between two reports of progress.
        file_summary: How the file was understood, as a sentence, shown from the start.
    """

    items: Sequence
    answer: Callable
    summarize: Callable
    write: Callable
    unit: str = "rows answered"
    chunk_size: int = 64
    file_summary: str = ""


def append_columns(table, names, file_name):
    """A `BatchJob.write` that adds columns with the results to the rows of a `tables.Table`."""

    def write(results):
        rows = [[*row, *result] for row, result in zip(table.rows, results, strict=False)]
        return file_name, tables.text([*table.columns, *names], rows)

    return write


class BatchSection:
    """An upload, a report of progress, a summary and a download.

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
        self.summary = components.html()
        self.download = gr.DownloadButton(download_label, visible=False)

    def answer_with(self, prepare, inputs=()):
        """Answer uploads with the `BatchJob` that `prepare(path, *inputs)` returns.

        A `UserError` of `prepare` or of the job is shown as its sentence.
        """

        def run(path, *values):
            try:
                yield from _run(prepare(path, *values))
            except UserError as problem:
                yield str(components.error(problem)), gr.DownloadButton(visible=False)

        options = {**events.BATCH, "show_progress": "hidden"}
        self.upload.upload(run, [self.upload, *inputs], [self.summary, self.download], **options)


def _run(job):
    results, total = [], len(job.items)
    read = Markup('<p class="small">{}</p>').format(job.file_summary) if job.file_summary else ""
    for start in events.until_shutdown(range(0, total, job.chunk_size)):
        bar = str(read + components.progress_bar(start, total, job.unit))
        yield bar, gr.DownloadButton(visible=False) if start == 0 else gr.skip()
        results += job.answer(job.items[start : start + job.chunk_size])
    summary = read + Markup(job.summarize(results))
    yield finish(summary, len(results), total, *job.write(results))


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
