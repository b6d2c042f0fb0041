"""Corpora on disk: downloaded once and checked, unpacked or not, or repacked."""

import json
import lzma
import zipfile


def check_part(part, parts):
    """Raise a `ValueError` if a corpus has no such part."""
    if part not in parts:
        raise ValueError(f"`part` must be one of {parts}. Received: part={part!r}")


def read_json_lines_xz(path):
    """The rows of compressed JSON Lines, a list."""
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def read_member(url, data_dir, name, folder=""):
    """The text of a file that is published in a zip.

    Args:
        url: Of the zip, which is downloaded into `data_dir` if it is not there.
        data_dir: Folder of corpora. If the file lies in it, or in its `folder`, that is read.
        name: Of the file, in a folder of the zip or not.
        folder: Where the zip is unpacked.

    Raises:
        FileNotFoundError: as for `fetch`.
    """
    for place in (data_dir / folder / name, data_dir / name):
        if place.exists():
            return place.read_text(encoding="utf-8")
    with zipfile.ZipFile(fetch(url, None, data_dir / url.rsplit("/", 1)[1])) as files:
        inside = next(each for each in files.namelist() if f"/{each}".endswith(f"/{name}"))
        return files.read(inside).decode("utf-8")


def fetch(url, sha256, path):
    """Download a file with a progress bar, unless it exists; returns its path.

    Raises:
        FileNotFoundError: if it cannot be downloaded or its checksum is wrong; the message
            says which file to put where.
    """
    import keras  # imported here, as a corpus that exists is read without Keras

    try:
        return keras.utils.get_file(
            path.name,
            url,
            file_hash=sha256,
            hash_algorithm="sha256",
            cache_dir=path.parent,
            cache_subdir="",
        )
    except Exception as error:  # get_file raises bare Exceptions
        path.unlink(missing_ok=True)
        raise FileNotFoundError(
            f"{path.name} is not in {path.parent} and could not be downloaded ({error}). "
            f"Download {url} by other means and put it at {path}."
        ) from error
