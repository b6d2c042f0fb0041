"""What each step of pre-training brings, and how few labels it needs."""

import json
import logging
from dataclasses import replace

import numpy as np

from apps.sentiment.predictor import Baseline, Predictor
from shared import bundle
from training.command import AsJson, DataDir, Output, WorkDir, checkpoint_dir, data_folder
from training.datasets import imdb
from training.sentiment import fit, recipe
from training.sentiment.baseline import fit_baseline
from training.sentiment.data import encode, labels_of, reverse_texts
from training.sentiment.evaluate import Cell, fit_temperature
from training.sentiment.pretrained import load_encoders, weights_checksum
from training.sentiment.train import BackwardModel, LanguageModel

log = logging.getLogger(__name__)


def study(
    data_dir: DataDir = None,
    language_model: LanguageModel = None,
    backward_model: BackwardModel = None,
    output: Output = None,
    work_dir: WorkDir = None,
    seed: int = 0,
    as_json: AsJson = False,
):
    """Measure what each step of pre-training brings, with all labels and with few of them.

    Every network of the study is scored on the test reviews, and the table goes into the card.
    """
    data_dir, output = data_folder(data_dir), output or bundle.MODELS / "sentiment"
    forward, backward = load_encoders(language_model, backward_model)
    work_dir = checkpoint_dir("sentiment", work_dir, data_dir) / "study"
    run = _Study(data_dir, forward, work_dir, seed)
    for labels, draws in {**recipe.DRAWS_BY_LABELS, run.all_labels: 1}.items():
        for draw in range(draws):
            run.measure_steps(labels, draw)
    if backward:
        run.measure_both_directions(backward)
    card = bundle.read_card(output)
    student = card["variants"].get(Cell.pretrained, {})
    rows = list(run.rows.values())
    if "backward" in student.get("teachers", {}):  # the last step, which `train` takes
        scores = {key: student[key] for key in ("accuracy", "validation_accuracy", "minutes")}
        rows.append({"start": "… and a student", "labels": run.all_labels, **scores})
    bundle.write_card(output, {**card, "study": rows})
    print(json.dumps(rows) if as_json else f"Written to {output}.")


class _Study:
    """The networks of the study, and the rows of its table.

    Args:
        data_dir: Folder of corpora.
        encoder: The `Encoder` of the forward language model.
        work_dir: Path of the checkpoints.
        seed: Integer.
    """

    def __init__(self, data_dir, encoder, work_dir, seed):
        self.encoder, self.work_dir, self.seed = encoder, work_dir, seed
        self.training, validation = imdb.split_by_movie(imdb.read(data_dir, "train"), 0.1, seed)
        self.test = imdb.read(data_dir, "test")
        self.encoded = encode(
            encoder.tokenizer, training=self.training, validation=validation, test=self.test
        )
        rng = np.random.default_rng(seed)
        self.training_order = rng.permutation(len(self.training))
        self.validation_draw = rng.permutation(len(validation))[: recipe.FEW_LABEL_VALIDATION]
        self.rows = {}
        self.log_odds = {}  # of the steps with all labels: on test and validation reviews

    @property
    def all_labels(self):
        """How many training reviews there are."""
        return len(self.training)

    def measure_steps(self, labels, draw):
        """Fit and score the baseline and the steps, with one random draw of labelled reviews."""
        few = labels < self.all_labels
        rows = range(labels)
        if few:
            rows = self.training_order[draw * labels : (draw + 1) * labels]
        weights, bias = fit_baseline([self.training[row] for row in rows], self.encoder.tokenizer)
        bag = Baseline(weights, bias, 1.0, self.encoder.tokenizer)
        self._note("bag of words", labels, bag.predict([review.text for review in self.test]) - 0.5)
        data = self._data(rows, few)
        for name in recipe.FEW_LABEL_STEPS if few else recipe.STEPS:
            step = recipe.STEPS[name]
            weights = {
                path: array
                for path, array in self.encoder.weights.items()
                if path.split("/")[0] in step.layers
            }
            log_odds = self._measure(name, labels, data, weights, step, draw)
            if not few:
                self.log_odds[name] = log_odds

    def measure_both_directions(self, backward):
        """Fit and score a network that reads from the end, and both directions together."""
        data = reverse_texts(self._data(range(self.all_labels)))
        step = recipe.Step(adversary=recipe.ADVERSARY)
        directions = [
            self.log_odds["against an adversary"],
            self._measure("read from the end", self.all_labels, data, backward.weights, step),
        ]
        truth = data["validation"][1]
        temperatures = [fit_temperature(validation, truth) for _, validation in directions]
        test, validation = (
            sum(log_odds / t for log_odds, t in zip(part, temperatures, strict=True))
            for part in zip(*directions, strict=True)
        )
        accuracy = float(np.mean((validation > 0) == (truth > 0)))
        self._note("both directions", self.all_labels, test, validation_accuracy=accuracy)

    def _data(self, rows, few=False):
        """Encoded reviews: rows of the training reviews, and all of the rest unless `few`."""
        data = dict(self.encoded)
        sequences, labels = data["training"]
        data["training"] = [sequences[row] for row in rows], labels[rows]
        if few:
            sequences, labels = data["validation"]
            draw = self.validation_draw
            data["validation"] = [sequences[row] for row in draw], labels[draw]
        return data

    def _measure(self, name, labels, data, weights, step, draw=0):
        """Fit and score a network; its log-odds of the test and validation reviews.

        They are kept with the checkpoints, and not computed again.
        """
        few = labels < self.all_labels
        settings = self._settings(step.recipe, labels)
        suffix = f"-{draw}" if few else ""
        folder = self.work_dir / f"{labels}-{name.replace(' ', '-').replace(',', '')}{suffix}"
        options = {**self.encoder.options, "adversary": step.adversary}
        network, record = fit.fit_network(
            options, data, weights, folder, self.seed + draw, settings
        )
        file = folder / f"log-odds-{weights_checksum([network])}.npz"
        if not file.exists():
            predictor = Predictor(network, self.encoder.tokenizer)
            parts = {part: predictor.log_odds(data[part][0]) for part in ("test", "validation")}
            np.savez(file, **parts)
        with np.load(file) as arrays:
            test, validation = arrays["test"], arrays["validation"]
        accuracy = record["epochs"][record["best"]]["score"]
        minutes = round(record["minutes"], 1)
        self._note(name, labels, test, validation_accuracy=accuracy, minutes=minutes)
        return test, validation

    def _settings(self, settings, labels):
        """A recipe for a number of labels: few labels need smaller batches, and more of them."""
        if labels < 2_000:
            settings = replace(
                settings,
                batch_size=settings.batch_size // 4,
                learning_rate=settings.learning_rate / 2,
            )
        if labels < self.all_labels:
            batches = settings.epochs * max(1, labels // settings.batch_size)
            settings = replace(settings, repeats=-(-recipe.MIN_STUDY_BATCHES // batches))
        return settings

    def _note(self, name, labels, test_log_odds, **fields):
        """Add a draw's test accuracy to its row of the table."""
        correct = (test_log_odds > 0) == (labels_of(self.test) > 0)
        new = {"start": name, "labels": labels, "draws": []}
        row = self.rows.setdefault((name, labels), new)
        row["draws"].append(float(np.mean(correct)))
        row["accuracy"] = float(np.mean(row["draws"]))
        if labels == self.all_labels:
            row.update(fields)
        log.info("%s", json.dumps(row))
