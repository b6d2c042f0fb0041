"""Flickr8k (Hodosh, Young & Hockenmaier 2013): 8,000 photographs with five captions each.

It is read from the official archives, unpacked or not, or from repacked files:
`captioning/flickr8k_images.tar` with photographs resized to 224 by 224 pixels, and
`captioning/flickr8k_captions.jsonl.xz` with rows `{"image", "split", "captions"}`. The split is the
official one: 6,000, 1,000 and 1,000.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from apps.captioning.model import BEGIN, END, PADDING, UNKNOWN
from apps.captioning.scores import split_words
from shared.errors import UserError
from shared.text import WordTokenizer
from training.captioning import recipe
from training.datasets.download import check_part, fetch, read_json_lines_xz, read_member
from training.datasets.pictures import Pictures
from training.rows import read_json_lines

Input = Annotated[Path | None, typer.Option(help="Your own photographs: a folder or a tar.")]
Captions = Annotated[
    Path | None,
    typer.Option(
        help='Their captions: JSONL rows {"image", "captions"} (default: the only .jsonl file of '
        "the folder)."
    ),
]

PARTS = ("train", "dev", "test")
ARCHIVES = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k"
TEXT, PHOTOS = "Flickr8k_text.zip", "Flickr8k_Dataset.zip"
SIDES = {"left", "right"}  # words that a mirrored photograph makes wrong
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
    check_part(part, PARTS)
    repacked = Path(data_dir) / "captioning" / "flickr8k_captions.jsonl.xz"
    if repacked.exists():
        rows = read_json_lines_xz(repacked)
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
    return read_member(f"{ARCHIVES}/{TEXT}", data_dir, name, "Flickr8k_text").splitlines()


def read_rows(folder, captions=None):
    """Photographs with captions, of a JSONL file with rows `{"image": str, "captions": [str, …]}`.

    Args:
        folder: Path of a folder or tar of photographs.
        captions: Path of the file; the only `.jsonl` file of the folder if None.

    Returns:
        List of `Photo`, and the `Pictures`.

    Raises:
        typer.BadParameter: if a file or a row cannot be used; the message names the line.
    """
    try:
        photographs = Pictures(folder)
    except FileNotFoundError as error:
        raise typer.BadParameter(str(error)) from error
    if captions is None:
        files = sorted(folder.glob("*.jsonl")) if folder.is_dir() else []
        if len(files) != 1:
            raise typer.BadParameter(
                f"Name the file of captions with --captions: {folder} has {len(files)} of them."
            )
        captions = files[0]

    def parse(_, row):
        name, texts = row["image"], row["captions"]
        exists = name in photographs
        if not (isinstance(texts, list) and texts and all(split_words(text) for text in texts)):
            raise UserError("a caption has no words.")
        if not exists:
            raise UserError(f"{folder} has no {name}.")
        return Photo(name, tuple(texts))

    return read_json_lines(captions, parse, '{"image": …, "captions": […]}'), photographs


def build_tokenizer(photos):
    """A `WordTokenizer` of the words that occur often enough, the most frequent first."""
    counts = Counter(
        word for photo in photos for text in photo.captions for word in split_words(text)
    )
    least = recipe.MIN_WORD_COUNT if len(photos) > 1_000 else 1
    frequent = [word for word, count in counts.most_common() if count >= least]
    return WordTokenizer.build(["[BEGIN]", "[END]", *frequent])


def encode_captions(tokenizer, photos):
    """The decoder's inputs and targets.

    Returns:
        Two int32 arrays `(photos, captions, time)`: captions after the begin word, and captions
        followed by the end word. Both are cut to `MAX_WORDS`; unknown words are no targets.
        Photographs with fewer captions than `CAPTIONS_PER_PHOTO` repeat theirs.
    """
    shape = (len(photos), recipe.CAPTIONS_PER_PHOTO, recipe.MAX_WORDS)
    inputs = np.full(shape, PADDING, "int32")
    targets = inputs.copy()
    for row, photo in enumerate(photos):
        texts = [" ".join(split_words(text)) for text in photo.captions]
        for place, numbers in enumerate(tokenizer.encode(np.resize(texts, shape[1]))):
            whole = np.concatenate([[BEGIN], numbers, [END]])
            size = min(len(whole) - 1, shape[2])
            inputs[row, place, :size] = whole[:-1][:size]
            targets[row, place, :size] = whole[1:][:size]
    return inputs, np.where(targets == UNKNOWN, PADDING, targets)


def can_be_mirrored(photos):
    """Whether the captions stay true if a photograph is mirrored: a boolean array `(photos,)`."""
    return np.array(
        [not any(SIDES & set(split_words(text)) for text in photo.captions) for photo in photos]
    )
