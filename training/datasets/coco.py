"""COCO's photographs and captions (Lin et al. 2014), split by photograph.

They are read from the official downloads, unpacked or not, or from repacked files:
`vqa/coco_images.tar` and `vision/coco_photos_more.tar`, of which either may be missing, with
photographs resized to 224 by 224 pixels, and `captioning/coco_captions.jsonl.xz` with rows
`{"image", "split", "captions"}`. Of the official downloads, the photographs of val2014 are the
test, and one in twenty of train2014 the validation.
"""

import json
import zlib
from collections import ChainMap
from pathlib import Path

from training.datasets.download import check_part, fetch, read_json_lines_xz, read_member
from training.datasets.pictures import Pictures

PARTS = ("train", "val", "test")
PHOTOS = "http://images.cocodataset.org/zips"
ANNOTATIONS = "http://images.cocodataset.org/annotations/annotations_trainval2014.zip"
TARS = ("vqa/coco_images.tar", "vision/coco_photos_more.tar")
VALIDATION_EVERY = 20  # one in so many photographs of train2014 is for validation


def photo_name(half, number):
    """The file name of a photograph of train2014 or val2014."""
    return f"COCO_{half}2014_{int(number):012d}.jpg"


def is_validation(name):
    """Whether a photograph of train2014 is for validation."""
    return zlib.crc32(name.encode()) % VALIDATION_EVERY == 0


def read_captions(data_dir, part):
    """The captions of the photographs of a part.

    Args:
        data_dir: Folder of corpora.
        part: `"train"`, `"val"` or `"test"`.

    Returns:
        Dict from the names of photographs to tuples of captions.

    Raises:
        ValueError: if there is no such part.
        FileNotFoundError: if the corpus is not there and cannot be downloaded.
    """
    check_part(part, PARTS)
    repacked = Path(data_dir) / "captioning" / "coco_captions.jsonl.xz"
    if repacked.exists():
        rows = read_json_lines_xz(repacked)
        return {row["image"]: tuple(row["captions"]) for row in rows if row["split"] == part}
    half = "val" if part == "test" else "train"
    file = f"captions_{half}2014.json"
    content = json.loads(read_member(ANNOTATIONS, Path(data_dir), file, "annotations"))
    captions = {}
    for each in content["annotations"]:
        name = photo_name(half, each["image_id"])
        if half == "val" or is_validation(name) == (part == "val"):
            captions.setdefault(name, []).append(each["caption"])
    return {name: tuple(texts) for name, texts in captions.items()}


def pictures(data_dir):
    """The photographs by name; errors as for `read_captions`."""
    data_dir = Path(data_dir)
    repacked = [file for name in TARS if (file := data_dir / name).exists()]
    if repacked:
        return ChainMap(*map(Pictures, repacked))
    halves = []
    for name in ("train2014", "val2014"):
        folder = data_dir / name
        if not folder.is_dir():
            folder = fetch(f"{PHOTOS}/{name}.zip", None, data_dir / f"{name}.zip")
        halves.append(Pictures(folder))
    return ChainMap(*halves)
