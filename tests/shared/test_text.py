import re
import unicodedata
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared import limits
from shared.bundle import BundleError
from shared.errors import UserError
from shared.text import (
    SPECIAL,
    SubwordTokenizer,
    WordPieceTokenizer,
    WordTokenizer,
    choose_bucket,
    clean,
    clean_with_places,
    limit_marks,
    pad,
    plain_words,
    read_tokenizer,
)

INVISIBLE = ["\xad", "\u200b", "\u200c", "\u200d", "\u200e", "\u2060", "\u034f", "\ufeff", "\ufe0f"]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("a<br /><br />b", "a b"),
        ("it’s “fine” &amp; dandy", 'it\'s "fine" & dandy'),
        ("no\x00thing\x07 \u202ehidden", "no thing hidden"),
        ("3 < 4 and 5 > 2", "3 < 4 and 5 > 2"),
        ("I <3 this & that; AT&T", "I <3 this & that; AT&T"),
        ("e\u0301te\u0301", "été"),
        ("  many\n\n lines\t", "many lines"),
        ("family 👨\u200d👩\u200d👧 ❤\ufe0f\u200d🔥", "family 👨\u200d👩\u200d👧 ❤\ufe0f\u200d🔥"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("a terriﬁc ﬂawless eﬃcient ﬅuﬀ", "a terrific flawless efficient stuff"),
        ("ｆｉｌｍ　ＦＩＬＭ！", "film FILM!"),
        ("𝗮 𝓯𝓲𝓷𝓮 film", "a fine film"),
        ("&quot;caf&eacute;&quot;&nbsp;&#8217;&#x27;&lt;3", "\"café\" ''<3"),
        ("&amp;eacute; &amp;amp;eacute;", "é é"),
        ("&zwnj;won&shy;der&#8203;ful", "wonderful"),
        ("&lt;br&gt;one ＆amp; two", "one & two"),
        ("wonderful<br>film", "wonderful film"),
        ("&#" + "9" * 5_000 + "; days", "days"),
        (
            "I donâ€™t, â€œsoâ€\x9d â€“ or â€œsoâ€ \xe2\x80\xa6 Â£5 in a cafÃ© ðŸ˜€",
            'I don\'t, "so" – or "so" … £5 in a café 😀',
        ),
        ("donÃ¢â‚¬â„¢t", "don't"),
        ("“IRMÃ”, PÂTÉ – â la carte, cafés…", '"IRMÃ", PÂTÉ – â la carte, cafés…'),
        ("<script>x = 'awful';</script><style>b {}</style><p>Fine.</p>", "Fine."),
        ("½ cup, 10², ™ and … stay", "½ cup, 10², ™ and … stay"),
    ],
)
def test_clean_gives_the_text_that_a_reader_sees(raw, expected):
    assert clean(raw) == expected


@pytest.mark.parametrize("mark", INVISIBLE)
def test_an_invisible_character_within_a_word_changes_nothing(mark):
    assert clean(f"{mark}A wonder{mark}ful{mark} film.{mark}") == "A wonderful film."
    assert plain_words(f"A wonder{mark}ful film") == ["a", "wonderful", "film"]


@pytest.mark.parametrize("apostrophe", "’‘´`\u02bc\u02b9\uff07\u2032\u201b\u02bb\x92\u2035\ua78c")
def test_every_apostrophe_is_one(apostrophe):
    assert clean(f"don{apostrophe}t") == "don't"
    assert plain_words(f"Don{apostrophe}t") == ["don't"]


@pytest.mark.parametrize("mark", "“”„‟″＂\x93〝")
def test_every_quotation_mark_is_one(mark):
    assert clean(f"{mark}so{mark}") == '"so"'


