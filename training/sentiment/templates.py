"""Short texts with a label, made by a grammar, for what a network of reviews gets wrong.

The words and templates are in `grammar.py`. The label of a text never depends on a name, and for
each kind the labels are drawn equally often.
"""

import random
import re

from training.sentiment import grammar

LABELS = ("negative", "neutral", "positive")
IRREGULAR = {"do": "does", "have": "has"}
PARTICIPLES = {"saw": "seen", "took": "taken", "wore": "worn"}
NEGATIONS = {
    "never",
    "nothing",
    "nobody",
    "neither",
    "hardly",
    "without",
    "anything",
    "haven",
    "couldn",
}
CHOICE = re.compile(r"\[([^\[\]]*)\]")
SLOT = re.compile(r"\{([^{}]+)\}")


def generate(count, seed):
    """Texts with labels.

    Args:
        count: How many.
        seed: Texts of the same seed are the same.

    Returns:
        List of `(text, label, kind)`, where the label is one of `LABELS`.
    """
    rng = random.Random(seed)
    weights = [weight for weight, _ in grammar.KINDS.values()]
    texts = []
    for kind in rng.choices(list(grammar.KINDS), weights, k=count):
        lines = LINES[kind]
        polarity = rng.choice(list(lines))
        effect, template = rng.choice(lines[polarity])
        drawn = {"=": polarity, "!": -polarity}.get(effect) or rng.choice([-1, 1])
        text = _finish(Sentence(rng, drawn, template).text, kind, rng)
        texts.append((text, LABELS[polarity + 1], kind))
    return texts


def _lines_by_label(text):
    """Dict from polarity of the label to the `(effect, template)` that can have it."""
    lines = [(line[0], line[2:]) for line in text.strip().splitlines()]
    effects = {-1: "=!-", 0: "0", 1: "=!+"}
    by_label = {
        polarity: [line for line in lines if line[0] in effects[polarity]] for polarity in effects
    }
    return {polarity: found for polarity, found in by_label.items() if found}


LINES = {kind: _lines_by_label(text) for kind, (_, text) in grammar.KINDS.items()}


def _domains_of(template):
    """The kinds of things that a template can be about."""
    persons, events = grammar.PERSONS, grammar.EVENTS
    if "_person" in template:
        return [persons]
    if re.search(r"\{work\}|a story of|they die", template):
        return grammar.DOMAINS[:2]
    if re.search(r"\bmade\b|\bby \{name|broke", template):
        return [domain for domain in grammar.DOMAINS if domain not in (persons, events)]
    return grammar.DOMAINS


