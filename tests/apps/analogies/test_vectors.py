import numpy as np
import pytest

from apps.analogies import vectors as store
from apps.analogies.vectors import Vectors, read_file
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


def make_keyed_vectors(matrix):
    from gensim.models import KeyedVectors

    vectors = KeyedVectors(vector_size=8)
    vectors.add_vectors(["King", "queen", "New_York", "Málaga", "paris"], matrix)
    return vectors


@pytest.mark.parametrize("kind", ["bin", "txt", "kv"])
def test_files_of_other_tools_are_read(tmp_path, matrix, kind):
    path = tmp_path / f"mine.{kind}"
    if kind == "kv":
        make_keyed_vectors(matrix).save(str(path))
    else:
        make_keyed_vectors(matrix).save_word2vec_format(str(path), binary=kind == "bin")
    vectors = read_file(path)
    assert vectors.words == ["king", "queen", "new york", "malaga", "paris"]
    np.testing.assert_allclose(vectors.matrix, Vectors.of(WORDS, matrix).matrix, atol=1e-5)


def test_glove_files_have_no_header(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text("".join(f"{word} {n} 1 0.5\n" for n, word in enumerate(WORDS)))
    vectors = read_file(path)
    assert vectors.words == WORDS
    np.testing.assert_allclose(vectors["queen"], np.array([1, 1, 0.5]) / 1.5, rtol=1e-6)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n\0\0", b"king one two\nqueen 1 x\n"])
def test_a_file_that_holds_no_vectors_is_refused(tmp_path, content):
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"mine\.txt"):
        read_file(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BundleError, match="There is no file"):
        read_file(tmp_path / "none.bin")
