"""The files of photographs, checked and relieved of their metadata before anything decodes them.

Decoders trust what a file says of itself: that a comment ends soon, that a tile is no larger than
the picture, that a list of tags is short. This module walks the parts of a file in linear time,
keeps those that pixels need, and reads from the others one thing only: how the camera was held.
"""

import re
import struct
import zlib

from shared import limits
from shared.errors import UserError

_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff])")
_JPEG_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # neither data nor a restart
_JPEG_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a segment
_JPEG_METADATA = {*range(0xE0, 0xF0), 0xFE}
_JPEG_COLOUR_METADATA = {0xE0: b"JFIF\0", 0xEE: b"Adobe"}  # says how colours are stored
_PNG_PIXEL_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_TIFF_HEADERS = {b"II*\0": "<", b"MM\0*": ">"}
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # by type
# Tags that pixels depend on: https://www.loc.gov/preservation/digital/formats/content/tiff_tags.shtml
_TIFF_PIXEL_TAGS = {
    *(254, *range(256, 260), 262, 266, 273, *range(277, 280), 284, 292, 293, 317, 320),
    *(*range(322, 326), *range(338, 342), 347, *range(512, 522), *range(529, 533)),
}
_WIDTH, _HEIGHT, _STRIPS, _ORIENTATION, _SAMPLES, _STRIP_ROWS = 256, 257, 273, 274, 277, 278
_TILE_WIDTH, _TILE_HEIGHT, _TILES = 322, 323, 324
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_CUT_OFF = struct.error, IndexError  # of a file that ends too early: what is there is decoded


def strip(data):
    """A photograph's file without metadata, and its orientation.

    Args:
        data: The bytes of a file of any format.

    Returns:
        The bytes of a file that decodes to the same pixels, and the orientation as in EXIF: 1 for
        upright, up to 8.

    Raises:
        UserError: if decoding it would take more time or memory than a photograph does.
    """
    for signature, function in (
        (b"\xff\xd8\xff", _strip_jpeg),
        (b"\x89PNG\r\n\x1a\n", _strip_png),
        (b"GIF8", _strip_gif),
        (b"RIFF", _read_webp),
        (b"BM", _check_bmp),
        *((header, _strip_tiff) for header in _TIFF_HEADERS),
    ):
        if data.startswith(signature):
            return function(data)
    if data[4:8] == b"ftyp":
        return _strip_avif(data)
    if data[:2] in (b"II", b"MM"):
        raise UserError("This kind of TIFF is not read here. Save the photo as a JPEG or PNG.")
    return data, 1


def _strip_jpeg(data):
    view = memoryview(data)
    parts: list[bytes | memoryview] = [view[:2]]
    colour_metadata, orientations = dict(_JPEG_COLOUR_METADATA), []
    position, segments, scans = 2, 0, 0
    while marker := _JPEG_MARKER.search(data, position):
        kind, start = marker[1][0], marker.start()
        position = marker.end()
        segments = _count(segments)
        if kind in _JPEG_ALONE:
            continue
        if kind == 0xD9:  # the end: what follows are other pictures or films
            parts.append(b"\xff\xd9")
            break
        end = position + int.from_bytes(data[position : position + 2], "big")
        body = data[position + 2 : end]
        if end < position + 2:
            break
        if kind == 0xDA:
            scans += 1
            if scans > limits.IMAGE_SCANS:
                raise UserError(
                    f"This JPEG is stored in more than {limits.IMAGE_SCANS} passes, which no "
                    "camera does. Save it again."
                )
            after = _JPEG_AFTER_SCAN.search(data, end)
            end = after.start() if after else len(data)
        elif kind in _JPEG_METADATA:
            if kind == 0xE1 and len(orientations) < 10:
                orientations.append(read_exif(body.removeprefix(b"Exif\0\0"), body))
            if kind not in colour_metadata or not body.startswith(colour_metadata[kind]):
                position = end
                continue
            del colour_metadata[kind]  # one of each kind is enough
        parts.append(view[start:end])
        position = end
    return b"".join(parts), next((turn for turn in orientations if turn > 1), 1)


