"""English–French translation: `python -m training.translation train|evaluate`.

`train` learns subword units and a dictionary, fits the networks on Tatoeba's and Multi30k's pairs
together and writes `models/translation`. `evaluate` scores the shipped bundle, or any TSV file.
"""

import json
import logging
import random
import time
import zlib
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from apps.translation.dictionary import Dictionary
from apps.translation.memory import Memory, words_of
from apps.translation.predictor import Predictor
from shared import bundle
from shared.text import SPECIAL, SubwordTokenizer, clean, pad
from training.cards import old_card
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
from training.translation import data as translation

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)
log = logging.getLogger(__name__)


# The main network, and the small ones of the study, which share data, size and budget.
SMALL = {"dimensions": 128, "units": 256}
VARIANTS = {
    "attention": {},
    "small": SMALL,
    "gru": {**SMALL, "cell": "gru"},
    "rnn": {**SMALL, "cell": "rnn"},
    "deep": {**SMALL, "layers": 2},
    "plain": {**SMALL, "attention": False},
    "reversed": {**SMALL, "attention": False, "reverse": True},
}
MEASURED_ONLY = ("rnn", "deep")  # stand in the card's tables; their weights are not shipped
Variant = StrEnum("Variant", list(VARIANTS))

# The recipe, chosen on the validation pairs only.
VOCABULARY = 6_000
ROUNDS, STUDY_ROUNDS, PARTS = 32, 8, 4  # a round is a quarter of a pass over the pairs
RATE, WARM_UP, SMOOTHING = 2e-3, 400, 0.1
CAPTIONS_TWICE = 2  # how often a pass reads Multi30k's pairs, beside Tatoeba's once
LENGTHS = (8, 12, 16, 24, 48)  # padded lengths, one compiled graph each
TOKENS = 1536  # of a batch, on each side
BUCKETS = (1, 6, 11, 16, 21)  # least words of the groups whose scores the study compares

Input = Annotated[Path | None, typer.Option(help="Your own pairs: TSV, English and French.")]


def batches_of(pairs, noise):
    """Rows of pairs in batches of about `TOKENS` tokens, of about one length each.

    Args:
        pairs: Array `(pairs,)` of the longer side's length in tokens.
        noise: A numpy random generator, or None for the order of the lengths.

    Returns:
        List of (padded length, array of rows), in random order; longer pairs are left out.
    """
    found, shortest = [], 0
    for length in LENGTHS:
        rows = np.flatnonzero((pairs > shortest) & (pairs <= length))
        if noise is not None:
            noise.shuffle(rows)
        count = TOKENS // length
        for start in range(0, len(rows), count):
            found.append((length, rows[start : start + count]))
        shortest = length
    if noise is not None:
        noise.shuffle(found)
    return found


def arrays(sources, targets, length, rows):
    """What the network reads and has to say: `((source, target), next)`, filled up with rows of 0.

    Every batch of a padded length has as many rows, so that each length compiles once.
    """
    count = TOKENS // length
    source, target, following = (np.zeros((count, length), "int32") for _ in range(3))
    begin = [SPECIAL.index("[BEGIN]")]
    source[: len(rows)] = pad([sources[row] for row in rows], length)
    following[: len(rows)] = pad([targets[row] for row in rows], length)
    shifted = [np.concatenate([begin, targets[row][:-1]]) for row in rows]
    target[: len(rows)] = pad(shifted, length)
    return (source, target), following


