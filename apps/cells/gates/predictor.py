"""From a text to what the character network makes of it, with hands on its gates or without."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from apps.cells import code as written
from apps.cells.gates.model import CharacterNetwork
from shared import bundle
from shared.layers.recurrent import scan

FOLDER = bundle.MODELS / "characters"
CHUNK = 1_000  # characters of one run of the layer; its last state starts the next


@dataclass(frozen=True)
class Hold:
    """A hand on the gates.

    Attributes:
        what: `"forget"`, `"input"` or `"output"`, a gate held at `value`; `"freeze"`, the cell
            state keeps what it has (forget gate 1, input gate 0); `"silence"`, the hidden state
            is 0; `"nothing"`.
        value: Of the gate, from 0 to 1.
        unit: The unit held, or None for all.
    """

    what: str = "nothing"
    value: float = 0.0
    unit: int | None = None

    def force(self, units):
        """The same for `Recurrent.trace`: a dict to arrays `(units,)`, NaN where units are free."""

        def held(value):
            row = np.full(units, np.nan, "float32")
            row[slice(None) if self.unit is None else self.unit] = value
            return row

        if self.what == "nothing":
            return {}
        if self.what == "freeze":
            return {"forget": held(1), "input": held(0)}
        if self.what == "silence":
            return {"hidden": held(0)}
        return {self.what: held(self.value)}


@dataclass(frozen=True)
class Reading:
    """What the network made of a text.

    Attributes:
        text: The text.
        surprise: Minus the log-probability of each character but the first, in nats.
        following: The likeliest next characters with their probabilities, the likeliest first.
        states: The states after the last character, each `(units,)`.
    """

    text: str
    surprise: np.ndarray
    following: tuple[tuple[str, float], ...]
    states: list


def encode(text, alphabet):
    """A text as integers `(characters,)`: places in the alphabet from 1 on, 0 for others."""
    places = {character: place for place, character in enumerate(alphabet, 1)}
    return np.array([places.get(character, 0) for character in text], "int32")


class Predictor:
    """A trained character network. Load with `Predictor.load()`; safe for several threads."""

    def __init__(self, network, alphabet, card):
        self.network = network
        self.alphabet = alphabet
        self.card = card
        units, internals = network.recurrent.cell.units, len(network.recurrent.cell.internals)
        states, table = [((1, units), "float32")] * 2, ((internals, units), "float32")
        noise = ((None, len(alphabet) + 1), "float32")
        self._logits = _compiled(network, ((None, None), "int32"))
        self._traced = _compiled(self._trace, ((1, None), "int32"), states, table)
        self._written = _compiled(self._write, states, noise, table)

    @classmethod
    def load(cls, folder=None):
        """The network, read once per process; `folder` is the shipped bundle's if None.

        Raises:
            BundleError: if its files are missing or damaged.
        """
        return _load(folder or FOLDER)

    def log_probabilities(self, numbers):
        """Log-probabilities of the next character: `(rows, time)` integers -> `(…, alphabet + 1)`.

        Place 0 is an unknown character.
        """
        return _log_softmax(np.asarray(self._logits(numbers), "float32"))

    def trace(self, text, hold=None, after=0):
        """What the layer computes at each character.

        Args:
            text: At least one character.
            hold: A `Hold`, or None.
            after: Characters that are read with hands off.

        Returns:
            Dict from the names of gates and states to arrays `(characters, units)`.
        """
        cell = self.network.recurrent.cell
        numbers, parts = encode(text, self.alphabet), []
        states = [np.zeros((1, cell.units), "float32") for _ in cell.states]
        cuts = sorted({*range(0, len(numbers), CHUNK), min(after, len(numbers)), len(numbers)})
        for start, end in zip(cuts, cuts[1:], strict=False):
            held = self._table(hold if start >= after else None)
            traced = self._traced(numbers[None, start:end], states, held)
            traced = {name: np.asarray(values) for name, values in traced.items()}
            states = [traced[name][:, -1] for name in cell.states]
            parts.append(traced)
        return {name: np.concatenate([part[name][0] for part in parts]) for name in parts[0]}

    def _table(self, hold):
        """A hold as one array `(internals, units)`, so that one graph serves all holds."""
        cell = self.network.recurrent.cell
        force = hold.force(cell.units) if hold else {}
        free = np.full(cell.units, np.nan, "float32")
        return np.stack([force.get(name, free) for name in cell.internals])

    def _forces(self, table):
        return {name: table[n] for n, name in enumerate(self.network.recurrent.cell.internals)}

    def _trace(self, numbers, states, table):
        vectors = self.network.embedding(numbers)  # (1, characters, dimensions)
        return self.network.recurrent.trace(vectors, states, force=self._forces(table))

    def read(self, text, hold=None, after=0):
        """The `Reading` of a text; arguments as for `trace`."""
        traced = self.trace(text, hold, after)
        logs = _log_softmax(np.asarray(self.network.head(traced["hidden"])))
        numbers = encode(text, self.alphabet)
        surprise = -logs[np.arange(len(numbers) - 1), numbers[1:]]
        likely = np.argsort(-logs[-1, 1:])[:6]
        following = tuple((self.alphabet[n], float(np.exp(logs[-1, n + 1]))) for n in likely)
        states = [traced[name][-1] for name in self.network.recurrent.cell.states]
        return Reading(text, surprise, following, states)

    def write(self, reading, count, hold=None, temperature=0.7, seed=0):
        """A continuation of a text, drawn character by character in one graph.

        Args:
            reading: The `Reading` of what stands before.
            count: Characters to write.
            hold: A `Hold` for the whole continuation, or None.
            temperature: What the logits are divided by; towards 0 the likeliest always wins.
            seed: Integer. The same seed draws the same noise whatever is held, so that two
                continuations differ only by what the network says.
        """
        noise = np.random.default_rng(seed).gumbel(size=(count, len(self.alphabet) + 1))
        noise = (temperature * noise).astype("float32")
        noise[:, 0] = -1e9  # never an unknown character
        if count < 1:
            return ""
        drawn = self._written([state[None] for state in reading.states], noise, self._table(hold))
        return "".join(self.alphabet[int(n) - 1] for n in np.asarray(drawn))

    def _write(self, states, noise, table):
        cell, network = self.network.recurrent.cell, self.network
        force, weights = self._forces(table), cell.recurrent_weights()
        # The states are those after the last character, so its own answer comes first.
        first = self._drawn(states[0], noise[0])

        def step(carry, items):
            *states, number = carry
            projected = cell.project(network.embedding(number))
            states, _ = cell.step(projected, states, weights, force=force)
            number = self._drawn(states[0], items[0])
            return [*states, number], [ops.cast(number[0], states[0].dtype)]

        _, (drawn,) = scan(step, [*states, first], [noise[1:]])
        return ops.concatenate([ops.cast(first, drawn.dtype), drawn], axis=0)

    def _drawn(self, hidden, noise):
        return ops.cast(ops.argmax(self.network.head(hidden) + noise, axis=-1), "int32")


def _log_softmax(logits):
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def code(text, hold, after):
    """The code that reads a text with a hold; `surprise` holds what each character costs."""
    return written.script(
        "import numpy as np\n\nfrom apps.cells.gates.predictor import Predictor, encode",
        f"""
