"""Two networks for trees: a tree LSTM that rates every phrase, and a parser that finds the tree."""

import keras
import numpy as np
from keras import ops

from shared.options import OptionsMixin
from unrolled.layers import Bidirectional, LSTMCell, Recurrent, Recursive, TreeLSTMCell

CLASSES = ("very negative", "negative", "neutral", "positive", "very positive")


@keras.saving.register_keras_serializable("unrolled")
class TreeNetwork(OptionsMixin, keras.Model):
    """A tree LSTM (Tai, Socher & Manning 2015) that classifies every node of a tree.

    Args:
        vocabulary: Number of words, including padding (0) and the unknown word (1).
        dimensions: Size of the word vectors.
        units: Size of the hidden state.
        word_dropout: Fraction of the words that training replaces by the unknown word.
        dropout: Dropout rate of the hidden states before the softmax; the word vectors get half.
        weight_dropout: Dropout rate of the recurrent weights.
        seed: Integer or None.

    Call arguments:
        inputs: Dict with `"words"`, integers `(leaves,)`, and `"children"`, integers
            `(steps, width, 2)`, as `unrolled.layers.schedule` makes them.

    Returns:
        Logits of the five classes for all nodes, `(leaves + steps * width, 5)`.
    """

    def __init__(
        self,
        vocabulary=20_000,
        dimensions=128,
        units=128,
        word_dropout=0.05,
        dropout=0.5,
        weight_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(name=kwargs.pop("name", "tree"), **kwargs)
        self.embedding = keras.layers.Embedding(vocabulary, dimensions, name="embedding")
        self.recursive = Recursive(
            TreeLSTMCell(units, weight_dropout=weight_dropout, seed=seed, name="cell"),
            name="recursive",
        )
        self.vector_dropout = keras.layers.Dropout(dropout / 2, seed=seed)
        self.dropout = keras.layers.Dropout(dropout, seed=seed)
        self.head = keras.layers.Dense(len(CLASSES), name="head")
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, inputs_shape=None):
        self.embedding.build((None,))
        self.recursive.build((None, self.options["dimensions"]))
        self.head.build((None, self.options["units"]))
        self.built = True

    def call(self, inputs, training=False):
        words = inputs["words"]
        if training and self.options["word_dropout"]:
            uniform = keras.random.uniform(ops.shape(words), seed=self.seed_generator)
            words = ops.where(uniform < self.options["word_dropout"], 1, words)
        vectors = self.vector_dropout(self.embedding(words), training=training)
        hidden = self.recursive(vectors, inputs["children"], training=training)
        return self.head(self.dropout(hidden, training=training))


