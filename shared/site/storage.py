"""The files of visitors on the disk: how many bytes there may be, of whom, and for how long.

Each upload and each file to download lies in a folder of its own below Gradio's folder of uploads.
"""

import os
import shutil
import stat
import time
import uuid
from collections import Counter
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from shared import limits

FILE_TTL_SECONDS = 55 * 60  # with the minutes between two sweeps, files are gone within the hour
SHOWN_SECONDS = 60  # that a file stays which was read but which a browser may still fetch
EMPTY_FOLDER_SECONDS = 120  # in which a file must have begun to be written to a new folder
NO_ROOM = "This site has no room for more files at the moment. Try again in an hour."
TOO_MUCH_KEPT = (
    "Files from your address already take {} MB here, and no more than {} MB are kept of one. They "
    "are deleted when they were read, at the latest in an hour: try again then."
)
# The visitor whose question is being answered; "" elsewhere.
current_visitor: ContextVar[str] = ContextVar("current_visitor", default="")


class Ages:
    """How old files are, by a clock that nobody sets.

    A file's date counts when it is seen for the first time, as far as it is plausible. From then on
    only the time counts that has passed in this process.
    """

    def __init__(self):
        self._births = {}  # by path, in seconds of the monotonic clock

    def of(self, path, modified, most):
        """The age of a file in seconds.

        Args:
            path: Of the file.
            modified: Its date in seconds since 1970.
            most: The greatest plausible age; 0 is the least, for a file dated in the future.
        """
        now = time.monotonic()
        age = min(max(time.time() - modified, 0), most)
        return now - self._births.setdefault(path, now - age)

    def set(self, path, age):
        """Let a file be so many seconds old."""
        self._births[path] = time.monotonic() - age

    def keep(self, paths):
        """Forget all files but those at some paths."""
        self._births = {path: self._births[path] for path in paths}


class Storage:
    """The files of all visitors."""

    def __init__(self):
        self._visitors = {}  # by the name of a folder
        self._arriving_bytes = Counter()  # of uploads that are not complete, by visitor
        self._ages = Ages()

    def refuse(self, visitor, expected_bytes=0, free_bytes=limits.FREE_DISK_BYTES):
        """A sentence if there is no room for a file, else None.

        Args:
            visitor: Who sends or fetches it.
            expected_bytes: Of the file, where that is known.
            free_bytes: That must stay free; on a small disk, a quarter of it suffices.
        """
        try:
            folder = _root()
            folder.mkdir(parents=True, exist_ok=True)
            disk = shutil.disk_usage(folder)
        except OSError:
            return NO_ROOM
        kept = self._count_bytes() + self._arriving_bytes
        free = disk.free - self._arriving_bytes.total() - expected_bytes
        most = max(limits.KEPT_BYTES, expected_bytes)
        if free < min(free_bytes, disk.total // 4) or kept.total() + expected_bytes > most:
            return NO_ROOM
        most = max(limits.KEPT_BYTES_PER_VISITOR, expected_bytes)
        if kept[visitor] + expected_bytes > most:
            return TOO_MUCH_KEPT.format(kept[visitor] // limits.MIB, most // limits.MIB)
        return None

    @contextmanager
    def arriving(self, visitor, expected_bytes):
        """Within this context, an upload of so many bytes arrives."""
        self._arriving_bytes[visitor] += expected_bytes
        try:
            yield
        finally:
            self._arriving_bytes[visitor] -= expected_bytes
            self._arriving_bytes += Counter()  # drops visitors of whom nothing arrives

    def make_folder(self, visitor):
        """A new folder for files of a visitor.

        Raises:
            OSError: if there is no room for one.
        """
        folder = _root() / uuid.uuid4().hex
        folder.mkdir(parents=True)
        self._visitors[folder.name] = visitor
        return folder

    def _count_bytes(self):
        """Bytes on the disk by visitor; "" for those of whom it is not known."""
        known, sizes = set(self._visitors), Counter()
        for entry in os.scandir(_root()):
            known.discard(entry.name)
            visitor = self._visitors.get(entry.name, "")
            files = _list_files(entry.path) if entry.is_dir(follow_symlinks=False) else [entry.path]
            for path in files:
                with suppress(OSError):
                    sizes[visitor] += max(os.lstat(path).st_size, limits.LEAST_FILE_BYTES)
        for name in known:  # those that are no longer there
            self._visitors.pop(name, None)
        return sizes

    def discard_soon(self, path):
        """Delete a file that was read with one of the next sweeps; a browser may still show it."""
        self._ages.set(str(path), FILE_TTL_SECONDS - SHOWN_SECONDS)

    def sweep(self):
        """Delete the files that are nearly an hour old, and folders that are empty.

        Links are deleted, not followed.
        """
        kept = []
        for folder, folders, files in os.walk(_root(), topdown=False):
            for name in (*files, *folders):  # what is in the folders came before
                path = os.path.join(folder, name)
                with suppress(OSError):  # already deleted, or a folder in use
                    status = os.lstat(path)
                    is_folder = stat.S_ISDIR(status.st_mode)
                    most = EMPTY_FOLDER_SECONDS if is_folder else FILE_TTL_SECONDS
                    if self._ages.of(path, status.st_mtime, most) < most:
                        kept.append(path)
                    elif is_folder:
                        os.rmdir(path)
                    else:
                        os.unlink(path)
        self._ages.keep(kept)

    def clear(self):
        """Delete all files of this process."""
        for name in list(self._visitors):
            shutil.rmtree(_root() / name, ignore_errors=True)


def discard(path):
    """Delete a file that was read."""
    with suppress(OSError):  # already deleted, or a folder
        Path(path).unlink()


def _root():
    from gradio.utils import get_upload_folder  # imported on first use: slow

    return Path(get_upload_folder())


def _list_files(folder):
    return [os.path.join(path, name) for path, _, names in os.walk(folder) for name in names]


storage = Storage()
