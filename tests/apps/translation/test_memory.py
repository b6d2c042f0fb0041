import gzip
import lzma
import zipfile

import numpy as np
import pytest

from apps.translation.memory import BITS, HASHES, Corpus, Memory, doubts, words_of
from apps.translation.predictor import Hypothesis, Sentence
from shared import bundle

READ = [
    "The old dog sleeps under the kitchen table.",
    "A girl in a blue dress is dancing.",
    "Don't wake the dog!",
]


@pytest.fixture(scope="module")
def memory():
    return Memory.fit(READ, bits=2**14)


def sentence(text="The dog.", chances=(0.9, 0.8), copied=False):
    best = Hypothesis("Le chien.", ("▁Le", "[END]"), np.array(chances), np.eye(2), -1.0)
    return Sentence(text, ("▁The", "[END]"), (best,), None, copied, ())


def test_a_training_sentence_is_known_whatever_its_case_and_marks(memory):
    for text in (*READ, "the old DOG sleeps, under the kitchen table?"):
        found = memory.recall(text)
        assert found.exact
        assert all(found.known)
    assert memory.recall(READ[0]).share == 1.0
    assert memory.recall(READ[0]).longest == (0, 8)


def test_a_new_sentence_tells_its_longest_known_stretch(memory):
    text = "Yesterday, the old dog sleeps under the green table."
    found = memory.recall(text)
    assert not found.exact
    # Seen of six runs: "the old dog sleeps", "old dog sleeps under", "dog sleeps under the".
    assert found.share == pytest.approx(3 / 6)
    assert found.longest == (1, 7)
    strangers = [
        text[a:b] for (a, b), known in zip(found.spans, found.known, strict=True) if not known
    ]
    assert strangers == ["Yesterday", "green"]


def test_order_counts(memory):
    found = memory.recall("Table kitchen the under sleeps dog old the.")
    assert all(found.known)
    assert (found.exact, found.share, found.longest) == (False, 0.0, None)


def test_below_four_words_there_is_no_share(memory):
    assert memory.recall("The dog!").share is None
    assert memory.recall("?!").spans == ()
    assert not memory.recall("?!").exact


def test_false_positives_are_as_rare_as_stated():
    noise = np.random.default_rng(0)
    made = ["".join(chr(97 + n) for n in noise.integers(0, 26, 9)) for _ in range(6_000)]
    small = Memory.fit(made[:1000], bits=2**13)
    wrong = small.holds(made[1000:]).mean()
    items = 2 * 1000  # each is a word and a whole sentence
    expected = (1 - np.exp(-HASHES * items / 2**13)) ** HASHES
    assert small.false_positives == pytest.approx(expected, rel=0.1)
    assert wrong == pytest.approx(small.false_positives, rel=0.15)


def test_the_file_is_small_and_survives_the_disk(memory, tmp_path):
    whole = Memory.fit(READ)
    whole.save(tmp_path)
    assert (tmp_path / "memory.safetensors").stat().st_size < BITS / 8 + 500
    assert Memory.load(tmp_path).recall(READ[1]) == memory.recall(READ[1])
    with pytest.raises(bundle.BundleError, match="memory.safetensors cannot be read"):
        Memory.load(tmp_path / "nowhere")


def test_no_sentence_can_be_read_in_the_file(tmp_path):
    Memory.fit(READ).save(tmp_path)
    content = (tmp_path / "memory.safetensors").read_bytes().lower()
    assert not any(word.encode() in content for text in READ for word in words_of(text) if word[3:])


def test_the_nearest_sentence_by_hand():
    corpus = Corpus(READ)
    line, likeness = corpus.nearest("Do not wake the old dog")
    # "wake the dog" stand in both in one order, 2 * 3 / (6 + 4).
    assert (line, likeness) == (READ[2], pytest.approx(0.6))
    assert corpus.nearest(READ[1].upper()) == (READ[1], 1.0)
    assert corpus.nearest("zzz")[1] == 0.0


def test_the_corpora_are_found_repacked_and_as_downloaded(tmp_path, memory):
    new = Memory(memory.bits)
    assert Corpus.load(tmp_path, new) is None
    (tmp_path / "translation").mkdir()
    rows = f"train\t{READ[0]}\tfr\ntest\tNot read before.\tfr\n"
    (tmp_path / "translation/tatoeba_en_fr.tsv.xz").write_bytes(lzma.compress(rows.encode()))
    (tmp_path / "train.en.gz").write_bytes(gzip.compress(f"{READ[1]}\n".encode()))
    with zipfile.ZipFile(tmp_path / "fra-eng.zip", "w") as archive:
        archive.writestr("fra.txt", f"{READ[2]}\tfr\tCC-BY\n{READ[0]}\tautre\tCC-BY\n")
    assert Corpus.load(tmp_path, Memory(memory.bits)).sentences == READ


def test_nothing_is_doubted_without_a_reason(memory):
    text = READ[0]
    assert doubts(sentence(text), memory.recall(text), usual=20) == []


@pytest.mark.parametrize(
    ("text", "chances", "usual", "reason"),
    [
        (
            "The old zebra sleeps under the table.",
            (0.9, 0.9),
            20,
            "No training sentence contains “zebra”",
        ),
        ("Das ist ein Hund.", (0.9, 0.9), 20, "4 of its 4 words are in no training sentence"),
        ("The old dog sleeps.", (0.9, 0.9), 3, "It has 4 words; of 1,000 training sentences"),
        ("The old dog sleeps.", (0.1, 0.2), 20, "unsure: a token had a chance of 14\u202f%"),
    ],
)
def test_what_is_far_from_anything_read_is_doubted(memory, text, chances, usual, reason):
    found = doubts(sentence(text, chances), memory.recall(text), usual)
    assert len(found) == 1
    assert reason in found[0]


def test_figures_and_copies_are_no_strangers(memory):
    text = "The old dog sleeps 12345."
    assert doubts(sentence(text), memory.recall(text), 20) == []
    assert doubts(sentence("https://a.org", copied=True), memory.recall("https://a.org"), 20) == []
