import numpy as np
import pytest

from apps.vqa.senses import Senses
from shared.bundle import BundleError


def cells(count=400):
    """Cells that differ mostly along two directions of five."""
    noise = np.random.default_rng(0)
    scales = np.array([0.5, 0.3, 0.02, 0.02, 0.02])
    return (noise.normal(0, 1, (count, 5)) * scales + [0, 0, 1, 1, 1]).astype("float32")


def fitted(components=2):
    vectors = np.random.default_rng(1).normal(0, 1, (6, 4)).astype("float32")
    return Senses.fit(vectors, cells(), components)


def test_the_components_are_those_that_differ_most():
    senses = fitted()
    assert senses.directions.shape == (5, 2)
    share = (senses.directions**2)[:2].sum(axis=0) / (senses.directions**2).sum(axis=0)
    assert np.all(share > 0.98)
    seen = senses.see(cells().reshape(20, 4, 5, 5))
    assert seen.shape == (20, 20, 2)
    flat = seen.reshape(-1, 2)
    np.testing.assert_allclose(flat.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.corrcoef(flat.T)[0, 1], 0, atol=1e-3)
    np.testing.assert_allclose((flat**2).mean(), 1, rtol=1e-3)
    # Partly whitened: the variances' ratio is the square root of what it was.
    unit = cells() / np.linalg.norm(cells(), axis=1, keepdims=True)
    before = np.linalg.eigvalsh(np.cov(unit.T))[::-1]
    after = flat.var(axis=0)
    np.testing.assert_allclose(after[0] / after[1], np.sqrt(before[0] / before[1]), rtol=0.02)


def test_the_length_of_a_cell_does_not_matter_and_more_components_add():
    senses = fitted()
    grid = cells(8).reshape(2, 2, 2, 5)
    np.testing.assert_allclose(senses.see(grid * 3), senses.see(grid), atol=1e-5)
    assert fitted(9).see(grid).shape == (2, 4, 5)
    assert np.isfinite(senses.see(np.zeros((1, 2, 2, 5), "float32"))).all()


def test_few_cells_differ_along_fewer_directions():
    few = Senses.fit(np.zeros((2, 4), "float32"), cells(4), 5)
    assert few.directions.shape == (5, 3)
    assert np.abs(few.see(cells(50)[:, None, None])).max() < 10


def test_senses_survive_their_file(tmp_path):
    senses = fitted()
    senses.save(tmp_path)
    again = Senses.load(tmp_path)
    np.testing.assert_array_equal(again.read(np.array([[0, 5]])).shape, (1, 2, 4))
    off = np.linalg.norm(again.vectors - senses.vectors, axis=1)
    assert (off < 0.2 * np.linalg.norm(senses.vectors, axis=1)).all()  # four bits a number
    grid = cells(8).reshape(2, 2, 2, 5)
    np.testing.assert_allclose(again.see(grid), senses.see(grid), atol=0.1)
    with pytest.raises(BundleError, match="senses.safetensors"):
        Senses.load(tmp_path / "nowhere")
