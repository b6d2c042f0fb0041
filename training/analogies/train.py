"""Word vectors and analogies: `python -m training.analogies train|evaluate|sizes|study`.

`train` reads Wikipedia and the film reviews, learns CBOW vectors with gensim, packs the most
frequent words at four bits a number, scores them on Google's questions and WordSim-353 as they are
stored, and writes `models/analogies`. `evaluate` scores the shipped bundle, or a file of vectors.
`sizes` learns the smaller vectors of the page's slider again, from less text. `study` compares
architectures, windows, dimensions and phrases for the card.
"""

import json
import logging
import random
import time
import zlib
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from apps.analogies import scores
from apps.analogies import vectors as store
from apps.analogies.vectors import Vectors
from shared import bundle, quantize
from shared.text import plain_words
from training.cards import old_card
from training.command import (
    AsJson,
    DataDir,
    Model,
    Output,
    WorkDir,
    checkpoint_dir,
    commit,
    data_folder,
    print_metrics,
)
from training.datasets import words

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)
log = logging.getLogger(__name__)
logging.getLogger("gensim").setLevel(logging.WARNING)  # it tells of every step

LEAST_WORDS = 20  # of a vocabulary worth learning
VOCABULARY = 50_000  # words shipped, the most frequent
SMALL_VOCABULARY = 30_000  # of the second score, as published ones often are
# Chosen on the questions of `validation.txt`, never on the test.
RECIPE = {
    "sg": 0,  # CBOW
    "vector_size": 300,
    "window": 8,
    "negative": 10,
    "sample": 1e-4,
    "alpha": 0.05,
    "min_count": 10,
}
EPOCHS = 5
# What the page's slider over corpus sizes shows: words and epochs, in fewer dimensions. Less text
# is read more often: where nothing more is learned depends on its size.
SIZES = {1_000_000: 15, 5_000_000: 8, 17_000_000: 5}
SMALL_RECIPE = {**RECIPE, "vector_size": 100, "min_count": 5}
SMALL_WORDS = 15_000
# Rows of the study: words, epochs, what differs from the recipe.
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
MAPPED, CLUSTERS = 5_000, 12
MODELS = ("CBOW", "skip-gram")  # by the argument `sg`


