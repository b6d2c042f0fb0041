"""Photographs whose files say what no photograph does, and the orientation of all others."""

import io
import struct
import tracemalloc
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image, ImageCms

from shared import image_files, images, limits
from shared.errors import UserError

RED, BLUE = (255, 0, 0), (0, 0, 255)
UPRIGHT = {  # the place of the red corner in a file, by its orientation
    1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0),
}  # fmt: skip
MODES = {
    "JPEG": ["RGB", "L", "CMYK"],
    "PNG": ["RGB", "RGBA", "L", "LA", "P", "P clear", "PA", "1", "I;16"],
    "WEBP": ["RGB", "RGBA", "P clear"],
    "AVIF": ["RGB", "RGBA", "L", "LA"],
    "TIFF": ["RGB", "RGBA", "RGBX", "L", "LA", "CMYK", "LAB", "P", "PA", "1", "I", "I;16", "F"],
}


def exif_of(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def saved(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def corner(orientation, mode):
    """A picture that is upright with a dark corner above on the left, as a camera stores it."""
    width, height = (48, 96) if orientation > 4 else (96, 48)
    x, y = UPRIGHT[orientation]
    grey = np.full((height, width), 230, "uint8")
    grey[y * height // 2 : (y + 1) * height // 2, x * width // 2 : (x + 1) * width // 2] = 10
    if mode == "I;16":
        return Image.fromarray(grey.astype("uint16") * 257)
    if mode == "F":
        return Image.fromarray(grey.astype("float32") / 255)
    if mode == "PA":
        return Image.fromarray(grey).convert("LA").convert("PA")
    picture = Image.fromarray(grey)
    if mode == "P clear":  # the light colour is the one that stands for clear
        picture = picture.convert("P")
        picture.info["transparency"] = 230
        return picture
    if mode == "LAB":
        profiles = map(ImageCms.createProfile, ("sRGB", "LAB"))
        colours = ImageCms.buildTransform(*profiles, "RGB", "LAB")
        return ImageCms.applyTransform(picture.convert("RGB"), colours)
    if mode in ("P", "I"):
        return picture.convert(mode)
    return picture.convert("RGB").convert(mode)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("kind", "mode"), [(k, m) for k, modes in MODES.items() for m in modes])
def test_every_kind_and_mode_is_turned_upright(kind, mode, orientation):
    options = {"quality": 95} if kind in ("JPEG", "WEBP", "AVIF") else {}
    picture = corner(orientation, mode)
    try:
        data = saved(picture, kind, exif=exif_of(orientation), **options)
    except OSError:  # Pillow writes no such file
        data = saved(picture.convert("RGBA"), kind, exif=exif_of(orientation), **options)
    upright = images.read(data)
    assert upright.size == (96, 48)
    grey = np.asarray(upright.convert("L"), "float32")
    parts = (grey, grey[:, 48:], grey[24:], grey[24:, 48:])
    quarters = [part[8:16, 16:32].mean() for part in parts]
    assert quarters[0] < 60 and min(quarters[1:]) > 180


def test_the_colours_of_a_jpeg_are_read_alike_for_every_visitor():
    jpeg = saved(Image.new("RGB", (32, 32), RED), "JPEG")
    header_end = 4 + int.from_bytes(jpeg[4:6], "big")
    # Adobe's marker with transform 0: the three components are RGB, not YCbCr.
    adobe = b"\xff\xee\0\x0eAdobe\0\x64" + bytes(5)
    data = jpeg[:2] + adobe + jpeg[header_end:]
    with Image.open(io.BytesIO(data)) as picture:
        expected = np.asarray(picture)
    assert abs(expected[0, 0].astype(int) - RED).max() > 50
    for _ in range(2):
        np.testing.assert_array_equal(images.read(data), expected)
    stripped, _ = image_files.strip(jpeg[:2] + 3 * adobe + jpeg[2:])
    assert stripped.count(b"Adobe") == stripped.count(b"JFIF") == 1


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(*chunks, picture=None):
    """A PNG with further chunks after its header."""
    data = saved(picture or corner(6, "RGB"), "PNG")
    return data[:33] + b"".join(chunks) + data[33:]


XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
EXIF_6 = exif_of(6).tobytes()
EXIF_CHUNK = chunk(b"eXIf", EXIF_6.removeprefix(b"Exif\0\0"))


@pytest.mark.parametrize(
    "part",
    [
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP)),
        EXIF_CHUNK,
        chunk(
            b"zTXt",
            b"Raw profile type exif\0\0"
            + zlib.compress(b"\nexif\n      %d\n%s\n" % (len(EXIF_6), EXIF_6.hex().encode())),
        ),
        chunk(b"tEXt", b"Comment\0" + b"x" * 3_000_000) + EXIF_CHUNK,
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b" " * 3_000_000) + EXIF_CHUNK,
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(10_000_000))) * 20 + EXIF_CHUNK,
        chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10_000_000))) + EXIF_CHUNK,
    ],
    ids=["xmp", "compressed", "exif", "hexadecimal", "comment", "large xmp", "texts", "profile"],
)
def test_metadata_of_a_png_turns_it_and_is_skipped_where_it_is_large(part):
    assert images.read(png_with(part)).size == (96, 48)


