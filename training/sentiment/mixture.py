"""The texts that the general network learns from: reviews, phrases, sentences, tweets, templates.

Every source gives `Example`s. What the official test sets contain is left out of all of them.
"""

import random
from typing import NamedTuple

import numpy as np

from apps.sentiment import suite
from training.datasets import counterfactual, imdb, sst, tweets
from training.sentiment import templates

NEGATIVE, NEUTRAL, POSITIVE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
CLASSES = (NEGATIVE, NEUTRAL, POSITIVE)
VALIDATION_SHARE = 0.05  # of the tweets without an official split
EMOTICON_ACCURACY = 0.85  # assumed share of right labels among those from emoticons
TYPO_SHARE = 0.1  # of short texts that get a typo, other ones in each epoch


class Example(NamedTuple):
    """A text and what is known of its class.

    Attributes:
        text: A cleaned text.
        target: The probabilities of negative, neutral and positive.
        polar: Whether the label says nothing about neutral texts, so that only negative and
            positive are compared.
    """

    text: str
    target: tuple[float, float, float]
    polar: bool = False


def read(data_dir, seed=0):
    """Training and validation examples.

    Args:
        data_dir: Folder of corpora.
        seed: Integer: which reviews, pairs and tweets are for validation.

    Returns:
        Two dicts from source to a list of `Example`. Counterfactual pairs follow each other. The
        unlabelled reviews are not among them: see `label_reviews`.
    """
    rng = random.Random(seed)
    reviews, held_out = imdb.split_by_movie(imdb.read(data_dir, "train"), 0.1, seed)
    test_texts = {review.text for review in imdb.read(data_dir, "test")}
    training, validation = {}, {}

    # Originals come from both halves of IMDb. Neither a test review nor its edited version is
    # learned, and those of validation reviews are for validation.
    texts_held_out = {review.text for review in held_out}
    pairs = [p for p in counterfactual.read(data_dir, "train") if p.original not in test_texts]
    training["pairs"] = pair_examples(p for p in pairs if p.original not in texts_held_out)
    validation["pairs"] = pair_examples(p for p in pairs if p.original in texts_held_out)
    scored = {pair.original for pair in counterfactual.read(data_dir, "dev")}

    training["reviews"] = [polar_example(r.text, r.label) for r in reviews if r.text not in scored]
    validation["reviews"] = [polar_example(review.text, review.label) for review in held_out]

    trees = sst.read(data_dir, "train")
    training["sentences"] = [five_class_example(sst.text(tree), tree.label) for tree in trees]
    validation["sentences"] = [
        five_class_example(sst.text(tree), tree.label) for tree in sst.read(data_dir, "dev")
    ]
    phrases = {phrase for tree in trees for node in tree.children for phrase in sst.phrases(node)}
    training["phrases"] = [five_class_example(*phrase) for phrase in sorted(phrases)]

    semeval = tweets.read(data_dir, "semeval2017")
    for part, split in ((training, "train"), (validation, "val")):
        part["tweets"] = [Example(t.text, CLASSES[t.label]) for t in semeval if t.split == split]
    test_tweets = {tweet.text for tweet in semeval if tweet.split != "train"}
    for source, corpus in (("airline", "airline"), ("emoticons", "sentiment140_50k")):
        examples = [
            Example(tweet.text, CLASSES[tweet.label]) if source == "airline" else _noisy(tweet)
            for tweet in tweets.read(data_dir, corpus)
        ]
        rng.shuffle(examples)
        count = int(VALIDATION_SHARE * len(examples))
        validation[source], training[source] = examples[:count], examples[count:]
    for source in ("tweets", "airline", "emoticons"):  # people repeat what others tweet
        training[source] = [e for e in training[source] if e.text not in test_tweets]
    return training, validation


def _noisy(tweet):
    """An example labelled by its emoticon, which is wrong in some."""
    positive = EMOTICON_ACCURACY if tweet.label else round(1 - EMOTICON_ACCURACY, 2)
    return Example(tweet.text, (round(1 - positive, 2), 0.0, positive), polar=True)


def polar_example(text, label):
    return Example(text, POSITIVE if label else NEGATIVE)


def five_class_example(text, label):
    """An example from a label from 0 to 4."""
    return Example(text, CLASSES[(label > 1) + (label > 2)])


def pair_examples(pairs):
    return [
        polar_example(text, label)
        for pair in pairs
        for text, label in ((pair.original, pair.label), (pair.edited, 1 - pair.label))
    ]


def label_reviews(texts, probabilities):
    """Examples of unlabelled reviews, with a teacher's probabilities that they are positive."""
    return [
        Example(text, (1 - float(p), 0.0, float(p)), polar=True)
        for text, p in zip(texts, probabilities, strict=True)
    ]


def sample_epoch(training, counts, epoch, seed=0):
    """The examples of an epoch.

    Args:
        training: Dict from source to examples.
        counts: Dict from source to how many examples an epoch has of it, which may be more than
            there are. For `"templates"`, new texts are generated in each epoch.
        epoch, seed: Integers.

    Returns:
        List of `Example`, in the order of the sources.
    """
    rng = random.Random(f"{seed} {epoch}")
    chosen = []
    for source, count in counts.items():
        if source == "templates":
            classes = dict(zip(tweets.LABELS, CLASSES, strict=True))
            generated = templates.generate(count, seed=rng.randrange(2**31))
            test_texts = {_letters(case.text) for case in suite.read()}
            examples = [
                Example(text, classes[label])
                for text, label, _ in generated
                if _letters(text) not in test_texts
            ]
        else:
            examples, whole = training[source], count // len(training[source])
            examples = examples * whole + rng.sample(examples, count - whole * len(examples))
        if source not in ("reviews", "unlabelled", "pairs", "templates"):
            examples = [
                e._replace(text=add_typo(e.text, rng)) if rng.random() < TYPO_SHARE else e
                for e in examples
            ]
        chosen += examples
    return chosen


def _letters(text):
    """The letters of a text, to compare texts by."""
    return "".join(filter(str.isalpha, text.lower()))


def add_typo(text, rng):
    """A text with two letters of a word exchanged, or one left out, doubled or replaced."""
    words = text.split(" ")
    places = [n for n, word in enumerate(words) if len(word) > 3 and word.isalpha()]
    if not places:
        return text
    place = rng.choice(places)
    word, n = words[place], rng.randrange(1, len(words[place]) - 1)
    words[place] = rng.choice(
        [
            word[:n] + word[n + 1] + word[n] + word[n + 2 :],
            word[:n] + word[n + 1 :],
            word[:n] + word[n] + word[n:],
            word[:n] + rng.choice("aeinorst") + word[n + 1 :],
        ]
    )
    return " ".join(words)


def targets_of(examples):
    """Labels for `SentimentNetwork.compute_loss`, float32 `(examples, 4)`."""
    return np.array([(*example.target, example.polar) for example in examples], "float32")
