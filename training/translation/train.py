"""Training the translation networks and the dictionary, and writing their bundle."""

import random
import zlib
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from apps.translation import copies
from apps.translation.dictionary import Dictionary
from apps.translation.memory import Memory, words_of
from apps.translation.predictor import Predictor
from shared import bundle
from shared.text import SubwordTokenizer, clean
from training import cards
from training.command import AsJson, DataDir, Output, WorkDir, checkpoint_dir, data_folder
from training.translation import data, phrases, recipe
from training.translation.data import Input, Pair
from training.translation.evaluate import (
    scores,
    scores_by_length,
    signature,
    translate,
    translate_word_for_word,
)
from training.translation.fit import TrainingPairs, encode, fit_network
from training.translation.recipe import Variant

SCORED_ON = "validation pairs"


def train(
    data_dir: DataDir = None,
    input: Input = None,
    variant: Annotated[list[Variant] | None, typer.Option(help="Only these (repeatable).")] = None,
    output: Output = None,
    work_dir: WorkDir = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="A quarter pass each; default: the recipe's.")
    ] = None,
    start: Annotated[
        Path | None, typer.Option(help="A bundle whose networks are trained further.")
    ] = None,
    seed: int = 0,
    as_json: AsJson = False,
):
    """Train the networks and write the bundle, scored on the validation pairs.

    An interrupted run resumes from its last checkpoint.
    """
    corpus, validation = _read(data_dir, input, seed)
    training = corpus if input else corpus + _phrases() + _common_words(corpus)
    output = output or (Path("translation-model") if input else bundle.MODELS / "translation")
    texts = [clean(text) for pair in training for text in (pair.source, *pair.targets)]
    checkpoints = checkpoint_dir("translation", work_dir, data_dir)
    # A run is resumed only with the texts that it was started with.
    work_dir = checkpoints / f"{zlib.crc32(chr(10).join(texts).encode()):08x}"
    tokenizer = _tokenizer(texts, work_dir, start)
    output.mkdir(parents=True, exist_ok=True)
    tokenizer.save(output / "tokenizer.json")
    scored = _sample(validation)
    card = _new_card(output, seed, training, validation, scored, official=not input)
    card["memory"] = write_memory(training, output)
    card["baseline"] = _write_baseline(corpus, scored, output)
    encoded = {
        "training": TrainingPairs(tokenizer, training),
        "validation": encode(tokenizer, validation),
    }
    for name in variant or list(Variant):
        options = {"vocabulary": tokenizer.size, **recipe.VARIANTS[name.value]}
        default = recipe.EPOCHS if name is Variant.attention else recipe.STUDY_EPOCHS
        folder = work_dir / name.value
        weights = start and bundle.load_arrays(start / f"{name.value}.safetensors")
        network, record = fit_network(
            options, encoded, folder, seed, epochs or default, start=weights
        )
        shipped = name.value not in recipe.NOT_SHIPPED
        folder = output if shipped else work_dir
        details = _write_variant(folder, name.value, network, record, tokenizer, scored, start)
        if not shipped:  # `evaluate --save` reads the weights from there
            path = folder / f"{name.value}.safetensors"
            details["weights"] = path.relative_to(checkpoints).as_posix()
        cards.add_variant(output, card, name.value, details, "variants" if shipped else "study")
    trained = {**card["variants"], **card["study"]}
    cards.print_result(output, {"variants": trained}, "bleu", as_json)


