"""The baseline: logistic regression on n-grams, weighted as by naive Bayes."""

import numpy as np

from apps.sentiment import suite
from apps.sentiment.predictor import Baseline, ngrams_of
from shared import bundle
from training.sentiment import recipe
from training.sentiment.data import labels_of
from training.sentiment.evaluate import fit_temperature, scores


def fit_bag(training, tokenizer, max_words=2, min_reviews=3):
    """Naive-Bayes-weighted logistic regression on n-grams (Wang & Manning 2012).

    Args:
        training: List of reviews.
        tokenizer: Splits the texts.
        max_words: Words of the longest n-gram.
        min_reviews: How many reviews must contain an n-gram; fewer if there are few reviews.

    Returns:
        scikit-learn's counter of n-grams; how often each occurs in reviews (plus one for each
        label); their weights; and the bias, all in log-odds.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    counter = CountVectorizer(
        analyzer=lambda text: ngrams_of(tokenizer.split(text), max_words),
        min_df=min(min_reviews, len(training) // 100 + 1),
        binary=True,
    )
    counts = counter.fit_transform([review.text for review in training])
    labels = labels_of(training)
    positive = 1 + np.asarray(counts[labels == 1].sum(axis=0)).ravel()
    negative = 1 + np.asarray(counts[labels == 0].sum(axis=0)).ravel()
    ratio = np.log((positive / positive.sum()) / (negative / negative.sum()))
    regression = LogisticRegression(C=0.1, solver="liblinear")
    regression.fit(counts.multiply(ratio).tocsr(), labels)
    return counter, positive + negative, regression.coef_[0] * ratio, regression.intercept_[0]


def fit_baseline(training, tokenizer):
    """The bag of words that the site shows: the words and pairs that matter most.

    Args:
        training: List of reviews.
        tokenizer: Splits the texts.

    Returns:
        Dict from n-gram to weight, and the bias.
    """
    counter, counts, weights, bias = fit_bag(training, tokenizer)
    names = counter.get_feature_names_out()
    strongest = np.argsort(-np.abs(weights) * np.sqrt(counts))[: recipe.BASELINE_NGRAMS]
    ordered = sorted(strongest, key=lambda n: names[n])
    return {names[n]: float(weights[n]) for n in ordered}, float(bias)


def write_baseline(output, tokenizer, weights, bias, validation, minutes):
    """Write the baseline into a bundle; returns what the card says of it."""
    bundle.save_arrays(
        output / "baseline.safetensors", {"weights": np.array(list(weights.values()), "float32")}
    )
    (output / "baseline.txt").write_text("\n".join(weights) + "\n", encoding="utf-8")
    labels = labels_of(validation)
    probabilities = Baseline(weights, bias, 1.0, tokenizer).predict([r.text for r in validation])
    log_odds = np.log(probabilities) - np.log1p(-probabilities)
    temperature = fit_temperature(log_odds, labels)
    baseline = Baseline(weights, bias, temperature, tokenizer)
    return {
        "name": "NB-weighted logistic regression",
        "ngrams": len(weights),
        "bias": bias,
        "temperature": temperature,
        **scores(baseline.predict([review.text for review in validation]), labels),
        "suite": suite.accuracies(baseline.predict([case.text for case in suite.read()])),
        "minutes": round(minutes, 1),
    }
