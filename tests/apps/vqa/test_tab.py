import csv
import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from apps.vqa import tab, views
from apps.vqa.predictor import Answer
from shared.errors import UserError
from shared.photos import Photo


class Predictor:
    """Answers with the first word of a question; refuses those without one."""

    calls = 0

    def answer_each(self, grid, questions):
        self.calls += 1
        return [
            (Answer(text.split()[0], float(grid)), "guess" not in text)
            if text.strip()
            else UserError("No words.")
            for text in questions
        ]


class Models:
    pass


@pytest.fixture
def predictor(monkeypatch):
    predictor = Predictor()
    Models.Predictor = SimpleNamespace(load=lambda variant: predictor)
    monkeypatch.setattr(tab, "_models", lambda: Models)
    return predictor


SEEN = views.EncodedPhoto(Photo.from_image(Image.new("RGB", (40, 30))), np.float32(0.25))


def answered(tmp_path, monkeypatch, content, seen=SEEN, most=300):
    """All that a file leads to, and the rows that come back."""
    path, target = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_text(content, encoding="utf-8")
    monkeypatch.setattr("shared.site.batch.download_path", lambda name: target)
    steps = list(tab._answering(SimpleNamespace(max_rows=most))(str(path), seen, "lstm"))
    if not target.exists():
        return steps, None
    rows = list(csv.DictReader(io.StringIO(target.read_text(encoding="utf-8-sig"))))
    return steps, rows


def test_a_file_comes_back_in_its_order_with_an_answer_in_each_row(
    predictor, tmp_path, monkeypatch
):
    content = 'id,question,remark\n1,Red or blue?,"a, b"\n2," ",x\n3,=guess what?,y\n'
    steps, rows = answered(tmp_path, monkeypatch, content)
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    assert rows[0] == {
        "id": "1", "question": "Red or blue?", "remark": "a, b",
        "answer": "Red", "probability": "0.25", "note": "",
    }  # fmt: skip
    assert (rows[1]["answer"], rows[1]["note"]) == ("", "No words.")
    assert (rows[2]["answer"], rows[2]["note"]) == ("'=guess", views.LOW_CONFIDENCE)
    assert "0 of 3 questions answered" in steps[0][0]
    assert "2 of 3 questions answered" in steps[-1][0]


def test_a_long_file_reports_its_progress(predictor, tmp_path, monkeypatch):
    monkeypatch.setattr(tab, "CHUNK", 2)
    steps, rows = answered(tmp_path, monkeypatch, "question\n" + "What is it?\n" * 5)
    assert [f"{n} of 5" in step[0] for n, step in zip((0, 2, 4), steps, strict=False)] == [True] * 3
    assert predictor.calls == 3 and len(rows) == 5


@pytest.mark.parametrize(
    ("content", "seen", "sentence"),
    [
        ("", SEEN, "file is empty"),
        ("question\n", SEEN, "no rows"),
        ("question\n" + "a b\n" * 5, SEEN, "more than 4 rows"),
        ("one,two\na question,a remark\n", SEEN, "Rename the one to be read to “question”"),
        ("question\nWhat is it?\n", None, "no photo yet"),
    ],
)
def test_a_file_that_cannot_be_answered_gets_a_sentence(
    predictor, tmp_path, monkeypatch, content, seen, sentence
):
    ((said, _),), rows = answered(tmp_path, monkeypatch, content, seen, most=4)
    assert sentence in said and "error" in said
    assert rows is None and not predictor.calls


def test_suggestions_fit_the_photo_and_a_click_on_something_else_leads_to_an_example():
    assert "What color is the bus?" in tab._suggestions("bus")
    assert "What color is it?" in tab._suggestions("")
    for choice, key in (("lion", "lion"), ("unicorn", tab.FIRST)):
        assert tab._example(SimpleNamespace(choice=choice)) == key


def test_another_photo_that_is_none_gets_a_sentence(predictor, tmp_path):
    path = tmp_path / "letter.jpg"
    path.write_bytes(b"This is a letter.")
    box, sentence, _ = tab._take_other(str(path))
    assert box is None and "not a photo" in sentence
