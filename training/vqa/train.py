"""Answers to questions about photographs: `python -m training.vqa train|evaluate`.

`train` fits every network on what the image encoder of `training.captioning` sees (ImageNet's where
it has not been tuned yet), which stays as it is, and writes `models/vqa`. `evaluate` scores the
shipped bundle and its baselines on the test questions, or on your own.
"""

import json
import logging
import re
import shutil
import time
import zlib
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from apps.analogies import vectors
from apps.vqa.embeddings import EMBEDDINGS_FILE, Embeddings
from apps.vqa.predictor import (
    ENCODER_FILE,
    FOLDER,
    LENGTH_BUCKETS,
    SHARED_ENCODER_PATH,
    Predictor,
    tokenize_question,
)
from shared import bundle
from shared.text import WordTokenizer, clean, pad
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
from training.datasets.pictures import Pictures
from training.features import (
    encode_bottom,
    encode_top,
    read_pixels,
    run_checksum,
    starting_encoder,
    weights_bytes,
)
from training.vqa import data as vqa

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)
log = logging.getLogger(__name__)

# One recipe, chosen on the validation questions; the last two are what it has to beat.
VARIANTS = {
    "lstm": {},
    "gru": {"reader": "gru"},
    "rnn": {"reader": "rnn"},
    "blind": {"image": False},
    "bow": {"reader": "bow"},
}
Variant = StrEnum("Variant", list(VARIANTS))
TOKENIZER, ANSWERS = "tokenizer.json", "answers.json"
SHARED_FILES = (TOKENIZER, ANSWERS, EMBEDDINGS_FILE)
LEAST = 3  # times that an answer must be given, and a word without a vector be asked
FURTHER = 8_000  # frequent words of the language that no training question contains
COMPONENTS = 256  # kept of each cell of the grid
PHOTOS, CELLS = 1_000, 20_000  # photographs and cells that the components are found from
BATCH, EPOCHS, RATE, WARM_UP = 128, 10, 2e-3, 100
DECAY, SMOOTHING = 0.02, 0.1  # of the weights, of the targets
UNSURE = 0.25  # where fewer answers than this are right, it had better not answer
WEIGHTS = np.linspace(0, 1, 11)  # of the question against the photograph, for the nearest
NUMBERS = {
    word: str(n)
    for n, word in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven",
                              "eight", "nine", "ten"])
} | {"none": "0"}  # fmt: skip
ARTICLES = ("a", "an", "the")

# A question in other words that asks the same; the first that fits is taken.
REPHRASED = [
    (re.compile(pattern), other)
    for pattern, other in (
        (r"^what is the colou?r of (.+)", r"what color is \1"),
        (r"^what colou?r (?:is|are) (.+)", r"what is the color of \1"),
        (r"^is this (an? .+)", r"could this be \1"),
        (r"^could this be (.+)", r"is this \1"),
        (r"^are there (?:any )?(.+)", r"can you see any \1"),
        (r"^how many (.+)", r"can you count how many \1"),
        (r"^where (is|are) (.+)", r"in what place \1 \2"),
        (r"^(is|are|does|do) (.+)", r"can you tell \1 \2"),
        (r"^(what|who|which|where) (.+)", r"can you tell \1 \2"),
    )
]

Input = Annotated[
    Path | None,
    typer.Option(help='Your own: JSONL rows {"image", "question", "answer", "type"}.'),
]
Photos = Annotated[
    Path | None, typer.Option("--images", help="Their photographs: a folder, tar or zip.")
]


