"""Phrases to train on, written for this project: what people type first, and what is copied.

`phrases.txt` has four sections:

- `fixed`: English = French;
- `copied`: the same, with slots for figures, dates, addresses and names;
- `nouns`: English | French | gender | French plural if it is not regular; the English plural is in
  brackets if it is not regular;
- `adjectives`: English | French masculine | feminine | their plurals; `<` if it precedes the noun.

Small grammars make phrases of the nouns and adjectives that agree in gender and number. No phrase
is in `sets`, the inputs that the translator is tested on.
"""

import functools
import random
import re
from pathlib import Path

from apps.translation import copies
from shared.text import clean

SETS = Path(__file__).parent / "sets"
SEED = 0
MAX_OF_EACH = 80  # phrases of one template
FIXED_REPEATS = 6  # how often a fixed phrase stands in the list

_VOWEL_FORMS = {"nouveau": "nouvel", "vieux": "vieil", "beau": "bel"}
_NUMBERS = (
    "one un|two deux|three trois|four quatre|five cinq|six six|seven sept|eight huit|nine neuf|"
    "ten dix|eleven onze|twelve douze|thirteen treize|fourteen quatorze|fifteen quinze|"
    "sixteen seize|seventeen dix-sept|eighteen dix-huit|nineteen dix-neuf"
)
_TENS = (
    "twenty vingt|thirty trente|forty quarante|fifty cinquante|sixty soixante|"
    "seventy soixante-dix|eighty quatre-vingts|ninety quatre-vingt-dix"
)
_NAMES = (
    "Krystyna Okonkwo Nguyen Yamamoto Fitzgerald Zbigniew Oyelaran Haruki Ingrid Svensson Gdansk "
    "Wroclaw Ouagadougou Tallinn Bergen Samira"
)
_DAYS = (
    "Monday lundi|Tuesday mardi|Wednesday mercredi|Thursday jeudi|Friday vendredi|"
    "Saturday samedi|Sunday dimanche"
)
_MONTHS = (
    "January janvier|February février|March mars|April avril|May mai|June juin|July juillet|"
    "August août|September septembre|October octobre|November novembre|December décembre"
)
_SEASONS = "spring printemps|summer été|autumn automne|winter hiver"
_ORDINALS = (
    "first premier première|second deuxième deuxième|third troisième troisième|"
    "fourth quatrième quatrième|fifth cinquième cinquième|sixth sixième sixième|"
    "tenth dixième dixième|last dernier dernière|next prochain prochaine"
)


def _sections():
    """The lines of each section of `phrases.txt`."""
    text = (Path(__file__).parent / "phrases.txt").read_text(encoding="utf-8")
    parts = re.split(r"^## (\w+)\n", text, flags=re.MULTILINE)
    return {
        name: [line for line in body.splitlines() if line]
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }


def _rows(lines):
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def _pairs_of(text):
    return [tuple(entry.split(" ", 1)) for entry in text.split("|")]


class _Noun:
    def __init__(self, english, french, gender, plural=None):
        irregular = re.fullmatch(r"(.*)\((.*)\)", english)
        self.english, self.english_plural = (
            irregular.groups() if irregular else (english, f"{english}s")
        )
        self.french, self.french_plural = french, plural or f"{french}s"
        self.feminine = gender == "f"
        self.vowel = french[0] in "aeéêiouœh"

    def the(self):
        return (
            f"l'{self.french}" if self.vowel else ("la " if self.feminine else "le ") + self.french
        )

    def a(self):
        return ("une " if self.feminine else "un ") + self.french

    def of(self):
        """Without: after pas."""
        return f"d'{self.french}" if self.vowel else f"de {self.french}"

    def possessed(self, masculine, feminine):
        return (feminine if self.feminine and not self.vowel else masculine) + " " + self.french

    def this(self):
        if self.feminine:
            return f"cette {self.french}"
        return ("cet " if self.vowel else "ce ") + self.french

    def agree(self, adjective, plural=False):
        return adjective[1:][self.feminine + 2 * plural].removeprefix("<")

    def with_adjective(self, adjective, plural=False):
        """The noun with an adjective, before or after it."""
        form, noun = self.agree(adjective, plural), self.french_plural if plural else self.french
        if not adjective[1].startswith("<"):
            return f"{noun} {form}"
        if self.vowel and not plural:
            form = _VOWEL_FORMS.get(form, form)
        return f"{form} {noun}"

    def article(self, phrase, definite):
        """An article before a phrase with this noun, singular."""
        if not definite:
            return ("une " if self.feminine else "un ") + phrase
        if phrase[0] in "aeéêiouœh":
            return f"l'{phrase}"
        return ("la " if self.feminine else "le ") + phrase


