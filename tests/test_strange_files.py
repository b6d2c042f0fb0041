"""Whatever file is read, a value or a `UserError` comes out, in little time and memory.

Good files are cut, joined, re-encoded and damaged; others are wide, long, deep, sparse or repeat
themselves. The inputs are new in every run; `UNROLLED_FUZZ_SEED` repeats them, and
`UNROLLED_FUZZ=1000` tries that many of each.
"""

import io
import json
import os
import struct
import tracemalloc
import unicodedata
import warnings
import zipfile
from contextlib import contextmanager, suppress

import numpy as np
import pytest
import typer
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from PIL import Image

from apps.analogies.learning import read_text
from apps.analogies.vector_files import read_file as read_vectors
from apps.captioning import files
from apps.forecasting.reader import read_file
from shared import images, tables
from shared.errors import UserError
from shared.text import clean, plain_words
from tests.shared.test_image_files import chunk, jpeg_with, png_with, scans, segment, tiff, tiled
from training.analogies import data as analogies
from training.captioning import data as captioning
from training.characters import data as characters
from training.forecasting import data as forecasting
from training.language_model import data as language_model
from training.sentiment import data as sentiment
from training.translation import data as translation
from training.vqa import data as vqa

pytestmark = pytest.mark.slow

COUNT = int(os.environ.get("UNROLLED_FUZZ", 20))
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "shift_jis", "cp037"]
# How often something comes: up to what is allowed of columns, tiles or entries, and beyond.
COUNTS = [0, 1, 2, 16, 31, 100, 101, 1_000, 1_001, 20_000, 100_001, 200_001]
LARGEST_BYTES = 4_000_000  # of a file that is drawn here
BY_CATEGORY = {unicodedata.category(chr(code)): chr(code) for code in range(0x30000)}


