"""Movie-review sentiment: `python -m training.sentiment train|evaluate`.

`train` learns word vectors from all training and unlabelled reviews, fits the n-gram baseline,
then the network with each cell under one recipe, and a larger LSTM that starts from a language
model (`python -m training.language_model train`) if there is one; it scores everything once on
the official test split and writes `models/sentiment`. `evaluate` scores the shipped bundle, or
any JSONL file.
"""

import json
import logging
import time
import zlib
from datetime import date
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from apps.sentiment import suite
from shared import bundle
from shared.text import WordTokenizer, clean, pad
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
    old_card,
    print_metrics,
    run,
)
from training.datasets import imdb

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)
log = logging.getLogger(__name__)


class Cell(StrEnum):
    """The networks: one with each cell, and the LSTM that has learned the language first."""

    rnn = "rnn"
    gru = "gru"
    lstm = "lstm"
    pretrained = "pretrained"


# The recipe, the same for every cell; chosen on the validation reviews only.
VOCABULARY, DIMENSIONS, UNITS = 16_000, 64, 128
WORDS = 400  # read of each review in training; answers read up to predictor.LONGEST
BATCH, EPOCHS, RATE = 64, 4, 2e-3
NGRAMS = 30_000
LARGE = 2**17  # numbers: arrays with more are stored as int8, as the word vectors are
# The same for the LSTM that starts from a language model. Its layers are let go one after the
# other, and the lower ones change less: share of the rate, and the epoch from which on.
PRETRAINED_EPOCHS, PRETRAINED_RATE = 3, 4e-3
ADVERSARY = 0.5  # how far word vectors are moved against it, in their standard deviations
PACES = {"head": (1.0, 0), "recurrent": (0.4, 0.2), "embedding": (0.2, 0.6)}
# A student of it and of a bag of words learns the unlabelled reviews too.
STUDENT_EPOCHS = 2
STUDENT_PACES = {"head": (1.0, 0), "recurrent": (0.4, 0.07), "embedding": (0.2, 0.2)}
TRIPLES = 3  # words of the longest n-gram of the bag that teaches
# The study: what is taken over from the language model, the paces of the layers, and how far words
# are moved against it. What has no paces is fitted for longer, at the rate of the first recipe:
# three epochs at PRETRAINED_RATE gave it 83.5 % of the validation reviews, these gave 89.1.
STARTS = {
    "from scratch": ((), None, 0),
    "word vectors": (("embedding",), None, 0),
    "encoder, as it is": (
        ("embedding", "recurrent"),
        {**PACES, "recurrent": (0, 0), "embedding": (0, 0)},
        0,
    ),
    "encoder, fine-tuned": (("embedding", "recurrent"), PACES, 0),
    "against an adversary": (("embedding", "recurrent"), PACES, ADVERSARY),
}
SCRATCH_EPOCHS = 8
CURVE = ("from scratch", "encoder, fine-tuned")  # fitted to few labels too
LABELS = {100: 3, 1_000: 3, 5_000: 1}  # how few, and how often they are drawn anew
STUDY_STEPS = 400  # batches at the least
STUDY_HELD = 500  # validation reviews, where labels are few

LanguageModel = Annotated[
    Path | None, typer.Option(help="Bundle that the pretrained network starts from.")
]
BackwardModel = Annotated[
    Path | None, typer.Option(help="The same of a model that reads from the end: a second teacher.")
]
Input = Annotated[Path | None, typer.Option(help='Your own reviews: JSONL rows {"text", "label"}.')]


