"""Several photographs at once: those of a visitor's files, and those in archives among them."""

import zipfile
from itertools import groupby
from pathlib import Path

UNPACKED = 10  # times the largest file: what one archive may unpack to
HIDDEN = ("__MACOSX", ".")  # how names begin that computers add for themselves


class FilesError(ValueError):
    """The files cannot be used; the message is a sentence for the page."""


def listed(paths, most):
    """The photographs that are to be captioned, without opening any.

    Args:
        paths: Of the files; one that ends in `.zip` stands for what is in it, folders and all.
        most: How many photographs there may be.

    Returns:
        List of (name, path of the file, entry of the archive or None).

    Raises:
        FilesError: if there are none or too many, or an archive is damaged.
    """
    found = []
    for path in map(Path, paths):
        if path.suffix.lower() != ".zip":
            found.append((path.name, path, None))
            continue
        try:
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
        except FileNotFoundError as error:
            raise FilesError(f"{path.name} is no longer here. Upload it again.") from error
        # Of a newer version of the format Python says so with a RuntimeError.
        except (zipfile.BadZipFile, OSError, ValueError, RuntimeError) as error:
            raise FilesError(
                f"{path.name} is not a zip that can be read, or it was cut off. Pack it again."
            ) from error
        found += [(each.filename, path, each) for each in entries if _wanted(each)]
    if not found:
        raise FilesError("There are no photos in this. Choose photos, or a zip of photos.")
    if len(found) > most:
        raise FilesError(
            f"These are {len(found):,} photos; at most {most:,} are captioned at once. Split them "
            "into smaller parts."
        )
    return found


def _wanted(entry):
    parts = entry.filename.replace("\\", "/").split("/")
    return not entry.is_dir() and not any(part.startswith(HIDDEN) for part in parts if part != "..")


def read(items, largest):
    """Every photograph that `listed` named, one after the other.

    Nothing is written to disk, so that a name that leads elsewhere leads nowhere; no more is
    unpacked of an entry than it says that it holds.

    Args:
        items: As from `listed`.
        largest: Most bytes of one photograph.

    Yields:
        (name, content, problem): the path of a file, the bytes of what was in an archive, or None
        and a sentence that says why.
    """
    for path, group in groupby(items, lambda item: item[1]):
        if path.suffix.lower() != ".zip":
            yield from ((name, str(path), "") for name, _, _ in group)
            continue
        left = UNPACKED * largest
        with zipfile.ZipFile(path) as archive:
            for name, _, entry in group:
                if not left:
                    yield name, None, f"{path.name} unpacks to more than is read here. Split it."
                    continue
                if entry.file_size <= largest:  # damaged ones too: that is found by unpacking
                    left = max(left - entry.file_size, 0)
                yield name, *_unpacked(archive, entry, largest)


def _unpacked(archive, entry, largest):
    """An entry's content, or None, and "" or what is wrong with it."""
    if entry.flag_bits & 1:
        return None, "This photo is locked with a password. Pack it without one."
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Python unpacks what it has read of these at once, however much that becomes.
        return None, "This photo is packed in a way that is not read here. Pack a plain zip."
    if entry.file_size > largest:
        return None, f"This file unpacks to more than {largest / 2**20:g} MB. Make it smaller."
    try:
        with archive.open(entry) as file:
            return file.read(entry.file_size + 1), ""  # its checksum is compared at the end
    except Exception:  # each way to pack raises errors of its own
        return None, "This photo is damaged in the zip. Pack it again."
