"""What a training pair looks like each time that it is read.

Figures, addresses and some names become placeholders on both sides (see `apps.translation.copies`),
and the English is written as people type: without capitals, without a final stop, with a typo, or
split into other subwords (BPE-dropout, Provilkov, Emelianenko & Voita 2020).
"""

import re
from dataclasses import dataclass

from apps.translation import copies
from shared.text import clean
from training.translation import recipe

_MAY_HAVE_COPIES = re.compile(r"[\d@#`]|www\.|\.(?:com|org)|[^\x00-\u024f\u2010-\u2026]")
_WORD = re.compile(r"[^\W\d_]{2,}")
_SPACE = f"[ {copies.THIN_SPACE}{copies.NO_BREAK_SPACE}]?"
_TYPED_WORD = re.compile(r"[a-z]{4,}")


@dataclass(frozen=True)
class Example:
    """A cleaned pair with what can become a placeholder.

    Attributes:
        source, target: English and French.
        found: List of (kind, span in the source, span in the target).
        names: The words that both sides have and that are written with a capital.
    """

    source: str
    target: str
    found: tuple
    names: tuple[str, ...]


def make_example(source, target, is_common):
    """The `Example` of a pair.

    Args:
        source, target: English and French.
        is_common: Function of a lower-cased word that says whether it is one of the language.
    """
    source, target = copies.clean(source), clean(target)
    found = []
    if _MAY_HAVE_COPIES.search(source):
        for each in copies.find(source):
            places = list(re.finditer(_french_pattern(each), target))
            if len(places) == 1:
                found.append((each.kind, (each.start, each.end), places[0].span()))
    names = ()
    common = set(_WORD.findall(source)) & set(_WORD.findall(target))
    if common:
        names = tuple(
            sorted(word for word in common if word.istitle() and not is_common(word.lower()))
        )
    return Example(source, target, tuple(found), names)


def vary(example, rng):
    """An (English, French) pair of an example, as it is read this time."""
    source, target = _with_placeholders(example, rng)
    if example.names and rng.random() < recipe.NAMES_SET_ASIDE:
        slots = rng.permutation(len(copies.PLACEHOLDERS["name"]))
        for slot, name in zip(slots, example.names, strict=False):
            word = re.compile(rf"(?<!\w){name}(?!\w)")
            slot = copies.PLACEHOLDERS["name"][slot]
            source, target = word.sub(slot, source), word.sub(slot, target)
    if rng.random() < recipe.NO_STOP:
        if source.endswith(".") and target.endswith("."):
            source, target = source.rstrip("."), target.rstrip(".")
        elif source.endswith(("?", "!")):
            source = source.rstrip("?!")
    if rng.random() < recipe.NO_CAPITALS:
        source = source.lower()
    if rng.random() < recipe.TYPOS:
        source = with_typo(source, rng)
    return source, target


def _with_placeholders(example, rng):
    if not example.found:
        return example.source, example.target
    kinds = {kind for kind, *_ in example.found}
    ordered = rng.random() < 0.5  # otherwise the later placeholders would hardly be learned
    slots = {
        kind: iter(
            range(copies.KINDS[kind]) if ordered else rng.permutation(copies.KINDS[kind]).tolist()
        )
        for kind in kinds
    }
    sides = [example.source, example.target]
    placed = [
        (copies.PLACEHOLDERS[kind][next(slots[kind])], spans) for kind, *spans in example.found
    ]
    for side in (0, 1):
        text = sides[side]
        for slot, spans in sorted(placed, key=lambda each: -each[1][side][0]):
            start, end = spans[side]
            text = text[:start] + slot + text[end:]
        sides[side] = text
    return sides


def _french_pattern(each):
    """A regular expression of the ways in which French may write what is copied."""
    form = re.escape(each.french)
    for space in (copies.THIN_SPACE, copies.NO_BREAK_SPACE):
        form = form.replace(re.escape(space), _SPACE)
    if each.kind == "time":
        hour, *minute = each.french.replace(copies.NO_BREAK_SPACE, "").split("h")
        hours = "|".join(sorted({hour, str((int(hour) + 12) % 24)}, key=len, reverse=True))
        minute = minute[0] if minute else ""
        ending = rf"(?:h|:){_SPACE}{minute}" if minute else r"(?:h(?:eures?)?|:)(?: ?00)?"
        form = rf"(?:{hours}){_SPACE}{ending}(?: du matin| de l'après-midi| du soir)?"
    if each.french.endswith(("$", "€", "£")):
        word = {"$": "dollars?", "€": "euros?", "£": "livres(?: sterling)?"}[each.french[-1]]
        form = form.replace(re.escape(each.french[-1]), rf"(?:{re.escape(each.french[-1])}|{word})")
    if each.kind == "ordinal" and each.french != "1er":
        form += r"(?:me|ème)?"
    return rf"(?<![\w,.]){form}(?![\w]|[,.]\d)"


def with_typo(text, rng):
    """A text in which two letters of a word are swapped, or one is missing or doubled."""
    words = list(_TYPED_WORD.finditer(text))
    if not words:
        return text
    word = words[rng.integers(len(words))]
    place = word.start() + int(rng.integers(len(word.group()) - 1))
    first, second, rest = text[place], text[place + 1], text[place + 2 :]
    changed = (second + first, second, first + first + second)[rng.integers(3)]
    return text[:place] + changed + rest