def write_corpus(paragraphs, path, seed):
    """Write paragraphs in a shuffled order, a line each, and count their words.

    Shuffled, so that the first lines are a fair sample of all: `Corpus.first`.

    Args:
        paragraphs: Iterable of lists of words.
        path: File to write.
        seed: Integer, of the order.

    Returns:
        A `Corpus`.
    """
    lines = [" ".join(paragraph) + "\n" for paragraph in paragraphs]
    random.Random(seed).shuffle(lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as file:
        file.writelines(lines)
    partial.replace(path)
    return Corpus.read(path)


@dataclass(frozen=True, eq=False)
class Corpus:
    """A file of paragraphs, a line each, its words separated by spaces.

    Attributes:
        path: The file.
        counts: Dict from word to how often it stands there.
        lines: How many paragraphs there are.
    """

    path: Path
    counts: dict
    lines: int

    @property
    def size(self):
        """How many words there are."""
        return sum(self.counts.values())

    @classmethod
    def read(cls, path):
        counts, lines = Counter(), 0
        with path.open(encoding="utf-8") as file:
            for line in file:
                counts.update(line.split())
                lines += 1
        return cls(path, counts, lines)

    def first(self, size):
        """The first lines, up to `size` words, as a corpus of its own."""
        path = self.path.with_name(f"corpus-{size}.txt")
        if not path.exists():
            total = 0
            partial = path.with_suffix(".partial")
            with self.path.open(encoding="utf-8") as lines, partial.open("w") as file:
                for line in lines:
                    total += line.count(" ") + 1
                    if total > size:
                        break
                    file.write(line)
            partial.replace(path)
        return Corpus.read(path)


def with_phrases(corpus):
    """The same corpus with pairs of words that belong together as one: new_york.

    Pairs that stand together 20 times or more, and ten times as often as their words would by
    chance (Mikolov et al. 2013, equation 6).
    """
    from gensim.models.phrases import ENGLISH_CONNECTOR_WORDS, Phrases
    from gensim.models.word2vec import LineSentence

    path = corpus.path.with_name(f"{corpus.path.stem}-phrases.txt")
    if not path.exists():
        sentences = LineSentence(str(corpus.path), max_sentence_length=1_000_000)
        phrases = Phrases(
            sentences, min_count=20, threshold=10, connector_words=ENGLISH_CONNECTOR_WORDS
        ).freeze()
        partial = path.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as file:
            file.writelines(" ".join(phrases[words]) + "\n" for words in sentences)
        partial.replace(path)
    return Corpus.read(path)


def learn(corpus, folder, seed, epochs, workers=2, **recipe):
    """Vectors by gensim's Word2Vec, epoch by epoch: a run that was stopped goes on.

    Args:
        corpus: A `Corpus`.
        folder: Path of the checkpoint: arrays, no pickle.
        seed: Integer; with two workers the order, and so the result, varies slightly.
        epochs: How often the corpus is read, the learning rate falling over all of them.
        workers: How many threads.
        recipe: Arguments of `gensim.models.Word2Vec`.

    Returns:
        List of words, the most frequent first, their vectors `(words, dimensions)`, and the minutes
        that it took.
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


def validation_questions():
    """Questions for choosing settings: every two pairs of a line of the file beside this one."""
    lines = Path(__file__).with_name("validation.txt").read_text(encoding="utf-8")
    sections = {}
    for line in lines.splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, rest = line.partition(":")
            pairs = [tuple(pair.split()) for pair in rest.split(",")]
            sections[name] = [(a, b, c, d) for a, b in pairs for c, d in pairs if a != c and b != d]
    return sections


def finish(matrix, directions):
    """Vectors without their mean and strongest common directions (Mu & Viswanath 2018).

    Args:
        matrix: Array `(words, dimensions)`.
        directions: How many of the strongest principal directions to remove; None leaves all as is.
    """
    if directions is None:
        return matrix
    centred = matrix - matrix.mean(axis=0)
    if directions:
        _, axes = np.linalg.eigh(centred.T @ centred)
        strongest = axes[:, -directions:]
        centred = centred - centred @ strongest @ strongest.T
    return centred.astype("float32")


def choose_finish(vocabulary, matrix):
    """The most directions for `finish` that cost no point of validation accuracy.

    Without them cosines tell likeness better (Mu & Viswanath 2018), but analogies may suffer.

    Returns:
        The number, or None, and a dict of all accuracies.
    """
    questions = validation_questions()
    tried = {}
    for directions in (None, 0, 1, 2, 3):
        finished = finish(matrix, directions)[:SMALL_VOCABULARY]
        vectors = Vectors.of(vocabulary[:SMALL_VOCABULARY], finished)
        tried[directions] = scores.total(scores.answer(vectors, questions))[0]
    best = max(tried.values())
    return [number for number, share in tried.items() if share > best - 0.01][-1], tried


def reduce(matrix, dimensions):
    """Rows in their first principal directions: array `(rows, dimensions)`; not centred."""
    if matrix.shape[1] <= dimensions:
        return matrix
    _, axes = np.linalg.eigh(matrix.T @ matrix)
    return matrix @ axes[:, ::-1][:, :dimensions]


def ppmi_svd(corpus, vocabulary, dimensions=300, window=4, seed=0):
    """The counting baseline: positive pointwise mutual information, factorised (Levy et al. 2015).

    Context counts are smoothed by the power 0.75, left vectors weighted by the root of the
    singular values, pairs met once left out.

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
                for left, right in [_both_known(left, right)]
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


def _both_known(left, right):
    known = (left >= 0) & (right >= 0)
    return left[known], right[known]


def paragraph_counts(corpus, vocabulary):
    """In how many paragraphs each word stands: int32 `(words,)`."""
    counts = Counter()
    with corpus.path.open(encoding="utf-8") as lines:
        for line in lines:
            counts.update(set(line.split()))
    return np.array([counts[word] for word in vocabulary], "int32")


def draw_map(vectors, count, seed):
    """The most frequent words in two and three dimensions, by t-SNE (van der Maaten 2008).

    Returns:
        Dict with `flat` `(count, 2)`, `deep` `(count, 3)` and `cluster`, uint8 `(count,)`, by
        k-means.
    """
    from sklearn.cluster import KMeans
    from sklearn.manifold import TSNE

    matrix = vectors.first(count).matrix
    start = reduce(matrix, 50)
    options = {
        "init": "pca",
        "perplexity": min(25, (count - 1) / 3),
        "metric": "cosine",
        "random_state": seed,
    }
    return {
        "flat": TSNE(2, **options).fit_transform(start),
        "deep": TSNE(3, max_iter=300, **options).fit_transform(start),
        "cluster": KMeans(min(CLUSTERS, count), n_init=4, random_state=seed)
        .fit_predict(start)
        .astype("uint8"),
    }


def measure(vectors, questions, pairs):
    """Scores of vectors, under the names that `--json` prints.

    Args:
        vectors: A `Vectors`.
        questions: Dict from section to questions.
        pairs: List of `(word, word, score)`.

    Returns:
        Dict of figures, and the list of `Section` at the whole vocabulary.
    """
    sections = scores.answer(vectors, questions)
    accuracy, covered, asked = scores.total(sections)
    small = vectors.first(SMALL_VOCABULARY)
    accuracy_30k, covered_30k, _ = scores.total(scores.answer(small, questions))
    spearman, pairs_covered = scores.likeness(vectors, pairs)
    return {
        "accuracy": accuracy,
        "accuracy_30k": accuracy_30k,
        "covered": covered,
        "covered_30k": covered_30k,
        "skipped": asked - sum(len(section.right) for section in sections),
        "questions": asked,
        "vocabulary": len(vectors),
        "spearman": spearman,
        "pairs_covered": pairs_covered,
    }, sections


def by_section(sections):
    """What the card holds of a list of `Section`."""
    return {
        section.name: {
            "accuracy": section.accuracy if len(section.right) else None,
            "covered": len(section.right),
            "questions": section.asked,
        }
        for section in sections
    }


def official_tests():
    """Google's questions (Mikolov et al. 2013) and WordSim-353, which gensim brings along."""
    from gensim.test.utils import datapath

    return (
        words.questions(datapath("questions-words.txt")),
        words.similarity(datapath("wordsim353.tsv")),
    )


Input = Annotated[Path | None, typer.Option(help="Your own text: UTF-8, paragraphs on lines.")]


@app.command()
def train(
    data_dir: DataDir = None,
    input: Input = None,
    output: Output = None,
    work_dir: WorkDir = None,
    epochs: Annotated[int, typer.Option(min=1)] = EPOCHS,
    dimensions: Annotated[int, typer.Option(min=2)] = RECIPE["vector_size"],
    seed: int = 0,
    as_json: AsJson = False,
):
    """Learn the vectors and write the bundle; a stopped run goes on from its last epoch."""
    if dimensions % 2:
        raise typer.BadParameter("--dimensions must be even: two numbers share a byte.")
    corpus, work_dir = _corpus(data_dir, input, work_dir, seed)
    recipe = {**RECIPE, "vector_size": dimensions}
    if corpus.size < 2_000_000:
        recipe["min_count"] = 2
    if sum(count >= recipe["min_count"] for count in corpus.counts.values()) < LEAST_WORDS:
        raise typer.BadParameter("This text has too few words that stand in it twice or more.")
    output = output or (Path("analogies-model") if input else bundle.MODELS / "analogies")
    name = f"main-{epochs}-{_fingerprint(recipe)}"
    vocabulary, matrix, minutes = learn(corpus, work_dir / name, seed, epochs, **recipe)
    vocabulary, matrix = vocabulary[:VOCABULARY], matrix[:VOCABULARY]
    directions, tried = choose_finish(vocabulary, matrix)
    log.info("validation accuracy by directions removed: %s", tried)
    matrix = finish(matrix, directions)
    store.save(output, vocabulary, matrix)
    bundle.save_arrays(
        output / "counts.safetensors",
        {
            "paragraphs": paragraph_counts(corpus, vocabulary),
            "total": np.array([corpus.lines], "int32"),
        },
    )
    vectors = store.load(output)
    questions, pairs = official_tests()
    # The map is drawn, and the unpacked vectors scored, while the packed ones are.
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        drawing = pool.submit(draw_map, vectors, min(MAPPED, len(vectors)), seed)
        unpacked = pool.submit(measure, Vectors.of(vocabulary, matrix), questions, pairs)
        metrics, sections = measure(vectors, questions, pairs)
        log.info("as stored: %s", json.dumps(metrics))
        full, _ = unpacked.result()
        bundle.save_arrays(output / "map.safetensors", drawing.result())
    answers = np.concatenate([section.answers for section in sections]).astype("int32")
    bundle.save_arrays(output / "answers.safetensors", {"answers": answers})
    sizes = _train_sizes(corpus, vocabulary, work_dir, output, seed, (questions, pairs))
    card = {
        "task": "analogies",
        "title": "Word analogies",
        "date": date.today().isoformat(),
        "seed": seed,
        "commit": commit(),
        "data": "own text" if input else "a part of English Wikipedia, and IMDb reviews",
        "corpus_words": corpus.size,
        "test_set": "Google questions that its vocabulary covers",
        "examples": sum(len(section.right) for section in sections),
        "licence": "Weights: Apache-2.0. Texts: not shipped.",
        "limits": [
            "One vector a word: bank the shore and bank the business share it.",
            "They repeat the prejudices of their texts, and this page measures some.",
            "Rare words have poor vectors; words outside the vocabulary have none.",
        ],
        "recipe": recipe,
        "epochs": epochs,
        "minutes": round(minutes, 1),
        "variants": {
            MODELS[recipe["sg"]]: {
                "accuracy": metrics["accuracy"],
                "parameters": int(matrix.size),
                "minutes": round(minutes, 1),
                "command": "python -m training.analogies train",
            }
        },
        "dimensions": int(matrix.shape[1]),
        "directions_removed": directions,
        **metrics,
        "sections": by_section(sections),
        "quantisation": {
            "bits": 4,
            **{f"{key}_float32": full[key] for key in ("accuracy", "accuracy_30k", "spearman")},
        },
        "random": {"accuracy": 1 / (len(vectors) - 3)},
        "baseline": _baseline(corpus, vocabulary, work_dir, seed, (questions, pairs)),
        "sizes": sizes,
        "study": old_card(output).get("study", []),
    }
    bundle.write_card(output, card)
    print(json.dumps({"output": str(output), **metrics}) if as_json else f"Written to {output}.")


def _corpus(data_dir, input, work_dir, seed):
    """The corpus as a file in the folder of its checkpoints, and that folder."""
    work_dir = checkpoint_dir("analogies", work_dir, data_dir)
    if input:
        try:
            text = input.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise typer.BadParameter(f"{input} cannot be read as UTF-8 text: {error}") from error
        paragraphs = [found for found in map(plain_words, text.split("\n")) if found]
        # Data of its own, work of its own: another corpus never resumes this one's run.
        folder = work_dir / f"{zlib.crc32(text.encode()):08x}-{seed}"
    else:
        folder = work_dir / f"official-{seed}"
    path = folder / "corpus.txt"
    if not path.exists():
        if not input:
            log.info("reading Wikipedia and the reviews")
            data_dir = data_folder(data_dir)
            paragraphs = [*words.wikipedia(data_dir), *words.reviews(data_dir)]
        write_corpus(paragraphs, path, seed)
    corpus = Corpus.read(path)
    log.info("%d words in %d paragraphs", corpus.size, corpus.lines)
    return corpus, folder


def _fingerprint(recipe):
    return f"{zlib.crc32(json.dumps(recipe, sort_keys=True).encode()):08x}"


def _train_sizes(corpus, vocabulary, work_dir, output, seed, tests):
    """Smaller vectors from the first words of the corpus, for the page to compare."""
    index = {word: n for n, word in enumerate(vocabulary)}
    arrays, rows = {}, []
    for size, epochs in SIZES.items():
        if size >= corpus.size:
            continue
        part = corpus.first(size)
        name = f"size-{size}-{epochs}-{_fingerprint(SMALL_RECIPE)}"
        known, matrix, minutes = learn(part, work_dir / name, seed, epochs, **SMALL_RECIPE)
        kept = [n for n, word in enumerate(known) if word in index][:SMALL_WORDS]
        arrays |= {
            f"{size}.{key}": value for key, value in quantize.quantize_int4(matrix[kept]).items()
        }
        arrays[f"{size}.words"] = np.array([index[known[n]] for n in kept], "uint16")
        metrics, _ = measure(Vectors.of(known, matrix), *tests)
        row = {"words": size, "epochs": epochs, "minutes": round(minutes, 1), **metrics}
        row["dimensions"] = SMALL_RECIPE["vector_size"]
        rows.append(row)
        log.info("%s", json.dumps(row))
    if arrays:
        bundle.save_arrays(output / "sizes.safetensors", arrays)
    return rows


def _baseline(corpus, vocabulary, work_dir, seed, tests):
    """The counting baseline's row of the card, kept in the work folder once measured."""
    kept = work_dir / "baseline.json"
    if kept.exists():
        return json.loads(kept.read_text())
    start = time.perf_counter()
    matrix = ppmi_svd(corpus, vocabulary, seed=seed)
    minutes = (time.perf_counter() - start) / 60
    metrics, _ = measure(Vectors.of(vocabulary, matrix), *tests)
    row = {"name": "PPMI + SVD", "minutes": round(minutes, 1), "parameters": int(matrix.size)}
    row |= metrics
    kept.write_text(json.dumps(row))
    return row


@app.command()
def sizes(
    data_dir: DataDir = None,
    output: Annotated[Path, typer.Option(help="Bundle that gets them.")] = (
        bundle.MODELS / "analogies"
    ),
    work_dir: WorkDir = None,
    seed: int = 0,
):
    """Learn the vectors from less text, for the page's slider; the rest of the bundle stays."""
    corpus, work_dir = _corpus(data_dir, None, work_dir, seed)
    vocabulary = store.load(output).words
    rows = _train_sizes(corpus, vocabulary, work_dir, output, seed, official_tests())
    bundle.write_card(output, {**old_card(output), "sizes": rows})


@app.command()
def study(
    data_dir: DataDir = None,
    output: Annotated[Path, typer.Option(help="Bundle whose card gets the table.")] = (
        bundle.MODELS / "analogies"
    ),
    work_dir: WorkDir = None,
    workers: Annotated[int, typer.Option(min=1)] = 2,
    seed: int = 0,
):
    """Compare architectures, windows and dimensions on a part of the corpus, a row at a time."""
    corpus, work_dir = _corpus(data_dir, None, work_dir, seed)
    questions = validation_questions()
    # A row that the card has is not learned again: what differs is not its settings but its luck.
    measured, rows = {_settings(row): row for row in old_card(output).get("study", [])}, []
    for size, epochs, changes in STUDY:
        recipe = {**RECIPE, "phrases": False, **changes}
        row = {
            "words": size,
            "model": MODELS[recipe["sg"]],
            "window": recipe["window"],
            "dimensions": recipe["vector_size"],
            "negative": recipe["negative"],
            "rate": recipe["alpha"],
            "epochs": epochs,
            "phrases": recipe["phrases"],
        }
        if _settings(row) in measured:
            row = {**measured[_settings(row)], **row}
        else:
            row |= _study(corpus.first(size), work_dir, seed, epochs, workers, recipe, questions)
            log.info("%s", json.dumps(row))
        rows.append(row)
        bundle.write_card(output, {**old_card(output), "study": rows})


def _study(corpus, work_dir, seed, epochs, workers, recipe, questions):
    """Learn by one row's recipe: the minutes it took and its accuracy on the questions."""
    name = f"study-{corpus.path.stem}-{epochs}-{_fingerprint(recipe)}"
    phrases = recipe.pop("phrases")
    corpus = with_phrases(corpus) if phrases else corpus
    known, matrix, minutes = learn(corpus, work_dir / name, seed, epochs, workers, **recipe)
    sections = scores.answer(Vectors.of(known, matrix).first(SMALL_VOCABULARY), questions)
    return {"minutes": round(minutes, 1), "validation": scores.total(sections)[0]}


def _settings(row):
    """What a row of the study is told from the others by."""
    measured = ("minutes", "validation")
    return tuple(sorted((key, value) for key, value in row.items() if key not in measured))


@app.command()
def evaluate(
    data_dir: DataDir = None,
    input: Annotated[Path | None, typer.Option(help="Questions in Google's format.")] = None,
    similarity: Annotated[
        Path | None, typer.Option(help="Pairs with people's scores: word, word, score a line.")
    ] = None,
    model: Model = None,
    file: Annotated[Path | None, typer.Option("--vectors", help="A file of vectors.")] = None,
    as_json: AsJson = False,
):
    """Score the shipped bundle, or a file of vectors, on Google's questions or on a file."""
    del data_dir  # the questions come with gensim
    vectors = store.read_file(file) if file else store.load(model or store.FOLDER)
    questions, pairs = official_tests()
    try:
        questions = words.questions(input) if input else questions
        pairs = words.similarity(similarity) if similarity else pairs
    except (OSError, ValueError) as problem:
        raise typer.BadParameter(str(problem)) from problem
    metrics, sections = measure(vectors, questions, pairs)
    metrics["baseline_random_accuracy"] = 1 / (len(vectors) - 3)
    card = {} if file else old_card(model or store.FOLDER)
    if "baseline" in card and not input and not similarity:
        # The counting baseline's vectors are not shipped: its figures are those of training.
        row = card["baseline"]
        keys = ("accuracy", "accuracy_30k", "spearman")
        metrics |= {f"baseline_ppmi_{key}": row[key] for key in keys}
    for section in sections:
        if len(section.right):
            metrics[f"accuracy_{section.name}"] = section.accuracy
    print_metrics(metrics, as_json)
