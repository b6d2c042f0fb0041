"""A bundle trained on one backend gives the same answers on the other."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from apps.sentiment.predictor import Predictor
from tests.training.test_sentiment import reviews, write
from training.sentiment import recipe

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
TEXTS = ["A superb, moving film.", "Two dull hours of my life that nobody will give back.", "Well."]
ON_JAX = """
import json, sys
sys.modules["tensorflow"] = None  # as on a machine without it: Keras itself imports it where it can
import keras
from pathlib import Path
from typer.testing import CliRunner
from apps.sentiment.predictor import Predictor
from dataclasses import replace
from training.language_model import recipe as language_model
from training.language_model.__main__ import app as language_model_app
from training.sentiment import recipe
from training.sentiment.__main__ import app

assert keras.backend.backend() == "jax"
folder, texts = Path(sys.argv[1]), json.loads(sys.argv[2])
recipe.UNITS = recipe.DIMENSIONS = 8
output, work = str(folder / "bundle"), str(folder / "work")
arguments = ["--output", output, "--work-dir", work, "--epochs", "1"]
command = ["train", "--input", str(folder / "rows.jsonl"), *arguments]

def run(app, *command):
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, repr(result.exception) + result.output

run(app, *command, "--cell", "lstm")
# And the steps of the larger one: a language model, then the labels against an adversary.
rows = (folder / "rows.jsonl").read_text().splitlines()
(folder / "rows.txt").write_text("\\n".join(json.loads(row)["text"] for row in rows))
reviews = language_model.RECIPES["reviews"]
network = {**reviews.network, "dimensions": 6, "units": 8, "rows": 4}
reviews = replace(reviews, vocabulary=60, epochs=1, network=network)
language_model.RECIPES["reviews"] = reviews
model = str(folder / "language")
own = ["--input", str(folder / "rows.txt"), "--data-dir", str(folder), "--output", model]
run(language_model_app, "train", *own, "--work-dir", work)
run(app, *command, "--cell", "pretrained", "--language-model", model)
own = [Predictor.load(name, folder / "bundle").predict(texts) for name in ("lstm", "pretrained")]
own.append(Predictor.load("lstm").predict(texts))
print(json.dumps([answers.tolist() for answers in own]))
"""


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_jax_and_tensorflow_give_the_same_answers(tmp_path):
    write(tmp_path / "rows.jsonl", reviews(200, seed=1))
    result = subprocess.run(
        [sys.executable, "-c", ON_JAX, str(tmp_path), json.dumps(TEXTS)],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    *own, shipped = json.loads(result.stdout.strip().splitlines()[-1])
    for name, answers in zip(("lstm", "pretrained"), own, strict=True):
        trained = Predictor.load(name, tmp_path / "bundle")
        np.testing.assert_allclose(trained.predict(TEXTS), answers, atol=1e-4)
    assert trained.network.options["adversary"] == recipe.ADVERSARY
    np.testing.assert_allclose(Predictor.load("lstm").predict(TEXTS), shipped, atol=1e-4)
