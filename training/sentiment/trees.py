"""The networks for trees, trained on the Stanford Sentiment Treebank.

`train-trees` fits the tree LSTM, which rates every phrase, and the parser, which finds the trees of
other sentences. `evaluate-trees` scores both on the test split.
"""

import json
import logging
from collections import Counter
from datetime import date
from enum import StrEnum
from typing import Annotated, NamedTuple

import keras
import numpy as np
import typer

from apps.sentiment.trees.model import (
    SpanParser,
    TreeNetwork,
    best_tree,
    spans_of,
)
from apps.sentiment.trees.predictor import TreePredictor, Vocabulary, ending_of
from apps.sentiment.trees.words import normalise
from shared import bundle
from shared.text import WordTokenizer, pad
from training import cards
from training.command import (
    AsJson,
    DataDir,
    Model,
    Output,
    Save,
    WorkDir,
    checkpoint_dir,
    commit,
    data_folder,
    print_metrics,
)
from training.datasets import sst
from training.loop import Batches, fit
from unrolled.layers import schedule

log = logging.getLogger(__name__)

SCORED_ON = "development split"
VOCABULARY, DIMENSIONS = 24_000, 128
PARSER_VOCABULARY, PARSER_DIMENSIONS = 12_000, 64
ENDINGS = 1_500  # that at least some words of the training sentences have
TREE_EPOCHS, PARSER_EPOCHS = 8, 13
PARSER_CYCLE_EPOCHS = 8  # after which its learning rate starts anew (Loshchilov & Hutter 2017)
TREE_OPTIONS = {"units": 128, "dropout": 0.5, "weight_dropout": 0.2}
PARSER_OPTIONS = {"units": 96, "hidden": 64, "dropout": 0.3}
BATCH_SIZE = 64  # trees
WIDTH = 64  # nodes of a step
LEARNING_RATE = 2e-3  # at the start of a cycle; falls to 0 as a cosine


class Sentence(NamedTuple):
    """A sentence with its tree.

    Attributes:
        words: Its words in their usual form.
        tree: Integer array `(words - 1, 2)`, as in `unrolled.layers.recursive`.
        labels: The label of every node, leaves first, an int array `(2 * words - 1,)`.
    """

    words: list[str]
    tree: np.ndarray
    labels: np.ndarray


def read(data_dir, split):
    """The sentences of a split of the treebank."""
    return [to_sentence(tree) for tree in sst.read(data_dir, split)]


def to_sentence(tree):
    """A `Sentence` of an `sst.Tree`."""
    nodes = list(sst.nodes(tree))  # each before its children
    leaves = [node for node in nodes if not node.children]
    inner = [node for node in reversed(nodes) if node.children]
    numbers = {id(node): n for n, node in enumerate([*leaves, *inner])}
    pairs = [[numbers[id(child)] for child in node.children] for node in inner]
    return Sentence(
        [sst.plain_word(leaf.word) for leaf in leaves],
        np.array(pairs, "int32").reshape(-1, 2),
        np.array([node.label for node in [*leaves, *inner]]),
    )


def make_vocabulary(sentences):
    """The words of the networks and their first vectors.

    The words are those that occur twice in the sentences, then the vocabulary of the reviews'
    language model, the other words of the sentences that have a vector, and the most frequent
    words of the word vectors. A vector is made of the one in the language model and the one of the
    page Words, reduced together by principal components. A compound has the mean of its parts'.

    Returns:
        A list of words and an array `(words, DIMENSIONS)` of standard deviation 1.
    """
    reviews, words = _review_vectors(), _word_vectors()
    counts = Counter(normalise(word) for sentence in sentences for word in sentence.words)
    candidates = [word for word, count in counts.most_common() if count > 1]
    candidates += [*reviews, *counts, *words]

    def vector(word):
        parts = []
        for table in filter(None, (reviews, words)):
            known = [w for w in (word, *word.replace("/", "-").split("-")) if w in table]
            known = known[:1] if word in table else known
            parts.append(np.mean([table[w] for w in known], axis=0) if known else 0 * table["the"])
        return np.concatenate(parts)

    chosen, rows = [], []
    for word in dict.fromkeys(candidates):
        row = vector(word)
        if row.any() or counts[word] > 1:
            chosen.append(word)
            rows.append(row)
        if len(chosen) == VOCABULARY - 2:
            break
    matrix = np.stack(rows)
    _, axes = np.linalg.eigh(np.cov(matrix.T))
    matrix = (matrix - matrix.mean(axis=0)) @ axes[:, ::-1][:, :DIMENSIONS]
    return chosen, (matrix / matrix.std()).astype("float32")


