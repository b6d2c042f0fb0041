"""The counting baseline: factorised positive pointwise mutual information."""

import numpy as np


def ppmi_svd(corpus, vocabulary, dimensions=300, window=4, seed=0):
    """Positive pointwise mutual information, factorised (Levy et al. 2015).

    Context counts are raised to the power 0.75, left singular vectors are multiplied by the root of
    their singular values, and pairs that occur once are left out.

    Args:
        corpus: A `Corpus`.
        vocabulary: List of words to count.
        dimensions: Of the vectors.
        window: Words to each side that count as context.
        seed: Integer, of the randomised decomposition.

    Returns:
        Array `(words, dimensions)`.
    """
    from scipy.sparse import csr_matrix
    from sklearn.utils.extmath import randomized_svd

    index = {word: n for n, word in enumerate(vocabulary)}
    size = len(index)
    counts = csr_matrix((size, size), dtype="float32")
    for tokens in _chunks(corpus, index):
        keys = np.concatenate(
            [
                np.minimum(left, right) * size + np.maximum(left, right)
                for left, right in ((tokens[:-n], tokens[n:]) for n in range(1, window + 1))
                for left, right in [_select_known(left, right)]
            ]
        )
        keys, times = np.unique(keys, return_counts=True)
        part = csr_matrix((times.astype("float32"), (keys // size, keys % size)), (size, size))
        counts = counts + part
    counts = counts + counts.T
    counts.data[counts.data < 2] = 0
    counts.eliminate_zeros()
    rows = np.asarray(counts.sum(axis=1)).ravel()
    columns = rows**0.75
    counts = counts.tocoo()
    information = np.log(counts.data * columns.sum() / (rows[counts.row] * columns[counts.col]))
    known = information > 0
    matrix = csr_matrix((information[known], (counts.row[known], counts.col[known])), (size, size))
    left, singular, _ = randomized_svd(
        matrix, min(dimensions, size - 1), n_iter=3, random_state=seed
    )
    return (left * np.sqrt(singular)).astype("float32")


def _chunks(corpus, index, size=4_000_000):
    """The corpus as arrays of word numbers, −1 for other words and between paragraphs."""
    tokens = []
    with corpus.path.open(encoding="utf-8") as lines:
        for line in lines:
            tokens += [index.get(word, -1) for word in line.split()]
            tokens += [-1] * 4
            if len(tokens) >= size:
                yield np.array(tokens)
                tokens = []
    yield np.array(tokens)


def _select_known(left, right):
    known = (left >= 0) & (right >= 0)
    return left[known], right[known]