predictor = Predictor.load()
network, text, after = predictor.network, {text!r}, {after}
layer, units = network.recurrent, network.recurrent.cell.units
numbers = encode(text, predictor.alphabet)
vectors = network.embedding(numbers[None])  # (1, characters, dimensions)
held = np.full(units, np.nan, "float32")  # NaN leaves a unit free
held[{":" if hold.unit is None else hold.unit}] = 1
force = {_written(hold)}
hidden, states = [], None
for part, hands in ((vectors[:, :after], None), (vectors[:, after:], force)):
    if part.shape[1]:
        traced = layer.trace(part, states, force=hands)
        states = [traced["hidden"][:, -1], traced["cell"][:, -1]]
        hidden.append(np.array(traced["hidden"][0]))
logits = np.array(network.head(np.concatenate(hidden)))
logits -= logits.max(axis=-1, keepdims=True)
logs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
surprise = -logs[np.arange(len(numbers) - 1), numbers[1:]]
print(f"{{surprise.mean():.3f}} nats a character")
""",
    )


def sentiment_code(text, hold, after):
    """The code that reads a review with a hold; `running` holds the answer after each word."""
    return written.script(
        "import numpy as np\n\nfrom apps.sentiment.predictor import Predictor",
        f"""
predictor = Predictor.load("lstm")
held = np.full(predictor.network.recurrent.cell.units, np.nan, "float32")  # NaN: free
held[{":" if hold.unit is None else hold.unit}] = 1
force = {_written(hold)}
words, running = predictor.running_probabilities({text!r}, force, {after})
for word, probability in zip(words, running):
    print(f"{{word.text:16}}{{probability:.3f}}")
""",
    )


def _written(hold):
    rows = {name: np.nanmax(row) for name, row in hold.force(1 + (hold.unit or 0)).items()}
    return "{" + ", ".join(f'"{name}": {value:g} * held' for name, value in rows.items()) + "}"


def _compiled(function, *shapes):
    """As one graph, for arguments of these (shape, dtype), or lists of them."""
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    signature = [
        [tf.TensorSpec(*each) for each in shape]
        if isinstance(shape, list)
        else tf.TensorSpec(*shape)
        for shape in shapes
    ]
    return tf.function(function, autograph=False, input_signature=signature)


@bundle.load_once
def _load(folder):
    network, _, card = bundle.load_bundle(folder, "lstm", CharacterNetwork, (None, None))
    return Predictor(network, card["alphabet"], card)
