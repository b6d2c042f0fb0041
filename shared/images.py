"""Pictures of visitors: read with suspicion, upright, in RGB, with nothing kept but the pixels."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MOST_PIXELS = 50_000_000
FEWEST = 8  # pixels on a side: a smaller picture shows nothing
LARGEST = 1024  # pixels on a side of what is kept
SIZE = 224  # of what networks see


class ImageError(ValueError):
    """The picture cannot be used; the message is a sentence for the page."""


def read(source):
    """A picture, upright, as RGB and without metadata.

    The orientation that a camera wrote down is applied, transparency lies on white, the first
    frame stands for an animation, and more than 8 bits a channel become 8.

    Args:
        source: A path, the bytes of a file, a PIL image or an array `(height, width, 3)` of uint8.

    Returns:
        A PIL image of mode RGB, at most `LARGEST` pixels on a side, with its proportions.

    Raises:
        ImageError: if there is none, it is no picture, damaged, too small or too large.
    """
    image = _open(source)
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise ImageError(
            f"This photo is {width:,} × {height:,} pixels; at most "
            f"{MOST_PIXELS // 1_000_000} million are read. Make it smaller first."
        )
    if min(width, height) < FEWEST:
        raise ImageError(
            f"This photo is {width:,} × {height:,} pixels, too small to show anything. Take one "
            f"with at least {FEWEST} pixels on each side."
        )
    try:
        image.draft("RGB", (LARGEST, LARGEST))  # a large JPEG is decoded at a fraction of its size
        image.load()
    except Exception as error:  # each format's decoder raises errors of its own
        raise ImageError(
            "This photo is damaged or was cut off: not all of it can be read. Save or download "
            "it again."
        ) from error
    image = _upright(_rgb(image))
    bare = Image.new("RGB", image.size)  # what a copy would keep, a place among it, stays behind
    bare.paste(image)
    return bare


def squash(image):
    """What networks see of a picture: the whole of it squashed to a square, nothing cut off.

    Args:
        image: A PIL image, as from `read`.

    Returns:
        Array `(224, 224, 3)` of uint8.
    """
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def _open(source):
    if source is None:
        raise ImageError("There is no photo yet. Upload one, paste one, or take one.")
    if isinstance(source, Image.Image):
        return source.copy()
    if isinstance(source, np.ndarray):
        return Image.fromarray(source)
    data = Path(source).read_bytes() if isinstance(source, str | Path) else source
    if not data:
        raise ImageError("This file is empty. Choose another photo.")
    try:
        with warnings.catch_warnings():
            # Pillow warns of what it takes for a bomb; the limit of pixels is ours.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"This photo unpacks to far more than {MOST_PIXELS // 1_000_000} million pixels, the "
            "most that are read. Make it smaller first."
        ) from error
    except UnidentifiedImageError as error:
        raise ImageError(
            "This file is not a photo that can be read, whatever its name says. Try a JPEG, PNG, "
            "WebP or GIF."
        ) from error
    except Exception as error:  # a header that Pillow knows, and nonsense after it
        raise ImageError(
            "This photo is damaged: its header makes no sense. Save or download it again."
        ) from error


def _rgb(image):
    """In RGB, with 8 bits a channel, on white, at most `LARGEST` pixels on a side."""
    deep = image.mode.startswith(("I", "F"))
    clear = "A" in image.mode or "a" in image.mode or "transparency" in image.info
    if deep:
        # Asked before pixels are mixed: the mixtures overshoot.
        white = 65535 if image.mode.startswith("I;16") or image.getextrema()[1] > 255 else 255
        if image.mode == "F" and image.getextrema()[1] <= 1:
            white = 1
        if image.mode.startswith("I;16"):
            image = image.convert("I")  # Pillow mixes 16 bits wrongly
    elif image.mode in ("1", "P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA" if clear else "RGB")  # numbers of colours cannot be mixed
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.BICUBIC)  # else the rest fills memory
    if deep:
        values = np.asarray(image, "float32") * 255 / white
        return Image.fromarray(np.clip(values, 0, 255).astype("uint8")).convert("RGB")
    if clear:
        over = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB")
    return image.convert("RGB")


def _upright(image):
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # metadata that cannot be read turns nothing
        return image