def read_rows(path, folder):
    """Questions of a JSONL file, and the photographs that they are about.

    Args:
        path: Of the file, rows `{"image": str, "question": str, "answer": str, "type": str,
            "answers": [str, …]}`; the last two may be missing. Questions are cleaned, as those of
            visitors are.
        folder: Path of a folder, tar or zip.

    Returns:
        List of `Question`, and the `Pictures`.

    Raises:
        typer.BadParameter: if a file or a row is not as it should be; the message says where.
    """
    if folder is None:
        raise typer.BadParameter("Name the folder or tar of the photographs with --images.")
    try:
        pictures = Pictures(folder)
    except FileNotFoundError as problem:
        raise typer.BadParameter(str(problem)) from problem
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} cannot be read as UTF-8 text: {error}") from error
    questions = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = {"type": "other", **json.loads(line)}
            each = vqa.question(row)
            texts = (each.image, each.text, each.answer, each.kind, *each.answers)
            usable = all(isinstance(text, str) and clean(text) for text in texts)
            usable &= isinstance(row.get("answers") or [], list)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise typer.BadParameter(
                f'{path}, line {number}: expected {{"image": …, "question": …, "answer": …, '
                '"type": …}.'
            ) from error
        if not usable:
            raise typer.BadParameter(
                f'{path}, line {number}: all must be texts, none empty, and "answers" a list of '
                "them."
            )
        if each.image not in pictures:
            raise typer.BadParameter(f"{path}, line {number}: {folder} has no {each.image}.")
        questions.append(replace(each, text=clean(each.text)))
    if not questions:
        raise typer.BadParameter(f"{path} has no rows.")
    return questions, pictures


def canonical(answer):
    """An answer as it is compared: VQA's rules (Antol et al. 2015), so that “Two dogs” is “2 dogs”.

    Lower case, no punctuation marks, no articles, numbers up to ten in figures.
    """
    words = re.findall(r"[\w':]+", answer.lower())
    return " ".join(NUMBERS.get(word, word) for word in words if word not in ARTICLES)


def closed_list(questions):
    """The answers given `LEAST` times, the most frequent first."""
    counts = Counter(canonical(each.answer) for each in questions)
    least = LEAST if len(questions) > 1_000 else 1
    return [answer for answer, count in counts.most_common() if count >= least and answer]


def targets(questions, answers):
    """The share of people who gave each answer of the list, `(questions, answers)`.

    Rows are 0 where nobody's answer is in the list.
    """
    place = {answer: n for n, answer in enumerate(answers)}
    found = np.zeros((len(questions), len(answers)), "float32")
    for row, each in zip(found, questions, strict=True):
        for answer in each.answers or (each.answer,):
            if canonical(answer) in place:
                row[place[canonical(answer)]] += 1
    return found / np.maximum(found.sum(axis=1, keepdims=True), 1)


def build_vocabulary(questions, own):
    """A tokenizer, its word vectors, and how many of its words stood in questions.

    Args:
        questions: List of `Question`.
        own: `Vectors`; words that they lack take those of their singular or of whose they are, or
            random ones, by which they can still be told apart.

    Returns:
        A `WordTokenizer`, the words of the questions first; an array `(words, dimensions)`; and
        the number where the words begin that no question contains.
    """
    splitter = WordTokenizer.build([])
    counts = Counter(word for each in questions for word in splitter.split(each.text))
    least = LEAST if len(questions) > 1_000 else 1
    asked = [
        word
        for word, count in counts.most_common()
        if any(c.isalnum() for c in word) and (count >= least or _stem(word, own))
    ]
    known = set(asked)
    further = [word for word in own.words[:FURTHER] if word not in known]
    tokenizer = WordTokenizer.build([*asked, *further])
    table = np.zeros((tokenizer.size, own.matrix.shape[1]), "float32")
    noise = np.random.default_rng(0)
    for row, word in zip(table[2:], tokenizer.words[2:], strict=True):
        stem = _stem(word, own)
        row[:] = own[stem] if stem else noise.normal(0, len(row) ** -0.5, len(row))
    # Numbers of a standard deviation of 0.4, so that tanh neither vanishes nor saturates at first.
    return tokenizer, table * (0.4 * table.shape[1] ** 0.5), 2 + len(asked)


def _stem(word, own):
    """The word whose vector stands for this one, or None."""
    forms = (word, word.removesuffix("'s"), word.removesuffix("s"), word.removesuffix("es"))
    return next((form for form in forms if form in own), None)


def rephrase(text):
    """The question in other words, by rule, or None if no rule fits."""
    plain = text.lower().strip(" ?.")
    for pattern, other in REPHRASED:
        if pattern.match(plain):
            return pattern.sub(other, plain)
    return None


