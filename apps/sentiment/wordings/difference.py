"""Which words of two texts differ."""

import re
from difflib import SequenceMatcher

_WORDS = re.compile(r"\s+|[\w'’]+|[^\w\s]")


def split_by_difference(first, second):
    """Two texts, each as a list of pieces: (text, whether it is missing in the other text)."""
    words = _WORDS.findall(first), _WORDS.findall(second)
    pieces = [], []
    for kind, *places in SequenceMatcher(None, *words).get_opcodes():
        ranges = places[:2], places[2:]
        for some, (start, end), result in zip(words, ranges, pieces, strict=True):
            if start < end:
                result.append(("".join(some[start:end]), kind != "equal"))
    return pieces