LETTERS = st.text("abcdeZéïñßжλא한中", min_size=1, max_size=8)
GAPS = st.sampled_from([*" \n\t\xa0\u3000\u2028\x07", " \u200b ", "<br>", "&nbsp;"])
PIECES = st.lists(
    st.one_of(
        st.characters(),
        st.sampled_from([*INVISIBLE, *"&;<>#/ab 38’ﬁ👩❤＆＜；\u0301\u0f73", "amp;", "&lt"]),
        st.sampled_from(["â€", "â‚¬", "Ã", "Ã¢â‚¬â„¢", "A\u0303", *"â€™©¢\x80\x9d"]),
        st.sampled_from(
            ["<script>", "&amp;", "&lt;", "&gt;", "&num;", "&shy;", "<b>", "</i>", "<br>"]
        ),
    ),
    max_size=30,
).map("".join)


@given(PIECES)
@example("&amp;amp;amp;amp;amp;amp;lt;")
@example("&am<b></b>p;amp;")
@example("1\u2329\u200d\U0001f469")
@settings(deadline=None)
def test_cleaning_twice_is_cleaning_once(text):
    assert clean(clean(text)) == clean(text)


def test_cleaning_any_character_twice_is_cleaning_it_once():
    for start in (*range(0, 0x20000, 256), 0xE0000):
        characters = map(chr, range(start, start + 256))
        text = "".join(f"a{each}b 👩{each}👩 1{each}\u200d👩 " for each in characters)
        assert clean(clean(text)) == clean(text)


@given(
    st.lists(st.tuples(LETTERS, st.integers(0, 8), st.sampled_from(INVISIBLE), GAPS), min_size=1)
)
@settings(deadline=None)
def test_cleaning_neither_joins_words_nor_splits_one(words):
    raw = "".join(word[:at] + mark + word[at:] + gap for word, at, mark, gap in words)
    assert clean(raw).split(" ") == [unicodedata.normalize("NFC", word) for word, *_ in words]


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("A won\xadder\u200bful film", ["A", "won\xadder\u200bful", "film"]),
        ("a ﬁne\u200d ｆｉｌｍ", ["a", "ﬁne", "ｆｉｌｍ"]),
        ("\u200e don’t&nbsp;&nbsp;go ", ["don’t", "go"]),
        ("caf&eacute; &#8220;noir&#8221;", ["caf&eacute;", "&#8220;noir&#8221;"]),
        ("cafe\u0301 <b>noir</b>", ["cafe\u0301", "noir"]),
        ("one<br />two\n\n\nthree", ["one", "two", "three"]),
        ("&amp;eacute;t&amp;eacute; vu", ["&amp;eacute;t&amp;eacute;", "vu"]),
        ("각 \u1100\u1161\u11a8", ["각", "\u1100\u1161\u11a8"]),
    ],
)
def test_the_places_of_cleaned_words_are_those_in_the_typed_text(typed, parts):
    cleaned, places = clean_with_places(typed)
    spans = [places.find(*word.span()) for word in re.finditer(r"\S+", cleaned)]
    assert [typed[start:end] for start, end in spans] == parts


def test_a_mark_behind_composed_letters_has_a_place_of_its_own():
    typed = "“cafe\u0301”, cafe\u0301’s"
    cleaned, places = clean_with_places(typed)
    spans = [places.find(*each.span()) for each in re.finditer(r"\w+|\S", cleaned)]
    found = [typed[start:end] for start, end in spans]
    assert found == ["“", "cafe\u0301", "”", ",", "cafe\u0301", "’", "s"]


@given(PIECES)
@settings(deadline=None)
def test_places_are_in_order_and_the_shown_text_is_the_typed_one(text):
    cleaned, places = clean_with_places(text)
    assert cleaned == clean(text)
    assert len(places.shown) == len(text)
    places.shown.encode()  # so that a page can be sent
    spans = [places.find(n, n + 1) for n in range(len(cleaned))]
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert spans == sorted(spans)


