"""Photographs in a folder, a tar or a zip, by their names."""

import tarfile
import zipfile
from pathlib import Path

from shared.errors import UserError

ENDINGS = (".jpg", ".jpeg", ".png", ".webp")


class Pictures:
    """The files of photographs at a path, by file name without folder.

    Args:
        path: Of a folder (with its subfolders), a tar or a zip.

    Raises:
        FileNotFoundError: if there is none of these, or it is damaged.
    """

    def __init__(self, path):
        path = Path(path)
        try:
            files = self._open(path)
        except Exception as error:  # each kind of archive raises other errors
            raise FileNotFoundError(f"{path} is damaged or cut off: {error}.") from error
        if files is None:
            raise FileNotFoundError(f"{path} is no folder, tar or zip of photographs.")
        self._files = {
            Path(name).name: file
            for name, file in files.items()
            if name.lower().endswith(ENDINGS) and not Path(name).name.startswith(".")
        }

    def _open(self, path):
        """Files by their names; None if the path leads to neither a folder nor an archive."""
        if path.is_dir():
            self._read = Path.read_bytes
            return {str(file): file for file in sorted(path.rglob("*")) if file.is_file()}
        if path.is_file() and tarfile.is_tarfile(path):
            archive = tarfile.open(path)  # noqa: SIM115 (open as long as this is)
            self._read = lambda member: archive.extractfile(member).read()
            return {member.name: member for member in archive.getmembers() if member.isfile()}
        if path.is_file() and zipfile.is_zipfile(path):
            archive = zipfile.ZipFile(path)
            self._read = archive.read
            return {member.filename: member for member in archive.infolist()}
        return None

    def __len__(self):
        return len(self._files)

    def __iter__(self):
        return iter(self._files)

    def __contains__(self, name):
        return name in self._files

    def __getitem__(self, name):
        """The bytes of a file.

        Raises:
            KeyError: if there is none of this name.
            UserError: if it cannot be read or unpacked.
        """
        file = self._files[name]
        try:
            return self._read(file)
        except Exception as error:  # as above
            raise UserError(f"This file cannot be read: {error}.") from error
