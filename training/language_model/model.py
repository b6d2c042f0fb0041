"""The language model."""

import math

import keras
from keras import ops

from shared.options import OptionsMixin
from training.loop import smoothed_cross_entropy
from unrolled.layers import LSTMCell, Recurrent


@keras.saving.register_keras_serializable("unrolled")
class LanguageModel(OptionsMixin, keras.Model):
    """Predicts the next word of a running text; its states are carried from batch to batch.

    Input and softmax share their word vectors (Press & Wolf 2017); a projection brings the hidden
    state to their size. Dropout masks are the same at all time steps (Gal & Ghahramani 2016), and
    there is dropout of whole words of the vocabulary and of recurrent weights (Merity et al. 2018).
    For a large vocabulary, training compares each word with a sample of the others (Jean et al.
    2015).

    Args:
        vocabulary: Number of words, the frequent ones first after padding (0) and unknown (1).
        dimensions: Size of the word vectors.
        units: Size of the hidden state.
        rows: Texts read side by side: the batch size.
        samples: Words sampled for each training batch, with probabilities that fall as 1 / rank; 0
            for the whole softmax.
        dropout: Fraction dropped of the word vectors and of the hidden states.
        word_dropout: Fraction of the vocabulary dropped from the input.
        weight_dropout: Fraction of the recurrent weights dropped.
        seed: Integer or None.

    Call arguments:
        words: Integers `(rows, time)`.

    Returns:
        In training the vectors `(rows, time, dimensions)` that are compared with word vectors,
        otherwise the logits `(rows, time, vocabulary)` of the next words.
    """

    def __init__(
        self,
        vocabulary=20_000,
        dimensions=256,
        units=512,
        rows=64,
        samples=0,
        dropout=0.1,
        word_dropout=0.0,
        weight_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(name=kwargs.pop("name", "language_model"), **kwargs)
        self.embedding = keras.layers.Embedding(
            vocabulary,
            dimensions,
            keras.initializers.RandomUniform(-0.1, 0.1, seed),
            name="embedding",
        )
        cell = LSTMCell(
            units, dropout=dropout, weight_dropout=weight_dropout, seed=seed, name="cell"
        )
        self.recurrent = Recurrent(cell, return_sequences=True, return_state=True, name="recurrent")
        self.dropout = keras.layers.Dropout(dropout, (rows, 1, units), seed=seed)
        self.project = keras.layers.Dense(dimensions, name="project")
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.full_softmax_loss = smoothed_cross_entropy(0.0)

    def build(self, shape=None):
        units, dimensions = self.options["units"], self.options["dimensions"]
        self.embedding.build((None, None))
        self.recurrent.build((None, None, dimensions))
        self.project.build((None, None, units))
        self.output_bias = self.add_weight(
            (self.options["vocabulary"],), "zeros", name="output_bias"
        )
        self.carried = [
            self.add_weight(
                (self.options["rows"], units), "zeros", trainable=False, name=f"carried_{state}"
            )
            for state in self.recurrent.cell.state_names
        ]

    def call(self, words, training=False):
        vectors = self.embedding(words)  # (rows, time, dimensions)
        if training and self.options["word_dropout"]:
            mask = keras.random.dropout(
                ops.ones((self.options["vocabulary"],)),
                self.options["word_dropout"],
                seed=self.seed_generator,
            )
            vectors = vectors * ops.take(mask, words)[..., None]
        hidden, *states = self.recurrent(vectors, initial_state=self.carried, training=training)
        for variable, state in zip(self.carried, states, strict=True):
            variable.assign(state)
        projected = self.project(self.dropout(hidden, training=training))
        return projected if training else self._logits(projected)

    def _logits(self, projected):
        return ops.matmul(projected, ops.transpose(self.embedding.embeddings)) + self.output_bias

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean loss per word in nats; in training with `samples` an estimate that is too low."""
        if not training:
            return self.full_softmax_loss(y, y_pred)
        if not self.options["samples"]:
            return self.full_softmax_loss(y, self._logits(y_pred))
        return self._sampled(y_pred, y)

    def _sampled(self, projected, targets):
        """The loss with a sampled softmax."""
        size, samples = self.options["vocabulary"], self.options["samples"]
        targets = ops.reshape(ops.cast(targets, "int32"), (-1,))  # (words,)
        projected = ops.reshape(projected, (-1, self.options["dimensions"]))  # (words, dimensions)
        sampled = keras.random.uniform((samples,), seed=self.seed_generator)
        sampled = ops.cast(ops.exp(sampled * math.log(size + 1)) - 1, "int32")
        sampled = ops.clip(sampled, 0, size - 1)

        def logits_of(words, product):
            vectors = ops.take(self.embedding.embeddings, words, axis=0)
            return product(vectors) + ops.take(self.output_bias, words)

        true = logits_of(targets, lambda vectors: ops.sum(projected * vectors, axis=-1))  # (words,)
        others = logits_of(sampled, lambda vectors: ops.matmul(projected, ops.transpose(vectors)))
        # Importance sampling of the softmax's sum: each word is weighted by 1 / its probability.
        rank = ops.cast(sampled, "float32")
        probability = (ops.log(rank + 2) - ops.log(rank + 1)) / math.log(size + 1)
        others = others - ops.log(samples * probability)  # (words, samples)
        others = ops.where(targets[:, None] == sampled, -1e9, others)
        loss = ops.logaddexp(true, ops.logsumexp(others, axis=-1)) - true
        real = ops.cast(targets > 0, loss.dtype)
        return ops.sum(loss * real) / ops.maximum(ops.sum(real), 1)

    def reset_states(self):
        """Set the carried states to zero."""
        for state in self.carried:
            state.assign(ops.zeros(state.shape))
