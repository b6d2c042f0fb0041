"""How vectors are learned. All settings were chosen on the questions of `validation.txt`."""

VOCABULARY = 50_000  # words shipped, the most frequent
SMALL_VOCABULARY = 30_000  # of a second score; published ones often have it
MIN_VOCABULARY = 20  # of a text that vectors can be learned from
# Arguments of gensim's `Word2Vec`; `sg` 0 is CBOW, 1 skip-gram.
RECIPE = {
    "sg": 0,
    "vector_size": 300,
    "window": 8,
    "negative": 10,
    "sample": 1e-4,
    "alpha": 0.05,
    "min_count": 10,
}
EPOCHS = 5
MODELS = ("CBOW", "skip-gram")  # by the argument `sg`

# The smaller vectors of the page's slider: corpus size in words to epochs. Less text is read more
# often, as the number of epochs after which nothing more is learned depends on its size.
SIZES = {1_000_000: 15, 5_000_000: 8, 17_000_000: 5}
SIZES_RECIPE = {**RECIPE, "vector_size": 100, "min_count": 5}
SIZES_VOCABULARY = 15_000

# Rows of the study: words, epochs, and what differs from the recipe.
STUDY = (
    (5_000_000, 3, {"sg": 1, "alpha": 0.025, "negative": 8, "min_count": 5}),
    (5_000_000, 3, {"sg": 1, "negative": 8, "min_count": 5}),
    (5_000_000, 8, {"negative": 15, "min_count": 5}),
    (5_000_000, 4, {}),
    (5_000_000, 4, {"window": 4}),
    (5_000_000, 4, {"window": 16}),
    (5_000_000, 4, {"vector_size": 100}),
    (5_000_000, 4, {"phrases": True}),
)
MAP_WORDS, MAP_CLUSTERS = 5_000, 12