def _read(data_dir, input, seed):
    """Training and validation pairs; a tenth of a file of the user's is for validation."""
    if not input:
        return [data.read(data_folder(data_dir), part) for part in ("train", "val")]
    pairs = data.read_rows(input)
    random.Random(seed).shuffle(pairs)
    size = max(1, len(pairs) // 10)
    if len(pairs) == size:
        raise typer.BadParameter("Training needs at least two pairs.")
    return pairs[size:], pairs[:size]


def _sample(validation):
    """The validation pairs that are translated by beam search: the first and the last ones."""
    half = recipe.MAX_SCORED_PAIRS // 2
    return validation if len(validation) <= 2 * half else validation[:half] + validation[-half:]


def _phrases():
    return [Pair(english, (french,), "phrases") for english, french in phrases.pairs()]


def _common_words(pairs):
    """Pairs of words that translate each other in both directions, by IBM model 1."""
    sides = [(clean(pair.source), clean(pair.targets[0])) for pair in pairs]
    forwards = Dictionary.fit(sides, min_count=recipe.MIN_WORD_COUNT).entries
    backwards = Dictionary.fit([(french, english) for english, french in sides]).entries
    return [
        Pair(english, (french,), "words")
        for english, french in forwards.items()
        if backwards.get(french) == english and english.isalpha() and french.isalpha()
    ]


def _tokenizer(texts, work_dir, start):
    """The tokeniser of these texts, or of the bundle that training starts from."""
    file = work_dir / f"tokenizer_{recipe.VOCABULARY}.json"
    if start:
        file = start / "tokenizer.json"
    elif not file.exists():
        work_dir.mkdir(parents=True, exist_ok=True)
        SubwordTokenizer.train(texts, recipe.VOCABULARY).save(file)
    tokenizer = SubwordTokenizer.load(file)
    tokenizer.add(copies.ALL_PLACEHOLDERS)
    return tokenizer


def write_memory(pairs, output):
    """Write the filter of the training sentences; returns what the card says of it."""
    sentences = {pair.source for pair in pairs}
    memory = Memory.fit(sentences)
    memory.save(output)
    lengths = [len(words_of(text)) for text in sentences]
    return {
        "sentences": len(sentences),
        "usual_words": int(np.quantile(lengths, 0.999)),
        "false_positives": round(memory.false_positives, 6),
    }


def _write_baseline(training, scored, output):
    """Fit and write the dictionary; returns what the card says of it."""
    dictionary = Dictionary.fit([(clean(p.source), clean(p.targets[0])) for p in training])
    dictionary.save(output)
    return {
        "name": "word for word (IBM model 1)",
        "words": len(dictionary.entries),
        **scores(translate_word_for_word(dictionary, scored), scored),
    }


def _new_card(output, seed, training, validation, scored, official):
    """A card with what all variants share."""
    return cards.new_card(
        output,
        "translation",
        "English to French",
        seed,
        SCORED_ON,
        data="Tatoeba pairs (CC BY 2.0 FR, tatoeba.org) and Multi30k" if official else "own",
        examples=len(scored),
        training_examples=len(training),
        validation_examples=len(validation),
        signature=signature(scored),
        licence="Weights: Apache-2.0. Sentences: not shipped; Tatoeba CC BY 2.0 FR.",
        limits=[
            "It has read short everyday sentences and captions of photographs: news, law and "
            "long sentences are beyond it.",
            "Names and rare words are spelt from pieces, and often wrong.",
            "Where French needs to know who speaks (tu or vous, -e or not), it guesses.",
        ],
        study=cards.old_card(output).get("study", {}),
    )


def _write_variant(folder, name, network, record, tokenizer, pairs, start):
    """Store a network and score it on validation pairs; returns what the card says of it."""
    command, earlier = f"python -m training.translation train --variant {name}", {}
    if start:
        before = bundle.read_card(start)["variants"][name]
        command += " --start FOLDER"
        earlier = {"minutes_before": round(before["minutes"] + before.get("minutes_before", 0), 1)}
    predictor = Predictor(network, tokenizer, {})
    float32 = scores(translate(predictor, pairs), pairs, "validation_float32_")
    cards.store_weights(network, folder / f"{name}.safetensors", cards.tables_of(network))
    translations = translate(Predictor(network, tokenizer, {}), pairs)
    return cards.variant(
        network,
        record,
        command,
        SCORED_ON,
        scores(translations, pairs),
        **earlier,
        **float32,
        **scores(translations, pairs, "validation_"),
        by_length=scores_by_length(translations, pairs),
    )
