"""Scores of all models on the test sets of reviews, sentences, tweets and edited reviews."""

import logging
from typing import Annotated

import numpy as np
import typer

from apps.sentiment import suite
from apps.sentiment.model import NEUTRAL
from apps.sentiment.predictor import Predictor, ngrams_of
from shared import bundle
from shared.text import WordTokenizer
from training import cards
from training.command import AsJson, DataDir, Model, Save, data_folder, print_metrics
from training.datasets import counterfactual, imdb, sst, tweets
from training.sentiment import mixture
from training.sentiment.evaluate import calibration_error
from training.sentiment.general import macro_recall

log = logging.getLogger(__name__)

BAG = "bag of words, same texts"
BAG_FEATURES = 2**20  # words and pairs are hashed to so many columns


def read_tests(data_dir):
    """Dict from test set to its `Example`s; pairs follow each other.

    - `reviews`: the official test half of IMDb.
    - `sentences`: the test sentences of the Stanford Sentiment Treebank that are not neutral.
    - `tweets`: the test tweets of SemEval-2017 task 4A.
    - `pairs`: the development part of the counterfactual reviews, each with its original.
    """
    trees = [tree for tree in sst.read(data_dir, "test") if tree.label != 2]
    pairs = counterfactual.read(data_dir, "dev")
    return {
        "reviews": [mixture.polar_example(r.text, r.label) for r in imdb.read(data_dir, "test")],
        "sentences": [mixture.five_class_example(sst.text(tree), tree.label) for tree in trees],
        "tweets": [
            mixture.Example(tweet.text, mixture.CLASSES[tweet.label])
            for tweet in tweets.read(data_dir, "semeval2017")
            if tweet.split == "test"
        ],
        "pairs": mixture.pair_examples(pairs),
    }


def score(probabilities, examples, test):
    """The scores of a model on one test set.

    Args:
        probabilities: `(texts, 3)`, of negative, neutral and positive; neutral is 0 for models
            with two classes, which are scored on the texts that are not neutral.
        examples: List of `Example`.
        test: The name of the test set.

    Returns:
        Dict with `"accuracy"` (positive against negative) and `"ece"`, the calibration error; for
        tweets also `"macro_recall"` of the three classes, for pairs `"both"`: the share of pairs
        of which both texts are right.
    """
    truth = np.array([example.target for example in examples]).argmax(axis=1)
    polar = truth != NEUTRAL
    positive = probabilities[:, 2] / np.maximum(probabilities[:, 0] + probabilities[:, 2], 1e-9)
    correct = (positive > 0.5) == (truth == 2)
    has_neutral = probabilities[:, NEUTRAL].any()
    result = {"accuracy": float(correct[polar].mean())}
    if test == "tweets" and has_neutral:
        predicted = probabilities.argmax(axis=1)
        result["macro_recall"] = macro_recall(predicted, truth)
        result["ece"] = calibration_error(probabilities.max(axis=1), predicted == truth)
    else:
        result["ece"] = calibration_error(np.maximum(positive, 1 - positive)[polar], correct[polar])
    if test == "pairs":
        result["both"] = float(correct.reshape(-1, 2).all(axis=1).mean())
    return result


def fit_bag(data_dir, seed=0):
    """A bag of words and word pairs for three classes, fitted to what the general network reads.

    Returns:
        Function of a list of texts that gives probabilities `(texts, 3)`.
    """
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import SGDClassifier

    training, _ = mixture.read(data_dir, seed)
    splitter = WordTokenizer.build([])
    counter = HashingVectorizer(
        analyzer=lambda text: ngrams_of(splitter.split(text)), n_features=BAG_FEATURES, binary=True
    )
    counts = mixture_counts(training)
    examples = mixture.sample_epoch(training, counts, 0, seed)
    examples = [example for example in examples if not example.polar]
    targets = [int(np.argmax(example.target)) for example in examples]
    log.info("fitting a bag of words to %d texts", len(examples))
    model = SGDClassifier(loss="log_loss", alpha=1e-6, random_state=seed)
    model.fit(counter.transform([example.text for example in examples]), targets)
    return lambda texts: model.predict_proba(counter.transform(texts))


def mixture_counts(training):
    """How many examples of each source the bag of words reads: all of them, and templates."""
    return {source: len(examples) for source, examples in training.items()} | {"templates": 40_000}


def sources(
    data_dir: DataDir = None,
    model: Model = None,
    network: Annotated[
        list[str] | None,
        typer.Option(help=f"Only these (repeatable); {BAG!r} is the bag of words."),
    ] = None,
    test: Annotated[
        list[str] | None, typer.Option(help="Only these test sets (repeatable).")
    ] = None,
    save: Save = False,
    as_json: AsJson = False,
):
    """Score every network, and a bag of words, on reviews, sentences, tweets and edited reviews."""
    model, folder = model or bundle.MODELS / "sentiment", data_folder(data_dir)
    tests = {name: some for name, some in read_tests(folder).items() if not test or name in test}
    metrics = {}
    for name in network or [*bundle.read_card(model)["variants"], BAG]:
        predict = fit_bag(folder) if name == BAG else Predictor.load(name, model).predict_classes
        metrics[name] = {
            test: score(predict([example.text for example in examples]), examples, test)
            for test, examples in tests.items()
        }
        if name == BAG:
            probabilities = predict([case.text for case in suite.read()])
            positive = probabilities[:, 2] / (probabilities[:, 0] + probabilities[:, 2])
            metrics[name]["suite"] = suite.accuracies(positive)
        log.info("%s: %s", name, metrics[name])
    if save:
        card = bundle.read_card(model)
        old = card.get("sources", {})
        card["sources"] = old | {name: old.get(name, {}) | new for name, new in metrics.items()}
        cards.write(model, card)
        on_reviews = {
            name: {score: new["reviews"][score] for score in ("accuracy", "ece")}
            for name, new in metrics.items()
            if "reviews" in new and name in card["variants"]
        }
        cards.save_scores(model, "official test split", on_reviews)
    print_metrics(metrics, as_json)
