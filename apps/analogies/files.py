"""Files to download: the map, and vectors for other tools."""

from shared import tables


def write_map(word_map, path):
    """Write a CSV with the place and the cluster of each word of a `WordMap`."""
    names = ["x", "y", "z"][: word_map.points.shape[1]]
    rows = [
        [word, *point, cluster]
        for word, point, cluster in zip(
            word_map.words,
            word_map.points.round(4).tolist(),
            word_map.clusters.tolist(),
            strict=True,
        )
    ]
    tables.write(path, ["word", *names, "cluster"], rows)


def write_projector(words, matrix, vectors_path, words_path):
    """Write two TSVs as the Embedding Projector takes them.

    Args:
        words: List of words.
        matrix: Array `(words, dimensions)`.
        vectors_path, words_path: Where to write.
    """
    lines = ("\t".join(f"{value:.5f}" for value in row) for row in matrix)
    vectors_path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    words_path.write_text("\n".join(words) + "\n", encoding="utf-8")


def write_vectors(vectors, path):
    """Write `Vectors` in word2vec's text format."""
    with path.open("w", encoding="utf-8") as file:
        file.write(f"{len(vectors)} {vectors.matrix.shape[1]}\n")
        for word, row in zip(vectors.words, vectors.matrix, strict=True):
            file.write(f"{word} {' '.join(f'{value:.5f}' for value in row)}\n")
