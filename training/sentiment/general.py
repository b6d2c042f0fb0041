"""The general network: one LSTM for reviews, sentences, tweets and other short texts."""

import random
import zlib
from dataclasses import asdict, replace

import keras
import numpy as np

from apps.sentiment.model import NEUTRAL, SentimentNetwork
from apps.sentiment.predictor import Calibration, Predictor, neutral_log_odds
from shared.text import WordPieceTokenizer, pad
from training.datasets import imdb
from training.language_model.data import read_wikipedia
from training.loop import Batches, LayerwiseAdam, fit
from training.sentiment import mixture, recipe, vocabulary

# Tokens of a padded text, and how many such texts a batch has.
BATCH_ROWS = dict.fromkeys((8, 16, 24, 32, 48), 256)
BATCH_ROWS |= {64: 192, 96: 128, 128: 96, 192: 64, 320: 64}


def fit_general(options, tokenizer, training, validation, start, folder, seed, settings, verbose=2):
    """Fit a `SentimentNetwork` with three classes to a mixture of sources.

    Args:
        options: Arguments of the network.
        tokenizer: Its tokenizer.
        training, validation: Dicts from source to examples, as from `mixture.read`.
        start: Dict from weights, such as `"embedding/embeddings"`, to arrays to start from.
        folder: Path of the checkpoints.
        seed: Integer: initial weights, dropout and order of the batches.
        settings: A `recipe.General`.
        verbose: As in `loop.fit`.

    Returns:
        The network with its best weights, of an epoch or the mean of all, and the record of
        `loop.fit`.
    """
    keras.utils.set_random_seed(seed)
    network = SentimentNetwork(**options, seed=seed)
    network.build((None, None))
    folder.mkdir(parents=True, exist_ok=True)
    for variable in network.trainable_variables:
        name = variable.path.partition("/")[2]
        if name in start:
            variable.assign(start[name])
    epochs_batches = {}

    def epoch_batches(epoch):
        if epoch not in epochs_batches:
            examples = mixture.sample_epoch(training, settings.examples, epoch, seed)
            epochs_batches.clear()
            epochs_batches[epoch] = _batches(tokenizer, examples, (seed, epoch))
        return epochs_batches[epoch]

    count = len(epoch_batches(0))
    schedule = keras.optimizers.schedules.CosineDecay(
        settings.learning_rate, count * settings.epochs
    )
    layer_rates = {
        name: (multiplier, int(epoch * count))
        for name, (multiplier, epoch) in settings.layer_rates.items()
    }
    network.compile(
        optimizer=LayerwiseAdam(schedule, layer_rates, clipnorm=1.0), loss=None, jit_compile=True
    )
    predictor = Predictor(network, tokenizer)
    encoded = {
        source: tokenizer.encode([example.text for example in examples])
        for source, examples in validation.items()
    }

    def measure():
        logits = {source: predictor.logits(sequences) for source, sequences in encoded.items()}
        return scores(logits, validation)

    def validate():
        weights = [np.asarray(variable) for variable in network.trainable_variables]
        np.savez(folder / f"weights{int(network.optimizer.iterations)}.npz", *weights)
        return measure()

    start_bytes = b"".join(name.encode() + start[name].tobytes() for name in sorted(start))
    run_settings = {
        **network.options,
        **asdict(settings),
        "examples_read": {source: len(examples) for source, examples in training.items()},
        "start": zlib.crc32(start_bytes),
        "seed": seed,
    }
    record = fit(
        network, epoch_batches, validate, folder, run_settings, settings.epochs, settings.epochs,
        verbose,
    )  # fmt: skip
    _average_epochs(network, folder, measure, record)
    return network, record


