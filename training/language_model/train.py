"""Language models to start other networks from: `python -m training.language_model train|evaluate`.

`train` fits a recurrent network to say the next word, on film reviews (training and unlabelled
ones), Wikipedia, the Penn Treebank or a file of yours, and writes a bundle outside the repository;
`training.sentiment` starts its largest network from the one of the reviews. With `--start` it goes
on from another language model, whatever words that one knows. `evaluate` gives the perplexity.
"""

import json
import logging
import math
import time
import zlib
from collections import Counter
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import keras
import numpy as np
import typer
from keras import ops

from shared import bundle
from shared.layers import LSTMCell, Recurrent
from shared.options import OptionsMixin
from shared.text import UNKNOWN, WordTokenizer, clean
from training.command import (
    AsJson,
    DataDir,
    Model,
    Output,
    WorkDir,
    checkpoint_dir,
    commit,
    data_folder,
    language_model_folder,
    print_metrics,
)
from training.datasets import imdb, words
from training.language_model import ptb
from training.loop import Batches, fit, smoothed_cross_entropy

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)
log = logging.getLogger(__name__)

END = 2  # the word that ends a passage, after padding and unknown

# The recipes, chosen on validation text only. `samples` 0 is the whole softmax.
REVIEWS = {
    "vocabulary": 16_000,
    "network": {"dimensions": 192, "units": 384, "samples": 1_000, "rows": 128, "dropout": 0.1},
    "passes": 3,
    "parts": 3,
    "rate": 3e-3,
}
RECIPES = {
    "reviews": REVIEWS,
    "wikipedia": {**REVIEWS, "passes": 1},
    "ptb": {
        "vocabulary": 10_000,
        "network": {
            "dimensions": 200,
            "units": 400,
            "samples": 2_000,
            "rows": 32,
            "dropout": 0.4,
            "word_dropout": 0.05,
            "weight_dropout": 0.3,
        },
        "passes": 12,
        "parts": 1,
        "rate": 3e-3,
    },
}
Corpus = StrEnum("Corpus", list(RECIPES))
TIME, WARM_UP = 70, 300  # steps that gradients travel back, batches of a rising rate

Which = Annotated[Corpus, typer.Option(help="What to read, and the recipe for --input.")]
Input = Annotated[Path | None, typer.Option(help="Your own text: UTF-8, a passage a line.")]


