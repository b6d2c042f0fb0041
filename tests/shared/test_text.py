import numpy as np
import pytest

from shared.bundle import BundleError
from shared.text import SPECIAL, SubwordTokenizer, WordTokenizer, choose_bucket, clean, pad


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("a<br /><br />b", "a b"),
        ("it’s “fine” &amp; dandy", 'it\'s "fine" & dandy'),
        ("no\x00thing\x07 \u202ehidden", "no thing hidden"),
        ("3 < 4 and 5 > 2", "3 < 4 and 5 > 2"),
        ("e\u0301te\u0301", "été"),
        ("  many\n\n lines\t", "many lines"),
        ("family 👨\u200d👩\u200d👧", "family 👨\u200d👩\u200d👧"),
        ("lone \ud800 surrogate", "lone surrogate"),
    ],
)
def test_clean_takes_out_what_is_not_text(raw, expected):
    assert clean(raw) == expected


def test_words_keep_inner_apostrophes_and_runs_of_marks():
    tokenizer = WordTokenizer.build(["the"])
    words = tokenizer.split("The film WASN'T well-made... really?! 5/10 👍")
    assert words[:6] == ["the", "film", "wasn't", "well", "-", "made"]
    assert words[6:] == ["...", "really", "?", "!", "5", "/", "10", "👍"]


def test_numbers_and_places_agree_with_the_text():
    tokenizer = WordTokenizer.build(["good", "film"])
    text = "A Good   film!"
    numbers, places = tokenizer.locate(text)
    assert numbers.tolist() == [1, 2, 3, 1]
    assert [text[start:end] for start, end in places] == ["A", "Good", "film", "!"]
    assert np.array_equal(tokenizer.encode([text])[0], numbers)


def test_tokenizer_survives_a_round_trip(tmp_path):
    tokenizer = WordTokenizer.build(["good", "don't"])
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = WordTokenizer.load(tmp_path / "tokenizer.json")
    assert loaded.words == ["[PAD]", "[UNK]", "good", "don't"]
    assert loaded.encode(["Don't!"])[0].tolist() == [3, 1]


def test_special_names_in_a_text_are_ordinary_words():
    tokenizer = WordTokenizer.build(["pad"])
    assert tokenizer.encode(["[PAD]"])[0].tolist() == [1, 2, 1]


def test_pad_cuts_and_fills_on_the_right():
    assert pad([[5, 6, 7], [8]], 2).tolist() == [[5, 6], [8, 0]]


def test_subwords_give_back_what_they_read():
    texts = ["L'homme n'est pas là ! Où est-il ?", "The man isn't here: 1,234 times."] * 3
    tokenizer = SubwordTokenizer.train(texts, 120)
    assert tokenizer.size <= 120
    for text in (*texts, "Là  est\tl'homme ?"):
        (numbers,) = tokenizer.encode([text])
        assert numbers[-1] == SPECIAL.index("[END]")
        assert tokenizer.decode(numbers) == " ".join(text.split())
        assert "".join(tokenizer.pieces(numbers[:-1])).replace("▁", " ")[1:] == " ".join(
            text.split()
        )
    (strange,) = tokenizer.encode(["here ☃"])
    assert SPECIAL.index("[UNK]") in strange


def test_subwords_survive_the_disk(tmp_path):
    tokenizer = SubwordTokenizer.train(["un chat dort", "deux chats dorment"] * 2, 60)
    tokenizer.save(tmp_path / "tokenizer.json")
    again = SubwordTokenizer.load(tmp_path / "tokenizer.json")
    np.testing.assert_array_equal(again.encode(["le chat"])[0], tokenizer.encode(["le chat"])[0])
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(BundleError, match=r"tokenizer.json cannot be read"):
        SubwordTokenizer.load(tmp_path / "tokenizer.json")


def test_the_smallest_size_that_is_enough():
    assert [choose_bucket((8, 16, 32), n) for n in (1, 8, 9, 33)] == [8, 8, 16, 32]
