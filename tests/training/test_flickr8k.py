import io
import json
import lzma
import tarfile
import zipfile

import pytest

from shared.errors import UserError
from training.captioning import data as flickr8k
from training.captioning.data import Photo
from training.datasets.pictures import Pictures

NAMES = {"train": ["b.jpg", "a.jpg"], "dev": ["c.jpg"], "test": ["d.jpg"]}


def captions(name):
    return tuple(f"A thing {n} in {name[0]} ." for n in range(5))


def official_texts():
    lines = [f"{name}#{n}\t{text}" for part in NAMES.values() for name in part
             for n, text in enumerate(captions(name))]  # fmt: skip
    files = {"Flickr8k.token.txt": "\n".join(lines) + "\n"}
    for part, names in NAMES.items():
        files[f"Flickr_8k.{part}Images.txt"] = "".join(f"{name}\n" for name in names)
    return files


def check(data_dir):
    for part, names in NAMES.items():
        expected = [Photo(name, captions(name)) for name in names]
        assert flickr8k.read(data_dir, part) == expected
    pictures = flickr8k.pictures(data_dir)
    assert sorted(pictures) == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert pictures["c.jpg"] == b"c.jpg's bytes"


def test_the_official_archives_are_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "Flickr8k_text.zip", "w") as texts:
        for name, content in official_texts().items():
            texts.writestr(name, content)
    with zipfile.ZipFile(tmp_path / "Flickr8k_Dataset.zip", "w") as photos:
        for name in "abcd":
            photos.writestr(f"Flicker8k_Dataset/{name}.jpg", f"{name}.jpg's bytes")
            photos.writestr(f"__MACOSX/Flicker8k_Dataset/._{name}.jpg", "no picture")
    check(tmp_path)


def test_the_official_archives_are_read_unpacked(tmp_path):
    (tmp_path / "Flickr8k_text").mkdir()
    (tmp_path / "Flicker8k_Dataset").mkdir()
    for name, content in official_texts().items():
        (tmp_path / "Flickr8k_text" / name).write_text(content)
    for name in "abcd":
        (tmp_path / "Flicker8k_Dataset" / f"{name}.jpg").write_text(f"{name}.jpg's bytes")
    check(tmp_path)


def test_the_repacked_corpus_is_read(tmp_path):
    folder = tmp_path / "captioning"
    folder.mkdir()
    rows = [json.dumps({"image": name, "split": part, "captions": captions(name)})
            for part, names in NAMES.items() for name in names]  # fmt: skip
    (folder / "flickr8k_captions.jsonl.xz").write_bytes(lzma.compress("\n".join(rows).encode()))
    with tarfile.open(folder / "flickr8k_images.tar", "w") as archive:
        for name in "abcd":
            content = f"{name}.jpg's bytes".encode()
            member = tarfile.TarInfo(f"{name}.jpg")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    check(tmp_path)


def test_wrong_parts_and_places_are_named(tmp_path):
    with pytest.raises(ValueError, match="`part`.*'val'"):
        flickr8k.read(tmp_path, "val")
    (tmp_path / "notes.txt").write_text("no archive")
    with pytest.raises(FileNotFoundError, match="notes.txt is no folder, tar or zip"):
        Pictures(tmp_path / "notes.txt")


def packed(folder, kind):
    """Two files in an archive, stored as they are but for a tar that is compressed."""
    path = folder / f"photos.{kind}"
    contents = {"a.jpg": bytes(range(250)) * 20, "b.jpg": b"b" * 5_000}
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in contents.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz" if kind == "tgz" else "w") as archive:
            for name, content in contents.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("kind", ["tar", "tgz"])
def test_an_archive_that_was_cut_off_is_named(tmp_path, kind):
    path = packed(tmp_path, kind)
    data = path.read_bytes()
    path.write_bytes(data[: {"tar": 8_000, "tgz": len(data) - 60}[kind]])
    with pytest.raises(FileNotFoundError, match=f"photos.{kind} is damaged or cut off"):
        Pictures(path)


def test_a_damaged_file_of_an_archive_gets_a_sentence_and_a_folder_is_no_file(tmp_path):
    path = packed(tmp_path, "zip")
    data = bytearray(path.read_bytes())
    data[data.index(b"b" * 5_000)] ^= 255
    path.write_bytes(data)
    pictures = Pictures(path)
    assert len(pictures["a.jpg"]) == 5_000
    with pytest.raises(UserError, match="cannot be read: Bad CRC"):
        pictures["b.jpg"]
    (tmp_path / "c.jpg").mkdir()
    assert list(Pictures(tmp_path)) == []
