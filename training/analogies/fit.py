"""Word vectors by gensim's Word2Vec, and what is made of them."""

import json
import logging
import time
import zlib

import numpy as np

from apps.analogies import scores
from apps.analogies.vectors import Vectors
from training.analogies.data import validation_questions
from training.analogies.recipe import MAP_CLUSTERS, SIZES_RECIPE, SMALL_VOCABULARY

log = logging.getLogger(__name__)
logging.getLogger("gensim").setLevel(logging.WARNING)  # it logs every step


def learn(corpus, folder, seed, epochs, workers=2, **recipe):
    """Vectors by gensim's Word2Vec. A run that was interrupted resumes after its last epoch.

    Args:
        corpus: A `Corpus`.
        folder: Path of the checkpoint: arrays, no pickle.
        seed: Integer; with two workers the order, and so the result, varies slightly.
        epochs: How often the corpus is read; the learning rate falls over all of them.
        workers: How many threads.
        recipe: Arguments of `gensim.models.Word2Vec`.

    Returns:
        List of words, the most frequent first; their vectors `(words, dimensions)`; and how many
        minutes this took.
    """
    from gensim.models import Word2Vec

    model = Word2Vec(workers=workers, seed=seed, **recipe)
    model.build_vocab_from_freq(corpus.counts, corpus_count=corpus.lines)
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, partial = folder / "checkpoint.npz", folder / "partial.npz"
    done, seconds = 0, 0.0
    if checkpoint.exists():
        with np.load(checkpoint) as arrays:
            done, seconds = int(arrays["done"]), float(arrays["seconds"])
            model.wv.vectors[:], model.syn1neg[:] = arrays["vectors"], arrays["outputs"]
        log.info("resumed after epoch %d from %s", done, folder)
    rates = np.linspace(model.alpha, model.min_alpha, epochs + 1)
    while done < epochs:
        start = time.perf_counter()
        model.train(
            corpus_file=str(corpus.path),
            total_examples=corpus.lines,
            total_words=corpus.size,
            epochs=1,
            start_alpha=float(rates[done]),
            end_alpha=float(rates[done + 1]),
        )
        seconds += time.perf_counter() - start
        done += 1
        np.savez(
            partial, done=done, seconds=seconds, vectors=model.wv.vectors, outputs=model.syn1neg
        )
        partial.replace(checkpoint)
        log.info("epoch %d of %d after %.1f minutes", done, epochs, seconds / 60)
    return list(model.wv.index_to_key), np.array(model.wv.vectors), seconds / 60


def learn_part(corpus, work_dir, seed, size, epochs):
    """Smaller vectors from the first words of a corpus; returns as `learn` does."""
    folder = work_dir / f"size-{size}-{epochs}-{checksum(SIZES_RECIPE)}"
    return learn(corpus.first(size), folder, seed, epochs, **SIZES_RECIPE)


def checksum(recipe):
    """A checksum of a recipe, in hexadecimal."""
    return f"{zlib.crc32(json.dumps(recipe, sort_keys=True).encode()):08x}"


def remove_directions(matrix, count):
    """Vectors without their mean and strongest common directions (Mu & Viswanath 2018).

    Args:
        matrix: Array `(words, dimensions)`.
        count: How many of the strongest principal directions to remove. With None the vectors
            stay as they are.
    """
    if count is None:
        return matrix
    centred = matrix - matrix.mean(axis=0)
    if count:
        _, axes = np.linalg.eigh(centred.T @ centred)
        strongest = axes[:, -count:]
        centred = centred - centred @ strongest @ strongest.T
    return centred.astype("float32")


def choose_directions(vocabulary, matrix):
    """The most directions for `remove_directions` that cost no point of validation accuracy.

    Without them cosines are closer to people's judgements of similarity (Mu & Viswanath 2018), but
    analogies may suffer.

    Returns:
        The number, or None; and a dict of the accuracy for each number.
    """
    questions, accuracy = validation_questions(), {}
    for count in (None, 0, 1, 2, 3):
        rows = remove_directions(matrix, count)[:SMALL_VOCABULARY]
        vectors = Vectors.of(vocabulary[:SMALL_VOCABULARY], rows)
        accuracy[count] = scores.total(scores.answer(vectors, questions))[0]
    best = max(accuracy.values())
    return [count for count, share in accuracy.items() if share > best - 0.01][-1], accuracy


def reduce_dimensions(matrix, dimensions):
    """Rows in their first principal directions: array `(rows, dimensions)`; not centred."""
    if matrix.shape[1] <= dimensions:
        return matrix
    _, axes = np.linalg.eigh(matrix.T @ matrix)
    return matrix @ axes[:, ::-1][:, :dimensions]


def draw_map(vectors, count, seed):
    """The most frequent words in two and three dimensions, by t-SNE (van der Maaten 2008).

    Returns:
        Dict with `flat` `(count, 2)`, `deep` `(count, 3)` and `cluster`, uint8 `(count,)`, by
        k-means.
    """
    from sklearn.cluster import KMeans
    from sklearn.manifold import TSNE

    matrix = reduce_dimensions(vectors.first(count).matrix, 50)
    options = {
        "init": "pca",
        "perplexity": min(25, (count - 1) / 3),
        "metric": "cosine",
        "random_state": seed,
    }
    clusters = KMeans(min(MAP_CLUSTERS, count), n_init=4, random_state=seed).fit_predict(matrix)
    return {
        "flat": TSNE(2, **options).fit_transform(matrix),
        "deep": TSNE(3, max_iter=300, **options).fit_transform(matrix),
        "cluster": clusters.astype("uint8"),
    }