@keras.saving.register_keras_serializable("unrolled")
class LanguageModel(OptionsMixin, keras.Model):
    """Says the next word of a running text, from a memory that batches hand on.

    Word vectors serve input and softmax (Press & Wolf 2017); the hidden state is brought to their
    size by a product. Dropout is the same at all time steps (Gal & Ghahramani 2016), drops whole
    words of the vocabulary, and recurrent weights (Merity et al. 2018). Training on a large
    vocabulary compares each word with a sample of the others (Jean et al. 2015).

    Args:
        vocabulary: Number of words, the frequent ones first after padding (0) and unknown (1).
        dimensions: Size of the word vectors.
        units: Size of the hidden state.
        rows: Texts read side by side: the batch size.
        samples: Words drawn for each training batch, with odds that fall as 1 / rank; 0 for the
            whole softmax.
        dropout: Fraction dropped of the word vectors and of the hidden states read out.
        word_dropout: Fraction of the vocabulary dropped from what is read.
        weight_dropout: Fraction of the recurrent weights dropped.
        seed: Integer or None.

    Call arguments:
        words: Integers `(rows, time)`.

    Returns:
        In training the vectors `(rows, time, dimensions)` that are compared with the words',
        otherwise the logits `(rows, time, vocabulary)` of the next words.
    """

    def __init__(
        self,
        vocabulary=20_000,
        dimensions=256,
        units=512,
        rows=64,
        samples=0,
        dropout=0.1,
        word_dropout=0.0,
        weight_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(name=kwargs.pop("name", "language_model"), **kwargs)
        self.embedding = keras.layers.Embedding(
            vocabulary,
            dimensions,
            keras.initializers.RandomUniform(-0.1, 0.1, seed),
            name="embedding",
        )
        cell = LSTMCell(
            units, dropout=dropout, weight_dropout=weight_dropout, seed=seed, name="cell"
        )
        self.recurrent = Recurrent(cell, return_sequences=True, return_state=True, name="recurrent")
        self.dropout = keras.layers.Dropout(dropout, (rows, 1, units), seed=seed)
        self.project = keras.layers.Dense(dimensions, name="project")
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.whole = smoothed_cross_entropy(0.0)

    def build(self, shape=None):
        units, dimensions = self.options["units"], self.options["dimensions"]
        self.embedding.build((None, None))
        self.recurrent.build((None, None, dimensions))
        self.project.build((None, None, units))
        self.output_bias = self.add_weight(
            (self.options["vocabulary"],), "zeros", name="output_bias"
        )
        self.carried = [
            self.add_weight(
                (self.options["rows"], units), "zeros", trainable=False, name=f"carried_{state}"
            )
            for state in self.recurrent.cell.state_names
        ]

    def call(self, words, training=False):
        vectors = self.embedding(words)  # (rows, time, dimensions)
        if training and self.options["word_dropout"]:
            kept = keras.random.dropout(
                ops.ones((self.options["vocabulary"],)),
                self.options["word_dropout"],
                seed=self.seed_generator,
            )
            vectors = vectors * ops.take(kept, words)[..., None]
        hidden, *states = self.recurrent(vectors, initial_state=self.carried, training=training)
        for variable, state in zip(self.carried, states, strict=True):
            variable.assign(state)
        read = self.project(self.dropout(hidden, training=training))
        return read if training else self._logits(read)

    def _logits(self, read):
        return ops.matmul(read, ops.transpose(self.embedding.embeddings)) + self.output_bias

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean loss per word in nats; in training with `samples` an estimate that is too low."""
        if not training:
            return self.whole(y, y_pred)
        if not self.options["samples"]:
            return self.whole(y, self._logits(y_pred))
        return self._sampled(y_pred, y)

    def _sampled(self, read, targets):
        size, samples = self.options["vocabulary"], self.options["samples"]
        targets = ops.reshape(ops.cast(targets, "int32"), (-1,))  # (words,)
        read = ops.reshape(read, (-1, self.options["dimensions"]))  # (words, dimensions)
        drawn = keras.random.uniform((samples,), seed=self.seed_generator)
        drawn = ops.cast(ops.exp(drawn * math.log(size + 1)) - 1, "int32")
        drawn = ops.clip(drawn, 0, size - 1)

        def logits_of(words, product):
            vectors = ops.take(self.embedding.embeddings, words, axis=0)
            return product(vectors) + ops.take(self.output_bias, words)

        true = logits_of(targets, lambda vectors: ops.sum(read * vectors, axis=-1))  # (words,)
        others = logits_of(drawn, lambda vectors: ops.matmul(read, ops.transpose(vectors)))
        # Each word drawn stands for as many as were not: importance sampling of the softmax's sum.
        rank = ops.cast(drawn, "float32")
        odds = (ops.log(rank + 2) - ops.log(rank + 1)) / math.log(size + 1)
        others = others - ops.log(samples * odds)  # (words, samples)
        others = ops.where(targets[:, None] == drawn, -1e9, others)
        loss = ops.logaddexp(true, ops.logsumexp(others, axis=-1)) - true
        real = ops.cast(targets > 0, loss.dtype)
        return ops.sum(loss * real) / ops.maximum(ops.sum(real), 1)

    def forget(self):
        """Set the states that are handed on to zero."""
        for state in self.carried:
            state.assign(ops.zeros(state.shape))


def read_reviews(data_dir):
    """Cleaned reviews: those without a label and those to train on, and the validation reviews.

    The split is that of `training.sentiment`; the test reviews are never read.
    """
    training, validation = imdb.split_by_movie(imdb.read(data_dir, "train"), 0.1, 0)
    training = [*training, *imdb.read(data_dir, "unsup")]
    return {
        part: [review.text for review in reviews]
        for part, reviews in (("training", training), ("validation", validation))
    }


def read_wikipedia(data_dir):
    """Cleaned paragraphs of Wikipedia; those of every hundredth article are for validation."""
    parts = {"training": [], "validation": []}
    for number, article in enumerate(words.articles(data_dir)):
        part = parts["validation" if number % 100 == 99 else "training"]
        paragraphs = map(clean, article.split("\n"))
        part += [text for text in paragraphs if text.count(" ") >= words.SHORTEST - 1]
    return parts


def read_lines(path):
    """The passages of a file: nine in ten to train on, every tenth for validation.

    Raises:
        typer.BadParameter: if it cannot be read, or has fewer than ten passages.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} cannot be read as UTF-8 text: {error}") from error
    passages = [text for line in lines if (text := clean(line))]
    if len(passages) < 10:
        raise typer.BadParameter(f"{path} has {len(passages)} passages; at least 10 are needed.")
    held = [n % 10 == 9 for n in range(len(passages))]
    return {
        "training": [text for text, out in zip(passages, held, strict=True) if not out],
        "validation": [text for text, out in zip(passages, held, strict=True) if out],
    }


