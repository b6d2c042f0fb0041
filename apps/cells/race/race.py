"""A race of cells: the same network with each cell, trained side by side on the same batches.

All steps of a picture run in one compiled graph, a function of the weights and Adam's moments,
so that one graph serves every visitor, and a race can be paused at any step.
"""

import inspect
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, partial
from threading import Lock

import keras
import numpy as np
from keras import ops

from apps.cells import code as written
from apps.cells.gradients.flow import gradients_by_lag
from apps.cells.knobs import KnobError
from apps.cells.race.tasks import CELLS, RIGHT, TASKS
from shared.layers import GRUCell, LSTMCell, Recurrent, RNNCell

BLOCKS = {"rnn": 1, "irnn": 1, "gru": 3, "lstm": 4}
CHUNK = 10  # steps of one call of the graph
# What the site compiles in its life, whose memory TensorFlow never gives back: networks of other
# than the usual units, 4 MB each, and lengths and batches of one with XLA, 5 MB each.
MOST_NETWORKS, MOST_FAST = 200, 40
_networks, _fast = set(), set()
TESTED, PROBED = 256, 8  # sequences to test on, and to measure gradients on


@dataclass(frozen=True)
class Setting:
    """What is raced.

    Attributes:
        task: A key of `TASKS`.
        length: Time steps of a sequence.
        cells: Keys of `CELLS`.
        units: Of each layer; with `matched` those of the largest, and the others get as many as
            bring them closest to its number of parameters.
        matched: Whether all have about as many parameters as each other.
        batch: Sequences of a training step.
        rate: Adam's learning rate.
        clip: Largest norm of the gradient by all weights together.
        seed: Of initial weights and data.
    """

    task: str = "adding"
    length: int = 50
    cells: tuple[str, ...] = ("rnn", "irnn", "lstm", "gru")
    units: int = 32
    matched: bool = False
    batch: int = 32
    rate: float = 0.01
    clip: float = 1.0
    seed: int = 0


@dataclass
class Runner:
    """A cell in a race: its state, and its record, one entry a picture.

    Attributes:
        units, parameters: Of its network.
        steps: Training steps behind each entry.
        losses: Mean training loss since the entry before.
        tests: Loss on the test sequences.
        accuracies: On the same, at the steps asked.
        gradients: Lists |∂L/∂h| by lag, from the last step back, the mean over sequences.
        seconds: Time spent on its steps.
        solved: Training steps after which it first had the task solved, or None.
        diverged: The first step at which its loss was not finite, or None.
    """

    cell: str
    units: int
    parameters: int
    weights: list
    moments: list
    steps: list = field(default_factory=list)
    losses: list = field(default_factory=list)
    tests: list = field(default_factory=list)
    accuracies: list = field(default_factory=list)
    gradients: list = field(default_factory=list)
    seconds: float = 0.0
    solved: int | None = None
    diverged: int | None = None


def make_network(cell, units, task, seed=0):
    """The network of the race: a recurrent layer, and a dense one at every step."""
    glorot, orthogonal = (
        keras.initializers.GlorotUniform(seed),
        keras.initializers.Orthogonal(seed=seed),
    )
    start = {"kernel_initializer": glorot, "recurrent_initializer": orthogonal}
    if cell == "lstm":
        made = LSTMCell(units, forget_bias=1.0, **start)
    elif cell == "gru":
        made = GRUCell(units, **start)
    elif cell == "irnn":  # as Le, Jaitly & Hinton (2015) start it
        small = keras.initializers.RandomNormal(stddev=0.01, seed=seed)
        made = RNNCell(
            units, activation="relu", kernel_initializer=small, recurrent_initializer="identity"
        )
    else:
        made = RNNCell(units, **start)
    readout = keras.layers.Dense(TASKS[task].outputs, kernel_initializer=glorot)
    network = keras.Sequential([Recurrent(made, return_sequences=True), readout])
    network.build((None, None, TASKS[task].features))
    return network


def count(cell, units, task):
    """How many numbers a network learns."""
    features, outputs = TASKS[task].features, TASKS[task].outputs
    biases = 2 if cell == "gru" else 1
    recurrent = BLOCKS[cell] * units * (features + units + biases)
    return recurrent + outputs * (units + 1)


