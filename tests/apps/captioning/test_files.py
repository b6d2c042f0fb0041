import io
import tracemalloc
import zipfile

import pytest

from apps.captioning import files
from shared import limits
from shared.errors import UserError


def packed(path, entries, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


def contents(paths, most=100, largest=1000):
    return list(files.read_photos(files.list_photos(paths, most), largest))


def test_files_and_what_is_in_archives_come_in_their_order(tmp_path):
    box = packed(tmp_path / "box.ZIP", [("in/deep/b.png", b"b"), ("c.txt", b"c")])
    photos = contents([tmp_path / "a.jpg", box, str(tmp_path / "a.jpg")])
    alone = ("a.jpg", str(tmp_path / "a.jpg"), "")
    assert photos == [alone, ("in/deep/b.png", b"b", ""), ("c.txt", b"c", ""), alone]


def test_what_computers_add_is_left_out_and_a_name_leads_nowhere(tmp_path):
    names = [
        "__MACOSX/._a.jpg",
        ".DS_Store",
        "in/.hidden",
        "in\\Thumbs\\.x",
        "../../up.jpg",
        "/etc/a",
    ]
    box = packed(tmp_path / "box.zip", [(name, b"x") for name in names])
    before = sorted(tmp_path.rglob("*"))
    assert [name for name, *_ in contents([box])] == ["../../up.jpg", "/etc/a"]
    assert sorted(tmp_path.rglob("*")) == before


def test_what_unpacks_to_too_much_is_left_unread(tmp_path):
    bomb = packed(tmp_path / "bomb.zip", [("zeros", bytes(10**6)), ("fine", b"x")])
    zeros, fine = contents([bomb])
    assert zeros[1] is None and "unpacks to more than" in zeros[2]
    assert fine == ("fine", b"x", "")
    many = packed(tmp_path / "many.zip", [(str(n), bytes(900)) for n in range(20)])
    photos = contents([many])
    assert sum(data is not None for _, data, _ in photos) == 12  # at most 10,000 bytes and the last
    assert "many.zip unpacks to more" in photos[-1][2]


def test_damaged_entries_count_as_unpacked(tmp_path):
    box = packed(
        tmp_path / "box.zip", [(str(n), bytes([n]) * 900) for n in range(20)], zipfile.ZIP_STORED
    )
    data = bytearray(box.read_bytes())
    for n in range(20):
        data[data.index(bytes([n]) * 800)] ^= 255
    box.write_bytes(data)
    problems = [problem for *_, problem in contents([box])]
    assert all("damaged" in problem for problem in problems[:12])
    assert all("box.zip unpacks to more" in problem for problem in problems[12:])


def test_no_more_is_unpacked_than_an_entry_says(tmp_path):
    box = packed(tmp_path / "box.zip", [("a", bytes(10**7))])
    data = bytearray(box.read_bytes())
    place = data.index(b"PK\x01\x02") + 24  # its size, in the directory
    data[place : place + 4] = (10).to_bytes(4, "little")
    box.write_bytes(data)
    tracemalloc.start()
    content, problem = files.unpack(box, 0, 10**8)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert content is None and "damaged" in problem
    assert most < 10**6


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_unpacks_without_limit_is_not_unpacked(tmp_path, method):
    box = packed(tmp_path / "box.zip", [("a", b"x")], method)
    ((_, content, problem),) = contents([box])
    assert content is None and "Pack a plain zip" in problem


def test_an_entry_that_lies_about_its_size_or_is_damaged_gets_a_sentence(tmp_path):
    box = packed(
        tmp_path / "box.zip", [("a", b"abcdefgh" * 50), ("b", b"good")], zipfile.ZIP_STORED
    )
    data = bytearray(box.read_bytes())
    data[data.index(b"abcdefgh")] ^= 255
    box.write_bytes(data)
    damaged, good = contents([box])
    assert damaged == ("a", None, "This photo is damaged in the zip. Pack it again.")
    assert good[1] == b"good"


def test_a_locked_entry_gets_a_sentence(tmp_path):
    box = packed(tmp_path / "box.zip", [("a.jpg", b"x")])
    data = bytearray(box.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the flag of encryption, in the directory
    box.write_bytes(data)
    ((_, content, problem),) = contents([box])
    assert content is None and "locked with a password" in problem


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no archive at all"])
def test_an_archive_that_is_none_is_refused(tmp_path, data):
    (tmp_path / "box.zip").write_bytes(data)
    with pytest.raises(UserError, match="box.zip is not a zip"):
        files.list_photos([tmp_path / "box.zip"], 9)


def test_none_and_too_many_are_refused(tmp_path):
    file = io.BytesIO()
    zipfile.ZipFile(file, "w").close()
    (tmp_path / "empty.zip").write_bytes(file.getvalue())
    with pytest.raises(UserError, match="no photos in this"):
        files.list_photos([tmp_path / "empty.zip"], 9)
    with pytest.raises(UserError, match="3 photos; at most 2"):
        files.list_photos([tmp_path / f"{n}.jpg" for n in range(3)], 2)


def test_archives_are_listed_in_a_child_process_as_here(tmp_path):
    box = packed(tmp_path / "box.zip", [("a.jpg", b"a"), (".hidden", b"x"), ("b.jpg", b"bb")])
    paths = [tmp_path / "c.jpg", box]
    assert files.list_photos_apart(paths, 9) == files.list_photos(paths, 9)
    with pytest.raises(UserError, match="3 photos; at most 2"):
        files.list_photos_apart(paths, 2)


def test_another_archive_at_the_same_path_is_read_anew(tmp_path):
    box = packed(tmp_path / "box.zip", [("a.jpg", b"a")])
    assert contents([box]) == [("a.jpg", b"a", "")]
    packed(box, [("b.jpg", b"b"), ("c.jpg", b"c")])
    assert contents([box]) == [("b.jpg", b"b", ""), ("c.jpg", b"c", "")]


def test_a_zip_that_is_named_twice_is_listed_once(tmp_path):
    box = packed(tmp_path / "box.zip", [("a.jpg", b"a"), ("b.jpg", b"b")])
    assert [name for name, *_ in contents([box, str(box)])] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("says", ["the truth", "one", "zip64"])
def test_the_entries_of_a_zip_are_counted_before_they_are_read(tmp_path, monkeypatch, says):
    count = 3 * 10 + limits.ZIP_OTHER_ENTRIES + 1
    box = packed(tmp_path / "box.zip", [(str(n), b"") for n in range(count)])
    if says == "one":
        data = box.read_bytes()
        end = data.rindex(b"PK\x05\x06")
        box.write_bytes(data[: end + 8] + b"\1\0\1\0" + data[end + 12 :])
    if says == "zip64":
        monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 10)
        packed(box, [(str(n), b"") for n in range(count)])
    monkeypatch.setattr(zipfile.ZipFile, "infolist", lambda _: pytest.fail("was read"))
    with pytest.raises(UserError, match="box.zip holds more than 1,030 files"):
        files.list_photos([box], 10)


def test_a_directory_of_too_many_bytes_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "ZIP_DIRECTORY_BYTES", 10_000)
    box = packed(tmp_path / "box.zip", [("x" * 6_000 + str(n), b"") for n in range(2)])
    with pytest.raises(UserError, match="more than 1,030 files"):
        files.list_photos([box], 10)


def test_hidden_entries_do_not_count_as_photos(tmp_path):
    entries = [(f"{n}.jpg", b"x") for n in range(10)]
    entries += [(f"__MACOSX/._{n}.jpg", b"x") for n in range(10)]
    box = packed(tmp_path / "box.zip", entries)
    assert len(files.list_photos([box], 10)) == 10
    with pytest.raises(UserError, match="10 photos; at most 9"):
        files.list_photos([box], 9)
