"""The Stanford Sentiment Treebank (Socher et al. 2013): film-review sentences as binary trees.

Each node, a phrase, has a label from 0 (very negative) to 4 (very positive) that people gave it.
The trees are read from the official archive, unpacked or not, or from
`sentiment/sst_trees.jsonl.xz`.
"""

import json
import lzma
import re
import zipfile
from pathlib import Path
from typing import NamedTuple

from shared.errors import UserError
from training.datasets.download import fetch

URL = "https://nlp.stanford.edu/sentiment/trainDevTestTrees_PTB.zip"
SHA256 = "5c613a4f673fc74097d523a2c83f38e0cc462984d847b82c7aaf36b01cbbbfcc"
SPLITS = ("train", "dev", "test")
LABELS = ("very negative", "negative", "neutral", "positive", "very positive")

# How the Penn Treebank writes what a text writes otherwise.
_ESCAPES = {
    "-LRB-": "(",
    "-RRB-": ")",
    "-LSB-": "[",
    "-RSB-": "]",
    "-LCB-": "{",
    "-RCB-": "}",
    "``": '"',
    "''": '"',
    "`": "'",
}
_OPENING = {"-LRB-", "-LSB-", "-LCB-", "``", "`", "$", "#"}  # no space after these
_CLOSING = re.compile(  # no space before these
    r"-R[RSC]B-|'{1,2}|[.,;:?!%]|\.{2,}|n't|'(?:s|re|ve|ll|d|m)", re.IGNORECASE
)
# Words that the treebank splits into two.
_SPLIT_WORDS = {"can not", "gim me", "gon na", "got ta", "lem me", "wan na"}


class Tree(NamedTuple):
    """A node of a binary tree, with all below it.

    Attributes:
        label: An integer from 0 (very negative) to 4 (very positive).
        word: The word of a leaf as the treebank writes it, else None.
        children: The left and the right `Tree`; empty for a leaf.
    """

    label: int
    word: str | None = None
    children: tuple["Tree", ...] = ()


def read(data_dir, split):
    """The trees of a split.

    Args:
        data_dir: Folder of corpora.
        split: `"train"`, `"dev"` or `"test"`.

    Returns:
        List of `Tree`: 8,544 for training, 1,101 for development and 2,210 for test.

    Raises:
        ValueError: if there is no such split.
        FileNotFoundError: if the corpus is not there and cannot be downloaded.
        UserError: if a line is no tree; the message names it.
    """
    if split not in SPLITS:
        raise ValueError(f"`split` must be one of {SPLITS}. Received: split={split!r}")
    trees = []
    for number, line in enumerate(_lines(Path(data_dir), split), start=1):
        try:
            trees.append(parse(line))
        except UserError as error:
            raise UserError(f"Line {number} of the split {split}: {error}") from error
    return trees


def _lines(data_dir, split):
    repacked = data_dir / "sentiment" / "sst_trees.jsonl.xz"
    if repacked.exists():
        name = "val" if split == "dev" else split
        with lzma.open(repacked, "rt", encoding="utf-8") as lines:
            return [row["tree"] for row in map(json.loads, lines) if row["split"] == name]
    folder = data_dir / "trees"
    if not folder.is_dir():
        archive = fetch(URL, SHA256, data_dir / "trainDevTestTrees_PTB.zip")
        with zipfile.ZipFile(archive) as file:
            file.extractall(data_dir)
    text = (folder / f"{split}.txt").read_text(encoding="utf-8")
    return [line for line in text.split("\n") if line.strip()]


def parse(line):
    """The `Tree` of a line such as `(3 (2 a) (4 joy))`, in linear time and at any depth.

    Raises:
        UserError: if it is no binary tree with labels from 0 to 4.
    """
    root: list = []
    stack = [root]  # what was read of each open node; the outermost list holds the trees
    # Not \s: a few words of the treebank contain a no-break space.
    for token in re.findall(r"[()]|[^ \t\r\n()]+", line):
        if token == "(":
            stack.append([])
        elif token != ")":
            stack[-1].append(token)
        elif len(stack) == 1:
            raise UserError(f"There is one ) too many in {_excerpt(line)}")
        else:
            parts = stack.pop()
            stack[-1].append(_node(parts, line))
    if len(stack) > 1:
        raise UserError(f"There is one ( too many in {_excerpt(line)}")
    if len(root) != 1 or not isinstance(root[0], Tree):
        raise UserError(f"There is not exactly one tree in {_excerpt(line)}")
    return root[0]


def _node(parts, line):
    match parts:
        case ["0" | "1" | "2" | "3" | "4" as label, str() as word]:
            return Tree(int(label), word)
        case ["0" | "1" | "2" | "3" | "4" as label, Tree() as left, Tree() as right]:
            return Tree(int(label), None, (left, right))
    raise UserError(
        f"A node needs a label from 0 to 4, and a word or two nodes, in {_excerpt(line)}"
    )


def _excerpt(line):
    return line if len(line) <= 60 else f"{line[:60]}…"


def nodes(tree):
    """All nodes of a tree, each before its children, at any depth."""
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        stack += reversed(node.children)


def words(tree):
    """The words of a tree as the treebank writes them."""
    return [node.word for node in nodes(tree) if not node.children]


def text(tree):
    """The words of a tree as ordinary text."""
    return join_words(words(tree))


def phrases(tree):
    """The text and the label of every node, as pairs; a phrase comes before its parts."""
    return [(text(node), node.label) for node in nodes(tree)]


def join_words(words):
    """Words as the Penn Treebank writes them, as ordinary text.

    Brackets, quotation marks, slashes and asterisks get their usual form, and spaces before
    marks, contractions and endings are left out: `It 's -LRB- almost -RRB- fun , is n't it ?`
    becomes `It's (almost) fun, isn't it?`.
    """
    text, previous = "", None
    for word in words:
        if previous and not (
            previous in _OPENING
            or _CLOSING.fullmatch(word)
            or f"{previous} {word}".lower() in _SPLIT_WORDS
        ):
            text += " "
        text += plain_word(word)
        previous = word
    return text


def plain_word(word):
    """A word of the treebank in its usual form: `-LRB-` becomes `(`, `and\\/or` `and/or`."""
    word = _ESCAPES.get(word, word).replace("\\", "").replace("\xa0", " ")
    try:  # some copies of the treebank hold UTF-8 that was once read as Latin-1
        return word.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return word
