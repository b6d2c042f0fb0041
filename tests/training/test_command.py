"""What the training commands share."""

from pathlib import Path

import pytest

from shared.errors import UserError
from training import command

COMMANDS = Path(command.__file__).parent


def test_the_data_setting_moves_checkpoints(monkeypatch, tmp_path):
    monkeypatch.setenv("UNROLLED_DATA", str(tmp_path / "data"))
    assert command.checkpoint_dir("vqa") == tmp_path / "data" / "checkpoints" / "vqa"
    chosen = command.checkpoint_dir("vqa", data_dir=tmp_path / "other")
    assert chosen == tmp_path / "other" / "checkpoints" / "vqa"
    assert command.checkpoint_dir("vqa", work_dir=tmp_path / "work") == tmp_path / "work"
    assert (tmp_path / "work").is_dir()


def test_no_command_writes_checkpoints_elsewhere():
    sources = [file.read_text(encoding="utf-8") for file in COMMANDS.rglob("*.py")]
    assert sum("checkpoint_dir(" in source for source in sources) >= 9
    assert not any("Path.home" in source for source in sources)


def test_a_folder_that_cannot_be_written_is_refused_with_a_sentence(tmp_path, texts):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="--work-dir") as error:
        command.checkpoint_dir("vqa", tmp_path / "file" / "work")
    texts(str(error.value).replace(str(tmp_path), "FOLDER"))
