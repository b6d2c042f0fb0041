"""Examples on the page: analogies, questions, groups of words, association tests."""

import random
from dataclasses import dataclass

# The name of the relation, and its three words: a is to b as c is to what?
ANALOGIES = (
    ("King and queen", "he", "she", "king"),
    ("Capital", "germany", "berlin", "france"),
    ("Nationality", "spain", "spanish", "germany"),
    ("Past tense", "go", "went", "take"),
    ("Plural", "car", "cars", "child"),
    ("Comparative", "good", "better", "bad"),
    ("Kinship", "boy", "girl", "brother"),
    ("Man : woman = king : ?", "man", "woman", "king"),
    ("Capital, the other way round", "france", "paris", "italy"),
)
PREVIEW_ANALOGY = ("he", "she", "king")  # drawn on the home page
# For each tool of the page: the texts of its one or two boxes.
TOOL_EXAMPLES = {
    "sum": ("berlin - germany + france", ""),
    "near": ("guitar", ""),
    "like": ("The doctor treated a patient.", "A physician cared for the sick."),
    "odd": ("breakfast, lunch, dinner, bicycle", ""),
    "path": ("river", "computer"),
}
OWN_LIST = (
    "dog, cat, horse, lion, mouse, sheep, apple, bread, cheese, rice, wine, "
    "car, train, bicycle, boat, aircraft, doctor, teacher, soldier, lawyer"
)
AXES = (("bad", "good"), ("small", "large"))


@dataclass(frozen=True)
class Bias:
    """An association test: two groups of words, and two attributes they may lean towards."""

    name: str
    first: tuple[str, str]
    second: tuple[str, str]
    attribute: tuple[str, str]
    contrary: tuple[str, str]
    source: str = "after Caliskan et al. 2017"


# The lists of Caliskan, Bryson & Narayanan (2017), where this vocabulary has their words.
BIASES = {
    "flowers": Bias(
        "Flowers and insects, pleasant or not",
        ("Flowers", "rose, lily, daisy, tulip, violet, orchid, iris, marigold, magnolia, poppy"),
        ("Insects", "ant, spider, bee, wasp, fly, beetle, mosquito, moth, cockroach, flea"),
        ("Pleasant", "love, peace, happy, laughter, pleasure, friend, heaven, gentle, beautiful"),
        ("Unpleasant", "hatred, ugly, filth, poison, death, disaster, evil, pain, disease, rotten"),
    ),
    "instruments": Bias(
        "Instruments and weapons, pleasant or not",
        (
            "Instruments",
            "guitar, piano, violin, flute, harp, cello, trumpet, drum, clarinet, banjo",
        ),
        ("Weapons", "gun, sword, rifle, pistol, knife, bomb, spear, cannon, dagger, missile"),
        ("Pleasant", "love, peace, happy, laughter, pleasure, friend, heaven, gentle, beautiful"),
        ("Unpleasant", "hatred, ugly, filth, poison, death, disaster, evil, pain, disease, rotten"),
    ),
    "career": Bias(
        "Men’s and women’s names, career or family",
        ("Men’s names", "john, paul, mike, kevin, steve, greg, jeff, bill"),
        ("Women’s names", "amy, joan, lisa, sarah, diana, kate, ann, donna"),
        ("Career", "executive, management, professional, corporation, salary, office, business"),
        ("Family", "home, parents, children, family, cousins, marriage, wedding, relatives"),
    ),
    "science": Bias(
        "Science and the arts, male or female",
        (
            "Science",
            "science, technology, physics, chemistry, einstein, nasa, experiment, astronomy",
        ),
        ("Arts", "poetry, art, shakespeare, dance, literature, novel, symphony, drama"),
        ("Male", "brother, father, uncle, grandfather, son, he, his, him"),
        ("Female", "sister, mother, aunt, grandmother, daughter, she, hers, her"),
    ),
    "mathematics": Bias(
        "Mathematics and the arts, male or female",
        (
            "Mathematics",
            "math, algebra, geometry, calculus, equations, computation, numbers, addition",
        ),
        ("Arts", "poetry, art, dance, literature, novel, symphony, drama, sculpture"),
        ("Male", "male, man, boy, brother, he, him, his, son"),
        ("Female", "female, woman, girl, sister, she, her, hers, daughter"),
    ),
}


def make_sample_text(sentences=4_000, seed=0):
    """A text of random sentences in which words of one kind occur in similar places.

    Animals eat their food, craftspeople use their materials. So regular a text shows in seconds
    what a book shows in minutes.

    Args:
        sentences: Number of sentences.
        seed: Of the random choices.
    """
    rng = random.Random(seed)
    kinds = (
        ("dog wolf fox lion tiger bear", "hunts eats chases catches", "meat rabbits deer mice"),
        ("cow horse sheep goat donkey", "eats finds likes chews", "grass hay clover leaves"),
        ("trout salmon shark whale seal", "swims dives lives hides", "sea river lake bay"),
        ("baker cook butcher miller brewer", "makes sells weighs keeps", "bread flour beer ham"),
        ("carpenter smith mason joiner", "builds mends saws joins", "house roof wall door"),
        ("singer drummer pianist fiddler", "plays sings learns repeats", "song dance tune scene"),
    )
    places = "in the morning, at night, every day, near the old town, on the hill, all summer"
    lines = []
    for _ in range(sentences):
        subject, verb, thing = (part.split() for part in rng.choice(kinds))
        lines.append(
            f"the {rng.choice(('young', 'old', 'quick', 'small'))} {rng.choice(subject)} "
            f"{rng.choice(verb)} the {rng.choice(thing)} {rng.choice(places.split(', '))}"
        )
    return "\n".join(lines) + "\n"
