"""The network: it reads a question, attends to a grid of photo features, and answers."""

import keras
from keras import ops

from shared.options import OptionsMixin
from unrolled.layers import CELLS, Recurrent
from unrolled.layers.attention import DotAttention

READERS = (*CELLS, "bow")


@keras.saving.register_keras_serializable("unrolled")
class Answerer(OptionsMixin, keras.Model):
    """The geometric mean of two classifiers over a closed list of answers, on fixed word vectors.

    The attention branch follows Kazemi & Elqursh (2017): the last hidden state q of the question
    attends to the grid, which gives a context c. With the mean m of the grid and a = relu(A q), it
    predicts softmax(W [a; a * relu(B [c; m])]). The bag-of-words branch follows iBOWIMG (Zhou et
    al. 2015): softmax(V [s; m]) with the sum s of the words. Each branch has a loss of its own.
    A network without the photo predicts softmax(W a) and softmax(V s); the reader `"bow"` has only
    the bag-of-words branch.

    Args:
        answers: Number of answers to choose from.
        reader: How the question is read: `"rnn"`, `"gru"`, `"lstm"`, or `"bow"`.
        image: Whether the network sees the photo.
        dimensions: Size of the word vectors.
        components: Number of features of a cell of the grid.
        narrow: Size to which a dense layer reduces the word vectors.
        units: Size of the hidden state.
        hidden: Size of a.
        word_dropout: Dropout rate of the word vectors.
        dropout: Dropout rate of q, of [c; m], of [s; m] and of the input of W.
        seed: Integer or None.

    Call arguments:
        inputs: Tuple of `grid` `(batch, cells, components)`, `vectors` `(batch, time, dimensions)`
            and the boolean `mask` `(batch, time)`, True where there is a word.

    Returns:
        Logits `(batch, answers)`; in training `(batch, branches, answers)`.
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
        self.word_projection = keras.layers.Dense(narrow, "tanh", name="narrow")
        self.bag_output = keras.layers.Dense(answers, name="bag")
        self.has_attention_branch = reader != "bow"
        if self.has_attention_branch:
            self.reader = Recurrent(CELLS[reader](units, seed=seed, name="cell"), name="reader")
            self.question_layer = keras.layers.Dense(hidden, "relu", name="ask")
            self.attention_output = keras.layers.Dense(answers, name="answer")
        if image and self.has_attention_branch:
            self.attention = DotAttention(general=True, name="attention")
            self.photo_layer = keras.layers.Dense(hidden, "relu", name="look")

    @property
    def branches(self):
        """Number of classifiers."""
        return 1 + self.has_attention_branch

    def build(self, shapes=None):
        components, narrow = self.options["components"], self.options["narrow"]
        units, hidden = self.options["units"], self.options["hidden"]
        image = self.options["image"]
        self.word_projection.build((None, None, self.options["dimensions"]))
        self.bag_output.build((None, narrow + image * components))
        if self.has_attention_branch:
            self.reader.build((None, None, narrow))
            self.question_layer.build((None, units))
            self.attention_output.build((None, hidden + image * hidden))
        if image and self.has_attention_branch:
            self.attention.build((None, None, units), (None, None, components))
            self.photo_layer.build((None, 2 * components))

    def call(self, inputs, training=False):
        return self.predict_with_attention(inputs, training=training)[0]

    def predict_with_attention(self, inputs, training=False):
        """The logits of a call, and the attention weights `(batch, cells)`, sum 1.

        The weights are equal in a network that has no attention branch or does not see the photo.
        """
        grid, vectors, mask = inputs
        # (batch, time, narrow)
        words = self.word_projection(self.word_dropout(vectors, training=training))
        mean = [ops.mean(grid, axis=1)] if self.options["image"] else []  # (batch, components)
        weights = ops.full_like(grid[..., 0], 1 / grid.shape[1])  # (batch, cells)
        word_sum = ops.sum(words * ops.cast(mask, words.dtype)[..., None], axis=1)
        bag = ops.concatenate([word_sum, *mean], axis=-1)
        branches = [self.bag_output(self.dropout(bag, training=training))]
        if self.has_attention_branch:
            question = self.reader(words, mask=mask, training=training)  # (batch, units)
            question = self.dropout(question, training=training)
            hidden = self.question_layer(question)
            if self.options["image"]:
                context, weights = self.attention(question[:, None], grid)
                weights = weights[:, 0]
                photo = ops.concatenate([context[:, 0], *mean], axis=-1)
                photo = self.photo_layer(self.dropout(photo, training=training))
                hidden = ops.concatenate([hidden, hidden * photo], axis=-1)
            branches.append(self.attention_output(self.dropout(hidden, training=training)))
        logits = ops.stack(branches, axis=1)  # (batch, branches, answers)
        if not training:
            logits = ops.mean(ops.log_softmax(logits, axis=-1), axis=1)
        return logits, weights
