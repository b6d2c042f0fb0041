"""BLEU and chrF of the networks and of the word-for-word baseline."""

import time
from typing import Annotated

import numpy as np
import typer

from apps.translation.dictionary import Dictionary
from apps.translation.memory import words_of
from apps.translation.model import Translator
from apps.translation.predictor import Predictor
from shared import bundle
from shared.text import SubwordTokenizer, clean
from training import cards
from training.command import (
    AsJson,
    DataDir,
    Model,
    Save,
    WorkDir,
    checkpoint_dir,
    data_folder,
    print_metrics,
)
from training.translation import data
from training.translation.data import Input
from training.translation.recipe import WORD_GROUPS, Variant


def scores(translations, pairs, prefix=""):
    """BLEU and chrF (0 to 100, as sacrebleu prints them) of translations, and of each domain."""
    from sacrebleu.metrics import BLEU, CHRF

    values = {}
    domains = sorted({pair.domain for pair in pairs})
    for domain in [None, *domains] if len(domains) > 1 else [None]:
        rows = [n for n, pair in enumerate(pairs) if domain in (None, pair.domain)]
        references = _references([pairs[row] for row in rows])
        name = f"_{domain}" if domain else ""
        for key, metric in (("bleu", BLEU()), ("chrf", CHRF())):
            score = metric.corpus_score([translations[row] for row in rows], references).score
            values[f"{prefix}{key}{name}"] = round(score, 2)
    return values


def scores_by_length(translations, pairs):
    """BLEU of groups of sentences by the length of the English one.

    Returns:
        List of dicts, the short sentences first: `words` (such as `"1–5"`), `bleu`, `sentences`.
    """
    lengths = np.array([len(words_of(pair.source)) for pair in pairs])
    groups = []
    ends = [*(least - 1 for least in WORD_GROUPS[1:]), None]
    for least, most in zip(WORD_GROUPS, ends, strict=True):
        rows = np.flatnonzero((lengths >= least) & (lengths <= (most or lengths.max())))
        if len(rows):
            group = scores([translations[row] for row in rows], [pairs[row] for row in rows])
            name = f"{least}–{most}" if most else f"{least}+"
            groups.append({"words": name, "bleu": group["bleu"], "sentences": len(rows)})
    return groups


def signature(pairs):
    """How sacrebleu scores these pairs: version, tokenisation, smoothing, number of references."""
    from sacrebleu.metrics import BLEU

    metric = BLEU()
    metric.corpus_score([pair.targets[0] for pair in pairs], _references(pairs))
    return str(metric.get_signature())


def translate(predictor, pairs):
    """The translations of the English sides of pairs, a list of texts."""
    return [each.text for each in predictor.translate_sentences([pair.source for pair in pairs])]


def translate_word_for_word(dictionary, pairs):
    """The baseline's translations."""
    return [dictionary.translate(clean(pair.source)) for pair in pairs]


def _references(pairs):
    """The first references of all pairs, then the second ones (None where there is none), etc."""
    most = max(len(pair.targets) for pair in pairs)
    return [[(pair.targets[n : n + 1] or (None,))[0] for pair in pairs] for n in range(most)]


def evaluate(
    data_dir: DataDir = None,
    input: Input = None,
    variant: Annotated[Variant, typer.Option(help="Which network.")] = Variant.attention,
    model: Model = None,
    work_dir: WorkDir = None,
    save: Save = False,
    as_json: AsJson = False,
):
    """Score a bundle on the two test sets, or on a file. With --save, all its networks."""
    model = model or bundle.MODELS / "translation"
    pairs = data.read_rows(input) if input else data.read(data_folder(data_dir), "test")
    predictor = Predictor.load(variant.value, model)
    start = time.perf_counter()
    translations = translate(predictor, pairs)
    seconds = time.perf_counter() - start
    baseline = scores(translate_word_for_word(Dictionary.load(model), pairs), pairs)
    metrics = {
        **scores(translations, pairs),
        **{f"baseline_dictionary_{name}": value for name, value in baseline.items()},
        "sentences": len(pairs),
        "sentences_per_second": round(len(pairs) / seconds, 1),
        "signature": signature(pairs),
    }
    if save:
        predictors = _predictors(model, checkpoint_dir("translation", work_dir, data_dir))
        scores_by_variant = {}
        for name, predictor in predictors:
            translations = translate(predictor, pairs)
            by_length = scores_by_length(translations, pairs)
            scores_by_variant[name] = {**scores(translations, pairs), "by_length": by_length}
        test_set = input.name if input else "Multi30k test 2016 and Tatoeba test pairs"
        baseline = bundle.read_card(model)["baseline"] | baseline
        cards.save_scores(
            model, test_set, scores_by_variant,
            examples=len(pairs), baseline=baseline, signature=metrics["signature"],
        )  # fmt: skip
    print_metrics(metrics, as_json)


def _predictors(model, checkpoints):
    """Names and predictors of all networks of a bundle, and of those that were not shipped."""
    card = bundle.read_card(model)
    for name in card["variants"]:
        yield name, Predictor.load(name, model)
    tokenizer = SubwordTokenizer.load(model / "tokenizer.json")
    for name, details in card.get("study", {}).items():
        path = checkpoints / details.get("weights", "")
        if path.is_file():
            network = Translator(**details["network"])
            network.build(((None, None), (None, None)))
            bundle.set_weights(network, bundle.load_arrays(path))
            yield name, Predictor(network, tokenizer, {})