def _average_epochs(network, folder, measure, record):
    """Give a network the mean of its weights after all epochs, if that scores at least as well.

    Source: Izmailov et al. 2018. The scores of the mean become `"average"` of the record.
    """
    variables = network.trainable_variables
    best = [np.asarray(variable) for variable in variables]
    epochs = []
    for file in folder.glob("weights*.npz"):
        with np.load(file) as arrays:
            epochs.append([arrays[f"arr_{number}"] for number in range(len(variables))])
    for variable, arrays in zip(variables, zip(*epochs, strict=True), strict=True):
        variable.assign(np.mean(arrays, axis=0))
    figures = measure()
    if figures["score"] >= record["epochs"][record["best"]]["score"]:
        record["average"] = figures
        return
    for variable, array in zip(variables, best, strict=True):
        variable.assign(array)


def _batches(tokenizer, examples, seed):
    """Batches of texts of similar length, all with about as many tokens, in random order."""
    rng = np.random.default_rng(seed)
    longest = max(BATCH_ROWS)
    # The end of a review is where the verdict stands.
    sequences = [numbers[-longest:] for numbers in tokenizer.encode([e.text for e in examples])]
    targets = mixture.targets_of(examples)
    lengths = np.array([len(numbers) for numbers in sequences])
    order = rng.permutation(np.flatnonzero(lengths))
    order = order[np.argsort(lengths[order] * rng.uniform(0.9, 1.1, len(order)), kind="stable")]
    chunks = []
    while len(order):
        for time, rows in BATCH_ROWS.items():
            chunk = order[:rows]
            if lengths[chunk].max() <= time:
                break
        order = order[rows:]
        if len(chunk) == rows:  # what is left over at the end would be a shape of its own
            chunks.append((chunk, time))
    rng.shuffle(chunks)

    def make(number):
        chunk, time = chunks[number]
        return pad([sequences[row] for row in chunk], time), targets[chunk]

    return Batches(len(chunks), make)


def macro_recall(predicted, truth):
    """Mean over the classes that occur of the share of their texts that is recognised."""
    return float(np.mean([np.mean(predicted[truth == c] == c) for c in np.unique(truth)]))


def scores(logits, examples):
    """Validation scores of logits `(texts, 3)` by source; `"score"` is the mean of four."""
    correct, result = {}, {}
    for source, values in logits.items():
        targets = np.array([example.target for example in examples[source]])
        truth, polar = targets.argmax(axis=1), targets[:, NEUTRAL] < 0.5
        correct[source] = (values[:, 2] > values[:, 0]) == (truth == 2)
        result[f"{source}_polar"] = float(np.mean(correct[source][polar]))
        if not polar.all():
            result[source] = macro_recall(values.argmax(axis=1), truth)
    if "pairs" in correct:
        result["pairs"] = float(np.mean(correct["pairs"].reshape(-1, 2).all(axis=1)))
    chosen = ("reviews_polar", "sentences_polar", "tweets", "pairs")
    result["score"] = float(np.mean([result[name] for name in chosen if name in result]))
    return result


def calibrate(logits, lengths, examples):
    """The `Calibration` with the lowest loss on validation texts, each source counting the same.

    A label that is known to be wrong in some texts, as an emoticon's, is compared with the
    probability of the label instead of that of the class.

    Args:
        logits: Dict from source to `(texts, 3)`.
        lengths: Dict from source to numbers of tokens `(texts,)`.
        examples: Dict from source to a list of `Example`.
    """
    polar, neutral = [], []
    for source, each in examples.items():
        target = mixture.targets_of(each)[:, :3]
        is_neutral = target.argmax(axis=1) == NEUTRAL
        texts = np.flatnonzero(~is_neutral)
        log_odds = logits[source][texts, 2] - logits[source][texts, 0]
        positive = target[texts, 2] > target[texts, 0]
        polar.append((log_odds, lengths[source][texts], positive, target[texts].max(axis=1)))
        if not each[0].polar:
            log_odds = neutral_log_odds(logits[source])
            neutral.append((log_odds, lengths[source], is_neutral, np.ones(len(each))))
    return Calibration(*_fit_scale(polar), *_fit_scale(neutral))


