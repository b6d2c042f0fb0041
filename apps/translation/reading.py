"""How the network reads an English sentence, and how its French takes the form of what was typed.

The training sentences begin with a capital and end with a stop. A sentence in capitals or without
any, or without its stop, is read as if it were written like them, and the translation is given the
form of what was typed. What is copied becomes placeholders.
"""

import re
from dataclasses import dataclass, field

from apps.translation import copies

_QUESTION = re.compile(
    r"(?:(?:what|when|where|who|why|how|which|whose)(?:'s| (?:is|are|was|were|do|does|did|can|"
    r"could|will|would|should|much|many|long|far|old|time))"
    r"|(?:is|are|am|was|were|do|does|did|can|could|will|would|shall|should|may|might|have|has) "
    r"(?:i|you|he|she|it|we|they|the|this|that|there|my|your|his|her|our|their|anyone|someone))\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_FRAGMENT_WORDS = 3  # at most so many words without a stop may be a sentence or a part of one
_NAME_FOLLOWERS = frozenset(
    ("is", "was", "has", "had", "and", "will", "lives", "lived", "said", "says", "went", "came")
)


@dataclass(frozen=True)
class Reading:
    """What the network reads of a sentence.

    Attributes:
        text: The sentence as it is read, with placeholders.
        english, french: What the placeholders stand for.
        capitals: Whether all of it was in capitals.
        capital: Whether it began with a capital letter.
        lower: Whether it had no capital letter.
        stop: The mark that was added, which the translation is not to have.
        is_name: Function of a word that says whether it is always written with a capital.
    """

    text: str
    english: dict = field(default_factory=dict)
    french: dict = field(default_factory=dict)
    capitals: bool = False
    capital: bool = False
    lower: bool = False
    stop: str = ""
    is_name: object = None

    def restore(self, french):
        """The translation in the form of what was typed."""
        if self.stop and french.endswith((".", "?", "!")):
            french = french[:-1].rstrip()
        if self.capitals:
            french = french.upper()
        if self.capital and french[:1].islower():
            french = french[:1].upper() + french[1:]
        first = _WORD.search(french)
        if self.lower and first and first.start() == 0 and not self.is_name(first.group()):
            french = french[:1].lower() + french[1:]
        return copies.put_back(french, self.french)

    def restore_piece(self, piece):
        """A token of the translation, as it is shown."""
        return self.french.get(piece, piece)


def read(text, tokenizer, with_copies, known_words):
    """The ways in which the network may read a sentence: a list of one or two `Reading`s.

    A few words without a stop are read as a sentence ("Wake up.") and as a part of one
    ("kitchen").

    Args:
        text: An English sentence.
        tokenizer: The network's `SubwordTokenizer`.
        with_copies: Whether the network knows the placeholders.
        known_words: As in `Predictor`.
    """
    typed = copies.clean(text)
    arguments = (typed, tokenizer, with_copies, known_words)
    if len(_WORD.findall(typed)) > _FRAGMENT_WORDS or not _ends_in_word(typed):
        return [_read(*arguments, is_part=False)]
    return [_read(*arguments, is_part) for is_part in (False, True)]


def _ends_in_word(text):
    return text[-1:].isalnum() or text[-1:] in copies.NOT_ADDRESSES


def _read(typed, tokenizer, with_copies, known_words, is_part):

    def is_proper(word):
        """Whether the vocabulary has a word with a capital only."""
        capital = tokenizer.number(f"▁{word.capitalize()}") is not None
        return capital and tokenizer.number(f"▁{word.lower()}") is None

    def is_name(word, first):
        lowered = word.lower().removesuffix("'s")
        if not known_words or lowered in known_words:
            return False
        if not first:
            return True
        following = typed[typed.find(word) + len(word) :].split()
        return bool(following) and (following[0] in _NAME_FOLLOWERS or following[0].istitle())

    letters = [letter for letter in _outside_copies(typed) if letter.isalpha()]
    words = _WORD.findall(typed)
    capitals = len(letters) > 1 and not any(map(str.islower, letters))
    if capitals and len(words) == 1:  # an acronym or a word
        capitals = bool(known_words) and words[0].lower() in known_words
    lower = bool(letters) and not any(map(str.isupper, letters))
    found = copies.find(typed, None if capitals or lower else is_name) if with_copies else []
    aside, french = copies.set_aside(typed, found)
    english = dict(zip(french, (typed[each.start : each.end] for each in found), strict=True))
    if capitals:
        aside = aside.lower()
    if capitals or lower:
        aside = _WORD.sub(lambda match: _with_capital(match.group(), is_proper), aside)
        if not is_part:
            aside = aside[:1].upper() + aside[1:]
    elif is_part and words and aside.startswith(words[0]) and not is_proper(words[0]):
        aside = _with_capital(words[0].lower(), is_proper) + aside[len(words[0]) :]
    stop = ""
    if not is_part and _ends_in_word(aside):
        stop = "?" if _QUESTION.match(aside) else "."
    return Reading(
        aside + stop, english, french, capitals, typed[:1].isupper(), lower, stop, is_proper
    )


def _outside_copies(text):
    """A text without the addresses, code and figures in it."""
    for each in reversed(copies.find(text)):
        text = text[: each.start] + text[each.end :]
    return text


def _with_capital(word, is_proper):
    if word in ("i", "i'm", "i'll", "i've", "i'd") or is_proper(word):
        return word[:1].upper() + word[1:]
    return word
