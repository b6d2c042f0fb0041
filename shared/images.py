"""Reads the photographs of visitors: upright, in RGB, and without any metadata."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from shared import image_files, limits, workers
from shared.errors import UserError

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
MAX_SIDE = 1024  # pixels on the longer side of what `read` returns
SIZE = 224  # pixels on a side of the networks' input

# How to turn a picture upright, by the orientation of EXIF.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Formats that people have and Pillow does not read: their brands, or how their files begin.
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_UNREAD = {
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"8BPS": "Photoshop",
    b"%PDF": "PDF",
}


def read(source):
    """A picture, upright, as RGB and without metadata.

    The orientation that a camera wrote down is applied, transparency lies on white, the first
    frame stands for an animation, and more than 8 bits a channel become 8.

    Args:
        source: A path, the bytes of a file, a PIL image or an array `(height, width, 3)` of uint8.

    Returns:
        A PIL image of mode RGB, at most `MAX_SIDE` pixels on a side, with its proportions.

    Raises:
        UserError: if there is none, it is no picture, damaged, too small or too large.
    """
    image, orientation = _open(source)
    width, height = image.size
    most = limits.IMAGE_PIXELS // 1_000_000
    if width * height > limits.IMAGE_PIXELS:
        raise UserError(
            f"This photo is {width:,} × {height:,} pixels; at most {most} million are read. Make "
            "it smaller first."
        )
    if min(width, height) < limits.IMAGE_MIN_SIDE_PIXELS:
        raise UserError(
            f"This photo is {width:,} × {height:,} pixels, too small to show anything. Take one "
            f"with at least {limits.IMAGE_MIN_SIDE_PIXELS} pixels on each side."
        )
    try:
        image.draft("RGB", (MAX_SIDE, MAX_SIDE))  # a large JPEG is decoded at a fraction
        image.load()
        if image.format == "AVIF":  # Pillow tells here how the picture itself is turned
            exif = image.info.get("exif", b"").removeprefix(b"Exif\0\0")
            orientation = image_files.read_exif(exif)
        image = _rgb(image)
    except MemoryError:
        raise
    except Exception as error:  # each format's decoder raises errors of its own
        raise UserError(
            "This photo is damaged or was cut off: not all of it can be read. Save or download "
            "it again."
        ) from error
    if orientation in _TURNS:
        image = image.transpose(_TURNS[orientation])
    bare = Image.new("RGB", image.size)  # without the metadata that a copy would keep
    bare.paste(image)
    return bare


def read_apart(source):
    """`read` in a child process with limits of memory and time: for what strangers send.

    Args:
        source: A path, or the bytes of a file.

    Raises:
        UserError: that of `read` or `shared.workers`, or if the file is not there.
    """
    source = source if isinstance(source, bytes) else str(source)
    size, pixels = workers.call(_read_pixels, source)
    return Image.frombytes("RGB", size, pixels)


def _read_pixels(source):
    """The size and the bytes of a picture; called in a child process."""
    from PIL import AvifImagePlugin

    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # each takes address space
    try:
        image = read(source)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UserError("This photo is no longer here. Upload it again.") from error
    return image.size, image.tobytes()


def squash(image):
    """What networks see of a picture: the whole of it squashed to a square, nothing cut off.

    Args:
        image: A PIL image, as from `read`.

    Returns:
        Array `(224, 224, 3)` of uint8.
    """
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def _open(source):
    """The picture, not yet decoded where it is a file, and its orientation."""
    if source is None:
        raise UserError("There is no photo yet. Upload one, paste one, or take one.")
    if isinstance(source, Image.Image):
        return source.copy(), _orientation_of(source)
    if isinstance(source, np.ndarray):
        return Image.fromarray(source), 1
    is_path = isinstance(source, str | Path)
    if (Path(source).stat().st_size if is_path else len(source)) > limits.IMAGE_BYTES:
        raise UserError(
            f"This photo's file has more than {limits.IMAGE_BYTES // limits.MIB} MB. Make it "
            "smaller first."
        )
    data = Path(source).read_bytes() if is_path else source
    if not data:
        raise UserError("This file is empty. Choose another photo.")
    _refuse_unread(data)
    stripped, orientation = image_files.strip(data)
    try:
        with warnings.catch_warnings():
            # Pillow warns of what it takes for a bomb; the limit of pixels is ours.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(stripped), formats=FORMATS), orientation
    except Image.DecompressionBombError as error:
        raise UserError(
            f"This photo unpacks to far more than {limits.IMAGE_PIXELS // 1_000_000} million "
            "pixels, the most that are read. Make it smaller first."
        ) from error
    except UnidentifiedImageError as error:
        raise UserError(
            "This file is not a photo that can be read, whatever its name says. Try a JPEG, PNG, "
            "WebP, AVIF or GIF."
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # a header that Pillow knows, and nonsense after it
        raise UserError(
            "This photo is damaged: its header makes no sense. Save or download it again."
        ) from error


def _refuse_unread(data):
    """Refuse the formats that people have and Pillow does not read, by name."""
    if data[4:8] == b"ftyp":
        brands = data[8 : min(int.from_bytes(data[:4], "big"), 200)]
        brands = {brands[n : n + 4] for n in range(0, len(brands), 4)}
        if brands & _HEIC_BRANDS and not brands & {b"avif", b"avis"}:
            raise UserError(
                "This is a HEIC photo, as iPhones take them, which cannot be read here. Export it "
                "as a JPEG, or choose “Most Compatible” in the settings of the camera."
            )
    for start, name in _UNREAD.items():
        if data.startswith(start):
            raise UserError(
                f"This is a {name} file, not a photo that can be read here. Save it as a JPEG or "
                "PNG."
            )


def _orientation_of(image):
    try:
        return image.getexif().get(0x0112, 1)
    except Exception:  # metadata that cannot be read turns nothing
        return 1


def _rgb(image):
    """In RGB, with 8 bits a channel, on white, at most `MAX_SIDE` pixels on a side."""
    if image.mode == "La":  # which Pillow turns into nothing else
        image = image.convert("LA")
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
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BICUBIC)  # else the rest fills memory
    if deep:
        values = np.asarray(image, "float32") * 255 / white
        return Image.fromarray(np.clip(values, 0, 255).astype("uint8")).convert("RGB")
    if clear:
        over = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB")
    return image.convert("RGB")
