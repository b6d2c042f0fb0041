"""Fitting the estimate of a translation's quality on the validation pairs."""

import logging

import numpy as np

from apps.translation.predictor import Predictor
from apps.translation.quality import features
from shared import bundle
from training.command import AsJson, DataDir, Model, data_folder, print_metrics
from training.translation import data

log = logging.getLogger(__name__)

POOR_CHRF = 40  # a translation below this sentence chrF is poor
FALSE_ALARMS = 0.1  # share of the other translations that may be called doubtful
MAX_PAIRS = 2_000  # as many of either corpus, the first ones
FOLDS = 5


def quality(
    data_dir: DataDir = None,
    model: Model = None,
    as_json: AsJson = False,
):
    """Fit the quality estimate of the main network on validation pairs; write it in the card."""
    model = model or bundle.MODELS / "translation"
    pairs = data.read(data_folder(data_dir), "val")
    pairs = [
        pair
        for domain in data.DOMAINS
        for pair in [each for each in pairs if each.domain == domain][: MAX_PAIRS // 2]
    ]
    predictor = Predictor.load("attention", model)
    sentences = predictor.translate_sentences([pair.source for pair in pairs])
    values = np.array([features(each, predictor.known_words) for each in sentences])
    details = fit(values, is_poor(sentences, pairs))
    card = bundle.read_card(model)
    card["variants"]["attention"]["quality"] = details
    bundle.write_card(model, card)
    print_metrics({name: value for name, value in details.items() if name != "estimate"}, as_json)


def is_poor(sentences, pairs):
    """Whether each translation is below `POOR_CHRF`, `(sentences,)`."""
    from sacrebleu.metrics import CHRF

    metric = CHRF()
    return np.array(
        [
            metric.sentence_score(sentence.text, list(pair.targets)).score < POOR_CHRF
            for sentence, pair in zip(sentences, pairs, strict=True)
        ]
    )


def fit(values, poor):
    """Fit the logistic regression.

    Args:
        values: Features `(sentences, features)`.
        poor: Booleans `(sentences,)`.

    Returns:
        What the card says: `estimate`, the arguments of `Quality`; and, measured on folds that
        were left out, the shares of the poor translations that are `caught` and of the others that
        are `false_alarms`.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    regression = make_pipeline(StandardScaler(), LogisticRegression())
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    left_out = cross_val_predict(regression, values, poor, cv=folds, method="predict_proba")[:, 1]
    threshold = float(np.quantile(left_out[~poor], 1 - FALSE_ALARMS))
    doubtful = left_out >= threshold
    scaler, classifier = (step for _, step in regression.fit(values, poor).steps)
    scale = np.where(scaler.scale_ == 0, 1, scaler.scale_)
    weights = classifier.coef_[0] / scale
    intercept = float(classifier.intercept_[0] - np.dot(weights, scaler.mean_))
    return {
        "estimate": {
            "weights": [round(float(weight), 5) for weight in weights],
            "intercept": round(intercept, 5),
            "threshold": round(threshold, 5),
        },
        "sentences": len(poor),
        "poor": round(float(poor.mean()), 4),
        "caught": round(float(doubtful[poor].mean()), 4),
        "false_alarms": round(float(doubtful[~poor].mean()), 4),
    }