def fit_network(options, data, folder, seed, epochs, verbose=1):
    """Fit an `Answerer`.

    Args:
        options: Arguments of the network.
        data: Dict with `"embeddings"`, `"tokenizer"`, `"answers"`, and for `"training"` and
            `"validation"` a dict with `"questions"`, `"numbers"` (list of arrays of words),
            `"grids"` `(photos, cells, components)` and `"rows"` (of each question's photograph).
        folder: Path of the checkpoints.
        seed: Integer.
        epochs: How many epochs.
        verbose: As in `loop.fit`.

    Returns:
        The network with its best weights and the record of `loop.fit`.
    """
    import keras

    from apps.vqa.model import Answerer
    from training.loop import Batches, fit

    keras.utils.set_random_seed(seed)
    network = Answerer(**options, seed=seed)
    network.build()
    part, embeddings = data["training"], data["embeddings"]
    wanted = targets(part["questions"], data["answers"])
    usable = np.flatnonzero(wanted.any(axis=1))
    lengths = np.array([len(numbers) for numbers in part["numbers"]])
    size = min(BATCH, len(usable))
    count = len(usable) // size
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, count * epochs - WARM_UP), warmup_target=RATE, warmup_steps=WARM_UP
    )
    network.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=DECAY, clipnorm=1.0),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=SMOOTHING),
        jit_compile=keras.backend.backend() != "tensorflow",
    )

    def epoch_batches(number):
        # Questions of about one length go together; the noise changes who meets whom.
        noise = np.random.default_rng((seed, number))
        order = noise.permutation(usable)[: count * size]
        order = order[np.argsort(lengths[order] + noise.uniform(0, 3, len(order)), kind="stable")]
        chunks = np.split(order, count)
        noise.shuffle(chunks)

        def make(n):
            rows = chunks[n]
            time_steps = (
                LENGTH_BUCKETS[0] if lengths[rows].max() <= LENGTH_BUCKETS[0] else LENGTH_BUCKETS[1]
            )
            words = pad([part["numbers"][row] for row in rows], time_steps)
            grid = part["grids"][part["rows"][rows]].astype("float32")
            # Each way to an answer is fitted to the same targets.
            target = np.repeat(wanted[rows][:, None], network.branches, axis=1)
            return (grid, embeddings.embed_words(words), words > 0), target

        return Batches(count, make)

    predictor = _predictor(network, data)

    def validate():
        chances = _chances(predictor, data["validation"])
        held = data["validation"]["questions"]
        found = scores([data["answers"][n] for n in chances.argmax(axis=1)], held)
        return {"score": found["accuracy"], **found}

    recipe = {**network.options, "epochs": epochs, "batch": BATCH, "rate": RATE}
    recipe |= {"weight_decay": DECAY, "smoothing": SMOOTHING}
    recipe |= {"questions": len(usable), "words": len(embeddings.word_vectors)}
    recipe["embeddings"] = zlib.crc32(embeddings.components.tobytes())
    record = fit(network, epoch_batches, validate, folder, recipe, epochs, epochs, verbose)
    return network, record


def _predictor(network, data):
    return Predictor(network, data["embeddings"], data["tokenizer"], data["answers"], None, {})


def _chances(predictor, part):
    return predictor.probabilities(part["grids"][part["rows"]].astype("float32"), part["numbers"])[
        0
    ]


def scores(written, questions, prefix=""):
    """How many answers are right, of all questions and of each type.

    Args:
        written: List of answers.
        questions: List of `Question`, as many.
        prefix: Put before the names.

    Returns:
        Dict `accuracy` and `accuracy_<type>`, fractions.
    """
    right = defaultdict(list)
    for answer, each in zip(written, questions, strict=True):
        hit = canonical(answer) == canonical(each.answer)
        right["accuracy"].append(hit)
        right[f"accuracy_{each.kind}"].append(hit)
    return {prefix + name: round(float(np.mean(hits)), 4) for name, hits in sorted(right.items())}


def habits(questions):
    """The most frequent answer to each type of question, and to all under `"all"`."""
    counts = defaultdict(Counter)
    for each in questions:
        counts[each.kind][canonical(each.answer)] += 1
        counts["all"][canonical(each.answer)] += 1
    return {kind: count.most_common(1)[0][0] for kind, count in counts.items()}


def by_habit(common, questions):
    """What `habits` answers to questions."""
    return [common.get(each.kind, common["all"]) for each in questions]


