"""One task with and without attention: repeat a sequence of symbols in reverse order.

Both networks read the symbols with one LSTM, the reader, and answer with another, the writer,
which starts from the reader's last state. Without attention, the whole sequence has to pass
through that state; with it, the writer also looks back at all hidden states of the reader.
"""

import inspect
from dataclasses import dataclass
from functools import cache

import keras
import numpy as np
from keras import ops

from apps.cells.listing import write_script
from apps.cells.training import MAX_STEPS_PER_CALL, train_steps, use_weights
from shared.options import OptionsMixin
from unrolled.layers import AdditiveAttention, DotAttention, LSTMCell, Recurrent

SYMBOLS, UNITS = 8, 32
BATCH, LEARNING_RATE, CLIP_NORM = 32, 0.01, 1.0
TEST_SEQUENCES, GRADIENT_SEQUENCES = 128, 16


@dataclass(frozen=True)
class Evaluation:
    """The results of a network on the test sequences.

    Attributes:
        accuracy: Share of the symbols that it repeats correctly.
        loss: Cross-entropy, in nats.
        weights: Attention weights of the first sequence, `(answers, time)`, or None.
        gradients: |∂L/∂h| of the loss L of the last answer (the first symbol) with respect to
            the reader's hidden state at each time step, the mean over sequences, `(time,)`.
    """

    accuracy: float
    loss: float
    weights: np.ndarray | None
    gradients: np.ndarray


@keras.saving.register_keras_serializable("unrolled")
class Recaller(OptionsMixin, keras.Model):
    """Reads symbols `(batch, time, SYMBOLS)` and repeats them in reverse order.

    Args:
        kind: Kind of attention, `"none"`, `"dot"` or `"additive"`.
        units: Number of units of reader and writer.
        seed: Integer, seed of the initial weights.

    Returns:
        Logits `(batch, time, SYMBOLS)`.
    """

    def __init__(self, kind="none", units=UNITS, seed=0, **kwargs):
        super().__init__(**kwargs)
        start = {
            "kernel_initializer": keras.initializers.GlorotUniform(seed),
            "recurrent_initializer": keras.initializers.Orthogonal(seed=seed),
        }
        self.reader = Recurrent(
            LSTMCell(units, **start), return_sequences=True, return_state=True, name="reader"
        )
        self.writer = Recurrent(LSTMCell(units, **start), return_sequences=True, name="writer")
        self.attention = None
        if kind == "dot":
            kernel = keras.initializers.GlorotUniform(seed)
            self.attention = DotAttention(general=True, kernel_initializer=kernel)
        elif kind == "additive":
            kernel = keras.initializers.GlorotUniform(seed)
            self.attention = AdditiveAttention(units, kernel_initializer=kernel)
        self.head = keras.layers.Dense(
            SYMBOLS, kernel_initializer=keras.initializers.GlorotUniform(seed)
        )

    def build(self, symbols_shape):
        units = self.options["units"]
        self.reader.build((None, None, SYMBOLS))
        self.writer.build((None, None, 1))
        if self.attention:
            self.attention.build((None, None, units), (None, None, units))
        self.head.build((None, None, 2 * units if self.attention else units))

    def call(self, symbols):
        memory, *states = self.reader(symbols)  # (batch, time, units)
        return self.answer(memory, states)[0]

    def answer(self, memory, states):
        """The answers to what the reader has read.

        Args:
            memory: Hidden states of the reader, `(batch, time, units)`.
            states: Its last states, list of `(batch, units)`.

        Returns:
            Logits, and attention weights `(batch, time, time)` or None.
        """
        # The writer gets no symbols, only a clock: the share of the answers so far.
        clock = ops.cumsum(ops.ones_like(memory[..., :1]), axis=1) / memory.shape[1]
        hidden = self.writer(clock, initial_state=states)  # (batch, time, units)
        if not self.attention:
            return self.head(hidden), None
        context, weights = self.attention(hidden, memory)
        return self.head(ops.concatenate([hidden, context], axis=-1)), weights


def make_batch(rng, count, length):
    """Random one-hot symbols `(count, length, SYMBOLS)`, and the indices of the reversed ones."""
    numbers = rng.integers(0, SYMBOLS, (count, length))
    return np.eye(SYMBOLS, dtype="float32")[numbers], numbers[:, ::-1].astype("int32")


