"""Figures, dates, addresses and names: what is found, and how French writes it."""

import time

import pytest

from apps.translation import copies


def forms(text, names=()):
    """(English, French with ordinary spaces) of all that is copied."""
    found = copies.find(copies.clean(text), (lambda word, first: word in names) if names else None)
    text = copies.clean(text)
    return [
        (text[each.start : each.end], each.french.replace("\u202f", " ").replace("\u00a0", " "))
        for each in found
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It costs 4.75 euros.", [("4.75", "4,75")]),
        ("About 2,345.60 dollars", [("2,345.60", "2 345,60")]),
        ("$1,300,000 or $2.5 million", [("$1,300,000", "1 300 000 $"),
                                         ("$2.5 million", "2,5 millions de dollars")]),
        ("£1 million", [("£1 million", "1 million de livres")]),
        ("at 4:20 pm", [("4:20 pm", "16 h 20")]),
        ("from 9:00 to 17:45", [("9:00", "9 h"), ("17:45", "17 h 45")]),
        ("It is 7 a.m.", [("7 a.m", "7 h")]),
        ("At 12 am or 12:05 pm", [("12 am", "0 h"), ("12:05 pm", "12 h 05")]),
        ("March 1st, 2021", [("March 1st, 2021", "1er mars 2021")]),
        ("on the 14th of July", [("14th of July", "14 juillet")]),
        ("12/05/2024 and 2024-05-12", [("12/05/2024",) * 2, ("2024-05-12",) * 2]),
        ("I may 5 times say may.", [("5", "5")]),
        ("-7 °C, 60%, 12kg", [("-7 °C", "-7 °C"), ("60%", "60 %"), ("12kg", "12 kg")]),
        ("in the 1980s on the 21st floor", [("1980s", "années 1980"), ("21st", "21e")]),
        ("call 555-0199 or +41 44 668 18 00", [("555-0199",) * 2, ("+41 44 668 18 00",) * 2]),
        ("Python 3.12 at 10.0.0.1", [("3.12",) * 2, ("10.0.0.1",) * 2]),
        ("flight LX318 and R2D2", [("LX318",) * 2, ("R2D2",) * 2]),
        ("ask j.roe@mail.example.org, please", [("j.roe@mail.example.org",) * 2]),
        ("see http://a.example/b?c=1&lt=2.", [("http://a.example/b?c=1&lt=2",) * 2]),
        ("by @jo_l in #Nice", [("@jo_l",) * 2, ("#Nice",) * 2]),
        ("run `rm <b>x</b>` now", [("`rm <b>x</b>`",) * 2]),
        ("well done 👏🏽👏", [("👏🏽👏",) * 2]),
        ("3/4 of it, ½ of that", [("3/4",) * 2, ("½",) * 2]),
        ("No figures here.", []),
    ],
)  # fmt: skip
def test_what_is_copied_has_its_french_form(text, expected):
    assert forms(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**A man** is *running* and __very__ _fast_.", "A man is running and very fast."),
        ('***So*** "*fine*"!', 'So "fine"!'),
        ("2*3*4, 2 * 3 * 4, a_b_c, ** and `*x*`", "2*3*4, 2 * 3 * 4, a_b_c, ** and `*x*`"),
    ],
)
def test_marks_of_emphasis_are_left_out(text, expected):
    assert copies.clean(text) == expected


def test_names_are_those_that_the_caller_knows():
    text = "Yesterday Ms. Zielinska-Wu met O'Dowd."
    found = forms(text, ("Zielinska-Wu", "O'Dowd"))
    assert found == [("Zielinska-Wu",) * 2, ("O'Dowd",) * 2]


def test_placeholders_are_put_back_in_any_order():
    text = "From 8:15 to 9:45 it costs 3.20."
    aside, french = copies.set_aside(text, copies.find(text))
    assert not any(character.isdigit() for character in aside)
    first, second, price = french
    assert copies.put_back(f"{price}, {second}, {first}", french).replace("\u00a0", " ") == (
        "3,20, 9 h 45, 8 h 15"
    )


def test_the_first_one_agrees_with_its_article():
    aside, french = copies.set_aside("1st", copies.find("1st"))
    assert (
        copies.put_back(f"la {aside} fois, le {aside} jour", french) == "la 1re fois, le 1er jour"
    )


def test_no_more_are_set_aside_than_there_are_placeholders():
    text = " ".join(f"{n}," for n in range(30, 60))
    assert len(copies.find(text)) == copies.KINDS["number"]


def test_nobody_can_type_a_placeholder():
    assert not set(copies.clean("".join(copies.ALL_PLACEHOLDERS) + " and")) & set(
        copies.ALL_PLACEHOLDERS
    )


@pytest.mark.parametrize(
    "unit", ["1,", "a.", "@a", "1-", "A1", "(", "w.", "1 ", "Jan ", "😀 ", "`"]
)
def test_reading_takes_linear_time(unit):
    def seconds(count):
        start = time.perf_counter()
        copies.find(copies.clean(unit * count))
        return time.perf_counter() - start

    seconds(10)
    assert seconds(2_000) < 60
