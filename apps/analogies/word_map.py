"""The map of words: their places in two or three dimensions, and clusters of them."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from apps.analogies.examples import AXES
from apps.analogies.predictor import Predictor
from apps.analogies.vectors import FOLDER
from shared import bundle
from shared.errors import UserError

MAP_FILE = FOLDER / "map.safetensors"
VIEWS = {
    "tsne2": "t-SNE, 2D",
    "tsne3": "t-SNE, 3D",
    "pca2": "PCA, 2D",
    "pca3": "PCA, 3D",
    "axes": "Your own axes",
}
MAX_OWN_WORDS = 5_000
NEIGHBOURS = 10  # marked beside a word that is searched
MAX_WORDS = 2_000  # of vectors from a file, which have no map of their own


@dataclass(frozen=True, eq=False)
class WordMap:
    """Words with a place each.

    Attributes:
        method: How the places were found: `"tsne"`, `"pca"` or `"axes"`.
        words: List of words.
        points: Array `(words, 2)` or `(words, 3)` of places, between −1 and 1 in every dimension.
        clusters: Array `(words,)` of each word's cluster.
        cluster_names: List with the three most typical words of each cluster.
        marked: List of the rows of the word that was searched and of its neighbours.
        axes: The ends (left, right, bottom, top) of the axes, or None.
        variance: Share of the variance that the axes of PCA hold, or None.
        absent: The word that was searched, if it is not on the map, or None.
        own: Whether it shows a visitor's own words.
    """

    method: str
    words: list
    points: np.ndarray
    clusters: np.ndarray
    cluster_names: list
    marked: list
    axes: list | None
    variance: float | None
    absent: str | None
    own: bool


def draw_map(predictor, view, search="", own="", axes=AXES):
    """The `WordMap` of a view.

    Args:
        predictor: The `Predictor` whose words are shown.
        view: A key of `VIEWS`.
        search: A word to mark with its neighbours.
        own: Words to show instead of the frequent ones, separated by commas or lines.
        axes: The ends ((left, right), (bottom, top)) for the view `axes`.

    Raises:
        UserError: if a word is unknown, or `own` has fewer than four words.
    """
    words, matrix, clusters, cluster_names, tsne = _select_words(predictor, own)
    method, variance, ends = "pca", None, None
    if view == "axes":
        method, ends = "axes", [end for axis in axes for end in axis]
        points = np.stack([predictor.project(matrix, *axis) for axis in axes], axis=1)
    elif view in tsne:
        method, points = "tsne", tsne[view]
    else:
        points, variance = project_pca(matrix, 3 if view.endswith("3") else 2)
    marked, absent = _find_marked(predictor, search, words)
    return WordMap(
        method,
        list(words),
        _scale(points),
        clusters,
        cluster_names,
        marked,
        ends,
        variance,
        absent,
        bool(own.strip()),
    )


def _select_words(predictor, own):
    """Words, their vectors, clusters, the clusters' names, and a dict of stored t-SNE points."""
    if own.strip():
        rows = {}
        for text in own.replace("\n", ",").replace(";", ",").split(",")[:MAX_OWN_WORDS]:
            if text.strip():
                word, vector, _ = predictor.find(text)
                rows[word] = vector
        if len(rows) < 4:
            raise UserError("A map of your own needs four different words or more.")
        words, matrix = list(rows), np.stack(list(rows.values()))
        return words, matrix, *cluster_words(words, matrix), {}
    if predictor.card:
        words, tsne, clusters, cluster_names = load_map()
        return words, predictor.vectors.matrix[: len(words)], clusters, cluster_names, tsne
    common = predictor.vectors.first(MAX_WORDS)
    return common.words, common.matrix, *cluster_words(common.words, common.matrix), {}


def _find_marked(predictor, search, words):
    """Rows of a word and its neighbours, and the word itself if it is not among `words`."""
    if not search.strip():
        return [], None
    word, vector, _ = predictor.find(search)
    neighbours = predictor.nearest(vector, NEIGHBOURS, {word})
    rows = {name: n for n, name in enumerate(words)}
    names = (word, *(neighbour.word for neighbour in neighbours))
    return [rows[name] for name in names if name in rows], None if word in rows else word


def _scale(points):
    """Points moved and stretched to fill −1 to 1 in every dimension."""
    points = points - (points.max(axis=0) + points.min(axis=0)) / 2
    return points / np.maximum(np.abs(points).max(axis=0), 1e-9)


@cache
def load_map():
    """The map of the bundle: words, t-SNE points by view, clusters and the clusters' names.

    Raises:
        BundleError: if it is missing or damaged.
    """
    vectors = Predictor.load().vectors
    arrays = bundle.load_arrays(MAP_FILE)
    clusters = arrays["cluster"]
    common = vectors.first(len(clusters))
    names = []
    for cluster in range(int(clusters.max()) + 1):
        members = np.flatnonzero(clusters == cluster)
        centre = common.matrix[members].mean(axis=0)
        names.append(_name_cluster(common.words, common.matrix, members, centre))
    return common.words, {"tsne2": arrays["flat"], "tsne3": arrays["deep"]}, clusters, names


def project_pca(matrix, dimensions):
    """Principal component analysis.

    Args:
        matrix: Array `(words, features)`.
        dimensions: Number of components.

    Returns:
        Points `(words, dimensions)` and the share of the variance that they hold.
    """
    centred = matrix - matrix.mean(axis=0)
    values, axes = np.linalg.eigh(centred.T @ centred)
    components = axes[:, ::-1][:, :dimensions]
    return centred @ components, float(values[::-1][:dimensions].sum() / max(values.sum(), 1e-12))


def cluster_words(words, matrix):
    """Clusters by k-means, about one for five words and at most eight.

    Returns:
        Array `(words,)` of each word's cluster, and the list of the clusters' names.
    """
    from sklearn.cluster import KMeans

    count = max(2, min(8, len(words) // 5))
    kmeans = KMeans(count, n_init=4, random_state=0).fit(matrix)
    names = [
        _name_cluster(words, matrix, np.flatnonzero(kmeans.labels_ == cluster), centre)
        for cluster, centre in enumerate(kmeans.cluster_centers_)
    ]
    return kmeans.labels_, names


def _name_cluster(words, matrix, members, centre):
    """The three words of a cluster that are nearest to its centre."""
    nearest = members[np.argsort(-(matrix[members] @ centre))[:3]]
    return ", ".join(words[n] for n in nearest)
