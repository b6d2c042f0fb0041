import csv
import io
from functools import partial
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from apps.vqa import tab, views
from apps.vqa.predictor import Answer
from shared.errors import UserError
from shared.photos import Photo


class Predictor:
    """Answers with the first word of a question, and refuses questions without words."""

    def answer_each(self, grid, questions):
        return [
            (Answer(text.split()[0], float(grid)), "guess" not in text)
            if text.strip()
            else UserError("No words.")
            for text in questions
        ]


ENCODED = views.EncodedPhoto(Photo.from_image(Image.new("RGB", (40, 30))), np.float32(0.25))
CONTENT = 'id,question,remark\n1,Red or blue?,"a, b"\n2," ",x\n3,=guess what?,y\n'


@pytest.fixture
def prepare(monkeypatch, tmp_path):
    """A function that prepares the batch of a file with some content."""
    predictors = SimpleNamespace(load=lambda variant: Predictor())
    monkeypatch.setattr(tab, "_predictors", lambda: predictors)
    path = tmp_path / "in.csv"

    def prepare(content, encoded=ENCODED):
        path.write_text(content, encoding="utf-8")
        return tab._prepare_batch(SimpleNamespace(max_rows=4), str(path), None, encoded, "lstm")

    return prepare


def test_a_file_comes_back_in_its_order_with_an_answer_in_each_row(prepare):
    job = prepare(CONTENT)
    results = [*job.answer(job.inputs.items[:2]), *job.answer(job.inputs.items[2:])]
    name, content = job.write(results)
    rows = list(csv.DictReader(io.StringIO(content)))
    assert name == "answers.csv" and [row["id"] for row in rows] == ["1", "2", "3"]
    assert rows[0] == {
        "id": "1", "question": "Red or blue?", "remark": "a, b",
        "answer": "Red", "probability": "0.25", "note": "",
    }  # fmt: skip
    assert (rows[1]["answer"], rows[1]["note"]) == ("", "No words.")
    assert (rows[2]["answer"], rows[2]["note"]) == ("'=guess", views.LOW_CONFIDENCE)
    assert "2 of 3 questions answered" in job.summarize(results)


@pytest.mark.parametrize(
    ("content", "encoded"),
    [
        ("", ENCODED),
        ("question\n" + "a b\n" * 5, ENCODED),
        ("one,two\n1,2\n", ENCODED),
        ("question\nWhat is it?\n", None),
    ],
)
def test_a_file_that_cannot_be_answered_gets_a_sentence(prepare, content, encoded, texts):
    with pytest.raises(UserError) as error:
        prepare(content, encoded)
    texts(error.value)


@pytest.fixture
def section():
    with gr.Blocks():
        page = SimpleNamespace(link_button=lambda **inputs: gr.Button("Copy link"))
        yield tab._QuestionSection(page, {"variants": {"lstm": {}}}, gr.State(), gr.State())


def test_a_link_to_an_unknown_example_opens_the_first(section):
    for key, opened in (("bus", "bus"), ("unicorn", tab.FIRST), (None, tab.FIRST)):
        assert section.photo.loader(key)().example == opened


def test_a_file_that_is_no_photo_gets_a_sentence_and_leaves_the_rest(section, tmp_path):
    path = tmp_path / "letter.jpg"
    path.write_bytes(b"This is a letter.")
    load = partial(Photo.from_upload, str(path))
    _, problem, *rest = section._respond_to_photo(load, "What is it?", "lstm")
    assert "not a photo" in problem and rest == [gr.skip()] * 8
