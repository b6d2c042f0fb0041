import numpy as np
import pytest

from apps.analogies import vectors as store
from apps.analogies.vectors import Vectors, pack, read_file, unpack
from shared.bundle import BundleError

WORDS = ["king", "queen", "man", "woman", "paris"]


@pytest.fixture
def matrix():
    return np.random.default_rng(0).normal(size=(5, 8)).astype("float32")


def test_rows_get_length_one_and_keep_their_direction():
    made = Vectors.of(["a", "b"], [[3, 4], [0, 2]])
    np.testing.assert_allclose(made.matrix, [[0.6, 0.8], [0, 1]], rtol=1e-6)


def test_a_row_of_zeros_stays_finite():
    assert np.isfinite(Vectors.of(["a"], [[0, 0]]).matrix).all()


def test_packing_takes_half_a_byte_a_number():
    rows = np.random.default_rng(1).normal(size=(300, 40))
    packed = pack(rows)
    assert packed["codes"].shape == (300, 20)
    assert packed["codes"].dtype == np.uint8
    assert packed["levels"].shape == (16,)


def test_packed_rows_point_where_they_did():
    rows = np.random.default_rng(1).normal(size=(300, 40)) * np.linspace(0.1, 9, 300)[:, None]
    back = unpack(pack(rows))
    cosines = (back * rows).sum(1) / np.linalg.norm(back, axis=1) / np.linalg.norm(rows, axis=1)
    # Sixteen levels fitted to a Gaussian leave 0.0095 of its variance (Max 1960).
    assert 0.990 < cosines.mean() < 0.998
    assert cosines.min() > 0.97


def test_each_number_gets_the_nearest_level():
    rows = np.random.default_rng(2).normal(size=(50, 6))
    packed = pack(rows)
    scaled = rows / rows.std(axis=1, keepdims=True)
    levels = packed["levels"].astype("float32")
    nearest = levels[np.abs(scaled[..., None] - levels).argmin(axis=-1)]
    np.testing.assert_allclose(unpack(packed), nearest)


def test_an_odd_number_of_columns_cannot_be_packed():
    with pytest.raises(ValueError, match="even number"):
        pack(np.ones((3, 5)))


def test_a_bundle_comes_back(tmp_path, matrix):
    store.save(tmp_path, WORDS, matrix)
    loaded = store.load(tmp_path)
    assert loaded.words == WORDS
    assert (loaded.matrix * Vectors.of(WORDS, matrix).matrix).sum(1).min() > 0.95


def test_a_bundle_whose_words_and_vectors_differ_is_refused(tmp_path, matrix):
    store.save(tmp_path, WORDS[:4], matrix)
    with pytest.raises(BundleError, match="4 words, but there are 5 vectors"):
        store.load(tmp_path)


def test_a_bundle_without_words_is_refused(tmp_path, matrix):
    store.save(tmp_path, WORDS, matrix)
    (tmp_path / "words.json").unlink()
    with pytest.raises(BundleError, match=r"words\.json cannot be read"):
        store.load(tmp_path)


def keyed(matrix):
    from gensim.models import KeyedVectors

    made = KeyedVectors(vector_size=8)
    made.add_vectors(["King", "queen", "New_York", "Málaga", "paris"], matrix)
    return made


@pytest.mark.parametrize("kind", ["bin", "txt", "kv"])
def test_files_of_other_tools_are_read(tmp_path, matrix, kind):
    path = tmp_path / f"mine.{kind}"
    if kind == "kv":
        keyed(matrix).save(str(path))
    else:
        keyed(matrix).save_word2vec_format(str(path), binary=kind == "bin")
    read = read_file(path)
    assert read.words == ["king", "queen", "new york", "malaga", "paris"]
    np.testing.assert_allclose(read.matrix, Vectors.of(WORDS, matrix).matrix, atol=1e-5)


def test_glove_files_have_no_header(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text("".join(f"{word} {n} 1 0.5\n" for n, word in enumerate(WORDS)))
    read = read_file(path)
    assert read.words == WORDS
    np.testing.assert_allclose(read["queen"], np.array([1, 1, 0.5]) / 1.5, rtol=1e-6)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n\0\0", b"king one two\nqueen 1 x\n"])
def test_a_file_that_holds_no_vectors_is_refused(tmp_path, content):
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"mine\.txt"):
        read_file(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BundleError, match="There is no file"):
        read_file(tmp_path / "none.bin")
