"""Flickr8k (Hodosh, Young & Hockenmaier 2013): 8,000 photographs with five captions each.

Reads the official archives, unpacked or not, or the same repacked: photographs squashed to 224 by
224 pixels in `captioning/flickr8k_images.tar`, and `captioning/flickr8k_captions.jsonl.xz` with
rows `{"image", "split", "captions"}`. The split is the official one: 6,000, 1,000 and 1,000.
"""

import json
import lzma
import zipfile
from dataclasses import dataclass
from pathlib import Path

from training.datasets.download import fetch
from training.datasets.pictures import Pictures

PARTS = ("train", "dev", "test")
ARCHIVES = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k"
TEXT, PHOTOS = "Flickr8k_text.zip", "Flickr8k_Dataset.zip"
FOLDERS = ("Flickr8k_Dataset", "Flicker8k_Dataset")  # the archive's own folder is misspelt


@dataclass(frozen=True)
class Photo:
    """A photograph: the name of its file, and its captions."""

    name: str
    captions: tuple[str, ...]


def read(data_dir, part):
    """The photographs of a part, in the official order.

    Args:
        data_dir: Folder of corpora.
        part: `"train"`, `"dev"` or `"test"`.

    Returns:
        List of `Photo`.

    Raises:
        ValueError: if there is no such part.
        FileNotFoundError: if the corpus is not there and cannot be downloaded.
    """
    if part not in PARTS:
        raise ValueError(f"`part` must be one of {PARTS}. Received: part={part!r}")
    repacked = Path(data_dir) / "captioning" / "flickr8k_captions.jsonl.xz"
    if repacked.exists():
        with lzma.open(repacked, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        return [Photo(r["image"], tuple(r["captions"])) for r in rows if r["split"] == part]
    captions = {}
    for line in _text(Path(data_dir), "Flickr8k.token.txt"):
        name, caption = line.split("\t")
        captions.setdefault(name.split("#")[0], []).append(caption)
    names = _text(Path(data_dir), f"Flickr_8k.{part}Images.txt")
    return [Photo(name.strip(), tuple(captions[name.strip()])) for name in names]


def pictures(data_dir):
    """The `Pictures` of all photographs; errors as for `read`."""
    data_dir = Path(data_dir)
    repacked = data_dir / "captioning" / "flickr8k_images.tar"
    if repacked.exists():
        return Pictures(repacked)
    for folder in FOLDERS:
        if (data_dir / folder).is_dir():
            return Pictures(data_dir / folder)
    return Pictures(fetch(f"{ARCHIVES}/{PHOTOS}", None, data_dir / PHOTOS))


def _text(data_dir, name):
    """The lines of a file of the official archive of texts."""
    for place in (data_dir / name, data_dir / "Flickr8k_text" / name):
        if place.exists():
            return place.read_text(encoding="utf-8").splitlines()
    with zipfile.ZipFile(fetch(f"{ARCHIVES}/{TEXT}", None, data_dir / TEXT)) as files:
        return files.read(name).decode("utf-8").splitlines()
