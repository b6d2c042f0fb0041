"""Words and word vectors of the general network, beyond those of film reviews."""

import logging
import random
from collections import Counter

import numpy as np

from shared.text import WordPieceTokenizer
from training.sentiment import recipe

log = logging.getLogger(__name__)

RIDGE = 30.0  # penalty of the map between two spaces of word vectors
NOISE = 0.1  # of new word vectors, in standard deviations of the old ones


def train_tokenizer(texts):
    """A `WordPieceTokenizer` of the words of all texts.

    Args:
        texts: Dict from source to a list of cleaned texts. Words of tweets count three times.
    """
    splitter, counts = WordPieceTokenizer.build([]), Counter()
    for source, some in texts.items():
        weight = recipe.TWEET_WEIGHT if source == "tweets" else 1
        for text in some:
            for word in splitter.split(text):
                counts[word] += weight
    return WordPieceTokenizer.train(counts, recipe.GENERAL_WORDS, recipe.GENERAL_PIECES)


def extend_vectors(tokenizer, texts, old_words, old_vectors, seed):
    """Word vectors for a larger vocabulary, in the space of a network's own.

    Skip-gram vectors (Mikolov et al. 2013) of all tokens are learned from the texts. Ridge
    regression on the words that both vocabularies have maps them to the network's space, as
    between the spaces of two languages (Mikolov, Le & Sutskever 2013). Words that the network
    knows keep their vectors.

    Args:
        tokenizer: A `WordPieceTokenizer` of the larger vocabulary.
        texts: List of cleaned texts.
        old_words: The network's vocabulary, a list.
        old_vectors: Its word vectors `(len(old_words), dimensions)`.
        seed: Integer.

    Returns:
        Array `(tokenizer.size, dimensions)`, float32.
    """
    from gensim.models import Word2Vec

    texts = random.Random(seed).sample(texts, len(texts))
    sentences = [list(map(str, numbers)) for numbers in tokenizer.encode(texts)]
    log.info("learning word vectors from %d tokens", sum(map(len, sentences)))
    model = Word2Vec(
        sentences, vector_size=128, window=6, sg=1, negative=6, sample=1e-4, epochs=2, min_count=3,
        workers=2, seed=seed,
    )  # fmt: skip
    skip_gram = np.zeros((tokenizer.size, 128 + 1), "float32")
    skip_gram[:, -1] = 1
    for row, token in enumerate(model.wv.index_to_key):
        skip_gram[int(token), :-1] = model.wv.vectors[row]
    learned = skip_gram[:, :-1].any(axis=1)
    rows = {word: row for row, word in enumerate(old_words)}
    kept = np.array([rows.get(word, -1) for word in tokenizer.words])
    both = (kept > 1) & learned
    known = skip_gram[both]
    mapping = np.linalg.solve(
        known.T @ known + RIDGE * np.eye(known.shape[1]), known.T @ old_vectors[kept[both]]
    )
    vectors = skip_gram @ mapping
    vectors[~learned] = old_vectors[kept[both]].mean(axis=0)
    vectors += np.random.default_rng(seed).normal(0, NOISE * old_vectors.std(), vectors.shape)
    vectors[kept >= 0] = old_vectors[kept[kept >= 0]]
    return vectors.astype("float32")
