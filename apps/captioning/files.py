"""Several photographs at once: those of a visitor's files, and those in archives among them.

Archives are read in child processes with limits of memory and time (`shared.workers`).
"""

import struct
import zipfile
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from shared import limits, workers
from shared.errors import UserError

_HIDDEN = ("__MACOSX", ".")  # how names begin of files that computers add by themselves
_ENTRY_BYTES = 46  # of an entry in the directory of a zip, without its name
_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Photo(NamedTuple):
    """A photograph that was not read yet.

    Attributes:
        name: Of the file, or of the archive's entry.
        path: Of the file or archive.
        number: Of the archive's entry; None for a file that is no archive.
        size: Bytes that the entry says that it unpacks to.
    """

    name: str
    path: str
    number: int | None = None
    size: int = 0


def list_photos(paths, max_photos):
    """The photographs that are to be captioned, without unpacking any.

    Args:
        paths: Of the files; one that ends in `.zip` stands for what is in it, its folders too.
            A zip that is named twice counts once.
        max_photos: How many photographs there may be.

    Returns:
        List of `Photo`.

    Raises:
        UserError: if there are none or too many, or an archive is damaged.
    """
    photos, archives = [], set()
    for path in map(Path, paths):
        if path.suffix.lower() != ".zip":
            photos.append(Photo(path.name, str(path)))
        elif path not in archives:
            archives.add(path)
            entries = _read_directory(path, 3 * max_photos + limits.ZIP_OTHER_ENTRIES)
            photos += [
                Photo(entry.filename, str(path), number, entry.file_size)
                for number, entry in enumerate(entries)
                if _is_photo(entry)
            ]
        if len(photos) > max_photos:
            many = f"{len(photos):,}" if len(archives) < 2 else f"more than {max_photos:,}"
            raise UserError(
                f"These are {many} photos; at most {max_photos:,} are captioned at once. Split "
                "them into smaller parts."
            )
    if not photos:
        raise UserError("There are no photos in this. Choose photos, or a zip of photos.")
    return photos


def list_photos_apart(paths, max_photos):
    """`list_photos` in a child process with limits of memory and time: for what strangers send."""
    rows = workers.call(list_photos, list(map(str, paths)), max_photos)
    return [Photo(*row) for row in rows]


def _read_directory(path, max_entries):
    """The entries of an archive, counted before any of them is read."""
    try:
        with path.open("rb") as file:
            if _count_entries(file, max_entries) > max_entries:
                raise UserError(
                    f"{path.name} holds more than {max_entries:,} files and folders. Split it into "
                    "smaller parts."
                )
            with zipfile.ZipFile(file) as archive:
                return archive.infolist()
    except FileNotFoundError as error:
        raise UserError(f"{path.name} is no longer here. Upload it again.") from error
    except UserError:
        raise
    # Python tells of a newer version of the format by a RuntimeError.
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, struct.error) as error:
        raise UserError(
            f"{path.name} is not a zip that can be read, or it was cut off. Pack it again."
        ) from error


def _count_entries(file, most):
    """How many entries the directory of an archive has, counted to one more than `most`.

    The number that the archive itself gives may be too small: Python reads all that is there.
    """
    record = zipfile._EndRecData(file)  # the end of the directory, as Python will find it
    if not record:
        raise zipfile.BadZipFile
    signature, total, size, location = record[0], record[4], record[5], record[9]
    if total > most or size > limits.ZIP_DIRECTORY_BYTES:
        return most + 1
    is_zip64 = signature == zipfile.stringEndArchive64
    end = location - is_zip64 * (zipfile.sizeEndCentDir64 + zipfile.sizeEndCentDir64Locator)
    file.seek(end - size)
    directory = file.read(size)
    count = place = 0
    while place + _ENTRY_BYTES <= len(directory) and count <= most:
        place += _ENTRY_BYTES + sum(struct.unpack_from("<3H", directory, place + 28))
        count += 1
    return count


def _is_photo(entry):
    parts = entry.filename.replace("\\", "/").split("/")
    hidden = any(part.startswith(_HIDDEN) for part in parts if part != "..")
    return not entry.is_dir() and not hidden


def read_photos(photos, max_bytes):
    """Every photograph that `list_photos` named, one after the other.

    Nothing is written to disk, so that a name that leads elsewhere leads nowhere, and no more is
    unpacked of an entry than it says that it holds.

    Args:
        photos: As from `list_photos`.
        max_bytes: Of one photograph.

    Yields:
        (name, content, problem): the path of a file, the bytes of an archive's entry, or None and
        a sentence that says why.
    """
    for path, group in groupby(photos, lambda photo: photo.path):
        left = limits.ZIP_UNPACKED_FILES * max_bytes
        for name, _, number, size in group:
            if number is None:
                yield name, path, ""
            elif not left:
                problem = f"{Path(path).name} unpacks to more than is read here. Split it."
                yield name, None, problem
            else:
                if size <= max_bytes:  # damaged entries count too
                    left = max(left - size, 0)
                try:
                    yield name, *workers.call(unpack, path, number, max_bytes)
                except UserError as error:
                    yield name, None, str(error)


class _Archive(zipfile.ZipFile):
    """An archive whose directory is not read again, for its entries are known."""

    def _RealGetContents(self):  # noqa: N802
        pass


@lru_cache(maxsize=1)
def _known_entries(path, changed):
    del changed  # when, so that another archive at this path is read
    with zipfile.ZipFile(path) as archive:
        return archive.infolist()


def unpack(path, number, max_bytes):
    """An entry of an archive.

    Args:
        path: Of the archive.
        number: Of the entry.
        max_bytes: The most that it may unpack to.

    Returns:
        Its content, or None, and "" or what is wrong with it.
    """
    entry = _known_entries(path, Path(path).stat().st_mtime_ns)[number]
    if entry.flag_bits & 1:
        return None, "This photo is locked with a password. Pack it without one."
    if entry.compress_type not in _READABLE:
        # For the other methods, Python unpacks all that it has read at once, however much it is.
        return None, "This photo is packed in a way that is not read here. Pack a plain zip."
    if entry.file_size > max_bytes:
        return (
            None,
            f"This file unpacks to more than {max_bytes / limits.MIB:g} MB. Make it smaller.",
        )
    try:
        with _Archive(path) as archive, archive.open(entry) as file:
            return file.read(entry.file_size + 1), ""  # its checksum is compared at the end
    except MemoryError:
        raise
    except Exception:  # each way to pack raises errors of its own
        return None, "This photo is damaged in the zip. Pack it again."