def fit_network(options, data, folder, seed, rounds=ROUNDS, verbose=1):
    """Fit a `Translator`.

    Args:
        options: Arguments of the network.
        data: Dict with `"training"` and `"validation"`: lists of (sources, targets, domain).
        folder: Path of the checkpoints.
        seed: Integer.
        rounds: How many rounds, `PARTS` to a pass.
        verbose: As in `loop.fit`.

    Returns:
        The network with its best weights and the record of `loop.fit`.
    """
    import keras

    from apps.translation.model import Translator
    from training.loop import Batches, fit, smoothed_cross_entropy

    keras.utils.set_random_seed(seed)
    network = Translator(**options, seed=seed)
    network.build(((None, None), (None, None)))
    sources, targets, repeats = [], [], []
    for domain, (these, those) in data["training"].items():
        sources += these
        targets += those
        repeats += [CAPTIONS_TWICE if domain == "multi30k" else 1] * len(these)
    lengths = np.array([max(len(s), len(t)) for s, t in zip(sources, targets, strict=True)])
    passes = np.repeat(np.arange(len(lengths)), repeats)
    passes = passes[lengths[passes] <= LENGTHS[-1]]

    def plan(number):
        noise = np.random.default_rng((seed, number // PARTS))
        part = np.array_split(noise.permutation(passes), PARTS)[number % PARTS]
        return [(length, part[rows]) for length, rows in batches_of(lengths[part], noise)]

    steps = len(plan(0)) * rounds
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - WARM_UP, warmup_target=RATE, warmup_steps=WARM_UP
    )
    network.compile(
        optimizer=keras.optimizers.Adam(rate, clipnorm=1.0),
        loss=smoothed_cross_entropy(SMOOTHING),
        jit_compile=True,
    )

    def epoch_batches(number):
        planned = plan(number)
        return Batches(len(planned), lambda n: arrays(sources, targets, *planned[n]))

    plain = smoothed_cross_entropy(0.0)

    def loss_of(these, those):
        lengths = np.array([max(len(s), len(t)) for s, t in zip(these, those, strict=True)])
        total, tokens = 0.0, 0
        for length, rows in batches_of(lengths, None):
            inputs, following = arrays(these, those, length, rows)
            real = int((following > 0).sum())
            logits = network.predict_on_batch(inputs)
            total += float(plain(following, logits)) * real
            tokens += real
        return total / tokens

    def validate():
        losses = {domain: loss_of(*sides) for domain, sides in data["validation"].items()}
        return {"score": -sum(losses.values()) / len(losses), **losses}

    recipe = {**network.options, "rounds": rounds, "parts": PARTS, "rate": RATE}
    recipe |= {"tokens": TOKENS, "smoothing": SMOOTHING, "examples": len(passes)}
    record = fit(
        network, epoch_batches, validate, folder, recipe, rounds, patience=rounds, verbose=verbose
    )
    return network, record


def encode(tokenizer, pairs):
    """Sources and first references as lists of numbers, by domain."""
    sides = {}
    for pair in pairs:
        these, those = sides.setdefault(pair.domain, ([], []))
        these.append(clean(pair.source))
        those.append(clean(pair.targets[0]))
    return {
        domain: tuple(tokenizer.encode(texts) for texts in both) for domain, both in sides.items()
    }


@app.command()
def train(
    data_dir: DataDir = None,
    input: Input = None,
    variant: Annotated[list[Variant] | None, typer.Option(help="Only these (repeatable).")] = None,
    output: Output = None,
    work_dir: WorkDir = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Default: the recipe's.")] = None,
    seed: int = 0,
    as_json: AsJson = False,
):
    """Fit the networks and write the bundle; a run that was stopped goes on."""
    if input:
        pairs = read_rows(input)
        random.Random(seed).shuffle(pairs)
        cut = max(1, len(pairs) // 10)
        validation, training, test = pairs[:cut], pairs[cut:], None
        output = output or Path("translation-model")
    else:
        data_dir = data_folder(data_dir)
        training, validation, test = (translation.read(data_dir, p) for p in translation.PARTS)
        output = output or bundle.MODELS / "translation"
    if not training:
        raise typer.BadParameter("Training needs at least two pairs.")
    texts = [clean(text) for pair in training for text in (pair.source, *pair.targets)]
    fingerprint = f"{zlib.crc32(chr(10).join(texts).encode()):08x}"
    work_dir = checkpoint_dir("translation", work_dir, data_dir) / fingerprint
    work_dir.mkdir(parents=True, exist_ok=True)
    file = work_dir / f"tokenizer_{VOCABULARY}.json"
    if not file.exists():
        SubwordTokenizer.train(texts, VOCABULARY).save(file)
    tokenizer = SubwordTokenizer.load(file)
    output.mkdir(parents=True, exist_ok=True)
    tokenizer.save(output / "tokenizer.json")
    card = _new_card(output, seed, training, validation, test)
    scored = test or validation
    dictionary = Dictionary.fit([(clean(p.source), clean(p.targets[0])) for p in training])
    dictionary.save(output)
    card["memory"] = remember(training, output)
    card["baseline"] = {
        "name": "word for word (IBM model 1)",
        "words": len(dictionary.entries),
        **scores([dictionary.translate(clean(p.source)) for p in scored], scored),
    }
    data = {"training": encode(tokenizer, training), "validation": encode(tokenizer, validation)}
    for name in variant or list(Variant):
        options = {"vocabulary": tokenizer.size, **VARIANTS[name.value]}
        count = rounds or (ROUNDS if name is Variant.attention else STUDY_ROUNDS)
        network, record = fit_network(options, data, work_dir / name.value, seed, count)
        kept = name.value not in MEASURED_ONLY
        card["variants" if kept else "study"][name.value] = _write_variant(
            output if kept else work_dir, name.value, network, record, tokenizer, validation, test
        )
        bundle.write_card(output, card)
    measured = {**card["variants"], **card["study"]}
    metrics = {name: details["bleu"] for name, details in measured.items()}
    print(json.dumps({"output": str(output), **metrics}) if as_json else f"Written to {output}.")


def read_rows(path):
    """Pairs of a TSV file: English, French, and more French references if there are any.

    Raises:
        typer.BadParameter: if the file or a row is not as it should be; the message says where.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} cannot be read as UTF-8 text: {error}") from error
    references = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        source, *targets = (cell.strip() for cell in line.split("\t"))
        if not source or not targets or not all(targets):
            raise typer.BadParameter(f"{path}, line {number}: expected English, a tab, and French.")
        references.setdefault(source, []).extend(targets)
    if not references:
        raise typer.BadParameter(f"{path} has no rows.")
    return [translation.Pair(s, tuple(t), "own") for s, t in references.items()]


def scores(written, pairs, prefix=""):
    """BLEU and chrF (0 to 100, as sacrebleu prints them) of translations, by corpus too."""
    from sacrebleu.metrics import BLEU, CHRF

    found = {}
    domains = sorted({pair.domain for pair in pairs})
    for domain in [None, *domains] if len(domains) > 1 else [None]:
        rows = [n for n, pair in enumerate(pairs) if domain in (None, pair.domain)]
        references = _references([pairs[row] for row in rows])
        name = f"_{domain}" if domain else ""
        for key, metric in (("bleu", BLEU()), ("chrf", CHRF())):
            score = metric.corpus_score([written[row] for row in rows], references).score
            found[f"{prefix}{key}{name}"] = round(score, 2)
    return found


def _references(pairs):
    """The first reference of every pair, then the second where there is one, and so on."""
    most = max(len(pair.targets) for pair in pairs)
    return [[(pair.targets[n : n + 1] or (None,))[0] for pair in pairs] for n in range(most)]


def by_length(written, pairs):
    """BLEU by the length of the English sentence, as the page draws it.

    Returns:
        List of dicts, the short sentences first: `words` (such as `"1–5"`), `bleu`, `sentences`.
    """
    lengths = np.array([len(words_of(pair.source)) for pair in pairs])
    found = []
    for least, most in zip(BUCKETS, [*(least - 1 for least in BUCKETS[1:]), None], strict=True):
        rows = np.flatnonzero((lengths >= least) & (lengths <= (most or lengths.max())))
        if len(rows):
            some = scores([written[row] for row in rows], [pairs[row] for row in rows])
            name = f"{least}–{most}" if most else f"{least}+"
            found.append({"words": name, "bleu": some["bleu"], "sentences": len(rows)})
    return found


def remember(pairs, output):
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


def signature(pairs):
    """How sacrebleu scores these pairs: version, tokenisation, smoothing, number of references."""
    from sacrebleu.metrics import BLEU

    metric = BLEU()
    metric.corpus_score([pair.targets[0] for pair in pairs], _references(pairs))
    return str(metric.get_signature())


def _new_card(output, seed, training, validation, test):
    """A card with what all variants share, and the variants that stand in `output` already."""
    before = old_card(output)
    official = test is not None
    return {
        "task": "translation",
        "title": "English to French",
        "date": date.today().isoformat(),
        "seed": seed,
        "commit": commit(),
        "data": "Tatoeba pairs (CC BY 2.0 FR, tatoeba.org) and Multi30k" if official else "own",
        "test_set": "Multi30k test 2016 and Tatoeba test pairs" if official else "validation pairs",
        "examples": len(test if official else validation),
        "training_examples": len(training),
        "validation_examples": len(validation),
        "signature": signature(test or validation),
        "licence": "Weights: Apache-2.0. Sentences: not shipped; Tatoeba CC BY 2.0 FR.",
        "limits": [
            "It has read short everyday sentences and captions of photographs: news, law and "
            "long sentences are beyond it.",
            "Names and rare words are spelt from pieces, and often wrong.",
            "Where French needs to know who speaks (tu or vous, -e or not), it guesses.",
        ],
        "variants": before.get("variants", {}),
        "study": before.get("study", {}),
    }


def _write_variant(output, name, network, record, tokenizer, validation, test):
    arrays = bundle.weights_of(network)
    tables = [path for path, array in arrays.items() if array.ndim == 2]
    held = validation if len(validation) <= 1_000 else validation[:500] + validation[-500:]
    exact = scores(_written(Predictor(network, tokenizer, {}), held), held, "validation_float32_")
    bundle.save_arrays(output / f"{name}.safetensors", arrays, int8=tables)
    # Everything is measured on the weights as they were stored.
    bundle.set_weights(network, bundle.load_arrays(output / f"{name}.safetensors"))
    predictor = Predictor(network, tokenizer, {})
    scored = test or validation
    written = _written(predictor, scored)
    details = {
        "network": network.options,
        "parameters": int(sum(np.prod(v.shape) for v in network.trainable_variables)),
        **exact,
        **scores(_written(predictor, held), held, "validation_"),
        **scores(written, scored),
        "by_length": by_length(written, scored),
        "rounds": len(record["epochs"]),
        "minutes": round(record["minutes"], 1),
        "command": f"python -m training.translation train --variant {name}",
    }
    log.info("%s: %s", name, json.dumps(details))
    return details


def _written(predictor, pairs):
    return [each.text for each in predictor.sentences([pair.source for pair in pairs])]


@app.command()
def evaluate(
    data_dir: DataDir = None,
    input: Input = None,
    variant: Annotated[Variant, typer.Option(help="Which network.")] = Variant.attention,
    model: Model = None,
    as_json: AsJson = False,
):
    """Score the shipped bundle on the two test sets, or on a file."""
    pairs = read_rows(input) if input else translation.read(data_folder(data_dir), "test")
    predictor = Predictor.load(variant.value, model)
    start = time.perf_counter()
    written = _written(predictor, pairs)
    seconds = time.perf_counter() - start
    dictionary = Dictionary.load(model or bundle.MODELS / "translation")
    plain = [dictionary.translate(clean(pair.source)) for pair in pairs]
    metrics = {
        **scores(written, pairs),
        **scores(plain, pairs, "baseline_dictionary_"),
        "sentences": len(pairs),
        "sentences_per_second": round(len(pairs) / seconds, 1),
        "signature": signature(pairs),
    }
    print_metrics(metrics, as_json)