def _strip_png(data):
    parts, orientation = [data[:8]], 1
    position, chunks = 8, 0
    while position + 8 <= len(data):
        chunks = _count(chunks)
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if kind in _PNG_PIXEL_CHUNKS:
            parts.append(memoryview(data)[position:end])
        elif orientation == 1 and length < limits.IMAGE_METADATA_BYTES:
            orientation = _read_png_metadata(kind, data[position + 8 : end - 4])
        if kind == b"IEND":
            break
        position = end
    return b"".join(parts), orientation


def _read_png_metadata(kind, body):
    """The orientation in a chunk: EXIF, XMP, or ImageMagick's EXIF in hexadecimal digits."""
    if kind == b"eXIf":
        return read_exif(body)
    keyword, _, rest = body.partition(b"\0")
    if kind == b"iTXt" and keyword == b"XML:com.adobe.xmp":
        compressed, text = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
        return read_exif(b"", _inflate(text) if compressed else text)
    if kind in (b"zTXt", b"tEXt") and keyword in (
        b"Raw profile type exif",
        b"Raw profile type APP1",
    ):
        text = _inflate(rest[1:]) if kind == b"zTXt" else rest
        digits = b"".join(text.split()[2:])  # after the name and the length
        if re.fullmatch(rb"[0-9a-fA-F]+", digits) and len(digits) % 2 == 0:
            return read_exif(bytes.fromhex(digits.decode()).removeprefix(b"Exif\0\0"))
    return 1


def _inflate(data):
    try:
        return zlib.decompressobj().decompress(data, limits.IMAGE_METADATA_BYTES)
    except zlib.error:
        return b""


def _strip_gif(data):
    """Up to the first frame, of the extensions only what says which colour is transparent."""
    try:
        position = 13 + (3 * 2 ** ((data[10] & 7) + 1) if data[10] & 128 else 0)
        parts, control, blocks = [data[:position]], b"", 0
        while data[position] != 0x2C:
            start = position
            if data[position] != 0x21:
                position += 1
            else:
                position += 2
                while data[position]:
                    blocks = _count(blocks)
                    position += data[position] + 1
                position += 1
            blocks = _count(blocks)
            if data[start : start + 2] == b"!\xf9":
                control = data[start:position]
    except _CUT_OFF:
        return data[:13], 1
    return b"".join([*parts, control, memoryview(data)[position:]]), 1


def _read_webp(data):
    position, chunks, orientation = 12, 0, 1
    while position + 8 <= len(data) and orientation == 1:
        chunks = _count(chunks)
        kind, length = struct.unpack_from("<4sI", data, position)
        body = data[position + 8 : position + 8 + min(length, limits.IMAGE_METADATA_BYTES)]
        if kind == b"EXIF":
            orientation = read_exif(body.removeprefix(b"Exif\0\0"))
        elif kind == b"XMP ":
            orientation = read_exif(b"", body)
        position += 8 + length + length % 2
    return data, orientation


def _check_bmp(data):
    if data[30:31] in (b"\1", b"\2") and len(data) > limits.IMAGE_RUN_LENGTH_BYTES:
        raise UserError("This BMP is compressed and large. Save the photo as a JPEG or PNG.")
    return data, 1


def _strip_avif(data):
    """AVIF without EXIF, which must not turn it: the properties of the picture do."""
    boxes, position, parts = 0, 0, []
    while position + 8 <= len(data):
        boxes = _count(boxes)
        length, kind = struct.unpack_from(">I4s", data, position)
        if length == 1 and position + 16 <= len(data):
            length = struct.unpack_from(">Q", data, position + 8)[0]
        end = position + length if length >= 8 else len(data)
        box = data[position:end]
        parts.append(box.replace(b"Exif", b"none") if kind == b"meta" else box)
        position = end
    return b"".join(parts), 1