def _review_vectors():
    """The vectors of the shipped network that was pre-trained on reviews; empty without it."""
    folder = bundle.MODELS / "sentiment"
    if not (folder / "pretrained.safetensors").exists():
        log.warning("there is no pre-trained network in %s: its word vectors are left out", folder)
        return {}
    matrix = bundle.load_arrays(folder / "pretrained.safetensors")["sentiment/embedding/embeddings"]
    words = WordTokenizer.load(folder / "pretrained.tokenizer.json").words
    return dict(zip(words[2:], matrix[2:] / matrix.std(), strict=True))


def _word_vectors():
    """The shipped word vectors, by word."""
    from shared import quantize

    folder = bundle.MODELS / "analogies"
    packed = bundle.load_arrays(folder / "vectors.safetensors")
    matrix = quantize.dequantize_int4({name: packed[name] for name in ("codes", "levels")})
    words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
    return dict(zip(words, matrix / matrix.std(), strict=True))


def make_endings(sentences):
    """The most frequent endings of the sentences' words, a list."""
    words = {word for sentence in sentences for word in sentence.words}
    counts = Counter(map(ending_of, words))
    return [ending for ending, _ in counts.most_common(ENDINGS - 2)]


def tree_batch(sentences, vocabulary, width=WIDTH):
    """The arguments of `train_on_batch` for a `TreeNetwork`, and the rows of each sentence's nodes.

    Returns:
        Inputs, labels `(rows,)`, weights `(rows,)` of mean 1 that are 0 where no node is, and the
        list of rows that `schedule` returns.
    """
    children, rows = schedule([sentence.tree for sentence in sentences], width)
    words = np.concatenate([vocabulary.encode(sentence.words) for sentence in sentences])
    labels = np.zeros(len(words) + children.shape[0] * width, "int32")
    weights = np.zeros(len(labels), "float32")
    for sentence, places in zip(sentences, rows, strict=True):
        labels[places] = sentence.labels
        weights[places] = 1
    inputs = {"words": words, "children": children}
    return inputs, labels, weights * len(weights) / weights.sum(), rows


def parser_batch(sentences, vocabulary, length=None):
    """The arguments of `train_on_batch` for a `SpanParser`: inputs, targets and weights."""
    length = length or max(len(sentence.words) for sentence in sentences)
    inputs = {
        "words": pad([vocabulary.encode(s.words, PARSER_VOCABULARY) for s in sentences], length),
        "endings": pad([vocabulary.encode_endings(s.words) for s in sentences], length),
    }
    shape = (len(sentences), length + 1, length + 1)
    targets, weights = np.zeros(shape, "float32"), np.zeros(shape, "float32")
    for row, sentence in enumerate(sentences):
        words = len(sentence.words)
        starts, ends = np.triu_indices(words + 1, 2)  # spans of two words or more
        weights[row, starts, ends] = 1
        weights[row, 0, words] = 0  # the whole sentence always is one
        spans = spans_of(sentence.tree)[words:]
        targets[row, spans[:, 0], spans[:, 1]] = 1
    return inputs, targets[..., None], weights * weights.size / max(weights.sum(), 1)


