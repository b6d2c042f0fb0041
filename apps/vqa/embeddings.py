"""What all networks of a bundle read: word vectors, and image features in fewer dimensions."""

from dataclasses import dataclass

import numpy as np

from shared import bundle

EMBEDDINGS_FILE = "senses.safetensors"


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Word vectors and a projection of image features, fixed before any network is trained.

    Attributes:
        word_vectors: Array `(words, dimensions)`, indexed by token id; rows of zeros stand for
            padding and for the unknown word.
        mean: Array `(features,)`, the mean of the training cells after scaling to unit length.
        components: Array `(features, components)`, the scaled principal axes.
    """

    word_vectors: np.ndarray
    mean: np.ndarray
    components: np.ndarray

    @classmethod
    def fit(cls, word_vectors, cells, components):
        """Fit the projection by principal component analysis (Pearson 1901) and partial whitening.

        Each component is divided by the square root of its standard deviation. This keeps the few
        strong components from dominating without amplifying the many weak ones.

        Args:
            word_vectors: Array `(words, dimensions)`.
            cells: Array `(cells, features)`, grid cells of the training photos.
            components: Number of components; at most one less than the number of cells is kept.
        """
        cells = _normalise(cells)
        mean = cells.mean(axis=0)
        variances, axes = np.linalg.eigh((cells - mean).T @ (cells - mean) / len(cells))
        components = min(components, len(cells) - 1)
        largest = slice(None, -components - 1, -1)  # eigh returns ascending eigenvalues
        variances, axes = np.maximum(variances[largest], 1e-9), axes[:, largest]
        scale = variances**-0.25 / np.sqrt(np.mean(variances**0.5))
        return cls(word_vectors, mean, (axes * scale).astype("float32"))

    def project(self, features):
        """Project grids `(photos, height, width, features)` to `(photos, cells, components)`."""
        cells = _normalise(features.reshape(len(features), -1, features.shape[-1]))
        return (cells - self.mean) @ self.components

    def embed_words(self, token_ids):
        """Look up the vectors `(…, dimensions)` of token ids `(…)`."""
        return self.word_vectors[token_ids]

    def save(self, folder):
        """Write the file of a bundle."""
        arrays = {
            "vectors": self.word_vectors,
            "centre": self.mean,
            "directions": self.components,
        }
        file = folder / EMBEDDINGS_FILE
        bundle.save_arrays(file, arrays, int8=["directions"], int4=["vectors"])

    @classmethod
    def load(cls, folder):
        """Read the file of a bundle.

        Raises:
            BundleError: if the file is missing or damaged.
        """
        arrays = bundle.load_arrays(folder / EMBEDDINGS_FILE)
        return cls(arrays["vectors"], arrays["centre"], arrays["directions"])


def _normalise(cells):
    """Scale rows to unit length."""
    cells = np.asarray(cells, "float32")
    return cells / np.maximum(np.linalg.norm(cells, axis=-1, keepdims=True), 1e-6)
