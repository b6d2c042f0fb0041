"""A network trained on one backend gives the same answers on the other."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from apps.vqa.model import Answerer
from shared import bundle

ROOT = Path(__file__).parents[3]
READERS = ("lstm", "bow")
SIZES = {"answers": 4, "dimensions": 6, "components": 5, "narrow": 4, "units": 6, "hidden": 8}
ON_JAX = """
import json, sys
sys.modules["tensorflow"] = None  # as on a machine without it: Keras itself imports it where it can
import keras
import numpy as np
from pathlib import Path
from apps.vqa.model import Answerer
from apps.vqa.senses import Senses
from shared import bundle
from shared.text import WordTokenizer
from training import vqa
from training.datasets.vqa import Question

assert keras.backend.backend() == "jax"
folder, sizes, readers = Path(sys.argv[1]), *map(json.loads, sys.argv[2:])
arrays = bundle.load_arrays(folder / "inputs.safetensors")
inputs = arrays["grid"], arrays["vectors"], arrays["lengths"] > 0
found = {}
for reader in readers:
    network = Answerer(reader=reader, **sizes)
    network.build()
    bundle.set_weights(network, bundle.load_arrays(folder / f"{reader}.safetensors"))
    found[reader] = [np.asarray(part).tolist() for part in network.looking(inputs)]

senses = Senses(arrays["vectors"][0], np.zeros(5), np.eye(5))
part = {
    "questions": [Question("a", "what", "yes", "object")] * 4,
    "numbers": [np.array([1, 2], "int32")] * 4,
    "grids": arrays["grid"],
    "rows": np.array([0, 1, 0, 1]),
}
data = {"senses": senses, "tokenizer": WordTokenizer.build(["what"]), "answers": ["yes", "no"]}
data |= {"training": part, "validation": part}
network, record = vqa.fit_network({**sizes, "answers": 2}, data, folder / "work", 0, 1, verbose=0)
assert np.isfinite(record["epochs"][-1]["loss"])
print(json.dumps(found))
"""


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_jax_and_tensorflow_give_the_same_answers(tmp_path):
    noise = np.random.default_rng(0)
    arrays = {
        "grid": noise.normal(0, 1, (3, 6, 5)),
        "vectors": noise.normal(0, 1, (3, 4, 6)),
        "lengths": (np.arange(4) < np.array([[4], [2], [1]])).astype("int32"),
    }
    bundle.save_arrays(tmp_path / "inputs.safetensors", arrays)
    stored = bundle.load_arrays(tmp_path / "inputs.safetensors")
    inputs = stored["grid"], stored["vectors"], stored["lengths"] > 0
    own = {}
    for seed, reader in enumerate(READERS):
        network = Answerer(reader=reader, seed=seed, **SIZES)
        network.build()
        file = tmp_path / f"{reader}.safetensors"
        bundle.save_arrays(file, bundle.weights_of(network))
        bundle.set_weights(network, bundle.load_arrays(file))
        own[reader] = network.looking(inputs)
    result = subprocess.run(
        [sys.executable, "-c", ON_JAX, str(tmp_path), json.dumps(SIZES), json.dumps(READERS)],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    found = json.loads(result.stdout.strip().splitlines()[-1])
    for reader in READERS:
        for mine, other in zip(own[reader], found[reader], strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-4)
