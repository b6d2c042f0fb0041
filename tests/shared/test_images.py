import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from shared import images
from shared.errors import UserError

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def halves(mode="RGB", size=(64, 32)):
    """Red on the left, blue on the right."""
    picture = Image.new("RGB", size, RED)
    picture.paste(BLUE, (size[0] // 2, 0, *size))
    return picture.convert(mode)


def saved(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def near(picture, place, colour, within=12):
    return np.abs(np.subtract(picture.getpixel(place), colour)).max() <= within


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "RGB"), ("PNG", "P"), ("PNG", "RGBA"),
        ("WEBP", "RGB"), ("GIF", "P"), ("BMP", "RGB"), ("TIFF", "CMYK"),
    ],
)  # fmt: skip
def test_every_kind_of_file_shows_its_colours(kind, mode):
    picture = images.read(saved(halves(mode), kind))
    assert picture.mode == "RGB"
    assert picture.size == (64, 32)
    assert near(picture, (8, 16), RED)
    assert near(picture, (56, 16), BLUE)


def test_a_path_an_image_and_an_array_are_read_alike(tmp_path):
    (tmp_path / "a.png").write_bytes(saved(halves(), "PNG"))
    sources = [tmp_path / "a.png", str(tmp_path / "a.png"), halves(), np.asarray(halves())]
    for source in sources:
        np.testing.assert_array_equal(np.asarray(images.read(source)), np.asarray(halves()))


@pytest.mark.parametrize("mode", ["La", "RGBa", "HSV", "YCbCr", "LAB", "RGBX"])
def test_a_picture_in_a_mode_that_few_files_have_is_read(mode):
    if mode == "La":
        picture = halves("LA").convert("La")
    elif mode == "RGBa":
        picture = halves("RGBA").convert("RGBa")
    elif mode == "LAB":
        picture = Image.new("LAB", (64, 32), (140, 0, 0))
    else:
        picture = halves(mode)
    read = images.read(picture)
    assert (read.mode, read.size) == ("RGB", (64, 32))
    assert picture.mode in ("La", "LAB") or near(read, (8, 16), RED)


def test_the_whole_picture_is_squashed_to_a_square():
    pixels = images.squash(images.read(saved(halves(size=(400, 100)), "PNG")))
    assert pixels.shape == (224, 224, 3)
    assert pixels.dtype == np.uint8
    assert (pixels[:, :100] == RED).all()
    assert (pixels[:, 124:] == BLUE).all()


@pytest.mark.parametrize(
    ("orientation", "size", "red"),
    [
        (1, (64, 32), (8, 16)),
        (3, (64, 32), (56, 16)),
        (6, (32, 64), (16, 8)),
        (8, (32, 64), (16, 56)),
    ],
)
def test_the_camera_s_orientation_is_applied(orientation, size, red):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = images.read(saved(halves(), "JPEG", exif=exif, quality=95))
    assert picture.size == size
    assert near(picture, red, RED)