class Sentence:
    """A template with its slots filled for one thing and one polarity.

    Args:
        rng: Random numbers.
        polarity: 1 or -1.
        template: A line of the grammar without its effect.
    """

    def __init__(self, rng, polarity, template):
        self.rng, self.polarity = rng, polarity
        singular = "_sg}" in template
        nouns, use, good, bad, aspects, facts = rng.choice(_domains_of(template))
        nouns = [noun for noun in nouns.split(", ") if not (singular and noun.endswith("*"))]
        noun = rng.choice(nouns)
        self.noun = noun.rstrip("*~")
        self.plural, self.uncountable = noun.endswith("*"), noun.endswith("~")
        self.person = use.startswith("see")
        self.past = rng.random() < 0.5
        self.domain = {1: good.split(", "), -1: bad.split(", ")}
        self.facts = facts.split("; ")
        self.use, self.used, self.using = use.split(", ")
        self.aspects = dict(zip("ab", rng.sample(aspects.split(", "), 2), strict=True))
        self.fixed = self._words_of_thing() | self._words_of_world() | self._words_of_slang()
        self.seen = set()  # adjectives of this sentence, none of which comes twice
        self.text = self._fill(template)

    def _fill(self, template):
        while CHOICE.search(template) or SLOT.search(template):
            template = CHOICE.sub(lambda found: self.rng.choice(found[1].split("|")), template)
            template = SLOT.sub(lambda found: self._slot(found[1]), template, count=1)
        return template

    def _slot(self, name):
        if name in self.fixed:
            value = self.fixed[name]
            return str(value() if callable(value) else value)
        if name.startswith("a:"):
            return self._noun_phrase(name[2:])
        if name.startswith("v:"):
            return self._verb(name[2:])
        return self._adjective(name)

    def _words_of_thing(self):
        """Pronouns, verbs and aspects that agree with the thing."""
        she = self.rng.choice([("she", "her", "her"), ("he", "him", "his")])
        one = she if self.person else ("it", "it", "its")
        s, o, its = ("they", "them", "their") if self.plural else one
        now, then = ("are", "were") if self.plural else ("is", "was")
        tense = then if self.past else now
        words = {
            "s": s, "o": o, "its": its, "noun": self.noun, "are": now, "was": then, "is": tense,
            "isnt": lambda: tense + self.rng.choice(["n't", "n't", " not"]), "wasnt": then + "n't",
            "was_is": "was" if self.past else "is", "are_pl": "were" if self.past else "are",
            "isnt_sg": "wasn't" if self.past else "isn't",
            "use": self.use, "used": self.used, "using": self.using,
            "used_pp": PARTICIPLES.get(self.used, self.used),
            "this": self._this, "this_sg": self._this, "this_n": self._this,
            "this0": self._plain_this,
            "fact": lambda: self._conjugate_fact(self.rng.choice(self.facts)),
            "fails": "fail" if self.plural else "fails",
            "lacks": "lack" if self.plural else "lacks",
            "like": self._like(1), "hate": self._like(-1),
            "likes": self._like(1) + "s", "hates": self._like(-1) + "s",
            "like1": self.rng.choice(["like", "love", "enjoy"]),
            "v_like": lambda: self._verb("POSITIVE"), "v_dislike": lambda: self._verb("NEGATIVE"),
            "V": lambda: self._verdict(self.polarity), "W": lambda: self._verdict(-self.polarity),
            "V0": lambda: self._verdict(0),
        }  # fmt: skip
        for key, aspect in self.aspects.items():
            plural = aspect.endswith("*")
            present, past = ("are", "were") if plural else ("is", "was")
            words |= {
                f"the_{key}": f"the {aspect.rstrip('*')}", f"{key}_only": aspect.rstrip("*"),
                f"{key}_is": present, f"{key}_was": past,
                f"{key}_makes": "make" if plural else "makes",
            }  # fmt: skip
        return words

    def _words_of_world(self):
        """Names, places, numbers and people: all drawn without a look at the polarity."""
        rng = self.rng
        name, name2, name3 = rng.sample(grammar.NAMES, 3)
        nation, nation2 = rng.sample(grammar.NATIONS, 2)
        people, people2 = rng.sample(grammar.PEOPLE, 2)
        theme, theme2 = rng.sample(grammar.DARK + grammar.LIGHT, 2)
        works = ["film", "novel", "play", "series", "song", "documentary", "poem", "ballet", "game"]
        return {
            "name": name, "name2": name2, "name3": name3, "nation": nation, "nation2": nation2,
            "people": people.rstrip("*"), "people2": people2.rstrip("*"),
            "p_say": "say" if people.endswith("*") else "says",
            "p_call": "call" if people.endswith("*") else "calls",
            "p_like": lambda: self._past(self._like(1)),
            "p_hate": lambda: self._past(self._like(-1)),
            "surname": rng.choice(grammar.SURNAMES), "place": rng.choice(grammar.PLACES),
            "month": rng.choice(grammar.MONTHS), "n": rng.randint(4, 12) * rng.choice([1, 1, 10]),
            "aside": lambda: rng.choice(grammar.ASIDES),
            "quality": lambda: rng.choice(grammar.QUALITY),
            "flaw": lambda: rng.choice(grammar.FLAW), "work": rng.choice(works),
            "theme": theme, "theme2": theme2,
        }  # fmt: skip

    def _words_of_slang(self):
        """Ratings, emoji, elongation, and other words that carry the polarity."""
        rng, up = self.rng, self.polarity > 0
        high, low = rng.choice([8, 9, 10]), rng.choice([1, 2, 3])
        best, worst = rng.choice([4, 5]), rng.choice([1, 2])

        def stars(good):
            number = best if good else worst
            unit = "star" if number == 1 else "stars"
            return rng.choice([f"{number} {unit}", f"{number} out of 5 stars", f"{number}/5"])

        def dots(*words):
            return " ".join(f"{word}." for word in (*words, self.noun.split()[-1], "ever"))

        return {
            "score": high if up else low, "mid_score": rng.choice([5, 6]),
            "stars": lambda: stars(up), "anti_stars": lambda: stars(not up),
            "percent": f"{rng.randint(85, 100) if up else rng.randint(1, 25)} %",
            "sign": lambda: rng.choice(grammar.SIGN[self.polarity]),
            "sign2": lambda: rng.choice(grammar.SIGN[self.polarity]),
            "anti": lambda: rng.choice(grammar.SIGN[-self.polarity]),
            "sign+": lambda: rng.choice(grammar.SIGN[1]),
            "sign-": lambda: rng.choice(grammar.SIGN[-1]),
            "sign0": lambda: rng.choice(grammar.SIGN[0]),
            "either": lambda: rng.choice(grammar.EITHER_SIGN),
            "so": "s" + "o" * rng.randint(1, 5),
            "Plong": lambda: self._elongate(self._adjective("P")),
            "Pdot": lambda: f"{self._adjective('P')}. {self.noun.split()[-1]}. ever.",
            "worst_dot": lambda: dots("worst"), "best_dot": lambda: dots("best"),
            "best_worst": "best" if up else "worst",
            "the_best_worst": "the best" if up else "the worst",
            "P_er": "better" if up else "worse", "better": "better", "worse": "worse",
            "praise": "praise" if up else "complaints", "high_low": "high" if up else "low",
            "NP": lambda: rng.choice(grammar.NOUNS[self.polarity]),
            "NN": lambda: rng.choice(grammar.NOUNS[-self.polarity]),
            "good_np": lambda: rng.choice(grammar.NOUNS[1]),
            "bad_np": lambda: rng.choice(grammar.NOUNS[-1]),
            "sounds": lambda: self._adjective("N1"),
            "adverb": lambda: rng.choice(grammar.ADVERB[self.polarity]),
            "P_person": lambda: self._person("P"), "N_person": lambda: self._person("N"),
            "P_person2": lambda: self._person("P"), "Q_person": lambda: self._person("Q"),
        }  # fmt: skip

    def _adjective(self, name):
        """An adjective by the name of its slot: see the grammar."""
        signs = {"P": self.polarity, "N": -self.polarity, "Q": self.polarity}
        if name == "neutral":
            words = grammar.NEUTRAL
        elif name[0] == "A":  # of an aspect: AP, AN, AP_ (before a noun)
            sign = signs[name[1]]
            words = grammar.ASPECT_GOOD if sign > 0 else grammar.ASPECT_BAD
            if name.endswith("_"):
                words = [word for word in words if " " not in word]
        else:
            sign = {"good": 1, "bad": -1}.get(name.rstrip("12")) or signs[name[0]]
            mild = grammar.GOOD_MILD if sign > 0 else grammar.BAD_MILD
            strong = grammar.GOOD_STRONG if sign > 0 else grammar.BAD_STRONG
            if name in ("P1", "N1", "good1", "bad1", "Q1"):
                words = mild
            elif name in ("good2", "bad2"):
                words = strong
            elif name == "Q":  # turns into its opposite when it is negated
                words = self.rng.choice([mild, mild, self.domain[sign] if sign < 0 else strong])
            else:
                words = self.rng.choice([mild, strong, self.domain[sign]])
        words = [word for word in words if word not in self.seen] or words
        word = self.rng.choice(words)
        self.seen.add(word)
        return word

    def _noun_phrase(self, name):
        """“a good film”, “good shoes”, “good weather”."""
        words = {"plain": "", "nation": self.fixed["nation"]}
        if name == "nationP":
            words[name] = f"{self._adjective('P')} {self.fixed['nation']}"
        adjective = words[name] if name in words else self._slot(name)
        article = "" if self.plural or self.uncountable else "a "
        return f"{article}{adjective} {self.noun}".replace("  ", " ")

    def _person(self, name):
        noun = self.rng.choice(grammar.PERSONS[0].split(", "))
        adjective = self._adjective(name + ("1" if name == "Q" else ""))
        nation = self.rng.choice(["", "", self.fixed["nation"] + " "])
        return f"a {adjective} {nation}{noun}"

    def _plain_this(self):
        return (
            f"{self.rng.choice(['these', 'the'] if self.plural else ['this', 'the'])} {self.noun}"
        )

    def _this(self):
        """The thing as a noun phrase; sometimes with a nationality or a name."""
        which = self.rng.choice(
            ["these", "the", "those"] if self.plural else ["this", "the", "that"]
        )
        middle = self.rng.choice(["", "", "", "", "new ", self.fixed["nation"] + " "])
        name = self.fixed["name3"]
        after = self.rng.choice(
            [""] * 8 + [f" that {name} {v}" for v in ("mentioned", "showed me")]
        )
        if self.rng.random() < 0.05:
            return f"{name}'s {middle}{self.noun}"
        return f"{which} {middle}{self.noun}{after if which == 'the' else ''}"

    def _like(self, sign):
        return self.rng.choice(grammar.LIKE[self.polarity * sign])

    def _past(self, verb):
        return verb + ("d" if verb.endswith("e") else "ed")

    def _verb(self, name):
        """A verb: of opinion in the first person and the tense, any other in the third person."""
        signs = {"LIKE": self.polarity, "HATE": -self.polarity, "POSITIVE": 1, "NEGATIVE": -1}
        if name in signs:
            verb = self.rng.choice(grammar.LIKE[signs[name]])
            return self._past(verb) if self.past else verb
        return name if self.plural else IRREGULAR.get(name, name + "s")

    def _verdict(self, polarity):
        return self._fill(self.rng.choice(grammar.VERDICTS[polarity]))

    def _conjugate_fact(self, fact):
        if not self.plural:
            return fact
        verb, rest = fact.split(" ", 1)
        plurals = {"is": "are", "was": "were", "has": "have", "does": "do"}
        return f"{plurals.get(verb, verb.removesuffix('s'))} {rest}"

    def _elongate(self, word):
        vowels = [place for place, letter in enumerate(word) if letter in "aeiou"]
        place = self.rng.choice(vowels)
        return word[:place] + word[place] * self.rng.randint(2, 5) + word[place:]


