"""Files that visitors send and fetch, and the photo box."""

import base64
import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path

import gradio as gr
from gradio.data_classes import ImageData
from gradio.utils import get_upload_folder, is_in_or_equal

from shared.site import guard
from shared.site.api import EXPECTATIONS

FILE_TTL_SECONDS = 55 * 60  # with the minutes between two sweeps, files are gone within the hour
LARGEST_DOWNLOAD_BYTES = 64 * 2**20


def download_path(name):
    """A path in a new folder for a file that the visitor fetches; it is deleted within the hour.

    Raises:
        gr.Error: if the disk is nearly full.
    """
    folder = Path(get_upload_folder()) / uuid.uuid4().hex
    try:
        folder.mkdir(parents=True)
        full = shutil.disk_usage(folder).free < LARGEST_DOWNLOAD_BYTES
    except OSError:
        full = True
    if full:
        raise gr.Error(guard.DISK_FULL, print_exception=False)
    return folder / name


def sweep():
    """Delete the files that were uploaded or written for visitors nearly an hour ago.

    Gradio's `delete_cache` deletes only what its own process has seen arrive, and so neither the
    files of a killed process nor uploads that broke off.
    """
    for path in sorted(Path(get_upload_folder()).rglob("*"), reverse=True):  # files before folders
        with suppress(OSError):  # already deleted, or a folder in use
            if time.time() - path.lstat().st_mtime > FILE_TTL_SECONDS:
                path.rmdir() if path.is_dir() else path.unlink()


def sent_file(value):
    """The path of a file that the caller of an API event sent, a `gr.FileData`.

    Raises:
        gr.Error: if it is anything else, such as another file of this machine.
    """
    path = value.path
    if not path or not is_in_or_equal(path, get_upload_folder()):
        raise gr.Error(f"A photo must be {EXPECTATIONS['model']}.", print_exception=False)
    return path


class _Frame(ImageData):
    def model_dump(self, **options):
        """All fields but a webcam's frame: Gradio keeps the last value of this for the session."""
        fields = super().model_dump(**options)
        if (fields.get("url") or "").startswith("data:"):
            fields["url"] = None
        return fields


class Photo(gr.Image):
    """An image input whose value is the path of an upload, or the bytes of a webcam's frame.

    `gr.Image` opens the file before any event sees it, and fails with a trace if it is no photo.
    """

    data_model = _Frame
    is_template = True  # in the browser it is a `gr.Image`

    def preprocess(self, payload):
        if payload is None:
            return None
        if (payload.url or "").startswith("data:image/") and not payload.path:
            try:
                return base64.b64decode(payload.url.partition(",")[2])
            except ValueError:
                return b""
        return payload.path


def photo_box(label):
    """An input where a visitor drops, pastes or takes a photo; its value is that of `Photo`."""
    return Photo(
        sources=["upload", "clipboard", "webcam"],
        label=label,
        show_label=False,
        height=100,
        buttons=[],
        placeholder="Drop a photo here, or click to choose one",
        webcam_options=gr.WebcamOptions(mirror=False),
        alt_text="Your photo, while it is being read",
    )
