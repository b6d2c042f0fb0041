import bz2
import json
import lzma

import pytest
import typer

from shared.text import plain_words
from training.analogies.data import read_questions, read_similarity
from training.datasets import words

LONG = "The harbour of São Paulo’s sister city was rebuilt in 1921 by well-known architects."


@pytest.fixture
def corpora(tmp_path):
    folder = tmp_path / "words"
    folder.mkdir()
    rows = [
        {"id": 1, "title": "Harbours", "text": f"Harbours\n\n{LONG}\nShort heading.\n{LONG}"},
        {"id": 2, "title": "Rivers", "text": "Rivers flow to the sea or to a lake."},
    ]
    with lzma.open(folder / "wikipedia_part1.jsonl.xz", "wt", encoding="utf-8") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_words_are_lower_case_letters_without_accents_or_figures():
    expected = "the harbour of sao paulo sister city was rebuilt in by well known architects"
    assert plain_words(LONG) == expected.split()
    assert plain_words("Don't, DON’T; king's Ελλάς 3rd") == ["don't", "don't", "king", "rd"]


def test_paragraphs_are_lists_of_words_without_the_headings(corpora):
    articles = list(words.wikipedia(corpora))
    assert [paragraph[0] for paragraph in articles] == ["the", "the", "rivers"]
    assert articles[2] == ["rivers", "flow", "to", "the", "sea", "or", "to", "a", "lake"]


def test_the_official_dump_is_read_as_it_is_downloaded(tmp_path):
    folder = tmp_path / "words"
    folder.mkdir()
    page = (
        "<page><title>{}</title><ns>{}</ns><id>{}</id>"
        "<revision><id>9</id><text>{}</text></revision></page>"
    )
    pages = [
        page.format("Rivers", 0, 1, "'''Rivers''' flow to the [[Sea|wide sea]] or to a lake."),
        page.format("Streams", 0, 2, "#REDIRECT [[Rivers]] which flow to the sea or a lake"),
        page.format("Talk:Rivers", 1, 3, "Somebody says that rivers flow to the sea."),
    ]
    text = (
        f'<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/">{"".join(pages)}</mediawiki>'
    )
    (folder / "enwiki-latest-pages-articles1.xml-p1p9.bz2").write_bytes(bz2.compress(text.encode()))
    assert list(words.wikipedia(tmp_path)) == [
        ["rivers", "flow", "to", "the", "wide", "sea", "or", "to", "a", "lake"]
    ]


def test_without_the_corpus_a_sentence_says_which_file_to_put_where(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"download enwiki-latest.*into that folder"):
        next(words.wikipedia(tmp_path))


def test_the_test_reviews_are_never_read(monkeypatch):
    urls = []

    def read(data_dir, part):
        urls.append(part)
        return []

    monkeypatch.setattr(words.imdb, "read", read)
    assert list(words.reviews("somewhere")) == []
    assert urls == ["train", "unsup"]


def test_questions_are_read_by_section(tmp_path):
    path = tmp_path / "questions.txt"
    path.write_text(": Capitals\nOslo Norway Rome Italy\n\n: plurals\ncar cars cow cows\n")
    assert read_questions(path) == {
        "capitals": [("oslo", "norway", "rome", "italy")],
        "plurals": [("car", "cars", "cow", "cows")],
    }


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("oslo norway rome italy\n", "line 1: expected"),
        (": capitals\noslo norway rome\n", "line 2: expected"),
        (": capitals\n", "has no questions"),
        ("", "has no questions"),
    ],
)
def test_a_file_without_questions_is_refused(tmp_path, content, sentence):
    path = tmp_path / "questions.txt"
    path.write_text(content)
    with pytest.raises(typer.BadParameter, match=sentence):
        read_questions(path)


def test_similarity_files_have_tabs_or_commas_and_perhaps_a_header(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("# made up\nWord 1,Word 2,Score\nCat,tiger,7.5\nsun\tmoon\t6\n")
    assert read_similarity(path) == [("cat", "tiger", 7.5), ("sun", "moon", 6.0)]
    path.write_text("cat\ttiger\t7.5\nsun\tmoon\n")
    with pytest.raises(typer.BadParameter, match="line 2: expected two words and a score"):
        read_similarity(path)
    path.write_text("cat\ttiger\tnan\n")
    with pytest.raises(typer.BadParameter, match="line 1: expected two words and a score"):
        read_similarity(path)
    path.write_text("word,word,score\n")
    with pytest.raises(typer.BadParameter, match="has no pairs"):
        read_similarity(path)
