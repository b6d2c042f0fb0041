"""The files that users train on."""

import pytest
import typer

from training.rows import numbered_lines, read_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_text_is_read_whatever_program_saved_it(tmp_path, encoding, end):
    path = tmp_path / "mine.txt"
    path.write_bytes(f"Où est-il ?{end}{end}À Paris.".encode(encoding))
    assert read_text(path) == "Où est-il ?\n\nÀ Paris."
    assert numbered_lines(path) == [(1, "Où est-il ?"), (3, "À Paris.")]


def test_what_is_no_text_gets_a_sentence(tmp_path):
    for path in (tmp_path / "missing.txt", tmp_path):
        with pytest.raises(typer.BadParameter, match=r"cannot be read: .*\.$"):
            read_text(path)
    (tmp_path / "photo.txt").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")
    with pytest.raises(typer.BadParameter, match=r"is not a text file\.$"):
        read_text(tmp_path / "photo.txt")
