"""Units whose state follows something that a reader can see in the text."""

import re

import keras
import numpy as np

from apps.cells.gates.model import CharacterNetwork
from apps.cells.gates.predictor import Predictor

PROBED_CHARACTERS = 30_000  # of each text
UNITS_PER_FEATURE = 3
CHANCE_SHIFT = 5_000  # characters by which labels are moved to measure chance


def in_speaker_line(text):
    """Whether a character stands in the line that names who speaks, as in `ROMEO:`."""
    labels = np.zeros(len(text), bool)
    for line in re.finditer(r"(?:(?<=\n\n)|\A)[A-Z][^:\n]*:(?=\n)", text):
        labels[line.start() : line.end()] = True
    return labels


def distance_from(text, marks):
    """How many characters ago one of the marks stood, `(characters,)`; 0 at a mark itself."""
    places = np.arange(len(text))
    at = np.where([character in marks for character in text], places, -1)
    return places - np.maximum.accumulate(at)


def comes_next(text, marks, ends):
    """Whether the next of the characters in `ends`, this one included, is one of `marks`."""
    labels, coming = np.zeros(len(text), bool), False
    for place in range(len(text) - 1, -1, -1):
        if text[place] in ends:
            coming = text[place] in marks
        labels[place] = coming
    return labels


def in_marks(text, opening, closing):
    """Whether a character stands between two marks of one paragraph, the closing one included."""
    labels = np.zeros(len(text), bool)
    pair = f"{re.escape(opening)}(?:(?!\\n\\n|{re.escape(opening)}).)*?{re.escape(closing)}"
    for match in re.finditer(pair, text, re.DOTALL):
        labels[match.start() + 1 : match.end()] = True
    return labels


def _is_one_of(characters):
    return lambda text: np.array([character in characters for character in text])


# Functions that label every character of a text, by the text on which units are probed.
FEATURES = {
    "plays": {
        "speaker": in_speaker_line,
        "line of a play": lambda text: distance_from(text, "\n"),
        "word position": lambda text: distance_from(text, " \n"),
        "gap": _is_one_of(" \n"),
        "vowel": _is_one_of("aeiouAEIOU"),
        "capital": lambda text: np.array([character.isupper() for character in text]),
        "comma": lambda text: distance_from(text, ",.;:?!") < distance_from(text, ".;:?!"),
        "question": lambda text: comes_next(text, "?", ".?!"),
    },
    "articles": {
        "quotation": lambda text: in_marks(text, '"', '"'),
        "bracket": lambda text: in_marks(text, "(", ")"),
        "line of a page": lambda text: distance_from(text, "\n"),
    },
}


def agreement(ranks, labels):
    """How well each unit follows labels, from −1 to 1, 0 by chance: `(units,)`.

    Args:
        ranks: Array `(characters, units)`, the rank of each state among its unit's.
        labels: `(characters,)`. For booleans the result is 2 AUC − 1, where AUC is the probability
            that a character with the label has the higher state; for numbers it is Spearman's
            correlation.
    """
    from scipy.stats import rankdata

    if labels.dtype != bool:
        other = rankdata(labels)
        ranks, other = ranks - ranks.mean(axis=0), other - other.mean()
        return ranks.T @ other / np.sqrt((ranks**2).sum(axis=0) * (other**2).sum())
    yes, no = labels.sum(), (~labels).sum()
    if not yes or not no:
        return np.zeros(ranks.shape[1])
    auc = (ranks[labels].sum(axis=0) - yes * (yes + 1) / 2) / (yes * no)
    return 2 * auc - 1


def probe(features, predictor, untrained, choosing, scoring):
    """The units that follow each feature best, chosen on one text and scored on another.

    Args:
        features: Dict from names to functions that label every character of a text.
        predictor: A trained `Predictor`.
        untrained: One of the same network before training.
        choosing, scoring: Texts to choose and to score units on.

    Returns:
        Dict from feature to `{"kind": "auc" or "correlation", "units": […], "untrained": number,
        "chance": number}`. A unit has its number, its score (an AUC, or a correlation) and whether
        its state falls where the feature rises. `untrained` is the score of the unit that is
        chosen in the untrained network; `chance` that of the unit chosen for shifted labels.
    """
    from scipy.stats import rankdata

    texts = choosing[:PROBED_CHARACTERS], scoring[:PROBED_CHARACTERS]
    labels = {name: [label(text) for text in texts] for name, label in features.items()}

    def best(ranks, labels, count=1):
        chosen, scored = (agreement(r, part) for r, part in zip(ranks, labels, strict=True))
        units = np.argsort(-np.abs(chosen))[:count]
        return [(int(unit), bool(chosen[unit] < 0), float(scored[unit])) for unit in units]

    def format_score(falls, score, binary):
        score = -score if falls else score
        return round((1 + score) / 2 if binary else score, 3)

    probes = {}
    for network in (untrained, predictor):
        ranks = [rankdata(network.trace(text)["cell"], axis=0) for text in texts]
        for name, parts in labels.items():
            binary = parts[0].dtype == bool
            if network is untrained:
                _, *score = best(ranks, parts)[0]
                kind = "auc" if binary else "correlation"
                probes[name] = {"kind": kind, "untrained": format_score(*score, binary)}
                continue
            shifted = [np.roll(part, CHANCE_SHIFT) for part in parts]
            _, *chance = best(ranks, shifted)[0]
            probes[name]["chance"] = format_score(*chance, binary)
            probes[name]["units"] = [
                {"unit": unit, "falls": falls, "score": format_score(falls, score, binary)}
                for unit, falls, score in best(ranks, parts, UNITS_PER_FEATURE)
            ]
    return probes


def probe_texts(predictor, seed, texts):
    """`probe` of several texts.

    Args:
        predictor: A trained `Predictor`.
        seed: The seed of its training.
        texts: Dict from a text's name to the two texts to choose and to score on. A text with
            another name than those of `FEATURES` is probed for all features.

    Returns:
        Dict from feature to what `probe` gives.
    """
    keras.utils.set_random_seed(seed)
    untrained = CharacterNetwork(**predictor.network.options)
    untrained.build((None, None))
    untrained = Predictor(untrained, predictor.alphabet, {})
    every = {name: label for features in FEATURES.values() for name, label in features.items()}
    probes = {}
    for name, parts in texts.items():
        probes |= probe(FEATURES.get(name, every), predictor, untrained, *parts)
    return probes