class TrainingRun:
    """The training of a network with or without attention.

    Args:
        kind: `"none"`, `"dot"` or `"additive"`.
        length: Number of symbols in a sequence.
        seed: Seed of the weights and the data.
    """

    def __init__(self, kind, length, seed):
        self.kind, self.length, self.seed = kind, length, seed
        network = Recaller(kind, seed=seed)
        network.build((None, None, SYMBOLS))
        self.weights = [np.array(weight) for weight in network.get_weights()]
        self.moments = [np.zeros_like(weight) for weight in self.weights * 2]
        self.parameters = sum(weight.size for weight in self.weights)
        self.test = make_batch(np.random.default_rng((seed, 1)), TEST_SEQUENCES, length)
        self.done, self.losses = 0, []

    def advance(self, steps):
        """Trains for some steps, a multiple of `MAX_STEPS_PER_CALL`."""
        run, _ = compiled(self.kind)
        for start in range(self.done, self.done + steps, MAX_STEPS_PER_CALL):
            batches = [
                make_batch(np.random.default_rng((self.seed, 2, step)), BATCH, self.length)
                for step in range(start, start + MAX_STEPS_PER_CALL)
            ]
            inputs, targets = (np.stack(parts) for parts in zip(*batches, strict=True))
            self.weights, self.moments, losses = run(
                self.weights, self.moments, np.float32(start), inputs, targets
            )
            self.losses += np.asarray(losses).tolist()
        self.done += steps

    def evaluate(self):
        """The `Evaluation` of the network as it is now."""
        _, evaluate = compiled(self.kind)
        symbols, targets = self.test
        results = [np.asarray(part) for part in evaluate(self.weights, symbols, targets)]
        logits, losses, gradients, *attention = results
        return Evaluation(
            accuracy=float(np.mean(logits.argmax(axis=-1) == targets)),
            loss=float(losses.mean()),
            weights=attention[0][0] if attention else None,
            gradients=np.linalg.norm(gradients, axis=-1).mean(axis=0),
        )


@cache
def compiled(kind):
    """The training and the testing of a network as compiled functions of its weights."""
    import tensorflow as tf  # the site runs on TensorFlow; Keras has no gradient function

    network = Recaller(kind)
    network.build((None, None, SYMBOLS))
    variables = network.trainable_variables

    def losses_of(logits, targets):
        return keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True)

    def run(weights, moments, done, inputs, targets):
        def loss(n):
            return ops.mean(losses_of(network(inputs[n]), targets[n]))

        count = MAX_STEPS_PER_CALL
        return train_steps(variables, loss, weights, moments, count, done, LEARNING_RATE, CLIP_NORM)

    def evaluate(weights, symbols, targets):
        with use_weights(variables, weights):
            memory, *states = network.reader(symbols)
            logits, attention = network.answer(memory, states)
            first = slice(GRADIENT_SEQUENCES)
            gradients = last_answer_gradients(network, symbols[first], targets[first], losses_of)
        results = [logits, losses_of(logits, targets), gradients]
        return results if attention is None else [*results, attention]

    options = {"autograph": False, "reduce_retracing": False}
    return tf.function(run, **options), tf.function(evaluate, **options)


def last_answer_gradients(network, symbols, targets, losses_of):
    """Gradients of the loss of the last answer with respect to every hidden state of the reader.

    A hidden state reaches the answer along two paths: along the recurrence, through all states
    after it, and directly through the attention. The gradient is the sum over both.

    Returns:
        Tensor `(batch, time, units)`.
    """
    import tensorflow as tf

    traced = network.reader.trace(symbols)
    memory, cell = traced["hidden"], traced["cell"]
    last = [memory[:, -1], cell[:, -1]]
    with tf.GradientTape() as tape:
        tape.watch([memory, last])
        logits, _ = network.answer(memory, last)
        loss = losses_of(logits[:, -1], targets[:, -1])
    direct, ends = tape.gradient(loss, [memory, last], unconnected_gradients="zero")
    jacobians = network.reader.jacobians(symbols)  # (batch, time, 2 · units, 2 · units)
    along = ops.concatenate(ends, axis=-1)
    gradients = []
    for t in reversed(range(symbols.shape[1])):
        units = memory.shape[-1]
        along = along + ops.pad(direct[:, t], ((0, 0), (0, units)))
        gradients.append(along[:, :units])
        along = ops.squeeze(ops.matmul(ops.expand_dims(along, 1), jacobians[:, t]), 1)
    return ops.stack(gradients[::-1], axis=1)


def write_listing(kind, length, seed, steps):
    """The code of a trial; its `losses` holds the loss of each step."""
    return write_script(
        "import keras\nimport numpy as np\nfrom keras import ops\n\n"
        "from unrolled.layers import AdditiveAttention, DotAttention, LSTMCell, Recurrent\n"
        "from shared.options import OptionsMixin\n\n"
        f"SYMBOLS, UNITS = {SYMBOLS}, {UNITS}",
        "\n" + inspect.getsource(Recaller).split("\n", 1)[1].strip() + "\n",
        "\n" + inspect.getsource(make_batch).strip() + "\n",
        f"""
network = Recaller({kind!r}, seed={seed})
network.build((None, None, SYMBOLS))
optimizer = keras.optimizers.Adam({LEARNING_RATE}, global_clipnorm={CLIP_NORM})
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
network.compile(optimizer=optimizer, loss=loss)
losses = []
for step in range({steps}):
    inputs, targets = make_batch(np.random.default_rng(({seed}, 2, step)), {BATCH}, {length})
    losses.append(float(network.train_on_batch(inputs, targets)))
print(losses[-1])
""",
    )
