import gzip
import lzma
import zipfile

import numpy as np
import pytest

from apps.translation.memory import FILTER_BITS, HASHES, Corpus, Memory, words_of
from shared import bundle

TRAINING = [
    "The old dog sleeps under the kitchen table.",
    "A girl in a blue dress is dancing.",
    "Don't wake the dog!",
]


@pytest.fixture(scope="module")
def memory():
    return Memory.fit(TRAINING, bits=2**14)


def test_a_training_sentence_is_recognised_in_any_case_and_punctuation(memory):
    for text in (*TRAINING, "the old DOG sleeps, under the kitchen table?"):
        overlap = memory.overlap(text)
        assert overlap.sentence
        assert all(overlap.words)
    assert memory.overlap(TRAINING[0]).share == 1.0
    assert memory.overlap(TRAINING[0]).longest == (0, 8)


def test_a_new_sentence_has_its_longest_stretch_and_its_new_words(memory):
    text = "Yesterday, the old dog sleeps under the green table."
    overlap = memory.overlap(text)
    assert not overlap.sentence
    # Of six runs, those in training begin with "the old", "old dog" and "dog sleeps".
    assert overlap.share == pytest.approx(3 / 6)
    assert overlap.longest == (1, 7)
    new = [
        text[a:b] for (a, b), occurs in zip(overlap.spans, overlap.words, strict=True) if not occurs
    ]
    assert new == ["Yesterday", "green"]


def test_of_two_stretches_the_longer_is_reported(memory):
    overlap = memory.overlap("A girl in a red dress. The old dog sleeps under the green table.")
    assert overlap.longest == (6, 12)


def test_words_in_another_order_are_no_run(memory):
    overlap = memory.overlap("Table kitchen the under sleeps dog old the.")
    assert all(overlap.words)
    assert (overlap.sentence, overlap.share, overlap.longest) == (False, 0.0, None)


def test_below_four_words_there_is_no_share(memory):
    assert memory.overlap("The dog!").share is None
    assert memory.overlap("?!").spans == ()
    assert not memory.overlap("?!").sentence


def test_false_positives_are_as_frequent_as_stated():
    rng = np.random.default_rng(0)
    words = ["".join(chr(97 + n) for n in rng.integers(0, 26, 9)) for _ in range(6_000)]
    small = Memory.fit(words[:1000], bits=2**13)
    wrong_share = small.contains(words[1000:]).mean()
    items = 2 * 1000  # each is a word and a whole sentence
    expected = (1 - np.exp(-HASHES * items / 2**13)) ** HASHES
    assert small.false_positives == pytest.approx(expected, rel=0.1)
    assert wrong_share == pytest.approx(small.false_positives, rel=0.15)


def test_a_saved_filter_is_small_and_is_loaded_unchanged(memory, tmp_path):
    whole = Memory.fit(TRAINING)
    whole.save(tmp_path)
    assert (tmp_path / "memory.safetensors").stat().st_size < FILTER_BITS / 8 + 500
    assert Memory.load(tmp_path).overlap(TRAINING[1]) == memory.overlap(TRAINING[1])
    with pytest.raises(bundle.BundleError, match="memory.safetensors cannot be read"):
        Memory.load(tmp_path / "nowhere")


def test_no_word_can_be_read_in_the_file(tmp_path):
    Memory.fit(TRAINING).save(tmp_path)
    content = (tmp_path / "memory.safetensors").read_bytes().lower()
    assert not any(
        word.encode() in content for text in TRAINING for word in words_of(text) if word[3:]
    )


def test_the_nearest_sentence_is_that_computed_by_hand():
    corpus = Corpus(TRAINING)
    line, similarity = corpus.nearest("Do not wake the old dog")
    # “wake the dog” is in both in this order: 2 * 3 / (6 + 4).
    assert (line, similarity) == (TRAINING[2], pytest.approx(0.6))
    assert corpus.nearest(TRAINING[1].upper()) == (TRAINING[1], 1.0)
    assert corpus.nearest("zzz")[1] == 0.0


def test_the_corpora_are_read_repacked_or_as_downloaded(tmp_path, memory):
    new = Memory(memory.bits)
    assert Corpus.load(tmp_path, new) is None
    (tmp_path / "translation").mkdir()
    rows = f"train\t{TRAINING[0]}\tfr\ntest\tNot read before.\tfr\n"
    (tmp_path / "translation/tatoeba_en_fr.tsv.xz").write_bytes(lzma.compress(rows.encode()))
    (tmp_path / "train.en.gz").write_bytes(gzip.compress(f"{TRAINING[1]}\n".encode()))
    with zipfile.ZipFile(tmp_path / "fra-eng.zip", "w") as archive:
        archive.writestr("fra.txt", f"{TRAINING[2]}\tfr\tCC-BY\n{TRAINING[0]}\tautre\tCC-BY\n")
    assert Corpus.load(tmp_path, Memory(memory.bits)).sentences == TRAINING