def _strip_tiff(data):
    """TIFF whose first list of tags holds only what pixels depend on, and leads to no other."""
    order = _TIFF_HEADERS[data[:4]]
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        entries = _read_tags(data, start, order)
    except _CUT_OFF:
        return data[:8], 1
    values = {tag: _read_tag(data, entry, order) for tag, entry in entries.items()}
    _check_tiff(values, entries)
    needed = [entry for tag, entry in entries.items() if tag in _TIFF_PIXEL_TAGS]
    if sum(size for *_, size, _ in needed) > 2 * len(data):
        raise UserError("This TIFF holds the same data many times. Save it again.")
    table = struct.pack(f"{order}H", len(needed)) + b"".join(raw for *_, raw in needed) + bytes(4)
    orientation = values.get(_ORIENTATION, 1)
    view = memoryview(data)
    stripped = b"".join((view[:start], table, view[start + len(table) :]))
    return stripped, orientation if 1 <= orientation <= 8 else 1


def _read_tags(data, start, order):
    """The entries of a list of tags: `{tag: (type, count, size in bytes, the entry's bytes)}`."""
    (count,) = struct.unpack_from(f"{order}H", data, start)
    if count > limits.IMAGE_TAGS:
        raise UserError("This photo's list of properties is far too long. Save it again.")
    entries = {}
    for n in range(count):
        raw = data[start + 2 + 12 * n : start + 14 + 12 * n]
        tag, kind, values = struct.unpack(f"{order}HHI", raw[:8])
        entries.setdefault(tag, (kind, values, values * _TIFF_SIZES.get(kind, 1), raw))
    return entries


def _read_tag(data, entry, order):
    """The first value of an entry of whole numbers, or 0."""
    kind, count, size, raw = entry
    form = {1: "B", 3: "H", 4: "I"}.get(kind)
    if not form or not count:
        return 0
    try:
        place = struct.unpack(f"{order}I", raw[8:])[0] if size > 4 else 0
        return struct.unpack_from(order + form, data if size > 4 else raw, place or 8)[0]
    except struct.error:
        return 0


def _check_tiff(values, entries):
    """Refuse tiles and strips that are larger than the picture, or too many of them."""
    pixels = values.get(_WIDTH, 0) * values.get(_HEIGHT, 0)
    tile = values.get(_TILE_WIDTH, 0) * values.get(_TILE_HEIGHT, 0)
    rows = values.get(_STRIP_ROWS, 0)
    strip = values.get(_WIDTH, 0) * rows if rows < 2**31 else 0  # as many as there are
    if max(tile, strip) > max(2 * pixels, limits.IMAGE_TILE_PIXELS):
        raise UserError("The tiles of this TIFF are larger than its picture. Save it again.")
    if any(entries[tag][1] > limits.IMAGE_TILES for tag in (_STRIPS, _TILES) if tag in entries):
        raise UserError("This TIFF consists of far too many pieces. Save it as a JPEG or PNG.")
    if values.get(_SAMPLES, 1) > limits.IMAGE_CHANNELS:
        raise UserError("This TIFF has more channels than a photo. Save it as a JPEG or PNG.")


def read_exif(exif, xmp=b""):
    """The orientation that EXIF or XMP names, 1 where neither does."""
    order = _TIFF_HEADERS.get(exif[:4])
    try:
        if order:
            (start,) = struct.unpack_from(f"{order}I", exif, 4)
            (count,) = struct.unpack_from(f"{order}H", exif, start)
            for n in range(min(count, limits.IMAGE_TAGS)):
                raw = exif[start + 2 + 12 * n : start + 14 + 12 * n]
                tag, kind, values = struct.unpack(f"{order}HHI", raw[:8])
                if tag == _ORIENTATION:
                    turn = _read_tag(exif, (kind, values, 0, raw), order)
                    return turn if 1 <= turn <= 8 else 1
    except struct.error:
        return 1
    match = _XMP_ORIENTATION.search(xmp)
    return int(match[1]) if match else 1


def _count(parts):
    """One more than `parts`, unless a file has too many."""
    if parts >= limits.IMAGE_PARTS:
        raise UserError("This photo consists of far too many pieces. Save it again.")
    return parts + 1
