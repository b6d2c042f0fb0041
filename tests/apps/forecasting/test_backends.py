"""A bundle gives the same forecasts on JAX as on TensorFlow."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from apps.forecasting.examples import simulated
from apps.forecasting.features import HORIZONS
from apps.forecasting.predictor import Predictor
from shared import bundle
from tests.apps.forecasting.test_predictor import build

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
ON_JAX = """
import json, sys
sys.modules["tensorflow"] = None
import keras
from pathlib import Path
from apps.forecasting.examples import simulated
from apps.forecasting.predictor import Predictor

assert keras.backend.backend() == "jax"
quantiles = Predictor.load("lstm", Path(sys.argv[1])).quantiles(simulated("garch", 200), [70, 199])
print(json.dumps(quantiles.tolist()))
"""


@pytest.mark.skipif(not find_spec("jax"), reason="JAX is not installed")
def test_both_backends_forecast_alike(tmp_path):
    network = build("lstm")
    bundle.save_arrays(tmp_path / "lstm.safetensors", bundle.get_weights(network))
    details = {"network": network.options, "calibration": [1.1] * HORIZONS}
    card = dict.fromkeys(bundle.CARD_KEYS, "") | {"variants": {"lstm": details}}
    bundle.write_card(tmp_path, card)
    result = subprocess.run(
        [sys.executable, "-c", ON_JAX, str(tmp_path)],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    here = Predictor.load("lstm", tmp_path).quantiles(simulated("garch", 200), [70, 199])
    there = np.array(json.loads(result.stdout.splitlines()[-1]))
    np.testing.assert_allclose(here, there, rtol=1e-3, atol=1e-6)
