"""Files that visitors send and fetch, and the photo box."""

import base64

import gradio as gr
from gradio.data_classes import ImageData
from gradio.utils import get_upload_folder, is_in_or_equal

from shared.site.api import EXPECTATIONS
from shared.site.storage import NO_ROOM, current_visitor, storage

LARGEST_DOWNLOAD_BYTES = 64 * 2**20


def download_path(name):
    """A path in a new folder for a file that the visitor fetches; it is deleted within the hour.

    Raises:
        gr.Error: if the disk is nearly full, or holds too much of this visitor.
    """
    visitor = current_visitor.get()
    if sentence := storage.refuse(visitor, free_bytes=LARGEST_DOWNLOAD_BYTES):
        raise gr.Error(sentence, print_exception=False)
    try:
        return storage.make_folder(visitor) / name
    except OSError:
        raise gr.Error(NO_ROOM, print_exception=False) from None


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
