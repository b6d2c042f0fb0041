import csv
import io
import tracemalloc

import pytest

from shared import limits, tables
from shared.errors import UserError


def read(tmp_path, content, max_rows=100, has_header=None):
    path = tmp_path / "file.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tables.read(path, max_rows, has_header)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_in_the_header(tmp_path, separator):
    table = read(tmp_path, f'id{separator}text\n1{separator}"a, b; c"\n')
    assert table.columns == ["id", "text"]
    assert table.rows == [["1", "a, b; c"]]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
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
        ('""\n"\u00a0"\n', "empty"),
        ("text\n", "no rows"),
        ("id,text\n1,good, but long\n", "Line 2 has 3 cells, the header has 2"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not text"),
        (bytes(range(1, 32)) * 20, "not text"),
        (b"PK\x03\x04" + bytes(100), "workbook"),
        ("text\n" + "x" * 200_000, "Line 2 cannot be read"),
        ("text\n" + "row\n" * 101, "more than 100 rows"),
        ('{"text": "a fine film"}\n{"text": "cut sh', "Line 2 cannot be read"),
        ('[{"text": "a fine film"},\n\n7]', "Line 3 cannot be read"),
        ('{"a": ' + "[" * 50_000, "Line 1 cannot be read"),
        ('{"text": "a fine film"}\n' * 101, "more than 100 rows"),
        ('{"text": []}', "empty"),
        ('[["id", "text"]]', "holds JSON"),
        ("<!DOCTYPE html><p>A fine film.</p>", "holds a web page"),
        ("{\\rtf1\\ansi A fine film.}", "holds a formatted document"),
        ('id,text\n1,"never closed, but long', "Line 2 cannot be read"),
    ],
)
def test_what_cannot_be_used_gets_a_sentence(tmp_path, content, says):
    with pytest.raises(UserError, match=says):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("hint", "separator"), [("sep=;", ";"), ('"sep=|"', "|"), ("SEP=\t", "\t")]
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_excel_s_line_names_the_separator(tmp_path, hint, separator, mark):
    table = read(tmp_path, f"{mark}{hint}\r\ntext{separator}label\r\nGood, bad{separator}1\r\n")
    assert (table.columns, table.rows) == (["text", "label"], [["Good, bad", "1"]])


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("I loved it.\nIt is dull.\nA waste of time.\n", 3),
        ("I loved it, truly.\nDull, long and flat, too.\nBad.\n", 3),
        ("One film of very great power\nBad\n", 2),
        ("What colour is it?\nHow many are there?\n", 2),
        ("1,Loved it\n0,Hated it\n", 2),
        ("pos\tA film\nneg\tbad\npos\tgood one\n", 3),
        ("A fine film.;5\nIt is bad.;1\n", 2),
        ("1\tDull, from start to end.\n0\tOne, two, three, fine.\n", 2),
        ("A fine, good film.\tUn bon film.\nBad.\tMauvais.\n", 2),
        ("I loved it.\n", 1),
    ],
)
def test_a_table_without_a_header_is_known_by_its_cells(tmp_path, content, rows):
    table = read(tmp_path, content)
    assert not table.has_header and len(table.rows) == rows
    assert "no header" in table.summary
    column = table.column(tables.text_columns(table)[0])
    assert all(any(map(str.isalpha, cell)) for cell in column)


def test_the_first_row_can_be_said_to_be_a_header_or_not(tmp_path):
    content = "fine\nbad\n"
    assert read(tmp_path, content).columns == ["fine"]
    assert read(tmp_path, content, has_header=False).rows == [["fine"], ["bad"]]
    table = read(tmp_path, "A fine film.\nIt is bad.\n", has_header=True)
    assert (table.columns, table.notes) == (["A fine film."], [])


@pytest.mark.parametrize(
    "titles", ["Reviews of 2024\n\n", "Reviews of 2024\nAll shops\n", "Reviews,,\n,,\n", ""]
)
def test_titles_above_the_header_are_left_out(tmp_path, titles):
    content = 'id,text,stars\n1,"Good, bad.",5\n2,fine,4\n3,"two\nlines",4\n4,dull,1\n'
    table = read(tmp_path, titles + content)
    assert table.columns == ["id", "text", "stars"]
    assert [row[1] for row in table.rows] == ["Good, bad.", "fine", "two\nlines", "dull"]
    with pytest.raises(UserError, match=f"Line {titles.count(chr(10)) + 7} has 4 cells"):
        read(tmp_path, titles + content + "5,one,cell,more\n")