def nearest(data, scored):
    """The answer to the most similar training question about a similar photograph.

    Similar by the cosine of the mean word vector and that of the mean cell; the weight of the two
    is chosen on the validation questions.

    Args:
        data: As for `fit_network`.
        scored: A part like its `"validation"`.

    Returns:
        List of answers, and the weight of the question.
    """
    known = _directions(data["embeddings"], data["training"])
    given = np.array([each.answer for each in data["training"]["questions"]])

    def answers(part, weights):
        words, photos = _directions(data["embeddings"], part)
        found = []
        for n in range(0, len(words), 500):
            some = slice(n, n + 500)
            asked, shown = words[some] @ known[0].T, photos[some] @ known[1].T
            found.append([(w * asked + (1 - w) * shown).argmax(axis=1) for w in weights])
        return given[np.concatenate(found, axis=1)]  # (weights, questions)

    held = data["validation"]
    written = answers(held, WEIGHTS)
    accuracy = [scores(each, held["questions"])["accuracy"] for each in written]
    weight = float(WEIGHTS[int(np.argmax(accuracy))])
    return answers(scored, [weight])[0].tolist(), weight


def _directions(embeddings, part):
    """Questions and photographs as rows of length 1."""
    words = np.stack(
        [
            embeddings.embed_words(numbers).sum(axis=0) + np.float32(1e-6)
            for numbers in part["numbers"]
        ]
    )
    photos = part["grids"].astype("float32").mean(axis=1)[part["rows"]]
    return [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (words, photos)]


