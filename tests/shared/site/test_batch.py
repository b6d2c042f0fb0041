import csv
from pathlib import Path

import gradio as gr

from shared import tables
from shared.errors import UserError
from shared.site import events
from shared.site.batch import BYTE_ORDER_MARK, BatchJob, BatchSection, append_columns


def upload(prepare, *inputs):
    """What a section yields for an upload, and the file at the end."""
    with gr.Blocks() as site:
        BatchSection("Many", "A file.", [".csv"], "Download").answer_with(prepare)
    (event,) = [each for each in site.fns.values() if each.targets[0][1] == "upload"]
    return list(event.fn(*inputs))


def make_job(path):
    table = tables.read(path, 10)
    return BatchJob(
        items=table.column(0),
        answer=lambda words: [(word.upper(),) for word in words],
        summarize=lambda results: f"<p>{len(results)} done.</p>",
        write=append_columns(table, ("answer",), "answers.csv"),
        unit="words read",
        chunk_size=2,
        file_summary=table.summary,
    )


def test_a_file_comes_back_with_a_column_of_answers_after_reports_of_progress(tmp_path):
    path = tmp_path / "words.csv"
    path.write_text("text,n\none,1\ntwo,2\nthree,3\n")
    *progress, (summary, download) = upload(make_job, str(path))
    assert ["0 of 3 words read" in progress[0][0], "2 of 3 words read" in progress[1][0]] == [1, 1]
    for html in (progress[0][0], summary):
        assert "3 rows of 2 columns (“text”, “n”), separated by commas." in html
    assert "<p>3 done.</p>" in summary
    content = Path(download.value["path"]).read_text(encoding="utf-8")
    assert content.startswith(BYTE_ORDER_MARK)
    rows = list(csv.reader(content.removeprefix(BYTE_ORDER_MARK).splitlines()))
    assert rows == [["text", "n", "answer"], *(
        [word, str(n), word.upper()] for n, word in enumerate(("one", "two", "three"), 1)
    )]  # fmt: skip


def test_a_file_that_cannot_be_read_gets_a_sentence_and_no_download():
    def refuse(path):
        raise UserError("This is <no> table.")

    ((message, download),) = upload(refuse, "a.csv")
    assert "This is &lt;no&gt; table." in message and 'role="alert"' in message
    assert download.visible is False


def test_a_site_that_shuts_down_hands_out_the_rows_so_far(tmp_path, monkeypatch):
    path = tmp_path / "words.csv"
    path.write_text("text,n\none,1\ntwo,2\nthree,3\n")
    answered = iter([False, True])
    monkeypatch.setattr(events.shutting_down, "is_set", lambda: next(answered))
    *_, (summary, download) = upload(make_job, str(path))
    assert "2 of 3 were answered" in summary
    assert "ONE" in summary and "THREE" not in summary
    assert download.visible is False