def segment(marker, body):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def jpeg_with(*segments, **options):
    """A JPEG with further segments after its first marker."""
    data = saved(corner(6, "RGB"), "JPEG", **options)
    return data[:2] + b"".join(segments) + data[2:]


@pytest.mark.parametrize(
    "parts",
    [
        [segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)],
        [segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"), segment(0xE1, EXIF_6)],
        [segment(0xFE, b"x" * 60_000) * 100, segment(0xE1, EXIF_6)],
        [segment(0xE2, b"MPF\0" + bytes(60_000)) * 50, segment(0xE1, EXIF_6)],
    ],
    ids=["xmp", "xmp and exif", "comments", "more pictures"],
)
def test_metadata_of_a_jpeg_turns_it_and_is_skipped_where_it_is_large(parts):
    assert images.read(jpeg_with(*parts)).size == (96, 48)


def test_what_follows_a_jpeg_is_left_out():
    data = saved(corner(1, "RGB"), "JPEG") + b"\0\0\0\x18ftypmp42" + bytes(10_000)
    stripped, _ = image_files.strip(data)
    assert len(stripped) < len(data) - 10_000
    assert images.read(data).size == (96, 48)


def scans(count):
    """A progressive JPEG whose last scan comes again."""
    data = saved(corner(1, "RGB"), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    tables = data.rindex(b"\xff\xc4", 0, last) if data.rfind(b"\xff\xc4", 0, last) > 0 else last
    return data[:-2] + data[tables:-2] * count + data[-2:]


def tiff(tags, data=b""):
    """A TIFF of 16 by 16 grey pixels with further tags: (number, type, count, value)."""
    base = [(256, 3, 1, 16), (257, 3, 1, 16), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    entries = sorted({entry[0]: entry for entry in [*base, *tags]}.values())
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4) + bytes(256) + data


def tiled(width, samples=1):
    strip = zlib.compress(bytes(1000))
    tags = [(259, 3, 1, 8), (277, 3, 1, samples), (322, 4, 1, width), (323, 4, 1, width)]
    return tiff([*tags, (324, 4, 1, 200), (325, 4, 1, len(strip))], strip)


def exif_bomb(size, entries):
    """EXIF in which every tag stands for all of the data."""
    tags = b"".join(struct.pack("<HHII", n + 1000, 1, size, 8) for n in range(entries))
    return (b"II*\0" + struct.pack("<IH", 8, entries) + tags + bytes(4)).ljust(size + 8, b"\0")


BOMBS = {
    "tiles": tiled(16_384),
    "tiles of four samples": tiled(30_000, 4),
    "strips": tiff([(259, 3, 1, 8), (273, 4, 1, 200), (278, 4, 1, 2**30), (279, 4, 1, 9)]),
    "tags": tiff([(n, 1, 100_000, 8) for n in range(40_000, 60_000)], bytes(100_000)),
    "same data": tiff([(n, 1, 200_000, 8) for n in (324, 325, 338, 340, 341)], bytes(200_000)),
    "pieces": tiff([(273, 4, 300_000, 8), (279, 4, 300_000, 8)], bytes(1_200_000)),
    "big": b"II+\0\x08\0\0\0" + bytes(100),
    "scans": scans(limits.IMAGE_SCANS),
    "segments": jpeg_with(segment(0xE1, b"Exif\0\0x") * (limits.IMAGE_PARTS + 1)),
    "chunks": png_with(chunk(b"tEXt", b"") * (limits.IMAGE_PARTS + 1)),
    "blocks": b"GIF89a\x10\0\x10\0\0\0\0" + b"!\xfe" + b"\x01x" * (limits.IMAGE_PARTS + 1),
    "runs": b"BM" + bytes(28) + b"\1" + bytes(limits.IMAGE_RUN_LENGTH_BYTES),
    "boxes": b"\0\0\0\x10ftypavifavif" * 2 + b"\0\0\0\x08free" * (limits.IMAGE_PARTS + 1),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_that_would_take_the_site_s_memory_or_time_is_refused(name, texts):
    tracemalloc.start()
    with pytest.raises(UserError) as error:
        images.read(BOMBS[name])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    texts(error.value)
    assert peak < 2 * len(BOMBS[name]) + 2**24


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_exif_whose_tags_repeat_its_data_takes_no_memory(kind):
    size, entries = (60_000, 4_000) if kind == "JPEG" else (1_000_000, 60_000)
    picture, bomb = corner(1, "RGB"), exif_bomb(size, entries)
    if kind == "JPEG":
        data = jpeg_with(segment(0xE1, b"Exif\0\0" + bomb[: size - 10]))
    elif kind == "PNG":
        data = png_with(chunk(b"eXIf", bomb))
    elif kind == "TIFF":
        data = saved(picture, "TIFF", exif=exif_of(1))
        data = data[:8] + struct.pack("<H", 1000) + bomb[10:]
    else:
        plain = exif_of(1).tobytes().removeprefix(b"Exif\0\0").ljust(len(bomb), b"\x55")
        data = saved(picture, kind, exif=plain).replace(plain[-len(bomb) + 60 :], bomb[60:])
        data = data.replace(plain[:60], bomb[:60])
    tracemalloc.start()
    with suppress(UserError):
        images.read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * len(data) + 2**24


def test_a_gif_s_comments_are_skipped_and_its_transparency_stays():
    picture = Image.new("P", (20, 20), 1)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    data = saved(picture, "GIF", transparency=1)
    place = data.index(b"!\xf9")
    comment = b"!\xfe" + (b"\xff" + b"x" * 255) * 20_000 + b"\0"
    for large in (data[:place] + comment + data[place:], data[:place] + comment * 2 + data[place:]):
        assert images.read(large).getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "AVIF", "BMP"])
