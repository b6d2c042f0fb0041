"""Photos on a page: the examples, visitors' uploads, and where a network attended in them."""

import base64
import io
import uuid
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from markupsafe import Markup
from PIL import Image

from shared import images

GRADIO, SKLEARN = ("gradio", "media_assets/images"), ("sklearn", "datasets/images")
DISPLAY_PIXELS, THUMBNAIL_PIXELS = 720, 132  # on the longer side
OVERLAY_PIXELS = 28  # on each side of the overlay that shows attention; the browser scales it
OVERLAY_COLOUR = (12, 13, 16, 214)  # RGBA where the attention is zero
OWN_PHOTO_NOTE = Markup('<p class="small">Your photo is not in the link: it opens an example.</p>')


@dataclass(frozen=True)
class Example:
    """A photo from a package that the site depends on anyway.

    Attributes:
        name: Label on the page.
        source: The package, and the folder in it that holds the file.
        file: Name of the file.
        description: A sentence for screen readers.
    """

    name: str
    source: tuple[str, str]
    file: str
    description: str

    @property
    def path(self):
        """Path of the file in the installed package.

        Raises:
            FileNotFoundError: if the package is not installed.
        """
        package, folder = self.source
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise FileNotFoundError(f"The package {package} is not installed.")
        return Path(spec.origin).parent / folder / self.file


# The photos about which the networks are right most often come first.
EXAMPLES = {
    "lion": Example("Lion", GRADIO, "lion.jpg", "A lion with a dark mane is lying on a rock."),
    "bus": Example(
        "Drawing", GRADIO, "bus.png", "A drawing of a red bus with a smile on its front."
    ),
    "tower": Example(
        "Tower", GRADIO, "tower.jpg", "A tall iron tower is lit up in the evening."
    ),
    "temple": Example("Temple", SKLEARN, "china.jpg", "A Chinese temple stands above a lake."),
    "running": Example(
        "Running", GRADIO, "cheetah.jpg", "A cheetah is running across dry ground."
    ),
    "portrait": Example(
        "Portrait", GRADIO, "cheetah1.jpg", "A close up of the face of a cheetah."
    ),
    "flower": Example(
        "Flower", SKLEARN, "flower.jpg", "An orange flower in front of dark green leaves."
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Photo:
    """A photo as a page shows it.

    Attributes:
        pixels: What networks see, `(224, 224, 3)` of uint8.
        data_url: The photo in its proportions, for `<img src>`.
        ratio: Its width divided by its height.
        example: Its key in `EXAMPLES`; "" for a visitor's own photo.
    """

    pixels: np.ndarray
    data_url: str
    ratio: float
    example: str

    @classmethod
    def from_image(cls, image, example=""):
        """Make a photo from a PIL image, as `images.read` returns it."""
        ratio = image.width / image.height
        return cls(images.squash(image), to_data_url(image), ratio, example)

    @classmethod
    @cache
    def from_example(cls, key):
        """Load a photo of `EXAMPLES`."""
        return cls.from_image(images.read(EXAMPLES[key].path), key)

    @classmethod
    def from_upload(cls, source, keep_pixels=False):
        """Load a visitor's photo; see `open_upload`."""
        return cls.from_image(open_upload(source, keep_pixels))

    @property
    def alt_text(self):
        """Description for screen readers."""
        return f"The photo: {EXAMPLES[self.example].description}" if self.example else "Your photo."


def open_upload(source, keep_pixels=False):
    """Read a visitor's photo, and delete its file.

    Args:
        source: The path of an upload, or the bytes of a file.
        keep_pixels: Whether a file at the path stays that holds the pixels alone, without metadata
            such as where the photo was taken; one that cannot be read is deleted all the same.

    Returns:
        A PIL image, as from `images.read`.

    Raises:
        UserError: if it cannot be read.
    """
    if isinstance(source, bytes):
        return images.read_apart(source)
    kept = False
    try:
        image = images.read_apart(source)
        if keep_pixels:
            bare = Path(source).with_suffix(f".{uuid.uuid4().hex}")
            image.save(bare, "BMP")  # takes 1 ms; a PNG takes 50
            bare.replace(source)
            kept = True
    finally:
        if not kept:
            with suppress(OSError):  # it was not there, or is a folder
                Path(source).unlink()
    return image


def to_data_url(image, longest=DISPLAY_PIXELS):
    """A PIL image of mode RGB as a data URL, at most `longest` pixels on a side.

    Small pictures are WebP, which takes half the bytes of a JPEG; writing a large one takes
    milliseconds instead of a fraction of one.
    """
    small = image.copy()
    small.thumbnail((longest, longest), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    kind, quality = ("webp", 70) if longest < DISPLAY_PIXELS else ("jpeg", 84)
    small.save(file, kind, quality=quality)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


@cache
def gallery():
    """The examples as buttons; `choose.js` reports the key of the one that is clicked."""
    button = Markup('<button type="button" data-choice="{}"><img src="{}" alt=""/>{}</button>')
    buttons = Markup().join(
        button.format(key, to_data_url(images.read(each.path), THUMBNAIL_PIXELS), each.name)
        for key, each in EXAMPLES.items()
    )
    group = '<div class="shots" role="group" aria-label="Examples">{}</div>'
    return Markup(group).format(buttons)


def draw_photo(photo, overlay="", label_whole=False):
    """A photo in its proportions, under an overlay.

    Args:
        photo: A `Photo`.
        overlay: HTML that covers it.
        label_whole: Whether the description for screen readers is that of photo and overlay
            together, so that they do not read out the overlay.
    """
    role = Markup(' role="img" aria-label="{}"').format(photo.alt_text) if label_whole else ""
    return Markup(
        '<div class="shot" style="--ratio:{:.4f}"{}><img src="{}" alt="{}"/>{}</div>'
    ).format(photo.ratio, role, photo.data_url, "" if label_whole else photo.alt_text, overlay)


def attention_overlay(attention):
    """The data URL of a PNG that darkens a photo where there is less attention.

    Args:
        attention: Weights of the grid `(rows, columns)`; where they are greatest it is clear.
    """
    share = np.asarray(attention, "float32") / max(float(np.max(attention)), 1e-9)
    size = (OVERLAY_PIXELS, OVERLAY_PIXELS)
    smooth = np.asarray(Image.fromarray(share).resize(size, Image.Resampling.BICUBIC))
    pixels = np.empty((*size, 4), "uint8")
    pixels[:] = OVERLAY_COLOUR
    pixels[..., 3] = np.rint(OVERLAY_COLOUR[3] * (1 - np.clip(smooth, 0, 1)))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def describe_attention(attention):
    """Say in words where the weights of a grid `(rows, columns)` lie."""
    rows, columns = attention.shape
    descending = np.sort(np.ravel(attention))[::-1]
    half = int(np.searchsorted(np.cumsum(descending), 0.5)) + 1
    row, column = np.unravel_index(int(np.argmax(attention)), (rows, columns))
    down = ("top", "middle", "bottom")[int(row) * 3 // rows]
    across = ("left", "centre", "right")[int(column) * 3 // columns]
    count = len(descending)
    squares = f"{half} of {count} squares" if half > 1 else f"one of {count} squares"
    return f"half of the attention went to {squares}, most of it to the {down} {across}"
