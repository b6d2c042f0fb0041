"""A race of cells: the same network with each cell, trained side by side on the same batches."""

import inspect
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, partial
from threading import Lock

import keras
import numpy as np
from keras import ops

from apps.cells import CELLS
from apps.cells.chain_rule import gradients_by_lag
from apps.cells.listing import write_script
from apps.cells.race.tasks import SUM_TOLERANCE, TASKS
from apps.cells.training import MAX_STEPS_PER_CALL, train_steps, use_weights
from shared.errors import UserError
from unrolled.layers import GRUCell, LSTMCell, Recurrent, RNNCell

BLOCKS = {"rnn": 1, "irnn": 1, "gru": 3, "lstm": 4}  # of recurrent weights
TEST_SEQUENCES, GRADIENT_SEQUENCES = 256, 8
# TensorFlow never frees the memory of a compiled graph: about 4 MB for each size of network other
# than the default, and 5 MB for each length and batch size that XLA compiles.
MAX_NETWORKS, MAX_XLA_GRAPHS = 200, 40
_networks, _xla_graphs = set(), set()


@dataclass(frozen=True)
class Setting:
    """The setting of a race.

    Attributes:
        task: A key of `TASKS`.
        length: Time steps of a sequence.
        cells: Keys of `CELLS`.
        units: Number of units of each layer. If `matched`, of the layer with most parameters.
        matched: Whether the other layers get as many units as bring them closest to its number
            of parameters.
        batch: Sequences of a training step.
        rate: Adam's learning rate.
        clip: Largest norm of the gradient with respect to all weights together.
        seed: Seed of the initial weights and the data.
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
    """The network of one cell in a race, and its record with one entry for each report.

    Attributes:
        cell: A key of `CELLS`.
        units, parameters: Of its network.
        weights, moments: Its weights, and Adam's moments of them.
        steps: Training steps before each report.
        losses: Mean training loss since the report before.
        tests: Loss on the test sequences.
        accuracies: Accuracy on the test sequences, at the steps that the task scores.
        gradients: Arrays |∂L/∂h| by lag, from the last step back, the mean over sequences.
        seconds: Computing time of its training steps.
        solved: Training steps at the first report with the task solved, or None.
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
    """The network of the race: a recurrent layer, and a dense layer at every time step.

    An IRNN is an RNN of ReLUs that starts from the identity matrix (Le, Jaitly & Hinton 2015).
    """
    glorot = keras.initializers.GlorotUniform(seed)
    orthogonal = keras.initializers.Orthogonal(seed=seed)
    start = {"kernel_initializer": glorot, "recurrent_initializer": orthogonal}
    if cell == "irnn":
        small = keras.initializers.RandomNormal(stddev=0.01, seed=seed)
        start = {"kernel_initializer": small, "recurrent_initializer": "identity"}
    layer_cell = {
        "rnn": partial(RNNCell, units),
        "irnn": partial(RNNCell, units, activation="relu"),
        "lstm": partial(LSTMCell, units, forget_bias=1.0),
        "gru": partial(GRUCell, units),
    }[cell](**start)
    readout = keras.layers.Dense(TASKS[task].outputs, kernel_initializer=glorot)
    network = keras.Sequential([Recurrent(layer_cell, return_sequences=True), readout])
    network.build((None, None, TASKS[task].features))
    return network


def count_parameters(cell, units, task):
    """The number of parameters of a network of the race."""
    features, outputs = TASKS[task].features, TASKS[task].outputs
    biases = 2 if cell == "gru" else 1
    recurrent = BLOCKS[cell] * units * (features + units + biases)
    return recurrent + outputs * (units + 1)


def units_by_cell(setting):
    """The number of units of each cell of a race, a dict."""
    if not setting.matched:
        return dict.fromkeys(setting.cells, setting.units)
    most = max(count_parameters(cell, setting.units, setting.task) for cell in setting.cells)
    sizes = range(1, 4 * setting.units + 1)

    def closest(cell):
        return min(sizes, key=lambda n: abs(count_parameters(cell, n, setting.task) - most))

    return {cell: closest(cell) for cell in setting.cells}