def test_stripping_leaves_the_pixels_as_they_are(kind):
    noise = np.random.default_rng(0).integers(0, 256, (64, 48, 3), "uint8")
    data = saved(Image.fromarray(noise), kind)
    stripped, orientation = image_files.strip(data)
    assert orientation == 1
    before, after = (
        np.asarray(Image.open(io.BytesIO(each)).convert("RGB")) for each in (data, stripped)
    )
    np.testing.assert_array_equal(np.asarray(after), np.asarray(before))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "AVIF", "BMP"])
def test_a_file_cut_anywhere_is_read_or_refused(kind):
    data = saved(corner(6, "RGB"), kind, **({} if kind in ("GIF", "BMP") else {"exif": exif_of(6)}))
    for end in range(0, len(data), max(1, len(data) // 60)):
        try:
            assert images.read(data[:end] or b"\0").mode == "RGB"
        except UserError as error:
            assert str(error).endswith(".")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"8BPS\0\1", "Photoshop"),
    ],
)
def test_a_format_that_is_not_read_is_named(data, name):
    with pytest.raises(UserError, match=name):
        images.read(data + bytes(100))


def test_a_file_of_too_many_bytes_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "IMAGE_BYTES", 1000)
    (tmp_path / "large.png").write_bytes(bytes(1001))
    for source in (bytes(1001), tmp_path / "large.png"):
        with pytest.raises(UserError, match="file has more than"):
            images.read(source)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff" + b"\xff" * 4_000_000,
        b"\xff\xd8\xff" + b"\0" * 4_000_000,
        b"\xff\xd8" + segment(0xDA, b"x") + b"\xff\0" * 2_000_000,
        b"GIF89a\x10\0\x10\0\0\0\0" + b"!" * 60_000,
        b"RIFF\0\0\0\0WEBP" + b"XMP \xff\xff\xff\x7f" + b"tiff:Orientation" * 60_000,
    ],
    ids=["fill", "zeros", "data", "extensions", "xmp"],
)
def test_walking_through_a_file_takes_linear_time(data, growth):
    def walk(part):
        with suppress(UserError):
            image_files.strip(part)

    assert growth(walk, data, data[: len(data) // 2]) < 2.5