DRAWN = [
    '| text | label |\n|------|:-----:|\n| A fine, fine film. | 1 |\n| "Dull" \\| bad | 0 |\n',
    "# Reviews\n\ntext | label\n--- | ---\nA fine, fine film. | 1\n"
    '"Dull" \\| bad | 0\n\nThe end.\n',
    '| text | label |\n|---+---|\n| A fine, fine film. | 1 |\n| "Dull" \\| bad | 0 |\n',
    "+---+---+\n| text | label |\n+---+---+\n| A fine, fine film. | 1 |\n"
    '| "Dull" \\| bad | 0 |\n+---+---+\n2 rows in set\n',
    ' text | label\n------+------\n A fine, fine film. | 1\n "Dull" \\| bad | 0\n(2 rows)\n',
]


@pytest.mark.parametrize("content", DRAWN, ids=["Markdown", "no bars", "Org", "MySQL", "psql"])
def test_a_table_drawn_with_bars_is_read(tmp_path, content):
    table = read(tmp_path, content)
    assert table.columns == ["text", "label"]
    assert table.rows == [["A fine, fine film.", "1"], ['"Dull" | bad', "0"]]
    assert "separated by vertical bars" in table.summary and table.has_header
    assert len(read(tmp_path, content, has_header=False).rows) == 3
    with pytest.raises(UserError, match="more than"):
        read(tmp_path, content.replace("label", "|" * (limits.TABLE_COLUMNS + 1)))


def test_bars_without_a_rule_below_the_header_are_a_csv(tmp_path):
    assert read(tmp_path, "text|n\nA -- b|1\n--|2\n").rows == [["A -- b", "1"], ["--", "2"]]


def test_lines_of_prose_are_no_table_below_a_title(tmp_path):
    for content in ("Yes\nBad, sad\nGood, fun\nNice, cute\n", "Hello\nYes, sir.\nNo, sir.\n"):
        assert len(read(tmp_path, content, has_header=False).columns) == 1


def test_escaped_quotation_marks_and_old_ends_of_files_are_read(tmp_path):
    table = read(tmp_path, 'id,text\n1,"He said \\"no, no\\"."\n2,fine\n\x1a\0\0')
    assert table.rows == [["1", 'He said "no, no".'], ["2", "fine"]]


@pytest.mark.parametrize(
    "content",
    [
        "text,label\nA fine film.,1\n",
        "Timestamp,What did you think of the film?\n2024-01-01 10:00,I liked it.\n",
        "What did you think of the film?\nGreat.\nI liked it.\n",
        "review\nfine\n",
        '"id","text"\n"1","x"\n',
    ],
)
def test_names_above_other_cells_are_a_header(tmp_path, content):
    assert read(tmp_path, content).has_header


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize(
    ("form", "ends"), [("{},\n{},\n{}", "[]"), ("{}\n{}\n\n{}\n", ["", ""]), ("{}{} {}", ["", ""])]
)
def test_json_lines_and_arrays_are_tables(tmp_path, mark, form, ends):
    objects = (
        '{"text": "Fine, \\u00e9t\\u00e9 \\ud83d.", "label": 1}',
        '{"text": null, "tags": ["a", "b"]}',
        '{ "label" : true, "text" : "Dull." }',
    )
    table = read(tmp_path, mark + ends[0] + form.format(*objects) + ends[1])
    assert table.columns == ["text", "label", "tags"]
    assert table.rows == [
        ["Fine, été ?.", "1", ""],
        ["", "", '["a", "b"]'],
        ["Dull.", "true", ""],
    ]
    assert tables.text_columns(table) == [0, 2]
    assert table.summary == "3 rows of 3 columns (“text”, “label”, “tags”)."


@pytest.mark.parametrize(
    "content",
    [
        '{"text": {"0": "fine", "1": "bad"}, "label": {"0": 1, "1": 0}}',
        '{"text": ["fine", "bad"], "label": [1, 0]}',
        '{"version": 2, "data": [{"text": "fine", "label": 1}, {"text": "bad", "label": 0}]}',
    ],
)
def test_json_of_other_forms_is_a_table_too(tmp_path, content):
    table = read(tmp_path, content)
    assert (table.columns, table.rows) == (["text", "label"], [["fine", "1"], ["bad", "0"]])


def test_json_strings_are_a_column(tmp_path):
    assert read(tmp_path, '[\n"Good, bad.",\n"fine"\n]').rows == [["Good, bad."], ["fine"]]


@pytest.mark.parametrize("separator", ["\t", ";", "|"])
def test_a_lone_quotation_mark_swallows_nothing(tmp_path, separator):
    rows = [["a fine film", "1"], ['"so he said', "0"], ['"a "" b"', "1"], ['the end"', "0"]]
    content = "\n".join(map(separator.join, [["sentence", "label"], *rows]))
    table = read(tmp_path, content)
    assert len(table.rows) == 4
    assert table.rows[1] == ['"so he said', "0"]
    lone = read(tmp_path, content.replace('the end"', "the end"))
    assert [row[1] for row in lone.rows] == ["1", "0", "1", "0"]


def test_quoted_cells_may_all_hold_the_separator(tmp_path):
    table = read(tmp_path, '"Name, first",text\n"Doe, J",fine\n"Roe, R",bad\n')
    assert table.rows == [["Doe, J", "fine"], ["Roe, R", "bad"]]


