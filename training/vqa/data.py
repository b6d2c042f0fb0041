"""Questions on COCO photographs: COCO-QA (Ren, Kiros & Zemel 2015), VQA v2 (Goyal et al. 2017).

They are read from the official downloads, unpacked or not, or from repacked files,
`vqa/coco_qa.jsonl.xz` and `vqa/coco_qa_more.jsonl.xz`, of which either may be missing, with rows
`{"image", "question", "answer", "type", "split"}` and, where several people answered, `"answers"`.
The photographs and their split are those of `datasets.coco`.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from shared.errors import UserError
from shared.text import clean
from training.datasets.coco import PARTS, is_validation, photo_name
from training.datasets.download import check_part, read_json_lines_xz, read_member
from training.datasets.pictures import Pictures
from training.rows import read_json_lines

Input = Annotated[
    Path | None,
    typer.Option(help='Your own questions: JSONL rows {"image", "question", "answer", "type"}.'),
]
Images = Annotated[
    Path | None, typer.Option("--images", help="Their photographs: a folder, tar or zip.")
]

QUESTIONS = ("vqa/coco_qa.jsonl.xz", "vqa/coco_qa_more.jsonl.xz")
COCO_QA = "http://www.cs.toronto.edu/~mren/imageqa/data/cocoqa/cocoqa-2015-05-17.zip"
VQA = "https://s3.amazonaws.com/cvmlp/vqa/mscoco/vqa"
COCO_QA_TYPES = ("object", "number", "color", "location")  # as its files number them


@dataclass(frozen=True)
class Question:
    """A question about a photograph.

    Attributes:
        image: Name of the photograph's file.
        text: The question.
        answer: The answer, or the one that most people gave.
        kind: `"yes/no"`, `"object"`, `"number"`, `"color"`, `"location"` or `"other"`.
        answers: The answers of several people; empty if there is only one.
    """

    image: str
    text: str
    answer: str
    kind: str
    answers: tuple[str, ...] = ()


def read(data_dir, part):
    """The questions of a part, in the order of the files.

    Args:
        data_dir: Folder of corpora.
        part: `"train"`, `"val"` or `"test"`.

    Returns:
        List of `Question`.

    Raises:
        ValueError: if there is no such part.
        FileNotFoundError: if the corpus is not there and cannot be downloaded, or a file of it is
            not as published.
    """
    check_part(part, PARTS)
    try:
        return _read(Path(data_dir), part)
    except FileNotFoundError:
        raise
    except Exception as error:  # each kind of file raises errors of its own
        raise FileNotFoundError(
            f"A file of questions in {data_dir} is damaged or cut off ({error}): download it again."
        ) from error


def _read(data_dir, part):
    repacked = [file for name in QUESTIONS if (file := data_dir / name).exists()]
    if repacked:
        rows = [row for file in repacked for row in read_json_lines_xz(file)]
        return [question(row) for row in rows if row["split"] == part]
    half = "val" if part == "test" else "train"
    questions = [*_coco_qa(data_dir, half), *_vqa(data_dir, half)]
    is_wanted = part == "val"
    return [q for q in questions if half == "val" or is_validation(q.image) == is_wanted]


def question(row):
    """A `Question` of a row of JSON, as in the repacked file.

    Raises:
        KeyError: if something is missing.
    """
    people = tuple(row.get("answers") or ())
    return Question(row["image"], row["question"], row["answer"], row["type"], people)


def read_rows(path, folder):
    """Questions of a JSONL file, and the photographs that they are about.

    Args:
        path: Of the file, rows `{"image": str, "question": str, "answer": str, "type": str,
            "answers": [str, …]}`; the last two may be missing. Questions are cleaned, as those of
            visitors are.
        folder: Path of a folder, tar or zip.

    Returns:
        List of `Question`, and the `Pictures`.

    Raises:
        typer.BadParameter: if a file or a row cannot be used; the message names the line.
    """
    if folder is None:
        raise typer.BadParameter("Name the folder or tar of the photographs with --images.")
    try:
        photographs = Pictures(folder)
    except FileNotFoundError as error:
        raise typer.BadParameter(str(error)) from error

    def parse(_, row):
        each = question({"type": "other", **row})
        texts = (each.image, each.text, each.answer, each.kind, *each.answers)
        usable = all(isinstance(text, str) and clean(text) for text in texts)
        if not (usable and isinstance(row.get("answers") or [], list)):
            raise UserError('all must be texts, none empty, and "answers" a list of them.')
        if each.image not in photographs:
            raise UserError(f"{folder} has no {each.image}.")
        return replace(each, text=clean(each.text))

    expected = '{"image": …, "question": …, "answer": …, "type": …}'
    return read_json_lines(path, parse, expected), photographs


def split_by_photo(questions, seed):
    """Training and validation questions; the second are about a tenth of the photographs."""
    names = sorted({each.image for each in questions})
    order = np.random.default_rng(seed).permutation(len(names))
    validation = {names[n] for n in order[: max(1, len(names) // 10)]}
    return (
        [each for each in questions if each.image not in validation],
        [each for each in questions if each.image in validation],
    )


def _coco_qa(data_dir, half):
    """COCO-QA's questions about the photographs of train2014 or val2014."""
    folder = {"train": "train", "val": "test"}[half]
    columns = [
        read_member(COCO_QA, data_dir, f"{folder}/{name}.txt", "cocoqa").splitlines()
        for name in ("img_ids", "questions", "answers", "types")
    ]
    if len({len(column) for column in columns}) > 1:
        raise FileNotFoundError(
            f"COCO-QA's files of {folder} have {[len(column) for column in columns]} lines: they "
            f"are not whole. Download {COCO_QA} again."
        )
    return [
        Question(photo_name(half, number), text, answer, COCO_QA_TYPES[int(kind)])
        for number, text, answer, kind in zip(*columns, strict=True)
    ]


def _vqa(data_dir, half):
    """VQA v2's questions about the photographs of train2014 or val2014."""
    questions, annotations = (
        json.loads(read_member(f"{VQA}/v2_{kind}_{half.title()}_mscoco.zip", data_dir, name))
        for kind, name in (
            ("Questions", f"v2_OpenEnded_mscoco_{half}2014_questions.json"),
            ("Annotations", f"v2_mscoco_{half}2014_annotations.json"),
        )
    )
    texts = {each["question_id"]: each["question"] for each in questions["questions"]}
    return [
        Question(
            photo_name(half, each["image_id"]),
            texts[each["question_id"]],
            each["multiple_choice_answer"],
            each["answer_type"],
            tuple(person["answer"] for person in each["answers"]),
        )
        for each in annotations["annotations"]
    ]
