import json

import pytest

from apps.analogies import tab
from apps.analogies.predictor import Predictor
from shared import settings
from shared.site.pages import Page, build_site

WORDS = ["king", "queen", "man", "woman"]
GOOD = "".join(f"{word} {n} 1 0.5\n" for n, word in enumerate(WORDS))


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("mine.txt", GOOD.replace("2 1 0.5", "2 1 x"), "mine.txt, line 3: expected a word and 3"),
        ("mine.kv", "no pickle", "mine.kv cannot be read as vectors"),
        ("mine.bin", None, "There is no file"),
    ],
    ids=["a line", "no pickle", "missing"],
)
def test_a_bad_file_of_vectors_is_named_in_the_log(tmp_path, caplog, name, content, problem):
    if content:
        (tmp_path / name).write_text(content)
    predictor, sentence = tab._load_vectors(str(tmp_path / name))
    assert predictor is Predictor.load()
    assert problem in caplog.text
    assert sentence and str(tmp_path) not in sentence


def test_the_page_says_that_it_serves_the_shipped_vectors(tmp_path, texts):
    options = settings.read().model_copy(update={"vectors": str(tmp_path / "mine.txt")})
    site = build_site([Page("", tab.TITLE, tab.DESCRIPTION, tab.build)], options)
    sentence = tab._load_vectors(options.vectors)[1]
    assert sentence in json.dumps(site.get_config_file(), default=str)
    texts(sentence)


def test_a_good_file_of_vectors_takes_the_place_of_the_shipped_ones(tmp_path, caplog):
    (tmp_path / "mine.txt").write_text(GOOD)
    predictor, sentence = tab._load_vectors(str(tmp_path / "mine.txt"))
    assert predictor.vectors.words == WORDS
    assert not sentence and not caplog.text
