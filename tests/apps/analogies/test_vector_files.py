import gzip
import random
import re

import numpy as np
import pytest

from apps.analogies.predictor import Predictor
from apps.analogies.vector_files import read_file
from apps.analogies.vectors import Vectors
from shared.bundle import BundleError

WORDS = ["king", "queen", "man", "woman", "paris"]


@pytest.fixture
def matrix():
    return np.random.default_rng(0).normal(size=(5, 8)).astype("float32")


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


def write(path, words, matrix, separator=" ", header=""):
    lines = [
        separator.join([word, *map(str, row)]) for word, row in zip(words, matrix, strict=True)
    ]
    path.write_text(header + "\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("separator", ["\t", ",", ", ", ";", "  "])
@pytest.mark.parametrize("header", ["", "5 8\n"])
def test_cells_may_be_separated_in_several_ways(tmp_path, matrix, separator, header):
    vectors = read_file(write(tmp_path / "mine.txt", WORDS, matrix, separator, header))
    assert vectors.words == WORDS
    np.testing.assert_allclose(vectors.matrix, Vectors.of(WORDS, matrix).matrix, atol=1e-5)


def test_a_token_with_spaces_is_read(tmp_path, matrix):
    words = ["king", "at name domain", ". . .", "queen", "2"]
    vectors = read_file(
        write(tmp_path / "mine.txt", [*words, "man", "woman"], matrix[[0, 1, 2, 3, 4, 0, 1]])
    )
    assert vectors.words == ["king", "at name domain", "queen", "man", "woman"]


@pytest.mark.parametrize("count", [3, 500])
def test_a_wrong_count_in_the_header_is_noted(tmp_path, matrix, count):
    vectors = read_file(write(tmp_path / "mine.vec", WORDS, matrix, header=f"{count} 8\n"))
    assert vectors.words == WORDS
    assert f"{count} words" in vectors.note and "5" in vectors.note


@pytest.mark.parametrize("kind", ["txt", "bin"])
def test_the_first_of_equal_words_is_kept(tmp_path, matrix, kind):
    path, words = tmp_path / f"mine.{kind}", ["king", "queen", "king", "man", "woman"]
    if kind == "txt":
        write(path, words, matrix, header="5 8\n")
    else:
        rows = zip(words, matrix, strict=True)
        path.write_bytes(b"5 8\n" + b"".join(w.encode() + b" " + row.tobytes() for w, row in rows))
    vectors = read_file(path)
    assert vectors.words == ["king", "queen", "man", "woman"]
    np.testing.assert_allclose(vectors["king"], matrix[0] / np.linalg.norm(matrix[0]), atol=1e-5)


def test_prefixes_of_languages_and_tags_of_speech_are_left_out(tmp_path, matrix):
    words = ["/c/en/king", "/c/fr/roi", "/c/en/new_york", "man_NOUN", "woman|NN"]
    vectors = read_file(write(tmp_path / "mine.txt", words, matrix))
    assert vectors.words == ["king", "new york", "man", "woman"]


def test_words_of_another_alphabet_are_read_and_found(tmp_path, matrix):
    words = ["Король", "королева", "мужчина", "женщина", "ёлка"]
    predictor = Predictor(read_file(write(tmp_path / "mine.vec", words, matrix)))
    assert predictor.vectors.words == ["король", *words[1:]]
    assert predictor.analogy("мужчина", "женщина", "КОРОЛЬ").words[2] == "король"
    assert set(predictor.calculate("король - мужчина")[0]) == {"король", "мужчина"}
    assert predictor.complete("коро") == ["король", "королева"]


@pytest.mark.parametrize("suffix", ["kv", "model"])
def test_a_whole_gensim_model_gives_its_vectors(tmp_path, suffix):
    from gensim.models import Word2Vec

    model = Word2Vec([WORDS] * 5, vector_size=8, min_count=1, seed=0, workers=1)
    model.save(str(tmp_path / f"mine.{suffix}"))
    assert set(read_file(tmp_path / f"mine.{suffix}").words) == set(WORDS)


def test_a_packed_file_is_read(tmp_path, matrix):
    plain = write(tmp_path / "mine.txt", WORDS, matrix)
    packed = tmp_path / "mine.txt.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_file(packed).words == WORDS


@pytest.mark.parametrize("number", ["x", "nan", "1e99", ""])
def test_the_line_of_a_bad_number_is_named(tmp_path, matrix, number):
    path = write(tmp_path / "mine.txt", WORDS, matrix, header="5 8\n")
    lines = path.read_text().splitlines()
    lines[3] = re.sub(r"\S+$", number, lines[3])
    path.write_text("\n".join(lines))
    with pytest.raises(BundleError, match=r"mine\.txt, line 4.* 8 numbers"):
        read_file(path)


@pytest.mark.parametrize("kind", ["txt", "bin", "kv", "txt.gz"])
def test_a_damaged_file_is_read_or_refused_with_a_sentence(tmp_path, matrix, kind):
    path, rng = tmp_path / f"mine.{kind}", random.Random(0)
    if kind == "kv":
        make_keyed_vectors(matrix).save(str(path))
    else:
        make_keyed_vectors(matrix).save_word2vec_format(str(path), binary=kind == "bin")
    good = path.read_bytes()
    for _ in range(60):
        bad = bytearray(good[: rng.randrange(len(good) + 1)])
        for _ in range(rng.randrange(4)):
            if bad:
                bad[rng.randrange(len(bad))] = rng.randrange(256)
        path.write_bytes(bad)
        try:
            assert np.isfinite(read_file(path).matrix).all()
        except BundleError as error:
            assert path.name in str(error)
