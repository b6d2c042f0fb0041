"""The network: it reads a question, looks over a grid of a photograph for it, and answers."""

import keras
from keras import ops

from shared.layers import GRUCell, LSTMCell, Recurrent, RNNCell
from shared.layers.attention import DotAttention

CELLS = {"rnn": RNNCell, "gru": GRUCell, "lstm": LSTMCell}
READERS = (*CELLS, "bow")


@keras.saving.register_keras_serializable("unrolled")
class Answerer(keras.Model):
    """Show, ask, attend and answer (Kazemi & Elqursh 2017), on word vectors that stay as they are.

    The last hidden state q of the question asks the grid for a context c; with m, the mean of the
    grid, h = relu(A q) * relu(B [c; m]), and the answer is softmax(W h). Without the photograph
    h = relu(A q). The bag of words (iBOWIMG, Zhou et al. 2015) answers softmax(W [s; m]) with s
    the sum of the words.

    Args:
        answers: Number of answers that it can give.
        reader: What reads the question: `"rnn"`, `"gru"`, `"lstm"`, or `"bow"`.
        image: Whether it sees the photograph; False for a blind one.
        dimensions: Size of the word vectors.
        components: Numbers that a cell of the grid has.
        narrow: What the word vectors are brought to before they are read, by a learned product.
        units: Size of the hidden state.
        hidden: Size of h.
        word_dropout: Fraction dropped of the word vectors.
        dropout: Fraction dropped of q, of [c; m] and of h.
        seed: Integer or None.

    Call arguments:
        inputs: Tuple of `grid` `(batch, cells, components)`, `vectors` `(batch, time, dimensions)`
            and the boolean `mask` `(batch, time)`, True where there is a word.

    Returns:
        Logits `(batch, answers)`.
    """

    def __init__(
        self,
        answers=340,
        reader="lstm",
        image=True,
        dimensions=300,
        components=256,
        narrow=128,
        units=128,
        hidden=512,
        word_dropout=0.2,
        dropout=0.5,
        seed=None,
        **kwargs,
    ):
        super().__init__(name=kwargs.pop("name", "answerer"), **kwargs)
        if reader not in READERS:
            raise ValueError(f"`reader` must be one of {READERS}. Received: reader={reader!r}")
        self.options = {
            "answers": answers,
            "reader": reader,
            "image": image,
            "dimensions": dimensions,
            "components": components,
            "narrow": narrow,
            "units": units,
            "hidden": hidden,
            "word_dropout": word_dropout,
            "dropout": dropout,
            "seed": seed,
        }
        self.word_dropout = keras.layers.Dropout(word_dropout, seed=seed)
        self.dropout = keras.layers.Dropout(dropout, seed=seed)
        self.narrow = keras.layers.Dense(narrow, "tanh", name="narrow")
        self.bag = reader == "bow"
        if not self.bag:
            self.reader = Recurrent(CELLS[reader](units, seed=seed, name="cell"), name="reader")
            self.ask = keras.layers.Dense(hidden, "relu", name="ask")
        if image and not self.bag:
            self.attention = DotAttention(general=True, name="attention")
            self.look = keras.layers.Dense(hidden, "relu", name="look")
        self.answer = keras.layers.Dense(answers, name="answer")

    def build(self, shapes=None):
        components, narrow = self.options["components"], self.options["narrow"]
        units, hidden = self.options["units"], self.options["hidden"]
        image = self.options["image"]
        self.narrow.build((None, None, self.options["dimensions"]))
        if self.bag:
            self.answer.build((None, narrow + image * components))
            return
        self.reader.build((None, None, narrow))
        self.ask.build((None, units))
        if image:
            self.attention.build((None, None, units), (None, None, components))
            self.look.build((None, 2 * components))
        self.answer.build((None, hidden))

    def call(self, inputs, training=False):
        return self.looking(inputs, training=training)[0]

    def looking(self, inputs, training=False):
        """As a call, with where it looked: logits, and weights `(batch, cells)` of sum 1.

        Those that read a bag of words or nothing of the photograph look everywhere alike.
        """
        grid, vectors, mask = inputs
        words = self.narrow(self.word_dropout(vectors, training=training))  # (batch, time, narrow)
        mean = ops.mean(grid, axis=1)  # (batch, components)
        weights = ops.full_like(grid[..., 0], 1 / grid.shape[1])  # (batch, cells)
        if self.bag:
            live = ops.cast(mask, words.dtype)[..., None]
            parts = [ops.sum(words * live, axis=1), *([mean] if self.options["image"] else [])]
            seen = self.dropout(ops.concatenate(parts, axis=-1), training=training)
            return self.answer(seen), weights
        question = self.reader(words, mask=mask, training=training)  # (batch, units)
        question = self.dropout(question, training=training)
        hidden = self.ask(question)
        if self.options["image"]:
            context, weights = self.attention(question[:, None], grid)
            weights = weights[:, 0]
            seen = ops.concatenate([context[:, 0], mean], axis=-1)
            hidden = hidden * self.look(self.dropout(seen, training=training))
        return self.answer(self.dropout(hidden, training=training)), weights

    def get_config(self):
        return {**super().get_config(), **self.options}
