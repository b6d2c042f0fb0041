"""Plays and articles, by characters: `python -m training.characters train|evaluate`.

`train` fits the LSTM of the laboratory's lesson “Hands on the gates” and an n-gram baseline on
Tiny Shakespeare and openings of Wikipedia's articles, scores both on the last 5 % of each, looks
for units that follow something a reader can see, and writes `models/characters`. `evaluate`
scores the bundle, there or on a file.
"""

import json
import logging
import re
import time
import zlib
from collections import Counter
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from shared import bundle
from training.characters import data as characters
from training.command import (
    AsJson,
    DataDir,
    Model,
    Output,
    WorkDir,
    checkpoint_dir,
    commit,
    data_folder,
    print_metrics,
)

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)
log = logging.getLogger(__name__)

# The recipe, chosen on the validation part only.
DIMENSIONS, UNITS, DROPOUT = 64, 256, 0.25
TIME, BATCH, EPOCHS, RATE = 128, 64, 10, 4e-3
RAREST = 10  # a character that occurs less often in training is an unknown one
RUN_IN, SCORED = 200, 1_000  # characters read before, and scored in, each row of a test
ORDERS = (4, 5, 6, 7)  # of the n-gram baseline, tried on the validation part
LEAST = 5_000  # characters of an own text
PROBED = 30_000  # characters of each text that units are probed on
TOP = 3  # units kept for each thing to follow

Input = Annotated[Path | None, typer.Option(help="Your own text, a UTF-8 file.")]


def read_text(path, least):
    """The text of a file.

    Raises:
        typer.BadParameter: if it cannot be read or has fewer than `least` characters.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} cannot be read as UTF-8 text: {error}") from error
    if len(text) < least:
        raise typer.BadParameter(
            f"{path} has {len(text):,} characters; at least {least:,} are needed."
        )
    return text


def alphabet_of(text):
    """The characters that occur often enough in a text to be learned, at most 255, sorted."""
    counts = Counter(text).most_common(255)
    return "".join(sorted(character for character, count in counts if count >= RAREST))


class NGrams:
    """An n-gram model of characters: interpolated Kneser–Ney (Kneser & Ney 1995).

    Args:
        numbers: Integers `(characters,)` to count.
        size: How many different ones there may be, at most 256.
        order: Characters of an n-gram, the predicted one among them, at most 7.
    """

    def __init__(self, numbers, size, order):
        self.size = size
        self.levels = []
        keys = _keys(numbers, size, order)
        for length in range(order, 0, -1):
            keys, counts = np.unique(keys, return_counts=True)
            contexts, starts = np.unique(keys // size, return_index=True)
            totals = np.add.reduceat(counts, starts)
            kinds = np.diff(np.append(starts, len(keys)))
            once, twice = np.sum(counts == 1), np.sum(counts == 2)
            discount = once / (once + 2 * twice) if once else 0.5
            self.levels.append((length, keys, counts, contexts, totals, kinds, discount))
            # A shorter n-gram counts the different characters that it was seen after.
            keys = keys % size ** (length - 1)

    def nats(self, numbers):
        """Minus the log-probability of each of the integers `(characters,)`, given those before."""
        probability = np.full(len(numbers), 1 / self.size)
        for length, keys, counts, contexts, totals, kinds, discount in reversed(self.levels):
            seen = _keys(numbers, self.size, length)
            count = _looked_up(seen, keys, counts)
            total = _looked_up(seen // self.size, contexts, totals)
            kind = _looked_up(seen // self.size, contexts, kinds)
            known = total > 0
            total = np.maximum(total, 1)
            # At the start of the text there is no whole n-gram: the shorter one's answer stays.
            lower = probability[length - 1 :]
            higher = np.maximum(count - discount, 0) / total + discount * kind / total * lower
            probability[length - 1 :] = np.where(known, higher, lower)
        return -np.log(probability)


def _keys(numbers, size, length):
    """Each run of `length` integers as one integer, `(characters - length + 1,)`."""
    numbers = np.asarray(numbers, np.int64)
    keys = np.zeros(max(len(numbers) - length + 1, 0), np.int64)
    for n in range(length):
        keys = keys * size + numbers[n : n + len(keys)]
    return keys


def _looked_up(wanted, keys, values):
    """The value of each wanted key, 0 for one that is not there."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, values[places], 0)


