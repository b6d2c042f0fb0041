"""Sums of words such as `2 * (good - bad) + film`."""

import re

from shared.errors import UserError

MAX_FACTOR = 1_000


class Expression:
    """Parses a sum of words by recursive descent: its vector, the words in it, and notes.

    `sum: [sign] term {sign term}`, `term: [number *] factor`, `factor: phrase or ( sum )`.
    """

    def __init__(self, text, find):
        self._find = find
        self.words, self.notes = [], []
        text = text.replace("−", "-").replace("–", "-").replace("×", "*")
        self._tokens = re.findall(r"[+\-*()]|\d+(?:\.\d+)?|[^\s+\-*()\d]+|\S", text)
        self._position = 0
        self.vector = self._sum()
        if self._position < len(self._tokens):
            raise self._error()

    def _next(self):
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def _error(self):
        position = f"“{self._next()}”" if self._next() else "the end"
        return UserError(
            f"This cannot be read at {position}. Write words with + and − between them, such as "
            "“berlin - germany + france” or “2 * (good - bad) + film”."
        )

    def _sum(self):
        total, sign = 0, 1
        if self._next() in ("+", "-"):
            sign = -1 if self._next() == "-" else 1
            self._position += 1
        while True:
            total = total + sign * self._term()
            if self._next() not in ("+", "-"):
                return total
            sign = -1 if self._next() == "-" else 1
            self._position += 1

    def _term(self):
        factor = 1.0
        if re.fullmatch(r"\d+(?:\.\d+)?", self._next()):
            factor = float(self._next())
            if factor > MAX_FACTOR:
                raise UserError(f"A factor may be at most {MAX_FACTOR:,}.")
            self._position += 1
            if self._next() == "*":
                self._position += 1
        return factor * self._factor()

    def _factor(self):
        if self._next() == "(":
            self._position += 1
            vector = self._sum()
            if self._next() != ")":
                raise self._error()
            self._position += 1
            return vector
        phrase = []
        while self._next() and self._next() not in "+-*()" and not self._next()[0].isdigit():
            phrase.append(self._next())
            self._position += 1
        if not phrase:
            raise self._error()
        word, vector, notes = self._find(" ".join(phrase))
        self.words += [word, *word.split()]
        self.notes += notes
        return vector
