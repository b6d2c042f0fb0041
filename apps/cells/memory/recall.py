"""One task with and without attention: say the symbols that came in, in reverse order.

Both networks read the symbols with an LSTM and answer with another that starts from the reader's
last state. One answers from its own state alone, so everything has to pass through that one
state; the other may also look back at all of the reader's hidden states.
"""

import inspect
from dataclasses import dataclass
from functools import cache

import keras
import numpy as np
from keras import ops

from apps.cells import code as written
from apps.cells.race.race import CHUNK, descend, scope
from shared.layers import AdditiveAttention, DotAttention, LSTMCell, Recurrent
from shared.options import OptionsMixin

SYMBOLS, UNITS = 8, 32
BATCH, RATE, CLIP = 32, 0.01, 1.0
TESTED, PROBED = 128, 16


@dataclass(frozen=True)
class Look:
    """What a network does with the test sequences.

    Attributes:
        accuracy: The share of symbols said right.
        loss: Cross-entropy, in nats.
        weights: Attention of the first sequence, `(answers, time)`, or None.
        gradients: |∂L/∂h| of the loss of the last answer by the reader's hidden state at each
            time step, the mean over sequences, `(time,)`. The last answer is the first symbol.
    """

    accuracy: float
    loss: float
    weights: np.ndarray | None
    gradients: np.ndarray


@keras.saving.register_keras_serializable("unrolled")
class Recaller(OptionsMixin, keras.Model):
    """Reads symbols `(batch, time, SYMBOLS)` and says them in reverse order.

    Args:
        kind: `"none"`, `"dot"` or `"additive"`.
        units: Of reader and writer.
        seed: Integer, of the initial weights.

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
        """Logits, and attention `(batch, time, time)` or None, from the reader's states."""
        # The writer gets no symbols, only a clock that says how far it is.
        clock = ops.cumsum(ops.ones_like(memory[..., :1]), axis=1) / memory.shape[1]
        hidden = self.writer(clock, initial_state=states)  # (batch, time, units)
        if not self.attention:
            return self.head(hidden), None
        context, weights = self.attention(hidden, memory)
        return self.head(ops.concatenate([hidden, context], axis=-1)), weights


def make(rng, count, length):
    """Symbols one-hot `(count, length, SYMBOLS)`, and the same reversed as whole numbers."""
    numbers = rng.integers(0, SYMBOLS, (count, length))
    return np.eye(SYMBOLS, dtype="float32")[numbers], numbers[:, ::-1].astype("int32")


class Trial:
    """A network with or without attention in training.

    Args:
        kind: `"none"`, `"dot"` or `"additive"`.
        length: Symbols of a sequence.
        seed: Of weights and data.
    """

    def __init__(self, kind, length, seed):
        self.kind, self.length, self.seed = kind, length, seed
        network = Recaller(kind, seed=seed)
        network.build((None, None, SYMBOLS))
        self.weights = [np.array(weight) for weight in network.get_weights()]
        self.moments = [np.zeros_like(weight) for weight in self.weights * 2]
        self.parameters = sum(weight.size for weight in self.weights)
        self.test = make(np.random.default_rng((seed, 1)), TESTED, length)
        self.done, self.losses = 0, []

    def advance(self, steps):
        """Train for some steps, a multiple of `CHUNK`."""
        run, _ = compiled(self.kind)
        for start in range(self.done, self.done + steps, CHUNK):
            batches = [
                make(np.random.default_rng((self.seed, 2, step)), BATCH, self.length)
                for step in range(start, start + CHUNK)
            ]
            inputs, targets = (np.stack(parts) for parts in zip(*batches, strict=True))
            self.weights, self.moments, losses = run(
                self.weights, self.moments, np.float32(start), inputs, targets
            )
            self.losses += np.asarray(losses).tolist()
        self.done += steps

    def look(self):
        """The `Look` as the network stands."""
        _, look = compiled(self.kind)
        symbols, targets = self.test
        found = [np.asarray(part) for part in look(self.weights, symbols, targets)]
        logits, losses, gradients = found[:3]
        return Look(
            float(np.mean(logits.argmax(axis=-1) == targets)),
            float(losses.mean()),
            found[3][0] if len(found) > 3 else None,
            np.linalg.norm(gradients, axis=-1).mean(axis=0),
        )


@cache
def compiled(kind):
    """Training and testing of a network as graphs of its weights, for any visitor's trial."""
    import tensorflow as tf  # the site runs on TensorFlow; keras has no gradient function

    network = Recaller(kind)
    network.build((None, None, SYMBOLS))
    variables = network.trainable_variables

    def losses_of(logits, targets):
        return keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True)

    def run(weights, moments, done, inputs, targets):
        def loss(n):
            return ops.mean(losses_of(network(inputs[n]), targets[n]))

        return descend(variables, loss, weights, moments, CHUNK, done, RATE, CLIP)

    def look(weights, symbols, targets):
        with scope(variables, weights):
            memory, *states = network.reader(symbols)
            logits, attention = network.answer(memory, states)
            gradients = _by_the_way(network, symbols[:PROBED], targets[:PROBED], losses_of)
        found = [logits, losses_of(logits, targets), gradients]
        return found if attention is None else [*found, attention]

    options = {"autograph": False, "reduce_retracing": False}
    return tf.function(run, **options), tf.function(look, **options)


def _by_the_way(network, symbols, targets, losses_of):
    """Gradients of the last answer's loss by every hidden state of the reader, `(batch, time, n)`.

    A hidden state reaches the answer on two ways: along the recurrence, through all states after
    it, and straight through the attention; both are counted.
    """
    import tensorflow as tf

    traced = network.reader.trace(symbols)
    memory, cell = traced["hidden"], traced["cell"]
    last = [memory[:, -1], cell[:, -1]]
    with tf.GradientTape() as tape:
        tape.watch([memory, last])
        logits, _ = network.answer(memory, last)
        loss = losses_of(logits[:, -1], targets[:, -1])
    straight, ends = tape.gradient(loss, [memory, last], unconnected_gradients="zero")
    jacobians = network.reader.jacobians(symbols)  # (batch, time, 2 · units, 2 · units)
    along = ops.concatenate(ends, axis=-1)
    found = []
    for t in reversed(range(symbols.shape[1])):
        units = memory.shape[-1]
        along = along + ops.pad(straight[:, t], ((0, 0), (0, units)))
        found.append(along[:, :units])
        along = ops.squeeze(ops.matmul(ops.expand_dims(along, 1), jacobians[:, t]), 1)
    return ops.stack(found[::-1], axis=1)


def code(kind, length, seed, steps):
    """The code of a trial: `losses` holds one number a step."""
    return written.script(
        "import keras\nimport numpy as np\nfrom keras import ops\n\n"
        "from shared.layers import AdditiveAttention, DotAttention, LSTMCell, Recurrent\n\n"
        f"SYMBOLS, UNITS = {SYMBOLS}, {UNITS}",
        "\n" + inspect.getsource(Recaller).split("\n", 1)[1].strip() + "\n",
        "\n" + inspect.getsource(make).strip() + "\n",
        f"""
network = Recaller({kind!r}, seed={seed})
network.build((None, None, SYMBOLS))
optimizer = keras.optimizers.Adam({RATE}, global_clipnorm={CLIP})
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
network.compile(optimizer=optimizer, loss=loss)
losses = []
for step in range({steps}):
    inputs, targets = make(np.random.default_rng(({seed}, 2, step)), {BATCH}, {length})
    losses.append(float(network.train_on_batch(inputs, targets)))
    network.reset_metrics()  # the loss of this step alone
print(losses[-1])
""",
    )