def build_tokenizer(passages, size):
    """A `WordTokenizer` of the most frequent words, at most `size` with its special ones.

    Args:
        passages: Lists of words.
    """
    counts = Counter(word for words in passages for word in words)
    del counts["<unk>"]
    return WordTokenizer.build(["[END]", *(word for word, _ in counts.most_common(size - 3))])


def encode_words(tokenizer, passages, backward=False):
    """Numbers of lists of words, each passage with its end: a list of int32 arrays."""
    numbers = {word: number for number, word in enumerate(tokenizer.words)}
    pace = -1 if backward else 1
    return [
        np.array([*(numbers.get(word, UNKNOWN) for word in words[::pace]), END], "int32")
        for words in passages
    ]


def read_corpus(corpus, data_dir, input=None, tokenizer=None, backward=False):
    """The text of a corpus or of a file as numbers.

    Args:
        corpus: Name of a recipe, which says how large the vocabulary is.
        data_dir: Folder of corpora.
        input: Path of a file to read instead, or None.
        tokenizer: The `WordTokenizer` to use; a new one if None.
        backward: Whether each passage is read from its last word to its first.

    Returns:
        The tokenizer, and a dict from part to a list of int32 arrays, one a passage.
    """
    if input is None and corpus == "ptb":
        names = zip(("training", "validation", "test"), ptb.PARTS, strict=True)
        split = {name: ptb.read(data_dir, part) for name, part in names}
    else:
        if input:
            texts = read_lines(input)
        else:
            texts = (read_wikipedia if corpus == "wikipedia" else read_reviews)(data_dir)
        splitter = WordTokenizer.build([])
        split = {part: [splitter.split(text) for text in some] for part, some in texts.items()}
    if tokenizer is None:
        tokenizer = build_tokenizer(split["training"], RECIPES[corpus]["vocabulary"])
    return tokenizer, {
        part: encode_words(tokenizer, some, backward) for part, some in split.items()
    }


def carried_over(folder, network, backward=False):
    """The weights of a language model, for another that knows other words.

    Args:
        folder: Path of its bundle.
        network: Arguments of the other, whose sizes must be its own.
        backward: Whether the other reads from the end.

    Returns:
        Function of the other's `WordTokenizer` that gives a dict from a weight's path to its
        array. A word that both know keeps its vector and bias; another has the mean of the
        vectors (Howard & Ruder 2018), and the lowest bias.

    Raises:
        BundleError: if there is no such bundle, its sizes are others, or it reads the other way.
    """
    arrays, card = bundle.load_arrays(folder / "lstm.safetensors"), bundle.read_card(folder)
    for size in ("dimensions", "units"):
        if (own := card["variants"]["lstm"]["network"][size]) != network[size]:
            raise bundle.BundleError(
                f"The language model in {folder} has {own} {size}, not {network[size]}."
            )
    if card.get("backward", False) != backward:
        ways = ("forwards", "from the end")
        raise bundle.BundleError(
            f"The language model in {folder} reads {ways[not backward]}, the new one would read "
            f"{ways[backward]}."
        )
    known = WordTokenizer.load(folder / "tokenizer.json").words
    places = {word: number for number, word in enumerate(known)}

    def weights(tokenizer):
        rows = np.array([places.get(word, -1) for word in tokenizer.words])
        found = {path: array for path, array in arrays.items() if "/carried_" not in path}
        for path, otherwise in (("embedding/embeddings", np.mean), ("output_bias", np.min)):
            table = found[f"language_model/{path}"]
            rest = otherwise(table[END + 1 :], axis=0, keepdims=True)
            found[f"language_model/{path}"] = np.concatenate([table, rest])[rows]
        return found

    return weights


