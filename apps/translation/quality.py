"""An estimate of the quality of a translation, from what can be measured without a reference.

A logistic regression, fitted on validation pairs by `training.translation.quality`, estimates the
probability that a translation is poor: that its sentence chrF is below 40.
"""

import re
from dataclasses import dataclass

import numpy as np

from apps.translation import copies

FEATURES = (
    "lowest log-probability of a token",
    "mean log-probability of the tokens",
    "share of English words that were hardly attended to",
    "share of French words that are repeated",
    "difference of the lengths",
    "share of English words that are not in the dictionary",
    "margin before the second translation",
    "logarithm of the number of tokens, of at least LEAST_TOKENS",
    "whether a figure or a name is missing",
)
_WORD = re.compile(r"[^\W\d_]{4,}")
# Validation has no single words: a short text counts as one of so many tokens.
LEAST_TOKENS = 6
_HARDLY = 0.3  # attention that a token was given in all


@dataclass(frozen=True)
class Quality:
    """A fitted estimate.

    Attributes:
        weights, intercept: Of the logistic regression.
        threshold: Probability from which a translation is called doubtful.
    """

    weights: tuple[float, ...]
    intercept: float
    threshold: float

    def probability(self, sentence, known_words):
        """The probability that the translation of a `Sentence` is poor."""
        total = self.intercept + np.dot(self.weights, features(sentence, known_words))
        return float(1 / (1 + np.exp(-total)))


def features(sentence, known_words):
    """The values of `FEATURES` for a `Sentence`, an array `(features,)`."""
    best, *others = sentence.hypotheses
    logs = np.log(np.maximum(best.probabilities, 1e-9))
    is_word = np.array([any(map(str.isalpha, piece)) for piece in sentence.pieces[:-1]], bool)
    attended = best.attention[:, : len(is_word)].sum(axis=0)
    is_word = is_word[: len(attended)]  # of a text that is too long, only the beginning is read
    ignored = float(np.mean(attended[is_word] < _HARDLY)) if is_word.any() else 0.0
    repeated = _repeated(best.text) - _repeated(sentence.source)
    english = _WORD.findall(sentence.source.lower())
    kept = {word.lower() for word in sentence.copies.values()}
    unknown = [word for word in english if word not in (known_words or ()) and word not in kept]
    missing = any(
        _digits(form) and _digits(form) not in _digits(best.text)
        for form in [
            sentence.source[each.start : each.end] for each in copies.find(sentence.source)
        ]
        if not sentence.copies
    )
    margin = best.score - others[0].score if others else 1.0
    return np.array(
        [
            logs.min(),
            logs.mean(),
            ignored,
            max(repeated, 0.0),
            abs(np.log(len(best.pieces) / max(len(sentence.pieces), 1))),
            len(unknown) / max(len(english), 1) if known_words else 0.0,
            min(margin, 1.0),
            np.log(max(len(best.pieces), LEAST_TOKENS)),
            float(missing),
        ]
    )


def _repeated(text):
    """The share of the longer words of a text that occurred in it before."""
    words = _WORD.findall(text.lower())
    return 1 - len(set(words)) / len(words) if words else 0.0


def _digits(text):
    return "".join(filter(str.isdigit, text))
