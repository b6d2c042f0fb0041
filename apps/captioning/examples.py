"""References for the example photos, and the scores of a caption against them."""

from apps.captioning.scores import Cider, score_captions, split_words
from shared.photos import EXAMPLES

FIRST = "running"  # the example with which the page opens

# Five captions of each photo, written for this page in the style of Flickr8k.
REFERENCES = {
    "running": (
        EXAMPLES["running"].description,
        "A spotted wild cat runs very fast through the grass.",
        "A cheetah sprints over a brown field.",
        "A big cat with black spots is running.",
        "The animal is running so fast that the ground behind it is a blur.",
    ),
    "portrait": (
        EXAMPLES["portrait"].description,
        "A cheetah with yellow eyes looks into the camera.",
        "A spotted wild cat stares straight ahead.",
        "The head of a cheetah in front of a dark background.",
        "A big cat with black lines down its face is looking at the camera.",
    ),
    "lion": (
        EXAMPLES["lion"].description,
        "A male lion rests on a large rock in the sun.",
        "A lion sits on a stone and another lies behind it.",
        "Two lions are resting on a big brown rock.",
        "A big lion looks at the camera with its paws over the edge of a rock.",
    ),
    "temple": (
        EXAMPLES["temple"].description,
        "A tall building with many roofs is surrounded by trees.",
        "A pagoda with green and yellow roofs overlooks the water.",
        "An old temple on a hill with boats on the lake behind it.",
        "A red tower with curved roofs stands among trees near a lake.",
    ),
    "tower": (
        EXAMPLES["tower"].description,
        "The tower is shining yellow against a blue sky.",
        "A tall tower with lights seen from below.",
        "A lit tower behind the branches of a tree.",
        "A high metal tower stands in front of a dark blue sky.",
    ),
    "flower": (
        EXAMPLES["flower"].description,
        "A large orange flower is in full bloom.",
        "A close up of a round flower with many petals.",
        "An orange flower with another one below it.",
        "A single flower stands out against a dark background.",
    ),
    "bus": (
        EXAMPLES["bus"].description,
        "A small red toy bus with blue windows.",
        "A red cartoon bus is smiling.",
        "A picture of a red bus on a white background.",
        "A red bus with four wheels and a happy face.",
    ),
}


def score_example(text, key):
    """Score a caption of an example, and each of its references against the other references.

    One sentence is not a test set: BLEU-4 is 0 unless four of its words in a row occur in a
    reference. CIDEr-D weighs words by the number of these examples that they describe.

    Args:
        text: The caption.
        key: Key of the example in `REFERENCES`.

    Returns:
        Two dicts as from `score_captions`: the scores of the caption, and the mean scores of the
        five references, each against the other four.
    """
    tokens = [[split_words(line) for line in lines] for lines in REFERENCES.values()]
    cider = Cider(tokens)

    def score(line, others):
        words = [split_words(line)], [[split_words(other) for other in others]]
        value = round(float(cider.score_each(*words)[0]), 4)
        return {**score_captions([line], [others]), "cider": value}

    lines = REFERENCES[key]
    people = [score(line, lines[:n] + lines[n + 1 :]) for n, line in enumerate(lines)]
    mean = {name: sum(scores[name] for scores in people) / len(people) for name in people[0]}
    return score(text, lines), mean
