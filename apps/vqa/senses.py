"""What all networks of the bundle read: word vectors, and photographs in fewer numbers."""

from dataclasses import dataclass

import numpy as np

from shared import bundle

FILE = "senses.safetensors"


@dataclass(frozen=True, eq=False)
class Senses:
    """Fixed before any network is fitted, and the same for all of them.

    Attributes:
        vectors: Array `(words, dimensions)` by the tokenizer's numbers; 0 for padding and for the
            unknown word.
        centre: Array `(features,)`, the mean of a cell of unit length.
        directions: Array `(features, components)`, what a cell's distance from it is told along.
    """

    vectors: np.ndarray
    centre: np.ndarray
    directions: np.ndarray

    @classmethod
    def fit(cls, vectors, cells, components):
        """Principal components of cells (Pearson 1901), partly whitened.

        Each is divided by the square root of its standard deviation, so that the few strong ones
        do not drown the rest, nor the many weak ones the strong.

        Args:
            vectors: Array `(words, dimensions)`.
            cells: Array `(cells, features)`, of the training photographs.
            components: How many to keep; fewer where there are fewer cells or features.
        """
        cells = _unit(cells)
        centre = cells.mean(axis=0)
        variances, directions = np.linalg.eigh((cells - centre).T @ (cells - centre) / len(cells))
        components = min(components, len(cells) - 1)  # along more they do not differ
        kept = slice(None, -components - 1, -1)  # eigenvalues rise
        variances, directions = np.maximum(variances[kept], 1e-9), directions[:, kept]
        scale = variances**-0.25 / np.sqrt(np.mean(variances**0.5))
        return cls(vectors, centre, (directions * scale).astype("float32"))

    def see(self, features):
        """Grids `(photos, height, width, features)` as `(photos, cells, components)`, float32."""
        cells = _unit(features.reshape(len(features), -1, features.shape[-1]))
        return (cells - self.centre) @ self.directions

    def read(self, numbers):
        """The vectors of words `(…)`, `(…, dimensions)`."""
        return self.vectors[numbers]

    def save(self, folder):
        """Write the file of a bundle."""
        arrays = {
            "vectors": self.vectors,
            "centre": self.centre,
            "directions": self.directions,
        }
        bundle.save_arrays(folder / FILE, arrays, int8=["directions"], int4=["vectors"])

    @classmethod
    def load(cls, folder):
        """The senses of a bundle.

        Raises:
            BundleError: if the file is missing or damaged.
        """
        arrays = bundle.load_arrays(folder / FILE)
        return cls(arrays["vectors"], arrays["centre"], arrays["directions"])


def _unit(cells):
    """Rows of length 1."""
    cells = np.asarray(cells, "float32")
    return cells / np.maximum(np.linalg.norm(cells, axis=-1, keepdims=True), 1e-6)
