"""Photographs in a folder, a tar or a zip, by their names."""

import tarfile
import zipfile
from pathlib import Path

ENDINGS = (".jpg", ".jpeg", ".png", ".webp")


class Pictures:
    """The files of photographs at a path, by file name without folders.

    Args:
        path: Of a folder (what lies in folders inside it counts), a tar or a zip.

    Raises:
        FileNotFoundError: if nothing is there, or it is neither of these.
    """

    def __init__(self, path):
        path = Path(path)
        if path.is_dir():
            files = {str(file): file for file in sorted(path.rglob("*"))}
            self._read = Path.read_bytes
        elif path.is_file() and tarfile.is_tarfile(path):
            archive = tarfile.open(path)  # noqa: SIM115 (open as long as this is)
            files = {member.name: member for member in archive.getmembers() if member.isfile()}
            self._read = lambda member: archive.extractfile(member).read()
        elif path.is_file() and zipfile.is_zipfile(path):
            archive = zipfile.ZipFile(path)
            files = {member.filename: member for member in archive.infolist()}
            self._read = archive.read
        else:
            raise FileNotFoundError(f"{path} is no folder, tar or zip of photographs.")
        self._files = {
            Path(name).name: file
            for name, file in files.items()
            if name.lower().endswith(ENDINGS) and not Path(name).name.startswith(".")
        }

    def __len__(self):
        return len(self._files)

    def __iter__(self):
        return iter(self._files)

    def __contains__(self, name):
        return name in self._files

    def __getitem__(self, name):
        """The bytes of a file."""
        return self._read(self._files[name])