def units_of(setting):
    """The units of each cell of a race."""
    if not setting.matched:
        return dict.fromkeys(setting.cells, setting.units)
    most = max(count(cell, setting.units, setting.task) for cell in setting.cells)
    sizes = range(1, 4 * setting.units + 1)
    return {
        cell: min(sizes, key=lambda n, cell=cell: abs(count(cell, n, setting.task) - most))
        for cell in setting.cells
    }


class Race:
    """A race under way.

    Args:
        setting: The `Setting`.

    Raises:
        KnobError: if the site has no memory for another size of network.
    """

    def __init__(self, setting):
        _note_networks(setting)
        self.setting = setting
        self.task = TASKS[setting.task]
        self.done = 0  # training steps
        self._training = Lock()
        self.runners = {}
        for cell, units in units_of(setting).items():
            network = make_network(cell, units, setting.task, setting.seed)
            weights = [np.array(weight) for weight in network.get_weights()]
            moments = [np.zeros_like(weight) for weight in weights * 2]
            parameters = sum(weight.size for weight in weights)
            self.runners[cell] = Runner(cell, units, parameters, weights, moments)
        held_out = np.random.default_rng((setting.seed, 1))
        self.test = self.task.make(held_out, TESTED, setting.length)

    def prepare(self):
        """Compile each cell's graph and test it untrained; yields the name of the cell to come."""
        nothing = [part[:0] for part in self.batches(0, 1)]
        for cell, runner in self.runners.items():
            yield CELLS[cell]
            self.train(nothing, runner)
            runner.seconds = 0.0
            self._report(runner, np.nan)

    def advance(self, steps):
        """Train every cell that has not diverged for some steps, then test and measure.

        One call after the other: a run that is told to end may still be at it.
        """
        with self._training:
            self._advance(steps)

    def _advance(self, steps):
        losses = {cell: [] for cell in self.runners}
        for start in range(0, steps, CHUNK):
            chunk = min(CHUNK, steps - start)
            batches = self.batches(self.done, chunk)
            live = [runner for runner in self.runners.values() if runner.diverged is None]
            with ThreadPoolExecutor(2) as pool:
                found = pool.map(partial(self.train, batches), live)
                for runner, values in zip(live, found, strict=True):
                    losses[runner.cell] += values
            self.done += chunk
        for cell, runner in self.runners.items():
            if runner.diverged is None:
                self._report(runner, np.mean(losses[cell]))

    def over(self):
        """Whether every cell has solved the task or diverged."""
        return all(
            runner.solved is not None or runner.diverged is not None
            for runner in self.runners.values()
        )

    def batches(self, done, steps):
        """The inputs, targets and weights of some steps, each `(steps, batch, …)`.

        Every step has a random generator of its own, so that its batch does not depend on how
        many steps a picture has.
        """
        setting = self.setting
        made = [
            self.task.make(
                np.random.default_rng((setting.seed, 2, step)), setting.batch, setting.length
            )
            for step in range(done, done + steps)
        ]
        return [np.stack(parts) for parts in zip(*made, strict=True)]

    def train(self, batches, runner):
        """Train one cell on up to `CHUNK` batches; returns its losses up to a divergence."""
        start = time.perf_counter()
        kind = runner.cell, runner.units, self.setting.task
        plain, fast, _ = compiled(*kind)
        run = fast if _may_be_fast(*kind, self.setting.batch, self.setting.length) else plain
        amount = len(batches[0])
        spare = [(0, CHUNK - amount)]
        padded = [np.pad(part, spare + [(0, 0)] * (part.ndim - 1)) for part in batches]
        numbers = [self.done, self.setting.rate, self.setting.clip]
        numbers = [np.float32(number) for number in numbers]
        weights, moments, losses = run(
            runner.weights, runner.moments, np.int32(amount), *numbers, *padded
        )
        losses = np.asarray(losses)[:amount]
        runner.seconds += time.perf_counter() - start
        bad = np.flatnonzero(~np.isfinite(losses))
        if bad.size or not all(np.isfinite(np.asarray(weight)).all() for weight in weights):
            # The last good weights stay, for the table and the picture.
            runner.diverged = self.done + int(bad[0] if bad.size else len(losses) - 1) + 1
            return losses[: bad[0]].tolist() if bad.size else losses.tolist()
        runner.weights, runner.moments = weights, moments
        return losses.tolist()

    def _report(self, runner, mean):
        *_, look = compiled(runner.cell, runner.units, self.setting.task)
        inputs, targets, scored = self.test
        asked = self.task.asked(self.setting.length)
        last = np.int32(asked.stop)  # steps up to the last one asked
        found = look(runner.weights, inputs, targets, last)
        outputs, slopes, jacobians = map(np.asarray, found)
        runner.steps.append(self.done)
        runner.losses.append(float(mean))
        runner.tests.append(float(loss_of(outputs, targets, scored)))
        runner.accuracies.append(accuracy(outputs[:, asked], targets[:, asked]))
        runner.gradients.append(by_lag(jacobians, slopes))
        if runner.solved is None and solved(self.setting.task, runner):
            runner.solved = self.done