def test_the_place_and_everything_else_that_a_file_says_is_dropped():
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    exif.get_ifd(0x8825)[1] = "N"
    data = saved(halves(), "JPEG", exif=exif, comment=b"my garden")
    assert b"A camera" in data and b"my garden" in data
    picture = images.read(data)
    assert not picture.info
    again = saved(picture, "JPEG")
    assert b"A camera" not in again and b"my garden" not in again


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_nonsense_for_metadata_turns_nothing():
    data = saved(halves(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff nonsense")
    assert images.read(data).size == (64, 32)


def test_transparency_lies_on_white():
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    assert images.read(saved(clear, "PNG")).getpixel((5, 5)) == WHITE
    half = Image.new("RGBA", (20, 20), (255, 0, 0, 128))
    assert near(images.read(saved(half, "PNG")), (5, 5), (255, 127, 127), within=2)
    palette = Image.new("P", (20, 20), 3)
    palette.putpalette([0] * 768)
    assert images.read(saved(palette, "PNG", transparency=3)).getpixel((5, 5)) == WHITE


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_become_eight(kind):
    ramp = np.tile(np.linspace(0, 65535, 256).astype("uint16"), (16, 1))
    grey = np.asarray(images.read(saved(Image.fromarray(ramp), kind)))[0, :, 0]
    np.testing.assert_allclose(grey, np.arange(256), atol=1)


@pytest.mark.parametrize(
    ("mode", "dtype", "white"),
    [("I;16", "<u2", 65535), ("I;16B", ">u2", 65535), ("I", "<i4", 255), ("F", "<f4", 1)],
)
def test_many_bits_are_made_small_before_anything_else(mode, dtype, white):
    board = np.kron(np.indices((4, 4)).sum(axis=0) % 2 * white, np.ones((750, 750)))
    data = saved(Image.frombytes(mode, board.shape, board.astype(dtype).tobytes()), "TIFF")
    tracemalloc.start()
    picture = images.read(data)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < len(data) + 20 * 2**20
    assert picture.size == (1024, 1024)
    cells = np.asarray(picture)[128::256, 128::256, 0]
    np.testing.assert_array_equal(cells, np.indices((4, 4)).sum(axis=0) % 2 * 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_large_transparent_picture_is_as_its_small_one(mode):
    picture = Image.new("RGB", (2048, 2048), (90, 90, 90)).convert(mode)
    picture.paste(0, (1024, 0, 2048, 2048))  # clear black, which must not show at the edge
    small = np.asarray(images.read(saved(picture, "PNG")))[..., 0]
    assert (small[:, :508] == 90).all() and (small[:, 516:] == 255).all()
    assert small.min() >= 70


def test_a_colour_that_stands_for_clear_is_found_before_pixels_are_mixed():
    stripes = np.zeros((2048, 2048), "uint8")
    stripes[:, ::2] = 200
    data = saved(Image.fromarray(stripes), "PNG", transparency=200)
    assert near(images.read(data), (500, 500), (127, 127, 127), within=2)


def test_floats_from_0_to_1_become_eight_bits():
    ramp = np.tile(np.linspace(0, 1, 256, dtype="float32"), (16, 1))
    grey = np.asarray(images.read(saved(Image.fromarray(ramp), "TIFF")))[0, :, 0]
    np.testing.assert_allclose(grey, np.arange(256), atol=1)


def test_the_first_frame_stands_for_an_animation():
    frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, BLUE)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert near(images.read(data), (5, 5), RED)


def test_a_wide_picture_is_kept_small_with_its_proportions():
    picture = images.read(saved(Image.new("L", (12_000, 3_000), 128), "PNG"))
    assert picture.size == (1024, 256)
    assert images.squash(picture).shape == (224, 224, 3)


def bomb(width, height):
    """A PNG of a few bytes that says it is enormous."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def torn(kind):
    data = saved(Image.effect_noise((200, 200), 90).convert("RGB"), kind)
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (None, "no photo yet"),
        (b"", "file is empty"),
        (b"This is a letter, whatever it is called.", "not a photo that can be read"),
        (b"%PDF-1.7 and so on", "not a photo that can be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a photo that can be read"),
        (torn("JPEG"), "damaged or was cut off"),
        (torn("PNG"), "damaged or was cut off"),
        (torn("WEBP"), "damaged"),
        (b"\xff\xd8\xff\xe0", "not a photo|damaged"),
        (bomb(8_000, 8_000), "8,000 × 8,000 pixels; at most 50 million"),
        (bomb(100_000, 100_000), "at most 50 million|more than 50 million"),
        (saved(Image.new("RGB", (1, 1)), "PNG"), "1 × 1 pixels, too small"),
        (saved(Image.new("RGB", (500, 2)), "PNG"), "500 × 2 pixels, too small"),
    ],
    ids=["none", "empty", "text", "pdf", "svg", "torn jpeg", "torn png", "torn webp", "a header",
         "large", "bomb", "one pixel", "a line"],
)  # fmt: skip
def test_what_is_no_photo_gets_a_sentence(source, sentence):
    with pytest.raises(UserError, match=sentence) as refusal:
        images.read(source)
    assert str(refusal.value).endswith(".")
