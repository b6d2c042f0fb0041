"""Training a language model, and writing its bundle."""

import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from shared import bundle
from training import cards
from training.command import (
    AsJson,
    DataDir,
    Output,
    WorkDir,
    checkpoint_dir,
    data_folder,
    language_model_folder,
)
from training.language_model.data import Input, read_corpus
from training.language_model.evaluate import Which, perplexity
from training.language_model.fit import fit_network, transfer_weights
from training.language_model.recipe import RECIPES, Corpus


def train(
    data_dir: DataDir = None,
    corpus: Which = Corpus.reviews,
    input: Input = None,
    output: Output = None,
    work_dir: WorkDir = None,
    backward: Annotated[
        bool, typer.Option("--backward", help="Read each passage from its end.")
    ] = False,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="A third of the reviews or articles each; default: the recipe's."),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(help="Bundle of a language model of the same sizes to start from."),
    ] = None,
    seed: int = 0,
    as_json: AsJson = False,
):
    """Train a language model and write its bundle, scored on the validation part.

    An interrupted run resumes from its last checkpoint.
    """
    recipe = RECIPES[corpus.value]
    recipe = replace(recipe, epochs=epochs or recipe.epochs)
    name = f"{corpus.value}-backward" if backward else corpus.value
    output = output or (Path("language-model") if input else language_model_folder(name))
    weights_for = transfer_weights(start, recipe.network, backward) if start else None
    tokenizer, data = read_corpus(corpus.value, data_folder(data_dir), input, backward=backward)
    # A run is resumed only with the text that it was started with.
    content = b"".join(passage.tobytes() for passage in data["training"])
    work_dir = checkpoint_dir("language_model", work_dir, data_dir) / f"{zlib.crc32(content):08x}"
    shuffle = corpus is not Corpus.ptb or input is not None
    weights = weights_for(tokenizer) if start else None
    network, record = fit_network(recipe, data, tokenizer.size, work_dir, seed, shuffle, weights)
    output.mkdir(parents=True, exist_ok=True)
    tokenizer.save(output / "tokenizer.json")
    network.reset_states()
    bundle.save_arrays(output / "lstm.safetensors", bundle.get_weights(network))
    scores = {"validation_perplexity": perplexity(network, data["validation"])}
    command = _describe_command(corpus.value, backward, epochs, start)
    details = cards.variant(
        network,
        record,
        command,
        "validation",
        {name: round(value, 2) for name, value in scores.items()},
        words_per_second=record["epochs"][-1]["words_per_second"],
    )
    if start:
        first = bundle.read_card(start)
        details["start"] = {key: first[key] for key in ("data", "training_words")}
    card = cards.new_card(
        output,
        "language model",
        "The next word",
        seed,
        "validation",
        data=str(input.name) if input else corpus.value,
        backward=backward,
        training_words=int(sum(map(len, data["training"]))),
        limits=["It knows best the text that it has read last, and a closed list of words."],
        licence="Weights: Apache-2.0.",
    )
    card["variants"] = {}
    cards.add_variant(output, card, "lstm", details)
    metrics = {"output": str(output), **scores}
    print(json.dumps(metrics) if as_json else f"Written to {output}.")


def _describe_command(corpus, backward, epochs, start):
    """The command that trains a model with these options, for its card."""
    options = [f"--corpus {corpus}"]
    options += ["--backward"] if backward else []
    options += [f"--epochs {epochs}"] if epochs else []
    options += [f"--start {start.resolve().name}"] if start else []
    return f"python -m training.language_model train {' '.join(options)}"