def read_rows(path):
    """Reviews of a JSONL file with rows `{"text": str, "label": 0 or 1}`.

    Raises:
        typer.BadParameter: if the file or a row is not as it should be; the message says where.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} cannot be read as UTF-8 text: {error}") from error
    reviews = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            text, label = row["text"], row["label"]
        except (ValueError, TypeError, KeyError) as error:
            raise typer.BadParameter(
                f'{path}, line {number}: expected {{"text": …, "label": 0 or 1}}.'
            ) from error
        if not isinstance(text, str) or label not in (0, 1):
            raise typer.BadParameter(
                f"{path}, line {number}: `text` must be a string and `label` 0 or 1."
            )
        reviews.append(imdb.Review(clean(text), int(label), str(row.get("movie", number))))
    if not reviews:
        raise typer.BadParameter(f"{path} has no rows.")
    return reviews


def expected_calibration_error(probabilities, labels, bins=15):
    """Mean gap between confidence and accuracy over equal bins of confidence (Guo et al. 2017).

    Args:
        probabilities: Array `(examples,)`, that the label is 1.
        labels: Array `(examples,)` of 0 and 1.
        bins: How many bins.

    Returns:
        A float between 0 and 1.
    """
    confidence = np.maximum(probabilities, 1 - probabilities)
    correct = (probabilities > 0.5) == (labels > 0.5)
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(correct[places == b].mean() - confidence[places == b].mean()) * np.mean(places == b)
        for b in np.unique(places)
    ]
    return float(np.sum(gaps))


def fit_temperature(log_odds, labels):
    """The temperature that log-odds are divided by to fit the labels best (Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar

    signs = np.where(labels > 0.5, 1, -1)

    def loss(log_temperature):
        return np.logaddexp(0, -signs * log_odds / np.exp(log_temperature)).mean()

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def scores(probabilities, labels, prefix=""):
    """Accuracy and calibration error, under the names that `--json` prints."""
    accuracy = float(np.mean((probabilities > 0.5) == (labels > 0.5)))
    ece = expected_calibration_error(probabilities, labels)
    return {f"{prefix}accuracy": accuracy, f"{prefix}ece": ece}


def labels_of(reviews):
    """Labels as a float array `(reviews,)`."""
    return np.array([review.label for review in reviews], "float32")


def learn_vectors(texts, folder, seed):
    """Word vectors by skip-gram with negative sampling (Mikolov et al. 2013), kept in `folder`.

    Args:
        texts: List of cleaned texts.
        folder: Path where they are kept, and read from when they are there.
        seed: Integer; with two workers gensim's order, and so the result, varies slightly.

    Returns:
        A `WordTokenizer` of the most frequent words, and their vectors as an array
        `(vocabulary, dimensions)` of standard deviation 0.5; padding and unknown are zero.
    """
    vectors_file, words_file = folder / "vectors.npy", folder / "tokenizer.json"
    if vectors_file.exists():
        return WordTokenizer.load(words_file), np.load(vectors_file)
    from gensim.models import Word2Vec

    splitter = WordTokenizer.build([])
    sentences = [splitter.split(text) for text in texts]
    log.info("word vectors from %d words", sum(map(len, sentences)))
    model = Word2Vec(
        sentences,
        vector_size=DIMENSIONS,
        window=8,
        sg=1,
        negative=8,
        sample=1e-4,
        epochs=3,
        min_count=2 if len(texts) < 5_000 else 10,
        max_final_vocab=VOCABULARY - 2,
        workers=2,
        seed=seed,
    )
    tokenizer = WordTokenizer.build(model.wv.index_to_key)
    vectors = np.zeros((tokenizer.size, DIMENSIONS), "float32")
    vectors[2:] = model.wv.vectors / (2 * model.wv.vectors.std())
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(words_file)
    np.save(vectors_file, vectors)
    return tokenizer, vectors


def fit_bag(training, tokenizer, longest=2, least=3):
    """Naive-Bayes-weighted logistic regression on n-grams (Wang & Manning 2012).

    Args:
        training: List of reviews.
        tokenizer: Splits the texts.
        longest: Words of the longest n-gram.
        least: Reviews that an n-gram must stand in; fewer where there are few reviews.

    Returns:
        scikit-learn's counter of n-grams, how often each occurs in reviews (one is added for each
        label), their weights and the bias in log-odds.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    from apps.sentiment.predictor import ngrams_of

    counter = CountVectorizer(
        analyzer=lambda text: ngrams_of(tokenizer.split(text), longest),
        min_df=min(least, len(training) // 100 + 1),
        binary=True,
    )
    counts = counter.fit_transform([review.text for review in training])
    labels = labels_of(training)
    positive = 1 + np.asarray(counts[labels == 1].sum(axis=0)).ravel()
    negative = 1 + np.asarray(counts[labels == 0].sum(axis=0)).ravel()
    ratio = np.log((positive / positive.sum()) / (negative / negative.sum()))
    regression = LogisticRegression(C=0.1, solver="liblinear")
    regression.fit(counts.multiply(ratio).tocsr(), labels)
    return counter, positive + negative, regression.coef_[0] * ratio, regression.intercept_[0]


def fit_baseline(training, tokenizer):
    """The bag of words that the site shows: words and pairs, the 30,000 that matter most.

    Args:
        training: List of reviews.
        tokenizer: Splits the texts.

    Returns:
        Dict from n-gram to weight, and the bias.
    """
    counter, counts, weights, bias = fit_bag(training, tokenizer)
    names = counter.get_feature_names_out()
    kept = np.argsort(-np.abs(weights) * np.sqrt(counts))[:NGRAMS]
    return {names[n]: float(weights[n]) for n in sorted(kept, key=lambda n: names[n])}, float(bias)


def teach(readers, words, encoded, training, validation, texts, file):
    """What a teacher says of texts without a label: networks and a bag of word triples together.

    Their log-odds, each divided by its temperature, are added, and calibrated again.

    Args:
        readers: Dict from a name to a `SentimentNetwork`; what is named `"backward"` reads each
            text from its end.
        words: Their `WordTokenizer`.
        encoded: List of word numbers, those of `texts`.
        training: List of reviews that the bag is fitted to.
        validation: List of reviews that temperatures are fitted to.
        texts: List of cleaned texts.
        file: Path where the answers are kept, and read from when they are there.

    Returns:
        Probabilities `(texts,)` that they are positive, float32, and a dict of the shares of the
        validation reviews that each teacher, and all of them together, get right.
    """
    from scipy.special import expit

    from apps.sentiment.predictor import Predictor

    if file.exists():
        with np.load(file) as kept:
            return kept["told"], {name: float(kept[name]) for name in kept.files if name != "told"}
    log.info("a bag of word triples, and what it and the networks say of %d texts", len(texts))
    counter, _, weights, bias = fit_bag(training, words, TRIPLES, least=2)
    reviews, truth = [review.text for review in validation], labels_of(validation)
    numbers = words.encode(reviews)

    def by_bag(some):
        return np.concatenate(
            [
                np.asarray(counter.transform(some[n : n + 5_000]) @ weights + bias)
                for n in range(0, len(some), 5_000)
            ]
        )

    sources = {"bag": (by_bag(reviews), by_bag(texts))}
    for name, network in readers.items():
        predictor, way = Predictor(network, words, 1.0, {}), -1 if name == "backward" else 1
        sources[name] = [
            predictor.log_odds([some[::way][:WORDS] for some in part])
            for part in (numbers, encoded)
        ]
    held, found, right = 0, 0, {}
    for name, (own, others) in sources.items():
        temperature = fit_temperature(own, truth)
        held, found = held + own / temperature, found + others / temperature
        right[name] = float(np.mean((own > 0) == (truth > 0)))
    right["together"] = float(np.mean((held > 0) == (truth > 0)))
    log.info("the teachers, on the validation reviews: %s", json.dumps(right))
    told = expit(found / fit_temperature(held, truth)).astype("float32")
    np.savez(file, told=told, **right)
    return told, right


def fit_network(
    options, data, start, folder, seed, epochs, rate, paces=None, batch=None, repeats=1, verbose=1
):
    """Fit the network.

    Args:
        options: Arguments of the network.
        data: Dict with `"training"` and `"validation"`: lists of word numbers, and labels.
        start: Dict from weights, such as `"embedding/embeddings"`, to arrays to start from.
        folder: Path of the checkpoints.
        seed: Integer: initial weights, dropout and order of the batches.
        epochs: How many; the best one's weights are kept.
        rate: The highest learning rate.
        paces: As `PACES`, or None for one pace.
        batch: Reviews of a batch; `BATCH` if None.
        repeats: How often an epoch goes through the reviews.
        verbose: As in `loop.fit`.

    Returns:
        The network with its best weights and the record of `loop.fit`.
    """
    import keras

    from apps.sentiment.model import SentimentNetwork
    from apps.sentiment.predictor import Predictor
    from training.loop import Batches, Layerwise, fit

    keras.utils.set_random_seed(seed)
    batch = batch or BATCH
    sequences, labels = data["training"]
    sequences = [sequence[:WORDS] for sequence in sequences]
    lengths = np.array([len(sequence) for sequence in sequences])
    network = SentimentNetwork(**options, seed=seed)
    network.build((None, None))
    for variable in network.trainable_variables:
        name = variable.path.partition("/")[2]
        if name in start:
            variable.assign(start[name])
    per_pass = max(1, len(sequences) // batch)
    per_epoch = per_pass * repeats
    schedule = keras.optimizers.schedules.CosineDecay(rate, per_epoch * epochs)
    first = {name: (share, epoch * per_epoch) for name, (share, epoch) in (paces or {}).items()}
    network.compile(
        optimizer=Layerwise(schedule, first, clipnorm=1.0)
        if paces
        else keras.optimizers.Adam(schedule, clipnorm=1.0),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=True,
    )

    def epoch_batches(number):
        # Reviews of about one length go together; the noise changes who meets whom.
        noise, chunks = np.random.default_rng((seed, number)), []
        for _ in range(repeats):
            rows = noise.permutation(len(lengths))[: per_pass * batch]
            rows = rows[np.argsort(lengths[rows] + noise.uniform(0, 40, len(rows)), kind="stable")]
            chunks += [rows[n * batch : (n + 1) * batch] for n in range(per_pass)]
        noise.shuffle(chunks)

        def make(n):
            rows = chunks[n]
            time_steps = -(-max(lengths[rows].max(), 1) // 80) * 80  # few shapes to compile
            return pad([sequences[row] for row in rows], time_steps), labels[rows]

        return Batches(per_epoch, make)

    held_out, truth = data["validation"]
    predictor = Predictor(network, None, 1.0, {})

    def validate():
        log_odds = predictor.log_odds(held_out)
        loss = np.logaddexp(0, np.where(truth > 0.5, -1, 1) * log_odds).mean()
        return {"score": float(np.mean((log_odds > 0) == (truth > 0.5))), "nll": float(loss)}

    recipe = {**network.options, "epochs": epochs, "batch": batch, "rate": rate, "words": WORDS}
    recipe |= {"examples": len(sequences), "repeats": repeats, "paces": paces}
    began = b"".join(name.encode() + start[name].tobytes() for name in sorted(start))
    recipe["start"] = zlib.crc32(began)
    record = fit(
        network, epoch_batches, validate, folder, recipe, epochs, patience=epochs, verbose=verbose
    )
    return network, record


def fit_pretrained(
    learned, encoded, training, validation, texts, folder, seed, epochs=None, backward=None
):
    """Fit the network that starts from a language model: as teacher first, then as student.

    The student learns from what the teacher says of texts without a label besides the labelled
    reviews (Xie et al. 2020). Without such texts the teacher is the answer.

    Args:
        learned: What `pretrained` gives.
        encoded: Dict from `"training"` and `"validation"` to word numbers and labels.
        training: List of reviews, those of `encoded`.
        validation: List of reviews, those of `encoded`.
        texts: List of cleaned texts without a label.
        folder: Path that holds a folder of checkpoints for each stage.
        seed: Integer.
        epochs: Of a stage; the recipe's if None.
        backward: What `pretrained` gives of a model of the same words read from the end, which
            makes a second teacher; or None.

    Returns:
        The network with its best weights and the record, as of `loop.fit`, of the stages that
        lead to it, with what the teachers got right.
    """
    options, words, start = learned
    readers = {}
    record = {"epochs": [], "minutes": 0.0}
    for name, source in (("forward", learned), ("backward", texts and backward)):
        if source:
            data = encoded if name == "forward" else reversed_texts(encoded)
            readers[name], own = fit_network(
                source[0], data, source[2], folder / name, seed,
                epochs or PRETRAINED_EPOCHS, PRETRAINED_RATE, PACES,
            )  # fmt: skip
            if name == "forward" and not texts:
                return readers[name], own
            record["epochs"] += own["epochs"]
            record["minutes"] += own["minutes"]
    # Other teachers, another file; other answers, another run.
    file = folder / f"taught-{_fingerprint(readers.values())}.npz"
    more = words.encode(texts)
    told, right = teach(readers, words, more, training, validation, texts, file)
    sequences, labels = encoded["training"]
    endings = [numbers[-WORDS:] for numbers in (*sequences, *more)]  # where the verdict stands
    data = {**encoded, "training": (endings, np.concatenate([labels, told]))}
    network, own = fit_network(
        options, data, start, folder / f"student-{zlib.crc32(told.tobytes()):08x}", seed,
        epochs or STUDENT_EPOCHS, PRETRAINED_RATE, STUDENT_PACES,
    )  # fmt: skip
    return network, {
        "epochs": record["epochs"] + own["epochs"],
        "best": len(record["epochs"]) + own["best"],
        "minutes": record["minutes"] + own["minutes"],
        "teachers": right,
    }


def reversed_texts(encoded):
    """Word numbers and labels, by part, with each text read from its end."""
    return {
        part: ([numbers[::-1] for numbers in sequences], labels)
        for part, (sequences, labels) in encoded.items()
    }


@app.command()
def train(
    data_dir: DataDir = None,
    input: Input = None,
    cell: Annotated[list[Cell] | None, typer.Option(help="Only these cells (repeatable).")] = None,
    output: Output = None,
    work_dir: WorkDir = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: the recipe's.")] = None,
    language_model: LanguageModel = None,
    backward_model: BackwardModel = None,
    seed: int = 0,
    as_json: AsJson = False,
):
    """Fit everything and write the bundle; a run that was stopped goes on from its checkpoints."""
    if input:
        reviews = read_rows(input)
        training, validation = imdb.split_by_movie(reviews, 0.1, seed)
        test, unlabelled, texts = None, [], [review.text for review in training]
        output = output or Path("sentiment-model")
    else:
        log.info("reading the reviews")
        data_dir = data_folder(data_dir)
        training, validation = imdb.split_by_movie(imdb.read(data_dir, "train"), 0.1, seed)
        test = imdb.read(data_dir, "test")
        unlabelled = [review.text for review in imdb.read(data_dir, "unsup")]
        texts = [*(review.text for review in training), *unlabelled]
        output = output or bundle.MODELS / "sentiment"
    # Data of its own, work of its own: another corpus never resumes this one's run.
    fingerprint = f"{zlib.crc32(chr(10).join(texts).encode()):08x}"
    work_dir = checkpoint_dir("sentiment", work_dir, data_dir) / fingerprint
    if min(len({review.label for review in part}) for part in (training, validation)) < 2:
        raise typer.BadParameter("Training and validation need reviews of both labels.")

    source = language_model or language_model_folder("reviews")
    cells = cell or list(Cell)
    if not cell and not source.exists():
        log.info("no language model at %s: the pretrained network is left out", source)
        cells.remove(Cell.pretrained)
    output.mkdir(parents=True, exist_ok=True)
    if cells == [Cell.pretrained]:  # which brings its own words and vectors
        _, tokenizer, _ = pretrained(source)
    else:
        tokenizer, vectors = learn_vectors(texts, work_dir / "vectors", seed)
        tokenizer.save(output / "tokenizer.json")
    start = time.perf_counter()
    weights, bias = fit_baseline(training, tokenizer)
    baseline_minutes = (time.perf_counter() - start) / 60
    if not (output / "tokenizer.json").exists():  # the baseline splits texts with it
        tokenizer.save(output / "tokenizer.json")
    parts = (("training", training), ("validation", validation), ("test", test or []))

    @cache
    def encode(tokenizer):
        return {
            name: (tokenizer.encode([review.text for review in part]), labels_of(part))
            for name, part in parts
        }

    card = _new_card(output, seed, training, validation, test)
    card["baseline"] = _write_baseline(output, tokenizer, weights, bias, validation, test)
    card["baseline"]["minutes"] = round(baseline_minutes, 1)
    for name in cells:
        if name is Cell.pretrained:
            learned, backward = both_ways(language_model, backward_model)
            words, own = learned[1], encode(learned[1])
            words.save(output / f"{name}.tokenizer.json")
            network, record = fit_pretrained(
                learned, own, training, validation, unlabelled, work_dir, seed, epochs, backward
            )
            details = _write_variant(output, name.value, network, record, words, own, test)
            details["language_model"] = _about(source)
            if "teachers" in record:
                details["teachers"] = record["teachers"]
                if backward:
                    turned = backward_model or language_model_folder("reviews-backward")
                    details["backward_model"] = _about(turned)
        else:
            options = {"cell": name.value, "vocabulary": len(vectors), "units": UNITS}
            options["dimensions"] = vectors.shape[1]
            start, encoded = {"embedding/embeddings": vectors}, encode(tokenizer)
            network, record = fit_network(
                options, encoded, start, work_dir / name.value, seed, epochs or EPOCHS, RATE
            )
            details = _write_variant(output, name.value, network, record, tokenizer, encoded, test)
        card["variants"][name.value] = details
        bundle.write_card(output, card)
    metrics = {name: details["accuracy"] for name, details in card["variants"].items()}
    print(json.dumps({"output": str(output), **metrics}) if as_json else f"Written to {output}.")


@app.command()
def study(
    data_dir: DataDir = None,
    language_model: LanguageModel = None,
    backward_model: BackwardModel = None,
    output: Output = None,
    work_dir: WorkDir = None,
    seed: int = 0,
    as_json: AsJson = False,
):
    """What each step of pre-training brings, and how few labels it needs; written into the card."""
    from apps.sentiment.predictor import Baseline, Predictor

    data_dir, output = data_folder(data_dir), output or bundle.MODELS / "sentiment"
    (options, tokenizer, learned), backward = both_ways(language_model, backward_model)
    training, validation = imdb.split_by_movie(imdb.read(data_dir, "train"), 0.1, seed)
    test = imdb.read(data_dir, "test")
    sequences, held_out, scored = (
        tokenizer.encode([review.text for review in part]) for part in (training, validation, test)
    )
    labels, truth = labels_of(training), labels_of(validation)
    work_dir = checkpoint_dir("sentiment", work_dir, data_dir) / "study"
    noise = np.random.default_rng(seed)
    order, held = noise.permutation(len(training)), noise.permutation(len(validation))[:STUDY_HELD]
    found = {}

    def note(name, count, answers, **more):
        accuracy = float(np.mean((answers > 0) == (labels_of(test) > 0)))
        row = found.setdefault((name, count), {"start": name, "labels": count, "draws": []})
        row["draws"].append(accuracy)
        row["accuracy"] = float(np.mean(row["draws"]))
        if count == len(training):
            row.update(more)
        log.info("%s", json.dumps(row))

    def fitted(name, count, data, start, paces, adversary, scored, draw=0):
        """The test reviews' log-odds and the validation reviews', kept with the checkpoints."""
        few = count < len(training)
        epochs, rate = (PRETRAINED_EPOCHS, PRETRAINED_RATE) if paces else (SCRATCH_EPOCHS, RATE)
        batch, rate = (BATCH // 4, rate / 2) if count < 2_000 else (BATCH, rate)
        repeats = -(-STUDY_STEPS // (epochs * max(1, count // batch))) if few else 1
        folder = work_dir / f"{count}-{name.replace(' ', '-').replace(',', '')}{f'-{draw}' * few}"
        network, record = fit_network(
            {**options, "adversary": adversary}, data, start, folder, seed + draw, epochs, rate,
            paces, batch, repeats,
        )  # fmt: skip
        file = folder / f"answers-{_fingerprint([network])}.npz"
        if not file.exists():
            predictor = Predictor(network, tokenizer, 1.0, {})
            answers = predictor.log_odds(scored), predictor.log_odds(data["validation"][0])
            np.savez(file, test=answers[0], validation=answers[1])
        with np.load(file) as kept:
            answers, own = kept["test"], kept["validation"]
        best = record["epochs"][record["best"]]["score"]
        note(name, count, answers, validation_accuracy=best, minutes=round(record["minutes"], 1))
        return answers, own

    for count, draws in {**LABELS, len(training): 1}.items():
        few = count < len(training)
        for draw in range(draws):
            rows = order[draw * count : (draw + 1) * count] if few else range(count)
            data = {
                "training": ([sequences[row] for row in rows], labels[rows]),
                "validation": (held_out, truth),
            }
            if few:
                data["validation"] = ([held_out[row] for row in held], truth[held])
            weights, bias = fit_baseline([training[row] for row in rows], tokenizer)
            bag = Baseline(weights, bias, 1.0, tokenizer)
            note("bag of words", count, bag.predict([review.text for review in test]) - 0.5)
            for name in CURVE if few else STARTS:
                taken, *how = STARTS[name]
                start = {path: a for path, a in learned.items() if path.split("/")[0] in taken}
                ahead = fitted(name, count, data, start, *how, scored, draw)
    if backward:
        turned = [numbers[::-1] for numbers in scored]
        others = fitted(
            "read from the end", count, reversed_texts(data), backward[2], PACES, ADVERSARY, turned
        )
        temperatures = [fit_temperature(own, truth) for _, own in (ahead, others)]
        both, own = (
            sum(part / t for part, t in zip(parts, temperatures, strict=True))
            for parts in zip(ahead, others, strict=True)
        )
        right = float(np.mean((own > 0) == (truth > 0)))
        note("both directions", count, both, validation_accuracy=right)
    card = bundle.read_card(output)
    shipped = card["variants"].get(Cell.pretrained, {})
    if "backward" in shipped.get("teachers", {}):  # the last step, measured when it was trained
        row = {key: shipped[key] for key in ("accuracy", "validation_accuracy", "minutes")}
        found["student"] = {"start": "… and a student", "labels": len(training), **row}
    bundle.write_card(output, {**card, "study": list(found.values())})
    print(json.dumps(list(found.values())) if as_json else f"Written to {output}.")


def _fingerprint(networks):
    weights = [np.asarray(v) for network in networks for v in network.trainable_variables]
    return f"{zlib.crc32(b''.join(map(np.ndarray.tobytes, weights))):08x}"


def _about(folder):
    card = bundle.read_card(folder)
    return {"words": card["training_words"], **card["variants"]["lstm"]}


def both_ways(language_model, backward_model):
    """What `pretrained` gives of two bundles, which stand in their own folders unless chosen.

    The second, of a model that reads from the end, is None where there is none.

    Raises:
        BundleError: if there is no first, or one chosen is missing or knows other words.
    """
    learned, backward = pretrained(language_model or language_model_folder("reviews")), None
    usual = language_model_folder("reviews-backward")
    if backward_model or (language_model is None and usual.exists()):
        backward = pretrained(backward_model or usual)
        if backward[1].words != learned[1].words:
            raise bundle.BundleError(
                "The two language models know different words. Fit both to the same text."
            )
    return learned, backward


def pretrained(folder):
    """What the network takes over from a language model.

    Args:
        folder: Path of a bundle of `training.language_model`.

    Returns:
        The network's options, the `WordTokenizer`, and the weights to start from.

    Raises:
        BundleError: if there is none; the message says how to fit one.
    """
    try:
        arrays = bundle.load_arrays(folder / "lstm.safetensors")
        network = bundle.read_card(folder)["variants"]["lstm"]["network"]
    except bundle.BundleError as problem:
        raise bundle.BundleError(
            f"There is no language model in {folder}. Fit one first: "
            "python -m training.language_model train"
        ) from problem
    options = {name: network[name] for name in ("vocabulary", "dimensions", "units")}
    start = {path.partition("/")[2]: array for path, array in arrays.items()}
    options |= {"cell": "lstm", "adversary": ADVERSARY}
    return options, WordTokenizer.load(folder / "tokenizer.json"), start


def _new_card(output, seed, training, validation, test):
    """A card with what all variants share, and the variants that stand in `output` already."""
    before = old_card(output)
    official = test is not None
    card = {
        "task": "sentiment",
        "title": "Movie-review sentiment",
        "date": date.today().isoformat(),
        "seed": seed,
        "commit": commit(),
        "data": "Large Movie Review Dataset (Maas et al. 2011)" if official else "own reviews",
        "test_set": "official test split" if official else "validation split",
        "examples": len(test if official else validation),
        "training_examples": len(training),
        "validation_examples": len(validation),
        "licence": "Weights: Apache-2.0. Reviews: not shipped; cite Maas et al. 2011.",
        "limits": [
            "It has read English film reviews only: other topics and languages are guesses.",
            "Irony, comparisons with other films and retold plots mislead it.",
            "It knows words, not facts; a name can carry the mood of the reviews it stood in.",
        ],
        "variants": before.get("variants", {}),
        "study": before.get("study", []),
    }
    if official:
        card["duplicates"] = {
            "within_test": imdb.duplicates(test),
            "test_in_training": imdb.duplicates(test, [*training, *validation]),
        }
    return card


def _write_baseline(output, tokenizer, weights, bias, validation, test):
    from apps.sentiment.predictor import Baseline

    bundle.save_arrays(
        output / "baseline.safetensors", {"weights": np.array(list(weights.values()), "float32")}
    )
    (output / "baseline.txt").write_text("\n".join(weights) + "\n", encoding="utf-8")
    raw = Baseline(weights, bias, 1.0, tokenizer)
    temperature = fit_temperature(_logit(raw, validation), labels_of(validation))
    baseline = Baseline(weights, bias, temperature, tokenizer)
    scored = validation if test is None else test
    return {
        "name": "NB-weighted logistic regression",
        "ngrams": len(weights),
        "bias": bias,
        "temperature": temperature,
        **scores(baseline.predict([review.text for review in scored]), labels_of(scored)),
        "suite": suite.accuracies(baseline.predict([case.text for case in suite.read()])),
    }


def _logit(baseline, reviews):
    probabilities = baseline.predict([review.text for review in reviews])
    return np.log(probabilities) - np.log1p(-probabilities)


def _write_variant(output, name, network, record, tokenizer, encoded, test):
    from apps.sentiment.predictor import Predictor

    weights = bundle.weights_of(network)
    large = [path for path, array in weights.items() if array.size > LARGE]
    table = network.embedding.embeddings.path
    int4 = {table} if name == Cell.pretrained else set()
    int8 = {table, *large} - int4
    bundle.save_arrays(output / f"{name}.safetensors", weights, int8, int4)
    # Everything is measured on the weights as they were stored.
    bundle.set_weights(network, bundle.load_arrays(output / f"{name}.safetensors"))
    predictor = Predictor(network, tokenizer, 1.0, {})
    held_out, truth = encoded["validation"]
    predictor.temperature = fit_temperature(predictor.log_odds(held_out), truth)
    valid = scores(predictor.probabilities(held_out), truth, "validation_")
    sequences, labels = encoded["test" if test is not None else "validation"]
    probabilities = predictor.probabilities(sequences)
    details = {
        "network": network.options,
        "parameters": int(sum(np.prod(v.shape) for v in network.trainable_variables)),
        "temperature": predictor.temperature,
        "validation_accuracy_float32": record["epochs"][record["best"]]["score"],
        **valid,
        **scores(probabilities, labels),
        "suite": suite.accuracies(predictor.predict([case.text for case in suite.read()])),
        "epochs": len(record["epochs"]),
        "best_epoch": record["best"] + 1,
        "minutes": round(record["minutes"], 1),
        "command": f"python -m training.sentiment train --cell {name}",
        "date": date.today().isoformat(),
        "commit": commit(),
    }
    log.info("%s: %s", name, json.dumps(details))
    return details


@app.command()
def evaluate(
    data_dir: DataDir = None,
    input: Input = None,
    cell: Annotated[Cell | None, typer.Option(help="Default: the best of the bundle.")] = None,
    model: Model = None,
    as_json: AsJson = False,
):
    """Score the shipped bundle on the official test split, or on a file."""
    from apps.sentiment.predictor import Baseline, Predictor

    reviews = read_rows(input) if input else imdb.read(data_folder(data_dir), "test")
    texts, labels = [review.text for review in reviews], labels_of(reviews)
    variants = bundle.read_card(model or bundle.MODELS / "sentiment")["variants"]
    best = Cell.pretrained if Cell.pretrained in variants else next(iter(variants))
    predictor = Predictor.load(str(cell or best), model)
    start = time.perf_counter()
    probabilities = predictor.predict(texts)
    seconds = time.perf_counter() - start
    baseline = Baseline.load(model).predict(texts)
    metrics = {
        "network": predictor.variant,
        **scores(probabilities, labels),
        **scores(baseline, labels, "baseline_nbsvm_"),
        "examples": len(reviews),
        "seconds": round(seconds, 2),
    }
    if not input:
        known = {review.text for review in imdb.read(data_folder(data_dir), "train")}
        fresh = np.array([text not in known for text in texts])
        clear = scores(probabilities[fresh], labels[fresh])
        metrics["accuracy_without_overlap"] = clear["accuracy"]
        metrics["suite"] = suite.accuracies(predictor.predict([c.text for c in suite.read()]))
    print_metrics(metrics, as_json)


if __name__ == "__main__":
    run(app)
