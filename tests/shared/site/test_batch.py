import csv
import re
from pathlib import Path

import gradio as gr
import pytest

from shared.errors import UserError
from shared.site import events
from shared.site.batch import (
    BYTE_ORDER_MARK,
    PREVIEW_CHARACTERS,
    BatchJob,
    BatchSection,
    Chosen,
    Inputs,
    append_columns,
    read_lines,
    read_table,
)


@pytest.fixture
def section():
    """A function from how to prepare a job to the runs of its section: of a file, of a choice."""

    def build(prepare):
        with gr.Blocks() as site:
            BatchSection("Many", "A file.", [".csv"], "Download").answer_with(prepare)
        return [each.fn for each in site.fns.values() if each.targets[0][1] == "then"]

    return build


def make_job(path, chosen=None):
    inputs = read_table(path, 10, chosen)
    return BatchJob(
        inputs,
        answer=lambda words: [(word.upper(),) for word in words],
        summarize=lambda results: f"<p>{len(results)} done.</p>",
        write=append_columns(inputs.table, ("answer",), "answers.csv"),
        unit="words read",
        chunk_size=2,
    )


@pytest.fixture
def words(tmp_path):
    """A file of three words, their numbers, and a remark on each."""
    path = tmp_path / "words.csv"
    path.write_text("text,n,remark\none,1,a remark\ntwo,2,another remark\nthree,3,the last\n")
    return str(path)


def test_a_file_comes_back_with_a_column_of_answers_after_a_preview_and_progress(section, words):
    run, _ = section(make_job)
    preview, *progress, (*_, summary, download) = run(events.RunSlot(), words)
    html, column, *_ = preview
    assert "3 rows of 3 columns (“text”, “n”, “remark”), separated by commas." in html
    assert re.findall("<td>(.*?)</td>", html) == ["one", "two", "three"]
    assert "First rows of “text”" in html
    assert (column.choices, column.value) == ([("text", 0), ("remark", 2)], 0)
    assert column.visible
    assert ["0 of 3 words read" in progress[0][3], "2 of 3 words read" in progress[1][3]] == [1, 1]
    assert "<p>3 done.</p>" in summary
    content = Path(download.value["path"]).read_text(encoding="utf-8")
    assert content.startswith(BYTE_ORDER_MARK)
    rows = list(csv.DictReader(content.removeprefix(BYTE_ORDER_MARK).splitlines()))
    assert [row["answer"] for row in rows] == ["ONE", "TWO", "THREE"]
    assert [row["n"] for row in rows] == ["1", "2", "3"]


def test_another_column_can_be_read_and_ends_the_run_before(section, words):
    run, run_choice = section(make_job)
    slot = events.RunSlot()
    first = run(slot, words)
    assert "0 of 3" in [next(first), next(first)][1][3]
    (html, column, *_), *_, (*_, download) = run_choice(slot, words, 2, True)
    assert "First rows of “remark”" in html and column.value == 2
    assert "A REMARK" in Path(download.value["path"]).read_text(encoding="utf-8")
    assert list(first) == []  # nothing more of the first run reaches the page


def test_the_first_row_can_be_read_as_names_or_as_data(section, tmp_path):
    path = tmp_path / "words.csv"
    path.write_text("fine\nbad\nawful\n")
    run, run_choice = section(make_job)
    (html, _, header, *_), *_ = run(events.RunSlot(), str(path))
    assert "2 rows of 1 column (“fine”)." in html and header.value and header.visible
    (html, _, header, *_), *_ = run_choice(events.RunSlot(), str(path), 0, False)
    assert "3 rows of 1 column (“text”)." in html and header.value is False
    path.write_text('{"text": "fine"}\n')
    (_, _, header, *_), *_ = run(events.RunSlot(), str(path))
    assert header.visible is False


def test_a_choice_that_cannot_be_read_leaves_the_choices(section, tmp_path):
    path = tmp_path / "words.csv"
    path.write_text("A fine film.\n")
    ((_, column, header, message, _),) = section(make_job)[1](events.RunSlot(), path, 0, True)
    assert "no rows" in message and column == header == gr.skip()


def test_a_column_of_the_file_before_is_not_read(words):
    for column in (7, 1):
        assert read_table(words, 10, Chosen(column)).column == 0


@pytest.mark.parametrize(
    ("content", "is_kept"),
    [('{"text": "one"}\n', False), ("text\none\ntwo\n", True), ("n\n1\n", False)],
    ids=["nothing to choose", "whether the first row is a header", "refused"],
)
def test_a_file_is_deleted_once_nothing_can_be_chosen_of_it(section, tmp_path, content, is_kept):
    path = tmp_path / "a.csv"
    path.write_text(content)
    run, _ = section(make_job)
    assert list(run(events.RunSlot(), str(path)))
    assert path.exists() == is_kept


def test_a_text_of_lines_is_deleted_once_it_has_been_read(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one\ntwo\n")
    assert read_lines(path, 10).items == ["one", "two"]
    assert not path.exists()


def test_lines_and_long_inputs_are_previewed_too(section, tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("<b>\n" + "x" * 500 + "\n\nlast\n")
    lines = read_lines(path, 10)
    job = BatchJob(lines, list, str, lambda results: ("a.txt", ""))
    (html, column, *_), *_ = section(lambda *_: job)[0](events.RunSlot(), str(path))
    assert "4 lines." in html and column.visible is False
    cells = re.findall("<td>(.*?)</td>", html)
    assert cells == ["&lt;b&gt;", "x" * PREVIEW_CHARACTERS + "…", ""]


def test_inputs_may_have_names_of_their_own(section):
    inputs = Inputs([1, 2], "2 photos.", "First", ["a.jpg", "b.jpg"])
    job = BatchJob(inputs, list, str, lambda results: ("a.txt", ""))
    (html, *_), *_ = section(lambda *_: job)[0](events.RunSlot(), ["a.jpg"])
    assert re.findall("<td>(.*?)</td>", html) == ["a.jpg", "b.jpg"]


def test_a_file_that_cannot_be_read_gets_a_sentence_and_no_download(section):
    def refuse(path, column):
        raise UserError("This is <no> table.")

    ((preview, column, header, message, download),) = section(refuse)[0](events.RunSlot(), "a.csv")
    assert "This is &lt;no&gt; table." in message and 'role="alert"' in message
    assert not preview
    assert column["visible"] is header["visible"] is download["visible"] is False


@pytest.mark.parametrize("kind", ["upload", "choice"])
def test_an_event_without_a_file_gets_a_sentence(section, kind):
    upload, choose = section(make_job)
    slot = events.RunSlot()
    runs = {"upload": lambda: upload(slot, None), "choice": lambda: choose(slot, None, 1, True)}
    ((*_, message, _),) = runs[kind]()
    assert "Upload it again" in message


def test_a_site_that_shuts_down_hands_out_the_rows_so_far(section, words, monkeypatch):
    answered = iter([False, True])
    monkeypatch.setattr(events.shutting_down, "is_set", lambda: next(answered))
    *_, (*_, summary, download) = section(make_job)[0](events.RunSlot(), words)
    assert "2 of 3 were answered" in summary
    assert "ONE" in summary and "THREE" not in summary
    assert download.visible is False