@given(st.lists(st.tuples(LETTERS, st.integers(0, 8), st.sampled_from(INVISIBLE), GAPS)))
@settings(deadline=None)
def test_the_places_of_words_leave_out_what_is_around_them(words):
    typed = "".join(word[:at] + mark + word[at:] + gap for word, at, mark, gap in words)
    cleaned, places = clean_with_places(typed)
    found = [typed[slice(*places.find(*each.span()))] for each in re.finditer("[^ ]+", cleaned)]
    assert [
        "".join(part.split(mark)) for part, (_, _, mark, _) in zip(found, words, strict=True)
    ] == [word for word, *_ in words]


def test_what_nobody_sees_takes_no_room_where_a_typed_text_is_shown():
    _, places = clean_with_places("\u202ea\x00b\xadc\ud800" + "\u0301" * 35)
    assert places.shown == "\u2060a b\u2060c " + "\u0301" * 30 + "\u2060" * 5


@given(st.text(max_size=30))
@settings(deadline=None)
def test_letters_are_composed_as_unicode_has_it(text):
    assert clean(text) == unicodedata.normalize("NFC", clean(text))


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]), max_size=80))
@settings(deadline=None)
def test_cleaning_ordinary_text_changes_nothing_but_its_spaces(text):
    text = re.sub("[&<`]", "", text)
    assert clean(text) == " ".join(text.split())


@pytest.mark.parametrize("function", [clean, plain_words])
def test_a_text_that_is_far_too_long_is_not_cleaned(function, monkeypatch):
    monkeypatch.setattr(limits, "TEXT_CHARACTERS", 10)
    function("a" * 10)
    with pytest.raises(UserError, match="has 11 characters; at most 10"):
        function("a" * 11)


def test_a_run_of_combining_marks_keeps_its_first_thirty():
    most = limits.COMBINING_MARKS
    for marks in ("\u0323\u0301" * 100, "\u0f73" * 100, "\u200b\u0301" * 100, "&#769;" * 100):
        cleaned = unicodedata.normalize("NFD", clean("o" + marks + "n"))
        assert len(cleaned) <= 2 * most + 2
        assert cleaned[0] == "o" and cleaned[-1] == "n"
    assert limit_marks("o" + "\u0301" * most) == "o" + "\u0301" * most


def test_every_character_that_normalising_would_sort_counts_as_a_mark():
    for code in range(0x110000):
        decomposed = unicodedata.normalize("NFD", chr(code))
        if all(map(unicodedata.combining, decomposed)):
            assert limit_marks(chr(code) * 31) == chr(code) * 30, hex(code)


@pytest.mark.parametrize("function", [clean, clean_with_places, plain_words])
@pytest.mark.parametrize(
    "pattern",
    [
        "\u0301\u0323",
        "\u0f73",
        "Ã¢",
        "<script>",
        "&#769;",
        "&amp;",
        "amp;",
        "&#9",
        "<",
        "<b ",
        "\xad ",
        "\xad\n",
    ],
)
def test_cleaning_takes_linear_time(function, pattern, growth):
    large, small = ("a&" + pattern * count for count in (40_000, 20_000))
    assert growth(function, large, small) < 2.5


def test_words_keep_inner_apostrophes_and_runs_of_marks():
    tokenizer = WordTokenizer.build(["the"])
    words = tokenizer.split("The film WASN'T well-made... really?! 5/10 👍")
    assert words[:6] == ["the", "film", "wasn't", "well", "-", "made"]
    assert words[6:] == ["...", "really", "?", "!", "5", "/", "10", "👍"]


def test_numbers_and_places_agree_with_the_text():
    tokenizer = WordTokenizer.build(["good", "film"])
    text = "A Good   film!"
    numbers, places, _ = tokenizer.locate(text)
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


