"""The kind of answer that a question asks for, by rule."""

import re

import numpy as np

YES_NO = ("yes", "no")
COLOURS = (
    *("white", "black", "gray", "grey", "red", "orange", "yellow", "green", "blue", "purple"),
    *("pink", "brown", "tan", "beige", "silver", "gold"),
)
_ARTICLES = ("a", "an", "the")
_PREPOSITIONS = (
    *("in", "on", "at", "of", "to", "from", "with", "for", "by", "near", "behind", "under"),
    *("over", "inside", "outside", "that", "who", "which"),
)
_VERB = r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)(?:n't)?\b"
# What stands before a question that is asked politely: “Can you tell me how many …”
_POLITE = re.compile(
    r"^(?:please )?(?:(?:can|could|do|would) you (?:please )?)?"
    r"(?:tell(?: me)?|say|know|count|guess|see) (?=(?:how|wh\w+)\b)"
)
_KINDS = (
    ("number", re.compile(r"\bhow many\b|\bwhat(?: is|'s)? the number of\b")),
    ("colour", re.compile(r"\b(?:what|which)(?: is| are|'s)?(?: the)? colou?rs?\b")),
    # “Are there cats or dogs?” asks whether there are any.
    ("choice", re.compile(rf"^{_VERB} (?!there (?!more |fewer )).*\bor\b")),
    ("yes/no", re.compile(rf"^{_VERB}")),
    ("thing", re.compile(r"\b(?:what|which|who|whose|where|when|why|how)\b")),
)
KINDS = tuple(kind for kind, _ in _KINDS)


def kind_of(words):
    """The kind of answer that a question asks for.

    Args:
        words: The words of the question in lower case, without punctuation.

    Returns:
        `"number"`, `"colour"`, `"choice"` (of what stands around “or”), `"yes/no"`, `"thing"` (all
        but yes and no), or None if no rule fits.
    """
    text = _POLITE.sub("", " ".join(words))
    return next((kind for kind, pattern in _KINDS if pattern.search(text)), None)


def fits_kind(kind, answer):
    """Whether an answer is of a kind that `kind_of` returned, other than `"choice"`."""
    match kind:
        case "number":
            return answer.isdigit() or answer == "many"
        case "colour":
            return answer in COLOURS
        case "yes/no":
            return answer in YES_NO
        case "thing":
            return answer not in YES_NO
    return True


def select_answers(kind, answers):
    """Which answers of a list are of a kind; all of them if none is.

    Returns:
        Boolean array `(answers,)`.
    """
    fits = np.array([fits_kind(kind, answer) for answer in answers])
    return fits if fits.any() else np.ones(len(answers), bool)


def find_options(words):
    """The two options of a question such as “Is this a cat or a dog?”.

    Args:
        words: As for `kind_of`.

    Returns:
        For each option its name (“cat”) and the places of the words that ask for it alone (“is
        this a cat”), a list of integers; an empty list if the question is of another kind.
    """
    if kind_of(words) != "choice":
        return []
    place = len(words) - 1 - words[::-1].index("or")
    start = place - 1  # of the first option: one word, or from its article on
    articles = [n for n in range(place) if words[n] in _ARTICLES]
    if words[place + 1 : place + 2] and words[place + 1] in _ARTICLES and articles:
        start = articles[-1]
    end = place + 2  # of the second option's name
    while end < len(words) and words[end] not in _PREPOSITIONS:
        end += 1
    if start < 1 or place + 1 >= len(words):
        return []
    names = (_name(words[start:place]), _name(words[place + 1 : end]))
    asked = (range(place), [*range(start), *range(place + 1, len(words))])
    return [(name, list(places)) for name, places in zip(names, asked, strict=True)]


def _name(words):
    return " ".join(words[1:] if words[0] in _ARTICLES and len(words) > 1 else words)