def solved(task, runner):
    """Whether a runner has the task solved: adding by its loss, the others by their accuracy."""
    if task == "adding":
        return runner.tests[-1] < 0.01
    return runner.accuracies[-1] >= 0.99


def loss_of(outputs, targets, weights):
    """The loss of numpy arrays, as the compiled step computes it."""
    if outputs.shape[-1] == 1:
        each = (outputs[..., 0] - targets) ** 2
    else:
        shifted = outputs - outputs.max(axis=-1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        each = -np.take_along_axis(logs, targets[..., None], axis=-1)[..., 0]
    return (each * weights).sum() / weights.sum()


def accuracy(outputs, targets):
    """The share that is right: the likeliest class, or a number off by less than 0.1."""
    if outputs.shape[-1] == 1:
        return float(np.mean(np.abs(outputs[..., 0] - targets) < RIGHT))
    return float(np.mean(outputs.argmax(axis=-1) == targets))


def by_lag(jacobians, slopes):
    """|∂L/∂h| by lag: the length of the gradient of each sequence's loss, the mean over them.

    Args:
        jacobians: Array `(batch, time, n, n)`, as from `Recurrent.jacobians`.
        slopes: Gradient of each sequence's loss at its last asked step by that step's hidden
            state, `(batch, units)`.
    """
    units = slopes.shape[-1]
    lengths = []
    for matrices, slope in zip(jacobians, slopes, strict=True):
        gradients = gradients_by_lag(matrices[None, 1:], slope)[:, 0, :units]
        lengths.append(np.linalg.norm(gradients, axis=-1))
    return np.mean(lengths, axis=0)


def adam(weights, moments, gradients, step, rate, clip):
    """A step of Adam (Kingma & Ba 2015), the gradients clipped to a length of `clip` together."""
    length = ops.sqrt(sum(ops.sum(ops.square(gradient)) for gradient in gradients))
    scale = clip / ops.maximum(length, clip)
    rate = rate * ops.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    means, squares, moved = [], [], []
    olds = zip(moments[: len(weights)], moments[len(weights) :], strict=True)
    for weight, gradient, (mean, square) in zip(weights, gradients, olds, strict=True):
        gradient = gradient * scale
        means.append(0.9 * mean + 0.1 * gradient)
        squares.append(0.999 * square + 0.001 * ops.square(gradient))
        moved.append(weight - rate * means[-1] / (ops.sqrt(squares[-1]) + 1e-7))
    return moved, [*means, *squares]


def descend(variables, loss, weights, moments, amount, done, rate, clip):
    """Steps of Adam in one graph.

    Args:
        variables: A network's trainable variables.
        loss: Function of a step's number that gives its loss, a scalar tensor.
        weights: List of the variables' values.
        moments: Adam's two for each of them, as `adam` takes them.
        amount: Integer, how many steps, at most `CHUNK`.
        done: Float, how many went before.
        rate, clip: As for `adam`.

    Returns:
        The new weights, the new moments and the losses `(CHUNK,)`, 0 from `amount` on.
    """
    import tensorflow as tf  # the site runs on TensorFlow; keras has no gradient function

    def body(n, weights, moments, losses):
        with tf.GradientTape() as tape, scope(variables, weights):
            tape.watch(weights)
            value = loss(n)
        gradients = tape.gradient(value, weights)
        step = done + ops.cast(n, "float32") + 1
        weights, moments = adam(weights, moments, gradients, step, rate, clip)
        return n + 1, weights, moments, tf.tensor_scatter_nd_update(losses, [[n]], [value])

    start = (tf.constant(0), list(weights), list(moments), tf.zeros(CHUNK))
    return tf.while_loop(lambda n, *_: n < amount, body, start)[1:]


def scope(variables, weights):
    """A context in which variables have these values."""
    return keras.StatelessScope(list(zip(variables, weights, strict=True)))


@cache
def compiled(cell, units, task):
    """A cell's training and testing as compiled functions of its weights.

    Returns:
        `run(weights, moments, amount, done, rate, clip, inputs, targets, scored)`: up to `CHUNK`
        training steps, giving the new weights, the new moments and the losses; the same by XLA,
        which compiles each length and batch anew; and `look(weights, inputs, targets, last)`,
        giving outputs, and slopes and Jacobians of the first `last` steps as `by_lag` takes them.
    """
    import tensorflow as tf  # the site runs on TensorFlow; keras has no gradient function

    network = make_network(cell, units, task)
    recurrent, dense = network.layers
    variables = network.trainable_variables

    def loss_of(outputs, targets):
        if outputs.shape[-1] == 1:
            return ops.square(outputs[..., 0] - targets)
        return keras.losses.sparse_categorical_crossentropy(targets, outputs, from_logits=True)

    def run(weights, moments, amount, done, rate, clip, inputs, targets, scored):
        def loss(n):
            each = loss_of(network(inputs[n]), targets[n])  # (batch, time)
            return ops.sum(each * scored[n]) / ops.sum(scored[n])

        return descend(variables, loss, weights, moments, amount, done, rate, clip)

    def look(weights, inputs, targets, last):
        with scope(variables, weights):
            outputs = network(inputs)
            few = inputs[:PROBED, :last]
            hidden = recurrent(few)[:, -1]
            with tf.GradientTape() as tape:
                tape.watch(hidden)
                losses = loss_of(dense(hidden), targets[:PROBED, last - 1])
            return outputs, tape.gradient(losses, hidden), recurrent.jacobians(few)

    graph = partial(tf.function, autograph=False)
    fast = graph(run, jit_compile=True, reduce_retracing=False)
    return graph(run, reduce_retracing=True), fast, graph(look, reduce_retracing=True)


def _note_networks(setting):
    """Refuse a network of an unusual size where as many have been made as there is memory for."""
    sizes = {(cell, units, setting.task) for cell, units in units_of(setting).items()}
    unusual = {size for size in sizes if size[1] != Setting.units} - _networks
    if unusual and len(_networks) + len(unusual) > MOST_NETWORKS:
        raise KnobError(
            f"This site has made {len(_networks)} sizes of networks, all that it has memory for. "
            f"Choose {Setting.units} units for every cell, or start a site of your own."
        )
    _networks.update(unusual)


def _may_be_fast(*kind):
    if kind not in _fast and len(_fast) < MOST_FAST:
        _fast.add(kind)
    return kind in _fast


def code(setting, steps):
    """The code of a race of some steps; `losses` holds each cell's, step by step."""
    return written.script(
        "import keras\nimport numpy as np\n\n"
        "from apps.cells.race.tasks import TASKS\n"
        "from shared.layers import GRUCell, LSTMCell, Recurrent, RNNCell",
        "\n" + inspect.getsource(make_network).strip() + "\n",
        f"""
task, length, batch, steps, seed = TASKS[{setting.task!r}], {setting.length}, {setting.batch}, \
    {steps}, {setting.seed}
losses = {{}}
for cell, units in {units_of(setting)!r}.items():
    network = make_network(cell, units, {setting.task!r}, seed)
    network.compile(
        optimizer=keras.optimizers.Adam({setting.rate!r}, global_clipnorm={setting.clip!r}),
        loss="mse" if task.outputs == 1 else keras.losses.SparseCategoricalCrossentropy(True),
    )
    losses[cell] = []
    for step in range(steps):
        rng = np.random.default_rng((seed, 2, step))
        inputs, targets, scored = task.make(rng, batch, length)
        scored = scored / scored.mean()  # Keras divides by the number of all steps
        loss = network.train_on_batch(inputs, targets[..., None], sample_weight=scored)
        network.reset_metrics()  # the loss of this step alone
        losses[cell].append(float(loss))
    print(cell, losses[cell][-1])
""",
    )
