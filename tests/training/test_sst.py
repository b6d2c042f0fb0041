import json
import lzma
import zipfile

import pytest

from shared.errors import UserError
from training.datasets import sst
from training.datasets.sst import Tree

LINE = "(1 (2 (2 The) (2 tea)) (1 (2 was) (1 cold)))"
TREE = Tree(
    1,
    None,
    (
        Tree(2, None, (Tree(2, "The"), Tree(2, "tea"))),
        Tree(1, None, (Tree(2, "was"), Tree(1, "cold"))),
    ),
)


def test_a_line_becomes_a_tree():
    assert sst.parse(LINE) == TREE
    assert sst.parse("(4 joy)") == Tree(4, "joy")
    assert sst.parse(LINE.replace(" (", "\n  (")) == TREE
    assert sst.parse("(2 8\xa01\\/2)") == Tree(2, "8\xa01\\/2")


def test_phrases_come_with_their_labels_the_whole_first():
    assert sst.text(TREE) == "The tea was cold"
    assert sst.phrases(TREE) == [
        ("The tea was cold", 1),
        ("The tea", 2),
        ("The", 2),
        ("tea", 2),
        ("was cold", 1),
        ("was", 2),
        ("cold", 1),
    ]


@pytest.mark.parametrize(
    "line",
    ["", "tea", "(2 tea", "(2 tea))", "(2 tea) (2 cake)", "(5 tea)", "(2)", "()", "(2 a b)"]
    + ["(2 (2 one))", "(2 (2 one) (2 two) (2 three))", "(2 word (2 tea))", "(x (2 a) (2 b))"],
)
def test_what_is_no_tree_is_refused(line):
    with pytest.raises(UserError, match="in |tree"):
        sst.parse(line)


def test_a_deep_tree_needs_no_recursion():
    depth = 50_000
    tree = sst.parse("(2 (2 very) " * depth + "(3 well)" + ")" * depth)
    assert sum(1 for _ in sst.nodes(tree)) == 2 * depth + 1
    assert sst.words(tree)[-2:] == ["very", "well"]
    while tree.children:  # otherwise Python frees it recursively
        tree = tree.children[1]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("It 's -LRB- almost -RRB- fun , is n't it ?", "It's (almost) fun, isn't it?"),
        ("I ca n't say ... that they 'll stay .", "I can't say... that they'll stay."),
        ("`` Quite `` nice '' tea ''", '"Quite "nice" tea"'),
        ("a ` long ' day : 50 % of the cooks ' hours", "a 'long' day: 50% of the cooks' hours"),
        ("salt and\\/or \\*\\*\\* pepper for $ 3 ;", "salt and/or *** pepper for $3;"),
        ("I 'm gon na bake -- you can not", "I'm gonna bake -- you cannot"),
        ("n't cold", "n't cold"),
        (", and so", ", and so"),
        ("cafÃ© crème 8\xa01\\/2", "café crème 8 1/2"),
    ],
)
def test_words_become_ordinary_text(words, text):
    assert sst.join_words(words.split(" ")) == text


SPLITS = {"train": [LINE, "(4 Joy)"], "dev": ["(3 Nice)"], "test": ["(0 Awful)"]}


def official(folder):
    """The layout of the official archive, with trees of our own."""
    (folder / "trees").mkdir(parents=True)
    for split, lines in SPLITS.items():
        text = "".join(f"{line}\n" for line in lines)
        (folder / "trees" / f"{split}.txt").write_text(text, encoding="utf-8")
    return folder


def test_official_folder_is_read(tmp_path):
    official(tmp_path)
    assert sst.read(tmp_path, "train") == [TREE, Tree(4, "Joy")]
    assert sst.read(tmp_path, "dev") == [Tree(3, "Nice")]


def test_archive_is_unpacked(tmp_path, monkeypatch):
    made = official(tmp_path / "made")
    archive = tmp_path / "trainDevTestTrees_PTB.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for split in SPLITS:
            file.write(made / "trees" / f"{split}.txt", f"trees/{split}.txt")
    monkeypatch.setattr(sst, "fetch", lambda url, sha256, path: path)
    assert sst.read(tmp_path, "test") == [Tree(0, "Awful")]


def test_repacked_file_is_read(tmp_path):
    (tmp_path / "sentiment").mkdir()
    with lzma.open(tmp_path / "sentiment" / "sst_trees.jsonl.xz", "wt") as file:
        for split, line in (("val", "(3 Nice)"), ("train", LINE)):
            file.write(json.dumps({"split": split, "tree": line}) + "\n")
    assert sst.read(tmp_path, "dev") == [Tree(3, "Nice")]
    assert sst.read(tmp_path, "train") == [TREE]


def test_a_damaged_line_is_named(tmp_path):
    folder = official(tmp_path) / "trees"
    (folder / "dev.txt").write_text("(3 Nice)\n(3 Ni\n")
    with pytest.raises(UserError, match="Line 2 of the split dev: There is one"):
        sst.read(tmp_path, "dev")


def test_unknown_split_is_refused(tmp_path):
    with pytest.raises(ValueError, match="split='val'"):
        sst.read(tmp_path, "val")
