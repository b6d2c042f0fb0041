"""English–French sentence pairs: Tatoeba's, and Multi30k's captions of photographs.

They are read from the official downloads, or from repacked files:
`translation/tatoeba_en_fr.tsv.xz` with columns split, English, French, and
`translation/multi30k_{train,val,test_2016_flickr}.{en,fr}.xz`.
"""

import gzip
import hashlib
import lzma
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from training.datasets.download import fetch
from training.rows import numbered_lines

Input = Annotated[Path | None, typer.Option(help="Your own pairs: TSV, English and French.")]

PARTS = ("train", "val", "test")
DOMAINS = ("multi30k", "tatoeba")


@dataclass(frozen=True)
class Pair:
    """An English sentence, its French references (one or more) and the corpus it is from."""

    source: str
    targets: tuple[str, ...]
    domain: str


def read(data_dir, part):
    """The pairs of a part of both corpora, Multi30k's first.

    Args:
        data_dir: Folder of corpora.
        part: `"train"`, `"val"` or `"test"` (Multi30k's is test 2016).

    Returns:
        List of `Pair`. In `"train"` each has one reference; elsewhere an English sentence
        stands once with all of its references.

    Raises:
        ValueError: if there is no such part.
        FileNotFoundError: if a corpus is not there and cannot be downloaded.
    """
    if part not in PARTS:
        raise ValueError(f"`part` must be one of {PARTS}. Received: part={part!r}")
    pairs = []
    for domain, rows in zip(
        DOMAINS, (_multi30k(Path(data_dir), part), _tatoeba(Path(data_dir), part)), strict=True
    ):
        if part == "train" or domain == "multi30k":
            # A caption that two photographs share is two examples, as in every published score.
            pairs += [Pair(source, (target,), domain) for source, target in rows]
            continue
        references = {}
        for source, target in rows:
            references.setdefault(source, []).append(target)
        pairs += [Pair(source, tuple(targets), domain) for source, targets in references.items()]
    return pairs


def read_rows(path):
    """Pairs of a TSV file: English, French, and more French references if there are any.

    Raises:
        typer.BadParameter: if the file or a row cannot be used; the message names the line.
    """
    references = {}
    for number, line in numbered_lines(path):
        source, *targets = (cell.strip() for cell in line.split("\t"))
        if not source or not targets or not all(targets):
            raise typer.BadParameter(f"{path}, line {number}: expected English, a tab, and French.")
        references.setdefault(source, []).extend(targets)
    if not references:
        raise typer.BadParameter(f"{path} has no rows.")
    return [Pair(source, tuple(targets), "own") for source, targets in references.items()]


def _multi30k(data_dir, part):
    name = {"test": "test_2016_flickr"}.get(part, part)
    sides = []
    for language in ("en", "fr"):
        repacked = data_dir / "translation" / f"multi30k_{name}.{language}.xz"
        if repacked.exists():
            text = lzma.decompress(repacked.read_bytes()).decode("utf-8")
        else:
            text = _official(data_dir, f"{name}.{language}")
        sides.append(text.rstrip("\n").split("\n"))
    return list(zip(*sides, strict=True))


def _official(data_dir, name):
    path = fetch(f"{MULTI30K}/{name}.gz", None, data_dir / f"{name}.gz")
    try:
        raw = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error):
        raw = b""
    # The checksum of the text: the archive may be compressed again.
    if hashlib.sha256(raw).hexdigest() != MULTI30K_SHA256[name]:
        raise FileNotFoundError(
            f"{path} is not Multi30k's {name}: its checksum is wrong. Delete it, download "
            f"{MULTI30K}/{name}.gz and put it there."
        )
    return raw.decode("utf-8")


def _tatoeba(data_dir, part):
    repacked = data_dir / "translation" / "tatoeba_en_fr.tsv.xz"
    if repacked.exists():
        with lzma.open(repacked, "rt", encoding="utf-8") as lines:
            rows = (line.rstrip("\n").split("\t") for line in lines)
            return [(source, target) for split, source, target in rows if split == part]
    # The archive grows every month, so it has no checksum. A sentence stays in its part.
    archive = fetch(TATOEBA, None, data_dir / "fra-eng.zip")
    with zipfile.ZipFile(archive) as files:
        lines = files.read("fra.txt").decode("utf-8").splitlines()
    pairs = [tuple(line.split("\t")[:2]) for line in lines]
    return [pair for pair in pairs if _part_of(pair[0]) == part]


def _part_of(source):
    """The part that an English sentence is in, the same for all its translations."""
    letters = "".join(c for c in source.lower() if c.isalnum())
    place = zlib.crc32(letters.encode()) % 1000
    return "val" if place < 17 else "test" if place < 34 else "train"


MULTI30K = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw"
MULTI30K_SHA256 = {
    "train.en": "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6",
    "train.fr": "5925a3c18f1587b6b54b87743106e6e8ab93618edb6f65d19eac0621f853a10d",
    "val.en": "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
    "val.fr": "5304e444d842e962b2dda4d816b70b22a1765b15401642b7ca37a67477e708dc",
    "test_2016_flickr.en": "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182",
    "test_2016_flickr.fr": "cb3160d69b002bb638e66cc7612fcd56cb0af82eadc9c142dedc438afb885ef6",
}
TATOEBA = "https://www.manythings.org/anki/fra-eng.zip"