class Race:
    """A race under way.

    Args:
        setting: The `Setting`.

    Attributes:
        done: Number of training steps so far.
        runners: Dict from the names of the cells to their `Runner`s.

    Raises:
        UserError: if the site has no memory for another size of network.
    """

    def __init__(self, setting):
        _count_networks(setting)
        self.setting = setting
        self.task = TASKS[setting.task]
        self.done = 0
        self._training = Lock()
        self.runners = {}
        for cell, units in units_by_cell(setting).items():
            network = make_network(cell, units, setting.task, setting.seed)
            weights = [np.array(weight) for weight in network.get_weights()]
            moments = [np.zeros_like(weight) for weight in weights * 2]
            parameters = sum(weight.size for weight in weights)
            self.runners[cell] = Runner(cell, units, parameters, weights, moments)
        rng = np.random.default_rng((setting.seed, 1))
        self.test = self.task.make(rng, TEST_SEQUENCES, setting.length)

    def prepare(self):
        """Compiles and tests each network; yields the name of each cell before its turn."""
        empty = [part[:0] for part in self.batches(0, 1)]
        for cell, runner in self.runners.items():
            yield CELLS[cell]
            self.train(empty, runner)
            runner.seconds = 0.0
            self._report(runner, np.nan)

    def advance(self, steps):
        """Trains every cell that has not diverged for some steps, then tests it.

        Calls wait for each other, since a run that was told to end may still be in its last one.
        """
        with self._training:
            self._advance(steps)

    def _advance(self, steps):
        losses = {cell: [] for cell in self.runners}
        for start in range(0, steps, MAX_STEPS_PER_CALL):
            count = min(MAX_STEPS_PER_CALL, steps - start)
            batches = self.batches(self.done, count)
            live = [runner for runner in self.runners.values() if runner.diverged is None]
            with ThreadPoolExecutor(2) as pool:
                results = pool.map(partial(self.train, batches), live)
                for runner, values in zip(live, results, strict=True):
                    losses[runner.cell] += values
            self.done += count
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

        Every step has its own random generator, so that its batch does not depend on how the
        steps are grouped.
        """
        setting = self.setting
        batches = [
            self.task.make(
                np.random.default_rng((setting.seed, 2, step)), setting.batch, setting.length
            )
            for step in range(done, done + steps)
        ]
        return [np.stack(parts) for parts in zip(*batches, strict=True)]

    def train(self, batches, runner):
        """Trains one cell on up to `MAX_STEPS_PER_CALL` batches.

        Returns:
            List of the losses, up to the step at which it diverged.
        """
        start = time.perf_counter()
        network = runner.cell, runner.units, self.setting.task
        plain, fast, _ = compiled(*network)
        run = fast if _may_use_xla(*network, self.setting.batch, self.setting.length) else plain
        count = len(batches[0])
        missing = [(0, MAX_STEPS_PER_CALL - count)]
        padded = [np.pad(part, missing + [(0, 0)] * (part.ndim - 1)) for part in batches]
        numbers = map(np.float32, (self.done, self.setting.rate, self.setting.clip))
        weights, moments, losses = run(
            runner.weights, runner.moments, np.int32(count), *numbers, *padded
        )
        losses = np.asarray(losses)[:count]
        runner.seconds += time.perf_counter() - start
        bad = np.flatnonzero(~np.isfinite(losses))
        if bad.size or not all(np.isfinite(np.asarray(weight)).all() for weight in weights):
            # The last finite weights stay, for the table and the charts.
            runner.diverged = self.done + int(bad[0] if bad.size else len(losses) - 1) + 1
            return losses[: bad[0]].tolist() if bad.size else losses.tolist()
        runner.weights, runner.moments = weights, moments
        return losses.tolist()

    def _report(self, runner, mean_loss):
        """Adds an entry to the record of a runner."""
        *_, evaluate = compiled(runner.cell, runner.units, self.setting.task)
        inputs, targets, loss_weights = self.test
        scored = self.task.scored_steps(self.setting.length)
        results = evaluate(runner.weights, inputs, targets, np.int32(scored.stop))
        outputs, slopes, jacobians = map(np.asarray, results)
        runner.steps.append(self.done)
        runner.losses.append(float(mean_loss))
        runner.tests.append(float(compute_loss(outputs, targets, loss_weights)))
        runner.accuracies.append(compute_accuracy(outputs[:, scored], targets[:, scored]))
        runner.gradients.append(gradient_norms(jacobians, slopes))
        if runner.solved is None and has_solved(self.setting.task, runner):
            runner.solved = self.done


def has_solved(task, runner):
    """Whether a runner has solved the task: adding by its loss, others by their accuracy."""
    if task == "adding":
        return runner.tests[-1] < 0.01
    return runner.accuracies[-1] >= 0.99


def compute_loss(outputs, targets, weights):
    """The weighted mean loss of numpy arrays, as the compiled training step computes it."""
    if outputs.shape[-1] == 1:
        losses = (outputs[..., 0] - targets) ** 2
    else:
        shifted = outputs - outputs.max(axis=-1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        losses = -np.take_along_axis(logs, targets[..., None], axis=-1)[..., 0]
    return (losses * weights).sum() / weights.sum()


def compute_accuracy(outputs, targets):
    """The share of right answers: the likeliest class, or a number within `SUM_TOLERANCE`."""
    if outputs.shape[-1] == 1:
        return float(np.mean(np.abs(outputs[..., 0] - targets) < SUM_TOLERANCE))
    return float(np.mean(outputs.argmax(axis=-1) == targets))


def gradient_norms(jacobians, slopes):
    """|∂L/∂h| by lag `(time,)`: the norm of each sequence's gradient, the mean over sequences.

    Args:
        jacobians: Array `(batch, time, n, n)`, as from `Recurrent.jacobians`.
        slopes: Gradient of each sequence's loss at the last scored step with respect to the
            hidden state of that step, `(batch, units)`.
    """
    units = slopes.shape[-1]
    norms = []
    for matrices, slope in zip(jacobians, slopes, strict=True):
        gradients = gradients_by_lag(matrices[None, 1:], slope)[:, 0, :units]
        norms.append(np.linalg.norm(gradients, axis=-1))
    return np.mean(norms, axis=0)


@cache
def compiled(cell, units, task):
    """The training and testing of a network as compiled functions of its weights.

    Returns:
        Three functions. `run(weights, moments, count, done, rate, clip, inputs, targets, scored)`
        takes up to `MAX_STEPS_PER_CALL` training steps and returns the new weights, the new
        moments and the losses. The second does so by XLA, which compiles each length and batch
        size anew. `evaluate(weights, inputs, targets, last)` returns outputs, and slopes and
        Jacobians of the first `last` time steps as `gradient_norms` takes them.
    """
    import tensorflow as tf  # the site runs on TensorFlow; Keras has no gradient function

    network = make_network(cell, units, task)
    recurrent, dense = network.layers
    variables = network.trainable_variables

    def losses_of(outputs, targets):
        if outputs.shape[-1] == 1:
            return ops.square(outputs[..., 0] - targets)
        return keras.losses.sparse_categorical_crossentropy(targets, outputs, from_logits=True)

    def run(weights, moments, count, done, rate, clip, inputs, targets, scored):
        def loss(n):
            losses = losses_of(network(inputs[n]), targets[n])  # (batch, time)
            return ops.sum(losses * scored[n]) / ops.sum(scored[n])

        return train_steps(variables, loss, weights, moments, count, done, rate, clip)

    def evaluate(weights, inputs, targets, last):
        with use_weights(variables, weights):
            outputs = network(inputs)
            first = inputs[:GRADIENT_SEQUENCES, :last]
            hidden = recurrent(first)[:, -1]
            with tf.GradientTape() as tape:
                tape.watch(hidden)
                losses = losses_of(dense(hidden), targets[:GRADIENT_SEQUENCES, last - 1])
            return outputs, tape.gradient(losses, hidden), recurrent.jacobians(first)

    make_graph = partial(tf.function, autograph=False)
    fast = make_graph(run, jit_compile=True, reduce_retracing=False)
    return (
        make_graph(run, reduce_retracing=True),
        fast,
        make_graph(evaluate, reduce_retracing=True),
    )


def _count_networks(setting):
    """Notes the sizes of a race's networks; refuses unusual ones that exceed `MAX_NETWORKS`."""
    sizes = {(cell, units, setting.task) for cell, units in units_by_cell(setting).items()}
    unusual = {size for size in sizes if size[1] != Setting.units} - _networks
    if unusual and len(_networks) + len(unusual) > MAX_NETWORKS:
        raise UserError(
            f"This site has already built {len(_networks)} sizes of networks, as many as its "
            f"memory allows. Choose {Setting.units} units for every cell, or run the site yourself."
        )
    _networks.update(unusual)


def _may_use_xla(*shape):
    if shape not in _xla_graphs and len(_xla_graphs) < MAX_XLA_GRAPHS:
        _xla_graphs.add(shape)
    return shape in _xla_graphs


def write_listing(setting, steps):
    """The code of a race of some steps; its `losses` holds the losses of each cell."""
    return write_script(
        "from functools import partial\n\nimport keras\nimport numpy as np\n\n"
        "from apps.cells.race.tasks import TASKS\n"
        "from unrolled.layers import GRUCell, LSTMCell, Recurrent, RNNCell",
        "\n" + inspect.getsource(make_network).strip() + "\n",
        f"""
task, length, batch, steps, seed = TASKS[{setting.task!r}], {setting.length}, {setting.batch}, \
    {steps}, {setting.seed}
losses = {{}}
for cell, units in {units_by_cell(setting)!r}.items():
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
        losses[cell].append(float(loss))
    print(cell, losses[cell][-1])
""",
    )
