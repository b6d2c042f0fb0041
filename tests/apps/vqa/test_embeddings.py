import numpy as np
import pytest

from apps.vqa.embeddings import Embeddings
from shared.bundle import BundleError


def cells(count=400):
    """Cells that vary mostly along two axes of five."""
    rng = np.random.default_rng(0)
    scales = np.array([0.5, 0.3, 0.02, 0.02, 0.02])
    return (rng.normal(0, 1, (count, 5)) * scales + [0, 0, 1, 1, 1]).astype("float32")


def fitted(components=2):
    vectors = np.random.default_rng(1).normal(0, 1, (6, 4)).astype("float32")
    return Embeddings.fit(vectors, cells(), components)


def test_the_components_are_the_axes_of_largest_variance():
    embeddings = fitted()
    assert embeddings.components.shape == (5, 2)
    share = (embeddings.components**2)[:2].sum(axis=0) / (embeddings.components**2).sum(axis=0)
    assert np.all(share > 0.98)
    projected = embeddings.project(cells().reshape(20, 4, 5, 5))
    assert projected.shape == (20, 20, 2)
    flat = projected.reshape(-1, 2)
    np.testing.assert_allclose(flat.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.corrcoef(flat.T)[0, 1], 0, atol=1e-3)
    np.testing.assert_allclose((flat**2).mean(), 1, rtol=1e-3)
    # Partly whitened: the variances' ratio is the square root of what it was.
    unit = cells() / np.linalg.norm(cells(), axis=1, keepdims=True)
    before = np.linalg.eigvalsh(np.cov(unit.T))[::-1]
    after = flat.var(axis=0)
    np.testing.assert_allclose(after[0] / after[1], np.sqrt(before[0] / before[1]), rtol=0.02)


def test_the_length_of_a_cell_does_not_matter():
    embeddings = fitted()
    grid = cells(8).reshape(2, 2, 2, 5)
    np.testing.assert_allclose(embeddings.project(grid * 3), embeddings.project(grid), atol=1e-5)
    assert fitted(9).project(grid).shape == (2, 4, 5)
    assert np.isfinite(embeddings.project(np.zeros((1, 2, 2, 5), "float32"))).all()


def test_a_few_cells_give_fewer_components():
    few = Embeddings.fit(np.zeros((2, 4), "float32"), cells(4), 5)
    assert few.components.shape == (5, 3)
    assert np.abs(few.project(cells(50)[:, None, None])).max() < 10


def test_senses_survive_their_file(tmp_path):
    embeddings = fitted()
    embeddings.save(tmp_path)
    again = Embeddings.load(tmp_path)
    np.testing.assert_array_equal(again.embed_words(np.array([[0, 5]])).shape, (1, 2, 4))
    off = np.linalg.norm(again.word_vectors - embeddings.word_vectors, axis=1)
    assert (off < 0.2 * np.linalg.norm(embeddings.word_vectors, axis=1)).all()  # four bits a number
    grid = cells(8).reshape(2, 2, 2, 5)
    np.testing.assert_allclose(again.project(grid), embeddings.project(grid), atol=0.1)
    with pytest.raises(BundleError, match="senses.safetensors"):
        Embeddings.load(tmp_path / "nowhere")