def search(count=COUNT):
    """A decorator that draws so many inputs, by the seed that the run prints."""
    options = settings(
        max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    return lambda test: seed(int(os.environ["UNROLLED_FUZZ_SEED"]))(options(test))


@contextmanager
def little_memory(size, factor=10):
    """Within this context, Python may take little more memory than a file of so many bytes."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < factor * size + 2**26


@st.composite
def runs(pick, most=200_001):
    """A text with a long run of one to three characters, each of any category of Unicode."""
    category = st.sampled_from(sorted(BY_CATEGORY))
    characters = category.flatmap(lambda name: st.characters(categories=[name]))
    run = "".join(pick(st.lists(characters, min_size=1, max_size=3)))
    count = min(pick(st.sampled_from(COUNTS)), most) // len(run)
    return pick(st.text(max_size=3)) + run * count + pick(st.text(max_size=3))


@st.composite
def structures(pick, largest=LARGEST_BYTES):
    """Tables, JSON and texts that are wide, long, deep, sparse or repeat themselves."""
    counts = st.sampled_from(COUNTS)
    known = st.sampled_from(["", "fine film", "1.5", "2024-03-01", '"', "a\nb", "{", "[]"])
    cell = pick(st.one_of(known, runs()))
    columns, rows, form = pick(counts), pick(counts), pick(st.sampled_from(["csv", "json", "deep"]))
    if form == "csv":
        separator = pick(st.sampled_from([*tables.SEPARATORS, " "]))
        width = pick(st.sampled_from([columns, 1, 2, columns // 2, 2 * columns]))
        names = [f"{pick(st.sampled_from(['text', 'date', '']))}{n}" for n in range(columns)]
        row = separator.join([cell] * min(width, largest // (len(cell) + 1)))
        first, end = separator.join(names), "\n"
    elif form == "json":
        fields = {f"{cell[:20]}{n}": cell for n in range(min(columns, largest // (len(cell) + 20)))}
        first, row, end = "", json.dumps(fields), pick(st.sampled_from(["\n", ",", ""]))
    else:
        first, end = pick(st.sampled_from([("[", "]"), ('{"a":', "}"), ("(", ")"), ('"', '"')]))
        return f"{first * columns}{cell}{end * pick(st.sampled_from([columns, 0]))}"
    return f"{first}\n{(row + end) * min(rows, largest // (len(row) + 1))}"


@st.composite
def damaged(pick, data):
    """Bytes with pieces cut out, repeated, moved or changed."""
    data = bytearray(data)
    for _ in range(pick(st.integers(0, 4))):
        start, end = sorted(pick(st.tuples(*[st.integers(0, len(data))] * 2)))
        piece = data[start:end]
        change = pick(st.sampled_from(["cut", "repeat", "move", "set", "end"]))
        if change == "cut":
            del data[start:end]
        elif change == "repeat":
            data[start:end] = piece * pick(st.integers(2, 50))
        elif change == "move":
            del data[start:end]
            place = pick(st.integers(0, len(data)))
            data[place:place] = piece
        elif change == "set":
            data[start : start + 4] = pick(st.binary(min_size=4, max_size=4))
        else:
            del data[end:]
    return bytes(data)


@st.composite
def csv_files(pick):
    cell = st.one_of(
        st.text(max_size=20),
        st.sampled_from(
            ["fine film", '"', '""', "a, b", "=1", "1", "", "---", "x" * 5_000, "\n", "sep=;"]
        ),
    )
    separator = pick(st.sampled_from([*tables.SEPARATORS, " "]))
    rows = pick(st.lists(st.lists(cell, max_size=6), max_size=30))
    text = pick(st.sampled_from(["\n", "\r\n", "\r"])).join(map(separator.join, rows))
    data = text.encode(pick(st.sampled_from(ENCODINGS)), "replace")
    return pick(damaged(data))


def test_tables(tmp_path):
    path = tmp_path / "file.csv"

    @search()
    @given(csv_files())
    def read(data):
        path.write_bytes(data)
        try:
            table = tables.read(path, 100)
        except UserError as error:
            assert str(error).endswith(".")
            return
        assert {len(row) for row in table.rows} == {len(table.columns)}
        assert table.summary
        content = tables.text(table.columns, table.rows)
        again = tmp_path / "again.csv"
        again.write_text(content, encoding="utf-8-sig", newline="", errors="replace")
        try:
            tables.text_columns(table)
        except UserError as error:
            assert "Rename" in str(error) or "Add a header" in str(error)

    read()


READERS = {
    "table": lambda path: tables.read(path, 5_000),
    "lines": lambda path: tables.lines(path, 5_000),
    "prices": lambda path: read_file(path, max_series=50),
    "text": read_text,
}


@pytest.mark.parametrize("reader", READERS)
def test_structures(reader, tmp_path):
    path = tmp_path / "file.csv"

    @search()
    @given(structures())
    def read(text):
        data = text.encode("utf-8", "surrogatepass")
        path.write_bytes(data)
        with little_memory(len(data)):
            try:
                assert READERS[reader](path) is not None
            except UserError as error:
                assert str(error)[-1] in ".…”?!"

    read()


@st.composite
def variants(pick, data):
    """A good file with its lines in another order, in another encoding, and damaged."""
    if pick(st.booleans()):
        data = b"\n".join(pick(st.permutations(data.split(b"\n"))))
    with suppress(UnicodeDecodeError):
        data = data.decode().encode(pick(st.sampled_from(ENCODINGS)), "replace")
    return pick(damaged(data))


def json_lines(*rows):
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def read_questions_about_photos(path):
    return vqa.read_rows(path, path.parent)


def read_captions(path):
    return captioning.read_rows(path.parent, path)


PHOTO = {"image": "a.jpg", "question": "What is it?", "answer": "dog", "type": "object"}
VECTORS = {"king": [0.1, -2.0], "/c/en/queen": [1.0, 2e-3], "man_NOUN": [3, 4], "été": [0.5, 1]}
PRICES = "".join(f"2024-{n // 28 + 1:02}-{n % 28 + 1:02},{n / 9 + 5:.2f}\n" for n in range(90))
BINARY = b"".join(key.encode() + b" " + np.float32(row).tobytes() for key, row in VECTORS.items())
# Good files of every kind that is read beside photos and archives, with the functions that do it:
# those of pages, and those that the training commands read their `--input` with.
GOOD_FILES = {
    "table.csv": (b'text,label\n"A fine, fine film",1\nDull.,0\n', READERS["table"]),
    "table.json": (json_lines({"text": "A fine film", "n": [1, None]}), READERS["table"]),
    "lines.txt": ("Où est-il ?\n\nThe end.\n".encode(), READERS["lines"]),
    "prices.csv": (f"Date,Close\n{PRICES}".encode(), READERS["prices"]),
    "text.txt": ("A text, naïve and short.\n".encode(), READERS["text"]),
    "vectors.txt": (
        "".join(f"{key} {row[0]} {row[1]}\n" for key, row in VECTORS.items()).encode(),
        read_vectors,
    ),
    "vectors.bin": (b"4 2\n" + BINARY, read_vectors),
    "reviews.jsonl": (
        json_lines({"text": "A fine film", "label": 1}, {"text": "Dull", "label": 0}),
        sentiment.read_rows,
    ),
    "photos.jsonl": (json_lines(PHOTO, PHOTO), read_questions_about_photos),
    "captions.jsonl": (json_lines({"image": "a.jpg", "captions": ["a dog"]}), read_captions),
    "pairs.tsv": (b"The dog.\tLe chien.\nYes.\tOui.\tSi.\n", translation.read_rows),
    "passages.txt": (b"A passage.\n" * 12, language_model.read_lines),
    "characters.txt": (b"A text.\n" * 900, lambda path: characters.read_texts(None, path)),
    "questions.txt": (b": capitals\nOslo Norway Rome Italy\n", analogies.read_questions),
    "similarity.csv": (b"cat,tiger,7.5\nsun,moon,6\n", analogies.read_similarity),
    "input.csv": (
        f"date,close\n{PRICES}".replace(",", "\t").encode(),
        lambda path: forecasting.read_files(None, path, None),
    ),
}


@pytest.mark.parametrize("name", GOOD_FILES)
def test_variants_of_good_files(name, tmp_path):
    (tmp_path / "a.jpg").touch()
    path, (good, read_good) = tmp_path / name, GOOD_FILES[name]
    path.write_bytes(good)
    assert read_good(path)

    @search(-(-COUNT // 3))
    @given(variants(good))
    def read(data):
        path.write_bytes(data)
        try:
            read_good(path)
        except (UserError, typer.BadParameter) as error:
            assert str(error)[-1] in ".…”?!"

    read()


@pytest.mark.parametrize("category", sorted(BY_CATEGORY))
def test_runs_of_one_character(category, tmp_path, growth):
    character = BY_CATEGORY[category]
    for function in (clean, plain_words, lambda text: tables.text(["text"], [[text]])):
        large, small = ("a" + character * size for size in (100_000, 50_000))
        assert growth(function, large, small) < 2.5
    path = tmp_path / "runs.csv"
    for content in (character * 50_000, f"text,x\nfine,{character * 50_000}\n"):
        path.write_text(content, encoding="utf-8", errors="surrogatepass", newline="")
        try:
            assert tables.read(path, 5_000).rows
        except UserError as error:
            assert str(error).endswith(".")


def photo_files():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), "uint8"))
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in images.FORMATS:
        file = io.BytesIO()
        noise.save(file, kind, **({} if kind in ("GIF", "BMP") else {"exif": exif}))
        yield file.getvalue()
    file = io.BytesIO()
    noise.save(file, "JPEG", progressive=True, exif=exif)
    yield file.getvalue()


@pytest.mark.parametrize("data", photo_files(), ids=[*images.FORMATS, "progressive"])
def test_photos(data):
    @search()
    @given(damaged(data))
    def read(changed):
        with little_memory(len(changed)):
            try:
                assert images.read(changed).mode == "RGB"
            except UserError as error:
                assert str(error).endswith(".")

    read()


@st.composite
def large_photos(pick):
    """Photos of many or large scans, tiles, tags, segments, chunks or sides."""
    counts = st.sampled_from(COUNTS)
    count, other, few = pick(counts), pick(counts), pick(st.integers(0, 9))
    kind = pick(
        st.sampled_from(["scans", "tiles", "strips", "tags", "segments", "chunks", "sides"])
    )
    if kind == "scans":
        return scans(min(count, 1_001))
    if kind == "tiles":
        return tiled(count, few)
    if kind == "strips":
        sides = [(256, 4, 1, pick(counts)), (257, 4, 1, pick(counts))]
        return tiff([*sides, (277, 3, 1, few), (273, 4, count, 200), (278, 4, 1, other)], bytes(9))
    if kind == "tags":
        return tiff([(n, few, other, 8) for n in range(300, 300 + min(count, 60_000))], bytes(999))
    body = bytes([pick(st.integers(0, 255))]) * min(other, 60_000)
    count = min(count, LARGEST_BYTES // (len(body) + 12))
    if kind == "segments":
        return jpeg_with(segment(pick(st.integers(0xC0, 0xFE)), body) * count)
    if kind == "chunks":
        return png_with(chunk(pick(st.sampled_from([b"tEXt", b"iTXt", b"IDAT"])), body) * count)
    data = png_with()
    return data[:8] + chunk(b"IHDR", struct.pack(">II", count, other) + data[24:29]) + data[33:]


def test_large_photos():
    @search()
    @given(large_photos())
    def read(data):
        try:
            assert images.read_apart(data).mode == "RGB"
        except UserError as error:
            assert str(error).endswith(".")

    read()


def test_zips(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(5):
            archive.writestr(f"folder/{n}.jpg", bytes([n]) * 500)
    path = tmp_path / "box.zip"

    @search()
    @given(damaged(file.getvalue()))
    def read(data):
        path.write_bytes(data)
        try:
            photos = list(files.read_photos(files.list_photos([path], 20), 10_000))
        except UserError as error:
            assert str(error).endswith(".")
            return
        assert all((content is None) == bool(problem) for _, content, problem in photos)

    read()


def test_large_zips(tmp_path):
    """Many entries, of one name or of long ones, which unpack to much more than they are."""
    path = tmp_path / "box.zip"
    counts = st.sampled_from([count for count in COUNTS if count <= 20_000])
    names = st.sampled_from(["{}.jpg", "same.jpg", "{}/", "a/" * 500 + "{}.jpg", "x" * 60_000])

    @search()
    @given(counts, names, st.sampled_from([0, 500, 10_001, LARGEST_BYTES]))
    def read(count, name, size):
        content = bytes(size)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # names that come twice
            for n in range(min(count, 20 * LARGEST_BYTES // (size + len(name) + 100))):
                archive.writestr(name.format(n), content)
        with little_memory(path.stat().st_size):
            try:
                for _, content, problem in files.read_photos(files.list_photos([path], 20), 10_000):
                    assert (content is None) == bool(problem)
            except UserError as error:
                assert str(error).endswith(".")

    read()