def fit_baseline(training, validation, size):
    """The `NGrams` whose order does best on the validation part, and that order."""
    fitted = {order: NGrams(training, size, order) for order in ORDERS}
    order = min(fitted, key=lambda order: fitted[order].nats(validation).mean())
    return fitted[order], order


def rows_of(numbers):
    """A text cut for scoring: inputs, targets and where to score, `(rows, time)` each.

    Each row reads `RUN_IN` characters before those that it scores, so that the first of them is
    not met with an empty memory; only the first row has nothing to read before.
    """
    starts = range(0, max(len(numbers) - 1, 1), SCORED)
    time_steps = RUN_IN + SCORED
    inputs = np.zeros((len(starts), time_steps), "int32")
    targets, scored = np.zeros_like(inputs), np.zeros(inputs.shape, bool)
    for row, start in enumerate(starts):
        first = max(start - RUN_IN, 0)
        last = min(start + SCORED, len(numbers) - 1)
        inputs[row, : last - first] = numbers[first:last]
        targets[row, : last - first] = numbers[first + 1 : last + 1]
        scored[row, start - first : last - first] = True
    return inputs, targets, scored


def network_nats(predictor, numbers):
    """Minus the log-probability of every character but the first, the mean over a text."""
    inputs, targets, scored = rows_of(numbers)
    log_probabilities = predictor.log_probabilities(inputs)
    rows, places = np.nonzero(scored)
    return float(-log_probabilities[rows, places, targets[rows, places]].mean())


def fit_network(parts, alphabet, folder, seed, epochs=EPOCHS, verbose=1):
    """Fit the network.

    Args:
        parts: Training and validation, arrays of integers.
        alphabet: The characters they stand for, from 1 on.
        folder: Path of the checkpoints.
        seed: Integer: initial weights, dropout and the places of the windows.
        epochs: Most epochs.
        verbose: As in `loop.fit`.

    Returns:
        The network with its best weights and the record of `loop.fit`.
    """
    import keras

    from apps.cells.gates.model import CharacterNetwork
    from apps.cells.gates.predictor import Predictor
    from training.loop import Batches, fit

    keras.utils.set_random_seed(seed)
    training, validation = parts
    network = CharacterNetwork(len(alphabet) + 1, DIMENSIONS, UNITS, DROPOUT, seed)
    network.build((None, None))
    per_epoch = max(1, len(training) // (TIME * BATCH))
    network.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(RATE, per_epoch * epochs), clipnorm=1.0
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        # On a CPU XLA takes six times as long for this network.
        jit_compile=keras.backend.backend() == "jax",
    )

    def epoch_batches(number):
        # Windows side by side from a start that differs each epoch, in random order.
        noise = np.random.default_rng((seed, number))
        spare = len(training) - 1 - per_epoch * BATCH * TIME
        first = int(noise.integers(0, max(spare, 0) + 1))
        starts = first + TIME * noise.permutation(per_epoch * BATCH)
        starts = np.minimum(starts, len(training) - 1 - TIME)

        def make(n):
            rows = starts[n * BATCH : (n + 1) * BATCH, None] + np.arange(TIME + 1)
            windows = training[rows]
            return windows[:, :-1], windows[:, 1:]

        return Batches(per_epoch, make)

    predictor = Predictor(network, alphabet, {})

    def validate():
        return {"score": -network_nats(predictor, validation)}

    recipe = {**network.options, "epochs": epochs, "batch": BATCH, "rate": RATE, "time": TIME}
    recipe["characters"] = len(training)
    record = fit(network, epoch_batches, validate, folder, recipe, epochs, 3, verbose)
    return network, record


