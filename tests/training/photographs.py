"""Photographs and a bundle that the tests of captions and of answers about photographs share."""

import json

import numpy as np
from PIL import Image

from shared import bundle
from shared.image_encoder import ImageEncoder
from training import cards

COLOURS = {"red": (230, 20, 20), "green": (20, 200, 30)}
BLOCKS = ((2, 6, 1, 2), (2, 6, 1, 2), (2, 8, 1, 2), (2, 12, 2, 2))


def draw(folder, count, file, rows_of):
    """Draw photographs of one colour each, with some noise, and write what is said of them.

    Args:
        folder: Path of a folder.
        count: How many photographs.
        file: Name of the JSON Lines file.
        rows_of: Function of a photograph's name and colour that returns its rows.
    """
    rows = []
    for n in range(count):
        colour = list(COLOURS)[n % len(COLOURS)]
        noise = np.random.default_rng(n).integers(-12, 12, (30, 40, 3))
        pixels = np.clip(np.array(COLOURS[colour]) + noise, 0, 255).astype("uint8")
        Image.fromarray(pixels).save(folder / f"{n}.png")
        rows += rows_of(f"{n}.png", colour)
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    (folder / file).write_text(lines, encoding="utf-8")


def tiny_encoder(*_, **__):
    encoder = ImageEncoder(stem=4, blocks=BLOCKS, features=16)
    encoder.build()
    rng = np.random.default_rng(0)
    scales = {4: 0.6, 1: 0.0}  # of kernels and biases
    encoder.set_weights([rng.normal(0, scales[w.ndim], w.shape) for w in encoder.get_weights()])
    return encoder


def publish_texts(publish, folder, output, name, files):
    """Publish a variant whose files are texts; returns the variants that the bundle then has.

    Args:
        publish: The `publish` of a training command.
        folder: Path of a work folder, which is created.
        output: Path of the bundle.
        name: Of the variant.
        files: Dict from the names of files to their texts.
    """
    folder.mkdir()
    for file, text in files.items():
        (folder / file).write_text(text)
    card = dict.fromkeys(bundle.CARD_KEYS, "…")
    card["variants"] = cards.old_card(output).get("variants", {})
    publish(folder, output, card, name, {"network": {}, "scored_on": "validation"})
    assert {file: (output / file).read_text() for file in files} == files
    return list(bundle.read_card(output)["variants"])


def read_files(folder):
    """The content of each file of a folder, by its path."""
    return {file: file.read_bytes() for file in folder.iterdir()}
