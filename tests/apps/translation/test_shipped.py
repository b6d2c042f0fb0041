"""What the shipped network answers to texts as people type and paste them."""

import pytest

from apps.translation.predictor import Predictor

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def translate():
    predictor = Predictor.load()
    return lambda text: predictor.translate(text).text.replace("\u202f", " ").replace("\xa0", " ")


@pytest.mark.parametrize(
    "word", ["Yes", "No", "cat", "help", "bread", "Monday", "Good morning", "no entry"]
)
def test_short_inputs_have_an_answer(translate, word):
    assert any(map(str.isalpha, translate(word)))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("It costs 4.75 euros and 2,345.60 dollars.", ("4,75 euros", "2 345,60 dollars")),
        ("The house costs $1,300,000.", ("1 300 000 $",)),
        ("We met on 14/06/2023.", ("14/06/2023",)),
        ("Write to j.roe@mail.example.org.", ("j.roe@mail.example.org",)),
        ("See http://a.example/b?c=1 for more.", ("http://a.example/b?c=1",)),
    ],
)
def test_figures_have_their_french_form_and_addresses_stay(translate, text, kept):
    assert all(each in translate(text) for each in kept)


def test_capitals_are_read_as_small_letters(translate):
    assert translate("THE BOY IS RUNNING.") == translate("The boy is running.").upper()


@pytest.mark.parametrize(
    ("pasted", "plain"),
    [
        ("A wonder\u200cful gi\xadft.", "A wonderful gift."),
        ("A ﬁne ﬂag.", "A fine flag."),
        ("I don\u02bct know.", "I don't know."),
        ("I donâ€™t know.", "I don't know."),
        ("Ａ　ｄｏｇ　ｒｕｎｓ．", "A dog runs."),
        ("The dog is\nrunning in\nthe park.", "The dog is running in the park."),
        ("<p>It&#39;s a <b>red</b> car.</p>", "It's a red car."),
    ],
)
def test_a_pasted_text_is_translated_as_the_plain_one(translate, pasted, plain):
    assert translate(pasted) == translate(plain)


def test_the_header_of_a_chat_message_stays(translate):
    header = "[12/05/2024, 18:03] Anna: "
    assert translate(f"{header}Where are you?") == header + translate("Where are you?")