# What a unit may follow; each labels every character of a text.


def speakers(text):
    """Whether a character stands in the line that names who speaks, as in `ROMEO:`."""
    labels = np.zeros(len(text), bool)
    for line in re.finditer(r"(?:(?<=\n\n)|\A)[A-Z][^:\n]*:(?=\n)", text):
        labels[line.start() : line.end()] = True
    return labels


def since(text, marks):
    """How many characters ago one of the marks stood, `(characters,)`; 0 at a mark itself."""
    places = np.arange(len(text))
    at = np.where([character in marks for character in text], places, -1)
    return places - np.maximum.accumulate(at)


def until(text, marks, ends):
    """Whether the next of the characters in `ends`, this one among them, is one of `marks`."""
    labels, coming = np.zeros(len(text), bool), False
    for place in range(len(text) - 1, -1, -1):
        if text[place] in ends:
            coming = text[place] in marks
        labels[place] = coming
    return labels


def between(text, opening, closing):
    """Whether a character stands between two marks of one paragraph, the closing one included."""
    labels = np.zeros(len(text), bool)
    pair = f"{re.escape(opening)}(?:(?!\\n\\n|{re.escape(opening)}).)*?{re.escape(closing)}"
    for found in re.finditer(pair, text, re.DOTALL):
        labels[found.start() + 1 : found.end()] = True
    return labels


def _of(characters):
    return lambda text: np.array([character in characters for character in text])


# By the text on which a unit that follows them is looked for.
FEATURES = {
    "plays": {
        "speaker": speakers,
        "line of a play": lambda text: since(text, "\n"),
        "word position": lambda text: since(text, " \n"),
        "gap": _of(" \n"),
        "vowel": _of("aeiouAEIOU"),
        "capital": lambda text: np.array([character.isupper() for character in text]),
        "comma": lambda text: since(text, ",.;:?!") < since(text, ".;:?!"),
        "question": lambda text: until(text, "?", ".?!"),
    },
    "articles": {
        "quotation": lambda text: between(text, '"', '"'),
        "bracket": lambda text: between(text, "(", ")"),
        "line of a page": lambda text: since(text, "\n"),
    },
}


def agreement(ranks, labels):
    """How well each unit follows labels, from −1 to 1, 0 by chance: `(units,)`.

    Args:
        ranks: Array `(characters, units)`, the rank of each state among its unit's.
        labels: `(characters,)`: for yes and no, 2 AUC − 1, where AUC is the chance that a
            character with the label has the higher state; for numbers, Spearman's correlation.
    """
    from scipy.stats import rankdata

    if labels.dtype != bool:
        other = rankdata(labels)
        ranks, other = ranks - ranks.mean(axis=0), other - other.mean()
        return ranks.T @ other / np.sqrt((ranks**2).sum(axis=0) * (other**2).sum())
    yes, no = labels.sum(), (~labels).sum()
    if not yes or not no:
        return np.zeros(ranks.shape[1])
    auc = (ranks[labels].sum(axis=0) - yes * (yes + 1) / 2) / (yes * no)
    return 2 * auc - 1


