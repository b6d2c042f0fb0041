"""What is copied instead of translated: figures, times, dates, names, addresses, code and emoji.

The network reads and writes a placeholder in place of each: a token of its kind (“the first
number”, “the second number”, “the first name”). So it learns where in a French sentence such a
thing stands, and never spells it. Its French form is written by rule: `1,234.56` becomes
`1 234,56`, and `3:30 pm` becomes `15 h 30`. Placeholders are private characters, which
`shared.text.clean` removes from every text: nobody can type one.
"""

import re
from dataclasses import dataclass

from shared import text as texts

# How many of each kind a sentence can have; what is beyond that is left to the network.
KINDS = {"number": 8, "ordinal": 3, "time": 4, "date": 4, "name": 6, "address": 6}
_CHARACTERS = iter(map(chr, range(0xE000, 0xE000 + sum(KINDS.values()))))
PLACEHOLDERS = {
    kind: tuple(next(_CHARACTERS) for _ in range(count)) for kind, count in KINDS.items()
}
ALL_PLACEHOLDERS = tuple(each for group in PLACEHOLDERS.values() for each in group)
NOT_ADDRESSES = tuple(each for each in ALL_PLACEHOLDERS if each not in PLACEHOLDERS["address"])

THIN_SPACE, NO_BREAK_SPACE = "\u202f", "\u00a0"  # French: within numbers, and before units
_MONTHS = (
    ("january", "janvier"), ("february", "février"), ("march", "mars"), ("april", "avril"),
    ("may", "mai"), ("june", "juin"), ("july", "juillet"), ("august", "août"),
    ("september", "septembre"), ("october", "octobre"), ("november", "novembre"),
    ("december", "décembre"),
)  # fmt: skip
_FRENCH_MONTH = {name[:3]: french for name, french in _MONTHS}
_CURRENCY_WORD = {"$": "de dollars", "€": "d’euros", "£": "de livres", "¥": "de yens"}
_SCALE_WORD = {"thousand": "mille", "million": "million", "billion": "milliard"}
_LETTER_SCALE = {"k": "thousand", "m": "million", "b": "billion"}

_MONTH = (
    r"(?P<month>January|February|March|April|May|June|July|August|September|October|November"
    r"|December|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?)"
)
_DAY = r"(?P<day>[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?"
_YEAR = r"(?:,? (?P<year>[12]\d{3}))?(?![\w:/]|[.,]\d)"
_VALUE = r"(?P<value>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+|\.\d+|\d+)"
_UNIT = (
    r"%|(?:km/h|mph|km|cm|mm|nm|m²|m2|m³|m|kg|mg|g|ml|mL|cl|dl|l|L|kWh|kW|W|V|GHz|MHz|Hz|GB|MB|TB"
    r"|KB|°C|°F|°|ft|lbs?|oz|min|px|kcal|hp|dB)(?![\w'²³])"
)
_TONES = "[\ufe0f\u200d\U0001f3fb-\U0001f3ff]*"  # of an icon: its colour, or what joins it
_ICON = "[\U0001f000-\U0001faff\u2600-\u27bf\u2b05-\u2b55\u231a\u231b\u23e9-\u23fa\u2190-\u21ff]"
_END_OF_ADDRESS = r"[^\s<>\".,;:!?)\]'`]"

