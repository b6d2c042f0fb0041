"""Whatever file is read, a value or a `UserError` comes out, in little time and memory.

Good files are cut, joined, re-encoded and damaged. The inputs are new in every run;
`UNROLLED_FUZZ_SEED` repeats them, and `UNROLLED_FUZZ=1000` tries that many of each.
"""

import io
import os
import tracemalloc
import unicodedata
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from PIL import Image

from apps.captioning import files
from shared import images, tables
from shared.errors import UserError
from shared.text import clean, plain_words

pytestmark = pytest.mark.slow

COUNT = int(os.environ.get("UNROLLED_FUZZ", 60))
SETTINGS = settings(
    max_examples=COUNT, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "shift_jis", "cp037"]
BY_CATEGORY = {unicodedata.category(chr(code)): chr(code) for code in range(0x30000)}


def search(test):
    """Decorator: draws inputs by the seed that the run prints."""
    return seed(int(os.environ["UNROLLED_FUZZ_SEED"]))(SETTINGS(test))


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
            ["fine film", '"', '""', "a, b", "=1", "1", "", "x" * 5_000, "\n", "sep=;"]
        ),
    )
    separator = pick(st.sampled_from([*tables.SEPARATORS, " "]))
    rows = pick(st.lists(st.lists(cell, max_size=6), max_size=30))
    text = pick(st.sampled_from(["\n", "\r\n", "\r"])).join(map(separator.join, rows))
    data = text.encode(pick(st.sampled_from(ENCODINGS)), "replace")
    return pick(damaged(data))


def test_tables(tmp_path):
    path = tmp_path / "file.csv"

    @search
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
    @search
    @given(damaged(data))
    def read(changed):
        tracemalloc.start()
        try:
            assert images.read(changed).mode == "RGB"
        except UserError as error:
            assert str(error).endswith(".")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 10 * len(changed) + 2**26

    read()


def test_zips(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(5):
            archive.writestr(f"folder/{n}.jpg", bytes([n]) * 500)
    path = tmp_path / "box.zip"

    @search
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
