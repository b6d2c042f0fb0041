"""The input of a page about a photo: the photo, a box for a visitor's own, and the examples."""

from functools import partial

import gradio as gr

from shared.photos import EXAMPLES, OWN_PHOTO_NOTE, Photo
from shared.site import components, events, uploads
from shared.site.storage import storage


def _load_upload(path):
    """The `Photo` of an upload, of which the page shows the pixels until it has an answer."""
    photo = Photo.from_upload(path, keep_pixels=True)
    storage.discard_soon(path)
    return photo


class PhotoInput:
    """A photo box and a gallery of examples; the page decides where the chosen photo is shown.

    Args:
        default: Key in `photos.EXAMPLES`, for a link that names no example.
        label: Of the photo box, for screen readers.

    Attributes:
        example: Key of the chosen example; "" for a visitor's own photo.
    """

    def __init__(self, default, label="Your photo"):
        self._default = default
        self.example = gr.Textbox(default, visible=False)
        self._gallery = components.photo_gallery()
        self._box = uploads.photo_box(label)

    def on_choose(self, fn, inputs, outputs, **options):
        """Call `fn(load, *inputs)` when a photo is sent or an example clicked.

        `load()` returns the `Photo`; it raises `UserError` if the file cannot be read. The box
        becomes empty: the page shows the photo, and the box is free for the next one.
        """

        def read_upload(path, *values):
            return None, *fn(partial(_load_upload, path), *values)

        def read_example(event: gr.EventData, *values):
            return fn(self.loader(event.choice), *values)

        in_order = {**options, **events.IN_ORDER}
        self._box.upload(read_upload, [self._box, *inputs], [self._box, *outputs], **options)
        self._gallery.click(read_example, inputs, outputs, **in_order)

    def loader(self, key):
        """The function that loads an example, the default one if there is none of that key."""
        return partial(Photo.from_example, key if key in EXAMPLES else self._default)

    def explain_link(self, button):
        """Say after a click on the "Copy link" button that a visitor's own photo is not in it."""
        note = components.html()
        button.click(
            lambda example: "" if example else str(OWN_PHOTO_NOTE),
            self.example,
            note,
            **events.IMMEDIATE,
        )