# Kind, name of the rule that writes the French form, and pattern. An earlier one goes before.
_PATTERNS = [
    ("address", "", re.compile(r"`[^`\n]{1,200}`")),
    ("address", "", re.compile(rf"(?:https?://|www\.)[^\s<>\"]{{0,500}}{_END_OF_ADDRESS}")),
    ("address", "", re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@\w[\w-]{0,63}(?:\.\w[\w-]{0,63})+")),
    (
        "address",
        "",
        re.compile(
            r"(?<![\w@.-])[a-z0-9][\w-]{0,63}(?:\.[\w-]{1,63}){0,3}"
            r"\.(?:com|org|net|edu|gov|fr|io|uk|eu|de|ch)\b"
            rf"(?:/[^\s<>\"]{{0,200}}{_END_OF_ADDRESS})?"
        ),
    ),
    ("address", "", re.compile(r"(?<![\w@#&])@\w+(?:\.\w+)*|(?<![\w@#&])#\w*[^\W\d]\w*")),
    ("address", "", re.compile(rf"{_ICON}{_TONES}(?:\s?{_ICON}{_TONES})*")),
    ("address", "", re.compile(r"(?<!\S)[:;]-?[)(DPp](?!\w)")),
    (
        "date",
        "",
        re.compile(r"(?<![\w/.,-])\d{1,2}([/.-])\d{1,2}\1(?:\d{4}|\d{2})(?![\w/-]|[.,]\d)"),
    ),
    ("date", "", re.compile(r"(?<![\w/.,-])\d{4}([/-])\d{1,2}\1\d{1,2}(?![\w/-]|[.,]\d)")),
    ("date", "date", re.compile(rf"(?<!\w){_MONTH} {_DAY}{_YEAR}")),
    ("date", "date", re.compile(rf"(?<![\w.,:/-]){_DAY}(?: of)? {_MONTH}{_YEAR}")),
    (
        "time",
        "time",
        re.compile(
            r"(?<![\w.,:/-])(?P<hour>0?\d|1[0-2])(?:[:.](?P<minute>[0-5]\d))? ?(?P<half>[aApP])"
            r"(?:\.[mM](?:\.(?=\s+[^\WA-Z]|[,;:?!)]))?|[mM])(?!\w)"
        ),
    ),
    (
        "time",
        "time",
        re.compile(
            r"(?<![\w.,:/-])(?P<hour>[01]?\d|2[0-4])[:h](?P<minute>[0-5]\d)(?![\w:/]|[.,]\d)"
        ),
    ),
    (
        "number",
        "",
        re.compile(
            r"(?<![\w.])(?:\+\d[\d ().-]{5,18}\d|\(\d{3}\) ?\d{3}-\d{4}"
            r"|\d{1,3}(?: \d{2,3}){3,6})(?!\w|[.,]\d)"
        ),
    ),
    (
        "number",
        "money",
        re.compile(
            rf"(?P<currency>(?:US|A|CA)?\$|[€£¥₹])\s?{_VALUE}"
            r"(?: (?P<scale>thousand|million|billion)\b|(?P<letter>[kKmMbB])\b)?"
        ),
    ),
    ("number", "money", re.compile(rf"(?<![\w.,]){_VALUE}\s?(?P<currency>[€£¥₹$])(?!\d)")),
    ("number", "decade", re.compile(r"(?<![\w.,-])(?P<value>(?:1[5-9]|20)\d0)'?s\b")),
    ("ordinal", "ordinal", re.compile(r"(?<![\w.,-])(?P<value>\d+)(?:st|nd|rd|th)\b")),
    (
        "number",
        "",
        re.compile(r"(?<![\w.,])\d+(?:\.\d+){2,}(?!\w)|(?<![\w.,])\d+(?:[/:–-]\d+)+(?!\w)"),
    ),
    (
        "number",
        "",
        re.compile(r"(?<=[Vv]ersion )\d+\.\d+|(?<=Python )\d+\.\d+|(?<=[Ss]ection )\d+\.\d+"),
    ),
    ("number", "measure", re.compile(rf"(?<![\w.,])(?P<sign>[+−-]?){_VALUE}\s?(?P<unit>{_UNIT})")),
    ("name", "", re.compile(r"(?<![\w-])(?=[^\W\d_]{0,12}[\d-]*\d)[\w-]*[^\W\d_][\w-]*")),
    ("number", "measure", re.compile(rf"(?<![\w.])(?P<sign>(?<!\S)[+−-])?{_VALUE}(?!\w|[.,]\d)")),
    ("number", "", re.compile(r"\d(?:[\d.,]*\d)?|[½¼¾⅓⅔⅛]")),
]
_CAPITALISED = re.compile(r"(?<![\w'-])[^\W\d_](?:[^\W\d_]|['.-](?=[^\W\d_]))+(?!\w)")
_PROTECTED = re.compile("|".join(pattern.pattern for _, _, pattern in _PATTERNS[:3]))
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3}|_{1,3})(?=[^\s*_])([^*_]{1,200})(?<=\S)\1(?![\w*])")
_BRACKETS = re.compile("⟦(\\d+)⟧")


@dataclass(frozen=True)
class Copy:
    """Something that is copied: where it stands in the English sentence, and its French form."""

    kind: str
    start: int
    end: int
    french: str


