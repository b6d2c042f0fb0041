"""The answers to choose from, and the words of questions with their vectors."""

import re
from collections import Counter

import numpy as np

from shared.text import WordTokenizer
from training.vqa import recipe

_NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
NUMBERS = {word: str(n) for n, word in enumerate(_NUMBERS)} | {"none": "0"}
ARTICLES = ("a", "an", "the")
VECTOR_STD = 0.4  # of the numbers of word vectors: tanh neither vanishes nor saturates at first


def canonical(answer):
    """An answer in the form that is compared, by the rules of VQA (Antol et al. 2015).

    Lower case, no punctuation, no articles, numbers up to ten as figures: “Two dogs” is “2 dogs”.
    """
    words = re.findall(r"[\w':]+", answer.lower())
    return " ".join(NUMBERS.get(word, word) for word in words if word not in ARTICLES)


def _min_count(questions):
    return recipe.MIN_COUNT if len(questions) > recipe.SMALL_SET else 1


def list_answers(questions):
    """The answers that are given often enough, the most frequent first."""
    counts = Counter(canonical(each.answer) for each in questions)
    least = _min_count(questions)
    return [answer for answer, count in counts.most_common() if count >= least and answer]


def answer_shares(questions, answers):
    """The share of people who gave each answer of the list, `(questions, answers)`.

    Rows are 0 if nobody's answer is in the list.
    """
    place = {answer: n for n, answer in enumerate(answers)}
    counts = np.zeros((len(questions), len(answers)), "float32")
    for row, each in zip(counts, questions, strict=True):
        for answer in each.answers or (each.answer,):
            if canonical(answer) in place:
                row[place[canonical(answer)]] += 1
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def coverage(questions, answers):
    """The share of questions whose answer is in the list: the highest accuracy possible."""
    listed = set(answers)
    return round(float(np.mean([canonical(each.answer) in listed for each in questions])), 4)


def build_vocabulary(questions, vectors):
    """A tokenizer, its word vectors, and how many of its words stand in questions.

    Args:
        questions: List of `Question`.
        vectors: `Vectors`. A word without a vector has that of its singular, or of the word
            without “'s”, or a random one, by which it can still be told apart.

    Returns:
        A `WordTokenizer`, the words of the questions first; an array `(words, dimensions)`; and
        the number of the first word that no question contains.
    """
    splitter = WordTokenizer.build([])
    counts = Counter(word for each in questions for word in splitter.split(each.text))
    least = _min_count(questions)
    question_words = [
        word
        for word, count in counts.most_common()
        if any(c.isalnum() for c in word) and (count >= least or _stem(word, vectors))
    ]
    known = set(question_words)
    extra = [word for word in vectors.words[: recipe.EXTRA_WORDS] if word not in known]
    tokenizer = WordTokenizer.build([*question_words, *extra])
    table = np.zeros((tokenizer.size, vectors.matrix.shape[1]), "float32")
    rng = np.random.default_rng(0)
    for row, word in zip(table[2:], tokenizer.words[2:], strict=True):
        stem = _stem(word, vectors)
        row[:] = vectors[stem] if stem else rng.normal(0, len(row) ** -0.5, len(row))
    return tokenizer, table * (VECTOR_STD * table.shape[1] ** 0.5), 2 + len(question_words)


def _stem(word, vectors):
    """The word whose vector stands for this one, or None."""
    forms = (word, word.removesuffix("'s"), word.removesuffix("s"), word.removesuffix("es"))
    return next((form for form in forms if form in vectors), None)
