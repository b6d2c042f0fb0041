"""The package: what its wheel holds and needs, in a process that sees nothing else of ours."""

import importlib.util
import os
import shutil
import subprocess
import sys
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import keras
import numpy as np
import pytest
from packaging.requirements import Requirement

from unrolled.layers import Bidirectional, LSTMCell, Recurrent

ROOT = Path(__file__).parents[1]
# Says on JAX which of some packages the import pulls in, and what a saved model answers.
PROGRAM = """
import sys
import keras
import numpy as np
import unrolled.decoding, unrolled.layers
imported = [name for name in ("gradio", "tensorflow", "shared", "apps") if name in sys.modules]
model = keras.saving.load_model("model.keras")
np.save("answers", model.predict(np.load("inputs.npy"), verbose=0))
print(unrolled.layers.__file__)
print(imported)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(ROOT / "unrolled", folder / "unrolled")
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, folder)
    options = ["--no-build-isolation", "--no-deps", "--no-index", "--quiet", "--wheel-dir", folder]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, folder], check=True)
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_the_package_alone_and_needs_keras_and_numpy(wheel):
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = [name for name in names if name.endswith("METADATA")]
        headers = Parser().parsestr(archive.read(metadata).decode())
    modules = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("unrolled/**/*.py")}
    packed = {name for name in names if ".dist-info/" not in name}
    assert packed == modules | {"unrolled/py.typed"}
    needed = {Requirement(line).name for line in headers.get_all("Requires-Dist")}
    assert needed == {"keras", "numpy"}


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_a_saved_model_loads_with_the_installed_package_alone(wheel, tmp_path):
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(7, 4, mask_zero=True),
            Bidirectional(Recurrent(LSTMCell(3, peepholes=True))),
        ]
    )
    model.save(tmp_path / "model.keras")
    inputs = np.array([[1, 2, 3, 0], [6, 5, 0, 0]])
    np.save(tmp_path / "inputs.npy", inputs)
    with ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    environment = {**os.environ, "PYTHONPATH": "installed", "KERAS_BACKEND": "jax"}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    path, imported = run.stdout.strip().splitlines()[-2:]
    assert (tmp_path / "installed").resolve() in Path(path).resolve().parents
    assert imported == "[]"
    answers = np.load(tmp_path / "answers.npy")
    np.testing.assert_allclose(answers, model.predict(inputs, verbose=0), atol=1e-5)
