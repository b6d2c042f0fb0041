"""Columns of text cells as dates and as numbers, in the ways that people and programs write them.

How a column is written is decided for the whole column, never for a single cell: `01/02/2024` and
`1,234` are read as their neighbours are. Cells longer than `MAX_CELL` are not read at all, so
that the time of every pattern here is bounded.
"""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

MAX_CELL = 64  # characters of a date or a number
SAMPLE = 200  # cells from which the way of a long column is known
FIRST_YEAR, LAST_YEAR = 1800, 2100  # what is plausible
MISSING = {
    "",
    "-",
    "–",
    "—",
    "n/a",
    "na",
    "nan",
    "nat",
    "null",
    "none",
    ".",
    "#n/a",
    "#n/v",
    "n.v.",
}

# ---------------------------------------------------------------- dates

TEXT, COMPACT, EPOCH, MONTH, YEAR, SERIAL = range(6)  # kinds of dates, the surest first
SERIAL_START = np.datetime64("1899-12-30")  # day 0 of Excel
_TIME = (
    r"(?:\s*[T ,:]\s*(?:\d{1,2}[:.h]\d\d.{0,40}|\d{4,9}(?:\.\d+)?|\d\d?[- ]?[AP]M|[A-Z]{1,5})"
    r"|Z|[+-]\d\d:?\d\d)?$"
)
_WEEKDAY = r"(?:[^\W\d]{2,12}\.?,?\s+)?"
_NAME = r"([^\W\d_]{3,12})\.?"
_YEAR_FIRST = re.compile(
    r"(\d{4})\s*[-/.年년 ]\s*(\d{1,2})\s*[-/.月월 ]\s*(\d{1,2})\s*[日일]?\.?" + _TIME
)
_YEAR_LAST = re.compile(r"(\d{1,2})\s*([-/.])\s*(\d{1,2})\s*[-/.]\s*(\d{4}|\d{2})\.?" + _TIME)
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:[T ]\d{4,9}(?:\.\d+)?|\d{4}(?:\d\d)?|\.0+)?Z?$")
_DAY_NAME = re.compile(
    _WEEKDAY
    + r"(\d{1,2})(?:st|nd|rd|th|er|\.|º)?[-\s/.]*(?:de\s+)?"
    + _NAME
    + r"[-\s/.,]*(?:de\s+)?(\d{4}|\d\d)"
    + _TIME
)
_NAME_DAY = re.compile(
    _WEEKDAY + _NAME + r"[-\s/.]*(\d{1,2})(?:st|nd|rd|th)?,?[-\s/.,]+(\d{4})" + _TIME
)
_YEAR_NAME = re.compile(r"(\d{4})[-\s/.]*" + _NAME + r"[-\s/.]*(\d{1,2})" + _TIME)
_NAME_YEAR = re.compile(_NAME + r"(?:[-\s/.,]*(\d{4})|[-'](\d\d))$")
_YEAR_MONTH = re.compile(r"(\d{4})\s*[-/M]\s*(\d{1,2})$")
_MONTH_YEAR = re.compile(r"(\d{1,2})[-/](\d{4})$")
_QUARTER = re.compile(r"(\d{4})\s*-?\s*Q([1-4])$|Q([1-4])\s*[-/]?\s*(\d{4})$", re.I)
_WEEK = re.compile(r"(\d{4})-?W(\d\d)(?:-?([1-7]))?$")
_SERIAL = re.compile(r"([2-7]\d{4})(?:[.,]\d{1,12})?$")
_EPOCH = re.compile(r"(\d{9,19})(?:\.\d+)?$")
_DECIMAL_MONTH = re.compile(r"(\d{4})\.(\d{1,2})$")
_ONLY_YEAR = re.compile(r"(\d{4})$")
_EPOCH_UNITS = {9: 1, 10: 1, 12: 10**3, 13: 10**3, 15: 10**6, 16: 10**6, 18: 10**9, 19: 10**9}
# The first letters of the months in European languages. Four letters are tried before three.
_MONTHS = {
    letters: number
    for number, names in enumerate(
        (
            "jan ene gen sty янв",
            "feb fev fév lut фев",
            "mar mär mrt maa mrz мар",
            "apr abr avr kwi апр",
            "may mai mei mag maj май мая",
            "jun juin giu cze июн",
            "jul juil lug lip июл",
            "aug ago aoû aou sie авг",
            "sep set wrz сен",
            "oct okt ott out paź paz окт",
            "nov lis ноя",
            "dec dez dic déc des gru дек",
        ),
        1,
    )
    for letters in names.split()
}