def windows_of(stream, rows):
    """A text cut for a network that carries its states on from window to window.

    Args:
        stream: Integers `(words,)`.
        rows: How many places of the text are read side by side.

    Returns:
        List of (inputs, targets), int32 arrays `(rows, TIME)`; row n of a window goes on where
        row n of the one before stopped. What is left at the end is filled up with zeros.
    """
    length = -(-(len(stream) - 1) // rows)  # words of a row
    count = -(-length // TIME)
    inputs, targets = (np.zeros((rows, count * TIME), "int32") for _ in range(2))
    for row in range(rows):
        piece = stream[row * length : (row + 1) * length + 1]
        inputs[row, : max(len(piece) - 1, 0)] = piece[:-1]
        targets[row, : max(len(piece) - 1, 0)] = piece[1:]
    cuts = [slice(n * TIME, (n + 1) * TIME) for n in range(count)]
    return [(inputs[:, cut], targets[:, cut]) for cut in cuts]


def held_out(data):
    """The parts of a corpus that are not trained on."""
    return {part: passages for part, passages in data.items() if part != "training"}


def perplexity(network, passages):
    """exp of the mean loss per word, unknown words and ends of passages among them.

    The network reads `rows` places of the text side by side, each from an empty memory.
    """
    carried = [np.asarray(state) for state in network.carried]
    network.forget()
    total, words = 0.0, 0
    for inputs, targets in windows_of(np.concatenate(passages), len(carried[0])):
        real = int((targets > 0).sum())
        loss = network.test_on_batch(inputs, targets, return_dict=True)["loss"]
        total += float(loss) * real
        words += real
    for state, value in zip(network.carried, carried, strict=True):
        state.assign(value)
    return math.exp(total / words)


def fit_network(recipe, data, size, folder, seed, shuffle=True, start=None, verbose=1):
    """Fit a `LanguageModel`; a run that was stopped goes on.

    Args:
        recipe: As in `RECIPES`.
        data: Dict with `"training"` and `"validation"`, lists of passages.
        size: Of the vocabulary.
        folder: Path of the checkpoints.
        seed: Integer.
        shuffle: Whether passages are read in another order in each pass.
        start: Dict from a weight's path to its array to start from, or None.
        verbose: As in `loop.fit`.

    Returns:
        The network with its best weights and the record of `loop.fit`, which has perplexity and
        words per second of each round.
    """
    keras.utils.set_random_seed(seed)
    network = LanguageModel(vocabulary=size, seed=seed, **recipe["network"])
    network.build()
    for variable in network.trainable_variables if start else ():
        variable.assign(start[variable.path])
    rows, parts = recipe["network"]["rows"], recipe["parts"]
    words = sum(map(len, data["training"]))
    each = max(1, -(-words // (rows * TIME)) // parts)  # windows of a round
    rounds = recipe["passes"] * parts
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, each * rounds - WARM_UP), warmup_target=recipe["rate"], warmup_steps=WARM_UP
    )
    # XLA on a CPU draws a mask of a million weights in 0.4 s, TensorFlow itself in 7 ms.
    plain = keras.backend.backend() == "tensorflow" and recipe["network"].get("weight_dropout")
    network.compile(
        optimizer=keras.optimizers.Adam(rate, clipnorm=1.0), loss=None, jit_compile=not plain
    )
    began = {}

    def epoch_batches(number):
        order = np.arange(len(data["training"]))
        if shuffle:
            order = np.random.default_rng((seed, number // parts)).permutation(order)
        windows = windows_of(np.concatenate([data["training"][n] for n in order]), rows)
        part = np.array_split(np.arange(len(windows)), parts)[number % parts]
        began.update(time=time.perf_counter(), words=0)

        def make(n):  # a round that goes on does not begin with the first
            began["words"] += rows * TIME
            return windows[part[n]]

        return Batches(len(part), make)

    def validate():
        speed = began["words"] / (time.perf_counter() - began["time"])
        found = perplexity(network, data["validation"])
        return {"score": -found, "perplexity": found, "words_per_second": round(speed)}

    noted = {**recipe, "vocabulary": size, "words": words, "seed": seed, "time": TIME}
    if start:
        noted["start"] = zlib.crc32(b"".join(start[path].tobytes() for path in sorted(start)))
    record = fit(
        network, epoch_batches, validate, folder, noted, rounds, patience=rounds, verbose=verbose
    )
    return network, record


@app.command()
def train(
    data_dir: DataDir = None,
    corpus: Which = Corpus.reviews,
    input: Input = None,
    output: Output = None,
    work_dir: WorkDir = None,
    backward: Annotated[
        bool, typer.Option("--backward", help="Read each passage from its end.")
    ] = False,
    passes: Annotated[int | None, typer.Option(min=1, help="Default: the recipe's.")] = None,
    start: Annotated[
        Path | None,
        typer.Option(help="Bundle of a language model of the same sizes to go on from."),
    ] = None,
    seed: int = 0,
    as_json: AsJson = False,
):
    """Fit a language model and write its bundle; a run that was stopped goes on."""
    recipe = dict(RECIPES[corpus.value])
    recipe["passes"] = passes or recipe["passes"]
    name = f"{corpus.value}-backward" if backward else corpus.value
    output = output or (Path("language-model") if input else language_model_folder(name))
    before = carried_over(start, recipe["network"], backward) if start else None
    tokenizer, data = read_corpus(corpus.value, data_folder(data_dir), input, backward=backward)
    content = b"".join(passage.tobytes() for passage in data["training"])
    work_dir = checkpoint_dir("language_model", work_dir, data_dir)
    work_dir = work_dir / f"{zlib.crc32(content):08x}"
    shuffle = corpus is not Corpus.ptb or input is not None
    began = before(tokenizer) if before else None
    network, record = fit_network(recipe, data, tokenizer.size, work_dir, seed, shuffle, began)
    output.mkdir(parents=True, exist_ok=True)
    tokenizer.save(output / "tokenizer.json")
    network.forget()
    bundle.save_arrays(output / "lstm.safetensors", bundle.weights_of(network))
    measured = {
        part: perplexity(network, some) for part, some in data.items() if part != "training"
    }
    details = {
        "network": network.options,
        "parameters": int(sum(np.prod(v.shape) for v in network.trainable_variables)),
        **{f"{part}_perplexity": round(value, 2) for part, value in measured.items()},
        "rounds": len(record["epochs"]),
        "words_per_second": record["epochs"][-1]["words_per_second"],
        "minutes": round(record["minutes"], 1),
        "command": f"python -m training.language_model train --corpus {corpus.value}"
        + " --backward" * backward
        + (f" --passes {passes}" if passes else "")
        + (f" --start {start.resolve().name}" if start else ""),
    }
    if start:
        first = bundle.read_card(start)
        details["start"] = {key: first[key] for key in ("data", "training_words")}
    card = {
        "task": "language model",
        "title": "The next word",
        "date": date.today().isoformat(),
        "seed": seed,
        "commit": commit(),
        "data": str(input.name) if input else corpus.value,
        "test_set": "test" if "test" in data else "validation",
        "backward": backward,
        "training_words": int(sum(map(len, data["training"]))),
        "limits": ["It knows the text it has read last best, and a closed list of words."],
        "licence": "Weights: Apache-2.0.",
        "variants": {"lstm": details},
    }
    bundle.write_card(output, card)
    metrics = {"output": str(output), **{f"{n}_perplexity": v for n, v in measured.items()}}
    print(json.dumps(metrics) if as_json else f"Written to {output}.")


@app.command()
def evaluate(
    data_dir: DataDir = None,
    corpus: Which = Corpus.reviews,
    input: Input = None,
    model: Model = None,
    as_json: AsJson = False,
):
    """Perplexity of a language model on the parts that it was not trained on, or on a file."""
    model = model or language_model_folder(corpus.value)
    card, tokenizer = bundle.read_card(model), WordTokenizer.load(model / "tokenizer.json")
    network = LanguageModel(**card["variants"]["lstm"]["network"])
    network.build()
    bundle.set_weights(network, bundle.load_arrays(model / "lstm.safetensors"))
    network.compile(loss=None, jit_compile=True)
    _, data = read_corpus(
        corpus.value, data_folder(data_dir), input, tokenizer, card.get("backward", False)
    )
    if input:
        data = {"own": [passage for part in data.values() for passage in part]}
    data = held_out(data)
    start = time.perf_counter()
    metrics = {f"{part}_perplexity": perplexity(network, some) for part, some in data.items()}
    words = sum(len(passage) for some in data.values() for passage in some)
    metrics |= {"words": words, "seconds": round(time.perf_counter() - start, 2)}
    print_metrics(metrics, as_json)