def _an(word):
    return f"an {word}" if word[0] in "aeio" and not word.startswith("one") else f"a {word}"


def _numbers():
    """Numbers as words from 1 to 100, hundreds and thousands."""
    units, tens = _pairs_of(_NUMBERS), _pairs_of(_TENS)
    found = list(units)
    for english, french in tens:
        found.append((english, french))
        for n, (unit, french_unit) in enumerate(units[:9], 1):
            base = french.removesuffix("s") if english == "eighty" else french
            if english in ("seventy", "ninety"):
                base = base.removesuffix("-dix")
                word = units[9 + n][1]
                joint = " et " if english == "seventy" and n == 1 else "-"
            else:
                word, joint = french_unit, " et " if n == 1 and english != "eighty" else "-"
            found.append((f"{english}-{unit}", f"{base}{joint}{word}"))
    found += [
        ("zero", "zéro"),
        ("a hundred", "cent"),
        ("one hundred", "cent"),
        ("a thousand", "mille"),
        ("one thousand", "mille"),
        ("a million", "un million"),
    ]
    for english, french in units[1:9]:
        found.append((f"{english} hundred", f"{french} cents"))
        found.append((f"{english} thousand", f"{french} mille"))
    return found


def _grammar(rng, sections):
    """Groups of (English, French), one for each template."""
    nouns = [_Noun(*row) for row in _rows(sections["nouns"])]
    adjectives = _rows(sections["adjectives"])
    numbers = _numbers()
    days, months, seasons = _pairs_of(_DAYS), _pairs_of(_MONTHS), _pairs_of(_SEASONS)
    places = [
        n
        for n in nouns
        if n.english
        in (
            "hotel",
            "museum",
            "restaurant",
            "pharmacy",
            "bank",
            "hospital",
            "school",
            "market",
            "bakery",
            "library",
            "park",
            "airport",
            "car park",
            "lift",
            "shop",
            "office",
        )
    ]
    things = [
        n
        for n in nouns
        if n not in places
        and n.english
        not in (
            "child",
            "girl",
            "boy",
            "woman",
            "man",
            "street",
            "city",
            "country",
            "day",
            "week",
            "month",
            "hour",
            "minute",
            "wall",
            "friend",
        )
    ]

    one = [
        ("{E}", lambda n: n.french),
        ("the {e}", lambda n: n.the()),
        ("{ae}", lambda n: n.a()),
        ("The {e}.", lambda n: n.the() + "."),
        ("my {e}", lambda n: n.possessed("mon", "ma")),
        ("his {e}", lambda n: n.possessed("son", "sa")),
        ("her {e}", lambda n: n.possessed("son", "sa")),
        ("your {e}", lambda n: "votre " + n.french),
        ("our {e}", lambda n: "notre " + n.french),
        ("their {e}", lambda n: "leur " + n.french),
        ("this {e}", lambda n: n.this()),
        ("the {es}", lambda n: "les " + n.french_plural),
        ("my {es}", lambda n: "mes " + n.french_plural),
        ("{Es}", lambda n: n.french_plural),
        ("no {es}", lambda n: "pas " + n.of().replace(n.french, n.french_plural)),
        ("another {e}", lambda n: "un" + "e" * n.feminine + " autre " + n.french),
        ("which {e}?", lambda n: "quel" + "le" * n.feminine + f" {n.french} ?"),
        ("What a {e}!", lambda n: "Quel" + "le" * n.feminine + f" {n.french} !"),
    ]
    for template, french in one:
        yield [_fill(template, n, french(n)) for n in nouns]
    thing = [
        ("{AE}, please.", lambda n: n.a() + ", s'il vous plaît."),
        ("I'd like {ae}.", lambda n: f"je voudrais {n.a()}."),
        ("I would like {ae}, please.", lambda n: f"je voudrais {n.a()}, s'il vous plaît."),
        ("Could I have {ae}, please?", lambda n: f"pourrais-je avoir {n.a()}, s'il vous plaît ?"),
        ("I need {ae}.", lambda n: f"j'ai besoin d'{n.a()}."),
        ("Do you have {ae}?", lambda n: f"avez-vous {n.a()} ?"),
        ("I have lost my {e}.", lambda n: f"j'ai perdu {n.possessed('mon', 'ma')}."),
        ("I can't find my {e}.", lambda n: f"je ne trouve pas {n.possessed('mon', 'ma')}."),
        ("Where is my {e}?", lambda n: f"où est {n.possessed('mon', 'ma')} ?"),
        ("Is this your {e}?", lambda n: f"est-ce {'votre ' + n.french} ?"),
        ("How much is this {e}?", lambda n: f"combien coûte {n.this()} ?"),
        ("How much does the {e} cost?", lambda n: f"combien coûte {n.the()} ?"),
        ("There is no {e}.", lambda n: f"il n'y a pas {n.of()}."),
        ("Give me the {e}.", lambda n: f"donnez-moi {n.the()}."),
        ("Someone has stolen my {e}.", lambda n: f"on m'a volé {n.possessed('mon', 'ma')}."),
        ("The {e} is broken.", lambda n: n.the() + " est cassé" + "e" * n.feminine + "."),
        ("The {e} is too small.", lambda n: n.the() + " est trop petit" + "e" * n.feminine + "."),
        ("It's my {e}.", lambda n: f"c'est {n.possessed('mon', 'ma')}."),
    ]
    for template, french in thing:
        yield [_fill(template, n, french(n)) for n in things]
    place = [
        ("Where is the {e}?", lambda n: f"où est {n.the()} ?"),
        ("Excuse me, where is the {e}?", lambda n: f"excusez-moi, où est {n.the()} ?"),
        ("I'm looking for the {e}.", lambda n: f"je cherche {n.the()}."),
        ("Is there {ae} near here?", lambda n: f"y a-t-il {n.a()} près d'ici ?"),
        ("The {e} is closed.", lambda n: n.the() + " est fermé" + "e" * n.feminine + "."),
        (
            "The {e} is open today.",
            lambda n: n.the() + " est ouvert" + "e" * n.feminine + " aujourd'hui.",
        ),
        ("What time does the {e} close?", lambda n: f"à quelle heure ferme {n.the()} ?"),
        ("behind the {e}", lambda n: f"derrière {n.the()}"),
        ("in front of the {e}", lambda n: f"devant {n.the()}"),
    ]
    for template, french in place:
        yield [_fill(template, n, french(n)) for n in places]
    described = [
        (n, a)
        for n in nouns
        for a in adjectives
        if not (
            a[0] in ("free", "broken", "dirty", "cheap", "empty", "heavy", "expensive", "clean")
            and n not in things
        )
    ]
    for _ in range(3):
        yield [(f"{a[0]} {n.english}", n.with_adjective(a)) for n, a in described]
        yield [(f"{a[0]} {n.english_plural}", n.with_adjective(a, True)) for n, a in described]
    yield [(f"the {a[0]} {n.english}", n.article(n.with_adjective(a), True)) for n, a in described]
    yield [
        (f"{_an(a[0] + ' ' + n.english)}", n.article(n.with_adjective(a), False))
        for n, a in described
    ]
    yield [
        (f"the {a[0]} {n.english_plural}", "les " + n.with_adjective(a, True)) for n, a in described
    ]
    yield [
        (f"The {n.english} is {a[0]}.", f"{_upper(n.the())} est {n.agree(a)}.")
        for n, a in described
    ]
    yield [
        (
            f"I'd like the {a[0]} {n.english}, please.",
            f"Je voudrais {n.article(n.with_adjective(a), True)}, s'il vous plaît.",
        )
        for n, a in described
    ]
    # Numbers
    counted = [(e, f, n) for e, f in numbers[1:19] for n in nouns]
    yield [(f"{e} {n.english_plural}", f"{f} {n.french_plural}") for e, f, n in counted]
    yield [
        (
            f"{_upper(e)} {n.english_plural}, please.",
            f"{_upper(f)} {n.french_plural}, s'il vous plaît.",
        )
        for e, f, n in counted
    ]
    yield [
        (f"{e} o'clock", f"{f.replace('un', 'une') if e == 'one' else f} heure{'s' * (e != 'one')}")
        for e, f in numbers[:12]
    ]
    yield [(f"It's {e} o'clock.", f"Il est {f} heures.") for e, f in numbers[1:11]]
    yield [(f"at half past {e}", f"à {f} heures et demie") for e, f in numbers[1:11]]
    yield [(f"at a quarter past {e}", f"à {f} heures et quart") for e, f in numbers[1:11]]
    yield [(f"She is {e}.", f"Elle a {f} ans.") for e, f in numbers[3:60]]
    yield [(f"I'm {e} years old.", f"J'ai {f} ans.") for e, f in numbers[3:60]]
    # Days, months, seasons
    for english, french in (
        ("{}", "{}"),
        ("{}.", "{}."),
        ("on {}", "{}"),
        ("next {}", "{} prochain"),
        ("last {}", "{} dernier"),
        ("every {}", "tous les {}s"),
        ("on {}s", "le {}"),
        ("{} morning", "{} matin"),
        ("{} evening", "{} soir"),
        ("{} afternoon", "{} après-midi"),
        ("See you on {}.", "À {}."),
        ("until {}", "jusqu'à {}"),
        ("It's {}.", "C'est {}."),
        ("Today is {}.", "Aujourd'hui, c'est {}."),
        ("We leave on {}.", "Nous partons {}."),
        ("Are you open on {}?", "Êtes-vous ouverts le {} ?"),
        ("closed on {}s", "fermé le {}"),
        ("Have a nice {}!", "Bon {} !"),
        ("this {}", "ce {}"),
    ):
        yield [(english.format(e), french.format(f)) for e, f in days]
    for english, french in (
        ("{}", "{}"),
        ("{}.", "{}."),
        ("in {}", "en {}"),
        ("last {}", "en {} dernier"),
        ("next {}", "en {} prochain"),
        ("in early {}", "début {}"),
        ("since {}", "depuis {}"),
        ("It's {}.", "C'est {}."),
        ("at the end of {}", "à la fin du mois de {}"),
        ("I was born in {}.", "Je suis né en {}."),
    ):
        yield [(english.format(e), french.format(f)) for e, f in months]
    yield [(e, f) for e, f in seasons]
    yield [(f"in {e}", "au printemps" if e == "spring" else f"en {f}") for e, f in seasons]
    yield [
        (f"I like {e}.", ("J'aime le " if e == "spring" else "J'aime l'") + f + ".")
        for e, f in seasons
        if e != "winter"
    ]
    for english, masculine, feminine in (entry.split() for entry in _ORDINALS.split("|")):
        if english in ("next",):
            continue
        definite = [(n, feminine if n.feminine else masculine) for n in nouns]
        yield [
            (f"the {english} {n.english}", f"{'la' if n.feminine else 'le'} {form} {n.french}")
            for n, form in definite
        ]
    # What is copied
    yield from _copied(rng, sections["copied"], months)