@dataclass(frozen=True, eq=False)
class Dates:
    """A column read as dates.

    Attributes:
        values: Array `(cells,)` of `datetime64[D]`, NaT where a cell is no date.
        kind: `TEXT`, `COMPACT`, `EPOCH`, `MONTH`, `YEAR` or `SERIAL`; None if no cell is a date.
        note: What the reader should know, where the order of day and month is a guess.
        dotted: Whether they are written like 31.12.2024.
    """

    values: np.ndarray
    kind: int | None
    note: str = ""
    dotted: bool = False

    @property
    def share(self):
        """Fraction of the cells that are dates."""
        return float(np.mean(~np.isnat(self.values))) if len(self.values) else 0.0


def parse_dates(cells):
    """The `Dates` of a column of strings.

    Offsets and names of time zones are left out: the day is the one written. Seconds, milli-,
    micro- and nanoseconds since 1970 are told apart by their digits, cell by cell, in UTC; Excel's
    numbers of days are known by their five digits.
    """
    unique = {cell: n for n, cell in enumerate(dict.fromkeys(cells))}
    parsed = [_parse_date(cell.strip()) for cell in unique]
    kinds = Counter(kind for kind, *_ in parsed if kind is not None)
    if not kinds:
        return Dates(np.full(len(cells), "NaT", "datetime64[D]"), None)
    kind = kinds.most_common(1)[0][0]
    parts = np.array(
        [p[1:4] if p[0] == kind else (0, 0, 0) for p in parsed], "int64"
    )  # year, month, day; for a `TEXT` of unknown order what was written
    note, dotted = "", False
    if kind == EPOCH:
        values = (parts[:, 0] // 86400).astype("datetime64[D]")
        values[parts[:, 0] == 0] = np.datetime64("NaT")
    elif kind == SERIAL:
        values = np.where(parts[:, 0] > 0, SERIAL_START + parts[:, 0], np.datetime64("NaT"))
    elif kind == MONTH:
        values = _date(*_decimal_months(parts))
    else:
        forms = {n: p[4] for n, p in enumerate(parsed) if p[0] == kind and len(p) > 4}
        values = _date(*parts.T)
        if forms:
            unordered = np.fromiter(forms, "int64")
            dotted = any(mark == "." for mark, _ in forms.values())
            short = all(digits == 2 for _, digits in forms.values())
            values[unordered], note = _order_dates(parts[unordered], dotted, short)
    places = np.fromiter((unique[cell] for cell in cells), "int64", len(cells))
    return Dates(values[places], kind, note, dotted)


def _parse_date(cell):
    """(kind, year, month, day); if their order is unknown, also (separator, digits of the year)."""
    if not 4 <= len(cell) <= MAX_CELL:
        return (None,)
    if cell[0].isdigit():
        if match := _YEAR_FIRST.match(cell):
            return (TEXT, *map(int, match.groups()))
        if match := _YEAR_LAST.match(cell):
            first, mark, second, year = match.groups()
            return TEXT, int(first), int(second), _full_year(year), (mark, len(year))
        if (match := _COMPACT.match(cell)) and FIRST_YEAR <= int(match[1]) <= LAST_YEAR:
            return (COMPACT, *map(int, match.groups()))
        if (match := _EPOCH.match(cell)) and (unit := _EPOCH_UNITS.get(len(match[1]))):
            return EPOCH, int(match[1]) // unit, 0, 0
        if match := _DECIMAL_MONTH.match(cell):
            # The digits as written: `.1` is not `.01`, and may be `.10`.
            return MONTH, int(match[1]), int(match[2]), len(match[2])
        if match := _ONLY_YEAR.match(cell):
            return YEAR, int(match[1]), 1, 1
        if match := _SERIAL.match(cell):
            return SERIAL, int(match[1]), 0, 0
        if match := _WEEK.match(cell):
            return _parse_week(int(match[1]), int(match[2]), int(match[3] or 1))
        if match := _YEAR_MONTH.match(cell):
            return TEXT, int(match[1]), int(match[2]), 1
        if match := _MONTH_YEAR.match(cell):
            return TEXT, int(match[2]), int(match[1]), 1
    if match := _QUARTER.match(cell):
        year, quarter = (match[1], match[2]) if match[1] else (match[4], match[3])
        return TEXT, int(year), 3 * int(quarter) - 2, 1
    for pattern, (year, month, day) in (
        (_DAY_NAME, (3, 2, 1)),
        (_NAME_DAY, (3, 1, 2)),
        (_YEAR_NAME, (1, 2, 3)),
    ):
        if (match := pattern.match(cell)) and (number := _month(match[month])):
            return TEXT, _full_year(match[year]), number, int(match[day])
    if (match := _NAME_YEAR.match(cell)) and (number := _month(match[1])):
        return TEXT, _full_year(match[2] or match[3]), number, 1
    return (None,)


def _parse_week(year, week, weekday):
    try:
        day = date.fromisocalendar(year, week, weekday)
    except ValueError:
        return (None,)
    return TEXT, day.year, day.month, day.day


def _full_year(text):
    year = int(text)
    return year if len(text) > 2 else year + (1900 if year > 68 else 2000)


def _month(word):
    word = word.casefold()
    return _MONTHS.get(word[:4]) or _MONTHS.get(word[:3])


def _date(year, month, day):
    """Arrays of years, months and days as dates, NaT where there is no such day."""
    valid = (month >= 1) & (month <= 12) & (day >= 1) & (year >= 1) & (year <= 9999)
    first = (12 * (np.where(valid, year, 1970) - 1970) + np.where(valid, month, 1) - 1).astype(
        "datetime64[M]"
    )
    dates = first.astype("datetime64[D]") + (np.where(valid, day, 1) - 1)
    return np.where(
        valid & (dates < (first + 1).astype("datetime64[D]")), dates, np.datetime64("NaT")
    )


def _decimal_months(parts):
    """Years, months and days of `1990.01` … `1990.12`, where October may have lost its zero."""
    year, month, digits = parts.T
    # With `.2` to `.9` in the column its months have one digit, and `.1` is January.
    single = ((digits == 1) & (month > 1)).any()
    month = np.where((digits == 1) & (month == 1) & ~single, 10, month)
    return year, month, np.ones_like(year)


def _order_dates(parts, dotted, short):
    """The dates of columns such as `01/02/2024`, and a note where their order is a guess.

    Args:
        parts: Array `(cells, 3)` of the numbers as written, the years in full.
        dotted: Whether points part them, which puts the day first.
        short: Whether all years have two digits, so that they may come first.
    """
    first, second, last = parts.T
    orders = {"month/day/year": (last, first, second), "day/month/year": (last, second, first)}
    if dotted:
        orders = dict(reversed(orders.items()))
    if short and len(np.unique(first)) < len(np.unique(last)):
        century = np.where(first > 68, 1900, 2000)
        orders["year/month/day"] = (century + first, second, last % 100)
    readings = {name: _date(*order) for name, order in orders.items()}
    valid = {name: float(np.mean(~np.isnat(dates))) for name, dates in readings.items()}
    possible = [name for name in readings if valid[name] > max(valid.values()) - 0.01]
    name = min(possible, key=lambda name: _disorder(readings[name]))
    unsure = len(possible) > 1 and not dotted
    return readings[name], f"The dates could be read two ways; {name} was taken." if unsure else ""


def _disorder(dates):
    """How far dates are from one direction, an even step and a short one: smaller is better."""
    steps = np.diff(dates[~np.isnat(dates)]).astype(float)
    if not len(steps):
        return 0.0, 0.0, 0.0
    turns = min(np.mean(steps > 0), np.mean(steps < 0))
    mean = float(np.mean(np.abs(steps)))
    unevenness = float(np.std(np.abs(steps))) / (mean or 1)
    return round(float(turns), 2), round(unevenness, 1), mean


def looks_like_time(dates):
    """Whether numbers read as dates are a clock: they run in one direction.

    Args:
        dates: `Dates` of the kinds `EPOCH`, `MONTH`, `YEAR` or `SERIAL`.
    """
    known = dates.values[~np.isnat(dates.values)]
    years = known.astype("datetime64[Y]").astype(int) + 1970
    if len(known) < 2 or ((years < FIRST_YEAR) | (years > LAST_YEAR)).mean() > 0.05:
        return False
    steps = np.diff(known).astype(int)
    if dates.kind == SERIAL and np.median(np.abs(steps)) > 31:
        return False
    if dates.kind == YEAR and (np.abs(np.diff(years)) != 1).mean() > 0.1:
        return False
    return bool(min((steps > 0).mean(), (steps < 0).mean()) < 0.06 and (steps != 0).any())


# ---------------------------------------------------------------- numbers

_TRANSLATION = str.maketrans("−–’‘ʼ´`′٬٫", "--'''''''.")
_CELL = re.compile(
    r"\(?([^\d+\-()]{0,40})([+-]?)([^\d+\-()]{0,40})(\d(?:[\d.,' ]*\d)?[.,]?)(e[+-]?\d{1,3})?"
    r"([^\d()]*?)(-?)\)?$",
    re.I,
)
_CODE = re.compile(r"[A-Z]{3}")
_CURRENCY_WORDS = {
    "kr", "kč", "kc", "zł", "zl", "ft", "lei", "lv", "fr", "sfr", "rs", "re", "r", "rm", "rp", "tl",
    "p", "руб", "р", "ден", "din", "km", "s/", "b/", "bs", "gs",
}  # fmt: skip
_SCALES = {"k", "m", "b", "t", "mn", "mm", "bn", "tn", "mio", "mrd", "tsd", "%", "‰"}


@dataclass(frozen=True, eq=False)
class Numbers:
    """A column read as numbers.

    Attributes:
        values: Array `(cells,)` of floats, NaN where a cell is none.
        share: Fraction of the cells with content that are numbers.
        scaled: Whether they end in a percent sign or in K, M or B, as no price does.
        decimal: The decimal mark that the column shows for certain, `"."`, `","` or None.
        ambiguous: Whether the mark that stands before three digits could be either.
    """

    values: np.ndarray
    share: float
    scaled: bool = False
    decimal: str | None = None
    ambiguous: bool = False


def parse_numbers(cells, decimal=None):
    """The `Numbers` of a column of strings.

    Currency signs and codes, the signs for thousands of any country (`1,234.5`, `1.234,5`,
    `1 234,5`, `1’234.5`, `1,50,002`), digits of other scripts and negatives in parentheses are
    understood.

    Args:
        decimal: The decimal mark of the file's other columns, for a column that leaves it open.
    """
    if (plain := _parse_plain(cells, decimal)) is not None:
        return plain
    matches = [_match_number(cell) for cell in cells]
    full = sum(not is_missing(cell) for cell in cells)
    numbers = [match for match in matches if match]
    if not numbers:
        return Numbers(np.full(len(cells), np.nan), 0.0)
    affixes = Counter(affix for _, affix, _, _ in numbers)
    scaled = any(
        affix.endswith("\0") for affix, count in affixes.items() if count > len(numbers) / 2
    )
    cores = [match[2] for match in numbers]
    sure, ambiguous = _decimal_mark(cores)
    if sure is None and ambiguous and 0 < sum(ambiguous in core for core in cores) < len(cores):
        # Of two readings the one whose neighbours lie closer together.
        other = "," if ambiguous == "." else "."
        sure = min((ambiguous, other), key=lambda mark: _roughness(matches, mark))
    mark = sure or decimal or "."
    values = np.array([np.nan if m is None else _to_float(m, mark) for m in matches])
    values[~np.isfinite(values)] = np.nan
    share = float(np.isfinite(values).sum() / max(full, 1))
    return Numbers(values, share, scaled, sure, bool(ambiguous) and sure is None)


def _parse_plain(cells, decimal):
    """The `Numbers` of a long column that needs no repair, quickly; None for any other."""
    if len(cells) <= SAMPLE or decimal == ",":
        return None
    sample = parse_numbers(cells[:: len(cells) // SAMPLE + 1])
    if sample.decimal == "," or sample.ambiguous or sample.scaled or not sample.share:
        return None
    values = np.array([_to_plain_float(cell) for cell in cells])
    odd = [n for n in np.flatnonzero(~np.isfinite(values)) if not is_missing(cells[n])]
    return None if odd else replace(sample, values=values, share=1.0)


def _to_plain_float(cell):
    try:
        return float(cell)
    except ValueError:
        return np.nan


def is_missing(cell):
    """Whether a cell stands for no value."""
    return cell.strip().casefold() in MISSING


def _match_number(cell):
    """(sign, affix, digits with their marks, exponent) of a cell, or None."""
    cell = cell.strip()
    if not 0 < len(cell) <= MAX_CELL or is_missing(cell):
        return None
    if not cell.isascii():
        cell = unicodedata.normalize("NFKC", cell.translate(_TRANSLATION)).translate(_TRANSLATION)
        cell = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in cell).strip()
    match = _CELL.match(cell)
    if not match:
        return None
    before, sign, between, core, exponent, after, minus = match.groups()
    before += between
    if before and before[-1] in ".," and not before[-2:-1].isalpha():
        before, core = before[:-1], before[-1] + core  # `$.50`
    if exponent is None and after[:1].lower() == "e":
        return None
    prefix, suffix = before.strip(" ."), after.strip(" .")
    if not (_is_currency(prefix) and (_is_currency(suffix) or suffix.casefold() in _SCALES)):
        return None
    scale = "\0" if suffix.casefold() in _SCALES and suffix else ""
    negative = (sign == "-") != (bool(minus) or (cell[0] == "(" and cell[-1] == ")"))
    return ("-" if negative else ""), f"{prefix} {suffix}{scale}", core, exponent or ""


def _is_currency(text):
    if not text:
        return True
    signs = [c for c in text if unicodedata.category(c) == "Sc"]
    letters = text.translate({ord(c): None for c in signs}).strip(" ./")
    if signs:
        return len(letters) <= 3 and (not letters or letters.isalpha())
    return bool(_CODE.fullmatch(text)) or letters.casefold() in _CURRENCY_WORDS


def _decimal_mark(cores):
    """The decimal mark for certain, or None; and the mark that may be one, or None."""
    votes, open_marks = Counter(), Counter()
    for core in cores:
        points, commas = core.count("."), core.count(",")
        if points and commas:
            votes["." if core.rfind(".") > core.rfind(",") else ","] += 1
        elif points > 1 or commas > 1:
            votes["," if points else "."] += 1
        elif points or commas:
            mark = "." if points else ","
            head, tail = core.split(mark)
            if len(tail) == 3 and head.isdigit() and len(head) <= 3 and head[0] != "0":
                open_marks[mark] += 1
            else:
                votes[mark] += 1
    if votes:
        return votes.most_common(1)[0][0], None
    if len(open_marks) == 1:
        return None, next(iter(open_marks))
    return None, None


_PATTERNS = {
    mark: re.compile(
        rf"(?:\d+|\d{{1,3}}(?:[{group}' ]\d{{3}})+|\d{{1,2}}(?:{group}\d\d)+{group}\d{{3}})?"
        rf"(?:[{mark}]\d*)?"
    )
    for mark, group in ((".", ","), (",", r"\."))
}


def _to_float(match, mark):
    sign, _, core, exponent = match
    if not _PATTERNS[mark].fullmatch(core):
        return np.nan
    plain = core.replace("." if mark == "," else ",", "").replace("'", "").replace(" ", "")
    try:
        return float(f"{sign}{plain.replace(mark, '.')}{exponent}")
    except (ValueError, OverflowError):
        return np.nan


def _roughness(matches, mark):
    values = np.array([_to_float(m, mark) for m in matches if m])
    if not np.isfinite(values).all() or (values <= 0).any():
        return np.inf
    return float(np.abs(np.diff(np.log(values))).sum())
