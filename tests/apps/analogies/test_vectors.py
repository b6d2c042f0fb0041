import numpy as np
import pytest

from apps.analogies import vectors as store
from apps.analogies.vectors import Vectors
from shared import bundle
from shared.bundle import BundleError

WORDS = ["king", "queen", "man", "woman", "paris"]


@pytest.fixture
def matrix():
    return np.random.default_rng(0).normal(size=(5, 8)).astype("float32")


def test_rows_get_length_one_and_keep_their_direction():
    vectors = Vectors.of(["a", "b"], [[3, 4], [0, 2]])
    np.testing.assert_allclose(vectors.matrix, [[0.6, 0.8], [0, 1]], rtol=1e-6)


def test_a_row_of_zeros_stays_finite():
    assert np.isfinite(Vectors.of(["a"], [[0, 0]]).matrix).all()


def test_a_bundle_can_be_saved_and_loaded(tmp_path, matrix):
    store.save(tmp_path, WORDS, matrix)
    loaded = store.load(tmp_path)
    assert loaded.words == WORDS
    assert (loaded.matrix * Vectors.of(WORDS, matrix).matrix).sum(1).min() > 0.95


def test_a_bundle_whose_words_and_vectors_differ_is_refused(tmp_path, matrix):
    store.save(tmp_path, WORDS[:4], matrix)
    with pytest.raises(BundleError, match="4 words, but there are 5 vectors"):
        store.load(tmp_path)


def test_a_bundle_that_lacks_an_array_says_which(tmp_path, matrix):
    store.save(tmp_path, WORDS, matrix)
    bundle.save_arrays(tmp_path / "vectors.safetensors", {"codes": matrix})
    with pytest.raises(BundleError, match=r"^The weights \S+ lack levels\.$"):
        store.load(tmp_path)


def test_a_bundle_without_words_is_refused(tmp_path, matrix):
    store.save(tmp_path, WORDS, matrix)
    (tmp_path / "words.json").unlink()
    with pytest.raises(BundleError, match=r"words\.json cannot be read"):
        store.load(tmp_path)