def fit_temperature(chances, wanted):
    """The temperature that logits are divided by to fit people's answers best (Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar

    logs = np.log(np.maximum(chances, 1e-12))

    def loss(log_temperature):
        scaled = logs / np.exp(log_temperature)
        return -(wanted * (scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True))).sum()

    return float(np.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded").x))


def fit_threshold(confidence, right):
    """The probability below which the network had better say that it does not know.

    Args:
        confidence: Array `(questions,)`, the probabilities of the best answers.
        right: Boolean array, whether they were right.

    Returns:
        Dict of `probability`, the highest such that fewer than `UNSURE` of the answers below it
        are right, the share of questions below it, and the accuracy of the others.
    """
    order = np.argsort(confidence)
    below = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    places = np.flatnonzero(below < UNSURE)
    count = int(places[-1]) + 1 if len(places) else 0
    kept = right[order][count:]
    return {
        "probability": round(float(confidence[order][count]), 4) if count < len(order) else 1.0,
        "share": round(count / len(order), 4),
        "accuracy_of_the_rest": round(float(kept.mean()), 4) if len(kept) else None,
    }


def consistency(predictor, part):
    """How often a question and its rephrasing by rule get the same answer.

    Returns:
        Dict of `questions` that a rule fits, the share `same`, and the accuracy of both wordings;
        None if no rule fits any.
    """
    pairs = [(n, rephrase(each.text)) for n, each in enumerate(part["questions"])]
    pairs = [(n, text) for n, text in pairs if text]
    if not pairs:
        return None
    places = [n for n, _ in pairs]
    asked = {
        "questions": [part["questions"][n] for n in places],
        "grids": part["grids"],
        "rows": part["rows"][places],
    }
    found = []
    for numbers in (
        [part["numbers"][n] for n in places],
        [tokenize_question(predictor.tokenizer, text)[0] for _, text in pairs],
    ):
        chances = _chances(predictor, {**asked, "numbers": numbers})
        found.append([predictor.answers[n] for n in chances.argmax(axis=1)])
    same = [a == b for a, b in zip(*found, strict=True)]
    one, other = (scores(written, asked["questions"])["accuracy"] for written in found)
    return {
        "questions": len(places),
        "same": round(float(np.mean(same)), 4),
        "accuracy": one,
        "accuracy_rephrased": other,
    }


@app.command()
def train(
    data_dir: DataDir = None,
    input: Input = None,
    photos: Photos = None,
    variant: Annotated[list[Variant] | None, typer.Option(help="Only these (repeatable).")] = None,
    output: Output = None,
    work_dir: WorkDir = None,
    epochs: Annotated[int, typer.Option(min=1)] = EPOCHS,
    seed: int = 0,
    as_json: AsJson = False,
):
    """Fit the networks and write the bundle; a run that was stopped goes on."""
    if input:
        questions, pictures = read_rows(input, photos)
        training, validation = _split(questions, seed)
        test, data_dir = None, None
        output = output or Path("vqa-model")
    elif photos:
        raise typer.BadParameter("Name the questions about these photographs with --input.")
    else:
        data_dir = data_folder(data_dir)
        training, validation, test = (vqa.read(data_dir, part) for part in vqa.PARTS)
        pictures = vqa.pictures(data_dir)
        output = output or FOLDER
    if not training or not validation:
        raise typer.BadParameter("Training needs questions about at least two photographs.")
    answers = closed_list(training)
    if not targets(training, answers).any():
        raise typer.BadParameter(
            "There is nothing to choose among: no answer has words and is given often enough, "
            f"{LEAST} times where there are more than 1,000 questions."
        )
    encoder = starting_encoder(
        None if SHARED_ENCODER_PATH.exists() else data_dir, SHARED_ENCODER_PATH
    )
    tokenizer, table, asked = build_vocabulary(training, vectors.load())
    parts = {"training": training, "validation": validation}
    if test:
        parts["test"] = test
    content = "\n".join(f"{each}" for each in training)
    fingerprint = f"{zlib.crc32(weights_bytes(encoder) + table.tobytes() + content.encode()):08x}"
    work_dir = checkpoint_dir("vqa", work_dir, data_dir)
    names = [each.image for questions in parts.values() for each in questions]
    work_dir /= run_checksum(f"{fingerprint} {seed} {parts}".encode(), pictures, names)
    folder = work_dir / "bundle"
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(folder / TOKENIZER)
    text = json.dumps(answers, ensure_ascii=False, indent=0)
    (folder / ANSWERS).write_text(text + "\n", encoding="utf-8")
    values = {}
    for name, questions in parts.items():
        names = sorted({each.image for each in questions})
        values[name] = names, encode_bottom(encoder, pictures, names, work_dir / f"{name}.npy")
    old, stored = old_card(output), output / EMBEDDINGS_FILE
    if (old.get("fingerprint"), old.get("seed")) == (fingerprint, seed) and stored.exists():
        shutil.copy(stored, folder)  # fitted anew on another machine they would not be the same
    else:
        some = _some_cells(encoder, values["training"][1], seed)
        Embeddings.fit(table, some, COMPONENTS).save(folder)
    embeddings = Embeddings.load(folder)  # all networks are fitted on the embeddings as stored
    data = {"embeddings": embeddings, "tokenizer": tokenizer, "answers": answers}
    for name, questions in parts.items():
        data[name] = _part(questions, tokenizer, _see(embeddings, encoder, values[name][1]),
                           values[name][0])  # fmt: skip
    scored = data["test" if test else "validation"]
    card = _new_card(fingerprint, seed, training, validation, test)
    card["variants"] = old.get("variants", {})
    card |= {"question_words": asked, "words": tokenizer.size, "answers": len(answers)}
    card["coverage"] = {name: _coverage(questions, answers) for name, questions in parts.items()}
    card["encoder"] = _of_encoder(encoder, folder)
    written, weight = nearest(data, scored)
    card["habits"] = habits(training)
    card["baselines"] = {
        "majority": scores(by_habit(card["habits"], scored["questions"]), scored["questions"]),
        "nearest": {"weight": round(weight, 2), **scores(written, scored["questions"])},
    }
    for name in [name for name in VARIANTS if not variant or name in variant]:
        options = {**VARIANTS[name], "answers": len(answers)}
        options |= {"dimensions": table.shape[1], "components": embeddings.components.shape[1]}
        network, record = fit_network(options, data, work_dir / name, seed, epochs)
        details = _write_variant(folder, name, network, record, data, scored)
        _publish(output, card, name, details, folder)
    metrics = {name: details["accuracy"] for name, details in card["variants"].items()}
    print(json.dumps({"output": str(output), **metrics}) if as_json else f"Written to {output}.")


def _publish(output, card, name, details, folder):
    """Put a variant from its folder into the bundle, without those that do not fit any more.

    Only now, so that a run that stops earlier leaves the bundle as it was.
    """
    before = _shared_files(output)
    output.mkdir(parents=True, exist_ok=True)
    (output / ENCODER_FILE).unlink(missing_ok=True)
    for file in (*SHARED_FILES, ENCODER_FILE, f"{name}.safetensors"):
        if (folder / file).exists():  # the encoder may be that of the captions
            shutil.copy(folder / file, output)
    if _shared_files(output) != before:
        card["variants"] = {}
    card["variants"][name] = details
    bundle.write_card(output, card)


def _shared_files(folder):
    """What all variants of a bundle read through, None where it is not there."""
    files = [folder / file for file in SHARED_FILES]
    return [file.read_bytes() if file.exists() else None for file in files]


def _split(questions, seed):
    """Training and validation questions, a tenth of the photographs in the second."""
    names = sorted({each.image for each in questions})
    order = np.random.default_rng(seed).permutation(len(names))
    held = {names[n] for n in order[: max(1, len(names) // 10)]}
    return (
        [each for each in questions if each.image not in held],
        [each for each in questions if each.image in held],
    )


def _some_cells(encoder, values, seed):
    """Cells of the photographs' grids drawn at random, `(cells, features)`."""
    noise = np.random.default_rng(seed)
    values = values[:: max(1, len(values) // PHOTOS)]
    each = -(-CELLS // len(values))  # of every photograph
    found = []
    for n in range(0, len(values), 500):
        features = encode_top(encoder, values[n : n + 500])
        cells = features.reshape(len(features), -1, features.shape[-1])
        places = noise.permuted(np.tile(np.arange(cells.shape[1]), (len(cells), 1)), axis=1)
        found.append(np.take_along_axis(cells, places[:, :each, None], axis=1))
    return np.concatenate(found).reshape(-1, found[0].shape[-1])


def _see(embeddings, encoder, values):
    """The grids of photographs, float16."""
    found = [
        embeddings.project(encode_top(encoder, values[n : n + 500]))
        for n in range(0, len(values), 500)
    ]
    return np.concatenate(found).astype("float16")


def _part(questions, tokenizer, grids, photos):
    place = {name: n for n, name in enumerate(photos)}
    return {
        "questions": questions,
        "numbers": [tokenize_question(tokenizer, each.text)[0] for each in questions],
        "grids": grids,
        "rows": np.array([place[each.image] for each in questions]),
    }


def _coverage(questions, answers):
    """The share of questions whose answer is in the closed list: the most that can be right."""
    known = set(answers)
    return round(float(np.mean([canonical(each.answer) in known for each in questions])), 4)


def _of_encoder(encoder, folder):
    """What the card says of the encoder; it is stored where the captions' bundle has none."""
    file, own = SHARED_ENCODER_PATH, folder / ENCODER_FILE
    if file.exists():
        own.unlink(missing_ok=True)
    else:
        file = own
        encoder.save(file)
    return {
        "network": encoder.options,
        "parameters": encoder.count_params(),
        "file": f"{file.parent.name}/{file.name}",
        "crc32": zlib.crc32(file.read_bytes()),
    }


def _new_card(fingerprint, seed, training, validation, test):
    """A card with what all variants share."""
    official = test is not None
    seen, every = (
        len({each.image for each in questions})
        for questions in (training, [*training, *validation, *(test or ())])
    )
    licence = (
        "Weights: Apache-2.0. Questions: CC BY 4.0, not shipped; photographs vary."
        if official
        else "Weights: Apache-2.0, and as your questions and photographs allow."
    )
    origin = (
        "is that of the captions: from MobileNetV2, Apache-2.0, fine-tuned on Flickr8k, for "
        "non-commercial research."
        if SHARED_ENCODER_PATH.exists()
        else "is MobileNetV2, Apache-2.0."
    )
    return {
        "task": "vqa",
        "title": "Questions about photos",
        "date": date.today().isoformat(),
        "seed": seed,
        "commit": commit(),
        "data": f"COCO-QA and VQA v2 questions about {every:,} photographs, split by photograph; "
        "not comparable with published splits"
        if official
        else "own",
        "test_set": "test questions of COCO-QA and VQA v2, split by photo"
        if official
        else "validation questions",
        "examples": len(test if official else validation),
        "training_examples": len(training),
        "validation_examples": len(validation),
        "scoring": "the whole answer must be right; lower case, no articles, numbers in figures",
        "licence": f"{licence} The image encoder {origin}",
        "limits": [
            f"It has seen {seen:,} photographs with {len(training):,} questions: much of what it "
            "says is the habit of the language.",
            "It counts badly, and cannot read.",
            "It answers from a closed list of frequent answers, whatever it is asked.",
        ],
        "fingerprint": fingerprint,
    }


def _write_variant(output, name, network, record, data, scored):
    arrays = bundle.weights_of(network)
    tables = [path for path, array in arrays.items() if array.ndim == 2]
    bundle.save_arrays(output / f"{name}.safetensors", arrays, int8=tables)
    # Everything is measured on the weights as they were stored.
    bundle.set_weights(network, bundle.load_arrays(output / f"{name}.safetensors"))
    predictor, held = _predictor(network, data), data["validation"]
    raw = _chances(predictor, held)
    predictor.temperature = fit_temperature(raw, targets(held["questions"], data["answers"]))
    chances = _chances(predictor, held)
    written = [data["answers"][n] for n in chances.argmax(axis=1)]
    right = np.array(
        [canonical(w) == canonical(q.answer) for w, q in zip(written, held["questions"],
                                                             strict=True)]
    )  # fmt: skip
    tested = [data["answers"][n] for n in _chances(predictor, scored).argmax(axis=1)]
    details = {
        "network": network.options,
        "parameters": network.count_params(),
        "temperature": round(predictor.temperature, 4),
        "threshold": fit_threshold(chances.max(axis=1), right),
        **scores(written, held["questions"], "validation_"),
        **scores(tested, scored["questions"]),
        "consistency": consistency(predictor, scored),
        "epochs": len(record["epochs"]),
        "best_epoch": record["best"] + 1,
        "minutes": round(record["minutes"], 1),
        "command": f"python -m training.vqa train --variant {name}",
    }
    log.info("%s: %s", name, json.dumps(details))
    return details


@app.command()
def evaluate(
    data_dir: DataDir = None,
    input: Input = None,
    photos: Photos = None,
    variant: Annotated[Variant, typer.Option(help="Which network.")] = Variant.lstm,
    model: Model = None,
    as_json: AsJson = False,
):
    """Score the shipped bundle and what it has to beat on the test questions, or on your own."""
    if input:
        questions, pictures = read_rows(input, photos)
    elif photos:
        raise typer.BadParameter("Name the questions about these photographs with --input.")
    else:
        data_dir = data_folder(data_dir)
        questions, pictures = vqa.read(data_dir, "test"), vqa.pictures(data_dir)
    if not questions:
        raise typer.BadParameter(f"{data_dir} has no test questions.")
    predictor = Predictor.load(str(variant), model)
    card = predictor.card
    start = time.perf_counter()
    part = _seen(predictor, questions, pictures)
    written = _answers(predictor, part)
    seconds = time.perf_counter() - start
    majority = scores(by_habit(card["habits"], questions), questions)
    metrics = {
        **scores(written, questions),
        "questions": len(questions),
        "seconds": round(seconds, 1),
        **{f"baseline_majority_{key}": value for key, value in majority.items()},
    }
    for name in ("blind", "bow"):
        if name in card["variants"] and name != variant:
            other = _answers(Predictor.load(name, model), part)
            metrics |= scores(other, questions, f"baseline_{name}_")
    # It needs the training questions: the card has it, but of no other test than its own.
    if not input and majority == card["baselines"]["majority"]:
        found = card["baselines"]["nearest"]
        metrics |= {f"baseline_nearest_{key}": found[key] for key in found if key != "weight"}
    print_metrics(metrics, as_json)


def _seen(predictor, questions, pictures):
    """Questions as a part of the data, their photographs encoded."""
    photos = sorted({each.image for each in questions})
    grids = []
    for n in range(0, len(photos), 50):
        some = [read_pixels(pictures, name) for name in photos[n : n + 50]]
        grids.append(predictor.encode(some))
    return _part(questions, predictor.tokenizer, np.concatenate(grids), photos)


def _answers(predictor, part):
    return [predictor.answers[n] for n in _chances(predictor, part).argmax(axis=1)]
