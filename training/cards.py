"""Model cards and weights: what every training command writes into a bundle."""

import json
import logging
import shutil
from datetime import date

import numpy as np

from shared import bundle
from training.command import commit

log = logging.getLogger(__name__)


def old_card(folder):
    """The card of the bundle in a folder, empty if there is none."""
    try:
        return bundle.read_card(folder)
    except bundle.BundleError:
        return {}


def new_card(output, task, title, seed, scored_on, **fields):
    """A card without variants, except for those that the bundle in a folder has already.

    Training scores a network on validation data, under the names that test scores have too:
    `evaluate --save` replaces them. Each variant notes what it was scored on as `scored_on`.

    Args:
        output: Path of the bundle.
        task, title, seed: As in the card.
        scored_on: What the scores that training writes were measured on.
        **fields: More entries of the card.
    """
    old = old_card(output)
    variants = old.get("variants", {})
    for details in variants.values():
        details.setdefault("scored_on", old["test_set"])
    return {
        "task": task,
        "title": title,
        "date": date.today().isoformat(),
        "seed": seed,
        "commit": commit(),
        "test_set": scored_on,
        "baselines_scored_on": scored_on,
        **fields,
        "variants": variants,
    }


def variant(network, record, command, scored_on, scores, **fields):
    """What a card says of one trained network.

    Args:
        network: A network with `options`.
        record: The record of `training.loop.fit`, or one of several stages with `"minutes"` only.
        command: The command that trains it.
        scored_on: What `scores` were measured on.
        scores: Dict of scores.
        **fields: More entries, which come first.
    """
    epochs = {}
    if "best" in record:
        epochs = {"epochs": len(record["epochs"]), "best_epoch": record["best"] + 1}
    return {
        "network": network.options,
        "parameters": count_parameters(network),
        **fields,
        **scores,
        "scored_on": scored_on,
        **epochs,
        "minutes": round(record["minutes"], 1),
        "command": command,
    }


def count_parameters(network):
    """How many numbers of a network are trained."""
    return int(sum(np.prod(variable.shape) for variable in network.trainable_variables))


def store_weights(network, path, int8=(), int4=()):
    """Write a network's weights, and give it the rounded ones that were stored.

    The names of weights in `int8` and `int4` are those of `bundle.save_arrays`.

    All scores are measured after this, on the weights that the site will use.
    """
    bundle.save_arrays(path, bundle.get_weights(network), int8, int4)
    bundle.set_weights(network, bundle.load_arrays(path))


def tables_of(network):
    """The paths of a network's matrices, which `store_weights` can round to int8."""
    return [path for path, array in bundle.get_weights(network).items() if array.ndim == 2]


def add_variant(output, card, name, details, section="variants"):
    """Put a variant into a section of a card, and write the card."""
    card[section][name] = details
    log.info("%s: %s", name, json.dumps(details))
    write(output, card)


def publish(folder, output, card, name, details, files, shared):
    """Copy a trained variant from its work folder into a bundle, and write the card.

    A run that is interrupted earlier leaves the bundle as it was. Variants of the bundle that
    were trained with other shared files are removed from the card.

    Args:
        folder: Path of the work folder.
        output: Path of the bundle.
        card, name, details: As for `add_variant`.
        files: Names of the files to copy; those that do not exist are passed over.
        shared: Names of the files among them that all variants read.
    """
    before = _contents(output, shared)
    output.mkdir(parents=True, exist_ok=True)
    for file in files:
        if (folder / file).exists():
            shutil.copy(folder / file, output)
    if _contents(output, shared) != before:
        card["variants"] = {}
    add_variant(output, card, name, details)


def _contents(folder, files):
    return [(folder / file).read_bytes() if (folder / file).exists() else None for file in files]


def save_scores(folder, test_set, scores, **fields):
    """Put test scores into the card of a bundle: what `evaluate --save` does.

    Args:
        folder: Path of the bundle.
        test_set: What was scored on, in words.
        scores: Dict from variant to its scores. Variants that are not shipped stand in the
            section `study` of the card.
        **fields: Entries of the card that change as well: how many `examples` there are, and the
            scores of baselines.
    """
    card = bundle.read_card(folder)
    for details in card["variants"].values():
        details.setdefault("scored_on", card["test_set"])
    for name, values in scores.items():
        section = card["variants"] if name in card["variants"] else card["study"]
        section[name] |= {**values, "scored_on": test_set}
    card |= {"baselines_scored_on": test_set, **fields}
    write(folder, card)
    print(f"Scores written to {folder / 'card.json'}.")


def write(folder, card):
    """Write a card. Its `test_set` says which variant was scored on what, where that differs."""
    names = {}
    for name, details in card["variants"].items():
        names.setdefault(details["scored_on"], []).append(name)
    if "baselines_scored_on" in card:
        names.setdefault(card["baselines_scored_on"], []).append("baselines")
    if len(names) == 1:
        (card["test_set"],) = names
    else:
        parts = (f"{test_set} ({', '.join(scored)})" for test_set, scored in names.items())
        card["test_set"] = ", ".join(parts)
    bundle.write_card(folder, card)


def print_result(output, card, score, as_json):
    """Print where the bundle lies, with `--json` also a score of each variant."""
    scores = {name: details[score] for name, details in card["variants"].items()}
    print(json.dumps({"output": str(output), **scores}) if as_json else f"Written to {output}.")
