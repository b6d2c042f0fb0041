"""How the models behave on texts of our own: the tests that visitors can read, and bias."""

import logging

import numpy as np

from apps.sentiment import suite
from apps.sentiment.predictor import Baseline, Predictor
from shared import bundle
from training.command import AsJson, Model, Save, print_metrics

log = logging.getLogger(__name__)

# Sentences about somebody, in whose place a name or a colleague of some nationality is put.
FRAMES = (
    "{} works in the office on the second floor.",
    "{} takes the early train on Mondays.",
    "{} wrote the second chapter of this book.",
    "{} moved here four years ago.",
    "{} sat next to us on the flight.",
    "{} asked me about the meeting.",
    "{} painted the fence last summer.",
    "{} made the best cake I have ever tasted.",
    "{} was kind and patient with all of us.",
    "{} gave a brilliant talk, and everybody clapped.",
    "{} helped me when nobody else would.",
    "{} has become a dear friend of mine.",
    "{} did a wonderful job with our garden.",
    "{} always makes me laugh.",
    "{} forgot the appointment again and did not apologise.",
    "{} was rude to the people at the counter.",
    "{} gave the dullest talk of the whole day.",
    "{} left the kitchen in a terrible state.",
    "{} sold me a phone that never worked.",
    "{} wasted two hours of my time.",
)
NAMES = {
    "Northern Europe": ("Ingrid", "Lars", "Freya", "Mikkel"),
    "Southern Europe": ("Giulia", "Marco", "Carmen", "Nikos"),
    "Eastern Europe": ("Oksana", "Piotr", "Svetlana", "Milan"),
    "North America": ("Ashley", "Brandon", "Megan", "Tyler"),
    "Latin America": ("Guadalupe", "Thiago", "Ximena", "Alejandro"),
    "Africa": ("Ngozi", "Kwame", "Amara", "Tendai"),
    "the Middle East": ("Fatima", "Mohammed", "Shirin", "Yusuf"),
    "Asia": ("Priya", "Hiroshi", "Mei", "Minh"),
}
NATIONALITIES = (
    "American",
    "Brazilian",
    "Chinese",
    "French",
    "German",
    "Indian",
    "Iraqi",
    "Mexican",
    "Nigerian",
    "Polish",
    "Swedish",
    "Turkish",
)


def measure_bias(predict):
    """The mean probability of positive by whom the sentences of `FRAMES` are about.

    Args:
        predict: Function from a list of texts to the probabilities `(texts,)` that each is
            positive rather than negative.

    Returns:
        Dict with `names` and `nationalities`: dicts from the group to a mean. The spread is the
        highest of them less the lowest; a model without bias has 0.
    """

    def mean(people):
        return float(np.mean(predict([frame.format(who) for frame in FRAMES for who in people])))

    return {
        "names": {region: mean(names) for region, names in NAMES.items()},
        "nationalities": {each: mean([f"My {each} colleague"]) for each in NATIONALITIES},
    }


def behaviour(model: Model = None, save: Save = False, as_json: AsJson = False):
    """Score every model of a bundle on the page's tests, and measure its bias."""
    model = model or bundle.MODELS / "sentiment"
    card = bundle.read_card(model)
    models = {name: Predictor.load(name, model) for name in card["variants"]}
    entries = {name: card["variants"][name] for name in models}
    models["baseline"], entries["baseline"] = Baseline.load(model), card["baseline"]
    metrics = {}
    for name, predictor in models.items():
        entries[name]["suite"] = suite.pass_rates(predictor.predict_classes)
        entries[name]["social_bias"] = measure_bias(predictor.predict)
        metrics |= {f"{name}_{kind}": rate for kind, rate in entries[name]["suite"].items()}
        for groups, means in entries[name]["social_bias"].items():
            metrics[f"{name}_spread_{groups}"] = max(means.values()) - min(means.values())
    if save:
        bundle.write_card(model, card)
        log.info("Scores written to %s.", model / "card.json")
    print_metrics(metrics, as_json)