def _finish(text, kind, rng):
    """Articles, capitals, final stop, typos and the carelessness of people who type."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"\b(a) (?=(?!one|uni|use|Ukr)[aeiouAEIOU]|hour|honest|8)", r"\1n ", text)
    text = re.sub(r" ([,.?!])", r"\1", text)
    text = re.sub(r"\b(stay\w*) at (it|them)\b", r"\1 there", text)
    if kind == "slang" and rng.random() < 0.15:
        text = f"@{rng.choice(grammar.NAMES)}{rng.randint(1, 99)} {text}"
    careless = rng.random() < (0.5 if kind == "slang" else 0.12)
    if text[-1].isalpha() and kind != "slang" or text[-1] == ")":
        text += rng.choice(["", ".", ".", ".", ".", ".", "!"])
    if rng.random() < 0.08:
        text = _typo(text, rng)
    if careless:
        text = text.lower()
        return text.replace("n't", "nt") if rng.random() < 0.3 else text
    if rng.random() < 0.03:
        return text.upper()
    return re.sub(r"(^|[.!?] )([a-z])", lambda found: found[1] + found[2].upper(), text)


def _typo(text, rng):
    """Swap, drop or double a letter in one longer word."""
    words = [w for w in re.finditer(r"\b[a-z]{5,}\b", text) if w[0] not in NEGATIONS]
    if not words:
        return text
    word = rng.choice(words)
    place = word.start() + rng.randint(1, len(word[0]) - 2)
    first, second = text[place], text[place + 1]
    change = rng.choice([second + first, second, first + first + second])
    return text[:place] + change + text[place + 2 :]