def _copied(rng, lines, months):
    """Groups of phrases with figures, addresses and names, `⟦⟧` around the English form in both."""

    def number():
        return rng.choice(
            [
                str(rng.randint(2, 999)),
                f"{rng.randint(1, 99)},{rng.randint(100, 999)}",
                f"{rng.randint(1, 99)}.{rng.randint(1, 99):02d}",
                f"{rng.randint(1, 9)}.{rng.randint(1, 9)}",
            ]
        )

    def price():
        value = number()
        return rng.choice([f"${value}", f"€{value}", f"£{value}", f"{value}€"])

    def time():
        hour, minute = rng.randint(1, 12), rng.choice(["00", "15", "30", "45", "05", "20"])
        return rng.choice(
            [
                f"{hour}:{minute} {rng.choice(['am', 'pm', 'a.m', 'p.m'])}",
                f"{rng.randint(7, 23)}:{minute}",
                f"{hour} {rng.choice(['am', 'pm'])}",
            ]
        )

    def date():
        month, day, year = rng.choice(months)[0], rng.randint(1, 28), rng.randint(1950, 2030)
        return rng.choice(
            [
                f"{month} {day}",
                f"{day} {month}",
                f"{month} {day}, {year}",
                f"{day:02d}/{rng.randint(1, 12):02d}/{year}",
            ]
        )

    def mail():
        name = rng.choice(["anna", "info", "j.smith", "support", "contact"])
        return f"{name}@{rng.choice(['example.com', 'hotel-paris.fr', 'mail.org', 'school.edu'])}"

    def site():
        return rng.choice(
            [
                f"https://{rng.choice(['example', 'museum', 'shop'])}.com/{rng.choice('abc')}?id=4",
                f"www.{rng.choice(['hotel', 'trains', 'news', 'weather'])}.org",
            ]
        )

    def ordinal():
        value = rng.randint(1, 40)
        ending = {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
        return f"{value}{'th' if value in (11, 12, 13) else ending}"

    makers = {
        "n": number,
        "p": price,
        "t": time,
        "d": date,
        "y": lambda: str(rng.randint(1800, 2040)),
        "m": mail,
        "a": lambda: rng.choice([mail, site])(),
        "s": site,
        "h": lambda: rng.choice(["@anna", "@paul_m", "@news", "#paris", "#food", "#travel2024"]),
        "c": lambda: rng.choice(["`print(x)`", "`git pull`", "`x = 1`", "`config.json`", "`None`"]),
        "e": lambda: rng.choice("😀👍🎉😂🙏😢"),
        "w": lambda: rng.choice(_NAMES.split()),
        "o": ordinal,
    }
    for line in lines:
        group = []
        for _ in range(MAX_OF_EACH // 2):
            english, french = line.split(" = ")
            for slot in dict.fromkeys(re.findall(r"\{\w\d?\}", english)):
                value = makers[slot[1]]()
                english, french = english.replace(slot, value), french.replace(slot, f"⟦{value}⟧")
            group.append((english, french))
        yield group


def _in_french(match):
    """What is copied, in French form."""
    found = copies.find(match.group(1))
    return found[0].french if found else match.group(1)


def _upper(text):
    return text[:1].upper() + text[1:]


def _fill(template, noun, french):
    english = (
        template.replace("{es}", noun.english_plural)
        .replace("{Es}", _upper(noun.english_plural))
        .replace("{e}", noun.english)
        .replace("{E}", _upper(noun.english))
        .replace("{ae}", _an(noun.english))
        .replace("{AE}", _upper(_an(noun.english)))
    )
    english = re.sub(r"\b([Aa]) (?=[aeio])", r"\1n ", english)
    return english, _upper(french) if english[:1].isupper() else french


@functools.cache
def pairs():
    """All phrases: list of (English, French), none of them in `sets`."""
    rng = random.Random(SEED)
    found = {}
    sections = _sections()
    for line in sections["fixed"]:
        found[tuple(line.split(" = "))] = None
    found |= dict.fromkeys(_numbers())
    fixed = set(found)
    for group in _grammar(rng, sections):
        for english, french in rng.sample(group, min(len(group), MAX_OF_EACH)):
            found[english, re.sub("⟦(.*?)⟧", _in_french, french)] = None
    tested = {_key(line) for line in tested_inputs()}
    kept = [pair for pair in found if _key(pair[0]) not in tested]
    return [pair for pair in kept for _ in range(FIXED_REPEATS if pair in fixed else 1)]


def tested_inputs():
    """The English of all sets."""
    for path in sorted(SETS.glob("*.tsv")):
        for line in path.read_text(encoding="utf-8").splitlines():
            cells = line.split("\t")
            yield cells[1] if path.stem in ("travellers", "copied") else cells[0]


def _key(text):
    return "".join(c for c in clean(text).lower() if c.isalnum())
