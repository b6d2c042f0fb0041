"""The Large Movie Review Dataset (Maas et al. 2011): 25,000 + 25,000 labelled reviews, 50,000 not.

The reviews are read from the official archive, unpacked or not, or from
`sentiment/imdb_{train,test,unsup}.jsonl.xz`.
"""

import json
import lzma
import random
import tarfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from shared.text import clean
from training.datasets.download import fetch

URL = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
SHA256 = "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"
PARTS = ("train", "test", "unsup")


@dataclass(frozen=True)
class Review:
    """A review: cleaned text, label 0 or 1 (None if unlabelled) and the movie it is about."""

    text: str
    label: int | None
    movie: str


def read(data_dir, part):
    """The reviews of a part.

    Args:
        data_dir: Folder of corpora.
        part: `"train"`, `"test"` or `"unsup"`.

    Returns:
        List of `Review`, in the order of the official file numbers.

    Raises:
        ValueError: if there is no such part.
        FileNotFoundError: if the corpus is not there and cannot be downloaded.
    """
    if part not in PARTS:
        raise ValueError(f"`part` must be one of {PARTS}. Received: part={part!r}")
    data_dir = Path(data_dir)
    repacked = data_dir / "sentiment" / f"imdb_{part}.jsonl.xz"
    if repacked.exists():
        with lzma.open(repacked, "rt", encoding="utf-8") as lines:
            rows = map(json.loads, lines)
            return [
                Review(clean(row["text"]), _label(row.get("label")), row.get("movie", ""))
                for row in rows
            ]
    folder = data_dir / "aclImdb"
    if not folder.is_dir():
        archive = fetch(URL, SHA256, data_dir / "aclImdb_v1.tar.gz")
        with tarfile.open(archive) as tar:
            tar.extractall(data_dir, filter="data")
    return _read_official(folder, part)


def _label(label):
    return label if label in (0, 1) else None


def _read_official(folder, part):
    # A review's file name is NUMBER_RATING.txt; line NUMBER of urls_*.txt names its movie.
    side = "test" if part == "test" else "train"
    kinds = {"unsup": None} if part == "unsup" else {"neg": 0, "pos": 1}
    reviews = []
    for kind, label in kinds.items():
        urls = (folder / side / f"urls_{kind}.txt").read_text(encoding="utf-8").split()
        movies = [url.split("/title/")[1].split("/")[0] for url in urls]
        files = (folder / side / kind).glob("*.txt")
        for file in sorted(files, key=lambda path: int(path.stem.split("_")[0])):
            number = int(file.stem.split("_")[0])
            reviews.append(Review(clean(file.read_text(encoding="utf-8")), label, movies[number]))
    return reviews


def split_by_movie(reviews, fraction=0.1, seed=0):
    """Split a validation set off, so that no movie is on both sides.

    Returns:
        Two lists of reviews: training and validation, about `fraction` of them in the latter.
    """
    movies = sorted({review.movie for review in reviews})
    random.Random(seed).shuffle(movies)
    counts = Counter(review.movie for review in reviews)
    held_out, total = set(), 0
    for movie in movies:
        if total >= fraction * len(reviews):
            break
        held_out.add(movie)
        total += counts[movie]
    training = [review for review in reviews if review.movie not in held_out]
    return training, [review for review in reviews if review.movie in held_out]


def duplicates(reviews, others=None):
    """How many reviews repeat the text of an earlier one or, given `others`, of one of those."""
    if others is not None:
        texts = {review.text for review in others}
        return sum(review.text in texts for review in reviews)
    return len(reviews) - len({review.text for review in reviews})
