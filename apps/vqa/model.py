"""The network: it reads a question, looks over a grid of a photograph for it, and answers."""

import keras
from keras import ops

from shared.layers import GRUCell, LSTMCell, Recurrent, RNNCell
from shared.layers.attention import DotAttention
from shared.options import OptionsMixin

CELLS = {"rnn": RNNCell, "gru": GRUCell, "lstm": LSTMCell}
READERS = (*CELLS, "bow")


@keras.saving.register_keras_serializable("unrolled")
class Answerer(OptionsMixin, keras.Model):
    """Two ways to an answer, on word vectors that stay as they are.

    The first is show, ask, attend and answer (Kazemi & Elqursh 2017): the last hidden state q of
    the question asks the grid for a context c; with m, the mean of the grid, and a = relu(A q),
    it is softmax(W [a; a * relu(B [c; m])]). The second is the bag of words (iBOWIMG, Zhou et al.
    2015): softmax(V [s; m]) with s the sum of the words. The network answers with their geometric
    mean; each is fitted by itself. Without the photograph they are softmax(W a) and softmax(V s);
    the reader `"bow"` leaves the second alone.

    Args:
        answers: Number of answers that it can give.
        reader: What reads the question: `"rnn"`, `"gru"`, `"lstm"`, or `"bow"`.
        image: Whether it sees the photograph; False for a blind one.
        dimensions: Size of the word vectors.
        components: Numbers that a cell of the grid has.
        narrow: What the word vectors are brought to before they are read, by a learned product.
        units: Size of the hidden state.
        hidden: Size of a.
        word_dropout: Fraction dropped of the word vectors.
        dropout: Fraction dropped of q, of [c; m], of [s; m] and of what W is given.
        seed: Integer or None.

    Call arguments:
        inputs: Tuple of `grid` `(batch, cells, components)`, `vectors` `(batch, time, dimensions)`
            and the boolean `mask` `(batch, time)`, True where there is a word.

    Returns:
        Logits `(batch, answers)`; in training `(batch, ways, answers)`.
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
        self.word_dropout = keras.layers.Dropout(word_dropout, seed=seed)
        self.dropout = keras.layers.Dropout(dropout, seed=seed)
        self.narrow = keras.layers.Dense(narrow, "tanh", name="narrow")
        self.recurrent = reader != "bow"
        self.bag = keras.layers.Dense(answers, name="bag")
        if self.recurrent:
            self.reader = Recurrent(CELLS[reader](units, seed=seed, name="cell"), name="reader")
            self.ask = keras.layers.Dense(hidden, "relu", name="ask")
            self.answer = keras.layers.Dense(answers, name="answer")
        if image and self.recurrent:
            self.attention = DotAttention(general=True, name="attention")
            self.look = keras.layers.Dense(hidden, "relu", name="look")

    @property
    def branches(self):
        """How many ways to an answer it has."""
        return 1 + self.recurrent

    def build(self, shapes=None):
        components, narrow = self.options["components"], self.options["narrow"]
        units, hidden = self.options["units"], self.options["hidden"]
        image = self.options["image"]
        self.narrow.build((None, None, self.options["dimensions"]))
        self.bag.build((None, narrow + image * components))
        if self.recurrent:
            self.reader.build((None, None, narrow))
            self.ask.build((None, units))
            self.answer.build((None, hidden + image * hidden))
        if image and self.recurrent:
            self.attention.build((None, None, units), (None, None, components))
            self.look.build((None, 2 * components))

    def call(self, inputs, training=False):
        return self.predict_with_attention(inputs, training=training)[0]

    def predict_with_attention(self, inputs, training=False):
        """As a call, with where it looked: logits, and weights `(batch, cells)` of sum 1.

        Those that read a bag of words or nothing of the photograph look everywhere alike.
        """
        grid, vectors, mask = inputs
        words = self.narrow(self.word_dropout(vectors, training=training))  # (batch, time, narrow)
        mean = [ops.mean(grid, axis=1)] if self.options["image"] else []  # (batch, components)
        weights = ops.full_like(grid[..., 0], 1 / grid.shape[1])  # (batch, cells)
        live = ops.cast(mask, words.dtype)[..., None]
        seen = ops.concatenate([ops.sum(words * live, axis=1), *mean], axis=-1)
        ways = [self.bag(self.dropout(seen, training=training))]
        if self.recurrent:
            question = self.reader(words, mask=mask, training=training)  # (batch, units)
            question = self.dropout(question, training=training)
            hidden = self.ask(question)
            if self.options["image"]:
                context, weights = self.attention(question[:, None], grid)
                weights = weights[:, 0]
                seen = ops.concatenate([context[:, 0], *mean], axis=-1)
                looked = self.look(self.dropout(seen, training=training))
                hidden = ops.concatenate([hidden, hidden * looked], axis=-1)
            ways.append(self.answer(self.dropout(hidden, training=training)))
        logits = ops.stack(ways, axis=1)  # (batch, ways, answers)
        if not training:
            logits = ops.mean(ops.log_softmax(logits, axis=-1), axis=1)
        return logits, weights
