"""Accuracy, calibration and consistency of answers."""

import re
from collections import defaultdict
from dataclasses import replace

import numpy as np

from apps.vqa.kinds import find_options, fits_kind, kind_of
from shared.text import WordTokenizer
from training.vqa.recipe import MIN_ACCURACY
from training.vqa.vocabulary import canonical

_SPLITTER = WordTokenizer.build([])
# Rules that rephrase a question; the first that fits is applied.
PARAPHRASES = [
    (re.compile(pattern), other)
    for pattern, other in (
        (r"^what is the colou?r of (.+)", r"what color is \1"),
        (r"^what colou?r (?:is|are) (.+)", r"what is the color of \1"),
        (r"^is this (an? .+)", r"could this be \1"),
        (r"^could this be (.+)", r"is this \1"),
        (r"^are there (?:any )?(.+)", r"can you see any \1"),
        (r"^how many (.+)", r"can you count how many \1"),
        (r"^where (is|are) (.+)", r"in what place \1 \2"),
        (r"^(is|are|does|do) (.+)", r"can you tell \1 \2"),
        (r"^(what|who|which|where) (.+)", r"can you tell \1 \2"),
    )
]


def scores(answers, questions, prefix=""):
    """The accuracy on all questions and on each type, and the share of answers of the right kind.

    Args:
        answers: List of answers.
        questions: List of `Question`, as many.
        prefix: Put before the names.

    Returns:
        Dict `accuracy`, `accuracy_<type>` and `right_kind`, fractions; the last is that of the
        questions that ask for a kind of answer, and is left out if none does.
    """
    correct = defaultdict(list)
    for answer, each in zip(answers, questions, strict=True):
        hit = canonical(answer) == canonical(each.answer)
        correct["accuracy"].append(hit)
        correct[f"accuracy_{each.kind}"].append(hit)
        words = [word for word in _SPLITTER.split(each.text) if any(map(str.isalnum, word))]
        if options := [canonical(name) for name, _ in find_options(words)]:
            correct["right_kind"].append(canonical(answer) in options)
        elif kind := kind_of(words):
            correct["right_kind"].append(fits_kind(kind, canonical(answer)))
    return {prefix + name: round(float(np.mean(hits)), 4) for name, hits in sorted(correct.items())}


def fit_temperature(probabilities, targets):
    """The temperature that logits are divided by to fit people's answers best (Guo et al. 2017).

    Args:
        probabilities, targets: Arrays `(questions, answers)`.
    """
    from scipy.optimize import minimize_scalar

    logs = np.log(np.maximum(probabilities, 1e-12))

    def loss(log_temperature):
        scaled = logs / np.exp(log_temperature)
        return -(targets * (scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True))).sum()

    return float(np.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded").x))


def fit_threshold(confidence, correct):
    """The probability below which the network says that it does not know.

    Args:
        confidence: Array `(questions,)`, the probabilities of the best answers.
        correct: Boolean array, whether they are right.

    Returns:
        Dict of `probability`, the highest for which the accuracy of the answers below it is under
        `MIN_ACCURACY`; `share`, that of the questions below it; and `accuracy_of_the_rest`.
    """
    order = np.argsort(confidence)
    accuracy_below = np.cumsum(correct[order]) / np.arange(1, len(order) + 1)
    places = np.flatnonzero(accuracy_below < MIN_ACCURACY)
    count = int(places[-1]) + 1 if len(places) else 0
    rest = correct[order][count:]
    return {
        "probability": round(float(confidence[order][count]), 4) if count < len(order) else 1.0,
        "share": round(count / len(order), 4),
        "accuracy_of_the_rest": round(float(rest.mean()), 4) if len(rest) else None,
    }


def rephrase(text):
    """The question in other words, or None if no rule fits."""
    plain = text.lower().strip(" ?.")
    for pattern, other in PARAPHRASES:
        if pattern.match(plain):
            return pattern.sub(other, plain)
    return None


def consistency(predictor, part):
    """How often a question and its paraphrase get the same answer.

    Returns:
        Dict of `questions` that a rule fits, the share `same`, and the accuracy of both wordings;
        None if no rule fits any.
    """
    pairs = [(n, rephrase(each.text)) for n, each in enumerate(part.questions)]
    pairs = [(n, text) for n, text in pairs if text]
    if not pairs:
        return None
    places = [n for n, _ in pairs]
    questions = [part.questions[n] for n in places]
    rephrased = [replace(part.questions[n], text=text) for n, text in pairs]
    answers = [
        replace(part, questions=each, photos=part.photos[places]).answer(predictor)
        for each in (questions, rephrased)
    ]
    same = [a == b for a, b in zip(*answers, strict=True)]
    accuracy, of_rephrased = (scores(each, questions)["accuracy"] for each in answers)
    return {
        "questions": len(places),
        "same": round(float(np.mean(same)), 4),
        "accuracy": accuracy,
        "accuracy_rephrased": of_rephrased,
    }
