"""How sentences are read that are typed in capitals, without any, or without a stop."""

import pytest

from apps.translation import copies
from apps.translation.reading import read as read_all
from shared.text import SubwordTokenizer

KNOWN = {"the", "dog", "is", "here", "tom", "where", "stop", "i", "saw", "monday", "lives", "in"}


def read(*arguments):
    """The first way of reading: as a sentence."""
    return read_all(*arguments)[0]


@pytest.fixture(scope="module")
def tokenizer():
    texts = [
        "Where is the dog? I saw Tom. Tom saw the dog on Monday. Stop here!",
        "I see where it is, a stop.",
    ] * 9
    tokenizer = SubwordTokenizer.train(texts, 200)
    tokenizer.add(copies.ALL_PLACEHOLDERS)
    return tokenizer


def test_capitals_are_read_as_small_letters_and_given_back(tokenizer):
    reading = read("THE DOG SAW TOM AT 5 PM.", tokenizer, True, KNOWN)
    (slot,) = reading.french
    assert reading.text == f"The dog saw Tom at {slot}."
    assert reading.restore(f"Le chien a vu Tom à {slot}.") == "LE CHIEN A VU TOM À 17\u00a0h."
    assert read("STOP", tokenizer, True, KNOWN).capitals
    assert not read("UNESCO", tokenizer, True, KNOWN).capitals


def test_a_text_without_capitals_or_stop_is_read_with_them(tokenizer):
    reading = read("where is the dog", tokenizer, True, KNOWN)
    assert reading.text == "Where is the dog?"
    assert reading.restore("Où est le chien\u202f?") == "où est le chien"
    reading = read("i saw tom", tokenizer, True, KNOWN)
    assert reading.text == "I saw Tom."
    assert reading.restore("Tom est là.") == "Tom est là"  # a name keeps its capital


def test_a_translation_begins_with_a_capital_as_the_text_does(tokenizer):
    assert read("My dog", tokenizer, True, KNOWN).restore("mon chien") == "Mon chien"
    assert read("my dog", tokenizer, True, KNOWN).restore("Un chien") == "un chien"


def test_unknown_names_are_set_aside_and_known_words_are_not(tokenizer):
    reading = read("I saw Kowalska here.", tokenizer, True, KNOWN)
    assert list(reading.english.values()) == ["Kowalska"]
    assert read("Nowhere is here.", tokenizer, True, KNOWN).english == {
        copies.PLACEHOLDERS["name"][0]: "Nowhere"
    }
    assert not read("Kneel here, Tom.", tokenizer, True, KNOWN).english
    assert not read("I saw Kowalska.", tokenizer, True, None).english


def test_a_network_without_placeholders_reads_everything_itself(tokenizer):
    assert read("It is 5.", tokenizer, False, KNOWN).text == "It is 5."


def test_a_few_words_without_a_stop_are_read_as_a_sentence_and_as_a_part_of_one(tokenizer):
    def texts(typed):
        return [reading.text for reading in read_all(typed, tokenizer, True, KNOWN)]

    assert texts("Stop") == ["Stop.", "stop"]
    assert texts("the dog") == ["The dog.", "the dog"]
    assert texts("STOP HERE") == ["Stop here.", "stop here"]
    assert texts("Tom") == ["Tom.", "Tom"]
    assert texts("Where is Tom") == ["Where is Tom?", "where is Tom"]
    assert texts("Stop!") == ["Stop!"]
    assert texts("I saw the dog") == ["I saw the dog."]
    sentence, part = read_all("Stop", tokenizer, True, KNOWN)
    assert sentence.restore("Arrête\u202f!") == "Arrête" and part.restore("arrêt") == "Arrêt"
