import csv
import io

import pytest

from shared import tables


def read(tmp_path, content, max_rows=100):
    path = tmp_path / "file.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tables.read(path, max_rows)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_in_the_header(tmp_path, separator):
    table = read(tmp_path, f'id{separator}text\n1{separator}"a, b; c"\n')
    assert table.columns == ["id", "text"]
    assert table.rows == [["1", "a, b; c"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_encoding_is_found(tmp_path, encoding):
    table = read(tmp_path, "text\nUn très bon film — vu à Nîmes\n".encode(encoding))
    assert table.rows == [["Un très bon film — vu à Nîmes"]]


def test_quoted_line_breaks_blank_lines_and_short_rows_are_understood(tmp_path):
    table = read(tmp_path, '\n"text","note"\r\n"two\nlines","x"\r\n\r\nshort\r\n')
    assert table.rows == [["two\nlines", "x"], ["short", ""]]


def test_a_single_column_may_hold_bare_commas(tmp_path):
    assert read(tmp_path, "text\nGood, bad, ugly\n").rows == [["Good, bad, ugly"]]


def test_a_column_without_a_name_gets_one(tmp_path):
    assert read(tmp_path, "text,\na,b\n").columns == ["text", "column 2"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "empty"),
        (" \n \n", "empty"),
        ("text\n", "no rows"),
        ("id,text\n1,good, but long\n", "Line 2 has 3 cells, the header has 2"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not text"),
        (bytes(range(1, 32)) * 20, "not text"),
        (b"PK\x03\x04" + bytes(100), "workbook"),
        ("text\n" + "x" * 200_000, "Line 2 cannot be read"),
        ("text\n" + "row\n" * 101, "more than 100 rows"),
    ],
)
def test_what_cannot_be_used_gets_a_sentence(tmp_path, content, says):
    with pytest.raises(tables.TableError, match=says):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("columns", "row", "number"),
    [
        (["id", "Text"], ["1", "x"], 1),
        (["id", "review"], ["1", "a fine film"], 1),
        (["label", "review"], ["pos", "a fine film"], 1),
        (["id", "word"], ["1", "fine"], 1),
    ],
)
def test_the_text_column_is_found(columns, row, number):
    assert tables.text_column(tables.Table(columns, [row])) == number


def test_a_column_of_another_name_can_be_wanted():
    table = tables.Table(["Question", "remark"], [["a question", "a remark"]])
    assert tables.text_column(table, "question") == 0
    with pytest.raises(tables.TableError, match="read to “answer”"):
        tables.text_column(table, "answer")


@pytest.mark.parametrize(
    ("columns", "row", "says"),
    [
        (["id", "score"], ["1", "0.5"], "No column holds text"),
        (["title", "review"], ["a title", "a review"], "More than one column"),
    ],
)
def test_a_doubtful_text_column_is_asked_for(columns, row, says):
    with pytest.raises(tables.TableError, match=says):
        tables.text_column(tables.Table(columns, [row]))


def test_nothing_written_is_a_formula(tmp_path):
    path = tmp_path / "out.csv"
    hostile = ["=1+1", "+1", "-1", "@SUM(A1)", "\tfine", "\rfine", "\nfine", "  =1", "fine"]
    tables.write(path, ["=name", "score"], [[cell, -0.5] for cell in hostile])
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["'=name", "score"]
    assert [row[0] for row in rows[1:]] == [f"'{cell}" for cell in hostile[:-1]] + ["fine"]
    assert {row[1] for row in rows[1:]} == {"-0.5"}


@pytest.mark.parametrize(
    "cell", ["fine;=1+1", "fine; =1+1", 'fine;"=1+1"', "fine\n=1+1", "a, b;\t@SUM(A1)", "a;=1;-1"]
)
def test_nothing_written_is_a_formula_where_semicolons_part_cells(cell):
    content = tables.text(["first", "second"], [["one", cell], [cell, 0.5]])
    for delimiter in ",;\t":
        cells = sum(csv.reader(io.StringIO(content), delimiter=delimiter), [])
        assert not [cell for cell in cells if cell.strip(' "')[:1] in tuple("=+-@")]


def test_what_no_spreadsheet_runs_is_written_as_it_is():
    plain = ["a-b; c = d", "good (or not); fine", "2 + 2\nis four", "an - and; on"]
    rows = csv.reader(io.StringIO(tables.text(["text"], [[cell] for cell in plain])))
    assert [row[0] for row in rows][1:] == plain


def test_lines_of_a_text_are_kept_empty_ones_too(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_bytes("Été\r\n\n  two, three\n".encode("utf-8-sig"))
    assert tables.lines(path, 3) == ["Été", "", "  two, three"]
    with pytest.raises(tables.TableError, match="more than 2 lines"):
        tables.lines(path, 2)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b" \n\n", "at least one line"), (b"PK\x03\x04", "workbook"), (b"a\0b", "not text")],
)
def test_a_text_file_that_cannot_be_used_gets_a_sentence(tmp_path, content, sentence):
    path = tmp_path / "lines.txt"
    path.write_bytes(content)
    with pytest.raises(tables.TableError, match=sentence):
        tables.lines(path, 10)


@pytest.mark.parametrize("name", [".", "gone.csv"])
def test_a_folder_or_nothing_in_place_of_a_file_gets_a_sentence(tmp_path, name):
    with pytest.raises(tables.TableError, match="Upload it again"):
        tables.lines(tmp_path / name, 10)
