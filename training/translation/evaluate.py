"""BLEU and chrF of the networks and of the word-for-word baseline."""

import re
import time
from dataclasses import replace
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
from training.translation import data, phrases, variations
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


def short_inputs(predictor):
    """The share of `sets/short.tsv` that is translated as one of its answers says, and the others.

    Capitals and punctuation make no difference.
    """
    rows = _set("short")
    found = predictor.translate_all([row[0] for row in rows])
    wrong = [
        (english, translation.text)
        for (english, *answers), translation in zip(rows, found, strict=True)
        if _plain(translation.text) not in set(map(_plain, answers))
    ]
    return 1 - len(wrong) / len(rows), wrong


def copied_inputs(predictor):
    """The share of `sets/copied.tsv` whose figures and addresses all stand in the answer.

    Returns:
        The share, and the (English, French) of the others.
    """
    rows = _set("copied")
    found = predictor.translate_all([row[1] for row in rows])
    wrong = [
        (english, translation.text)
        for (_, english, *forms), translation in zip(rows, found, strict=True)
        if not all(_spaced(form) in _spaced(translation.text) for form in forms)
    ]
    return 1 - len(wrong) / len(rows), wrong


def travellers_inputs(predictor):
    """(kind, English, French) of `sets/travellers.tsv`, to be read."""
    rows = _set("travellers")
    found = predictor.translate_all([english for _, english in rows])
    return [(*row, translation.text) for row, translation in zip(rows, found, strict=True)]


def with_typos(pairs):
    """Pairs with one typo in the English."""
    rng = np.random.default_rng(0)
    return [replace(pair, source=variations.with_typo(pair.source, rng)) for pair in pairs]


def _set(name):
    text = (phrases.SETS / f"{name}.tsv").read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines()]


def _spaced(text):
    return " ".join(text.split())


def _plain(text):
    return re.sub(r"[\s.,;:!?…\"«»]+", " ", text.lower().replace("’", "'")).strip()


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
    show: Annotated[bool, typer.Option(help="Print our own sentences and their answers.")] = False,
):
    """Score a bundle on the two test sets and on ours, or on a file. With --save, all its networks.

    Our own sets, in `sets`, are short inputs, sentences with something to copy, and travellers'
    sentences, which are printed to be read.
    """
    model = model or bundle.MODELS / "translation"
    pairs = data.read_rows(input) if input else data.read(data_folder(data_dir), "test")
    predictor = Predictor.load(variant.value, model)
    start = time.perf_counter()
    translations = translate(predictor, pairs)
    seconds = time.perf_counter() - start
    own = {} if input else _own_scores(predictor, pairs, show)
    baseline = scores(translate_word_for_word(Dictionary.load(model), pairs), pairs)
    metrics = {
        **scores(translations, pairs),
        **own,
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
            model, test_set, scores_by_variant, **({"own": own} if own else {}),
            examples=len(pairs), baseline=baseline, signature=metrics["signature"],
        )  # fmt: skip
    print_metrics(metrics, as_json)


def _own_scores(predictor, pairs, show):
    """Shares of our own sets, and BLEU with a typo in each sentence of both test sets."""
    short, wrong_short = short_inputs(predictor)
    copied, wrong_copied = copied_inputs(predictor)
    if show:
        for rows in (wrong_short, wrong_copied, travellers_inputs(predictor)):
            print("\n".join(" | ".join(row) for row in rows), end="\n\n")
    parts = [[pair for pair in pairs if pair.domain == domain][:500] for domain in data.DOMAINS]
    typed = [pair for part in parts for pair in part]
    exact = scores(translate(predictor, typed), typed)["bleu"]
    with_typo = scores(translate(predictor, with_typos(typed)), typed)["bleu"]
    return {
        "short_exact": round(short, 4),
        "copied_kept": round(copied, 4),
        "bleu_kept_with_typos": round(with_typo / exact, 4) if exact else 0.0,
    }


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