def test_characters_can_become_tokens_of_their_own(tmp_path):
    texts = ["It costs nine euros, or ten.", "Ten people (or nine) came."] * 3
    tokenizer = SubwordTokenizer.train(texts, 80)
    before, size = tokenizer.encode(texts), tokenizer.size
    tokenizer.add("\ue000\ue001")
    assert tokenizer.size == size + 2
    for old, new in zip(before, tokenizer.encode(texts), strict=True):
        np.testing.assert_array_equal(old, new)
    tokenizer.save(tmp_path / "tokenizer.json")
    for text in ("It costs \ue000 euros, or \ue001.", "\ue001 people came.", "(\ue000)"):
        (numbers,) = SubwordTokenizer.load(tmp_path / "tokenizer.json").encode([text])
        assert {size, size + 1} & set(numbers.tolist())
        assert tokenizer.decode(numbers) == text
    assert (tokenizer.number("\ue001"), tokenizer.number("\ue002")) == (size + 1, None)


def test_subword_dropout_splits_words_and_keeps_the_text():
    tokenizer = SubwordTokenizer.train(["un chat dort", "deux chats dorment"] * 2, 60)
    (whole,) = tokenizer.encode(["deux chats dorment"])
    (split,) = tokenizer.encode(["deux chats dorment"], dropout=0.9)
    assert len(split) > len(whole)
    assert tokenizer.decode(split) == tokenizer.decode(whole)
    np.testing.assert_array_equal(tokenizer.encode(["deux chats dorment"])[0], whole)


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


def build_pieces():
    words = [
        "good",
        "film",
        "soo",
        "!!",
        "http",
        "@",
        "#",
        ".",
        "un",
        "##watch",
        "##able",
        "##ever",
    ]
    return WordPieceTokenizer.build(words)


def test_words_outside_the_vocabulary_are_cut_into_the_longest_pieces():
    numbers, spans, last = build_pieces().locate("Good unwatchable film.")
    assert list(numbers) == [2, 10, 11, 12, 3, 9]
    assert [tuple(span) for span in spans] == [(0, 4), (5, 16), (17, 21), (21, 22)]
    assert list(last) == [0, 3, 4, 5]


def test_repeated_letters_links_and_mentions_become_one_token_each_in_their_place():
    text = "Sooooo goooood!!!! @Jo_2 http://a.b/c?d=1, www.x.org. #film"
    numbers, spans, last = build_pieces().locate(text)
    words = [text[start:end] for start, end in spans]
    assert words[:6] == ["Sooooo", "goooood", "!!!!", "@Jo_2", "http://a.b/c?d=1", ","]
    assert words[6:] == ["www.x.org", ".", "#", "film"]
    assert list(numbers) == [4, 2, 5, 7, 6, 1, 6, 9, 8, 3]
    assert list(last) == list(range(10))


def test_a_word_with_an_unknown_character_is_unknown_and_an_empty_text_has_no_words():
    tokenizer = build_pieces()
    assert list(tokenizer.locate("good fi☃m")[0])[0] == 2
    assert 1 in tokenizer.encode(["qxz"])[0]
    numbers, spans, last = tokenizer.locate(" ")
    assert len(numbers) == len(spans) == len(last) == 0


def test_training_keeps_the_frequent_words_whole_and_spells_the_others():
    counts = Counter({"the": 50, "movie": 40, "movies": 30, **{f"mov{c}": 3 for c in "abcd"}})
    tokenizer = WordPieceTokenizer.train(counts, 3, 40)
    assert tokenizer.words[:5] == ["[PAD]", "[UNK]", "the", "movie", "movies"]
    numbers, _, last = tokenizer.locate("the mabcd")
    assert 1 not in numbers
    assert last[-1] >= 2


def test_a_saved_tokenizer_is_read_with_its_kind(tmp_path):
    for tokenizer in (build_pieces(), WordTokenizer.build(["good"])):
        tokenizer.save(tmp_path / "tokenizer.json")
        loaded = read_tokenizer(tmp_path / "tokenizer.json")
        assert type(loaded) is type(tokenizer)
        assert loaded.words == tokenizer.words
