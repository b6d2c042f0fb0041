"""Photographs on a page: those to try, those of visitors, and where a network looked in them."""

import base64
import io
import time
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from shared import images

GRADIO, SKLEARN = ("gradio", "media_assets/images"), ("sklearn", "datasets/images")
SHOWN, THUMB = 720, 132  # pixels on the longer side of a photograph on the page, and of a small one
FINE = 28  # pixels on a side of what veils a photograph
VEIL = (12, 13, 16, 214)  # its colour, and how dark it is where nothing was looked at
OWN = '<p class="small">A link does not hold your photo: it leads to an example.</p>'


@dataclass(frozen=True)
class Example:
    """A photograph of a package that the site needs anyway.

    Attributes:
        name: For the page.
        folder: The package and the folder of it that holds the file.
        file: Its name.
        description: A sentence for those who do not see it.
    """

    name: str
    folder: tuple[str, str]
    file: str
    description: str

    @property
    def path(self):
        """Where the installed package has it."""
        package, folder = self.folder
        return Path(find_spec(package).origin).parent / folder / self.file


EXAMPLES = {
    "running": Example(
        "Running", GRADIO, "cheetah.jpg", "A cheetah is running across dry ground."
    ),
    "portrait": Example(
        "Portrait", GRADIO, "cheetah1.jpg", "A close up of the face of a cheetah."
    ),
    "lion": Example("Lion", GRADIO, "lion.jpg", "A lion with a dark mane is lying on a rock."),
    "temple": Example("Temple", SKLEARN, "china.jpg", "A Chinese temple stands above a lake."),
    "tower": Example(
        "Tower", GRADIO, "tower.jpg", "A tall iron tower is lit up in the evening."
    ),
    "flower": Example(
        "Flower", SKLEARN, "flower.jpg", "An orange flower in front of dark green leaves."
    ),
    "bus": Example(
        "Drawing", GRADIO, "bus.png", "A drawing of a red bus with a smile on its front."
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Photo:
    """A photograph as a page shows it.

    Attributes:
        pixels: As networks see it, `(224, 224, 3)`.
        address: The photograph itself as a data address.
        ratio: Its width divided by its height.
        example: Its key in `EXAMPLES`, or "" for a visitor's own.
    """

    pixels: np.ndarray
    address: str
    ratio: float
    example: str

    @classmethod
    def of(cls, picture, example=""):
        """The same of a PIL image, as from `images.read`."""
        ratio = picture.width / picture.height
        return cls(images.squash(picture), address(picture), ratio, example)

    @classmethod
    @cache
    def of_example(cls, key):
        """A photograph of `EXAMPLES`."""
        return cls.of(images.read(EXAMPLES[key].path), key)

    @property
    def alt(self):
        """What it is, for those who do not see it."""
        return f"The photo: {EXAMPLES[self.example].description}" if self.example else "Your photo."


def opened(source):
    """A visitor's photograph; what its file said besides goes at once, the file within the hour.

    A file that cannot be read goes at once: it may still say where it was taken.

    Args:
        source: The path of an upload, which is written anew, or the bytes of a file.

    Raises:
        ImageError: if it cannot be read.
    """
    try:
        picture = images.read(source)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise images.ImageError("This photo is no longer here. Upload it again.") from error
    except images.ImageError:
        if isinstance(source, str):
            Path(source).unlink(missing_ok=True)
        raise
    if isinstance(source, str):
        bare = Path(source).with_suffix(f".{time.time_ns()}")
        # Gradio gives equal uploads one path: the next to send this photo must get the same pixels.
        picture.save(bare, "BMP")  # 1 ms; as PNG 50
        bare.replace(source)
    return picture


def address(picture, longest=SHOWN):
    """A PIL image of mode RGB as a data address, a JPEG."""
    small = picture.copy()
    small.thumbnail((longest, longest), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=84)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


@cache
def gallery():
    """The examples as buttons that say their key (`choose.js`)."""
    buttons = "".join(
        f'<button type="button" data-choice="{escape(key)}">'
        f'<img src="{address(images.read(example.path), THUMB)}" alt=""/>'
        f"{escape(example.name)}</button>"
        for key, example in EXAMPLES.items()
    )
    return f'<div class="shots" role="group" aria-label="Examples">{buttons}</div>'


def found(photo, answer):
    """What a network makes of a photograph, beside it.

    Args:
        photo: A `Photo`.
        answer: HTML.
    """
    return (
        f'<div class="found"><img src="{photo.address}" alt="{escape(photo.alt)}"/>'
        f"<div>{answer}</div></div>"
    )


def shot(photo, over="", named=True):
    """A photograph in its proportions, under what lies `over` it.

    Args:
        photo: A `Photo`.
        over: HTML that fills its place.
        named: Whether the photograph alone is named for those who do not see it, or with all that
            lies over it.
    """
    alt = escape(photo.alt)
    named, whole = (alt, "") if named else ("", f' role="img" aria-label="{alt}"')
    return (
        f'<div class="shot" style="--ratio:{photo.ratio:.4f}"{whole}>'
        f'<img src="{photo.address}" alt="{named}"/>{over}</div>'
    )


def veil(attention):
    """A PNG data address that darkens a photograph where less was looked at.

    Args:
        attention: Weights of the grid, `(7, 7)`; the greatest stays clear.
    """
    share = np.asarray(attention, "float32") / max(float(np.max(attention)), 1e-9)
    smooth = Image.fromarray(share).resize((FINE, FINE), Image.Resampling.BICUBIC)
    pixels = np.empty((FINE, FINE, 4), "uint8")
    pixels[:] = VEIL
    pixels[..., 3] = np.rint(VEIL[3] * (1 - np.clip(np.asarray(smooth), 0, 1)))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def looked(attention):
    """Where weights of a grid `(rows, columns)` lie, in words."""
    rows, columns = attention.shape
    flat = np.sort(np.ravel(attention))[::-1]
    half = int(np.searchsorted(np.cumsum(flat), 0.5)) + 1
    row, column = np.unravel_index(int(np.argmax(attention)), (rows, columns))
    down = ("top", "middle", "bottom")[int(row) * 3 // rows]
    across = ("left", "centre", "right")[int(column) * 3 // columns]
    squares = f"{half} of {flat.size} squares" if half > 1 else f"one of {flat.size} squares"
    return f"half of the attention went to {squares}, most of it to the {down} {across}"
