"""The code of docs/layers.md runs as it stands there."""

import re
from pathlib import Path

import keras
import pytest

DOCS = Path(__file__).parents[2] / "docs" / "layers.md"


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the last block uses a tape")
def test_every_code_block_runs():
    blocks = re.findall(r"^```python\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.M | re.S)
    assert blocks
    names = {"__name__": "docs_layers"}
    for block in blocks:
        exec(compile(block, str(DOCS), "exec"), names)
