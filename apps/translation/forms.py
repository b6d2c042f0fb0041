"""Forms that English leaves open: tu or vous, masculine or feminine, one person or several."""

import re

# The tokens of either form of address; the other form is found by a search without them.
FAMILIAR = ("▁tu", "▁Tu", "tu", "▁t'", "▁T'", "▁te", "▁Te", "▁toi", "▁Toi", "toi", "▁ton", "▁Ton",
            "▁ta", "▁Ta", "▁tes", "▁Tes")  # fmt: skip
FORMAL = ("▁vous", "▁Vous", "vous", "▁votre", "▁Votre", "▁vos", "▁Vos")
_FAMILIAR = re.compile(r"\b(?:tu|t'|te|toi|ton|ta|tes)(?:\b|(?<='))", re.IGNORECASE)
_FORMAL = re.compile(r"\b(?:vous|votre|vos)\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+|[^\w\s]")
_ENDINGS = (
    {"", "e", "s", "es"}, {"x", "se", "ses"}, {"f", "ve", "fs", "ves"}, {"", "le", "s", "les"},
    {"", "ne", "s", "nes"}, {"er", "ère", "ers", "ères"}, {"eur", "euse", "eurs", "euses", "rice"},
    {"et", "ète", "ets", "ètes"}, {"c", "che", "cs", "ches"}, {"", "te", "s", "tes"},
    {"l", "ux", "le", "les"}, {"il", "elle", "ils", "elles"},
)  # fmt: skip


def avoid_address(french):
    """The tokens of the form of address that a translation uses; none if it addresses nobody."""
    if _FORMAL.search(french):
        return FORMAL
    return FAMILIAR if _FAMILIAR.search(french) else ()


def is_other_address(french, other):
    """Whether one of two translations says tu and the other vous."""
    return bool(_FORMAL.search(french)) != bool(_FORMAL.search(other)) and bool(
        _FAMILIAR.search(french)
    ) != bool(_FAMILIAR.search(other))


def differ_in_agreement(french, other):
    """Whether two translations are the same but for the gender or number of their words."""
    words, others = _WORD.findall(french.lower()), _WORD.findall(other.lower())
    if len(words) != len(others) or words == others:
        return False
    return all(map(_agree, words, others))


def _agree(word, other):
    if word == other:
        return True
    common = 0
    while common < min(len(word), len(other)) and word[common] == other[common]:
        common += 1
    return any(
        word[start:] in endings and other[start:] in endings
        for start in range(max(common - 2, 0), common + 1)
        for endings in _ENDINGS
        if start >= 3 or endings is _ENDINGS[-1]
    )