def clean(text):
    """`shared.text.clean`, which leaves code in backticks and addresses as they were typed.

    The asterisks and underscores of emphasis in Markdown are left out.
    """
    kept = []

    def keep(match):
        kept.append(match.group())
        return f"⟦{len(kept) - 1}⟧"

    cleaned = texts.clean(_PROTECTED.sub(keep, text.replace("⟦", "[").replace("⟧", "]")))
    cleaned = _EMPHASIS.sub(r"\2", cleaned)
    return _BRACKETS.sub(lambda match: kept[int(match.group(1))], cleaned)


def find(text, is_name=None):
    """The `Copy`s of a cleaned sentence, in their order.

    Args:
        text: A sentence.
        is_name: Function of a capitalised word and whether it begins the sentence, that says
            whether it is a name to copy. No names if None.
    """
    found, taken = [], [False] * len(text)

    def add(kind, match, french):
        start, end = match.span()
        if start < end and not any(taken[start:end]):
            found.append(Copy(kind, start, end, french))
            taken[start:end] = [True] * (end - start)

    for kind, rule, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            add(kind, match, _RULES[rule](match))
    if is_name:
        for match in _CAPITALISED.finditer(text):
            word = match.group()
            if word[0].isupper() and is_name(word, not text[: match.start()].strip("\"'([ ")):
                add("name", match, word)
    return _limit(sorted(found, key=lambda each: each.start))


def _limit(found):
    """No more of each kind than there are placeholders."""
    counts, kept = dict.fromkeys(KINDS, 0), []
    for each in found:
        counts[each.kind] += 1
        if counts[each.kind] <= KINDS[each.kind]:
            kept.append(each)
    return kept


def set_aside(text, found):
    """A sentence with placeholders, and the French form of each: dict from placeholder to text."""
    counts, forms, parts, position = dict.fromkeys(KINDS, 0), {}, [], 0
    for each in found:
        placeholder = PLACEHOLDERS[each.kind][counts[each.kind]]
        counts[each.kind] += 1
        forms[placeholder] = each.french
        parts += [text[position : each.start], placeholder]
        position = each.end
    return "".join([*parts, text[position:]]), forms


def put_back(text, forms):
    """A French sentence with the French forms in place of its placeholders."""
    for placeholder, form in forms.items():
        if form == "1er":
            for article in (" la ", " La "):
                text = f" {text}".replace(f"{article}{placeholder}", f"{article}1re")[1:]
        text = text.replace(placeholder, form)
    return text


def french_number(value):
    """A number in French form: `1,234.56` as `1 234,56`."""
    whole, point, decimals = value.partition(".")
    return whole.replace(",", THIN_SPACE) + ("," + decimals if point else "")


def _as_it_is(match):
    return match.group()


def _date(match):
    day = int(match["day"])
    month = _FRENCH_MONTH[match["month"][:3].lower()]
    return " ".join(["1er" if day == 1 else str(day), month, *filter(None, [match["year"]])])


def _time(match):
    groups = match.groupdict()
    hour, minute, half = int(groups["hour"]), groups["minute"], (groups.get("half") or "").lower()
    if half and 1 <= hour <= 12:
        hour = hour % 12 + (12 if half == "p" else 0)
    minutes = f"{NO_BREAK_SPACE}{minute}" if minute and minute != "00" else ""
    return f"{hour}{NO_BREAK_SPACE}h{minutes}"


def _money(match):
    groups = match.groupdict()
    currency, number = groups["currency"], french_number(groups["value"])
    scale = groups.get("scale") or _LETTER_SCALE.get((groups.get("letter") or "").lower())
    if not scale:
        return f"{number}{NO_BREAK_SPACE}{currency}"
    word = _SCALE_WORD[scale]
    of = _CURRENCY_WORD.get(currency[-1], currency)
    if scale == "thousand":
        return f"{number} mille {of.removeprefix('de ').removeprefix('d’')}"
    plural = "s" if float(groups["value"].replace(",", "")) >= 2 else ""
    return f"{number} {word}{plural} {of}"


def _decade(match):
    return f"années {match['value']}"


def _ordinal(match):
    return "1er" if match["value"] == "1" else f"{match['value']}e"


def _measure(match):
    groups = match.groupdict()
    unit = f"{NO_BREAK_SPACE}{groups['unit']}" if groups.get("unit") else ""
    return f"{groups['sign'] or ''}{french_number(groups['value'])}{unit}"


_RULES = {
    "": _as_it_is,
    "date": _date,
    "time": _time,
    "money": _money,
    "decade": _decade,
    "ordinal": _ordinal,
    "measure": _measure,
}
