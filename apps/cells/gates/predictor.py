"""The character network: reads a text and continues it, with held gates or without."""

from dataclasses import dataclass

import numpy as np
from keras import ops

from apps.cells.gates.holds import HeldReader, compile_graph
from apps.cells.gates.model import CharacterNetwork
from apps.cells.listing import write_script
from shared import bundle
from unrolled.layers.recurrent import scan

FOLDER = bundle.MODELS / "characters"
LISTED_CHARACTERS = 6  # the likeliest next characters that a reading lists


@dataclass(frozen=True)
class Reading:
    """The network's predictions for a text.

    Attributes:
        text: The text.
        surprisals: −log of the probability of each character but the first, in nats.
        next_characters: The likeliest next characters with their probabilities, in this order.
        states: The states after the last character, each `(units,)`.
    """

    text: str
    surprisals: np.ndarray
    next_characters: tuple[tuple[str, float], ...]
    states: list


def encode(text, alphabet):
    """A text as integers `(characters,)`: indices in the alphabet from 1 on, 0 for others."""
    indices = {character: index for index, character in enumerate(alphabet, 1)}
    return np.array([indices.get(character, 0) for character in text], "int32")


class Predictor:
    """A trained character network. Load with `Predictor.load()`; safe for several threads."""

    def __init__(self, network, alphabet, card):
        self.network = network
        self.units = network.recurrent.cell.units
        self.alphabet = alphabet
        self.card = card
        self._reader = HeldReader(network.embedding, network.recurrent)
        units, internals = network.recurrent.cell.units, len(network.recurrent.cell.trace_names)
        states, table = [((1, units), "float32")] * 2, ((internals, units), "float32")
        noise = ((None, len(alphabet) + 1), "float32")
        self._logits = compile_graph(network, ((None, None), "int32"))
        self._sample = compile_graph(self._sample_characters, states, noise, table)

    @classmethod
    def load(cls, folder=None):
        """The network of a bundle, read once per process; the shipped one if `folder` is None.

        Raises:
            BundleError: if its files are missing or damaged.
        """
        return _load(folder or FOLDER)

    def log_probabilities(self, numbers):
        """Log-probabilities of the next character, `(rows, time, alphabet + 1)`.

        Args:
            numbers: Integers `(rows, time)`, as from `encode`; 0 is an unknown character.
        """
        return _log_softmax(np.asarray(self._logits(numbers), "float32"))

    def trace(self, text, hold=None, after=0):
        """Everything that the recurrent layer computes at each character.

        Args:
            text: At least one character.
            hold: A `Hold`, or None.
            after: Number of characters before the hold begins.

        Returns:
            Dict from the names of gates and states to arrays `(characters, units)`.
        """
        return self._reader.trace(encode(text, self.alphabet), hold, after)

    def read(self, text, hold=None, after=0):
        """The `Reading` of a text; arguments as for `trace`."""
        traced = self.trace(text, hold, after)
        logs = _log_softmax(np.asarray(self.network.head(traced["hidden"])))
        numbers = encode(text, self.alphabet)
        surprisals = -logs[np.arange(len(numbers) - 1), numbers[1:]]
        likeliest = np.argsort(-logs[-1, 1:])[:LISTED_CHARACTERS]
        following = tuple((self.alphabet[n], float(np.exp(logs[-1, n + 1]))) for n in likeliest)
        states = [traced[name][-1] for name in self.network.recurrent.cell.state_names]
        return Reading(text, surprisals, following, states)

    def write(self, reading, count, hold=None, temperature=0.7, seed=0):
        """Samples a continuation of a text, character by character in one graph.

        Args:
            reading: The `Reading` of the text.
            count: Number of characters to write.
            hold: A `Hold` for the whole continuation, or None.
            temperature: Divides the logits; towards 0 the likeliest character always wins.
            seed: Integer. A seed gives the same noise whatever is held, so that two continuations
                differ only through the network's predictions.
        """
        noise = np.random.default_rng(seed).gumbel(size=(count, len(self.alphabet) + 1))
        noise = (temperature * noise).astype("float32")
        noise[:, 0] = -1e9  # never an unknown character
        if count < 1:
            return ""
        states = [state[None] for state in reading.states]
        numbers = self._sample(states, noise, self._reader.table(hold))
        return "".join(self.alphabet[int(n) - 1] for n in np.asarray(numbers))

    def _sample_characters(self, states, noise, table):
        cell, network = self.network.recurrent.cell, self.network
        force, weights = self._reader.force(table), cell.recurrent_weights()
        # The states are those after the last character, so their prediction comes first.
        first = self._choose(states[0], noise[0])

        def step(carry, items):
            *states, number = carry
            projected = cell.project(network.embedding(number))
            states, _ = cell.step(projected, states, weights, force=force)
            number = self._choose(states[0], items[0])
            return [*states, number], [ops.cast(number[0], states[0].dtype)]

        _, (numbers,) = scan(step, [*states, first], [noise[1:]])
        return ops.concatenate([ops.cast(first, numbers.dtype), numbers], axis=0)

    def _choose(self, hidden, noise):
        return ops.cast(ops.argmax(self.network.head(hidden) + noise, axis=-1), "int32")


def _log_softmax(logits):
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def write_listing(text, hold, after):
    """The code that reads a text with a hold; its `surprisals` are those of the page."""
    return write_script(
        "import numpy as np\n\nfrom apps.cells.gates.predictor import Predictor, encode",
        f"""
predictor = Predictor.load()
network, text, after = predictor.network, {text!r}, {after}
layer, units = network.recurrent, network.recurrent.cell.units
numbers = encode(text, predictor.alphabet)
vectors = network.embedding(numbers[None])  # (1, characters, dimensions)
{_write_hold(hold)}
hidden, states = [], None
for part, hold in ((vectors[:, :after], None), (vectors[:, after:], force)):
    if part.shape[1]:
        traced = layer.trace(part, states, force=hold)
        states = [traced["hidden"][:, -1], traced["cell"][:, -1]]
        hidden.append(np.array(traced["hidden"][0]))
logits = np.array(network.head(np.concatenate(hidden)))
logits -= logits.max(axis=-1, keepdims=True)
log_probabilities = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
surprisals = -log_probabilities[np.arange(len(numbers) - 1), numbers[1:]]
print(f"{{surprisals.mean():.3f}} nats per character")
""",
    )


def _write_hold(hold):
    """The code of a hold: `held`, NaN for free units, and `force` for `Recurrent.trace`."""
    unit = ":" if hold.unit is None else hold.unit
    values = ", ".join(f'"{name}": {value:g} * held' for name, value in hold.values().items())
    return f"""held = np.full(units, np.nan, "float32")  # NaN leaves a unit free
held[{unit}] = 1
force = {{{values}}}"""


@bundle.load_once
def _load(folder):
    network, _, card = bundle.load_bundle(folder, "lstm", CharacterNetwork, (None, None))
    return Predictor(network, card["alphabet"], card)