def _epochs(sentences, make, seed, noise):
    """A function of an epoch's number that gives `Batches` of sentences of similar length."""
    lengths = np.array([len(sentence.words) for sentence in sentences])
    count = max(1, len(sentences) // BATCH_SIZE)

    def epoch(number):
        rng = np.random.default_rng((seed, number))
        order = np.argsort(lengths + rng.uniform(0, noise, len(lengths)), kind="stable")
        chunks = np.array_split(order, count)
        rng.shuffle(chunks)
        return Batches(count, lambda n: make([sentences[row] for row in chunks[n]]))

    return epoch


def _compile(network, loss, batches):
    """Compile a network with Adam, whose rate falls as a cosine in so many batches, and again."""
    rates = keras.optimizers.schedules.CosineDecayRestarts(LEARNING_RATE, batches, t_mul=1.0)
    optimizer = keras.optimizers.AdamW(rates, weight_decay=1e-2, clipnorm=1.0)
    network.compile(optimizer=optimizer, loss=loss, jit_compile=False)


def fit_tree(training, validation, vocabulary, vectors, folder, seed, epochs, options, verbose=1):
    """Fit a `TreeNetwork`; returns it and the record of `loop.fit`."""
    keras.utils.set_random_seed(seed)
    options = {"vocabulary": len(vectors), "dimensions": vectors.shape[1], **options}
    network = TreeNetwork(**options, seed=seed)
    network.build()
    network.embedding.embeddings.assign(vectors)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    _compile(network, loss, max(1, len(training) // BATCH_SIZE) * epochs)

    def make(sentences):
        return tree_batch(sentences, vocabulary)[:3]

    def validate():
        found = tree_scores(network, validation, vocabulary)
        return {"score": found["accuracy"], **found}

    settings = {**network.options, "epochs": epochs, "examples": len(training)}
    batches = _epochs(training, make, seed, noise=60)
    return network, fit(network, batches, validate, folder, settings, epochs, epochs, verbose)


def node_log_probabilities(network, sentences, vocabulary):
    """Log-probabilities of the classes at every node: a list of arrays `(nodes, 5)`."""
    found = []
    for first in range(0, len(sentences), BATCH_SIZE):
        part = sentences[first : first + BATCH_SIZE]
        inputs, *_, rows = tree_batch(part, vocabulary)
        logits = network.predict_on_batch(inputs)
        logits = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        found += [logits[places] for places in rows]
    return found


def tree_scores(network, sentences, vocabulary):
    """The `class_scores` of a `TreeNetwork`."""
    return class_scores(node_log_probabilities(network, sentences, vocabulary), sentences)


def class_scores(log_probabilities, sentences):
    """Accuracies from the log-probabilities of all nodes of each sentence.

    Returns:
        Dict with those of `root_scores`, `accuracy_nodes` (all phrases) and `nll`, the mean
        negative log-likelihood of the roots.
    """
    nodes = np.concatenate(log_probabilities).argmax(axis=1)
    truth = np.concatenate([sentence.labels for sentence in sentences])
    roots = [each[-1][s.labels[-1]] for each, s in zip(log_probabilities, sentences, strict=True)]
    return {
        **root_scores(log_probabilities, sentences),
        "accuracy_nodes": float(np.mean(nodes == truth)),
        "nll": float(-np.mean(roots)),
    }


def root_scores(log_probabilities, sentences):
    """Accuracies from log-probabilities whose last row is that of the whole sentence.

    Returns:
        Dict with `accuracy` (SST-5) and `accuracy_binary` (SST-2: sentences whose label is not
        neutral, by which of the two sides is likelier).
    """
    roots = np.exp([each[-1] for each in log_probabilities])
    labels = np.array([sentence.labels[-1] for sentence in sentences])
    positive = roots[:, 3:].sum(axis=1) > roots[:, :2].sum(axis=1)
    rated = labels != 2
    return {
        "accuracy": float(np.mean(roots.argmax(axis=1) == labels)),
        "accuracy_binary": float(np.mean(positive[rated] == (labels[rated] > 2))),
    }


def fit_parser(training, validation, vocabulary, vectors, folder, seed, epochs, verbose=1):
    """Fit a `SpanParser`; returns it and the record of `loop.fit`."""
    keras.utils.set_random_seed(seed)
    options = {
        "vocabulary": PARSER_VOCABULARY,
        "dimensions": PARSER_DIMENSIONS,
        "endings": len(vocabulary.endings) + 2,
        **PARSER_OPTIONS,
    }
    network = SpanParser(**options, seed=seed)
    network.build()
    rows = vectors[:PARSER_VOCABULARY, :PARSER_DIMENSIONS]  # the first principal components
    network.embedding.embeddings.assign(rows / rows.std())
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    cycle = min(epochs, PARSER_CYCLE_EPOCHS)
    _compile(network, loss, max(1, len(training) // BATCH_SIZE) * cycle)

    def make(sentences):
        return parser_batch(sentences, vocabulary)

    def validate():
        trees = parse_all(network, validation, vocabulary)
        return {"score": bracket_f1(trees, validation)}

    settings = {**network.options, "epochs": epochs, "examples": len(training)}
    batches = _epochs(training, make, seed, noise=4)
    return network, fit(network, batches, validate, folder, settings, epochs, epochs, verbose)


def parse_all(network, sentences, vocabulary):
    """The tree of each sentence by a `SpanParser`."""
    trees = [None] * len(sentences)
    order = np.argsort([len(sentence.words) for sentence in sentences])
    for chunk in np.array_split(order, -(-len(order) // BATCH_SIZE)):
        inputs, *_ = parser_batch([sentences[row] for row in chunk], vocabulary)
        for row, scores in zip(chunk, network.predict_on_batch(inputs), strict=True):
            words = len(sentences[row].words)
            trees[row] = best_tree(scores[: words + 1, : words + 1, 0])
    return trees


def bracket_f1(trees, sentences):
    """Unlabelled F1 of the brackets around two words or more, without that around the sentence.

    A binary tree over the same words has as many brackets as another: precision is recall.
    """
    right = total = 0
    for tree, sentence in zip(trees, sentences, strict=True):
        words = len(sentence.words)
        found, true = (
            {tuple(span) for span in spans_of(each)[words:-1].tolist()}
            for each in (tree, sentence.tree)
        )
        right += len(found & true)
        total += len(true)
    return right / max(total, 1)


def right_branching(sentence):
    """The tree in which every phrase is a word and what follows, a last mark left to the end."""
    count = len(sentence.words)
    mark = count > 2 and not any(map(str.isalnum, sentence.words[-1]))
    inner = count - mark
    tree = [[inner - 2 - n, inner - 1 if n == 0 else count + n - 1] for n in range(inner - 1)]
    if mark:
        tree.append([count + inner - 2, count - 1])
    return np.array(tree, "int32").reshape(-1, 2)


def fit_bag(training):
    """The baseline: naive Bayes on the words and word pairs of all training phrases.

    Returns:
        scikit-learn's pipeline, from lists of words to classes.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline

    phrases = {}
    for sentence in training:
        for (start, end), label in zip(spans_of(sentence.tree), sentence.labels, strict=True):
            phrases[tuple(map(normalise, sentence.words[start:end]))] = label
    counter = CountVectorizer(analyzer=_words_and_pairs, binary=True)
    bag = make_pipeline(counter, MultinomialNB(alpha=0.5))
    return bag.fit(list(phrases), list(phrases.values()))


def _words_and_pairs(words):
    return [*words, *(f"{a} {b}" for a, b in zip(words, words[1:], strict=False))]


def bag_scores(bag, sentences):
    """Accuracies of the baseline on whole sentences."""
    probabilities = bag.predict_proba([tuple(map(normalise, s.words)) for s in sentences])
    return root_scores(np.log(np.maximum(probabilities, 1e-12))[:, None], sentences)


def fit_temperature(log_probabilities, sentences):
    """The temperature that fits the roots best (Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar

    roots = np.stack([each[-1] for each in log_probabilities])
    labels = np.array([sentence.labels[-1] for sentence in sentences])

    def loss(log_temperature):
        scaled = roots / np.exp(log_temperature)
        scaled = scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True)
        return -scaled[np.arange(len(labels)), labels].mean()

    return float(np.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded").x))


def root_calibration_error(log_probabilities, sentences, temperature, bins=15):
    """Mean gap between confidence and accuracy of the roots' likeliest class (Guo et al. 2017)."""
    roots = np.stack([each[-1] for each in log_probabilities]) / temperature
    probabilities = np.exp(roots - np.logaddexp.reduce(roots, axis=1, keepdims=True))
    confidence = probabilities.max(axis=1)
    labels = np.array([sentence.labels[-1] for sentence in sentences])
    correct = probabilities.argmax(axis=1) == labels
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(correct[places == b].mean() - confidence[places == b].mean()) * np.mean(places == b)
        for b in np.unique(places)
    ]
    return float(np.sum(gaps))


def score_tree(network, sentences, vocabulary, temperature):
    """All scores of a tree LSTM, its calibration error included."""
    found = node_log_probabilities(network, sentences, vocabulary)
    ece = root_calibration_error(found, sentences, temperature)
    return {**class_scores(found, sentences), "ece": ece}


def score_parser(network, sentences, vocabulary):
    """The bracket F1 of a parser, and of branching to the right."""
    return {
        "bracket_f1": bracket_f1(parse_all(network, sentences, vocabulary), sentences),
        "baseline_bracket_f1": bracket_f1(list(map(right_branching, sentences)), sentences),
    }


def score_parsed(network, parser, sentences, vocabulary):
    """Accuracies of a tree LSTM on the sentences as a parser sees them: what a visitor gets."""
    trees = parse_all(parser, sentences, vocabulary)
    parsed = [sentence._replace(tree=tree) for sentence, tree in zip(sentences, trees, strict=True)]
    found = node_log_probabilities(network, parsed, vocabulary)
    return {f"tree_{key}": value for key, value in root_scores(found, sentences).items()}


class TreePart(StrEnum):
    """What can be trained alone."""

    tree = "tree"
    parser = "parser"


def train_trees(
    data_dir: DataDir = None,
    part: Annotated[TreePart | None, typer.Option(help="Only this network.")] = None,
    output: Output = None,
    work_dir: WorkDir = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: the recipe's.")] = None,
    seed: int = 0,
    as_json: AsJson = False,
):
    """Train the tree LSTM and the parser of sentences, scored on the development split.

    An interrupted run resumes from its last checkpoint.
    """
    folder = data_folder(data_dir)
    training, validation = read(folder, "train"), read(folder, "dev")
    output = output or bundle.MODELS / "trees"
    work_dir = checkpoint_dir("trees", work_dir, data_dir)
    output.mkdir(parents=True, exist_ok=True)
    words, rows = make_vocabulary(training)
    vectors = np.concatenate([np.zeros((2, rows.shape[1]), "float32"), rows])
    vocabulary = Vocabulary(words, make_endings(training))
    vocabulary.save(output / "vocabulary.json")
    card = cards.new_card(
        output,
        "trees",
        "The tree of a sentence",
        seed,
        SCORED_ON,
        data="Stanford Sentiment Treebank (Socher et al. 2013)",
        examples=len(validation),
        training_examples=len(training),
        licence="Weights: Apache-2.0. Sentences: not shipped; cite Socher et al. 2013.",
        limits=[
            "It has read sentences of English film reviews only.",
            "The trees of other sentences are a small parser's, and wrong trees mislead it.",
            "It sees one sentence at a time, so nothing that another sentence says.",
        ],
    )
    card["baseline"] = {
        "name": "naive Bayes",
        **bag_scores(fit_bag(training), validation),
    }
    for name in [part] if part else TreePart:
        if name is TreePart.tree:
            network, record = fit_tree(
                training,
                validation,
                vocabulary,
                vectors,
                work_dir / name,
                seed,
                epochs or TREE_EPOCHS,
                TREE_OPTIONS,
            )
        else:
            network, record = fit_parser(
                training,
                validation,
                vocabulary,
                vectors,
                work_dir / name,
                seed,
                epochs or PARSER_EPOCHS,
            )
        details = write_variant(output, name, network, record, validation, vocabulary)
        cards.add_variant(output, card, name.value, details)
    print_metrics({"output": str(output)}, as_json)


def write_variant(output, name, network, record, validation, vocabulary):
    """Store a network and score it on the development split; returns what the card says of it."""
    tables = {path for path in cards.tables_of(network) if "embeddings" in path}
    int4 = {path for path in tables if "ending" not in path}
    int8 = set(cards.tables_of(network)) - int4
    cards.store_weights(network, output / f"{name}.safetensors", int8, int4)
    fields = {}
    if name == TreePart.tree:
        found = node_log_probabilities(network, validation, vocabulary)
        fields["temperature"] = fit_temperature(found, validation)
        scores = score_tree(network, validation, vocabulary, fields["temperature"])
    else:
        scores = score_parser(network, validation, vocabulary)
    fields |= {f"validation_{key}": value for key, value in scores.items()}
    command = f"python -m training.sentiment train-trees --part {name}"
    details = cards.variant(network, record, command, SCORED_ON, scores, **fields)
    return {**details, "date": date.today().isoformat(), "commit": commit()}


def evaluate_trees(
    data_dir: DataDir = None, model: Model = None, save: Save = False, as_json: AsJson = False
):
    """Score the tree LSTM and the parser on the test split of the treebank."""
    model = model or bundle.MODELS / "trees"
    folder = data_folder(data_dir)
    test = read(folder, "test")
    predictor = TreePredictor.load(model)
    vocabulary = predictor.vocabulary
    scores = {
        "tree": score_tree(predictor.network, test, vocabulary, predictor.temperature),
        "parser": score_parser(predictor.parser, test, vocabulary),
    }
    scores["parser"] |= score_parsed(predictor.network, predictor.parser, test, vocabulary)
    baseline = bag_scores(fit_bag(read(folder, "train")), test)
    if save:
        fields = {"baseline": bundle.read_card(model)["baseline"] | baseline}
        cards.save_scores(model, "test split", scores, examples=len(test), **fields)
    flat = {**scores["tree"], **scores["parser"]}
    flat |= {f"baseline_{key}": value for key, value in baseline.items()}
    print_metrics({**flat, "examples": len(test)}, as_json)