def probe(features, predictor, untrained, validation, test):
    """The units that follow each feature best, chosen on one text and scored on another.

    Args:
        features: Dict from names to functions that label every character of a text.
        predictor: A trained `Predictor`.
        untrained: One of the same network before training.
        validation, test: Texts to choose and to score on.

    Returns:
        Dict from feature to `{"kind": "auc" or "correlation", "units": […], "untrained": number,
        "chance": number}`. A unit has its number, its score on the test (an AUC, or a
        correlation) and whether its state falls where the feature rises. What the same choice
        finds in the untrained network scores `untrained`; what it finds for labels moved 5,000
        characters along scores `chance`.
    """
    from scipy.stats import rankdata

    texts = validation[:PROBED], test[:PROBED]
    labels = {name: [label(text) for text in texts] for name, label in features.items()}

    def best(ranks, labels, count=1):
        chosen, scored = (agreement(r, part) for r, part in zip(ranks, labels, strict=True))
        units = np.argsort(-np.abs(chosen))[:count]
        return [(int(unit), bool(chosen[unit] < 0), float(scored[unit])) for unit in units]

    def written(falls, score, binary):
        score = -score if falls else score
        return round((1 + score) / 2 if binary else score, 3)

    found = {}
    for network in (untrained, predictor):
        ranks = [rankdata(network.trace(text)["cell"], axis=0) for text in texts]
        for name, parts in labels.items():
            binary = parts[0].dtype == bool
            if network is untrained:
                _, *score = best(ranks, parts)[0]
                kind = "auc" if binary else "correlation"
                found[name] = {"kind": kind, "untrained": written(*score, binary)}
                continue
            _, *luck = best(ranks, [np.roll(part, 5_000) for part in parts])[0]
            found[name]["chance"] = written(*luck, binary)
            found[name]["units"] = [
                {"unit": unit, "falls": falls, "score": written(falls, score, binary)}
                for unit, falls, score in best(ranks, parts, TOP)
            ]
    return found


def _features(name):
    """What is looked for in a text of this name; in one of the user's own, everything."""
    every = {key: label for features in FEATURES.values() for key, label in features.items()}
    return FEATURES.get(name, every)


def _texts(data_dir, input):
    """The texts to learn from by name: the two corpora, or the user's own."""
    return {"own": read_text(input, LEAST)} if input else characters.read(data_folder(data_dir))


def _ngrams_nats(ngrams):
    return lambda numbers: float(ngrams.nats(numbers)[1:].mean())


def _scored(nats, tests, prefix=""):
    """The mean of `nats`, a function of a text, over all characters, and for each of many texts."""
    each = {name: nats(numbers) for name, numbers in tests.items()}
    sizes = [len(numbers) - 1 for numbers in tests.values()]
    found = _measured(np.average(list(each.values()), weights=sizes), prefix)
    for name, value in each.items() if len(each) > 1 else ():
        found |= _measured(value, f"{prefix}{name}_")
    return found


def _measured(nats, prefix=""):
    """A loss in nats and bits, under the names that `--json` prints."""
    return {
        f"{prefix}nats_per_character": float(nats),
        f"{prefix}bits_per_character": float(nats / np.log(2)),
    }


