"""The text in a file of prices: plain or packed, in whichever encoding it was saved."""

import bz2
import codecs
import gzip
import io
import lzma
import re
import zipfile
import zlib
from contextlib import suppress
from pathlib import PurePosixPath

from apps.forecasting.reading.columns import role_of
from shared.errors import UserError

MAX_BYTES = 256 * 2**20  # unpacked
OPENERS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ", lzma.open))
ZIP = b"PK\x03\x04"
TABLE_SUFFIXES = (".csv", ".txt", ".tsv", ".tab", ".dat", ".prn", "")
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
LEGACY_ENCODINGS = ("cp1251", "shift_jis", "gb18030", "cp949", "big5")
LAYOUT = "\t\n\v\f\r\x1a"  # control characters that text files hold


def read_text(content, max_bytes=MAX_BYTES):
    """The text of a file.

    Args:
        content: Its bytes: text, or text in a gzip, bzip2, xz or zip archive.
        max_bytes: The most that an archive may hold.

    Raises:
        UserError: if it is damaged, too large, or holds anything but one text.
    """
    return _decode(_unpack(content, max_bytes))


def _unpack(content, max_bytes):
    try:
        if content.startswith(ZIP):
            unpacked = _read_zip(content, max_bytes)
        else:
            openers = [opener for mark, opener in OPENERS if content.startswith(mark)]
            if not openers:
                return content
            with openers[0](io.BytesIO(content)) as file:
                unpacked = file.read(max_bytes + 1)
    except UserError:
        raise
    except (
        *(EOFError, OSError, ValueError, RuntimeError, NotImplementedError, MemoryError),
        *(zlib.error, lzma.LZMAError, zipfile.BadZipFile),
    ) as error:
        raise UserError(
            "This archive is damaged or was cut short. Pack it again, or upload the CSV itself."
        ) from error
    if len(unpacked) > max_bytes:
        raise UserError(
            f"This archive holds more than {max_bytes // 2**20} MB. Cut the file into smaller ones."
        )
    return unpacked


def _read_zip(content, max_bytes):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        paths = [PurePosixPath(entry.filename) for entry in archive.infolist()]
        if any(path.name == "[Content_Types].xml" or path.suffix == ".xml" for path in paths):
            raise UserError("This is a workbook, not a CSV. Save the sheet as CSV and try again.")
        # A Mac adds a hidden twin of every file.
        entries = [
            (path, entry)
            for path, entry in zip(paths, archive.infolist(), strict=True)
            if not entry.is_dir()
            and "__MACOSX" not in path.parts
            and not path.name.startswith(".")
            and path.suffix.lower() in TABLE_SUFFIXES
        ]
        if len(entries) != 1:
            raise UserError(
                f"This archive holds {len(entries)} CSV files. Pack one alone, or upload the CSV "
                "itself."
            )
        if entries[0][1].flag_bits & 1:
            raise UserError("This archive has a password. Upload the CSV itself.")
        with archive.open(entries[0][1]) as file:
            return file.read(max_bytes + 1)


def _decode(content):
    for mark, encoding in MARKS:
        if content.startswith(mark):
            return _check_text(content.decode(encoding, errors="replace"))
    start = content[:4096]
    if b"\0" in start:  # UTF-16 without a mark has one in every second place
        even, odd = start[::2].count(0), start[1::2].count(0)
        if max(even, odd) < 0.4 * len(start) / 2 or min(even, odd) > 0.05 * len(start):
            raise UserError("This file is not text. Save the table as CSV and try again.")
        encoding = "utf-16-le" if odd > even else "utf-16-be"
        return _check_text(content.decode(encoding, errors="replace"))
    try:
        return _check_text(content.decode("utf-8"))
    except UnicodeDecodeError:
        return _check_text(max(_legacy_readings(content), key=_count_known_names))


def _legacy_readings(content):
    """The text in the encodings of Western and other computers before Unicode."""
    yield content.decode("cp1252", errors="replace")
    for encoding in LEGACY_ENCODINGS:
        with suppress(UnicodeDecodeError):
            yield content.decode(encoding)


def _count_known_names(text):
    """How many names of columns stand at the beginning of a text."""
    return sum(role_of(word) is not None for word in re.split(r"[\n,;\t|]", text[:2000]))


def _check_text(text):
    start = text[:4096]
    strange = sum((c < " " and c not in LAYOUT) or c == "\ufffd" for c in start)
    if strange > 0.02 * len(start):
        raise UserError("This file is not text. Save the table as CSV and try again.")
    return text