def _fit_scale(sources):
    """The temperature, exponent and bias with the lowest loss.

    Args:
        sources: List of tuples: log-odds, numbers of tokens, labels (boolean) and the probability
            that each label is right, all `(texts,)`. An empty list leaves the log-odds alone.
    """
    from scipy.optimize import minimize

    def loss(values):
        calibration, total = Calibration(np.exp(values[0]), *values[1:]), 0.0
        for log_odds, lengths, labels, accuracy in sources:
            signs = np.where(labels, 1, -1)
            right = 1 / (1 + np.exp(-signs * calibration.log_odds(log_odds, lengths)))
            observed = accuracy * right + (1 - accuracy) * (1 - right)
            total -= np.mean(np.log(np.maximum(observed, 1e-9)))
        return total

    best = minimize(loss, np.zeros(3), method="Nelder-Mead", options={"maxiter": 600}).x
    return float(np.exp(best[0])), float(best[1]), float(best[2])


def fit_from_reviews(folder, data_dir, work_dir, seed, epochs=None):
    """Fit the general network, starting from the network of film reviews.

    Its LSTM and word vectors are the start, its answers to unlabelled reviews are learned beside
    the mixture so that they are not forgotten, and word vectors of other words are added.

    Args:
        folder: Path of the bundle with the variant `pretrained`.
        data_dir: Folder of corpora.
        work_dir: Path for checkpoints, vocabulary and word vectors.
        seed: Integer.
        epochs: The recipe's if None.

    Returns:
        The network, its tokenizer, the record of `loop.fit` and the validation examples.

    Raises:
        BundleError: if the bundle has no such variant.
    """
    teacher = Predictor.load("pretrained", folder)
    training, validation = mixture.read(data_dir, seed)
    rng = random.Random(seed)
    unlabelled = [review.text for review in imdb.read(data_dir, "unsup")]
    reviews = [example.text for example in training["reviews"]] + unlabelled
    tweet_texts = [
        example.text
        for source in ("tweets", "airline", "emoticons")
        for example in training[source]
    ]
    vocabulary_file, vectors_file = work_dir / "tokenizer.json", work_dir / "vectors.npy"
    if vectors_file.exists():
        tokenizer = WordPieceTokenizer.load(vocabulary_file)
    else:
        paragraphs = read_wikipedia(data_dir)["training"]
        paragraphs = rng.sample(paragraphs, len(paragraphs) // recipe.WIKIPEDIA_SHARE)
        tokenizer = vocabulary.train_tokenizer(
            {"reviews": reviews, "wikipedia": paragraphs, "tweets": tweet_texts}
        )
        vectors = vocabulary.extend_vectors(
            tokenizer,
            [*rng.sample(reviews, min(len(reviews), recipe.VECTOR_TEXTS["reviews"])),
             *paragraphs[: recipe.VECTOR_TEXTS["wikipedia"]], *tweet_texts, *tweet_texts],
            teacher.tokenizer.words,
            np.asarray(teacher.network.embedding.embeddings),
            seed,
        )  # fmt: skip
        work_dir.mkdir(parents=True, exist_ok=True)
        tokenizer.save(vocabulary_file)
        np.save(vectors_file, vectors)
    taught = rng.sample(unlabelled, min(len(unlabelled), recipe.TAUGHT_REVIEWS))
    endings = [numbers[-max(BATCH_ROWS) :] for numbers in teacher.tokenizer.encode(taught)]
    training["unlabelled"] = mixture.label_reviews(taught, teacher.probabilities(endings))
    start = {
        variable.path.partition("/")[2]: np.asarray(variable)
        for variable in teacher.network.recurrent.trainable_variables
    }
    start["embedding/embeddings"] = np.load(vectors_file)
    options = {name: teacher.network.options[name] for name in ("cell", "dimensions", "units")}
    options |= {"vocabulary": tokenizer.size, **recipe.GENERAL_NETWORK}
    settings = replace(recipe.GENERAL, epochs=epochs or recipe.GENERAL.epochs)
    network, record = fit_general(
        options, tokenizer, training, validation, start, work_dir / "general", seed, settings
    )
    return network, tokenizer, record, validation