@keras.saving.register_keras_serializable("unrolled")
class SpanParser(OptionsMixin, keras.Model):
    """Scores every span of a sentence as a phrase of its tree.

    A bidirectional LSTM reads the words. A span is represented by what the forward reader learned
    between its ends and what the backward reader did (Wang & Chang 2016, Stern, Andreas & Klein
    2017); a small network turns the difference into a score. `best_tree` finds the tree.

    Args:
        vocabulary, dimensions: Of the word vectors.
        endings: Number of word endings, whose vectors stand beside those of the words.
        units: Size of the hidden state of each direction.
        hidden: Size of the hidden layer that scores spans.
        word_dropout: Fraction of the words that training replaces by the unknown word.
        dropout: Dropout rate of the vectors and of the hidden states.
        seed: Integer or None.

    Call arguments:
        inputs: Dict with `"words"` and `"endings"`, integers `(batch, words)`, padded with 0.

    Returns:
        Scores `(batch, words + 1, words + 1)`: entry i, j is the log-odds that the words from
        i to j - 1 are a phrase.
    """

    def __init__(
        self,
        vocabulary=20_000,
        dimensions=128,
        endings=2_000,
        units=96,
        hidden=64,
        word_dropout=0.1,
        dropout=0.3,
        seed=None,
        **kwargs,
    ):
        super().__init__(name=kwargs.pop("name", "parser"), **kwargs)
        self.embedding = keras.layers.Embedding(vocabulary, dimensions, name="embedding")
        self.ending_embedding = keras.layers.Embedding(endings, ENDING_DIMENSIONS, name="endings")
        cell = LSTMCell(units, dropout=dropout, seed=seed, name="cell")
        self.reader = Bidirectional(
            Recurrent(cell, return_sequences=True, name="recurrent"), name="reader"
        )
        self.dropout = keras.layers.Dropout(dropout, seed=seed)
        self.span = keras.layers.Dense(hidden, name="span")
        self.head = keras.layers.Dense(1, name="head")
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, inputs_shape=None):
        self.embedding.build((None, None))
        self.ending_embedding.build((None, None))
        self.reader.build((None, None, self.options["dimensions"] + ENDING_DIMENSIONS))
        self.span.build((None, 2 * self.options["units"]))
        self.head.build((None, self.options["hidden"]))
        self.built = True

    def call(self, inputs, training=False):
        words = inputs["words"]
        mask = ops.not_equal(words, 0)  # (batch, words)
        if training and self.options["word_dropout"]:
            uniform = keras.random.uniform(ops.shape(words), seed=self.seed_generator)
            dropped = ops.logical_and(mask, uniform < self.options["word_dropout"])
            words = ops.where(dropped, 1, words)
        vectors = [self.embedding(words), self.ending_embedding(inputs["endings"])]
        states = self.reader(ops.concatenate(vectors, axis=-1), mask=mask, training=training)
        states = self.dropout(states, training=training)
        forward, backward = ops.split(states, 2, axis=-1)  # (batch, words, units)
        # Between the words: what was read before this place, and what comes after it.
        edge = ops.zeros_like(forward[:, :1])
        places = ops.concatenate(
            [
                ops.concatenate([edge, forward], axis=1),
                -ops.concatenate([backward, edge], axis=1),
            ],
            axis=-1,
        )  # (batch, words + 1, 2 * units)
        # The first layer is linear in the difference of two places: project, then subtract.
        projected = ops.matmul(places, self.span.kernel)  # (batch, words + 1, hidden)
        spans = ops.expand_dims(projected, 1) - ops.expand_dims(projected, 2)
        return self.head(ops.relu(spans + self.span.bias))


ENDING_DIMENSIONS = 32


def best_tree(scores):
    """The binary tree whose phrases have the highest sum of scores (Cocke, Kasami & Younger).

    Args:
        scores: Array `(words + 1, words + 1)` of `SpanParser`.

    Returns:
        The tree as an integer array `(words - 1, 2)`, as in `unrolled.layers.recursive`.
    """
    words = len(scores) - 1
    best = np.zeros((words + 1, words + 1))  # of the span from i to j
    middles = np.zeros((words + 1, words + 1), int)
    for length in range(2, words + 1):
        starts = np.arange(words - length + 1)
        offsets = np.arange(1, length)
        left = best[starts[:, None], starts[:, None] + offsets]
        right = best[starts[:, None] + offsets, starts[:, None] + length]
        sums = left + right  # (spans, middles)
        choice = sums.argmax(axis=1)
        middles[starts, starts + length] = starts + 1 + choice
        best[starts, starts + length] = sums.max(axis=1) + scores[starts, starts + length]
    spans, stack = [], [(0, words)]
    while stack:
        start, end = stack.pop()
        if end - start > 1:
            spans.append((start, end))
            stack += [(start, middles[start, end]), (middles[start, end], end)]
    return tree_of_spans(spans, words, lambda start, end: middles[start, end])


def tree_of_spans(spans, words, middle):
    """A tree from its inner spans: pairs (start, end), and where each is divided."""
    numbers = {(n, n + 1): n for n in range(words)}
    spans = sorted(spans, key=lambda span: span[1] - span[0])
    tree = np.zeros((len(spans), 2), "int32")
    for number, (start, end) in enumerate(spans):
        division = middle(start, end)
        tree[number] = numbers[start, division], numbers[division, end]
        numbers[start, end] = words + number
    return tree


def spans_of(tree):
    """The (start, end) of every node of a tree, leaves first: an int32 array `(nodes, 2)`."""
    words = len(tree) + 1
    spans = np.zeros((2 * words - 1, 2), "int32")
    spans[:words] = np.stack([np.arange(words), np.arange(words) + 1], axis=1)
    for node, (left, right) in enumerate(tree, start=words):
        spans[node] = spans[left, 0], spans[right, 1]
    return spans
