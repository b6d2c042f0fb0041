"""Sentences, and words as the Stanford Sentiment Treebank splits them, with their places."""

import re

MAX_WORDS = 48  # of the tree of a sentence; what follows is not in it

# Abbreviations with their point, U.S., 'em and '90s, words with what joins their parts, runs of
# dots, dashes and marks, and single marks. No pattern can match the same characters in two ways.
_WORD = re.compile(
    r"(?:[^\W\d_]\.){2,}|\b(?:Mr|Mrs|Ms|Dr|Jr|Sr|St|vs)\.|'(?:\d0s|em\b)"
    r"|\d+(?:[.,:]\d+)+(?!\w)|\w+(?:[-'/&]\w+)*|\.{2,}|-{2,}|!+|\?+|[^\w\s]",
    re.IGNORECASE,
)
# Contractions that the treebank splits: the parts' letters.
_PARTS = re.compile(r"(can)(not)|(.+)(n't|'(?:s|re|ve|ll|d|m))", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
# A sentence ends with its mark and the quotation marks or brackets after it, before a space.
_SENTENCE_END = re.compile(r"(?<![\s.!?…])[.!?…]+[\"')\]]*(?=\s)")
_ABBREVIATION = re.compile(r"(?:^|[\s(\"'])(?:Mr|Mrs|Ms|Dr|Jr|Sr|St|vs|[A-Z])\.$")


def locate_words(text):
    """The words of a cleaned text, in linear time: a list of (word, start, end)."""
    places = []
    for match in _WORD.finditer(text):
        start, end = match.span()
        parts = _PARTS.fullmatch(match[0])
        if parts:
            middle = start + len(parts[1] or parts[3])
            places.append((text[start:middle], start, middle))
            start = middle
        places.append((text[start:end], start, end))
    return places


def normalise(word):
    """A word as the vocabulary has it: in lower case, every digit a 0."""
    return _DIGIT.sub("0", word.lower())


def split_sentences(text):
    """The sentences of a cleaned text, in linear time.

    Abbreviations and initials do not end a sentence, nor does a mark before a small letter.
    """
    sentences, start = [], 0
    for match in _SENTENCE_END.finditer(text):
        following = text[match.end() + 1 : match.end() + 2]
        before = text[max(start, match.end() - 6) : match.end()]
        if following.islower() or _ABBREVIATION.search(before):
            continue
        sentences.append(text[start : match.end()])
        start = match.end() + 1
    return [*sentences, text[start:]] if start < len(text) else sentences
