"""The character network: character vectors, an LSTM, and logits of the next character."""

import keras

from shared.options import OptionsMixin
from unrolled.layers import LSTMCell, Recurrent


@keras.saving.register_keras_serializable("unrolled")
class CharacterNetwork(OptionsMixin, keras.Model):
    """Reads a text character by character and predicts the next character after each.

    Args:
        vocabulary: Number of characters, including the unknown character (0).
        dimensions: Size of the character vectors.
        units: Size of the hidden state and of the cell state.
        dropout: Fraction of the hidden state that is dropped before the head, in training.
        seed: Integer or None.

    Call arguments:
        characters: Integer tensor `(batch, time)`.

    Returns:
        Logits `(batch, time, vocabulary)` of the next character.
    """

    def __init__(self, vocabulary=64, dimensions=64, units=256, dropout=0.25, seed=None, **kwargs):
        super().__init__(name=kwargs.pop("name", "characters"), **kwargs)
        self.embedding = keras.layers.Embedding(vocabulary, dimensions, name="embedding")
        self.recurrent = Recurrent(
            LSTMCell(units, seed=seed, name="cell"), return_sequences=True, name="recurrent"
        )
        self.dropout = keras.layers.Dropout(dropout, seed=seed)
        self.head = keras.layers.Dense(vocabulary, name="head")

    def build(self, characters_shape):
        self.embedding.build(characters_shape)
        self.recurrent.build((*characters_shape, self.options["dimensions"]))
        self.head.build((None, None, self.options["units"]))

    def call(self, characters, training=False):
        hidden = self.recurrent(self.embedding(characters), training=training)
        return self.head(self.dropout(hidden, training=training))
