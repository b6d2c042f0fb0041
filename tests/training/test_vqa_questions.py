import io
import json
import lzma
import tarfile
import zipfile

import pytest

from training.datasets import coco
from training.vqa import data as vqa
from training.vqa.data import Question

TEXTS = {"img_ids": "7\n9\n", "questions": "what is red\nhow many cats\n",
         "answers": "bus\ntwo\n", "types": "0\n1\n"}  # fmt: skip


def vqa_files(half):
    """A question of VQA v2 that ten people answered."""
    people = ["yes"] * 7 + ["no"] * 3
    annotation = {
        "question_id": 70, "image_id": 7, "answer_type": "yes/no", "question_type": "is the",
        "multiple_choice_answer": "yes",
        "answers": [{"answer": each, "answer_id": n} for n, each in enumerate(people, 1)],
    }  # fmt: skip
    question = {"question_id": 70, "image_id": 7, "question": f"Is the {half} bus red?"}
    return {
        f"v2_OpenEnded_mscoco_{half}2014_questions.json": json.dumps({"questions": [question]}),
        f"v2_mscoco_{half}2014_annotations.json": json.dumps({"annotations": [annotation]}),
    }


def official(folder, packed):
    """Tiny downloads of both corpora and their photographs, as archives or unpacked."""
    files = {f"cocoqa/{part}/{name}.txt": text for part in ("train", "test")
             for name, text in TEXTS.items()}  # fmt: skip
    archives = dict.fromkeys(files, "cocoqa-2015-05-17.zip")
    for half in ("train", "val"):
        names = zip(vqa_files(half), ("Questions", "Annotations"), strict=True)
        archives |= {name: f"v2_{what}_{half.title()}_mscoco.zip" for name, what in names}
        files |= vqa_files(half)
        for number in (7, 9):
            name = f"{half}2014/COCO_{half}2014_{number:012d}.jpg"
            files[name] = f"{half} {number}"
            archives[name] = f"{half}2014.zip"
    for name, text in files.items():
        if packed:
            inside = name.removeprefix("cocoqa/")
            with zipfile.ZipFile(folder / archives[name], "a") as archive:
                archive.writestr(inside, text)
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)


@pytest.mark.parametrize("packed", [True, False])
def test_the_official_downloads_are_read(tmp_path, packed):
    official(tmp_path, packed)
    seven, nine = (f"COCO_val2014_{number:012d}.jpg" for number in (7, 9))
    assert vqa.read(tmp_path, "test") == [
        Question(seven, "what is red", "bus", "object"),
        Question(nine, "how many cats", "two", "number"),
        Question(seven, "Is the val bus red?", "yes", "yes/no", ("yes",) * 7 + ("no",) * 3),
    ]
    pictures = coco.pictures(tmp_path)
    assert pictures[seven] == b"val 7"
    assert pictures["COCO_train2014_000000000009.jpg"] == b"train 9"
    assert seven in pictures
    assert "COCO_val2014_000000000008.jpg" not in pictures


def test_a_photograph_of_the_training_is_never_in_the_validation(tmp_path, monkeypatch):
    official(tmp_path, packed=False)
    monkeypatch.setattr(coco, "VALIDATION_EVERY", 2)
    names = "\n".join(str(n % 20) for n in range(40)) + "\n"
    (tmp_path / "cocoqa/train/img_ids.txt").write_text(names)
    for name, line in (("questions", "what"), ("answers", "bus"), ("types", "0")):
        (tmp_path / f"cocoqa/train/{name}.txt").write_text(f"{line}\n" * 40)
    train, val = ([each.image for each in vqa.read(tmp_path, part)] for part in ("train", "val"))
    assert train and val
    assert not set(train) & set(val)
    assert len(train) + len(val) == 41
    assert all("train2014" in name for name in train + val)


def test_incomplete_files_are_named(tmp_path):
    official(tmp_path, packed=False)
    (tmp_path / "cocoqa/test/types.txt").write_text("0\n")
    with pytest.raises(FileNotFoundError, match=r"of test have \[2, 2, 2, 1\] lines"):
        vqa.read(tmp_path, "test")


def test_the_repacked_corpus_is_read(tmp_path):
    folder = tmp_path / "vqa"
    folder.mkdir()
    rows = [
        {"image": "a.webp", "question": "what", "answer": "bus", "type": "object", "split": "val"},
        {"image": "b.webp", "question": "is it", "answer": "no", "type": "yes/no",
         "split": "train", "answers": ["no", "yes"]},
    ]  # fmt: skip
    content = "\n".join(json.dumps(row) for row in rows)
    (folder / "coco_qa.jsonl.xz").write_bytes(lzma.compress(content.encode()))
    (tmp_path / "vision").mkdir()
    for file, name in (
        ("vqa/coco_images.tar", "a.webp"),
        ("vision/coco_photos_more.tar", "c.webp"),
    ):
        with tarfile.open(tmp_path / file, "w") as archive:
            member = tarfile.TarInfo(name)
            member.size = 5
            archive.addfile(member, io.BytesIO(b"pixel"))
    assert vqa.read(tmp_path, "val") == [Question("a.webp", "what", "bus", "object")]
    assert vqa.read(tmp_path, "train") == [
        Question("b.webp", "is it", "no", "yes/no", ("no", "yes"))
    ]
    assert vqa.read(tmp_path, "test") == []
    pictures = coco.pictures(tmp_path)
    assert [pictures[name] for name in ("a.webp", "c.webp")] == [b"pixel"] * 2
    more = {"image": "c.webp", "question": "who", "answer": "man", "type": "other", "split": "test"}
    (folder / "coco_qa_more.jsonl.xz").write_bytes(lzma.compress(json.dumps(more).encode()))
    assert vqa.read(tmp_path, "test") == [Question("c.webp", "who", "man", "other")]
    assert len(vqa.read(tmp_path, "val")) == 1


def test_wrong_parts_are_named(tmp_path):
    with pytest.raises(ValueError, match="`part`.*'dev'"):
        vqa.read(tmp_path, "dev")


@pytest.mark.parametrize(
    "content",
    [lzma.compress(b"{}" * 500)[:40], b"nonsense", lzma.compress(b"[1]\n"), lzma.compress(b"{}\n")],
)
def test_a_damaged_file_of_questions_gets_a_sentence(tmp_path, content):
    (tmp_path / "vqa").mkdir()
    (tmp_path / "vqa/coco_qa.jsonl.xz").write_bytes(content)
    with pytest.raises(FileNotFoundError, match="damaged or cut off"):
        vqa.read(tmp_path, "test")
