import json
import lzma
import zipfile

import pytest

from training.datasets import coco

SEVEN, NINE = "COCO_train2014_000000000007.jpg", "COCO_train2014_000000000009.jpg"


def annotations(*pairs):
    rows = [{"id": n, "image_id": image, "caption": text} for n, (image, text) in enumerate(pairs)]
    return json.dumps({"images": [], "annotations": rows})


@pytest.mark.parametrize("packed", [True, False])
def test_the_official_captions_are_read_and_split(tmp_path, packed, monkeypatch):
    monkeypatch.setattr(coco, "is_validation", lambda name: name == NINE)
    files = {
        "captions_train2014.json": annotations((7, "A wall"), (9, "A door"), (7, "A red wall")),
        "captions_val2014.json": annotations((7, "A window")),
    }
    if packed:
        with zipfile.ZipFile(tmp_path / "annotations_trainval2014.zip", "w") as archive:
            for name, text in files.items():
                archive.writestr(f"annotations/{name}", text)
    else:
        (tmp_path / "annotations").mkdir()
        for name, text in files.items():
            (tmp_path / "annotations" / name).write_text(text)
    assert coco.read_captions(tmp_path, "train") == {SEVEN: ("A wall", "A red wall")}
    assert coco.read_captions(tmp_path, "val") == {NINE: ("A door",)}
    test = {"COCO_val2014_000000000007.jpg": ("A window",)}
    assert coco.read_captions(tmp_path, "test") == test


def test_the_repacked_captions_are_read(tmp_path):
    rows = [{"image": f"{part}.webp", "split": part, "captions": [part]} for part in coco.PARTS]
    (tmp_path / "captioning").mkdir()
    content = "\n".join(map(json.dumps, rows)).encode()
    (tmp_path / "captioning/coco_captions.jsonl.xz").write_bytes(lzma.compress(content))
    for part in coco.PARTS:
        assert coco.read_captions(tmp_path, part) == {f"{part}.webp": (part,)}
    with pytest.raises(ValueError, match="`part`.*'dev'"):
        coco.read_captions(tmp_path, "dev")