@app.command()
def train(
    data_dir: DataDir = None,
    input: Input = None,
    output: Output = None,
    work_dir: WorkDir = None,
    epochs: Annotated[int, typer.Option(min=1)] = EPOCHS,
    seed: int = 0,
    as_json: AsJson = False,
):
    """Fit everything and write the bundle; a run that was stopped goes on from its checkpoints."""
    import keras

    from apps.cells.gates.model import CharacterNetwork
    from apps.cells.gates.predictor import Predictor, encode

    texts = _texts(data_dir, input)
    output = output or (Path("characters-model") if input else bundle.MODELS / "characters")
    split = {name: characters.split(text) for name, text in texts.items()}
    joined = ["".join(parts) for parts in zip(*split.values(), strict=True)]
    alphabet = alphabet_of(joined[0])
    training, validation = (encode(part, alphabet) for part in joined[:2])
    # Data of its own, work of its own: another text never resumes this one's run.
    fingerprint = f"{zlib.crc32(''.join(joined).encode()):08x}"
    work_dir = checkpoint_dir("characters", work_dir, data_dir) / fingerprint

    start = time.perf_counter()
    baseline, order = fit_baseline(training, validation, len(alphabet) + 1)
    baseline_minutes = (time.perf_counter() - start) / 60
    log.info("n-grams of order %d, %.1f minutes", order, baseline_minutes)
    network, record = fit_network((training, validation), alphabet, work_dir, seed, epochs)
    bundle.save_arrays(output / "lstm.safetensors", bundle.weights_of(network))
    # Everything is measured on the weights as they were stored.
    bundle.set_weights(network, bundle.load_arrays(output / "lstm.safetensors"))
    predictor = Predictor(network, alphabet, {})
    keras.utils.set_random_seed(seed)
    fresh = CharacterNetwork(**network.options)
    fresh.build((None, None))
    untrained = Predictor(fresh, alphabet, {})
    tests = {name: encode(parts[2], alphabet) for name, parts in split.items()}
    probes = {}
    for name, parts in split.items():
        probes |= probe(_features(name), predictor, untrained, *parts[1:])
    card = {
        "task": "characters",
        "title": "Next character",
        "date": date.today().isoformat(),
        "seed": seed,
        "commit": commit(),
        "data": "own text"
        if input
        else "Tiny Shakespeare (Karpathy 2015) and openings of Wikipedia's articles",
        "test_set": "last 5 % of each text",
        "measure": "nats_per_character",
        "lower_is_better": True,
        "examples": sum(len(numbers) - 1 for numbers in tests.values()),
        "training_examples": len(training),
        "validation_examples": len(validation),
        "licence": "Weights: Apache-2.0. Texts: public domain and CC BY-SA, not shipped.",
        "limits": [
            "It has read plays of one author and the openings of articles, in lines of 72 "
            "characters, and writes like them, without their sense.",
            "Characters outside its alphabet are all the same unknown one to it.",
        ]
        if not input
        else [],
        "alphabet": alphabet,
        "probes": probes,
        "baseline": {
            "name": f"Kneser–Ney {order}-grams",
            "order": order,
            "minutes": round(baseline_minutes, 2),
            **_scored(_ngrams_nats(baseline), tests),
        },
        "variants": {
            "lstm": {
                "network": network.options,
                "parameters": int(sum(np.prod(v.shape) for v in network.trainable_variables)),
                **_measured(network_nats(predictor, validation), "validation_"),
                **_scored(partial(network_nats, predictor), tests),
                "epochs": len(record["epochs"]),
                "best_epoch": record["best"] + 1,
                "minutes": round(record["minutes"], 1),
                "command": "python -m training.characters train",
            }
        },
    }
    bundle.write_card(output, card)
    details = card["variants"]["lstm"]
    metrics = {name: details[name] for name in _measured(0)}
    print(json.dumps({"output": str(output), **metrics}) if as_json else f"Written to {output}.")


@app.command()
def evaluate(
    data_dir: DataDir = None,
    input: Input = None,
    model: Model = None,
    as_json: AsJson = False,
):
    """Score the shipped bundle on the last 5 % of each text, or on a file."""
    from apps.cells.gates.predictor import Predictor, encode

    predictor = Predictor.load(model)
    corpora = {} if input and model else characters.read(data_folder(data_dir))
    split = {name: characters.split(text) for name, text in corpora.items()}
    texts = {"own": read_text(input, 2)} if input else {n: parts[2] for n, parts in split.items()}
    tests = {name: encode(text, predictor.alphabet) for name, text in texts.items()}
    start = time.perf_counter()
    metrics = _scored(partial(network_nats, predictor), tests)
    seconds = time.perf_counter() - start
    if not model:
        joined = ["".join(parts) for parts in zip(*split.values(), strict=True)]
        training, validation = (encode(part, predictor.alphabet) for part in joined[:2])
        baseline, _ = fit_baseline(training, validation, len(predictor.alphabet) + 1)
        metrics |= _scored(_ngrams_nats(baseline), tests, "baseline_ngrams_")
    count = sum(len(numbers) - 1 for numbers in tests.values())
    metrics |= {"characters": count, "seconds": round(seconds, 2)}
    print_metrics(metrics, as_json)