def test_a_few_damaged_bytes_leave_the_rest_of_a_utf_8_file_readable(tmp_path):
    table = read(tmp_path, b"text\n" + "é".encode() * 20 + b"\xff\n")
    assert table.rows == [["é" * 20 + "\ufffd"]]


def test_the_summary_says_what_was_understood(tmp_path, texts):
    texts(read(tmp_path, "text\tlabel\nfine\t1\n").summary)
    texts(read(tmp_path, "I loved it.\nIt is dull.\n".encode("utf-16")).summary)


@pytest.mark.parametrize(
    "content",
    [
        "," * 200_000 + "\n" + "a\n" * 500,
        "a," * 2_000 + "\na\n",
        "a," * 900 + "b\n" + "a\n" * 5_000,
        "a,b\n" + "," * 5_000_000,
        "a,b\n" + '"x\ny",' * 50_000,
        "text\n" + "x" * (limits.TABLE_CELL_CHARACTERS + 1),
        "a\n" * (limits.TABLE_LINES + 1),
        '"' * 5_000_000,
        '{"a": [' + "[]," * 1_000_000 + "[]]}",
        "{" + ",".join(f'"{n}": 1' for n in range(2_000)) + "}",
        "".join(f'{{"{n}": 1}}\n' for n in range(999)) * 2,
    ],
    ids=[
        *("short rows", "wide", "cells", "long row", "quoted", "long cell", "lines", "quotes"),
        *("large json", "wide json", "json of many fields"),
    ],
)
def test_a_table_beyond_the_limits_is_refused_in_little_memory(tmp_path, content, texts):
    tracemalloc.start()
    with pytest.raises(UserError) as error:
        read(tmp_path, content, 5_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    texts(error.value)
    assert peak < 10 * len(content) + 2**25


def test_a_file_of_too_many_bytes_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "TABLE_BYTES", 2**20)
    with pytest.raises(UserError, match="more than 1 MB"):
        read(tmp_path, "text\n" * 2**18)


@pytest.mark.parametrize(
    ("columns", "row", "numbers"),
    [
        (["id", "Text"], ["1", "x"], [1]),
        (["id", "review"], ["1", "a fine film"], [1]),
        (["label", "review"], ["pos", "a fine film"], [1, 0]),
        (["id", "word"], ["1", "fine"], [1]),
        (["remark", "text"], ["a very long remark", "fine"], [1, 0]),
        (["title", "review"], ["a very long title", "a review"], [1, 0]),
        (["first", "second"], ["a film", "a much longer text"], [1, 0]),
        (["place", "review_body", "review_id"], ["a town", "a fine film", "A7"], [1, 0, 2]),
        (["text", "word"], ["", "fine"], [0, 1]),
    ],
)
def test_the_columns_of_text_are_found_the_likeliest_first(columns, row, numbers):
    assert tables.text_columns(tables.Table(columns, [row])) == numbers


def test_a_column_of_another_name_can_be_wanted():
    table = tables.Table(["remark", "Question"], [["a longer remark", "a question"]])
    assert tables.text_columns(table, "question") == [1, 0]


def test_a_table_without_text_gets_a_sentence(texts):
    for has_header in (True, False):
        table = tables.Table(["id", "score"], [["1", "0.5"]], has_header=has_header)
        with pytest.raises(UserError) as error:
            tables.text_columns(table, "answer")
        texts(error.value)


def test_nothing_written_is_a_formula(tmp_path):
    path = tmp_path / "out.csv"
    hostile = [
        "＝1+1",
        "＋1",
        "＠SUM(A1)",
        " \u3000＝1",
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\tfine",
        "\rfine",
        "\nfine",
        "  =1",
        "fine",
    ]
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
    with pytest.raises(UserError, match="more than 2 lines"):
        tables.lines(path, 2)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b" \n\n", "at least one line"), (b"PK\x03\x04", "workbook"), (b"a\0b", "not text")],
)
def test_a_text_file_that_cannot_be_used_gets_a_sentence(tmp_path, content, sentence):
    path = tmp_path / "lines.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        tables.lines(path, 10)


@pytest.mark.parametrize("name", [".", "gone.csv"])
def test_a_folder_or_nothing_in_place_of_a_file_gets_a_sentence(tmp_path, name):
    with pytest.raises(UserError, match="Upload it again"):
        tables.lines(tmp_path / name, 10)


@pytest.mark.parametrize("piece", ["\t", ";", " ", '"', '\t"', ";\n", "=", ";=", "\u3000"])
def test_writing_takes_linear_time(piece, growth):
    size = limits.TABLE_CELL_CHARACTERS // len(piece)
    large, small = ("x" + piece * count for count in (size, size // 2))
    assert growth(lambda cell: tables.text(["text"], [[cell]]), large, small) < 2.5
